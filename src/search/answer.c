/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a query's vector to products. The filter becomes the exact set of products that pass it
 * first, with the facets, from one state of the catalogue. The store groups the nearest pictures by
 * product; here each hit gets its product and the picture that matched.
 *
 * Words narrow like the filter (words.c); alone they rank. Both ways end with candidates, best
 * first, which become answers as they are or in the order of an attribute (order.c).
 *
 * A page is the tail of the nearest `offset + top`: which those are, and their order, does not
 * depend on the offset, so that pages fit each other as long as nothing is written between them.
 *
 * A product that another process removes between the scan and the lookup is left out.
 */
#include "search/search.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/filter.h"

#include <math.h>
#include <string.h>

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

static bool is_liked(const vt_query *query, const char *id)
{
    for (size_t i = 0; i < query->like_count; i++)
        if (strcmp(query->likes[i].product, id) == 0)
            return true;
    return false;
}

static const vt_picture *picture_of(const vt_product *product, uint32_t key)
{
    if (key == 0)
        return product->picture_count > 0 ? &product->pictures[0] : NULL;
    return find_picture(product, key);
}

/* Looks candidates up until the page is full, after the first `skip`. Products that changed since
 * the filter was asked are held to it again. */
static vt_status fill(vt_search *s, const vt_candidate *all, size_t count, size_t skip,
                      vt_error *error)
{
    vt_answer *answer = s->answer;
    size_t room = count < s->query->top ? count : s->query->top;
    vt_product *products = vt_arena_array(s->arena, room + 1, sizeof(*products));
    answer->results = vt_arena_array(s->arena, room, sizeof(*answer->results));
    if (products == NULL || answer->results == NULL)
        return vt_fail_memory(error, "the answer");
    /* Without likes every candidate is an answer, so that those before the page need not be read.
     */
    size_t first = s->query->like_count > 0 ? 0 : skip;
    skip -= first;
    for (size_t i = first; i < count && answer->count < room; i++) {
        vt_product *product = &products[answer->count];
        vt_status status =
            vt_store_get_by_key(s->searcher->store, all[i].product, s->arena, product, error);
        if (status == VT_ERR_NOT_FOUND)
            continue;
        if (status != VT_OK)
            return status;
        const vt_picture *picture = picture_of(product, all[i].picture);
        if (picture == NULL || is_liked(s->query, product->id) ||
            (s->filter != NULL && !vt_filter_matches(s->filter, product, s->truths)))
            continue;
        if (skip > 0)
            skip--;
        else
            answer->results[answer->count++] = (vt_result){.product = product,
                                                           .picture = picture,
                                                           .similarity = all[i].similarity,
                                                           .text_score = all[i].text_score};
    }
    return VT_OK;
}

/* In another order the page is cut before anything is read. */
static vt_status finish(vt_search *s, vt_candidate *all, size_t count, vt_error *error)
{
    if (!s->sorted)
        return fill(s, all, count, s->query->offset, error);
    vt_status status = vt_search_order(s, all, &count, error);
    return status == VT_OK ? fill(s, all, count, 0, error) : status;
}

static vt_status parse_filter(vt_search *s, vt_error *error)
{
    if (s->query->where == NULL || s->query->where[0] == '\0')
        return VT_OK;
    vt_status status = vt_filter_parse(s->query->where, &s->filter, error);
    if (status == VT_OK) {
        s->truths = vt_calloc(s->filter->stack_depth, sizeof *s->truths);
        if (s->truths == NULL)
            status = vt_fail_memory(error, "a filter");
    }
    return status;
}

/* The products of filter and words and the facets, where any of them is asked for. */
static vt_status select_products(vt_search *s, vt_error *error)
{
    const vt_query *query = s->query;
    vt_answer *answer = s->answer;
    vt_idset *worded = NULL;
    s->product_limit = UINT64_MAX;
    vt_status status = parse_filter(s, error);
    if (status == VT_OK && s->worded)
        status = vt_search_words(s, &worded, error);
    if (status != VT_OK || (s->filter == NULL && !s->worded && query->facet_count == 0))
        return status;
    vt_select what = {.filter = s->filter,
                      .within = worded,
                      .facets = query->facets,
                      .facet_count = query->facet_count,
                      .facet_top = query->facet_top > 0 ? query->facet_top : VT_SEARCH_FACET_TOP};
    vt_selection selection = {0};
    status = vt_store_select(s->searcher->store, &what, s->arena, &selection, error);
    vt_idset_free(worded);
    if (status != VT_OK)
        return status;
    answer->matched = s->product_limit = selection.matched;
    answer->facets = selection.facets;
    answer->facet_count = selection.facet_count;
    s->products = selection.products;
    if (s->filter == NULL && !s->worded) { /* no set is faster to scan than a full one */
        vt_idset_free(s->products);
        s->products = NULL;
    }
    return VT_OK;
}

/* How many products to ask for: the page, what is before it, and what will be left out. */
static vt_status wanted(const vt_search *s, size_t *k, vt_error *error)
{
    uint64_t most = s->product_limit;
    *k = s->sorted ? (size_t)VT_SEARCH_SORTED : s->query->offset + s->query->top;
    *k += s->query->like_count;
    if (!s->sorted && most == UINT64_MAX && s->query->offset > VT_SEARCH_MAX_TOP) {
        vt_store_stats stats = {0};
        vt_status status = vt_store_stats_of(s->searcher->store, s->searcher->model, &stats, error);
        if (status != VT_OK)
            return status;
        most = stats.products + 1; /* one may have come since; the next page has more */
    }
    if (*k > most)
        *k = (size_t)most;
    return VT_OK;
}

