/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oneDNN executor: a plan to a ready list of actions, and its run.
 *
 * Method: lower every step in order, ask for the outputs in the form they are declared in, then
 * place all buffers in one block (memory_plan.c) and write the addresses into the oneDNN memory
 * objects and tensors. A run only binds the caller's inputs and walks the list: it allocates
 * nothing of its own.
 *
 * Threads of one run: Debian's oneDNN is built on OpenMP and reads the number of threads of the
 * calling thread when a primitive is made and when it runs, so that number is set around both and
 * restored. With one thread oneDNN opens no parallel region at all, and runners in many threads do
 * not meet.
 */
#include "nn/dnnl/runner.h"

#include "base/thread.h"
#include "nn/dnnl/recompute.h"
#include "nn/memory_plan.h"

#include <string.h>

/* Of the OpenMP runtime that oneDNN itself is linked to. Declared here because <omp.h> belongs to
 * the compiler, whose own runtime may be another one. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int count);
extern int omp_get_thread_limit(void);
extern int omp_get_dynamic(void);
extern void omp_set_dynamic(int on);

/* ---- threads ---- */

typedef struct {
    int threads, dynamic;
} openmp_state;

/* oneDNN divides the work by the number it asks for and leaves some of it undone when OpenMP gives
 * fewer, so it must ask for what it gets: no more than the limit, and no dynamic teams. */
static openmp_state openmp_enter(const vt_dnnl *dnnl)
{
    openmp_state before = {omp_get_max_threads(), omp_get_dynamic()};
    omp_set_dynamic(0);
    omp_set_num_threads(dnnl->threads);
    return before;
}

static void openmp_leave(openmp_state before)
{
    omp_set_num_threads(before.threads);
    omp_set_dynamic(before.dynamic);
}

/* ---- making one ---- */

static void runner_free(vt_runner *base)
{
    vt_dnnl *dnnl = (vt_dnnl *)base;
    for (size_t i = 0; i < dnnl->action_count; i++) {
        vt_dnnl_action_deinit(&dnnl->actions[i]);
    }
    for (size_t i = 0; i < dnnl->form_count; i++) {
        vt_layout_free(dnnl->forms[i].layout);
    }
    for (size_t i = 0; i < dnnl->buffer_count; i++) {
        if (dnnl->buffers[i].kind == VT_BUFFER_PREPARED) {
            vt_dnnl_weights_release(dnnl->buffers[i].data);
        }
    }
    if (dnnl->stream) {
        dnnl_stream_destroy(dnnl->stream);
    }
    if (dnnl->engine) {
        dnnl_engine_destroy(dnnl->engine);
    }
    vt_free(dnnl->memory);
    vt_free(dnnl->actions);
    vt_free(dnnl->forms);
    vt_free(dnnl->buffers);
    vt_free(dnnl->value_forms);
    vt_free(dnnl->output_buffers);
    vt_free(dnnl->outputs);
    vt_arena_deinit(&dnnl->arena);
    vt_plan_free(dnnl->plan);
    vt_free(dnnl);
}

static vt_status runner_init(vt_dnnl *dnnl, vt_error *error)
{
    const vt_plan *plan = dnnl->plan;
    vt_arena_init(&dnnl->arena, SIZE_MAX);
    vt_plan_lifetimes(dnnl->plan); /* passes may have moved steps */
    dnnl->value_forms = vt_alloc_array(plan->value_count, sizeof *dnnl->value_forms);
    dnnl->output_buffers = vt_calloc(plan->output_count, sizeof *dnnl->output_buffers);
    dnnl->outputs = vt_calloc(plan->output_count, sizeof *dnnl->outputs);
    if (!dnnl->value_forms || !dnnl->output_buffers || !dnnl->outputs) {
        return vt_fail_memory(error, "a network's executor");
    }
    for (size_t i = 0; i < plan->value_count; i++) {
        dnnl->value_forms[i] = SIZE_MAX;
    }
    dnnl_status_t status = dnnl_engine_create(&dnnl->engine, dnnl_cpu, 0);
    if (status == dnnl_success) {
        status = dnnl_stream_create(&dnnl->stream, dnnl->engine, dnnl_stream_default_flags);
    }
    return status == dnnl_success ? VT_OK : vt_dnnl_fail(status, "an engine", error);
}

