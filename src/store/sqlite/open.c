/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shop's directory: one writer, creation, opening, closing; the sqlite driver's table.
 *
 * Method: the writing process holds an exclusive flock(2) on `lock` as long as it has the
 * shop open; the kernel lets go of it however the process ends. A new catalogue is made complete
 * under another name and then renamed, so that a crash never leaves half of one. catalog.db itself
 * is only ever opened by SQLite: closing any descriptor of it here would drop the POSIX locks that
 * SQLite's other connections of this process hold on it.
 */
#include "store/sqlite/words.h"

#include "base/file.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- the writer's lock ---- */

/* A second line of the lock file: held for a moment only. */
static const char brief_mark[] = "briefly\n";
enum { LOCK_WAIT_MS = 10, BRIEF_WAITS = 1500, EMPTY_WAITS = 20, LOCK_TEXT_BYTES = 48 };

/* Who holds the lock, as it wrote there; for the message, and for whether to wait. */
static void read_holder(int fd, char text[LOCK_TEXT_BYTES])
{
    ssize_t length = pread(fd, text, LOCK_TEXT_BYTES - 1, 0);
    text[length > 0 ? length : 0] = '\0';
}

static vt_status fail_busy(int fd, const char *dir, vt_error *error)
{
    char text[LOCK_TEXT_BYTES];
    int64_t holder = 0;
    read_holder(fd, text);
    text[strcspn(text, "\n")] = '\0';
    if (vt_parse_int(text, 1, INT_MAX, &holder))
        return vt_fail(error, VT_ERR_BUSY,
                       "open shop \"%s\" for writing: process %lld has it open for writing", dir,
                       (long long)holder);
    return vt_fail(error, VT_ERR_BUSY,
                   "open shop \"%s\" for writing: another process has it open for writing", dir);
}

/* Takes the lock; one that is held for a moment only, or by one that has not written yet for how
 * long, is waited for. False with errno. */
static bool lock_wait(int fd)
{
    for (int waited = 0, empty = 0;;) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return false;
        char text[LOCK_TEXT_BYTES];
        read_holder(fd, text);
        const char *line = strchr(text, '\n');
        bool brief = line != NULL && strcmp(line + 1, brief_mark) == 0;
        if (brief ? ++waited > BRIEF_WAITS : text[0] != '\0' || ++empty > EMPTY_WAITS) {
            errno = EWOULDBLOCK;
            return false;
        }
        const struct timespec pause = {0, LOCK_WAIT_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
}

static vt_status lock_take(const char *dir, bool brief, int *out, vt_error *error)
{
    char *path = vt_path_join(dir, "lock");
    if (path == NULL)
        return vt_fail_memory(error, "a path");
    vt_status status = VT_OK;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        status = vt_fail_errno(error, errno, "open", path);
        goto free_path;
    }
    if (!lock_wait(fd)) {
        status = errno == EWOULDBLOCK ? fail_busy(fd, dir, error)
                                      : vt_fail_errno(error, errno, "lock", path);
        goto close_fd;
    }
    char text[LOCK_TEXT_BYTES];
    int length = snprintf(text, sizeof text, "%ld\n%s", (long)getpid(), brief ? brief_mark : "");
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length) {
        status = vt_fail_errno(error, errno, "write", path);
        goto close_fd;
    }
    *out = fd;
    goto free_path;

close_fd:
    close(fd);
free_path:
    vt_free(path);
    return status;
}

static void lock_release(int fd)
{
    if (fd < 0)
        return;
    /* The file stays: were it deleted, one process could lock the old file and another a new one.
     */
    if (ftruncate(fd, 0) != 0) {
        /* Only the text for a busy message; the lock goes with the descriptor. */
    }
    close(fd);
}

/* ---- creation ---- */

static vt_status dir_sync(const char *dir, vt_error *error)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return vt_fail_errno(error, errno, "open", dir);
    /* EINVAL: a file system that has no such thing. */
    vt_status status =
        fsync(fd) == 0 || errno == EINVAL ? VT_OK : vt_fail_errno(error, errno, "sync", dir);
    close(fd);
    return status;
}

/* Deletes path + suffix for each of the four files that SQLite may make; the first is path itself.
 */
static void remove_database(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char name[PATH_MAX];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if ((size_t)snprintf(name, sizeof name, "%s%s", path, suffixes[i]) < sizeof name)
            unlink(name);
}

