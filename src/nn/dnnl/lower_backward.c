/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training forms of pools, batch normalisation and Relu on oneDNN.
 *
 * Maps are taken as their producer left them, and gradients follow in the same layout. The
 * gradient of a maximum needs to know where each maximum was: the pool is run once more, into a
 * result that nobody reads, for its workspace. That costs a pass over one map and saves keeping the
 * workspace through the whole step.
 */
#include "nn/dnnl/lower.h"
#include "nn/ops/op.h"

#include <string.h>

/* ---- pools ---- */

static bool is_dilated(const vt_window *window)
{
    for (int i = 0; i < window->rank; i++)
        if (window->dilation[i] != 1)
            return true;
    return false;
}

static vt_status add_buffer(vt_dnnl *dnnl, const vt_layout *layout, size_t *buffer, vt_error *error)
{
    const vt_buffer made = {.kind = VT_BUFFER_ARENA, .bytes = vt_layout_bytes(layout)};
    return vt_dnnl_buffer_add(dnnl, &made, buffer, error);
}

/* Runs the pool for its workspace. Takes desc, also on failure. */
static vt_status add_workspace(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                               size_t *workspace, vt_error *error)
{
    size_t result = VT_NO_BUFFER;
    vt_status status = add_buffer(dnnl, vt_pd_layout(desc, dnnl_query_dst_md, 0), &result, error);
    if (status == VT_OK) {
        status = add_buffer(dnnl, vt_pd_layout(desc, dnnl_query_workspace_md, 0), workspace, error);
    }
    if (status != VT_OK) {
        dnnl_primitive_desc_destroy(desc);
        return status;
    }
    const vt_operand operands[] = {
        {.name = DNNL_ARG_SRC, .value = step->node.inputs[1], .query = dnnl_query_src_md},
        {.name = DNNL_ARG_DST, .query = dnnl_query_dst_md, .written = true, .buffer = &result},
        {.name = DNNL_ARG_WORKSPACE,
         .query = dnnl_query_workspace_md,
         .written = true,
         .buffer = workspace},
    };
    return vt_lower_primitive(dnnl, step, desc, operands, 3, error);
}

/* Takes both descriptors, also on failure. */
static vt_status add_pool(vt_dnnl *dnnl, const vt_step *step, bool maximum,
                          dnnl_primitive_desc_t descs[2], vt_error *error)
{
    size_t workspace = VT_NO_BUFFER;
    vt_status status = VT_OK;
    if (maximum) {
        status = add_workspace(dnnl, step, descs[0], &workspace, error);
    } else {
        dnnl_primitive_desc_destroy(descs[0]);
    }
    if (status != VT_OK) {
        dnnl_primitive_desc_destroy(descs[1]);
        return status;
    }
    const vt_operand operands[] = {
        {.name = DNNL_ARG_DIFF_DST, .value = step->node.inputs[0], .query = dnnl_query_diff_dst_md},
        {.name = DNNL_ARG_DIFF_SRC,
         .value = step->node.outputs[0],
         .query = dnnl_query_diff_src_md,
         .written = true},
        {.name = DNNL_ARG_WORKSPACE, .query = dnnl_query_workspace_md, .buffer = &workspace},
    };
    return vt_lower_primitive(dnnl, step, descs[1], operands, maximum ? 3 : 2, error);
}

/* Source and result of a maximum: as the source lies. */
static vt_status maximum_layouts(vt_dnnl *dnnl, const vt_step *step, const vt_shape *dy,
                                 vt_layout *layouts[2], vt_error *error)
{
    layouts[1] = vt_layout_new_any(dy->rank, dy->dims, step->compute);
    if (!layouts[1]) {
        return vt_fail_memory(error, "the layouts of a pool");
    }
    return vt_dnnl_form_layout(dnnl, step->node.inputs[1], step->compute, &layouts[0], error);
}

