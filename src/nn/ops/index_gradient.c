/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of operators with indices: what was read from a place is added there.
 *
 * Gather has an internal operator, GatherGrad (dy, indices); the others are scatters of ONNX with
 * a sum. A scatter that replaces must not name a place twice, which the specification leaves
 * undefined.
 */
#include "nn/ops/gradients.h"
#include "nn/ops/op.h"
#include "nn/ops/table.h"

#include <string.h>

/* ---- GatherGrad ---- */

typedef struct gather_sizes {
    vt_shape shape;
    size_t outer, length, inner, picks;
} gather_sizes;

static vt_status gather_sizes_of(const vt_op_args *args, gather_sizes *out, vt_error *error)
{
    int axis;
    vt_shape expected = {0};
    const vt_shape *indices = &args->inputs[1].shape;
    out->shape.rank = vt_node_ints(args->node, "shape", out->shape.dims, VT_MAX_RANK);
    if (out->shape.rank < 1 || out->shape.rank - 1 + indices->rank > VT_MAX_RANK)
        return vt_fail(error, VT_ERR_FORMAT, "attribute \"shape\" does not fit");
    vt_status status =
        vt_op_axis(vt_node_int(args->node, "axis", 0), out->shape.rank, &axis, error);
    if (status != VT_OK)
        return status;
    for (int i = 0; i < axis; i++)
        expected.dims[expected.rank++] = out->shape.dims[i];
    for (int i = 0; i < indices->rank; i++)
        expected.dims[expected.rank++] = indices->dims[i];
    for (int i = axis + 1; i < out->shape.rank; i++)
        expected.dims[expected.rank++] = out->shape.dims[i];
    if (!vt_shape_equal(&expected, &args->inputs[0].shape))
        return vt_fail(error, VT_ERR_FORMAT, "gradient does not have the result's shape");
    out->outer = vt_shape_product(&out->shape, 0, axis);
    out->length = (size_t)out->shape.dims[axis];
    out->inner = vt_shape_product(&out->shape, axis + 1, out->shape.rank);
    out->picks = vt_tensor_count(&args->inputs[1]);
    return VT_OK;
}

static vt_status gather_grad_infer(vt_op_args *args, vt_error *error)
{
    gather_sizes sizes;
    vt_status status = vt_op_check_type(args, 0, VT_TYPES_FLOAT, error);
    if (status == VT_OK)
        status = vt_op_check_type(args, 1, VT_TYPES_INDEX, error);
    if (status == VT_OK)
        status = gather_sizes_of(args, &sizes, error);
    if (status == VT_OK)
        vt_op_set_output(args, 0, args->inputs[0].dtype, &sizes.shape);
    return status;
}

/* Sums of the type itself: rows that are picked often lose digits only in f16 and bf16. */
static void add_run(const vt_tensor *dy, size_t from, vt_tensor *dx, size_t to, size_t count)
{
    double more[VT_RUN], sum[VT_RUN];
    for (size_t done = 0; done < count; done += VT_RUN) {
        size_t part = count - done < VT_RUN ? count - done : VT_RUN;
        vt_load_f64(dy->dtype, dy->data, from + done, part, more);
        vt_load_f64(dx->dtype, dx->data, to + done, part, sum);
        for (size_t i = 0; i < part; i++)
            sum[i] += more[i];
        vt_store_f64(dx->dtype, dx->data, to + done, part, sum);
    }
}

static vt_status gather_grad_reference(vt_op_args *args, vt_error *error)
{
    gather_sizes sizes;
    vt_tensor *dx = &args->outputs[0];
    vt_status status = gather_sizes_of(args, &sizes, error);
    if (status != VT_OK)
        return status;
    memset(dx->data, 0, dx->bytes);
    for (size_t o = 0; o < sizes.outer; o++)
        for (size_t p = 0; p < sizes.picks; p++) {
            size_t index = 0;
            status = vt_op_index(&args->inputs[1], p, (int64_t)sizes.length, &index, error);
            if (status != VT_OK)
                return status;
            add_run(&args->inputs[0], (o * sizes.picks + p) * sizes.inner, dx,
                    (o * sizes.length + index) * sizes.inner, sizes.inner);
        }
    return VT_OK;
}

