/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing: one product, one transaction.
 *
 * Method: everything that can be refused is refused before the transaction begins. Inside it, the
 * statements run one after another and the first that fails ends it: the reason is taken from
 * SQLite, then everything is rolled back. vt_store_put returns after COMMIT has synced the log. A
 * new product with one picture costs eight statements and one per attribute; replacing it, four
 * more.
 *
 * A picture that the product had before (same hash) is updated in place, so that it keeps its key
 * and the vectors that other models gave it.
 *
 * Results of sqlite3_bind_* are not looked at: the values are borrowed, not copied, and shorter
 * than the connection's length limit, and every statement was reset, so nothing is left that could
 * fail.
 */
#include "store/sqlite/sqlite.h"

#include "base/clock.h"
#include "base/status.h"
#include "vector/distance.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct old_picture {
    int64_t key; /* 0: taken over by a new one */
    vt_hash hash;
} old_picture;

typedef struct put_job {
    vt_sqlite_connection *connection;
    const vt_product *product;
    uint32_t model;
    size_t dim;
    uint16_t *halves;   /* (picture_count, dim), little-endian, owned */
    int64_t key;        /* of the product, 0: new */
    int64_t old_change; /* of its last put */
    int64_t change;     /* of this one */
    old_picture *old;   /* what it has now, owned */
    size_t old_count, old_capacity;
} put_job;

/* ---- transactions ----
 *
 * Out of memory, out of disk or on an error of input and output, SQLite ends the transaction by
 * itself, from within the statement that met it. When that is one of FTS5's own, below the
 * statement that writes the words, FTS5 is told of the rollback (xRollback) before it has seen the
 * error: it forgets its totals of rows and words, returns from reading them, and takes what it has
 * not read for them (fts5StorageLoadTotals of SQLite 3.40 sets bTotalsValid whatever came of the
 * reading). SQLite's own rollback at the end of the outer statement does not reach it any more. The
 * next product would be written with totals of 0: "database disk image is malformed" when it had
 * words before, and otherwise a file whose totals are wrong for good. A rollback of ours comes
 * after FTS5 has returned and does reach it. So a connection whose transaction was ended by SQLite
 * is replaced before it writes again: what was in its memory is gone, the file is as committed.
 */

vt_status vt_sqlite_begin_write(vt_sqlite_connection *connection, const char *action,
                                const char *id, vt_error *error)
{
    vt_status status = connection->doubtful ? vt_sqlite_connection_renew(connection, error) : VT_OK;
    if (status != VT_OK)
        return vt_fail_context(error, status, "%s \"%s\"", action, id);
    /* A rollback that itself failed (no memory) is made good here. */
    if ((!sqlite3_get_autocommit(connection->db) &&
         !vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK])) ||
        !vt_sqlite_run(connection->statements[VT_SQL_BEGIN_WRITE]))
        return vt_sqlite_fail(connection->db, error, action, id);
    return VT_OK;
}

vt_status vt_sqlite_finish_write(vt_sqlite_connection *connection, vt_status status,
                                 const char *action, const char *id, vt_error *error)
{
    if (status == VT_OK && !vt_sqlite_run(connection->statements[VT_SQL_COMMIT]))
        status = vt_sqlite_fail(connection->db, error, action, id);
    if (status != VT_OK && sqlite3_get_autocommit(connection->db))
        connection->doubtful = true;
    else if (status != VT_OK)
        vt_sqlite_run(connection->statements[VT_SQL_ROLLBACK]);
    vt_sqlite_session_end(connection, status == VT_OK);
    return status;
}

/* An insert that gives a key: the CHECK on the key is the only one that checked values can break.
 */
vt_status vt_sqlite_fail_insert(sqlite3 *db, const char *action, const char *item, vt_error *error)
{
    if (sqlite3_extended_errcode(db) == SQLITE_CONSTRAINT_CHECK)
        return vt_fail(error, VT_ERR_LIMIT, "%s \"%s\": all 2^32 - 1 keys are used up", action,
                       item);
    return vt_sqlite_fail(db, error, action, item);
}

/* The next change number; false with the connection's error. */
bool vt_sqlite_next_change(vt_sqlite_connection *connection, int64_t *change)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_CHANGE_NEXT];
    int result = sqlite3_step(row);
    *change = result == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 1;
    vt_sqlite_reset(row);
    return result == SQLITE_ROW || result == SQLITE_DONE;
}

