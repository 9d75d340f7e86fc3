/* SPDX-License-Identifier: Apache-2.0 */
/* The exact index: the best of a set by estimates first. See flat_estimate.h. */
#include "index/flat_estimate.h"

#include "index/flat_screen.h"

#include <math.h>

enum {
    PIECE = 32,      /* rows whose codes are asked of memory together */
    TOGETHER = 2048, /* candidates that are looked at together, of which about so many are */
    FIRST = 64,      /* compared first; */
    PARTS = 256,     /* parts of their range, by which those are told */
};
/* One estimate in 44 is too low by more. */
static const float DEVIATIONS = 2.0f;

bool vt_flat_estimates(const vt_flat *flat)
{
    return vt_flat_screen_covers(flat) == flat->count && flat->count > 0;
}

typedef struct piece {
    uint32_t rows[PIECE];
    const void *codes[PIECE];
    size_t count;
} piece;

/* The next rows of those listed, or of all, from number *at on. */
static void piece_list(const vt_flat_subset *which, const vt_flat *flat, size_t *at, piece *out)
{
    out->count = 0;
    for (; which->rows && *at < which->count && out->count < PIECE; ++*at)
        out->rows[out->count++] = which->rows[*at];
    while (!which->rows && *at < flat->count && out->count < PIECE) {
        const size_t begin = vt_flat_place(flat, *at), left = flat->count - *at;
        const size_t there = flat->segment_rows - begin, first = *at;
        const uint32_t *groups = vt_flat_segment(flat, *at)->groups + begin;
        const size_t end = first + (left < there ? left : there);
        for (; *at < end && out->count < PIECE; ++*at) {
            out->rows[out->count] = (uint32_t)*at;
            out->count += !which->groups || vt_idset_bits_has(which->groups, groups[*at - first]);
        }
    }
}

static void piece_take(const vt_flat_subset *which, const vt_flat *flat, size_t *at, piece *out)
{
    piece_list(which, flat, at, out);
    for (size_t i = 0; i < out->count; i++) {
        const uint8_t *code = vt_flat_signs(flat->screen, out->rows[i]);
        out->codes[i] = code;
        vt_flat_request(code, flat->screen->sign_bytes);
    }
}

/* ---- rows that may be among the best ---- */

typedef struct candidate {
    float reach;
    uint32_t row;
} candidate;

typedef struct candidates {
    candidate items[TOGETHER + PIECE];
    size_t count;
} candidates;

static void candidates_add(candidates *c, const piece *p, const vt_coder_query *coded,
                           const vt_flat_waiting *waiting)
{
    float reach[PIECE], wanted = vt_flat_wanted(waiting->top, waiting->min_similarity);
    vt_coder_reach_many(waiting->flat->screen->coder, coded, DEVIATIONS, p->codes, p->count, reach);
    for (size_t i = 0; i < p->count; i++) {
        /* Of extreme lengths nothing is known. */
        float most = isnan(reach[i]) ? INFINITY : reach[i];
        c->items[c->count] = (candidate){most, p->rows[i]};
        c->count += most >= wanted;
    }
}

/* Such a bound that about FIRST of the candidates may reach it: by counting how many lie in equal
 * parts of their range. */
static float first_bound(const candidates *c)
{
    float low = INFINITY, high = -INFINITY;
    uint32_t counts[PARTS] = {0};
    for (size_t i = 0; i < c->count; i++) {
        low = fminf(low, c->items[i].reach);
        high = fmaxf(high, c->items[i].reach);
    }
    const float times = (float)(PARTS - 1) / (high - low);
    if (!(times > 0 && times < INFINITY)) /* all may reach as much, or one whatever there is */
        return -INFINITY;
    for (size_t i = 0; i < c->count; i++)
        counts[(size_t)((c->items[i].reach - low) * times)]++;
    size_t part = PARTS - 1;
    for (size_t above = counts[part]; part > 0 && above < FIRST; above += counts[part])
        part--;
    return low + (float)part / times;
}

/* Compares the candidates, first those that may reach most, so that few of the others are left. */
static void candidates_compare(candidates *c, vt_flat_waiting *waiting)
{
    const float bound = c->count > FIRST ? first_bound(c) : -INFINITY;
    size_t others = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->items[i].reach >= bound)
            vt_flat_waiting_add(waiting, c->items[i].row);
        else
            c->items[others++] = c->items[i];
    }
    vt_flat_waiting_finish(waiting);
    for (size_t i = 0; i < others; i++)
        if (c->items[i].reach >= vt_flat_wanted(waiting->top, waiting->min_similarity))
            vt_flat_waiting_add(waiting, c->items[i].row);
    vt_flat_waiting_finish(waiting);
    c->count = 0;
}

void vt_flat_estimate(const vt_flat_subset *which, const vt_coder_query *coded,
                      vt_flat_waiting *waiting)
{
    piece pieces[2];
    candidates some;
    size_t at = 0, turn = 0;
    some.count = 0;
    piece_take(which, waiting->flat, &at, &pieces[turn]);
    while (pieces[turn].count > 0) {
        piece_take(which, waiting->flat, &at, &pieces[1 - turn]);
        candidates_add(&some, &pieces[turn], coded, waiting);
        if (some.count >= TOGETHER)
            candidates_compare(&some, waiting);
        turn = 1 - turn;
    }
    candidates_compare(&some, waiting);
}
