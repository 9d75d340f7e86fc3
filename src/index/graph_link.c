/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: choosing neighbours.
 *
 * Method: robust pruning (DiskANN, algorithm 2). Candidates come by nearness; one is left out when
 * a neighbour chosen before it is nearer to it, by the factor alpha, than the node is: walking
 * there over that neighbour costs little. What is chosen thus points in all directions. A new node
 * becomes a neighbour of its neighbours (algorithm 3); a list that overflows is pruned.
 *
 * Distances between nodes are those of codes, at the codec's finest, by sketches (codec.h).
 *
 * Departures: a list is pruned a little below what it holds, so that it takes several more edges
 * until it is pruned again, for pruning is most of the work of a build; and an edge that is the
 * last to its target stays, so that no node is cut off. What is left of the room serves for both.
 */
#include "index/graph_nodes.h"

#include <sched.h>
#include <string.h>

enum { SPARE = 4, GROUP = 8 };
static const uint32_t KEPT = 1u << 31; /* in graph_candidate.slot while choosing */

/* ---- lists ---- */

static uint32_t links_lock(graph_links *links)
{
    enum { SPINS = 64 };
    for (int spins = 0;; spins++) {
        if (spins > SPINS) /* its holder may wait for this very core */
            sched_yield();
        uint32_t state = atomic_load_explicit(&links->state, memory_order_relaxed);
        if (!(state & LINK_LOCKED) &&
            atomic_compare_exchange_weak_explicit(&links->state, &state, state | LINK_LOCKED,
                                                  memory_order_acquire, memory_order_relaxed))
            return state;
    }
}

static void links_unlock(graph_links *links, uint32_t state)
{
    atomic_store_explicit(&links->state, state, memory_order_release);
}

static void neighbour_store(graph_links *links, size_t i, uint32_t slot)
{
    atomic_store_explicit(&links->neighbours[i], slot, memory_order_release);
}

static uint32_t in_degree(const vt_graph *graph, uint32_t slot)
{
    return atomic_load_explicit(&graph_links_of(graph, slot)->in_degree, memory_order_relaxed);
}

static void edge_came(const vt_graph *graph, uint32_t to)
{
    atomic_fetch_add_explicit(&graph_links_of(graph, to)->in_degree, 1, memory_order_relaxed);
}

/* The last edge to a removed node frees its slot. */
void graph_edge_gone(vt_graph *graph, uint32_t to)
{
    graph_links *links = graph_links_of(graph, to);
    uint32_t had = atomic_fetch_sub_explicit(&links->in_degree, 1, memory_order_relaxed);
    uint8_t bit = (uint8_t)(1u << to % 8);
    if (had == 1 && graph->stale_count > 0 && graph->stale[to / 8] & bit) {
        graph->stale[to / 8] &= (uint8_t)~bit;
        graph->stale_count--;
        graph_slot_retire(graph, to);
    }
}

size_t graph_neighbours(const vt_graph *graph, uint32_t slot, uint32_t *out)
{
    const graph_links *links = graph_links_of(graph, slot);
    size_t degree = links_state(links) & LINK_DEGREE;
    for (size_t i = 0; i < degree; i++)
        out[i] = links_neighbour(links, i);
    return degree;
}

/* With the node locked: to the end of its list, when there is room. */
static bool list_append(vt_graph *graph, graph_links *links, uint32_t *state, uint32_t to)
{
    size_t degree = *state & LINK_DEGREE;
    if (degree == graph->degree)
        return false;
    neighbour_store(links, degree, to);
    edge_came(graph, to);
    ++*state;
    return true;
}

static bool list_has(const graph_links *links, size_t degree, uint32_t slot)
{
    for (size_t i = 0; i < degree; i++)
        if (links_neighbour(links, i) == slot)
            return true;
    return false;
}

bool graph_edge_add(vt_graph *graph, uint32_t from, uint32_t to)
{
    graph_links *links = graph_links_of(graph, from);
    uint32_t state = links_lock(links);
    bool added = !(state & LINK_DEAD) && (list_has(links, state & LINK_DEGREE, to) ||
                                          list_append(graph, links, &state, to));
    links_unlock(links, state);
    return added;
}

/* ---- choosing ---- */

static char *sketch_at(const vt_graph *graph, const graph_walker *walker, size_t i)
{
    return walker->sketches + i * graph->sketch_bytes;
}

static void sketch_make(const vt_graph *graph, uint32_t slot, char *sketch)
{
    vt_coder_sketch(graph->coder, graph_code(graph, slot), graph_fine(graph, slot), sketch);
}

