/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions over joined channels become sums, and those that must not stay as they are. */
#include "nn/pass_check.h"

static vt_value_id input(builder *b, vt_dtype dtype, int64_t channels)
{
    return builder_input(b, dtype, 4, (const int64_t[]){2, channels, 7, 6});
}

static vt_value_id joined(builder *b, const vt_value_id *parts, size_t count, int64_t axis)
{
    const vt_attr attr = attr_int("axis", axis);
    return builder_node(b, "Concat", 13, parts, count, &attr, 1);
}

static vt_value_id pooled(builder *b, vt_value_id x)
{
    const vt_attr attrs[] = {attr_ints("kernel_shape", 2, (const int64_t[]){3, 3}),
                             attr_ints("strides", 2, (const int64_t[]){2, 2}),
                             attr_int("ceil_mode", 1)};
    return builder_node(b, "MaxPool", 12, &x, 1, attrs, 3);
}

/* Pads where the weights are 3 x 3. */
static vt_value_id conv(builder *b, vt_value_id x, const int64_t *weights, bool bias)
{
    const vt_attr pads = attr_ints("pads", 4, (const int64_t[]){1, 1, 1, 1});
    const vt_value_id inputs[] = {x, builder_constant(b, 4, weights, -1, 1),
                                  bias ? builder_constant(b, 1, weights, -1, 1) : VT_NO_VALUE};
    return builder_node(b, "Conv", 13, inputs, bias ? 3 : 2, &pads, weights[2] == 3 ? 1 : 0);
}

static vt_value_id two_joined(builder *b, int64_t axis)
{
    const vt_value_id parts[] = {builder_unary(b, "Relu", input(b, VT_F32, 5)),
                                 builder_unary(b, "Abs", input(b, VT_F32, 3))};
    return joined(b, parts, 2, axis);
}

static void check(builder *b, const char *want)
{
    pass_check(b, vt_pass_split_concat, want, 1e-5);
    builder_deinit(b);
}

static void test_split(void **state)
{
    (void)state;
    for (int form = 0; form < 16; form++) {
        builder b;
        bool pool = form & 1, bias = form & 2;
        int64_t size = form & 4 ? 3 : 1;
        builder_init(&b, (uint64_t)form);
        vt_value_id x = two_joined(&b, form & 8 ? 1 : -3);
        x = pool ? pooled(&b, x) : x;
        x = conv(&b, x, (const int64_t[]){4, 8, size, size}, bias);
        builder_output(&b, builder_unary(&b, "Neg", x));
        check(&b,
              pool ? "Relu Abs MaxPool MaxPool Conv Conv+add Neg" : "Relu Abs Conv Conv+add Neg");
    }
}

/* The parts: network inputs, the same one twice, and results of another such sum. */
static void test_parts_from_anywhere(void **state)
{
    (void)state;
    const int64_t weights[] = {2, 8, 1, 1}, next[] = {2, 4, 3, 3};
    builder b;
    builder_init(&b, 1);
    vt_value_id parts[2] = {input(&b, VT_F32, 3), input(&b, VT_F32, 5)};
    builder_output(&b, conv(&b, joined(&b, parts, 2, 1), weights, true));
    check(&b, "Conv Conv+add");
    builder_init(&b, 2);
    parts[0] = parts[1] = input(&b, VT_F32, 4);
    builder_output(&b, conv(&b, joined(&b, parts, 2, 1), weights, true));
    check(&b, "Conv Conv+add");
    builder_init(&b, 3);
    parts[0] = conv(&b, two_joined(&b, 1), weights, true);
    parts[1] = builder_unary(&b, "Relu", parts[0]);
    builder_output(&b, conv(&b, joined(&b, parts, 2, 1), next, false));
    check(&b, "Relu Abs Conv Conv+add Relu Conv Conv+add");
    builder_init(&b, 4); /* one dimension */
    parts[0] = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 5, 9});
    parts[1] = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 3, 9});
    const vt_value_id line[] = {joined(&b, parts, 2, -2),
                                builder_constant(&b, 3, (const int64_t[]){4, 8, 3}, -1, 1)};
    builder_output(&b, builder_node(&b, "Conv", 13, line, 2, NULL, 0));
    check(&b, "Conv Conv+add");
}

