/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/shop: a shop changes its encoder while it is searched.
 *
 *     vt_promote_run(shop, "new.onnx", &options, NULL, &report, error);
 *
 * promote.c           the order of things: model file, measure, fill, switch, clean
 * promote_queries.c   what is asked and what it is sought in
 * promote_measure.c   recall of the encoder that serves and of the new one
 * promote_report.c    what came of it, as JSON
 * promote_embed.c     pictures to vectors of the new encoder, stored in batches
 *
 * Threads: a promotion belongs to one thread; embedding spreads over all cores by itself.
 */
#ifndef VT_SHOP_PROMOTE_H
#define VT_SHOP_PROMOTE_H

#include "base/json.h"
#include "shop/shop.h"

/* A photo that training never saw; borrowed texts. */
typedef struct vt_held_out_photo {
    const char *path, *label;
    const char *product; /* NULL: none */
} vt_held_out_photo;

typedef struct vt_held_out {
    const vt_held_out_photo *photos;
    size_t count;
    const char *label; /* what the labels are, as vt_train_source has it */
    bool forget;       /* what ends early is taken away: nobody will go on with it */
} vt_held_out;

/* A promotion on its way. */
typedef struct vt_promotion {
    vt_shop *shop;
    const vt_promote_options *options;
    const vt_held_out *held_out; /* NULL: none */
    vt_promote_report *report;
    const char *phase, *unit; /* as announced */
    vt_settings settings;     /* of the new encoder */
    vt_encoder *encoder;
    vt_batcher *batcher;
    vt_pool *pool;
    uint32_t from, to;    /* keys of the models */
    vt_idset *failed;     /* pictures that could not be embedded */
    uint64_t done, total; /* of the phase */
    vt_store *writer;     /* while it is taken */
    bool begun;           /* it was taken once: from now on it is waited for */
    bool deaf;            /* nobody is asked any more whether to go on */
} vt_promotion;

/* ---- promote.c ---- */
/* held_out NULL: none. *report is filled also when it fails part way. */
vt_status vt_promote_run(vt_shop *shop, const char *model, const vt_promote_options *options,
                         const vt_held_out *held_out, vt_promote_report *report, vt_error *error);
/* Removes what a promotion that was cut off after its switch left of the old encoder. The shop is
 * open for writing. */
vt_status vt_promote_clean(vt_shop *shop, vt_error *error);
void vt_promote_phase(vt_promotion *p, const char *phase, const char *unit);
/* VT_ERR_CANCELLED when whoever looks on says so. */
vt_status vt_promote_tell(vt_promotion *p, uint64_t done, uint64_t total, vt_error *error);
/* p->writer is there until it is given back: the shop's own where that may write, otherwise one for
 * a moment, which waits until no other process writes. */
vt_status vt_promote_writer_take(vt_promotion *p, vt_error *error);
void vt_promote_writer_give(vt_promotion *p);

/* ---- promote_report.c ---- */
/* Members of an open object. */
void vt_promote_put(vt_json_writer *writer, const vt_promote_report *report);

/* ---- promote_embed.c ---- */
typedef struct vt_promote_picture {
    uint32_t key; /* the store's; 0: none */
    vt_hash hash;
    const char *source; /* NULL: only its thumbnail */
} vt_promote_picture;
/* The best pixels there are: the feed's picture below options->images_dir where it still is the
 * same, otherwise the thumbnail. *original may be NULL. */
vt_status vt_promote_load(const vt_promotion *p, const vt_promote_picture *picture,
                          const vt_decode_options *how, vt_image *out, bool *original,
                          vt_error *error);
enum { VT_PROMOTE_BATCH = 256 };
/* Vectors of up to VT_PROMOTE_BATCH pictures: vectors (count, dim). good (count) says which came to
 * something; the others are in p->failed. */
vt_status vt_promote_embed(vt_promotion *p, const vt_promote_picture *pictures, size_t count,
                           float *vectors, bool *good, vt_error *error);
/* Those that are good, in one transaction. The writer is taken and given back, or used where it is
 * held. */
vt_status vt_promote_store(vt_promotion *p, const vt_promote_picture *pictures, size_t count,
                           const float *vectors, const bool *good, vt_error *error);
/* Embeds what is missing until nothing is. limit: no more than so many pictures; *left: whether
 * some are left then. */
vt_status vt_promote_fill(vt_promotion *p, size_t limit, bool *left, vt_error *error);

/* ---- promote_queries.c ---- */
typedef struct vt_promote_query {
    const char *photo;          /* path; NULL: */
    vt_promote_picture picture; /* one of the shop's */
    uint64_t variation;         /* 0: as it is; otherwise changed at random from this seed */
    uint32_t product;           /* key of the one that is sought; 0: any with the label */
    const char *label;
    vt_hash hash;  /* of its bytes: ... */
    bool has_hash; /* ... pictures with the same are no answers to it */
} vt_promote_query;

typedef struct vt_promote_item {
    vt_promote_picture picture;
    uint32_t product;
    const char *label; /* NULL: none */
} vt_promote_item;

typedef struct vt_promote_set {
    vt_arena arena;
    vt_promote_query *queries;
    size_t query_count, query_capacity;
    vt_promote_item *items; /* products' pictures together */
    size_t count, capacity;
    const char *kind; /* what the queries are; for the report */
    size_t left_out;  /* queries that could not be used */
    vt_error reason;  /* of the first of them */
} vt_promote_set;
/* *set is the caller's in any case. VT_ERR_NOT_FOUND: nothing can be asked. */
vt_status vt_promote_set_open(vt_promotion *p, vt_promote_set *set, vt_error *error);
void vt_promote_set_close(vt_promote_set *set);

/* ---- promote_measure.c ---- */
/* Fills what the report says of recall; stores the new vectors that it made on the way. */
vt_status vt_promote_measure(vt_promotion *p, vt_error *error);

#endif
