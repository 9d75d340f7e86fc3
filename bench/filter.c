/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a filter costs: the set of products from postings, beside the same condition as SQL.
 *
 * Method: made-up products with skewed categories, brands and tags, log-normal prices and unique
 * titles, once as postings and once as tables of an SQLite database in memory, with an index on
 * every column, on (category, price), and ANALYZE run. Each condition is asked of both in
 * alternation, the medians are reported, and both must find equally many. SQLite only has to count
 * (the text is parsed once, before), postings hand out the whole set, and parsing is in the time.
 *
 *     bench/filter [--rows N] [--repeat R] [--json]
 *     bench/filter --walk [--rows N] [--queries Q] [--share PERCENT]... [LIBRARY...]
 *                                           searches under filters: filter_walk.c
 */
#include "filter_walk.h"
#include "median.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "store/postings.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_REPEAT = 1001,
    CATEGORIES = 60,
    BRANDS = 2000,
    COLORS = 12,
    TAGS = 40,
    MAX_TAGS = 4,
    SQL_REPEAT = 5 /* of a condition that takes SQLite longer than SLOW_MS */
};
static const double SLOW_MS = 50;

typedef struct settings {
    size_t rows, repeat;
    filter_walk_options walks; /* its rows are those above */
    bool json, walk;
} settings;

typedef struct condition {
    const char *filter, *sql;
} condition;

static const condition conditions[] = {
    {"category = 'c3'", "category = 'c3'"},
    {"category = 'c3' AND price < 100", "category = 'c3' AND price < 100"},
    {"category = 'c3' AND price < 100 AND color IN ('f1','f2') AND NOT brand = 'b7'",
     "category = 'c3' AND price < 100 AND color IN ('f1','f2') AND NOT brand = 'b7'"},
    {"price BETWEEN 40 AND 60", "price BETWEEN 40 AND 60"},
    {"price < 100", "price < 100"},
    {"price >= 19.5 AND rating > 4", "price >= 19.5 AND rating > 4"},
    {"tags = 't5'", "key IN (SELECT item FROM tags WHERE tag = 't5')"},
    {"tags IN ('t1','t2','t3') AND category != 'c0'",
     "key IN (SELECT item FROM tags WHERE tag IN ('t1','t2','t3')) AND category != 'c0'"},
    {"brand IS NULL", "brand IS NULL"},
    {"NOT (category = 'c1' OR brand = 'b1' OR color = 'f0')",
     "NOT (category = 'c1' OR brand = 'b1' OR color = 'f0')"},
    {"title LIKE 'product 12%'", "title GLOB 'product 12*'"},
    {"brand LIKE 'b1%' AND rating BETWEEN 2 AND 3", "brand GLOB 'b1*' AND rating BETWEEN 2 AND 3"},
    {"brand = 'b1900'", "brand = 'b1900'"},
};
enum { CONDITIONS = sizeof conditions / sizeof conditions[0] };

typedef struct item {
    char title[48], category[16], brand[16], color[16];
    bool has_brand;
    double price, rating; /* rating NAN: none */
    char tags[MAX_TAGS][16];
    size_t tag_count;
} item;

typedef struct bench {
    settings set;
    vt_random random;
    vt_postings *postings;
    size_t color, rating, tags; /* columns */
    sqlite3 *db;
    double build_ms, update_us, facet_ms, page_ms;
    double ours[CONDITIONS], theirs[CONDITIONS];
    uint64_t found[CONDITIONS];
} bench;

/* ---- products ---- */

/* 0 is met most: the square of a uniform number. */
static int skewed(vt_random *random, int count)
{
    double u = vt_random_double(random);
    return (int)(u * u * count);
}

static void make_item(bench *b, size_t number, item *out)
{
    vt_random *random = &b->random;
    snprintf(out->title, sizeof out->title, "product %zu of a shop", number);
    snprintf(out->category, sizeof out->category, "c%d", skewed(random, CATEGORIES));
    snprintf(out->brand, sizeof out->brand, "b%d", skewed(random, BRANDS));
    snprintf(out->color, sizeof out->color, "f%d", skewed(random, COLORS));
    out->has_brand = vt_random_below(random, 10) > 0;
    out->price = floor(exp(4.0 + vt_random_normal(random)) * 100) / 100;
    out->rating =
        vt_random_below(random, 3) > 0 ? (double)vt_random_below(random, 51) / 10 : (double)NAN;
    out->tag_count = (size_t)vt_random_below(random, MAX_TAGS + 1);
    for (size_t i = 0; i < out->tag_count; i++)
        snprintf(out->tags[i], sizeof out->tags[i], "t%d",
                 (int)i * TAGS / MAX_TAGS + skewed(random, TAGS / MAX_TAGS));
}