enum {
    OTHER_READER,
    POOL_READER,
    POOLED_READER,
    THREE_PARTS,
    ONE_PART,
    INNER_AXIS,
    GROUPS,
    DOUBLES,
    WIDE,
    COMPUTED_WEIGHTS,
    JOIN_IS_OUTPUT,
    POOL_IS_OUTPUT,
    CONSTANT_PART,
    INDICES,
    CASES
};

/* MaxPool whose indices are an output of the network. */
static vt_value_id pooled_with_indices(builder *b, vt_value_id x)
{
    vt_value_id outputs[2] = {builder_value(b), builder_value(b)};
    vt_attr kernel = attr_ints("kernel_shape", 2, (const int64_t[]){2, 2});
    vt_node node = {.op = vt_op_find("", "MaxPool", 12),
                    .opset = 12,
                    .name = "",
                    .inputs = &x,
                    .outputs = outputs,
                    .input_count = 1,
                    .output_count = 2,
                    .attrs = &kernel,
                    .attr_count = 1};
    assert_int_equal(vt_graph_add_node(&b->graph, &node, NULL), VT_OK);
    builder_output(b, outputs[1]);
    return outputs[0];
}

static vt_value_id refused_join(builder *b, int which)
{
    const vt_dtype dtype = which == DOUBLES ? VT_F64 : VT_F32;
    if (which == INNER_AXIS) {
        const vt_value_id parts[] = {input(b, dtype, 8), input(b, dtype, 8)};
        return joined(b, parts, 2, 2);
    }
    if (which == THREE_PARTS) {
        const vt_value_id parts[] = {input(b, dtype, 3), input(b, dtype, 3), input(b, dtype, 2)};
        return joined(b, parts, 3, 1);
    }
    if (which == ONE_PART) {
        const vt_value_id part = input(b, dtype, 8);
        return joined(b, &part, 1, 1);
    }
    const vt_value_id parts[] = {input(b, dtype, 5),
                                 which == CONSTANT_PART
                                     ? builder_constant(b, 4, (const int64_t[]){2, 3, 7, 6}, -1, 1)
                                     : input(b, dtype, 3)};
    return joined(b, parts, 2, 1);
}

static void test_refused(void **state)
{
    (void)state;
    for (int which = 0; which < CASES; which++) {
        builder b;
        builder_init(&b, (uint64_t)which);
        const int64_t dims[] = {which == WIDE ? 5 : 4, which == GROUPS ? 4 : 8, 1, 1};
        const vt_attr groups = attr_int("group", 2);
        vt_value_id join = refused_join(&b, which), x = join;
        if (which == POOL_READER || which == POOLED_READER || which == POOL_IS_OUTPUT) {
            x = pooled(&b, x);
        } else if (which == INDICES) {
            x = pooled_with_indices(&b, x);
        }
        const vt_value_id inputs[] = {
            x, which == COMPUTED_WEIGHTS
                   ? builder_input(&b, VT_F32, 4, dims)
                   : builder_constant_of(&b, which == DOUBLES ? VT_F64 : VT_F32, 4, dims, -1, 1)};
        builder_output(&b, builder_node(&b, "Conv", 13, inputs, 2, &groups, which == GROUPS));
        if (which == OTHER_READER || which == POOL_READER) {
            builder_output(&b, builder_unary(&b, "Neg", join));
        } else if (which == POOLED_READER) {
            builder_output(&b, builder_unary(&b, "Neg", x));
        } else if (which == JOIN_IS_OUTPUT || which == POOL_IS_OUTPUT) {
            builder_output(&b, x);
        }
        check(&b, NULL);
    }
}

/* With all passes and on oneDNN, where the second convolution adds to the first. */
static void test_executed(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        vt_value_id x = two_joined(&b, 1);
        x = form & 1 ? pooled(&b, x) : x;
        x = conv(&b, x, (const int64_t[]){4, 8, 3, 3}, form & 2);
        builder_output(&b, builder_unary(&b, "Relu", x));
        builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    vt_value_id x = pooled(&b, two_joined(&b, 1));
    builder_output(&b, conv(&b, x, (const int64_t[]){4, 8, 3, 3}, true));
    pass_check_no_memory(&b, vt_pass_split_concat);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),     cmocka_unit_test(test_parts_from_anywhere),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_executed),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
