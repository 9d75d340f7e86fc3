/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loss behind a run's network, and what it is fed.
 *
 * Mixed pictures (mixup, CutMix) have two labels, so the loss gets shares of classes. For losses
 * that compare views of one picture a label is the picture's place in the batch: the run puts the
 * two views side by side.
 */
#include "train/objective.h"

#include "nn/builder.h"

#include <string.h>

static bool is_mixed(const vt_recipe *recipe)
{
    return recipe->augmentation.mixup > 0 || recipe->augmentation.cutmix > 0;
}

vt_status vt_objective_parse(const vt_recipe *recipe, vt_loss *out, vt_error *error)
{
    vt_loss loss;
    unsigned taught = VT_LOSS_TEACHER_LOGITS | VT_LOSS_TEACHER_EMBEDDING;
    vt_status status = vt_loss_parse(recipe->loss, &loss, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "recipe");
    if ((loss.needs & taught) != 0 && recipe->teacher == NULL)
        return vt_fail(error, VT_ERR_USAGE, "recipe: \"loss\" wants a \"teacher\"");
    if ((loss.needs & taught) == 0 && recipe->teacher != NULL)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: there is a \"teacher\", but no \"loss\" that learns from it");
    if (is_mixed(recipe) && (loss.needs & (VT_LOSS_EMBEDDING | VT_LOSS_INSTANCES)) != 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"augment\" mixes pictures, which \"loss\" cannot tell apart");
    if ((loss.needs & VT_LOSS_INSTANCES) != 0 && (uint64_t)recipe->batch % 2 != 0)
        return vt_fail(error, VT_ERR_USAGE,
                       "recipe: \"batch\" has to be even, \"loss\" compares two views of each "
                       "photo");
    *out = loss;
    return VT_OK;
}

/* ---- the nodes ---- */

static vt_value_id add_input(struct vt_objective *objective, vt_builder *builder, const char *name,
                             vt_dtype dtype, int columns, int *place)
{
    const vt_shape shape = vt_shape_of(columns > 0 ? 2 : 1, (int64_t[]){-1, columns});
    *place = (int)objective->input_count++;
    return vt_builder_input(builder, name, dtype, &shape);
}

/* (N, dim) of what is to be an embedding. */
static vt_value_id embedding_of(const vt_run_state *run, vt_builder *builder)
{
    vt_value_id x = vt_builder_find(builder, run->embedding);
    if (!run->pooled)
        return x;
    x = vt_builder_node(builder, "GlobalAveragePool", NULL, &x, 1);
    return vt_builder_node(builder, "Flatten", "axis=1", &x, 1);
}

static vt_status add_nodes(vt_run_state *run, vt_builder *builder, int teacher_dim)
{
    struct vt_objective *objective = run->objective;
    unsigned needs = objective->loss.needs;
    int classes = (int)run->data->label_count;
    bool targets = is_mixed(run->recipe) || (needs & VT_LOSS_TARGETS) != 0;
    vt_loss_inputs inputs = vt_loss_inputs_defaults();
    vt_value_id scalar = VT_NO_VALUE;
    inputs.classes = classes;
    inputs.dim = (int)run->dim;
    inputs.teacher_dim = teacher_dim;
    inputs.seed = (uint64_t)run->recipe->seed;
    if (run->score_count > 0)
        inputs.logits = vt_builder_find(builder, run->scores[0]);
    if ((needs & VT_LOSS_EMBEDDING) != 0)
        inputs.embedding = embedding_of(run, builder);
    if ((needs & VT_LOSS_LABELS) != 0 && !targets)
        inputs.labels = add_input(objective, builder, "labels", VT_I64, 0, &objective->label_input);
    if (targets)
        inputs.targets =
            add_input(objective, builder, "targets", VT_F32, classes, &objective->target_input);
    if (targets && (needs & VT_LOSS_EMBEDDING) != 0)
        inputs.labels = add_input(objective, builder, "labels", VT_I64, 0, &objective->label_input);
    if ((needs & VT_LOSS_TEACHER_LOGITS) != 0)
        inputs.teacher_logits = add_input(objective, builder, "teacher_logits", VT_F32, classes,
                                          &objective->teacher_score_input);
    if ((needs & VT_LOSS_TEACHER_EMBEDDING) != 0)
        inputs.teacher_embedding = add_input(objective, builder, "teacher_embedding", VT_F32,
                                             teacher_dim, &objective->teacher_vector_input);
    vt_loss_add(builder, &objective->loss, &inputs, &scalar);
    vt_builder_output(builder, VT_OBJECTIVE_LOSS, scalar);
    return VT_OK;
}

