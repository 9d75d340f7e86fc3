/* SPDX-License-Identifier: Apache-2.0 */
/* vitrine embed */
#include "cli/cli.h"

#include "base/mem.h"

static int report(const vt_embed_result *result, char **photos, const char *out, bool json)
{
    if (json) {
        vt_buf document;
        vt_json_writer writer;
        vt_cli_begin_json(&writer, &document);
        vt_json_put_text(&writer, "out", out);
        vt_json_put_int(&writer, "count", (int64_t)result->count);
        vt_json_put_int(&writer, "dimension", (int64_t)result->dimension);
        vt_json_put_text(&writer, "precision", result->precision);
        vt_json_open_array(&writer, "failed");
        for (size_t i = 0; i < result->failed_count; i++) {
            vt_json_open_object(&writer, NULL);
            vt_json_put_text(&writer, "photo", photos[result->failed[i].index]);
            vt_json_put_text(&writer, "reason", result->failed[i].reason);
            vt_json_close(&writer);
        }
        vt_json_close(&writer);
        vt_json_close(&writer);
        return vt_cli_print_json("embed", &document);
    }
    for (size_t i = 0; i < result->failed_count; i++) {
        fprintf(stderr, "vitrine embed: row %zu is zero: ", result->failed[i].index);
        vt_cli_print(stderr, result->failed[i].reason);
        fputc('\n', stderr);
    }
    printf("%s: %zu x %zu\n", out, result->count, result->dimension);
    return 0;
}

int vt_cli_embed(int argc, char **argv)
{
    vt_init_options encoder = vt_init_options_defaults();
    const char *out = NULL;
    bool json = false;
    const vt_cli_option options[] = {
        VT_CLI_TEXT_OPTION("out", "FILE.npy", &out, "where the vectors go (needed)"),
        VT_CLI_TEXT_OPTION("preset", "P", &encoder.preset,
                           "for model files without a pixel contract"),
        VT_CLI_TEXT_OPTION("output", "TENSOR", &encoder.output, "value that is the embedding"),
        VT_CLI_PRECISION_OPTION(&encoder.precision),
        VT_CLI_FLAG_OPTION("json", &json, "print one JSON document"),
    };
    const vt_cli_usage usage = {
        "embed",
        "SHOP|MODEL PHOTO...",
        "Writes one vector per photo as a NumPy array of f32, in the order of the photos. The "
        "encoder\n"
        "is that of a shop, an ONNX file, vitrine-s or classic. A photo that fails keeps its row, "
        "as\n"
        "zeros, and is named with the reason; when none works nothing is written.",
        "  vitrine embed my.shop a.jpg b.jpg --out vectors.npy",
        2,
        -1,
        options,
        sizeof(options) / sizeof(options[0])};
    vt_cli_arguments arguments;
    int code = vt_cli_parse(&usage, argc, argv, &arguments);
    if (code != VT_CLI_GO)
        return code;
    vt_error error = {VT_ERR_USAGE, "--out FILE.npy is needed"};
    if (out == NULL)
        return vt_cli_fail("embed", json, VT_ERR_USAGE, &error);
    size_t photo_count = (size_t)arguments.count - 1;
    vt_photo *photos = vt_calloc(photo_count, sizeof(*photos));
    vt_embed_result *result = NULL;
    vt_status status = photos == NULL ? vt_fail_memory(&error, "the list of photos") : VT_OK;
    for (size_t i = 0; status == VT_OK && i < photo_count; i++)
        photos[i].path = arguments.items[i + 1];
    encoder.model = arguments.items[0];
    if (status == VT_OK)
        status = vt_embed_photos(&encoder, photos, photo_count, &result, &error);
    if (status == VT_OK)
        status = vt_embed_result_save(result, out, &error);
    code = status != VT_OK ? vt_cli_fail("embed", json, status, &error)
                           : report(result, arguments.items + 1, out, json);
    vt_embed_result_free(result);
    vt_free(photos);
    return code;
}
