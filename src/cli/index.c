/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine index build, info, check, bench */
#include "cli/cli.h"

#include "shop/index_report.h"

#include <string.h>

enum { SAMPLE = 200, BENCH_QUERIES = 500, MEGABYTE = 1000000 };

/* ---- what it is ---- */

static void print_info(const vt_index_info *info)
{
    printf("kind      %s, %s", info->kind, info->codec);
    if (info->degree > 0)
        printf(", %llu neighbours a node", (unsigned long long)info->degree);
    if (info->lists > 0)
        printf(", %llu lists", (unsigned long long)info->lists);
    printf("\nauto      %s, %s: %s\n", info->wanted_kind, info->wanted_codec, info->why);
    printf("vectors   %llu of %llu dimensions, %llu products\n", (unsigned long long)info->vectors,
           (unsigned long long)info->dimension, (unsigned long long)info->products);
    printf("memory    %.1f MB %s, %.1f MB vectors%s\n",
           (double)(info->graph_bytes + info->list_bytes) / MEGABYTE,
           info->lists > 0 ? "lists" : "graph", (double)info->vector_bytes / MEGABYTE,
           info->resident ? "" : " (they stay in the database)");
    printf("change    %llu of %llu\n", (unsigned long long)info->change,
           (unsigned long long)info->newest);
    if (info->snapshot)
        printf("snapshot  %.1f MB, change %llu\n", (double)info->snapshot_bytes / MEGABYTE,
               (unsigned long long)info->snapshot_change);
    else
        printf("snapshot  none\n");
    if (info->snapshot_fault[0] != '\0') {
        printf("          not used: ");
        vt_cli_print(stdout, info->snapshot_fault);
        putchar('\n');
    }
}

static int report_info(const char *command, vt_shop *shop, bool json)
{
    vt_error error = {0};
    vt_index_info info;
    vt_status status = vt_shop_index_info(shop, &info, &error);
    if (status != VT_OK)
        return vt_cli_fail(command, json, status, &error);
    if (!json) {
        print_info(&info);
        return 0;
    }
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_index_info_put(&writer, &info);
    vt_json_close(&writer);
    return vt_cli_print_json(command, &document);
}

