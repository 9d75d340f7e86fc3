/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's part: one product from references to pictures with vectors.
 *
 * Method: all pictures are read and hashed first; with the texts that gives the content hash, and a
 * product that the store has under the same hash is done before anything is decoded. Otherwise
 * pictures that the stored version has already (same bytes, same model) keep their vectors, so that
 * a new price costs no network run; the others are decoded, hashed perceptually, given a thumbnail
 * and embedded, some at a time. A picture that fails at any step is noted and the others go on.
 *
 * A picture on a remote host that does not answer is taken from the stored version when that has
 * one of the same address: a host that is down for an hour must not empty the shop.
 *
 * Memory: encoded bytes are kept between hashing and decoding up to KEEP_BYTES per product, beyond
 * that a picture is read twice; decoded pictures wait for the encoder up to BATCH_BYTES.
 */
#include "ingest/job.h"

#include <string.h>

enum { KEEP_BYTES = 16 << 20, BATCH_BYTES = 16 << 20, BATCH_PICTURES = 16 };

typedef struct picture_work {
    vt_picture picture;
    vt_buf bytes;  /* empty when not kept */
    bool read;     /* picture.hash is known */
    bool usable;   /* with vector */
    float *vector; /* (dim) in the arena */
} picture_work;

typedef struct product_work {
    vt_worker *worker;
    vt_job *job;
    picture_work *pictures; /* (image_count) */
    size_t kept_bytes;
    bool looked_back;  /* the stored version was asked for */
    vt_product stored; /* no id: there is none */
    vt_image batch[BATCH_PICTURES];
    size_t batch_index[BATCH_PICTURES]; /* of pictures */
    size_t batch_count, batch_bytes;
} product_work;

/* The run cannot go on: out of memory for the product itself, or a store that fails. */
static vt_status product_no_memory(vt_error *error)
{
    return vt_fail_memory(error, "a product");
}

static vt_status product_note(product_work *work, size_t i, const vt_error *why, vt_error *error)
{
    vt_job *job = work->job;
    vt_job_note *note = &job->notes[job->note_count];
    note->picture = job->row.images[i];
    note->status = why->status;
    note->reason = vt_arena_strdup(&job->arena, why->message);
    if (!note->reason)
        return product_no_memory(error);
    job->note_count++;
    return VT_OK;
}

/* The version of the product that the store has, once. */
static vt_status product_look_back(product_work *work, vt_error *error)
{
    vt_job *job = work->job;
    if (work->looked_back)
        return VT_OK;
    vt_status status = vt_store_get(work->worker->setting->store, job->row.product.id, &job->arena,
                                    &work->stored, error);
    if (status != VT_OK && status != VT_ERR_NOT_FOUND)
        return status;
    if (status == VT_ERR_NOT_FOUND)
        work->stored = (vt_product){0};
    work->looked_back = true;
    job->known = work->stored.id != NULL;
    return VT_OK;
}

/* ---- reading ---- */

/* Stands in for a remote picture that could not be fetched. *found: hash is set. */
static vt_status product_remember(product_work *work, size_t i, bool *found, vt_error *error)
{
    vt_status status = product_look_back(work, error);
    if (status != VT_OK)
        return status;
    for (size_t j = 0; j < work->stored.picture_count; j++) {
        const vt_picture *old = &work->stored.pictures[j];
        if (!vt_text_equal(old->source, work->job->row.images[i]))
            continue;
        work->pictures[i].picture.hash = old->hash;
        *found = true;
        return VT_OK;
    }
    return VT_OK;
}

static vt_status product_read_picture(product_work *work, size_t i, vt_error *error)
{
    picture_work *picture = &work->pictures[i];
    const char *reference = work->job->row.images[i];
    vt_error why;
    vt_buf bytes;
    vt_buf_init(&bytes, work->worker->setting->decode.maximum_bytes);
    vt_status status = vt_picture_load(work->worker, reference, &bytes, &why);
    if (status != VT_OK) {
        bool found = false;
        vt_buf_deinit(&bytes);
        if (status == VT_ERR_IO && vt_picture_is_remote(reference)) {
            vt_status remembered = product_remember(work, i, &found, error);
            if (remembered != VT_OK)
                return remembered;
        }
        picture->read = found;
        return found ? VT_OK : product_note(work, i, &why, error);
    }
    picture->picture.hash = vt_hash_of(bytes.data, bytes.length);
    picture->read = true;
    if (work->kept_bytes == 0 || work->kept_bytes + bytes.length <= KEEP_BYTES) {
        picture->bytes = bytes;
        work->kept_bytes += bytes.length;
    } else {
        vt_buf_deinit(&bytes);
    }
    return VT_OK;
}

