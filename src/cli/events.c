/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine events: what shoppers did, and what is to be kept of it. */
#include "base/clock.h"
#include "cli/cli.h"

#include <math.h>
#include <time.h>

enum { DAY_MS = 24 * 60 * 60 * 1000, POSITIONS_SHOWN = 20, NAME_WIDTH = 40, RATE_DECIMALS = 4 };

typedef struct given {
    double since, prune; /* days; < 0: not given */
    const char *forget;
    int64_t top;
    bool json;
} given;

static int64_t days_ago(double days)
{
    return vt_clock_unix_ms() - (int64_t)(days * DAY_MS);
}

/* "2026-11-26T12:00:00Z"; "" for 0. */
static void print_time(int64_t time_ms, char out[32])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    out[0] = '\0';
    if (time_ms > 0 && gmtime_r(&seconds, &utc) != NULL)
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* NAN: nothing was shown there that could have been clicked. */
static double rate_of(const vt_event_position *position)
{
    return position->views > 0 ? (double)position->clicks / (double)position->views : (double)NAN;
}

/* ---- JSON ---- */

static void put_time(vt_json_writer *writer, const char *name, int64_t time_ms)
{
    char text[32];
    print_time(time_ms, text);
    vt_json_put_text(writer, name, text[0] != '\0' ? text : NULL);
}

