/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LayerNormalization, RMSNormalization, GroupNormalization, InstanceNormalization: normalisation
 * over rows, that is runs of numbers that lie side by side in memory.
 *
 * Layer and RMS see everything from `axis` on as a row and broadcast scale and bias to the input;
 * Group sees a group of channels with their pixels, Instance one channel, and both scale by channel
 * (Group before opset 21 by group). The mean is taken first and the variance as the mean of squared
 * differences from it, all in f64, where the specification's function bodies subtract the squared
 * mean from the mean square and so lose digits.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <assert.h>
#include <math.h>

static double mean_of(const double *row, size_t length)
{
    double sum = 0.0;
    for (size_t i = 0; i < length; i++)
        sum += row[i];
    return sum / (double)length;
}

/* Mean of (x - center)^2. */
static double mean_square(const double *row, size_t length, double center)
{
    double sum = 0.0;
    for (size_t i = 0; i < length; i++)
        sum += (row[i] - center) * (row[i] - center);
    return sum / (double)length;
}

static double epsilon_of(const vt_op_args *args)
{
    return (double)vt_node_float(args->node, "epsilon", 1e-5f);
}

/* Precision of the statistics: the reference is always at least as precise, so this only decides
 * the type of LayerNormalization's further outputs. */
static vt_status stash_type_of(const vt_op_args *args, vt_dtype *type, vt_error *error)
{
    int64_t stash = vt_node_int(args->node, "stash_type", VT_F32);
    if (stash != VT_F32 && stash != VT_BF16 && stash != VT_F16 && stash != VT_F64)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "attribute \"stash_type\" is %lld, no float type",
                       (long long)stash);
    *type = (vt_dtype)stash;
    return VT_OK;
}

/* ---- LayerNormalization and RMSNormalization ---- */

static vt_status rows_axis(const vt_op_args *args, int *axis, vt_error *error)
{
    return vt_op_axis(vt_node_int(args->node, "axis", -1), args->inputs[0].shape.rank, axis, error);
}

/* Input `index` may be repeated to fit the first, never the other way round. */
static vt_status check_repeats(const vt_op_args *args, size_t index, vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    vt_shape common = args->inputs[0].shape;
    vt_status status = VT_OK;
    if (input == NULL)
        return VT_OK;
    status = vt_broadcast_shape(&common, &input->shape, error);
    if (status == VT_OK && !vt_shape_equal(&common, &args->inputs[0].shape))
        status = vt_fail(error, VT_ERR_FORMAT, "input %zu does not broadcast to the input", index);
    return status;
}

static vt_status layer_infer(vt_op_args *args, vt_error *error)
{
    int axis;
    vt_dtype stash;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = rows_axis(args, &axis, error);
    if (status == VT_OK)
        status = stash_type_of(args, &stash, error);
    for (size_t i = 1; i < 3 && status == VT_OK; i++)
        status = check_repeats(args, i, error);
    if (status != VT_OK)
        return status;
    vt_shape statistics = args->inputs[0].shape;
    for (int i = axis; i < statistics.rank; i++)
        statistics.dims[i] = 1;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    vt_op_set_output(args, 1, stash, &statistics);
    vt_op_set_output(args, 2, stash, &statistics);
    return VT_OK;
}

/* Data and scale may be of different types, the result has the scale's. */
static vt_status rms_infer(vt_op_args *args, vt_error *error)
{
    int axis;
    vt_dtype stash;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = rows_axis(args, &axis, error);
    if (status == VT_OK)
        status = stash_type_of(args, &stash, error);
    if (status == VT_OK)
        status = check_repeats(args, 1, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[1].dtype, &args->inputs[0].shape);
    return status;
}

/* Scale or bias as one number per number of a row. */
typedef struct row_weight {
    const vt_tensor *tensor; /* NULL: left out */
    vt_broadcast map;
    bool fixed, loaded; /* fixed: the same for every row */
    double *values;     /* (length) */
    size_t *indices;    /* (length) */
} row_weight;