const vt_op vt_ops_index_gradient[] = {
    {"GatherGrad", VT_BACK_DOMAIN, 1, 0, 2, 2, 1, 1, "axis:i shape:I!", .flags = VT_OP_INTERNAL,
     .infer = gather_grad_infer, .reference = gather_grad_reference},
    {0},
};

/* ---- rules ---- */

void vt_gradient_gather(vt_backward *b)
{
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0));
    const vt_attr attrs[] = {VT_BACK_INT("axis", vt_node_int(&b->node, "axis", 0)),
                             VT_BACK_INTS("shape", x.dims, x.rank)};
    const vt_value_id inputs[] = {b->dy[0], vt_back_input(b, 1)};
    b->dx[0] = vt_back_node(b, &(vt_back_call){.op = "vitrine:GatherGrad",
                                               .inputs = inputs,
                                               .input_count = 2,
                                               .attrs = attrs,
                                               .attr_count = 2});
}

/* ScatterElements of `updates` into `base`. */
static vt_value_id scatter(vt_backward *b, const vt_value_id inputs[3], int64_t axis,
                           const char *reduction)
{
    const vt_attr attrs[] = {VT_BACK_INT("axis", axis), VT_BACK_TEXT("reduction", reduction)};
    return vt_back_node(b, &(vt_back_call){.op = "ScatterElements",
                                           .inputs = inputs,
                                           .input_count = 3,
                                           .attrs = attrs,
                                           .attr_count = 2});
}

static vt_value_id zeros_like(vt_backward *b, vt_value_id value)
{
    const vt_shape shape = vt_back_shape(b, value);
    return vt_back_full(b, 0.0, &shape, value);
}

void vt_gradient_gather_elements(vt_backward *b)
{
    vt_value_id zeros = zeros_like(b, vt_back_input(b, 0));
    b->dx[0] = scatter(b, (const vt_value_id[]){zeros, vt_back_input(b, 1), b->dy[0]},
                       vt_node_int(&b->node, "axis", 0), "add");
}

/* The indices, computed once more where nobody else wants them. */
static vt_value_id topk_indices(vt_backward *b)
{
    vt_value_id made[2] = {VT_NO_VALUE, vt_back_output(b, 1)};
    const int64_t k = vt_node_int(&b->node, "k", 1);
    const vt_attr attrs[] = {VT_BACK_INT("axis", vt_node_int(&b->node, "axis", -1)),
                             VT_BACK_INT("largest", vt_node_int(&b->node, "largest", 1)),
                             VT_BACK_INT("sorted", vt_node_int(&b->node, "sorted", 1))};
    if (made[1] != VT_NO_VALUE)
        return made[1];
    vt_value_id count = vt_back_input(b, 1);
    const vt_value_id inputs[] = {vt_back_input(b, 0),
                                  count == VT_NO_VALUE ? vt_back_ints(b, &k, 1) : count};
    vt_back_nodes(
        b,
        &(vt_back_call){
            .op = "TopK", .inputs = inputs, .input_count = 2, .attrs = attrs, .attr_count = 3},
        made, 2);
    return made[1];
}

/* The values; gradients of the indices there are none. */
void vt_gradient_topk(vt_backward *b)
{
    vt_value_id zeros = zeros_like(b, vt_back_input(b, 0)), indices = topk_indices(b);
    b->dx[0] = scatter(b, (const vt_value_id[]){zeros, indices, b->dy[0]},
                       vt_node_int(&b->node, "axis", -1), "add");
}

static vt_value_id scatter_nd(vt_backward *b, vt_value_id base, vt_value_id indices,
                              vt_value_id updates, const char *reduction)
{
    const vt_attr attr = VT_BACK_TEXT("reduction", reduction);
    const vt_value_id inputs[] = {base, indices, updates};
    return vt_back_node(b, &(vt_back_call){.op = "ScatterND",
                                           .inputs = inputs,
                                           .input_count = 3,
                                           .attrs = &attr,
                                           .attr_count = 1});
}