static vt_status put_item(bench *b, uint32_t key, const item *made, vt_error *error)
{
    vt_postings *p = b->postings;
    vt_postings_begin(p, key);
    vt_status status = vt_postings_add_text(p, VT_BUILTIN_TITLE, made->title, error);
    if (status == VT_OK)
        status = vt_postings_add_text(p, VT_BUILTIN_CATEGORY, made->category, error);
    if (status == VT_OK && made->has_brand)
        status = vt_postings_add_text(p, VT_BUILTIN_BRAND, made->brand, error);
    if (status == VT_OK)
        status = vt_postings_add_number(p, VT_BUILTIN_PRICE, made->price, error);
    if (status == VT_OK)
        status = vt_postings_add_text(p, b->color, made->color, error);
    if (status == VT_OK)
        status = vt_postings_add_number(p, b->rating, made->rating, error);
    for (size_t i = 0; status == VT_OK && i < made->tag_count; i++)
        status = vt_postings_add_text(p, b->tags, made->tags[i], error);
    return status == VT_OK ? vt_postings_end(p, error) : status;
}

static bool insert_item(sqlite3_stmt *items, sqlite3_stmt *tags, uint32_t key, const item *made)
{
    sqlite3_bind_int64(items, 1, key);
    sqlite3_bind_text(items, 2, made->title, -1, SQLITE_STATIC);
    sqlite3_bind_text(items, 3, made->category, -1, SQLITE_STATIC);
    sqlite3_bind_text(items, 4, made->has_brand ? made->brand : NULL, -1, SQLITE_STATIC);
    sqlite3_bind_text(items, 5, made->color, -1, SQLITE_STATIC);
    sqlite3_bind_double(items, 6, made->price);
    sqlite3_bind_double(items, 7, made->rating);
    bool done = sqlite3_step(items) == SQLITE_DONE;
    sqlite3_reset(items);
    for (size_t i = 0; done && i < made->tag_count; i++) {
        sqlite3_bind_int64(tags, 1, key);
        sqlite3_bind_text(tags, 2, made->tags[i], -1, SQLITE_STATIC);
        done = sqlite3_step(tags) == SQLITE_DONE;
        sqlite3_reset(tags);
    }
    return done;
}

static bool run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    fprintf(stderr, "filter: %s\n", sqlite3_errmsg(db));
    return false;
}

/* Both hold the same products, made from the same seed. */
static bool fill_postings(bench *b, vt_error *error)
{
    item made;
    vt_random_init(&b->random, 1);
    double started = vt_clock_ms();
    vt_status status = vt_postings_new(&b->postings, error);
    if (status == VT_OK)
        status = vt_postings_column(b->postings, "color", &b->color, error);
    if (status == VT_OK)
        status = vt_postings_column(b->postings, "rating", &b->rating, error);
    if (status == VT_OK)
        status = vt_postings_column(b->postings, "tags", &b->tags, error);
    for (size_t i = 0; status == VT_OK && i < b->set.rows; i++) {
        make_item(b, i, &made);
        status = put_item(b, (uint32_t)i + 1, &made, error);
    }
    if (status == VT_OK)
        status = vt_postings_settle(b->postings, error);
    b->build_ms = vt_clock_ms() - started;
    return status == VT_OK;
}

