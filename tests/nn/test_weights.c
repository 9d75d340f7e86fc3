/* SPDX-License-Identifier: Apache-2.0 */
/* What constants are for, in order, behind transposes and reshapes; reading them; their readers. */
#include "support/scratch.h"

#include "nn/builder.h"
#include "nn/weights.h"

static const vt_shape image = {.rank = 4, .dims = {-1, 2, 4, 4}};

static vt_value_id zeros(vt_builder *builder, const char *name, int rank, const int64_t *dims)
{
    const vt_shape shape = vt_shape_of(rank, dims);
    return vt_builder_floats(builder, name, &shape, NULL);
}

#define ZEROS(name, ...)                                                                           \
    zeros(builder, name, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),          \
          (const int64_t[]){__VA_ARGS__})
#define NODE(op, attrs, ...)                                                                       \
    vt_builder_node(builder, op, attrs, (const vt_value_id[]){__VA_ARGS__},                        \
                    sizeof((const vt_value_id[]){__VA_ARGS__}) / sizeof(vt_value_id))

/* One of everything. */
static vt_model *network(void)
{
    vt_builder *builder;
    vt_model *model = NULL;
    vt_error error = {0};
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    vt_value_id x = vt_builder_input(builder, "image", VT_F32, &image);
    x = NODE("Mul", NULL, x, ZEROS("pixel_factor", 1, 2, 1, 1));
    x = NODE("Add", NULL, x, ZEROS("pixel_shift", 1, 2, 1, 1));
    x = NODE("Conv", NULL, x, ZEROS("kernel", 2, 2, 1, 1), ZEROS("kernel_bias", 2));
    x = NODE("BatchNormalization", NULL, x, ZEROS("scale", 2), ZEROS("shift", 2), ZEROS("mean", 2),
             ZEROS("variance", 2));
    x = NODE("Mul", NULL, x, vt_builder_scalar(builder, "half", 0.5F));
    x = NODE("Mul", NULL, x, vt_builder_scalar(builder, "pool.exponent", 3));
    x = NODE("Mul", NULL, x, ZEROS("layer_scale", 2, 1, 1));
    x = NODE("PRelu", NULL, x, ZEROS("slope", 2, 1, 1));
    x = NODE("Flatten", NULL, x);
    vt_value_id w = NODE("Transpose", "perm=1,0", ZEROS("turned", 3, 32));
    x = NODE("MatMul", NULL, x, w);
    x = NODE("Add", NULL, x, ZEROS("added", 3));
    x = NODE("Add", NULL, x, ZEROS("fixed_vector", 3));
    x = NODE("MatMul", NULL, x, ZEROS("part.fixed_matrix", 3, 3));
    vt_builder_output(builder, "y", x);
    ZEROS("unread", 7);
    if (vt_builder_finish(builder, &model, &error) != VT_OK)
        fail_msg("%s", error.message);
    return model;
}

static const struct {
    const char *name;
    vt_weight_role role;
    const char *op;
} wanted[] = {
    {"pixel_factor", VT_WEIGHT_FIXED, "Mul"},
    {"pixel_shift", VT_WEIGHT_FIXED, "Add"},
    {"kernel", VT_WEIGHT_KERNEL, "Conv"},
    {"kernel_bias", VT_WEIGHT_BIAS, "Conv"},
    {"scale", VT_WEIGHT_NORM_SCALE, "BatchNormalization"},
    {"shift", VT_WEIGHT_NORM_BIAS, "BatchNormalization"},
    {"mean", VT_WEIGHT_STATISTIC, "BatchNormalization"},
    {"variance", VT_WEIGHT_STATISTIC, "BatchNormalization"},
    {"half", VT_WEIGHT_FIXED, "Mul"},
    {"pool.exponent", VT_WEIGHT_OTHER, "Mul"},
    {"layer_scale", VT_WEIGHT_OTHER, "Mul"},
    {"slope", VT_WEIGHT_OTHER, "PRelu"},
    {"turned", VT_WEIGHT_KERNEL, "MatMul"},
    {"added", VT_WEIGHT_BIAS, "Add"},
    {"fixed_vector", VT_WEIGHT_FIXED, "Add"},
    {"part.fixed_matrix", VT_WEIGHT_FIXED, "MatMul"},
};
enum { WANTED = sizeof(wanted) / sizeof(wanted[0]) };

static bool check_next(void *context, const vt_weight_info *weight)
{
    size_t i = (*(size_t *)context)++;
    assert_true(i < WANTED);
    assert_string_equal(weight->name, wanted[i].name);
    assert_int_equal(weight->role, wanted[i].role);
    assert_string_equal(weight->op_type, wanted[i].op);
    assert_true(weight->node < weight->node_count);
    assert_int_equal(weight->dtype, VT_F32);
    return true;
}

static bool stop(void *context, const vt_weight_info *weight)
{
    (void)weight;
    return ++*(int *)context < 3;
}

static void test_roles(void **state)
{
    (void)state;
    vt_model *model = network();
    size_t seen = 0;
    int some = 0;
    assert_int_equal(vt_model_each_weight(model, check_next, &seen, NULL), VT_OK);
    assert_int_equal(seen, WANTED);
    assert_int_equal(vt_model_each_weight(model, stop, &some, NULL), VT_OK);
    assert_int_equal(some, 3);
    vt_model_free(model);
}

static void test_reading(void **state)
{
    (void)state;
    vt_model *model = network();
    vt_tensor tensor;
    vt_error error = {0};
    assert_int_equal(vt_model_weight_read(model, "half", &tensor, &error), VT_OK);
    assert_true(*(const float *)tensor.data == 0.5F);
    vt_tensor_deinit(&tensor);
    assert_int_equal(vt_model_weight_read(model, "nobody", &tensor, &error), VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "nobody"));
    assert_int_equal(vt_model_weight_read(model, "image", &tensor, &error), VT_ERR_NOT_FOUND);
    assert_null(vt_model_reader(model, "nobody"));
    assert_null(vt_model_reader(model, "unread"));
    assert_non_null(vt_model_reader(model, "kernel"));
    assert_null(vt_model_reader(model, "y"));
    assert_null(vt_model_read_with(model, "unread"));
    assert_string_equal(vt_model_read_with(model, "pixel_factor"), "image");
    assert_string_equal(vt_model_read_with(model, "kernel"),
                        vt_model_read_with(model, "kernel_bias"));
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
