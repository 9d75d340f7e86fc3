/* SPDX-License-Identifier: Apache-2.0 */
/* The losses' formulas, loop by loop in double, for tests. */
#ifndef VT_TESTS_TRAIN_LOSS_NAIVE_H
#define VT_TESTS_TRAIN_LOSS_NAIVE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { ROWS = 8, CLASSES = 4, DIM = 5, TEACHER_DIM = 3 };

typedef struct naive_batch {
    float logits[ROWS * CLASSES], embedding[ROWS * DIM], targets[ROWS * CLASSES];
    float teacher_logits[ROWS * CLASSES], teacher_embedding[ROWS * TEACHER_DIM];
    float same_embedding[ROWS * DIM]; /* a teacher of the same dimension */
    int64_t labels[ROWS];
    float weight[CLASSES * DIM];         /* of margin losses */
    float projection[DIM * TEACHER_DIM]; /* of distillation */
} naive_batch;

static inline double naive_dot(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static inline double naive_cosine(const float *a, const float *b, int count)
{
    return naive_dot(a, b, count) / sqrt(naive_dot(a, a, count) * naive_dot(b, b, count));
}

static inline double naive_log_sum_exp(const double *z, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += exp(z[i]);
    return log(sum);
}

/* cosines, (ROWS, ROWS) */
static inline void naive_similarity(const naive_batch *b, double s[ROWS][ROWS])
{
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < ROWS; j++)
            s[i][j] = naive_cosine(b->embedding + i * DIM, b->embedding + j * DIM, DIM);
}

static inline double naive_distance(double s)
{
    return sqrt(fmax(0, 2 - 2 * s) + 1e-8);
}

static inline int naive_positive(const naive_batch *b, int i, int j)
{
    return i != j && b->labels[i] >= 0 && b->labels[i] == b->labels[j];
}

static inline int naive_negative(const naive_batch *b, int i, int j)
{
    return b->labels[i] >= 0 && b->labels[j] >= 0 && b->labels[i] != b->labels[j];
}

/* As torch.nn.CrossEntropyLoss; weights NULL: ones. */
static inline double naive_ce(const naive_batch *b, double smoothing, const float *weights)
{
    double sum = 0, all = 0;
    for (int i = 0; i < ROWS; i++) {
        double z[CLASSES];
        if (b->labels[i] < 0)
            continue;
        for (int c = 0; c < CLASSES; c++)
            z[c] = (double)b->logits[i * CLASSES + c];
        double norm = naive_log_sum_exp(z, CLASSES);
        for (int c = 0; c < CLASSES; c++) {
            double w = weights == NULL ? 1 : (double)weights[c], hot = b->labels[i] == c;
            sum += w * ((1 - smoothing) * hot + smoothing / CLASSES) * (norm - z[c]);
            all += w * hot;
        }
    }
    return all == 0 ? 0 : sum / all;
}

static inline double naive_soft_ce(const naive_batch *b)
{
    double sum = 0, all = 0;
    for (int i = 0; i < ROWS; i++) {
        double z[CLASSES];
        for (int c = 0; c < CLASSES; c++)
            z[c] = (double)b->logits[i * CLASSES + c];
        for (int c = 0; c < CLASSES; c++) {
            double q = fabs((double)b->targets[i * CLASSES + c]);
            sum += q * (naive_log_sum_exp(z, CLASSES) - z[c]);
            all += q;
        }
    }
    return sum / all;
}

static inline double naive_bce(const naive_batch *b)
{
    double sum = 0, count = 0;
    for (int i = 0; i < ROWS * CLASSES; i++) {
        double x = (double)b->logits[i], z = (double)b->targets[i], p = 1 / (1 + exp(-x));
        if (z < 0)
            continue;
        sum -= z * log(p) + (1 - z) * log(1 - p);
        count++;
    }
    return sum / count;
}

static inline double naive_mse(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum / count;
}

static inline double naive_contrastive(const naive_batch *b, double margin)
{
    double s[ROWS][ROWS], sum = 0, count = 0;
    naive_similarity(b, s);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < ROWS; j++) {
            double gap = fmax(0, margin - naive_distance(s[i][j]));
            sum +=
                naive_positive(b, i, j) * (1 - s[i][j]) + naive_negative(b, i, j) * 0.5 * gap * gap;
            count += naive_positive(b, i, j) + naive_negative(b, i, j);
        }
    return count == 0 ? 0 : sum / count;
}

static inline double naive_triplet(const naive_batch *b, double margin, int soft)
{
    double s[ROWS][ROWS], sum = 0, count = 0;
    naive_similarity(b, s);
    for (int i = 0; i < ROWS; i++) {
        double farthest = -1, nearest = 100;
        for (int j = 0; j < ROWS; j++) {
            double d = naive_distance(s[i][j]);
            if (naive_positive(b, i, j))
                farthest = fmax(farthest, d);
            if (naive_negative(b, i, j))
                nearest = fmin(nearest, d);
        }
        if (farthest < 0 || nearest > 99)
            continue;
        sum += soft ? log(1 + exp(farthest - nearest)) : fmax(0, margin + farthest - nearest);
        count++;
    }
    return count == 0 ? 0 : sum / count;
}

