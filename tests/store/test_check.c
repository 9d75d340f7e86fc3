/* SPDX-License-Identifier: Apache-2.0 */
/* Damage: the check names each rule that is broken; and whatever bytes change in the files, every
 * call answers with valid data or an error. */
#include "fixture.h"

#include "base/file.h"
#include "store/sqlite/sqlite.h"

#include <signal.h>
#include <sys/wait.h>

enum { PRODUCTS = 30 };

static void fill(fixture *f)
{
    uint32_t model;
    vt_store *store = fixture_create(f, &model);
    for (uint32_t i = 0; i < PRODUCTS; i++)
        assert_ok(fixture_put(store, model, i, 1, FIXTURE_DIM, 1 + i % 3, error));
    assert_ok(vt_store_remove(store, "p3", error));
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
}

static void test_each_rule(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *part;
    } cases[] = {
        {"DELETE FROM pictures WHERE product = 2", "row"},
        {"DELETE FROM pictures WHERE product = 2; DELETE FROM vectors WHERE picture NOT IN"
         " (SELECT key FROM pictures)",
         "without pictures \"p1\""},
        {"UPDATE pictures SET position = 5 WHERE product = 2 AND position = 1", "numbered"},
        {"UPDATE pictures SET position = 0 WHERE product = 2", "numbered"},
        {"UPDATE attributes SET position = 9 WHERE product = 2 AND position = 1", "numbered"},
        {"UPDATE attributes SET name = 'x' WHERE product = 2 AND item = 1", "in pieces"},
        {"UPDATE attributes SET item = 7 WHERE product = 2 AND item = 1", "in pieces"},
        {"UPDATE products SET change = 1000 WHERE key = 2", "change"},
        {"DELETE FROM changes WHERE product = 2", "without its change \"p1\""},
        {"INSERT INTO changes (product, kind) VALUES (999, 0)", "without its product"},
        {"INSERT INTO changes (product, kind) VALUES (2, 1)", "removed product"},
        {"INSERT INTO changes (product, kind) VALUES (4, 1)", "several changes"},
        {"UPDATE sqlite_sequence SET seq = 3 WHERE name = 'pictures'", "table \"pictures\""},
        {"DELETE FROM sqlite_sequence WHERE name = 'changes'", "table \"changes\""},
        {"DELETE FROM models", "row"},
        {"UPDATE vectors SET data = substr(data, 2) WHERE picture = 3", "picture 3"},
        {"UPDATE vectors SET data = zeroblob(0) WHERE picture = 3", "dimension"},
        {"UPDATE vectors SET data = CAST(x'007C' || substr(data, 3) AS BLOB) WHERE picture = 3",
         "not finite"},
        {"UPDATE models SET dim = 3", "dimension"},
        {"UPDATE models SET dim = 0", "dimension 0"},
        {"UPDATE products SET title = CAST(x'C3' AS TEXT) WHERE key = 2", "UTF-8"},
        {"UPDATE products SET title = CAST(x'410042' AS TEXT) WHERE key = 2", "UTF-8"},
        {"UPDATE products SET content = x'00' WHERE key = 2", "content"},
        {"UPDATE pictures SET width = -1 WHERE key = 2", "width"},
        {"UPDATE attributes SET kind = 7 WHERE product = 2 AND position = 0", "kind"},
        {"INSERT INTO kept_pairs VALUES (2, 3)", "stays beside itself"},
        {"INSERT INTO kept_pairs VALUES (1, 999)", "row"},
        {"DROP TABLE changes", "changes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        fill(&f);
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(f.catalog, &db), SQLITE_OK);
        char *message = NULL;
        if (sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF",
                         NULL, NULL, &message) != SQLITE_OK ||
            sqlite3_exec(db, cases[i].sql, NULL, NULL, &message) != SQLITE_OK)
            fail_msg("%s: %s", cases[i].sql, message);
        sqlite3_close(db);
        vt_store *store = NULL;
        vt_error why = {0};
        vt_status status = vt_store_open(f.shop, VT_STORE_READ, &store, &why);
        if (status == VT_OK)
            status = vt_store_check(store, &why);
        if (status != VT_ERR_CORRUPT || strstr(why.message, cases[i].part) == NULL)
            fail_msg("%s: got %s (%s), wanted \"%s\"", cases[i].sql, vt_status_text(status),
                     why.message, cases[i].part);
        vt_store_close(store);
        fixture_deinit(&f);
    }
}

