/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine promote; also what 'vitrine train --promote' prints of it. */
#include "cli/cli.h"

#include "base/status.h"
#include "shop/promote.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const int ranks_at[VT_PROMOTE_RANKS] = {1, 5, 10};

enum { PHASE_BYTES = 64 };
typedef struct promote_view {
    vt_progress_bar bar;
    char title[PHASE_BYTES];
    bool open;
} promote_view;

static void on_phase(void *context, const char *phase, const char *unit)
{
    promote_view *view = context;
    if (view->open)
        vt_progress_bar_finish(&view->bar);
    snprintf(view->title, sizeof(view->title), "promote: %s", phase);
    vt_progress_bar_init(&view->bar, stderr, view->title, unit);
    view->open = true;
}

static bool on_progress(void *context, uint64_t done, uint64_t total)
{
    promote_view *view = context;
    return vt_cli_on_progress(&view->bar, done, total);
}

/* ---- reports ---- */

static void print_recall(const vt_promote_report *report)
{
    if (report->measured_with == NULL)
        return;
    printf("%-14s  %10s  %10s\n", "", "before", "after");
    for (int i = 0; i < VT_PROMOTE_RANKS; i++)
        printf("recall @%-6d  %10.4f  %10.4f\n", ranks_at[i], report->recall_before[i],
               report->recall_after[i]);
    printf("%zu %s among %zu pictures", report->queries, report->measured_with, report->gallery);
    if (report->queries_left_out > 0)
        printf(", %zu left out", report->queries_left_out);
    putchar('\n');
}

void vt_cli_print_promotion(const vt_promote_report *report, const char *shop)
{
    print_recall(report);
    if (report->embedded + report->resumed > 0)
        printf("%" PRIu64 " pictures embedded in %.1f s, %" PRIu64 " of them from the feed's "
               "pictures, the others from thumbnails",
               report->embedded, report->took_s, report->originals);
    if (report->resumed > 0)
        printf("; %" PRIu64 " had been before", report->resumed);
    if (report->embedded + report->resumed > 0)
        putchar('\n');
    if (report->failed > 0) {
        printf("%" PRIu64 " pictures have no vector now, the first: ", report->failed);
        vt_cli_print(stdout, report->first_failure);
        putchar('\n');
    }
    if (report->switched) {
        printf("shop ");
        vt_cli_print(stdout, shop);
        printf(" uses ");
        vt_cli_print(stdout, report->after);
        printf(" now\n");
    }
}

int vt_cli_end_promotion(const char *command, const vt_promote_report *report)
{
    vt_error error = {0};
    if (report->switched || report->refused[0] == '\0')
        return 0;
    vt_fail(&error, VT_ERR_MISMATCH, "the shop keeps its encoder: %.255s", report->refused);
    vt_cli_complain(command, VT_ERR_MISMATCH, &error);
    return vt_status_exit_code(VT_ERR_MISMATCH);
}

/* Also of a promotion that failed part way: what it did is there for the next one. */
static int print_json(const vt_promote_report *report, vt_status status, const vt_error *error)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    if (status != VT_OK)
        vt_cli_put_error(&writer, status, error);
    vt_promote_put(&writer, report);
    vt_json_close(&writer);
    return vt_cli_print_json("promote", &document);
}

/* ---- the command ---- */

static int run(char *const *names, vt_promote_options *how, bool json)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_promote_report report = {.recall_before = {(double)NAN, (double)NAN, (double)NAN},
                                .recall_after = {(double)NAN, (double)NAN, (double)NAN}};
    promote_view view = {0};
    how->on_phase = on_phase;
    how->on_progress = on_progress;
    how->context = &view;
    vt_status status = vt_shop_open(names[0], VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_promote(shop, names[1], how, &report, &error);
    if (view.open)
        vt_progress_bar_finish(&view.bar);
    vt_shop_close(shop);
    int code = 0;
    if (json)
        code = print_json(&report, status, &error);
    else if (status == VT_OK || report.measured_with != NULL)
        vt_cli_print_promotion(&report, names[0]);
    if (status == VT_OK)
        return code != 0 ? code : vt_cli_end_promotion("promote", &report);
    vt_cli_complain("promote", status, &error);
    return vt_status_exit_code(status);
}

int vt_cli_promote(int argc, char **argv)
{
    vt_promote_options how = vt_promote_options_defaults();
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("queries", "CSV", &how.queries,
                           "photos to measure with, as for eval (default: the shop's pictures)"),
        VT_CLI_TEXT_OPTION("query-images", "DIR", &how.query_images_dir,
                           "where relative photo paths of the CSV start (default: beside it)"),
        VT_CLI_TEXT_OPTION("images", "DIR", &how.images_dir,
                           "where the feed's pictures lie (default: thumbnails are embedded)"),
        VT_CLI_TEXT_OPTION("preset", "P", &how.preset,
                           "how pictures become its input, where the file does not say so itself"),
        VT_CLI_TEXT_OPTION("output", "TENSOR", &how.output, "value that is the embedding"),
        VT_CLI_SHOP_PRECISION_OPTION(&how.precision),
        VT_CLI_FLAG_OPTION("force", &how.force, "switch also when recall does not rise"),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "promote",
        "SHOP MODEL",
        "Gives a shop another encoder while it is searched: a file, 'vitrine-s' or 'classic'. "
        "Both\n"
        "are measured on the same photos; where recall at 1 rises, all pictures are embedded anew\n"
        "and the shop is switched at once, otherwise it stays as it is and the exit code is 11.\n"
        "Searches and servers of other processes go on meanwhile and go over by themselves; only\n"
        "what has the shop open for writing as it begins (import, serve --write) is in the way.\n"
        "After Ctrl-C or a crash the same command goes on.",
        "  vitrine promote my.shop better.onnx --queries queries.csv --images photos",
        2,
        2,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_cli_catch_interrupt();
    return run(arguments.items, &how, json);
}
