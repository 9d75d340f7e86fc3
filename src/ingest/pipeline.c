/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run: reader -> workers -> committer.
 *
 * Method: a fixed number of jobs goes round. The reader takes a free one, fills it from the feed
 * and queues it; workers bring it to its outcome; the calling thread, as the committer, puts jobs
 * back in the feed's order, writes them to the store one transaction each, and frees them. The
 * number of jobs bounds memory whatever the length of the feed, and is large enough that one slow
 * picture does not hold the others up. In feed order the result is the same for any number of
 * workers.
 *
 * Stopping (a cancel or a store that fails): the reader ends, workers drop what they have not
 * begun, what is finished is still committed after a cancel. A product is counted only after its
 * commit, so there is nothing to undo; the next run finds it unchanged.
 */
#include "ingest/duplicates.h"
#include "ingest/feed.h"
#include "ingest/rejects.h"
#include "ingest/seen.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

enum {
    PIPELINE_WORKERS_PER_CORE = 2, /* one decodes while the other waits for the network to run */
    PIPELINE_MOST_WORKERS = 1024,
    PIPELINE_JOBS_PER_WORKER = 16,
    PIPELINE_LEAST_JOBS = 64,
    PIPELINE_ARENA_BYTES = 1 << 30, /* vectors of many pictures; texts are bounded by the feed */
    PIPELINE_KEEP_BYTES = 1 << 20,  /* a job's arena larger than this is given back */
    PIPELINE_PROGRESS_MS = 100,
};

typedef struct pipeline {
    const vt_ingest_options *options;
    vt_ingest_report *report;
    vt_store *store;
    vt_worker_setting setting;
    vt_feed *feed;
    vt_table *rejects, *duplicates_table;
    vt_duplicates *duplicates;
    vt_batcher *batcher;
    vt_seen seen;       /* the reader's */
    vt_status feed_end; /* the reader's, read after it was joined */
    vt_error feed_error;
    vt_queue *free_jobs, *todo, *done;
    vt_job *jobs;  /* (job_count) */
    vt_job **ring; /* (job_count) finished ones that wait for their turn */
    size_t job_count;
    int worker_count;
    vt_thread *reader;
    vt_thread **workers; /* (worker_count) */
    atomic_int working;  /* workers that have not ended */
    atomic_bool stop;
    /* the committer's */
    uint64_t next_sequence;
    double position, started_ms, told_ms;
    vt_status failed;
    vt_error failure;
} pipeline;

vt_ingest_options vt_ingest_options_defaults(void)
{
    return (vt_ingest_options){
        .jobs = 0, .near_duplicate_bits = 3, .thumbnail_px = 256, .allow_remote = true};
}

/* ---- reader ---- */

static vt_status reader_check_id(pipeline *run, vt_job *job)
{
    uint64_t first_line;
    const char *id = job->row.product.id;
    vt_status status = vt_seen_add(&run->seen, id, job->row.line, &first_line, &job->error);
    if (status != VT_OK || first_line == 0)
        return status;
    vt_fail(&job->error, VT_ERR_EXISTS, "id \"%s\" stands on line %" PRIu64 " already", id,
            first_line);
    job->outcome = VT_JOB_REJECTED;
    return VT_OK;
}

/* False at the end of the feed. */
static bool reader_fill(pipeline *run, vt_job *job)
{
    job->row.arena = &job->arena;
    vt_status status = vt_feed_next(run->feed, &job->row, &job->error);
    if (status == VT_OK && !job->row.product.id)
        return false;
    job->outcome = status == VT_OK ? VT_JOB_OPEN : VT_JOB_REJECTED;
    if (status == VT_OK)
        status = reader_check_id(run, job);
    if (status != VT_OK && !vt_feed_status_is_of_row(status)) {
        run->feed_end = status;
        run->feed_error = job->error;
        return false;
    }
    job->position = vt_feed_position(run->feed);
    return true;
}

