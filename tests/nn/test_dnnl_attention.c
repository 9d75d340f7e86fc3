/* SPDX-License-Identifier: Apache-2.0 */
/* Attention on the oneDNN executor beside the reference: shapes, masks, views, what it leaves. */
#include "dnnl_cases.h"

typedef struct attention_case {
    int64_t batch, heads, rows, keys, size, value_size;
    vt_value_id mask; /* VT_NO_VALUE: none */
    const vt_attr *attrs;
    size_t attr_count;
    int opset;
} attention_case;

static vt_value_id attend(builder *b, const attention_case *c, const vt_value_id qkv[3])
{
    const vt_value_id inputs[] = {qkv[0], qkv[1], qkv[2], c->mask};
    return builder_node(b, "Attention", c->opset ? c->opset : 23, inputs,
                        c->mask == VT_NO_VALUE ? 3 : 4, c->attrs, c->attr_count);
}

static vt_value_id attention_of_inputs(builder *b, const attention_case *c)
{
    const vt_value_id qkv[] = {
        builder_input(b, VT_F32, 4, (const int64_t[]){c->batch, c->heads, c->rows, c->size}),
        builder_input(b, VT_F32, 4, (const int64_t[]){c->batch, c->heads, c->keys, c->size}),
        builder_input(b, VT_F32, 4, (const int64_t[]){c->batch, c->heads, c->keys, c->value_size})};
    return attend(b, c, qkv);
}

static void compare_directions(const vt_tensor *have, const vt_tensor *want, double tolerance)
{
    (void)tolerance;
    compare_cosine(have, want, 0.9995);
}

/* f32 on one and two threads, then bf16; returns how many steps the reference ran. */
static size_t check(builder *b)
{
    size_t steps = builder_compare_with(b, true, 1, compare_tensors, 1e-4);
    assert_int_equal(builder_compare_with(b, true, 2, compare_tensors, 1e-4), steps);
    b->precision = VT_PRECISION_BF16;
    builder_compare_with(b, true, 2, compare_directions, 0);
    builder_deinit(b);
    return steps;
}

static void test_shapes(void **state)
{
    (void)state;
    for (int64_t heads = 1; heads <= 8; heads++) {
        for (int form = 0; form < 4; form++) {
            builder b;
            builder_init(&b, (uint64_t)(heads * 10 + form));
            const vt_attr scale = attr_float("scale", 0.75F);
            const attention_case c = {
                .batch = 1 + heads % 3,
                .heads = heads,
                .rows = (const int64_t[]){7, 1, 16, 50}[form],
                .keys = (const int64_t[]){7, 9, 1, 50}[form],
                .size = (const int64_t[]){8, 5, 16, 1}[form],
                .value_size = (const int64_t[]){8, 3, 1, 24}[form],
                .mask = VT_NO_VALUE,
                .attrs = &scale,
                .attr_count = form % 2 == 1,
            };
            builder_output(&b, attention_of_inputs(&b, &c));
            assert_int_equal(check(&b), 0);
        }
    }
}

/* Scores of many heads do not fit the cache together: groups of them, of batches with masks. */
static void test_groups_of_heads(void **state)
{
    (void)state;
    for (int form = 0; form < 3; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        attention_case c = {2, 6, 300, 310, 8, 8, VT_NO_VALUE, NULL, 0, 0};
        if (form > 0) {
            c.mask =
                builder_input(&b, VT_F32, 4, (const int64_t[]){2, form == 1 ? 6 : 1, 300, 310});
        }
        builder_output(&b, attention_of_inputs(&b, &c));
        assert_int_equal(check(&b), 0);
    }
}

