/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which photos a model is measured on, and which are searched.
 *
 * Every label that is measured is read as a data set of its own; they must list the same photos, so
 * that one vector of each serves all. Photos and those they are held against are rows of the same
 * data set, because what matters is which labels are the same.
 */
#include "shop/model_eval.h"
#include "shop/train_data.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

enum { EVERY_SPLIT = VT_SPLIT_COUNT };

/* Rows of a data set that came from one source. */
typedef struct part {
    const char *data, *images_dir, *split;
    size_t first, end;
} part;

static vt_status add_part(vt_dataset *data, part *rows, const char *label, vt_error *error)
{
    const vt_train_source source = {rows->data, rows->images_dir, label, VT_SPLIT_TRAIN};
    rows->first = data->count;
    vt_status status = vt_train_data_add(data, &source, error);
    rows->end = data->count;
    return status;
}

static vt_status read_column(vt_model_evaluation *eval, part *asked, part *searched,
                             const char *label, vt_error *error)
{
    vt_eval_column *column = &eval->columns[eval->column_count];
    column->name = label != NULL ? label : "label";
    column->searched = true;
    vt_status status = vt_dataset_new(eval->data, &column->data, error);
    if (status != VT_OK)
        return status;
    eval->column_count++;
    status = add_part(column->data, asked, label, error);
    if (status == VT_OK && searched->data != NULL)
        status = add_part(column->data, searched, label, error);
    return status == VT_OK ? vt_dataset_finish(column->data, error) : status;
}

/* All labels as columns of one data set: those that are asked for, or that of each head. */
static vt_status read_columns(vt_model_evaluation *eval, part *asked, part *searched,
                              vt_error *error)
{
    const vt_model_eval_options *options = eval->options;
    vt_column_choice choices[VT_EVAL_MAX_LABELS];
    size_t count = options->label_count > 0 ? options->label_count : eval->heads.count;
    vt_dataset *data = NULL;
    vt_status status = vt_dataset_new(eval->data, &data, error);
    for (size_t c = 0; status == VT_OK && c < count && c < VT_EVAL_MAX_LABELS; c++) {
        const char *name =
            options->label_count > 0 ? options->labels[c] : eval->heads.items[c].name;
        const vt_model_head *head = vt_model_heads_find(&eval->heads, name);
        choices[c] = (vt_column_choice){name, head != NULL && head->several, false};
        eval->columns[eval->column_count++] =
            (vt_eval_column){.name = name, .data = data, .index = c, .several = choices[c].several};
    }
    if (status == VT_OK)
        status = vt_dataset_set_columns(data, choices, eval->column_count, error);
    if (status == VT_OK)
        status = add_part(data, asked, NULL, error);
    if (status == VT_OK && searched->data != NULL)
        status = add_part(data, searched, NULL, error);
    return status == VT_OK ? vt_dataset_finish(data, error) : status;
}

/* Whether another label has the photos of the first, in its order. */
static vt_status check_same(const vt_model_evaluation *eval, const vt_eval_column *column,
                            vt_error *error)
{
    const vt_dataset *first = eval->columns[0].data, *other = column->data;
    size_t count = first->count < other->count ? first->count : other->count;
    size_t same = 0;
    while (same < count && strcmp(first->examples[same].photo, other->examples[same].photo) == 0)
        same++;
    if (same == first->count && same == other->count)
        return VT_OK;
    const vt_dataset *longer = same < first->count ? first : other;
    return vt_fail(error, VT_ERR_MISMATCH,
                   "evaluate on \"%s\": \"%.200s\" does not have both %s and %s", eval->data,
                   longer->examples[same].photo, eval->columns[0].name, column->name);
}

static bool has_split(const vt_dataset *data, const part *rows, int split)
{
    for (size_t i = rows->first; i < rows->end; i++)
        if (split == EVERY_SPLIT || (int)data->examples[i].split == split)
            return true;
    return false;
}

