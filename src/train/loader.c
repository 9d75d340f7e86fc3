/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader: a ring of batches. Threads take pictures in order, each into its place of its batch,
 * and wait where the ring is full; who finishes a batch mixes it. The reader takes batches in
 * order.
 *
 * A picture's random numbers are forked from seed, epoch and its place in the epoch, so that they
 * are the same whoever works on it, and from whichever batch on a run goes on.
 */
#include "train/loader.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

enum { AHEAD = 3, MAXIMUM_AHEAD = 64, MAXIMUM_THREADS = 64 };

typedef struct slot {
    float *pixels; /* (batch, 3, height, width) */
    size_t done;   /* pictures in it */
    bool ready;
    float share;
} slot;

struct vt_loader {
    vt_loader_plan plan;
    vt_random random; /* of the epoch */
    size_t picture_floats, batches;
    slot *slots; /* (slot_count) */
    size_t slot_count;
    vt_thread *threads[MAXIMUM_THREADS];
    int thread_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t next_picture; /* of the plan, to be taken by a thread */
    size_t taken;        /* batches that the reader has had or has */
    bool stop;
    vt_error failure; /* status VT_OK: none */
};

static size_t batch_size(const vt_loader *loader, size_t batch)
{
    size_t left = loader->plan.count - batch * loader->plan.batch;
    return left < loader->plan.batch ? left : loader->plan.batch;
}

static slot *slot_of(vt_loader *loader, size_t batch)
{
    return &loader->slots[batch % loader->slot_count];
}

/* The next picture to work on, waiting for room; false: there is nothing left to do. */
static bool claim(vt_loader *loader, size_t *picture)
{
    pthread_mutex_lock(&loader->lock);
    for (;;) {
        bool end = loader->stop || loader->next_picture == loader->plan.count;
        /* The slot of the batch that the reader holds is not free yet. */
        size_t held = loader->taken > loader->plan.first ? loader->taken - 1 : loader->taken;
        if (end || loader->next_picture / loader->plan.batch < held + loader->slot_count) {
            *picture = loader->next_picture;
            if (!end)
                loader->next_picture++;
            pthread_mutex_unlock(&loader->lock);
            return !end;
        }
        pthread_cond_wait(&loader->changed, &loader->lock);
    }
}

/* Half of the photos are flipped in the first epoch, the others in the next, and so on: in two
 * epochs each was seen both ways, where chance would show a half of them twice the same (Jordan,
 * "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, section 3.6). */
static float flip_in_turn(const vt_loader_plan *plan, uint32_t photo)
{
    vt_random random;
    vt_random_init(&random, plan->seed);
    random = vt_random_fork(&random, photo);
    return (float)((vt_random_u64(&random) + plan->epoch) % 2);
}

static vt_status make_picture(vt_loader *loader, size_t picture, float *scratch, vt_error *error)
{
    const vt_loader_plan *plan = &loader->plan;
    vt_image image;
    float *out = slot_of(loader, picture / plan->batch)->pixels +
                 picture % plan->batch * loader->picture_floats;
    if (!vt_picture_cache_get(plan->cache, plan->order[picture], &image))
        return vt_fail(error, VT_ERR_INTERNAL, "load pictures: one of the order has failed");
    if (plan->augment == NULL)
        return vt_image_to_tensor(&image, plan->spec, out, error);
    vt_random random = vt_random_fork(&loader->random, picture);
    vt_augment how = *plan->augment;
    if (how.flip_in_turn > 0)
        how.flip = flip_in_turn(plan, plan->order[picture]);
    return vt_augment_apply(&how, plan->spec, &image, &random, scratch, out, error);
}

static float mix(vt_loader *loader, size_t batch)
{
    const vt_loader_plan *plan = &loader->plan;
    vt_random random = vt_random_fork(&loader->random, UINT64_MAX - batch);
    const vt_mix_batch pictures = {slot_of(loader, batch)->pixels, batch_size(loader, batch), 3,
                                   plan->spec->height, plan->spec->width};
    return plan->augment != NULL ? vt_augment_mix(plan->augment, &random, &pictures) : 1;
}

/* Notes a picture; true: it was the last of its batch. */
static bool note(vt_loader *loader, size_t batch, vt_status status, const vt_error *error)
{
    pthread_mutex_lock(&loader->lock);
    if (status != VT_OK && loader->failure.status == VT_OK) {
        loader->failure = *error;
        loader->stop = true;
        pthread_cond_broadcast(&loader->changed);
    }
    bool last = ++slot_of(loader, batch)->done == batch_size(loader, batch);
    pthread_mutex_unlock(&loader->lock);
    return last;
}

