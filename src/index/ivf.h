/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverted lists (IVF): near neighbours found by looking into the lists around the query, by codes
 * of one bit an element or of a product quantiser. The index for the largest sets and for the least
 * memory; the graph (graph.h) is faster where it fits.
 *
 *     vt_ivf_options options = vt_ivf_options_defaults();
 *     vt_ivf *ivf;
 *     vt_ivf_new(dim, &options, &ivf, error);
 *     vt_ivf_train(ivf, sample, sample_count, expected, pool, error);   // or let the first build
 *     vt_ivf_build(ivf, &rows, pool, error);              // many at once, in parallel; repeatedly
 *     vt_ivf_add(ivf, picture, product, vector, error);   // or one by one, any time
 *     vt_ivf_remove(ivf, picture);
 *     vt_ivf_search(ivf, queries, n, &search, &answers, error);
 *     vt_ivf_free(ivf);
 *
 * Rows, groups and similarities are those of index/flat.h; answers are approximate.
 *
 * What a store calls: options.precise off, and `fetch` of a search set to what reads vectors from
 * the database, is the least memory; options.precise on holds a more precise code of each row
 * beside. vt_ivf_train on a sample and vt_ivf_build by the ten thousand read a catalogue that does
 * not fit in memory. vt_ivf_save and vt_ivf_load (ivf_file.h) are its snapshot. vt_ivf_bytes_of
 * says beforehand what a row will take.
 *
 * Threads: any number may search at any time, also while others add, build or remove: a search
 * waits while a row is put in its place or taken out, which is copying, and that for the one query
 * each search is at. Writers wait for one another, and while lists are saved or checked. A search
 * sees every row whose vt_ivf_add returned before it began, and none whose vt_ivf_remove did.
 * Training, by itself or by the first build, and vt_ivf_free need the lists alone.
 */
#ifndef VT_INDEX_IVF_H
#define VT_INDEX_IVF_H

#include "base/thread.h"
#include "index/codec.h"
#include "vector/idset.h"
#include "vector/topk.h"

typedef struct vt_ivf vt_ivf;

enum {
    VT_IVF_MAX_DIM = 4096,
    VT_IVF_MAX_LISTS = 65536,
    VT_IVF_MAX_HITS = 1 << 14, /* of one query */
};

typedef enum vt_ivf_code {
    VT_IVF_RABITQ, /* dim / 8 bytes and 12 of factors */
    VT_IVF_PQ,     /* dim / (2 sub_dim) bytes and 12 of factors */
} vt_ivf_code;

typedef struct vt_ivf_options {
    vt_metric metric; /* VT_METRIC_DOT wants vectors of about one length */
    vt_ivf_code code;
    size_t sub_dim; /* VT_IVF_PQ: elements that share 4 bits: 2, 4, 8 or 16 */
    size_t lists;   /* 0: by how many rows are expected; fewer where the sample is small */
    bool precise;   /* a second code of each row, that orders what the first has found */
    vt_codec codec; /* of that: any but VT_CODEC_INT4X2 */
    uint64_t seed;  /* of k-means */
} vt_ivf_options;
vt_ivf_options vt_ivf_options_defaults(void);   /* cosine, rabitq, 8, 0, precise, int8, 1 */
const char *vt_ivf_code_name(vt_ivf_code code); /* "rabitq", "pq"; "unknown" beyond */

vt_status vt_ivf_new(size_t dim, const vt_ivf_options *options, vt_ivf **out, vt_error *error);
void vt_ivf_free(vt_ivf *ivf);

/* Finds lists and codebooks from a sample, of which at most 64 rows for each list are used. Once,
 * before the first row. `expected`: rows that there will be, where options->lists is 0. Vectors as
 * vt_coder_check wants them (VT_ERR_USAGE otherwise, naming the row). */
vt_status vt_ivf_train(vt_ivf *ivf, const float *sample, size_t count, size_t expected,
                       vt_pool *pool, vt_error *error);
bool vt_ivf_is_trained(const vt_ivf *ivf);

typedef struct vt_ivf_rows {
    const float *vectors;   /* (count, dim) */
    const uint32_t *ids;    /* (count) */
    const uint32_t *groups; /* (count); NULL: the ids */
    size_t count;
} vt_ivf_rows;

/* Adds all rows or none; an untrained index is trained by them first. VT_ERR_EXISTS when an id is
 * there already or comes twice. The result does not depend on the number of threads. */
vt_status vt_ivf_build(vt_ivf *ivf, const vt_ivf_rows *rows, vt_pool *pool, vt_error *error);
/* One row; VT_ERR_USAGE while the index is not trained. */
vt_status vt_ivf_add(vt_ivf *ivf, uint32_t id, uint32_t group, const float *vector,
                     vt_error *error);
