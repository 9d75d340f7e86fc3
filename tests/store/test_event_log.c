/* SPDX-License-Identifier: Apache-2.0 */
/* The file of events: what was added is there, as a whole; what was removed is gone from the disk.
 */
#include "fixture.h"

#include "base/file.h"
#include "base/secret.h"
#include "store/event_log.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SEARCH_A "00112233445566778899aabbccddeeff"
#define SEARCH_B "ffeeddccbbaa99887766554433221100"

static vt_event event_of(vt_event_kind kind, const char *product, const char *search, int position)
{
    return (vt_event){.kind = kind,
                      .product = product,
                      .search = search,
                      .position = position,
                      .session = "tab one",
                      .time_ms = 1000};
}

static vt_event_log *open_events(const fixture *f, vt_event_log_mode mode)
{
    vt_event_log *events = NULL;
    assert_ok(vt_event_log_open(f->dir, mode, &events, error));
    return events;
}

static vt_event_report report_of(vt_event_log *events, int64_t since_ms, vt_arena *arena)
{
    vt_event_report_options options = {.since_ms = since_ms, .top = 2};
    vt_event_report report = {0};
    assert_ok(vt_event_log_report(events, &options, arena, &report, error));
    return report;
}

static uint64_t count_of(vt_event_log *events)
{
    vt_arena arena;
    uint64_t count = 0;
    vt_arena_init(&arena, 1 << 20);
    vt_event_report report = report_of(events, 0, &arena);
    for (int kind = 0; kind < VT_EVENT_KINDS; kind++)
        count += report.counts[kind];
    vt_arena_deinit(&arena);
    return count;
}

static void add_some(vt_event_log *events)
{
    vt_event all[] = {
        event_of(VT_EVENT_VIEW, "mug", SEARCH_A, 1),
        event_of(VT_EVENT_VIEW, "mug", SEARCH_A, 1), /* told twice: shown once */
        event_of(VT_EVENT_VIEW, "cup", SEARCH_A, 2),
        event_of(VT_EVENT_VIEW, "mug", SEARCH_B, 1),
        event_of(VT_EVENT_CLICK, "mug", SEARCH_A, 1),
        event_of(VT_EVENT_CLICK, "mug", NULL, 0),
        event_of(VT_EVENT_CLICK, "cup", NULL, 0),
        event_of(VT_EVENT_CART, "mug", SEARCH_A, 0),
        event_of(VT_EVENT_PURCHASE, "mug", NULL, 0),
    };
    all[5].session = "tab two";
    all[6].session = NULL;
    all[6].time_ms = 5000;
    assert_ok(vt_event_log_add(events, all, sizeof(all) / sizeof(all[0]), error));
}

static void test_report(void **state)
{
    (void)state;
    fixture f;
    vt_arena arena;
    fixture_init(&f);
    vt_arena_init(&arena, 1 << 20);
    vt_event_log *events = open_events(&f, VT_EVENT_LOG_WRITE);
    vt_event_report none = report_of(events, 0, &arena);
    assert_int_equal(none.first_ms + none.last_ms, 0);
    assert_int_equal(none.searches + none.unclicked + none.sessions + none.position_count, 0);
    add_some(events);
    vt_event_log_close(events);
    events = open_events(&f, VT_EVENT_LOG_READ);
    vt_event_report all = report_of(events, 0, &arena);
    assert_int_equal(all.counts[VT_EVENT_VIEW], 4);
    assert_int_equal(all.counts[VT_EVENT_CLICK], 3);
    assert_int_equal(all.counts[VT_EVENT_CART], 1);
    assert_int_equal(all.counts[VT_EVENT_PURCHASE], 1);
    assert_int_equal(all.sessions, 2);
    assert_int_equal(all.first_ms, 1000);
    assert_int_equal(all.last_ms, 5000);
    assert_int_equal(all.position_count, 2);
    assert_int_equal(all.positions[0].position, 1);
    assert_int_equal(all.positions[0].views, 2);
    assert_int_equal(all.positions[0].clicks, 1);
    assert_int_equal(all.positions[1].views, 1);
    assert_int_equal(all.positions[1].clicks, 0);
    assert_int_equal(all.clicked_count, 2);
    assert_string_equal(all.clicked[0].product, "mug");
    assert_int_equal(all.clicked[0].events, 2);
    assert_int_equal(all.bought_count, 1);
    assert_int_equal(all.searches, 2);
    assert_int_equal(all.unclicked, 1);
    assert_int_equal(all.unclicked_count, 1);
    assert_string_equal(all.searches_unclicked[0].search, SEARCH_B);
    assert_int_equal(all.searches_unclicked[0].views, 1);
    vt_event_report late = report_of(events, 2000, &arena);
    assert_int_equal(late.counts[VT_EVENT_VIEW], 0);
    assert_int_equal(late.counts[VT_EVENT_CLICK], 1);
    assert_string_equal(late.clicked[0].product, "cup");
    vt_event_log_close(events);
    vt_arena_deinit(&arena);
    fixture_deinit(&f);
}

