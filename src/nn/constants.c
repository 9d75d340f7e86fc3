/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants that lie in the model's file instead of in memory.
 *
 * Raw data in a protobuf starts at any byte, and what computes with it wants whole elements. So a
 * reader acquires a constant: one that happens to be aligned is read in the mapped file, any other
 * as one aligned copy that all readers share, made for the first and freed after the last. The
 * kernel is told when pages of the file may go: once copied, and when a constant is released.
 *
 * Threads: acquiring and releasing is safe from any thread.
 */
#include "nn/graph.h"

#include <pthread.h>
#include <string.h>

struct vt_lent {
    pthread_mutex_t lock;   /* guards copies and references */
    size_t mapping, offset; /* where it lies */
    void *copy;
    size_t references;
};

vt_status vt_graph_keep_mapping(vt_graph *graph, vt_mapping *mapping, vt_error *error)
{
    void *mappings = graph->mappings;
    if (!vt_grow(&mappings, &graph->mapping_capacity, graph->mapping_count + 1,
                 sizeof(*graph->mappings), SIZE_MAX)) {
        vt_mapping_close(mapping);
        return vt_fail_memory(error, "the graph's files");
    }
    graph->mappings = mappings;
    graph->mappings[graph->mapping_count++] = *mapping;
    *mapping = (vt_mapping){0};
    return VT_OK;
}

static bool mapping_holds(const vt_mapping *mapping, const vt_tensor *tensor)
{
    uintptr_t start = (uintptr_t)mapping->bytes, at = (uintptr_t)tensor->data;
    return mapping->bytes != NULL && at >= start && at - start < mapping->length &&
           tensor->bytes <= mapping->length - (at - start);
}

vt_status vt_graph_lend(vt_graph *graph, vt_value_id value, vt_error *error)
{
    const vt_tensor *tensor = graph->values[value].constant;
    for (size_t i = 0; i < graph->mapping_count; i++) {
        if (!mapping_holds(&graph->mappings[i], tensor))
            continue;
        struct vt_lent *lent = vt_arena_alloc(&graph->arena, sizeof(*lent));
        if (lent == NULL || pthread_mutex_init(&lent->lock, NULL) != 0)
            return vt_fail_memory(error, "a weight");
        lent->mapping = i;
        lent->offset = (size_t)((const uint8_t *)tensor->data - graph->mappings[i].bytes);
        graph->values[value].lent = lent;
        return VT_OK;
    }
    return VT_OK;
}

static void pages_release(const vt_graph *graph, const struct vt_lent *lent, size_t bytes)
{
    vt_mapping_release(&graph->mappings[lent->mapping], lent->offset, bytes);
}

vt_status vt_graph_acquire(const vt_graph *graph, vt_value_id value, vt_tensor *out,
                           vt_error *error)
{
    const vt_tensor *constant = graph->values[value].constant;
    struct vt_lent *lent = graph->values[value].lent;
    vt_status status = VT_OK;
    vt_tensor tensor = *constant;
    tensor.owned = false;
    if (lent != NULL && (uintptr_t)constant->data % vt_dtype_bytes(constant->dtype) != 0) {
        pthread_mutex_lock(&lent->lock);
        if (lent->copy == NULL) {
            lent->copy = vt_alloc_aligned(64, tensor.bytes);
            if (lent->copy == NULL)
                status = vt_fail_memory(error, "a weight");
            else
                memcpy(lent->copy, constant->data, tensor.bytes);
            pages_release(graph, lent, tensor.bytes);
        }
        lent->references += status == VT_OK;
        tensor.data = lent->copy;
        pthread_mutex_unlock(&lent->lock);
    }
    if (status == VT_OK)
        *out = tensor;
    return status;
}

void vt_graph_release(const vt_graph *graph, vt_value_id value)
{
    struct vt_lent *lent = graph->values[value].lent;
    if (lent == NULL)
        return;
    pthread_mutex_lock(&lent->lock);
    if (lent->references > 0 && --lent->references == 0) {
        vt_free(lent->copy);
        lent->copy = NULL;
    }
    pthread_mutex_unlock(&lent->lock);
    pages_release(graph, lent, graph->values[value].constant->bytes);
}

void vt_graph_release_pages(const vt_graph *graph)
{
    for (size_t i = 0; i < graph->mapping_count; i++)
        vt_mapping_release(&graph->mappings[i], 0, graph->mappings[i].length);
}

void vt_graph_lent_deinit(vt_graph *graph)
{
    for (size_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].lent != NULL) {
            vt_free(graph->values[i].lent->copy);
            pthread_mutex_destroy(&graph->values[i].lent->lock);
        }
    for (size_t i = 0; i < graph->mapping_count; i++)
        vt_mapping_close(&graph->mappings[i]);
    vt_free(graph->mappings);
}
