/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New classifiers that know the classes before the first step.
 *
 * The weights of a class are the mean direction of what the network makes of its photos, times the
 * recipe's scale, so that the scores are scaled cosines: the nearest class mean, from which
 * cross-entropy goes on (Qi, Brown and Lowe, "Low-Shot Learning with Imprinted Weights", 2018,
 * section 3.2). Layers that begin at zero tear at the network below until they have caught up with
 * it (Kumar et al., "Fine-Tuning can Distort Pretrained Features", 2022). Departures: the scale is
 * given, not learned, and weights are free to change their length in training.
 *
 * Of each class the first hundred photos are looked at, unchanged. Sums are taken in one order by
 * one thread, so that a run that is resumed begins with the same weights.
 */
#include "train/run_state.h"

#include "nn/weights.h"
#include "vector/distance.h"

#include <stdio.h>
#include <string.h>

enum { PHOTOS_A_CLASS = 100, NAME_BYTES = VT_LOSS_HEAD_BYTES + 32 };

typedef struct imprint_head {
    size_t head, classes;
    char weight[NAME_BYTES];
    size_t *photos; /* (classes) chosen so far */
    float *means;   /* (classes, dim): sums of directions, then the weights */
} imprint_head;

typedef struct imprinting {
    const vt_run_state *run;
    imprint_head heads[VT_HEADS_MAX];
    size_t head_count, dim;
    uint32_t *examples; /* (count) */
    size_t count;
} imprinting;

static void release(imprinting *work)
{
    for (size_t i = 0; i < work->head_count; i++) {
        vt_free(work->heads[i].photos);
        vt_free(work->heads[i].means);
    }
    vt_free(work->examples);
}

/* ---- what is imprinted, from which photos ---- */

static void list_heads(imprinting *work, const bool *kept)
{
    const vt_heads *heads = &work->run->heads;
    for (size_t h = 0; h < heads->count; h++) {
        if (!heads->items[h].scores || heads->items[h].several || kept[h])
            continue;
        imprint_head *one = &work->heads[work->head_count++];
        one->head = h;
        one->classes = vt_run_classes(work->run, h);
        snprintf(one->weight, sizeof(one->weight), "head.%s.linear.weight",
                 heads->named ? heads->items[h].id : "classes");
    }
}

/* Whether the photo is among the first of its class in some head. */
static bool is_wanted(imprinting *work, size_t example)
{
    bool wanted = false;
    for (size_t i = 0; i < work->head_count; i++) {
        uint32_t label = vt_dataset_value(work->run->data, work->heads[i].head, example);
        if (label != VT_NO_LABEL && work->heads[i].photos[label] < PHOTOS_A_CLASS) {
            work->heads[i].photos[label]++;
            wanted = true;
        }
    }
    return wanted;
}

static vt_status choose_photos(imprinting *work, vt_error *error)
{
    const vt_dataset *data = work->run->data;
    bool room = true;
    work->examples = vt_alloc_array(data->count + 1, sizeof(*work->examples));
    for (size_t i = 0; i < work->head_count; i++) {
        work->heads[i].photos = vt_calloc(work->heads[i].classes + 1, sizeof(size_t));
        room = room && work->heads[i].photos != NULL;
    }
    if (!room || work->examples == NULL)
        return vt_fail_memory(error, "the photos of each class");
    for (size_t i = 0; i < data->count; i++)
        if (data->examples[i].split == VT_SPLIT_TRAIN && !data->examples[i].left_out &&
            is_wanted(work, i))
            work->examples[work->count++] = (uint32_t)i;
    return VT_OK;
}

/* ---- sums ---- */

static vt_status make_room(imprinting *work, const vt_tensor *vectors, vt_error *error)
{
    size_t count;
    work->dim = (size_t)vectors->shape.dims[1];
    for (size_t i = 0; i < work->head_count; i++) {
        imprint_head *one = &work->heads[i];
        if (vt_size_mul(one->classes, work->dim, &count))
            one->means = vt_calloc(count + 1, sizeof(float));
        if (one->means == NULL)
            return vt_fail_memory(error, "the mean of each class");
    }
    return VT_OK;
}

static void add_vector(imprinting *work, const float *vector, size_t example)
{
    for (size_t i = 0; i < work->head_count; i++) {
        const imprint_head *one = &work->heads[i];
        uint32_t label = vt_dataset_value(work->run->data, one->head, example);
        if (label != VT_NO_LABEL)
            for (size_t d = 0; d < work->dim; d++)
                one->means[label * work->dim + d] += vector[d];
    }
}

/* outputs: what the classifiers read, (N, dim) of length 1. */
static vt_status take(void *context, const vt_tensor *outputs, size_t first, vt_error *error)
{
    imprinting *work = context;
    if (outputs[0].dtype != VT_F32 || outputs[0].shape.rank != 2)
        return vt_fail(error, VT_ERR_INTERNAL, "imprint: a classifier reads no vectors of f32");
    vt_status status = first == 0 ? make_room(work, &outputs[0], error) : VT_OK;
    const float *vectors = outputs[0].data;
    for (size_t i = 0; status == VT_OK && i < (size_t)outputs[0].shape.dims[0]; i++)
        add_vector(work, vectors + i * work->dim, work->examples[first + i]);
    return status;
}

/* ---- weights ---- */

/* A class that no photo shows, or whose directions cancel, stays at zero. */
static vt_status write_weights(vt_run_state *run, const imprinting *work, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && work->dim > 0 && i < work->head_count; i++) {
        const imprint_head *one = &work->heads[i];
        for (size_t c = 0; c < one->classes; c++) {
            float *mean = one->means + c * work->dim;
            bool any = vt_vector_normalize(mean, work->dim);
            for (size_t d = 0; d < work->dim; d++)
                mean[d] = any ? mean[d] * (float)run->recipe->imprint : 0;
        }
        status = vt_model_weight_write(run->network, one->weight, one->means,
                                       one->classes * work->dim, error);
    }
    return status;
}

static vt_status open_session(const vt_run_state *run, const imprinting *work, vt_session **out,
                              vt_error *error)
{
    const char *vectors = vt_model_read_with(run->network, work->heads[0].weight);
    if (vectors == NULL)
        return vt_fail(error, VT_ERR_INTERNAL, "imprint: there is no classifier \"%s\"",
                       work->heads[0].weight);
    return vt_run_session(run, run->network, &vectors, 1, out, error);
}

vt_status vt_run_imprint(vt_run_state *run, const bool *kept, vt_error *error)
{
    imprinting work = {.run = run};
    vt_session *session = NULL;
    list_heads(&work, kept);
    if (work.head_count == 0)
        return VT_OK;
    vt_status status = choose_photos(&work, error);
    if (status == VT_OK)
        status = open_session(run, &work, &session, error);
    const vt_run_photo_list photos = {.phase = VT_RUN_IMPRINT,
                                      .examples = work.examples,
                                      .count = work.count,
                                      .take = take,
                                      .context = &work};
    if (status == VT_OK)
        status = vt_run_photos(run, session, &photos, error);
    vt_session_free(session);
    if (status == VT_OK)
        status = write_weights(run, &work, error);
    release(&work);
    return status;
}
