/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a catalogue is whole.
 *
 * Method: SQLite's integrity check (pages, indexes, NOT NULL, types), its foreign key check, then
 * our rules as queries that find what breaks them, then one walk over all products and one over all
 * vectors with the same bounds checks as every read, which stand in for the CHECK constraints: a
 * read-only connection does not know those. All in one read transaction.
 */
#include "store/sqlite/words.h"

#include "base/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct check_rule {
    const char *fault; /* "%s" is what the query yields first */
    const char *sql;   /* yields nothing when all is well */
} check_rule;

static const check_rule rules[] = {
    {"a product without pictures",
     "SELECT id FROM products p WHERE NOT EXISTS (SELECT 1 FROM pictures WHERE product = p.key)"},
    {"a product whose pictures are not numbered 0, 1, 2..., key",
     "SELECT product FROM pictures GROUP BY product HAVING min(position) <> 0"
     " OR max(position) <> count(*) - 1 OR count(DISTINCT position) <> count(*)"},
    {"a product whose attributes are not numbered 0, 1, 2..., key",
     "SELECT product FROM attributes GROUP BY product HAVING min(position) <> 0"
     " OR max(position) <> count(DISTINCT position) - 1"},
    {"an attribute in pieces, of the product with key",
     "SELECT product FROM attributes GROUP BY product, position HAVING min(name) <> max(name)"
     " OR min(kind) <> max(kind) OR max(item) <> count(*) - 1 OR (kind <> 2 AND count(*) > 1)"},
    {"a product without its change",
     "SELECT id FROM products p WHERE NOT EXISTS (SELECT 1 FROM changes c"
     " WHERE c.change = p.change AND c.product = p.key AND c.kind = 0)"},
    {"a change without its product, number",
     "SELECT change FROM changes c WHERE kind = 0 AND NOT EXISTS (SELECT 1 FROM products p"
     " WHERE p.key = c.product AND p.change = c.change)"},
    {"a removed product that is there, key",
     "SELECT c.product FROM changes c JOIN products p ON p.key = c.product WHERE c.kind = 1"},
    {"a product with several changes, key",
     "SELECT product FROM changes GROUP BY product HAVING count(*) > 1"},
    {"a key beyond the last one given, of table",
     "SELECT 'products' WHERE (SELECT max(key) FROM products) >"
     " coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'products'), 0)"
     " UNION ALL SELECT 'pictures' WHERE (SELECT max(key) FROM pictures) >"
     " coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'pictures'), 0)"
     " UNION ALL SELECT 'models' WHERE (SELECT max(key) FROM models) >"
     " coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'models'), 0)"
     " UNION ALL SELECT 'changes' WHERE (SELECT max(change) FROM changes) >"
     " coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'changes'), 0)"},
};

/* Of catalogues that say which model serves. */
static const check_rule serving_rules[] = {
    {"several models that serve, one of them",
     "SELECT max(key) FROM models WHERE state = 2 HAVING count(*) > 1"},
    {"a model that serves from nowhere, key",
     "SELECT key FROM models WHERE state = 2 AND (source IS NULL OR source = '')"},
    {"a model with a change that was never made, key",
     "SELECT key FROM models WHERE change >"
     " coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'changes'), 0)"},
};

static const check_rule kept_rules[] = {
    {"a product that stays beside itself, key",
     "SELECT a.product FROM kept_pairs k JOIN pictures a ON a.key = k.first"
     " JOIN pictures b ON b.key = k.second WHERE a.product = b.product"},
};

/* After all else: of texts that are not as they must be there can be no such words. */
static const check_rule word_rules[] = {
    {"words of a product that is not there, key",
     "SELECT rowid FROM words WHERE rowid NOT IN (SELECT key FROM products)"},
    {"words that are not those of the product with key",
     "SELECT k FROM (SELECT p.key AS k, w.rowid AS r, w.title AS t, w.category AS c,"
     " w.attributes AS a, w.description AS d, apart(p.title) AS pt, apart(p.category) AS pc,"
     " " VT_SQL_WORDS_ATTRIBUTES " AS pa, apart(p.description) AS pd"
     " FROM products p LEFT JOIN words w ON w.rowid = p.key)"
     " WHERE r IS NULL OR t IS NOT pt OR c IS NOT pc OR a IS NOT pa OR d IS NOT pd"},
};

