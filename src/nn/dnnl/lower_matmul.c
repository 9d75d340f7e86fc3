/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gemm and MatMul, both on oneDNN's matmul primitive.
 *
 * A constant second factor is left to oneDNN's choice of layout and arranged once. A stack of
 * matrices times one matrix is one tall matrix times that one.
 *
 * Gemm computes alpha A B + beta C. C becomes the primitive's bias where it is one row and alpha is
 * 1, else it is added behind the product; a beta other than 1 (rare: no exporter writes it) is left
 * to the reference.
 */
#include "nn/dnnl/lower.h"

typedef struct product_shape {
    int rank; /* of all three */
    int64_t a[VT_MAX_RANK], b[VT_MAX_RANK], result[VT_MAX_RANK];
} product_shape;

/* What one matmul primitive is asked for. layouts: a, b, bias or NULL, result; readings: of a and b
 * where they are stored transposed. */
typedef struct matmul_call {
    vt_layout *layouts[4], *readings[2];
    vt_posts posts;
    vt_value_id bias, addend; /* VT_NO_VALUE: none */
    vt_layout *addend_layout;
} matmul_call;

static void call_deinit(matmul_call *call)
{
    vt_lower_layouts_free(call->layouts, 4);
    vt_lower_layouts_free(call->readings, 2);
    vt_layout_free(call->addend_layout);
}

static vt_status call_add(vt_dnnl *dnnl, const vt_step *step, const matmul_call *call, bool *done,
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
    vt_operand operands[5] = {
        {DNNL_ARG_SRC, node->inputs[0], dnnl_query_src_md, 0, false, call->readings[0]},
        {DNNL_ARG_WEIGHTS, node->inputs[1], dnnl_query_weights_md, 0, false, call->readings[1]},
        {DNNL_ARG_DST, node->outputs[0], dnnl_query_dst_md, 0, true, NULL},
    };
    int count = 3;
    if (call->bias != VT_NO_VALUE) {
        operands[count++] = (vt_operand){
            .name = DNNL_ARG_BIAS, .value = call->bias, .query = dnnl_query_weights_md, .index = 1};
    }
    if (call->addend != VT_NO_VALUE) { /* the post-op behind the scaling by alpha, or the first */
        int at = call->posts.items[0].kind == VT_APPEND_BINARY ? 0 : 1;
        operands[count++] = (vt_operand){
            .name = DNNL_ARG_ATTR_MULTIPLE_POST_OP(at) | DNNL_ARG_SRC_1,
            .value = call->addend,
            .reading = call->addend_layout,
            .index = -1,
        };
    }
    return vt_lower_primitive(dnnl, step, desc, operands, count, error);
}

/* ---- MatMul ---- */

static void copy_dims(int64_t *to, const vt_shape *from, int rank)
{
    for (int i = 0; i < rank; i++) {
        int at = i - (rank - from->rank);
        to[i] = at < 0 ? 1 : from->dims[at];
    }
}

/* Vectors count as a row on the left and a column on the right; the shorter stack of matrices is
 * extended by ones in front. */
static void matmul_product(const vt_op_args *args, product_shape *out)
{
    vt_shape a = args->inputs[0].shape, b = args->inputs[1].shape;
    *out = (product_shape){0};
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
    out->rank = a.rank > b.rank ? a.rank : b.rank;
    copy_dims(out->a, &a, out->rank);
    copy_dims(out->b, &b, out->rank);
    for (int i = 0; i < out->rank - 2; i++) {
        out->result[i] = out->a[i] > out->b[i] ? out->a[i] : out->b[i];
    }
    out->result[out->rank - 2] = out->a[out->rank - 2];
    out->result[out->rank - 1] = out->b[out->rank - 1];
}

vt_status vt_lower_matmul(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                          vt_error *error)
{
    product_shape product;
    matmul_product(args, &product);
    bool arrange = vt_lower_constant(dnnl, step, 1) != NULL;
    matmul_call call = {
        .layouts = {vt_layout_new_plain(product.rank, product.a, VT_F32),
                    arrange ? vt_layout_new_any(product.rank, product.b, VT_F32)
                            : vt_layout_new_plain(product.rank, product.b, VT_F32),
                    NULL, vt_layout_new_plain(product.rank, product.result, VT_F32)},
        .bias = VT_NO_VALUE,
        .addend = VT_NO_VALUE,
    };
    vt_lower_posts(step, &call.posts);
    vt_status status = call.layouts[0] && call.layouts[1] && call.layouts[3]
                           ? call_add(dnnl, step, &call, done, error)
                           : vt_fail_memory(error, "the layouts of a product");
    call_deinit(&call);
    return status;
}

