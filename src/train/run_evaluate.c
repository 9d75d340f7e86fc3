/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measuring a network on the validation photos: the classes it names, and whether the nearest
 * neighbours of a photo's vector among the other validation photos are of its label.
 *
 * Photos enter as the pixel contract says, as they will when the model is used.
 */
#include "train/run_state.h"

#include "base/log.h"
#include "eval/neighbours.h"
#include "eval/retrieval.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>

enum { BATCH = 64, MAXIMUM_NEIGHBOUR_ROWS = 50000 };

void vt_evaluation_deinit(vt_evaluation *evaluation)
{
    vt_free(evaluation->examples);
    vt_free(evaluation->named);
    vt_free(evaluation->confidence);
    vt_free(evaluation->vectors);
    vt_free(evaluation->neighbours);
    vt_classification_free(evaluation->confusions);
    *evaluation = (vt_evaluation){0};
}

static vt_status list_examples(const vt_run_state *run, vt_evaluation *out, vt_error *error)
{
    const vt_dataset *data = run->data;
    out->examples = vt_alloc_array(data->count + 1, sizeof(uint32_t));
    if (out->examples == NULL)
        return vt_fail_memory(error, "an evaluation");
    for (size_t i = 0; i < data->count; i++)
        if (data->examples[i].split == run->options->validation && !data->examples[i].left_out)
            out->examples[out->count++] = (uint32_t)i;
    out->classes = run->score_count > 0 ? data->label_count : 0;
    if (out->classes > VT_CLASSIFICATION_MAX_CLASSES)
        out->classes = 0;
    if (out->classes > 0) {
        out->named = vt_calloc(out->count + 1, sizeof(uint32_t));
        out->confidence = vt_calloc(out->count + 1, sizeof(float));
        if (out->named == NULL || out->confidence == NULL)
            return vt_fail_memory(error, "an evaluation");
        return vt_classification_new(out->classes, &out->confusions, error);
    }
    return VT_OK;
}

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

static vt_status take_scores(const vt_run_state *run, vt_evaluation *out, const vt_tensor *scores,
                             size_t first, vt_error *error)
{
    size_t rows = (size_t)scores->shape.dims[0];
    if (scores->dtype != VT_F32 || vt_tensor_count(scores) != rows * out->classes)
        return vt_fail(error, VT_ERR_MISMATCH, "evaluate: the network has not %zu classes",
                       out->classes);
    for (size_t i = 0; i < rows; i++) {
        const float *row = (const float *)scores->data + i * out->classes;
        size_t truth = run->data->examples[out->examples[first + i]].label;
        out->measures[VT_MEASURE_LOSS] +=
            cross_entropy(row, out->classes, truth, &out->confidence[first + i]);
        out->named[first + i] = (uint32_t)vt_classification_add(out->confusions, truth, row);
    }
    return VT_OK;
}

/* (rows, dim), or (rows, dim, h, w) to be averaged; each of length 1. */
static vt_status take_vectors(vt_evaluation *out, const vt_tensor *values, size_t first,
                              vt_error *error)
{
    size_t rows = (size_t)values->shape.dims[0], dim = (size_t)values->shape.dims[1];
    size_t area = rows * dim > 0 ? vt_tensor_count(values) / (rows * dim) : 0;
    if (values->dtype != VT_F32 || area == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "evaluate: the embedding is not f32");
    if (out->vectors == NULL) {
        out->dim = dim;
        out->vectors = vt_calloc(out->count * dim + 1, sizeof(float));
    }
    if (out->vectors == NULL)
        return vt_fail_memory(error, "an evaluation");
    const float *value = values->data;
    for (size_t i = 0; i < rows; i++) {
        float *row = out->vectors + (first + i) * dim;
        for (size_t d = 0; d < dim; d++, value += area) {
            float sum = 0;
            for (size_t a = 0; a < area; a++)
                sum += value[a];
            row[d] = sum / (float)area;
        }
        if (!vt_vector_normalize(row, dim))
            memset(row, 0, dim * sizeof(float));
    }
    return VT_OK;
}

static vt_status run_batches(vt_run_state *run, vt_session *session, vt_evaluation *out,
                             vt_error *error)
{
    const vt_pixel_spec *spec = &run->contract.pixels;
    const vt_loader_plan plan = {.cache = run->cache,
                                 .spec = spec,
                                 .order = out->examples,
                                 .count = out->count,
                                 .batch = BATCH};
    vt_loader *loader = NULL;
    vt_batch batch;
    size_t first = 0;
    vt_status status = vt_loader_open(&plan, &loader, error);
    while (status == VT_OK) {
        vt_tensor outputs[2];
        status = vt_loader_next(loader, &batch, error);
        if (status != VT_OK || batch.count == 0)
            break;
        vt_tensor input = {.dtype = VT_F32, .data = (void *)(uintptr_t)batch.pixels};
        input.shape =
            vt_shape_of(4, (int64_t[]){(int64_t)batch.count, 3, spec->height, spec->width});
        input.bytes = batch.count * 3 * (size_t)spec->height * (size_t)spec->width * sizeof(float);
        status = vt_session_run(session, &input, 1, outputs, error);
        if (status == VT_OK && out->classes > 0)
            status = take_scores(run, out, &outputs[0], first, error);
        if (status == VT_OK)
            status = take_vectors(out, &outputs[out->classes > 0], first, error);
        first += batch.count;
        const vt_run_progress progress = {VT_RUN_EVALUATE,
                                          first,
                                          out->count,
                                          (int)run->epoch,
                                          (int)run->recipe->epochs,
                                          0,
                                          0,
                                          NULL,
                                          run->measure};
        if (run->options->on_progress != NULL)
            run->options->on_progress(run->options->context, &progress);
    }
    vt_loader_close(loader);
    return status;
}

