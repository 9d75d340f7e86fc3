/* SPDX-License-Identifier: Apache-2.0 */
/* Retrieval measures, against values worked out by hand and against their definitions in a plain
 * loop. */
#include "eval/retrieval.h"

#include "base/mem.h"
#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) < 1e-12))
        fail_msg("%.15g instead of %.15g", got, want);
}

static vt_retrieval *retrieval_make(void)
{
    vt_retrieval *r = NULL;
    vt_retrieval_options options = vt_retrieval_options_defaults();
    assert_int_equal(vt_retrieval_new(&options, &r, NULL), VT_OK);
    return r;
}

static void test_by_hand(void **state)
{
    (void)state;
    vt_retrieval *r = retrieval_make();
    /* Relevant at ranks 1, 3, 6 of 4 that exist: AP = (1 + 2/3 + 3/6) / 4. */
    const bool first[7] = {true, false, true, false, false, true, false};
    /* Relevant at rank 2 only, one exists, three ranked: AP = 1/2. */
    const bool second[3] = {false, true, false};
    const bool none[2] = {false, false};
    assert_int_equal(vt_retrieval_add(r, "shoes", first, 7, 4, NULL), VT_OK);
    assert_int_equal(vt_retrieval_add(r, "bags", second, 3, 1, NULL), VT_OK);
    assert_int_equal(vt_retrieval_add(r, NULL, none, 2, 5, NULL), VT_OK);
    assert_int_equal(vt_retrieval_add(r, "shoes", none, 0, 2, NULL), VT_OK);
    vt_retrieval_result got;
    assert_true(vt_retrieval_result_of(r, NULL, &got));
    assert_int_equal(got.queries, 4);
    assert_int_equal(got.depth, 7);
    assert_near(got.recall[0], 1.0 / 4);
    assert_near(got.recall[1], 2.0 / 4);
    assert_near(got.recall[2], 2.0 / 4);
    assert_near(got.precision[0], 1.0 / 4);
    assert_near(got.precision[1], (2.0 / 5 + 1.0 / 5) / 4);
    assert_near(got.precision[2], (3.0 / 10 + 1.0 / 10) / 4);
    double first_ap = (1 + 2.0 / 3 + 3.0 / 6) / 4;
    assert_near(got.map, (first_ap + 0.5) / 4);
    assert_near(got.mrr, 1.5 / 4);
    assert_true(vt_retrieval_result_of(r, "shoes", &got));
    assert_int_equal(got.queries, 2);
    assert_near(got.map, first_ap / 2);
    assert_near(got.mrr, 0.5);
    assert_true(vt_retrieval_result_of(r, "bags", &got));
    assert_near(got.recall[0], 0);
    assert_near(got.recall[1], 1);
    assert_false(vt_retrieval_result_of(r, "hats", &got));
    assert_int_equal(vt_retrieval_category_count(r), 2);
    assert_string_equal(vt_retrieval_category(r, 0), "bags");
    assert_string_equal(vt_retrieval_category(r, 1), "shoes");
    assert_null(vt_retrieval_category(r, 2));
    vt_retrieval_free(r);
}

static void test_random_lists(void **state)
{
    (void)state;
    enum { MOST = 40, QUERIES = 300 };
    static const size_t cuts[3] = {1, 5, 10};
    vt_random random;
    vt_random_init(&random, 2);
    vt_retrieval *r = retrieval_make();
    double recall[3] = {0}, precision[3] = {0}, map = 0, mrr = 0;
    for (int query = 0; query < QUERIES; query++) {
        bool relevance[MOST];
        size_t ranked = vt_random_below(&random, MOST), total = 1;
        for (size_t i = 0; i < ranked; i++) {
            relevance[i] = vt_random_below(&random, 6) == 0;
            total += relevance[i];
        }
        double average = 0, reciprocal = 0;
        for (size_t i = 0; i < ranked; i++) {
            size_t before = 0;
            for (size_t j = 0; j <= i; j++)
                before += relevance[j];
            if (relevance[i])
                average += (double)before / (double)(i + 1);
            if (relevance[i] && before == 1)
                reciprocal = 1.0 / (double)(i + 1);
        }
        map += average / (double)total;
        mrr += reciprocal;
        for (size_t c = 0; c < 3; c++) {
            size_t found = 0;
            for (size_t i = 0; i < ranked && i < cuts[c]; i++)
                found += relevance[i];
            recall[c] += found > 0;
            precision[c] += (double)found / (double)cuts[c];
        }
        assert_int_equal(vt_retrieval_add(r, NULL, relevance, ranked, total, NULL), VT_OK);
    }
    vt_retrieval_result got;
    assert_true(vt_retrieval_result_of(r, NULL, &got));
    assert_near(got.map, map / QUERIES);
    assert_near(got.mrr, mrr / QUERIES);
    for (size_t c = 0; c < 3; c++) {
        assert_near(got.recall[c], recall[c] / QUERIES);
        assert_near(got.precision[c], precision[c] / QUERIES);
    }
    vt_retrieval_free(r);
}

