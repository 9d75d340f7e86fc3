/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions that the database answers: products, pictures, counts, content, vectors.
 *
 * Method: each question takes a reader connection. A product is three queries, so they run in one
 * read transaction and all see the same commit. A walk is one transaction too: it sees the
 * catalogue as it was when it began, and holds one product in memory at a time.
 */
#include "store/sqlite/sqlite.h"

#include "base/status.h"
#include "vector/distance.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

/* Room for the largest product that may be stored, with its structs; a damaged one ends here. */
enum { WALK_ARENA_BYTES = 4 * VT_STORE_MAX_PRODUCT_BYTES };

static vt_status begin(vt_sqlite *store, vt_sqlite_connection **out, vt_error *error)
{
    vt_status status = vt_sqlite_reader_take(store, out, error);
    if (status != VT_OK)
        return status;
    if (vt_sqlite_run((*out)->statements[VT_SQL_BEGIN]))
        return VT_OK;
    status = vt_sqlite_fail((*out)->db, error, "read catalogue", store->path);
    vt_sqlite_reader_give(store, *out);
    return status;
}

/* Giving a connection back ends its transaction; a read transaction has nothing to commit. */
static void end(vt_sqlite *store, vt_sqlite_connection *connection)
{
    vt_sqlite_reader_give(store, connection);
}

/* The only row of a bound statement as a product; resets the statement. `name`: for messages. */
static vt_status read_one(vt_sqlite_connection *connection, sqlite3_stmt *row, const char *name,
                          vt_arena *arena, vt_product *out, vt_error *error)
{
    vt_status status;
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW)
        status = vt_sqlite_row_product(connection, row, arena, out, error);
    else if (result == SQLITE_DONE)
        status = vt_fail(error, VT_ERR_NOT_FOUND, "read product \"%s\": there is none", name);
    else
        status = vt_sqlite_fail(connection->db, error, "read product", name);
    if (result == SQLITE_ROW && status != VT_OK)
        vt_fail_context(error, status, "read product \"%s\"", name);
    vt_sqlite_reset(row);
    return status;
}

vt_status vt_sqlite_get(vt_store *base, const char *id, vt_arena *arena, vt_product *out,
                        vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = begin(store, &connection, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[VT_SQL_PRODUCT_BY_ID];
    sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
    status = read_one(connection, row, id, arena, out, error);
    end(store, connection);
    return status;
}

vt_status vt_sqlite_get_by_key(vt_store *base, uint32_t key, vt_arena *arena, vt_product *out,
                               vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = begin(store, &connection, error);
    if (status != VT_OK)
        return status;
    char name[32];
    snprintf(name, sizeof name, "key %" PRIu32, key);
    sqlite3_stmt *row = connection->statements[VT_SQL_PRODUCT_BY_KEY];
    sqlite3_bind_int64(row, 1, key);
    status = read_one(connection, row, name, arena, out, error);
    end(store, connection);
    return status;
}

vt_status vt_sqlite_has(vt_store *base, const char *id, bool *out, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[VT_SQL_PRODUCT_BY_ID];
    sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW || result == SQLITE_DONE)
        *out = result == SQLITE_ROW;
    else
        status = vt_sqlite_fail(connection->db, error, "look up product", id);
    vt_sqlite_reset(row);
    vt_sqlite_reader_give(store, connection);
    return status;
}

vt_status vt_sqlite_content(vt_store *base, uint32_t model, const char *id, vt_hash *out,
                            vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[VT_SQL_CONTENT];
    sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 2, model);
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW)
        status = vt_sqlite_row_hash(row, 0, out, error);
    else if (result == SQLITE_DONE)
        status = vt_fail(error, VT_ERR_NOT_FOUND,
                         "look up product \"%s\": there is none with vectors of this model", id);
    else
        status = vt_sqlite_fail(connection->db, error, "look up product", id);
    vt_sqlite_reset(row);
    vt_sqlite_reader_give(store, connection);
    return status;
}

