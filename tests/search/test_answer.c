/* SPDX-License-Identifier: Apache-2.0 */
/* From a query to ranked products. */
#include "search/stock.h"

#include "base/thread.h"

/* The answer for a photo of good `index` moved by `view`; vt_search_answer_free. */
static vt_answer *ask(stock *s, int index, int view, size_t top, double min_similarity)
{
    vt_error error = {0};
    vt_answer *answer = NULL;
    assert_true(goods_write(stock_path(s, "query.png"), index, view));
    vt_photo photo = {.path = stock_path(s, "query.png")};
    vt_query query = {
        .photos = &photo, .photo_count = 1, .top = top, .min_similarity = min_similarity};
    if (vt_search_run(&s->searcher, &query, &answer, &error) != VT_OK)
        fail_msg("%s", error.message);
    return answer;
}

static void products_are_ranked_once_each_with_their_best_picture(void **state)
{
    stock *s = *state;
    for (int i = 0; i < STOCK_PRODUCTS; i++) {
        char want[16];
        snprintf(want, sizeof(want), "P-%d", i);
        vt_answer *front = ask(s, i, 0, STOCK_PRODUCTS + 5, -1.0);
        assert_int_equal(front->count, STOCK_PRODUCTS);
        assert_int_equal(front->searched, 2 * STOCK_PRODUCTS);
        assert_true(front->complete);
        assert_string_equal(front->strategy, "exact");
        assert_string_equal(front->results[0].product->id, want);
        assert_string_equal(front->results[0].picture->source, "front.jpg");
        for (size_t a = 0; a < front->count; a++) {
            assert_true(a == 0 || front->results[a - 1].similarity >= front->results[a].similarity);
            assert_true(front->results[a].similarity <= 1.001);
            for (size_t b = 0; b < a; b++)
                assert_string_not_equal(front->results[a].product->id,
                                        front->results[b].product->id);
        }
        vt_search_answer_free(front);
        vt_answer *side = ask(s, i, 8, 1, -1.0);
        assert_int_equal(side->count, 1);
        assert_string_equal(side->results[0].product->id, want);
        assert_string_equal(side->results[0].picture->source, "side.jpg");
        vt_search_answer_free(side);
    }
}

static void the_minimum_similarity_cuts_the_tail(void **state)
{
    stock *s = *state;
    vt_answer *all = ask(s, 3, 0, STOCK_PRODUCTS, -1.0);
    double middle = (all->results[3].similarity + all->results[4].similarity) / 2.0;
    assert_true(all->results[3].similarity > all->results[4].similarity);
    vt_answer *some = ask(s, 3, 0, STOCK_PRODUCTS, middle);
    assert_int_equal(some->count, 4);
    vt_answer *none = ask(s, 3, 0, STOCK_PRODUCTS, 1.5);
    assert_int_equal(none->count, 0);
    assert_int_equal(none->searched, 2 * STOCK_PRODUCTS);
    vt_search_answer_free(all);
    vt_search_answer_free(some);
    vt_search_answer_free(none);
}

static void an_empty_store_answers_with_nothing(void **state)
{
    stock *s = *state;
    vt_answer *answer = ask(s, 0, 0, 10, -1.0);
    assert_int_equal(answer->count, 0);
    assert_int_equal(answer->searched, 0);
    assert_true(answer->complete);
    vt_search_answer_free(answer);
}

static void what_is_removed_is_not_found_and_what_is_added_is(void **state)
{
    stock *s = *state;
    vt_answer *answer = ask(s, 6, 0, 1, -1.0);
    assert_string_equal(answer->results[0].product->id, "P-6");
    vt_search_answer_free(answer);
    assert_int_equal(vt_store_remove(s->searcher.store, "P-6", NULL), VT_OK);
    answer = ask(s, 6, 0, STOCK_PRODUCTS, -1.0);
    assert_int_equal(answer->count, STOCK_PRODUCTS - 1);
    assert_string_not_equal(answer->results[0].product->id, "P-6");
    vt_search_answer_free(answer);
    stock_put(s, 6);
    answer = ask(s, 6, 0, 1, -1.0);
    assert_string_equal(answer->results[0].product->id, "P-6");
    vt_search_answer_free(answer);
}