/* What is stored under this id: key and change, both 0 when nothing is. */
static bool find_product(vt_sqlite_connection *connection, const char *id, int64_t *key,
                         int64_t *change)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_PRODUCT_FIND];
    sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
    int result = sqlite3_step(row);
    *key = result == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    *change = result == SQLITE_ROW ? sqlite3_column_int64(row, 1) : 0;
    vt_sqlite_reset(row);
    return result == SQLITE_ROW || result == SQLITE_DONE;
}

/* The log keeps a product's newest change alone. */
static bool log_change(vt_sqlite_connection *connection, int64_t old_change, int64_t change,
                       int64_t product, int kind)
{
    if (old_change != 0) {
        sqlite3_stmt *forget = connection->statements[VT_SQL_CHANGE_DELETE];
        sqlite3_bind_int64(forget, 1, old_change);
        if (!vt_sqlite_run(forget))
            return false;
    }
    sqlite3_stmt *add = connection->statements[VT_SQL_CHANGE_INSERT];
    sqlite3_bind_int64(add, 1, change);
    sqlite3_bind_int64(add, 2, product);
    sqlite3_bind_int(add, 3, kind);
    return vt_sqlite_run(add) && vt_sqlite_session_note(connection, change);
}

/* ---- putting a product ---- */

static vt_status convert_vectors(put_job *job, vt_error *error)
{
    const vt_product *product = job->product;
    size_t total;
    if (!vt_size_mul(product->picture_count, job->dim, &total) ||
        (job->halves = vt_alloc_array(total, sizeof *job->halves)) == NULL)
        return vt_fail_memory(error, "the vectors of a product");
    for (size_t i = 0; i < product->picture_count; i++) {
        const float *vector = product->pictures[i].vector;
        uint16_t *halves = job->halves + i * job->dim;
        if (!vt_vector_is_finite(vector, job->dim))
            return vt_fail(error, VT_ERR_USAGE,
                           "store product \"%s\": the vector of picture %zu is not finite",
                           product->id, i);
        vt_distance()->f32_to_f16(vector, halves, job->dim);
        if (!vt_sqlite_halves_are_finite(halves, job->dim))
            return vt_fail(error, VT_ERR_USAGE,
                           "store product \"%s\": the vector of picture %zu has values beyond half "
                           "precision (65504)",
                           product->id, i);
        vt_sqlite_swap_halves(halves, job->dim);
    }
    return VT_OK;
}

