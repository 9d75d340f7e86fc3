/* SPDX-License-Identifier: Apache-2.0 */
#include "models.h"

static void pack_simple(vt_buf *file)
{
    maker m;
    float weights[100] = {1, 2, 3};
    maker_init(&m, 13);
    maker_input(&m, "x", VT_F32, 1, (int64_t[]){100});
    maker_weight(&m, "w", VT_F32, 1, (int64_t[]){100}, weights);
    maker_node(&m, "Add", "x,w", "y");
    maker_output(&m, "y");
    maker_metadata(&m, "old", "1");
    maker_metadata(&m, "other", "2");
    maker_pack(&m, file);
    maker_deinit(&m);
}

static void entries_are_set_and_replaced(void **state)
{
    (void)state;
    vt_buf file;
    vt_model *model;
    pack_simple(&file);
    /* A field from a later schema must survive: number 1000, three bytes. */
    assert_true(vt_buf_append(&file, "\xc2\x3e\x03new", 6));
    size_t length = file.length;
    assert_int_equal(vt_onnx_set_metadata(&file, "old", "changed", NULL), VT_OK);
    assert_int_equal(file.length, length + 6); /* "changed" for "1" */
    assert_int_equal(vt_onnx_set_metadata(&file, "added", "3", NULL), VT_OK);
    assert_int_equal(vt_model_parse(file.data, file.length, NULL, &model, NULL), VT_OK);
    assert_string_equal(vt_model_metadata(model, "old"), "changed");
    assert_string_equal(vt_model_metadata(model, "other"), "2");
    assert_string_equal(vt_model_metadata(model, "added"), "3");
    assert_int_equal(vt_model_summary_of(model).parameters, 100);
    assert_non_null(memmem(file.data, file.length, "\xc2\x3e\x03new", 6));
    vt_model_free(model);
    vt_buf_deinit(&file);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    vt_buf file;
    vt_error error;
    vt_buf_init(&file, 1000);
    assert_int_equal(vt_onnx_set_metadata(&file, "a", "b", &error), VT_ERR_FORMAT);
    vt_buf_append_text(&file, "not a model");
    assert_int_equal(vt_onnx_set_metadata(&file, "a", "b", &error), VT_ERR_FORMAT);
    assert_non_null(strstr(error.message, "set metadata \"a\""));
    assert_string_equal(file.data, "not a model");
    vt_buf_deinit(&file);
}

static void failures_leave_the_file_alone(void **state)
{
    (void)state;
    vt_buf file, before;
    vt_error error;
    char value[5000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    pack_simple(&file);
    vt_buf_init(&before, file.length);
    assert_true(vt_buf_append(&before, file.data, file.length));
    vt_status status = VT_ERR_NO_MEMORY;
    for (int64_t successes = 0; status != VT_OK; successes++) {
        vt_mem_fail_after(successes);
        status = vt_onnx_set_metadata(&file, "key", value, &error);
        vt_mem_fail_after(-1);
        if (status == VT_OK)
            break;
        assert_int_equal(status, VT_ERR_NO_MEMORY);
        assert_int_equal(file.length, before.length);
        assert_memory_equal(file.data, before.data, before.length);
    }
    file.maximum = file.length;
    status = vt_onnx_set_metadata(&file, "more", value, &error);
    assert_int_equal(status, VT_ERR_LIMIT);
    vt_buf_deinit(&file);
    vt_buf_deinit(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_set_and_replaced),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(failures_leave_the_file_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
