/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph index: near neighbours found by walking, over compressed vectors.
 *
 *     vt_graph_options options = vt_graph_options_defaults();
 *     vt_graph *graph;
 *     vt_graph_new(dim, &options, &graph, error);
 *     vt_graph_build(graph, &rows, pool, error);              // many at once, in parallel
 *     vt_graph_add(graph, picture, product, vector, error);   // or one by one, any time
 *     vt_graph_remove(graph, picture);
 *     vt_graph_search(graph, queries, n, &search, &answers, error);
 *     vt_graph_free(graph);
 *
 * Rows, groups and similarities are those of index/flat.h; answers are approximate. Vectors that
 * are equal (to the codec) share a node. docs/index.md says what it is and why.
 *
 * Threads: any number may search at any time, also while others add, build or remove; searches
 * never wait for those. Writers wait for one another. A search sees every row whose vt_graph_add
 * returned before it began, and none whose vt_graph_remove did. vt_graph_free needs it alone.
 */
#ifndef VT_INDEX_GRAPH_H
#define VT_INDEX_GRAPH_H

#include "base/thread.h"
#include "index/codec.h"
#include "vector/idset.h"
#include "vector/topk.h"

typedef struct vt_graph vt_graph;

enum {
    VT_GRAPH_MAX_DIM = 4096,
    VT_GRAPH_MAX_DEGREE = 64,
    VT_GRAPH_MAX_WIDTH = 1 << 14, /* of a walk; also the most hits of one query */
};

typedef struct vt_graph_options {
    vt_codec codec;
    vt_metric metric; /* VT_METRIC_DOT wants vectors of about one length */
    size_t degree;    /* neighbours of a node; rounded up to what fills a cache line, 4..64 */
    size_t width;     /* of the walk that finds a new node's neighbours */
    float alpha;      /* how much longer a detour may be that makes an edge needless, >= 1 */
} vt_graph_options;
vt_graph_options vt_graph_options_defaults(void); /* int4x2, cosine, 32, 128, 1.06 */

vt_status vt_graph_new(size_t dim, const vt_graph_options *options, vt_graph **out,
                       vt_error *error);
void vt_graph_free(vt_graph *graph);

typedef struct vt_graph_rows {
    const float *vectors;   /* (count, dim) */
    const uint32_t *ids;    /* (count) */
    const uint32_t *groups; /* (count); NULL: the ids */
    size_t count;
} vt_graph_rows;

/* Adds all rows or none. The first rows of an empty graph also train the codec. Vectors as
 * vt_coder_check wants them (VT_ERR_USAGE otherwise, naming the row); VT_ERR_EXISTS when an id is
 * there already or comes twice. */
vt_status vt_graph_build(vt_graph *graph, const vt_graph_rows *rows, vt_pool *pool,
                         vt_error *error);
/* One row. Where the graph was not built first, the codec stays untrained: less precise when
 * vectors have much in common. */
vt_status vt_graph_add(vt_graph *graph, uint32_t id, uint32_t group, const float *vector,
                       vt_error *error);
/* False: was not there. Repairs the neighbourhood at once; edges from far away that are left, few
 * if any, are found by a bounded step of later removals, and searches pass them by. */
bool vt_graph_remove(vt_graph *graph, uint32_t id);
/* Does what removals have left to do. */
void vt_graph_settle(vt_graph *graph);

bool vt_graph_has(vt_graph *graph, uint32_t id);
size_t vt_graph_count(const vt_graph *graph); /* rows */
size_t vt_graph_dim(const vt_graph *graph);
size_t vt_graph_degree(const vt_graph *graph); /* neighbours that a node has room for */
vt_codec vt_graph_codec(const vt_graph *graph);
/* Every row, in no order; it sees those that are there all along. */
typedef vt_status vt_graph_visit(void *context, uint32_t id, uint32_t group, vt_error *error);
vt_status vt_graph_each(vt_graph *graph, vt_graph_visit *visit, void *context, vt_error *error);
size_t vt_graph_bytes(vt_graph *graph); /* memory held, without what searches use */

typedef struct vt_graph_search_options {
    size_t k;               /* hits wanted per query, >= 1 */
    bool grouped;           /* best row per group, k groups */
    float min_similarity;   /* -INFINITY: none; equal passes */
    const vt_idset *groups; /* only rows whose group is in it; NULL: all */
    vt_pool *pool;          /* shares out the queries; NULL: in the caller's thread */
    size_t width;           /* of the walk; more is slower and finds more. At least k is used */
    size_t budget;          /* nodes that one query may compare with; 0: no bound */
    bool checked;           /* walk as if there were no set; what is found is held to it */
    size_t strays;          /* nodes outside the set that are expanded like those within; behind
                               them walks keep to the set and cross others only to what is next to
                               them. 0: no bound */
    float share;            /* with strays or checked: of rows that are in the set. Where of those
                               around the query far fewer are, what is in the set lies elsewhere,
                               perhaps on all sides, and a walk may miss it: it has run out then.
                               0: unknown */
    float around;           /* with strays: of the nodes met before the first is expanded, what part
                               of the nearest must be in the set, or the walk has run out at once:
                               for sets that are narrow and worth a walk where they lie around the
                               query. 0: any */
} vt_graph_search_options;
vt_graph_search_options vt_graph_search_defaults(void); /* k 10, grouped, width 64, no budget */

typedef struct vt_graph_walked {
    size_t visited; /* nodes compared with the query */
    bool ran_out;   /* the budget, that of strays or the set's share ended the walk before it was
                       over */
} vt_graph_walked;

/* Where answers go: hits (queries, k), best first; counts (queries); walked (queries) or NULL. */
typedef struct vt_graph_answers {
    vt_hit *hits;
    size_t *counts;
    vt_graph_walked *walked;
} vt_graph_answers;

/* VT_ERR_USAGE when a query is not finite, too long or has no direction under the cosine, when k is
 * 0 or min_similarity NaN; VT_ERR_LIMIT when k, or the rows where they are fewer, are above
 * VT_GRAPH_MAX_WIDTH. */
vt_status vt_graph_search(vt_graph *graph, const float *queries, size_t count,
                          const vt_graph_search_options *options, const vt_graph_answers *answers,
                          vt_error *error);

/* What vt_graph_check has counted. */
typedef struct vt_graph_shape {
    size_t nodes, rows, edges, degree_maximum;
    size_t unreachable; /* nodes no walk can come to from an entry */
    size_t stale;       /* removed nodes that edges still lead to */
} vt_graph_shape;

/* Looks at everything: degrees, ids in range, no loop to itself, no edge twice, no removed node
 * with rows, counts of edges, the table of ids, twins. VT_ERR_CORRUPT with the first fault. Waits
 * for writers. shape may be NULL. */
vt_status vt_graph_check(vt_graph *graph, vt_graph_shape *shape, vt_error *error);

#endif
