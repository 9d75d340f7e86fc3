/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postings of the catalogue, always in step with the database.
 *
 * Method: as nearest.c does it. They are read at the first question that needs them, from their
 * snapshot (postings_snapshot.c) or, where there is none to use, from the database. They remember
 * the newest change they contain, and each question first asks the database for its newest one and
 * replays `changes` from there: all products that changed are forgotten, then those that were put
 * are read again. One way for a change to arrive, whoever made it. Postings that could not be
 * brought up to date are dropped and read again by the next question; so are those that are mostly
 * dead, or behind by so much that reading all is less work.
 *
 * Locking: questions share postings_lock, loading and replaying hold it alone.
 */
#include "store/sqlite/sqlite.h"

#include "base/status.h"

#include <math.h>

/* Behind by more than this share of the products: read all. */
enum { RELOAD_SHARE = 4, RELOAD_LEAST = 1000 };

typedef struct attribute_row {
    uint32_t product; /* 0: no row left */
    const char *name, *text;
    int64_t kind;
    double number;
} attribute_row;

static vt_status fail_read(vt_sqlite_connection *connection, vt_error *error)
{
    return vt_sqlite_fail(connection->db, error, "read catalogue",
                          sqlite3_db_filename(connection->db, "main"));
}

/* The next row of attributes; texts are borrowed from it. */
static vt_status next_attribute(vt_sqlite_connection *connection, sqlite3_stmt *row,
                                attribute_row *out, vt_error *error)
{
    *out = (attribute_row){.number = (double)NAN};
    int result = sqlite3_step(row);
    if (result == SQLITE_DONE)
        return VT_OK;
    if (result != SQLITE_ROW)
        return fail_read(connection, error);
    vt_status status = vt_sqlite_row_key(row, 0, &out->product, error);
    if (status == VT_OK)
        status = vt_sqlite_row_text(row, 1, &out->name, error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, 2, VT_ATTRIBUTE_TEXT, VT_ATTRIBUTE_LIST, &out->kind, error);
    if (status == VT_OK)
        status = vt_sqlite_row_text(row, 3, &out->text, error);
    if (status == VT_OK)
        status = vt_sqlite_row_number(row, 4, &out->number, error);
    if (status == VT_OK && out->name == NULL)
        status = vt_fail(error, VT_ERR_CORRUPT,
                         "read catalogue: an attribute of the product with key %lld has no name",
                         (long long)out->product);
    return status;
}

static vt_status add_attribute(vt_postings *postings, const attribute_row *attribute,
                               vt_error *error)
{
    size_t column = 0;
    vt_status status = vt_postings_column(postings, attribute->name, &column, error);
    if (status != VT_OK || column == SIZE_MAX)
        return status;
    if (attribute->kind == VT_ATTRIBUTE_NUMBER)
        return vt_postings_add_number(postings, column, attribute->number, error);
    return vt_postings_add_text(postings, column, attribute->text, error);
}

/* The built-in columns of the current row. */
static vt_status add_product(vt_postings *postings, sqlite3_stmt *row, vt_error *error)
{
    vt_status status = VT_OK;
    for (int i = 0; status == VT_OK && i < VT_BUILTIN_PRICE; i++) {
        const char *text = NULL;
        status = vt_sqlite_row_text(row, i + 1, &text, error);
        if (status == VT_OK)
            status = vt_postings_add_text(postings, (size_t)i, text, error);
    }
    double price = (double)NAN;
    int64_t change = 0;
    if (status == VT_OK)
        status = vt_sqlite_row_number(row, 6, &price, error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, 7, 1, INT64_MAX, &change, error);
    if (status == VT_OK)
        status = vt_postings_add_number(postings, VT_BUILTIN_PRICE, price, error);
    if (status == VT_OK)
        status = vt_postings_add_number(postings, VT_BUILTIN_CHANGE, (double)change, error);
    return status;
}

/* Puts the products of one bound statement, with their attributes from the other, both by product
 * key; resets both. */
static vt_status add_rows(vt_postings *postings, vt_sqlite_connection *connection,
                          sqlite3_stmt *products, sqlite3_stmt *attributes, vt_error *error)
{
    attribute_row attribute;
    vt_status status = next_attribute(connection, attributes, &attribute, error);
    int result;
    while (status == VT_OK && (result = sqlite3_step(products)) != SQLITE_DONE) {
        uint32_t product = 0;
        status = result == SQLITE_ROW ? vt_sqlite_row_key(products, 0, &product, error)
                                      : fail_read(connection, error);
        if (status != VT_OK)
            break;
        vt_postings_begin(postings, product);
        status = add_product(postings, products, error);
        while (status == VT_OK && attribute.product != 0 && attribute.product <= product) {
            if (attribute.product == product)
                status = add_attribute(postings, &attribute, error);
            if (status == VT_OK)
                status = next_attribute(connection, attributes, &attribute, error);
        }
        if (status == VT_OK)
            status = vt_postings_end(postings, error);
    }
    vt_sqlite_reset(products);
    vt_sqlite_reset(attributes);
    return status;
}

static vt_status load(vt_sqlite_connection *connection, vt_postings **out, vt_error *error)
{
    vt_postings *postings = NULL;
    vt_status status = vt_postings_new(&postings, error);
    if (status == VT_OK)
        status = add_rows(postings, connection, connection->statements[VT_SQL_POSTINGS_PRODUCTS],
                          connection->statements[VT_SQL_POSTINGS_ATTRIBUTES], error);
    if (status == VT_OK)
        status = vt_postings_settle(postings, error);
    if (status == VT_OK)
        *out = postings;
    else
        vt_postings_free(postings);
    return status;
}

/* One walk over the changes since; `put`: reads again what was put, otherwise forgets all of them.
 */
