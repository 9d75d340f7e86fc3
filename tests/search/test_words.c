/* SPDX-License-Identifier: Apache-2.0 */
/* Words narrow and rank; answers in other orders; pages of both fit each other. */
#include "search/stock.h"

static vt_answer *run(stock *s, const vt_query *query)
{
    vt_error error = {0};
    vt_answer *answer = NULL;
    if (vt_search_run(&s->searcher, query, &answer, &error) != VT_OK)
        fail_msg("%s", error.message);
    return answer;
}

static void refused(stock *s, const vt_query *query, const char *said)
{
    vt_error error = {0};
    vt_answer *answer = NULL;
    assert_int_equal(vt_search_run(&s->searcher, query, &answer, &error), VT_ERR_USAGE);
    if (strstr(error.message, said) == NULL)
        fail_msg("%s", error.message);
}

static vt_photo photo_of(stock *s, int index)
{
    assert_true(goods_write(stock_path(s, "query.png"), index, 0));
    return (vt_photo){.path = stock_path(s, "query.png")};
}

static void words_alone_rank(void **state)
{
    stock *s = *state;
    const char *const facets[] = {"category"};
    vt_query query = {.text = "good",
                      .top = 20,
                      .min_similarity = -1.0,
                      .explain = true,
                      .where = "price >= 3",
                      .facets = facets,
                      .facet_count = 1};
    vt_answer *answer = run(s, &query);
    assert_int_equal(answer->count, STOCK_PRODUCTS - 3);
    assert_int_equal(answer->matched, STOCK_PRODUCTS - 3);
    assert_string_equal(answer->strategy, "words");
    assert_true(answer->complete);
    assert_int_equal(answer->facets[0].products, STOCK_PRODUCTS - 3);
    for (size_t i = 0; i < answer->count; i++) {
        const vt_result *result = &answer->results[i];
        assert_true(isnan(result->similarity) && result->text_score > 0);
        assert_string_equal(result->picture->source, "front.jpg");
        assert_int_equal(result->text_fields, VT_TEXT_TITLE);
        assert_null(result->shares);
        assert_true(i == 0 || answer->results[i - 1].text_score > result->text_score ||
                    answer->results[i - 1].product->key < result->product->key);
    }
    vt_search_answer_free(answer);
    query.text = "good 7";
    answer = run(s, &query);
    assert_int_equal(answer->count, 1);
    assert_string_equal(answer->results[0].product->id, "P-7");
    vt_search_answer_free(answer);
    query.text = "nothing";
    answer = run(s, &query);
    assert_int_equal(answer->count + answer->matched, 0);
    vt_search_answer_free(answer);
}

static void words_narrow_a_photo(void **state)
{
    stock *s = *state;
    vt_photo photo = photo_of(s, 4);
    vt_query query = {.photos = &photo, .photo_count = 1, .top = 20, .min_similarity = -1.0};
    vt_answer *all = run(s, &query);
    query.text = "odd";
    query.explain = true;
    vt_answer *some = run(s, &query);
    assert_int_equal(all->count, STOCK_PRODUCTS);
    assert_int_equal(some->count, STOCK_PRODUCTS / 2);
    assert_int_equal(some->matched, STOCK_PRODUCTS / 2);
    size_t at = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->results[i].product->category, "odd") != 0)
            continue;
        assert_string_equal(some->results[at].product->id, all->results[i].product->id);
        assert_true(some->results[at].similarity == all->results[i].similarity);
        assert_int_equal(some->results[at].text_fields, VT_TEXT_CATEGORY);
        assert_true(isnan(some->results[at].text_score));
        assert_non_null(some->results[at++].shares);
    }
    vt_search_answer_free(all);
    vt_search_answer_free(some);
}

