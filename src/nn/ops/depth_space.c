/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DepthToSpace and SpaceToDepth: channels to blocks of pixels and back, both a transposition of six
 * axes.
 *
 * With C' channels of b x b blocks, DepthToSpace reads its channels as (b, b, C') in mode DCR (the
 * only one before opset 11) or (C', b, b) in mode CRD; SpaceToDepth writes (b, b, C').
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

static vt_status block_size(const vt_op_args *args, int64_t *block, vt_error *error)
{
    const int64_t range[2] = {1, INT64_C(1) << 20}; /* its square fits easily */
    vt_status status = vt_op_check_rank(args, 0, 4, 4, error);
    return status == VT_OK ? vt_op_int_between(args, "blocksize", 0, range, block, error) : status;
}

static vt_status depth_to_space_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape;
    int64_t block = 1;
    const char *mode = vt_node_text(args->node, "mode", "DCR");
    vt_status status = block_size(args, &block, error);
    if (status == VT_OK && strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        status = vt_fail(error, VT_ERR_FORMAT, "attribute \"mode\" is \"%.40s\"", mode);
    if (status == VT_OK && shape.dims[1] % (block * block) != 0)
        status = vt_fail(error, VT_ERR_FORMAT, "%lld channels do not fill blocks of %lldx%lld",
                         (long long)shape.dims[1], (long long)block, (long long)block);
    if (status != VT_OK)
        return status;
    shape.dims[1] /= block * block;
    if (__builtin_mul_overflow(shape.dims[2], block, &shape.dims[2]) ||
        __builtin_mul_overflow(shape.dims[3], block, &shape.dims[3]))
        return vt_fail(error, VT_ERR_LIMIT, "the result would be too large");
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

static vt_status space_to_depth_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape;
    int64_t block = 1;
    vt_status status = block_size(args, &block, error);
    if (status == VT_OK && (shape.dims[2] % block != 0 || shape.dims[3] % block != 0))
        status = vt_fail(error, VT_ERR_FORMAT, "%lldx%lld pixels are not whole blocks of %lld",
                         (long long)shape.dims[2], (long long)shape.dims[3], (long long)block);
    if (status != VT_OK)
        return status;
    if (__builtin_mul_overflow(shape.dims[1], block * block, &shape.dims[1]))
        return vt_fail(error, VT_ERR_LIMIT, "the result would be too large");
    shape.dims[2] /= block;
    shape.dims[3] /= block;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

/* Axes of the walk: n, channel, block row, block column, pixel row, pixel column. depth and space
 * get the strides of the tensor with many channels and of the one with many pixels. */
static void block_walk(const vt_shape *deep, int64_t block, bool channels_first, int64_t dims[6],
                       int64_t depth[6], int64_t space[6])
{
    int64_t channels = deep->dims[1] / (block * block), rows = deep->dims[2];
    int64_t columns = deep->dims[3], plane = rows * columns;
    const int64_t walk[6] = {deep->dims[0], channels, block, block, rows, columns};
    const int64_t many[6] = {deep->dims[1] * plane,
                             channels_first ? block * block * plane : plane,
                             channels_first ? block * plane : block * channels * plane,
                             channels_first ? plane : channels * plane,
                             columns,
                             1};
    const int64_t wide[6] = {deep->dims[1] * plane,   plane * block * block,
                             columns * block,         1,
                             block * columns * block, block};
    memcpy(dims, walk, sizeof(walk));
    memcpy(depth, many, sizeof(many));
    memcpy(space, wide, sizeof(wide));
}

static vt_status depth_to_space_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_tensor *x = &args->inputs[0];
    vt_copy copy = {.rank = 6, .bytes = vt_dtype_bytes(x->dtype)};
    bool channels_first = strcmp(vt_node_text(args->node, "mode", "DCR"), "CRD") == 0;
    block_walk(&x->shape, vt_node_int(args->node, "blocksize", 1), channels_first, copy.dims,
               copy.from, copy.to);
    vt_copy_run(&copy, x->data, args->outputs[0].data);
    return VT_OK;
}

static vt_status space_to_depth_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_tensor *x = &args->inputs[0];
    vt_copy copy = {.rank = 6, .bytes = vt_dtype_bytes(x->dtype)};
    block_walk(&args->outputs[0].shape, vt_node_int(args->node, "blocksize", 1), false, copy.dims,
               copy.to, copy.from);
    vt_copy_run(&copy, x->data, args->outputs[0].data);
    return VT_OK;
}

const vt_op vt_ops_depth_space[] = {
    {"DepthToSpace", "", 1, 10, 1, 1, 1, 1, "blocksize:i!", .infer = depth_to_space_infer,
     .reference = depth_to_space_reference},
    {"DepthToSpace", "", 11, 0, 1, 1, 1, 1, "blocksize:i! mode:s", .infer = depth_to_space_infer,
     .reference = depth_to_space_reference},
    {"SpaceToDepth", "", 1, 0, 1, 1, 1, 1, "blocksize:i!", .infer = space_to_depth_infer,
     .reference = space_to_depth_reference},
    {0},
};
