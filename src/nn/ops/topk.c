/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TopK: the k largest (from opset 11 on also smallest) numbers along one axis and where they are.
 *
 * Method: every row is sorted whole; equal numbers keep the order of their indices, the lower
 * first, as the specification wants. The order of an unsorted result is open and is the sorted one
 * here. NaN, also left open, is larger than every number.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <stdlib.h>

typedef struct topk_entry {
    vt_number number;
    int64_t index;
} topk_entry;

static vt_status topk_count(const vt_op_args *args, int64_t *k, vt_error *error)
{
    int count = 0;
    if (args->node->opset < 10) {
        *k = vt_node_int(args->node, "k", 0);
        return VT_OK;
    }
    vt_status status = vt_op_input_ints(args, 1, k, 1, &count, error);
    if (status == VT_OK && count != 1)
        status = vt_fail(error, VT_ERR_FORMAT, "input 1 is not a single number");
    return status;
}

static vt_status topk_infer(vt_op_args *args, vt_error *error)
{
    vt_shape shape = args->inputs[0].shape;
    int axis = 0;
    int64_t k = 0;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_NUMBER, error);
    if (status == VT_OK)
        status = vt_op_axis(vt_node_int(args->node, "axis", -1), shape.rank, &axis, error);
    if (status == VT_OK)
        status = topk_count(args, &k, error);
    if (status == VT_OK && (k < 0 || k > shape.dims[axis]))
        status = vt_fail(error, VT_ERR_FORMAT, "%lld of the %lld along axis %d are asked for",
                         (long long)k, (long long)shape.dims[axis], axis);
    if (status != VT_OK)
        return status;
    shape.dims[axis] = k;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    vt_op_set_output(args, 1, VT_I64, &shape);
    return VT_OK;
}

static int compare_smallest(const void *left, const void *right)
{
    const topk_entry *a = left, *b = right;
    int order = vt_number_compare(a->number, b->number);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static int compare_largest(const void *left, const void *right)
{
    const topk_entry *a = left, *b = right;
    int order = vt_number_compare(b->number, a->number);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static vt_status topk_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    int axis;
    bool largest = vt_node_int(args->node, "largest", 1) != 0;
    vt_status status = vt_op_axis(vt_node_int(args->node, "axis", -1), x->shape.rank, &axis, error);
    if (status != VT_OK)
        return status;
    size_t length = (size_t)x->shape.dims[axis];
    size_t outer = vt_shape_product(&x->shape, 0, axis);
    size_t inner = vt_shape_product(&x->shape, axis + 1, x->shape.rank);
    size_t first = vt_op_wants(args, 0) ? 0 : 1;
    size_t k = (size_t)args->outputs[first].shape.dims[axis];
    topk_entry *row = vt_alloc_array(length, sizeof(*row));
    if (row == NULL)
        return vt_fail_memory(error, "a row of a tensor");
    for (size_t r = 0; r < outer * inner; r++) {
        size_t base = r / inner * length * inner + r % inner;
        size_t target = r / inner * k * inner + r % inner;
        for (size_t i = 0; i < length; i++)
            row[i] = (topk_entry){vt_number_load(x, base + i * inner), (int64_t)i};
        qsort(row, length, sizeof(*row), largest ? compare_largest : compare_smallest);
        for (size_t i = 0; i < k; i++) {
            if (vt_op_wants(args, 0))
                vt_number_store(&args->outputs[0], target + i * inner, row[i].number);
            if (vt_op_wants(args, 1))
                ((int64_t *)args->outputs[1].data)[target + i * inner] = row[i].index;
        }
    }
    vt_free(row);
    return VT_OK;
}

/* Comparisons of the sorts: a logarithm of at most 40 for each number. */
static uint64_t topk_macs(const vt_op_args *args)
{
    return (uint64_t)vt_tensor_count(&args->inputs[0]) * 40;
}

#define ROW(since, until, inputs, attrs, values)                                                   \
    {                                                                                              \
        "TopK", "", since, until, inputs, inputs, 1, 2, attrs,                                     \
            .shape_inputs = values, .infer = topk_infer, .reference = topk_reference,              \
            .macs = topk_macs                                                                      \
    }

const vt_op vt_ops_topk[] = {
    ROW(1, 9, 1, "axis:i k:i!", 0),
    ROW(10, 10, 2, "axis:i", 1u << 1),
    ROW(11, 0, 2, "axis:i largest:i sorted:i", 1u << 1),
    {0},
};
