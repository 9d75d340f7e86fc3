/* SPDX-License-Identifier: Apache-2.0 */
/* Networks made by program: names, attributes, copies, failures that stay. */
#include "support/scratch.h"

#include "nn/builder.h"
#include "nn/graph.h"
#include "nn/onnx_file.h"

static const vt_shape image = {.rank = 4, .dims = {-1, 1, 4, 4}};

/* Adds Conv (all weights 1, 3x3, padded) + Relu + mean over space + Gemm-like MatMul. */
static vt_value_id add_network(vt_builder *builder)
{
    float ones[9], two[2] = {1, -2};
    for (int i = 0; i < 9; i++)
        ones[i] = 1;
    vt_value_id x = vt_builder_input(builder, "image", VT_F32, &image);
    vt_builder_enter(builder, "stem");
    vt_value_id w =
        vt_builder_floats(builder, "weight", &(vt_shape){.rank = 4, .dims = {1, 1, 3, 3}}, ones);
    vt_value_id y = vt_builder_node(builder, "Conv", "kernel_shape=3,3 pads=1,1,1,1 group=1",
                                    (vt_value_id[]){x, w}, 2);
    vt_builder_leave(builder);
    y = vt_builder_node(builder, "LeakyRelu", "alpha=0.5", &y, 1);
    y = vt_builder_node(builder, "ReduceMean", "axes=2,3 keepdims=0", &y, 1);
    vt_value_id m = vt_builder_floats(builder, "head", &(vt_shape){.rank = 2, .dims = {1, 2}}, two);
    return vt_builder_node(builder, "MatMul", NULL, (vt_value_id[]){y, m}, 2);
}

static vt_model *network(void)
{
    vt_builder *builder;
    vt_model *model = NULL;
    vt_error error;
    assert_int_equal(vt_builder_new(NULL, &builder, &error), VT_OK);
    vt_builder_output(builder, "scores", add_network(builder));
    vt_builder_metadata(builder, "key", "old");
    vt_builder_metadata(builder, "key", "text");
    assert_int_equal(vt_builder_finish(builder, &model, &error), VT_OK);
    return model;
}

/* The scores of a picture of ones: 4x4 sums of 4, 6 or 9 ones, 100 / 16 on average. */
static void check_scores(const vt_model *model, const char *wanted, float factor)
{
    float ones[16];
    vt_error error;
    vt_session *session;
    for (int i = 0; i < 16; i++)
        ones[i] = 1;
    vt_tensor input = {.dtype = VT_F32,
                       .shape = {.rank = 4, .dims = {1, 1, 4, 4}},
                       .data = ones,
                       .bytes = sizeof(ones)};
    vt_tensor output;
    vt_session_options options = vt_session_options_defaults();
    options.outputs = &wanted;
    options.output_count = 1;
    assert_int_equal(vt_session_new(model, &options, &session, &error), VT_OK);
    assert_int_equal(vt_session_run(session, &input, 1, &output, &error), VT_OK);
    assert_int_equal(output.shape.rank, 2);
    assert_int_equal(output.shape.dims[1], 2);
    assert_float_equal(((const float *)output.data)[0], factor * 6.25F, 1e-5);
    assert_float_equal(((const float *)output.data)[1], factor * -12.5F, 1e-5);
    vt_session_free(session);
}

static void test_network(void **state)
{
    (void)state;
    vt_model *model = network();
    assert_int_equal(vt_model_input_count(model), 1);
    assert_int_equal(vt_model_input(model, 0).shape.dims[0], -1);
    assert_string_equal(vt_model_output(model, 0).name, "scores");
    assert_true(vt_model_has_value(model, "stem.weight"));
    assert_false(vt_model_has_value(model, "weight"));
    assert_true(vt_model_has_value(model, "head"));
    assert_string_equal(vt_model_metadata(model, "key"), "text");
    check_scores(model, "scores", 1);
    vt_model_free(model);
}

