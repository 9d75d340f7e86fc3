/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/server: work that outlasts a request. Jobs wait in line, one runs at a time beside
 * searches, and what became of the last ones is kept in the shop's directory. Trainings, which take
 * hours, have a lane of their own, so that imports need not wait for them.
 *
 *     jobs.c          the line, the thread that runs it, cancelling
 *     job_run.c       what a job of each kind does
 *     job_train.c     a training on the shop itself, and whether it is promoted
 *     job_eval.c      how well photos find their products, with a page about it
 *     job_upload.c    a body becomes a feed with its pictures below jobs/<id>
 *     job_history.c   jobs/history.json
 *     job_json.c      a job as clients and the history see it
 *     job_rejects.c   a page of what an import rejected
 *     job_events.c    what a job does, as an event stream
 *     job_routes.c    the routes
 *
 * A vt_job_record is a job as it was at one moment: plain values, copied out, so that nothing is
 * shared with the thread that runs.
 *
 * Threads: all vt_jobs_* from any thread, vt_jobs_stop and vt_jobs_free by whoever stops the
 * server. `lock` of vt_jobs guards everything that changes.
 */
#ifndef VT_SERVER_JOBS_H
#define VT_SERVER_JOBS_H

#include "server/http.h"

enum {
    VT_JOB_ID_CHARS = 12,
    VT_JOB_NAME_BYTES = 128,
    VT_JOB_FIGURES = 12,
    VT_JOB_TEXTS = 3,
    VT_JOBS_KEPT = 50,      /* ended ones */
    VT_JOBS_LISTENERS = 256 /* event streams at once */
};

typedef enum vt_job_kind {
    VT_JOB_IMPORT,
    VT_JOB_INDEX_BUILD,
    VT_JOB_INDEX_CHECK,
    VT_JOB_TRAIN,
    VT_JOB_EVAL,
    VT_JOB_KIND_COUNT
} vt_job_kind;

typedef enum vt_job_state {
    VT_JOB_STATE_QUEUED,
    VT_JOB_STATE_RUNNING,
    VT_JOB_STATE_DONE,
    VT_JOB_STATE_FAILED,
    VT_JOB_STATE_CANCELLED,
    VT_JOB_STATE_INTERRUPTED, /* the server ended under it; what it had stored is in the shop */
    VT_JOB_STATE_COUNT
} vt_job_state;

/* One number of a result. */
typedef struct vt_job_figure {
    char name[24];
    double value;
} vt_job_figure;

/* One word or sentence of a result. */
typedef struct vt_job_text {
    char name[24];
    char text[VT_INDEX_WHY];
} vt_job_text;

typedef struct vt_job_record {
    char id[VT_JOB_ID_CHARS + 1];
    vt_job_kind kind;
    vt_job_state state;
    bool cancelling;              /* it was told to end, and runs still */
    char name[VT_JOB_NAME_BYTES]; /* of the feed, for people; "": none */
    char feed[16];                /* its file below jobs/<id>; of an evaluation: its queries */
    bool pictures;                /* some came with it, into jobs/<id>/images */
    char key[VT_KEY_ID_CHARS + 1];
    int64_t created_ms, started_ms, ended_ms; /* since 1970; 0: not yet */
    size_t sample;                            /* of an index check */
    char index[8];                            /* of an index build: vt_index_options.kind */
    size_t memory_mb;         /* of the same: what it may take; 0: as the shop takes by itself */
    char stage[16], unit[16]; /* "import", "products"; "": nothing to say */
    uint64_t done, total;     /* of the stage; total 0: not known */
    double rate;              /* of the unit, per second; 0: not known */
    vt_status status;
    char detail[512];                      /* why it failed or ended early */
    vt_job_text texts[VT_JOB_TEXTS];       /* (text_count) the result, */
    vt_job_figure figures[VT_JOB_FIGURES]; /* (figure_count) and its numbers */
    size_t text_count, figure_count;
    bool report;      /* there is a page about it */
    uint64_t version; /* grows with every change; of this run of the server */
} vt_job_record;

static inline bool vt_job_ended(const vt_job_record *job)
{
    return job->state > VT_JOB_STATE_RUNNING;
}

/* ---- jobs.c ---- */

typedef struct vt_listener_list {
    struct vt_job_listener *first;
    size_t count;
} vt_listener_list;

typedef struct vt_jobs vt_jobs;

enum { VT_JOB_LANES = 2 }; /* of trainings; of all others */
typedef struct vt_job_lane {
    vt_jobs *jobs;
    /* Of the job that runs, for its rate: */
    bool sampled;
    double sampled_ms;
    uint64_t sampled_done;
    atomic_bool cancel; /* it is to end */
    vt_thread *runner;
} vt_job_lane;

struct vt_jobs {
    vt_server *server;     /* borrowed */
    char *directory;       /* jobs/ of the shop */
    pthread_mutex_t lock;  /* everything below */
    pthread_cond_t queued; /* for the threads that run jobs */
    pthread_cond_t told;   /* for the thread that wakes listeners: there are some now */
    vt_job_record *items;  /* (count), oldest first; room for the queue, those that run, the kept */
    size_t count, capacity;
    bool closing;
    vt_listener_list listeners;
    vt_job_lane lanes[VT_JOB_LANES];
    vt_thread *teller;
};

