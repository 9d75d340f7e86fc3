/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors as codes: how an index holds them, and how near a query is to one.
 *
 *     vt_coder *coder;
 *     vt_coder_new(VT_CODEC_INT4X2, VT_METRIC_COSINE, dim, &coder, error);
 *     vt_coder_train(coder, sample, count);
 *     vt_coder_encode(coder, vector, scratch, code, fine);
 *     vt_coder_query_set(coder, query, vector);
 *     vt_coder_score_many(coder, query, codes, count, out);
 *
 * A code is vt_coder_code_bytes() long. VT_CODEC_INT4X2 has a second part, the fine one, that is
 * kept elsewhere and makes an estimate precise; others have none.
 *
 *     codec      bytes of a vector     error of a dot product of unit vectors (root of mean square)
 *     F32        4 dim                 none
 *     F16        2 dim                 2^-12 of each element
 *     BF16       2 dim                 2^-9 of each element
 *     INT8       dim + 12              about 0.0006 (256 dimensions), 0.0004 by the fine score
 *     INT4       dim / 2 + 12          about 0.007
 *     INT4X2     dim / 2 + 12, dim / 2 about 0.007, with the fine part 0.0004
 *     RABITQ     dim / 8 + 12          about 0.05
 *
 * where dim is rounded up to 64 for the last four, and the error is times the distances of both
 * vectors from the mean of what the codec was trained with. tests/index/test_codec.c holds these.
 *
 * Scores: the dot product, the cosine, or minus the squared distance; bigger is nearer.
 *
 * Threads: a coder may be used from many threads once it is trained; a query belongs to one.
 */
#ifndef VT_INDEX_CODEC_H
#define VT_INDEX_CODEC_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef enum vt_codec {
    VT_CODEC_F32,
    VT_CODEC_F16,
    VT_CODEC_BF16,
    VT_CODEC_INT8,
    VT_CODEC_INT4,
    VT_CODEC_INT4X2, /* 8 bits as two codes of 4: a coarse one, and what it leaves */
    VT_CODEC_RABITQ,
} vt_codec;
enum { VT_CODEC_COUNT = 7 };

typedef enum vt_metric { VT_METRIC_DOT, VT_METRIC_COSINE, VT_METRIC_L2 } vt_metric;

enum { VT_CODER_MAX_DIM = 65536 };

typedef struct vt_coder vt_coder;
typedef struct vt_coder_query vt_coder_query;

const char *vt_codec_name(vt_codec codec); /* "f32"...; "unknown" beyond */

vt_status vt_coder_new(vt_codec codec, vt_metric metric, size_t dim, vt_coder **out,
                       vt_error *error);
void vt_coder_free(vt_coder *coder);
/* Takes the mean of rows (count, dim), which compressed codecs subtract. Before the first code is
 * made, or not at all: then nothing is subtracted. */
void vt_coder_train(vt_coder *coder, const float *rows, size_t count);

/* What training has found, and the random rotation, for files: (dim), borrowed; NULL: the codec
 * subtracts nothing. */
const float *vt_coder_mean(const vt_coder *coder);
void vt_coder_mean_set(vt_coder *coder, const float *mean); /* (dim), as vt_coder_mean gave it */
/* A checksum of the rotation: codes are of use only to a coder with the same. 0: there is none. */
uint32_t vt_coder_rotation_sum(const vt_coder *coder);

size_t vt_coder_code_bytes(const vt_coder *coder); /* a multiple of 4 */
size_t vt_coder_fine_bytes(const vt_coder *coder); /* 0: the codec has no fine part */
size_t vt_coder_width(const vt_coder *coder);      /* elements of scratch and of decoded vectors */

/* VT_OK when it can be encoded, and searched for: finite, no longer than 1e18, not zero where the
 * metric is the cosine, within +-65504 for F16. `action` opens the message. */
vt_status vt_coder_check(const vt_coder *coder, const float *vector, const char *action,
                         vt_error *error);
/* vector: (dim), checked; scratch: (width); code, fine: written (fine may be NULL where there is
 * none). Equal vectors make equal codes. */
void vt_coder_encode(const vt_coder *coder, const float *vector, float *scratch, void *code,
                     void *fine);

/* Whether any bytes may be taken for a code: its numbers are finite. scratch: (width). */
bool vt_coder_code_is_finite(const vt_coder *coder, const void *code, float *scratch);

/* A query may be set again and again. */
vt_status vt_coder_query_new(const vt_coder *coder, vt_coder_query **out, vt_error *error);
void vt_coder_query_free(vt_coder_query *query);
void vt_coder_query_set(const vt_coder *coder, vt_coder_query *query, const float *vector);
/* The vector that a code stands for asks; its scores are off by a constant. */
void vt_coder_query_set_code(const vt_coder *coder, vt_coder_query *query, const void *code,
                             const void *fine);
/* Scores of `count` codes by their pointers; at most VT_CODER_MANY at once. */
enum { VT_CODER_MANY = 128 };
void vt_coder_score_many(const vt_coder *coder, const vt_coder_query *query,
                         const void *const *codes, size_t count, float *out);
/* What the scores may well be of VT_CODEC_RABITQ: the estimates and so many of their deviations,
 * each code's own, on top; with 1.5 one in 15 is above. The same as the scores with other codecs.
 */
void vt_coder_reach_many(const vt_coder *coder, const vt_coder_query *query, float deviations,
                         const void *const *codes, size_t count, float *out);
bool vt_coder_has_fine_score(const vt_coder *coder); /* vt_coder_score_fine is more precise */
/* As precise as the codec gets; `fine` is ignored where there is none. */
float vt_coder_score_fine(const vt_coder *coder, const vt_coder_query *query, const void *code,
                          const void *fine);

/*
 * Codes among themselves, for choosing neighbours. A sketch is a code made ready for it, so that
 * many comparisons share the work; (sketch_bytes) aligned to 4. Distances are squared and
 * Euclidean, under the cosine between vectors of length 1.
 */
size_t vt_coder_sketch_bytes(const vt_coder *coder);
void vt_coder_sketch(const vt_coder *coder, const void *code, const void *fine, void *sketch);
/* From one sketch to `count` others, given by pointers; at most VT_CODER_MANY. */
void vt_coder_sketch_distances(const vt_coder *coder, const void *sketch, const void *const *others,
                               size_t count, float *out);

#endif
