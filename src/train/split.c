/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits: which photos are held out to measure on. Stratified, so that every label is measured in
 * proportion; by product where photos of one product are so alike that one on each side would be
 * measured from memory.
 *
 * Method: photos are gathered into units (a photo, or a product with all of its photos), units
 * sorted by stratum, each stratum's shuffled by the seed; the first ones move until the share is
 * reached. Which units move depends on the seed and the units of the stratum alone. With several
 * labels strata are those of the first; of the others no class is left without photos to train on.
 */
#include "train/dataset.h"

#include "base/random.h"

#include <math.h>
#include <stdlib.h>

typedef struct unit {
    uint32_t stratum, product; /* product VT_NO_PRODUCT: one photo */
    uint32_t example;          /* its first */
    uint32_t photos;
    uint64_t draw; /* random: the order within a stratum */
} unit;

static int compare_units(const void *a, const void *b)
{
    const unit *x = a, *y = b;
    if (x->stratum != y->stratum)
        return x->stratum < y->stratum ? -1 : 1;
    if (x->draw != y->draw)
        return x->draw < y->draw ? -1 : 1;
    return x->example < y->example ? -1 : x->example > y->example;
}

/* Whether every label is one product and the other way round: unseen products are unseen labels
 * then, and cannot be stratified by label. */
static bool labels_are_products(const vt_dataset *data, const uint32_t *label_of_product)
{
    if (data->product_count != data->label_count)
        return false;
    for (size_t i = 0; i < data->count; i++) {
        const vt_example *one = &data->examples[i];
        if (one->product == VT_NO_PRODUCT || label_of_product[one->product] != one->label)
            return false;
    }
    return true;
}

/* units: room for one per example; unit_of: (product_count). */
static size_t gather(const vt_dataset *data, const vt_split_options *options, unit *units,
                     uint32_t *unit_of)
{
    size_t count = 0;
    vt_random random;
    vt_random_init(&random, options->seed);
    bool by_product = options->by == VT_SPLIT_BY_PRODUCT;
    for (size_t i = 0; i < data->product_count; i++)
        unit_of[i] = UINT32_MAX;
    for (size_t i = 0; i < data->count; i++)
        if (data->examples[i].product != VT_NO_PRODUCT)
            unit_of[data->examples[i].product] = data->examples[i].label;
    bool one_stratum = by_product && labels_are_products(data, unit_of);
    for (size_t i = 0; i < data->product_count; i++)
        unit_of[i] = UINT32_MAX;
    for (size_t i = 0; i < data->count; i++) {
        const vt_example *one = &data->examples[i];
        if (one->split != VT_SPLIT_TRAIN)
            continue;
        uint32_t product = by_product ? one->product : VT_NO_PRODUCT;
        if (product != VT_NO_PRODUCT && unit_of[product] != UINT32_MAX) {
            units[unit_of[product]].photos++;
            continue;
        }
        if (product != VT_NO_PRODUCT)
            unit_of[product] = (uint32_t)count;
        units[count++] =
            (unit){one_stratum ? 0 : one->label, product, (uint32_t)i, 1, vt_random_u64(&random)};
    }
    return count;
}

/* Of one stratum's units: how many move. */
static size_t moving(const unit *units, size_t count, double share)
{
    size_t photos = 0, moved = 0, taken = 0;
    if (count < 2)
        return 0;
    for (size_t i = 0; i < count; i++)
        photos += units[i].photos;
    double wanted = share * (double)photos;
    while (taken < count - 1 && (taken == 0 || (double)moved + 0.5 * units[taken].photos < wanted))
        moved += units[taken++].photos;
    return taken;
}

static void move_units(vt_dataset *data, unit *units, size_t count, double share, bool *moved)
{
    for (size_t at = 0; at < count;) {
        size_t end = at;
        while (end < count && units[end].stratum == units[at].stratum)
            end++;
        size_t take = moving(units + at, end - at, share);
        for (size_t i = at; i < at + take; i++) {
            data->examples[units[i].example].split = VT_SPLIT_VAL;
            if (units[i].product != VT_NO_PRODUCT)
                moved[units[i].product] = true;
        }
        at = end;
    }
}

vt_status vt_split_make(vt_dataset *data, const vt_split_options *options, vt_error *error)
{
    if (!(options->share > 0.0 && options->share < 1.0))
        return vt_fail(error, VT_ERR_USAGE, "split \"%s\": share %g is not between 0 and 1",
                       data->name, options->share);
    unit *units = vt_alloc_array(data->count + 1, sizeof(*units));
    uint32_t *unit_of = vt_alloc_array(data->product_count + 1, sizeof(*unit_of));
    bool *moved = vt_calloc(data->product_count + 1, sizeof(*moved));
    vt_status status = VT_OK;
    if (units == NULL || unit_of == NULL || moved == NULL) {
        status = vt_fail_memory(error, "a split");
    } else {
        size_t count = gather(data, options, units, unit_of);
        if (count > 0)
            qsort(units, count, sizeof(*units), compare_units);
        move_units(data, units, count, options->share, moved);
        for (size_t i = 0; i < data->count; i++) {
            vt_example *one = &data->examples[i];
            if (one->split == VT_SPLIT_TRAIN && one->product != VT_NO_PRODUCT &&
                moved[one->product])
                one->split = VT_SPLIT_VAL;
            data->has_split[one->split] = true;
        }
        status = vt_dataset_keep_trained(data, options->by == VT_SPLIT_BY_PRODUCT, error);
    }
    vt_free(units);
    vt_free(unit_of);
    vt_free(moved);
    return status;
}

vt_status vt_split_check_products(const vt_dataset *data, vt_split other, vt_error *error)
{
    bool *trained = vt_calloc(data->product_count + 1, sizeof(*trained));
    if (trained == NULL)
        return vt_fail_memory(error, "a split");
    vt_status status = VT_OK;
    for (size_t i = 0; i < data->count; i++)
        if (data->examples[i].product != VT_NO_PRODUCT && data->examples[i].split == VT_SPLIT_TRAIN)
            trained[data->examples[i].product] = true;
    for (size_t i = 0; status == VT_OK && i < data->count; i++) {
        const vt_example *one = &data->examples[i];
        if (one->split == other && one->product != VT_NO_PRODUCT && trained[one->product])
            status = vt_fail(error, VT_ERR_MISMATCH,
                             "split \"%s\" by product: product \"%s\" has photos in train and %s",
                             data->name, data->products[one->product], vt_split_name(other));
    }
    vt_free(trained);
    return status;
}
