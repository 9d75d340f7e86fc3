/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BatchNormalization: (x - mean) / sqrt(variance + epsilon) * scale + bias per channel.
 *
 * Opset 14 and later with training_mode take mean and (population) variance from the batch and hand
 * out the running statistics. The training outputs of opsets 7 and 9 are not computed.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

static bool is_training(const vt_op_args *args)
{
    return vt_node_int(args->node, "training_mode", 0) != 0;
}

static int64_t channels_of(const vt_shape *shape)
{
    return shape->rank > 1 ? shape->dims[1] : 1;
}

static vt_status batchnorm_infer(vt_op_args *args, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; i < 5 && status == VT_OK; i++)
        status = vt_op_check_type(args, i, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, 0, 1, VT_MAX_RANK, error);
    if (status != VT_OK)
        return status;
    if (vt_node_int(args->node, "spatial", 1) != 1)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "attribute \"spatial\" is 0");
    if (args->node->output_count > 1 && !is_training(args))
        return vt_fail(error, VT_ERR_UNSUPPORTED, "outputs of training are asked for");
    vt_shape statistics = vt_shape_of(1, (const int64_t[]){channels_of(&args->inputs[0].shape)});
    for (size_t i = 1; i < 5; i++)
        if (!vt_shape_equal(&args->inputs[i].shape, &statistics))
            return vt_fail(error, VT_ERR_FORMAT, "input %zu does not have one number per channel",
                           i);
    vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    vt_op_set_output(args, 1, args->inputs[3].dtype, &statistics);
    vt_op_set_output(args, 2, args->inputs[3].dtype, &statistics);
    return VT_OK;
}

/* A run of one channel of one picture, in place of `inner` numbers. */
static void plane_scale(vt_op_args *args, size_t start, size_t inner, double factor, double shift)
{
    const vt_tensor *x = &args->inputs[0];
    for (size_t done = 0; done < inner; done += VT_RUN) {
        double run[VT_RUN];
        size_t part = inner - done < VT_RUN ? inner - done : VT_RUN;
        vt_load_f64(x->dtype, x->data, start + done, part, run);
        for (size_t i = 0; i < part; i++)
            run[i] = run[i] * factor + shift;
        vt_store_f64(x->dtype, args->outputs[0].data, start + done, part, run);
    }
}

/* Sum over one channel of all pictures of (x - center)^power, power 1 or 2. */
static double channel_sum(const vt_tensor *x, size_t channel, double center, bool squared)
{
    size_t batch = (size_t)x->shape.dims[0], channels = (size_t)channels_of(&x->shape);
    size_t inner = x->shape.rank > 2 ? vt_shape_product(&x->shape, 2, x->shape.rank) : 1;
    double sum = 0.0;
    for (size_t n = 0; n < batch; n++) {
        for (size_t i = 0; i < inner; i++) {
            double value = vt_tensor_get(x, (n * channels + channel) * inner + i) - center;
            sum += squared ? value * value : value;
        }
    }
    return sum;
}

/* Replaces *mean and *variance by the batch's and writes the running ones. */
static void channel_train(vt_op_args *args, size_t channel, double *mean, double *variance)
{
    const vt_tensor *x = &args->inputs[0];
    double momentum = (double)vt_node_float(args->node, "momentum", 0.9f);
    double count = (double)vt_tensor_count(x) / (double)channels_of(&x->shape);
    double now[2], *running[2] = {mean, variance};
    now[0] = channel_sum(x, channel, 0.0, false) / count;
    now[1] = channel_sum(x, channel, now[0], true) / count;
    for (size_t i = 0; i < 2; i++) {
        double next = *running[i] * momentum + now[i] * (1.0 - momentum);
        if (vt_op_wants(args, i + 1))
            vt_store_f64(args->outputs[i + 1].dtype, args->outputs[i + 1].data, channel, 1, &next);
        *running[i] = now[i];
    }
}

static vt_status batchnorm_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    const vt_shape *shape = &args->inputs[0].shape;
    double epsilon = (double)vt_node_float(args->node, "epsilon", 1e-5f);
    size_t batch = (size_t)shape->dims[0], channels = (size_t)channels_of(shape);
    size_t inner = shape->rank > 2 ? vt_shape_product(shape, 2, shape->rank) : 1;
    for (size_t c = 0; c < channels; c++) {
        double mean = vt_tensor_get(&args->inputs[3], c);
        double variance = vt_tensor_get(&args->inputs[4], c);
        if (is_training(args))
            channel_train(args, c, &mean, &variance);
        double factor = vt_tensor_get(&args->inputs[1], c) / sqrt(variance + epsilon);
        double shift = vt_tensor_get(&args->inputs[2], c) - mean * factor;
        for (size_t n = 0; n < batch; n++)
            plane_scale(args, (n * channels + c) * inner, inner, factor, shift);
    }
    return VT_OK;
}

/* is_test 0 means training up to opset 6, which is not computed: the extra outputs say whether it
 * is meant. */
#define ROW(since, until, outputs, attrs)                                                          \
    {                                                                                              \
        "BatchNormalization", "", since, until, 5, 5, 1, outputs, "epsilon:f momentum:f" attrs,    \
            .infer = batchnorm_infer, .reference = batchnorm_reference                             \
    }

const vt_op vt_ops_batchnorm[] = {
    ROW(6, 6, 5, " spatial:i is_test:i"),
    ROW(7, 8, 5, " spatial:i"),
    ROW(9, 13, 5, ""),
    ROW(14, 0, 3, " training_mode:i"),
    {0},
};
