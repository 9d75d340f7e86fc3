/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many callers, few networks: each caller turns its pictures into tensors itself, then queues them;
 * runner threads take what waits and run it as one batch.
 *
 * Nobody waits for a batch to fill: a runner takes what is there the moment it is free, so one
 * caller gets the shortest answer and many callers get large batches by themselves. Every runner
 * works on one core with a network of its own: for a queue of pictures that beats spreading each
 * run over all cores, because nothing ever waits for the slowest core (vt_batcher_options.latency
 * is for the opposite case). Batches are powers of two, so that a runner plans few shapes.
 */
#include "encoder/network.h"

#include "base/mem.h"
#include "base/thread.h"
#include "vector/distance.h"

#include <pthread.h>
#include <string.h>

typedef struct request {
    const float *tensor; /* (3, height, width), the caller's */
    float *out;          /* (dim), the caller's */
    vt_status status;
    vt_error error;
    bool done;
    pthread_cond_t *finished; /* of the caller that waits */
    struct request *next;
} request;

typedef struct runner {
    vt_batcher *batcher;
    vt_network *network;
    vt_thread *thread;
    float *vectors; /* (maximum_batch, dim) */
} runner;

struct vt_batcher {
    const vt_encoder *encoder;
    int maximum_batch;
    size_t tensor_floats;
    runner *runners;
    int runner_count;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t waiting;
    request *first, *last;
    int pending;
    bool closing;
};

vt_batcher_options vt_batcher_options_defaults(void)
{
    return (vt_batcher_options){.runners = 0, .maximum_batch = 8};
}

/* The largest power of two that is at most `value`. */
static int floor_power_of_two(int value)
{
    int power = 1;
    while (power * 2 <= value)
        power *= 2;
    return power;
}

/* Called with the lock held: unlinks the next batch. */
static int take_batch(vt_batcher *batcher, request **batch)
{
    int limit =
        batcher->pending < batcher->maximum_batch ? batcher->pending : batcher->maximum_batch;
    int count = floor_power_of_two(limit);
    for (int i = 0; i < count; i++) {
        batch[i] = batcher->first;
        batcher->first = batch[i]->next;
    }
    if (batcher->first == NULL)
        batcher->last = NULL;
    batcher->pending -= count;
    return count;
}

static vt_status run_batch(runner *self, request **batch, int count, vt_error *error)
{
    vt_batcher *batcher = self->batcher;
    float *input = NULL;
    vt_status status = vt_network_input(self->network, batcher->maximum_batch, &input, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < count; i++)
        memcpy(input + (size_t)i * batcher->tensor_floats, batch[i]->tensor,
               batcher->tensor_floats * sizeof(float));
    return vt_network_run(self->network, count, self->vectors, error);
}

static void finish_batch(runner *self, request **batch, int count, vt_status status,
                         const vt_error *error)
{
    vt_batcher *batcher = self->batcher;
    size_t dim = batcher->encoder->dim;
    pthread_mutex_lock(&batcher->lock);
    for (int i = 0; i < count; i++) {
        batch[i]->status = status;
        if (status == VT_OK)
            memcpy(batch[i]->out, self->vectors + (size_t)i * dim, dim * sizeof(float));
        else
            batch[i]->error = *error;
        batch[i]->done = true;
        pthread_cond_signal(batch[i]->finished);
    }
    pthread_mutex_unlock(&batcher->lock);
}

static void run(void *context)
{
    runner *self = context;
    vt_batcher *batcher = self->batcher;
    request *batch[VT_BATCH_LIMIT];
    for (;;) {
        pthread_mutex_lock(&batcher->lock);
        while (batcher->pending == 0 && !batcher->closing)
            pthread_cond_wait(&batcher->waiting, &batcher->lock);
        if (batcher->pending == 0) {
            pthread_mutex_unlock(&batcher->lock);
            return;
        }
        int count = take_batch(batcher, batch);
        pthread_mutex_unlock(&batcher->lock);
        vt_error error = {0};
        vt_status status = run_batch(self, batch, count, &error);
        finish_batch(self, batch, count, status, &error);
    }
}

static vt_status start_runner(vt_batcher *batcher, runner *self, int threads, vt_error *error)
{
    self->batcher = batcher;
    self->vectors =
        vt_alloc_array((size_t)batcher->maximum_batch, batcher->encoder->dim * sizeof(float));
    if (self->vectors == NULL)
        return vt_fail_memory(error, "a batch of vectors");
    vt_status status =
        vt_network_new(batcher->encoder, VT_EXECUTOR_ONEDNN, threads, &self->network, error);
    if (status == VT_OK)
        status = vt_thread_start("vt-encode", run, self, &self->thread, error);
    return status;
}

static vt_status start_runners(vt_batcher *batcher, const vt_batcher_options *options,
                               vt_error *error)
{
    const vt_encoder *encoder = batcher->encoder;
    const vt_pixel_spec *pixels = &encoder->contract.pixels;
    int limit = options->maximum_batch < encoder->maximum_batch ? options->maximum_batch
                                                                : encoder->maximum_batch;
    int wanted = options->runners > 0 ? options->runners : vt_core_count();
    if (options->latency)
        wanted = 1;
    batcher->tensor_floats = 3 * (size_t)pixels->width * (size_t)pixels->height;
    batcher->maximum_batch = floor_power_of_two(limit);
    batcher->runners = vt_calloc((size_t)wanted, sizeof(runner));
    if (batcher->runners == NULL)
        return vt_fail_memory(error, "a batcher");
    vt_status status = VT_OK;
    while (status == VT_OK && batcher->runner_count < wanted)
        status = start_runner(batcher, &batcher->runners[batcher->runner_count++],
                              options->latency ? 0 : 1, error);
    return status;
}

