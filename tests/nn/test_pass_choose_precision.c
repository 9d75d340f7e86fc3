/* SPDX-License-Identifier: Apache-2.0 */
/* Which steps compute in bf16, and whole small networks in it. */
#include "dnnl_cases.h"

static vt_plan *chosen(builder *b)
{
    vt_plan *plan = builder_plan(b);
    assert_int_equal(vt_pass_choose_precision(plan, NULL), VT_OK);
    return plan;
}

static void expect(vt_plan *plan, vt_value_id value, vt_dtype compute, vt_dtype result)
{
    const vt_step *step = plan_step(plan, value);
    if (step->compute != compute || step->result != result) {
        fail_msg("%s: in %s, result in %s", step->node.op->name, vt_dtype_name(step->compute),
                 vt_dtype_name(step->result));
    }
}

static vt_value_id conv(builder *b, vt_value_id x, int64_t in, int64_t out)
{
    const vt_value_id inputs[] = {
        x, builder_constant(b, 4, (const int64_t[]){out, in, 3, 3}, -0.3F, 0.3F)};
    const int64_t pads[] = {1, 1, 1, 1};
    const vt_attr attr = attr_ints("pads", 4, pads);
    return builder_node(b, "Conv", 13, inputs, 2, &attr, 1);
}

static vt_value_id maps(builder *b)
{
    return builder_input(b, VT_F32, 4, (const int64_t[]){2, 8, 9, 9});
}

/* What leaves the network is not rounded. */
static void test_convolutions(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    vt_value_id x = maps(&b), first = conv(&b, x, 8, 16), active = builder_unary(&b, "Relu", first);
    vt_value_id second = conv(&b, active, 16, 8);
    builder_output(&b, second);
    vt_plan *plan = chosen(&b);
    expect(plan, first, VT_BF16, VT_BF16);
    expect(plan, active, VT_BF16, VT_BF16);
    expect(plan, second, VT_BF16, VT_F32);
    vt_plan_free(plan);
    builder_deinit(&b);
}

static void test_what_leaves_behind_light_steps(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 2);
    vt_value_id x = maps(&b), made = conv(&b, x, 8, 16);
    vt_value_id active = builder_unary(&b, "Relu", made);
    vt_value_id pooled = builder_unary(&b, "GlobalAveragePool", active);
    vt_value_id flat = builder_node(&b, "Flatten", 13, &pooled, 1, NULL, 0);
    builder_output(&b, flat);
    vt_plan *plan = chosen(&b);
    expect(plan, pooled, VT_F32, VT_F32);
    expect(plan, active, VT_F32, VT_F32);
    expect(plan, made, VT_BF16, VT_F32);
    vt_plan_free(plan);
    builder_deinit(&b);
}

static void test_sensitive_steps(void **state)
{
    (void)state;
    static const char *const ops[] = {"Exp", "Sigmoid", "Tanh", "Sqrt", "Log", "Softmax"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        builder b;
        builder_init(&b, i);
        vt_value_id made = conv(&b, maps(&b), 8, 8);
        vt_value_id sensitive = builder_unary(&b, ops[i], made);
        vt_value_id after = builder_unary(&b, "Relu", sensitive);
        vt_value_id last = conv(&b, after, 8, 4);
        builder_output(&b, last);
        vt_plan *plan = chosen(&b);
        expect(plan, made, VT_BF16, VT_F32); /* read by nobody in bf16 */
        expect(plan, sensitive, VT_F32, VT_F32);
        expect(plan, after, VT_F32, VT_F32); /* its input is not there */
        expect(plan, last, VT_BF16, VT_F32);
        vt_plan_free(plan);
        builder_deinit(&b);
    }
    builder b;
    builder_init(&b, 9);
    vt_value_id made = conv(&b, maps(&b), 8, 8), other = conv(&b, maps(&b), 8, 8);
    vt_value_id difference = builder_binary(&b, "Sub", made, other);
    vt_value_id quotient = builder_binary(&b, "Div", made, difference);
    vt_value_id product = builder_binary(&b, "Mul", made, other);
    vt_value_id last = conv(&b, product, 8, 4);
    builder_output(&b, quotient);
    builder_output(&b, last);
    vt_plan *plan = chosen(&b);
    expect(plan, difference, VT_F32, VT_F32);
    expect(plan, quotient, VT_F32, VT_F32);
    expect(plan, product, VT_BF16, VT_BF16);
    expect(plan, made, VT_BF16, VT_BF16); /* one of its readers wants it so */
    vt_plan_free(plan);
    builder_deinit(&b);
}