static vt_status product_read(product_work *work, size_t *readable, vt_error *error)
{
    for (size_t i = 0; i < work->job->row.image_count; i++) {
        vt_status status = product_read_picture(work, i, error);
        if (status != VT_OK)
            return status;
        *readable += work->pictures[i].read;
    }
    return VT_OK;
}

static vt_status product_content(product_work *work, vt_error *error)
{
    vt_job *job = work->job;
    const vt_hash **hashes = vt_arena_array(&job->arena, job->row.image_count, sizeof *hashes);
    if (!hashes)
        return product_no_memory(error);
    for (size_t i = 0; i < job->row.image_count; i++)
        hashes[i] = work->pictures[i].read ? &work->pictures[i].picture.hash : NULL;
    job->row.product.content = vt_content_of(&job->row, hashes);
    return VT_OK;
}

/* ---- embedding ---- */

static void product_take_vector(product_work *work, size_t i)
{
    work->pictures[i].usable = true;
    work->pictures[i].picture.vector = work->pictures[i].vector;
}

/* Runs the pictures that wait. When the encoder refuses them together, each is tried by itself, so
 * that only the guilty one is left out. */
static vt_status product_embed(product_work *work, vt_error *error)
{
    const vt_worker_setting *setting = work->worker->setting;
    size_t count = work->batch_count, dim = setting->encoder.dim;
    vt_status status = VT_OK;
    vt_error why;
    float *vectors = count > 0 ? vt_alloc_array(count * dim, sizeof *vectors) : NULL;
    if (count > 0 && !vectors)
        status = product_no_memory(error);
    bool together = status == VT_OK && count > 1 &&
                    vt_batcher_embed(setting->batcher, work->batch, count, vectors, &why) == VT_OK;
    for (size_t k = 0; k < count; k++) {
        size_t i = work->batch_index[k];
        if (status == VT_OK && (together || vt_batcher_embed(setting->batcher, &work->batch[k], 1,
                                                             vectors + k * dim, &why) == VT_OK)) {
            memcpy(work->pictures[i].vector, vectors + k * dim, dim * sizeof *vectors);
            product_take_vector(work, i);
            work->job->embedded++;
        } else if (status == VT_OK) {
            status = product_note(work, i, &why, error);
        }
        vt_image_deinit(&work->batch[k]);
    }
    work->batch_count = work->batch_bytes = 0;
    vt_free(vectors);
    return status;
}

/* Vector and measures of the stored picture with the same bytes. */
static vt_status product_reuse(product_work *work, size_t i, vt_error *error)
{
    const vt_worker_setting *setting = work->worker->setting;
    vt_picture *picture = &work->pictures[i].picture;
    for (size_t j = 0; j < work->stored.picture_count; j++) {
        const vt_picture *old = &work->stored.pictures[j];
        if (memcmp(&old->hash, &picture->hash, sizeof old->hash) != 0)
            continue;
        /* A lost thumbnail is made again, as long as there are bytes to make it from. */
        if (work->pictures[i].bytes.length > 0 && !vt_store_has_thumb(setting->store, &old->hash))
            return VT_OK;
        vt_status status = vt_store_vector(setting->store, setting->model, old->key,
                                           work->pictures[i].vector, error);
        if (status == VT_ERR_NOT_FOUND)
            return VT_OK;
        if (status != VT_OK)
            return status;
        picture->phash = old->phash;
        picture->width = old->width;
        picture->height = old->height;
        picture->file_bytes = old->file_bytes;
        product_take_vector(work, i);
        return VT_OK;
    }
    return VT_OK;
}

/* The bytes of a picture that was not kept, once more. */
static vt_status product_read_again(product_work *work, size_t i, vt_error *error)
{
    picture_work *picture = &work->pictures[i];
    if (picture->bytes.length > 0)
        return VT_OK;
    vt_buf_deinit(&picture->bytes); /* an empty file leaves a buffer of no bytes */
    vt_buf_init(&picture->bytes, work->worker->setting->decode.maximum_bytes);
    vt_status status =
        vt_picture_load(work->worker, work->job->row.images[i], &picture->bytes, error);
    if (status != VT_OK)
        return status;
    vt_hash hash = vt_hash_of(picture->bytes.data, picture->bytes.length);
    if (memcmp(&hash, &picture->picture.hash, sizeof hash) != 0)
        return vt_fail(error, VT_ERR_MISMATCH, "read picture: it changed while it was being read");
    return VT_OK;
}

