/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a network on the validation photos: the scores of its heads, and the nearest neighbours
 * of a photo's vector among the other validation photos. run_measure.c tells what they are worth.
 *
 * Photos enter as the pixel contract says, as they will when the model is used.
 */
#include "train/run_state.h"

#include "eval/neighbours.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>

enum { BATCH = 64 };

void vt_evaluation_deinit(vt_evaluation *evaluation)
{
    vt_free(evaluation->examples);
    for (size_t h = 0; h < VT_HEADS_MAX; h++) {
        vt_free(evaluation->heads[h].named);
        vt_free(evaluation->heads[h].confidence);
        vt_classification_free(evaluation->heads[h].confusions);
        vt_attributes_free(evaluation->heads[h].attributes);
    }
    vt_free(evaluation->vectors);
    vt_free(evaluation->neighbours);
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

typedef struct taking {
    const vt_run_state *run;
    vt_evaluation *out;
} taking;

static vt_status take_outputs(void *context, const vt_tensor *outputs, size_t first,
                              vt_error *error)
{
    const vt_run_state *run = ((taking *)context)->run;
    vt_evaluation *out = ((taking *)context)->out;
    vt_status status = VT_OK;
    size_t at = 0;
    for (size_t h = 0; status == VT_OK && h < run->heads.count; h++)
        if (run->heads.items[h].scores)
            status = vt_run_measure_scores(run, h, &outputs[at++], first, out, error);
    return status == VT_OK ? take_vectors(out, &outputs[at], first, error) : status;
}

/* False: the run is to end; an evaluation comes to its end all the same, or the epoch before it
 * would be lost. */
static bool report(const vt_run_state *run, const vt_run_photo_list *photos, size_t done)
{
    const vt_run_progress progress = {.phase = photos->phase,
                                      .done = done,
                                      .total = photos->count,
                                      .epoch = (int)run->epoch,
                                      .epochs = (int)run->recipe->epochs,
                                      .goal = &run->goal,
                                      .heads = &run->heads};
    return run->options->on_progress == NULL ||
           run->options->on_progress(run->options->context, &progress) ||
           photos->phase == VT_RUN_EVALUATE;
}

vt_status vt_run_photos(vt_run_state *run, vt_session *session, const vt_run_photo_list *photos,
                        vt_error *error)
{
    const vt_pixel_spec *spec = &run->contract.pixels;
    const vt_loader_plan plan = {.cache = run->cache,
                                 .spec = spec,
                                 .order = photos->examples,
                                 .count = photos->count,
                                 .batch = BATCH};
    vt_loader *loader = NULL;
    vt_batch batch;
    size_t first = 0;
    bool goes_on = true;
    vt_status status = vt_loader_open(&plan, &loader, error);
    while (status == VT_OK && goes_on) {
        vt_tensor outputs[VT_HEADS_MAX + 1];
        status = vt_loader_next(loader, &batch, error);
        if (status != VT_OK || batch.count == 0)
            break;
        vt_tensor input = {.dtype = VT_F32, .data = (void *)(uintptr_t)batch.pixels};
        input.shape =
            vt_shape_of(4, (int64_t[]){(int64_t)batch.count, 3, spec->height, spec->width});
        input.bytes = batch.count * 3 * (size_t)spec->height * (size_t)spec->width * sizeof(float);
        status = vt_session_run(session, &input, 1, outputs, error);
        if (status == VT_OK)
            status = photos->take(photos->context, outputs, first, error);
        first += batch.count;
        goes_on = report(run, photos, first);
    }
    vt_loader_close(loader);
    return status != VT_OK || goes_on
               ? status
               : vt_fail(error, VT_ERR_CANCELLED, "train: interrupted before the first step");
}

static vt_status find_neighbours(const vt_run_state *run, vt_evaluation *out, vt_error *error)
{
    if (out->count < 2 || out->count > VT_RUN_NEIGHBOUR_ROWS || out->vectors == NULL)
        return VT_OK;
    out->neighbours = vt_alloc_array(out->count * VT_RUN_NEIGHBOURS, sizeof(uint32_t));
    const vt_neighbours_plan plan = {.queries = out->vectors,
                                     .query_count = out->count,
                                     .gallery = out->vectors,
                                     .gallery_count = out->count,
                                     .dim = out->dim,
                                     .k = VT_RUN_NEIGHBOURS,
                                     .leave_self = true,
                                     .pool = run->pool};
    return out->neighbours != NULL ? vt_neighbours_find(&plan, out->neighbours, NULL, error)
                                   : vt_fail_memory(error, "an evaluation");
}

vt_status vt_run_session(const vt_run_state *run, const vt_model *model, const char *const *outputs,
                         size_t count, vt_session **out, vt_error *error)
{
    vt_session_options options = vt_session_options_defaults();
    options.outputs = outputs;
    options.output_count = count;
    options.precision = run->recipe->compute;
    options.threads = (int)run->recipe->threads;
    /* As the steps do, and those who use the network (encoder/network.c). */
    options.winograd = true;
    return vt_session_new(model, &options, out, error);
}

vt_status vt_run_evaluate(vt_run_state *run, const vt_run_weights *weights, vt_evaluation *out,
                          vt_error *error)
{
    vt_model *model = NULL;
    vt_session *session = NULL;
    const char *outputs[VT_HEADS_MAX + 1];
    *out = (vt_evaluation){0};
    vt_status status = list_examples(run, out, error);
    if (status == VT_OK)
        status = vt_run_measure_begin(run, out, error);
    if (status == VT_OK)
        status = vt_run_network_with(run, weights, &model, error);
    if (status == VT_OK)
        status = vt_run_session(run, model, outputs, vt_run_outputs(run, outputs), &session, error);
    taking taken = {run, out};
    const vt_run_photo_list photos = {.phase = VT_RUN_EVALUATE,
                                      .examples = out->examples,
                                      .count = out->count,
                                      .take = take_outputs,
                                      .context = &taken};
    if (status == VT_OK)
        status = vt_run_photos(run, session, &photos, error);
    vt_session_free(session);
    vt_model_free(model);
    if (status == VT_OK)
        status = find_neighbours(run, out, error);
    if (status == VT_OK)
        status = vt_run_measure(run, out, error);
    if (status != VT_OK)
        vt_evaluation_deinit(out);
    return status;
}
