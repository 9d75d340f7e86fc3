/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models, and how a catalogue changes from one to another while it is searched.
 *
 * Method: vectors are kept per picture and model, so those of a new model are written beside the
 * old ones, which nobody notices. What is missing is a question (pictures without a vector of the
 * model), so that there is no progress to keep beside the vectors themselves and none that could be
 * wrong. One row says which model serves; the transaction that changes it takes a change number, so
 * that everything derived from the catalogue finds itself behind and looks again. Vectors of a
 * model that serves no more are removed a piece at a time, because a transaction holds up other
 * writers.
 *
 * A row of `models` is never deleted: the database would look through all vectors for one that
 * still belongs to it.
 */
#include "store/sqlite/sqlite.h"

#include "base/status.h"
#include "vector/distance.h"

#include <inttypes.h>
#include <stdio.h>

/* The name of a model in messages. */
#define MODEL_KEY_BYTES 32
static const char *model_label(uint32_t model, char out[MODEL_KEY_BYTES])
{
    snprintf(out, MODEL_KEY_BYTES, "key %" PRIu32, model);
    return out;
}

/* ---- which there are ---- */

static vt_status put_model(vt_sqlite_connection *connection, const vt_hash *fingerprint,
                           const char *name, size_t dim, uint32_t *model, vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_MODEL_FIND];
    sqlite3_bind_blob(row, 1, fingerprint->bytes, VT_HASH_BYTES, SQLITE_STATIC);
    int result = sqlite3_step(row);
    vt_status status = VT_OK;
    if (result == SQLITE_ROW) {
        int64_t stored = sqlite3_column_int64(row, 1);
        status =
            stored == (int64_t)dim
                ? vt_sqlite_row_key(row, 0, model, error)
                : vt_fail(error, VT_ERR_MISMATCH,
                          "store model \"%s\": it is known with dimension %" PRId64 ", not %zu",
                          name, stored, dim);
    } else if (result != SQLITE_DONE) {
        status = vt_sqlite_fail(connection->db, error, "store model", name);
    }
    vt_sqlite_reset(row);
    if (result != SQLITE_DONE)
        return status;

    sqlite3_stmt *insert = connection->statements[VT_SQL_MODEL_INSERT];
    sqlite3_bind_blob(insert, 1, fingerprint->bytes, VT_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 3, (int64_t)dim);
    if (!vt_sqlite_run(insert))
        return vt_sqlite_fail_insert(connection->db, "store model", name, error);
    *model = (uint32_t)sqlite3_last_insert_rowid(connection->db);
    return VT_OK;
}

vt_status vt_sqlite_model_put(vt_store *base, const vt_hash *fingerprint, const char *name,
                              size_t dim, uint32_t *model, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    uint32_t key = 0;
    pthread_mutex_lock(&store->write_lock);
    vt_status status = vt_sqlite_begin_write(store->writer, "store model", name, error);
    if (status == VT_OK) {
        status = put_model(store->writer, fingerprint, name, dim, &key, error);
        status = vt_sqlite_finish_write(store->writer, status, "store model", name, error);
    }
    pthread_mutex_unlock(&store->write_lock);
    if (status == VT_OK)
        *model = key;
    return status;
}

/* Which serves, and the number of the change that made it; 0 and 0: none was ever switched to. */
static vt_status read_serving(vt_sqlite_connection *connection, uint32_t *model, int64_t *since,
                              vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_MODEL_SERVING];
    vt_status status = VT_OK;
    uint32_t key = 0;
    int64_t change = 0;
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW)
        status = vt_sqlite_row_key(row, 0, &key, error);
    if (result == SQLITE_ROW && status == VT_OK)
        status = vt_sqlite_row_int(row, 1, 0, INT64_MAX, &change, error);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        status = vt_sqlite_fail(connection->db, error, "look up the model of",
                                sqlite3_db_filename(connection->db, "main"));
    vt_sqlite_reset(row);
    if (status == VT_OK) {
        *model = key;
        *since = change;
    }
    return status;
}

vt_status vt_sqlite_model_serves(vt_sqlite_connection *connection, uint32_t model, int64_t *since,
                                 vt_error *error)
{
    uint32_t serving = 0;
    int64_t change = 0;
    vt_status status = read_serving(connection, &serving, &change, error);
    if (status == VT_OK && serving != 0 && serving != model)
        status =
            vt_fail(error, VT_ERR_MISMATCH,
                    "use model \"key %" PRIu32 "\": the catalogue has changed to another", model);
    if (status == VT_OK && since != NULL)
        *since = change;
    return status;
}

vt_status vt_sqlite_serving(vt_store *base, uint32_t *model, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    int64_t since = 0;
    status = read_serving(connection, model, &since, error);
    vt_sqlite_reader_give(store, connection);
    return status;
}

