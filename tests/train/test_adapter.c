/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters: nothing changes at first, merged equals unmerged, what is trained, refusals. */
#include "support/scratch.h"

#include "base/random.h"
#include "encoder/architecture.h"
#include "nn/builder.h"
#include "train/adapter.h"
#include "train/freeze.h"

#include <math.h>

enum { SIZE = 32, BATCH = 2, CLASSES = 5 };

static vt_model *network_of(const char *name, double width)
{
    vt_architecture_options options = vt_architecture_options_defaults();
    vt_model *model = NULL;
    vt_error error = {0};
    options.size = SIZE;
    options.width = width;
    options.classes = CLASSES;
    if (vt_architecture_build(name, &options, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

static vt_model *network(const char *name)
{
    return network_of(name, 1);
}

/* Layer scales of ConvNeXt start so small that branches hardly show: 1 instead. */
static void open_branches(vt_model *model)
{
    vt_selection s;
    assert_int_equal(vt_selection_init(&s, model, NULL, 1, NULL), VT_OK);
    for (size_t i = 0; i < s.count; i++) {
        if (strstr(s.items[i].name, ".scale") == NULL)
            continue;
        float *ones = test_malloc(s.items[i].count * sizeof *ones);
        for (size_t j = 0; j < s.items[i].count; j++)
            ones[j] = 1;
        assert_int_equal(
            vt_model_weight_write(model, s.items[i].name, ones, s.items[i].count, NULL), VT_OK);
        test_free(ones);
    }
    vt_selection_deinit(&s);
}

static void run(const vt_model *model, float out[BATCH * CLASSES])
{
    static float pixels[BATCH * 3 * SIZE * SIZE];
    vt_session *session;
    vt_tensor output;
    vt_random random;
    vt_error error = {0};
    const vt_tensor image = {.dtype = VT_F32,
                             .shape = {.rank = 4, .dims = {BATCH, 3, SIZE, SIZE}},
                             .data = pixels,
                             .bytes = sizeof pixels};
    vt_random_init(&random, 3);
    for (size_t i = 0; i < sizeof pixels / sizeof pixels[0]; i++)
        pixels[i] = (float)vt_random_normal(&random);
    assert_int_equal(vt_session_new(model, NULL, &session, &error), VT_OK);
    if (vt_session_run(session, &image, 1, &output, &error) != VT_OK)
        fail_msg("%s", error.message);
    memcpy(out, output.data, BATCH * CLASSES * sizeof *out);
    vt_session_free(session);
}

/* The largest difference beside the largest number. */
static double difference(const float *a, const float *b)
{
    double most = 0, largest = 0;
    for (int i = 0; i < BATCH * CLASSES; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)a[i]));
    }
    assert_true(largest > 0);
    return most / largest;
}

/* As if trained: every lora_b random. */
static void train(vt_model *model)
{
    vt_selection s;
    vt_random random;
    vt_random_init(&random, 11);
    assert_int_equal(vt_selection_init(&s, model, "all-but-adapters", 1, NULL), VT_OK);
    for (size_t i = 0; i < s.count; i++) {
        size_t length = strlen(s.items[i].name);
        assert_true(s.items[i].trained == (s.items[i].adapter || s.items[i].head));
        if (!s.items[i].adapter || s.items[i].name[length - 1] != 'b')
            continue;
        float *values = test_malloc(s.items[i].count * sizeof *values);
        for (size_t j = 0; j < s.items[i].count; j++)
            values[j] = (float)(0.05 * vt_random_normal(&random));
        assert_int_equal(
            vt_model_weight_write(model, s.items[i].name, values, s.items[i].count, NULL), VT_OK);
        test_free(values);
    }
    vt_selection_deinit(&s);
}

static void check(const char *name, const char *only, size_t wanted)
{
    float plain[BATCH * CLASSES], adapted_at_first[BATCH * CLASSES], trained[BATCH * CLASSES],
        merged_out[BATCH * CLASSES];
    vt_model *model = network(name), *adapted = NULL, *merged = NULL;
    vt_adapter_options options = vt_adapter_options_defaults();
    vt_error error = {0};
    size_t count = 0;
    open_branches(model);
    options.rank = 4;
    options.alpha = 8;
    options.only = only;
    if (vt_adapter_add(model, &options, &adapted, &count, &error) != VT_OK)
        fail_msg("%s: %s", name, error.message);
    assert_int_equal(count, wanted);
    run(model, plain);
    run(adapted, adapted_at_first);
    assert_true(difference(plain, adapted_at_first) < 1e-5);
    train(adapted);
    run(adapted, trained);
    assert_true(difference(plain, trained) > 1e-3);
    if (vt_adapter_merge(adapted, &merged, &error) != VT_OK)
        fail_msg("%s: %s", name, error.message);
    run(merged, merged_out);
    assert_true(difference(trained, merged_out) < 1e-4);
    /* The plain network's nodes, no more. */
    assert_int_equal(vt_model_prune(model, NULL, 0, &error), VT_OK);
    assert_int_equal(vt_model_summary_of(merged).nodes, vt_model_summary_of(model).nodes);
    vt_buf file;
    vt_buf_init(&file, 1 << 28);
    assert_int_equal(vt_model_write(merged, &file, &error), VT_OK);
    vt_model_free(merged);
    assert_int_equal(vt_model_parse(file.data, file.length, NULL, &merged, &error), VT_OK);
    assert_false(vt_model_has_value(merged, "stage1.block1.attention.query.weight.lora_a"));
    run(merged, trained);
    assert_true(difference(trained, merged_out) < 1e-6);
    vt_buf_deinit(&file);
    vt_model_free(merged);
    vt_model_free(adapted);
    vt_model_free(model);
}

