/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The golden picture: a small picture and the vector it must give ride in the model file, so that a
 * damaged file, a broken contract or a wrong kernel is found when the model loads, before it fills
 * a shop with vectors that mean nothing.
 */
#include "encoder/network.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "vector/distance.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum {
    GOLDEN_VERSION = 1,
    GOLDEN_SIDE_PX = 96,
    GOLDEN_PIXELS = 1 << 20,
};

static const double golden_minimum = 0.999;

/* A picture with flat areas, edges in all directions and all hues: what convolutions respond to. */
static vt_status draw_golden(vt_image *out, vt_error *error)
{
    vt_status status = vt_image_init(out, GOLDEN_SIDE_PX, GOLDEN_SIDE_PX, error);
    if (status != VT_OK)
        return status;
    uint8_t *pixel = out->rgb;
    for (int y = 0; y < GOLDEN_SIDE_PX; y++)
        for (int x = 0; x < GOLDEN_SIDE_PX; x++, pixel += 3) {
            int dx = x - GOLDEN_SIDE_PX / 2, dy = y - GOLDEN_SIDE_PX / 2;
            int radius = dx * dx + dy * dy;
            bool ring = radius < 1500 && radius > 500;
            bool stripe = ((x + y) / 12) % 2 == 0;
            pixel[0] = (uint8_t)(ring ? 220 : 40 + x * 2);
            pixel[1] = (uint8_t)(ring ? 40 + y : stripe ? 180 : 90);
            pixel[2] = (uint8_t)(radius <= 500 ? 230 : 255 - y * 2);
        }
    return VT_OK;
}

/* The bytes of a base64 member. */
static vt_status read_base64(const vt_json *json, const char *member, vt_buf *out, vt_error *error)
{
    const char *text = vt_json_text(vt_json_get(json, member), "");
    if (vt_buf_append_unbase64(out, text, strlen(text)))
        return VT_OK;
    if (out->failed)
        return vt_fail_memory(error, "a golden picture");
    return vt_fail(error, VT_ERR_FORMAT, "\"%s\" is not base64", member);
}

static vt_status read_members(const vt_json *json, size_t dim, vt_image *image, float *vector,
                              vt_error *error)
{
    if (vt_json_number(vt_json_get(json, "version"), 0.0) != (double)GOLDEN_VERSION)
        return vt_fail(error, VT_ERR_UNSUPPORTED, "its version is not %d", GOLDEN_VERSION);
    vt_buf bytes;
    vt_buf_init(&bytes, VT_GOLDEN_BYTES);
    vt_status status = read_base64(json, "vector", &bytes, error);
    if (status == VT_OK && bytes.length != dim * sizeof(float))
        status = vt_fail(error, VT_ERR_MISMATCH, "its vector has %zu bytes, %zu numbers are needed",
                         bytes.length, dim);
    if (status == VT_OK) {
        memcpy(vector, bytes.data, bytes.length);
        vt_buf_clear(&bytes);
        status = read_base64(json, "image", &bytes, error);
    }
    if (status == VT_OK) {
        vt_decode_options options = vt_decode_options_defaults();
        options.maximum_pixels = GOLDEN_PIXELS;
        status = vt_image_decode(bytes.data, bytes.length, &options, image, error);
    }
    vt_buf_deinit(&bytes);
    return status;
}

/* The golden entry as stored: decoded picture and vector; vector: (dim), the caller's. */
static vt_status read_golden(const vt_encoder *encoder, const char *text, vt_image *image,
                             float *vector, vt_error *error)
{
    vt_json *json = NULL;
    size_t length = strlen(text);
    vt_status status = VT_OK;
    if (length > VT_GOLDEN_BYTES)
        status = vt_fail(error, VT_ERR_LIMIT, "it has %zu bytes", length);
    if (status == VT_OK)
        status = vt_json_parse(text, length, 4, &json, error);
    if (status == VT_OK)
        status = read_members(json, encoder->dim, image, vector, error);
    vt_json_free(json);
    if (status != VT_OK)
        vt_fail_context(error, status, "read the golden picture of \"%s\"", encoder->name);
    return status;
}

static double cosine(const float *a, const float *b, size_t dim)
{
    return (double)vt_distance()->cosine_f32(a, b, dim);
}

