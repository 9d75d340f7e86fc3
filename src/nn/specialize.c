/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A graph and concrete inputs to a plan: shapes, folding, dead nodes, lifetimes.
 *
 * Method: nodes that no chosen output needs are marked first, walking backwards. Then one walk in
 * order infers every shape and folds each node whose inputs are all constant by running its
 * reference, so that shape arithmetic (Shape, Gather, Concat, Reshape ...) is gone by the time it
 * is needed. Constants that no remaining step reads are freed.
 *
 * Folding (fold.c) is bounded, and the values alive at any moment of a run stay within four times
 * the model's limit for one tensor.
 */
#include "nn/plan.h"

#include <string.h>

typedef struct specializer {
    vt_plan *plan;
    bool *needed;                /* by value */
    vt_tensor *inputs, *outputs; /* room for the widest node */
} specializer;

/* ---- the plan itself ---- */

static vt_status plan_alloc(const vt_graph *graph, vt_plan **out, vt_error *error)
{
    vt_plan *plan = vt_calloc(1, sizeof(*plan));
    if (plan == NULL)
        return vt_fail_memory(error, "a plan");
    vt_arena_init(&plan->arena, (size_t)1 << 34);
    plan->graph = graph;
    plan->values = vt_calloc(graph->value_count, sizeof(*plan->values));
    plan->steps = vt_calloc(graph->node_count, sizeof(*plan->steps));
    if (plan->values == NULL || plan->steps == NULL) {
        vt_plan_free(plan);
        return vt_fail_memory(error, "a plan");
    }
    plan->value_count = graph->value_count;
    *out = plan;
    return VT_OK;
}

vt_status vt_plan_acquire(vt_plan *plan, vt_value_id id, vt_error *error)
{
    vt_plan_value *value = &plan->values[id];
    if (!value->constant || value->folded || value->acquired || value->tensor.data != NULL ||
        id >= plan->graph->value_count || plan->graph->values[id].constant == NULL)
        return VT_OK;
    vt_status status = vt_graph_acquire(plan->graph, id, &value->tensor, error);
    value->acquired = status == VT_OK;
    return status;
}

vt_status vt_plan_acquire_all(vt_plan *plan, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t s = 0; s < plan->step_count && status == VT_OK; s++) {
        const vt_step *step = &plan->steps[s];
        for (size_t i = 0; i < vt_step_read_count(step) && status == VT_OK; i++)
            if (vt_step_read(step, i) != VT_NO_VALUE)
                status = vt_plan_acquire(plan, vt_step_read(step, i), error);
    }
    for (size_t i = 0; i < plan->output_count && status == VT_OK; i++)
        status = vt_plan_acquire(plan, plan->outputs[i], error);
    return status;
}

void vt_plan_release_constant(vt_plan *plan, vt_value_id value)
{
    vt_plan_value *released = &plan->values[value];
    vt_tensor head = released->tensor;
    if (!released->constant && !released->folded)
        return;
    if (released->folded)
        vt_tensor_deinit(&released->tensor);
    if (released->acquired)
        vt_graph_release(plan->graph, value);
    released->acquired = false;
    released->tensor = (vt_tensor){.dtype = head.dtype, .shape = head.shape, .bytes = head.bytes};
}

void vt_plan_free(vt_plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->value_count && plan->values != NULL; i++)
        vt_plan_release_constant(plan, (vt_value_id)i);
    vt_free(plan->values);
    vt_free(plan->steps);
    vt_arena_deinit(&plan->arena);
    vt_free(plan);
}

void vt_plan_args(const vt_plan *plan, const vt_node *node, vt_tensor *inputs, vt_tensor *outputs,
                  vt_op_args *args)
{
    for (size_t i = 0; i < node->input_count; i++)
        inputs[i] =
            node->inputs[i] == VT_NO_VALUE ? (vt_tensor){0} : plan->values[node->inputs[i]].tensor;
    for (size_t i = 0; i < node->output_count; i++)
        outputs[i] = node->outputs[i] == VT_NO_VALUE ? (vt_tensor){0}
                                                     : plan->values[node->outputs[i]].tensor;
    *args = (vt_op_args){.graph = plan->graph, .node = node, .inputs = inputs, .outputs = outputs};
}

void vt_plan_lifetimes(vt_plan *plan)
{
    for (size_t i = 0; i < plan->value_count; i++)
        plan->values[i].first_step = plan->values[i].last_step = -1;
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_step *step = &plan->steps[s];
        for (size_t i = 0; i < step->node.output_count; i++) {
            if (step->node.outputs[i] == VT_NO_VALUE)
                continue;
            plan->values[step->node.outputs[i]].first_step = (int)s;
            plan->values[step->node.outputs[i]].last_step = (int)s;
        }
        for (size_t i = 0; i < vt_step_read_count(step); i++)
            if (vt_step_read(step, i) != VT_NO_VALUE)
                plan->values[vt_step_read(step, i)].last_step = (int)s;
    }
    for (size_t i = 0; i < plan->output_count; i++)
        plan->values[plan->outputs[i]].last_step = (int)plan->step_count;
}

