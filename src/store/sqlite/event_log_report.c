/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What events say together: how many of each kind, clicks per view by position, the products most
 * clicked and bought, searches that led to nothing.
 *
 * Method: one statement per table of the report, all in one read transaction, so that they tell of
 * the same events. A product that was shown twice by one search at one position, or clicked twice,
 * counts once there: the rate is that of products shown, not of messages sent.
 */
#include "store/sqlite/event_log.h"

#include "base/buf.h"

enum { POSITIONS = 100 };

typedef struct asking {
    vt_event_log *events;
    const vt_event_report_options *options;
    vt_arena *arena;
    vt_event_report *report;
} asking;

static vt_status failed(const asking *ask, vt_error *error)
{
    return vt_event_log_fail(ask->events, "read events", error);
}

/* ?1 is the time from which on, ?2 how many rows at most. */
static vt_status ask_for(const asking *ask, const char *sql, int64_t rows, sqlite3_stmt **out,
                         vt_error *error)
{
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(ask->events->db, sql, -1, &row, NULL) != SQLITE_OK)
        return failed(ask, error);
    sqlite3_bind_int64(row, 1, ask->options->since_ms);
    if (sqlite3_bind_parameter_count(row) > 1)
        sqlite3_bind_int64(row, 2, rows);
    *out = row;
    return VT_OK;
}

static uint64_t count_at(sqlite3_stmt *row, int column)
{
    int64_t value = sqlite3_column_int64(row, column);
    return value > 0 ? (uint64_t)value : 0;
}

static vt_status count_kinds(const asking *ask, vt_error *error)
{
    sqlite3_stmt *row = NULL;
    int result;
    vt_status status = ask_for(
        ask, "SELECT kind, count(*) FROM events WHERE time_ms >= ?1 GROUP BY kind", 0, &row, error);
    if (status != VT_OK)
        return status;
    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        int64_t kind = sqlite3_column_int64(row, 0);
        if (kind >= 0 && kind < VT_EVENT_KINDS)
            ask->report->counts[kind] = count_at(row, 1);
    }
    status = result == SQLITE_DONE ? VT_OK : failed(ask, error);
    sqlite3_finalize(row);
    return status;
}

/* A statement with one row: `numbers` (count) from its columns. */
static vt_status ask_numbers(const asking *ask, const char *sql, uint64_t *numbers, int count,
                             vt_error *error)
{
    sqlite3_stmt *row = NULL;
    vt_status status = ask_for(ask, sql, 0, &row, error);
    if (status != VT_OK)
        return status;
    if (sqlite3_step(row) != SQLITE_ROW)
        status = failed(ask, error);
    for (int i = 0; i < count && status == VT_OK; i++)
        numbers[i] = count_at(row, i);
    sqlite3_finalize(row);
    return status;
}

static vt_status count_sums(const asking *ask, vt_error *error)
{
    vt_event_report *report = ask->report;
    uint64_t numbers[3] = {0}, searches[2] = {0};
    vt_status status = ask_numbers(ask,
                                   "SELECT count(DISTINCT session), min(time_ms), max(time_ms)"
                                   " FROM events WHERE time_ms >= ?1",
                                   numbers, 3, error);
    if (status == VT_OK)
        status = ask_numbers(ask,
                             "SELECT count(*), count(*) - sum(done) FROM (SELECT max(kind <> 0) AS"
                             " done FROM events WHERE search IS NOT NULL AND time_ms >= ?1"
                             " GROUP BY search)",
                             searches, 2, error);
    report->sessions = numbers[0];
    report->first_ms = (int64_t)numbers[1];
    report->last_ms = (int64_t)numbers[2];
    report->searches = searches[0];
    report->unclicked = searches[1];
    return status;
}

static vt_status list_positions(const asking *ask, vt_error *error)
{
    static const char sql[] =
        "SELECT position, count(DISTINCT CASE WHEN kind = 0 THEN hex(search) || product END),"
        " count(DISTINCT CASE WHEN kind = 1 THEN hex(search) || product END) FROM events"
        " WHERE position IS NOT NULL AND search IS NOT NULL AND kind <= 1 AND time_ms >= ?1"
        " GROUP BY position ORDER BY position LIMIT ?2";
    vt_event_report *report = ask->report;
    sqlite3_stmt *row = NULL;
    int result = SQLITE_DONE;
    vt_event_position *all = vt_arena_array(ask->arena, POSITIONS, sizeof(*all));
    if (all == NULL)
        return vt_fail_memory(error, "a report of events");
    vt_status status = ask_for(ask, sql, POSITIONS, &row, error);
    if (status != VT_OK)
        return status;
    report->positions = all;
    while (report->position_count < POSITIONS && (result = sqlite3_step(row)) == SQLITE_ROW)
        all[report->position_count++] = (vt_event_position){
            .position = sqlite3_column_int(row, 0),
            .views = count_at(row, 1),
            .clicks = count_at(row, 2),
        };
    if (report->position_count < POSITIONS && result != SQLITE_DONE)
        status = failed(ask, error);
    sqlite3_finalize(row);
    return status;
}

