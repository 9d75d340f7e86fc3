/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sliding windows: kernel, stride, dilation and padding resolved against an input, as Conv and the
 * pools share them.
 *
 * The output size follows the operator specification: with explicit pads floor or ceil of
 * (in + pads - span) / stride + 1, where a last window that would start behind the input and its
 * begin padding is dropped; with auto_pad SAME the input size over the stride, rounded up.
 */
#include "nn/ops/op.h"

#include <string.h>

vt_status vt_window_numbers(const vt_op_args *args, const char *name, int64_t low, int count,
                            int64_t *out, vt_error *error)
{
    int64_t values[2 * VT_MAX_SPATIAL];
    int have = vt_node_ints(args->node, name, values, 2 * VT_MAX_SPATIAL);
    if (have == -1)
        return VT_OK;
    if (have != count)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"%s\" has %d numbers, not %d", name, have,
                       count);
    for (int i = 0; i < count; i++) {
        if (values[i] < low || values[i] > VT_WINDOW_MAXIMUM)
            return vt_fail(error, VT_ERR_FORMAT, "attribute \"%s\" has %lld, outside [%lld, %lld]",
                           name, (long long)values[i], (long long)low,
                           (long long)VT_WINDOW_MAXIMUM);
        out[i] = values[i];
    }
    return VT_OK;
}

