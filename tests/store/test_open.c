/* SPDX-License-Identifier: Apache-2.0 */
/* Opening: what is a shop, who may write, where nothing may be written. */
#include "fixture.h"

#include "base/file.h"
#include "store/sqlite/sqlite.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void write_file(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static void assert_no_open(const fixture *f, vt_status status, const char *part)
{
    vt_store *store = NULL;
    assert_fails_saying(status, part, vt_store_open(f->shop, VT_STORE_READ, &store, error));
    assert_fails_saying(status, part, vt_store_open(f->shop, VT_STORE_WRITE, &store, error));
    assert_null(store);
}

static void test_what_is_no_shop(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    assert_no_open(&f, VT_ERR_NOT_FOUND, f.shop);
    vt_store *store = NULL;
    assert_fails(VT_ERR_USAGE, vt_store_open("", VT_STORE_READ, &store, error));
    assert_fails(VT_ERR_USAGE, vt_store_open(f.shop, 4, &store, error));
    assert_ok(vt_dir_make(f.shop, error));
    assert_no_open(&f, VT_ERR_NOT_FOUND, "is not a shop: has no catalog.db");
    bool empty = false;
    assert_ok(vt_dir_is_empty(f.shop, &empty, error));
    assert_true(empty); /* no lock file is left in a stranger's directory */

    write_file(f.catalog, "", 0);
    assert_no_open(&f, VT_ERR_CORRUPT, "empty");
    uint8_t noise[20000];
    vt_random random;
    vt_random_init(&random, 5);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)vt_random_u64(&random);
    static const size_t lengths[] = {1, 15, 16, 99, 100, 511, 512, 4096, sizeof noise};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        write_file(f.catalog, noise, lengths[i]);
        assert_no_open(&f, VT_ERR_CORRUPT, "catalog");
    }
    memcpy(noise, "SQLite format 3", 16);
    write_file(f.catalog, noise, sizeof noise);
    assert_no_open(&f, VT_ERR_CORRUPT, "catalog");
    assert_int_equal(unlink(f.catalog), 0);
    run_sql(f.catalog, "CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1");
    assert_no_open(&f, VT_ERR_CORRUPT, "not a vitrine catalogue");
    assert_int_equal(unlink(f.catalog), 0);
    assert_int_equal(mkdir(f.catalog, 0755), 0);
    assert_no_open(&f, VT_ERR_CORRUPT, "regular file");
    fixture_deinit(&f);
}

static void test_create(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model), *second = NULL;
    assert_fails(VT_ERR_BUSY, vt_store_open(f.shop, VT_STORE_CREATE, &second, error));
    assert_ok(fixture_put(store, model, 1, 1, FIXTURE_DIM, 1, error));
    vt_store_close(store);
    assert_fails(VT_ERR_EXISTS, vt_store_open(f.shop, VT_STORE_CREATE, &second, error));
    assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    assert_made_stored(store, model, 1, 1, FIXTURE_DIM, 1);
    vt_store_close(store);

    /* A catalogue that was deleted by hand leaves an empty log: not in the way. */
    assert_int_equal(unlink(f.catalog), 0);
    assert_ok(vt_store_open(f.shop, VT_STORE_CREATE, &store, error));
    assert_int_equal(fixture_count(store), 0);
    vt_store_close(store);

    /* A log with something in it is not thrown away, and not replayed into something new. */
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", f.catalog);
    assert_int_equal(unlink(f.catalog), 0);
    write_file(wal, "somebody's data", 15);
    assert_fails(VT_ERR_EXISTS, vt_store_open(f.shop, VT_STORE_CREATE, &store, error));
    assert_true(vt_file_exists(wal));
    assert_int_equal(unlink(wal), 0);

    /* What a crash left of an earlier attempt is replaced. */
    char fresh[128];
    snprintf(fresh, sizeof fresh, "%s.new", f.catalog);
    write_file(fresh, "half", 4);
    assert_ok(vt_store_open(f.shop, VT_STORE_CREATE, &store, error));
    assert_false(vt_file_exists(fresh));
    assert_ok(vt_store_check(store, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

static void test_one_writer(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    int ready[2], done[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    vt_store_close(store);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        vt_store *mine = NULL;
        char byte = (char)('0' + (vt_store_open(f.shop, VT_STORE_WRITE, &mine, NULL) != VT_OK));
        if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1)
            _exit(1);
        _exit(0); /* without closing: the lock must go with the process */
    }
    char byte = 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, '0');
    char holder[32];
    snprintf(holder, sizeof holder, "process %d ", (int)child);
    assert_fails_saying(VT_ERR_BUSY, holder, vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &store, error)); /* readers are welcome */
    assert_int_equal(fixture_count(store), 0);
    vt_store_close(store);
    assert_int_equal(write(done[1], "x", 1), 1);
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    vt_store *second = NULL;
    assert_fails(VT_ERR_BUSY, vt_store_open(f.shop, VT_STORE_WRITE, &second, error));
    vt_store_close(store);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(done[i]);
    }
    fixture_deinit(&f);
}