static vt_status add_inputs(vt_dnnl *dnnl, vt_error *error)
{
    const vt_graph *graph = dnnl->plan->graph;
    for (size_t i = 0; i < graph->input_count; i++) {
        vt_value_id value = graph->inputs[i];
        const vt_plan_value *plan_value = &dnnl->plan->values[value];
        if (plan_value->constant || dnnl->value_forms[value] != SIZE_MAX) {
            continue;
        }
        vt_buffer buffer = {.kind = VT_BUFFER_INPUT, .input = i};
        size_t index = VT_NO_BUFFER;
        vt_status status = vt_dnnl_buffer_add(dnnl, &buffer, &index, error);
        if (status == VT_OK) {
            status = vt_dnnl_form_add(dnnl, value, plan_value->tensor.dtype, NULL, index, error);
        }
        if (status != VT_OK) {
            return status;
        }
    }
    return VT_OK;
}

/* An output must outlive the caller's inputs: one that still lies in them is copied. */
static vt_status copy_input(vt_dnnl *dnnl, vt_value_id value, size_t *buffer, vt_error *error)
{
    const vt_tensor *tensor = &dnnl->plan->values[value].tensor;
    vt_tensor tensors[2] = {{.dtype = tensor->dtype, .shape = tensor->shape},
                            {.dtype = tensor->dtype, .shape = tensor->shape}};
    vt_buffer copy = {.kind = VT_BUFFER_ARENA};
    size_t from = *buffer;
    if (!vt_size_mul(vt_tensor_count(tensor), vt_dtype_bytes(tensor->dtype), &copy.bytes)) {
        return vt_fail(error, VT_ERR_LIMIT, "copy an output: too large");
    }
    vt_status status = vt_dnnl_buffer_add(dnnl, &copy, buffer, error);
    return status == VT_OK
               ? vt_dnnl_convert_add(dnnl, tensors, (const size_t[]){from, *buffer}, error)
               : status;
}

static vt_status add_outputs(vt_dnnl *dnnl, vt_error *error)
{
    const vt_plan *plan = dnnl->plan;
    for (size_t i = 0; i < plan->output_count; i++) {
        vt_value_id value = plan->outputs[i];
        vt_tensor *out = &dnnl->outputs[i];
        *out = plan->values[value].tensor;
        out->owned = false;
        out->bytes = vt_tensor_count(out) * vt_dtype_bytes(out->dtype);
        size_t buffer = VT_NO_BUFFER;
        vt_status status = vt_dnnl_form_get(dnnl, value, out->dtype, NULL, &buffer, error);
        if (status == VT_OK && vt_dnnl_buffer_root(dnnl, buffer)->kind == VT_BUFFER_INPUT) {
            status = copy_input(dnnl, value, &buffer, error);
        }
        if (status != VT_OK) {
            return status;
        }
        dnnl->output_buffers[i] = buffer;
        vt_dnnl_buffer_root(dnnl, buffer)->used = true;
    }
    return VT_OK;
}

/* ---- memory ---- */

/* Outputs that have a buffer to themselves are written where the caller wants them. A buffer that
 * is given its memory here is no longer placed. */
static void place_targets(vt_dnnl *dnnl)
{
    const vt_plan *plan = dnnl->plan;
    for (size_t i = 0; plan->targets && i < plan->output_count; i++) {
        vt_buffer *buffer = &dnnl->buffers[dnnl->output_buffers[i]];
        if (plan->targets[i] && buffer->kind == VT_BUFFER_ARENA && buffer->first >= 0 &&
            !buffer->data && buffer->bytes == dnnl->outputs[i].bytes) {
            buffer->data = plan->targets[i];
        }
    }
}

