/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Resize and Upsample are asked to do: attributes, scales or sizes, region and axes of every
 * opset brought into one form, and the coordinate transformations.
 *
 * Lengths from scales are floor(length * scale) in f32, the type of the scales, so that a scale
 * like 0.7 that f32 cannot hold gives 7 of 10. Opset 10 and Upsample have no transformation in
 * their text; they are asymmetric, and nearest there rounds down when an axis grows and up when it
 * shrinks, which is what the examples of the specification do.
 */
#include "nn/ops/resize.h"

#include <math.h>
#include <string.h>

/* ---- attributes ---- */

static vt_status choice(const vt_op_args *args, const char *name, const char *const *names,
                        int *out, vt_error *error)
{
    const char *text = vt_node_text(args->node, name, NULL);
    for (int i = 0; text != NULL && names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return VT_OK;
        }
    }
    if (text == NULL)
        return VT_OK;
    return vt_fail(error, VT_ERR_FORMAT, "attribute \"%s\" is \"%.40s\"", name, text);
}

static bool is_old(const vt_op_args *args)
{
    return args->node->opset < 11;
}

static vt_status read_coordinates(vt_resize *resize, const vt_op_args *args, vt_error *error)
{
    static const char *const names[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize", NULL};
    int mode = is_old(args) ? VT_RESIZE_ASYMMETRIC : VT_RESIZE_HALF_PIXEL;
    vt_status status = choice(args, "coordinate_transformation_mode", names, &mode, error);
    resize->coordinates = (vt_resize_coordinates)mode;
    bool known =
        (resize->coordinates != VT_RESIZE_HALF_PIXEL_SYMMETRIC || args->node->opset >= 19) &&
        (resize->coordinates != VT_RESIZE_TF_HALF_PIXEL_FOR_NN || args->node->opset <= 12);
    if (status == VT_OK && !known)
        status = vt_fail(error, VT_ERR_FORMAT,
                         "attribute \"coordinate_transformation_mode\" is \"%s\" in opset %d",
                         names[mode], args->node->opset);
    return status;
}

static vt_status read_attributes(vt_resize *resize, const vt_op_args *args, vt_error *error)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
    static const char *const rounds[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil",
                                         NULL};
    int mode = VT_RESIZE_NEAREST, round = is_old(args) ? VT_RESIZE_OUTWARD : 0;
    const char *text = vt_node_text(args->node, "mode", "nearest");
    vt_status status = VT_OK;
    /* Exporters wrote the name of the two-dimensional case before opset 10. */
    if (is_old(args) && strcmp(text, "bilinear") == 0)
        mode = VT_RESIZE_LINEAR;
    else
        status = choice(args, "mode", modes, &mode, error);
    if (status == VT_OK && is_old(args) && mode == VT_RESIZE_CUBIC)
        status = vt_fail(error, VT_ERR_FORMAT, "attribute \"mode\" is \"cubic\" in opset %d",
                         args->node->opset);
    if (status == VT_OK)
        status = choice(args, "nearest_mode", rounds, &round, error);
    if (status == VT_OK)
        status = read_coordinates(resize, args, error);
    resize->mode = (vt_resize_mode)mode;
    resize->round = (vt_resize_round)round;
    resize->antialias = vt_node_int(args->node, "antialias", 0) != 0;
    resize->exclude_outside = vt_node_int(args->node, "exclude_outside", 0) != 0;
    resize->cubic_a = (double)vt_node_float(args->node, "cubic_coeff_a", -0.75f);
    resize->extrapolation = (double)vt_node_float(args->node, "extrapolation_value", 0.0f);
    return status;
}

/* ---- scales, sizes, region ---- */

/* The axes that scales, sizes and region speak of, in their order. */
static vt_status read_axes(const vt_op_args *args, int axes[VT_MAX_RANK], int *count,
                           vt_error *error)
{
    int64_t given[VT_MAX_RANK];
    bool marks[VT_MAX_RANK];
    int rank = args->inputs[0].shape.rank,
        have = vt_node_ints(args->node, "axes", given, VT_MAX_RANK);
    *count = have < 0 ? rank : have;
    if (have > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"axes\" has %d numbers", have);
    vt_status status = have < 0 ? VT_OK : vt_op_axes(given, have, rank, marks, error);
    for (int i = 0; i < *count && status == VT_OK; i++)
        axes[i] = have < 0 ? i : (int)(given[i] < 0 ? given[i] + rank : given[i]);
    return status;
}

