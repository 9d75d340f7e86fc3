/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of operators one by one: elementwise, reductions, moves, indices, normalisations. */
#include "nn/gradients.h"

/* ---- elementwise ---- */

static const struct {
    const char *name;
    int opset;
    float low, high;
} unary_ops[] = {
    {"LeakyRelu", 16, -1, 1},
    {"Elu", 6, -1, 1},
    {"Selu", 6, -1, 1},
    {"Celu", 12, -1, 1},
    {"Sigmoid", 13, -2, 2},
    {"HardSigmoid", 6, -4, 4},
    {"HardSwish", 14, -5, 5},
    {"Mish", 18, -2, 2},
    {"Swish", 24, -2, 2},
    {"Gelu", 20, -2, 2},
    {"ThresholdedRelu", 10, 0, 2},
    {"Shrink", 9, -1, 1},
    {"Tanh", 13, -1, 1},
    {"Softplus", 1, -2, 2},
    {"Softsign", 1, -2, 2},
    {"Erf", 13, -1, 1},
    {"Exp", 13, -1, 1},
    {"Log", 13, 0.2F, 2},
    {"Sqrt", 13, 0.2F, 2},
    {"Reciprocal", 13, 0.3F, 2},
    {"Abs", 13, -1, 1},
    {"Neg", 13, -1, 1},
    {"Sin", 7, -1, 1},
    {"Cos", 7, -1, 1},
    {"Tan", 7, -1, 1},
    {"Asin", 7, -0.8F, 0.8F},
    {"Acos", 7, -0.8F, 0.8F},
    {"Atan", 7, -1, 1},
    {"Sinh", 9, -1, 1},
    {"Cosh", 9, -1, 1},
    {"Asinh", 9, -1, 1},
    {"Acosh", 9, 1.2F, 3},
    {"Atanh", 9, -0.8F, 0.8F},
    {"Softmax", 13, -1, 1},
    {"LogSoftmax", 13, -1, 1},
    {"Softmax", 11, -1, 1},
    {"LogSoftmax", 11, -1, 1},
    {"Identity", 13, -1, 1},
    {"Flatten", 13, -1, 1},
    {"Transpose", 13, -1, 1},
    {"Trilu", 14, -1, 1},
    {"LpNormalization", 1, -1, 1},
    {"Relu", 13, -1, 1},
};

static size_t number;

static vt_value_id make_unary(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(2, 3, 4));
    return builder_node(b, unary_ops[number].name, unary_ops[number].opset, &x, 1, NULL, 0);
}

static void test_unary(void **state)
{
    (void)state;
    for (number = 0; number < sizeof unary_ops / sizeof unary_ops[0]; number++) {
        print_message("%s %d\n", unary_ops[number].name, unary_ops[number].opset);
        grad_check(make_unary, unary_ops[number].low, unary_ops[number].high);
    }
}

static vt_value_id make_gelu_tanh(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(3, 4));
    const vt_attr mode = attr_text("approximate", "tanh");
    return builder_node(b, "Gelu", 20, &x, 1, &mode, 1);
}

static vt_value_id make_softmax_axis(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(2, 3, 4));
    const vt_attr axis = attr_int("axis", 1);
    return builder_node(b, "Softmax", 13, &x, 1, &axis, 1);
}

static vt_value_id make_lp_norm_1(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(2, 3, 4));
    const vt_attr attrs[] = {attr_int("axis", 1), attr_int("p", 1)};
    return builder_node(b, "LpNormalization", 1, &x, 1, attrs, 2);
}

static vt_value_id make_clip(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 2, DIMS(4, 5)), grad_number(b, type, -0.5F),
                                  grad_number(b, type, 0.5F)};
    return builder_node(b, "Clip", 13, inputs, 3, NULL, 0);
}

static vt_value_id make_clip_6(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(4, 5));
    const vt_attr low = attr_float("min", 0.0F);
    return builder_node(b, "Clip", 6, &x, 1, &low, 1);
}

static vt_value_id make_where(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(3, 4)), y = grad_input(b, type, 1, DIMS(4));
    vt_value_id condition = builder_binary(b, "Greater", x, y);
    return builder_node(b, "Where", 9, (const vt_value_id[]){condition, x, y}, 3, NULL, 0);
}

static vt_value_id make_prelu(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(2, 3, 4));
    return builder_binary(b, "PRelu", x, grad_input(b, type, 2, DIMS(3, 1)));
}

static vt_value_id make_square(builder *b, vt_dtype type)
{
    return builder_binary(b, "Pow", grad_input(b, type, 2, DIMS(3, 4)),
                          builder_constant_of(b, type, 0, NULL, 2, 2));
}

