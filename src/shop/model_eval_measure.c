/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vectors and scores of labelled photos are worth.
 *
 * The nearest neighbours vote for a label as in Wu, Xiong, Yu and Lin, "Unsupervised Feature
 * Learning via Non-Parametric Instance Discrimination" (CVPR 2018), section 3.4: each of them with
 * exp(similarity / 0.07), the highest sum wins.
 *
 * A photo whose label nothing that is searched has can find nothing, however good the model is: it
 * is not counted, but its number is told. A classifier is measured on the photos whose label is one
 * of its classes; naming a class that no photo has is wrong like any other.
 */
#include "shop/model_eval.h"

#include "eval/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, MAXIMUM_DEPTH = 1000, NO_CLASS = -1 };

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

/* The label that the nearest rows (count > 0) vote for. */
static uint32_t vote(const vt_model_evaluation *eval, const vt_eval_column *column,
                     const uint32_t *rows, const float *similarities, size_t count)
{
    double best = -1;
    uint32_t winner = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t label = label_of_row(eval, column, rows[i]);
        double sum = 0;
        for (size_t j = 0; j < count; j++)
            if (label_of_row(eval, column, rows[j]) == label)
                sum += exp((double)similarities[j] / temperature);
        if (sum > best) {
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
    size_t relevant = work->counts[label] - (eval->among ? 1 : 0), ranked = 0;
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
    return vt_retrieval_add(column->retrieval, column->data->labels[label], work->relevance, ranked,
                            relevant, error);
}

static vt_status add_block(compare_work *work, vt_eval_column *column, vt_error *error)
{
    const vt_model_evaluation *eval = work->eval;
    vt_status status = VT_OK;
    work->counts = vt_calloc(column->data->label_count + 1, sizeof(*work->counts));
    if (work->counts == NULL)
        return vt_fail_memory(error, "the counts of labels");
    column->values = 0;
    for (size_t i = 0; i < eval->gallery_count; i++)
        column->values += work->counts[label_of_row(eval, column, (uint32_t)i)]++ == 0;
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
        status = vt_retrieval_new(&options, &eval->columns[c].retrieval, error);
    if (status == VT_OK)
        status = run_blocks(&work, error);
    vt_free(work.ids);
    vt_free(work.similarities);
    vt_free(work.relevance);
    return status;
}

/* ---- classes ---- */

static int compare_text(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

/* classes: (labels) of the column, the class of that name or NO_CLASS. Returns how many have one.
 */
static size_t match_classes(const vt_model_evaluation *eval, const vt_dataset *data, int *classes)
{
    size_t matched = 0;
    for (size_t i = 0; i < data->label_count; i++)
        classes[i] = NO_CLASS;
    for (size_t c = 0; c < eval->class_count; c++) {
        const char **found = data->label_count == 0
                                 ? NULL
                                 : bsearch(eval->class_names[c], data->labels, data->label_count,
                                           sizeof(*data->labels), compare_text);
        if (found == NULL || classes[found - data->labels] != NO_CLASS)
            continue;
        classes[found - data->labels] = (int)c;
        matched++;
    }
    return matched;
}

/* The column that most classes are values of; *classes: of its labels, the caller's. */
static vt_status choose_column(vt_model_evaluation *eval, int **classes, vt_error *error)
{
    size_t most = 0;
    *classes = NULL;
    for (size_t c = 0; c < eval->column_count; c++) {
        const vt_dataset *data = eval->columns[c].data;
        int *own = vt_alloc_array(data->label_count + 1, sizeof(*own));
        if (own == NULL)
            return vt_fail_memory(error, "classes");
        size_t matched = match_classes(eval, data, own);
        bool better = matched > most;
        vt_free(better ? *classes : own);
        if (better) {
            most = matched;
            *classes = own;
            eval->class_column = &eval->columns[c];
        }
    }
    return VT_OK;
}

/* Probability of the class `named` by the softmax of the scores. */
static double confidence_of(const float *scores, size_t count, size_t named)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += exp((double)scores[i] - (double)scores[named]);
    return 1 / sum;
}

static void add_scores(vt_model_evaluation *eval, const int *classes)
{
    for (size_t i = 0; i < eval->query_count; i++) {
        const float *row = eval->scores + i * eval->class_count;
        int truth = classes[vt_eval_label_at(eval, eval->class_column, i)];
        if (truth == NO_CLASS) {
            eval->unknown++;
            continue;
        }
        size_t named = vt_classification_add(eval->measures, (size_t)truth, row);
        eval->named[i] = (uint32_t)named;
        if (named != (size_t)truth)
            eval->wrong[i] = (float)confidence_of(row, eval->class_count, named);
    }
}

static vt_status measure_classes(vt_model_evaluation *eval, vt_error *error)
{
    int *classes = NULL;
    if (eval->class_count == 0)
        return VT_OK;
    vt_status status = choose_column(eval, &classes, error);
    if (status == VT_OK && classes != NULL) {
        eval->named = vt_calloc(eval->query_count, sizeof(*eval->named));
        eval->wrong = vt_calloc(eval->query_count, sizeof(*eval->wrong));
        status = eval->named == NULL || eval->wrong == NULL
                     ? vt_fail_memory(error, "classes")
                     : vt_classification_new(eval->class_count, &eval->measures, error);
        if (status == VT_OK)
            add_scores(eval, classes);
    }
    vt_free(classes);
    return status;
}

vt_status vt_eval_measure(vt_model_evaluation *eval, vt_error *error)
{
    vt_status status = measure_neighbours(eval, error);
    return status == VT_OK ? measure_classes(eval, error) : status;
}
