/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalisation of rows that an exporter spelled out, to one LayerNormalization or
 * RMSNormalization.
 *
 * Method: at a division by (or multiplication with the reciprocal of) sqrt(mean(d^2) + epsilon),
 * d = x - mean(x) makes it the former, any other d the latter with x = d. Squares may be Pow or
 * Mul, roots Sqrt or Pow, the reciprocal a Reciprocal or a division; d may be computed twice, as
 * PyTorch did. Means go over the last axes and keep them. A constant scale and then a constant
 * bias that vary over those axes only are taken along, each when the value before it has no other
 * reader. What lies between must be read by nothing else. Sources: Ba, Kiros and Hinton, "Layer
 * Normalization" (2016); Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019).
 * Departures: f64 stays as it is, as the operators compute in f32 unless told otherwise; so does
 * the form by batch normalisation's affine map, x s + (beta - mean s).
 */
#include "nn/ops/op.h"
#include "nn/passes/match.h"

typedef struct norm {
    vt_plan *plan;
    const vt_pass_uses *uses;
    vt_value_id x;
    bool centred; /* LayerNormalization */
    int axis;     /* the first of those that are normalised over */
    double epsilon;
    vt_cluster cluster;
    size_t last;             /* the step whose result is the operator's */
    vt_value_id scale, bias; /* VT_NO_VALUE: none */
} norm;

/* ---- pieces ---- */

static size_t producer(const norm *n, vt_value_id value, const char *op, size_t inputs)
{
    return vt_match_producer(n->plan, n->uses, value, op, inputs);
}

static vt_value_id input_of(const norm *n, size_t step, size_t input)
{
    return n->plan->steps[step].node.inputs[input];
}

/* The mean over the last axes, kept: of what, and from which axis on. */
static bool match_mean(norm *n, vt_value_id value, vt_value_id *of, int *axis)
{
    bool marks[VT_MAX_RANK] = {false};
    int64_t axes[VT_MAX_RANK];
    size_t at = vt_pass_producer(n->uses, value);
    if (at == SIZE_MAX || !vt_pass_is(&n->plan->steps[at], "ReduceMean")) {
        return false;
    }
    const vt_step *step = &n->plan->steps[at];
    int count = vt_node_ints(&step->node, "axes", axes, VT_MAX_RANK);
    const vt_tensor *constant = vt_pass_constant(n->plan, step, 1);
    if (constant && constant->dtype == VT_I64 && vt_tensor_count(constant) <= VT_MAX_RANK) {
        count = (int)vt_tensor_count(constant);
        vt_load_i64(VT_I64, constant->data, 0, (size_t)count, axes);
    }
    int rank = n->plan->values[step->node.inputs[0]].tensor.shape.rank;
    if (step->post_count > 0 || count < 1 || count > rank ||
        vt_node_int(&step->node, "keepdims", 1) != 1) {
        return false;
    }
    for (int i = 0; i < count; i++) { /* in range and different: they have been inferred with */
        marks[axes[i] < 0 ? axes[i] + rank : axes[i]] = true;
    }
    for (int i = rank - count; i < rank; i++) {
        if (!marks[i]) {
            return false;
        }
    }
    *of = step->node.inputs[0];
    *axis = rank - count;
    return vt_cluster_add(&n->cluster, at);
}

static bool match_power(norm *n, vt_value_id value, double exponent, vt_value_id *base)
{
    double have;
    size_t at = producer(n, value, "Pow", 2);
    if (at == SIZE_MAX || !vt_match_scalar(n->plan, input_of(n, at, 1), &have) ||
        have != exponent) {
        return false;
    }
    *base = input_of(n, at, 0);
    return vt_cluster_add(&n->cluster, at);
}

static bool match_square(norm *n, vt_value_id value, vt_value_id *base)
{
    size_t at = producer(n, value, "Mul", 2);
    if (at != SIZE_MAX && input_of(n, at, 0) == input_of(n, at, 1)) {
        *base = input_of(n, at, 0);
        return vt_cluster_add(&n->cluster, at);
    }
    return match_power(n, value, 2, base);
}

static bool match_unary(norm *n, vt_value_id value, const char *op, vt_value_id *of)
{
    size_t at = producer(n, value, op, 1);
    if (at == SIZE_MAX) {
        return false;
    }
    *of = input_of(n, at, 0);
    return vt_cluster_add(&n->cluster, at);
}

