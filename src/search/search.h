/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Search: photos in, ranked products out.
 *
 *     vt_searcher searcher = {store, model, dim, encoder, batcher};
 *     vt_search_run(&searcher, &query, &answer, error);
 *     vt_search_answer_free(answer);
 *
 * query.c     photo -> pixels -> vector; several photos and liked products -> their direction
 * likes.c     products as examples
 * explain.c   what each photo and product adds to a similarity
 * answer.c    filter -> products; nearest pictures of them -> products, best picture each
 * words.c     words -> products; ranked by them where there is nothing else
 * order.c     answers in the order of an attribute
 *
 * Threads: a searcher is read-only; any number of threads may search with one.
 */
#ifndef VT_SEARCH_SEARCH_H
#define VT_SEARCH_SEARCH_H

#include "encoder/encoder.h"
#include "store/store.h"

typedef struct vt_searcher {
    vt_store *store;
    uint32_t model;            /* the store's key for the encoder */
    size_t dim;                /* of its vectors */
    const vt_encoder *encoder; /* this and the batcher: NULL when no photo is searched with */
    vt_batcher *batcher;
    vt_pool *pool;           /* for the scan; NULL: the caller's thread */
    uint64_t maximum_pixels; /* of a photo; 0: as the decoder says */
} vt_searcher;

enum {
    VT_SEARCH_MAX_TOP = 10000,
    VT_SEARCH_MAX_OFFSET = 1000000,
    VT_SEARCH_MAX_PHOTOS = 64,
    VT_SEARCH_MAX_LIKES = 64,
    VT_SEARCH_MAX_WEIGHT = 1000,
    VT_SEARCH_SORTED = 1000, /* the most similar ones that are put into another order */
    VT_SEARCH_FACET_TOP = 10 /* where 0 is asked for */
};

typedef struct vt_search_times {
    double decode_ms, embed_ms;
} vt_search_times;

/* One photo's vector: out (dim). crop.width 0: the whole photo. Adds to *times (may be NULL). */
vt_status vt_search_embed(const vt_searcher *searcher, const vt_photo *photo, vt_rect crop,
                          float *out, vt_search_times *times, vt_error *error);

/* *out: one block, vt_search_answer_free. VT_ERR_USAGE for a query that asks for nothing sensible.
 */
vt_status vt_search_run(const vt_searcher *searcher, const vt_query *query, vt_answer **out,
                        vt_error *error);
void vt_search_answer_free(vt_answer *answer);

/* "price:desc" or "-price" to "price" and descending, in the arena; nothing of NULL and "". */
vt_status vt_search_read_sort(const char *sort, vt_arena *arena, vt_select *what, vt_error *error);

/* ---- inside src/search ---- */

/* What one search works with. */
typedef struct vt_search {
    const vt_searcher *searcher;
    const vt_query *query;
    vt_answer *answer;
    vt_arena *arena;          /* of the answer */
    bool visual, worded;      /* photos or products are searched with; words are */
    bool sorted;              /* in an order of its own */
    struct vt_filter *filter; /* NULL: none */
    bool *truths;             /* (filter->stack_depth) */
    vt_word_hit *words;       /* (word_count) products with the words, by key; owned */
    size_t word_count;
    vt_idset *products;     /* that pass the filter and have the words; NULL: all */
    uint64_t product_limit; /* no more than so many can answer */
} vt_search;

/* One candidate; picture 0: the main one. */
typedef struct vt_candidate {
    uint32_t product, picture;
    double similarity, text_score; /* NAN: none */
} vt_candidate;

/* VT_ERR_USAGE for what cannot be asked. */
vt_status vt_search_check_query(const vt_query *query, vt_error *error);
/* words.c: fills words; *set: the same as a set, the caller's. */
vt_status vt_search_words(vt_search *s, vt_idset **set, vt_error *error);
/* The `most` best by words that pass the filter: *out (*count), best first, the caller's. */
vt_status vt_search_rank_words(const vt_search *s, size_t most, vt_candidate **out, size_t *count,
                               vt_error *error);
/* Says of each answer in which fields the words stand. */
vt_status vt_search_explain_words(const vt_search *s, vt_error *error);
/* order.c: puts candidates into the query's order and leaves those of the page. */
vt_status vt_search_order(const vt_search *s, vt_candidate *all, size_t *count, vt_error *error);

/* The query's vector: out (dim), of length 1. parts (photo_count + like_count,
 * dim), may be NULL: what each photo and product adds to it; their sum is out. */
vt_status vt_search_query_vector(const vt_searcher *searcher, const vt_query *query, float *parts,
                                 float *out, vt_search_times *times, vt_error *error);
/* Weight times the direction of each liked product: out (like_count, dim). */
vt_status vt_search_like_vectors(const vt_searcher *searcher, const vt_query *query, float *out,
                                 vt_error *error);
/* The mean direction of a product's pictures: out (dim), of length 1; one (dim): scratch. *found:
 * there is one, it has vectors of the model and they do not cancel each other. */
vt_status vt_search_direction(const vt_searcher *searcher, const vt_product *product, float *out,
                              float *one, bool *found, vt_error *error);
bool vt_search_weight_valid(double weight);
/* Fills in the shares of what is in the answer; parts: as vt_search_query_vector made them. */
vt_status vt_search_explain(const vt_searcher *searcher, const vt_query *query, const float *parts,
                            vt_answer *answer, vt_arena *arena, vt_error *error);

#endif
