/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of pools, and the internal operators MaxPoolGrad and AveragePoolGrad.
 *
 * MaxPoolGrad gets the pool's input once more and gives each result's gradient to the first largest
 * element of its window, as MaxPool itself finds it. AveragePoolGrad shares it among the elements
 * that were averaged. Both have the pool's attributes; `global` makes the window the whole map.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

/* The window of the pool over an input of this shape. */
static vt_status pool_window(const vt_op_args *args, const vt_shape *x, vt_window *window,
                             vt_error *error)
{
    vt_tensor input = {.dtype = args->inputs[0].dtype, .shape = *x};
    const vt_op_args fake = {.graph = args->graph, .node = args->node, .inputs = &input};
    if (x->rank < 3)
        return vt_fail(error, VT_ERR_FORMAT, "input of %d dimensions", x->rank);
    if (vt_node_int(args->node, "global", 0) == 0)
        return vt_window_init(window, &fake, NULL, error);
    *window = (vt_window){.rank = x->rank - 2};
    for (int i = 0; i < window->rank; i++) {
        window->in[i] = window->kernel[i] = x->dims[2 + i];
        window->stride[i] = window->dilation[i] = window->out[i] = 1;
    }
    return VT_OK;
}

vt_status vt_pool_gradient_window(const vt_op_args *args, vt_shape *x, vt_window *window,
                                  vt_error *error)
{
    const vt_shape *dy = &args->inputs[0].shape;
    if (args->node->input_count > 1)
        *x = args->inputs[1].shape;
    else
        x->rank = vt_node_ints(args->node, "shape", x->dims, VT_MAX_RANK);
    vt_status status = pool_window(args, x, window, error);
    bool fits = status == VT_OK && dy->rank == x->rank && dy->dims[0] == x->dims[0] &&
                dy->dims[1] == x->dims[1];
    for (int i = 0; fits && i < window->rank; i++)
        fits = dy->dims[2 + i] == window->out[i];
    if (status == VT_OK && !fits)
        status = vt_fail(error, VT_ERR_FORMAT, "gradient does not have the result's shape");
    return status;
}

