/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of operators on oneDNN share: values that arrive in blocks of channels, and a
 * count of the steps that oneDNN did not take. */
#ifndef VT_TESTS_NN_DNNL_CASES_H
#define VT_TESTS_NN_DNNL_CASES_H

#include "nn/plan_builder.h"

enum { ROUNDS = 60 };

/* How many steps of the current test fell to the reference: a test that compares the reference with
 * itself proves nothing. */
static size_t reference_steps;

static inline int reset_count(void **state)
{
    (void)state;
    reference_steps = 0;
    return 0;
}

static inline int64_t pick(builder *b, int count, const int64_t *choices)
{
    return choices[vt_random_below(&b->random, (uint64_t)count)];
}

static inline int64_t pick_channels(builder *b)
{
    return pick(b, 8, (const int64_t[]){1, 3, 4, 8, 16, 17, 24, 32});
}

/* A value that arrives in blocks of channels more often than not: behind a convolution. */
static inline vt_value_id blocked_input(builder *b, int64_t batch, int64_t channels, int64_t height,
                                        int64_t width)
{
    vt_value_id x = builder_input(b, VT_F32, 4, (const int64_t[]){batch, 5, height, width});
    vt_value_id w = builder_constant(b, 4, (const int64_t[]){channels, 5, 1, 1}, -1, 1);
    return builder_node(b, "Conv", 13, (const vt_value_id[]){x, w}, 2, NULL, 0);
}

static inline vt_value_id plain_or_blocked(builder *b, int64_t batch, int64_t channels,
                                           int64_t height, int64_t width)
{
    if (vt_random_below(&b->random, 2) == 0) {
        return blocked_input(b, batch, channels, height, width);
    }
    return builder_input(b, VT_F32, 4, (const int64_t[]){batch, channels, height, width});
}

#endif