vt_status vt_sqlite_each(vt_store *base, vt_store_visit *visit, void *context, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = begin(store, &connection, error);
    if (status != VT_OK)
        return status;
    vt_arena arena;
    vt_arena_init(&arena, WALK_ARENA_BYTES);
    sqlite3_stmt *row = connection->statements[VT_SQL_PRODUCT_EACH];
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        vt_product product;
        if (result != SQLITE_ROW)
            status = vt_sqlite_fail(connection->db, error, "read catalogue", store->path);
        else
            status = vt_sqlite_row_product(connection, row, &arena, &product, error);
        if (status == VT_OK)
            status = visit(context, &product, error);
        vt_arena_reset(&arena);
    }
    vt_sqlite_reset(row);
    vt_arena_deinit(&arena);
    end(store, connection);
    return status;
}

vt_status vt_sqlite_visit_pictures(vt_sqlite_connection *connection, vt_sqlite_sql statement,
                                   const vt_sqlite_picture_visit *to, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[statement];
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        const char *id = NULL;
        uint32_t product = 0;
        vt_picture picture;
        if (result != SQLITE_ROW)
            status = vt_sqlite_fail(connection->db, error, "read catalogue", to->path);
        else
            status = vt_sqlite_row_text(row, 0, &id, error);
        if (status == VT_OK)
            status = vt_sqlite_row_key(row, 1, &product, error);
        if (status == VT_OK)
            status = vt_sqlite_row_picture(row, 2, &picture, error);
        if (status == VT_OK && id == NULL)
            status = vt_fail(error, VT_ERR_CORRUPT, "read catalogue \"%s\": a product has no id",
                             to->path);
        if (status == VT_OK)
            status = to->visit(to->context, id, product, &picture, error);
    }
    vt_sqlite_reset(row);
    return status;
}

vt_status vt_sqlite_each_picture(vt_store *base, vt_store_visit_picture *visit, void *context,
                                 vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    const vt_sqlite_picture_visit to = {store->path, visit, context};
    status = vt_sqlite_visit_pictures(connection, VT_SQL_PICTURE_EACH, &to, error);
    vt_sqlite_reader_give(store, connection);
    return status;
}

vt_status vt_sqlite_each_row(vt_sqlite *store, vt_sqlite_sql statement, vt_sqlite_take_row *take,
                             void *context, vt_error *error)
{
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[statement];
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE)
        status = result == SQLITE_ROW
                     ? take(context, row, error)
                     : vt_sqlite_fail(connection->db, error, "read catalogue", store->path);
    vt_sqlite_reset(row);
    vt_sqlite_reader_give(store, connection);
    return status;
}

typedef struct category_visit {
    vt_store_visit_category *visit;
    void *context;
} category_visit;

static vt_status take_category(void *context, sqlite3_stmt *row, vt_error *error)
{
    const category_visit *to = context;
    const char *category = NULL;
    vt_status status = vt_sqlite_row_text(row, 0, &category, error);
    if (status != VT_OK || category == NULL)
        return status;
    return to->visit(to->context, category, (uint64_t)sqlite3_column_int64(row, 1), error);
}

vt_status vt_sqlite_each_category(vt_store *base, vt_store_visit_category *visit, void *context,
                                  vt_error *error)
{
    category_visit to = {visit, context};
    return vt_sqlite_each_row((vt_sqlite *)base, VT_SQL_CATEGORIES, take_category, &to, error);
}

static uint64_t file_bytes(const char *path, const char *suffix)
{
    char name[4096 + 8];
    struct stat info;
    if ((size_t)snprintf(name, sizeof name, "%s%s", path, suffix) >= sizeof name ||
        stat(name, &info) != 0)
        return 0;
    return (uint64_t)info.st_size;
}

vt_status vt_sqlite_stats(vt_store *base, uint32_t model, vt_store_stats *out, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[VT_SQL_COUNTS];
    sqlite3_bind_int64(row, 1, model);
    vt_store_stats stats = {.schema_version = VT_SQLITE_VERSION, .driver = base->driver->name};
    if (sqlite3_step(row) == SQLITE_ROW) {
        stats.products = (uint64_t)sqlite3_column_int64(row, 0);
        stats.pictures = (uint64_t)sqlite3_column_int64(row, 1);
        stats.vectors = (uint64_t)sqlite3_column_int64(row, 2);
        stats.change = (uint64_t)sqlite3_column_int64(row, 3);
    } else {
        status = vt_sqlite_fail(connection->db, error, "count catalogue", store->path);
    }
    vt_sqlite_reset(row);
    vt_sqlite_reader_give(store, connection);
    if (status != VT_OK)
        return status;
    stats.database_bytes = file_bytes(store->path, "") + file_bytes(store->path, "-wal");
    stats.index_bytes = vt_sqlite_index_bytes(store) + vt_sqlite_postings_bytes(store);
    *out = stats;
    return VT_OK;
}

