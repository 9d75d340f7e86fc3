/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: the only truth. Products with attributes and pictures, one vector per picture and model,
 * change numbers, nearest-neighbour questions. Drivers sit behind one table of functions.
 *
 *     vt_store *store;
 *     vt_store_open(dir, VT_STORE_WRITE, &store, error);
 *     vt_store_put(store, model, &product, error);            // durable when it returns VT_OK
 *     vt_store_nearest(store, model, query, 1, &options, hits, &n, &answer, error);
 *     vt_store_close(store);
 *
 * Threads: any number of readers at once, beside one writer. vt_store_put and vt_store_remove
 * from several threads wait for one another.
 * Ownership: what vt_store_get fills lives in the arena that the caller brings.
 */
#ifndef VT_STORE_STORE_H
#define VT_STORE_STORE_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "vector/idset.h"
#include "vector/topk.h"

typedef struct vt_store vt_store;

typedef enum vt_attribute_kind { VT_ATTRIBUTE_TEXT, VT_ATTRIBUTE_NUMBER, VT_ATTRIBUTE_LIST } vt_attribute_kind;
typedef struct vt_attribute {
    const char *name;
    vt_attribute_kind kind;
    const char *text;         /* TEXT */
    double number;            /* NUMBER */
    const char *const *items; /* LIST: (item_count) texts */
    size_t item_count;
} vt_attribute;

typedef struct vt_picture {
    uint32_t key;       /* given by the store; 0 in what is put */
    const char *source; /* path or address as in the feed */
    vt_hash hash;       /* of the encoded bytes; names the thumbnail */
    uint64_t phash;
    int width, height;  /* of the full upright picture */
    uint64_t file_bytes;
    const float *vector; /* (model dim); vt_store_get leaves NULL */
} vt_picture;

typedef struct vt_product {
    uint32_t key;   /* given by the store; 0 in what is put */
    const char *id; /* the shop's own, unique, not empty */
    const char *title, *description, *category, *brand, *link; /* NULL: none */
    double price;   /* NAN: none */
    const char *currency; /* ISO 4217, NULL: none */
    const vt_attribute *attributes;
    size_t attribute_count;
    const vt_picture *pictures; /* first: the main one */
    size_t picture_count;
    vt_hash content; /* of everything that was imported: equal means unchanged */
    uint64_t change; /* change number of its last write; given by the store */
} vt_product;

enum { VT_STORE_READ = 0, VT_STORE_WRITE = 1, VT_STORE_CREATE = 2 };

/* dir: the shop's directory. CREATE makes a new catalogue (VT_ERR_EXISTS when there is one). Opening
 * one of an older version migrates it (with WRITE), of a newer one is VT_ERR_UNSUPPORTED; a file that
 * is no catalogue or is damaged is VT_ERR_CORRUPT. Only one process may hold WRITE (VT_ERR_BUSY). */
vt_status vt_store_open(const char *dir, int mode, vt_store **out, vt_error *error);
void vt_store_close(vt_store *store);

/* ---- models ---- */
/* The key of the model with this fingerprint, made when new. dim >= 1. */
vt_status vt_store_model_put(vt_store *store, const vt_hash *fingerprint, const char *name,
                             size_t dim, uint32_t *model, vt_error *error);
vt_status vt_store_model_find(vt_store *store, const vt_hash *fingerprint, uint32_t *model,
                              vt_error *error); /* VT_ERR_NOT_FOUND */

/* ---- products ---- */
/* Inserts or replaces one product, its attributes, pictures and their vectors in one transaction.
 * VT_ERR_USAGE on an empty id, no pictures, or a vector that is missing or not finite. */
vt_status vt_store_put(vt_store *store, uint32_t model, const vt_product *product, vt_error *error);
vt_status vt_store_remove(vt_store *store, const char *id, vt_error *error); /* VT_ERR_NOT_FOUND */
vt_status vt_store_get(vt_store *store, const char *id, vt_arena *arena, vt_product *out,
                       vt_error *error);
vt_status vt_store_get_by_key(vt_store *store, uint32_t key, vt_arena *arena, vt_product *out,
                              vt_error *error);
/* The content hash of a product whose pictures all have vectors of this model; VT_ERR_NOT_FOUND
 * otherwise (absent, or to be embedded again). For skipping what is unchanged. */
vt_status vt_store_content(vt_store *store, uint32_t model, const char *id, vt_hash *out,
                           vt_error *error);
/* Every product in key order; the callback's product lives only during the call; a status other than
 * VT_OK from it ends the walk and is returned. */
typedef vt_status vt_store_visit(void *context, const vt_product *product, vt_error *error);
vt_status vt_store_each(vt_store *store, vt_store_visit *visit, void *context, vt_error *error);
/* Every picture: product id, picture (no vector). Cheaper than vt_store_each. */
typedef vt_status vt_store_visit_picture(void *context, const char *product_id, uint32_t product,
                                         const vt_picture *picture, vt_error *error);
vt_status vt_store_each_picture(vt_store *store, vt_store_visit_picture *visit, void *context,
                                vt_error *error);

typedef struct vt_store_stats {
    uint64_t products, pictures, vectors; /* vectors: of the model asked for */
    uint64_t change;                      /* number of the newest change */
    uint64_t database_bytes, index_bytes; /* on disk; in memory */
    int schema_version;
    const char *driver;                   /* "sqlite"; borrowed */
} vt_store_stats;
vt_status vt_store_stats_of(vt_store *store, uint32_t model, vt_store_stats *out, vt_error *error);
/* How many products each category has, most first; VT_OK from visit goes on. */
vt_status vt_store_each_category(vt_store *store,
                                 vt_status (*visit)(void *context, const char *category,
                                                    uint64_t products, vt_error *error),
                                 void *context, vt_error *error);
/* The database's own integrity check and ours (every vector has a picture, every picture a product,
 * sizes fit dimensions). VT_ERR_CORRUPT with the first fault. */
vt_status vt_store_check(vt_store *store, vt_error *error);

/* ---- nearest ---- */
typedef struct vt_nearest_options {
    size_t k;                 /* products wanted per query */
    float min_similarity;     /* -INFINITY: none */
    const vt_idset *products; /* keys of products that may answer; NULL: all */
    vt_pool *pool;            /* NULL: in the caller's thread */
} vt_nearest_options;
typedef struct vt_nearest_answer {
    const char *strategy; /* "exact"; static text */
    bool complete;        /* no better product exists */
    uint64_t searched;    /* vectors looked at, per query */
} vt_nearest_answer;
/* queries: (count, dim); hits: (count, k) with id = picture key and group = product key, one per
 * product, best first; hit_counts: (count). Sees every change committed before the call by this
 * process. */
vt_status vt_store_nearest(vt_store *store, uint32_t model, const float *queries, size_t count,
                           const vt_nearest_options *options, vt_hit *hits, size_t *hit_counts,
                           vt_nearest_answer *answer, vt_error *error);
/* The stored vector of a picture: out (dim). */
vt_status vt_store_vector(vt_store *store, uint32_t model, uint32_t picture, float *out,
                          vt_error *error);

/* ---- thumbnails: derived files named by content, below dir/thumbs ---- */
bool vt_store_has_thumb(vt_store *store, const vt_hash *hash);
vt_status vt_store_put_thumb(vt_store *store, const vt_hash *hash, const void *jpeg, size_t length,
                             vt_error *error);
/* Appends the JPEG bytes. VT_ERR_NOT_FOUND. */
vt_status vt_store_get_thumb(vt_store *store, const vt_hash *hash, vt_buf *out, vt_error *error);

#endif
