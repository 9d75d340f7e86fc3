/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of events, of the sqlite driver. Internal to it: event_log.c opens and changes it,
 * event_log_report.c asks it.
 *
 * Threads: `lock` is held around every use of the connection.
 */
#ifndef VT_STORE_SQLITE_EVENT_LOG_H
#define VT_STORE_SQLITE_EVENT_LOG_H

#include "store/event_log.h"

#include "base/secret.h"

#include <pthread.h>
#include <sqlite3.h>

struct vt_event_log {
    pthread_mutex_t lock;
    char *path;
    sqlite3 *db;
    sqlite3_stmt *insert; /* NULL with READ */
    uint8_t key[VT_SECRET_TAG_BYTES];
};

/* Turns the connection's last error into a status and `<action> "<path>": <SQLite's text>`. */
vt_status vt_event_log_fail(vt_event_log *events, const char *action, vt_error *error);

#endif
