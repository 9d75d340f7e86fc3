/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vectors and scores of labelled photos are worth.
 *
 * The nearest neighbours vote for a label as in Wu, Xiong, Yu and Lin, "Unsupervised Feature
 * Learning via Non-Parametric Instance Discrimination" (CVPR 2018), section 3.4: each of them with
 * exp(similarity / 0.07), the highest sum wins.
 *
 * A photo whose label nothing that is searched has can find nothing, however good the model is: it
 * is not counted, but its number is told; one that lacks a label is not counted by it.
 */
#include "shop/model_eval.h"

#include "eval/neighbours.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 512, MAXIMUM_DEPTH = 1000 };

static const double temperature = 0.07;

/* ---- neighbours ---- */

typedef struct compare_work {
    vt_model_evaluation *eval;
    size_t first, count;
    uint32_t *ids;       /* (BLOCK, depth) rows of the gallery */
    float *similarities; /* (BLOCK, depth) */
    bool *relevance;     /* (depth) */
    size_t *counts;      /* of a column's labels in the gallery: (labels) */
} compare_work;

static uint32_t label_of_row(const vt_model_evaluation *eval, const vt_eval_column *column,
                             uint32_t row)
{
    return vt_eval_label_at(eval, column, eval->gallery_first + row);
}

/* The label that the nearest rows vote for; VT_NO_LABEL: none has one. */
static uint32_t vote(const vt_model_evaluation *eval, const vt_eval_column *column,
                     const uint32_t *rows, const float *similarities, size_t count)
{
    double best = -1;
    uint32_t winner = VT_NO_LABEL;
    for (size_t i = 0; i < count; i++) {
        uint32_t label = label_of_row(eval, column, rows[i]);
        double sum = 0;
        for (size_t j = 0; label != VT_NO_LABEL && j < count; j++)
            if (label_of_row(eval, column, rows[j]) == label)
                sum += exp((double)similarities[j] / temperature);
        if (label != VT_NO_LABEL && sum > best) {
            best = sum;
            winner = label;
        }
    }
    return winner;
}

static vt_status add_query(compare_work *work, vt_eval_column *column, size_t index,
                           vt_error *error)
{
    const vt_model_evaluation *eval = work->eval;
    uint32_t label = vt_eval_label_at(eval, column, work->first + index);
    const uint32_t *rows = work->ids + index * eval->depth;
    if (label == VT_NO_LABEL)
        return VT_OK;
    size_t relevant = work->counts[label] - (eval->among ? 1 : 0), ranked = 0, labels;
    const char *const *names = vt_eval_labels(column, &labels);
    if (relevant == 0) {
        column->alone++;
        return VT_OK;
    }
    for (; ranked < eval->depth && rows[ranked] != VT_NO_NEIGHBOUR; ranked++)
        work->relevance[ranked] = label_of_row(eval, column, rows[ranked]) == label;
    size_t voters = ranked < VT_EVAL_NEIGHBOURS ? ranked : VT_EVAL_NEIGHBOURS;
    column->voted_right +=
        voters > 0 &&
        vote(eval, column, rows, work->similarities + index * eval->depth, voters) == label;
    return vt_retrieval_add(column->retrieval, names[label], work->relevance, ranked, relevant,
                            error);
}

static vt_status add_block(compare_work *work, vt_eval_column *column, vt_error *error)
{
    const vt_model_evaluation *eval = work->eval;
    vt_status status = VT_OK;
    size_t labels;
    if (column->retrieval == NULL)
        return VT_OK;
    vt_eval_labels(column, &labels);
    work->counts = vt_calloc(labels + 1, sizeof(*work->counts));
    if (work->counts == NULL)
        return vt_fail_memory(error, "the counts of labels");
    column->values = 0;
    for (size_t i = 0; i < eval->gallery_count; i++) {
        uint32_t label = label_of_row(eval, column, (uint32_t)i);
        if (label != VT_NO_LABEL)
            column->values += work->counts[label]++ == 0;
    }
    for (size_t i = 0; status == VT_OK && i < work->count; i++)
        status = add_query(work, column, i, error);
    vt_free(work->counts);
    return status;
}

