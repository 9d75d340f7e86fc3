/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A graph made from another one: values by map, made when they are first asked for, so that weights
 * nobody reads any more stay behind.
 */
#include "nn/plan.h"
#include "nn/quantize.h"

#include <string.h>

vt_status vt_graph_copy_init(vt_graph_copy *copy, const vt_graph *in, vt_graph *out,
                             vt_error *error)
{
    *copy = (vt_graph_copy){.in = in, .out = out};
    vt_graph_init(out, &in->limits);
    copy->map = vt_alloc_array(in->value_count, sizeof(*copy->map));
    vt_value_id *ids = vt_alloc_array(in->input_count, sizeof(*ids));
    vt_status status =
        copy->map == NULL || ids == NULL ? vt_fail_memory(error, "a graph's values") : VT_OK;
    for (size_t i = 0; i < in->value_count && status == VT_OK; i++)
        copy->map[i] = VT_NO_VALUE;
    for (size_t i = 0; i < in->input_count && status == VT_OK; i++)
        status = vt_graph_copy_value(copy, in->inputs[i], &ids[i], error);
    if (status == VT_OK)
        status = vt_graph_set_inputs(out, ids, in->input_count, error);
    vt_free(ids);
    return status;
}

void vt_graph_copy_deinit(vt_graph_copy *copy)
{
    vt_free(copy->map);
    copy->map = NULL;
}

vt_status vt_graph_copy_borrow(const vt_graph *in, vt_value_id id, vt_tensor *out, vt_error *error)
{
    const vt_tensor *constant = in->values[id].constant;
    if ((uintptr_t)constant->data % vt_dtype_bytes(constant->dtype) != 0)
        return vt_tensor_dup(constant, out, error);
    *out = *constant;
    out->owned = false;
    return VT_OK;
}

vt_status vt_graph_copy_value(vt_graph_copy *copy, vt_value_id id, vt_value_id *out,
                              vt_error *error)
{
    if (id == VT_NO_VALUE || copy->map[id] != VT_NO_VALUE) {
        *out = id == VT_NO_VALUE ? VT_NO_VALUE : copy->map[id];
        return VT_OK;
    }
    const vt_value *from = &copy->in->values[id];
    vt_value_id made;
    vt_status status = vt_graph_add_value(copy->out, from->name, &made, error);
    if (status == VT_OK && from->constant != NULL) {
        vt_tensor borrowed;
        status = vt_graph_copy_borrow(copy->in, id, &borrowed, error);
        if (status == VT_OK)
            status = vt_graph_set_constant(copy->out, made, &borrowed, error);
    }
    if (status != VT_OK)
        return status;
    vt_value *to = &copy->out->values[made];
    to->dtype = from->dtype;
    to->shape = from->shape;
    to->symbols = from->symbols;
    *out = copy->map[id] = made;
    return VT_OK;
}

vt_status vt_graph_copy_name(vt_graph_copy *copy, const char *base, const char *suffix,
                             vt_value_id *out, vt_error *error)
{
    char *name = vt_arena_printf(&copy->out->arena, "%s_%s", base, suffix);
    /* Ends: every round meets another of finitely many names. */
    for (size_t i = 2; name != NULL && (vt_graph_find_value(copy->in, name) != VT_NO_VALUE ||
                                        vt_graph_find_value(copy->out, name) != VT_NO_VALUE);
         i++)
        name = vt_arena_printf(&copy->out->arena, "%s_%s_%zu", base, suffix, i);
    return name == NULL ? vt_fail_memory(error, "the graph's names")
                        : vt_graph_add_value(copy->out, name, out, error);
}

vt_status vt_graph_copy_constant(vt_graph_copy *copy, const char *base, const char *suffix,
                                 vt_tensor *tensor, vt_value_id *out, vt_error *error)
{
    vt_value_id made;
    vt_status status = vt_graph_copy_name(copy, base, suffix, &made, error);
    if (status != VT_OK) {
        vt_tensor_deinit(tensor);
        return status;
    }
    status = vt_graph_set_constant(copy->out, made, tensor, error);
    if (status == VT_OK)
        *out = made;
    return status;
}

vt_status vt_graph_copy_finish(vt_graph_copy *copy, vt_error *error)
{
    const vt_graph *in = copy->in;
    vt_value_id *ids = vt_alloc_array(in->output_count, sizeof(*ids));
    vt_status status = ids == NULL ? vt_fail_memory(error, "the graph's outputs") : VT_OK;
    for (size_t i = 0; i < in->output_count && status == VT_OK; i++)
        status = vt_graph_copy_value(copy, in->outputs[i], &ids[i], error);
    if (status == VT_OK)
        status = vt_graph_set_outputs(copy->out, ids, in->output_count, error);
    vt_free(ids);
    return status == VT_OK ? vt_graph_finish(copy->out, error) : status;
}

/* ---- what must stay ---- */

/* Ids of the outputs and of the kept values: the caller's (vt_free). */
static vt_status wanted_ids(const vt_graph *graph, const vt_quantize_options *options,
                            vt_value_id **out, size_t *count, vt_error *error)
{
    vt_value_id *ids = vt_calloc(graph->output_count + options->kept_count + 1, sizeof(*ids));
    if (ids == NULL)
        return vt_fail_memory(error, "a list of values");
    memcpy(ids, graph->outputs, graph->output_count * sizeof(*ids));
    *count = graph->output_count;
    for (size_t i = 0; i < options->kept_count; i++) {
        ids[*count] = vt_graph_find_value(graph, options->kept[i]);
        if (ids[(*count)++] == VT_NO_VALUE) {
            vt_free(ids);
            return vt_fail(error, VT_ERR_NOT_FOUND, "there is no value \"%.200s\"",
                           options->kept[i]);
        }
    }
    *out = ids;
    return VT_OK;
}

vt_status vt_quantize_wanted_plan(const vt_graph *graph, const vt_quantize_options *options,
                                  vt_plan **out, bool *kept, vt_error *error)
{
    vt_value_id *ids = NULL;
    size_t count = 0;
    vt_status status = wanted_ids(graph, options, &ids, &count, error);
    if (status == VT_OK)
        status = vt_plan_new(graph, options->input_shapes, ids, count, out, error);
    if (status == VT_OK && (status = vt_plan_acquire_all(*out, error)) != VT_OK)
        vt_plan_free(*out);
    if (status != VT_OK) {
        vt_free(ids);
        return status;
    }
    for (size_t i = 0; i < count && kept != NULL; i++)
        kept[ids[i]] = true;
    return VT_OK;
}

void vt_quantize_wanted_plan_free(vt_plan *plan)
{
    if (plan == NULL)
        return;
    vt_value_id *ids = plan->outputs;
    vt_plan_free(plan);
    vt_free(ids);
}
