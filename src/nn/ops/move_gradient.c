/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of operators that move, repeat, join or cut: the gradient takes the way back.
 *
 * Slice has an internal operator, SliceGrad, which puts what it gets where the slice was taken
 * from, between zeros. A Split whose parts are not all used joins zeros in their place.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

/* ---- SliceGrad ---- */

typedef struct slice_numbers {
    int64_t start[VT_MAX_RANK], step[VT_MAX_RANK];
    vt_shape shape;
} slice_numbers;

/* Every element has a place of its own inside. */
static vt_status slice_numbers_read(const vt_op_args *args, slice_numbers *out, vt_error *error)
{
    const vt_shape *part = &args->inputs[0].shape;
    int rank = vt_node_ints(args->node, "shape", out->shape.dims, VT_MAX_RANK);
    bool fits = rank == part->rank &&
                vt_node_ints(args->node, "start", out->start, VT_MAX_RANK) == rank &&
                vt_node_ints(args->node, "step", out->step, VT_MAX_RANK) == rank;
    out->shape.rank = rank;
    for (int i = 0; fits && i < rank; i++) {
        int64_t last, count = part->dims[i];
        fits = out->shape.dims[i] >= 0 && out->step[i] != 0 &&
               !__builtin_mul_overflow(count > 0 ? count - 1 : 0, out->step[i], &last) &&
               !__builtin_add_overflow(last, out->start[i], &last) &&
               (count == 0 || (out->start[i] >= 0 && out->start[i] < out->shape.dims[i] &&
                               last >= 0 && last < out->shape.dims[i]));
    }
    return fits ? VT_OK : vt_fail(error, VT_ERR_FORMAT, "the slice does not fit its shape");
}

static vt_status slice_grad_infer(vt_op_args *args, vt_error *error)
{
    slice_numbers numbers;
    vt_status status = slice_numbers_read(args, &numbers, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &numbers.shape);
    return status;
}

static vt_status slice_grad_reference(vt_op_args *args, vt_error *error)
{
    slice_numbers numbers;
    const vt_tensor *dy = &args->inputs[0];
    vt_tensor *dx = &args->outputs[0];
    size_t from[VT_MAX_RANK], to[VT_MAX_RANK], start = 0;
    vt_status status = slice_numbers_read(args, &numbers, error);
    if (status != VT_OK)
        return status;
    memset(dx->data, 0, dx->bytes);
    if (vt_tensor_count(dy) == 0)
        return VT_OK;
    vt_copy copy = {.rank = dy->shape.rank, .bytes = vt_dtype_bytes(dy->dtype)};
    vt_shape_strides(&dy->shape, from);
    vt_shape_strides(&numbers.shape, to);
    for (int i = 0; i < copy.rank; i++) {
        copy.dims[i] = dy->shape.dims[i];
        copy.from[i] = (int64_t)from[i];
        copy.to[i] = (int64_t)to[i] * numbers.step[i];
        start += to[i] * (size_t)numbers.start[i];
    }
    vt_copy_run(&copy, dy->data, (char *)dx->data + start * copy.bytes);
    return VT_OK;
}

const vt_op vt_ops_slice_gradient[] = {
    {"SliceGrad", VT_BACK_DOMAIN, 1, 0, 1, 1, 1, 1, "shape:I! start:I! step:I!",
     .flags = VT_OP_INTERNAL, .infer = slice_grad_infer, .reference = slice_grad_reference},
    {0},
};

static vt_value_id emit_slice_grad(vt_backward *b, vt_value_id dy, const slice_numbers *numbers)
{
    int rank = numbers->shape.rank;
    const vt_attr attrs[] = {VT_BACK_INTS("shape", numbers->shape.dims, rank),
                             VT_BACK_INTS("start", numbers->start, rank),
                             VT_BACK_INTS("step", numbers->step, rank)};
    return vt_back_node(b, &(vt_back_call){.op = "vitrine:SliceGrad",
                                           .inputs = &dy,
                                           .input_count = 1,
                                           .attrs = attrs,
                                           .attr_count = 3});
}

/* The operands of the step that is differentiated, as operators read them; the caller's. */
static vt_tensor *operands(vt_backward *b)
{
    vt_tensor *inputs = vt_calloc(b->node.input_count + 1, sizeof(*inputs));
    if (inputs == NULL && b->status == VT_OK)
        b->status = vt_fail_memory(b->error, "gradients");
    for (size_t i = 0; i < b->node.input_count && b->status == VT_OK; i++) {
        if (b->node.inputs[i] == VT_NO_VALUE)
            continue;
        if (b->plan->values[b->node.inputs[i]].constant)
            b->status = vt_plan_acquire(b->plan, b->node.inputs[i], b->error);
        inputs[i] = b->plan->values[b->node.inputs[i]].tensor;
    }
    return inputs;
}