static void reader_main(void *context)
{
    pipeline *run = context;
    uint64_t sequence = 0;
    vt_job *job;
    while (!atomic_load(&run->stop) && (job = vt_queue_take(run->free_jobs)) != NULL) {
        if (!reader_fill(run, job))
            break;
        job->sequence = sequence++;
        vt_queue_push(run->todo, job);
    }
    vt_queue_close(run->todo);
}

/* ---- workers ---- */

static void worker_main(void *context)
{
    pipeline *run = context;
    vt_worker worker = {.setting = &run->setting};
    vt_job *job;
    while ((job = vt_queue_take(run->todo)) != NULL) {
        if (atomic_load(&run->stop))
            job->outcome = VT_JOB_DROPPED;
        else if (job->outcome == VT_JOB_OPEN)
            vt_worker_process(&worker, job);
        vt_queue_push(run->done, job);
    }
    vt_worker_deinit(&worker);
    if (atomic_fetch_sub(&run->working, 1) == 1)
        vt_queue_close(run->done);
}

/* ---- committer ---- */

static void committer_stop(pipeline *run)
{
    atomic_store(&run->stop, true);
    vt_queue_close(run->free_jobs);
}

static void committer_fail(pipeline *run, const vt_error *error)
{
    if (run->failed == VT_OK) {
        run->failed = error->status;
        run->failure = *error;
    }
    committer_stop(run);
}

/* Calls back at most some times a second; a false answer cancels. */
static void committer_tell(pipeline *run, bool last)
{
    const vt_ingest_options *options = run->options;
    vt_ingest_report *report = run->report;
    double now_ms = vt_clock_ms();
    if (!options->on_progress || (!last && now_ms - run->told_ms < PIPELINE_PROGRESS_MS))
        return;
    run->told_ms = now_ms;
    vt_ingest_progress progress = {.done = report->rows,
                                   .total = vt_feed_total(run->feed),
                                   .imported = report->imported + report->updated,
                                   .unchanged = report->unchanged,
                                   .rejected = report->rejected_rows};
    if (progress.total == 0 && run->position > 0)
        progress.total = (uint64_t)((double)report->rows / run->position + 0.5);
    if (progress.total < progress.done)
        progress.total = progress.done;
    if (!options->on_progress(options->context, &progress) && !last) {
        report->cancelled = true;
        committer_stop(run);
    }
}

static void committer_put(pipeline *run, vt_job *job)
{
    vt_ingest_report *report = run->report;
    const vt_product *product = &job->row.product;
    vt_error error;
    vt_status status = vt_store_put(run->store, run->setting.model, product, &error);
    /* What the store refuses of one product says nothing about the next. */
    if (status == VT_ERR_USAGE || status == VT_ERR_LIMIT) {
        job->error = error;
        report->rows++;
        vt_rejects_add_row(run->rejects, job, report);
        return;
    }
    if (status != VT_OK) {
        committer_fail(run, &error);
        return;
    }
    report->rows++;
    report->imported += !job->known;
    report->updated += job->known;
    report->pictures += job->embedded;
    vt_rejects_add_job(run->rejects, job, report);
    if (vt_duplicates_add(run->duplicates, product, &error) != VT_OK)
        committer_fail(run, &error);
}

static void committer_take_over(pipeline *run, vt_job *job)
{
    vt_ingest_report *report = run->report;
    if (run->failed != VT_OK || job->outcome == VT_JOB_DROPPED)
        return;
    switch (job->outcome) {
    case VT_JOB_READY:
        committer_put(run, job);
        break;
    case VT_JOB_FAILED:
        committer_fail(run, &job->error);
        break;
    default:
        report->rows++;
        report->unchanged += job->outcome == VT_JOB_UNCHANGED;
        vt_rejects_add_job(run->rejects, job, report);
        break;
    }
    run->position = job->position;
    if (!atomic_load(&run->stop))
        committer_tell(run, false);
}

static void committer_recycle(pipeline *run, vt_job *job)
{
    if (job->arena.used_bytes > PIPELINE_KEEP_BYTES)
        vt_arena_deinit(&job->arena);
    else
        vt_arena_reset(&job->arena);
    vt_arena arena = job->arena;
    *job = (vt_job){.arena = arena};
    vt_queue_push(run->free_jobs, job);
}