/* *out: a split or EVERY_SPLIT. `usual`: where none is named, what was held out. */
static vt_status choose_split(const vt_dataset *data, const part *rows, bool usual, int *out,
                              vt_error *error)
{
    vt_split named = VT_SPLIT_VAL;
    *out = EVERY_SPLIT;
    if (!has_split(data, rows, EVERY_SPLIT))
        return vt_fail(error, VT_ERR_FORMAT, "evaluate on \"%s\": it has no photo", rows->data);
    if (rows->split == NULL) {
        static const vt_split held_out[] = {VT_SPLIT_VAL, VT_SPLIT_TEST};
        for (size_t i = 0; usual && i < 2 && *out == EVERY_SPLIT; i++)
            if (has_split(data, rows, (int)held_out[i]))
                *out = (int)held_out[i];
        return VT_OK;
    }
    if (strcmp(rows->split, "all") == 0)
        return VT_OK;
    if (!vt_split_from_name(rows->split, &named))
        return vt_fail(error, VT_ERR_USAGE,
                       "evaluate on \"%s\": split \"%.40s\" is not train, val, test or all",
                       rows->data, rows->split);
    *out = (int)named;
    return has_split(data, rows, *out)
               ? VT_OK
               : vt_fail(error, VT_ERR_NOT_FOUND,
                         "evaluate on \"%s\": it has no photo in its %s split", rows->data,
                         vt_split_name(named));
}

