/* SPDX-License-Identifier: Apache-2.0 */
/* Several labels of a photo at once: how they are kept, counted, split and checked. */
#include "support/scratch.h"

#include "train/dataset.h"

enum { KIND, COLOR, COLUMNS };

static vt_dataset *begin(bool several)
{
    const vt_column_choice columns[COLUMNS] = {{"kind", false, true}, {"color", several, true}};
    vt_dataset *data = NULL;
    assert_int_equal(vt_dataset_new("data", &data, NULL), VT_OK);
    assert_int_equal(vt_dataset_set_columns(data, columns, COLUMNS, NULL), VT_OK);
    return data;
}

/* color: up to three values between blanks. */
static void add(vt_dataset *data, const char *kind, const char *color, const char *product,
                vt_split split)
{
    char name[32], values[3][16] = {{0}};
    const char *items[3] = {values[0], values[1], values[2]};
    vt_error error;
    int count = sscanf(color, "%15s %15s %15s", values[0], values[1], values[2]);
    const vt_label_texts labels[COLUMNS] = {{&kind, 1}, {items, count > 0 ? (size_t)count : 0}};
    snprintf(name, sizeof(name), "%zu.jpg", data->count);
    const vt_example_text row = {name, NULL, product, split};
    if (vt_dataset_add_labelled(data, &row, labels, &error) != VT_OK)
        fail_msg("%s", error.message);
}

static void finish(vt_dataset *data)
{
    assert_int_equal(vt_dataset_finish(data, NULL), VT_OK);
}

static void refused(vt_dataset *data, const char *text)
{
    const vt_dataset_need need = {.validation = VT_SPLIT_VAL};
    vt_error error = {0};
    finish(data);
    assert_int_equal(vt_dataset_check(data, &need, &error), VT_ERR_FORMAT);
    if (strstr(error.message, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, text);
    vt_dataset_free(data);
}

static void values_are_numbered_by_name(void **state)
{
    (void)state;
    size_t count, counts[4];
    vt_dataset *data = begin(true);
    add(data, "shoe", "red blue red", NULL, VT_SPLIT_TRAIN);
    add(data, "", "green", NULL, VT_SPLIT_TRAIN);
    add(data, "hat", "", NULL, VT_SPLIT_TRAIN);
    add(data, "hat", "blue", NULL, VT_SPLIT_VAL);
    finish(data);
    assert_int_equal(data->columns[KIND].label_count, 2);
    assert_string_equal(data->columns[KIND].labels[0], "hat");
    assert_int_equal(data->columns[COLOR].label_count, 3);
    assert_string_equal(data->columns[COLOR].labels[2], "red");
    const uint32_t *values = vt_dataset_values(data, COLOR, 0, &count);
    assert_int_equal(count, 2); /* the third was the first again */
    assert_int_equal(values[0], 2);
    assert_int_equal(values[1], 0);
    assert_int_equal(vt_dataset_value(data, KIND, 0), 1);
    assert_int_equal(vt_dataset_value(data, KIND, 1), VT_NO_LABEL);
    assert_int_equal(vt_dataset_value(data, COLOR, 1), 1);
    assert_int_equal(vt_dataset_value(data, COLOR, 2), VT_NO_LABEL);
    assert_int_equal(vt_dataset_value(data, COLOR, 3), 0);
    /* The first column stands for all where one label is asked for. */
    assert_int_equal(data->label_count, 2);
    assert_int_equal(data->examples[0].label, 1);
    assert_int_equal(data->examples[1].label, VT_NO_LABEL);
    vt_dataset_count(data, VT_SPLIT_TRAIN, counts);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 1);
    assert_int_equal(vt_dataset_count_column(data, COLOR, VT_SPLIT_TRAIN, counts), 2);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 1);
    assert_int_equal(counts[2], 1);
    data->examples[0].left_out = true;
    assert_int_equal(vt_dataset_count_column(data, COLOR, VT_SPLIT_TRAIN, counts), 1);
    vt_dataset_free(data);
}

