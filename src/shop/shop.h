/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/shop: what an open shop holds. Everybody else uses vitrine.h, which this folder
 * implements: init.c, shop.c (open, close, products), settings.c (vitrine.json), precision.c,
 * serving.c (which encoder serves, noticed anew), promote.c (another encoder), shop_import.c,
 * shop_search.c, shop_list.c, shop_put.c, shop_picture.c, shop_fetch.c, shop_index.c,
 * shop_cluster.c, shop_eval.c, shop_events.c, embed.c, onnx_info.c, onnx_plan.c, onnx_run.c,
 * onnx_test.c, model_quantize.c, model_eval.c, train.c, sample.c.
 *
 * The encoder is loaded when it is first needed: commands that only look at products start at once.
 *
 * Threads: as vitrine.h says; `lock` guards the lazily made members. What uses the encoder or the
 * key of its model does so between vt_shop_enter and vt_shop_leave: only outside of it are they
 * exchanged for those of another encoder that the catalogue has been switched to.
 */
#ifndef VT_SHOP_SHOP_H
#define VT_SHOP_SHOP_H

#include "base/json.h"
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
    vt_precision precision;       /* as asked for */
    vt_precision_verdict verdict; /* what AUTO came to for this fingerprint ... */
    char machine[64];             /* ... on this kind of machine; "": not noted */
    char program[32];             /* ... by this version */
} vt_settings;

/* vitrine.json; replaced atomically. */
vt_status vt_settings_read(const char *directory, vt_settings *out, vt_error *error);
vt_status vt_settings_write(const char *directory, const vt_settings *settings, vt_error *error);

struct vt_shop {
    char *directory;
    bool writing; /* opened with VT_OPEN_WRITE */
    vt_settings settings;
    vt_precision precision;  /* settings.precision, or as vt_shop_use_precision says */
    uint64_t maximum_pixels; /* of a photo; 0: as the decoder says */
    vt_store *store;
    uint32_t model;       /* the store's key */
    pthread_rwlock_t use; /* shared: settings, model, encoder and batcher stay as they are */
    pthread_mutex_t writing_turn; /* held by an import, a put while it stores, and by a promotion
                                     while it switches */
    pthread_mutex_t lock;
    vt_encoder *encoder;         /* NULL until needed */
    struct vt_event_log *events; /* for adding; NULL until needed */
    vt_batcher *batcher;         /* for single queries; NULL until needed */
    vt_pool *pool;               /* NULL until needed */
    pthread_mutex_t pairs_lock;
    struct vt_pairs_found *pairs;         /* duplicates of the newest listing; NULL until needed */
    struct vt_category_count *categories; /* of the newest vt_shop_info */
    vt_arena category_arena;
};

/* ---- precision.c ---- */
/* NULL: AUTO. */
vt_status vt_precision_of(const char *text, vt_precision *out, vt_error *error);
/* How an encoder of these settings is opened in this precision: what is known of AUTO is used where
 * it was found out by this program on this kind of machine. Borrows the settings. */
vt_encoder_options vt_precision_options(const vt_settings *settings, vt_precision precision);
/* Notes what AUTO came to; false when that was noted before. */
bool vt_precision_note(vt_settings *settings, const vt_encoder *encoder);

/* ---- serving.c ---- */
/* Makes shop->settings and shop->model those of the model that serves, as a shop opens. */
vt_status vt_shop_settle(vt_shop *shop, vt_error *error);
/* Notices when the catalogue has been switched to another encoder; from here until vt_shop_leave
 * nothing changes. *model (may be NULL): the key in use. Not to be nested. */
vt_status vt_shop_enter(vt_shop *shop, uint32_t *model, vt_error *error);
void vt_shop_leave(vt_shop *shop);
/* Whether another model than this one serves now: what failed with it may be tried again. */
bool vt_shop_has_moved(vt_shop *shop, uint32_t model);
enum { VT_SHOP_RETRIES = 3 };

/* ---- shop_duplicates.c ---- */
void vt_pairs_found_free(struct vt_pairs_found *found);

/* ---- shop_eval.c ---- */
/* VT_ERR_USAGE unless the ranks to measure at, k (count), ascend from 1 to at most `largest`. */
vt_status vt_eval_check_ranks(const size_t *k, size_t count, size_t largest, vt_error *error);
/* Member "failed" of the open object: the photos with their reasons. */
void vt_eval_print_failed(const struct vt_eval_failure *failed, size_t count,
                          vt_json_writer *writer);

/* ---- shop.c ---- */
/* Loads the encoder if it is not there yet and checks that it is the one the vectors were made by.
 */
vt_status vt_shop_need_encoder(vt_shop *shop, vt_error *error);
/* The same, and what one search needs; *out is borrowed from the shop. */
vt_status vt_shop_need_searcher(vt_shop *shop, vt_searcher *out, vt_error *error);
/* The same for searches without photos, which need no encoder. */
vt_status vt_shop_need_scanner(vt_shop *shop, vt_searcher *out, vt_error *error);

#endif
