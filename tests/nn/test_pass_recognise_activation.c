/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activations in the spellings that exporters write and in random ones: one step of the right
 * operator with the right attributes that computes the same; and what must not be taken for one.
 */
#include "nn/pass_check.h"

static vt_dtype type; /* of the graph in hand */

static vt_value_id scalar(builder *b, float value)
{
    return builder_constant_of(b, type, 0, NULL, value, value);
}

static vt_value_id input(builder *b)
{
    return builder_input(b, type, 3, (const int64_t[]){2, 5, 7});
}

static vt_value_id scaled(builder *b, vt_value_id x, float factor)
{
    return builder_binary(b, "Mul", x, scalar(b, factor));
}

static vt_value_id shifted(builder *b, vt_value_id x, float by)
{
    return builder_binary(b, "Add", x, scalar(b, by));
}

static vt_value_id divided(builder *b, vt_value_id x, float by)
{
    return builder_binary(b, "Div", x, scalar(b, by));
}

static vt_value_id times(builder *b, vt_value_id x, vt_value_id y)
{
    return builder_binary(b, "Mul", x, y);
}

static vt_value_id clip(builder *b, vt_value_id x, float low, float high)
{
    vt_value_id inputs[3] = {x, scalar(b, low), scalar(b, high)};
    return builder_node(b, "Clip", 13, inputs, 3, NULL, 0);
}

/* The plan is this one step. */
static void check(builder *b, vt_value_id y, const char *op, double tolerance)
{
    builder_output(b, y);
    pass_check(b, vt_pass_recognise_activation, op, tolerance);
}

/* ---- Gelu ---- */

/* x / sqrt(2) and the cubic, in the ways they are written. */
static vt_value_id erf_argument(builder *b, vt_value_id x, int form)
{
    switch (form) {
    case 0:
        return divided(b, x, 1.4142135F);
    case 1:
        return scaled(b, x, 0.70710677F);
    case 2:
        return divided(b, x, 1.4142F);
    default:
        return builder_binary(b, "Mul", scalar(b, 0.7071F), x);
    }
}

static vt_value_id tanh_argument(builder *b, vt_value_id x, int form)
{
    vt_value_id cube, three = scalar(b, 3);
    switch (form) {
    case 0: /* PyTorch: Pow */
        cube = builder_binary(b, "Pow", x, three);
        return scaled(b, builder_binary(b, "Add", x, scaled(b, cube, 0.044715F)), 0.7978846F);
    case 1: /* TensorFlow, opset 15 of torch.onnx: x * x * x */
        cube = times(b, times(b, x, x), x);
        return scaled(b, builder_binary(b, "Add", scaled(b, cube, 0.044715F), x), 0.7978846F);
    case 2: /* gelu_fast of transformers */
        cube = scaled(b, times(b, scaled(b, x, 0.044715F), x), 1);
        return times(b, scaled(b, x, 0.7978846F), shifted(b, cube, 1));
    default:
        cube = times(b, x, times(b, x, x));
        return builder_binary(b, "Add", scaled(b, x, 0.7978846F), scaled(b, cube, 0.0356774F));
    }
}

/* 0.5 x (1 + t) in every association. */
static vt_value_id half_of(builder *b, vt_value_id x, vt_value_id t, int form)
{
    vt_value_id sum = form % 2 == 0 ? shifted(b, t, 1) : builder_binary(b, "Add", scalar(b, 1), t);
    switch (form) {
    case 0:
        return scaled(b, times(b, x, sum), 0.5F);
    case 1:
        return times(b, scaled(b, x, 0.5F), sum);
    case 2:
        return times(b, x, scaled(b, sum, 0.5F));
    case 3:
        return times(b, builder_binary(b, "Mul", scalar(b, 0.5F), sum), x);
    case 4:
        return divided(b, times(b, sum, x), 2);
    default: /* distributed */
        return builder_binary(b, "Add", scaled(b, x, 0.5F), times(b, scaled(b, x, 0.5F), t));
    }
}

static void gelu_case(int form, int argument, bool exact)
{
    builder b;
    builder_init(&b, (uint64_t)form);
    vt_value_id x = input(&b);
    vt_value_id t = exact ? builder_unary(&b, "Erf", erf_argument(&b, x, argument))
                          : builder_unary(&b, "Tanh", tanh_argument(&b, x, argument));
    vt_value_id y = half_of(&b, x, t, form);
    builder_output(&b, y);
    vt_plan *plan = builder_plan(&b);
    assert_int_equal(vt_pass_recognise_activation(plan, NULL), VT_OK);
    assert_int_equal(plan->step_count, 1);
    assert_int_equal(plan->steps[0].node.opset, 20);
    assert_string_equal(vt_node_text(&plan->steps[0].node, "approximate", ""),
                        exact ? "none" : "tanh");
    vt_plan_free(plan);
    pass_check(&b, vt_pass_recognise_activation, "Gelu", type == VT_F32 ? 2e-4 : 1e-2);
    builder_deinit(&b);
}