static void test_masks(void **state)
{
    (void)state;
    static const vt_shape shapes[] = {
        {2, {5, 7}},       {3, {1, 5, 7}},    {3, {3, 5, 7}},    {4, {2, 1, 5, 7}},
        {4, {1, 3, 5, 7}}, {4, {2, 3, 5, 7}}, {4, {1, 1, 5, 7}}, {2, {1, 7}},
        {2, {5, 1}},       {4, {2, 3, 1, 7}}, {4, {2, 1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int form = 0; form < 3; form++) {
            builder b;
            builder_init(&b, i);
            vt_dtype dtype = form == 2 ? VT_BOOL : VT_F32;
            attention_case c = {2, 3, 5, 7, 4, 6, VT_NO_VALUE, NULL, 0, 0};
            c.mask = form == 1 ? builder_constant(&b, shapes[i].rank, shapes[i].dims, -2, 2)
                               : builder_input(&b, dtype, shapes[i].rank, shapes[i].dims);
            builder_output(&b, attention_of_inputs(&b, &c));
            bool whole =
                shapes[i].dims[shapes[i].rank - 2] == 5 && shapes[i].dims[shapes[i].rank - 1] == 7;
            assert_int_equal(check(&b) == 0, whole && form < 2);
        }
    }
}

/* -infinity hides keys; a row that sees none is 0, not NaN. */
static void test_hidden_keys(void **state)
{
    (void)state;
    for (int form = 0; form < 3; form++) {
        const vt_shape shape = {4, {form == 2 ? 2 : 1, form == 0 ? 1 : 3, 5, 7}};
        builder b;
        vt_tensor mask;
        builder_init(&b, (uint64_t)form);
        assert_int_equal(vt_tensor_init(&mask, VT_F32, &shape, 0, NULL), VT_OK);
        float *numbers = mask.data;
        for (size_t i = 0; i < vt_tensor_count(&mask); i++) {
            size_t row = i / 7;
            bool hidden = row % 5 == 1 || row % 11 == 3 || (i * 7 + i / 3) % 3 == 0;
            numbers[i] = hidden ? -INFINITY : (float)(i % 5) * 0.25F;
        }
        attention_case c = {2, 3, 5, 7, 4, 6, VT_NO_VALUE, NULL, 0, 0};
        c.mask = builder_take(&b, &mask);
        builder_output(&b, attention_of_inputs(&b, &c));
        assert_int_equal(check(&b), 0);
    }
}

static void test_causal(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        builder b;
        builder_init(&b, (uint64_t)form);
        const vt_attr causal = attr_int("is_causal", 1);
        attention_case c = {2,       3, form == 1 ? 4 : 9,  form == 2 ? 4 : 9, 4, 6, VT_NO_VALUE,
                            &causal, 1, form == 3 ? 25 : 23};
        builder_output(&b, attention_of_inputs(&b, &c));
        assert_int_equal(check(&b), 0);
    }
    builder b; /* with a mask as well: the reference adds both */
    builder_init(&b, 9);
    const vt_attr causal = attr_int("is_causal", 1);
    attention_case c = {2, 3, 5, 7, 4, 6, VT_NO_VALUE, &causal, 1, 0};
    c.mask = builder_input(&b, VT_F32, 2, (const int64_t[]){5, 7});
    builder_output(&b, attention_of_inputs(&b, &c));
    assert_int_equal(check(&b), 1);
}

/* ---- one projection for Q, K and V ---- */

static vt_value_id transposed(builder *b, vt_value_id x, int rank, const int64_t *perm)
{
    const vt_attr attr = attr_ints("perm", rank, perm);
    return builder_node(b, "Transpose", 13, &x, 1, &attr, 1);
}

static vt_value_id reshaped(builder *b, vt_value_id x, int rank, const int64_t *dims)
{
    return builder_binary(b, "Reshape", x, builder_ints(b, rank, dims));
}

static void split_in_three(builder *b, vt_value_id x, int64_t axis, vt_value_id parts[3])
{
    vt_attr attr = attr_int("axis", axis);
    for (int i = 0; i < 3; i++) {
        parts[i] = builder_value(b);
    }
    vt_node node = {.op = vt_op_find("", "Split", 11),
                    .opset = 11,
                    .name = "",
                    .inputs = &x,
                    .outputs = parts,
                    .input_count = 1,
                    .output_count = 3,
                    .attrs = &attr,
                    .attr_count = 1};
    assert_int_equal(vt_graph_add_node(&b->graph, &node, NULL), VT_OK);
}