/* Until every worker has ended: jobs in the order of the feed. */
static void committer_main(pipeline *run)
{
    vt_job *job;
    while ((job = vt_queue_take(run->done)) != NULL) {
        run->ring[job->sequence % run->job_count] = job;
        for (;;) {
            vt_job **place = &run->ring[run->next_sequence % run->job_count];
            vt_job *next = *place;
            if (!next)
                break;
            *place = NULL;
            run->next_sequence++;
            committer_take_over(run, next);
            committer_recycle(run, next);
        }
    }
}

/* ---- setting up and taking down ---- */

/* Refuses to write a report over what is being read. */
static vt_status pipeline_open_table(const char *path, const char *source,
                                     const char *const *header, size_t columns, vt_table **out,
                                     vt_error *error)
{
    struct stat read_info, write_info;
    if (!path)
        return VT_OK;
    if (stat(source, &read_info) == 0 && stat(path, &write_info) == 0 &&
        read_info.st_dev == write_info.st_dev && read_info.st_ino == write_info.st_ino)
        return vt_fail(error, VT_ERR_USAGE, "write \"%s\": it is the feed itself", path);
    return vt_table_open(path, header, columns, out, error);
}

static vt_status pipeline_set_up_jobs(pipeline *run, vt_error *error)
{
    int workers =
        run->options->jobs > 0 ? run->options->jobs : vt_core_count() * PIPELINE_WORKERS_PER_CORE;
    if (workers > PIPELINE_MOST_WORKERS)
        workers = PIPELINE_MOST_WORKERS;
    size_t count = (size_t)workers * PIPELINE_JOBS_PER_WORKER;
    if (count < PIPELINE_LEAST_JOBS)
        count = PIPELINE_LEAST_JOBS;
    run->workers = vt_calloc((size_t)workers, sizeof *run->workers);
    run->jobs = vt_calloc(count, sizeof *run->jobs);
    run->ring = vt_calloc(count, sizeof *run->ring);
    if (!run->workers || !run->jobs || !run->ring)
        return vt_fail_memory(error, "the jobs of an import");
    run->worker_count = workers;
    run->job_count = count;
    for (size_t i = 0; i < count; i++)
        vt_arena_init(&run->jobs[i].arena, PIPELINE_ARENA_BYTES);
    vt_status status = vt_queue_new(count, &run->free_jobs, error);
    if (status == VT_OK)
        status = vt_queue_new(count, &run->todo, error);
    if (status == VT_OK)
        status = vt_queue_new(count, &run->done, error);
    for (size_t i = 0; status == VT_OK && i < count; i++)
        vt_queue_push(run->free_jobs, &run->jobs[i]);
    return status;
}

static vt_status pipeline_set_up(pipeline *run, const vt_encoder *encoder, const char *source,
                                 vt_error *error)
{
    const vt_ingest_options *options = run->options;
    vt_batcher_options batching = vt_batcher_options_defaults();
    batching.bulk = true;
    if (options->thumbnail_px < 1)
        return vt_fail(error, VT_ERR_USAGE, "import \"%s\": thumbnails of %d px", source,
                       options->thumbnail_px);
    vt_status status = vt_feed_open(source, &options->feed, &run->feed, error);
    if (status == VT_OK && run->feed->is_folder && options->images_dir)
        status = vt_fail(error, VT_ERR_USAGE,
                         "import folder \"%s\": its pictures are inside it, not in \"%s\"", source,
                         options->images_dir);
    if (status == VT_OK)
        status = pipeline_open_table(options->rejects_path, source, vt_rejects_header,
                                     VT_REJECTS_COLUMNS, &run->rejects, error);
    if (status == VT_OK)
        status = pipeline_open_table(options->duplicates_path, source, vt_duplicates_header,
                                     VT_DUPLICATES_COLUMNS, &run->duplicates_table, error);
    if (status == VT_OK)
        status = vt_duplicates_new(run->store, options->near_duplicate_bits, run->duplicates_table,
                                   &run->duplicates, error);
    if (status == VT_OK)
        status = vt_batcher_new(encoder, &batching, &run->batcher, error);
    if (status == VT_OK)
        status = pipeline_set_up_jobs(run, error);
    if (status != VT_OK)
        return status;
    vt_worker_setting *setting = &run->setting;
    setting->encoder = vt_encoder_info_of(encoder);
    setting->batcher = run->batcher;
    setting->images_dir = options->images_dir ? options->images_dir : vt_feed_images_dir(run->feed);
    setting->decode = vt_decode_options_defaults();
    if (setting->encoder.fit_width > 0 && setting->encoder.fit_height > 0) {
        int least = options->thumbnail_px;
        setting->decode.fit_width =
            setting->encoder.fit_width > least ? setting->encoder.fit_width : least;
        setting->decode.fit_height =
            setting->encoder.fit_height > least ? setting->encoder.fit_height : least;
    }
    return VT_OK;
}

