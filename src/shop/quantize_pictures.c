/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pictures that an encoder is quantised with: those below a folder, or a shop's thumbnails (a
 * shop keeps no originals), an even and always the same choice of them.
 *
 * To measure with, other pictures are taken than to calibrate with where there are enough. In a
 * shop each query's product is sought among products: queries are the photos of a list, or the last
 * picture of products that have several, which is then not among what is searched.
 */
#include "shop/quantize.h"

#include "base/file.h"
#include "ingest/ingest.h"
#include "ingest/queries.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 64,
    JOBS_PER_CORE = 2,
    MAXIMUM_PICTURES = 10000000,
    MAXIMUM_GALLERY = 4096, /* pictures that queries are sought in */
};
#define SET_BYTES ((size_t)4 << 30)

/* ---- lists ---- */

static vt_status list_add(vt_quantize_pictures *list, const vt_quantize_picture *picture,
                          vt_error *error)
{
    if (!vt_grow((void **)&list->items, &list->capacity, list->count + 1, sizeof(*list->items),
                 MAXIMUM_PICTURES))
        return vt_fail_memory(error, "the list of pictures");
    list->items[list->count++] = *picture;
    return VT_OK;
}

/* At most `wanted` of the pictures, evenly: those at the beginning of equal parts, or (shifted) in
 * the middle. */
static vt_status list_add_evenly(vt_quantize_pictures *list, const vt_quantize_pictures *from,
                                 size_t wanted, bool shifted, vt_error *error)
{
    size_t count = from->count < wanted ? from->count : wanted;
    vt_status status = VT_OK;
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        size_t low = i * from->count / count, high = (i + 1) * from->count / count;
        status = list_add(list, &from->items[shifted ? low + (high - low) / 2 : low], error);
    }
    return status;
}

/* ---- a folder ---- */

static vt_status list_folder(vt_quantize_set *set, vt_quantize_pictures *all, vt_error *error)
{
    const char *root = set->options->calibrate;
    const vt_feed_options options = {0};
    vt_arena scratch;
    vt_feed *feed = NULL;
    vt_arena_init(&scratch, SET_BYTES);
    vt_status status = vt_feed_open(root, &options, &feed, error);
    while (status == VT_OK) {
        vt_feed_row row = {.arena = &scratch};
        vt_error reason = {0};
        vt_status next = vt_feed_next(feed, &row, &reason);
        if (next == VT_ERR_NO_MEMORY || next == VT_ERR_IO)
            status =
                vt_fail(error, next, "list the pictures of \"%.300s\": %s", root, reason.message);
        if (status != VT_OK || (next == VT_OK && row.product.id == NULL))
            break;
        for (size_t i = 0; i < row.image_count && next == VT_OK && status == VT_OK; i++) {
            vt_quantize_picture picture = {
                .path = vt_arena_printf(&set->arena, "%s/%s", root, row.images[i])};
            status = picture.path == NULL ? vt_fail_memory(error, "the list of pictures")
                                          : list_add(all, &picture, error);
        }
        vt_arena_reset(&scratch);
    }
    vt_feed_close(feed);
    vt_arena_deinit(&scratch);
    return status;
}

static vt_status open_folder(vt_quantize_set *set, vt_error *error)
{
    vt_quantize_pictures all = {0};
    size_t wanted = set->options->pictures;
    if (set->options->queries != NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "quantise with \"%.300s\": queries need a shop to be sought in",
                       set->options->calibrate);
    vt_status status = list_folder(set, &all, error);
    if (status == VT_OK)
        status = list_add_evenly(&set->calibrate, &all, wanted, false, error);
    if (status == VT_OK)
        status = list_add_evenly(&set->measure, &all, wanted, true, error);
    vt_free(all.items);
    return status;
}

/* ---- a shop ---- */

typedef struct shop_walk {
    vt_quantize_set *set;
    vt_quantize_pictures *all;
} shop_walk;

static vt_status add_thumbnail(void *context, const char *product_id, uint32_t product,
                               const vt_picture *picture, vt_error *error)
{
    shop_walk *walk = context;
    vt_quantize_picture item = {.hash = picture->hash, .product = product};
    (void)product_id;
    return vt_store_has_thumb(walk->set->shop->store, &picture->hash)
               ? list_add(walk->all, &item, error)
               : VT_OK;
}

