/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pixel contract: presets by name, and its JSON form (docs/formats/pixel-contract.md).
 *
 * The presets repeat what the models' own preprocessing does: torchvision's ImageNet recipe,
 * Caffe's transformer, OpenAI's CLIP, Google's SigLIP, Meta's DINOv2. Width and height are replaced
 * by the model's own where its input shape is fixed.
 */
#include "base/json.h"
#include "encoder/encoder.h"

#include <math.h>
#include <string.h>

enum { CONTRACT_VERSION = 1, JSON_DEPTH = 8 };

typedef struct preset {
    const char *name;
    vt_pixel_spec pixels;
} preset;

#define IMAGENET_MEAN                                                                              \
    {                                                                                              \
        0.485f, 0.456f, 0.406f                                                                     \
    }
#define IMAGENET_STD                                                                               \
    {                                                                                              \
        0.229f, 0.224f, 0.225f                                                                     \
    }
#define WHITE                                                                                      \
    {                                                                                              \
        255, 255, 255                                                                              \
    }
#define UNIT (1.0f / 255.0f)

static const preset presets[] = {
    {"imagenet",
     {224, 224, VT_FIT_COVER, VT_KERNEL_BILINEAR, 0.875f, VT_ORDER_RGB, UNIT, IMAGENET_MEAN,
      IMAGENET_STD, WHITE}},
    {"caffe",
     {224,
      224,
      VT_FIT_SQUASH,
      VT_KERNEL_BILINEAR,
      1.0f,
      VT_ORDER_BGR,
      1.0f,
      {104.0f, 117.0f, 123.0f},
      {1.0f, 1.0f, 1.0f},
      WHITE}},
    {"clip",
     {224,
      224,
      VT_FIT_COVER,
      VT_KERNEL_BICUBIC,
      1.0f,
      VT_ORDER_RGB,
      UNIT,
      {0.48145466f, 0.4578275f, 0.40821073f},
      {0.26862954f, 0.26130258f, 0.27577711f},
      WHITE}},
    {"siglip",
     {224,
      224,
      VT_FIT_SQUASH,
      VT_KERNEL_BICUBIC,
      1.0f,
      VT_ORDER_RGB,
      UNIT,
      {0.5f, 0.5f, 0.5f},
      {0.5f, 0.5f, 0.5f},
      WHITE}},
    {"dinov2",
     {224, 224, VT_FIT_COVER, VT_KERNEL_BICUBIC, 0.875f, VT_ORDER_RGB, UNIT, IMAGENET_MEAN,
      IMAGENET_STD, WHITE}},
    {"none",
     {224,
      224,
      VT_FIT_SQUASH,
      VT_KERNEL_BILINEAR,
      1.0f,
      VT_ORDER_RGB,
      1.0f,
      {0.0f, 0.0f, 0.0f},
      {1.0f, 1.0f, 1.0f},
      WHITE}},
};

vt_status vt_contract_preset(const char *name, vt_contract *out, vt_error *error)
{
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
        if (vt_text_equal(name, presets[i].name)) {
            *out = (vt_contract){.pixels = presets[i].pixels, .pool = true, .normalize = true};
            return VT_OK;
        }
    return vt_fail(error, VT_ERR_USAGE,
                   "choose preset \"%s\": not one of imagenet, caffe, clip, siglip, dinov2, none",
                   name);
}

static vt_status bad(vt_error *error, const char *member, const char *reason)
{
    return vt_fail(error, VT_ERR_FORMAT, "read the pixel contract: \"%s\" %s", member, reason);
}

static vt_status read_side(const vt_json *json, const char *member, int *out, vt_error *error)
{
    double value = vt_json_number(vt_json_get(json, member), 0.0);
    if (!(value >= 1.0 && value <= VT_CONTRACT_SIDE_MOST) || value != floor(value))
        return bad(error, member, "is no whole number from 1 to 4096");
    *out = (int)value;
    return VT_OK;
}

/* Three finite numbers; `positive` for divisors. */
static vt_status read_triple(const vt_json *json, const char *member, bool positive, float out[3],
                             vt_error *error)
{
    const vt_json *array = vt_json_get(json, member);
    if (vt_json_kind_of(array) != VT_JSON_ARRAY || vt_json_count(array) != 3)
        return bad(error, member, "is no array of three numbers");
    for (size_t i = 0; i < 3; i++) {
        out[i] = (float)vt_json_number(vt_json_at(array, i), NAN);
        if (!isfinite(out[i]) || (positive && out[i] <= 0.0f))
            return bad(error, member, positive ? "needs positive numbers" : "needs finite numbers");
    }
    return VT_OK;
}

