/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of what CNNs are made of. */
#include "nn/gradients.h"

/* Convolutions: padding, stride, groups, dilation. */
typedef struct conv_form {
    int64_t x[4], w[4], strides[2], pads[4], dilations[2], group;
    bool bias;
} conv_form;

static conv_form form;

static vt_value_id make_conv(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 4, form.x), w = grad_input(b, type, 4, form.w);
    vt_value_id bias = form.bias ? grad_input(b, type, 1, form.w) : VT_NO_VALUE;
    const vt_attr attrs[] = {attr_ints("strides", 2, form.strides), attr_ints("pads", 4, form.pads),
                             attr_ints("dilations", 2, form.dilations),
                             attr_int("group", form.group)};
    const vt_value_id inputs[] = {x, w, bias};
    return builder_node(b, "Conv", 13, inputs, form.bias ? 3 : 2, attrs, 4);
}

static void test_conv(void **state)
{
    (void)state;
    static const conv_form forms[] = {
        {{2, 3, 5, 5}, {4, 3, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, true},
        {{1, 4, 6, 5}, {6, 2, 3, 2}, {2, 1}, {0, 1, 1, 0}, {1, 1}, 2, false},
        {{2, 4, 5, 5}, {4, 1, 3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 4, true},
        {{1, 2, 7, 7}, {3, 2, 2, 3}, {1, 1}, {2, 0, 0, 2}, {2, 2}, 1, true},
        {{2, 5, 3, 3}, {4, 5, 1, 1}, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1, false},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        form = forms[i];
        assert_int_equal(grad_check(make_conv, -1, 1), 0);
    }
}

static vt_value_id make_conv_transpose(builder *b, vt_dtype type)
{
    const vt_attr attrs[] = {attr_ints("strides", 2, form.strides), attr_ints("pads", 4, form.pads),
                             attr_ints("output_padding", 2, form.dilations),
                             attr_int("group", form.group)};
    const vt_value_id inputs[] = {grad_input(b, type, 4, form.x), grad_input(b, type, 4, form.w),
                                  grad_input(b, type, 1, DIMS(form.w[1] * form.group))};
    return builder_node(b, "ConvTranspose", 11, inputs, 3, attrs, 4);
}

static void test_conv_transpose(void **state)
{
    (void)state;
    static const conv_form forms[] = {
        {{2, 3, 4, 3}, {3, 4, 2, 2}, {2, 2}, {0, 0, 0, 0}, {0, 0}, 1, true},
        {{1, 4, 3, 3}, {4, 2, 3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 2, true},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        form = forms[i];
        grad_check(make_conv_transpose, -1, 1);
    }
}

static vt_value_id make_gemm(builder *b, vt_dtype type)
{
    const vt_attr attrs[] = {attr_int("transA", form.x[2]), attr_int("transB", form.x[3]),
                             attr_float("alpha", 0.5F), attr_float("beta", 2.0F)};
    const vt_value_id inputs[] = {grad_input(b, type, 2, form.x[2] != 0 ? DIMS(5, 3) : DIMS(3, 5)),
                                  grad_input(b, type, 2, form.x[3] != 0 ? DIMS(4, 5) : DIMS(5, 4)),
                                  grad_input(b, type, 1, DIMS(4))};
    return builder_node(b, "Gemm", 13, inputs, 3, attrs, 4);
}

static void test_gemm(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 4; i++) {
        form.x[2] = i & 1;
        form.x[3] = i >> 1;
        assert_true(grad_check(make_gemm, -1, 1) <= 1); /* Gemm itself, for its alpha and beta */
    }
}

static const int64_t *left, *right;
static int left_rank, right_rank;

static vt_value_id make_matmul(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, left_rank, left);
    return builder_binary(b, "MatMul", x, grad_input(b, type, right_rank, right));
}

static void test_matmul(void **state)
{
    (void)state;
    static const struct {
        int left, right;
        int64_t x[4], y[4];
    } cases[] = {
        {2, 2, {3, 4}, {4, 2}},          {3, 2, {2, 3, 4}, {4, 5}}, {3, 3, {2, 3, 4}, {2, 4, 5}},
        {4, 3, {2, 3, 2, 4}, {1, 4, 2}}, {1, 2, {4}, {4, 3}},       {2, 1, {3, 4}, {4}},
        {1, 3, {4}, {2, 4, 3}},          {1, 1, {4}, {4}},          {3, 1, {2, 3, 4}, {4}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        left = cases[i].x;
        right = cases[i].y;
        left_rank = cases[i].left;
        right_rank = cases[i].right;
        grad_check(make_matmul, -1, 1);
    }
}

static const char *op;

static vt_value_id make_pool(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 4, form.x);
    const vt_attr attrs[] = {attr_ints("kernel_shape", 2, form.w), attr_ints("pads", 4, form.pads),
                             attr_ints("strides", 2, form.strides),
                             attr_int("ceil_mode", form.group),
                             attr_int("count_include_pad", form.bias)};
    bool average = strcmp(op, "AveragePool") == 0;
    return builder_node(b, op, 11, &x, 1, attrs, average ? 5 : 4);
}

static vt_value_id make_global(builder *b, vt_dtype type)
{
    return builder_unary(b, op, grad_input(b, type, 4, DIMS(2, 3, 3, 4)));
}

static void test_pools(void **state)
{
    (void)state;
    static const conv_form forms[] = {
        {{2, 3, 6, 6}, {2, 2}, {2, 2}, {0}, {0}, 0, false},
        {{1, 3, 7, 5}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {0}, 0, false},
        {{1, 3, 7, 5}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {0}, 0, true},
        {{1, 2, 6, 6}, {3, 2}, {2, 1}, {0}, {0}, 1, false},
    };
    static const char *const ops[] = {"MaxPool", "AveragePool"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        for (size_t k = 0; k < 2; k++) {
            form = forms[i];
            op = ops[k];
            grad_check(make_pool, -1, 1);
        }
    }
    op = "GlobalAveragePool";
    assert_int_equal(grad_check(make_global, -1, 1), 0);
    op = "GlobalMaxPool";
    grad_check(make_global, -1, 1);
}

static vt_value_id make_batchnorm(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 4, DIMS(2, 3, 2, 3)),
                                  grad_input(b, type, 1, DIMS(3)), grad_input(b, type, 1, DIMS(3)),
                                  builder_constant_of(b, type, 1, DIMS(3), 0.2F, 0.4F),
                                  builder_constant_of(b, type, 1, DIMS(3), 0.6F, 1.4F)};
    return builder_node(b, "BatchNormalization", 15, inputs, 5, NULL, 0);
}

