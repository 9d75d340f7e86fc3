/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many callers, few networks: each caller turns its pictures into tensors itself, then queues them;
 * runner threads take what waits and run it as one batch.
 *
 * Nobody waits for a batch to fill: a runner takes what is there the moment it is free, so one
 * caller gets the shortest answer and many callers get large batches by themselves. While fewer
 * pictures meet than there are cores, one run spreads over all of them; when there are more, every
 * runner works on one core with a network of its own, in batches of the size that was measured best
 * (tuner.c decides both). The choice changes vectors by rounding only.
 *
 * Wide runs are all made by the first runner's thread: OpenMP, on which oneDNN is built, keeps a
 * team of threads for every thread that asked for one. While one goes on no other runner starts,
 * its cores are taken.
 *
 * Memory: a network takes nothing for a way and size it has not run. Prepared weights are shared
 * between the networks; each has its own activations for every size it ran, and sizes whose
 * activations in all runners together would pass `activation_bytes` are not tried.
 */
#include "encoder/network.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "vector/distance.h"

#include <pthread.h>
#include <string.h>

static const size_t activation_bytes = (size_t)1 << 30; /* of all runners at one size */

typedef struct request {
    const float *tensor; /* (3, height, width), the caller's */
    float *out;          /* (row), the caller's */
    vt_status status;
    vt_error error;
    bool done;
    pthread_cond_t *finished; /* of the caller that waits */
    struct request *next;
} request;

typedef struct runner {
    vt_batcher *batcher;
    vt_network *narrow; /* on one core */
    vt_network *wide;   /* on all; of the first runner alone, NULL where there are no wide runs */
    vt_thread *thread;
    float *vectors;           /* (maximum_batch, row) */
    unsigned ran[2];          /* narrow, wide: bit i: a batch of 1 << i has been run */
    size_t activations_bytes; /* of the newest run */
} runner;

struct vt_batcher {
    const vt_encoder *encoder;
    int maximum_batch;
    size_t tensor_floats;
    size_t row; /* numbers of a picture: its vector, and scores where there are */
    runner *runners;
    int runner_count;
    double (*clock_ms)(void);
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t waiting;
    request *first, *last;
    int pending;
    int running; /* pictures */
    int busy;    /* runners that run something */
    bool busy_wide;
    bool closing;
    vt_tuner tuner;
    uint64_t wide_runs, narrow_runs;
};

vt_batcher_options vt_batcher_options_defaults(void)
{
    return (vt_batcher_options){.runners = 0, .maximum_batch = 16};
}

/* Of the largest power of two that is at most `value`. */
static int floor_log2(int value)
{
    int log = 0;
    while (2 << log <= value)
        log++;
    return log;
}

/* Called with the lock held: what this runner is to do now, count 0: nothing. */
static vt_tuner_choice choose(const runner *self)
{
    vt_batcher *batcher = self->batcher;
    if (batcher->pending == 0 || batcher->busy_wide)
        return (vt_tuner_choice){0};
    vt_tuner_choice choice =
        vt_tuner_choose(&batcher->tuner, batcher->pending, batcher->runner_count - batcher->busy);
    if (choice.wide && self != &batcher->runners[0])
        choice.count = 0; /* that one is idle too and has been woken */
    return choice;
}

/* Called with the lock held: unlinks the batch and marks the cores it takes. */
static void take_batch(vt_batcher *batcher, const vt_tuner_choice *choice, request **batch)
{
    for (int i = 0; i < choice->count; i++) {
        batch[i] = batcher->first;
        batcher->first = batch[i]->next;
    }
    if (batcher->first == NULL)
        batcher->last = NULL;
    batcher->pending -= choice->count;
    batcher->running += choice->count;
    batcher->busy++;
    batcher->busy_wide = choice->wide;
    batcher->wide_runs += choice->wide;
    batcher->narrow_runs += !choice->wide;
}

/* *took_ms: of the run alone; negative when it is no measure, because something was planned. */
static vt_status run_batch(runner *self, request **batch, const vt_tuner_choice *choice,
                           double *took_ms, vt_error *error)
{
    vt_batcher *batcher = self->batcher;
    vt_network *network = choice->wide ? self->wide : self->narrow;
    unsigned *ran = &self->ran[choice->wide], bit = 1u << floor_log2(choice->count);
    float *input = NULL;
    vt_status status = vt_network_input(network, choice->count, &input, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < choice->count; i++)
        memcpy(input + (size_t)i * batcher->tensor_floats, batch[i]->tensor,
               batcher->tensor_floats * sizeof(float));
    double started = batcher->clock_ms();
    status = vt_network_run(network, choice->count, self->vectors, error);
    *took_ms = (*ran & bit) != 0 ? batcher->clock_ms() - started : -1.0;
    if (status == VT_OK)
        *ran |= bit;
    self->activations_bytes = vt_network_activations_bytes(network);
    return status;
}

