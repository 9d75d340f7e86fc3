/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a product is an answer. The query's vector is a weighted sum of photos and products, divided
 * by its length; a similarity is the product with that sum, and so a sum itself, one term for each
 * photo and product. Nothing is estimated: the terms are the similarity.
 */
#include "search/search.h"

#include "base/mem.h"

static double dot(const float *a, const float *b, size_t dim)
{
    double total = 0.0;
    for (size_t d = 0; d < dim; d++)
        total += (double)a[d] * (double)b[d];
    return total;
}

vt_status vt_search_explain(const vt_searcher *searcher, const vt_query *query, const float *parts,
                            vt_answer *answer, vt_arena *arena, vt_error *error)
{
    size_t count = query->photo_count + query->like_count;
    float *vector = vt_arena_array(arena, searcher->dim, sizeof(*vector));
    if (vector == NULL)
        return vt_fail_memory(error, "an explanation");
    for (size_t i = 0; i < answer->count; i++) {
        double *shares = vt_arena_array(arena, count, sizeof(*shares));
        if (shares == NULL)
            return vt_fail_memory(error, "an explanation");
        vt_status status = vt_store_vector(searcher->store, searcher->model,
                                           answer->results[i].picture->key, vector, error);
        /* Changed by somebody since it was found: it stays without an explanation. */
        if (status == VT_ERR_NOT_FOUND)
            continue;
        if (status != VT_OK)
            return status;
        for (size_t j = 0; j < count; j++)
            shares[j] = dot(parts + j * searcher->dim, vector, searcher->dim);
        answer->results[i].shares = shares;
    }
    return VT_OK;
}
