/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going on from a network in a file.
 *
 * Heads that fit stay: a classifier of the same classes, an embedding of the wanted dimension. For
 * the others new ones read the features, which is what the file's own head or classifier reads; a
 * classifier that is imprinted reads the embedding.
 * Weights of half precision are trained as f32. Pixels are as the file's contract says, or as a
 * preset, but for their size.
 */
#include "train/run_state.h"

#include "encoder/architecture.h"
#include "nn/weights.h"
#include "train/objective.h"

#include <string.h>

/* What of the file is used. */
typedef struct adoption {
    vt_model *model;
    const char *feature;   /* value that new heads read */
    const char *embedding; /* value that is the embedding; NULL: the feature is */
    vt_shape feature_shape;
    int embedding_dim; /* 0: there is no (N, dim) but the feature */
    bool keeps_embedding, keeps_scores[VT_HEADS_MAX];
} adoption;

vt_status vt_run_shape_of(const vt_model *model, const char *value, int size, vt_shape *out,
                          vt_error *error)
{
    vt_session *session = NULL;
    vt_session_options options = vt_session_options_defaults();
    const vt_shape picture = vt_shape_of(4, (int64_t[]){1, 3, size, size});
    options.outputs = &value;
    options.output_count = 1;
    vt_status status = vt_session_new(model, &options, &session, error);
    if (status == VT_OK)
        status = vt_session_output_shapes(session, &picture, 1, out, error);
    vt_session_free(session);
    return status;
}

/* ---- pixels ---- */

/* Colours as the contract says; how pictures are cut and their size are the recipe's. */
static void take_colours(vt_pixel_spec *spec, const vt_pixel_spec *from)
{
    spec->order = from->order;
    spec->scale = from->scale;
    memcpy(spec->mean, from->mean, sizeof(spec->mean));
    memcpy(spec->std, from->std, sizeof(spec->std));
}

static vt_status adopt_contract(vt_run_state *run, const vt_model *model, vt_error *error)
{
    const char *text = vt_model_metadata(model, VT_METADATA_CONTRACT);
    vt_contract contract;
    vt_status status = VT_OK;
    if (run->recipe->preset != NULL) {
        status = vt_contract_preset(run->recipe->preset, &contract, error);
        if (status == VT_OK)
            take_colours(&run->contract.pixels, &contract.pixels);
    } else if (text != NULL) { /* pixels as the file is used to, but their size */
        status = vt_contract_parse(text, strlen(text), &contract, error);
        if (status == VT_OK) {
            contract.pixels.width = run->contract.pixels.width;
            contract.pixels.height = run->contract.pixels.height;
            run->contract = contract;
        }
    }
    return status;
}

/* ---- heads ---- */

/* Scores that stay: of the very labels that the head learns, in the value that it writes. */
static vt_status choose_scores(const vt_run_state *run, adoption *file, vt_error *error)
{
    vt_model_heads heads;
    vt_status status = vt_model_heads_read(file->model, &heads, error);
    for (size_t h = 0; status == VT_OK && h < run->heads.count; h++) {
        const char *output = vt_run_fitting_output(run, h, &heads);
        file->keeps_scores[h] = run->heads.items[h].scores && output != NULL &&
                                strcmp(output, run->heads.items[h].output) == 0;
    }
    vt_model_heads_deinit(&heads);
    return status;
}

static vt_status choose_values(const vt_run_state *run, adoption *file, vt_error *error)
{
    const char *named = run->contract.output[0] != '\0' ? run->contract.output : NULL;
    vt_shape shape = {0};
    vt_status status = VT_OK;
    int size = (int)run->recipe->size;
    file->feature = vt_model_has_value(file->model, "features") ? "features" : named;
    if (file->feature == NULL)
        file->feature = vt_model_feature_output(file->model);
    if (file->feature == NULL)
        file->feature = vt_model_output(file->model, 0).name;
    if (named != NULL && strcmp(named, file->feature) != 0)
        file->embedding = named;
    status = vt_run_shape_of(file->model, file->feature, size, &file->feature_shape, error);
    if (status == VT_OK && file->feature_shape.rank != 2 && file->feature_shape.rank != 4)
        status = vt_fail(error, VT_ERR_UNSUPPORTED,
                         "train from \"%s\": its value \"%s\" has %d axes, 2 or 4 are needed",
                         run->recipe->from, file->feature, file->feature_shape.rank);
    if (status == VT_OK && file->embedding != NULL)
        status = vt_run_shape_of(file->model, file->embedding, size, &shape, error);
    file->embedding_dim = file->embedding != NULL && shape.rank == 2 ? (int)shape.dims[1] : 0;
    file->keeps_embedding = file->embedding != NULL &&
                            (run->recipe->dim == 0 || (double)shape.dims[1] == run->recipe->dim);
    return status == VT_OK ? choose_scores(run, file, error) : status;
}

