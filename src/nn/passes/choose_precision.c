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

#include <string.h>

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

/* Of training: which operands carry maps (bit i: input i); the others are small, and read as f32.
 * Results beyond the first are f32, and all of `sums`. */
typedef struct training_op {
    const char *name;
    unsigned maps;
    bool heavy, sums;
} training_op;

static const training_op training_ops[] = {
    {"ConvolutionGradInput", 3, true, false},
    {"ConvolutionGradWeights", 3, true, true},
    {"BatchNormTraining", 1, false, false},
    {"BatchNormGrad", 3, false, false},
    {"ReluGrad", 3, false, false},
    {"MaxPoolGrad", 3, false, false},
    {"AveragePoolGrad", 1, false, false},
};

/* NULL: it is none of these. */
static const training_op *training_op_of(const vt_step *step)
{
    for (size_t i = 0; i < sizeof training_ops / sizeof training_ops[0]; i++) {
        if (strcmp(step->node.op->domain, "vitrine") == 0 &&
            strcmp(step->node.op->name, training_ops[i].name) == 0) {
            return &training_ops[i];
        }
    }
    return NULL;
}

static bool carries_map(const vt_step *step, size_t input)
{
    const training_op *row = training_op_of(step);
    return !row || (input < 32 && (row->maps >> input & 1) != 0);
}

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
            !is_float(work->plan, value) || !carries_map(step, i)) {
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
    const training_op *row = training_op_of(step);
    return VT_PASS_IS_ANY_OP(step, heavy_ops) || vt_pass_is(step, "DequantizeLinear") ||
           (row && row->heavy);
}

static bool is_light(const vt_step *step)
{
    return VT_PASS_IS_ANY_OP(step, light_ops) || training_op_of(step);
}

static void forward(precision_work *work)
{
    for (size_t s = 0; s < work->plan->step_count; s++) {
        vt_step *step = &work->plan->steps[s];
        if (!is_float(work->plan, step->node.outputs[0])) {
            continue;
        }
        bool bf16 = makes_floats(step) || (is_light(step) && inputs_are_there(work, step));
        const training_op *row = training_op_of(step);
        step->result = bf16 ? VT_BF16 : VT_F32;
        if (!step->quant) {
            step->compute = step->result;
        }
        if (row) {
            step->result = row->sums ? VT_F32 : step->result;
            work->there[step->node.outputs[0]] = step->result == VT_BF16;
            continue;
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
    if (training_op_of(step)) {
        return work->wanted[step->node.outputs[0]];
    }
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
            if (value != VT_NO_VALUE &&
                (is_post ? step->result == VT_BF16 : reads && carries_map(step, i))) {
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
