/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches under filters by peers that ask a callback of each row they meet: see filter_peer.h.
 *
 * Method: the callback tests one bit of a set that is ready beforehand, which is the least that it
 * can cost. Efforts rise fourfold until recall@10 is 0.95; a graph that has to walk past what fails
 * needs so much more of it as less passes.
 */
#include "filter_peer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "bench/search_load.h"

static const size_t efforts[] = {16, 64, 256, 1024, 4096, 16384};
enum { EFFORTS = sizeof efforts / sizeof efforts[0] };
static const double RECALL = 0.95;

/* ---- making ---- */

size_t filter_peers_make(char **libraries, size_t count, const float *vectors, size_t rows,
                         filter_peer out[FILTER_PEERS])
{
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        search_peer_getter *get = search_peers_load(libraries[i]);
        for (size_t at = 0; get && get(at) && made < FILTER_PEERS; at++) {
            const search_peer *peer = get(at);
            if (!peer->search_among)
                continue;
            fprintf(stderr, "%s is built\n", peer->name);
            out[made] =
                (filter_peer){peer, peer->build(vectors, rows, FILTER_DIM, vt_core_count())};
            made += out[made].index != NULL;
        }
    }
    return made;
}

void filter_peer_free(filter_peer *peer)
{
    peer->peer->destroy(peer->index);
}

/* ---- asking ---- */

/* (count, rows / 64 + 1) bits of the rows; the caller's. NULL: no memory. */
static uint64_t *bits_make(const filter_question *questions, size_t count, size_t rows)
{
    size_t words = rows / 64 + 1;
    uint64_t *bits = vt_calloc(count * words, sizeof *bits);
    for (size_t i = 0; bits && i < count; i++)
        for (vt_idset_cursor c = vt_idset_begin(questions[i].set); c.valid; vt_idset_next(&c))
            bits[i * words + (c.id - 1) / 64] |= (uint64_t)1 << (c.id - 1) % 64;
    return bits;
}

static double recall_of(const filter_question *q, const uint32_t *ids)
{
    size_t both = 0;
    for (size_t i = 0; i < FILTER_K; i++)
        for (size_t j = 0; j < q->wanted; j++)
            both += ids[i] != UINT32_MAX && ids[i] + 1 == q->truth[j].id;
    return q->wanted ? (double)both / (double)q->wanted : 1;
}

bool filter_peer_ask(const filter_peer *peer, const filter_question *questions, size_t count,
                     size_t rows, double rate)
{
    size_t words = rows / 64 + 1, e = 0;
    double recall = 0, theirs = 0;
    uint64_t *bits = bits_make(questions, count, rows);
    for (; bits && e < EFFORTS && recall < RECALL; e++) {
        double ms = 0;
        recall = 0;
        peer->peer->effort(peer->index, efforts[e]);
        for (size_t i = 0; i < count; i++) {
            uint32_t ids[FILTER_K];
            double started = vt_clock_ms();
            peer->peer->search_among(peer->index, questions[i].vector, FILTER_K, bits + i * words,
                                     ids);
            ms += vt_clock_ms() - started;
            recall += recall_of(&questions[i], ids) / (double)count;
        }
        theirs = (double)count * 1000 / ms;
    }
    vt_free(bits);
    if (!bits)
        return false;
    printf("%27s %9.4f %10.0f %9s  vitrine %.0f times, its effort %zu\n", peer->peer->name, recall,
           theirs, "", rate / theirs, efforts[e - 1]);
    (void)fflush(stdout);
    return true;
}
