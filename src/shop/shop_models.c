/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders that a shop's catalogue knows: the one that serves, and those of promotions. */
#include "shop/review.h"
#include "shop/shop.h"

#include "base/file.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

typedef struct model_walk {
    vt_shop_model *items; /* (VT_MODELS_MAXIMUM) */
    size_t count;
} model_walk;

static vt_status add_model(void *context, const vt_store_model *model, vt_error *error)
{
    static const char *const states[] = {"known", "coming", "serving", "going"};
    model_walk *walk = context;
    (void)error;
    if (walk->count == VT_MODELS_MAXIMUM)
        return VT_OK;
    vt_shop_model *out = &walk->items[walk->count++];
    bool file = model->source != NULL && strncmp(model->source, "models/", 7) == 0;
    snprintf(out->name, sizeof(out->name), "%s", model->name);
    snprintf(out->file, sizeof(out->file), "%s", file ? vt_path_base(model->source) : "");
    vt_hash_hex(&model->fingerprint, out->fingerprint);
    out->state = states[model->state];
    out->dimension = model->dim;
    return VT_OK;
}

/* A catalogue from before encoders could be exchanged does not say which one serves: the shop does.
 */
static void mark_serving(const vt_shop *shop, model_walk *walk)
{
    char serving[VT_HASH_HEX];
    vt_hash_hex(&shop->settings.fingerprint, serving);
    for (size_t i = 0; i < walk->count; i++)
        if (strcmp(walk->items[i].fingerprint, serving) == 0)
            walk->items[i].state = "serving";
}

vt_status vt_shop_models(vt_shop *shop, vt_shop_model **out, size_t *count, vt_error *error)
{
    model_walk walk = {.items = vt_calloc(VT_MODELS_MAXIMUM, sizeof(*walk.items))};
    if (walk.items == NULL)
        return vt_fail_memory(error, "the models");
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status == VT_OK) {
        status = vt_store_each_model(shop->store, add_model, &walk, error);
        mark_serving(shop, &walk);
        vt_shop_leave(shop);
    }
    if (status != VT_OK) {
        vt_free(walk.items);
        return status;
    }
    *out = walk.items;
    *count = walk.count;
    return VT_OK;
}
