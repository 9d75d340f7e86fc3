/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which function lowers which operator, and what runs when none does.
 *
 * Everything of a float type is computed in f32 here, or in what a pass has marked the step with
 * (bf16, integers). Steps on f64 values go to oneDNN only when they are heavy (convolutions,
 * products): elsewhere the reference keeps the precision that somebody asked for. Elementwise
 * programs, which a pass makes of what oneDNN has no quick form for, run as loops of our own.
 * Whatever is left runs the operator's reference function on row-major tensors of the declared
 * types.
 */
#include "nn/dnnl/lower.h"

#include "nn/elementwise.h"

#include <string.h>

typedef struct lowering {
    const char *op;
    vt_lower_function *function;
    bool heavy; /* worth f32 even where f64 is declared */
    bool posts; /* takes the step's posts along */
} lowering;

static const lowering table[] = {
    {"Conv", vt_lower_conv, true, true},
    {"Gemm", vt_lower_gemm, true, true},
    {"MatMul", vt_lower_matmul, true, true},
    {"Attention", vt_lower_attention, false, false},
    {"Add", vt_lower_binary, false, true},
    {"Sub", vt_lower_binary, false, true},
    {"Mul", vt_lower_binary, false, true},
    {"Div", vt_lower_binary, false, true},
    {"Min", vt_lower_binary, false, true},
    {"Max", vt_lower_binary, false, true},
    {"Sum", vt_lower_sum, false, true},
    {"BatchNormalization", vt_lower_batchnorm, false, true},
    {"QuantizeLinear", vt_lower_quantize, false, false},
    {"DequantizeLinear", vt_lower_quantize, false, false},
    {"MaxPool", vt_lower_pool, false, false},
    {"AveragePool", vt_lower_pool, false, false},
    {"GlobalMaxPool", vt_lower_pool, false, false},
    {"GlobalAveragePool", vt_lower_pool, false, false},
    {"ReduceMean", vt_lower_reduce, false, false},
    {"ReduceSum", vt_lower_reduce, false, false},
    {"Softmax", vt_lower_softmax, false, false},
    {"LogSoftmax", vt_lower_softmax, false, false},
    {"LRN", vt_lower_lrn, false, false},
    {"Concat", vt_lower_concat, false, false},
    {"Relu", vt_lower_eltwise, false, false},
    {"LeakyRelu", vt_lower_eltwise, false, false},
    {"Clip", vt_lower_eltwise, false, false},
    {"Elu", vt_lower_eltwise, false, false},
    {"Sigmoid", vt_lower_eltwise, false, false},
    {"Tanh", vt_lower_eltwise, false, false},
    {"HardSwish", vt_lower_eltwise, false, false},
    {"Softplus", vt_lower_eltwise, false, false},
    {"Mish", vt_lower_eltwise, false, false},
    {"Gelu", vt_lower_eltwise, false, false},
    {"Abs", vt_lower_eltwise, false, false},
    {"Sqrt", vt_lower_eltwise, false, false},
    {"Exp", vt_lower_eltwise, false, false},
    {"ConvTranspose", vt_lower_deconv, true, true},
    {"LayerNormalization", vt_lower_layernorm, false, false},
    {"Expand", vt_lower_expand, false, false},
};

/* What moves nothing; types of any kind, integers in the other operands. */
static const lowering views[] = {
    {"Transpose", vt_lower_transpose, false, false}, {"Slice", vt_lower_slice, false, false},
    {"Split", vt_lower_split, false, false},         {"Gather", vt_lower_gather, false, false},
    {"Reshape", vt_lower_alias, false, false},       {"Flatten", vt_lower_alias, false, false},
    {"Squeeze", vt_lower_alias, false, false},       {"Unsqueeze", vt_lower_alias, false, false},
    {"Identity", vt_lower_alias, false, false},      {"Dropout", vt_lower_alias, false, false},
    {"Cast", vt_lower_alias, false, false},
};