/* The internal operator, as training makes it. */
static vt_value_id make_batchnorm_training(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 4, DIMS(3, 4, 2, 3)),
                                  grad_input(b, type, 1, DIMS(4)), grad_input(b, type, 1, DIMS(4))};
    vt_value_id outputs[3] = {builder_value(b), builder_value(b), builder_value(b)};
    vt_node node = {.op = vt_op_find("vitrine", "BatchNormTraining", 1),
                    .opset = 1,
                    .name = "",
                    .inputs = (vt_value_id *)(uintptr_t)inputs,
                    .outputs = outputs,
                    .input_count = 3,
                    .output_count = 3};
    assert_int_equal(vt_graph_add_node(&b->graph, &node, NULL), VT_OK);
    return outputs[0];
}

static void test_batchnorm(void **state)
{
    (void)state;
    grad_check(make_batchnorm, -1, 1);
    assert_int_equal(grad_check(make_batchnorm_training, -1, 1), 0);
}

static vt_value_id make_relu(builder *b, vt_dtype type)
{
    return builder_unary(b, "Relu", grad_input(b, type, 4, DIMS(2, 3, 2, 2)));
}

static void test_relu(void **state)
{
    (void)state;
    assert_int_equal(grad_check(make_relu, -1, 1), 0);
}

/* A residual block of everything. */
static vt_value_id make_block(builder *b, vt_dtype type)
{
    const vt_attr pads = attr_ints("pads", 4, DIMS(1, 1, 1, 1));
    const vt_attr flat = attr_int("axis", 1);
    vt_value_id x = grad_input(b, type, 4, DIMS(2, 16, 6, 6));
    vt_value_id w = grad_input(b, type, 4, DIMS(16, 16, 3, 3));
    vt_value_id y = builder_node(b, "Conv", 13, (const vt_value_id[]){x, w}, 2, &pads, 1);
    y = builder_unary(b, "Relu", y);
    y = builder_node(b, "Conv", 13, (const vt_value_id[]){y, w}, 2, &pads, 1);
    y = builder_unary(b, "Relu", builder_binary(b, "Add", x, y));
    y = builder_unary(b, "GlobalAveragePool", y);
    y = builder_node(b, "Flatten", 13, &y, 1, &flat, 1);
    return builder_binary(b, "MatMul", y, grad_input(b, type, 2, DIMS(16, 5)));
}

