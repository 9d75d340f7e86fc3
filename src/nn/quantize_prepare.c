/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A graph made ready for quantisation: f32 throughout, weights as constants, operator set 13 or
 * later, nothing between a convolution and its activation.
 *
 * Method: one walk rewrites and folds node by node, for any input shape (unlike a plan, which folds
 * for one); then quantize_fold.c. What no output needs is dropped.
 */
#include "nn/plan.h"
#include "nn/quantize.h"

#include <string.h>

typedef struct preparer {
    vt_graph_copy copy;
    const vt_plan *plan; /* of the graph as it came: what is needed, types and shapes */
    bool *kept;          /* by value of the graph as it came */
    vt_tensor *operands; /* room for the widest node */
    uint64_t work_left;
    size_t folded_bytes;
} preparer;

/* ---- operands ---- */

static vt_status operand(preparer *prep, vt_value_id id, vt_value_id *out, vt_error *error)
{
    vt_graph_copy *copy = &prep->copy;
    const vt_tensor *constant = id == VT_NO_VALUE ? NULL : copy->in->values[id].constant;
    vt_status status;
    if (constant != NULL && copy->map[id] == VT_NO_VALUE && vt_dtype_is_half(constant->dtype)) {
        vt_tensor half = {0}, wide;
        status = vt_graph_add_value(copy->out, copy->in->values[id].name, out, error);
        if (status == VT_OK)
            status = vt_graph_copy_borrow(copy->in, id, &half, error);
        if (status == VT_OK)
            status = vt_tensor_cast(&half, VT_F32, &wide, error);
        vt_tensor_deinit(&half);
        if (status == VT_OK)
            status = vt_graph_set_constant(copy->out, *out, &wide, error);
        if (status == VT_OK)
            copy->map[id] = *out;
        return status;
    }
    status = vt_graph_copy_value(copy, id, out, error);
    if (status == VT_OK && id != VT_NO_VALUE && vt_dtype_is_half(copy->out->values[*out].dtype))
        copy->out->values[*out].dtype = VT_F32;
    return status;
}

static vt_status result(preparer *prep, vt_value_id id, vt_value_id *out, vt_error *error)
{
    vt_graph_copy *copy = &prep->copy;
    bool ends_half = false;
    for (size_t i = 0; i < copy->in->output_count && id != VT_NO_VALUE; i++)
        ends_half = ends_half || (copy->in->outputs[i] == id &&
                                  vt_dtype_is_half(prep->plan->values[id].tensor.dtype));
    if (!ends_half)
        return operand(prep, id, out, error);
    vt_status status = vt_graph_copy_name(copy, copy->in->values[id].name, "f32", out, error);
    if (status == VT_OK)
        copy->map[id] = *out;
    return status;
}

static vt_status add_cast(vt_graph *graph, int opset, vt_value_id from, vt_value_id to,
                          vt_dtype dtype, vt_error *error)
{
    vt_attr attr = {.name = "to", .kind = VT_ATTR_INT, .i = (int64_t)dtype};
    vt_node node = {.op = vt_op_find("", "Cast", opset),
                    .opset = opset,
                    .name = graph->values[to].name,
                    .inputs = &from,
                    .outputs = &to,
                    .input_count = 1,
                    .output_count = 1,
                    .attrs = &attr,
                    .attr_count = 1};
    return vt_graph_add_node(graph, &node, error);
}

/* The operator set of the result. */
static int opset_of(const vt_graph *graph)
{
    int opset = VT_QUANTIZE_OPSET;
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].op->domain[0] == '\0' && graph->nodes[n].opset > opset)
            opset = graph->nodes[n].opset;
    return opset;
}

static vt_status widen_inputs(preparer *prep, vt_error *error)
{
    vt_graph_copy *copy = &prep->copy;
    vt_status status = VT_OK;
    for (size_t i = 0; i < copy->in->input_count && status == VT_OK; i++) {
        vt_value_id id = copy->in->inputs[i], wide;
        if (!vt_dtype_is_half(copy->in->values[id].dtype))
            continue;
        status = vt_graph_copy_name(copy, copy->in->values[id].name, "f32", &wide, error);
        if (status == VT_OK)
            status = add_cast(copy->out, opset_of(copy->in), copy->map[id], wide, VT_F32, error);
        copy->map[id] = wide;
    }
    return status;
}

static vt_status narrow_outputs(preparer *prep, vt_error *error)
{
    vt_graph_copy *copy = &prep->copy;
    vt_status status = VT_OK;
    for (size_t i = 0; i < copy->in->output_count && status == VT_OK; i++) {
        vt_value_id id = copy->in->outputs[i], narrow;
        const vt_value *from = &copy->in->values[id];
        vt_dtype dtype = prep->plan->values[id].tensor.dtype;
        if (!vt_dtype_is_half(dtype))
            continue;
        narrow = vt_graph_find_value(copy->out, from->name);
        if (narrow != VT_NO_VALUE) { /* an output twice, or an input that is one */
            copy->map[id] = narrow;
            continue;
        }
        status = vt_graph_add_value(copy->out, from->name, &narrow, error);
        if (status == VT_OK)
            status = add_cast(copy->out, opset_of(copy->in), copy->map[id], narrow, dtype, error);
        if (status != VT_OK)
            break;
        vt_value *to = &copy->out->values[narrow];
        to->dtype = dtype;
        to->shape = from->shape;
        to->symbols = from->symbols;
        copy->map[id] = narrow;
    }
    return status;
}

