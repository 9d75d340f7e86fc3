/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX files from strangers: parse, describe, plan for small inputs, run on the reference executor,
 * under limits that keep one input to a fraction of a second. Seeds: any small ONNX files.
 */
#include "base/mem.h"
#include "nn/model.h"

enum { INPUT_MAXIMUM = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Open dimensions become 2, inputs without a shape a small picture. */
static vt_shape shape_for(const vt_value_info *info)
{
    vt_shape shape = info->shape;
    if (shape.rank < 0)
        return vt_shape_of(4, (const int64_t[]){1, 3, 8, 8});
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = shape.dims[i] < 0 ? 2 : shape.dims[i];
    return shape;
}

static void visit(void *context, const vt_node_info *node)
{
    (void)node;
    ++*(size_t *)context;
}

static void run(const vt_model *model, const vt_tensor *inputs, size_t count)
{
    vt_session *session;
    vt_session_options options = vt_session_options_defaults();
    options.executor = VT_EXECUTOR_REFERENCE;
    size_t outputs_count = vt_model_output_count(model);
    vt_tensor *outputs = vt_calloc(outputs_count, sizeof(*outputs));
    if (outputs != NULL && vt_session_new(model, &options, &session, NULL) == VT_OK) {
        if (vt_session_run(session, inputs, count, outputs, NULL) == VT_OK) {
            double sum = 0.0;
            for (size_t i = 0; i < outputs_count; i++)
                for (size_t k = 0; k < vt_tensor_count(&outputs[i]); k++)
                    sum += vt_tensor_get(&outputs[i], k);
            volatile double sink = sum; /* every output byte is read */
            (void)sink;
        }
        vt_session_free(session);
    }
    vt_free(outputs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vt_model *model;
    vt_error error;
    vt_tensor inputs[INPUT_MAXIMUM] = {0};
    size_t nodes = 0;
    vt_model_limits limits = {.file_bytes = 1 << 20,
                              .nodes = 64,
                              .initializers = 64,
                              .dimension = 1 << 16,
                              .tensor_bytes = 1 << 14};
    if (vt_model_parse(data, size, &limits, &model, &error) != VT_OK)
        return 0;
    vt_model_feature_output(model);
    vt_model_each_node(model, NULL, visit, &nodes, &error);
    size_t count = vt_model_input_count(model);
    vt_status status = count <= INPUT_MAXIMUM ? VT_OK : VT_ERR_LIMIT;
    for (size_t i = 0; i < count && status == VT_OK; i++) {
        vt_value_info info = vt_model_input(model, i);
        vt_shape shape = shape_for(&info);
        status = vt_tensor_init(&inputs[i], info.dtype, &shape, limits.tensor_bytes, &error);
        for (size_t k = 0; status == VT_OK && k < vt_tensor_count(&inputs[i]); k++)
            vt_store_f64(info.dtype, inputs[i].data, k, 1, &(double){(double)k - 2.0});
    }
    if (status == VT_OK)
        run(model, inputs, count);
    for (size_t i = 0; i < INPUT_MAXIMUM; i++)
        vt_tensor_deinit(&inputs[i]);
    vt_model_free(model);
    return 0;
}