static bool fill_tables(bench *b)
{
    item made;
    sqlite3_stmt *items = NULL, *tags = NULL;
    vt_random_init(&b->random, 1);
    bool done =
        sqlite3_open(":memory:", &b->db) == SQLITE_OK &&
        run_sql(b->db, "CREATE TABLE items (key INTEGER PRIMARY KEY, title TEXT, category "
                       "TEXT, brand TEXT, color TEXT, price REAL, rating REAL);"
                       "CREATE TABLE tags (item INTEGER, tag TEXT); BEGIN") &&
        sqlite3_prepare_v2(b->db, "INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", -1,
                           &items, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(b->db, "INSERT INTO tags VALUES (?1, ?2)", -1, &tags, NULL) == SQLITE_OK;
    for (size_t i = 0; done && i < b->set.rows; i++) {
        make_item(b, i, &made);
        done = insert_item(items, tags, (uint32_t)i + 1, &made);
    }
    sqlite3_finalize(items);
    sqlite3_finalize(tags);
    return done &&
           run_sql(b->db, "COMMIT; CREATE INDEX a ON items (title);"
                          "CREATE INDEX b ON items (category, price);"
                          "CREATE INDEX c ON items (brand); CREATE INDEX d ON items (color);"
                          "CREATE INDEX e ON items (price); CREATE INDEX f ON items (rating);"
                          "CREATE INDEX g ON tags (tag, item); ANALYZE");
}

/* ---- measuring ---- */

static bool ask_postings(bench *b, const char *text, uint64_t *found, double *ms, vt_error *error)
{
    vt_filter *filter = NULL;
    vt_idset *set = NULL;
    double started = vt_clock_ms();
    vt_status status = vt_filter_parse(text, &filter, error);
    if (status == VT_OK)
        status = vt_postings_filter(b->postings, filter, &set, error);
    *ms = vt_clock_ms() - started;
    if (status == VT_OK)
        *found = vt_idset_count(set);
    vt_idset_free(set);
    vt_filter_free(filter);
    return status == VT_OK;
}

static bool ask_sql(sqlite3_stmt *question, uint64_t *found, double *ms)
{
    double started = vt_clock_ms();
    bool done = sqlite3_step(question) == SQLITE_ROW;
    *ms = vt_clock_ms() - started;
    *found = (uint64_t)sqlite3_column_int64(question, 0);
    sqlite3_reset(question);
    return done;
}

static bool measure(bench *b, size_t at, vt_error *error)
{
    static double ours[MAX_REPEAT], theirs[MAX_REPEAT];
    const condition *c = &conditions[at];
    char sql[512];
    sqlite3_stmt *question = NULL;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM items WHERE %s", c->sql);
    bool done = sqlite3_prepare_v2(b->db, sql, -1, &question, NULL) == SQLITE_OK;
    size_t asked = 0;
    uint64_t have = 0, want = 0;
    for (size_t i = 0; done && i < b->set.repeat; i++) {
        done = ask_postings(b, c->filter, &have, &ours[i], error);
        if (done && (asked < SQL_REPEAT || theirs[0] < SLOW_MS))
            done = ask_sql(question, &want, &theirs[asked++]);
    }
    sqlite3_finalize(question);
    if (!done || have != want) {
        fprintf(stderr, "filter: \"%s\" finds %llu products, as SQL %llu\n", c->filter,
                (unsigned long long)have, (unsigned long long)want);
        return false;
    }
    b->ours[at] = vt_bench_median(ours, b->set.repeat);
    b->theirs[at] = vt_bench_median(theirs, asked);
    b->found[at] = have;
    return true;
}

/* What else postings are for: a product that changes, facets, a page in an order. */
static bool measure_rest(bench *b, vt_error *error)
{
    enum { UPDATES = 2000 };
    item made;
    vt_status status = VT_OK;
    vt_random_init(&b->random, 2);
    double started = vt_clock_ms();
    for (size_t i = 0; status == VT_OK && i < UPDATES; i++) {
        size_t number = (size_t)vt_random_below(&b->random, b->set.rows);
        make_item(b, number, &made);
        vt_postings_forget(b->postings, (uint32_t)number + 1);
        status = put_item(b, (uint32_t)number + 1, &made, error);
        if (status == VT_OK)
            status = vt_postings_settle(b->postings, error);
    }
    b->update_us = (vt_clock_ms() - started) * 1000 / UPDATES;
    const char *const facets[] = {"category", "color", "tags"};
    vt_arena arena;
    vt_arena_init(&arena, 1 << 28);
    for (int page = 0; status == VT_OK && page < 2; page++) {
        vt_filter *filter = NULL;
        vt_selection selection = {0};
        status = vt_filter_parse("price < 100", &filter, error);
        const vt_select what = {.filter = filter,
                                .facets = facets,
                                .facet_count = page ? 0 : 3,
                                .facet_top = 10,
                                .page = page,
                                .sort = "price",
                                .top = 20,
                                .offset = 1000};
        started = vt_clock_ms();
        if (status == VT_OK)
            status = vt_postings_select(b->postings, &what, &arena, &selection, error);
        *(page ? &b->page_ms : &b->facet_ms) = vt_clock_ms() - started;
        vt_idset_free(selection.products);
        vt_filter_free(filter);
    }
    vt_arena_deinit(&arena);
    return status == VT_OK;
}

/* ---- reporting ---- */

static void report_text(const bench *b)
{
    printf("%zu products; postings %.0f MB, made in %.0f ms; a change %.1f us\n", b->set.rows,
           (double)vt_postings_bytes(b->postings) * 1e-6, b->build_ms, b->update_us);
    printf("of the products below 100: 3 facets %.2f ms, page by price from 1000 %.2f ms\n\n",
           b->facet_ms, b->page_ms);
    printf("%9s %9s %10s %8s  filter\n", "products", "set ms", "SQL ms", "ratio");
    for (size_t i = 0; i < CONDITIONS; i++)
        printf("%9llu %9.4f %10.3f %7.0fx  %s\n", (unsigned long long)b->found[i], b->ours[i],
               b->theirs[i], b->theirs[i] / b->ours[i], conditions[i].filter);
}

static void report_json(const bench *b)
{
    vt_buf text;
    vt_json_writer json;
    vt_buf_init(&text, 1 << 20);
    vt_json_begin(&json, &text, true);
    vt_json_open_object(&json, NULL);
    vt_json_put_int(&json, "products", (int64_t)b->set.rows);
    vt_json_put_int(&json, "postings_bytes", (int64_t)vt_postings_bytes(b->postings));
    vt_json_put_number(&json, "build_ms", b->build_ms, 1);
    vt_json_put_number(&json, "change_us", b->update_us, 2);
    vt_json_put_number(&json, "facets_ms", b->facet_ms, 3);
    vt_json_put_number(&json, "page_ms", b->page_ms, 3);
    vt_json_open_array(&json, "filters");
    for (size_t i = 0; i < CONDITIONS; i++) {
        vt_json_open_object(&json, NULL);
        vt_json_put_text(&json, "filter", conditions[i].filter);
        vt_json_put_int(&json, "found", (int64_t)b->found[i]);
        vt_json_put_number(&json, "set_ms", b->ours[i], 5);
        vt_json_put_number(&json, "sql_ms", b->theirs[i], 4);
        vt_json_put_number(&json, "ratio", b->theirs[i] / b->ours[i], 1);
        vt_json_close(&json);
    }
    vt_json_close(&json);
    vt_json_close(&json);
    printf("%s\n", vt_buf_text(&text));
    vt_buf_deinit(&text);
}

static bool settings_read(int argc, char **argv, settings *set)
{
    *set = (settings){.repeat = 31, .walks.queries = 200};
    for (int i = 1; i < argc; i++) {
        int64_t value;
        double share;
        if (strcmp(argv[i], "--json") == 0) {
            set->json = true;
            continue;
        }
        if (strcmp(argv[i], "--walk") == 0) {
            set->walk = true;
            continue;
        }
        if (set->walk && argv[i][0] != '-') {
            set->walks.libraries = argv + i;
            set->walks.library_count = (size_t)(argc - i);
            break;
        }
        if (strcmp(argv[i], "--share") == 0 && i + 1 < argc &&
            set->walks.share_count < FILTER_WALK_SHARES &&
            vt_parse_double(argv[i + 1], strlen(argv[i + 1]), &share) && share > 0 &&
            share <= 100) {
            set->walks.shares[set->walks.share_count++] = share / 100;
            i++;
            continue;
        }
        if (i + 1 == argc || !vt_parse_int(argv[i + 1], 1, 50000000, &value))
            return false;
        if (strcmp(argv[i], "--rows") == 0)
            set->rows = (size_t)value;
        else if (strcmp(argv[i], "--queries") == 0)
            set->walks.queries = (size_t)value;
        else if (strcmp(argv[i], "--repeat") == 0 && value <= MAX_REPEAT)
            set->repeat = (size_t)value;
        else
            return false;
        i++;
    }
    if (set->rows == 0) /* sets of walks are drawn by ranking all rows for each query */
        set->rows = set->walk ? 50000 : 1000000;
    set->walks.rows = set->rows;
    return true;
}

int main(int argc, char **argv)
{
    static bench b;
    vt_error error = {0};
    if (!settings_read(argc, argv, &b.set)) {
        fprintf(stderr, "usage: filter [--rows N] [--repeat R] [--json]\n"
                        "       filter --walk [--rows N] [--queries Q] [--share PERCENT]... "
                        "[LIBRARY...]\n");
        return 2;
    }
    if (b.set.walk)
        return filter_walk(&b.set.walks) ? 0 : 1;
    bool done = fill_postings(&b, &error) && fill_tables(&b);
    for (size_t i = 0; done && i < CONDITIONS; i++)
        done = measure(&b, i, &error);
    done = done && measure_rest(&b, &error);
    if (!done)
        fprintf(stderr, "filter: %s\n", error.message);
    else if (b.set.json)
        report_json(&b);
    else
        report_text(&b);
    vt_postings_free(b.postings);
    sqlite3_close(b.db);
    return done ? 0 : 1;
}