static inline double naive_triplet_semi(const naive_batch *b, double margin)
{
    double s[ROWS][ROWS], sum = 0, count = 0;
    naive_similarity(b, s);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < ROWS; j++) {
            double nearest = 100, farthest = -1, d = 2 - 2 * s[i][j];
            if (!naive_positive(b, i, j))
                continue;
            for (int k = 0; k < ROWS; k++) {
                double other = 2 - 2 * s[i][k];
                if (!naive_negative(b, i, k))
                    continue;
                farthest = fmax(farthest, other);
                if (other > d)
                    nearest = fmin(nearest, other);
            }
            if (farthest < 0)
                continue;
            sum += fmax(0, margin + d - (nearest < 99 ? nearest : farthest));
            count++;
        }
    return count == 0 ? 0 : sum / count;
}

static inline double naive_multi_similarity(const naive_batch *b)
{
    double s[ROWS][ROWS], sum = 0, count = 0;
    naive_similarity(b, s);
    for (int i = 0; i < ROWS; i++) {
        double low = 100, high = -100, pull = 1, push = 1;
        for (int j = 0; j < ROWS; j++) {
            if (naive_positive(b, i, j))
                low = fmin(low, s[i][j]);
            if (naive_negative(b, i, j))
                high = fmax(high, s[i][j]);
        }
        for (int j = 0; j < ROWS; j++) {
            if (naive_positive(b, i, j) && s[i][j] < high + 0.1)
                pull += exp(-2 * (s[i][j] - 0.5));
            if (naive_negative(b, i, j) && s[i][j] > low - 0.1)
                push += exp(50 * (s[i][j] - 0.5));
        }
        sum += log(pull) / 2 + log(push) / 50;
        count += b->labels[i] >= 0;
    }
    return count == 0 ? 0 : sum / count;
}

static inline double naive_supcon(const naive_batch *b, double temperature)
{
    double s[ROWS][ROWS], sum = 0, rows = 0;
    naive_similarity(b, s);
    for (int i = 0; i < ROWS; i++) {
        double all = 0, own = 0, count = 0;
        for (int j = 0; j < ROWS; j++)
            all += (naive_positive(b, i, j) || naive_negative(b, i, j)) ? exp(s[i][j] / temperature)
                                                                        : 0;
        for (int j = 0; j < ROWS; j++) {
            if (!naive_positive(b, i, j))
                continue;
            own -= s[i][j] / temperature - log(all);
            count++;
        }
        if (count == 0)
            continue;
        sum += own / count;
        rows++;
    }
    return rows == 0 ? 0 : sum / rows;
}

/* arc: the margin is an angle. */
static inline double naive_margin(const naive_batch *b, double margin, double scale, int arc)
{
    double sum = 0, count = 0;
    for (int i = 0; i < ROWS; i++) {
        double z[CLASSES];
        if (b->labels[i] < 0)
            continue;
        for (int c = 0; c < CLASSES; c++) {
            double own = naive_cosine(b->embedding + i * DIM, b->weight + c * DIM, DIM);
            double angle = acos(own);
            double turned =
                angle + margin < M_PI ? cos(angle + margin) : own - margin * sin(margin);
            if (b->labels[i] == c)
                own = arc ? turned : own - margin;
            z[c] = scale * own;
        }
        sum += naive_log_sum_exp(z, CLASSES) - z[b->labels[i]];
        count++;
    }
    return count == 0 ? 0 : sum / count;
}

static inline double naive_kd(const naive_batch *b, double t)
{
    double sum = 0;
    for (int i = 0; i < ROWS; i++) {
        double p[CLASSES], q[CLASSES];
        for (int c = 0; c < CLASSES; c++) {
            p[c] = (double)b->teacher_logits[i * CLASSES + c] / t;
            q[c] = (double)b->logits[i * CLASSES + c] / t;
        }
        double np = naive_log_sum_exp(p, CLASSES), nq = naive_log_sum_exp(q, CLASSES);
        for (int c = 0; c < CLASSES; c++)
            sum += exp(p[c] - np) * (p[c] - np - q[c] + nq);
    }
    return t * t * sum / ROWS;
}

static inline double naive_kd_cosine(const naive_batch *b)
{
    double sum = 0;
    for (int i = 0; i < ROWS; i++) {
        float mapped[TEACHER_DIM];
        for (int t = 0; t < TEACHER_DIM; t++) {
            mapped[t] = 0;
            for (int d = 0; d < DIM; d++)
                mapped[t] += b->embedding[i * DIM + d] * b->projection[d * TEACHER_DIM + t];
        }
        sum += 1 - naive_cosine(mapped, b->teacher_embedding + i * TEACHER_DIM, TEACHER_DIM);
    }
    return sum / ROWS;
}

#endif
