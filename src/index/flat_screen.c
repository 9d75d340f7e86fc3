/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact index: its screen. See flat_screen.h; scanning with it is flat_screened.c.
 *
 * Method: the axes are those of a sample of the rows there are, and as many as it takes until
 * little of the sample's length is left. Where even the most axes leave much (vectors without
 * structure), vectors that are short enough are taken as they are, and for others there is no
 * screen. Rows that come later are projected on the same axes.
 */
#include "index/flat_screen.h"

#include "base/mem.h"
#include "vector/axes.h"

#include <math.h>
#include <string.h>

enum {
    SAMPLE = 4096,
    MOST_DIM = 2048, /* of rows; the matrices of vt_axes_find are (dim, dim) */
    MOST_AXES = 128,
    WIDTH_STEP = 16,
    ROW_MOST = 127, /* the largest element of a row's code */
    LINE = 64,      /* of the cache: a row alone is read of no more than it takes */
};
/* What part of the squared lengths may be left: with less, products of bytes cost more than the
 * comparing that they save; with more, the other way round. */
static const double LEFT = 0.08;
/* With more than this left by MOST_AXES hardly any row would be spared. */
static const double LEFT_MOST = 0.35;

/* ---- vectors along the axes ---- */

void vt_flat_heads(const vt_flat_screen *screen, const float *vectors, size_t count, float *heads)
{
    const size_t dim = screen->dim, width = screen->width;
    if (screen->axes) {
        vt_distance()->dot_block_f32(vectors, count, screen->axes, width, dim, heads);
        return;
    }
    memset(heads, 0, count * width * sizeof *heads);
    for (size_t i = 0; i < count; i++)
        memcpy(heads + i * width, vectors + i * dim, dim * sizeof *heads);
}

vt_flat_projected vt_flat_project(const vt_flat_screen *screen, const float *vector, int most,
                                  float *head)
{
    const size_t dim = screen->dim, width = screen->width;
    float largest = 0;
    for (size_t i = 0; i < width; i++)
        largest = fmaxf(largest, fabsf(head[i]));
    double all = vt_vector_squares(vector, dim), along = vt_vector_squares(head, width), error = 0;
    float scale = largest / (float)most, times = scale > 0x1p-100f ? 1 / scale : 0;
    scale = times > 0 ? scale : 0;
    for (size_t i = 0; i < width; i++) {
        double off = head[i];
        head[i] = rintf(head[i] * times);
        off -= (double)head[i] * (double)scale;
        error += off * off;
    }
    double left = fmax(0, all - along) + (double)screen->slack * all;
    return (vt_flat_projected){.scale = scale,
                               .error = vt_flat_up(sqrt(error)),
                               .head = vt_flat_up(sqrt(along)),
                               .tail = vt_flat_up(sqrt(left)),
                               .length = vt_flat_up(sqrt(all))};
}

/* ---- rows ---- */

static size_t block_bytes(const vt_flat_screen *screen)
{
    return VT_FLAT_SCREEN_ROWS * (screen->width + 2 * sizeof(float));
}

static bool block_make(const vt_flat_screen *screen, vt_flat_screen_block *block)
{
    const size_t bytes = block_bytes(screen);
    *block = (vt_flat_screen_block){.codes = vt_alloc_aligned(64, bytes)};
    if (!block->codes)
        return false;
    memset(block->codes, 0, bytes); /* rows that are not there yet are compared all the same */
    block->scales = (float *)(void *)(block->codes + VT_FLAT_SCREEN_ROWS * screen->width);
    block->tails = block->scales + VT_FLAT_SCREEN_ROWS;
    return true;
}

/* The first piece doubles until it is a whole one. */
static bool first_signs_grow(vt_flat_screen *screen, size_t rows)
{
    size_t room = screen->first_signs > 0 ? screen->first_signs : VT_FLAT_SCREEN_ROWS;
    while (room < rows)
        room *= 2;
    uint8_t *bigger = vt_alloc_large(room * screen->sign_bytes);
    if (!bigger)
        return false;
    if (screen->first_signs > 0)
        memcpy(bigger, screen->signs[0], screen->first_signs * screen->sign_bytes);
    vt_free(screen->signs[0]);
    screen->signs[0] = bigger;
    screen->first_signs = room;
    return true;
}

