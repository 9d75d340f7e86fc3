/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scales and zero points: real = scale * (quantised - zero point).
 *
 * A scale holds for the whole tensor, for one index of an axis, or for one block along an axis
 * (the last block may be shorter). All three are one walk with different steps. The specification
 * wants scale and zero point of the same shape; two single numbers pass as scalar or vector.
 */
#include "nn/ops/quant.h"

#include <math.h>

vt_status vt_quant_type(const vt_op_args *args, const char *name, vt_dtype fallback, unsigned types,
                        vt_dtype *out, vt_error *error)
{
    int64_t type = vt_node_int(args->node, name, 0);
    if (type == 0)
        type = (int64_t)fallback;
    if (type < 0 || type > VT_BF16 || (VT_TYPE(type) & types) == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "attribute \"%s\": type %lld is not supported here", name, (long long)type);
    *out = (vt_dtype)type;
    return VT_OK;
}

static vt_status grid_axis(vt_quant_grid *grid, const vt_shape *data, int64_t axis, int *out,
                           vt_error *error)
{
    vt_status status = vt_op_axis(axis, data->rank, out, error);
    if (status != VT_OK)
        return status;
    grid->length = (size_t)data->dims[*out];
    grid->inner = vt_shape_product(data, *out + 1, data->rank);
    return VT_OK;
}

static vt_status grid_init_axis(vt_quant_grid *grid, const vt_op_args *args, vt_error *error)
{
    const vt_shape *scale = &args->inputs[1].shape;
    int axis = 0;
    vt_status status =
        grid_axis(grid, &args->inputs[0].shape, vt_node_int(args->node, "axis", 1), &axis, error);
    if (status != VT_OK)
        return status;
    if (scale->rank != 1 || (size_t)scale->dims[0] != grid->length)
        return vt_fail(error, VT_ERR_FORMAT,
                       "scale does not have one number for each of the %zu steps of axis %d",
                       grid->length, axis);
    grid->block_step = 1;
    return VT_OK;
}

static vt_status grid_init_blocks(vt_quant_grid *grid, const vt_op_args *args, int64_t block,
                                  vt_error *error)
{
    const vt_shape *data = &args->inputs[0].shape, *scale = &args->inputs[1].shape;
    int axis = 0;
    vt_status status = grid_axis(grid, data, vt_node_int(args->node, "axis", 1), &axis, error);
    if (status != VT_OK)
        return status;
    size_t size = (size_t)block;
    size_t blocks = grid->length / size + (grid->length % size != 0);
    bool fits = scale->rank == data->rank;
    for (int i = 0; i < data->rank && fits; i++)
        fits = scale->dims[i] == (i == axis ? (int64_t)blocks : data->dims[i]);
    if (!fits)
        return vt_fail(error, VT_ERR_FORMAT,
                       "scale does not have one number for each block of %zu along axis %d", size,
                       axis);
    grid->block = size;
    grid->outer_step = blocks * grid->inner;
    grid->block_step = grid->inner;
    grid->inner_step = 1;
    return VT_OK;
}

vt_status vt_quant_grid_init(vt_quant_grid *grid, const vt_op_args *args, vt_error *error)
{
    const vt_tensor *scale = &args->inputs[1], *zero_point = vt_op_input(args, 2);
    int64_t block = 0;
    *grid = (vt_quant_grid){.length = 1, .inner = 1, .block = 1};
    vt_status status =
        vt_op_int_between(args, "block_size", 0, (const int64_t[]){0, INT64_MAX}, &block, error);
    if (status != VT_OK)
        return status;
    bool single = vt_tensor_count(scale) == 1;
    bool like = zero_point == NULL || vt_shape_equal(&scale->shape, &zero_point->shape);
    if (!like && !(single && vt_tensor_count(zero_point) == 1))
        return vt_fail(error, VT_ERR_FORMAT, "scale and zero point have different shapes");
    if (single && scale->shape.rank <= 1)
        return VT_OK;
    if (args->node->opset < 13)
        return vt_fail(error, VT_ERR_FORMAT, "scale is not a single number, as opset %d wants it",
                       args->node->opset);
    return block == 0 ? grid_init_axis(grid, args, error)
                      : grid_init_blocks(grid, args, block, error);
}