/* ---- any byte ---- */

static void assert_decent(vt_status status, const char *what, size_t where)
{
    switch (status) {
    case VT_OK:
    case VT_ERR_NOT_FOUND:
    case VT_ERR_CORRUPT:
    case VT_ERR_UNSUPPORTED:
    case VT_ERR_LIMIT:
    case VT_ERR_NO_MEMORY: /* a damaged length */
    case VT_ERR_IO:
    case VT_ERR_DENIED:
        return;
    default:
        fail_msg("%s, damage at %zu: %s", what, where, vt_status_text(status));
    }
}

static void assert_text(const char *text)
{
    if (text != NULL)
        assert_true(vt_utf8_valid(text, strlen(text)));
}

static vt_status look_at_product(void *context, const vt_product *product, vt_error *error)
{
    (void)error;
    size_t *left = context;
    assert_text(product->id);
    assert_text(product->title);
    assert_text(product->category);
    for (size_t i = 0; i < product->attribute_count; i++) {
        assert_text(product->attributes[i].name);
        assert_text(product->attributes[i].text);
        for (size_t j = 0; j < product->attributes[i].item_count; j++)
            assert_text(product->attributes[i].items[j]);
    }
    for (size_t i = 0; i < product->picture_count; i++)
        assert_text(product->pictures[i].source);
    return --*left > 0 ? VT_OK : VT_ERR_LIMIT; /* a tree that bites its own tail has no end */
}

static vt_status look_at_picture(void *context, const char *id, uint32_t product,
                                 const vt_picture *picture, vt_error *error)
{
    (void)error;
    (void)product;
    size_t *left = context;
    assert_text(id);
    assert_text(picture->source);
    return --*left > 0 ? VT_OK : VT_ERR_LIMIT;
}

static vt_status look_at_category(void *context, const char *category, uint64_t products,
                                  vt_error *error)
{
    (void)context;
    (void)products;
    (void)error;
    assert_text(category);
    return VT_OK;
}

static void ask_everything(vt_store *store, size_t where)
{
    size_t left = 10000;
    assert_decent(vt_store_each(store, look_at_product, &left, NULL), "each", where);
    left = 10000;
    assert_decent(vt_store_each_picture(store, look_at_picture, &left, NULL), "pictures", where);
    assert_decent(vt_store_each_category(store, look_at_category, NULL, NULL), "categories", where);
    for (uint32_t i = 0; i < PRODUCTS; i += 4) {
        char id[32];
        snprintf(id, sizeof id, "p%u", i);
        vt_arena arena;
        vt_arena_init(&arena, 1 << 20);
        vt_product got;
        vt_hash hash;
        assert_decent(vt_store_get(store, id, &arena, &got, NULL), "get", where);
        assert_decent(vt_store_get_by_key(store, i + 1, &arena, &got, NULL), "get", where);
        assert_decent(vt_store_content(store, 1, id, &hash, NULL), "content", where);
        vt_arena_deinit(&arena);
    }
    float vector[VT_STORE_MAX_DIM] = {1}; /* the dimension may be what is damaged */
    vt_hit hits[5];
    size_t count;
    vt_nearest_options options = {.k = 5, .min_similarity = -INFINITY};
    assert_decent(vt_store_vector(store, 1, 2, vector, NULL), "vector", where);
    memset(vector, 0, sizeof vector);
    assert_decent(vt_store_nearest(store, 1, vector, 1, &options, hits, &count, NULL, NULL),
                  "nearest", where);
    vt_store_stats stats;
    assert_decent(vt_store_stats_of(store, 1, &stats, NULL), "stats", where);
    assert_decent(vt_store_check(store, NULL), "check", where);
}

static void probe(const fixture *f, int mode, size_t where)
{
    vt_store *store = NULL;
    vt_error why = {0};
    vt_status status = vt_store_open(f->shop, mode, &store, &why);
    if (status == VT_ERR_INTERNAL)
        fail_msg("damage at %zu: %s", where, why.message);
    assert_decent(status, "open", where);
    if (status != VT_OK)
        return;
    ask_everything(store, where);
    if (mode == VT_STORE_WRITE) {
        assert_decent(fixture_put(store, 1, 5, 2, FIXTURE_DIM, 2, NULL), "put", where);
        assert_decent(fixture_put(store, 1, 99, 1, FIXTURE_DIM, 2, NULL), "put", where);
        assert_decent(vt_store_remove(store, "p8", NULL), "remove", where);
    }
    vt_store_close(store);
}