static void run(void *context)
{
    vt_loader *loader = context;
    size_t picture;
    vt_error error = {0};
    float *scratch = vt_alloc_array(loader->picture_floats, sizeof(float));
    vt_status status = scratch == NULL ? vt_fail_memory(&error, "a picture to train on") : VT_OK;
    while (claim(loader, &picture)) {
        size_t batch = picture / loader->plan.batch;
        if (status == VT_OK)
            status = make_picture(loader, picture, scratch, &error);
        if (!note(loader, batch, status, &error))
            continue;
        float share = mix(loader, batch);
        pthread_mutex_lock(&loader->lock);
        slot_of(loader, batch)->share = share;
        slot_of(loader, batch)->ready = true;
        pthread_cond_broadcast(&loader->changed);
        pthread_mutex_unlock(&loader->lock);
    }
    vt_free(scratch);
}

static vt_status make_ring(vt_loader *loader, vt_error *error)
{
    const vt_loader_plan *plan = &loader->plan;
    int ahead = plan->ahead <= 0              ? AHEAD
                : plan->ahead > MAXIMUM_AHEAD ? MAXIMUM_AHEAD
                                              : plan->ahead;
    size_t one = (size_t)plan->spec->width * (size_t)plan->spec->height * 3, floats;
    loader->picture_floats = one;
    loader->slot_count = (size_t)ahead + 1; /* one is the reader's */
    loader->slots = vt_calloc(loader->slot_count, sizeof(slot));
    if (loader->slots == NULL || !vt_size_mul(one, plan->batch, &floats))
        return vt_fail_memory(error, "batches to train on");
    for (size_t i = 0; i < loader->slot_count; i++) {
        size_t bytes;
        bool fits = vt_size_mul(floats, sizeof(float), &bytes);
        loader->slots[i].pixels = fits ? vt_alloc_aligned(64, bytes) : NULL;
        if (loader->slots[i].pixels == NULL)
            return vt_fail_memory(error, "batches to train on");
    }
    return VT_OK;
}

static vt_status start_threads(vt_loader *loader, vt_error *error)
{
    int wanted = loader->plan.threads;
    vt_status status = VT_OK;
    if (wanted <= 0)
        wanted = vt_core_count() / 2 > 0 ? vt_core_count() / 2 : 1;
    if (wanted > MAXIMUM_THREADS)
        wanted = MAXIMUM_THREADS;
    for (; status == VT_OK && loader->thread_count < wanted; loader->thread_count++) {
        status =
            vt_thread_start("loader", run, loader, &loader->threads[loader->thread_count], error);
        if (status != VT_OK)
            break;
    }
    return status;
}

vt_status vt_loader_open(const vt_loader_plan *plan, vt_loader **out, vt_error *error)
{
    if (plan->batch == 0 || plan->spec->width <= 0 || plan->spec->height <= 0)
        return vt_fail(error, VT_ERR_USAGE, "load pictures: a batch or a picture is empty");
    vt_loader *loader = vt_calloc(1, sizeof(*loader));
    if (loader == NULL)
        return vt_fail_memory(error, "a loader");
    vt_random seed;
    vt_random_init(&seed, plan->seed);
    loader->plan = *plan;
    loader->random = vt_random_fork(&seed, plan->epoch);
    loader->batches = (plan->count + plan->batch - 1) / plan->batch;
    loader->taken = plan->first < loader->batches ? plan->first : loader->batches;
    loader->plan.first = loader->taken;
    loader->next_picture = loader->taken * plan->batch;
    if (loader->next_picture > plan->count)
        loader->next_picture = plan->count;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    vt_status status = make_ring(loader, error);
    if (status == VT_OK)
        status = start_threads(loader, error);
    if (status != VT_OK) {
        vt_loader_close(loader);
        return status;
    }
    *out = loader;
    return VT_OK;
}

void vt_loader_close(vt_loader *loader)
{
    if (loader == NULL)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->thread_count; i++)
        vt_thread_join(loader->threads[i]);
    for (size_t i = 0; loader->slots != NULL && i < loader->slot_count; i++)
        vt_free(loader->slots[i].pixels);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->lock);
    vt_free(loader->slots);
    vt_free(loader);
}

vt_status vt_loader_next(vt_loader *loader, vt_batch *out, vt_error *error)
{
    vt_batch batch = {0};
    pthread_mutex_lock(&loader->lock);
    /* What the reader held goes back. */
    if (loader->taken > loader->plan.first) {
        slot *old = slot_of(loader, loader->taken - 1);
        old->ready = false;
        old->done = 0;
    }
    size_t wanted = loader->taken;
    if (wanted < loader->batches) {
        loader->taken++;
        slot *next = slot_of(loader, wanted);
        pthread_cond_broadcast(&loader->changed);
        while (!next->ready && loader->failure.status == VT_OK)
            pthread_cond_wait(&loader->changed, &loader->lock);
        batch = (vt_batch){next->pixels, loader->plan.order + wanted * loader->plan.batch,
                           batch_size(loader, wanted), next->share};
    }
    vt_error failure = loader->failure;
    pthread_mutex_unlock(&loader->lock);
    if (failure.status != VT_OK)
        return vt_fail(error, failure.status, "%s", failure.message);
    *out = batch;
    return VT_OK;
}
