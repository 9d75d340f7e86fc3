/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration thresholds of distributions that are known. */
#include "base/mem.h"
#include "base/random.h"
#include "nn/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum {
    MANY = 400000,
    SIGNED = VT_HISTOGRAM_SIGNED_LEVELS,
    UNSIGNED = VT_HISTOGRAM_UNSIGNED_LEVELS
};

static float *values; /* (MANY) */

static int values_new(void **state)
{
    (void)state;
    values = vt_alloc_array(MANY, sizeof(*values));
    return values == NULL;
}

static int values_free(void **state)
{
    (void)state;
    vt_free(values);
    return 0;
}

static vt_histogram *histogram_of(const float *data, size_t count)
{
    vt_error error = {0};
    vt_histogram *histogram = vt_histogram_new();
    assert_non_null(histogram);
    assert_int_equal(vt_histogram_add(histogram, data, count, &error), VT_OK);
    return histogram;
}

static void fill_normal(uint64_t seed)
{
    vt_random random;
    vt_random_init(&random, seed);
    for (size_t i = 0; i < MANY; i++)
        values[i] = (float)vt_random_normal(&random);
}

static void assert_between(float have, double low, double high)
{
    if (!((double)have >= low && (double)have <= high))
        print_message("%g is outside [%g, %g]\n", (double)have, low, high);
    assert_true((double)have >= low && (double)have <= high);
}

static void nothing_gives_zero(void **state)
{
    (void)state;
    float low = 5, high = 5;
    vt_histogram *histogram = histogram_of(NULL, 0);
    assert_false(vt_histogram_range(histogram, &low, &high));
    assert_true(low == 5 && high == 5);
    assert_int_equal(vt_histogram_count(histogram), 0);
    assert_true(vt_histogram_max(histogram) == 0);
    assert_true(vt_histogram_percentile(histogram, 99.99) == 0);
    assert_true(vt_histogram_entropy(histogram, SIGNED) == 0);
    vt_histogram_free(histogram);
}

static void zeros_have_a_range_of_zero(void **state)
{
    (void)state;
    float low = 5, high = 5;
    const float zeros[] = {0, 0, -0.0f, 0};
    vt_histogram *histogram = histogram_of(zeros, 4);
    assert_true(vt_histogram_range(histogram, &low, &high));
    assert_true(low == 0 && high == 0);
    assert_int_equal(vt_histogram_count(histogram), 4);
    assert_true(vt_histogram_percentile(histogram, 50) == 0);
    assert_true(vt_histogram_entropy(histogram, SIGNED) == 0);
    vt_histogram_free(histogram);
}

static void a_constant_is_its_own_threshold(void **state)
{
    (void)state;
    const float constants[] = {3e-40f, 1e-20f, 0.7f, 1, 1e9f, 3.4e38f};
    for (size_t c = 0; c < sizeof constants / sizeof *constants; c++) {
        for (size_t i = 0; i < 1000; i++)
            values[i] = constants[c];
        vt_histogram *histogram = histogram_of(values, 1000);
        assert_true(vt_histogram_max(histogram) == constants[c]);
        assert_true(vt_histogram_percentile(histogram, 50) == constants[c]);
        assert_true(vt_histogram_entropy(histogram, SIGNED) == constants[c]);
        assert_true(vt_histogram_entropy(histogram, UNSIGNED) == constants[c]);
        vt_histogram_free(histogram);
    }
}

static void negatives_count_by_magnitude(void **state)
{
    (void)state;
    float low, high;
    const float negatives[] = {-1, -8, -2};
    const float positives[] = {3, 0.5f};
    vt_histogram *histogram = histogram_of(negatives, 3);
    assert_true(vt_histogram_range(histogram, &low, &high));
    assert_true(low == -8 && high == -1);
    assert_true(vt_histogram_max(histogram) == 8);
    assert_true(vt_histogram_entropy(histogram, SIGNED) == 8);
    vt_histogram_free(histogram);
    histogram = histogram_of(positives, 2);
    assert_true(vt_histogram_range(histogram, &low, &high));
    assert_true(low == 0.5f && high == 3);
    vt_histogram_free(histogram);
}

