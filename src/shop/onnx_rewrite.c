/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ONNX file written anew from what vitrine makes of it: external data inside, functions inlined,
 * and nothing in it that vitrine does not know; if wanted, with a second look at every picture or
 * for pictures of another size.
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

enum { CONTRACT_BYTES = 64 << 10 };

vt_onnx_rewrite_options vt_onnx_rewrite_options_defaults(void)
{
    return (vt_onnx_rewrite_options){0};
}

/* An encoder or another network on its way, and the contract that is in it: read where it is going
 * to be another one. */
typedef struct rewriting {
    vt_model *model;
    vt_contract contract;
} rewriting;

static bool has_contract(const rewriting *work)
{
    return vt_model_metadata(work->model, VT_METADATA_CONTRACT) != NULL;
}

static vt_status read_contract(rewriting *work, vt_error *error)
{
    const char *text = vt_model_metadata(work->model, VT_METADATA_CONTRACT);
    return text == NULL ? VT_OK : vt_contract_parse(text, strlen(text), &work->contract, error);
}

/* Pictures are fitted to another square from here on. */
static vt_status resize(rewriting *work, int64_t size, vt_error *error)
{
    vt_pixel_spec *pixels = &work->contract.pixels;
    if (size < 1 || size > VT_CONTRACT_SIDE_MOST)
        return vt_fail(error, VT_ERR_USAGE, "pictures of %lld px: 1 to %d are possible",
                       (long long)size, VT_CONTRACT_SIDE_MOST);
    if (!has_contract(work) || vt_model_input_count(work->model) == 0)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "set the size of its pictures: it does not say how it takes them");
    if (pixels->width != pixels->height)
        return vt_fail(error, VT_ERR_UNSUPPORTED,
                       "set the size of its pictures: they are %d x %d, not square", pixels->width,
                       pixels->height);
    vt_shape shape = vt_model_input(work->model, 0).shape;
    shape.dims[2] = shape.dims[3] = size;
    pixels->width = pixels->height = (int)size;
    return vt_model_reshape(work->model, 0, &shape, error);
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
static vt_status add_views(rewriting *work, const vt_view_options *views, vt_error *error)
{
    size_t count = vt_model_output_count(work->model);
    vt_model *viewing = NULL;
    const char **outputs = vt_alloc_array(count + 1, sizeof(*outputs));
    if (outputs == NULL)
        return vt_fail_memory(error, "the outputs of a network");
    for (size_t i = 0; i < count; i++)
        outputs[i] = vt_model_output(work->model, i).name;
    const char *hidden = hidden_output(work->model, &work->contract);
    if (hidden != NULL)
        outputs[count++] = hidden;
    vt_status status = vt_model_with_views(work->model, views, outputs, count, &viewing, error);
    vt_free(outputs);
    if (status == VT_OK) {
        vt_model_free(work->model);
        work->model = viewing;
    }
    return status;
}

static vt_status put_contract(const vt_contract *contract, vt_buf *file, vt_error *error)
{
    vt_buf text;
    vt_buf_init(&text, CONTRACT_BYTES);
    vt_status status = vt_contract_print(contract, &text, error);
    if (status == VT_OK)
        status = vt_onnx_set_metadata(file, VT_METADATA_CONTRACT, vt_buf_text(&text), error);
    vt_buf_deinit(&text);
    return status;
}

vt_status vt_onnx_rewrite(const char *path, const char *out, const vt_onnx_rewrite_options *options,
                          vt_onnx_rewrite_report *report, vt_error *error)
{
    const vt_onnx_rewrite_options how =
        options != NULL ? *options : vt_onnx_rewrite_options_defaults();
    const vt_view_options views = {.mirror = how.mirror, .shift = how.shift};
    bool several = views.mirror || views.shift != 0, changed = several || how.size != 0;
    rewriting work = {0};
    vt_buf file;
    vt_buf_init(&file, VT_ONNX_FILE_MAXIMUM);
    vt_status status = vt_model_open(path, NULL, &work.model, error);
    if (status == VT_OK && changed)
        status = read_contract(&work, error);
    if (status == VT_OK && how.size != 0)
        status = resize(&work, how.size, error);
    if (status == VT_OK && several)
        status = add_views(&work, &views, error);
    if (status == VT_OK)
        status = vt_model_write(work.model, &file, error);
    if (status == VT_OK && how.size != 0)
        status = put_contract(&work.contract, &file, error);
    if (status == VT_OK && changed && has_contract(&work))
        status = vt_encoder_pack_file(out, &file, error);
    if (status != VT_OK)
        vt_fail_context(error, status, "export \"%.200s\"", path);
    if (status == VT_OK)
        status = vt_file_replace(out, file.data, file.length, true, error);
    if (status == VT_OK && report != NULL) {
        vt_model_summary summary = vt_model_summary_of(work.model);
        *report = (vt_onnx_rewrite_report){
            .nodes = summary.nodes, .parameters = summary.parameters, .file_bytes = file.length};
    }
    vt_model_free(work.model);
    vt_buf_deinit(&file);
    return status;
}
