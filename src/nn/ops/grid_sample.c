/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GridSample: the input read at coordinates that a grid gives, -1 to 1 across each axis, the last
 * axis of the grid naming the input's axes backwards (x before y).
 *
 * Each coordinate becomes one, two or four neighbours with weights per axis (nearest, linear, cubic
 * with a = -0.75); the result is the sum over their products. Neighbours outside are zero, the
 * edge, or mirrored. With padding "border" cubic reads around the coordinate in the input continued
 * by its edge, as the framework does that the operator was taken from; the other modes move the
 * coordinate to the edge, which for them is the same. Ties of nearest go to the even place. A
 * coordinate that is not a number lies outside.
 */
#include "nn/ops/grid_sample.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

static vt_status grid_attributes(const vt_op_args *args, bool old, vt_grid *g, vt_error *error)
{
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    const char *mode = vt_node_text(args->node, "mode", old ? "bilinear" : "linear");
    const char *padding = vt_node_text(args->node, "padding_mode", "zeros");
    int found = 0;
    if (strcmp(mode, "nearest") == 0)
        g->count = 1;
    else if (strcmp(mode, old ? "bilinear" : "linear") == 0)
        g->count = 2;
    else if (strcmp(mode, old ? "bicubic" : "cubic") == 0)
        g->count = 4;
    else
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"mode\" is \"%.40s\"", mode);
    while (found < 3 && strcmp(padding, paddings[found]) != 0)
        found++;
    if (found == 3)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"padding_mode\" is \"%.40s\"", padding);
    g->padding = (vt_grid_padding)found;
    g->align_corners = vt_node_int(args->node, "align_corners", 0) != 0;
    return VT_OK;
}

vt_status vt_grid_init(const vt_op_args *args, bool old, vt_grid *g, vt_error *error)
{
    const vt_shape *x = &args->inputs[0].shape, *where = &args->inputs[1].shape;
    size_t strides[VT_MAX_RANK];
    *g = (vt_grid){.rank = x->rank - 2};
    vt_status status = vt_op_check_rank(args, 0, old ? 4 : 3, old ? 4 : VT_MAX_RANK, error);
    if (status == VT_OK)
        status = grid_attributes(args, old, g, error);
    if (status == VT_OK && (where->rank != x->rank || where->dims[0] != x->dims[0] ||
                            where->dims[where->rank - 1] != g->rank))
        status = vt_fail(error, VT_ERR_FORMAT, "the grid does not fit the input");
    if (status != VT_OK)
        return status;
    vt_shape_strides(x, strides);
    for (int i = 0; i < g->rank; i++) {
        g->in[i] = x->dims[2 + i];
        g->stride[i] = strides[2 + i];
        if (g->in[i] == 0)
            return vt_fail(error, VT_ERR_FORMAT, "axis %d is empty, there is nothing to read",
                           2 + i);
    }
    return VT_OK;
}

/* Until opset 20: other names of modes, and pictures only. */
static bool is_old(const vt_op_args *args)
{
    return args->node->opset < 20;
}

