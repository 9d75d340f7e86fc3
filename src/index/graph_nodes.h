/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the graph lies in memory, and who may touch what when. Internal to this folder.
 *
 * A slot is a number; slots lie in segments of SEGMENT_SLOTS that never move. A segment holds
 *     nodes    (slots, node_bytes)  code, then graph_links: what a walk reads, in whole cache lines
 *     fines    (slots, fine_bytes)  the fine parts of codes
 *     labels   (slots)              id and group
 *     twinned  (slots) bits         whether there is a next twin
 *
 * Walks run beside one writer (or, in a build, many) without locks:
 *   - A node's code, fine part and label are written before its number is stored, with release,
 *     where a walk can find it: in a neighbour list, in the entries or in a chain of twins. Walks
 *     load numbers with acquire. Codes of nodes that walks can find never change.
 *   - Neighbour lists change under a walk's eyes. A walk reads the degree and then so many numbers;
 *     it may see old and new ones mixed. Each was a neighbour when it was stored or is one now, so
 *     at worst the walk takes a step that is no longer there, or misses one.
 *   - A removed node's slot is given out again only when no walk that may have seen it is left:
 *     every walk notes the epoch in which it began (Fraser, Practical lock-freedom, 2004, 5.2.3),
 *     and slots that were retired wait until all notes are younger.
 * Writers hold graph->writer; only the workers of a build lock single nodes besides (LINK_LOCKED).
 *
 * in_degree counts the edges to a node. It is what tells that a removed node is gone for good, and
 * which edge must not be dropped because it is a node's last. Of slots that are in no list it is
 * the link of the chain of retired or free slots.
 *
 * Equal codes are twins: only the first is in the graph, the others hang from it in a chain (next)
 * and have no neighbours. A million equal vectors are one node to walk to. Labels and twinned bits
 * are all that a filter has to read of a node that fails it.
 */
#ifndef VT_INDEX_GRAPH_NODES_H
#define VT_INDEX_GRAPH_NODES_H

#include "base/random.h"
#include "index/graph.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    SEGMENT_SLOTS = 16384,
    SEGMENTS_MAXIMUM = 16384,
    ENTRIES_MAXIMUM = 256,
    NEAR_MAXIMUM = 24,   /* further nodes listed with an entry */
    NEAREST_ENTRIES = 5, /* whose lists a walk looks into; all of them at once */
    WALKERS_MAXIMUM = 256,
    THIN = 4, /* so many times fewer around a query than of all are in a set that lies elsewhere */
};
static const uint32_t NO_SLOT = UINT32_MAX;

/* graph_links.state: the degree in the lower bits, and */
static const uint32_t LINK_DEGREE = 0xffff;
static const uint32_t LINK_LOCKED = 1u << 16;
static const uint32_t LINK_DEAD = 1u << 17; /* removed, or never in use */
static const uint32_t LINK_TWIN = 1u << 18; /* hangs from a node, is none */

typedef struct graph_links {
    _Atomic uint32_t state;
    _Atomic uint32_t in_degree;
    _Atomic uint32_t next; /* the next twin, NO_SLOT at the end */
    _Atomic uint32_t neighbours[];
} graph_links;

typedef struct graph_candidate {
    float score; /* bigger is nearer; in linking minus the squared distance */
    uint32_t slot;
} graph_candidate;

/* All that one walk needs; lent to one thread at a time. */
typedef struct graph_walker {
    _Alignas(64) atomic_bool busy;
    _Atomic uint64_t epoch; /* of the walk that is under way; WALKER_IDLE */
    vt_coder_query *query;
    graph_candidate *beam; /* the nearest so far, best first; (beam_room), owned */
    size_t beam_count, beam_room, width;
    size_t cursor;       /* all of the beam in front of it is expanded */
    uint64_t *seen;      /* three times a bit per slot (graph_walk.c); (3 seen_words), owned */
    uint32_t *seen_list; /* the first of them, to be taken back; owned */
    size_t seen_words, seen_count;
    graph_candidate *frontier; /* filtered walks: heap of what is to be expanded, owned */
    size_t frontier_count, frontier_room;
    const void *codes[VT_CODER_MANY];  /* of the nodes to be scored next */
    uint32_t slots[VT_CODER_MANY + 1]; /* one more is written than counts */
    float scores[VT_CODER_MANY];
    size_t batch;
    graph_candidate nearest[NEAREST_ENTRIES]; /* entries by number, best first */
    size_t visited;
    size_t passed_by; /* labels looked at and nothing else; filtered walks */
    bool ran_out, out_of_memory;
    /* For linking; candidates are in `frontier` then. */
    char *sketches;  /* (candidates + 1, sketch_bytes), the first of the node itself; owned */
    uint32_t *order; /* (candidates) by nearness, owned */
    float *scratch;  /* (width of the coder), owned */
} graph_walker;
static const uint64_t WALKER_IDLE = UINT64_MAX;