static void nonsense_is_counted_and_left_out(void **state)
{
    (void)state;
    float low, high;
    const float nonsense[] = {NAN, 1, INFINITY, -2, -INFINITY, -NAN};
    vt_histogram *histogram = histogram_of(nonsense, 6);
    vt_histogram *only = histogram_of(nonsense, 1);
    assert_int_equal(vt_histogram_count(histogram), 2);
    assert_int_equal(vt_histogram_nonfinite(histogram), 4);
    assert_true(vt_histogram_range(histogram, &low, &high));
    assert_true(low == -2 && high == 1);
    assert_true(vt_histogram_percentile(histogram, 100) == 2);
    assert_false(vt_histogram_range(only, &low, &high));
    assert_true(vt_histogram_entropy(only, SIGNED) == 0);
    assert_int_equal(vt_histogram_merge(histogram, only, NULL), VT_OK);
    assert_int_equal(vt_histogram_nonfinite(histogram), 5);
    vt_histogram_free(histogram);
    vt_histogram_free(only);
}

static void percentiles_of_a_uniform_distribution(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++) /* |x| of 1/MANY .. 1, both signs */
        values[i] = (float)(i + 1) / MANY * (i % 2 == 0 ? 1.0f : -1.0f);
    vt_histogram *histogram = histogram_of(values, MANY);
    const double bin = 1.0 / 1024; /* 1 itself is in bin 1024 */
    for (int percent = 1; percent < 100; percent++)
        assert_between(vt_histogram_percentile(histogram, percent), percent / 100.0 - 1e-5,
                       percent / 100.0 + bin);
    assert_true(vt_histogram_percentile(histogram, 100) == 1);
    assert_true(vt_histogram_percentile(histogram, 1000) == 1);
    assert_true(vt_histogram_percentile(histogram, (double)NAN) == 1);
    assert_between(vt_histogram_percentile(histogram, -1), 0, bin);
    vt_histogram_free(histogram);
}

static void entropy_keeps_all_of_a_uniform_distribution(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 1);
    for (size_t i = 0; i < MANY; i++)
        values[i] = vt_random_float(&random, -3, 3);
    vt_histogram *histogram = histogram_of(values, MANY);
    assert_between(vt_histogram_entropy(histogram, SIGNED), 2.95, 3);
    assert_between(vt_histogram_entropy(histogram, UNSIGNED), 2.95, 3);
    vt_histogram_free(histogram);
}

static void entropy_clips_what_lies_far_out(void **state)
{
    (void)state;
    const float far[] = {50, 1000};
    for (size_t i = 0; i < 2; i++) {
        fill_normal(2);
        values[77] = far[i];
        vt_histogram *histogram = histogram_of(values, MANY);
        assert_true(vt_histogram_max(histogram) == far[i]);
        assert_true(vt_histogram_percentile(histogram, 100) == far[i]);
        /* It may not clip below 128 bins: 4 of a range of 64, 64 of a range of 1024. */
        assert_between(vt_histogram_entropy(histogram, SIGNED), i == 0 ? 4 : 64, i == 0 ? 6 : 64);
        /* 99.99 % of a normal distribution are within 3.89; a bin is 1/32 or 1/2 wide. */
        assert_between(vt_histogram_percentile(histogram, 99.99), 3.8, i == 0 ? 4 : 4.5);
        vt_histogram_free(histogram);
    }
}

/* The divergence as the method tells it: both distributions written out, bin by bin. */
static double divergence_written_out(const double *bins, size_t used, size_t candidate,
                                     size_t levels)
{
    static double p[VT_HISTOGRAM_BINS], q[VT_HISTOGRAM_BINS];
    double p_sum = 0, q_sum = 0, result = 0;
    for (size_t i = 0; i < used; i++)
        p[i] = 0;
    for (size_t i = 0; i < used; i++)
        p[i < candidate ? i : candidate - 1] += bins[i];
    for (size_t level = 0; level < levels; level++) {
        size_t from = level * candidate / levels, to = (level + 1) * candidate / levels;
        double sum = 0, filled = 0;
        for (size_t i = from; i < to; i++) {
            sum += bins[i];
            filled += bins[i] > 0;
        }
        for (size_t i = from; i < to; i++)
            q[i] = bins[i] > 0 ? sum / filled : 0;
    }
    if (p[candidate - 1] > 0 && q[candidate - 1] == 0)
        q[candidate - 1] = 0.5;
    for (size_t i = 0; i < candidate; i++) {
        p_sum += p[i];
        q_sum += q[i];
    }
    for (size_t i = 0; i < candidate; i++)
        if (p[i] > 0)
            result += p[i] / p_sum * log(p[i] / p_sum / (q[i] / q_sum));
    return result;
}