static vt_status make_database(const char *path, vt_error *error)
{
    sqlite3 *db;
    vt_status status =
        vt_sqlite_db_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db, error);
    if (status != VT_OK)
        return status;
    if (sqlite3_exec(db,
                     "PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE;"
                     "PRAGMA encoding = 'UTF-8'; PRAGMA journal_mode = WAL",
                     NULL, NULL, NULL) != SQLITE_OK)
        status = vt_sqlite_fail(db, error, "create catalogue", path);
    if (status == VT_OK)
        status = vt_sqlite_migrate(db, vt_sqlite_migrations, VT_SQLITE_VERSION, true, error);
    /* Everything must be in the main file before that alone is renamed. */
    if (status == VT_OK &&
        sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK)
        status = vt_sqlite_fail(db, error, "create catalogue", path);
    sqlite3_close(db);
    return status;
}

/* What lies beside a catalogue that is gone: an empty log is of no use, a full one must not be
 * replayed into the new catalogue, and is not ours to throw away. */
static vt_status clear_old_log(const char *path, vt_error *error)
{
    char name[PATH_MAX];
    struct stat info;
    if ((size_t)snprintf(name, sizeof name, "%s-wal", path) >= sizeof name)
        return vt_fail(error, VT_ERR_LIMIT, "create catalogue \"%s\": the path is too long", path);
    if (stat(name, &info) == 0 && info.st_size > 0)
        return vt_fail(error, VT_ERR_EXISTS,
                       "create catalogue \"%s\": the log of an earlier one, \"%s\", is in the way",
                       path, name);
    remove_database(path);
    return VT_OK;
}

/* With the lock held. */
static vt_status create(const char *dir, const char *path, vt_error *error)
{
    struct stat info;
    if (lstat(path, &info) == 0)
        return vt_fail(error, VT_ERR_EXISTS, "create shop \"%s\": it has a catalogue already", dir);
    if (errno != ENOENT)
        return vt_fail_errno(error, errno, "look up", path);
    char *fresh = vt_path_join(dir, "catalog.db.new");
    if (fresh == NULL)
        return vt_fail_memory(error, "a path");
    remove_database(fresh);
    vt_status status = clear_old_log(path, error);
    if (status == VT_OK)
        status = make_database(fresh, error);
    if (status == VT_OK && rename(fresh, path) != 0)
        status = vt_fail_errno(error, errno, "rename", fresh);
    if (status == VT_OK)
        status = dir_sync(dir, error);
    if (status != VT_OK)
        remove_database(fresh);
    vt_free(fresh);
    return status;
}

/* ---- opening and closing ---- */

static void sqlite_close(vt_store *base)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_postings_keep(store);
    vt_sqlite_anns_keep(store);
    vt_sqlite_indexes_free(store);
    vt_postings_free(store->postings);
    vt_sqlite_readers_close(store);
    vt_sqlite_connection_close(store->writer); /* last: it brings the log into the main file */
    lock_release(store->lock_fd);
    pthread_rwlock_destroy(&store->index_lock);
    pthread_rwlock_destroy(&store->postings_lock);
    pthread_mutex_destroy(&store->readers_lock);
    pthread_mutex_destroy(&store->write_lock);
    vt_free(store->path);
    vt_free(store->dir);
    vt_free(store);
}

/* An empty struct around the real path of an existing directory. */
static vt_status make_store(const char *dir, bool writable, vt_sqlite **out, vt_error *error)
{
    /* Absolute, so that a later chdir changes nothing, and no name can look like a SQLite URI. */
    char real[PATH_MAX];
    if (realpath(dir, real) == NULL)
        return vt_fail_errno(error, errno, "open shop", dir);
    vt_sqlite *store = vt_calloc(1, sizeof *store);
    if (store == NULL)
        return vt_fail_memory(error, "a store");
    store->base.driver = &vt_store_sqlite;
    store->base.writable = writable;
    store->lock_fd = -1;
    pthread_mutex_init(&store->write_lock, NULL);
    pthread_mutex_init(&store->readers_lock, NULL);
    vt_rwlock_init(&store->index_lock);
    pthread_rwlock_init(&store->postings_lock, NULL);
    store->dir = vt_strdup(real);
    store->path = vt_path_join(real, "catalog.db");
    store->base.dir = store->dir;
    if (store->dir == NULL || store->path == NULL) {
        sqlite_close(&store->base);
        return vt_fail_memory(error, "a store");
    }
    *out = store;
    return VT_OK;
}

static vt_status check_catalogue_file(const vt_sqlite *store, const char *dir, vt_error *error)
{
    struct stat info;
    if (stat(store->path, &info) != 0) {
        if (errno == ENOENT)
            return vt_fail(error, VT_ERR_NOT_FOUND,
                           "open shop \"%s\": it is not a shop: has no catalog.db", dir);
        return vt_fail_errno(error, errno, "open shop", dir);
    }
    if (!S_ISREG(info.st_mode))
        return vt_fail(error, VT_ERR_CORRUPT, "open catalogue \"%s\": it is not a regular file",
                       store->path);
    /* SQLite would take it for a new database. */
    if (info.st_size == 0)
        return vt_fail(error, VT_ERR_CORRUPT, "open catalogue \"%s\": the file is empty",
                       store->path);
    return VT_OK;
}

