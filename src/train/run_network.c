/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run trains: a network by name or out of a file, a loss behind it, the optimiser over its
 * weights.
 *
 * Weights that are multiplied with in bulk decay, biases and norms do not (He et
 * al. 2019, "Bag of Tricks"). With layer rates each stage learns slower than the next one by the
 * factor (Howard and Ruder 2018).
 */
#include "train/run_state.h"

#include "encoder/architecture.h"
#include "nn/builder.h"
#include "nn/weights.h"
#include "train/adapter.h"
#include "train/freeze.h"
#include "train/objective.h"

#include <math.h>
#include <string.h>

/* ---- the network ---- */

/* "name:classes,..." of the named heads of classes, but for those that are kept; *out NULL: none.
 */
vt_status vt_run_list_heads(const vt_run_state *run, const bool *kept, char **out, vt_error *error)
{
    vt_buf text;
    vt_buf_init(&text, 1 << 16);
    *out = NULL;
    for (size_t h = 0; run->heads.named && h < run->heads.count; h++)
        if (run->heads.items[h].scores && !kept[h])
            vt_buf_printf(&text, "%s%s:%zu", text.length > 0 ? "," : "", run->heads.items[h].id,
                          vt_run_classes(run, h));
    bool failed = text.failed;
    if (!failed && text.length > 0) {
        *out = vt_buf_take(&text, NULL);
        return *out != NULL ? VT_OK : vt_fail_memory(error, "a network");
    }
    vt_buf_deinit(&text);
    return failed ? vt_fail_memory(error, "a network") : VT_OK;
}

static vt_status from_architecture(vt_run_state *run, vt_error *error)
{
    static const bool none[VT_HEADS_MAX];
    const vt_recipe *recipe = run->recipe;
    char *heads = NULL;
    vt_architecture_options options = vt_architecture_options_defaults();
    options.size = (int)recipe->size;
    options.width = recipe->width;
    options.small_input = recipe->small_input;
    options.identity = recipe->identity;
    options.activation = recipe->activate;
    options.seed = (uint64_t)recipe->seed;
    options.dropout = recipe->dropout;
    options.stochastic_depth = recipe->depth;
    if (!run->heads.named && run->heads.items[0].scores)
        options.classes = (int)run->data->label_count;
    options.dim = (int)recipe->dim;
    if ((run->heads.needs & VT_LOSS_EMBEDDING) != 0 && options.dim == 0)
        options.dim = VT_OBJECTIVE_DIM;
    options.fuse = (int)recipe->fuse;
    if (strcmp(recipe->pooling, "gem") == 0)
        options.pooling = VT_POOLING_GEM;
    vt_status status = vt_run_list_heads(run, none, &heads, error);
    if (status != VT_OK)
        return status;
    options.heads = heads;
    status = vt_architecture_build(recipe->arch, &options, &run->network, error);
    vt_free(heads);
    if (status != VT_OK)
        return vt_fail_context(error, status, "build \"%s\"", recipe->arch);
    run->embedding = vt_strdup(options.dim > 0 ? "embedding" : "features");
    run->pooled = options.dim == 0;
    return run->embedding == NULL ? vt_fail_memory(error, "a network") : VT_OK;
}

/* ---- the weights ---- */

static bool is_whitened(const vt_run_state *run, const char *name)
{
    return run->whitened != NULL && strcmp(run->whitened, name) == 0;
}

/* What of the network with its loss is trained: names (*count), borrowed from the model. */
static vt_status select_weights(vt_run_state *run, vt_selection *selection, const char ***names,
                                size_t *count, vt_error *error)
{
    const char *freeze = run->recipe->freeze;
    if (freeze == NULL && run->recipe->lora > 0)
        freeze = "all-but-adapters";
    vt_status status =
        vt_selection_init(selection, run->model, freeze, run->recipe->layer_rate, error);
    if (status != VT_OK)
        return status;
    *names = vt_calloc(selection->trained_count + 1, sizeof(**names));
    if (*names == NULL)
        return vt_fail_memory(error, "the weights to train");
    for (size_t i = 0; i < selection->count; i++)
        if (selection->items[i].trained && !is_whitened(run, selection->items[i].name))
            (*names)[(*count)++] = selection->items[i].name;
    return VT_OK;
}

static const vt_selected *find_selected(const vt_selection *selection, const char *name)
{
    for (size_t i = 0; i < selection->count; i++)
        if (strcmp(selection->items[i].name, name) == 0)
            return &selection->items[i];
    return NULL;
}

