/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a catalogue: settings, statements, error texts.
 *
 * Method: every statement of the driver is prepared when the connection opens, which also proves
 * that the file has the tables we expect. A catalogue may come from a stranger, so the connection
 * trusts nothing that the schema brings (no triggers, no views, no functions) and SQLite checks
 * cell sizes on every page it reads. Reads go through read(2), not a mapping: a file that shrinks
 * under a mapping ends the process with SIGBUS, a failed read is an error.
 *
 * Durability: WAL with synchronous=FULL, one fsync of the log per commit; what was committed
 * survives a power cut. A checkpoint every 4096 pages (16 MiB) rather than SQLite's 1000 makes
 * imports wait less often for the two further fsyncs it costs.
 */
#include "store/sqlite/words.h"

#include "base/status.h"

#include <string.h>

#define PRODUCT_COLUMNS                                                                            \
    "SELECT key, id, title, description, category, brand, link, currency, price, content, change " \
    "FROM products "
#define POSTINGS_PRODUCTS                                                                          \
    "SELECT key, id, title, category, brand, currency, price, change FROM products "
#define POSTINGS_ATTRIBUTES "SELECT product, name, kind, text, number FROM attributes "
#define NEWEST_CHANGE                                                                              \
    "SELECT max(change) FROM (SELECT max(change) AS change FROM changes"                           \
    " UNION ALL SELECT max(change) FROM models)"
#define PICTURE_COLUMNS "key, source, hash, phash, width, height, bytes"
/* CROSS JOIN fixes the order of the loops: one pass over pictures (vectors), products
 * by key. */
#define PICTURES_WITH_PRODUCTS                                                                     \
    "SELECT p.id, p.key, i.key, i.source, i.hash, i.phash, i.width, i.height, i.bytes"             \
    " FROM pictures i CROSS JOIN products p ON p.key = i.product "

#define PICTURES_OF(id)                                                                            \
    "(SELECT key FROM pictures WHERE product = (SELECT key FROM products WHERE id = " id "))"

