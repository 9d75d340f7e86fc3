/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measuring a shop: every photo of a list is searched with, and where its product is found is what
 * the measures of src/eval count. Photos are embedded in blocks, in parallel; each block is then
 * one batched question to the store.
 */
#include "shop/shop.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "eval/retrieval.h"
#include "ingest/queries.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK = 128,
    MAXIMUM_K = 10000,
    MAXIMUM_QUERIES = 10000000,
    MAXIMUM_DEPTH = 1000,
    EVAL_BYTES = 1 << 30,
    JOBS_PER_CORE = 2,
};

typedef struct eval_query {
    const char *photo, *product, *category;
    uint32_t key; /* the store's, of the product */
} eval_query;

/* The report the caller holds, and what it points to. */
typedef struct report_block {
    vt_eval_report report; /* first */
    vt_arena arena;
    size_t failed_capacity;
} report_block;

typedef struct evaluation {
    vt_shop *shop;
    const vt_eval_options *options;
    report_block *block;
    char *images_dir; /* owned */
    vt_searcher searcher;
    vt_pool *pool;
    vt_retrieval *measures;
    eval_query *queries;
    size_t query_count, query_capacity;
    /* Of one block. */
    size_t dim, depth, first, count;
    float *vectors; /* (BLOCK, dim) */
    vt_error *errors;
    vt_hit *hits; /* (BLOCK, depth) */
    size_t *hit_counts;
    bool *relevance; /* (depth) */
} evaluation;

vt_eval_options vt_eval_options_defaults(void)
{
    return (vt_eval_options){.k = {1, 5, 10}, .k_count = 3};
}

vt_status vt_eval_check_ranks(const size_t *k, size_t count, size_t largest, vt_error *error)
{
    if (count < 1 || count > VT_EVAL_MAX_K)
        return vt_fail(error, VT_ERR_USAGE, "evaluate: %zu values of k, 1 to %d are needed", count,
                       VT_EVAL_MAX_K);
    for (size_t i = 0; i < count; i++)
        if (k[i] < 1 || k[i] > largest || (i > 0 && k[i] <= k[i - 1]))
            return vt_fail(error, VT_ERR_USAGE,
                           "evaluate: the values of k must ascend, from 1 to at most %zu", largest);
    return VT_OK;
}

void vt_eval_report_free(vt_eval_report *report)
{
    if (report == NULL)
        return;
    report_block *block = (report_block *)report;
    vt_arena_deinit(&block->arena);
    vt_free(report->failed);
    vt_free(block);
}

static vt_status add_failure(evaluation *eval, const char *photo, const char *reason,
                             vt_error *error)
{
    report_block *block = eval->block;
    vt_eval_report *report = &block->report;
    char *kept_photo = vt_arena_strdup(&block->arena, photo);
    char *kept_reason = vt_arena_strdup(&block->arena, reason);
    if (kept_photo == NULL || kept_reason == NULL ||
        !vt_grow((void **)&report->failed, &block->failed_capacity, report->failed_count + 1,
                 sizeof(*report->failed), MAXIMUM_QUERIES))
        return vt_fail_memory(error, "the list of failures");
    report->failed[report->failed_count].photo = kept_photo;
    report->failed[report->failed_count++].reason = kept_reason;
    return VT_OK;
}

static vt_status add_query(evaluation *eval, const vt_query_row *row, vt_error *error)
{
    vt_arena *arena = &eval->block->arena;
    vt_arena scratch;
    vt_product product = {0};
    vt_error reason;
    vt_arena_init(&scratch, EVAL_BYTES);
    vt_status status = vt_store_get(eval->shop->store, row->product, &scratch, &product, &reason);
    uint32_t key = product.key;
    vt_arena_deinit(&scratch);
    if (status == VT_ERR_NOT_FOUND)
        return add_failure(eval, row->photo, reason.message, error);
    if (status != VT_OK)
        return vt_fail(error, status, "%s", reason.message);
    eval_query query = {vt_arena_strdup(arena, row->photo), vt_arena_strdup(arena, row->product),
                        row->category != NULL ? vt_arena_strdup(arena, row->category) : NULL, key};
    if (query.photo == NULL || query.product == NULL ||
        (row->category != NULL && query.category == NULL) ||
        !vt_grow((void **)&eval->queries, &eval->query_capacity, eval->query_count + 1,
                 sizeof(query), MAXIMUM_QUERIES))
        return vt_fail_memory(error, "the queries");
    eval->queries[eval->query_count++] = query;
    return VT_OK;
}

