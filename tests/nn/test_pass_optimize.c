/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All passes on blocks of networks as torch.onnx writes them: what is left, and that it computes
 * the same.
 */
#include "nn/pass_check.h"

static vt_value_id scaled(builder *b, vt_value_id x, float factor)
{
    return builder_binary(b, "Mul", x, builder_scalar(b, factor));
}

static vt_value_id reshape(builder *b, vt_value_id x, int rank, const int64_t *dims)
{
    return builder_binary(b, "Reshape", x, builder_ints(b, rank, dims));
}

static vt_value_id transpose(builder *b, vt_value_id x, int rank, const int64_t *perm)
{
    vt_attr attr = attr_ints("perm", rank, perm);
    return builder_node(b, "Transpose", 13, &x, 1, &attr, 1);
}

/* nn.LayerNorm before opset 17. */
static vt_value_id layernorm(builder *b, vt_value_id x, int64_t width)
{
    vt_attr axes = attr_ints("axes", 1, (const int64_t[]){-1});
    vt_value_id d = builder_binary(b, "Sub", x, builder_node(b, "ReduceMean", 13, &x, 1, &axes, 1));
    vt_value_id square = builder_binary(b, "Pow", d, builder_scalar(b, 2));
    vt_value_id variance = builder_node(b, "ReduceMean", 13, &square, 1, &axes, 1);
    variance = builder_binary(b, "Add", variance, builder_scalar(b, 1e-5F));
    d = builder_binary(b, "Div", d, builder_unary(b, "Sqrt", variance));
    d = builder_binary(b, "Mul", d, builder_constant(b, 1, &width, 0.5F, 1.5F));
    return builder_binary(b, "Add", d, builder_constant(b, 1, &width, -1, 1));
}

/* nn.Linear on three dimensions: MatMul with the transposed weights, and Add. */
static vt_value_id linear(builder *b, vt_value_id x, int64_t in, int64_t out)
{
    vt_value_id w = builder_constant(b, 2, (const int64_t[]){in, out}, -0.5F, 0.5F);
    return builder_binary(b, "Add", builder_constant(b, 1, &out, -1, 1),
                          builder_binary(b, "MatMul", x, w));
}

static vt_value_id gelu(builder *b, vt_value_id x)
{
    vt_value_id t =
        builder_unary(b, "Erf", builder_binary(b, "Div", x, builder_scalar(b, 1.4142135F)));
    t = builder_binary(b, "Add", t, builder_scalar(b, 1));
    return scaled(b, builder_binary(b, "Mul", x, t), 0.5F);
}

static vt_value_id quick_gelu(builder *b, vt_value_id x)
{
    return builder_binary(b, "Mul", x, builder_unary(b, "Sigmoid", scaled(b, x, 1.702F)));
}

/* q, k or v out of (1, 5, 3, 2, 4) by Transpose and Gather. */
static vt_value_id part(builder *b, vt_value_id qkv, int64_t index)
{
    vt_tensor at;
    vt_shape scalar = {0};
    vt_attr axis = attr_int("axis", 0);
    assert_int_equal(vt_tensor_init(&at, VT_I64, &scalar, 0, NULL), VT_OK);
    *(int64_t *)at.data = index;
    return builder_node(b, "Gather", 13, (const vt_value_id[]){qkv, builder_take(b, &at)}, 2, &axis,
                        1);
}

/* A block of timm's VisionTransformer: 5 tokens of width 8, two heads. */
static vt_value_id vit_block(builder *b, vt_value_id x)
{
    vt_value_id y = linear(b, layernorm(b, x, 8), 8, 24), q, k, v;
    y = transpose(b, reshape(b, y, 5, (const int64_t[]){1, 5, 3, 2, 4}), 5,
                  (const int64_t[]){2, 0, 3, 1, 4});
    q = scaled(b, part(b, y, 0), 0.70710677F);
    k = scaled(b, transpose(b, part(b, y, 1), 4, (const int64_t[]){0, 1, 3, 2}), 0.70710677F);
    v = part(b, y, 2);
    y = builder_binary(b, "MatMul", builder_unary(b, "Softmax", builder_binary(b, "MatMul", q, k)),
                       v);
    y = reshape(b, transpose(b, y, 4, (const int64_t[]){0, 2, 1, 3}), 3,
                (const int64_t[]){1, 5, 8});
    x = builder_binary(b, "Add", x, builder_unary(b, "Identity", linear(b, y, 8, 8)));
    y = gelu(b, linear(b, layernorm(b, x, 8), 8, 16));
    return builder_binary(b, "Add", x, linear(b, y, 16, 8));
}