/* ---- nodes ---- */

static bool node_is_needed(const preparer *prep, const vt_node *node)
{
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != VT_NO_VALUE &&
            prep->plan->values[node->outputs[i]].tensor.dtype != VT_DTYPE_NONE)
            return true;
    return false;
}

/* Whether some step or output needs it. */
static bool is_read(const preparer *prep, vt_value_id id)
{
    const vt_plan_value *value = &prep->plan->values[id];
    return value->last_step > value->first_step;
}

/* Dropout that passes its input on without a mask, and Identity. */
static bool node_is_identity(const preparer *prep, const vt_node *node)
{
    if (strcmp(node->op->name, "Identity") == 0 && node->op->domain[0] == '\0')
        return true;
    if (strcmp(node->op->name, "Dropout") != 0 || node->opset < 7 ||
        (node->output_count > 1 && is_read(prep, node->outputs[1])))
        return false;
    if (node->input_count < 3 || node->inputs[2] == VT_NO_VALUE)
        return true;
    const vt_tensor *training = prep->copy.in->values[node->inputs[2]].constant;
    return training != NULL && vt_tensor_count(training) == 1 && vt_tensor_get(training, 0) == 0;
}

static bool node_is_constant(const vt_graph *graph, const vt_node *node)
{
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != VT_NO_VALUE && graph->values[node->inputs[i]].constant == NULL)
            return false;
    return true;
}

static vt_status fold_outputs(preparer *prep, vt_op_args *args, vt_error *error)
{
    const vt_node *node = args->node;
    vt_graph *graph = prep->copy.out;
    vt_status status = VT_OK;
    for (size_t i = 0; i < node->output_count; i++) {
        vt_tensor *output = &args->outputs[i], wide;
        if (status == VT_OK && vt_op_wants(args, i) && vt_dtype_is_half(output->dtype) &&
            (status = vt_tensor_cast(output, VT_F32, &wide, error)) == VT_OK) {
            vt_tensor_deinit(output);
            *output = wide;
        }
        if (status == VT_OK && vt_op_wants(args, i))
            status = vt_graph_set_constant(graph, node->outputs[i], output, error);
        else
            vt_tensor_deinit(output);
    }
    return status;
}

/* *folded: whether the outputs are constants now. */
static vt_status fold(preparer *prep, const vt_node *node, bool *folded, vt_error *error)
{
    vt_graph *graph = prep->copy.out;
    vt_op_args args = {.graph = graph,
                       .node = node,
                       .inputs = prep->operands,
                       .outputs = prep->operands + node->input_count};
    for (size_t i = 0; i < node->input_count; i++)
        args.inputs[i] = node->inputs[i] == VT_NO_VALUE ? (vt_tensor){0}
                                                        : *graph->values[node->inputs[i]].constant;
    for (size_t i = 0; i < node->output_count; i++)
        args.outputs[i] = (vt_tensor){0};
    vt_status status = vt_op_infer(&args, error);
    uint64_t steps = status == VT_OK ? vt_op_work(&args) : 0;
    size_t bytes = prep->folded_bytes;
    bool fits = true;
    for (size_t i = 0; i < node->output_count; i++)
        fits = fits && vt_size_add(bytes, args.outputs[i].bytes, &bytes);
    *folded = status == VT_OK && fits && bytes <= graph->limits.tensor_bytes &&
              steps <= VT_FOLD_WORK && steps <= prep->work_left;
    if (!*folded)
        return status;
    prep->work_left -= steps;
    prep->folded_bytes = bytes;
    for (size_t i = 0; i < node->output_count && status == VT_OK; i++)
        if (vt_op_wants(&args, i))
            status = vt_tensor_init(&args.outputs[i], args.outputs[i].dtype, &args.outputs[i].shape,
                                    graph->limits.tensor_bytes, error);
    if (status == VT_OK)
        status = vt_op_run_reference(&args, error);
    if (status == VT_OK)
        return fold_outputs(prep, &args, error);
    for (size_t i = 0; i < node->output_count; i++)
        if (args.outputs[i].owned)
            vt_tensor_deinit(&args.outputs[i]);
    return status;
}

