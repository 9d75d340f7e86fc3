/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running operators: the checks around every infer and reference, and what operator files share.
 *
 * Whatever an operator file computes as output shape is checked here once for all of them against
 * the model's limits before anyone asks for memory.
 */
#include "nn/ops/op.h"

#include <math.h>
#include <string.h>

static vt_status op_label(const vt_op_args *args, vt_status status, vt_error *error)
{
    char label[200];
    vt_node_label(args->graph, args->node, label, sizeof(label));
    return vt_fail_context(error, status, "%s", label);
}

static vt_status output_check(const vt_op_args *args, size_t index, vt_error *error)
{
    vt_tensor *output = &args->outputs[index];
    const vt_model_limits *limits = &args->graph->limits;
    char text[128];
    vt_shape_print(&output->shape, text, sizeof(text));
    if (output->dtype == VT_DTYPE_NONE || !vt_shape_known(&output->shape))
        return vt_fail(error, VT_ERR_FORMAT, "output %zu would have the shape %s", index, text);
    for (int i = 0; i < output->shape.rank; i++)
        if (output->shape.dims[i] > limits->dimension)
            return vt_fail(error, VT_ERR_LIMIT,
                           "output %zu would be %s, over the limit of %lld per dimension", index,
                           text, (long long)limits->dimension);
    size_t count;
    if (!vt_shape_count(&output->shape, &count) ||
        !vt_size_mul(count, vt_dtype_bytes(output->dtype), &output->bytes) ||
        output->bytes > limits->tensor_bytes)
        return vt_fail(error, VT_ERR_LIMIT,
                       "output %zu would be %s of %s, over the limit of %zu bytes", index, text,
                       vt_dtype_name(output->dtype), limits->tensor_bytes);
    return VT_OK;
}

vt_status vt_op_infer(vt_op_args *args, vt_error *error)
{
    memset(args->outputs, 0, args->node->output_count * sizeof(*args->outputs));
    vt_status status = args->node->op->infer(args, error);
    for (size_t i = 0; i < args->node->output_count && status == VT_OK; i++)
        if (vt_op_wants(args, i))
            status = output_check(args, i, error);
    return status == VT_OK ? VT_OK : op_label(args, status, error);
}

