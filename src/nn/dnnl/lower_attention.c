/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention: softmax(scale Q K^T + mask) V for (batch, heads, length, size) tensors.
 *
 * Method: a few heads at a time, so that their scores stay in the cache: a product with the scale
 * and the mask behind it, a softmax along the rows, a second product. Q, K and V are read where
 * they lie: slices and transposes of one projection are views (lower_view.c), and the result is
 * written as (batch, length, heads, size), which is what the next projection reads. Source of the
 * idea of not materialising all scores: Dao et al., "FlashAttention" (NeurIPS 2022); departure:
 * whole rows instead of tiles, since the rows of an image transformer (50 to 1000) fit.
 *
 * A row whose mask is -infinity throughout attends to nothing, which a softmax does not know: its
 * weights are set to 0 behind it.
 *
 * Left to the reference: past keys, soft caps, windows, fewer key heads than query heads, more than
 * one result, boolean masks.
 */
#include "nn/dnnl/lower.h"

#include <math.h>
#include <string.h>

enum {
    SCORES_BYTES = 512 << 10, /* of the scores at a time per thread: half of a common L2 cache */
    PRODUCT_ARGS = 5,
};

/* ---- the run ---- */

/* The tensors of the action, in order. */
enum { AT_Q, AT_K, AT_V, AT_MASK, AT_SCRATCH, AT_RESULT, AT_COUNT };

/* One of the three primitives with its memory objects. */
typedef struct stage {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[PRODUCT_ARGS];
    int count;
} stage;

typedef struct attention {
    stage scores, softmax, values;
    int64_t batches, groups, group_heads; /* a group: heads that are computed together */
    size_t batch_step[AT_COUNT], group_step[AT_COUNT]; /* in bytes */
    size_t scores_bytes, weights_bytes;                /* in the scratch: raw, after softmax */
    int64_t rows, keys, mask_heads; /* mask_heads: masks of one group; 0: none that could be so */
    vt_dtype dtype;                 /* of the weights */
} attention;

static void stage_deinit(stage *part)
{
    for (int i = 0; i < part->count; i++) {
        if (part->args[i].memory) {
            dnnl_memory_destroy(part->args[i].memory);
        }
    }
    if (part->primitive) {
        dnnl_primitive_destroy(part->primitive);
    }
    *part = (stage){0};
}

static void attention_free(void *state)
{
    attention *self = state;
    stage_deinit(&self->scores);
    stage_deinit(&self->softmax);
    stage_deinit(&self->values);
    vt_free(self);
}

static dnnl_status_t stage_run(const vt_dnnl *dnnl, const stage *part, void *const *data)
{
    for (int i = 0; i < part->count; i++) {
        dnnl_status_t status = dnnl_memory_set_data_handle(part->args[i].memory, data[i]);
        if (status != dnnl_success) {
            return status;
        }
    }
    return dnnl_primitive_execute(part->primitive, dnnl->stream, part->count, part->args);
}

/* Rows that attend to nothing. A mask that is not of that kind is left at its first number. */
static void clear_hidden_rows(const attention *self, const float *mask, char *weights)
{
    size_t row_bytes = (size_t)self->keys * vt_dtype_bytes(self->dtype);
    for (int64_t h = 0; h < (self->mask_heads > 0 ? self->group_heads : 0); h++) {
        const float *plane = mask + (self->mask_heads > 1 ? h * self->rows * self->keys : 0);
        for (int64_t r = 0; r < self->rows; r++) {
            int64_t hidden = 0;
            while (hidden < self->keys && plane[r * self->keys + hidden] == -INFINITY) {
                hidden++;
            }
            if (hidden == self->keys) {
                memset(weights + (size_t)(h * self->rows + r) * row_bytes, 0, row_bytes);
            }
        }
    }
}

static vt_status run_attention(vt_dnnl *dnnl, vt_action *action, vt_error *error)
{
    const attention *self = action->state;
    char *scores = action->tensors[AT_SCRATCH].data;
    char *weights = scores + self->scores_bytes, *inner = weights + self->weights_bytes;
    for (int64_t b = 0; b < self->batches; b++) {
        for (int64_t g = 0; g < self->groups; g++) {
            char *at[AT_COUNT];
            for (int i = 0; i < AT_COUNT; i++) {
                at[i] = (char *)action->tensors[i].data + (size_t)b * self->batch_step[i] +
                        (size_t)g * self->group_step[i];
            }
            void *first[PRODUCT_ARGS] = {at[AT_Q], at[AT_K], scores, inner, at[AT_MASK]};
            void *middle[PRODUCT_ARGS] = {scores, weights, inner};
            void *last[PRODUCT_ARGS] = {weights, at[AT_V], at[AT_RESULT], inner};
            dnnl_status_t status = stage_run(dnnl, &self->scores, first);
            if (status == dnnl_success) {
                status = stage_run(dnnl, &self->softmax, middle);
            }
            if (status == dnnl_success) {
                clear_hidden_rows(self, (const float *)(const void *)at[AT_MASK], weights);
                status = stage_run(dnnl, &self->values, last);
            }
            if (status != dnnl_success) {
                return vt_dnnl_fail(status, "the run of an attention", error);
            }
        }
    }
    return VT_OK;
}

