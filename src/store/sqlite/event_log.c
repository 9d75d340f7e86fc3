/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events in a SQLite database: opening it, adding, pruning, forgetting.
 *
 * Method: one table in WAL mode with synchronous=FULL; what is added at once is one transaction, so
 * that a batch costs one fsync and is there as a whole or not at all. Sessions are stored as the
 * first 16 bytes of their BLAKE2b-256 under a random key that lies in the same file: with the file
 * goes the means to recognise a session.
 *
 * What is removed is overwritten (secure_delete), in steps that let others write in between, and
 * the log is then brought into the file and cut, so that nothing of it is left there either.
 *
 * The file is made for its owner alone. It has a largest size: whoever may send events must not be
 * able to fill the disk that the catalogue is on.
 */
#include "store/sqlite/event_log.h"

#include "base/buf.h"
#include "base/file.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x56545245, /* "VTRE" */
    VERSION = 1,
    PAGE_BYTES = 4096,
    ROW_BYTES = 1 << 20,
    STEP_ROWS = 10000, /* removed in one transaction */
};

/* clang-format off */
static const char schema[] =
    "CREATE TABLE secret (key BLOB NOT NULL CHECK (length(key) = 32)) STRICT;"
    "CREATE TABLE events ("
    "  number INTEGER PRIMARY KEY,"
    "  time_ms INTEGER NOT NULL CHECK (time_ms > 0),"
    "  kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 3),"
    "  product TEXT NOT NULL CHECK (product <> ''),"
    "  search BLOB CHECK (length(search) = 16),"
    "  position INTEGER CHECK (position BETWEEN 1 AND 10000),"
    "  session BLOB CHECK (length(session) = 16)"
    ") STRICT;"
    "CREATE INDEX events_by_time ON events (time_ms);"
    "CREATE INDEX events_by_session ON events (session) WHERE session IS NOT NULL;"
    "PRAGMA application_id = 1448366661;"
    "PRAGMA user_version = 1;";
/* clang-format on */

vt_status vt_event_log_fail(vt_event_log *events, const char *action, vt_error *error)
{
    return vt_sqlite_fail(events->db, error, action, events->path);
}

static vt_status query_int(vt_event_log *events, const char *sql, int64_t *out, vt_error *error)
{
    return vt_sqlite_query_int(events->db, "read events", sql, out, error);
}

/* ---- opening ---- */

/* SQLite would make it for everybody. Nothing of an existing file is opened here: closing it again
 * would drop the locks that SQLite's connections of this process hold on it. */
static vt_status make_file(const char *path, vt_error *error)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0 && errno != EEXIST)
        return vt_fail_errno(error, errno, "make events", path);
    if (fd >= 0)
        close(fd);
    return VT_OK;
}

static vt_status configure(vt_event_log *events, bool writing, vt_error *error)
{
    int persist = 1;
    bool good = vt_sqlite_harden(events->db);
    sqlite3_limit(events->db, SQLITE_LIMIT_LENGTH, ROW_BYTES);
    good = good && sqlite3_exec(events->db,
                                "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
                                "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL;"
                                "PRAGMA secure_delete = ON; PRAGMA max_page_count = 262144",
                                NULL, NULL, NULL) == SQLITE_OK;
    _Static_assert(VT_EVENT_LOG_MAX_BYTES / PAGE_BYTES == 262144, "max_page_count above");
    /* The log stays after closing, for readers that may not create files in the directory. */
    if (good && writing)
        good =
            sqlite3_file_control(events->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist) ==
                SQLITE_OK &&
            sqlite3_exec(events->db, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL",
                         NULL, NULL, NULL) == SQLITE_OK;
    return good ? VT_OK : vt_event_log_fail(events, "open events", error);
}

