/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MaxPool, AveragePool and LpPool over 1 to 6 spatial dimensions.
 *
 * The reference visits the taps of every window that lie inside the input. AveragePool divides by
 * those, or with count_include_pad by the taps inside the input and its declared padding (taps that
 * only ceil_mode brings in never count). A window without any tap inside gives the lowest number
 * (max) or 0.
 */
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <float.h>
#include <math.h>

typedef enum pool_kind { POOL_MAX, POOL_AVERAGE, POOL_LP } pool_kind;

/* One window at work: taps [first, end) per axis. */
typedef struct pool_walk {
    const vt_window *window;
    pool_kind kind;
    double p;      /* of POOL_LP */
    double lowest; /* of the type */
    bool count_pad;
    bool column_major; /* of the index of a maximum */
    int64_t position[VT_MAX_SPATIAL], first[VT_MAX_SPATIAL], end[VT_MAX_SPATIAL];
} pool_walk;

static vt_status pool_infer(vt_op_args *args, vt_error *error)
{
    vt_window window;
    vt_status status = vt_op_check_rank(args, 0, 3, VT_MAX_RANK, error);
    if (status == VT_OK)
        status = vt_window_init(&window, args, NULL, error);
    if (status != VT_OK)
        return status;
    vt_shape shape = args->inputs[0].shape;
    for (int i = 0; i < window.rank; i++)
        shape.dims[2 + i] = window.out[i];
    vt_op_set_output(args, 0, args->inputs[0].dtype, &shape);
    vt_op_set_output(args, 1, VT_I64, &shape);
    return VT_OK;
}

static vt_status pool_infer_float(vt_op_args *args, vt_error *error)
{
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    return status == VT_OK ? pool_infer(args, error) : status;
}

static vt_status pool_infer_max(vt_op_args *args, vt_error *error)
{
    vt_status status =
        vt_op_check_type(args, 0, VT_TYPES_FLOAT | VT_TYPE(VT_I8) | VT_TYPE(VT_U8), error);
    return status == VT_OK ? pool_infer(args, error) : status;
}

/* Taps of the current window that averaging with padding divides by. */
static double pool_padded_taps(const pool_walk *walk)
{
    const vt_window *window = walk->window;
    double taps = 1.0;
    for (int i = 0; i < window->rank; i++) {
        int64_t start = walk->position[i] * window->stride[i] - window->pad_begin[i];
        int64_t room = window->in[i] + window->pad_end[i] - start;
        int64_t inside = room <= 0 ? 0 : (room + window->dilation[i] - 1) / window->dilation[i];
        taps *= (double)(inside < window->kernel[i] ? inside : window->kernel[i]);
    }
    return taps;
}

/* Flat index, row-major, of a tap in the input plane. */
static int64_t tap_offset(const pool_walk *walk, const int64_t *tap)
{
    const vt_window *window = walk->window;
    int64_t offset = 0;
    for (int i = 0; i < window->rank; i++)
        offset = offset * window->in[i] + walk->position[i] * window->stride[i] -
                 window->pad_begin[i] + tap[i] * window->dilation[i];
    return offset;
}

static int64_t column_major(const vt_window *window, int64_t offset)
{
    int64_t result = 0, coordinates[VT_MAX_SPATIAL];
    for (int i = window->rank - 1; i >= 0; i--) {
        coordinates[i] = offset % window->in[i];
        offset /= window->in[i];
    }
    for (int i = window->rank - 1; i >= 0; i--)
        result = result * window->in[i] + coordinates[i];
    return result;
}

static double pool_combine(pool_walk *walk, double sum, double count)
{
    switch (walk->kind) {
    case POOL_MAX:
        return sum;
    case POOL_AVERAGE:
        count = walk->count_pad ? pool_padded_taps(walk) : count;
        return count > 0.0 ? sum / count : 0.0;
    case POOL_LP:
        break;
    }
    return pow(sum, 1.0 / walk->p);
}

/* One output number; *index: where in the plane the maximum lies. */
static double pool_window(pool_walk *walk, const double *plane, int64_t *index)
{
    const vt_window *window = walk->window;
    int64_t tap[VT_MAX_SPATIAL];
    double sum = walk->kind == POOL_MAX ? walk->lowest : 0.0, count = 0.0;
    bool empty = false;
    *index = 0;
    for (int i = 0; i < window->rank; i++) {
        vt_window_taps(window, i, walk->position[i], &walk->first[i], &walk->end[i]);
        tap[i] = walk->first[i];
        empty = empty || walk->first[i] == walk->end[i];
    }
    while (!empty) {
        int64_t offset = tap_offset(walk, tap);
        double value = plane[offset];
        if (walk->kind == POOL_LP)
            sum += pow(fabs(value), walk->p);
        else if (walk->kind == POOL_AVERAGE)
            sum += value;
        else if (count == 0.0 || value > sum) {
            sum = value;
            *index = offset;
        }
        count += 1.0;
        int axis = window->rank - 1;
        while (axis >= 0 && ++tap[axis] >= walk->end[axis]) {
            tap[axis] = walk->first[axis];
            axis--;
        }
        empty = axis < 0;
    }
    if (walk->column_major)
        *index = column_major(window, *index);
    return pool_combine(walk, sum, count);
}