/* ---- Gemm ---- */

/* A factor whose logical dimensions are these; swapped: its bytes hold the transpose row by row. */
static bool factor_layouts(const int64_t dims[2], bool swapped, bool arrange, vt_layout **layout,
                           vt_layout **reading)
{
    const int64_t strides[2] = {1, dims[0]};
    *reading = swapped ? vt_layout_new_strided(2, dims, strides, VT_F32) : NULL;
    if (arrange) {
        *layout = vt_layout_new_any(2, dims, VT_F32);
    } else {
        *layout = swapped ? vt_layout_new_strided(2, dims, strides, VT_F32)
                          : vt_layout_new_plain(2, dims, VT_F32);
    }
    return *layout && (!swapped || *reading);
}

/* C as bias when it is one row and the product is not scaled, else as a post-op. */
static bool gemm_addend(const vt_step *step, const vt_op_args *args, float alpha,
                        const int64_t result[2], matmul_call *call)
{
    if (step->node.input_count < 3 || args->inputs[2].dtype == VT_DTYPE_NONE) {
        return true;
    }
    int64_t dims[2] = {1, 1};
    copy_dims(dims, &args->inputs[2].shape, 2);
    if (alpha == 1.0F && dims[0] == 1 && dims[1] == result[1]) {
        call->bias = step->node.inputs[2];
        call->layouts[2] = vt_layout_new_plain(2, dims, VT_F32);
        return call->layouts[2] != NULL;
    }
    call->addend = step->node.inputs[2];
    call->addend_layout = vt_layout_new_plain(2, dims, VT_F32);
    call->posts.items[call->posts.count++] = (vt_post){
        .kind = VT_APPEND_BINARY,
        .algorithm = dnnl_binary_add,
        .operand = call->addend_layout,
    };
    return call->addend_layout != NULL;
}

vt_status vt_lower_gemm(vt_dnnl *dnnl, const vt_step *step, vt_op_args *args, bool *done,
                        vt_error *error)
{
    const vt_node *node = &step->node;
    const int64_t *a = args->inputs[0].shape.dims, *result = args->outputs[0].shape.dims;
    bool a_swapped = vt_node_int(node, "transA", 0) != 0;
    bool b_swapped = vt_node_int(node, "transB", 0) != 0;
    float alpha = vt_node_float(node, "alpha", 1.0F), beta = vt_node_float(node, "beta", 1.0F);
    bool has_c = node->input_count > 2 && args->inputs[2].dtype != VT_DTYPE_NONE;
    if ((has_c && (beta != 1.0F || args->inputs[2].shape.rank > 2)) ||
        args->inputs[0].shape.rank != 2 || args->inputs[1].shape.rank != 2) {
        return VT_OK;
    }
    const int64_t inner = a_swapped ? a[0] : a[1];
    const int64_t first[2] = {result[0], inner}, second[2] = {inner, result[1]};
    matmul_call call = {.bias = VT_NO_VALUE, .addend = VT_NO_VALUE};
    if (alpha != 1.0F) {
        call.posts.items[call.posts.count++] =
            (vt_post){.kind = VT_APPEND_ELTWISE, .algorithm = dnnl_eltwise_linear, .alpha = alpha};
    }
    bool arrange = vt_lower_constant(dnnl, step, 1) != NULL;
    call.layouts[3] = vt_layout_new_plain(2, result, VT_F32);
    vt_status status;
    if (!call.layouts[3] ||
        !factor_layouts(first, a_swapped, false, &call.layouts[0], &call.readings[0]) ||
        !factor_layouts(second, b_swapped, arrange, &call.layouts[1], &call.readings[1]) ||
        !gemm_addend(step, args, alpha, result, &call)) {
        status = vt_fail_memory(error, "the layouts of a product");
    } else {
        vt_lower_posts(step, &call.posts);
        status = call_add(dnnl, step, &call, done, error);
    }
    call_deinit(&call);
    return status;
}
