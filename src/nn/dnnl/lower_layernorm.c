/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LayerNormalization as oneDNN's layer normalisation of (rows, length), both in row-major order.
 *
 * oneDNN has one scale and one shift per number of a row, so a scale or bias that differs between
 * rows, or is repeated within one, stays with the reference, as do mean and deviation as outputs.
 */
#include "nn/dnnl/lower.h"
#include "nn/ops/op.h"

/* Whether the tensor is exactly the axes from `axis` on of the shape, or was left out. */
static bool fits_row(const vt_tensor *tensor, const vt_shape *shape, int axis)
{
    int missing = shape->rank - tensor->shape.rank;
    if (tensor->dtype == VT_DTYPE_NONE) {
        return true;
    }
    for (int i = 0; i < shape->rank; i++) {
        int64_t have = i < missing ? 1 : tensor->shape.dims[i - missing];
        if (have != (i < axis ? 1 : shape->dims[i])) {
            return false;
        }
    }
    return true;
}

vt_status vt_lower_layernorm(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                             vt_error *error)
{
    const vt_node *node = &step->node;
    const vt_shape *shape = &args->inputs[0].shape;
    bool shift = node->input_count > 2 && node->inputs[2] != VT_NO_VALUE;
    int axis;
    vt_status status = vt_op_axis(vt_node_int(node, "axis", -1), shape->rank, &axis, error);
    if (status != VT_OK || !fits_row(&args->inputs[1], shape, axis) ||
        (shift && !fits_row(&args->inputs[2], shape, axis))) {
        return status;
    }
    const int64_t dims[2] = {(int64_t)vt_shape_product(shape, 0, axis),
                             (int64_t)vt_shape_product(shape, axis, shape->rank)};
    vt_layout *layouts[2] = {vt_layout_new_plain(2, dims, step->compute),
                             vt_layout_new_plain(1, &dims[1], VT_F32)};
    dnnl_primitive_desc_t desc = NULL;
    if (!layouts[0] || !layouts[1]) {
        status = vt_fail_memory(error, "the layouts of a normalisation");
    } else {
        float epsilon = vt_node_float(node, "epsilon", 1e-5F);
        status = vt_lower_answer(vt_pd_layernorm(dnnl->engine, layouts[0], epsilon, shift, &desc),
                                 done, error);
    }
    if (status == VT_OK && *done) {
        const vt_operand operands[] = {
            {.name = DNNL_ARG_SRC, .value = node->inputs[0], .query = dnnl_query_src_md},
            {.name = DNNL_ARG_SCALE, .value = node->inputs[1], .index = -1, .reading = layouts[1]},
            {.name = DNNL_ARG_DST,
             .value = node->outputs[0],
             .query = dnnl_query_dst_md,
             .written = true},
            {.name = DNNL_ARG_SHIFT,
             .value = shift ? node->inputs[2] : 0,
             .index = -1,
             .reading = layouts[1]},
        };
        status = vt_lower_primitive(dnnl, step, desc, operands, shift ? 4 : 3, error);
    }
    vt_lower_layouts_free(layouts, 2);
    return status;
}
