/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's front: checks what callers bring, then calls the driver.
 *
 * Method: one table of functions per driver (store_driver.h). Checks that hold for every driver are
 * made here, once, so that drivers cannot differ in them.
 */
#include "store/store_driver.h"

#include "base/status.h"

#include <math.h>
#include <string.h>

vt_status vt_store_open(const char *dir, int mode, vt_store **out, vt_error *error)
{
    if (dir == NULL || dir[0] == '\0')
        return vt_fail(error, VT_ERR_USAGE, "open shop: no directory given");
    if (mode < VT_STORE_READ || mode > (VT_STORE_WRITE | VT_STORE_CREATE | VT_STORE_BRIEF) ||
        mode == VT_STORE_BRIEF)
        return vt_fail(error, VT_ERR_USAGE, "open shop \"%s\": unknown mode %d", dir, mode);
    return vt_store_sqlite.open(dir, mode, out, error);
}

void vt_store_close(vt_store *store)
{
    if (store != NULL)
        store->driver->close(store);
}

static vt_status check_writable(const vt_store *store, const char *action, const char *item,
                                vt_error *error)
{
    if (store->writable)
        return VT_OK;
    return vt_fail(error, VT_ERR_DENIED, "%s \"%s\": the shop is open for reading only", action,
                   item);
}

static vt_status check_model(const vt_store *store, const char *name, size_t dim, vt_error *error)
{
    size_t length = __builtin_strlen(name);
    if (length > VT_STORE_MAX_ID_BYTES)
        return vt_fail(error, VT_ERR_LIMIT,
                       "store model: its name has %zu bytes, at most %d may be", length,
                       VT_STORE_MAX_ID_BYTES);
    if (!vt_utf8_valid(name, length))
        return vt_fail(error, VT_ERR_USAGE, "store model: its name is not UTF-8");
    if (dim < 1 || dim > VT_STORE_MAX_DIM)
        return vt_fail(error, VT_ERR_USAGE, "store model \"%s\": dimension %zu is not in 1..%d",
                       name, dim, VT_STORE_MAX_DIM);
    return check_writable(store, "store model", name, error);
}

vt_status vt_store_model_put(vt_store *store, const vt_hash *fingerprint, const char *name,
                             size_t dim, uint32_t *model, vt_error *error)
{
    if (name == NULL)
        name = "";
    vt_status status = check_model(store, name, dim, error);
    return status != VT_OK ? status
                           : store->driver->model_put(store, fingerprint, name, dim, model, error);
}

vt_status vt_store_model_prepare(vt_store *store, const vt_store_model *wanted, uint32_t *model,
                                 vt_error *error)
{
    vt_status status = check_model(store, wanted->name, wanted->dim, error);
    if (status == VT_OK && (wanted->source == NULL || wanted->source[0] == '\0' ||
                            !vt_utf8_valid(wanted->source, __builtin_strlen(wanted->source))))
        status = vt_fail(error, VT_ERR_USAGE, "store model \"%s\": where it lies is not UTF-8",
                         wanted->name);
    return status != VT_OK ? status : store->driver->model_prepare(store, wanted, model, error);
}

vt_status vt_store_put_vectors(vt_store *store, uint32_t model, const vt_picture_vector *rows,
                               size_t count, vt_error *error)
{
    vt_status status = check_writable(store, "store vectors in", store->dir, error);
    if (status != VT_OK || count == 0)
        return status;
    return store->driver->put_vectors(store, model, rows, count, error);
}

vt_status vt_store_model_switch(vt_store *store, const vt_store_model *from, uint32_t to,
                                vt_error *error)
{
    vt_status status = check_writable(store, "switch the model of", store->dir, error);
    if (status == VT_OK && from != NULL && from->key == to)
        status = vt_fail(error, VT_ERR_USAGE, "switch the model of \"%s\": to itself", store->dir);
    return status != VT_OK ? status : store->driver->model_switch(store, from, to, error);
}

vt_status vt_store_model_empty(vt_store *store, uint32_t model, size_t limit, uint32_t *after,
                               vt_error *error)
{
    vt_status status = check_writable(store, "remove vectors of", store->dir, error);
    if (status == VT_OK && limit == 0)
        status =
            vt_fail(error, VT_ERR_USAGE, "remove vectors of \"%s\": none at a time", store->dir);
    return status != VT_OK ? status : store->driver->model_empty(store, model, limit, after, error);
}

