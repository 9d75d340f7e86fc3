/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training as a job: the shop's own pictures and the recipe that came with the job make an
 * encoder, which the shop gets if recall on the held-out photos rises (shop/train_in_shop.h).
 *
 * Everything it writes lies below jobs/<id> and goes away with the job, but for the page about it:
 * the shop's own copy of a model that was promoted is in models/. It keeps to half the cores where
 * the recipe does not say how many, because searches go on beside it. A job that is cancelled or
 * dies leaves the shop with the encoder that it has.
 */
#include "server/jobs.h"

#include "base/file.h"
#include "shop/train_in_shop.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RECIPE_BYTES = 1 << 20 };

/* ---- the recipe ---- */

static vt_status put_member(vt_json_writer *writer, const char *name, const vt_json *value,
                            vt_error *error)
{
    switch (vt_json_kind_of(value)) {
    case VT_JSON_TEXT:
        vt_json_put_text(writer, name, vt_json_text(value, ""));
        return VT_OK;
    case VT_JSON_NUMBER:
        vt_json_put_number(writer, name, vt_json_number(value, 0.0), -1);
        return VT_OK;
    case VT_JSON_BOOL:
        vt_json_put_bool(writer, name, vt_json_bool(value, false));
        return VT_OK;
    case VT_JSON_NULL:
        vt_json_put_null(writer, name);
        return VT_OK;
    case VT_JSON_ARRAY:
    case VT_JSON_OBJECT:
        break;
    }
    return vt_fail(error, VT_ERR_USAGE, "recipe: \"%.64s\" is no text, number or flag", name);
}

static vt_status print_recipe(const vt_json *recipe, vt_buf *out, vt_error *error)
{
    vt_json_writer writer;
    vt_status status = VT_OK;
    int cores = vt_core_count();
    if (vt_json_kind_of(recipe) != VT_JSON_OBJECT)
        return vt_fail(error, VT_ERR_USAGE, "read the job: a training has a \"recipe\"");
    vt_json_begin(&writer, out, true);
    vt_json_open_object(&writer, NULL);
    for (size_t i = 0; status == VT_OK && i < vt_json_count(recipe); i++) {
        const vt_json *value = NULL;
        const char *name = vt_json_key_at(recipe, i, &value);
        status = put_member(&writer, name, value, error);
    }
    if (vt_json_get(recipe, "threads") == NULL)
        vt_json_put_int(&writer, "threads", cores > 1 ? cores / 2 : 1);
    vt_json_close(&writer);
    return status == VT_OK && out->failed ? vt_fail_memory(error, "a recipe") : status;
}

/* Where a training of this job reads and writes. */
typedef struct places {
    char *folder, *recipe, *model, *report;
} places;

static void free_places(places *p)
{
    vt_free(p->folder);
    vt_free(p->recipe);
    vt_free(p->model);
    vt_free(p->report);
}

static vt_status find_places(const vt_jobs *jobs, const char *id, places *out, vt_error *error)
{
    *out = (places){vt_job_path(jobs, id, NULL), vt_job_path(jobs, id, "recipe.json"),
                    vt_job_path(jobs, id, "model.onnx"), vt_job_path(jobs, id, "report.html")};
    if (out->folder != NULL && out->recipe != NULL && out->model != NULL && out->report != NULL)
        return VT_OK;
    free_places(out);
    return vt_fail_memory(error, "a path");
}

static vt_train_options options_of(const places *at)
{
    vt_train_options how = vt_train_options_defaults();
    how.recipe = at->recipe;
    how.out = at->model;
    how.report = at->report;
    return how;
}