static vt_status place_buffers(vt_dnnl *dnnl, vt_error *error)
{
    size_t total = 0, unshared = 0;
    vt_interval *intervals = vt_calloc(dnnl->buffer_count, sizeof *intervals);
    if (!intervals) {
        return vt_fail_memory(error, "a network's memory plan");
    }
    for (size_t i = 0; i < dnnl->plan->output_count; i++) { /* handed out: live to the end */
        vt_dnnl_buffer_root(dnnl, dnnl->output_buffers[i])->last = (int)dnnl->action_count;
    }
    size_t count = 0;
    for (size_t i = 0; i < dnnl->buffer_count; i++) {
        const vt_buffer *buffer = &dnnl->buffers[i];
        if (buffer->kind == VT_BUFFER_ARENA && buffer->first >= 0 && !buffer->data) {
            intervals[count++] = (vt_interval){buffer->bytes, buffer->first, buffer->last, 0};
            unshared += buffer->bytes;
        }
    }
    vt_status status = vt_memory_plan_intervals(intervals, count, &total, error);
    if (status == VT_OK) {
        dnnl->memory = vt_alloc_large(total > 0 ? total : 1);
        status = dnnl->memory ? VT_OK : vt_fail_memory(error, "a network's activations");
    }
    count = 0;
    for (size_t i = 0; status == VT_OK && i < dnnl->buffer_count; i++) {
        vt_buffer *buffer = &dnnl->buffers[i];
        if (buffer->kind == VT_BUFFER_ARENA && buffer->first >= 0 && !buffer->data) {
            buffer->data = (char *)dnnl->memory + intervals[count++].offset;
        }
    }
    vt_free(intervals);
    dnnl->base.activations_bytes = total;
    dnnl->base.unshared_bytes = unshared;
    return status;
}

static void *address_of(vt_dnnl *dnnl, size_t buffer)
{
    char *data = vt_dnnl_buffer_root(dnnl, buffer)->data;
    return data ? data + dnnl->buffers[buffer].offset : NULL;
}

/* Whether the buffer's memory is what `only` stands for: one owner, or (NULL) any. */
static bool concerns(vt_dnnl *dnnl, size_t buffer, const vt_buffer *only)
{
    return buffer != VT_NO_BUFFER && (!only || vt_dnnl_buffer_root(dnnl, buffer) == only);
}

/* Writes the addresses of one owner of memory, or of all (NULL), where they are used. */
static vt_status bind_action(vt_dnnl *dnnl, vt_action *action, const vt_buffer *only,
                             vt_error *error)
{
    for (int i = 0; i < action->arg_count; i++) {
        if (!concerns(dnnl, action->arg_buffers[i], only)) {
            continue;
        }
        dnnl_status_t status = dnnl_memory_set_data_handle(
            action->args[i].memory, address_of(dnnl, action->arg_buffers[i]));
        if (status != dnnl_success) {
            return vt_dnnl_fail(status, "a memory object", error);
        }
    }
    for (size_t i = 0; i < action->tensor_count; i++) {
        if (concerns(dnnl, action->tensor_buffers[i], only)) {
            action->tensors[i].data = address_of(dnnl, action->tensor_buffers[i]);
        }
    }
    return VT_OK;
}

static vt_status bind_all(vt_dnnl *dnnl, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < dnnl->action_count; i++) {
        status = bind_action(dnnl, &dnnl->actions[i], NULL, error);
    }
    for (size_t i = 0; i < dnnl->plan->output_count; i++) {
        vt_tensor *out = &dnnl->outputs[i];
        out->data = out->bytes > 0 ? address_of(dnnl, dnnl->output_buffers[i]) : NULL;
    }
    return status;
}

/* Constants that were only the raw material of prepared weights, once their last step has been
 * lowered: so the plan's copies, and the pages of the model's file, go while the weights come. */
static void drop_raw_constants(vt_dnnl *dnnl, size_t index)
{
    const vt_step *step = &dnnl->plan->steps[index];
    for (size_t i = 0; i < vt_step_read_count(step); i++) {
        vt_value_id id = vt_step_read(step, i);
        if (id == VT_NO_VALUE || dnnl->plan->values[id].last_step != (int)index) {
            continue;
        }
        size_t form = dnnl->value_forms[id];
        if (form == SIZE_MAX || !vt_dnnl_buffer_root(dnnl, dnnl->forms[form].buffer)->used) {
            vt_plan_release_constant(dnnl->plan, id);
        }
    }
}

/* The forward part of a training ends with the step that makes the loss, its first output. */
static void note_forward(vt_dnnl *dnnl, size_t index)
{
    const vt_node *node = &dnnl->plan->steps[index].node;
    for (size_t i = 0; dnnl->plan->recompute && i < node->output_count; i++) {
        if (node->outputs[i] == dnnl->plan->outputs[0]) {
            dnnl->forward = dnnl->action_count;
        }
    }
}