/* False: was not there. The last row of its list takes its place: nothing is left behind. */
bool vt_ivf_remove(vt_ivf *ivf, uint32_t id);

bool vt_ivf_has(const vt_ivf *ivf, uint32_t id);
size_t vt_ivf_count(const vt_ivf *ivf); /* rows */
size_t vt_ivf_dim(const vt_ivf *ivf);
size_t vt_ivf_lists(const vt_ivf *ivf);      /* 0 until trained */
size_t vt_ivf_code_bytes(const vt_ivf *ivf); /* of a row's first code, with its factors */
size_t vt_ivf_bytes(const vt_ivf *ivf);      /* memory held, without what searches use */
vt_ivf_options vt_ivf_options_of(const vt_ivf *ivf);
/* About what `rows` rows would take in memory. */
size_t vt_ivf_bytes_of(const vt_ivf *ivf, size_t rows);
/* Every row, list by list; visit is not to change them. */
typedef vt_status vt_ivf_visit(void *context, uint32_t id, uint32_t group, vt_error *error);
vt_status vt_ivf_each(const vt_ivf *ivf, vt_ivf_visit *visit, void *context, vt_error *error);

/* The vectors of these rows, at most 32 at once, into vectors (count, dim). From the threads that
 * search, for which the lists do not change: it is not to touch them. Elements of NaN: the row is
 * no longer there, and no hit. */
typedef vt_status vt_ivf_fetch(void *context, const uint32_t *ids, size_t count, float *vectors,
                               vt_error *error);

typedef struct vt_ivf_search_options {
    size_t k;               /* hits wanted per query, 1 to VT_IVF_MAX_HITS */
    bool grouped;           /* best row per group, k groups */
    float min_similarity;   /* -INFINITY: none; equal passes */
    const vt_idset *groups; /* only rows whose group is in it; NULL: all */
    vt_pool *pool;          /* shares out the queries; NULL: in the caller's thread */
    size_t probes;          /* lists looked into: more is slower and finds more */
    size_t matches;         /* with `groups`: further lists are looked into until so many rows of
                               the set were met, or all. 0: 40 k */
    float share;            /* of rows that are in the set. Where of those in the nearest lists far
                               fewer are, what is in the set lies elsewhere, on all sides, and all
                               lists are looked into. 0: unknown */
    size_t budget;          /* rows of lists, in the set or not, after which a query gives up; 0: no
                               bound */
    float epsilon;          /* a row whose estimate lies so many deviations below the k-th best is
                               not looked at by its precise code */
    vt_ivf_fetch *fetch;    /* orders what codes have found by the vectors themselves; NULL: by the
                               precise codes, and without them by the estimates */
    void *context;
} vt_ivf_search_options;
/* k 10, grouped, 16 probes, epsilon 1.9 */
vt_ivf_search_options vt_ivf_search_defaults(void);

typedef struct vt_ivf_walked {
    size_t lists;    /* looked into */
    size_t seen;     /* rows of those lists, in the set or not */
    size_t visited;  /* rows compared with the query, by blocks of 32 */
    size_t matched;  /* rows in those lists that are in the set */
    size_t reranked; /* rows looked at by precise code or vector */
    bool ran_out;    /* the budget ended it before it was over */
} vt_ivf_walked;

/* Where answers go: hits (queries, k), best first; counts (queries); walked (queries) or NULL. */
typedef struct vt_ivf_answers {
    vt_hit *hits;
    size_t *counts;
    vt_ivf_walked *walked;
} vt_ivf_answers;

/* VT_ERR_USAGE when a query is not finite, too long or has no direction under the cosine, when k,
 * epsilon or min_similarity cannot be; VT_ERR_LIMIT when k, or the rows where they are fewer, are
 * above VT_IVF_MAX_HITS; what `fetch` fails with. An answer does not depend on the pool or on the
 * other queries. */
vt_status vt_ivf_search(const vt_ivf *ivf, const float *queries, size_t count,
                        const vt_ivf_search_options *options, const vt_ivf_answers *answers,
                        vt_error *error);

typedef struct vt_ivf_shape {
    size_t rows, lists, empty_lists, longest_list;
} vt_ivf_shape;

/* Looks at everything: every id leads to its row and back, counts, factors finite, zeros where
 * there is no row. VT_ERR_CORRUPT with the first fault. Waits for writers. shape may be NULL. */
vt_status vt_ivf_check(const vt_ivf *ivf, vt_ivf_shape *shape, vt_error *error);

#endif