static vt_value_id make_cast(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(3, 4));
    const vt_attr to = attr_int("to", VT_F64);
    x = builder_node(b, "Cast", 13, &x, 1, &to, 1);
    x = builder_unary(b, "Exp", x);
    const vt_attr back = attr_int("to", type);
    return builder_node(b, "Cast", 13, &x, 1, &back, 1);
}

static void test_forms(void **state)
{
    (void)state;
    grad_check(make_gelu_tanh, -2, 2);
    grad_check(make_softmax_axis, -1, 1);
    grad_check(make_lp_norm_1, -1, 1);
    grad_check(make_clip, -1, 1);
    grad_check(make_clip_6, -1, 1);
    grad_check(make_where, -1, 1);
    grad_check(make_prelu, -1, 1);
    grad_check(make_square, -1, 1);
    grad_check(make_cast, -1, 1);
}

static const char *op;
static int form;

static vt_value_id make_binary(builder *b, vt_dtype type)
{
    static const struct {
        int ranks[2];
        int64_t x[4], y[4];
    } forms[] = {
        {{3, 3}, {2, 3, 4}, {2, 3, 4}}, {{3, 1}, {2, 3, 4}, {4}},       {{3, 2}, {2, 3, 4}, {3, 1}},
        {{1, 3}, {4}, {2, 3, 4}},       {{3, 3}, {2, 1, 4}, {1, 3, 1}}, {{3, 0}, {2, 3, 4}, {0}},
    };
    vt_value_id x = grad_input(b, type, forms[form].ranks[0], forms[form].x);
    return builder_binary(b, op, x, grad_input(b, type, forms[form].ranks[1], forms[form].y));
}

static void test_binary(void **state)
{
    (void)state;
    static const char *const ops[] = {"Add", "Sub", "Mul", "Div", "Pow",
                                      "Min", "Max", "Sum", "Mean"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        op = ops[i];
        print_message("%s\n", op);
        for (form = 0; form < 6; form++)
            grad_check(make_binary, 0.5F, 2);
    }
}

/* ---- reductions ---- */

static vt_value_id make_reduce(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(2, 3, 4));
    const vt_attr attrs[] = {attr_int("keepdims", form & 1), attr_ints("axes", 2, DIMS(0, -1))};
    return builder_node(b, op, 11, &x, 1, attrs, form < 2 ? 2 : 1);
}

static void test_reduce(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "ReduceSum", "ReduceMean", "ReduceMax",    "ReduceMin",       "ReduceProd",
        "ReduceL1",  "ReduceL2",   "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        op = ops[i];
        print_message("%s\n", op);
        for (form = 0; form < 4; form++)
            grad_check(make_reduce, 0.5F, 1.5F);
    }
}

/* ---- moves ---- */

static vt_value_id make_concat(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 3, DIMS(2, 3, 2)),
                                  grad_input(b, type, 3, DIMS(2, 1, 2)),
                                  grad_input(b, type, 3, DIMS(2, 2, 2))};
    const vt_attr axis = attr_int("axis", 1);
    return builder_node(b, "Concat", 13, inputs, 3, &axis, 1);
}

/* Two of three parts are used. */
static vt_value_id make_split(builder *b, vt_dtype type)
{
    vt_value_id inputs[] = {grad_input(b, type, 2, DIMS(2, 6)), builder_ints(b, 3, DIMS(2, 2, 2))};
    vt_value_id outputs[3] = {builder_value(b), builder_value(b), builder_value(b)};
    vt_attr axis = attr_int("axis", 1);
    vt_node node = {.op = vt_op_find("", "Split", 13),
                    .opset = 13,
                    .name = "",
                    .inputs = inputs,
                    .outputs = outputs,
                    .input_count = 2,
                    .output_count = 3,
                    .attrs = &axis,
                    .attr_count = 1};
    assert_int_equal(vt_graph_add_node(&b->graph, &node, NULL), VT_OK);
    return builder_binary(b, "Mul", outputs[0], outputs[2]);
}

static vt_value_id make_slice(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 3, DIMS(3, 5, 4)),
                                  builder_ints(b, 2, DIMS(-1, 1)), builder_ints(b, 2, DIMS(-6, 4)),
                                  builder_ints(b, 2, DIMS(1, 2)), builder_ints(b, 2, DIMS(-2, 1))};
    return builder_node(b, "Slice", 13, inputs, 5, NULL, 0);
}

static vt_value_id make_slice_plain(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 3, DIMS(3, 5, 4)),
                                  builder_ints(b, 1, DIMS(1)), builder_ints(b, 1, DIMS(3)),
                                  builder_ints(b, 1, DIMS(1))};
    return builder_node(b, "Slice", 13, inputs, 4, NULL, 0);
}

static vt_value_id make_pad(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 2, DIMS(3, 4)),
                                  builder_ints(b, 4, DIMS(1, -1, 2, 3))};
    return builder_node(b, "Pad", 13, inputs, 2, NULL, 0);
}

