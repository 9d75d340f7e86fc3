/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalisation of rows in the spellings that exporters write: one step that computes the same;
 * and what must stay as it is.
 */
#include "nn/pass_check.h"

typedef struct spelling {
    vt_dtype dtype;
    int opset;       /* of ReduceMean */
    bool twice;      /* two differences */
    bool by_mul;     /* d d rather than Pow(d, 2) */
    int division;    /* 0: Div, 1: Reciprocal, 2: 1 / root, 3: Pow(-0.5), 4: root by Pow */
    int64_t axes[2]; /* the last one or two */
    int axis_count;
    int affine; /* 0: none, 1: scale, 2: scale and bias, 3: bias, 4: scalar scale */
    bool centred, keep;
} spelling;

static const int64_t dims[] = {2, 3, 4, 5};

static vt_value_id scalar(builder *b, vt_dtype dtype, float value)
{
    return builder_constant_of(b, dtype, 0, NULL, value, value);
}

static vt_value_id mean(builder *b, const spelling *s, vt_value_id x)
{
    vt_attr attrs[] = {attr_int("keepdims", s->keep), attr_ints("axes", s->axis_count, s->axes)};
    if (s->opset < 18) {
        return builder_node(b, "ReduceMean", s->opset, &x, 1, attrs, 2);
    }
    vt_value_id inputs[2] = {x, builder_ints(b, s->axis_count, s->axes)};
    return builder_node(b, "ReduceMean", s->opset, inputs, 2, attrs, 1);
}

static vt_value_id divide(builder *b, const spelling *s, vt_value_id d, vt_value_id variance)
{
    vt_value_id one = scalar(b, s->dtype, 1), root = VT_NO_VALUE;
    if (s->division == 3) {
        root = builder_binary(b, "Pow", variance, scalar(b, s->dtype, -0.5F));
        return builder_binary(b, "Mul", root, d);
    }
    root = s->division == 4 ? builder_binary(b, "Pow", variance, scalar(b, s->dtype, 0.5F))
                            : builder_unary(b, "Sqrt", variance);
    if (s->division == 1) {
        return builder_binary(b, "Mul", d, builder_unary(b, "Reciprocal", root));
    }
    return s->division == 2 ? builder_binary(b, "Mul", builder_binary(b, "Div", one, root), d)
                            : builder_binary(b, "Div", d, root);
}

static vt_value_id normalised(builder *b, const spelling *s, vt_value_id x)
{
    vt_value_id d = x, again = x, square;
    if (s->centred) {
        vt_value_id center = mean(b, s, x);
        d = builder_binary(b, "Sub", x, center);
        again = s->twice ? builder_binary(b, "Sub", x, center) : d;
    }
    square = s->by_mul ? builder_binary(b, "Mul", again, again)
                       : builder_binary(b, "Pow", again, scalar(b, s->dtype, 2));
    vt_value_id variance = builder_binary(b, "Add", mean(b, s, square), scalar(b, s->dtype, 1e-3F));
    return divide(b, s, d, variance);
}

static vt_value_id affine(builder *b, const spelling *s, vt_value_id y)
{
    const int64_t *row = dims + 4 - s->axis_count;
    int64_t one = 1;
    if (s->affine == 1 || s->affine == 2) {
        y = builder_binary(b, "Mul", builder_constant_of(b, s->dtype, s->axis_count, row, -1, 1),
                           y);
    }
    if (s->affine == 4) {
        y = builder_binary(b, "Mul", y, builder_constant_of(b, s->dtype, 1, &one, 0.5F, 0.5F));
    }
    if (s->affine == 2 || s->affine == 3) { /* with leading axes of one */
        int64_t shape[4] = {1, 1, s->axis_count == 2 ? 4 : 1, 5};
        y = builder_binary(b, "Add", y, builder_constant_of(b, s->dtype, 4, shape, -1, 1));
    }
    return y;
}

static bool is_missing(const char *op, int opset)
{
    if (vt_op_find("", op, opset)) {
        return false;
    }
    print_message("no operator %s: skipped\n", op);
    return true;
}

static void spelled(const spelling *s, const char *want)
{
    builder b;
    builder_init(&b, (uint64_t)s->division);
    vt_value_id x = builder_input(&b, s->dtype, 4, dims);
    builder_output(&b, affine(&b, s, normalised(&b, s, x)));
    pass_check(&b, vt_pass_recognise_layernorm, want, s->dtype == VT_F32 ? 1e-5 : 1e-2);
    builder_deinit(&b);
}

static void test_spellings(void **state)
{
    (void)state;
    if (is_missing("LayerNormalization", 17) || is_missing("RMSNormalization", 23)) {
        skip();
    }
    static const int opsets[] = {11, 13, 18};
    for (int k = 0; k < 3 * 2 * 2 * 5 * 5 * 2 * 2; k++) {
        spelling s = {.dtype = VT_F32, .keep = true, .axes = {-1, 2}};
        int rest = k;
        s.opset = opsets[rest % 3];
        rest /= 3;
        s.twice = rest % 2;
        rest /= 2;
        s.by_mul = rest % 2;
        rest /= 2;
        s.division = rest % 5;
        rest /= 5;
        s.affine = rest % 5;
        rest /= 5;
        s.axis_count = 1 + rest % 2;
        s.centred = rest / 2;
        if (s.centred || s.affine < 2) {
            spelled(&s, s.centred ? "LayerNormalization" : "RMSNormalization");
        } else {
            spelled(&s, s.affine == 4 ? "RMSNormalization" : "RMSNormalization Add");
        }
    }
    spelling half = {.dtype = VT_F16,
                     .opset = 13,
                     .keep = true,
                     .axes = {3},
                     .axis_count = 1,
                     .affine = 2,
                     .centred = true};
    spelled(&half, "LayerNormalization");
    half.dtype = VT_F64;
    spelled(&half, NULL);
}

