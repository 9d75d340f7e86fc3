/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inception-v3.
 *
 * Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (2015), figures 5 to
 * 7 and 10, in the form of torchvision's inception_v3 (batch normalisation with epsilon 0.001, all
 * convolutions without bias), without the auxiliary classifier: 23,834,568 numbers instead of
 * 27,161,264.
 *
 * A module is branches side by side, a branch a chain of convolutions, both rows of tables. Where a
 * branch ends in a fork (1x3 beside 3x1) two rows share the input of the fork.
 */
#include "encoder/architecture_net.h"

typedef struct inception_conv {
    int out, height, width, stride;
    bool valid, fork; /* fork: what follows reads this one's input too, and both are results */
} inception_conv;

typedef struct inception_branch {
    char pool; /* before the convolutions: 'a' average 3x3, 'm' maximum 3x3 of stride 2 */
    inception_conv convs[6]; /* until out 0 */
} inception_branch;

typedef struct inception_module {
    inception_branch branches[5]; /* until an empty one */
} inception_module;

#define CONV(out, height, width)                                                                   \
    {                                                                                              \
        out, height, width, 1, false, false                                                        \
    }
#define FORK(out, height, width)                                                                   \
    {                                                                                              \
        out, height, width, 1, false, true                                                         \
    }
#define STRIDE(out)                                                                                \
    {                                                                                              \
        out, 3, 3, 2, true, false                                                                  \
    }

/* Figure 5. */
#define MODULE_A(pooled)                                                                           \
    {                                                                                              \
        {                                                                                          \
            {0, {CONV(64, 1, 1)}}, {0, {CONV(48, 1, 1), CONV(64, 5, 5)}},                          \
                {0, {CONV(64, 1, 1), CONV(96, 3, 3), CONV(96, 3, 3)}},                             \
            {                                                                                      \
                'a',                                                                               \
                {                                                                                  \
                    CONV(pooled, 1, 1)                                                             \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
/* Figure 6. */
#define MODULE_C(c)                                                                                \
    {                                                                                              \
        {                                                                                          \
            {0, {CONV(192, 1, 1)}}, {0, {CONV(c, 1, 1), CONV(c, 1, 7), CONV(192, 7, 1)}},          \
                {0,                                                                                \
                 {CONV(c, 1, 1), CONV(c, 7, 1), CONV(c, 1, 7), CONV(c, 7, 1), CONV(192, 1, 7)}},   \
            {                                                                                      \
                'a',                                                                               \
                {                                                                                  \
                    CONV(192, 1, 1)                                                                \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
/* Figure 7. */
#define MODULE_E                                                                                   \
    {                                                                                              \
        {                                                                                          \
            {0, {CONV(320, 1, 1)}}, {0, {CONV(384, 1, 1), FORK(384, 1, 3), CONV(384, 3, 1)}},      \
                {0, {CONV(448, 1, 1), CONV(384, 3, 3), FORK(384, 1, 3), CONV(384, 3, 1)}},         \
            {                                                                                      \
                'a',                                                                               \
                {                                                                                  \
                    CONV(192, 1, 1)                                                                \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

static const inception_module inception3[] = {
    MODULE_A(32),
    MODULE_A(64),
    MODULE_A(64),
    {{{0, {STRIDE(384)}}, {0, {CONV(64, 1, 1), CONV(96, 3, 3), STRIDE(96)}}, {'m', {{0}}}}},
    MODULE_C(128),
    MODULE_C(160),
    MODULE_C(160),
    MODULE_C(192),
    {{{0, {CONV(192, 1, 1), STRIDE(320)}},
      {0, {CONV(192, 1, 1), CONV(192, 1, 7), CONV(192, 7, 1), STRIDE(192)}},
      {'m', {{0}}}}},
    MODULE_E,
    MODULE_E,
    {{{0}}},
};

/* Convolutions of the stem; a row of zeros: maximum pooling. */
static const inception_conv stem[] = {
    {32, 3, 3, 2, true, false},
    {32, 3, 3, 1, true, false},
    {64, 3, 3, 1, false, false},
    {0},
    {80, 1, 1, 1, true, false},
    {192, 3, 3, 1, true, false},
    {0},
};

static vt_map unit(vt_net *net, int index, vt_map x, const inception_conv *row)
{
    const vt_conv conv = {.out = row->out,
                          .kernel = row->height,
                          .kernel_w = row->width,
                          .stride = row->stride,
                          .valid = row->valid};
    return vt_net_unit(net, index, x, &conv, VT_RELU);
}

static bool is_empty(const inception_branch *branch)
{
    return branch->pool == 0 && branch->convs[0].out == 0;
}

/* Appends the branch's one or two results. */
static void add_branch(vt_net *net, vt_map x, const inception_branch *branch, vt_map *results,
                       int *count)
{
    if (branch->pool == 'a')
        x = vt_net_average_pool(net, x, 3, 1, 1);
    if (branch->pool == 'm')
        x = vt_net_max_pool(net, x, 3, 2, 0);
    for (int c = 0; branch->convs[c].out != 0; c++) {
        vt_map y = unit(net, c + 1, x, &branch->convs[c]);
        if (branch->convs[c].fork)
            results[(*count)++] = y;
        else
            x = y;
    }
    results[(*count)++] = x;
}

static vt_map add_module(vt_net *net, vt_map x, const inception_module *module)
{
    vt_map results[8];
    int count = 0;
    for (int b = 0; !is_empty(&module->branches[b]); b++) {
        vt_net_enter(net, "branch%d", b + 1);
        add_branch(net, x, &module->branches[b], results, &count);
        vt_net_leave(net);
    }
    return vt_net_concat(net, results, count);
}

static vt_map inception_body(vt_net *net, vt_map x, const void *table)
{
    const inception_module *modules = table;
    int stage = 1, block = 1;
    vt_net_enter(net, "stem");
    for (size_t i = 0; i < sizeof(stem) / sizeof(stem[0]); i++)
        x = stem[i].out == 0 ? vt_net_max_pool(net, x, 3, 2, 0)
                             : unit(net, (int)i + 1, x, &stem[i]);
    vt_net_leave(net);
    for (; !is_empty(&modules->branches[0]); modules++) {
        /* A module that halves the side opens a stage. */
        if (modules->branches[2].pool == 'm') {
            stage++;
            block = 1;
        }
        vt_net_enter(net, "stage%d.block%d", stage, block++);
        x = add_module(net, x, modules);
        vt_net_leave(net);
        vt_net_tap(net, x);
    }
    return x;
}

const vt_architecture vt_architectures_inception[1] = {
    {.info = {"inception3", "Szegedy et al. 2015", 299, 23834568, 5.713, false, false, false},
     .body = inception_body,
     .table = inception3,
     .conv = VT_START_TRUNCATED5,
     .linear = VT_START_TRUNCATED5,
     .epsilon = 1e-3F,
     .momentum = 0.9F,
     .dropout = 0.5,
     .minimum_size = 75},
};
