/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shop's life: init, open, close; its products one by one; what it holds.
 *
 * Order: settings, then store, then (when first needed) encoder, batcher, pool. Closing goes back.
 */
#include "shop/shop.h"

#include "base/file.h"
#include "store/event_log.h"

#include <string.h>

enum { PRODUCT_BYTES = 64 << 20, CATEGORY_BYTES = 256 << 20 };

vt_status vt_shop_open(const char *directory, vt_open_mode mode, vt_shop **out, vt_error *error)
{
    vt_shop *shop = vt_calloc(1, sizeof(*shop));
    if (shop == NULL)
        return vt_fail_memory(error, "a shop");
    pthread_mutex_init(&shop->lock, NULL);
    pthread_mutex_init(&shop->writing_turn, NULL);
    pthread_mutex_init(&shop->pairs_lock, NULL);
    pthread_rwlock_init(&shop->use, NULL);
    vt_arena_init(&shop->category_arena, CATEGORY_BYTES);
    shop->directory = vt_strdup(directory);
    vt_status status = shop->directory == NULL
                           ? vt_fail_memory(error, "a shop")
                           : vt_settings_read(directory, &shop->settings, error);
    shop->writing = mode == VT_OPEN_WRITE;
    shop->precision = shop->settings.precision;
    if (status == VT_OK)
        status = vt_store_open(directory, mode == VT_OPEN_WRITE ? VT_STORE_WRITE : VT_STORE_READ,
                               &shop->store, error);
    if (status == VT_OK)
        status = vt_shop_settle(shop, error);
    if (status != VT_OK) {
        vt_shop_close(shop);
        return status;
    }
    *out = shop;
    return VT_OK;
}

void vt_shop_close(vt_shop *shop)
{
    if (shop == NULL)
        return;
    vt_pool_free(shop->pool);
    vt_batcher_free(shop->batcher);
    vt_encoder_free(shop->encoder);
    vt_event_log_close(shop->events);
    vt_store_close(shop->store);
    vt_pairs_found_free(shop->pairs);
    vt_arena_deinit(&shop->category_arena);
    vt_free(shop->categories);
    vt_free(shop->directory);
    pthread_rwlock_destroy(&shop->use);
    pthread_mutex_destroy(&shop->pairs_lock);
    pthread_mutex_destroy(&shop->writing_turn);
    pthread_mutex_destroy(&shop->lock);
    vt_free(shop);
}

static vt_status open_encoder(const vt_shop *shop, vt_encoder **out, vt_error *error)
{
    vt_encoder_options options = vt_precision_options(&shop->settings, shop->precision);
    if (vt_text_equal(shop->settings.source, "classic"))
        return vt_encoder_open("classic", &options, out, error);
    char *path = NULL;
    vt_status status = vt_path_inside(shop->directory, shop->settings.source, &path, error);
    if (status == VT_OK)
        status = vt_encoder_open(path, &options, out, error);
    vt_free(path);
    return status;
}

/* Called with the lock held. */
static vt_status load_encoder(vt_shop *shop, vt_error *error)
{
    vt_settings *settings = &shop->settings;
    vt_encoder *encoder = NULL;
    vt_status status = open_encoder(shop, &encoder, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "open the encoder of shop \"%s\"", shop->directory);
    vt_encoder_info info = vt_encoder_info_of(encoder);
    if (memcmp(&info.fingerprint, &settings->fingerprint, sizeof(info.fingerprint)) != 0)
        status = vt_fail(error, VT_ERR_MISMATCH,
                         "open the encoder of shop \"%s\": \"%s\" is not the one that made the "
                         "shop's vectors",
                         shop->directory, settings->source);
    else if (info.dim != settings->dimension)
        status = vt_fail(error, VT_ERR_CORRUPT,
                         "open the encoder of shop \"%s\": it gives %zu numbers, vitrine.json says "
                         "%zu",
                         shop->directory, info.dim, settings->dimension);
    if (status == VT_OK && shop->writing && shop->precision == VT_PRECISION_AUTO &&
        vt_precision_note(settings, encoder))
        status = vt_settings_write(shop->directory, settings, error);
    if (status != VT_OK) {
        vt_encoder_free(encoder);
        return status;
    }
    shop->encoder = encoder;
    return VT_OK;
}

vt_status vt_shop_need_encoder(vt_shop *shop, vt_error *error)
{
    pthread_mutex_lock(&shop->lock);
    vt_status status = shop->encoder != NULL ? VT_OK : load_encoder(shop, error);
    pthread_mutex_unlock(&shop->lock);
    return status;
}

vt_status vt_shop_need_searcher(vt_shop *shop, vt_searcher *out, vt_error *error)
{
    pthread_mutex_lock(&shop->lock);
    vt_status status = shop->encoder != NULL ? VT_OK : load_encoder(shop, error);
    if (status == VT_OK && shop->pool == NULL)
        status = vt_pool_new(0, &shop->pool, error);
    if (status == VT_OK && shop->batcher == NULL) {
        vt_batcher_options options = vt_batcher_options_defaults();
        status = vt_batcher_new(shop->encoder, &options, &shop->batcher, error);
    }
    if (status == VT_OK)
        *out = (vt_searcher){.store = shop->store,
                             .model = shop->model,
                             .dim = shop->settings.dimension,
                             .maximum_pixels = shop->maximum_pixels,
                             .encoder = shop->encoder,
                             .batcher = shop->batcher,
                             .pool = shop->pool};
    pthread_mutex_unlock(&shop->lock);
    return status;
}

