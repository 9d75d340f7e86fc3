/* SPDX-License-Identifier: Apache-2.0 */
/* What an evaluation of a model hands out: the public report and its JSON document. */
#include "shop/model_eval.h"

#include <math.h>
#include <string.h>

enum { JSON_BYTES = 1 << 30 };

/* ---- JSON ---- */

static void put_column(const vt_eval_column *column, const struct vt_eval_label *label,
                       vt_json_writer *writer)
{
    vt_json_open_object(writer, NULL);
    vt_json_put_text(writer, "label", column->name);
    vt_json_put_int(writer, "values", (int64_t)label->values);
    vt_json_put_int(writer, "alone", (int64_t)label->alone);
    vt_json_put_number(writer, "vote_accuracy", label->accuracy, 6);
    vt_retrieval_print(column->retrieval, writer);
    vt_json_close(writer);
}

static void put_class(const struct vt_eval_class *one, vt_json_writer *writer)
{
    vt_json_open_object(writer, NULL);
    vt_json_put_text(writer, "class", one->name);
    vt_json_put_int(writer, "photos", (int64_t)one->photos);
    vt_json_put_int(writer, "named", (int64_t)one->named);
    vt_json_put_number(writer, "precision", one->precision, 6);
    vt_json_put_number(writer, "recall", one->recall, 6);
    vt_json_put_number(writer, "f1", one->f1, 6);
    vt_json_close(writer);
}

/* Members of the open object. */
static void put_classes(const struct vt_eval_classes *head, bool named, vt_json_writer *writer)
{
    vt_json_put_text(writer, "unclassified", head->unclassified);
    if (head->unclassified != NULL)
        return;
    vt_json_put_text(writer, "label", head->label);
    if (named)
        vt_json_put_bool(writer, "several", head->several);
    vt_json_put_int(writer, "photos", (int64_t)head->classified);
    vt_json_put_int(writer, "unknown", (int64_t)head->unknown);
    if (named)
        vt_json_put_int(writer, "unlabelled", (int64_t)head->unlabelled);
    vt_json_put_number(writer, "accuracy", head->accuracy, 6);
    vt_json_put_number(writer, "top5", head->top5, 6);
    vt_json_put_number(writer, "f1", head->f1, 6);
    vt_json_open_array(writer, "classes");
    for (size_t i = 0; i < head->class_count; i++)
        put_class(&head->classes[i], writer);
    vt_json_close(writer);
}