static void measure_classes(vt_evaluation *out)
{
    vt_classification_result result;
    if (out->classes == 0) {
        out->measures[VT_MEASURE_LOSS] = NAN;
        return;
    }
    vt_classification_result_of(out->confusions, &result);
    out->measures[VT_MEASURE_ACCURACY] = result.accuracy;
    out->measures[VT_MEASURE_TOP5] = out->classes > 5 ? result.top5 : (double)NAN;
    out->measures[VT_MEASURE_F1] = result.macro_f1;
    out->measures[VT_MEASURE_LOSS] /= out->count > 0 ? (double)out->count : 1;
}

static vt_status add_queries(const vt_run_state *run, const vt_evaluation *out,
                             const size_t *counts, vt_retrieval *retrieval, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < out->count; i++) {
        uint32_t label = run->data->examples[out->examples[i]].label;
        bool relevance[VT_RUN_NEIGHBOURS];
        size_t ranked = 0;
        for (; ranked < VT_RUN_NEIGHBOURS; ranked++) {
            uint32_t at = out->neighbours[i * VT_RUN_NEIGHBOURS + ranked];
            if (at == VT_NO_NEIGHBOUR)
                break;
            relevance[ranked] = run->data->examples[out->examples[at]].label == label;
        }
        if (counts[label] > 1) /* a photo alone of its label has nothing to find */
            status = vt_retrieval_add(retrieval, NULL, relevance, ranked, counts[label] - 1, error);
    }
    return status;
}

static vt_status measure_neighbours(vt_run_state *run, vt_evaluation *out, vt_error *error)
{
    if (out->count < 2 || out->count > MAXIMUM_NEIGHBOUR_ROWS || out->vectors == NULL)
        return VT_OK;
    out->neighbours = vt_alloc_array(out->count * VT_RUN_NEIGHBOURS, sizeof(uint32_t));
    size_t *counts = vt_calloc(run->data->label_count + 1, sizeof(*counts));
    const vt_neighbours_plan plan = {.queries = out->vectors,
                                     .query_count = out->count,
                                     .gallery = out->vectors,
                                     .gallery_count = out->count,
                                     .dim = out->dim,
                                     .k = VT_RUN_NEIGHBOURS,
                                     .leave_self = true,
                                     .pool = run->pool};
    const vt_retrieval_options options = vt_retrieval_options_defaults();
    vt_retrieval *retrieval = NULL;
    vt_retrieval_result result;
    vt_status status = out->neighbours == NULL || counts == NULL
                           ? vt_fail_memory(error, "an evaluation")
                           : vt_neighbours_find(&plan, out->neighbours, NULL, error);
    if (status == VT_OK)
        status = vt_retrieval_new(&options, &retrieval, error);
    if (status == VT_OK) {
        vt_dataset_count(run->data, run->options->validation, counts);
        status = add_queries(run, out, counts, retrieval, error);
    }
    if (status == VT_OK && vt_retrieval_result_of(retrieval, NULL, &result)) {
        out->measures[VT_MEASURE_RECALL_1] = result.recall[0];
        out->measures[VT_MEASURE_RECALL_5] = result.recall[1];
        out->measures[VT_MEASURE_RECALL_10] = result.recall[2];
    }
    vt_retrieval_free(retrieval);
    vt_free(counts);
    return status;
}

static vt_status open_session(vt_run_state *run, const vt_model *model, bool classes,
                              vt_session **out, vt_error *error)
{
    vt_session_options options = vt_session_options_defaults();
    const char *outputs[2] = {run->embedding, NULL};
    if (classes) {
        outputs[0] = run->scores[0];
        outputs[1] = run->embedding;
    }
    options.outputs = outputs;
    options.output_count = classes ? 2 : 1;
    options.precision = run->recipe->compute;
    options.threads = (int)run->recipe->threads;
    return vt_session_new(model, &options, out, error);
}

vt_status vt_run_evaluate(vt_run_state *run, const vt_run_weights *weights, vt_evaluation *out,
                          vt_error *error)
{
    vt_model *model = NULL;
    vt_session *session = NULL;
    *out = (vt_evaluation){0};
    for (int i = 0; i < VT_MEASURES; i++)
        out->measures[i] = i == VT_MEASURE_LOSS ? 0 : (double)NAN;
    vt_status status = list_examples(run, out, error);
    if (status == VT_OK)
        status = vt_run_network_with(run, weights, &model, error);
    if (status == VT_OK)
        status = open_session(run, model, out->classes > 0, &session, error);
    if (status == VT_OK)
        status = run_batches(run, session, out, error);
    vt_session_free(session);
    vt_model_free(model);
    if (status == VT_OK) {
        measure_classes(out);
        status = measure_neighbours(run, out, error);
    }
    if (status != VT_OK)
        vt_evaluation_deinit(out);
    return status;
}