/* A value that is an output and read on has to exist in both types: computed in bf16. */
static void test_outputs_that_are_read(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 4);
    vt_value_id first = conv(&b, maps(&b), 8, 8), second = conv(&b, first, 8, 8);
    builder_output(&b, first);
    builder_output(&b, second);
    vt_plan *plan = chosen(&b);
    expect(plan, first, VT_BF16, VT_BF16);
    expect(plan, second, VT_BF16, VT_F32);
    vt_plan_free(plan);
    builder_deinit(&b);
}

static void test_views_pass_it_on(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 5);
    vt_value_id x = builder_input(&b, VT_F32, 2, (const int64_t[]){6, 8});
    vt_value_id w = builder_constant(&b, 2, (const int64_t[]){8, 8}, -1, 1);
    vt_value_id first = builder_binary(&b, "MatMul", x, w);
    vt_value_id turned = builder_unary(&b, "Transpose", first);
    vt_value_id shaped =
        builder_binary(&b, "Reshape", turned, builder_ints(&b, 2, (const int64_t[]){6, 8}));
    vt_value_id second = builder_binary(&b, "MatMul", shaped, w);
    vt_value_id lost = builder_unary(&b, "Softmax", builder_unary(&b, "Transpose", second));
    builder_output(&b, lost);
    vt_plan *plan = chosen(&b);
    expect(plan, first, VT_BF16, VT_BF16); /* wanted, through two views */
    expect(plan, second, VT_BF16, VT_F32); /* a softmax behind a view does not want it */
    vt_plan_free(plan);
    builder_deinit(&b);
}

/* Types that bf16 says nothing about. */
static void test_other_types(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 6);
    const int64_t dims[] = {4, 4};
    vt_value_id wide = builder_binary(&b, "MatMul", builder_input(&b, VT_F64, 2, dims),
                                      builder_constant_of(&b, VT_F64, 2, dims, -1, 1));
    vt_value_id whole = builder_binary(&b, "Add", builder_input(&b, VT_I64, 2, dims),
                                       builder_input(&b, VT_I64, 2, dims));
    builder_output(&b, wide);
    builder_output(&b, whole);
    vt_plan *plan = chosen(&b);
    expect(plan, wide, VT_F32, VT_F32);
    expect(plan, whole, VT_F32, VT_F32);
    vt_plan_free(plan);
    builder_deinit(&b);
}

/* A first result that nobody named. */
static void test_missing_results(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 7);
    vt_value_id x = builder_input(&b, VT_F32, 1, (const int64_t[]){9});
    vt_value_id inputs[] = {x, builder_ints(&b, 1, (const int64_t[]){3})};
    vt_value_id outputs[] = {VT_NO_VALUE, builder_value(&b)};
    vt_node node = {.op = vt_op_find("", "TopK", 11),
                    .opset = 11,
                    .name = "",
                    .inputs = inputs,
                    .outputs = outputs,
                    .input_count = 2,
                    .output_count = 2};
    if (vt_graph_add_node(&b.graph, &node, NULL) == VT_OK) {
        builder_output(&b, outputs[1]);
        vt_plan_free(chosen(&b));
    }
    builder_deinit(&b);
}

/* The operand of a residual is kept as the step that adds it keeps its result. */
static void test_residuals(void **state)
{
    (void)state;
    for (int last = 0; last < 2; last++) {
        builder b;
        builder_init(&b, (uint64_t)last);
        vt_value_id x = maps(&b), rest = conv(&b, x, 8, 8), made = conv(&b, x, 8, 8);
        const vt_step_post add = {.kind = VT_POST_ADD, .operand = rest};
        builder_post(&b, made, &add);
        builder_output(&b, last ? made : conv(&b, made, 8, 4));
        vt_plan *plan = chosen(&b);
        expect(plan, made, VT_BF16, last ? VT_F32 : VT_BF16);
        expect(plan, rest, VT_BF16, last ? VT_F32 : VT_BF16);
        vt_plan_free(plan);
        builder_deinit(&b);
    }
}

/* ---- whole networks ---- */

static void compare_directions(const vt_tensor *have, const vt_tensor *want, double bound)
{
    compare_cosine(have, want, bound);
}

static void check(builder *b)
{
    b->precision = VT_PRECISION_BF16;
    builder_compare_with(b, true, 1, compare_directions, 0.9995);
    builder_compare_with(b, true, 2, compare_directions, 0.9995);
    builder_deinit(b);
}

