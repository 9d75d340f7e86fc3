/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a model's own heads say about labelled photos.
 *
 * A head with a name is measured on the label of that name; one without, and any head on a folder
 * of classes, on the label of which most of its classes are values. It is measured on the photos
 * whose label is one of its classes; naming a class that no photo has is wrong like any other.
 * Where a photo has several values, those that are no class are not looked at.
 */
#include "shop/model_eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NO_CLASS = -1 };

/* ---- before the first photo ---- */

static vt_status add_classifier(vt_model_evaluation *eval, const vt_model_head *head, size_t source,
                                vt_error *error)
{
    vt_eval_classifier *one = &eval->classifiers[eval->classifier_count++];
    *one = (vt_eval_classifier){
        .head = head, .count = head->label_count, .source = source, .first = eval->score_count};
    one->names = vt_calloc(one->count, sizeof(*one->names));
    if (one->names == NULL)
        return vt_fail_memory(error, "the names of classes");
    for (size_t i = 0; i < one->count; i++)
        one->names[i] = vt_json_text(vt_json_at(head->labels, i), "");
    eval->score_count += one->count;
    return VT_OK;
}

void vt_eval_free_classes(vt_model_evaluation *eval)
{
    for (size_t h = 0; h < eval->classifier_count; h++) {
        vt_eval_classifier *one = &eval->classifiers[h];
        vt_classification_free(one->measures);
        vt_attributes_free(one->attributes);
        vt_free(one->names);
        vt_free(one->classes);
        vt_free(one->named);
        vt_free(one->wrong);
    }
}

/* ---- which label it is ---- */

static int compare_text(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

/* classes: (labels) of the column, the class of that name or NO_CLASS. Returns how many have one.
 */
static size_t match_classes(const vt_eval_classifier *one, const vt_eval_column *column,
                            int *classes)
{
    size_t matched = 0, count;
    const char **labels = vt_eval_labels(column, &count);
    for (size_t i = 0; i < count; i++)
        classes[i] = NO_CLASS;
    for (size_t c = 0; c < one->count; c++) {
        const char **found =
            count == 0 ? NULL
                       : bsearch(one->names[c], labels, count, sizeof(*labels), compare_text);
        if (found == NULL || classes[found - labels] != NO_CLASS)
            continue;
        classes[found - labels] = (int)c;
        matched++;
    }
    return matched;
}

/* The column that most classes are values of, or that has the head's name. */
static vt_status choose_column(vt_model_evaluation *eval, vt_eval_classifier *one, vt_error *error)
{
    bool by_name = eval->columns[0].data->column_count > 0;
    size_t most = 0;
    one->reason = by_name ? "its label is not among those that are measured"
                          : "none of the model's classes is a label of the photos";
    for (size_t c = 0; c < eval->column_count; c++) {
        size_t count;
        if (by_name && strcmp(eval->columns[c].name, one->head->name) != 0)
            continue;
        vt_eval_labels(&eval->columns[c], &count);
        int *own = vt_alloc_array(count + 1, sizeof(*own));
        if (own == NULL)
            return vt_fail_memory(error, "classes");
        size_t matched = match_classes(one, &eval->columns[c], own);
        bool better = matched > most;
        one->reason = "none of the model's classes is a label of the photos";
        vt_free(better ? one->classes : own);
        if (better) {
            most = matched;
            one->classes = own;
            one->column = &eval->columns[c];
        }
    }
    return VT_OK;
}

vt_status vt_eval_name_classes(vt_model_evaluation *eval, vt_error *error)
{
    vt_encoder_info info = vt_encoder_info_of(eval->encoder);
    size_t source = 0;
    vt_status status = VT_OK;
    for (size_t h = 0; info.heads != NULL && status == VT_OK && h < info.heads->count; h++) {
        const vt_model_head *head = &info.heads->items[h];
        if (head->output == NULL)
            continue;
        if (head->label_count <= VT_CLASSIFICATION_MAX_CLASSES)
            status = add_classifier(eval, head, source, error);
        source += head->label_count;
    }
    for (size_t h = 0; status == VT_OK && h < eval->classifier_count; h++)
        status = choose_column(eval, &eval->classifiers[h], error);
    return status;
}

/* Whether a photo that is measured has one of its classes. */
static bool is_measured(const vt_model_evaluation *eval, const vt_eval_classifier *one)
{
    for (size_t i = 0; one->column != NULL && i < eval->query_count; i++) {
        size_t count;
        const uint32_t *labels =
            vt_dataset_values(one->column->data, one->column->index, eval->photos[i], &count);
        for (size_t v = 0; v < count; v++)
            if (one->classes[labels[v]] != NO_CLASS)
                return true;
    }
    return false;
}

bool vt_eval_measures_classes(const vt_model_evaluation *eval)
{
    for (size_t h = 0; h < eval->classifier_count; h++)
        if (is_measured(eval, &eval->classifiers[h]))
            return true;
    return false;
}

/* ---- scores ---- */

static const float *scores_of(const vt_model_evaluation *eval, const vt_eval_classifier *one,
                              size_t place)
{
    return eval->scores + place * eval->score_count + one->first;
}

/* Probability of the class `named` by the softmax of the scores. */
static double confidence_of(const float *scores, size_t count, size_t named)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += exp((double)scores[i] - (double)scores[named]);
    return 1 / sum;
}

