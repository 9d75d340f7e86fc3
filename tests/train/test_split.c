/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "train/dataset.h"

/* label l has 10 * (l + 1) photos, 5 per product. */
static vt_dataset *make(int labels, bool product_is_label)
{
    vt_dataset *data;
    vt_error error;
    assert_int_equal(vt_dataset_new("data", &data, &error), VT_OK);
    for (int l = 0; l < labels; l++)
        for (int i = 0; i < 10 * (l + 1); i++) {
            char photo[32], label[16], product[32];
            snprintf(photo, sizeof(photo), "%d-%d.jpg", l, i);
            snprintf(label, sizeof(label), "l%02d", l);
            snprintf(product, sizeof(product), "p%02d-%d", l, product_is_label ? 0 : i / 5);
            vt_example_text row = {photo, label, product, VT_SPLIT_TRAIN};
            assert_int_equal(vt_dataset_add(data, &row, &error), VT_OK);
        }
    assert_int_equal(vt_dataset_finish(data, &error), VT_OK);
    return data;
}

static void every_label_gives_its_share(void **state)
{
    (void)state;
    vt_dataset *data = make(4, false);
    vt_split_options options = {VT_SPLIT_BY_PHOTO, 0.2, 5};
    size_t counts[4];
    assert_int_equal(vt_split_make(data, &options, NULL), VT_OK);
    vt_dataset_count(data, VT_SPLIT_VAL, counts);
    for (size_t l = 0; l < 4; l++)
        assert_int_equal(counts[l], 2 * (l + 1));
    vt_dataset *again = make(4, false), *other = make(4, false);
    assert_int_equal(vt_split_make(again, &options, NULL), VT_OK);
    options.seed = 6;
    assert_int_equal(vt_split_make(other, &options, NULL), VT_OK);
    size_t differ = 0;
    for (size_t i = 0; i < data->count; i++) {
        assert_int_equal(data->examples[i].split, again->examples[i].split);
        differ += data->examples[i].split != other->examples[i].split;
    }
    assert_true(differ > 0);
    vt_dataset_free(data);
    vt_dataset_free(again);
    vt_dataset_free(other);
}

static void products_stay_whole(void **state)
{
    (void)state;
    vt_dataset *data = make(4, false);
    vt_split_options options = {VT_SPLIT_BY_PRODUCT, 0.3, 5};
    size_t train[4], val[4];
    assert_int_equal(vt_split_make(data, &options, NULL), VT_OK);
    assert_int_equal(vt_split_check_products(data, VT_SPLIT_VAL, NULL), VT_OK);
    vt_dataset_count(data, VT_SPLIT_VAL, val);
    vt_dataset_count(data, VT_SPLIT_TRAIN, train);
    for (size_t l = 0; l < 4; l++) {
        assert_true(val[l] >= 5 && val[l] % 5 == 0);
        assert_true(train[l] >= 5);
    }
    for (size_t i = 0; i < data->count; i++)
        if (data->examples[i].split == VT_SPLIT_VAL) {
            data->examples[i].split = VT_SPLIT_TRAIN;
            break;
        }
    assert_int_equal(vt_split_check_products(data, VT_SPLIT_VAL, NULL), VT_ERR_MISMATCH);
    vt_dataset_free(data);
}

static void labels_that_are_products_are_held_out_whole(void **state)
{
    (void)state;
    vt_dataset *data = make(10, true);
    vt_split_options options = {VT_SPLIT_BY_PRODUCT, 0.2, 1};
    size_t train[10], val[10], unseen = 0;
    assert_int_equal(vt_split_make(data, &options, NULL), VT_OK);
    vt_dataset_count(data, VT_SPLIT_VAL, val);
    vt_dataset_count(data, VT_SPLIT_TRAIN, train);
    for (size_t l = 0; l < 10; l++) {
        assert_true((val[l] == 0) != (train[l] == 0));
        unseen += val[l] > 0;
    }
    assert_in_range(unseen, 1, 4);
    vt_dataset_free(data);
}

static void single_photos_are_trained_on(void **state)
{
    (void)state;
    vt_dataset *data;
    assert_int_equal(vt_dataset_new("data", &data, NULL), VT_OK);
    assert_int_equal(vt_dataset_add(data, &(vt_example_text){"a", "a", NULL, 0}, NULL), VT_OK);
    assert_int_equal(vt_dataset_add(data, &(vt_example_text){"b", "b", NULL, 0}, NULL), VT_OK);
    assert_int_equal(vt_dataset_add(data, &(vt_example_text){"c", "b", NULL, 0}, NULL), VT_OK);
    assert_int_equal(vt_dataset_finish(data, NULL), VT_OK);
    vt_split_options options = {VT_SPLIT_BY_PHOTO, 0.1, 1};
    size_t val[2];
    assert_int_equal(vt_split_make(data, &options, NULL), VT_OK);
    vt_dataset_count(data, VT_SPLIT_VAL, val);
    assert_int_equal(val[0], 0);
    assert_int_equal(val[1], 1);
    options.share = 1;
    assert_int_equal(vt_split_make(data, &options, NULL), VT_ERR_USAGE);
    vt_dataset_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_label_gives_its_share),
        cmocka_unit_test(products_stay_whole),
        cmocka_unit_test(labels_that_are_products_are_held_out_whole),
        cmocka_unit_test(single_photos_are_trained_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
