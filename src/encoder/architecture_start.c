/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First values of weights.
 *
 * He et al., "Delving Deep into Rectifiers" (2015), equations 10 and 14 for the normal ones; what
 * torch.nn's own layers start with is uniform with the bound 1 / sqrt(fan_in) (kaiming_uniform_
 * with a = sqrt 5). Truncated ones are drawn again while beyond +-2, absolute, as trunc_normal_ of
 * torchvision and timm does with its default bounds. Convolutions that begin as the identity are
 * those of Zagoruyko and Komodakis, "DiracNets" (2017), and Jordan, "94% on CIFAR-10 in 3.29
 * Seconds on a Single GPU" (2024), section 3.2.
 *
 * Each weight draws from a generator of its own, forked by its number, so that a head more or less
 * leaves the others as they were.
 */
#include "encoder/architecture_net.h"

#include <math.h>
#include <string.h>

static float draw(vt_random *random, vt_start start, const double fans[2])
{
    double bound = 1.0 / sqrt(fans[0]), drawn;
    switch (start) {
    case VT_START_HE_IN:
        return (float)(vt_random_normal(random) * sqrt(2.0 / fans[0]));
    case VT_START_HE_OUT:
        return (float)(vt_random_normal(random) * sqrt(2.0 / fans[1]));
    case VT_START_NORMAL:
        return (float)(vt_random_normal(random) * 0.01);
    case VT_START_TRUNCATED:
    case VT_START_TRUNCATED5:
        /* Ends: a draw is beyond 20 deviations, or 100, practically never. */
        do
            drawn = vt_random_normal(random) * (start == VT_START_TRUNCATED ? 0.02 : 0.1);
        while (drawn < -2.0 || drawn > 2.0);
        return (float)drawn;
    case VT_START_ZERO:
        return 0;
    case VT_START_TORCH:
        break;
    }
    return (float)(bound * (2.0 * vt_random_double(random) - 1.0));
}

static vt_value_id add(vt_net *net, const char *name, vt_tensor *tensor, vt_status status,
                       const vt_error *error)
{
    if (status == VT_OK)
        return vt_builder_constant(net->builder, name, tensor);
    vt_builder_fail(net->builder, status, error->message);
    return VT_NO_VALUE;
}

/* The first filters each pass on the channel of their number; others stay as drawn. */
static void pass_on(vt_tensor *kernel)
{
    const int64_t *dims = kernel->shape.dims;
    size_t out = (size_t)dims[0], in = (size_t)dims[1], area = (size_t)(dims[2] * dims[3]);
    size_t centre = (size_t)(dims[2] / 2 * dims[3] + dims[3] / 2);
    float *values = kernel->data;
    for (size_t i = 0; i < out && i < in; i++) {
        memset(values + i * in * area, 0, in * area * sizeof(float));
        values[(i * in + i) * area + centre] = 1;
    }
}

static vt_value_id add_drawn(vt_net *net, const char *name, const vt_shape *shape, vt_start start,
                             const double fans[2], bool identity)
{
    vt_error error = {0};
    vt_tensor tensor = {0};
    vt_random random = vt_random_fork(&net->random, net->drawn++);
    if (vt_builder_failed(net->builder))
        return VT_NO_VALUE;
    vt_status status = vt_tensor_init(&tensor, VT_F32, shape, 0, &error);
    if (status == VT_OK && !net->options->blank) { /* a new tensor is zeros */
        float *values = tensor.data;
        for (size_t i = 0, count = vt_tensor_count(&tensor); i < count; i++)
            values[i] = draw(&random, start, fans);
        if (identity)
            pass_on(&tensor);
    }
    return add(net, name, &tensor, status, &error);
}

vt_value_id vt_net_weight(vt_net *net, const char *name, const vt_shape *shape, vt_start start,
                          const double fans[2])
{
    return add_drawn(net, name, shape, start, fans, false);
}

vt_value_id vt_net_kernel(vt_net *net, const char *name, const vt_shape *shape,
                          const double fans[2])
{
    return add_drawn(net, name, shape, net->architecture->conv, fans, net->options->identity);
}

vt_value_id vt_net_filled(vt_net *net, const char *name, const vt_shape *shape, float value)
{
    vt_error error = {0};
    vt_tensor tensor = {0};
    if (vt_builder_failed(net->builder))
        return VT_NO_VALUE;
    vt_status status = vt_tensor_init(&tensor, VT_F32, shape, 0, &error);
    size_t count = status == VT_OK ? vt_tensor_count(&tensor) : 0;
    float *values = tensor.data;
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    return add(net, name, &tensor, status, &error);
}