static vt_status make_room(vt_run_state *run, vt_error *error)
{
    struct vt_objective *objective = run->objective;
    size_t batch = (size_t)run->recipe->batch, count;
    objective->labels = vt_calloc(batch, sizeof(*objective->labels));
    if (objective->target_input >= 0 && vt_size_mul(batch, run->data->label_count, &count))
        objective->targets = vt_calloc(count, sizeof(float));
    return objective->labels == NULL || (objective->target_input >= 0 && objective->targets == NULL)
               ? vt_fail_memory(error, "labels")
               : VT_OK;
}

vt_status vt_objective_add(vt_run_state *run, vt_error *error)
{
    vt_builder *builder = NULL;
    int teacher_dim = 0;
    run->objective = vt_calloc(1, sizeof(*run->objective));
    if (run->objective == NULL)
        return vt_fail_memory(error, "a loss");
    struct vt_objective *objective = run->objective;
    objective->label_input = objective->target_input = -1;
    objective->teacher_score_input = objective->teacher_vector_input = -1;
    objective->input_count = 1;
    vt_status status = vt_objective_parse(run->recipe, &objective->loss, error);
    if (status == VT_OK && run->recipe->teacher != NULL)
        status =
            vt_teacher_open(run, objective->loss.needs, &objective->teacher, &teacher_dim, error);
    if (status == VT_OK)
        status = vt_builder_from(run->network, &builder, error);
    if (status == VT_OK) {
        vt_builder_renew(builder);
        add_nodes(run, builder, teacher_dim);
        status = vt_builder_finish(builder, &run->model, error);
    }
    return status == VT_OK ? make_room(run, error) : status;
}

void vt_objective_remove(vt_run_state *run)
{
    struct vt_objective *objective = run->objective;
    if (objective == NULL)
        return;
    vt_teacher_close(objective->teacher);
    vt_free(objective->labels);
    vt_free(objective->targets);
    vt_free(objective);
    run->objective = NULL;
}

/* ---- a step ---- */

static void fill_labels(const vt_run_state *run, const vt_batch *batch)
{
    const struct vt_objective *objective = run->objective;
    bool instances = (objective->loss.needs & VT_LOSS_INSTANCES) != 0;
    size_t classes = run->data->label_count;
    for (size_t i = 0; i < batch->count; i++)
        objective->labels[i] =
            instances ? (int64_t)i / 2 : run->data->examples[batch->order[i]].label;
    if (objective->targets == NULL)
        return;
    memset(objective->targets, 0, batch->count * classes * sizeof(float));
    for (size_t i = 0; i < batch->count; i++) {
        float *row = objective->targets + i * classes;
        uint32_t other = batch->order[batch->count - 1 - i];
        row[run->data->examples[batch->order[i]].label] += batch->share;
        row[run->data->examples[other].label] += 1 - batch->share;
    }
}

static vt_tensor tensor_over(vt_dtype dtype, int rank, const int64_t *dims, const void *data)
{
    vt_tensor tensor = {.dtype = dtype, .shape = vt_shape_of(rank, dims)};
    size_t count = 0;
    vt_shape_count(&tensor.shape, &count);
    tensor.bytes = count * vt_dtype_bytes(dtype);
    tensor.data = (void *)(uintptr_t)data; /* only read */
    return tensor;
}

vt_status vt_objective_inputs(vt_run_state *run, const vt_batch *batch, vt_tensor *inputs,
                              size_t *count, vt_error *error)
{
    const struct vt_objective *objective = run->objective;
    const vt_pixel_spec *spec = &run->contract.pixels;
    int64_t rows = (int64_t)batch->count, classes = (int64_t)run->data->label_count;
    vt_status status = VT_OK;
    fill_labels(run, batch);
    inputs[0] =
        tensor_over(VT_F32, 4, (int64_t[]){rows, 3, spec->height, spec->width}, batch->pixels);
    if (objective->label_input >= 0)
        inputs[objective->label_input] = tensor_over(VT_I64, 1, &rows, objective->labels);
    if (objective->target_input >= 0)
        inputs[objective->target_input] =
            tensor_over(VT_F32, 2, (int64_t[]){rows, classes}, objective->targets);
    if (objective->teacher != NULL) {
        vt_tensor unused[2];
        status = vt_teacher_run(
            objective->teacher, run, batch,
            objective->teacher_score_input >= 0 ? &inputs[objective->teacher_score_input]
                                                : &unused[0],
            objective->teacher_vector_input >= 0 ? &inputs[objective->teacher_vector_input]
                                                 : &unused[1],
            error);
    }
    *count = objective->input_count;
    return status;
}
