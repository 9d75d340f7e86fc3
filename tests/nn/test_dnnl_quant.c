/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps on integers, within one quantisation step of the floats they stand for. Where the processor
 * has no instructions for it, oneDNN may saturate sums in between, and sessions do not go there.
 */
#include "qdq_builder.h"

static const qdq sources[] = {
    {VT_U8, 0.008F, 128}, {VT_U8, 0.004F, 0}, {VT_I8, 0.008F, 0}, {VT_I8, 0.008F, -7}};
enum { SOURCES = sizeof sources / sizeof sources[0] };

static bool skipped(void)
{
    if (!vt_precision_is_fast(VT_PRECISION_INT8)) {
        skip();
    }
    return !vt_precision_is_fast(VT_PRECISION_INT8);
}

/* Some steps back, roundings differ already: within one step, whatever their number. */
static void compare_loosely(const vt_tensor *have, const vt_tensor *want, double step)
{
    for (size_t i = 0; i < vt_tensor_count(want); i++) {
        assert_true(fabs(vt_tensor_get(have, i) - vt_tensor_get(want, i)) <= 1.001 * step);
    }
}

/* The outputs are the dequantised results with this step; `integer_steps` are expected. */
static void check(builder *b, size_t integer_steps, float step)
{
    vt_plan *plan = qdq_plan(b);
    assert_int_equal(qdq_integer_steps(plan), integer_steps);
    vt_plan_free(plan);
    b->precision = VT_PRECISION_INT8;
    builder_compare_with(b, true, 1, compare_steps, (double)step);
    builder_compare_with(b, true, 2, compare_steps, (double)step);
    builder_deinit(b);
}

static vt_value_id conv(builder *b, const vt_value_id inputs[3], int64_t groups, int rank,
                        const int64_t pads[4])
{
    const vt_attr attrs[] = {attr_int("group", groups), attr_ints("pads", 2 * (rank - 2), pads)};
    return builder_node(b, "Conv", 13, inputs, inputs[2] == VT_NO_VALUE ? 2 : 3, attrs, 2);
}

static vt_value_id bias_of(builder *b, int form, int64_t count)
{
    return form == 0   ? VT_NO_VALUE
           : form == 1 ? qdq_bias(b, count, 0.0001F)
                       : builder_constant(b, 1, &count, -0.5F, 0.5F);
}

typedef struct conv_case {
    int64_t in, out, groups;
    int rank;
} conv_case;

static vt_value_id quantised_conv(builder *b, const conv_case *c, vt_value_id x, int form)
{
    static const int64_t pads[] = {1, 1, 1, 1};
    const int64_t weights[] = {c->out, c->in / c->groups, 3, 3};
    vt_value_id inputs[3] = {x};
    inputs[1] =
        qdq_weights(b, c->rank, weights,
                    &(qdq_weight){.axis = 0, .count = form % 2 ? c->out : 0, .scale = 0.002F});
    inputs[2] = bias_of(b, form % 3, c->out);
    return conv(b, inputs, c->groups, c->rank, pads);
}

static vt_value_id input_of(builder *b, const conv_case *c, int64_t channels)
{
    return builder_input(b, VT_F32, c->rank, (const int64_t[]){2, channels, 7, 6});
}

static void test_convolutions(void **state)
{
    (void)state;
    static const conv_case cases[] = {{3, 8, 1, 4},    {16, 32, 1, 4}, {32, 32, 32, 4},
                                      {24, 24, 24, 4}, {16, 32, 4, 4}, {6, 10, 2, 4},
                                      {8, 17, 1, 4},   {8, 16, 1, 3},  {12, 12, 12, 3}};
    static const qdq results[] = {{VT_U8, 0.02F, 117}, {VT_I8, 0.02F, 3}, {VT_U8, 0.02F, 0}};
    if (skipped()) {
        return;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int form = 0; form < 12; form++) {
            builder b;
            builder_init(&b, i * 100 + (uint64_t)form);
            const qdq *result = &results[form % 3];
            vt_value_id x =
                qdq_pair(&b, input_of(&b, &cases[i], cases[i].in), &sources[form % SOURCES]);
            vt_value_id y = quantised_conv(&b, &cases[i], x, form);
            if (form % 4 == 1) {
                y = builder_unary(&b, "Relu", y);
            }
            builder_output(&b,
                           form % 5 == 4 ? qdq_quantize(&b, y, result) : qdq_pair(&b, y, result));
            check(&b, 1, form % 5 == 4 ? 1 : result->scale);
        }
    }
}