static const char *const sql_text[VT_SQL_COUNT] = {
    [VT_SQL_BEGIN] = "BEGIN",
    [VT_SQL_COMMIT] = "COMMIT",
    [VT_SQL_ROLLBACK] = "ROLLBACK",
    [VT_SQL_MODEL_FIND] = "SELECT key, dim FROM models WHERE fingerprint = ?1",
    [VT_SQL_MODEL_DIM] = "SELECT dim FROM models WHERE key = ?1",
    [VT_SQL_MODEL_FINGERPRINT] = "SELECT fingerprint FROM models WHERE key = ?1",
    [VT_SQL_MODEL_SERVING] = "SELECT key, change FROM models WHERE state = 2",
    [VT_SQL_MODEL_EACH] = "SELECT key, fingerprint, name, dim, source, state FROM models "
                          "ORDER BY key",
    [VT_SQL_MISSING] =
        PICTURES_WITH_PRODUCTS "WHERE i.key > ?2 AND NOT EXISTS (SELECT 1 FROM vectors v"
                               " WHERE v.picture = i.key AND v.model = ?1) ORDER BY i.key LIMIT ?3",
    [VT_SQL_UNFOUND] = "SELECT p.id FROM products p WHERE NOT EXISTS (SELECT 1 FROM pictures i"
                       " CROSS JOIN vectors v ON v.picture = i.key AND v.model = ?1"
                       " WHERE i.product = p.key)",
    [VT_SQL_PRODUCT_BY_ID] = PRODUCT_COLUMNS "WHERE id = ?1",
    [VT_SQL_PRODUCT_BY_KEY] = PRODUCT_COLUMNS "WHERE key = ?1",
    [VT_SQL_PRODUCT_EACH] = PRODUCT_COLUMNS "ORDER BY key",
    [VT_SQL_ATTRIBUTES] = "SELECT position, name, kind, text, number FROM attributes "
                          "WHERE product = ?1 ORDER BY position, item",
    [VT_SQL_PICTURES] =
        "SELECT " PICTURE_COLUMNS " FROM pictures WHERE product = ?1 ORDER BY position",
    [VT_SQL_PICTURE_EACH] = PICTURES_WITH_PRODUCTS "ORDER BY i.key",
    [VT_SQL_CONTENT] =
        "SELECT content FROM products p WHERE id = ?1"
        " AND EXISTS (SELECT 1 FROM pictures i WHERE i.product = p.key)"
        " AND NOT EXISTS (SELECT 1 FROM pictures i WHERE i.product = p.key AND NOT EXISTS"
        " (SELECT 1 FROM vectors v WHERE v.picture = i.key AND v.model = ?2))",
    [VT_SQL_CATEGORIES] = "SELECT category, count(*) AS products FROM products "
                          "WHERE category IS NOT NULL GROUP BY category "
                          "ORDER BY products DESC, category",
    [VT_SQL_COUNTS] = "SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM pictures),"
                      " (SELECT count(*) FROM vectors WHERE model = ?1),"
                      " (" NEWEST_CHANGE ")",
    [VT_SQL_NEWEST_CHANGE] = NEWEST_CHANGE,
    [VT_SQL_CHANGES_SINCE] = "SELECT product, kind FROM changes WHERE change > ?1 ORDER BY change",
    [VT_SQL_SESSION_OF] = "SELECT id FROM sessions WHERE first_change <= ?1"
                          " AND ?1 <= (" NEWEST_CHANGE ")"
                          " ORDER BY first_change DESC LIMIT 1",
    [VT_SQL_VECTOR] = "SELECT data FROM vectors WHERE picture = ?1 AND model = ?2",
    [VT_SQL_VECTOR_ROW] = "SELECT i.product, v.data FROM vectors v"
                          " CROSS JOIN pictures i ON i.key = v.picture"
                          " WHERE v.picture = ?1 AND v.model = ?2",
    [VT_SQL_VECTOR_COUNT] = "SELECT count(*) FROM vectors"
                            " WHERE model = ?1 AND picture <= ifnull(?2, 4294967295)",
    [VT_SQL_VECTOR_EACH] = "SELECT v.picture, i.product, v.data FROM vectors v"
                           " CROSS JOIN pictures i ON i.key = v.picture WHERE v.model = ?1",
    [VT_SQL_VECTORS_OF_PRODUCT] = "SELECT v.picture, i.product, v.data FROM pictures i"
                                  " CROSS JOIN vectors v ON v.picture = i.key AND v.model = ?1"
                                  " WHERE i.product = ?2",
    [VT_SQL_POSTINGS_PRODUCTS] = POSTINGS_PRODUCTS "ORDER BY key",
    [VT_SQL_POSTINGS_ATTRIBUTES] = POSTINGS_ATTRIBUTES "ORDER BY product, position, item",
    [VT_SQL_POSTINGS_PRODUCT] = POSTINGS_PRODUCTS "WHERE key = ?1",
    [VT_SQL_POSTINGS_ATTRIBUTES_OF] =
        POSTINGS_ATTRIBUTES "WHERE product = ?1 ORDER BY position, item",
    [VT_SQL_WORDS_FIND] = "SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid",
    [VT_SQL_WORDS_SCORED] = "SELECT rowid, bm25(words, 10.0, 4.0, 4.0, 1.0) FROM words"
                            " WHERE words MATCH ?1 ORDER BY rowid",
    [VT_SQL_WORDS_FIELDS] = "SELECT fields(words) FROM words WHERE words MATCH ?1 AND rowid = ?2",
    [VT_SQL_WORDS_EACH] = "SELECT rowid, title, category, attributes, description FROM words",

    [VT_SQL_KEPT_EACH] = "SELECT a.product, b.product FROM kept_pairs k"
                         " CROSS JOIN pictures a ON a.key = k.first"
                         " CROSS JOIN pictures b ON b.key = k.second",

    [VT_SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [VT_SQL_MODEL_INSERT] = "INSERT INTO models (fingerprint, name, dim) VALUES (?1, ?2, ?3)",
    [VT_SQL_MODEL_COMING] = "UPDATE models SET state = 1, name = ?2, source = ?3 WHERE key = ?1",
    [VT_SQL_MODEL_RETIRE] = "UPDATE models SET state = 3, source = coalesce(source, ?2)"
                            " WHERE state = 2 OR key = ?1",
    [VT_SQL_MODEL_SERVE] = "UPDATE models SET state = 2, change = ?2 WHERE key = ?1",
    [VT_SQL_MODEL_EMPTIED] = "UPDATE models SET state = 0, source = NULL WHERE key = ?1",
    [VT_SQL_PRODUCT_FIND] = "SELECT key, change FROM products WHERE id = ?1",
    [VT_SQL_PRODUCT_INSERT] =
        "INSERT INTO products (id, title, description, category, brand, link, currency, price,"
        " content, change, created_ms, updated_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)",
    [VT_SQL_PRODUCT_UPDATE] =
        "UPDATE products SET title = ?2, description = ?3, category = ?4, brand = ?5, link = ?6,"
        " currency = ?7, price = ?8, content = ?9, change = ?10, updated_ms = ?11 WHERE id = ?1",
    [VT_SQL_PRODUCT_DELETE] = "DELETE FROM products WHERE key = ?1",
    [VT_SQL_CHANGE_NEXT] = "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'changes'",
    [VT_SQL_CHANGE_INSERT] = "INSERT INTO changes (change, product, kind) VALUES (?1, ?2, ?3)",
    [VT_SQL_CHANGE_DELETE] = "DELETE FROM changes WHERE change = ?1",
    [VT_SQL_SESSION_PUT] = "INSERT OR REPLACE INTO sessions (first_change, id) VALUES (?1, ?2)",
    [VT_SQL_ATTRIBUTE_INSERT] =
        "INSERT INTO attributes (product, position, item, name, kind, text, number)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [VT_SQL_ATTRIBUTES_DELETE] = "DELETE FROM attributes WHERE product = ?1",
    [VT_SQL_PICTURE_HASHES] = "SELECT key, hash FROM pictures WHERE product = ?1 ORDER BY position",
    [VT_SQL_PICTURE_INSERT] =
        "INSERT INTO pictures (product, position, source, hash, phash, width, height, bytes)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [VT_SQL_PICTURE_UPDATE] =
        "UPDATE pictures SET product = ?1, position = ?2, source = ?3, hash = ?4, phash = ?5,"
        " width = ?6, height = ?7, bytes = ?8 WHERE key = ?9",
    [VT_SQL_PICTURE_DELETE] = "DELETE FROM pictures WHERE key = ?1",
    [VT_SQL_PICTURE_FIND] = "SELECT key FROM pictures WHERE hash = ?2 AND product ="
                            " (SELECT key FROM products WHERE id = ?1) ORDER BY position",
    [VT_SQL_KEPT_PUT] = "INSERT OR IGNORE INTO kept_pairs (first, second) VALUES (?1, ?2)",
    [VT_SQL_KEPT_DELETE] = "DELETE FROM kept_pairs WHERE (first IN " PICTURES_OF(
        "?1") " AND second"
              " IN " PICTURES_OF("?2") ") OR (first IN " PICTURES_OF(
                  "?2") " AND"
                        " second IN " PICTURES_OF("?1") ")",
    [VT_SQL_VECTOR_PUT] = "INSERT INTO vectors (picture, model, data) VALUES (?1, ?2, ?3)"
                          " ON CONFLICT (picture, model) DO UPDATE SET data = excluded.data",
    /* A picture that is gone meanwhile gets none. */
    [VT_SQL_VECTOR_ADD] = "INSERT INTO vectors (picture, model, data)"
                          " SELECT key, ?2, ?3 FROM pictures WHERE key = ?1"
                          " ON CONFLICT (picture, model) DO UPDATE SET data = excluded.data",
    [VT_SQL_VECTORS_LAST] = "SELECT max(picture), count(*) FROM (SELECT picture FROM vectors"
                            " WHERE picture > ?2 AND model = ?1 ORDER BY picture LIMIT ?3)",
    [VT_SQL_VECTORS_DELETE] = "DELETE FROM vectors"
                              " WHERE picture > ?2 AND picture <= ?3 AND model = ?1",
    [VT_SQL_WORDS_PUT] =
        "INSERT OR REPLACE INTO words (rowid, title, category, attributes, description)"
        " SELECT " VT_SQL_WORDS_OF " FROM products p WHERE p.key = ?1",
    [VT_SQL_WORDS_DELETE] = "DELETE FROM words WHERE rowid = ?1",
};

/* The same of catalogues of older versions, which readers take as they are. Of version 4 and below:
 * nobody said of two products that they stay. */
static const char *const sql_text_4[VT_SQL_READ_COUNT] = {
    [VT_SQL_KEPT_EACH] = "SELECT 0, 0 WHERE 0",
};

/* Of version 3 and below: there are no words, and nobody asks for them (vt_sqlite_words). */
static const char *const sql_text_3[VT_SQL_READ_COUNT] = {
    [VT_SQL_WORDS_FIND] = "SELECT 0 WHERE ?1 < 0",
    [VT_SQL_WORDS_SCORED] = "SELECT 0, 0 WHERE ?1 < 0",
    [VT_SQL_WORDS_FIELDS] = "SELECT 0 WHERE ?1 < ?2 AND ?1 > ?2",
    [VT_SQL_WORDS_EACH] = "SELECT 0, '', '', '', '' WHERE 0",
};

/* Of version 2 and below: no model of it has a state. */
static const char *const sql_text_2[VT_SQL_READ_COUNT] = {
    [VT_SQL_MODEL_SERVING] = "SELECT 1, 0 WHERE 0",
    [VT_SQL_MODEL_EACH] = "SELECT key, fingerprint, name, dim, NULL, 0 FROM models ORDER BY key",
    [VT_SQL_COUNTS] = ("SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM pictures),"
                       " (SELECT count(*) FROM vectors WHERE model = ?1),"
                       " (SELECT max(change) FROM changes)"),
    [VT_SQL_NEWEST_CHANGE] = "SELECT max(change) FROM changes",
    [VT_SQL_SESSION_OF] = ("SELECT id FROM sessions WHERE first_change <= ?1"
                           " AND ?1 <= (SELECT max(change) FROM changes)"
                           " ORDER BY first_change DESC LIMIT 1"),
};

/* Of version 1: nobody noted who gave a change number. */
static const char *const sql_text_1[VT_SQL_READ_COUNT] = {
    [VT_SQL_SESSION_OF] = "SELECT zeroblob(16) WHERE ?1 < 0",
};

static const char *text_of(size_t statement, int version)
{
    if (version < 2 && sql_text_1[statement] != NULL)
        return sql_text_1[statement];
    if (version < VT_SQLITE_VERSION_SERVING && sql_text_2[statement] != NULL)
        return sql_text_2[statement];
    if (version < VT_SQLITE_VERSION_WORDS && sql_text_3[statement] != NULL)
        return sql_text_3[statement];
    if (version < VT_SQLITE_VERSION_KEPT && sql_text_4[statement] != NULL)
        return sql_text_4[statement];
    return sql_text[statement];
}

vt_status vt_sqlite_status(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return VT_ERR_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    /* Statements are fixed and values checked: only a file that is not as it should be can make
     * SQLite refuse them. */
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:
        return VT_ERR_CORRUPT;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
        return VT_ERR_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return VT_ERR_BUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return VT_ERR_DENIED;
    case SQLITE_TOOBIG:
        return VT_ERR_LIMIT;
    default:
        return VT_ERR_INTERNAL;
    }
}

