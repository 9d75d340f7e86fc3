/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rules of differentiation write with: steps behind the last one of a plan, with their shapes
 * inferred at once, and the few compositions that most rules need.
 *
 * A reshape to the shape that is there, a sum over nothing and the like emit nothing.
 */
#include "nn/gradient.h"

#include <stdio.h>
#include <string.h>

enum { STEP_MAXIMUM = 1 << 24 };

/* ---- steps ---- */

void vt_back_fail(vt_backward *b, const char *reason)
{
    if (b->status == VT_OK)
        b->status = vt_fail(b->error, VT_ERR_UNSUPPORTED, "%s", reason);
}

static void no_memory(vt_backward *b)
{
    if (b->status == VT_OK)
        b->status = vt_fail_memory(b->error, "gradients");
}

/* Into the plan's arena; names and texts may lie in a rule's own memory. */
static vt_attr *copy_attrs(vt_backward *b, const vt_back_call *call)
{
    vt_arena *arena = &b->plan->arena;
    vt_attr *attrs = vt_arena_array(arena, call->attr_count + 1, sizeof(*attrs));
    for (size_t i = 0; attrs != NULL && i < call->attr_count; i++) {
        attrs[i] = call->attrs[i];
        attrs[i].name = vt_arena_strdup(arena, call->attrs[i].name);
        if (attrs[i].kind == VT_ATTR_TEXT)
            attrs[i].text = vt_arena_strdup(arena, call->attrs[i].text);
        if (attrs[i].kind == VT_ATTR_INTS) {
            int64_t *ints = vt_arena_array(arena, attrs[i].count + 1, sizeof(*ints));
            if (ints == NULL)
                return NULL;
            memcpy(ints, call->attrs[i].ints, attrs[i].count * sizeof(*ints));
            attrs[i].ints = ints;
        }
        if (attrs[i].name == NULL || (attrs[i].kind == VT_ATTR_TEXT && attrs[i].text == NULL))
            return NULL;
    }
    return attrs;
}

static const vt_op *find_op(vt_backward *b, const char *name, int *opset)
{
    const char *colon = strchr(name, ':');
    *opset = colon != NULL ? 1 : *opset > 0 ? *opset : VT_BACK_OPSET;
    const vt_op *op =
        colon == NULL ? vt_op_find("", name, *opset) : vt_op_find(VT_BACK_DOMAIN, colon + 1, 1);
    if (op == NULL && b->status == VT_OK)
        b->status =
            vt_fail(b->error, VT_ERR_INTERNAL, "no operator \"%.60s\" for a gradient", name);
    return op;
}

/* Gives the node's outputs their shapes, and values. */
static void infer_outputs(vt_backward *b, vt_node *node)
{
    vt_plan *plan = b->plan;
    vt_tensor *inputs = vt_calloc(node->input_count + 1, sizeof(*inputs));
    vt_tensor *outputs = vt_calloc(node->output_count, sizeof(*outputs));
    vt_op_args args = {.graph = plan->graph, .node = node, .inputs = inputs, .outputs = outputs};
    if (inputs == NULL || outputs == NULL) {
        no_memory(b);
        goto out;
    }
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != VT_NO_VALUE)
            inputs[i] = plan->values[node->inputs[i]].tensor;
    memset(node->outputs, 0, node->output_count * sizeof(*node->outputs)); /* all are asked for */
    b->status = vt_op_infer(&args, b->error);
    for (size_t i = 0; i < node->output_count && b->status == VT_OK; i++)
        b->status = vt_plan_add_value(plan, outputs[i].dtype, &outputs[i].shape, &node->outputs[i],
                                      b->error);
out:
    vt_free(inputs);
    vt_free(outputs);
}

static void append_step(vt_backward *b, const vt_node *node)
{
    vt_plan *plan = b->plan;
    if (plan->step_count >= b->step_capacity) {
        size_t capacity = plan->step_count * 2 + 64;
        vt_step *steps = capacity < STEP_MAXIMUM
                             ? vt_realloc_array(plan->steps, capacity, sizeof(*steps))
                             : NULL;
        if (steps == NULL) {
            no_memory(b);
            return;
        }
        plan->steps = steps;
        b->step_capacity = capacity;
    }
    plan->steps[plan->step_count++] = (vt_step){.node = *node, .compute = VT_F32, .result = VT_F32};
}

