/* SPDX-License-Identifier: Apache-2.0 */
/* What is read out of manifests and shops to train on, row by row. */
#include "shop/journey.h"

#include "shop/train_data.h"

#include "base/file.h"

static vt_status read_rows(const char *path, const char *label, const char *images,
                           vt_dataset **out, vt_error *error)
{
    const vt_train_source source = {path, images, label, VT_SPLIT_TRAIN};
    vt_dataset *data = NULL;
    expect_ok(vt_dataset_new(path, &data, error), error);
    vt_status status = vt_train_data_add(data, &source, error);
    if (status == VT_OK)
        status = vt_dataset_finish(data, error);
    if (status != VT_OK)
        vt_dataset_free(data);
    else
        *out = data;
    return status;
}

static vt_dataset *rows_of(journey *j, const char *text, const char *label, const char *images)
{
    char path[SCRATCH_PATH_BYTES];
    vt_dataset *data = NULL;
    vt_error error = {0};
    write_text(j, "rows.csv", text);
    snprintf(path, sizeof(path), "%s", at(j, "rows.csv"));
    expect_ok(read_rows(path, label, images, &data, &error), &error);
    return data;
}

static void refused(journey *j, const char *text, const char *label, const char *reason)
{
    char path[SCRATCH_PATH_BYTES];
    vt_dataset *data = NULL;
    vt_error error = {0};
    write_text(j, "rows.csv", text);
    snprintf(path, sizeof(path), "%s", at(j, "rows.csv"));
    expect_failure(read_rows(path, label, NULL, &data, &error), VT_ERR_FORMAT, &error, reason);
    assert_non_null(strstr(error.message, "rows.csv"));
}

static const char *label_of(const vt_dataset *data, size_t row)
{
    return data->labels[data->examples[row].label];
}

static void columns_are_found_by_name(void **state)
{
    journey *j = *state;
    static const char *const forms[] = {
        "photo,label,product,split\na.jpg,cat,P1,train\nsub/"
        "b.jpg,dog,P2,val\n\"c,d.jpg\",cat,,test\n",
        "Split;Product;LABEL;extra;Photo\ntrain;P1;cat;x;a.jpg\nvalid;P2;dog;;sub/b.jpg\n"
        "TEST;;cat;y;c,d.jpg\n",
        "\xef\xbb\xbfphoto\tlabel\tproduct\tsplit\r\na.jpg\tcat\tP1\t\r\nsub/b.jpg\tdog\tP2\t"
        "validation\r\nc,d.jpg\tcat\t\ttest\r\n",
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        vt_dataset *data = rows_of(j, forms[i], NULL, NULL);
        assert_int_equal(data->count, 3);
        assert_int_equal(data->label_count, 2);
        assert_string_equal(data->labels[0], "cat");
        assert_string_equal(label_of(data, 1), "dog");
        assert_string_equal(data->examples[0].photo, at(j, "a.jpg"));
        assert_string_equal(data->examples[1].photo, at(j, "sub/b.jpg"));
        assert_string_equal(data->examples[2].photo, at(j, "c,d.jpg"));
        assert_int_equal(data->examples[0].split, VT_SPLIT_TRAIN);
        assert_int_equal(data->examples[1].split, VT_SPLIT_VAL);
        assert_int_equal(data->examples[2].split, VT_SPLIT_TEST);
        assert_int_equal(data->product_count, 2);
        assert_string_equal(data->products[data->examples[1].product], "P2");
        assert_int_equal(data->examples[2].product, VT_NO_PRODUCT);
        vt_dataset_free(data);
    }
}

static void another_column_and_another_folder(void **state)
{
    journey *j = *state;
    static const char text[] = "photo,product,category\nx.jpg,P1,fruit\n/abs/y.jpg,P2,milk\n";
    vt_dataset *data = rows_of(j, text, "category", "/photos");
    assert_string_equal(label_of(data, 1), "milk");
    assert_string_equal(data->examples[0].photo, "/photos/x.jpg");
    assert_string_equal(data->products[data->examples[0].product], "P1");
    vt_dataset_free(data);
    data = rows_of(j, text, "product", NULL); /* label and product at once */
    assert_string_equal(label_of(data, 0), "P1");
    assert_string_equal(data->products[data->examples[0].product], "P1");
    vt_dataset_free(data);
}

static void wrong_rows_are_named_by_line(void **state)
{
    journey *j = *state;
    refused(j, "picture,label\na.jpg,cat\n", NULL, "columns photo and label");
    refused(j, "photo,label\na.jpg,cat\n", "kind", "columns photo and kind");
    refused(j, "", NULL, "columns photo and label");
    refused(j, "photo,label\na.jpg,cat\nb.jpg\n", NULL, "line 3: row has 1 fields");
    refused(j, "photo,label\na.jpg,\n", NULL, "line 2: row has no label");
    refused(j, "photo,kind\n,cat\n", "kind", "line 2: row has no photo");
    refused(j, "photo,label,split\na.jpg,cat,half\n", NULL, "line 2: split is \"half\"");
    refused(j, "photo,label\na.jpg,\"cat\n", NULL, "line 2");
    refused(j, "photo,label\na.jpg,c\xff\n", NULL, "line 2");
}

static void products_of_a_shop(void **state)
{
    journey *j = *state;
    vt_dataset *data = NULL;
    vt_error error = {0};
    make_shop(j);
    expect_ok(read_rows(j->shop, NULL, NULL, &data, &error), &error);
    assert_int_equal(data->count, PRODUCTS);
    assert_int_equal(data->label_count, 2);
    assert_string_equal(data->labels[0], "even");
    assert_int_equal(data->product_count, PRODUCTS);
    for (size_t i = 0; i < data->count; i++) { /* thumbnails that are there */
        assert_non_null(strstr(data->examples[i].photo, "/thumbs/"));
        assert_true(vt_file_exists(data->examples[i].photo));
    }
    vt_dataset_free(data);
    char photos[SCRATCH_PATH_BYTES];
    snprintf(photos, sizeof(photos), "%s", at(j, "."));
    unlink(at(j, "p3.jpg"));
    expect_ok(read_rows(j->shop, "product", photos, &data, &error), &error);
    size_t thumbnails = 0;
    for (size_t i = 0; i < data->count; i++)
        thumbnails += strstr(data->examples[i].photo, "/thumbs/") != NULL;
    assert_int_equal(thumbnails, 1); /* of the one that is gone */
    assert_int_equal(data->label_count, PRODUCTS);
    vt_dataset_free(data);
    expect_ok(read_rows(j->shop, "color", NULL, &data, &error), &error);
    assert_int_equal(data->label_count, 1);
    assert_string_equal(data->labels[0], "red");
    vt_dataset_free(data);
    expect_ok(read_rows(j->shop, "size", NULL, &data, &error), &error);
    assert_int_equal(data->count, 0); /* nobody has one */
    vt_dataset_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_JOURNEY(columns_are_found_by_name),
        IN_JOURNEY(another_column_and_another_folder),
        IN_JOURNEY(wrong_rows_are_named_by_line),
        IN_JOURNEY(products_of_a_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
