/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: the only truth. Products with attributes and pictures, one vector per picture and
 * model, change numbers, nearest-neighbour questions. Drivers sit behind one table of functions.
 *
 *     vt_store *store;
 *     vt_store_open(dir, VT_STORE_WRITE, &store, error);
 *     vt_store_put(store, model, &product, error);            // durable when it returns VT_OK
 *     vt_store_nearest(store, model, query, 1, &options, hits, &n, &answer, error);
 *     vt_store_close(store);
 *
 * Threads: any number of readers at once, beside one writer. vt_store_put and vt_store_remove
 * from several threads wait for one another. Callbacks may call the store again, also to write.
 * Ownership: what vt_store_get fills lives in the arena that the caller brings.
 * Texts are UTF-8 without exception, names of files too.
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

/* vt_product, vt_picture and vt_attribute are the public header's. */

/* What a product may hold; beyond it vt_store_put answers VT_ERR_LIMIT. */
enum {
    VT_STORE_MAX_ID_BYTES = 1024,
    VT_STORE_MAX_PICTURES = 4096,
    VT_STORE_MAX_ATTRIBUTES = 4096,
    VT_STORE_MAX_ITEMS = 4096,                 /* of one list */
    VT_STORE_MAX_PRODUCT_BYTES = 16 * 1048576, /* all its texts together */
    VT_STORE_MAX_DIM = 65536,
    VT_STORE_MAX_THUMB_BYTES = 16 * 1048576
};

enum { VT_STORE_READ = 0, VT_STORE_WRITE = 1, VT_STORE_CREATE = 2, VT_STORE_BRIEF = 4 };

/* dir: the shop's directory. CREATE makes a new catalogue, with its directory when there is none,
 * and holds it as WRITE does (VT_ERR_EXISTS when there is one). Opening one of an older version
 * migrates it (with WRITE; with READ it is read as it is, or VT_ERR_UNSUPPORTED when it is too old
 * for that), of a newer one is VT_ERR_UNSUPPORTED; a file that is no catalogue or is damaged is
 * VT_ERR_CORRUPT. Only one process may hold WRITE (VT_ERR_BUSY, which names the holder); WRITE |
 * BRIEF says that it is held for a moment only, which others wait for. READ works beside a writer,
 * and where nothing may be written. With READ everything that writes is VT_ERR_DENIED. */
vt_status vt_store_open(const char *dir, int mode, vt_store **out, vt_error *error);
void vt_store_close(vt_store *store);

/* ---- models ---- */
/* The key of the model with this fingerprint, made when new. dim: 1..VT_STORE_MAX_DIM.
 * VT_ERR_MISMATCH when there is one of another dimension. */
vt_status vt_store_model_put(vt_store *store, const vt_hash *fingerprint, const char *name,
                             size_t dim, uint32_t *model, vt_error *error);
vt_status vt_store_model_find(vt_store *store, const vt_hash *fingerprint, uint32_t *model,
                              vt_error *error); /* VT_ERR_NOT_FOUND */

/* A catalogue may name the model that serves: vectors of no other are stored with products or
 * answered from (VT_ERR_MISMATCH). Where it names none, the caller knows. A new model is brought in
 * beside it: prepared, given the vectors that are missing, and switched to; the one before is then
 * emptied.
 *
 *     vt_store_model_prepare(store, &wanted, &to, error);
 *     while (...)                                   // resumes wherever an earlier one ended
 *         vt_store_each_missing(...), vt_store_put_vectors(store, to, rows, count, error);
 *     vt_store_model_switch(store, from, to, error);
 *     while (after != UINT32_MAX)
 *         vt_store_model_empty(store, from, limit, &after, error);
 */
