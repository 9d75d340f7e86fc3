/* SPDX-License-Identifier: Apache-2.0 */
/* Which quantised steps multiply integers, and what the passes leave alone. Numbers:
 * test_dnnl_quant.c. */
#include "qdq_builder.h"

static const qdq source_u8 = {VT_U8, 0.02F, 128}, result_u8 = {VT_U8, 0.05F, 3};
static const int64_t kernel[4] = {8, 4, 3, 3};

static vt_value_id maps(builder *b)
{
    return builder_input(b, VT_F32, 4, (const int64_t[]){1, 4, 6, 6});
}

static vt_value_id conv(builder *b, vt_value_id x, vt_value_id w, vt_value_id bias)
{
    const vt_value_id inputs[] = {x, w, bias};
    return builder_node(b, "Conv", 13, inputs, bias == VT_NO_VALUE ? 2 : 3, NULL, 0);
}

static vt_value_id good_weights(builder *b)
{
    return qdq_weights(b, 4, kernel, &(qdq_weight){.axis = 0, .count = 8});
}

static vt_value_id rows(builder *b, int rank)
{
    static const int64_t dims[] = {2, 3, 5, 6};
    return builder_input(b, VT_F32, rank, dims + 4 - rank);
}

/* The one step on integers, looked at by `check`. */
static void expect(builder *b, vt_value_id y, size_t integer_steps)
{
    builder_output(b, y);
    vt_plan *plan = qdq_plan(b);
    assert_int_equal(qdq_integer_steps(plan), integer_steps);
    vt_plan_free(plan);
    builder_deinit(b);
}

static void test_convolution(void **state)
{
    (void)state;
    static const qdq sources[] = {{VT_U8, 0.02F, 128}, {VT_U8, 0.02F, 0}, {VT_I8, 0.02F, -5}};
    for (size_t s = 0; s < 3; s++) {
        for (int form = 0; form < 6; form++) {
            builder b;
            builder_init(&b, s);
            vt_value_id bias = form % 3 == 0   ? VT_NO_VALUE
                               : form % 3 == 1 ? qdq_bias(&b, 8, 0.0002F)
                                               : builder_constant(&b, 1, kernel, -1, 1);
            vt_value_id w = qdq_weights(&b, 4, kernel,
                                        &(qdq_weight){.axis = form == 4 ? -4 : 0,
                                                      .count = form < 3 ? 0 : 8,
                                                      .with_zeros = true});
            vt_value_id y = conv(&b, qdq_pair(&b, maps(&b), &sources[s]), w, bias);
            builder_output(&b, qdq_pair(&b, y, &result_u8));
            vt_plan *plan = qdq_plan(&b);
            assert_int_equal(plan->step_count, 3); /* quantise, multiply, dequantise */
            const vt_step *step = &plan->steps[1];
            assert_true(step->compute == sources[s].dtype && step->result == VT_U8);
            assert_true(step->quant->source.scale == sources[s].scale);
            assert_int_equal(step->quant->source.zero, sources[s].zero);
            assert_true(step->quant->result.scale == result_u8.scale);
            assert_int_equal(step->quant->result.zero, result_u8.zero);
            assert_int_equal(step->quant->weight_scale_count, form < 3 ? 1 : 8);
            assert_int_equal(plan->values[step->node.inputs[0]].tensor.dtype, sources[s].dtype);
            assert_int_equal(plan->values[step->node.inputs[1]].tensor.dtype, VT_I8);
            assert_int_equal(plan->values[step->node.outputs[0]].tensor.dtype, VT_U8);
            vt_plan_free(plan);
            builder_deinit(&b);
        }
    }
}

static void test_products(void **state)
{
    (void)state;
    for (int form = 0; form < 6; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        bool gemm = form >= 4;
        vt_value_id x = qdq_pair(&b, rows(&b, gemm ? 2 : 2 + form % 3), &source_u8);
        const vt_attr swapped = attr_int("transB", form == 5);
        const int64_t dims[2] = {form == 5 ? 7 : 6, form == 5 ? 6 : 7};
        vt_value_id w = qdq_weights(&b, 2, dims, &(qdq_weight){.axis = form != 5, .count = 7});
        const vt_value_id inputs[] = {x, w, qdq_bias(&b, 7, 0.0002F)};
        vt_value_id y =
            builder_node(&b, gemm ? "Gemm" : "MatMul", 13, inputs, gemm ? 3 : 2, &swapped, gemm);
        expect(&b, qdq_pair(&b, y, &result_u8), 1);
    }
}

