/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The postings' file of a shop: used when it is of this catalogue, brought up to date from there,
 * and not believed when it is damaged, newer, or of a catalogue that was put back from a backup; a
 * process that ends at any moment, and disks that fail.
 */
#include "fixture.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/log.h"
#include "store/sqlite/sqlite.h"
#include "support/failing_io.h"

#include <signal.h>
#include <sys/wait.h>

enum { FILE_BYTES = 1 << 26 };

typedef struct world {
    fixture f;
    uint32_t model;
    vt_store *store;
    char file[128];
    vt_random random;
} world;

static char logged[1024];

static void note_line(void *context, vt_log_level level, const char *line)
{
    (void)context;
    (void)level;
    snprintf(logged, sizeof logged, "%s", line);
}

static vt_sqlite *inside(const world *w)
{
    return (vt_sqlite *)w->store;
}

static void world_init(world *w)
{
    fixture_init(&w->f);
    w->store = fixture_make_shop(&w->f, &w->model);
    snprintf(w->file, sizeof w->file, "%s/index/postings.vtp", w->f.shop);
    vt_random_init(&w->random, 4);
    logged[0] = '\0';
    vt_log_set_sink(note_line, NULL, VT_LOG_INFO);
}

static void world_deinit(world *w)
{
    vt_store_close(w->store);
    vt_log_set_sink(NULL, NULL, VT_LOG_INFO);
    fixture_deinit(&w->f);
}

static void reopen(world *w, int mode)
{
    vt_store_close(w->store);
    w->store = NULL;
    assert_ok(vt_store_open(w->f.shop, mode, &w->store, error));
}

static void change(world *w, size_t times, uint64_t seed)
{
    vt_random random;
    vt_random_init(&random, seed);
    for (size_t i = 0; i < times; i++) {
        uint32_t number = (uint32_t)vt_random_below(&random, 60);
        char id[32];
        snprintf(id, sizeof id, "p%u", number);
        if (vt_random_below(&random, 4) == 0)
            (void)vt_store_remove(w->store, id, NULL);
        else
            assert_ok(fixture_put(w->store, w->model, number, (uint32_t)(seed * 100 + i),
                                  FIXTURE_DIM, 1, error));
    }
}

/* Asks a question, then holds what is in memory to the catalogue. */
static void ask(world *w)
{
    vt_arena arena;
    vt_selection selection = {0};
    vt_select what = {.page = true, .sort = "title", .top = 5};
    vt_arena_init(&arena, 1 << 20);
    assert_ok(vt_store_select(w->store, &what, &arena, &selection, error));
    assert_int_equal(selection.matched, fixture_count(w->store));
    vt_idset_free(selection.products);
    vt_arena_deinit(&arena);
    assert_ok(vt_store_check_postings(w->store, error));
}

static void save(world *w)
{
    ask(w);
    assert_ok(vt_sqlite_postings_save(inside(w), error));
}

/* Opens for reading, asks; whether the file was used. */
static bool file_serves(world *w)
{
    reopen(w, VT_STORE_READ);
    ask(w);
    return inside(w)->postings_saved > 0;
}

/* ---- in step ---- */

static void after_any_changes_it_equals_the_catalogue(void **state)
{
    (void)state;
    world w;
    world_init(&w);
    for (uint64_t round = 1; round < 25; round++) {
        reopen(&w, VT_STORE_WRITE);
        change(&w, (size_t)vt_random_below(&w.random, 40), round);
        if (round % 3 == 1)
            save(&w);
        change(&w, (size_t)vt_random_below(&w.random, 40), round + 100);
        if (round % 5 == 0)
            ask(&w);
        assert_true(file_serves(&w));
        assert_string_equal(logged, "");
    }
    world_deinit(&w);
}

static void it_is_written_when_much_changed(void **state)
{
    (void)state;
    world w;
    world_init(&w);
    change(&w, 500, 1);
    reopen(&w, VT_STORE_READ);
    assert_false(vt_file_exists(w.file));
    reopen(&w, VT_STORE_WRITE);
    change(&w, 1000, 2);
    assert_true(file_serves(&w)); /* closing wrote it */
    int64_t saved = inside(&w)->postings_saved;
    reopen(&w, VT_STORE_WRITE);
    change(&w, 100, 3);
    assert_true(file_serves(&w));
    assert_int_equal(inside(&w)->postings_saved, saved);
    /* Beside the work of a process that stays. */
    reopen(&w, VT_STORE_WRITE);
    change(&w, 1500, 4);
    ask(&w);
    vt_snapshot *file = NULL;
    int64_t now = 0;
    for (int i = 0; i < 3000 && now <= saved; i++) {
        usleep(2000);
        assert_ok(vt_snapshot_open(w.file, &vt_postings_kind, FILE_BYTES, &file, error));
        now = (int64_t)vt_snapshot_head_of(file).change;
        vt_snapshot_close(file);
    }
    assert_true(now > saved);
    assert_true(file_serves(&w));
    assert_string_equal(logged, "");
    world_deinit(&w);
}

