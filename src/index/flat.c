/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact index: keeping the rows (searching is flat_search.c).
 *
 * Method: rows in segments (flat_rows.h), and a hash table from id to row with linear probing and
 * deletion by shifting back (Knuth, The Art of Computer Programming 3, 6.4, algorithm R). The table
 * holds row numbers only; the id is looked up in the row. A removed row is overwritten by the last
 * one.
 *
 * Segments of 2 MiB and more ask for huge pages: a scan touches every page once, and with pages of
 * 4 KiB waits for the page table as well as for the data.
 */
#include "index/codec_kinds.h"
#include "index/flat_rows.h"
#include "index/flat_screen.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

static const size_t SEGMENT_BYTES = (size_t)16 << 20;
static const size_t SEGMENT_MAX_ROWS = 65536; /* bounds ids and groups where vectors are tiny */
static const size_t FIRST_ROWS = 64;

static vt_status coder_make(vt_flat *flat, vt_error *error)
{
    if (flat->codec == VT_CODEC_F32 || flat->codec == VT_CODEC_F16)
        return VT_OK;
    vt_status status = vt_coder_new(flat->codec, flat->metric, flat->dim, &flat->coder, error);
    if (status != VT_OK)
        return status;
    flat->row_bytes = vt_coder_code_bytes(flat->coder);
    flat->scratch = vt_alloc_array(vt_coder_width(flat->coder) + flat->dim, sizeof(float));
    return flat->scratch ? VT_OK : vt_fail_memory(error, "vector index");
}

vt_status vt_flat_new(size_t dim, vt_codec codec, vt_metric metric, vt_flat **out, vt_error *error)
{
    if (dim < 1 || dim > VT_FLAT_MAX_DIM)
        return vt_fail(error, VT_ERR_USAGE, "make an index of %zu dimensions: must be 1 to %d", dim,
                       VT_FLAT_MAX_DIM);
    if ((unsigned)codec >= VT_CODEC_COUNT || codec == VT_CODEC_INT4X2 ||
        (metric != VT_METRIC_DOT && metric != VT_METRIC_COSINE && metric != VT_METRIC_L2))
        return vt_fail(error, VT_ERR_USAGE,
                       "make an exact index: codec %d or metric %d is none of its own", (int)codec,
                       (int)metric);
    vt_flat *flat = vt_calloc(1, sizeof *flat);
    if (!flat)
        return vt_fail_memory(error, "vector index");
    flat->dim = dim;
    flat->codec = codec;
    flat->metric = metric;
    flat->row_bytes = dim * (codec == VT_CODEC_F16 ? sizeof(uint16_t) : sizeof(float));
    flat->kernels = vt_distance();
    vt_status status = coder_make(flat, error);
    if (status != VT_OK) {
        vt_flat_free(flat);
        return status;
    }
    flat->segment_rows = FIRST_ROWS;
    while (flat->segment_rows < SEGMENT_MAX_ROWS &&
           flat->segment_rows * 2 * flat->row_bytes <= SEGMENT_BYTES)
        flat->segment_rows *= 2;
    flat->segment_shift = (unsigned)__builtin_ctzll(flat->segment_rows);
    *out = flat;
    return VT_OK;
}

void vt_flat_free(vt_flat *flat)
{
    if (!flat)
        return;
    for (size_t i = 0; i < flat->segment_count; i++)
        vt_free(flat->segments[i].vectors);
    vt_free(flat->segments);
    vt_free(flat->slots);
    vt_flat_screen_free(flat->screen);
    vt_coder_free(flat->coder);
    vt_free(flat->scratch);
    vt_free(flat);
}

size_t vt_flat_count(const vt_flat *flat)
{
    return flat->count;
}

size_t vt_flat_dim(const vt_flat *flat)
{
    return flat->dim;
}

size_t vt_flat_bytes(const vt_flat *flat)
{
    size_t bytes = sizeof *flat + flat->segment_room * sizeof *flat->segments;
    if (flat->slots)
        bytes += (flat->slot_mask + 1) * sizeof *flat->slots;
    for (size_t i = 0; i < flat->segment_count; i++)
        bytes += flat->segments[i].bytes;
    return flat->screen ? bytes + vt_flat_screen_bytes(flat->screen) : bytes;
}

/* ---- segments ---- */

static bool segment_make(const vt_flat *flat, size_t rows, flat_segment *out)
{
    bool scaled = flat->metric == VT_METRIC_COSINE && !flat->coder;
    /* Within 65536 rows of at most 256 KiB each: no overflow to check for. */
    size_t vector_bytes = (rows * flat->row_bytes + 63) / 64 * 64;
    size_t bytes = vector_bytes + rows * (2 * sizeof(uint32_t) + (scaled ? sizeof(float) : 0));
    char *memory = vt_alloc_large(bytes);
    if (!memory)
        return false;
    out->vectors = memory;
    out->ids = (uint32_t *)(void *)(memory + vector_bytes);
    out->groups = out->ids + rows;
    out->scales = scaled ? (float *)(void *)(out->groups + rows) : NULL;
    out->capacity = rows;
    out->bytes = bytes;
    return true;
}

