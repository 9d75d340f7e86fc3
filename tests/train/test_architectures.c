/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every architecture learns: what is selected is what is trained, gradients are finite and reach
 * the stem, and a small step against them lowers the loss as much as their length foretells. What
 * training added leaves with pruning.
 */
#include "support/scratch.h"

#include "base/random.h"
#include "encoder/architecture.h"
#include "nn/training.h"
#include "train/adapter.h"
#include "train/freeze.h"
#include "train/loss.h"

#include <math.h>

enum { BATCH = 8, CLASSES = 4, DIM = 16, LARGEST = 75 };

static const double FALL = 0.03; /* of the loss, that a step aims at */

static vt_model *network_of(const char *name, double width, int size_px, double drop)
{
    vt_architecture_options options = vt_architecture_options_defaults();
    vt_model *model = NULL;
    vt_error error = {0};
    bool has_patch = strncmp(name, "vit", 3) == 0;
    options.size = size_px;
    options.width = width;
    options.patch = has_patch ? 8 : 0;
    options.classes = CLASSES;
    options.dim = DIM;
    options.fuse = has_patch ? 0 : 2;
    options.pooling = VT_POOLING_GEM;
    options.dropout = drop;
    options.stochastic_depth = drop;
    if (vt_architecture_build(name, &options, &model, &error) != VT_OK)
        fail_msg("%s: %s", name, error.message);
    return model;
}

static vt_model *network(const char *name, int *size)
{
    bool has_width = strncmp(name, "resnet", 6) == 0 || strncmp(name, "vgg", 3) == 0 ||
                     strncmp(name, "convnext", 8) == 0;
    *size = strcmp(name, "inception3") == 0 ? LARGEST : 32;
    return network_of(name, has_width ? 0.25 : 1, *size, 0); /* two steps are compared */
}

/* A copy with cross-entropy and ArcFace. */
static vt_model *with_loss(const vt_model *model)
{
    vt_builder *builder;
    vt_model *out = NULL;
    vt_loss loss;
    vt_value_id scalar;
    vt_error error = {0};
    vt_loss_inputs inputs = vt_loss_inputs_defaults();
    assert_int_equal(vt_builder_from(model, &builder, &error), VT_OK);
    assert_int_equal(vt_loss_parse("ce,arcface(scale=8)=0.5", &loss, &error), VT_OK);
    inputs.logits = vt_builder_find(builder, "logits");
    inputs.embedding = vt_builder_find(builder, "embedding");
    inputs.labels =
        vt_builder_input(builder, "labels", VT_I64, &(vt_shape){.rank = 1, .dims = {-1}});
    inputs.classes = CLASSES;
    inputs.dim = DIM;
    vt_loss_add(builder, &loss, &inputs, &scalar);
    vt_builder_output(builder, "loss", scalar);
    if (vt_builder_finish(builder, &out, &error) != VT_OK)
        fail_msg("%s", error.message);
    return out;
}

static bool recompute;

static vt_training *start(const char *name, const vt_model *model, const char *freeze,
                          size_t *numbers)
{
    vt_selection selection;
    vt_training *training = NULL;
    vt_error error = {0};
    vt_training_options options = vt_training_options_defaults();
    if (vt_selection_init(&selection, model, freeze, 1, &error) != VT_OK)
        fail_msg("%s: %s", name, error.message);
    const char **names = test_malloc(selection.count * sizeof *names);
    for (size_t i = 0; i < selection.count; i++)
        if (selection.items[i].trained)
            names[options.parameter_count++] = selection.items[i].name;
    assert_int_equal(options.parameter_count, selection.trained_count);
    options.loss = "loss";
    options.recompute = recompute;
    options.parameters = names;
    if (vt_training_new(model, &options, &training, &error) != VT_OK)
        fail_msg("%s: %s", name, error.message);
    *numbers = selection.trained_numbers;
    test_free(names);
    vt_selection_deinit(&selection);
    return training;
}

