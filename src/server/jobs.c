/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line of jobs and the threads that run it: trainings by one, all others by another, each one
 * at a time.
 *
 * Method: all records, ended ones too, stand in one array, oldest first, which has room for the
 * line, those that run and those that are kept. A thread works on a copy; while it does, only
 * progress is written to the record, under the lock. The history is written when a job comes,
 * starts and ends: what had not ended when a server died is found there by the next one, and
 * interrupted.
 *
 * Stopping: the job that runs is told to end with its next progress, those in line are given up.
 */
#include "server/jobs.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"

#include <stdio.h>
#include <string.h>

enum { RATE_MS = 1000, TELL_MS = 250 };

static const char stopped[] = "the server was stopped";

void vt_job_id_new(char id[VT_JOB_ID_CHARS + 1])
{
    uint8_t bytes[VT_JOB_ID_CHARS / 2];
    vt_secret_random(bytes, sizeof(bytes));
    vt_hex(bytes, sizeof(bytes), id);
}

vt_job_record *vt_jobs_find(vt_jobs *jobs, const char *id)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (strcmp(jobs->items[i].id, id) == 0)
            return &jobs->items[i];
    return NULL;
}

static size_t count_state(const vt_jobs *jobs, vt_job_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < jobs->count; i++)
        count += jobs->items[i].state == state;
    return count;
}

/* With the lock held. */
static void write_history(vt_jobs *jobs)
{
    vt_error error;
    if (vt_history_write(jobs, &error) != VT_OK)
        vt_log(VT_LOG_ERROR, "%s", error.message);
}

static void forget(vt_jobs *jobs, size_t index)
{
    vt_job_clear(jobs, jobs->items[index].id, true);
    jobs->count--;
    memmove(&jobs->items[index], &jobs->items[index + 1],
            (jobs->count - index) * sizeof(*jobs->items));
}

/* Only so many of those that have ended are kept. */
static void trim(vt_jobs *jobs)
{
    size_t ended = 0;
    for (size_t i = jobs->count; i-- > 0;)
        if (vt_job_ended(&jobs->items[i]) && ++ended > VT_JOBS_KEPT)
            forget(jobs, i);
}

/* ---- running ---- */

static vt_job_lane *lane_of(vt_jobs *jobs, const vt_job_record *job)
{
    return &jobs->lanes[job->kind == VT_JOB_TRAIN ? 0 : 1];
}

static vt_job_record *next_in_line(vt_jobs *jobs, const vt_job_lane *lane)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (jobs->items[i].state == VT_JOB_STATE_QUEUED && lane_of(jobs, &jobs->items[i]) == lane)
            return &jobs->items[i];
    return NULL;
}

static void start(vt_jobs *jobs, vt_job_record *job)
{
    job->state = VT_JOB_STATE_RUNNING;
    job->started_ms = vt_clock_unix_ms();
    job->version++;
    lane_of(jobs, job)->sampled = false;
    atomic_store(&lane_of(jobs, job)->cancel, false);
    write_history(jobs);
}

/* What became of it, from the copy that was worked on. */
static void end(vt_jobs *jobs, const vt_job_record *worked)
{
    vt_job_record *job = vt_jobs_find(jobs, worked->id);
    bool asked = job->cancelling;
    job->state = worked->state;
    job->status = worked->status;
    memcpy(job->detail, worked->detail, sizeof(job->detail));
    memcpy(job->texts, worked->texts, sizeof(job->texts));
    job->text_count = worked->text_count;
    memcpy(job->figures, worked->figures, sizeof(job->figures));
    job->figure_count = worked->figure_count;
    job->report = worked->report;
    if (job->state == VT_JOB_STATE_CANCELLED && jobs->closing && !asked) {
        job->state = VT_JOB_STATE_INTERRUPTED;
        snprintf(job->detail, sizeof(job->detail), "%s", stopped);
    }
    job->cancelling = false;
    job->rate = 0.0;
    job->ended_ms = vt_clock_unix_ms();
    job->version++;
    vt_job_clear(jobs, job->id, false);
    trim(jobs);
    write_history(jobs);
}

