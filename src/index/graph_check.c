/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: the validator. Everything that graph_nodes.h promises is looked at, node by
 * node, with the writer's lock held; what is wrong first is reported.
 */
#include "index/graph_nodes.h"

#include "base/mem.h"

#include <string.h>

typedef struct check {
    vt_graph *graph;
    vt_error *error;
    uint32_t *in_degrees; /* (slots) as counted here */
    vt_graph_shape shape;
} check;

static vt_status node_check(check *c, uint32_t slot)
{
    uint32_t neighbours[VT_GRAPH_MAX_DEGREE];
    size_t degree = links_state(graph_links_of(c->graph, slot)) & LINK_DEGREE;
    if (degree > c->graph->degree)
        return vt_fail(c->error, VT_ERR_CORRUPT, "check the graph: node %u has %zu neighbours",
                       slot, degree);
    (void)graph_neighbours(c->graph, slot, neighbours);
    for (size_t i = 0; i < degree; i++) {
        if (neighbours[i] >= c->graph->slot_count)
            return vt_fail(c->error, VT_ERR_CORRUPT,
                           "check the graph: node %u has neighbour %u of %zu", slot, neighbours[i],
                           c->graph->slot_count);
        if (neighbours[i] == slot)
            return vt_fail(c->error, VT_ERR_CORRUPT,
                           "check the graph: node %u is its own neighbour", slot);
        for (size_t j = 0; j < i; j++)
            if (neighbours[i] == neighbours[j])
                return vt_fail(c->error, VT_ERR_CORRUPT,
                               "check the graph: node %u has neighbour %u twice", slot,
                               neighbours[i]);
        if (links_state(graph_links_of(c->graph, neighbours[i])) & LINK_TWIN)
            return vt_fail(c->error, VT_ERR_CORRUPT,
                           "check the graph: node %u has the twin %u as neighbour", slot,
                           neighbours[i]);
        c->in_degrees[neighbours[i]]++;
    }
    c->shape.nodes++;
    c->shape.edges += degree;
    if (degree > c->shape.degree_maximum)
        c->shape.degree_maximum = degree;
    return VT_OK;
}

/* The node's rows are found by their ids, and hang together in both directions. */
static vt_status rows_check(check *c, uint32_t head)
{
    uint32_t before = head;
    for (uint32_t slot = head; slot != NO_SLOT;) {
        const graph_links *links = graph_links_of(c->graph, slot);
        if (c->shape.rows++ > c->graph->slot_count)
            return vt_fail(c->error, VT_ERR_CORRUPT, "check the graph: the twins of %u form a ring",
                           head);
        if (graph_table_find(c->graph, graph_id(c->graph, slot)) != slot)
            return vt_fail(c->error, VT_ERR_CORRUPT,
                           "check the graph: id %u does not lead to its slot %u",
                           graph_id(c->graph, slot), slot);
        if (slot != head &&
            (links_state(links) != LINK_TWIN || atomic_load(&links->in_degree) != before ||
             memcmp(graph_code(c->graph, head), graph_code(c->graph, slot), c->graph->code_bytes) !=
                 0))
            return vt_fail(c->error, VT_ERR_CORRUPT, "check the graph: slot %u is no twin of %u",
                           slot, head);
        before = slot;
        slot = graph_next(c->graph, before);
        if ((slot != NO_SLOT) != (atomic_load(graph_twinned(c->graph, before)) >> before % 64 & 1))
            return vt_fail(c->error, VT_ERR_CORRUPT,
                           "check the graph: whether slot %u has a twin is noted wrongly", before);
    }
    return VT_OK;
}

static bool slot_stale(const vt_graph *graph, uint32_t slot)
{
    return graph->stale[slot / 8] >> slot % 8 & 1;
}