/* Floats come out where a float is read: they are those of the reference, not steps. */
static void test_several_readers(void **state)
{
    (void)state;
    const conv_case c = {8, 16, 1, 4};
    if (skipped()) {
        return;
    }
    for (int form = 0; form < 6; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        vt_value_id x = qdq_pair(&b, input_of(&b, &c, c.in), &sources[form % SOURCES]);
        vt_value_id y = quantised_conv(&b, &c, x, form);
        builder_output(&b, y);
        builder_output(&b, builder_unary(&b, "Tanh", y));
        builder_output(&b, qdq_pair(&b, y, &sources[0]));
        check(&b, 1, 0.008F);
    }
}

static void test_products(void **state)
{
    (void)state;
    if (skipped()) {
        return;
    }
    for (int form = 0; form < 24; form++) {
        static const int64_t dims[] = {2, 3, 5, 24};
        builder b;
        builder_init(&b, (uint64_t)form);
        bool gemm = form % 2 == 0;
        int rank = gemm ? 2 : 2 + form / 2 % 3;
        bool turned = gemm && form % 4 == 0;
        vt_value_id x = builder_input(&b, VT_F32, rank, dims + 4 - rank);
        const int64_t weights[] = {turned ? 17 : 24, turned ? 24 : 17};
        const vt_value_id inputs[] = {
            qdq_pair(&b, x, &sources[form / 2 % SOURCES]),
            qdq_weights(
                &b, 2, weights,
                &(qdq_weight){.axis = !turned, .count = form % 3 ? 17 : 0, .scale = 0.004F}),
            bias_of(&b, form % 3, 17)};
        const vt_attr attr = attr_int("transB", turned);
        size_t count = gemm && inputs[2] != VT_NO_VALUE ? 3 : 2;
        vt_value_id y = builder_node(&b, gemm ? "Gemm" : "MatMul", 13, inputs, count, &attr, gemm);
        const qdq result = {form % 5 ? VT_U8 : VT_I8, 0.02F, form % 5 ? 100 : -9};
        builder_output(&b, qdq_pair(&b, y, &result));
        check(&b, 1, result.scale);
    }
}

/* ---- posts ---- */