static void give_up_line(vt_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        vt_job_record *job = &jobs->items[i];
        if (job->state != VT_JOB_STATE_QUEUED)
            continue;
        job->state = VT_JOB_STATE_INTERRUPTED;
        job->ended_ms = vt_clock_unix_ms();
        snprintf(job->detail, sizeof(job->detail), "%s", stopped);
        vt_job_clear(jobs, job->id, false);
    }
    trim(jobs);
    write_history(jobs);
}

static void run_line(void *context)
{
    const vt_job_lane *lane = context;
    vt_jobs *jobs = lane->jobs;
    vt_thread_lower(VT_NICE_JOB); /* behind those who wait for an answer */
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->closing) {
        vt_job_record *job = next_in_line(jobs, lane);
        if (job == NULL) {
            pthread_cond_wait(&jobs->queued, &jobs->lock);
            continue;
        }
        start(jobs, job);
        vt_job_record worked = *job;
        pthread_mutex_unlock(&jobs->lock);
        vt_job_run(jobs, &worked);
        pthread_mutex_lock(&jobs->lock);
        end(jobs, &worked);
    }
    give_up_line(jobs);
    pthread_mutex_unlock(&jobs->lock);
}

/* ---- progress ---- */

static void measure_rate(vt_jobs *jobs, vt_job_record *job, uint64_t done)
{
    vt_job_lane *lane = lane_of(jobs, job);
    double now_ms = vt_clock_ms(), took_ms = now_ms - lane->sampled_ms;
    /* A stage may begin where it was left: what was done before says nothing of the pace. */
    bool first = !lane->sampled || done < lane->sampled_done;
    if (!first && took_ms < RATE_MS)
        return;
    double rate = first ? 0.0 : (double)(done - lane->sampled_done) * 1000.0 / took_ms;
    /* The newest counts as much as all before: the time left follows changes of pace. */
    if (!first)
        job->rate = job->rate > 0.0 ? (job->rate + rate) / 2.0 : rate;
    lane->sampled = true;
    lane->sampled_ms = now_ms;
    lane->sampled_done = done;
}

bool vt_jobs_tell(vt_jobs *jobs, const char *id, uint64_t done, uint64_t total)
{
    pthread_mutex_lock(&jobs->lock);
    vt_job_record *job = vt_jobs_find(jobs, id);
    if (job->done != done || job->total != total) {
        measure_rate(jobs, job, done);
        job->done = done;
        job->total = total;
        job->version++;
    }
    bool cancelled = atomic_load(&lane_of(jobs, job)->cancel);
    pthread_mutex_unlock(&jobs->lock);
    return !cancelled;
}

void vt_jobs_tell_figure(vt_jobs *jobs, const char *id, const char *name, double value)
{
    pthread_mutex_lock(&jobs->lock);
    vt_job_record *job = vt_jobs_find(jobs, id);
    size_t i = 0;
    while (i < job->figure_count && strcmp(job->figures[i].name, name) != 0)
        i++;
    if (i < job->figure_count)
        job->figures[i].value = value;
    else
        vt_job_add_figure(job, name, value);
    job->version++;
    pthread_mutex_unlock(&jobs->lock);
}

void vt_jobs_tell_stage(vt_jobs *jobs, const char *id, const char *stage, const char *unit)
{
    pthread_mutex_lock(&jobs->lock);
    vt_job_record *job = vt_jobs_find(jobs, id);
    snprintf(job->stage, sizeof(job->stage), "%s", stage);
    snprintf(job->unit, sizeof(job->unit), "%s", unit);
    job->done = job->total = 0;
    job->rate = 0.0;
    job->version++;
    lane_of(jobs, job)->sampled = false;
    pthread_mutex_unlock(&jobs->lock);
}

static void tell_listeners(void *context)
{
    vt_jobs *jobs = context;
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->closing) {
        struct timespec until;
        if (jobs->listeners.count == 0) {
            pthread_cond_wait(&jobs->told, &jobs->lock);
            continue;
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TELL_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&jobs->told, &jobs->lock, &until);
        vt_events_wake(jobs, false);
    }
    pthread_mutex_unlock(&jobs->lock);
}

/* ---- what routes ask ---- */