static void test_refusals(void **state)
{
    (void)state;
    vt_error error;
    vt_retrieval *r = NULL;
    vt_retrieval_options options = {.k = {0}, .k_count = 1};
    assert_int_equal(vt_retrieval_new(&options, &r, &error), VT_ERR_USAGE);
    options = (vt_retrieval_options){.k = {5, 5}, .k_count = 2};
    assert_int_equal(vt_retrieval_new(&options, &r, &error), VT_ERR_USAGE);
    options = (vt_retrieval_options){.k_count = VT_RETRIEVAL_MAX_K + 1};
    assert_int_equal(vt_retrieval_new(&options, &r, &error), VT_ERR_USAGE);
    assert_null(r);
    r = retrieval_make();
    vt_retrieval_result got;
    assert_false(vt_retrieval_result_of(r, NULL, &got));
    const bool two[2] = {true, true};
    assert_int_equal(vt_retrieval_add(r, "a", two, 2, 1, &error), VT_ERR_USAGE);
    assert_int_equal(vt_retrieval_add(r, "a", two, 0, 0, &error), VT_ERR_USAGE);
    assert_int_equal(vt_retrieval_category_count(r), 0);
    assert_false(vt_retrieval_result_of(r, NULL, &got));
    vt_retrieval_free(r);
    vt_retrieval_free(NULL);
}

static void test_print(void **state)
{
    (void)state;
    for (int filled = 0; filled < 2; filled++) {
        vt_retrieval *r = retrieval_make();
        const bool one[2] = {false, true};
        if (filled)
            assert_int_equal(vt_retrieval_add(r, "a \"b\"", one, 2, 1, NULL), VT_OK);
        vt_buf text;
        vt_json_writer writer;
        vt_buf_init(&text, 1 << 16);
        vt_json_begin(&writer, &text, false);
        vt_json_open_object(&writer, NULL);
        vt_retrieval_print(r, &writer);
        vt_json_close(&writer);
        vt_json *doc;
        assert_int_equal(vt_json_parse(vt_buf_text(&text), text.length, 8, &doc, NULL), VT_OK);
        assert_true(vt_json_number(vt_json_get(doc, "queries"), -1) == filled);
        const vt_json *recall = vt_json_get(doc, "recall");
        assert_int_equal(vt_json_count(recall), 3);
        const vt_json *category = vt_json_get(vt_json_get(doc, "per_category"), "a \"b\"");
        if (filled) {
            assert_near(vt_json_number(vt_json_get(recall, "1"), -1), 0);
            assert_near(vt_json_number(vt_json_get(recall, "5"), -1), 1);
            assert_near(vt_json_number(vt_json_get(vt_json_get(doc, "precision"), "10"), -1), 0.1);
            assert_near(vt_json_number(vt_json_get(doc, "depth"), -1), 2);
            assert_near(vt_json_number(vt_json_get(category, "map"), -1), 0.5);
            assert_near(vt_json_number(vt_json_get(category, "mrr"), -1), 0.5);
        } else {
            assert_int_equal(vt_json_kind_of(vt_json_get(recall, "1")), VT_JSON_NULL);
            assert_int_equal(vt_json_kind_of(vt_json_get(doc, "map")), VT_JSON_NULL);
            assert_null(category);
        }
        vt_json_free(doc);
        vt_buf_deinit(&text);
        vt_retrieval_free(r);
    }
}

static void test_memory(void **state)
{
    (void)state;
    const bool one[1] = {true};
    for (int64_t successes = 0;; successes++) {
        assert_true(successes < 100);
        vt_retrieval *r = NULL;
        vt_retrieval_options options = vt_retrieval_options_defaults();
        size_t added = 0;
        vt_mem_fail_after(successes);
        vt_status status = vt_retrieval_new(&options, &r, NULL);
        for (char name[2] = "z"; status == VT_OK && name[0] >= 'a'; name[0]--) {
            status = vt_retrieval_add(r, name, one, 1, 1, NULL);
            added += status == VT_OK;
        }
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        vt_retrieval_result got;
        if (r) {
            /* A query that failed counts nowhere. */
            assert_int_equal(vt_retrieval_result_of(r, NULL, &got), added > 0);
            assert_int_equal(vt_retrieval_category_count(r), added);
            if (added > 0)
                assert_int_equal(got.queries, added);
        }
        vt_retrieval_free(r);
        if (status == VT_OK)
            return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),  cmocka_unit_test(test_random_lists),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_print),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