static const vt_step_post functions[] = {
    {VT_POST_RELU, 0, 0, 0},          {VT_POST_CLIP, 0, 0.5F, 0},
    {VT_POST_CLIP, -0.26F, 6, 0},     {VT_POST_LEAKY_RELU, 0.1F, 0, 0},
    {VT_POST_GELU, 0, 0, 0},          {VT_POST_SWISH, 1, 0, 0},
    {VT_POST_HARD_SWISH, 0, 0, 0},    {VT_POST_HARD_SIGMOID, 0.2F, 0.5F, 0},
    {VT_POST_LINEAR, 0.5F, 0.25F, 0}, {VT_POST_SIGMOID, 0, 0, 0},
    {VT_POST_TANH, 0, 0, 0},          {VT_POST_ELU, 1, 0, 0},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static void test_functions(void **state)
{
    (void)state;
    const conv_case c = {8, 16, 1, 4};
    if (skipped()) {
        return;
    }
    for (int i = 0; i < FUNCTIONS; i++) {
        for (int form = 0; form < 4; form++) {
            builder b;
            builder_init(&b, (uint64_t)(i * 10 + form));
            const qdq result = {form % 2 ? VT_U8 : VT_I8, 0.02F, form % 2 ? 40 : -5};
            vt_value_id x = qdq_pair(&b, input_of(&b, &c, c.in), &sources[form]);
            vt_value_id y = quantised_conv(&b, &c, x, form);
            builder_post(&b, y, &functions[i]);
            const vt_step_post *other = &functions[(i * 5 + form) % FUNCTIONS];
            if (form >= 2) { /* a second one, perhaps of the same kind with other parameters */
                builder_post(&b, y, other);
            }
            builder_output(&b, form == 3 ? y : qdq_pair(&b, y, &result));
            /* Two ramps of different slopes have no common code on integers. */
            bool ramps =
                form >= 2 && functions[i].kind == VT_POST_RELU && other->kind == VT_POST_LEAKY_RELU;
            check(&b, !ramps, form == 3 ? 0.001F : result.scale);
        }
    }
}

/* Residuals of bytes and of floats, before and behind functions, with results of both kinds. */
static void test_residuals(void **state)
{
    (void)state;
    static const qdq others[] = {{VT_U8, 0.01F, 0}, {VT_U8, 0.008F, 128}, {VT_I8, 0.012F, 5}};
    const conv_case c = {8, 16, 1, 4};
    if (skipped()) {
        return;
    }
    for (int form = 0; form < 48; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        /* No multiple of the others: halves of steps may be rounded either way. */
        const qdq result = {form % 2 ? VT_U8 : VT_I8, 0.0213F, form % 2 ? 100 : -5};
        vt_step_post first = {.kind = VT_POST_ADD}, second = {.kind = VT_POST_ADD};
        const vt_step_post *function = &functions[form % FUNCTIONS];
        vt_value_id rest = qdq_pair(&b, input_of(&b, &c, c.out), &others[form % 3]);
        first.operand = form % 4 == 3 ? builder_unary(&b, "Relu", input_of(&b, &c, c.out)) : rest;
        second.operand = qdq_pair(&b, input_of(&b, &c, c.out), &others[(form + 1) % 3]);
        vt_value_id x = qdq_pair(&b, input_of(&b, &c, c.in), &sources[form % SOURCES]);
        vt_value_id y = quantised_conv(&b, &c, x, form);
        if (form / 3 % 3 == 1) {
            builder_post(&b, y, function);
        }
        builder_post(&b, y, &first);
        if (form / 3 % 3 != 1) {
            builder_post(&b, y, function);
        }
        if (form / 3 % 3 == 2) {
            builder_post(&b, y, &second);
            builder_post(&b, y, &functions[0]);
        }
        builder_output(&b, form % 5 == 4 ? y : qdq_pair(&b, y, &result));
        check(&b, 1, form % 5 == 4 ? 0.001F : result.scale);
    }
}

/* A residual whose memory the result takes, of either sign, and one that is read afterwards or by
 * the step itself. */
static void test_residuals_in_place(void **state)
{
    (void)state;
    const conv_case c = {16, 16, 1, 4};
    if (skipped()) {
        return;
    }
    for (int form = 0; form < 12; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        const qdq other = {form % 2 ? VT_U8 : VT_I8, 0.01F, form % 2 ? 128 : 3};
        const qdq result = {form / 2 % 2 ? VT_U8 : VT_I8, 0.0213F, form / 2 % 2 ? 100 : -5};
        vt_value_id rest = qdq_pair(&b, input_of(&b, &c, c.out), &other);
        vt_value_id x =
            form / 4 == 2 ? rest : qdq_pair(&b, input_of(&b, &c, c.in), &sources[form % SOURCES]);
        const vt_step_post post = {.kind = VT_POST_ADD, .operand = rest};
        vt_value_id y = quantised_conv(&b, &c, x, form);
        builder_post(&b, y, &post);
        builder_output(&b, qdq_pair(&b, y, &result));
        if (form / 4 == 1) {
            builder_output(&b, builder_unary(&b, "Neg", rest));
        }
        check(&b, 1, result.scale);
    }
}

/* As many changes of unit as a step can have. */
static void test_four_residuals(void **state)
{
    (void)state;
    static const qdq others[] = {
        {VT_U8, 0.01F, 3}, {VT_I8, 0.02F, 5}, {VT_U8, 0.03F, 128}, {VT_I8, 0.005F, -9}};
    const conv_case c = {8, 16, 1, 4};
    if (skipped()) {
        return;
    }
    builder b;
    vt_step_post posts[4];
    builder_init(&b, 4);
    for (int i = 0; i < 4; i++) {
        posts[i] = (vt_step_post){.kind = VT_POST_ADD};
        posts[i].operand = qdq_pair(&b, input_of(&b, &c, c.out), &others[i]);
    }
    vt_value_id y = quantised_conv(&b, &c, qdq_pair(&b, input_of(&b, &c, c.in), &sources[0]), 1);
    for (int i = 0; i < 4; i++) {
        builder_post(&b, y, &posts[i]);
    }
    const qdq result = {VT_U8, 0.04F, 90};
    builder_output(&b, qdq_pair(&b, y, &result));
    check(&b, 1, result.scale);
}

/* By channel and by row. */
static void test_operands_by_channel(void **state)
{
    (void)state;
    static const int64_t channels[] = {16, 1, 1}, one[] = {17};
    const conv_case c = {8, 16, 1, 4};
    if (skipped()) {
        return;
    }
    for (int form = 0; form < 8; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        vt_step_post post = {.kind = form % 2 ? VT_POST_ADD : VT_POST_MUL};
        const int64_t *dims = form < 4 ? channels : one;
        int rank = form < 4 ? 3 : 1;
        post.operand = form % 4 < 2
                           ? builder_constant(&b, rank, dims, -1, 1)
                           : builder_unary(&b, "Relu", builder_input(&b, VT_F32, rank, dims));
        vt_value_id y;
        if (form < 4) {
            y = quantised_conv(&b, &c, qdq_pair(&b, input_of(&b, &c, c.in), &sources[form]), form);
        } else {
            vt_value_id x = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 5, 24});
            vt_value_id w = qdq_weights(&b, 2, (const int64_t[]){24, 17},
                                        &(qdq_weight){.axis = 1, .count = 17, .scale = 0.004F});
            y = builder_binary(&b, "MatMul", qdq_pair(&b, x, &sources[form % 4]), w);
        }
        builder_post(&b, y, &post);
        const qdq result = {VT_U8, 0.02F, 128};
        builder_output(&b, qdq_pair(&b, y, &result));
        check(&b, 1, result.scale);
    }
}