static void a_reader_writes_nothing(void **state)
{
    (void)state;
    world w;
    world_init(&w);
    change(&w, 50, 1);
    assert_false(file_serves(&w));
    vt_store_close(w.store);
    assert_false(vt_file_exists(w.file));
    w.store = NULL;
    assert_ok(vt_store_open(w.f.shop, VT_STORE_WRITE, &w.store, error));
    world_deinit(&w);
}

/* Whoever only checks looks at the file as well. */
static void the_check_reads_the_file(void **state)
{
    (void)state;
    world w;
    world_init(&w);
    change(&w, 100, 1);
    save(&w);
    change(&w, 10, 2);
    reopen(&w, VT_STORE_READ);
    assert_ok(vt_store_check_postings(w.store, error));
    assert_true(inside(&w)->postings != NULL && inside(&w)->postings_saved > 0);
    world_deinit(&w);
}

/* ---- files that are not to be believed ---- */

static void file_read(const world *w, vt_buf *out)
{
    vt_buf_init(out, FILE_BYTES);
    assert_ok(vt_file_read(w->file, FILE_BYTES, out, error));
}

static void damaged_and_newer_files_are_reported_and_replaced(void **state)
{
    (void)state;
    world w;
    vt_buf file;
    world_init(&w);
    change(&w, 100, 1);
    save(&w);
    file_read(&w, &file);
    for (size_t i = 0; i < 50; i++) {
        size_t bit = (size_t)vt_random_below(&w.random, file.length * 8);
        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        assert_ok(vt_file_replace(w.file, file.data, file.length, false, error));
        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        logged[0] = '\0';
        assert_false(file_serves(&w));
        assert_non_null(strstr(logged, w.file));
        assert_non_null(strstr(logged, "the catalogue is read instead"));
    }
    uint32_t version = 321, sum;
    memcpy(file.data + 8, &version, sizeof version);
    sum = vt_crc32c(0, file.data, 124);
    memcpy(file.data + 124, &sum, sizeof sum);
    assert_ok(vt_file_replace(w.file, file.data, file.length, false, error));
    assert_false(file_serves(&w));
    assert_non_null(strstr(logged, "321"));
    reopen(&w, VT_STORE_WRITE);
    save(&w);
    logged[0] = '\0';
    assert_true(file_serves(&w));
    assert_string_equal(logged, "");
    vt_buf_deinit(&file);
    world_deinit(&w);
}

/* One that should be there is reported, as one that is damaged; a young shop has none yet. */
static void a_missing_file_is_reported(void **state)
{
    (void)state;
    world w;
    world_init(&w);
    change(&w, 100, 1);
    assert_false(file_serves(&w));
    assert_string_equal(logged, "");
    reopen(&w, VT_STORE_WRITE);
    for (uint32_t i = 0; i < 1000; i++) /* a product is enough: changes count */
        assert_ok(fixture_put(w.store, w.model, 7, 1000 + i, FIXTURE_DIM, 1, error));
    ask(&w);
    assert_string_equal(logged, ""); /* they came since this process did */
    reopen(&w, VT_STORE_WRITE);      /* leaves a file */
    assert_true(file_serves(&w));
    assert_string_equal(logged, "");
    assert_int_equal(unlink(w.file), 0);
    assert_false(file_serves(&w));
    assert_non_null(strstr(logged, w.file));
    assert_non_null(strstr(logged, "there is none, though 1"));
    assert_non_null(strstr(logged, "the catalogue is read instead"));
    reopen(&w, VT_STORE_WRITE); /* and who may write makes it again */
    ask(&w);
    logged[0] = '\0';
    reopen(&w, VT_STORE_WRITE);
    assert_true(file_serves(&w));
    assert_string_equal(logged, "");
    world_deinit(&w);
}

static void copy_file(const char *from, const char *to)
{
    vt_buf bytes;
    vt_buf_init(&bytes, FILE_BYTES);
    assert_ok(vt_file_read(from, FILE_BYTES, &bytes, error));
    assert_ok(vt_file_replace(to, bytes.data, bytes.length, false, error));
    vt_buf_deinit(&bytes);
}