static bool is_of_row(vt_status status)
{
    return status == VT_ERR_FORMAT || status == VT_ERR_LIMIT || status == VT_ERR_USAGE;
}

static vt_status read_queries(evaluation *eval, const char *path, vt_error *error)
{
    vt_queries *list = NULL;
    vt_status status = vt_queries_open(path, &list, error);
    while (status == VT_OK) {
        vt_query_row row = {0};
        vt_error reason;
        vt_status read = vt_queries_next(list, &row, &reason);
        if (read == VT_OK && row.photo == NULL)
            break;
        if (read == VT_OK)
            status = add_query(eval, &row, error);
        else if (is_of_row(read))
            status = add_failure(eval, row.photo != NULL ? row.photo : "", reason.message, error);
        else
            status = vt_fail(error, read, "%s", reason.message);
    }
    vt_queries_close(list);
    if (status == VT_OK && eval->query_count == 0 && eval->block->report.failed_count == 0)
        status = vt_fail(error, VT_ERR_FORMAT, "evaluate with \"%s\": it holds no queries", path);
    return status;
}

static void embed_one(void *context, size_t index)
{
    evaluation *eval = context;
    vt_error *error = &eval->errors[index];
    const char *photo = eval->queries[eval->first + index].photo;
    float *out = eval->vectors + index * eval->dim;
    char *path = NULL;
    /* The list comes from outside too: it may name only what lies in the images directory. */
    error->status = vt_path_inside(eval->images_dir, photo, &path, error);
    if (error->status == VT_OK) {
        vt_photo source = {.path = path};
        error->status = vt_search_embed(&eval->searcher, &source, (vt_rect){0}, out, NULL, error);
    }
    if (error->status != VT_OK)
        memset(out, 0, eval->dim * sizeof(float));
    vt_free(path);
}

/* Drops queries whose photo failed, moving the others up. */
static vt_status drop_failed(evaluation *eval, vt_error *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < eval->count; i++) {
        eval_query *query = &eval->queries[eval->first + i];
        if (eval->errors[i].status == VT_ERR_NO_MEMORY) /* says nothing about the photo */
            return vt_fail(error, VT_ERR_NO_MEMORY, "%s", eval->errors[i].message);
        if (eval->errors[i].status != VT_OK) {
            vt_status status = add_failure(eval, query->photo, eval->errors[i].message, error);
            if (status != VT_OK)
                return status;
            continue;
        }
        memmove(eval->vectors + kept * eval->dim, eval->vectors + i * eval->dim,
                eval->dim * sizeof(float));
        eval->queries[eval->first + kept++] = *query;
    }
    eval->count = kept;
    return VT_OK;
}

static vt_status measure_block(evaluation *eval, vt_error *error)
{
    vt_nearest_options options = {
        /* The measure is the encoder's: what an index misses does not belong in it. */
        .k = eval->depth,
        .min_similarity = -INFINITY,
        .exact = true,
        .pool = eval->pool};
    vt_nearest_answer answer;
    if (eval->count == 0)
        return VT_OK;
    vt_status status =
        vt_store_nearest(eval->shop->store, eval->shop->model, eval->vectors, eval->count, &options,
                         eval->hits, eval->hit_counts, &answer, error);
    for (size_t i = 0; status == VT_OK && i < eval->count; i++) {
        const eval_query *query = &eval->queries[eval->first + i];
        const vt_hit *hits = eval->hits + i * eval->depth;
        for (size_t rank = 0; rank < eval->hit_counts[i]; rank++)
            eval->relevance[rank] = hits[rank].group == query->key;
        status = vt_retrieval_add(eval->measures, query->category, eval->relevance,
                                  eval->hit_counts[i], 1, error);
    }
    return status;
}