static bool match_root(norm *n, vt_value_id value, vt_value_id *of)
{
    return match_unary(n, value, "Sqrt", of) || match_power(n, value, 0.5, of);
}

/* 1 / root. */
static bool match_reciprocal_root(norm *n, vt_value_id value, vt_value_id *of)
{
    double one;
    vt_value_id root;
    if (match_unary(n, value, "Reciprocal", &root)) {
        return match_root(n, root, of);
    }
    size_t at = producer(n, value, "Div", 2);
    if (at != SIZE_MAX && vt_match_scalar(n->plan, input_of(n, at, 0), &one) && one == 1) {
        root = input_of(n, at, 1);
        return vt_cluster_add(&n->cluster, at) && match_root(n, root, of);
    }
    return match_power(n, value, -0.5, of);
}

/* ---- the whole ---- */

/* d = x - mean(x) over the same axes. */
static bool match_centred(norm *n, vt_value_id d, int axis, vt_value_id *x)
{
    vt_value_id of;
    int mean_axis;
    size_t at = producer(n, d, "Sub", 2);
    if (at == SIZE_MAX || !match_mean(n, input_of(n, at, 1), &of, &mean_axis)) {
        return false;
    }
    *x = input_of(n, at, 0);
    return of == *x && mean_axis == axis && vt_cluster_add(&n->cluster, at);
}

/* variance = mean(d^2) + epsilon, where `numerator` is d, or another difference like it. */
static bool match_variance(norm *n, vt_value_id variance, vt_value_id numerator)
{
    vt_value_id squares, d, x = VT_NO_VALUE, again = VT_NO_VALUE;
    size_t at = producer(n, variance, "Add", 2);
    int side =
        at == SIZE_MAX ? -1 : vt_match_scalar_side(n->plan, &n->plan->steps[at], &n->epsilon);
    if (side < 0 || !(n->epsilon >= 0) || !vt_cluster_add(&n->cluster, at) ||
        !match_mean(n, input_of(n, at, (size_t)(1 - side)), &squares, &n->axis) ||
        !match_square(n, squares, &d)) {
        return false;
    }
    vt_cluster plain = n->cluster;
    n->centred = match_centred(n, d, n->axis, &x) &&
                 (d == numerator || (match_centred(n, numerator, n->axis, &again) && again == x));
    if (n->centred) {
        n->x = x;
        return true;
    }
    n->cluster = plain;
    n->x = d;
    return d == numerator;
}

/* The division, as step `index`. */
static bool match_core(norm *n, size_t index)
{
    const vt_step *step = &n->plan->steps[index];
    vt_value_id variance;
    vt_cluster_add(&n->cluster, index);
    if (vt_match_step(step, "Div", 2)) {
        return match_root(n, step->node.inputs[1], &variance) &&
               match_variance(n, variance, step->node.inputs[0]);
    }
    for (size_t side = 0; vt_match_step(step, "Mul", 2) && side < 2; side++) {
        n->cluster.count = 1;
        if (match_reciprocal_root(n, step->node.inputs[side], &variance) &&
            match_variance(n, variance, step->node.inputs[1 - side])) {
            return true;
        }
    }
    return false;
}

/* A constant that varies over the normalised axes only. */
static bool is_row(const norm *n, const vt_tensor *constant, const vt_shape *shape)
{
    int lead = shape->rank - constant->shape.rank;
    if (lead < 0 || !constant->data || vt_tensor_count(constant) == 0) {
        return false;
    }
    for (int i = 0; i < constant->shape.rank; i++) {
        int64_t size = constant->shape.dims[i];
        if (size != 1 && (i + lead < n->axis || size != shape->dims[i + lead])) {
            return false;
        }
    }
    return true;
}

/* The only reader of the last step if it is `op` with such a constant. */
static void match_affine(norm *n, const char *op, vt_value_id *operand)
{
    vt_value_id value = n->plan->steps[n->last].node.outputs[0];
    const vt_tensor *result = &n->plan->values[value].tensor;
    size_t reader = vt_pass_only_reader(n->uses, value);
    if (reader == SIZE_MAX || !vt_match_step(&n->plan->steps[reader], op, 2)) {
        return;
    }
    const vt_step *step = &n->plan->steps[reader];
    size_t side = step->node.inputs[0] == value ? 1 : 0;
    const vt_tensor *constant = vt_pass_constant(n->plan, step, side);
    if (constant && constant->dtype == result->dtype && is_row(n, constant, &result->shape)) {
        *operand = step->node.inputs[side];
        n->last = reader;
    }
}

