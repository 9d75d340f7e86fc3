/* SPDX-License-Identifier: Apache-2.0 */
/* Facets against counting one by one, and pages against sorting everything. */
#include "filter_trees.h"

#include "store/postings.h"

enum { PRODUCTS = 900, FACETS = 7 };

static tree_product products[PRODUCTS];
static const char *const filters[] = {NULL, "price > 3", "tags = 'sale' OR brand IS NULL",
                                      "category = 'bags' AND NOT color = 'red'", "price > 1000"};

static vt_postings *make(void)
{
    vt_postings *postings = NULL;
    vt_random random;
    vt_random_init(&random, 21);
    assert_ok(vt_postings_new(&postings, error));
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        tree_product_init(&products[i], i, &random);
        products[i].product.key = 5 * i + 2;
        products[i].product.change = PRODUCTS - i;
        assert_ok(vt_postings_put(postings, &products[i].product, error));
    }
    assert_ok(vt_postings_settle(postings, error));
    return postings;
}

static void select_with(vt_postings *postings, const char *where, vt_select *what, vt_arena *arena,
                        vt_selection *out)
{
    vt_filter *filter = NULL;
    if (where != NULL)
        assert_ok(vt_filter_parse(where, &filter, error));
    what->filter = filter;
    assert_ok(vt_postings_select(postings, what, arena, out, error));
    vt_filter_free(filter);
}

/* The values of a product in a column as texts: (FACETS); numbers as %.15g. */
static size_t values_of(const tree_product *p, const char *name, char out[][32])
{
    const char *one = strcmp(name, "title") == 0      ? p->title
                      : strcmp(name, "category") == 0 ? p->category
                      : strcmp(name, "brand") == 0    ? p->brand
                      : strcmp(name, "color") == 0    ? p->color
                      : strcmp(name, "size") == 0     ? p->size_text
                                                      : NULL;
    double number = strcmp(name, "price") == 0  ? p->price
                    : strcmp(name, "size") == 0 ? p->size
                                                : (double)NAN;
    size_t count = 0;
    if (one != NULL)
        snprintf(out[count++], 32, "t%s", one);
    if (!isnan(number))
        snprintf(out[count++], 32, "n%.15g", number);
    for (size_t i = 0; strcmp(name, "tags") == 0 && i < p->tag_count; i++) {
        bool known = false;
        for (size_t j = 0; j < i; j++)
            known = known || strcmp(p->tags[i], p->tags[j]) == 0;
        if (!known)
            snprintf(out[count++], 32, "t%s", p->tags[i]);
    }
    return count;
}

static void check_facet(const vt_facet *facet, const vt_idset *selected, size_t top)
{
    uint64_t with_value = 0, total = 0, listed = 0;
    char values[8][32];
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        if (!vt_idset_has(selected, products[i].product.key))
            continue;
        size_t count = values_of(&products[i], facet->name, values);
        with_value += count > 0;
        total += count;
    }
    assert_true(facet->products == with_value);
    assert_true(facet->count <= top && facet->count <= facet->distinct);
    for (size_t v = 0; v < facet->count; v++) {
        const vt_facet_value *value = &facet->values[v];
        char wanted[32];
        uint64_t have = 0;
        if (value->text != NULL)
            snprintf(wanted, sizeof wanted, "t%s", value->text);
        else
            snprintf(wanted, sizeof wanted, "n%.15g", value->number);
        for (uint32_t i = 0; i < PRODUCTS; i++) {
            if (!vt_idset_has(selected, products[i].product.key))
                continue;
            size_t count = values_of(&products[i], facet->name, values);
            for (size_t j = 0; j < count; j++)
                have += strcmp(values[j], wanted) == 0;
        }
        if (have != value->products)
            fail_msg("%s %s: %d, not %d", facet->name, wanted, (int)have, (int)value->products);
        assert_true(v == 0 || facet->values[v - 1].products >= value->products);
        listed += have;
    }
    assert_true(facet->count < facet->distinct ? listed < total : listed == total);
}

static void test_facets(void **state)
{
    (void)state;
    static const char *const names[FACETS] = {"title", "category", "brand", "color",
                                              "tags",  "price",    "size"};
    vt_postings *postings = make();
    for (size_t f = 0; f < sizeof filters / sizeof filters[0]; f++) {
        for (size_t top = 2; top <= 100; top += 98) {
            vt_arena arena;
            vt_selection selection = {0};
            vt_arena_init(&arena, 1 << 24);
            vt_select what = {.facets = names, .facet_count = FACETS, .facet_top = top};
            select_with(postings, filters[f], &what, &arena, &selection);
            assert_true(selection.total == PRODUCTS);
            assert_true(selection.matched == vt_idset_count(selection.products));
            assert_int_equal(selection.facet_count, FACETS);
            for (size_t i = 0; i < FACETS; i++)
                check_facet(&selection.facets[i], selection.products, top);
            const vt_facet *price = &selection.facets[5];
            assert_true(selection.matched == 0 ? isnan(price->minimum) && isnan(price->maximum)
                                               : price->minimum <= price->maximum);
            vt_idset_free(selection.products);
            vt_arena_deinit(&arena);
        }
    }
    vt_postings_free(postings);
}