vt_status vt_batcher_new(const vt_encoder *encoder, const vt_batcher_options *options,
                         vt_batcher **out, vt_error *error)
{
    if (options->runners < 0)
        return vt_fail(error, VT_ERR_USAGE, "batch pictures: %d runners", options->runners);
    if (options->maximum_batch < 1 || options->maximum_batch > VT_BATCH_LIMIT)
        return vt_fail(error, VT_ERR_USAGE, "batch pictures: %d at once is not from 1 to %d",
                       options->maximum_batch, VT_BATCH_LIMIT);
    vt_batcher *batcher = vt_calloc(1, sizeof(*batcher));
    if (batcher == NULL)
        return vt_fail_memory(error, "a batcher");
    batcher->encoder = encoder;
    pthread_mutex_init(&batcher->lock, NULL);
    pthread_cond_init(&batcher->waiting, NULL);
    vt_status status = encoder->model == NULL ? VT_OK : start_runners(batcher, options, error);
    if (status != VT_OK) {
        vt_batcher_free(batcher);
        return status;
    }
    *out = batcher;
    return VT_OK;
}

void vt_batcher_free(vt_batcher *batcher)
{
    if (batcher == NULL)
        return;
    pthread_mutex_lock(&batcher->lock);
    batcher->closing = true;
    pthread_cond_broadcast(&batcher->waiting);
    pthread_mutex_unlock(&batcher->lock);
    for (int i = 0; i < batcher->runner_count; i++) {
        vt_thread_join(batcher->runners[i].thread);
        vt_network_free(batcher->runners[i].network);
        vt_free(batcher->runners[i].vectors);
    }
    vt_free(batcher->runners);
    pthread_cond_destroy(&batcher->waiting);
    pthread_mutex_destroy(&batcher->lock);
    vt_free(batcher);
}

static void enqueue(vt_batcher *batcher, request *item)
{
    item->next = NULL;
    if (batcher->last != NULL)
        batcher->last->next = item;
    else
        batcher->first = item;
    batcher->last = item;
    batcher->pending++;
}

/* Queues `count` tensors and waits for all; reports the first failure. */
static vt_status submit(vt_batcher *batcher, const float *tensors, int count, float *out,
                        vt_error *error)
{
    request requests[VT_BATCH_LIMIT];
    pthread_cond_t finished;
    pthread_cond_init(&finished, NULL);
    memset(requests, 0, (size_t)count * sizeof(requests[0]));
    pthread_mutex_lock(&batcher->lock);
    for (int i = 0; i < count; i++) {
        requests[i].tensor = tensors + (size_t)i * batcher->tensor_floats;
        requests[i].out = out + (size_t)i * batcher->encoder->dim;
        requests[i].finished = &finished;
        enqueue(batcher, &requests[i]);
    }
    pthread_cond_broadcast(&batcher->waiting);
    for (int i = 0; i < count; i++)
        while (!requests[i].done)
            pthread_cond_wait(&finished, &batcher->lock);
    pthread_mutex_unlock(&batcher->lock);
    pthread_cond_destroy(&finished);
    for (int i = 0; i < count; i++)
        if (requests[i].status != VT_OK) {
            if (error != NULL)
                *error = requests[i].error;
            return requests[i].status;
        }
    return VT_OK;
}

static vt_status embed_with_network(vt_batcher *batcher, const vt_image *images, size_t count,
                                    float *out, vt_error *error)
{
    size_t chunk = count < (size_t)batcher->maximum_batch ? count : (size_t)batcher->maximum_batch;
    float *tensors = vt_alloc_array(chunk, batcher->tensor_floats * sizeof(float));
    if (tensors == NULL)
        return vt_fail_memory(error, "the pictures' tensors");
    vt_status status = VT_OK;
    for (size_t done = 0; status == VT_OK && done < count; done += chunk) {
        if (chunk > count - done)
            chunk = count - done;
        for (size_t i = 0; status == VT_OK && i < chunk; i++)
            status = vt_image_to_tensor(&images[done + i], &batcher->encoder->contract.pixels,
                                        tensors + i * batcher->tensor_floats, error);
        if (status == VT_OK)
            status =
                submit(batcher, tensors, (int)chunk, out + done * batcher->encoder->dim, error);
    }
    vt_free(tensors);
    return status;
}

static bool is_zero(const float *vector, size_t dim)
{
    for (size_t i = 0; i < dim; i++)
        if (vector[i] != 0.0f)
            return false;
    return true;
}

vt_status vt_batcher_embed(vt_batcher *batcher, const vt_image *images, size_t count, float *out,
                           vt_error *error)
{
    const vt_encoder *encoder = batcher->encoder;
    vt_status status = VT_OK;
    if (encoder->model != NULL)
        status = embed_with_network(batcher, images, count, out, error);
    else
        for (size_t i = 0; status == VT_OK && i < count; i++)
            status = vt_classic_embed(&images[i], out + i * encoder->dim, error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        if (is_zero(out + i * encoder->dim, encoder->dim))
            status = vt_fail(error, VT_ERR_MISMATCH,
                             "embed with \"%s\": picture %zu gives a vector without direction",
                             encoder->name, i + 1);
    return status;
}
