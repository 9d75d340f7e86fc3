/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SGD with momentum (Sutskever et al. 2013), Adam (Kingma and Ba 2015, algorithm 1), AdamW
 * (Loshchilov and Hutter 2019, algorithm 2), RMSprop (Tieleman and Hinton 2012), all in the forms
 * that PyTorch gives them: the rate multiplies the whole momentum, epsilon is outside the root.
 *
 * Method: weights are cut into pieces of 64 Ki elements, which threads take; loops are written so
 * that the compiler vectorises them. The norm is summed in doubles piece by piece, then over pieces
 * in order, whoever worked on them.
 */
#include "train/optimizer.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { PIECE = 1 << 16, PIECES_ALONE = 4, MAXIMUM_SLOTS = 2 };

typedef struct piece {
    size_t weight, start, count;
    double squares;
} piece;

struct vt_optimizer {
    vt_optimizer_options options;
    vt_weights *weights; /* (count) */
    size_t count;
    float **gathered; /* (count); NULL until several batches make a step */
    size_t batches;   /* in it */
    float **slots;    /* (count * MAXIMUM_SLOTS) */
    piece *pieces;
    size_t piece_count;
    uint64_t steps;
    vt_pool *pool;
    double rate, scale; /* of the running step; scale: on gradients */
};

static size_t slots_of(const vt_optimizer_options *options)
{
    switch (options->kind) {
    case VT_OPTIMIZER_SGD:
        return options->momentum > 0 ? 1 : 0;
    case VT_OPTIMIZER_RMSPROP:
        return options->momentum > 0 ? 2 : 1;
    default:
        return 2;
    }
}

static vt_status cut(vt_optimizer *optimizer, vt_error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < optimizer->count; i++)
        count += optimizer->weights[i].count / PIECE + 1;
    optimizer->pieces = vt_alloc_array(count + 1, sizeof(*optimizer->pieces));
    if (optimizer->pieces == NULL)
        return vt_fail_memory(error, "an optimizer");
    for (size_t i = 0; i < optimizer->count; i++)
        for (size_t at = 0; at < optimizer->weights[i].count; at += PIECE) {
            size_t left = optimizer->weights[i].count - at;
            optimizer->pieces[optimizer->piece_count++] =
                (piece){i, at, left < PIECE ? left : PIECE, 0};
        }
    return VT_OK;
}

static vt_status make_slots(vt_optimizer *optimizer, vt_error *error)
{
    size_t slots = slots_of(&optimizer->options);
    for (size_t i = 0; i < optimizer->count; i++)
        for (size_t s = 0; s < slots; s++) {
            float *slot = vt_calloc(optimizer->weights[i].count, sizeof(float));
            if (slot == NULL)
                return vt_fail_memory(error, "an optimizer");
            optimizer->slots[i * MAXIMUM_SLOTS + s] = slot;
        }
    return VT_OK;
}

vt_status vt_optimizer_new(const vt_optimizer_options *options, const vt_weights *weights,
                           size_t count, vt_pool *pool, vt_optimizer **out, vt_error *error)
{
    vt_optimizer *optimizer = vt_calloc(1, sizeof(*optimizer));
    if (optimizer == NULL)
        return vt_fail_memory(error, "an optimizer");
    *optimizer = (vt_optimizer){.options = *options, .count = count, .pool = pool};
    optimizer->weights = vt_alloc_array(count + 1, sizeof(*weights));
    optimizer->slots = vt_calloc(count + 1, MAXIMUM_SLOTS * sizeof(float *));
    vt_status status = VT_OK;
    if (optimizer->weights == NULL || optimizer->slots == NULL)
        status = vt_fail_memory(error, "an optimizer");
    if (status == VT_OK) {
        if (count > 0)
            memcpy(optimizer->weights, weights, count * sizeof(*weights));
        status = cut(optimizer, error);
    }
    if (status == VT_OK)
        status = make_slots(optimizer, error);
    if (status != VT_OK) {
        vt_optimizer_free(optimizer);
        return status;
    }
    *out = optimizer;
    return VT_OK;
}

