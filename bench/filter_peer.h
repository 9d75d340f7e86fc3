/* SPDX-License-Identifier: Apache-2.0 */
/* The questions of a cell of bench/filter, and other programs that answer them by a callback. */
#ifndef VT_BENCH_FILTER_PEER_H
#define VT_BENCH_FILTER_PEER_H

#include "search_peer.h"
#include "vector/idset.h"
#include "vector/topk.h"

enum { FILTER_DIM = 256, FILTER_K = 10 };

/* A query: what it may be answered with, and the truth. */
typedef struct filter_question {
    float vector[FILTER_DIM];
    vt_idset *set; /* ids: rows from 1 on; owned; NULL: all */
    vt_hit truth[FILTER_K];
    size_t wanted; /* hits in the truth */
    double recall;
    bool gave_up; /* the scan had to answer after the walk */
} filter_question;

typedef struct filter_peer {
    const search_peer *peer;
    void *index; /* owned */
} filter_peer;
enum { FILTER_PEERS = 8 };

/* Of those in the libraries, what can be asked with a callback: built over vectors (rows,
 * FILTER_DIM), which stay where they are, on all cores. Returns how many; the caller frees each. */
size_t filter_peers_make(char **libraries, size_t count, const float *vectors, size_t rows,
                         filter_peer out[FILTER_PEERS]);
void filter_peer_free(filter_peer *peer);
/* Prints the peer's least effort of recall 0.95, or its greatest, and how many times its rate
 * `rate` is. False: memory is out. */
bool filter_peer_ask(const filter_peer *peer, const filter_question *questions, size_t count,
                     size_t rows, double rate);

#endif