/* ---- reading the step ---- */

/* One of Q, K, V, or the result: where it lies and how. */
typedef struct operand {
    size_t buffer;
    int64_t strides[4];
} operand;

typedef struct problem {
    int64_t batches, heads, rows, keys, size, value_size, group_heads;
    vt_dtype dtype, result;
    float scale;
    operand q, k, v, out;
    bool masked, causal;
    int64_t mask_dims[4];
    size_t mask_buffer;
} problem;

static bool is_given(const vt_op_args *args, size_t input)
{
    return input < args->node->input_count && args->inputs[input].dtype != VT_DTYPE_NONE;
}

/* Dimensions and attributes; false: not for this file. */
static bool read_problem(const vt_step *step, const vt_op_args *args, problem *out)
{
    const vt_shape *q = &args->inputs[0].shape, *k = &args->inputs[1].shape,
                   *v = &args->inputs[2].shape;
    const vt_node *node = &step->node;
    if (node->output_count != 1 || is_given(args, 4) || is_given(args, 5) || is_given(args, 6) ||
        vt_node_float(node, "softcap", 0) != 0 || vt_node_int(node, "left_window_size", -1) >= 0 ||
        vt_node_int(node, "right_window_size", -1) >= 0 || step->post_count > 0 || q->rank != 4 ||
        k->rank != 4 || v->rank != 4 || q->dims[1] != k->dims[1] || q->dims[1] != v->dims[1]) {
        return false;
    }
    *out = (problem){
        .batches = q->dims[0],
        .heads = q->dims[1],
        .rows = q->dims[2],
        .keys = k->dims[2],
        .size = q->dims[3],
        .value_size = v->dims[3],
        .dtype = step->compute,
        .result = step->result,
        .causal = vt_node_int(node, "is_causal", 0) != 0,
        .mask_buffer = VT_NO_BUFFER,
        .mask_dims = {1, 1, q->dims[2], k->dims[2]}, /* of the causal one, until another is read */
    };
    out->scale = vt_node_float(node, "scale", 1.0F / sqrtf((float)out->size));
    if (!is_given(args, 3)) {
        return true;
    }
    const vt_shape *mask = &args->inputs[3].shape;
    const int64_t full[4] = {out->batches, out->heads, out->rows, out->keys};
    out->masked = vt_dtype_is_float(args->inputs[3].dtype) && mask->rank <= 4;
    for (int i = 0; i < 4 && out->masked; i++) {
        int at = i - (4 - mask->rank);
        out->mask_dims[i] = at < 0 ? 1 : mask->dims[at];
        out->masked = out->mask_dims[i] == full[i] || (i < 2 && out->mask_dims[i] == 1);
    }
    return out->masked && !out->causal;
}

/* As few heads as keep all threads busy, more while their scores fit the caches. */
static int64_t choose_group(const problem *work, int threads)
{
    int64_t each = work->rows * work->keys * (int64_t)sizeof(float), best = work->heads;
    int64_t room = (int64_t)threads * SCORES_BYTES;
    for (int64_t heads = work->heads; heads >= 1; heads--) {
        if (work->heads % heads != 0) {
            continue;
        }
        if (best * each > room && heads >= threads) {
            best = heads;
        }
    }
    return best;
}

/* Where the value lies: as it is when its rows are contiguous and of the right type, else copied.
 */
