/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of products that stay although they look alike.
 *
 * Method: a row names two pictures, by their keys. A picture keeps its key as long as its product
 * has it (write.c), and the row goes with either of them (ON DELETE CASCADE): whoever gives a
 * product another picture is asked again, whoever changes its price is not.
 */
#include "store/sqlite/sqlite.h"

#include "base/status.h"

/* The key of the product's picture with this hash. */
static vt_status find_picture(vt_sqlite_connection *connection, const char *id, const vt_hash *hash,
                              int64_t *out, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_PICTURE_FIND];
    char hex[VT_HASH_HEX];
    vt_status status = VT_OK;
    sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_blob(row, 2, hash->bytes, VT_HASH_BYTES, SQLITE_STATIC);
    int result = sqlite3_step(row);
    vt_hash_hex(hash, hex);
    if (result == SQLITE_ROW)
        *out = sqlite3_column_int64(row, 0);
    else if (result == SQLITE_DONE)
        status = vt_fail(error, VT_ERR_NOT_FOUND,
                         "keep product \"%s\": there is none with the picture %s", id, hex);
    else
        status = vt_sqlite_fail(connection->db, error, "keep product", id);
    vt_sqlite_reset(row);
    return status;
}

static vt_status keep(vt_sqlite_connection *connection, const vt_store_pair *pair, vt_error *error)
{
    int64_t a = 0, b = 0;
    vt_status status = find_picture(connection, pair->first, &pair->first_picture, &a, error);
    if (status == VT_OK)
        status = find_picture(connection, pair->second, &pair->second_picture, &b, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[VT_SQL_KEPT_PUT];
    sqlite3_bind_int64(row, 1, a < b ? a : b);
    sqlite3_bind_int64(row, 2, a < b ? b : a);
    return vt_sqlite_run(row) ? VT_OK
                              : vt_sqlite_fail(connection->db, error, "keep product", pair->first);
}

vt_status vt_sqlite_keep_pair(vt_store *base, const vt_store_pair *pair, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    pthread_mutex_lock(&store->write_lock);
    vt_status status = vt_sqlite_begin_write(store->writer, "keep product", pair->first, error);
    if (status == VT_OK) {
        status = keep(store->writer, pair, error);
        status = vt_sqlite_finish_write(store->writer, status, "keep product", pair->first, error);
    }
    pthread_mutex_unlock(&store->write_lock);
    return status;
}

static vt_status forget(vt_sqlite_connection *connection, const char *first, const char *second,
                        vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_KEPT_DELETE];
    sqlite3_bind_text(row, 1, first, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, second, -1, SQLITE_STATIC);
    if (!vt_sqlite_run(row))
        return vt_sqlite_fail(connection->db, error, "forget of product", first);
    if (sqlite3_changes(connection->db) == 0)
        return vt_fail(error, VT_ERR_NOT_FOUND,
                       "forget of product \"%s\": nothing was said of it and \"%s\"", first,
                       second);
    return VT_OK;
}

vt_status vt_sqlite_forget_pair(vt_store *base, const char *first, const char *second,
                                vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    pthread_mutex_lock(&store->write_lock);
    vt_status status = vt_sqlite_begin_write(store->writer, "forget of product", first, error);
    if (status == VT_OK) {
        status = forget(store->writer, first, second, error);
        status = vt_sqlite_finish_write(store->writer, status, "forget of product", first, error);
    }
    pthread_mutex_unlock(&store->write_lock);
    return status;
}

typedef struct pair_visit {
    vt_store_visit_pair *visit;
    void *context;
} pair_visit;

static vt_status take_pair(void *context, sqlite3_stmt *row, vt_error *error)
{
    const pair_visit *to = context;
    uint32_t first = 0, second = 0;
    vt_status status = vt_sqlite_row_key(row, 0, &first, error);
    if (status == VT_OK)
        status = vt_sqlite_row_key(row, 1, &second, error);
    return status == VT_OK ? to->visit(to->context, first, second, error) : status;
}

vt_status vt_sqlite_each_kept(vt_store *base, vt_store_visit_pair *visit, void *context,
                              vt_error *error)
{
    pair_visit to = {visit, context};
    return vt_sqlite_each_row((vt_sqlite *)base, VT_SQL_KEPT_EACH, take_pair, &to, error);
}