struct vt_graph {
    vt_coder *coder;
    vt_graph_options options;
    size_t dim, degree;
    size_t code_bytes, fine_bytes, sketch_bytes, node_bytes;
    size_t fines_at, labels_at, twinned_at, segment_bytes;
    _Atomic(char *) segments[SEGMENTS_MAXIMUM];
    _Atomic uint32_t entries[ENTRIES_MAXIMUM];            /* where walks begin */
    _Atomic uint32_t near[ENTRIES_MAXIMUM][NEAR_MAXIMUM]; /* more of them; NO_SLOT: none */
    atomic_size_t entry_count;
    atomic_size_t row_count;
    atomic_size_t slot_room; /* slots with memory */
    _Atomic uint64_t epoch;
    _Atomic(graph_walker *) walkers[WALKERS_MAXIMUM];

    /* The rest belongs to the writer. */
    pthread_mutex_t writer;
    pthread_mutex_t entries_mutex;                  /* among the workers of a build */
    size_t spread_wanted, spread_kept, spread_lost; /* nodes in `near` */
    graph_walker *own;                              /* prepared, so that removing needs no memory */
    bool trained;
    size_t slot_count; /* ever used */
    uint32_t *table;   /* id -> slot + 1, open addressing */
    size_t table_mask; /* 0: there is none */
    uint8_t *stale;    /* bit per slot: removed, but edges to it are left */
    size_t stale_count, sweep_at;
    uint32_t retired, waiting, unused; /* chains of slots: just retired, waiting, free */
    uint64_t waiting_epoch;
    vt_random random; /* of the choice of entries */
};

static inline char *graph_segment(const vt_graph *graph, uint32_t slot)
{
    return atomic_load_explicit(&graph->segments[slot / SEGMENT_SLOTS], memory_order_acquire);
}

static inline void *graph_code(const vt_graph *graph, uint32_t slot)
{
    return graph_segment(graph, slot) + slot % SEGMENT_SLOTS * graph->node_bytes;
}

static inline graph_links *graph_links_of(const vt_graph *graph, uint32_t slot)
{
    return (graph_links *)(void *)((char *)graph_code(graph, slot) + graph->code_bytes);
}

static inline void *graph_fine(const vt_graph *graph, uint32_t slot)
{
    return graph_segment(graph, slot) + graph->fines_at + slot % SEGMENT_SLOTS * graph->fine_bytes;
}

/* id in the lower half, group in the upper: one word, so that nobody sees half of a change. */
static inline _Atomic uint64_t *graph_label(const vt_graph *graph, uint32_t slot)
{
    char *labels = graph_segment(graph, slot) + graph->labels_at;
    return (_Atomic uint64_t *)(void *)labels + slot % SEGMENT_SLOTS;
}

/* Bits of 64 slots; that of `slot` is bit slot % 64. */
static inline _Atomic uint64_t *graph_twinned(const vt_graph *graph, uint32_t slot)
{
    char *twinned = graph_segment(graph, slot) + graph->twinned_at;
    return (_Atomic uint64_t *)(void *)twinned + slot % SEGMENT_SLOTS / 64;
}

static inline uint32_t graph_next(const vt_graph *graph, uint32_t slot)
{
    return atomic_load_explicit(&graph_links_of(graph, slot)->next, memory_order_acquire);
}

/* The next twin, NO_SLOT: none, and the bit that says so. */
static inline void graph_next_put(const vt_graph *graph, uint32_t slot, uint32_t next)
{
    uint64_t bit = (uint64_t)1 << slot % 64;
    atomic_store_explicit(&graph_links_of(graph, slot)->next, next, memory_order_release);
    if (next != NO_SLOT)
        atomic_fetch_or_explicit(graph_twinned(graph, slot), bit, memory_order_release);
    else
        atomic_fetch_and_explicit(graph_twinned(graph, slot), ~bit, memory_order_release);
}

