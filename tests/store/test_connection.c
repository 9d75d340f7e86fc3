/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite itself out of memory: its own allocations fail, one by one, in each kind of call. */
#include "fixture.h"

#include "store/sqlite/sqlite.h"

static sqlite3_mem_methods real_memory;
static int64_t countdown = -1; /* allocations that still succeed; < 0: none fails */
static bool struck;

static bool memory_strikes(void)
{
    if (countdown < 0)
        return false;
    if (countdown-- > 0)
        return false;
    struck = true;
    return true;
}

static void *failing_malloc(int bytes)
{
    return memory_strikes() ? NULL : real_memory.xMalloc(bytes);
}

static void *failing_realloc(void *old, int bytes)
{
    return memory_strikes() ? NULL : real_memory.xRealloc(old, bytes);
}

static vt_status do_open(vt_store **store, const fixture *f, uint32_t n)
{
    (void)n;
    vt_store_close(*store);
    *store = NULL;
    return vt_store_open(f->shop, VT_STORE_WRITE, store, NULL);
}

static vt_status do_put(vt_store **store, const fixture *f, uint32_t n)
{
    (void)f;
    return fixture_put(*store, 1, 100 + n, 1, FIXTURE_DIM, 2, NULL);
}

static vt_status do_replace(vt_store **store, const fixture *f, uint32_t n)
{
    (void)f;
    return fixture_put(*store, 1, 50, n + 1, FIXTURE_DIM, 3, NULL);
}

static vt_status do_get(vt_store **store, const fixture *f, uint32_t n)
{
    (void)f;
    (void)n;
    vt_arena arena;
    vt_arena_init(&arena, 1 << 20);
    vt_product got;
    vt_status status = vt_store_get(*store, "p1", &arena, &got, NULL);
    vt_arena_deinit(&arena);
    return status;
}

static vt_status do_nearest(vt_store **store, const fixture *f, uint32_t n)
{
    (void)f;
    (void)n;
    float query[FIXTURE_DIM] = {1};
    vt_hit hit;
    size_t count;
    vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY};
    return vt_store_nearest(*store, 1, query, 1, &options, &hit, &count, NULL, NULL);
}

static vt_status ignore_category(void *context, const char *category, uint64_t products,
                                 vt_error *error)
{
    (void)context;
    (void)category;
    (void)products;
    (void)error;
    return VT_OK;
}

static vt_status do_categories(vt_store **store, const fixture *f, uint32_t n)
{
    (void)f;
    (void)n;
    return vt_store_each_category(*store, ignore_category, NULL, NULL);
}

static vt_status do_check(vt_store **store, const fixture *f, uint32_t n)
{
    (void)f;
    (void)n;
    return vt_store_check(*store, NULL);
}

static vt_status do_create(vt_store **store, const fixture *f, uint32_t n)
{
    (void)store;
    char dir[128];
    snprintf(dir, sizeof dir, "%s/fresh%u", f->dir, n);
    vt_store *fresh = NULL;
    vt_status status = vt_store_open(dir, VT_STORE_CREATE, &fresh, NULL);
    vt_store_close(fresh);
    return status;
}

