/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One product at a time, and what a service needs besides: the encoder loaded beforehand, single
 * vectors.
 *
 * Method: as an import does it. Pictures whose bytes the stored version has keep their vectors;
 * others are decoded, hashed perceptually, given a thumbnail and embedded. Everything becomes
 * visible with one transaction. When the shop changes its encoder in the middle of it, the store
 * refuses the vectors of the old one, and all is made again with the new one.
 */
#include "shop/shop.h"

#include "base/file.h"
#include "ingest/job.h"

#include <string.h>

enum { PUT_BYTES = 256 << 20, PUT_PICTURES = 64 };

typedef struct put_work {
    vt_shop *shop;
    vt_searcher searcher;
    vt_arena arena;
    vt_product stored; /* no id: there is none */
    bool add;          /* photos come behind the stored pictures */
    vt_feed_row row;   /* row.product: what is to be stored */
    vt_picture *pictures;
    const vt_hash **hashes;
} put_work;

vt_status vt_shop_warm(vt_shop *shop, vt_error *error)
{
    vt_searcher searcher;
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = vt_shop_need_searcher(shop, &searcher, error);
    vt_shop_leave(shop);
    return status;
}

void vt_shop_limit_pixels(vt_shop *shop, uint64_t pixels)
{
    shop->maximum_pixels = pixels;
}

vt_status vt_shop_change(vt_shop *shop, uint64_t *out, vt_error *error)
{
    return vt_store_change(shop->store, out, error);
}

/* Inside vt_shop_enter. */
static vt_status embed_inside(vt_shop *shop, const vt_photo *photos, size_t count, float **vectors,
                              size_t *dimension, vt_error *error)
{
    vt_searcher searcher;
    size_t dim = shop->settings.dimension, bytes = 0;
    vt_status status = vt_shop_need_searcher(shop, &searcher, error);
    if (status != VT_OK)
        return status;
    float *made = vt_size_mul(dim, sizeof(*made), &bytes) ? vt_alloc_array(count, bytes) : NULL;
    if (made == NULL)
        return vt_fail_memory(error, "vectors");
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        status = vt_search_embed(&searcher, &photos[i], (vt_rect){0}, made + i * dim, NULL, error);
        if (status != VT_OK)
            status = vt_fail_context(error, status, "picture %zu", i + 1);
    }
    if (status != VT_OK) {
        vt_free(made);
        return status;
    }
    *vectors = made;
    *dimension = dim;
    return VT_OK;
}

vt_status vt_shop_embed(vt_shop *shop, const vt_photo *photos, size_t count, float **vectors,
                        size_t *dimension, vt_error *error)
{
    if (count == 0)
        return vt_fail(error, VT_ERR_USAGE, "embed: no photo was given");
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = embed_inside(shop, photos, count, vectors, dimension, error);
    vt_shop_leave(shop);
    return status;
}

/* ---- pictures ---- */

static float *new_vector(put_work *work)
{
    size_t dim = vt_encoder_info_of(work->searcher.encoder).dim;
    return vt_arena_array(&work->arena, dim, sizeof(float));
}

/* The stored picture with these bytes; *found: it has a vector too. */
static vt_status reuse(put_work *work, const vt_hash *hash, vt_picture *out, bool *found,
                       vt_error *error)
{
    *found = false;
    for (size_t i = 0; i < work->stored.picture_count; i++) {
        const vt_picture *old = &work->stored.pictures[i];
        if (memcmp(&old->hash, hash, sizeof(*hash)) != 0)
            continue;
        float *vector = new_vector(work);
        if (vector == NULL)
            return vt_fail_memory(error, "a product");
        vt_status status =
            vt_store_vector(work->shop->store, work->shop->model, old->key, vector, error);
        if (status != VT_OK)
            return status == VT_ERR_NOT_FOUND ? VT_OK : status;
        *out = *old;
        out->key = 0;
        out->vector = vector;
        *found = true;
        return VT_OK;
    }
    return VT_OK;
}