static void add_scores(const vt_model_evaluation *eval, vt_eval_classifier *one)
{
    for (size_t i = 0; i < eval->query_count; i++) {
        const float *row = scores_of(eval, one, i);
        uint32_t label = vt_eval_label_at(eval, one->column, i);
        int truth = label != VT_NO_LABEL ? one->classes[label] : NO_CLASS;
        one->unlabelled += label == VT_NO_LABEL;
        one->unknown += label != VT_NO_LABEL && truth == NO_CLASS;
        if (truth == NO_CLASS)
            continue;
        size_t named = vt_classification_add(one->measures, (size_t)truth, row);
        one->named[i] = (uint32_t)named;
        if (named != (size_t)truth)
            one->wrong[i] = (float)confidence_of(row, one->count, named);
    }
}

/* values: room for as many as there are classes. */
static void add_attributes(const vt_model_evaluation *eval, vt_eval_classifier *one,
                           uint32_t *values)
{
    for (size_t i = 0; i < eval->query_count; i++) {
        size_t count, known = 0;
        const uint32_t *labels =
            vt_dataset_values(one->column->data, one->column->index, eval->photos[i], &count);
        for (size_t v = 0; v < count; v++)
            if (one->classes[labels[v]] != NO_CLASS)
                values[known++] = (uint32_t)one->classes[labels[v]];
        one->unlabelled += count == 0;
        one->unknown += count > 0 && known == 0;
        if (known > 0)
            vt_attributes_add(one->attributes, values, known, scores_of(eval, one, i));
    }
}

static vt_status measure_several(const vt_model_evaluation *eval, vt_eval_classifier *one,
                                 vt_error *error)
{
    uint32_t *values = vt_alloc_array(one->count, sizeof(*values));
    vt_status status = values == NULL ? vt_fail_memory(error, "classes")
                                      : vt_attributes_new(one->count, &one->attributes, error);
    if (status == VT_OK)
        add_attributes(eval, one, values);
    vt_free(values);
    return status;
}

static vt_status measure_single(const vt_model_evaluation *eval, vt_eval_classifier *one,
                                vt_error *error)
{
    one->named = vt_calloc(eval->query_count, sizeof(*one->named));
    one->wrong = vt_calloc(eval->query_count, sizeof(*one->wrong));
    vt_status status = one->named == NULL || one->wrong == NULL
                           ? vt_fail_memory(error, "classes")
                           : vt_classification_new(one->count, &one->measures, error);
    if (status == VT_OK)
        add_scores(eval, one);
    return status;
}

vt_status vt_eval_measure_classes(vt_model_evaluation *eval, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t h = 0; status == VT_OK && h < eval->classifier_count; h++) {
        vt_eval_classifier *one = &eval->classifiers[h];
        if (one->column == NULL)
            continue;
        if (is_measured(eval, one)) {
            status = one->head->several ? measure_several(eval, one, error)
                                        : measure_single(eval, one, error);
        } else {
            one->column = NULL;
            one->reason = "no photo that is measured has one of the model's classes";
        }
    }
    return status;
}