static int by_product(const void *a, const void *b)
{
    uint32_t x = ((const vt_quantize_picture *)a)->product;
    uint32_t y = ((const vt_quantize_picture *)b)->product;
    return x < y ? -1 : x > y;
}

/* Takes the last picture of each product that has several out of `all`. Pictures of one product lie
 * together. */
static vt_status hold_out(vt_quantize_pictures *all, vt_quantize_pictures *queries, vt_error *error)
{
    size_t kept = 0;
    vt_status status = VT_OK;
    for (size_t i = 0; i < all->count && status == VT_OK; i++) {
        const vt_quantize_picture *at = &all->items[i];
        bool first = i == 0 || at[-1].product != at->product;
        bool last = i + 1 == all->count || at[1].product != at->product;
        if (last && !first)
            status = list_add(queries, at, error);
    }
    for (size_t i = 0, q = 0; i < all->count && status == VT_OK; i++) {
        bool last = i + 1 == all->count || all->items[i + 1].product != all->items[i].product;
        if (last && q < queries->count && queries->items[q].product == all->items[i].product)
            q++;
        else
            all->items[kept++] = all->items[i];
    }
    all->count = status == VT_OK ? kept : all->count;
    return status;
}

static vt_status add_query(vt_quantize_set *set, const char *root, const vt_query_row *row,
                           vt_quantize_pictures *queries, vt_error *error)
{
    vt_arena scratch;
    vt_product product = {0};
    vt_error reason = {0};
    char *path = NULL;
    vt_arena_init(&scratch, SET_BYTES);
    vt_status status = vt_store_get(set->shop->store, row->product, &scratch, &product, &reason);
    if (status == VT_OK)
        status = vt_path_inside(root, row->photo, &path, &reason);
    vt_quantize_picture picture = {.product = product.key};
    vt_arena_deinit(&scratch);
    if (status == VT_ERR_NO_MEMORY)
        return vt_fail(error, status, "%s", reason.message);
    if (status != VT_OK) {
        vt_quantize_set_note(set, &reason);
        return VT_OK;
    }
    picture.path = vt_arena_strdup(&set->arena, path);
    vt_free(path);
    return picture.path == NULL ? vt_fail_memory(error, "the queries")
                                : list_add(queries, &picture, error);
}

static vt_status read_queries(vt_quantize_set *set, vt_quantize_pictures *queries, vt_error *error)
{
    const char *list_path = set->options->queries, *root = set->options->images_dir;
    vt_queries *list = NULL;
    size_t length = (size_t)(vt_path_base(list_path) - list_path);
    char *beside = length == 0 ? vt_strdup(".") : vt_strndup(list_path, length);
    vt_status status =
        beside == NULL ? vt_fail_memory(error, "a path") : vt_queries_open(list_path, &list, error);
    while (status == VT_OK) {
        vt_query_row row = {0};
        vt_error reason = {0};
        vt_status read = vt_queries_next(list, &row, &reason);
        if (read == VT_OK && row.photo == NULL)
            break;
        if (read == VT_OK)
            status = add_query(set, root != NULL ? root : beside, &row, queries, error);
        else if (read == VT_ERR_FORMAT || read == VT_ERR_LIMIT || read == VT_ERR_USAGE)
            vt_quantize_set_note(set, &reason);
        else
            status = vt_fail(error, read, "%s", reason.message);
    }
    vt_queries_close(list);
    vt_free(beside);
    if (status == VT_OK && queries->count == 0)
        status = vt_fail(error, VT_ERR_FORMAT,
                         "quantise with \"%.200s\": no query of it is usable%s%.200s", list_path,
                         set->failed > 0 ? ": " : "", set->failed > 0 ? set->failure.message : "");
    return status;
}

static bool is_sought(const vt_quantize_set *set, uint32_t product)
{
    vt_quantize_picture key = {.product = product};
    return bsearch(&key, set->measure.items, set->query_count, sizeof(key), by_product) != NULL;
}

