/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures of a shop to vectors of its new encoder.
 *
 * A shop keeps no originals. Where the feed's pictures are still found below the images directory,
 * with the bytes that were imported, they are decoded as an import would; otherwise the thumbnail
 * is (256 px at the longer side, JPEG), which an encoder of a larger input sees blurred.
 *
 * Method: batches, each embedded by all cores without any lock and then stored in one transaction.
 * Which pictures are missing is asked of the store again and again until it has none, so that it
 * does not matter what else was written meanwhile, or where an earlier promotion ended.
 */
#include "shop/promote.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

enum { SCRATCH_BYTES = 64 << 20 };

/* ---- pixels ---- */

static bool load_original(const vt_promotion *p, const vt_promote_picture *picture,
                          const vt_decode_options *how, vt_image *out)
{
    const char *root = p->options->images_dir;
    char *path = NULL;
    vt_buf bytes;
    if (root == NULL || picture->source == NULL || strstr(picture->source, "://") != NULL ||
        vt_path_inside(root, picture->source, &path, NULL) != VT_OK)
        return false;
    vt_buf_init(&bytes, how->maximum_bytes);
    bool good = vt_file_read(path, how->maximum_bytes, &bytes, NULL) == VT_OK;
    if (good) {
        vt_hash hash = vt_hash_of(bytes.data, bytes.length);
        good = memcmp(&hash, &picture->hash, sizeof(hash)) == 0 &&
               vt_image_decode(bytes.data, bytes.length, how, out, NULL) == VT_OK;
    }
    vt_buf_deinit(&bytes);
    vt_free(path);
    return good;
}

vt_status vt_promote_load(const vt_promotion *p, const vt_promote_picture *picture,
                          const vt_decode_options *how, vt_image *out, bool *original,
                          vt_error *error)
{
    vt_buf jpeg;
    bool found = load_original(p, picture, how, out);
    if (original != NULL)
        *original = found;
    if (found)
        return VT_OK;
    vt_buf_init(&jpeg, how->maximum_bytes);
    vt_status status = vt_store_get_thumb(p->shop->store, &picture->hash, &jpeg, error);
    if (status == VT_OK)
        status = vt_image_decode(jpeg.data, jpeg.length, how, out, error);
    vt_buf_deinit(&jpeg);
    return status;
}

/* ---- a batch ---- */

typedef struct embed_work {
    const vt_promotion *p;
    const vt_promote_picture *pictures;
    float *vectors;
    size_t dim;
    vt_decode_options decode;
    vt_error errors[VT_PROMOTE_BATCH];
    bool fatal[VT_PROMOTE_BATCH]; /* says nothing about the picture */
    bool originals[VT_PROMOTE_BATCH];
} embed_work;

static void embed_one(void *context, size_t index)
{
    embed_work *work = context;
    vt_error *error = &work->errors[index];
    vt_image image = {0};
    error->status = vt_promote_load(work->p, &work->pictures[index], &work->decode, &image,
                                    &work->originals[index], error);
    work->fatal[index] = error->status == VT_ERR_NO_MEMORY;
    if (error->status == VT_OK) {
        error->status =
            vt_batcher_embed(work->p->batcher, &image, 1, work->vectors + index * work->dim, error);
        /* Of a picture is only that its vector is zero or not finite. */
        work->fatal[index] = error->status != VT_OK && error->status != VT_ERR_MISMATCH;
    }
    vt_image_deinit(&image);
}

static vt_status collect(vt_promotion *p, const embed_work *work, size_t count, bool *good,
                         vt_error *error)
{
    vt_promote_report *report = p->report;
    vt_status status = VT_OK;
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        const vt_error *one = &work->errors[i];
        good[i] = one->status == VT_OK;
        if (work->fatal[i])
            status = vt_fail(error, one->status, "%s", one->message);
        else if (!good[i] && !vt_idset_has(p->failed, work->pictures[i].key)) {
            if (report->failed++ == 0)
                snprintf(report->first_failure, sizeof(report->first_failure), "%.255s",
                         one->message);
            status = vt_idset_add(p->failed, work->pictures[i].key, error);
        } else if (good[i]) {
            report->embedded++;
            report->originals += work->originals[i];
        }
    }
    return status;
}

vt_status vt_promote_embed(vt_promotion *p, const vt_promote_picture *pictures, size_t count,
                           float *vectors, bool *good, vt_error *error)
{
    vt_encoder_info info = vt_encoder_info_of(p->encoder);
    embed_work *work = vt_calloc(1, sizeof(*work));
    if (work == NULL)
        return vt_fail_memory(error, "a batch of pictures");
    work->p = p;
    work->pictures = pictures;
    work->vectors = vectors;
    work->dim = info.dim;
    work->decode = vt_decode_options_defaults();
    work->decode.fit_width = info.fit_width;
    work->decode.fit_height = info.fit_height;
    vt_pool_for(p->pool, count, embed_one, work);
    vt_status status = collect(p, work, count, good, error);
    vt_free(work);
    return status;
}

