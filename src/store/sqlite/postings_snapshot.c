/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings in a file, index/postings.vtp, so that a program that asks one question need not read
 * the whole catalogue: a million products take seconds from the database and some tenths of a
 * second from there.
 *
 * The file is derived. It is used when it is whole and of this catalogue (session.c), and is then
 * brought up to date by replaying changes like postings that were in memory all the time; whatever
 * else is found is logged, as is a file that should be there and is not, and the catalogue is read.
 * Only the process that may write to the shop
 * writes it: when it closes the shop and the file lacks much, and in a thread beside its work when
 * it has been asked questions while much changed.
 *
 * Locking: saving shares postings_lock, so questions go on and replaying waits for the copying to
 * the page cache; syncing and renaming are without it.
 */
#include "store/sqlite/sqlite.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

#include <string.h>

#define SNAPSHOT_BYTES ((uint64_t)1 << 36)

/* Replaying is some 30 microseconds a change, saving a million products a second. */
enum { KEEP_SHARE = 100, KEEP_LEAST = 1000, KEEP_MOST = 20000 };

/* The caller's; NULL: memory is out. */
static char *snapshot_path(const vt_sqlite *store)
{
    return vt_path_join(store->dir, "index/postings.vtp");
}

/* With the postings shared, or alone. */
static bool is_worth_saving(int64_t saved, int64_t newest, uint64_t products)
{
    uint64_t lacks = (uint64_t)(newest - saved);
    return lacks > KEEP_MOST || lacks > products / KEEP_SHARE + KEEP_LEAST;
}

/* ---- loading ---- */

/* Opens the file if it is of this catalogue; *out NULL and a reason otherwise. */
static vt_status snapshot_find(vt_sqlite *store, vt_sqlite_connection *connection,
                               vt_snapshot **out, vt_error *reason)
{
    char *path = snapshot_path(store);
    if (path == NULL)
        return vt_fail_memory(reason, "a path");
    vt_snapshot *file = NULL;
    bool fits = false;
    vt_status status = vt_snapshot_open(path, &vt_postings_kind, SNAPSHOT_BYTES, &file, reason);
    if (status == VT_OK) {
        vt_snapshot_head head = vt_snapshot_head_of(file);
        status = vt_sqlite_session_fits(connection, &head, &fits, reason);
        if (status == VT_OK && !fits)
            status = vt_fail(reason, VT_ERR_MISMATCH,
                             "read postings \"%s\": it is of another state of the catalogue", path);
    }
    vt_free(path);
    if (status != VT_OK)
        vt_snapshot_close(file);
    else
        *out = file;
    return status;
}

/* Without a file: whether there should be one. What the catalogue held when this process came was
 * enough for whoever wrote it to leave one; what came since has had no time to be saved. */
static bool snapshot_missed(const vt_sqlite *store, vt_error *reason)
{
    if (!is_worth_saving(0, store->opened_change, (uint64_t)store->opened_change))
        return false;
    char *path = snapshot_path(store);
    vt_fail(reason, VT_ERR_NOT_FOUND,
            "read postings \"%s\": there is none, though %lld changes want one",
            path != NULL ? path : "postings.vtp", (long long)store->opened_change);
    vt_free(path);
    return true;
}

vt_status vt_sqlite_postings_load(vt_sqlite *store, vt_sqlite_connection *connection,
                                  vt_postings **out, int64_t *change, vt_error *error)
{
    vt_error reason;
    vt_snapshot *file = NULL;
    vt_pool *pool = NULL;
    *out = NULL;
    store->postings_tried = true;
    vt_status status = snapshot_find(store, connection, &file, &reason);
    if (status == VT_OK) {
        (void)vt_pool_new(0, &pool, NULL); /* without one it takes longer */
        status = vt_postings_load(file, pool, out, &reason);
        vt_pool_free(pool);
    }
    if (status == VT_OK)
        *change = store->postings_saved = (int64_t)vt_snapshot_head_of(file).change;
    else if (status != VT_ERR_NOT_FOUND || snapshot_missed(store, &reason))
        vt_log(VT_LOG_WARN, "%s; the catalogue is read instead", reason.message);
    vt_snapshot_close(file);
    return status == VT_ERR_NO_MEMORY ? vt_fail(error, status, "%s", reason.message) : VT_OK;
}

/* ---- saving ---- */