static void test_allocations_fail(void **state)
{
    (void)state;
    static vt_status (*const acts[])(vt_store **, const fixture *, uint32_t) = {
        do_open, do_put, do_replace, do_get, do_nearest, do_categories, do_check, do_create};
    uint32_t failures = 0;
    for (size_t act = 0; act < sizeof acts / sizeof acts[0]; act++) {
        fixture f;
        uint32_t model;
        vt_store *store = fixture_create(&f, &model);
        for (uint32_t i = 0; i < 8; i++)
            assert_ok(fixture_put(store, model, i, 1, FIXTURE_DIM, 1, error));
        /* Opening prepares statements with hundreds of allocations alike: the further in, the
         * larger the steps. */
        for (uint32_t n = 0;; n += 1 + n / 16) {
            assert_true(n < 20000);
            /* A store that was open before uses what it has: start each time from a new one. */
            vt_store_close(store);
            assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
            struck = false;
            countdown = n;
            vt_status status = acts[act](&store, &f, n);
            countdown = -1;
            if (!struck) {
                assert_int_equal(status, VT_OK);
                break;
            }
            /* Some of SQLite's allocations are optional. */
            if (status != VT_OK && status != VT_ERR_NO_MEMORY)
                fail_msg("act %zu, allocation %u: %s", act, n, vt_status_text(status));
            failures += status != VT_OK;
            if (store == NULL)
                assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
            assert_made_stored(store, model, 1, 1, FIXTURE_DIM, 1);
            assert_ok(fixture_put(store, model, 9, n + 1, FIXTURE_DIM, 1, error));
        }
        assert_ok(vt_store_check(store, error));
        vt_store_close(store);
        fixture_deinit(&f);
    }
    /* Reading a little may get by without; opening, writing and checking may not. */
    assert_true(failures > 20);
}

/* FTS5's own check of the words against their index and its totals; it must be able to write. */
static void assert_words_whole(const fixture *f)
{
    vt_sqlite_connection *connection = NULL;
    assert_ok(vt_sqlite_connection_open(f->catalog, true, &connection, error));
    if (sqlite3_exec(connection->db, "INSERT INTO words (words) VALUES ('integrity-check')", NULL,
                     NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(connection->db));
    vt_sqlite_connection_close(connection);
}

/* A put that fails leaves nothing in the connection's memory that the next one could store: neither
 * of a product that is new nor of one that has words already. */
static void test_words_after_failure(void **state)
{
    (void)state;
    fixture f;
    uint32_t model, failures = 0;
    vt_store *store = fixture_create(&f, &model);
    for (uint32_t i = 0; i < 8; i++)
        assert_ok(fixture_put(store, model, i, 1, FIXTURE_DIM, 1, error));
    for (uint32_t n = 0;; n += 1 + n / 16) {
        vt_store_close(store);
        assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
        struck = false;
        countdown = n;
        vt_status status = do_replace(&store, &f, n);
        countdown = -1;
        if (!struck)
            break;
        failures += status != VT_OK;
        assert_ok(fixture_put(store, model, 100 + n, 1, FIXTURE_DIM, 1, error));
        assert_words_whole(&f);
        assert_ok(fixture_put(store, model, 1, n + 2, FIXTURE_DIM, 1, error));
        assert_made_stored(store, model, 1, n + 2, FIXTURE_DIM, 1);
    }
    assert_true(failures > 20);
    assert_words_whole(&f);
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

/* The settings that durability and safety rest on are really in force. */
static void test_settings(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    vt_store_close(store);
    for (int writer = 0; writer < 2; writer++) {
        vt_sqlite_connection *connection = NULL;
        assert_ok(vt_sqlite_connection_open(f.catalog, writer == 1, &connection, error));
        static const struct {
            const char *sql;
            int64_t wanted;
        } settings[] = {{"PRAGMA synchronous", 2},
                        {"PRAGMA foreign_keys", 1},
                        {"PRAGMA trusted_schema", 0},
                        {"PRAGMA cell_size_check", 1},
                        {"PRAGMA busy_timeout", 10000},
                        {"PRAGMA temp_store", 2},
                        {"SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1}};
        for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
            int64_t value = -1;
            assert_ok(vt_sqlite_query_int(connection->db, "read catalogue", settings[i].sql, &value,
                                          error));
            if (value != settings[i].wanted)
                fail_msg("%s: %lld", settings[i].sql, (long long)value);
        }
        assert_int_equal(sqlite3_exec(connection->db, "DELETE FROM products", NULL, NULL, NULL),
                         writer == 1 ? SQLITE_OK : SQLITE_READONLY);
        vt_sqlite_connection_close(connection);
    }
    fixture_deinit(&f);
}

int main(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
        return 1;
    sqlite3_mem_methods failing = real_memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_allocations_fail),
        cmocka_unit_test(test_words_after_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