void vt_optimizer_free(vt_optimizer *optimizer)
{
    if (optimizer == NULL)
        return;
    for (size_t i = 0; optimizer->slots != NULL && i < optimizer->count * MAXIMUM_SLOTS; i++)
        vt_free(optimizer->slots[i]);
    for (size_t i = 0; optimizer->gathered != NULL && i < optimizer->count; i++)
        vt_free(optimizer->gathered[i]);
    vt_free(optimizer->gathered);
    vt_free(optimizer->slots);
    vt_free(optimizer->pieces);
    vt_free(optimizer->weights);
    vt_free(optimizer);
}

void vt_optimizer_set_gradients(vt_optimizer *optimizer, const float *const *gradients)
{
    for (size_t i = 0; i < optimizer->count; i++)
        optimizer->weights[i].gradient = gradients[i];
}

static void each_piece(vt_optimizer *optimizer, void (*work)(void *context, size_t index))
{
    vt_pool *pool = optimizer->piece_count > PIECES_ALONE ? optimizer->pool : NULL;
    vt_pool_for(pool, optimizer->piece_count, work, optimizer);
}

static void gather_piece(void *context, size_t index)
{
    vt_optimizer *optimizer = context;
    const piece *part = &optimizer->pieces[index];
    float *sum = optimizer->gathered[part->weight] + part->start;
    const float *gradient = optimizer->weights[part->weight].gradient + part->start;
    if (optimizer->batches == 0)
        memcpy(sum, gradient, part->count * sizeof(float));
    else
        for (size_t i = 0; i < part->count; i++)
            sum[i] += gradient[i];
}

vt_status vt_optimizer_add(vt_optimizer *optimizer, vt_error *error)
{
    if (optimizer->gathered == NULL) {
        optimizer->gathered = vt_calloc(optimizer->count + 1, sizeof(*optimizer->gathered));
        if (optimizer->gathered == NULL)
            return vt_fail_memory(error, "gathered gradients");
    }
    for (size_t i = 0; i < optimizer->count; i++) {
        if (optimizer->gathered[i] != NULL)
            continue;
        optimizer->gathered[i] = vt_alloc_array(optimizer->weights[i].count, sizeof(float));
        if (optimizer->gathered[i] == NULL)
            return vt_fail_memory(error, "gathered gradients");
    }
    each_piece(optimizer, gather_piece);
    optimizer->batches++;
    return VT_OK;
}

static const float *gradient_of(const vt_optimizer *optimizer, const piece *part)
{
    const float *whole = optimizer->batches > 0 ? optimizer->gathered[part->weight]
                                                : optimizer->weights[part->weight].gradient;
    return whole + part->start;
}

static void square_piece(void *context, size_t index)
{
    enum { LANES = 8 };
    vt_optimizer *optimizer = context;
    piece *part = &optimizer->pieces[index];
    const float *gradient = gradient_of(optimizer, part);
    double sums[LANES] = {0};
    for (size_t i = 0; i < part->count; i++)
        sums[i % LANES] += (double)gradient[i] * (double)gradient[i];
    part->squares = 0;
    for (int lane = 0; lane < LANES; lane++)
        part->squares += sums[lane];
}

/* What a loop over one piece needs, in floats. */
typedef struct update {
    float *restrict w, *restrict a, *restrict b; /* a, b: slots */
    const float *restrict g;
    size_t count;
    float scale, rate, l2, l1, shrink;
} update;

static inline float sign(float x)
{
    return (float)((x > 0) - (x < 0));
}

static inline float gradient_at(const update *u, size_t i)
{
    return u->g[i] * u->scale + u->l2 * u->w[i] + u->l1 * sign(u->w[i]);
}

static void update_sgd(const update *u, float momentum, bool nesterov)
{
    if (momentum <= 0) {
        for (size_t i = 0; i < u->count; i++)
            u->w[i] -= u->rate * gradient_at(u, i);
        return;
    }
    assert(u->a != NULL);
    for (size_t i = 0; i < u->count; i++) {
        float g = gradient_at(u, i);
        float m = momentum * u->a[i] + g;
        u->a[i] = m;
        u->w[i] -= u->rate * (nesterov ? g + momentum * m : m);
    }
}

