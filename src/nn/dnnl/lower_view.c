/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators that only say where elements lie: Transpose, Slice, Split, Gather of one index, and
 * those that give the same bytes another shape.
 *
 * None of them moves anything here: the result is a form of its own over the source's buffer, with
 * other strides or from another place on (a *view*). Whoever needs it row-major gets a reorder,
 * once; attention, convolutions and products read views as they are. A Transpose of blocks of
 * channels is a view as well, so that NCHW to NHWC and back costs one reorder and not two.
 */
#include "nn/dnnl/lower.h"

#include <string.h>

/* ---- what views share ---- */

/* Types whose layouts oneDNN can describe and reorder to f32. */
static bool can_view(const vt_layout *layout)
{
    vt_dtype dtype = vt_layout_type(layout);
    return dtype == VT_F32 || dtype == VT_BF16;
}

/* The source as it lies if it is of such a type; *layout NULL: it is not. The caller's. */
static vt_status source_of(vt_dnnl *dnnl, vt_value_id value, vt_layout **layout, size_t *buffer,
                           vt_error *error)
{
    vt_dtype dtype = VT_DTYPE_NONE;
    *layout = NULL;
    const vt_form *first = vt_dnnl_form_first(dnnl, value, error);
    if (!first) {
        return error ? error->status : VT_ERR_NO_MEMORY;
    }
    dtype = first->dtype;
    if (dtype != VT_F32 && dtype != VT_BF16) {
        return VT_OK;
    }
    vt_status status = vt_dnnl_form_as_is(dnnl, value, layout, buffer, error);
    if (status == VT_OK && !can_view(*layout)) {
        vt_layout_free(*layout);
        *layout = NULL;
    }
    return status;
}

/* The same, without blocks and with the value's own dimensions; made row-major first otherwise. */
static vt_status strided_source(vt_dnnl *dnnl, vt_value_id value, vt_layout **layout,
                                size_t *buffer, int64_t strides[VT_LAYOUT_MAX_RANK],
                                vt_error *error)
{
    const vt_shape *shape = &dnnl->plan->values[value].tensor.shape;
    vt_status status = source_of(dnnl, value, layout, buffer, error);
    if (status != VT_OK || !*layout) {
        return status;
    }
    int64_t dims[VT_LAYOUT_MAX_RANK];
    int rank = vt_layout_dims(*layout, dims);
    if (vt_layout_strides(*layout, strides) && rank == shape->rank &&
        memcmp(dims, shape->dims, (size_t)rank * sizeof *dims) == 0) {
        return VT_OK;
    }
    vt_dtype dtype = vt_layout_type(*layout);
    vt_layout_free(*layout);
    *layout = vt_layout_new_plain(shape->rank, shape->dims, dtype);
    if (!*layout) {
        return vt_fail_memory(error, "the layout of a view");
    }
    vt_layout_strides(*layout, strides);
    return vt_dnnl_form_get(dnnl, value, dtype, NULL, buffer, error);
}

/* A window on `source`: `shape`, with these strides, from this element on. */
typedef struct window {
    vt_shape shape;
    int64_t strides[VT_MAX_RANK];
    int64_t first;
} window;

static vt_status add_window(vt_dnnl *dnnl, vt_value_id to, const window *view, vt_dtype dtype,
                            size_t buffer, vt_error *error)
{
    size_t part = VT_NO_BUFFER;
    vt_layout *layout =
        vt_layout_new_strided(view->shape.rank, view->shape.dims, view->strides, dtype);
    if (!layout) {
        return vt_fail_memory(error, "the layout of a view");
    }
    vt_status status = vt_dnnl_buffer_view(
        dnnl, buffer, (size_t)view->first * vt_dtype_bytes(dtype), &part, error);
    if (status == VT_OK) {
        status = vt_dnnl_form_add(dnnl, to, dtype, layout, part, error);
    }
    vt_layout_free(layout);
    return status;
}

/* ---- Transpose ---- */

