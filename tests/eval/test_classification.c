/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "eval/classification.h"

#include <math.h>

#define assert_near(have, want) assert_true(fabs((have) - (want)) < 1e-12)

static void measures_are_the_definitions(void **state)
{
    (void)state;
    static const size_t pairs[][2] = {{0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 0}, {2, 1}};
    vt_classification *m;
    vt_classification_result all;
    vt_class_result one;
    assert_int_equal(vt_classification_new(4, &m, NULL), VT_OK);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        float scores[4] = {0, 0, 0, -1};
        scores[pairs[i][1]] = 1;
        assert_int_equal(vt_classification_add(m, pairs[i][0], scores), pairs[i][1]);
    }
    vt_classification_result_of(m, &all);
    assert_int_equal(all.examples, 6);
    assert_near(all.accuracy, 0.5);
    assert_near(all.top5, 1);
    vt_classification_class(m, 0, &one);
    assert_near(one.precision, 2.0 / 3);
    assert_near(one.recall, 2.0 / 3);
    vt_classification_class(m, 1, &one);
    assert_near(one.precision, 1.0 / 3);
    assert_near(one.recall, 0.5);
    assert_near(one.f1, 0.4);
    vt_classification_class(m, 2, &one);
    assert_near(one.f1, 0);
    assert_near(all.macro_f1, (2.0 / 3 + 0.4) / 3); /* class 3 has no examples */
    assert_int_equal(vt_classification_confused(m, 2, 1), 1);
    vt_classification_free(m);
}

static void ties_and_nans(void **state)
{
    (void)state;
    vt_classification *m;
    vt_classification_result all;
    const float tie[7] = {1, 1, 1, 1, 1, 1, 1}, nan[7] = {NAN, 0, 2, NAN, 1, 0, 0};
    assert_int_equal(vt_classification_new(7, &m, NULL), VT_OK);
    assert_int_equal(vt_classification_add(m, 5, tie), 0);
    assert_int_equal(vt_classification_add(m, 2, nan), 2);
    assert_int_equal(vt_classification_add(m, 0, nan), 2);
    vt_classification_result_of(m, &all);
    assert_near(all.top5, 1.0 / 3); /* the sixth of equals is not among five */
    vt_classification_free(m);
    assert_int_equal(vt_classification_new(0, &m, NULL), VT_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_are_the_definitions),
        cmocka_unit_test(ties_and_nans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