static bool signs_hold(vt_flat_screen *screen, size_t rows)
{
    size_t needed = (rows + VT_FLAT_SIGNS - 1) / VT_FLAT_SIGNS;
    size_t first = rows < VT_FLAT_SIGNS ? rows : VT_FLAT_SIGNS;
    void *grown = screen->signs;
    if (needed > screen->sign_room &&
        !vt_grow(&grown, &screen->sign_room, needed, sizeof *screen->signs, VT_FLAT_MAX_ROWS))
        return false;
    screen->signs = grown;
    for (; screen->sign_count < needed; screen->sign_count++) {
        uint8_t *signs = NULL;
        if (screen->sign_count > 0 && !(signs = vt_alloc_large(VT_FLAT_SIGNS * screen->sign_bytes)))
            return false;
        screen->signs[screen->sign_count] = signs;
    }
    return first <= screen->first_signs || first_signs_grow(screen, first);
}

/* Room for rows 0 .. rows - 1. */
static bool rows_hold(vt_flat_screen *screen, size_t rows)
{
    size_t needed = (rows + VT_FLAT_SCREEN_ROWS - 1) / VT_FLAT_SCREEN_ROWS;
    if (!signs_hold(screen, rows))
        return false;
    if (needed > screen->block_room) {
        void *grown = screen->blocks;
        if (!vt_grow(&grown, &screen->block_room, needed, sizeof *screen->blocks, VT_FLAT_MAX_ROWS))
            return false;
        screen->blocks = grown;
    }
    for (; screen->block_count < needed; screen->block_count++)
        if (!block_make(screen, &screen->blocks[screen->block_count]))
            return false;
    return true;
}

/* A row of the index in f32, of length 1 under the cosine. */
static void row_read(const vt_flat *flat, size_t row, float *out)
{
    const float *scales = vt_flat_segment(flat, row)->scales;
    vt_flat_row_read(flat, row, out);
    for (size_t i = 0; scales && i < flat->dim; i++)
        out[i] *= scales[vt_flat_place(flat, row)];
}

/* Floats of scratch that a row takes: it, its elements along the axes, and rotated. */
static size_t row_scratch(const vt_flat_screen *screen)
{
    return screen->dim + screen->width + vt_coder_width(screen->coder);
}

/* scratch: (row_scratch). */
static void row_put(vt_flat_screen *screen, const vt_flat *flat, size_t row, float *scratch)
{
    vt_flat_screen_block *block = &screen->blocks[row / VT_FLAT_SCREEN_ROWS];
    const size_t at = row % VT_FLAT_SCREEN_ROWS, width = screen->width;
    float *heads = scratch + flat->dim;
    row_read(flat, row, scratch);
    vt_flat_heads(screen, scratch, 1, heads);
    vt_flat_projected p = vt_flat_project(screen, scratch, ROW_MOST, heads);
    for (size_t i = 0; i < width; i++)
        block->codes[vt_screen_place(at, i, width)] =
            (uint8_t)(VT_FLAT_SCREEN_ZERO + (int)heads[i]);
    block->scales[at] = p.scale;
    block->tails[at] = p.tail;
    block->error = fmaxf(block->error, p.error);
    block->length = fmaxf(block->length, p.length);
    vt_coder_encode(screen->coder, scratch, heads + width, vt_flat_signs(screen, row), NULL);
}

static void row_move(vt_flat_screen *screen, size_t from, size_t to)
{
    const vt_flat_screen_block *source = &screen->blocks[from / VT_FLAT_SCREEN_ROWS];
    vt_flat_screen_block *target = &screen->blocks[to / VT_FLAT_SCREEN_ROWS];
    const size_t width = screen->width;
    memcpy(vt_flat_signs(screen, to), vt_flat_signs(screen, from), screen->sign_bytes);
    from %= VT_FLAT_SCREEN_ROWS;
    to %= VT_FLAT_SCREEN_ROWS;
    for (size_t i = 0; i < width; i += VT_SCREEN_STEP)
        memcpy(target->codes + vt_screen_place(to, i, width),
               source->codes + vt_screen_place(from, i, width), VT_SCREEN_STEP);
    target->scales[to] = source->scales[from];
    target->tails[to] = source->tails[from];
    target->error = fmaxf(target->error, source->error);
    target->length = fmaxf(target->length, source->length);
}

bool vt_flat_screen_hold(vt_flat *flat)
{
    vt_flat_screen *screen = flat->screen;
    return !screen || screen->covered < flat->count || rows_hold(screen, flat->count + 1);
}