typedef struct crowd {
    stock *stock;
    char paths[STOCK_PRODUCTS][SCRATCH_PATH_BYTES];
    int wrong[64];
} crowd;

static void crowd_ask(void *context, size_t index)
{
    crowd *c = context;
    int good = (int)(index % STOCK_PRODUCTS);
    char want[16];
    vt_answer *answer = NULL;
    vt_photo photo = {.path = c->paths[good]};
    vt_query query = {.photos = &photo, .photo_count = 1, .top = 2, .min_similarity = -1.0};
    snprintf(want, sizeof(want), "P-%d", good);
    if (vt_search_run(&c->stock->searcher, &query, &answer, NULL) != VT_OK || answer->count != 2 ||
        strcmp(answer->results[0].product->id, want) != 0)
        c->wrong[index] = 1;
    vt_search_answer_free(answer);
}

static void many_threads_search_at_once(void **state)
{
    crowd c = {.stock = *state};
    vt_pool *pool = NULL;
    assert_int_equal(vt_pool_new(4, &pool, NULL), VT_OK);
    for (int i = 0; i < STOCK_PRODUCTS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "q%d.png", i);
        snprintf(c.paths[i], sizeof(c.paths[i]), "%s", stock_path(c.stock, name));
        assert_true(goods_write(c.paths[i], i, 1));
    }
    c.stock->searcher.pool = pool;
    vt_pool_for(pool, 64, crowd_ask, &c);
    c.stock->searcher.pool = NULL;
    vt_pool_free(pool);
    for (int i = 0; i < 64; i++)
        assert_int_equal(c.wrong[i], 0);
}

static vt_answer *ask_where(stock *s, const char *where, size_t offset, size_t top)
{
    vt_error error = {0};
    vt_answer *answer = NULL;
    const char *const facets[] = {"category", "price"};
    vt_photo photo = {.path = stock_path(s, "query.png")};
    vt_query query = {.photos = &photo,
                      .photo_count = 1,
                      .top = top,
                      .offset = offset,
                      .min_similarity = -1.0,
                      .where = where,
                      .facets = facets,
                      .facet_count = 2,
                      .facet_top = 3};
    if (vt_search_run(&s->searcher, &query, &answer, &error) != VT_OK)
        fail_msg("%s", error.message);
    return answer;
}

static void a_filter_leaves_exactly_its_products(void **state)
{
    stock *s = *state;
    assert_true(goods_write(stock_path(s, "query.png"), 2, 0));
    vt_answer *all = ask_where(s, "", 0, STOCK_PRODUCTS);
    assert_int_equal(all->count, STOCK_PRODUCTS);
    assert_int_equal(all->matched, STOCK_PRODUCTS);
    vt_answer *odd = ask_where(s, "category = 'odd' AND price < 7", 0, STOCK_PRODUCTS);
    assert_int_equal(odd->matched, 3);
    assert_int_equal(odd->count, 3);
    assert_true(odd->searched >= 6); /* small sets are scanned with what lies between */
    assert_true(odd->complete && odd->visited >= odd->searched);
    size_t at = 0;
    for (size_t i = 0; i < all->count; i++) { /* in the order they have without a filter */
        int price = (int)all->results[i].product->price;
        if (price % 2 == 0 || price >= 7)
            continue;
        assert_string_equal(odd->results[at].product->id, all->results[i].product->id);
        assert_true(odd->results[at++].similarity == all->results[i].similarity);
    }
    assert_int_equal(odd->facet_count, 2);
    assert_string_equal(odd->facets[0].name, "category");
    assert_int_equal(odd->facets[0].count, 1);
    assert_string_equal(odd->facets[0].values[0].text, "odd");
    assert_int_equal(odd->facets[0].values[0].products, 3);
    assert_int_equal(odd->facets[1].distinct, 3);
    assert_true(odd->facets[1].minimum == 1 && odd->facets[1].maximum == 5);
    vt_search_answer_free(odd);
    vt_search_answer_free(all);
    vt_answer *none = ask_where(s, "price > 100", 0, 5);
    assert_int_equal(none->count, 0);
    assert_int_equal(none->matched, 0);
    assert_true(none->complete);
    assert_string_equal(none->strategy, "exact");
    vt_search_answer_free(none);
}

