/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of products: Gemm, MatMul.
 *
 * Each is again a product of the result's gradient with the other operand. MatMul with weights of
 * two dimensions sums over all rows of a batch at once, as one Gemm.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"

/* alpha * op(x) op(y) */
static vt_value_id gemm(vt_backward *b, vt_value_id x, vt_value_id y, const bool transposed[2],
                        float alpha)
{
    const vt_value_id inputs[] = {x, y};
    const vt_attr attrs[] = {VT_BACK_INT("transA", transposed[0] ? 1 : 0),
                             VT_BACK_INT("transB", transposed[1] ? 1 : 0),
                             VT_BACK_FLOAT("alpha", alpha)};
    return vt_back_node(
        b, &(vt_back_call){
               .op = "Gemm", .inputs = inputs, .input_count = 2, .attrs = attrs, .attr_count = 3});
}

void vt_gradient_gemm(vt_backward *b)
{
    vt_value_id x = vt_back_input(b, 0), y = vt_back_input(b, 1), dy = b->dy[0];
    bool turns_x = vt_node_int(&b->node, "transA", 0) != 0;
    bool turns_y = vt_node_int(&b->node, "transB", 0) != 0;
    float alpha = vt_node_float(&b->node, "alpha", 1.0f);
    if (vt_back_wants(b, 0))
        b->dx[0] = turns_x ? gemm(b, y, dy, (const bool[]){turns_y, true}, alpha)
                           : gemm(b, dy, y, (const bool[]){false, !turns_y}, alpha);
    if (vt_back_wants(b, 1))
        b->dx[1] = turns_y ? gemm(b, dy, x, (const bool[]){true, turns_x}, alpha)
                           : gemm(b, x, dy, (const bool[]){!turns_x, false}, alpha);
    if (vt_back_wants(b, 2)) {
        const vt_shape shape = vt_back_shape(b, vt_back_input(b, 2));
        vt_value_id sum = vt_back_reduce_to(b, dy, &shape);
        b->dx[2] = vt_back_scale(b, sum, (double)vt_node_float(&b->node, "beta", 1.0f));
    }
}

/* Rows of all batches as one matrix. */
static vt_value_id flat_rows(vt_backward *b, vt_value_id x)
{
    const vt_shape shape = vt_back_shape(b, x);
    const vt_shape flat = {
        2, {(int64_t)vt_shape_product(&shape, 0, shape.rank - 1), shape.dims[shape.rank - 1]}};
    return vt_back_reshape(b, x, &flat);
}

void vt_gradient_matmul(vt_backward *b)
{
    vt_value_id x = vt_back_input(b, 0), y = vt_back_input(b, 1), dy = b->dy[0];
    const vt_shape x_shape = vt_back_shape(b, x), y_shape = vt_back_shape(b, y);
    vt_shape wide_x = x_shape, wide_y = y_shape, wide = vt_back_shape(b, dy);
    if (y_shape.rank == 1) {
        wide_y = (vt_shape){2, {y_shape.dims[0], 1}};
        wide.dims[wide.rank++] = 1;
    }
    if (x_shape.rank == 1) { /* a row in front of the columns */
        wide_x = (vt_shape){2, {1, x_shape.dims[0]}};
        wide.dims[wide.rank] = wide.dims[wide.rank - 1];
        wide.dims[wide.rank - 1] = 1;
        wide.rank++;
    }
    x = vt_back_reshape(b, x, &wide_x);
    y = vt_back_reshape(b, y, &wide_y);
    dy = vt_back_reshape(b, dy, &wide);
    if (vt_back_wants(b, 0)) {
        vt_value_id dx = vt_back_op2(b, "MatMul", dy, vt_back_transpose_last(b, y));
        b->dx[0] = vt_back_reshape(b, vt_back_reduce_to(b, dx, &wide_x), &x_shape);
    }
    if (vt_back_wants(b, 1)) {
        vt_value_id product =
            wide_y.rank == 2
                ? gemm(b, flat_rows(b, x), flat_rows(b, dy), (const bool[]){true, false}, 1.0f)
                : vt_back_op2(b, "MatMul", vt_back_transpose_last(b, x), dy);
        b->dx[1] = vt_back_reshape(b, vt_back_reduce_to(b, product, &wide_y), &y_shape);
    }
}
