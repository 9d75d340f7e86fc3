/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data sets: a growing list of photos, and tables of the labels and products that they name.
 *
 * When the set is finished names (names.c) are sorted and renumbered, so that a label's number, and
 * with it a trained head, does not depend on the order in which a source lists its photos.
 */
#include "train/dataset.h"

#include "base/buf.h"
#include "base/log.h"
#include "train/names.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)8 << 30)

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
    vt_names_free(data->label_names);
    vt_names_free(data->product_names);
    vt_dataset_free_columns(data);
    vt_arena_deinit(&data->arena);
    vt_free(data->examples);
    vt_free(data->name);
    vt_free(data);
}

/* The row without its label. */
static vt_status add_example(vt_dataset *data, const vt_example_text *row, vt_example *out,
                             vt_error *error)
{
    void *examples = data->examples;
    bool room = vt_grow(&examples, &data->capacity, data->count + 1, sizeof(*data->examples),
                        VT_DATASET_MAX_EXAMPLES);
    data->examples = examples;
    if (!room && data->count >= VT_DATASET_MAX_EXAMPLES)
        return vt_fail(error, VT_ERR_LIMIT, "read \"%s\": more than %d photos", data->name,
                       VT_DATASET_MAX_EXAMPLES);
    vt_example one = {.split = row->split, .product = VT_NO_PRODUCT, .label = VT_NO_LABEL};
    one.photo = room ? vt_arena_strdup(&data->arena, row->photo) : NULL;
    if (one.photo == NULL)
        return vt_fail_memory(error, "a data set");
    vt_status status = VT_OK;
    if (row->product != NULL && row->product[0] != '\0')
        status =
            vt_names_number(data->product_names, &data->arena, row->product, &one.product, error);
    if (status == VT_OK)
        *out = one;
    return status;
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

vt_status vt_dataset_add(vt_dataset *data, const vt_example_text *row, vt_error *error)
{
    vt_example one;
    if (is_empty(row->photo) || is_empty(row->label) || data->column_count > 0)
        return vt_fail(error, VT_ERR_USAGE, "add to \"%s\": a photo and a label are needed",
                       data->name);
    vt_status status = add_example(data, row, &one, error);
    if (status == VT_OK)
        status = vt_names_number(data->label_names, &data->arena, row->label, &one.label, error);
    if (status == VT_OK)
        data->examples[data->count++] = one;
    return status;
}

vt_status vt_dataset_add_labelled(vt_dataset *data, const vt_example_text *row,
                                  const vt_label_texts *labels, vt_error *error)
{
    vt_example one;
    if (is_empty(row->photo) || data->column_count == 0)
        return vt_fail(error, VT_ERR_USAGE, "add to \"%s\": a photo and columns are needed",
                       data->name);
    vt_status status = add_example(data, row, &one, error);
    if (status == VT_OK)
        status = vt_dataset_add_values(data, labels, error);
    if (status == VT_OK)
        data->examples[data->count++] = one;
    return status;
}

vt_status vt_dataset_finish(vt_dataset *data, vt_error *error)
{
    uint32_t *labels = NULL, *products = NULL;
    vt_status status = vt_names_sort(data->label_names, &labels, error);
    if (status != VT_OK)
        return status;
    status = vt_names_sort(data->product_names, &products, error);
    if (status == VT_OK)
        status = vt_dataset_finish_columns(data, error);
    if (status != VT_OK) {
        vt_free(labels);
        vt_free(products);
        return status;
    }
    for (size_t i = 0; i < data->count; i++) {
        vt_example *one = &data->examples[i];
        one->label = data->column_count > 0 ? vt_dataset_value(data, 0, i) : labels[one->label];
        if (one->product != VT_NO_PRODUCT)
            one->product = products[one->product];
        data->has_split[one->split] = true;
    }
    vt_free(labels);
    vt_free(products);
    data->labels = data->column_count > 0 ? data->columns[0].labels : data->label_names->texts;
    data->label_count =
        data->column_count > 0 ? data->columns[0].label_count : data->label_names->count;
    data->products = data->product_names->texts;
    data->product_count = data->product_names->count;
    return VT_OK;
}

void vt_dataset_count(const vt_dataset *data, vt_split split, size_t *counts)
{
    memset(counts, 0, data->label_count * sizeof(*counts));
    for (size_t i = 0; i < data->count; i++)
        if (data->examples[i].split == split && !data->examples[i].left_out &&
            data->examples[i].label != VT_NO_LABEL)
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
    if (need->classes && unmeasured > 0 && !need->quiet)
        vt_log(VT_LOG_WARN,
               "train on \"%s\": %zu labels have no photo to validate on and are not measured, the "
               "first is \"%s\"",
               data->name, unmeasured, data->labels[example]);
    return VT_OK;
}

vt_status vt_dataset_check(const vt_dataset *data, const vt_dataset_need *need, vt_error *error)
{
    if (data->column_count > 0)
        return vt_dataset_check_columns(data, need, error);
    size_t *counts = vt_calloc(data->label_count + 1, 2 * sizeof(*counts));
    if (counts == NULL)
        return vt_fail_memory(error, "the counts of a data set");
    vt_dataset_count(data, VT_SPLIT_TRAIN, counts);
    vt_dataset_count(data, need->validation, counts + data->label_count);
    vt_status status = check_counts(data, need, counts, counts + data->label_count, error);
    vt_free(counts);
    return status;
}