/* Several readers, or an output: the integers go in, floats come out. */
static void test_floats_come_out(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        vt_value_id y = conv(&b, qdq_pair(&b, maps(&b), &source_u8), good_weights(&b), VT_NO_VALUE);
        const qdq whole = {VT_I32, 0.05F, 0};
        if (form == 0) {
            builder_output(&b, y);
        } else if (form == 1) {
            builder_output(&b, builder_unary(&b, "Tanh", y));
        } else if (form == 2) {
            builder_output(&b, qdq_pair(&b, y, &result_u8));
            builder_output(&b, builder_unary(&b, "Tanh", y));
        } else {
            builder_output(&b, builder_unary(&b, "Tanh", y));
            builder_output(&b, qdq_dequantize(&b, qdq_whole(&b, VT_I32, 1, kernel, 0, 9), &whole));
        }
        vt_plan *plan = qdq_plan(&b);
        const vt_step *step = NULL;
        for (size_t s = 0; s < plan->step_count; s++) {
            step = plan->steps[s].quant ? &plan->steps[s] : step;
        }
        assert_non_null(step);
        assert_true(step->result == VT_F32 && step->compute == VT_U8);
        assert_int_equal(plan->values[step->node.outputs[0]].tensor.dtype, VT_F32);
        vt_plan_free(plan);
        builder_deinit(&b);
    }
}

/* ---- what must stay ---- */

static void test_weights_that_do_not_fit(void **state)
{
    (void)state;
    static const qdq_weight weights[] = {{.axis = 0, .count = 8, .zero = 1},
                                         {.zero = -1},
                                         {.axis = 1, .count = 4},
                                         {.dtype = VT_U8, .zero = 128},
                                         {.axis = 0, .count = 8, .dtype = VT_U8}};
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        builder b;
        builder_init(&b, i);
        vt_value_id w = qdq_weights(&b, 4, kernel, &weights[i]);
        vt_value_id y = conv(&b, qdq_pair(&b, maps(&b), &source_u8), w, VT_NO_VALUE);
        expect(&b, qdq_pair(&b, y, &result_u8), 0);
    }
    builder b; /* square weights, whose rows have the scales */
    builder_init(&b, 20);
    vt_value_id w =
        qdq_weights(&b, 2, (const int64_t[]){6, 6}, &(qdq_weight){.axis = 0, .count = 6});
    expect(&b, builder_binary(&b, "MatMul", qdq_pair(&b, rows(&b, 2), &source_u8), w), 0);

    builder_init(&b, 21); /* float weights */
    w = builder_constant(&b, 4, kernel, -1, 1);
    expect(&b, conv(&b, qdq_pair(&b, maps(&b), &source_u8), w, VT_NO_VALUE), 0);

    builder_init(&b, 22); /* computed ones */
    w = qdq_pair(&b, builder_input(&b, VT_F32, 4, kernel), &(qdq){VT_I8, 0.02F, 0});
    expect(&b, conv(&b, qdq_pair(&b, maps(&b), &source_u8), w, VT_NO_VALUE), 0);

    builder_init(&b, 23); /* scales by block */
    const vt_attr blocked[] = {attr_int("axis", 0), attr_int("block_size", 3)};
    const vt_value_id inputs[] = {qdq_whole(&b, VT_I8, 2, (const int64_t[]){6, 7}, -9, 9),
                                  builder_constant(&b, 2, (const int64_t[]){2, 7}, 0.01F, 0.02F)};
    w = builder_node(&b, "DequantizeLinear", 21, inputs, 2, blocked, 2);
    expect(&b, builder_binary(&b, "MatMul", qdq_pair(&b, rows(&b, 2), &source_u8), w), 0);

    builder_init(&b, 24); /* a stack of matrices */
    w = qdq_weights(&b, 3, (const int64_t[]){3, 6, 7}, &(qdq_weight){0});
    expect(&b,
           builder_binary(
               &b, "MatMul",
               qdq_pair(&b, builder_input(&b, VT_F32, 3, (const int64_t[]){3, 5, 6}), &source_u8),
               w),
           0);
}

static void test_sources_that_do_not_fit(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        builder b;
        const int64_t four = 4;
        builder_init(&b, (uint64_t)form);
        const vt_attr axis = attr_int("axis", 1);
        vt_value_id inputs[3] = {qdq_quantize(&b, maps(&b), &source_u8)};
        inputs[2] = qdq_integer(&b, VT_U8, 128);
        if (form == 0) { /* by channel */
            inputs[1] = builder_constant(&b, 1, &four, 0.01F, 0.02F);
            inputs[2] = qdq_whole(&b, VT_U8, 1, &four, 128, 128);
        } else if (form == 1) { /* a scale that is no scale */
            inputs[1] = builder_scalar(&b, 0);
        } else if (form == 2) {
            inputs[1] = builder_scalar(&b, INFINITY);
        } else { /* computed */
            inputs[1] = builder_input(&b, VT_F32, 0, NULL);
        }
        vt_value_id x = builder_node(&b, "DequantizeLinear", 13, inputs, 3, &axis, 1);
        expect(&b, conv(&b, x, good_weights(&b), VT_NO_VALUE), 0);
    }
    builder b; /* floats */
    builder_init(&b, 9);
    expect(&b, conv(&b, maps(&b), good_weights(&b), VT_NO_VALUE), 0);
}

