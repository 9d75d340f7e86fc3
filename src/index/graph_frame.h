/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/index: what a snapshot of the graph holds, for both directions. No state. */
#ifndef VT_INDEX_GRAPH_FRAME_H
#define VT_INDEX_GRAPH_FRAME_H

#include "index/graph_file.h"
#include "index/graph_nodes.h"

/* docs/formats/graph-index.md */
enum {
    GRAPH_TAG_PARAMETERS = 1,
    GRAPH_TAG_MEAN = 2,
    GRAPH_TAG_ENTRIES = 3,
    GRAPH_TAG_SLOTS = 4,
    GRAPH_FIRST_SLOTS = 3, /* sections before those of slots */
};

typedef struct graph_parameters {
    vt_hash model;
    uint32_t codec, metric, dim, degree, width;
    float alpha;
    uint32_t code_bytes, fine_bytes, node_bytes, neighbours;
    uint64_t slots, rows;
    uint32_t trained, rotation;
    uint8_t zeros[32];
} graph_parameters;
_Static_assert(sizeof(graph_parameters) == 128, "the parameters have no gaps");

extern const vt_snapshot_kind graph_file_kind;

/* How many slots of the graph lie in its segment `index`. */
static inline size_t graph_segment_slots(uint64_t slots, size_t index)
{
    uint64_t left = slots - (uint64_t)index * SEGMENT_SLOTS;
    return left < SEGMENT_SLOTS ? (size_t)left : SEGMENT_SLOTS;
}

static inline size_t graph_segments(uint64_t slots)
{
    return (size_t)((slots + SEGMENT_SLOTS - 1) / SEGMENT_SLOTS);
}

/* Reads and checks the parameters of an open snapshot, as far as they can be checked alone. */
vt_status graph_parameters_read(const vt_snapshot *file, graph_parameters *out, vt_error *error);
vt_graph_file_info graph_file_info(const vt_snapshot *file, const graph_parameters *parameters);

#endif
