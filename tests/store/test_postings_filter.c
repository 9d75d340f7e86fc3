/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random filters over random products: the bitmaps' answer, the row by row one, and the judge of
 * filter_trees.h must agree on every product, also after products changed and went.
 */
#include "filter_trees.h"

#include "store/postings.h"

enum { PRODUCTS = 1500, FILTERS = 400, ROUNDS = 4 };

static tree_product products[PRODUCTS];
static bool alive[PRODUCTS];

static void put(vt_postings *postings, uint32_t number, uint64_t change, vt_random *random)
{
    tree_product_init(&products[number], number, random);
    products[number].product.key = number * 97 + 1;
    products[number].product.change = change;
    alive[number] = true;
    vt_postings_forget(postings, products[number].product.key);
    assert_ok(vt_postings_put(postings, &products[number].product, error));
}

static void compare_one(vt_postings *postings, const tree *t, const char *text)
{
    vt_filter *filter = NULL;
    vt_idset *set = NULL;
    bool stack[256];
    assert_ok(vt_filter_parse(text, &filter, error));
    assert_true(filter->stack_depth <= 256);
    assert_ok(vt_postings_filter(postings, filter, &set, error));
    uint64_t count = 0;
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        if (!alive[i])
            continue;
        bool wanted = tree_judge(t, 0, &products[i]) == 1;
        count += wanted;
        if (vt_idset_has(set, products[i].product.key) != wanted)
            fail_msg("%s: product %u should be %d by the bitmaps", text, i, wanted);
        if (vt_filter_matches(filter, &products[i].product, stack) != wanted)
            fail_msg("%s: product %u should be %d by itself", text, i, wanted);
    }
    assert_true(vt_idset_count(set) == count);
    vt_idset_free(set);
    vt_filter_free(filter);
}

static void compare_all(vt_postings *postings, vt_random *random)
{
    for (int i = 0; i < FILTERS; i++) {
        tree t = {.count = 0};
        vt_buf text;
        vt_buf_init(&text, 1 << 20);
        tree_grow(&t, random, 5);
        tree_tell(&text, &t, 0, TREE_LEAF);
        assert_false(text.failed);
        compare_one(postings, &t, text.data);
        vt_buf_deinit(&text);
    }
}

static void check_fresh(vt_postings *postings)
{
    vt_postings *fresh = NULL;
    assert_ok(vt_postings_new(&fresh, error));
    for (uint32_t i = 0; i < PRODUCTS; i++)
        if (alive[i])
            assert_ok(vt_postings_put(fresh, &products[i].product, error));
    assert_ok(vt_postings_settle(fresh, error));
    assert_ok(vt_postings_compare(postings, fresh, error));
    assert_ok(vt_postings_compare(fresh, postings, error));
    vt_postings_free(fresh);
}

static void test_against_judge(void **state)
{
    (void)state;
    vt_postings *postings = NULL;
    vt_random random;
    uint64_t change = 0;
    vt_random_init(&random, 5);
    assert_ok(vt_postings_new(&postings, error));
    for (uint32_t i = 0; i < PRODUCTS; i++)
        put(postings, i, ++change, &random);
    assert_ok(vt_postings_settle(postings, error));
    for (int round = 0; round < ROUNDS; round++) {
        compare_all(postings, &random);
        check_fresh(postings);
        for (int i = 0; i < PRODUCTS / 3; i++) {
            uint32_t number = (uint32_t)vt_random_below(&random, PRODUCTS);
            if (tree_chance(&random, 30)) {
                vt_postings_forget(postings, number * 97 + 1);
                alive[number] = false;
            } else {
                put(postings, number, ++change, &random);
            }
            if (tree_chance(&random, 10))
                assert_ok(vt_postings_settle(postings, error));
        }
        assert_ok(vt_postings_settle(postings, error));
    }
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        vt_postings_forget(postings, i * 97 + 1);
        alive[i] = false;
    }
    assert_ok(vt_postings_settle(postings, error));
    check_fresh(postings);
    vt_postings_free(postings);
}