/* Whether the bytes are anywhere in the file or its log. */
static bool disk_has(const fixture *f, const void *bytes, size_t length)
{
    static const char *const names[] = {"events.db", "events.db-wal"};
    bool found = false;
    for (size_t i = 0; i < 2; i++) {
        vt_buf content;
        char *path = vt_path_join(f->dir, names[i]);
        vt_buf_init(&content, 64 << 20);
        assert_ok(vt_file_read(path, 64 << 20, &content, error));
        found = found || memmem(content.data, content.length, bytes, length) != NULL;
        vt_buf_deinit(&content);
        vt_free(path);
    }
    return found;
}

static void test_sessions_are_tagged_and_forgotten(void **state)
{
    (void)state;
    fixture f;
    uint64_t removed = 0;
    fixture_init(&f);
    vt_event_log *events = open_events(&f, VT_EVENT_LOG_WRITE);
    vt_event seldom = event_of(VT_EVENT_VIEW, "a thing seen once", NULL, 0);
    seldom.session = "the shopper's own secret";
    add_some(events);
    assert_ok(vt_event_log_add(events, &seldom, 1, error));
    assert_false(disk_has(&f, "tab one", 7));
    assert_false(disk_has(&f, seldom.session, strlen(seldom.session)));
    assert_true(disk_has(&f, seldom.product, strlen(seldom.product)));
    assert_ok(vt_event_log_forget(events, "nobody", &removed, error));
    assert_int_equal(removed, 0);
    assert_ok(vt_event_log_forget(events, seldom.session, &removed, error));
    assert_int_equal(removed, 1);
    assert_int_equal(count_of(events), 9);
    assert_false(disk_has(&f, seldom.product, strlen(seldom.product)));
    /* Another process's handle knows the same sessions. */
    vt_event_log *other = open_events(&f, VT_EVENT_LOG_CHANGE);
    assert_ok(vt_event_log_forget(other, "tab two", &removed, error));
    assert_int_equal(removed, 1);
    assert_int_equal(count_of(events), 8);
    vt_event_log_close(other);
    vt_event_log_close(events);
    fixture_deinit(&f);
}

static void test_pruning_gives_room_back(void **state)
{
    (void)state;
    enum { EVENTS = 25000, AT_ONCE = 1000 };
    fixture f;
    uint64_t removed = 0;
    struct stat before, after;
    vt_event some[AT_ONCE];
    fixture_init(&f);
    vt_event_log *events = open_events(&f, VT_EVENT_LOG_WRITE);
    char *path = vt_path_join(f.dir, "events.db");
    for (int i = 0; i < EVENTS; i++) {
        some[i % AT_ONCE] = event_of(VT_EVENT_VIEW, "a product with a long id", SEARCH_A, 1);
        some[i % AT_ONCE].time_ms = i + 1;
        if (i % AT_ONCE == AT_ONCE - 1)
            assert_ok(vt_event_log_add(events, some, AT_ONCE, error));
    }
    assert_ok(vt_event_log_prune(events, 1, &removed, error)); /* nothing, but the log is cut */
    assert_int_equal(removed, 0);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(before.st_mode & 0777, 0600);
    assert_ok(vt_event_log_prune(events, EVENTS - 9, &removed, error));
    assert_int_equal(removed, EVENTS - 10);
    assert_int_equal(count_of(events), 10);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size < before.st_size / 10);
    vt_event_log_close(events);
    vt_free(path);
    fixture_deinit(&f);
}

