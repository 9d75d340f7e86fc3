/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout in training: DropoutTraining (x, seed) zeroes each element with probability `ratio` and
 * scales the rest by 1 / (1 - ratio).
 *
 * Whether an element stays is a function of the seed, the number of the dropout in its network and
 * the element's place alone (SplitMix64, Steele, Lea and Flood 2014, over all three), so the mask
 * is nowhere kept: the gradient is the same operator on the result's gradient, and any number of
 * threads gives the same one. Stochastic depth is a Dropout of ones, one per picture, times a
 * branch.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"
#include "nn/ops/table.h"

static vt_status dropout_infer(vt_op_args *args, vt_error *error)
{
    double ratio = (double)vt_node_float(args->node, "ratio", 0.5f);
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPE(VT_I64), error);
    if (status == VT_OK && vt_tensor_count(&args->inputs[1]) != 2)
        status = vt_fail(error, VT_ERR_FORMAT, "seed does not have two numbers");
    if (status == VT_OK && !(ratio >= 0.0 && ratio < 1.0))
        status = vt_fail(error, VT_ERR_FORMAT, "ratio %g is outside [0, 1)", ratio);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return status;
}

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static vt_status dropout_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    double ratio = (double)vt_node_float(args->node, "ratio", 0.5f), run[VT_RUN];
    int64_t seed[2];
    (void)error;
    vt_load_i64(VT_I64, args->inputs[1].data, 0, 2, seed);
    uint64_t key = mix((uint64_t)seed[0]);
    key = mix(key ^ (uint64_t)seed[1]);
    key = mix(key ^ (uint64_t)vt_node_int(args->node, "number", 0));
    /* Of 53 random bits, those below this many 2^-53 are dropped. */
    uint64_t bound = (uint64_t)(ratio * 0x1p53);
    size_t count = vt_tensor_count(x);
    for (size_t start = 0; start < count; start += VT_RUN) {
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        vt_load_f64(x->dtype, x->data, start, part, run);
        for (size_t i = 0; i < part; i++)
            run[i] = mix(key + start + i) >> 11 < bound ? 0.0 : run[i] / (1.0 - ratio);
        vt_store_f64(x->dtype, args->outputs[0].data, start, part, run);
    }
    return VT_OK;
}

const vt_op vt_ops_dropout_training[] = {
    {"DropoutTraining", VT_BACK_DOMAIN, 1, 0, 2, 2, 1, 1, "ratio:f number:i",
     .flags = VT_OP_INTERNAL, .infer = dropout_infer, .reference = dropout_reference},
    {0},
};

void vt_gradient_dropout_training(vt_backward *b)
{
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 1)};
    b->dx[0] = vt_back_node(b, &(vt_back_call){.op = "vitrine:DropoutTraining",
                                               .inputs = inputs,
                                               .input_count = 2,
                                               .attrs = b->node.attrs,
                                               .attr_count = b->node.attr_count});
}