/* The same numbers again, for other changes. */
static void a_catalogue_from_a_backup_is_told_apart(void **state)
{
    (void)state;
    world w;
    char backup[128], log[128];
    world_init(&w);
    snprintf(backup, sizeof backup, "%s/backup.db", w.f.dir);
    snprintf(log, sizeof log, "%s-wal", w.f.catalog);
    for (int same_writer = 0; same_writer < 2; same_writer++) {
        reopen(&w, VT_STORE_WRITE);
        change(&w, 60, 1 + (uint64_t)same_writer);
        if (!same_writer)
            reopen(&w, VT_STORE_WRITE);
        /* What is in the log comes into the file. */
        assert_int_equal(sqlite3_wal_checkpoint_v2(inside(&w)->writer->db, "main",
                                                   SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
                         SQLITE_OK);
        copy_file(w.f.catalog, backup);
        change(&w, 40, 7);
        save(&w);
        vt_store_close(w.store);
        copy_file(backup, w.f.catalog);
        unlink(log);
        /* Before anything is written the numbers are beyond the newest; later they are others'. */
        assert_ok(vt_store_open(w.f.shop, VT_STORE_READ, &w.store, error));
        for (int written = 0; written < 2; written++) {
            logged[0] = '\0';
            assert_false(file_serves(&w));
            assert_non_null(strstr(logged, "another state of the catalogue"));
            reopen(&w, VT_STORE_WRITE);
            change(&w, 80, 9);
        }
        save(&w);
        logged[0] = '\0';
        assert_true(file_serves(&w));
        assert_string_equal(logged, "");
    }
    world_deinit(&w);
}

/* ---- ends at any moment ---- */

static void work_until_killed(world *w)
{
    assert_ok(vt_store_open(w->f.shop, VT_STORE_WRITE, &w->store, error));
    for (uint64_t seed = 1;; seed++) {
        change(w, 3, seed * 31 + (uint64_t)getpid());
        ask(w);
        (void)vt_sqlite_postings_save(inside(w), NULL);
        change(w, 2, seed * 17 + (uint64_t)getpid());
    }
}

static void killed_between_commit_and_snapshot(void **state)
{
    (void)state;
    world w;
    world_init(&w);
    change(&w, 100, 1);
    for (int i = 0; i < 20; i++) {
        vt_store_close(w.store);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            work_until_killed(&w);
            _exit(1);
        }
        int status;
        /* The first lives until there is a file to go wrong. */
        while (i == 0 && !vt_file_exists(w.file) && waitpid(child, &status, WNOHANG) == 0)
            usleep(1000);
        usleep(5000 + (useconds_t)vt_random_below(&w.random, 60000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_ok(vt_store_open(w.f.shop, VT_STORE_READ, &w.store, error));
        ask(&w);
        assert_ok(vt_store_check(w.store, error));
    }
    assert_true(file_serves(&w));
    assert_string_equal(logged, "");
    world_deinit(&w);
}

/* ---- disks that fail ---- */

static void a_failing_disk_leaves_the_old_one(void **state)
{
    static const int codes[] = {ENOSPC, EIO};
    (void)state;
    world w;
    vt_buf before, after;
    world_init(&w);
    change(&w, 100, 1);
    save(&w);
    for (size_t c = 0; c < 2; c++)
        for (int64_t left = 0;; left++) {
            vt_error error;
            change(&w, 2, 50 + (uint64_t)left);
            ask(&w);
            file_read(&w, &before);
            failing_io_after(left, codes[c]);
            vt_status status = vt_sqlite_postings_save(inside(&w), &error);
            bool done = failing_io_after(-1, 0) <= left;
            file_read(&w, &after);
            bool same =
                before.length == after.length && memcmp(before.data, after.data, after.length) == 0;
            vt_buf_deinit(&before);
            vt_buf_deinit(&after);
            assert_int_equal(status, done ? VT_OK : VT_ERR_IO);
            assert_true(done || strstr(error.message, w.file) != NULL || left > 4);
            assert_true(done ? !same : same || left > 4); /* at the last only its folder's sync */
            if (done)
                break;
        }
    assert_true(file_serves(&w));
    assert_string_equal(logged, "");
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_any_changes_it_equals_the_catalogue),
        cmocka_unit_test(it_is_written_when_much_changed),
        cmocka_unit_test(a_reader_writes_nothing),
        cmocka_unit_test(the_check_reads_the_file),
        cmocka_unit_test(damaged_and_newer_files_are_reported_and_replaced),
        cmocka_unit_test(a_missing_file_is_reported),
        cmocka_unit_test(a_catalogue_from_a_backup_is_told_apart),
        cmocka_unit_test(killed_between_commit_and_snapshot),
        cmocka_unit_test(a_failing_disk_leaves_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
