/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What whoever runs a shop looks through: products that show the same, and the encoders there are.
 *
 *     vt_duplicate_options options = vt_duplicate_options_defaults();
 *     vt_shop_duplicates(shop, &options, &list, error);
 *     ... list->items[i].first, .second ...
 *     vt_duplicate_list_free(list);
 *
 * Threads: as searches of the shop.
 */
#ifndef VT_SHOP_REVIEW_H
#define VT_SHOP_REVIEW_H

#include "store/store.h"

#include "vitrine.h"

/* ---- duplicates ---- */

typedef struct vt_duplicate {
    vt_product first, second; /* different ones; first: that came in earlier */
    vt_hash first_picture, second_picture;
    bool exact;      /* the same bytes; else */
    int bits;        /* so many of the perceptual hash differ */
    size_t pictures; /* that the two share so; this is the closest of them */
} vt_duplicate;

typedef struct vt_duplicate_options {
    int near_bits; /* of the 64 of a perceptual hash that may differ, up to 11; < 0: only the same
                      bytes */
    size_t top, offset;
    bool kept; /* those of which somebody said that both stay, instead of all others */
} vt_duplicate_options;
vt_duplicate_options vt_duplicate_options_defaults(void); /* 3 bits, 20 from 0 */

typedef struct vt_duplicate_list {
    vt_duplicate *items;
    size_t count;
    uint64_t matched; /* pairs in all, up to a million */
} vt_duplicate_list;

/* Pairs of products that have a picture in common, the closest first: *out, vt_duplicate_list_free.
 * Each picture is compared with the one of others that is nearest; plain surfaces only with the
 * same bytes. Reads every picture's hashes when the shop or near_bits is another than the last
 * time; what was found is kept for the pages that follow (80 bytes a pair). */
vt_status vt_shop_duplicates(vt_shop *shop, const vt_duplicate_options *options,
                             vt_duplicate_list **out, vt_error *error);
void vt_duplicate_list_free(vt_duplicate_list *list);

/* Both stay: the pair is no longer listed, to nobody, as long as both have these pictures.
 * VT_ERR_NOT_FOUND: one of them is not there, or has no such picture. Durable. */
vt_status vt_shop_keep_pair(vt_shop *shop, const vt_store_pair *pair, vt_error *error);
/* Takes that back; VT_ERR_NOT_FOUND: nobody said it. */
vt_status vt_shop_forget_pair(vt_shop *shop, const char *first, const char *second,
                              vt_error *error);

/* ---- models ---- */

enum { VT_MODEL_NAME_BYTES = 256, VT_MODELS_MAXIMUM = 256 };
typedef struct vt_shop_model {
    char name[VT_MODEL_NAME_BYTES];
    char file[VT_MODEL_NAME_BYTES]; /* in models/ of the shop; "": it is built in */
    char fingerprint[65];
    const char *state; /* constant: "serving"; "coming", "going": of a promotion; "known" */
    size_t dimension;
} vt_shop_model;

/* Encoders that the catalogue knows, oldest first, up to VT_MODELS_MAXIMUM: *out (*count), the
 * caller's (vt_release). */
vt_status vt_shop_models(vt_shop *shop, vt_shop_model **out, size_t *count, vt_error *error);

#endif
