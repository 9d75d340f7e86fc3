/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The range of one tensor's values, collected while a network runs, and the thresholds that
 * quantisation scales are made from.
 *
 *     vt_histogram *histogram = vt_histogram_new();
 *     vt_histogram_add(histogram, values, count, error); // for every batch
 *     float threshold = vt_histogram_entropy(histogram, VT_HISTOGRAM_SIGNED_LEVELS);
 *     float scale = threshold / 127;
 *     vt_histogram_free(histogram);
 *
 * Memory is fixed: VT_HISTOGRAM_BINS bins over |x|. The same values give the same histogram in
 * whatever order and pieces they come. Thresholds are on |x|, between 0 and vt_histogram_max, and 0
 * when there were no finite values; NaN and infinities are counted and otherwise ignored.
 *
 * Threads: a histogram belongs to one thread at a time; give each its own and merge them.
 */
#ifndef VT_NN_HISTOGRAM_H
#define VT_NN_HISTOGRAM_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VT_HISTOGRAM_BINS = 2048,
    VT_HISTOGRAM_SIGNED_LEVELS = 128, /* magnitudes of a symmetric i8 */
    VT_HISTOGRAM_UNSIGNED_LEVELS = 256,
};

typedef struct vt_histogram vt_histogram;

vt_histogram *vt_histogram_new(void);            /* NULL: out of memory */
void vt_histogram_free(vt_histogram *histogram); /* NULL is fine */
/* values (count); VT_ERR_LIMIT, and nothing is added, beyond 2^53 values in all. */
vt_status vt_histogram_add(vt_histogram *histogram, const float *values, size_t count,
                           vt_error *error);
/* As if the values of `other` had been added; VT_ERR_LIMIT as above. */
vt_status vt_histogram_merge(vt_histogram *histogram, const vt_histogram *other, vt_error *error);

uint64_t vt_histogram_count(const vt_histogram *histogram);     /* finite values */
uint64_t vt_histogram_nonfinite(const vt_histogram *histogram); /* NaN and infinities */
/* Of the finite values; false, and nothing is written, when there were none. Negative values
 * occurred if *low < 0. */
bool vt_histogram_range(const vt_histogram *histogram, float *low, float *high);

/* The largest |x|. */
float vt_histogram_max(const vt_histogram *histogram);
/* The least bin edge with at least `percent` (0 to 100) of all values at or below it. */
float vt_histogram_percentile(const vt_histogram *histogram, double percent);
/* The threshold whose clipping and rounding to `levels` magnitudes loses the least information. It
 * needs many values, well over those of a bin times VT_HISTOGRAM_BINS, to tell a distribution from
 * its noise; outside 2 .. VT_HISTOGRAM_BINS levels it is vt_histogram_max. */
float vt_histogram_entropy(const vt_histogram *histogram, int levels);

#endif
