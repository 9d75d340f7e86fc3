/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A teacher: another network that sees the same augmented pictures, and whose answers the loss
 * compares with.
 *
 * The pixels are brought from the run's contract to the teacher's (another mean, deviation, scale
 * or order of channels); their number is the run's, so a teacher of another fixed size is refused.
 */
#include "train/objective.h"

#include <string.h>

struct vt_teacher {
    vt_model *model;
    vt_session *session;
    vt_pixel_spec spec;
    float *pixels;              /* (batch, 3, height, width) */
    float *pooled;              /* (batch, dim) where the vector has to be averaged */
    size_t heads[VT_HEADS_MAX]; /* (head_count) of the run, whose scores come first */
    size_t head_count;
    bool vector;
    int dim;
};

/* Scores of the run's head: of the same name and labels, or of the only head that is asked for. */
static vt_status find_scores(const vt_teacher *teacher, const vt_run_state *run, size_t head,
                             const char **out, vt_error *error)
{
    const char *value = run->heads.items[head].output;
    vt_model_heads heads;
    vt_status status = vt_model_heads_read(teacher->model, &heads, error);
    bool others = status == VT_OK && run->heads.named &&
                  vt_model_heads_find(&heads, run->heads.items[head].name) != NULL &&
                  vt_run_fitting_output(run, head, &heads) == NULL;
    vt_model_heads_deinit(&heads);
    if (status != VT_OK)
        return status;
    if (others)
        return vt_fail(error, VT_ERR_MISMATCH,
                       "use teacher \"%s\": its head \"%s\" is of other labels",
                       run->recipe->teacher, run->heads.items[head].name);
    if (!vt_model_has_value(teacher->model, value) && teacher->head_count > 1)
        return vt_fail(error, VT_ERR_MISMATCH, "use teacher \"%s\": it has no head \"%s\"",
                       run->recipe->teacher, run->heads.items[head].name);
    if (!vt_model_has_value(teacher->model, value))
        value = vt_model_has_value(teacher->model, "logits")
                    ? "logits"
                    : vt_model_output(teacher->model, 0).name;
    *out = value;
    return VT_OK;
}

static vt_status read_contract(vt_teacher *teacher, const vt_run_state *run, vt_contract *contract,
                               vt_error *error)
{
    const char *text = vt_model_metadata(teacher->model, VT_METADATA_CONTRACT);
    vt_status status = text != NULL ? vt_contract_parse(text, strlen(text), contract, error)
                                    : vt_contract_preset("imagenet", contract, error);
    vt_value_info input = vt_model_input(teacher->model, 0);
    if (status != VT_OK)
        return status;
    const int64_t want[4] = {-1, 3, run->contract.pixels.height, run->contract.pixels.width};
    for (int i = 1; i < 4; i++)
        if (input.shape.rank != 4 || (input.shape.dims[i] >= 0 && input.shape.dims[i] != want[i]))
            return vt_fail(error, VT_ERR_MISMATCH,
                           "use teacher \"%s\": it does not take pictures of %dx%d pixels",
                           run->recipe->teacher, run->contract.pixels.width,
                           run->contract.pixels.height);
    teacher->spec = contract->pixels;
    return VT_OK;
}

static vt_status open_session(vt_teacher *teacher, const vt_run_state *run,
                              const vt_contract *contract, vt_error *error)
{
    vt_session_options options = vt_session_options_defaults();
    const char *outputs[VT_HEADS_MAX + 1];
    size_t count = 0;
    vt_status status = VT_OK;
    const char *feature =
        contract->output[0] != '\0' ? contract->output : vt_model_feature_output(teacher->model);
    for (size_t i = 0; status == VT_OK && i < teacher->head_count; i++)
        status = find_scores(teacher, run, teacher->heads[i], &outputs[count++], error);
    if (status != VT_OK)
        return status;
    if (teacher->vector)
        outputs[count++] = feature != NULL ? feature : vt_model_output(teacher->model, 0).name;
    options.outputs = outputs;
    options.output_count = count;
    options.precision = run->recipe->compute;
    options.threads = (int)run->recipe->threads;
    return vt_session_new(teacher->model, &options, &teacher->session, error);
}

/* What comes out for a batch has to be what the loss expects. */
static vt_status check_shapes(vt_teacher *teacher, const vt_run_state *run, vt_error *error)
{
    const vt_pixel_spec *spec = &run->contract.pixels;
    const vt_shape input =
        vt_shape_of(4, (int64_t[]){(int64_t)run->recipe->batch, 3, spec->height, spec->width});
    vt_shape shapes[VT_HEADS_MAX + 1];
    size_t at = 0;
    vt_status status = vt_session_output_shapes(teacher->session, &input, 1, shapes, error);
    if (status != VT_OK)
        return status;
    for (; at < teacher->head_count; at++) {
        size_t classes = vt_run_classes(run, teacher->heads[at]);
        if (shapes[at].rank != 2 || shapes[at].dims[1] != (int64_t)classes)
            return vt_fail(error, VT_ERR_MISMATCH, "use teacher \"%s\": it has not %zu classes%s%s",
                           run->recipe->teacher, classes, run->heads.named ? " of head " : "",
                           run->heads.items[teacher->heads[at]].name);
    }
    if (!teacher->vector)
        return VT_OK;
    if (shapes[at].rank != 2 && shapes[at].rank != 4)
        return vt_fail(error, VT_ERR_MISMATCH, "use teacher \"%s\": its embedding has %d axes",
                       run->recipe->teacher, shapes[at].rank);
    teacher->dim = (int)shapes[at].dims[1];
    return VT_OK;
}

