/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: saving it, and the head of a saved one. graph_load.c reads the rest;
 * docs/formats/graph-index.md is the format.
 *
 * Method: slot by slot, through the frame of base/snapshot.h. The writer's lock is held while slots
 * are copied out, so that what is saved is the graph between two changes, and let go before the
 * file is synced: copying takes as long as memory and the page cache do (a million vectors of 464
 * bytes: some tenths of a second), syncing as long as the disk does. Searches hold no lock and are
 * not held up. Copying the graph to memory first would free writers sooner by little, and need
 * twice the memory.
 *
 * What is not in use is written as zeros: memory that was never written must not get into a file,
 * and what was removed must not stay in one.
 */
#include "index/graph_frame.h"

#include "base/mem.h"

#include <string.h>

const vt_snapshot_kind graph_file_kind = {.magic = "VTGRAPH1", .version = 1, .what = "graph index"};

/* ---- saving ---- */

/* The node without what is not in use, into (node_bytes). */
static void node_copy(const vt_graph *graph, uint32_t slot, char *out)
{
    const graph_links *from = graph_links_of(graph, slot);
    graph_links *to = (graph_links *)(void *)(out + graph->code_bytes);
    uint32_t state = links_state(from);
    memset(out, 0, graph->node_bytes);
    atomic_store_explicit(&to->state, state, memory_order_relaxed);
    if (state & LINK_DEAD)
        return;
    memcpy(out, graph_code(graph, slot), graph->code_bytes);
    atomic_store_explicit(&to->in_degree, atomic_load(&from->in_degree), memory_order_relaxed);
    atomic_store_explicit(&to->next, atomic_load(&from->next), memory_order_relaxed);
    for (size_t i = 0; i < (state & LINK_DEGREE); i++)
        atomic_store_explicit(&to->neighbours[i], links_neighbour(from, i), memory_order_relaxed);
}

static bool slot_is_dead(const vt_graph *graph, uint32_t slot)
{
    return links_state(graph_links_of(graph, slot)) & LINK_DEAD;
}

/* node: (node_bytes) and zeros: (fine_bytes), scratch. */
static void segment_write(const vt_graph *graph, size_t index, vt_snapshot_writer *writer,
                          char *node, const char *zeros)
{
    uint32_t begin = (uint32_t)(index * SEGMENT_SLOTS);
    uint32_t end = begin + (uint32_t)graph_segment_slots(graph->slot_count, index);
    bool good = vt_snapshot_section(writer, GRAPH_TAG_SLOTS);
    for (uint32_t slot = begin; good && slot < end; slot++) {
        node_copy(graph, slot, node);
        good = vt_snapshot_write(writer, node, graph->node_bytes);
    }
    for (uint32_t slot = begin; good && graph->fine_bytes > 0 && slot < end; slot++)
        good = vt_snapshot_write(
            writer, slot_is_dead(graph, slot) ? zeros : graph_fine(graph, slot), graph->fine_bytes);
    for (uint32_t slot = begin; good && slot < end; slot++) {
        uint64_t label = slot_is_dead(graph, slot) ? 0 : atomic_load(graph_label(graph, slot));
        good = vt_snapshot_write(writer, &label, sizeof label);
    }
}

static void parameters_write(const vt_graph *graph, const vt_index_origin *origin,
                             vt_snapshot_writer *writer)
{
    graph_parameters parameters = {
        .model = origin->model,
        .codec = (uint32_t)graph->options.codec,
        .metric = (uint32_t)graph->options.metric,
        .dim = (uint32_t)graph->dim,
        .degree = (uint32_t)graph->options.degree,
        .width = (uint32_t)graph->options.width,
        .alpha = graph->options.alpha,
        .code_bytes = (uint32_t)graph->code_bytes,
        .fine_bytes = (uint32_t)graph->fine_bytes,
        .node_bytes = (uint32_t)graph->node_bytes,
        .neighbours = (uint32_t)graph->degree,
        .slots = graph->slot_count,
        .rows = vt_graph_count(graph),
        .trained = graph->trained,
        .rotation = vt_coder_rotation_sum(graph->coder),
    };
    (void)vt_snapshot_section(writer, GRAPH_TAG_PARAMETERS);
    (void)vt_snapshot_write(writer, &parameters, sizeof parameters);
    const float *mean = vt_coder_mean(graph->coder);
    (void)vt_snapshot_section(writer, GRAPH_TAG_MEAN);
    (void)vt_snapshot_write(writer, mean, mean ? graph->dim * sizeof *mean : 0);
    (void)vt_snapshot_section(writer, GRAPH_TAG_ENTRIES);
    for (size_t i = 0; i < atomic_load(&graph->entry_count); i++) {
        uint32_t entry = atomic_load(&graph->entries[i]);
        (void)vt_snapshot_write(writer, &entry, sizeof entry);
    }
}