/* A block of Hugging Face's CLIP: heads join the batch, which four dimensions undo again. */
static vt_value_id clip_heads(builder *b, vt_value_id x)
{
    x = reshape(b, x, 4, (const int64_t[]){1, 5, 2, 4});
    x = transpose(b, x, 4, (const int64_t[]){0, 2, 1, 3});
    return reshape(b, x, 3, (const int64_t[]){2, -1, 4});
}

static vt_value_id clip_block(builder *b, vt_value_id x)
{
    vt_value_id y = layernorm(b, x, 8);
    vt_value_id q = clip_heads(b, scaled(b, linear(b, y, 8, 8), 0.5F));
    vt_value_id k = clip_heads(b, linear(b, y, 8, 8)), v = clip_heads(b, linear(b, y, 8, 8));
    k = transpose(b, k, 3, (const int64_t[]){0, 2, 1});
    y = builder_unary(b, "Softmax", builder_binary(b, "MatMul", q, k));
    y = builder_binary(b, "MatMul", y, v);
    y = transpose(b, reshape(b, y, 4, (const int64_t[]){1, 2, 5, 4}), 4,
                  (const int64_t[]){0, 2, 1, 3});
    y = linear(b, reshape(b, y, 3, (const int64_t[]){1, 5, 8}), 8, 8);
    x = builder_binary(b, "Add", x, y);
    y = quick_gelu(b, linear(b, layernorm(b, x, 8), 8, 16));
    return builder_binary(b, "Add", x, linear(b, y, 16, 8));
}

static vt_value_id conv(builder *b, vt_value_id x, int64_t in, int64_t out, bool depthwise)
{
    const int64_t k = depthwise ? 3 : 1;
    vt_attr attrs[] = {attr_int("group", depthwise ? in : 1),
                       attr_ints("pads", 4, (const int64_t[]){k / 2, k / 2, k / 2, k / 2})};
    vt_value_id w =
        builder_constant(b, 4, (const int64_t[]){out, depthwise ? 1 : in, k, k}, -0.5F, 0.5F);
    vt_value_id bias = builder_constant(b, 1, &out, -1, 1);
    return builder_node(b, "Conv", 13, (const vt_value_id[]){x, w, bias}, 3, attrs, 2);
}

static vt_value_id convnext_block(builder *b, vt_value_id x)
{
    const int64_t width = 4;
    vt_value_id y = transpose(b, conv(b, x, 4, 4, true), 4, (const int64_t[]){0, 2, 3, 1});
    y = linear(b, gelu(b, linear(b, layernorm(b, y, 4), 4, 16)), 16, 4);
    y = builder_binary(b, "Mul", builder_constant(b, 1, &width, 0.5F, 1), y);
    y = transpose(b, y, 4, (const int64_t[]){0, 3, 1, 2});
    return builder_binary(b, "Add", x, y);
}

static vt_value_id batchnorm(builder *b, vt_value_id x, int64_t channels)
{
    vt_value_id inputs[5] = {x};
    for (int i = 1; i < 5; i++) {
        inputs[i] = builder_constant(b, 1, &channels, 0.5F, 1);
    }
    return builder_node(b, "BatchNormalization", 13, inputs, 5, NULL, 0);
}

static vt_value_id relu6(builder *b, vt_value_id x)
{
    vt_value_id inputs[3] = {x, builder_scalar(b, 0), builder_scalar(b, 6)};
    return builder_node(b, "Clip", 11, inputs, 3, NULL, 0);
}

static vt_value_id hard_swish(builder *b, vt_value_id x)
{
    vt_value_id gate = relu6(b, builder_binary(b, "Add", x, builder_scalar(b, 3)));
    return builder_binary(b, "Div", builder_binary(b, "Mul", x, gate), builder_scalar(b, 6));
}

