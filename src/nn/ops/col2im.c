/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Col2Im: columns of blocks put back into an image, overlapping elements added up; the reverse of
 * what turns a convolution into a matrix product. Any number of spatial axes.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

typedef struct columns {
    int rank;
    int64_t image[VT_MAX_SPATIAL], block[VT_MAX_SPATIAL], steps[VT_MAX_SPATIAL];
    int64_t stride[VT_MAX_SPATIAL], dilation[VT_MAX_SPATIAL], pads[2 * VT_MAX_SPATIAL];
    size_t block_size, block_count;
} columns;

static vt_status columns_read(const vt_op_args *args, columns *walk, vt_error *error)
{
    int blocks = 0;
    for (int i = 0; i < VT_MAX_SPATIAL; i++)
        walk->stride[i] = walk->dilation[i] = 1;
    vt_status status = vt_op_input_ints(args, 1, walk->image, VT_MAX_SPATIAL, &walk->rank, error);
    if (status == VT_OK)
        status = vt_op_input_ints(args, 2, walk->block, VT_MAX_SPATIAL, &blocks, error);
    if (status == VT_OK && (walk->rank < 1 || blocks != walk->rank))
        status = vt_fail(error, VT_ERR_FORMAT, "image of %d axes, block of %d", walk->rank, blocks);
    for (int i = 0; i < walk->rank && status == VT_OK; i++)
        if (walk->image[i] < 1 || walk->image[i] > VT_WINDOW_MAXIMUM || walk->block[i] < 1 ||
            walk->block[i] > VT_WINDOW_MAXIMUM)
            status = vt_fail(error, VT_ERR_FORMAT, "image of %lld and block of %lld along axis %d",
                             (long long)walk->image[i], (long long)walk->block[i], i);
    if (status == VT_OK)
        status = vt_window_numbers(args, "strides", 1, walk->rank, walk->stride, error);
    if (status == VT_OK)
        status = vt_window_numbers(args, "dilations", 1, walk->rank, walk->dilation, error);
    if (status == VT_OK)
        status = vt_window_numbers(args, "pads", 0, 2 * walk->rank, walk->pads, error);
    return status;
}

static vt_status columns_init(const vt_op_args *args, columns *walk, vt_error *error)
{
    const vt_shape *shape = &args->inputs[0].shape;
    *walk = (columns){.block_size = 1, .block_count = 1};
    vt_status status = columns_read(args, walk, error);
    for (int i = 0; i < walk->rank && status == VT_OK; i++) {
        int64_t span = (walk->block[i] - 1) * walk->dilation[i] + 1;
        int64_t room = walk->image[i] + walk->pads[i] + walk->pads[walk->rank + i] - span;
        walk->steps[i] = room < 0 ? 0 : room / walk->stride[i] + 1;
        if (walk->steps[i] == 0)
            status = vt_fail(error, VT_ERR_FORMAT, "block of %lld along axis %d does not fit",
                             (long long)span, i);
        else if (!vt_size_mul(walk->block_size, (size_t)walk->block[i], &walk->block_size) ||
                 !vt_size_mul(walk->block_count, (size_t)walk->steps[i], &walk->block_count))
            status = vt_fail(error, VT_ERR_LIMIT, "too many blocks");
    }
    if (status == VT_OK && ((size_t)shape->dims[1] % walk->block_size != 0 ||
                            (size_t)shape->dims[2] != walk->block_count))
        status =
            vt_fail(error, VT_ERR_FORMAT, "%lld by %lld columns, the image has %zu blocks of %zu",
                    (long long)shape->dims[1], (long long)shape->dims[2], walk->block_count,
                    walk->block_size);
    return status;
}

static vt_status col2im_infer(vt_op_args *args, vt_error *error)
{
    columns walk;
    vt_shape shape = args->inputs[0].shape;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_ALL, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 0, 3, 3, error);
    if (status == VT_OK)
        status = columns_init(args, &walk, error);
    if (status != VT_OK)
        return status;
    shape.dims[1] /= (int64_t)walk.block_size;
    shape.rank = 2 + walk.rank;
    for (int i = 0; i < walk.rank; i++)
        shape.dims[2 + i] = walk.image[i];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

/* The place in the image of tap `tap` of block `block`, -1 in the padding. */
static int64_t column_place(const columns *walk, size_t tap, size_t block)
{
    int64_t place = 0, scale = 1;
    for (int i = walk->rank - 1; i >= 0; i--) {
        int64_t at = (int64_t)(block % (size_t)walk->steps[i]) * walk->stride[i] - walk->pads[i] +
                     (int64_t)(tap % (size_t)walk->block[i]) * walk->dilation[i];
        tap /= (size_t)walk->block[i];
        block /= (size_t)walk->steps[i];
        if (at < 0 || at >= walk->image[i])
            return -1;
        place += at * scale;
        scale *= walk->image[i];
    }
    return place;
}

vt_status vt_col2im_places(const vt_op_args *args, int64_t **out, size_t *count, vt_error *error)
{
    columns walk;
    size_t all;
    vt_status status = columns_init(args, &walk, error);
    if (status != VT_OK)
        return status;
    int64_t *places = vt_size_mul(walk.block_size, walk.block_count, &all)
                          ? vt_alloc_array(all, sizeof(*places))
                          : NULL;
    if (places == NULL)
        return vt_fail_memory(error, "the places of columns");
    for (size_t k = 0; k < all; k++)
        places[k] = column_place(&walk, k / walk.block_count, k % walk.block_count);
    *out = places;
    *count = all;
    return VT_OK;
}

/* Sums in f64, or in 64 bits for integers, rounded once. */
static vt_status col2im_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    vt_tensor *y = &args->outputs[0];
    columns walk;
    vt_status status = columns_init(args, &walk, error);
    if (status != VT_OK)
        return status;
    size_t pixels = vt_shape_product(&y->shape, 2, y->shape.rank);
    size_t planes = vt_shape_product(&y->shape, 0, 2);
    bool is_float = vt_dtype_is_float(x->dtype);
    double *sums = vt_alloc_array(pixels, sizeof(*sums));
    int64_t *whole = vt_alloc_array(pixels, sizeof(*whole));
    if (sums == NULL || whole == NULL)
        status = vt_fail_memory(error, "an image");
    for (size_t plane = 0; plane < planes && status == VT_OK; plane++) {
        for (size_t i = 0; i < pixels; i++)
            sums[i] = 0.0, whole[i] = 0;
        for (size_t k = 0; k < walk.block_size * walk.block_count; k++) {
            int64_t place = column_place(&walk, k / walk.block_count, k % walk.block_count);
            int64_t value = 0;
            size_t from = plane * walk.block_size * walk.block_count + k;
            if (place < 0)
                continue;
            if (is_float)
                sums[place] += vt_tensor_get(x, from);
            else
                vt_load_i64(x->dtype, x->data, from, 1, &value);
            whole[place] = (int64_t)((uint64_t)whole[place] + (uint64_t)value);
        }
        if (is_float)
            vt_store_f64(y->dtype, y->data, plane * pixels, pixels, sums);
        else
            vt_store_i64(y->dtype, y->data, plane * pixels, pixels, whole);
    }
    vt_free(sums);
    vt_free(whole);
    return status;
}

const vt_op vt_ops_col2im[] = {
    {"Col2Im", "", 18, 0, 3, 3, 1, 1, "dilations:I pads:I strides:I", .shape_inputs = 0x6,
     .infer = col2im_infer, .reference = col2im_reference},
    {0},
};