/* Hits as candidates, for what comes after. */
static vt_status finish_hits(vt_search *s, const vt_hit *hits, size_t count, vt_error *error)
{
    vt_candidate *all = vt_alloc_array(count, sizeof(*all));
    if (all == NULL)
        return vt_fail_memory(error, "the nearest products");
    for (size_t i = 0; i < count; i++)
        all[i] = (vt_candidate){hits[i].group, hits[i].id, (double)hits[i].similarity, (double)NAN};
    vt_status status = finish(s, all, count, error);
    vt_free(all);
    return status;
}

static vt_status nearest(vt_search *s, const float *vector, vt_error *error)
{
    const vt_query *query = s->query;
    vt_answer *answer = s->answer;
    vt_nearest_options options = {
        .pool = s->searcher->pool, .products = s->products, .exact = query->exact};
    options.min_similarity =
        query->min_similarity <= -1.0 ? -INFINITY : (float)query->min_similarity;
    vt_status status = wanted(s, &options.k, error);
    if (status != VT_OK)
        return status;
    options.page = s->sorted ? 0 : query->top + query->like_count;
    vt_nearest_answer found = {.strategy = "exact", .complete = true};
    size_t count = 0;
    vt_hit *hits = vt_alloc_array(options.k, sizeof(*hits));
    if (hits == NULL)
        return vt_fail_memory(error, "the nearest pictures");
    if (options.k > 0)
        status = vt_store_nearest(s->searcher->store, s->searcher->model, vector, 1, &options, hits,
                                  &count, &found, error);
    if (status == VT_OK) {
        answer->strategy = found.strategy;
        answer->complete = found.complete;
        answer->searched = found.searched;
        answer->visited = found.visited;
        if (s->product_limit == UINT64_MAX)
            answer->matched = found.products;
        status = finish_hits(s, hits, count, error);
    }
    vt_free(hits);
    return status;
}

/* By words alone. */
static vt_status by_words(vt_search *s, vt_error *error)
{
    vt_candidate *all = NULL;
    size_t count = 0, most = s->sorted ? SIZE_MAX : s->query->offset + s->query->top;
    vt_status status = vt_search_rank_words(s, most, &all, &count, error);
    s->answer->strategy = "words";
    s->answer->complete = true;
    if (status == VT_OK)
        status = finish(s, all, count, error);
    vt_free(all);
    return status;
}

/* Room for what an explanation is made of; NULL: none is asked for. */
static vt_status new_parts(vt_search *s, float **out, vt_error *error)
{
    size_t count = s->query->photo_count + s->query->like_count, size = 0;
    if (!s->query->explain || !s->visual)
        return VT_OK;
    if (vt_size_mul(count, s->searcher->dim, &size))
        *out = vt_arena_array(s->arena, size, sizeof(float));
    return *out != NULL ? VT_OK : vt_fail_memory(error, "an explanation");
}

static vt_status run(vt_search *s, float *vector, vt_error *error)
{
    vt_search_times times = {0};
    float *parts = NULL;
    vt_status status = vt_search_check_query(s->query, error);
    if (status == VT_OK)
        status = new_parts(s, &parts, error);
    if (status == VT_OK && s->visual)
        status = vt_search_query_vector(s->searcher, s->query, parts, vector, &times, error);
    double embedded = vt_clock_ms();
    if (status == VT_OK)
        status = select_products(s, error);
    double filtered = vt_clock_ms();
    if (status == VT_OK)
        status = s->visual ? nearest(s, vector, error) : by_words(s, error);
    if (status == VT_OK && parts != NULL)
        status = vt_search_explain(s->searcher, s->query, parts, s->answer, s->arena, error);
    if (status == VT_OK && s->query->explain && s->worded)
        status = vt_search_explain_words(s, error);
    s->answer->decode_ms = times.decode_ms;
    s->answer->embed_ms = times.embed_ms;
    s->answer->filter_ms = filtered - embedded;
    s->answer->search_ms = vt_clock_ms() - filtered;
    return status;
}

vt_status vt_search_run(const vt_searcher *searcher, const vt_query *query, vt_answer **out,
                        vt_error *error)
{
    double started = vt_clock_ms();
    vt_search s = {.searcher = searcher, .query = query};
    answer_block *block = vt_calloc(1, sizeof(*block));
    float *vector = vt_calloc(searcher->dim, sizeof(float));
    vt_status status = block == NULL || vector == NULL ? vt_fail_memory(error, "a search") : VT_OK;
    s.visual = query->photo_count + query->like_count > 0;
    s.worded = query->text != NULL && query->text[0] != '\0';
    s.sorted =
        query->sort != NULL && query->sort[0] != '\0' && !vt_text_equal(query->sort, "similarity");
    if (block != NULL) {
        vt_arena_init(&block->arena, ANSWER_BYTES);
        s.answer = &block->answer;
        s.arena = &block->arena;
    }
    if (status == VT_OK)
        status = run(&s, vector, error);
    vt_free(vector);
    vt_filter_free(s.filter);
    vt_free(s.truths);
    vt_free(s.words);
    vt_idset_free(s.products);
    if (status != VT_OK) {
        vt_search_answer_free(s.answer);
        return status;
    }
    block->answer.total_ms = vt_clock_ms() - started;
    *out = &block->answer;
    return VT_OK;
}
