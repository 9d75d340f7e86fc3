/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms of |x| and the thresholds that calibration chooses from them.
 *
 * Bins are a power of two wide, the least one that puts the largest value inside, so the largest is
 * always in the upper half. Growing by doubling therefore moves whole bins onto whole bins: counts
 * stay exact, and only the values decide what comes out, not their order. Where a value falls is
 * found by one exact multiplication.
 *
 * The entropy threshold is that of Szymon Migacz, "8-bit Inference with TensorRT" (GTC 2017): for
 * each candidate of i bins, the distribution P of the values clipped to it (all that lies beyond in
 * the last bin) is compared to Q, the same without what was clipped, after its bins are merged into
 * `levels` and spread again over those that are not empty; the candidate with the least divergence
 * KL(P || Q) wins. Departures: sums over bins come from prefix sums, which makes a candidate cost
 * `levels` steps instead of i; levels are as even as whole bins allow; exact zeros stay out of it,
 * because every quantiser has them without error and after a ReLU their mass in the first bin would
 * decide everything; a last bin that is empty but for clipped values has half a value in Q, where
 * the method would divide by zero; no candidate clips more than a twentieth of the values, because
 * one whose last bin is nearly all it holds looks perfect, both distributions being that one bin;
 * the threshold is the upper edge of the last bin.
 */
#include "nn/histogram.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum {
    BINS = VT_HISTOGRAM_BINS,
    BINS_LOG2 = 11,
    NONFINITE = BINS, /* the bin behind all others */
    LANES = 4,        /* equal neighbours go to different counters and do not wait for each other */
    BLOCK = 4096,     /* values read twice, the second time from the first-level cache */
};

static const int exponent_lowest = -120; /* so that the inverse of a bin's width is an f32 */
static const uint64_t count_limit = UINT64_C(1) << 53;
static const double clipped_limit = 0.05; /* of the values that are not 0 */
static const uint32_t bits_infinity = 0x7f800000, bits_magnitude = 0x7fffffff;

struct vt_histogram {
    uint64_t lanes[LANES][BINS + 1];
    uint64_t total, zeros; /* total: with those that are not finite */
    int exponent;          /* of the width of a bin: 2^exponent */
    int32_t low, high;     /* as keys; low > high while there is no finite value */
};

vt_histogram *vt_histogram_new(void)
{
    vt_histogram *histogram = vt_calloc(1, sizeof(*histogram));
    if (histogram == NULL)
        return NULL;
    histogram->exponent = exponent_lowest;
    histogram->low = INT32_MAX;
    histogram->high = INT32_MIN;
    return histogram;
}

void vt_histogram_free(vt_histogram *histogram)
{
    vt_free(histogram);
}

/* Bits of an f32 to an integer of the same order, and back: negative ones count downwards. */
static int32_t key_flip(int32_t bits)
{
    return bits < 0 ? bits ^ (int32_t)bits_magnitude : bits;
}

static float key_value(int32_t key)
{
    int32_t bits = key_flip(key);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* A loop without branches, which compilers turn into vector code. */
static void range_add(vt_histogram *histogram, const float *values, size_t count)
{
    int32_t low = histogram->low, high = histogram->high;
    uint32_t zeros = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        uint32_t magnitude = bits & bits_magnitude;
        bool finite = magnitude < bits_infinity;
        int32_t key = key_flip((int32_t)bits);
        int32_t key_low = finite ? key : INT32_MAX, key_high = finite ? key : INT32_MIN;
        low = key_low < low ? key_low : low;
        high = key_high > high ? key_high : high;
        zeros += magnitude == 0;
    }
    histogram->low = low;
    histogram->high = high;
    histogram->zeros += zeros;
}

static void lanes_widen(vt_histogram *histogram, int exponent)
{
    int shift = exponent - histogram->exponent;
    histogram->exponent = exponent;
    shift = shift < BINS_LOG2 ? shift : BINS_LOG2;
    for (size_t lane = 0; lane < LANES; lane++) {
        uint64_t *bins = histogram->lanes[lane];
        for (size_t i = 1; i < BINS; i++) {
            uint64_t moved = bins[i];
            bins[i] = 0;
            bins[i >> shift] += moved;
        }
    }
}

