/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer of bench/search and bench/filter gives, in C, so that peers in C++ are libraries that
 * are loaded where they could be compiled and the build of vitrine never needs C++.
 *
 *     const search_peer *search_peer_get(size_t index);     // exported; NULL after the last
 *
 * Threads: build is called once; search from several threads at once; effort between searches.
 */
#ifndef VT_BENCH_SEARCH_PEER_H
#define VT_BENCH_SEARCH_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct search_peer {
    const char *name;
    int exact; /* efforts mean nothing */
    /* vectors: (count, dim), of length 1, stay where they are; NULL when it cannot be built. */
    void *(*build)(const float *vectors, size_t count, size_t dim, int threads);
    void (*effort)(void *index, size_t effort); /* ef, or the width of a walk */
    /* ids: (k) rows, nearest first; what is not found is UINT32_MAX. */
    void (*search)(void *index, const float *query, size_t k, uint32_t *ids);
    void (*destroy)(void *index);
    /* The same among rows whose bit in rows (count / 64 + 1) is set, asked by a callback; NULL: it
     * has no such thing. */
    void (*search_among)(void *index, const float *query, size_t k, const uint64_t *rows,
                         uint32_t *ids);
    /* queries: (count, dim); ids: (count, k). They are asked so in place of one a call; NULL: not.
     */
    void (*search_many)(void *index, const float *queries, size_t count, size_t k, uint32_t *ids);
} search_peer;

__attribute__((visibility("default"))) const search_peer *search_peer_get(size_t index);

#ifdef __cplusplus
}
#endif

#endif
