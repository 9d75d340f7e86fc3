/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a query's vector to products. The filter becomes the exact set of products that pass it
 * first, with the facets, from one state of the catalogue. The store groups the nearest pictures by
 * product; here each hit gets its product and the picture that matched.
 *
 * A page is the tail of the nearest `offset + top`: which those are, and their order, does not
 * depend on the offset, so that pages fit each other as long as nothing is written between them.
 *
 * A product that another process removes between the scan and the lookup is left out.
 */
#include "search/search.h"

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

/* What one search works with. */
typedef struct search {
    const vt_searcher *searcher;
    const vt_query *query;
    answer_block *block;
    vt_filter *filter;      /* NULL: none */
    bool *truths;           /* (filter->stack_depth) */
    vt_idset *products;     /* that pass the filter; NULL: all */
    uint64_t product_limit; /* no more than so many can answer */
} search;

static bool is_liked(const vt_query *query, const char *id)
{
    for (size_t i = 0; i < query->like_count; i++)
        if (strcmp(query->likes[i].product, id) == 0)
            return true;
    return false;
}

/* Looks hits up until the page is full. Products that changed since the filter was asked are held
 * to it again. */
static vt_status fill(search *s, const vt_hit *hits, size_t count, vt_error *error)
{
    vt_answer *answer = &s->block->answer;
    size_t room = count < s->query->top ? count : s->query->top, skip = s->query->offset;
    vt_product *products = vt_arena_array(&s->block->arena, room + 1, sizeof(*products));
    answer->results = vt_arena_array(&s->block->arena, room, sizeof(*answer->results));
    if (products == NULL || answer->results == NULL)
        return vt_fail_memory(error, "the answer");
    /* Without likes every hit is an answer, so that those before the page need not be read. */
    size_t first = s->query->like_count > 0 ? 0 : skip;
    skip -= first;
    for (size_t i = first; i < count && answer->count < room; i++) {
        vt_product *product = &products[answer->count];
        vt_status status = vt_store_get_by_key(s->searcher->store, hits[i].group, &s->block->arena,
                                               product, error);
        if (status == VT_ERR_NOT_FOUND)
            continue;
        if (status != VT_OK)
            return status;
        const vt_picture *picture = find_picture(product, hits[i].id);
        if (picture == NULL || is_liked(s->query, product->id) ||
            (s->filter != NULL && !vt_filter_matches(s->filter, product, s->truths)))
            continue;
        if (skip > 0)
            skip--;
        else
            answer->results[answer->count++] =
                (vt_result){product, picture, (double)hits[i].similarity, NULL};
    }
    return VT_OK;
}

/* The filter's products and the facets, where either is asked for. */
static vt_status select_products(search *s, vt_error *error)
{
    const vt_query *query = s->query;
    vt_answer *answer = &s->block->answer;
    bool filtered = query->where != NULL && query->where[0] != '\0';
    s->product_limit = UINT64_MAX;
    if (!filtered && query->facet_count == 0)
        return VT_OK;
    vt_status status = filtered ? vt_filter_parse(query->where, &s->filter, error) : VT_OK;
    if (status == VT_OK && filtered) {
        s->truths = vt_calloc(s->filter->stack_depth, sizeof *s->truths);
        if (s->truths == NULL)
            status = vt_fail_memory(error, "a filter");
    }
    vt_select what = {.filter = s->filter,
                      .facets = query->facets,
                      .facet_count = query->facet_count,
                      .facet_top = query->facet_top > 0 ? query->facet_top : VT_SEARCH_FACET_TOP};
    vt_selection selection = {0};
    if (status == VT_OK)
        status = vt_store_select(s->searcher->store, &what, &s->block->arena, &selection, error);
    if (status != VT_OK)
        return status;
    answer->matched = s->product_limit = selection.matched;
    answer->facets = selection.facets;
    answer->facet_count = selection.facet_count;
    s->products = selection.products;
    if (!filtered) { /* no set is faster to scan than a full one */
        vt_idset_free(s->products);
        s->products = NULL;
    }
    return VT_OK;
}

/* How many products to ask for: the page, what is before it, and what will be left out. */
static vt_status wanted(const search *s, size_t *k, vt_error *error)
{
    uint64_t most = s->product_limit;
    *k = s->query->offset + s->query->top + s->query->like_count;
    if (most == UINT64_MAX && s->query->offset > VT_SEARCH_MAX_TOP) {
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

static vt_status nearest(search *s, const float *vector, vt_error *error)
{
    const vt_query *query = s->query;
    vt_answer *answer = &s->block->answer;
    vt_nearest_options options = {
        .pool = s->searcher->pool, .products = s->products, .exact = query->exact};
    options.min_similarity =
        query->min_similarity <= -1.0 ? -INFINITY : (float)query->min_similarity;
    vt_status status = wanted(s, &options.k, error);
    if (status != VT_OK)
        return status;
    options.page = query->top + query->like_count;
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
        status = fill(s, hits, count, error);
    }
    vt_free(hits);
    return status;
}

/* Room for what an explanation is made of; NULL: none is asked for. */
static vt_status new_parts(search *s, float **out, vt_error *error)
{
    size_t count = s->query->photo_count + s->query->like_count, size = 0;
    if (!s->query->explain)
        return VT_OK;
    if (vt_size_mul(count, s->searcher->dim, &size))
        *out = vt_arena_array(&s->block->arena, size, sizeof(float));
    return *out != NULL ? VT_OK : vt_fail_memory(error, "an explanation");
}

static vt_status run(search *s, float *vector, vt_error *error)
{
    vt_search_times times = {0};
    float *parts = NULL;
    vt_status status = new_parts(s, &parts, error);
    if (status == VT_OK)
        status = vt_search_query_vector(s->searcher, s->query, parts, vector, &times, error);
    double embedded = vt_clock_ms();
    if (status == VT_OK)
        status = select_products(s, error);
    double filtered = vt_clock_ms();
    if (status == VT_OK)
        status = nearest(s, vector, error);
    if (status == VT_OK && parts != NULL)
        status = vt_search_explain(s->searcher, s->query, parts, &s->block->answer,
                                   &s->block->arena, error);
    vt_answer *answer = &s->block->answer;
    answer->decode_ms = times.decode_ms;
    answer->embed_ms = times.embed_ms;
    answer->filter_ms = filtered - embedded;
    answer->search_ms = vt_clock_ms() - filtered;
    return status;
}

vt_status vt_search_run(const vt_searcher *searcher, const vt_query *query, vt_answer **out,
                        vt_error *error)
{
    double started = vt_clock_ms();
    search s = {.searcher = searcher, .query = query};
    s.block = vt_calloc(1, sizeof(*s.block));
    float *vector = vt_calloc(searcher->dim, sizeof(float));
    vt_status status =
        s.block == NULL || vector == NULL ? vt_fail_memory(error, "a search") : VT_OK;
    if (s.block != NULL)
        vt_arena_init(&s.block->arena, ANSWER_BYTES);
    if (status == VT_OK)
        status = run(&s, vector, error);
    vt_free(vector);
    vt_filter_free(s.filter);
    vt_free(s.truths);
    vt_idset_free(s.products);
    if (status != VT_OK) {
        vt_search_answer_free(s.block == NULL ? NULL : &s.block->answer);
        return status;
    }
    s.block->answer.total_ms = vt_clock_ms() - started;
    *out = &s.block->answer;
    return VT_OK;
}