static vt_status read_photo(const vt_photo *photo, const vt_decode_options *limits, vt_buf *bytes,
                            vt_error *error)
{
    if (photo->path != NULL)
        return vt_file_read(photo->path, limits->maximum_bytes, bytes, error);
    if (photo->length > limits->maximum_bytes)
        return vt_fail(error, VT_ERR_LIMIT, "a picture has %zu bytes, at most %zu may be",
                       photo->length, limits->maximum_bytes);
    if (!vt_buf_append(bytes, photo->bytes, photo->length))
        return vt_fail_memory(error, "a picture");
    return VT_OK;
}

static vt_status embed(put_work *work, const vt_buf *bytes, const vt_decode_options *decode,
                       vt_picture *picture, vt_error *error)
{
    vt_ingest_options options = vt_ingest_options_defaults();
    vt_worker_setting setting = {.store = work->shop->store,
                                 .model = work->shop->model,
                                 .encoder = vt_encoder_info_of(work->searcher.encoder),
                                 .batcher = work->searcher.batcher,
                                 .options = &options,
                                 .decode = *decode};
    vt_image image = {0};
    bool store_failed = false;
    float *vector = new_vector(work);
    if (vector == NULL)
        return vt_fail_memory(error, "a product");
    vt_status status = vt_picture_prepare(&setting, bytes, picture, &image, &store_failed, error);
    if (status == VT_OK)
        status = vt_batcher_embed(work->searcher.batcher, &image, 1, vector, error);
    vt_image_deinit(&image);
    picture->vector = vector;
    return status;
}

static vt_status add_photo(put_work *work, const vt_photo *photo, vt_picture *out, vt_error *error)
{
    vt_encoder_info encoder = vt_encoder_info_of(work->searcher.encoder);
    vt_ingest_options options = vt_ingest_options_defaults();
    vt_decode_options decode = vt_decode_options_defaults();
    char hex[VT_HASH_HEX];
    bool found = false;
    vt_buf bytes;
    /* What the thumbnail needs, and the encoder. */
    decode.fit_width =
        encoder.fit_width > options.thumbnail_px ? encoder.fit_width : options.thumbnail_px;
    decode.fit_height =
        encoder.fit_height > options.thumbnail_px ? encoder.fit_height : options.thumbnail_px;
    if (work->shop->maximum_pixels > 0)
        decode.maximum_pixels = work->shop->maximum_pixels;
    vt_buf_init(&bytes, decode.maximum_bytes);
    vt_status status = read_photo(photo, &decode, &bytes, error);
    if (status == VT_OK) {
        out->hash = vt_hash_of(vt_buf_text(&bytes), bytes.length);
        status = reuse(work, &out->hash, out, &found, error);
    }
    if (status == VT_OK && !found) {
        vt_hash_hex(&out->hash, hex);
        out->source = vt_arena_printf(&work->arena, "put:%s", hex);
        status = out->source == NULL ? vt_fail_memory(error, "a product")
                                     : embed(work, &bytes, &decode, out, error);
    }
    vt_buf_deinit(&bytes);
    return status;
}

static vt_status keep_stored(put_work *work, vt_error *error)
{
    for (size_t i = 0; i < work->stored.picture_count; i++) {
        bool found = false;
        vt_status status =
            reuse(work, &work->stored.pictures[i].hash, &work->pictures[i], &found, error);
        if (status != VT_OK)
            return status;
        if (!found)
            return vt_fail(error, VT_ERR_MISMATCH,
                           "put product \"%s\": a picture of it is not embedded by this encoder",
                           work->row.product.id);
    }
    return VT_OK;
}

static bool has_picture(const put_work *work, size_t count, const vt_hash *hash)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&work->pictures[i].hash, hash, sizeof(*hash)) == 0)
            return true;
    return false;
}

/* work->pictures: room for `count`. */
static vt_status reserve(put_work *work, size_t count, vt_error *error)
{
    const char *id = work->row.product.id;
    if (count == 0)
        return vt_fail(error, VT_ERR_USAGE, "put product \"%.200s\": it has no picture", id);
    if (count > VT_STORE_MAX_PICTURES)
        return vt_fail(error, VT_ERR_LIMIT, "put product \"%.200s\": more than %d pictures", id,
                       VT_STORE_MAX_PICTURES);
    work->pictures = vt_arena_array(&work->arena, count, sizeof(*work->pictures));
    work->hashes = vt_arena_array(&work->arena, count, sizeof(*work->hashes));
    work->row.images = vt_arena_array(&work->arena, count, sizeof(*work->row.images));
    if (work->pictures == NULL || work->hashes == NULL || work->row.images == NULL)
        return vt_fail_memory(error, "a product");
    return VT_OK;
}