/* Paths that SQLite or a later chdir could take for something else. */
static void test_odd_paths(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(f.dir), 0);
    static const char *const names[] = {"file:x?mode=memory", ":memory:", "a b'\"%s", "./plain"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        vt_store *store = NULL;
        vt_hash fingerprint = fixture_hash(1);
        uint32_t model;
        assert_ok(vt_store_open(names[i], VT_STORE_CREATE, &store, error));
        assert_int_equal(chdir("/"), 0);
        assert_ok(vt_store_model_put(store, &fingerprint, "m", 4, &model, error));
        assert_ok(fixture_put(store, model, 1, 1, 4, 1, error));
        vt_store_close(store);
        assert_int_equal(chdir(f.dir), 0);
        char catalog[128];
        snprintf(catalog, sizeof catalog, "%s/catalog.db", names[i]);
        assert_true(vt_file_exists(catalog));
        assert_ok(vt_store_open(names[i], VT_STORE_READ, &store, error));
        assert_int_equal(fixture_count(store), 1);
        vt_store_close(store);
    }
    assert_int_equal(chdir(before), 0);
    fixture_deinit(&f);
}

/* A reader of a shop in which it may write nothing. Runs in a child without root's powers. */
static int read_only_child(const fixture *f, bool expect_open)
{
    if (getuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
        return 2;
    vt_store *store = NULL;
    vt_error error = {0};
    if (vt_store_open(f->shop, VT_STORE_WRITE, &store, &error) != VT_ERR_DENIED)
        return 3;
    vt_status status = vt_store_open(f->shop, VT_STORE_READ, &store, &error);
    if (!expect_open) {
        bool clear = status == VT_ERR_DENIED && strstr(error.message, "catalog.db-wal") != NULL;
        if (!clear)
            fprintf(stderr, "got %s: %s\n", vt_status_text(status), error.message);
        return clear ? 0 : 4;
    }
    if (status != VT_OK)
        return 5;
    vt_store_stats stats;
    if (vt_store_stats_of(store, 1, &stats, &error) != VT_OK || stats.products != 2 ||
        vt_store_check(store, &error) != VT_OK)
        return 6;
    float query[FIXTURE_DIM] = {1};
    vt_hit hit;
    size_t count;
    vt_nearest_options options = {.k = 1, .min_similarity = -INFINITY};
    if (vt_store_nearest(store, 1, query, 1, &options, &hit, &count, NULL, &error) != VT_OK ||
        count != 1)
        return 7;
    vt_store_close(store);
    return 0;
}

static void run_read_only(const fixture *f, bool expect_open)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(read_only_child(f, expect_open));
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(WEXITSTATUS(how), 0);
    assert_true(WIFEXITED(how));
}

static void test_read_only_directory(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_ok(fixture_put(store, model, 1, 1, FIXTURE_DIM, 1, error));
    vt_store_close(store);
    assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
    assert_ok(fixture_put(store, model, 2, 1, FIXTURE_DIM, 2, error));
    vt_store_close(store);

    char names[3][128], lock[128];
    snprintf(names[0], sizeof names[0], "%s", f.catalog);
    snprintf(names[1], sizeof names[1], "%s-wal", f.catalog);
    snprintf(names[2], sizeof names[2], "%s-shm", f.catalog);
    snprintf(lock, sizeof lock, "%s/lock", f.shop);
    assert_int_equal(chmod(f.dir, 0755), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(chmod(names[i], 0444), 0);
    assert_int_equal(chmod(lock, 0444), 0);
    assert_int_equal(chmod(f.shop, 0555), 0);
    run_read_only(&f, true);

    /* Without the log's files SQLite would have to make them. */
    assert_int_equal(chmod(f.shop, 0755), 0);
    assert_int_equal(unlink(names[1]), 0);
    assert_int_equal(unlink(names[2]), 0);
    assert_int_equal(chmod(f.shop, 0555), 0);
    run_read_only(&f, false);
    assert_int_equal(chmod(f.shop, 0755), 0);
    fixture_deinit(&f);
}

/* While the writer runs, a reader without any right to write sees what was committed. */
static void test_read_only_beside_writer(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    assert_ok(fixture_put(store, model, 1, 1, FIXTURE_DIM, 1, error));
    assert_ok(fixture_put(store, model, 2, 1, FIXTURE_DIM, 1, error));
    char lock[128];
    snprintf(lock, sizeof lock, "%s/lock", f.shop);
    assert_int_equal(chmod(f.dir, 0755), 0);
    assert_int_equal(chmod(lock, 0444), 0);
    assert_int_equal(chmod(f.shop, 0555), 0);
    run_read_only(&f, true);
    assert_int_equal(chmod(f.shop, 0755), 0);
    assert_ok(fixture_put(store, model, 3, 1, FIXTURE_DIM, 1, error));
    vt_store_close(store);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_shop),     cmocka_unit_test(test_create),
        cmocka_unit_test(test_one_writer),          cmocka_unit_test(test_odd_paths),
        cmocka_unit_test(test_read_only_directory), cmocka_unit_test(test_read_only_beside_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