static vt_status find_operand(vt_dnnl *dnnl, vt_value_id value, vt_dtype dtype, operand *out,
                              vt_error *error)
{
    const vt_shape *shape = &dnnl->plan->values[value].tensor.shape;
    int64_t dims[VT_LAYOUT_MAX_RANK], strides[VT_LAYOUT_MAX_RANK];
    vt_layout *layout = NULL;
    if (!dnnl->plan->values[value].constant) {
        vt_status status = vt_dnnl_form_as_is(dnnl, value, &layout, &out->buffer, error);
        if (status != VT_OK) {
            return status;
        }
        bool fits = vt_layout_type(layout) == dtype && vt_layout_dims(layout, dims) == 4 &&
                    memcmp(dims, shape->dims, 4 * sizeof *dims) == 0 &&
                    vt_layout_strides(layout, strides) && strides[3] == 1;
        vt_layout_free(layout);
        if (fits) {
            memcpy(out->strides, strides, sizeof out->strides);
            return VT_OK;
        }
    }
    out->strides[3] = 1;
    for (int i = 3; i-- > 0;) {
        out->strides[i] = out->strides[i + 1] * shape->dims[i + 1];
    }
    layout = vt_layout_new_plain(4, shape->dims, dtype);
    if (!layout) {
        return vt_fail_memory(error, "the layout of an attention");
    }
    vt_status status = vt_dnnl_form_get(dnnl, value, dtype, layout, &out->buffer, error);
    vt_layout_free(layout);
    return status;
}

/* ---- the three primitives ---- */

static vt_layout *group_layout(const problem *work, int64_t rows, int64_t columns,
                               const int64_t strides[3], vt_dtype dtype)
{
    const int64_t dims[3] = {work->group_heads, rows, columns};
    return strides ? vt_layout_new_strided(3, dims, strides, dtype)
                   : vt_layout_new_plain(3, dims, dtype);
}

/* Adds a memory object; layout NULL: nothing. */
static dnnl_status_t stage_arg(const vt_dnnl *dnnl, stage *part, int name, const vt_layout *layout)
{
    dnnl_exec_arg_t *arg = &part->args[part->count];
    dnnl_status_t status = dnnl_memory_create(&arg->memory, layout, dnnl->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success) {
        arg->arg = name;
        part->count++;
    } else {
        arg->memory = NULL;
    }
    return status;
}

/* The primitive with its operands, then its scratchpad; takes desc. *inner: bytes of scratchpad. */
static dnnl_status_t stage_init(const vt_dnnl *dnnl, stage *part, dnnl_primitive_desc_t desc,
                                const vt_layout *const layouts[3], size_t *inner)
{
    static const int names[3] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    dnnl_status_t status = dnnl_primitive_create(&part->primitive, desc);
    for (int i = 0; i < 3 && status == dnnl_success; i++) {
        if (layouts[i]) {
            status = stage_arg(dnnl, part, names[i], layouts[i]);
        }
    }
    if (status == dnnl_success) {
        const vt_layout *scratch = vt_pd_layout(desc, dnnl_query_scratchpad_md, 0);
        size_t bytes = vt_layout_is_none(scratch) ? 0 : vt_layout_bytes(scratch);
        *inner = bytes > *inner ? bytes : *inner;
        status = stage_arg(dnnl, part, DNNL_ARG_SCRATCHPAD, scratch);
    }
    dnnl_primitive_desc_destroy(desc);
    return status;
}

/* scale Q K^T + mask, in f32. */
static dnnl_status_t init_scores(const vt_dnnl *dnnl, const problem *work, attention *self,
                                 size_t *inner)
{
    const int64_t turned[3] = {work->k.strides[1], 1, work->k.strides[2]};
    vt_layout *q = group_layout(work, work->rows, work->size, work->q.strides + 1, work->dtype);
    vt_layout *k = group_layout(work, work->size, work->keys, turned, work->dtype);
    vt_layout *scores = group_layout(work, work->rows, work->keys, NULL, VT_F32), *mask = NULL;
    const int64_t mask_dims[3] = {work->mask_dims[1] == 1 ? 1 : work->group_heads, work->rows,
                                  work->keys};
    vt_posts posts = {.count = 1};
    posts.items[0] = (vt_post){
        .kind = VT_APPEND_ELTWISE, .algorithm = dnnl_eltwise_linear, .alpha = work->scale};
    dnnl_primitive_desc_t desc = NULL;
    bool masked = work->masked || work->causal;
    if (masked) {
        mask = vt_layout_new_plain(3, mask_dims, VT_F32);
        posts.items[posts.count++] =
            (vt_post){.kind = VT_APPEND_BINARY, .algorithm = dnnl_binary_add, .operand = mask};
    }
    dnnl_status_t status = dnnl_out_of_memory;
    if (q && k && scores && (!masked || mask)) {
        status = vt_pd_matmul(dnnl->engine, (const vt_layout *const[]){q, k, NULL, scores}, &posts,
                              &desc);
    }
    if (status == dnnl_success) {
        status =
            stage_init(dnnl, &self->scores, desc, (const vt_layout *const[]){q, k, scores}, inner);
    }
    if (status == dnnl_success && masked) {
        status = stage_arg(dnnl, &self->scores, DNNL_ARG_ATTR_MULTIPLE_POST_OP(1) | DNNL_ARG_SRC_1,
                           mask);
    }
    self->scores_bytes = scores ? vt_layout_bytes(scores) : 0;
    vt_layout_free(q);
    vt_layout_free(k);
    vt_layout_free(scores);
    vt_layout_free(mask);
    return status;
}