static void test_block(void **state)
{
    (void)state;
    assert_int_equal(grad_check_executors(make_block, -0.5F, 0.5F, VT_PRECISION_F32, 2e-4), 0);
    grad_check_executors(make_block, -0.5F, 0.5F, VT_PRECISION_BF16, 0.01);
}

static vt_value_id make_entropy(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(4, 5));
    vt_value_id targets = builder_input(b, VT_I64, 1, DIMS(4));
    return builder_node(b, "SoftmaxCrossEntropyLoss", 13, (const vt_value_id[]){x, targets}, 2,
                        NULL, 0);
}

static vt_value_id make_entropy_none(builder *b, vt_dtype type)
{
    const vt_attr attrs[] = {attr_text("reduction", "none"), attr_int("ignore_index", 1)};
    const vt_value_id inputs[] = {grad_input(b, type, 3, DIMS(2, 4, 3)),
                                  builder_input(b, VT_I64, 2, DIMS(2, 3)),
                                  builder_constant_of(b, type, 1, DIMS(4), 0.5F, 2.0F)};
    return builder_node(b, "SoftmaxCrossEntropyLoss", 13, inputs, 3, attrs, 2);
}

static vt_value_id make_likelihood(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 2, DIMS(4, 5)),
                                  builder_input(b, VT_I64, 1, DIMS(4)),
                                  builder_constant_of(b, type, 1, DIMS(5), 0.5F, 2.0F)};
    return builder_node(b, "NegativeLogLikelihoodLoss", 13, inputs, 3, NULL, 0);
}

static void test_losses(void **state)
{
    (void)state;
    grad_check(make_entropy, -1, 1);
    grad_check(make_entropy_none, -1, 1);
    grad_check(make_likelihood, -1, 1);
}

/* An operator without a gradient on the way is named; one off the way is not met. */
static void test_unsupported(void **state)
{
    (void)state;
    builder b;
    vt_error error = {0};
    vt_value_id gradient;
    builder_init(&b, 1);
    vt_value_id x = builder_input(&b, VT_F32, 0, NULL),
                stored = builder_input(&b, VT_U8, 1, DIMS(3));
    vt_value_id y = builder_binary(&b, "DequantizeLinear", stored, x);
    const vt_attr keep = attr_int("keepdims", 0);
    y = builder_node(&b, "ReduceSum", 13, &y, 1, &keep, 1);
    builder_output(&b, y);
    vt_plan *plan = builder_plan(&b);
    assert_int_equal(vt_plan_differentiate(plan, y, &x, 1, &gradient, &error), VT_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "DequantizeLinear node"));
    vt_plan_free(plan);
    builder_deinit(&b);
}

/* Every allocation fails once. */
static void test_no_memory(void **state)
{
    (void)state;
    grad_graph g;
    vt_status status = VT_ERR_NO_MEMORY;
    grad_build(&g, make_block, VT_F32);
    for (int64_t tries = 0; status != VT_OK; tries++) {
        vt_error error = {0};
        vt_value_id wanted[BUILDER_MAXIMUM];
        g.b.output_count = 1;
        vt_plan *plan = builder_plan(&g.b);
        for (size_t i = 0; i < g.count; i++)
            wanted[i] = g.b.inputs[g.wanted[i]];
        assert_true(tries < 2000);
        vt_mem_fail_after(tries);
        status = vt_plan_differentiate(plan, g.b.outputs[0], wanted, g.count, g.gradients, &error);
        vt_mem_fail_after(-1);
        assert_true(status == VT_OK || status == VT_ERR_NO_MEMORY);
        assert_int_equal(error.status, status);
        vt_plan_free(plan);
    }
    builder_deinit(&g.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),      cmocka_unit_test(test_conv_transpose),
        cmocka_unit_test(test_gemm),      cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_pools),     cmocka_unit_test(test_batchnorm),
        cmocka_unit_test(test_relu),      cmocka_unit_test(test_losses),
        cmocka_unit_test(test_block),     cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
