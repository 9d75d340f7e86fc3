/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training a network: see training.h.
 *
 * Method: a training has a graph of its own that shares the model's nodes, in which parameters and
 * states are inputs instead of constants, beside one more input, the seed of dropout. For each set
 * of input shapes the graph is specialised, put into training mode (training_mode.c), brought into
 * the operators that gradients know best (a spelled-out Gelu is one step), differentiated
 * (gradient.c), and given to an executor like any plan; the plans of the two sets used last are
 * kept (a whole batch and the last, smaller one). Parameters, gradients and states lie in memory
 * that no plan owns: plans read them as inputs and their results are written there after each run.
 */
#include "nn/training_inside.h"

#include "nn/builder.h"
#include "nn/gradient.h"
#include "nn/onnx_file.h"

#include <string.h>

vt_training_options vt_training_options_defaults(void)
{
    return (vt_training_options){.precision = VT_PRECISION_F32};
}

/* ---- memory of their own ---- */

static size_t padded(size_t count)
{
    return (count * sizeof(float) + 63) / 64 * 64;
}

static vt_status tracked_allocate(vt_training *training, vt_error *error)
{
    size_t count = training->parameter_count + training->state_count, total = 0;
    bool fits = true;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = padded(training->list[i].count);
        bool parameter = i < training->parameter_count;
        fits = fits && vt_size_add(total, parameter ? 2 * bytes : bytes, &total);
        training->parameters_bytes += bytes;
        training->gradients_bytes += parameter ? bytes : 0;
    }
    training->memory = fits ? vt_alloc_large(total > 0 ? total : 64) : NULL;
    if (training->memory == NULL)
        return vt_fail_memory(error, "parameters and gradients");
    memset(training->memory, 0, total);
    char *at = training->memory;
    for (size_t i = 0; i < count; i++) {
        vt_tracked *one = &training->list[i];
        one->data = (float *)(void *)at;
        at += padded(one->count);
        if (i < training->parameter_count) {
            one->gradient = (float *)(void *)at;
            at += padded(one->count);
        }
    }
    return VT_OK;
}

/* The model's numbers; afterwards the graph's values are inputs. */
static vt_status tracked_load(vt_training *training, vt_error *error)
{
    const vt_graph *graph = &training->model->graph;
    for (size_t i = 0; i < training->parameter_count + training->state_count; i++) {
        vt_tracked *one = &training->list[i];
        vt_tensor tensor;
        vt_status status = vt_graph_acquire(graph, one->value, &tensor, error);
        if (status != VT_OK)
            return status;
        if (one->count > 0)
            memcpy(one->data, tensor.data, one->count * sizeof(float));
        vt_graph_release(graph, one->value);
        training->graph.values[one->value].constant = NULL;
        training->graph.values[one->value].lent = NULL;
    }
    return VT_OK;
}

/* ---- the graph ---- */

/* The model's values, and one for the seed. */
static vt_status graph_init(vt_training *training, vt_error *error)
{
    const vt_graph *from = &training->model->graph;
    vt_graph *graph = &training->graph;
    *graph = *from;
    graph->inputs = NULL;
    graph->values = vt_alloc_array(from->value_count + 1, sizeof(*graph->values));
    training->list = vt_calloc(from->value_count + 1, sizeof(*training->list));
    if (graph->values == NULL || training->list == NULL)
        return vt_fail_memory(error, "a training");
    memcpy(graph->values, from->values, from->value_count * sizeof(*graph->values));
    training->seed = (vt_value_id)graph->value_count++;
    graph->values[training->seed] = (vt_value){
        .name = "seed of dropout", .dtype = VT_I64, .shape = {1, {2}}, .producer = UINT32_MAX};
    return VT_OK;
}

static void bind_own(vt_training *training)
{
    size_t at = training->model->graph.input_count;
    for (size_t i = 0; i < training->parameter_count + training->state_count; i++) {
        const vt_tracked *one = &training->list[i];
        training->inputs[at++] = (vt_tensor){.dtype = VT_F32,
                                             .shape = one->shape,
                                             .data = one->data,
                                             .bytes = one->count * sizeof(float)};
    }
    training->inputs[at] = (vt_tensor){.dtype = VT_I64,
                                       .shape = {1, {2}},
                                       .data = training->seed_data,
                                       .bytes = sizeof(training->seed_data)};
}

