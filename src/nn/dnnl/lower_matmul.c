/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gemm and MatMul, both on oneDNN's matmul primitive.
 *
 * A constant second factor is left to oneDNN's choice of layout and arranged once. A stack of
 * matrices times one matrix is one tall matrix times that one. A row vector that is added first
 * becomes the primitive's bias, whether Gemm brings it as C or a pass has folded it into the step.
 *
 * Gemm computes alpha A B + beta C. C becomes the primitive's bias where it is one row and alpha is
 * 1, else it is added behind the product; a beta other than 1 (rare: no exporter writes it) is left
 * to the reference.
 */
#include "nn/dnnl/lower.h"

/* The three tensors of a product, all of one rank. */
typedef struct product_shape {
    vt_shape a, b, result;
} product_shape;

/* What one matmul primitive is asked for. layouts: a, b, bias or NULL, result; readings: of a and b
 * where they are stored transposed. */
typedef struct matmul_call {
    vt_layout *layouts[4], *readings[2];
    vt_posts posts;
    vt_value_id bias; /* VT_NO_VALUE: none */
    vt_lower_quant quant;
} matmul_call;

static void call_deinit(matmul_call *call)
{
    vt_lower_layouts_free(call->layouts, 4);
    vt_lower_layouts_free(call->readings, 2);
    vt_lower_posts_deinit(&call->posts);
    vt_lower_quant_deinit(&call->quant);
}

static vt_status call_add(vt_dnnl *dnnl, const vt_step *step, matmul_call *call, bool *done,
                          vt_error *error)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t answer =
        vt_pd_matmul(dnnl->engine, (const vt_layout *const *)call->layouts, &call->posts, &desc);
    vt_status status = vt_lower_answer(answer, done, error);
    if (status != VT_OK || !*done) {
        return status;
    }
    const vt_node *node = &step->node;
    vt_operand operands[VT_LOWER_OPERANDS] = {
        {.name = DNNL_ARG_SRC,
         .value = node->inputs[0],
         .query = dnnl_query_src_md,
         .reading = call->readings[0]},
        {.name = DNNL_ARG_WEIGHTS,
         .value = node->inputs[1],
         .query = dnnl_query_weights_md,
         .reading = call->readings[1]},
        {.name = DNNL_ARG_DST,
         .value = node->outputs[0],
         .query = dnnl_query_dst_md,
         .written = true,
         .onto = vt_lower_sum_of(&call->posts)},
    };
    int count = 3;
    if (step->quant) {
        count = vt_lower_quant_operands(&call->quant, operands, count);
    } else if (call->bias != VT_NO_VALUE) {
        operands[count++] = (vt_operand){
            .name = DNNL_ARG_BIAS, .value = call->bias, .query = dnnl_query_weights_md, .index = 1};
    }
    count = vt_lower_post_operands(&call->posts, operands, count);
    return vt_lower_primitive(dnnl, step, desc, operands, count, error);
}

static vt_dtype weights_type(const vt_step *step)
{
    return step->quant ? VT_I8 : step->compute;
}

/* A layout of the bias: ones, then the row. */
static vt_layout *bias_layout(const vt_shape *result)
{
    int64_t dims[VT_MAX_RANK];
    for (int i = 0; i < result->rank; i++) {
        dims[i] = i + 1 == result->rank ? result->dims[i] : 1;
    }
    return vt_layout_new_plain(result->rank, dims, VT_F32);
}

static bool is_row(const vt_shape *shape, int64_t length)
{
    for (int i = 0; i + 1 < shape->rank; i++) {
        if (shape->dims[i] != 1) {
            return false;
        }
    }
    return shape->rank > 0 && shape->dims[shape->rank - 1] == length;
}

/* The rest of the call: a folded row as bias where there is none yet, the other posts as post-ops.
 */
