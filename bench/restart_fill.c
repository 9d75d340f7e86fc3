/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with one picture and one vector each for the encoder that a shop was made with, so many
 * at once that imports would take hours: written to the catalogue by SQL, in one transaction.
 * bench/restart uses it. Vectors are a clustered mixture (tests/index/clustered.h).
 *
 *     restart_fill SHOP ROWS
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"
#include "tests/index/clustered.h"

enum { CLUSTERS = 200, DIM_MOST = 4096 };

typedef struct filling {
    const char *shop;
    size_t rows, dim;
    uint32_t model;
    clustered mixture;
    sqlite3 *db;
    sqlite3_stmt *product, *picture, *change, *vector;
    vt_error error;
} filling;

static bool fail(filling *f, const char *what)
{
    vt_fail(&f->error, VT_ERR_INTERNAL, "%s: %s", what,
            f->db != NULL ? sqlite3_errmsg(f->db) : "no database");
    return false;
}

static vt_status take_model(void *context, const vt_store_model *model, vt_error *error)
{
    filling *f = context;
    (void)error;
    f->model = model->key;
    f->dim = model->dim;
    return VT_OK;
}

/* The encoder whose vectors the shop holds. */
static bool find_model(filling *f)
{
    vt_store *store = NULL;
    vt_status status = vt_store_open(f->shop, VT_STORE_READ, &store, &f->error);
    if (status == VT_OK) {
        status = vt_store_each_model(store, take_model, f, &f->error);
        vt_store_close(store);
    }
    if (status == VT_OK && (f->dim == 0 || f->dim > DIM_MOST))
        status = vt_fail(&f->error, VT_ERR_UNSUPPORTED, "the shop has no encoder, or a large one");
    return status == VT_OK;
}

static bool prepare(filling *f, const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v2(f->db, sql, -1, out, NULL) == SQLITE_OK || fail(f, sql);
}

static bool open_catalogue(filling *f)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/catalog.db", f->shop);
    if (sqlite3_open(path, &f->db) != SQLITE_OK ||
        sqlite3_exec(f->db, "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return fail(f, "open the catalogue");
    return prepare(f,
                   "INSERT INTO products (key, id, title, content, change, created_ms, updated_ms)"
                   " VALUES (?1, 'a' || ?1, 'article ' || ?1, zeroblob(32), ?1, 0, 0)",
                   &f->product) &&
           prepare(f,
                   "INSERT INTO pictures (key, product, position, hash, phash, width, height,"
                   " bytes) VALUES (?1, ?1, 0, randomblob(32), random(), 1, 1, 1)",
                   &f->picture) &&
           prepare(f, "INSERT INTO changes (change, product, kind) VALUES (?1, ?1, 0)",
                   &f->change) &&
           prepare(f, "INSERT INTO vectors (picture, model, data) VALUES (?1, ?2, ?3)", &f->vector);
}

static bool step(sqlite3_stmt *statement, size_t row)
{
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)row);
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    return sqlite3_reset(statement) == SQLITE_OK && done;
}

static bool put_rows(filling *f)
{
    float values[DIM_MOST];
    uint16_t halves[DIM_MOST];
    for (size_t row = 1; row <= f->rows; row++) {
        clustered_make_unit(&f->mixture, row, values);
        vt_distance()->f32_to_f16(values, halves, f->dim);
        sqlite3_bind_int64(f->vector, 2, f->model);
        sqlite3_bind_blob64(f->vector, 3, halves, f->dim * sizeof *halves, SQLITE_STATIC);
        if (!step(f->product, row) || !step(f->picture, row) || !step(f->change, row) ||
            !step(f->vector, row))
            return fail(f, "write a product");
    }
    return sqlite3_exec(f->db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) ==
               SQLITE_OK ||
           fail(f, "write the catalogue");
}

int main(int argc, char **argv)
{
    static filling f;
    int64_t rows = 0;
    if (argc != 3 || !vt_parse_int(argv[2], 1, 50000000, &rows)) {
        fprintf(stderr, "usage: restart_fill SHOP ROWS\n");
        return 2;
    }
    f.shop = argv[1];
    f.rows = (size_t)rows;
    bool done = find_model(&f);
    if (done && !clustered_init(&f.mixture, f.dim, CLUSTERS, 3))
        done = vt_fail_memory(&f.error, "the mixture") == VT_OK;
    done = done && open_catalogue(&f) && put_rows(&f);
    if (!done)
        fprintf(stderr, "restart_fill: %s\n", f.error.message);
    sqlite3_finalize(f.product);
    sqlite3_finalize(f.picture);
    sqlite3_finalize(f.change);
    sqlite3_finalize(f.vector);
    sqlite3_close(f.db);
    clustered_deinit(&f.mixture);
    return done ? 0 : 1;
}
