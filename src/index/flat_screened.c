/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact index: scanning with a screen. See flat_screen.h.
 *
 * Method: for each block of rows and each query the bound becomes one number to be reached
 * (vector/screen.h), kernels say which rows reach it, and those are compared by their vectors. What
 * is held already rises while rows come by, so that few do.
 */
#include "index/flat_screen.h"
#include "index/flat_waiting.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK_GROUPS = VT_FLAT_SCREEN_ROWS / VT_SCREEN_GROUP,
    MASKS = 4, /* in 64 bits; byte orders other than the little end first are none of ours */
};

/* ---- queries ---- */

bool vt_flat_screened_init(vt_flat_screened *screened, const vt_flat *flat,
                           const vt_scan_options *options, size_t room, const vt_idset_bits *groups)
{
    const size_t width = flat->screen->width;
    screened->flat = flat;
    screened->options = options;
    screened->groups = groups;
    screened->codes = vt_alloc_array(room, width);
    screened->heads = vt_alloc_array(room * width, sizeof *screened->heads);
    screened->queries = vt_calloc(room, sizeof *screened->queries);
    screened->offsets = vt_calloc(room, sizeof *screened->offsets);
    return screened->codes && screened->heads && screened->queries && screened->offsets;
}

void vt_flat_screened_deinit(vt_flat_screened *screened)
{
    vt_free(screened->codes);
    vt_free(screened->heads);
    vt_free(screened->queries);
    vt_free(screened->offsets);
}

static int32_t code_sum(const int8_t *code, size_t width)
{
    int32_t sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += code[i];
    return sum;
}

void vt_flat_screened_take(vt_flat_screened *screened, const float *vectors, size_t count)
{
    const vt_flat_screen *screen = screened->flat->screen;
    const size_t dim = screened->flat->dim, width = screen->width;
    const int most = vt_screen()->query_most;
    screened->vectors = vectors;
    screened->count = count;
    vt_flat_heads(screen, vectors, count, screened->heads);
    for (size_t q = 0; q < count; q++) {
        int8_t *code = screened->codes + q * width;
        float *head = screened->heads + q * width;
        screened->queries[q] = vt_flat_project(screen, vectors + q * dim, most, head);
        for (size_t i = 0; i < width; i++)
            code[i] = (int8_t)head[i];
        screened->offsets[q] = -VT_FLAT_SCREEN_ZERO * code_sum(code, width);
    }
}

bool vt_flat_screener_init(vt_flat_screener *screener, size_t room)
{
    screener->lines = vt_calloc(room, sizeof *screener->lines);
    screener->masks = vt_calloc(room, BLOCK_GROUPS * sizeof *screener->masks);
    return screener->lines && screener->masks;
}

void vt_flat_screener_deinit(vt_flat_screener *screener)
{
    vt_free(screener->lines);
    vt_free(screener->masks);
}

/* ---- bounds ---- */

/* What kernels ask of rows of the block, so that none is lost that reaches `wanted`. */
static vt_screen_query line_make(const vt_flat_screened *screened,
                                 const vt_flat_screen_block *block, size_t q, float wanted)
{
    /* Of a query that lies hardly along the axes nothing can be said. */
    static const float TAIL_MOST = 1e18f;
    const vt_flat_screen *screen = screened->flat->screen;
    const vt_flat_projected *p = &screened->queries[q];
    vt_screen_query line = {.code = screened->codes + q * screen->width, .least = -INFINITY};
    line.offset = screened->offsets[q];
    float tail = p->scale > 0 ? p->tail / p->scale : INFINITY;
    if (!(tail < TAIL_MOST))
        return line;
    double off = (double)p->head * (double)block->error +
                 (double)p->error * ((double)block->length + (double)block->error) +
                 (double)screen->slack * (double)p->length * (double)block->length;
    /* Less what three roundings come to, also where floats have lost digits for being so small. */
    double least = ((double)wanted - off) / (double)p->scale;
    line.tail = vt_flat_up(tail);
    line.least = wanted < INFINITY ? (float)(least - fabs(least) * 0x1p-22 - 0x1p-140) : wanted;
    return line;
}

/* ---- rows that passed ---- */

/* masks: one for each group of the `count` rows from `first` on. Nearly all are 0: four are looked
 * at together. */
static void masks_offer(const vt_flat_screened *screened, vt_flat_waiting *waiting,
                        const uint16_t *masks, size_t first, size_t count)
{
    const size_t groups = (count + VT_SCREEN_GROUP - 1) / VT_SCREEN_GROUP;
    const flat_segment *segment = vt_flat_segment(waiting->flat, first);
    const size_t begin = vt_flat_place(waiting->flat, first);
    for (size_t from = 0; from < groups; from += MASKS) {
        uint64_t rows = 0;
        size_t some = groups - from < MASKS ? groups - from : MASKS;
        memcpy(&rows, masks + from, some * sizeof *masks);
        for (; rows; rows &= rows - 1) {
            size_t row = from * VT_SCREEN_GROUP + (size_t)__builtin_ctzll(rows);
            if (row < count && /* the last group may not be full */
                (!screened->groups ||
                 vt_idset_bits_has(screened->groups, segment->groups[begin + row])))
                vt_flat_waiting_add(waiting, first + row);
        }
    }
    vt_flat_waiting_finish(waiting);
}

size_t vt_flat_screened_scan(const vt_flat_screened *screened, const vt_flat_screener *screener,
                             size_t first, size_t count, vt_topk *tops)
{
    const vt_flat *flat = screened->flat;
    const vt_flat_screen_block *block = &flat->screen->blocks[first / VT_FLAT_SCREEN_ROWS];
    const size_t at = first % VT_FLAT_SCREEN_ROWS, width = flat->screen->width;
    const vt_screen_rows rows = {.codes = block->codes + at * width,
                                 .scales = block->scales + at,
                                 .tails = block->tails + at,
                                 .groups = (count + VT_SCREEN_GROUP - 1) / VT_SCREEN_GROUP,
                                 .width = width};
    vt_flat_waiting waiting = {.flat = flat, .min_similarity = screened->options->min_similarity};
    for (size_t q = 0; q < screened->count; q++) {
        float wanted = vt_flat_wanted(&tops[q], screened->options->min_similarity);
        screener->lines[q] = line_make(screened, block, q, wanted);
    }
    vt_screen()->pass(&rows, screener->lines, screened->count, screener->masks);
    for (size_t q = 0; q < screened->count; q++) {
        waiting.query = screened->vectors + q * flat->dim;
        waiting.top = &tops[q];
        masks_offer(screened, &waiting, screener->masks + q * rows.groups, first, count);
    }
    return waiting.compared;
}
