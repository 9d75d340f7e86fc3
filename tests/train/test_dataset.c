/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "base/file.h"
#include "train/dataset.h"

static void put(scratch *s, const char *folder, const char *name)
{
    char path[256];
    vt_error error;
    assert_int_equal(vt_dir_make(scratch_path(s, folder), &error), VT_OK);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    scratch_write(s, path, "x", 1);
}

static vt_dataset *load(scratch *s, const char *folder)
{
    vt_dataset *data;
    vt_error error = {0};
    assert_int_equal(vt_dataset_new("data", &data, &error), VT_OK);
    if (vt_dataset_add_folder(data, scratch_path(s, folder), VT_SPLIT_TRAIN, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(vt_dataset_finish(data, &error), VT_OK);
    return data;
}

static void folders_are_labels(void **state)
{
    scratch *s = *state;
    put(s, "d/zebra", "1.jpg");
    put(s, "d/ant", "1.PNG");
    put(s, "d/ant", "notes.txt");
    put(s, "d/ant", ".hidden.jpg");
    put(s, "d/ant/p7", "2.jpg");
    put(s, "d/ant/p7", "3.jpg");
    vt_dataset *data = load(s, "d");
    assert_int_equal(data->count, 4);
    assert_int_equal(data->label_count, 2);
    assert_string_equal(data->labels[0], "ant");
    assert_int_equal(data->product_count, 1);
    size_t with_product = 0;
    for (size_t i = 0; i < data->count; i++)
        with_product += data->examples[i].product == 0 && data->examples[i].label == 0;
    assert_int_equal(with_product, 2);
    vt_dataset_free(data);
}

static void folders_are_splits(void **state)
{
    scratch *s = *state;
    put(s, "e/train/a", "1.jpg");
    put(s, "e/train/b", "1.jpg");
    put(s, "e/validation/a", "2.jpg");
    put(s, "e/test/b", "3.jpg");
    vt_dataset *data = load(s, "e");
    size_t counts[2];
    assert_true(data->has_split[VT_SPLIT_VAL] && data->has_split[VT_SPLIT_TEST]);
    vt_dataset_count(data, VT_SPLIT_VAL, counts);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 0);
    vt_dataset_free(data);
}

/* labels: a text of letters, one photo each; upper case: of the validation split. */
static vt_status check(const char *labels, bool classes, char *message)
{
    vt_dataset *data;
    vt_error error = {0};
    assert_int_equal(vt_dataset_new("data", &data, &error), VT_OK);
    for (const char *at = labels; *at != '\0'; at++) {
        char label[2] = {(char)(*at | 0x20), '\0'};
        vt_example_text row = {"x.jpg", label, NULL,
                               (*at & 0x20) != 0 ? VT_SPLIT_TRAIN : VT_SPLIT_VAL};
        assert_int_equal(vt_dataset_add(data, &row, &error), VT_OK);
    }
    assert_int_equal(vt_dataset_finish(data, &error), VT_OK);
    vt_dataset_need need = {.validation = VT_SPLIT_VAL, .classes = classes};
    vt_status status = vt_dataset_check(data, &need, &error);
    snprintf(message, sizeof(error.message), "%s", error.message);
    vt_dataset_free(data);
    return status;
}

static void what_cannot_be_trained_on_is_said(void **state)
{
    (void)state;
    char message[sizeof(((vt_error *)0)->message)];
    assert_int_equal(check("", true, message), VT_ERR_FORMAT);
    assert_non_null(strstr(message, "no photo to train on"));
    assert_int_equal(check("aaAA", true, message), VT_ERR_FORMAT);
    assert_non_null(strstr(message, "one label"));
    assert_int_equal(check("ab", true, message), VT_ERR_FORMAT);
    assert_non_null(strstr(message, "val"));
    assert_int_equal(check("abABC", true, message), VT_ERR_FORMAT);
    assert_non_null(strstr(message, "\"c\""));
    assert_int_equal(check("abABC", false, message), VT_OK);
    assert_int_equal(check("abcAB", true, message), VT_OK);
}

static void rows_need_photo_and_label(void **state)
{
    (void)state;
    vt_dataset *data;
    vt_error error;
    assert_int_equal(vt_dataset_new("data", &data, &error), VT_OK);
    assert_int_equal(vt_dataset_add(data, &(vt_example_text){"", "a", NULL, 0}, &error),
                     VT_ERR_USAGE);
    assert_int_equal(vt_dataset_add(data, &(vt_example_text){"x", NULL, NULL, 0}, &error),
                     VT_ERR_USAGE);
    vt_dataset_free(data);
}

static vt_status fill(void *context)
{
    vt_dataset *data;
    vt_status status = vt_dataset_new("data", &data, NULL);
    (void)context;
    for (int i = 0; status == VT_OK && i < 600; i++) {
        char label[16], product[16];
        snprintf(label, sizeof(label), "l%d", i % 300);
        snprintf(product, sizeof(product), "p%d", i);
        status = vt_dataset_add(data, &(vt_example_text){"x.jpg", label, product, 0}, NULL);
        if (status != VT_OK)
            vt_dataset_free(data);
    }
    if (status != VT_OK)
        return status;
    status = vt_dataset_finish(data, NULL);
    if (status == VT_OK)
        assert_string_equal(data->labels[299], "l99");
    vt_dataset_free(data);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_true(each_allocation_failing(fill, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_are_labels, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(folders_are_splits, scratch_setup, scratch_teardown),
        cmocka_unit_test(what_cannot_be_trained_on_is_said),
        cmocka_unit_test(rows_need_photo_and_label),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
