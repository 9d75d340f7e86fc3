/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: making one from a file. docs/formats/graph-index.md has the format and what is
 * checked.
 *
 * Method: segments are read into memory of the graph's own, where each is summed and its nodes are
 * looked at while they are in the cache, on all threads; then one walk over all slots finds what is
 * not in the file: edges to each node, free slots, removed ones that edges still lead to, the table
 * of ids. Why copied and not mapped, copy-on-write:
 *   - what was checked is what is used, whatever happens to the file afterwards;
 *   - a failing disk or a file cut short is an error, where a mapping would give a signal;
 *   - memory of our own comes in huge pages, which a walk is a good part faster for;
 *   - the last segment has room for what is added.
 * It costs copying, at memory's speed, and pages that processes do not share. Why all is checked
 * and not what is touched: a walk jumps through every segment, so the first search would wait for
 * nearly as much, and each step of every later one would have to ask.
 */
#include "index/graph_frame.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

typedef struct load {
    const vt_snapshot *file;
    vt_graph *graph;
    graph_parameters parameters;
    uint8_t *kinds;  /* (slots) slot_kind, owned */
    uint32_t *edges; /* (slots) that lead there, owned */
    size_t live, nodes;
    vt_first_error failure; /* of the workers */
} load;

typedef enum slot_kind { SLOT_FREE, SLOT_NODE, SLOT_TWIN } slot_kind;

vt_graph_load_options vt_graph_load_options_defaults(void)
{
    return (vt_graph_load_options){.maximum_bytes = (uint64_t)1 << 40};
}

/* ---- the small sections ---- */

static vt_status graph_make(load *l, vt_error *error)
{
    const graph_parameters *p = &l->parameters;
    vt_graph_options options = graph_file_info(l->file, p).options;
    vt_error reason;
    vt_status status = vt_graph_new(p->dim, &options, &l->graph, &reason);
    if (status == VT_ERR_USAGE)
        return vt_snapshot_damaged(l->file, error, "its parameters: %s", reason.message);
    if (status != VT_OK)
        return vt_fail(error, status, "%s", reason.message);
    const vt_graph *graph = l->graph;
    if (p->code_bytes != graph->code_bytes || p->fine_bytes != graph->fine_bytes ||
        p->node_bytes != graph->node_bytes || p->neighbours != graph->degree)
        return vt_snapshot_damaged(l->file, error, "its nodes have %u bytes and should have %zu",
                                   p->node_bytes, graph->node_bytes);
    if (p->rotation != vt_coder_rotation_sum(graph->coder))
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "read graph index: its codes are of another program, with other rotations");
    size_t slot_bytes = graph->node_bytes + graph->fine_bytes + sizeof(uint64_t);
    for (size_t i = 0; i < graph_segments(p->slots); i++)
        if (vt_snapshot_section_at(l->file, GRAPH_FIRST_SLOTS + i).length !=
            graph_segment_slots(p->slots, i) * slot_bytes)
            return vt_snapshot_damaged(l->file, error, "segment %zu has the wrong size", i);
    return VT_OK;
}

static vt_status mean_load(load *l, vt_error *error)
{
    size_t count = vt_coder_mean(l->graph->coder) ? l->graph->dim : 0;
    float *mean = vt_alloc_array(count, sizeof *mean);
    if (mean == NULL)
        return vt_fail_memory(error, "graph index");
    vt_snapshot_part part = {mean, count * sizeof *mean};
    vt_status status = vt_snapshot_read(l->file, 1, &part, 1, error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        if (!(fabsf(mean[i]) <= 1e18f))
            status = vt_snapshot_damaged(l->file, error, "its mean is no vector");
    if (status == VT_OK && count > 0)
        vt_coder_mean_set(l->graph->coder, mean);
    vt_free(mean);
    return status;
}

static vt_status entries_load(load *l, vt_error *error)
{
    uint32_t entries[ENTRIES_MAXIMUM];
    uint64_t bytes = vt_snapshot_section_at(l->file, 2).length;
    if (bytes % sizeof *entries != 0 || bytes > sizeof entries)
        return vt_snapshot_damaged(l->file, error, "its entries have %llu bytes",
                                   (unsigned long long)bytes);
    vt_snapshot_part part = {entries, (size_t)bytes};
    size_t count = (size_t)bytes / sizeof *entries;
    vt_status status = vt_snapshot_read(l->file, 2, &part, 1, error);
    if (status == VT_OK && (count == 0) != (l->nodes == 0))
        status = vt_snapshot_damaged(l->file, error, "it has %zu nodes and %zu entries", l->nodes,
                                     count);
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        bool good = entries[i] < l->parameters.slots && l->kinds[entries[i]] == SLOT_NODE;
        for (size_t j = 0; j < i; j++)
            good = good && entries[j] != entries[i];
        if (!good)
            status = vt_snapshot_damaged(l->file, error, "entry %zu is no node, or comes twice", i);
        atomic_store(&l->graph->entries[i], entries[i]);
    }
    if (status == VT_OK)
        atomic_store(&l->graph->entry_count, count);
    return status;
}

