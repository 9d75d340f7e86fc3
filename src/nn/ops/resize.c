/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resize and Upsample: nearest, linear and cubic, along any axes.
 *
 * Nearest moves elements, of any type, bit by bit. Linear and cubic are sums of neighbours along
 * one axis after the other, in f64 and rounded once at the end; shrinking axes go first, so that
 * nothing in between is larger than the larger of input and result. Neighbours outside the axis are
 * its edge (or, with exclude_outside, left out and the other weights scaled up). With antialias the
 * filter of a shrinking axis is stretched by the scale and its weights are normalised. Cubic: Keys,
 * "Cubic convolution interpolation for digital image processing", IEEE ASSP 29, 1981.
 */
#include "nn/ops/resize.h"
#include "nn/ops/table.h"

#include <math.h>
#include <string.h>

static vt_status resize_infer(vt_op_args *args, vt_error *error)
{
    vt_resize resize;
    vt_shape shape = args->inputs[0].shape;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_ALL, error);
    if (status == VT_OK)
        status = vt_resize_init(&resize, args, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = resize.axes[i].out;
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    return VT_OK;
}

/* ---- nearest ---- */

static int64_t clamp(double x, int64_t length)
{
    if (!(x > 0.0))
        return 0;
    return x >= (double)(length - 1) ? length - 1 : (int64_t)x;
}

static int64_t nearest_of(const vt_resize *resize, const vt_resize_axis *axis, double x)
{
    switch (resize->round) {
    case VT_RESIZE_ROUND_PREFER_FLOOR:
        x = ceil(x - 0.5);
        break;
    case VT_RESIZE_ROUND_PREFER_CEIL:
        x = floor(x + 0.5);
        break;
    case VT_RESIZE_FLOOR:
        x = floor(x);
        break;
    case VT_RESIZE_CEIL:
        x = ceil(x);
        break;
    case VT_RESIZE_OUTWARD:
        x = axis->scale < 1.0 ? ceil(x) : floor(x);
        break;
    }
    return clamp(x, axis->in);
}

static vt_status nearest_run(vt_op_args *args, const vt_resize *resize, vt_error *error)
{
    const vt_tensor *x = &args->inputs[0];
    uint8_t constant[8] = {0};
    vt_picks picks;
    vt_status status = vt_picks_init(&picks, &args->outputs[0].shape, error);
    if (status != VT_OK)
        return status;
    vt_store_f64(x->dtype, constant, 0, 1, &resize->extrapolation);
    for (int i = 0; i < picks.rank; i++) {
        for (int64_t k = 0; k < picks.dims[i]; k++) {
            double source = 0.0;
            bool inside = vt_resize_source(resize, i, k, &source);
            picks.lists[i][k] = inside ? nearest_of(resize, &resize->axes[i], source) : -1;
        }
    }
    vt_pick_run(&picks, x, constant, args->outputs[0].data);
    vt_picks_deinit(&picks);
    return VT_OK;
}

/* ---- linear and cubic ---- */

static double filter(const vt_resize *resize, double distance)
{
    double x = fabs(distance), a = resize->cubic_a;
    if (resize->mode == VT_RESIZE_LINEAR)
        return x < 1.0 ? 1.0 - x : 0.0;
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a : 0.0;
}

/* How much the filter of an axis is stretched: at most 1, the inverse of its width. */
static double filter_scale(const vt_resize *resize, const vt_resize_axis *axis)
{
    return resize->antialias && axis->scale < 1.0 ? axis->scale : 1.0;
}

/* Neighbours on either side of a coordinate. Beyond the whole axis there is only its edge. */
static double filter_reach(const vt_resize *resize, const vt_resize_axis *axis)
{
    return ceil((resize->mode == VT_RESIZE_LINEAR ? 1.0 : 2.0) / filter_scale(resize, axis));
}

/* Weights by place of the old axis that one new coordinate sums, from *first on; returns how many.
 * Edges that count several times have their weights together. */
