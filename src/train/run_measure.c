/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a network's scores and neighbours of the validation photos are worth, head by head.
 *
 * A head of one class a photo: accuracy, top 5, macro F1 and cross-entropy of the classes that it
 * names. A head of several: which of them it says are there (score not below 0), binary
 * cross-entropy. A head without scores, and those of one class too: whether the nearest neighbours
 * have the photo's label. Photos that lack the label count nowhere. With several heads the run's
 * measures are the means of those heads that have them.
 */
#include "train/run_state.h"

#include "eval/neighbours.h"
#include "eval/retrieval.h"

#include <math.h>
#include <string.h>

static vt_status begin_head(const vt_run_state *run, size_t head, vt_evaluation *out,
                            vt_error *error)
{
    const vt_head_plan *plan = &run->heads.items[head];
    vt_head_evaluation *one = &out->heads[head];
    for (int i = 0; i < VT_MEASURES; i++)
        one->measures[i] = (double)NAN;
    one->classes = plan->scores ? vt_run_classes(run, head) : 0;
    if (one->classes > VT_CLASSIFICATION_MAX_CLASSES)
        one->classes = 0;
    if (one->classes == 0)
        return VT_OK;
    if (plan->several)
        return vt_attributes_new(one->classes, &one->attributes, error);
    one->named = vt_calloc(out->count + 1, sizeof(uint32_t));
    one->confidence = vt_calloc(out->count + 1, sizeof(float));
    if (one->named == NULL || one->confidence == NULL)
        return vt_fail_memory(error, "an evaluation");
    return vt_classification_new(one->classes, &one->confusions, error);
}

vt_status vt_run_measure_begin(const vt_run_state *run, vt_evaluation *out, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t h = 0; status == VT_OK && h < run->heads.count; h++)
        status = begin_head(run, h, out, error);
    return status;
}

/* ---- scores ---- */

/* -log of the probability of the truth; *confidence: the highest probability. */
static double cross_entropy(const float *scores, size_t classes, size_t truth, float *confidence)
{
    double highest = (double)scores[0], sum = 0;
    for (size_t i = 1; i < classes; i++)
        highest = (double)scores[i] > highest ? (double)scores[i] : highest;
    for (size_t i = 0; i < classes; i++)
        sum += exp((double)scores[i] - highest);
    *confidence = (float)(1 / sum);
    return log(sum) + highest - (double)scores[truth];
}

/* One photo, of whose values there are `count`. */
static void add_row(vt_head_evaluation *one, const uint32_t *values, size_t count,
                    const float *scores, size_t place)
{
    one->scored++;
    if (one->attributes != NULL) {
        vt_attributes_add(one->attributes, values, count, scores);
        return;
    }
    one->loss_sum += cross_entropy(scores, one->classes, values[0], &one->confidence[place]);
    one->named[place] = (uint32_t)vt_classification_add(one->confusions, values[0], scores);
}

vt_status vt_run_measure_scores(const vt_run_state *run, size_t head, const vt_tensor *scores,
                                size_t first, vt_evaluation *out, vt_error *error)
{
    vt_head_evaluation *one = &out->heads[head];
    size_t rows = (size_t)scores->shape.dims[0];
    if (one->classes == 0)
        return VT_OK;
    if (scores->dtype != VT_F32 || vt_tensor_count(scores) != rows * one->classes)
        return vt_fail(error, VT_ERR_MISMATCH, "evaluate: the network has not %zu classes",
                       one->classes);
    for (size_t i = 0; i < rows; i++) {
        size_t count;
        const uint32_t *values =
            vt_dataset_values(run->data, head, out->examples[first + i], &count);
        if (count > 0)
            add_row(one, values, count, (const float *)scores->data + i * one->classes, first + i);
    }
    return VT_OK;
}

