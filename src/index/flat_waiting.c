/* SPDX-License-Identifier: Apache-2.0 */
/* The exact index: rows that wait to be compared. See flat_waiting.h. */
#include "index/flat_waiting.h"

void vt_flat_waiting_add(vt_flat_waiting *waiting, size_t row)
{
    const void *vector = vt_flat_row_vector(waiting->flat, row);
    vt_flat_request(vector, waiting->flat->row_bytes);
    waiting->vectors[waiting->count] = vector;
    waiting->rows[waiting->count++] = row;
    if (waiting->count == VT_FLAT_TOGETHER)
        vt_flat_waiting_finish(waiting);
}

void vt_flat_waiting_finish(vt_flat_waiting *waiting)
{
    const vt_flat *flat = waiting->flat;
    const bool half = flat->codec == VT_CODEC_F16;
    float scores[VT_FLAT_TOGETHER];
    (half ? flat->kernels->dot_many_f16 : flat->kernels->dot_many_f32)(
        waiting->query, waiting->vectors, waiting->count, flat->dim, scores);
    for (size_t i = 0; i < waiting->count; i++) {
        const flat_segment *segment = vt_flat_segment(flat, waiting->rows[i]);
        const size_t at = vt_flat_place(flat, waiting->rows[i]);
        float score = segment->scales ? vt_flat_cosine(scores[i], segment->scales[at]) : scores[i];
        if (score >= vt_flat_wanted(waiting->top, waiting->min_similarity))
            vt_topk_push(waiting->top, score, segment->ids[at], segment->groups[at]);
    }
    waiting->compared += waiting->count;
    waiting->count = 0;
}