static vt_value_id make_expand(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 2, DIMS(3, 1)),
                                  builder_ints(b, 3, DIMS(2, 3, 4))};
    return builder_node(b, "Expand", 13, inputs, 2, NULL, 0);
}

static vt_value_id make_tile(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 3, DIMS(2, 3, 2)),
                                  builder_ints(b, 3, DIMS(2, 1, 3))};
    return builder_node(b, "Tile", 13, inputs, 2, NULL, 0);
}

static vt_value_id make_depth_to_space(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 4, DIMS(2, 8, 2, 3));
    const vt_attr attrs[] = {attr_int("blocksize", 2), attr_text("mode", form ? "CRD" : "DCR")};
    return builder_node(b, "DepthToSpace", 13, &x, 1, attrs, 2);
}

static vt_value_id make_space_to_depth(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 4, DIMS(1, 3, 4, 6));
    const vt_attr size = attr_int("blocksize", 2);
    return builder_node(b, "SpaceToDepth", 13, &x, 1, &size, 1);
}

static vt_value_id make_cumsum(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(3, 4));
    const vt_attr exclusive = attr_int("exclusive", 1);
    return builder_node(b, "CumSum", 14, (const vt_value_id[]){x, builder_ints(b, 1, DIMS(1))}, 2,
                        &exclusive, 1);
}

static vt_value_id make_shapes(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(2, 3, 4));
    const vt_attr perm = attr_ints("perm", 3, DIMS(2, 0, 1));
    x = builder_node(b, "Transpose", 13, &x, 1, &perm, 1);
    x = builder_binary(b, "Reshape", x, builder_ints(b, 2, DIMS(8, 3)));
    x = builder_binary(b, "Unsqueeze", x, builder_ints(b, 1, DIMS(0)));
    return builder_binary(b, "Squeeze", x, builder_ints(b, 1, DIMS(0)));
}

static void test_moves(void **state)
{
    (void)state;
    static grad_make *const makes[] = {make_concat, make_split,  make_slice, make_slice_plain,
                                       make_pad,    make_expand, make_tile,  make_space_to_depth,
                                       make_cumsum, make_shapes};
    for (size_t i = 0; i < sizeof makes / sizeof makes[0]; i++) {
        print_message("move %zu\n", i);
        grad_check(makes[i], -1, 1);
    }
    for (form = 0; form < 2; form++)
        grad_check(make_depth_to_space, -1, 1);
}

/* ---- indices ---- */

static vt_value_id make_gather(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(2, 4, 3));
    vt_value_id indices = builder_input(b, VT_I64, 2, DIMS(2, 3));
    const vt_attr axis = attr_int("axis", form);
    return builder_node(b, "Gather", 13, (const vt_value_id[]){x, indices}, 2, &axis, 1);
}

static vt_value_id make_gather_elements(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(4, 3));
    vt_value_id indices = builder_input(b, VT_I64, 2, DIMS(5, 3));
    return builder_node(b, "GatherElements", 13, (const vt_value_id[]){x, indices}, 2, NULL, 0);
}

static vt_value_id make_gather_nd(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(3, 4, 2));
    vt_value_id indices = builder_input(b, VT_I64, 2, DIMS(5, 2));
    return builder_node(b, "GatherND", 13, (const vt_value_id[]){x, indices}, 2, NULL, 0);
}

static vt_value_id make_scatter_elements(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(4, 3));
    vt_value_id indices = builder_ints(b, 2, DIMS(3, 1));
    indices = builder_binary(b, "Reshape", indices, builder_ints(b, 2, DIMS(2, 1)));
    vt_value_id updates = grad_input(b, type, 2, DIMS(2, 1));
    const vt_attr add = attr_text("reduction", form ? "add" : "none");
    return builder_node(b, "ScatterElements", 16, (const vt_value_id[]){x, indices, updates}, 3,
                        &add, 1);
}

static vt_value_id make_scatter_nd(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(4, 3));
    vt_value_id indices = builder_ints(b, 2, DIMS(3, 1));
    indices = builder_binary(b, "Reshape", indices, builder_ints(b, 2, DIMS(2, 1)));
    vt_value_id updates = grad_input(b, type, 2, DIMS(2, 3));
    const vt_attr add = attr_text("reduction", form ? "add" : "none");
    return builder_node(b, "ScatterND", 16, (const vt_value_id[]){x, indices, updates}, 3, &add, 1);
}

static vt_value_id make_topk(builder *b, vt_dtype type)
{
    vt_value_id inputs[] = {grad_input(b, type, 2, DIMS(3, 5)), builder_ints(b, 1, DIMS(2))};
    vt_value_id outputs[2] = {builder_value(b), builder_value(b)};
    vt_node node = {.op = vt_op_find("", "TopK", 11),
                    .opset = 11,
                    .name = "",
                    .inputs = inputs,
                    .outputs = outputs,
                    .input_count = 2,
                    .output_count = 2};
    assert_int_equal(vt_graph_add_node(&b->graph, &node, NULL), VT_OK);
    return outputs[0];
}