static inline uint32_t graph_id(const vt_graph *graph, uint32_t slot)
{
    return (uint32_t)atomic_load_explicit(graph_label(graph, slot), memory_order_relaxed);
}

static inline uint32_t links_state(const graph_links *links)
{
    return atomic_load_explicit(&links->state, memory_order_acquire);
}

/* It is in use, and no twin of another. */
static inline bool graph_is_node(const vt_graph *graph, uint32_t slot)
{
    return !(links_state(graph_links_of(graph, slot)) & (LINK_DEAD | LINK_TWIN));
}

static inline uint32_t links_neighbour(const graph_links *links, size_t i)
{
    return atomic_load_explicit(&links->neighbours[i], memory_order_acquire);
}

/* ---- graph_memory.c ---- */
/* Memory, table and all, for so many rows more; false: there is none. */
bool graph_slots_hold(vt_graph *graph, size_t extra);
uint32_t graph_slot_take(vt_graph *graph); /* held before: cannot fail */
void graph_slot_retire(vt_graph *graph, uint32_t slot);
void graph_slots_reclaim(vt_graph *graph);
uint32_t graph_table_find(const vt_graph *graph, uint32_t id); /* NO_SLOT: not there */
void graph_table_put(vt_graph *graph, uint32_t id, uint32_t slot);
void graph_table_remove(vt_graph *graph, uint32_t id);

/* ---- graph_walk.c ---- */
graph_walker *graph_walker_borrow(vt_graph *graph, vt_error *error); /* NULL: memory is out */
void graph_walker_return(graph_walker *walker);
graph_walker *graph_walker_new(const vt_graph *graph); /* NULL: memory is out */
void graph_walker_free(graph_walker *walker);
/* Takes all the memory that linking needs; false: there is none. */
bool graph_walker_prepare(const vt_graph *graph, graph_walker *walker);
bool graph_walker_widen(graph_walker *walker, size_t width);
/* Walks with walker->query; the beam then holds the nearest. */
void graph_walk(const vt_graph *graph, graph_walker *walker, size_t width, size_t budget);
typedef struct graph_filter {
    const vt_idset_bits *groups;
    size_t strays; /* these as in vt_graph_search_options */
    float share, around;
} graph_filter;
/* The same; runs out where far fewer of what lies around the query are in the set than of all. */
void graph_walk_checked(const vt_graph *graph, graph_walker *walker, size_t width, size_t budget,
                        const graph_filter *held_to);
/* Whether far fewer of the beam are. */
bool graph_beam_thin(const vt_graph *graph, const graph_walker *walker, const graph_filter *filter);
/* A node passes when one of its rows does. */
bool graph_passes(const vt_graph *graph, uint32_t slot, const vt_idset_bits *groups);
/* The beam holds nodes with a row whose group is in the set. */
void graph_walk_filtered(const vt_graph *graph, graph_walker *walker, size_t width, size_t budget,
                         const graph_filter *filter);
/* ---- graph_entries.c ---- */
/* A node that was linked may become one that walks begin at. The walker's query is lost. */
void graph_entry_offer(vt_graph *graph, graph_walker *walker, uint32_t slot);
/* Walks begin there no more; graph->own has walked to it. */
void graph_entry_forget(vt_graph *graph, uint32_t slot);
/* Chooses anew what is listed with the entries. The walker's query is lost. */
void graph_entries_spread(vt_graph *graph, graph_walker *walker);

/* ---- graph_link.c ---- */
/* Links a slot whose code is written, near the nodes of the walker's beam; or makes it the twin of
 * one of them. */
void graph_insert(vt_graph *graph, graph_walker *walker, uint32_t slot);
/* Rewrites a node's list from what is in it and the candidates, without what is dead. */
void graph_relink(vt_graph *graph, graph_walker *walker, uint32_t slot, const uint32_t *candidates,
                  size_t count);
/* Adds an edge where there is room; false: there is none. */
bool graph_edge_add(vt_graph *graph, uint32_t from, uint32_t to);
/* An edge to the node was taken away; the last one to a removed node frees its slot. */
void graph_edge_gone(vt_graph *graph, uint32_t to);

size_t graph_neighbours(const vt_graph *graph, uint32_t slot, uint32_t *out); /* (degree) */

/* ---- graph_reach.c ---- */
/* Nodes that no walk from an entry can come to, counted; where `join`, edges are added to them.
 * False: memory is out, and nothing was done. */
bool graph_reach(vt_graph *graph, bool join, size_t *unreachable);

#endif