/* In a transaction: of several that find an empty file one fills it. */
static vt_status fill(vt_event_log *events, vt_error *error)
{
    int64_t version = 0;
    uint8_t key[VT_SECRET_TAG_BYTES];
    sqlite3_stmt *put = NULL;
    if (sqlite3_exec(events->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return vt_event_log_fail(events, "make events", error);
    vt_status status = query_int(events, "PRAGMA user_version", &version, error);
    vt_secret_random(key, sizeof(key));
    bool good = version != 0 || sqlite3_exec(events->db, schema, NULL, NULL, NULL) == SQLITE_OK;
    if (status == VT_OK && good && version == 0) {
        good = sqlite3_prepare_v2(events->db, "INSERT INTO secret VALUES (?1)", -1, &put, NULL) ==
                   SQLITE_OK &&
               sqlite3_bind_blob(put, 1, key, sizeof(key), SQLITE_STATIC) == SQLITE_OK &&
               sqlite3_step(put) == SQLITE_DONE;
        sqlite3_finalize(put);
    }
    if (status == VT_OK &&
        (!good || sqlite3_exec(events->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK))
        status = vt_event_log_fail(events, "make events", error);
    if (!sqlite3_get_autocommit(events->db))
        sqlite3_exec(events->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* *empty: it was made and not filled yet. */
static vt_status identify(vt_event_log *events, bool *empty, vt_error *error)
{
    int64_t application = 0, version = 0;
    vt_status status = query_int(events, "PRAGMA application_id", &application, error);
    if (status == VT_OK)
        status = query_int(events, "PRAGMA user_version", &version, error);
    if (status != VT_OK)
        return status;
    *empty = application == 0 && version == 0;
    if (!*empty && application != APPLICATION_ID)
        return vt_fail(error, VT_ERR_CORRUPT, "open events \"%s\": it is no database of events",
                       events->path);
    if (version > VERSION || version < 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "open events \"%s\": it has format %lld, this program knows up to %d",
                       events->path, (long long)version, VERSION);
    return VT_OK;
}

static vt_status read_key(vt_event_log *events, vt_error *error)
{
    sqlite3_stmt *row = NULL;
    vt_status status = VT_OK;
    if (sqlite3_prepare_v2(events->db, "SELECT key FROM secret", -1, &row, NULL) != SQLITE_OK)
        status = vt_event_log_fail(events, "open events", error);
    else if (sqlite3_step(row) != SQLITE_ROW || sqlite3_column_bytes(row, 0) != sizeof(events->key))
        status =
            vt_fail(error, VT_ERR_CORRUPT, "open events \"%s\": its key is missing", events->path);
    else
        memcpy(events->key, sqlite3_column_blob(row, 0), sizeof(events->key));
    sqlite3_finalize(row);
    return status;
}

static vt_status prepare(vt_event_log *events, vt_error *error)
{
    static const char insert[] =
        "INSERT INTO events (time_ms, kind, product, search, position, session)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    if (sqlite3_prepare_v3(events->db, insert, -1, SQLITE_PREPARE_PERSISTENT, &events->insert,
                           NULL) != SQLITE_OK)
        return vt_event_log_fail(events, "open events", error);
    return read_key(events, error);
}

static vt_status open_database(vt_event_log *events, vt_event_log_mode mode, vt_error *error)
{
    int flags = mode == VT_EVENT_LOG_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    bool empty = false;
    struct stat info;
    vt_status status = mode == VT_EVENT_LOG_WRITE ? make_file(events->path, error) : VT_OK;
    if (status != VT_OK)
        return status;
    if (stat(events->path, &info) != 0)
        return vt_fail_errno(error, errno, "open events", events->path);
    if (!S_ISREG(info.st_mode))
        return vt_fail(error, VT_ERR_CORRUPT, "open events \"%s\": it is not a regular file",
                       events->path);
    if (sqlite3_open_v2(events->path, &events->db,
                        flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK)
        return vt_event_log_fail(events, "open events", error);
    status = configure(events, mode != VT_EVENT_LOG_READ, error);
    if (status == VT_OK)
        status = identify(events, &empty, error);
    if (status == VT_OK && empty && mode != VT_EVENT_LOG_WRITE)
        return vt_fail(error, VT_ERR_NOT_FOUND, "open events \"%s\": there are none yet",
                       events->path);
    if (status == VT_OK && empty)
        status = fill(events, error);
    if (status == VT_OK && mode != VT_EVENT_LOG_READ)
        status = prepare(events, error);
    return status;
}

vt_status vt_event_log_open(const char *dir, vt_event_log_mode mode, vt_event_log **out,
                            vt_error *error)
{
    vt_event_log *events = vt_calloc(1, sizeof(*events));
    if (events == NULL)
        return vt_fail_memory(error, "events");
    pthread_mutex_init(&events->lock, NULL);
    events->path = vt_path_join(dir, "events.db");
    vt_status status =
        events->path != NULL ? open_database(events, mode, error) : vt_fail_memory(error, "a path");
    if (status != VT_OK) {
        vt_event_log_close(events);
        return status;
    }
    *out = events;
    return VT_OK;
}

void vt_event_log_close(vt_event_log *events)
{
    if (events == NULL)
        return;
    sqlite3_finalize(events->insert);
    sqlite3_close(events->db);
    pthread_mutex_destroy(&events->lock);
    vt_free(events->path);
    vt_free(events);
}

/* ---- adding ---- */

static void tag_of(const vt_event_log *events, const char *session,
                   uint8_t out[VT_SECRET_TAG_BYTES])
{
    vt_secret_tag(events->key, session, strlen(session), out);
}

static vt_status add_one(vt_event_log *events, const vt_event *event, vt_error *error)
{
    uint8_t search[VT_EVENT_SEARCH_BYTES], tag[VT_SECRET_TAG_BYTES];
    sqlite3_stmt *row = events->insert;
    if (event->search != NULL && !vt_unhex(event->search, search, sizeof(search)))
        return vt_fail(error, VT_ERR_USAGE, "add an event: \"%.40s\" is no id of a search",
                       event->search);
    sqlite3_bind_int64(row, 1, event->time_ms);
    sqlite3_bind_int(row, 2, (int)event->kind);
    sqlite3_bind_text(row, 3, event->product, -1, SQLITE_STATIC);
    if (event->search != NULL)
        sqlite3_bind_blob(row, 4, search, sizeof(search), SQLITE_STATIC);
    if (event->position > 0)
        sqlite3_bind_int(row, 5, event->position);
    if (event->session != NULL) {
        tag_of(events, event->session, tag);
        sqlite3_bind_blob(row, 6, tag, VT_EVENT_TAG_BYTES, SQLITE_STATIC);
    }
    bool good = sqlite3_step(row) == SQLITE_DONE;
    vt_status status = good ? VT_OK : vt_event_log_fail(events, "add events to", error);
    vt_sqlite_reset(row);
    return status;
}

/* The file has as many pages as it may: pruning helps, more disk does not. */
static bool is_full(vt_event_log *events)
{
    int64_t pages = 0;
    return query_int(events, "PRAGMA page_count", &pages, NULL) == VT_OK &&
           pages >= VT_EVENT_LOG_MAX_BYTES / PAGE_BYTES;
}

static vt_status begin(vt_event_log *events, const char *action, vt_error *error)
{
    /* A rollback that itself failed (no memory) is made good here. */
    if ((!sqlite3_get_autocommit(events->db) &&
         sqlite3_exec(events->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK) ||
        sqlite3_exec(events->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return vt_event_log_fail(events, action, error);
    return VT_OK;
}

static vt_status finish(vt_event_log *events, vt_status status, const char *action, vt_error *error)
{
    if (status == VT_OK && sqlite3_exec(events->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        status = vt_event_log_fail(events, action, error);
    if (status != VT_OK && !sqlite3_get_autocommit(events->db))
        sqlite3_exec(events->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

vt_status vt_event_log_add(vt_event_log *events, const vt_event *all, size_t count, vt_error *error)
{
    static const char action[] = "add events to";
    pthread_mutex_lock(&events->lock);
    vt_status status = begin(events, action, error);
    if (status == VT_OK) {
        for (size_t i = 0; i < count && status == VT_OK; i++)
            status = add_one(events, &all[i], error);
        bool full = status == VT_ERR_IO && is_full(events);
        status = finish(events, status, action, error);
        if (full)
            status = vt_fail(error, VT_ERR_LIMIT,
                             "add events to \"%s\": it has %d MiB and may have no more, older ones "
                             "must be pruned",
                             events->path, VT_EVENT_LOG_MAX_BYTES >> 20);
    }
    pthread_mutex_unlock(&events->lock);
    return status;
}

/* ---- removing ---- */

static vt_status remove_step(vt_event_log *events, sqlite3_stmt *row, int *removed, vt_error *error)
{
    static const char action[] = "remove events from";
    vt_status status = begin(events, action, error);
    if (status != VT_OK)
        return status;
    if (sqlite3_step(row) != SQLITE_DONE)
        status = vt_event_log_fail(events, action, error);
    *removed = sqlite3_changes(events->db);
    sqlite3_reset(row);
    return finish(events, status, action, error);
}

/* Gives the room back and cuts the log; what others read at the moment keeps both for later. */
static vt_status tidy(vt_event_log *events, vt_error *error)
{
    if (sqlite3_exec(events->db, "PRAGMA incremental_vacuum", NULL, NULL, NULL) != SQLITE_OK)
        return vt_event_log_fail(events, "remove events from", error);
    int result =
        sqlite3_wal_checkpoint_v2(events->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return result == SQLITE_OK || (result & 0xff) == SQLITE_BUSY
               ? VT_OK
               : vt_event_log_fail(events, "remove events from", error);
}

/* `sql` has the number of rows as ?2; `row` is NULL when it could not be prepared. */
static vt_status remove_all(vt_event_log *events, sqlite3_stmt *row, uint64_t *removed,
                            vt_error *error)
{
    vt_status status = row != NULL ? VT_OK : vt_event_log_fail(events, "remove events from", error);
    uint64_t all = 0;
    int some = STEP_ROWS;
    while (status == VT_OK && some == STEP_ROWS) {
        some = 0;
        status = remove_step(events, row, &some, error);
        all += (uint64_t)some;
    }
    sqlite3_finalize(row);
    if (status == VT_OK)
        status = tidy(events, error);
    if (status == VT_OK)
        *removed = all;
    return status;
}

static sqlite3_stmt *prepare_removal(vt_event_log *events, const char *sql)
{
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(events->db, sql, -1, &row, NULL) == SQLITE_OK)
        sqlite3_bind_int(row, 2, STEP_ROWS);
    return row;
}

vt_status vt_event_log_prune(vt_event_log *events, int64_t before_ms, uint64_t *removed,
                             vt_error *error)
{
    pthread_mutex_lock(&events->lock);
    sqlite3_stmt *row = prepare_removal(
        events, "DELETE FROM events WHERE number IN"
                " (SELECT number FROM events WHERE time_ms < ?1 ORDER BY time_ms LIMIT ?2)");
    if (row != NULL)
        sqlite3_bind_int64(row, 1, before_ms);
    vt_status status = remove_all(events, row, removed, error);
    pthread_mutex_unlock(&events->lock);
    return status;
}

vt_status vt_event_log_forget(vt_event_log *events, const char *session, uint64_t *removed,
                              vt_error *error)
{
    uint8_t tag[VT_SECRET_TAG_BYTES];
    pthread_mutex_lock(&events->lock);
    sqlite3_stmt *row = prepare_removal(events, "DELETE FROM events WHERE number IN"
                                                " (SELECT number FROM events WHERE session = ?1"
                                                " LIMIT ?2)");
    tag_of(events, session, tag);
    if (row != NULL)
        sqlite3_bind_blob(row, 1, tag, VT_EVENT_TAG_BYTES, SQLITE_STATIC);
    vt_status status = remove_all(events, row, removed, error);
    pthread_mutex_unlock(&events->lock);
    return status;
}