static vt_status product_build_picture(product_work *work, size_t i, vt_error *error)
{
    const vt_worker_setting *setting = work->worker->setting;
    picture_work *picture = &work->pictures[i];
    vt_image *image = &work->batch[work->batch_count];
    bool store_failed = false;
    vt_error why;
    picture->vector = vt_arena_array(&work->job->arena, setting->encoder.dim, sizeof(float));
    if (!picture->vector)
        return product_no_memory(error);
    vt_status status = product_reuse(work, i, error);
    if (status != VT_OK || picture->usable)
        return status;
    status = product_read_again(work, i, &why);
    if (status == VT_OK)
        status = vt_picture_prepare(setting, &picture->bytes, &picture->picture, image,
                                    &store_failed, &why);
    vt_buf_deinit(&picture->bytes);
    if (store_failed) {
        *error = why;
        return status;
    }
    if (status != VT_OK)
        return product_note(work, i, &why, error);
    work->batch_index[work->batch_count++] = i;
    work->batch_bytes += 3 * (size_t)image->width * (size_t)image->height;
    if (work->batch_count == BATCH_PICTURES || work->batch_bytes >= BATCH_BYTES)
        return product_embed(work, error);
    return VT_OK;
}

static vt_status product_build(product_work *work, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < work->job->row.image_count; i++) {
        work->pictures[i].picture.source = work->job->row.images[i];
        if (work->pictures[i].read)
            status = product_build_picture(work, i, error);
    }
    return status == VT_OK ? product_embed(work, error) : status;
}

/* ---- the whole ---- */

/* Gathers the usable pictures, and says what the job has become. */
static vt_status product_finish(product_work *work, const vt_hash *stored_content, vt_error *error)
{
    vt_job *job = work->job;
    vt_product *product = &job->row.product;
    bool incomplete = false;
    size_t count = 0;
    vt_picture *pictures = vt_arena_array(&job->arena, job->row.image_count, sizeof *pictures);
    if (!pictures)
        return product_no_memory(error);
    for (size_t i = 0; i < job->row.image_count; i++) {
        if (work->pictures[i].usable)
            pictures[count++] = work->pictures[i].picture;
        else if (work->pictures[i].read)
            incomplete = true;
    }
    product->pictures = pictures;
    product->picture_count = count;
    vt_content_mark(&product->content, incomplete);
    bool same = stored_content && vt_content_equal(stored_content, &product->content);
    if (count == 0)
        job->outcome = VT_JOB_NO_PICTURE;
    else if (same && incomplete && count == work->stored.picture_count)
        job->outcome = VT_JOB_UNCHANGED;
    else
        job->outcome = VT_JOB_READY;
    return VT_OK;
}

static vt_status product_run(product_work *work, vt_error *error)
{
    const vt_worker_setting *setting = work->worker->setting;
    vt_job *job = work->job;
    size_t readable = 0, count = job->row.image_count;
    vt_hash stored_content;
    work->pictures = vt_arena_array(&job->arena, count, sizeof *work->pictures);
    job->notes = vt_arena_array(&job->arena, count, sizeof *job->notes);
    if (!work->pictures || !job->notes)
        return product_no_memory(error);
    vt_status status = product_read(work, &readable, error);
    if (status != VT_OK)
        return status;
    if (readable == 0) {
        job->outcome = VT_JOB_NO_PICTURE;
        return VT_OK;
    }
    status = product_content(work, error);
    if (status != VT_OK)
        return status;
    vt_status stored = vt_store_content(setting->store, setting->model, job->row.product.id,
                                        &stored_content, error);
    if (stored != VT_OK && stored != VT_ERR_NOT_FOUND)
        return stored;
    if (stored == VT_OK && !vt_content_is_marked(&stored_content) &&
        vt_content_equal(&stored_content, &job->row.product.content)) {
        job->outcome = VT_JOB_UNCHANGED;
        return VT_OK;
    }
    status = product_look_back(work, error);
    if (status == VT_OK)
        status = product_build(work, error);
    if (status == VT_OK)
        status = product_finish(work, stored == VT_OK ? &stored_content : NULL, error);
    return status;
}

void vt_worker_process(vt_worker *worker, vt_job *job)
{
    product_work work = {.worker = worker, .job = job};
    vt_status status = product_run(&work, &job->error);
    for (size_t i = 0; work.pictures && i < job->row.image_count; i++)
        vt_buf_deinit(&work.pictures[i].bytes);
    for (size_t k = 0; k < work.batch_count; k++)
        vt_image_deinit(&work.batch[k]);
    if (status != VT_OK)
        job->outcome = VT_JOB_FAILED;
}

void vt_worker_deinit(vt_worker *worker)
{
    vt_fetcher_free(worker->fetcher);
    worker->fetcher = NULL;
}
