/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One model's vectors in memory, always in step with the database.
 *
 * Method: the vectors of a model are read at the first question, or come from the snapshot of graph
 * or lists (ann_snapshot.c). What is newer is replayed (vectors_follow.c). The process that may
 * write does so itself, after each commit and before it acknowledges it, so that its searches find
 * the index in step and ask the database nothing. Other processes first ask for the newest number
 * (one descent of a tree). There is one way for a change to arrive, whoever made it; a put never
 * fails because the index could not follow. An index that could not follow, or is behind by so much
 * that reading all is less work, is dropped and read again by the next question. So is one of a
 * model that has come to serve since, once more perhaps: its vectors were made anew without a
 * change of a product. An index of a model that serves no more answers nothing.
 *
 * Similarity is the dot product: encoders give vectors of length 1, for which it is the cosine.
 */
#include "store/sqlite/vectors.h"

#include "base/log.h"
#include "base/status.h"

#include <assert.h>
#include <stdio.h>

/* ---- making and dropping ---- */

static void index_free(vt_sqlite_index *index)
{
    if (index == NULL)
        return;
    vt_sqlite_ann_stop(index);
    vt_sqlite_screen_stop(index);
    vt_flat_free(index->flat);
    vt_members_free(index->members);
    vt_ann_free(atomic_load(&index->ann));
    vt_idset_free(index->touched);
    vt_free(index->halves);
    vt_free(index->pictures);
    vt_free(index->old);
    vt_free(index->floats);
    pthread_mutex_destroy(&index->follow);
    pthread_rwlock_destroy(&index->rows);
    vt_free(index);
}

static vt_sqlite_index *index_find(vt_sqlite *store, uint32_t model)
{
    vt_sqlite_index *index = store->indexes;
    while (index != NULL && index->model != model)
        index = index->next;
    return index;
}

static void index_drop(vt_sqlite *store, vt_sqlite_index *index)
{
    vt_sqlite_index **link = &store->indexes;
    while (*link != index)
        link = &(*link)->next;
    *link = index->next;
    index_free(index);
}

static vt_status index_new(vt_sqlite *store, vt_sqlite_connection *connection, uint32_t model,
                           vt_sqlite_index **out, vt_error *error)
{
    vt_sqlite_index *index = vt_calloc(1, sizeof *index);
    if (index == NULL)
        return vt_fail_memory(error, "the index of a catalogue");
    index->store = store;
    index->model = model;
    atomic_store(&index->kind, VT_INDEX_EXACT);
    atomic_store(&index->saved_change, -1);
    pthread_mutex_init(&index->follow, NULL);
    vt_rwlock_init(&index->rows);
    vt_status status = vt_sqlite_model_dim(connection, model, &index->dim, error);
    if (status == VT_OK)
        status = vt_members_new(&index->members, error);
    if (status == VT_OK) {
        index->floats = vt_calloc(2 * index->dim, sizeof *index->floats);
        if (index->floats == NULL)
            status = vt_fail_memory(error, "the index of a catalogue");
    }
    if (status != VT_OK)
        index_free(index);
    else
        *out = index;
    return status;
}

/* ---- into memory ---- */

/* With `follow` held. */
static vt_status settle_in(vt_sqlite_index *index, vt_sqlite_connection *connection,
                           vt_error *error)
{
    vt_flat *flat = NULL;
    if (!vt_sqlite_run(connection->statements[VT_SQL_BEGIN]))
        return vt_sqlite_fail(connection->db, error, "read vectors", index->store->path);
    vt_status status = vt_sqlite_index_follow_within(index, connection, error);
    if (status == VT_OK && atomic_load(&index->broken))
        status = vt_fail(error, VT_ERR_BUSY, "read vectors: too much has changed meanwhile");
    if (status == VT_OK)
        status = vt_flat_new(index->dim, VT_CODEC_F16, VT_METRIC_DOT, &flat, error);
    if (status == VT_OK)
        status = vt_flat_reserve(flat, atomic_load(&index->row_count), error);
    if (status == VT_OK)
        status = vt_sqlite_index_rows_load(index, connection, flat, false, error);
    vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK]);
    if (status != VT_OK) {
        vt_flat_free(flat);
        return status;
    }
    pthread_rwlock_wrlock(&index->rows);
    index->flat = flat;
    pthread_rwlock_unlock(&index->rows);
    atomic_store(&index->resident, true);
    return VT_OK;
}

