/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: walking towards a query.
 *
 * Method: greedy search with a beam (DiskANN, algorithm 1): the nearest nodes so far are kept in
 * order, the nearest that is not yet expanded is next, and the walk is over when all that are kept
 * are expanded. Walks begin at the nearest of the entries, and of what is listed with the nearest.
 *
 * What bounds it is memory: codes lie scattered, and each is read once. So the neighbours of two
 * nodes are taken together and asked from memory at once, before the first is scored: some fifty
 * requests are then under way instead of one. A node's neighbour list is asked for as soon as the
 * node enters the beam. What is left is bookkeeping, most of it about things as good as random:
 * whether a node was seen before is a bit for each node, whose updating needs no branch.
 *
 * Filtered walks expand through nodes that fail the filter: the frontier is a heap of all nodes by
 * nearness, the beam holds only those that pass, and the walk is over when the beam is full and
 * the nearest of the frontier is behind its last. Where what passes lies far from the query, that
 * would be a tour of all that is nearer. So only so many failing nodes (strays) are expanded, which
 * bring the walk to the query's surroundings; from then on it keeps to nodes that pass, of which it
 * scores those within two hops: neighbours, and neighbours of some failing neighbours, each of
 * which is crossed once and its code never read (after ACORN-1: Patel et al., ACORN, SIGMOD
 * 2024, 5.3; there from the beginning, and with a graph built for it). Entries lie everywhere,
 * those that pass are where it goes on. Where nearly nothing around the query passes, the set's
 * nearest lie on a shell about it that has many sides, and a walk over the set ends on one of them
 * (recall 0.2 where the nearest third of all is left out). That is seen by then, and the walk says
 * that it has run out.
 */
#include "index/graph_nodes.h"

#include "base/mem.h"

#include <math.h>
#include <sched.h>
#include <string.h>

enum {
    TOGETHER = 2,
    SEEN_LISTED = 16384,
    SLOT_BITS = 3,        /* seen; crossed; failed: of filtered walks the latter two */
    BRIDGES_TOGETHER = 8, /* failing nodes whose neighbours are gathered at once */
    BRIDGED = 12, /* nodes that pass, behind failing ones, about; planner.c reckons with it */
};
static const uint32_t EXPANDED = 1u << 31; /* in graph_candidate.slot; slots are below */

/* ---- walkers ---- */

void graph_walker_free(graph_walker *walker)
{
    if (!walker)
        return;
    vt_coder_query_free(walker->query);
    vt_free(walker->beam);
    vt_free(walker->seen);
    vt_free(walker->seen_list);
    vt_free(walker->frontier);
    vt_free(walker->sketches);
    vt_free(walker->order);
    vt_free(walker->scratch);
    vt_free(walker);
}

graph_walker *graph_walker_new(const vt_graph *graph)
{
    graph_walker *walker = vt_alloc_aligned(64, sizeof *walker);
    if (!walker)
        return NULL;
    memset(walker, 0, sizeof *walker);
    atomic_store(&walker->epoch, WALKER_IDLE);
    atomic_store(&walker->busy, true);
    walker->seen_list = vt_alloc_array(SEEN_LISTED, sizeof *walker->seen_list);
    walker->scratch = vt_alloc_array(vt_coder_width(graph->coder), sizeof(float));
    if (!walker->seen_list || !walker->scratch ||
        vt_coder_query_new(graph->coder, &walker->query, NULL) != VT_OK) {
        graph_walker_free(walker);
        return NULL;
    }
    return walker;
}

/* The epoch is noted before anything is read, and noted again if it went up meanwhile: after that
 * no slot retired in this epoch or later can be reused. */
static void epoch_enter(vt_graph *graph, graph_walker *walker)
{
    uint64_t epoch;
    do {
        epoch = atomic_load(&graph->epoch);
        atomic_store(&walker->epoch, epoch);
    } while (atomic_load(&graph->epoch) != epoch);
}

