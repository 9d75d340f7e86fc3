/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers as people write them, and their usual settings. */
#include "train/choice.h"
#include "train/optimizer.h"

#include <stddef.h>

static const char *const names[] = {"sgd", "adam", "adamw", "rmsprop"};

enum {
    SGD = 1 << VT_OPTIMIZER_SGD,
    ADAM = 1 << VT_OPTIMIZER_ADAM | 1 << VT_OPTIMIZER_ADAMW,
    RMSPROP = 1 << VT_OPTIMIZER_RMSPROP,
    ALL = SGD | ADAM | RMSPROP
};

static const vt_choice_key keys[] = {
    {"momentum", offsetof(vt_optimizer_options, momentum), SGD | RMSPROP, 0.9, 0, 0.9999},
    {"nesterov", offsetof(vt_optimizer_options, nesterov), SGD, 1, 0, 1},
    {"beta1", offsetof(vt_optimizer_options, beta1), ADAM, 0.9, 0, 0.9999},
    {"beta2", offsetof(vt_optimizer_options, beta2), ADAM, 0.999, 0, 0.999999},
    {"alpha", offsetof(vt_optimizer_options, alpha), RMSPROP, 0.99, 0, 0.999999},
    {"epsilon", offsetof(vt_optimizer_options, epsilon), ADAM | RMSPROP, 1e-8, 1e-16, 1},
    {"decay", offsetof(vt_optimizer_options, decay), ALL, 5e-4, 0, 1},
    {"l1", offsetof(vt_optimizer_options, l1), ALL, 1e-5, 0, 1},
    {"clip", offsetof(vt_optimizer_options, clip), ALL, 1, 0, 1e6},
};

static const vt_choice choice = {"optimizer", names, VT_OPTIMIZER_KINDS, keys,
                                 sizeof(keys) / sizeof(keys[0])};

static const vt_optimizer_options usual[VT_OPTIMIZER_KINDS] = {
    [VT_OPTIMIZER_SGD] = {VT_OPTIMIZER_SGD, 0.9, 1, 0.9, 0.999, 0.99, 1e-8, 5e-4, 0, 0},
    [VT_OPTIMIZER_ADAM] = {VT_OPTIMIZER_ADAM, 0, 0, 0.9, 0.999, 0.99, 1e-8, 0, 0, 0},
    [VT_OPTIMIZER_ADAMW] = {VT_OPTIMIZER_ADAMW, 0, 0, 0.9, 0.999, 0.99, 1e-8, 0.05, 0, 0},
    [VT_OPTIMIZER_RMSPROP] = {VT_OPTIMIZER_RMSPROP, 0, 0, 0.9, 0.999, 0.99, 1e-8, 0, 0, 0},
};

vt_optimizer_options vt_optimizer_options_defaults(void)
{
    return usual[VT_OPTIMIZER_SGD];
}

vt_status vt_optimizer_parse(const char *text, vt_optimizer_options *out, vt_error *error)
{
    size_t name;
    vt_optimizer_options scratch = usual[0];
    vt_status status = vt_choice_parse(&choice, text, &name, &scratch, error);
    if (status != VT_OK)
        return status;
    /* Once more over the kind's own values. */
    scratch = usual[name];
    status = vt_choice_parse(&choice, text, &name, &scratch, error);
    if (status == VT_OK)
        *out = scratch;
    return status;
}

bool vt_optimizer_print(const vt_optimizer_options *options, vt_buf *out)
{
    return vt_choice_print(&choice, (size_t)options->kind, options, out);
}
