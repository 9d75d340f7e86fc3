/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine show */
#include "cli/cli.h"

#include <stdio.h>

static void print_field(const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        printf("%-14s %s\n", name, value);
}

static void print_attribute(const vt_attribute *attribute)
{
    printf("%-14s ", attribute->name);
    if (attribute->kind == VT_ATTRIBUTE_NUMBER)
        printf("%g\n", attribute->number);
    else if (attribute->kind == VT_ATTRIBUTE_TEXT)
        printf("%s\n", attribute->text);
    for (size_t i = 0; attribute->kind == VT_ATTRIBUTE_LIST && i < attribute->item_count; i++)
        printf("%s%s", attribute->items[i], i + 1 < attribute->item_count ? ", " : "\n");
}

static void print_text(const vt_product *product)
{
    char price[64];
    vt_cli_price(product, price, sizeof(price));
    print_field("product", product->id);
    print_field("title", product->title);
    print_field("description", product->description);
    print_field("category", product->category);
    print_field("brand", product->brand);
    print_field("price", price);
    print_field("link", product->link);
    for (size_t i = 0; i < product->attribute_count; i++)
        print_attribute(&product->attributes[i]);
    for (size_t i = 0; i < product->picture_count; i++)
        printf("%-14s %s (%d x %d)\n", i == 0 ? "pictures" : "", product->pictures[i].source,
               product->pictures[i].width, product->pictures[i].height);
}

static int print_json(const vt_product *product)
{
    vt_buf document;
    vt_json_writer writer;
    vt_buf_init(&document, VT_CLI_DOCUMENT_BYTES);
    vt_json_begin(&writer, &document, true);
    vt_json_open_object(&writer, NULL);
    vt_cli_put_product(&writer, product);
    vt_json_close(&writer);
    return vt_cli_print_json("show", &document);
}

int vt_cli_show(int argc, char **argv)
{
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "show", "SHOP PRODUCT", "Shows one product with everything known of it.", NULL, 2, 2};
    char **arguments;
    int count;
    int code = vt_cli_parse(&usage, options, 1, argc, argv, &arguments, &count);
    if (code != VT_CLI_GO)
        return code;
    vt_error error;
    vt_shop *shop = NULL;
    vt_product *product = NULL;
    vt_status status = vt_shop_open(arguments[0], VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_get(shop, arguments[1], &product, &error);
    code = 0;
    if (status != VT_OK)
        code = vt_cli_fail("show", json, status, &error);
    else if (json)
        code = print_json(product);
    else
        print_text(product);
    vt_product_free(product);
    vt_shop_close(shop);
    return code;
}