vt_status vt_store_each_model(vt_store *store, vt_store_visit_model *visit, void *context,
                              vt_error *error)
{
    return store->driver->each_model(store, visit, context, error);
}

vt_status vt_store_serving(vt_store *store, uint32_t *model, vt_error *error)
{
    return store->driver->serving(store, model, error);
}

vt_status vt_store_each_missing(vt_store *store, const vt_store_missing *which,
                                vt_store_visit_picture *visit, void *context, vt_error *error)
{
    return store->driver->each_missing(store, which, visit, context, error);
}

vt_status vt_store_unfound(vt_store *store, uint32_t model, vt_store_visit_id *visit, void *context,
                           vt_error *error)
{
    return store->driver->unfound(store, model, visit, context, error);
}

void vt_store_release(vt_store *store, uint32_t model)
{
    store->driver->release(store, model);
}

vt_status vt_store_model_find(vt_store *store, const vt_hash *fingerprint, uint32_t *model,
                              vt_error *error)
{
    return store->driver->model_find(store, fingerprint, model, error);
}

vt_status vt_store_put(vt_store *store, uint32_t model, const vt_product *product, vt_error *error)
{
    vt_status status = vt_store_product_check(product, error);
    if (status == VT_OK)
        status = check_writable(store, "store product", product->id, error);
    return status != VT_OK ? status : store->driver->put(store, model, product, error);
}

static vt_status check_id(const char *action, const char *id, vt_error *error)
{
    if (id == NULL || id[0] == '\0')
        return vt_fail(error, VT_ERR_USAGE, "%s: no id given", action);
    return VT_OK;
}

vt_status vt_store_remove(vt_store *store, const char *id, vt_error *error)
{
    vt_status status = check_id("remove product", id, error);
    if (status == VT_OK)
        status = check_writable(store, "remove product", id, error);
    return status != VT_OK ? status : store->driver->remove(store, id, error);
}

vt_status vt_store_get(vt_store *store, const char *id, vt_arena *arena, vt_product *out,
                       vt_error *error)
{
    vt_status status = check_id("read product", id, error);
    return status != VT_OK ? status : store->driver->get(store, id, arena, out, error);
}

vt_status vt_store_get_by_key(vt_store *store, uint32_t key, vt_arena *arena, vt_product *out,
                              vt_error *error)
{
    return store->driver->get_by_key(store, key, arena, out, error);
}

vt_status vt_store_has(vt_store *store, const char *id, bool *out, vt_error *error)
{
    vt_status status = check_id("look up product", id, error);
    return status != VT_OK ? status : store->driver->has(store, id, out, error);
}

vt_status vt_store_content(vt_store *store, uint32_t model, const char *id, vt_hash *out,
                           vt_error *error)
{
    vt_status status = check_id("look up product", id, error);
    return status != VT_OK ? status : store->driver->content(store, model, id, out, error);
}

vt_status vt_store_each(vt_store *store, vt_store_visit *visit, void *context, vt_error *error)
{
    return store->driver->each(store, visit, context, error);
}

vt_status vt_store_each_picture(vt_store *store, vt_store_visit_picture *visit, void *context,
                                vt_error *error)
{
    return store->driver->each_picture(store, visit, context, error);
}

vt_status vt_store_each_category(vt_store *store, vt_store_visit_category *visit, void *context,
                                 vt_error *error)
{
    return store->driver->each_category(store, visit, context, error);
}

/* Ids of two different products of a store that may be written. */
static vt_status check_pair(const vt_store *store, const char *action, const char *first,
                            const char *second, vt_error *error)
{
    vt_status status = check_id(action, first, error);
    if (status == VT_OK)
        status = check_id(action, second, error);
    if (status == VT_OK)
        status = check_writable(store, action, first, error);
    if (status == VT_OK && vt_text_equal(first, second))
        status = vt_fail(error, VT_ERR_USAGE, "%s \"%s\": two products are needed", action, first);
    return status;
}

vt_status vt_store_keep_pair(vt_store *store, const vt_store_pair *pair, vt_error *error)
{
    vt_status status = check_pair(store, "keep product", pair->first, pair->second, error);
    return status != VT_OK ? status : store->driver->keep_pair(store, pair, error);
}

vt_status vt_store_forget_pair(vt_store *store, const char *first, const char *second,
                               vt_error *error)
{
    vt_status status = check_pair(store, "forget of product", first, second, error);
    return status != VT_OK ? status : store->driver->forget_pair(store, first, second, error);
}

