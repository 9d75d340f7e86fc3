/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One model's vectors in memory, always in step with the database.
 *
 * Method: the vectors of a model are read at the first question, or come from the graph's snapshot
 * (snapshot.c). An index remembers the newest change number it contains, and whoever needs it to
 * contain more replays `changes` from there, product by product. The process that may write does so
 * itself, after each commit and before it acknowledges it, so that its searches find the index in
 * step and ask the database nothing. Other processes first ask for the newest number (one descent
 * of a tree). There is one way for a change to arrive, whoever made it; a put never fails because
 * the index could not follow; replaying twice does no harm. An index that could not follow, or is
 * behind by so much that reading all is less work, is dropped and read again by the next question.
 * So is one of a model that has come to serve since, once more perhaps: its vectors were made anew
 * without a change of a product. An index of a model that serves no more answers nothing.
 *
 * What a product had and has is compared, picture by picture: a new price costs the index nothing.
 * New vectors enter the graph before the old ones leave, and the rows of a product change together,
 * so that no search misses a product that is being replaced.
 *
 * Similarity is the dot product: encoders give vectors of length 1, for which it is the cosine.
 */
#include "store/sqlite/vectors.h"

#include "base/log.h"
#include "base/status.h"
#include "vector/distance.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Behind by more than this share of the rows: read all. */
enum { RELOAD_SHARE = 4, RELOAD_LEAST = 1000 };
static const double UNEVEN = 0.02; /* of a length from 1 */

/* ---- making and dropping ---- */

static void index_free(vt_sqlite_index *index)
{
    if (index == NULL)
        return;
    vt_sqlite_graph_stop(index);
    vt_flat_free(index->flat);
    vt_members_free(index->members);
    vt_graph_free(atomic_load(&index->graph));
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

void vt_sqlite_lock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t kind;
    pthread_rwlockattr_init(&kind);
#ifdef __GLIBC__ /* otherwise searches that overlap could keep a change out for ever */
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    pthread_rwlock_init(lock, &kind);
    pthread_rwlockattr_destroy(&kind);
}

static vt_status index_new(vt_sqlite *store, vt_sqlite_connection *connection, uint32_t model,
                           vt_sqlite_index **out, vt_error *error)
{
    vt_sqlite_index *index = vt_calloc(1, sizeof *index);
    if (index == NULL)
        return vt_fail_memory(error, "the index of a catalogue");
    index->store = store;
    index->model = model;
    atomic_store(&index->saved_change, -1);
    pthread_mutex_init(&index->follow, NULL);
    vt_sqlite_lock_init(&index->rows);
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

/* ---- rows from the database ---- */

static vt_status fail_twice(vt_sqlite_connection *connection, vt_error *error)
{
    return vt_fail(error, VT_ERR_CORRUPT,
                   "read vectors \"%s\": a picture has two vectors of one model",
                   sqlite3_db_filename(connection->db, "main"));
}

/* Room for `count` rows of one product. */
static vt_status room_make(vt_sqlite_index *index, size_t count, vt_error *error)
{
    if (count <= index->room)
        return VT_OK;
    size_t room = count < 8 ? 8 : 2 * count, bytes = 0;
    uint16_t *halves = NULL;
    uint32_t *pictures = NULL;
    if (vt_size_mul(room, index->dim * sizeof *halves, &bytes)) {
        halves = vt_realloc_array(index->halves, bytes, 1);
        index->halves = halves != NULL ? halves : index->halves;
        pictures = vt_realloc_array(index->pictures, room, sizeof *pictures);
        index->pictures = pictures != NULL ? pictures : index->pictures;
    }
    if (halves == NULL || pictures == NULL)
        return vt_fail_memory(error, "the index of a catalogue");
    index->room = room;
    return VT_OK;
}

/* The current row's picture, product and vector, into place `at`. */
static vt_status row_read(vt_sqlite_index *index, vt_sqlite_connection *connection,
                          sqlite3_stmt *row, size_t at, uint32_t *product, vt_error *error)
{
    vt_status status = room_make(index, at + 1, error);
    if (status == VT_OK)
        status = vt_sqlite_row_key(row, 0, &index->pictures[at], error);
    if (status == VT_OK)
        status = vt_sqlite_row_key(row, 1, product, error);
    if (status == VT_OK)
        status = vt_sqlite_row_halves(row, 2, index->dim, index->halves + at * index->dim, error);
    (void)connection;
    return status;
}

/* Half floats of a row into index->floats. Counts those that walks are not made for. */
static void row_widen(vt_sqlite_index *index, size_t at)
{
    const vt_distance_table *kernels = vt_distance();
    kernels->f16_to_f32(index->halves + at * index->dim, index->floats, index->dim);
    double length = sqrt((double)kernels->dot_f32(index->floats, index->floats, index->dim));
    if (!(fabs(length - 1) <= UNEVEN))
        atomic_fetch_add_explicit(&index->uneven, 1, memory_order_relaxed);
}

static void counts_publish(vt_sqlite_index *index, size_t rows)
{
    atomic_store_explicit(&index->row_count, rows, memory_order_release);
    atomic_store_explicit(&index->product_count, vt_members_products(index->members),
                          memory_order_release);
}

/* All rows into a flat index and, where that is asked for, into `members`. */
static vt_status rows_load(vt_sqlite_index *index, vt_sqlite_connection *connection, vt_flat *flat,
                           bool members, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_VECTOR_EACH];
    sqlite3_bind_int64(row, 1, index->model);
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        uint32_t product = 0;
        status = result == SQLITE_ROW
                     ? row_read(index, connection, row, 0, &product, error)
                     : vt_sqlite_fail(connection->db, error, "read vectors", index->store->path);
        if (status == VT_OK && members)
            status = vt_members_add(index->members, product, index->pictures[0], error);
        if (status == VT_OK)
            status = vt_flat_add_f16(flat, index->pictures[0], product, index->halves, error);
        if (status == VT_OK && members)
            row_widen(index, 0);
    }
    vt_sqlite_reset(row);
    return status == VT_ERR_EXISTS ? fail_twice(connection, error) : status;
}