void vt_gradient_slice(vt_backward *b)
{
    slice_numbers numbers = {.shape = vt_back_shape(b, vt_back_input(b, 0))};
    vt_tensor *inputs = operands(b);
    const vt_op_args args = {.graph = b->plan->graph, .node = &b->node, .inputs = inputs};
    if (b->status == VT_OK)
        b->status = vt_slice_ranges(&args, numbers.start, numbers.step, b->error);
    if (b->status == VT_OK)
        b->dx[0] = emit_slice_grad(b, b->dy[0], &numbers);
    vt_free(inputs);
}

/* ---- what keeps all numbers ---- */

/* Reshape, Flatten, Squeeze, Unsqueeze. */
void vt_gradient_reshape(vt_backward *b)
{
    const vt_shape shape = vt_back_shape(b, vt_back_input(b, 0));
    b->dx[0] = vt_back_reshape(b, b->dy[0], &shape);
}

void vt_gradient_identity(vt_backward *b)
{
    b->dx[0] = b->dy[0];
}

void vt_gradient_cast(vt_backward *b)
{
    const vt_attr to = VT_BACK_INT("to", vt_back_dtype(b, vt_back_input(b, 0)));
    b->dx[0] = vt_back_node(
        b, &(vt_back_call){
               .op = "Cast", .inputs = b->dy, .input_count = 1, .attrs = &to, .attr_count = 1});
}

void vt_gradient_transpose(vt_backward *b)
{
    int64_t perm[VT_MAX_RANK], back[VT_MAX_RANK];
    int rank = vt_back_shape(b, vt_back_input(b, 0)).rank;
    bool given = vt_node_ints(&b->node, "perm", perm, VT_MAX_RANK) == rank;
    for (int i = 0; i < rank; i++)
        back[given ? perm[i] : rank - 1 - i] = i;
    b->dx[0] = vt_back_transpose(b, b->dy[0], back);
}

/* The permutation of axes after a reshape to `parts`, then a reshape to `shape`. */
static vt_value_id rearrange(vt_backward *b, vt_value_id x, const vt_shape *parts,
                             const int64_t *perm, const vt_shape *shape)
{
    return vt_back_reshape(b, vt_back_transpose(b, vt_back_reshape(b, x, parts), perm), shape);
}

/* y (N, C / s^2, H s, W s) to x (N, C, H, W); DCR has the block in front of the channels. */
void vt_gradient_depth_to_space(vt_backward *b)
{
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0));
    int64_t s = vt_node_int(&b->node, "blocksize", 1), depth = x.dims[1] / (s * s);
    const vt_shape parts = {6, {x.dims[0], depth, x.dims[2], s, x.dims[3], s}};
    static const int64_t dcr[] = {0, 3, 5, 1, 2, 4}, crd[] = {0, 1, 3, 5, 2, 4};
    bool columns = strcmp(vt_node_text(&b->node, "mode", "DCR"), "CRD") == 0;
    b->dx[0] = rearrange(b, b->dy[0], &parts, columns ? crd : dcr, &x);
}

/* y (N, C s^2, H / s, W / s), the block in front of the channels, to x (N, C, H, W). */
void vt_gradient_space_to_depth(vt_backward *b)
{
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0));
    int64_t s = vt_node_int(&b->node, "blocksize", 1);
    const vt_shape parts = {6, {x.dims[0], s, s, x.dims[1], x.dims[2] / s, x.dims[3] / s}};
    static const int64_t perm[] = {0, 3, 4, 1, 5, 2};
    b->dx[0] = rearrange(b, b->dy[0], &parts, perm, &x);
}

/* ---- what joins and cuts ---- */

static int axis_of(vt_backward *b, int64_t fallback)
{
    int axis = 0, rank = vt_back_shape(b, vt_back_output(b, 0)).rank;
    if (b->status == VT_OK)
        b->status = vt_op_axis(vt_node_int(&b->node, "axis", fallback), rank, &axis, b->error);
    return axis;
}

void vt_gradient_concat(vt_backward *b)
{
    int axis = axis_of(b, 1);
    int64_t start = 0;
    for (size_t i = 0; i < b->node.input_count; i++) {
        int64_t end = start + vt_back_shape(b, b->node.inputs[i]).dims[axis];
        if (vt_back_wants(b, i) && b->node.input_count == 1) {
            b->dx[i] = b->dy[0];
        } else if (vt_back_wants(b, i)) {
            const vt_value_id inputs[] = {b->dy[0], vt_back_ints(b, &start, 1),
                                          vt_back_ints(b, &end, 1),
                                          vt_back_ints(b, &(const int64_t){axis}, 1)};
            b->dx[i] =
                vt_back_node(b, &(vt_back_call){.op = "Slice", .inputs = inputs, .input_count = 4});
        }
        start = end;
    }
}

