/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact index: every vector, scanned. The truth that approximate indexes are held to, and the
 * fastest there is for small catalogues and narrow filters.
 *
 *     vt_flat *flat;
 *     vt_flat_new(dim, VT_CODEC_F16, VT_METRIC_DOT, &flat, error);
 *     vt_flat_add(flat, picture, product, vector, error);
 *     vt_flat_search(flat, queries, n, &options, hits, counts, error);
 *     vt_flat_free(flat);
 *
 * Rows have an id (picture) and a group (product). Similarities: dot as it is, cosine in [-1, 1],
 * Euclidean as minus the squared distance, so bigger is nearer for all three.
 *
 * Threads: many may search at once; what changes the index needs it alone.
 */
#ifndef VT_INDEX_FLAT_H
#define VT_INDEX_FLAT_H

#include "base/thread.h"
#include "index/codec.h"
#include "vector/idset.h"
#include "vector/topk.h"

typedef struct vt_flat vt_flat;
typedef struct vt_flat_screen vt_flat_screen;

enum { VT_FLAT_MAX_DIM = 65536 };

/* codec: any but VT_CODEC_INT4X2. Scores of compressed ones are estimates (index/codec.h says how
 * good), of which the best are found exactly; with them, and VT_CODEC_BF16, a vector without
 * direction is refused under the cosine, in rows and queries. */
vt_status vt_flat_new(size_t dim, vt_codec codec, vt_metric metric, vt_flat **out, vt_error *error);
void vt_flat_free(vt_flat *flat);
/* Tells a compressed codec the mean of what will come; rows: (count, dim). Before the first row
 * (VT_ERR_USAGE otherwise), or not at all. Nothing for other codecs. */
vt_status vt_flat_train(vt_flat *flat, const float *rows, size_t count, vt_error *error);
vt_status vt_flat_reserve(vt_flat *flat, size_t rows, vt_error *error);
/* vector: (dim) f32, finite, no longer than 1e18, and with VT_CODEC_F16 within +-65504
 * (VT_ERR_USAGE otherwise). VT_ERR_EXISTS when the id is there. */
vt_status vt_flat_add(vt_flat *flat, uint32_t id, uint32_t group, const float *vector,
                      vt_error *error);
/* The same from stored f16 without a round trip through f32. */
vt_status vt_flat_add_f16(vt_flat *flat, uint32_t id, uint32_t group, const uint16_t *vector,
                          vt_error *error);
/* False: was not there. The last row takes its place. */
bool vt_flat_remove(vt_flat *flat, uint32_t id);
size_t vt_flat_count(const vt_flat *flat);
size_t vt_flat_dim(const vt_flat *flat);
size_t vt_flat_bytes(const vt_flat *flat); /* memory held */
/* vector: (dim). False: not there, or compressed. */
bool vt_flat_get(const vt_flat *flat, uint32_t id, float *vector);
bool vt_flat_get_row(const vt_flat *flat, uint32_t id, float *vector, uint32_t *group);

/* A screen spares scans most of their reading: short codes tell which rows cannot be among the
 * nearest. Answers stay the same, bit by bit. It is worth its while from some thousand rows on.
 *
 * Begun with a sample of the rows there are; *out: the caller's, to be trained and then given to
 * vt_flat_screen_take, or freed. NULL for indexes that have no use for one: of codecs other than
 * f32 and f16, of Euclidean distances, of very long vectors, and empty ones. */
vt_status vt_flat_screen_begin(const vt_flat *flat, vt_flat_screen **out, vt_error *error);
/* Finds what codes are to be made of; takes a tenth of a second for 256 dimensions, a second for
 * 1,024, and needs no index. *screen becomes NULL, and is freed, where it would not be worth it:
 * for long vectors that lie in all directions alike; so it does on failure. */
vt_status vt_flat_screen_train(vt_flat_screen **screen, vt_error *error);
size_t vt_flat_screen_row_bytes(const vt_flat_screen *screen); /* once trained: that a row takes */
void vt_flat_screen_free(vt_flat_screen *screen);
/* The index owns it from then on, in place of another, and it covers no row yet. screen NULL: none.
 */
void vt_flat_screen_take(vt_flat *flat, vt_flat_screen *screen);
/* Covers `rows` more, or all that are left: what is not covered is scanned as ever. Once all are,
 * rows that are added are covered as they come. */
vt_status vt_flat_screen_extend(vt_flat *flat, size_t rows, vt_pool *pool, vt_error *error);
size_t vt_flat_screen_covers(const vt_flat *flat); /* rows; 0 without a screen */

typedef struct vt_scan_options {
    size_t k;               /* hits wanted per query, >= 1 */
    bool grouped;           /* best row per group, k groups */
    float min_similarity;   /* -INFINITY: none; equal passes */
    const vt_idset *groups; /* only rows whose group is in it; NULL: all */
    const uint32_t *ids;    /* (id_count) only these rows, looked up one by one, and then whatever
                               `groups` says; for few of many. Those not there are passed over */
    size_t id_count;
    bool estimated; /* the nearest but for some hundredths, where a screen covers all rows: most of
                       them are passed over by estimates. What is found has its true similarity */
    vt_pool *pool;  /* NULL: in the caller's thread */
} vt_scan_options;
vt_scan_options vt_scan_options_defaults(void); /* k 10, grouped, no minimum, all, no pool */

/* queries: (count, dim); hits: (count, k), best first; hit_counts: (count), how many were found;
 * scanned (may be NULL): how many rows were compared with each query (one number, the same for
 * all), if only by a screen. One query streams the rows once; several are scanned in blocks so that
 * the rows are read once for a block. The answer is the same to the bit for any pool and whether
 * queries come alone or together; a cosine with a zero vector is 0. VT_ERR_USAGE when a query is
 * NaN, infinite or longer than 1e18, when k is 0 or min_similarity NaN. */
vt_status vt_flat_search(const vt_flat *flat, const float *queries, size_t count,
                         const vt_scan_options *options, vt_hit *hits, size_t *hit_counts,
                         size_t *scanned, vt_error *error);

#endif
