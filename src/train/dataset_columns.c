/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several labels of a photo at once, each in a column of its own: a category, a colour, a list of
 * materials. A photo need not have all of them.
 *
 * A column keeps the values of all examples in one list, and where each example's end.
 */
#include "train/dataset.h"

#include "base/log.h"
#include "train/names.h"

#include <string.h>

/* Values of all photos of a column together. */
enum { MAXIMUM_VALUES = 1 << 30 };

vt_status vt_dataset_set_columns(vt_dataset *data, const vt_column_choice *columns, size_t count,
                                 vt_error *error)
{
    if (count < 1 || count > VT_DATASET_MAX_COLUMNS || data->count > 0 || data->column_count > 0)
        return vt_fail(error, VT_ERR_USAGE, "label \"%s\": 1 to %d labels at once", data->name,
                       VT_DATASET_MAX_COLUMNS);
    data->columns = vt_calloc(count, sizeof(*data->columns));
    if (data->columns == NULL)
        return vt_fail_memory(error, "a data set");
    for (size_t c = 0; c < count; c++) {
        vt_label_column *column = &data->columns[data->column_count++];
        column->name = vt_arena_strdup(&data->arena, columns[c].name);
        column->several = columns[c].several;
        column->classes = columns[c].classes;
        column->names = vt_calloc(1, sizeof(*column->names));
        if (column->name == NULL || column->names == NULL)
            return vt_fail_memory(error, "a data set");
    }
    return VT_OK;
}

void vt_dataset_free_columns(vt_dataset *data)
{
    for (size_t c = 0; c < data->column_count; c++) {
        vt_names_free(data->columns[c].names);
        vt_free(data->columns[c].values);
        vt_free(data->columns[c].ends);
    }
    vt_free(data->columns);
}

/* ---- rows ---- */

/* The example that comes next in the column begins where the one before it ends. */
static size_t start_of(const vt_label_column *column, size_t example)
{
    return example == 0 ? 0 : column->ends[example - 1];
}

static vt_status add_value(vt_dataset *data, vt_label_column *column, const char *text,
                           vt_error *error)
{
    uint32_t number;
    size_t first = start_of(column, data->count);
    void *values = column->values;
    vt_status status = vt_names_number(column->names, &data->arena, text, &number, error);
    if (status != VT_OK)
        return status;
    for (size_t i = first; i < column->value_count; i++)
        if (column->values[i] == number)
            return VT_OK;
    bool room = vt_grow(&values, &column->value_capacity, column->value_count + 1,
                        sizeof(*column->values), MAXIMUM_VALUES);
    column->values = values;
    if (!room)
        return vt_fail_memory(error, "the labels of a data set");
    column->values[column->value_count++] = number;
    return VT_OK;
}

static vt_status add_column(vt_dataset *data, vt_label_column *column, const vt_label_texts *labels,
                            vt_error *error)
{
    vt_status status = VT_OK;
    void *ends = column->ends;
    bool room = vt_grow(&ends, &column->end_capacity, data->count + 1, sizeof(*column->ends),
                        VT_DATASET_MAX_EXAMPLES);
    column->ends = ends;
    if (!room)
        return vt_fail_memory(error, "the labels of a data set");
    column->value_count = start_of(column, data->count); /* of a row that failed nothing stays */
    for (size_t i = 0; status == VT_OK && i < labels->count; i++)
        if (labels->items[i] != NULL && labels->items[i][0] != '\0')
            status = add_value(data, column, labels->items[i], error);
    if (status == VT_OK && !column->several &&
        column->value_count > start_of(column, data->count) + 1)
        status =
            vt_fail(error, VT_ERR_FORMAT, "a photo has several values of \"%s\"", column->name);
    column->ends[data->count] = column->value_count;
    return status;
}

vt_status vt_dataset_add_values(vt_dataset *data, const vt_label_texts *labels, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t c = 0; status == VT_OK && c < data->column_count; c++)
        status = add_column(data, &data->columns[c], &labels[c], error);
    return status;
}

vt_status vt_dataset_finish_columns(vt_dataset *data, vt_error *error)
{
    for (size_t c = 0; c < data->column_count; c++) {
        vt_label_column *column = &data->columns[c];
        uint32_t *renumber = NULL;
        vt_status status = vt_names_sort(column->names, &renumber, error);
        if (status != VT_OK)
            return status;
        for (size_t i = 0; i < column->value_count; i++)
            column->values[i] = renumber[column->values[i]];
        vt_free(renumber);
        column->labels = column->names->texts;
        column->label_count = column->names->count;
    }
    return VT_OK;
}

/* ---- what photos have ---- */

const uint32_t *vt_dataset_values(const vt_dataset *data, size_t column, size_t example,
                                  size_t *count)
{
    if (data->column_count == 0) {
        *count = 1;
        return &data->examples[example].label;
    }
    const vt_label_column *from = &data->columns[column];
    size_t first = start_of(from, example);
    *count = from->ends[example] - first;
    return *count > 0 ? from->values + first : NULL;
}

uint32_t vt_dataset_value(const vt_dataset *data, size_t column, size_t example)
{
    size_t count;
    const uint32_t *values = vt_dataset_values(data, column, example, &count);
    return count > 0 ? values[0] : VT_NO_LABEL;
}

size_t vt_dataset_count_column(const vt_dataset *data, size_t column, vt_split split,
                               size_t *counts)
{
    size_t labels = data->column_count > 0 ? data->columns[column].label_count : data->label_count;
    size_t labelled = 0;
    memset(counts, 0, labels * sizeof(*counts));
    for (size_t i = 0; i < data->count; i++) {
        size_t count;
        const uint32_t *values = vt_dataset_values(data, column, i, &count);
        if (data->examples[i].split != split || data->examples[i].left_out)
            continue;
        labelled += count > 0;
        for (size_t v = 0; v < count; v++)
            counts[values[v]]++;
    }
    return labelled;
}