typedef enum vt_model_state {
    VT_MODEL_KNOWN,   /* nothing is said of it */
    VT_MODEL_COMING,  /* its vectors are being made */
    VT_MODEL_SERVING, /* at most one */
    VT_MODEL_GOING,   /* another serves now: its vectors may go */
} vt_model_state;
typedef struct vt_store_model {
    uint32_t key;
    vt_hash fingerprint;
    const char *name;
    const char *source; /* "classic" or a path below the shop's directory; NULL: not known */
    size_t dim;
    vt_model_state state;
} vt_store_model;
typedef vt_status vt_store_visit_model(void *context, const vt_store_model *model, vt_error *error);
vt_status vt_store_each_model(vt_store *store, vt_store_visit_model *visit, void *context,
                              vt_error *error);
/* *model: key of the one that serves; 0: the catalogue names none. Cheap. */
vt_status vt_store_serving(vt_store *store, uint32_t *model, vt_error *error);
/* Makes the model when new and marks it as coming; key and state of *wanted are not looked at.
 * VT_ERR_EXISTS when it serves already. */
vt_status vt_store_model_prepare(vt_store *store, const vt_store_model *wanted, uint32_t *model,
                                 vt_error *error);
/* Pictures without a vector of the model, in the order of their keys (a status other than VT_OK
 * from the callback ends the walk and is returned). */
typedef struct vt_store_missing {
    uint32_t model, after; /* only keys above it */
    size_t limit;
} vt_store_missing;
typedef vt_status vt_store_visit_picture(void *context, const char *product_id, uint32_t product,
                                         const vt_picture *picture, vt_error *error);
vt_status vt_store_each_missing(vt_store *store, const vt_store_missing *which,
                                vt_store_visit_picture *visit, void *context, vt_error *error);
/* Vectors of a model that is coming, in one transaction. Pictures that are gone meanwhile get none.
 * VT_ERR_USAGE when a vector is not finite or beyond half precision. */
typedef struct vt_picture_vector {
    uint32_t picture;
    const float *vector; /* (dim) */
} vt_picture_vector;
vt_status vt_store_put_vectors(vt_store *store, uint32_t model, const vt_picture_vector *rows,
                               size_t count, vt_error *error);
/* Products none of whose pictures has a vector of the model. */
typedef vt_status vt_store_visit_id(void *context, const char *product_id, vt_error *error);
vt_status vt_store_unfound(vt_store *store, uint32_t model, vt_store_visit_id *visit, void *context,
                           vt_error *error);
/* In one transaction: `to` serves, under a new change number; what served before, and `from`, are
 * going. from: key and source are looked at; NULL: none. VT_ERR_USAGE when `to` is not coming. */
vt_status vt_store_model_switch(vt_store *store, const vt_store_model *from, uint32_t to,
                                vt_error *error);
/* Removes up to `limit` vectors of a model that does not serve, in one transaction. *after: 0 to
 * begin with, then as it was left; UINT32_MAX: none is left, and nothing is said of the model any
 * more. */
vt_status vt_store_model_empty(vt_store *store, uint32_t model, size_t limit, uint32_t *after,
                               vt_error *error);
/* Gives back what is kept in memory of one model's vectors. */
void vt_store_release(vt_store *store, uint32_t model);

/* ---- products ---- */
/* Inserts or replaces one product, its attributes, pictures and their vectors in one transaction.
 * VT_ERR_USAGE on an empty id, no pictures, a vector that is missing, not finite or beyond half
 * precision, an infinite price or number, or text that is not UTF-8; VT_ERR_LIMIT on too much of
 * anything, or when all keys are used up; VT_ERR_NOT_FOUND when there is no such model;
 * VT_ERR_MISMATCH when another one serves.
 * A replaced product keeps its key. Pictures that it had before (by hash) keep their keys and the
 * vectors of other models. */
vt_status vt_store_put(vt_store *store, uint32_t model, const vt_product *product, vt_error *error);
vt_status vt_store_remove(vt_store *store, const char *id, vt_error *error); /* VT_ERR_NOT_FOUND */
vt_status vt_store_get(vt_store *store, const char *id, vt_arena *arena, vt_product *out,
                       vt_error *error);