/* < 0: a stands before b. Numbers, then texts, then nothing; of several values the first. */
static int compare_by(const tree_product *a, const tree_product *b, const char *name,
                      bool descending)
{
    char values[2][8][32];
    const tree_product *both[] = {a, b};
    int rank[2] = {3, 3}, order = 0;
    double number[2] = {0, 0};
    const char *text[2] = {"", ""};
    for (int i = 0; i < 2; i++) {
        size_t count = values_of(both[i], name, values[i]);
        for (size_t j = 0; j < count; j++) {
            bool is_text = values[i][j][0] == 't';
            bool first = rank[i] == 3;
            if (!is_text)
                number[i] = strtod(values[i][j] + 1, NULL);
            else if (first || (strcmp(values[i][j] + 1, text[i]) < 0) != descending)
                text[i] = values[i][j] + 1;
            rank[i] = is_text ? 2 : 1;
        }
    }
    if (rank[0] == 3 || rank[1] == 3)
        return rank[0] != rank[1] ? rank[0] - rank[1] : a->product.key < b->product.key ? -1 : 1;
    order = rank[0] - rank[1];
    if (order == 0)
        order = rank[0] == 1 ? (number[0] > number[1]) - (number[0] < number[1])
                             : strcmp(text[0], text[1]);
    if (order == 0)
        order = a->product.key < b->product.key ? -1 : 1;
    return descending ? -order : order;
}

static void check_pages(vt_postings *postings, const char *where, const char *sort, bool descending)
{
    vt_arena arena;
    vt_arena_init(&arena, 1 << 24);
    vt_idset *met = NULL;
    assert_ok(vt_idset_new(&met, error));
    const tree_product *last = NULL;
    uint64_t matched = 0;
    size_t offset = 0;
    for (;; offset += 37) {
        vt_selection s = {0};
        vt_select what = {
            .page = true, .sort = sort, .descending = descending, .offset = offset, .top = 37};
        select_with(postings, where, &what, &arena, &s);
        matched = s.matched;
        assert_int_equal(s.key_count, matched <= offset       ? 0
                                      : matched - offset < 37 ? matched - offset
                                                              : 37);
        for (size_t i = 0; i < s.key_count; i++) {
            const tree_product *p = &products[(s.keys[i] - 2) / 5];
            assert_true(vt_idset_has(s.products, s.keys[i]));
            assert_false(vt_idset_has(met, s.keys[i]));
            assert_ok(vt_idset_add(met, s.keys[i], error));
            if (last != NULL && sort != NULL && compare_by(last, p, sort, descending) >= 0)
                fail_msg("%s does not stand before %s by %s", last->id, p->id, sort);
            if (last != NULL && sort == NULL)
                assert_true((last->product.key < p->product.key) != descending);
            last = p;
        }
        vt_idset_free(s.products);
        if (s.key_count == 0)
            break;
    }
    assert_true(vt_idset_count(met) == matched);
    vt_idset_free(met);
    vt_arena_deinit(&arena);
}

static void test_pages(void **state)
{
    (void)state;
    static const char *const sorts[] = {NULL,    "title", "category", "color",
                                        "price", "size",  "tags"};
    vt_postings *postings = make();
    for (size_t f = 0; f < sizeof filters / sizeof filters[0]; f++)
        for (size_t s = 0; s < sizeof sorts / sizeof sorts[0]; s++)
            for (int descending = 0; descending < 2; descending++)
                check_pages(postings, filters[f], sorts[s], descending);
    vt_postings_free(postings);
}

static void test_by_change_and_wrong_names(void **state)
{
    (void)state;
    vt_postings *postings = make();
    vt_arena arena;
    vt_arena_init(&arena, 1 << 24);
    vt_selection s = {0};
    vt_select what = {.page = true, .sort = "change", .top = 3};
    select_with(postings, NULL, &what, &arena, &s);
    assert_int_equal(s.keys[0], 5 * (PRODUCTS - 1) + 2);
    assert_int_equal(s.keys[2], 5 * (PRODUCTS - 3) + 2);
    vt_idset_free(s.products);
    what.sort = "prices";
    what.top = 0;
    assert_fails_saying(VT_ERR_USAGE,
                        "sort: no product has an attribute \"prices\"; near it: "
                        "\"price\"",
                        vt_postings_select(postings, &what, &arena, &s, error));
    const char *facet = "colr";
    what = (vt_select){.facets = &facet, .facet_count = 1, .facet_top = 5};
    assert_fails_saying(VT_ERR_USAGE, "facets: no product has an attribute \"colr\"",
                        vt_postings_select(postings, &what, &arena, &s, error));
    vt_arena_deinit(&arena);
    vt_postings_free(postings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facets),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_by_change_and_wrong_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