void vt_flat_screen_added(vt_flat *flat)
{
    vt_flat_screen *screen = flat->screen;
    if (!screen || screen->covered < flat->count)
        return;
    row_put(screen, flat, flat->count, screen->scratch);
    screen->covered++;
}

void vt_flat_screen_removed(vt_flat *flat, size_t row)
{
    vt_flat_screen *screen = flat->screen;
    const size_t last = flat->count - 1;
    if (!screen)
        return;
    if (row < screen->covered && last >= screen->covered)
        row_put(screen, flat, row, screen->scratch);
    else if (row < last && last < screen->covered)
        row_move(screen, last, row);
    if (screen->covered > last)
        screen->covered = last;
    /* One block stays against adding and removing in turn. */
    while (screen->block_count > screen->covered / VT_FLAT_SCREEN_ROWS + 2)
        vt_free(screen->blocks[--screen->block_count].codes);
    while (screen->sign_count > screen->covered / VT_FLAT_SIGNS + 2) /* the first is kept */
        vt_free(screen->signs[--screen->sign_count]);
}

void vt_flat_screen_free(vt_flat_screen *screen)
{
    if (!screen)
        return;
    for (size_t i = 0; i < screen->block_count; i++)
        vt_free(screen->blocks[i].codes);
    for (size_t i = 0; i < screen->sign_count; i++)
        vt_free(screen->signs[i]);
    vt_free(screen->blocks);
    vt_free(screen->signs);
    vt_free(screen->sample);
    vt_free(screen->axes);
    vt_free(screen->scratch);
    vt_coder_free(screen->coder);
    vt_free(screen);
}

size_t vt_flat_screen_row_bytes(const vt_flat_screen *screen)
{
    return screen->width + 2 * sizeof(float) + screen->sign_bytes;
}

static size_t signs_room(const vt_flat_screen *screen)
{
    size_t whole = screen->sign_count > 1 ? screen->sign_count - 1 : 0;
    return screen->first_signs + whole * VT_FLAT_SIGNS;
}

size_t vt_flat_screen_bytes(const vt_flat_screen *screen)
{
    size_t floats = row_scratch(screen) + (screen->axes ? screen->width * screen->dim : 0);
    return sizeof *screen + screen->block_room * sizeof *screen->blocks +
           screen->block_count * block_bytes(screen) + screen->sign_room * sizeof *screen->signs +
           signs_room(screen) * screen->sign_bytes + floats * sizeof(float);
}

/* ---- making one ---- */

/* Rows of the index, evenly spaced and of length 1: (*count, dim). NULL: memory is out. */
static float *sample_take(const vt_flat *flat, size_t *count)
{
    *count = flat->count < SAMPLE ? flat->count : SAMPLE;
    float *sample = vt_alloc_array(*count * flat->dim, sizeof *sample);
    for (size_t i = 0; sample && i < *count; i++) {
        row_read(flat, i * (flat->count / *count), sample + i * flat->dim);
        (void)vt_vector_normalize(sample + i * flat->dim, flat->dim);
    }
    return sample;
}

/* As many axes as it takes; 0: there are not enough. */
static size_t width_choose(const float *shares, size_t axes)
{
    double left = 1;
    for (size_t i = 0; i < axes; i++) {
        left -= (double)shares[i];
        if (left <= LEFT)
            return (i + WIDTH_STEP) / WIDTH_STEP * WIDTH_STEP;
    }
    return left <= LEFT_MOST ? axes : 0;
}

vt_status vt_flat_screen_begin(const vt_flat *flat, vt_flat_screen **out, vt_error *error)
{
    *out = NULL;
    if (flat->coder || flat->metric == VT_METRIC_L2 || flat->dim > MOST_DIM || flat->count == 0)
        return VT_OK;
    vt_flat_screen *screen = vt_calloc(1, sizeof *screen);
    if (screen) {
        screen->dim = flat->dim;
        screen->sample = sample_take(flat, &screen->sample_count);
    }
    if (screen && screen->sample) {
        *out = screen;
        return VT_OK;
    }
    vt_flat_screen_free(screen);
    return vt_fail_memory(error, "the screen");
}