static void test_linear_layers(void **state)
{
    (void)state;
    check("vit-ti", ".query.", 12); /* MatMul */
    check("convnext-atto", NULL, 24);
}

static void test_point_convolutions(void **state)
{
    (void)state;
    check("mobilenetv2", NULL, 34); /* all 1x1 ones, with the last */
}

static void test_refusals(void **state)
{
    (void)state;
    vt_model *model = network("resnet9"), *adapted = NULL;
    vt_adapter_options options = vt_adapter_options_defaults();
    vt_error error = {0};
    size_t count;
    assert_int_equal(vt_adapter_add(model, &options, &adapted, &count, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "no weight"));
    options.rank = 0;
    assert_int_equal(vt_adapter_add(model, &options, &adapted, &count, &error), VT_ERR_USAGE);
    options.rank = 4;
    options.alpha = NAN;
    assert_int_equal(vt_adapter_add(model, &options, &adapted, &count, &error), VT_ERR_USAGE);
    assert_null(adapted);
    vt_model_free(model);
}

/* Factors that do not fit their weight are told, not multiplied. */
static void test_broken_adapters(void **state)
{
    (void)state;
    const vt_shape square = {.rank = 2, .dims = {4, 4}}, wide = {.rank = 2, .dims = {1, 8}};
    const vt_shape tall = {.rank = 2, .dims = {4, 1}}, row = {.rank = 1, .dims = {4}};
    for (int kind = 0; kind < 2; kind++) {
        vt_builder *builder;
        vt_model *model = NULL, *merged = NULL;
        vt_error error = {0};
        assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
        vt_value_id x = vt_builder_input(builder, "x", VT_F32, &square);
        vt_value_id w = vt_builder_floats(builder, "w", &square, NULL);
        vt_value_id a = vt_builder_floats(builder, "w.lora_a", kind == 0 ? &wide : &row, NULL);
        vt_value_id b = vt_builder_floats(builder, "w.lora_b", &tall, NULL);
        vt_value_id y = vt_builder_node(builder, "Mul", NULL, (vt_value_id[]){x, w}, 2);
        y = vt_builder_node(builder, "MatMul", NULL, (vt_value_id[]){y, b}, 2);
        y = vt_builder_node(builder, "MatMul", NULL, (vt_value_id[]){y, a}, 2);
        y = vt_builder_node(builder, "Relu", NULL, &y, 1);
        y = vt_builder_node(builder, "Relu", NULL, &y, 1);
        vt_builder_output(builder, "y", vt_builder_node(builder, "Relu", NULL, &y, 1));
        if (kind == 1) /* the shapes do not even multiply; merging must not look at that first */
            vt_builder_scalar(builder, "w.fixed_scale", 1);
        assert_int_equal(vt_builder_finish(builder, &model, &error), VT_OK);
        vt_status status = vt_adapter_merge(model, &merged, &error);
        assert_true(status == VT_ERR_NOT_FOUND || status == VT_ERR_FORMAT);
        assert_non_null(strstr(error.message, "w"));
        assert_null(merged);
        vt_model_free(model);
    }
}

static vt_status attempt(void *context)
{
    vt_model *adapted = NULL, *merged = NULL;
    size_t count;
    vt_adapter_options options = vt_adapter_options_defaults();
    options.only = "stage4.block1";
    vt_status status = vt_adapter_add(context, &options, &adapted, &count, NULL);
    if (status == VT_OK)
        status = vt_adapter_merge(adapted, &merged, NULL);
    vt_model_free(adapted);
    vt_model_free(merged);
    return status;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    vt_model *model = network_of("convnext-atto", 0.25); /* copied a hundred times */
    assert_true(each_allocation_failing(attempt, model) > 20);
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_layers),   cmocka_unit_test(test_point_convolutions),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_broken_adapters),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