static vt_status make_pictures(put_work *work, const vt_photo *photos, size_t photo_count,
                               vt_error *error)
{
    bool keep = work->add || photo_count == 0;
    size_t count = keep ? work->stored.picture_count : 0;
    if (photo_count > PUT_PICTURES)
        return vt_fail(error, VT_ERR_LIMIT, "put product \"%.200s\": more than %d pictures",
                       work->row.product.id, PUT_PICTURES);
    vt_status status = reserve(work, count + photo_count, error);
    if (status == VT_OK && keep)
        status = keep_stored(work, error);
    for (size_t i = 0; status == VT_OK && i < photo_count; i++) {
        status = add_photo(work, &photos[i], &work->pictures[count], error);
        if (status != VT_OK)
            return vt_fail_context(error, status, "picture %zu", i + 1);
        count += !has_picture(work, count, &work->pictures[count].hash);
    }
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        work->hashes[i] = &work->pictures[i].hash;
        work->row.images[i] = work->pictures[i].source;
    }
    work->row.image_count = count;
    work->row.product.pictures = work->pictures;
    work->row.product.picture_count = count;
    return status;
}

/* ---- the whole ---- */

static vt_status put(put_work *work, const vt_photo *photos, size_t photo_count, vt_error *error)
{
    vt_product *product = &work->row.product;
    vt_status status =
        vt_store_get(work->shop->store, product->id, &work->arena, &work->stored, error);
    if (status == VT_ERR_NOT_FOUND && !work->add)
        work->stored = (vt_product){0};
    else if (status != VT_OK)
        return status;
    if (work->add)
        *product = work->stored;
    status = make_pictures(work, photos, photo_count, error);
    if (status != VT_OK)
        return status;
    product->key = 0;
    product->content = vt_content_of(&work->row, work->hashes);
    /* Not between the moment in which a promotion finds that no picture lacks a vector of the new
     * encoder and its switch. */
    pthread_mutex_lock(&work->shop->writing_turn);
    status = vt_store_put(work->shop->store, work->shop->model, product, error);
    pthread_mutex_unlock(&work->shop->writing_turn);
    return status;
}

/* Inside vt_shop_enter. *work is as it was given, but for what is to be stored. */
static vt_status run_inside(put_work *work, const vt_photo *photos, size_t photo_count,
                            vt_error *error)
{
    vt_status status = vt_shop_need_searcher(work->shop, &work->searcher, error);
    if (status != VT_OK)
        return status;
    vt_arena_init(&work->arena, PUT_BYTES);
    status = put(work, photos, photo_count, error);
    vt_arena_deinit(&work->arena);
    return status;
}

static vt_status run(put_work *work, const vt_photo *photos, size_t photo_count, vt_error *error)
{
    const put_work given = *work;
    if (!work->shop->writing)
        return vt_fail(error, VT_ERR_DENIED,
                       "put product \"%.200s\": the shop is open for reading only",
                       work->row.product.id);
    for (int retry = 0;; retry++) {
        uint32_t model = 0;
        vt_status status = vt_shop_enter(work->shop, &model, error);
        if (status != VT_OK)
            return status;
        *work = given;
        status = run_inside(work, photos, photo_count, error);
        vt_shop_leave(work->shop);
        if (status == VT_OK || retry == VT_SHOP_RETRIES || !vt_shop_has_moved(work->shop, model))
            return status;
    }
}

vt_status vt_shop_put(vt_shop *shop, const vt_product *product, const vt_photo *photos,
                      size_t photo_count, bool *created, vt_error *error)
{
    put_work work = {.shop = shop, .row = {.product = *product}};
    vt_status status = run(&work, photos, photo_count, error);
    if (status == VT_OK && created != NULL)
        *created = work.stored.id == NULL;
    return status;
}

vt_status vt_shop_add_photos(vt_shop *shop, const char *product, const vt_photo *photos,
                             size_t photo_count, vt_error *error)
{
    put_work work = {.shop = shop, .add = true, .row = {.product = {.id = product}}};
    return run(&work, photos, photo_count, error);
}
