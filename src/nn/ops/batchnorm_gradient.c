/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalisation in training, and its gradients.
 *
 * BatchNormTraining (x, scale, bias) gives y and the batch's mean and (population) variance per
 * channel. BatchNormGrad (dy, x, scale, mean, variance) gives the gradients of x, scale and bias:
 * with h = (x - mean) / sqrt(variance + epsilon), and m the mean over a channel,
 *     dx = scale / sqrt(variance + epsilon) (dy - m(dy) - h m(dy h)).
 * Source: Ioffe and Szegedy, "Batch Normalization" (2015), section 3. With given statistics
 * (BatchNormalization itself) mean and variance are constants, and dx = dy scale / sqrt(...).
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

typedef struct channel_sizes {
    size_t batch, channels, inner;
    double epsilon;
} channel_sizes;

static vt_status sizes_of(const vt_op_args *args, const vt_shape *x, channel_sizes *out,
                          vt_error *error)
{
    if (x->rank < 2)
        return vt_fail(error, VT_ERR_FORMAT, "input of %d dimensions", x->rank);
    *out = (channel_sizes){.batch = (size_t)x->dims[0],
                           .channels = (size_t)x->dims[1],
                           .inner = vt_shape_product(x, 2, x->rank),
                           .epsilon = (double)vt_node_float(args->node, "epsilon", 1e-5f)};
    return VT_OK;
}

static vt_status training_infer(vt_op_args *args, vt_error *error)
{
    channel_sizes sizes;
    const vt_shape *x = &args->inputs[0].shape;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = sizes_of(args, x, &sizes, error);
    if (status != VT_OK)
        return status;
    const vt_shape statistics = {1, {x->dims[1]}};
    for (size_t i = 1; i < 3; i++)
        if (!vt_shape_equal(&args->inputs[i].shape, &statistics))
            return vt_fail(error, VT_ERR_FORMAT, "input %zu does not have one number per channel",
                           i);
    vt_op_set_output(args, 0, args->inputs[0].dtype, x);
    vt_op_set_output(args, 1, args->inputs[0].dtype, &statistics);
    vt_op_set_output(args, 2, args->inputs[0].dtype, &statistics);
    return VT_OK;
}

/* One channel of all pictures: `each` gets runs of x and of a second tensor (NULL: none). */
typedef struct channel_walk {
    const vt_tensor *x, *other;
    const channel_sizes *sizes;
    double mean, inverse; /* of the deviation */
    double sums[2];
    double factor, shift, slope; /* of what is written */
    vt_tensor *out;
} channel_walk;

typedef void channel_step(channel_walk *walk, size_t start, size_t count, double *x, double *other);

static void channel_each(channel_walk *walk, size_t channel, channel_step *each)
{
    double x[VT_RUN], other[VT_RUN];
    const channel_sizes *sizes = walk->sizes;
    for (size_t n = 0; n < sizes->batch; n++) {
        size_t start = (n * sizes->channels + channel) * sizes->inner;
        for (size_t done = 0; done < sizes->inner; done += VT_RUN) {
            size_t part = sizes->inner - done < VT_RUN ? sizes->inner - done : VT_RUN;
            vt_load_f64(walk->x->dtype, walk->x->data, start + done, part, x);
            if (walk->other != NULL)
                vt_load_f64(walk->other->dtype, walk->other->data, start + done, part, other);
            each(walk, start + done, part, x, other);
        }
    }
}

static void sum_values(channel_walk *walk, size_t start, size_t count, double *x, double *other)
{
    (void)start;
    (void)other;
    for (size_t i = 0; i < count; i++)
        walk->sums[0] += x[i];
}

static void sum_squares(channel_walk *walk, size_t start, size_t count, double *x, double *other)
{
    (void)start;
    (void)other;
    for (size_t i = 0; i < count; i++)
        walk->sums[1] += (x[i] - walk->mean) * (x[i] - walk->mean);
}

