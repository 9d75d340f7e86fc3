/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the exact index holds its rows. Internal to this folder: flat.c keeps them, flat_search.c and
 * flat_pick.c read them.
 *
 * Rows lie in segments of a fixed number of rows, each one block of memory, so that an index grows
 * without ever copying more than its first, still small segment. A segment holds
 *     vectors   (rows, dim) f32 or f16, or (rows) codes, at the start, aligned to 64 bytes or more
 *     ids, groups   (rows)
 *     scales    (rows) 1 / length of the stored vector, only for VT_METRIC_COSINE; codes
 *               are of vectors of length 1 then
 * All segments but the first have room for segment_rows; row r is row r % segment_rows of segment
 * r / segment_rows, and rows 0..count-1 are in use.
 *
 * Threads: as flat.h says.
 */
#ifndef VT_INDEX_FLAT_ROWS_H
#define VT_INDEX_FLAT_ROWS_H

#include "index/flat.h"
#include "vector/distance.h"

typedef struct flat_segment {
    void *vectors; /* owned, with all that follows it */
    uint32_t *ids, *groups;
    float *scales;
    size_t capacity; /* rows */
    size_t bytes;
} flat_segment;

typedef struct flat_slot {
    uint32_t id, held; /* held: its row and 1; 0: none, the slot is empty */
} flat_slot;

struct vt_flat {
    size_t dim, row_bytes;
    vt_codec codec;
    vt_metric metric;
    const vt_distance_table *kernels;
    vt_coder *coder; /* owned; NULL for f32 and f16, whose kernels take rows side by side */
    float *scratch;  /* (width of the coder + dim), owned; what is added */
    flat_segment *segments;
    size_t segment_count, segment_room; /* used, and room for pointers */
    size_t segment_rows;                /* a power of two: */
    unsigned segment_shift;
    size_t reserved_rows;
    size_t count;
    vt_flat_screen *screen; /* owned; NULL: none (flat_screen.h) */
    flat_slot *slots;       /* open-addressing table of ids, owned */
    size_t slot_mask;       /* slots less one; 0 while there are none */
};

/* Vectors longer than this are refused, in rows and queries: within it no sum of products or
 * squared differences can leave f32, so that every similarity is a number. */
static const double VT_FLAT_MAX_LENGTH = 1e18;

static const size_t VT_FLAT_MAX_ROWS = UINT32_MAX - 1;   /* a slot holds row + 1 */
size_t vt_flat_row_of(const vt_flat *flat, uint32_t id); /* VT_FLAT_MAX_ROWS: not there */
/* Rows of many ids, in their order, without those that are not there: (count) at most. Returns how
 * many. */
size_t vt_flat_rows_of(const vt_flat *flat, const uint32_t *ids, size_t count, uint32_t *rows);
/* The row as it is stored, of f32 or f16, into f32: out (dim). */
void vt_flat_row_read(const vt_flat *flat, size_t row, float *out);

/* A row's segment, and its place in it. */
static inline flat_segment *vt_flat_segment(const vt_flat *flat, size_t row)
{
    return &flat->segments[row >> flat->segment_shift];
}

static inline size_t vt_flat_place(const vt_flat *flat, size_t row)
{
    return row & (flat->segment_rows - 1);
}

static inline const void *vt_flat_row_vector(const vt_flat *flat, size_t row)
{
    const flat_segment *segment = vt_flat_segment(flat, row);
    return (const char *)segment->vectors + vt_flat_place(flat, row) * flat->row_bytes;
}

/* Asks memory for bytes, from the beginning of a line on, that are about to be read. */
static inline void vt_flat_request(const void *from, size_t bytes)
{
    for (size_t byte = 0; byte < bytes; byte += 64)
        __builtin_prefetch((const char *)from + byte, 0, 3);
}

/* The least similarity that is of use to who holds these. */
static inline float vt_flat_wanted(const vt_topk *top, float min_similarity)
{
    float threshold = vt_topk_threshold(top);
    return threshold > min_similarity ? threshold : min_similarity;
}

/* A dot product with a query of length 1 into a cosine; scale: 1 / length of the row. */
static inline float vt_flat_cosine(float dot, float scale)
{
    float cosine = dot * scale;
    cosine = cosine < 1.0f ? cosine : 1.0f;
    return cosine > -1.0f ? cosine : -1.0f;
}

/* flat_pick.c: the best of options->ids, or by estimates of what the options say, for queries that
 * were checked; hits (count, options->k). False: memory is out. */
bool vt_flat_pick(const vt_flat *flat, const float *queries, size_t count,
                  const vt_scan_options *options, vt_hit *hits, size_t *hit_counts);

/* As the codec wants it to be: what vt_flat_add and vt_flat_search say. */
vt_status vt_flat_row_check(const vt_flat *flat, const float *vector, const char *action,
                            vt_error *error);
/* VT_OK when every element is finite and the length is within the limit. */
vt_status vt_flat_vector_check(const float *vector, size_t dim, const char *action,
                               vt_error *error);

#endif