/* Sets width and axes; a width of 0: no screen is worth it. */
static vt_status axes_make(vt_flat_screen *screen, vt_error *error)
{
    const size_t dim = screen->dim;
    size_t axes = dim / WIDTH_STEP * WIDTH_STEP;
    axes = axes < MOST_AXES ? axes : MOST_AXES;
    float shares[MOST_AXES], skew = 0;
    screen->axes = vt_alloc_array((axes + 1) * dim, sizeof *screen->axes);
    vt_status status = screen->axes ? VT_OK : vt_fail_memory(error, "the screen");
    if (status == VT_OK && axes > 0)
        status = vt_axes_find(screen->sample, screen->sample_count, dim, axes, screen->axes, shares,
                              &skew, error);
    if (status != VT_OK)
        return status;
    screen->width = axes > 0 ? width_choose(shares, axes) : 0;
    if (screen->width == 0 && dim <= VT_SCREEN_MAX_WIDTH) {
        screen->width = (dim + VT_SCREEN_STEP - 1) / VT_SCREEN_STEP * VT_SCREEN_STEP;
        vt_free(screen->axes);
        screen->axes = NULL;
        skew = 0;
    }
    /* Of projecting both (each element a sum of dim products), of comparing, and of the rest. Skew
     * counts three times: along the axes, and between what is along them and what is left. */
    float sums = 2 * sqrtf((float)screen->width) + 2;
    screen->slack = 3 * skew + (sums * (float)dim + (float)screen->width + 64) * 0x1p-24f;
    return VT_OK;
}

static vt_status signs_prepare(vt_flat_screen *screen, vt_error *error)
{
    vt_status status =
        vt_coder_new(VT_CODEC_RABITQ, VT_METRIC_DOT, screen->dim, &screen->coder, error);
    if (status != VT_OK)
        return status;
    vt_coder_train(screen->coder, screen->sample, screen->sample_count);
    screen->sign_bytes = (vt_coder_code_bytes(screen->coder) + LINE - 1) / LINE * LINE;
    screen->scratch = vt_alloc_array(row_scratch(screen), sizeof *screen->scratch);
    return screen->scratch ? VT_OK : vt_fail_memory(error, "the screen");
}

vt_status vt_flat_screen_train(vt_flat_screen **screen, vt_error *error)
{
    vt_flat_screen *s = *screen;
    if (!s)
        return VT_OK;
    vt_status status = axes_make(s, error);
    if (status == VT_OK && s->width > 0)
        status = signs_prepare(s, error);
    vt_free(s->sample);
    s->sample = NULL;
    if (status != VT_OK || s->width == 0) {
        vt_flat_screen_free(s);
        *screen = NULL;
    }
    return status;
}

/* ---- covering rows ---- */

void vt_flat_screen_take(vt_flat *flat, vt_flat_screen *screen)
{
    vt_flat_screen_free(flat->screen);
    flat->screen = screen;
}

size_t vt_flat_screen_covers(const vt_flat *flat)
{
    return flat->screen ? flat->screen->covered : 0;
}

typedef struct covering {
    const vt_flat *flat;
    size_t begin, end; /* rows */
    float *scratch;    /* (blocks, row_scratch) */
} covering;

static void block_cover(void *context, size_t number)
{
    const covering *c = context;
    vt_flat_screen *screen = c->flat->screen;
    size_t row = (c->begin / VT_FLAT_SCREEN_ROWS + number) * VT_FLAT_SCREEN_ROWS;
    size_t end = row + VT_FLAT_SCREEN_ROWS < c->end ? row + VT_FLAT_SCREEN_ROWS : c->end;
    for (row = row > c->begin ? row : c->begin; row < end; row++)
        row_put(screen, c->flat, row, c->scratch + number * row_scratch(screen));
}

vt_status vt_flat_screen_extend(vt_flat *flat, size_t rows, vt_pool *pool, vt_error *error)
{
    vt_flat_screen *screen = flat->screen;
    if (!screen || screen->covered == flat->count)
        return VT_OK;
    covering c = {.flat = flat, .begin = screen->covered, .end = flat->count};
    if (rows < c.end - c.begin)
        c.end = c.begin + rows;
    size_t first = c.begin / VT_FLAT_SCREEN_ROWS;
    size_t blocks = (c.end + VT_FLAT_SCREEN_ROWS - 1) / VT_FLAT_SCREEN_ROWS - first;
    c.scratch = vt_alloc_array(blocks, row_scratch(screen) * sizeof *c.scratch);
    bool held = c.scratch && rows_hold(screen, c.end);
    if (held) {
        vt_pool_for(pool, blocks, block_cover, &c);
        screen->covered = c.end;
    }
    vt_free(c.scratch);
    return held ? VT_OK : vt_fail_memory(error, "the screen");
}