/* Of an average: as the gradient comes. */
static vt_status average_layouts(vt_dnnl *dnnl, const vt_step *step, const vt_shape *x,
                                 vt_layout *layouts[2], vt_error *error)
{
    vt_status status =
        vt_dnnl_form_layout(dnnl, step->node.inputs[0], step->compute, &layouts[1], error);
    if (status == VT_OK && !vt_layout_resize(layouts[1], x->dims, &layouts[0])) {
        status = vt_fail_memory(error, "the layouts of a pool");
    }
    if (status == VT_OK && !layouts[0]) {
        vt_layout_free(layouts[1]);
        const vt_shape *dy = &dnnl->plan->values[step->node.inputs[0]].tensor.shape;
        layouts[0] = vt_layout_new_plain(x->rank, x->dims, step->compute);
        layouts[1] = vt_layout_new_plain(dy->rank, dy->dims, step->compute);
        status = layouts[0] && layouts[1] ? VT_OK : vt_fail_memory(error, "the layouts of a pool");
    }
    return status;
}

vt_status vt_lower_pool_grad(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                             vt_error *error)
{
    vt_window window;
    vt_pd_window pd_window;
    vt_shape x = {0};
    const vt_shape *dy = &args->inputs[0].shape;
    bool maximum = step->node.input_count > 1;
    bool counts_padding = !maximum && vt_node_int(&step->node, "count_include_pad", 0) != 0;
    dnnl_alg_kind_t algorithm = maximum          ? dnnl_pooling_max
                                : counts_padding ? dnnl_pooling_avg_include_padding
                                                 : dnnl_pooling_avg_exclude_padding;
    vt_status status = vt_pool_gradient_window(args, &x, &window, error);
    if (status != VT_OK || x.rank > 5 || is_dilated(&window) ||
        !vt_lower_pool_window(&window, dy, counts_padding, &pd_window)) {
        return status;
    }
    vt_layout *layouts[2] = {NULL, NULL};
    dnnl_primitive_desc_t descs[2] = {NULL, NULL};
    status = maximum ? maximum_layouts(dnnl, step, dy, layouts, error)
                     : average_layouts(dnnl, step, &x, layouts, error);
    if (status == VT_OK) {
        status = vt_lower_answer(vt_pd_pooling_training(dnnl->engine, algorithm,
                                                        (const vt_layout *const *)layouts,
                                                        &pd_window, &descs[0], &descs[1]),
                                 done, error);
    }
    vt_lower_layouts_free(layouts, 2);
    return status == VT_OK && *done ? add_pool(dnnl, step, maximum, descs, error) : status;
}

/* ---- batch normalisation ---- */

vt_status vt_lower_batchnorm_training(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args,
                                      bool *done, vt_error *error)
{
    const vt_node *node = &step->node;
    vt_layout *layout = NULL;
    dnnl_primitive_desc_t desc = NULL;
    if (args->inputs[0].shape.rank > 5) {
        return VT_OK;
    }
    vt_status status = vt_dnnl_form_layout(dnnl, node->inputs[0], step->compute, &layout, error);
    if (status != VT_OK) {
        return status;
    }
    float epsilon = vt_node_float(node, "epsilon", 1e-5F);
    status = vt_lower_answer(vt_pd_batchnorm_training(dnnl->engine, layout, epsilon, &desc), done,
                             error);
    vt_layout_free(layout);
    if (status != VT_OK || !*done) {
        return status;
    }
    vt_layout *channel = vt_layout_new_plain(1, &args->inputs[1].shape.dims[0], VT_F32);
    if (!channel) {
        dnnl_primitive_desc_destroy(desc);
        return vt_fail_memory(error, "the layout of a normalisation");
    }
    const vt_operand operands[] = {
        {.name = DNNL_ARG_SRC, .value = node->inputs[0], .query = dnnl_query_src_md},
        {.name = DNNL_ARG_SCALE, .value = node->inputs[1], .index = -1, .reading = channel},
        {.name = DNNL_ARG_SHIFT, .value = node->inputs[2], .index = -1, .reading = channel},
        {.name = DNNL_ARG_DST,
         .value = node->outputs[0],
         .query = dnnl_query_dst_md,
         .written = true},
        {.name = DNNL_ARG_MEAN,
         .value = node->outputs[1],
         .index = -1,
         .reading = channel,
         .written = true},
        {.name = DNNL_ARG_VARIANCE,
         .value = node->outputs[2],
         .index = -1,
         .reading = channel,
         .written = true},
    };
    status = vt_lower_primitive(dnnl, step, desc, operands, 6, error);
    vt_layout_free(channel);
    return status;
}