vt_status vt_store_each_kept(vt_store *store, vt_store_visit_pair *visit, void *context,
                             vt_error *error)
{
    return store->driver->each_kept(store, visit, context, error);
}

vt_status vt_store_stats_of(vt_store *store, uint32_t model, vt_store_stats *out, vt_error *error)
{
    return store->driver->stats(store, model, out, error);
}

vt_status vt_store_change(vt_store *store, uint64_t *out, vt_error *error)
{
    return store->driver->change(store, out, error);
}

vt_status vt_store_check(vt_store *store, vt_error *error)
{
    return store->driver->check(store, error);
}

vt_status vt_store_vector(vt_store *store, uint32_t model, uint32_t picture, float *out,
                          vt_error *error)
{
    return store->driver->vector(store, model, picture, out, error);
}

static vt_status check_words(const char *text, vt_error *error)
{
    size_t length = text == NULL ? 0 : strlen(text);
    if (length > VT_STORE_MAX_WORDS_BYTES)
        return vt_fail(error, VT_ERR_LIMIT, "search words: %zu bytes, up to %d can be", length,
                       VT_STORE_MAX_WORDS_BYTES);
    if (length == 0 || !vt_utf8_valid(text, length))
        return vt_fail(error, VT_ERR_USAGE, "search words: %s",
                       length == 0 ? "there is none" : "it is not UTF-8");
    return VT_OK;
}

vt_status vt_store_words(vt_store *store, const char *text, bool scored, vt_word_hit **out,
                         size_t *count, vt_error *error)
{
    vt_status status = check_words(text, error);
    return status != VT_OK ? status : store->driver->words(store, text, scored, out, count, error);
}

vt_status vt_store_words_fields(vt_store *store, const char *text, uint32_t product, unsigned *out,
                                vt_error *error)
{
    vt_status status = check_words(text, error);
    return status != VT_OK ? status : store->driver->words_fields(store, text, product, out, error);
}

vt_status vt_store_select(vt_store *store, const vt_select *what, vt_arena *arena,
                          vt_selection *out, vt_error *error)
{
    if (what->facet_count > VT_STORE_MAX_FACETS)
        return vt_fail(error, VT_ERR_LIMIT, "count facets: %zu are asked for, at most %d can be",
                       what->facet_count, VT_STORE_MAX_FACETS);
    if (what->facet_count > 0 &&
        (what->facet_top < 1 || what->facet_top > VT_STORE_MAX_FACET_VALUES))
        return vt_fail(error, VT_ERR_LIMIT,
                       "count facets: %zu values are asked for, 1 to %d can be", what->facet_top,
                       VT_STORE_MAX_FACET_VALUES);
    return store->driver->select(store, what, arena, out, error);
}

vt_status vt_store_check_postings(vt_store *store, vt_error *error)
{
    return store->driver->check_postings(store, error);
}

vt_status vt_store_nearest(vt_store *store, uint32_t model, const float *queries, size_t count,
                           const vt_nearest_options *options, vt_hit *hits, size_t *hit_counts,
                           vt_nearest_answer *answer, vt_error *error)
{
    if (count == 0)
        return vt_fail(error, VT_ERR_USAGE, "find nearest products: no query given");
    if (options->k == 0)
        return vt_fail(error, VT_ERR_USAGE, "find nearest products: none wanted (k is 0)");
    if (isnan(options->min_similarity))
        return vt_fail(error, VT_ERR_USAGE,
                       "find nearest products: the smallest similarity is not a number");
    return store->driver->nearest(store, model, queries, count, options, hits, hit_counts, answer,
                                  error);
}

vt_status vt_store_index_info_of(vt_store *store, uint32_t model, vt_store_index_info *out,
                                 vt_error *error)
{
    return store->driver->index_info(store, model, out, error);
}

vt_status vt_store_index_build(vt_store *store, uint32_t model,
                               const vt_store_index_options *options, vt_error *error)
{
    const vt_store_index_options none = {0};
    return store->driver->index_build(store, model, true, options ? options : &none, error);
}

vt_status vt_store_index_refresh(vt_store *store, uint32_t model,
                                 const vt_store_index_options *options, vt_error *error)
{
    const vt_store_index_options none = {0};
    return store->driver->index_build(store, model, false, options ? options : &none, error);
}

vt_status vt_store_index_check(vt_store *store, uint32_t model,
                               const vt_store_index_options *options, vt_error *error)
{
    const vt_store_index_options none = {0};
    return store->driver->index_check(store, model, options ? options : &none, error);
}