static vt_status pool_grad_infer(vt_op_args *args, vt_error *error)
{
    vt_window window;
    vt_shape x = {0};
    vt_status status = vt_op_check_same(args, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_pool_gradient_window(args, &x, &window, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &x);
    return status;
}

/* ---- one window ---- */

typedef struct grad_walk {
    const vt_window *window;
    bool count_pad;
    int64_t position[VT_MAX_SPATIAL], first[VT_MAX_SPATIAL], end[VT_MAX_SPATIAL];
    int64_t tap[VT_MAX_SPATIAL];
} grad_walk;

/* Starts at the first tap inside; false: there is none. */
static bool taps_begin(grad_walk *walk)
{
    for (int i = 0; i < walk->window->rank; i++) {
        vt_window_taps(walk->window, i, walk->position[i], &walk->first[i], &walk->end[i]);
        walk->tap[i] = walk->first[i];
        if (walk->first[i] == walk->end[i])
            return false;
    }
    return true;
}

static bool taps_next(grad_walk *walk)
{
    for (int axis = walk->window->rank - 1; axis >= 0; axis--) {
        if (++walk->tap[axis] < walk->end[axis])
            return true;
        walk->tap[axis] = walk->first[axis];
    }
    return false;
}

static size_t tap_place(const grad_walk *walk)
{
    const vt_window *window = walk->window;
    int64_t place = 0;
    for (int i = 0; i < window->rank; i++)
        place = place * window->in[i] + walk->position[i] * window->stride[i] -
                window->pad_begin[i] + walk->tap[i] * window->dilation[i];
    return (size_t)place;
}

/* What an average divides by. */
static double averaged(const grad_walk *walk)
{
    const vt_window *window = walk->window;
    double taps = 1.0;
    for (int i = 0; i < window->rank; i++) {
        int64_t start = walk->position[i] * window->stride[i] - window->pad_begin[i];
        int64_t room = window->in[i] + window->pad_end[i] - start;
        int64_t padded = room <= 0 ? 0 : (room + window->dilation[i] - 1) / window->dilation[i];
        padded = padded < window->kernel[i] ? padded : window->kernel[i];
        taps *= (double)(walk->count_pad ? padded : walk->end[i] - walk->first[i]);
    }
    return taps;
}

/* x NULL: an average. */
static void window_spread(grad_walk *walk, const double *x, double dy, double *dx)
{
    size_t best = 0;
    bool any = taps_begin(walk), first = true;
    double share = any && x == NULL ? dy / averaged(walk) : 0.0;
    if (!any)
        return;
    do {
        size_t place = tap_place(walk);
        if (x == NULL)
            dx[place] += share;
        else if (first || x[place] > x[best])
            best = place;
        first = false;
    } while (taps_next(walk));
    if (x != NULL)
        dx[best] += dy;
}

static vt_status pool_grad_run(vt_op_args *args, grad_walk *walk, const double *x, vt_error *error)
{
    const vt_window *window = walk->window;
    const vt_tensor *dy = &args->inputs[0];
    vt_tensor *dx = &args->outputs[0];
    size_t planes = vt_shape_product(&dx->shape, 0, 2);
    size_t in = vt_shape_product(&dx->shape, 2, dx->shape.rank);
    size_t out = vt_shape_product(&dy->shape, 2, dy->shape.rank);
    double *plane = vt_alloc_array(in, sizeof(*plane));
    if (plane == NULL)
        return vt_fail_memory(error, "a plane");
    for (size_t p = 0; p < planes; p++) {
        memset(plane, 0, in * sizeof(*plane));
        memset(walk->position, 0, sizeof(walk->position));
        for (size_t k = 0; k < out; k++) {
            window_spread(walk, x == NULL ? NULL : x + p * in, vt_tensor_get(dy, p * out + k),
                          plane);
            for (int i = window->rank - 1; i >= 0 && ++walk->position[i] == window->out[i]; i--)
                walk->position[i] = 0;
        }
        vt_store_f64(dx->dtype, dx->data, p * in, in, plane);
    }
    vt_free(plane);
    return VT_OK;
}

static vt_status pool_grad_reference(vt_op_args *args, vt_error *error)
{
    vt_window window;
    vt_shape shape = {0};
    double *x = NULL;
    grad_walk walk = {.window = &window,
                      .count_pad = vt_node_int(args->node, "count_include_pad", 0) != 0};
    vt_status status = vt_pool_gradient_window(args, &shape, &window, error);
    if (status == VT_OK && args->node->input_count > 1)
        status = vt_op_widen(&args->inputs[1], &x, error);
    if (status == VT_OK)
        status = pool_grad_run(args, &walk, x, error);
    vt_free(x);
    return status;
}

#define WINDOW                                                                                     \
    "auto_pad:s ceil_mode:i dilations:I kernel_shape:I pads:I strides:I storage_order:i "          \
    "count_include_pad:i global:i"

const vt_op vt_ops_pool_gradient[] = {
    {"MaxPoolGrad", VT_BACK_DOMAIN, 1, 0, 2, 2, 1, 1, WINDOW, .flags = VT_OP_INTERNAL,
     .infer = pool_grad_infer, .reference = pool_grad_reference},
    {"AveragePoolGrad", VT_BACK_DOMAIN, 1, 0, 1, 1, 1, 1, WINDOW " shape:I!",
     .flags = VT_OP_INTERNAL, .infer = pool_grad_infer, .reference = pool_grad_reference},
    {0},
};

/* ---- rules ---- */

enum { MAXIMUM_ATTRS = 16 };

static void emit(vt_backward *b, const char *op, const vt_attr *more, const vt_value_id *inputs,
                 size_t count)
{
    vt_attr attrs[MAXIMUM_ATTRS];
    if (b->node.attr_count + 1 > MAXIMUM_ATTRS) {
        vt_back_fail(b, "it has too many attributes");
        return;
    }
    for (size_t i = 0; i < b->node.attr_count; i++)
        attrs[i] = b->node.attrs[i];
    if (more != NULL)
        attrs[b->node.attr_count] = *more;
    b->dx[0] =
        vt_back_node(b, &(vt_back_call){.op = op,
                                        .inputs = inputs,
                                        .input_count = count,
                                        .attrs = attrs,
                                        .attr_count = b->node.attr_count + (more == NULL ? 0 : 1)});
}

void vt_gradient_max_pool(vt_backward *b)
{
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 0)};
    emit(b, "vitrine:MaxPoolGrad", NULL, inputs, 2);
}

void vt_gradient_global_max_pool(vt_backward *b)
{
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 0)};
    const vt_attr whole = VT_BACK_INT("global", 1);
    emit(b, "vitrine:MaxPoolGrad", &whole, inputs, 2);
}

void vt_gradient_average_pool(vt_backward *b)
{
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0));
    const vt_attr shape = VT_BACK_INTS("shape", x.dims, x.rank);
    emit(b, "vitrine:AveragePoolGrad", &shape, b->dy, 1);
}