int vt_cli_index_info(int argc, char **argv)
{
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {"index info",
                                "SHOP",
                                "Says what finds the nearest products: kind, codec and why they "
                                "were chosen, memory,\nchanges contained, and the snapshot file.",
                                "  vitrine index info my.shop",
                                1,
                                1,
                                options,
                                sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_status status = vt_shop_open(arguments.items[0], VT_OPEN_READ, &shop, &error);
    code = status == VT_OK ? report_info("index info", shop, json)
                           : vt_cli_fail("index info", json, status, &error);
    vt_shop_close(shop);
    return code;
}

/* ---- building ---- */

static int build(const char *directory, vt_index_options *how, bool json)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_progress_bar bar;
    vt_progress_bar_init(&bar, stderr, "index", "vectors");
    how->on_progress = vt_cli_on_progress;
    how->context = &bar;
    vt_status status = vt_shop_open(directory, VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_index_build(shop, how, &error);
    vt_progress_bar_finish(&bar);
    int code = status == VT_OK ? report_info("index build", shop, json)
                               : vt_cli_fail("index build", json, status, &error);
    vt_shop_close(shop);
    return code;
}

int vt_cli_index_build(int argc, char **argv)
{
    bool json = false;
    int64_t memory_mb = 0;
    const char *kind = "auto";
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("kind", "auto|exact|graph|ivf", &kind, "what to build (default auto)"),
        {"memory", "MB", VT_CLI_INT, &memory_mb,
         "what the index may take (default: half of the machine's)", 1, 1 << 30},
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "index build",
        "SHOP",
        "Builds graph or inverted lists anew and writes the snapshot, also beside a running "
        "import\n"
        "or server. Auto takes the graph where it fits the memory, and lists where it does not.\n"
        "Never needed: an index that is missing or damaged is made again by whoever needs it.",
        "  vitrine index build my.shop",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_cli_catch_interrupt();
    vt_index_options how = {.kind = kind, .memory_bytes = (uint64_t)memory_mb * MEGABYTE};
    return build(arguments.items[0], &how, json);
}

/* ---- measuring: a bar for each phase ---- */

typedef struct measure_view {
    vt_progress_bar bar;
    bool open;
} measure_view;

static void on_phase(void *context, const char *phase, const char *unit)
{
    measure_view *view = context;
    if (view->open)
        vt_progress_bar_finish(&view->bar);
    vt_progress_bar_init(&view->bar, stderr, phase, unit); /* a phase's name is static text */
    view->open = true;
}

static bool on_progress(void *context, uint64_t done, uint64_t total)
{
    measure_view *view = context;
    return vt_cli_on_progress(&view->bar, done, total);
}

static vt_index_measure measure_with(int64_t queries, measure_view *view)
{
    *view = (measure_view){0};
    vt_cli_catch_interrupt();
    return (vt_index_measure){.queries = (size_t)queries,
                              .on_phase = on_phase,
                              .on_progress = on_progress,
                              .context = view};
}

static void measure_end(measure_view *view)
{
    if (view->open)
        vt_progress_bar_finish(&view->bar);
}

/* ---- checking ---- */

static int report_check(const vt_index_check *check, bool json)
{
    if (!json) {
        printf("the index equals the catalogue\nrecall@%zu %.4f over %zu queries (worst %.2f), %s, "
               "%.0f vectors compared\n",
               check->k, check->recall, check->queries, check->worst, check->strategy,
               check->mean_visited);
        return 0;
    }
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_put_bool(&writer, "sound", true);
    vt_json_put_int(&writer, "queries", (int64_t)check->queries);
    vt_json_put_int(&writer, "k", (int64_t)check->k);
    vt_json_put_number(&writer, "recall", check->recall, 5);
    vt_json_put_number(&writer, "worst", check->worst, 3);
    vt_json_put_text(&writer, "strategy", check->strategy);
    vt_json_put_number(&writer, "visited", check->mean_visited, 1);
    vt_json_close(&writer);
    return vt_cli_print_json("index check", &document);
}

int vt_cli_index_check(int argc, char **argv)
{
    bool json = false;
    int64_t sample = SAMPLE;
    const vt_cli_option options[] = {
        {"sample", "N", VT_CLI_INT, &sample, "queries to measure recall with (default 200)", 1,
         1000000},
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "index check",
        "SHOP",
        "Holds the index to the catalogue row by row, validates graph or lists, and measures the "
        "recall\n"
        "of search as it is today against the exact scan; exit code 10 when something differs.",
        "  vitrine index check my.shop --sample 1000",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_index_check check;
    measure_view view;
    const vt_index_measure how = measure_with(sample, &view);
    vt_status status = vt_shop_open(arguments.items[0], VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_index_check(shop, &how, &check, &error);
    measure_end(&view);
    code = status == VT_OK ? report_check(&check, json)
                           : vt_cli_fail("index check", json, status, &error);
    vt_shop_close(shop);
    return code;
}

/* ---- rates ---- */

static int report_bench(const vt_index_bench *bench, bool json)
{
    if (!json) {
        printf("%zu queries, one at a time, one thread\n\n%8s  %-30s %10s %10s %10s %10s\n",
               bench->queries, "products", "strategy", "q/s", "expected", "recall@10", "visited");
        for (size_t i = 0; i < bench->count; i++)
            printf("%6.1f %%  %-30s %10.0f %10.0f %10.4f %10.0f\n", bench->rows[i].share * 100,
                   bench->rows[i].strategy, bench->rows[i].rate, bench->rows[i].expected_rate,
                   bench->rows[i].recall, bench->rows[i].mean_visited);
        return 0;
    }
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_put_int(&writer, "queries", (int64_t)bench->queries);
    vt_json_open_array(&writer, "strategies");
    for (size_t i = 0; i < bench->count; i++) {
        vt_json_open_object(&writer, NULL);
        vt_json_put_text(&writer, "strategy", bench->rows[i].strategy);
        vt_json_put_number(&writer, "share", bench->rows[i].share, 4);
        vt_json_put_number(&writer, "rate", bench->rows[i].rate, 1);
        vt_json_put_number(&writer, "expected_rate", bench->rows[i].expected_rate, 1);
        vt_json_put_number(&writer, "recall", bench->rows[i].recall, 5);
        vt_json_put_number(&writer, "visited", bench->rows[i].mean_visited, 1);
        vt_json_close(&writer);
    }
    vt_json_close(&writer);
    vt_json_close(&writer);
    return vt_cli_print_json("index bench", &document);
}

int vt_cli_index_bench(int argc, char **argv)
{
    bool json = false;
    int64_t queries = BENCH_QUERIES;
    const vt_cli_option options[] = {
        {"queries", "N", VT_CLI_INT, &queries, "so many of each strategy (default 500)", 1,
         1000000},
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "index bench",
        "SHOP",
        "Measures the rate and the recall of each way to find the nearest products, with random\n"
        "sets of products allowed to answer. Queries are vectors of the shop, moved at random.",
        "  vitrine index bench my.shop --queries 200",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_index_bench bench;
    measure_view view;
    const vt_index_measure how = measure_with(queries, &view);
    vt_status status = vt_shop_open(arguments.items[0], VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_index_bench(shop, &how, &bench, &error);
    measure_end(&view);
    code = status == VT_OK ? report_bench(&bench, json)
                           : vt_cli_fail("index bench", json, status, &error);
    vt_shop_close(shop);
    return code;
}
