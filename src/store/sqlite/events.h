/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of events, of the sqlite driver. Internal to it: events.c opens and changes it,
 * events_report.c asks it.
 *
 * Threads: `lock` is held around every use of the connection.
 */
#ifndef VT_STORE_SQLITE_EVENTS_H
#define VT_STORE_SQLITE_EVENTS_H

#include "store/events.h"

#include "base/secret.h"

#include <pthread.h>
#include <sqlite3.h>

struct vt_events {
    pthread_mutex_t lock;
    char *path;
    sqlite3 *db;
    sqlite3_stmt *insert; /* NULL with READ */
    uint8_t key[VT_SECRET_TAG_BYTES];
};

/* Turns the connection's last error into a status and `<action> "<path>": <SQLite's text>`. */
vt_status vt_events_fail(vt_events *events, const char *action, vt_error *error);

#endif
