/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ReduceMean and ReduceSum.
 *
 * A mean over all spatial axes is how PyTorch exports global pooling: it runs as one, in the layout
 * the source has. The rest uses oneDNN's reduction on row-major tensors. ReduceMax and ReduceMin
 * stay with the reference: oneDNN starts from the largest finite number, and the maximum of a row
 * of minus infinities (a masked row of attention) must be minus infinity.
 */
#include "nn/dnnl/lower.h"

#include <string.h>

/* The axes as marks: attribute up to opset 17 (12 for ReduceSum), input after it; none given means
 * all. False: they are computed, or there is nothing to reduce. */
static bool axes_of(const vt_dnnl *dnnl, const vt_step *step, int rank, bool marks[VT_MAX_RANK])
{
    int64_t axes[VT_MAX_RANK];
    int count = vt_node_ints(&step->node, "axes", axes, VT_MAX_RANK);
    if (step->node.input_count > 1 && step->node.inputs[1] != VT_NO_VALUE) {
        const vt_tensor *given = vt_lower_constant(dnnl, step, 1);
        if (!given || vt_tensor_count(given) > VT_MAX_RANK) {
            return false;
        }
        count = (int)vt_tensor_count(given);
        for (int i = 0; i < count; i++) {
            axes[i] = (int64_t)vt_tensor_get(given, (size_t)i);
        }
    }
    if (count <= 0 && vt_node_int(&step->node, "noop_with_empty_axes", 0) != 0) {
        return false;
    }
    memset(marks, count <= 0, VT_MAX_RANK * sizeof *marks);
    for (int i = 0; i < count; i++) {
        int64_t axis = axes[i] + (axes[i] < 0 ? rank : 0);
        if (axis < 0 || axis >= rank) {
            return false;
        }
        marks[axis] = true;
    }
    return rank > 0;
}

static bool is_spatial(int rank, const bool marks[VT_MAX_RANK])
{
    for (int i = 0; i < rank; i++) {
        if (marks[i] != (i >= 2)) {
            return false;
        }
    }
    return rank >= 3 && rank <= 5;
}

static vt_shape kept_shape(const vt_shape *source, const bool marks[VT_MAX_RANK])
{
    vt_shape kept = *source;
    for (int i = 0; i < kept.rank; i++) {
        kept.dims[i] = marks[i] ? 1 : kept.dims[i];
    }
    return kept;
}

/* As a pool. Its result must lie in the order in which it will be read: with the reduced axes gone
 * that can only be row-major. */
static vt_status describe_pool(vt_dnnl *dnnl, const vt_step *step, const vt_shape *kept,
                               dnnl_primitive_desc_t *desc, bool *done, vt_error *error)
{
    const vt_plan_value *values = dnnl->plan->values;
    const vt_shape *source = &values[step->node.inputs[0]].tensor.shape;
    vt_pd_window window = {0};
    for (int i = 0; i < source->rank - 2; i++) {
        window.kernel[i] = source->dims[i + 2];
        window.strides[i] = 1;
    }
    if (!vt_lower_window_fits(&window, source->rank - 2)) {
        return VT_OK;
    }
    vt_layout *layouts[2] = {NULL, vt_layout_new_any(kept->rank, kept->dims, step->compute)};
    vt_status status = layouts[1] ? vt_dnnl_form_layout(dnnl, step->node.inputs[0], step->compute,
                                                        &layouts[0], error)
                                  : vt_fail_memory(error, "the layout of a reduction");
    if (status == VT_OK) {
        status = vt_lower_answer(vt_pd_pooling(dnnl->engine, dnnl_pooling_avg_exclude_padding,
                                               (const vt_layout *const *)layouts, &window, desc),
                                 done, error);
    }
    vt_lower_layouts_free(layouts, 2);
    if (status == VT_OK && *done && values[step->node.outputs[0]].tensor.shape.rank != kept->rank &&
        !vt_layout_is_plain(vt_pd_layout(*desc, dnnl_query_dst_md, 0))) {
        dnnl_primitive_desc_destroy(*desc);
        *desc = NULL;
        *done = false;
    }
    return status;
}

static vt_status describe_reduction(vt_dnnl *dnnl, const vt_step *step, const vt_shape *kept,
                                    dnnl_primitive_desc_t *desc, bool *done, vt_error *error)
{
    const vt_shape *source = &dnnl->plan->values[step->node.inputs[0]].tensor.shape;
    dnnl_alg_kind_t algorithm =
        strcmp(step->node.op->name, "ReduceMean") == 0 ? dnnl_reduction_mean : dnnl_reduction_sum;
    vt_layout *layouts[2] = {vt_layout_new_plain(source->rank, source->dims, step->compute),
                             vt_layout_new_plain(kept->rank, kept->dims, step->compute)};
    vt_status status =
        layouts[0] && layouts[1]
            ? vt_lower_answer(
                  vt_pd_reduction(dnnl->engine, algorithm, (const vt_layout *const *)layouts, desc),
                  done, error)
            : vt_fail_memory(error, "the layout of a reduction");
    vt_lower_layouts_free(layouts, 2);
    return status;
}

vt_status vt_lower_reduce(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                          vt_error *error)
{
    const vt_shape *source = &args->inputs[0].shape;
    bool marks[VT_MAX_RANK];
    dnnl_primitive_desc_t desc = NULL;
    if (!axes_of(dnnl, step, source->rank, marks)) {
        return VT_OK;
    }
    vt_shape kept = kept_shape(source, marks);
    if (vt_shape_equal(&kept, source)) { /* oneDNN refuses to reduce nothing */
        return VT_OK;
    }
    vt_status status = VT_OK;
    if (is_spatial(source->rank, marks) && strcmp(step->node.op->name, "ReduceMean") == 0) {
        status = describe_pool(dnnl, step, &kept, &desc, done, error);
    }
    if (status == VT_OK && !*done) {
        status = describe_reduction(dnnl, step, &kept, &desc, done, error);
    }
    return status == VT_OK && *done ? vt_lower_unary(dnnl, step, desc, error) : status;
}
