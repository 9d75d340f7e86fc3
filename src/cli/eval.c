/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine eval */
#include "cli/cli.h"
#include <string.h>

enum { FAILURES_SHOWN = 5, CATEGORY_WIDTH = 22 };

static bool parse_k(const char *text, vt_eval_options *how)
{
    how->k_count = 0;
    for (;;) {
        char part[16];
        size_t length = strcspn(text, ",");
        int64_t value;
        if (length >= sizeof(part) || how->k_count == VT_EVAL_MAX_K)
            return false;
        memcpy(part, text, length);
        part[length] = '\0';
        if (!vt_parse_int(part, 1, 10000, &value))
            return false;
        if (how->k_count > 0 && how->k[how->k_count - 1] >= (size_t)value)
            return false;
        how->k[how->k_count++] = (size_t)value;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

static void print_failures(const vt_eval_report *report)
{
    for (size_t i = 0; i < report->failed_count && i < FAILURES_SHOWN; i++) {
        printf("%sleft out: ", i == 0 ? "\n" : "");
        vt_cli_print(stdout, report->failed[i].photo);
        printf("%s", report->failed[i].photo[0] != '\0' ? ": " : "");
        vt_cli_print(stdout, report->failed[i].reason);
        putchar('\n');
    }
    if (report->failed_count > FAILURES_SHOWN)
        printf("and %zu more (--json lists all)\n", report->failed_count - FAILURES_SHOWN);
}

/* A list of which no photo could be used measures nothing: most likely it is about another shop or
 * its photos lie elsewhere. */
static int fail_unmeasured(const vt_eval_report *report)
{
    vt_error error;
    snprintf(error.message, sizeof(error.message),
             "none of the %zu queries could be measured, the first: %.300s", report->failed_count,
             report->failed[0].reason);
    vt_cli_complain("eval", VT_ERR_FORMAT, &error);
    return vt_status_exit_code(VT_ERR_FORMAT);
}

static void print_text(const vt_eval_report *report)
{
    printf("%zu queries in %.1f s\n\n%-28s", report->queries, report->took_s, "");
    for (size_t i = 0; i < report->k_count; i++)
        printf("  %8s%-3zu", "@", report->k[i]);
    printf("\n%-28s", "recall");
    for (size_t i = 0; i < report->k_count; i++)
        printf("  %8.3f   ", report->recall[i]);
    printf("\n%-28s", "precision");
    for (size_t i = 0; i < report->k_count; i++)
        printf("  %8.3f   ", report->precision[i]);
    printf("\n\nmean average precision %.3f, mean reciprocal rank %.3f (first %zu ranks)\n",
           report->map, report->mrr, report->depth);
    if (report->category_count > 1)
        printf("\nrecall by category\n");
    for (size_t c = 0; report->category_count > 1 && c < report->category_count; c++) {
        vt_cli_print_column(stdout, report->categories[c].category, CATEGORY_WIDTH);
        printf(" %5zu", report->categories[c].queries);
        for (size_t i = 0; i < report->k_count; i++)
            printf("  %8.3f   ", report->categories[c].recall[i]);
        printf("\n");
    }
    print_failures(report);
}

typedef struct source {
    const char *shop, *queries, *precision; /* precision NULL: the shop's */
} source;

static int run(const source *from, vt_eval_options *how, bool json)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_eval_report *report = NULL;
    vt_progress_bar bar;
    vt_progress_bar_init(&bar, stderr, "eval", "queries");
    how->on_progress = vt_cli_on_progress;
    how->context = &bar;
    vt_status status = vt_shop_open(from->shop, VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_use_precision(shop, from->precision, &error);
    if (status == VT_OK)
        status = vt_shop_eval(shop, from->queries, how, &report, &error);
    vt_progress_bar_finish(&bar);
    int code = 0;
    if (status != VT_OK)
        code = vt_cli_fail("eval", json, status, &error);
    else if (json)
        printf("%s\n", report->json);
    else
        print_text(report);
    if (status == VT_OK && report->queries == 0 && report->failed_count > 0)
        code = fail_unmeasured(report);
    vt_eval_report_free(report);
    vt_shop_close(shop);
    return code;
}

int vt_cli_eval(int argc, char **argv)
{
    vt_eval_options how = vt_eval_options_defaults();
    const char *k = NULL;
    source from = {0};
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("images", "DIR", &how.images_dir,
                           "where relative photo paths start (default: beside the CSV)"),
        VT_CLI_TEXT_OPTION("k", "1,5,10", &k, "ranks to measure at, ascending (default 1,5,10)"),
        VT_CLI_SHOP_PRECISION_OPTION(&from.precision),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "eval",
        "SHOP QUERIES.csv",
        "Searches with every photo of the CSV (columns photo, product and perhaps category) and\n"
        "measures how often and how high the right product is found. Photos that cannot be used "
        "are\n"
        "named and counted nowhere else; exit code 5 when that is all of them.",
        "  vitrine eval my.shop queries.csv --k 1,5,10",
        2,
        2,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    if (k != NULL && !parse_k(k, &how)) {
        snprintf(error.message, sizeof(error.message),
                 "--k %.64s: ascending whole numbers such as 1,5,10 are needed", k);
        return vt_cli_fail("eval", json, VT_ERR_USAGE, &error);
    }
    vt_cli_catch_interrupt();
    from.shop = arguments.items[0];
    from.queries = arguments.items[1];
    return run(&from, &how, json);
}
