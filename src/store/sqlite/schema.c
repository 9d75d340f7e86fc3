/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema, and how a catalogue of an older version becomes one of today.
 *
 * Method: a table of steps, each with the version it leads to (PRAGMA user_version). All missing
 * steps run in one transaction, so that a crash leaves the old version whole. A new catalogue is
 * version 0, an empty file, that goes through every step. The reasons for the shape of the tables
 * are in docs/formats/catalog.md; it changes together with this file.
 */
#include "store/sqlite/words.h"

#include "base/status.h"

#include <stdio.h>

/* clang-format off */
static const char version_1[] =
    "CREATE TABLE models ("
    "  key INTEGER PRIMARY KEY AUTOINCREMENT CHECK (key BETWEEN 1 AND 4294967295),"
    "  fingerprint BLOB NOT NULL UNIQUE CHECK (length(fingerprint) = 32),"
    "  name TEXT NOT NULL,"
    "  dim INTEGER NOT NULL CHECK (dim BETWEEN 1 AND 65536)"
    ") STRICT;"
    "CREATE TABLE products ("
    "  key INTEGER PRIMARY KEY AUTOINCREMENT CHECK (key BETWEEN 1 AND 4294967295),"
    "  id TEXT NOT NULL UNIQUE CHECK (id <> ''),"
    "  title TEXT, description TEXT, category TEXT, brand TEXT, link TEXT,"
    "  price REAL, currency TEXT,"
    "  content BLOB NOT NULL CHECK (length(content) = 32),"
    "  change INTEGER NOT NULL,"
    "  created_ms INTEGER NOT NULL,"
    "  updated_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX products_by_category ON products (category) WHERE category IS NOT NULL;"
    "CREATE TABLE attributes ("
    "  product INTEGER NOT NULL REFERENCES products (key) ON DELETE CASCADE,"
    "  position INTEGER NOT NULL CHECK (position >= 0),"
    "  item INTEGER NOT NULL CHECK (item >= 0),"
    "  name TEXT NOT NULL,"
    "  kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),"
    "  text TEXT,"
    "  number REAL,"
    "  PRIMARY KEY (product, position, item)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE pictures ("
    "  key INTEGER PRIMARY KEY AUTOINCREMENT CHECK (key BETWEEN 1 AND 4294967295),"
    "  product INTEGER NOT NULL REFERENCES products (key) ON DELETE CASCADE,"
    "  position INTEGER NOT NULL CHECK (position >= 0),"
    "  source TEXT,"
    "  hash BLOB NOT NULL CHECK (length(hash) = 32),"
    "  phash INTEGER NOT NULL,"
    "  width INTEGER NOT NULL CHECK (width BETWEEN 0 AND 2147483647),"
    "  height INTEGER NOT NULL CHECK (height BETWEEN 0 AND 2147483647),"
    "  bytes INTEGER NOT NULL CHECK (bytes >= 0)"
    ") STRICT;"
    "CREATE INDEX pictures_by_product ON pictures (product, position);"
    "CREATE TABLE vectors ("
    "  picture INTEGER NOT NULL REFERENCES pictures (key) ON DELETE CASCADE,"
    "  model INTEGER NOT NULL REFERENCES models (key),"
    "  data BLOB NOT NULL,"
    "  PRIMARY KEY (picture, model)"
    ") STRICT;"
    "CREATE TABLE changes ("
    "  change INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  product INTEGER NOT NULL,"
    "  kind INTEGER NOT NULL CHECK (kind IN (0, 1))"
    ") STRICT;";

/* What was changed before has one session, and none is known that gave it. */
static const char version_2[] =
    "CREATE TABLE sessions ("
    "  first_change INTEGER PRIMARY KEY CHECK (first_change >= 1),"
    "  id BLOB NOT NULL CHECK (length(id) = 16)"
    ") STRICT;"
    "INSERT INTO sessions VALUES (1, randomblob(16));";

/* Which model answers is in the catalogue from here on, so that it changes in one transaction with
 * nothing beside it. */
static const char version_serving[] =
    "ALTER TABLE models ADD COLUMN source TEXT;"
    "ALTER TABLE models ADD COLUMN state INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 3);"
    "ALTER TABLE models ADD COLUMN change INTEGER NOT NULL DEFAULT 0 CHECK (change >= 0);"
    "CREATE UNIQUE INDEX models_serving ON models (state) WHERE state = 2;";

/* Needs nothing of the other steps but the tables of version 1. */
static const char version_words[] =
    "CREATE VIRTUAL TABLE words USING fts5 ("
    "  title, category, attributes, description,"
    "  tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'"
    ");"
    "INSERT INTO words (rowid, title, category, attributes, description)"
    " SELECT " VT_SQL_WORDS_OF " FROM products p ORDER BY p.key;";

/* By pictures, so that what was said of two products holds as long as they show what they showed. */
static const char version_kept[] =
    "CREATE TABLE kept_pairs ("
    "  first INTEGER NOT NULL REFERENCES pictures (key) ON DELETE CASCADE,"
    "  second INTEGER NOT NULL REFERENCES pictures (key) ON DELETE CASCADE,"
    "  PRIMARY KEY (first, second),"
    "  CHECK (first < second)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX kept_pairs_by_second ON kept_pairs (second);";
/* clang-format on */

const vt_sqlite_migration vt_sqlite_migrations[VT_SQLITE_VERSION] = {
    {1, version_1},
    {2, version_2},
    {VT_SQLITE_VERSION_SERVING, version_serving},
    {VT_SQLITE_VERSION_WORDS, version_words},
    {VT_SQLITE_VERSION_KEPT, version_kept}};

static bool run_steps(sqlite3 *db, const vt_sqlite_migration *steps, size_t count, int64_t version)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i].version <= version)
            continue;
        char mark[64];
        snprintf(mark, sizeof mark, "PRAGMA user_version = %d", steps[i].version);
        if (sqlite3_exec(db, steps[i].sql, NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_exec(db, mark, NULL, NULL, NULL) != SQLITE_OK)
            return false;
    }
    return true;
}

vt_status vt_sqlite_migrate(sqlite3 *db, const vt_sqlite_migration *steps, size_t count, bool mark,
                            vt_error *error)
{
    const char *path = sqlite3_db_filename(db, "main");
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return vt_sqlite_fail(db, error, "migrate catalogue", path);

    /* Under the write lock: nobody else can be halfway through the same steps. */
    int64_t version = 0;
    vt_status status =
        vt_sqlite_query_int(db, "read catalogue", "PRAGMA user_version", &version, error);
    if (status != VT_OK)
        goto rollback;
    char application[64];
    snprintf(application, sizeof application, "PRAGMA application_id = %d",
             VT_SQLITE_APPLICATION_ID);
    if ((mark && sqlite3_exec(db, application, NULL, NULL, NULL) != SQLITE_OK) ||
        !run_steps(db, steps, count, version) ||
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        status = vt_sqlite_fail(db, error, "migrate catalogue", path);
        goto rollback;
    }
    return VT_OK;

rollback:
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}
