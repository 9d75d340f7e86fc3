/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BatchNormalization: (x - mean) / sqrt(variance + epsilon) * scale + bias per channel.
 *
 * In training mean and (population) variance come from the batch, and the running statistics are
 * handed out, before opset 14 behind them those of the batch too. Training is what training_mode
 * says from opset 14 on, before that it is meant by asking for these outputs. Until opset 8
 * `spatial` 0 keeps statistics per channel and pixel, over the batch alone.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <math.h>

static bool is_training(const vt_op_args *args)
{
    return args->node->opset < 14 ? args->node->output_count > 1
                                  : vt_node_int(args->node, "training_mode", 0) != 0;
}

/* How the input is seen: (batch, channels, inner), each channel with statistics of its own. */
typedef struct batchnorm_sizes {
    size_t batch, channels, inner;
    vt_shape statistics;
} batchnorm_sizes;

static batchnorm_sizes sizes_of(const vt_op_args *args)
{
    const vt_shape *shape = &args->inputs[0].shape;
    int rank = shape->rank, end = rank < 2 ? rank : 2;
    if (vt_node_int(args->node, "spatial", 1) == 0)
        end = rank;
    batchnorm_sizes sizes = {.batch = (size_t)shape->dims[0],
                             .channels = vt_shape_product(shape, 1, end),
                             .inner = vt_shape_product(shape, end, rank),
                             .statistics = vt_shape_of(end - 1, shape->dims + 1)};
    if (rank == 1)
        sizes.statistics = vt_shape_of(1, (const int64_t[]){1});
    return sizes;
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
    if (args->node->output_count > 1 && !is_training(args))
        return vt_fail(error, VT_ERR_FORMAT, "outputs of training without training_mode");
    vt_shape statistics = sizes_of(args).statistics;
    for (size_t i = 1; i < 5; i++)
        if (!vt_shape_equal(&args->inputs[i].shape, &statistics))
            return vt_fail(error, VT_ERR_FORMAT, "input %zu does not have one number per channel",
                           i);
    vt_op_set_output(args, 0, args->inputs[0].dtype, &args->inputs[0].shape);
    for (size_t i = 1; i < 5; i++)
        vt_op_set_output(args, i, args->inputs[3].dtype, &statistics);
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
static double channel_sum(const vt_tensor *x, const batchnorm_sizes *sizes, size_t channel,
                          double center, int power)
{
    double run[VT_RUN], sum = 0.0;
    for (size_t n = 0; n < sizes->batch; n++) {
        size_t start = (n * sizes->channels + channel) * sizes->inner;
        for (size_t done = 0; done < sizes->inner; done += VT_RUN) {
            size_t part = sizes->inner - done < VT_RUN ? sizes->inner - done : VT_RUN;
            vt_load_f64(x->dtype, x->data, start + done, part, run);
            for (size_t i = 0; i < part; i++) {
                double value = run[i] - center;
                sum += power == 2 ? value * value : value;
            }
        }
    }
    return sum;
}

static void statistic_store(vt_op_args *args, size_t output, size_t channel, double value)
{
    if (vt_op_wants(args, output))
        vt_store_f64(args->outputs[output].dtype, args->outputs[output].data, channel, 1, &value);
}

/* Replaces mean and variance by the batch's and writes these and the running ones. */
static void channel_train(vt_op_args *args, const batchnorm_sizes *sizes, size_t channel,
                          double statistics[2])
{
    const vt_tensor *x = &args->inputs[0];
    double momentum = (double)vt_node_float(args->node, "momentum", 0.9f);
    double count = (double)(sizes->batch * sizes->inner), now[2];
    now[0] = channel_sum(x, sizes, channel, 0.0, 1) / count;
    now[1] = channel_sum(x, sizes, channel, now[0], 2) / count;
    for (size_t i = 0; i < 2; i++) {
        statistic_store(args, 1 + i, channel, statistics[i] * momentum + now[i] * (1.0 - momentum));
        statistic_store(args, 3 + i, channel, now[i]);
        statistics[i] = now[i];
    }
}

static vt_status batchnorm_reference(vt_op_args *args, vt_error *error)
{
    (void)error;
    batchnorm_sizes sizes = sizes_of(args);
    double epsilon = (double)vt_node_float(args->node, "epsilon", 1e-5f);
    for (size_t c = 0; c < sizes.channels; c++) {
        double statistics[2] = {vt_tensor_get(&args->inputs[3], c),
                                vt_tensor_get(&args->inputs[4], c)};
        if (is_training(args))
            channel_train(args, &sizes, c, statistics);
        double factor = vt_tensor_get(&args->inputs[1], c) / sqrt(statistics[1] + epsilon);
        double shift = vt_tensor_get(&args->inputs[2], c) - statistics[0] * factor;
        for (size_t n = 0; n < sizes.batch; n++)
            plane_scale(args, (n * sizes.channels + c) * sizes.inner, sizes.inner, factor, shift);
    }
    return VT_OK;
}

/* is_test of opset 6 says nothing that the outputs do not say. */
#define ROW(since, until, outputs, attrs)                                                          \
    {                                                                                              \
        "BatchNormalization", "", since, until, 5, 5, 1, outputs, "epsilon:f momentum:f" attrs,    \
            .flags = VT_OP_OUTPUTS_DECIDE, .infer = batchnorm_infer,                               \
            .reference = batchnorm_reference                                                       \
    }

const vt_op vt_ops_batchnorm[] = {
    ROW(6, 6, 5, " spatial:i is_test:i"),
    ROW(7, 8, 5, " spatial:i"),
    ROW(9, 13, 5, ""),
    ROW(14, 0, 3, " training_mode:i"),
    {0},
};