static vt_status read_names(const vt_json *json, vt_contract *contract, vt_error *error)
{
    vt_pixel_spec *pixels = &contract->pixels;
    if (!vt_fit_from_name(vt_json_text(vt_json_get(json, "fit"), ""), &pixels->fit))
        return bad(error, "fit", "is none of squash, cover, contain");
    if (!vt_kernel_from_name(vt_json_text(vt_json_get(json, "kernel"), ""), &pixels->kernel))
        return bad(error, "kernel", "is none of area, bilinear, bicubic, lanczos");
    const char *order = vt_json_text(vt_json_get(json, "order"), "");
    if (!vt_text_equal(order, "RGB") && !vt_text_equal(order, "BGR"))
        return bad(error, "order", "is neither RGB nor BGR");
    pixels->order = order[0] == 'R' ? VT_ORDER_RGB : VT_ORDER_BGR;
    const char *pool = vt_json_text(vt_json_get(json, "pool"), "");
    if (!vt_text_equal(pool, "average") && !vt_text_equal(pool, "none"))
        return bad(error, "pool", "is neither average nor none");
    contract->pool = pool[0] == 'a';
    const char *normalize = vt_json_text(vt_json_get(json, "normalize"), "");
    if (!vt_text_equal(normalize, "l2") && !vt_text_equal(normalize, "none"))
        return bad(error, "normalize", "is neither l2 nor none");
    contract->normalize = normalize[0] == 'l';
    const char *output = vt_json_text(vt_json_get(json, "output"), NULL);
    if (output == NULL)
        return bad(error, "output", "is no text");
    if (strlen(output) >= sizeof(contract->output))
        return bad(error, "output", "is longer than 255 bytes");
    memcpy(contract->output, output, strlen(output) + 1);
    return VT_OK;
}

static vt_status read_numbers(const vt_json *json, vt_pixel_spec *pixels, vt_error *error)
{
    vt_status status = read_side(json, "width", &pixels->width, error);
    if (status == VT_OK)
        status = read_side(json, "height", &pixels->height, error);
    if (status == VT_OK)
        status = read_triple(json, "mean", false, pixels->mean, error);
    if (status == VT_OK)
        status = read_triple(json, "std", true, pixels->std, error);
    float fill[3] = {0};
    if (status == VT_OK)
        status = read_triple(json, "fill", false, fill, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < 3; i++) {
        if (fill[i] < 0.0f || fill[i] > 255.0f)
            return bad(error, "fill", "needs numbers from 0 to 255");
        pixels->fill_rgb[i] = (uint8_t)fill[i];
    }
    pixels->scale = (float)vt_json_number(vt_json_get(json, "scale"), NAN);
    if (!isfinite(pixels->scale) || pixels->scale <= 0.0f)
        return bad(error, "scale", "is no positive number");
    pixels->crop_ratio = (float)vt_json_number(vt_json_get(json, "crop_ratio"), NAN);
    if (!(pixels->crop_ratio > 0.0f && pixels->crop_ratio <= 1.0f))
        return bad(error, "crop_ratio", "is not above 0 and at most 1");
    return VT_OK;
}

vt_status vt_contract_parse(const char *json, size_t length, vt_contract *out, vt_error *error)
{
    vt_json *document = NULL;
    vt_status status = vt_json_parse(json, length, JSON_DEPTH, &document, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "read the pixel contract");
    vt_contract contract = {0};
    double version = vt_json_number(vt_json_get(document, "version"), 0.0);
    if (version != (double)CONTRACT_VERSION)
        status = vt_fail(error, VT_ERR_UNSUPPORTED,
                         "read the pixel contract: version %g, this program knows %d", version,
                         CONTRACT_VERSION);
    if (status == VT_OK)
        status = read_numbers(document, &contract.pixels, error);
    if (status == VT_OK)
        status = read_names(document, &contract, error);
    vt_json_free(document);
    if (status == VT_OK)
        *out = contract;
    return status;
}

static void put_triple(vt_json_writer *writer, const char *key, const float values[3])
{
    vt_json_open_array(writer, key);
    for (int i = 0; i < 3; i++)
        vt_json_put_number(writer, NULL, (double)values[i], -1);
    vt_json_close(writer);
}

vt_status vt_contract_print(const vt_contract *contract, vt_buf *out, vt_error *error)
{
    const vt_pixel_spec *pixels = &contract->pixels;
    vt_json_writer writer;
    vt_json_begin(&writer, out, false);
    vt_json_open_object(&writer, NULL);
    vt_json_put_int(&writer, "version", CONTRACT_VERSION);
    vt_json_put_int(&writer, "width", pixels->width);
    vt_json_put_int(&writer, "height", pixels->height);
    vt_json_put_text(&writer, "fit", vt_fit_name(pixels->fit));
    vt_json_put_number(&writer, "crop_ratio", (double)pixels->crop_ratio, -1);
    vt_json_put_text(&writer, "kernel", vt_kernel_name(pixels->kernel));
    vt_json_put_text(&writer, "order", pixels->order == VT_ORDER_RGB ? "RGB" : "BGR");
    vt_json_put_number(&writer, "scale", (double)pixels->scale, -1);
    put_triple(&writer, "mean", pixels->mean);
    put_triple(&writer, "std", pixels->std);
    put_triple(&writer, "fill",
               (float[3]){pixels->fill_rgb[0], pixels->fill_rgb[1], pixels->fill_rgb[2]});
    vt_json_put_text(&writer, "output", contract->output);
    vt_json_put_text(&writer, "pool", contract->pool ? "average" : "none");
    vt_json_put_text(&writer, "normalize", contract->normalize ? "l2" : "none");
    vt_json_close(&writer);
    return out->failed ? vt_fail_memory(error, "the pixel contract") : VT_OK;
}