static vt_status row_model(sqlite3_stmt *row, vt_store_model *out, vt_error *error)
{
    int64_t dim = 0, state = 0;
    vt_store_model model = {0};
    vt_status status = vt_sqlite_row_key(row, 0, &model.key, error);
    if (status == VT_OK)
        status = vt_sqlite_row_hash(row, 1, &model.fingerprint, error);
    if (status == VT_OK)
        status = vt_sqlite_row_text(row, 2, &model.name, error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, 3, 1, VT_STORE_MAX_DIM, &dim, error);
    if (status == VT_OK)
        status = vt_sqlite_row_text(row, 4, &model.source, error);
    if (status == VT_OK)
        status = vt_sqlite_row_int(row, 5, VT_MODEL_KNOWN, VT_MODEL_GOING, &state, error);
    if (status == VT_OK && model.name == NULL)
        status = vt_fail(error, VT_ERR_CORRUPT, "read the catalogue: a model has no name");
    model.dim = (size_t)dim;
    model.state = (vt_model_state)state;
    if (status == VT_OK)
        *out = model;
    return status;
}

typedef struct model_visit {
    vt_store_visit_model *visit;
    void *context;
} model_visit;

static vt_status take_model(void *context, sqlite3_stmt *row, vt_error *error)
{
    const model_visit *to = context;
    vt_store_model model;
    vt_status status = row_model(row, &model, error);
    return status == VT_OK ? to->visit(to->context, &model, error) : status;
}

vt_status vt_sqlite_each_model(vt_store *base, vt_store_visit_model *visit, void *context,
                               vt_error *error)
{
    model_visit to = {visit, context};
    return vt_sqlite_each_row((vt_sqlite *)base, VT_SQL_MODEL_EACH, take_model, &to, error);
}

/* ---- a model that is coming ---- */

static vt_status prepare_model(vt_sqlite_connection *connection, const vt_store_model *wanted,
                               uint32_t *model, vt_error *error)
{
    uint32_t serving = 0;
    int64_t since = 0;
    vt_status status =
        put_model(connection, &wanted->fingerprint, wanted->name, wanted->dim, model, error);
    if (status == VT_OK)
        status = read_serving(connection, &serving, &since, error);
    if (status == VT_OK && serving == *model)
        status =
            vt_fail(error, VT_ERR_EXISTS, "prepare model \"%s\": it serves already", wanted->name);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[VT_SQL_MODEL_COMING];
    sqlite3_bind_int64(row, 1, *model);
    sqlite3_bind_text(row, 2, wanted->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 3, wanted->source, -1, SQLITE_STATIC);
    return vt_sqlite_run(row)
               ? VT_OK
               : vt_sqlite_fail(connection->db, error, "prepare model", wanted->name);
}

vt_status vt_sqlite_model_prepare(vt_store *base, const vt_store_model *wanted, uint32_t *model,
                                  vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    uint32_t key = 0;
    pthread_mutex_lock(&store->write_lock);
    vt_status status = vt_sqlite_begin_write(store->writer, "prepare model", wanted->name, error);
    if (status == VT_OK) {
        status = prepare_model(store->writer, wanted, &key, error);
        status =
            vt_sqlite_finish_write(store->writer, status, "prepare model", wanted->name, error);
    }
    pthread_mutex_unlock(&store->write_lock);
    if (status == VT_OK)
        *model = key;
    return status;
}

vt_status vt_sqlite_each_missing(vt_store *base, const vt_store_missing *which,
                                 vt_store_visit_picture *visit, void *context, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[VT_SQL_MISSING];
    sqlite3_bind_int64(row, 1, which->model);
    sqlite3_bind_int64(row, 2, which->after);
    sqlite3_bind_int64(row, 3, which->limit > INT32_MAX ? INT32_MAX : (int64_t)which->limit);
    const vt_sqlite_picture_visit to = {store->path, visit, context};
    status = vt_sqlite_visit_pictures(connection, VT_SQL_MISSING, &to, error);
    vt_sqlite_reader_give(store, connection);
    return status;
}

static vt_status add_vector(vt_sqlite_connection *connection, uint32_t model, size_t dim,
                            const vt_picture_vector *one, uint16_t *halves, vt_error *error)
{
    if (vt_vector_is_finite(one->vector, dim))
        vt_distance()->f32_to_f16(one->vector, halves, dim);
    if (!vt_vector_is_finite(one->vector, dim) || !vt_sqlite_halves_are_finite(halves, dim))
        return vt_fail(error, VT_ERR_USAGE,
                       "store the vector of picture \"key %" PRIu32
                       "\": it is not finite in half precision",
                       one->picture);
    vt_sqlite_swap_halves(halves, dim);
    sqlite3_stmt *row = connection->statements[VT_SQL_VECTOR_ADD];
    sqlite3_bind_int64(row, 1, one->picture);
    sqlite3_bind_int64(row, 2, model);
    sqlite3_bind_blob64(row, 3, halves, dim * sizeof *halves, SQLITE_STATIC);
    return vt_sqlite_run(row) ? VT_OK
                              : vt_sqlite_fail(connection->db, error, "store vectors",
                                               sqlite3_db_filename(connection->db, "main"));
}