/* The model's inputs, then parameters, states and the seed. */
static vt_status graph_inputs(vt_training *training, vt_error *error)
{
    vt_graph *graph = &training->graph;
    size_t own = graph->input_count, count = training->parameter_count + training->state_count;
    graph->inputs = vt_alloc_array(own + count + 1, sizeof(*graph->inputs));
    training->inputs = vt_calloc(own + count + 1, sizeof(*training->inputs));
    if (graph->inputs == NULL || training->inputs == NULL)
        return vt_fail_memory(error, "a training");
    for (size_t i = 0; i < own; i++)
        graph->inputs[i] = training->model->graph.inputs[i];
    for (size_t i = 0; i < count; i++)
        graph->inputs[own + i] = training->list[i].value;
    graph->inputs[own + count] = training->seed;
    graph->input_count = own + count + 1;
    bind_own(training);
    return VT_OK;
}

static vt_status find_outputs(vt_training *training, const vt_training_options *options,
                              vt_error *error)
{
    const vt_graph *graph = &training->graph;
    const char *loss = options->loss == NULL ? "" : options->loss;
    training->loss = vt_graph_find_value(graph, loss);
    if (training->loss == VT_NO_VALUE)
        return vt_fail(error, VT_ERR_NOT_FOUND, "train the network: it has no value \"%.100s\"",
                       loss);
    training->output_count = options->output_count;
    training->outputs = vt_calloc(options->output_count + 1, sizeof(*training->outputs));
    if (training->outputs == NULL)
        return vt_fail_memory(error, "a training");
    for (size_t i = 0; i < options->output_count; i++) {
        training->outputs[i] = vt_graph_find_value(graph, options->outputs[i]);
        if (training->outputs[i] == VT_NO_VALUE)
            return vt_fail(error, VT_ERR_NOT_FOUND, "train the network: it has no value \"%.100s\"",
                           options->outputs[i]);
    }
    return VT_OK;
}

vt_status vt_training_new_on(const vt_model *model, const vt_training_options *options,
                             vt_executor executor, vt_training **out, vt_error *error)
{
    vt_training *training = vt_calloc(1, sizeof(*training));
    if (training == NULL)
        return vt_fail_memory(error, "a training");
    training->model = model;
    training->executor = executor;
    training->precision = options->precision;
    training->threads = options->threads;
    training->frozen = options->frozen_statistics;
    training->recompute = options->recompute;
    training->winograd = options->winograd;
    memcpy(&training->seed_data[0], &options->seed, sizeof(options->seed));
    vt_status status = graph_init(training, error);
    if (status == VT_OK)
        status = find_outputs(training, options, error);
    if (status == VT_OK)
        status = vt_training_choose(training, options, error);
    if (status == VT_OK)
        status = tracked_allocate(training, error);
    if (status == VT_OK)
        status = tracked_load(training, error);
    if (status == VT_OK)
        status = graph_inputs(training, error);
    if (status != VT_OK)
        vt_training_free(training);
    else
        *out = training;
    return status;
}

vt_status vt_training_new(const vt_model *model, const vt_training_options *options,
                          vt_training **out, vt_error *error)
{
    return vt_training_new_on(model, options, VT_EXECUTOR_ONEDNN, out, error);
}

static void planned_free(vt_training_plan *entry)
{
    if (entry == NULL)
        return;
    if (entry->runner != NULL)
        entry->runner->free(entry->runner);
    vt_free(entry->inputs);
    vt_free(entry->outputs);
    vt_free(entry->results);
    vt_free(entry->targets);
    vt_free(entry->memory);
    vt_free(entry);
}

void vt_training_free(vt_training *training)
{
    if (training == NULL)
        return;
    for (size_t i = 0; i < VT_TRAINING_PLANS; i++)
        planned_free(training->plans[i]);
    vt_free(training->graph.values);
    vt_free(training->graph.inputs);
    vt_free(training->list);
    vt_free(training->memory);
    vt_free(training->outputs);
    vt_free(training->inputs);
    vt_free(training);
}