static void test_indices(void **state)
{
    (void)state;
    for (form = 1; form < 2; form++)
        grad_check(make_gather, -1, 1);
    grad_check(make_gather_elements, -1, 1);
    grad_check(make_gather_nd, -1, 1);
    for (form = 0; form < 2; form++) {
        grad_check(make_scatter_elements, -1, 1);
        grad_check(make_scatter_nd, -1, 1);
    }
    grad_check(make_topk, -1, 1);
}

/* ---- normalisations ---- */

static vt_value_id make_layernorm(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 3, DIMS(2, 3, 4)),
                                  grad_input(b, type, form + 1, form ? DIMS(3, 4) : DIMS(4)),
                                  grad_input(b, type, 1, DIMS(4))};
    const vt_attr axis = attr_int("axis", form ? 1 : -1);
    return builder_node(b, "LayerNormalization", 17, inputs, 3, &axis, 1);
}

static vt_value_id make_rmsnorm(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 3, DIMS(2, 3, 4)),
                                  grad_input(b, type, 1, DIMS(4))};
    return builder_node(b, "RMSNormalization", 23, inputs, 2, NULL, 0);
}

static vt_value_id make_instancenorm(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 4, DIMS(2, 3, 3, 2)),
                                  grad_input(b, type, 1, DIMS(3)), grad_input(b, type, 1, DIMS(3))};
    return builder_node(b, "InstanceNormalization", 6, inputs, 3, NULL, 0);
}

static vt_value_id make_groupnorm(builder *b, vt_dtype type)
{
    int64_t weights = form < 21 ? 2 : 4;
    const vt_value_id inputs[] = {grad_input(b, type, 4, DIMS(2, 4, 3, 2)),
                                  grad_input(b, type, 1, &weights),
                                  grad_input(b, type, 1, &weights)};
    const vt_attr groups = attr_int("num_groups", 2);
    return builder_node(b, "GroupNormalization", form, inputs, 3, &groups, 1);
}

static vt_value_id make_lrn(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 4, DIMS(2, 6, 2, 3));
    const vt_attr attrs[] = {attr_int("size", form), attr_float("alpha", 0.5F),
                             attr_float("beta", 0.75F), attr_float("bias", 1.5F)};
    return builder_node(b, "LRN", 13, &x, 1, attrs, 4);
}

static void test_norms(void **state)
{
    (void)state;
    for (form = 0; form < 2; form++)
        grad_check(make_layernorm, -1, 1);
    grad_check(make_rmsnorm, -1, 1);
    grad_check(make_instancenorm, -1, 1);
    for (form = 18; form <= 21; form += 3)
        grad_check(make_groupnorm, -1, 1);
    for (form = 3; form < 5; form++)
        grad_check(make_lrn, -1, 1);
}

/* ---- resizing ---- */

static const char *mode, *coordinates;

static vt_value_id make_resize(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 4, DIMS(1, 2, 3, 4));
    vt_value_id sizes = builder_ints(b, 4, form ? DIMS(1, 2, 5, 8) : DIMS(1, 2, 2, 3));
    const vt_value_id inputs[] = {x, VT_NO_VALUE, VT_NO_VALUE, sizes};
    const vt_attr attrs[] = {attr_text("mode", mode),
                             attr_text("coordinate_transformation_mode", coordinates)};
    return builder_node(b, "Resize", 13, inputs, 4, attrs, 2);
}

static void test_resize(void **state)
{
    (void)state;
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const maps[] = {"half_pixel", "asymmetric", "align_corners"};
    for (int i = 0; i < 9; i++) {
        mode = modes[i / 3];
        coordinates = maps[i % 3];
        for (form = 0; form < 2; form++)
            grad_check(make_resize, -1, 1);
    }
}

/* A gradient that stops where nothing can be differentiated, beside one that goes on. */
static vt_value_id make_stopped(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(3, 4));
    vt_value_id rounded = builder_unary(b, "Floor", x);
    return builder_binary(b, "Add", builder_binary(b, "Mul", x, x), rounded);
}

static void test_stops(void **state)
{
    (void)state;
    grad_check(make_stopped, 0.1F, 0.9F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),  cmocka_unit_test(test_forms),
        cmocka_unit_test(test_binary), cmocka_unit_test(test_reduce),
        cmocka_unit_test(test_moves),  cmocka_unit_test(test_indices),
        cmocka_unit_test(test_norms),  cmocka_unit_test(test_resize),
        cmocka_unit_test(test_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
