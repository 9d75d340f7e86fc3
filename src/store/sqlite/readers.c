/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-only connections: taken for one question, given back after it.
 *
 * Method: idle ones wait in a list, newest first so that few stay warm. When none is idle another
 * is opened: there is no upper bound to wait at, because a callback of a walk (which holds one) may
 * ask the store again, and waiting for itself would never end. In WAL mode readers neither wait for
 * the writer nor make it wait; each sees the commits made before its question began.
 */
#include "store/sqlite/sqlite.h"

#include "base/status.h"

enum { IDLE_MAXIMUM = 16 };

/* Whether a writer has brought the catalogue to a newer version since this connection was opened:
 * its statements are then those of the old one. */
static bool is_outdated(vt_sqlite_connection *connection)
{
    int64_t version = 0;
    return connection->version < VT_SQLITE_VERSION &&
           vt_sqlite_query_int(connection->db, "read catalogue", "PRAGMA user_version", &version,
                               NULL) == VT_OK &&
           version > connection->version;
}

vt_status vt_sqlite_reader_take(vt_sqlite *store, vt_sqlite_connection **out, vt_error *error)
{
    pthread_mutex_lock(&store->readers_lock);
    vt_sqlite_connection *connection = store->idle_readers;
    if (connection != NULL) {
        store->idle_readers = connection->next;
        store->idle_count--;
    }
    pthread_mutex_unlock(&store->readers_lock);
    if (connection != NULL && is_outdated(connection)) {
        vt_sqlite_connection_close(connection);
        connection = NULL;
    }
    if (connection == NULL)
        return vt_sqlite_connection_open(store->path, false, out, error);
    connection->next = NULL;
    *out = connection;
    return VT_OK;
}

void vt_sqlite_reader_give(vt_sqlite *store, vt_sqlite_connection *connection)
{
    /* Whatever ended early must not keep a snapshot: it would hold back checkpoints. */
    if (!sqlite3_get_autocommit(connection->db))
        vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK]);
    pthread_mutex_lock(&store->readers_lock);
    bool keep = store->idle_count < IDLE_MAXIMUM && sqlite3_get_autocommit(connection->db);
    if (keep) {
        connection->next = store->idle_readers;
        store->idle_readers = connection;
        store->idle_count++;
    }
    pthread_mutex_unlock(&store->readers_lock);
    if (!keep)
        vt_sqlite_connection_close(connection);
}

void vt_sqlite_readers_close(vt_sqlite *store)
{
    while (store->idle_readers != NULL) {
        vt_sqlite_connection *next = store->idle_readers->next;
        vt_sqlite_connection_close(store->idle_readers);
        store->idle_readers = next;
    }
    store->idle_count = 0;
}