static vt_status prepare(vt_sqlite *store, sqlite3 *db, const char *sql, sqlite3_stmt **out,
                         vt_error *error)
{
    if (sqlite3_prepare_v2(db, sql, -1, out, NULL) == SQLITE_OK)
        return VT_OK;
    return vt_sqlite_fail(db, error, "check catalogue", store->path);
}

/* What a fault that the integrity check found means: what kept it from looking, at a page or (since
 * SQLite 3.44) at a full-text table, is a line of its answer like any other. NULL: no memory for
 * it. */
static vt_status fault_status(const char *text)
{
    static const int reasons[] = {SQLITE_NOMEM, SQLITE_IOERR};
    static const char code_of_page[] = "error code=";
    if (text == NULL)
        return VT_ERR_NO_MEMORY;
    const char *code = strstr(text, code_of_page);
    if (code != NULL)
        return vt_sqlite_status((int)strtol(code + strlen(code_of_page), NULL, 10));
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (vt_text_ends_nocase(text, sqlite3_errstr(reasons[i])))
            return vt_sqlite_status(reasons[i]);
    return VT_ERR_CORRUPT;
}

/* Without the line that names the database: there is one. */
static const char *fault_text(const char *text)
{
    static const char line[] = "*** in database";
    if (text == NULL)
        return "no memory for the answer";
    const char *second = strchr(text, '\n');
    return strncmp(text, line, strlen(line)) == 0 && second != NULL ? second + 1 : text;
}

static vt_status check_integrity(vt_sqlite *store, sqlite3 *db, vt_error *error)
{
    sqlite3_stmt *row = NULL;
    vt_status status = prepare(store, db, "PRAGMA integrity_check(1)", &row, error);
    if (status == VT_OK && sqlite3_step(row) != SQLITE_ROW)
        status = vt_sqlite_fail(db, error, "check catalogue", store->path);
    else if (status == VT_OK) {
        const char *text = (const char *)sqlite3_column_text(row, 0);
        if (!vt_text_equal(text, "ok"))
            status = vt_fail(error, fault_status(text), "check catalogue \"%s\": %s", store->path,
                             fault_text(text));
    }
    sqlite3_finalize(row);
    return status;
}

static vt_status check_references(vt_sqlite *store, sqlite3 *db, vt_error *error)
{
    sqlite3_stmt *row = NULL;
    vt_status status = prepare(store, db, "PRAGMA foreign_key_check", &row, error);
    if (status != VT_OK)
        return status;
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW) {
        const char *child = (const char *)sqlite3_column_text(row, 0);
        const char *parent = (const char *)sqlite3_column_text(row, 2);
        status = vt_fail(error, VT_ERR_CORRUPT,
                         "check catalogue \"%s\": row %lld of %s belongs to nothing in %s",
                         store->path, (long long)sqlite3_column_int64(row, 1),
                         child == NULL ? "?" : child, parent == NULL ? "?" : parent);
    } else if (result != SQLITE_DONE) {
        status = vt_sqlite_fail(db, error, "check catalogue", store->path);
    }
    sqlite3_finalize(row);
    return status;
}

static vt_status check_rule_of(vt_sqlite *store, sqlite3 *db, const check_rule *rule,
                               vt_error *error)
{
    sqlite3_stmt *row = NULL;
    vt_status status = prepare(store, db, rule->sql, &row, error);
    if (status != VT_OK)
        return status;
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW) {
        const char *which = (const char *)sqlite3_column_text(row, 0);
        status = vt_fail(error, VT_ERR_CORRUPT, "check catalogue \"%s\": %s \"%s\"", store->path,
                         rule->fault, which == NULL ? "?" : which);
    } else if (result != SQLITE_DONE) {
        status = vt_sqlite_fail(db, error, "check catalogue", store->path);
    }
    sqlite3_finalize(row);
    return status;
}

