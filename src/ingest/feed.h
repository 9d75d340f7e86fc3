/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the three sources share: the limits of a feed and the table of functions that feed.c calls.
 * A source embeds vt_feed as its first member, so that a vt_feed pointer is a pointer to it.
 *
 * Threads: a feed belongs to one thread at a time.
 */
#ifndef VT_INGEST_FEED_H
#define VT_INGEST_FEED_H

#include "ingest/feed_window.h"
#include "ingest/ingest.h"

enum {
    VT_FEED_FIELD_BYTES = 1 << 20, /* one cell of a table */
    VT_FEED_ROW_BYTES = 4 << 20,   /* one row of a table with all its line breaks */
    VT_FEED_LINE_BYTES = 1 << 20,  /* one JSON line: parsed, it may take forty times that */
    VT_FEED_COLUMNS = 1024,        /* columns of a table, keys of a JSON line */
    VT_FEED_IMAGES = 1000,         /* pictures of one product */
    VT_FEED_ITEMS = 4096,          /* list items of one product, over all its attributes */
    VT_FEED_ID_BYTES = 512,
    VT_FEED_FOLDER_DEPTH = 64,
    VT_FEED_FOLDER_NAMES = 4000000, /* in one folder */
    /* A row within these limits never needs more of its arena than this. */
    VT_FEED_ARENA_BYTES = 32 << 20,
};

struct vt_feed {
    vt_status (*next)(vt_feed *feed, vt_feed_row *row, vt_error *error);
    void (*close)(vt_feed *feed); /* frees the whole object but not images_dir */
    double (*position)(const vt_feed *feed);
    uint64_t total;
    char *images_dir; /* owned by feed.c */
    bool is_folder;
};

/* Does an error with this status concern one row, so that the feed goes on after it? */
bool vt_feed_status_is_of_row(vt_status status);

/* Each takes the window over, also on failure. */
vt_status vt_feed_csv_open(vt_window *window, const char *name, vt_feed **out, vt_error *error);
vt_status vt_feed_jsonl_open(vt_window *window, const char *name, vt_feed **out, vt_error *error);
vt_status vt_feed_folder_open(const char *path, const vt_feed_options *options, vt_feed **out,
                              vt_error *error);

#endif
