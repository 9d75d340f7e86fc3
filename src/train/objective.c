/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loss behind a run's network, and what it is fed: the sum of a part for each head and one for
 * what belongs to none.
 *
 * Mixed pictures (mixup, CutMix) have two labels, so the loss gets shares of classes. For losses
 * that compare views of one picture a label is the picture's place in the batch: the run puts the
 * two views side by side. A photo without a label of some head has the label -1 there, no share of
 * any class, or targets that are not known: it counts in the other parts.
 */
#include "train/objective.h"

#include "nn/builder.h"

#include <stdio.h>
#include <string.h>

static bool is_mixed(const vt_recipe *recipe)
{
    return recipe->augmentation.mixup > 0 || recipe->augmentation.cutmix > 0;
}

/* ---- the nodes ---- */

typedef struct construction {
    vt_run_state *run;
    vt_builder *builder;
    vt_value_id embedding, teacher_embedding; /* shared; VT_NO_VALUE: nobody needs one */
    int teacher_dim;
} construction;

/* Its name, with the head's behind it where heads have names. */
static vt_value_id add_input(const construction *work, const vt_objective_part *part,
                             const char *name, int columns, int *place)
{
    const vt_run_state *run = work->run;
    const vt_shape shape = vt_shape_of(columns > 0 ? 2 : 1, (int64_t[]){-1, columns});
    char full[VT_LOSS_HEAD_BYTES + 32];
    bool headed = run->heads.named && part != NULL && part->head < VT_HEADS_MAX;
    snprintf(full, sizeof(full), "%s%s%s", name, headed ? "." : "",
             headed ? run->heads.items[part->head].id : "");
    *place = (int)run->objective->input_count++;
    return vt_builder_input(work->builder, full, columns > 0 ? VT_F32 : VT_I64, &shape);
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

static vt_value_id add_part(const construction *work, vt_objective_part *part)
{
    const vt_run_state *run = work->run;
    const vt_head_plan *head = part->head < VT_HEADS_MAX ? &run->heads.items[part->head] : NULL;
    unsigned needs = part->loss->needs;
    int columns = (int)part->classes;
    bool targets =
        head != NULL && (is_mixed(run->recipe) || (needs & VT_LOSS_TARGETS) != 0 || head->several);
    vt_loss_inputs inputs = vt_loss_inputs_defaults();
    vt_value_id scalar = VT_NO_VALUE;
    inputs.classes = columns;
    inputs.dim = (int)run->dim;
    inputs.teacher_dim = work->teacher_dim;
    inputs.seed = (uint64_t)run->recipe->seed + (head != NULL ? part->head : 0);
    inputs.embedding = work->embedding;
    inputs.teacher_embedding = work->teacher_embedding;
    inputs.unknown_negative = targets && part->unknown_negative;
    if (head != NULL && run->heads.named)
        inputs.scope = head->id;
    if (head != NULL && head->scores)
        inputs.logits = vt_builder_find(work->builder, head->output);
    if (targets)
        inputs.targets = add_input(work, part, "targets", columns, &part->target_input);
    if ((needs & VT_LOSS_LABELS) != 0 && (!targets || (needs & VT_LOSS_EMBEDDING) != 0))
        inputs.labels =
            add_input(work, part, head != NULL ? "labels" : "instances", 0, &part->label_input);
    if ((needs & VT_LOSS_TEACHER_LOGITS) != 0)
        inputs.teacher_logits =
            add_input(work, part, "teacher_logits", columns, &part->teacher_input);
    vt_loss_add(work->builder, part->loss, &inputs, &scalar);
    return scalar;
}

static void add_nodes(construction *work)
{
    struct vt_objective *objective = work->run->objective;
    unsigned needs = work->run->heads.needs;
    vt_value_id sum = VT_NO_VALUE;
    if ((needs & VT_LOSS_EMBEDDING) != 0)
        work->embedding = embedding_of(work->run, work->builder);
    if ((needs & VT_LOSS_TEACHER_EMBEDDING) != 0)
        work->teacher_embedding = add_input(work, NULL, "teacher_embedding", work->teacher_dim,
                                            &objective->teacher_vector_input);
    for (size_t p = 0; p < objective->part_count; p++) {
        vt_value_id scalar = add_part(work, &objective->parts[p]);
        sum = p == 0 ? scalar
                     : vt_builder_node(work->builder, "Add", NULL, (vt_value_id[]){sum, scalar}, 2);
    }
    vt_builder_output(work->builder, VT_OBJECTIVE_LOSS, sum);
}

/* ---- the parts ---- */

static bool has_unknown_targets(const vt_heads *heads, const vt_head_plan *head)
{
    return heads->named && (head->several || (head->loss.needs & VT_LOSS_TARGETS) != 0);
}

static void list_parts(const vt_run_state *run)
{
    const vt_heads *heads = &run->heads;
    struct vt_objective *objective = run->objective;
    const vt_objective_part plain = {
        .head = VT_HEADS_MAX, .label_input = -1, .target_input = -1, .teacher_input = -1};
    for (size_t h = 0; h < heads->count; h++) {
        vt_objective_part *part = &objective->parts[objective->part_count++];
        *part = plain;
        part->head = h;
        part->loss = &heads->items[h].loss;
        part->classes = vt_run_classes(run, h);
        part->unknown_negative = has_unknown_targets(heads, &heads->items[h]);
    }
    if (heads->common.count > 0) {
        vt_objective_part *part = &objective->parts[objective->part_count++];
        *part = plain;
        part->loss = &heads->common;
    }
}

static vt_status make_room(vt_run_state *run, vt_error *error)
{
    struct vt_objective *objective = run->objective;
    size_t batch = (size_t)run->recipe->batch, count;
    for (size_t p = 0; p < objective->part_count; p++) {
        vt_objective_part *part = &objective->parts[p];
        part->labels = vt_calloc(batch, sizeof(*part->labels));
        if (part->target_input >= 0 && vt_size_mul(batch, part->classes, &count))
            part->targets = vt_calloc(count, sizeof(float));
        if (part->labels == NULL || (part->target_input >= 0 && part->targets == NULL))
            return vt_fail_memory(error, "labels");
    }
    return VT_OK;
}

vt_status vt_objective_add(vt_run_state *run, vt_error *error)
{
    construction work = {.run = run, .embedding = VT_NO_VALUE, .teacher_embedding = VT_NO_VALUE};
    vt_status status = VT_OK;
    run->objective = vt_calloc(1, sizeof(*run->objective));
    if (run->objective == NULL)
        return vt_fail_memory(error, "a loss");
    run->objective->teacher_vector_input = -1;
    run->objective->input_count = 1;
    list_parts(run);
    if (run->recipe->teacher != NULL)
        status = vt_teacher_open(run, &run->objective->teacher, &work.teacher_dim, error);
    if (status == VT_OK)
        status = vt_builder_from(run->network, &work.builder, error);
    if (status == VT_OK) {
        vt_builder_renew(work.builder);
        add_nodes(&work);
        status = vt_builder_finish(work.builder, &run->model, error);
    }
    return status == VT_OK ? make_room(run, error) : status;
}

void vt_objective_remove(vt_run_state *run)
{
    struct vt_objective *objective = run->objective;
    if (objective == NULL)
        return;
    vt_teacher_close(objective->teacher);
    for (size_t p = 0; p < objective->part_count; p++) {
        vt_free(objective->parts[p].labels);
        vt_free(objective->parts[p].targets);
    }
    vt_free(objective);
    run->objective = NULL;
}

/* ---- a step ---- */

/* Adds a share of what the photo is: all of its values where it has several. */
static bool add_share(const vt_run_state *run, const vt_objective_part *part, uint32_t example,
                      float share, float *row)
{
    size_t count;
    const uint32_t *values = vt_dataset_values(run->data, part->head, example, &count);
    for (size_t v = 0; v < count; v++)
        row[values[v]] += share;
    return count > 0;
}

static void fill_targets(const vt_run_state *run, const vt_objective_part *part,
                         const vt_batch *batch)
{
    memset(part->targets, 0, batch->count * part->classes * sizeof(float));
    for (size_t i = 0; i < batch->count; i++) {
        float *row = part->targets + i * part->classes;
        uint32_t other = batch->order[batch->count - 1 - i];
        bool known = add_share(run, part, batch->order[i], batch->share, row);
        if (batch->share < 1 && !add_share(run, part, other, 1 - batch->share, row))
            known = false;
        for (size_t c = 0; !known && part->unknown_negative && c < part->classes; c++)
            row[c] = -1;
    }
}

static void fill_labels(const vt_run_state *run, const vt_objective_part *part,
                        const vt_batch *batch)
{
    bool instances = (part->loss->needs & VT_LOSS_INSTANCES) != 0;
    for (size_t i = 0; i < batch->count; i++) {
        uint32_t label =
            instances ? (uint32_t)i / 2 : vt_dataset_value(run->data, part->head, batch->order[i]);
        part->labels[i] = label != VT_NO_LABEL ? (int64_t)label : -1;
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

static void fill_part(const vt_run_state *run, const vt_objective_part *part, const vt_batch *batch,
                      vt_tensor *inputs)
{
    const int64_t dims[2] = {(int64_t)batch->count, (int64_t)part->classes};
    if (part->label_input >= 0) {
        fill_labels(run, part, batch);
        inputs[part->label_input] = tensor_over(VT_I64, 1, dims, part->labels);
    }
    if (part->target_input >= 0) {
        fill_targets(run, part, batch);
        inputs[part->target_input] = tensor_over(VT_F32, 2, dims, part->targets);
    }
}

static vt_status fill_teacher(const vt_run_state *run, const vt_batch *batch, vt_tensor *inputs,
                              vt_error *error)
{
    const struct vt_objective *objective = run->objective;
    vt_tensor scores[VT_HEADS_MAX], vector = {0};
    vt_status status = vt_teacher_run(objective->teacher, run, batch, scores, &vector, error);
    for (size_t p = 0; status == VT_OK && p < objective->part_count; p++)
        if (objective->parts[p].teacher_input >= 0)
            inputs[objective->parts[p].teacher_input] = scores[objective->parts[p].head];
    if (status == VT_OK && objective->teacher_vector_input >= 0)
        inputs[objective->teacher_vector_input] = vector;
    return status;
}

vt_status vt_objective_inputs(vt_run_state *run, const vt_batch *batch, vt_tensor *inputs,
                              size_t *count, vt_error *error)
{
    const struct vt_objective *objective = run->objective;
    const vt_pixel_spec pixels = vt_run_pixels(run);
    int64_t rows = (int64_t)batch->count;
    inputs[0] =
        tensor_over(VT_F32, 4, (int64_t[]){rows, 3, pixels.height, pixels.width}, batch->pixels);
    for (size_t p = 0; p < objective->part_count; p++)
        fill_part(run, &objective->parts[p], batch, inputs);
    *count = objective->input_count;
    return objective->teacher != NULL ? fill_teacher(run, batch, inputs, error) : VT_OK;
}