static void one_value_is_one(void **state)
{
    (void)state;
    static const char *const two[] = {"red", "blue"};
    static const char *const kind[] = {"hat"};
    const vt_label_texts labels[COLUMNS] = {{kind, 1}, {two, 2}};
    const vt_example_text row = {"x.jpg", NULL, NULL, VT_SPLIT_TRAIN};
    vt_error error;
    vt_dataset *data = begin(false);
    add(data, "shoe", "green", NULL, VT_SPLIT_TRAIN);
    assert_int_equal(vt_dataset_add_labelled(data, &row, labels, &error), VT_ERR_FORMAT);
    assert_non_null(strstr(error.message, "several values of \"color\""));
    add(data, "cap", "blue", NULL, VT_SPLIT_TRAIN); /* of the row that failed nothing is left */
    finish(data);
    assert_int_equal(data->count, 2);
    assert_string_equal(data->columns[KIND].labels[vt_dataset_value(data, KIND, 1)], "cap");
    assert_string_equal(data->columns[COLOR].labels[vt_dataset_value(data, COLOR, 1)], "blue");
    vt_dataset_free(data);
}

static void what_cannot_be_learned_is_refused(void **state)
{
    (void)state;
    vt_dataset *data = begin(false);
    add(data, "hat", "", NULL, VT_SPLIT_TRAIN);
    add(data, "cap", "", NULL, VT_SPLIT_VAL);
    refused(data, "none to train on"); /* cap */
    data = begin(false);
    add(data, "hat", "", NULL, VT_SPLIT_TRAIN);
    add(data, "cap", "", NULL, VT_SPLIT_TRAIN);
    add(data, "cap", "", NULL, VT_SPLIT_VAL);
    refused(data, "no photo has a \"color\"");
    data = begin(false);
    add(data, "hat", "red", NULL, VT_SPLIT_TRAIN);
    add(data, "cap", "red", NULL, VT_SPLIT_TRAIN);
    add(data, "cap", "red", NULL, VT_SPLIT_VAL);
    refused(data, "the same \"color\"");
    data = begin(false);
    add(data, "hat", "red", NULL, VT_SPLIT_TRAIN);
    add(data, "cap", "blue", NULL, VT_SPLIT_TRAIN);
    add(data, "cap", "green", NULL, VT_SPLIT_VAL);
    refused(data, "\"green\" of \"color\" has 1 photos to validate on");
    data = begin(false);
    add(data, "hat", "red", NULL, VT_SPLIT_TRAIN);
    add(data, "cap", "blue", NULL, VT_SPLIT_TRAIN);
    refused(data, "no photo in its val split");
    data = begin(false);
    add(data, "hat", "red", NULL, VT_SPLIT_VAL);
    refused(data, "no photo to train on");
}

/* A class of the second label that only one photo has stays where it is learned. */
static void splits_leave_every_class_something(void **state)
{
    (void)state;
    for (int by = 0; by < 2; by++)
        for (uint64_t seed = 0; seed < 8; seed++) {
            const vt_split_options options = {(vt_split_by)by, 0.4, seed};
            const vt_dataset_need need = {.validation = VT_SPLIT_VAL};
            vt_error error;
            size_t val = 0;
            vt_dataset *data = begin(true);
            for (int i = 0; i < 24; i++) {
                char color[16], product[8];
                snprintf(color, sizeof(color), "c%d %s", i / 2, i % 2 ? "odd" : "even");
                snprintf(product, sizeof(product), "p%d", i / 2);
                add(data, i % 5 == 0 ? "" : i % 3 ? "hat" : "cap", color, product, VT_SPLIT_TRAIN);
            }
            add(data, "hat", "odd even", "p100", VT_SPLIT_TRAIN);
            finish(data);
            assert_int_equal(vt_split_make(data, &options, NULL), VT_OK);
            if (by == VT_SPLIT_BY_PRODUCT) {
                assert_int_equal(vt_split_check_products(data, VT_SPLIT_VAL, &error), VT_OK);
            } else if (vt_dataset_check(data, &need, &error) != VT_OK) {
                fail_msg("seed %d: %s", (int)seed, error.message);
            }
            for (size_t i = 0; i < data->count; i++)
                val += data->examples[i].split == VT_SPLIT_VAL;
            if (by == VT_SPLIT_BY_PHOTO)
                assert_true(val > 0 && val <= 12);
            vt_dataset_free(data);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_numbered_by_name),
        cmocka_unit_test(one_value_is_one),
        cmocka_unit_test(what_cannot_be_learned_is_refused),
        cmocka_unit_test(splits_leave_every_class_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
