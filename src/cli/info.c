/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine info */
#include "cli/cli.h"

#include <math.h>
#include <string.h>

enum { CATEGORIES_SHOWN = 12, BAR_WIDTH = 30 };

static uint64_t uncategorized(const vt_shop_info *info)
{
    uint64_t rest = info->products;
    for (size_t i = 0; i < info->category_count; i++)
        rest -= info->categories[i].products < rest ? info->categories[i].products : rest;
    return rest;
}

static void put_precision(vt_json_writer *writer, const vt_shop_info *info)
{
    vt_json_put_text(writer, "precision", info->precision);
    if (info->auto_precision == NULL)
        return;
    vt_json_open_object(writer, "auto");
    vt_json_put_text(writer, "precision", info->auto_precision);
    vt_json_put_number(writer, "similarity", info->auto_similarity, 6);
    vt_json_put_text(writer, "refused", info->auto_refused);
    vt_json_put_text(writer, "machine", info->auto_machine);
    vt_json_close(writer);
}

static void print_precision(const vt_shop_info *info)
{
    printf("precision %s", info->precision);
    if (info->auto_precision != NULL && strcmp(info->precision, "auto") == 0) {
        printf(": %s on ", info->auto_precision);
        vt_cli_print(stdout, info->auto_machine);
        if (!isnan(info->auto_similarity))
            printf(", similarity %.6f to the golden vector", info->auto_similarity);
        if (info->auto_refused[0] != '\0') {
            printf("\n          refused: ");
            vt_cli_print(stdout, info->auto_refused);
        }
    }
    putchar('\n');
}

static int print_json(const vt_shop_info *info, bool checked)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
    vt_json_put_text(&writer, "shop", info->directory);
    vt_json_put_int(&writer, "products", (int64_t)info->products);
    vt_json_put_int(&writer, "pictures", (int64_t)info->pictures);
    vt_json_put_int(&writer, "vectors", (int64_t)info->vectors);
    vt_json_put_int(&writer, "change", (int64_t)info->change);
    vt_json_put_text(&writer, "store", info->driver);
    vt_json_put_int(&writer, "database_bytes", (int64_t)info->database_bytes);
    vt_json_open_object(&writer, "model");
    vt_json_put_text(&writer, "name", info->model);
    vt_json_put_int(&writer, "dimension", (int64_t)info->dimension);
    vt_json_put_text(&writer, "fingerprint", info->model_fingerprint);
    put_precision(&writer, info);
    vt_json_close(&writer);
    vt_json_open_array(&writer, "categories");
    for (size_t i = 0; i < info->category_count; i++) {
        vt_json_open_object(&writer, NULL);
        vt_json_put_text(&writer, "category", info->categories[i].category);
        vt_json_put_int(&writer, "products", (int64_t)info->categories[i].products);
        vt_json_close(&writer);
    }
    vt_json_close(&writer);
    vt_json_put_int(&writer, "without_category", (int64_t)uncategorized(info));
    if (checked)
        vt_json_put_bool(&writer, "sound", true);
    vt_json_put_text(&writer, "version", info->version);
    vt_json_close(&writer);
    return vt_cli_print_json("info", &document);
}

static void print_text(const vt_shop_info *info)
{
    printf("shop      %s\nproducts  %llu\npictures  %llu\nencoder   %s, %zu numbers per picture\n",
           info->directory, (unsigned long long)info->products, (unsigned long long)info->pictures,
           info->model, info->dimension);
    print_precision(info);
    printf("store     %s, %.1f MB, change %llu\n", info->driver, (double)info->database_bytes / 1e6,
           (unsigned long long)info->change);
    if (info->vectors < info->pictures)
        printf("          %llu pictures have no vector of this encoder: import again\n",
               (unsigned long long)(info->pictures - info->vectors));
    if (info->category_count > 0)
        printf("\n");
    for (size_t i = 0; i < info->category_count && i < CATEGORIES_SHOWN; i++) {
        double share = (double)info->categories[i].products / (double)info->categories[0].products;
        printf("%7llu  ", (unsigned long long)info->categories[i].products);
        for (int c = 0; c < BAR_WIDTH; c++)
            putchar(c < (int)(share * BAR_WIDTH + 0.5) ? '#' : ' ');
        printf("  ");
        vt_cli_print(stdout, info->categories[i].category);
        putchar('\n');
    }
    if (info->category_count > CATEGORIES_SHOWN)
        printf("         and %zu more categories\n", info->category_count - CATEGORIES_SHOWN);
    if (info->category_count > 0 && uncategorized(info) > 0)
        printf("%7llu  without a category\n", (unsigned long long)uncategorized(info));
}

int vt_cli_info(int argc, char **argv)
{
    bool json = false, check = false;
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("check", &check, "also check the whole database for damage"),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "info",
        "SHOP",
        "Says what a shop holds: products, pictures, categories, encoder, size. With --check it "
        "also reads\n"
        "the whole database; exit code 10 and the first fault when it is damaged.",
        "  vitrine info my.shop --check",
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
    vt_shop_info info;
    code = 0;
    vt_status status = vt_shop_open(arguments.items[0], VT_OPEN_READ, &shop, &error);
    if (status == VT_OK && check)
        status = vt_shop_check(shop, &error);
    if (status == VT_OK)
        status = vt_shop_info_of(shop, &info, &error);
    if (status != VT_OK)
        code = vt_cli_fail("info", json, status, &error);
    else if (json)
        code = print_json(&info, check);
    else
        print_text(&info);
    if (status == VT_OK && check && !json)
        printf("\nthe database is sound\n");
    vt_shop_close(shop);
    return code;
}
