/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job of each kind does, on the server's own shop, which holds the writer's place.
 *
 * An import has the writer's turn for as long as it runs: whoever wants to change a product
 * meanwhile is told to come back, so that no change is made to what an import replaces at that
 * moment. Searches go on. Its pictures come from what was uploaded with the feed, else from the
 * folder that the operator opened, else from nowhere: paths are never followed out of that folder.
 */
#include "server/jobs.h"

#include "base/file.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FOLDER_DEPTH = 10, FOLDER_NAMES = 1 << 16, MEGABYTE = 1000000 };

typedef vt_job_work run;

/* ---- folders ---- */

char *vt_job_path(const vt_jobs *jobs, const char *id, const char *name)
{
    char *folder = vt_path_join(jobs->directory, id);
    if (folder == NULL || name == NULL)
        return folder;
    char *path = vt_path_join(folder, name);
    vt_free(folder);
    return path;
}

/* What stays when a job has ended. */
static bool is_kept(const char *name)
{
    return strcmp(name, "rejects.csv") == 0 || strcmp(name, "report.html") == 0;
}

/* Nothing in it is a link: all of it was written here. */
static void remove_tree(const char *path, bool keep, int depth)
{
    vt_error error;
    vt_dir_list list;
    if (unlink(path) == 0 || depth == 0 || !vt_dir_exists(path) ||
        vt_dir_list_open(path, FOLDER_NAMES, &list, &error) != VT_OK)
        return;
    for (size_t i = 0; i < list.count; i++) {
        char *inside = keep && is_kept(list.names[i]) ? NULL : vt_path_join(path, list.names[i]);
        if (inside != NULL)
            remove_tree(inside, false, depth - 1);
        vt_free(inside);
    }
    vt_dir_list_close(&list);
    rmdir(path); /* stays where something was kept */
}

void vt_job_clear(const vt_jobs *jobs, const char *id, bool everything)
{
    char *folder = vt_job_path(jobs, id, NULL);
    if (folder != NULL)
        remove_tree(folder, !everything, FOLDER_DEPTH);
    vt_free(folder);
}

void vt_job_hide_paths(const vt_jobs *jobs, const char *id, char *text)
{
    char *folder = vt_job_path(jobs, id, NULL);
    vt_path_hide(text, folder);
    vt_path_hide(text, jobs->server->options.import_images);
    vt_free(folder);
}

/* ---- results ---- */

void vt_job_add_figure(vt_job_record *job, const char *name, double value)
{
    if (job->figure_count == VT_JOB_FIGURES)
        return;
    vt_job_figure *figure = &job->figures[job->figure_count++];
    snprintf(figure->name, sizeof(figure->name), "%s", name);
    figure->value = value;
}

void vt_job_add_text(vt_job_record *job, const char *name, const char *text)
{
    if (job->text_count == VT_JOB_TEXTS)
        return;
    vt_job_text *member = &job->texts[job->text_count++];
    snprintf(member->name, sizeof(member->name), "%s", name);
    snprintf(member->text, sizeof(member->text), "%s", text);
}

bool vt_job_on_progress(void *context, uint64_t done, uint64_t total)
{
    const run *r = context;
    return vt_jobs_tell(r->jobs, r->job->id, done, total);
}

static void on_phase(void *context, const char *phase, const char *unit)
{
    const run *r = context;
    vt_jobs_tell_stage(r->jobs, r->job->id, phase, unit);
}

/* ---- import ---- */

const char *vt_job_images(const vt_job_work *work, const char *uploaded)
{
    bool opened = !work->job->pictures && work->options->import_images != NULL;
    return opened ? work->options->import_images : uploaded;
}

static void add_report(vt_job_record *job, const vt_import_report *report)
{
    vt_job_add_figure(job, "rows", (double)report->rows);
    vt_job_add_figure(job, "imported", (double)report->imported);
    vt_job_add_figure(job, "updated", (double)report->updated);
    vt_job_add_figure(job, "unchanged", (double)report->unchanged);
    vt_job_add_figure(job, "rejected", (double)report->rejected_rows);
    vt_job_add_figure(job, "rejected_images", (double)report->rejected_pictures);
    vt_job_add_figure(job, "images", (double)report->pictures);
    vt_job_add_figure(job, "exact_duplicates", (double)report->exact_duplicates);
    vt_job_add_figure(job, "near_duplicates", (double)report->near_duplicates);
    vt_job_add_figure(job, "took_s", report->took_s);
}

