/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Precisions as texts, and what a shop remembers of them: the wish, and what "auto" came to.
 *
 * The verdict is kept so that the next opening needs no run of a precision that was refused. It is
 * written when a shop is made and when one that is open for writing loads its encoder, never by
 * readers: a shop may lie on a read-only disk. It holds for one model file and contract (the
 * fingerprint beside it), one kind of machine and one version of this program; elsewhere the
 * encoder decides anew.
 */
#include "shop/shop.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

vt_status vt_precision_of(const char *text, vt_precision *out, vt_error *error)
{
    if (text == NULL)
        *out = VT_PRECISION_AUTO;
    else if (!vt_precision_parse(text, out))
        return vt_fail(error, VT_ERR_USAGE,
                       "compute in precision \"%.64s\": there are f32, bf16, int8 and auto", text);
    return VT_OK;
}

static bool holds_here(const vt_settings *settings)
{
    char machine[sizeof(settings->machine)];
    vt_precision_machine(machine, sizeof(machine));
    return strcmp(settings->machine, machine) == 0 && strcmp(settings->program, vt_version()) == 0;
}

vt_encoder_options vt_precision_options(const vt_settings *settings, vt_precision precision)
{
    vt_encoder_options options = vt_encoder_options_defaults();
    options.precision = precision;
    if (precision == VT_PRECISION_AUTO && holds_here(settings))
        options.known = &settings->verdict;
    return options;
}

bool vt_precision_note(vt_settings *settings, const vt_encoder *encoder)
{
    const vt_precision_verdict *verdict = vt_encoder_info_of(encoder).precision;
    if (verdict == NULL)
        return false;
    bool same = holds_here(settings) && settings->verdict.precision == verdict->precision;
    settings->verdict = *verdict;
    vt_precision_machine(settings->machine, sizeof(settings->machine));
    snprintf(settings->program, sizeof(settings->program), "%s", vt_version());
    return !same;
}

vt_status vt_shop_use_precision(vt_shop *shop, const char *precision, vt_error *error)
{
    vt_precision wish = VT_PRECISION_AUTO;
    vt_status status = precision != NULL ? vt_precision_of(precision, &wish, error) : VT_OK;
    if (status != VT_OK)
        return status;
    pthread_mutex_lock(&shop->lock);
    if (precision == NULL)
        wish = shop->settings.precision;
    if (wish != shop->precision) {
        vt_batcher_free(shop->batcher);
        vt_encoder_free(shop->encoder);
        shop->batcher = NULL;
        shop->encoder = NULL;
        shop->precision = wish;
    }
    pthread_mutex_unlock(&shop->lock);
    return VT_OK;
}

const char *vt_shop_precision(vt_shop *shop)
{
    const char *name = NULL;
    pthread_mutex_lock(&shop->lock);
    if (shop->encoder != NULL && vt_encoder_info_of(shop->encoder).precision != NULL)
        name = vt_precision_name(vt_encoder_info_of(shop->encoder).precision->precision);
    pthread_mutex_unlock(&shop->lock);
    return name;
}