/* Flat indices of the scales of data elements start .. start + count. */
static void grid_indices(const vt_quant_grid *grid, size_t start, size_t count, size_t *indices)
{
    size_t inner = start % grid->inner;
    size_t place = start / grid->inner % grid->length;
    size_t outer = start / grid->inner / grid->length;
    for (size_t i = 0; i < count; i++) {
        indices[i] = outer * grid->outer_step + place / grid->block * grid->block_step +
                     inner * grid->inner_step;
        if (++inner < grid->inner)
            continue;
        inner = 0;
        if (++place < grid->length)
            continue;
        place = 0;
        outer++;
    }
}

void vt_quant_grid_load(const vt_quant_grid *grid, const vt_op_args *args, size_t start,
                        size_t count, double *scales, double *zero_points)
{
    const vt_tensor *scale = &args->inputs[1], *zero_point = vt_op_input(args, 2);
    size_t indices[VT_RUN];
    grid_indices(grid, start, count, indices);
    vt_gather_f64(scale->dtype, scale->data, indices, count, scales);
    if (zero_point != NULL)
        vt_gather_f64(zero_point->dtype, zero_point->data, indices, count, zero_points);
    for (size_t i = 0; i < count && zero_point == NULL; i++)
        zero_points[i] = 0.0;
}

vt_status vt_quant_check_single(const vt_op_args *args, size_t index, unsigned types,
                                vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    vt_status status = vt_op_check_type(args, index, types, error);
    if (status == VT_OK && input != NULL && vt_tensor_count(input) != 1)
        status = vt_fail(error, VT_ERR_FORMAT, "input %zu is not a single number", index);
    return status;
}

vt_status vt_quant_check_vector(const vt_op_args *args, size_t index, int64_t length,
                                vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    if (input == NULL || vt_tensor_count(input) == 1 ||
        (input->shape.rank == 1 && input->shape.dims[0] == length))
        return VT_OK;
    return vt_fail(error, VT_ERR_FORMAT,
                   "input %zu is neither a single number nor one for each of %lld channels", index,
                   (long long)length);
}

vt_status vt_quant_check_zero_point(const vt_op_args *args, size_t index, size_t data,
                                    vt_error *error)
{
    const vt_tensor *zero_point = vt_op_input(args, index);
    if (zero_point == NULL || zero_point->dtype == args->inputs[data].dtype)
        return VT_OK;
    return vt_fail(error, VT_ERR_FORMAT, "zero point in input %zu has type %s, input %zu has %s",
                   index, vt_dtype_name(zero_point->dtype), data,
                   vt_dtype_name(args->inputs[data].dtype));
}

vt_status vt_quant_check_divisor(const vt_op_args *args, size_t index, vt_error *error)
{
    const vt_tensor *scale = &args->inputs[index];
    if (scale->data == NULL)
        return VT_OK;
    for (size_t start = 0, count = vt_tensor_count(scale); start < count; start += VT_RUN) {
        double run[VT_RUN];
        size_t length = count - start < VT_RUN ? count - start : VT_RUN;
        vt_load_f64(scale->dtype, scale->data, start, length, run);
        for (size_t i = 0; i < length; i++)
            if (run[i] == 0.0 || !isfinite(run[i]))
                return vt_fail(error, VT_ERR_FORMAT, "scale %zu in input %zu is %g", start + i,
                               index, run[i]);
    }
    return VT_OK;
}

double vt_quant_number(const vt_op_args *args, size_t index, size_t element)
{
    const vt_tensor *input = vt_op_input(args, index);
    if (input == NULL)
        return 0.0;
    return vt_tensor_get(input, vt_tensor_count(input) == 1 ? 0 : element);
}

double vt_quant_round(double value, double zero_point)
{
    return (isnan(value) ? 0.0 : rint(value)) + zero_point;
}

void vt_quant_store_i32(const vt_op_args *args, size_t start, size_t count, const double *sums)
{
    int32_t *y = args->outputs[0].data;
    for (size_t i = 0; i < count; i++)
        y[start + i] = (int32_t)(uint32_t)(int64_t)sums[i];
}

vt_status vt_quant_widen(const vt_op_args *args, size_t data, size_t index, double **out,
                         vt_error *error)
{
    const vt_tensor *zero_point = vt_op_input(args, index);
    double *wide = NULL;
    vt_status status = vt_op_widen(&args->inputs[data], &wide, error);
    if (status != VT_OK)
        return status;
    size_t count = vt_tensor_count(&args->inputs[data]);
    size_t parts = zero_point == NULL ? 1 : vt_tensor_count(zero_point);
    for (size_t part = 0; part < parts; part++) {
        double offset = vt_quant_number(args, index, part);
        for (size_t i = count / parts * part; i < count / parts * (part + 1); i++)
            wide[i] -= offset;
    }
    *out = wide;
    return VT_OK;
}