void vt_back_nodes(vt_backward *b, const vt_back_call *call, vt_value_id *outputs,
                   size_t output_count)
{
    for (size_t i = 0; i < output_count; i++)
        outputs[i] = VT_NO_VALUE;
    vt_node node = {.name = "",
                    .input_count = call->input_count,
                    .output_count = output_count,
                    .opset = call->opset,
                    .attr_count = call->attr_count};
    while (node.input_count > 0 && call->inputs[node.input_count - 1] == VT_NO_VALUE)
        node.input_count--;
    node.op = b->status == VT_OK ? find_op(b, call->op, &node.opset) : NULL;
    if (node.op == NULL)
        return;
    node.inputs = vt_arena_array(&b->plan->arena, node.input_count + 1, sizeof(*node.inputs));
    node.outputs = vt_arena_array(&b->plan->arena, output_count, sizeof(*node.outputs));
    node.attrs = copy_attrs(b, call);
    if (node.inputs == NULL || node.outputs == NULL || node.attrs == NULL) {
        no_memory(b);
        return;
    }
    memcpy(node.inputs, call->inputs, node.input_count * sizeof(*node.inputs));
    infer_outputs(b, &node);
    if (b->status == VT_OK)
        append_step(b, &node);
    for (size_t i = 0; i < output_count && b->status == VT_OK; i++)
        outputs[i] = node.outputs[i];
}

vt_value_id vt_back_node(vt_backward *b, const vt_back_call *call)
{
    vt_value_id output;
    vt_back_nodes(b, call, &output, 1);
    return output;
}

vt_value_id vt_back_op1(vt_backward *b, const char *op, vt_value_id x)
{
    return vt_back_node(b, &(vt_back_call){.op = op, .inputs = &x, .input_count = 1});
}

vt_value_id vt_back_op2(vt_backward *b, const char *op, vt_value_id x, vt_value_id y)
{
    const vt_value_id inputs[] = {x, y};
    return vt_back_node(b, &(vt_back_call){.op = op, .inputs = inputs, .input_count = 2});
}

vt_value_id vt_back_op3(vt_backward *b, const char *op, vt_value_id x, vt_value_id y, vt_value_id z)
{
    const vt_value_id inputs[] = {x, y, z};
    return vt_back_node(b, &(vt_back_call){.op = op, .inputs = inputs, .input_count = 3});
}

vt_value_id vt_back_same(vt_backward *b, const vt_value_id *inputs, size_t count)
{
    return vt_back_node(b, &(vt_back_call){.op = b->node.op->name,
                                           .opset = b->node.opset,
                                           .inputs = inputs,
                                           .input_count = count,
                                           .attrs = b->node.attrs,
                                           .attr_count = b->node.attr_count});
}

/* ---- asking ---- */

vt_value_id vt_back_input(const vt_backward *b, size_t index)
{
    return index < b->node.input_count ? b->node.inputs[index] : VT_NO_VALUE;
}

vt_value_id vt_back_output(const vt_backward *b, size_t index)
{
    return index < b->node.output_count ? b->node.outputs[index] : VT_NO_VALUE;
}

bool vt_back_wants(const vt_backward *b, size_t index)
{
    return index < b->node.input_count && b->wanted[index];
}

vt_shape vt_back_shape(const vt_backward *b, vt_value_id value)
{
    return value == VT_NO_VALUE ? (vt_shape){0} : b->plan->values[value].tensor.shape;
}

vt_dtype vt_back_dtype(const vt_backward *b, vt_value_id value)
{
    return value == VT_NO_VALUE ? VT_DTYPE_NONE : b->plan->values[value].tensor.dtype;
}

/* The data of a constant, NULL: it is none. */
static const vt_tensor *constant_of(vt_backward *b, vt_value_id value)
{
    if (value == VT_NO_VALUE || b->status != VT_OK || !b->plan->values[value].constant)
        return NULL;
    b->status = vt_plan_acquire(b->plan, value, b->error);
    const vt_tensor *tensor = &b->plan->values[value].tensor;
    return b->status == VT_OK && (tensor->data != NULL || vt_tensor_count(tensor) == 0) ? tensor
                                                                                        : NULL;
}

int vt_back_constant_ints(vt_backward *b, vt_value_id value, int64_t *out, int capacity)
{
    const vt_tensor *tensor = constant_of(b, value);
    if (tensor == NULL || vt_tensor_count(tensor) > (size_t)capacity ||
        (tensor->dtype != VT_I64 && tensor->dtype != VT_I32))
        return -1;
    vt_load_i64(tensor->dtype, tensor->data, 0, vt_tensor_count(tensor), out);
    return (int)vt_tensor_count(tensor);
}

bool vt_back_constant_number(vt_backward *b, vt_value_id value, double *out)
{
    const vt_tensor *tensor = constant_of(b, value);
    if (tensor == NULL || vt_tensor_count(tensor) != 1)
        return false;
    *out = vt_tensor_get(tensor, 0);
    return true;
}

/* ---- constants ---- */

static vt_value_id keep(vt_backward *b, vt_tensor *tensor)
{
    vt_value_id id = VT_NO_VALUE;
    if (b->status == VT_OK)
        b->status = vt_plan_add_constant(b->plan, tensor, &id, b->error);
    return b->status == VT_OK ? id : VT_NO_VALUE;
}