static void test_gelu(void **state)
{
    (void)state;
    static const vt_dtype dtypes[] = {VT_F32, VT_F16};
    for (size_t k = 0; k < 2; k++) {
        type = dtypes[k];
        for (int form = 0; form < 6; form++) {
            for (int argument = 0; argument < 4; argument++) {
                gelu_case(form, argument, true);
                gelu_case(form, argument, false);
            }
        }
    }
    type = VT_F32;
}

/* ---- the others ---- */

static void test_swish(void **state)
{
    (void)state;
    for (int form = 0; form < 3; form++) {
        builder b;
        builder_init(&b, 1);
        vt_value_id x = input(&b), t = form == 0 ? x : scaled(&b, x, 1.702F);
        t = builder_unary(&b, "Sigmoid", t);
        builder_output(&b, form == 2 ? times(&b, t, x) : times(&b, x, t));
        vt_plan *plan = builder_plan(&b);
        assert_int_equal(vt_pass_recognise_activation(plan, NULL), VT_OK);
        assert_int_equal(plan->step_count, 1);
        assert_int_equal(plan->steps[0].node.opset, 24);
        assert_true(vt_node_float(&plan->steps[0].node, "alpha", 0) == (form == 0 ? 1 : 1.702F));
        vt_plan_free(plan);
        pass_check(&b, vt_pass_recognise_activation, "Swish", 1e-5);
        builder_deinit(&b);
    }
}

static vt_value_id hard_swish(builder *b, vt_value_id x, int form)
{
    vt_value_id six = scalar(b, 6), zero = scalar(b, 0);
    vt_value_id sum = form % 2 == 0 ? shifted(b, x, 3) : builder_binary(b, "Add", scalar(b, 3), x);
    vt_attr bounds[] = {attr_float("min", 0), attr_float("max", 6)};
    vt_attr slope[] = {attr_float("alpha", 1.0F / 6), attr_float("beta", 0.5F)};
    switch (form) {
    case 0: /* torch.onnx up to opset 13 */
        return divided(b, times(b, x, clip(b, sum, 0, 6)), 6);
    case 1:
        return times(b, x, divided(b, clip(b, sum, 0, 6), 6));
    case 2:
        return times(b, scaled(b, clip(b, sum, 0, 6), 1.0F / 6), x);
    case 3: /* torch.onnx from 14 on, and Keras */
        return times(b, x, builder_node(b, "HardSigmoid", 14, &x, 1, slope, 2));
    case 4: /* tf2onnx's Relu6 */
        return times(
            b, x,
            scaled(b, builder_binary(b, "Min", builder_unary(b, "Relu", sum), six), 0.16666667F));
    case 5:
        return divided(
            b, times(b, builder_binary(b, "Max", zero, builder_binary(b, "Min", sum, six)), x), 6);
    case 6:
        return times(b, divided(b, x, 6), builder_node(b, "Clip", 6, &sum, 1, bounds, 2));
    default:
        return times(b, x, clip(b, shifted(b, divided(b, x, 6), 0.5F), 0, 1));
    }
}

static void test_hard(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++) {
        builder b;
        builder_init(&b, 2);
        check(&b, hard_swish(&b, input(&b), form), "HardSwish", 1e-5);
        builder_deinit(&b);
    }
    for (int form = 0; form < 3; form++) {
        builder b;
        builder_init(&b, 3);
        vt_value_id x = input(&b);
        vt_value_id y = form == 0   ? divided(&b, clip(&b, shifted(&b, x, 3), 0, 6), 6)
                        : form == 1 ? clip(&b, shifted(&b, scaled(&b, x, 0.2F), 0.5F), 0, 1)
                                    : shifted(&b, scaled(&b, clip(&b, x, -1, 1), 0.5F), 0.5F);
        check(&b, y, "HardSigmoid", 1e-5);
        builder_deinit(&b);
    }
}

static vt_value_id softplus(builder *b, vt_value_id x)
{
    return builder_unary(b, "Log", shifted(b, builder_unary(b, "Exp", x), 1));
}

static void test_exponential(void **state)
{
    (void)state;
    for (int form = 0; form < 6; form++) {
        static const char *const want[] = {"Softplus", "Mish",    "Mish",
                                           "Sigmoid",  "Sigmoid", "Swish"};
        builder b;
        builder_init(&b, 4);
        vt_value_id x = input(&b), y;
        vt_value_id sum =
            shifted(&b, builder_unary(&b, "Exp", form < 3 ? x : builder_unary(&b, "Neg", x)), 1);
        switch (form) {
        case 0:
            y = builder_unary(&b, "Log", sum);
            break;
        case 1:
            y = times(&b, x, builder_unary(&b, "Tanh", softplus(&b, x)));
            break;
        case 2:
            y = times(&b, builder_unary(&b, "Tanh", builder_unary(&b, "Softplus", x)), x);
            break;
        case 3:
            y = builder_unary(&b, "Reciprocal", sum);
            break;
        case 4:
            y = builder_binary(&b, "Div", scalar(&b, 1), sum);
            break;
        default:
            y = times(&b, x, builder_unary(&b, "Reciprocal", sum));
            break;
        }
        check(&b, y, want[form], 1e-5);
        builder_deinit(&b);
    }
}

