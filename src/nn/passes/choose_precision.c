/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which steps compute in bf16.
 *
 * Method: what multiplies and adds in bulk (convolutions, products, attention) always reads bf16
 * and sums in f32. What only passes elements along (activations, sums, pools, joins, normalisation)
 * follows when its inputs are there in bf16 anyway. Everything else is sensitive and stays in f32:
 * differences, quotients, powers, exponentials, reductions, softmax. A product keeps its result in
 * bf16 only when a bf16 step reads it, and so does what passes elements along: what leaves the
 * network, or goes into a sensitive step, is never rounded in between. The same division as in
 * mixed-precision training (Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training",
 * 2019).
 */
#include "nn/passes/uses.h"

static const char *const heavy_ops[] = {"Conv", "ConvTranspose", "MatMul", "Gemm", "Attention"};
static const char *const light_ops[] = {
    "Relu",
    "LeakyRelu",
    "Clip",
    "Elu",
    "HardSwish",
    "Gelu",
    "Swish",
    "Mish",
    "Add",
    "Sum",
    "Mul",
    "MaxPool",
    "Concat",
    "AveragePool",
    "BatchNormalization",
    "GlobalAveragePool",
    "LayerNormalization",
};
static const char *const view_ops[] = {"Transpose", "Slice",   "Split",     "Gather",   "Reshape",
                                       "Flatten",   "Squeeze", "Unsqueeze", "Identity", "Dropout"};

typedef struct precision_work {
    vt_plan *plan;
    bool *there;  /* by value: could exist in bf16 at no cost */
    bool *wanted; /* by value: a bf16 step reads it */
} precision_work;

static bool is_float(const vt_plan *plan, vt_value_id value)
{
    vt_dtype dtype = value == VT_NO_VALUE ? VT_DTYPE_NONE : plan->values[value].tensor.dtype;
    return dtype == VT_F32 || dtype == VT_F16 || dtype == VT_BF16;
}

/* All float operands that are computed exist in bf16. */
static bool inputs_are_there(const precision_work *work, const vt_step *step)
{
    bool any = false;
    for (size_t i = 0; i < vt_step_read_count(step); i++) {
        vt_value_id value = vt_step_read(step, i);
        if (value == VT_NO_VALUE || work->plan->values[value].constant ||
            !is_float(work->plan, value)) {
            continue;
        }
        if (!work->there[value]) {
            return false;
        }
        any = true;
    }
    return any;
}

/* What can keep its result in either type, whatever its inputs are. */
static bool makes_floats(const vt_step *step)
{
    return VT_PASS_IS_ANY_OP(step, heavy_ops) || vt_pass_is(step, "DequantizeLinear");
}

static void forward(precision_work *work)
{
    for (size_t s = 0; s < work->plan->step_count; s++) {
        vt_step *step = &work->plan->steps[s];
        if (!is_float(work->plan, step->node.outputs[0])) {
            continue;
        }
        bool bf16 = makes_floats(step) ||
                    (VT_PASS_IS_ANY_OP(step, light_ops) && inputs_are_there(work, step));
        step->result = bf16 ? VT_BF16 : VT_F32;
        if (!step->quant) {
            step->compute = step->result;
        }
        bool there =
            bf16 || (VT_PASS_IS_ANY_OP(step, view_ops) && work->there[step->node.inputs[0]]);
        for (size_t i = 0; i < step->node.output_count; i++) {
            if (step->node.outputs[i] != VT_NO_VALUE) {
                work->there[step->node.outputs[i]] = there;
            }
        }
    }
}

static bool any_output_wanted(const precision_work *work, const vt_step *step)
{
    for (size_t i = 0; i < step->node.output_count; i++) {
        if (step->node.outputs[i] != VT_NO_VALUE && work->wanted[step->node.outputs[i]]) {
            return true;
        }
    }
    return false;
}

static void backward(precision_work *work)
{
    for (size_t s = work->plan->step_count; s-- > 0;) {
        vt_step *step = &work->plan->steps[s];
        bool reads = step->compute == VT_BF16;
        if (VT_PASS_IS_ANY_OP(step, view_ops)) {
            reads = any_output_wanted(work, step);
        } else if (step->result == VT_BF16 && !any_output_wanted(work, step)) {
            step->result = VT_F32;
            if (!makes_floats(step)) { /* passes on what comes, which then need not be rounded */
                step->compute = VT_F32;
                reads = false;
            }
        }
        for (size_t i = 0; i < vt_step_read_count(step); i++) {
            vt_value_id value = vt_step_read(step, i);
            bool is_post = i >= step->node.input_count;
            if (value != VT_NO_VALUE && (is_post ? step->result == VT_BF16 : reads)) {
                work->wanted[value] = true;
            }
        }
    }
}

vt_status vt_pass_choose_precision(vt_plan *plan, vt_error *error)
{
    precision_work work = {.plan = plan};
    work.there = vt_calloc(plan->value_count, sizeof *work.there);
    work.wanted = vt_calloc(plan->value_count, sizeof *work.wanted);
    vt_status status = VT_OK;
    if (work.there && work.wanted) {
        forward(&work);
        backward(&work);
    } else {
        status = vt_fail_memory(error, "the choice of precision");
    }
    vt_free(work.there);
    vt_free(work.wanted);
    return status;
}