static void slot_prefetch(const vt_graph *graph, uint32_t slot)
{
    const char *code = graph_code(graph, slot), *fine = graph_fine(graph, slot);
    for (size_t byte = 0; byte < graph->node_bytes; byte += 64)
        __builtin_prefetch(code + byte, 0, 3);
    for (size_t byte = 0; byte < graph->fine_bytes; byte += 64)
        __builtin_prefetch(fine + byte, 0, 3);
}

/* Sketches and distances of the candidates, and their order. */
static void candidates_measure(const vt_graph *graph, graph_walker *walker, uint32_t slot,
                               size_t count)
{
    enum { AHEAD = 8 };
    const void *others[VT_CODER_MANY];
    float distances[VT_CODER_MANY];
    for (size_t i = 0; i < count && i < AHEAD; i++)
        slot_prefetch(graph, walker->frontier[i].slot);
    sketch_make(graph, slot, sketch_at(graph, walker, 0));
    for (size_t begin = 0; begin < count; begin += VT_CODER_MANY) {
        size_t n = count - begin < VT_CODER_MANY ? count - begin : VT_CODER_MANY;
        for (size_t i = 0; i < n; i++) {
            size_t at = begin + i;
            if (at + AHEAD < count)
                slot_prefetch(graph, walker->frontier[at + AHEAD].slot);
            sketch_make(graph, walker->frontier[at].slot, sketch_at(graph, walker, at + 1));
            others[i] = sketch_at(graph, walker, at + 1);
        }
        vt_coder_sketch_distances(graph->coder, sketch_at(graph, walker, 0), others, n, distances);
        for (size_t i = 0; i < n; i++)
            walker->frontier[begin + i].score = -distances[i];
    }
    for (size_t i = 0; i < count; i++) { /* nearly in order: they come from a beam or a list */
        size_t at = i;
        float score = walker->frontier[i].score;
        for (; at > 0 && walker->frontier[walker->order[at - 1]].score < score; at--)
            walker->order[at] = walker->order[at - 1];
        walker->order[at] = (uint32_t)i;
    }
}

/* A detour over one of the kept is short enough. */
static bool detour_exists(const vt_graph *graph, const char *sketch, const void *const *kept,
                          size_t count, float distance)
{
    const float alpha2 = graph->options.alpha * graph->options.alpha;
    float between[GROUP];
    for (size_t begin = 0; begin < count; begin += GROUP) {
        size_t n = count - begin < GROUP ? count - begin : GROUP;
        vt_coder_sketch_distances(graph->coder, sketch, kept + begin, n, between);
        for (size_t i = 0; i < n; i++)
            if (alpha2 * between[i] <= distance)
                return true;
    }
    return false;
}

/* Marks at most `maximum` of walker->frontier[0..count) as KEPT, around `slot`; returns how many.
 */
static size_t candidates_choose(const vt_graph *graph, graph_walker *walker, uint32_t slot,
                                size_t count, size_t maximum)
{
    const void *kept[VT_GRAPH_MAX_DEGREE];
    size_t n = 0;
    candidates_measure(graph, walker, slot, count);
    for (size_t i = 0; i < count && n < maximum; i++) {
        graph_candidate *candidate = &walker->frontier[walker->order[i]];
        const char *sketch = sketch_at(graph, walker, walker->order[i] + 1);
        if (detour_exists(graph, sketch, kept, n, -candidate->score))
            continue;
        kept[n++] = sketch;
        candidate->slot |= KEPT;
    }
    return n;
}

/* ---- changing a list ---- */

static size_t candidate_put(graph_walker *walker, size_t count, uint32_t slot)
{
    walker->frontier[count] = (graph_candidate){0.0f, slot};
    return count + 1;
}

static bool candidate_listed(const graph_walker *walker, size_t count, uint32_t slot)
{
    for (size_t i = 0; i < count; i++)
        if ((walker->frontier[i].slot & ~KEPT) == slot)
            return true;
    return false;
}

/* With the node locked: the kept candidates become its list. The first `old` were in it. */
static void list_rewrite(vt_graph *graph, graph_walker *walker, graph_links *links, size_t old,
                         size_t count)
{
    size_t degree = 0, chosen = 0;
    for (size_t i = 0; i < count; i++)
        chosen += (walker->frontier[i].slot & KEPT) != 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t slot = walker->frontier[i].slot & ~KEPT;
        bool kept = walker->frontier[i].slot & KEPT;
        /* Its last edge: it stays as long as there is room. */
        if (!kept && chosen < graph->degree && in_degree(graph, slot) <= (i < old ? 1u : 0u)) {
            kept = true;
            chosen++;
        }
        if (kept)
            neighbour_store(links, degree++, slot);
        if (kept && i >= old)
            edge_came(graph, slot);
        else if (!kept && i < old)
            graph_edge_gone(graph, slot);
    }
    walker->frontier_count = degree;
}