static void put_products(vt_json_writer *writer, const char *name, const vt_event_product *products,
                         size_t count)
{
    vt_json_open_array(writer, name);
    for (size_t i = 0; i < count; i++) {
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "product", products[i].product);
        vt_json_put_text(writer, "title", products[i].title);
        vt_json_put_bool(writer, "gone", products[i].gone);
        vt_json_put_int(writer, "events", (int64_t)products[i].events);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static void put_positions(vt_json_writer *writer, const vt_event_report *report)
{
    vt_json_open_array(writer, "positions");
    for (size_t i = 0; i < report->position_count; i++) {
        const vt_event_position *position = &report->positions[i];
        vt_json_open_object(writer, NULL);
        vt_json_put_int(writer, "position", position->position);
        vt_json_put_int(writer, "views", (int64_t)position->views);
        vt_json_put_int(writer, "clicks", (int64_t)position->clicks);
        vt_json_put_number(writer, "rate", rate_of(position), RATE_DECIMALS);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

static void put_searches(vt_json_writer *writer, const vt_event_report *report)
{
    vt_json_open_object(writer, "searches");
    vt_json_put_int(writer, "named", (int64_t)report->searches);
    vt_json_put_int(writer, "without_click", (int64_t)report->unclicked);
    vt_json_open_array(writer, "newest_without_click");
    for (size_t i = 0; i < report->unclicked_count; i++) {
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "search", report->searches_unclicked[i].search);
        put_time(writer, "time", report->searches_unclicked[i].time_ms);
        vt_json_put_int(writer, "views", (int64_t)report->searches_unclicked[i].views);
        vt_json_close(writer);
    }
    vt_json_close(writer);
    vt_json_close(writer);
}

static int print_json(const vt_event_report *report)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_open_object(&writer, "events");
    for (int kind = 0; kind < VT_EVENT_KINDS; kind++)
        vt_json_put_int(&writer, vt_event_kind_name((vt_event_kind)kind),
                        (int64_t)report->counts[kind]);
    vt_json_close(&writer);
    vt_json_put_int(&writer, "sessions", (int64_t)report->sessions);
    put_time(&writer, "first", report->first_ms);
    put_time(&writer, "last", report->last_ms);
    put_positions(&writer, report);
    put_products(&writer, "clicked", report->clicked, report->clicked_count);
    put_products(&writer, "bought", report->bought, report->bought_count);
    put_searches(&writer, report);
    vt_json_close(&writer);
    return vt_cli_print_json("events", &document);
}

/* ---- text ---- */

static void print_products(const char *heading, const vt_event_product *products, size_t count)
{
    if (count > 0)
        printf("\n%s\n", heading);
    for (size_t i = 0; i < count; i++) {
        const vt_event_product *one = &products[i];
        printf("%8llu  ", (unsigned long long)one->events);
        vt_cli_print_column(stdout, vt_cli_or(one->title, one->product), NAME_WIDTH);
        fputs("  ", stdout);
        vt_cli_print(stdout, one->product);
        puts(one->gone ? "  (gone)" : "");
    }
}

static void print_positions(const vt_event_report *report)
{
    size_t shown =
        report->position_count < POSITIONS_SHOWN ? report->position_count : POSITIONS_SHOWN;
    if (shown > 0)
        printf("\nposition     views    clicks  clicked\n");
    for (size_t i = 0; i < shown; i++) {
        const vt_event_position *position = &report->positions[i];
        printf("%8d %9llu %9llu", position->position, (unsigned long long)position->views,
               (unsigned long long)position->clicks);
        if (position->views > 0)
            printf("  %6.1f %%", 100.0 * rate_of(position));
        putchar('\n');
    }
}

static void print_searches(const vt_event_report *report)
{
    char time[32];
    if (report->searches == 0)
        return;
    printf("\n%llu of %llu searches led to no click (%.1f %%)\n",
           (unsigned long long)report->unclicked, (unsigned long long)report->searches,
           100.0 * (double)report->unclicked / (double)report->searches);
    for (size_t i = 0; i < report->unclicked_count; i++) {
        const vt_event_search *one = &report->searches_unclicked[i];
        print_time(one->time_ms, time);
        printf("  %s  %s  %llu shown\n", time, one->search, (unsigned long long)one->views);
    }
}

static void print_text(const vt_event_report *report)
{
    char first[32], last[32];
    print_time(report->first_ms, first);
    print_time(report->last_ms, last);
    for (int kind = 0; kind < VT_EVENT_KINDS; kind++)
        printf("%-9s %10llu\n", vt_event_kind_name((vt_event_kind)kind),
               (unsigned long long)report->counts[kind]);
    printf("%-9s %10llu\n", "sessions", (unsigned long long)report->sessions);
    if (report->first_ms > 0)
        printf("from %s to %s\n", first, last);
    print_positions(report);
    print_products("most clicked", report->clicked, report->clicked_count);
    print_products("most bought", report->bought, report->bought_count);
    print_searches(report);
}

/* ---- the command ---- */

/* Removes what was asked for; *removed: how many events. */
static vt_status remove_events(vt_shop *shop, const given *what, uint64_t *removed, vt_error *error)
{
    uint64_t pruned = 0, forgotten = 0;
    vt_status status = VT_OK;
    if (what->prune >= 0.0)
        status = vt_shop_prune_events(shop, days_ago(what->prune), &pruned, error);
    if (status == VT_OK && what->forget != NULL)
        status = vt_shop_forget_session(shop, what->forget, &forgotten, error);
    *removed = pruned + forgotten;
    return status;
}

static int print_removed(uint64_t removed, bool json)
{
    vt_buf document;
    vt_json_writer writer;
    if (!json) {
        printf("%llu event%s removed\n", (unsigned long long)removed, removed == 1 ? "" : "s");
        return 0;
    }
    vt_cli_begin_json(&writer, &document);
    vt_json_put_int(&writer, "removed", (int64_t)removed);
    vt_json_close(&writer);
    return vt_cli_print_json("events", &document);
}

static int run(const char *directory, const given *what)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_event_report *report = NULL;
    vt_event_report_options options = vt_event_report_options_defaults();
    bool removes = what->prune >= 0.0 || what->forget != NULL;
    uint64_t removed = 0;
    int code = 0;
    options.since_ms = what->since >= 0.0 ? days_ago(what->since) : 0;
    options.top = (size_t)what->top;
    vt_status status = vt_shop_open(directory, VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = removes ? remove_events(shop, what, &removed, &error)
                         : vt_shop_report_events(shop, &options, &report, &error);
    if (status != VT_OK)
        code = vt_cli_fail("events", what->json, status, &error);
    else if (removes)
        code = print_removed(removed, what->json);
    else if (what->json)
        code = print_json(report);
    else
        print_text(report);
    vt_event_report_free(report);
    vt_shop_close(shop);
    return code;
}

int vt_cli_events(int argc, char **argv)
{
    given what = {.since = -1.0, .prune = -1.0, .top = 10};
    const vt_cli_option options[] = {
        {"since", "DAYS", VT_CLI_NUMBER, &what.since, "only what was done in the last days", 0,
         36500},
        {"top", "N", VT_CLI_INT, &what.top, "products and searches listed (default 10)", 0, 1000},
        {"prune", "DAYS", VT_CLI_NUMBER, &what.prune, "remove what is older", 0, 36500},
        VT_CLI_TEXT_OPTION("forget", "TOKEN", &what.forget, "remove what was done in one session"),
        VT_CLI_FLAG_OPTION("json", &what.json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "events",
        "SHOP",
        "What shoppers did, as 'vitrine serve --events' was told: how often, at which positions\n"
        "of answers they clicked, what they bought, which searches led to nothing. Removes old\n"
        "events and those of a session, also while the shop is served.",
        "  vitrine events my.shop --since 7\n"
        "  vitrine events my.shop --prune 90",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    return code != VT_CLI_GO ? code : run(arguments.items[0], &what);
}
