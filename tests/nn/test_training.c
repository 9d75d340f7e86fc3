/* SPDX-License-Identifier: Apache-2.0 */
/* Training small networks, on both executors. */
#include "support/scratch.h"

#include "base/random.h"
#include "nn/builder.h"
#include "nn/gradient.h"
#include "nn/training.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 8, CLASSES = 4, PIXELS = 8 };

/* A weight of normal numbers. */
static vt_value_id weight(vt_builder *b, vt_random *random, const char *name, vt_shape shape,
                          double deviation)
{
    size_t count = 1;
    for (int i = 0; i < shape.rank; i++)
        count *= (size_t)shape.dims[i];
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(vt_random_normal(random) * deviation);
    vt_value_id id = vt_builder_floats(b, name, &shape, values);
    free(values);
    return id;
}

static vt_value_id ones(vt_builder *b, const char *name, int64_t count)
{
    float values[64];
    for (int64_t i = 0; i < count; i++)
        values[i] = 1.0F;
    return vt_builder_floats(b, name, &(vt_shape){1, {count}}, values);
}

static vt_value_id conv_norm(vt_builder *b, vt_random *random, vt_value_id x, const char *name,
                             int64_t in, int64_t out)
{
    vt_builder_enter(b, name);
    vt_value_id w =
        weight(b, random, "weight", (vt_shape){4, {out, in, 3, 3}}, sqrt(2.0 / (9.0 * (double)in)));
    x = vt_builder_node(b, "Conv", "pads=1,1,1,1", (vt_value_id[]){x, w}, 2);
    const vt_value_id inputs[] = {
        x, ones(b, "scale", out), vt_builder_floats(b, "bias", &(vt_shape){1, {out}}, NULL),
        vt_builder_floats(b, "mean", &(vt_shape){1, {out}}, NULL), ones(b, "variance", out)};
    x = vt_builder_node(b, "BatchNormalization", NULL, inputs, 5);
    vt_builder_leave(b);
    return vt_builder_node(b, "Relu", NULL, &x, 1);
}

