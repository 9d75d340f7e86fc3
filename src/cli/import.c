/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine import */
#include "cli/cli.h"

#include <stdio.h>

static int print_json(const vt_import_report *report, const char *rejects)
{
    vt_buf document;
    vt_json_writer writer;
    vt_buf_init(&document, VT_CLI_DOCUMENT_BYTES);
    vt_json_begin(&writer, &document, true);
    vt_json_open_object(&writer, NULL);
    vt_json_put_int(&writer, "rows", (int64_t)report->rows);
    vt_json_put_int(&writer, "imported", (int64_t)report->imported);
    vt_json_put_int(&writer, "updated", (int64_t)report->updated);
    vt_json_put_int(&writer, "unchanged", (int64_t)report->unchanged);
    vt_json_put_int(&writer, "pictures", (int64_t)report->pictures);
    vt_json_put_int(&writer, "rejected_rows", (int64_t)report->rejected_rows);
    vt_json_put_int(&writer, "rejected_pictures", (int64_t)report->rejected_pictures);
    vt_json_put_int(&writer, "exact_duplicates", (int64_t)report->exact_duplicates);
    vt_json_put_int(&writer, "near_duplicates", (int64_t)report->near_duplicates);
    vt_json_put_text(&writer, "rejects", rejects);
    vt_json_put_bool(&writer, "cancelled", report->cancelled);
    vt_json_put_number(&writer, "took_s", report->took_s, 3);
    vt_json_close(&writer);
    return vt_cli_print_json("import", &document);
}

static void print_text(const vt_import_report *report, const char *shop, const char *rejects)
{
    uint64_t written = report->imported + report->updated;
    printf("%llu products: %llu new, %llu updated, %llu unchanged, %llu rejected\n",
           (unsigned long long)report->rows, (unsigned long long)report->imported,
           (unsigned long long)report->updated, (unsigned long long)report->unchanged,
           (unsigned long long)report->rejected_rows);
    printf("%llu pictures embedded in %.1f s%s\n", (unsigned long long)report->pictures,
           report->took_s, written > 0 ? "" : " (nothing had changed)");
    if (report->exact_duplicates + report->near_duplicates > 0)
        printf("%llu pictures are equal to another, %llu nearly so: duplicates.csv in the shop "
               "names them\n",
               (unsigned long long)report->exact_duplicates,
               (unsigned long long)report->near_duplicates);
    if (report->rejected_rows + report->rejected_pictures > 0)
        printf("%llu rows and %llu pictures were rejected, the first: %s\n"
               "all of them with reasons: %s\n",
               (unsigned long long)report->rejected_rows,
               (unsigned long long)report->rejected_pictures, report->first_reject, rejects);
    if (report->cancelled)
        printf("stopped early; the same command goes on where it stopped\n");
    else
        printf("next: vitrine search %s PHOTO\n", shop);
}

static int run(const char *directory, const char *source, vt_import_options *how, bool json)
{
    vt_error error;
    vt_shop *shop = NULL;
    vt_import_report report = {0};
    vt_progress_bar bar;
    vt_progress_bar_init(&bar, stderr, "import", "products");
    how->on_progress = vt_cli_on_progress;
    how->context = &bar;
    vt_status status = vt_shop_open(directory, VT_OPEN_WRITE, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_import(shop, source, how, &report, &error);
    vt_progress_bar_finish(&bar);
    char rejects[4096];
    if (how->rejects_path != NULL)
        snprintf(rejects, sizeof(rejects), "%s", how->rejects_path);
    else
        snprintf(rejects, sizeof(rejects), "%s/rejects.csv", directory);
    int code = 0;
    if (status != VT_OK) {
        code = vt_cli_fail("import", json, status, &error);
        if (!json && report.imported + report.updated > 0)
            fprintf(stderr, "%llu products were stored before that\n",
                    (unsigned long long)(report.imported + report.updated));
    } else if (json) {
        code = print_json(&report, rejects);
    } else {
        print_text(&report, directory, rejects);
    }
    if (code == 0 && report.cancelled)
        code = vt_status_exit_code(VT_ERR_CANCELLED);
    vt_shop_close(shop);
    return code;
}

int vt_cli_import(int argc, char **argv)
{
    vt_import_options how = vt_import_options_defaults();
    bool json = false;
    int64_t jobs = 0;
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
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "import",
        "SHOP SOURCE",
        "Brings products in. SOURCE is a CSV, TSV or JSON Lines feed (columns id, title,\n"
        "description, category, brand, price, image_link, additional_image_link; others become\n"
        "attributes) or a folder (each sub-folder a category, each picture a product).\n"
        "Unchanged products are skipped, so the same command also resumes and updates.",
        "  vitrine import my.shop products.csv --images photos",
        2,
        2};
    char **arguments;
    int count;
    int code = vt_cli_parse(&usage, options, sizeof(options) / sizeof(options[0]), argc, argv,
                            &arguments, &count);
    if (code != VT_CLI_GO)
        return code;
    how.jobs = (int)jobs;
    vt_cli_catch_interrupt();
    return run(arguments[0], arguments[1], &how, json);
}