/* The first segment doubles until it is a whole one. */
static bool first_segment_grow(vt_flat *flat, size_t rows)
{
    flat_segment *first = &flat->segments[0], bigger;
    size_t capacity = FIRST_ROWS;
    while (capacity < rows)
        capacity *= 2;
    if (!segment_make(flat, capacity, &bigger))
        return false;
    if (flat->segment_count > 0) {
        memcpy(bigger.vectors, first->vectors, flat->count * flat->row_bytes);
        memcpy(bigger.ids, first->ids, flat->count * sizeof *first->ids);
        memcpy(bigger.groups, first->groups, flat->count * sizeof *first->groups);
        if (first->scales)
            memcpy(bigger.scales, first->scales, flat->count * sizeof *first->scales);
        vt_free(first->vectors);
    }
    *first = bigger;
    flat->segment_count = flat->segment_count > 0 ? flat->segment_count : 1;
    return true;
}

/* Room for `rows` in all. */
static bool segments_hold(vt_flat *flat, size_t rows)
{
    size_t first_rows = rows < flat->segment_rows ? rows : flat->segment_rows;
    size_t needed = (rows + flat->segment_rows - 1) / flat->segment_rows;
    if (needed > flat->segment_room) {
        void *grown = flat->segments;
        if (!vt_grow(&grown, &flat->segment_room, needed, sizeof(flat_segment), VT_FLAT_MAX_ROWS))
            return false;
        flat->segments = grown;
    }
    if (needed > 0 && (flat->segment_count == 0 || flat->segments[0].capacity < first_rows) &&
        !first_segment_grow(flat, first_rows))
        return false;
    for (; flat->segment_count < needed; flat->segment_count++)
        if (!segment_make(flat, flat->segment_rows, &flat->segments[flat->segment_count]))
            return false;
    return true;
}

/* Gives back what removals have emptied, but keeps one segment against adding and removing in turn.
 */
static void segments_trim(vt_flat *flat)
{
    size_t rows = flat->count > flat->reserved_rows ? flat->count : flat->reserved_rows;
    size_t needed = (rows + flat->segment_rows - 1) / flat->segment_rows;
    while (flat->segment_count > needed + 1)
        vt_free(flat->segments[--flat->segment_count].vectors);
}

/* ---- id -> row ---- */

static uint32_t row_id(const vt_flat *flat, size_t row)
{
    return vt_flat_segment(flat, row)->ids[vt_flat_place(flat, row)];
}

/* Fibonacci hashing; ids are numbers of our own making. The upper bits of the product are the mixed
 * ones. */
static size_t slot_home(const vt_flat *flat, uint32_t id)
{
    return (size_t)(id * 0x9e3779b97f4a7c15u >> 32) & flat->slot_mask;
}

/* The slot of the id, or the empty one where it belongs. There is always an empty one. */
static flat_slot *slot_find(const vt_flat *flat, uint32_t id)
{
    size_t slot = slot_home(flat, id);
    while (flat->slots[slot].held && flat->slots[slot].id != id)
        slot = (slot + 1) & flat->slot_mask;
    return &flat->slots[slot];
}

static void slot_put(const vt_flat *flat, uint32_t id, size_t row)
{
    *slot_find(flat, id) = (flat_slot){id, (uint32_t)(row + 1)};
}

static void slot_remove(vt_flat *flat, size_t hole)
{
    flat->slots[hole].held = 0;
    for (size_t slot = (hole + 1) & flat->slot_mask; flat->slots[slot].held;
         slot = (slot + 1) & flat->slot_mask) {
        /* What sits here may move back unless its home lies behind the hole. */
        size_t home = slot_home(flat, flat->slots[slot].id);
        if (((slot - home) & flat->slot_mask) < ((slot - hole) & flat->slot_mask))
            continue;
        flat->slots[hole] = flat->slots[slot];
        flat->slots[slot].held = 0;
        hole = slot;
    }
}

/* Room for `rows` ids at a load of at most two thirds. */
static bool slots_hold(vt_flat *flat, size_t rows)
{
    size_t have = flat->slots ? flat->slot_mask + 1 : 0, want = have ? have : 2 * FIRST_ROWS;
    while (want / 3 * 2 < rows)
        want *= 2;
    if (want == have)
        return true;
    flat_slot *slots = vt_alloc_large(want * sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0, want * sizeof *slots);
    vt_free(flat->slots);
    flat->slots = slots;
    flat->slot_mask = want - 1;
    for (size_t row = 0; row < flat->count; row++)
        slot_put(flat, row_id(flat, row), row);
    return true;
}