/* In this order, all at once and a few at a time. */
static void assert_order(stock *s, vt_query query, const int *want, size_t count)
{
    char id[16];
    query.top = 20;
    vt_answer *all = run(s, &query);
    assert_int_equal(all->count, count);
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "P-%d", want[i]);
        assert_string_equal(all->results[i].product->id, id);
    }
    query.top = 2;
    for (query.offset = 0; query.offset < count + 3; query.offset += 2) {
        vt_answer *page = run(s, &query);
        size_t left = query.offset < count ? count - query.offset : 0;
        assert_int_equal(page->count, left < 2 ? left : 2);
        for (size_t i = 0; i < page->count; i++) {
            const vt_result *a = &page->results[i], *b = &all->results[query.offset + i];
            assert_string_equal(a->product->id, b->product->id);
            assert_true(a->picture->key == b->picture->key);
            assert_true(a->similarity == b->similarity ||
                        (isnan(a->similarity) && isnan(b->similarity)));
        }
        vt_search_answer_free(page);
    }
    vt_search_answer_free(all);
}

static void answers_come_in_the_order_of_an_attribute(void **state)
{
    stock *s = *state;
    vt_photo photo = photo_of(s, 4);
    vt_like like = {"P-5", 1.0};
    vt_query query = {.photos = &photo, .photo_count = 1, .min_similarity = -1.0, .sort = "price"};
    static const int up[] = {0, 1, 2, 3, 4, 5, 6, 7, 8}, down[] = {8, 7, 6, 5, 4, 3, 2, 1, 0};
    static const int odd[] = {7, 5, 3, 1}, liked[] = {7, 3, 1}, few[] = {2, 3};
    assert_order(s, query, up, 9);
    query.sort = "-price";
    assert_order(s, query, down, 9);
    query.sort = "title:desc";
    assert_order(s, query, down, 9);
    query.text = "odd";
    assert_order(s, query, odd, 4);
    query.likes = &like;
    query.like_count = 1;
    assert_order(s, query, liked, 3);
    vt_query words = {.text = "good", .min_similarity = -1.0, .sort = "-title"};
    assert_order(s, words, down, 9);
    words.where = "price IN (2, 3)";
    words.sort = "price";
    assert_order(s, words, few, 2);
}

/* Only what is similar enough is put into another order. */
static void the_minimum_comes_before_the_order(void **state)
{
    stock *s = *state;
    vt_photo photo = photo_of(s, 4);
    vt_query query = {.photos = &photo,
                      .photo_count = 1,
                      .top = 20,
                      .min_similarity = -1.0,
                      .sort = "similarity"};
    vt_answer *best = run(s, &query);
    query.min_similarity = (best->results[2].similarity + best->results[3].similarity) / 2.0;
    query.sort = "-price";
    vt_answer *dear = run(s, &query);
    assert_int_equal(dear->count, 3);
    for (size_t i = 0; i < dear->count; i++) {
        bool among = false;
        for (size_t j = 0; j < 3; j++)
            among |= strcmp(dear->results[i].product->id, best->results[j].product->id) == 0;
        assert_true(among);
        assert_true(i == 0 ||
                    dear->results[i].product->price < dear->results[i - 1].product->price);
    }
    vt_search_answer_free(best);
    vt_search_answer_free(dear);
}

static void what_makes_no_sense_is_refused(void **state)
{
    stock *s = *state;
    vt_query query = {.top = 5, .min_similarity = -1.0};
    refused(s, &query, "no words");
    query.text = "";
    refused(s, &query, "no words");
    query.text = "\"* ...";
    refused(s, &query, "no word in");
    query.text = "good";
    query.min_similarity = 0.5;
    refused(s, &query, "minimum");
    query.min_similarity = -1.0;
    query.sort = "wieght";
    refused(s, &query, "wieght");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_alone_rank),
        cmocka_unit_test(words_narrow_a_photo),
        cmocka_unit_test(answers_come_in_the_order_of_an_attribute),
        cmocka_unit_test(the_minimum_comes_before_the_order),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, stock_setup_full, stock_teardown);
}