/* Of the internal domain; several results. */
static const lowering internals[] = {
    {"ConvolutionGradInput", vt_lower_conv_grad_input, true, false},
    {"ConvolutionGradWeights", vt_lower_conv_grad_weights, true, false},
    {"MaxPoolGrad", vt_lower_pool_grad, false, false},
    {"AveragePoolGrad", vt_lower_pool_grad, false, false},
    {"BatchNormTraining", vt_lower_batchnorm_training, false, false},
    {"BatchNormGrad", vt_lower_batchnorm_grad, false, false},
    {"ReluGrad", vt_lower_relu_grad, false, false},
};

/* ---- what lowering functions share ---- */

vt_status vt_lower_answer(dnnl_status_t answer, bool *possible, vt_error *error)
{
    *possible = answer == dnnl_success;
    if (answer == dnnl_success || answer == dnnl_unimplemented ||
        answer == dnnl_invalid_arguments) {
        return VT_OK;
    }
    return vt_dnnl_fail(answer, "a primitive descriptor", error);
}

static const dnnl_alg_kind_t post_algorithms[] = {
    [VT_POST_LINEAR] = dnnl_eltwise_linear,
    [VT_POST_CLIP] = dnnl_eltwise_clip,
    [VT_POST_RELU] = dnnl_eltwise_relu,
    [VT_POST_LEAKY_RELU] = dnnl_eltwise_relu,
    [VT_POST_ELU] = dnnl_eltwise_elu,
    [VT_POST_SIGMOID] = dnnl_eltwise_logistic,
    [VT_POST_TANH] = dnnl_eltwise_tanh,
    [VT_POST_GELU] = dnnl_eltwise_gelu_erf,
    [VT_POST_GELU_TANH] = dnnl_eltwise_gelu_tanh,
    [VT_POST_SWISH] = dnnl_eltwise_swish,
    [VT_POST_HARD_SWISH] = dnnl_eltwise_hardswish,
    [VT_POST_MISH] = dnnl_eltwise_mish,
};

static void append_eltwise(const vt_step_post *post, vt_posts *posts)
{
    vt_post item = {.kind = VT_APPEND_ELTWISE, .alpha = post->alpha, .beta = post->beta};
    if (post->kind == VT_POST_HARD_SIGMOID) { /* 2.x has no such function */
        item.algorithm = dnnl_eltwise_linear;
        posts->items[posts->count++] = item;
        item = (vt_post){.kind = VT_APPEND_ELTWISE, .algorithm = dnnl_eltwise_clip, .beta = 1};
    } else {
        item.algorithm = post_algorithms[post->kind];
        item.alpha = post->kind == VT_POST_RELU ? 0 : item.alpha;
    }
    posts->items[posts->count++] = item;
}

/* An operand's dimensions as a primitive with this result sees them; false: impossible. */
static bool operand_dims(const vt_shape *output, const vt_shape *operand, const vt_shape *result,
                         int64_t dims[VT_MAX_RANK])
{
    size_t count = 1;
    for (int i = 0; i < operand->rank; i++) {
        count *= (size_t)operand->dims[i];
    }
    for (int i = 0; i < result->rank; i++) {
        int at = i - (result->rank - operand->rank);
        dims[i] = at < 0 ? 1 : operand->dims[at];
    }
    if (vt_shape_equal(output, result)) {
        return operand->rank <= result->rank;
    }
    bool whole = vt_shape_equal(output, operand);
    for (int i = 0; i < result->rank; i++) {
        dims[i] = whole ? result->dims[i] : 1;
    }
    if (whole || count == 1) {
        return true;
    }
    int64_t last = result->dims[result->rank - 1];
    dims[result->rank - 1] = last;
    return operand->rank > 0 && operand->dims[operand->rank - 1] == last && count == (size_t)last;
}

/* Constants are f32, integers stay, the rest comes in the type of the result where that is one. */
static vt_dtype post_type(const vt_step *step, const vt_plan_value *operand)
{
    if (operand->constant) {
        return VT_F32;
    }
    if (!vt_dtype_is_float(operand->tensor.dtype)) {
        return operand->tensor.dtype;
    }
    return vt_dtype_is_float(step->result) ? step->result : VT_F32;
}

static bool has_sum(const vt_posts *posts)
{
    return vt_lower_sum_of(posts) != NULL;
}

