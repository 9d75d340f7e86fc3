/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network's speed in this house. bench/encode runs this in turn with another engine's program on
 * the same file and the same input.
 *
 *     encode network MODEL BATCH THREADS [--precision NAME]
 *                     runs of the network, one picture-like input of seeded noise; answers counts
 * of runs as bench/rounds.h says encode peak f32|bf16 THREADS the same for one large matrix product
 *     encode describe MODEL BATCH
 *                     one line of JSON: size of weights and activations, multiply-adds
 *     encode offers NAME
 *                     exit code 0 when --precision takes this name
 *
 * The noise is a multiplicative hash of the index (Knuth, TAOCP 6.4), which any other program can
 * compute as well.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "bench/peak.h"
#include "bench/rounds.h"
#include "nn/model.h"

enum {
    BENCH_BATCH = 4096,
    BENCH_THREADS = 1024,
    BENCH_SIDE = 224,
    BENCH_PLANES = 3,
    BENCH_WARM_RUNS = 14
};

/* False: not offered. */
static bool take_precision(const char *name, vt_session_options *options)
{
    return vt_precision_parse(name, &options->precision) &&
           options->precision != VT_PRECISION_AUTO && vt_precision_is_fast(options->precision);
}

typedef struct bench_network {
    vt_model *model;
    vt_session *session;
    vt_tensor input, output; /* output: borrowed from the session */
} bench_network;

static vt_status run_network(void *context, int64_t count, vt_error *error)
{
    bench_network *network = context;
    vt_status status = VT_OK;
    for (int64_t i = 0; i < count && status == VT_OK; i++)
        status = vt_session_run(network->session, &network->input, 1, &network->output, error);
    return status;
}

/* ---- what a network costs ---- */

typedef struct bench_cost {
    uint64_t macs;
    size_t previous, pair; /* bytes of f32: of the step before, of the largest two neighbours */
} bench_cost;

static void add_cost(void *context, const vt_node_info *node)
{
    bench_cost *cost = context;
    size_t count = 0;
    if (!vt_shape_count(&node->shape, &count))
        count = 0;
    count *= sizeof(float);
    cost->macs += node->macs;
    if (cost->previous + count > cost->pair)
        cost->pair = cost->previous + count;
    cost->previous = count;
}

static vt_status cost_of(const vt_model *model, const vt_shape *input, bench_cost *cost,
                         vt_error *error)
{
    *cost = (bench_cost){0};
    vt_shape_count(input, &cost->previous);
    cost->previous *= sizeof(float);
    return vt_model_each_node(model, input, add_cost, cost, error);
}

static vt_status open_model(const char *path, int64_t batch, vt_model **model, vt_shape *shape,
                            vt_error *error)
{
    vt_status status = vt_model_open(path, NULL, model, error);
    if (status != VT_OK)
        return status;
    vt_value_info info = vt_model_input(*model, 0);
    if (vt_model_input_count(*model) != 1 || info.dtype != VT_F32 || info.shape.rank != 4)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "measure \"%s\": it does not take one stack of f32 pictures", path);
    const int64_t otherwise[4] = {batch, BENCH_PLANES, BENCH_SIDE, BENCH_SIDE};
    for (int i = 0; i < 4; i++)
        if (info.shape.dims[i] < 0)
            info.shape.dims[i] = otherwise[i];
    if (info.shape.dims[0] != batch)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "measure \"%s\": its batch is fixed", path);
    *shape = info.shape;
    return VT_OK;
}

static vt_status describe(const char *path, int64_t batch, vt_error *error)
{
    vt_model *model = NULL;
    vt_shape shape = {0};
    bench_cost cost;
    vt_status status = open_model(path, batch, &model, &shape, error);
    if (status == VT_OK)
        status = cost_of(model, &shape, &cost, error);
    if (status == VT_OK)
        printf("{\"weights_bytes\": %zu, \"pair_bytes\": %zu, \"macs\": %" PRIu64 "}\n",
               vt_model_summary_of(model).parameter_bytes, cost.pair, cost.macs);
    vt_model_free(model);
    return status;
}

/* ---- rounds ---- */

static void fill_noise(vt_tensor *tensor)
{
    float *values = tensor->data;
    for (size_t i = 0; i < vt_tensor_count(tensor); i++)
        values[i] = (float)((uint32_t)i * 2654435761u >> 8) / 8388608.0f - 1.0f;
}

/* One number that depends on every output and on its place. */
static double checksum(const vt_tensor *tensor)
{
    double sum = 0.0;
    for (size_t i = 0; i < vt_tensor_count(tensor); i++)
        sum += fabs(vt_tensor_get(tensor, i)) * (double)(1 + i % 7);
    return sum;
}

