/* SPDX-License-Identifier: Apache-2.0 */
/* The sorted numbers against a plain array, through growth, changes and shrinking. */
#include "fixture.h"

#include "store/postings.h"

enum { PRODUCTS = 60000 };

static double numbers[PRODUCTS]; /* NAN: has none */

static void check_range(const vt_number_column *column, double low, double high, bool low_open,
                        bool high_open)
{
    vt_number_place from = vt_number_column_bound(column, low, low_open);
    vt_number_place to = vt_number_column_bound(column, high, !high_open);
    vt_idset *set = NULL;
    assert_ok(vt_number_column_range(column, from, to, &set, error));
    size_t count = 0;
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        bool in = (low_open ? numbers[i] > low : numbers[i] >= low) &&
                  (high_open ? numbers[i] < high : numbers[i] <= high);
        count += in;
        if (vt_idset_has(set, i + 1) != in)
            fail_msg("product %u with %g is not right in %g..%g", i + 1, numbers[i], low, high);
    }
    assert_int_equal(vt_idset_count(set), count);
    size_t between = vt_number_column_between(column, from, to, SIZE_MAX - 1);
    assert_int_equal(between, count);
    vt_idset_free(set);
}

static void check_ranges(const vt_number_column *column, vt_random *random)
{
    for (int i = 0; i < 25; i++) {
        double low = (double)vt_random_below(random, 1200) - 100;
        double high = low + (double)vt_random_below(random, i % 2 ? 3 : 900);
        check_range(column, low, high, vt_random_below(random, 2), vt_random_below(random, 2));
    }
    check_range(column, -1e300, 1e300, false, false);
    check_range(column, 5, 4, false, false);
}

static void set_number(vt_number_column *column, uint32_t product, double number)
{
    if (!isnan(numbers[product]))
        vt_number_column_remove(column, numbers[product], product + 1);
    numbers[product] = number;
    if (!isnan(number))
        assert_ok(vt_number_column_add(column, number, product + 1, error));
}

static void test_against_array(void **state)
{
    (void)state;
    vt_number_column column = {0};
    vt_random random;
    vt_random_init(&random, 8);
    for (uint32_t i = 0; i < PRODUCTS; i++)
        numbers[i] = (double)NAN;
    check_ranges(&column, &random);
    for (uint32_t i = 0; i < PRODUCTS; i++)
        set_number(&column, i, (double)vt_random_below(&random, 1000));
    assert_ok(vt_number_column_settle(&column, error));
    check_ranges(&column, &random);
    for (int round = 0; round < 4; round++) { /* one by one: blocks split, empty and are dropped */
        for (int i = 0; i < 9000; i++) {
            uint32_t product = (uint32_t)vt_random_below(&random, PRODUCTS);
            double number = vt_random_below(&random, 3) == 0
                                ? (double)NAN
                                : (double)vt_random_below(&random, round < 2 ? 20 : 1000);
            set_number(&column, product, number);
            if (i % 3 == 0)
                assert_ok(vt_number_column_settle(&column, error));
        }
        assert_ok(vt_number_column_settle(&column, error));
        check_ranges(&column, &random);
    }
    for (uint32_t i = 0; i < PRODUCTS; i++)
        set_number(&column, i, (double)NAN);
    assert_int_equal(column.count, 0);
    check_ranges(&column, &random);
    set_number(&column, 7, 5);
    assert_ok(vt_number_column_settle(&column, error));
    check_ranges(&column, &random);
    vt_number_column_deinit(&column);
}

/* A change in a large column costs its block and the bitmaps after it, not the column. */
static void test_rising_numbers(void **state)
{
    (void)state;
    vt_number_column column = {0};
    vt_random random;
    vt_random_init(&random, 2);
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        numbers[i] = i / 60.0;
        assert_ok(vt_number_column_add(&column, numbers[i], i + 1, error));
        assert_ok(vt_number_column_settle(&column, error));
    }
    assert_true(column.block_count <= 128);
    check_ranges(&column, &random);
    vt_number_column_deinit(&column);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_array),
        cmocka_unit_test(test_rising_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
