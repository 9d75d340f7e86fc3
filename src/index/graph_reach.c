/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: whether walks can come to every node.
 *
 * Method: breadth first from all entries, a bit and a place in the queue for each slot. A node that
 * was not reached gets an edge from the nearest node that was and has room, found by a walk to it;
 * what can be reached from it is then reached as well.
 */
#include "index/graph_nodes.h"

#include "base/mem.h"

typedef struct reach {
    const vt_graph *graph;
    uint8_t *reached; /* bit per slot */
    uint32_t *queue;  /* (slots) */
    size_t queued, done;
} reach;

static bool reach_has(const reach *r, uint32_t slot)
{
    return r->reached[slot / 8] >> slot % 8 & 1;
}

static void reach_put(reach *r, uint32_t slot)
{
    if (reach_has(r, slot))
        return;
    r->reached[slot / 8] |= (uint8_t)(1u << slot % 8);
    r->queue[r->queued++] = slot;
}

static void reach_spread(reach *r)
{
    enum { AHEAD = 8 };
    uint32_t neighbours[VT_GRAPH_MAX_DEGREE];
    for (; r->done < r->queued; r->done++) {
        if (r->done + AHEAD < r->queued) {
            const char *links = (const char *)graph_links_of(r->graph, r->queue[r->done + AHEAD]);
            __builtin_prefetch(links, 0, 3);
            __builtin_prefetch(links + 64, 0, 3);
        }
        size_t degree = graph_neighbours(r->graph, r->queue[r->done], neighbours);
        for (size_t i = 0; i < degree; i++)
            if (!(links_state(graph_links_of(r->graph, neighbours[i])) & LINK_DEAD))
                reach_put(r, neighbours[i]);
    }
}

/* An edge to a slot that was not reached. */
static bool slot_join(vt_graph *graph, reach *r, uint32_t slot)
{
    graph_walker *walker = graph->own;
    vt_coder_query_set_code(graph->coder, walker->query, graph_code(graph, slot),
                            graph_fine(graph, slot));
    graph_walk(graph, walker, graph->options.width, 0);
    for (size_t i = 0; i < walker->beam_count; i++) {
        uint32_t from = walker->beam[i].slot;
        if (from != slot && reach_has(r, from) && graph_edge_add(graph, from, slot)) {
            reach_put(r, slot);
            reach_spread(r);
            return true;
        }
    }
    return false;
}

bool graph_reach(vt_graph *graph, bool join, size_t *unreachable)
{
    reach r = {.graph = graph};
    r.reached = vt_calloc(graph->slot_count / 8 + 1, 1);
    r.queue = vt_alloc_array(graph->slot_count, sizeof *r.queue);
    bool done = r.reached && r.queue;
    size_t missing = 0;
    for (size_t i = 0; done && i < atomic_load(&graph->entry_count); i++)
        reach_put(&r, atomic_load(&graph->entries[i]));
    if (done)
        reach_spread(&r);
    for (uint32_t slot = 0; done && slot < graph->slot_count; slot++)
        if (graph_is_node(graph, slot) && !reach_has(&r, slot) &&
            !(join && slot_join(graph, &r, slot)))
            missing++;
    if (done && unreachable)
        *unreachable = missing;
    vt_free(r.reached);
    vt_free(r.queue);
    return done;
}