/* Waits for changes under way, then keeps others away; or lets them in again. */
static void set_importing(vt_server *server, bool importing)
{
    pthread_mutex_lock(&server->write_lock);
    server->importing = importing;
    pthread_mutex_unlock(&server->write_lock);
}

static vt_status import(run *r, vt_error *error)
{
    vt_import_report report = {0};
    vt_import_options how = vt_import_options_defaults();
    vt_server *server = r->jobs->server;
    char *feed = vt_job_path(r->jobs, r->job->id, r->job->feed);
    char *images = vt_job_path(r->jobs, r->job->id, "images");
    char *rejects = vt_job_path(r->jobs, r->job->id, "rejects.csv");
    vt_status status = VT_OK;
    if (feed == NULL || images == NULL || rejects == NULL) {
        status = vt_fail_memory(error, "a path");
    } else {
        how.images_dir = vt_job_images(r, images);
        how.rejects_path = rejects;
        how.no_remote = !r->options->import_remote;
        how.on_phase = on_phase;
        how.on_progress = vt_job_on_progress;
        how.context = r;
        set_importing(server, true);
        status = vt_shop_import(r->shop, feed, &how, &report, error);
        set_importing(server, false);
        add_report(r->job, &report);
    }
    if (status == VT_OK && report.cancelled)
        status = vt_fail(error, VT_ERR_CANCELLED, "cancelled; what was imported until then stays");
    vt_free(feed);
    vt_free(images);
    vt_free(rejects);
    return status;
}

/* ---- index ---- */

static vt_status build_index(run *r, vt_error *error)
{
    char why[VT_INDEX_WHY] = "";
    vt_index_options how = {.kind = r->job->index,
                            .memory_bytes = (uint64_t)r->job->memory_mb * MEGABYTE,
                            .on_progress = vt_job_on_progress,
                            .context = r,
                            .why = why};
    vt_index_info info;
    on_phase(r, "index", "vectors");
    vt_status status = vt_shop_index_build(r->shop, &how, error);
    if (status == VT_OK)
        status = vt_shop_index_info(r->shop, &info, error);
    if (status != VT_OK)
        return status;
    vt_job_add_text(r->job, "index", info.kind);
    vt_job_add_text(r->job, "codec", info.codec);
    vt_job_add_text(r->job, "why", why);
    vt_job_add_figure(r->job, "vectors", (double)info.vectors);
    vt_job_add_figure(r->job, "products", (double)info.products);
    vt_job_add_figure(r->job, "graph_bytes", (double)info.graph_bytes);
    vt_job_add_figure(r->job, "list_bytes", (double)info.list_bytes);
    vt_job_add_figure(r->job, "vector_bytes", (double)info.vector_bytes);
    vt_job_add_figure(r->job, "snapshot_bytes", (double)info.snapshot_bytes);
    return VT_OK;
}

static vt_status check_index(run *r, vt_error *error)
{
    vt_index_check check;
    const vt_index_measure how = {.queries = r->job->sample,
                                  .on_phase = on_phase,
                                  .on_progress = vt_job_on_progress,
                                  .context = r};
    vt_status status = vt_shop_index_check(r->shop, &how, &check, error);
    if (status != VT_OK)
        return status;
    vt_job_add_figure(r->job, "queries", (double)check.queries);
    vt_job_add_figure(r->job, "k", (double)check.k);
    vt_job_add_figure(r->job, "recall", check.recall);
    vt_job_add_figure(r->job, "worst", check.worst);
    vt_job_add_figure(r->job, "visited", check.mean_visited);
    return VT_OK;
}

void vt_job_run(vt_jobs *jobs, vt_job_record *job)
{
    static vt_status (*const kinds[VT_JOB_KIND_COUNT])(run *, vt_error *) = {
        import, build_index, check_index, vt_job_train, vt_job_eval};
    run r = {
        .jobs = jobs, .job = job, .shop = jobs->server->shop, .options = &jobs->server->options};
    vt_error error = {0};
    vt_status status = kinds[job->kind](&r, &error);
    job->state = status == VT_OK              ? VT_JOB_STATE_DONE
                 : status == VT_ERR_CANCELLED ? VT_JOB_STATE_CANCELLED
                                              : VT_JOB_STATE_FAILED;
    if (status == VT_OK)
        return;
    if (status != VT_ERR_CANCELLED) {
        job->status = status;
        vt_log(VT_LOG_ERROR, "job %s: %s", job->id, error.message);
    }
    vt_job_hide_paths(jobs, job->id, error.message);
    snprintf(job->detail, sizeof(job->detail), "%s", error.message);
}
