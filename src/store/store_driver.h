/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store driver supplies: one table of functions, one per function of store.h that touches
 * the database. store.c checks arguments first and then calls through the table, so a driver may
 * rely on what is promised below. Thumbnails are files of the shop and the same for every driver.
 *
 * A driver's own struct begins with a vt_store; its open function allocates and frees it.
 * Threads: as store.h says; the driver does its own locking.
 */
#ifndef VT_STORE_STORE_DRIVER_H
#define VT_STORE_STORE_DRIVER_H

#include "store/store.h"

typedef struct vt_store_driver vt_store_driver;

struct vt_store {
    const vt_store_driver *driver; /* static */
    const char *dir;               /* real path, lives as long as the store; owned by the driver */
    bool writable;                 /* WRITE or CREATE */
};

struct vt_store_driver {
    const char *name;
    vt_status (*open)(const char *dir, int mode, vt_store **out, vt_error *error);
    void (*close)(vt_store *store);

    /* Writes: only called on a writable store, with what store.c has checked: dim in range, a
     * product that vt_store_product_check passed, ids not empty. */
    vt_status (*model_put)(vt_store *store, const vt_hash *fingerprint, const char *name,
                           size_t dim, uint32_t *model, vt_error *error);
    vt_status (*model_prepare)(vt_store *store, const vt_store_model *wanted, uint32_t *model,
                               vt_error *error);
    vt_status (*put_vectors)(vt_store *store, uint32_t model, const vt_picture_vector *rows,
                             size_t count, vt_error *error);
    vt_status (*model_switch)(vt_store *store, const vt_store_model *from, uint32_t to,
                              vt_error *error);
    vt_status (*model_empty)(vt_store *store, uint32_t model, size_t limit, uint32_t *after,
                             vt_error *error);
    vt_status (*put)(vt_store *store, uint32_t model, const vt_product *product, vt_error *error);
    vt_status (*remove)(vt_store *store, const char *id, vt_error *error);
    /* Of two different products. */
    vt_status (*keep_pair)(vt_store *store, const vt_store_pair *pair, vt_error *error);
    vt_status (*forget_pair)(vt_store *store, const char *first, const char *second,
                             vt_error *error);

    /* Reads; ids not NULL. */
    vt_status (*serving)(vt_store *store, uint32_t *model, vt_error *error);
    vt_status (*each_model)(vt_store *store, vt_store_visit_model *visit, void *context,
                            vt_error *error);
    vt_status (*each_missing)(vt_store *store, const vt_store_missing *which,
                              vt_store_visit_picture *visit, void *context, vt_error *error);
    vt_status (*unfound)(vt_store *store, uint32_t model, vt_store_visit_id *visit, void *context,
                         vt_error *error);
    void (*release)(vt_store *store, uint32_t model);
    vt_status (*model_find)(vt_store *store, const vt_hash *fingerprint, uint32_t *model,
                            vt_error *error);
    vt_status (*get)(vt_store *store, const char *id, vt_arena *arena, vt_product *out,
                     vt_error *error);
    vt_status (*get_by_key)(vt_store *store, uint32_t key, vt_arena *arena, vt_product *out,
                            vt_error *error);
    vt_status (*has)(vt_store *store, const char *id, bool *out, vt_error *error);
    vt_status (*content)(vt_store *store, uint32_t model, const char *id, vt_hash *out,
                         vt_error *error);
    vt_status (*each)(vt_store *store, vt_store_visit *visit, void *context, vt_error *error);
    vt_status (*each_picture)(vt_store *store, vt_store_visit_picture *visit, void *context,
                              vt_error *error);
    vt_status (*each_category)(vt_store *store, vt_store_visit_category *visit, void *context,
                               vt_error *error);
    vt_status (*each_kept)(vt_store *store, vt_store_visit_pair *visit, void *context,
                           vt_error *error);
    vt_status (*stats)(vt_store *store, uint32_t model, vt_store_stats *out, vt_error *error);
    vt_status (*change)(vt_store *store, uint64_t *out, vt_error *error);
    vt_status (*check)(vt_store *store, vt_error *error);
    vt_status (*vector)(vt_store *store, uint32_t model, uint32_t picture, float *out,
                        vt_error *error);
    /* At most VT_STORE_MAX_WORDS_BYTES of valid UTF-8. */
    vt_status (*words)(vt_store *store, const char *text, bool scored, vt_word_hit **out,
                       size_t *count, vt_error *error);
    vt_status (*words_fields)(vt_store *store, const char *text, uint32_t product, unsigned *out,
                              vt_error *error);
    /* At most VT_STORE_MAX_FACETS facets of 1 to VT_STORE_MAX_FACET_VALUES values. */
    vt_status (*select)(vt_store *store, const vt_select *what, vt_arena *arena, vt_selection *out,
                        vt_error *error);
    vt_status (*check_postings)(vt_store *store, vt_error *error);
    /* k >= 1, count >= 1. */
    vt_status (*nearest)(vt_store *store, uint32_t model, const float *queries, size_t count,
                         const vt_nearest_options *options, vt_hit *hits, size_t *hit_counts,
                         vt_nearest_answer *answer, vt_error *error);
    vt_status (*index_info)(vt_store *store, uint32_t model, vt_store_index_info *out,
                            vt_error *error);
    /* always: also where it is there. options not NULL. */
    vt_status (*index_build)(vt_store *store, uint32_t model, bool always,
                             const vt_store_index_options *options, vt_error *error);
    vt_status (*index_check)(vt_store *store, uint32_t model, const vt_store_index_options *options,
                             vt_error *error);
};

extern const vt_store_driver vt_store_sqlite; /* sqlite/open.c */

/* product_check.c: whether a product may be stored, all but its vectors (whose dimension only the
 * driver knows). VT_ERR_USAGE, VT_ERR_LIMIT. */
vt_status vt_store_product_check(const vt_product *product, vt_error *error);

#endif