/* ---- plans ---- */

static vt_status planned_alloc(const vt_training *training, vt_training_plan **out, vt_error *error)
{
    size_t own = training->model->graph.input_count;
    size_t room = 2 + training->output_count + training->parameter_count + training->state_count;
    vt_training_plan *entry = vt_calloc(1, sizeof(*entry));
    if (entry == NULL)
        return vt_fail_memory(error, "a plan");
    entry->inputs = vt_calloc(own + 1, sizeof(*entry->inputs));
    entry->outputs = vt_calloc(room, sizeof(*entry->outputs));
    entry->results = vt_calloc(room, sizeof(*entry->results));
    entry->targets = vt_calloc(room, sizeof(*entry->targets));
    entry->memory = vt_calloc(room, sizeof(*entry->memory));
    *out = entry;
    if (entry->inputs == NULL || entry->outputs == NULL || entry->results == NULL ||
        entry->targets == NULL || entry->memory == NULL)
        return vt_fail_memory(error, "a plan");
    for (size_t i = 0; i < own; i++)
        entry->inputs[i] = training->inputs[i].shape;
    entry->outputs[entry->output_count++] = training->loss;
    for (size_t i = 0; i < training->output_count; i++)
        entry->outputs[entry->output_count++] = training->outputs[i];
    for (size_t i = 0; i < room; i++)
        entry->targets[i] = SIZE_MAX;
    return VT_OK;
}

/* One more output of the plan, which belongs to a tracked one. */
static void add_output(vt_training_plan *entry, vt_plan *plan, vt_value_id value, size_t target)
{
    if (value == VT_NO_VALUE)
        return;
    entry->targets[entry->output_count] = target;
    entry->outputs[entry->output_count++] = value;
    plan->output_count = entry->output_count;
}

static vt_status into_training_mode(const vt_training *training, vt_training_plan *entry,
                                    vt_plan *plan, vt_error *error)
{
    vt_value_id *updates = vt_alloc_array(plan->value_count, sizeof(*updates));
    if (updates == NULL)
        return vt_fail_memory(error, "a plan");
    vt_status status = vt_plan_train(plan, training->seed, training->frozen, updates, error);
    for (size_t i = 0; i < training->state_count && status == VT_OK; i++) {
        size_t target = training->parameter_count + i;
        add_output(entry, plan, updates[training->list[target].value], target);
    }
    vt_free(updates);
    return status;
}

/* Patterns of several steps whose gradient is better known as that of one. */
static vt_status recognise(vt_plan *plan, vt_error *error)
{
    vt_status status = vt_plan_acquire_all(plan, error);
    if (status == VT_OK)
        status = vt_pass_cancel_transposes(plan, error);
    if (status == VT_OK)
        status = vt_pass_recognise_activation(plan, error);
    if (status == VT_OK)
        status = vt_pass_recognise_layernorm(plan, error);
    return status;
}

static vt_status differentiate(const vt_training *training, vt_training_plan *entry, vt_plan *plan,
                               vt_error *error)
{
    size_t count = training->parameter_count;
    vt_value_id *wanted = vt_alloc_array(count, sizeof(*wanted));
    vt_value_id *gradients = vt_alloc_array(count, sizeof(*gradients));
    vt_status status = VT_OK;
    if (wanted == NULL || gradients == NULL)
        status = vt_fail_memory(error, "a plan");
    for (size_t i = 0; i < count && status == VT_OK; i++)
        wanted[i] = training->list[i].value;
    if (status == VT_OK)
        status = vt_plan_differentiate(plan, training->loss, wanted, count, gradients, error);
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        entry->memory[entry->output_count] = training->list[i].gradient;
        add_output(entry, plan, gradients[i], i);
    }
    entry->memory[entry->output_count] = NULL; /* where the last one has no gradient */
    plan->targets = entry->memory;
    plan->recompute = training->recompute;
    vt_free(wanted);
    vt_free(gradients);
    return status;
}