vt_status vt_sqlite_fail(sqlite3 *db, vt_error *error, const char *action, const char *item)
{
    int code = db == NULL ? SQLITE_NOMEM : sqlite3_extended_errcode(db);
    vt_status status = vt_sqlite_status(code);
    const char *text = db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db);
    int system = db == NULL ? 0 : sqlite3_system_errno(db);
    const char *reason = system > 0 ? strerrordesc_np(system) : NULL;
    /* SQLite's own text for these says only that something failed, the system's says what. */
    if (reason != NULL && status == VT_ERR_IO)
        return vt_fail(error, status, "%s \"%s\": %s (%s)", action, item, text, reason);
    return vt_fail(error, status, "%s \"%s\": %s", action, item, text);
}

void vt_sqlite_reset(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

bool vt_sqlite_run(sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    vt_sqlite_reset(statement);
    return result == SQLITE_DONE || result == SQLITE_ROW;
}

vt_status vt_sqlite_query_int(sqlite3 *db, const char *action, const char *sql, int64_t *out,
                              vt_error *error)
{
    sqlite3_stmt *statement = NULL;
    vt_status status = VT_OK;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        status = vt_sqlite_fail(db, error, action, sqlite3_db_filename(db, "main"));
    else
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return status;
}

/* As vt_sqlite_fail, for the first statements that touch the file: there these codes mean that the
 * log cannot be made, which their texts ("attempt to write a readonly database") do not say. */
static vt_status fail_first_touch(sqlite3 *db, const char *path, vt_error *error)
{
    int code = sqlite3_errcode(db) & 0xff;
    if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY)
        return vt_sqlite_fail(db, error, "open catalogue", path);
    return vt_fail(
        error, VT_ERR_DENIED,
        "open catalogue \"%s\": catalog.db-wal and catalog.db-shm beside it are missing or "
        "may not be read, and may not be made",
        path);
}