static vt_status vector_count(vt_sqlite_index *index, vt_sqlite_connection *connection, size_t *out,
                              vt_error *error)
{
    sqlite3_stmt *counter = connection->statements[VT_SQL_VECTOR_COUNT];
    sqlite3_bind_int64(counter, 1, index->model);
    int result = sqlite3_step(counter);
    if (result == SQLITE_ROW)
        *out = (size_t)sqlite3_column_int64(counter, 0);
    vt_sqlite_reset(counter);
    return result == SQLITE_ROW
               ? VT_OK
               : vt_sqlite_fail(connection->db, error, "count vectors", index->store->path);
}

/* ---- following ---- */

/* The pictures the index holds of the product, into index->old. */
static vt_status old_pictures(vt_sqlite_index *index, uint32_t product, size_t *count,
                              vt_error *error)
{
    uint32_t *found = NULL;
    vt_idset *one = NULL;
    vt_status status = vt_idset_new(&one, error);
    if (status == VT_OK)
        status = vt_idset_add(one, product, error);
    if (status == VT_OK)
        status = vt_members_collect(index->members, one, &found, count, error);
    vt_idset_free(one);
    if (status != VT_OK)
        return status;
    vt_free(index->old);
    index->old = found;
    return VT_OK;
}

static vt_status new_pictures(vt_sqlite_index *index, vt_sqlite_connection *connection,
                              uint32_t product, size_t *count, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_VECTORS_OF_PRODUCT];
    sqlite3_bind_int64(row, 1, index->model);
    sqlite3_bind_int64(row, 2, product);
    vt_status status = VT_OK;
    int result;
    *count = 0;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        uint32_t of = 0;
        status = result == SQLITE_ROW
                     ? row_read(index, connection, row, *count, &of, error)
                     : vt_sqlite_fail(connection->db, error, "read vectors", index->store->path);
        *count += status == VT_OK;
    }
    vt_sqlite_reset(row);
    return status;
}

/* Whether the index holds this very vector under the picture's key. */
static bool is_same(vt_sqlite_index *index, size_t at)
{
    float *held = index->floats + index->dim;
    if (index->flat == NULL || !vt_flat_get(index->flat, index->pictures[at], held))
        return false;
    vt_distance()->f16_to_f32(index->halves + at * index->dim, index->floats, index->dim);
    return memcmp(held, index->floats, index->dim * sizeof *held) == 0;
}

static vt_status touch(vt_sqlite_index *index, uint32_t picture, vt_error *error)
{
    return index->touched == NULL ? VT_OK : vt_idset_add(index->touched, picture, error);
}

