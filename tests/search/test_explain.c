/* SPDX-License-Identifier: Apache-2.0 */
/* Weights and parts of photos, and what each adds to a similarity. */
#include "search/stock.h"

static vt_answer *run(stock *s, const vt_query *query)
{
    vt_error error = {0};
    vt_answer *answer = NULL;
    if (vt_search_run(&s->searcher, query, &answer, &error) != VT_OK)
        fail_msg("%s", error.message);
    return answer;
}

static void shares_add_up_to_the_similarity(void **state)
{
    stock *s = *state;
    assert_true(goods_write(stock_path(s, "query.png"), 4, 1));
    const char *path = stock_path(s, "query.png");
    const vt_photo photos[] = {{.path = path}, {.path = path}};
    const vt_view views[] = {{.weight = 2.0},
                             {.x = 8, .y = 0, .width = 80, .height = 96, .weight = 0.5}};
    const vt_like likes[] = {{"P-2", -0.4}};
    vt_query query = {.top = 5, .min_similarity = -1.0, .explain = true};
    query.photos = photos;
    query.photo_count = 2;
    query.views = views;
    query.likes = likes;
    query.like_count = 1;
    vt_answer *answer = run(s, &query);
    assert_int_equal(answer->count, 5);
    assert_string_equal(answer->results[0].product->id, "P-4");
    for (size_t i = 0; i < answer->count; i++) {
        const double *shares = answer->results[i].shares;
        assert_non_null(shares);
        double total = shares[0] + shares[1] + shares[2];
        assert_true(fabs(total - answer->results[i].similarity) < 2e-3);
        assert_true(shares[0] > shares[1] && shares[2] < 0.0);
    }
    vt_search_answer_free(answer);
    query.explain = false;
    answer = run(s, &query);
    assert_null(answer->results[0].shares);
    vt_search_answer_free(answer);
}

static void a_weight_counts_as_so_many_photos(void **state)
{
    stock *s = *state;
    assert_true(goods_write(stock_path(s, "a.png"), 1, 1));
    char first[SCRATCH_PATH_BYTES];
    snprintf(first, sizeof(first), "%s", stock_path(s, "a.png"));
    assert_true(goods_write(stock_path(s, "b.png"), 6, 1));
    const char *second = stock_path(s, "b.png");
    const vt_photo twice[] = {{.path = first}, {.path = first}, {.path = second}};
    const vt_photo once[] = {{.path = first}, {.path = second}};
    const vt_view views[] = {{.weight = 2.0}, {.weight = 1.0}};
    vt_query query = {.top = 1, .min_similarity = -1.0, .photos = twice, .photo_count = 3};
    float *a = vt_calloc(s->dim, sizeof(float)), *b = vt_calloc(s->dim, sizeof(float));
    assert_int_equal(vt_search_query_vector(&s->searcher, &query, NULL, a, NULL, NULL), VT_OK);
    query.photos = once;
    query.photo_count = 2;
    query.views = views;
    assert_int_equal(vt_search_query_vector(&s->searcher, &query, NULL, b, NULL, NULL), VT_OK);
    for (size_t d = 0; d < s->dim; d++)
        assert_float_equal(a[d], b[d], 1e-6f);
    vt_free(a);
    vt_free(b);
}

static void views_that_make_no_sense_are_refused(void **state)
{
    stock *s = *state;
    assert_true(goods_write(stock_path(s, "query.png"), 4, 1));
    const vt_photo photo = {.path = stock_path(s, "query.png")};
    const vt_view bad[] = {{.weight = 0.0},
                           {.weight = NAN},
                           {.weight = 1001.0},
                           {.width = 5, .height = 0, .weight = 1.0},
                           {.x = -1, .width = 5, .height = 5, .weight = 1.0},
                           {.x = 90, .width = 50, .height = 5, .weight = 1.0}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        vt_answer *answer = NULL;
        vt_query query = {.top = 1, .photos = &photo, .photo_count = 1, .views = &bad[i]};
        assert_int_equal(vt_search_run(&s->searcher, &query, &answer, NULL), VT_ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shares_add_up_to_the_similarity, stock_setup_full,
                                        stock_teardown),
        cmocka_unit_test_setup_teardown(a_weight_counts_as_so_many_photos, stock_setup,
                                        stock_teardown),
        cmocka_unit_test_setup_teardown(views_that_make_no_sense_are_refused, stock_setup_full,
                                        stock_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