const vt_post *vt_lower_sum_of(const vt_posts *posts)
{
    for (int i = 0; i < posts->count; i++) {
        if (posts->items[i].kind == VT_APPEND_SUM) {
            return &posts->items[i];
        }
    }
    return NULL;
}

vt_status vt_lower_posts(vt_dnnl *dnnl, const vt_step *step, const vt_shape *result,
                         vt_posts *posts, bool *possible, vt_error *error)
{
    const vt_plan_value *values = dnnl->plan->values;
    *possible = true;
    for (int i = posts->first; i < step->post_count; i++) {
        const vt_step_post *post = &step->posts[i];
        if (!vt_post_has_operand(post)) {
            append_eltwise(post, posts);
            continue;
        }
        const vt_plan_value *operand = &values[post->operand];
        int64_t dims[VT_MAX_RANK];
        if (!operand_dims(&values[step->node.outputs[0]].tensor.shape, &operand->tensor.shape,
                          result, dims) ||
            (!vt_dtype_is_float(operand->tensor.dtype) && !step->quant)) {
            *possible = false;
            return VT_OK;
        }
        bool whole = memcmp(dims, result->dims, (size_t)result->rank * sizeof *dims) == 0;
        vt_dtype dtype = post_type(step, operand);
        if (posts->sums && whole && post->kind == VT_POST_ADD && !operand->constant &&
            !has_sum(posts) && vt_dtype_bytes(dtype) == vt_dtype_bytes(step->result)) {
            posts->items[posts->count++] =
                (vt_post){.kind = VT_APPEND_SUM, .value = post->operand, .dtype = dtype};
            continue;
        }
        vt_layout *layout = whole ? vt_layout_new_any(result->rank, dims, dtype)
                                  : vt_layout_new_plain(result->rank, dims, dtype);
        if (!layout) {
            return vt_fail_memory(error, "the layout of a fused operand");
        }
        posts->items[posts->count++] = (vt_post){
            .kind = VT_APPEND_BINARY,
            .algorithm = post->kind == VT_POST_ADD ? dnnl_binary_add : dnnl_binary_mul,
            .operand = layout,
            .value = post->operand,
        };
    }
    return step->quant ? VT_OK : vt_lower_posts_settle(dnnl, result->rank, posts, possible, error);
}

void vt_lower_posts_deinit(vt_posts *posts)
{
    for (int i = 0; i < posts->count; i++) {
        vt_layout_free(posts->items[i].operand);
    }
    posts->count = 0;
}

int vt_lower_post_operands(const vt_posts *posts, vt_operand *operands, int count)
{
    for (int i = 0; i < posts->count; i++) {
        if (posts->items[i].kind == VT_APPEND_BINARY) {
            int name = DNNL_ARG_ATTR_MULTIPLE_POST_OP(i) | DNNL_ARG_SRC_1;
            operands[count++] = (vt_operand){
                .name = name,
                .value = posts->items[i].value,
                .query = dnnl_query_exec_arg_md,
                .index = name,
                .buffer = posts->items[i].prepared ? &posts->items[i].buffer : NULL,
            };
        }
    }
    return count;
}

const vt_tensor *vt_lower_constant(const vt_dnnl *dnnl, const vt_step *step, size_t input)
{
    if (input >= step->node.input_count || step->node.inputs[input] == VT_NO_VALUE) {
        return NULL;
    }
    const vt_plan_value *value = &dnnl->plan->values[step->node.inputs[input]];
    return value->constant ? &value->tensor : NULL;
}

void vt_lower_layouts_free(vt_layout **layouts, int count)
{
    for (int i = 0; i < count; i++) {
        vt_layout_free(layouts[i]);
    }
}

static vt_status operand_buffer(vt_dnnl *dnnl, const vt_operand *operand, const vt_layout *layout,
                                size_t *buffer, vt_error *error)
{
    vt_dtype dtype = vt_layout_type(layout);
    if (operand->buffer) {
        *buffer = *operand->buffer;
        return VT_OK;
    }
    if (operand->onto) {
        return vt_dnnl_form_onto(dnnl, operand->value, layout, operand->onto, buffer, error);
    }
    if (operand->written) {
        return vt_dnnl_form_make(dnnl, operand->value, dtype, layout, buffer, error);
    }
    if (!operand->reading) {
        return vt_dnnl_form_get(dnnl, operand->value, dtype, layout, buffer, error);
    }
    return vt_dnnl_form_read(dnnl, operand->value, operand->reading, layout, buffer, error);
}

