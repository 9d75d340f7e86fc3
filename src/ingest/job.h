/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job is one product on its way through the pipeline: filled by the reader, worked on by one
 * worker, brought to the store by the committer, then used again. At each moment one thread has it.
 */
#ifndef VT_INGEST_JOB_H
#define VT_INGEST_JOB_H

#include "ingest/ingest.h"
#include "net/fetch.h"

typedef enum vt_job_outcome {
    VT_JOB_OPEN,       /* nothing is known yet */
    VT_JOB_REJECTED,   /* the row is no product: `error` says why */
    VT_JOB_NO_PICTURE, /* no picture of it could be used: `notes` say why */
    VT_JOB_UNCHANGED,  /* the store has it as it is */
    VT_JOB_READY,      /* row.product is whole, with pictures and vectors */
    VT_JOB_FAILED,     /* `error` ends the run */
    VT_JOB_DROPPED,    /* the run was stopped before it */
} vt_job_outcome;

/* A picture that was left out. In the job's arena. */
typedef struct vt_job_note {
    const char *picture;
    vt_status status;
    const char *reason;
} vt_job_note;

typedef struct vt_job {
    uint64_t sequence; /* place in the feed */
    double position;   /* of the feed after this row */
    vt_arena arena;    /* everything that hangs on the row */
    vt_feed_row row;
    vt_job_outcome outcome;
    vt_error error;
    bool known; /* the store had the product before */
    vt_job_note *notes;
    size_t note_count;
    size_t embedded; /* pictures that went through the encoder */
} vt_job;

/* ---- product.c: a worker's part ---- */

/* What all workers share; nothing in it changes during a run. */
typedef struct vt_worker_setting {
    vt_store *store;
    uint32_t model;
    vt_encoder_info encoder;
    vt_batcher *batcher;
    const char *images_dir;
    const vt_ingest_options *options;
    vt_decode_options decode;
} vt_worker_setting;

typedef struct vt_worker {
    const vt_worker_setting *setting; /* borrowed */
    vt_fetcher *fetcher;              /* owned; made when first needed */
} vt_worker;

void vt_worker_deinit(vt_worker *worker);
/* Takes an open job to READY, UNCHANGED, NO_PICTURE or FAILED. */
void vt_worker_process(vt_worker *worker, vt_job *job);

/* ---- picture.c ---- */

/* The encoded bytes that a feed's reference stands for: a path inside the images directory or an
 * address. Appends to `bytes`. */
vt_status vt_picture_load(vt_worker *worker, const char *reference, vt_buf *bytes, vt_error *error);
bool vt_picture_is_remote(const char *reference);
/* Decodes, and fills size, phash and the thumbnail in the store. *image is then the caller's.
 * *store_failed: the error is the store's, not the picture's. */
vt_status vt_picture_prepare(const vt_worker_setting *setting, const vt_buf *bytes,
                             vt_picture *picture, vt_image *image, bool *store_failed,
                             vt_error *error);

/* ---- content.c ---- */

/* Over the row's texts, attributes and pictures; hashes: (image_count), NULL for a picture that
 * could not be read. The last bit is zero (see vt_content_mark). */
vt_hash vt_content_of(const vt_feed_row *row, const vt_hash *const *hashes);
/* The last bit says that a picture could be read but not used, so that the next import tries again.
 */
void vt_content_mark(vt_hash *content, bool incomplete);
bool vt_content_is_marked(const vt_hash *content);
bool vt_content_equal(const vt_hash *a, const vt_hash *b); /* marks aside */

#endif