void vt_gradient_global_average_pool(vt_backward *b)
{
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0));
    const vt_attr attrs[] = {VT_BACK_INTS("shape", x.dims, x.rank), VT_BACK_INT("global", 1)};
    b->dx[0] = vt_back_node(b, &(vt_back_call){.op = "vitrine:AveragePoolGrad",
                                               .inputs = b->dy,
                                               .input_count = 1,
                                               .attrs = attrs,
                                               .attr_count = 2});
}

/* ---- LpPool: y = (sum of |x|^p)^(1/p), so dx = sign(x) |x|^(p - 1) (dy y^(1 - p), spread) ---- */

/* sign(x) |x|^(p - 1) */
static vt_value_id lp_slope(vt_backward *b, vt_value_id x, int64_t p)
{
    if (p == 2)
        return x;
    vt_value_id sign = vt_back_op1(b, "Sign", x);
    if (p == 1)
        return sign;
    vt_value_id power =
        vt_back_op2(b, "Pow", vt_back_op1(b, "Abs", x), vt_back_number(b, (double)p - 1.0, x));
    return vt_back_op2(b, "Mul", sign, power);
}

/* dy y^(1 - p). Where y is 0 all of the window is, and with p above 1 so is the gradient. */
static vt_value_id lp_share(vt_backward *b, int64_t p)
{
    vt_value_id y = vt_back_output(b, 0), dy = b->dy[0];
    if (p == 1)
        return dy;
    vt_value_id positive = vt_back_op2(b, "Greater", y, vt_back_number(b, 0.0, y));
    y = vt_back_op3(b, "Where", positive, y, vt_back_number(b, 1.0, y));
    if (p > 2)
        y = vt_back_op2(b, "Pow", y, vt_back_number(b, (double)p - 1.0, y));
    return vt_back_op2(b, "Div", dy, y);
}

static int64_t lp_exponent(vt_backward *b)
{
    int64_t p = vt_node_int(&b->node, "p", 2);
    if (p < 1)
        vt_back_fail(b, "attribute \"p\" is below 1");
    return p;
}

/* The pool's windows, as one of averages whose ends are padded until no window is cut off: then
 * each average is the sum by the kernel's size. */
static void lp_window(vt_backward *b, vt_window *window, int64_t pads[2 * VT_MAX_SPATIAL],
                      double *taps)
{
    vt_value_id x = vt_back_input(b, 0);
    vt_tensor input = {.dtype = vt_back_dtype(b, x), .shape = vt_back_shape(b, x)};
    const vt_op_args args = {.graph = b->plan->graph, .node = &b->node, .inputs = &input};
    if (b->status == VT_OK)
        b->status = vt_window_init(window, &args, NULL, b->error);
    *taps = 1.0;
    for (int i = 0; i < window->rank && b->status == VT_OK; i++) {
        int64_t span = (window->kernel[i] - 1) * window->dilation[i] + 1;
        int64_t end =
            (window->out[i] - 1) * window->stride[i] + span - window->in[i] - window->pad_begin[i];
        pads[i] = window->pad_begin[i];
        pads[window->rank + i] = end > 0 ? end : 0;
        *taps *= (double)window->kernel[i];
    }
}

void vt_gradient_lp_pool(vt_backward *b)
{
    vt_window window = {0};
    int64_t pads[2 * VT_MAX_SPATIAL], p = lp_exponent(b);
    double taps;
    vt_value_id x = vt_back_input(b, 0), share = lp_share(b, p);
    const vt_shape shape = vt_back_shape(b, x);
    lp_window(b, &window, pads, &taps);
    const vt_attr attrs[] = {VT_BACK_INTS("kernel_shape", window.kernel, window.rank),
                             VT_BACK_INTS("strides", window.stride, window.rank),
                             VT_BACK_INTS("dilations", window.dilation, window.rank),
                             VT_BACK_INTS("pads", pads, 2 * window.rank),
                             VT_BACK_INTS("shape", shape.dims, shape.rank),
                             VT_BACK_INT("count_include_pad", 1)};
    share = vt_back_node(b, &(vt_back_call){.op = "vitrine:AveragePoolGrad",
                                            .inputs = &share,
                                            .input_count = 1,
                                            .attrs = attrs,
                                            .attr_count = 6});
    b->dx[0] = vt_back_op2(b, "Mul", lp_slope(b, x, p), vt_back_scale(b, share, taps));
}

void vt_gradient_global_lp_pool(vt_backward *b)
{
    int64_t p = lp_exponent(b);
    b->dx[0] = vt_back_op2(b, "Mul", lp_slope(b, vt_back_input(b, 0), p), lp_share(b, p));
}
