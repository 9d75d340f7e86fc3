/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reverse-mode differentiation of a plan.
 *
 * Method: values that depend on what is wanted are marked in one walk forwards. One walk backwards
 * then visits the steps that the loss depends on; when a step is reached all its readers have been,
 * so the gradients of its outputs are complete: the contributions of several readers are summed
 * first. The operator's rule emits steps for the gradients of its inputs. Source: Griewank and
 * Walther, "Evaluating Derivatives" (2nd ed.), chapter 3.2, incremental reverse on a tape that is
 * the plan itself. Departure: all shapes are known here, so rules emit no shape arithmetic.
 *
 * A plan is differentiated after its shapes are inferred and before its steps are fused, so that
 * rules meet operators only.
 */
#include "nn/gradient.h"

#include "nn/ops/gradients.h"

#include <string.h>

/* Contributions to the gradient of one value, as a list in `links`. */
typedef struct contribution {
    vt_value_id gradient;
    uint32_t next; /* UINT32_MAX: last */
} contribution;

typedef struct differentiation {
    vt_backward back;
    size_t value_count; /* before differentiation */
    bool *active;       /* (value_count): depends on what is wanted */
    uint32_t *first;    /* (value_count): contributions */
    vt_value_id *total; /* (value_count): their sum, once asked for */
    contribution *links;
    size_t link_count, link_capacity;
} differentiation;

/* ---- what depends on what ---- */

static bool is_differentiable(vt_dtype dtype)
{
    return dtype == VT_F32 || dtype == VT_F64 || dtype == VT_F16 || dtype == VT_BF16;
}

static void mark_active(differentiation *d)
{
    const vt_plan *plan = d->back.plan;
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_node *node = &plan->steps[s].node;
        bool any = false;
        for (size_t i = 0; i < node->input_count; i++)
            any = any || (node->inputs[i] != VT_NO_VALUE && d->active[node->inputs[i]] &&
                          vt_gradient_passes(node->op, i));
        for (size_t i = 0; i < node->output_count; i++)
            if (any && node->outputs[i] != VT_NO_VALUE &&
                is_differentiable(plan->values[node->outputs[i]].tensor.dtype))
                d->active[node->outputs[i]] = true;
    }
}

void vt_graph_depends(const vt_graph *graph, bool *depends)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        const vt_node *node = &graph->nodes[n];
        bool any = false;
        for (size_t i = 0; i < node->input_count; i++)
            any = any || (node->inputs[i] != VT_NO_VALUE && depends[node->inputs[i]] &&
                          vt_gradient_passes(node->op, i));
        for (size_t i = 0; any && i < node->output_count; i++)
            if (node->outputs[i] != VT_NO_VALUE)
                depends[node->outputs[i]] = true;
    }
}

/* ---- sums of contributions ---- */

static void contribute(differentiation *d, vt_value_id value, vt_value_id gradient)
{
    void *links = d->links;
    if (d->back.status != VT_OK || gradient == VT_NO_VALUE)
        return;
    if (!vt_grow(&links, &d->link_capacity, d->link_count + 1, sizeof(*d->links), UINT32_MAX - 1)) {
        d->back.status = vt_fail_memory(d->back.error, "gradients");
        return;
    }
    d->links = links;
    d->links[d->link_count] = (contribution){gradient, d->first[value]};
    d->first[value] = (uint32_t)d->link_count++;
}

static vt_value_id total_of(differentiation *d, vt_value_id value)
{
    if (value == VT_NO_VALUE || value >= d->value_count || d->first[value] == UINT32_MAX)
        return VT_NO_VALUE;
    if (d->total[value] == VT_NO_VALUE && d->links != NULL) {
        const contribution *link = &d->links[d->first[value]];
        vt_value_id sum = link->gradient;
        for (; link->next != UINT32_MAX; link = &d->links[link->next])
            sum = vt_back_op2(&d->back, "Add", sum, d->links[link->next].gradient);
        d->total[value] = sum;
    }
    return d->total[value];
}

/* ---- one step ---- */

static vt_status unsupported(const differentiation *d, const vt_node *node)
{
    char label[200];
    const char *reason = vt_gradient_missing(node->op);
    vt_node_label(d->back.plan->graph, node, label, sizeof(label));
    return vt_fail(d->back.error, VT_ERR_UNSUPPORTED,
                   "differentiate %s: the operator has no gradient%s%s", label,
                   reason != NULL ? "; " : "", reason != NULL ? reason : "");
}

/* Room for the widest step's gradients and marks. */
typedef struct step_room {
    vt_value_id *dy, *dx;
    bool *wanted;
} step_room;

static void apply_rule(differentiation *d, vt_gradient_rule *rule, const step_room *room)
{
    vt_backward *b = &d->back;
    b->dy = room->dy;
    b->dx = room->dx;
    b->wanted = room->wanted;
    rule(b);
    if (b->status != VT_OK) {
        char label[200];
        vt_node_label(b->plan->graph, &b->node, label, sizeof(label));
        vt_fail_context(b->error, b->status, "differentiate %s", label);
        return;
    }
    for (size_t i = 0; i < b->node.input_count; i++)
        if (room->wanted[i])
            contribute(d, b->node.inputs[i], room->dx[i]);
}