enum { BY_GATHER, BY_SPLIT_OF_ROWS, BY_SPLIT_OF_FIVE, FORMS };

/* x (B, N, C) times (C, 3 H D), then as exporters write the rest. */
static void project(builder *b, const attention_case *c, int form, vt_value_id qkv[3])
{
    const int64_t width = c->heads * c->size;
    const int64_t five[] = {c->batch, c->rows, 3, c->heads, c->size};
    const int64_t four[] = {c->batch, c->rows, c->heads, c->size};
    vt_value_id x = builder_input(b, VT_F32, 3, (const int64_t[]){c->batch, c->rows, width});
    vt_value_id w = builder_constant(b, 2, (const int64_t[]){width, 3 * width}, -0.5F, 0.5F);
    vt_value_id y = builder_binary(b, "MatMul", x, w);
    y = builder_binary(b, "Add", y, builder_constant(b, 1, (const int64_t[]){3 * width}, -1, 1));
    if (form == BY_SPLIT_OF_ROWS) {
        split_in_three(b, y, 2, qkv);
        for (int i = 0; i < 3; i++) {
            qkv[i] = transposed(b, reshaped(b, qkv[i], 4, four), 4, (const int64_t[]){0, 2, 1, 3});
        }
        return;
    }
    y = transposed(b, reshaped(b, y, 5, five), 5, (const int64_t[]){2, 0, 3, 1, 4});
    if (form == BY_SPLIT_OF_FIVE) {
        split_in_three(b, y, 0, qkv);
    }
    for (int64_t i = 0; i < 3; i++) {
        const vt_attr axis = attr_int("axis", 0);
        vt_tensor index;
        if (form == BY_SPLIT_OF_FIVE) {
            qkv[i] = builder_binary(b, "Squeeze", qkv[i], builder_ints(b, 1, (const int64_t[]){0}));
            continue;
        }
        assert_int_equal(vt_tensor_init(&index, VT_I64, &(vt_shape){0}, 0, NULL), VT_OK);
        *(int64_t *)index.data = i;
        const vt_value_id inputs[] = {y, builder_take(b, &index)};
        qkv[i] = builder_node(b, "Gather", 13, inputs, 2, &axis, 1);
    }
}

static void count_kinds(void *context, const vt_step_info *step)
{
    size_t *counts = context;
    counts[0] += strcmp(step->executor, "view") == 0;
    counts[1] += strcmp(step->executor, "attention") == 0;
}

static void test_projections(void **state)
{
    (void)state;
    for (int form = 0; form < FORMS; form++) {
        for (int64_t heads = 1; heads <= 4; heads++) {
            builder b;
            size_t counts[2] = {0};
            vt_value_id qkv[3];
            builder_init(&b, (uint64_t)(form * 10 + heads));
            const attention_case c = {2, heads, 17, 17, 8, 8, VT_NO_VALUE, NULL, 0, 0};
            project(&b, &c, form, qkv);
            vt_value_id y = attend(&b, &c, qkv);
            y = transposed(&b, y, 4, (const int64_t[]){0, 2, 1, 3});
            y = reshaped(&b, y, 3, (const int64_t[]){2, 17, heads * 8});
            vt_value_id w = builder_constant(&b, 2, (const int64_t[]){heads * 8, 6}, -0.5F, 0.5F);
            builder_output(&b, builder_binary(&b, "MatMul", y, w));

            vt_runner *runner = builder_onednn(&b, true, 1);
            assert_int_equal(runner->describe(runner, count_kinds, counts, NULL), VT_OK);
            assert_true(counts[0] >= 5 && counts[1] == 1);
            /* Everything is read where it lies. */
            assert_int_equal(runner->reorders, 0);
            runner->free(runner);
            assert_int_equal(check(&b), 0);
        }
    }
}

