/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eigenvectors of small symmetric matrices.
 *
 * Threads: no shared state.
 */
#ifndef VT_VECTOR_EIGEN_H
#define VT_VECTOR_EIGEN_H

#include <stdbool.h>
#include <stddef.h>

/* matrix: (n, n), symmetric and finite; it is destroyed. values: (n), biggest first; vectors:
 * (n, n), row i the one of length 1 that belongs to values[i]. False: it did not settle (what is
 * not finite never does). */
bool vt_eigen_symmetric(double *matrix, size_t n, double *values, double *vectors);

#endif