/* directory: the shop's. Reads the history; what had not ended is interrupted. */
vt_status vt_jobs_new(vt_server *server, const char *directory, vt_jobs **out, vt_error *error);
/* Ends what runs as soon as it can, and every event stream, without waiting for either. */
void vt_jobs_stop(vt_jobs *jobs);
void vt_jobs_free(vt_jobs *jobs); /* waits for what runs; NULL is fine */

/* VT_ERR_BUSY: the line is full. Asked before a body is written to disk. */
vt_status vt_jobs_room(vt_jobs *jobs, vt_error *error);
void vt_job_id_new(char id[VT_JOB_ID_CHARS + 1]);
/* job->id and what the kind wants are set; *job is then as it stands in line. */
vt_status vt_jobs_add(vt_jobs *jobs, vt_job_record *job, vt_error *error);
vt_status vt_jobs_get(vt_jobs *jobs, const char *id, vt_job_record *out, vt_error *error);
/* *out: (*count) newest first, the caller's (vt_free). */
vt_status vt_jobs_list(vt_jobs *jobs, vt_job_record **out, size_t *count, vt_error *error);
/* VT_ERR_EXISTS: it has ended already. */
vt_status vt_jobs_cancel(vt_jobs *jobs, const char *id, vt_job_record *out, vt_error *error);
void vt_jobs_count(vt_jobs *jobs, size_t *running, size_t *queued);

/* With the lock held: the job, borrowed until it is let go; NULL: there is none. */
vt_job_record *vt_jobs_find(vt_jobs *jobs, const char *id);
/* The job that runs says where it is; false: it is to end. */
bool vt_jobs_tell(vt_jobs *jobs, const char *id, uint64_t done, uint64_t total);
void vt_jobs_tell_stage(vt_jobs *jobs, const char *id, const char *stage, const char *unit);

/* The same of one number of its result, as it is now. */
void vt_jobs_tell_figure(vt_jobs *jobs, const char *id, const char *name, double value);

/* ---- job_run.c ---- */

/* A job at work, on a copy of its record. */
typedef struct vt_job_work {
    vt_jobs *jobs;
    vt_job_record *job;
    vt_shop *shop;
    const vt_server_options *options;
} vt_job_work;
void vt_job_add_figure(vt_job_record *job, const char *name, double value);
void vt_job_add_text(vt_job_record *job, const char *name, const char *text);
/* Where the pictures lie that a list names: `uploaded`, the folder of those that came with it, or
 * where none did, what the server opened, if it did. */
const char *vt_job_images(const vt_job_work *work, const char *uploaded);
/* vt_on_progress of a job's work. */
bool vt_job_on_progress(void *context, uint64_t done, uint64_t total);

/* Runs what a copy of the record says, and fills its state, status, detail and figures. */
void vt_job_run(vt_jobs *jobs, vt_job_record *job);
/* jobs/<id>/name, or jobs/<id> for NULL; the caller's. NULL: no memory. */
char *vt_job_path(const vt_jobs *jobs, const char *id, const char *name);
/* Takes away what the job brought along; everything: also what it left behind. */
void vt_job_clear(const vt_jobs *jobs, const char *id, bool everything);
/* Takes folders of this machine out of a message, in place. */
void vt_job_hide_paths(const vt_jobs *jobs, const char *id, char *text);

/* ---- job_train.c, job_eval.c ---- */

/* Writes the recipe of a body as jobs/<id>/recipe.json; refuses what cannot be trained. */
vt_status vt_job_recipe(vt_jobs *jobs, const char *id, const vt_json *recipe, vt_error *error);
vt_status vt_job_train(vt_job_work *work, vt_error *error);
vt_status vt_job_eval(vt_job_work *work, vt_error *error);

/* ---- job_upload.c ---- */

/* Fills what the request's body says of a job, and writes its feed and pictures. */
vt_status vt_job_upload(vt_request *request, vt_job_record *job, vt_error *error);

/* ---- job_history.c ---- */

/* With the lock held. */
vt_status vt_history_read(vt_jobs *jobs, vt_error *error);
vt_status vt_history_write(const vt_jobs *jobs, vt_error *error);

/* ---- job_json.c ---- */

const char *vt_job_kind_name(vt_job_kind kind);
bool vt_job_kind_of(const char *name, vt_job_kind *out);
/* Members of the open object. */
void vt_put_job(vt_json_writer *writer, const vt_job_record *job);
/* The same from a history; false: it is none. */
bool vt_get_job(const vt_json *object, vt_job_record *out);

/* ---- job_rejects.c ---- */

typedef struct vt_reject_page {
    const char *id; /* of the job */
    size_t offset, top;
} vt_reject_page;
/* Array "rejects" of the open object, "total" and "offset". There may be none yet. */
vt_status vt_put_rejects(vt_json_writer *writer, const vt_jobs *jobs, const vt_reject_page *page,
                         vt_error *error);

/* ---- job_events.c ---- */

/* Answers the request with what the job does from now on. */
vt_status vt_events_open(vt_request *request, const char *id, vt_error *error);
/* With the lock held: listeners that have something to read, or all, go on. */
void vt_events_wake(vt_jobs *jobs, bool all);

#endif