/* Makes room for the range. */
static void histogram_grow(vt_histogram *histogram)
{
    int exponent;
    float largest = vt_histogram_max(histogram);
    (void)frexpf(largest, &exponent); /* largest < 2^exponent */
    exponent -= BINS_LOG2;
    if (largest > 0.0f && exponent > histogram->exponent)
        lanes_widen(histogram, exponent);
}

static void lanes_add(vt_histogram *histogram, const float *values, size_t count)
{
    float inverse = ldexpf(1.0f, -histogram->exponent);
    for (size_t i = 0; i < count; i++) {
        float place = fabsf(values[i]) * inverse;
        /* NaN fails the comparison too. */
        place = place < (float)BINS ? place : (float)NONFINITE;
        histogram->lanes[i % LANES][(uint32_t)place]++;
    }
}

static vt_status count_check(const vt_histogram *histogram, uint64_t more, vt_error *error)
{
    if (more <= count_limit - histogram->total)
        return VT_OK;
    return vt_fail(error, VT_ERR_LIMIT,
                   "add %llu values to a histogram of %llu: more than 2^53 in all",
                   (unsigned long long)more, (unsigned long long)histogram->total);
}

vt_status vt_histogram_add(vt_histogram *histogram, const float *values, size_t count,
                           vt_error *error)
{
    vt_status status = count_check(histogram, count, error);
    if (status != VT_OK)
        return status;
    for (size_t start = 0; start < count; start += BLOCK) {
        size_t length = count - start < BLOCK ? count - start : BLOCK;
        range_add(histogram, values + start, length);
        histogram_grow(histogram);
        lanes_add(histogram, values + start, length);
    }
    histogram->total += count;
    return VT_OK;
}

vt_status vt_histogram_merge(vt_histogram *histogram, const vt_histogram *other, vt_error *error)
{
    vt_status status = count_check(histogram, other->total, error);
    if (status != VT_OK)
        return status;
    histogram->low = other->low < histogram->low ? other->low : histogram->low;
    histogram->high = other->high > histogram->high ? other->high : histogram->high;
    histogram_grow(histogram);
    int shift = histogram->exponent - other->exponent;
    shift = shift < BINS_LOG2 ? shift : BINS_LOG2;
    for (size_t lane = 0; lane < LANES; lane++) {
        for (size_t i = 0; i < BINS; i++)
            histogram->lanes[lane][i >> shift] += other->lanes[lane][i];
        histogram->lanes[lane][NONFINITE] += other->lanes[lane][NONFINITE];
    }
    histogram->total += other->total;
    histogram->zeros += other->zeros;
    return VT_OK;
}

static uint64_t bin_count(const vt_histogram *histogram, size_t bin)
{
    uint64_t count = 0;
    for (size_t lane = 0; lane < LANES; lane++)
        count += histogram->lanes[lane][bin];
    return count;
}

uint64_t vt_histogram_nonfinite(const vt_histogram *histogram)
{
    return bin_count(histogram, NONFINITE);
}

uint64_t vt_histogram_count(const vt_histogram *histogram)
{
    return histogram->total - vt_histogram_nonfinite(histogram);
}

bool vt_histogram_range(const vt_histogram *histogram, float *low, float *high)
{
    if (histogram->low > histogram->high)
        return false;
    *low = key_value(histogram->low);
    *high = key_value(histogram->high);
    return true;
}

float vt_histogram_max(const vt_histogram *histogram)
{
    float low, high;
    return vt_histogram_range(histogram, &low, &high) ? fmaxf(fabsf(low), fabsf(high)) : 0.0f;
}

/* The upper edge of the first `bins` bins, as far as values reach. */
static float edge_of(const vt_histogram *histogram, size_t bins)
{
    float edge = ldexpf((float)bins, histogram->exponent);
    float largest = vt_histogram_max(histogram);
    return edge < largest ? edge : largest;
}

