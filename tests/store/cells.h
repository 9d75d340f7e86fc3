/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of selectivity and correlation, for tests of searches under filters. */
#ifndef VT_TESTS_STORE_CELLS_H
#define VT_TESTS_STORE_CELLS_H

#include "fixture.h"

typedef enum correlation { UNCORRELATED, POSITIVE, NEGATIVE } correlation;

/* `count` products, drawn from all, or from a quarter more of the nearest or farthest. all: (there)
 * every product, the nearest first; its order is lost. */
static inline vt_idset *set_draw(vt_hit *all, size_t there, size_t count, correlation how,
                                 uint64_t seed)
{
    vt_idset *set = NULL;
    size_t from = how == UNCORRELATED ? there : count + count / 4;
    from = from < there ? from : there;
    vt_hit *first = how == NEGATIVE ? all + (there - from) : all;
    vt_random random;
    vt_random_init(&random, seed);
    assert_ok(vt_idset_new(&set, error));
    for (size_t i = 0; i < count && i < from; i++) {
        size_t at = i + (size_t)vt_random_below(&random, from - i);
        assert_ok(vt_idset_add(set, first[at].group, error));
        first[at] = first[i];
    }
    return set;
}

/* Products that are in both. */
static inline size_t hits_shared(const vt_hit *a, size_t a_count, const vt_hit *b, size_t b_count)
{
    size_t both = 0;
    for (size_t i = 0; i < a_count; i++)
        for (size_t j = 0; j < b_count; j++)
            both += a[i].group == b[j].group;
    return both;
}

#endif