static void write_linear(channel_walk *walk, size_t start, size_t count, double *x, double *other)
{
    (void)other;
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] * walk->factor + walk->shift;
    vt_store_f64(walk->out->dtype, walk->out->data, start, count, x);
}

static void store(const vt_op_args *args, size_t output, size_t channel, double value)
{
    if (vt_op_wants(args, output))
        vt_store_f64(args->outputs[output].dtype, args->outputs[output].data, channel, 1, &value);
}

static vt_status training_reference(vt_op_args *args, vt_error *error)
{
    channel_sizes sizes;
    vt_status status = sizes_of(args, &args->inputs[0].shape, &sizes, error);
    double count = (double)(sizes.batch * sizes.inner);
    for (size_t c = 0; status == VT_OK && c < sizes.channels; c++) {
        channel_walk walk = {.x = &args->inputs[0], .sizes = &sizes, .out = &args->outputs[0]};
        channel_each(&walk, c, sum_values);
        walk.mean = walk.sums[0] / count;
        channel_each(&walk, c, sum_squares);
        double variance = walk.sums[1] / count;
        walk.factor = vt_tensor_get(&args->inputs[1], c) / sqrt(variance + sizes.epsilon);
        walk.shift = vt_tensor_get(&args->inputs[2], c) - walk.mean * walk.factor;
        channel_each(&walk, c, write_linear);
        store(args, 1, c, walk.mean);
        store(args, 2, c, variance);
    }
    return status;
}

static vt_status grad_infer(vt_op_args *args, vt_error *error)
{
    const vt_shape *x = &args->inputs[0].shape;
    channel_sizes sizes;
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = sizes_of(args, x, &sizes, error);
    if (status != VT_OK)
        return status;
    const vt_shape statistics = {1, {x->dims[1]}};
    bool fits = vt_shape_equal(x, &args->inputs[1].shape);
    for (size_t i = 2; i < 5; i++)
        fits = fits && vt_shape_equal(&args->inputs[i].shape, &statistics);
    if (!fits)
        return vt_fail(error, VT_ERR_FORMAT, "inputs do not fit each other");
    vt_op_set_output(args, 0, args->inputs[0].dtype, x);
    vt_op_set_output(args, 1, args->inputs[0].dtype, &statistics);
    vt_op_set_output(args, 2, args->inputs[0].dtype, &statistics);
    return VT_OK;
}

/* x: the gradient; other: the input. */
static void sum_gradients(channel_walk *walk, size_t start, size_t count, double *x, double *other)
{
    (void)start;
    for (size_t i = 0; i < count; i++) {
        walk->sums[0] += x[i];
        walk->sums[1] += x[i] * (other[i] - walk->mean) * walk->inverse;
    }
}

static void write_gradient(channel_walk *walk, size_t start, size_t count, double *x, double *other)
{
    for (size_t i = 0; i < count; i++)
        x[i] = walk->factor *
               (x[i] - walk->shift - (other[i] - walk->mean) * walk->inverse * walk->slope);
    vt_store_f64(walk->out->dtype, walk->out->data, start, count, x);
}

static vt_status grad_reference(vt_op_args *args, vt_error *error)
{
    channel_sizes sizes;
    vt_status status = sizes_of(args, &args->inputs[0].shape, &sizes, error);
    double count = (double)(sizes.batch * sizes.inner);
    for (size_t c = 0; status == VT_OK && c < sizes.channels; c++) {
        channel_walk walk = {.x = &args->inputs[0],
                             .other = &args->inputs[1],
                             .sizes = &sizes,
                             .out = &args->outputs[0],
                             .mean = vt_tensor_get(&args->inputs[3], c)};
        walk.inverse = 1.0 / sqrt(vt_tensor_get(&args->inputs[4], c) + sizes.epsilon);
        channel_each(&walk, c, sum_gradients);
        walk.factor = vt_tensor_get(&args->inputs[2], c) * walk.inverse;
        walk.shift = walk.sums[0] / count;
        walk.slope = walk.sums[1] / count;
        if (vt_op_wants(args, 0))
            channel_each(&walk, c, write_gradient);
        store(args, 1, c, walk.sums[1]);
        store(args, 2, c, walk.sums[0]);
    }
    return status;
}

