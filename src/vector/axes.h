/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directions along which rows are longest: axes of length 1, at right angles, which hold as
 * much of the rows' squared lengths as so many can. (Principal axes without taking the mean away.)
 *
 * Threads: no shared state.
 */
#ifndef VT_VECTOR_AXES_H
#define VT_VECTOR_AXES_H

#include "base/status.h"

#include <stddef.h>

/* rows: (count, dim), neither long nor short (in f32 their squares must keep their digits); axes:
 * (wanted, dim), wanted <= dim, longest first, about; shares: (wanted), what part of the rows'
 * squared lengths lies along each. *skew: how far the axes are from length 1 and right angles: the
 * norm of their products less the identity is at most this. Where rows span fewer dimensions the
 * axes go on at right angles all the same. Memory: two matrices of (dim, dim) and one of (dim,
 * count). */
vt_status vt_axes_find(const float *rows, size_t count, size_t dim, size_t wanted, float *axes,
                       float *shares, float *skew, vt_error *error);

#endif