static size_t taps_of(const vt_resize *resize, int axis, double source, double *weights,
                      size_t *first)
{
    const vt_resize_axis *a = &resize->axes[axis];
    double scale = filter_scale(resize, a), reach = filter_reach(resize, a), sum = 0.0;
    double begin = floor(source) - reach + 1.0, end = floor(source) + reach + 1.0;
    bool exclude = resize->exclude_outside;
    int64_t low = clamp(begin, a->in), high = clamp(end - 1.0, a->in);
    memset(weights, 0, (size_t)(high - low + 1) * sizeof(*weights));
    double place = begin;
    while (place < end) {
        bool outside = place < 0.0 || place > (double)(a->in - 1);
        double weight = exclude && outside ? 0.0 : filter(resize, (place - source) * scale);
        weights[clamp(place, a->in) - low] += weight;
        sum += weight;
        place += 1.0;
    }
    for (int64_t i = 0; i <= high - low && (exclude || resize->antialias); i++)
        weights[i] /= sum;
    *first = (size_t)low;
    return (size_t)(high - low + 1);
}

/* x: outer x in x inner, y: outer x out x inner, weights: room for one coordinate's. */
typedef struct resize_pass {
    int axis;
    size_t outer, inner;
    const double *x;
    double *y, *weights;
} resize_pass;

static void pass_run(const vt_resize *resize, const resize_pass *pass)
{
    const vt_resize_axis *axis = &resize->axes[pass->axis];
    size_t inner = pass->inner;
    for (int64_t k = 0; k < axis->out; k++) {
        double source = 0.0;
        size_t first = 0, count = 0;
        bool inside = vt_resize_source(resize, pass->axis, k, &source);
        if (inside)
            count = taps_of(resize, pass->axis, source, pass->weights, &first);
        for (size_t o = 0; o < pass->outer; o++) {
            double *to = pass->y + (o * (size_t)axis->out + (size_t)k) * inner;
            for (size_t i = 0; i < inner; i++)
                to[i] = inside ? 0.0 : resize->extrapolation;
            for (size_t t = 0; t < count; t++) {
                const double *from = pass->x + (o * (size_t)axis->in + first + t) * inner;
                for (size_t i = 0; i < inner; i++)
                    to[i] += pass->weights[t] * from[i];
            }
        }
    }
}

/* An axis that every new coordinate takes as it is. */
static bool axis_stays(const vt_resize *resize, int axis)
{
    if (resize->axes[axis].in != resize->axes[axis].out)
        return false;
    for (int64_t k = 0; k < resize->axes[axis].out; k++) {
        double source = 0.0;
        if (!vt_resize_source(resize, axis, k, &source) || source != (double)k)
            return false;
    }
    return true;
}

/* One axis of *x, of shape *shape, which both change. */
static vt_status pass_make(const vt_resize *resize, int axis, vt_shape *shape, double **x,
                           vt_error *error)
{
    resize_pass pass = {.axis = axis,
                        .outer = vt_shape_product(shape, 0, axis),
                        .inner = vt_shape_product(shape, axis + 1, shape->rank),
                        .x = *x};
    shape->dims[axis] = resize->axes[axis].out;
    pass.y = vt_alloc_array(vt_shape_product(shape, 0, shape->rank), sizeof(*pass.y));
    pass.weights = vt_alloc_array((size_t)resize->axes[axis].in, sizeof(*pass.weights));
    vt_status status = VT_OK;
    if (pass.y == NULL || pass.weights == NULL) {
        status = vt_fail_memory(error, "a resized tensor");
        vt_free(pass.y);
    } else {
        pass_run(resize, &pass);
        vt_free(*x);
        *x = pass.y;
    }
    vt_free(pass.weights);
    return status;
}