static void test_convolutional_networks(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id x = conv(&b, maps(&b), 8, 16);
        for (int i = 0; i < 3; i++) {
            vt_value_id inner = conv(&b, x, 16, 16);
            inner = builder_node(&b, seed % 2 ? "HardSwish" : "Relu", 14, &inner, 1, NULL, 0);
            inner = conv(&b, inner, 16, 16);
            if (seed % 3 == 1) { /* a gate */
                vt_value_id gate = builder_unary(&b, "GlobalAveragePool", inner);
                inner = builder_binary(&b, "Mul", inner, builder_unary(&b, "Sigmoid", gate));
            }
            x = builder_unary(&b, "Relu", builder_binary(&b, "Add", inner, x));
        }
        if (seed % 4 == 2) {
            const vt_attr axis = attr_int("axis", 1);
            x = builder_node(&b, "Concat", 13, (const vt_value_id[]){x, x}, 2, &axis, 1);
        }
        builder_output(&b, builder_unary(&b, "GlobalAveragePool", x));
        check(&b);
    }
}

static vt_value_id normed(builder *b, vt_value_id x, int64_t width)
{
    const vt_value_id inputs[] = {x, builder_constant(b, 1, &width, 0.5F, 1.5F),
                                  builder_constant(b, 1, &width, -0.5F, 0.5F)};
    return builder_node(b, "LayerNormalization", 17, inputs, 3, NULL, 0);
}

static vt_value_id linear(builder *b, vt_value_id x, int64_t in, int64_t out)
{
    x = builder_binary(b, "MatMul", x,
                       builder_constant(b, 2, (const int64_t[]){in, out}, -0.3F, 0.3F));
    return builder_binary(b, "Add", x, builder_constant(b, 1, &out, -0.5F, 0.5F));
}

static void test_transformers(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id x = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 11, 32});
        for (int i = 0; i < 2; i++) {
            vt_value_id qkv[3], inside = normed(&b, x, 32);
            const vt_attr heads = attr_ints("perm", 4, (const int64_t[]){0, 2, 1, 3});
            for (int k = 0; k < 3; k++) {
                vt_value_id part =
                    builder_binary(&b, "Reshape", linear(&b, inside, 32, 32),
                                   builder_ints(&b, 4, (const int64_t[]){2, 11, 4, 8}));
                qkv[k] = builder_node(&b, "Transpose", 13, &part, 1, &heads, 1);
            }
            vt_value_id seen = builder_node(&b, "Attention", 23, qkv, 3, NULL, 0);
            seen = builder_node(&b, "Transpose", 13, &seen, 1, &heads, 1);
            seen = builder_binary(&b, "Reshape", seen,
                                  builder_ints(&b, 3, (const int64_t[]){2, 11, 32}));
            x = builder_binary(&b, "Add", x, linear(&b, seen, 32, 32));
            vt_value_id wide = linear(&b, normed(&b, x, 32), 32, 64);
            wide = seed % 2 ? builder_node(&b, "Gelu", 20, &wide, 1, NULL, 0)
                            : builder_unary(&b, "Relu", wide);
            x = builder_binary(&b, "Add", x, linear(&b, wide, 64, 32));
        }
        const vt_attr axis = attr_int("axis", 1);
        const vt_value_id picked[] = {normed(&b, x, 32), builder_ints(&b, 1, (const int64_t[]){0})};
        builder_output(&b, builder_node(&b, "Gather", 13, picked, 2, &axis, 1));
        builder_output(&b, builder_unary(&b, "Softmax", x));
        check(&b);
    }
}

/* Views of all kinds between steps in bf16. */
static void test_views(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id x = conv(&b, maps(&b), 8, 16);
        const vt_attr last = attr_ints("perm", 4, (const int64_t[]){0, 2, 3, 1});
        const vt_value_id window[] = {x, builder_ints(&b, 2, (const int64_t[]){0, 1}),
                                      builder_ints(&b, 2, (const int64_t[]){9, 16}),
                                      builder_ints(&b, 2, (const int64_t[]){2, 1})};
        if (seed % 3 == 0) {
            x = builder_node(&b, "Slice", 13, window, 4, NULL, 0);
        }
        x = builder_node(&b, "Transpose", 13, &x, 1, &last, 1);
        int64_t channels = seed % 3 == 0 ? 15 : 16;
        vt_value_id w = builder_constant(&b, 2, (const int64_t[]){channels, 8}, -0.3F, 0.3F);
        if (seed % 2 == 0) {
            builder_output(&b, x);
        }
        vt_value_id y = builder_binary(&b, "MatMul", x, w);
        builder_output(&b, builder_binary(&b, "Add", y, y));
        builder_output(&b, builder_unary(&b, "Transpose", y));
        check(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_what_leaves_behind_light_steps),
        cmocka_unit_test(test_sensitive_steps),
        cmocka_unit_test(test_outputs_that_are_read),
        cmocka_unit_test(test_views_pass_it_on),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_missing_results),
        cmocka_unit_test(test_residuals),
        cmocka_unit_test(test_convolutional_networks),
        cmocka_unit_test(test_transformers),
        cmocka_unit_test(test_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