/* Reads every product the way everyone reads it. */
static vt_status check_products(vt_sqlite *store, vt_sqlite_connection *connection, vt_error *error)
{
    vt_arena arena;
    vt_arena_init(&arena, 4 * (size_t)VT_STORE_MAX_PRODUCT_BYTES);
    sqlite3_stmt *row = connection->statements[VT_SQL_PRODUCT_EACH];
    vt_status status = VT_OK;
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        vt_product product;
        if (result != SQLITE_ROW) {
            status = vt_sqlite_fail(connection->db, error, "check catalogue", store->path);
            break;
        }
        status = vt_sqlite_row_product(connection, row, &arena, &product, error);
        if (status != VT_OK)
            vt_fail_context(error, status, "check product with key %lld",
                            (long long)sqlite3_column_int64(row, 0));
        vt_arena_reset(&arena);
    }
    vt_sqlite_reset(row);
    vt_arena_deinit(&arena);
    return status;
}

static vt_status check_vectors(vt_sqlite *store, sqlite3 *db, vt_error *error)
{
    uint16_t *halves = vt_alloc_array(VT_STORE_MAX_DIM, sizeof *halves);
    if (halves == NULL)
        return vt_fail_memory(error, "a vector");
    sqlite3_stmt *row = NULL;
    vt_status status = prepare(store, db,
                               "SELECT v.picture, m.dim, v.data FROM vectors v"
                               " CROSS JOIN models m ON m.key = v.model",
                               &row, error);
    int result;
    while (status == VT_OK && (result = sqlite3_step(row)) != SQLITE_DONE) {
        if (result != SQLITE_ROW) {
            status = vt_sqlite_fail(db, error, "check catalogue", store->path);
            break;
        }
        int64_t picture = sqlite3_column_int64(row, 0);
        int64_t dim = sqlite3_column_int64(row, 1);
        if (dim < 1 || dim > VT_STORE_MAX_DIM)
            status =
                vt_fail(error, VT_ERR_CORRUPT,
                        "check catalogue \"%s\": a model has dimension %" PRId64, store->path, dim);
        else
            status = vt_sqlite_row_halves(row, 2, (size_t)dim, halves, error);
        if (status != VT_OK)
            vt_fail_context(error, status, "check vector of picture %" PRId64, picture);
    }
    sqlite3_finalize(row);
    vt_free(halves);
    return status;
}

static vt_status check_rules(vt_sqlite *store, sqlite3 *db, const check_rule *all, size_t count,
                             vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; i < count && status == VT_OK; i++)
        status = check_rule_of(store, db, &all[i], error);
    return status;
}

static vt_status check_words(vt_sqlite *store, vt_sqlite_connection *connection, vt_error *error)
{
    vt_status status = check_rules(store, connection->db, word_rules,
                                   sizeof word_rules / sizeof *word_rules, error);
    return status == VT_OK ? vt_sqlite_words_check(store, connection, error) : status;
}

vt_status vt_sqlite_check(vt_store *base, vt_error *error)
{
    vt_sqlite *store = (vt_sqlite *)base;
    vt_sqlite_connection *connection;
    vt_status status = vt_sqlite_reader_take(store, &connection, error);
    if (status != VT_OK)
        return status;
    if (!vt_sqlite_run(connection->statements[VT_SQL_BEGIN]))
        status = vt_sqlite_fail(connection->db, error, "check catalogue", store->path);
    if (status == VT_OK)
        status = check_integrity(store, connection->db, error);
    if (status == VT_OK)
        status = check_references(store, connection->db, error);
    if (status == VT_OK)
        status = check_rules(store, connection->db, rules, sizeof rules / sizeof *rules, error);
    if (status == VT_OK && connection->version >= VT_SQLITE_VERSION_SERVING)
        status = check_rules(store, connection->db, serving_rules,
                             sizeof serving_rules / sizeof *serving_rules, error);
    if (status == VT_OK && connection->version >= VT_SQLITE_VERSION_KEPT)
        status = check_rules(store, connection->db, kept_rules,
                             sizeof kept_rules / sizeof *kept_rules, error);
    if (status == VT_OK)
        status = check_products(store, connection, error);
    if (status == VT_OK)
        status = check_vectors(store, connection->db, error);
    if (status == VT_OK && connection->version >= VT_SQLITE_VERSION_WORDS)
        status = check_words(store, connection, error);
    vt_sqlite_reader_give(store, connection);
    return status;
}