typedef struct product_list {
    const vt_event_product **all;
    size_t *count;
} product_list;

static vt_status list_products(const asking *ask, const char *sql, const product_list *into,
                               vt_error *error)
{
    size_t top = ask->options->top, count = 0;
    sqlite3_stmt *row = NULL;
    int result = SQLITE_DONE;
    vt_event_product *all = vt_arena_array(ask->arena, top + 1, sizeof(*all));
    if (all == NULL)
        return vt_fail_memory(error, "a report of events");
    vt_status status = ask_for(ask, sql, (int64_t)top, &row, error);
    if (status != VT_OK)
        return status;
    while (status == VT_OK && count < top && (result = sqlite3_step(row)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(row, 0);
        all[count] =
            (vt_event_product){.product = id == NULL ? NULL : vt_arena_strdup(ask->arena, id),
                               .events = count_at(row, 1)};
        if (all[count++].product == NULL)
            status = vt_fail_memory(error, "a report of events");
    }
    if (status == VT_OK && result != SQLITE_DONE && result != SQLITE_ROW)
        status = failed(ask, error);
    sqlite3_finalize(row);
    *into->all = all;
    *into->count = count;
    return status;
}

static vt_status list_unclicked(const asking *ask, vt_error *error)
{
    static const char sql[] =
        "SELECT search, min(time_ms) AS begun, sum(kind = 0) FROM events WHERE search IS NOT NULL"
        " AND time_ms >= ?1 GROUP BY search HAVING max(kind <> 0) = 0"
        " ORDER BY begun DESC, search LIMIT ?2";
    vt_event_report *report = ask->report;
    size_t top = ask->options->top;
    sqlite3_stmt *row = NULL;
    int result = SQLITE_DONE;
    vt_event_search *all = vt_arena_array(ask->arena, top + 1, sizeof(*all));
    if (all == NULL)
        return vt_fail_memory(error, "a report of events");
    vt_status status = ask_for(ask, sql, (int64_t)top, &row, error);
    if (status != VT_OK)
        return status;
    report->searches_unclicked = all;
    while (report->unclicked_count < top && (result = sqlite3_step(row)) == SQLITE_ROW) {
        vt_event_search *one = &all[report->unclicked_count];
        if (sqlite3_column_bytes(row, 0) != VT_EVENT_SEARCH_BYTES)
            continue;
        vt_hex(sqlite3_column_blob(row, 0), VT_EVENT_SEARCH_BYTES, one->search);
        one->time_ms = sqlite3_column_int64(row, 1);
        one->views = count_at(row, 2);
        report->unclicked_count++;
    }
    if (result != SQLITE_DONE && result != SQLITE_ROW)
        status = failed(ask, error);
    sqlite3_finalize(row);
    return status;
}

#define PRODUCTS_OF(kind)                                                                          \
    "SELECT product, count(*) AS times FROM events WHERE kind = " kind                             \
    " AND time_ms >= ?1 GROUP BY product ORDER BY times DESC, product LIMIT ?2"

vt_status vt_event_log_report(vt_event_log *events, const vt_event_report_options *options,
                              vt_arena *arena, vt_event_report *out, vt_error *error)
{
    vt_event_report report = {0};
    asking ask = {events, options, arena, &report};
    product_list clicked = {&report.clicked, &report.clicked_count};
    product_list bought = {&report.bought, &report.bought_count};
    pthread_mutex_lock(&events->lock);
    vt_status status = sqlite3_exec(events->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK
                           ? VT_OK
                           : failed(&ask, error);
    if (status == VT_OK)
        status = count_kinds(&ask, error);
    if (status == VT_OK)
        status = count_sums(&ask, error);
    if (status == VT_OK)
        status = list_positions(&ask, error);
    if (status == VT_OK)
        status = list_products(&ask, PRODUCTS_OF("1"), &clicked, error);
    if (status == VT_OK)
        status = list_products(&ask, PRODUCTS_OF("3"), &bought, error);
    if (status == VT_OK)
        status = list_unclicked(&ask, error);
    if (!sqlite3_get_autocommit(events->db))
        sqlite3_exec(events->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&events->lock);
    if (status == VT_OK)
        *out = report;
    return status;
}