/* Takes the plan, also on failure. */
static vt_status runner_new(const vt_training *training, vt_plan *plan, vt_runner **out,
                            vt_error *error)
{
    if (training->executor == VT_EXECUTOR_REFERENCE)
        return vt_reference_runner_new(plan, out, error);
    plan->winograd = training->winograd;
    vt_status status = vt_plan_optimize(plan, training->precision, error);
    if (status != VT_OK) {
        vt_plan_free(plan);
        return status;
    }
    return vt_onednn_runner_new(plan, training->threads, out, error);
}

static vt_status planned_new(const vt_training *training, vt_training_plan **out, vt_error *error)
{
    vt_plan *plan = NULL;
    vt_training_plan *entry = NULL;
    vt_tensor *shapes = vt_calloc(training->graph.input_count, sizeof(*shapes));
    vt_status status =
        shapes == NULL ? vt_fail_memory(error, "a plan") : planned_alloc(training, &entry, error);
    for (size_t i = 0; i < training->graph.input_count && status == VT_OK; i++)
        shapes[i] =
            (vt_tensor){.dtype = training->inputs[i].dtype, .shape = training->inputs[i].shape};
    if (status == VT_OK)
        status = vt_plan_new_bound(&training->graph, shapes, entry->outputs, entry->output_count,
                                   &plan, error);
    if (status == VT_OK)
        status = into_training_mode(training, entry, plan, error);
    if (status == VT_OK)
        status = recognise(plan, error);
    if (status == VT_OK)
        status = differentiate(training, entry, plan, error);
    if (status == VT_OK)
        status = runner_new(training, plan, &entry->runner, error);
    else
        vt_plan_free(plan);
    vt_free(shapes);
    if (status != VT_OK)
        planned_free(entry);
    else
        *out = entry;
    return status;
}

static vt_status planned_get(vt_training *training, vt_training_plan **out, vt_error *error)
{
    vt_training_plan *entry = NULL;
    for (size_t k = 0; k < VT_TRAINING_PLANS && training->plans[k] != NULL; k++) {
        bool same = true;
        for (size_t i = 0; i < training->model->graph.input_count && same; i++)
            same = vt_shape_equal(&training->plans[k]->inputs[i], &training->inputs[i].shape);
        if (!same)
            continue;
        entry = training->plans[k];
        memmove(training->plans + 1, training->plans, k * sizeof(*training->plans));
        training->plans[0] = *out = entry;
        return VT_OK;
    }
    planned_free(training->plans[VT_TRAINING_PLANS - 1]); /* makes room first */
    training->plans[VT_TRAINING_PLANS - 1] = NULL;
    vt_status status = planned_new(training, &entry, error);
    if (status != VT_OK)
        return status;
    memmove(training->plans + 1, training->plans,
            (VT_TRAINING_PLANS - 1) * sizeof(*training->plans));
    training->plans[0] = *out = entry;
    return VT_OK;
}

/* ---- steps ---- */

static vt_status input_bind(vt_training *training, size_t index, const vt_tensor *input,
                            vt_error *error)
{
    const vt_value *value = &training->graph.values[training->graph.inputs[index]];
    char have[128], want[128];
    size_t count, bytes;
    bool fits = vt_shape_known(&input->shape) &&
                (value->shape.rank < 0 || value->shape.rank == input->shape.rank);
    for (int i = 0; i < input->shape.rank && fits && value->shape.rank >= 0; i++)
        fits = value->shape.dims[i] < 0 || value->shape.dims[i] == input->shape.dims[i];
    if (!fits || input->dtype != value->dtype) {
        vt_shape_print(&input->shape, have, sizeof(have));
        vt_shape_print(&value->shape, want, sizeof(want));
        return vt_fail(error, VT_ERR_USAGE,
                       "train the network: input \"%.100s\" is %s of %s, the model takes %s of %s",
                       value->name, have, vt_dtype_name(input->dtype), want,
                       vt_dtype_name(value->dtype));
    }
    if (!vt_shape_count(&input->shape, &count) ||
        !vt_size_mul(count, vt_dtype_bytes(input->dtype), &bytes) ||
        (input->data == NULL && count > 0))
        return vt_fail(error, VT_ERR_USAGE, "train the network: input \"%.100s\" has no data",
                       value->name);
    training->inputs[index] = *input;
    training->inputs[index].bytes = bytes;
    training->inputs[index].owned = false;
    return VT_OK;
}