graph_walker *graph_walker_borrow(vt_graph *graph, vt_error *error)
{
    for (size_t i = 0;; i = (i + 1) % WALKERS_MAXIMUM) {
        graph_walker *walker = atomic_load(&graph->walkers[i]);
        bool idle = false;
        if (!walker) {
            graph_walker *made = graph_walker_new(graph), *none = NULL;
            if (!made) {
                (void)vt_fail_memory(error, "walk of the graph index");
                return NULL;
            }
            if (atomic_compare_exchange_strong(&graph->walkers[i], &none, made)) {
                epoch_enter(graph, made);
                return made;
            }
            graph_walker_free(made);
            walker = none; /* someone else was quicker */
        }
        if (atomic_compare_exchange_strong(&walker->busy, &idle, true)) {
            epoch_enter(graph, walker);
            return walker;
        }
        if (i == WALKERS_MAXIMUM - 1) /* more threads than walkers: one will be returned */
            sched_yield();
    }
}

void graph_walker_return(graph_walker *walker)
{
    atomic_store(&walker->epoch, WALKER_IDLE);
    atomic_store(&walker->busy, false);
}

bool graph_walker_widen(graph_walker *walker, size_t width)
{
    if (width <= walker->beam_room)
        return true;
    graph_candidate *beam = vt_realloc_array(walker->beam, width, sizeof *beam);
    if (!beam)
        return false;
    walker->beam = beam;
    walker->beam_room = width;
    return true;
}

bool graph_walker_prepare(const vt_graph *graph, graph_walker *walker)
{
    size_t most = graph->options.width;
    if (most < 2 * graph->degree)
        most = 2 * graph->degree;
    most += 2;
    if (!graph_walker_widen(walker, 2 * graph->options.width))
        return false;
    if (!walker->sketches)
        walker->sketches = vt_alloc_array(most + 1, graph->sketch_bytes);
    if (!walker->order)
        walker->order = vt_alloc_array(most, sizeof *walker->order);
    void *frontier = walker->frontier;
    if (!vt_grow(&frontier, &walker->frontier_room, most, sizeof(graph_candidate), UINT32_MAX))
        return false;
    walker->frontier = frontier;
    return walker->sketches && walker->order;
}

/* ---- what was seen ---- */

/* Bits of slots below the room there was when the walk began; younger ones need not be found. */
static bool seen_reset(const vt_graph *graph, graph_walker *walker)
{
    size_t words = atomic_load_explicit(&graph->slot_room, memory_order_acquire) / 64;
    if (words > walker->seen_words) {
        uint64_t *seen = vt_calloc(SLOT_BITS * words, sizeof *seen);
        if (!seen)
            return false;
        vt_free(walker->seen);
        walker->seen = seen;
        walker->seen_words = words;
    } else if (walker->seen_count > SEEN_LISTED) {
        memset(walker->seen, 0, SLOT_BITS * walker->seen_words * sizeof *walker->seen);
    } else {
        for (size_t i = 0; i < walker->seen_count; i++)
            walker->seen[walker->seen_list[i] / 64] = 0;
    }
    walker->seen_count = 0;
    return true;
}

/* What is in the batch is listed, so that its bits can be taken back one by one. */
static void seen_note(graph_walker *walker)
{
    if (walker->seen_count + walker->batch <= SEEN_LISTED)
        memcpy(walker->seen_list + walker->seen_count, walker->slots,
               walker->batch * sizeof *walker->slots);
    walker->seen_count += walker->batch;
    if (walker->seen_count > SEEN_LISTED) /* from here on all of it is wiped */
        walker->seen_count = SEEN_LISTED + 1;
}

/* ---- the beam ---- */

static bool beam_offer(graph_walker *walker, float score, uint32_t slot)
{
    graph_candidate *beam = walker->beam;
    if (walker->beam_count == walker->width) {
        if (!(score > beam[walker->beam_count - 1].score))
            return false;
        walker->beam_count--;
    }
    /* Halving without branches: which way it goes is anyone's guess. */
    size_t at = 0;
    for (size_t left = walker->beam_count; left > 0;) {
        size_t half = (left + 1) / 2;
        at += beam[at + half - 1].score >= score ? half : 0;
        left -= half;
    }
    for (size_t i = walker->beam_count; i > at; i--)
        beam[i] = beam[i - 1];
    beam[at] = (graph_candidate){score, slot};
    walker->beam_count++;
    if (at < walker->cursor)
        walker->cursor = at;
    return true;
}

/* ---- scoring ---- */