vt_status vt_graph_save(vt_graph *graph, const char *path, const vt_index_origin *origin,
                        vt_error *error)
{
    vt_snapshot_writer *writer;
    vt_snapshot_head head = {origin->change, origin->session};
    char *node = vt_alloc_aligned(64, graph->node_bytes);
    char *zeros = vt_calloc(graph->fine_bytes, 1);
    vt_status status = node && zeros
                           ? vt_snapshot_create(path, &graph_file_kind, &head, &writer, error)
                           : vt_fail_memory(error, "a snapshot of the graph index");
    if (status == VT_OK) {
        pthread_mutex_lock(&graph->writer);
        parameters_write(graph, origin, writer);
        for (size_t i = 0; i < graph_segments(graph->slot_count); i++)
            segment_write(graph, i, writer, node, zeros);
        pthread_mutex_unlock(&graph->writer);
        status = vt_snapshot_commit(writer, error);
    }
    vt_free(node);
    vt_free(zeros);
    return status;
}

/* ---- the head ---- */

static bool is_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

vt_status graph_parameters_read(const vt_snapshot *file, graph_parameters *out, vt_error *error)
{
    graph_parameters p;
    vt_snapshot_part part = {&p, sizeof p};
    size_t sections = vt_snapshot_sections(file);
    if (sections < GRAPH_FIRST_SLOTS)
        return vt_snapshot_damaged(file, error, "it has only %zu sections", sections);
    for (size_t i = 0; i < sections; i++) {
        uint32_t tag = vt_snapshot_section_at(file, i).tag;
        uint32_t want =
            i < GRAPH_FIRST_SLOTS ? (uint32_t)i + GRAPH_TAG_PARAMETERS : (uint32_t)GRAPH_TAG_SLOTS;
        if (tag != want)
            return vt_snapshot_damaged(file, error, "section %zu has tag %u", i, tag);
    }
    vt_status status = vt_snapshot_read(file, 0, &part, 1, error);
    if (status != VT_OK)
        return status;
    if (p.codec >= VT_CODEC_COUNT || p.metric > VT_METRIC_L2 || p.dim < 1 ||
        p.dim > VT_GRAPH_MAX_DIM || p.trained > 1 || !is_zero(p.zeros, sizeof p.zeros))
        return vt_snapshot_damaged(file, error, "its parameters cannot be");
    if (p.slots > (uint64_t)SEGMENTS_MAXIMUM * SEGMENT_SLOTS || p.rows > p.slots ||
        sections != GRAPH_FIRST_SLOTS + graph_segments(p.slots))
        return vt_snapshot_damaged(file, error, "it says %llu rows in %llu slots",
                                   (unsigned long long)p.rows, (unsigned long long)p.slots);
    *out = p;
    return VT_OK;
}

vt_graph_file_info graph_file_info(const vt_snapshot *file, const graph_parameters *p)
{
    vt_snapshot_head head = vt_snapshot_head_of(file);
    return (vt_graph_file_info){
        .origin = {head.change, head.session, p->model},
        .options = {(vt_codec)p->codec, (vt_metric)p->metric, p->degree, p->width, p->alpha},
        .dim = p->dim,
        .rows = (size_t)p->rows,
        .bytes = vt_snapshot_bytes(file)};
}

vt_status vt_graph_file_info_of(const char *path, vt_graph_file_info *out, vt_error *error)
{
    vt_snapshot *file;
    vt_graph_load_options options = vt_graph_load_options_defaults();
    vt_status status =
        vt_snapshot_open(path, &graph_file_kind, options.maximum_bytes, &file, error);
    if (status != VT_OK)
        return status;
    graph_parameters parameters;
    status = graph_parameters_read(file, &parameters, error);
    if (status == VT_OK)
        *out = graph_file_info(file, &parameters);
    vt_snapshot_close(file);
    return status;
}
