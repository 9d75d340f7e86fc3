/* SPDX-License-Identifier: Apache-2.0 */
/* Import, as the public API has it: src/ingest with the shop's store and encoder. */
#include "shop/promote.h"

#include "base/file.h"
#include "base/log.h"
#include "ingest/ingest.h"

vt_import_options vt_import_options_defaults(void)
{
    return (vt_import_options){0};
}

typedef struct progress_bridge {
    vt_on_progress *on_progress;
    void *context;
} progress_bridge;

static bool report_progress(void *context, const vt_ingest_progress *progress)
{
    const progress_bridge *bridge = context;
    return bridge->on_progress(bridge->context, progress->done, progress->total);
}

/* `given`, or `name` in the shop's directory. *owned is to be freed. */
static const char *path_or_default(const vt_shop *shop, const char *given, const char *name,
                                   char **owned)
{
    if (given != NULL)
        return given;
    *owned = vt_path_join(shop->directory, name);
    return *owned;
}

typedef struct import_plan {
    const vt_import_options *options; /* as asked for */
    const vt_ingest_options *how;
} import_plan;

/* Without phases the bar stays at its end; an interruption is heard. */
typedef struct index_bridge {
    const vt_import_options *options;
    uint64_t rows;
} index_bridge;

static bool report_index(void *context, uint64_t done, uint64_t total)
{
    const index_bridge *bridge = context;
    const vt_import_options *options = bridge->options;
    bool phases = options->on_phase != NULL;
    return options->on_progress == NULL ||
           options->on_progress(options->context, phases ? done : bridge->rows,
                                phases ? total : bridge->rows);
}

/* So that the next search finds an index. The import is done: what fails here is only said. */
static void refresh_index(vt_shop *shop, const vt_import_options *options,
                          const vt_import_report *report)
{
    vt_searcher searcher;
    vt_error error;
    index_bridge bridge = {options, report->rows};
    if (options->on_phase != NULL)
        options->on_phase(options->context, "index", "vectors");
    vt_status status = vt_shop_need_scanner(shop, &searcher, &error);
    const vt_store_index_options how = {
        .pool = searcher.pool, .on_progress = report_index, .context = &bridge};
    if (status == VT_OK)
        status = vt_store_index_refresh(shop->store, shop->model, &how, &error);
    if (status != VT_OK && status != VT_ERR_CANCELLED)
        vt_log(VT_LOG_WARN, "%s; the next search scans", error.message);
}

/* Inside vt_shop_enter. */
static vt_status run_inside(vt_shop *shop, const char *source, const import_plan *plan,
                            vt_import_report *report, vt_error *error)
{
    vt_status status = vt_shop_need_encoder(shop, error);
    if (status == VT_OK && shop->writing)
        status = vt_promote_clean(shop, error);
    if (status == VT_OK)
        status = vt_ingest_run(shop->store, shop->model, shop->encoder, source, plan->how, report,
                               error);
    if (status == VT_OK && !report->cancelled)
        refresh_index(shop, plan->options, report);
    return status;
}

static vt_status run(vt_shop *shop, const char *source, const import_plan *plan,
                     vt_import_report *report, vt_error *error)
{
    pthread_mutex_lock(&shop->writing_turn);
    vt_status status = vt_shop_enter(shop, NULL, error);
    if (status == VT_OK) {
        status = run_inside(shop, source, plan, report, error);
        vt_shop_leave(shop);
    }
    pthread_mutex_unlock(&shop->writing_turn);
    return status;
}

vt_status vt_shop_import(vt_shop *shop, const char *source, const vt_import_options *options,
                         vt_import_report *report, vt_error *error)
{
    char *rejects = NULL, *duplicates = NULL;
    progress_bridge bridge = {options->on_progress, options->context};
    vt_ingest_options how = vt_ingest_options_defaults();
    how.feed.product_per_folder = options->product_per_folder;
    how.images_dir = options->images_dir;
    how.rejects_path = path_or_default(shop, options->rejects_path, "rejects.csv", &rejects);
    how.duplicates_path =
        path_or_default(shop, options->duplicates_path, "duplicates.csv", &duplicates);
    how.jobs = options->jobs;
    how.allow_remote = !options->no_remote;
    how.allow_private_hosts = options->allow_private_hosts;
    if (options->on_progress != NULL) {
        how.on_progress = report_progress;
        how.context = &bridge;
    }
    if (options->on_phase != NULL)
        options->on_phase(options->context, "import", "products");
    vt_status status = VT_OK;
    if (how.rejects_path == NULL || how.duplicates_path == NULL)
        status = vt_fail_memory(error, "a path");
    /* Said once here instead of once per picture. */
    else if (options->images_dir != NULL && !vt_dir_exists(options->images_dir))
        status = vt_fail(error, VT_ERR_NOT_FOUND,
                         "import \"%s\" with pictures from \"%s\": no such directory", source,
                         options->images_dir);
    else
        status = run(shop, source, &(import_plan){options, &how}, report, error);
    vt_free(rejects);
    vt_free(duplicates);
    return status;
}
