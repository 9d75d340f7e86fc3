/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of actions: buffers, and what is done to them.
 *
 * Every buffer's life is the range of actions that refer to it, so it is enough to note each
 * reference when the action is added. A primitive's scratchpad is one more buffer that lives for
 * one action: the memory planner then puts it wherever nothing else is live.
 */
#include "nn/dnnl/runner.h"

#include <string.h>

enum { BUFFER_MAXIMUM = 1 << 24, ACTION_MAXIMUM = 1 << 22 };

vt_status vt_dnnl_fail(dnnl_status_t status, const char *what, vt_error *error)
{
    if (status == dnnl_out_of_memory) {
        return vt_fail_memory(error, what);
    }
    return vt_fail(error, VT_ERR_INTERNAL, "prepare %s: onednn answers %d", what, (int)status);
}

vt_status vt_dnnl_buffer_add(vt_dnnl *dnnl, const vt_buffer *buffer, size_t *out, vt_error *error)
{
    if (!vt_grow((void **)&dnnl->buffers, &dnnl->buffer_capacity, dnnl->buffer_count + 1,
                 sizeof *dnnl->buffers, BUFFER_MAXIMUM)) {
        return vt_fail_memory(error, "a buffer of a network");
    }
    dnnl->buffers[dnnl->buffer_count] = *buffer;
    dnnl->buffers[dnnl->buffer_count].first = -1;
    dnnl->buffers[dnnl->buffer_count].last = -1;
    *out = dnnl->buffer_count++;
    return VT_OK;
}

vt_status vt_dnnl_buffer_view(vt_dnnl *dnnl, size_t buffer, size_t offset, size_t *out,
                              vt_error *error)
{
    const vt_buffer *base = &dnnl->buffers[buffer];
    vt_buffer view = {.kind = VT_BUFFER_VIEW, .base = buffer, .offset = offset};
    if (offset == 0) {
        *out = buffer;
        return VT_OK;
    }
    if (base->kind == VT_BUFFER_VIEW) {
        view.base = base->base;
        view.offset += base->offset;
    }
    return vt_dnnl_buffer_add(dnnl, &view, out, error);
}

vt_buffer *vt_dnnl_buffer_root(vt_dnnl *dnnl, size_t buffer)
{
    vt_buffer *found = &dnnl->buffers[buffer];
    return found->kind == VT_BUFFER_VIEW ? &dnnl->buffers[found->base] : found;
}

static void touch(vt_dnnl *dnnl, size_t index, size_t at)
{
    if (index != VT_NO_BUFFER) {
        vt_buffer *buffer = vt_dnnl_buffer_root(dnnl, index);
        buffer->used = true;
        buffer->first = buffer->first < 0 ? (int)at : buffer->first;
        buffer->last = (int)at;
    }
}

void vt_dnnl_action_touch(vt_dnnl *dnnl, const vt_action *action, size_t at)
{
    for (int i = 0; i < action->arg_count; i++) {
        touch(dnnl, action->arg_buffers[i], at);
    }
    for (size_t i = 0; i < action->tensor_count; i++) {
        touch(dnnl, action->tensor_buffers[i], at);
    }
}

static vt_status action_add(vt_dnnl *dnnl, vt_action *action, vt_error *error)
{
    if (!vt_grow((void **)&dnnl->actions, &dnnl->action_capacity, dnnl->action_count + 1,
                 sizeof *dnnl->actions, ACTION_MAXIMUM)) {
        return vt_fail_memory(error, "a step of a network");
    }
    vt_dnnl_action_touch(dnnl, action, dnnl->action_count);
    dnnl->actions[dnnl->action_count++] = *action;
    return VT_OK;
}

void vt_dnnl_action_deinit(vt_action *action)
{
    for (int i = 0; i < action->arg_count; i++) {
        if (action->args[i].memory) {
            dnnl_memory_destroy(action->args[i].memory);
        }
    }
    if (action->primitive && !action->borrowed) {
        dnnl_primitive_destroy(action->primitive);
    }
    if (action->state_free && !action->borrowed) {
        action->state_free(action->state);
    }
    *action = (vt_action){0};
}