/* With the lock held. */
static vt_status check_room(const vt_jobs *jobs, vt_error *error)
{
    if (jobs->closing)
        return vt_fail(error, VT_ERR_BUSY, "%s", stopped);
    if (count_state(jobs, VT_JOB_STATE_QUEUED) >= (size_t)jobs->server->options.job_queue)
        return vt_fail(error, VT_ERR_BUSY, "%d jobs wait already", jobs->server->options.job_queue);
    return VT_OK;
}

vt_status vt_jobs_room(vt_jobs *jobs, vt_error *error)
{
    pthread_mutex_lock(&jobs->lock);
    vt_status status = check_room(jobs, error);
    pthread_mutex_unlock(&jobs->lock);
    return status;
}

vt_status vt_jobs_add(vt_jobs *jobs, vt_job_record *job, vt_error *error)
{
    pthread_mutex_lock(&jobs->lock);
    vt_status status = check_room(jobs, error);
    if (status == VT_OK) {
        job->state = VT_JOB_STATE_QUEUED;
        job->created_ms = vt_clock_unix_ms();
        job->version = 1;
        jobs->items[jobs->count++] = *job;
        status = vt_history_write(jobs, error);
        jobs->count -= status != VT_OK;
    }
    if (status == VT_OK)
        pthread_cond_broadcast(&jobs->queued); /* to the lane that it is of */
    pthread_mutex_unlock(&jobs->lock);
    return status;
}

static vt_status no_such_job(const char *id, vt_error *error)
{
    return vt_fail(error, VT_ERR_NOT_FOUND, "there is no job \"%.40s\"", id);
}

vt_status vt_jobs_get(vt_jobs *jobs, const char *id, vt_job_record *out, vt_error *error)
{
    pthread_mutex_lock(&jobs->lock);
    const vt_job_record *job = vt_jobs_find(jobs, id);
    if (job != NULL)
        *out = *job;
    pthread_mutex_unlock(&jobs->lock);
    return job != NULL ? VT_OK : no_such_job(id, error);
}

vt_status vt_jobs_list(vt_jobs *jobs, vt_job_record **out, size_t *count, vt_error *error)
{
    vt_job_record *list = vt_alloc_array(jobs->capacity, sizeof(*list));
    if (list == NULL)
        return vt_fail_memory(error, "a list of jobs");
    pthread_mutex_lock(&jobs->lock);
    for (size_t i = 0; i < jobs->count; i++)
        list[i] = jobs->items[jobs->count - 1 - i];
    *count = jobs->count;
    pthread_mutex_unlock(&jobs->lock);
    *out = list;
    return VT_OK;
}

vt_status vt_jobs_cancel(vt_jobs *jobs, const char *id, vt_job_record *out, vt_error *error)
{
    vt_status status = VT_OK;
    pthread_mutex_lock(&jobs->lock);
    vt_job_record *job = vt_jobs_find(jobs, id);
    if (job == NULL) {
        status = no_such_job(id, error);
    } else if (vt_job_ended(job)) {
        status = vt_fail(error, VT_ERR_EXISTS, "job \"%.40s\" has ended already", id);
    } else if (job->state == VT_JOB_STATE_QUEUED) {
        job->state = VT_JOB_STATE_CANCELLED;
        job->ended_ms = vt_clock_unix_ms();
        job->version++;
        vt_job_clear(jobs, id, false);
        *out = *job;
        trim(jobs);
        write_history(jobs);
    } else {
        job->cancelling = true;
        job->version++;
        atomic_store(&lane_of(jobs, job)->cancel, true);
        *out = *job;
    }
    pthread_mutex_unlock(&jobs->lock);
    return status;
}

void vt_jobs_count(vt_jobs *jobs, size_t *running, size_t *queued)
{
    pthread_mutex_lock(&jobs->lock);
    *running = count_state(jobs, VT_JOB_STATE_RUNNING);
    *queued = count_state(jobs, VT_JOB_STATE_QUEUED);
    pthread_mutex_unlock(&jobs->lock);
}

/* ---- life ---- */