/* An inverted residual of MobileNetV3 with squeeze and excitation. */
static vt_value_id mobilenet_block(builder *b, vt_value_id x)
{
    vt_value_id y = hard_swish(b, batchnorm(b, conv(b, x, 4, 8, false), 8));
    y = hard_swish(b, batchnorm(b, conv(b, y, 8, 8, true), 8));
    vt_value_id gate = builder_unary(b, "GlobalAveragePool", y);
    gate = conv(b, builder_unary(b, "Relu", conv(b, gate, 8, 4, false)), 4, 8, false);
    gate = relu6(b, builder_binary(b, "Add", gate, builder_scalar(b, 3)));
    gate = builder_binary(b, "Div", gate, builder_scalar(b, 6));
    y = batchnorm(b, conv(b, builder_binary(b, "Mul", gate, y), 8, 4, false), 4);
    return builder_binary(b, "Add", x, y);
}

/* The same of EfficientNet. */
static vt_value_id silu(builder *b, vt_value_id x)
{
    return builder_binary(b, "Mul", x, builder_unary(b, "Sigmoid", x));
}

static vt_value_id efficientnet_block(builder *b, vt_value_id x)
{
    vt_attr axes = attr_ints("axes", 2, (const int64_t[]){2, 3});
    vt_value_id y = silu(b, batchnorm(b, conv(b, x, 4, 8, false), 8));
    y = silu(b, batchnorm(b, conv(b, y, 8, 8, true), 8));
    vt_value_id gate = builder_node(b, "ReduceMean", 13, &y, 1, &axes, 1);
    gate = conv(b, silu(b, conv(b, gate, 8, 4, false)), 4, 8, false);
    y = builder_binary(b, "Mul", y, builder_unary(b, "Sigmoid", gate));
    return builder_binary(b, "Add", batchnorm(b, conv(b, y, 8, 4, false), 4), x);
}

static vt_status optimize(vt_plan *plan, vt_error *error)
{
    return vt_plan_optimize(plan, VT_PRECISION_F32, error);
}

static void check(vt_value_id (*block)(builder *, vt_value_id), bool tokens, const char *want)
{
    builder b;
    builder_init(&b, 1);
    vt_value_id x = tokens ? builder_input(&b, VT_F32, 3, (const int64_t[]){1, 5, 8})
                           : builder_input(&b, VT_F32, 4, (const int64_t[]){2, 4, 6, 6});
    builder_output(&b, block(&b, x));
    pass_check(&b, optimize, want, 1e-4);
    builder_compare(&b, true, 1e-4);
    pass_check_no_memory(&b, optimize);
    builder_deinit(&b);
}

static bool has_norm_and_attention(void)
{
    bool there = vt_op_find("", "LayerNormalization", 17) && vt_op_find("", "Attention", 23);
    if (!there) {
        print_message("no operator LayerNormalization or Attention: skipped\n");
    }
    return there;
}

static void test_transformers(void **state)
{
    (void)state;
    if (!has_norm_and_attention()) {
        skip();
    }
    check(vit_block, true,
          "LayerNormalization MatMul+add Reshape Transpose Gather Gather Gather Attention "
          "Transpose Reshape MatMul+add+add LayerNormalization MatMul+add+gelu MatMul+add+add");
    check(clip_block, true,
          "LayerNormalization MatMul+add+linear Reshape Transpose MatMul+add Reshape Transpose "
          "MatMul+add Reshape Transpose Attention Transpose Reshape MatMul+add+add "
          "LayerNormalization MatMul+add+swish MatMul+add+add");
}

static void test_convnext(void **state)
{
    (void)state;
    if (!has_norm_and_attention()) {
        skip();
    }
    check(convnext_block, false,
          "Conv Transpose LayerNormalization MatMul+add+gelu MatMul+add+mul Transpose Add");
}

static void test_mobile(void **state)
{
    (void)state;
    check(mobilenet_block, false,
          "Conv+hard_swish Conv+hard_swish GlobalAveragePool Conv+relu Conv+hard_sigmoid Mul "
          "Conv+add");
    check(efficientnet_block, false,
          "Conv+swish Conv+swish ReduceMean Conv+swish Conv+sigmoid Mul Conv+add");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformers),
        cmocka_unit_test(test_convnext),
        cmocka_unit_test(test_mobile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