vt_status vt_lower_primitive(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                             const vt_operand *operands, int count, vt_error *error)
{
    vt_argument *arguments = vt_alloc_array((size_t)count, sizeof *arguments);
    vt_status status = arguments ? VT_OK : vt_fail_memory(error, "the operands of a primitive");
    for (int written = 0; written < 2; written++) { /* inputs first: their reorders come before */
        for (int i = 0; status == VT_OK && i < count; i++) {
            const vt_operand *operand = &operands[i];
            if (operand->written != (written == 1)) {
                continue;
            }
            vt_argument *argument = &arguments[i];
            argument->name = operand->name;
            argument->layout = operand->index < 0
                                   ? operand->reading
                                   : vt_pd_layout(desc, operand->query, operand->index);
            argument->written = operand->written;
            status = operand_buffer(dnnl, operand, argument->layout, &argument->buffer, error);
        }
    }
    if (status == VT_OK) {
        status = vt_dnnl_primitive_add(dnnl, step, desc, arguments, count, error);
    } else {
        dnnl_primitive_desc_destroy(desc);
    }
    vt_free(arguments);
    return status;
}

vt_status vt_lower_unary(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                         vt_error *error)
{
    const vt_operand operands[] = {
        {.name = DNNL_ARG_SRC, .value = step->node.inputs[0], .query = dnnl_query_src_md},
        {.name = DNNL_ARG_DST,
         .value = step->node.outputs[0],
         .query = dnnl_query_dst_md,
         .written = true},
    };
    return vt_lower_primitive(dnnl, step, desc, operands, 2, error);
}

vt_status vt_lower_variadic(vt_dnnl *dnnl, const vt_step *step, dnnl_primitive_desc_t desc,
                            vt_error *error)
{
    const vt_node *node = &step->node;
    int count = (int)node->input_count;
    vt_operand *operands = vt_calloc(node->input_count + 1, sizeof *operands);
    if (!operands) {
        dnnl_primitive_desc_destroy(desc);
        return vt_fail_memory(error, "a primitive's operands");
    }
    for (int i = 0; i < count; i++) {
        operands[i] = (vt_operand){
            .name = DNNL_ARG_MULTIPLE_SRC + i,
            .value = node->inputs[i],
            .query = dnnl_query_src_md,
            .index = i,
        };
    }
    operands[count] = (vt_operand){
        .name = DNNL_ARG_DST,
        .value = node->outputs[0],
        .query = dnnl_query_dst_md,
        .written = true,
    };
    vt_status status = vt_lower_primitive(dnnl, step, desc, operands, count + 1, error);
    vt_free(operands);
    return status;
}

/* ---- the reference ---- */

static vt_status lower_reference(vt_dnnl *dnnl, const vt_step *step, vt_error *error)
{
    const vt_node *node = &step->node;
    size_t own = node->input_count + node->output_count, count = own + (size_t)step->post_count;
    vt_tensor *tensors = vt_calloc(count, sizeof *tensors);
    size_t *buffers = vt_alloc_array(count, sizeof *buffers);
    vt_status status = tensors && buffers ? VT_OK : vt_fail_memory(error, "a step");

    for (size_t i = 0; status == VT_OK && i < count; i++) {
        bool written = i >= node->input_count && i < own;
        vt_value_id value = written ? node->outputs[i - node->input_count]
                                    : vt_step_read(step, i < own ? i : i - node->output_count);
        buffers[i] = VT_NO_BUFFER;
        if (value == VT_NO_VALUE) {
            continue;
        }
        tensors[i] = dnnl->plan->values[value].tensor;
        tensors[i].owned = false;
        tensors[i].bytes = vt_tensor_count(&tensors[i]) * vt_dtype_bytes(tensors[i].dtype);
        status = written
                     ? vt_dnnl_form_make(dnnl, value, tensors[i].dtype, NULL, &buffers[i], error)
                     : vt_dnnl_form_get(dnnl, value, tensors[i].dtype, NULL, &buffers[i], error);
    }
    if (status == VT_OK) {
        status = vt_dnnl_reference_add(dnnl, step, tensors, buffers, error);
    }
    vt_free(tensors);
    vt_free(buffers);
    return status;
}

