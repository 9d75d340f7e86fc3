/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all codecs share: checking, centring, rotating, and distances between codes.
 *
 * Method. Compressed codecs hold r = R (x - m), m the mean of a sample and R a rotation. For the
 * dot product <q, x> = <q, m> + <R q, r>, where the first term is the same for all x; for squared
 * distances |q - x|^2 = |R (q - m) - r|^2. Centring therefore costs one addition for a score and
 * spares the codes from spending their levels on what all vectors share.
 *
 * Sketches: compressed codes become signed bytes with a scale, compared by one integer product;
 * others become f32.
 */
#include "index/codec_kinds.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { ROTATION_SEED = 20260 };

static const codec_kind *const kinds[VT_CODEC_COUNT] = {
    [VT_CODEC_F32] = &vt_codec_kind_f32,       [VT_CODEC_F16] = &vt_codec_kind_f16,
    [VT_CODEC_BF16] = &vt_codec_kind_bf16,     [VT_CODEC_INT8] = &vt_codec_kind_int8,
    [VT_CODEC_INT4] = &vt_codec_kind_int4,     [VT_CODEC_INT4X2] = &vt_codec_kind_int4x2,
    [VT_CODEC_RABITQ] = &vt_codec_kind_rabitq,
};

const char *vt_codec_name(vt_codec codec)
{
    return (unsigned)codec < VT_CODEC_COUNT ? kinds[codec]->name : "unknown";
}

vt_status vt_coder_new(vt_codec codec, vt_metric metric, size_t dim, vt_coder **out,
                       vt_error *error)
{
    if (dim < 1 || dim > VT_CODER_MAX_DIM)
        return vt_fail(error, VT_ERR_USAGE, "code vectors of %zu dimensions: must be 1 to %d", dim,
                       VT_CODER_MAX_DIM);
    if ((unsigned)codec >= VT_CODEC_COUNT || (unsigned)metric > VT_METRIC_L2)
        return vt_fail(error, VT_ERR_USAGE, "code vectors: unknown codec %d or metric %d",
                       (int)codec, (int)metric);
    vt_coder *coder = vt_calloc(1, sizeof *coder);
    if (!coder)
        return vt_fail_memory(error, "coder of vectors");
    coder->kind = kinds[codec];
    coder->codec = codec;
    coder->metric = metric;
    coder->dim = dim;
    coder->width = coder->kind->compressed ? (dim + 63) / 64 * 64 : dim;
    coder->floats = vt_distance();
    coder->codes = vt_codes();
    if (coder->kind->compressed) {
        coder->mean = vt_calloc(dim, sizeof *coder->mean);
        coder->rotated_mean = vt_calloc(coder->width, sizeof *coder->rotated_mean);
        if (!coder->mean || !coder->rotated_mean ||
            vt_rotation_init(&coder->rotation, coder->width, ROTATION_SEED, NULL) != VT_OK) {
            vt_coder_free(coder);
            return vt_fail_memory(error, "coder of vectors");
        }
    }
    *out = coder;
    return VT_OK;
}

void vt_coder_free(vt_coder *coder)
{
    if (!coder)
        return;
    vt_rotation_deinit(&coder->rotation);
    vt_free(coder->mean);
    vt_free(coder->rotated_mean);
    vt_free(coder);
}

static void mean_rotate(vt_coder *coder)
{
    memset(coder->rotated_mean, 0, coder->width * sizeof *coder->rotated_mean);
    memcpy(coder->rotated_mean, coder->mean, coder->dim * sizeof *coder->mean);
    vt_rotation_apply(&coder->rotation, coder->rotated_mean);
}

void vt_coder_train(vt_coder *coder, const float *rows, size_t count)
{
    if (!coder->mean)
        return;
    memset(coder->mean, 0, coder->dim * sizeof *coder->mean);
    /* Running means keep f32 sums from growing: after row n, mean += (row - mean) / n. */
    for (size_t row = 0; row < count; row++) {
        const float *x = rows + row * coder->dim;
        double length =
            coder->metric == VT_METRIC_COSINE ? sqrt(vt_vector_squares(x, coder->dim)) : 1.0;
        float scale = length > 0.0 ? (float)(1.0 / length) : 0.0f;
        float share = 1.0f / (float)(row + 1);
        for (size_t i = 0; i < coder->dim; i++)
            coder->mean[i] += (x[i] * scale - coder->mean[i]) * share;
    }
    mean_rotate(coder);
}

const float *vt_coder_mean(const vt_coder *coder)
{
    return coder->mean;
}

void vt_coder_mean_set(vt_coder *coder, const float *mean)
{
    memcpy(coder->mean, mean, coder->dim * sizeof *coder->mean);
    mean_rotate(coder);
}

uint32_t vt_coder_rotation_sum(const vt_coder *coder)
{
    if (!coder->kind->compressed)
        return 0;
    size_t signs = VT_ROTATION_ROUNDS * coder->rotation.width;
    return vt_crc32c(0, coder->rotation.signs, signs * sizeof *coder->rotation.signs);
}