static dnnl_status_t init_softmax(const vt_dnnl *dnnl, const problem *work, attention *self,
                                  size_t *inner)
{
    vt_layout *scores = group_layout(work, work->rows, work->keys, NULL, VT_F32);
    vt_layout *weights = group_layout(work, work->rows, work->keys, NULL, work->dtype);
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = dnnl_out_of_memory;
    if (scores && weights) {
        status =
            vt_pd_softmax_to(dnnl->engine, (const vt_layout *const[]){scores, weights}, 2, &desc);
    }
    if (status == dnnl_success) {
        status = stage_init(dnnl, &self->softmax, desc,
                            (const vt_layout *const[]){scores, NULL, weights}, inner);
    }
    self->weights_bytes = weights ? vt_layout_bytes(weights) : 0;
    vt_layout_free(scores);
    vt_layout_free(weights);
    return status;
}

static dnnl_status_t init_values(const vt_dnnl *dnnl, const problem *work, attention *self,
                                 size_t *inner)
{
    vt_layout *weights = group_layout(work, work->rows, work->keys, NULL, work->dtype);
    vt_layout *v =
        group_layout(work, work->keys, work->value_size, work->v.strides + 1, work->dtype);
    vt_layout *out =
        group_layout(work, work->rows, work->value_size, work->out.strides + 1, work->result);
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = dnnl_out_of_memory;
    if (weights && v && out) {
        status = vt_pd_matmul(dnnl->engine, (const vt_layout *const[]){weights, v, NULL, out}, NULL,
                              &desc);
    }
    if (status == dnnl_success) {
        status = stage_init(dnnl, &self->values, desc, (const vt_layout *const[]){weights, v, out},
                            inner);
    }
    vt_layout_free(weights);
    vt_layout_free(v);
    vt_layout_free(out);
    return status;
}

/* ---- putting it together ---- */

/* (batch, length, heads, size) in memory, seen as (batch, heads, length, size). */
static void set_result_strides(problem *work)
{
    int64_t *strides = work->out.strides;
    strides[3] = 1;
    strides[1] = work->value_size;
    strides[2] = work->value_size * work->heads;
    strides[0] = strides[2] * work->rows;
}

static size_t step_bytes(int64_t stride, int64_t count, vt_dtype dtype)
{
    return (size_t)(stride * count) * vt_dtype_bytes(dtype);
}

static void set_steps(const problem *work, attention *self)
{
    const operand *operands[] = {[AT_Q] = &work->q, [AT_K] = &work->k, [AT_V] = &work->v};
    int64_t plane = work->rows * work->keys;
    self->batches = work->batches;
    self->rows = work->rows;
    self->keys = work->keys;
    self->dtype = work->dtype;
    self->group_heads = work->group_heads;
    self->groups = work->heads / work->group_heads;
    for (int i = AT_Q; i <= AT_V; i++) {
        self->batch_step[i] = step_bytes(operands[i]->strides[0], 1, work->dtype);
        self->group_step[i] = step_bytes(operands[i]->strides[1], work->group_heads, work->dtype);
    }
    self->batch_step[AT_RESULT] = step_bytes(work->out.strides[0], 1, work->result);
    self->group_step[AT_RESULT] = step_bytes(work->out.strides[1], work->group_heads, work->result);
    if (work->masked) {
        int64_t heads = work->mask_dims[1];
        self->mask_heads = heads == 1 ? 1 : work->group_heads;
        self->group_step[AT_MASK] = heads == 1 ? 0 : step_bytes(plane, work->group_heads, VT_F32);
        self->batch_step[AT_MASK] = work->mask_dims[0] == 1 ? 0 : step_bytes(plane, heads, VT_F32);
    }
}