vt_status vt_promote_store(vt_promotion *p, const vt_promote_picture *pictures, size_t count,
                           const float *vectors, const bool *good, vt_error *error)
{
    vt_picture_vector rows[VT_PROMOTE_BATCH];
    size_t row_count = 0, dim = vt_encoder_info_of(p->encoder).dim;
    for (size_t i = 0; i < count; i++)
        if (good[i])
            rows[row_count++] = (vt_picture_vector){pictures[i].key, vectors + i * dim};
    if (row_count == 0)
        return VT_OK;
    bool held = p->writer != NULL;
    vt_status status = held ? VT_OK : vt_promote_writer_take(p, error);
    if (status == VT_OK)
        status = vt_store_put_vectors(p->writer, p->to, rows, row_count, error);
    if (!held)
        vt_promote_writer_give(p);
    return status;
}

/* ---- all that is missing ---- */

typedef struct missing_batch {
    const vt_promotion *p;
    vt_arena arena; /* of the sources */
    vt_promote_picture pictures[VT_PROMOTE_BATCH];
    size_t count;
    uint32_t last;  /* key; 0: there was none */
    float *vectors; /* (VT_PROMOTE_BATCH, dim) */
    bool good[VT_PROMOTE_BATCH];
} missing_batch;

static vt_status add_missing(void *context, const char *product_id, uint32_t product,
                             const vt_picture *picture, vt_error *error)
{
    missing_batch *batch = context;
    (void)product_id;
    (void)product;
    batch->last = picture->key;
    if (vt_idset_has(batch->p->failed, picture->key))
        return VT_OK;
    char *source = picture->source != NULL ? vt_arena_strdup(&batch->arena, picture->source) : NULL;
    if (picture->source != NULL && source == NULL)
        return vt_fail_memory(error, "the pictures of a shop");
    batch->pictures[batch->count++] = (vt_promote_picture){picture->key, picture->hash, source};
    return VT_OK;
}

/* The next batch above *after, which becomes its last key; count 0 at the end. */
static vt_status next_batch(vt_promotion *p, missing_batch *batch, uint32_t *after, vt_error *error)
{
    do {
        const vt_store_missing which = {p->to, *after, VT_PROMOTE_BATCH};
        vt_arena_reset(&batch->arena);
        batch->count = 0;
        batch->last = 0;
        vt_status status = vt_store_each_missing(p->shop->store, &which, add_missing, batch, error);
        if (status != VT_OK)
            return status;
        if (batch->last != 0)
            *after = batch->last;
    } while (batch->count == 0 && batch->last != 0); /* all of them had failed before */
    return VT_OK;
}

static vt_status fill(vt_promotion *p, missing_batch *batch, size_t limit, bool *left,
                      vt_error *error)
{
    uint32_t after = 0;
    size_t filled = 0;
    bool found = false;
    for (;;) {
        vt_status status = next_batch(p, batch, &after, error);
        if (status != VT_OK)
            return status;
        /* What came below `after` meanwhile is found by another pass. */
        if (batch->count == 0 && !found)
            break;
        if (batch->count == 0) {
            after = 0;
            found = false;
            continue;
        }
        if (filled + batch->count > limit) {
            *left = true;
            return VT_OK;
        }
        found = true;
        filled += batch->count;
        status =
            vt_promote_embed(p, batch->pictures, batch->count, batch->vectors, batch->good, error);
        if (status == VT_OK)
            status = vt_promote_store(p, batch->pictures, batch->count, batch->vectors, batch->good,
                                      error);
        p->done += batch->count;
        if (status == VT_OK)
            status = vt_promote_tell(p, p->done, p->done > p->total ? p->done : p->total, error);
        if (status != VT_OK)
            return status;
    }
    *left = false;
    return VT_OK;
}

vt_status vt_promote_fill(vt_promotion *p, size_t limit, bool *left, vt_error *error)
{
    missing_batch *batch = vt_calloc(1, sizeof(*batch));
    if (batch == NULL)
        return vt_fail_memory(error, "a batch of pictures");
    batch->p = p;
    vt_arena_init(&batch->arena, SCRATCH_BYTES);
    batch->vectors =
        vt_calloc(VT_PROMOTE_BATCH, vt_encoder_info_of(p->encoder).dim * sizeof(float));
    vt_status status = batch->vectors == NULL ? vt_fail_memory(error, "a batch of pictures")
                                              : fill(p, batch, limit, left, error);
    vt_free(batch->vectors);
    vt_arena_deinit(&batch->arena);
    vt_free(batch);
    return status;
}