const vt_op vt_ops_batchnorm_gradient[] = {
    {"BatchNormTraining", VT_BACK_DOMAIN, 1, 0, 3, 3, 3, 3, "epsilon:f", .flags = VT_OP_INTERNAL,
     .infer = training_infer, .reference = training_reference},
    {"BatchNormGrad", VT_BACK_DOMAIN, 1, 0, 5, 5, 3, 3, "epsilon:f", .flags = VT_OP_INTERNAL,
     .infer = grad_infer, .reference = grad_reference},
    {0},
};

/* ---- rules ---- */

void vt_gradient_batchnorm_training(vt_backward *b)
{
    vt_value_id made[3];
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 0), vt_back_input(b, 1),
                                  vt_back_output(b, 1), vt_back_output(b, 2)};
    if (b->dy[0] == VT_NO_VALUE || b->dy[1] != VT_NO_VALUE || b->dy[2] != VT_NO_VALUE) {
        vt_back_fail(b, "its statistics are used by themselves");
        return;
    }
    vt_back_nodes(b,
                  &(vt_back_call){.op = "vitrine:BatchNormGrad",
                                  .inputs = inputs,
                                  .input_count = 5,
                                  .attrs = b->node.attrs,
                                  .attr_count = b->node.attr_count},
                  made, 3);
    for (size_t i = 0; i < 3; i++)
        b->dx[i] = made[i];
}

/* One number per channel against (N, C, ...). */
static vt_value_id per_channel(vt_backward *b, vt_value_id x, int rank)
{
    vt_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dims[i] = 1;
    shape.dims[rank < 2 ? 0 : 1] = vt_back_shape(b, x).dims[0];
    return vt_back_reshape(b, x, &shape);
}

/* BatchNormalization with given statistics. */
void vt_gradient_batchnorm(vt_backward *b)
{
    vt_value_id x = vt_back_input(b, 0), scale = vt_back_input(b, 1), dy = b->dy[0];
    const vt_shape shape = vt_back_shape(b, x), statistics = vt_back_shape(b, scale);
    if (vt_node_int(&b->node, "training_mode", 0) != 0 || b->node.output_count > 1 ||
        statistics.rank != 1 || shape.rank < 2) {
        vt_back_fail(b, "its form has no gradient");
        return;
    }
    vt_value_id epsilon = vt_back_number(b, (double)vt_node_float(&b->node, "epsilon", 1e-5f), x);
    vt_value_id deviation =
        vt_back_op1(b, "Sqrt", vt_back_op2(b, "Add", vt_back_input(b, 4), epsilon));
    bool marks[VT_MAX_RANK];
    for (int i = 0; i < shape.rank; i++)
        marks[i] = i != 1;
    if (vt_back_wants(b, 0)) {
        vt_value_id factor = vt_back_op2(b, "Div", scale, deviation);
        b->dx[0] = vt_back_op2(b, "Mul", dy, per_channel(b, factor, shape.rank));
    }
    if (vt_back_wants(b, 1)) {
        vt_value_id centred =
            vt_back_op2(b, "Sub", x, per_channel(b, vt_back_input(b, 3), shape.rank));
        vt_value_id sum = vt_back_sum_axes(b, vt_back_op2(b, "Mul", dy, centred), marks);
        b->dx[1] = vt_back_op2(b, "Div", vt_back_reshape(b, sum, &statistics), deviation);
    }
    if (vt_back_wants(b, 2))
        b->dx[2] = vt_back_reshape(b, vt_back_sum_axes(b, dy, marks), &statistics);
}