vt_status vt_sqlite_index_settle_in(vt_sqlite_index *index, vt_error *error)
{
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(index->store, &connection, error);
    if (status != VT_OK)
        return status;
    pthread_mutex_lock(&index->follow);
    if (!atomic_load(&index->resident))
        status = settle_in(index, connection, error);
    pthread_mutex_unlock(&index->follow);
    vt_sqlite_reader_give(index->store, connection);
    return status;
}

/* ---- in step ---- */

/* Everything from the database; the vectors themselves only where memory holds them. */
static vt_status load(vt_sqlite_index *index, vt_sqlite_connection *connection, size_t rows,
                      vt_error *error)
{
    vt_index_choice alone;
    vt_status status = VT_OK;
    vt_index_choose(rows, index->dim, index->store->memory_bytes, VT_INDEX_EXACT, &alone);
    if (alone.resident)
        status = vt_flat_new(index->dim, VT_CODEC_F16, VT_METRIC_DOT, &index->flat, error);
    if (status == VT_OK && alone.resident)
        status = vt_flat_reserve(index->flat, rows, error);
    if (status == VT_OK)
        status = vt_sqlite_index_rows_load(index, connection, index->flat, true, error);
    if (status == VT_OK)
        vt_sqlite_counts_publish(index, rows);
    if (status == VT_OK)
        atomic_store(&index->resident, alone.resident);
    return status;
}

/* Graph or lists from their snapshot, brought up to date; they must be as large as the catalogue
 * then. */
static vt_status load_snapshot(vt_sqlite_index *index, vt_sqlite_connection *connection,
                               size_t rows, vt_error *reason)
{
    vt_status status = vt_sqlite_ann_load(index, connection, reason);
    if (status != VT_OK)
        return status;
    vt_ann *ann = atomic_load(&index->ann);
    vt_sqlite_counts_publish(index, vt_ann_rows_of(ann));
    status = vt_sqlite_index_replay(index, connection, reason);
    size_t have = vt_ann_rows_of(ann);
    if (status == VT_OK && have != rows)
        status = vt_fail(reason, VT_ERR_MISMATCH,
                         "read %s: there are %zu vectors in it, in the catalogue %zu",
                         ann->driver->what, have, rows);
    return status;
}

/* Inside a transaction: a new index of its state. */
static vt_status index_load(vt_sqlite *store, vt_sqlite_connection *connection, uint32_t model,
                            vt_sqlite_index **out, vt_error *error)
{
    vt_error reason = {0};
    vt_sqlite_index *index = NULL;
    size_t rows = 0;
    vt_status status = index_new(store, connection, model, &index, error);
    assert(status != VT_OK || index != NULL);
    if (status == VT_OK)
        status = vt_sqlite_vector_count(index, connection, &rows, error);
    if (status == VT_OK && load_snapshot(index, connection, rows, &reason) == VT_OK) {
        *out = index;
        return VT_OK;
    }
    index_free(index); /* half of a snapshot may be in it */
    index = NULL;
    if (status == VT_OK)
        status = index_new(store, connection, model, &index, error);
    assert(status != VT_OK || index != NULL);
    if (status == VT_OK)
        status = load(index, connection, rows, error);
    if (status != VT_OK) {
        index_free(index);
        return status;
    }
    if (reason.status == VT_ERR_NOT_FOUND)
        vt_sqlite_ann_miss(index, connection, &reason);
    if (reason.status != VT_ERR_NOT_FOUND) {
        snprintf(index->fault, sizeof index->fault, "%.255s", reason.message);
        vt_log(VT_LOG_WARN, "%s; the vectors are read instead", reason.message);
    }
    *out = index;
    return VT_OK;
}

/* With index_lock held alone: an index that is sound. */
static vt_status index_make(vt_sqlite *store, vt_sqlite_connection *connection, uint32_t model,
                            vt_error *error)
{
    vt_sqlite_index *index = index_find(store, model);
    if (index != NULL && !atomic_load(&index->broken))
        return VT_OK;
    if (index != NULL)
        index_drop(store, index);
    if (!vt_sqlite_run(connection->statements[VT_SQL_BEGIN]))
        return vt_sqlite_fail(connection->db, error, "read vectors", store->path);
    int64_t newest = 0;
    vt_status status = vt_sqlite_newest_change(connection, &newest, error);
    if (status == VT_OK)
        status = vt_sqlite_model_serves(connection, model, NULL, error);
    if (status == VT_OK)
        status = index_load(store, connection, model, &index, error);
    vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK]);
    if (status != VT_OK)
        return status;
    atomic_store(&index->change, newest);
    index->next = store->indexes;
    store->indexes = index;
    return VT_OK;
}

