/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of AMX, compiled against functions that do what the instructions do, so that they are
 * tested on processors without tiles too. What a processor would refuse (Intel, "Software
 * Developer's Manual", volume 2, TILELOADD, TDPBSUD) aborts.
 *
 * Threads: one at a time.
 */
#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { EMULATED_TILES = 8, TILE_ROWS = 16, TILE_BYTES = 64, GROUP = 4 };

typedef struct emulated_tile {
    int rows, bytes; /* of a row; 0: not configured */
    uint8_t data[TILE_ROWS][TILE_BYTES];
} emulated_tile;

static emulated_tile emulated_tiles[EMULATED_TILES];

static void want(int condition)
{
    if (!condition)
        abort();
}

static emulated_tile *configured(int which)
{
    want(which >= 0 && which < EMULATED_TILES && emulated_tiles[which].rows > 0 &&
         emulated_tiles[which].bytes > 0);
    return &emulated_tiles[which];
}

static void emulated_release(void)
{
    memset(emulated_tiles, 0, sizeof emulated_tiles);
}

static void emulated_configure(const void *from)
{
    const uint8_t *shapes = from;
    emulated_release();
    want(shapes[0] == 1);
    for (int i = 1; i < 16; i++)
        want(shapes[i] == 0);
    for (int i = 0; i < 16; i++) {
        uint16_t bytes;
        memcpy(&bytes, shapes + 16 + 2 * i, sizeof bytes);
        int rows = shapes[48 + i];
        want(rows <= TILE_ROWS && bytes <= TILE_BYTES && (rows > 0) == (bytes > 0));
        want(i < EMULATED_TILES || rows == 0);
        if (i < EMULATED_TILES) {
            emulated_tiles[i].rows = rows;
            emulated_tiles[i].bytes = bytes;
        }
    }
}

static void emulated_zero(int which)
{
    memset(configured(which)->data, 0, sizeof emulated_tiles[which].data);
}

static void emulated_load(int which, const void *from, size_t stride)
{
    emulated_tile *to = configured(which);
    for (int row = 0; row < to->rows; row++)
        memcpy(to->data[row], (const uint8_t *)from + (size_t)row * stride, (size_t)to->bytes);
}

static void emulated_store(int which, void *to, size_t stride)
{
    const emulated_tile *from = configured(which);
    for (int row = 0; row < from->rows; row++)
        memcpy((uint8_t *)to + (size_t)row * stride, from->data[row], (size_t)from->bytes);
}

/* Signed bytes of `a`, unsigned ones of `b`. */
static void emulated_multiply(int sum, int first, int second)
{
    emulated_tile *to = configured(sum);
    const emulated_tile *a = configured(first), *b = configured(second);
    want(sum != first && sum != second && first != second);
    want(to->rows == a->rows && to->bytes == b->bytes && a->bytes == b->rows * GROUP);
    for (int row = 0; row < to->rows; row++)
        for (int column = 0; column < to->bytes / GROUP; column++) {
            uint32_t total;
            memcpy(&total, to->data[row] + column * GROUP, sizeof total);
            for (int k = 0; k < a->bytes; k++)
                total += (uint32_t)((int32_t)(int8_t)a->data[row][k] *
                                    (int32_t)b->data[k / GROUP][column * GROUP + k % GROUP]);
            memcpy(to->data[row] + column * GROUP, &total, sizeof total);
        }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbsud
#define _tile_loadconfig    emulated_configure
#define _tile_release       emulated_release
#define _tile_zero          emulated_zero
#define _tile_loadd         emulated_load
#define _tile_stored        emulated_store
#define _tile_dpbsud        emulated_multiply
#define vt_screen_table_amx vt_screen_table_emulated
#include "vector/screen_levels.h"
extern const vt_screen_table vt_screen_table_emulated;
#include "../src/vector/screen_amx.c"
