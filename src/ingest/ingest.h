/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ingest: a feed or a folder in, stored and embedded products out.
 *
 *     vt_ingest_options options = vt_ingest_options_defaults();
 *     vt_ingest_report report;
 *     vt_ingest_run(store, model, encoder, "products.csv", &options, &report, error);
 *
 * feed_csv.c, feed_jsonl.c, feed_folder.c   sources, each yielding one vt_feed_row after another
 * feed_row.c, feed_price.c, csv.c   what columns and prices mean; records of a table
 * feed.c          picks the source and hides which one it is
 * pipeline.c      reader -> workers -> one committer, in the order of the feed
 * product.c       a worker's part: read, hash, decode, pHash, thumbnail, embed
 * picture.c, content.c   of one picture; the hash that says whether a product changed
 * seen.c          product ids met so far
 * duplicates.c    exact and near duplicate pictures
 * rejects.c       the reject file; table.c writes CSV
 *
 * A product is acknowledged (counted as imported) only after its transaction. A product of which at
 * least one picture works is imported with those; each picture that does not is named in the reject
 * file. A product without any usable picture is rejected. Nothing but a failing store, memory that
 * is out or a cancel ends the job early.
 *
 * Threads: vt_ingest_run starts its own; one run at a time per store.
 */
#ifndef VT_INGEST_INGEST_H
#define VT_INGEST_INGEST_H

#include "base/mem.h"
#include "encoder/encoder.h"
#include "store/store.h"

/* ---- feeds ---- */

/* One product as the feed gives it: texts, and pictures by reference. Lives in the row's arena. */
typedef struct vt_feed_row {
    vt_arena *arena;    /* borrowed: the caller sets it, and resets it between rows */
    uint64_t line;      /* of the file, from 1; number of the product in a folder */
    vt_product product; /* pictures unset; strings and attributes in the arena */
    /* (image_count) path relative to the images directory, or http(s) address */
    const char **images;
    size_t image_count;
} vt_feed_row;

typedef struct vt_feed vt_feed;
typedef struct vt_feed_options {
    bool product_per_folder; /* folders: each leaf folder is one product with many pictures */
} vt_feed_options;

/* source: .csv, .tsv, .jsonl, .ndjson (any other name: by content), or a directory. */
vt_status vt_feed_open(const char *source, const vt_feed_options *options, vt_feed **out,
                       vt_error *error);
void vt_feed_close(vt_feed *feed);
/* Fills *row (row->arena must be set, with room for 32 MiB). VT_OK with row->product.id NULL: the
 * end. An error whose status is VT_ERR_FORMAT, VT_ERR_LIMIT, VT_ERR_USAGE, VT_ERR_UNSUPPORTED,
 * VT_ERR_DENIED or VT_ERR_NOT_FOUND concerns this row alone (row->line is set, and product.id if it
 * could be read): the next call goes on after it. Other errors end the feed. */
vt_status vt_feed_next(vt_feed *feed, vt_feed_row *row, vt_error *error);
/* Share of the source consumed, 0..1; products in all when known beforehand (folders), else 0. */
double vt_feed_position(const vt_feed *feed);
uint64_t vt_feed_total(const vt_feed *feed);
/* Where relative image paths start unless told otherwise: the feed's directory, or the folder. */
const char *vt_feed_images_dir(const vt_feed *feed);

/* Fuzzing and tests: the same over bytes, which must outlive the feed. kind: "csv" (delimiter found
 * from the header) or "jsonl". */
vt_status vt_feed_open_bytes(const char *kind, const void *bytes, size_t length, vt_feed **out,
                             vt_error *error);

/* ---- the run ---- */

typedef struct vt_ingest_progress {
    uint64_t done, total; /* products; total: estimated from the position in a file, 0: not yet */
    uint64_t imported, unchanged, rejected;
} vt_ingest_progress;

typedef struct vt_ingest_options {
    vt_feed_options feed;
    const char *images_dir; /* NULL: vt_feed_images_dir; folders: must be NULL */
    /* CSV files that are written anew, NULL: none. Rejects: line,product,picture,status,reason.
     * Duplicates: product,picture,of_product,of_picture,kind,distance (docs/formats/feed.md). */
    const char *rejects_path, *duplicates_path;
    int jobs;                 /* workers; 0: chosen from the cores */
    int near_duplicate_bits;  /* pHash radius that counts as near duplicate; < 0: do not look */
    int thumbnail_px;         /* longer side */
    bool allow_remote;        /* fetch http(s) addresses */
    bool allow_private_hosts; /* also from loopback and private networks */
    /* Called from the calling thread at most some times a second; false cancels. May be NULL. */
    bool (*on_progress)(void *context, const vt_ingest_progress *progress);
    void *context;
} vt_ingest_options;
/* jobs 0, 3 bits, 256 px, remote allowed, private not. */
vt_ingest_options vt_ingest_options_defaults(void);

typedef vt_import_report vt_ingest_report; /* the public header's */

/* model: the store's key for this encoder. *report is filled also when the run fails part way. */
vt_status vt_ingest_run(vt_store *store, uint32_t model, const vt_encoder *encoder,
                        const char *source, const vt_ingest_options *options,
                        vt_ingest_report *report, vt_error *error);

#endif
