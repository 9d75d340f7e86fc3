/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data sets: a growing list of photos, and tables of the labels and products that they name.
 *
 * Names are found by an open-addressing table; when the set is finished they are sorted and
 * renumbered, so that a label's number, and with it a trained head, does not depend on the order in
 * which a source lists its photos.
 */
#include "train/dataset.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 256 };
#define ARENA_BYTES ((size_t)8 << 30)

struct vt_names {
    const char **texts; /* (count) by number */
    size_t count, capacity;
    uint32_t *slots; /* (slot_count, a power of two) number + 1; 0: empty */
    size_t slot_count;
};

static const char *const split_names[VT_SPLIT_COUNT] = {"train", "val", "test"};

const char *vt_split_name(vt_split split)
{
    return (unsigned)split < VT_SPLIT_COUNT ? split_names[split] : "?";
}

bool vt_split_from_name(const char *name, vt_split *out)
{
    if (vt_text_equal_nocase(name, "validation") || vt_text_equal_nocase(name, "valid")) {
        *out = VT_SPLIT_VAL;
        return true;
    }
    for (int i = 0; i < VT_SPLIT_COUNT; i++)
        if (vt_text_equal_nocase(name, split_names[i])) {
            *out = (vt_split)i;
            return true;
        }
    return false;
}

static size_t find_slot(const vt_names *names, const char *text)
{
    size_t mask = names->slot_count - 1;
    size_t at = (size_t)vt_table_hash(text, strlen(text)) & mask;
    while (names->slots[at] != 0 && strcmp(names->texts[names->slots[at] - 1], text) != 0)
        at = (at + 1) & mask;
    return at;
}

static bool names_grow(vt_names *names)
{
    if (names->count * 2 < names->slot_count)
        return true;
    size_t wanted = names->slot_count == 0 ? FIRST_SLOTS : names->slot_count * 2;
    uint32_t *slots = vt_calloc(wanted, sizeof(*slots));
    if (slots == NULL)
        return false;
    vt_free(names->slots);
    names->slots = slots;
    names->slot_count = wanted;
    for (size_t i = 0; i < names->count; i++)
        slots[find_slot(names, names->texts[i])] = (uint32_t)i + 1;
    return true;
}

static vt_status names_number(vt_names *names, vt_arena *arena, const char *text, uint32_t *out,
                              vt_error *error)
{
    if (!names_grow(names))
        return vt_fail_memory(error, "the names of a data set");
    size_t slot = find_slot(names, text);
    if (names->slots[slot] == 0) {
        if (names->count == VT_DATASET_MAX_LABELS)
            return vt_fail(error, VT_ERR_LIMIT, "more than %d different labels or products",
                           VT_DATASET_MAX_LABELS);
        void *texts = names->texts;
        bool room = vt_grow(&texts, &names->capacity, names->count + 1, sizeof(*names->texts),
                            VT_DATASET_MAX_LABELS);
        names->texts = texts;
        char *copy = room ? vt_arena_strdup(arena, text) : NULL;
        if (copy == NULL)
            return vt_fail_memory(error, "the names of a data set");
        names->texts[names->count++] = copy;
        names->slots[slot] = (uint32_t)names->count;
    }
    *out = names->slots[slot] - 1;
    return VT_OK;
}

static void names_free(vt_names *names)
{
    if (names == NULL)
        return;
    vt_free(names->texts);
    vt_free(names->slots);
    vt_free(names);
}

vt_status vt_dataset_new(const char *name, vt_dataset **out, vt_error *error)
{
    vt_dataset *data = vt_calloc(1, sizeof(*data));
    if (data == NULL)
        return vt_fail_memory(error, "a data set");
    vt_arena_init(&data->arena, ARENA_BYTES);
    data->name = vt_strdup(name);
    data->label_names = vt_calloc(1, sizeof(*data->label_names));
    data->product_names = vt_calloc(1, sizeof(*data->product_names));
    if (data->name == NULL || data->label_names == NULL || data->product_names == NULL) {
        vt_dataset_free(data);
        return vt_fail_memory(error, "a data set");
    }
    *out = data;
    return VT_OK;
}

void vt_dataset_free(vt_dataset *data)
{
    if (data == NULL)
        return;
    names_free(data->label_names);
    names_free(data->product_names);
    vt_arena_deinit(&data->arena);
    vt_free(data->examples);
    vt_free(data->name);
    vt_free(data);
}

vt_status vt_dataset_add(vt_dataset *data, const vt_example_text *row, vt_error *error)
{
    if (row->photo == NULL || row->photo[0] == '\0' || row->label == NULL || row->label[0] == '\0')
        return vt_fail(error, VT_ERR_USAGE, "add to \"%s\": a photo and a label are needed",
                       data->name);
    void *examples = data->examples;
    bool room = vt_grow(&examples, &data->capacity, data->count + 1, sizeof(*data->examples),
                        VT_DATASET_MAX_EXAMPLES);
    data->examples = examples;
    if (!room && data->count >= VT_DATASET_MAX_EXAMPLES)
        return vt_fail(error, VT_ERR_LIMIT, "read \"%s\": more than %d photos", data->name,
                       VT_DATASET_MAX_EXAMPLES);
    vt_example one = {.split = row->split, .product = VT_NO_PRODUCT};
    one.photo = room ? vt_arena_strdup(&data->arena, row->photo) : NULL;
    if (one.photo == NULL)
        return vt_fail_memory(error, "a data set");
    vt_status status = names_number(data->label_names, &data->arena, row->label, &one.label, error);
    if (status == VT_OK && row->product != NULL && row->product[0] != '\0')
        status = names_number(data->product_names, &data->arena, row->product, &one.product, error);
    if (status == VT_OK)
        data->examples[data->count++] = one;
    return status;
}