/* value in every element whose number is a multiple of step. */
static vt_value_id fill(vt_backward *b, double value, const vt_shape *shape, size_t step,
                        vt_value_id like)
{
    vt_tensor tensor = {0};
    if (b->status != VT_OK)
        return VT_NO_VALUE;
    b->status = vt_tensor_init(&tensor, vt_back_dtype(b, like), shape,
                               b->plan->graph->limits.tensor_bytes, b->error);
    if (b->status != VT_OK)
        return VT_NO_VALUE;
    for (size_t i = 0; value != 0.0 && i < vt_tensor_count(&tensor); i += step)
        vt_store_f64(tensor.dtype, tensor.data, i, 1, &value);
    return keep(b, &tensor);
}

vt_value_id vt_back_full(vt_backward *b, double value, const vt_shape *shape, vt_value_id like)
{
    return fill(b, value, shape, 1, like);
}

vt_value_id vt_back_unit(vt_backward *b, const vt_shape *shape, int64_t columns, vt_value_id like)
{
    return fill(b, 1.0, shape, (size_t)columns + 1, like);
}

vt_value_id vt_back_number(vt_backward *b, double value, vt_value_id like)
{
    return vt_back_full(b, value, &(vt_shape){.rank = 0}, like);
}

vt_value_id vt_back_ints(vt_backward *b, const int64_t *values, int count)
{
    vt_tensor tensor = {0};
    const vt_shape shape = {.rank = 1, .dims = {count}};
    if (b->status == VT_OK)
        b->status = vt_tensor_init(&tensor, VT_I64, &shape, 0, b->error);
    if (b->status != VT_OK)
        return VT_NO_VALUE;
    if (count > 0)
        memcpy(tensor.data, values, (size_t)count * sizeof(*values));
    return keep(b, &tensor);
}

/* ---- compositions ---- */

vt_value_id vt_back_reshape(vt_backward *b, vt_value_id x, const vt_shape *shape)
{
    vt_shape have = vt_back_shape(b, x);
    if (vt_shape_equal(&have, shape))
        return x;
    vt_value_id dims = vt_back_ints(b, shape->dims, shape->rank);
    const vt_value_id inputs[] = {x, dims};
    const vt_attr zeros = VT_BACK_INT("allowzero", 1);
    return vt_back_node(
        b,
        &(vt_back_call){
            .op = "Reshape", .inputs = inputs, .input_count = 2, .attrs = &zeros, .attr_count = 1});
}

vt_value_id vt_back_expand(vt_backward *b, vt_value_id x, const vt_shape *shape)
{
    vt_shape have = vt_back_shape(b, x);
    if (vt_shape_equal(&have, shape))
        return x;
    return vt_back_op2(b, "Expand", x, vt_back_ints(b, shape->dims, shape->rank));
}

vt_value_id vt_back_transpose(vt_backward *b, vt_value_id x, const int64_t *perm)
{
    vt_shape shape = vt_back_shape(b, x);
    const vt_attr order = VT_BACK_INTS("perm", perm, shape.rank);
    return vt_back_node(
        b,
        &(vt_back_call){
            .op = "Transpose", .inputs = &x, .input_count = 1, .attrs = &order, .attr_count = 1});
}

vt_value_id vt_back_transpose_last(vt_backward *b, vt_value_id x)
{
    int64_t perm[VT_MAX_RANK];
    int rank = vt_back_shape(b, x).rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
    return vt_back_transpose(b, x, perm);
}

vt_value_id vt_back_sum_axes(vt_backward *b, vt_value_id x, const bool *marks)
{
    vt_shape shape = vt_back_shape(b, x);
    int64_t axes[VT_MAX_RANK];
    int count = 0;
    for (int i = 0; i < shape.rank; i++)
        if (marks[i] && shape.dims[i] != 1)
            axes[count++] = i;
    if (count == 0)
        return x;
    return vt_back_op2(b, "ReduceSum", x, vt_back_ints(b, axes, count));
}

vt_value_id vt_back_reduce_to(vt_backward *b, vt_value_id x, const vt_shape *shape)
{
    vt_shape have = vt_back_shape(b, x);
    bool marks[VT_MAX_RANK] = {false};
    for (int i = 0; i < have.rank; i++) {
        int at = i - (have.rank - shape->rank);
        marks[i] = at < 0 || (shape->dims[at] == 1 && have.dims[i] != 1);
    }
    return vt_back_reshape(b, vt_back_sum_axes(b, x, marks), shape);
}

vt_value_id vt_back_scale(vt_backward *b, vt_value_id x, double factor)
{
    return factor == 1.0 ? x : vt_back_op2(b, "Mul", x, vt_back_number(b, factor, x));
}