/* Residual, with pooling, dropout and a loss. */
static vt_model *network(float dropout, const char *odd)
{
    vt_builder *b = NULL;
    vt_model *model = NULL;
    vt_error error = {0};
    vt_random random;
    vt_random_init(&random, 5);
    assert_int_equal(vt_builder_new(NULL, &b, &error), VT_OK);
    vt_value_id x = vt_builder_input(b, "image", VT_F32, &(vt_shape){4, {-1, 3, PIXELS, PIXELS}});
    vt_value_id labels = vt_builder_input(b, "label", VT_I64, &(vt_shape){1, {-1}});
    x = conv_norm(b, &random, x, "stem", 3, 16);
    x = vt_builder_node(b, "MaxPool", "kernel_shape=2,2 strides=2,2", &x, 1);
    vt_value_id y = conv_norm(b, &random, x, "block", 16, 16);
    x = vt_builder_node(b, "Add", NULL, (vt_value_id[]){x, y}, 2);
    x = vt_builder_node(b, "GlobalAveragePool", NULL, &x, 1);
    x = vt_builder_node(b, "Flatten", NULL, &x, 1);
    if (odd != NULL) {
        x = vt_builder_node(b, odd, NULL, &x, 1);
    }
    if (dropout > 0) {
        vt_value_id ratio = vt_builder_scalar(b, "ratio", dropout);
        x = vt_builder_node(b, "Dropout", NULL, (vt_value_id[]){x, ratio}, 2);
    }
    const vt_value_id head[] = {
        x, weight(b, &random, "head.weight", (vt_shape){2, {CLASSES, 16}}, 0.2),
        vt_builder_floats(b, "head.bias", &(vt_shape){1, {CLASSES}}, NULL)};
    vt_value_id logits = vt_builder_node(b, "Gemm", "transB=1", head, 3);
    vt_value_id loss =
        vt_builder_node(b, "SoftmaxCrossEntropyLoss", NULL, (vt_value_id[]){logits, labels}, 2);
    vt_builder_output(b, "logits", logits);
    vt_builder_output(b, "loss", loss);
    if (vt_builder_finish(b, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

typedef struct batch {
    float pixels[BATCH * 3 * PIXELS * PIXELS];
    int64_t labels[BATCH];
    vt_tensor inputs[2];
} batch;

/* Classes are brightness in one of the quarters. */
static void fill(batch *out, uint64_t seed, int64_t rows)
{
    vt_random random;
    vt_random_init(&random, seed);
    for (int n = 0; n < BATCH; n++) {
        out->labels[n] = (int64_t)vt_random_below(&random, CLASSES);
        for (int i = 0; i < 3 * PIXELS * PIXELS; i++) {
            int y = i / PIXELS % PIXELS, x = i % PIXELS;
            int quarter = (y >= PIXELS / 2) * 2 + (x >= PIXELS / 2);
            out->pixels[n * 3 * PIXELS * PIXELS + i] =
                vt_random_float(&random, -1, 1) + (quarter == out->labels[n] ? 2.0F : 0.0F);
        }
    }
    out->inputs[0] =
        (vt_tensor){.dtype = VT_F32, .shape = {4, {rows, 3, PIXELS, PIXELS}}, .data = out->pixels};
    out->inputs[1] = (vt_tensor){.dtype = VT_I64, .shape = {1, {rows}}, .data = out->labels};
}

static vt_training *start(const vt_model *model, vt_executor executor,
                          const vt_training_options *options)
{
    vt_training *training = NULL;
    vt_error error = {0};
    if (vt_training_new_on(model, options, executor, &training, &error) != VT_OK)
        fail_msg("%s", error.message);
    return training;
}

static vt_training_options options_of(vt_precision precision)
{
    vt_training_options options = vt_training_options_defaults();
    options.loss = "loss";
    options.threads = 1;
    options.precision = precision;
    return options;
}

static float step(vt_training *training, const batch *data, vt_tensor *outputs)
{
    float loss = 0;
    vt_error error = {0};
    if (vt_training_step(training, data->inputs, 2, &loss, outputs, &error) != VT_OK)
        fail_msg("%s", error.message);
    return loss;
}

static void descend(vt_training *training, float rate)
{
    for (size_t i = 0; i < vt_training_parameter_count(training); i++) {
        vt_parameter p = vt_training_parameter(training, i);
        for (size_t k = 0; k < p.count; k++)
            p.value[k] -= rate * p.gradient[k];
    }
}

static void compare(const float *have, const float *want, size_t count, double tolerance,
                    const char *name)
{
    double scale = 1e-3;
    for (size_t i = 0; i < count; i++)
        scale = fmax(scale, fabs((double)want[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)have[i] - (double)want[i]) <= tolerance * scale))
            fail_msg("%s [%zu] is %g, wants %g", name, i, (double)have[i], (double)want[i]);
}

static void compare_trainings(const vt_training *have, const vt_training *want, double tolerance)
{
    for (size_t i = 0; i < vt_training_parameter_count(want); i++) {
        vt_parameter x = vt_training_parameter(have, i), y = vt_training_parameter(want, i);
        assert_string_equal(x.name, y.name);
        compare(x.gradient, y.gradient, y.count, tolerance, y.name);
        compare(x.value, y.value, y.count, tolerance, y.name);
    }
    for (size_t i = 0; i < vt_training_state_count(want); i++) {
        vt_parameter x = vt_training_state(have, i), y = vt_training_state(want, i);
        compare(x.value, y.value, y.count, tolerance, y.name);
    }
}

/* A step of each, compared, and down its own gradient. */
static void step_both(vt_training *have, vt_training *want, const batch *data)
{
    float a = step(have, data, NULL), b = step(want, data, NULL);
    compare(&a, &b, 1, 1e-4, "loss");
    compare_trainings(have, want, 2e-3);
    descend(have, 0.05F);
    descend(want, 0.05F);
}

static void test_executors(void **state)
{
    (void)state;
    vt_model *model = network(0.25F, NULL);
    vt_training_options options = options_of(VT_PRECISION_F32);
    vt_training *fast = start(model, VT_EXECUTOR_ONEDNN, &options);
    vt_training *slow = start(model, VT_EXECUTOR_REFERENCE, &options);
    batch data;
    assert_int_equal(vt_training_parameter_count(fast), 8);
    assert_int_equal(vt_training_state_count(fast), 4);
    for (int i = 0; i < 4; i++) {
        fill(&data, (uint64_t)i, i == 2 ? 5 : BATCH); /* a smaller one in between */
        step_both(fast, slow, &data);
    }
    vt_training_free(fast);
    vt_training_free(slow);
    vt_model_free(model);
}

/* Steps by Winograd's algorithm go where the others go. */
static void test_winograd(void **state)
{
    (void)state;
    vt_model *model = network(0.25F, NULL);
    vt_training_options options = options_of(VT_PRECISION_F32);
    vt_training *exact = start(model, VT_EXECUTOR_ONEDNN, &options);
    options.winograd = true;
    vt_training *fast = start(model, VT_EXECUTOR_ONEDNN, &options);
    batch data;
    for (int i = 0; i < 6; i++) {
        fill(&data, (uint64_t)i, BATCH);
        step_both(fast, exact, &data);
    }
    vt_training_free(fast);
    vt_training_free(exact);
    vt_model_free(model);
}

/* The loss against differences along the gradient, in f32. */
static void test_learns(void **state)
{
    (void)state;
    static const vt_precision precisions[] = {VT_PRECISION_F32, VT_PRECISION_BF16};
    vt_model *model = network(0.0F, NULL);
    for (size_t k = 0; k < 2; k++) {
        vt_training_options options = options_of(precisions[k]);
        vt_training *training = start(model, VT_EXECUTOR_ONEDNN, &options);
        batch data;
        float first = 0, last = 0;
        for (int i = 0; i < 60; i++) {
            fill(&data, (uint64_t)i, BATCH);
            last = step(training, &data, NULL);
            first = i == 0 ? last : first;
            descend(training, 0.1F);
        }
        assert_true(last < 0.5F * first);
        vt_training_free(training);
    }
    vt_model_free(model);
}

static void test_bf16(void **state)
{
    (void)state;
    vt_model *model = network(0.0F, NULL);
    vt_training_options exact = options_of(VT_PRECISION_F32), half = options_of(VT_PRECISION_BF16);
    vt_training *want = start(model, VT_EXECUTOR_ONEDNN, &exact);
    vt_training *have = start(model, VT_EXECUTOR_ONEDNN, &half);
    batch data;
    fill(&data, 1, BATCH);
    float a = step(have, &data, NULL), b = step(want, &data, NULL);
    compare(&a, &b, 1, 0.02, "loss");
    for (size_t i = 0; i < vt_training_parameter_count(want); i++) {
        vt_parameter x = vt_training_parameter(have, i), y = vt_training_parameter(want, i);
        double product = 0, first = 0, second = 0;
        for (size_t k = 0; k < y.count; k++) {
            product += (double)x.gradient[k] * (double)y.gradient[k];
            first += (double)x.gradient[k] * (double)x.gradient[k];
            second += (double)y.gradient[k] * (double)y.gradient[k];
        }
        if (!(product >= 0.98 * sqrt(first * second)))
            fail_msg("%s: cosine %g", y.name, product / sqrt(first * second));
    }
    vt_training_free(have);
    vt_training_free(want);
    vt_model_free(model);
}

/* Same seed and step: the same bits. Another step: another mask. */
static void test_repeats(void **state)
{
    (void)state;
    vt_model *model = network(0.5F, NULL);
    const char *const names[] = {"logits"};
    vt_training_options options = options_of(VT_PRECISION_F32);
    options.threads = 2;
    options.seed = 9;
    options.outputs = names;
    options.output_count = 1;
    vt_training *x = start(model, VT_EXECUTOR_ONEDNN, &options);
    vt_training *y = start(model, VT_EXECUTOR_ONEDNN, &options);
    batch data;
    vt_tensor logits;
    float first[BATCH * CLASSES], losses[2] = {0};
    fill(&data, 3, BATCH);
    losses[0] = step(x, &data, &logits);
    memcpy(first, logits.data, sizeof first);
    losses[1] = step(y, &data, &logits);
    assert_memory_equal(&losses[0], &losses[1], sizeof losses[0]);
    assert_memory_equal(first, logits.data, sizeof first);
    compare_trainings(x, y, 0.0);
    step(y, &data, &logits);
    assert_memory_not_equal(first, logits.data, sizeof first);
    vt_training_set_step(y, 0);
    step(y, &data, &logits);
    assert_memory_equal(first, logits.data, sizeof first);
    vt_training_free(x);
    vt_training_free(y);
    vt_model_free(model);
}

/* Six residual blocks with dropout, and an embedding that two readers share: what is made again is
 * more than one segment. */
static vt_model *deep_network(void)
{
    vt_builder *b = NULL;
    vt_model *model = NULL;
    vt_error error = {0};
    vt_random random;
    vt_random_init(&random, 5);
    assert_int_equal(vt_builder_new(NULL, &b, &error), VT_OK);
    vt_value_id x = vt_builder_input(b, "image", VT_F32, &(vt_shape){4, {-1, 3, PIXELS, PIXELS}});
    vt_value_id labels = vt_builder_input(b, "label", VT_I64, &(vt_shape){1, {-1}});
    vt_value_id ratio = vt_builder_scalar(b, "ratio", 0.25F);
    x = conv_norm(b, &random, x, "stem", 3, 16);
    for (int i = 0; i < 6; i++) {
        char name[24];
        snprintf(name, sizeof name, "block%d", i);
        vt_builder_enter(b, name);
        vt_value_id y = conv_norm(b, &random, x, "a", 16, 16);
        y = vt_builder_node(b, "Dropout", NULL, (vt_value_id[]){y, ratio}, 2);
        y = conv_norm(b, &random, y, "b", 16, 16);
        x = vt_builder_node(b, "Add", NULL, (vt_value_id[]){x, y}, 2);
        x = vt_builder_node(b, "Elu", NULL, &x, 1);
        vt_builder_leave(b);
    }
    x = vt_builder_node(b, "GlobalAveragePool", NULL, &x, 1);
    x = vt_builder_node(b, "Flatten", NULL, &x, 1);
    const vt_value_id head[] = {
        x, weight(b, &random, "head.weight", (vt_shape){2, {CLASSES, 16}}, 0.2),
        vt_builder_floats(b, "head.bias", &(vt_shape){1, {CLASSES}}, NULL)};
    vt_value_id logits = vt_builder_node(b, "Gemm", "transB=1", head, 3);
    vt_value_id loss =
        vt_builder_node(b, "SoftmaxCrossEntropyLoss", NULL, (vt_value_id[]){logits, labels}, 2);
    vt_builder_output(b, "logits", logits);
    vt_builder_output(b, "loss", loss);
    if (vt_builder_finish(b, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

static void assert_same_trainings(const vt_training *have, const vt_training *want)
{
    for (size_t i = 0; i < vt_training_parameter_count(want); i++) {
        vt_parameter x = vt_training_parameter(have, i), y = vt_training_parameter(want, i);
        assert_memory_equal(x.gradient, y.gradient, y.count * sizeof(float));
        assert_memory_equal(x.value, y.value, y.count * sizeof(float));
    }
    for (size_t i = 0; i < vt_training_state_count(want); i++) {
        vt_parameter x = vt_training_state(have, i), y = vt_training_state(want, i);
        assert_memory_equal(x.value, y.value, y.count * sizeof(float));
    }
}

/* Made again or kept: the same bits in gradients, weights, statistics and results, of whole batches
 * and smaller ones, in less memory. */
static void test_recomputes(void **state)
{
    (void)state;
    static const vt_precision precisions[] = {VT_PRECISION_F32, VT_PRECISION_BF16};
    const char *const names[] = {"logits"};
    vt_model *models[] = {deep_network(), network(0.25F, NULL)};
    for (size_t k = 0; k < 4; k++) {
        vt_training_options options = options_of(precisions[k % 2]);
        options.outputs = names;
        options.output_count = 1;
        vt_training *want = start(models[k / 2], VT_EXECUTOR_ONEDNN, &options);
        options.recompute = true;
        vt_training *have = start(models[k / 2], VT_EXECUTOR_ONEDNN, &options);
        for (int i = 0; i < 5; i++) {
            batch data;
            vt_tensor x, y;
            fill(&data, (uint64_t)i, i == 2 ? 5 : BATCH);
            float a = step(have, &data, &x), b = step(want, &data, &y);
            assert_memory_equal(&a, &b, sizeof a);
            assert_memory_equal(x.data, y.data, vt_tensor_count(&y) * sizeof(float));
            assert_same_trainings(have, want);
            descend(have, 0.05F);
            descend(want, 0.05F);
        }
        size_t less = vt_training_memory_of(have).activations_bytes;
        size_t more = vt_training_memory_of(want).activations_bytes;
        print_message("%zu bytes of activations, %zu without recomputation\n", less, more);
        assert_true(k < 2 ? 10 * less < 6 * more : less <= more);
        vt_training_free(have);
        vt_training_free(want);
    }
    vt_model_free(models[0]);
    vt_model_free(models[1]);
}

/* What the training says of its memory. */
static void test_memory(void **state)
{
    (void)state;
    vt_model *model = network(0.5F, NULL);
    vt_training_options options = options_of(VT_PRECISION_F32);
    vt_training *training = start(model, VT_EXECUTOR_ONEDNN, &options);
    batch data;
    fill(&data, 3, BATCH);
    for (int i = 0; i < 2; i++)
        step(training, &data, NULL);
    vt_training_memory memory = vt_training_memory_of(training);
    size_t numbers = 0;
    for (size_t i = 0; i < vt_training_parameter_count(training); i++)
        numbers += vt_training_parameter(training, i).count;
    assert_true(memory.gradients_bytes >= numbers * sizeof(float));
    assert_true(memory.parameters_bytes > memory.gradients_bytes); /* states too */
    assert_true(memory.activations_bytes > sizeof data.pixels);
    vt_training_free(training);
    vt_model_free(model);
}

static void test_model(void **state)
{
    (void)state;
    vt_model *model = network(0.0F, NULL), *copy = NULL;
    vt_training_options options = options_of(VT_PRECISION_F32);
    vt_training *training = start(model, VT_EXECUTOR_ONEDNN, &options);
    batch data;
    vt_error error = {0};
    fill(&data, 3, BATCH);
    step(training, &data, NULL);
    descend(training, 0.1F);
    assert_int_equal(vt_training_model(training, NULL, &copy, &error), VT_OK);
    assert_int_equal(vt_model_output_count(copy), 2);
    /* It goes on as the first one would. */
    vt_training *again = start(copy, VT_EXECUTOR_ONEDNN, &options);
    float a = step(again, &data, NULL), b = step(training, &data, NULL);
    assert_memory_equal(&a, &b, sizeof a);
    compare_trainings(again, training, 0.0);
    vt_training_free(again);
    vt_training_free(training);
    vt_model_free(copy);
    vt_model_free(model);
}

static void test_frozen(void **state)
{
    (void)state;
    const char *const names[] = {"head.weight", "head.bias"};
    vt_model *model = network(0.0F, NULL);
    vt_training_options options = options_of(VT_PRECISION_F32);
    options.frozen_statistics = true;
    options.parameters = names;
    options.parameter_count = 2;
    vt_training *fast = start(model, VT_EXECUTOR_ONEDNN, &options);
    vt_training *slow = start(model, VT_EXECUTOR_REFERENCE, &options);
    batch data;
    fill(&data, 3, BATCH);
    assert_int_equal(vt_training_parameter_count(fast), 2);
    assert_int_equal(vt_training_state_count(fast), 0);
    step(fast, &data, NULL);
    step(slow, &data, NULL);
    compare_trainings(fast, slow, 1e-3);
    vt_training_free(fast);
    vt_training_free(slow);
    options.parameters = NULL; /* through frozen normalisations */
    options.parameter_count = 0;
    fast = start(model, VT_EXECUTOR_ONEDNN, &options);
    slow = start(model, VT_EXECUTOR_REFERENCE, &options);
    step(fast, &data, NULL);
    step(slow, &data, NULL);
    compare_trainings(fast, slow, 1e-3);
    vt_training_free(fast);
    vt_training_free(slow);
    vt_model_free(model);
}

static void refused(const vt_model *model, const vt_training_options *options, vt_status want,
                    const char *words)
{
    vt_training *training = NULL;
    vt_error error = {0};
    assert_int_equal(vt_training_new(model, options, &training, &error), want);
    assert_non_null(strstr(error.message, words));
}

static void test_refusals(void **state)
{
    (void)state;
    const char *const unknown[] = {"nothing"}, *const twice[] = {"head.bias", "head.bias"};
    vt_model *model = network(0.0F, NULL), *odd = network(0.0F, "DynamicQuantizeLinear");
    vt_training_options options = options_of(VT_PRECISION_F32);
    refused(odd, &options, VT_ERR_UNSUPPORTED, "DynamicQuantizeLinear node");
    refused(odd, &options, VT_ERR_UNSUPPORTED, "before it is quantised");
    options.loss = "nothing";
    refused(model, &options, VT_ERR_NOT_FOUND, "\"nothing\"");
    options.loss = "loss";
    options.parameters = unknown;
    options.parameter_count = 1;
    refused(model, &options, VT_ERR_NOT_FOUND, "\"nothing\"");
    options.parameters = twice;
    options.parameter_count = 2;
    refused(model, &options, VT_ERR_USAGE, "twice");
    options.parameters = NULL;
    options.loss = "logits";
    vt_training *training = start(model, VT_EXECUTOR_ONEDNN, &options);
    batch data;
    float loss;
    vt_error error = {0};
    fill(&data, 3, BATCH);
    assert_int_equal(vt_training_step(training, data.inputs, 2, &loss, NULL, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "not one float"));
    assert_int_equal(vt_training_step(training, data.inputs, 1, &loss, NULL, &error), VT_ERR_USAGE);
    data.inputs[0].shape.dims[1] = 4;
    assert_int_equal(vt_training_step(training, data.inputs, 2, &loss, NULL, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "input \"image\""));
    vt_training_free(training);
    vt_model_free(model);
    vt_model_free(odd);
}

static void no_memory(bool recompute)
{
    vt_model *model = network(0.25F, NULL);
    vt_training_options options = options_of(VT_PRECISION_F32);
    batch data;
    options.recompute = recompute;
    vt_status status = VT_ERR_NO_MEMORY;
    fill(&data, 3, BATCH);
    for (int64_t tries = 0; status != VT_OK; tries += 1 + tries / 16) {
        vt_training *training = NULL;
        vt_error error = {0};
        float loss;
        vt_mem_fail_after(tries);
        status = vt_training_new(model, &options, &training, &error);
        if (status == VT_OK)
            status = vt_training_step(training, data.inputs, 2, &loss, NULL, &error);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        vt_training_free(training);
    }
    vt_model_free(model);
}

static void test_no_memory(void **state)
{
    (void)state;
    no_memory(false);
    no_memory(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_executors),  cmocka_unit_test(test_winograd),
        cmocka_unit_test(test_learns),     cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_repeats),    cmocka_unit_test(test_memory),
        cmocka_unit_test(test_model),      cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_recomputes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