bool vt_sqlite_harden(sqlite3 *db)
{
    static const struct {
        int option, value;
    } options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                   {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
                   {SQLITE_DBCONFIG_DQS_DML, 0},        {SQLITE_DBCONFIG_DQS_DDL, 0},
                   {SQLITE_DBCONFIG_ENABLE_FKEY, 1}};
    bool good = true;
    for (size_t i = 0; good && i < sizeof options / sizeof options[0]; i++)
        good = sqlite3_db_config(db, options[i].option, options[i].value, NULL) == SQLITE_OK;
    sqlite3_busy_timeout(db, 10000);
    return good;
}

static vt_status configure(sqlite3 *db, const char *path, vt_error *error)
{
    if (!vt_sqlite_harden(db))
        return vt_sqlite_fail(db, error, "set up catalogue", path);
    /* No honest row is longer; a damaged length must not make SQLite ask for a gigabyte. */
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 2 * VT_STORE_MAX_PRODUCT_BYTES);
    if (sqlite3_exec(db,
                     "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
                     "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;"
                     "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096;"
                     "PRAGMA journal_size_limit = 67108864",
                     NULL, NULL, NULL) != SQLITE_OK)
        return fail_first_touch(db, path, error);
    vt_status status = vt_sqlite_words_register(db, error);
    return status == VT_OK ? VT_OK : vt_fail_context(error, status, "open catalogue \"%s\"", path);
}