static vt_status filter_run(vt_op_args *args, const vt_resize *resize, vt_error *error)
{
    vt_tensor *y = &args->outputs[0];
    vt_shape shape = args->inputs[0].shape;
    double *x = NULL;
    vt_status status = vt_op_widen(&args->inputs[0], &x, error);
    for (int grows = 0; grows < 2; grows++)
        for (int i = 0; i < resize->rank && status == VT_OK; i++)
            if ((resize->axes[i].out > resize->axes[i].in) == (grows == 1) &&
                !axis_stays(resize, i))
                status = pass_make(resize, i, &shape, &x, error);
    if (status == VT_OK)
        vt_store_f64(y->dtype, y->data, 0, vt_tensor_count(y), x);
    vt_free(x);
    return status;
}

bool vt_resize_matrix(const vt_resize *resize, int axis, double *matrix, double *weights)
{
    const vt_resize_axis *a = &resize->axes[axis];
    size_t in = (size_t)a->in;
    memset(matrix, 0, (size_t)a->out * in * sizeof(*matrix));
    if (axis_stays(resize, axis))
        return false;
    for (int64_t k = 0; k < a->out; k++) {
        double source = 0.0, *row = matrix + (size_t)k * in;
        size_t first = 0, count = 0;
        if (!vt_resize_source(resize, axis, k, &source))
            continue;
        if (resize->mode == VT_RESIZE_NEAREST) {
            row[nearest_of(resize, a, source)] = 1.0;
            continue;
        }
        count = taps_of(resize, axis, source, weights, &first);
        for (size_t t = 0; t < count; t++)
            row[first + t] = weights[t];
    }
    return true;
}

static vt_status resize_reference(vt_op_args *args, vt_error *error)
{
    vt_resize resize;
    vt_status status = vt_resize_init(&resize, args, error);
    if (status != VT_OK)
        return status;
    return resize.mode == VT_RESIZE_NEAREST ? nearest_run(args, &resize, error)
                                            : filter_run(args, &resize, error);
}

/* In the order of the passes; saturates by staying in f64. */
static uint64_t resize_macs(const vt_op_args *args)
{
    vt_resize resize;
    double total = 0.0, size = (double)vt_tensor_count(&args->inputs[0]);
    if (vt_resize_init(&resize, args, NULL) != VT_OK || resize.mode == VT_RESIZE_NEAREST)
        return 0;
    for (int grows = 0; grows < 2; grows++) {
        for (int i = 0; i < resize.rank; i++) {
            const vt_resize_axis *axis = &resize.axes[i];
            if (axis->in == 0 || (axis->out > axis->in) != (grows == 1) || axis_stays(&resize, i))
                continue;
            size = size / (double)axis->in * (double)axis->out;
            total += size * 2.0 * filter_reach(&resize, axis);
        }
    }
    return total >= 0x1p63 ? UINT64_MAX : (uint64_t)total;
}

#define ROW(name, since, until, inputs, attrs, values)                                             \
    {                                                                                              \
        name, "", since, until, inputs, 1, 1, attrs,                                               \
            .shape_inputs = values, .infer = resize_infer, .reference = resize_reference,          \
            .macs = resize_macs                                                                    \
    }
#define RANGE(low, high) low, high
#define SINCE_11                                                                                   \
    "coordinate_transformation_mode:s cubic_coeff_a:f exclude_outside:i extrapolation_value:f "    \
    "mode:s nearest_mode:s"

const vt_op vt_ops_resize[] = {
    ROW("Upsample", 7, 8, RANGE(1, 1), "mode:s scales:F!", 0),
    ROW("Upsample", 9, 9, RANGE(2, 2), "mode:s", 1u << 1),
    ROW("Resize", 10, 10, RANGE(2, 2), "mode:s", 1u << 1),
    ROW("Resize", 11, 17, RANGE(1, 4), SINCE_11, 0xe),
    ROW("Resize", 18, 0, RANGE(1, 4), SINCE_11 " antialias:i axes:I keep_aspect_ratio_policy:s",
        0xe),
    {0},
};