/* With the postings shared. */
static vt_status snapshot_write(vt_sqlite *store, vt_sqlite_connection *connection,
                                const char *path, vt_snapshot_writer **out, vt_error *error)
{
    vt_snapshot_head head = {.change = (uint64_t)store->postings_change};
    vt_snapshot_writer *writer = NULL;
    vt_status status =
        vt_sqlite_session_of(connection, store->postings_change, &head.session, error);
    if (status == VT_OK)
        status = vt_snapshot_create(path, &vt_postings_kind, &head, &writer, error);
    if (status == VT_OK)
        status = vt_postings_save(store->postings, writer, error);
    if (status != VT_OK)
        vt_snapshot_abandon(writer);
    else
        *out = writer;
    return status;
}

vt_status vt_sqlite_postings_save(vt_sqlite *store, vt_error *error)
{
    char *path = snapshot_path(store), *folder = vt_path_join(store->dir, "index");
    vt_sqlite_connection *connection = NULL;
    vt_snapshot_writer *writer = NULL;
    int64_t change = 0;
    vt_status status = path == NULL || folder == NULL ? vt_fail_memory(error, "a path")
                                                      : vt_dir_make(folder, error);
    if (status == VT_OK)
        status = vt_sqlite_reader_take(store, &connection, error);
    if (status == VT_OK) {
        pthread_rwlock_rdlock(&store->postings_lock);
        if (store->postings != NULL) {
            change = store->postings_change;
            status = snapshot_write(store, connection, path, &writer, error);
        }
        pthread_rwlock_unlock(&store->postings_lock);
        vt_sqlite_reader_give(store, connection);
    }
    if (writer != NULL)
        status = vt_snapshot_commit(writer, error);
    if (writer != NULL && status == VT_OK) {
        pthread_rwlock_wrlock(&store->postings_lock);
        store->postings_saved = change;
        pthread_rwlock_unlock(&store->postings_lock);
    }
    vt_free(path);
    vt_free(folder);
    return status;
}

static void save_and_log(void *context)
{
    vt_sqlite *store = context;
    vt_error error;
    if (vt_sqlite_postings_save(store, &error) != VT_OK)
        vt_log(VT_LOG_WARN, "%s; the next start takes longer", error.message);
    atomic_store(&store->postings_being_saved, false);
}

void vt_sqlite_postings_offer(vt_sqlite *store)
{
    bool saving = false;
    if (!store->base.writable ||
        !atomic_compare_exchange_strong(&store->postings_being_saved, &saving, true))
        return;
    pthread_rwlock_rdlock(&store->postings_lock);
    bool worth =
        store->postings != NULL && is_worth_saving(store->postings_saved, store->postings_change,
                                                   vt_idset_count(store->postings->all));
    pthread_rwlock_unlock(&store->postings_lock);
    if (worth) { /* who has the flag has the thread */
        vt_thread_join(store->postings_saver);
        store->postings_saver = NULL;
        worth =
            vt_thread_start("snapshot", save_and_log, store, &store->postings_saver, NULL) == VT_OK;
    }
    if (!worth)
        atomic_store(&store->postings_being_saved, false);
}

/* How many changes the file lacks, and of how many products. */
static vt_status keep_look(vt_sqlite *store, bool *worth, vt_error *error)
{
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    int64_t newest = 0;
    status = vt_sqlite_newest_change(connection, &newest, error);
    vt_snapshot *file = NULL;
    if (status == VT_OK && !store->postings_tried &&
        snapshot_find(store, connection, &file, NULL) == VT_OK)
        store->postings_saved = (int64_t)vt_snapshot_head_of(file).change;
    vt_snapshot_close(file);
    /* Each product has one change or more, so this many there are at most. */
    *worth = status == VT_OK && is_worth_saving(store->postings_saved, newest, (uint64_t)newest);
    vt_sqlite_reader_give(store, connection);
    return status;
}

void vt_sqlite_postings_keep(vt_sqlite *store)
{
    vt_thread_join(store->postings_saver);
    store->postings_saver = NULL;
    bool worth = false;
    vt_error error;
    vt_status status =
        store->keeps && store->base.writable ? keep_look(store, &worth, &error) : VT_OK;
    if (status == VT_OK && worth) {
        status = vt_sqlite_postings_share(store, &error);
        if (status == VT_OK) {
            vt_sqlite_postings_release(store);
            status = vt_sqlite_postings_save(store, &error);
        }
    }
    if (status != VT_OK)
        vt_log(VT_LOG_WARN, "%s; the next start takes longer", error.message);
}
