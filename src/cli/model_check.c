/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine model check */
#include "cli/cli.h"

static int report(const char *path, const vt_onnx_check_report *check, bool json)
{
    if (json) {
        vt_buf document;
        vt_json_writer writer;
        vt_cli_begin_json(&writer, &document);
        vt_json_put_text(&writer, "file", path);
        vt_json_put_bool(&writer, "contract", check->has_contract);
        vt_json_put_bool(&writer, "golden", check->has_golden);
        vt_json_put_number(&writer, "golden_similarity", check->golden_similarity, 6);
        vt_json_put_number(&writer, "reference_similarity", check->reference_similarity, 6);
        vt_json_put_int(&writer, "dimension", (int64_t)check->dimension);
        vt_json_put_text(&writer, "precision", check->precision);
        vt_json_put_text(&writer, "precision_refused", check->precision_refused);
        vt_json_close(&writer);
        return vt_cli_print_json("model check", &document);
    }
    printf("%s gives %zu numbers per picture, computed in %s\n", path, check->dimension,
           check->precision);
    if (check->precision_refused[0] != '\0')
        printf("faster, but not exact enough: %s\n", check->precision_refused);
    if (check->has_golden)
        printf("golden picture: similarity %.6f to the stored vector\n", check->golden_similarity);
    else
        printf("golden picture: none in the file\n");
    printf("fast and reference executor: similarity %.6f\nok\n", check->reference_similarity);
    return 0;
}

int vt_cli_model_check(int argc, char **argv)
{
    bool json = false;
    vt_init_options how = vt_init_options_defaults();
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("preset", "P", &how.preset, "for files without a pixel contract"),
        VT_CLI_TEXT_OPTION("output", "TENSOR", &how.output, "value that is the embedding"),
        VT_CLI_PRECISION_OPTION(&how.precision),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "model check",
        "FILE",
        "Loads the file as an encoder, compares its vector of the golden picture with the stored\n"
        "one and with what the slow reference executor computes.",
        "  vitrine model check my.shop/models/resnet50.onnx",
        1,
        1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {0};
    vt_onnx_check_report check = {0};
    how.model = arguments.items[0];
    vt_status status = vt_onnx_check(&how, &check, &error);
    if (status != VT_OK)
        return vt_cli_fail("model check", json, status, &error);
    return report(arguments.items[0], &check, json);
}
