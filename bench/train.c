/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures per second of training a ResNet-18, fed from memory: forward, loss, gradients and an
 * update by gradient descent; then fed from the JPEG files that LIST names, decoded into CACHE.
 *
 *     train PX BATCH STEPS THREADS PRECISION [recompute | LIST CACHE]
 *
 * Prints a line of each.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "bench/train_files.h"
#include "nn/builder.h"
#include "nn/training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 1000 };

static vt_random source;

static vt_value_id normal(vt_builder *b, const char *name, vt_shape shape, double deviation)
{
    size_t count = 1;
    for (int i = 0; i < shape.rank; i++)
        count *= (size_t)shape.dims[i];
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; values != NULL && i < count; i++)
        values[i] = (float)(vt_random_normal(&source) * deviation);
    vt_value_id id = vt_builder_floats(b, name, &shape, values);
    free(values);
    return id;
}

static vt_value_id ones(vt_builder *b, const char *name, int64_t count)
{
    float values[512];
    for (int64_t i = 0; i < count; i++)
        values[i] = 1.0F;
    return vt_builder_floats(b, name, &(vt_shape){1, {count}}, values);
}

static vt_value_id conv_norm(vt_builder *b, vt_value_id x, const char *name, const int64_t sizes[4])
{
    char attrs[80];
    int64_t in = sizes[0], out = sizes[1], kernel = sizes[2], stride = sizes[3];
    const vt_shape channels = {1, {out}};
    vt_builder_enter(b, name);
    snprintf(attrs, sizeof attrs, "pads=%d,%d,%d,%d strides=%d,%d", (int)kernel / 2,
             (int)kernel / 2, (int)kernel / 2, (int)kernel / 2, (int)stride, (int)stride);
    vt_value_id w = normal(b, "weight", (vt_shape){4, {out, in, kernel, kernel}},
                           sqrt(2.0 / (double)(kernel * kernel * in)));
    x = vt_builder_node(b, "Conv", attrs, (vt_value_id[]){x, w}, 2);
    const vt_value_id inputs[] = {
        x, ones(b, "scale", out), vt_builder_floats(b, "bias", &channels, NULL),
        vt_builder_floats(b, "mean", &channels, NULL), ones(b, "variance", out)};
    x = vt_builder_node(b, "BatchNormalization", NULL, inputs, 5);
    vt_builder_leave(b);
    return x;
}

static vt_value_id block(vt_builder *b, vt_value_id x, int number, int64_t in, int64_t out)
{
    char name[16];
    int64_t stride = in == out ? 1 : 2;
    snprintf(name, sizeof name, "block%d", number);
    vt_builder_enter(b, name);
    vt_value_id y = conv_norm(b, x, "a", (int64_t[]){in, out, 3, stride});
    y = vt_builder_node(b, "Relu", NULL, &y, 1);
    y = conv_norm(b, y, "b", (int64_t[]){out, out, 3, 1});
    if (in != out)
        x = conv_norm(b, x, "short", (int64_t[]){in, out, 1, 2});
    x = vt_builder_node(b, "Add", NULL, (vt_value_id[]){y, x}, 2);
    vt_builder_leave(b);
    return vt_builder_node(b, "Relu", NULL, &x, 1);
}

