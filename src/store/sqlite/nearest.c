/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearest neighbours: one exact index per model in memory, always in step with the database.
 *
 * Method: the index of a model is read from the database at the first question. It remembers the
 * newest change number it contains; each question first asks the database for its newest one (one
 * descent of a tree) and, when that is higher, replays `changes` from there: forget the pictures of
 * each product, and for a put read its vectors again. There is one way for a change to arrive,
 * whether this process made it or another, and a put never fails because the index could not
 * follow. Replaying twice does no harm, and an index that could not be brought up to date is
 * dropped.
 *
 * Locking: searches share index_lock, loading and replaying hold it alone. A question that finds
 * the index behind does not search until it has seen it in step, so writers of the lock cannot
 * starve.
 *
 * Similarity is the dot product: encoders give vectors of length 1, for which it is the cosine.
 */
#include "store/sqlite/sqlite.h"

#include "base/status.h"
#include "index/flat.h"

struct vt_sqlite_index {
    vt_sqlite_index *next;
    uint32_t model;
    size_t dim;
    vt_flat *flat;
    vt_members *members; /* what `flat` holds, by product */
    uint16_t *row;       /* (dim), for loading */
    int64_t change;      /* newest contained */
};

static void index_free(vt_sqlite_index *index)
{
    if (index == NULL)
        return;
    vt_flat_free(index->flat);
    vt_members_free(index->members);
    vt_free(index->row);
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

/* Adds the rows (picture, product, vector) of a bound statement, then resets it. */
static vt_status add_rows(vt_sqlite_index *index, vt_sqlite_connection *connection,
                          sqlite3_stmt *row, vt_error *error)
{
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        uint32_t picture = 0, product = 0;
        if (result != SQLITE_ROW)
            status = vt_sqlite_fail(connection->db, error, "read vectors",
                                    sqlite3_db_filename(connection->db, "main"));
        else
            status = vt_sqlite_row_key(row, 0, &picture, error);
        if (status == VT_OK)
            status = vt_sqlite_row_key(row, 1, &product, error);
        if (status == VT_OK)
            status = vt_sqlite_row_halves(row, 2, index->dim, index->row, error);
        if (status == VT_OK)
            status = vt_members_add(index->members, product, picture, error);
        if (status == VT_OK)
            status = vt_flat_add_f16(index->flat, picture, product, index->row, error);
    }
    vt_sqlite_reset(row);
    if (status == VT_ERR_EXISTS)
        return vt_fail(error, VT_ERR_CORRUPT,
                       "read vectors \"%s\": a picture has two vectors of one model",
                       sqlite3_db_filename(connection->db, "main"));
    return status;
}

static vt_status load(vt_sqlite_index *index, vt_sqlite_connection *connection, vt_error *error)
{
    sqlite3_stmt *counter = connection->statements[VT_SQL_VECTOR_COUNT];
    sqlite3_bind_int64(counter, 1, index->model);
    int64_t rows = 0;
    int result = sqlite3_step(counter);
    if (result == SQLITE_ROW)
        rows = sqlite3_column_int64(counter, 0);
    vt_sqlite_reset(counter);
    if (result != SQLITE_ROW)
        return vt_sqlite_fail(connection->db, error, "count vectors",
                              sqlite3_db_filename(connection->db, "main"));
    vt_status status = vt_flat_reserve(index->flat, (size_t)rows, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *each = connection->statements[VT_SQL_VECTOR_EACH];
    sqlite3_bind_int64(each, 1, index->model);
    return add_rows(index, connection, each, error);
}

static vt_status replay_change(vt_sqlite_index *index, vt_sqlite_connection *connection,
                               uint32_t product, int64_t kind, vt_error *error)
{
    uint32_t picture;
    while (vt_members_pop(index->members, product, &picture))
        vt_flat_remove(index->flat, picture);
    if (kind != VT_SQLITE_CHANGE_PUT)
        return VT_OK;
    sqlite3_stmt *row = connection->statements[VT_SQL_VECTORS_OF_PRODUCT];
    sqlite3_bind_int64(row, 1, index->model);
    sqlite3_bind_int64(row, 2, product);
    return add_rows(index, connection, row, error);
}

static vt_status replay(vt_sqlite_index *index, vt_sqlite_connection *connection, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_CHANGES_SINCE];
    sqlite3_bind_int64(row, 1, index->change);
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        uint32_t product = 0;
        if (result != SQLITE_ROW)
            status = vt_sqlite_fail(connection->db, error, "read changes",
                                    sqlite3_db_filename(connection->db, "main"));
        else
            status = vt_sqlite_row_key(row, 0, &product, error);
        if (status == VT_OK)
            status = replay_change(index, connection, product, sqlite3_column_int64(row, 1), error);
    }
    vt_sqlite_reset(row);
    return status;
}

