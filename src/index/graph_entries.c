/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: where walks begin.
 *
 * A walk that begins far away does not find its way between dense clusters: their nodes have all
 * edges among themselves. So it begins near, at the nearest of a sample, which takes a lower layer
 * of HNSW's place. The sample has two levels, for comparing all of a large one would cost more than
 * it saves. A few hundred entries are compared by every walk; thousands of further nodes, spread
 * over all, are listed with the entry that they are nearest to, and a walk compares those listed
 * with the few entries that are nearest to it (inverted lists of a coarse quantiser, in small).
 * With 1,000 nodes in each of 400 clusters walks of width 14 have recall@10 0.91 without the second
 * level and 0.97 with it.
 *
 * Entries are kept as rows come and go. What is listed with them is only made anew, when the sample
 * should be twice as large or half of it was removed: it is a thousandth of a build's work. It is
 * in no file: loading makes it.
 */
#include "index/graph_nodes.h"

enum {
    EVERY = 64, /* rows for each node of the sample */
    SPREAD_MAXIMUM = 4096,
};

/* ---- entries ---- */

/* A sample of fixed size of all that was offered (reservoir sampling: Vitter, 1985, algorithm R);
 * one row in so many is offered. */
static void entry_offer(vt_graph *graph, uint32_t slot, size_t rows)
{
    size_t count = atomic_load_explicit(&graph->entry_count, memory_order_relaxed);
    if (count < ENTRIES_MAXIMUM && count < 1 + rows / EVERY) {
        atomic_store_explicit(&graph->entries[count], slot, memory_order_release);
        atomic_store_explicit(&graph->entry_count, count + 1, memory_order_release);
    } else if (count == ENTRIES_MAXIMUM && vt_random_below(&graph->random, EVERY) == 0) {
        size_t at = (size_t)vt_random_below(&graph->random, 1 + rows / EVERY);
        if (at < count)
            atomic_store_explicit(&graph->entries[at], slot, memory_order_release);
    }
}

static bool entry_listed(const vt_graph *graph, uint32_t slot)
{
    size_t count = atomic_load_explicit(&graph->entry_count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++)
        if (atomic_load_explicit(&graph->entries[i], memory_order_relaxed) == slot)
            return true;
    return false;
}

/* The nearest node to the removed one that is no entry yet; NO_SLOT when there is none. */
static uint32_t entry_instead(const vt_graph *graph, uint32_t gone)
{
    for (size_t i = 0; i < graph->own->beam_count; i++)
        if (graph->own->beam[i].slot != gone && !entry_listed(graph, graph->own->beam[i].slot))
            return graph->own->beam[i].slot;
    return NO_SLOT;
}

static void entry_replace(vt_graph *graph, uint32_t gone)
{
    size_t count = atomic_load_explicit(&graph->entry_count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        if (atomic_load_explicit(&graph->entries[i], memory_order_relaxed) != gone)
            continue;
        uint32_t instead = entry_instead(graph, gone);
        if (instead == NO_SLOT) { /* the last takes its place */
            instead = atomic_load_explicit(&graph->entries[count - 1], memory_order_relaxed);
            atomic_store_explicit(&graph->entry_count, --count, memory_order_release);
            if (i == count)
                return;
        }
        atomic_store_explicit(&graph->entries[i], instead, memory_order_release);
        return; /* a node is offered as an entry once */
    }
}

/* ---- what is listed with them ---- */

/* How many nodes walks should begin at. */
static size_t spread_wanted(size_t rows)
{
    return rows / EVERY < SPREAD_MAXIMUM ? rows / EVERY : SPREAD_MAXIMUM;
}

typedef struct spreading {
    vt_graph *graph;
    graph_walker *walker;
    size_t entries;
    const void *codes[ENTRIES_MAXIMUM]; /* of the entries */
    uint32_t near[ENTRIES_MAXIMUM][NEAR_MAXIMUM];
    size_t listed[ENTRIES_MAXIMUM];
    size_t kept;
} spreading;