static vt_status call_posts(vt_dnnl *dnnl, const vt_step *step, const vt_shape *result,
                            matmul_call *call, bool *possible, vt_error *error)
{
    const vt_step_post *post = &step->posts[0];
    call->posts.sums = true;
    if (step->quant) {
        *possible = true;
        if (!call->layouts[2] && vt_lower_quant_has_bias(step, call->bias)) {
            call->layouts[2] = bias_layout(result);
            if (!call->layouts[2]) {
                return vt_fail_memory(error, "the layout of a bias");
            }
        }
        return vt_lower_quant_init(dnnl, step, result, call->bias, &call->posts, &call->quant,
                                   error);
    }
    if (call->bias == VT_NO_VALUE && call->posts.count == 0 && step->post_count > 0 &&
        post->kind == VT_POST_ADD && dnnl->plan->values[post->operand].constant &&
        is_row(&dnnl->plan->values[post->operand].tensor.shape, result->dims[result->rank - 1])) {
        call->bias = post->operand;
        call->layouts[2] = bias_layout(result);
        call->posts.first = 1;
        if (!call->layouts[2]) {
            return vt_fail_memory(error, "the layout of a bias");
        }
    }
    return vt_lower_posts(dnnl, step, result, &call->posts, possible, error);
}

/* ---- MatMul ---- */

static void pad_shape(vt_shape *shape, int rank)
{
    vt_shape padded = {.rank = rank};
    for (int i = 0; i < rank; i++) {
        int at = i - (rank - shape->rank);
        padded.dims[i] = at < 0 ? 1 : shape->dims[at];
    }
    *shape = padded;
}

/* Vectors count as a row on the left and a column on the right; the shorter stack of matrices is
 * extended by ones in front. */
static void matmul_product(const vt_op_args *args, product_shape *out)
{
    vt_shape a = args->inputs[0].shape, b = args->inputs[1].shape;
    if (a.rank == 1) {
        a = (vt_shape){.rank = 2, .dims = {1, a.dims[0]}};
    }
    if (b.rank == 1) {
        b = (vt_shape){.rank = 2, .dims = {b.dims[0], 1}};
    }
    if (b.rank == 2) { /* one matrix for all rows of a */
        int64_t rows = 1;
        for (int i = 0; i + 1 < a.rank; i++) {
            rows *= a.dims[i];
        }
        a = (vt_shape){.rank = 2, .dims = {rows, a.dims[a.rank - 1]}};
    }
    int rank = a.rank > b.rank ? a.rank : b.rank;
    pad_shape(&a, rank);
    pad_shape(&b, rank);
    *out = (product_shape){a, b, a};
    for (int i = 0; i < rank - 2; i++) {
        out->result.dims[i] = a.dims[i] > b.dims[i] ? a.dims[i] : b.dims[i];
    }
    out->result.dims[rank - 1] = b.dims[rank - 1];
}

vt_status vt_lower_matmul(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                          vt_error *error)
{
    product_shape product;
    matmul_product(args, &product);
    int rank = product.a.rank;
    bool arrange = vt_lower_constant(dnnl, step, 1) != NULL, possible = false;
    matmul_call call = {
        .layouts = {vt_layout_new_plain(rank, product.a.dims, step->compute),
                    arrange ? vt_layout_new_any(rank, product.b.dims, weights_type(step))
                            : vt_layout_new_plain(rank, product.b.dims, weights_type(step)),
                    NULL, vt_layout_new_plain(rank, product.result.dims, step->result)},
        .bias = VT_NO_VALUE,
    };
    vt_status status = call.layouts[0] && call.layouts[1] && call.layouts[3]
                           ? call_posts(dnnl, step, &product.result, &call, &possible, error)
                           : vt_fail_memory(error, "the layouts of a product");
    if (status == VT_OK && possible) {
        status = call_add(dnnl, step, &call, done, error);
    }
    call_deinit(&call);
    return status;
}

/* ---- Gemm ---- */

