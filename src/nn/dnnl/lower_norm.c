/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BatchNormalization with given statistics, Softmax, LogSoftmax, LRN.
 *
 * Before opset 13 Softmax works on the tensor flattened to two dimensions at `axis`; after it,
 * along one axis. Both are one softmax over the middle of (outer, axis, inner) in row-major order.
 */
#include "nn/dnnl/lower.h"

#include <string.h>

vt_status vt_lower_batchnorm(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                             vt_error *error)
{
    const vt_node *node = &step->node;
    vt_layout *layout = NULL;
    vt_posts posts = {0};
    bool possible = false;
    dnnl_primitive_desc_t desc = NULL;
    if (node->input_count != 5 || vt_node_int(node, "training_mode", 0) != 0 ||
        vt_node_int(node, "spatial", 1) != 1 || args->inputs[0].shape.rank < 2 ||
        args->inputs[0].shape.rank > 5) {
        return VT_OK;
    }
    vt_status status =
        vt_lower_posts(dnnl, step, &args->outputs[0].shape, &posts, &possible, error);
    for (int i = 0; i < posts.count; i++) { /* its only post-ops are functions */
        possible = possible && posts.items[i].kind == VT_APPEND_ELTWISE;
    }
    if (status == VT_OK && possible) {
        status = vt_dnnl_form_layout(dnnl, node->inputs[0], step->compute, &layout, error);
    }
    float epsilon = vt_node_float(node, "epsilon", 1e-5F);
    if (status == VT_OK && possible) {
        status = vt_lower_answer(vt_pd_batchnorm(dnnl->engine, layout, epsilon, &posts, &desc),
                                 done, error);
    }
    vt_layout_free(layout);
    vt_lower_posts_deinit(&posts);
    if (status != VT_OK || !*done) {
        return status;
    }
    /* Scale and shift have the statistics' layout: one f32 per channel. */
    const vt_operand operands[] = {
        {.name = DNNL_ARG_SRC, .value = node->inputs[0], .query = dnnl_query_src_md},
        {.name = DNNL_ARG_SCALE, .value = node->inputs[1], .query = dnnl_query_src_md, .index = 1},
        {.name = DNNL_ARG_SHIFT, .value = node->inputs[2], .query = dnnl_query_src_md, .index = 1},
        {.name = DNNL_ARG_MEAN, .value = node->inputs[3], .query = dnnl_query_src_md, .index = 1},
        {.name = DNNL_ARG_VARIANCE,
         .value = node->inputs[4],
         .query = dnnl_query_src_md,
         .index = 2},
        {.name = DNNL_ARG_DST,
         .value = node->outputs[0],
         .query = dnnl_query_dst_md,
         .written = true},
    };
    return vt_lower_primitive(dnnl, step, desc, operands, 6, error);
}

vt_status vt_lower_softmax(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                           vt_error *error)
{
    const vt_node *node = &step->node;
    const vt_shape *shape = &args->inputs[0].shape;
    bool flattens = node->opset < 13;
    int64_t axis = vt_node_int(node, "axis", flattens ? 1 : -1), dims[3] = {1, 1, 1};
    axis += axis < 0 ? shape->rank : 0;
    if (axis < 0 || axis > shape->rank) {
        return VT_OK;
    }
    for (int i = 0; i < shape->rank; i++) {
        dims[i < axis ? 0 : i == axis || flattens ? 1 : 2] *= shape->dims[i];
    }
    vt_layout *layout = vt_layout_new_plain(3, dims, step->compute);
    dnnl_primitive_desc_t desc = NULL;
    if (!layout) {
        return vt_fail_memory(error, "the layout of a softmax");
    }
    bool logarithm = strcmp(node->op->name, "LogSoftmax") == 0;
    vt_status status =
        vt_lower_answer(vt_pd_softmax(dnnl->engine, logarithm, layout, 1, &desc), done, error);
    vt_layout_free(layout);
    return status == VT_OK && *done ? vt_lower_unary(dnnl, step, desc, error) : status;
}

vt_status vt_lower_lrn(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                       vt_error *error)
{
    const vt_node *node = &step->node;
    int64_t size = vt_node_int(node, "size", 0);
    /* Of an even size the two disagree on which side the extra channel is. */
    if (args->inputs[0].shape.rank < 3 || args->inputs[0].shape.rank > 5 || size < 1 ||
        size % 2 == 0) {
        return VT_OK;
    }
    const float coefficients[3] = {
        vt_node_float(node, "alpha", 1e-4F),
        vt_node_float(node, "beta", 0.75F),
        vt_node_float(node, "bias", 1.0F),
    };
    vt_layout *layout = NULL;
    dnnl_primitive_desc_t desc = NULL;
    vt_status status = vt_dnnl_form_layout(dnnl, node->inputs[0], step->compute, &layout, error);
    if (status != VT_OK) {
        return status;
    }
    status =
        vt_lower_answer(vt_pd_lrn(dnnl->engine, layout, size, coefficients, &desc), done, error);
    vt_layout_free(layout);
    return status == VT_OK && *done ? vt_lower_unary(dnnl, step, desc, error) : status;
}