/* Puts so many slots, if new, behind those in the batch. Whether a neighbour is new is as good as
 * random, so nothing branches on it: each is written, and the batch grows by one or by none. */
static void batch_put(graph_walker *walker, const _Atomic uint32_t *slots, size_t count)
{
    size_t batch = walker->batch;
    uint64_t *seen = walker->seen;
    for (size_t i = 0; i < count; i++) {
        uint32_t slot = atomic_load_explicit(&slots[i], memory_order_acquire);
        size_t word = slot / 64;
        word = word < walker->seen_words ? word : 0;
        uint64_t bit = (uint64_t)1 << slot % 64;
        bool fresh = !(seen[word] & bit) && slot / 64 == word;
        seen[word] |= fresh ? bit : 0;
        walker->slots[batch] = slot;
        batch += fresh;
    }
    walker->batch = batch;
}

/* Asks memory for the codes of the batch from `begin` on. */
static void batch_request(const vt_graph *graph, graph_walker *walker, size_t begin)
{
    const size_t bytes = graph->code_bytes + sizeof(graph_links);
    for (size_t i = begin; i < walker->batch; i++) {
        const char *code = graph_code(graph, walker->slots[i]);
        walker->codes[i] = code;
        for (size_t byte = 0; byte < bytes; byte += 64)
            __builtin_prefetch(code + byte, 0, 3);
    }
}

static void batch_neighbours(const vt_graph *graph, graph_walker *walker, uint32_t slot)
{
    const graph_links *links = graph_links_of(graph, slot);
    size_t begin = walker->batch;
    batch_put(walker, links->neighbours, links_state(links) & LINK_DEGREE);
    batch_request(graph, walker, begin);
}

static void batch_score(const vt_graph *graph, graph_walker *walker)
{
    vt_coder_score_many(graph->coder, walker->query, walker->codes, walker->batch, walker->scores);
    walker->visited += walker->batch;
    seen_note(walker);
}

static void lists_prefetch(const vt_graph *graph, uint32_t slot)
{
    const char *node = graph_code(graph, slot);
    for (size_t byte = (graph->code_bytes + sizeof(graph_links)) / 64 * 64;
         byte < graph->node_bytes; byte += 64)
        __builtin_prefetch(node + byte, 0, 3);
}

static bool slot_dead(const vt_graph *graph, uint32_t slot)
{
    return links_state(graph_links_of(graph, slot)) & LINK_DEAD;
}

/* ---- walking ---- */

static void walk_begin(const vt_graph *graph, graph_walker *walker, size_t width)
{
    walker->width = width;
    walker->cursor = 0;
    walker->beam_count = walker->frontier_count = walker->batch = walker->visited = 0;
    walker->passed_by = 0;
    for (size_t i = 0; i < NEAREST_ENTRIES; i++)
        walker->nearest[i] = (graph_candidate){-INFINITY, NO_SLOT};
    walker->ran_out = false;
    walker->out_of_memory = !seen_reset(graph, walker);
}

/* The nearest entries so far; the batch has those from number `first` on. */
static void nearest_note(graph_walker *walker, size_t first)
{
    graph_candidate *nearest = walker->nearest;
    for (size_t i = 0; i < walker->batch; i++) {
        float score = walker->scores[i];
        if (!(score > nearest[NEAREST_ENTRIES - 1].score))
            continue;
        size_t at = NEAREST_ENTRIES - 1;
        for (; at > 0 && nearest[at - 1].score < score; at--)
            nearest[at] = nearest[at - 1];
        nearest[at] = (graph_candidate){score, (uint32_t)(first + i)};
    }
}

/* Where a walk begins: batches of entries, then one of what is listed with the nearest of them. */
typedef struct start {
    size_t first, behind; /* entries of the batch */
    bool over;
} start;