void graph_relink(vt_graph *graph, graph_walker *walker, uint32_t slot, const uint32_t *candidates,
                  size_t count)
{
    graph_links *links = graph_links_of(graph, slot);
    uint32_t state = links_lock(links);
    size_t listed = 0, degree = state & LINK_DEGREE;
    uint32_t gone[VT_GRAPH_MAX_DEGREE];
    size_t gone_count = 0;
    for (size_t i = 0; i < degree; i++) {
        uint32_t neighbour = links_neighbour(links, i);
        if (links_state(graph_links_of(graph, neighbour)) & LINK_DEAD)
            gone[gone_count++] = neighbour;
        else
            listed = candidate_put(walker, listed, neighbour);
    }
    size_t all = listed;
    for (size_t i = 0; i < count; i++)
        if (candidates[i] != slot && !candidate_listed(walker, all, candidates[i]) &&
            !(links_state(graph_links_of(graph, candidates[i])) & LINK_DEAD))
            all = candidate_put(walker, all, candidates[i]);
    if (all <= graph->degree - SPARE && count == 0) {
        for (size_t i = 0; i < all; i++)
            walker->frontier[i].slot |= KEPT;
    } else {
        (void)candidates_choose(graph, walker, slot, all,
                                graph->degree > 2 * SPARE ? graph->degree - SPARE : graph->degree);
    }
    list_rewrite(graph, walker, links, listed, all);
    links_unlock(links, (state & ~LINK_DEGREE) | (uint32_t)walker->frontier_count);
    for (size_t i = 0; i < gone_count; i++)
        graph_edge_gone(graph, gone[i]);
}

/* An edge from a chosen neighbour back to the new node. */
static void edge_back(vt_graph *graph, graph_walker *walker, uint32_t from, uint32_t to)
{
    graph_links *links = graph_links_of(graph, from);
    uint32_t state = links_lock(links);
    bool done = list_has(links, state & LINK_DEGREE, to) || list_append(graph, links, &state, to);
    links_unlock(links, state);
    if (!done)
        graph_relink(graph, walker, from, &to, 1);
}

/* ---- a new node ---- */

static bool codes_equal(const vt_graph *graph, uint32_t a, uint32_t b)
{
    return memcmp(graph_code(graph, a), graph_code(graph, b), graph->code_bytes) == 0 &&
           memcmp(graph_fine(graph, a), graph_fine(graph, b), graph->fine_bytes) == 0;
}

/* Hangs the slot from a node with the same code; false: there is none. Equal codes have equal
 * scores, and none is nearer than they but by the error of codes: they are far in front. */
static bool twin_attach(vt_graph *graph, const graph_walker *walker, uint32_t slot)
{
    enum { FRONT = 16 };
    for (size_t i = 0; i < walker->beam_count && i < FRONT; i++) {
        uint32_t head = walker->beam[i].slot;
        if (!codes_equal(graph, head, slot))
            continue;
        graph_links *twin = graph_links_of(graph, slot), *links = graph_links_of(graph, head);
        uint32_t state = links_lock(links);
        uint32_t next = graph_next(graph, head);
        graph_next_put(graph, slot, next);
        atomic_store_explicit(&twin->in_degree, head, memory_order_relaxed); /* the one before */
        atomic_store_explicit(&twin->state, LINK_TWIN, memory_order_relaxed);
        if (next != NO_SLOT)
            atomic_store_explicit(&graph_links_of(graph, next)->in_degree, slot,
                                  memory_order_relaxed);
        graph_next_put(graph, head, slot);
        links_unlock(links, state);
        return true;
    }
    return false;
}

void graph_insert(vt_graph *graph, graph_walker *walker, uint32_t slot)
{
    graph_links *links = graph_links_of(graph, slot);
    if (twin_attach(graph, walker, slot))
        return;
    size_t count = 0;
    uint32_t chosen[VT_GRAPH_MAX_DEGREE];
    for (size_t i = 0; i < walker->beam_count && i < graph->options.width; i++)
        count = candidate_put(walker, count, walker->beam[i].slot);
    (void)candidates_choose(graph, walker, slot, count, graph->degree - 1);
    uint32_t degree = 0;
    for (size_t i = 0; i < count; i++)
        if (walker->frontier[i].slot & KEPT)
            chosen[degree++] = walker->frontier[i].slot & ~KEPT;
    for (uint32_t i = 0; i < degree; i++) {
        neighbour_store(links, i, chosen[i]);
        edge_came(graph, chosen[i]);
    }
    links_unlock(links, degree);
    for (uint32_t i = 0; i < degree; i++)
        edge_back(graph, walker, chosen[i], slot);
}
