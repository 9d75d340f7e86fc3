/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eigenvectors by Jacobi's rotations, row by row (Golub and Van Loan, Matrix Computations, 4th
 * edition, algorithms 8.5.1 and 8.5.3): each rotation makes one element off the diagonal zero, and
 * a few sweeps over all of them leave nothing there. Cubic, but exact to the last bits and the same
 * everywhere; matrices here have tens of rows.
 */
#include "vector/eigen.h"

#include <math.h>
#include <string.h>

enum { SWEEPS = 64 };

static double off_diagonal(const double *matrix, size_t n)
{
    double sum = 0;
    for (size_t p = 0; p < n; p++)
        for (size_t q = p + 1; q < n; q++)
            sum += matrix[p * n + q] * matrix[p * n + q];
    return sum;
}

/* Rows (of the vectors) or, with a step of n, columns a and b turned into each other. */
static void turn(double *a, double *b, size_t n, size_t step, double c, double s)
{
    for (size_t i = 0; i < n * step; i += step) {
        double x = a[i], y = b[i];
        a[i] = c * x - s * y;
        b[i] = s * x + c * y;
    }
}

static void rotate(double *matrix, double *vectors, size_t n, size_t p, size_t q)
{
    double apq = matrix[p * n + q];
    if (apq == 0)
        return;
    double tau = (matrix[q * n + q] - matrix[p * n + p]) / (2 * apq);
    double t = (tau >= 0 ? 1 : -1) / (fabs(tau) + hypot(1, tau));
    double c = 1 / hypot(1, t), s = t * c;
    turn(matrix + p, matrix + q, n, n, c, s);
    turn(matrix + p * n, matrix + q * n, n, 1, c, s);
    turn(vectors + p * n, vectors + q * n, n, 1, c, s);
}

static void swap_rows(double *a, double *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double keep = a[i];
        a[i] = b[i];
        b[i] = keep;
    }
}

static void sort_down(double *values, double *vectors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t best = i;
        for (size_t j = i + 1; j < n; j++)
            if (values[j] > values[best])
                best = j;
        double keep = values[i];
        values[i] = values[best];
        values[best] = keep;
        if (best != i)
            swap_rows(vectors + i * n, vectors + best * n, n);
    }
}

bool vt_eigen_symmetric(double *matrix, size_t n, double *values, double *vectors)
{
    double scale = 0, rest = 0;
    memset(vectors, 0, n * n * sizeof(*vectors));
    for (size_t i = 0; i < n; i++)
        vectors[i * n + i] = 1;
    for (size_t i = 0; i < n * n; i++)
        scale += matrix[i] * matrix[i];
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        rest = off_diagonal(matrix, n);
        if (!(rest > 1e-30 * scale))
            break;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                rotate(matrix, vectors, n, p, q);
    }
    for (size_t i = 0; i < n; i++)
        values[i] = matrix[i * n + i];
    sort_down(values, vectors, n);
    return rest <= 1e-20 * scale; /* false also where it is no number */
}