static void fill_row(vt_tensor *row, const vt_tensor *from)
{
    double values[VT_RUN];
    size_t indices[VT_RUN], count = vt_tensor_count(row);
    vt_broadcast places;
    if (from) { /* leading axes of 1 do not count */
        int extra = from->shape.rank > row->shape.rank ? from->shape.rank - row->shape.rank : 0;
        vt_shape shape = vt_shape_of(from->shape.rank - extra, from->shape.dims + extra);
        vt_broadcast_init(&places, &shape, &row->shape);
    }
    for (size_t start = 0; start < count; start += VT_RUN) {
        size_t part = count - start < VT_RUN ? count - start : VT_RUN;
        if (from) {
            vt_broadcast_indices(&places, start, part, indices);
            vt_gather_f64(from->dtype, from->data, indices, part, values);
        }
        for (size_t i = 0; i < part && !from; i++) {
            values[i] = 1;
        }
        vt_store_f64(row->dtype, row->data, start, part, values);
    }
}

/* `operand`, or ones where there is none, in the shape of the normalised axes. */
static vt_status row_of(norm *n, vt_value_id operand, vt_value_id *out, vt_error *error)
{
    const vt_tensor *x = &n->plan->values[n->x].tensor;
    const vt_tensor *from = operand == VT_NO_VALUE ? NULL : &n->plan->values[operand].tensor;
    vt_shape shape = vt_shape_of(x->shape.rank - n->axis, x->shape.dims + n->axis);
    vt_tensor row = {0};
    if (from && vt_shape_equal(&from->shape, &shape)) {
        *out = operand;
        return VT_OK;
    }
    vt_status status = vt_tensor_init(&row, x->dtype, &shape, 0, error);
    if (status != VT_OK) {
        return status;
    }
    fill_row(&row, from);
    return vt_plan_add_constant(n->plan, &row, out, error);
}

static vt_status rewrite(norm *n, const vt_op *op, vt_error *error)
{
    vt_value_id inputs[3] = {n->x};
    const vt_attr attrs[] = {
        {.name = "axis", .kind = VT_ATTR_INT, .i = n->axis},
        {.name = "epsilon", .kind = VT_ATTR_FLOAT, .f = (float)n->epsilon},
    };
    size_t count = n->bias == VT_NO_VALUE ? 2 : 3;
    vt_status status = row_of(n, n->scale, &inputs[1], error);
    if (status == VT_OK && count == 3) {
        status = row_of(n, n->bias, &inputs[2], error);
    }
    const vt_node what = {.op = op,
                          .opset = n->centred ? 17 : 23,
                          .inputs = inputs,
                          .input_count = count,
                          .attrs = (vt_attr *)attrs,
                          .attr_count = 2};
    return status == VT_OK ? vt_edit_become(n->plan, &n->plan->steps[n->last].node, &what, error)
                           : status;
}

static vt_status try_step(vt_plan *plan, const vt_pass_uses *uses, size_t index, vt_error *error)
{
    norm n = {.plan = plan, .uses = uses, .last = index, .scale = VT_NO_VALUE, .bias = VT_NO_VALUE};
    const vt_step *step = &plan->steps[index];
    if (step->node.output_count != 1) {
        return VT_OK;
    }
    const vt_tensor *result = &plan->values[step->node.outputs[0]].tensor;
    if ((result->dtype != VT_F32 && result->dtype != VT_F16 && result->dtype != VT_BF16) ||
        !match_core(&n, index) || !vt_cluster_is_closed(plan, uses, &n.cluster)) {
        return VT_OK;
    }
    const vt_op *op = n.centred ? vt_op_find("", "LayerNormalization", 17)
                                : vt_op_find("", "RMSNormalization", 23);
    if (!op || !vt_shape_equal(&plan->values[n.x].tensor.shape, &result->shape)) {
        return VT_OK;
    }
    match_affine(&n, "Mul", &n.scale);
    if (n.centred) {
        match_affine(&n, "Add", &n.bias);
    }
    return rewrite(&n, op, error);
}

vt_status vt_pass_recognise_layernorm(vt_plan *plan, vt_error *error)
{
    vt_status status = vt_pass_each_step(plan, try_step, error);
    return status == VT_OK ? vt_pass_dead_code(plan, error) : status;
}
