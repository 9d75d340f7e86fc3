/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shoppers did: views, clicks, carts and purchases, with the search that led there, in a
 * database of its own beside the catalogue (events.db, docs/formats/events.md). Adding events never
 * makes the catalogue's writer wait, and the file may be deleted as a whole.
 *
 *     vt_event_log *events;
 *     vt_event_log_open(dir, VT_EVENT_LOG_WRITE, &events, error);
 *     vt_event_log_add(events, some, count, error);     // durable when it returns VT_OK
 *     vt_event_log_close(events);
 *
 * What a client sends to tell its visits apart is not stored: of it there is a tag under a key that
 * is this file's own.
 *
 * Threads: any, one after the other; other processes may add, prune and read at the same time.
 */
#ifndef VT_STORE_EVENT_LOG_H
#define VT_STORE_EVENT_LOG_H

#include "base/mem.h"
#include "base/status.h"

typedef struct vt_event_log vt_event_log;

enum {
    VT_EVENT_LOG_MAX_BYTES = 1 << 30, /* of the file */
    VT_EVENT_SEARCH_BYTES = 16,       /* of a search's id, written as hex digits */
    VT_EVENT_TAG_BYTES = 16           /* of what stands for a session */
};

typedef enum vt_event_log_mode {
    VT_EVENT_LOG_READ,   /* VT_ERR_NOT_FOUND when nothing was ever added */
    VT_EVENT_LOG_CHANGE, /* the same, for pruning and forgetting */
    VT_EVENT_LOG_WRITE   /* makes the file when there is none */
} vt_event_log_mode;

vt_status vt_event_log_open(const char *dir, vt_event_log_mode mode, vt_event_log **out,
                            vt_error *error);
void vt_event_log_close(vt_event_log *events); /* NULL is fine */

/* All or none, in one transaction; product not NULL, time_ms > 0. VT_ERR_USAGE: `search` is no id.
 * VT_ERR_LIMIT: the file would become too large. */
vt_status vt_event_log_add(vt_event_log *events, const vt_event *all, size_t count,
                           vt_error *error);
/* Removes the events before this time; *removed: how many. */
vt_status vt_event_log_prune(vt_event_log *events, int64_t before_ms, uint64_t *removed,
                             vt_error *error);
/* Removes what was done in one session. */
vt_status vt_event_log_forget(vt_event_log *events, const char *session, uint64_t *removed,
                              vt_error *error);
/* *out points into the arena; titles are not filled. */
vt_status vt_event_log_report(vt_event_log *events, const vt_event_report_options *options,
                              vt_arena *arena, vt_event_report *out, vt_error *error);

#endif