static void pool_plane(pool_walk *walk, vt_op_args *args, size_t plane, const double *x)
{
    const vt_window *window = walk->window;
    vt_tensor *y = &args->outputs[0];
    size_t in = vt_shape_product(&args->inputs[0].shape, 2, y->shape.rank);
    size_t out = vt_shape_product(&y->shape, 2, y->shape.rank);
    for (int i = 0; i < window->rank; i++)
        walk->position[i] = 0;
    for (size_t k = 0; k < out; k++) {
        int64_t index;
        double value = pool_window(walk, x + plane * in, &index);
        vt_store_f64(y->dtype, y->data, plane * out + k, 1, &value);
        if (vt_op_wants(args, 1))
            ((int64_t *)args->outputs[1].data)[plane * out + k] = (int64_t)(plane * in) + index;
        for (int i = window->rank - 1; i >= 0 && ++walk->position[i] == window->out[i]; i--)
            walk->position[i] = 0;
    }
}

static double lowest_of(vt_dtype dtype)
{
    switch (dtype) {
    case VT_F16:
        return -65504.0;
    case VT_BF16:
        return -0x1.fep127;
    case VT_F32:
        return -(double)FLT_MAX;
    case VT_I8:
        return -128.0;
    case VT_U8:
        return 0.0;
    default:
        return -DBL_MAX;
    }
}

static vt_status pool_run(vt_op_args *args, pool_walk *walk, vt_error *error)
{
    vt_window window;
    double *x = NULL;
    vt_status status = vt_window_init(&window, args, NULL, error);
    if (status == VT_OK)
        status = vt_op_widen(&args->inputs[0], &x, error);
    if (status != VT_OK)
        return status;
    walk->window = &window;
    walk->lowest = lowest_of(args->inputs[0].dtype);
    size_t planes = vt_shape_product(&args->inputs[0].shape, 0, 2);
    for (size_t plane = 0; plane < planes; plane++)
        pool_plane(walk, args, plane, x);
    vt_free(x);
    return VT_OK;
}

static vt_status max_reference(vt_op_args *args, vt_error *error)
{
    pool_walk walk = {.kind = POOL_MAX,
                      .column_major = vt_node_int(args->node, "storage_order", 0) != 0};
    return pool_run(args, &walk, error);
}

static vt_status average_reference(vt_op_args *args, vt_error *error)
{
    pool_walk walk = {.kind = POOL_AVERAGE,
                      .count_pad = vt_node_int(args->node, "count_include_pad", 0) != 0};
    return pool_run(args, &walk, error);
}

static vt_status lp_reference(vt_op_args *args, vt_error *error)
{
    pool_walk walk = {.kind = POOL_LP, .p = (double)vt_node_int(args->node, "p", 2)};
    if (walk.p < 1.0)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"p\" is below 1");
    return pool_run(args, &walk, error);
}

#define WINDOW "auto_pad:s kernel_shape:I! pads:I strides:I "
#define POOL(name, since, until, outputs, attrs, infer_function, reference_function)               \
    {                                                                                              \
        name, "", since, until, 1, 1, 1, outputs, attrs,                                           \
            .flags = VT_OP_HEAVY, .infer = infer_function, .reference = reference_function         \
    }

const vt_op vt_ops_pool[] = {
    /* Exporters wrote dilations before opset 10 had them. */
    POOL("MaxPool", 1, 7, 1, WINDOW "dilations:I", pool_infer_max, max_reference),
    POOL("MaxPool", 8, 9, 2, WINDOW "storage_order:i dilations:I", pool_infer_max, max_reference),
    POOL("MaxPool", 10, 0, 2, WINDOW "storage_order:i ceil_mode:i dilations:I", pool_infer_max,
         max_reference),
    POOL("AveragePool", 1, 6, 1, WINDOW, pool_infer_float, average_reference),
    POOL("AveragePool", 7, 9, 1, WINDOW "count_include_pad:i", pool_infer_float, average_reference),
    POOL("AveragePool", 10, 18, 1, WINDOW "count_include_pad:i ceil_mode:i", pool_infer_float,
         average_reference),
    POOL("AveragePool", 19, 0, 1, WINDOW "count_include_pad:i ceil_mode:i dilations:I",
         pool_infer_float, average_reference),
    POOL("LpPool", 2, 17, 1, WINDOW "p:i", pool_infer_float, lp_reference),
    POOL("LpPool", 18, 0, 1, WINDOW "p:i ceil_mode:i dilations:I", pool_infer_float, lp_reference),
    {0},
};
