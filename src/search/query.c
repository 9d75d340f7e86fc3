/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From photos to a query vector. Several photos are views of one thing: their vectors are averaged,
 * so that the similarity to a product picture is (up to a factor that does not change the order)
 * the mean of the photos' own similarities to it, and one exact scan answers for all of them.
 * Liked products join that sum with their weights.
 */
#include "search/search.h"

#include "base/clock.h"
#include "base/mem.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>

static vt_status decode(const vt_searcher *searcher, const vt_photo *photo, vt_rect crop,
                        vt_image *image, vt_error *error)
{
    vt_encoder_info info = vt_encoder_info_of(searcher->encoder);
    vt_decode_options options = vt_decode_options_defaults();
    options.fit_width = info.fit_width;
    options.fit_height = info.fit_height;
    options.crop = crop;
    if (photo->path != NULL)
        return vt_image_decode_file(photo->path, &options, image, error);
    return vt_image_decode(photo->bytes, photo->length, &options, image, error);
}

vt_status vt_search_embed(const vt_searcher *searcher, const vt_photo *photo, vt_rect crop,
                          float *out, vt_search_times *times, vt_error *error)
{
    vt_image image = {0};
    double started = vt_clock_ms();
    vt_status status = decode(searcher, photo, crop, &image, error);
    double decoded = vt_clock_ms();
    if (status == VT_OK) {
        status = vt_batcher_embed(searcher->batcher, &image, 1, out, error);
        if (status != VT_OK && photo->path != NULL)
            vt_fail_context(error, status, "embed \"%.200s\"", photo->path);
    }
    vt_image_deinit(&image);
    if (times != NULL) {
        times->decode_ms += decoded - started;
        times->embed_ms += vt_clock_ms() - decoded;
    }
    return status;
}

static vt_status check_query(const vt_query *query, vt_error *error)
{
    if (query->photo_count > VT_SEARCH_MAX_PHOTOS || query->like_count > VT_SEARCH_MAX_LIKES ||
        (query->photos == NULL && query->photo_count > 0) ||
        (query->likes == NULL && query->like_count > 0))
        return vt_fail(error, VT_ERR_USAGE,
                       "search: %zu photos and %zu liked products, up to %d and %d can be",
                       query->photo_count, query->like_count, VT_SEARCH_MAX_PHOTOS,
                       VT_SEARCH_MAX_LIKES);
    if (query->photo_count + query->like_count == 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "search: 0 photos and no liked product, one or the other is needed");
    if (query->top < 1 || query->top > VT_SEARCH_MAX_TOP)
        return vt_fail(error, VT_ERR_USAGE, "search: the top %zu cannot be asked for, 1 to %d can",
                       query->top, VT_SEARCH_MAX_TOP);
    if (query->offset > VT_SEARCH_MAX_OFFSET)
        return vt_fail(error, VT_ERR_USAGE,
                       "search: the first %zu cannot be left out, up to %d can", query->offset,
                       VT_SEARCH_MAX_OFFSET);
    if (isnan(query->min_similarity))
        return vt_fail(error, VT_ERR_USAGE, "search: the minimum similarity is not a number");
    bool whole = query->crop_width == 0 && query->crop_height == 0;
    if (!whole &&
        (query->crop_width < 1 || query->crop_height < 1 || query->crop_x < 0 || query->crop_y < 0))
        return vt_fail(error, VT_ERR_USAGE, "search: crop %d,%d,%d,%d is not X,Y,W,H of a region",
                       query->crop_x, query->crop_y, query->crop_width, query->crop_height);
    return VT_OK;
}

vt_status vt_search_query_vector(const vt_searcher *searcher, const vt_query *query, float *out,
                                 vt_search_times *times, vt_error *error)
{
    vt_status status = check_query(query, error);
    if (status != VT_OK)
        return status;
    size_t dim = searcher->dim;
    vt_rect crop = {query->crop_x, query->crop_y, query->crop_width, query->crop_height};
    float *one = vt_calloc(dim, sizeof(float));
    if (one == NULL)
        return vt_fail_memory(error, "a query vector");
    memset(out, 0, dim * sizeof(float));
    for (size_t i = 0; status == VT_OK && i < query->photo_count; i++) {
        status = vt_search_embed(searcher, &query->photos[i], crop, one, times, error);
        for (size_t d = 0; status == VT_OK && d < dim; d++)
            out[d] += one[d];
    }
    vt_free(one);
    if (status == VT_OK)
        status = vt_search_add_likes(searcher, query, out, error);
    if (status == VT_OK && !vt_vector_normalize(out, dim))
        status = vt_fail(error, VT_ERR_MISMATCH,
                         "search: the vectors of what is searched with cancel each other");
    return status;
}
