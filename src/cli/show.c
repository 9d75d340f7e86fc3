/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine show */
#include "cli/cli.h"

enum { NAME_WIDTH = 14 };

static void print_field(const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    vt_cli_print_column(stdout, name, NAME_WIDTH);
    putchar(' ');
    vt_cli_print(stdout, value);
    putchar('\n');
}

static void print_attribute(const vt_attribute *attribute)
{
    if (attribute->kind == VT_ATTRIBUTE_TEXT) {
        print_field(attribute->name, attribute->text);
        return;
    }
    vt_cli_print_column(stdout, attribute->name, NAME_WIDTH);
    putchar(' ');
    if (attribute->kind == VT_ATTRIBUTE_NUMBER)
        printf("%.15g", attribute->number);
    for (size_t i = 0; attribute->kind == VT_ATTRIBUTE_LIST && i < attribute->item_count; i++) {
        printf("%s", i > 0 ? ", " : "");
        vt_cli_print(stdout, attribute->items[i]);
    }
    putchar('\n');
}

static void print_pictures(const vt_product *product)
{
    for (size_t i = 0; i < product->picture_count; i++) {
        printf("%-*s ", NAME_WIDTH, i == 0 ? "pictures" : "");
        vt_cli_print(stdout, vt_cli_or(product->pictures[i].source, "(unknown)"));
        printf(" (%d x %d)\n", product->pictures[i].width, product->pictures[i].height);
    }
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
    print_pictures(product);
}

static int print_json(const vt_product *product)
{
    vt_buf document;
    vt_json_writer writer;
    vt_cli_begin_json(&writer, &document);
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
    const vt_cli_usage usage = {"show",
                                "SHOP PRODUCT",
                                "Shows one product with everything known of it.",
                                "  vitrine show my.shop A-17 --json",
                                2,
                                2,
                                options,
                                sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_product *product = NULL;
    vt_status status = vt_shop_open(arguments.items[0], VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_get(shop, arguments.items[1], &product, &error);
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
