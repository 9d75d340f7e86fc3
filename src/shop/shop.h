/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/shop: what an open shop holds. Everybody else uses vitrine.h, which this folder
 * implements: shop.c (init, open, close, products), settings.c (vitrine.json), shop_import.c,
 * shop_search.c, shop_eval.c, embed.c, onnx_info.c, onnx_run.c, onnx_test.c, sample.c.
 *
 * The encoder is loaded when it is first needed: commands that only look at products start at once.
 *
 * Threads: as vitrine.h says; `lock` guards the lazily made members.
 */
#ifndef VT_SHOP_SHOP_H
#define VT_SHOP_SHOP_H

#include "base/mem.h"
#include "base/thread.h"
#include "encoder/encoder.h"
#include "search/search.h"
#include "store/store.h"

#include <pthread.h>

typedef struct vt_settings {
    char source[256]; /* "classic" or a path below the shop's directory */
    char name[256];   /* of the encoder */
    size_t dimension;
    vt_hash fingerprint;
} vt_settings;

/* vitrine.json; replaced atomically. */
vt_status vt_settings_read(const char *directory, vt_settings *out, vt_error *error);
vt_status vt_settings_write(const char *directory, const vt_settings *settings, vt_error *error);

struct vt_shop {
    char *directory;
    vt_settings settings;
    vt_store *store;
    uint32_t model; /* the store's key */
    pthread_mutex_t lock;
    vt_encoder *encoder;                  /* NULL until needed */
    vt_batcher *batcher;                  /* for single queries; NULL until needed */
    vt_pool *pool;                        /* NULL until needed */
    struct vt_category_count *categories; /* of the newest vt_shop_info */
    vt_arena category_arena;
};

/* Loads the encoder if it is not there yet and checks that it is the one the vectors were made by.
 */
vt_status vt_shop_need_encoder(vt_shop *shop, vt_error *error);
/* The same, and what one search needs; *out is borrowed from the shop. */
vt_status vt_shop_need_searcher(vt_shop *shop, vt_searcher *out, vt_error *error);

#endif
