/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An approximate index, whichever it is: what the graph (graph.h) and inverted lists (ivf.h) have
 * in common, as one table of functions for each. Who keeps vectors in step with something, saves
 * and loads them, needs to know no more.
 *
 *     const vt_ann_options options = {.codec = VT_CODEC_INT4X2};
 *     vt_ann *ann;
 *     vt_ann_new(&vt_ann_graph, dim, &options, &ann, error);
 *     ann->driver->build(ann, &rows, expected, pool, error);     // again and again, piece by piece
 *     ann->driver->search(ann, queries, n, &search, &answers, error);
 *     vt_ann_free(ann);
 *
 * Rows, groups and similarities are those of index/flat.h, by the dot product; vectors are to be of
 * about one length.
 *
 * Threads: any number may search at any time, also while others add, build or remove; writers wait
 * for one another, and while it is saved or checked. The first build and vt_ann_free need it alone.
 */
#ifndef VT_INDEX_ANN_H
#define VT_INDEX_ANN_H

#include "index/graph.h"
#include "index/ivf.h"
#include "index/origin.h"

typedef struct vt_ann_driver vt_ann_driver;

typedef struct vt_ann {
    const vt_ann_driver *driver; /* static */
    vt_graph *graph;             /* owned; one of the two */
    vt_ivf *ivf;
} vt_ann;

typedef struct vt_ann_options {
    vt_codec codec;   /* the graph's */
    vt_ivf_code code; /* the lists', which have no more precise code beside: see `fetch` */
} vt_ann_options;

typedef struct vt_ann_rows {
    const float *vectors;   /* (count, dim) */
    const uint32_t *ids;    /* (count) */
    const uint32_t *groups; /* (count) */
    size_t count;
} vt_ann_rows;

typedef struct vt_ann_search {
    size_t k;               /* hits wanted per query, one a group, >= 1 */
    float min_similarity;   /* -INFINITY: none */
    const vt_idset *groups; /* NULL: all */
    vt_pool *pool;          /* shares out the queries; NULL: in the caller's thread */
    size_t width;           /* of the walk; lists looked into */
    size_t budget;          /* nodes compared, rows of lists; 0: no bound */
    float share;            /* of rows that are in the set; 0: unknown */
    bool checked;           /* the graph's, as are strays and around: graph.h */
    size_t strays;
    float around;
    size_t matches;      /* the lists', as is fetch: ivf.h */
    vt_ivf_fetch *fetch; /* the graph, which orders by its own codes, does not ask for vectors */
    void *context;       /* of fetch */
} vt_ann_search;

typedef struct vt_ann_walked {
    size_t compared; /* rows compared with the query */
    size_t visited;  /* rows looked at, in the set or not */
    bool ran_out;    /* it ended before it was over */
} vt_ann_walked;

/* Where answers go: hits (queries, k), best first; counts (queries); walked (queries). */
typedef struct vt_ann_answers {
    vt_hit *hits;
    size_t *counts;
    vt_ann_walked *walked;
} vt_ann_answers;

typedef struct vt_ann_facts {
    const char *codec; /* "int4x2", "rabitq"...; static text */
    size_t rows;
    size_t degree; /* of the graph; 0 for lists */
    size_t lists;  /* 0 for the graph */
} vt_ann_facts;

typedef struct vt_ann_file_info {
    vt_index_origin origin;
    vt_metric metric;
    size_t dim, rows;
    uint64_t bytes; /* of the file */
} vt_ann_file_info;

typedef vt_status vt_ann_visit(void *context, uint32_t id, uint32_t group, vt_error *error);

/* Statuses and messages are those of the functions of graph.h and ivf.h, graph_file.h and
 * ivf_file.h that stand behind them. */
struct vt_ann_driver {
    const char *name;   /* "graph", "ivf": what users call it */
    const char *what;   /* "graph index", "inverted lists": in messages */
    const char *suffix; /* of the names of its files, without the dot */
    /* An empty one into `out`, of which the driver is set. */
    vt_status (*init)(vt_ann *out, size_t dim, const vt_ann_options *options, vt_error *error);
    void (*deinit)(vt_ann *ann);
    /* What the first build should have of `expected` rows, drawn at random: it is trained by them.
     */
    size_t (*first_rows)(size_t expected, size_t dim);
    /* All rows or none; expected: rows there will be. */
    vt_status (*build)(vt_ann *ann, const vt_ann_rows *rows, size_t expected, vt_pool *pool,
                       vt_error *error);
    vt_status (*add)(vt_ann *ann, uint32_t id, uint32_t group, const float *vector,
                     vt_error *error);
    bool (*remove)(vt_ann *ann, uint32_t id); /* false: was not there */
    vt_status (*search)(vt_ann *ann, const float *queries, size_t count,
                        const vt_ann_search *options, const vt_ann_answers *answers,
                        vt_error *error);
    vt_status (*each)(vt_ann *ann, vt_ann_visit *visit, void *context, vt_error *error);
    /* The validator; *rows: how many there are. */
    vt_status (*check)(vt_ann *ann, size_t *rows, vt_error *error);
    void (*tell)(vt_ann *ann, vt_ann_facts *out); /* in no time */
    size_t (*bytes)(vt_ann *ann);                 /* memory held, without what searches use */
    vt_status (*save)(vt_ann *ann, const char *path, const vt_index_origin *origin,
                      vt_error *error);
    vt_status (*file_info)(const char *path, vt_ann_file_info *out, vt_error *error);
    vt_status (*load)(vt_ann *out, const char *path, vt_pool *pool, vt_ann_file_info *info,
                      vt_error *error);
};
extern const vt_ann_driver vt_ann_graph, vt_ann_ivf;

vt_status vt_ann_new(const vt_ann_driver *driver, size_t dim, const vt_ann_options *options,
                     vt_ann **out, vt_error *error);
/* From a file. */
vt_status vt_ann_load(const vt_ann_driver *driver, const char *path, vt_pool *pool, vt_ann **out,
                      vt_ann_file_info *info, vt_error *error);
void vt_ann_free(vt_ann *ann); /* NULL is fine */
size_t vt_ann_rows_of(vt_ann *ann);

#endif