typedef struct numbered {
    const char *text;
    uint32_t number;
} numbered;

static int compare_numbered(const void *a, const void *b)
{
    return strcmp(((const numbered *)a)->text, ((const numbered *)b)->text);
}

/* Sorts the texts; renumber: (count) from the old number to the new one, the caller's. */
static vt_status sort_names(vt_names *names, uint32_t **renumber, vt_error *error)
{
    numbered *sorted = vt_alloc_array(names->count, sizeof(*sorted));
    uint32_t *map = vt_alloc_array(names->count, sizeof(*map));
    if (sorted == NULL || map == NULL) {
        vt_free(sorted);
        vt_free(map);
        return vt_fail_memory(error, "the names of a data set");
    }
    for (size_t i = 0; i < names->count; i++)
        sorted[i] = (numbered){names->texts[i], (uint32_t)i};
    if (names->count > 0)
        qsort(sorted, names->count, sizeof(*sorted), compare_numbered);
    for (size_t i = 0; i < names->count; i++) {
        names->texts[i] = sorted[i].text;
        map[sorted[i].number] = (uint32_t)i;
    }
    vt_free(sorted);
    /* The table is of the old numbers. */
    memset(names->slots, 0, names->slot_count * sizeof(*names->slots));
    for (size_t i = 0; i < names->count; i++)
        names->slots[find_slot(names, names->texts[i])] = (uint32_t)i + 1;
    *renumber = map;
    return VT_OK;
}

vt_status vt_dataset_finish(vt_dataset *data, vt_error *error)
{
    uint32_t *labels = NULL, *products = NULL;
    if (!names_grow(data->label_names) || !names_grow(data->product_names))
        return vt_fail_memory(error, "the names of a data set");
    vt_status status = sort_names(data->label_names, &labels, error);
    if (status != VT_OK)
        return status;
    status = sort_names(data->product_names, &products, error);
    if (status != VT_OK) {
        vt_free(labels);
        return status;
    }
    for (size_t i = 0; i < data->count; i++) {
        vt_example *one = &data->examples[i];
        one->label = labels[one->label];
        if (one->product != VT_NO_PRODUCT)
            one->product = products[one->product];
        data->has_split[one->split] = true;
    }
    vt_free(labels);
    vt_free(products);
    data->labels = data->label_names->texts;
    data->label_count = data->label_names->count;
    data->products = data->product_names->texts;
    data->product_count = data->product_names->count;
    return VT_OK;
}

void vt_dataset_count(const vt_dataset *data, vt_split split, size_t *counts)
{
    memset(counts, 0, data->label_count * sizeof(*counts));
    for (size_t i = 0; i < data->count; i++)
        if (data->examples[i].split == split && !data->examples[i].left_out)
            counts[data->examples[i].label]++;
}

static vt_status check_counts(const vt_dataset *data, const vt_dataset_need *need,
                              const size_t *train, const size_t *val, vt_error *error)
{
    size_t classes = 0, train_total = 0, val_total = 0, unmeasured = 0, example = 0;
    for (size_t i = 0; i < data->label_count; i++) {
        train_total += train[i];
        val_total += val[i];
        classes += train[i] > 0;
        if (need->classes && train[i] == 0 && val[i] > 0)
            return vt_fail(error, VT_ERR_FORMAT,
                           "train on \"%s\": label \"%s\" has %zu photos to validate on and none "
                           "to train on",
                           data->name, data->labels[i], val[i]);
        if (train[i] > 0 && val[i] == 0 && unmeasured++ == 0)
            example = i;
    }
    if (train_total == 0)
        return vt_fail(error, VT_ERR_FORMAT, "train on \"%s\": it has no photo to train on",
                       data->name);
    if (classes < 2)
        return vt_fail(error, VT_ERR_FORMAT,
                       "train on \"%s\": all photos to train on have one label, two are needed",
                       data->name);
    if (val_total == 0)
        return vt_fail(error, VT_ERR_FORMAT, "train on \"%s\": it has no photo in its %s split",
                       data->name, vt_split_name(need->validation));
    if (need->classes && unmeasured > 0)
        vt_log(VT_LOG_WARN,
               "train on \"%s\": %zu labels have no photo to validate on and are not measured, the "
               "first is \"%s\"",
               data->name, unmeasured, data->labels[example]);
    return VT_OK;
}

vt_status vt_dataset_check(const vt_dataset *data, const vt_dataset_need *need, vt_error *error)
{
    size_t *counts = vt_calloc(data->label_count + 1, 2 * sizeof(*counts));
    if (counts == NULL)
        return vt_fail_memory(error, "the counts of a data set");
    vt_dataset_count(data, VT_SPLIT_TRAIN, counts);
    vt_dataset_count(data, need->validation, counts + data->label_count);
    vt_status status = check_counts(data, need, counts, counts + data->label_count, error);
    vt_free(counts);
    return status;
}