static bool transpose_order(const vt_step *step, int rank, int order[VT_MAX_RANK])
{
    int64_t perm[VT_MAX_RANK];
    int given = vt_node_ints(&step->node, "perm", perm, VT_MAX_RANK);
    if (given >= 0 && given != rank) {
        return false;
    }
    for (int i = 0; i < rank; i++) {
        order[i] = given < 0 ? rank - 1 - i : (int)perm[i];
        if (order[i] < 0 || order[i] >= rank) {
            return false;
        }
    }
    return rank >= 2;
}

vt_status vt_lower_transpose(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                             vt_error *error)
{
    int order[VT_MAX_RANK];
    int64_t dims[VT_LAYOUT_MAX_RANK], strides[VT_LAYOUT_MAX_RANK];
    const vt_shape *shape = &args->inputs[0].shape;
    vt_layout *layout = NULL, *moved = NULL;
    size_t buffer = VT_NO_BUFFER;
    if (!transpose_order(step, shape->rank, order)) {
        return VT_OK;
    }
    vt_status status = source_of(dnnl, step->node.inputs[0], &layout, &buffer, error);
    if (status != VT_OK || !layout) {
        return status;
    }
    int rank = vt_layout_dims(layout, dims);
    if (rank != shape->rank || memcmp(dims, shape->dims, (size_t)rank * sizeof *dims) != 0) {
        vt_layout_free(layout);
        status = strided_source(dnnl, step->node.inputs[0], &layout, &buffer, strides, error);
    }
    if (status == VT_OK && layout) {
        moved = vt_layout_permute(layout, order);
        status = moved ? vt_dnnl_form_add(dnnl, step->node.outputs[0], vt_layout_type(moved), moved,
                                          buffer, error)
                       : vt_fail_memory(error, "the layout of a transpose");
        *done = status == VT_OK;
    }
    vt_layout_free(moved);
    vt_layout_free(layout);
    return status;
}

/* ---- Slice, Split, Gather of one index ---- */

/* The whole source as a window; *done stays false where there is none. */
static vt_status whole_window(vt_dnnl *dnnl, const vt_step *step, const vt_op_args *args,
                              window *view, vt_dtype *dtype, size_t *buffer, bool *there,
                              vt_error *error)
{
    int64_t strides[VT_LAYOUT_MAX_RANK];
    vt_layout *layout = NULL;
    *view = (window){.shape = args->inputs[0].shape};
    if (view->shape.rank < 1) {
        return VT_OK;
    }
    vt_status status = strided_source(dnnl, step->node.inputs[0], &layout, buffer, strides, error);
    if (status == VT_OK && layout) {
        memcpy(view->strides, strides, (size_t)view->shape.rank * sizeof *strides);
        *dtype = vt_layout_type(layout);
        *there = true;
    }
    vt_layout_free(layout);
    return status;
}

/* The numbers of a constant input, or of the attribute that older versions have in its place; -1:
 * neither, or computed. */
static int numbers_of(const vt_dnnl *dnnl, const vt_step *step, size_t input, const char *name,
                      int64_t out[VT_MAX_RANK])
{
    const vt_tensor *tensor = vt_lower_constant(dnnl, step, input);
    if (!tensor) {
        int count = vt_node_ints(&step->node, name, out, VT_MAX_RANK);
        return count > VT_MAX_RANK ? -1 : count;
    }
    size_t count = vt_tensor_count(tensor);
    if (count > VT_MAX_RANK) {
        return -1;
    }
    vt_load_i64(tensor->dtype, tensor->data, 0, count, out);
    return (int)count;
}

