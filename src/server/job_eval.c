/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An evaluation as a job: every photo of a list is searched with, and how high its product comes is
 * counted (vt_shop_eval, docs/evaluation.md). Figures are the job's result; a page of them, with
 * what was left out and why, stays as jobs/<id>/report.html.
 */
#include "server/jobs.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_BYTES = 16 << 20, PAGE_FAILURES = 1000 };

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>vitrine: evaluation</title>\n<style>"
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;"
    "max-width:60em;padding:0 1em}table{border-collapse:collapse}th,td{padding:.2em .8em;"
    "text-align:right;border-bottom:1px solid #8886}td:first-child,th:first-child{text-align:left}"
    "</style>\n</head>\n<body>\n<h1>Evaluation</h1>\n";

static void put_measures(vt_buf *page, const vt_eval_report *report)
{
    vt_buf_printf(page, "<p>%zu queries, %zu left out, %.1f s</p>\n", report->queries,
                  report->failed_count, report->took_s);
    vt_buf_append_text(page, "<table><tr><th>k</th><th>recall</th><th>precision</th></tr>\n");
    for (size_t i = 0; i < report->k_count; i++)
        vt_buf_printf(page, "<tr><td>%zu</td><td>%.4f</td><td>%.4f</td></tr>\n", report->k[i],
                      report->recall[i], report->precision[i]);
    vt_buf_printf(page,
                  "</table>\n<p>Mean average precision %.4f, mean reciprocal rank %.4f, "
                  "over the first %zu.</p>\n",
                  report->map, report->mrr, report->depth);
}

static void put_categories(vt_buf *page, const vt_eval_report *report)
{
    if (report->category_count == 0)
        return;
    vt_buf_append_text(page, "<h2>By category</h2>\n<table><tr><th>category</th><th>queries</th>");
    for (size_t k = 0; k < report->k_count; k++)
        vt_buf_printf(page, "<th>recall@%zu</th>", report->k[k]);
    vt_buf_append_text(page, "</tr>\n");
    for (size_t i = 0; i < report->category_count; i++) {
        vt_buf_append_text(page, "<tr><td>");
        vt_buf_append_html(page, report->categories[i].category);
        vt_buf_printf(page, "</td><td>%zu</td>", report->categories[i].queries);
        for (size_t k = 0; k < report->k_count; k++)
            vt_buf_printf(page, "<td>%.4f</td>", report->categories[i].recall[k]);
        vt_buf_append_text(page, "</tr>\n");
    }
    vt_buf_append_text(page, "</table>\n");
}

static void put_failures(vt_buf *page, const vt_job_work *work, const vt_eval_report *report)
{
    char reason[512];
    if (report->failed_count == 0)
        return;
    vt_buf_append_text(page, "<h2>Left out</h2>\n<ul>\n");
    for (size_t i = 0; i < report->failed_count && i < PAGE_FAILURES; i++) {
        snprintf(reason, sizeof(reason), "%s", report->failed[i].reason);
        vt_job_hide_paths(work->jobs, work->job->id, reason);
        vt_buf_append_text(page, "<li>");
        vt_buf_append_html(page, report->failed[i].photo);
        vt_buf_append_text(page, ": ");
        vt_buf_append_html(page, reason);
        vt_buf_append_text(page, "</li>\n");
    }
    vt_buf_append_text(page, "</ul>\n");
    if (report->failed_count > PAGE_FAILURES)
        vt_buf_printf(page, "<p>and %zu more</p>\n", report->failed_count - PAGE_FAILURES);
}

static vt_status write_page(vt_job_work *work, const vt_eval_report *report, vt_error *error)
{
    vt_buf page;
    char *path = vt_job_path(work->jobs, work->job->id, "report.html");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_buf_init(&page, PAGE_BYTES);
    vt_buf_append_text(&page, head);
    put_measures(&page, report);
    put_categories(&page, report);
    put_failures(&page, work, report);
    vt_buf_append_text(&page, "</body>\n</html>\n");
    vt_status status = page.failed ? vt_fail_memory(error, "the page")
                                   : vt_file_replace(path, page.data, page.length, false, error);
    work->job->report = status == VT_OK;
    vt_buf_deinit(&page);
    vt_free(path);
    return status;
}

static void add_report(vt_job_record *job, const vt_eval_report *report)
{
    char name[sizeof(job->figures[0].name)];
    vt_job_add_figure(job, "queries", (double)report->queries);
    for (size_t i = 0; i < report->k_count; i++) {
        snprintf(name, sizeof(name), "recall@%zu", report->k[i]);
        vt_job_add_figure(job, name, report->recall[i]);
    }
    vt_job_add_figure(job, "map", report->map);
    vt_job_add_figure(job, "mrr", report->mrr);
    vt_job_add_figure(job, "left_out", (double)report->failed_count);
    vt_job_add_figure(job, "took_s", report->took_s);
}

vt_status vt_job_eval(vt_job_work *work, vt_error *error)
{
    const vt_job_record *job = work->job;
    vt_eval_report *report = NULL;
    vt_eval_options how = vt_eval_options_defaults();
    char *queries = vt_job_path(work->jobs, job->id, job->feed);
    char *images = vt_job_path(work->jobs, job->id, "images");
    vt_status status = VT_OK;
    if (queries == NULL || images == NULL) {
        status = vt_fail_memory(error, "a path");
    } else {
        how.images_dir = vt_job_images(work, images);
        how.on_progress = vt_job_on_progress;
        how.context = work;
        vt_jobs_tell_stage(work->jobs, job->id, "eval", "queries");
        status = vt_shop_eval(work->shop, queries, &how, &report, error);
    }
    if (status == VT_OK) {
        add_report(work->job, report);
        status = write_page(work, report, error);
    }
    vt_eval_report_free(report);
    vt_free(queries);
    vt_free(images);
    return status;
}