/* A database that was cut off within its last page: SQLite counts a started page as there and reads
 * zeros. With a log the file may lag behind, and SQLite knows better. */
static vt_status check_length(const vt_sqlite *store, vt_sqlite_connection *reader, vt_error *error)
{
    struct stat info, log;
    char name[PATH_MAX + 8];
    int64_t page_bytes = 0;
    snprintf(name, sizeof name, "%s-wal", store->path);
    if (stat(store->path, &info) != 0)
        return vt_fail_errno(error, errno, "look up", store->path);
    vt_status status =
        vt_sqlite_query_int(reader->db, "read catalogue", "PRAGMA page_size", &page_bytes, error);
    if (status != VT_OK)
        return status;
    bool has_log = stat(name, &log) == 0 && log.st_size > 0;
    if (!has_log && (page_bytes < 1 || info.st_size % page_bytes != 0))
        return vt_fail(
            error, VT_ERR_CORRUPT,
            "open catalogue \"%s\": its end is missing, it has %lld bytes in pages of %lld",
            store->path, (long long)info.st_size, (long long)page_bytes);
    return VT_OK;
}

static vt_status sqlite_open(const char *dir, int mode, vt_store **out, vt_error *error)
{
    bool making = (mode & VT_STORE_CREATE) != 0;
    bool writing = mode != VT_STORE_READ;
    vt_status status = making ? vt_dir_make(dir, error) : VT_OK;
    if (status != VT_OK)
        return status;
    vt_sqlite *store;
    status = make_store(dir, writing, &store, error);
    if (status != VT_OK)
        return status;

    /* Before the lock file: a directory that is no shop is left as it is. */
    if (!making)
        status = check_catalogue_file(store, dir, error);
    if (status == VT_OK && writing)
        status = lock_take(store->dir, (mode & VT_STORE_BRIEF) != 0, &store->lock_fd, error);
    if (status == VT_OK && making)
        status = create(store->dir, store->path, error);
    if (status == VT_OK && writing)
        status = vt_sqlite_connection_open(store->path, true, &store->writer, error);
    /* A reader now rather than at the first question: a file that cannot be read is found here. */
    vt_sqlite_connection *reader = NULL;
    if (status == VT_OK)
        status = vt_sqlite_reader_take(store, &reader, error);
    if (reader != NULL) {
        status = check_length(store, reader, error);
        if (status == VT_OK)
            status = vt_sqlite_newest_change(reader, &store->opened_change, error);
        if (status == VT_OK)
            status = vt_sqlite_query_int(reader->db, "read catalogue",
                                         "SELECT ifnull(max(key), 0) FROM pictures",
                                         &store->opened_picture, error);
        vt_sqlite_reader_give(store, reader);
    }
    if (status != VT_OK) {
        sqlite_close(&store->base);
        return status;
    }
    store->keeps = (mode & VT_STORE_BRIEF) == 0;
    *out = &store->base;
    return VT_OK;
}

const vt_store_driver vt_store_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .model_put = vt_sqlite_model_put,
    .serving = vt_sqlite_serving,
    .each_model = vt_sqlite_each_model,
    .model_prepare = vt_sqlite_model_prepare,
    .each_missing = vt_sqlite_each_missing,
    .put_vectors = vt_sqlite_put_vectors,
    .unfound = vt_sqlite_unfound,
    .model_switch = vt_sqlite_model_switch,
    .model_empty = vt_sqlite_model_empty,
    .release = vt_sqlite_release,
    .put = vt_sqlite_put,
    .remove = vt_sqlite_remove,
    .model_find = vt_sqlite_model_find,
    .get = vt_sqlite_get,
    .get_by_key = vt_sqlite_get_by_key,
    .has = vt_sqlite_has,
    .content = vt_sqlite_content,
    .each = vt_sqlite_each,
    .each_picture = vt_sqlite_each_picture,
    .each_category = vt_sqlite_each_category,
    .stats = vt_sqlite_stats,
    .change = vt_sqlite_change,
    .check = vt_sqlite_check,
    .vector = vt_sqlite_vector,
    .keep_pair = vt_sqlite_keep_pair,
    .forget_pair = vt_sqlite_forget_pair,
    .each_kept = vt_sqlite_each_kept,
    .words = vt_sqlite_words,
    .words_fields = vt_sqlite_words_fields,
    .select = vt_sqlite_select,
    .check_postings = vt_sqlite_check_postings,
    .nearest = vt_sqlite_nearest,
    .index_info = vt_sqlite_index_info,
    .index_build = vt_sqlite_index_build,
    .index_check = vt_sqlite_index_check,
};
