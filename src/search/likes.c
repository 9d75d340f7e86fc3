/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "More like this": products of the shop as examples of what is looked for, or of what is not.
 *
 * Method: a product counts as the mean direction of its pictures, so that one with many pictures
 * weighs no more than one with a single one; weights, also negative ones, are those of a sum of
 * unit vectors (Rocchio 1971, without his averages over the whole collection).
 */
#include "search/search.h"

#include "base/mem.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>

enum { PRODUCT_BYTES = 64 << 20 };

vt_status vt_search_direction(const vt_searcher *searcher, const vt_product *product, float *out,
                              float *one, bool *found, vt_error *error)
{
    memset(out, 0, searcher->dim * sizeof *out);
    for (size_t i = 0; i < product->picture_count; i++) {
        vt_status status =
            vt_store_vector(searcher->store, searcher->model, product->pictures[i].key, one, error);
        if (status == VT_ERR_NOT_FOUND)
            continue; /* of another model alone */
        if (status != VT_OK)
            return status;
        for (size_t d = 0; d < searcher->dim; d++)
            out[d] += one[d];
    }
    *found = vt_vector_normalize(out, searcher->dim); /* of nothing at all it is 0 */
    return VT_OK;
}

static vt_status like_vector(const vt_searcher *searcher, const vt_like *like, float *out,
                             float *scratch, vt_error *error)
{
    if (!vt_search_weight_valid(like->weight))
        return vt_fail(error, VT_ERR_USAGE,
                       "search: a liked product's weight is %g, from -%d to %d and not 0 it can be",
                       like->weight, VT_SEARCH_MAX_WEIGHT, VT_SEARCH_MAX_WEIGHT);
    vt_arena arena;
    vt_product product = {0};
    bool found = false;
    vt_arena_init(&arena, PRODUCT_BYTES);
    vt_status status = vt_store_get(searcher->store, like->product, &arena, &product, error);
    if (status != VT_OK)
        vt_fail_context(error, status, "search: a liked product");
    if (status == VT_OK)
        status = vt_search_direction(searcher, &product, out, scratch, &found, error);
    if (status == VT_OK && !found)
        status = vt_fail(error, VT_ERR_MISMATCH,
                         "search: the liked product \"%.200s\" has no vectors, or they cancel each "
                         "other",
                         product.id);
    for (size_t d = 0; status == VT_OK && d < searcher->dim; d++)
        out[d] *= (float)like->weight;
    vt_arena_deinit(&arena);
    return status;
}

bool vt_search_weight_valid(double weight)
{
    return fabs(weight) <= VT_SEARCH_MAX_WEIGHT && weight != 0.0;
}

vt_status vt_search_like_vectors(const vt_searcher *searcher, const vt_query *query, float *out,
                                 vt_error *error)
{
    if (query->like_count == 0)
        return VT_OK;
    float *scratch = vt_alloc_array(searcher->dim, sizeof *scratch);
    if (scratch == NULL)
        return vt_fail_memory(error, "a query vector");
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < query->like_count; i++)
        status = like_vector(searcher, &query->likes[i], out + i * searcher->dim, scratch, error);
    vt_free(scratch);
    return status;
}