/* ---- segments, on all threads ---- */

/* What a node says by itself, without looking at others. */
static bool slot_check(load *l, uint32_t slot, float *scratch)
{
    vt_graph *graph = l->graph;
    const uint64_t slots = l->parameters.slots;
    graph_links *links = graph_links_of(graph, slot);
    uint32_t state = links_state(links);
    if (state == LINK_DEAD) {
        graph_next_put(graph, slot, NO_SLOT);
        l->kinds[slot] = SLOT_FREE;
        return true;
    }
    uint32_t next = graph_next(graph, slot);
    graph_next_put(graph, slot, next);
    if ((next != NO_SLOT && next >= slots) ||
        !vt_coder_code_is_finite(graph->coder, graph_code(graph, slot), scratch))
        return false;
    if (state == LINK_TWIN) {
        l->kinds[slot] = SLOT_TWIN;
        return atomic_load_explicit(&links->in_degree, memory_order_relaxed) < slots;
    }
    if (state > graph->degree)
        return false;
    l->kinds[slot] = SLOT_NODE;
    for (size_t i = 0; i < state; i++) {
        uint32_t neighbour = links_neighbour(links, i);
        if (neighbour >= slots || neighbour == slot)
            return false;
    }
    return true;
}

static vt_status segment_read(load *l, size_t index, float *scratch, vt_error *error)
{
    vt_graph *graph = l->graph;
    size_t count = graph_segment_slots(l->parameters.slots, index);
    uint32_t begin = (uint32_t)(index * SEGMENT_SLOTS);
    char *segment = graph_segment(graph, begin);
    vt_snapshot_part parts[] = {
        {segment, count * graph->node_bytes},
        {segment + graph->fines_at, count * graph->fine_bytes},
        {segment + graph->labels_at, count * sizeof(uint64_t)},
    };
    vt_status status = vt_snapshot_read(l->file, GRAPH_FIRST_SLOTS + index, parts, 3, error);
    for (uint32_t slot = begin; status == VT_OK && slot < begin + count; slot++)
        if (!slot_check(l, slot, scratch))
            status = vt_snapshot_damaged(l->file, error, "slot %u says what cannot be", slot);
    return status;
}

static void segment_load(void *context, size_t index)
{
    load *l = context;
    vt_error error;
    float *scratch = vt_alloc_array(vt_coder_width(l->graph->coder), sizeof *scratch);
    vt_status status = scratch == NULL ? vt_fail_memory(&error, "graph index")
                                       : segment_read(l, index, scratch, &error);
    vt_free(scratch);
    vt_first_error_note(&l->failure, status, &error);
}

static vt_status segments_load(load *l, vt_pool *pool, vt_error *error)
{
    size_t slots = (size_t)l->parameters.slots;
    l->kinds = vt_calloc(slots, sizeof *l->kinds);
    l->edges = vt_calloc(slots, sizeof *l->edges);
    if (l->kinds == NULL || l->edges == NULL || !graph_slots_hold(l->graph, slots))
        return vt_fail_memory(error, "graph index");
    l->graph->slot_count = slots;
    vt_pool_for(pool, graph_segments(slots), segment_load, l);
    return vt_first_error_give(&l->failure, error);
}

/* ---- all slots together ---- */

static void edges_count(load *l)
{
    for (uint32_t slot = 0; slot < l->parameters.slots; slot++) {
        if (l->kinds[slot] == SLOT_FREE)
            continue;
        const graph_links *links = graph_links_of(l->graph, slot);
        size_t degree = links_state(links) & LINK_DEGREE;
        for (size_t i = 0; i < degree; i++)
            l->edges[links_neighbour(links, i)]++;
        l->live++;
        l->nodes += l->kinds[slot] == SLOT_NODE;
    }
}