static void test_all_or_none(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f);
    vt_event_log *events = open_events(&f, VT_EVENT_LOG_WRITE);
    vt_event all[] = {event_of(VT_EVENT_VIEW, "mug", NULL, 0),
                      event_of(VT_EVENT_VIEW, "mug", "none", 0)};
    vt_error why = {0};
    assert_int_equal(vt_event_log_add(events, all, 2, &why), VT_ERR_USAGE);
    assert_non_null(strstr(why.message, "none"));
    assert_int_equal(count_of(events), 0);
    all[1].search = NULL;
    all[1].time_ms = 0; /* the table's own check */
    assert_true(vt_event_log_add(events, all, 2, &why) != VT_OK);
    assert_int_equal(count_of(events), 0);
    assert_ok(vt_event_log_add(events, all, 1, error));
    assert_int_equal(count_of(events), 1);
    vt_event_log_close(events);
    fixture_deinit(&f);
}

/* What was acknowledged is there after the process was killed. */
static void test_kill(void **state)
{
    (void)state;
    fixture f;
    int told[2], status;
    fixture_init(&f);
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        vt_event_log *events = NULL;
        vt_event one = event_of(VT_EVENT_CLICK, "mug", SEARCH_A, 3);
        bool good = vt_event_log_open(f.dir, VT_EVENT_LOG_WRITE, &events, NULL) == VT_OK;
        while (good && vt_event_log_add(events, &one, 1, NULL) == VT_OK)
            good = write(told[1], "+", 1) == 1;
        _exit(1);
    }
    char byte;
    close(told[1]);
    for (int i = 0; i < 20; i++)
        assert_int_equal(read(told[0], &byte, 1), 1);
    kill(child, SIGKILL);
    uint64_t acknowledged = 20;
    while (read(told[0], &byte, 1) == 1)
        acknowledged++;
    waitpid(child, &status, 0);
    vt_event_log *events = open_events(&f, VT_EVENT_LOG_READ);
    assert_true(count_of(events) >= acknowledged);
    assert_true(count_of(events) <= acknowledged + 1);
    vt_event_log_close(events);
    close(told[0]);
    fixture_deinit(&f);
}

static void test_what_is_no_file_of_events(void **state)
{
    (void)state;
    fixture f;
    vt_event_log *events = NULL;
    vt_error why = {0};
    fixture_init(&f);
    char *path = vt_path_join(f.dir, "events.db");
    assert_int_equal(vt_event_log_open(f.dir, VT_EVENT_LOG_READ, &events, &why), VT_ERR_NOT_FOUND);
    assert_int_equal(vt_event_log_open(f.dir, VT_EVENT_LOG_CHANGE, &events, &why),
                     VT_ERR_NOT_FOUND);
    assert_ok(vt_file_replace(path, "", 0, false, error)); /* a process died after making it */
    assert_int_equal(vt_event_log_open(f.dir, VT_EVENT_LOG_READ, &events, &why), VT_ERR_NOT_FOUND);
    vt_event_log_close(open_events(&f, VT_EVENT_LOG_WRITE));
    vt_event_log_close(open_events(&f, VT_EVENT_LOG_READ));
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 9", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(vt_event_log_open(f.dir, VT_EVENT_LOG_WRITE, &events, &why),
                     VT_ERR_UNSUPPORTED);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA application_id = 9", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(vt_event_log_open(f.dir, VT_EVENT_LOG_WRITE, &events, &why), VT_ERR_CORRUPT);
    assert_ok(vt_file_replace(path, "no database at all, not even nearly", 35, false, error));
    assert_int_equal(vt_event_log_open(f.dir, VT_EVENT_LOG_WRITE, &events, &why), VT_ERR_CORRUPT);
    assert_null(events);
    vt_free(path);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_sessions_are_tagged_and_forgotten),
        cmocka_unit_test(test_pruning_gives_room_back),
        cmocka_unit_test(test_all_or_none),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_what_is_no_file_of_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