/* The step's posts on what a primitive has made of it: a copy of the result, then plain code. */
static vt_status lower_posts_apart(vt_dnnl *dnnl, const vt_step *step, vt_error *error)
{
    vt_value_id value = step->node.outputs[0];
    vt_tensor tensors[VT_STEP_POSTS + 2] = {0};
    size_t buffers[VT_STEP_POSTS + 2], count = 0;
    vt_dtype dtype = dnnl->plan->values[value].tensor.dtype;
    vt_status status = vt_dnnl_form_get(dnnl, value, dtype, NULL, &buffers[0], error);
    for (int i = 0; status == VT_OK && i < step->post_count; i++) {
        vt_value_id operand = step->posts[i].operand;
        buffers[2 + i] = VT_NO_BUFFER;
        if (operand != VT_NO_VALUE) {
            const vt_tensor *tensor = &dnnl->plan->values[operand].tensor;
            tensors[2 + i] = *tensor;
            status = vt_dnnl_form_get(dnnl, operand, tensor->dtype, NULL, &buffers[2 + i], error);
        }
    }
    if (status != VT_OK) {
        return status;
    }
    tensors[0] = tensors[1] = dnnl->plan->values[value].tensor;
    count = 2 + (size_t)step->post_count;
    dnnl->value_forms[value] = SIZE_MAX; /* what was there is not the step's result yet */
    status = vt_dnnl_form_make(dnnl, value, dtype, NULL, &buffers[1], error);
    return status == VT_OK ? vt_dnnl_posts_add(dnnl, step, tensors, buffers, count, error) : status;
}

bool vt_lower_window_fits(const vt_pd_window *window, int rank)
{
    const dnnl_dim_t maximum = 1 << 15;
    for (int i = 0; i < rank; i++) {
        if (window->low[i] < 0 || window->high[i] < 0 || window->low[i] > maximum ||
            window->high[i] > maximum || window->kernel[i] > maximum ||
            window->strides[i] > maximum || window->dilates[i] > maximum) {
            return false;
        }
    }
    return true;
}

/* ---- dispatch ---- */