static void put_heads(const vt_model_eval_report *report, bool named, vt_json_writer *writer)
{
    if (!named) {
        vt_json_open_object(writer, "classification");
        put_classes(&report->heads[0], false, writer);
        vt_json_close(writer);
        return;
    }
    vt_json_open_array(writer, "heads");
    for (size_t h = 0; h < report->head_count; h++) {
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "head", report->heads[h].head);
        put_classes(&report->heads[h], true, writer);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static void put_report(const vt_model_evaluation *eval, vt_buf *out)
{
    const vt_model_eval_report *report = &eval->block->report;
    vt_json_writer writer;
    vt_json_begin(&writer, out, true);
    vt_json_open_object(&writer, NULL);
    vt_json_put_text(&writer, "model", vt_encoder_info_of(eval->encoder).name);
    vt_json_put_text(&writer, "data", eval->data);
    vt_json_put_int(&writer, "photos", (int64_t)report->photos);
    vt_json_put_int(&writer, "gallery", (int64_t)report->gallery);
    vt_json_put_int(&writer, "dimension", (int64_t)report->dimension);
    vt_json_put_text(&writer, "computed_in", report->computed_in);
    vt_json_open_array(&writer, "labels");
    for (size_t c = 0, at = 0; c < eval->column_count; c++)
        if (eval->columns[c].retrieval != NULL)
            put_column(&eval->columns[c], &report->labels[at++], &writer);
    vt_json_close(&writer);
    put_heads(report, eval->named, &writer);
    vt_eval_print_failed(report->failed, report->failed_count, &writer);
    vt_json_put_number(&writer, "took_s", report->took_s, 3);
    vt_json_close(&writer);
}

/* ---- the report ---- */

static vt_status fill_label(const vt_model_evaluation *eval, const vt_eval_column *column,
                            struct vt_eval_label *out, vt_error *error)
{
    vt_arena *arena = &eval->block->arena;
    size_t count = vt_retrieval_category_count(column->retrieval);
    vt_retrieval_result all = {0};
    vt_retrieval_result_of(column->retrieval, NULL, &all);
    *out =
        (struct vt_eval_label){.name = vt_arena_strdup(arena, column->name),
                               .values = column->values,
                               .queries = all.queries,
                               .alone = column->alone,
                               .map = all.map,
                               .mrr = all.mrr,
                               .categories = vt_arena_array(arena, count, sizeof(*out->categories)),
                               .category_count = count};
    memcpy(out->recall, all.recall, sizeof(out->recall));
    memcpy(out->precision, all.precision, sizeof(out->precision));
    if (all.queries > 0)
        out->accuracy = (double)column->voted_right / (double)all.queries;
    bool made = out->name != NULL && (count == 0 || out->categories != NULL);
    for (size_t i = 0; made && i < count; i++) {
        const char *name = vt_retrieval_category(column->retrieval, i);
        vt_retrieval_result one = {0};
        vt_retrieval_result_of(column->retrieval, name, &one);
        out->categories[i].category = vt_arena_strdup(arena, name);
        out->categories[i].queries = one.queries;
        memcpy(out->categories[i].recall, one.recall, sizeof(one.recall));
        made = out->categories[i].category != NULL;
    }
    return made ? VT_OK : vt_fail_memory(error, "the report");
}

static void read_class(const vt_eval_classifier *one, size_t index, vt_class_result *out)
{
    if (one->attributes != NULL)
        vt_attributes_class(one->attributes, index, out);
    else
        vt_classification_class(one->measures, index, out);
}

static void fill_totals(const vt_eval_classifier *one, struct vt_eval_classes *out)
{
    if (one->attributes != NULL) {
        vt_attributes_result all;
        vt_attributes_result_of(one->attributes, &all);
        out->classified = all.examples;
        out->accuracy = all.accuracy;
        out->top5 = (double)NAN;
        out->f1 = all.macro_f1;
        return;
    }
    vt_classification_result all;
    vt_classification_result_of(one->measures, &all);
    out->classified = all.examples;
    out->accuracy = all.accuracy;
    out->top5 = all.top5;
    out->f1 = all.macro_f1;
}

static vt_status fill_classes(const vt_model_evaluation *eval, const vt_eval_classifier *one,
                              struct vt_eval_classes *out, vt_error *error)
{
    vt_arena *arena = &eval->block->arena;
    *out = (struct vt_eval_classes){.head = vt_arena_strdup(arena, one->head->name),
                                    .several = one->head->several};
    if (out->head == NULL)
        return vt_fail_memory(error, "the report");
    if (one->measures == NULL && one->attributes == NULL) {
        out->unclassified = one->reason;
        return VT_OK;
    }
    fill_totals(one, out);
    out->label = vt_arena_strdup(arena, one->column->name);
    out->unknown = one->unknown;
    out->unlabelled = one->unlabelled;
    out->classes = vt_arena_array(arena, one->count, sizeof(*out->classes));
    if (out->label == NULL || out->classes == NULL)
        return vt_fail_memory(error, "the report");
    for (size_t i = 0; i < one->count; i++) {
        vt_class_result class;
        read_class(one, i, &class);
        if (class.examples + class.named == 0)
            continue;
        const char *name = vt_arena_strdup(arena, one->names[i]);
        if (name == NULL)
            return vt_fail_memory(error, "the report");
        out->classes[out->class_count++] = (struct vt_eval_class){
            name, class.examples, class.named, class.precision, class.recall, class.f1};
    }
    return VT_OK;
}

/* Of every head; the first that was measured, or the first, is what the report says without
 * naming heads. */
static vt_status fill_heads(const vt_model_evaluation *eval, vt_error *error)
{
    vt_model_eval_report *report = &eval->block->report;
    size_t count = eval->classifier_count, shown = 0;
    vt_status status = VT_OK;
    report->heads = vt_arena_array(&eval->block->arena, count + 1, sizeof(*report->heads));
    if (report->heads == NULL)
        return vt_fail_memory(error, "the report");
    report->heads[0] =
        (struct vt_eval_classes){.head = "", .unclassified = "the model names no classes"};
    for (size_t h = 0; status == VT_OK && h < count; h++)
        status = fill_classes(eval, &eval->classifiers[h], &report->heads[h], error);
    if (status != VT_OK)
        return status;
    report->head_count = count;
    while (shown + 1 < count && report->heads[shown].unclassified != NULL)
        shown++;
    const struct vt_eval_classes *one = &report->heads[shown];
    report->unclassified = one->unclassified;
    report->classes_of = one->label;
    report->classified = one->classified;
    report->unknown = one->unknown;
    report->accuracy = one->accuracy;
    report->top5 = one->top5;
    report->f1 = one->f1;
    report->classes = one->classes;
    report->class_count = one->class_count;
    return VT_OK;
}

static vt_status fill_json(const vt_model_evaluation *eval, vt_error *error)
{
    vt_buf json;
    vt_buf_init(&json, JSON_BYTES);
    put_report(eval, &json);
    vt_model_eval_report *report = &eval->block->report;
    report->json = json.failed ? NULL : vt_arena_strdup(&eval->block->arena, vt_buf_text(&json));
    vt_buf_deinit(&json);
    return report->json == NULL ? vt_fail_memory(error, "the report") : VT_OK;
}

vt_status vt_eval_fill_report(vt_model_evaluation *eval, double took_s, vt_error *error)
{
    vt_model_eval_report *report = &eval->block->report;
    vt_encoder_info info = vt_encoder_info_of(eval->encoder);
    report->photos = eval->query_count;
    report->gallery = eval->among ? 0 : eval->gallery_count;
    report->dimension = eval->dim;
    report->computed_in =
        info.precision != NULL ? vt_precision_name(info.precision->precision) : NULL;
    report->k_count = eval->options->k_count;
    memcpy(report->k, eval->options->k, sizeof(report->k));
    report->depth = eval->depth;
    report->took_s = took_s;
    report->labels =
        vt_arena_array(&eval->block->arena, eval->column_count, sizeof(*report->labels));
    if (report->labels == NULL)
        return vt_fail_memory(error, "the report");
    vt_status status = VT_OK;
    for (size_t c = 0; status == VT_OK && c < eval->column_count; c++) {
        if (eval->columns[c].retrieval == NULL)
            continue;
        status = fill_label(eval, &eval->columns[c], &report->labels[report->label_count], error);
        report->label_count += status == VT_OK;
    }
    if (status == VT_OK)
        status = fill_heads(eval, error);
    return status == VT_OK ? fill_json(eval, error) : status;
}
