/* SPDX-License-Identifier: Apache-2.0 */
/* Durability: what was acknowledged is there, whenever the process is killed and whichever write or
 * sync of the disk fails. */
#include "fixture.h"

#include "base/file.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

/* ---- killed at any moment ---- */

enum { KILLED_PRODUCTS = 300 };

/* Puts, replaces and removes for ever; tells of each step only after the store has said ok. */
static void work_until_killed(const fixture *f, uint32_t round, int out)
{
    vt_store *store = NULL;
    if (vt_store_open(f->shop, VT_STORE_WRITE, &store, NULL) != VT_OK)
        _exit(1);
    for (uint32_t step = 0;; step++) {
        uint32_t number = step % KILLED_PRODUCTS;
        uint32_t version = round * 1000000 + step + 1;
        char id[32];
        snprintf(id, sizeof id, "p%u", number);
        bool away = step % 11 == 10;
        vt_status status =
            away ? vt_store_remove(store, id, NULL)
                 : fixture_put(store, 1, number, version, FIXTURE_DIM, 1 + version % 3, NULL);
        if (status != VT_OK && !(away && status == VT_ERR_NOT_FOUND))
            _exit(2);
        uint32_t told[2] = {number, away ? 0 : version};
        if (write(out, told, sizeof told) != sizeof told)
            _exit(3);
    }
}

/* The version of product `number` that is stored, 0: none. */
static uint32_t stored_version(vt_store *store, uint32_t number)
{
    char id[32];
    snprintf(id, sizeof id, "p%u", number);
    vt_arena arena;
    vt_arena_init(&arena, 1 << 20);
    vt_product got;
    unsigned named = 0, version = 0;
    vt_status status = vt_store_get(store, id, &arena, &got, NULL);
    if (status == VT_OK)
        assert_int_equal(sscanf(got.title, "Produkt %u, Größe %u", &named, &version), 2);
    else
        assert_int_equal(status, VT_ERR_NOT_FOUND);
    vt_arena_deinit(&arena);
    return version;
}

/* What the child would have done after `step`: the one step that may have been committed untold. */
static bool is_next_step(uint32_t number, uint32_t stored, uint32_t round, uint32_t steps)
{
    bool away = steps % 11 == 10;
    return number == steps % KILLED_PRODUCTS && stored == (away ? 0 : round * 1000000 + steps + 1);
}

static void test_killed(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    vt_store_close(store);
    uint32_t version[KILLED_PRODUCTS] = {0};
    vt_random random;
    vt_random_init(&random, (uint64_t)getpid());
    for (uint32_t round = 1; round <= 20; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            work_until_killed(&f, round, ends[1]);
        }
        close(ends[1]);
        /* After a random number of acknowledged steps and then a random moment. */
        uint32_t told[2], steps = 0;
        uint32_t wanted = 1 + (uint32_t)vt_random_below(&random, 700);
        while (read(ends[0], told, sizeof told) == sizeof told) {
            version[told[0]] = told[1];
            if (++steps == wanted) {
                usleep((useconds_t)vt_random_below(&random, 2000));
                kill(child, SIGKILL);
            }
        }
        close(ends[0]);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        assert_true(steps >= wanted);

        assert_ok(vt_store_open(f.shop, round % 2 ? VT_STORE_WRITE : VT_STORE_READ, &store, error));
        assert_ok(vt_store_check(store, error));
        uint64_t present = 0;
        for (uint32_t i = 0; i < KILLED_PRODUCTS; i++) {
            uint32_t stored = stored_version(store, i);
            if (stored != version[i]) {
                assert_true(is_next_step(i, stored, round, steps));
                version[i] = stored;
            }
            if (stored != 0)
                assert_made_stored(store, model, i, stored, FIXTURE_DIM, 1 + stored % 3);
            present += stored != 0;
        }
        assert_int_equal(fixture_count(store), present); /* and none twice */
        vt_store_close(store);
    }
    fixture_deinit(&f);
}

/* ---- the disk fails: a VFS that lets the n-th write or sync fail ---- */

static struct fault {
    int64_t countdown; /* calls that still succeed; < 0: none fails */
    bool forever;      /* the disk stays broken, or recovers after one fault */
    int code;
    int64_t calls;
} fault = {.countdown = -1};

static sqlite3_vfs *real_vfs;

/* The real VFS has several tables of functions (for the database, for the log); each gets a twin.
 */
static struct fault_methods {
    sqlite3_io_methods mine;
    const sqlite3_io_methods *real;
} fault_methods[4];

