/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine init */
#include "cli/cli.h"

static int print_made(const char *directory, bool json)
{
    vt_error error = {0};
    vt_shop *shop = NULL;
    vt_shop_info info;
    vt_status status = vt_shop_open(directory, VT_OPEN_READ, &shop, &error);
    if (status == VT_OK)
        status = vt_shop_info_of(shop, &info, &error);
    int code = 0;
    const char *chosen = NULL;
    if (status == VT_OK)
        chosen = info.auto_precision != NULL ? info.auto_precision : info.precision;
    if (status != VT_OK) {
        code = vt_cli_fail("init", json, status, &error);
    } else if (json) {
        vt_buf document;
        vt_json_writer writer;
        vt_cli_begin_json(&writer, &document);
        vt_json_put_text(&writer, "shop", directory);
        vt_json_put_text(&writer, "model", info.model);
        vt_json_put_int(&writer, "dimension", (int64_t)info.dimension);
        vt_json_put_text(&writer, "precision", chosen);
        vt_json_close(&writer);
        code = vt_cli_print_json("init", &document);
    } else {
        printf("made shop %s with encoder %s (%zu numbers per picture)\n"
               "next: vitrine import %s FEED.csv\n",
               directory, info.model, info.dimension, directory);
    }
    vt_shop_close(shop);
    return code;
}

int vt_cli_init(int argc, char **argv)
{
    vt_init_options how = vt_init_options_defaults();
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("model", "FILE", &how.model,
                           "encoder: an ONNX file, vitrine-s (default) or classic"),
        VT_CLI_TEXT_OPTION(
            "preset", "P", &how.preset,
            "how pictures become its input: imagenet, caffe, clip, siglip, dinov2, none"),
        VT_CLI_TEXT_OPTION("output", "TENSOR", &how.output,
                           "value that is the embedding (default: features before the classifier)"),
        VT_CLI_PRECISION_OPTION(&how.precision),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "init",
        "SHOP",
        "Makes the directory SHOP with an empty catalogue. 'vitrine-s' is the network that "
        "vitrine\n"
        "brings; one trained on your own photos finds more ('vitrine train'); 'classic' is a\n"
        "descriptor that needs no network. A file without a pixel contract needs\n"
        "--preset; 'vitrine model info FILE' shows whether it has one, and its values for "
        "--output.",
        "  vitrine init my.shop --model resnet50.onnx --preset imagenet",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_status status = vt_shop_init(arguments.items[0], &how, &error);
    if (status != VT_OK)
        return vt_cli_fail("init", json, status, &error);
    return print_made(arguments.items[0], json);
}