/* The sought products' pictures, and others evenly up to the limit. */
static vt_status add_gallery(vt_quantize_set *set, const vt_quantize_pictures *all, vt_error *error)
{
    vt_quantize_pictures others = {0};
    vt_status status = VT_OK;
    qsort(set->measure.items, set->query_count, sizeof(*set->measure.items), by_product);
    for (size_t i = 0; i < all->count && status == VT_OK; i++)
        status = list_add(is_sought(set, all->items[i].product) ? &set->measure : &others,
                          &all->items[i], error);
    size_t gallery = set->measure.count - set->query_count;
    if (status == VT_OK && gallery < MAXIMUM_GALLERY)
        status = list_add_evenly(&set->measure, &others, MAXIMUM_GALLERY - gallery, false, error);
    vt_free(others.items);
    if (status == VT_OK)
        qsort(set->measure.items + set->query_count, set->measure.count - set->query_count,
              sizeof(*set->measure.items), by_product);
    return status;
}

static vt_status open_shop(vt_quantize_set *set, vt_error *error)
{
    vt_quantize_pictures all = {0}, queries = {0};
    shop_walk walk = {set, &all};
    size_t wanted = set->options->pictures;
    vt_status status = vt_shop_open(set->options->calibrate, VT_OPEN_READ, &set->shop, error);
    if (status == VT_OK)
        status = vt_store_each_picture(set->shop->store, add_thumbnail, &walk, error);
    if (status == VT_OK && all.count > 0)
        qsort(all.items, all.count, sizeof(*all.items), by_product);
    if (status == VT_OK)
        status = list_add_evenly(&set->calibrate, &all, wanted, false, error);
    if (status == VT_OK)
        status = set->options->queries != NULL ? read_queries(set, &queries, error)
                                               : hold_out(&all, &queries, error);
    if (status == VT_OK)
        status = list_add_evenly(&set->measure, &queries, wanted, false, error);
    if (status == VT_OK) {
        set->query_count = set->measure.count;
        status = set->query_count > 0 ? add_gallery(set, &all, error)
                                      : list_add_evenly(&set->measure, &all, wanted, true, error);
    }
    vt_free(all.items);
    vt_free(queries.items);
    return status;
}

/* ---- the set ---- */

static bool is_shop(const char *directory)
{
    char *settings = vt_path_join(directory, "vitrine.json");
    bool found = settings != NULL && vt_file_exists(settings);
    vt_free(settings);
    return found;
}

vt_status vt_quantize_set_open(vt_quantize_set *set, const vt_onnx_quantize_options *options,
                               vt_error *error)
{
    *set = (vt_quantize_set){.options = options};
    vt_arena_init(&set->arena, SET_BYTES);
    if (options->calibrate == NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "quantise: a folder of pictures or a shop to calibrate with is needed");
    if (!vt_dir_exists(options->calibrate))
        return vt_fail(error, VT_ERR_NOT_FOUND,
                       "calibrate with \"%.300s\": there is no such folder", options->calibrate);
    vt_status status =
        is_shop(options->calibrate) ? open_shop(set, error) : open_folder(set, error);
    if (status == VT_OK && set->calibrate.count == 0)
        status = vt_fail(error, VT_ERR_NOT_FOUND, "calibrate with \"%.300s\": it has no pictures",
                         options->calibrate);
    return status;
}

void vt_quantize_set_close(vt_quantize_set *set)
{
    vt_shop_close(set->shop);
    vt_free(set->calibrate.items);
    vt_free(set->measure.items);
    vt_arena_deinit(&set->arena);
    *set = (vt_quantize_set){0};
}

void vt_quantize_set_note(vt_quantize_set *set, const vt_error *reason)
{
    if (set->failed++ == 0)
        set->failure = *reason;
}

vt_status vt_quantize_picture_load(const vt_quantize_set *set, const vt_quantize_picture *picture,
                                   const vt_encoder *encoder, vt_image *out, vt_error *error)
{
    vt_encoder_info info = vt_encoder_info_of(encoder);
    vt_decode_options options = vt_decode_options_defaults();
    vt_buf jpeg;
    options.fit_width = info.fit_width;
    options.fit_height = info.fit_height;
    if (picture->path != NULL)
        return vt_image_decode_file(picture->path, &options, out, error);
    vt_buf_init(&jpeg, options.maximum_bytes);
    vt_status status = vt_store_get_thumb(set->shop->store, &picture->hash, &jpeg, error);
    if (status == VT_OK)
        status = vt_image_decode(jpeg.data, jpeg.length, &options, out, error);
    vt_buf_deinit(&jpeg);
    return status;
}

