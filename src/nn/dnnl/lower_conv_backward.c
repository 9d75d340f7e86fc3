/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ConvolutionGradInput and ConvolutionGradWeights as oneDNN's backward convolutions.
 *
 * All layouts are left to oneDNN, so that gradients stay in the blocks in which the maps went
 * forward. In bf16 only what is multiplied is bf16: gradients of weights and bias are summed, and
 * kept, in f32.
 */
#include "nn/dnnl/lower.h"
#include "nn/ops/conv.h"

static vt_status lower_data(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args,
                            const vt_pd_window *window, bool *done, vt_error *error)
{
    const vt_node *node = &step->node;
    const vt_shape *dx = &args->outputs[0].shape, *dy = &args->inputs[0].shape;
    vt_layout *layouts[3] = {
        vt_layout_new_any(dx->rank, dx->dims, step->result),
        vt_lower_conv_weights(&args->inputs[1].shape, vt_node_int(node, "group", 1), step->compute),
        vt_layout_new_any(dy->rank, dy->dims, step->compute),
    };
    dnnl_primitive_desc_t desc = NULL;
    vt_status status = VT_OK;
    if (!layouts[0] || !layouts[1] || !layouts[2]) {
        status = vt_fail_memory(error, "the layouts of a convolution");
    } else {
        status =
            vt_lower_answer(vt_pd_convolution_backward_data(
                                dnnl->engine, (const vt_layout *const *)layouts, window, &desc),
                            done, error);
    }
    vt_lower_layouts_free(layouts, 3);
    if (status != VT_OK || !*done) {
        return status;
    }
    const vt_operand operands[] = {
        {.name = DNNL_ARG_DIFF_DST, .value = node->inputs[0], .query = dnnl_query_diff_dst_md},
        {.name = DNNL_ARG_WEIGHTS, .value = node->inputs[1], .query = dnnl_query_weights_md},
        {.name = DNNL_ARG_DIFF_SRC,
         .value = node->outputs[0],
         .query = dnnl_query_diff_src_md,
         .written = true},
    };
    return vt_lower_primitive(dnnl, step, desc, operands, 3, error);
}

static vt_status lower_weights(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args,
                               const vt_pd_window *window, bool *done, vt_error *error)
{
    const vt_node *node = &step->node;
    const vt_shape *x = &args->inputs[0].shape, *dy = &args->inputs[1].shape;
    const vt_shape *dw = &args->outputs[0].shape;
    bool bias = vt_op_wants(args, 1);
    vt_layout *layouts[4] = {
        vt_layout_new_any(x->rank, x->dims, step->compute),
        vt_lower_conv_weights(dw, vt_node_int(node, "group", 1), VT_F32),
        bias ? vt_layout_new_plain(1, &dw->dims[0], VT_F32) : NULL,
        vt_layout_new_any(dy->rank, dy->dims, step->compute),
    };
    dnnl_primitive_desc_t desc = NULL;
    vt_status status = VT_OK;
    if (!layouts[0] || !layouts[1] || (bias && !layouts[2]) || !layouts[3]) {
        status = vt_fail_memory(error, "the layouts of a convolution");
    } else {
        status =
            vt_lower_answer(vt_pd_convolution_backward_weights(
                                dnnl->engine, (const vt_layout *const *)layouts, window, &desc),
                            done, error);
    }
    vt_lower_layouts_free(layouts, 4);
    if (status != VT_OK || !*done) {
        return status;
    }
    const vt_operand operands[] = {
        {.name = DNNL_ARG_SRC, .value = node->inputs[0], .query = dnnl_query_src_md},
        {.name = DNNL_ARG_DIFF_DST, .value = node->inputs[1], .query = dnnl_query_diff_dst_md},
        {.name = DNNL_ARG_DIFF_WEIGHTS,
         .value = node->outputs[0],
         .query = dnnl_query_diff_weights_md,
         .written = true},
        {.name = DNNL_ARG_DIFF_BIAS,
         .value = bias ? node->outputs[1] : 0,
         .query = dnnl_query_diff_weights_md,
         .index = 1,
         .written = true},
    };
    return vt_lower_primitive(dnnl, step, desc, operands, bias ? 4 : 3, error);
}

static vt_status lower(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool weights,
                       bool *done, vt_error *error)
{
    vt_conv conv;
    vt_pd_window window;
    int rank = args->inputs[0].shape.rank;
    vt_status status = vt_conv_gradient_init(&conv, args, weights, error);
    if (status != VT_OK || rank < 3 || rank > 5 || !vt_lower_conv_window(&conv.window, &window)) {
        return status;
    }
    window.winograd =
        weights ? vt_winograd_fits(dnnl, step, &args->outputs[0].shape, &args->inputs[1].shape)
                : vt_winograd_fits(dnnl, step, &args->inputs[1].shape, &args->inputs[0].shape);
    return weights ? lower_weights(dnnl, step, args, &window, done, error)
                   : lower_data(dnnl, step, args, &window, done, error);
}

vt_status vt_lower_conv_grad_input(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                                   vt_error *error)
{
    return lower(dnnl, step, args, false, done, error);
}

vt_status vt_lower_conv_grad_weights(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args,
                                     bool *done, vt_error *error)
{
    return lower(dnnl, step, args, true, done, error);
}
