/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measuring a model on labelled photos: they are embedded as a shop would, each looks for its
 * nearest neighbours among the others or among other data, and what classes the model itself names
 * is counted where it has a classifier of these labels.
 *
 * The exact scan is used: what is measured is the model, not an index.
 */
#include "shop/model_eval.h"

#include "base/clock.h"
#include "base/file.h"

#include <string.h>

enum { MAXIMUM_K = 1000, ARENA_BYTES = 1 << 30 };

vt_model_eval_options vt_model_eval_options_defaults(void)
{
    return (vt_model_eval_options){.k = {1, 5, 10}, .k_count = 3};
}

void vt_model_eval_report_free(vt_model_eval_report *report)
{
    if (report == NULL)
        return;
    vt_model_eval_block *block = (vt_model_eval_block *)report;
    vt_arena_deinit(&block->arena);
    vt_free(report->failed);
    vt_free(block);
}

static vt_status check_options(const vt_model_eval_options *options, vt_error *error)
{
    vt_status status = vt_eval_check_ranks(options->k, options->k_count, MAXIMUM_K, error);
    if (status != VT_OK)
        return status;
    if (options->label_count > VT_EVAL_MAX_LABELS)
        return vt_fail(error, VT_ERR_USAGE, "evaluate: %zu labels, up to %d can be measured",
                       options->label_count, VT_EVAL_MAX_LABELS);
    return VT_OK;
}

/* Better now than when all is measured. */
static vt_status check_report(const char *path, vt_error *error)
{
    size_t length = path == NULL ? 0 : (size_t)(vt_path_base(path) - path);
    if (length == 0)
        return VT_OK;
    char *folder = vt_strndup(path, length);
    if (folder == NULL)
        return vt_fail_memory(error, "a path");
    bool there = vt_dir_exists(folder);
    vt_free(folder);
    return there
               ? VT_OK
               : vt_fail(error, VT_ERR_NOT_FOUND,
                         "evaluate: the report \"%s\" cannot be written: no such directory", path);
}

static vt_status open_encoder(vt_model_evaluation *eval, const vt_init_options *choice,
                              vt_error *error)
{
    vt_encoder_options how = vt_encoder_options_defaults();
    how.preset = choice->preset;
    how.output = choice->output;
    how.unit_length = true; /* as in a shop: similarity is the cosine */
    how.scores = true;
    vt_status status = vt_precision_of(choice->precision, &how.precision, error);
    if (status == VT_OK)
        status = vt_encoder_open(choice->model == NULL ? VT_ENCODER_DEFAULT : choice->model, &how,
                                 &eval->encoder, error);
    if (status == VT_OK)
        eval->dim = vt_encoder_info_of(eval->encoder).dim;
    return status;
}

/* Which labels are read depends on the heads, so the file is looked into first. */
static vt_status read_heads(vt_model_evaluation *eval, const vt_init_options *choice,
                            vt_error *error)
{
    const char *source = choice->model == NULL ? VT_ENCODER_DEFAULT : choice->model;
    vt_model_limits limits = vt_model_limits_defaults();
    vt_model *model = NULL;
    if (strcmp(source, "classic") == 0)
        return VT_OK;
    vt_status status = vt_encoder_model_open(source, &limits, &model, error);
    if (status == VT_OK)
        status = vt_model_heads_read(model, &eval->heads, error);
    vt_model_free(model);
    eval->named = eval->heads.count > 0 && eval->heads.items[0].name[0] != '\0';
    return status;
}

static vt_status run(vt_model_evaluation *eval, const vt_init_options *choice, vt_error *error)
{
    double started = vt_clock_ms();
    vt_status status = check_report(eval->options->report, error);
    if (status == VT_OK)
        status = read_heads(eval, choice, error);
    if (status == VT_OK)
        status = vt_eval_read_data(eval, error);
    if (status == VT_OK)
        status = open_encoder(eval, choice, error);
    if (status == VT_OK)
        status = vt_eval_name_classes(eval, error);
    if (status == VT_OK)
        status = vt_eval_check_data(eval, error);
    if (status == VT_OK)
        status = vt_eval_embed(eval, error);
    if (status == VT_OK)
        status = vt_eval_check_data(eval, error);
    if (status == VT_OK)
        status = vt_eval_measure(eval, error);
    if (status == VT_OK && eval->options->report != NULL)
        status = vt_eval_write_page(eval, eval->options->report, error);
    if (status == VT_OK)
        status = vt_eval_fill_report(eval, (vt_clock_ms() - started) / 1e3, error);
    return status;
}

static void release(vt_model_evaluation *eval)
{
    for (size_t c = 0; c < eval->column_count; c++) {
        if (c == 0 || eval->columns[c].data != eval->columns[0].data)
            vt_dataset_free(eval->columns[c].data);
        vt_retrieval_free(eval->columns[c].retrieval);
    }
    vt_eval_free_classes(eval);
    vt_model_heads_deinit(&eval->heads);
    vt_encoder_free(eval->encoder);
    vt_pool_free(eval->pool);
    vt_free(eval->photos);
    vt_free(eval->vectors);
    vt_free(eval->scores);
    vt_free(eval->neighbours);
}

vt_status vt_model_eval(const vt_init_options *encoder, const char *data,
                        const vt_model_eval_options *options, vt_model_eval_report **out,
                        vt_error *error)
{
    vt_status status = check_options(options, error);
    if (status != VT_OK)
        return status;
    vt_model_evaluation eval = {.options = options, .data = data};
    eval.block = vt_calloc(1, sizeof(*eval.block));
    if (eval.block == NULL)
        return vt_fail_memory(error, "the report");
    vt_arena_init(&eval.block->arena, ARENA_BYTES);
    status = run(&eval, encoder, error);
    release(&eval);
    if (status != VT_OK) {
        vt_model_eval_report_free(&eval.block->report);
        return status;
    }
    *out = &eval.block->report;
    return VT_OK;
}