static const sqlite3_io_methods *real_methods(const sqlite3_file *file)
{
    return ((const struct fault_methods *)file->pMethods)->real; /* `mine` comes first */
}

static bool fault_strikes(void)
{
    fault.calls++;
    if (fault.countdown < 0)
        return false;
    if (fault.countdown > 0) {
        fault.countdown--;
        return false;
    }
    if (!fault.forever)
        fault.countdown = -1;
    return true;
}

static int fault_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
    if (fault_strikes()) {
        /* A disk may fail halfway through. */
        real_methods(file)->xWrite(file, bytes, length / 2, offset);
        return fault.code;
    }
    return real_methods(file)->xWrite(file, bytes, length, offset);
}

static int fault_sync(sqlite3_file *file, int flags)
{
    return fault_strikes() ? SQLITE_IOERR_FSYNC : real_methods(file)->xSync(file, flags);
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fault_strikes() ? SQLITE_IOERR_TRUNCATE : real_methods(file)->xTruncate(file, size);
}

/* Files are the real VFS's own; only their table of functions is replaced by one that differs in
 * three of them. */
static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *out_flags)
{
    (void)vfs;
    int result = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (result != SQLITE_OK || file->pMethods == NULL)
        return result;
    struct fault_methods *twin = fault_methods;
    while (twin->real != NULL && twin->real != file->pMethods)
        twin++;
    if (twin->real == NULL) {
        assert_true(twin + 1 < fault_methods + 4);
        twin->real = file->pMethods;
        twin->mine = *file->pMethods;
        twin->mine.xWrite = fault_write;
        twin->mine.xSync = fault_sync;
        twin->mine.xTruncate = fault_truncate;
    }
    file->pMethods = &twin->mine;
    return result;
}

static sqlite3_vfs fault_vfs;

static int faults_begin(void **state)
{
    (void)state;
    real_vfs = sqlite3_vfs_find(NULL);
    assert_non_null(real_vfs);
    fault_vfs = *real_vfs;
    fault_vfs.zName = "fault";
    fault_vfs.pNext = NULL;
    fault_vfs.xOpen = fault_open;
    assert_int_equal(sqlite3_vfs_register(&fault_vfs, 1), SQLITE_OK);
    return 0;
}

static int faults_end(void **state)
{
    (void)state;
    fault = (struct fault){.countdown = -1};
    sqlite3_vfs_unregister(&fault_vfs);
    assert_int_equal(sqlite3_vfs_register(real_vfs, 1), SQLITE_OK);
    return 0;
}

static void assert_earlier_intact(vt_store *store, uint32_t model)
{
    for (uint32_t i = 0; i < 10; i++)
        assert_made_stored(store, model, i, 1, FIXTURE_DIM, 2);
    assert_ok(vt_store_check(store, error));
}

/* One kind of write, failing at its n-th call to the disk for every n until it gets through. */
static void fail_everywhere(vt_status (*act)(vt_store *, uint32_t, uint32_t, vt_error *), int code,
                            bool forever)
{
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    for (uint32_t i = 0; i < 10; i++)
        assert_ok(fixture_put(store, model, i, 1, FIXTURE_DIM, 2, error));
    int64_t failures = 0;
    for (int64_t n = 0;; n++) {
        assert_true(n < 1000);
        vt_error why = {0};
        fault = (struct fault){.countdown = n, .forever = forever, .code = code};
        vt_status status = act(store, model, (uint32_t)n, &why);
        int64_t calls = fault.calls;
        fault = (struct fault){.countdown = -1};
        /* The store goes on where it is, readable and writable again. */
        assert_earlier_intact(store, model);
        if (status == VT_OK) {
            assert_true(calls <= n);
            break;
        }
        failures++;
        assert_int_equal(status, VT_ERR_IO);
        assert_true(strstr(why.message, "disk") != NULL);
        assert_ok(fixture_put(store, model, 500, (uint32_t)n + 1, FIXTURE_DIM, 1, error));
        /* And so it is when opened again, also by a process that starts after a crash. */
        if (n % 3 == 0) {
            vt_store_close(store);
            assert_ok(vt_store_open(f.shop, VT_STORE_WRITE, &store, error));
            assert_earlier_intact(store, model);
            assert_made_stored(store, model, 500, (uint32_t)n + 1, FIXTURE_DIM, 1);
        }
    }
    assert_true(failures >= 3); /* frames and a sync at least: the faults did reach the disk */
    vt_store_close(store);
    fixture_deinit(&f);
}

