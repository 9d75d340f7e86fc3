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

enum {
    GOLDEN_VERSION = 1,
    GOLDEN_SIDE_PX = 96,
    GOLDEN_BYTES = 4 << 20, /* of the JSON entry */
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

static vt_status embed(const vt_encoder *encoder, vt_executor executor, const vt_image *image,
                       float *out, vt_error *error)
{
    vt_network *network = NULL;
    float *input = NULL;
    /* One thread: the golden vector must not depend on how many cores there are. */
    vt_status status = vt_network_new(encoder, executor, 1, &network, error);
    if (status == VT_OK)
        status = vt_network_input(network, 1, &input, error);
    if (status == VT_OK)
        status = vt_image_to_tensor(image, &encoder->contract.pixels, input, error);
    if (status == VT_OK)
        status = vt_network_run(network, 1, out, error);
    vt_network_free(network);
    return status;
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
    vt_buf_init(&bytes, GOLDEN_BYTES);
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
    if (length > GOLDEN_BYTES)
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

/* One block for two vectors; freed by its first. */
static vt_status two_vectors(const vt_encoder *encoder, float **a, float **b, vt_error *error)
{
    float *memory = vt_calloc(encoder->dim, 2 * sizeof(float));
    if (memory == NULL)
        return vt_fail_memory(error, "the golden vector");
    *a = memory;
    *b = memory + encoder->dim;
    return VT_OK;
}

static vt_status fail_golden(const vt_encoder *encoder, double similarity, vt_error *error)
{
    return vt_fail(error, VT_ERR_MISMATCH,
                   "check \"%s\": its golden picture gives a vector of similarity %.6f to the "
                   "stored one, %.3f is needed; the file is damaged or this program computes it "
                   "wrongly",
                   encoder->name, similarity, golden_minimum);
}

vt_status vt_golden_verify(const vt_encoder *encoder, bool *present, vt_error *error)
{
    const char *text = vt_model_metadata(encoder->model, VT_METADATA_GOLDEN);
    *present = text != NULL;
    if (text == NULL)
        return VT_OK;
    float *have = NULL, *want = NULL;
    vt_image image = {0};
    vt_status status = two_vectors(encoder, &have, &want, error);
    if (status == VT_OK)
        status = read_golden(encoder, text, &image, want, error);
    if (status == VT_OK)
        status = embed(encoder, VT_EXECUTOR_ONEDNN, &image, have, error);
    if (status == VT_OK) {
        double similarity = cosine(have, want, encoder->dim);
        if (!(similarity >= golden_minimum))
            status = fail_golden(encoder, similarity, error);
    }
    vt_image_deinit(&image);
    vt_free(have);
    return status;
}

vt_status vt_encoder_check_golden(const vt_encoder *encoder, vt_encoder_check *out, vt_error *error)
{
    if (encoder->model == NULL)
        return vt_fail(error, VT_ERR_USAGE, "check \"%s\": it has no network", encoder->name);
    const char *text =
        encoder->own_contract ? vt_model_metadata(encoder->model, VT_METADATA_GOLDEN) : NULL;
    vt_encoder_check check = {.has_contract =
                                  vt_model_metadata(encoder->model, VT_METADATA_CONTRACT) != NULL,
                              .has_golden = text != NULL,
                              .golden_similarity = NAN};
    float *have = NULL, *want = NULL;
    vt_image image = {0};
    vt_status status = two_vectors(encoder, &have, &want, error);
    if (status == VT_OK)
        status = text != NULL ? read_golden(encoder, text, &image, want, error)
                              : draw_golden(&image, error);
    if (status == VT_OK)
        status = embed(encoder, VT_EXECUTOR_ONEDNN, &image, have, error);
    if (status == VT_OK && text != NULL) {
        check.golden_similarity = cosine(have, want, encoder->dim);
        if (!(check.golden_similarity >= golden_minimum))
            status = fail_golden(encoder, check.golden_similarity, error);
    }
    if (status == VT_OK)
        status = embed(encoder, VT_EXECUTOR_REFERENCE, &image, want, error);
    if (status == VT_OK) {
        check.reference_similarity = cosine(have, want, encoder->dim);
        if (!(check.reference_similarity >= golden_minimum))
            status = vt_fail(error, VT_ERR_MISMATCH,
                             "check \"%s\": the fast and the reference executor disagree, "
                             "similarity %.6f",
                             encoder->name, check.reference_similarity);
    }
    vt_image_deinit(&image);
    vt_free(have);
    if (status == VT_OK)
        *out = check;
    return status;
}

/* {"version":1,"image":"<base64 of PNG>","vector":"<base64 of dim little-endian f32>"} */
static vt_status print_golden(const vt_encoder *encoder, vt_buf *json, vt_error *error)
{
    vt_buf png;
    vt_buf_init(&png, GOLDEN_BYTES);
    float *vector = vt_calloc(encoder->dim, sizeof(float));
    vt_image image = {0};
    vt_status status = vector == NULL ? vt_fail_memory(error, "the golden vector") : VT_OK;
    if (status == VT_OK)
        status = draw_golden(&image, error);
    if (status == VT_OK)
        status = embed(encoder, VT_EXECUTOR_ONEDNN, &image, vector, error);
    if (status == VT_OK)
        status = vt_image_encode_png(&image, &png, error);
    if (status == VT_OK) {
        vt_buf_printf(json, "{\"version\":%d,\"image\":\"", GOLDEN_VERSION);
        vt_buf_append_base64(json, png.data, png.length);
        vt_buf_append_text(json, "\",\"vector\":\"");
        vt_buf_append_base64(json, vector, encoder->dim * sizeof(float));
        if (!vt_buf_append_text(json, "\"}"))
            status = vt_fail_memory(error, "the golden picture");
    }
    vt_image_deinit(&image);
    vt_free(vector);
    vt_buf_deinit(&png);
    return status;
}

vt_status vt_encoder_pack(const vt_encoder *encoder, vt_buf *file, vt_error *error)
{
    if (encoder->model == NULL)
        return vt_fail(error, VT_ERR_USAGE, "pack \"%s\": it has no network", encoder->name);
    vt_buf contract, golden;
    vt_buf_init(&contract, GOLDEN_BYTES);
    vt_buf_init(&golden, GOLDEN_BYTES);
    vt_status status = vt_contract_print(&encoder->contract, &contract, error);
    if (status == VT_OK)
        status = print_golden(encoder, &golden, error);
    if (status == VT_OK)
        status = vt_file_read(encoder->path, VT_ENCODER_FILE_BYTES, file, error);
    if (status == VT_OK)
        status = vt_onnx_set_metadata(file, VT_METADATA_CONTRACT, contract.data, error);
    if (status == VT_OK)
        status = vt_onnx_set_metadata(file, VT_METADATA_GOLDEN, golden.data, error);
    vt_buf_deinit(&contract);
    vt_buf_deinit(&golden);
    return status;
}