static void test_attributes(void **state)
{
    (void)state;
    if (is_missing("LayerNormalization", 17)) {
        skip();
    }
    builder b;
    builder_init(&b, 1);
    spelling s = {.dtype = VT_F32,
                  .opset = 13,
                  .keep = true,
                  .axes = {2, 3},
                  .axis_count = 2,
                  .affine = 3,
                  .centred = true};
    builder_output(&b, affine(&b, &s, normalised(&b, &s, builder_input(&b, VT_F32, 4, dims))));
    vt_plan *plan = builder_plan(&b);
    assert_int_equal(vt_pass_recognise_layernorm(plan, NULL), VT_OK);
    assert_int_equal(plan->step_count, 1);
    const vt_node *node = &plan->steps[0].node;
    assert_int_equal(node->opset, 17);
    assert_int_equal(vt_node_int(node, "axis", 9), 2);
    assert_true(vt_node_float(node, "epsilon", 0) == 1e-3F);
    assert_int_equal(node->input_count, 3);
    for (size_t i = 1; i < 3; i++) { /* ones, and a bias without its leading axes */
        const vt_shape *shape = &plan->values[node->inputs[i]].tensor.shape;
        assert_true(vt_shape_equal(shape, &(vt_shape){2, {4, 5}}));
    }
    vt_plan_free(plan);
    builder_deinit(&b);
}

static vt_value_id refused(builder *b, int which)
{
    spelling s = {
        .dtype = VT_F32, .opset = 13, .keep = true, .axes = {-1}, .axis_count = 1, .centred = true};
    vt_value_id x = builder_input(b, VT_F32, 4, dims), d, other;
    switch (which) {
    case 0: /* not the last axis */
        s.axes[0] = 1;
        return normalised(b, &s, x);
    case 1: /* L2 normalisation: a sum, not a mean */
        d = builder_node(b, "ReduceSumSquare", 13, &x, 1, (vt_attr[]){attr_ints("axes", 1, s.axes)},
                         1);
        d = builder_unary(b, "Sqrt", builder_binary(b, "Add", d, builder_scalar(b, 1e-3F)));
        return builder_binary(b, "Div", x, d);
    case 2: /* the variance is asked for */
        d = builder_binary(b, "Sub", x, mean(b, &s, x));
        other = mean(b, &s, builder_binary(b, "Mul", d, d));
        builder_output(b, other);
        return divide(b, &s, d, builder_binary(b, "Add", other, builder_scalar(b, 1e-3F)));
    case 3: /* another numerator */
        d = builder_binary(b, "Sub", x, mean(b, &s, x));
        other = mean(b, &s, builder_binary(b, "Mul", d, d));
        return divide(b, &s, builder_input(b, VT_F32, 4, dims),
                      builder_binary(b, "Add", other, builder_scalar(b, 1e-3F)));
    case 4: /* a cube */
        d = builder_binary(b, "Pow", x, builder_scalar(b, 4));
        return divide(b, &s, x, builder_binary(b, "Add", mean(b, &s, d), builder_scalar(b, 1e-3F)));
    case 5: /* a computed epsilon */
        d = builder_binary(b, "Mul", x, x);
        other = builder_unary(b, "Exp", builder_input(b, VT_F32, 0, NULL));
        return divide(b, &s, x, builder_binary(b, "Add", mean(b, &s, d), other));
    default: /* the mean goes away, so that the rest is repeated along another axis */
        s.keep = false;
        x = builder_input(b, VT_F32, 2, (const int64_t[]){5, 5});
        return normalised(b, &s, x);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 7; which++) {
        builder b;
        builder_init(&b, (uint64_t)which);
        builder_output(&b, refused(&b, which));
        pass_check(&b, vt_pass_recognise_layernorm, NULL, 1e-6);
        builder_deinit(&b);
    }
}

/* A scale per row of pictures, or one that others see without, is no scale of the operator. */
static void test_scale_stays(void **state)
{
    (void)state;
    if (is_missing("LayerNormalization", 17)) {
        skip();
    }
    for (int which = 0; which < 3; which++) {
        builder b;
        builder_init(&b, (uint64_t)which);
        spelling s = {.dtype = VT_F32,
                      .opset = 13,
                      .keep = true,
                      .axes = {3},
                      .axis_count = 1,
                      .centred = true};
        vt_value_id y = normalised(&b, &s, builder_input(&b, VT_F32, 4, dims));
        vt_value_id scale = which == 0
                                ? builder_constant(&b, 2, (const int64_t[]){4, 1}, -1, 1)
                                : builder_constant(&b, which == 1 ? 1 : 5,
                                                   which == 1 ? (const int64_t[]){5}
                                                              : (const int64_t[]){1, 1, 1, 1, 5},
                                                   -1, 1);
        if (which == 1) {
            builder_output(&b, y);
        }
        builder_output(&b, builder_binary(&b, "Mul", y, scale));
        pass_check(&b, vt_pass_recognise_layernorm, "LayerNormalization Mul", 1e-5);
        builder_deinit(&b);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 7);
    spelling s = {.dtype = VT_F32,
                  .opset = 13,
                  .keep = true,
                  .axes = {3},
                  .axis_count = 1,
                  .affine = 3,
                  .centred = true};
    builder_output(&b, affine(&b, &s, normalised(&b, &s, builder_input(&b, VT_F32, 4, dims))));
    pass_check_no_memory(&b, vt_pass_recognise_layernorm);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings), cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_scale_stays),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
