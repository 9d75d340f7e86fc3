/* SPDX-License-Identifier: Apache-2.0 */
/* Which networks treat the rows of a batch apart, and the search for the fastest part of one. */
#include "nn/batch.h"
#include "nn/plan_builder.h"

enum { ROWS = 4 };

/* Planned, asked and freed. */
static bool rows_apart(builder *b, int64_t rows)
{
    bool apart = false;
    vt_error error = {0};
    vt_plan *plan = builder_plan(b);
    if (vt_plan_rows_apart(plan, rows, &apart, &error) != VT_OK) {
        fail_msg("%s", error.message);
    }
    vt_plan_free(plan);
    return apart;
}

static bool apart_when_done(builder *b, vt_value_id output)
{
    builder_output(b, output);
    bool apart = rows_apart(b, ROWS);
    builder_deinit(b);
    return apart;
}

static vt_value_id start(builder *b, int rank, const int64_t *dims)
{
    builder_init(b, 1);
    return builder_input(b, VT_F32, rank, dims);
}

#define START(b, ...)                                                                              \
    start(b, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define INTS(b, ...)                                                                               \
    builder_ints(b, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                     \
                 (int64_t[]){__VA_ARGS__})
#define NUMBERS(b, ...)                                                                            \
    builder_constant(b, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                 \
                     (int64_t[]){__VA_ARGS__}, -1, 1)

static vt_value_id with_axis(builder *b, const char *op, int opset, vt_value_id x, int64_t axis)
{
    const vt_attr attr = attr_int("axis", axis);
    return builder_node(b, op, opset, &x, 1, &attr, 1);
}

static vt_value_id transposed(builder *b, vt_value_id x, int rank, const int64_t *perm)
{
    const vt_attr attr = attr_ints("perm", rank, perm);
    return builder_node(b, "Transpose", 13, &x, 1, &attr, 1);
}

static vt_value_id joined(builder *b, vt_value_id left, vt_value_id right, int64_t axis)
{
    const vt_attr attr = attr_int("axis", axis);
    return builder_node(b, "Concat", 13, (const vt_value_id[]){left, right}, 2, &attr, 1);
}

/* A node of several outputs; returns the first. */
static vt_value_id with_outputs(builder *b, const char *op, int opset, const vt_value_id *inputs,
                                size_t input_count, vt_value_id *outputs, size_t output_count,
                                const vt_attr *attr)
{
    vt_error error = {0};
    for (size_t i = 0; i < output_count; i++) {
        outputs[i] = builder_value(b);
    }
    vt_node node = {.op = vt_op_find("", op, opset),
                    .opset = opset,
                    .name = "",
                    .inputs = (vt_value_id *)(uintptr_t)inputs,
                    .outputs = outputs,
                    .input_count = input_count,
                    .output_count = output_count,
                    .attrs = (vt_attr *)(uintptr_t)attr,
                    .attr_count = attr ? 1 : 0};
    assert_non_null(node.op);
    if (vt_graph_add_node(&b->graph, &node, &error) != VT_OK) {
        fail_msg("%s", error.message);
    }
    return outputs[0];
}

static vt_value_id batchnorm(builder *b, vt_value_id x, int opset, int64_t channels,
                             size_t output_count, const vt_attr *attr)
{
    vt_value_id inputs[5] = {x}, outputs[5];
    for (int i = 1; i < 5; i++) {
        inputs[i] = builder_constant(b, 1, &channels, 0.5F, 1);
    }
    return with_outputs(b, "BatchNormalization", opset, inputs, 5, outputs, output_count, attr);
}

/* ---- networks that do ---- */

static void test_convolutional_networks(void **state)
{
    (void)state;
    builder b;
    const int64_t two[] = {2, 2};
    const vt_attr window = attr_ints("kernel_shape", 2, two);
    vt_value_id x = START(&b, ROWS, 3, 10, 10);
    x = builder_binary(&b, "Conv", x, NUMBERS(&b, 8, 3, 3, 3));
    x = builder_unary(&b, "Relu", batchnorm(&b, x, 9, 8, 1, NULL));
    x = builder_binary(&b, "Add", x, builder_binary(&b, "Mul", x, NUMBERS(&b, 8, 1, 1)));
    x = builder_node(&b, "MaxPool", 12, &x, 1, &window, 1);
    x = joined(&b, x, builder_unary(&b, "Sigmoid", x), 1);
    x = builder_unary(&b, "GlobalAveragePool", x);
    x = with_axis(&b, "Flatten", 13, x, 1);
    const vt_value_id product[] = {x, NUMBERS(&b, 16, 5), NUMBERS(&b, 5)};
    x = builder_node(&b, "Gemm", 13, product, 3, NULL, 0);
    assert_true(apart_when_done(&b, with_axis(&b, "Softmax", 13, x, 1)));
}

static vt_value_id heads(builder *b, vt_value_id x)
{
    x = builder_binary(b, "MatMul", x, NUMBERS(b, 6, 6));
    x = builder_binary(b, "Reshape", x, INTS(b, 0, -1, 2, 3));
    return transposed(b, x, 4, (const int64_t[]){0, 2, 1, 3});
}

/* Patches, a class token, and attention as `fused` says. */
static vt_value_id transformer(builder *b, bool fused)
{
    vt_value_id x = START(b, ROWS, 3, 8, 8);
    x = builder_binary(b, "Conv", x, NUMBERS(b, 6, 3, 4, 4)); /* 5 x 5 */
    x = builder_binary(b, "Reshape", x, INTS(b, 0, 6, -1));
    x = transposed(b, x, 3, (const int64_t[]){0, 2, 1});
    vt_value_id token = builder_binary(b, "Expand", NUMBERS(b, 1, 1, 6), INTS(b, ROWS, 1, 6));
    x = joined(b, token, x, 1);
    x = builder_binary(b, "Add", x, NUMBERS(b, 1, 26, 6));
    const vt_value_id norm[] = {x, NUMBERS(b, 6), NUMBERS(b, 6)};
    x = builder_node(b, "LayerNormalization", 17, norm, 3, NULL, 0);
    vt_value_id q = heads(b, x), k = heads(b, x), v = heads(b, x);
    if (fused) {
        x = builder_node(b, "Attention", 23, (const vt_value_id[]){q, k, v}, 3, NULL, 0);
    } else {
        k = transposed(b, k, 4, (const int64_t[]){0, 1, 3, 2});
        x = with_axis(b, "Softmax", 13, builder_binary(b, "MatMul", q, k), -1);
        x = builder_binary(b, "MatMul", x, v);
    }
    x = transposed(b, x, 4, (const int64_t[]){0, 2, 1, 3});
    x = builder_binary(b, "Reshape", x, INTS(b, 0, 0, -1));
    return x;
}

static void test_transformers(void **state)
{
    (void)state;
    for (int fused = 0; fused < 2; fused++) {
        builder b;
        vt_value_id x = transformer(&b, fused != 0), parts[2];
        const vt_attr inner = attr_int("axis", 2);
        builder_binary(&b, "Gather", x, INTS(&b, 0)); /* mixes, but is asked for by nobody */
        const vt_value_id slice[] = {x, INTS(&b, 0), INTS(&b, 3), INTS(&b, 1)};
        x = builder_node(&b, "Slice", 13, slice, 4, NULL, 0);
        x = with_outputs(&b, "Split", 13, &x, 1, parts, 2, &inner);
        const vt_value_id gather[] = {builder_binary(&b, "Sub", x, parts[1]), INTS(&b, 2, 0)};
        const vt_attr first = attr_int("axis", 1);
        x = builder_node(&b, "Gather", 13, gather, 2, &first, 1);
        builder_output(&b, builder_binary(&b, "ReduceSum", x, INTS(&b, -1)));
        const int64_t axes[] = {1, 2};
        const vt_attr means = attr_ints("axes", 2, axes);
        assert_true(apart_when_done(&b, builder_node(&b, "ReduceMean", 13, &x, 1, &means, 1)));
    }
}

/* ---- steps that do not ---- */

static vt_value_id mixing_axis(builder *b, vt_value_id x, int which)
{
    const vt_attr first = attr_int("axis", 0);
    const vt_attr axes = attr_ints("axes", 1, (const int64_t[]){0});
    vt_value_id parts[2];
    const vt_value_id slice[] = {x, INTS(b, 0), INTS(b, ROWS), INTS(b, -2), INTS(b, 1)};
    const vt_value_id gather[] = {x, INTS(b, 3, 2, 1, 0)};
    switch (which) {
    case 0:
        return with_axis(b, "Softmax", 13, x, 0);
    case 1:
        return with_axis(b, "LogSoftmax", 13, x, -2);
    case 2:
        return with_axis(b, "Softmax", 11, x, 0);
    case 3:
        return builder_node(b, "ReduceMean", 13, &x, 1, &axes, 1);
    case 4:
        return builder_unary(b, "ReduceMax", x);
    case 5:
        return builder_binary(b, "ReduceSum", x, INTS(b, 1, -2));
    case 6:
        return joined(b, x, x, 0);
    case 7:
        return builder_node(b, "Gather", 13, gather, 2, &first, 1);
    case 8:
        return builder_node(b, "Gather", 13, gather, 2, NULL, 0);
    case 9:
        return builder_node(b, "Slice", 13, slice, 5, NULL, 0);
    case 10:
        return builder_node(b, "Slice", 13, slice, 3, NULL, 0);
    case 11:
        return with_outputs(b, "Split", 13, &x, 1, parts, 2, NULL);
    case 12:
        return with_axis(b, "ArgMax", 13, x, 0);
    case 13:
        return with_axis(b, "LpNormalization", 13, x, 0);
    default:
        return builder_binary(b, "CumSum", x, builder_binary(b, "Squeeze", INTS(b, 0), INTS(b, 0)));
    }
}

static void test_steps_along_the_batch(void **state)
{
    (void)state;
    for (int which = 0; which < 15; which++) {
        builder b;
        vt_value_id x = START(&b, ROWS, ROWS);
        if (apart_when_done(&b, mixing_axis(&b, x, which))) {
            fail_msg("case %d", which);
        }
    }
}

static vt_value_id mixing_order(builder *b, int which)
{
    const vt_attr transposes = attr_int("transA", 1), training = attr_int("training_mode", 1);
    vt_value_id x = START(b, ROWS, ROWS, ROWS), outputs[2];
    vt_value_id flat = builder_binary(b, "Reshape", x, INTS(b, 0, -1));
    switch (which) {
    case 0:
        return transposed(b, x, 3, (const int64_t[]){1, 0, 2});
    case 1:
        return builder_unary(b, "Transpose", x); /* the other way round */
    case 2:                                      /* square, so that the shapes tell nothing */
        x = builder_binary(b, "ReduceSum", x, INTS(b, 1));
        x = builder_binary(b, "Squeeze", x, INTS(b, 1));
        return builder_binary(b, "MatMul", x, builder_unary(b, "Transpose", x));
    case 3:
        return builder_binary(b, "MatMul", NUMBERS(b, ROWS, ROWS), flat);
    case 4:
        return builder_binary(b, "MatMul", NUMBERS(b, ROWS, ROWS, ROWS), x);
    case 5:
        return builder_binary(b, "Reshape", x, INTS(b, 2, -1));
    case 6:
        return with_axis(b, "Flatten", 13, x, 0);
    case 7:
        return builder_binary(b, "Unsqueeze", x, INTS(b, 0));
    case 8:
        return builder_node(b, "Gemm", 13, (const vt_value_id[]){flat, NUMBERS(b, ROWS, 3)}, 2,
                            &transposes, 1);
    case 9:
        return batchnorm(b, x, 15, ROWS, 3, &training);
    case 10:
        return batchnorm(b, x, 9, ROWS, 5, NULL);
    case 11: { /* the indices count through all rows */
        const vt_attr window = attr_ints("kernel_shape", 1, (const int64_t[]){1});
        with_outputs(b, "MaxPool", 12, &x, 1, outputs, 2, &window);
        builder_output(b, outputs[1]);
        return outputs[0];
    }
    case 12:
        return builder_binary(b, "CumSum", x, builder_binary(b, "Squeeze", INTS(b, 1), INTS(b, 0)));
    case 13:
        return builder_unary(b, "Shape", x);
    default: /* broadcast to the second axis */
        return builder_binary(b, "Add", builder_binary(b, "Unsqueeze", x, INTS(b, 1)), x);
    }
}

static void test_steps_that_mix(void **state)
{
    (void)state;
    for (int which = 0; which < 15; which++) {
        builder b;
        if (apart_when_done(&b, mixing_order(&b, which))) {
            fail_msg("case %d", which);
        }
    }
}

/* Constants with as many rows as the batch: apart only if these are equal. */
static void test_constants_with_rows(void **state)
{
    (void)state;
    for (int which = 0; which < 10; which++) {
        builder b;
        vt_value_id x = START(&b, ROWS, 6);
        bool equal = which % 2 != 0;
        vt_value_id rows = equal
                               ? builder_binary(&b, "Expand", NUMBERS(&b, 1, 6), INTS(&b, ROWS, 1))
                               : NUMBERS(&b, ROWS, 6);
        const vt_value_id inputs[] = {x, which / 2 == 2 ? NUMBERS(&b, 6, 6) : rows, rows};
        static const char *const ops[] = {"Add", "Concat", "Gemm", "LayerNormalization", "Mul"};
        vt_value_id y = which / 2 == 1
                            ? joined(&b, rows, x, -1)
                            : builder_node(&b, ops[which / 2], 17, inputs,
                                           which / 2 == 2 || which / 2 == 3 ? 3 : 2, NULL, 0);
        if (apart_when_done(&b, y) != equal) {
            fail_msg("case %d", which);
        }
    }
}

static void test_ends_of_a_network(void **state)
{
    (void)state;
    builder b;
    vt_value_id x = START(&b, ROWS, 6); /* an output from nowhere */
    builder_output(&b, builder_unary(&b, "Relu", x));
    assert_false(apart_when_done(&b, NUMBERS(&b, ROWS, 6)));
    x = START(&b, ROWS, 6); /* an input straight through */
    assert_true(apart_when_done(&b, x));
    x = START(&b, ROWS, 6); /* an input of another number of rows */
    vt_value_id other = builder_input(&b, VT_F32, 2, (const int64_t[]){1, 6});
    assert_false(apart_when_done(&b, builder_binary(&b, "Add", x, other)));
    x = START(&b, ROWS, 6); /* both of so many */
    other = builder_input(&b, VT_F32, 2, (const int64_t[]){ROWS, 6});
    assert_true(apart_when_done(&b, builder_binary(&b, "Add", x, other)));
    builder_init(&b, 1);
    assert_false(apart_when_done(&b, builder_input(&b, VT_F32, 0, NULL)));
}

/* A plan for one row: the batch that is written into the graph shows. */
static void test_one_row(void **state)
{
    (void)state;
    for (int64_t rows = 1; rows <= 2; rows++) {
        builder b;
        vt_value_id x = START(&b, 1, 6);
        builder_output(&b, builder_binary(&b, "Reshape", x, INTS(&b, rows, -1)));
        assert_int_equal(rows_apart(&b, 1), rows == 1);
        builder_deinit(&b);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    bool apart;
    vt_error error = {0};
    vt_value_id x = START(&b, ROWS, 6);
    builder_output(&b, builder_unary(&b, "Relu", x));
    vt_plan *plan = builder_plan(&b);
    vt_mem_fail_after(0);
    vt_status status = vt_plan_rows_apart(plan, ROWS, &apart, &error);
    vt_mem_fail_after(-1);
    assert_int_equal(status, VT_ERR_NO_MEMORY);
    assert_int_equal(error.status, VT_ERR_NO_MEMORY);
    vt_plan_free(plan);
    builder_deinit(&b);
}

/* ---- the same function of each row ---- */

enum { PLAIN, SCALED, CUT, TOKEN, WRITTEN, OTHERS };

/* `which` says how the size of the batch gets into the network. */
static vt_hash hash_at(int which, int64_t rows)
{
    builder b;
    vt_value_id x = START(&b, rows, 8);
    const vt_attr type = attr_int("to", VT_F32);
    vt_value_id shape = builder_unary(&b, "Shape", x);
    vt_value_id size = builder_binary(&b, "Gather", shape, INTS(&b, 0));
    if (which == SCALED) {
        x = builder_binary(&b, "Div", x, builder_node(&b, "Cast", 13, &size, 1, &type, 1));
    } else if (which == CUT) {
        const vt_value_id slice[] = {x, INTS(&b, 0), size, INTS(&b, 1)};
        x = builder_node(&b, "Slice", 13, slice, 4, NULL, 0);
        x = builder_binary(&b, "ReduceSum", x, INTS(&b, 1));
    } else if (which == TOKEN) {
        vt_value_id to = joined(&b, size, INTS(&b, 8), 0);
        x = joined(&b, builder_binary(&b, "Expand", NUMBERS(&b, 1, 8), to), x, 1);
    } else if (which == WRITTEN) {
        x = builder_binary(&b, "Reshape", x, INTS(&b, 4, -1));
    }
    x = with_axis(&b, "Softmax", 13, x, 1);
    builder_output(&b, builder_binary(&b, "Reshape", x, joined(&b, size, INTS(&b, -1), 0)));
    vt_plan *plan = builder_plan(&b);
    vt_hash hash = vt_plan_rows_hash(plan);
    vt_plan_free(plan);
    builder_deinit(&b);
    return hash;
}

static void test_hash_of_the_batch(void **state)
{
    (void)state;
    static const bool same[OTHERS] = {[PLAIN] = true, [TOKEN] = true};
    for (int which = 0; which < OTHERS; which++) {
        vt_hash four = hash_at(which, 4), two = hash_at(which, 2), again = hash_at(which, 4);
        assert_memory_equal(&four, &again, sizeof four);
        if ((memcmp(&four, &two, sizeof four) == 0) != same[which]) {
            fail_msg("case %d", which);
        }
    }
}

/* ---- how many at a time ---- */

/* Two runs of a size: the first, which plans, is not counted however long it takes. */
static void run_twice(vt_batch_split *split, int64_t part, double ms)
{
    assert_false(split->decided);
    assert_int_equal(vt_batch_split_part(split), part);
    vt_batch_split_spent(split, 1000);
    assert_false(split->decided);
    assert_int_equal(vt_batch_split_part(split), part);
    vt_batch_split_spent(split, ms);
}

static void decided_on(vt_batch_split *split, int64_t part)
{
    assert_true(split->decided);
    assert_int_equal(vt_batch_split_part(split), part);
    vt_batch_split_spent(split, 0.001); /* no longer heard */
    vt_batch_split_spent(split, 0.001);
    assert_int_equal(vt_batch_split_part(split), part);
}

static void test_split_halves(void **state)
{
    (void)state;
    vt_batch_split split;
    vt_batch_split_start(&split, 8);
    run_twice(&split, 8, 10);
    run_twice(&split, 4, 8);
    run_twice(&split, 2, 8.5); /* no clear loss: goes on */
    run_twice(&split, 1, 7);
    decided_on(&split, 1);
    vt_batch_split_start(&split, 8);
    run_twice(&split, 8, 10);
    run_twice(&split, 4, 8);
    run_twice(&split, 2, 8.7);
    run_twice(&split, 1, 8.6);
    decided_on(&split, 4);
}

static void test_split_ends_at_a_loss(void **state)
{
    (void)state;
    vt_batch_split split;
    vt_batch_split_start(&split, 32);
    run_twice(&split, 32, 10);
    run_twice(&split, 16, 11.5);
    decided_on(&split, 32);
    vt_batch_split_start(&split, 32);
    run_twice(&split, 32, 10);
    run_twice(&split, 16, 5);
    run_twice(&split, 8, 6); /* better than the whole, but not than the best */
    decided_on(&split, 16);
}

static void test_split_of_odd_sizes(void **state)
{
    (void)state;
    vt_batch_split split;
    vt_batch_split_start(&split, 1);
    decided_on(&split, 1);
    vt_batch_split_start(&split, 7);
    run_twice(&split, 7, 10);
    decided_on(&split, 7);
    vt_batch_split_start(&split, 12);
    run_twice(&split, 12, 10);
    run_twice(&split, 6, 9);
    run_twice(&split, 3, 8);
    decided_on(&split, 3);
}

static void test_split_refused(void **state)
{
    (void)state;
    vt_batch_split split;
    vt_batch_split_start(&split, 8);
    run_twice(&split, 8, 10);
    vt_batch_split_refuse(&split);
    decided_on(&split, 8);
    vt_batch_split_start(&split, 8);
    run_twice(&split, 8, 10);
    run_twice(&split, 4, 9);
    vt_batch_split_refuse(&split);
    decided_on(&split, 4);
    vt_batch_split_refuse(&split); /* not even that */
    decided_on(&split, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutional_networks),
        cmocka_unit_test(test_transformers),
        cmocka_unit_test(test_steps_along_the_batch),
        cmocka_unit_test(test_steps_that_mix),
        cmocka_unit_test(test_constants_with_rows),
        cmocka_unit_test(test_ends_of_a_network),
        cmocka_unit_test(test_one_row),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_hash_of_the_batch),
        cmocka_unit_test(test_split_halves),
        cmocka_unit_test(test_split_ends_at_a_loss),
        cmocka_unit_test(test_split_of_odd_sizes),
        cmocka_unit_test(test_split_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