static void measure_scores(vt_head_evaluation *one)
{
    if (one->classes == 0 || one->scored == 0)
        return;
    if (one->attributes != NULL) {
        vt_attributes_result result;
        vt_attributes_result_of(one->attributes, &result);
        one->measures[VT_MEASURE_ACCURACY] = result.accuracy;
        one->measures[VT_MEASURE_F1] = result.macro_f1;
        one->measures[VT_MEASURE_LOSS] = result.loss;
        return;
    }
    vt_classification_result result;
    vt_classification_result_of(one->confusions, &result);
    one->measures[VT_MEASURE_ACCURACY] = result.accuracy;
    one->measures[VT_MEASURE_TOP5] = one->classes > 5 ? result.top5 : (double)NAN;
    one->measures[VT_MEASURE_F1] = result.macro_f1;
    one->measures[VT_MEASURE_LOSS] = one->loss_sum / (double)one->scored;
}

/* ---- neighbours ---- */

/* labels: (count) of the examples; counts: (labels). */
static vt_status add_queries(const vt_evaluation *out, const uint32_t *labels, const size_t *counts,
                             vt_retrieval *retrieval, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < out->count; i++) {
        bool relevance[VT_RUN_NEIGHBOURS];
        size_t ranked = 0;
        if (labels[i] == VT_NO_LABEL)
            continue;
        for (; ranked < VT_RUN_NEIGHBOURS; ranked++) {
            uint32_t at = out->neighbours[i * VT_RUN_NEIGHBOURS + ranked];
            if (at == VT_NO_NEIGHBOUR)
                break;
            relevance[ranked] = labels[at] == labels[i];
        }
        if (counts[labels[i]] > 1) /* a photo alone of its label has nothing to find */
            status =
                vt_retrieval_add(retrieval, NULL, relevance, ranked, counts[labels[i]] - 1, error);
    }
    return status;
}

static vt_status measure_neighbours(const vt_run_state *run, size_t head, vt_evaluation *out,
                                    vt_error *error)
{
    const vt_retrieval_options options = vt_retrieval_options_defaults();
    vt_head_evaluation *one = &out->heads[head];
    vt_retrieval *retrieval = NULL;
    vt_retrieval_result result;
    if (out->neighbours == NULL || run->heads.items[head].several)
        return VT_OK;
    size_t *counts = vt_calloc(vt_run_classes(run, head) + 1, sizeof(*counts));
    uint32_t *labels = vt_alloc_array(out->count + 1, sizeof(*labels));
    vt_status status =
        counts == NULL || labels == NULL ? vt_fail_memory(error, "an evaluation") : VT_OK;
    if (status == VT_OK)
        status = vt_retrieval_new(&options, &retrieval, error);
    for (size_t i = 0; status == VT_OK && i < out->count; i++) {
        labels[i] = vt_dataset_value(run->data, head, out->examples[i]);
        if (labels[i] != VT_NO_LABEL)
            counts[labels[i]]++;
    }
    if (status == VT_OK)
        status = add_queries(out, labels, counts, retrieval, error);
    if (status == VT_OK && vt_retrieval_result_of(retrieval, NULL, &result)) {
        one->measures[VT_MEASURE_RECALL_1] = result.recall[0];
        one->measures[VT_MEASURE_RECALL_5] = result.recall[1];
        one->measures[VT_MEASURE_RECALL_10] = result.recall[2];
    }
    vt_retrieval_free(retrieval);
    vt_free(counts);
    vt_free(labels);
    return status;
}

/* ---- all of it ---- */

static double mean_of_heads(const vt_run_state *run, const vt_evaluation *out, int measure)
{
    double sum = 0;
    size_t count = 0;
    for (size_t h = 0; h < run->heads.count; h++)
        if (!isnan(out->heads[h].measures[measure])) {
            sum += out->heads[h].measures[measure];
            count++;
        }
    return count > 0 ? sum / (double)count : (double)NAN;
}

vt_status vt_run_measure(const vt_run_state *run, vt_evaluation *out, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t h = 0; status == VT_OK && h < run->heads.count; h++) {
        measure_scores(&out->heads[h]);
        status = measure_neighbours(run, h, out, error);
    }
    for (int i = 0; status == VT_OK && i < VT_MEASURES; i++)
        out->measures[i] = mean_of_heads(run, out, i);
    return status;
}
