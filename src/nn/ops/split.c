/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split: one tensor cut along an axis; lengths from an attribute (opset 2), an input (13), or equal
 * parts, the last one shorter where num_outputs says so (18).
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

/* Length of every part, in an array that the caller frees. */
static vt_status split_given(const vt_op_args *args, int64_t *lengths, bool *given, vt_error *error)
{
    size_t parts = args->node->output_count;
    int count;
    int capacity = parts > INT32_MAX ? INT32_MAX : (int)parts;
    vt_status status = vt_op_ints(args, 1, "split", lengths, capacity, &count, error);
    *given = count >= 0;
    if (status == VT_OK && *given && (size_t)count != parts)
        status = vt_fail(error, VT_ERR_FORMAT, "%d lengths for %zu outputs", count, parts);
    return status;
}

static vt_status split_equal(const vt_op_args *args, int64_t whole, int64_t *lengths,
                             vt_error *error)
{
    int64_t parts = (int64_t)args->node->output_count;
    int64_t wanted = vt_node_int(args->node, "num_outputs", parts);
    if (wanted != parts)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"num_outputs\" is %lld with %lld outputs",
                       (long long)wanted, (long long)parts);
    if (whole % parts != 0 && args->node->opset < 18)
        return vt_fail(error, VT_ERR_FORMAT, "%lld do not divide into %lld equal parts",
                       (long long)whole, (long long)parts);
    int64_t length = whole / parts + (whole % parts != 0);
    for (int64_t i = 0; i < parts; i++) {
        int64_t rest = whole - i * length;
        lengths[i] = rest < length ? (rest < 0 ? 0 : rest) : length;
    }
    return VT_OK;
}

static vt_status split_lengths(const vt_op_args *args, int64_t whole, int64_t *lengths,
                               vt_error *error)
{
    bool given = false;
    vt_status status = split_given(args, lengths, &given, error);
    if (status != VT_OK || !given)
        return status == VT_OK ? split_equal(args, whole, lengths, error) : status;
    int64_t rest = whole;
    for (size_t i = 0; i < args->node->output_count; i++) {
        if (lengths[i] < 0 || lengths[i] > rest)
            return vt_fail(error, VT_ERR_FORMAT, "part %zu of length %lld does not fit", i,
                           (long long)lengths[i]);
        rest -= lengths[i];
    }
    if (rest != 0)
        return vt_fail(error, VT_ERR_FORMAT, "the parts leave %lld of %lld over", (long long)rest,
                       (long long)whole);
    return VT_OK;
}

static vt_status split_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape;
    int axis;
    vt_status status = vt_op_axis(vt_node_int(args->node, "axis", 0), shape.rank, &axis, error);
    if (status != VT_OK)
        return status;
    int64_t *lengths = vt_alloc_array(args->node->output_count, sizeof(*lengths));
    if (lengths == NULL)
        return vt_fail_memory(error, "lengths");
    status = split_lengths(args, shape.dims[axis], lengths, error);
    for (size_t i = 0; i < args->node->output_count && status == VT_OK; i++) {
        shape.dims[axis] = lengths[i];
        vt_op_set_output(args, i, args->inputs[0].dtype, &shape);
    }
    vt_free(lengths);
    return status;
}

static vt_status split_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    int axis;
    vt_status status = vt_op_axis(vt_node_int(args->node, "axis", 0), x->shape.rank, &axis, error);
    int64_t *lengths = vt_alloc_array(args->node->output_count, sizeof(*lengths));
    if (status == VT_OK && lengths == NULL)
        status = vt_fail_memory(error, "lengths");
    if (status == VT_OK)
        status = split_lengths(args, x->shape.dims[axis], lengths, error);
    size_t outer = vt_shape_product(&x->shape, 0, axis), offset = 0;
    size_t inner = vt_shape_product(&x->shape, axis + 1, x->shape.rank) * vt_dtype_bytes(x->dtype);
    size_t row = inner * (size_t)x->shape.dims[axis];
    for (size_t i = 0; i < args->node->output_count && status == VT_OK; i++) {
        size_t part = (size_t)lengths[i] * inner;
        for (size_t k = 0; k < outer && part > 0 && vt_op_wants(args, i); k++)
            memcpy((char *)args->outputs[i].data + k * part,
                   (const char *)x->data + k * row + offset, part);
        offset += part;
    }
    vt_free(lengths);
    return status;
}

#define ROW(since, until, inputs, attrs, values)                                                   \
    {                                                                                              \
        "Split", "", since, until, 1, inputs, 1, -1, attrs,                                        \
            .shape_inputs = values, .infer = split_infer, .reference = split_reference             \
    }

const vt_op vt_ops_split[] = {
    ROW(2, 12, 1, "axis:i split:I", 0),
    ROW(13, 17, 2, "axis:i", 1u << 1),
    ROW(18, 0, 2, "axis:i num_outputs:i", 1u << 1),
    {0},
};