/* ---- vectors ---- */

typedef struct embed_work {
    const vt_quantize_set *set;
    const vt_quantize_embedding *embedding;
    vt_batcher *batcher;
    size_t first, dim;
    vt_error errors[BLOCK];
    bool fatal[BLOCK]; /* says nothing about the picture */
} embed_work;

static void embed_one(void *context, size_t index)
{
    embed_work *work = context;
    vt_error *error = &work->errors[index];
    float *row = work->embedding->vectors + (work->first + index) * work->dim;
    vt_image image = {0};
    error->status =
        vt_quantize_picture_load(work->set, &work->set->measure.items[work->first + index],
                                 work->embedding->encoder, &image, error);
    work->fatal[index] = error->status == VT_ERR_NO_MEMORY;
    if (error->status == VT_OK) {
        error->status = vt_batcher_embed(work->batcher, &image, 1, row, error);
        /* Of a picture is only that its vector is zero or not finite. */
        work->fatal[index] = error->status != VT_OK && error->status != VT_ERR_MISMATCH;
    }
    if (error->status != VT_OK)
        memset(row, 0, work->dim * sizeof(float));
    vt_image_deinit(&image);
}

/* Pictures to calibrate with have been tried before. */
static bool is_counted(const vt_quantize_set *set, const vt_quantize_picture *picture)
{
    for (size_t i = 0; i < set->calibrate.count; i++) {
        const vt_quantize_picture *tried = &set->calibrate.items[i];
        bool same = picture->path != NULL
                        ? tried->path == picture->path
                        : tried->path == NULL &&
                              memcmp(&tried->hash, &picture->hash, sizeof(tried->hash)) == 0;
        if (same)
            return true;
    }
    return false;
}

static vt_status collect_block(embed_work *work, vt_quantize_set *set, size_t count,
                               vt_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const vt_error *one = &work->errors[i];
        bool failed = one->status != VT_OK;
        if (work->fatal[i])
            return vt_fail(error, one->status, "%s", one->message);
        if (work->embedding->failed == NULL)
            continue;
        work->embedding->failed[work->first + i] = failed;
        if (failed && !is_counted(set, &set->measure.items[work->first + i]))
            vt_quantize_set_note(set, one);
    }
    return VT_OK;
}

vt_status vt_quantize_set_embed(vt_quantize_set *set, const vt_quantize_embedding *embedding,
                                vt_error *error)
{
    const vt_onnx_quantize_options *how = set->options;
    vt_batcher_options options = vt_batcher_options_defaults();
    embed_work work = {.set = set, .embedding = embedding};
    vt_pool *pool = NULL;
    bool shown = embedding->phase != NULL && how->on_progress != NULL;
    work.dim = vt_encoder_info_of(embedding->encoder).dim;
    options.bulk = true;
    vt_status status = vt_batcher_new(embedding->encoder, &options, &work.batcher, error);
    if (status == VT_OK)
        status = vt_pool_new(vt_core_count() * JOBS_PER_CORE, &pool, error);
    if (embedding->phase != NULL && how->on_phase != NULL)
        how->on_phase(how->context, embedding->phase, "pictures");
    for (; status == VT_OK && work.first < embedding->count; work.first += BLOCK) {
        size_t left = embedding->count - work.first, count = left < BLOCK ? left : BLOCK;
        vt_pool_for(pool, count, embed_one, &work);
        status = collect_block(&work, set, count, error);
        if (status == VT_OK && shown &&
            !how->on_progress(how->context, work.first + count, embedding->count))
            status = vt_fail(error, VT_ERR_CANCELLED, "quantise: stopped");
    }
    vt_pool_free(pool);
    vt_batcher_free(work.batcher);
    return status;
}

void vt_quantize_set_drop(vt_quantize_set *set, const bool *failed, float *vectors, size_t dim)
{
    size_t kept = 0, queries = 0;
    for (size_t i = 0; i < set->measure.count; i++) {
        if (failed[i])
            continue;
        queries += i < set->query_count;
        set->measure.items[kept] = set->measure.items[i];
        memmove(vectors + kept++ * dim, vectors + i * dim, dim * sizeof(float));
    }
    set->measure.count = kept;
    set->query_count = queries;
}