static bool write_product(put_job *job)
{
    const vt_product *product = job->product;
    sqlite3_stmt *row =
        job->connection->statements[job->key == 0 ? VT_SQL_PRODUCT_INSERT : VT_SQL_PRODUCT_UPDATE];
    const char *texts[] = {product->id,    product->title, product->description, product->category,
                           product->brand, product->link,  product->currency};
    for (int i = 0; i < 7; i++)
        sqlite3_bind_text(row, i + 1, texts[i], -1, SQLITE_STATIC);
    sqlite3_bind_double(row, 8, product->price); /* SQLite makes NULL of NAN */
    sqlite3_bind_blob(row, 9, product->content.bytes, VT_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(row, 10, job->change);
    sqlite3_bind_int64(row, 11, vt_clock_unix_ms());
    if (!vt_sqlite_run(row))
        return false;
    if (job->key == 0)
        job->key = sqlite3_last_insert_rowid(job->connection->db);
    return true;
}

static bool write_attribute(put_job *job, size_t position, size_t item, const char *text)
{
    const vt_attribute *attribute = &job->product->attributes[position];
    sqlite3_stmt *row = job->connection->statements[VT_SQL_ATTRIBUTE_INSERT];
    sqlite3_bind_int64(row, 1, job->key);
    sqlite3_bind_int64(row, 2, (int64_t)position);
    sqlite3_bind_int64(row, 3, (int64_t)item);
    sqlite3_bind_text(row, 4, attribute->name, -1, SQLITE_STATIC);
    sqlite3_bind_int(row, 5, (int)attribute->kind);
    sqlite3_bind_text(row, 6, text, -1, SQLITE_STATIC);
    sqlite3_bind_double(row, 7,
                        attribute->kind == VT_ATTRIBUTE_NUMBER ? attribute->number : (double)NAN);
    return vt_sqlite_run(row);
}

static bool write_attributes(put_job *job, bool replace)
{
    if (replace) {
        sqlite3_stmt *forget = job->connection->statements[VT_SQL_ATTRIBUTES_DELETE];
        sqlite3_bind_int64(forget, 1, job->key);
        if (!vt_sqlite_run(forget))
            return false;
    }
    for (size_t i = 0; i < job->product->attribute_count; i++) {
        const vt_attribute *attribute = &job->product->attributes[i];
        bool list = attribute->kind == VT_ATTRIBUTE_LIST;
        if (!list || attribute->item_count == 0) {
            const char *text = attribute->kind == VT_ATTRIBUTE_TEXT ? attribute->text : NULL;
            if (!write_attribute(job, i, 0, text))
                return false;
            continue;
        }
        for (size_t j = 0; j < attribute->item_count; j++)
            if (!write_attribute(job, i, j, attribute->items[j]))
                return false;
    }
    return true;
}

static vt_status read_old_pictures(put_job *job, vt_error *error)
{
    sqlite3_stmt *row = job->connection->statements[VT_SQL_PICTURE_HASHES];
    sqlite3_bind_int64(row, 1, job->key);
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        if (result != SQLITE_ROW) {
            status = vt_sqlite_fail(job->connection->db, error, "store product", job->product->id);
        } else if (!vt_grow((void **)&job->old, &job->old_capacity, job->old_count + 1,
                            sizeof *job->old, SIZE_MAX / sizeof *job->old)) {
            status = vt_fail_memory(error, "the pictures of a product");
        } else {
            old_picture *old = &job->old[job->old_count++];
            old->key = sqlite3_column_int64(row, 0);
            status = vt_sqlite_row_hash(row, 1, &old->hash, error);
        }
    }
    vt_sqlite_reset(row);
    return status;
}

/* The key of the old picture that picture `at` takes over; 0: none has its bytes. Tries the one at
 * the same position first, which makes the usual case, nothing changed, linear. */
static int64_t take_old_picture(put_job *job, size_t at)
{
    const vt_hash *hash = &job->product->pictures[at].hash;
    for (size_t i = 0; i <= job->old_count; i++) {
        size_t index = i == 0 ? at : i - 1;
        if (index >= job->old_count)
            continue;
        old_picture *old = &job->old[index];
        if (old->key != 0 && memcmp(old->hash.bytes, hash->bytes, VT_HASH_BYTES) == 0) {
            int64_t key = old->key;
            old->key = 0;
            return key;
        }
    }
    return 0;
}