static vt_status serve_network(const char *path, int64_t batch, const vt_session_options *options,
                               vt_error *error)
{
    bench_network network = {0};
    vt_shape shape = {0};
    bench_cost cost;
    char dims[128];
    vt_status status = open_model(path, batch, &network.model, &shape, error);
    if (status == VT_OK)
        status = cost_of(network.model, &shape, &cost, error);
    if (status == VT_OK)
        status = vt_session_new(network.model, options, &network.session, error);
    if (status == VT_OK && vt_session_output_count(network.session) != 1)
        status = vt_fail(error, VT_ERR_UNSUPPORTED, "measure \"%s\": it has several outputs", path);
    if (status == VT_OK)
        status = vt_tensor_init(&network.input, VT_F32, &shape, 0, error);
    if (status == VT_OK) {
        fill_noise(&network.input);
        status =
            run_network(&network, BENCH_WARM_RUNS, error); /* plans, and tries parts of a batch */
    }
    if (status == VT_OK) {
        vt_session_memory memory = vt_session_memory_of(network.session);
        vt_shape_print(&shape, dims, sizeof dims);
        printf("{\"macs\": %" PRIu64 ", \"reorders\": %zu, \"activations_bytes\": %zu, "
               "\"shape\": \"%s\", \"cpu\": \"%s\", \"checksum\": %.9g}\n",
               cost.macs, memory.reorders, memory.activations_bytes, dims, vt_cpu_name(vt_cpu()),
               checksum(&network.output));
        fflush(stdout);
        status = vt_bench_rounds(run_network, &network, error);
    }
    vt_tensor_deinit(&network.input);
    vt_session_free(network.session);
    vt_model_free(network.model);
    return status;
}

static vt_status run_peak(void *context, int64_t count, vt_error *error)
{
    vt_status status = VT_OK;
    for (int64_t i = 0; i < count && status == VT_OK; i++)
        status = vt_peak_run(context, error);
    return status;
}

static vt_status serve_peak(vt_dtype dtype, int threads, vt_error *error)
{
    vt_peak *peak = NULL;
    vt_status status = vt_peak_new(dtype, threads, &peak, error);
    if (status == VT_OK)
        status = run_peak(peak, 1, error);
    if (status == VT_OK) {
        printf("{\"macs\": %" PRIu64 "}\n", (uint64_t)VT_PEAK_SIDE * VT_PEAK_SIDE * VT_PEAK_SIDE);
        fflush(stdout);
        status = vt_bench_rounds(run_peak, peak, error);
    }
    vt_peak_free(peak);
    return status;
}

/* ---- the command line ---- */

static int usage(void)
{
    fprintf(stderr, "usage: encode network MODEL BATCH THREADS [--precision NAME]\n"
                    "       encode peak f32|bf16 THREADS\n"
                    "       encode describe MODEL BATCH\n"
                    "       encode offers PRECISION\n");
    return 2;
}

int main(int argc, char **argv)
{
    vt_error error = {0};
    vt_session_options options = vt_session_options_defaults();
    options.winograd = true; /* as encoders have it */
    int64_t batch, threads;
    const char *what = argc > 1 ? argv[1] : "";
    vt_status status;
    if (strcmp(what, "offers") == 0 && argc == 3)
        return take_precision(argv[2], &options) ? 0 : 1;
    if (strcmp(what, "describe") == 0 && argc == 4 && vt_parse_int(argv[3], 1, BENCH_BATCH, &batch))
        status = describe(argv[2], batch, &error);
    else if (strcmp(what, "peak") == 0 && argc == 4 &&
             vt_parse_int(argv[3], 1, BENCH_THREADS, &threads))
        status = serve_peak(strcmp(argv[2], "bf16") == 0 ? VT_BF16 : VT_F32, (int)threads, &error);
    else if (strcmp(what, "network") == 0 && (argc == 5 || argc == 7) &&
             vt_parse_int(argv[3], 1, BENCH_BATCH, &batch) &&
             vt_parse_int(argv[4], 1, BENCH_THREADS, &threads) &&
             (argc == 5 ||
              (strcmp(argv[5], "--precision") == 0 && take_precision(argv[6], &options)))) {
        options.threads = (int)threads;
        options.split_batches = true;
        status = serve_network(argv[2], batch, &options, &error);
    } else
        return usage();
    if (status != VT_OK)
        fprintf(stderr, "encode: %s\n", error.message);
    return status == VT_OK ? 0 : 1;
}