static void differentiate_step(differentiation *d, size_t index, const step_room *room)
{
    const vt_plan *plan = d->back.plan;
    const vt_node *node = &plan->steps[index].node;
    bool reached = false, needed = false;
    for (size_t i = 0; i < node->output_count; i++)
        reached = reached || (node->outputs[i] != VT_NO_VALUE && d->active[node->outputs[i]] &&
                              d->first[node->outputs[i]] != UINT32_MAX);
    if (!reached)
        return;
    for (size_t i = 0; i < node->input_count; i++) {
        vt_value_id input = node->inputs[i];
        room->dx[i] = VT_NO_VALUE;
        room->wanted[i] =
            input != VT_NO_VALUE && d->active[input] && vt_gradient_passes(node->op, i);
        needed = needed || room->wanted[i];
    }
    vt_gradient_rule *rule = vt_gradient_find(node->op);
    if (needed && rule == NULL) {
        d->back.status = unsupported(d, node);
        return;
    }
    if (!needed)
        return;
    d->back.node = *node; /* steps may move */
    for (size_t i = 0; i < d->back.node.output_count; i++)
        room->dy[i] = total_of(d, d->back.node.outputs[i]);
    apply_rule(d, rule, room);
}

/* ---- the whole ---- */

static vt_status room_init(const vt_plan *plan, step_room *room, vt_error *error)
{
    size_t inputs = 1, outputs = 1;
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_node *node = &plan->steps[s].node;
        inputs = node->input_count > inputs ? node->input_count : inputs;
        outputs = node->output_count > outputs ? node->output_count : outputs;
    }
    room->dx = vt_calloc(inputs, sizeof(*room->dx));
    room->wanted = vt_calloc(inputs, sizeof(*room->wanted));
    room->dy = vt_calloc(outputs, sizeof(*room->dy));
    return room->dx == NULL || room->wanted == NULL || room->dy == NULL
               ? vt_fail_memory(error, "gradients")
               : VT_OK;
}

static vt_status differentiation_init(differentiation *d, vt_error *error)
{
    size_t count = d->value_count;
    d->active = vt_calloc(count, sizeof(*d->active));
    d->first = vt_alloc_array(count, sizeof(*d->first));
    d->total = vt_alloc_array(count, sizeof(*d->total));
    if (d->active == NULL || d->first == NULL || d->total == NULL)
        return vt_fail_memory(error, "gradients");
    memset(d->first, 0xff, count * sizeof(*d->first));
    memset(d->total, 0xff, count * sizeof(*d->total));
    return VT_OK;
}

static vt_status check_loss(const vt_plan *plan, vt_value_id loss, vt_error *error)
{
    const vt_tensor *tensor = &plan->values[loss].tensor;
    char text[128];
    if (is_differentiable(tensor->dtype) && vt_tensor_count(tensor) == 1)
        return VT_OK;
    vt_shape_print(&tensor->shape, text, sizeof(text));
    return vt_fail(error, VT_ERR_USAGE, "differentiate \"%.100s\": it is %s of %s, not one float",
                   vt_plan_value_name(plan, loss), text, vt_dtype_name(tensor->dtype));
}

static void walk(differentiation *d, vt_value_id loss, const step_room *room)
{
    vt_plan *plan = d->back.plan;
    size_t steps = plan->step_count;
    vt_shape shape = plan->values[loss].tensor.shape;
    mark_active(d);
    if (!d->active[loss])
        return;
    vt_value_id one = vt_back_number(&d->back, 1.0, loss);
    contribute(d, loss, shape.rank == 0 ? one : vt_back_reshape(&d->back, one, &shape));
    for (size_t s = steps; s-- > 0 && d->back.status == VT_OK;)
        differentiate_step(d, s, room);
}

vt_status vt_plan_differentiate(vt_plan *plan, vt_value_id loss, const vt_value_id *wanted,
                                size_t count, vt_value_id *gradients, vt_error *error)
{
    differentiation d = {.back = {.plan = plan, .error = error, .step_capacity = plan->step_count},
                         .value_count = plan->value_count};
    step_room room = {0};
    vt_status status = check_loss(plan, loss, error);
    if (status == VT_OK)
        status = differentiation_init(&d, error);
    if (status == VT_OK)
        status = room_init(plan, &room, error);
    if (status == VT_OK) {
        for (size_t i = 0; i < count; i++)
            d.active[wanted[i]] = true;
        walk(&d, loss, &room);
        for (size_t i = 0; i < count; i++)
            gradients[i] = total_of(&d, wanted[i]);
        status = d.back.status;
    }
    vt_free(d.active);
    vt_free(d.first);
    vt_free(d.total);
    vt_free(d.links);
    vt_free(room.dx);
    vt_free(room.dy);
    vt_free(room.wanted);
    return status;
}