/* ---- oneDNN primitives ---- */

static vt_status run_primitive(vt_dnnl *dnnl, vt_action *action, vt_error *error)
{
    dnnl_status_t status =
        dnnl_primitive_execute(action->primitive, dnnl->stream, action->arg_count, action->args);
    return status == dnnl_success ? VT_OK : vt_dnnl_fail(status, "the run of a primitive", error);
}

static vt_status argument_bind(vt_dnnl *dnnl, vt_action *action, const vt_argument *argument,
                               vt_error *error)
{
    dnnl_exec_arg_t *arg = &action->args[action->arg_count];
    dnnl_status_t status =
        dnnl_memory_create(&arg->memory, argument->layout, dnnl->engine, DNNL_MEMORY_NONE);
    if (status != dnnl_success) {
        arg->memory = NULL;
        return vt_dnnl_fail(status, "a memory object", error);
    }
    arg->arg = argument->name;
    action->arg_written[action->arg_count] = argument->written;
    action->arg_buffers[action->arg_count++] = argument->buffer;
    return VT_OK;
}

static bool arguments_alloc(vt_dnnl *dnnl, vt_action *action, size_t room)
{
    action->args = vt_arena_array(&dnnl->arena, room, sizeof *action->args);
    action->arg_buffers = vt_arena_array(&dnnl->arena, room, sizeof *action->arg_buffers);
    action->arg_written = vt_arena_array(&dnnl->arena, room, sizeof *action->arg_written);
    return action->args && action->arg_buffers && action->arg_written;
}

vt_status vt_dnnl_primitive_add(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                                const vt_argument *arguments, int count, vt_error *error)
{
    vt_action action = {.run = run_primitive, .step = step};
    vt_status status = VT_OK;
    if (!arguments_alloc(dnnl, &action, (size_t)count + 1)) {
        status = vt_fail_memory(error, "the arguments of a primitive");
        goto out;
    }
    for (int i = 0; status == VT_OK && i < count; i++) {
        status = argument_bind(dnnl, &action, &arguments[i], error);
    }
    const vt_layout *scratch = vt_pd_layout(desc, dnnl_query_scratchpad_md, 0);
    if (status == VT_OK && !vt_layout_is_none(scratch) && vt_layout_bytes(scratch) > 0) {
        vt_buffer buffer = {.kind = VT_BUFFER_ARENA, .bytes = vt_layout_bytes(scratch)};
        size_t index = VT_NO_BUFFER;
        status = vt_dnnl_buffer_add(dnnl, &buffer, &index, error);
        if (status == VT_OK) {
            const vt_argument scratchpad = {DNNL_ARG_SCRATCHPAD, scratch, index, true};
            status = argument_bind(dnnl, &action, &scratchpad, error);
        }
    }
    if (status != VT_OK) {
        goto out;
    }
    dnnl_status_t made = dnnl_primitive_create(&action.primitive, desc);
    if (made != dnnl_success) {
        action.primitive = NULL;
        status = vt_dnnl_fail(made, "a primitive", error);
        goto out;
    }
    status = action_add(dnnl, &action, error);
out:
    if (status != VT_OK) {
        vt_dnnl_action_deinit(&action);
    }
    dnnl_primitive_desc_destroy(desc);
    return status;
}

/* ---- plain code ---- */

static vt_status run_reference(vt_dnnl *dnnl, vt_action *action, vt_error *error)
{
    const vt_step *step = action->step;
    vt_op_args args = {
        .graph = dnnl->plan->graph,
        .node = &step->node,
        .inputs = action->tensors,
        .outputs = action->tensors + action->input_count,
    };
    for (size_t i = 0; i < step->node.output_count;
         i++) { /* references may count on fresh, zeroed tensors */
        if (args.outputs[i].bytes > 0) {
            memset(args.outputs[i].data, 0, args.outputs[i].bytes);
        }
    }
    vt_status status = vt_op_run_reference(&args, error);
    if (status == VT_OK && step->post_count > 0) {
        status =
            vt_posts_apply(step, args.outputs + step->node.output_count, &args.outputs[0], error);
    }
    return status;
}