vt_status vt_store_get_by_key(vt_store *store, uint32_t key, vt_arena *arena, vt_product *out,
                              vt_error *error);
/* *out: whether there is such a product. Cheap. */
vt_status vt_store_has(vt_store *store, const char *id, bool *out, vt_error *error);
/* The content hash of a product whose pictures all have vectors of this model; VT_ERR_NOT_FOUND
 * otherwise (absent, or to be embedded again). For skipping what is unchanged. */
vt_status vt_store_content(vt_store *store, uint32_t model, const char *id, vt_hash *out,
                           vt_error *error);
/* Every product in key order; the callback's product lives only during the call; a status other
 * than VT_OK from it ends the walk and is returned. */
typedef vt_status vt_store_visit(void *context, const vt_product *product, vt_error *error);
vt_status vt_store_each(vt_store *store, vt_store_visit *visit, void *context, vt_error *error);
/* Every picture: product id, picture (no vector). Cheaper than vt_store_each. */
vt_status vt_store_each_picture(vt_store *store, vt_store_visit_picture *visit, void *context,
                                vt_error *error);

typedef struct vt_store_stats {
    uint64_t products, pictures, vectors; /* vectors: of the model asked for */
    uint64_t change;                      /* number of the newest change */
    uint64_t database_bytes, index_bytes; /* on disk; in memory */
    int schema_version;
    const char *driver; /* "sqlite"; borrowed */
} vt_store_stats;
vt_status vt_store_stats_of(vt_store *store, uint32_t model, vt_store_stats *out, vt_error *error);
/* The newest change's number alone, with one look at an index. */
vt_status vt_store_change(vt_store *store, uint64_t *out, vt_error *error);
/* How many products each category has, most first, equal ones by name; products without a category
 * are not counted. VT_OK from visit goes on. */
typedef vt_status vt_store_visit_category(void *context, const char *category, uint64_t products,
                                          vt_error *error);
vt_status vt_store_each_category(vt_store *store, vt_store_visit_category *visit, void *context,
                                 vt_error *error);
/* The database's own integrity check and ours (every vector has a picture, every picture a product,
 * sizes fit dimensions). VT_ERR_CORRUPT with the first fault. */
vt_status vt_store_check(vt_store *store, vt_error *error);

/* ---- pairs that stay ---- */
/* Two products of which somebody said that both stay although a picture of the one looks like a
 * picture of the other. It holds as long as both have these pictures; it is no change of a product
 * and takes no change number. */
typedef struct vt_store_pair {
    const char *first, *second; /* ids, in any order */
    vt_hash first_picture, second_picture;
} vt_store_pair;
/* Durable when it returns VT_OK, also when it was said before. VT_ERR_NOT_FOUND when one is not
 * there or has no such picture, VT_ERR_USAGE when both are the same. */
vt_status vt_store_keep_pair(vt_store *store, const vt_store_pair *pair, vt_error *error);
/* Takes back everything that was said of the two; VT_ERR_NOT_FOUND when nothing was. */
vt_status vt_store_forget_pair(vt_store *store, const char *first, const char *second,
                               vt_error *error);
/* Keys of the two products, in no order; for several pictures of theirs several times. */
typedef vt_status vt_store_visit_pair(void *context, uint32_t first, uint32_t second,
                                      vt_error *error);
vt_status vt_store_each_kept(vt_store *store, vt_store_visit_pair *visit, void *context,
                             vt_error *error);

/* ---- words: docs/text.md ---- */
enum { VT_STORE_MAX_WORDS = 64, VT_STORE_MAX_WORDS_BYTES = 4096 };

typedef struct vt_word_hit {
    uint32_t product;
    double score; /* bm25, larger is better; NAN: not asked for */
} vt_word_hit;
/* The products whose texts have all of these words: *out (*count), by key, the caller's (vt_free;
 * may be NULL when there is none). VT_ERR_USAGE without a word in it, VT_ERR_LIMIT with too many.
 */
