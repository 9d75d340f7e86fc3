/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph in a file, index/graph-<model>.vtg, so that a program that asks one question neither
 * builds it nor reads all vectors: those stay in the database until a scan wants them.
 *
 * The file is derived (docs/formats/graph-index.md). It is used when it is whole, of this model and
 * of this catalogue (session.c), and not older than the model's service; it is then brought up to
 * date by replaying changes, like a graph that was in memory all the time, and must hold as many
 * vectors as the catalogue does. Whatever else is found is reported, as is a file that should be
 * there and is not, and the vectors are read. It is written when a graph was built, at the end of
 * imports, and when the process that may write closes the shop and the file lacks much.
 */
#include "store/sqlite/vectors.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "index/graph_file.h"

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

/* The caller's; NULL: memory is out. */
static char *snapshot_path(const vt_sqlite *store, uint32_t model)
{
    char name[48];
    snprintf(name, sizeof name, "index/graph-%lu.vtg", (unsigned long)model);
    return vt_path_join(store->dir, name);
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

static vt_status origin_check(vt_sqlite_index *index, vt_sqlite_connection *connection,
                              const char *path, const vt_graph_file_info *info, vt_error *reason)
{
    vt_hash model = {0};
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
    if (info->dim != index->dim || info->options.metric != VT_METRIC_DOT ||
        memcmp(&model, &info->origin.model, sizeof model) != 0)
        return vt_fail(reason, VT_ERR_MISMATCH, "read graph index \"%s\": it is of another model",
                       path);
    if (!fits)
        return vt_fail(reason, VT_ERR_MISMATCH,
                       "read graph index \"%s\": it is of another state of the catalogue", path);
    if (info->origin.change < (uint64_t)since)
        return vt_fail(
            reason, VT_ERR_MISMATCH,
            "read graph index \"%s\": the model has been away since, its vectors are others", path);
    uint64_t behind = (uint64_t)newest - info->origin.change;
    if (behind > info->rows / BEHIND_SHARE + BEHIND_LEAST)
        return vt_fail(reason, VT_ERR_MISMATCH,
                       "read graph index \"%s\": it is %llu changes behind, too many to replay",
                       path, (unsigned long long)behind);
    return VT_OK;
}

static vt_status member_add(void *context, uint32_t id, uint32_t group, vt_error *error)
{
    vt_sqlite_index *index = context;
    if (id == 0 || group == 0)
        return vt_fail(error, VT_ERR_CORRUPT, "read graph index: a vector is of no product");
    return vt_members_add(index->members, group, id, error);
}

vt_status vt_sqlite_graph_load(vt_sqlite_index *index, vt_sqlite_connection *connection,
                               vt_error *reason)
{
    char *path = snapshot_path(index->store, index->model);
    if (path == NULL)
        return vt_fail_memory(reason, "a path");
    vt_graph_load_options options = vt_graph_load_options_defaults();
    vt_graph *graph = NULL;
    vt_graph_file_info info = {0};
    /* The head first: a file that is of no use need not be read. */
    vt_status status = vt_graph_file_info_of(path, &info, reason);
    if (status == VT_OK)
        status = origin_check(index, connection, path, &info, reason);
    if (status == VT_OK) {
        (void)vt_pool_new(0, &options.pool, NULL); /* without one it takes longer */
        status = vt_graph_load(path, &options, &graph, &info, reason);
        vt_pool_free(options.pool);
    }
    if (status == VT_OK) /* once more: the file may be another one by now */
        status = origin_check(index, connection, path, &info, reason);
    if (status == VT_OK)
        status = vt_graph_each(graph, member_add, index, reason);
    if (status == VT_OK) {
        atomic_store(&index->graph, graph);
        atomic_store(&index->change, (int64_t)info.origin.change);
        atomic_store(&index->saved_change, (int64_t)info.origin.change);
    } else {
        vt_graph_free(graph);
    }
    vt_free(path);
    return status;
}

/* The catalogue itself says whether there should be a file: what it held when this process came, of
 * a model that served already, is enough for a graph. What came since has had no time to be saved,
 * and a first import is no fault. */
void vt_sqlite_graph_miss(vt_sqlite_index *index, vt_sqlite_connection *connection,
                          vt_error *reason)
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
    vt_index_choose(rows, index->dim, 0, &choice);
    char *path = snapshot_path(store, index->model);
    if (choice.graph && path != NULL)
        vt_fail(reason, VT_ERR_MISMATCH,
                "read graph index \"%s\": there is none, though %zu vectors want one", path, rows);
    vt_free(path);
}