static vt_status run_posts(vt_dnnl *dnnl, vt_action *action, vt_error *error)
{
    (void)dnnl;
    const vt_tensor *from = &action->tensors[0];
    vt_tensor *to = &action->tensors[1];
    memcpy(to->data, from->data, vt_tensor_count(from) * vt_dtype_bytes(from->dtype));
    return vt_posts_apply(action->step, action->tensors + 2, to, error);
}

static vt_status run_convert(vt_dnnl *dnnl, vt_action *action, vt_error *error)
{
    (void)dnnl;
    (void)error;
    vt_dnnl_convert(action->tensors[0].dtype, action->tensors[0].data, action->tensors[1].dtype,
                    action->tensors[1].data, vt_tensor_count(&action->tensors[0]));
    return VT_OK;
}

vt_status vt_dnnl_action_add(vt_dnnl *dnnl, vt_action *action, const vt_tensor *tensors,
                             const size_t *buffers, vt_error *error)
{
    action->tensors = vt_arena_array(&dnnl->arena, action->tensor_count, sizeof *action->tensors);
    action->tensor_buffers =
        vt_arena_array(&dnnl->arena, action->tensor_count, sizeof *action->tensor_buffers);
    vt_status status = VT_OK;
    if (action->written_end == 0) {
        action->written_begin = action->input_count;
        action->written_end = action->tensor_count;
    }
    if (!action->tensors || !action->tensor_buffers) {
        status = vt_fail_memory(error, "the tensors of a step");
    } else {
        memcpy(action->tensors, tensors, action->tensor_count * sizeof *tensors);
        memcpy(action->tensor_buffers, buffers, action->tensor_count * sizeof *buffers);
        status = action_add(dnnl, action, error);
    }
    if (status != VT_OK) {
        vt_dnnl_action_deinit(action);
    }
    return status;
}

vt_status vt_dnnl_reference_add(vt_dnnl *dnnl, const vt_step *step, const vt_tensor *tensors,
                                const size_t *buffers, vt_error *error)
{
    vt_action action = {
        .run = run_reference,
        .name = "reference",
        .step = step,
        .input_count = step->node.input_count,
        .tensor_count = step->node.input_count + step->node.output_count + (size_t)step->post_count,
        .written_begin = step->node.input_count,
        .written_end = step->node.input_count + step->node.output_count,
    };
    return vt_dnnl_action_add(dnnl, &action, tensors, buffers, error);
}

vt_status vt_dnnl_posts_add(vt_dnnl *dnnl, const vt_step *step, const vt_tensor *tensors,
                            const size_t *buffers, size_t count, vt_error *error)
{
    vt_action action = {.run = run_posts,
                        .step = step,
                        .name = "reference posts",
                        .input_count = 1,
                        .written_begin = 1,
                        .written_end = 2,
                        .tensor_count = count};
    return vt_dnnl_action_add(dnnl, &action, tensors, buffers, error);
}

vt_status vt_dnnl_convert_add(vt_dnnl *dnnl, const vt_tensor tensors[2], const size_t buffers[2],
                              vt_error *error)
{
    vt_action action = {.run = run_convert, .name = "convert", .input_count = 1, .tensor_count = 2};
    return vt_dnnl_action_add(dnnl, &action, tensors, buffers, error);
}

static vt_status run_join(vt_dnnl *dnnl, vt_action *action, vt_error *error)
{
    (void)dnnl;
    (void)error;
    char *to = action->tensors[action->input_count].data;
    for (size_t i = 0; i < action->outer; i++) {
        for (size_t k = 0; k < action->input_count; k++) {
            size_t bytes = action->runs[k];
            memcpy(to, (const char *)action->tensors[k].data + i * bytes, bytes);
            to += bytes;
        }
    }
    return VT_OK;
}

