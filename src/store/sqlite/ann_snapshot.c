/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graph or inverted lists in a file, index/graph-<model>.vtg or index/ivf-<model>.vtl, so that a
 * program that asks one question neither builds them nor reads all vectors: those stay in the
 * database until a scan wants them.
 *
 * The file is derived (docs/formats/graph-index.md, inverted-lists.md). It is used when it is
 * whole, of this model and of this catalogue (session.c), and not older than the model's service;
 * it is then brought up to date by replaying changes, like an index that was in memory all the
 * time, and must hold as many vectors as the catalogue does. Whatever else is found is reported, as
 * is a file that should be there and is not, and the vectors are read. It is written when one was
 * built, at the end of imports, and when the process that may write closes the shop and the file
 * lacks much.
 *
 * There is one file, of either kind: saving takes the other one away. Both are there only after a
 * crash in between, and then either will do.
 */
#include "store/sqlite/vectors.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Replaying is half a millisecond a change, writing some milliseconds for a thousand vectors. */
enum {
    BEHIND_SHARE = 20, /* behind by more than this part of the vectors: not worth it */
    BEHIND_LEAST = 2000,
    KEEP_SHARE = 2000,
    KEEP_LEAST = 50
};

static const struct {
    vt_index_kind kind;
    const vt_ann_driver *driver;
} files[] = {{VT_INDEX_GRAPH, &vt_ann_graph}, {VT_INDEX_IVF, &vt_ann_ivf}};
enum { FILES = sizeof files / sizeof files[0] };

/* The caller's; NULL: memory is out. */
static char *snapshot_path(const vt_sqlite *store, uint32_t model, const vt_ann_driver *driver)
{
    char name[64];
    snprintf(name, sizeof name, "index/%s-%lu.%s", driver->name, (unsigned long)model,
             driver->suffix);
    return vt_path_join(store->dir, name);
}

vt_index_kind vt_sqlite_ann_wish(const vt_sqlite *store, uint32_t model)
{
    char *graph = snapshot_path(store, model, &vt_ann_graph);
    char *ivf = snapshot_path(store, model, &vt_ann_ivf);
    bool lists = graph != NULL && ivf != NULL && vt_file_exists(ivf) && !vt_file_exists(graph);
    vt_free(graph);
    vt_free(ivf);
    return lists ? VT_INDEX_IVF : VT_INDEX_AUTO;
}

static vt_status model_fingerprint(vt_sqlite_connection *connection, uint32_t model, vt_hash *out,
                                   vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_MODEL_FINGERPRINT];
    sqlite3_bind_int64(row, 1, model);
    int result = sqlite3_step(row);
    vt_status status = result == SQLITE_ROW
                           ? vt_sqlite_row_hash(row, 0, out, error)
                           : vt_fail(error, VT_ERR_NOT_FOUND, "find model %lu: there is none",
                                     (unsigned long)model);
    vt_sqlite_reset(row);
    return status;
}

/* ---- loading ---- */

/* A file, and where it is. */
typedef struct snapshot {
    const vt_ann_driver *driver;
    const char *path;
    vt_ann_file_info info;
} snapshot;

static vt_status origin_check(vt_sqlite_index *index, vt_sqlite_connection *connection,
                              const snapshot *file, vt_error *reason)
{
    vt_hash model = {0};
    const vt_ann_file_info *info = &file->info;
    const char *what = file->driver->what, *path = file->path;
    const vt_snapshot_head head = {info->origin.change, info->origin.session};
    bool fits = false;
    int64_t newest = 0, since = 0;
    vt_status status = model_fingerprint(connection, index->model, &model, reason);
    if (status == VT_OK)
        status = vt_sqlite_model_serves(connection, index->model, &since, reason);
    if (status == VT_OK)
        status = vt_sqlite_session_fits(connection, &head, &fits, reason);
    if (status == VT_OK)
        status = vt_sqlite_newest_change(connection, &newest, reason);
    if (status != VT_OK)
        return status;
    if (info->dim != index->dim || info->metric != VT_METRIC_DOT ||
        memcmp(&model, &info->origin.model, sizeof model) != 0)
        return vt_fail(reason, VT_ERR_MISMATCH, "read %s \"%s\": it is of another model", what,
                       path);
    if (!fits)
        return vt_fail(reason, VT_ERR_MISMATCH,
                       "read %s \"%s\": it is of another state of the catalogue", what, path);
    if (info->origin.change < (uint64_t)since)
        return vt_fail(reason, VT_ERR_MISMATCH,
                       "read %s \"%s\": the model has been away since, its vectors are others",
                       what, path);
    uint64_t behind = (uint64_t)newest - info->origin.change;
    if (behind > info->rows / BEHIND_SHARE + BEHIND_LEAST)
        return vt_fail(reason, VT_ERR_MISMATCH,
                       "read %s \"%s\": it is %llu changes behind, too many to replay", what, path,
                       (unsigned long long)behind);
    return VT_OK;
}