static vt_status replay(vt_sqlite *store, vt_sqlite_connection *connection, bool put,
                        vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_CHANGES_SINCE];
    sqlite3_bind_int64(row, 1, store->postings_change);
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        uint32_t product = 0;
        status = result == SQLITE_ROW ? vt_sqlite_row_key(row, 0, &product, error)
                                      : fail_read(connection, error);
        if (status != VT_OK)
            break;
        if (!put) {
            vt_postings_forget(store->postings, product);
        } else if (sqlite3_column_int64(row, 1) == VT_SQLITE_CHANGE_PUT) {
            sqlite3_stmt *products = connection->statements[VT_SQL_POSTINGS_PRODUCT];
            sqlite3_stmt *attributes = connection->statements[VT_SQL_POSTINGS_ATTRIBUTES_OF];
            sqlite3_bind_int64(products, 1, product);
            sqlite3_bind_int64(attributes, 1, product);
            status = add_rows(store->postings, connection, products, attributes, error);
        }
    }
    vt_sqlite_reset(row);
    return status;
}

static bool better_read_anew(const vt_sqlite *store, int64_t newest)
{
    uint64_t behind = (uint64_t)(newest - store->postings_change);
    return vt_postings_is_wasteful(store->postings) ||
           behind > vt_idset_count(store->postings->all) / RELOAD_SHARE + RELOAD_LEAST;
}

/* With postings_lock held alone: makes the postings contain at least `wanted`, from one snapshot.
 */
static vt_status bring_up_to_date(vt_sqlite *store, vt_sqlite_connection *connection,
                                  int64_t wanted, vt_error *error)
{
    if (store->postings != NULL && store->postings_change >= wanted)
        return VT_OK; /* another question did it meanwhile */
    if (!vt_sqlite_run(connection->statements[VT_SQL_BEGIN]))
        return fail_read(connection, error);
    int64_t newest = 0;
    vt_status status = vt_sqlite_newest_change(connection, &newest, error);
    if (status == VT_OK && store->postings == NULL && !store->postings_tried)
        status = vt_sqlite_postings_load(store, connection, &store->postings,
                                         &store->postings_change, error);
    if (store->postings != NULL && (status != VT_OK || better_read_anew(store, newest))) {
        vt_postings_free(store->postings);
        store->postings = NULL;
    }
    if (status == VT_OK && store->postings == NULL) {
        status = load(connection, &store->postings, error);
    } else if (status == VT_OK) {
        status = replay(store, connection, false, error);
        if (status == VT_OK)
            status = replay(store, connection, true, error);
        if (status == VT_OK)
            status = vt_postings_settle(store->postings, error);
    }
    if (status == VT_OK) {
        store->postings_change = newest;
    } else {
        vt_postings_free(store->postings);
        store->postings = NULL;
    }
    vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK]);
    return status;
}

/* Leaves with postings_lock held shared, or fails without the lock. */
vt_status vt_sqlite_postings_share(vt_sqlite *store, vt_error *error)
{
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    int64_t wanted = 0;
    bool shared = false;
    status = vt_sqlite_newest_change(connection, &wanted, error);
    while (status == VT_OK && !shared) {
        pthread_rwlock_rdlock(&store->postings_lock);
        shared = store->postings != NULL && store->postings_change >= wanted;
        if (shared)
            break;
        pthread_rwlock_unlock(&store->postings_lock);
        pthread_rwlock_wrlock(&store->postings_lock);
        status = bring_up_to_date(store, connection, wanted, error);
        pthread_rwlock_unlock(&store->postings_lock);
    }
    vt_sqlite_reader_give(store, connection);
    return status;
}

void vt_sqlite_postings_release(vt_sqlite *store)
{
    pthread_rwlock_unlock(&store->postings_lock);
}

vt_status vt_sqlite_select(vt_store *base, const vt_select *what, vt_arena *arena,
                           vt_selection *out, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_status status = vt_sqlite_postings_share(store, error);
    if (status != VT_OK)
        return status;
    status = vt_postings_select(store->postings, what, arena, out, error);
    vt_sqlite_postings_release(store);
    vt_sqlite_postings_offer(store);
    return status;
}

/* Both states must be of the same change, so replaying is done here, under the lock, first. */
vt_status vt_sqlite_check_postings(vt_store *base, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    vt_postings *fresh = NULL;
    int64_t newest = 0;
    pthread_rwlock_wrlock(&store->postings_lock);
    bool same = false;
    if (store->postings == NULL && !store->postings_tried) /* what is in the file, too */
        status = vt_sqlite_postings_load(store, connection, &store->postings,
                                         &store->postings_change, error);
    while (status == VT_OK && !same && store->postings != NULL) {
        status = vt_sqlite_newest_change(connection, &newest, error);
        if (status == VT_OK)
            status = bring_up_to_date(store, connection, newest, error);
        if (status == VT_OK && !vt_sqlite_run(connection->statements[VT_SQL_BEGIN]))
            status = fail_read(connection, error);
        if (status == VT_OK)
            status = vt_sqlite_newest_change(connection, &newest, error);
        same = status == VT_OK && newest == store->postings_change;
        if (same)
            status = load(connection, &fresh, error);
        vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK]);
    }
    if (status == VT_OK && same)
        status = vt_postings_compare(store->postings, fresh, error);
    pthread_rwlock_unlock(&store->postings_lock);
    vt_postings_free(fresh);
    vt_sqlite_reader_give(store, connection);
    return status;
}

uint64_t vt_sqlite_postings_bytes(vt_sqlite *store)
{
    pthread_rwlock_rdlock(&store->postings_lock);
    uint64_t bytes = store->postings == NULL ? 0 : vt_postings_bytes(store->postings);
    pthread_rwlock_unlock(&store->postings_lock);
    return bytes;
}