/* A factor whose logical dimensions are these; swapped: its bytes hold the transpose row by row. */
static bool factor_layouts(const int64_t dims[2], bool swapped, vt_dtype dtype, bool arrange,
                           vt_layout *both[2])
{
    const int64_t strides[2] = {1, dims[0]};
    both[1] = swapped ? vt_layout_new_strided(2, dims, strides, dtype) : NULL;
    if (arrange) {
        both[0] = vt_layout_new_any(2, dims, dtype);
    } else {
        both[0] = swapped ? vt_layout_new_strided(2, dims, strides, dtype)
                          : vt_layout_new_plain(2, dims, dtype);
    }
    return both[0] && (!swapped || both[1]);
}

/* C as bias when it is one row and the product is not scaled, else as a post-op. */
static bool gemm_addend(const vt_step *step, const vt_op_args *args, float alpha,
                        const vt_shape *result, matmul_call *call)
{
    if (step->node.input_count < 3 || args->inputs[2].dtype == VT_DTYPE_NONE) {
        return true;
    }
    vt_shape c = args->inputs[2].shape;
    pad_shape(&c, 2);
    if (alpha == 1.0F && is_row(&c, result->dims[1])) {
        call->bias = step->node.inputs[2];
        call->layouts[2] = bias_layout(result);
        return call->layouts[2] != NULL;
    }
    vt_layout *layout = vt_layout_new_plain(2, c.dims, VT_F32);
    if (layout) {
        call->posts.items[call->posts.count++] = (vt_post){
            .kind = VT_APPEND_BINARY,
            .algorithm = dnnl_binary_add,
            .operand = layout,
            .value = step->node.inputs[2],
        };
    }
    return layout != NULL;
}

static bool gemm_layouts(const vt_step *step, const vt_op_args *args, bool arrange,
                         matmul_call *call)
{
    const vt_node *node = &step->node;
    const int64_t *a = args->inputs[0].shape.dims, *result = args->outputs[0].shape.dims;
    bool a_swapped = vt_node_int(node, "transA", 0) != 0;
    bool b_swapped = vt_node_int(node, "transB", 0) != 0;
    const int64_t inner = a_swapped ? a[0] : a[1];
    const int64_t first[2] = {result[0], inner}, second[2] = {inner, result[1]};
    vt_layout *left[2] = {NULL, NULL}, *right[2] = {NULL, NULL};
    bool made = factor_layouts(first, a_swapped, step->compute, false, left) &&
                factor_layouts(second, b_swapped, weights_type(step), arrange, right);
    call->layouts[0] = left[0];
    call->readings[0] = left[1];
    call->layouts[1] = right[0];
    call->readings[1] = right[1];
    call->layouts[3] = vt_layout_new_plain(2, result, step->result);
    return made && call->layouts[3];
}

vt_status vt_lower_gemm(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                        vt_error *error)
{
    const vt_node *node = &step->node;
    const vt_shape *result = &args->outputs[0].shape;
    float alpha = vt_node_float(node, "alpha", 1.0F), beta = vt_node_float(node, "beta", 1.0F);
    bool has_c = node->input_count > 2 && args->inputs[2].dtype != VT_DTYPE_NONE, possible = false;
    if ((has_c && (beta != 1.0F || args->inputs[2].shape.rank > 2)) ||
        args->inputs[0].shape.rank != 2 || args->inputs[1].shape.rank != 2) {
        return VT_OK;
    }
    matmul_call call = {.bias = VT_NO_VALUE};
    if (alpha != 1.0F) {
        call.posts.items[call.posts.count++] =
            (vt_post){.kind = VT_APPEND_ELTWISE, .algorithm = dnnl_eltwise_linear, .alpha = alpha};
    }
    bool arrange = vt_lower_constant(dnnl, step, 1) != NULL;
    vt_status status =
        gemm_layouts(step, args, arrange, &call) && gemm_addend(step, args, alpha, result, &call)
            ? call_posts(dnnl, step, result, &call, &possible, error)
            : vt_fail_memory(error, "the layouts of a product");
    if (status == VT_OK && possible) {
        status = call_add(dnnl, step, &call, done, error);
    }
    call_deinit(&call);
    return status;
}