static size_t list_rows(const vt_dataset *data, const part *rows, int split, uint32_t *out)
{
    size_t count = 0;
    for (size_t i = rows->first; i < rows->end; i++)
        if (split == EVERY_SPLIT || (int)data->examples[i].split == split)
            out[count++] = (uint32_t)i;
    return count;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A photo that is searched with its own self finds it: that would measure nothing. */
static vt_status check_apart(const vt_model_evaluation *eval, vt_error *error)
{
    const vt_dataset *data = eval->columns[0].data;
    const char **paths = vt_alloc_array(eval->gallery_count + 1, sizeof(*paths));
    vt_status status = VT_OK;
    if (paths == NULL)
        return vt_fail_memory(error, "the photos to evaluate on");
    for (size_t i = 0; i < eval->gallery_count; i++)
        paths[i] = data->examples[eval->photos[eval->gallery_first + i]].photo;
    qsort(paths, eval->gallery_count, sizeof(*paths), compare_texts);
    for (size_t i = 0; status == VT_OK && i < eval->query_count; i++) {
        const char *photo = data->examples[eval->photos[i]].photo;
        if (bsearch(&photo, paths, eval->gallery_count, sizeof(*paths), compare_texts) != NULL)
            status = vt_fail(error, VT_ERR_USAGE,
                             "evaluate on \"%s\": \"%.200s\" is also among the photos that are "
                             "searched, where it would find itself; choose other splits",
                             eval->data, photo);
    }
    vt_free(paths);
    return status;
}

/* searched->data NULL: those of `asked`, in another split or, without one, themselves. */
static vt_status list_photos(vt_model_evaluation *eval, const part *asked, part *searched,
                             vt_error *error)
{
    const vt_dataset *data = eval->columns[0].data;
    int split = EVERY_SPLIT, other = EVERY_SPLIT;
    eval->among = searched->data == NULL && searched->split == NULL;
    if (searched->data == NULL)
        *searched =
            (part){asked->data, asked->images_dir, searched->split, asked->first, asked->end};
    vt_status status = choose_split(data, asked, true, &split, error);
    if (status == VT_OK && !eval->among)
        status = choose_split(data, searched, false, &other, error);
    if (status != VT_OK)
        return status;
    eval->photos = vt_alloc_array(2 * data->count + 1, sizeof(*eval->photos));
    if (eval->photos == NULL)
        return vt_fail_memory(error, "the photos to evaluate on");
    eval->query_count = eval->gallery_count = list_rows(data, asked, split, eval->photos);
    if (eval->among)
        return VT_OK;
    eval->gallery_first = eval->query_count;
    eval->gallery_count = list_rows(data, searched, other, eval->photos + eval->gallery_first);
    return check_apart(eval, error);
}

vt_status vt_eval_read_data(vt_model_evaluation *eval, vt_error *error)
{
    const vt_model_eval_options *options = eval->options;
    part asked = {eval->data, options->images_dir, options->split, 0, 0};
    part searched = {options->against, options->against_images_dir, options->against_split, 0, 0};
    size_t labels = options->label_count > 0 ? options->label_count : 1;
    bool folder = false;
    vt_status status = eval->named ? vt_train_data_is_folder(eval->data, &folder, error) : VT_OK;
    if (status == VT_OK && eval->named && !folder)
        status = read_columns(eval, &asked, &searched, error);
    for (size_t i = 0; status == VT_OK && (!eval->named || folder) && i < labels; i++)
        status = read_column(eval, &asked, &searched,
                             options->label_count > 0 ? options->labels[i] : NULL, error);
    for (size_t c = 1;
         status == VT_OK && eval->columns[0].data->column_count == 0 && c < eval->column_count; c++)
        status = check_same(eval, &eval->columns[c], error);
    return status == VT_OK ? list_photos(eval, &asked, &searched, error) : status;
}

/* counts: (labels) of what is searched. */
static vt_status check_column(const vt_model_evaluation *eval, const vt_eval_column *column,
                              size_t *counts, vt_error *error)
{
    size_t values = 0, findable = 0, labels;
    const char *const *names = vt_eval_labels(column, &labels);
    uint32_t asked = VT_NO_LABEL, other = VT_NO_LABEL; /* examples for a message */
    for (size_t i = 0; i < eval->gallery_count; i++) {
        uint32_t label = vt_eval_label_at(eval, column, eval->gallery_first + i);
        if (label == VT_NO_LABEL)
            continue;
        values += counts[label]++ == 0;
        other = other == VT_NO_LABEL ? label : other;
    }
    for (size_t i = 0; i < eval->query_count; i++) {
        uint32_t label = vt_eval_label_at(eval, column, i);
        if (label == VT_NO_LABEL)
            continue;
        findable += counts[label] > (eval->among ? 1 : 0);
        asked = asked == VT_NO_LABEL ? label : asked;
    }
    const char *searched = eval->options->against != NULL ? eval->options->against : eval->data;
    if (values < 2)
        return vt_fail(error, VT_ERR_FORMAT,
                       "evaluate on \"%s\": the photos that are searched have %zu different values "
                       "of %s, two are needed",
                       searched, values, column->name);
    if (findable > 0)
        return VT_OK;
    if (eval->among)
        return vt_fail(error, VT_ERR_FORMAT,
                       "evaluate on \"%s\": no two photos have the same %s, so none can be found",
                       eval->data, column->name);
    return vt_fail(error, VT_ERR_MISMATCH,
                   "evaluate on \"%s\": no %s of its photos, like \"%.60s\", is one of those "
                   "searched in \"%s\", like \"%.60s\"",
                   eval->data, column->name, asked != VT_NO_LABEL ? names[asked] : "", searched,
                   names[other]);
}

static vt_status check_one(vt_model_evaluation *eval, vt_eval_column *column, vt_error *error)
{
    size_t labels;
    vt_eval_labels(column, &labels);
    size_t *counts = vt_calloc(labels + 1, sizeof(*counts));
    vt_status status = counts == NULL ? vt_fail_memory(error, "the counts of labels")
                                      : check_column(eval, column, counts, error);
    vt_free(counts);
    column->searched = status == VT_OK;
    return status;
}

/* What can be searched by; with named heads it is enough that scores can be measured. */
vt_status vt_eval_check_data(vt_model_evaluation *eval, vt_error *error)
{
    if (eval->query_count == 0)
        return vt_fail(error, VT_ERR_FORMAT, "evaluate on \"%s\": none of its photos can be used",
                       eval->data);
    bool any = eval->named && vt_eval_measures_classes(eval), searched = false;
    vt_status status = VT_OK;
    for (size_t c = 0; status == VT_OK && c < eval->column_count; c++) {
        vt_eval_column *column = &eval->columns[c];
        if (column->several)
            continue;
        status = check_one(eval, column, error);
        if (any && (status == VT_ERR_FORMAT || status == VT_ERR_MISMATCH))
            status = VT_OK;
        searched |= column->searched;
    }
    if (status == VT_OK && !any && !searched)
        return vt_fail(error, VT_ERR_MISMATCH,
                       "evaluate on \"%s\": no photo has one of the model's classes", eval->data);
    return status;
}