static void update_adam(const update *u, const vt_optimizer_options *options, uint64_t steps)
{
    float beta1 = (float)options->beta1, beta2 = (float)options->beta2;
    float epsilon = (float)options->epsilon;
    float step = (float)((double)u->rate / (1 - pow(options->beta1, (double)steps)));
    float correct = (float)(1 / sqrt(1 - pow(options->beta2, (double)steps)));
    assert(u->a != NULL && u->b != NULL);
    for (size_t i = 0; i < u->count; i++) {
        float g = gradient_at(u, i);
        float m = beta1 * u->a[i] + (1 - beta1) * g;
        float v = beta2 * u->b[i] + (1 - beta2) * g * g;
        u->a[i] = m;
        u->b[i] = v;
        u->w[i] = u->w[i] * u->shrink - step * m / (sqrtf(v) * correct + epsilon);
    }
}

static void update_rmsprop(const update *u, const vt_optimizer_options *options)
{
    float alpha = (float)options->alpha, epsilon = (float)options->epsilon;
    float momentum = (float)options->momentum;
    assert(u->a != NULL && (momentum <= 0 || u->b != NULL));
    for (size_t i = 0; i < u->count; i++) {
        float g = gradient_at(u, i);
        float v = alpha * u->a[i] + (1 - alpha) * g * g;
        float step = g / (sqrtf(v) + epsilon);
        u->a[i] = v;
        if (momentum > 0) {
            step += momentum * u->b[i];
            u->b[i] = step;
        }
        u->w[i] -= u->rate * step;
    }
}

static void step_piece(void *context, size_t index)
{
    vt_optimizer *optimizer = context;
    const vt_optimizer_options *options = &optimizer->options;
    const piece *part = &optimizer->pieces[index];
    const vt_weights *weights = &optimizer->weights[part->weight];
    float *const *slots = optimizer->slots + part->weight * MAXIMUM_SLOTS;
    double rate = optimizer->rate * (double)weights->rate;
    bool decoupled = options->kind == VT_OPTIMIZER_ADAMW;
    double decay = weights->decay ? options->decay : 0;
    update u = {.w = weights->value + part->start,
                .a = slots[0] != NULL ? slots[0] + part->start : NULL,
                .b = slots[1] != NULL ? slots[1] + part->start : NULL,
                .g = gradient_of(optimizer, part),
                .count = part->count,
                .scale = (float)optimizer->scale,
                .rate = (float)rate,
                .l2 = decoupled ? 0 : (float)decay,
                .l1 = weights->decay ? (float)options->l1 : 0,
                .shrink = decoupled ? (float)(1 - rate * decay) : 1};
    if (options->kind == VT_OPTIMIZER_SGD)
        update_sgd(&u, (float)options->momentum, options->nesterov > 0);
    else if (options->kind == VT_OPTIMIZER_RMSPROP)
        update_rmsprop(&u, options);
    else
        update_adam(&u, options, optimizer->steps);
}

void vt_optimizer_step(vt_optimizer *optimizer, double rate, double *norm)
{
    double mean = optimizer->batches > 1 ? 1.0 / (double)optimizer->batches : 1.0, squares = 0;
    each_piece(optimizer, square_piece);
    for (size_t i = 0; i < optimizer->piece_count; i++)
        squares += optimizer->pieces[i].squares;
    double length = sqrt(squares) * mean;
    if (norm != NULL)
        *norm = length;
    if (isfinite(length)) {
        double clip = optimizer->options.clip;
        optimizer->scale = clip > 0 && length > clip ? mean * clip / (length + 1e-6) : mean;
        optimizer->rate = rate;
        optimizer->steps++;
        each_piece(optimizer, step_piece);
    }
    optimizer->batches = 0;
}

size_t vt_optimizer_slots(const vt_optimizer *optimizer)
{
    return slots_of(&optimizer->options);
}

float *vt_optimizer_slot(vt_optimizer *optimizer, size_t weight, size_t slot)
{
    return optimizer->slots[weight * MAXIMUM_SLOTS + slot];
}

uint64_t vt_optimizer_steps(const vt_optimizer *optimizer)
{
    return optimizer->steps;
}

void vt_optimizer_set_steps(vt_optimizer *optimizer, uint64_t steps)
{
    optimizer->steps = steps;
}