static vt_status index_new(vt_sqlite *store, vt_sqlite_connection *connection, uint32_t model,
                           vt_sqlite_index **out, vt_error *error)
{
    vt_sqlite_index *index = vt_calloc(1, sizeof *index);
    if (index == NULL)
        return vt_fail_memory(error, "the index of a catalogue");
    index->model = model;
    vt_status status = vt_sqlite_model_dim(connection, model, &index->dim, error);
    if (status == VT_OK)
        status = vt_flat_new(index->dim, VT_CODEC_F16, VT_METRIC_DOT, &index->flat, error);
    if (status == VT_OK)
        status = vt_members_new(&index->members, error);
    if (status == VT_OK && (index->row = vt_alloc_array(index->dim, sizeof *index->row)) == NULL)
        status = vt_fail_memory(error, "the index of a catalogue");
    if (status != VT_OK) {
        index_free(index);
        return status;
    }
    index->next = store->indexes;
    store->indexes = index;
    *out = index;
    return VT_OK;
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

/* With index_lock held alone: makes the model's index contain at least `wanted`. All reads are of
 * one snapshot, so that the number and the vectors fit each other. */
static vt_status bring_up_to_date(vt_sqlite *store, vt_sqlite_connection *connection,
                                  uint32_t model, int64_t wanted, vt_error *error)
{
    vt_sqlite_index *index = index_find(store, model);
    if (index != NULL && index->change >= wanted)
        return VT_OK; /* another question did it meanwhile */
    if (!vt_sqlite_run(connection->statements[VT_SQL_BEGIN]))
        return vt_sqlite_fail(connection->db, error, "read vectors", store->path);
    bool fresh = index == NULL;
    int64_t newest = 0;
    vt_status status = vt_sqlite_newest_change(connection, &newest, error);
    if (status == VT_OK)
        status = vt_sqlite_model_serves(connection, model, error);
    if (status == VT_OK && fresh)
        status = index_new(store, connection, model, &index, error);
    if (status == VT_OK)
        status = fresh ? load(index, connection, error) : replay(index, connection, error);
    if (status == VT_OK)
        index->change = newest;
    else if (index != NULL)
        index_drop(store, index);
    vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK]);
    return status;
}

/* Leaves with index_lock held shared and *out in step with what was committed before; or fails
 * without the lock. */
static vt_status index_share(vt_sqlite *store, vt_sqlite_connection *connection, uint32_t model,
                             vt_sqlite_index **out, vt_error *error)
{
    int64_t wanted = 0;
    vt_status status = vt_sqlite_newest_change(connection, &wanted, error);
    while (status == VT_OK) {
        pthread_rwlock_rdlock(&store->index_lock);
        vt_sqlite_index *index = index_find(store, model);
        if (index != NULL && index->change >= wanted) {
            *out = index;
            return VT_OK;
        }
        pthread_rwlock_unlock(&store->index_lock);
        pthread_rwlock_wrlock(&store->index_lock);
        status = bring_up_to_date(store, connection, model, wanted, error);
        pthread_rwlock_unlock(&store->index_lock);
    }
    return status;
}

vt_status vt_sqlite_nearest(vt_store *base, uint32_t model, const float *queries, size_t count,
                            const vt_nearest_options *options, vt_hit *hits, size_t *hit_counts,
                            vt_nearest_answer *answer, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    vt_sqlite_index *index;
    status = index_share(store, connection, model, &index, error);
    vt_sqlite_reader_give(store, connection);
    if (status != VT_OK)
        return status;
    vt_scan_options scan = vt_scan_options_defaults();
    scan.k = options->k;
    scan.grouped = true;
    scan.min_similarity = options->min_similarity;
    scan.groups = options->products;
    scan.pool = options->pool;
    size_t scanned = 0;
    uint64_t products = vt_members_products(index->members);
    status = vt_flat_search(index->flat, queries, count, &scan, hits, hit_counts, &scanned, error);
    pthread_rwlock_unlock(&store->index_lock);
    if (status == VT_OK && answer != NULL)
        *answer = (vt_nearest_answer){.strategy = "exact",
                                      .complete = true,
                                      .searched = scanned,
                                      .visited = scanned,
                                      .products = products};
    return status;
}

uint64_t vt_sqlite_index_bytes(vt_sqlite *store)
{
    uint64_t bytes = 0;
    pthread_rwlock_rdlock(&store->index_lock);
    for (const vt_sqlite_index *index = store->indexes; index != NULL; index = index->next)
        bytes += vt_flat_bytes(index->flat) + vt_members_bytes(index->members) +
                 index->dim * sizeof *index->row;
    pthread_rwlock_unlock(&store->index_lock);
    return bytes;
}

void vt_sqlite_release(vt_store *base, uint32_t model)
{
    vt_sqlite *store = (vt_sqlite *)base;
    pthread_rwlock_wrlock(&store->index_lock);
    vt_sqlite_index *index = index_find(store, model);
    if (index != NULL)
        index_drop(store, index);
    pthread_rwlock_unlock(&store->index_lock);
}

void vt_sqlite_indexes_free(vt_sqlite *store)
{
    while (store->indexes != NULL)
        index_drop(store, store->indexes);
}