/* The batch before has been scored; false: there are no more. */
static bool batch_start(const vt_graph *graph, graph_walker *walker, start *at)
{
    _Static_assert(NEAREST_ENTRIES * NEAR_MAXIMUM <= VT_CODER_MANY, "they are one batch");
    size_t left = atomic_load_explicit(&graph->entry_count, memory_order_acquire);
    if (walker->batch == at->behind - at->first) /* else one came twice: numbers are unsure */
        nearest_note(walker, at->first);
    walker->batch = 0;
    if (walker->out_of_memory || at->over)
        return false;
    left = left > at->behind ? left - at->behind : 0;
    at->first = at->behind;
    at->behind += left < VT_CODER_MANY ? left : VT_CODER_MANY;
    batch_put(walker, graph->entries + at->first, at->behind - at->first);
    at->over = left == 0;
    for (size_t i = 0; at->over && i < NEAREST_ENTRIES && walker->nearest[i].slot != NO_SLOT; i++)
        batch_put(walker, graph->near[walker->nearest[i].slot], NEAR_MAXIMUM);
    batch_request(graph, walker, 0);
    return walker->batch > 0 || !at->over;
}

static void batch_offer(const vt_graph *graph, graph_walker *walker)
{
    for (size_t i = 0; i < walker->batch; i++) {
        if (walker->beam_count == walker->width &&
            !(walker->scores[i] > walker->beam[walker->beam_count - 1].score))
            continue;
        if (!slot_dead(graph, walker->slots[i]) &&
            beam_offer(walker, walker->scores[i], walker->slots[i]))
            lists_prefetch(graph, walker->slots[i]);
    }
}

bool graph_beam_thin(const vt_graph *graph, const graph_walker *walker, const graph_filter *filter)
{
    size_t passing = 0;
    for (size_t i = 0; i < walker->beam_count; i++)
        passing += graph_passes(graph, walker->beam[i].slot & ~EXPANDED, filter->groups);
    return (float)(THIN * passing) < filter->share * (float)walker->beam_count;
}

/* The next nodes of the beam into the batch; how many. */
static size_t beam_expand(const vt_graph *graph, graph_walker *walker)
{
    size_t expanded = 0;
    walker->batch = 0;
    for (size_t i = walker->cursor; i < walker->beam_count && expanded < TOGETHER; i++) {
        walker->cursor = i + 1; /* all in front of it are expanded */
        if (walker->beam[i].slot & EXPANDED)
            continue;
        batch_neighbours(graph, walker, walker->beam[i].slot);
        walker->beam[i].slot |= EXPANDED;
        expanded++;
    }
    return expanded;
}

/* held_to: what the nodes found will be held to, or NULL. */
static void beam_walk(const vt_graph *graph, graph_walker *walker, size_t budget,
                      const graph_filter *held_to)
{
    enum { AROUND = 32 }; /* nodes expanded, by when the beam is where the query is */
    size_t expanded = 0;
    while (!walker->out_of_memory && !walker->ran_out) {
        size_t more = beam_expand(graph, walker), before = expanded;
        expanded += more;
        if (more == 0)
            break;
        if (budget && walker->visited + walker->batch > budget) {
            walker->ran_out = true;
            seen_note(walker);
            break;
        }
        batch_score(graph, walker);
        batch_offer(graph, walker);
        if (held_to && before < AROUND && expanded >= AROUND)
            walker->ran_out = graph_beam_thin(graph, walker, held_to);
    }
}

void graph_walk_checked(const vt_graph *graph, graph_walker *walker, size_t width, size_t budget,
                        const graph_filter *held_to)
{
    walk_begin(graph, walker, width);
    for (start at = {0}; batch_start(graph, walker, &at);) {
        batch_score(graph, walker);
        batch_offer(graph, walker);
    }
    beam_walk(graph, walker, budget, held_to);
    for (size_t i = 0; i < walker->beam_count; i++)
        walker->beam[i].slot &= ~EXPANDED;
}

void graph_walk(const vt_graph *graph, graph_walker *walker, size_t width, size_t budget)
{
    graph_walk_checked(graph, walker, width, budget, NULL);
}

/* ---- filtered ---- */

static bool frontier_push(graph_walker *walker, graph_candidate candidate)
{
    void *grown = walker->frontier;
    if (!vt_grow(&grown, &walker->frontier_room, walker->frontier_count + 1,
                 sizeof(graph_candidate), UINT32_MAX))
        return false;
    walker->frontier = grown;
    size_t at = walker->frontier_count++;
    for (; at > 0 && walker->frontier[(at - 1) / 2].score < candidate.score; at = (at - 1) / 2)
        walker->frontier[at] = walker->frontier[(at - 1) / 2];
    walker->frontier[at] = candidate;
    return true;
}

