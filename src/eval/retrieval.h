/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures of retrieval over ranked lists of products.
 *
 *     vt_retrieval_options o = vt_retrieval_options_defaults();
 *     vt_retrieval *r;
 *     vt_retrieval_new(&o, &r, error);
 *     vt_retrieval_add(r, "shoes", relevance, ranked_count, relevant_total, error);  // per query
 *     vt_retrieval_print(r, &writer);
 *     vt_retrieval_free(r);
 *
 * Threads: one thread at a time.
 *
 * Definitions (Manning, Raghavan and Schuetze, Introduction to Information Retrieval, chapter 8):
 * recall@k      share of queries with at least one relevant product among the first k (hit rate,
 *               as product search and metric learning papers use the word)
 * precision@k   relevant among the first k, divided by k, averaged over queries
 * average precision
 *               mean over a query's relevant products of precision at their ranks, 0 for those not
 *               ranked; map: its mean. Ranked lists are cut by the caller; the length of the
 *               longest is reported as `depth`.
 * mrr           mean of 1 / rank of the first relevant product, 0 when none is ranked
 */
#ifndef VT_EVAL_RETRIEVAL_H
#define VT_EVAL_RETRIEVAL_H

#include "base/json.h"
#include "base/status.h"

enum { VT_RETRIEVAL_MAX_K = 16 };

typedef struct vt_retrieval_options {
    size_t k[VT_RETRIEVAL_MAX_K]; /* ascending */
    size_t k_count;
} vt_retrieval_options;
vt_retrieval_options vt_retrieval_options_defaults(void); /* 1, 5, 10 */

typedef struct vt_retrieval vt_retrieval;

vt_status vt_retrieval_new(const vt_retrieval_options *options, vt_retrieval **out,
                           vt_error *error);
void vt_retrieval_free(vt_retrieval *retrieval);
/* One query: relevance[i] says whether rank i+1 is relevant. relevant_total: how many relevant
 * products exist (>= 1, and not fewer than the list has: VT_ERR_USAGE). category may be NULL: the
 * query counts only in the whole. */
vt_status vt_retrieval_add(vt_retrieval *retrieval, const char *category, const bool *relevance,
                           size_t ranked, size_t relevant_total, vt_error *error);

typedef struct vt_retrieval_result {
    size_t queries, depth; /* depth: the longest ranked list */
    double recall[VT_RETRIEVAL_MAX_K], precision[VT_RETRIEVAL_MAX_K]; /* by index of k */
    double map, mrr;
} vt_retrieval_result;
/* category NULL: over all queries. false when there is no query of it. */
bool vt_retrieval_result_of(const vt_retrieval *retrieval, const char *category,
                            vt_retrieval_result *out);
size_t vt_retrieval_category_count(const vt_retrieval *retrieval);
const char *vt_retrieval_category(const vt_retrieval *retrieval, size_t index); /* sorted by name */
/* Members "queries", "depth", "recall", "precision" (objects by k), "map", "mrr" (null without
 * queries) and "per_category" (an object of the same by name) of the open object. */
void vt_retrieval_print(const vt_retrieval *retrieval, vt_json_writer *writer);

#endif