/* Floats from input `index`; *count 0: left out or empty. */
static vt_status read_floats(const vt_op_args *args, size_t index, int capacity, double *out,
                             int *count, vt_error *error)
{
    const vt_tensor *input = vt_op_input(args, index);
    *count = 0;
    if (input == NULL || vt_tensor_count(input) == 0)
        return VT_OK;
    vt_status status = vt_op_check_type(args, index, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_rank(args, index, 1, 1, error);
    if (status == VT_OK)
        status = vt_op_check_known(args, index, error);
    if (status != VT_OK)
        return status;
    if (vt_tensor_count(input) > (size_t)capacity)
        return vt_fail(error, VT_ERR_FORMAT, "input %zu has %zu numbers, at most %d make sense",
                       index, vt_tensor_count(input), capacity);
    *count = (int)vt_tensor_count(input);
    vt_load_f64(input->dtype, input->data, 0, (size_t)*count, out);
    return VT_OK;
}

/* Until opset 8 an attribute, then input 1, from 11 on input 2 behind the region. */
static vt_status read_scales(const vt_op_args *args, double scales[VT_MAX_RANK], int *count,
                             vt_error *error)
{
    const vt_attr *attr = vt_node_attr(args->node, "scales");
    if (attr == NULL || attr->kind != VT_ATTR_FLOATS)
        return read_floats(args, is_old(args) ? 1 : 2, VT_MAX_RANK, scales, count, error);
    if (attr->count > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"scales\" has %zu numbers", attr->count);
    *count = (int)attr->count;
    for (int i = 0; i < *count; i++)
        scales[i] = (double)attr->floats[i];
    return VT_OK;
}

static vt_status apply_scale(vt_resize_axis *axis, double scale, vt_error *error)
{
    if (!(scale > 0.0) || !isfinite(scale))
        return vt_fail(error, VT_ERR_FORMAT, "a scale of %g", scale);
    double width = (double)((float)axis->in * (float)scale), length = floor(width);
    if (length >= 0x1p40)
        return vt_fail(error, VT_ERR_LIMIT, "an axis of %lld scaled by %g", (long long)axis->in,
                       scale);
    axis->scale = scale;
    axis->out = (int64_t)length;
    axis->width = width;
    return VT_OK;
}

/* keep_aspect_ratio_policy: one scale for all axes, the smallest or largest that was asked for. */
static void keep_ratio(vt_resize *resize, const int *axes, int count, bool larger)
{
    double scale = 0.0;
    for (int i = 0; i < count; i++) {
        double own = resize->axes[axes[i]].scale;
        if (i == 0 || (larger ? own > scale : own < scale))
            scale = own;
    }
    for (int i = 0; i < count; i++) {
        vt_resize_axis *axis = &resize->axes[axes[i]];
        axis->scale = scale;
        axis->width = scale * (double)axis->in;
        axis->out = axis->width >= 0x1p40 ? INT64_C(1) << 40 : (int64_t)floor(axis->width + 0.5);
    }
}

static vt_status apply_sizes(vt_resize *resize, const vt_op_args *args, const int *axes, int count,
                             vt_error *error)
{
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    int64_t sizes[VT_MAX_RANK];
    int have = 0, policy = 0;
    vt_status status = vt_op_input_ints(args, 3, sizes, VT_MAX_RANK, &have, error);
    if (status == VT_OK && have != count)
        status = vt_fail(error, VT_ERR_FORMAT, "%d sizes for %d axes", have, count);
    if (status == VT_OK)
        status = choice(args, "keep_aspect_ratio_policy", policies, &policy, error);
    for (int i = 0; i < count && status == VT_OK; i++) {
        vt_resize_axis *axis = &resize->axes[axes[i]];
        if (sizes[i] < 0 || (axis->in == 0 && sizes[i] > 0))
            return vt_fail(error, VT_ERR_FORMAT, "an axis of %lld to become %lld",
                           (long long)axis->in, (long long)sizes[i]);
        axis->out = sizes[i];
        axis->width = (double)sizes[i];
        axis->scale = axis->in == 0 ? 1.0 : (double)sizes[i] / (double)axis->in;
    }
    if (status == VT_OK && policy != 0)
        keep_ratio(resize, axes, count, policy == 2);
    return status;
}

static vt_status apply_region(vt_resize *resize, const vt_op_args *args, const int *axes, int count,
                              vt_error *error)
{
    double region[2 * VT_MAX_RANK];
    int have = 0;
    if (resize->coordinates != VT_RESIZE_TF_CROP_AND_RESIZE)
        return VT_OK;
    vt_status status = read_floats(args, 1, 2 * VT_MAX_RANK, region, &have, error);
    if (status == VT_OK && have != 2 * count)
        status = vt_fail(error, VT_ERR_FORMAT, "a region of %d numbers for %d axes", have, count);
    for (int i = 0; i < count && status == VT_OK; i++) {
        resize->axes[axes[i]].roi[0] = region[i];
        resize->axes[axes[i]].roi[1] = region[count + i];
        if (!isfinite(region[i]) || !isfinite(region[count + i]))
            status = vt_fail(error, VT_ERR_FORMAT, "a region with the number %g",
                             isfinite(region[i]) ? region[count + i] : region[i]);
    }
    return status;
}

vt_status vt_resize_init(vt_resize *resize, const vt_op_args *args, vt_error *error)
{
    double scales[VT_MAX_RANK];
    int axes[VT_MAX_RANK], count = 0, given = 0;
    const vt_shape *shape = &args->inputs[0].shape;
    *resize = (vt_resize){.rank = shape->rank};
    for (int i = 0; i < shape->rank; i++)
        resize->axes[i] = (vt_resize_axis){.in = shape->dims[i],
                                           .out = shape->dims[i],
                                           .scale = 1.0,
                                           .width = (double)shape->dims[i],
                                           .roi = {0.0, 1.0}};
    vt_status status = read_attributes(resize, args, error);
    if (status == VT_OK)
        status = read_axes(args, axes, &count, error);
    if (status == VT_OK)
        status = read_scales(args, scales, &given, error);
    if (status != VT_OK)
        return status;
    const vt_tensor *sizes = vt_op_input(args, 3);
    bool has_sizes = sizes != NULL && !(given > 0 && vt_tensor_count(sizes) == 0);
    if (has_sizes ? given > 0 : given != count)
        return vt_fail(error, VT_ERR_FORMAT,
                       has_sizes ? "%d scales for %d axes beside sizes" : "%d scales for %d axes",
                       given, count);
    if (has_sizes)
        status = apply_sizes(resize, args, axes, count, error);
    for (int i = 0; i < given && status == VT_OK; i++)
        status = apply_scale(&resize->axes[axes[i]], scales[i], error);
    return status == VT_OK ? apply_region(resize, args, axes, count, error) : status;
}

/* ---- coordinates ---- */

/* Scales and regions are f32: 1.5 / 0.6 is not quite 2.5. What is as near to a pixel or the middle
 * of two as their rounding explains is taken to be there, so that floor and ties come out as for
 * the number that was meant. Beyond some thousand pixels that would catch others too. */
static double snap(double source)
{
    double half = rint(source * 2.0) / 2.0, size = fabs(source) + 1.0;
    return size < 4096.0 && fabs(source - half) <= size * 0x1p-22 ? half : source;
}

bool vt_resize_source(const vt_resize *resize, int axis, int64_t k, double *source)
{
    const vt_resize_axis *a = &resize->axes[axis];
    double x = (double)k, last = (double)(a->in - 1);
    switch (resize->coordinates) {
    case VT_RESIZE_HALF_PIXEL:
        *source = (x + 0.5) / a->scale - 0.5;
        break;
    case VT_RESIZE_HALF_PIXEL_SYMMETRIC: /* the centres of both stay together */
        *source =
            (double)a->in / 2.0 * (1.0 - (double)a->out / a->width) + (x + 0.5) / a->scale - 0.5;
        break;
    case VT_RESIZE_PYTORCH_HALF_PIXEL:
        *source = a->out > 1 ? (x + 0.5) / a->scale - 0.5 : 0.0;
        break;
    case VT_RESIZE_ALIGN_CORNERS:
        *source = a->width == 1.0 ? 0.0 : x * last / (a->width - 1.0);
        break;
    case VT_RESIZE_ASYMMETRIC:
        *source = x / a->scale;
        break;
    case VT_RESIZE_TF_HALF_PIXEL_FOR_NN:
        *source = (x + 0.5) / a->scale;
        break;
    case VT_RESIZE_TF_CROP_AND_RESIZE:
        *source = a->width == 1.0
                      ? 0.5 * (a->roi[0] + a->roi[1]) * last
                      : a->roi[0] * last + x * (a->roi[1] - a->roi[0]) * last / (a->width - 1.0);
        *source = snap(*source);
        return *source >= 0.0 && *source <= last;
    }
    *source = snap(*source);
    return true;
}