/* *out: what is said of the model. */
static vt_status read_state(vt_sqlite_connection *connection, uint32_t model, vt_model_state *out,
                            vt_error *error)
{
    sqlite3_stmt *row = connection->statements[VT_SQL_MODEL_EACH];
    char label[MODEL_KEY_BYTES];
    vt_status status = VT_OK;
    bool found = false;
    int result;
    while (status == VT_OK && !found && (result = sqlite3_step(row)) != SQLITE_DONE) {
        vt_store_model one = {0};
        if (result != SQLITE_ROW)
            status =
                vt_sqlite_fail(connection->db, error, "look up model", model_label(model, label));
        else
            status = row_model(row, &one, error);
        found = status == VT_OK && one.key == model;
        if (found)
            *out = one.state;
    }
    vt_sqlite_reset(row);
    if (status == VT_OK && !found)
        status = vt_fail(error, VT_ERR_NOT_FOUND, "look up model \"%s\": there is none",
                         model_label(model, label));
    return status;
}

static vt_status expect_coming(vt_sqlite_connection *connection, uint32_t model, vt_error *error)
{
    vt_model_state state = VT_MODEL_KNOWN;
    char label[MODEL_KEY_BYTES];
    vt_status status = read_state(connection, model, &state, error);
    if (status == VT_OK && state != VT_MODEL_COMING)
        status = vt_fail(error, VT_ERR_USAGE, "use model \"%s\": it was not prepared",
                         model_label(model, label));
    return status;
}

static vt_status put_vectors(vt_sqlite_connection *connection, uint32_t model,
                             const vt_picture_vector *rows, size_t count, vt_error *error)
{
    size_t dim = 0;
    vt_status status = vt_sqlite_model_dim(connection, model, &dim, error);
    if (status == VT_OK)
        status = expect_coming(connection, model, error);
    uint16_t *halves = status == VT_OK ? vt_alloc_array(dim, sizeof *halves) : NULL;
    if (status == VT_OK && halves == NULL)
        status = vt_fail_memory(error, "a vector");
    for (size_t i = 0; status == VT_OK && i < count; i++)
        status = add_vector(connection, model, dim, &rows[i], halves, error);
    vt_free(halves);
    return status;
}

vt_status vt_sqlite_put_vectors(vt_store *base, uint32_t model, const vt_picture_vector *rows,
                                size_t count, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    pthread_mutex_lock(&store->write_lock);
    vt_status status = vt_sqlite_begin_write(store->writer, "store vectors", store->path, error);
    if (status == VT_OK) {
        status = put_vectors(store->writer, model, rows, count, error);
        status = vt_sqlite_finish_write(store->writer, status, "store vectors", store->path, error);
    }
    pthread_mutex_unlock(&store->write_lock);
    return status;
}

vt_status vt_sqlite_unfound(vt_store *base, uint32_t model, vt_store_visit_id *visit, void *context,
                            vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *row = connection->statements[VT_SQL_UNFOUND];
    sqlite3_bind_int64(row, 1, model);
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        const char *id = NULL;
        if (result != SQLITE_ROW)
            status = vt_sqlite_fail(connection->db, error, "read catalogue", store->path);
        else
            status = vt_sqlite_row_text(row, 0, &id, error);
        if (status == VT_OK)
            status = visit(context, id == NULL ? "" : id, error);
    }
    vt_sqlite_reset(row);
    vt_sqlite_reader_give(store, connection);
    return status;
}

/* ---- the switch ---- */

/* Takes a change number as a put does, but leaves no row in the log: no product changed. */
static bool spend_change(vt_sqlite_connection *connection, int64_t change, uint32_t model)
{
    sqlite3_stmt *add = connection->statements[VT_SQL_CHANGE_INSERT];
    sqlite3_bind_int64(add, 1, change);
    sqlite3_bind_int64(add, 2, model);
    sqlite3_bind_int(add, 3, VT_SQLITE_CHANGE_REMOVED);
    sqlite3_stmt *forget = connection->statements[VT_SQL_CHANGE_DELETE];
    if (!vt_sqlite_run(add))
        return false;
    sqlite3_bind_int64(forget, 1, change);
    return vt_sqlite_run(forget) && vt_sqlite_session_note(connection, change);
}

