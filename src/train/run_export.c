/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model file that a run ends in: the network with the trained weights, its pixel contract, the
 * names of its classes, the recipe, and a golden picture. It is opened and run as an encoder before
 * it takes its place.
 */
#include "train/objective.h"
#include "train/run_state.h"

#include "base/file.h"
#include "nn/weights.h"

#include <stdio.h>

enum { FILE_BYTES = 0x7fffffff, TEXT_BYTES = 64 << 20 };

const char *vt_run_fitting_output(const vt_run_state *run, size_t head, const vt_model_heads *heads)
{
    const char *const *labels = vt_run_labels(run, head);
    const vt_model_head *found = vt_model_heads_find(heads, run->heads.items[head].name);
    if (found == NULL || found->label_count != vt_run_classes(run, head) ||
        found->several != run->heads.items[head].several)
        return NULL;
    for (size_t i = 0; i < found->label_count; i++)
        if (!vt_text_equal(vt_json_text(vt_json_at(found->labels, i), NULL), labels[i]))
            return NULL;
    return found->output;
}

static void put_labels(const vt_run_state *run, size_t head, const char *key,
                       vt_json_writer *writer)
{
    const char *const *labels = vt_run_labels(run, head);
    vt_json_open_array(writer, key);
    for (size_t i = 0; i < vt_run_classes(run, head); i++)
        vt_json_put_text(writer, NULL, labels[i]);
    vt_json_close(writer);
}

static void put_heads(const vt_run_state *run, vt_json_writer *writer)
{
    vt_json_open_array(writer, NULL);
    for (size_t h = 0; h < run->heads.count; h++) {
        const vt_head_plan *head = &run->heads.items[h];
        vt_json_open_object(writer, NULL);
        vt_json_put_text(writer, "name", head->name);
        if (head->scores)
            vt_json_put_text(writer, "output", head->output);
        vt_json_put_bool(writer, "several", head->several);
        put_labels(run, h, "labels", writer);
        vt_json_close(writer);
    }
    vt_json_close(writer);
}

/* One list of names, or of each head its own. */
static vt_status set_labels(const vt_run_state *run, vt_buf *file, vt_error *error)
{
    const char *key = run->heads.named ? VT_METADATA_HEADS : VT_METADATA_LABELS;
    vt_buf text;
    vt_json_writer writer;
    vt_buf_init(&text, TEXT_BYTES);
    vt_json_begin(&writer, &text, false);
    if (run->heads.named)
        put_heads(run, &writer);
    else
        put_labels(run, 0, NULL, &writer);
    vt_status status = text.failed ? vt_fail_memory(error, "the names of classes")
                                   : vt_onnx_set_metadata(file, key, text.data, error);
    /* The file that was gone on from may have had several. */
    if (status == VT_OK && !run->heads.named &&
        vt_model_metadata(run->network, VT_METADATA_HEADS) != NULL)
        status = vt_onnx_set_metadata(file, VT_METADATA_HEADS, "[]", error);
    vt_buf_deinit(&text);
    return status;
}

static vt_status set_recipe(const vt_run_state *run, vt_buf *file, vt_error *error)
{
    vt_buf text;
    vt_json_writer writer;
    vt_buf_init(&text, TEXT_BYTES);
    vt_json_begin(&writer, &text, false);
    vt_json_open_object(&writer, NULL);
    vt_recipe_print_public(run->recipe, &writer);
    vt_json_close(&writer);
    vt_status status = text.failed
                           ? vt_fail_memory(error, "the recipe")
                           : vt_onnx_set_metadata(file, VT_METADATA_RECIPE, text.data, error);
    vt_buf_deinit(&text);
    return status;
}

static vt_status set_contract(const vt_run_state *run, vt_buf *file, vt_error *error)
{
    vt_contract contract = run->contract;
    vt_buf text;
    snprintf(contract.output, sizeof(contract.output), "%s", run->embedding);
    contract.pool = run->pooled;
    contract.normalize = true;
    vt_buf_init(&text, TEXT_BYTES);
    vt_status status = vt_contract_print(&contract, &text, error);
    if (status == VT_OK)
        status = vt_onnx_set_metadata(file, VT_METADATA_CONTRACT, text.data, error);
    vt_buf_deinit(&text);
    return status;
}

static vt_status write_model(vt_run_state *run, const vt_run_weights *weights, vt_buf *file,
                             vt_error *error)
{
    vt_model *model = NULL;
    const char *outputs[VT_HEADS_MAX + 1];
    size_t count = vt_run_outputs(run, outputs);
    vt_status status = vt_run_network_with(run, weights, &model, error);
    if (status == VT_OK)
        status = vt_model_prune(model, outputs, count, error);
    if (status == VT_OK)
        status = vt_model_write(model, file, error);
    vt_model_free(model);
    if (status == VT_OK)
        status = set_labels(run, file, error);
    if (status == VT_OK)
        status = set_recipe(run, file, error);
    return status == VT_OK ? set_contract(run, file, error) : status;
}

vt_status vt_run_export(vt_run_state *run, const vt_run_weights *weights, vt_error *error)
{
    vt_buf file;
    vt_buf_init(&file, FILE_BYTES);
    vt_status status = write_model(run, weights, &file, error);
    if (status == VT_OK)
        status = vt_encoder_pack_file(run->options->out, &file, error);
    if (status == VT_OK)
        status = vt_file_replace(run->options->out, file.data, file.length, true, error);
    vt_buf_deinit(&file);
    return status == VT_OK
               ? VT_OK
               : vt_fail_context(error, status, "write model \"%s\"", run->options->out);
}