static vt_status graph_put(vt_sqlite_index *index, uint32_t product, size_t at, vt_error *error)
{
    vt_graph *graph = atomic_load(&index->graph);
    row_widen(index, at);
    vt_status status = touch(index, index->pictures[at], error);
    if (status != VT_OK || graph == NULL)
        return status;
    vt_graph_remove(graph, index->pictures[at]);
    return vt_graph_add(graph, index->pictures[at], product, index->floats, error);
}

static bool listed(const uint32_t *list, size_t count, uint32_t picture)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == picture)
            return true;
    return false;
}

/* Replaces the rows of a product at once, for those who scan them. */
static vt_status rows_put(vt_sqlite_index *index, uint32_t product, size_t old_count, size_t count,
                          vt_error *error)
{
    vt_status status = VT_OK;
    uint32_t picture;
    size_t rows = atomic_load(&index->row_count);
    pthread_rwlock_wrlock(&index->rows);
    while (vt_members_pop(index->members, product, &picture))
        if (index->flat != NULL)
            vt_flat_remove(index->flat, picture);
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        status = vt_members_add(index->members, product, index->pictures[i], error);
        if (status == VT_OK && index->flat != NULL)
            status = vt_flat_add_f16(index->flat, index->pictures[i], product,
                                     index->halves + i * index->dim, error);
    }
    pthread_rwlock_unlock(&index->rows);
    counts_publish(index, rows - old_count + count);
    return status;
}

static vt_status replay_change(vt_sqlite_index *index, vt_sqlite_connection *connection,
                               uint32_t product, int64_t kind, vt_error *error)
{
    size_t old_count = 0, count = 0;
    vt_status status = old_pictures(index, product, &old_count, error);
    if (status == VT_OK && kind == VT_SQLITE_CHANGE_PUT)
        status = new_pictures(index, connection, product, &count, error);
    bool all_same = status == VT_OK && count == old_count;
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        bool same = listed(index->old, old_count, index->pictures[i]) && is_same(index, i);
        all_same = all_same && same;
        if (!same)
            status = graph_put(index, product, i, error);
    }
    if (status != VT_OK || all_same)
        return status;
    status = rows_put(index, product, old_count, count, error);
    for (size_t i = 0; status == VT_OK && i < old_count; i++) {
        vt_graph *graph = atomic_load(&index->graph);
        if (listed(index->pictures, count, index->old[i]))
            continue;
        if (graph != NULL)
            vt_graph_remove(graph, index->old[i]);
        status = touch(index, index->old[i], error);
    }
    return status == VT_ERR_EXISTS ? fail_twice(connection, error) : status;
}

static vt_status replay(vt_sqlite_index *index, vt_sqlite_connection *connection, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_CHANGES_SINCE];
    sqlite3_bind_int64(row, 1, atomic_load(&index->change));
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        uint32_t product = 0;
        status = result == SQLITE_ROW
                     ? vt_sqlite_row_key(row, 0, &product, error)
                     : vt_sqlite_fail(connection->db, error, "read changes", index->store->path);
        if (status == VT_OK)
            status = replay_change(index, connection, product, sqlite3_column_int64(row, 1), error);
    }
    vt_sqlite_reset(row);
    return status;
}

vt_status vt_sqlite_newest_change(vt_sqlite_connection *connection, int64_t *out, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_NEWEST_CHANGE];
    vt_status status = VT_OK;
    if (sqlite3_step(row) == SQLITE_ROW)
        *out = sqlite3_column_int64(row, 0); /* no change yet: NULL, 0 */
    else
        status = vt_sqlite_fail(connection->db, error, "read changes",
                                sqlite3_db_filename(connection->db, "main"));
    vt_sqlite_reset(row);
    return status;
}

/* All reads are of one snapshot of the database, so that numbers and vectors fit each other. */
static vt_status follow_within(vt_sqlite_index *index, vt_sqlite_connection *connection,
                               vt_error *error)
{
    int64_t newest = 0, since = 0, have = atomic_load(&index->change);
    vt_status status = vt_sqlite_newest_change(connection, &newest, error);
    size_t rows = atomic_load(&index->row_count);
    if (status == VT_OK && newest > have)
        status = vt_sqlite_model_serves(connection, index->model, &since, error);
    if (status == VT_OK && newest > have) {
        if (since > have || (uint64_t)(newest - have) > rows / RELOAD_SHARE + RELOAD_LEAST)
            atomic_store(&index->broken, true);
        else
            status = replay(index, connection, error);
    }
    if (status != VT_OK)
        atomic_store(&index->broken, true);
    else if (newest > have && !atomic_load(&index->broken))
        atomic_store(&index->change, newest);
    return status;
}