/* ---- what is there before the first node ---- */

static void mark_needed(specializer *work)
{
    const vt_graph *graph = work->plan->graph;
    for (size_t i = 0; i < work->plan->output_count; i++)
        work->needed[work->plan->outputs[i]] = true;
    for (size_t n = graph->node_count; n-- > 0;) {
        const vt_node *node = &graph->nodes[n];
        bool keep = false;
        for (size_t i = 0; i < node->output_count; i++)
            keep = keep || (node->outputs[i] != VT_NO_VALUE && work->needed[node->outputs[i]]);
        for (size_t i = 0; i < node->input_count && keep; i++)
            if (node->inputs[i] != VT_NO_VALUE)
                work->needed[node->inputs[i]] = true;
    }
}

/* The same limits for inputs that outputs of nodes meet in vt_op_infer. */
static vt_status input_check(const vt_graph *graph, const vt_tensor *input, const char *name,
                             size_t *bytes, vt_error *error)
{
    char text[128];
    size_t count;
    vt_shape_print(&input->shape, text, sizeof(text));
    if (!vt_shape_known(&input->shape) || vt_dtype_bytes(input->dtype) == 0)
        return vt_fail(error, VT_ERR_USAGE, "plan for input \"%s\": shape %s of %s is not complete",
                       name, text, vt_dtype_name(input->dtype));
    for (int i = 0; i < input->shape.rank; i++)
        if (input->shape.dims[i] > graph->limits.dimension)
            return vt_fail(error, VT_ERR_LIMIT, "plan for input \"%s\": shape %s is over a limit",
                           name, text);
    if (!vt_shape_count(&input->shape, &count) ||
        !vt_size_mul(count, vt_dtype_bytes(input->dtype), bytes) ||
        *bytes > graph->limits.tensor_bytes)
        return vt_fail(error, VT_ERR_LIMIT,
                       "plan for input \"%s\": shape %s is over the limit of %zu bytes", name, text,
                       graph->limits.tensor_bytes);
    return VT_OK;
}

static vt_status plan_bind_input(specializer *work, vt_value_id id, const vt_tensor *input,
                                 vt_error *error)
{
    vt_plan_value *value = &work->plan->values[id];
    const char *name = work->plan->graph->values[id].name;
    size_t bytes = 0;
    vt_status status = input_check(work->plan->graph, input, name, &bytes, error);
    if (status != VT_OK)
        return status;
    if (input->data == NULL) {
        value->tensor = (vt_tensor){.dtype = input->dtype, .shape = input->shape, .bytes = bytes};
        return VT_OK;
    }
    status = vt_tensor_dup(input, &value->tensor, error);
    value->constant = value->folded = status == VT_OK;
    work->plan->folded_bytes += bytes;
    return status;
}

static vt_status plan_start(specializer *work, const vt_tensor *inputs, vt_error *error)
{
    const vt_graph *graph = work->plan->graph;
    vt_status status = VT_OK;
    for (size_t i = 0; i < graph->value_count && status == VT_OK; i++) {
        vt_plan_value *value = &work->plan->values[i];
        const vt_tensor *constant = graph->values[i].constant;
        if (constant == NULL)
            continue;
        value->constant = true;
        value->tensor = (vt_tensor){
            .dtype = constant->dtype, .shape = constant->shape, .bytes = constant->bytes};
        if (work->needed[i] && graph->values[i].lent == NULL)
            status = vt_plan_acquire(work->plan, (vt_value_id)i, error);
    }
    for (size_t i = 0; i < graph->input_count && status == VT_OK; i++)
        status = plan_bind_input(work, graph->inputs[i], &inputs[i], error);
    return status;
}

/* ---- node by node ---- */

/* How many outputs are left when those at the end that nobody reads are cut off (the mask of a
 * Dropout, the indices of a MaxPool). */
static size_t outputs_needed(const specializer *work, const vt_node *node)
{
    size_t count = node->output_count;
    if ((node->op->flags & VT_OP_OUTPUTS_DECIDE) != 0 || node->op->max_outputs < 0)
        return count;
    while (count > (size_t)node->op->min_outputs && count > 1 &&
           (node->outputs[count - 1] == VT_NO_VALUE || !work->needed[node->outputs[count - 1]]))
        count--;
    return count;
}

static void node_step(specializer *work, const vt_op_args *args)
{
    const vt_node *node = args->node;
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != VT_NO_VALUE)
            work->plan->values[node->outputs[i]].tensor = args->outputs[i];
    vt_step *step = &work->plan->steps[work->plan->step_count++];
    *step = (vt_step){.node = *node, .compute = VT_F32, .result = VT_F32};
    step->node.output_count = outputs_needed(work, node);
}

/* Weights that are kept as bytes: a pass may want those, and folds what nobody wanted. */
static bool is_stored_weight(const vt_op_args *args)
{
    return (args->node->op->flags & VT_OP_DEQUANTIZES) != 0 &&
           vt_dtype_bytes(args->inputs[0].dtype) == 1;
}