/* The threshold of `values`, whose largest magnitude lies between 2^(exponent - 1) and 2^exponent.
 */
static double threshold_written_out(int exponent, size_t levels)
{
    static double bins[VT_HISTOGRAM_BINS];
    double width = exp2(exponent - 11), least = INFINITY, largest = 0, total = 0, inside = 0;
    double best_inside = 0;
    size_t used = 0, best = 0;
    memset(bins, 0, sizeof bins);
    for (size_t i = 0; i < MANY; i++) {
        double magnitude = fabs((double)values[i]);
        size_t bin = (size_t)(magnitude / width);
        assert_true(bin < VT_HISTOGRAM_BINS);
        bins[bin] += magnitude > 0;
        used = bin + 1 > used ? bin + 1 : used;
        largest = magnitude > largest ? magnitude : largest;
        total += magnitude > 0;
    }
    inside = total;
    for (size_t candidate = used; candidate >= levels && inside >= 0.95 * total; candidate--) {
        double here = divergence_written_out(bins, used, candidate, levels);
        if (here < least - 1e-12 || (here <= least + 1e-12 && inside == best_inside)) {
            best = candidate;
            best_inside = inside;
            least = fmin(least, here);
        }
        inside -= bins[candidate - 1];
    }
    return fmin((double)best * width, largest);
}

static void entropy_is_the_method_written_out(void **state)
{
    (void)state;
    for (int shape = 0; shape < 4; shape++) {
        fill_normal(3 + (uint64_t)shape);
        for (size_t i = 0; i < MANY; i++) {
            float x = values[i];
            values[i] = shape == 1 ? x * x : shape == 2 ? expf(x) : shape == 3 ? fmaxf(x, 0) : x;
        }
        vt_histogram *histogram = histogram_of(values, MANY);
        int exponent;
        (void)frexpf(vt_histogram_max(histogram), &exponent);
        double coarse = threshold_written_out(exponent, SIGNED);
        double fine = threshold_written_out(exponent, UNSIGNED);
        assert_between(vt_histogram_entropy(histogram, SIGNED), coarse, coarse);
        assert_between(vt_histogram_entropy(histogram, UNSIGNED), fine, fine);
        assert_true(coarse < (double)vt_histogram_max(histogram));
        vt_histogram_free(histogram);
    }
}

/* Clipped to the first peak, both distributions are one bin and equal. */
static void entropy_does_not_cut_off_half(void **state)
{
    (void)state;
    fill_normal(6);
    for (size_t i = 0; i < MANY; i++)
        values[i] = i % 2 == 0 ? 1 : 8 + values[i] / 2;
    vt_histogram *histogram = histogram_of(values, MANY);
    assert_between(vt_histogram_entropy(histogram, SIGNED), 8.8, 11);
    vt_histogram_free(histogram);
}

static void levels_that_make_no_sense_clip_nothing(void **state)
{
    (void)state;
    fill_normal(3);
    vt_histogram *histogram = histogram_of(values, MANY);
    assert_true(vt_histogram_entropy(histogram, 4096) == vt_histogram_max(histogram));
    assert_true(vt_histogram_entropy(histogram, 1) == vt_histogram_max(histogram));
    assert_true(vt_histogram_entropy(histogram, -5) == vt_histogram_max(histogram));
    vt_histogram_free(histogram);
}

/* After a ReLU half of all values are 0; they must not move the threshold of the others. */
static void entropy_does_not_see_zeros(void **state)
{
    (void)state;
    fill_normal(4);
    vt_histogram *histogram = histogram_of(values, MANY);
    float without = vt_histogram_entropy(histogram, SIGNED);
    memset(values, 0, MANY * sizeof(*values));
    assert_int_equal(vt_histogram_add(histogram, values, MANY, NULL), VT_OK);
    assert_int_equal(vt_histogram_count(histogram), 2 * MANY);
    assert_true(vt_histogram_entropy(histogram, SIGNED) == without);
    assert_true(vt_histogram_percentile(histogram, 50) < 0.01f);
    vt_histogram_free(histogram);
}

