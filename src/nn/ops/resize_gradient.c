/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of Resize and Upsample. Along each axis they are a linear map, so the gradient is a
 * product with its transposed matrix, one axis after the other; the matrices are small constants.
 */
#include "nn/gradient.h"
#include "nn/ops/gradients.h"
#include "nn/ops/resize.h"

/* The shape and description of the step; values of its constant inputs are read. */
static bool describe(vt_backward *b, vt_resize *resize)
{
    vt_tensor inputs[4] = {0};
    const vt_op_args args = {.graph = b->plan->graph, .node = &b->node, .inputs = inputs};
    for (size_t i = 0; i < b->node.input_count && i < 4 && b->status == VT_OK; i++) {
        if (b->node.inputs[i] == VT_NO_VALUE)
            continue;
        if (b->plan->values[b->node.inputs[i]].constant)
            b->status = vt_plan_acquire(b->plan, b->node.inputs[i], b->error);
        inputs[i] = b->plan->values[b->node.inputs[i]].tensor;
    }
    if (b->status == VT_OK)
        b->status = vt_resize_init(resize, &args, b->error);
    return b->status == VT_OK;
}

/* The map of one axis as a constant (out, in), or transposed; VT_NO_VALUE: it changes nothing. */
static vt_value_id axis_matrix(vt_backward *b, const vt_resize *resize, int axis, bool transposed)
{
    size_t in = (size_t)resize->axes[axis].in, out = (size_t)resize->axes[axis].out, count;
    const vt_shape shape = {2,
                            {(int64_t)(transposed ? in : out), (int64_t)(transposed ? out : in)}};
    vt_tensor tensor = {0};
    vt_value_id id = VT_NO_VALUE;
    double *matrix = NULL, *weights = vt_alloc_array(in, sizeof(*weights));
    if (vt_size_mul(in, out, &count))
        matrix = vt_alloc_array(count, sizeof(*matrix));
    if (matrix == NULL || weights == NULL) {
        b->status = vt_fail_memory(b->error, "a resized axis");
    } else if (vt_resize_matrix(resize, axis, matrix, weights)) {
        b->status = vt_tensor_init(&tensor, vt_back_dtype(b, b->dy[0]), &shape, 0, b->error);
        for (size_t i = 0; b->status == VT_OK && i < count; i++) {
            size_t to = transposed ? i % in * out + i / in : i;
            vt_store_f64(tensor.dtype, tensor.data, to, 1, &matrix[i]);
        }
        if (b->status == VT_OK)
            b->status = vt_plan_add_constant(b->plan, &tensor, &id, b->error);
    }
    vt_free(matrix);
    vt_free(weights);
    return id;
}

/* dy along one axis: (outer, out, inner) to (outer, in, inner). */
static vt_value_id axis_back(vt_backward *b, const vt_resize *resize, int axis, vt_value_id dy)
{
    vt_shape shape = vt_back_shape(b, dy);
    int64_t outer = (int64_t)vt_shape_product(&shape, 0, axis);
    int64_t inner = (int64_t)vt_shape_product(&shape, axis + 1, shape.rank);
    vt_value_id matrix = axis_matrix(b, resize, axis, inner > 1);
    if (matrix == VT_NO_VALUE)
        return dy;
    if (inner == 1) {
        const vt_shape rows = {2, {outer, shape.dims[axis]}};
        dy = vt_back_op2(b, "MatMul", vt_back_reshape(b, dy, &rows), matrix);
    } else {
        const vt_shape blocks = {3, {outer, shape.dims[axis], inner}};
        dy = vt_back_op2(b, "MatMul", matrix, vt_back_reshape(b, dy, &blocks));
    }
    shape.dims[axis] = resize->axes[axis].in;
    return vt_back_reshape(b, dy, &shape);
}

void vt_gradient_resize(vt_backward *b)
{
    vt_resize resize;
    vt_value_id dy = b->dy[0];
    if (!describe(b, &resize))
        return;
    for (int i = 0; i < resize.rank && b->status == VT_OK; i++)
        dy = axis_back(b, &resize, i, dy);
    b->dx[0] = dy;
}
