/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which encoder serves a shop.
 *
 * Method: the catalogue says so where it has ever been switched (`vitrine promote`), otherwise
 * vitrine.json does; the catalogue changes in one transaction together with the vectors, the file
 * cannot, so that after a crash between the two it lags behind and is written anew by the next
 * process that writes. Whoever has the shop open asks before each search which model serves (one
 * look into a table of a few rows) and lets go of its encoder when it is another; the next one is
 * loaded when it is needed, so that the first search after a switch waits for it.
 *
 * A search that began before a switch finds out at the latest when it wants vectors that are no
 * longer served: the store refuses to answer (VT_ERR_MISMATCH), and the search is made again with
 * the new encoder. So a query's vector and those it is compared with are always of one model.
 */
#include "shop/shop.h"

#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct wanted_model {
    uint32_t key;
    vt_settings *settings;
    bool found;
} wanted_model;

static vt_status copy_name(const char *text, char *out, size_t capacity, vt_error *error)
{
    if (text == NULL || text[0] == '\0' || strlen(text) >= capacity)
        return vt_fail(error, VT_ERR_CORRUPT,
                       "read the catalogue: name or place of the model that serves is missing or "
                       "too long");
    memcpy(out, text, strlen(text) + 1);
    return VT_OK;
}

/* What was noted of AUTO is of the fingerprint it stands beside. */
static vt_status take_model(void *context, const vt_store_model *model, vt_error *error)
{
    wanted_model *wanted = context;
    vt_settings *settings = wanted->settings;
    if (model->key != wanted->key)
        return VT_OK;
    wanted->found = true;
    if (memcmp(&settings->fingerprint, &model->fingerprint, sizeof(model->fingerprint)) == 0)
        return VT_OK;
    settings->fingerprint = model->fingerprint;
    settings->dimension = model->dim;
    settings->machine[0] = settings->program[0] = '\0';
    settings->verdict = (vt_precision_verdict){.similarity = (double)NAN};
    vt_status status = copy_name(model->name, settings->name, sizeof(settings->name), error);
    return status != VT_OK
               ? status
               : copy_name(model->source, settings->source, sizeof(settings->source), error);
}

/* *settings, as read from vitrine.json, become those of this model. */
static vt_status read_model(vt_shop *shop, uint32_t model, vt_settings *settings, vt_error *error)
{
    wanted_model wanted = {.key = model, .settings = settings};
    vt_status status = vt_store_each_model(shop->store, take_model, &wanted, error);
    if (status == VT_OK && !wanted.found)
        status = vt_fail(error, VT_ERR_CORRUPT,
                         "open shop \"%s\": the model that serves is not "
                         "in the catalogue",
                         shop->directory);
    return status;
}

vt_status vt_shop_settle(vt_shop *shop, vt_error *error)
{
    uint32_t serving = 0;
    vt_hash noted = shop->settings.fingerprint;
    vt_status status = vt_store_serving(shop->store, &serving, error);
    if (status == VT_OK && serving == 0) {
        status = vt_store_model_find(shop->store, &noted, &shop->model, error);
        if (status == VT_ERR_NOT_FOUND)
            status = vt_fail(error, VT_ERR_CORRUPT,
                             "open shop \"%s\": the catalogue does not know the encoder that "
                             "vitrine.json names",
                             shop->directory);
        return status;
    }
    if (status == VT_OK)
        status = read_model(shop, serving, &shop->settings, error);
    if (status != VT_OK)
        return status;
    shop->model = serving;
    bool behind = memcmp(&noted, &shop->settings.fingerprint, sizeof(noted)) != 0;
    return behind && shop->writing ? vt_settings_write(shop->directory, &shop->settings, error)
                                   : VT_OK;
}

/* With `use` held alone. What serves is asked again: while this thread waited another may have been
 * here first, and with a newer one. */
static vt_status move_on(vt_shop *shop, vt_error *error)
{
    uint32_t serving = 0;
    vt_settings settings;
    vt_status status = vt_store_serving(shop->store, &serving, error);
    if (status != VT_OK || serving == 0 || shop->model == serving)
        return status;
    status = vt_settings_read(shop->directory, &settings, error);
    if (status == VT_OK)
        status = read_model(shop, serving, &settings, error);
    if (status != VT_OK)
        return status;
    vt_log(VT_LOG_INFO, "shop \"%s\" has changed its encoder to \"%s\"", shop->directory,
           settings.name);
    vt_store_release(shop->store, shop->model);
    pthread_mutex_lock(&shop->lock);
    vt_batcher_free(shop->batcher);
    vt_encoder_free(shop->encoder);
    shop->batcher = NULL;
    shop->encoder = NULL;
    if (shop->precision == shop->settings.precision)
        shop->precision = settings.precision;
    shop->settings = settings;
    shop->model = serving;
    pthread_mutex_unlock(&shop->lock);
    return VT_OK;
}

vt_status vt_shop_enter(vt_shop *shop, uint32_t *model, vt_error *error)
{
    for (;;) {
        uint32_t serving = 0;
        vt_status status = vt_store_serving(shop->store, &serving, error);
        if (status != VT_OK)
            return status;
        pthread_rwlock_rdlock(&shop->use);
        if (serving == 0 || serving == shop->model) {
            if (model != NULL)
                *model = shop->model;
            return VT_OK;
        }
        pthread_rwlock_unlock(&shop->use);
        pthread_rwlock_wrlock(&shop->use);
        status = move_on(shop, error);
        pthread_rwlock_unlock(&shop->use);
        if (status != VT_OK)
            return status;
    }
}

void vt_shop_leave(vt_shop *shop)
{
    pthread_rwlock_unlock(&shop->use);
}

bool vt_shop_has_moved(vt_shop *shop, uint32_t model)
{
    uint32_t serving = 0;
    return vt_store_serving(shop->store, &serving, NULL) == VT_OK && serving != 0 &&
           serving != model;
}
