/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors as they are: f32, f16 and bf16. Neither centred nor rotated; squared distances are summed
 * from differences, which keeps their digits where vectors are near.
 */
#include "index/codec_kinds.h"

#include <string.h>

static size_t four_bytes(size_t width)
{
    return 4 * width;
}

static size_t two_bytes(size_t width)
{
    return 2 * width;
}

/* ---- f32 ---- */

static void f32_encode(const vt_coder *coder, const float *r, void *code, void *fine)
{
    (void)fine;
    memcpy(code, r, coder->width * sizeof *r);
}

static void f32_decode(const vt_coder *coder, const void *code, float *out)
{
    memcpy(out, code, coder->width * sizeof *out);
}

static void f32_score_many(const vt_coder *coder, const vt_coder_query *query,
                           const void *const *codes, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = coder->metric == VT_METRIC_L2
                     ? -coder->floats->l2_f32(query->vector, codes[i], coder->width)
                     : coder->floats->dot_f32(query->vector, codes[i], coder->width);
}

const codec_kind vt_codec_kind_f32 = {
    .name = "f32",
    .code_bytes = four_bytes,
    .encode = f32_encode,
    .decode = f32_decode,
    .score_many = f32_score_many,
};

/* ---- f16 ---- */

static void f16_encode(const vt_coder *coder, const float *r, void *code, void *fine)
{
    (void)fine;
    coder->floats->f32_to_f16(r, code, coder->width);
}

static void f16_decode(const vt_coder *coder, const void *code, float *out)
{
    coder->floats->f16_to_f32(code, out, coder->width);
}

static void f16_score_many(const vt_coder *coder, const vt_coder_query *query,
                           const void *const *codes, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = coder->metric == VT_METRIC_L2
                     ? -coder->floats->l2_f16(query->vector, codes[i], coder->width)
                     : coder->floats->dot_f16(query->vector, codes[i], coder->width);
}

const codec_kind vt_codec_kind_f16 = {
    .name = "f16",
    .code_bytes = two_bytes,
    .encode = f16_encode,
    .decode = f16_decode,
    .score_many = f16_score_many,
};

/* ---- bf16 ---- */

static void bf16_encode(const vt_coder *coder, const float *r, void *code, void *fine)
{
    (void)fine;
    coder->codes->f32_to_bf16(r, code, coder->width);
}

static void bf16_decode(const vt_coder *coder, const void *code, float *out)
{
    coder->codes->bf16_to_f32(code, out, coder->width);
}

static void bf16_score_many(const vt_coder *coder, const vt_coder_query *query,
                            const void *const *codes, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = coder->metric == VT_METRIC_L2
                     ? -coder->codes->l2_bf16(query->vector, codes[i], coder->width)
                     : coder->codes->dot_bf16(query->vector, codes[i], coder->width);
}

const codec_kind vt_codec_kind_bf16 = {
    .name = "bf16",
    .code_bytes = two_bytes,
    .encode = bf16_encode,
    .decode = bf16_decode,
    .score_many = bf16_score_many,
};
