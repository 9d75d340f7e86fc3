/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine sample */
#include "cli/cli.h"

static int run(const char *directory, vt_sample_options *how, bool json)
{
    vt_error error = {0};
    vt_sample_report report = {0};
    vt_progress_bar bar;
    vt_progress_bar_init(&bar, stderr, "sample", "pictures");
    how->on_progress = vt_cli_on_progress;
    how->context = &bar;
    vt_status status = vt_sample_make(directory, how, &report, &error);
    vt_progress_bar_finish(&bar);
    if (status != VT_OK)
        return vt_cli_fail("sample", json, status, &error);
    if (json) {
        vt_buf document;
        vt_json_writer writer;
        vt_cli_begin_json(&writer, &document);
        vt_json_put_text(&writer, "directory", directory);
        vt_json_put_int(&writer, "products", (int64_t)report.products);
        vt_json_put_int(&writer, "families", (int64_t)report.families);
        vt_json_put_int(&writer, "pictures", (int64_t)report.pictures);
        vt_json_close(&writer);
        return vt_cli_print_json("sample", &document);
    }
    printf("%zu products of %zu kinds, %zu pictures in %s\n"
           "next: vitrine init my.shop && vitrine import my.shop %s/products.csv\n",
           report.products, report.families, report.pictures, directory, directory);
    return 0;
}

int vt_cli_sample(int argc, char **argv)
{
    vt_sample_options how = vt_sample_defaults();
    int64_t products = (int64_t)how.products, views = how.photo_views, seed = (int64_t)how.seed;
    int64_t size = how.size_px;
    bool json = false;
    const vt_cli_option options[] = {
        {"products", "N", VT_CLI_INT, &products, "products to make (default 160)", 1, 100000},
        {"views", "V", VT_CLI_INT, &views, "customer photos of each (default 3)", 0, 64},
        {"seed", "S", VT_CLI_INT, &seed, "another seed, another catalogue (default 1)", 0, 1e15},
        {"size", "PX", VT_CLI_INT, &size, "side of the studio pictures (default 320)", 32, 2048},
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "sample",
        "DIR",
        "Renders a catalogue that belongs to nobody: products.csv with studio pictures, and\n"
        "queries.csv with photos of the same goods as a customer would take them. The same seed\n"
        "gives the same pictures. DIR must not hold a catalogue yet.",
        "  vitrine sample goods --products 40",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    how.products = (size_t)products;
    how.photo_views = (int)views;
    how.seed = (uint64_t)seed;
    how.size_px = (int)size;
    vt_cli_catch_interrupt();
    return run(arguments.items[0], &how, json);
}