static void write_bytes(const char *path, const vt_buf *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes->data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void test_any_byte_of_the_database(void **state)
{
    (void)state;
    fixture f;
    fill(&f);
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", f.catalog);
    vt_buf bytes;
    vt_buf_init(&bytes, 4 << 20);
    assert_ok(vt_file_read(f.catalog, 4 << 20, &bytes, error));
    vt_random random;
    vt_random_init(&random, 2024);
    for (size_t i = 0; i < 700; i++) {
        /* All of the file's header, then page and cell headers more often than the rest. */
        size_t at = i < 100 ? i : (size_t)vt_random_below(&random, bytes.length);
        if (i % 3 == 1 && i >= 100)
            at = at / 4096 * 4096 + vt_random_below(&random, 64);
        char old = bytes.data[at];
        bytes.data[at] =
            (char)(i % 2 ? vt_random_u64(&random) : (uint8_t)old ^ (1u << (i / 2 % 8)));
        write_bytes(f.catalog, &bytes, bytes.length);
        unlink(wal); /* of the previous probe */
        probe(&f, i % 4 == 3 ? VT_STORE_WRITE : VT_STORE_READ, at);
        bytes.data[at] = old;
    }
    vt_buf_deinit(&bytes);
    fixture_deinit(&f);
}

static void test_truncated(void **state)
{
    (void)state;
    fixture f;
    fill(&f);
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", f.catalog);
    vt_buf bytes;
    vt_buf_init(&bytes, 4 << 20);
    assert_ok(vt_file_read(f.catalog, 4 << 20, &bytes, error));
    vt_store *store = NULL;
    for (size_t length = 0; length < bytes.length; length += length < 600 ? 37 : 1511) {
        write_bytes(f.catalog, &bytes, length);
        unlink(wal);
        assert_fails_saying(VT_ERR_CORRUPT, f.catalog,
                            vt_store_open(f.shop, VT_STORE_READ, &store, error));
        assert_fails_saying(VT_ERR_CORRUPT, f.catalog,
                            vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    }
    vt_buf_deinit(&bytes);
    fixture_deinit(&f);
}

/* The log of a writer that was killed: damage there costs the commits from there on, not the rest.
 */
static void test_any_byte_of_the_log(void **state)
{
    (void)state;
    fixture f;
    fill(&f);
    char wal[128], shm[128];
    snprintf(wal, sizeof wal, "%s-wal", f.catalog);
    snprintf(shm, sizeof shm, "%s-shm", f.catalog);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        vt_store *store = NULL;
        if (vt_store_open(f.shop, VT_STORE_WRITE, &store, NULL) != VT_OK)
            _exit(1);
        for (uint32_t i = 100; i < 120; i++)
            if (fixture_put(store, 1, i, 1, FIXTURE_DIM, 2, NULL) != VT_OK)
                _exit(2);
        kill(getpid(), SIGKILL);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    vt_buf database, log;
    vt_buf_init(&database, 4 << 20);
    vt_buf_init(&log, 4 << 20);
    assert_ok(vt_file_read(f.catalog, 4 << 20, &database, error));
    assert_ok(vt_file_read(wal, 4 << 20, &log, error));
    assert_true(log.length > 4096);
    vt_random random;
    vt_random_init(&random, 7);
    for (size_t i = 0; i < 120; i++) {
        size_t at = i < 32 ? i : (size_t)vt_random_below(&random, log.length);
        char old = log.data[at];
        log.data[at] = (char)(old ^ 0x10);
        write_bytes(f.catalog, &database, database.length);
        write_bytes(wal, &log, i % 5 == 4 ? at : log.length);
        unlink(shm);
        vt_store *store = NULL;
        vt_status status =
            vt_store_open(f.shop, i % 2 ? VT_STORE_WRITE : VT_STORE_READ, &store, NULL);
        assert_int_equal(status, VT_OK);
        assert_ok(vt_store_check(store, error));
        for (uint32_t p = 0; p < PRODUCTS; p++)
            if (p != 3)
                assert_made_stored(store, 1, p, 1, FIXTURE_DIM, 1 + p % 3);
        vt_store_close(store);
        log.data[at] = old;
    }
    vt_buf_deinit(&database);
    vt_buf_deinit(&log);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_any_byte_of_the_database),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_any_byte_of_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
