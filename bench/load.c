/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the first filter of a process takes in a shop: with the postings read from the
 * catalogue, and from their snapshot, with nothing and with some changes to replay.
 *
 * Method: a catalogue in a temporary directory, filled by SQL in one transaction (a shop's own way
 * syncs every product), with ids, unique titles, skewed categories, brands and colours, prices and
 * ratings. The file is in the page cache. Each start opens the shop for reading anew, asks one
 * filter, and closes it; all must find equally many. Closing after a change of more than a
 * hundredth has the snapshot written, whose time stands beside.
 *
 *     bench/load [--rows N] [--repeat R]
 */
#include "base/clock.h"
#include "base/random.h"
#include "store/filter.h"
#include "store/store.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CATEGORIES = 60, BRANDS = 2000, COLORS = 12, CHANGES = 1000 };

typedef struct bench {
    char shop[64], catalog[96];
    size_t rows, repeat;
    uint64_t found;
    vt_error error;
} bench;

static bool run_sql(bench *b, sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK)
        return true;
    vt_fail(&b->error, VT_ERR_INTERNAL, "%s", message);
    sqlite3_free(message);
    return false;
}

/* Rows from `first` on, as changes from the newest on. */
static bool rows_insert(bench *b, size_t first, size_t count)
{
    sqlite3 *db = NULL;
    char sql[2048];
    bool done = sqlite3_open(b->catalog, &db) == SQLITE_OK;
    snprintf(sql, sizeof sql,
             "PRAGMA synchronous = OFF; BEGIN;"
             "CREATE TEMP TABLE made AS WITH RECURSIVE n(i) AS (SELECT %zu UNION ALL"
             " SELECT i + 1 FROM n WHERE i + 1 < %zu)"
             " SELECT i, abs(random()) %% 1000 / 1000.0 AS a, abs(random()) %% 1000 / 1000.0 AS b,"
             " abs(random()) %% 100000 / 100.0 AS p FROM n;"
             "INSERT INTO products (key, id, title, category, brand, price, currency, content,"
             " change, created_ms, updated_ms) SELECT i, 'article-' || i, 'product ' || i ||"
             " ' of a shop', 'c' || cast(a * a * %d AS INTEGER), 'b' || cast(b * b * %d AS"
             " INTEGER), p, 'EUR', zeroblob(32), i, 0, 0 FROM made;"
             "INSERT INTO attributes (product, position, item, name, kind, text, number)"
             " SELECT i, 0, 0, 'color', 0, 'f' || cast(a * b * %d AS INTEGER), NULL FROM made"
             " UNION ALL SELECT i, 1, 0, 'rating', 1, NULL, round(b * 5, 1) FROM made;"
             "INSERT INTO changes (change, product, kind) SELECT i, i, 0 FROM made;"
             "DROP TABLE made; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)",
             first, first + count, CATEGORIES, BRANDS, COLORS);
    done = done && run_sql(b, db, sql);
    sqlite3_close(db);
    return done;
}

/* Opens, asks, closes; *ms: until the answer, *close_ms: closing. */
static bool start(bench *b, int mode, double *ms, double *close_ms)
{
    vt_store *store = NULL;
    vt_filter *filter = NULL;
    vt_selection selection = {0};
    vt_arena arena;
    vt_arena_init(&arena, 1 << 20);
    double begin = vt_clock_ms();
    vt_status status = vt_store_open(b->shop, mode, &store, &b->error);
    if (status == VT_OK)
        status = vt_filter_parse("category = 'c3' AND price < 100", &filter, &b->error);
    if (status == VT_OK)
        status =
            vt_store_select(store, &(vt_select){.filter = filter}, &arena, &selection, &b->error);
    *ms = vt_clock_ms() - begin;
    b->found = selection.matched;
    vt_idset_free(selection.products);
    vt_filter_free(filter);
    vt_arena_deinit(&arena);
    begin = vt_clock_ms();
    if (store != NULL)
        vt_store_close(store);
    *close_ms = vt_clock_ms() - begin;
    return status == VT_OK;
}

static bool starts(bench *b, const char *what)
{
    double best = INFINITY, worst = 0, ms, close_ms;
    for (size_t i = 0; i < b->repeat; i++) {
        if (!start(b, VT_STORE_READ, &ms, &close_ms))
            return false;
        best = ms < best ? ms : best;
        worst = ms > worst ? ms : worst;
    }
    printf("%-44s %9.1f to %9.1f ms, %llu found\n", what, best, worst,
           (unsigned long long)b->found);
    return true;
}

static bool run(bench *b)
{
    vt_store *store = NULL;
    double ms, close_ms;
    if (vt_store_open(b->shop, VT_STORE_CREATE, &store, &b->error) != VT_OK)
        return false;
    vt_store_close(store);
    if (!rows_insert(b, 1, b->rows) || !starts(b, "first filter, from the catalogue") ||
        !start(b, VT_STORE_WRITE, &ms, &close_ms))
        return false;
    printf("%-44s %9.1f ms\n", "a writer's closing, with the snapshot", close_ms);
    if (!starts(b, "first filter, from the snapshot") || !rows_insert(b, b->rows + 1, CHANGES))
        return false;
    return starts(b, "first filter, snapshot and 1000 changes");
}

int main(int argc, char **argv)
{
    static bench b = {.rows = 1000000, .repeat = 3};
    for (int i = 1; i < argc; i += 2) {
        int64_t value;
        bool rows = strcmp(argv[i], "--rows") == 0;
        if ((!rows && strcmp(argv[i], "--repeat") != 0) || i + 1 == argc ||
            !vt_parse_int(argv[i + 1], 1, 50000000, &value)) {
            fprintf(stderr, "usage: load [--rows N] [--repeat R]\n");
            return 2;
        }
        *(rows ? &b.rows : &b.repeat) = (size_t)value;
    }
    snprintf(b.shop, sizeof b.shop, "/tmp/vitrine-load-XXXXXX");
    if (mkdtemp(b.shop) == NULL)
        return 1;
    snprintf(b.catalog, sizeof b.catalog, "%s/catalog.db", b.shop);
    bool done = run(&b);
    if (!done)
        fprintf(stderr, "load: %s\n", b.error.message);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", b.shop);
    return system(command) == 0 && done ? 0 : 1;
}
