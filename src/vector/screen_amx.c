/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels that screen rows in AMX. TDPBSUD multiplies a tile of 16 queries of up to 64 signed
 * bytes by one of as many unsigned bytes of 16 rows and adds to 16 x 16 sums, without saturation.
 * The second tile wants four elements of all rows after the other, which is how groups lie: they
 * are loaded as they are. Two tiles of queries meet two groups, so that each load serves two
 * products (Intel, "Optimization Reference Manual", chapter 20).
 *
 * Codes of queries are copied to where they lie 64 bytes apart, each tile after the other. A width
 * that is no multiple of 64 has a last tile that begins earlier, over elements that were counted:
 * they are 0 in the queries' copy.
 */
#include <immintrin.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "vector/screen_avx512.h"

/* Names of tiles, which the compiler wants to see as numbers. */
#define SUMS_00   0
#define SUMS_01   1
#define SUMS_10   2
#define SUMS_11   3
#define QUERIES_0 4
#define QUERIES_1 5
#define ROWS_0    6
#define ROWS_1    7

enum {
    SIDE = 16,          /* rows of a tile */
    LINE = 64,          /* bytes of one of its rows */
    QUERIES = 2 * SIDE, /* that meet a group at once */
    QUERIES_LEAST = 8,  /* fewer leave most of their tile empty */
    TILES = 8,
    CHUNKS = VT_SCREEN_MAX_WIDTH / LINE,
    ALL_SUMS = 2 * 2 * SIDE * SIDE
};

/* The operand of LDTILECFG, palette 1. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* Queries as tiles take them. */
typedef struct packed {
    int8_t codes[CHUNKS][QUERIES][LINE];
    size_t width, chunks, chunk; /* chunk: elements of a tile's row, at most LINE */
} packed;

/* The element that chunk number `c` begins at. */
static size_t chunk_start(const packed *queries, size_t c)
{
    size_t last = queries->width - queries->chunk;
    return c * LINE < last ? c * LINE : last;
}

static void tiles_begin(size_t chunk)
{
    _Alignas(LINE) tile_shapes shapes = {.palette = 1};
    for (int tile = 0; tile < TILES; tile++) {
        shapes.rows[tile] = SIDE;
        shapes.row_bytes[tile] = LINE;
    }
    shapes.row_bytes[QUERIES_0] = shapes.row_bytes[QUERIES_1] = (uint16_t)chunk;
    shapes.rows[ROWS_0] = shapes.rows[ROWS_1] = (uint8_t)(chunk / VT_SCREEN_STEP);
    _tile_loadconfig(&shapes);
}

/* At most QUERIES; the others are 0. */
static void pack_queries(packed *to, const vt_screen_query *queries, size_t count)
{
    for (size_t c = 0; c < to->chunks; c++) {
        const size_t counted = c * LINE - chunk_start(to, c); /* by the tile before */
        memset(to->codes[c], 0, sizeof to->codes[c]);
        for (size_t q = 0; q < count; q++)
            memcpy(to->codes[c][q] + counted, queries[q].code + c * LINE, to->chunk - counted);
    }
}

/* Of both tiles of queries with groups that begin at `first` and `second`. */
static void products(const packed *queries, const uint8_t *first, const uint8_t *second,
                     int32_t *sums)
{
    _tile_zero(SUMS_00);
    _tile_zero(SUMS_01);
    _tile_zero(SUMS_10);
    _tile_zero(SUMS_11);
    for (size_t c = 0; c < queries->chunks; c++) {
        const size_t at = chunk_start(queries, c) * VT_SCREEN_GROUP;
        _tile_loadd(QUERIES_0, queries->codes[c], LINE);
        _tile_loadd(ROWS_0, first + at, LINE);
        _tile_dpbsud(SUMS_00, QUERIES_0, ROWS_0);
        _tile_loadd(ROWS_1, second + at, LINE);
        _tile_dpbsud(SUMS_01, QUERIES_0, ROWS_1);
        _tile_loadd(QUERIES_1, queries->codes[c] + SIDE, LINE);
        _tile_dpbsud(SUMS_10, QUERIES_1, ROWS_0);
        _tile_dpbsud(SUMS_11, QUERIES_1, ROWS_1);
    }
    _tile_stored(SUMS_00, sums, LINE);
    _tile_stored(SUMS_01, sums + SIDE * SIDE, LINE);
    _tile_stored(SUMS_10, sums + 2 * SIDE * SIDE, LINE);
    _tile_stored(SUMS_11, sums + 3 * SIDE * SIDE, LINE);
}

/* sums: of tile (query / SIDE, column) for the group; masks: the group's of the first query. */
static void masks_of(const vt_screen_rows *rows, size_t group, const vt_screen_query *queries,
                     size_t count, const int32_t *sums, size_t column, uint16_t *masks)
{
    for (size_t q = 0; q < count; q++) {
        const int32_t *line = sums + ((q / SIDE * 2 + column) * SIDE + q % SIDE) * VT_SCREEN_GROUP;
        masks[q * rows->groups] = vt_screen_mask(
            rows, group, &queries[q],
            _mm512_add_epi32(_mm512_load_si512(line), _mm512_set1_epi32(queries[q].offset)));
    }
}

/* At most QUERIES, which are packed, with all rows. */
static void pass_packed(const vt_screen_rows *rows, const packed *codes,
                        const vt_screen_query *queries, size_t count, uint16_t *masks)
{
    _Alignas(LINE) int32_t sums[ALL_SUMS];
    const size_t bytes = rows->width * VT_SCREEN_GROUP;
    for (size_t group = 0; group < rows->groups; group += 2) {
        const bool two = group + 1 < rows->groups;
        const uint8_t *first = rows->codes + group * bytes;
        products(codes, first, two ? first + bytes : first, sums);
        masks_of(rows, group, queries, count, sums, 0, masks + group);
        if (two)
            masks_of(rows, group + 1, queries, count, sums, 1, masks + group + 1);
    }
}

static void pass(const vt_screen_rows *rows, const vt_screen_query *queries, size_t count,
                 uint16_t *masks)
{
    packed codes;
    if (count < QUERIES_LEAST) {
        vt_screen_table_avx512.pass(rows, queries, count, masks);
        return;
    }
    codes.width = rows->width;
    codes.chunk = rows->width < LINE ? rows->width : LINE;
    codes.chunks = (rows->width + LINE - 1) / LINE;
    tiles_begin(codes.chunk);
    for (size_t q = 0; q < count; q += QUERIES) {
        size_t some = count - q < QUERIES ? count - q : QUERIES;
        pack_queries(&codes, queries + q, some);
        /* Loads of tiles do not tell every compiler that they read memory. */
        atomic_signal_fence(memory_order_seq_cst);
        pass_packed(rows, &codes, queries + q, some, masks + q * rows->groups);
    }
    _tile_release();
}

const vt_screen_table vt_screen_table_amx = {.pass = pass, .query_most = 127};