vt_status vt_sqlite_db_open(const char *path, int flags, sqlite3 **out, vt_error *error)
{
    sqlite3 *db = NULL;
    vt_status status;
    /* NOMUTEX: a connection is only ever used by the thread that took it. */
    if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) !=
        SQLITE_OK)
        status = vt_sqlite_fail(db, error, "open catalogue", path);
    else
        status = configure(db, path, error);
    if (status != VT_OK) {
        sqlite3_close(db);
        db = NULL;
    }
    *out = db;
    return status;
}

/* What the file says it is. VT_ERR_CORRUPT when it is something else. */
static vt_status identify(sqlite3 *db, const char *path, bool writer, int *known, vt_error *error)
{
    int64_t application = 0, version = 0;
    vt_status status =
        vt_sqlite_query_int(db, "read catalogue", "PRAGMA application_id", &application, error);
    if (status == VT_OK)
        status = vt_sqlite_query_int(db, "read catalogue", "PRAGMA user_version", &version, error);
    if (status != VT_OK)
        return status == VT_ERR_IO || status == VT_ERR_DENIED ? fail_first_touch(db, path, error)
                                                              : status;
    if (application != VT_SQLITE_APPLICATION_ID)
        return vt_fail(
            error, VT_ERR_CORRUPT,
            "open catalogue \"%s\": it is a SQLite database, but not a vitrine catalogue", path);
    if (version > VT_SQLITE_VERSION || version < 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "open catalogue \"%s\": it has format %lld, this program knows up to %d",
                       path, (long long)version, VT_SQLITE_VERSION);
    if (version < VT_SQLITE_READABLE && !writer)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "open catalogue \"%s\": it has the older format %lld; open it for writing "
                       "once to bring it to %d",
                       path, (long long)version, VT_SQLITE_VERSION);
    *known = (int)version;
    return VT_OK;
}

