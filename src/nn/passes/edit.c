/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing steps: another operator in a step's place, and new steps between the old ones.
 *
 * What a step points to may belong to the graph, so everything is copied into the plan's arena
 * first. New steps wait in a list until a pass has walked the plan once: indices stay what they
 * were while it walks.
 */
#include "nn/passes/match.h"

#include <string.h>

typedef struct vt_edit_insert {
    size_t before;
    vt_step step;
} insert;

static bool copy_attrs(vt_plan *plan, const vt_node *what, vt_attr **out)
{
    vt_attr *attrs = vt_arena_array(&plan->arena, what->attr_count, sizeof *attrs);
    for (size_t i = 0; attrs && i < what->attr_count; i++) {
        attrs[i] = what->attrs[i];
        if (attrs[i].kind != VT_ATTR_INTS) {
            continue; /* the others are values, or live as long as the plan */
        }
        int64_t *ints = vt_arena_array(&plan->arena, attrs[i].count, sizeof *ints);
        if (!ints) {
            return false;
        }
        memcpy(ints, attrs[i].ints, attrs[i].count * sizeof *ints);
        attrs[i].ints = ints;
    }
    *out = attrs;
    return attrs;
}

vt_status vt_edit_become(vt_plan *plan, vt_node *node, const vt_node *what, vt_error *error)
{
    vt_attr *attrs = NULL;
    vt_value_id *inputs = vt_arena_array(&plan->arena, what->input_count, sizeof *inputs);
    if (!inputs || !copy_attrs(plan, what, &attrs)) {
        return vt_fail_memory(error, "a step of a plan");
    }
    memcpy(inputs, what->inputs, what->input_count * sizeof *inputs);
    node->op = what->op;
    node->opset = what->opset;
    node->inputs = inputs;
    node->input_count = what->input_count;
    node->attrs = attrs;
    node->attr_count = what->attr_count;
    return VT_OK;
}

vt_status vt_edit_set_input(vt_plan *plan, vt_step *step, size_t index, vt_value_id value,
                            vt_error *error)
{
    size_t count = step->node.input_count;
    vt_value_id *inputs = vt_arena_array(&plan->arena, count, sizeof *inputs);
    if (!inputs) {
        return vt_fail_memory(error, "a step of a plan");
    }
    memcpy(inputs, step->node.inputs, count * sizeof *inputs);
    inputs[index] = value;
    step->node.inputs = inputs;
    return VT_OK;
}

vt_status vt_edit_ints(vt_plan *plan, const int64_t *values, int count, vt_value_id *out,
                       vt_error *error)
{
    vt_tensor tensor = {0};
    vt_shape shape = vt_shape_of(1, (int64_t[]){count});
    vt_status status = vt_tensor_init(&tensor, VT_I64, &shape, 0, error);
    if (status != VT_OK) {
        return status;
    }
    if (count > 0) {
        memcpy(tensor.data, values, (size_t)count * sizeof *values);
    }
    return vt_plan_add_constant(plan, &tensor, out, error);
}

vt_status vt_edit_insert(vt_edit_inserts *inserts, size_t before, const vt_node *what,
                         const vt_tensor *result, vt_value_id *out, vt_error *error)
{
    vt_plan *plan = inserts->plan;
    insert item = {.before = before, .step = plan->steps[before]}; /* its types to compute in */
    item.step.node = (vt_node){.name = "", .output_count = 1};
    item.step.post_count = 0;
    vt_status status = vt_edit_become(plan, &item.step.node, what, error);
    if (status == VT_OK) {
        status = vt_plan_add_value(plan, result->dtype, &result->shape, out, error);
    }
    if (status != VT_OK) {
        return status;
    }
    void *items = inserts->items;
    item.step.node.outputs = vt_arena_array(&plan->arena, 1, sizeof *item.step.node.outputs);
    if (!item.step.node.outputs || !vt_grow(&items, &inserts->capacity, inserts->count + 1,
                                            sizeof *inserts->items, UINT32_MAX)) {
        return vt_fail_memory(error, "a step of a plan");
    }
    item.step.node.outputs[0] = *out;
    inserts->items = items;
    inserts->items[inserts->count++] = item;
    return VT_OK;
}