/* A copy outlives its source, keeps everything, and goes on. */
static void test_copy(void **state)
{
    (void)state;
    vt_model *model = network(), *copy = NULL;
    vt_builder *builder;
    vt_error error;
    assert_int_equal(vt_builder_from(model, &builder, &error), VT_OK);
    vt_model_free(model);
    vt_value_id scores = vt_builder_find(builder, "scores");
    assert_int_not_equal(scores, VT_NO_VALUE);
    assert_int_equal(vt_builder_find(builder, "nobody"), VT_NO_VALUE);
    vt_value_id twice = vt_builder_node(builder, "Add", "", (vt_value_id[]){scores, scores}, 2);
    vt_builder_clear_outputs(builder);
    vt_builder_output(builder, "twice", twice);
    assert_int_equal(vt_builder_finish(builder, &copy, &error), VT_OK);
    assert_int_equal(vt_model_output_count(copy), 1);
    assert_string_equal(vt_model_metadata(copy, "key"), "text");
    assert_string_equal(copy->graph.values[copy->graph.inputs[0]].symbols[0], "N");
    check_scores(copy, "twice", 2);
    check_scores(copy, "scores", 1);
    vt_model_free(copy);
}

/* Through a file and back. */
static void test_written(void **state)
{
    (void)state;
    vt_model *model = network(), *again = NULL;
    vt_buf file;
    vt_error error;
    vt_buf_init(&file, 1 << 20);
    assert_int_equal(vt_model_write(model, &file, &error), VT_OK);
    vt_model_free(model);
    assert_int_equal(vt_model_parse(file.data, file.length, NULL, &again, &error), VT_OK);
    check_scores(again, "scores", 1);
    vt_model_free(again);
    vt_buf_deinit(&file);
}

static void must_fail(vt_builder *builder, vt_status status, const char *part)
{
    vt_model *model = NULL;
    vt_error error;
    assert_true(vt_builder_failed(builder));
    vt_value_id later = vt_builder_scalar(builder, "later", 1);
    assert_int_equal(later, VT_NO_VALUE);
    later = vt_builder_node(builder, "Relu", NULL, &later, 1);
    vt_builder_output(builder, "later", later);
    assert_int_equal(vt_builder_finish(builder, &model, &error), status);
    assert_null(model);
    if (strstr(error.message, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, part);
}

static vt_builder *started(vt_value_id *x)
{
    vt_builder *builder;
    assert_int_equal(vt_builder_new(NULL, &builder, NULL), VT_OK);
    *x = vt_builder_input(builder, "x", VT_F32, &image);
    return builder;
}

static void test_first_failure_stays(void **state)
{
    (void)state;
    vt_value_id x;
    vt_builder *builder = started(&x);
    vt_builder_node(builder, "Nonsense", NULL, &x, 1);
    must_fail(builder, VT_ERR_UNSUPPORTED, "\"Nonsense\" is not known");
    static const char *const attrs[] = {
        "alpha", "beta=1", "alpha=", "alpha=x", "alpha=1,2", "alpha=1e999"};
    for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
        builder = started(&x);
        vt_builder_node(builder, "LeakyRelu", attrs[i], &x, 1);
        must_fail(builder, VT_ERR_USAGE, "cannot be read");
    }
    builder = started(&x);
    vt_builder_scalar(builder, "x", 1);
    must_fail(builder, VT_ERR_FORMAT, "defined twice");
    builder = started(&x);
    vt_builder_leave(builder);
    must_fail(builder, VT_ERR_USAGE, "not entered");
    builder = started(&x);
    for (int i = 0; i < 17; i++)
        vt_builder_enter(builder, "deeper");
    must_fail(builder, VT_ERR_LIMIT, "too deep");
    builder = started(&x);
    vt_builder_fail(builder, VT_ERR_USAGE, "the size is odd");
    vt_builder_fail(builder, VT_ERR_LIMIT, "and more");
    must_fail(builder, VT_ERR_USAGE, "the size is odd");
}

static vt_status build_all(void)
{
    vt_builder *builder, *copied;
    vt_model *model = NULL, *copy = NULL;
    vt_status status = vt_builder_new(NULL, &builder, NULL);
    if (status != VT_OK)
        return status;
    vt_builder_output(builder, "scores", add_network(builder));
    vt_builder_metadata(builder, "key", "text");
    status = vt_builder_finish(builder, &model, NULL);
    if (status == VT_OK)
        status = vt_builder_from(model, &copied, NULL);
    if (status == VT_OK)
        status = vt_builder_finish(copied, &copy, NULL);
    vt_model_free(model);
    vt_model_free(copy);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    int64_t at = 0;
    for (vt_status status = VT_ERR_NO_MEMORY; status != VT_OK; at++) {
        vt_mem_fail_after(at);
        status = build_all();
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        assert_true(at < 10000);
    }
    assert_true(at > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_network),       cmocka_unit_test(test_copy),
        cmocka_unit_test(test_written),       cmocka_unit_test(test_first_failure_stays),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
