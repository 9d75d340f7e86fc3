/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ONNX file written anew from what vitrine makes of it: external data inside, functions inlined,
 * and nothing in it that vitrine does not know; if wanted, with a second look at every picture.
 *
 * A network that is changed gives other vectors: an encoder's file gets a new golden one, by being
 * opened where it is written first.
 */
#include "shop/shop.h"

#include "base/file.h"
#include "encoder/encoder.h"
#include "nn/onnx_export.h"
#include "nn/weights.h"

#include <string.h>

vt_onnx_rewrite_options vt_onnx_rewrite_options_defaults(void)
{
    return (vt_onnx_rewrite_options){0};
}

/* The value that is the embedding, where the contract names one that is no output; else NULL. */
static const char *hidden_output(const vt_model *model, const vt_contract *contract)
{
    if (contract->output[0] == '\0')
        return NULL;
    for (size_t i = 0; i < vt_model_output_count(model); i++)
        if (strcmp(vt_model_output(model, i).name, contract->output) == 0)
            return NULL;
    return contract->output;
}

/* Replaces the model. */
static vt_status add_views(vt_model **model, const vt_view_options *views, vt_error *error)
{
    const char *text = vt_model_metadata(*model, VT_METADATA_CONTRACT);
    size_t count = vt_model_output_count(*model);
    vt_contract contract = {0};
    vt_model *viewing = NULL;
    vt_status status = VT_OK;
    if (text != NULL)
        status = vt_contract_parse(text, strlen(text), &contract, error);
    if (status != VT_OK)
        return status;
    const char **outputs = vt_alloc_array(count + 1, sizeof(*outputs));
    if (outputs == NULL)
        return vt_fail_memory(error, "the outputs of a network");
    for (size_t i = 0; i < count; i++)
        outputs[i] = vt_model_output(*model, i).name;
    const char *hidden = hidden_output(*model, &contract);
    if (hidden != NULL)
        outputs[count++] = hidden;
    status = vt_model_with_views(*model, views, outputs, count, &viewing, error);
    vt_free(outputs);
    if (status == VT_OK) {
        vt_model_free(*model);
        *model = viewing;
    }
    return status;
}

vt_status vt_onnx_rewrite(const char *path, const char *out, const vt_onnx_rewrite_options *options,
                          vt_onnx_rewrite_report *report, vt_error *error)
{
    const vt_onnx_rewrite_options how =
        options != NULL ? *options : vt_onnx_rewrite_options_defaults();
    const vt_view_options views = {.mirror = how.mirror, .shift = how.shift};
    bool several = views.mirror || views.shift != 0;
    vt_model *model = NULL;
    vt_buf file;
    vt_buf_init(&file, VT_ONNX_FILE_MAXIMUM);
    vt_status status = vt_model_open(path, NULL, &model, error);
    if (status == VT_OK && several)
        status = add_views(&model, &views, error);
    if (status == VT_OK)
        status = vt_model_write(model, &file, error);
    if (status == VT_OK && several && vt_model_metadata(model, VT_METADATA_CONTRACT) != NULL)
        status = vt_encoder_pack_file(out, &file, error);
    if (status != VT_OK)
        vt_fail_context(error, status, "export \"%.200s\"", path);
    if (status == VT_OK)
        status = vt_file_replace(out, file.data, file.length, true, error);
    if (status == VT_OK && report != NULL) {
        vt_model_summary summary = vt_model_summary_of(model);
        *report = (vt_onnx_rewrite_report){
            .nodes = summary.nodes, .parameters = summary.parameters, .file_bytes = file.length};
    }
    vt_model_free(model);
    vt_buf_deinit(&file);
    return status;
}