/* ---- saving ---- */

vt_status vt_sqlite_graph_save(vt_sqlite_index *index, vt_error *error)
{
    vt_graph *graph = atomic_load(&index->graph);
    char *path = snapshot_path(index->store, index->model);
    char *folder = vt_path_join(index->store->dir, "index");
    vt_sqlite_connection *connection = NULL;
    vt_graph_origin origin = {0};
    int64_t change = 0;
    vt_status status = path == NULL || folder == NULL ? vt_fail_memory(error, "a path")
                                                      : vt_dir_make(folder, error);
    if (status == VT_OK)
        status = vt_sqlite_reader_take(index->store, &connection, error);
    if (status == VT_OK) {
        change = atomic_load(&index->change);
        origin.change = (uint64_t)change;
        status = vt_sqlite_session_of(connection, change, &origin.session, error);
        if (status == VT_OK) /* nobody would ever remove it again */
            status = vt_sqlite_model_serves(connection, index->model, NULL, error);
        if (status == VT_OK)
            status = model_fingerprint(connection, index->model, &origin.model, error);
        vt_sqlite_reader_give(index->store, connection);
    }
    if (status == VT_OK)
        status = vt_graph_save(graph, path, &origin, error);
    if (status == VT_OK)
        atomic_store(&index->saved_change, change);
    vt_free(path);
    vt_free(folder);
    return status;
}

bool vt_sqlite_graph_is_unsaved(vt_sqlite_index *index)
{
    int64_t saved = atomic_load(&index->saved_change);
    int64_t lacks = atomic_load(&index->change) - saved;
    return atomic_load(&index->graph) != NULL &&
           (saved < 0 ||
            (uint64_t)lacks > atomic_load(&index->row_count) / KEEP_SHARE + KEEP_LEAST);
}

void vt_sqlite_graphs_keep(vt_sqlite *store)
{
    vt_error error;
    if (!store->keeps || !store->base.writable)
        return;
    for (vt_sqlite_index *index = store->indexes; index != NULL; index = index->next) {
        vt_sqlite_graph_stop(index);
        if (!atomic_load(&index->broken) && vt_sqlite_graph_is_unsaved(index) &&
            vt_sqlite_graph_save(index, &error) != VT_OK)
            vt_log(VT_LOG_WARN, "%s; the next start takes longer", error.message);
    }
}

void vt_sqlite_graph_discard(vt_sqlite *store, uint32_t model)
{
    char *path = snapshot_path(store, model);
    if (path != NULL)
        (void)unlink(path);
    vt_free(path);
}

void vt_sqlite_graph_tell(vt_sqlite *store, uint32_t model, vt_store_index_info *out)
{
    vt_error reason = {0};
    vt_graph_file_info info = {0};
    char *path = snapshot_path(store, model);
    vt_status status =
        path == NULL ? VT_ERR_NO_MEMORY : vt_graph_file_info_of(path, &info, &reason);
    out->snapshot = status == VT_OK;
    out->snapshot_bytes = info.bytes;
    out->snapshot_change = info.origin.change;
    if (status != VT_OK && status != VT_ERR_NOT_FOUND && out->snapshot_fault[0] == '\0')
        snprintf(out->snapshot_fault, sizeof out->snapshot_fault, "%.255s", reason.message);
    vt_free(path);
}
