/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an index contain what the database does: rows from there, and changes replayed.
 *
 * Method: an index remembers the newest change number it contains, and whoever needs it to contain
 * more replays `changes` from there, product by product. What a product had and has is compared,
 * picture by picture: a new price costs the index nothing. New vectors enter the graph or the lists
 * before the old ones leave, and the rows of a product change together, so that no search misses a
 * product that is being replaced. Replaying twice does no harm.
 */
#include "store/sqlite/vectors.h"

#include "base/log.h"
#include "base/status.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>

/* Behind by more than this share of the rows: read all. */
enum { RELOAD_SHARE = 4, RELOAD_LEAST = 1000 };
static const double UNEVEN = 0.02; /* of a length from 1 */

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

void vt_sqlite_counts_publish(vt_sqlite_index *index, size_t rows)
{
    atomic_store_explicit(&index->row_count, rows, memory_order_release);
    atomic_store_explicit(&index->product_count, vt_members_products(index->members),
                          memory_order_release);
}

/* All rows into a flat index (NULL: none) and, where that is asked for, into `members`. */
vt_status vt_sqlite_index_rows_load(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                    vt_flat *flat, bool members, vt_error *error)
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
        if (status == VT_OK && flat != NULL)
            status = vt_flat_add_f16(flat, index->pictures[0], product, index->halves, error);
        if (status == VT_OK && members)
            row_widen(index, 0);
    }
    vt_sqlite_reset(row);
    return status == VT_ERR_EXISTS ? fail_twice(connection, error) : status;
}

vt_status vt_sqlite_vector_count(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                 size_t *out, vt_error *error)
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

static vt_status ann_put(vt_sqlite_index *index, uint32_t product, size_t at, vt_error *error)
{
    vt_ann *ann = atomic_load(&index->ann);
    row_widen(index, at);
    vt_status status = touch(index, index->pictures[at], error);
    if (status != VT_OK || ann == NULL)
        return status;
    ann->driver->remove(ann, index->pictures[at]);
    return ann->driver->add(ann, index->pictures[at], product, index->floats, error);
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
    vt_sqlite_counts_publish(index, rows - old_count + count);
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
            status = ann_put(index, product, i, error);
    }
    if (status != VT_OK || all_same)
        return status;
    status = rows_put(index, product, old_count, count, error);
    for (size_t i = 0; status == VT_OK && i < old_count; i++) {
        vt_ann *ann = atomic_load(&index->ann);
        if (listed(index->pictures, count, index->old[i]))
            continue;
        if (ann != NULL)
            ann->driver->remove(ann, index->old[i]);
        status = touch(index, index->old[i], error);
    }
    return status == VT_ERR_EXISTS ? fail_twice(connection, error) : status;
}

vt_status vt_sqlite_index_replay(vt_sqlite_index *index, vt_sqlite_connection *connection,
                                 vt_error *error)
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
vt_status vt_sqlite_index_follow_within(vt_sqlite_index *index, vt_sqlite_connection *connection,
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
            status = vt_sqlite_index_replay(index, connection, error);
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
    vt_status status = vt_sqlite_index_follow_within(index, connection, error);
    vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK]);
    return status;
}

/* ---- after a commit ---- */

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
