/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: removing rows.
 *
 * Method: in-place deletion (after Xu et al., In-place updates of a graph index for streaming
 * approximate nearest neighbor search, 2025, and the consolidation of FreshDiskANN, Singh et al.,
 * 2021, algorithm 4). The nodes with an edge to the removed one are looked for where they are
 * likely: among its own neighbours and what a walk to it finds. Each is offered the removed node's
 * neighbours in its place, and pruned.
 *
 * Nothing lists the edges that lead to a node, but they are counted. When none is left the slot
 * is retired at once, and that is the rule. Otherwise the node is stale: dead to walks, without
 * neighbours, waiting for its last edges. Every removal also looks at a few hundred nodes, in turn,
 * for edges to stale ones, so that each is gone after one round through the graph at the latest.
 *
 * A node whose last edge came from the removed one gets an edge from a near node with room.
 */
#include "index/graph_nodes.h"

#include <string.h>

enum { SWEEP_NODES = 256 };

/* ---- twins ---- */

static void twin_unlink(vt_graph *graph, uint32_t slot)
{
    graph_links *links = graph_links_of(graph, slot);
    uint32_t before = atomic_load_explicit(&links->in_degree, memory_order_relaxed);
    uint32_t next = graph_next(graph, slot);
    graph_next_put(graph, before, next);
    if (next != NO_SLOT)
        atomic_store_explicit(&graph_links_of(graph, next)->in_degree, before,
                              memory_order_relaxed);
    atomic_store_explicit(&links->state, LINK_DEAD, memory_order_release);
    graph_slot_retire(graph, slot);
}

/* The node takes its first twin's row. Walks that still meet the twin know it by the label. */
static void twin_promote(vt_graph *graph, uint32_t slot, uint32_t twin)
{
    uint64_t label = atomic_load_explicit(graph_label(graph, twin), memory_order_relaxed);
    graph_table_put(graph, (uint32_t)label, slot);
    atomic_store_explicit(graph_label(graph, slot), label, memory_order_release);
    twin_unlink(graph, twin);
}

/* ---- nodes ---- */

static bool neighbours_have(const vt_graph *graph, uint32_t slot, uint32_t what)
{
    uint32_t neighbours[VT_GRAPH_MAX_DEGREE];
    size_t degree = graph_neighbours(graph, slot, neighbours);
    for (size_t i = 0; i < degree; i++)
        if (neighbours[i] == what)
            return true;
    return false;
}

static void relink_without(vt_graph *graph, uint32_t slot, uint32_t gone, const uint32_t *instead,
                           size_t count)
{
    if (neighbours_have(graph, slot, gone))
        graph_relink(graph, graph->own, slot, instead, count);
}

static uint32_t edges_to(const vt_graph *graph, uint32_t slot)
{
    return atomic_load_explicit(&graph_links_of(graph, slot)->in_degree, memory_order_relaxed);
}

static void orphans_adopt(vt_graph *graph, const uint32_t *slots, size_t count)
{
    const graph_walker *walker = graph->own;
    for (size_t i = 0; i < count; i++) {
        bool adopted = edges_to(graph, slots[i]) > 0;
        for (size_t j = 0; !adopted && j < walker->beam_count; j++)
            adopted = walker->beam[j].slot != slots[i] &&
                      graph_edge_add(graph, walker->beam[j].slot, slots[i]);
    }
}

static void node_remove(vt_graph *graph, uint32_t slot)
{
    graph_links *links = graph_links_of(graph, slot);
    graph_walker *walker = graph->own;
    uint32_t neighbours[VT_GRAPH_MAX_DEGREE];
    size_t alive = 0, degree = graph_neighbours(graph, slot, neighbours);
    /* While it is still there: it may be the only entry. */
    vt_coder_query_set_code(graph->coder, walker->query, graph_code(graph, slot),
                            graph_fine(graph, slot));
    graph_walk(graph, walker, 2 * graph->options.width, 0);
    atomic_store_explicit(&links->state, LINK_DEAD, memory_order_release); /* and no neighbours */
    for (size_t i = 0; i < degree; i++) {
        graph_links *to = graph_links_of(graph, neighbours[i]);
        if (links_state(to) & LINK_DEAD) {
            graph_edge_gone(graph, neighbours[i]);
            continue;
        }
        atomic_fetch_sub_explicit(&to->in_degree, 1, memory_order_relaxed);
        neighbours[alive++] = neighbours[i];
    }
    for (size_t i = 0; i < alive; i++)
        relink_without(graph, neighbours[i], slot, neighbours, alive);
    for (size_t i = 0; i < walker->beam_count && edges_to(graph, slot) > 0; i++)
        relink_without(graph, walker->beam[i].slot, slot, neighbours, alive);
    orphans_adopt(graph, neighbours, alive);
    graph_entry_forget(graph, slot);
    if (edges_to(graph, slot) == 0) {
        graph_slot_retire(graph, slot);
        return;
    }
    graph->stale[slot / 8] |= (uint8_t)(1u << slot % 8);
    graph->stale_count++;
}

/* ---- sweeping ---- */

static bool neighbours_stale(const vt_graph *graph, uint32_t slot)
{
    uint32_t neighbours[VT_GRAPH_MAX_DEGREE];
    size_t degree = graph_neighbours(graph, slot, neighbours);
    for (size_t i = 0; i < degree; i++)
        if (graph->stale[neighbours[i] / 8] >> neighbours[i] % 8 & 1)
            return true;
    return false;
}

static void sweep(vt_graph *graph, size_t nodes)
{
    for (size_t n = 0; n < nodes && graph->stale_count > 0; n++) {
        if (graph->sweep_at >= graph->slot_count)
            graph->sweep_at = 0;
        uint32_t slot = (uint32_t)graph->sweep_at++;
        if (neighbours_stale(graph, slot))
            graph_relink(graph, graph->own, slot, NULL, 0);
    }
}

/* ---- removing ---- */

bool vt_graph_remove(vt_graph *graph, uint32_t id)
{
    pthread_mutex_lock(&graph->writer);
    uint32_t slot = graph_table_find(graph, id);
    if (slot != NO_SLOT) {
        graph_links *links = graph_links_of(graph, slot);
        uint32_t twin = graph_next(graph, slot);
        graph_table_remove(graph, id);
        if (links_state(links) & LINK_TWIN)
            twin_unlink(graph, slot);
        else if (twin != NO_SLOT)
            twin_promote(graph, slot, twin);
        else
            node_remove(graph, slot);
        atomic_fetch_sub_explicit(&graph->row_count, 1, memory_order_relaxed);
        sweep(graph, SWEEP_NODES);
        graph_slots_reclaim(graph);
    }
    pthread_mutex_unlock(&graph->writer);
    return slot != NO_SLOT;
}

void vt_graph_settle(vt_graph *graph)
{
    pthread_mutex_lock(&graph->writer);
    sweep(graph, graph->slot_count);
    (void)graph_reach(graph, true, NULL);
    graph_slots_reclaim(graph);
    pthread_mutex_unlock(&graph->writer);
}