/* ---- checks ---- */

/* counts: of a column's labels, to train on and to validate on. */
typedef struct column_counts {
    size_t *train, *val;
    size_t trained, validated; /* photos that have any */
} column_counts;

static vt_status check_counts(const vt_dataset *data, const vt_label_column *column,
                              const column_counts *counts, bool quiet, vt_error *error)
{
    size_t values = 0, unmeasured = 0, example = 0;
    if (column->label_count == 0)
        return vt_fail(error, VT_ERR_FORMAT, "train on \"%s\": no photo has a \"%s\"", data->name,
                       column->name);
    for (size_t i = 0; i < column->label_count; i++) {
        values += counts->train[i] > 0;
        if (column->classes && counts->train[i] == 0 && counts->val[i] > 0)
            return vt_fail(error, VT_ERR_FORMAT,
                           "train on \"%s\": \"%s\" of \"%s\" has %zu photos to validate on and "
                           "none to train on",
                           data->name, column->labels[i], column->name, counts->val[i]);
        if (counts->train[i] > 0 && counts->val[i] == 0 && unmeasured++ == 0)
            example = i;
    }
    if (counts->trained == 0)
        return vt_fail(error, VT_ERR_FORMAT, "train on \"%s\": no photo to train on has a \"%s\"",
                       data->name, column->name);
    if (values < 2)
        return vt_fail(error, VT_ERR_FORMAT,
                       "train on \"%s\": all photos to train on have the same \"%s\", two are "
                       "needed",
                       data->name, column->name);
    if (column->classes && unmeasured > 0 && !quiet)
        vt_log(VT_LOG_WARN,
               "train on \"%s\": %zu values of \"%s\" have no photo to validate on and are not "
               "measured, the first is \"%s\"",
               data->name, unmeasured, column->name, column->labels[example]);
    return VT_OK;
}

static vt_status check_column(const vt_dataset *data, size_t index, const vt_dataset_need *need,
                              vt_error *error)
{
    const vt_label_column *column = &data->columns[index];
    size_t *room = vt_calloc(column->label_count + 1, 2 * sizeof(*room));
    column_counts counts = {room, room + column->label_count, 0, 0};
    if (room == NULL)
        return vt_fail_memory(error, "the counts of a data set");
    counts.trained = vt_dataset_count_column(data, index, VT_SPLIT_TRAIN, counts.train);
    counts.validated = vt_dataset_count_column(data, index, need->validation, counts.val);
    vt_status status = check_counts(data, column, &counts, need->quiet, error);
    vt_free(room);
    return status;
}

static size_t count_examples(const vt_dataset *data, vt_split split)
{
    size_t count = 0;
    for (size_t i = 0; i < data->count; i++)
        count += data->examples[i].split == split && !data->examples[i].left_out;
    return count;
}

vt_status vt_dataset_check_columns(const vt_dataset *data, const vt_dataset_need *need,
                                   vt_error *error)
{
    vt_status status = VT_OK;
    if (count_examples(data, VT_SPLIT_TRAIN) == 0)
        return vt_fail(error, VT_ERR_FORMAT, "train on \"%s\": it has no photo to train on",
                       data->name);
    for (size_t c = 0; status == VT_OK && c < data->column_count; c++)
        status = check_column(data, c, need, error);
    if (status == VT_OK && count_examples(data, need->validation) == 0)
        return vt_fail(error, VT_ERR_FORMAT, "train on \"%s\": it has no photo in its %s split",
                       data->name, vt_split_name(need->validation));
    return status;
}

/* ---- splits ---- */

/* Gives back photos without which a class would have none; products: marked when they follow. */
static void keep_column(vt_dataset *data, size_t index, size_t *trained, bool *products)
{
    vt_dataset_count_column(data, index, VT_SPLIT_TRAIN, trained);
    for (size_t i = 0; i < data->count; i++) {
        size_t count;
        const uint32_t *values = vt_dataset_values(data, index, i, &count);
        vt_example *one = &data->examples[i];
        bool only = false;
        for (size_t v = 0; v < count; v++)
            only |= trained[values[v]] == 0;
        if (one->split != VT_SPLIT_VAL || !only)
            continue;
        one->split = VT_SPLIT_TRAIN;
        for (size_t v = 0; v < count; v++)
            trained[values[v]]++;
        if (one->product != VT_NO_PRODUCT)
            products[one->product] = true;
    }
}

vt_status vt_dataset_keep_trained(vt_dataset *data, bool by_product, vt_error *error)
{
    bool *products = vt_calloc(data->product_count + 1, sizeof(*products));
    vt_status status = products == NULL ? vt_fail_memory(error, "a split") : VT_OK;
    for (size_t c = 0; status == VT_OK && c < data->column_count; c++) {
        if (!data->columns[c].classes)
            continue;
        size_t *trained = vt_calloc(data->columns[c].label_count + 1, sizeof(*trained));
        if (trained == NULL)
            status = vt_fail_memory(error, "a split");
        else
            keep_column(data, c, trained, products);
        vt_free(trained);
    }
    for (size_t i = 0; status == VT_OK && by_product && i < data->count; i++) {
        vt_example *one = &data->examples[i];
        if (one->split == VT_SPLIT_VAL && one->product != VT_NO_PRODUCT && products[one->product])
            one->split = VT_SPLIT_TRAIN;
    }
    vt_free(products);
    return status;
}