static vt_status degrees_check(check *c)
{
    for (uint32_t slot = 0; slot < c->graph->slot_count; slot++) {
        const graph_links *links = graph_links_of(c->graph, slot);
        uint32_t state = links_state(links), counted = c->in_degrees[slot];
        bool stale = slot_stale(c->graph, slot);
        c->shape.stale += stale;
        if (stale && !(state & LINK_DEAD))
            return vt_fail(c->error, VT_ERR_CORRUPT, "check the graph: node %u is stale, not dead",
                           slot);
        if ((state & LINK_DEAD) && !stale && counted > 0)
            return vt_fail(c->error, VT_ERR_CORRUPT,
                           "check the graph: %u edges lead to the unused slot %u", counted, slot);
        if ((!(state & (LINK_DEAD | LINK_TWIN)) || stale) &&
            counted != atomic_load(&links->in_degree))
            return vt_fail(c->error, VT_ERR_CORRUPT,
                           "check the graph: %u edges lead to node %u, which counts %u", counted,
                           slot, atomic_load(&links->in_degree));
    }
    return VT_OK;
}

static bool is_node(const vt_graph *graph, uint32_t slot)
{
    return slot < graph->slot_count && graph_is_node(graph, slot);
}

static vt_status entries_check(check *c)
{
    size_t count = atomic_load(&c->graph->entry_count);
    if (count == 0 && c->shape.nodes > 0)
        return vt_fail(c->error, VT_ERR_CORRUPT, "check the graph: there is no entry");
    for (size_t i = 0; i < count; i++) {
        uint32_t slot = atomic_load(&c->graph->entries[i]);
        if (!is_node(c->graph, slot))
            return vt_fail(c->error, VT_ERR_CORRUPT,
                           "check the graph: entry %zu, slot %u, is no node", i, slot);
    }
    for (size_t i = 0; i < ENTRIES_MAXIMUM * NEAR_MAXIMUM; i++) {
        uint32_t slot = atomic_load(&c->graph->near[i / NEAR_MAXIMUM][i % NEAR_MAXIMUM]);
        if (slot != NO_SLOT && !is_node(c->graph, slot))
            return vt_fail(c->error, VT_ERR_CORRUPT,
                           "check the graph: slot %u, near entry %zu, is no node", slot,
                           i / NEAR_MAXIMUM);
    }
    return VT_OK;
}

static vt_status all_check(check *c)
{
    vt_status status = VT_OK;
    for (uint32_t slot = 0; slot < c->graph->slot_count && status == VT_OK; slot++) {
        uint32_t state = links_state(graph_links_of(c->graph, slot));
        if (state & (LINK_DEAD | LINK_TWIN)) {
            if (state & (LINK_DEGREE | LINK_LOCKED))
                return vt_fail(c->error, VT_ERR_CORRUPT, "check the graph: slot %u has state %x",
                               slot, state);
            continue;
        }
        status = node_check(c, slot);
        if (status == VT_OK)
            status = rows_check(c, slot);
    }
    if (status == VT_OK && c->shape.rows != vt_graph_count(c->graph))
        status =
            vt_fail(c->error, VT_ERR_CORRUPT, "check the graph: %zu rows hang from nodes, of %zu",
                    c->shape.rows, vt_graph_count(c->graph));
    if (status == VT_OK)
        status = degrees_check(c);
    if (status == VT_OK && c->shape.stale != c->graph->stale_count)
        status = vt_fail(c->error, VT_ERR_CORRUPT, "check the graph: %zu nodes are stale, not %zu",
                         c->shape.stale, c->graph->stale_count);
    return status == VT_OK ? entries_check(c) : status;
}

vt_status vt_graph_check(vt_graph *graph, vt_graph_shape *shape, vt_error *error)
{
    check c = {.graph = graph, .error = error};
    pthread_mutex_lock(&graph->writer);
    vt_status status;
    c.in_degrees = vt_calloc(graph->slot_count, sizeof *c.in_degrees);
    if (!c.in_degrees)
        status = vt_fail_memory(error, "check of the graph");
    else
        status = all_check(&c);
    if (status == VT_OK && !graph_reach(graph, false, &c.shape.unreachable))
        status = vt_fail_memory(error, "check of the graph");
    pthread_mutex_unlock(&graph->writer);
    vt_free(c.in_degrees);
    if (status == VT_OK && shape)
        *shape = c.shape;
    return status;
}
