/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/shop: what quantising an encoder needs of pictures.
 *
 *     vt_quantize_set set;
 *     vt_quantize_set_open(&set, options, error);               // which pictures there are
 *     vt_quantize_set_embed(&set, &embedding, error);           // those that are measured with
 *     vt_quantize_set_close(&set);
 *
 * model_quantize.c    the order of things: calibrate, measure, leave nodes out, write
 * quantize_pictures.c pictures of a folder or a shop, chosen evenly; their vectors
 * quantize_measure.c  recall and similarity of two encoders
 *
 * Threads: a set belongs to one thread; embedding spreads over all cores by itself.
 */
#ifndef VT_SHOP_QUANTIZE_H
#define VT_SHOP_QUANTIZE_H

#include "shop/shop.h"

typedef struct vt_quantize_picture {
    const char *path; /* in the set's arena; NULL: a thumbnail of the shop */
    vt_hash hash;     /* of the thumbnail */
    uint32_t product; /* the store's key; 0 in a folder */
} vt_quantize_picture;

typedef struct vt_quantize_pictures {
    vt_quantize_picture *items; /* owned */
    size_t count, capacity;
} vt_quantize_pictures;

typedef struct vt_quantize_set {
    const vt_onnx_quantize_options *options; /* borrowed */
    vt_arena arena;
    vt_shop *shop;                  /* NULL: a folder */
    vt_quantize_pictures calibrate; /* to calibrate with */
    /* To measure with: queries first, then (query_count ..) what they are sought in. Without such:
     * only vectors are compared, query_count is 0. */
    vt_quantize_pictures measure;
    size_t query_count;
    size_t failed;    /* pictures that could not be used so far */
    vt_error failure; /* the first of them */
} vt_quantize_set;

/* *set is the caller's in any case. VT_ERR_NOT_FOUND: no pictures. */
vt_status vt_quantize_set_open(vt_quantize_set *set, const vt_onnx_quantize_options *options,
                               vt_error *error);
void vt_quantize_set_close(vt_quantize_set *set); /* safe on a zeroed one */
/* Counts a picture or query that cannot be used. */
void vt_quantize_set_note(vt_quantize_set *set, const vt_error *reason);
vt_status vt_quantize_picture_load(const vt_quantize_set *set, const vt_quantize_picture *picture,
                                   const vt_encoder *encoder, vt_image *out, vt_error *error);

/* One row per picture to measure with, from the first `count` on: vectors (count, dim). failed
 * (count) marks rows that stay zero; NULL: they are only zero. `phase` is for on_phase. */
typedef struct vt_quantize_embedding {
    const vt_encoder *encoder;
    const char *phase; /* NULL: no progress is shown */
    size_t count;
    float *vectors;
    bool *failed;
} vt_quantize_embedding;
vt_status vt_quantize_set_embed(vt_quantize_set *set, const vt_quantize_embedding *embedding,
                                vt_error *error);
/* Takes pictures to measure with out, and their rows with them. */
void vt_quantize_set_drop(vt_quantize_set *set, const bool *failed, float *vectors, size_t dim);

/* quantize_measure.c */
typedef struct vt_quantize_quality {
    double recall[2]; /* at 1 and 5; NAN without queries */
    double cosine;    /* mean, to the f32 vectors */
} vt_quantize_quality;
enum { VT_QUANTIZE_RECALL_LOW = 1, VT_QUANTIZE_RECALL_HIGH = 5 };
/* vectors, baseline: (set->measure.count, dim). */
vt_status vt_quantize_measure(const vt_quantize_set *set, const float *vectors,
                              const float *baseline, size_t dim, vt_quantize_quality *out,
                              vt_error *error);
double vt_quantize_cosine(const float *vectors, const float *baseline, size_t count, size_t dim);

#endif