static vt_status extend(vt_run_state *run, const adoption *file, vt_architecture_options *options,
                        vt_error *error)
{
    const char *keep[1 + VT_HEADS_MAX];
    vt_extension from = {.feature = file->feature, .shape = file->feature_shape, .keep = keep};
    if (file->keeps_embedding)
        keep[from.keep_count++] = file->embedding;
    if (file->keeps_embedding && file->embedding_dim > 0 && options->unit_classes) {
        from.scored = file->embedding;
        from.scored_width = file->embedding_dim;
    }
    for (size_t h = 0; h < run->heads.count; h++)
        if (file->keeps_scores[h])
            keep[from.keep_count++] = run->heads.items[h].output;
    if (options->classes == 0 && options->heads == NULL && options->dim == 0)
        return vt_model_dup(file->model, &run->network, error);
    return vt_architecture_extend(file->model, &from, options, &run->network, error);
}

static vt_status add_heads(vt_run_state *run, const adoption *file, vt_error *error)
{
    vt_architecture_options options = vt_architecture_options_defaults();
    char *heads = NULL;
    vt_status status = vt_run_list_heads(run, file->keeps_scores, &heads, error);
    if (status != VT_OK)
        return status;
    options.seed = (uint64_t)run->recipe->seed;
    options.dropout = run->recipe->dropout;
    options.heads = heads;
    if (!run->heads.named && run->heads.items[0].scores && !file->keeps_scores[0])
        options.classes = (int)run->data->label_count;
    options.dim = file->keeps_embedding ? 0 : (int)run->recipe->dim;
    options.fuse = (int)run->recipe->fuse;
    options.unit_classes = run->recipe->imprint > 0;
    if (strcmp(run->recipe->pooling, "gem") == 0)
        options.pooling = VT_POOLING_GEM;
    status = extend(run, file, &options, error);
    vt_free(heads);
    return status;
}

static vt_status adopt(vt_run_state *run, adoption *file, vt_error *error)
{
    vt_status status = choose_values(run, file, error);
    if (status == VT_OK)
        status = add_heads(run, file, error);
    if (status != VT_OK)
        return status;
    const char *embedding = file->feature;
    if (file->keeps_embedding)
        embedding = file->embedding;
    else if (run->recipe->dim > 0)
        embedding = "embedding";
    run->pooled = embedding == file->feature && file->feature_shape.rank == 4;
    run->embedding = vt_strdup(embedding);
    if (run->embedding == NULL)
        return vt_fail_memory(error, "a network");
    return run->recipe->imprint > 0 ? vt_run_imprint(run, file->keeps_scores, error) : VT_OK;
}

vt_status vt_run_adopt(vt_run_state *run, vt_error *error)
{
    vt_model *opened = NULL;
    adoption file = {0};
    int64_t size = (int64_t)run->recipe->size;
    const vt_shape pictures = vt_shape_of(4, (int64_t[]){-1, 3, size, size});
    vt_model_limits limits = vt_model_limits_defaults();
    vt_status status = vt_encoder_model_open(run->recipe->from, &limits, &opened, error);
    if (status == VT_OK)
        status = adopt_contract(run, opened, error);
    if (status == VT_OK)
        status = vt_model_dup(opened, &file.model, error);
    if (status == VT_OK)
        status = vt_model_reshape(file.model, 0, &pictures, error);
    if (status == VT_OK)
        status = vt_model_widen(file.model, error);
    if (status == VT_OK)
        status = adopt(run, &file, error);
    vt_model_free(file.model);
    vt_model_free(opened);
    return status;
}