/* The first few neighbours of the block, as places. */
static void keep_neighbours(const compare_work *work)
{
    const vt_model_evaluation *eval = work->eval;
    for (size_t i = 0; i < work->count; i++)
        for (size_t k = 0; k < VT_EVAL_NEIGHBOURS; k++) {
            uint32_t row = k < eval->depth ? work->ids[i * eval->depth + k] : VT_NO_NEIGHBOUR;
            eval->neighbours[(work->first + i) * VT_EVAL_NEIGHBOURS + k] =
                row != VT_NO_NEIGHBOUR ? (uint32_t)(eval->gallery_first + row) : VT_NO_NEIGHBOUR;
        }
}

static vt_status compare_block(compare_work *work, vt_error *error)
{
    vt_model_evaluation *eval = work->eval;
    const vt_neighbours_plan plan = {
        .queries = eval->vectors + work->first * eval->dim,
        .query_count = work->count,
        .gallery = eval->vectors + eval->gallery_first * eval->dim,
        .gallery_count = eval->gallery_count,
        .dim = eval->dim,
        .k = eval->depth,
        .leave_self = eval->among,
        .pool = eval->pool,
        .self_first = work->first,
    };
    vt_status status = vt_neighbours_find(&plan, work->ids, work->similarities, error);
    if (status != VT_OK)
        return status;
    keep_neighbours(work);
    for (size_t c = 0; status == VT_OK && c < eval->column_count; c++)
        status = add_block(work, &eval->columns[c], error);
    return status;
}

static vt_status run_blocks(compare_work *work, vt_error *error)
{
    vt_model_evaluation *eval = work->eval;
    const vt_model_eval_options *options = eval->options;
    vt_status status = VT_OK;
    for (work->first = 0; status == VT_OK && work->first < eval->query_count;
         work->first += work->count) {
        size_t left = eval->query_count - work->first;
        work->count = left < BLOCK ? left : BLOCK;
        if (options->on_progress != NULL &&
            !options->on_progress(options->context, "compare", work->first, eval->query_count))
            return vt_fail(error, VT_ERR_CANCELLED, "evaluate: stopped after comparing %zu photos",
                           work->first);
        status = compare_block(work, error);
    }
    if (status == VT_OK && options->on_progress != NULL)
        options->on_progress(options->context, "compare", eval->query_count, eval->query_count);
    return status;
}

static vt_status measure_neighbours(vt_model_evaluation *eval, vt_error *error)
{
    vt_retrieval_options options = {.k_count = eval->options->k_count};
    compare_work work = {.eval = eval};
    bool any = false;
    for (size_t c = 0; c < eval->column_count; c++)
        any |= eval->columns[c].searched;
    if (!any)
        return VT_OK;
    size_t others = eval->gallery_count - (eval->among ? 1 : 0);
    memcpy(options.k, eval->options->k, eval->options->k_count * sizeof(options.k[0]));
    eval->depth = others < MAXIMUM_DEPTH ? others : MAXIMUM_DEPTH;
    work.ids = vt_alloc_array(BLOCK, eval->depth * sizeof(*work.ids));
    work.similarities = vt_alloc_array(BLOCK, eval->depth * sizeof(*work.similarities));
    work.relevance = vt_alloc_array(eval->depth, sizeof(*work.relevance));
    eval->neighbours =
        vt_alloc_array(eval->query_count, VT_EVAL_NEIGHBOURS * sizeof(*eval->neighbours));
    vt_status status = work.ids == NULL || work.similarities == NULL || work.relevance == NULL ||
                               eval->neighbours == NULL
                           ? vt_fail_memory(error, "nearest neighbours")
                           : VT_OK;
    for (size_t c = 0; status == VT_OK && c < eval->column_count; c++)
        if (eval->columns[c].searched)
            status = vt_retrieval_new(&options, &eval->columns[c].retrieval, error);
    if (status == VT_OK)
        status = run_blocks(&work, error);
    vt_free(work.ids);
    vt_free(work.similarities);
    vt_free(work.relevance);
    return status;
}

vt_status vt_eval_measure(vt_model_evaluation *eval, vt_error *error)
{
    vt_status status = measure_neighbours(eval, error);
    return status == VT_OK ? vt_eval_measure_classes(eval, error) : status;
}