vt_status vt_store_words(vt_store *store, const char *text, bool scored, vt_word_hit **out,
                         size_t *count, vt_error *error);
/* Where they stand in one product: *out of the bits vt_text_field; 0: it has not all of them. */
vt_status vt_store_words_fields(vt_store *store, const char *text, uint32_t product, unsigned *out,
                                vt_error *error);

/* ---- filters, facets, orders: see filter.h ---- */
enum { VT_STORE_MAX_FACETS = 64, VT_STORE_MAX_FACET_VALUES = 10000 };

typedef struct vt_select {
    struct vt_filter *filter;  /* NULL: every product; its names become those of the columns */
    const vt_idset *within;    /* only products of this set; NULL: all */
    const char *const *facets; /* (facet_count) names of attributes to count values of */
    size_t facet_count, facet_top;
    bool page;        /* keys are wanted: */
    const char *sort; /* name of an attribute; NULL: by key */
    bool descending;  /* the reverse, but products without a value come last either way */
    size_t offset, top;
} vt_select;

typedef struct vt_selection {
    vt_idset *products; /* that pass the filter and are within, the caller's (vt_idset_free) */
    uint64_t matched;   /* how many */
    uint64_t total;     /* products there are */
    vt_facet *facets;   /* in the arena, like all below */
    size_t facet_count;
    uint32_t *keys; /* the page */
    size_t key_count;
} vt_selection;

/* Answers all of it from one state of the catalogue, which contains every change committed before
 * the call, by this process or another. VT_ERR_USAGE for unknown names. */
vt_status vt_store_select(vt_store *store, const vt_select *what, vt_arena *arena,
                          vt_selection *out, vt_error *error);
/* Holds what is kept in memory for it to one built anew: VT_ERR_CORRUPT with the first difference.
 */
vt_status vt_store_check_postings(vt_store *store, vt_error *error);

/* ---- nearest ---- */
typedef enum vt_strategy {
    VT_STRATEGY_AUTO,           /* the planner's choice (planner.h) */
    VT_STRATEGY_EXACT,          /* every vector that may answer is compared */
    VT_STRATEGY_WALK,           /* the graph, without a set */
    VT_STRATEGY_CHECKED,        /* the graph as if there were no set; what is found is held to it */
    VT_STRATEGY_FILTERED,       /* the graph over what is in the set, bridging what is not */
    VT_STRATEGY_LISTS,          /* inverted lists around the query, without a set */
    VT_STRATEGY_FILTERED_LISTS, /* as many of them as it takes to have met enough of the set */
    VT_STRATEGY_ESTIMATED, /* the set, by estimates first (index/flat.h); where there are some */
} vt_strategy;
enum { VT_STRATEGY_COUNT = 8 };

typedef struct vt_nearest_options {
    size_t k;                 /* products wanted per query */
    size_t page;              /* the last so many of them are one page: calls that differ in k alone
                                 then answer with pages that fit each other; 0: k */
    float min_similarity;     /* -INFINITY: none */
    const vt_idset *products; /* keys of products that may answer; NULL: all */
    bool exact;               /* look at every vector of those */
    vt_strategy strategy;     /* for measuring: this one; VT_ERR_USAGE where it cannot be */
    vt_pool *pool;            /* NULL: in the caller's thread */
} vt_nearest_options;
typedef struct vt_nearest_answer {
    const char *strategy; /* "exact", "walk"...: vt_strategy_name, or with ", then exact" or
                             ", then estimated"; static */
    bool complete;        /* no better product exists */
    uint64_t searched;    /* vectors compared, per query; of several the mean */
    uint64_t visited;     /* vectors looked at, also those that may not answer */
    uint64_t products;    /* that have vectors, whether or not they may answer */
    double expected_ms;   /* what the planner took the strategy to cost, per query, one thread */
} vt_nearest_answer;
/* queries: (count, dim); hits: (count, k) with id = picture key and group = product key, one per
 * product, best first; hit_counts: (count). Sees every change committed before the call by this
 * process. */
