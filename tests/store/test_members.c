/* SPDX-License-Identifier: Apache-2.0 */
/* The table product -> pictures against a plain array. */
#include "fixture.h"

#include "store/sqlite/sqlite.h"

enum { PRODUCTS = 700, PICTURES = 40 };

static bool held[PRODUCTS][PICTURES];

static size_t products_held(void)
{
    size_t count = 0;
    for (size_t i = 0; i < PRODUCTS; i++)
        count += memchr(held[i], true, PICTURES) != NULL;
    return count;
}

static void pop_all(vt_members *members, uint32_t product)
{
    uint32_t picture;
    while (vt_members_pop(members, product * 1000003u + 1, &picture)) {
        assert_true(picture / PICTURES == product);
        bool *flag = &held[product][picture % PICTURES];
        assert_true(*flag);
        *flag = false;
    }
    for (size_t i = 0; i < PICTURES; i++)
        assert_false(held[product][i]);
}

static void test_against_array(void **state)
{
    (void)state;
    vt_members *members = NULL;
    assert_ok(vt_members_new(&members, error));
    vt_random random;
    vt_random_init(&random, 3);
    for (int round = 0; round < 60000; round++) {
        uint32_t product = (uint32_t)vt_random_below(&random, PRODUCTS);
        uint32_t picture = (uint32_t)vt_random_below(&random, PICTURES);
        if (round % 1000 == 0)
            assert_int_equal(vt_members_products(members), products_held());
        if (vt_random_below(&random, 20) == 0) {
            pop_all(members, product);
        } else if (!held[product][picture]) {
            held[product][picture] = true;
            assert_ok(vt_members_add(members, product * 1000003u + 1, product * PICTURES + picture,
                                     error));
        }
    }
    for (uint32_t i = 0; i < PRODUCTS; i++)
        pop_all(members, i);
    uint32_t picture = 99;
    assert_false(vt_members_pop(members, 5, &picture));
    assert_int_equal(picture, 99);
    vt_members_free(members);
}

/* Products that come and go (their keys never return) must not let the table grow for ever. */
static void test_churn_is_bounded(void **state)
{
    (void)state;
    vt_members *members = NULL;
    assert_ok(vt_members_new(&members, error));
    for (uint32_t i = 1; i < 200000; i++) {
        uint32_t picture;
        assert_ok(vt_members_add(members, i, i, error));
        if (i > 100)
            assert_true(vt_members_pop(members, i - 100, &picture) && picture == i - 100);
    }
    assert_true(vt_members_bytes(members) < 64 << 10);
    vt_members_free(members);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (int64_t fail = 0; fail < 12; fail++) {
        vt_mem_fail_after(fail);
        vt_members *members = NULL;
        vt_status status = vt_members_new(&members, NULL);
        uint32_t added = 0;
        while (status == VT_OK && added < 2000) {
            status = vt_members_add(members, added + 1, added, NULL);
            added += status == VT_OK;
        }
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        uint32_t picture;
        for (uint32_t i = 0; i < added; i++)
            assert_true(vt_members_pop(members, i + 1, &picture) && picture == i);
        vt_members_free(members);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_array),
        cmocka_unit_test(test_churn_is_bounded),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