/* Follows the twins of a node. Each leads back to the one before it, and one slot leads back to one
 * only, so a chain that begins at a node, which leads back to none, cannot come round again. */
static bool twins_check(load *l, uint32_t head, size_t *twins)
{
    const vt_graph *graph = l->graph;
    uint32_t before = head;
    for (;;) {
        uint32_t slot = graph_next(graph, before);
        if (slot == NO_SLOT)
            return true;
        const graph_links *links = graph_links_of(graph, slot);
        if (l->kinds[slot] != SLOT_TWIN ||
            atomic_load_explicit(&links->in_degree, memory_order_relaxed) != before ||
            memcmp(graph_code(graph, head), graph_code(graph, slot), graph->code_bytes) != 0)
            return false;
        before = slot;
        ++*twins;
    }
}

static void slot_free(load *l, uint32_t slot)
{
    vt_graph *graph = l->graph;
    if (l->edges[slot] == 0) {
        graph_slot_retire(graph, slot);
        return;
    }
    atomic_store_explicit(&graph_links_of(graph, slot)->in_degree, l->edges[slot],
                          memory_order_relaxed);
    graph->stale[slot / 8] |= (uint8_t)(1u << slot % 8);
    graph->stale_count++;
}

static vt_status slots_link(load *l, vt_error *error)
{
    vt_graph *graph = l->graph;
    size_t twins = 0;
    for (uint32_t slot = 0; slot < l->parameters.slots; slot++) {
        if (l->kinds[slot] == SLOT_FREE) {
            slot_free(l, slot);
            continue;
        }
        const graph_links *links = graph_links_of(graph, slot);
        bool twin = l->kinds[slot] == SLOT_TWIN;
        uint32_t wanted = twin ? 0 : atomic_load_explicit(&links->in_degree, memory_order_relaxed);
        if (l->edges[slot] != wanted)
            return vt_snapshot_damaged(l->file, error, "%u edges lead to slot %u, not %u",
                                       l->edges[slot], slot, wanted);
        if (!twin && !twins_check(l, slot, &twins))
            return vt_snapshot_damaged(l->file, error, "the twins of slot %u are none", slot);
        uint32_t id = graph_id(graph, slot);
        if (graph_table_find(graph, id) != NO_SLOT)
            return vt_snapshot_damaged(l->file, error, "id %u comes twice", id);
        graph_table_put(graph, id, slot);
    }
    if (l->live != l->parameters.rows || l->nodes + twins != l->live)
        return vt_snapshot_damaged(l->file, error, "%zu nodes and %zu twins are not %llu rows",
                                   l->nodes, twins, (unsigned long long)l->parameters.rows);
    return VT_OK;
}

static vt_status all_load(load *l, vt_pool *pool, vt_error *error)
{
    vt_status status = graph_parameters_read(l->file, &l->parameters, error);
    if (status == VT_OK)
        status = graph_make(l, error);
    if (status == VT_OK)
        status = mean_load(l, error);
    if (status == VT_OK)
        status = segments_load(l, pool, error);
    if (status != VT_OK)
        return status;
    edges_count(l);
    status = slots_link(l, error);
    if (status == VT_OK)
        status = entries_load(l, error);
    if (status != VT_OK)
        return status;
    l->graph->trained = l->parameters.trained;
    atomic_store(&l->graph->row_count, l->live);
    graph_entries_spread(l->graph, l->graph->own);
    graph_slots_reclaim(l->graph);
    return VT_OK;
}

vt_status vt_graph_load(const char *path, const vt_graph_load_options *options, vt_graph **out,
                        vt_graph_file_info *info, vt_error *error)
{
    vt_snapshot *file;
    vt_status status =
        vt_snapshot_open(path, &graph_file_kind, options->maximum_bytes, &file, error);
    if (status != VT_OK)
        return status;
    load l = {.file = file};
    vt_first_error_init(&l.failure);
    status = all_load(&l, options->pool, error);
    if (status == VT_OK) {
        *out = l.graph;
        if (info)
            *info = graph_file_info(file, &l.parameters);
    } else {
        vt_graph_free(l.graph);
    }
    vt_first_error_deinit(&l.failure);
    vt_free(l.kinds);
    vt_free(l.edges);
    vt_snapshot_close(file);
    return status;
}