vt_status vt_store_nearest(vt_store *store, uint32_t model, const float *queries, size_t count,
                           const vt_nearest_options *options, vt_hit *hits, size_t *hit_counts,
                           vt_nearest_answer *answer, vt_error *error);

/* ---- the index behind it: derived, rebuilt whenever it is missing or damaged ---- */
typedef enum vt_index_kind {
    VT_INDEX_AUTO, /* by number, dimension and memory (planner.h) */
    VT_INDEX_EXACT,
    VT_INDEX_GRAPH,
    VT_INDEX_IVF, /* inverted lists */
} vt_index_kind;
enum { VT_INDEX_KIND_COUNT = 4 };
const char *vt_index_kind_name(vt_index_kind kind); /* "auto", "exact", "graph", "ivf" */
/* By name; false: there is none. */
bool vt_index_kind_find(const char *name, vt_index_kind *out);
enum { VT_INDEX_WHY_BYTES = 200 }; /* of the reason for one */

typedef struct vt_store_index_options {
    vt_index_kind kind;          /* VT_INDEX_AUTO, or what is to be built also where auto would not;
                                    VT_ERR_LIMIT where it cannot be, with the reason */
    size_t memory_bytes;         /* what it may take; 0: half of what the machine has */
    vt_pool *pool;               /* NULL: in the caller's thread */
    vt_on_progress *on_progress; /* vectors; may be NULL */
    void *context;
    char *why; /* (VT_INDEX_WHY_BYTES) of a build that succeeds: why it is this kind; may be NULL */
} vt_store_index_options;

typedef struct vt_store_index_info {
    vt_index_kind wanted; /* what auto chooses, and why: */
    char why[VT_INDEX_WHY_BYTES];
    const char *wanted_codec; /* of what would be built, static text; "f16": exact */
    size_t rows, products, dim;
    vt_index_kind kind; /* what is in memory beside or instead of the vectors; exact: nothing */
    const char *codec;  /* of it, or of the vectors */
    size_t degree;      /* neighbours of the graph's nodes; 0: it is none */
    size_t lists;       /* inverted lists; 0: there are none */
    size_t index_bytes;
    bool resident; /* vectors are in memory as well */
    size_t vector_bytes;
    size_t screen_bytes; /* of a vector in what spares scans of memory their reading; 0: they read
                            all, or there is nothing in memory */
    uint64_t change, newest; /* changes it contains, and those there are */
    bool snapshot;           /* there is a file: */
    uint64_t snapshot_bytes, snapshot_change;
    char snapshot_fault[256]; /* why it was not used; "": it was, or none is wanted yet */
} vt_store_index_info;

/* Loads it where that was not done, from the snapshot if that fits. */
vt_status vt_store_index_info_of(vt_store *store, uint32_t model, vt_store_index_info *out,
                                 vt_error *error);
/* Builds graph or lists anew and writes the snapshot, whatever there was; searches go on meanwhile.
 * Where auto takes neither nothing is built and an old snapshot is taken away. */
vt_status vt_store_index_build(vt_store *store, uint32_t model,
                               const vt_store_index_options *options, vt_error *error);
/* The same only where it is missing, or behind by much; writes what has changed. For the end of
 * imports. */
vt_status vt_store_index_refresh(vt_store *store, uint32_t model,
                                 const vt_store_index_options *options, vt_error *error);
/* Holds the index in memory to the database, row by row, and looks at everything in graph or lists:
 * VT_ERR_CORRUPT with the first difference. Of the options on_progress counts, of vectors; changes
 * wait for it, so that it is not to call the store. Cancelled: VT_ERR_CANCELLED. */
vt_status vt_store_index_check(vt_store *store, uint32_t model,
                               const vt_store_index_options *options, vt_error *error);

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