static void assert_same(const vt_histogram *a, const vt_histogram *b)
{
    assert_int_equal(vt_histogram_count(a), vt_histogram_count(b));
    assert_int_equal(vt_histogram_nonfinite(a), vt_histogram_nonfinite(b));
    assert_true(vt_histogram_max(a) == vt_histogram_max(b));
    assert_true(vt_histogram_entropy(a, SIGNED) == vt_histogram_entropy(b, SIGNED));
    for (int i = 0; i <= 1000; i++)
        assert_true(vt_histogram_percentile(a, i / 10.0) == vt_histogram_percentile(b, i / 10.0));
}

/* Wildly different magnitudes, so that every piece makes the range grow. */
static void order_and_pieces_do_not_matter(void **state)
{
    (void)state;
    enum { COUNT = 50000 };
    vt_random random;
    vt_random_init(&random, 5);
    for (size_t i = 0; i < COUNT; i++)
        values[i] = (float)(vt_random_normal(&random) * exp2((double)i / COUNT * 40 - 30));
    values[9] = NAN;
    vt_histogram *whole = histogram_of(values, COUNT), *backwards = vt_histogram_new();
    vt_histogram *merged = vt_histogram_new();
    for (size_t end = COUNT; end > 0;) {
        size_t length = 1 + (size_t)vt_random_below(&random, 700);
        length = length < end ? length : end;
        end -= length;
        assert_int_equal(vt_histogram_add(backwards, values + end, length, NULL), VT_OK);
    }
    for (size_t part = 0; part < 5; part++) {
        static const size_t order[] = {3, 0, 4, 2, 1};
        vt_histogram *piece = histogram_of(values + order[part] * (COUNT / 5), COUNT / 5);
        assert_int_equal(vt_histogram_merge(merged, piece, NULL), VT_OK);
        vt_histogram_free(piece);
    }
    assert_same(whole, backwards);
    assert_same(whole, merged);
    vt_histogram_free(whole);
    vt_histogram_free(backwards);
    vt_histogram_free(merged);
}

static void too_many_values_are_refused(void **state)
{
    (void)state;
    vt_error error = {0};
    const float value = 1;
    vt_histogram *histogram = histogram_of(&value, 1);
    assert_int_equal(vt_histogram_add(histogram, &value, (size_t)1 << 53, &error), VT_ERR_LIMIT);
    assert_non_null(strstr(error.message, "2^53"));
    assert_int_equal(vt_histogram_count(histogram), 1);
    vt_histogram_free(histogram);
}

static void no_memory_is_no_histogram(void **state)
{
    (void)state;
    vt_mem_fail_after(0);
    vt_histogram *histogram = vt_histogram_new();
    vt_mem_fail_after(-1);
    assert_null(histogram);
    vt_histogram_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_gives_zero),
        cmocka_unit_test(zeros_have_a_range_of_zero),
        cmocka_unit_test(a_constant_is_its_own_threshold),
        cmocka_unit_test(negatives_count_by_magnitude),
        cmocka_unit_test(nonsense_is_counted_and_left_out),
        cmocka_unit_test(percentiles_of_a_uniform_distribution),
        cmocka_unit_test(entropy_keeps_all_of_a_uniform_distribution),
        cmocka_unit_test(entropy_clips_what_lies_far_out),
        cmocka_unit_test(entropy_is_the_method_written_out),
        cmocka_unit_test(entropy_does_not_cut_off_half),
        cmocka_unit_test(levels_that_make_no_sense_clip_nothing),
        cmocka_unit_test(entropy_does_not_see_zeros),
        cmocka_unit_test(order_and_pieces_do_not_matter),
        cmocka_unit_test(too_many_values_are_refused),
        cmocka_unit_test(no_memory_is_no_histogram),
    };
    return cmocka_run_group_tests(tests, values_new, values_free);
}