/* Puts the candidate where it belongs in the heap below `at`, whose place is free. */
static void frontier_sink(graph_walker *walker, size_t at, graph_candidate candidate)
{
    graph_candidate *heap = walker->frontier;
    size_t count = walker->frontier_count;
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1].score > heap[child].score)
            child++;
        if (heap[child].score <= candidate.score)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = candidate;
}

static graph_candidate frontier_pop(graph_walker *walker)
{
    graph_candidate first = walker->frontier[0];
    graph_candidate last = walker->frontier[--walker->frontier_count];
    frontier_sink(walker, 0, last);
    return first;
}

bool graph_passes(const vt_graph *graph, uint32_t slot, const vt_idset_bits *groups)
{
    for (uint32_t row = slot; row != NO_SLOT;) {
        uint64_t label = atomic_load_explicit(graph_label(graph, row), memory_order_relaxed);
        if (vt_idset_bits_has(groups, (uint32_t)(label >> 32)))
            return true;
        uint64_t twinned = atomic_load_explicit(graph_twinned(graph, row), memory_order_acquire);
        row = twinned >> row % 64 & 1 ? graph_next(graph, row) : NO_SLOT;
    }
    return false;
}

/* In the slot of a frontier's candidate: its node fails the filter. */
static const uint32_t STRAY = 1u << 31;

static void frontier_drop_strays(graph_walker *walker)
{
    graph_candidate *heap = walker->frontier;
    size_t kept = 0;
    for (size_t i = 0; i < walker->frontier_count; i++)
        if (!(heap[i].slot & STRAY))
            heap[kept++] = heap[i];
    walker->frontier_count = kept;
    for (size_t at = kept / 2; at-- > 0;)
        frontier_sink(walker, at, heap[at]);
}

/* The second bit of a slot: its node fails, and all around it was looked at. */
static size_t crossed_bit(const graph_walker *walker, uint32_t slot)
{
    return 64 * walker->seen_words + slot;
}

/* The third: its node fails, so that its label need not be read again. */
static size_t failed_bit(const graph_walker *walker, uint32_t slot)
{
    return 2 * 64 * walker->seen_words + slot;
}

static bool bit_has(const graph_walker *walker, size_t at)
{
    return walker->seen[at / 64] >> at % 64 & 1;
}

/* True: it was not set before. */
static bool bit_mark(graph_walker *walker, size_t at)
{
    if (bit_has(walker, at))
        return false;
    walker->seen[at / 64] |= (uint64_t)1 << at % 64;
    if (walker->seen_count < SEEN_LISTED)
        walker->seen_list[walker->seen_count] = (uint32_t)at;
    walker->seen_count += walker->seen_count <= SEEN_LISTED;
    return true;
}

/* What was met around the query, before the walk keeps to the set. */
typedef struct surroundings {
    size_t strays;        /* failing nodes that were expanded */
    size_t seen, passing; /* nodes next to what was expanded, and those of them that pass */
    bool left;            /* the walk keeps to the set, and the frontier holds no strays */
} surroundings;

/* Whether the node passes; that it fails is noted. */
static bool slot_try(const vt_graph *graph, graph_walker *walker, uint32_t slot,
                     const vt_idset_bits *groups)
{
    bool passes = graph_passes(graph, slot, groups);
    if (!passes && slot / 64 < walker->seen_words)
        (void)bit_mark(walker, failed_bit(walker, slot));
    return passes;
}

/* groups NULL: all of the batch pass. near NULL: it is not of the query's surroundings. */
static void batch_offer_filtered(const vt_graph *graph, graph_walker *walker,
                                 const vt_idset_bits *groups, surroundings *near)
{
    for (size_t i = 0; i < walker->batch; i++) {
        float score = walker->scores[i];
        uint32_t slot = walker->slots[i];
        if (walker->beam_count == walker->width &&
            !(score > walker->beam[walker->beam_count - 1].score))
            continue;
        if (slot_dead(graph, slot))
            continue;
        bool passes = !groups || slot_try(graph, walker, slot, groups);
        if (!frontier_push(walker, (graph_candidate){score, passes ? slot : slot | STRAY}))
            walker->out_of_memory = true;
        if (passes && beam_offer(walker, score, slot))
            lists_prefetch(graph, slot);
        if (near) {
            near->seen++;
            near->passing += passes;
        }
    }
}

