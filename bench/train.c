/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures per second of training a ResNet-18, fed from memory: forward, loss, gradients and an
 * update by gradient descent.
 *
 *     train PX BATCH STEPS THREADS PRECISION [recompute]
 *
 * Prints one line.
 */
#include "base/clock.h"
#include "base/random.h"
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

static vt_status measure(vt_training *training, char **argv, vt_error *error)
{
    int64_t px = atoi(argv[1]), batch = atoi(argv[2]), steps = atoi(argv[3]);
    size_t count = (size_t)(batch * 3 * px * px);
    float *pixels = malloc(count * sizeof *pixels), loss = 0;
    int64_t *labels = malloc((size_t)batch * sizeof *labels);
    for (size_t i = 0; pixels != NULL && i < count; i++)
        pixels[i] = vt_random_float(&source, -1, 1);
    for (int64_t i = 0; labels != NULL && i < batch; i++)
        labels[i] = (int64_t)vt_random_below(&source, CLASSES);
    const vt_tensor inputs[] = {
        {.dtype = VT_F32, .shape = {4, {batch, 3, px, px}}, .data = pixels},
        {.dtype = VT_I64, .shape = {1, {batch}}, .data = labels},
    };
    double best = INFINITY;
    vt_status status = VT_OK;
    for (int64_t i = 0; i <= steps && status == VT_OK; i++) { /* the first one plans */
        double start = vt_clock_ms();
        status = vt_training_step(training, inputs, 2, &loss, NULL, error);
        descend(training, 0.01F);
        double spent = vt_clock_ms() - start;
        best = i > 0 && spent < best ? spent : best;
    }
    vt_training_memory memory = vt_training_memory_of(training);
    printf("%.1f pictures/s, %.0f ms a step, %.0f MB of activations, loss %.3f\n",
           (double)batch * 1000.0 / best, best, (double)memory.activations_bytes / 1e6,
           (double)loss);
    free(pixels);
    free(labels);
    return status;
}

int main(int argc, char **argv)
{
    vt_error error;
    vt_model *model = NULL;
    vt_training *training = NULL;
    vt_training_options options = vt_training_options_defaults();
    options.recompute = argc == 7 && strcmp(argv[6], "recompute") == 0;
    if ((argc != 6 && !options.recompute) || !vt_precision_parse(argv[5], &options.precision)) {
        fprintf(stderr, "usage: train PX BATCH STEPS THREADS PRECISION [recompute]\n");
        return 2;
    }
    vt_random_init(&source, 1);
    options.loss = "loss";
    options.threads = atoi(argv[4]);
    vt_status status = resnet(atoi(argv[1]), &model, &error);
    if (status == VT_OK)
        status = vt_training_new(model, &options, &training, &error);
    if (status == VT_OK)
        status = measure(training, argv, &error);
    if (status != VT_OK)
        fprintf(stderr, "train: %s\n", error.message);
    vt_training_free(training);
    vt_model_free(model);
    return status == VT_OK ? 0 : 1;
}