static vt_status allocate(evaluation *eval, vt_error *error)
{
    vt_store_stats stats = {0};
    vt_status status = vt_store_stats_of(eval->shop->store, eval->shop->model, &stats, error);
    if (status != VT_OK)
        return status;
    if (stats.products == 0)
        return vt_fail(error, VT_ERR_NOT_FOUND,
                       "evaluate: the shop is empty; bring products in with 'vitrine import'");
    eval->dim = eval->shop->settings.dimension;
    eval->depth = stats.products < MAXIMUM_DEPTH ? (size_t)stats.products : MAXIMUM_DEPTH;
    size_t largest_k = eval->options->k[eval->options->k_count - 1];
    if (eval->depth < largest_k)
        eval->depth = largest_k;
    eval->vectors = vt_calloc(BLOCK, eval->dim * sizeof(float));
    eval->errors = vt_calloc(BLOCK, sizeof(*eval->errors));
    eval->hits = vt_calloc(BLOCK, eval->depth * sizeof(*eval->hits));
    eval->hit_counts = vt_calloc(BLOCK, sizeof(*eval->hit_counts));
    eval->relevance = vt_calloc(eval->depth, sizeof(*eval->relevance));
    if (eval->vectors == NULL || eval->errors == NULL || eval->hits == NULL ||
        eval->hit_counts == NULL || eval->relevance == NULL)
        return vt_fail_memory(error, "the evaluation");
    return VT_OK;
}

static vt_status run_blocks(evaluation *eval, vt_error *error)
{
    vt_status status = VT_OK;
    const vt_eval_options *options = eval->options;
    for (eval->first = 0; status == VT_OK && eval->first < eval->query_count;
         eval->first += BLOCK) {
        size_t left = eval->query_count - eval->first;
        eval->count = left < BLOCK ? left : BLOCK;
        vt_pool_for(eval->pool, eval->count, embed_one, eval);
        status = drop_failed(eval, error);
        if (status == VT_OK)
            status = measure_block(eval, error);
        size_t done = eval->first + (left < BLOCK ? left : BLOCK);
        if (status == VT_OK && options->on_progress != NULL &&
            !options->on_progress(options->context, done, eval->query_count))
            status = vt_fail(error, VT_ERR_CANCELLED, "evaluate: stopped after %zu queries", done);
    }
    return status;
}