static bool write_picture(put_job *job, size_t position)
{
    const vt_picture *picture = &job->product->pictures[position];
    int64_t key = take_old_picture(job, position);
    sqlite3_stmt *row =
        job->connection->statements[key == 0 ? VT_SQL_PICTURE_INSERT : VT_SQL_PICTURE_UPDATE];
    sqlite3_bind_int64(row, 1, job->key);
    sqlite3_bind_int64(row, 2, (int64_t)position);
    sqlite3_bind_text(row, 3, picture->source, -1, SQLITE_STATIC);
    sqlite3_bind_blob(row, 4, picture->hash.bytes, VT_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(row, 5, (int64_t)picture->phash);
    sqlite3_bind_int(row, 6, picture->width);
    sqlite3_bind_int(row, 7, picture->height);
    sqlite3_bind_int64(row, 8, (int64_t)picture->file_bytes);
    if (key != 0)
        sqlite3_bind_int64(row, 9, key);
    if (!vt_sqlite_run(row))
        return false;
    if (key == 0)
        key = sqlite3_last_insert_rowid(job->connection->db);
    sqlite3_stmt *vector = job->connection->statements[VT_SQL_VECTOR_PUT];
    sqlite3_bind_int64(vector, 1, key);
    sqlite3_bind_int64(vector, 2, job->model);
    sqlite3_bind_blob64(vector, 3, job->halves + position * job->dim,
                        job->dim * sizeof *job->halves, SQLITE_STATIC);
    return vt_sqlite_run(vector);
}

static bool write_pictures(put_job *job)
{
    for (size_t i = 0; i < job->product->picture_count; i++)
        if (!write_picture(job, i))
            return false;
    sqlite3_stmt *forget = job->connection->statements[VT_SQL_PICTURE_DELETE];
    for (size_t i = 0; i < job->old_count; i++) {
        if (job->old[i].key == 0)
            continue;
        sqlite3_bind_int64(forget, 1, job->old[i].key);
        if (!vt_sqlite_run(forget))
            return false;
    }
    return true;
}

/* After the product's texts: the row is made of them. */
static bool write_words(put_job *job)
{
    sqlite3_stmt *row = job->connection->statements[VT_SQL_WORDS_PUT];
    sqlite3_bind_int64(row, 1, job->key);
    return vt_sqlite_run(row);
}

/* Inside the transaction. */
static vt_status put(put_job *job, vt_error *error)
{
    sqlite3 *db = job->connection->db;
    const char *id = job->product->id;
    if (!find_product(job->connection, id, &job->key, &job->old_change) ||
        !vt_sqlite_next_change(job->connection, &job->change))
        return vt_sqlite_fail(db, error, "store product", id);
    bool replace = job->key != 0;
    vt_status status = vt_sqlite_model_serves(job->connection, job->model, NULL, error);
    if (status == VT_OK && replace)
        status = read_old_pictures(job, error);
    if (status != VT_OK)
        return status;
    if (!write_product(job) || !write_attributes(job, replace) || !write_pictures(job))
        return vt_sqlite_fail_insert(db, "store product", id, error);
    if (!write_words(job) ||
        !log_change(job->connection, job->old_change, job->change, job->key, VT_SQLITE_CHANGE_PUT))
        return vt_sqlite_fail(db, error, "store product", id);
    return VT_OK;
}

vt_status vt_sqlite_put(vt_store *base, uint32_t model, const vt_product *product, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    put_job job = {.connection = store->writer, .product = product, .model = model};
    pthread_mutex_lock(&store->write_lock);
    vt_status status = vt_sqlite_model_dim(job.connection, model, &job.dim, error);
    if (status == VT_OK)
        status = convert_vectors(&job, error);
    if (status == VT_OK)
        status = vt_sqlite_begin_write(job.connection, "store product", product->id, error);
    if (status == VT_OK) {
        status = put(&job, error);
        status =
            vt_sqlite_finish_write(job.connection, status, "store product", product->id, error);
    }
    pthread_mutex_unlock(&store->write_lock);
    vt_free(job.halves);
    vt_free(job.old);
    if (status == VT_OK)
        vt_sqlite_indexes_follow(store);
    return status;
}

/* ---- removing a product ---- */

static vt_status remove_product(vt_sqlite_connection *connection, const char *id, vt_error *error)
{
    int64_t key, old_change, change;
    if (!find_product(connection, id, &key, &old_change))
        return vt_sqlite_fail(connection->db, error, "remove product", id);
    if (key == 0)
        return vt_fail(error, VT_ERR_NOT_FOUND, "remove product \"%s\": there is none", id);
    sqlite3_stmt *forget = connection->statements[VT_SQL_PRODUCT_DELETE];
    sqlite3_bind_int64(forget, 1, key); /* its attributes, pictures and vectors follow it */
    sqlite3_stmt *unword = connection->statements[VT_SQL_WORDS_DELETE];
    sqlite3_bind_int64(unword, 1, key);
    if (!vt_sqlite_run(forget) || !vt_sqlite_run(unword) ||
        !vt_sqlite_next_change(connection, &change) ||
        !log_change(connection, old_change, change, key, VT_SQLITE_CHANGE_REMOVED))
        return vt_sqlite_fail(connection->db, error, "remove product", id);
    return VT_OK;
}

vt_status vt_sqlite_remove(vt_store *base, const char *id, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    pthread_mutex_lock(&store->write_lock);
    vt_status status = vt_sqlite_begin_write(store->writer, "remove product", id, error);
    if (status == VT_OK) {
        status = remove_product(store->writer, id, error);
        status = vt_sqlite_finish_write(store->writer, status, "remove product", id, error);
    }
    pthread_mutex_unlock(&store->write_lock);
    if (status == VT_OK)
        vt_sqlite_indexes_follow(store);
    return status;
}