vt_status vt_sqlite_change(vt_store *base, uint64_t *out, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    int64_t newest = 0;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    status = vt_sqlite_newest_change(connection, &newest, error);
    vt_sqlite_reader_give(store, connection);
    if (status == VT_OK)
        *out = (uint64_t)newest;
    return status;
}

vt_status vt_sqlite_model_find(vt_store *base, const vt_hash *fingerprint, uint32_t *model,
                               vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[VT_SQL_MODEL_FIND];
    sqlite3_bind_blob(row, 1, fingerprint->bytes, VT_HASH_BYTES, SQLITE_STATIC);
    int result = sqlite3_step(row);
    char hex[VT_HASH_HEX];
    vt_hash_hex(fingerprint, hex);
    if (result == SQLITE_ROW)
        status = vt_sqlite_row_key(row, 0, model, error);
    else if (result == SQLITE_DONE)
        status = vt_fail(error, VT_ERR_NOT_FOUND,
                         "look up model \"%.12s\": the catalogue has no vectors of it", hex);
    else
        status = vt_sqlite_fail(connection->db, error, "look up model", hex);
    vt_sqlite_reset(row);
    vt_sqlite_reader_give(store, connection);
    return status;
}

vt_status vt_sqlite_model_dim(vt_sqlite_connection *connection, uint32_t model, size_t *dim,
                              vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_MODEL_DIM];
    char name[32];
    snprintf(name, sizeof name, "key %" PRIu32, model);
    vt_status status = VT_OK;
    sqlite3_bind_int64(row, 1, model);
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW) {
        int64_t value = sqlite3_column_int64(row, 0);
        if (value >= 1 && value <= VT_STORE_MAX_DIM)
            *dim = (size_t)value;
        else
            status = vt_fail(error, VT_ERR_CORRUPT,
                             "look up model \"%s\": its dimension is %" PRId64, name, value);
    } else if (result == SQLITE_DONE) {
        status = vt_fail(error, VT_ERR_NOT_FOUND, "look up model \"%s\": there is none", name);
    } else {
        status = vt_sqlite_fail(connection->db, error, "look up model", name);
    }
    vt_sqlite_reset(row);
    return status;
}

/* Copies the vector in the current row out; `halves` as scratch. */
static vt_status read_vector(sqlite3_stmt *row, size_t dim, float *out, vt_error *error)
{
    uint16_t *halves = vt_alloc_array(dim, sizeof *halves);
    if (halves == NULL)
        return vt_fail_memory(error, "a vector");
    vt_status status = vt_sqlite_row_halves(row, 0, dim, halves, error);
    if (status == VT_OK)
        vt_distance()->f16_to_f32(halves, out, dim);
    vt_free(halves);
    return status;
}

vt_status vt_sqlite_vector(vt_store *base, uint32_t model, uint32_t picture, float *out,
                           vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    size_t dim = 0;
    status = vt_sqlite_model_dim(connection, model, &dim, error);
    if (status == VT_OK) {
        sqlite3_stmt *row = connection->statements[VT_SQL_VECTOR];
        sqlite3_bind_int64(row, 1, picture);
        sqlite3_bind_int64(row, 2, model);
        int result = sqlite3_step(row);
        if (result == SQLITE_ROW)
            status = read_vector(row, dim, out, error);
        else if (result == SQLITE_DONE)
            status = vt_fail(error, VT_ERR_NOT_FOUND,
                             "read vector of picture \"key %" PRIu32 "\": there is none", picture);
        else
            status = vt_sqlite_fail(connection->db, error, "read vector", store->path);
        vt_sqlite_reset(row);
    }
    vt_sqlite_reader_give(store, connection);
    return status;
}