vt_status vt_dnnl_join_add(vt_dnnl *dnnl, const vt_step *step, const size_t *buffers,
                           const size_t *runs, size_t outer, vt_error *error)
{
    vt_action action = {
        .run = run_join,
        .name = "copy",
        .step = step,
        .input_count = step->node.input_count,
        .tensor_count = step->node.input_count + 1,
        .outer = outer,
    };
    vt_tensor *tensors = vt_calloc(action.tensor_count, sizeof *tensors);
    action.runs = vt_arena_array(&dnnl->arena, action.input_count, sizeof *action.runs);
    vt_status status = VT_ERR_NO_MEMORY;
    if (tensors && action.runs) {
        memcpy(action.runs, runs, action.input_count * sizeof *runs);
        status = vt_dnnl_action_add(dnnl, &action, tensors, buffers, error);
    } else {
        status = vt_fail_memory(error, "a concatenation");
    }
    vt_free(tensors);
    return status;
}

static vt_status run_loop(vt_dnnl *dnnl, vt_action *action, vt_error *error)
{
    (void)dnnl;
    (void)error;
    const void *inputs[VT_ELEMENTWISE_INPUTS];
    for (size_t i = 0; i < action->input_count; i++) {
        inputs[i] = action->tensors[i].data;
    }
    vt_loop_run(action->state, inputs, action->tensors[action->input_count].data);
    return VT_OK;
}

static void free_loop(void *state)
{
    vt_loop_free(state);
}

vt_status vt_dnnl_loop_add(vt_dnnl *dnnl, const vt_step *step, vt_loop *loop, const size_t *buffers,
                           vt_error *error)
{
    vt_action action = {
        .run = run_loop,
        .name = "loop",
        .step = step,
        .input_count = step->node.input_count,
        .tensor_count = step->node.input_count + 1,
        .state = loop,
        .state_free = free_loop,
    };
    const vt_tensor tensors[VT_ELEMENTWISE_INPUTS + 1] = {0}; /* only their data is used */
    return vt_dnnl_action_add(dnnl, &action, tensors, buffers, error);
}

/* ---- once more ---- */

static vt_status again_arguments(vt_dnnl *dnnl, const vt_action *first, vt_action *action,
                                 vt_error *error)
{
    vt_status status = VT_OK;
    action->arg_count = 0;
    if (!arguments_alloc(dnnl, action, (size_t)first->arg_count + 1)) {
        return vt_fail_memory(error, "the arguments of a primitive");
    }
    for (int i = 0; status == VT_OK && i < first->arg_count; i++) {
        const vt_argument argument = {first->args[i].arg, vt_memory_layout(first->args[i].memory),
                                      first->arg_buffers[i], first->arg_written[i]};
        status = argument_bind(dnnl, action, &argument, error);
    }
    return status;
}

vt_status vt_dnnl_action_again(vt_dnnl *dnnl, const vt_action *first, vt_action *out,
                               vt_error *error)
{
    vt_action action = *first;
    action.borrowed = true;
    vt_status status = again_arguments(dnnl, first, &action, error);
    if (status == VT_OK && first->tensor_count > 0) {
        size_t count = first->tensor_count;
        action.tensors = vt_arena_array(&dnnl->arena, count, sizeof *action.tensors);
        action.tensor_buffers = vt_arena_array(&dnnl->arena, count, sizeof *action.tensor_buffers);
        if (!action.tensors || !action.tensor_buffers) {
            status = vt_fail_memory(error, "the tensors of a step");
        } else {
            memcpy(action.tensors, first->tensors, count * sizeof *action.tensors);
            memcpy(action.tensor_buffers, first->tensor_buffers,
                   count * sizeof *action.tensor_buffers);
        }
    }
    if (status != VT_OK) {
        vt_dnnl_action_deinit(&action);
    } else {
        *out = action;
    }
    return status;
}
