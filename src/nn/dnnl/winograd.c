/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which convolutions go by Winograd's algorithm, where the plan allows it (plan->winograd).
 *
 * Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016): F(4x4, 3x3) makes a
 * tile of 4 x 4 results with 36 products in place of 144, F(2x2, 3x3) one of 2 x 2 with 16 in place
 * of 36. oneDNN 2.x has both for AVX-512 in f32, forward and backward, and chooses between them.
 * The price is digits: transforms add and subtract numbers of different size, so a result is good
 * to about 1e-5 of the largest one rather than 1e-7.
 *
 * They read and write maps in blocks of 16 channels. So in a network with such convolutions all
 * others are asked for the same blocks: with oneDNN's own choice for those (channels last)
 * ResNet-50 has 26 conversions between its layers, and gains 8 % in place of 15.
 */
#include "nn/dnnl/lower.h"
#include "nn/passes/uses.h"

/* Results of a layer (batch x height x width), below which transforming the weights, which are four
 * times as many afterwards, costs more than is saved. */
static const int64_t results_least = 128;

/* Channels, of what comes in and what goes out, below which blocks of 16 are mostly padding. */
static const int64_t channels_least = 16;

static bool all_ones(const vt_node *node, const char *name)
{
    int64_t numbers[2];
    int count = vt_node_ints(node, name, numbers, 2);
    for (int i = 0; i < count && i < 2; i++) {
        if (numbers[i] != 1) {
            return false;
        }
    }
    return true;
}

bool vt_winograd_fits(const vt_dnnl *dnnl, const vt_step *step, const vt_shape *weights,
                      const vt_shape *maps)
{
    const vt_node *node = &step->node;
    return dnnl->plan->winograd && step->compute == VT_F32 && step->result == VT_F32 &&
           !step->quant && weights->rank == 4 && weights->dims[2] == 3 && weights->dims[3] == 3 &&
           weights->dims[0] >= channels_least && weights->dims[1] >= channels_least &&
           maps->rank == 4 && maps->dims[0] * maps->dims[2] * maps->dims[3] >= results_least &&
           vt_node_int(node, "group", 1) == 1 && all_ones(node, "strides") &&
           all_ones(node, "dilations");
}

bool vt_winograd_block(const vt_dnnl *dnnl, const vt_step *step, const vt_shape *maps)
{
    return dnnl->blocks && step->compute == VT_F32 && step->result == VT_F32 && !step->quant &&
           maps->rank == 4 && maps->dims[1] % 16 == 0 && vt_node_int(&step->node, "group", 1) == 1;
}

vt_status vt_winograd_settle(vt_dnnl *dnnl, vt_error *error)
{
    const vt_plan *plan = dnnl->plan;
    bool wanted = false;
    for (size_t i = 0; plan->winograd && !wanted && i < plan->step_count; i++) {
        const vt_step *step = &plan->steps[i];
        if (vt_pass_is_op(step, "Conv")) {
            const vt_plan_value *weights = &plan->values[step->node.inputs[1]];
            const vt_plan_value *maps = &plan->values[step->node.outputs[0]];
            /* Where weights are trained, layouts follow the backward pass: lower_conv.c. */
            wanted = weights->constant &&
                     vt_winograd_fits(dnnl, step, &weights->tensor.shape, &maps->tensor.shape);
        }
    }
    dnnl_status_t asked = wanted ? vt_pd_has_winograd(dnnl->engine, &dnnl->blocks) : dnnl_success;
    return asked == dnnl_success ? VT_OK : vt_dnnl_fail(asked, "Winograd's algorithm", error);
}