size_t vt_flat_row_of(const vt_flat *flat, uint32_t id)
{
    if (!flat->slots)
        return VT_FLAT_MAX_ROWS;
    uint32_t held = slot_find(flat, id)->held;
    return held ? held - 1 : VT_FLAT_MAX_ROWS;
}

size_t vt_flat_rows_of(const vt_flat *flat, const uint32_t *ids, size_t count, uint32_t *rows)
{
    enum { AHEAD = 16 };
    size_t found = 0;
    for (size_t i = 0; flat->slots && i < count + AHEAD; i++) {
        if (i < count)
            __builtin_prefetch(&flat->slots[slot_home(flat, ids[i])], 0, 3);
        if (i < AHEAD)
            continue;
        uint32_t held = slot_find(flat, ids[i - AHEAD])->held;
        rows[found] = held - 1;
        found += held != 0;
    }
    return found;
}

vt_status vt_flat_reserve(vt_flat *flat, size_t rows, vt_error *error)
{
    if (rows > VT_FLAT_MAX_ROWS)
        return vt_fail(error, VT_ERR_LIMIT, "reserve %zu vectors: the index holds at most %zu",
                       rows, VT_FLAT_MAX_ROWS);
    if (!segments_hold(flat, rows) || !slots_hold(flat, rows))
        return vt_fail_memory(error, "vector index");
    if (rows > flat->reserved_rows)
        flat->reserved_rows = rows;
    return VT_OK;
}

/* ---- rows ---- */

vt_status vt_flat_vector_check(const float *vector, size_t dim, const char *action, vt_error *error)
{
    double length = sqrt(vt_vector_squares(vector, dim));
    if (!isfinite(length)) /* no finite f32 can do that to a double */
        return vt_fail(error, VT_ERR_USAGE, "%s: the vector is not finite", action);
    if (length > VT_FLAT_MAX_LENGTH)
        return vt_fail(error, VT_ERR_USAGE, "%s: the vector is longer than %g", action,
                       VT_FLAT_MAX_LENGTH);
    return VT_OK;
}

vt_status vt_flat_row_check(const vt_flat *flat, const float *vector, const char *action,
                            vt_error *error)
{
    return flat->coder ? vt_coder_check(flat->coder, vector, action, error)
                       : vt_flat_vector_check(vector, flat->dim, action, error);
}

vt_status vt_flat_train(vt_flat *flat, const float *rows, size_t count, vt_error *error)
{
    if (flat->count > 0)
        return vt_fail(error, VT_ERR_USAGE, "train the index: it has rows already");
    for (size_t i = 0; i < count; i++) {
        vt_status status = vt_flat_row_check(flat, rows + i * flat->dim, "train the index", error);
        if (status != VT_OK)
            return vt_fail_context(error, status, "row %zu of %zu", i + 1, count);
    }
    if (flat->coder)
        vt_coder_train(flat->coder, rows, count);
    return VT_OK;
}

/* A vector too short to be divided by its length in f32 counts as zero: similar to nothing. */
static float scale_of(double length)
{
    return length < 0x1p-126 ? 0.0f : (float)(1.0 / length);
}

/* Makes the row after the last; what it holds is the caller's to write before it counts. */
static vt_status row_make(vt_flat *flat, uint32_t id, flat_segment **segment, size_t *at,
                          vt_error *error)
{
    if (vt_flat_row_of(flat, id) != VT_FLAT_MAX_ROWS)
        return vt_fail(error, VT_ERR_EXISTS, "add vector %u to the index: it is there already", id);
    if (flat->count == VT_FLAT_MAX_ROWS)
        return vt_fail(error, VT_ERR_LIMIT, "add vector %u to the index: it is full", id);
    if (!segments_hold(flat, flat->count + 1) || !slots_hold(flat, flat->count + 1) ||
        !vt_flat_screen_hold(flat))
        return vt_fail_memory(error, "vector index");
    *segment = vt_flat_segment(flat, flat->count);
    *at = vt_flat_place(flat, flat->count);
    return VT_OK;
}

static void row_finish(vt_flat *flat, uint32_t id, uint32_t group)
{
    flat_segment *segment = vt_flat_segment(flat, flat->count);
    size_t at = vt_flat_place(flat, flat->count);
    segment->ids[at] = id;
    segment->groups[at] = group;
    slot_put(flat, id, flat->count);
    vt_flat_screen_added(flat);
    flat->count++;
}

/* Length of f16 elements by their values; infinite or NaN when one of them is. */
static double half_length(const vt_flat *flat, const uint16_t *vector)
{
    double sum = 0.0;
    float part[64];
    for (size_t i = 0; i < flat->dim; i += 64) {
        size_t n = flat->dim - i < 64 ? flat->dim - i : 64;
        flat->kernels->f16_to_f32(vector + i, part, n);
        double length = sqrt(vt_vector_squares(part, n));
        sum += length * length;
    }
    return sqrt(sum);
}