float vt_histogram_percentile(const vt_histogram *histogram, double percent)
{
    double wanted = (double)vt_histogram_count(histogram) * (percent / 100.0);
    double below = 0.0;
    for (size_t i = 0; i < BINS; i++) {
        below += (double)bin_count(histogram, i);
        if (below >= wanted)
            return edge_of(histogram, i + 1);
    }
    return vt_histogram_max(histogram);
}

/* Sums over the first i bins, exact zeros left out. */
typedef struct entropy_sums {
    double count[BINS + 1], filled[BINS + 1]; /* values; bins that are not empty */
    double c_log_c[BINS + 1];                 /* of the bins' counts c */
    size_t bins;                              /* up to the last that is not empty */
} entropy_sums;

static double times_log(double x)
{
    return x > 0.0 ? x * log(x) : 0.0;
}

static void sums_init(entropy_sums *sums, const vt_histogram *histogram)
{
    sums->count[0] = sums->filled[0] = sums->c_log_c[0] = 0.0;
    sums->bins = 0;
    for (size_t i = 0; i < BINS; i++) {
        double count = (double)(bin_count(histogram, i) - (i == 0 ? histogram->zeros : 0));
        sums->count[i + 1] = sums->count[i] + count;
        sums->filled[i + 1] = sums->filled[i] + (count > 0.0 ? 1.0 : 0.0);
        sums->c_log_c[i + 1] = sums->c_log_c[i] + times_log(count);
        if (count > 0.0)
            sums->bins = i + 1;
    }
}

/*
 * KL(P || Q) for the first `bins` bins. With counts c, their total T, what lies inside S and what
 * is clipped o = T - S: P is a / T with a = c, in the last bin c + o; Q is m / S with m the mean of
 * the filled bins of the level; so KL = (sum(a log a) - sum(a log m)) / T + log(S / T).
 */
static double divergence(const entropy_sums *sums, size_t bins, size_t levels)
{
    double total = sums->count[BINS], inside = sums->count[bins], clipped = total - inside;
    double last = inside - sums->count[bins - 1];
    double a_log_a = sums->c_log_c[bins] - times_log(last) + times_log(last + clipped);
    double a_log_m = 0.0, mean = 0.5;
    for (size_t level = 0; level < levels; level++) {
        size_t from = level * bins / levels, to = (level + 1) * bins / levels;
        double count = sums->count[to] - sums->count[from];
        if (count == 0.0)
            continue;
        double level_mean = count / (sums->filled[to] - sums->filled[from]);
        a_log_m += count * log(level_mean);
        if (to == bins && last > 0.0)
            mean = level_mean;
    }
    if (clipped > 0.0)
        a_log_m += clipped * log(mean);
    double q_total = inside + (clipped > 0.0 && last == 0.0 ? mean : 0.0);
    return (a_log_a - a_log_m) / total + log(q_total / total);
}

float vt_histogram_entropy(const vt_histogram *histogram, int levels)
{
    /* More than rounding makes of equal ones. */
    const double margin = 1e-12;
    entropy_sums sums;
    sums_init(&sums, histogram);
    if (levels < 2 || sums.bins <= (size_t)levels)
        return vt_histogram_max(histogram);
    size_t best = sums.bins;
    double least = divergence(&sums, best, (size_t)levels);
    for (size_t bins = sums.bins - 1; bins >= (size_t)levels; bins--) {
        if (sums.count[bins] < sums.count[BINS] * (1.0 - clipped_limit))
            break;
        double here = divergence(&sums, bins, (size_t)levels);
        /* Of equals the one that clips least; of those the narrowest, for its finer steps. */
        bool same = sums.count[bins] == sums.count[best] && here <= least + margin;
        if (here < least - margin || same) {
            least = here < least ? here : least;
            best = bins;
        }
    }
    return edge_of(histogram, best);
}