/* Gradients and states to where the caller sees them. */
static void results_take(vt_training *training, const vt_training_plan *entry)
{
    for (size_t i = 0; i < entry->output_count; i++) {
        if (entry->targets[i] == SIZE_MAX)
            continue;
        vt_tracked *one = &training->list[entry->targets[i]];
        float *to = one->gradient != NULL ? one->gradient : one->data;
        if (entry->results[i].data != to && one->count > 0)
            memcpy(to, entry->results[i].data, one->count * sizeof(float));
    }
}

vt_status vt_training_step(vt_training *training, const vt_tensor *inputs, size_t input_count,
                           float *loss, vt_tensor *outputs, vt_error *error)
{
    vt_training_plan *entry;
    vt_status status = VT_OK;
    if (input_count != training->model->graph.input_count)
        return vt_fail(error, VT_ERR_USAGE, "train the network: %zu inputs, the model takes %zu",
                       input_count, training->model->graph.input_count);
    for (size_t i = 0; i < input_count && status == VT_OK; i++)
        status = input_bind(training, i, &inputs[i], error);
    if (status == VT_OK)
        status = planned_get(training, &entry, error);
    if (status == VT_OK)
        status = entry->runner->run(entry->runner, training->inputs, entry->results, error);
    if (status != VT_OK)
        return status;
    results_take(training, entry);
    *loss = (float)vt_tensor_get(&entry->results[0], 0);
    for (size_t i = 0; i < training->output_count; i++)
        outputs[i] = entry->results[1 + i];
    training->seed_data[1]++;
    return VT_OK;
}

void vt_training_set_step(vt_training *training, uint64_t step)
{
    memcpy(&training->seed_data[1], &step, sizeof(step));
}

/* ---- asking ---- */

size_t vt_training_parameter_count(const vt_training *training)
{
    return training->parameter_count;
}

size_t vt_training_state_count(const vt_training *training)
{
    return training->state_count;
}

static vt_parameter describe(const vt_training *training, size_t index)
{
    const vt_tracked *one = &training->list[index];
    return (vt_parameter){.name = training->graph.values[one->value].name,
                          .shape = one->shape,
                          .count = one->count,
                          .value = one->data,
                          .gradient = one->gradient};
}

vt_parameter vt_training_parameter(const vt_training *training, size_t index)
{
    return describe(training, index);
}

vt_parameter vt_training_state(const vt_training *training, size_t index)
{
    return describe(training, training->parameter_count + index);
}

vt_status vt_training_model(const vt_training *training, const float *const *values, vt_model **out,
                            vt_error *error)
{
    vt_builder *builder = NULL;
    vt_model *copy = NULL;
    vt_status status = vt_builder_from(training->model, &builder, error);
    if (status == VT_OK)
        status = vt_builder_finish(builder, &copy, error);
    for (size_t i = 0; status == VT_OK && i < training->parameter_count + training->state_count;
         i++) {
        const vt_tracked *one = &training->list[i];
        const vt_graph *graph = &copy->graph;
        vt_value_id value = vt_graph_find_value(graph, training->graph.values[one->value].name);
        const float *from = values != NULL && i < training->parameter_count ? values[i] : one->data;
        /* The copy is this function's until it is handed out. */
        if (value != VT_NO_VALUE && graph->values[value].constant != NULL && one->count > 0)
            memcpy(graph->values[value].constant->data, from, one->count * sizeof(float));
    }
    if (status == VT_OK)
        *out = copy;
    return status;
}

vt_training_memory vt_training_memory_of(const vt_training *training)
{
    vt_training_memory memory = {.parameters_bytes = training->parameters_bytes,
                                 .gradients_bytes = training->gradients_bytes};
    if (training->plans[0] != NULL)
        memory.activations_bytes = training->plans[0]->runner->activations_bytes;
    return memory;
}
