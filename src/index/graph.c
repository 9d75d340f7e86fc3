/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: making one, and what it tells of itself. A map of the rest:
 *
 *     graph_memory.c   slots, segments, the table of ids
 *     graph_entries.c  where walks begin
 *     graph_walk.c     walking towards a query
 *     graph_search.c   from a walk to hits
 *     graph_link.c     choosing neighbours
 *     graph_build.c    adding one row or many
 *     graph_remove.c   removing, and repairing what it leaves
 *     graph_check.c    the validator
 *
 * Method: a single-layer graph whose edges are pruned with a factor alpha (Vamana: Subramanya et
 * al., DiskANN, NeurIPS 2019, algorithms 1 to 3), built by inserting in random order. Departures:
 * one pass with the final alpha instead of two; walks begin at the nearest of a sample of nodes
 * instead of at the medoid, which does what the upper layers of HNSW do for far less; equal
 * vectors share a node; an edge that is the last to its target is never pruned.
 */
#include "index/graph_nodes.h"

#include "base/mem.h"

#include <string.h>

vt_graph_options vt_graph_options_defaults(void)
{
    return (vt_graph_options){.codec = VT_CODEC_INT4X2,
                              .metric = VT_METRIC_COSINE,
                              .degree = 32,
                              .width = 128,
                              .alpha = 1.06f};
}

static vt_status options_check(size_t dim, const vt_graph_options *options, vt_error *error)
{
    if (dim < 1 || dim > VT_GRAPH_MAX_DIM)
        return vt_fail(error, VT_ERR_USAGE, "make a graph of %zu dimensions: must be 1 to %d", dim,
                       VT_GRAPH_MAX_DIM);
    if (options->degree < 4 || options->degree > VT_GRAPH_MAX_DEGREE)
        return vt_fail(error, VT_ERR_USAGE, "make a graph of degree %zu: must be 4 to %d",
                       options->degree, VT_GRAPH_MAX_DEGREE);
    if (options->width < 8 || options->width > 4096)
        return vt_fail(error, VT_ERR_USAGE,
                       "make a graph with walks of width %zu: must be 8 to 4096", options->width);
    if (!(options->alpha >= 1.0f && options->alpha <= 4.0f))
        return vt_fail(error, VT_ERR_USAGE, "make a graph with alpha %g: must be 1 to 4",
                       (double)options->alpha);
    return VT_OK;
}

/* A node begins with its code and ends with a line of the cache; what rounding up would leave empty
 * holds neighbours. */
static void layout_choose(vt_graph *graph)
{
    size_t head = graph->code_bytes + sizeof(graph_links);
    graph->node_bytes = (head + graph->options.degree * sizeof(uint32_t) + 63) / 64 * 64;
    graph->degree = (graph->node_bytes - head) / sizeof(uint32_t);
    if (graph->degree > VT_GRAPH_MAX_DEGREE)
        graph->degree = VT_GRAPH_MAX_DEGREE;
    graph->fines_at = SEGMENT_SLOTS * graph->node_bytes;
    graph->labels_at = graph->fines_at + SEGMENT_SLOTS * graph->fine_bytes;
    graph->twinned_at = graph->labels_at + SEGMENT_SLOTS * sizeof(uint64_t);
    graph->segment_bytes = graph->twinned_at + SEGMENT_SLOTS / 8;
}

vt_status vt_graph_new(size_t dim, const vt_graph_options *options, vt_graph **out, vt_error *error)
{
    vt_status status = options_check(dim, options, error);
    if (status != VT_OK)
        return status;
    vt_coder *coder;
    status = vt_coder_new(options->codec, options->metric, dim, &coder, error);
    if (status != VT_OK)
        return status;
    vt_graph *graph = vt_calloc(1, sizeof *graph);
    if (!graph) {
        vt_coder_free(coder);
        return vt_fail_memory(error, "graph index");
    }
    graph->coder = coder;
    graph->options = *options;
    graph->dim = dim;
    graph->code_bytes = vt_coder_code_bytes(coder);
    graph->fine_bytes = vt_coder_fine_bytes(coder);
    graph->sketch_bytes = (vt_coder_sketch_bytes(coder) + 3) / 4 * 4;
    layout_choose(graph);
    graph->retired = graph->waiting = graph->unused = NO_SLOT;
    for (size_t i = 0; i < ENTRIES_MAXIMUM * NEAR_MAXIMUM; i++)
        atomic_init(&graph->near[i / NEAR_MAXIMUM][i % NEAR_MAXIMUM], NO_SLOT);
    vt_random_init(&graph->random, 1);
    pthread_mutex_init(&graph->writer, NULL);
    pthread_mutex_init(&graph->entries_mutex, NULL);
    graph->own = graph_walker_new(graph);
    if (!graph->own || !graph_walker_prepare(graph, graph->own)) {
        vt_graph_free(graph);
        return vt_fail_memory(error, "graph index");
    }
    *out = graph;
    return VT_OK;
}

void vt_graph_free(vt_graph *graph)
{
    if (!graph)
        return;
    for (size_t i = 0; i < WALKERS_MAXIMUM; i++)
        graph_walker_free(atomic_load(&graph->walkers[i]));
    graph_walker_free(graph->own);
    for (size_t i = 0; i < SEGMENTS_MAXIMUM; i++)
        vt_free(atomic_load(&graph->segments[i]));
    pthread_mutex_destroy(&graph->writer);
    pthread_mutex_destroy(&graph->entries_mutex);
    vt_coder_free(graph->coder);
    vt_free(graph->table);
    vt_free(graph->stale);
    vt_free(graph);
}

size_t vt_graph_count(const vt_graph *graph)
{
    return atomic_load_explicit(&graph->row_count, memory_order_acquire);
}

size_t vt_graph_dim(const vt_graph *graph)
{
    return graph->dim;
}

size_t vt_graph_degree(const vt_graph *graph)
{
    return graph->degree;
}

vt_codec vt_graph_codec(const vt_graph *graph)
{
    return graph->options.codec;
}

/* Through the table: slots tell neither which of them are in use nor whose rows they have. */
vt_status vt_graph_each(vt_graph *graph, vt_graph_visit *visit, void *context, vt_error *error)
{
    vt_status status = VT_OK;
    pthread_mutex_lock(&graph->writer);
    for (size_t i = 0; graph->table && status == VT_OK && i <= graph->table_mask; i++) {
        if (!graph->table[i])
            continue;
        uint64_t label =
            atomic_load_explicit(graph_label(graph, graph->table[i] - 1), memory_order_relaxed);
        status = visit(context, (uint32_t)label, (uint32_t)(label >> 32), error);
    }
    pthread_mutex_unlock(&graph->writer);
    return status;
}

bool vt_graph_has(vt_graph *graph, uint32_t id)
{
    pthread_mutex_lock(&graph->writer);
    bool has = graph_table_find(graph, id) != NO_SLOT;
    pthread_mutex_unlock(&graph->writer);
    return has;
}

size_t vt_graph_bytes(vt_graph *graph)
{
    pthread_mutex_lock(&graph->writer);
    size_t bytes = sizeof *graph + graph->slot_room / 8;
    bytes += graph->slot_room / SEGMENT_SLOTS * graph->segment_bytes;
    if (graph->table)
        bytes += (graph->table_mask + 1) * sizeof *graph->table;
    pthread_mutex_unlock(&graph->writer);
    return bytes;
}