vt_status vt_job_recipe(vt_jobs *jobs, const char *id, const vt_json *recipe, vt_error *error)
{
    places at;
    vt_buf text;
    vt_status status = find_places(jobs, id, &at, error);
    if (status != VT_OK)
        return status;
    vt_buf_init(&text, RECIPE_BYTES);
    status = print_recipe(recipe, &text, error);
    if (status == VT_OK)
        status = vt_dir_make(at.folder, error);
    if (status == VT_OK)
        status = vt_file_replace(at.recipe, text.data, text.length, false, error);
    if (status == VT_OK) {
        const vt_train_options how = options_of(&at);
        status = vt_train_in_shop_check(jobs->server->directory, &how, error);
        if (status != VT_OK)
            vt_job_hide_paths(jobs, id, error->message);
    }
    vt_buf_deinit(&text);
    free_places(&at);
    return status;
}

/* ---- the training ---- */

typedef struct view {
    vt_job_work *work;
    const char *phase;
} view;

static bool on_progress(void *context, const vt_train_progress *now)
{
    view *v = context;
    vt_jobs *jobs = v->work->jobs;
    const char *id = v->work->job->id;
    if (v->phase == NULL || strcmp(v->phase, now->phase) != 0) {
        v->phase = now->phase;
        vt_jobs_tell_stage(jobs, id, now->phase, "images");
        if (now->epochs > 0) {
            vt_jobs_tell_figure(jobs, id, "epochs", now->epochs);
            vt_jobs_tell_figure(jobs, id, "epoch", now->epoch);
            vt_jobs_tell_figure(jobs, id, "loss", now->loss);
            if (!isnan(now->value))
                vt_jobs_tell_figure(jobs, id, now->measure, now->value);
        }
    }
    return vt_jobs_tell(jobs, id, now->done, now->total);
}

static void add_promotion(vt_job_record *job, const vt_promote_report *promotion)
{
    vt_job_add_figure(job, "promoted", promotion->switched);
    if (isnan(promotion->recall_before[0]))
        return;
    vt_job_add_figure(job, "recall_before", promotion->recall_before[0]);
    vt_job_add_figure(job, "recall_after", promotion->recall_after[0]);
}

static void add_report(vt_job_record *job, const vt_train_report *report)
{
    vt_job_add_figure(job, "epochs", report->epochs);
    vt_job_add_figure(job, "best_epoch", report->best_epoch);
    vt_job_add_figure(job, "labels", (double)report->labels);
    vt_job_add_figure(job, "trained", (double)report->trained);
    vt_job_add_figure(job, "validated", (double)report->validated);
    vt_job_add_figure(job, "loss", report->loss);
    if (!isnan(report->values[report->measure]))
        vt_job_add_figure(job, report->measure_name, report->values[report->measure]);
    vt_job_add_figure(job, "took_s", report->took_s);
    if (report->promotion != NULL)
        add_promotion(job, report->promotion);
}

/* What came of the promotion is what came of the job: a training that nobody gets is kept nowhere.
 */
static vt_status end(vt_job_record *job, const vt_train_report *report, vt_error *error)
{
    if (report->promotion == NULL)
        return vt_fail(error, report->promotion_status, "%s", report->promotion_failure);
    if (!report->promotion->switched)
        snprintf(job->detail, sizeof(job->detail), "the shop keeps its encoder: %s",
                 report->promotion->refused);
    return VT_OK;
}

vt_status vt_job_train(vt_job_work *work, vt_error *error)
{
    places at;
    view v = {.work = work};
    vt_train_report *report = NULL;
    vt_status status = find_places(work->jobs, work->job->id, &at, error);
    if (status != VT_OK)
        return status;
    vt_train_options how = options_of(&at);
    how.images_dir = work->options->import_images;
    how.on_progress = on_progress;
    how.context = &v;
    status = vt_train_in_shop(work->shop, &how, &report, error);
    if (status == VT_OK) {
        work->job->report = vt_file_exists(at.report);
        add_report(work->job, report);
        status = end(work->job, report, error);
    }
    if (status == VT_ERR_CANCELLED)
        vt_fail(error, VT_ERR_CANCELLED, "cancelled; the shop keeps its encoder");
    vt_train_report_free(report);
    free_places(&at);
    return status;
}