/* Called with the lock held: what the run says about the next ones. */
static void learn(runner *self, const vt_tuner_choice *choice, double took_ms)
{
    vt_batcher *batcher = self->batcher;
    size_t twice = 2 * self->activations_bytes;
    if (took_ms >= 0.0)
        vt_tuner_note(&batcher->tuner, choice, took_ms);
    if (!choice->wide && twice > activation_bytes / (size_t)batcher->runner_count)
        vt_tuner_bound(&batcher->tuner, choice->count);
}

static void finish_batch(runner *self, request **batch, const vt_tuner_choice *choice,
                         vt_status status, double took_ms, const vt_error *error)
{
    vt_batcher *batcher = self->batcher;
    size_t row = batcher->row;
    pthread_mutex_lock(&batcher->lock);
    for (int i = 0; i < choice->count; i++) {
        batch[i]->status = status;
        if (status == VT_OK)
            memcpy(batch[i]->out, self->vectors + (size_t)i * row, row * sizeof(float));
        else
            batch[i]->error = *error;
        batch[i]->done = true;
        pthread_cond_signal(batch[i]->finished);
    }
    batcher->running -= choice->count;
    batcher->busy--;
    batcher->busy_wide = false;
    if (status == VT_OK)
        learn(self, choice, took_ms);
    /* The others may have left what waits to this runner's end, or to another way of running. */
    if (batcher->pending > 0)
        pthread_cond_broadcast(&batcher->waiting);
    pthread_mutex_unlock(&batcher->lock);
}

static void run(void *context)
{
    runner *self = context;
    vt_batcher *batcher = self->batcher;
    request *batch[VT_BATCH_LIMIT];
    for (;;) {
        vt_tuner_choice choice;
        pthread_mutex_lock(&batcher->lock);
        while ((choice = choose(self)).count == 0 && !batcher->closing)
            pthread_cond_wait(&batcher->waiting, &batcher->lock);
        if (choice.count == 0) {
            pthread_mutex_unlock(&batcher->lock);
            return;
        }
        take_batch(batcher, &choice, batch);
        pthread_mutex_unlock(&batcher->lock);
        vt_error error = {0};
        double took_ms = -1.0;
        vt_status status = run_batch(self, batch, &choice, &took_ms, &error);
        finish_batch(self, batch, &choice, status, took_ms, &error);
    }
}

/* cores: to spread wide runs over; 1: there are none. */
static vt_status open_networks(vt_batcher *batcher, runner *self, int cores, vt_error *error)
{
    vt_network_options how = {VT_EXECUTOR_ONEDNN, batcher->encoder->verdict.precision, 1,
                              batcher->encoder->score_count > 0};
    self->batcher = batcher;
    self->vectors = vt_alloc_array((size_t)batcher->maximum_batch, batcher->row * sizeof(float));
    if (self->vectors == NULL)
        return vt_fail_memory(error, "a batch of vectors");
    vt_status status = vt_network_new(batcher->encoder, &how, &self->narrow, error);
    how.threads = cores;
    if (status == VT_OK && cores > 1 && self == &batcher->runners[0])
        status = vt_network_new(batcher->encoder, &how, &self->wide, error);
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
    batcher->tensor_floats = 3 * (size_t)pixels->width * (size_t)pixels->height;
    batcher->maximum_batch = 1 << floor_log2(limit);
    vt_tuner_init(&batcher->tuner, options->bulk ? 1 : wanted, batcher->maximum_batch);
    batcher->runners = vt_calloc((size_t)wanted, sizeof(runner));
    if (batcher->runners == NULL)
        return vt_fail_memory(error, "a batcher");
    batcher->runner_count = wanted;
    vt_status status = VT_OK;
    for (int i = 0; status == VT_OK && i < wanted; i++)
        status = open_networks(batcher, &batcher->runners[i], batcher->tuner.cores, error);
    /* All are there before the first one looks at the others. */
    for (int i = 0; status == VT_OK && i < wanted; i++)
        status = vt_thread_start("vt-encode", run, &batcher->runners[i],
                                 &batcher->runners[i].thread, error);
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
    batcher->row = encoder->dim + encoder->score_count;
    batcher->clock_ms = options->clock_ms != NULL ? options->clock_ms : vt_clock_ms;
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
        vt_network_free(batcher->runners[i].narrow);
        vt_network_free(batcher->runners[i].wide);
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
        requests[i].out = out + (size_t)i * batcher->row;
        requests[i].finished = &finished;
        enqueue(batcher, &requests[i]);
    }
    vt_tuner_meet(&batcher->tuner, batcher->pending + batcher->running);
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
            status = submit(batcher, tensors, (int)chunk, out + done * batcher->row, error);
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
            status = vt_classic_embed(&images[i], out + i * batcher->row, error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        if (is_zero(out + i * batcher->row, encoder->dim))
            status = vt_fail(error, VT_ERR_MISMATCH,
                             "embed with \"%s\": picture %zu gives a vector without direction",
                             encoder->name, i + 1);
    return status;
}

vt_batcher_stats vt_batcher_stats_of(vt_batcher *batcher)
{
    pthread_mutex_lock(&batcher->lock);
    vt_batcher_stats stats = {batcher->wide_runs, batcher->narrow_runs, 1 << batcher->tuner.best};
    pthread_mutex_unlock(&batcher->lock);
    return stats;
}