static vt_status switch_model(vt_sqlite_connection *connection, const vt_store_model *from,
                              uint32_t to, vt_error *error)
{
    int64_t change = 0;
    vt_status status = expect_coming(connection, to, error);
    if (status != VT_OK)
        return status;
    sqlite3_stmt *retire = connection->statements[VT_SQL_MODEL_RETIRE];
    sqlite3_stmt *serve = connection->statements[VT_SQL_MODEL_SERVE];
    bool good = vt_sqlite_next_change(connection, &change) && spend_change(connection, change, to);
    sqlite3_bind_int64(retire, 1, from != NULL ? from->key : 0);
    sqlite3_bind_text(retire, 2, from != NULL ? from->source : NULL, -1, SQLITE_STATIC);
    good = good && vt_sqlite_run(retire);
    sqlite3_bind_int64(serve, 1, to);
    sqlite3_bind_int64(serve, 2, change);
    good = good && vt_sqlite_run(serve);
    return good ? VT_OK
                : vt_sqlite_fail(connection->db, error, "switch the model of",
                                 sqlite3_db_filename(connection->db, "main"));
}

vt_status vt_sqlite_model_switch(vt_store *base, const vt_store_model *from, uint32_t to,
                                 vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    static const char action[] = "switch the model of";
    pthread_mutex_lock(&store->write_lock);
    vt_status status = vt_sqlite_begin_write(store->writer, action, store->path, error);
    if (status == VT_OK) {
        status = switch_model(store->writer, from, to, error);
        status = vt_sqlite_finish_write(store->writer, status, action, store->path, error);
    }
    pthread_mutex_unlock(&store->write_lock);
    if (status == VT_OK)
        vt_sqlite_indexes_follow(store); /* those of other models find out that they are done */
    return status;
}

/* ---- a model that is going ---- */

/* The last of the next pictures that have a vector of the model, and how many they are. */
static bool next_range(vt_sqlite_connection *connection, uint32_t model, size_t limit,
                       uint32_t after, int64_t out[2])
{
    sqlite3_stmt *row = connection->statements[VT_SQL_VECTORS_LAST];
    sqlite3_bind_int64(row, 1, model);
    sqlite3_bind_int64(row, 2, after);
    sqlite3_bind_int64(row, 3, limit > INT32_MAX ? INT32_MAX : (int64_t)limit);
    bool good = sqlite3_step(row) == SQLITE_ROW;
    out[0] = good ? sqlite3_column_int64(row, 0) : 0;
    out[1] = good ? sqlite3_column_int64(row, 1) : 0;
    vt_sqlite_reset(row);
    return good;
}

static vt_status empty_model(vt_sqlite_connection *connection, uint32_t model, size_t limit,
                             uint32_t *after, vt_error *error)
{
    int64_t range[2];
    uint32_t serving = 0;
    int64_t since = 0;
    char label[MODEL_KEY_BYTES];
    vt_status status = read_serving(connection, &serving, &since, error);
    if (status == VT_OK && serving == model)
        status = vt_fail(error, VT_ERR_USAGE, "remove the vectors of model \"%s\": it serves",
                         model_label(model, label));
    if (status != VT_OK)
        return status;
    bool good = next_range(connection, model, limit, *after, range);
    bool last = range[1] < (int64_t)limit;
    sqlite3_stmt *remove = connection->statements[VT_SQL_VECTORS_DELETE];
    sqlite3_bind_int64(remove, 1, model);
    sqlite3_bind_int64(remove, 2, *after);
    sqlite3_bind_int64(remove, 3, range[0]);
    if (good && range[1] > 0)
        good = vt_sqlite_run(remove);
    sqlite3_stmt *emptied = connection->statements[VT_SQL_MODEL_EMPTIED];
    sqlite3_bind_int64(emptied, 1, model);
    if (good && last)
        good = vt_sqlite_run(emptied);
    if (!good)
        return vt_sqlite_fail(connection->db, error, "remove the vectors of model",
                              model_label(model, label));
    *after = last ? UINT32_MAX : (uint32_t)range[0];
    return VT_OK;
}

vt_status vt_sqlite_model_empty(vt_store *base, uint32_t model, size_t limit, uint32_t *after,
                                vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    static const char action[] = "remove vectors of";
    uint32_t reached = *after;
    pthread_mutex_lock(&store->write_lock);
    vt_status status = vt_sqlite_begin_write(store->writer, action, store->path, error);
    if (status == VT_OK) {
        status = empty_model(store->writer, model, limit, &reached, error);
        status = vt_sqlite_finish_write(store->writer, status, action, store->path, error);
    }
    pthread_mutex_unlock(&store->write_lock);
    if (status != VT_OK)
        return status;
    *after = reached;
    if (reached == UINT32_MAX)
        vt_sqlite_ann_discard(store, model);
    return VT_OK;
}