static vt_status make_optimizer(vt_run_state *run, const vt_selection *selection, vt_error *error)
{
    size_t count = run->parameter_count;
    vt_weights *weights = vt_calloc(count + 1, sizeof(*weights));
    run->gradients = vt_calloc(count + 1, sizeof(*run->gradients));
    vt_status status =
        weights == NULL || run->gradients == NULL ? vt_fail_memory(error, "an optimizer") : VT_OK;
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        vt_parameter parameter = vt_training_parameter(run->training, i);
        const vt_selected *one = find_selected(selection, parameter.name);
        weights[i] = (vt_weights){.value = parameter.value, .count = parameter.count, .rate = 1};
        if (one != NULL) {
            weights[i].rate = (float)one->rate;
            if (one->role == VT_WEIGHT_NORM_BIAS)
                weights[i].rate *= (float)run->recipe->bias_rate;
            weights[i].decay = one->role == VT_WEIGHT_KERNEL;
        }
        run->parameter_numbers += parameter.count;
    }
    if (status == VT_OK)
        status = vt_optimizer_new(&run->recipe->optimize, weights, count, run->pool,
                                  &run->optimizer, error);
    vt_free(weights);
    return status;
}

static vt_status make_average(vt_run_state *run, vt_error *error)
{
    size_t count = run->parameter_count + run->state_count;
    if (run->recipe->ema <= 0)
        return VT_OK;
    vt_ema_array *arrays = vt_calloc(count + 1, sizeof(*arrays));
    if (arrays == NULL)
        return vt_fail_memory(error, "a moving average");
    for (size_t i = 0; i < count; i++)
        arrays[i] = (vt_ema_array){vt_run_value(run, i), vt_run_value_length(run, i)};
    vt_status status = vt_ema_new(run->recipe->ema, arrays, count, &run->ema, error);
    vt_free(arrays);
    return status;
}

static vt_status make_training(vt_run_state *run, vt_error *error)
{
    vt_training_options options = vt_training_options_defaults();
    vt_selection selection = {0};
    const char **names = NULL;
    size_t count = 0;
    vt_status status = select_weights(run, &selection, &names, &count, error);
    options.loss = VT_OBJECTIVE_LOSS;
    options.parameters = names;
    options.parameter_count = count;
    options.precision = run->recipe->compute;
    options.threads = (int)run->recipe->threads;
    options.seed = (uint64_t)run->recipe->seed;
    options.recompute = run->recipe->recompute;
    options.winograd =
        true; /* what it loses is far less than what a batch's choice of photos does */
    /* Statistics of frozen layers are those that their weights were trained with. */
    options.frozen_statistics = run->recipe->lora > 0 || run->recipe->freeze != NULL;
    if (status == VT_OK)
        status = vt_training_new(run->model, &options, &run->training, error);
    if (status == VT_OK) {
        run->parameter_count = vt_training_parameter_count(run->training);
        run->state_count = vt_training_state_count(run->training);
        status = make_optimizer(run, &selection, error);
    }
    vt_free(names);
    vt_selection_deinit(&selection);
    return status;
}

/* Instead of the weights, small changes of them are trained. */
static vt_status add_adapters(vt_run_state *run, vt_error *error)
{
    vt_adapter_options options = vt_adapter_options_defaults();
    vt_model *adapted = NULL;
    size_t count = 0;
    options.rank = (int)run->recipe->lora;
    options.seed = (uint64_t)run->recipe->seed;
    vt_status status = vt_adapter_add(run->network, &options, &adapted, &count, error);
    if (status != VT_OK)
        return status;
    vt_model_free(run->network);
    run->network = adapted;
    return VT_OK;
}

/* ---- the size of the first epochs ---- */

/* Pictures grow while the network learns: small ones cost less and teach much of what large ones do
 * (progressive resizing, Howard 2018; Tan and Le 2021, "EfficientNetV2", section 4). */
static vt_status open_sides(vt_run_state *run, vt_error *error)
{
    const vt_shape pictures = vt_shape_of(4, (int64_t[]){-1, 3, -1, -1});
    int size = (int)run->recipe->first_size;
    vt_model *network = NULL;
    vt_shape shape;
    if (run->recipe->first_epochs == 0)
        return VT_OK;
    vt_status status = vt_model_dup(run->network, &network, error);
    if (status == VT_OK)
        status = vt_model_reshape(network, 0, &pictures, error);
    if (status == VT_OK)
        status = vt_run_shape_of(network, run->embedding, size, &shape, error);
    if (status == VT_OK && (size_t)shape.dims[1] != run->dim)
        status = vt_fail(error, VT_ERR_UNSUPPORTED, "its embedding would have %zu numbers, not %zu",
                         (size_t)shape.dims[1], run->dim);
    vt_model_free(network);
    if (status != VT_OK)
        return vt_fail_context(
            error, status, "train: the network takes no pictures of %d px (\"first_size\")", size);
    return vt_model_reshape(run->model, 0, &pictures, error);
}