static vt_status act_insert(vt_store *store, uint32_t model, uint32_t n, vt_error *error)
{
    return fixture_put(store, model, 1000 + n, 1, FIXTURE_DIM, 4, error);
}

static vt_status act_replace(vt_store *store, uint32_t model, uint32_t n, vt_error *error)
{
    return fixture_put(store, model, 500, 100000 + n, FIXTURE_DIM, 4, error);
}

static vt_status act_remove(vt_store *store, uint32_t model, uint32_t n, vt_error *error)
{
    /* Product 500 is there from the second round on; in the first, what failed is its insertion. */
    vt_status status = n == 0 ? fixture_put(store, model, 500, 1, FIXTURE_DIM, 1, error) : VT_OK;
    return status == VT_OK ? vt_store_remove(store, "p500", error) : status;
}

static void test_disk_full(void **state)
{
    (void)state;
    fail_everywhere(act_insert, SQLITE_FULL, true);
    fail_everywhere(act_insert, SQLITE_FULL, false);
    fail_everywhere(act_replace, SQLITE_FULL, true);
    fail_everywhere(act_remove, SQLITE_FULL, true);
}

static void test_disk_broken(void **state)
{
    (void)state;
    fail_everywhere(act_insert, SQLITE_IOERR_WRITE, true);
    fail_everywhere(act_replace, SQLITE_IOERR_WRITE, false);
    fail_everywhere(act_remove, SQLITE_IOERR_WRITE, false);
}

/* A failed sync must not count as done: what is acknowledged later is there after a crash. */
static void test_failing_then_killed(void **state)
{
    (void)state;
    fixture f;
    uint32_t model;
    vt_store *store = fixture_create(&f, &model);
    vt_store_close(store);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (vt_store_open(f.shop, VT_STORE_WRITE, &store, NULL) != VT_OK)
            _exit(1);
        for (uint32_t i = 0; i < 200; i++) {
            fault = (struct fault){.countdown = i % 9, .code = SQLITE_FULL};
            vt_status status = fixture_put(store, model, i, 1, FIXTURE_DIM, 2, NULL);
            fault = (struct fault){.countdown = -1};
            if (status == VT_ERR_IO)
                status = fixture_put(store, model, i, 1, FIXTURE_DIM, 2, NULL);
            if (status != VT_OK)
                _exit(2);
        }
        kill(getpid(), SIGKILL);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_ok(vt_store_open(f.shop, VT_STORE_READ, &store, error));
    assert_ok(vt_store_check(store, error));
    assert_int_equal(fixture_count(store), 200);
    for (uint32_t i = 0; i < 200; i++)
        assert_made_stored(store, model, i, 1, FIXTURE_DIM, 2);
    vt_store_close(store);
    fixture_deinit(&f);
}

/* Creation: at every fault there is no catalogue at all, and the next attempt makes one. */
static void test_create_fails(void **state)
{
    (void)state;
    for (int64_t n = 0;; n++) {
        assert_true(n < 1000);
        fixture f;
        fixture_init(&f);
        vt_store *store = NULL;
        vt_error why = {0};
        fault = (struct fault){.countdown = n, .forever = true, .code = SQLITE_FULL};
        vt_status status = vt_store_open(f.shop, VT_STORE_CREATE, &store, &why);
        bool struck = fault.calls > n;
        fault = (struct fault){.countdown = -1};
        if (status != VT_OK) {
            assert_true(struck);
            assert_int_equal(status, VT_ERR_IO);
            assert_null(store);
            vt_status again = vt_store_open(f.shop, VT_STORE_CREATE, &store, &why);
            /* The fault may have struck after the rename: then the catalogue is there, whole. */
            if (again == VT_ERR_EXISTS)
                again = vt_store_open(f.shop, VT_STORE_WRITE, &store, &why);
            assert_int_equal(again, VT_OK);
        }
        assert_ok(vt_store_check(store, error));
        vt_store_close(store);
        fixture_deinit(&f);
        if (!struck) {
            assert_true(n >= 3);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test_setup_teardown(test_disk_full, faults_begin, faults_end),
        cmocka_unit_test_setup_teardown(test_disk_broken, faults_begin, faults_end),
        cmocka_unit_test_setup_teardown(test_failing_then_killed, faults_begin, faults_end),
        cmocka_unit_test_setup_teardown(test_create_fails, faults_begin, faults_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