/* In a network, x being the result of arithmetic itself, twice. */
static void test_in_context(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 5);
    vt_value_id x = input(&b);
    for (int i = 0; i < 2; i++) {
        x = shifted(&b, scaled(&b, x, 2), 0.25F);
        x = half_of(&b, x, builder_unary(&b, "Erf", erf_argument(&b, x, i)), i);
    }
    check(&b, x, "Mul Add Gelu Mul Add Gelu", 1e-4);
    builder_deinit(&b);
}

/* ---- what stays ---- */

static vt_value_id refused(builder *b, int which)
{
    vt_value_id x = input(b), other = input(b), t;
    switch (which) {
    case 0: /* what is in between is asked for */
        t = builder_unary(b, "Erf", erf_argument(b, x, 0));
        builder_output(b, t);
        return half_of(b, x, t, 0);
    case 1: /* another reader */
        t = builder_unary(b, "Sigmoid", x);
        return builder_binary(b, "Add", times(b, x, t), t);
    case 2: /* wrong constants */
        return half_of(b, x, builder_unary(b, "Erf", divided(b, x, 1.42F)), 0);
    case 3:
        return half_of(b, x, builder_unary(b, "Tanh", erf_argument(b, x, 0)), 0);
    case 4:
        return scaled(b, times(b, x, shifted(b, builder_unary(b, "Erf", erf_argument(b, x, 0)), 1)),
                      0.501F);
    case 5: /* another value */
        return times(b, other, builder_unary(b, "Sigmoid", x));
    case 6: /* twice the gate */
        t = builder_unary(b, "Sigmoid", x);
        return times(b, x, times(b, t, t));
    case 7: /* the bounds are not those of HardSwish */
        return divided(b, times(b, x, clip(b, shifted(b, x, 3), 0, 5)), 6);
    case 8:
        return divided(b, times(b, x, clip(b, shifted(b, x, 3), 1, 6)), 6);
    case 9:
        return divided(b, times(b, x, clip(b, shifted(b, x, 2.5F), 0, 6)), 6);
    case 10: /* a factor per row */
        return half_of(
            b, x,
            builder_unary(
                b, "Erf",
                times(b, x, builder_constant(b, 1, (const int64_t[]){7}, 0.70710677F, 0.7071068F))),
            0);
    case 11: /* the result is larger than x */
        return times(b, x,
                     builder_unary(
                         b, "Sigmoid",
                         times(b, x, builder_constant(b, 4, (const int64_t[]){1, 1, 1, 1}, 1, 1))));
    case 12: /* nothing to gain */
        return clip(b, x, 0, 1);
    case 13: /* bounds that cross */
        return divided(
            b, times(b, x, builder_binary(b, "Min", clip(b, shifted(b, x, 3), 6, 0), scalar(b, 6))),
            6);
    case 14:
        return builder_unary(b, "Log", shifted(b, builder_unary(b, "Exp", x), 2));
    default: /* a computed constant */
        t = builder_input(b, type, 0, NULL);
        return times(b, x, builder_unary(b, "Sigmoid", times(b, x, t)));
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 16; which++) {
        builder b;
        builder_init(&b, (uint64_t)which);
        check(&b, refused(&b, which), NULL, 1e-6);
        builder_deinit(&b);
    }
}

/* Arithmetic is followed back so far and no further. */
static void test_deep(void **state)
{
    (void)state;
    for (int deep = 0; deep < 2; deep++) {
        builder b;
        builder_init(&b, 6);
        vt_value_id x = input(&b), y = x;
        for (int i = 0; i < (deep ? 60 : 3); i++) {
            y = scaled(&b, y, 1);
        }
        y = times(&b, x, builder_unary(&b, "Sigmoid", y));
        check(&b, y, deep ? NULL : "Swish", 1e-5);
        builder_deinit(&b);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 7);
    vt_value_id x = input(&b);
    builder_output(&b, half_of(&b, x, builder_unary(&b, "Erf", erf_argument(&b, x, 0)), 0));
    pass_check_no_memory(&b, vt_pass_recognise_activation);
    builder_deinit(&b);
}

int main(void)
{
    type = VT_F32;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gelu),       cmocka_unit_test(test_swish),
        cmocka_unit_test(test_hard),       cmocka_unit_test(test_exponential),
        cmocka_unit_test(test_in_context), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deep),       cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