/* ---- what stands around ---- */

static void test_pools(void **state)
{
    (void)state;
    static const qdq results[] = {{VT_U8, 0.008F, 128}, {VT_U8, 0.01F, 128}, {VT_I8, 0.008F, 0}};
    if (skipped()) {
        return;
    }
    for (int form = 0; form < 6; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        const int64_t pads[] = {1, 1, 1, 1}, window[] = {3, 3}, strides[] = {2, 2};
        const vt_attr attrs[] = {attr_ints("kernel_shape", 2, window), attr_ints("pads", 4, pads),
                                 attr_ints("strides", 2, strides)};
        const qdq *source = form < 3 ? &sources[0] : &sources[2];
        vt_value_id x =
            qdq_pair(&b, builder_input(&b, VT_F32, 4, (const int64_t[]){2, 5, 7, 7}), source);
        vt_value_id y = builder_node(&b, "MaxPool", 12, &x, 1, attrs, 3);
        builder_output(&b, qdq_pair(&b, y, &results[form % 3]));
        check(&b, 0, results[form % 3].scale);
    }
}

/* A block of a residual network, where pairs stand between everything; the pair before the sum acts
 * as the Relu that exporters leave out for it. */
static void test_residual_block(void **state)
{
    (void)state;
    const conv_case c = {16, 16, 1, 4};
    if (skipped()) {
        return;
    }
    for (int form = 0; form < 8; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        const qdq inner = {VT_U8, 0.01F, 0};
        const qdq before = {VT_U8, 0.02F, form / 2 % 2 ? 0 : 110}, result = {VT_U8, 0.1F, 30};
        vt_value_id x = qdq_pair(&b, input_of(&b, &c, c.in), &sources[form % SOURCES]);
        vt_value_id h = builder_unary(&b, "Relu", quantised_conv(&b, &c, x, form));
        h = quantised_conv(&b, &c, qdq_pair(&b, h, &inner), form + 1);
        h = qdq_pair(&b, h, &before);
        vt_value_id sum =
            form % 2 ? builder_binary(&b, "Add", h, x) : builder_binary(&b, "Add", x, h);
        builder_output(&b, qdq_pair(&b, builder_unary(&b, "Relu", sum), &result));
        vt_plan *plan = qdq_plan(&b);
        assert_int_equal(qdq_integer_steps(plan), 2);
        vt_plan_free(plan);
        b.precision = VT_PRECISION_INT8;
        builder_compare_with(&b, true, 1, compare_loosely, (double)result.scale);
        builder_deinit(&b);
    }
}

