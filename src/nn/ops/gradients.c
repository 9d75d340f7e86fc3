/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which operator has which rule of differentiation.
 *
 * A row's mask says which inputs a gradient may reach (bit i: input i). A row without a rule stops
 * gradients: what rounds, compares or counts is constant almost everywhere. An operator that has no
 * row has no gradient, and a network that needs it is refused by name; those that could have one
 * are in a list of their own with the reason, which the refusal tells.
 */
#include "nn/ops/gradients.h"

#include <string.h>

typedef struct gradient_row {
    const char *op;
    vt_gradient_rule *rule;
    uint32_t inputs;
} gradient_row;

enum { FIRST = 1, FIRST_TWO = 3, FIRST_THREE = 7 };
#define EVERY UINT32_MAX

static const gradient_row rows[] = {
    {"Conv", vt_gradient_conv, FIRST_THREE},
    {"ConvTranspose", vt_gradient_conv_transpose, FIRST_THREE},
    {"Gemm", vt_gradient_gemm, FIRST_THREE},
    {"MatMul", vt_gradient_matmul, FIRST_TWO},
    {"Einsum", vt_gradient_einsum, EVERY},
    {"MaxPool", vt_gradient_max_pool, FIRST},
    {"AveragePool", vt_gradient_average_pool, FIRST},
    {"GlobalMaxPool", vt_gradient_global_max_pool, FIRST},
    {"GlobalAveragePool", vt_gradient_global_average_pool, FIRST},
    {"LpPool", vt_gradient_lp_pool, FIRST},
    {"GlobalLpPool", vt_gradient_global_lp_pool, FIRST},
    {"Attention", vt_gradient_attention, 63}, /* not the number of valid keys */
    {"RotaryEmbedding", vt_gradient_rotary, FIRST},
    {"GridSample", vt_gradient_grid_sample, FIRST_TWO},
    {"AffineGrid", vt_gradient_affine_grid, FIRST},
    {"Det", vt_gradient_determinant, FIRST},
    {"BatchNormalization", vt_gradient_batchnorm, FIRST_THREE},
    {"LayerNormalization", vt_gradient_layernorm, FIRST_THREE},
    {"InstanceNormalization", vt_gradient_instancenorm, FIRST_THREE},
    {"GroupNormalization", vt_gradient_groupnorm, FIRST_THREE},
    {"RMSNormalization", vt_gradient_rmsnorm, FIRST_TWO},
    {"MeanVarianceNormalization", vt_gradient_mean_variance, FIRST},
    {"LpNormalization", vt_gradient_lp_norm, FIRST},
    {"LRN", vt_gradient_lrn, FIRST},
    {"Softmax", vt_gradient_softmax, FIRST},
    {"LogSoftmax", vt_gradient_log_softmax, FIRST},
    {"SoftmaxCrossEntropyLoss", vt_gradient_entropy, FIRST},
    {"NegativeLogLikelihoodLoss", vt_gradient_likelihood, FIRST},
    {"Relu", vt_gradient_relu, FIRST},
    {"LeakyRelu", vt_gradient_unary, FIRST},
    {"Elu", vt_gradient_unary, FIRST},
    {"Selu", vt_gradient_unary, FIRST},
    {"Celu", vt_gradient_unary, FIRST},
    {"Sigmoid", vt_gradient_unary, FIRST},
    {"HardSigmoid", vt_gradient_unary, FIRST},
    {"HardSwish", vt_gradient_unary, FIRST},
    {"Mish", vt_gradient_unary, FIRST},
    {"Swish", vt_gradient_unary, FIRST},
    {"Gelu", vt_gradient_unary, FIRST},
    {"ThresholdedRelu", vt_gradient_unary, FIRST},
    {"Shrink", vt_gradient_unary, FIRST},
    {"Tanh", vt_gradient_unary, FIRST},
    {"Softplus", vt_gradient_unary, FIRST},
    {"Softsign", vt_gradient_unary, FIRST},
    {"Erf", vt_gradient_unary, FIRST},
    {"Exp", vt_gradient_unary, FIRST},
    {"Log", vt_gradient_unary, FIRST},
    {"Sqrt", vt_gradient_unary, FIRST},
    {"Reciprocal", vt_gradient_unary, FIRST},
    {"Abs", vt_gradient_unary, FIRST},
    {"Neg", vt_gradient_unary, FIRST},
    {"Sin", vt_gradient_unary, FIRST},
    {"Cos", vt_gradient_unary, FIRST},
    {"Tan", vt_gradient_unary, FIRST},
    {"Asin", vt_gradient_unary, FIRST},
    {"Acos", vt_gradient_unary, FIRST},
    {"Atan", vt_gradient_unary, FIRST},
    {"Sinh", vt_gradient_unary, FIRST},
    {"Cosh", vt_gradient_unary, FIRST},
    {"Asinh", vt_gradient_unary, FIRST},
    {"Acosh", vt_gradient_unary, FIRST},
    {"Atanh", vt_gradient_unary, FIRST},
    {"Add", vt_gradient_add, FIRST_TWO},
    {"Sub", vt_gradient_sub, FIRST_TWO},
    {"Mul", vt_gradient_mul, FIRST_TWO},
    {"Div", vt_gradient_div, FIRST_TWO},
    {"Pow", vt_gradient_pow, FIRST_TWO},
    {"Mod", vt_gradient_mod, FIRST_TWO},
    {"Min", vt_gradient_extreme, EVERY},
    {"Max", vt_gradient_extreme, EVERY},
    {"Sum", vt_gradient_sum, EVERY},
    {"Mean", vt_gradient_sum, EVERY},
    {"Where", vt_gradient_where, 6},
    {"SwiGLU", vt_gradient_swiglu, FIRST_TWO},
    {"PRelu", vt_gradient_prelu, FIRST_TWO},
    {"Clip", vt_gradient_clip, FIRST_THREE},
    {"ReduceSum", vt_gradient_reduce, FIRST},
    {"ReduceMean", vt_gradient_reduce, FIRST},
    {"ReduceMax", vt_gradient_reduce, FIRST},
    {"ReduceMin", vt_gradient_reduce, FIRST},
    {"ReduceProd", vt_gradient_reduce, FIRST},
    {"ReduceL1", vt_gradient_reduce, FIRST},
    {"ReduceL2", vt_gradient_reduce, FIRST},
    {"ReduceSumSquare", vt_gradient_reduce, FIRST},
    {"ReduceLogSum", vt_gradient_reduce, FIRST},
    {"ReduceLogSumExp", vt_gradient_reduce, FIRST},
    {"Reshape", vt_gradient_reshape, FIRST},
    {"Flatten", vt_gradient_reshape, FIRST},
    {"Squeeze", vt_gradient_reshape, FIRST},
    {"Unsqueeze", vt_gradient_reshape, FIRST},
    {"Identity", vt_gradient_identity, FIRST},
    {"Dropout", vt_gradient_identity, FIRST}, /* one that drops has become DropoutTraining */
    {"Cast", vt_gradient_cast, FIRST},
    {"CastLike", vt_gradient_cast, FIRST},
    {"Transpose", vt_gradient_transpose, FIRST},
    {"Concat", vt_gradient_concat, EVERY},
    {"Split", vt_gradient_split, FIRST},
    {"Slice", vt_gradient_slice, FIRST},
    {"Pad", vt_gradient_pad, FIRST},
    {"CenterCropPad", vt_gradient_center_crop_pad, FIRST},
    {"ReverseSequence", vt_gradient_reverse_sequence, FIRST},
    {"Col2Im", vt_gradient_col2im, FIRST},
    {"Expand", vt_gradient_expand, FIRST},
    {"Tile", vt_gradient_tile, FIRST},
    {"DepthToSpace", vt_gradient_depth_to_space, FIRST},
    {"SpaceToDepth", vt_gradient_space_to_depth, FIRST},
    {"Trilu", vt_gradient_trilu, FIRST},
    {"CumSum", vt_gradient_cumsum, FIRST},
    {"CumProd", vt_gradient_cumprod, FIRST},
    {"Gather", vt_gradient_gather, FIRST},
    {"GatherElements", vt_gradient_gather_elements, FIRST},
    {"GatherND", vt_gradient_gather_nd, FIRST},
    {"Compress", vt_gradient_compress, FIRST},
    {"Scatter", vt_gradient_scatter_elements, 5},
    {"ScatterElements", vt_gradient_scatter_elements, 5},
    {"ScatterND", vt_gradient_scatter_nd, 5},
    {"TopK", vt_gradient_topk, FIRST},
    {"Resize", vt_gradient_resize, FIRST},
    {"Upsample", vt_gradient_resize, FIRST},
    /* What stops gradients. */
    {"Shape", NULL, 0},
    {"Size", NULL, 0},
    {"ConstantOfShape", NULL, 0},
    {"Floor", NULL, 0},
    {"Ceil", NULL, 0},
    {"Round", NULL, 0},
    {"Sign", NULL, 0},
    {"Equal", NULL, 0},
    {"Less", NULL, 0},
    {"LessOrEqual", NULL, 0},
    {"Greater", NULL, 0},
    {"GreaterOrEqual", NULL, 0},
    {"IsNaN", NULL, 0},
    {"IsInf", NULL, 0},
    {"ArgMax", NULL, 0},
    {"ArgMin", NULL, 0},
    {"Hardmax", NULL, 0},
    {"OneHot", NULL, 0},
    {"NonZero", NULL, 0},
    {"EyeLike", NULL, 0},
    {"Range", NULL, 0},
    {"Not", NULL, 0},
    {"And", NULL, 0},
    {"Or", NULL, 0},
    {"Xor", NULL, 0},
    {"BitwiseNot", NULL, 0},
    {"BitwiseAnd", NULL, 0},
    {"BitwiseOr", NULL, 0},
    {"BitwiseXor", NULL, 0},
    {"BitShift", NULL, 0},
    {"HannWindow", NULL, 0},
    {"HammingWindow", NULL, 0},
    {"BlackmanWindow", NULL, 0},
};