static void pages_cover_everything_once(void **state)
{
    stock *s = *state;
    static const char *const filters[] = {NULL, "price >= 2"};
    assert_true(goods_write(stock_path(s, "query.png"), 7, 0));
    for (int f = 0; f < 2; f++) {
        vt_answer *all = ask_where(s, filters[f], 0, 10000);
        size_t met = 0;
        for (size_t offset = 0;; offset += 2) {
            vt_answer *page = ask_where(s, filters[f], offset, 2);
            if (page->count == 0) {
                vt_search_answer_free(page);
                break;
            }
            for (size_t i = 0; i < page->count; i++, met++) {
                assert_string_equal(page->results[i].product->id, all->results[met].product->id);
                assert_string_equal(page->results[i].picture->source,
                                    all->results[met].picture->source);
            }
            vt_search_answer_free(page);
        }
        assert_int_equal(met, all->count);
        assert_int_equal(all->count, f == 0 ? STOCK_PRODUCTS : STOCK_PRODUCTS - 2);
        vt_answer *beyond = ask_where(s, filters[f], VT_SEARCH_MAX_OFFSET, 10000);
        assert_int_equal(beyond->count, 0);
        vt_search_answer_free(beyond);
        vt_search_answer_free(all);
    }
}

static void wrong_filters_and_facets_are_told(void **state)
{
    stock *s = *state;
    vt_error error = {0};
    vt_answer *answer = NULL;
    const char *const facets[] = {"categry"};
    const vt_like like = {"P-1", 1.0};
    vt_query query = {.likes = &like, .like_count = 1, .top = 5, .min_similarity = -1.0};
    query.where = "price < ";
    assert_int_equal(vt_search_run(&s->searcher, &query, &answer, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "column 9: expected a value"));
    query.where = "pric < 4";
    assert_int_equal(vt_search_run(&s->searcher, &query, &answer, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "near it: \"price\""));
    query.where = NULL;
    query.facets = facets;
    query.facet_count = 1;
    assert_int_equal(vt_search_run(&s->searcher, &query, &answer, &error), VT_ERR_USAGE);
    assert_non_null(strstr(error.message, "facets: no product has an attribute \"categry\""));
    query.facet_count = 0;
    query.offset = VT_SEARCH_MAX_OFFSET + 1;
    assert_int_equal(vt_search_run(&s->searcher, &query, &answer, &error), VT_ERR_USAGE);
    assert_null(answer);
}

/* Even products stay as they are; odd ones are removed and put again all the while. */
static void crowd_ask_filtered(void *context, size_t index)
{
    crowd *c = context;
    if (index == 0) {
        for (int round = 0; round < 12; round++) {
            char id[16];
            int good = 1 + 2 * (round % (STOCK_PRODUCTS / 2));
            snprintf(id, sizeof(id), "P-%d", good);
            if (vt_store_remove(c->stock->searcher.store, id, NULL) != VT_OK)
                c->wrong[0] = 1;
            stock_put(c->stock, good);
        }
        return;
    }
    static const char *const facets[] = {"category"};
    const vt_like like = {"P-0", 1.0};
    vt_answer *answer = NULL;
    vt_query query = {.likes = &like,
                      .like_count = 1,
                      .top = STOCK_PRODUCTS,
                      .min_similarity = -1.0,
                      .where = index % 2 ? "category = 'even'" : "title LIKE 'Good%'",
                      .facets = facets,
                      .facet_count = 1};
    size_t even = (STOCK_PRODUCTS + 1) / 2;
    if (vt_search_run(&c->stock->searcher, &query, &answer, NULL) != VT_OK) {
        c->wrong[index] = 1;
        return;
    }
    if (index % 2 ? answer->matched != even || answer->count != even - 1
                  : answer->matched < STOCK_PRODUCTS - 1 || answer->count < even - 1)
        c->wrong[index] = 1;
    for (size_t i = 0; index % 2 && i < answer->count; i++)
        if (strcmp(answer->results[i].product->category, "even") != 0)
            c->wrong[index] = 1;
    vt_search_answer_free(answer);
}