static void test_validator_sees_differences(void **state)
{
    (void)state;
    vt_postings *one = NULL, *other = NULL;
    vt_random random;
    vt_random_init(&random, 6);
    assert_ok(vt_postings_new(&one, error));
    assert_ok(vt_postings_new(&other, error));
    for (uint32_t i = 0; i < 50; i++) {
        tree_product_init(&products[i], i, &random);
        products[i].product.key = i + 1;
        products[i].product.price = 5;
        assert_ok(vt_postings_put(one, &products[i].product, error));
        if (i == 20)
            products[i].product.price = 6;
        assert_ok(vt_postings_put(other, &products[i].product, error));
    }
    assert_ok(vt_postings_settle(one, error));
    assert_ok(vt_postings_settle(other, error));
    assert_fails_saying(VT_ERR_CORRUPT, "price", vt_postings_compare(one, other, error));
    vt_postings_forget(other, 21);
    assert_fails(VT_ERR_CORRUPT, vt_postings_compare(one, other, error));
    vt_postings_free(one);
    vt_postings_free(other);
}

static void test_names(void **state)
{
    (void)state;
    vt_postings *postings = NULL;
    const vt_attribute attributes[] = {
        {.name = "color", .kind = VT_ATTRIBUTE_TEXT, .text = "red"},
        {.name = "Size", .kind = VT_ATTRIBUTE_TEXT, .text = "M"},
        {.name = "SIZE", .kind = VT_ATTRIBUTE_TEXT, .text = "L"},
        {.name = "price", .kind = VT_ATTRIBUTE_TEXT, .text = "hidden"},
        {.name = "material", .kind = VT_ATTRIBUTE_TEXT, .text = NULL},
    };
    const vt_product product = {.key = 3,
                                .id = "a",
                                .price = 1,
                                .change = 1,
                                .attributes = attributes,
                                .attribute_count = 5};
    assert_ok(vt_postings_new(&postings, error));
    assert_ok(vt_postings_put(postings, &product, error));
    assert_ok(vt_postings_settle(postings, error));
    static const struct {
        const char *text, *says; /* NULL: it passes and the product is found */
    } cases[] = {
        {"Color = 'red'", NULL},
        {"\"Color\" = 'red'", "filter, column 1: no product has an attribute \"Color\"; near it: "
                              "\"color\""},
        {"price = 1 AND colour = 'red'", "filter, column 15: no product has an attribute "
                                         "\"colour\"; near it: \"color\""},
        {"size = 'M'", "may be \"Size\" or \"SIZE\""},
        {"Size = 'M'", NULL},
        {"SIZE = 'L'", NULL},
        {"material IS NULL", "no product has"},
        {"PRICE = 1", NULL},
        {"price != 'hidden'", NULL},
        {"zzzzzzzz = 1", "there are \"id\", \"title\", \"category\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vt_filter *filter = NULL;
        vt_idset *set = NULL;
        assert_ok(vt_filter_parse(cases[i].text, &filter, error));
        if (cases[i].says == NULL) {
            assert_ok(vt_postings_filter(postings, filter, &set, error));
            assert_true(vt_idset_has(set, 3));
            assert_true(vt_filter_matches(filter, &product, (bool[8]){0}));
        } else {
            assert_fails_saying(VT_ERR_USAGE, cases[i].says,
                                vt_postings_filter(postings, filter, &set, error));
        }
        vt_idset_free(set);
        vt_filter_free(filter);
    }
    vt_postings_free(postings);
}

static void test_memory(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 9);
    for (int64_t successes = 0;; successes++) {
        vt_postings *postings = NULL;
        vt_filter *filter = NULL;
        vt_idset *set = NULL;
        vt_mem_fail_after(successes);
        vt_status status = vt_postings_new(&postings, NULL);
        for (uint32_t i = 0; status == VT_OK && i < 40; i++) {
            tree_product_init(&products[i], i, &random);
            products[i].product.key = i + 1;
            status = vt_postings_put(postings, &products[i].product, NULL);
        }
        if (status == VT_OK)
            status = vt_postings_settle(postings, NULL);
        if (status == VT_OK)
            status = vt_filter_parse("(title LIKE 'r%' OR price < 4) AND NOT brand IN ('x', 'y')",
                                     &filter, NULL);
        if (status == VT_OK)
            status = vt_postings_filter(postings, filter, &set, NULL);
        bool failed = vt_mem_fail_after(-1) > successes;
        vt_idset_free(set);
        vt_filter_free(filter);
        vt_postings_free(postings);
        if (!failed) {
            assert_int_equal(status, VT_OK);
            assert_true(successes > 40);
            return;
        }
        if (status != VT_ERR_NO_MEMORY)
            fail_msg("allocation %d: %s", (int)successes, vt_status_text(status));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_judge),
        cmocka_unit_test(test_validator_sees_differences),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