static void test_products_that_do_not_fit(void **state)
{
    (void)state;
    const vt_attr attrs[] = {attr_float("alpha", 0.5F), attr_float("beta", 2),
                             attr_int("transA", 1)};
    for (int form = 0; form < 6; form++) {
        builder b;
        const int64_t one = 1, seven = 7;
        builder_init(&b, (uint64_t)form);
        vt_value_id x =
            form == 2 ? builder_input(&b, VT_F32, 2, (const int64_t[]){6, 5}) : rows(&b, 2);
        vt_value_id inputs[3] = {qdq_pair(&b, x, &source_u8)};
        inputs[1] = qdq_weights(&b, 2, (const int64_t[]){6, 7}, &(qdq_weight){0});
        switch (form) {
        case 3: /* one number for all columns */
            inputs[2] = builder_constant(&b, 1, &one, -1, 1);
            break;
        case 4: /* a column */
            inputs[2] = builder_constant(&b, 2, (const int64_t[]){5, 1}, -1, 1);
            break;
        case 5:
            inputs[2] = builder_input(&b, VT_F32, 1, &seven);
            break;
        default:
            inputs[2] = builder_constant(&b, 1, &seven, -1, 1);
        }
        vt_value_id y = builder_node(&b, "Gemm", 13, inputs, 3, &attrs[form % 3], form < 3);
        expect(&b, qdq_pair(&b, y, &result_u8), 0);
    }
}

/* Operands that an integer step has no code for keep it on floats. */
static void test_posts_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        vt_shape shape;
        bool fits;
    } cases[] = {
        {{3, {2, 3, 7}}, true},  {{1, {7}}, true},
        {{3, {1, 1, 7}}, true},  {{0}, true},
        {{2, {3, 7}}, false},    {{2, {3, 1}}, false},
        {{3, {2, 1, 7}}, false}, {{3, {2, 3, 1}}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        builder b;
        builder_init(&b, i);
        vt_step_post post = {.kind = VT_POST_ADD};
        post.operand = builder_unary(
            &b, "Tanh", builder_input(&b, VT_F32, cases[i].shape.rank, cases[i].shape.dims));
        vt_value_id x = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 3, 6});
        vt_value_id w = qdq_weights(&b, 2, (const int64_t[]){6, 7}, &(qdq_weight){0});
        vt_value_id y = builder_binary(&b, "MatMul", qdq_pair(&b, x, &source_u8), w);
        builder_post(&b, y, &post);
        expect(&b, qdq_pair(&b, y, &result_u8), cases[i].fits);
    }
}

/* ---- pools ---- */

static void test_pools(void **state)
{
    (void)state;
    static const qdq results[] = {
        {VT_U8, 0.02F, 128}, {VT_U8, 0.03F, 128}, {VT_U8, 0.02F, 127}, {VT_I8, 0.02F, 0}};
    for (int form = 0; form < 5; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        const vt_attr attr = attr_ints("kernel_shape", 2, (const int64_t[]){2, 2});
        vt_value_id x = qdq_pair(&b, maps(&b), &source_u8);
        vt_value_id y = builder_node(&b, "MaxPool", 12, &x, 1, &attr, 1);
        builder_output(&b, qdq_pair(&b, y, &results[form % 4]));
        if (form == 4) {
            builder_output(&b, builder_unary(&b, "Tanh", y));
        }
        vt_plan *plan = qdq_plan(&b);
        size_t pairs = qdq_count(plan, "QuantizeLinear") + qdq_count(plan, "DequantizeLinear");
        assert_int_equal(pairs, form == 0 ? 2 : 4);
        const vt_step *pool = plan_step(plan, form == 0 ? plan->steps[1].node.outputs[0] : y);
        assert_true(pool->compute == (form == 0 ? VT_U8 : VT_F32) && !pool->quant);
        vt_plan_free(plan);
        builder_deinit(&b);
    }
    builder b; /* with indices as a second result: not even looked at */
    builder_init(&b, 8);
    const vt_attr attr = attr_ints("kernel_shape", 2, (const int64_t[]){2, 2});
    vt_value_id x = qdq_pair(&b, maps(&b), &source_u8);
    vt_value_id outputs[2] = {builder_value(&b), builder_value(&b)};
    vt_node node = {.op = vt_op_find("", "MaxPool", 12),
                    .opset = 12,
                    .name = "",
                    .inputs = &x,
                    .outputs = outputs,
                    .input_count = 1,
                    .output_count = 2,
                    .attrs = (vt_attr *)(uintptr_t)&attr,
                    .attr_count = 1};
    assert_int_equal(vt_graph_add_node(&b.graph, &node, NULL), VT_OK);
    builder_output(&b, outputs[1]);
    expect(&b, qdq_pair(&b, outputs[0], &source_u8), 0);
}

