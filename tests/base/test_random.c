/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: reference values, ranges at their ends, independence of forks, distributions. */
#include "base/random.h"
#include "support/scratch.h"

#include <float.h>
#include <limits.h>
#include <math.h>

/* The first outputs of the authors' xoshiro256starstar.c for the state 1, 2, 3, 4. */
static void test_xoshiro_reference(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    vt_random random = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_true(vt_random_u64(&random) == expected[i]);
}

/* The first outputs of SplitMix64 for the seeds 0 and 1234567: they are the state after seeding. */
static void test_splitmix_reference(void **state)
{
    (void)state;
    static const uint64_t of_1234567[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431)};
    vt_random random;
    vt_random_init(&random, 1234567);
    for (int i = 0; i < 4; i++)
        assert_true(random.state[i] == of_1234567[i]);
    vt_random_init(&random, 0);
    assert_true(random.state[0] == UINT64_C(0xE220A8397B1DCDAF));
    assert_true(random.state[1] == UINT64_C(0x6E789E6AA1B965F4));
}

static void test_below_range_and_fairness(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 1);
    assert_true(vt_random_below(&random, 1) == 0);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t value = vt_random_below(&random, 7);
        assert_true(value < 7);
        counts[value]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9600, 10400); /* about 4.3 deviations */
    /* A bound just above half the range: a plain remainder would give the low half twice as often.
     */
    int low = 0;
    uint64_t bound = (UINT64_C(1) << 63) + (UINT64_C(1) << 62);
    for (int i = 0; i < 30000; i++) {
        uint64_t value = vt_random_below(&random, bound);
        assert_true(value < bound);
        low += value < bound / 2;
    }
    assert_in_range(low, 14600, 15400);
    for (int i = 0; i < 100; i++)
        assert_true(vt_random_below(&random, UINT64_MAX) < UINT64_MAX);
}

static void test_int_ends(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 2);
    bool low = false, high = false;
    for (int i = 0; i < 1000; i++) {
        int value = vt_random_int(&random, -2, 3);
        assert_true(value >= -2 && value <= 3);
        low = low || value == -2;
        high = high || value == 3;
    }
    assert_true(low && high);
    assert_int_equal(vt_random_int(&random, 5, 5), 5);
    bool negative = false, positive = false;
    for (int i = 0; i < 100; i++) {
        int value = vt_random_int(&random, INT_MIN, INT_MAX);
        negative = negative || value < 0;
        positive = positive || value > 0;
    }
    assert_true(negative && positive);
}

static void test_fractions(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 3);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double value = vt_random_double(&random);
        assert_true(value >= 0 && value < 1);
        sum += value;
        float single = vt_random_float(&random, 1, nextafterf(1, 2));
        assert_true(single == 1); /* the only float in that range */
        single = vt_random_float(&random, -FLT_MAX, FLT_MAX);
        assert_true(isfinite(single) && single < FLT_MAX);
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
    assert_true(vt_random_float(&random, 2, 2) == 2);
}

static void test_normal(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 4);
    double sum = 0, squares = 0, fourths = 0;
    enum { COUNT = 200000 };
    for (int i = 0; i < COUNT; i++) {
        double x = vt_random_normal(&random);
        assert_true(isfinite(x));
        sum += x;
        squares += x * x;
        fourths += x * x * x * x;
    }
    assert_true(fabs(sum / COUNT) < 0.012);
    assert_true(fabs(squares / COUNT - 1) < 0.02);
    assert_true(fabs(fourths / COUNT - 3) < 0.15);
}

static void test_fork(void **state)
{
    (void)state;
    vt_random parent, same;
    vt_random_init(&parent, 5);
    same = parent;
    uint64_t firsts[300];
    for (uint64_t i = 0; i < 300; i++) {
        vt_random child = vt_random_fork(&parent, i);
        vt_random again = vt_random_fork(&parent, i);
        firsts[i] = vt_random_u64(&child);
        assert_true(firsts[i] == vt_random_u64(&again));
        for (uint64_t k = 0; k < i; k++)
            assert_true(firsts[k] != firsts[i]);
    }
    assert_memory_equal(&parent, &same, sizeof parent); /* not advanced */
    vt_random_u64(&parent);
    vt_random child = vt_random_fork(&parent, 0);
    assert_true(vt_random_u64(&child) != firsts[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xoshiro_reference),
        cmocka_unit_test(test_splitmix_reference),
        cmocka_unit_test(test_below_range_and_fairness),
        cmocka_unit_test(test_int_ends),
        cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
