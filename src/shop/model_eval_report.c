/* SPDX-License-Identifier: Apache-2.0 */
/* What an evaluation of a model hands out: the public report and its JSON document. */
#include "shop/model_eval.h"

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

static void put_classes(const vt_model_eval_report *report, vt_json_writer *writer)
{
    vt_json_open_object(writer, "classification");
    vt_json_put_text(writer, "unclassified", report->unclassified);
    if (report->unclassified == NULL) {
        vt_json_put_text(writer, "label", report->classes_of);
        vt_json_put_int(writer, "photos", (int64_t)report->classified);
        vt_json_put_int(writer, "unknown", (int64_t)report->unknown);
        vt_json_put_number(writer, "accuracy", report->accuracy, 6);
        vt_json_put_number(writer, "top5", report->top5, 6);
        vt_json_put_number(writer, "f1", report->f1, 6);
        vt_json_open_array(writer, "classes");
        for (size_t i = 0; i < report->class_count; i++) {
            const struct vt_eval_class *one = &report->classes[i];
            vt_json_open_object(writer, NULL);
            vt_json_put_text(writer, "class", one->name);
            vt_json_put_int(writer, "photos", (int64_t)one->photos);
            vt_json_put_int(writer, "named", (int64_t)one->named);
            vt_json_put_number(writer, "precision", one->precision, 6);
            vt_json_put_number(writer, "recall", one->recall, 6);
            vt_json_put_number(writer, "f1", one->f1, 6);
            vt_json_close(writer);
        }
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
    for (size_t c = 0; c < eval->column_count; c++)
        put_column(&eval->columns[c], &report->labels[c], &writer);
    vt_json_close(&writer);
    put_classes(report, &writer);
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

static vt_status fill_classes(const vt_model_evaluation *eval, vt_error *error)
{
    vt_arena *arena = &eval->block->arena;
    vt_model_eval_report *report = &eval->block->report;
    vt_classification_result all;
    if (eval->class_count == 0)
        report->unclassified = "the model names no classes";
    else if (eval->measures == NULL)
        report->unclassified = "none of the model's classes is a label of the photos";
    if (report->unclassified != NULL)
        return VT_OK;
    vt_classification_result_of(eval->measures, &all);
    report->classes_of = vt_arena_strdup(arena, eval->class_column->name);
    report->classified = all.examples;
    report->unknown = eval->unknown;
    report->accuracy = all.accuracy;
    report->top5 = all.top5;
    report->f1 = all.macro_f1;
    report->classes = vt_arena_array(arena, eval->class_count, sizeof(*report->classes));
    if (report->classes_of == NULL || report->classes == NULL)
        return vt_fail_memory(error, "the report");
    for (size_t i = 0; i < eval->class_count; i++) {
        vt_class_result one;
        vt_classification_class(eval->measures, i, &one);
        if (one.examples + one.named == 0)
            continue;
        const char *name = vt_arena_strdup(arena, eval->class_names[i]);
        if (name == NULL)
            return vt_fail_memory(error, "the report");
        report->classes[report->class_count++] = (struct vt_eval_class){
            name, one.examples, one.named, one.precision, one.recall, one.f1};
    }
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
        status = fill_label(eval, &eval->columns[c], &report->labels[c], error);
        report->label_count += status == VT_OK;
    }
    if (status == VT_OK)
        status = fill_classes(eval, error);
    return status == VT_OK ? fill_json(eval, error) : status;
}