static vt_status plan_walk(specializer *work, vt_error *error)
{
    const vt_graph *graph = work->plan->graph;
    for (size_t n = 0; n < graph->node_count; n++) {
        const vt_node *node = &graph->nodes[n];
        bool keep = false;
        for (size_t i = 0; i < node->output_count; i++)
            keep = keep || (node->outputs[i] != VT_NO_VALUE && work->needed[node->outputs[i]]);
        if (!keep)
            continue;
        vt_op_args args;
        vt_plan_args(work->plan, node, work->inputs, work->outputs, &args);
        vt_status status = vt_op_infer(&args, error);
        bool folded = false;
        if (status == VT_OK && !is_stored_weight(&args) && (node->op->flags & VT_OP_DRAWS) == 0)
            status = vt_plan_fold(work->plan, &args, &folded, error);
        if (status == VT_OK && !folded)
            node_step(work, &args);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

/* ---- afterwards ---- */

/* Folded values that only led to other folded values keep their type and shape, not their data. */
static void plan_drop_constants(specializer *work)
{
    vt_plan *plan = work->plan;
    for (size_t i = 0; i < plan->value_count; i++) {
        const vt_plan_value *value = &plan->values[i];
        if (value->constant && value->last_step < 0)
            vt_plan_release_constant(plan, (vt_value_id)i);
    }
}

/* The most bytes of computed values alive at once, against four tensors of the largest size. */
static vt_status plan_check_peak(specializer *work, vt_error *error)
{
    vt_plan *plan = work->plan;
    size_t limit = plan->graph->limits.tensor_bytes, peak = 0, live = 0;
    limit = limit > SIZE_MAX / 4 ? SIZE_MAX : limit * 4;
    size_t *released = vt_calloc(plan->step_count + 2, sizeof(*released));
    if (released == NULL)
        return vt_fail_memory(error, "a plan");
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_node *node = &plan->steps[s].node;
        for (size_t i = 0; i < node->output_count; i++) {
            if (node->outputs[i] == VT_NO_VALUE)
                continue;
            const vt_plan_value *value = &plan->values[node->outputs[i]];
            if (!vt_size_add(live, value->tensor.bytes, &live))
                live = SIZE_MAX;
            released[value->last_step] += value->tensor.bytes;
        }
        peak = live > peak ? live : peak;
        if (peak > limit)
            break;
        live -= released[s];
    }
    vt_free(released);
    if (peak > limit)
        return vt_fail(error, VT_ERR_LIMIT,
                       "plan the network: values alive at once take more than %zu bytes", limit);
    return VT_OK;
}

static vt_status specializer_init(specializer *work, vt_error *error)
{
    const vt_graph *graph = work->plan->graph;
    size_t inputs = 1, outputs = 1;
    for (size_t n = 0; n < graph->node_count; n++) {
        inputs = graph->nodes[n].input_count > inputs ? graph->nodes[n].input_count : inputs;
        outputs = graph->nodes[n].output_count > outputs ? graph->nodes[n].output_count : outputs;
    }
    work->needed = vt_calloc(graph->value_count, sizeof(*work->needed));
    work->inputs = vt_calloc(inputs, sizeof(*work->inputs));
    work->outputs = vt_calloc(outputs, sizeof(*work->outputs));
    if (work->needed == NULL || work->inputs == NULL || work->outputs == NULL)
        return vt_fail_memory(error, "a plan");
    return VT_OK;
}

vt_status vt_plan_new_bound(const vt_graph *graph, const vt_tensor *inputs, vt_value_id *outputs,
                            size_t output_count, vt_plan **out, vt_error *error)
{
    specializer work = {0};
    vt_status status = plan_alloc(graph, &work.plan, error);
    if (status != VT_OK)
        return status;
    work.plan->outputs = outputs;
    work.plan->output_count = output_count;
    status = specializer_init(&work, error);
    if (status == VT_OK) {
        mark_needed(&work);
        status = plan_start(&work, inputs, error);
    }
    if (status == VT_OK)
        status = plan_walk(&work, error);
    if (status == VT_OK) {
        vt_plan_lifetimes(work.plan);
        plan_drop_constants(&work);
        status = plan_check_peak(&work, error);
    }
    vt_free(work.needed);
    vt_free(work.inputs);
    vt_free(work.outputs);
    if (status != VT_OK)
        vt_plan_free(work.plan);
    else
        *out = work.plan;
    return status;
}

vt_status vt_plan_new(const vt_graph *graph, const vt_shape *input_shapes, vt_value_id *outputs,
                      size_t output_count, vt_plan **out, vt_error *error)
{
    vt_tensor *inputs = vt_calloc(graph->input_count, sizeof(*inputs));
    if (inputs == NULL)
        return vt_fail_memory(error, "a plan");
    for (size_t i = 0; i < graph->input_count; i++) {
        inputs[i].dtype = graph->values[graph->inputs[i]].dtype;
        inputs[i].shape = input_shapes[i];
    }
    vt_status status = vt_plan_new_bound(graph, inputs, outputs, output_count, out, error);
    vt_free(inputs);
    return status;
}
