/* SPDX-License-Identifier: Apache-2.0 */
/* Running any network on tensors from files. */
#include "shop/shop.h"

#include "base/file.h"
#include "nn/model.h"
#include "shop/tensor_file.h"

#include <stdio.h>

enum { MAXIMUM_VALUES = 64 };

static vt_status save_outputs(const vt_model *model, const vt_onnx_run_options *options,
                              const vt_tensor *outputs, size_t count, vt_error *error)
{
    vt_status status = vt_dir_make(options->directory, error);
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        char name[32], shape[128];
        snprintf(name, sizeof(name), "output_%zu.npy", i);
        char *path = vt_path_join(options->directory, name);
        if (path == NULL)
            return vt_fail_memory(error, "a path");
        status = vt_tensor_file_write_npy(&outputs[i], path, error);
        vt_shape_print(&outputs[i].shape, shape, sizeof(shape));
        const char *value =
            options->output_count > 0 ? options->outputs[i] : vt_model_output(model, i).name;
        if (status == VT_OK && options->on_output != NULL)
            options->on_output(options->context, value, shape, path);
        vt_free(path);
    }
    return status;
}

static vt_status run(const vt_model *model, const vt_onnx_run_options *options,
                     const vt_tensor *inputs, vt_error *error)
{
    vt_session_options how = vt_session_options_defaults();
    how.executor = options->executor == VT_ONNX_ONEDNN ? VT_EXECUTOR_ONEDNN : VT_EXECUTOR_REFERENCE;
    how.outputs = options->output_count > 0 ? options->outputs : NULL;
    how.output_count = options->output_count;
    vt_session *session = NULL;
    vt_tensor outputs[MAXIMUM_VALUES] = {0};
    vt_status status = vt_precision_of(options->precision, &how.precision, error);
    if (status == VT_OK)
        status = vt_session_new(model, &how, &session, error);
    size_t count = status == VT_OK ? vt_session_output_count(session) : 0;
    if (count > MAXIMUM_VALUES)
        status =
            vt_fail(error, VT_ERR_LIMIT, "run the network: %zu outputs, at most %d are written",
                    count, MAXIMUM_VALUES);
    if (status == VT_OK)
        status = vt_session_run(session, inputs, options->input_count, outputs, error);
    if (status == VT_OK)
        status = save_outputs(model, options, outputs, count, error);
    vt_session_free(session);
    return status;
}

vt_status vt_onnx_run(const char *path, const vt_onnx_run_options *options, vt_error *error)
{
    if (options->input_count > MAXIMUM_VALUES || options->output_count > MAXIMUM_VALUES)
        return vt_fail(error, VT_ERR_LIMIT, "run \"%s\": more than %d inputs or outputs", path,
                       MAXIMUM_VALUES);
    vt_model *model = NULL;
    vt_tensor inputs[MAXIMUM_VALUES] = {0};
    vt_status status = vt_model_open(path, NULL, &model, error);
    if (status == VT_OK && vt_model_input_count(model) != options->input_count)
        status = vt_fail(error, VT_ERR_USAGE, "run \"%s\": it has %zu inputs, %zu were given", path,
                         vt_model_input_count(model), options->input_count);
    for (size_t i = 0; status == VT_OK && i < options->input_count; i++)
        status = vt_tensor_file_read(options->inputs[i], &inputs[i], error);
    if (status == VT_OK) {
        status = run(model, options, inputs, error);
        if (status != VT_OK)
            vt_fail_context(error, status, "run \"%.200s\"", path);
    }
    for (size_t i = 0; i < options->input_count; i++)
        vt_tensor_deinit(&inputs[i]);
    vt_model_free(model);
    return status;
}
