/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: adding one row, or many at once.
 *
 * Method: inserting one after another (DiskANN, algorithm 3), each found its place by a walk. A
 * build shuffles the rows, because neighbours in the input often are neighbours in space, and early
 * nodes must be spread over all of it; inserts the first few hundred on one thread, and the rest on
 * all, who lock single nodes while they change a list. At the end, nodes that cannot be reached
 * from the entries get an edge from a near node that can.
 */
#include "index/graph_nodes.h"

#include "base/mem.h"

#include <string.h>

enum { CHUNK = 64, SERIAL_ROWS = 512, TRAINING_ROWS = 8192 };

/* ---- one row ---- */

static void label_put(vt_graph *graph, uint32_t slot, uint32_t id, uint32_t group)
{
    atomic_store_explicit(graph_label(graph, slot), (uint64_t)group << 32 | id,
                          memory_order_relaxed);
}

static void slot_encode(vt_graph *graph, graph_walker *walker, uint32_t slot, const float *vector)
{
    vt_coder_encode(graph->coder, vector, walker->scratch, graph_code(graph, slot),
                    graph_fine(graph, slot));
}

static void slot_link(vt_graph *graph, graph_walker *walker, uint32_t slot, const float *vector)
{
    vt_coder_query_set(graph->coder, walker->query, vector);
    graph_walk(graph, walker, graph->options.width, 0);
    graph_insert(graph, walker, slot);
    /* With it goes what was written before: a search that counts rows sees the codec trained. */
    atomic_fetch_add_explicit(&graph->row_count, 1, memory_order_release);
    if (!(links_state(graph_links_of(graph, slot)) & LINK_TWIN))
        graph_entry_offer(graph, walker, slot);
}

static vt_status add_locked(vt_graph *graph, uint32_t id, uint32_t group, const float *vector,
                            vt_error *error)
{
    if (graph_table_find(graph, id) != NO_SLOT)
        return vt_fail(error, VT_ERR_EXISTS, "add vector %u to the index: it is there already", id);
    graph_slots_reclaim(graph);
    if (!graph_slots_hold(graph, 1))
        return vt_fail_memory(error, "graph index");
    uint32_t slot = graph_slot_take(graph);
    label_put(graph, slot, id, group);
    slot_encode(graph, graph->own, slot, vector);
    slot_link(graph, graph->own, slot, vector);
    graph_table_put(graph, id, slot);
    graph->trained = true; /* codes exist: too late for another mean */
    return VT_OK;
}

vt_status vt_graph_add(vt_graph *graph, uint32_t id, uint32_t group, const float *vector,
                       vt_error *error)
{
    vt_status status = vt_coder_check(graph->coder, vector, "add a vector to the index", error);
    if (status != VT_OK)
        return status;
    pthread_mutex_lock(&graph->writer);
    status = add_locked(graph, id, group, vector, error);
    pthread_mutex_unlock(&graph->writer);
    return status;
}

/* ---- many ---- */

typedef struct build {
    vt_graph *graph;
    const vt_graph_rows *rows;
    uint32_t *slots;        /* (count) of the rows */
    uint32_t *order;        /* (count) rows in the order of insertion */
    graph_walker **walkers; /* (threads) */
    size_t threads;
    atomic_size_t next;
} build;

static const float *row_vector(const build *b, size_t row)
{
    return b->rows->vectors + row * b->graph->dim;
}

static void rows_encode(void *context, size_t worker)
{
    build *b = context;
    for (;;) {
        size_t begin = atomic_fetch_add_explicit(&b->next, CHUNK, memory_order_relaxed);
        for (size_t row = begin; row < begin + CHUNK && row < b->rows->count; row++)
            slot_encode(b->graph, b->walkers[worker], b->slots[row], row_vector(b, row));
        if (begin >= b->rows->count)
            return;
    }
}

static void rows_link(void *context, size_t worker)
{
    build *b = context;
    for (;;) {
        size_t begin = atomic_fetch_add_explicit(&b->next, CHUNK, memory_order_relaxed);
        for (size_t i = begin; i < begin + CHUNK && i < b->rows->count; i++)
            slot_link(b->graph, b->walkers[worker], b->slots[b->order[i]],
                      row_vector(b, b->order[i]));
        if (begin >= b->rows->count)
            return;
    }
}

static void order_shuffle(build *b)
{
    vt_random random;
    vt_random_init(&random, b->rows->count);
    for (size_t i = 0; i < b->rows->count; i++) {
        size_t at = (size_t)vt_random_below(&random, i + 1);
        b->order[i] = b->order[at];
        b->order[at] = (uint32_t)i;
    }
}