/* Behind: the first who comes replays, others wait for him. */
static vt_status catch_up(vt_sqlite_index *index, vt_sqlite_connection *connection, int64_t wanted,
                          vt_error *error)
{
    vt_status status = VT_OK;
    pthread_mutex_lock(&index->follow);
    if (atomic_load(&index->change) < wanted && !atomic_load(&index->broken))
        status = vt_sqlite_index_follow(index, connection, error);
    pthread_mutex_unlock(&index->follow);
    return status;
}

static vt_status share(vt_sqlite *store, vt_sqlite_connection *connection, uint32_t model,
                       vt_sqlite_index **out, vt_error *error)
{
    int64_t wanted = 0;
    vt_status status = VT_OK;
    if (!store->base.writable)
        status = vt_sqlite_newest_change(connection, &wanted, error);
    while (status == VT_OK) {
        pthread_rwlock_rdlock(&store->index_lock);
        vt_sqlite_index *index = index_find(store, model);
        if (index != NULL && atomic_load(&index->change) < wanted)
            status = catch_up(index, connection, wanted, error);
        if (status == VT_OK && index != NULL && !atomic_load(&index->broken)) {
            *out = index;
            return VT_OK;
        }
        pthread_rwlock_unlock(&store->index_lock);
        if (status != VT_OK)
            break;
        pthread_rwlock_wrlock(&store->index_lock);
        status = index_make(store, connection, model, error);
        pthread_rwlock_unlock(&store->index_lock);
    }
    return status;
}

/* The quick way: the process that writes has an index that is in step. */
static bool share_at_once(vt_sqlite *store, uint32_t model, vt_sqlite_index **out)
{
    if (!store->base.writable)
        return false;
    pthread_rwlock_rdlock(&store->index_lock);
    *out = index_find(store, model);
    if (*out != NULL && !atomic_load(&(*out)->broken))
        return true;
    pthread_rwlock_unlock(&store->index_lock);
    return false;
}

vt_status vt_sqlite_index_share(vt_sqlite *store, uint32_t model, vt_sqlite_index **out,
                                vt_error *error)
{
    if (share_at_once(store, model, out))
        return VT_OK;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    status = share(store, connection, model, out, error);
    vt_sqlite_reader_give(store, connection);
    return status;
}

void vt_sqlite_index_release(vt_sqlite *store)
{
    pthread_rwlock_unlock(&store->index_lock);
}

void vt_sqlite_release(vt_store *base, uint32_t model)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    pthread_rwlock_wrlock(&store->index_lock);
    vt_sqlite_index *index = index_find(store, model);
    if (index != NULL)
        index_drop(store, index);
    pthread_rwlock_unlock(&store->index_lock);
    /* After the drop has ended a builder, who would write the file again. */
    if (!store->base.writable || vt_sqlite_reader_take(store, &connection, NULL) != VT_OK)
        return;
    if (vt_sqlite_model_serves(connection, model, NULL, NULL) == VT_ERR_MISMATCH)
        vt_sqlite_ann_discard(store, model);
    vt_sqlite_reader_give(store, connection);
}

uint64_t vt_sqlite_index_bytes(vt_sqlite *store)
{
    uint64_t bytes = 0;
    pthread_rwlock_rdlock(&store->index_lock);
    for (vt_sqlite_index *index = store->indexes; index != NULL; index = index->next) {
        unsigned turn;
        vt_ann *ann = vt_sqlite_ann_enter(index, &turn);
        bytes += ann != NULL ? ann->driver->bytes(ann) : 0;
        vt_sqlite_ann_leave(index, turn);
        pthread_rwlock_rdlock(&index->rows);
        bytes += index->flat != NULL ? vt_flat_bytes(index->flat) : 0;
        bytes += vt_members_bytes(index->members);
        pthread_rwlock_unlock(&index->rows);
    }
    pthread_rwlock_unlock(&store->index_lock);
    return bytes;
}

void vt_sqlite_indexes_free(vt_sqlite *store)
{
    while (store->indexes != NULL)
        index_drop(store, store->indexes);
}