vt_status vt_op_run_reference(vt_op_args *args, vt_error *error)
{
    bool empty = true; /* nothing to compute, whatever the other dimensions are */
    for (size_t i = 0; i < args->node->output_count && empty; i++)
        empty = !vt_op_wants(args, i) || vt_tensor_count(&args->outputs[i]) == 0;
    vt_status status = empty ? VT_OK : args->node->op->reference(args, error);
    return status == VT_OK ? VT_OK : op_label(args, status, error);
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t multiply_saturating(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint64_t vt_op_work(const vt_op_args *args)
{
    uint64_t in = 1, out = 1;
    for (size_t i = 0; i < args->node->input_count; i++)
        in = add_saturating(in, vt_tensor_count(&args->inputs[i]));
    for (size_t i = 0; i < args->node->output_count; i++)
        out = add_saturating(out, vt_tensor_count(&args->outputs[i]));
    if (args->node->op->macs != NULL)
        return add_saturating(args->node->op->macs(args), add_saturating(in, out));
    return args->node->op->flags & VT_OP_HEAVY ? multiply_saturating(in, out)
                                               : add_saturating(in, out);
}

const vt_tensor *vt_op_input(const vt_op_args *args, size_t index)
{
    if (index >= args->node->input_count || args->node->inputs[index] == VT_NO_VALUE)
        return NULL;
    return &args->inputs[index];
}

bool vt_op_wants(const vt_op_args *args, size_t index)
{
    return index < args->node->output_count && args->node->outputs[index] != VT_NO_VALUE;
}

void vt_op_set_output(vt_op_args *args, size_t index, vt_dtype dtype, const vt_shape *shape)
{
    if (!vt_op_wants(args, index))
        return;
    args->outputs[index].dtype = dtype;
    args->outputs[index].shape = *shape;
}

vt_status vt_op_check_type(const vt_op_args *args, size_t index, unsigned types, vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    if (input == NULL || (VT_TYPE(input->dtype) & types) != 0)
        return VT_OK;
    return vt_fail(error, VT_ERR_UNSUPPORTED, "input %zu has type %s, which it does not take",
                   index, vt_dtype_name(input->dtype));
}

vt_status vt_op_check_same(const vt_op_args *args, unsigned types, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, types, error);
    for (size_t i = 1; i < args->node->input_count && status == VT_OK; i++) {
        const vt_tensor *input = vt_op_input(args, i);
        if (input != NULL && input->dtype != args->inputs[0].dtype)
            status = vt_fail(error, VT_ERR_FORMAT, "input %zu has type %s, input 0 has %s", i,
                             vt_dtype_name(input->dtype), vt_dtype_name(args->inputs[0].dtype));
    }
    return status;
}

vt_status vt_op_check_rank(const vt_op_args *args, size_t index, int low, int high, vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    if (input == NULL || (input->shape.rank >= low && input->shape.rank <= high))
        return VT_OK;
    return vt_fail(error, VT_ERR_FORMAT, "input %zu has %d dimensions, it takes %d to %d", index,
                   input->shape.rank, low, high);
}

bool vt_op_is_known(const vt_tensor *tensor)
{
    return tensor->data != NULL || vt_tensor_count(tensor) == 0;
}

vt_status vt_op_check_known(const vt_op_args *args, size_t index, vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    if (input == NULL || vt_op_is_known(input))
        return VT_OK;
    return vt_fail(error, VT_ERR_UNSUPPORTED,
                   "the value of input %zu is needed to plan but is computed from the data", index);
}

vt_status vt_op_input_ints(const vt_op_args *args, size_t index, int64_t *out, int capacity,
                           int *count, vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    if (input == NULL)
        return vt_fail(error, VT_ERR_FORMAT, "input %zu is left out", index);
    vt_status status = vt_op_check_type(args, index, VT_TYPES_INDEX, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, index, 0, 1, error);
    if (status == VT_OK)
        status = vt_op_check_known(args, index, error);
    if (status != VT_OK)
        return status;
    size_t have = vt_tensor_count(input);
    if (have > (size_t)capacity)
        return vt_fail(error, VT_ERR_LIMIT, "input %zu has %zu elements, at most %d make sense",
                       index, have, capacity);
    vt_load_i64(input->dtype, input->data, 0, have, out);
    *count = (int)have;
    return VT_OK;
}

vt_status vt_op_ints(const vt_op_args *args, size_t index, const char *name, int64_t *out,
                     int capacity, int *count, vt_error *error)
{
    if (vt_op_input(args, index) != NULL)
        return vt_op_input_ints(args, index, out, capacity, count, error);
    int have = vt_node_ints(args->node, name, out, capacity);
    if (have > capacity)
        return vt_fail(error, VT_ERR_LIMIT,
                       "attribute \"%s\" has %d numbers, at most %d make sense", name, have,
                       capacity);
    *count = have;
    return VT_OK;
}

vt_status vt_op_axis(int64_t axis, int rank, int *out, vt_error *error)
{
    if (axis < -(int64_t)rank || axis >= rank)
        return vt_fail(error, VT_ERR_FORMAT, "axis %lld is outside a tensor of %d dimensions",
                       (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return VT_OK;
}

vt_status vt_op_axes(const int64_t *axes, int count, int rank, bool marks[VT_MAX_RANK],
                     vt_error *error)
{
    memset(marks, 0, VT_MAX_RANK * sizeof(*marks));
    for (int i = 0; i < count; i++) {
        int axis = 0;
        vt_status status = vt_op_axis(axes[i], rank, &axis, error);
        if (status != VT_OK)
            return status;
        if (marks[axis])
            return vt_fail(error, VT_ERR_FORMAT, "axis %d is given twice", axis);
        marks[axis] = true;
    }
    return VT_OK;
}

vt_status vt_op_index(const vt_tensor *indices, size_t at, int64_t length, size_t *out,
                      vt_error *error)
{
    int64_t index;
    vt_load_i64(indices->dtype, indices->data, at, 1, &index);
    if (index < -length || index >= length)
        return vt_fail(error, VT_ERR_FORMAT, "index %lld is outside an axis of %lld",
                       (long long)index, (long long)length);
    *out = (size_t)(index < 0 ? index + length : index);
    return VT_OK;
}

vt_status vt_op_int_between(const vt_op_args *args, const char *name, int64_t fallback,
                            const int64_t range[2], int64_t *out, vt_error *error)
{
    int64_t value = vt_node_int(args->node, name, fallback);
    if (value < range[0] || value > range[1])
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"%s\" is %lld, outside [%lld, %lld]", name,
                       (long long)value, (long long)range[0], (long long)range[1]);
    *out = value;
    return VT_OK;
}

size_t vt_shape_product(const vt_shape *shape, int from, int to)
{
    size_t product = 1;
    for (int i = from; i < to; i++)
        product *= (size_t)shape->dims[i];
    return product;
}

void vt_shape_strides(const vt_shape *shape, size_t strides[VT_MAX_RANK])
{
    size_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= (size_t)shape->dims[i];
    }
}

vt_status vt_op_widen(const vt_tensor *tensor, double **out, vt_error *error)
{
    size_t count = vt_tensor_count(tensor);
    double *wide = vt_alloc_array(count, sizeof(*wide));
    if (wide == NULL)
        return vt_fail_memory(error, "a widened tensor");
    vt_load_f64(tensor->dtype, tensor->data, 0, count, wide);
    *out = wide;
    return VT_OK;
}

/* Of a u64 the highest bit, so that signed comparisons order it. */
static int64_t number_turn(vt_dtype dtype, int64_t bits)
{
    return dtype == VT_U64 ? (int64_t)((uint64_t)bits ^ UINT64_C(1) << 63) : bits;
}

vt_number vt_number_load(const vt_tensor *x, size_t place)
{
    vt_number number = {0};
    if (vt_dtype_is_float(x->dtype))
        vt_load_f64(x->dtype, x->data, place, 1, &number.f64);
    else
        vt_load_i64(x->dtype, x->data, place, 1, &number.i64);
    number.i64 = number_turn(x->dtype, number.i64);
    return number;
}

void vt_number_store(vt_tensor *y, size_t place, vt_number number)
{
    int64_t whole = number_turn(y->dtype, number.i64);
    if (vt_dtype_is_float(y->dtype))
        vt_store_f64(y->dtype, y->data, place, 1, &number.f64);
    else
        vt_store_i64(y->dtype, y->data, place, 1, &whole);
}

int vt_number_compare(vt_number a, vt_number b)
{
    if (isnan(a.f64) || isnan(b.f64))
        return (isnan(a.f64) ? 1 : 0) - (isnan(b.f64) ? 1 : 0);
    return (a.f64 > b.f64) - (a.f64 < b.f64) + (a.i64 > b.i64) - (a.i64 < b.i64);
}
