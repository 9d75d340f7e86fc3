/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine import */
#include "cli/cli.h"

#include "base/status.h"

/* Where the tables of this run are, for the report. */
typedef struct import_paths {
    char rejects[4096], duplicates[4096];
} import_paths;

typedef struct source {
    const char *shop, *feed, *precision; /* precision NULL: the shop's */
} source;

static void choose_path(const char *given, const char *shop, const char *name, char out[4096])
{
    if (given != NULL)
        snprintf(out, 4096, "%s", given);
    else
        snprintf(out, 4096, "%s/%s", shop, name);
}

/* Also of an import that failed part way: what is counted is stored. */
static int print_json(const vt_import_report *report, const import_paths *paths,
                      const char *precision, vt_status status, const vt_error *error)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    if (status != VT_OK)
        vt_cli_put_error(&writer, status, error);
    vt_json_put_int(&writer, "rows", (int64_t)report->rows);
    vt_json_put_int(&writer, "imported", (int64_t)report->imported);
    vt_json_put_int(&writer, "updated", (int64_t)report->updated);
    vt_json_put_int(&writer, "unchanged", (int64_t)report->unchanged);
    vt_json_put_int(&writer, "pictures", (int64_t)report->pictures);
    vt_json_put_int(&writer, "rejected_rows", (int64_t)report->rejected_rows);
    vt_json_put_int(&writer, "rejected_pictures", (int64_t)report->rejected_pictures);
    vt_json_put_text(&writer, "first_reject",
                     report->first_reject[0] != '\0' ? report->first_reject : NULL);
    vt_json_put_int(&writer, "exact_duplicates", (int64_t)report->exact_duplicates);
    vt_json_put_int(&writer, "near_duplicates", (int64_t)report->near_duplicates);
    vt_json_put_text(&writer, "rejects", paths->rejects);
    vt_json_put_text(&writer, "duplicates", paths->duplicates);
    vt_json_put_text(&writer, "precision", precision);
    vt_json_put_bool(&writer, "cancelled", report->cancelled);
    vt_json_put_number(&writer, "took_s", report->took_s, 3);
    vt_json_close(&writer);
    return vt_cli_print_json("import", &document);
}

static void print_rejects(const vt_import_report *report, const import_paths *paths)
{
    if (report->rejected_rows + report->rejected_pictures == 0)
        return;
    printf("%llu rows and %llu pictures were rejected, the first: ",
           (unsigned long long)report->rejected_rows,
           (unsigned long long)report->rejected_pictures);
    vt_cli_print(stdout, report->first_reject);
    printf("\nall of them with reasons: %s\n", paths->rejects);
}

static void print_text(const vt_import_report *report, const char *shop, const import_paths *paths)
{
    printf("%llu products: %llu new, %llu updated, %llu unchanged, %llu rejected\n",
           (unsigned long long)report->rows, (unsigned long long)report->imported,
           (unsigned long long)report->updated, (unsigned long long)report->unchanged,
           (unsigned long long)report->rejected_rows);
    bool nothing_new = report->rows > 0 && report->unchanged == report->rows;
    printf("%llu pictures embedded in %.1f s%s\n", (unsigned long long)report->pictures,
           report->took_s, nothing_new ? " (nothing had changed)" : "");
    if (report->exact_duplicates + report->near_duplicates > 0)
        printf("%llu pictures are equal to another, %llu nearly so; all of them: %s\n",
               (unsigned long long)report->exact_duplicates,
               (unsigned long long)report->near_duplicates, paths->duplicates);
    print_rejects(report, paths);
    if (report->cancelled)
        printf("stopped early; the same command goes on where it stopped\n");
    else if (report->imported + report->updated + report->unchanged > 0)
        printf("next: vitrine search %s PHOTO\n", shop);
}

/* Every row rejected: most likely the images directory is wrong or the feed is of another kind. */
static bool came_to_nothing(const vt_import_report *report)
{
    return report->rejected_rows > 0 && report->imported + report->updated + report->unchanged == 0;
}

static int run(const source *from, vt_import_options *how, bool json)
{
    const char *precision = NULL;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_import_report report = {0};
    import_paths paths;
    vt_progress_bar bar;
    vt_progress_bar_init(&bar, stderr, "import", "products");
    how->on_progress = vt_cli_on_progress;
    how->context = &bar;
    vt_status status = vt_shop_open(from->shop, VT_OPEN_WRITE, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_use_precision(shop, from->precision, &error);
    if (status == VT_OK)
        status = vt_shop_import(shop, from->feed, how, &report, &error);
    vt_progress_bar_finish(&bar);
    if (shop != NULL)
        precision = vt_shop_precision(shop); /* a constant, good beyond the shop's end */
    vt_shop_close(shop);
    choose_path(how->rejects_path, from->shop, "rejects.csv", paths.rejects);
    choose_path(how->duplicates_path, from->shop, "duplicates.csv", paths.duplicates);
    if (status == VT_OK && report.cancelled)
        status =
            vt_fail(&error, VT_ERR_CANCELLED, "import \"%s\": stopped before its end", from->feed);
    else if (status == VT_OK && came_to_nothing(&report))
        status = vt_fail(&error, VT_ERR_FORMAT, "import \"%s\": not one product could be imported",
                         from->feed);
    int code = 0;
    if (json)
        code = print_json(&report, &paths, precision, status, &error);
    else if (report.rows > 0 || status == VT_OK)
        print_text(&report, from->shop, &paths);
    if (status == VT_OK)
        return code;
    vt_cli_complain("import", status, &error);
    return vt_status_exit_code(status);
}

int vt_cli_import(int argc, char **argv)
{
    vt_import_options how = vt_import_options_defaults();
    bool json = false;
    int64_t jobs = 0;
    source from = {0};
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("images", "DIR", &how.images_dir,
                           "where relative image paths start (default: beside the feed)"),
        {"jobs", "N", VT_CLI_INT, &jobs, "products worked on at a time (default: by the cores)", 1,
         1024},
        VT_CLI_TEXT_OPTION("rejects", "FILE", &how.rejects_path,
                           "CSV of what was rejected and why (default: SHOP/rejects.csv)"),
        VT_CLI_TEXT_OPTION("duplicates", "FILE", &how.duplicates_path,
                           "CSV of equal and nearly equal pictures (default: SHOP/duplicates.csv)"),
        VT_CLI_FLAG_OPTION("product-per-folder", &how.product_per_folder,
                           "folders: each leaf folder is one product with many pictures"),
        VT_CLI_FLAG_OPTION("no-remote", &how.no_remote, "do not fetch http(s) addresses"),
        VT_CLI_FLAG_OPTION("allow-private-hosts", &how.allow_private_hosts,
                           "fetch also from loopback and private networks"),
        VT_CLI_SHOP_PRECISION_OPTION(&from.precision),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "import",
        "SHOP SOURCE",
        "Brings products in. SOURCE is a CSV, TSV or JSON Lines feed (columns id, title,\n"
        "description, category, brand, price, image_link, additional_image_link; others become\n"
        "attributes) or a folder (each sub-folder a category, each picture a product).\n"
        "Unchanged products are skipped, so the same command also resumes and updates. Rows and\n"
        "pictures that cannot be used are named in the reject file and the rest goes on; when no\n"
        "row at all could be imported the exit code is 5.",
        "  vitrine import my.shop products.csv --images photos",
        2,
        2,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    how.jobs = (int)jobs;
    vt_cli_catch_interrupt();
    from.shop = arguments.items[0];
    from.feed = arguments.items[1];
    return run(&from, &how, json);
}
