/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AffineGrid: where each pixel of a picture (or voxel of a volume) lies after an affine map, in
 * coordinates from -1 to 1.
 *
 * With align_corners the first and last pixel centres are at -1 and 1, else the outer edges are.
 * The last axis of the grid is x, y (, z), the pixels lie as (N, (D,) H, W).
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

enum { GRID_MAXIMUM = 3 };

/* spatial: 2 or 3; sizes: N, C and those of the spatial axes. */
static vt_status grid_resolve(const vt_op_args *args, int64_t sizes[2 + GRID_MAXIMUM], int *spatial,
                              vt_error *error)
{
    const vt_shape *theta = &args->inputs[0].shape;
    int count = 0;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_input_ints(args, 1, sizes, 2 + GRID_MAXIMUM, &count, error);
    if (status != VT_OK)
        return status;
    *spatial = count - 2;
    if (*spatial < 2)
        return vt_fail(error, VT_ERR_FORMAT, "size has %d numbers, it takes 4 or 5", count);
    for (int i = 0; i < count; i++)
        if (sizes[i] < 0)
            return vt_fail(error, VT_ERR_FORMAT, "size has %lld", (long long)sizes[i]);
    vt_shape want = vt_shape_of(3, (const int64_t[]){sizes[0], *spatial, *spatial + 1});
    if (!vt_shape_equal(theta, &want))
        return vt_fail(error, VT_ERR_FORMAT, "theta does not fit %lld maps of %d dimensions",
                       (long long)sizes[0], *spatial);
    return VT_OK;
}

static vt_status grid_infer(vt_op_args *args, vt_error *error)
{
    int64_t sizes[2 + GRID_MAXIMUM];
    int spatial;
    vt_status status = grid_resolve(args, sizes, &spatial, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = {.rank = spatial + 2, .dims = {sizes[0]}};
    for (int i = 0; i < spatial; i++)
        shape.dims[1 + i] = sizes[2 + i];
    shape.dims[1 + spatial] = spatial;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

static double coordinate(int64_t at, int64_t size, bool corners)
{
    if (corners)
        return size > 1 ? -1.0 + 2.0 * (double)at / (double)(size - 1) : -1.0;
    return (2.0 * (double)at + 1.0) / (double)size - 1.0;
}

static vt_status grid_reference(vt_op_args *args, vt_error *error)
{
    int64_t sizes[2 + GRID_MAXIMUM], at[GRID_MAXIMUM] = {0};
    int spatial = 0;
    vt_tensor *y = &args->outputs[0];
    bool corners = vt_node_int(args->node, "align_corners", 0) != 0;
    vt_status status = grid_resolve(args, sizes, &spatial, error);
    if (status != VT_OK)
        return status;
    size_t dims = (size_t)spatial, pixels = vt_tensor_count(y) / dims;
    size_t plane = pixels / (size_t)sizes[0];
    for (size_t pixel = 0; pixel < pixels; pixel++) {
        double theta[GRID_MAXIMUM * (GRID_MAXIMUM + 1)], out[GRID_MAXIMUM];
        vt_load_f64(args->inputs[0].dtype, args->inputs[0].data, pixel / plane * dims * (dims + 1),
                    dims * (dims + 1), theta);
        for (size_t k = 0; k < dims; k++) {
            out[k] = theta[k * (dims + 1) + dims];
            for (size_t j = 0; j < dims; j++) /* x is the last spatial axis */
                out[k] += theta[k * (dims + 1) + j] *
                          coordinate(at[dims - 1 - j], sizes[2 + dims - 1 - j], corners);
        }
        vt_store_f64(y->dtype, y->data, pixel * dims, dims, out);
        for (int i = spatial - 1; i >= 0 && ++at[i] == sizes[2 + i]; i--)
            at[i] = 0;
    }
    return VT_OK;
}

const vt_op vt_ops_affine_grid[] = {
    {"AffineGrid", "", 20, 0, 2, 2, 1, 1, "align_corners:i", .shape_inputs = 1u << 1,
     .infer = grid_infer, .reference = grid_reference},
    {0},
};