vt_status vt_teacher_open(const vt_run_state *run, vt_teacher **out, int *dim, vt_error *error)
{
    vt_teacher *teacher = vt_calloc(1, sizeof(*teacher));
    if (teacher == NULL)
        return vt_fail_memory(error, "a teacher");
    for (size_t h = 0; h < run->heads.count; h++)
        if ((run->heads.items[h].loss.needs & VT_LOSS_TEACHER_LOGITS) != 0)
            teacher->heads[teacher->head_count++] = h;
    teacher->vector = (run->heads.needs & VT_LOSS_TEACHER_EMBEDDING) != 0;
    vt_contract contract;
    size_t batch = (size_t)run->recipe->batch;
    size_t floats = 3 * (size_t)run->contract.pixels.width * (size_t)run->contract.pixels.height;
    vt_status status = vt_model_open(run->recipe->teacher, NULL, &teacher->model, error);
    if (status == VT_OK)
        status = read_contract(teacher, run, &contract, error);
    if (status == VT_OK)
        status = open_session(teacher, run, &contract, error);
    if (status == VT_OK)
        status = check_shapes(teacher, run, error);
    if (status == VT_OK) {
        teacher->pixels = vt_alloc_array(batch, floats * sizeof(float));
        teacher->pooled = vt_alloc_array(batch, ((size_t)teacher->dim + 1) * sizeof(float));
        if (teacher->pixels == NULL || teacher->pooled == NULL)
            status = vt_fail_memory(error, "a teacher");
    }
    if (status != VT_OK) {
        vt_teacher_close(teacher);
        return status;
    }
    *dim = teacher->dim;
    *out = teacher;
    return VT_OK;
}

void vt_teacher_close(vt_teacher *teacher)
{
    if (teacher == NULL)
        return;
    vt_session_free(teacher->session);
    vt_model_free(teacher->model);
    vt_free(teacher->pixels);
    vt_free(teacher->pooled);
    vt_free(teacher);
}

/* From the run's numbers back to pixels, from there to the teacher's. */
static void convert(const vt_teacher *teacher, const vt_pixel_spec *from, const vt_batch *batch)
{
    const vt_pixel_spec *to = &teacher->spec;
    size_t plane = (size_t)from->width * (size_t)from->height;
    for (size_t i = 0; i < batch->count * 3; i++) {
        size_t c = i % 3, other = from->order == to->order ? c : 2 - c;
        const float *in = batch->pixels + (i - c + other) * plane;
        float *out = teacher->pixels + i * plane;
        float gain = from->std[other] / from->scale * to->scale / to->std[c];
        float offset = (from->mean[other] / from->scale * to->scale - to->mean[c]) / to->std[c];
        for (size_t j = 0; j < plane; j++)
            out[j] = in[j] * gain + offset;
    }
}

/* (N, dim, h, w) to (N, dim). */
static void pool_vector(const vt_teacher *teacher, size_t rows, vt_tensor *vector)
{
    size_t total = rows * (size_t)teacher->dim, area = vt_tensor_count(vector) / total;
    const float *in = vector->data;
    for (size_t i = 0; i < total; i++) {
        float sum = 0;
        for (size_t j = 0; j < area; j++)
            sum += in[i * area + j];
        teacher->pooled[i] = sum / (float)area;
    }
    vector->shape = vt_shape_of(2, (int64_t[]){(int64_t)rows, teacher->dim});
    vector->data = teacher->pooled;
    vector->bytes = total * sizeof(float);
}

vt_status vt_teacher_run(vt_teacher *teacher, const vt_run_state *run, const vt_batch *batch,
                         vt_tensor *scores, vt_tensor *vector, vt_error *error)
{
    const vt_pixel_spec *spec = &run->contract.pixels;
    vt_tensor outputs[VT_HEADS_MAX + 1];
    convert(teacher, spec, batch);
    vt_tensor input = {.dtype = VT_F32, .data = teacher->pixels};
    input.shape = vt_shape_of(4, (int64_t[]){(int64_t)batch->count, 3, spec->height, spec->width});
    input.bytes = batch->count * 3 * (size_t)spec->height * (size_t)spec->width * sizeof(float);
    vt_status status = vt_session_run(teacher->session, &input, 1, outputs, error);
    if (status != VT_OK)
        return status;
    for (size_t i = 0; i < teacher->head_count; i++)
        scores[teacher->heads[i]] = outputs[i];
    if (teacher->vector) {
        *vector = outputs[teacher->head_count];
        if (vector->shape.rank == 4)
            pool_vector(teacher, batch->count, vector);
    }
    return VT_OK;
}