/* ---- running ---- */

static vt_status bind_inputs(vt_dnnl *dnnl, const vt_tensor *inputs, vt_error *error)
{
    vt_status status = VT_OK;
    for (size_t i = 0; i < dnnl->buffer_count && dnnl->buffers[i].kind == VT_BUFFER_INPUT; i++) {
        vt_buffer *buffer = &dnnl->buffers[i];
        if (!buffer->used || buffer->data == inputs[buffer->input].data) {
            continue;
        }
        buffer->data = inputs[buffer->input].data;
        for (int k = buffer->first; status == VT_OK && k <= buffer->last; k++) {
            status = bind_action(dnnl, &dnnl->actions[k], buffer, error);
        }
        if (status != VT_OK) {
            buffer->data = NULL; /* so that the next run binds again */
            return status;
        }
    }
    return VT_OK;
}

static vt_status runner_run(vt_runner *base, const vt_tensor *inputs, vt_tensor *outputs,
                            vt_error *error)
{
    vt_dnnl *dnnl = (vt_dnnl *)base;
    vt_status status = bind_inputs(dnnl, inputs, error);
    if (status != VT_OK) {
        return status;
    }
    openmp_state before = openmp_enter(dnnl);
    for (size_t i = 0; status == VT_OK && i < dnnl->action_count; i++) {
        status = dnnl->actions[i].run(dnnl, &dnnl->actions[i], error);
    }
    dnnl_status_t waited = dnnl_stream_wait(dnnl->stream);
    openmp_leave(before);
    if (status == VT_OK && waited != dnnl_success) {
        status = vt_dnnl_fail(waited, "the end of a run", error);
    }
    if (status == VT_OK) {
        memcpy(outputs, dnnl->outputs, dnnl->plan->output_count * sizeof *outputs);
    }
    return status;
}

static vt_status build(vt_dnnl *dnnl, vt_error *error)
{
    vt_status status = vt_plan_acquire_all(dnnl->plan, error);
    if (status == VT_OK) {
        status = runner_init(dnnl, error);
    }
    if (status == VT_OK) {
        status = vt_winograd_settle(dnnl, error);
    }
    if (status == VT_OK) {
        status = add_inputs(dnnl, error);
    }
    for (size_t i = 0; status == VT_OK && i < dnnl->plan->step_count; i++) {
        dnnl->step = i;
        status = vt_dnnl_lower(dnnl, &dnnl->plan->steps[i], error);
        if (status == VT_OK) {
            drop_raw_constants(dnnl, i);
            note_forward(dnnl, i);
        }
    }
    if (status == VT_OK) {
        status = add_outputs(dnnl, error);
    }
    if (status == VT_OK) {
        place_targets(dnnl);
    }
    if (status == VT_OK && dnnl->forward > 0) {
        status = vt_dnnl_recompute(dnnl, dnnl->forward, error);
    }
    if (status == VT_OK) {
        status = place_buffers(dnnl, error);
    }
    if (status == VT_OK) {
        status = bind_all(dnnl, error);
    }
    return status;
}

vt_status vt_onednn_runner_new(vt_plan *plan, int threads, vt_runner **out, vt_error *error)
{
    vt_dnnl *dnnl = vt_calloc(1, sizeof *dnnl);
    if (!dnnl) {
        vt_plan_free(plan);
        return vt_fail_memory(error, "a network's executor");
    }
    dnnl->base.run = runner_run;
    dnnl->base.free = runner_free;
    dnnl->base.describe = vt_dnnl_describe;
    dnnl->plan = plan;
    dnnl->threads = threads > 0 ? threads : vt_core_count();
    if (dnnl->threads > omp_get_thread_limit()) {
        dnnl->threads = omp_get_thread_limit();
    }
    openmp_state before = openmp_enter(dnnl);
    vt_status status = build(dnnl, error);
    openmp_leave(before);
    if (status != VT_OK) {
        runner_free(&dnnl->base);
        return status;
    }
    *out = &dnnl->base;
    return VT_OK;
}