void vt_eval_print_failed(const struct vt_eval_failure *failed, size_t count,
                          vt_json_writer *writer)
{
    vt_json_open_array(writer, "failed");
    for (size_t i = 0; i < count; i++) {
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "photo", failed[i].photo);
        vt_json_put_text(writer, "reason", failed[i].reason);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static void print_json(evaluation *eval, vt_buf *out)
{
    const vt_eval_report *report = &eval->block->report;
    vt_json_writer writer;
    vt_json_begin(&writer, out, true);
    vt_json_open_object(&writer, NULL);
    vt_retrieval_print(eval->measures, &writer);
    vt_eval_print_failed(report->failed, report->failed_count, &writer);
    vt_json_put_text(&writer, "computed_in", report->computed_in);
    vt_json_put_number(&writer, "took_s", report->took_s, 3);
    vt_json_close(&writer);
}

static vt_status fill_categories(evaluation *eval, vt_error *error)
{
    report_block *block = eval->block;
    vt_eval_report *report = &block->report;
    report->category_count = vt_retrieval_category_count(eval->measures);
    report->categories =
        vt_arena_array(&block->arena, report->category_count, sizeof(*report->categories));
    if (report->category_count > 0 && report->categories == NULL)
        return vt_fail_memory(error, "the report");
    for (size_t i = 0; i < report->category_count; i++) {
        const char *category = vt_retrieval_category(eval->measures, i);
        vt_retrieval_result result = {0};
        vt_retrieval_result_of(eval->measures, category, &result);
        report->categories[i].category = vt_arena_strdup(&block->arena, category);
        report->categories[i].queries = result.queries;
        memcpy(report->categories[i].recall, result.recall, sizeof(result.recall));
        if (report->categories[i].category == NULL)
            return vt_fail_memory(error, "the report");
    }
    return VT_OK;
}

static vt_status fill_report(evaluation *eval, double took_s, vt_error *error)
{
    report_block *block = eval->block;
    vt_eval_report *report = &block->report;
    vt_retrieval_result result = {0};
    vt_retrieval_result_of(eval->measures, NULL, &result);
    report->queries = result.queries;
    report->k_count = eval->options->k_count;
    memcpy(report->k, eval->options->k, sizeof(report->k));
    memcpy(report->recall, result.recall, sizeof(report->recall));
    memcpy(report->precision, result.precision, sizeof(report->precision));
    report->map = result.map;
    report->mrr = result.mrr;
    report->depth = result.depth;
    report->computed_in = vt_shop_precision(eval->shop);
    report->took_s = took_s;
    vt_status status = fill_categories(eval, error);
    if (status != VT_OK)
        return status;
    vt_buf json;
    vt_buf_init(&json, EVAL_BYTES);
    print_json(eval, &json);
    report->json = json.failed ? NULL : vt_arena_strdup(&block->arena, vt_buf_text(&json));
    vt_buf_deinit(&json);
    return report->json == NULL ? vt_fail_memory(error, "the report") : VT_OK;
}

/* What relative photo paths start from: as asked for, or the list's own directory. */
static vt_status set_images_dir(evaluation *eval, const char *queries, vt_error *error)
{
    size_t length = (size_t)(vt_path_base(queries) - queries);
    if (eval->options->images_dir != NULL)
        eval->images_dir = vt_strdup(eval->options->images_dir);
    else
        eval->images_dir = length == 0 ? vt_strdup(".") : vt_strndup(queries, length);
    if (eval->images_dir == NULL)
        return vt_fail_memory(error, "a path");
    if (!vt_dir_exists(eval->images_dir))
        return vt_fail(error, VT_ERR_NOT_FOUND,
                       "evaluate with photos from \"%s\": no such directory", eval->images_dir);
    return VT_OK;
}

static vt_status open_searcher(evaluation *eval, vt_error *error)
{
    vt_shop *shop = eval->shop;
    vt_batcher_options options = vt_batcher_options_defaults();
    options.bulk = true;
    vt_status status = vt_shop_need_encoder(shop, error);
    eval->searcher =
        (vt_searcher){.store = shop->store, .model = shop->model, .encoder = shop->encoder};
    if (status == VT_OK)
        status = vt_batcher_new(shop->encoder, &options, &eval->searcher.batcher, error);
    if (status == VT_OK)
        status = vt_pool_new(vt_core_count() * JOBS_PER_CORE, &eval->pool, error);
    return status;
}

static vt_status run(evaluation *eval, const char *queries, vt_error *error)
{
    double started = vt_clock_ms();
    vt_retrieval_options options = {.k_count = eval->options->k_count};
    memcpy(options.k, eval->options->k, sizeof(options.k));
    vt_status status = set_images_dir(eval, queries, error);
    if (status == VT_OK)
        status = vt_retrieval_new(&options, &eval->measures, error);
    if (status == VT_OK)
        status = open_searcher(eval, error);
    if (status == VT_OK)
        status = allocate(eval, error);
    if (status == VT_OK)
        status = read_queries(eval, queries, error);
    if (status == VT_OK)
        status = run_blocks(eval, error);
    if (status == VT_OK)
        status = fill_report(eval, (vt_clock_ms() - started) / 1000.0, error);
    return status;
}

vt_status vt_shop_eval(vt_shop *shop, const char *queries, const vt_eval_options *options,
                       vt_eval_report **out, vt_error *error)
{
    vt_status status = vt_eval_check_ranks(options->k, options->k_count, MAXIMUM_K, error);
    if (status != VT_OK)
        return status;
    evaluation eval = {.shop = shop, .options = options};
    eval.block = vt_calloc(1, sizeof(*eval.block));
    if (eval.block == NULL)
        return vt_fail_memory(error, "the report");
    vt_arena_init(&eval.block->arena, EVAL_BYTES);
    status = vt_shop_enter(shop, NULL, error);
    if (status == VT_OK) {
        status = run(&eval, queries, error);
        vt_shop_leave(shop);
    }
    vt_pool_free(eval.pool);
    vt_batcher_free(eval.searcher.batcher);
    vt_retrieval_free(eval.measures);
    vt_free(eval.vectors);
    vt_free(eval.errors);
    vt_free(eval.hits);
    vt_free(eval.hit_counts);
    vt_free(eval.relevance);
    vt_free(eval.queries);
    vt_free(eval.images_dir);
    if (status != VT_OK) {
        vt_eval_report_free(&eval.block->report);
        return status;
    }
    *out = &eval.block->report;
    return VT_OK;
}
