/* SPDX-License-Identifier: Apache-2.0 */
/* Which weights are trained: our networks by name, others by name or place, all modes, rates. */
#include "support/scratch.h"

#include "encoder/architecture.h"
#include "nn/builder.h"
#include "train/freeze.h"

#include <math.h>

static vt_model *network(const char *name, bool fuse)
{
    vt_architecture_options options = vt_architecture_options_defaults();
    vt_model *model = NULL;
    vt_error error = {0};
    options.size = 32;
    options.classes = 5;
    options.dim = fuse ? 8 : 0;
    options.fuse = fuse ? 2 : 0;
    options.pooling = VT_POOLING_GEM;
    if (vt_architecture_build(name, &options, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

static vt_selection select_weights(const vt_model *model, const char *freeze, double decay)
{
    vt_selection selection;
    vt_error error = {0};
    if (vt_selection_init(&selection, model, freeze, decay, &error) != VT_OK)
        fail_msg("%s", error.message);
    return selection;
}

static const vt_selected *find(const vt_selection *selection, const char *name)
{
    for (size_t i = 0; i < selection->count; i++)
        if (strcmp(selection->items[i].name, name) == 0)
            return &selection->items[i];
    return NULL;
}

static bool trains(const vt_selection *selection, const char *name)
{
    const vt_selected *item = find(selection, name);
    if (item == NULL)
        fail_msg("\"%s\" is not there", name);
    return item->trained;
}

static void test_everything(void **state)
{
    (void)state;
    vt_model *model = network("resnet18", true);
    vt_selection s = select_weights(model, NULL, 1);
    assert_int_equal(s.stages, 4);
    assert_true(trains(&s, "stem.conv1.weight"));
    assert_true(trains(&s, "head.classes.linear.bias"));
    assert_true(trains(&s, "head.embedding.level1.exponent"));
    assert_null(find(&s, "stem.norm1.running_mean"));
    assert_null(find(&s, "head.embedding.level1.fixed_floor"));
    assert_int_equal(find(&s, "stem.conv1.weight")->stage, 0);
    assert_int_equal(find(&s, "stage3.block2.norm1.bias")->stage, 3);
    assert_int_equal(find(&s, "stage3.block2.norm1.bias")->role, VT_WEIGHT_NORM_BIAS);
    assert_int_equal(find(&s, "head.classes.linear.bias")->stage, 5);
    for (size_t i = 0; i < s.count; i++)
        assert_true(s.items[i].trained && s.items[i].rate == 1);
    vt_selection_deinit(&s);
    vt_model_free(model);
}

/* What each mode leaves: {mode, stem kernel, stage 2 kernel, its norm's scale and bias, stage 4
 * kernel}; the head always. */
static void test_modes(void **state)
{
    (void)state;
    static const struct {
        const char *freeze;
        bool trained[5];
    } cases[] = {
        {"none", {1, 1, 1, 1, 1}},
        {"all-but-head", {0, 0, 0, 0, 0}},
        {"all-but-norms", {0, 0, 1, 1, 0}},
        {"all-but-biases", {0, 0, 0, 1, 0}},
        {"stages=1", {0, 1, 1, 1, 1}},
        {"stages=2", {0, 0, 0, 0, 1}},
        {"all-but-adapters", {0, 0, 0, 0, 0}},
    };
    static const char *const names[5] = {"stem.conv1.weight", "stage2.block1.conv1.weight",
                                         "stage2.block1.norm1.weight", "stage2.block1.norm1.bias",
                                         "stage4.block2.conv2.weight"};
    vt_model *model = network("resnet18", false);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vt_selection s = select_weights(model, cases[i].freeze, 1);
        for (int n = 0; n < 5; n++)
            if (trains(&s, names[n]) != cases[i].trained[n])
                fail_msg("%s, %s", cases[i].freeze, names[n]);
        assert_true(trains(&s, "head.classes.linear.weight"));
        vt_selection_deinit(&s);
    }
    vt_model_free(model);
}

/* Of the heads those of classes alone: vectors stay what they were. */
static void test_classes_alone(void **state)
{
    (void)state;
    vt_model *model = network("resnet18", true);
    vt_selection s = select_weights(model, "all-but-classes", 1);
    for (size_t i = 0; i < s.count; i++)
        assert_true(!s.items[i].trained || strncmp(s.items[i].name, "head.", 5) == 0);
    assert_true(trains(&s, "head.classes.linear.weight"));
    assert_true(trains(&s, "head.classes.linear.bias"));
    assert_false(trains(&s, "head.embedding.linear.weight"));
    assert_false(trains(&s, "stage4.block2.conv2.weight"));
    vt_selection_deinit(&s);
    vt_model_free(model);
}

static void test_rates(void **state)
{
    (void)state;
    vt_model *model = network("vit-ti", false);
    vt_selection s = select_weights(model, "none", 0.5);
    assert_int_equal(s.stages, 12);
    assert_true(find(&s, "head.classes.linear.weight")->rate == 1);
    assert_true(find(&s, "stage12.block1.linear1.weight")->rate == 0.5);
    assert_true(find(&s, "stage12.block1.attention.query.weight")->role == VT_WEIGHT_KERNEL);
    assert_true(fabs(find(&s, "stem.positions")->rate - pow(0.5, 13)) < 1e-9);
    assert_true(find(&s, "stem.token")->trained);
    assert_int_equal(find(&s, "stem.positions")->role, VT_WEIGHT_OTHER);
    vt_selection_deinit(&s);
    vt_model_free(model);
}

/* ---- networks of others ---- */

/* `format` with the number in place of '#'. */
static void numbered(char out[64], const char *format, int number)
{
    size_t before = strcspn(format, "#");
    snprintf(out, 64, "%.*s%d%s", (int)before, format, number,
             format[before] == '#' ? format + before + 1 : "");
}

/* Six convolutions and a classifier, named by `format` with a number, behind pixel arithmetic. */
static vt_model *foreign(const char *format, vt_dtype dtype)
{
    char name[64];
    vt_builder *builder;
    vt_model *model = NULL;
    vt_error error = {0};
    const vt_shape image = {.rank = 4, .dims = {-1, 3, 8, 8}},
                   three = {.rank = 4, .dims = {1, 3, 1, 1}};
    const vt_shape kernel = {.rank = 4, .dims = {3, 3, 1, 1}}, row = {.rank = 1, .dims = {3}};
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    vt_value_id x = vt_builder_input(builder, "image", VT_F32, &image);
    vt_value_id mean = vt_builder_floats(builder, "pixel_mean", &three, NULL);
    vt_value_id factor = vt_builder_floats(builder, "pixel_factor", &three, NULL);
    x = vt_builder_node(builder, "Sub", NULL, (vt_value_id[]){x, mean}, 2);
    x = vt_builder_node(builder, "Mul", NULL, (vt_value_id[]){x, factor}, 2);
    for (int i = 0; i < 6; i++) {
        numbered(name, format, i);
        vt_value_id w = vt_builder_floats(builder, name, &kernel, NULL);
        snprintf(name, sizeof name, "opaque_bias_%d", i);
        vt_value_id b = vt_builder_floats(builder, name, &row, NULL);
        x = vt_builder_node(builder, "Conv", NULL, (vt_value_id[]){x, w, b}, 3);
        x = vt_builder_node(builder, "Relu", NULL, &x, 1);
    }
    x = vt_builder_node(builder, "GlobalAveragePool", NULL, &x, 1);
    x = vt_builder_node(builder, "Flatten", NULL, &x, 1);
    const vt_shape square = {.rank = 2, .dims = {3, 3}};
    vt_tensor last = {0};
    assert_int_equal(vt_tensor_init(&last, dtype, &square, 0, NULL), VT_OK);
    vt_value_id w = vt_builder_constant(builder, "fc_matrix", &last);
    if (dtype != VT_F32)
        w = vt_builder_node(builder, "Cast", "to=1", &w, 1);
    w = vt_builder_node(builder, "Transpose", "perm=1,0", &w, 1); /* still the weight */
    x = vt_builder_node(builder, "MatMul", NULL, (vt_value_id[]){x, w}, 2);
    vt_value_id b = vt_builder_floats(builder, "fc_vector", &row, NULL);
    vt_builder_output(builder, "y",
                      vt_builder_node(builder, "Add", NULL, (vt_value_id[]){x, b}, 2));
    if (vt_builder_finish(builder, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

static void check_foreign(const char *format, int stages, const int wanted[6])
{
    char name[64];
    vt_model *model = foreign(format, VT_F32);
    vt_selection s = select_weights(model, "all-but-head", 1);
    assert_null(find(&s, "pixel_mean"));
    assert_null(find(&s, "pixel_factor"));
    assert_int_equal(s.trained_count, 2);
    assert_int_equal(s.trained_numbers, 12);
    assert_true(trains(&s, "fc_matrix"));
    assert_true(trains(&s, "fc_vector"));
    assert_int_equal(find(&s, "fc_vector")->role, VT_WEIGHT_BIAS);
    assert_int_equal(s.stages, stages);
    for (int i = 0; i < 6; i++) {
        numbered(name, format, i);
        assert_int_equal(find(&s, name)->stage, wanted[i]);
        snprintf(name, sizeof name, "opaque_bias_%d", i);
        assert_int_equal(find(&s, name)->stage, wanted[i]);
    }
    vt_selection_deinit(&s);
    vt_model_free(model);
}

static void test_networks_of_others(void **state)
{
    (void)state;
    check_foreign("model.layers.#.weight", 6, (const int[]){1, 2, 3, 4, 5, 6});
    check_foreign("/features/features.#/conv", 6, (const int[]){1, 2, 3, 4, 5, 6});
    check_foreign("layer#.0.conv", 5, (const int[]){0, 1, 2, 3, 4, 5});
    check_foreign("onnx::Conv_#", 4, (const int[]){1, 1, 2, 3, 3, 4});
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "all", "stages", "stages=", "stages=0", "stages=-1", "stages=1x", "stages=7"};
    vt_model *model = foreign("model.layers.#.weight", VT_F32);
    vt_selection s;
    vt_error error = {0};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(vt_selection_init(&s, model, wrong[i], 1, &error), VT_ERR_USAGE);
        assert_non_null(strstr(error.message, "freeze"));
    }
    assert_int_equal(vt_selection_init(&s, model, NULL, 0, &error), VT_ERR_USAGE);
    assert_int_equal(vt_selection_init(&s, model, NULL, NAN, &error), VT_ERR_USAGE);
    assert_int_equal(vt_selection_init(&s, model, NULL, 1.1, &error), VT_ERR_USAGE);
    vt_model_free(model);
    model = foreign("w#", VT_F16);
    assert_int_equal(vt_selection_init(&s, model, NULL, 1, &error), VT_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "fc_matrix"));
    vt_model_free(model);
}

static vt_status attempt(void *context)
{
    vt_selection s;
    vt_status status = vt_selection_init(&s, context, NULL, 1, NULL);
    if (status == VT_OK)
        vt_selection_deinit(&s);
    return status;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    vt_model *model = foreign("w#", VT_F32);
    assert_true(each_allocation_failing(attempt, model) >= 4);
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),         cmocka_unit_test(test_modes),
        cmocka_unit_test(test_classes_alone),      cmocka_unit_test(test_rates),
        cmocka_unit_test(test_networks_of_others), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