static void codec_train(build *b)
{
    vt_graph *graph = b->graph;
    size_t count = b->rows->count < TRAINING_ROWS ? b->rows->count : TRAINING_ROWS;
    if (graph->trained || count == 0)
        return;
    float *sample = vt_alloc_array(count, graph->dim * sizeof *sample);
    if (!sample) /* precision is lost, nothing else */
        return;
    for (size_t i = 0; i < count; i++)
        memcpy(sample + i * graph->dim, row_vector(b, b->order[i]), graph->dim * sizeof *sample);
    vt_coder_train(graph->coder, sample, count);
    vt_free(sample);
}

/* Slots with labels and places in the table. Undone when an id is there already. */
static vt_status rows_number(build *b, vt_error *error)
{
    vt_graph *graph = b->graph;
    for (size_t row = 0; row < b->rows->count; row++) {
        uint32_t id = b->rows->ids[row];
        if (graph_table_find(graph, id) != NO_SLOT) {
            while (row-- > 0) {
                graph_table_remove(graph, b->rows->ids[row]);
                graph_slot_retire(graph, b->slots[row]);
            }
            return vt_fail(error, VT_ERR_EXISTS,
                           "add vector %u to the index: it is there already, or comes twice", id);
        }
        b->slots[row] = graph_slot_take(graph);
        label_put(graph, b->slots[row], id, b->rows->groups ? b->rows->groups[row] : id);
        graph_table_put(graph, id, b->slots[row]);
    }
    return VT_OK;
}

static void build_deinit(build *b)
{
    for (size_t i = 0; b->walkers && i < b->threads; i++)
        graph_walker_free(b->walkers[i]);
    vt_free(b->walkers);
    vt_free(b->slots);
    vt_free(b->order);
}

/* Takes all memory at once: after this a build cannot fail for want of it. */
static bool build_init(build *b)
{
    b->slots = vt_alloc_array(b->rows->count, sizeof *b->slots);
    b->order = vt_alloc_array(b->rows->count, sizeof *b->order);
    b->walkers = vt_calloc(b->threads, sizeof *b->walkers);
    if (!b->slots || !b->order || !b->walkers)
        return false;
    for (size_t i = 0; i < b->threads; i++) {
        b->walkers[i] = graph_walker_new(b->graph);
        if (!b->walkers[i] || !graph_walker_prepare(b->graph, b->walkers[i]))
            return false;
    }
    return graph_slots_hold(b->graph, b->rows->count);
}

static vt_status build_locked(build *b, vt_pool *pool, vt_error *error)
{
    vt_graph *graph = b->graph;
    graph_slots_reclaim(graph);
    if (!build_init(b))
        return vt_fail_memory(error, "graph index");
    vt_status status = rows_number(b, error);
    if (status != VT_OK)
        return status;
    order_shuffle(b);
    codec_train(b);
    graph->trained = true;
    vt_pool_for(pool, b->threads, rows_encode, b);
    size_t serial = 0;
    for (; serial < b->rows->count && vt_graph_count(graph) < SERIAL_ROWS; serial++)
        slot_link(graph, b->walkers[0], b->slots[b->order[serial]],
                  row_vector(b, b->order[serial]));
    atomic_store_explicit(&b->next, serial, memory_order_relaxed);
    vt_pool_for(pool, b->threads, rows_link, b);
    graph_entries_spread(graph, graph->own);
    (void)graph_reach(graph, true, NULL); /* without memory for it, settling may do it */
    return VT_OK;
}

vt_status vt_graph_build(vt_graph *graph, const vt_graph_rows *rows, vt_pool *pool, vt_error *error)
{
    for (size_t row = 0; row < rows->count; row++) {
        vt_status status = vt_coder_check(graph->coder, rows->vectors + row * graph->dim,
                                          "add a vector to the index", error);
        if (status != VT_OK)
            return vt_fail_context(error, status, "row %zu of %zu", row + 1, rows->count);
    }
    if (rows->count == 0)
        return VT_OK;
    if (rows->count > (size_t)SEGMENTS_MAXIMUM * SEGMENT_SLOTS)
        return vt_fail(error, VT_ERR_LIMIT, "add %zu vectors to the index: it holds at most %d",
                       rows->count, SEGMENTS_MAXIMUM * SEGMENT_SLOTS);
    build b = {.graph = graph, .rows = rows};
    b.threads = pool ? (size_t)vt_pool_threads(pool) : 1;
    pthread_mutex_lock(&graph->writer);
    vt_status status = build_locked(&b, pool, error);
    pthread_mutex_unlock(&graph->writer);
    build_deinit(&b);
    return status;
}
