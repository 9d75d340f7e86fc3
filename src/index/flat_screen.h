/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The screen of an exact index: byte codes of every row along a few axes, which say at a tenth of
 * the reading which rows cannot be among the nearest. Internal to this folder.
 *
 * Method. A row v and a query q have the elements Bv and Bq along axes B at right angles
 * (vector/axes.h), and what is left of them has the lengths t_v and t_q. Bv and Bq are rounded to
 * bytes: s_v c_v is at most e_v away from Bv, s_q c_q at most e_q from Bq. By Cauchy and Schwarz
 *     q . v <= s_q s_v (c_q . c_v) + |Bq| e_v + |v| e_q + t_q t_v
 * (|s_v c_v| <= |v| + e_v is what e_q is multiplied by). A row whose right side falls short of what
 * is held already is done with; the others are compared as ever. So answers are what they are
 * without a screen, bit by bit, whatever the data; how many rows are left depends on how much of
 * their lengths lies along the axes. (Bounds from few dimensions first, for exact search: Li, Chan,
 * Yiu and Mamoulis, FEXIPRO: fast and exact inner product retrieval in recommender systems, SIGMOD
 * 2017.) Rounding is in the bounds: a sum of n products in f32 is within n 2^-24 of the product of
 * the lengths.
 *
 * Blocks of VT_FLAT_SCREEN_ROWS rows have their own largest e_v and |v|.
 *
 * Beside these codes, which lie in groups of rows as scans want them, each row has one of a bit an
 * element in one piece (index/codec.h, VT_CODEC_RABITQ), for who looks at single rows and can do
 * with estimates: flat_pick.c.
 *
 * Threads: as flat.h says.
 */
#ifndef VT_INDEX_FLAT_SCREEN_H
#define VT_INDEX_FLAT_SCREEN_H

#include "index/flat_rows.h"
#include "vector/screen.h"

enum {
    VT_FLAT_SCREEN_ROWS = 512,
    VT_FLAT_SCREEN_ZERO = 128, /* what stands for 0 in the code of a row */
    VT_FLAT_SIGNS = 1 << 16,   /* rows of a piece of memory for the codes of a bit an element */
};

typedef struct vt_flat_screen_block {
    uint8_t *codes; /* (rows, width) as vector/screen.h has them; owned, with what follows */
    float *scales, *tails;
    float error, length; /* the largest e_v and |v| */
} vt_flat_screen_block;

struct vt_flat_screen {
    size_t dim, width;
    float *sample; /* (sample_count, dim) until it is trained, owned */
    size_t sample_count;
    float *axes;                               /* (width, dim), owned */
    vt_coder *coder;                           /* of dot products, owned */
    size_t sign_bytes;                         /* of a row, whole lines of the cache */
    uint8_t **signs;                           /* (sign_count) of VT_FLAT_SIGNS rows each; owned */
    size_t sign_count, sign_room, first_signs; /* first_signs: rows of the first, as it grows */
    float slack;    /* what rounding and skew may come to, as a part of |q| |v| */
    size_t covered; /* rows 0 .. covered - 1 have codes */
    vt_flat_screen_block *blocks;
    size_t block_count, block_room;
    float *scratch; /* of the row that comes, owned */
};

static inline uint8_t *vt_flat_signs(const vt_flat_screen *screen, size_t row)
{
    return screen->signs[row / VT_FLAT_SIGNS] + row % VT_FLAT_SIGNS * screen->sign_bytes;
}

/* A row is about to come; of what is covered. False: memory is out. */
bool vt_flat_screen_hold(vt_flat *flat);
/* The row behind the last has been written, and counts from now on. */
void vt_flat_screen_added(vt_flat *flat);
/* The last row has been written over `row`, and goes. */
void vt_flat_screen_removed(vt_flat *flat, size_t row);
size_t vt_flat_screen_bytes(const vt_flat_screen *screen);

/* A float that is not below; the least there is for what is too small for floats. */
static inline float vt_flat_up(double value)
{
    return (float)(value * (1 + 0x1p-22)) + 0x1p-149f;
}

/* A vector along the axes, and its code. */
typedef struct vt_flat_projected {
    float scale, error;       /* s and e */
    float head, tail, length; /* |Bv|, t, |v| */
} vt_flat_projected;

/* Elements of vectors (count, dim) along the axes: (count, width). */
void vt_flat_heads(const vt_flat_screen *screen, const float *vectors, size_t count, float *heads);
/* head: (width) of the vector, afterwards its code: whole numbers, `most` at most either way, to be
 * multiplied by the scale. */
vt_flat_projected vt_flat_project(const vt_flat_screen *screen, const float *vector, int most,
                                  float *head);

/* ---- flat_screened.c: scanning with it ---- */

/* A block of queries as the screen sees them; constant while rows are scanned. */
typedef struct vt_flat_screened {
    const vt_flat *flat;
    const vt_scan_options *options;
    const vt_idset_bits *groups; /* that rows must have; borrowed; NULL: all pass */
    const float *vectors;        /* (count, dim), of length 1 under the cosine */
    size_t count;
    int8_t *codes;              /* (room, width), owned as what follows is */
    vt_flat_projected *queries; /* (room) */
    int32_t *offsets;           /* (room) what the codes' sums take back */
    float *heads;               /* (room, width) scratch */
} vt_flat_screened;

bool vt_flat_screened_init(vt_flat_screened *screened, const vt_flat *flat,
                           const vt_scan_options *options, size_t room,
                           const vt_idset_bits *groups);
void vt_flat_screened_deinit(vt_flat_screened *screened);
/* vectors: as above, borrowed; count <= room. */
void vt_flat_screened_take(vt_flat_screened *screened, const float *vectors, size_t count);

/* What one thread needs for it. */
typedef struct vt_flat_screener {
    vt_screen_query *lines; /* (room), owned */
    uint16_t *masks;        /* (room, groups of a block), owned */
} vt_flat_screener;

bool vt_flat_screener_init(vt_flat_screener *screener, size_t room);
void vt_flat_screener_deinit(vt_flat_screener *screener);
/* Offers rows first .. first + count - 1, of one block and from the beginning of a group, to the
 * best of each query, tops: (screened->count). Returns how many were compared by their vectors, of
 * all queries together. */
size_t vt_flat_screened_scan(const vt_flat_screened *screened, const vt_flat_screener *screener,
                             size_t first, size_t count, vt_topk *tops);

#endif