static float *pixels(int size)
{
    float *values = test_malloc(BATCH * 3 * (size_t)size * (size_t)size * sizeof *values);
    vt_random random;
    vt_random_init(&random, 3);
    for (int i = 0; i < BATCH * 3 * size * size; i++)
        values[i] = (float)vt_random_normal(&random);
    return values;
}

static float step(const char *name, vt_training *training, float *image, int size)
{
    int64_t labels[BATCH];
    float loss = 0;
    vt_error error = {0};
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % CLASSES;
    const vt_tensor inputs[2] = {{.dtype = VT_F32,
                                  .shape = {.rank = 4, .dims = {BATCH, 3, size, size}},
                                  .data = image,
                                  .bytes = BATCH * 3 * (size_t)size * (size_t)size * sizeof(float)},
                                 {.dtype = VT_I64,
                                  .shape = {.rank = 1, .dims = {BATCH}},
                                  .data = labels,
                                  .bytes = sizeof labels}};
    if (vt_training_step(training, inputs, 2, &loss, NULL, &error) != VT_OK)
        fail_msg("%s: %s", name, error.message);
    return loss;
}

/* A step down that lowers the loss by FALL if it is straight; gradients are finite and, where the
 * stem is trained, reach it. */
static void descend(const char *name, vt_training *training)
{
    double squares = 0;
    for (size_t i = 0; i < vt_training_parameter_count(training); i++) {
        vt_parameter p = vt_training_parameter(training, i);
        double own = 0;
        for (size_t j = 0; j < p.count; j++)
            own += (double)p.gradient[j] * (double)p.gradient[j];
        if (!isfinite(own))
            fail_msg("%s: gradient of %s", name, p.name);
        if (strcmp(p.name, "stem.conv1.weight") == 0 && own == 0)
            fail_msg("%s: nothing reaches the stem", name);
        squares += own;
    }
    double rate = FALL / (squares + 1e-12);
    for (size_t i = 0; i < vt_training_parameter_count(training); i++) {
        vt_parameter p = vt_training_parameter(training, i);
        for (size_t j = 0; j < p.count; j++)
            p.value[j] -= (float)(rate * (double)p.gradient[j]);
    }
}

static void learns(const char *name, const vt_model *plain, const vt_model *model, int size,
                   const char *freeze)
{
    static const char *const outputs[] = {"logits", "embedding"};
    size_t numbers, counted = 0;
    vt_training *training = start(name, model, freeze, &numbers);
    float *image = pixels(size);
    for (size_t i = 0; i < vt_training_parameter_count(training); i++)
        counted += vt_training_parameter(training, i).count;
    assert_int_equal(counted, numbers);
    double first = (double)step(name, training, image, size);
    descend(name, training);
    double fall = first - (double)step(name, training, image, size);
    if (!(fall > 0.7 * FALL && fall < 1.3 * FALL))
        fail_msg("%s: %g fell by %g, not by about %g", name, first, fall, FALL);
    vt_model *trained = NULL;
    vt_error error = {0};
    assert_int_equal(vt_training_model(training, NULL, &trained, &error), VT_OK);
    assert_int_equal(vt_model_prune(trained, outputs, 2, &error), VT_OK);
    assert_int_equal(vt_model_input_count(trained), 1);
    if (freeze == NULL) {
        vt_model *pruned = NULL;
        assert_int_equal(vt_model_dup(plain, &pruned, &error), VT_OK);
        assert_int_equal(vt_model_prune(pruned, NULL, 0, &error), VT_OK);
        assert_int_equal(vt_model_summary_of(trained).nodes, vt_model_summary_of(pruned).nodes);
        vt_model_free(pruned);
    }
    vt_model_free(trained);
    vt_training_free(training);
    test_free(image);
}

