/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How good an encoder's vectors are beside those of the f32 one: the mean cosine between them, and
 * where there are queries how often their product is found, each encoder searching its own vectors.
 * The search is exact, by cosine, products ranked by their best picture; measures of src/eval.
 */
#include "eval/retrieval.h"
#include "shop/quantize.h"
#include "vector/distance.h"

#include <math.h>

double vt_quantize_cosine(const float *vectors, const float *baseline, size_t count, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)vt_distance()->cosine_f32(vectors + i * dim, baseline + i * dim, dim);
    return count == 0 ? NAN : sum / (double)count;
}

#define RANK_NONE SIZE_MAX

/* How many products come before the sought one; those it ties with do, so that an encoder which
 * gives everything the same vector finds nothing. RANK_NONE: it is not there. */
static size_t rank_of(const vt_quantize_set *set, const float *vectors, size_t dim, size_t query,
                      float *best)
{
    const vt_quantize_picture *items = set->measure.items;
    size_t products = 0, own = RANK_NONE, rank = 0;
    for (size_t i = set->query_count; i < set->measure.count; i++) {
        bool first = i == set->query_count || items[i - 1].product != items[i].product;
        float similarity = vt_distance()->cosine_f32(vectors + query * dim, vectors + i * dim, dim);
        products += first;
        if (first || similarity > best[products - 1])
            best[products - 1] = similarity;
        if (items[i].product == items[query].product)
            own = products - 1;
    }
    for (size_t p = 0; p < products && own != RANK_NONE; p++)
        rank += p != own && best[p] >= best[own];
    return own == RANK_NONE ? RANK_NONE : rank;
}

static vt_status measure_recall(const vt_quantize_set *set, const float *vectors, size_t dim,
                                double out[2], vt_error *error)
{
    const vt_retrieval_options options = {.k = {VT_QUANTIZE_RECALL_LOW, VT_QUANTIZE_RECALL_HIGH},
                                          .k_count = 2};
    vt_retrieval *measures = NULL;
    vt_retrieval_result result = {0};
    float *best = vt_calloc(set->measure.count, sizeof(*best));
    vt_status status = best == NULL ? vt_fail_memory(error, "a measurement")
                                    : vt_retrieval_new(&options, &measures, error);
    for (size_t q = 0; q < set->query_count && status == VT_OK; q++) {
        size_t rank = rank_of(set, vectors, dim, q, best);
        bool relevance[VT_QUANTIZE_RECALL_HIGH] = {false};
        if (rank < VT_QUANTIZE_RECALL_HIGH)
            relevance[rank] = true;
        status = vt_retrieval_add(measures, NULL, relevance, VT_QUANTIZE_RECALL_HIGH, 1, error);
    }
    if (status == VT_OK && vt_retrieval_result_of(measures, NULL, &result)) {
        out[0] = result.recall[0];
        out[1] = result.recall[1];
    }
    vt_retrieval_free(measures);
    vt_free(best);
    return status;
}

vt_status vt_quantize_measure(const vt_quantize_set *set, const float *vectors,
                              const float *baseline, size_t dim, vt_quantize_quality *out,
                              vt_error *error)
{
    vt_quantize_quality quality = {.recall = {NAN, NAN}};
    vt_status status = VT_OK;
    quality.cosine = vt_quantize_cosine(vectors, baseline, set->measure.count, dim);
    if (set->query_count > 0)
        status = measure_recall(set, vectors, dim, quality.recall, error);
    if (status == VT_OK)
        *out = quality;
    return status;
}