/* Casts into a half type go to f32. */
static vt_status widen_cast(preparer *prep, vt_node *node, vt_error *error)
{
    if (strcmp(node->op->name, "Cast") != 0 ||
        !vt_dtype_is_half((vt_dtype)vt_node_int(node, "to", 0)))
        return VT_OK;
    vt_attr *attr = vt_arena_alloc(&prep->copy.out->arena, sizeof(*attr));
    if (attr == NULL)
        return vt_fail_memory(error, "a node");
    *attr = (vt_attr){.name = "to", .kind = VT_ATTR_INT, .i = VT_F32};
    node->attrs = attr;
    node->attr_count = 1;
    return VT_OK;
}

static vt_status operands_of(preparer *prep, const vt_node *from, vt_node *node, vt_error *error)
{
    vt_arena *arena = &prep->copy.out->arena;
    node->inputs = vt_arena_array(arena, from->input_count + 1, sizeof(*node->inputs));
    node->outputs = vt_arena_array(arena, from->output_count + 1, sizeof(*node->outputs));
    vt_status status = node->inputs == NULL || node->outputs == NULL
                           ? vt_fail_memory(error, "a node's operands")
                           : VT_OK;
    for (size_t i = 0; i < from->input_count && status == VT_OK; i++)
        status = operand(prep, from->inputs[i], &node->inputs[i], error);
    for (size_t i = 0; i < from->output_count && status == VT_OK; i++)
        status = result(prep, from->outputs[i], &node->outputs[i], error);
    return status;
}

static vt_status prepare_node(preparer *prep, const vt_node *from, vt_error *error)
{
    vt_graph_copy *copy = &prep->copy;
    vt_node node = *from;
    vt_shape shape = {.rank = -1};
    bool folded = false;
    bool identity = node_is_identity(prep, from);
    if (identity && !prep->kept[from->outputs[0]])
        return operand(prep, from->inputs[0], &copy->map[from->outputs[0]], error);
    vt_status status = operands_of(prep, from, &node, error);
    if (identity) {
        node.op = vt_op_find("", "Identity", node.opset);
        node.input_count = node.output_count = 1;
        node.attr_count = 0;
    }
    if (node.input_count > 0 && from->inputs[0] != VT_NO_VALUE)
        shape = prep->plan->values[from->inputs[0]].tensor.shape;
    if (status == VT_OK)
        status = widen_cast(prep, &node, error);
    if (status == VT_OK)
        status = vt_quantize_raise(copy, &node, &shape, error);
    if (status == VT_OK && node_is_constant(copy->out, &node))
        status = fold(prep, &node, &folded, error);
    return status == VT_OK && !folded ? vt_graph_add_node(copy->out, &node, error) : status;
}

static vt_status prepare_nodes(preparer *prep, vt_error *error)
{
    const vt_graph *in = prep->copy.in;
    vt_status status = widen_inputs(prep, error);
    for (size_t n = 0; n < in->node_count && status == VT_OK; n++)
        if (node_is_needed(prep, &in->nodes[n]))
            status = prepare_node(prep, &in->nodes[n], error);
    if (status == VT_OK)
        status = narrow_outputs(prep, error);
    return status == VT_OK ? vt_graph_copy_finish(&prep->copy, error) : status;
}

/* ---- all of it ---- */

static vt_status first_round(const vt_graph *in, const vt_quantize_options *options, vt_graph *out,
                             vt_error *error)
{
    preparer prep = {.work_left = VT_FOLD_WORK_TOTAL};
    vt_plan *plan = NULL;
    size_t widest = 1;
    for (size_t n = 0; n < in->node_count; n++) {
        if (vt_op_is_quantized(in->nodes[n].op))
            return vt_fail(error, VT_ERR_USAGE, "it is quantised already: it has %s nodes",
                           in->nodes[n].op->name);
        size_t operands = in->nodes[n].input_count + in->nodes[n].output_count;
        widest = operands > widest ? operands : widest;
    }
    prep.kept = vt_calloc(in->value_count + 1, sizeof(*prep.kept));
    prep.operands = vt_calloc(widest, sizeof(*prep.operands));
    vt_status status = prep.kept == NULL || prep.operands == NULL
                           ? vt_fail_memory(error, "a graph")
                           : vt_quantize_wanted_plan(in, options, &plan, prep.kept, error);
    if (status == VT_OK) {
        prep.plan = plan;
        status = vt_graph_copy_init(&prep.copy, in, out, error);
        if (status == VT_OK)
            status = prepare_nodes(&prep, error);
        if (status != VT_OK)
            vt_graph_deinit(out);
    }
    vt_graph_copy_deinit(&prep.copy);
    vt_quantize_wanted_plan_free(plan);
    vt_free(prep.kept);
    vt_free(prep.operands);
    return status;
}

vt_status vt_quantize_prepare(const vt_graph *in, const vt_quantize_options *options, vt_graph *out,
                              vt_error *error)
{
    vt_graph first;
    vt_status status = first_round(in, options, &first, error);
    if (status != VT_OK)
        return status;
    status = vt_quantize_fold(&first, options, out, error);
    vt_graph_deinit(&first);
    return status;
}
