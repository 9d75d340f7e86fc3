/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of attributes against figures by hand. */
#include "support/scratch.h"

#include "eval/attributes.h"
#include "eval/page.h"

#include <math.h>

static void counts_are_of_each_attribute(void **state)
{
    (void)state;
    /* Said to be there: what is not below 0. */
    static const float scores[4][3] = {
        {2, -1, -3}, /* has a: all right */
        {1, 0, -1},  /* has a, b: all right */
        {-2, 1, 1},  /* has b: c is too many */
        {-1, -1, 0}, /* has a, c: a is missing */
    };
    static const uint32_t has[4][2] = {{0, 0}, {0, 1}, {1, 0}, {2, 0}};
    static const size_t counts[4] = {1, 2, 1, 2};
    vt_attributes *measures = NULL;
    vt_attributes_result all;
    vt_class_result one;
    assert_int_equal(vt_attributes_new(3, &measures, NULL), VT_OK);
    vt_attributes_result_of(measures, &all);
    assert_true(all.examples == 0 && all.accuracy == 0 && all.micro_f1 == 0 && all.loss == 0);
    double loss = 0;
    for (int i = 0; i < 4; i++) {
        vt_attributes_add(measures, has[i], counts[i], scores[i]);
        for (uint32_t c = 0; c < 3; c++) {
            bool there = has[i][0] == c || (counts[i] == 2 && has[i][1] == c);
            double p = 1 / (1 + exp(-(double)scores[i][c]));
            loss -= there ? log(p) : log(1 - p);
        }
    }
    assert_int_equal(vt_attributes_classes(measures), 3);
    vt_attributes_class(measures, 0, &one);
    assert_int_equal(one.examples, 3);
    assert_int_equal(one.named, 2);
    assert_true(one.precision == 1 && fabs(one.recall - 2.0 / 3) < 1e-12);
    assert_true(fabs(one.f1 - 0.8) < 1e-12);
    vt_attributes_class(measures, 2, &one);
    assert_int_equal(one.examples, 1);
    assert_int_equal(one.named, 2);
    vt_attributes_result_of(measures, &all);
    assert_int_equal(all.examples, 4);
    assert_true(all.accuracy == 0.5);
    assert_true(fabs(all.macro_f1 - (0.8 + 1 + 2.0 / 3) / 3) < 1e-12);
    assert_true(fabs(all.micro_f1 - 10.0 / 12) < 1e-12);
    assert_true(fabs(all.loss - loss / 12) < 1e-6);
    vt_attributes_free(measures);
}

static void odd_scores_are_survived(void **state)
{
    (void)state;
    static const float scores[2] = {NAN, 1e30f};
    static const uint32_t both[2] = {0, 1};
    vt_attributes *measures = NULL;
    vt_attributes_result all;
    vt_error error;
    assert_int_equal(vt_attributes_new(0, &measures, &error), VT_ERR_LIMIT);
    assert_int_equal(vt_attributes_new(VT_CLASSIFICATION_MAX_CLASSES + 1, &measures, &error),
                     VT_ERR_LIMIT);
    assert_int_equal(vt_attributes_new(2, &measures, NULL), VT_OK);
    vt_attributes_add(measures, both, 2, scores);
    vt_attributes_result_of(measures, &all);
    assert_true(all.accuracy == 0); /* no number is not there */
    assert_true(fabs(all.micro_f1 - 2.0 / 3) < 1e-12);
    vt_attributes_free(measures);
    vt_attributes_free(NULL);
}

static void pages_list_them(void **state)
{
    (void)state;
    static const char *const names[2] = {"linen", "<wool>"};
    static const float scores[2] = {1, -1};
    static const uint32_t first = 0;
    vt_attributes *measures = NULL;
    vt_buf page;
    assert_int_equal(vt_attributes_new(2, &measures, NULL), VT_OK);
    vt_attributes_add(measures, &first, 1, scores);
    vt_buf_init(&page, VT_PAGE_BYTES);
    vt_page_attributes(&page, measures, names);
    assert_non_null(strstr(vt_buf_text(&page), "<td>linen</td><td>1</td><td>1.000</td>"));
    assert_non_null(strstr(vt_buf_text(&page), "&lt;wool&gt;"));
    vt_buf_deinit(&page);
    vt_attributes_free(measures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_of_each_attribute),
        cmocka_unit_test(odd_scores_are_survived),
        cmocka_unit_test(pages_list_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