/* Both borrow what they are given. */
static vt_node reshape_node(vt_value_id inputs[2])
{
    return (vt_node){
        .op = vt_op_find("", "Reshape", 14), .opset = 14, .inputs = inputs, .input_count = 2};
}

static vt_node transpose_node(vt_value_id *input, vt_attr *perm)
{
    return (vt_node){.op = vt_op_find("", "Transpose", 13),
                     .opset = 13,
                     .inputs = input,
                     .input_count = 1,
                     .attrs = perm,
                     .attr_count = 1};
}

static vt_attr perm_attr(const int64_t *perm, int rank)
{
    return (vt_attr){.name = "perm", .kind = VT_ATTR_INTS, .count = (size_t)rank, .ints = perm};
}

vt_status vt_edit_become_reshape(vt_plan *plan, vt_node *node, vt_value_id input,
                                 const vt_shape *shape, vt_error *error)
{
    vt_value_id inputs[2] = {input};
    vt_status status = vt_edit_ints(plan, shape->dims, shape->rank, &inputs[1], error);
    vt_node what = reshape_node(inputs);
    return status == VT_OK ? vt_edit_become(plan, node, &what, error) : status;
}

vt_status vt_edit_become_transpose(vt_plan *plan, vt_node *node, vt_value_id input,
                                   const int64_t *perm, vt_error *error)
{
    vt_attr attr = perm_attr(perm, plan->values[input].tensor.shape.rank);
    vt_node what = transpose_node(&input, &attr);
    return vt_edit_become(plan, node, &what, error);
}

vt_status vt_edit_reshape(vt_edit_inserts *inserts, size_t before, const vt_shape *shape,
                          vt_value_id *value, vt_error *error)
{
    vt_value_id inputs[2] = {*value};
    vt_tensor result = {.dtype = inserts->plan->values[*value].tensor.dtype, .shape = *shape};
    vt_status status = vt_edit_ints(inserts->plan, shape->dims, shape->rank, &inputs[1], error);
    vt_node what = reshape_node(inputs);
    return status == VT_OK ? vt_edit_insert(inserts, before, &what, &result, value, error) : status;
}

vt_status vt_edit_transpose(vt_edit_inserts *inserts, size_t before, const int64_t *perm,
                            vt_value_id *value, vt_error *error)
{
    const vt_tensor *from = &inserts->plan->values[*value].tensor;
    vt_tensor result = {.dtype = from->dtype, .shape = from->shape};
    vt_attr attr = perm_attr(perm, from->shape.rank);
    for (int i = 0; i < from->shape.rank; i++) {
        result.shape.dims[i] = from->shape.dims[perm[i]];
    }
    vt_value_id input = *value;
    vt_node what = transpose_node(&input, &attr);
    return vt_edit_insert(inserts, before, &what, &result, value, error);
}

vt_status vt_edit_apply(vt_edit_inserts *inserts, vt_error *error)
{
    vt_plan *plan = inserts->plan;
    vt_status status = VT_OK;
    size_t count = plan->step_count + inserts->count, next = 0, kept = 0;
    if (inserts->count == 0) {
        vt_pass_steps_compact(plan);
        return VT_OK;
    }
    vt_step *steps = vt_alloc_array(count, sizeof *steps);
    if (!steps) {
        status = vt_fail_memory(error, "the steps of a plan");
        goto out;
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        for (; next < inserts->count && inserts->items[next].before == i; next++) {
            steps[kept++] = inserts->items[next].step;
        }
        if (plan->steps[i].node.op) {
            steps[kept++] = plan->steps[i];
        }
    }
    vt_free(plan->steps);
    plan->steps = steps;
    plan->step_count = kept;
out:
    vt_free(inserts->items);
    *inserts = (vt_edit_inserts){.plan = plan};
    return status;
}