vt_status vt_shop_need_scanner(vt_shop *shop, vt_searcher *out, vt_error *error)
{
    pthread_mutex_lock(&shop->lock);
    vt_status status = shop->pool != NULL ? VT_OK : vt_pool_new(0, &shop->pool, error);
    if (status == VT_OK)
        *out = (vt_searcher){.store = shop->store,
                             .model = shop->model,
                             .dim = shop->settings.dimension,
                             .pool = shop->pool};
    pthread_mutex_unlock(&shop->lock);
    return status;
}

/* ---- products ---- */

/* What vt_shop_get hands out. */
typedef struct product_block {
    vt_product product; /* first: the caller holds a pointer to it */
    vt_arena arena;
} product_block;

vt_status vt_shop_get(vt_shop *shop, const char *product, vt_product **out, vt_error *error)
{
    product_block *block = vt_calloc(1, sizeof(*block));
    if (block == NULL)
        return vt_fail_memory(error, "a product");
    vt_arena_init(&block->arena, PRODUCT_BYTES);
    vt_status status = vt_store_get(shop->store, product, &block->arena, &block->product, error);
    if (status != VT_OK) {
        vt_product_free(&block->product);
        return status;
    }
    *out = &block->product;
    return VT_OK;
}

void vt_product_free(vt_product *product)
{
    if (product == NULL)
        return;
    product_block *block = (product_block *)product;
    vt_arena_deinit(&block->arena);
    vt_free(block);
}

vt_status vt_shop_remove(vt_shop *shop, const char *product, vt_error *error)
{
    return vt_store_remove(shop->store, product, error);
}

vt_status vt_shop_check(vt_shop *shop, vt_error *error)
{
    vt_status status = vt_store_check(shop->store, error);
    return status != VT_OK ? status : vt_store_check_postings(shop->store, error);
}

vt_status vt_shop_thumbnail(vt_shop *shop, const vt_hash *hash, void **jpeg, size_t *length,
                            vt_error *error)
{
    vt_buf bytes;
    vt_buf_init(&bytes, PRODUCT_BYTES);
    vt_status status = vt_store_get_thumb(shop->store, hash, &bytes, error);
    if (status == VT_OK) {
        size_t taken = bytes.length;
        void *memory = vt_buf_take(&bytes, NULL);
        if (memory == NULL) {
            status = vt_fail_memory(error, "a thumbnail");
        } else {
            *jpeg = memory;
            *length = taken;
        }
    }
    vt_buf_deinit(&bytes);
    return status;
}

/* ---- info ---- */

typedef struct category_list {
    vt_shop *shop;
    size_t count, capacity;
} category_list;

static vt_status add_category(void *context, const char *category, uint64_t products,
                              vt_error *error)
{
    category_list *list = context;
    vt_shop *shop = list->shop;
    char *name = vt_arena_strdup(&shop->category_arena, category);
    if (name == NULL || !vt_grow((void **)&shop->categories, &list->capacity, list->count + 1,
                                 sizeof(*shop->categories), 1 << 24))
        return vt_fail_memory(error, "the list of categories");
    shop->categories[list->count++] = (struct vt_category_count){name, products};
    return VT_OK;
}

/* Texts are copied: they would change under the reader when another encoder comes. */
static vt_status gather_encoder(vt_shop *shop, vt_shop_info *info, vt_error *error)
{
    const vt_settings *settings = &shop->settings;
    pthread_mutex_lock(&shop->lock); /* loading the encoder notes what it finds out */
    info->dimension = settings->dimension;
    info->precision = vt_precision_name(settings->precision);
    info->auto_similarity = settings->verdict.similarity;
    if (settings->machine[0] != '\0')
        info->auto_precision = vt_precision_name(settings->verdict.precision);
    vt_hash_hex(&settings->fingerprint, info->model_fingerprint);
    info->model = vt_arena_strdup(&shop->category_arena, settings->name);
    info->auto_refused = vt_arena_strdup(&shop->category_arena, settings->verdict.refused);
    info->auto_machine = vt_arena_strdup(&shop->category_arena, settings->machine);
    pthread_mutex_unlock(&shop->lock);
    if (info->model == NULL || info->auto_refused == NULL || info->auto_machine == NULL)
        return vt_fail_memory(error, "what a shop is");
    return VT_OK;
}

static vt_status gather_info(vt_shop *shop, vt_shop_info *out, vt_error *error)
{
    vt_store_stats stats = {0};
    vt_status status = vt_store_stats_of(shop->store, shop->model, &stats, error);
    if (status != VT_OK)
        return status;
    vt_arena_reset(&shop->category_arena);
    vt_free(shop->categories);
    shop->categories = NULL;
    category_list list = {.shop = shop};
    status = vt_store_each_category(shop->store, add_category, &list, error);
    if (status != VT_OK)
        return status;
    vt_shop_info info = {.products = stats.products,
                         .pictures = stats.pictures,
                         .vectors = stats.vectors,
                         .change = stats.change,
                         .database_bytes = stats.database_bytes,
                         .directory = shop->directory,
                         .driver = stats.driver,
                         .version = vt_version(),
                         .categories = shop->categories,
                         .category_count = list.count};
    status = gather_encoder(shop, &info, error);
    if (status == VT_OK)
        *out = info;
    return status;
}

vt_status vt_shop_info_of(vt_shop *shop, vt_shop_info *out, vt_error *error)
{
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status != VT_OK)
        return status;
    status = gather_info(shop, out, error);
    vt_shop_leave(shop);
    return status;
}