/* Folders of jobs that no history knows: the server died between writing one and noting the job. */
static void sweep_folders(vt_jobs *jobs)
{
    vt_error error;
    vt_dir_list list;
    char id[VT_JOB_ID_CHARS + 1];
    uint8_t bytes[VT_JOB_ID_CHARS / 2];
    if (vt_dir_list_open(jobs->directory, 1 << 16, &list, &error) != VT_OK)
        return;
    for (size_t i = 0; i < list.count; i++) {
        if (strlen(list.names[i]) != VT_JOB_ID_CHARS ||
            !vt_unhex(list.names[i], bytes, sizeof(bytes)))
            continue;
        memcpy(id, list.names[i], sizeof(id));
        if (vt_jobs_find(jobs, id) == NULL)
            vt_job_clear(jobs, id, true);
    }
    vt_dir_list_close(&list);
}

static vt_status open_history(vt_jobs *jobs, vt_error *error)
{
    vt_status status = vt_dir_make(jobs->directory, error);
    if (status == VT_OK)
        status = vt_history_read(jobs, error);
    if (status != VT_OK)
        return status;
    for (size_t i = 0; i < jobs->count; i++) {
        vt_job_record *job = &jobs->items[i];
        if (vt_job_ended(job))
            continue;
        job->state = VT_JOB_STATE_INTERRUPTED;
        snprintf(job->detail, sizeof(job->detail), "the server ended while it %s",
                 job->started_ms > 0 ? "ran" : "waited");
        job->ended_ms = vt_clock_unix_ms();
        vt_job_clear(jobs, job->id, false);
    }
    trim(jobs);
    sweep_folders(jobs);
    return vt_history_write(jobs, error);
}

static void init_locks(vt_jobs *jobs)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->queued, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->told, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

vt_status vt_jobs_new(vt_server *server, const char *directory, vt_jobs **out, vt_error *error)
{
    vt_jobs *jobs = vt_calloc(1, sizeof(*jobs));
    if (jobs == NULL)
        return vt_fail_memory(error, "the jobs");
    init_locks(jobs);
    jobs->server = server;
    jobs->directory = vt_path_join(directory, "jobs");
    /* A record more for the moment in which one has ended and none is forgotten yet. */
    jobs->capacity = (size_t)server->options.job_queue + VT_JOBS_KEPT + VT_JOB_LANES + 1;
    jobs->items = vt_calloc(jobs->capacity, sizeof(*jobs->items));
    vt_status status = jobs->directory == NULL || jobs->items == NULL
                           ? vt_fail_memory(error, "the jobs")
                           : open_history(jobs, error);
    for (size_t i = 0; status == VT_OK && i < VT_JOB_LANES; i++) {
        vt_job_lane *lane = &jobs->lanes[i];
        lane->jobs = jobs;
        status =
            vt_thread_start(i == 0 ? "vt-train" : "vt-jobs", run_line, lane, &lane->runner, error);
    }
    if (status == VT_OK)
        status = vt_thread_start("vt-events", tell_listeners, jobs, &jobs->teller, error);
    if (status != VT_OK) {
        vt_jobs_free(jobs);
        return status;
    }
    *out = jobs;
    return VT_OK;
}

void vt_jobs_stop(vt_jobs *jobs)
{
    if (jobs == NULL)
        return;
    pthread_mutex_lock(&jobs->lock);
    jobs->closing = true;
    for (size_t i = 0; i < VT_JOB_LANES; i++)
        atomic_store(&jobs->lanes[i].cancel, true);
    vt_events_wake(jobs, true);
    pthread_cond_broadcast(&jobs->queued);
    pthread_cond_broadcast(&jobs->told);
    pthread_mutex_unlock(&jobs->lock);
}

void vt_jobs_free(vt_jobs *jobs)
{
    if (jobs == NULL)
        return;
    vt_jobs_stop(jobs);
    for (size_t i = 0; i < VT_JOB_LANES; i++)
        vt_thread_join(jobs->lanes[i].runner);
    vt_thread_join(jobs->teller);
    pthread_cond_destroy(&jobs->told);
    pthread_cond_destroy(&jobs->queued);
    pthread_mutex_destroy(&jobs->lock);
    vt_free(jobs->items);
    vt_free(jobs->directory);
    vt_free(jobs);
}