/* One worker is enough to go on with; none, or no reader, ends the run. */
static void pipeline_start(pipeline *run)
{
    vt_error error;
    int started = 0;
    atomic_store(&run->working, 1); /* this function's own share, until all have started */
    for (int i = 0; i < run->worker_count; i++) {
        atomic_fetch_add(&run->working, 1);
        if (vt_thread_start("import worker", worker_main, run, &run->workers[i], &error) != VT_OK) {
            atomic_fetch_sub(&run->working, 1);
            break;
        }
        started++;
    }
    if (started == 0 ||
        vt_thread_start("import reader", reader_main, run, &run->reader, &error) != VT_OK) {
        committer_fail(run, &error);
        vt_queue_close(run->todo);
    }
    if (atomic_fetch_sub(&run->working, 1) == 1)
        vt_queue_close(run->done);
}

static void pipeline_join(pipeline *run)
{
    vt_thread_join(run->reader);
    for (int i = 0; i < run->worker_count; i++)
        vt_thread_join(run->workers[i]);
}

/* Everything but the report tables, whose closing can fail. */
static void pipeline_tear_down(pipeline *run)
{
    for (size_t i = 0; i < run->job_count; i++)
        vt_arena_deinit(&run->jobs[i].arena);
    vt_queue_free(run->free_jobs);
    vt_queue_free(run->todo);
    vt_queue_free(run->done);
    vt_free(run->jobs);
    vt_free(run->ring);
    vt_free(run->workers);
    vt_batcher_free(run->batcher);
    vt_duplicates_free(run->duplicates);
    vt_seen_deinit(&run->seen);
    vt_feed_close(run->feed);
}

static void pipeline_run(pipeline *run)
{
    pipeline_start(run);
    committer_main(run);
    pipeline_join(run);
    if (run->failed == VT_OK && run->feed_end != VT_OK)
        committer_fail(run, &run->feed_error);
    committer_tell(run, true);
}

vt_status vt_ingest_run(vt_store *store, uint32_t model, const vt_encoder *encoder,
                        const char *source, const vt_ingest_options *options,
                        vt_ingest_report *report, vt_error *error)
{
    vt_error detail, closing;
    double started_ms = vt_clock_ms();
    *report = (vt_ingest_report){0};
    pipeline run = {.options = options, .report = report, .store = store};
    run.setting = (vt_worker_setting){.store = store, .model = model, .options = options};
    vt_seen_init(&run.seen);
    vt_status status = pipeline_set_up(&run, encoder, source, &detail);
    if (status == VT_OK) {
        pipeline_run(&run);
        status = run.failed;
        detail = run.failure;
    }
    if (run.duplicates) {
        report->exact_duplicates = vt_duplicates_exact(run.duplicates);
        report->near_duplicates = vt_duplicates_near(run.duplicates);
    }
    pipeline_tear_down(&run);
    vt_table *tables[] = {run.rejects, run.duplicates_table};
    for (int i = 0; i < 2; i++) {
        if (vt_table_close(tables[i], &closing) != VT_OK && status == VT_OK) {
            status = closing.status;
            detail = closing;
        }
    }
    if (status != VT_OK && error)
        *error = detail;
    report->took_s = (vt_clock_ms() - started_ms) / 1000;
    return status;
}