static vt_status member_add(void *context, uint32_t id, uint32_t group, vt_error *error)
{
    vt_sqlite_index *index = context;
    if (id == 0 || group == 0)
        return vt_fail(error, VT_ERR_CORRUPT, "read an index: a vector is of no product");
    return vt_members_add(index->members, group, id, error);
}

/* *out only when the file is of use. */
static vt_status file_read(vt_sqlite_index *index, vt_sqlite_connection *connection, snapshot *file,
                           vt_ann **out, vt_error *reason)
{
    vt_ann *ann = NULL;
    vt_pool *pool = NULL;
    /* The head first: a file that is of no use need not be read. */
    vt_status status = file->driver->file_info(file->path, &file->info, reason);
    if (status == VT_OK)
        status = origin_check(index, connection, file, reason);
    if (status == VT_OK) {
        (void)vt_pool_new(0, &pool, NULL); /* without one it takes longer */
        status = vt_ann_load(file->driver, file->path, pool, &ann, &file->info, reason);
        vt_pool_free(pool);
    }
    if (status == VT_OK) /* once more: the file may be another one by now */
        status = origin_check(index, connection, file, reason);
    if (status == VT_OK)
        *out = ann;
    else
        vt_ann_free(ann);
    return status;
}

/* Puts it in place. */
static vt_status ann_adopt(vt_sqlite_index *index, vt_ann *ann, vt_index_kind kind,
                           const vt_ann_file_info *info, vt_error *reason)
{
    vt_status status = ann->driver->each(ann, member_add, index, reason);
    if (status != VT_OK) {
        vt_ann_free(ann);
        return status;
    }
    atomic_store(&index->ann, ann);
    atomic_store(&index->kind, kind);
    atomic_store(&index->change, (int64_t)info->origin.change);
    atomic_store(&index->saved_change, (int64_t)info->origin.change);
    return VT_OK;
}

vt_status vt_sqlite_ann_load(vt_sqlite_index *index, vt_sqlite_connection *connection,
                             vt_error *reason)
{
    vt_status first = VT_ERR_NOT_FOUND; /* what is wrong with the first file that is there */
    for (size_t i = 0; i < FILES; i++) {
        vt_error why = {0};
        vt_ann *ann = NULL;
        char *path = snapshot_path(index->store, index->model, files[i].driver);
        snapshot file = {.driver = files[i].driver, .path = path};
        vt_status status = path == NULL ? vt_fail_memory(&why, "a path")
                                        : file_read(index, connection, &file, &ann, &why);
        vt_free(path);
        if (status == VT_OK)
            return ann_adopt(index, ann, files[i].kind, &file.info, reason);
        if (first == VT_ERR_NOT_FOUND) {
            first = status;
            *reason = why;
        }
    }
    return first;
}

/* The catalogue itself says whether there should be a file: what it held when this process came, of
 * a model that served already, is enough for a graph or lists. What came since has had no time to
 * be saved, and a first import is no fault. */
void vt_sqlite_ann_miss(vt_sqlite_index *index, vt_sqlite_connection *connection, vt_error *reason)
{
    const vt_sqlite *store = index->store;
    sqlite3_stmt *counter = connection->statements[VT_SQL_VECTOR_COUNT];
    vt_index_choice choice;
    int64_t since = 0;
    size_t rows = 0;
    if (atomic_load(&index->uneven) > 0 ||
        vt_sqlite_model_serves(connection, index->model, &since, NULL) != VT_OK ||
        since > store->opened_change)
        return;
    sqlite3_bind_int64(counter, 1, index->model);
    sqlite3_bind_int64(counter, 2, store->opened_picture);
    if (sqlite3_step(counter) == SQLITE_ROW)
        rows = (size_t)sqlite3_column_int64(counter, 0);
    vt_sqlite_reset(counter);
    vt_index_choose(rows, index->dim, store->memory_bytes, VT_INDEX_AUTO, &choice);
    for (size_t i = 0; i < FILES; i++) {
        if (files[i].kind != choice.kind)
            continue;
        char *path = snapshot_path(store, index->model, files[i].driver);
        if (path != NULL)
            vt_fail(reason, VT_ERR_MISMATCH,
                    "read %s \"%s\": there is none, though %zu vectors want one",
                    files[i].driver->what, path, rows);
        vt_free(path);
    }
}