/* A constant that hides what lies ahead of each row. */
static vt_status make_causal_mask(vt_dnnl *dnnl, problem *work, vt_error *error)
{
    vt_tensor mask = {0};
    vt_shape shape = {.rank = 2, .dims = {work->rows, work->keys}};
    vt_buffer prepared = {.kind = VT_BUFFER_PREPARED};
    vt_status status = vt_tensor_init(&mask, VT_F32, &shape, 0, error);
    for (int64_t r = 0; status == VT_OK && r < work->rows; r++) {
        for (int64_t c = r + 1; c < work->keys; c++) {
            ((float *)mask.data)[r * work->keys + c] = -INFINITY;
        }
    }
    if (status == VT_OK) {
        status = vt_dnnl_weights_prepare(dnnl, &mask, NULL, NULL, &prepared, error);
    }
    if (status == VT_OK) {
        status = vt_dnnl_buffer_add(dnnl, &prepared, &work->mask_buffer, error);
        if (status != VT_OK) {
            vt_dnnl_weights_release(prepared.data);
        }
    }
    vt_tensor_deinit(&mask);
    return status;
}

static vt_status find_operands(vt_dnnl *dnnl, const vt_step *step, problem *work, vt_error *error)
{
    const vt_value_id *inputs = step->node.inputs;
    vt_status status = find_operand(dnnl, inputs[0], work->dtype, &work->q, error);
    if (status == VT_OK) {
        status = find_operand(dnnl, inputs[1], work->dtype, &work->k, error);
    }
    if (status == VT_OK) {
        status = find_operand(dnnl, inputs[2], work->dtype, &work->v, error);
    }
    if (status == VT_OK && work->masked) {
        status = vt_dnnl_form_get(dnnl, inputs[3], VT_F32, NULL, &work->mask_buffer, error);
    }
    if (status == VT_OK && work->causal) {
        status = make_causal_mask(dnnl, work, error);
    }
    return status;
}

static vt_status make_result(vt_dnnl *dnnl, const vt_step *step, problem *work, vt_error *error)
{
    const int64_t dims[4] = {work->batches, work->heads, work->rows, work->value_size};
    vt_layout *layout = vt_layout_new_strided(4, dims, work->out.strides, work->result);
    if (!layout) {
        return vt_fail_memory(error, "the layout of an attention");
    }
    vt_status status = vt_dnnl_form_make(dnnl, step->node.outputs[0], work->result, layout,
                                         &work->out.buffer, error);
    vt_layout_free(layout);
    return status;
}

static vt_status add_action(vt_dnnl *dnnl, const vt_step *step, problem *work, attention *self,
                            size_t inner, vt_error *error)
{
    vt_tensor tensors[AT_COUNT] = {0};
    vt_buffer scratch = {.kind = VT_BUFFER_ARENA};
    size_t buffers[AT_COUNT] = {work->q.buffer, work->k.buffer, work->v.buffer, work->mask_buffer};
    scratch.bytes = self->scores_bytes + self->weights_bytes + inner;
    vt_status status = vt_dnnl_buffer_add(dnnl, &scratch, &buffers[AT_SCRATCH], error);
    if (status == VT_OK) {
        status = make_result(dnnl, step, work, error);
        buffers[AT_RESULT] = work->out.buffer;
    }
    vt_action action = {
        .run = run_attention,
        .name = "attention",
        .step = step,
        .state = self,
        .state_free = attention_free,
        .input_count = AT_RESULT,
        .tensor_count = AT_COUNT,
        .written_begin = AT_SCRATCH,
        .written_end = AT_COUNT,
    };
    if (status != VT_OK) {
        attention_free(self);
        return status;
    }
    return vt_dnnl_action_add(dnnl, &action, tensors, buffers, error);
}

vt_status vt_lower_attention(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                             vt_error *error)
{
    problem work;
    size_t inner = 0;
    if (step->node.input_count < 3 || !read_problem(step, args, &work)) {
        return VT_OK;
    }
    attention *self = vt_calloc(1, sizeof *self);
    if (!self) {
        return vt_fail_memory(error, "an attention");
    }
    work.group_heads = choose_group(&work, dnnl->threads);
    vt_status status = find_operands(dnnl, step, &work, error);
    if (status != VT_OK) {
        attention_free(self);
        return status;
    }
    set_result_strides(&work);
    set_steps(&work, self);
    dnnl_status_t made = init_scores(dnnl, &work, self, &inner);
    if (made == dnnl_success) {
        made = init_softmax(dnnl, &work, self, &inner);
    }
    if (made == dnnl_success) {
        made = init_values(dnnl, &work, self, &inner);
    }
    status = vt_lower_answer(made, done, error);
    if (status != VT_OK || !*done) {
        attention_free(self);
        return status;
    }
    return add_action(dnnl, step, &work, self, inner, error);
}