size_t vt_coder_code_bytes(const vt_coder *coder)
{
    return (coder->kind->code_bytes(coder->width) + 3) / 4 * 4;
}

size_t vt_coder_fine_bytes(const vt_coder *coder)
{
    return coder->kind->fine_bytes ? coder->kind->fine_bytes(coder->width) : 0;
}

size_t vt_coder_width(const vt_coder *coder)
{
    return coder->width;
}

vt_status vt_coder_check(const vt_coder *coder, const float *vector, const char *action,
                         vt_error *error)
{
    double length = sqrt(vt_vector_squares(vector, coder->dim));
    if (!isfinite(length)) /* no finite f32 can do that to a double */
        return vt_fail(error, VT_ERR_USAGE, "%s: the vector is not finite", action);
    if (length > VT_CODER_MAX_LENGTH)
        return vt_fail(error, VT_ERR_USAGE, "%s: the vector is longer than %g", action,
                       VT_CODER_MAX_LENGTH);
    if (coder->metric == VT_METRIC_COSINE && length < 0x1p-126)
        return vt_fail(error, VT_ERR_USAGE, "%s: the vector is zero, which has no direction",
                       action);
    for (size_t i = 0; coder->codec == VT_CODEC_F16 && i < coder->dim; i++)
        if (fabsf(vector[i]) > 65504.0f)
            return vt_fail(error, VT_ERR_USAGE, "%s: half precision ends at 65504", action);
    return VT_OK;
}

/* x or q, of length 1 where the metric wants that, less the mean where `centred`, rotated. */
static void vector_prepare(const vt_coder *coder, const float *vector, bool centred, float *out)
{
    memcpy(out, vector, coder->dim * sizeof *out);
    if (coder->metric == VT_METRIC_COSINE)
        (void)vt_vector_normalize(out, coder->dim);
    if (!coder->kind->compressed)
        return;
    for (size_t i = 0; centred && i < coder->dim; i++)
        out[i] -= coder->mean[i];
    memset(out + coder->dim, 0, (coder->width - coder->dim) * sizeof *out);
    vt_rotation_apply(&coder->rotation, out);
}

void vt_coder_encode(const vt_coder *coder, const float *vector, float *scratch, void *code,
                     void *fine)
{
    vector_prepare(coder, vector, true, scratch);
    memset(code, 0, vt_coder_code_bytes(coder)); /* equal vectors, equal bytes: padding too */
    coder->kind->encode(coder, scratch, code, fine);
}

bool vt_coder_code_is_finite(const vt_coder *coder, const void *code, float *scratch)
{
    if (coder->kind->compressed) {
        size_t elements = coder->kind->code_bytes(coder->width) - sizeof(code_factors);
        const code_factors *f = code_factors_of(code, elements);
        return isfinite(f->scale) && isfinite(f->norm2) && isfinite(f->extra);
    }
    coder->kind->decode(coder, code, scratch);
    return isfinite(sqrt(vt_vector_squares(scratch, coder->width)));
}

/* ---- queries ---- */

vt_status vt_coder_query_new(const vt_coder *coder, vt_coder_query **out, vt_error *error)
{
    vt_coder_query *query = vt_calloc(1, sizeof *query);
    if (!query)
        return vt_fail_memory(error, "query");
    query->vector = vt_calloc(coder->width, sizeof *query->vector);
    query->bytes = vt_calloc(2 * coder->width, sizeof *query->bytes);
    query->planes = vt_calloc(VT_CODES_PLANES, coder->width / 8 + 1);
    if (!query->vector || !query->bytes || !query->planes) {
        vt_coder_query_free(query);
        return vt_fail_memory(error, "query");
    }
    *out = query;
    return VT_OK;
}

void vt_coder_query_free(vt_coder_query *query)
{
    if (!query)
        return;
    vt_free(query->vector);
    vt_free(query->bytes);
    vt_free(query->planes);
    vt_free(query);
}

void vt_coder_query_set(const vt_coder *coder, vt_coder_query *query, const float *vector)
{
    const bool l2 = coder->metric == VT_METRIC_L2;
    vector_prepare(coder, vector, l2, query->vector);
    query->bias = 0.0f;
    if (!coder->kind->compressed)
        return;
    if (l2) {
        query->bias = -coder->floats->dot_f32(query->vector, query->vector, coder->width);
    } else {
        query->bias = coder->floats->dot_f32(vector, coder->mean, coder->dim);
        if (coder->metric == VT_METRIC_COSINE)
            query->bias =
                (float)((double)query->bias / sqrt(vt_vector_squares(vector, coder->dim)));
    }
    coder->kind->query_set(coder, query);
}