vt_status vt_lower_batchnorm_grad(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                                  vt_error *error)
{
    const vt_node *node = &step->node;
    vt_layout *layout = NULL;
    dnnl_primitive_desc_t desc = NULL;
    if (args->inputs[0].shape.rank > 5) {
        return VT_OK;
    }
    vt_status status = vt_dnnl_form_layout(dnnl, node->inputs[1], step->compute, &layout, error);
    if (status != VT_OK) {
        return status;
    }
    float epsilon = vt_node_float(node, "epsilon", 1e-5F);
    status = vt_lower_answer(vt_pd_batchnorm_backward(dnnl->engine, layout, epsilon, &desc), done,
                             error);
    vt_layout_free(layout);
    if (status != VT_OK || !*done) {
        return status;
    }
    vt_layout *channel = vt_layout_new_plain(1, &args->inputs[2].shape.dims[0], VT_F32);
    if (!channel) {
        dnnl_primitive_desc_destroy(desc);
        return vt_fail_memory(error, "the layout of a normalisation");
    }
    vt_operand operands[] = {
        {.name = DNNL_ARG_DIFF_DST, .value = node->inputs[0], .query = dnnl_query_diff_dst_md},
        {.name = DNNL_ARG_SRC, .value = node->inputs[1], .query = dnnl_query_src_md},
        {.name = DNNL_ARG_SCALE, .value = node->inputs[2]},
        {.name = DNNL_ARG_MEAN, .value = node->inputs[3]},
        {.name = DNNL_ARG_VARIANCE, .value = node->inputs[4]},
        {.name = DNNL_ARG_DIFF_SRC,
         .value = node->outputs[0],
         .query = dnnl_query_diff_src_md,
         .written = true},
        {.name = DNNL_ARG_DIFF_SCALE, .value = node->outputs[1], .written = true},
        {.name = DNNL_ARG_DIFF_SHIFT, .value = node->outputs[2], .written = true},
        /* 2.x insists on a shift, which no gradient needs: any numbers will do. */
        {.name = DNNL_ARG_SHIFT, .value = node->inputs[2]},
    };
    for (int i = 2; i < 9; i++) {
        if (i != 5) {
            operands[i].index = -1;
            operands[i].reading = channel;
        }
    }
    status =
        vt_lower_primitive(dnnl, step, desc, operands, VT_NORM_BACKWARD_WANTS_SHIFT ? 9 : 8, error);
    vt_layout_free(channel);
    return status;
}

/* ---- Relu ---- */

vt_status vt_lower_relu_grad(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                             vt_error *error)
{
    const vt_node *node = &step->node;
    const vt_post relu = {.kind = VT_APPEND_ELTWISE,
                          .algorithm = dnnl_eltwise_relu_use_dst_for_bwd};
    vt_layout *layout = NULL;
    dnnl_primitive_desc_t desc = NULL;
    (void)args;
    vt_status status = vt_dnnl_form_layout(dnnl, node->inputs[1], step->compute, &layout, error);
    if (status != VT_OK) {
        return status;
    }
    status =
        vt_lower_answer(vt_pd_eltwise_backward(dnnl->engine, &relu, layout, &desc), done, error);
    vt_layout_free(layout);
    if (status != VT_OK || !*done) {
        return status;
    }
    const vt_operand operands[] = {
        {.name = DNNL_ARG_DIFF_DST, .value = node->inputs[0], .query = dnnl_query_diff_dst_md},
        {.name = DNNL_ARG_DST, .value = node->inputs[1], .query = dnnl_query_dst_md},
        {.name = DNNL_ARG_DIFF_SRC,
         .value = node->outputs[0],
         .query = dnnl_query_diff_src_md,
         .written = true},
    };
    return vt_lower_primitive(dnnl, step, desc, operands, 3, error);
}
