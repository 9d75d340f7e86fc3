/* SPDX-License-Identifier: Apache-2.0 */
/* What of an ONNX file is run for given input shapes: its steps, and the memory they take. */
#include "shop/onnx_info.h"

#include <string.h>

enum { MAXIMUM_STEPS = 1 << 20 };

/* ---- shapes ---- */

/* Sizes that the file leaves free: one picture of 224 x 224 where the input looks like pictures,
 * since many networks cannot take less; 1 elsewhere. */
static vt_shape example_shape(const vt_value_info *input)
{
    static const int64_t picture[4] = {1, 3, 224, 224};
    vt_shape shape = input->shape;
    for (int d = 0; d < shape.rank; d++)
        if (shape.dims[d] < 0)
            shape.dims[d] = shape.rank == 4 ? picture[d] : 1;
    return shape;
}

/* "1x3x224x224"; false when it is none. */
static bool read_shape(const char *text, vt_shape *out)
{
    int64_t dims[VT_MAX_RANK];
    int rank = 0;
    for (;; text++) {
        char part[24];
        size_t length = strcspn(text, "x");
        if (rank == VT_MAX_RANK || length >= sizeof(part))
            return false;
        memcpy(part, text, length);
        part[length] = '\0';
        if (!vt_parse_int(part, 0, INT32_MAX, &dims[rank++]))
            return false;
        text += length;
        if (*text == '\0')
            break;
    }
    *out = vt_shape_of(rank, dims);
    return true;
}

static vt_status asked_shape(const vt_value_info *input, const char *text, vt_shape *out,
                             vt_error *error)
{
    char declared[128];
    vt_shape_print(&input->shape, declared, sizeof(declared));
    if (!read_shape(text, out))
        return vt_fail(error, VT_ERR_USAGE,
                       "take input \"%.100s\" as \"%.64s\": a shape such as 1x3x224x224 is needed",
                       input->name, text);
    bool fits = input->shape.rank < 0 || input->shape.rank == out->rank;
    for (int d = 0; fits && d < input->shape.rank; d++)
        fits = input->shape.dims[d] < 0 || input->shape.dims[d] == out->dims[d];
    return fits ? VT_OK
                : vt_fail(error, VT_ERR_USAGE,
                          "take input \"%.100s\" as \"%.64s\": it is %s in the file", input->name,
                          text, declared);
}

vt_status vt_onnx_shapes(const vt_model *model, const vt_onnx_info_options *options, vt_shape **out,
                         vt_error *error)
{
    size_t count = vt_model_input_count(model), asked = options->input_shape_count;
    if (asked > 0 && asked != count)
        return vt_fail(error, VT_ERR_USAGE, "%zu input shapes were given, the model has %zu inputs",
                       asked, count);
    vt_shape *shapes = vt_calloc(count, sizeof(*shapes));
    if (shapes == NULL)
        return vt_fail_memory(error, "shapes");
    vt_status status = VT_OK;
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        vt_value_info input = vt_model_input(model, i);
        if (asked > 0)
            status = asked_shape(&input, options->input_shapes[i], &shapes[i], error);
        else
            shapes[i] = example_shape(&input);
    }
    if (status != VT_OK)
        vt_free(shapes);
    else
        *out = shapes;
    return status;
}

/* ---- steps ---- */

static void add_step(void *context, const vt_step_info *step)
{
    vt_onnx_block *block = context;
    vt_onnx_info *info = &block->info;
    if (!vt_grow((void **)&info->steps, &block->step_capacity, info->step_count + 1,
                 sizeof(*info->steps), MAXIMUM_STEPS)) {
        block->out_of_memory = true;
        return;
    }
    vt_onnx_step *out = &info->steps[info->step_count++];
    *out = (vt_onnx_step){.op_type = vt_onnx_keep(block, step->op_type),
                          .name = vt_onnx_keep(block, step->name),
                          .output = vt_onnx_keep(block, step->output),
                          .posts = vt_onnx_keep(block, step->posts),
                          .compute = vt_dtype_name(step->compute),
                          .executor = vt_onnx_keep(block, step->executor),
                          .macs = step->macs};
    vt_shape_print(&step->shape, out->shape, sizeof(out->shape));
}

/* ---- memory ---- */

/* Of one tensor; sizes that cannot be counted count nothing. */
static uint64_t tensor_bytes(const vt_shape *shape, vt_dtype type)
{
    size_t count, bytes;
    if (!vt_shape_known(shape) || !vt_shape_count(shape, &count) ||
        !vt_size_mul(count, vt_dtype_bytes(type), &bytes))
        return 0;
    return bytes;
}

static vt_status border_bytes(const vt_model *model, vt_session *session, const vt_shape *shapes,
                              uint64_t *out, vt_error *error)
{
    size_t inputs = vt_model_input_count(model), outputs = vt_model_output_count(model);
    vt_shape *results = vt_calloc(outputs, sizeof(*results));
    if (results == NULL)
        return vt_fail_memory(error, "shapes");
    vt_status status = vt_session_output_shapes(session, shapes, inputs, results, error);
    *out = 0;
    for (size_t i = 0; i < inputs; i++)
        *out += tensor_bytes(&shapes[i], vt_model_input(model, i).dtype);
    for (size_t i = 0; status == VT_OK && i < outputs; i++)
        *out += tensor_bytes(&results[i], vt_model_output(model, i).dtype);
    vt_free(results);
    return status;
}

static vt_status describe_session(const vt_model *model, vt_session *session,
                                  const vt_shape *shapes, vt_onnx_block *block, vt_error *error)
{
    vt_onnx_info *info = &block->info;
    uint64_t border = 0;
    vt_status status =
        vt_session_each_step(session, shapes, vt_model_input_count(model), add_step, block, error);
    if (status == VT_OK)
        status = border_bytes(model, session, shapes, &border, error);
    if (status != VT_OK)
        return status;
    vt_session_memory memory = vt_session_memory_of(session);
    info->reorders = memory.reorders;
    info->memory = (vt_onnx_memory){.parameter_bytes = info->parameter_bytes,
                                    .prepared_bytes = memory.weights_bytes,
                                    .activation_bytes = memory.activations_bytes,
                                    .unshared_bytes = memory.unshared_bytes};
    info->memory.peak_bytes =
        info->parameter_bytes + memory.weights_bytes + memory.activations_bytes + border;
    return VT_OK;
}

vt_status vt_onnx_describe_plan(const vt_model *model, const vt_shape *shapes,
                                vt_precision precision, vt_onnx_block *block, vt_error *error)
{
    vt_session *session = NULL;
    vt_session_options options = vt_session_options_defaults();
    vt_error reason = {0};
    options.precision = precision;
    options.threads = 1; /* as a shop runs a queue of pictures */
    options.winograd = true;
    vt_status status = vt_session_new(model, &options, &session, &reason);
    if (status == VT_OK)
        status = describe_session(model, session, shapes, block, &reason);
    vt_session_free(session);
    if (status == VT_ERR_NO_MEMORY)
        return vt_fail_memory(error, "a plan of the model");
    if (status != VT_OK) {
        block->info.step_count = 0;
        block->info.plan_failure = vt_onnx_keep(block, reason.message);
    }
    return VT_OK;
}