/* Pairs around views, joins and sums of floats, with nothing that multiplies. */
static void test_loose_pairs(void **state)
{
    (void)state;
    if (skipped()) {
        return;
    }
    for (int form = 0; form < SOURCES; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        const vt_attr axis = attr_int("axis", 1);
        const vt_attr perm = attr_ints("perm", 4, (const int64_t[]){0, 2, 3, 1});
        vt_value_id x = qdq_pair(&b, plain_or_blocked(&b, 2, 8, 4, 5), &sources[form]);
        vt_value_id y = builder_node(&b, "Concat", 13, (const vt_value_id[]){x, x}, 2, &axis, 1);
        y = qdq_pair(&b, y, &sources[form]);
        builder_output(&b, builder_node(&b, "Transpose", 13, &y, 1, &perm, 1));
        builder_output(&b, qdq_quantize(&b, builder_binary(&b, "Add", x, x), &sources[form]));
        check(&b, 0, 1);
    }
}

/* f16 networks with f16 scales. */
static void test_half_scales(void **state)
{
    (void)state;
    if (skipped()) {
        return;
    }
    builder b;
    builder_init(&b, 3);
    const int64_t dims[] = {3, 16}, weights[] = {16, 8};
    vt_value_id x = builder_input(&b, VT_F16, 2, dims);
    vt_value_id scale = builder_constant_of(&b, VT_F16, 0, NULL, 0.0078125F, 0.0078125F);
    const qdq q = {VT_I8, 0.0078125F, 0};
    const vt_value_id in[] = {x, scale, qdq_integer(&b, q.dtype, 0)};
    vt_value_id stored = builder_node(&b, "QuantizeLinear", 19, in, 3, NULL, 0);
    const vt_value_id back[] = {stored, scale, in[2]};
    vt_value_id y = builder_node(&b, "DequantizeLinear", 19, back, 3, NULL, 0);
    const vt_value_id w[] = {qdq_whole(&b, VT_I8, 2, weights, -127, 127), scale, in[2]};
    vt_value_id factor = builder_node(&b, "DequantizeLinear", 19, w, 3, NULL, 0);
    builder_output(&b, builder_binary(&b, "MatMul", y, factor));
    b.precision = VT_PRECISION_INT8;
    builder_compare(&b, true, 2e-3);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions),   cmocka_unit_test(test_several_readers),
        cmocka_unit_test(test_products),       cmocka_unit_test(test_functions),
        cmocka_unit_test(test_residuals),      cmocka_unit_test(test_residuals_in_place),
        cmocka_unit_test(test_four_residuals), cmocka_unit_test(test_operands_by_channel),
        cmocka_unit_test(test_pools),          cmocka_unit_test(test_residual_block),
        cmocka_unit_test(test_loose_pairs),    cmocka_unit_test(test_half_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