static vt_status resnet(int64_t px, vt_model **out, vt_error *error)
{
    static const int64_t widths[] = {64, 64, 64, 128, 128, 256, 256, 512, 512};
    vt_builder *b = NULL;
    vt_status status = vt_builder_new(NULL, &b, error);
    if (status != VT_OK)
        return status;
    vt_value_id x = vt_builder_input(b, "image", VT_F32, &(vt_shape){4, {-1, 3, px, px}});
    vt_value_id labels = vt_builder_input(b, "label", VT_I64, &(vt_shape){1, {-1}});
    x = conv_norm(b, x, "stem", (int64_t[]){3, 64, 7, 2});
    x = vt_builder_node(b, "Relu", NULL, &x, 1);
    x = vt_builder_node(b, "MaxPool", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", &x, 1);
    for (int i = 0; i < 8; i++)
        x = block(b, x, i, widths[i], widths[i + 1]);
    x = vt_builder_node(b, "GlobalAveragePool", NULL, &x, 1);
    x = vt_builder_node(b, "Flatten", NULL, &x, 1);
    const vt_value_id head[] = {x, normal(b, "head.weight", (vt_shape){2, {CLASSES, 512}}, 0.03),
                                vt_builder_floats(b, "head.bias", &(vt_shape){1, {CLASSES}}, NULL)};
    x = vt_builder_node(b, "Gemm", "transB=1", head, 3);
    x = vt_builder_node(b, "SoftmaxCrossEntropyLoss", NULL, (vt_value_id[]){x, labels}, 2);
    vt_builder_output(b, "loss", x);
    return vt_builder_finish(b, out, error);
}

static void descend(vt_training *training, float rate)
{
    for (size_t i = 0; i < vt_training_parameter_count(training); i++) {
        vt_parameter p = vt_training_parameter(training, i);
        for (size_t k = 0; k < p.count; k++)
            p.value[k] -= rate * p.gradient[k];
    }
}

/* ---- measuring ---- */

typedef struct subject {
    vt_training *training;
    int64_t px, batch;
    int steps, threads;
    float *pixels;   /* (batch, 3, px, px) */
    int64_t *labels; /* (batch) */
    float loss;
} subject;

static vt_status step(void *context, const float *pixels, vt_error *error)
{
    subject *s = context;
    const vt_tensor inputs[] = {
        {.dtype = VT_F32,
         .shape = {4, {s->batch, 3, s->px, s->px}},
         .data = (void *)(uintptr_t)pixels},
        {.dtype = VT_I64, .shape = {1, {s->batch}}, .data = s->labels},
    };
    vt_status status = vt_training_step(s->training, inputs, 2, &s->loss, NULL, error);
    descend(s->training, 0.01F);
    return status;
}

static vt_status make_batch(subject *s, vt_error *error)
{
    size_t count = (size_t)(s->batch * 3 * s->px * s->px);
    s->pixels = vt_alloc_array(count, sizeof(*s->pixels));
    s->labels = vt_alloc_array((size_t)s->batch, sizeof(*s->labels));
    if (s->pixels == NULL || s->labels == NULL)
        return vt_fail_memory(error, "a batch");
    for (size_t i = 0; i < count; i++)
        s->pixels[i] = vt_random_float(&source, -1, 1);
    for (int64_t i = 0; i < s->batch; i++)
        s->labels[i] = (int64_t)vt_random_below(&source, CLASSES);
    return VT_OK;
}

/* *best, *all: seconds of the best step and of all of them; the first, which plans, is none. */
static vt_status measure_memory(subject *s, bool planned, double *best, double *all,
                                vt_error *error)
{
    vt_status status = VT_OK;
    *best = INFINITY;
    *all = 0;
    for (int i = planned ? 1 : 0; i <= s->steps && status == VT_OK; i++) {
        double start = vt_clock_ms();
        status = step(s, s->pixels, error);
        double spent = (vt_clock_ms() - start) / 1e3;
        if (i == 0)
            continue;
        *all += spent;
        *best = spent < *best ? spent : *best;
    }
    return status;
}

/* From memory, from files, from memory: what the machine does meanwhile concerns both. */
static vt_status measure_files(subject *s, const char *list, const char *cache, vt_error *error)
{
    vt_pool *pool = NULL;
    double before, after, best, files[2] = {0};
    vt_status status = vt_pool_new(s->threads, &pool, error);
    const vt_bench_feed feed = {list, cache, (int)s->px, (int)s->batch, s->steps, pool, step, s};
    if (status == VT_OK)
        status = measure_memory(s, true, &best, &before, error);
    if (status == VT_OK)
        status = vt_bench_feed_run(&feed, files, error);
    if (status == VT_OK)
        status = measure_memory(s, true, &best, &after, error);
    vt_pool_free(pool);
    if (status != VT_OK)
        return status;
    double memory = (before + after) / 2, pictures = (double)(s->batch * s->steps);
    printf("from JPEG files: first epoch, decoding in it, %.1f pictures/s, %.2f of from memory; "
           "epochs after it %.1f, %.2f\n",
           pictures / files[0], memory / files[0], pictures / files[1], memory / files[1]);
    return VT_OK;
}

static vt_status measure(subject *s, const char *list, const char *cache, vt_error *error)
{
    double best = 0, all = 0;
    vt_status status = make_batch(s, error);
    if (status == VT_OK)
        status = measure_memory(s, false, &best, &all, error);
    if (status == VT_OK) {
        vt_training_memory memory = vt_training_memory_of(s->training);
        printf("%.1f pictures/s, %.0f ms a step, %.0f MB of activations, loss %.3f\n",
               (double)s->batch / best, best * 1e3, (double)memory.activations_bytes / 1e6,
               (double)s->loss);
    }
    if (status == VT_OK && list != NULL)
        status = measure_files(s, list, cache, error);
    vt_free(s->pixels);
    vt_free(s->labels);
    return status;
}

int main(int argc, char **argv)
{
    vt_error error;
    vt_model *model = NULL;
    vt_training_options options = vt_training_options_defaults();
    options.winograd = true; /* as vitrine train does */
    options.recompute = argc == 7 && strcmp(argv[6], "recompute") == 0;
    bool files = argc == 8;
    if ((argc != 6 && !options.recompute && !files) ||
        !vt_precision_parse(argv[5], &options.precision)) {
        fprintf(stderr, "usage: train PX BATCH STEPS THREADS PRECISION [recompute | LIST CACHE]\n");
        return 2;
    }
    subject s = {.px = atoi(argv[1]),
                 .batch = atoi(argv[2]),
                 .steps = atoi(argv[3]),
                 .threads = atoi(argv[4])};
    vt_random_init(&source, 1);
    options.loss = "loss";
    options.threads = s.threads;
    vt_status status = resnet(s.px, &model, &error);
    if (status == VT_OK)
        status = vt_training_new(model, &options, &s.training, &error);
    if (status == VT_OK)
        status = measure(&s, files ? argv[6] : NULL, files ? argv[7] : NULL, &error);
    if (status != VT_OK)
        fprintf(stderr, "train: %s\n", error.message);
    vt_training_free(s.training);
    vt_model_free(model);
    return status == VT_OK ? 0 : 1;
}