bool vt_golden_holds(double similarity)
{
    return similarity >= golden_minimum; /* false for NAN */
}

vt_status vt_golden_init(const vt_encoder *encoder, vt_golden *golden, vt_error *error)
{
    const char *text =
        encoder->own_contract ? vt_model_metadata(encoder->model, VT_METADATA_GOLDEN) : NULL;
    *golden = (vt_golden){.stored = text != NULL};
    golden->want = vt_calloc(encoder->dim, 2 * sizeof(float));
    if (golden->want == NULL)
        return vt_fail_memory(error, "the golden vector");
    golden->have = golden->want + encoder->dim;
    return text != NULL ? read_golden(encoder, text, &golden->image, golden->want, error)
                        : draw_golden(&golden->image, error);
}

void vt_golden_deinit(vt_golden *golden)
{
    vt_image_deinit(&golden->image);
    vt_free(golden->want);
    *golden = (vt_golden){0};
}

vt_status vt_golden_embed(const vt_encoder *encoder, const vt_golden *golden, vt_executor executor,
                          vt_precision precision, float *out, vt_error *error)
{
    vt_network *network = NULL;
    float *input = NULL;
    const vt_network_options how = {executor, precision, 1, false};
    vt_status status = vt_network_new(encoder, &how, &network, error);
    if (status == VT_OK)
        status = vt_network_input(network, 1, &input, error);
    if (status == VT_OK)
        status = vt_image_to_tensor(&golden->image, &encoder->contract.pixels, input, error);
    if (status == VT_OK)
        status = vt_network_run(network, 1, out, error);
    vt_network_free(network);
    return status;
}

vt_status vt_golden_compare(const vt_encoder *encoder, vt_golden *golden, vt_precision precision,
                            double *similarity, vt_error *error)
{
    vt_status status =
        vt_golden_embed(encoder, golden, VT_EXECUTOR_ONEDNN, precision, golden->have, error);
    if (status == VT_OK)
        *similarity = cosine(golden->have, golden->want, encoder->dim);
    return status;
}

vt_status vt_golden_fail(const vt_encoder *encoder, vt_precision precision, double similarity,
                         vt_error *error)
{
    const char *reason = precision == VT_PRECISION_F32
                             ? "the file is damaged or this program computes it wrongly"
                             : "the file is damaged or this precision is too coarse for it, which "
                               "f32 or auto would tell";
    return vt_fail(error, VT_ERR_MISMATCH,
                   "check \"%s\" in %s: its golden picture gives a vector of similarity %.6f to "
                   "the stored one, %.3f is needed; %s",
                   encoder->name, vt_precision_name(precision), similarity, golden_minimum, reason);
}

/* `have` with the stored vector, then with what the reference executor gives. */
static vt_status check_vectors(const vt_encoder *encoder, vt_golden *golden, vt_encoder_check *out,
                               vt_error *error)
{
    vt_precision precision = encoder->verdict.precision;
    double similarity = NAN;
    vt_status status = vt_golden_compare(encoder, golden, precision, &similarity, error);
    if (status == VT_OK && golden->stored) {
        out->golden_similarity = similarity;
        if (!vt_golden_holds(similarity))
            status = vt_golden_fail(encoder, precision, similarity, error);
    }
    if (status == VT_OK)
        status = vt_golden_embed(encoder, golden, VT_EXECUTOR_REFERENCE, VT_PRECISION_F32,
                                 golden->want, error);
    if (status != VT_OK)
        return status;
    out->reference_similarity = cosine(golden->have, golden->want, encoder->dim);
    if (vt_golden_holds(out->reference_similarity))
        return VT_OK;
    return vt_fail(error, VT_ERR_MISMATCH,
                   "check \"%s\": the fast executor in %s and the reference executor disagree, "
                   "similarity %.6f",
                   encoder->name, vt_precision_name(precision), out->reference_similarity);
}