/* ---- sums ---- */

/* conv -> pair -> Add <- pair <- other; returns the plan after the first pass alone. */
static vt_plan *sum_plan(builder *b, int other_first, const qdq pair[2], vt_value_id *made)
{
    vt_value_id x = qdq_pair(b, maps(b), &source_u8);
    vt_value_id rest =
        qdq_pair(b, builder_input(b, VT_F32, 4, (const int64_t[]){1, 8, 4, 4}), &result_u8);
    *made = conv(b, x, good_weights(b), VT_NO_VALUE);
    vt_value_id back = qdq_dequantize(b, qdq_quantize(b, *made, &pair[0]), &pair[1]);
    vt_value_id sum =
        builder_binary(b, "Add", other_first ? rest : back, other_first ? back : rest);
    builder_output(b, qdq_pair(b, sum, &result_u8));
    vt_plan *plan = builder_plan(b);
    assert_int_equal(vt_pass_drop_requantization(plan, NULL), VT_OK);
    return plan;
}

static bool sum_reads(const vt_plan *plan, vt_value_id value)
{
    for (size_t s = 0; s < plan->step_count; s++) {
        const vt_node *node = &plan->steps[s].node;
        if (strcmp(node->op->name, "Add") == 0 &&
            (node->inputs[0] == value || node->inputs[1] == value)) {
            return true;
        }
    }
    return false;
}

static void test_pairs_before_sums(void **state)
{
    (void)state;
    static const qdq same[][2] = {{{VT_U8, 0.05F, 0}, {VT_U8, 0.05F, 0}},
                                  {{VT_I8, 0.05F, 2}, {VT_I8, 0.05F, 2}}};
    static const float ranges[][2] = {{0, 0.05F * 255}, {0.05F * -130, 0.05F * 125}};
    static const qdq different[][2] = {{{VT_U8, 0.05F, 0}, {VT_U8, 0.1F, 0}},
                                       {{VT_U8, 0.05F, 3}, {VT_U8, 0.05F, 0}}};
    for (int i = 0; i < 2; i++) {
        for (int order = 0; order < 2; order++) {
            builder b;
            vt_value_id made;
            builder_init(&b, (uint64_t)i);
            vt_plan *plan = sum_plan(&b, order, same[i], &made);
            assert_true(sum_reads(plan, made));
            /* The range of the pair is a Relu where the zero point is the lowest number. */
            const vt_step *step = plan_step(plan, made);
            assert_true(step->post_count == 1 && step->posts[0].kind == VT_POST_CLIP);
            assert_true(fabsf(step->posts[0].alpha - ranges[i][0]) < 1e-5F);
            assert_true(fabsf(step->posts[0].beta - ranges[i][1]) < 1e-4F);
            vt_plan_free(plan);
            builder_deinit(&b);

            builder_init(&b, (uint64_t)i);
            plan = sum_plan(&b, order, different[i], &made); /* changes numbers: stays */
            assert_false(sum_reads(plan, made));
            vt_plan_free(plan);
            builder_deinit(&b);
        }
    }
}

/* A DequantizeLinear never moves before what makes its scale. */
static void test_computed_scales_keep_their_place(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        vt_value_id x = maps(&b);
        vt_value_id stored = form == 0 ? qdq_quantize(&b, x, &source_u8)
                                       : qdq_whole(&b, VT_U8, 2, (const int64_t[]){2, 3}, 0, 255);
        vt_value_id scale =
            builder_unary(&b, "Exp", builder_unary(&b, "Abs", builder_input(&b, VT_F32, 0, NULL)));
        const vt_value_id inputs[] = {stored, scale};
        vt_value_id y = builder_node(&b, "DequantizeLinear", 13, inputs, 2, NULL, 0);
        builder_output(&b, y);
        b.precision = VT_PRECISION_INT8;
        builder_compare(&b, true, 1e-6);
        builder_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_floats_come_out),
        cmocka_unit_test(test_weights_that_do_not_fit),
        cmocka_unit_test(test_sources_that_do_not_fit),
        cmocka_unit_test(test_products_that_do_not_fit),
        cmocka_unit_test(test_posts_that_do_not_fit),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_pairs_before_sums),
        cmocka_unit_test(test_computed_scales_keep_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