/* Moves the window to where the slice starts, and widens its strides; false: not a window. */
static bool slice_window(const vt_dnnl *dnnl, const vt_step *step, const vt_shape *result,
                         window *view)
{
    int64_t starts[VT_MAX_RANK], axes[VT_MAX_RANK], steps[VT_MAX_RANK];
    int count = numbers_of(dnnl, step, 1, "starts", starts);
    int axis_count = numbers_of(dnnl, step, 3, "axes", axes);
    int step_count = numbers_of(dnnl, step, 4, "steps", steps);
    if (count < 0 || (axis_count >= 0 && axis_count != count) ||
        (step_count >= 0 && step_count != count)) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        int64_t axis = axis_count < 0 ? i : axes[i], step_size = step_count < 0 ? 1 : steps[i];
        axis += axis < 0 ? view->shape.rank : 0;
        if (axis < 0 || axis >= view->shape.rank || step_size < 1) {
            return false;
        }
        int64_t size = view->shape.dims[axis];
        int64_t start = starts[i] < -size ? 0 : starts[i] + (starts[i] < 0 ? size : 0);
        if (start >= size) {
            return false;
        }
        view->first += start * view->strides[axis];
        if (result->dims[axis] > 1) {
            view->strides[axis] *= step_size;
        }
    }
    view->shape = *result;
    return true;
}

/* oneDNN describes a layout only if each axis, with the gap behind its last element, ends before
 * the next larger stride: every third of five elements does not. */
static bool steps_fit(const window *view)
{
    for (int i = 0; i < view->shape.rank; i++) {
        for (int k = 0; k < view->shape.rank; k++) {
            if (view->shape.dims[i] > 1 && view->strides[k] > view->strides[i] &&
                view->strides[k] < view->strides[i] * view->shape.dims[i]) {
                return false;
            }
        }
    }
    return true;
}

vt_status vt_lower_slice(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                         vt_error *error)
{
    window view;
    vt_dtype dtype = VT_DTYPE_NONE;
    size_t buffer = VT_NO_BUFFER;
    bool there = false;
    if (step->node.opset >= 10) { /* computed starts, axes or steps */
        for (size_t i = 1; i < step->node.input_count; i++) {
            if (step->node.inputs[i] != VT_NO_VALUE && !vt_lower_constant(dnnl, step, i)) {
                return VT_OK;
            }
        }
    }
    vt_status status = whole_window(dnnl, step, args, &view, &dtype, &buffer, &there, error);
    if (status != VT_OK || !there || !slice_window(dnnl, step, &args->outputs[0].shape, &view) ||
        !steps_fit(&view)) {
        return status;
    }
    *done = true;
    return add_window(dnnl, step->node.outputs[0], &view, dtype, buffer, error);
}

vt_status vt_lower_split(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                         vt_error *error)
{
    window view;
    vt_dtype dtype = VT_DTYPE_NONE;
    size_t buffer = VT_NO_BUFFER;
    bool there = false;
    vt_status status = whole_window(dnnl, step, args, &view, &dtype, &buffer, &there, error);
    if (status != VT_OK || !there) {
        return status;
    }
    int64_t axis = vt_node_int(&step->node, "axis", 0);
    axis += axis < 0 ? view.shape.rank : 0;
    for (size_t i = 0; status == VT_OK && i < step->node.output_count; i++) {
        if (step->node.outputs[i] == VT_NO_VALUE) { /* its size is not known here */
            return VT_OK;
        }
    }
    for (size_t i = 0; status == VT_OK && i < step->node.output_count; i++) {
        view.shape = args->outputs[i].shape;
        status = add_window(dnnl, step->node.outputs[i], &view, dtype, buffer, error);
        view.first += view.shape.dims[axis] * view.strides[axis];
    }
    *done = status == VT_OK;
    return status;
}

/* Takes the axis out of the window at `index`; what the index has for dimensions are ones. */
static void pick(window *view, int axis, int64_t index, const vt_shape *result, int ones)
{
    int64_t strides[VT_MAX_RANK];
    int rank = 0;
    view->first += index * view->strides[axis];
    for (int i = 0; i < view->shape.rank; i++) {
        if (i != axis) {
            strides[rank++] = view->strides[i];
        }
        for (int k = 0; i == axis && k < ones; k++) {
            strides[rank++] = 1;
        }
    }
    memcpy(view->strides, strides, (size_t)rank * sizeof *strides);
    view->shape = *result;
}