vt_status vt_encoder_check_golden(const vt_encoder *encoder, vt_encoder_check *out, vt_error *error)
{
    if (encoder->model == NULL)
        return vt_fail(error, VT_ERR_USAGE, "check \"%s\": it has no network", encoder->name);
    vt_golden golden;
    vt_encoder_check check = {.has_contract =
                                  vt_model_metadata(encoder->model, VT_METADATA_CONTRACT) != NULL,
                              .golden_similarity = NAN};
    vt_status status = vt_golden_init(encoder, &golden, error);
    check.has_golden = golden.stored;
    if (status == VT_OK)
        status = check_vectors(encoder, &golden, &check, error);
    vt_golden_deinit(&golden);
    if (status == VT_OK)
        *out = check;
    return status;
}

/* {"version":1,"image":"<base64 of PNG>","vector":"<base64 of dim little-endian f32>"} */
vt_status vt_golden_print(const vt_encoder *encoder, vt_executor executor, vt_buf *json,
                          vt_error *error)
{
    vt_buf png;
    vt_buf_init(&png, VT_GOLDEN_BYTES);
    vt_golden golden = {.want = vt_calloc(encoder->dim, sizeof(float))};
    vt_status status = golden.want == NULL ? vt_fail_memory(error, "the golden vector") : VT_OK;
    if (status == VT_OK)
        status = draw_golden(&golden.image, error);
    /* In f32 whatever the encoder computes in: other precisions are held to it. */
    if (status == VT_OK)
        status = vt_golden_embed(encoder, &golden, executor, VT_PRECISION_F32, golden.want, error);
    if (status == VT_OK)
        status = vt_image_encode_png(&golden.image, &png, error);
    if (status == VT_OK) {
        vt_buf_printf(json, "{\"version\":%d,\"image\":\"", GOLDEN_VERSION);
        vt_buf_append_base64(json, png.data, png.length);
        vt_buf_append_text(json, "\",\"vector\":\"");
        vt_buf_append_base64(json, golden.want, encoder->dim * sizeof(float));
        if (!vt_buf_append_text(json, "\"}"))
            status = vt_fail_memory(error, "the golden picture");
    }
    vt_golden_deinit(&golden);
    vt_buf_deinit(&png);
    return status;
}

vt_status vt_encoder_pack(const vt_encoder *encoder, vt_buf *file, vt_error *error)
{
    if (encoder->model == NULL)
        return vt_fail(error, VT_ERR_USAGE, "pack \"%s\": it has no network", encoder->name);
    vt_buf contract, golden;
    vt_buf_init(&contract, VT_GOLDEN_BYTES);
    vt_buf_init(&golden, VT_GOLDEN_BYTES);
    vt_status status = vt_contract_print(&encoder->contract, &contract, error);
    if (status == VT_OK)
        status = vt_golden_print(encoder, VT_EXECUTOR_ONEDNN, &golden, error);
    if (status == VT_OK)
        status = vt_encoder_read(encoder, file, error);
    if (status == VT_OK)
        status = vt_onnx_set_metadata(file, VT_METADATA_CONTRACT, contract.data, error);
    if (status == VT_OK)
        status = vt_onnx_set_metadata(file, VT_METADATA_GOLDEN, golden.data, error);
    vt_buf_deinit(&contract);
    vt_buf_deinit(&golden);
    return status;
}

/* Opens what lies at `path` and puts it into `file` with a golden vector of its own. */
static vt_status pack_anew(const char *path, vt_buf *file, vt_error *error)
{
    vt_encoder *encoder = NULL;
    vt_encoder_options options = vt_encoder_options_defaults();
    options.precision = VT_PRECISION_F32;
    options.check_golden = false; /* what it holds may be of another network */
    vt_status status = vt_encoder_open(path, &options, &encoder, error);
    vt_buf_clear(file);
    if (status == VT_OK)
        status = vt_encoder_pack(encoder, file, error);
    vt_encoder_free(encoder);
    return status;
}

vt_status vt_encoder_pack_file(const char *path, vt_buf *file, vt_error *error)
{
    vt_buf name;
    vt_buf_init(&name, 1 << 16);
    vt_status status =
        vt_buf_printf(&name, "%s.new", path) ? VT_OK : vt_fail_memory(error, "a path");
    if (status == VT_OK)
        status = vt_file_replace(name.data, file->data, file->length, false, error);
    if (status == VT_OK)
        status = pack_anew(name.data, file, error);
    if (name.length > 0)
        unlink(name.data);
    vt_buf_deinit(&name);
    return status;
}
