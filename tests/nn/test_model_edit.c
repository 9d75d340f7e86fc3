/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that are changed: other readers, other numbers, only what outputs need. */
#include "support/scratch.h"

#include "nn/builder.h"
#include "nn/models.h"
#include "nn/weights.h"

static const vt_shape three = {.rank = 1, .dims = {3}};

/* y = (x + a) b, z = (x + a) + w, with w = a + c that nobody else reads. */
static vt_model *network(void)
{
    const float a[3] = {1, 2, 3}, b[3] = {2, 2, 2}, c[3] = {10, 10, 10};
    vt_builder *builder;
    vt_model *model = NULL;
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    vt_value_id x = vt_builder_input(builder, "x", VT_F32, &three);
    vt_value_id unused = vt_builder_input(builder, "u", VT_F32, &three);
    vt_value_id va = vt_builder_floats(builder, "a", &three, a);
    vt_value_id vb = vt_builder_floats(builder, "b", &three, b);
    vt_value_id vc = vt_builder_floats(builder, "c", &three, c);
    vt_value_id sum = vt_builder_node(builder, "Add", NULL, (vt_value_id[]){x, va}, 2);
    vt_value_id w = vt_builder_node(builder, "Add", NULL, (vt_value_id[]){va, vc}, 2);
    vt_builder_output(builder, "y",
                      vt_builder_node(builder, "Mul", NULL, (vt_value_id[]){sum, vb}, 2));
    vt_builder_output(builder, "z",
                      vt_builder_node(builder, "Sub", NULL, (vt_value_id[]){sum, unused}, 2));
    vt_builder_output(builder, "w", w);
    assert_int_equal(vt_builder_finish(builder, &model, NULL), VT_OK);
    return model;
}

/* The first number of output `index` for x = 5, u = 7. */
static float first(const vt_model *model, size_t index)
{
    float x[3] = {5, 5, 5}, u[3] = {7, 7, 7};
    const vt_tensor inputs[2] = {{.dtype = VT_F32, .shape = three, .data = x, .bytes = sizeof x},
                                 {.dtype = VT_F32, .shape = three, .data = u, .bytes = sizeof u}};
    vt_session *session;
    vt_tensor outputs[3];
    vt_error error = {0};
    assert_int_equal(vt_session_new(model, NULL, &session, &error), VT_OK);
    if (vt_session_run(session, inputs, vt_model_input_count(model), outputs, &error) != VT_OK)
        fail_msg("%s", error.message);
    float value = *(const float *)outputs[index].data;
    vt_session_free(session);
    return value;
}

static void test_redirect(void **state)
{
    (void)state;
    vt_model *model = network(), *copy = NULL;
    vt_error error = {0};
    assert_int_equal(vt_model_dup(model, &copy, &error), VT_OK);
    /* What reads a reads w = a + c, but for the sum that makes w itself. */
    assert_int_equal(vt_model_redirect(copy, "a", "w", &error), VT_OK);
    assert_true(first(model, 0) == 12 && first(model, 1) == -1 && first(model, 2) == 11);
    assert_true(first(copy, 0) == 32 && first(copy, 1) == 9 && first(copy, 2) == 11);
    assert_int_equal(vt_model_redirect(copy, "y", "z", &error), VT_OK); /* an output */
    assert_true(first(copy, 0) == 9);
    assert_int_equal(vt_model_redirect(copy, "a", "nobody", &error), VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "nobody"));
    vt_model_free(copy);
    vt_model_free(model);
}

static void test_numbers(void **state)
{
    (void)state;
    vt_model *model = network();
    vt_error error = {0};
    const float values[3] = {4, 4, 4};
    assert_int_equal(vt_model_weight_write(model, "b", values, 3, &error), VT_OK);
    assert_true(first(model, 0) == 24);
    assert_int_equal(vt_model_weight_write(model, "b", values, 2, &error), VT_ERR_USAGE);
    assert_int_equal(vt_model_weight_write(model, "x", values, 3, &error), VT_ERR_USAGE);
    assert_int_equal(vt_model_weight_write(model, "q", values, 3, &error), VT_ERR_NOT_FOUND);
    vt_model_free(model);
}