/* The smallest of each kind of block; their larger siblings differ in numbers alone. */
static void test_all_learn(void **state)
{
    (void)state;
    static const char *const names[] = {
        "resnet9",           "resnet18",         "resnet50",     "vgg16",
        "inception3",        "densenet121",      "mobilenetv2",  "mobilenetv3-small",
        "mobilenetv3-large", "shufflenetv2-0.5", "convnext-atto"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i += SCRATCH_STRIDE) {
        int size;
        vt_model *plain = network(names[i], &size), *model = with_loss(plain);
        learns(names[i], plain, model, size, NULL);
        vt_model_free(model);
        vt_model_free(plain);
    }
}

/* A vision transformer, adapters and heads alone. */
static void test_adapters_learn(void **state)
{
    (void)state;
    int size;
    size_t count;
    vt_model *plain = network("vit-ti", &size), *model = with_loss(plain), *adapted = NULL;
    vt_adapter_options options = vt_adapter_options_defaults();
    options.only = "attention";
    assert_int_equal(vt_adapter_add(model, &options, &adapted, &count, NULL), VT_OK);
    assert_int_equal(count, 48);
    learns("vit-ti with adapters", plain, adapted, size, "all-but-adapters");
    vt_model_free(adapted);
    vt_model_free(model);
    vt_model_free(plain);
}

/* Activations that are made again: the same gradients and statistics bit for bit, with dropout and
 * stochastic depth, in less memory. ResNet-18 cannot go far below a half: two maps of its stem and
 * their gradients, which are alive together, are two fifths of what it takes without. */
static void recomputes(const char *name, double width, int size, double share)
{
    size_t numbers, bytes[2];
    vt_model *plain = network_of(name, width, size, 0.2), *model = with_loss(plain);
    vt_training *trainings[2];
    float *image = pixels(size), losses[2];
    for (int i = 0; i < 2; i++) {
        recompute = i == 1;
        trainings[i] = start(name, model, NULL, &numbers);
        losses[i] = step(name, trainings[i], image, size);
        bytes[i] = vt_training_memory_of(trainings[i]).activations_bytes;
    }
    recompute = false;
    assert_memory_equal(&losses[0], &losses[1], sizeof losses[0]);
    for (size_t i = 0; i < vt_training_parameter_count(trainings[0]); i++) {
        vt_parameter x = vt_training_parameter(trainings[0], i),
                     y = vt_training_parameter(trainings[1], i);
        if (memcmp(x.gradient, y.gradient, x.count * sizeof(float)) != 0)
            fail_msg("%s: another gradient of %s", name, x.name);
    }
    for (size_t i = 0; i < vt_training_state_count(trainings[0]); i++) {
        vt_parameter x = vt_training_state(trainings[0], i), y = vt_training_state(trainings[1], i);
        if (memcmp(x.value, y.value, x.count * sizeof(float)) != 0)
            fail_msg("%s: other statistics %s", name, x.name);
    }
    print_message("%s: %zu bytes of activations, %zu recomputed\n", name, bytes[0], bytes[1]);
    if (!((double)bytes[1] < share * (double)bytes[0]))
        fail_msg("%s: %zu bytes are not below %g of %zu", name, bytes[1], share, bytes[0]);
    for (int i = 0; i < 2; i++)
        vt_training_free(trainings[i]);
    test_free(image);
    vt_model_free(model);
    vt_model_free(plain);
}

static void test_recomputation(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double width;
        int size;
        double share;
    } rows[] = {{"resnet18", 0.25, 128, 0.55},     {"resnet18", 1, 64, 0.85},
                {"resnet50", 0.25, 64, 0.6},       {"densenet121", 1, 32, 0.7},
                {"convnext-atto", 0.25, 64, 0.5},  {"vit-ti", 1, 32, 0.25},
                {"mobilenetv3-small", 1, 64, 0.55}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i += SCRATCH_STRIDE)
        recomputes(rows[i].name, rows[i].width, rows[i].size, rows[i].share);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recomputation),
        cmocka_unit_test(test_all_learn),
        cmocka_unit_test(test_adapters_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