vt_status vt_lower_gather(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                          vt_error *error)
{
    const vt_tensor *indices = vt_lower_constant(dnnl, step, 1);
    const vt_shape *source = &args->inputs[0].shape;
    int64_t axis = vt_node_int(&step->node, "axis", 0), index = 0;
    window view;
    vt_dtype dtype = VT_DTYPE_NONE;
    size_t buffer = VT_NO_BUFFER;
    bool there = false;
    axis += axis < 0 ? source->rank : 0;
    if (!indices || vt_tensor_count(indices) != 1 || axis < 0 || axis >= source->rank ||
        args->outputs[0].shape.rank < 1) {
        return VT_OK;
    }
    vt_load_i64(indices->dtype, indices->data, 0, 1, &index);
    index += index < 0 ? source->dims[axis] : 0;
    if (index < 0 || index >= source->dims[axis]) {
        return VT_OK; /* the reference says what is wrong */
    }
    vt_status status = whole_window(dnnl, step, args, &view, &dtype, &buffer, &there, error);
    if (status != VT_OK || !there) {
        return status;
    }
    pick(&view, (int)axis, index, &args->outputs[0].shape, indices->shape.rank);
    *done = true;
    return add_window(dnnl, step->node.outputs[0], &view, dtype, buffer, error);
}

/* ---- aliases ---- */

/* Dropout and Cast only sometimes change nothing. */
static bool changes_nothing(const vt_dnnl *dnnl, const vt_step *step, const vt_op_args *args)
{
    if (strcmp(step->node.op->name, "Dropout") == 0 && step->node.input_count > 2 &&
        step->node.inputs[2] != VT_NO_VALUE) {
        const vt_tensor *training = vt_lower_constant(dnnl, step, 2);
        if (!training || vt_tensor_get(training, 0) != 0) {
            return false;
        }
    }
    return args->inputs[0].dtype == args->outputs[0].dtype &&
           vt_tensor_count(&args->inputs[0]) == vt_tensor_count(&args->outputs[0]);
}

static vt_status alias_all_forms(vt_dnnl *dnnl, vt_value_id from, vt_value_id to, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = dnnl->value_forms[from]; status == VT_OK && i != SIZE_MAX;) {
        vt_form form = dnnl->forms[i]; /* forms may move */
        status = vt_dnnl_form_add(dnnl, to, form.dtype, form.layout, form.buffer, error);
        i = form.next;
    }
    return status;
}

/* The first form under other dimensions where its layout can say so, else the row-major one. */
static vt_status alias_reshaped(vt_dnnl *dnnl, vt_value_id from, vt_value_id to,
                                const vt_shape *shape, vt_error *error)
{
    vt_layout *layout = NULL, *reshaped = NULL;
    size_t buffer = VT_NO_BUFFER;
    const vt_form *first = &dnnl->forms[dnnl->value_forms[from]];
    vt_dtype dtype = first->dtype;
    if (first->layout && shape->rank > 0) {
        vt_status status = source_of(dnnl, from, &layout, &buffer, error);
        if (status != VT_OK) {
            return status;
        }
        bool held = !layout || vt_layout_reshape(layout, shape->rank, shape->dims, &reshaped);
        vt_layout_free(layout);
        if (!held) {
            return vt_fail_memory(error, "the layout of a view");
        }
    }
    vt_status status = VT_OK;
    if (!reshaped) {
        status = vt_dnnl_form_get(dnnl, from, dtype, NULL, &buffer, error);
    }
    if (status == VT_OK) {
        status = vt_dnnl_form_add(dnnl, to, dtype, reshaped, buffer, error);
    }
    vt_layout_free(reshaped);
    return status;
}

vt_status vt_lower_alias(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                         vt_error *error)
{
    vt_value_id from = step->node.inputs[0], to = step->node.outputs[0];
    if (!changes_nothing(dnnl, step, args)) {
        return VT_OK;
    }
    if (!vt_dnnl_form_first(dnnl, from, error)) {
        return error ? error->status : VT_ERR_NO_MEMORY;
    }
    *done = true;
    if (vt_shape_equal(&args->inputs[0].shape, &args->outputs[0].shape)) {
        return alias_all_forms(dnnl, from, to, error);
    }
    return alias_reshaped(dnnl, from, to, &args->outputs[0].shape, error);
}
