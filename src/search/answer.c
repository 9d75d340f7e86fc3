/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the nearest pictures to products: the store groups pictures by product; here each hit gets
 * its product and the picture that matched.
 *
 * A product that another process removes between the scan and the lookup is left out.
 */
#include "search/search.h"

#include "base/clock.h"
#include "base/mem.h"

#include <math.h>

enum { ANSWER_BYTES = 1 << 30 };

/* The answer and everything it points to. */
typedef struct answer_block {
    vt_answer answer; /* first: the caller holds a pointer to it */
    vt_arena arena;
} answer_block;

void vt_search_answer_free(vt_answer *answer)
{
    if (answer == NULL)
        return;
    answer_block *block = (answer_block *)answer;
    vt_arena_deinit(&block->arena);
    vt_free(block);
}

static const vt_picture *find_picture(const vt_product *product, uint32_t key)
{
    for (size_t i = 0; i < product->picture_count; i++)
        if (product->pictures[i].key == key)
            return &product->pictures[i];
    return NULL;
}

static vt_status fill(const vt_searcher *searcher, const vt_hit *hits, size_t count,
                      answer_block *block, vt_error *error)
{
    vt_answer *answer = &block->answer;
    vt_product *products = vt_arena_array(&block->arena, count, sizeof(*products));
    answer->results = vt_arena_array(&block->arena, count, sizeof(*answer->results));
    if (count > 0 && (products == NULL || answer->results == NULL))
        return vt_fail_memory(error, "the answer");
    for (size_t i = 0; i < count; i++) {
        vt_product *product = &products[answer->count];
        vt_status status =
            vt_store_get_by_key(searcher->store, hits[i].group, &block->arena, product, error);
        if (status == VT_ERR_NOT_FOUND)
            continue;
        if (status != VT_OK)
            return status;
        const vt_picture *picture = find_picture(product, hits[i].id);
        if (picture == NULL)
            continue;
        answer->results[answer->count++] =
            (vt_result){product, picture, (double)hits[i].similarity};
    }
    return VT_OK;
}

static vt_status nearest(const vt_searcher *searcher, const vt_query *query, const float *vector,
                         answer_block *block, vt_error *error)
{
    vt_nearest_options options = {.k = query->top, .pool = searcher->pool};
    options.min_similarity =
        query->min_similarity <= -1.0 ? -INFINITY : (float)query->min_similarity;
    vt_hit *hits = vt_alloc_array(query->top, sizeof(*hits));
    if (hits == NULL)
        return vt_fail_memory(error, "the nearest pictures");
    vt_nearest_answer found = {0};
    size_t count = 0;
    vt_status status = vt_store_nearest(searcher->store, searcher->model, vector, 1, &options, hits,
                                        &count, &found, error);
    if (status == VT_OK) {
        block->answer.strategy = found.strategy;
        block->answer.complete = found.complete;
        block->answer.searched = found.searched;
        status = fill(searcher, hits, count, block, error);
    }
    vt_free(hits);
    return status;
}

vt_status vt_search_run(const vt_searcher *searcher, const vt_query *query, vt_answer **out,
                        vt_error *error)
{
    double started = vt_clock_ms();
    answer_block *block = vt_calloc(1, sizeof(*block));
    float *vector = vt_calloc(vt_encoder_info_of(searcher->encoder).dim, sizeof(float));
    vt_search_times times = {0};
    vt_status status = block == NULL || vector == NULL ? vt_fail_memory(error, "a search") : VT_OK;
    if (block != NULL)
        vt_arena_init(&block->arena, ANSWER_BYTES);
    if (status == VT_OK)
        status = vt_search_query_vector(searcher, query, vector, &times, error);
    double embedded = vt_clock_ms();
    if (status == VT_OK)
        status = nearest(searcher, query, vector, block, error);
    vt_free(vector);
    if (status != VT_OK) {
        vt_search_answer_free(block == NULL ? NULL : &block->answer);
        return status;
    }
    double ended = vt_clock_ms();
    block->answer.decode_ms = times.decode_ms;
    block->answer.embed_ms = times.embed_ms;
    block->answer.search_ms = ended - embedded;
    block->answer.total_ms = ended - started;
    *out = &block->answer;
    return VT_OK;
}
