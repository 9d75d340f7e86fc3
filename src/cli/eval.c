/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine eval, of a shop or (eval_model.c) of a model */
#include "cli/cli.h"
#include <string.h>
#include <sys/stat.h>

enum { FAILURES_SHOWN = 5, CATEGORY_WIDTH = 22 };

/* k: (VT_EVAL_MAX_K) */
static bool parse_k(const char *text, size_t *k, size_t *count)
{
    *count = 0;
    for (;;) {
        char part[16];
        size_t length = strcspn(text, ",");
        int64_t value;
        if (length >= sizeof(part) || *count == VT_EVAL_MAX_K)
            return false;
        memcpy(part, text, length);
        part[length] = '\0';
        if (!vt_parse_int(part, 1, 10000, &value))
            return false;
        if (*count > 0 && k[*count - 1] >= (size_t)value)
            return false;
        k[(*count)++] = (size_t)value;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

void vt_cli_print_failures(const struct vt_eval_failure *failed, size_t count)
{
    for (size_t i = 0; i < count && i < FAILURES_SHOWN; i++) {
        printf("%sleft out: ", i == 0 ? "\n" : "");
        vt_cli_print(stdout, failed[i].photo);
        printf("%s", failed[i].photo[0] != '\0' ? ": " : "");
        vt_cli_print(stdout, failed[i].reason);
        putchar('\n');
    }
    if (count > FAILURES_SHOWN)
        printf("and %zu more (--json lists all)\n", count - FAILURES_SHOWN);
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
    vt_cli_print_failures(report->failed, report->failed_count);
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

/* A directory is a shop; what is no directory, a model. */
static bool is_model(const char *name)
{
    struct stat about;
    return stat(name, &about) == 0 ? !S_ISDIR(about.st_mode)
                                   : strcmp(name, "classic") == 0 || strcmp(name, "vitrine-s") == 0;
}

/* Options that mean nothing where a shop is measured; NULL: none is given. */
static const char *model_only(const vt_cli_eval_plan *plan, const vt_cli_list *labels)
{
    if (labels->count > 0)
        return "label";
    if (plan->encoder.preset != NULL || plan->encoder.output != NULL)
        return plan->encoder.preset != NULL ? "preset" : "output";
    if (plan->how.split != NULL || plan->how.report != NULL)
        return plan->how.split != NULL ? "split" : "report";
    if (plan->how.against != NULL || plan->how.against_images_dir != NULL)
        return plan->how.against != NULL ? "against" : "against-images";
    return plan->how.against_split != NULL ? "against-split" : NULL;
}

static int eval_shop(const vt_cli_eval_plan *plan, const vt_cli_list *labels)
{
    vt_eval_options how = vt_eval_options_defaults();
    const char *foreign = model_only(plan, labels);
    const source from = {plan->encoder.model, plan->data, plan->encoder.precision};
    if (foreign != NULL) {
        vt_error error;
        snprintf(error.message, sizeof(error.message), "--%s is for models, and \"%.200s\" is none",
                 foreign, plan->encoder.model);
        return vt_cli_fail("eval", plan->json, VT_ERR_USAGE, &error);
    }
    how.images_dir = plan->how.images_dir;
    how.k_count = plan->how.k_count;
    memcpy(how.k, plan->how.k, sizeof(how.k));
    return run(&from, &how, plan->json);
}

/* Labels go to the plan, up to as many as can be measured. */
static int begin(vt_cli_eval_plan *plan, const vt_cli_list *labels, const char *k)
{
    vt_error error = {0};
    if (k != NULL && !parse_k(k, plan->how.k, &plan->how.k_count)) {
        snprintf(error.message, sizeof(error.message),
                 "--k %.64s: ascending whole numbers such as 1,5,10 are needed", k);
        return vt_cli_fail("eval", plan->json, VT_ERR_USAGE, &error);
    }
    if (labels->count > VT_EVAL_MAX_LABELS) {
        snprintf(error.message, sizeof(error.message), "--label %.64s: %d can be given at most",
                 labels->items[VT_EVAL_MAX_LABELS], VT_EVAL_MAX_LABELS);
        return vt_cli_fail("eval", plan->json, VT_ERR_USAGE, &error);
    }
    for (size_t i = 0; i < labels->count; i++)
        plan->how.labels[plan->how.label_count++] = labels->items[i];
    vt_cli_catch_interrupt();
    return is_model(plan->encoder.model) ? vt_cli_eval_model(plan) : eval_shop(plan, labels);
}

int vt_cli_eval(int argc, char **argv)
{
    vt_cli_eval_plan plan = {.how = vt_model_eval_options_defaults()};
    const char *k = NULL;
    vt_cli_list labels = {0};
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("images", "DIR", &plan.how.images_dir,
                           "where relative photo paths start (default: beside the CSV)"),
        VT_CLI_TEXT_OPTION("k", "1,5,10", &k, "ranks to measure at, ascending (default 1,5,10)"),
        VT_CLI_SHOP_PRECISION_OPTION(&plan.encoder.precision),
        VT_CLI_LIST_OPTION("label", "NAME", &labels,
                           "column of a manifest, or category, product, attribute of a shop; "
                           "several are measured each"),
        VT_CLI_TEXT_OPTION("split", "train|val|test|all", &plan.how.split,
                           "photos of DATA to measure on (default: val, else test, else all)"),
        VT_CLI_TEXT_OPTION("against", "DATA", &plan.how.against,
                           "search in these photos (default: in the others of the same)"),
        VT_CLI_TEXT_OPTION("against-split", "train|val|test|all", &plan.how.against_split,
                           "of those, or of DATA, what is searched in"),
        VT_CLI_TEXT_OPTION("against-images", "DIR", &plan.how.against_images_dir,
                           "where their relative paths start"),
        VT_CLI_TEXT_OPTION("preset", "P", &plan.encoder.preset,
                           "how pictures become input, for a model that does not say so itself"),
        VT_CLI_TEXT_OPTION("output", "TENSOR", &plan.encoder.output,
                           "value of the network that is the embedding"),
        VT_CLI_TEXT_OPTION("report", "FILE.html", &plan.how.report,
                           "write a report of a model with classes and the hardest photos"),
        VT_CLI_FLAG_OPTION("json", &plan.json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "eval",
        "SHOP QUERIES.csv | MODEL.onnx DATA",
        "Of a shop: searches with every photo of the CSV (columns photo, product and perhaps\n"
        "category) and measures how often and how high the right product is found.\n"
        "Of a model (a file, vitrine-s or classic): how often the photos of DATA, which is what "
        "'vitrine\n"
        "train' takes, have neighbours of their own label, and how well the model names classes.\n"
        "Photos that cannot be used are named and counted nowhere else; exit code 5 when that is "
        "all\nof them.",
        "  vitrine eval my.shop queries.csv --k 1,5,10\n"
        "  vitrine eval my.onnx photos --split val --against-split train --report report.html",
        2,
        2,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    plan.encoder.model = arguments.items[0];
    plan.data = arguments.items[1];
    return begin(&plan, &labels, k);
}