void vt_gradient_gather_nd(vt_backward *b)
{
    if (vt_node_int(&b->node, "batch_dims", 0) != 0) {
        vt_back_fail(b, "batch_dims have no gradient");
        return;
    }
    b->dx[0] =
        scatter_nd(b, zeros_like(b, vt_back_input(b, 0)), vt_back_input(b, 1), b->dy[0], "add");
}

/* Whether the scatter adds; one that replaces is the other kind with a gradient. */
static bool adds(vt_backward *b)
{
    const char *reduction = vt_node_text(&b->node, "reduction", "none");
    bool sum = strcmp(reduction, "add") == 0;
    if (!sum && strcmp(reduction, "none") != 0)
        vt_back_fail(b, "its reduction has no gradient");
    return sum;
}

void vt_gradient_scatter_elements(vt_backward *b)
{
    vt_value_id indices = vt_back_input(b, 1), updates = vt_back_input(b, 2);
    int64_t axis = vt_node_int(&b->node, "axis", 0);
    bool sum = adds(b);
    if (vt_back_wants(b, 0))
        b->dx[0] =
            sum ? b->dy[0]
                : scatter(b, (const vt_value_id[]){b->dy[0], indices, zeros_like(b, updates)}, axis,
                          "none");
    if (vt_back_wants(b, 2)) {
        const vt_value_id inputs[] = {b->dy[0], indices};
        const vt_attr attr = VT_BACK_INT("axis", axis);
        b->dx[2] = vt_back_node(b, &(vt_back_call){.op = "GatherElements",
                                                   .inputs = inputs,
                                                   .input_count = 2,
                                                   .attrs = &attr,
                                                   .attr_count = 1});
    }
}

void vt_gradient_scatter_nd(vt_backward *b)
{
    vt_value_id indices = vt_back_input(b, 1), updates = vt_back_input(b, 2);
    bool sum = adds(b);
    if (vt_back_wants(b, 0))
        b->dx[0] =
            sum ? b->dy[0] : scatter_nd(b, b->dy[0], indices, zeros_like(b, updates), "none");
    if (vt_back_wants(b, 2))
        b->dx[2] = vt_back_op2(b, "GatherND", b->dy[0], indices);
}

/* The places that a condition picks, which is known where a plan is made. */
void vt_gradient_compress(vt_backward *b)
{
    vt_value_id condition = vt_back_input(b, 1);
    const vt_shape x = vt_back_shape(b, vt_back_input(b, 0));
    const vt_attr *given = vt_node_attr(&b->node, "axis");
    vt_shape parts = given == NULL ? (vt_shape){1, {(int64_t)vt_shape_product(&x, 0, x.rank)}} : x;
    int axis = 0;
    if (b->status == VT_OK && given != NULL)
        b->status = vt_op_axis(given->i, x.rank, &axis, b->error);
    if (b->status == VT_OK)
        b->status = vt_plan_acquire(b->plan, condition, b->error);
    if (b->status != VT_OK)
        return;
    const vt_tensor *marks = &b->plan->values[condition].tensor;
    size_t length = vt_tensor_count(marks), count = 0;
    int64_t *picks = vt_alloc_array(length + 1, sizeof(*picks));
    if (picks == NULL || (marks->data == NULL && length > 0)) {
        vt_back_fail(b, "its condition is not known");
        vt_free(picks);
        return;
    }
    for (size_t k = 0; k < length; k++)
        if (((const uint8_t *)marks->data)[k] != 0)
            picks[count++] = (int64_t)k;
    const vt_value_id inputs[] = {b->dy[0], vt_back_ints(b, picks, (int)count)};
    const vt_attr attrs[] = {VT_BACK_INT("axis", axis),
                             VT_BACK_INTS("shape", parts.dims, parts.rank)};
    vt_value_id dx = vt_back_node(b, &(vt_back_call){.op = "vitrine:GatherGrad",
                                                     .inputs = inputs,
                                                     .input_count = 2,
                                                     .attrs = attrs,
                                                     .attr_count = 2});
    b->dx[0] = vt_back_reshape(b, dx, &x);
    vt_free(picks);
}