void vt_gradient_split(vt_backward *b)
{
    const vt_attr axis = VT_BACK_INT("axis", axis_of(b, 0));
    vt_value_id *parts = vt_calloc(b->node.output_count, sizeof(*parts));
    if (parts == NULL) {
        b->status = vt_fail_memory(b->error, "gradients");
        return;
    }
    for (size_t i = 0; i < b->node.output_count; i++) {
        parts[i] = b->dy[i];
        if (parts[i] != VT_NO_VALUE)
            continue;
        if (b->node.outputs[i] == VT_NO_VALUE) {
            vt_back_fail(b, "an output in the middle is left out");
            break;
        }
        const vt_shape shape = vt_back_shape(b, b->node.outputs[i]);
        parts[i] = vt_back_full(b, 0.0, &shape, vt_back_input(b, 0));
    }
    b->dx[0] = vt_back_node(b, &(vt_back_call){.op = "Concat",
                                               .inputs = parts,
                                               .input_count = b->node.output_count,
                                               .attrs = &axis,
                                               .attr_count = 1});
    vt_free(parts);
}

/* ---- what pads ---- */

/* A negative number of Pad cuts, which the way back fills with zeros, and the other way round. */
static void pad_back(vt_backward *b, const int64_t *begin, const int64_t *end, int rank)
{
    int64_t back[2 * VT_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        back[i] = -begin[i];
        back[rank + i] = -end[i];
    }
    b->dx[0] = vt_back_op2(b, "Pad", b->dy[0], vt_back_ints(b, back, 2 * rank));
}

/* What edges, mirrors and wraps read several times is summed, one axis after the other. */
static vt_value_id unread(vt_backward *b, const vt_picks *picks, const vt_shape *x, vt_value_id dy)
{
    vt_shape shape = vt_back_shape(b, dy);
    for (int i = 0; i < shape.rank && b->status == VT_OK; i++) {
        bool same = shape.dims[i] == x->dims[i];
        for (int64_t k = 0; same && k < x->dims[i]; k++)
            same = picks->lists[i][k] == k;
        if (same)
            continue;
        const vt_value_id inputs[] = {dy, vt_back_ints(b, picks->lists[i], (int)shape.dims[i])};
        shape.dims[i] = x->dims[i];
        const vt_attr attrs[] = {VT_BACK_INT("axis", i),
                                 VT_BACK_INTS("shape", shape.dims, shape.rank)};
        dy = vt_back_node(b, &(vt_back_call){.op = "vitrine:GatherGrad",
                                             .inputs = inputs,
                                             .input_count = 2,
                                             .attrs = attrs,
                                             .attr_count = 2});
    }
    return dy;
}

void vt_gradient_pad(vt_backward *b)
{
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0));
    vt_tensor *inputs = operands(b), output = {.shape = vt_back_shape(b, b->dy[0])};
    const vt_op_args args = {
        .graph = b->plan->graph, .node = &b->node, .inputs = inputs, .outputs = &output};
    int64_t begin[VT_MAX_RANK], end[VT_MAX_RANK];
    vt_picks picks;
    if (b->status == VT_OK)
        b->status = vt_pad_read(&args, begin, end, b->error);
    if (b->status == VT_OK && strcmp(vt_node_text(&b->node, "mode", "constant"), "constant") == 0) {
        pad_back(b, begin, end, x.rank);
    } else if (b->status == VT_OK) {
        b->status = vt_pad_picks(&args, &picks, b->error);
        if (b->status == VT_OK) {
            b->dx[0] = unread(b, &picks, &x, b->dy[0]);
            vt_picks_deinit(&picks);
        }
    }
    vt_free(inputs);
}

/* As much as CenterCropPad took away or added at each end, the smaller half first. */
void vt_gradient_center_crop_pad(vt_backward *b)
{
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0)), y = vt_back_shape(b, b->dy[0]);
    int64_t begin[VT_MAX_RANK], end[VT_MAX_RANK];
    for (int i = 0; i < x.rank; i++) {
        int64_t more = y.dims[i] - x.dims[i];
        begin[i] = more / 2; /* towards 0 */
        end[i] = more - begin[i];
    }
    pad_back(b, begin, end, x.rank);
}

/* ---- what repeats ---- */