static vt_status become_writer(sqlite3 *db, const char *path, vt_error *error)
{
    /* SQLite silently opens what may not be written for reading. */
    if (sqlite3_db_readonly(db, "main") == 1)
        return vt_fail(error, VT_ERR_DENIED, "open catalogue \"%s\": the file may not be written",
                       path);
    /* The log stays after closing, for readers that may not create files in the directory. */
    int persist = 1;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) != SQLITE_OK)
        return vt_sqlite_fail(db, error, "open catalogue", path);
    return vt_sqlite_migrate(db, vt_sqlite_migrations, VT_SQLITE_VERSION, false, error);
}

/* A writer's connection is always of today's version. */
static vt_status prepare_all(vt_sqlite_connection *connection, const char *path, bool writer,
                             vt_error *error)
{
    size_t count = writer ? VT_SQL_COUNT : VT_SQL_READ_COUNT;
    for (size_t i = 0; i < count; i++) {
        const char *text = text_of(i, connection->version);
        if (sqlite3_prepare_v3(connection->db, text, -1, SQLITE_PREPARE_PERSISTENT,
                               &connection->statements[i], NULL) != SQLITE_OK)
            return vt_sqlite_fail(connection->db, error, "open catalogue", path);
    }
    return VT_OK;
}

vt_status vt_sqlite_connection_open(const char *path, bool writer, vt_sqlite_connection **out,
                                    vt_error *error)
{
    vt_sqlite_connection *connection = vt_calloc(1, sizeof *connection);
    if (connection == NULL)
        return vt_fail_memory(error, "a database connection");
    vt_status status = vt_sqlite_db_open(
        path, writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, &connection->db, error);
    if (status == VT_OK)
        status = identify(connection->db, path, writer, &connection->version, error);
    if (status == VT_OK && writer) {
        status = become_writer(connection->db, path, error);
        connection->version = VT_SQLITE_VERSION;
    }
    if (status == VT_OK)
        status = prepare_all(connection, path, writer, error);
    if (status != VT_OK) {
        vt_sqlite_connection_close(connection);
        return status;
    }
    *out = connection;
    return VT_OK;
}

void vt_sqlite_connection_close(vt_sqlite_connection *connection)
{
    if (connection == NULL)
        return;
    for (size_t i = 0; i < VT_SQL_COUNT; i++)
        sqlite3_finalize(connection->statements[i]);
    sqlite3_close(connection->db);
    vt_free(connection);
}

vt_status vt_sqlite_connection_renew(vt_sqlite_connection *writer, vt_error *error)
{
    vt_sqlite_connection *fresh, old = *writer;
    vt_status status =
        vt_sqlite_connection_open(sqlite3_db_filename(writer->db, "main"), true, &fresh, error);
    if (status != VT_OK)
        return status;
    writer->db = fresh->db;
    memcpy(writer->statements, fresh->statements, sizeof writer->statements);
    writer->doubtful = false;
    fresh->db = old.db;
    memcpy(fresh->statements, old.statements, sizeof fresh->statements);
    vt_sqlite_connection_close(fresh);
    return VT_OK;
}