/* What has floats on both sides and no gradient all the same. Stored integers would stop it: a
 * network that is half trained in silence is worse than one that is refused. */
static const struct {
    const char *op, *reason;
} without[] = {
    {"QuantizeLinear", "train the network before it is quantised"},
    {"DynamicQuantizeLinear", "train the network before it is quantised"},
    {"DequantizeLinear", "train the network before it is quantised"},
    {"QLinearConv", "train the network before it is quantised"},
    {"QLinearMatMul", "train the network before it is quantised"},
    {"ConvInteger", "train the network before it is quantised"},
    {"MatMulInteger", "train the network before it is quantised"},
    {"CausalConvWithState", "it is of models of language that go on from a state"},
    {"LinearAttention", "it is of models of language that go on from a state"},
};

static const gradient_row internal_rows[] = {
    {"BatchNormTraining", vt_gradient_batchnorm_training, FIRST_THREE},
    {"DropoutTraining", vt_gradient_dropout_training, FIRST},
};

static const gradient_row *row_of(const vt_op *op)
{
    bool internal = strcmp(op->domain, VT_BACK_DOMAIN) == 0;
    const gradient_row *list = internal ? internal_rows : rows;
    size_t count = internal ? sizeof(internal_rows) / sizeof(internal_rows[0])
                            : sizeof(rows) / sizeof(rows[0]);
    for (size_t i = 0; (internal || op->domain[0] == '\0') && i < count; i++)
        if (strcmp(list[i].op, op->name) == 0)
            return &list[i];
    return NULL;
}

vt_gradient_rule *vt_gradient_find(const vt_op *op)
{
    const gradient_row *row = row_of(op);
    return row == NULL ? NULL : row->rule;
}

const char *vt_gradient_missing(const vt_op *op)
{
    for (size_t i = 0; op->domain[0] == '\0' && i < sizeof(without) / sizeof(without[0]); i++)
        if (strcmp(without[i].op, op->name) == 0)
            return without[i].reason;
    return NULL;
}

bool vt_gradient_stops(const vt_op *op)
{
    const gradient_row *row = row_of(op);
    return row != NULL && row->rule == NULL;
}

bool vt_gradient_passes(const vt_op *op, size_t input)
{
    const gradient_row *row = row_of(op);
    if (row == NULL)
        return true;
    return row->inputs == EVERY || (input < 32 && (row->inputs >> input & 1) != 0);
}