static void test_prune(void **state)
{
    (void)state;
    static const char *const y[] = {"y"}, *const nobody[] = {"nobody"};
    vt_model *model = network(), *again = NULL;
    vt_error error = {0};
    vt_buf file;
    assert_int_equal(vt_model_prune(model, nobody, 1, &error), VT_ERR_NOT_FOUND);
    assert_int_equal(vt_model_output_count(model), 3);
    assert_int_equal(vt_model_prune(model, y, 1, &error), VT_OK);
    assert_int_equal(vt_model_output_count(model), 1);
    assert_int_equal(vt_model_input_count(model), 1); /* u is not needed */
    assert_true(first(model, 0) == 12);
    vt_buf_init(&file, 1 << 20);
    assert_int_equal(vt_model_write(model, &file, &error), VT_OK);
    assert_int_equal(vt_model_parse(file.data, file.length, NULL, &again, &error), VT_OK);
    assert_true(vt_model_has_value(again, "a"));
    assert_false(vt_model_has_value(again, "c"));
    assert_false(vt_model_has_value(again, "u"));
    assert_true(first(again, 0) == 12);
    vt_buf_deinit(&file);
    vt_model_free(again);
    vt_model_free(model);
}

/* f16 in and out: y = Cast(x to f16) + w. */
static void test_widen(void **state)
{
    (void)state;
    static const uint16_t halves[3] = {0x3c00, 0x4000, 0xc200}; /* 1, 2, -3 */
    static const float want[3] = {1.1f, 2.2f, -2.7f};
    float x[3] = {0.1f, 0.2f, 0.3f};
    const vt_tensor input = {.dtype = VT_F32, .shape = three, .data = x, .bytes = sizeof(x)};
    maker m;
    vt_model *copy = NULL;
    vt_session *session;
    vt_tensor output;
    vt_error error = {0};
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F16, 1, (int64_t[]){3});
    maker_weight(&m, "w", VT_F16, 1, (int64_t[]){3}, halves);
    maker_int(&m, maker_node(&m, "Cast", "x", "c"), "to", VT_F16);
    maker_node(&m, "Add", "c,w", "y");
    maker_output(&m, "y");
    vt_model *model = maker_model(&m);
    maker_deinit(&m);
    assert_int_equal(vt_model_dup(model, &copy, &error), VT_OK);
    assert_int_equal(vt_model_widen(copy, &error), VT_OK);
    assert_int_equal(vt_model_input(copy, 0).dtype, VT_F32);
    assert_int_equal(vt_session_new(copy, NULL, &session, &error), VT_OK);
    if (vt_session_run(session, &input, 1, &output, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(output.dtype, VT_F32);
    for (int i = 0; i < 3; i++) /* closer than f16 would be */
        assert_float_equal(((const float *)output.data)[i], want[i], 1e-6);
    vt_session_free(session);
    vt_model_free(copy);
    vt_model_free(model);
}

static void test_reshape(void **state)
{
    (void)state;
    const vt_shape open = vt_shape_of(1, (int64_t[]){-1});
    static const char *const y[] = {"y"};
    vt_model *model = network();
    vt_error error = {0};
    assert_int_equal(vt_model_reshape(model, 2, &open, &error), VT_ERR_USAGE); /* of two inputs */
    assert_int_equal(vt_model_reshape(model, 1, &open, &error), VT_OK);
    assert_int_equal(vt_model_input(model, 1).shape.dims[0], -1);
    assert_int_not_equal(vt_model_input(model, 0).shape.dims[0], -1);
    assert_int_equal(vt_model_prune(model, y, 1, &error), VT_OK);
    assert_int_equal(vt_model_reshape(model, 0, &open, &error), VT_OK);
    assert_int_equal(vt_model_input(model, 0).shape.dims[0], -1);
    assert_true(first(model, 0) == 12);
    vt_model_free(model);
}

static vt_status attempt(void *context)
{
    vt_model *copy = NULL;
    vt_error error = {0};
    const float values[3] = {1, 1, 1};
    vt_status status = vt_model_dup(context, &copy, &error);
    if (status == VT_OK)
        status = vt_model_weight_write(copy, "b", values, 3, &error);
    if (status == VT_OK)
        status = vt_model_redirect(copy, "a", "w", &error);
    if (status == VT_OK)
        status = vt_model_prune(copy, NULL, 0, &error);
    vt_model_free(copy);
    return status;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    vt_model *model = network();
    assert_true(each_allocation_failing(attempt, model) > 10);
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redirect), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_prune),    cmocka_unit_test(test_widen),
        cmocka_unit_test(test_reshape),  cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