static vt_status weight_init(row_weight *weight, const vt_tensor *tensor, const vt_shape *target,
                             int axis, vt_error *error)
{
    size_t length = vt_shape_product(target, axis, target->rank);
    *weight = (row_weight){.tensor = tensor, .fixed = true};
    if (tensor == NULL)
        return VT_OK;
    vt_broadcast_init(&weight->map, &tensor->shape, target);
    for (int i = 0; i < axis; i++)
        weight->fixed = weight->fixed && weight->map.strides[i] == 0;
    weight->values = vt_alloc_array(length, sizeof(*weight->values));
    weight->indices = vt_alloc_array(length, sizeof(*weight->indices));
    if (weight->values == NULL || weight->indices == NULL)
        return vt_fail_memory(error, "a row of weights");
    return VT_OK;
}

static void weight_load(row_weight *weight, size_t row, size_t length)
{
    if (weight->tensor == NULL || (weight->loaded && weight->fixed))
        return;
    vt_broadcast_indices(&weight->map, row * length, length, weight->indices);
    vt_gather_f64(weight->tensor->dtype, weight->tensor->data, weight->indices, length,
                  weight->values);
    weight->loaded = true;
}

static void weight_deinit(row_weight *weight)
{
    vt_free(weight->values);
    vt_free(weight->indices);
}

/* weights: scale and bias. */
static void rows_run(vt_op_args *args, int axis, bool centred, row_weight weights[2], double *row)
{
    const vt_tensor *x = &args->inputs[0];
    size_t length = vt_shape_product(&x->shape, axis, x->shape.rank);
    size_t rows = vt_shape_product(&x->shape, 0, axis);
    const double epsilon = epsilon_of(args), *scale = weights[0].values, *bias = weights[1].values;
    assert(scale != NULL);
    for (size_t r = 0; r < rows; r++) {
        vt_load_f64(x->dtype, x->data, r * length, length, row);
        double mean = centred ? mean_of(row, length) : 0.0;
        double inverse = 1.0 / sqrt(mean_square(row, length, mean) + epsilon);
        weight_load(&weights[0], r, length);
        weight_load(&weights[1], r, length);
        for (size_t i = 0; i < length; i++)
            row[i] = (row[i] - mean) * inverse * scale[i];
        for (size_t i = 0; bias != NULL && i < length; i++)
            row[i] += bias[i];
        if (vt_op_wants(args, 0))
            vt_store_f64(args->outputs[0].dtype, args->outputs[0].data, r * length, length, row);
        if (vt_op_wants(args, 1))
            vt_store_f64(args->outputs[1].dtype, args->outputs[1].data, r, 1, &mean);
        if (vt_op_wants(args, 2))
            vt_store_f64(args->outputs[2].dtype, args->outputs[2].data, r, 1, &inverse);
    }
}

static vt_status rows_reference(vt_op_args *args, bool centred, vt_error *error)
{
    const vt_shape *shape = &args->inputs[0].shape;
    row_weight weights[2] = {0};
    int axis = 0;
    double *row = NULL;
    vt_status status = rows_axis(args, &axis, error);
    for (size_t i = 0; i < 2 && status == VT_OK; i++)
        status = weight_init(&weights[i], vt_op_input(args, i + 1), shape, axis, error);
    if (status == VT_OK) {
        row = vt_alloc_array(vt_shape_product(shape, axis, shape->rank), sizeof(*row));
        if (row == NULL)
            status = vt_fail_memory(error, "a row of a tensor");
    }
    if (status == VT_OK)
        rows_run(args, axis, centred, weights, row);
    vt_free(row);
    weight_deinit(&weights[0]);
    weight_deinit(&weights[1]);
    return status;
}

static vt_status layer_reference(vt_op_args *args, vt_error *error)
{
    return rows_reference(args, true, error);
}

static vt_status rms_reference(vt_op_args *args, vt_error *error)
{
    return rows_reference(args, false, error);
}

/* ---- GroupNormalization and InstanceNormalization ---- */

/* count: what scale and bias have one number for each of. */
static vt_status channels_infer(vt_op_args *args, int64_t count, vt_error *error)
{
    vt_shape weights = vt_shape_of(1, &count);
    for (size_t i = 1; i < 3; i++)
        if (!vt_shape_equal(&args->inputs[i].shape, &weights))
            return vt_fail(error, VT_ERR_FORMAT, "input %zu does not have %lld numbers", i,
                           (long long)count);
    vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    return VT_OK;
}

