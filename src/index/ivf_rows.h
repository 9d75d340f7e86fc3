/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How inverted lists hold their rows. Internal to this folder: ivf.c keeps them, ivf_code.c makes
 * codes, ivf_train.c and ivf_build.c fill, ivf_search.c reads; ivf_file.c and ivf_load.c save.
 *
 * Vectors are of length 1 where the metric is the cosine, padded with zeros to a width that is a
 * multiple of 64, and rotated at random; a row belongs to the list of the nearest centroid c and is
 * held as a code of r = x - c. All of this is in rotated space: centroids, codebooks, codes.
 *
 * A list is blocks of 32 rows, one after another; a block is
 *     codes     (groups, 16) bytes, as vector/fastscan.h has them
 *     factors   (3, 32) f32: scale, add, error
 *     ids, groups  (32) u32 each
 * and precise codes lie apart, (rows, precise_bytes), since few of them are ever looked at. Places
 * behind the last row are zero.
 *
 * Threads: whoever changes anything holds `writers`, and `rows` alone while a row goes in its place
 * or leaves it; whoever reads rows holds one of the two, `rows` shared. In that order. Centroids,
 * codebooks and the coder do not change once trained.
 */
#ifndef VT_INDEX_IVF_ROWS_H
#define VT_INDEX_IVF_ROWS_H

#include "index/ivf.h"
#include "index/rotation.h"
#include "vector/distance.h"
#include "vector/fastscan.h"

typedef struct ivf_locks {
    pthread_mutex_t writers;
    pthread_rwlock_t rows;
} ivf_locks;

typedef struct ivf_list {
    unsigned char *blocks;  /* (room / 32, block_bytes), owned; NULL while there is no room */
    unsigned char *precise; /* (room, precise_bytes), owned */
    size_t count, room;     /* rows; room is a multiple of 32 */
} ivf_list;

struct vt_ivf {
    vt_ivf_options options;
    ivf_locks *locks; /* owned */
    size_t dim, width;
    size_t groups, sub; /* codes of 4 bits, and the elements that share one */
    size_t block_bytes, precise_bytes;
    vt_rotation rotation;
    vt_coder *coder; /* of precise codes; where there are none it only checks vectors */
    const vt_distance_table *floats;
    const vt_fastscan_table *fastscan;
    size_t list_count; /* 0 until trained */
    float *centroids;  /* (list_count, width), owned */
    float *norms;      /* (list_count) squared lengths of centroids, owned */
    uint16_t *halves;  /* (list_count, width) centroids over `unit` in f16, owned: a single query
                          ranks lists by them, for half of the bytes */
    float unit;        /* a power of two, so that halves are from -1 to 1 */
    float *books;      /* (1 or groups, sub, 16) elements of what codes stand for, owned */
    ivf_list *lists;   /* (list_count), owned */
    size_t count;
    uint64_t *slots; /* open-addressing table id -> place + 1, owned */
    size_t slot_mask;
};

/* Where a row is. */
typedef struct ivf_place {
    uint32_t list, at;
} ivf_place;

/* A row on its way into a list. */
typedef struct ivf_row {
    uint32_t id, group;
    float factors[VT_FASTSCAN_FACTORS];
    const uint8_t *code; /* (groups) of 4 bits each */
    const void *precise; /* (precise_bytes) */
} ivf_row;

static const size_t IVF_MAX_ROWS = UINT32_MAX - 1;

/* ---- blocks ---- */

static inline unsigned char *ivf_block(const vt_ivf *ivf, const ivf_list *list, size_t at)
{
    return list->blocks + at / VT_FASTSCAN_BLOCK * ivf->block_bytes;
}

static inline float *ivf_factors(const vt_ivf *ivf, unsigned char *block)
{
    return (float *)(void *)(block + ivf->groups * VT_FASTSCAN_GROUP_BYTES);
}

static inline uint32_t *ivf_ids(const vt_ivf *ivf, unsigned char *block)
{
    return (uint32_t *)(void *)(ivf_factors(ivf, block) + VT_FASTSCAN_FACTORS * VT_FASTSCAN_BLOCK);
}

static inline uint32_t *ivf_groups(const vt_ivf *ivf, unsigned char *block)
{
    return ivf_ids(ivf, block) + VT_FASTSCAN_BLOCK;
}

static inline uint32_t ivf_id_at(const vt_ivf *ivf, ivf_place place)
{
    unsigned char *block = ivf_block(ivf, &ivf->lists[place.list], place.at);
    return ivf_ids(ivf, block)[place.at % VT_FASTSCAN_BLOCK];
}

static inline const float *ivf_book(const vt_ivf *ivf, size_t group)
{
    size_t book = ivf->options.code == VT_IVF_PQ ? group : 0;
    return ivf->books + book * ivf->sub * VT_FASTSCAN_ENTRIES;
}

static inline size_t ivf_books(const vt_ivf *ivf)
{
    return ivf->options.code == VT_IVF_PQ ? ivf->groups : 1;
}

/* ---- ivf.c ---- */
bool ivf_find(const vt_ivf *ivf, uint32_t id, ivf_place *out);
bool ivf_table_hold(vt_ivf *ivf, size_t rows);                 /* room; false: no memory */
void ivf_table_put(vt_ivf *ivf, uint32_t id, ivf_place place); /* the row is there, in its place */
bool ivf_list_hold(vt_ivf *ivf, ivf_list *list, size_t rows, bool exact);
/* With `writers` held: the row, not there yet, behind the last of the list; false: no memory,
 * nothing changed. */
bool ivf_append(vt_ivf *ivf, uint32_t list, const ivf_row *row);
bool ivf_take_out(vt_ivf *ivf, uint32_t id); /* with `writers` held; as vt_ivf_remove */
/* Memory for so many lists, empty ones, and for codebooks; where it fails nothing is left of it. */
vt_status ivf_lists_make(vt_ivf *ivf, size_t lists, vt_error *error);
void ivf_lists_drop(vt_ivf *ivf);
void ivf_centroids_note(vt_ivf *ivf); /* they are there: norms and halves of them */

/* ---- ivf_code.c ---- */
/* x or q as it is compared: out (width). */
void ivf_prepare(const vt_ivf *ivf, const float *vector, float *out);
/* x: (width) prepared, becomes r; code: (groups). */
void ivf_encode(const vt_ivf *ivf, uint32_t list, float *x, uint8_t *code, float *factors);
/* Tables of a prepared query: entries (groups, 16) f32, scratch; tables (groups, 16). Sets step,
 * base and slack (for epsilon 1) of the line. */
void ivf_tables(const vt_ivf *ivf, const float *query, float *entries, uint8_t *tables,
                vt_fastscan_line *line);

/* ---- ivf_build.c ---- */
/* The nearest centroid of each of at most IVF_TILE rows x (count, width); dots: (IVF_TILE,
 * IVF_TILE_LISTS) scratch. */
enum { IVF_TILE = 32, IVF_TILE_LISTS = 128 };
void ivf_assign(const vt_ivf *ivf, const float *x, size_t count, float *dots, uint32_t *lists);

/* ---- ivf_check.c ---- */
/* The numbers of a row can be searched with; scratch: (width of the coder). */
bool ivf_row_is_sound(const vt_ivf *ivf, const ivf_list *list, size_t at, float *scratch);
bool ivf_rest_is_zero(const vt_ivf *ivf, const ivf_list *list); /* places behind the last row */

#endif
