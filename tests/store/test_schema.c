/* SPDX-License-Identifier: Apache-2.0 */
/* Versions: older catalogues are migrated, newer ones refused, and a step that fails changes
 * nothing. */
#include "fixture.h"

#include "base/file.h"
#include "store/sqlite/words.h"

static sqlite3 *open_db(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = open_db(path);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static int64_t ask(sqlite3 *db, const char *sql)
{
    int64_t value = -1;
    assert_ok(vt_sqlite_query_int(db, "read catalogue", sql, &value, error));
    return value;
}

static int64_t ask_file(const char *path, const char *sql)
{
    sqlite3 *db = open_db(path);
    int64_t value = ask(db, sql);
    sqlite3_close(db);
    return value;
}

static const char old_catalogue[] =
    "PRAGMA application_id = 0x5654524E; PRAGMA user_version = 0; PRAGMA journal_mode = WAL;";

static void test_version_0(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    assert_ok(vt_dir_make(f.shop, error));
    run_sql(f.catalog, old_catalogue);
    vt_store *store = NULL;
    assert_fails_saying(VT_ERR_UNSUPPORTED, "older format",
                        vt_store_open(f.shop, VT_STORE_READ, &store, error));
    assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    vt_hash fingerprint = fixture_hash(1);
    uint32_t model;
    assert_ok(vt_store_model_put(store, &fingerprint, "m", FIXTURE_DIM, &model, error));
    assert_ok(fixture_put(store, model, 1, 1, FIXTURE_DIM, 1, error));
    assert_ok(vt_store_check(store, error));
    vt_store_stats stats;
    assert_ok(vt_store_stats_of(store, model, &stats, error));
    assert_int_equal(stats.schema_version, VT_SQLITE_VERSION);
    vt_store_close(store);
    assert_int_equal(ask_file(f.catalog, "PRAGMA user_version"), VT_SQLITE_VERSION);
    assert_int_equal(ask_file(f.catalog, "PRAGMA application_id"), VT_SQLITE_APPLICATION_ID);
    fixture_deinit(&f);
}

/* Each older version, with a change in it: readers take it as it is, also those that are open while
 * a writer makes it today's; then its models can be switched. */
static void read_as_it_is(vt_store *reader)
{
    vt_product product;
    vt_store_stats stats;
    vt_arena arena;
    uint32_t serving = 99, model = 0;
    vt_hash fingerprint = fixture_hash(1);
    vt_arena_init(&arena, 1 << 20);
    assert_ok(vt_store_model_find(reader, &fingerprint, &model, error));
    assert_ok(vt_store_serving(reader, &serving, error));
    assert_int_equal(serving, 0);
    assert_ok(vt_store_get(reader, "old", &arena, &product, error));
    assert_ok(vt_store_stats_of(reader, model, &stats, error));
    assert_int_equal(stats.change, 1);
    assert_int_equal(stats.products, 1);
    assert_ok(vt_store_check(reader, error));
    vt_arena_deinit(&arena);
}

static const char old_product[] =
    "INSERT INTO products (id, content, change, created_ms, updated_ms)"
    " VALUES ('old', zeroblob(32), 1, 0, 0);"
    "INSERT INTO pictures (product, position, hash, phash, width, height, bytes)"
    " VALUES (1, 0, zeroblob(32), 0, 1, 1, 1);"
    "INSERT INTO changes (product, kind) VALUES (1, 0);"
    "INSERT INTO models (fingerprint, name, dim) VALUES (x'%s', 'm', 3)";

static const char old_words[] =
    "INSERT INTO words (rowid, title, category, attributes, description)"
    " SELECT " VT_SQL_WORDS_OF " FROM products p";

static void make_old(const fixture *f, size_t version)
{
    char sql[1024], hex[VT_HASH_HEX];
    vt_hash fingerprint = fixture_hash(1);
    vt_hash_hex(&fingerprint, hex);
    assert_ok(vt_dir_make(f->shop, error));
    run_sql(f->catalog, "PRAGMA journal_mode = WAL");
    sqlite3 *db = open_db(f->catalog);
    assert_ok(vt_sqlite_words_register(db, error));
    assert_ok(vt_sqlite_migrate(db, vt_sqlite_migrations, version, true, error));
    assert_int_equal(ask(db, "PRAGMA user_version"), version);
    snprintf(sql, sizeof sql, old_product, hex);
    run_sql(f->catalog, sql);
    if (version >= VT_SQLITE_VERSION_WORDS)
        assert_int_equal(sqlite3_exec(db, old_words, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void switch_model(vt_store *store, vt_store *reader)
{
    uint32_t next = 0, serving = 0;
    vt_store_stats stats;
    const vt_store_model wanted = {
        .fingerprint = fixture_hash(5), .name = "n", .source = "models/n.onnx", .dim = 3};
    assert_ok(vt_store_model_prepare(store, &wanted, &next, error));
    assert_ok(vt_store_model_switch(store, NULL, next, error));
    assert_ok(vt_store_serving(reader, &serving, error));
    assert_int_equal(serving, next);
    assert_ok(vt_store_stats_of(reader, next, &stats, error));
    assert_int_equal(stats.change, 2);
    assert_ok(vt_store_check(reader, error));
}

static void test_older_versions(void **state)
{
    (void)state;
    for (size_t version = 1; version < VT_SQLITE_VERSION; version++) {
        fixture f;
        vt_store *store = NULL, *reader = NULL;
        fixture_init(&f);
        make_old(&f, version);
        assert_ok(vt_store_open(f.shop, VT_STORE_READ, &reader, error));
        read_as_it_is(reader);
        assert_int_equal(ask_file(f.catalog, "PRAGMA user_version"), version);

        assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
        assert_ok(vt_store_check(store, error));
        assert_int_equal(ask_file(f.catalog, "PRAGMA user_version"), VT_SQLITE_VERSION);
        /* The old change is that of one session, unknown but one's own. */
        assert_int_equal(ask_file(f.catalog, "SELECT count(*) FROM sessions"), 1);
        read_as_it_is(reader);
        switch_model(store, reader);
        assert_int_equal(ask_file(f.catalog, "SELECT max(first_change) FROM sessions"), 2);
        vt_store_close(reader);
        vt_store_close(store);
        fixture_deinit(&f);
    }
}

static void test_newer_version(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    vt_store_close(store);
    run_sql(f.catalog, "PRAGMA user_version = 99");
    assert_fails_saying(VT_ERR_UNSUPPORTED, "format 99",
                        vt_store_open(f.shop, VT_STORE_READ, &store, error));
    assert_fails_saying(VT_ERR_UNSUPPORTED, "format 99",
                        vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    assert_int_equal(ask_file(f.catalog, "PRAGMA user_version"), 99);
    fixture_deinit(&f);
}

static void test_failing_step_changes_nothing(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    assert_ok(vt_dir_make(f.shop, error));
    /* The last table of version 1 is in the way: the ones before it must be gone again. */
    run_sql(f.catalog, old_catalogue);
    run_sql(f.catalog, "CREATE TABLE changes (mine TEXT); INSERT INTO changes VALUES ('kept')");
    vt_store *store = NULL;
    vt_error error = {0};
    assert_int_not_equal(vt_store_open(f.shop, VT_STORE_WRITE, &store, &error), VT_OK);
    assert_non_null(strstr(error.message, "changes"));
    assert_int_equal(ask_file(f.catalog, "PRAGMA user_version"), 0);
    assert_int_equal(ask_file(f.catalog, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(ask_file(f.catalog, "SELECT count(*) FROM changes WHERE mine = 'kept'"), 1);
    fixture_deinit(&f);
}

/* The mechanism itself, over steps that do not exist yet. */
static void test_steps(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    char path[96];
    snprintf(path, sizeof path, "%s/x.db", f.dir);
    sqlite3 *db = open_db(path);
    static const vt_sqlite_migration steps[] = {
        {1, "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)"},
        {2, "ALTER TABLE t ADD COLUMN b INTEGER; UPDATE t SET b = a + 1"},
        {3, "INSERT INTO t VALUES (10, 20); UPDATE t SET b = b * 2"},
        {4, "INSERT INTO t VALUES (7, 7); INSERT INTO nowhere VALUES (1)"},
    };
    assert_ok(vt_sqlite_migrate(db, steps, 1, true, error));
    assert_int_equal(ask(db, "PRAGMA user_version"), 1);
    assert_int_equal(ask(db, "PRAGMA application_id"), VT_SQLITE_APPLICATION_ID);
    assert_ok(vt_sqlite_migrate(db, steps, 3, false, error));
    assert_int_equal(ask(db, "PRAGMA user_version"), 3);
    assert_int_equal(ask(db, "SELECT sum(a * 100 + b) FROM t"), 1 * 100 + 4 + 10 * 100 + 40);
    assert_ok(vt_sqlite_migrate(db, steps, 3, false, error)); /* nothing left to do */
    assert_int_equal(ask(db, "SELECT count(*) FROM t"), 2);
    assert_fails_saying(VT_ERR_CORRUPT, "nowhere", vt_sqlite_migrate(db, steps, 4, false, error));
    assert_int_equal(ask(db, "PRAGMA user_version"), 3);
    assert_int_equal(ask(db, "SELECT count(*) FROM t"), 2);
    assert_true(sqlite3_get_autocommit(db));

    /* All steps of one call stand or fall together. */
    assert_int_equal(sqlite3_exec(db, "DROP TABLE t; PRAGMA user_version = 0", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_fails(VT_ERR_CORRUPT, vt_sqlite_migrate(db, steps, 4, false, error));
    assert_int_equal(ask(db, "PRAGMA user_version"), 0);
    assert_int_equal(ask(db, "SELECT count(*) FROM sqlite_schema"), 0);
    sqlite3_close(db);
    fixture_deinit(&f);
}

/* The file is what docs/formats/catalog.md says, byte by byte where it says so. */
static void test_magic(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store_close(fixture_create(&f, &model));
    FILE *file = fopen(f.catalog, "rb");
    assert_non_null(file);
    uint8_t head[100];
    assert_int_equal(fread(head, 1, sizeof head, file), sizeof head);
    fclose(file);
    assert_memory_equal(head, "SQLite format 3", 16);
    assert_int_equal(head[16] << 8 | head[17], 4096);
    assert_int_equal(head[18], 2);
    assert_int_equal(head[19], 2);
    assert_memory_equal(head + 60, "\0\0\0\5", 4);
    assert_memory_equal(head + 68, "VTRN", 4);
    fixture_deinit(&f);
}

/* Keys are 32 bits: the last one is given, the one after it is an error that says so. */
static void test_last_keys(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store_close(fixture_create(&f, &model));
    run_sql(f.catalog, "INSERT INTO sqlite_sequence (name, seq) VALUES ('products', 4294967293)");
    vt_store *store = NULL;
    assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    assert_ok(fixture_put(store, model, 1, 1, FIXTURE_DIM, 1, error));
    assert_ok(fixture_put(store, model, 2, 1, FIXTURE_DIM, 1, error));
    assert_int_equal(fixture_key(store, "p2"), UINT32_MAX);
    assert_fails_saying(VT_ERR_LIMIT, "keys",
                        fixture_put(store, model, 3, 1, FIXTURE_DIM, 1, error));
    assert_ok(vt_store_remove(store, "p2", error));
    assert_fails_saying(VT_ERR_LIMIT, "keys",
                        fixture_put(store, model, 3, 1, FIXTURE_DIM, 1, error));
    assert_ok(fixture_put(store, model, 1, 2, FIXTURE_DIM, 1, error)); /* replacing needs none */
    assert_int_equal(fixture_count(store), 1);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);

    run_sql(f.catalog, "UPDATE sqlite_sequence SET seq = 4294967294 WHERE name = 'pictures'");
    assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    assert_fails_saying(VT_ERR_LIMIT, "keys",
                        fixture_put(store, model, 1, 3, FIXTURE_DIM, 2, error));
    assert_made_stored(store, model, 1, 2, FIXTURE_DIM, 1);
    assert_ok(fixture_put(store, model, 1, 3, FIXTURE_DIM, 1, error));
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_0),     cmocka_unit_test(test_older_versions),
        cmocka_unit_test(test_newer_version), cmocka_unit_test(test_failing_step_changes_nothing),
        cmocka_unit_test(test_steps),         cmocka_unit_test(test_magic),
        cmocka_unit_test(test_last_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
