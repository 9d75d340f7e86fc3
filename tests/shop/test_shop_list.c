/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and filtered searches through the public API. */
#include "shop/journey.h"

#include <math.h>

static vt_shop *open_as(journey *j, vt_open_mode mode)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    expect_ok(vt_shop_open(j->shop, mode, &shop, &error), &error);
    return shop;
}

static vt_list *list(vt_shop *shop, const char *where, const char *sort, size_t offset, size_t top)
{
    vt_error error = {0};
    vt_list *made = NULL;
    const char *const facets[] = {"color", "category"};
    vt_list_options options = vt_list_options_defaults();
    options.where = where;
    options.sort = sort;
    options.offset = offset;
    options.top = top;
    options.facets = facets;
    options.facet_count = 2;
    expect_ok(vt_shop_list(shop, &options, &made, &error), &error);
    return made;
}

static void products_are_listed_in_order(void **state)
{
    journey *j = *state;
    make_shop(j);
    vt_shop *shop = open_as(j, VT_OPEN_READ);
    vt_list *all = list(shop, "Category = 'odd'", "Price:DESC", 1, 3);
    assert_int_equal(all->count, 3);
    assert_int_equal(all->matched, PRODUCTS / 2);
    assert_int_equal(all->total, PRODUCTS);
    for (int i = 0; i < 3; i++)
        assert_true(all->products[i].price == PRODUCTS - 3 - 2 * i + 0.5);
    assert_int_equal(all->products[0].picture_count, 1);
    assert_string_equal(all->facets[0].values[0].text, "red");
    assert_int_equal(all->facets[0].values[0].products, PRODUCTS / 2);
    vt_list_free(all);
    all = list(shop, NULL, "id", 0, 10000); /* as texts: P-0 P-1 P-10 P-11 P-2 */
    assert_int_equal(all->count, PRODUCTS);
    assert_string_equal(all->products[2].id, "P-10");
    assert_int_equal(all->facets[1].distinct, 2);
    vt_list_free(all);
    all = list(shop, "price IS NULL", NULL, 0, 5);
    assert_int_equal(all->count, 0);
    assert_int_equal(all->matched, 0);
    vt_list_free(all);
    all = list(shop, NULL, NULL, 0, 0);
    assert_int_equal(all->count, 0);
    assert_int_equal(all->matched, PRODUCTS);
    vt_list_free(all);
    vt_list_free(NULL);
    vt_shop_close(shop);
}

static void mistakes_are_told(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    vt_list *made = NULL;
    make_shop(j);
    vt_shop *shop = open_as(j, VT_OPEN_READ);
    vt_list_options options = vt_list_options_defaults();
    options.top = 10001;
    expect_failure(vt_shop_list(shop, &options, &made, &error), VT_ERR_USAGE, &error, "10001");
    options.top = 1;
    options.sort = "prize:desc";
    expect_failure(vt_shop_list(shop, &options, &made, &error), VT_ERR_USAGE, &error,
                   "near it: \"price\"");
    options.sort = "price:down";
    expect_failure(vt_shop_list(shop, &options, &made, &error), VT_ERR_USAGE, &error,
                   "\"price:down\"");
    options.sort = NULL;
    options.where = "price <";
    expect_failure(vt_shop_list(shop, &options, &made, &error), VT_ERR_USAGE, &error,
                   "filter, column 8");
    assert_null(made);
    vt_shop_close(shop);
}

static void what_is_removed_is_out_of_lists_and_searches(void **state)
{
    journey *j = *state;
    vt_error error = {0};
    make_shop(j);
    vt_shop *shop = open_as(j, VT_OPEN_WRITE);
    const vt_like like = {"P-0", 1.0};
    vt_query query = vt_query_defaults();
    query.likes = &like;
    query.like_count = 1;
    query.where = "category = 'even'";
    query.exact = true;
    for (int gone = 0; gone < 3; gone++) {
        vt_answer *answer = NULL;
        expect_ok(vt_shop_search(shop, &query, &answer, &error), &error);
        assert_int_equal(answer->matched, PRODUCTS / 2 - gone);
        assert_int_equal(answer->count, PRODUCTS / 2 - gone - 1);
        assert_true(answer->complete);
        vt_list *even = list(shop, query.where, "change", 0, 100);
        assert_int_equal(even->count, PRODUCTS / 2 - gone);
        char id[16];
        snprintf(id, sizeof(id), "P-%d", 2 * gone + 2);
        expect_ok(vt_shop_remove(shop, id, &error), &error);
        expect_ok(vt_shop_check(shop, &error), &error);
        vt_list_free(even);
        vt_answer_free(answer);
    }
    vt_shop_close(shop);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, journey_setup, journey_teardown)
    const struct CMUnitTest tests[] = {
        WITH(products_are_listed_in_order),
        WITH(mistakes_are_told),
        WITH(what_is_removed_is_out_of_lists_and_searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
