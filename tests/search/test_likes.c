/* SPDX-License-Identifier: Apache-2.0 */
/* Products as examples: alone, against each other, beside photos. */
#include "search/stock.h"

#include "vector/distance.h"

static vt_answer *ask(stock *s, const vt_query *query)
{
    vt_error error = {0};
    vt_answer *answer = NULL;
    if (vt_search_run(&s->searcher, query, &answer, &error) != VT_OK)
        fail_msg("%s", error.message);
    return answer;
}

/* out (dim): the mean direction of good `index`'s two pictures, from the encoder itself. */
static float *good_direction(stock *s, int index)
{
    float *one = stock_vector(s, index, 0), *other = stock_vector(s, index, 8);
    for (size_t d = 0; d < s->dim; d++)
        one[d] += other[d];
    assert_true(vt_vector_normalize(one, s->dim));
    vt_free(other);
    return one;
}

static void expect_vector(stock *s, const vt_query *query, const float *wanted)
{
    vt_error error = {0};
    float *vector = vt_calloc(s->dim, sizeof(float));
    if (vt_search_query_vector(&s->searcher, query, NULL, vector, NULL, &error) != VT_OK)
        fail_msg("%s", error.message);
    for (size_t d = 0; d < s->dim; d++) /* stored vectors are half floats */
        assert_float_equal(vector[d], wanted[d], 2e-3f);
    vt_free(vector);
}

static void the_vector_is_the_weighted_sum(void **state)
{
    stock *s = *state;
    assert_true(goods_write(stock_path(s, "query.png"), 4, 1));
    vt_photo photo = {.path = stock_path(s, "query.png")};
    const vt_like likes[] = {{"P-1", 1.0}, {"P-2", -0.5}};
    float *first = good_direction(s, 1), *second = good_direction(s, 2);
    float *seen = vt_calloc(s->dim, sizeof(float)), *sum = vt_calloc(s->dim, sizeof(float));
    assert_int_equal(vt_search_embed(&s->searcher, &photo, (vt_rect){0}, seen, NULL, NULL), VT_OK);
    vt_query query = (vt_query){.top = 10, .min_similarity = -1.0};
    query.likes = likes;
    query.like_count = 1;
    expect_vector(s, &query, first);
    query.like_count = 2;
    for (size_t d = 0; d < s->dim; d++)
        sum[d] = first[d] - 0.5f * second[d];
    assert_true(vt_vector_normalize(sum, s->dim));
    expect_vector(s, &query, sum);
    query.photos = &photo;
    query.photo_count = 1;
    for (size_t d = 0; d < s->dim; d++)
        sum[d] = seen[d] + first[d] - 0.5f * second[d];
    assert_true(vt_vector_normalize(sum, s->dim));
    expect_vector(s, &query, sum);
    vt_free(first);
    vt_free(second);
    vt_free(seen);
    vt_free(sum);
}

static void liked_products_are_no_answers_and_need_no_encoder(void **state)
{
    stock *s = *state;
    const vt_like likes[] = {{"P-3", 1.0}, {"P-5", 0.25}};
    vt_query query = (vt_query){.top = 10, .min_similarity = -1.0};
    query.likes = likes;
    query.like_count = 2;
    query.top = STOCK_PRODUCTS;
    const vt_encoder *encoder = s->searcher.encoder;
    vt_batcher *batcher = s->searcher.batcher;
    s->searcher.encoder = NULL;
    s->searcher.batcher = NULL;
    vt_answer *answer = ask(s, &query);
    assert_int_equal(answer->count, STOCK_PRODUCTS - 2);
    assert_int_equal(answer->matched, STOCK_PRODUCTS);
    for (size_t i = 0; i < answer->count; i++) {
        assert_string_not_equal(answer->results[i].product->id, "P-3");
        assert_string_not_equal(answer->results[i].product->id, "P-5");
    }
    /* A page of them is the tail of the whole. */
    query.offset = 2;
    query.top = 3;
    vt_answer *page = ask(s, &query);
    assert_int_equal(page->count, 3);
    for (size_t i = 0; i < page->count; i++)
        assert_string_equal(page->results[i].product->id, answer->results[i + 2].product->id);
    vt_search_answer_free(page);
    vt_search_answer_free(answer);
    s->searcher.encoder = encoder;
    s->searcher.batcher = batcher;
}

static void expect_failure(stock *s, const vt_like *like, vt_status wanted, const char *text)
{
    vt_error error = {0};
    vt_answer *answer = NULL;
    vt_query query = (vt_query){.top = 10, .min_similarity = -1.0};
    query.likes = like;
    query.like_count = 1;
    vt_status status = vt_search_run(&s->searcher, &query, &answer, &error);
    if (status != wanted || strstr(error.message, text) == NULL)
        fail_msg("status %d, \"%s\"; wanted \"%s\"", (int)status, error.message, text);
    assert_null(answer);
}

static void likes_that_make_no_sense_are_refused(void **state)
{
    stock *s = *state;
    expect_failure(s, &(vt_like){"P-77", 1.0}, VT_ERR_NOT_FOUND, "P-77");
    expect_failure(s, &(vt_like){"P-1", 0.0}, VT_ERR_USAGE, "weight");
    expect_failure(s, &(vt_like){"P-1", NAN}, VT_ERR_USAGE, "weight");
    expect_failure(s, &(vt_like){"P-1", INFINITY}, VT_ERR_USAGE, "weight");
    expect_failure(s, &(vt_like){"", 1.0}, VT_ERR_USAGE, "no id");
    expect_failure(s, &(vt_like){NULL, 1.0}, VT_ERR_USAGE, "no id");
    const vt_like both[] = {{"P-1", 1.0}, {"P-1", -1.0}};
    vt_error error = {0};
    vt_answer *answer = NULL;
    vt_query query = (vt_query){.top = 10, .min_similarity = -1.0};
    query.likes = both;
    query.like_count = 2;
    assert_int_equal(vt_search_run(&s->searcher, &query, &answer, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "cancel"));
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, stock_setup_full, stock_teardown)
    const struct CMUnitTest tests[] = {
        WITH(the_vector_is_the_weighted_sum),
        WITH(liked_products_are_no_answers_and_need_no_encoder),
        WITH(likes_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
