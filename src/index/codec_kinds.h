/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the codecs have in common, and the table each gives. Internal to this folder: codec.c
 * chooses, codec_float.c, codec_int.c and codec_rabitq.c do.
 *
 * Compressed codecs hold r = R (x - mean), R the random rotation, x padded with zeros to a width
 * that is a multiple of 64. Behind the elements of a code lie its factors: kernels take the codes'
 * own addresses, and in a graph elements begin with a line of the cache.
 *
 * Threads: as codec.h says.
 */
#ifndef VT_INDEX_CODEC_KINDS_H
#define VT_INDEX_CODEC_KINDS_H

#include "index/codec.h"
#include "index/rotation.h"
#include "vector/codes.h"
#include "vector/distance.h"

#include <string.h>

/* Vectors longer than this are refused: within it no sum of products leaves f32. */
static const double VT_CODER_MAX_LENGTH = 1e18;

typedef struct code_factors {
    float scale; /* of the levels, corrected so that the product with the vector itself is exact */
    float norm2; /* squared length of r */
    float extra; /* the codec's own */
} code_factors;

struct vt_coder_query {
    float *vector;   /* (width) as given, or rotated */
    int8_t *bytes;   /* (2, width) signed bytes: rounded, and what that left, 254 times as fine */
    uint8_t *planes; /* (VT_CODES_PLANES, width / 8) */
    float step;      /* of `bytes` or `planes` */
    float base;      /* where `planes` count from */
    float sums[2];   /* of the elements of `bytes` */
    float sum;       /* of all elements as they are held */
    float bias;      /* added to every score: what the mean contributes */
    float length;    /* of what `planes` round */
};

typedef struct codec_kind {
    const char *name;
    bool compressed; /* centred and rotated */
    size_t (*code_bytes)(size_t width);
    size_t (*fine_bytes)(size_t width);
    void (*encode)(const vt_coder *coder, const float *r, void *code, void *fine);
    void (*query_set)(const vt_coder *coder, vt_coder_query *query);
    void (*score_many)(const vt_coder *coder, const vt_coder_query *query, const void *const *codes,
                       size_t count, float *out);
    /* Adds deviations of the scores to them; NULL: there are none. */
    void (*reach_many)(const vt_coder *coder, const vt_coder_query *query, float deviations,
                       const void *const *codes, size_t count, float *scores);
    float (*score_fine)(const vt_coder *coder, const vt_coder_query *query, const void *code,
                        const void *fine);
    /* Signed bytes a of a code whose elements are scale * (a + 1/2); compressed codecs. */
    void (*unpack)(const vt_coder *coder, const void *code, const void *fine, int8_t *out,
                   float *scale);
    /* Elements in f32; the others. */
    void (*decode)(const vt_coder *coder, const void *code, float *out);
} codec_kind;

struct vt_coder {
    const codec_kind *kind;
    vt_codec codec;
    vt_metric metric;
    size_t dim, width;
    const vt_distance_table *floats;
    const vt_code_table *codes;
    vt_rotation rotation;
    float *mean;         /* (dim), owned; compressed codecs, zeros until trained */
    float *rotated_mean; /* (width), owned; the same, as elements of codes */
};

extern const codec_kind vt_codec_kind_f32, vt_codec_kind_f16, vt_codec_kind_bf16;
extern const codec_kind vt_codec_kind_int8, vt_codec_kind_int4, vt_codec_kind_int4x2;
extern const codec_kind vt_codec_kind_rabitq;

/*
 * Loops over the bytes of codes take sixteen at once, which divide every width and half a width. A
 * compiler that optimises would make the same of single ones; a sanitizer looks at every access,
 * and graphs are built many times in tests.
 */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bytes16 bytes16_load(const void *from)
{
    bytes16 bytes;
    memcpy(&bytes, from, sizeof bytes);
    return bytes;
}

static inline void bytes16_store(void *to, bytes16 bytes)
{
    memcpy(to, &bytes, sizeof bytes);
}

/* The factors of a code whose elements take `bytes`. */
static inline const code_factors *code_factors_of(const void *code, size_t bytes)
{
    return (const code_factors *)(const void *)((const char *)code + bytes);
}

/* A score from the estimated product of r's. */
static inline float vt_coder_score(const vt_coder *coder, const vt_coder_query *query,
                                   float product, float norm2)
{
    return coder->metric == VT_METRIC_L2 ? query->bias + 2.0f * product - norm2
                                         : query->bias + product;
}

#endif
