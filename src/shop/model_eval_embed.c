/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors of the photos that a model is measured on, and the scores of its classifier: in blocks,
 * each photo decoded as for a shop's search. A photo that fails is named and left out.
 */
#include "shop/model_eval.h"

#include <string.h>

enum { BLOCK = 128, JOBS_PER_CORE = 2 };

typedef struct embed_work {
    vt_model_evaluation *eval;
    vt_searcher searcher;
    size_t row, first; /* numbers of a photo; place of the block's first one */
    float *rows;       /* (BLOCK, row) */
    vt_error *errors;  /* (BLOCK) */
} embed_work;

static const char *path_of(const vt_model_evaluation *eval, size_t place)
{
    return eval->columns[0].data->examples[eval->photos[place]].photo;
}

static void embed_one(void *context, size_t index)
{
    embed_work *work = context;
    const vt_photo photo = {.path = path_of(work->eval, work->first + index)};
    vt_error *error = &work->errors[index];
    error->status = vt_search_embed(&work->searcher, &photo, (vt_rect){0},
                                    work->rows + index * work->row, NULL, error);
}

static vt_status add_failure(vt_model_evaluation *eval, const char *photo, const vt_error *reason,
                             vt_error *error)
{
    vt_model_eval_block *block = eval->block;
    vt_model_eval_report *report = &block->report;
    void *failed = report->failed;
    bool room = vt_grow(&failed, &block->failed_capacity, report->failed_count + 1,
                        sizeof(*report->failed), VT_DATASET_MAX_EXAMPLES);
    report->failed = failed;
    struct vt_eval_failure one = {vt_arena_strdup(&block->arena, photo),
                                  vt_arena_strdup(&block->arena, reason->message)};
    if (!room || one.photo == NULL || one.reason == NULL)
        return vt_fail_memory(error, "the list of failures");
    report->failed[report->failed_count++] = one;
    return VT_OK;
}

/* Where what was embedded so far ends, counted apart for the two kinds of photos. */
typedef struct kept_counts {
    size_t queries, all;
} kept_counts;

static void keep_scores(const vt_model_evaluation *eval, const float *scores, float *out)
{
    for (size_t h = 0; h < eval->classifier_count; h++) {
        const vt_eval_classifier *one = &eval->classifiers[h];
        memcpy(out + one->first, scores + one->source, one->count * sizeof(float));
    }
}

/* Keeps the block's good rows, right behind those that were kept before. */
static vt_status keep_block(embed_work *work, size_t count, kept_counts *kept, vt_error *error)
{
    vt_model_evaluation *eval = work->eval;
    for (size_t i = 0; i < count; i++) {
        size_t place = work->first + i;
        const vt_error *failure = &work->errors[i];
        if (failure->status == VT_ERR_NO_MEMORY) /* says nothing about the photo */
            return vt_fail(error, VT_ERR_NO_MEMORY, "%s", failure->message);
        if (failure->status != VT_OK) {
            vt_status status = add_failure(eval, path_of(eval, place), failure, error);
            if (status != VT_OK)
                return status;
            continue;
        }
        const float *row = work->rows + i * work->row;
        bool query = place < eval->query_count;
        memcpy(eval->vectors + kept->all * eval->dim, row, eval->dim * sizeof(float));
        if (query && eval->scores != NULL)
            keep_scores(eval, row + eval->dim, eval->scores + kept->all * eval->score_count);
        eval->photos[kept->all++] = eval->photos[place];
        kept->queries += query;
    }
    return VT_OK;
}

static vt_status run_blocks(embed_work *work, vt_error *error)
{
    vt_model_evaluation *eval = work->eval;
    const vt_model_eval_options *options = eval->options;
    size_t places = vt_eval_places(eval);
    kept_counts kept = {0, 0};
    vt_status status = VT_OK;
    for (work->first = 0; status == VT_OK && work->first < places; work->first += BLOCK) {
        size_t left = places - work->first, count = left < BLOCK ? left : BLOCK;
        if (options->on_progress != NULL &&
            !options->on_progress(options->context, "embed", work->first, places))
            return vt_fail(error, VT_ERR_CANCELLED, "evaluate: stopped after %zu photos",
                           work->first);
        vt_pool_for(eval->pool, count, embed_one, work);
        status = keep_block(work, count, &kept, error);
    }
    if (status != VT_OK)
        return status;
    if (options->on_progress != NULL)
        options->on_progress(options->context, "embed", places, places);
    eval->query_count = kept.queries;
    eval->gallery_first = eval->among ? 0 : kept.queries;
    eval->gallery_count = eval->among ? kept.queries : kept.all - kept.queries;
    return VT_OK;
}

/* That nothing at all could be embedded is most likely one mistake: the first reason tells it. */
static vt_status check_any(const vt_model_evaluation *eval, size_t places, vt_error *error)
{
    const vt_model_eval_report *report = &eval->block->report;
    if (report->failed_count < places)
        return VT_OK;
    return vt_fail(error, VT_ERR_FORMAT, "evaluate on \"%s\": none of %zu photos can be used: %s",
                   eval->data, places, report->failed[0].reason);
}

static vt_status allocate(embed_work *work, vt_error *error)
{
    vt_model_evaluation *eval = work->eval;
    size_t floats = 0, places = vt_eval_places(eval);
    work->rows = vt_alloc_array(BLOCK, work->row * sizeof(float));
    work->errors = vt_calloc(BLOCK, sizeof(*work->errors));
    if (vt_size_mul(places, eval->dim, &floats))
        eval->vectors = vt_alloc_array(floats, sizeof(float));
    bool scored = eval->score_count == 0;
    if (eval->score_count > 0 && vt_size_mul(eval->query_count, eval->score_count, &floats)) {
        eval->scores = vt_alloc_array(floats, sizeof(float));
        scored = eval->scores != NULL;
    }
    return work->rows == NULL || work->errors == NULL || eval->vectors == NULL || !scored
               ? vt_fail_memory(error, "the vectors")
               : VT_OK;
}

vt_status vt_eval_embed(vt_model_evaluation *eval, vt_error *error)
{
    vt_encoder_info info = vt_encoder_info_of(eval->encoder);
    embed_work work = {.eval = eval,
                       .searcher = {.encoder = eval->encoder, .dim = eval->dim},
                       .row = eval->dim + info.score_count};
    vt_batcher_options options = vt_batcher_options_defaults();
    size_t places = vt_eval_places(eval);
    options.bulk = true;
    vt_status status = allocate(&work, error);
    if (status == VT_OK)
        status = vt_batcher_new(eval->encoder, &options, &work.searcher.batcher, error);
    if (status == VT_OK)
        status = vt_pool_new(vt_core_count() * JOBS_PER_CORE, &eval->pool, error);
    if (status == VT_OK)
        status = run_blocks(&work, error);
    if (status == VT_OK)
        status = check_any(eval, places, error);
    vt_batcher_free(work.searcher.batcher);
    vt_free(work.rows);
    vt_free(work.errors);
    return status;
}