static void spreading_begin(spreading *s, vt_graph *graph, graph_walker *walker)
{
    s->graph = graph;
    s->walker = walker;
    s->entries = atomic_load_explicit(&graph->entry_count, memory_order_relaxed);
    s->kept = 0;
    for (size_t e = 0; e < ENTRIES_MAXIMUM; e++) {
        s->listed[e] = 0;
        for (size_t i = 0; i < NEAR_MAXIMUM; i++)
            s->near[e][i] = NO_SLOT;
    }
    for (size_t e = 0; e < s->entries; e++)
        s->codes[e] =
            graph_code(graph, atomic_load_explicit(&graph->entries[e], memory_order_relaxed));
}

static size_t entry_nearest(spreading *s, uint32_t slot)
{
    const vt_coder *coder = s->graph->coder;
    float *scores = s->walker->scores, best = 0.0f;
    size_t nearest = 0;
    vt_coder_query_set_code(coder, s->walker->query, graph_code(s->graph, slot),
                            graph_fine(s->graph, slot));
    for (size_t begin = 0; begin < s->entries; begin += VT_CODER_MANY) {
        size_t n = s->entries - begin < VT_CODER_MANY ? s->entries - begin : VT_CODER_MANY;
        vt_coder_score_many(coder, s->walker->query, s->codes + begin, n, scores);
        for (size_t i = 0; i < n; i++)
            if (begin + i == 0 || scores[i] > best) {
                best = scores[i];
                nearest = begin + i;
            }
    }
    return nearest;
}

static void spread_put(spreading *s, uint32_t slot)
{
    size_t entry = entry_nearest(s, slot);
    if (s->listed[entry] == NEAR_MAXIMUM)
        return;
    s->near[entry][s->listed[entry]++] = slot;
    s->kept++;
}

/* With the entries' lock, or alone. */
static void spread_renew(vt_graph *graph, graph_walker *walker, size_t rows)
{
    spreading s;
    size_t wanted = spread_wanted(rows), step = wanted > 0 ? rows / wanted : 1;
    spreading_begin(&s, graph, walker);
    for (size_t slot = 0; wanted > ENTRIES_MAXIMUM && slot < graph->slot_count; slot += step)
        if (graph_is_node(graph, (uint32_t)slot))
            spread_put(&s, (uint32_t)slot);
    for (size_t e = 0; e < ENTRIES_MAXIMUM; e++)
        for (size_t i = 0; i < NEAR_MAXIMUM; i++)
            atomic_store_explicit(&graph->near[e][i], s.near[e][i], memory_order_release);
    graph->spread_wanted = wanted;
    graph->spread_kept = s.kept;
    graph->spread_lost = 0;
}

void graph_entries_spread(vt_graph *graph, graph_walker *walker)
{
    pthread_mutex_lock(&graph->entries_mutex);
    spread_renew(graph, walker, vt_graph_count(graph));
    pthread_mutex_unlock(&graph->entries_mutex);
}

static void spread_forget(vt_graph *graph, uint32_t gone)
{
    for (size_t e = 0; graph->spread_kept > 0 && e < ENTRIES_MAXIMUM; e++)
        for (size_t i = 0; i < NEAR_MAXIMUM; i++)
            if (atomic_load_explicit(&graph->near[e][i], memory_order_relaxed) == gone) {
                atomic_store_explicit(&graph->near[e][i], NO_SLOT, memory_order_release);
                graph->spread_lost++;
                return; /* a node is listed once */
            }
}

/* ---- rows come and go ---- */

void graph_entry_offer(vt_graph *graph, graph_walker *walker, uint32_t slot)
{
    size_t rows = atomic_load_explicit(&graph->row_count, memory_order_relaxed);
    pthread_mutex_lock(&graph->entries_mutex);
    entry_offer(graph, slot, rows);
    size_t wanted = spread_wanted(rows);
    if (wanted > ENTRIES_MAXIMUM &&
        (wanted >= 2 * graph->spread_wanted || 2 * graph->spread_lost > graph->spread_kept))
        spread_renew(graph, walker, rows);
    pthread_mutex_unlock(&graph->entries_mutex);
}

void graph_entry_forget(vt_graph *graph, uint32_t slot)
{
    entry_replace(graph, slot);
    spread_forget(graph, slot);
}