vt_status vt_run_build(vt_run_state *run, vt_error *error)
{
    vt_shape shape;
    vt_status status =
        run->recipe->from != NULL ? vt_run_adopt(run, error) : from_architecture(run, error);
    if (status == VT_OK && run->recipe->whiten)
        status = vt_run_whiten(run, error);
    if (status == VT_OK)
        status =
            vt_run_shape_of(run->network, run->embedding, (int)run->recipe->size, &shape, error);
    if (status == VT_OK)
        run->dim = (size_t)shape.dims[1];
    if (status == VT_OK && run->recipe->lora > 0)
        status = add_adapters(run, error);
    if (status == VT_OK)
        status = vt_objective_add(run, error);
    if (status == VT_OK)
        status = open_sides(run, error);
    if (status == VT_OK)
        status = make_training(run, error);
    if (status == VT_OK)
        status = make_average(run, error);
    return status == VT_OK ? vt_sam_begin(run, error) : status;
}

void vt_run_unbuild(vt_run_state *run)
{
    vt_free(run->sam_kept);
    vt_ema_free(run->ema);
    vt_optimizer_free(run->optimizer);
    vt_training_free(run->training);
    vt_objective_remove(run);
    vt_model_free(run->model);
    vt_model_free(run->network);
    vt_free(run->embedding);
    vt_free(run->whitened);
    vt_free(run->gradients);
}

/* ---- values ---- */

vt_parameter vt_run_parameter(const vt_run_state *run, size_t index)
{
    return index < run->parameter_count
               ? vt_training_parameter(run->training, index)
               : vt_training_state(run->training, index - run->parameter_count);
}

float *vt_run_value(vt_run_state *run, size_t index)
{
    return run->ema != NULL ? vt_ema_value(run->ema, index) : vt_run_parameter(run, index).value;
}

const char *vt_run_value_name(const vt_run_state *run, size_t index)
{
    return vt_run_parameter(run, index).name;
}

size_t vt_run_value_length(const vt_run_state *run, size_t index)
{
    return vt_run_parameter(run, index).count;
}

void vt_run_weights_deinit(vt_run_weights *weights)
{
    for (size_t i = 0; weights->values != NULL && i < weights->count; i++)
        vt_free(weights->values[i]);
    vt_free(weights->values);
    *weights = (vt_run_weights){0};
}

/* Into the memory that is there, where there is. */
vt_status vt_run_weights_copy(vt_run_state *run, vt_run_weights *out, vt_error *error)
{
    size_t count = run->parameter_count + run->state_count;
    if (out->values == NULL) {
        out->values = vt_calloc(count + 1, sizeof(*out->values));
        out->count = count;
    }
    for (size_t i = 0; out->values != NULL && i < count; i++) {
        size_t length = vt_run_value_length(run, i);
        if (out->values[i] == NULL)
            out->values[i] = vt_alloc_array(length, sizeof(float));
        if (out->values[i] == NULL)
            return vt_fail_memory(error, "a copy of the weights");
        memcpy(out->values[i], vt_run_value(run, i), length * sizeof(float));
    }
    return out->values != NULL ? VT_OK : vt_fail_memory(error, "a copy of the weights");
}

vt_status vt_run_network_with(vt_run_state *run, const vt_run_weights *weights, vt_model **out,
                              vt_error *error)
{
    vt_model *copy = NULL;
    vt_status status = vt_model_dup(run->network, &copy, error);
    size_t count = run->parameter_count + run->state_count;
    for (size_t i = 0; status == VT_OK && i < count; i++) {
        const char *name = vt_run_value_name(run, i);
        const float *values = weights != NULL ? weights->values[i] : vt_run_value(run, i);
        /* What belongs to the loss (centres of classes) stays behind. */
        if (vt_model_has_value(copy, name))
            status = vt_model_weight_write(copy, name, values, vt_run_value_length(run, i), error);
    }
    if (status == VT_OK && run->recipe->lora > 0) {
        vt_model *merged = NULL;
        status = vt_adapter_merge(copy, &merged, error);
        if (status == VT_OK) {
            vt_model_free(copy);
            copy = merged;
        }
    }
    if (status != VT_OK) {
        vt_model_free(copy);
        return status;
    }
    *out = copy;
    return VT_OK;
}