static vt_status window_read_all(vt_window *window, const vt_op_args *args, const int64_t *kernel,
                                 vt_error *error)
{
    int64_t pads[2 * VT_MAX_SPATIAL] = {0}, declared[VT_MAX_SPATIAL] = {0};
    int rank = window->rank;
    vt_status status = vt_window_numbers(args, "kernel_shape", 1, rank, declared, error);
    if (status == VT_OK)
        status = vt_window_numbers(args, "strides", 1, rank, window->stride, error);
    if (status == VT_OK)
        status = vt_window_numbers(args, "dilations", 1, rank, window->dilation, error);
    if (status == VT_OK)
        status = vt_window_numbers(args, "pads", 0, 2 * rank, pads, error);
    for (int i = 0; i < rank && status == VT_OK; i++) {
        if (kernel != NULL && declared[i] != 0 && declared[i] != kernel[i])
            status = vt_fail(error, VT_ERR_FORMAT,
                             "attribute \"kernel_shape\" says %lld, the weights have %lld",
                             (long long)declared[i], (long long)kernel[i]);
        window->kernel[i] = kernel == NULL ? declared[i] : kernel[i];
        window->pad_begin[i] = pads[i];
        window->pad_end[i] = pads[rank + i];
        if (status == VT_OK && (window->kernel[i] < 1 || window->kernel[i] > VT_WINDOW_MAXIMUM))
            status = vt_fail(error, VT_ERR_FORMAT, "kernel of size %lld along axis %d",
                             (long long)window->kernel[i], i);
    }
    return status;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

static vt_status window_size_explicit(vt_window *window, int i, bool ceil_mode, vt_error *error)
{
    int64_t padded = window->in[i] + window->pad_begin[i] + window->pad_end[i];
    int64_t span = (window->kernel[i] - 1) * window->dilation[i] + 1;
    if (span > padded)
        return vt_fail(error, VT_ERR_FORMAT,
                       "window of %lld along axis %d is wider than the padded input of %lld",
                       (long long)span, i, (long long)padded);
    int64_t steps = padded - span, stride = window->stride[i];
    window->out[i] = (ceil_mode ? divide_up(steps, stride) : steps / stride) + 1;
    if (ceil_mode && (window->out[i] - 1) * stride >= window->in[i] + window->pad_begin[i])
        window->out[i]--;
    return VT_OK;
}

static void window_size_same(vt_window *window, int i, bool extra_at_end)
{
    int64_t span = (window->kernel[i] - 1) * window->dilation[i] + 1;
    window->out[i] = divide_up(window->in[i], window->stride[i]);
    int64_t total = (window->out[i] - 1) * window->stride[i] + span - window->in[i];
    total = total < 0 || window->out[i] == 0 ? 0 : total;
    window->pad_begin[i] = extra_at_end ? total / 2 : total - total / 2;
    window->pad_end[i] = total - window->pad_begin[i];
}

vt_status vt_window_auto_pad(const vt_op_args *args, vt_auto_pad *out, vt_error *error)
{
    static const char *const names[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    const char *text = vt_node_text(args->node, "auto_pad", "NOTSET");
    *out = VT_PAD_EXPLICIT;
    if (text[0] == '\0')
        return VT_OK;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        *out = (vt_auto_pad)i;
        if (strcmp(text, names[i]) == 0)
            return VT_OK;
    }
    return vt_fail(error, VT_ERR_FORMAT, "attribute \"auto_pad\" is \"%.40s\"", text);
}

vt_status vt_window_init(vt_window *window, const vt_op_args *args, const int64_t *kernel,
                         vt_error *error)
{
    const vt_shape *input = &args->inputs[0].shape;
    *window = (vt_window){.rank = input->rank - 2};
    for (int i = 0; i < window->rank; i++) {
        window->in[i] = input->dims[2 + i];
        window->stride[i] = window->dilation[i] = 1;
        if (window->in[i] > INT64_C(1) << 40)
            return vt_fail(error, VT_ERR_LIMIT, "input of %lld along axis %d",
                           (long long)window->in[i], i);
    }
    vt_status status = window_read_all(window, args, kernel, error);
    vt_auto_pad mode = VT_PAD_EXPLICIT;
    if (status == VT_OK)
        status = vt_window_auto_pad(args, &mode, error);
    bool ceil_mode = vt_node_int(args->node, "ceil_mode", 0) != 0 && mode != VT_PAD_VALID;
    for (int i = 0; i < window->rank && status == VT_OK; i++) {
        if (mode == VT_PAD_VALID)
            window->pad_begin[i] = window->pad_end[i] = 0;
        if (mode == VT_PAD_SAME_UPPER || mode == VT_PAD_SAME_LOWER)
            window_size_same(window, i, mode == VT_PAD_SAME_UPPER);
        else
            status = window_size_explicit(window, i, ceil_mode, error);
    }
    return status;
}

void vt_window_taps(const vt_window *window, int axis, int64_t position, int64_t *first,
                    int64_t *end)
{
    int64_t start = position * window->stride[axis] - window->pad_begin[axis];
    int64_t dilation = window->dilation[axis], kernel = window->kernel[axis];
    *first = start >= 0 ? 0 : divide_up(-start, dilation);
    int64_t room = window->in[axis] - start;
    *end = room <= 0 ? 0 : divide_up(room, dilation);
    *end = *end < kernel ? *end : kernel;
    *first = *first < *end ? *first : *end;
}

/* Output positions along one axis whose tap lies inside the input: [*first, *end). */
static void positions_of_tap(const vt_window *window, int axis, int64_t tap, int64_t *first,
                             int64_t *end)
{
    int64_t offset = tap * window->dilation[axis] - window->pad_begin[axis];
    int64_t stride = window->stride[axis], room = window->in[axis] - offset;
    *first = offset >= 0 ? 0 : divide_up(-offset, stride);
    *end = room <= 0 ? 0 : divide_up(room, stride);
    *end = *end < window->out[axis] ? *end : window->out[axis];
    *first = *first < *end ? *first : *end;
}

/* One row of output positions: the contiguous innermost loop. */
static void row_add(double weight, bool spread, const double *x, double *y, const int64_t walk[2])
{
    const int64_t count = walk[0], stride = walk[1];
    if (spread)
        for (int64_t k = 0; k < count; k++)
            y[k * stride] += weight * x[k];
    else
        for (int64_t k = 0; k < count; k++)
            y[k] += weight * x[k * stride];
}

/* The rows of output positions that one tap reaches inside the input. */
typedef struct tap_walk {
    const vt_window *window;
    const int64_t *tap;
    int64_t first[VT_MAX_SPATIAL], end[VT_MAX_SPATIAL], position[VT_MAX_SPATIAL];
    int64_t in, out; /* where the row begins in each plane */
    int64_t count;   /* positions of a row */
} tap_walk;

static void tap_place(tap_walk *walk)
{
    const vt_window *window = walk->window;
    walk->in = walk->out = 0;
    for (int i = 0; i < window->rank; i++) {
        walk->in = walk->in * window->in[i] + walk->position[i] * window->stride[i] +
                   walk->tap[i] * window->dilation[i] - window->pad_begin[i];
        walk->out = walk->out * window->out[i] + walk->position[i];
    }
}

/* At the first row; false: there is none. */
static bool tap_begin(const vt_window *window, const int64_t *tap, tap_walk *walk)
{
    int last = window->rank - 1;
    *walk = (tap_walk){.window = window, .tap = tap};
    for (int i = 0; i <= last; i++) {
        positions_of_tap(window, i, tap[i], &walk->first[i], &walk->end[i]);
        walk->position[i] = walk->first[i];
        if (walk->first[i] == walk->end[i])
            return false;
    }
    walk->count = walk->end[last] - walk->first[last];
    tap_place(walk);
    return true;
}

/* At the next row; false: that was the last. */
static bool tap_next(tap_walk *walk)
{
    int axis = walk->window->rank - 2;
    for (; axis >= 0 && ++walk->position[axis] == walk->end[axis]; axis--)
        walk->position[axis] = walk->first[axis];
    if (axis >= 0)
        tap_place(walk);
    return axis >= 0;
}

/* One tap: a scaled, shifted plane. */
static void tap_add(const vt_window *window, const int64_t *tap, double weight, bool spread,
                    const double *x, double *y)
{
    tap_walk walk;
    if (!tap_begin(window, tap, &walk))
        return;
    const int64_t row[2] = {walk.count, window->stride[window->rank - 1]};
    do {
        int64_t from = spread ? walk.out : walk.in, to = spread ? walk.in : walk.out;
        row_add(weight, spread, x + from, y + to, row);
    } while (tap_next(&walk));
}

void vt_window_add(const vt_window *window, const double *weights, bool spread, const double *x,
                   double *y)
{
    int64_t tap[VT_MAX_SPATIAL] = {0};
    for (int axis = 0; axis >= 0;) {
        tap_add(window, tap, *weights++, spread, x, y);
        for (axis = window->rank - 1; axis >= 0 && ++tap[axis] == window->kernel[axis]; axis--)
            tap[axis] = 0;
    }
}

/* The sum over all output positions of x at the tap times y. */
static double tap_correlate(const vt_window *window, const int64_t *tap, const double *x,
                            const double *y)
{
    tap_walk walk;
    double sum = 0.0;
    if (!tap_begin(window, tap, &walk))
        return sum;
    const int64_t stride = window->stride[window->rank - 1];
    do {
        for (int64_t k = 0; k < walk.count; k++)
            sum += y[walk.out + k] * x[walk.in + k * stride];
    } while (tap_next(&walk));
    return sum;
}

void vt_window_correlate(const vt_window *window, const double *x, const double *y, double *weights)
{
    int64_t tap[VT_MAX_SPATIAL] = {0};
    for (int axis = 0; axis >= 0;) {
        *weights++ += tap_correlate(window, tap, x, y);
        for (axis = window->rank - 1; axis >= 0 && ++tap[axis] == window->kernel[axis]; axis--)
            tap[axis] = 0;
    }
}