/* ---- saving ---- */

/* Of the kinds but `kept` (NULL: of all). */
static void files_discard(const vt_sqlite *store, uint32_t model, const vt_ann_driver *kept)
{
    for (size_t i = 0; i < FILES; i++) {
        char *path = files[i].driver != kept ? snapshot_path(store, model, files[i].driver) : NULL;
        if (path != NULL)
            (void)unlink(path);
        vt_free(path);
    }
}

static vt_status origin_make(vt_sqlite_index *index, vt_index_origin *out, vt_error *error)
{
    vt_sqlite_connection *connection = NULL;
    vt_status status = vt_sqlite_reader_take(index->store, &connection, error);
    if (status != VT_OK)
        return status;
    int64_t change = atomic_load(&index->change);
    *out = (vt_index_origin){.change = (uint64_t)change};
    status = vt_sqlite_session_of(connection, change, &out->session, error);
    if (status == VT_OK) /* nobody would ever remove it again */
        status = vt_sqlite_model_serves(connection, index->model, NULL, error);
    if (status == VT_OK)
        status = model_fingerprint(connection, index->model, &out->model, error);
    vt_sqlite_reader_give(index->store, connection);
    return status;
}

vt_status vt_sqlite_ann_save(vt_sqlite_index *index, vt_error *error)
{
    vt_ann *ann = atomic_load(&index->ann);
    char *path = snapshot_path(index->store, index->model, ann->driver);
    char *folder = vt_path_join(index->store->dir, "index");
    vt_index_origin origin = {0};
    vt_status status = path == NULL || folder == NULL ? vt_fail_memory(error, "a path")
                                                      : vt_dir_make(folder, error);
    if (status == VT_OK)
        status = origin_make(index, &origin, error);
    if (status == VT_OK)
        status = ann->driver->save(ann, path, &origin, error);
    if (status == VT_OK) {
        atomic_store(&index->saved_change, (int64_t)origin.change);
        files_discard(index->store, index->model, ann->driver);
    }
    vt_free(path);
    vt_free(folder);
    return status;
}

bool vt_sqlite_ann_is_unsaved(vt_sqlite_index *index)
{
    int64_t saved = atomic_load(&index->saved_change);
    int64_t lacks = atomic_load(&index->change) - saved;
    return atomic_load(&index->ann) != NULL &&
           (saved < 0 ||
            (uint64_t)lacks > atomic_load(&index->row_count) / KEEP_SHARE + KEEP_LEAST);
}

void vt_sqlite_anns_keep(vt_sqlite *store)
{
    vt_error error;
    if (!store->keeps || !store->base.writable)
        return;
    for (vt_sqlite_index *index = store->indexes; index != NULL; index = index->next) {
        vt_sqlite_ann_stop(index);
        if (!atomic_load(&index->broken) && vt_sqlite_ann_is_unsaved(index) &&
            vt_sqlite_ann_save(index, &error) != VT_OK)
            vt_log(VT_LOG_WARN, "%s; the next start takes longer", error.message);
    }
}

void vt_sqlite_ann_discard(vt_sqlite *store, uint32_t model)
{
    files_discard(store, model, NULL);
}

void vt_sqlite_ann_tell(vt_sqlite *store, uint32_t model, vt_store_index_info *out)
{
    vt_error reason = {0};
    vt_ann_file_info info = {0};
    vt_status status = VT_ERR_NOT_FOUND;
    for (size_t i = 0; i < FILES && status == VT_ERR_NOT_FOUND; i++) {
        char *path = snapshot_path(store, model, files[i].driver);
        status = path == NULL ? VT_ERR_NO_MEMORY : files[i].driver->file_info(path, &info, &reason);
        vt_free(path);
    }
    out->snapshot = status == VT_OK;
    out->snapshot_bytes = info.bytes;
    out->snapshot_change = info.origin.change;
    if (status != VT_OK && status != VT_ERR_NOT_FOUND && out->snapshot_fault[0] == '\0')
        snprintf(out->snapshot_fault, sizeof out->snapshot_fault, "%.255s", reason.message);
}
