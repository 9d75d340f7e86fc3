/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of GridSample, with the internal operator GridSampleGrad, and of AffineGrid.
 *
 * GridSampleGrad (x, grid, dy) gives back to every element that was read its weight's share, and to
 * every number of the grid how the weights change with it. Nearest neighbours change in jumps: the
 * grid's gradient is 0. What continues the edge, or lies outside, does not change with the grid
 * either, unless it is mirrored.
 *
 * AffineGrid is linear in its maps: their gradient is a product with the coordinates, which are the
 * grid of the map that changes nothing.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/grid_sample.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status sample_grad_infer(vt_op_args *args, vt_error *error)
{
    vt_grid g;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_grid_init(args, false, &g, error);
    if (status != VT_OK)
        return status;
    vt_shape result = args->inputs[0].shape;
    for (int i = 0; i < g.rank; i++)
        result.dims[2 + i] = args->inputs[1].shape.dims[1 + i];
    if (!vt_shape_equal(&args->inputs[2].shape, &result))
        return vt_fail(error, VT_ERR_FORMAT, "gradient does not have the result's shape");
    vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    vt_op_set_output(args, 1, args->inputs[1].dtype, &args->inputs[1].shape);
    return VT_OK;
}

/* One result of one plane: shares to dx (plane), slopes to dgrid (rank, the last axis first). */
static void point_spread(const vt_grid *g, const double *x, double dy, double *dx, double *dgrid)
{
    for (unsigned which = 0; which < vt_grid_combinations(g); which++) {
        double weight;
        size_t place = vt_grid_combination(g, which, &weight);
        if (place == SIZE_MAX)
            continue;
        dx[place] += weight * dy;
        for (int i = 0; i < g->rank; i++) {
            double change = dy * x[place];
            unsigned rest = which;
            for (int k = 0; k < g->rank; k++) {
                unsigned digit = rest % (unsigned)g->count;
                rest /= (unsigned)g->count;
                change *= k == i ? g->slope[k][digit] : g->weight[k][digit];
            }
            dgrid[i] += change;
        }
    }
}

static void sample_grad_run(vt_op_args *args, vt_grid *g, const double *x, double *dx)
{
    const vt_tensor *where = &args->inputs[1], *dy = &args->inputs[2];
    size_t batch = (size_t)dy->shape.dims[0], channels = (size_t)dy->shape.dims[1];
    size_t in = vt_shape_product(&args->inputs[0].shape, 2, args->inputs[0].shape.rank);
    size_t out = vt_shape_product(&dy->shape, 2, dy->shape.rank), rank = (size_t)g->rank;
    for (size_t k = 0; k < batch * out; k++) {
        double slopes[VT_MAX_SPATIAL] = {0.0};
        for (size_t i = 0; i < rank; i++)
            vt_grid_taps(g, (int)i, vt_tensor_get(where, (k + 1) * rank - 1 - i));
        for (size_t c = 0; c < channels; c++) {
            size_t plane = k / out * channels + c;
            point_spread(g, x + plane * in, vt_tensor_get(dy, plane * out + k % out),
                         dx + plane * in, slopes);
        }
        for (size_t i = 0; vt_op_wants(args, 1) && i < rank; i++)
            vt_store_f64(where->dtype, args->outputs[1].data, (k + 1) * rank - 1 - i, 1,
                         &slopes[i]);
    }
}

static vt_status sample_grad_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *from = &args->inputs[0];
    vt_grid g;
    double *x = NULL, *dx = vt_calloc(vt_tensor_count(from) + 1, sizeof(*dx));
    vt_status status =
        dx == NULL ? vt_fail_memory(error, "a gradient") : vt_grid_init(args, false, &g, error);
    if (status == VT_OK)
        status = vt_op_widen(from, &x, error);
    if (status == VT_OK) {
        sample_grad_run(args, &g, x, dx);
        if (vt_op_wants(args, 0))
            vt_store_f64(from->dtype, args->outputs[0].data, 0, vt_tensor_count(from), dx);
    }
    vt_free(x);
    vt_free(dx);
    return status;
}

const vt_op vt_ops_grid_gradient[] = {
    {"GridSampleGrad", VT_BACK_DOMAIN, 1, 0, 3, 3, 1, 2, "align_corners:i mode:s padding_mode:s",
     .flags = VT_OP_INTERNAL, .infer = sample_grad_infer, .reference = sample_grad_reference},
    {0},
};

/* ---- rules ---- */

/* The mode by the names of opset 20. */
static const char *mode_of(const vt_backward *b)
{
    const char *mode = vt_node_text(&b->node, "mode", "linear");
    if (strcmp(mode, "bilinear") == 0)
        return "linear";
    return strcmp(mode, "bicubic") == 0 ? "cubic" : mode;
}

void vt_gradient_grid_sample(vt_backward *b)
{
    const vt_value_id inputs[] = {vt_back_input(b, 0), vt_back_input(b, 1), b->dy[0]};
    const vt_attr attrs[] = {
        VT_BACK_TEXT("mode", mode_of(b)),
        VT_BACK_TEXT("padding_mode", vt_node_text(&b->node, "padding_mode", "zeros")),
        VT_BACK_INT("align_corners", vt_node_int(&b->node, "align_corners", 0))};
    vt_value_id made[2];
    vt_back_nodes(b,
                  &(vt_back_call){.op = "vitrine:GridSampleGrad",
                                  .inputs = inputs,
                                  .input_count = 3,
                                  .attrs = attrs,
                                  .attr_count = 3},
                  made, 2);
    b->dx[0] = made[0];
    b->dx[1] = made[1];
}

/* d theta (batch, n, n + 1) = dy' [coordinates, 1] over the pixels. */
void vt_gradient_affine_grid(vt_backward *b)
{
    const vt_shape grid = vt_back_shape(b, b->dy[0]);
    int64_t n = grid.dims[grid.rank - 1], sizes[VT_MAX_RANK] = {1, 1};
    int64_t pixels = (int64_t)vt_shape_product(&grid, 1, grid.rank - 1);
    const vt_shape flat = {3, {grid.dims[0], pixels, n}}, one = {3, {1, pixels, n}};
    const vt_shape last = {3, {1, pixels, 1}};
    for (int i = 1; i < grid.rank - 1; i++)
        sizes[1 + i] = grid.dims[i];
    const vt_attr corners = VT_BACK_INT("align_corners", vt_node_int(&b->node, "align_corners", 0));
    const vt_shape map = {3, {1, n, n + 1}}; /* that changes nothing */
    const vt_value_id inputs[] = {vt_back_unit(b, &map, n + 1, b->dy[0]),
                                  vt_back_ints(b, sizes, grid.rank)};
    vt_value_id coordinates = vt_back_node(b, &(vt_back_call){.op = "AffineGrid",
                                                              .opset = b->node.opset,
                                                              .inputs = inputs,
                                                              .input_count = 2,
                                                              .attrs = &corners,
                                                              .attr_count = 1});
    const vt_value_id joined[] = {vt_back_reshape(b, coordinates, &one),
                                  vt_back_full(b, 1.0, &last, b->dy[0])};
    const vt_attr axis = VT_BACK_INT("axis", 2);
    vt_value_id base = vt_back_node(
        b,
        &(vt_back_call){
            .op = "Concat", .inputs = joined, .input_count = 2, .attrs = &axis, .attr_count = 1});
    vt_value_id dy = vt_back_reshape(b, b->dy[0], &flat);
    b->dx[0] = vt_back_op2(b, "MatMul", vt_back_transpose_last(b, dy), base);
}