static void filtered_searches_go_on_beside_a_writer(void **state)
{
    crowd c = {.stock = *state};
    vt_pool *pool = NULL;
    assert_int_equal(vt_pool_new(4, &pool, NULL), VT_OK);
    vt_pool_for(pool, 64, crowd_ask_filtered, &c);
    vt_pool_free(pool);
    for (int i = 0; i < 64; i++)
        assert_int_equal(c.wrong[i], 0);
    assert_int_equal(vt_store_check_postings(c.stock->searcher.store, NULL), VT_OK);
}

static vt_status ask_filtered(void *context)
{
    stock *s = context;
    vt_answer *answer = NULL;
    const char *const facets[] = {"category"};
    const vt_like like = {"P-1", 1.0};
    vt_query query = {.likes = &like,
                      .like_count = 1,
                      .top = 5,
                      .min_similarity = -1.0,
                      .where = "title LIKE 'Good%' AND price < 4",
                      .facets = facets,
                      .facet_count = 1};
    vt_status status = vt_search_run(&s->searcher, &query, &answer, NULL);
    if (status == VT_OK)
        assert_int_equal(answer->count, 3);
    vt_search_answer_free(answer);
    return status;
}

static void running_out_of_memory_with_a_filter_is_an_error(void **state)
{
    threads_as_in(many_threads_search_at_once);
    stock *s = *state;
    assert_int_equal(ask_filtered(s), VT_OK);
    assert_true(each_allocation_failing(ask_filtered, s) > 5);
}

static vt_status ask_once(void *context)
{
    stock *s = context;
    vt_answer *answer = NULL;
    vt_photo photo = {.path = stock_path(s, "query.png")};
    vt_query query = {.photos = &photo, .photo_count = 1, .top = 5, .min_similarity = -1.0};
    vt_status status = vt_search_run(&s->searcher, &query, &answer, NULL);
    if (status == VT_OK)
        assert_int_equal(answer->count, 5);
    else
        assert_null(answer);
    vt_search_answer_free(answer);
    return status;
}

static void running_out_of_memory_is_an_error(void **state)
{
    threads_as_in(many_threads_search_at_once);
    stock *s = *state;
    assert_true(goods_write(stock_path(s, "query.png"), 0, 0));
    assert_int_equal(ask_once(s), VT_OK); /* libvips and the index are up */
    assert_true(each_allocation_failing(ask_once, s) > 5);
}

int main(void)
{
#define WITH(test, setup) cmocka_unit_test_setup_teardown(test, setup, stock_teardown)
    const struct CMUnitTest tests[] = {
        WITH(products_are_ranked_once_each_with_their_best_picture, stock_setup_full),
        WITH(the_minimum_similarity_cuts_the_tail, stock_setup_full),
        WITH(an_empty_store_answers_with_nothing, stock_setup),
        WITH(what_is_removed_is_not_found_and_what_is_added_is, stock_setup_full),
        WITH(many_threads_search_at_once, stock_setup_full),
        WITH(running_out_of_memory_is_an_error, stock_setup_full),
        WITH(a_filter_leaves_exactly_its_products, stock_setup_full),
        WITH(pages_cover_everything_once, stock_setup_full),
        WITH(wrong_filters_and_facets_are_told, stock_setup_full),
        WITH(filtered_searches_go_on_beside_a_writer, stock_setup_full),
        WITH(running_out_of_memory_with_a_filter_is_an_error, stock_setup_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
