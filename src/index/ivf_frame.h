/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/index: what a snapshot of inverted lists holds, for both directions. No state. */
#ifndef VT_INDEX_IVF_FRAME_H
#define VT_INDEX_IVF_FRAME_H

#include "index/ivf_file.h"
#include "index/ivf_rows.h"

/* docs/formats/inverted-lists.md */
enum {
    IVF_TAG_PARAMETERS = 1,
    IVF_TAG_CENTROIDS = 2,
    IVF_TAG_BOOKS = 3,
    IVF_TAG_MEAN = 4,
    IVF_TAG_SIZES = 5,
    IVF_TAG_LIST = 6,
    IVF_FIRST_LISTS = 5, /* sections before those of lists */
};

typedef struct ivf_parameters {
    vt_hash model;
    uint32_t metric, code, sub_dim, dim, lists, lists_wanted;
    uint32_t precise, codec; /* precise: 0 or 1 */
    uint64_t seed, rows;
    uint32_t block_bytes, precise_bytes;
    uint32_t rotation, codec_rotation; /* CRC-32C of their signs */
    uint8_t zeros[32];
} ivf_parameters;
_Static_assert(sizeof(ivf_parameters) == 128, "the parameters have no gaps");

extern const vt_snapshot_kind ivf_file_kind;

/* Reads and checks the parameters of an open snapshot, as far as they can be checked alone. */
vt_status ivf_parameters_read(const vt_snapshot *file, ivf_parameters *out, vt_error *error);
vt_ivf_file_info ivf_file_info(const vt_snapshot *file, const ivf_parameters *parameters);
uint32_t ivf_rotation_sum(const vt_ivf *ivf);

static inline size_t ivf_list_bytes(const vt_ivf *ivf, size_t rows)
{
    size_t blocks = (rows + VT_FASTSCAN_BLOCK - 1) / VT_FASTSCAN_BLOCK;
    return blocks * ivf->block_bytes;
}

#endif