/* Neighbours of a node that are neither younger than the walk nor crossed; where `fresh`, those
 * alone that were not seen either. Which they are is as good as random: no branch on it. */
static size_t around_list(const vt_graph *graph, const graph_walker *walker, uint32_t slot,
                          bool fresh, uint32_t *out)
{
    const graph_links *links = graph_links_of(graph, slot);
    const uint64_t *seen = walker->seen, *crossed = seen + walker->seen_words;
    const uint64_t asked = fresh ? UINT64_MAX : 0;
    size_t degree = links_state(links) & LINK_DEGREE, count = 0;
    for (size_t i = 0; i < degree; i++) {
        uint32_t near = atomic_load_explicit(&links->neighbours[i], memory_order_acquire);
        size_t word = near / 64 < walker->seen_words ? near / 64 : 0;
        uint64_t bit = (uint64_t)1 << near % 64;
        out[count] = near;
        count += !((crossed[word] | (seen[word] & asked)) & bit) && near / 64 == word;
    }
    return count;
}

static void labels_prefetch(const vt_graph *graph, const uint32_t *slots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch((const void *)graph_label(graph, slots[i]), 0, 3);
}

/* Puts the node into the batch if it is new and passes; false: it fails. */
static bool batch_try(const vt_graph *graph, graph_walker *walker, uint32_t slot,
                      const vt_idset_bits *groups)
{
    bool fresh = bit_mark(walker, slot), passes = slot_try(graph, walker, slot, groups);
    walker->passed_by++;
    if (fresh && passes && walker->batch < VT_CODER_MANY)
        walker->slots[walker->batch++] = slot;
    return passes;
}

/* Puts neighbours that are new and pass into the batch; failing: those that fail, in order. Returns
 * how many fail. */
static size_t batch_near(const vt_graph *graph, graph_walker *walker, uint32_t slot,
                         const vt_idset_bits *groups, uint32_t *failing)
{
    uint32_t around[VT_GRAPH_MAX_DEGREE], unknown[VT_GRAPH_MAX_DEGREE];
    uint8_t fails[VT_GRAPH_MAX_DEGREE], at[VT_GRAPH_MAX_DEGREE];
    size_t near = around_list(graph, walker, slot, false, around), tried = 0, count = 0;
    for (size_t i = 0; i < near; i++) {
        fails[i] = bit_has(walker, failed_bit(walker, around[i]));
        unknown[tried] = around[i];
        at[tried] = (uint8_t)i;
        tried += !fails[i];
    }
    labels_prefetch(graph, unknown, tried);
    for (size_t i = 0; i < tried; i++)
        fails[at[i]] = !batch_try(graph, walker, unknown[i], groups);
    for (size_t i = 0; i < near; i++) {
        failing[count] = around[i];
        count += fails[i];
    }
    return count;
}

/* Puts what passes behind failing nodes into the batch. Neighbours that were seen are not looked at
 * again: they are in the frontier or known to fail. The labels of all are asked for before the
 * first is read. */
static void batch_bridge(const vt_graph *graph, graph_walker *walker, const uint32_t *failing,
                         size_t count, const vt_idset_bits *groups)
{
    uint32_t behind[BRIDGES_TOGETHER * VT_GRAPH_MAX_DEGREE];
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        lists_prefetch(graph, failing[i]);
    for (size_t i = 0; i < count; i++) {
        (void)bit_mark(walker, crossed_bit(walker, failing[i]));
        size_t more = around_list(graph, walker, failing[i], true, behind + found);
        labels_prefetch(graph, behind + found, more);
        found += more;
    }
    for (size_t i = 0; i < found; i++)
        if (!bit_has(walker, behind[i])) /* it is next to two of them */
            (void)batch_try(graph, walker, behind[i], groups);
}

/* What passes next to the node, and behind as many failing neighbours as it takes to meet about as
 * much as next to a node of a graph over the set alone. */
