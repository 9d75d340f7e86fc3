/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layouts of tensors as oneDNN describes them: making them, and following their addresses.
 *
 *     vt_layout *any = vt_layout_new_any(shape->rank, shape->dims, VT_F32);   // a primitive fills
 * it in if (vt_layout_is_plain(layout)) ...                                     // its bytes are
 * row-major vt_layout_free(any);
 *
 * Threads: no shared state.
 */
#ifndef VT_NN_DNNL_LAYOUT_H
#define VT_NN_DNNL_LAYOUT_H

#include "nn/dnnl/compat.h"

enum { VT_LAYOUT_MAX_RANK = DNNL_MAX_NDIMS };

/* The caller's (vt_layout_free); NULL: no memory. Rank 0 is described as one dimension of 1. */
vt_layout *vt_layout_new_plain(int rank, const int64_t *dims, vt_dtype dtype); /* row-major */
vt_layout *vt_layout_new_any(int rank, const int64_t *dims,
                             vt_dtype dtype); /* the primitive chooses */
vt_layout *vt_layout_new_strided(int rank, const int64_t *dims, const int64_t *strides,
                                 vt_dtype dtype);
int vt_layout_dims(const vt_layout *layout,
                   int64_t dims[VT_LAYOUT_MAX_RANK]); /* returns the rank */
bool vt_layout_is_none(
    const vt_layout *layout); /* NULL, or the empty one that queries may answer */
/* Whether the bytes are those of row-major order, whatever the layout calls itself: no padding, and
 * blocks only over axes so short that they change no address. */
bool vt_layout_is_plain(const vt_layout *layout);
/* Whether every byte between the first and the last belongs to an element, and to one only. */
bool vt_layout_is_dense(const vt_layout *layout);
/* Whether the layout has room for elements that are none, as blocks longer than an axis have, and
 * says with strides and blocks alone where all others lie. */
bool vt_layout_is_padded(const vt_layout *layout);
/* Copies elements of so many bytes from a layout without blocks (NULL: row-major) to where `to` has
 * them, and zeroes the padding. One of vt_layout_is_padded; dimensions are equal. */
void vt_layout_place(const vt_layout *from, const vt_layout *to, size_t element_bytes,
                     const void *source, void *target);
/* Strides in elements of a layout without blocks; false: it has blocks, or no addresses. */
bool vt_layout_strides(const vt_layout *layout, int64_t strides[VT_LAYOUT_MAX_RANK]);
/* Whether joining the sources along the axis is copying runs of elements: `outer` times, one run of
 * runs[i] elements from each source in turn. runs: (count). */
bool vt_layout_join_runs(const vt_layout *result, const vt_layout *const *sources, int count,
                         int axis, size_t *outer, size_t *runs);

#endif