/* The result in other hands: as an output, in a sum, its heads sliced. */
static void test_readers_of_the_result(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 5);
    const attention_case c = {2, 3, 5, 7, 4, 6, VT_NO_VALUE, NULL, 0, 0};
    vt_value_id y = attention_of_inputs(&b, &c);
    const vt_value_id inputs[] = {y, builder_ints(&b, 1, (const int64_t[]){1}),
                                  builder_ints(&b, 1, (const int64_t[]){3}),
                                  builder_ints(&b, 1, (const int64_t[]){1})};
    builder_output(&b, y);
    builder_output(&b, builder_binary(&b, "Add", y, y));
    builder_output(&b,
                   builder_unary(&b, "Relu", builder_node(&b, "Slice", 13, inputs, 4, NULL, 0)));
    assert_int_equal(check(&b), 0);
}

/* ---- what is the reference's ---- */

static void test_the_rest_falls_to_the_reference(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    const attention_case shared = {.mask = VT_NO_VALUE}; /* four heads share two heads of keys */
    const vt_value_id few[] = {builder_input(&b, VT_F32, 4, (const int64_t[]){2, 4, 5, 8}),
                               builder_input(&b, VT_F32, 4, (const int64_t[]){2, 2, 7, 8}),
                               builder_input(&b, VT_F32, 4, (const int64_t[]){2, 2, 7, 3})};
    builder_output(&b, attend(&b, &shared, few));
    assert_int_equal(check(&b), 1);

    static const struct {
        vt_attr attr;
        int opset;
    } cases[] = {
        {{.name = "softcap", .kind = VT_ATTR_FLOAT, .f = 0.5F}, 23},
        {{.name = "left_window_size", .kind = VT_ATTR_INT, .i = 2}, 25},
        {{.name = "right_window_size", .kind = VT_ATTR_INT, .i = 0}, 25},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        builder_init(&b, i);
        const attention_case c = {2, 3, 9, 9, 4, 6, VT_NO_VALUE, &cases[i].attr, 1, cases[i].opset};
        builder_output(&b, attention_of_inputs(&b, &c));
        assert_int_equal(check(&b), 1);
    }

    builder_init(&b, 7); /* keys and values of the past */
    vt_value_id inputs[6];
    for (int i = 0; i < 3; i++) {
        inputs[i] = builder_input(&b, VT_F32, 4, (const int64_t[]){2, 3, 5, 4});
    }
    inputs[3] = VT_NO_VALUE;
    for (int i = 4; i < 6; i++) {
        inputs[i] = builder_input(&b, VT_F32, 4, (const int64_t[]){2, 3, 2, 4});
    }
    builder_output(&b, builder_node(&b, "Attention", 23, inputs, 6, NULL, 0));
    assert_int_equal(check(&b), 1);

    builder_init(&b, 8); /* heads side by side in three dimensions */
    const vt_attr heads[] = {attr_int("q_num_heads", 3), attr_int("kv_num_heads", 3)};
    for (int i = 0; i < 3; i++) {
        inputs[i] = builder_input(&b, VT_F32, 3, (const int64_t[]){2, 5, 12});
    }
    builder_output(&b, builder_node(&b, "Attention", 23, inputs, 3, heads, 2));
    assert_int_equal(check(&b), 1);
}

/* f16 networks: computed in f32, handed out in f16. */
static void test_half_networks(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 4);
    vt_value_id qkv[3];
    for (int i = 0; i < 3; i++) {
        qkv[i] = builder_input(&b, VT_F16, 4, (const int64_t[]){2, 3, 5, 4});
    }
    attention_case c = {.mask = builder_input(&b, VT_F16, 2, (const int64_t[]){5, 5})};
    builder_output(&b, attend(&b, &c, qkv));
    assert_int_equal(builder_compare(&b, true, 2e-3), 0);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_groups_of_heads),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_hidden_keys),
        cmocka_unit_test(test_causal),
        cmocka_unit_test(test_projections),
        cmocka_unit_test(test_readers_of_the_result),
        cmocka_unit_test(test_the_rest_falls_to_the_reference),
        cmocka_unit_test(test_half_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