static void batch_passing(const vt_graph *graph, graph_walker *walker, uint32_t slot,
                          const graph_filter *filter)
{
    uint32_t failing[VT_GRAPH_MAX_DEGREE];
    size_t begin = walker->batch;
    size_t count = batch_near(graph, walker, slot, filter->groups, failing);
    float bridges = BRIDGED / (filter->share * (float)graph->degree);
    if (bridges < (float)count)
        count = (size_t)bridges;
    for (size_t i = 0; i < count; i += BRIDGES_TOGETHER) {
        size_t some = count - i < BRIDGES_TOGETHER ? count - i : BRIDGES_TOGETHER;
        batch_bridge(graph, walker, failing + i, some, filter->groups);
    }
    batch_request(graph, walker, begin);
}

static bool around_known(const surroundings *near, const graph_filter *filter)
{
    return filter->strays && near->strays >= filter->strays;
}

/* Whether the set is as thin there that its nearest nodes may lie anywhere. */
static bool around_thin(const surroundings *near, const graph_filter *filter)
{
    return around_known(near, filter) && filter->share < 1 &&
           (float)(THIN * near->passing) < (float)near->seen * filter->share;
}

/* The next nodes of the frontier into the batch; false: the walk is over. */
static bool frontier_expand(const vt_graph *graph, graph_walker *walker, const graph_filter *filter,
                            surroundings *near)
{
    walker->batch = 0;
    if (around_known(near, filter) && !near->left) {
        frontier_drop_strays(walker);
        near->left = true;
    }
    for (size_t n = 0; n < TOGETHER && walker->frontier_count > 0; n++) {
        if (walker->batch > 0 && around_known(near, filter) && !near->left)
            break;
        graph_candidate next = frontier_pop(walker);
        if (walker->beam_count == walker->width &&
            next.score < walker->beam[walker->width - 1].score) {
            walker->frontier_count = 0; /* none behind it is nearer */
            return walker->batch > 0;
        }
        near->strays += (next.slot & STRAY) != 0;
        if (near->left)
            batch_passing(graph, walker, next.slot, filter);
        else
            batch_neighbours(graph, walker, next.slot & ~STRAY);
    }
    return walker->batch > 0 || walker->frontier_count > 0;
}

/* What frontier_expand has put into the batch is compared. */
static void batch_compare(const vt_graph *graph, graph_walker *walker, const graph_filter *filter,
                          surroundings *near)
{
    if (!near->left)
        labels_prefetch(graph, walker->slots, walker->batch);
    batch_score(graph, walker);
    if (near->left)
        batch_offer_filtered(graph, walker, NULL, NULL);
    else
        batch_offer_filtered(graph, walker, filter->groups, near);
}

/* Whether enough of the nearest that a walk begins with are in the set; they are in the uppermost
 * levels of the frontier's heap, about. */
static bool start_passes(const graph_walker *walker, const graph_filter *filter)
{
    enum { LOOKED_AT = 31 };
    size_t count = walker->frontier_count < LOOKED_AT ? walker->frontier_count : LOOKED_AT;
    size_t passing = 0;
    for (size_t i = 0; i < count; i++)
        passing += !(walker->frontier[i].slot & STRAY);
    return (float)passing >= filter->around * (float)count;
}

void graph_walk_filtered(const vt_graph *graph, graph_walker *walker, size_t width, size_t budget,
                         const graph_filter *filter)
{
    enum { PASSED_BY_SHARE = 4 }; /* so many labels cost what a comparison does */
    surroundings near = {0};
    walk_begin(graph, walker, width);
    for (start at = {0}; batch_start(graph, walker, &at);) {
        labels_prefetch(graph, walker->slots, walker->batch);
        batch_score(graph, walker);
        batch_offer_filtered(graph, walker, filter->groups, NULL);
    }
    walker->ran_out = !start_passes(walker, filter);
    while (!walker->out_of_memory && !walker->ran_out &&
           frontier_expand(graph, walker, filter, &near)) {
        size_t work = walker->visited + walker->passed_by / PASSED_BY_SHARE;
        if (walker->batch == 0)
            continue;
        if (budget && work + walker->batch > budget) {
            walker->ran_out = true;
            seen_note(walker);
            break;
        }
        batch_compare(graph, walker, filter, &near);
        if (around_thin(&near, filter)) {
            walker->ran_out = true;
            break;
        }
    }
    if (around_known(&near, filter) && walker->beam_count < width)
        walker->ran_out = true; /* more may pass than could be reached */
}