vt_status vt_flat_add(vt_flat *flat, uint32_t id, uint32_t group, const float *vector,
                      vt_error *error)
{
    flat_segment *segment;
    size_t at;
    vt_status status = vt_flat_row_check(flat, vector, "add a vector to the index", error);
    if (status == VT_OK)
        status = row_make(flat, id, &segment, &at, error);
    if (status != VT_OK)
        return status;
    void *row = (char *)segment->vectors + at * flat->row_bytes;
    double length = 0.0;
    if (flat->coder) {
        vt_coder_encode(flat->coder, vector, flat->scratch, row, NULL);
    } else if (flat->codec == VT_CODEC_F16) {
        flat->kernels->f32_to_f16(vector, row, flat->dim);
        length = half_length(flat, row);
        if (!isfinite(length))
            return vt_fail(error, VT_ERR_USAGE,
                           "add vector %u to the index: half precision ends at 65504", id);
    } else {
        memcpy(row, vector, flat->row_bytes);
        length = sqrt(vt_vector_squares(vector, flat->dim));
    }
    if (segment->scales)
        segment->scales[at] = scale_of(length);
    row_finish(flat, id, group);
    return VT_OK;
}

vt_status vt_flat_add_f16(vt_flat *flat, uint32_t id, uint32_t group, const uint16_t *vector,
                          vt_error *error)
{
    double length = half_length(flat, vector);
    if (!isfinite(length))
        return vt_fail(error, VT_ERR_USAGE, "add vector %u to the index: it is not finite", id);
    if (flat->coder) {
        float *wide = flat->scratch + vt_coder_width(flat->coder);
        flat->kernels->f16_to_f32(vector, wide, flat->dim);
        return vt_flat_add(flat, id, group, wide, error);
    }
    flat_segment *segment;
    size_t at;
    vt_status status = row_make(flat, id, &segment, &at, error);
    if (status != VT_OK)
        return status;
    void *row = (char *)segment->vectors + at * flat->row_bytes;
    if (flat->codec == VT_CODEC_F16)
        memcpy(row, vector, flat->row_bytes);
    else
        flat->kernels->f16_to_f32(vector, row, flat->dim);
    if (segment->scales)
        segment->scales[at] = scale_of(length);
    row_finish(flat, id, group);
    return VT_OK;
}

bool vt_flat_remove(vt_flat *flat, uint32_t id)
{
    size_t row = vt_flat_row_of(flat, id);
    if (row == VT_FLAT_MAX_ROWS)
        return false;
    slot_remove(flat, (size_t)(slot_find(flat, id) - flat->slots));
    size_t last = flat->count - 1;
    if (row != last) {
        slot_put(flat, row_id(flat, last), row);
        flat_segment *to = vt_flat_segment(flat, row);
        flat_segment *from = vt_flat_segment(flat, last);
        size_t to_at = vt_flat_place(flat, row), from_at = vt_flat_place(flat, last);
        memcpy((char *)to->vectors + to_at * flat->row_bytes,
               (const char *)from->vectors + from_at * flat->row_bytes, flat->row_bytes);
        to->ids[to_at] = from->ids[from_at];
        to->groups[to_at] = from->groups[from_at];
        if (to->scales)
            to->scales[to_at] = from->scales[from_at];
    }
    vt_flat_screen_removed(flat, row);
    flat->count--;
    segments_trim(flat);
    return true;
}

void vt_flat_row_read(const vt_flat *flat, size_t row, float *out)
{
    const void *stored = vt_flat_row_vector(flat, row);
    if (flat->codec == VT_CODEC_F16)
        flat->kernels->f16_to_f32(stored, out, flat->dim);
    else
        memcpy(out, stored, flat->row_bytes);
}

bool vt_flat_get(const vt_flat *flat, uint32_t id, float *vector)
{
    size_t row = vt_flat_row_of(flat, id);
    if (row == VT_FLAT_MAX_ROWS)
        return false;
    if (flat->coder) {
        if (flat->coder->kind->decode)
            flat->coder->kind->decode(flat->coder, vt_flat_row_vector(flat, row), vector);
        return flat->coder->kind->decode != NULL;
    }
    vt_flat_row_read(flat, row, vector);
    return true;
}

bool vt_flat_get_row(const vt_flat *flat, uint32_t id, float *vector, uint32_t *group)
{
    size_t row = vt_flat_row_of(flat, id);
    if (row == VT_FLAT_MAX_ROWS)
        return false;
    *group = vt_flat_segment(flat, row)->groups[vt_flat_place(flat, row)];
    return vt_flat_get(flat, id, vector);
}