void vt_coder_query_set_code(const vt_coder *coder, vt_coder_query *query, const void *code,
                             const void *fine)
{
    query->bias = 0.0f;
    if (!coder->kind->compressed) {
        coder->kind->decode(coder, code, query->vector);
        return;
    }
    int8_t *bytes = query->bytes; /* free until the codec sets them */
    float scale;
    coder->kind->unpack(coder, code, fine, bytes, &scale);
    for (size_t i = 0; i < coder->width; i++) {
        query->vector[i] = scale * ((float)bytes[i] + 0.5f);
        if (coder->metric != VT_METRIC_L2)
            query->vector[i] += coder->rotated_mean[i];
    }
    coder->kind->query_set(coder, query);
}

bool vt_coder_has_fine_score(const vt_coder *coder)
{
    return coder->kind->score_fine != NULL;
}

void vt_coder_score_many(const vt_coder *coder, const vt_coder_query *query,
                         const void *const *codes, size_t count, float *out)
{
    coder->kind->score_many(coder, query, codes, count, out);
}

void vt_coder_reach_many(const vt_coder *coder, const vt_coder_query *query, float deviations,
                         const void *const *codes, size_t count, float *out)
{
    coder->kind->score_many(coder, query, codes, count, out);
    if (coder->kind->reach_many)
        coder->kind->reach_many(coder, query, deviations, codes, count, out);
}

float vt_coder_score_fine(const vt_coder *coder, const vt_coder_query *query, const void *code,
                          const void *fine)
{
    if (coder->kind->score_fine)
        return coder->kind->score_fine(coder, query, code, fine);
    float score;
    coder->kind->score_many(coder, query, &code, 1, &score);
    return score;
}

/* ---- sketches ---- */

/* Before the elements: bytes a, standing for scale * (a + 1/2), or f32. */
typedef struct sketch_head {
    float scale, norm2; /* norm2: of the elements as the sketch has them */
    float half_sum;     /* half the sum of a, and a quarter of their number */
} sketch_head;

size_t vt_coder_sketch_bytes(const vt_coder *coder)
{
    size_t body = coder->kind->compressed ? 2 * coder->width : coder->width * sizeof(float);
    return sizeof(sketch_head) + body;
}

/* raised = body + 128; the sum of the body, of which four words hold each the sum of a fourth. */
static int32_t bytes_raise(const int8_t *body, size_t width, uint8_t *raised)
{
    typedef uint32_t words __attribute__((vector_size(16)));
    words sums = {0};
    for (size_t i = 0; i < width; i += sizeof(bytes16)) {
        const bytes16 bytes = bytes16_load(body + i) ^ 128;
        const words four = (words)bytes;
        bytes16_store(raised + i, bytes);
        sums += (four & 255) + (four >> 8 & 255) + (four >> 16 & 255) + (four >> 24);
    }
    return (int32_t)(sums[0] + sums[1] + sums[2] + sums[3]) - 128 * (int32_t)width;
}

void vt_coder_sketch(const vt_coder *coder, const void *code, const void *fine, void *sketch)
{
    sketch_head *head = sketch;
    const size_t width = coder->width;
    if (!coder->kind->compressed) {
        float *body = (float *)(void *)(head + 1);
        coder->kind->decode(coder, code, body);
        head->norm2 = coder->floats->dot_f32(body, body, width);
        return;
    }
    /* Twice, signed and unsigned: the kernel multiplies one by the other. */
    int8_t *body = (int8_t *)(head + 1);
    uint8_t *raised = (uint8_t *)body + width;
    coder->kind->unpack(coder, code, fine, body, &head->scale);
    const int32_t sum = bytes_raise(body, width, raised);
    head->half_sum = 0.5f * (float)sum + 0.125f * (float)width;
    float squares = (float)coder->codes->dot_i8(body, body, width) + 2.0f * head->half_sum;
    head->norm2 = head->scale * head->scale * squares;
}

void vt_coder_sketch_distances(const vt_coder *coder, const void *sketch, const void *const *others,
                               size_t count, float *out)
{
    const sketch_head *head = sketch;
    const size_t width = coder->width;
    if (!coder->kind->compressed) {
        for (size_t i = 0; i < count; i++)
            out[i] = coder->floats->l2_f32(
                (const float *)(const void *)(head + 1),
                (const float *)(const void *)((const sketch_head *)others[i] + 1), width);
        return;
    }
    if (count == 0)
        return;
    const void *raised[VT_CODER_MANY];
    int32_t products[VT_CODER_MANY];
    const int8_t *body = (const int8_t *)(head + 1);
    for (size_t i = 0; i < count; i++)
        raised[i] = (const char *)others[i] + sizeof(sketch_head) + width;
    coder->codes->dot_u8_many(body, raised, count, width, products);
    /* sum (a + 1/2)(b + 1/2) = sum a b + half sums + width / 4; products are of a and b + 128. */
    const float excess = 256.0f * (head->half_sum - 0.125f * (float)width);
    for (size_t i = 0; i < count; i++) {
        const sketch_head *other = others[i];
        float product = (float)products[i] - excess + head->half_sum + other->half_sum;
        float distance = head->norm2 + other->norm2 - 2.0f * head->scale * other->scale * product;
        out[i] = distance > 0.0f ? distance : 0.0f;
    }
}
