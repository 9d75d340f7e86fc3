/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine list */
#include "base/mem.h"
#include "cli/cli.h"

enum { ID_WIDTH = 20, TITLE_WIDTH = 36 };

static int print_json(const vt_list *list, const vt_list_options *options)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_open_array(&writer, "products");
    for (size_t i = 0; i < list->count; i++) {
        vt_json_open_object(&writer, NULL);
        vt_cli_put_product(&writer, &list->products[i]);
        vt_json_close(&writer);
    }
    vt_json_close(&writer);
    vt_json_put_int(&writer, "offset", (int64_t)options->offset);
    vt_json_put_int(&writer, "matched", (int64_t)list->matched);
    vt_json_put_int(&writer, "total", (int64_t)list->total);
    vt_cli_put_facets(&writer, list->facets, list->facet_count);
    vt_json_open_object(&writer, "took_ms");
    vt_json_put_number(&writer, "filter", list->filter_ms, 3);
    vt_json_put_number(&writer, "total", list->total_ms, 3);
    vt_json_close(&writer);
    vt_json_close(&writer);
    return vt_cli_print_json("list", &document);
}

static void print_product(const vt_product *product)
{
    char price[64];
    vt_cli_price(product, price, sizeof(price));
    vt_cli_print_column(stdout, product->id, ID_WIDTH);
    putchar(' ');
    vt_cli_print_column(stdout, vt_cli_or(product->title, ""), TITLE_WIDTH);
    printf(" %12s  ", price);
    vt_cli_print(stdout, vt_cli_or(product->category, ""));
    putchar('\n');
}

static void print_text(const vt_list *list, const vt_list_options *options)
{
    for (size_t i = 0; i < list->count; i++)
        print_product(&list->products[i]);
    vt_cli_print_facets(list->facets, list->facet_count);
    if (list->count > 0)
        printf("%zu to %zu of ", options->offset + 1, options->offset + list->count);
    printf("%llu product%s that pass%s, %llu in all, in %.1f ms\n",
           (unsigned long long)list->matched, list->matched == 1 ? "" : "s",
           list->matched == 1 ? "es" : "", (unsigned long long)list->total, list->total_ms);
}

static int run(const char *directory, const vt_list_options *options, bool json)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_list *list = NULL;
    vt_status status = vt_shop_open(directory, VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_list(shop, options, &list, &error);
    int code = 0;
    if (status != VT_OK)
        code = vt_cli_fail("list", json, status, &error);
    else if (json)
        code = print_json(list, options);
    else
        print_text(list, options);
    vt_list_free(list);
    vt_shop_close(shop);
    return code;
}

int vt_cli_list_products(int argc, char **argv)
{
    vt_list_options list = vt_list_options_defaults();
    int64_t top = (int64_t)list.top, offset = 0, facet_top = (int64_t)list.facet_top;
    const char *facets = NULL;
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_WHERE_OPTION(&list.where),
        VT_CLI_TEXT_OPTION("sort", "NAME[:desc]", &list.sort,
                           "order by this attribute (price, title, change, id ...)"),
        {"top", "N", VT_CLI_INT, &top, "products wanted (default 10)", 0, 10000},
        VT_CLI_OFFSET_OPTION(&offset),
        VT_CLI_FACETS_OPTION(&facets),
        VT_CLI_FACET_TOP_OPTION(&facet_top),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "list",
        "SHOP",
        "Lists the products of a shop, those that pass a filter, in an order.\n"
        "docs/filters.md says what filters can be.",
        "  vitrine list my.shop --where \"category = 'shoes' AND price < 100\" --sort price:asc",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_cli_names names = {0};
    if (facets != NULL && !vt_cli_split_names(facets, &names)) {
        vt_error error = {.message = "--facets: more names than can be counted at once (64)"};
        vt_free(names.memory);
        return vt_cli_fail("list", json, VT_ERR_USAGE, &error);
    }
    list.top = (size_t)top;
    list.offset = (size_t)offset;
    list.facets = names.items;
    list.facet_count = names.count;
    list.facet_top = (size_t)facet_top;
    code = run(arguments.items[0], &list, json);
    vt_free(names.memory);
    return code;
}
