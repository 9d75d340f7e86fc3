/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of posts in which no two functions are of one kind.
 *
 * The generated code of oneDNN 2.x (2.6: brgemm convolutions and products, binary) keeps one
 * injector per kind of function, made with the parameters of the first one in the list: a second
 * one of that kind computes with those too. Here the second becomes arithmetic with single numbers,
 * where it can be said so: linear is a product and a sum, clip a maximum and a minimum, ReLU a
 * maximum. What cannot is not for a primitive. 3.x keeps them apart itself.
 */
#include "nn/dnnl/lower.h"

#include <math.h>
#include <string.h>

static bool same_parameters(const vt_post *a, const vt_post *b)
{
    return a->alpha == b->alpha && a->beta == b->beta;
}

/* Whether one before it is of its kind, with other parameters. */
static bool clashes(const vt_posts *posts, int index)
{
    const vt_post *item = &posts->items[index];
    for (int i = 0; item->kind == VT_APPEND_ELTWISE && i < index; i++) {
        const vt_post *before = &posts->items[i];
        if (before->kind == VT_APPEND_ELTWISE && before->algorithm == item->algorithm &&
            !same_parameters(before, item)) {
            return true;
        }
    }
    return false;
}

/* A post with a single number. */
static vt_status number_post(vt_dnnl *dnnl, dnnl_alg_kind_t algorithm, float number, int rank,
                             vt_post *out, vt_error *error)
{
    int64_t ones[VT_MAX_RANK];
    vt_buffer prepared = {.kind = VT_BUFFER_PREPARED};
    vt_tensor tensor = {
        .dtype = VT_F32, .shape = {1, {1}}, .data = &number, .bytes = sizeof number};
    for (int i = 0; i < rank; i++) {
        ones[i] = 1;
    }
    *out = (vt_post){.kind = VT_APPEND_BINARY, .algorithm = algorithm, .prepared = true};
    out->operand = vt_layout_new_plain(rank, ones, VT_F32);
    vt_status status = out->operand
                           ? vt_dnnl_weights_prepare(dnnl, &tensor, NULL, NULL, &prepared, error)
                           : vt_fail_memory(error, "the layout of a fused operand");
    if (status == VT_OK) {
        status = vt_dnnl_buffer_add(dnnl, &prepared, &out->buffer, error);
        if (status != VT_OK) {
            vt_dnnl_weights_release(prepared.data);
        }
    }
    if (status != VT_OK) {
        vt_layout_free(out->operand);
        out->operand = NULL;
    }
    return status;
}

/* The two halves of a function as arithmetic; false: it has no such form. */
static bool halves_of(const vt_post *item, dnnl_alg_kind_t algorithms[2], float numbers[2],
                      bool needed[2])
{
    numbers[0] = item->alpha;
    numbers[1] = item->beta;
    switch (item->algorithm) {
    case dnnl_eltwise_linear:
        algorithms[0] = dnnl_binary_mul;
        algorithms[1] = dnnl_binary_add;
        needed[0] = item->alpha != 1.0F;
        needed[1] = item->beta != 0.0F;
        return true;
    case dnnl_eltwise_clip:
        algorithms[0] = dnnl_binary_max;
        algorithms[1] = dnnl_binary_min;
        needed[0] = !isinf(item->alpha);
        needed[1] = !isinf(item->beta);
        return true;
    case dnnl_eltwise_relu:
        algorithms[0] = dnnl_binary_max;
        needed[0] = true;
        needed[1] = false;
        return item->alpha == 0.0F;
    default:
        return false;
    }
}

/* Puts the halves in the place of item number `index`; *taken: how many there are. */
static vt_status split_post(vt_dnnl *dnnl, vt_posts *posts, int index, int rank, int *taken,
                            bool *possible, vt_error *error)
{
    const int room = (int)(sizeof posts->items / sizeof posts->items[0]);
    dnnl_alg_kind_t algorithms[2];
    float numbers[2];
    bool needed[2];
    vt_post made[2];
    vt_status status = VT_OK;
    *taken = 0;
    *possible =
        halves_of(&posts->items[index], algorithms, numbers, needed) && posts->count + 1 <= room;
    for (int i = 0; *possible && status == VT_OK && i < 2; i++) {
        if (needed[i]) {
            status = number_post(dnnl, algorithms[i], numbers[i], rank, &made[*taken], error);
            *taken += status == VT_OK;
        }
    }
    if (status != VT_OK || !*possible) {
        for (int i = 0; i < *taken; i++) {
            vt_layout_free(made[i].operand);
        }
        return status;
    }
    memmove(&posts->items[index + *taken], &posts->items[index + 1],
            (size_t)(posts->count - index - 1) * sizeof *made);
    memcpy(&posts->items[index], made, (size_t)*taken * sizeof *made);
    posts->count += *taken - 1;
    return VT_OK;
}

vt_status vt_lower_posts_settle(vt_dnnl *dnnl, int rank, vt_posts *posts, bool *possible,
                                vt_error *error)
{
    vt_status status = VT_OK;
    for (int i = 0; VT_POSTS_SHARE_PARAMETERS && *possible && status == VT_OK && i < posts->count;
         i++) {
        int taken = 1;
        if (clashes(posts, i)) {
            status = split_post(dnnl, posts, i, rank, &taken, possible, error);
        }
        i += taken - 1;
    }
    return status;
}