static vt_status grid_infer(vt_op_args *args, vt_error *error)
{
    vt_grid g;
    vt_shape shape = args->inputs[0].shape;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_ALL, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_grid_init(args, is_old(args), &g, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < g.rank; i++)
        shape.dims[2 + i] = args->inputs[1].shape.dims[1 + i];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

/* Back and forth between two borders; *slope: times the derivative. */
static double reflect(double x, double low, double high, double *slope)
{
    double range = high - low;
    if (range <= 0.0) {
        *slope = 0.0;
        return low;
    }
    double rest = fmod(fabs(x - low), 2.0 * range);
    *slope *= (x < low) == (rest > range) ? 1.0 : -1.0;
    return rest > range ? high - (rest - range) : low + rest;
}

static double between(double x, double low, double high)
{
    return x < low ? low : (x > high ? high : x);
}

/* From the grid's number to a place on the axis, which may lie outside, and its derivative. */
static double grid_place(const vt_grid *g, int axis, double normal, double *slope)
{
    double length = (double)g->in[axis], far = 0x1p40;
    *slope = g->count == 1 ? 0.0 : (g->align_corners ? length - 1.0 : length) / 2.0;
    double low = g->align_corners ? 0.0 : -0.5, high = low == 0.0 ? length - 1.0 : length - 0.5;
    double x = g->align_corners ? (normal + 1.0) / 2.0 * (length - 1.0)
                                : ((normal + 1.0) * length - 1.0) / 2.0;
    if (!(x > -far && x < far))
        *slope = 0.0;
    x = isnan(x) ? -far : between(x, -far, far);
    if (g->count == 1)
        x = rint(x);
    if (x >= low && x <= high)
        return x;
    if (g->padding == VT_GRID_BORDER && g->count < 4) {
        *slope = 0.0;
        return between(x, 0.0, length - 1.0);
    }
    return g->padding == VT_GRID_REFLECTION ? reflect(x, low, high, slope) : x;
}

static int64_t grid_neighbour(const vt_grid *g, int axis, double at)
{
    double length = (double)g->in[axis];
    double low = g->align_corners ? 0.0 : -0.5, high = low == 0.0 ? length - 1.0 : length - 0.5;
    double unused = 1.0;
    if (at >= 0.0 && at < length)
        return (int64_t)at;
    if (g->padding == VT_GRID_ZEROS)
        return -1;
    if (g->padding == VT_GRID_REFLECTION)
        at = reflect(at, low, high, &unused);
    return (int64_t)between(at, 0.0, length - 1.0);
}

static double cubic(double distance)
{
    const double a = -0.75;
    double x = fabs(distance);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a : 0.0;
}

static double cubic_slope(double distance)
{
    const double a = -0.75;
    double x = fabs(distance), slope = 0.0;
    if (x < 1.0)
        slope = (3.0 * (a + 2.0) * x - 2.0 * (a + 3.0)) * x;
    else if (x < 2.0)
        slope = (3.0 * a * x - 10.0 * a) * x + 8.0 * a;
    return distance < 0.0 ? -slope : slope;
}

void vt_grid_taps(vt_grid *g, int axis, double normal)
{
    double slope, x = grid_place(g, axis, normal, &slope);
    double base = floor(x) - (g->count == 4 ? 1.0 : 0.0);
    for (int i = 0; i < g->count; i++) {
        double at = base + (double)i, distance = at - x;
        g->place[axis][i] = grid_neighbour(g, axis, g->count == 1 ? floor(x) : at);
        g->weight[axis][i] = g->count == 4 ? cubic(distance) : 1.0 - fabs(distance);
        g->slope[axis][i] = slope * (g->count == 4 ? -cubic_slope(distance) : i == 0 ? -1.0 : 1.0);
        if (g->count == 1)
            g->weight[axis][i] = 1.0;
    }
}

size_t vt_grid_combination(const vt_grid *g, unsigned which, double *weight)
{
    size_t place = 0;
    *weight = 1.0;
    for (int i = 0; i < g->rank; i++) {
        unsigned digit = which % (unsigned)g->count;
        which /= (unsigned)g->count;
        if (g->place[i][digit] < 0)
            return SIZE_MAX;
        place += (size_t)g->place[i][digit] * g->stride[i];
        *weight *= g->weight[i][digit];
    }
    return place;
}

unsigned vt_grid_combinations(const vt_grid *g)
{
    unsigned all = 1;
    for (int i = 0; i < g->rank; i++)
        all *= (unsigned)g->count;
    return all;
}

static void grid_point(const vt_grid *g, const vt_tensor *x, size_t plane, vt_tensor *y, size_t to)
{
    size_t bytes = vt_dtype_bytes(x->dtype), place;
    double sum = 0.0, weight;
    if (g->count == 1) { /* moves the element as it is */
        place = vt_grid_combination(g, 0, &weight);
        memset((char *)y->data + to * bytes, 0, bytes);
        if (place != SIZE_MAX)
            memcpy((char *)y->data + to * bytes, (const char *)x->data + (plane + place) * bytes,
                   bytes);
        return;
    }
    for (unsigned which = 0; which < vt_grid_combinations(g); which++) {
        place = vt_grid_combination(g, which, &weight);
        if (place != SIZE_MAX)
            sum += weight * vt_tensor_get(x, plane + place);
    }
    vt_store_f64(y->dtype, y->data, to, 1, &sum);
}

static vt_status grid_reference(vt_op_args *args, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0], *where = &args->inputs[1];
    vt_tensor *y = &args->outputs[0];
    vt_grid g;
    vt_status status = vt_grid_init(args, is_old(args), &g, error);
    if (status != VT_OK)
        return status;
    size_t batch = (size_t)x->shape.dims[0], channels = (size_t)x->shape.dims[1];
    size_t in = vt_shape_product(&x->shape, 2, x->shape.rank);
    size_t out = vt_shape_product(&y->shape, 2, y->shape.rank);
    for (size_t k = 0; k < batch * out; k++) {
        for (int i = 0; i < g.rank; i++)
            vt_grid_taps(&g, i, vt_tensor_get(where, (k + 1) * (size_t)g.rank - 1 - (size_t)i));
        for (size_t c = 0; c < channels; c++) {
            size_t plane = k / out * channels + c;
            grid_point(&g, x, plane * in, y, plane * out + k % out);
        }
    }
    return VT_OK;
}

static uint64_t grid_macs(const vt_op_args *args)
{
    vt_grid g;
    uint64_t macs;
    if (vt_grid_init(args, is_old(args), &g, NULL) != VT_OK ||
        __builtin_mul_overflow((uint64_t)vt_tensor_count(&args->outputs[0]),
                               (uint64_t)vt_grid_combinations(&g), &macs))
        return UINT64_MAX;
    return macs;
}

const vt_op vt_ops_grid_sample[] = {
    {"GridSample", "", 16, 0, 2, 2, 1, 1, "align_corners:i mode:s padding_mode:s",
     .infer = grid_infer, .reference = grid_reference, .macs = grid_macs},
    {0},
};
