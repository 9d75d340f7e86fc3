/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: slots, their memory, and the table of ids.
 *
 * Slots that are given up go through three chains: retired, waiting, unused. Retired ones wait for
 * a batch of their own: when nothing is waiting, all that is retired becomes the batch and the
 * epoch goes up; when every walk is of a later epoch, no walk has seen one of the batch in a list,
 * and it may be used again. One epoch for a batch spares each slot a note of its own.
 *
 * The table is that of flat.c: linear probing, deletion by shifting back (Knuth, The Art of
 * Computer Programming 3, 6.4, algorithm R).
 */
#include "index/graph_nodes.h"

#include "base/mem.h"

#include <string.h>

enum { FIRST_TABLE = 128 };

/* ---- memory ---- */

static bool segment_make(vt_graph *graph, size_t index)
{
    char *memory = vt_alloc_large(graph->segment_bytes);
    if (!memory)
        return false;
    memset(memory + graph->twinned_at, 0, SEGMENT_SLOTS / 8);
    atomic_store_explicit(&graph->segments[index], memory, memory_order_release);
    atomic_fetch_add_explicit(&graph->slot_room, SEGMENT_SLOTS, memory_order_release);
    return true;
}

/* The set of stale slots has a bit for each that there is room for. */
static bool stale_grow(vt_graph *graph, size_t segments)
{
    size_t bytes = segments * (SEGMENT_SLOTS / 8), had = graph->slot_room / 8;
    uint8_t *grown = vt_realloc_array(graph->stale, bytes, 1);
    if (!grown)
        return false;
    memset(grown + had, 0, bytes - had);
    graph->stale = grown;
    return true;
}

static size_t table_home(const vt_graph *graph, uint32_t id)
{
    return (size_t)(id * 0x9e3779b97f4a7c15u >> 32) & graph->table_mask;
}

static size_t table_place(const vt_graph *graph, uint32_t id)
{
    size_t at = table_home(graph, id);
    while (graph->table[at] && graph_id(graph, graph->table[at] - 1) != id)
        at = (at + 1) & graph->table_mask;
    return at;
}

/* Room for `rows` ids at a load of at most two thirds. */
static bool table_hold(vt_graph *graph, size_t rows)
{
    size_t had = graph->table ? graph->table_mask + 1 : 0, want = had ? had : FIRST_TABLE;
    while (want / 3 * 2 < rows)
        want *= 2;
    if (want == had)
        return true;
    uint32_t *table = vt_calloc(want, sizeof *table), *old = graph->table;
    if (!table)
        return false;
    graph->table = table;
    graph->table_mask = want - 1;
    for (size_t i = 0; i < had; i++)
        if (old[i])
            table[table_place(graph, graph_id(graph, old[i] - 1))] = old[i];
    vt_free(old);
    return true;
}

bool graph_slots_hold(vt_graph *graph, size_t extra)
{
    size_t rows = atomic_load_explicit(&graph->row_count, memory_order_relaxed);
    if (extra > (size_t)SEGMENTS_MAXIMUM * SEGMENT_SLOTS || !table_hold(graph, rows + extra))
        return false;
    if (extra == 1 && graph->unused != NO_SLOT)
        return true;
    size_t segments = (graph->slot_count + extra + SEGMENT_SLOTS - 1) / SEGMENT_SLOTS;
    if (segments > SEGMENTS_MAXIMUM)
        return false;
    for (size_t have = graph->slot_room / SEGMENT_SLOTS; have < segments; have++)
        if (!stale_grow(graph, have + 1) || !segment_make(graph, have))
            return false;
    return true;
}

/* ---- ids ---- */

uint32_t graph_table_find(const vt_graph *graph, uint32_t id)
{
    return graph->table ? graph->table[table_place(graph, id)] - 1 : NO_SLOT;
}

void graph_table_put(vt_graph *graph, uint32_t id, uint32_t slot)
{
    graph->table[table_place(graph, id)] = slot + 1;
}

void graph_table_remove(vt_graph *graph, uint32_t id)
{
    size_t hole = table_place(graph, id);
    graph->table[hole] = 0;
    for (size_t at = (hole + 1) & graph->table_mask; graph->table[at];
         at = (at + 1) & graph->table_mask) {
        size_t home = table_home(graph, graph_id(graph, graph->table[at] - 1));
        if (((at - home) & graph->table_mask) < ((at - hole) & graph->table_mask))
            continue;
        graph->table[hole] = graph->table[at];
        graph->table[at] = 0;
        hole = at;
    }
}

/* ---- slots ---- */

static uint32_t chain_next(const vt_graph *graph, uint32_t slot)
{
    return atomic_load_explicit(&graph_links_of(graph, slot)->in_degree, memory_order_relaxed);
}

static void chain_put(vt_graph *graph, uint32_t slot, uint32_t next)
{
    atomic_store_explicit(&graph_links_of(graph, slot)->in_degree, next, memory_order_relaxed);
}

/* The epoch of the oldest walk under way; WALKER_IDLE when there is none. */
static uint64_t oldest_epoch(const vt_graph *graph)
{
    uint64_t oldest = WALKER_IDLE;
    for (size_t i = 0; i < WALKERS_MAXIMUM; i++) {
        const graph_walker *walker = atomic_load(&graph->walkers[i]);
        if (!walker) /* they are made in order */
            break;
        uint64_t epoch = atomic_load(&walker->epoch);
        oldest = epoch < oldest ? epoch : oldest;
    }
    return oldest;
}

void graph_slots_reclaim(vt_graph *graph)
{
    for (int step = 0; step < 2; step++) {
        if (graph->waiting != NO_SLOT) {
            if (oldest_epoch(graph) <= graph->waiting_epoch)
                return;
            uint32_t last = graph->waiting;
            while (chain_next(graph, last) != NO_SLOT)
                last = chain_next(graph, last);
            chain_put(graph, last, graph->unused);
            graph->unused = graph->waiting;
        }
        graph->waiting = graph->retired;
        graph->retired = NO_SLOT;
        if (graph->waiting == NO_SLOT)
            return;
        graph->waiting_epoch = atomic_fetch_add(&graph->epoch, 1);
    }
}

void graph_slot_retire(vt_graph *graph, uint32_t slot)
{
    chain_put(graph, slot, graph->retired);
    graph->retired = slot;
}

uint32_t graph_slot_take(vt_graph *graph)
{
    uint32_t slot = graph->unused;
    if (slot != NO_SLOT)
        graph->unused = chain_next(graph, slot);
    else
        slot = (uint32_t)graph->slot_count++;
    graph_links *links = graph_links_of(graph, slot);
    atomic_store_explicit(&links->state, LINK_DEAD, memory_order_relaxed);
    atomic_store_explicit(&links->in_degree, 0, memory_order_relaxed);
    graph_next_put(graph, slot, NO_SLOT);
    return slot;
}