static const lowering *find_lowering(const vt_step *step, const lowering *rows, size_t count)
{
    for (size_t i = 0; step->node.op->domain[0] == '\0' && i < count; i++) {
        if (strcmp(rows[i].op, step->node.op->name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* oneDNN's generated code addresses with 32 bits in places: larger tensors stay with the reference.
 */
static bool operand_fits(const vt_tensor *tensor, bool heavy)
{
    const size_t count = vt_tensor_count(tensor), maximum = (size_t)1 << 29;
    return count > 0 && count <= maximum && vt_dtype_is_float(tensor->dtype) &&
           (heavy || tensor->dtype != VT_F64);
}

/* One result, and every operand that is there of a float type with elements; steps on integers
 * were looked at by the pass that made them. */
static bool can_lower(const lowering *row, const vt_step *step, const vt_op_args *args)
{
    if (!row || step->node.output_count != 1 || (step->post_count > 0 && !row->posts)) {
        return false;
    }
    if (step->quant || !vt_dtype_is_float(step->compute) || row->function == vt_lower_quantize) {
        return vt_tensor_count(&args->outputs[0]) > 0 && vt_tensor_count(&args->inputs[0]) > 0;
    }
    if (!operand_fits(&args->outputs[0], row->heavy)) {
        return false;
    }
    /* Axes and bounds may be integers or f64; the functions read those themselves. */
    bool reads_constants = row->function == vt_lower_reduce || row->function == vt_lower_eltwise ||
                           row->function == vt_lower_expand;
    size_t count = reads_constants ? 1 : step->node.input_count;
    for (size_t i = 0; i < count; i++) {
        if (args->inputs[i].dtype != VT_DTYPE_NONE && !operand_fits(&args->inputs[i], row->heavy)) {
            return false;
        }
    }
    return count > 0 && args->inputs[0].dtype != VT_DTYPE_NONE;
}

/* Views of tensors with elements; aliases also of empty ones. */
static bool can_view(const lowering *row, const vt_step *step, const vt_op_args *args)
{
    if (!row || step->post_count > 0 || step->node.input_count < 1 ||
        args->inputs[0].dtype == VT_DTYPE_NONE) {
        return false;
    }
    if (row->function == vt_lower_alias) {
        return step->node.output_count == 1;
    }
    for (size_t i = 0; i < step->node.output_count; i++) {
        if (step->node.outputs[i] == VT_NO_VALUE || vt_tensor_count(&args->outputs[i]) == 0) {
            return false;
        }
    }
    return operand_fits(&args->inputs[0], true);
}

/* Steps that training makes. */
static vt_status lower_internal(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                                vt_error *error)
{
    if (strcmp(step->node.op->name, VT_ELEMENTWISE_NAME) == 0) {
        return vt_lower_elementwise(dnnl, step, args, done, error);
    }
    for (size_t i = 0; i < sizeof internals / sizeof internals[0]; i++) {
        const lowering *row = &internals[i];
        if (strcmp(row->op, step->node.op->name) != 0) {
            continue;
        }
        bool fits = step->post_count == 0;
        for (size_t k = 0; k < step->node.input_count; k++) {
            fits = fits && operand_fits(&args->inputs[k], row->heavy);
        }
        for (size_t k = 0; k < step->node.output_count; k++) {
            fits = fits && operand_fits(&args->outputs[k], row->heavy);
        }
        return fits ? row->function(dnnl, step, args, done, error) : VT_OK;
    }
    return VT_OK;
}

static vt_status lower_with_row(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                                vt_error *error)
{
    if (strcmp(step->node.op->domain, VT_ELEMENTWISE_DOMAIN) == 0) {
        return lower_internal(dnnl, step, args, done, error);
    }
    const lowering *row = find_lowering(step, views, sizeof views / sizeof views[0]);
    if (can_view(row, step, args)) {
        return row->function(dnnl, step, args, done, error);
    }
    row = find_lowering(step, table, sizeof table / sizeof table[0]);
    return can_lower(row, step, args) ? row->function(dnnl, step, args, done, error) : VT_OK;
}

/* Where a primitive exists for the step but not for its posts, they follow as plain code: better
 * than a convolution by the reference. */
static vt_status lower_apart(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                             vt_error *error)
{
    vt_step *bare = vt_arena_array(&dnnl->arena, 1, sizeof *bare);
    if (!bare) {
        return vt_fail_memory(error, "a step");
    }
    *bare = *step;
    bare->post_count = 0;
    vt_status status = lower_with_row(dnnl, bare, args, done, error);
    return status == VT_OK && *done ? lower_posts_apart(dnnl, step, error) : status;
}

vt_status vt_dnnl_lower(vt_dnnl *dnnl, const vt_step *step, vt_error *error)
{
    const vt_node *node = &step->node;
    vt_tensor *inputs = vt_calloc(node->input_count, sizeof *inputs);
    vt_tensor *outputs = vt_calloc(node->output_count, sizeof *outputs);
    vt_status status = VT_OK;
    if (!inputs || !outputs) {
        status = vt_fail_memory(error, "a step");
        goto out;
    }
    vt_op_args args;
    vt_plan_args(dnnl->plan, node, inputs, outputs, &args);
    bool done = false;
    status = lower_with_row(dnnl, step, &args, &done, error);
    if (status == VT_OK && !done && step->quant) {
        status = vt_fail(error, VT_ERR_UNSUPPORTED, "onednn has no integer form of it");
    }
    if (status == VT_OK && !done && step->post_count > 0) {
        status = lower_apart(dnnl, step, &args, &done, error);
    }
    if (status == VT_OK && !done) {
        status = lower_reference(dnnl, step, error);
    }
out:
    if (status != VT_OK) {
        char label[256];
        vt_node_label(dnnl->plan->graph, node, label, sizeof label);
        vt_fail_context(error, status, "prepare %s", label);
    }
    vt_free(inputs);
    vt_free(outputs);
    return status;
}