void vt_gradient_expand(vt_backward *b)
{
    const vt_shape shape = vt_back_shape(b, vt_back_input(b, 0));
    b->dx[0] = vt_back_reduce_to(b, b->dy[0], &shape);
}

/* Every axis as (repetitions, length); axes that are not repeated stay one. */
void vt_gradient_tile(vt_backward *b)
{
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0)), y = vt_back_shape(b, b->dy[0]);
    vt_shape parts = {0};
    bool marks[VT_MAX_RANK] = {false};
    for (int i = 0; i < x.rank; i++) {
        int64_t repeats = x.dims[i] > 0 ? y.dims[i] / x.dims[i] : 1;
        if (parts.rank + (repeats > 1 ? 2 : 1) > VT_MAX_RANK) {
            vt_back_fail(b, "it repeats too many axes");
            return;
        }
        if (repeats > 1) {
            marks[parts.rank] = true;
            parts.dims[parts.rank++] = repeats;
        }
        parts.dims[parts.rank++] = x.dims[i];
    }
    vt_value_id sum = vt_back_sum_axes(b, vt_back_reshape(b, b->dy[0], &parts), marks);
    b->dx[0] = vt_back_reshape(b, sum, &x);
}

/* ---- triangles and running sums ---- */

void vt_gradient_trilu(vt_backward *b)
{
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 1)};
    b->dx[0] = vt_back_same(b, inputs, 2);
}

void vt_gradient_cumsum(vt_backward *b)
{
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 1)};
    const vt_attr attrs[] = {
        VT_BACK_INT("exclusive", vt_node_int(&b->node, "exclusive", 0)),
        VT_BACK_INT("reverse", vt_node_int(&b->node, "reverse", 0) != 0 ? 0 : 1)};
    b->dx[0] = vt_back_node(
        b,
        &(vt_back_call){
            .op = "CumSum", .inputs = inputs, .input_count = 2, .attrs = attrs, .attr_count = 2});
}

/* The product up to a factor, divided by it: a factor that is 0 has none. */
void vt_gradient_cumprod(vt_backward *b)
{
    const vt_value_id inputs[] = {vt_back_op2(b, "Mul", b->dy[0], vt_back_output(b, 0)),
                                  vt_back_input(b, 1)};
    const vt_attr attrs[] = {
        VT_BACK_INT("exclusive", vt_node_int(&b->node, "exclusive", 0)),
        VT_BACK_INT("reverse", vt_node_int(&b->node, "reverse", 0) != 0 ? 0 : 1)};
    vt_value_id sums = vt_back_node(
        b,
        &(vt_back_call){
            .op = "CumSum", .inputs = inputs, .input_count = 2, .attrs = attrs, .attr_count = 2});
    b->dx[0] = vt_back_op2(b, "Div", sums, vt_back_input(b, 0));
}

/* Its own inverse. */
void vt_gradient_reverse_sequence(vt_backward *b)
{
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 1)};
    b->dx[0] = vt_back_same(b, inputs, 2);
}

/* Every place of the columns reads the image's element, or the zero put behind them. */
void vt_gradient_col2im(vt_backward *b)
{
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0)), y = vt_back_shape(b, b->dy[0]);
    int64_t pixels = (int64_t)vt_shape_product(&y, 2, y.rank), *places = NULL;
    const vt_shape flat = {2, {y.dims[0] * y.dims[1], pixels}};
    const int64_t pads[] = {0, 0, 0, 1};
    size_t count = 0;
    vt_tensor *inputs = operands(b);
    const vt_op_args args = {.graph = b->plan->graph, .node = &b->node, .inputs = inputs};
    if (b->status == VT_OK)
        b->status = vt_col2im_places(&args, &places, &count, b->error);
    for (size_t k = 0; b->status == VT_OK && k < count; k++)
        places[k] = places[k] < 0 ? pixels : places[k];
    if (b->status == VT_OK && count > INT32_MAX)
        vt_back_fail(b, "its image is too large for a gradient");
    if (b->status == VT_OK) {
        vt_value_id dy =
            vt_back_op2(b, "Pad", vt_back_reshape(b, b->dy[0], &flat), vt_back_ints(b, pads, 4));
        const vt_value_id picked[] = {dy, vt_back_ints(b, places, (int)count)};
        const vt_attr axis = VT_BACK_INT("axis", 1);
        dy = vt_back_node(b, &(vt_back_call){.op = "Gather",
                                             .inputs = picked,
                                             .input_count = 2,
                                             .attrs = &axis,
                                             .attr_count = 1});
        b->dx[0] = vt_back_reshape(b, dy, &x);
    }
    vt_free(places);
    vt_free(inputs);
}