vt_status vt_sqlite_index_follow(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                 vt_error *error)
{
    if (!vt_sqlite_run(connection->statements[VT_SQL_BEGIN]))
        return vt_sqlite_fail(connection->db, error, "read vectors", index->store->path);
    vt_status status = follow_within(index, connection, error);
    vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK]);
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
    vt_status status = follow_within(index, connection, error);
    if (status == VT_OK && atomic_load(&index->broken))
        status = vt_fail(error, VT_ERR_BUSY, "read vectors: too much has changed meanwhile");
    if (status == VT_OK)
        status = vt_flat_new(index->dim, VT_CODEC_F16, VT_METRIC_DOT, &flat, error);
    if (status == VT_OK)
        status = vt_flat_reserve(flat, atomic_load(&index->row_count), error);
    if (status == VT_OK)
        status = rows_load(index, connection, flat, false, error);
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

/* Everything from the database. */
static vt_status load(vt_sqlite_index *index, vt_sqlite_connection *connection, size_t rows,
                      vt_error *error)
{
    vt_status status = vt_flat_new(index->dim, VT_CODEC_F16, VT_METRIC_DOT, &index->flat, error);
    if (status == VT_OK)
        status = vt_flat_reserve(index->flat, rows, error);
    if (status == VT_OK)
        status = rows_load(index, connection, index->flat, true, error);
    if (status == VT_OK)
        counts_publish(index, vt_flat_count(index->flat));
    if (status == VT_OK)
        atomic_store(&index->resident, true);
    return status;
}

/* The graph from its snapshot, brought up to date; it must be as large as the catalogue then. */
static vt_status load_snapshot(vt_sqlite_index *index, vt_sqlite_connection *connection,
                               size_t rows, vt_error *reason)
{
    vt_status status = vt_sqlite_graph_load(index, connection, reason);
    if (status != VT_OK)
        return status;
    counts_publish(index, vt_graph_count(atomic_load(&index->graph)));
    status = replay(index, connection, reason);
    size_t have = vt_graph_count(atomic_load(&index->graph));
    if (status == VT_OK && have != rows)
        status = vt_fail(reason, VT_ERR_MISMATCH,
                         "read graph index: it has %zu vectors, the catalogue %zu", have, rows);
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
        status = vector_count(index, connection, &rows, error);
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
        vt_sqlite_graph_miss(index, connection, &reason);
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
        vt_sqlite_graph_discard(store, model);
    vt_sqlite_reader_give(store, connection);
}

void vt_sqlite_indexes_follow(vt_sqlite *store)
{
    vt_error error = {0};
    vt_sqlite_connection *connection = NULL;
    pthread_rwlock_rdlock(&store->index_lock);
    if (store->indexes != NULL && vt_sqlite_reader_take(store, &connection, &error) != VT_OK)
        for (vt_sqlite_index *index = store->indexes; index != NULL; index = index->next)
            atomic_store(&index->broken, true);
    for (vt_sqlite_index *index = store->indexes; index != NULL && connection != NULL;
         index = index->next) {
        pthread_mutex_lock(&index->follow);
        vt_status status = VT_OK;
        if (!atomic_load(&index->broken))
            status = vt_sqlite_index_follow(index, connection, &error);
        if (status != VT_OK && status != VT_ERR_MISMATCH) /* that: another model serves now */
            vt_log(VT_LOG_WARN, "the index could not follow a change and is read anew: %s",
                   error.message);
        pthread_mutex_unlock(&index->follow);
    }
    pthread_rwlock_unlock(&store->index_lock);
    if (connection != NULL)
        vt_sqlite_reader_give(store, connection);
}

uint64_t vt_sqlite_index_bytes(vt_sqlite *store)
{
    uint64_t bytes = 0;
    pthread_rwlock_rdlock(&store->index_lock);
    for (vt_sqlite_index *index = store->indexes; index != NULL; index = index->next) {
        unsigned turn;
        vt_graph *graph = vt_sqlite_graph_enter(index, &turn);
        bytes += graph != NULL ? vt_graph_bytes(graph) : 0;
        vt_sqlite_graph_leave(index, turn);
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