static vt_status channels_check(const vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    return status == VT_OK ? vt_op_check_rank(args, 0, 2, VT_MAX_RANK, error) : status;
}

static vt_status group_count(const vt_op_args *args, int64_t *groups, vt_error *error)
{
    int64_t channels = args->inputs[0].shape.dims[1];
    vt_status status =
        vt_op_int_between(args, "num_groups", 0, (const int64_t[]){1, INT32_MAX}, groups, error);
    if (status == VT_OK && channels % *groups != 0)
        status = vt_fail(error, VT_ERR_FORMAT, "%lld channels do not divide into %lld groups",
                         (long long)channels, (long long)*groups);
    return status;
}

static vt_status group_infer(vt_op_args *args, vt_error *error)
{
    int64_t groups = 0;
    vt_dtype stash;
    vt_status status = channels_check(args, error);
    if (status == VT_OK)
        status = group_count(args, &groups, error);
    if (status == VT_OK)
        status = stash_type_of(args, &stash, error);
    if (status != VT_OK)
        return status;
    return channels_infer(args, args->node->opset < 21 ? groups : args->inputs[0].shape.dims[1],
                          error);
}

static vt_status instance_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = channels_check(args, error);
    return status == VT_OK ? channels_infer(args, args->inputs[0].shape.dims[1], error) : status;
}

/* by_group: scale and bias have one number per group, not per channel. */
static vt_status groups_run(vt_op_args *args, size_t groups, bool by_group, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    const double epsilon = epsilon_of(args);
    size_t inner = vt_shape_product(&x->shape, 2, x->shape.rank);
    size_t each = (size_t)x->shape.dims[1] / groups, length = each * inner;
    size_t rows = (size_t)x->shape.dims[0] * groups;
    double *row = vt_alloc_array(length, sizeof(*row));
    if (row == NULL)
        return vt_fail_memory(error, "a group of channels");
    for (size_t r = 0; r < rows; r++) {
        size_t group = r % groups;
        vt_load_f64(x->dtype, x->data, r * length, length, row);
        double mean = mean_of(row, length);
        double inverse = 1.0 / sqrt(mean_square(row, length, mean) + epsilon);
        for (size_t c = 0; c < each; c++) {
            size_t weight = by_group ? group : group * each + c;
            double factor = inverse * vt_tensor_get(&args->inputs[1], weight);
            double shift = vt_tensor_get(&args->inputs[2], weight);
            double *channel = row + c * inner;
            for (size_t i = 0; i < inner; i++)
                channel[i] = (channel[i] - mean) * factor + shift;
        }
        vt_store_f64(x->dtype, args->outputs[0].data, r * length, length, row);
    }
    vt_free(row);
    return VT_OK;
}

static vt_status group_reference(vt_op_args *args, vt_error *error)
{
    int64_t groups = 1;
    vt_status status = group_count(args, &groups, error);
    return status == VT_OK ? groups_run(args, (size_t)groups, args->node->opset < 21, error)
                           : status;
}

static vt_status instance_reference(vt_op_args *args, vt_error *error)
{
    return groups_run(args, (size_t)args->inputs[0].shape.dims[1], false, error);
}

const vt_op vt_ops_norm_rows[] = {
    {"LayerNormalization", "", 17, 0, 2, 3, 1, 3, "axis:i epsilon:f stash_type:i",
     .infer = layer_infer, .reference = layer_reference},
    {"RMSNormalization", "", 23, 0, 2, 2, 1, 1, "axis:i epsilon:f stash_type:i", .infer = rms_infer,
     .reference = rms_reference},
    {"GroupNormalization", "", 18, 20, 3, 3, 1, 1, "epsilon:f num_groups:i!", .infer = group_infer,
     .reference = group_reference},
    {"GroupNormalization", "", 21, 0, 3, 3, 1, 1, "epsilon:f num_groups:i! stash_type:i",
     .infer = group_infer, .reference = group_reference},
    {"InstanceNormalization", "", 6, 0, 3, 3, 1, 1, "epsilon:f", .infer = instance_infer,
     .reference = instance_reference},
    {0},
};
