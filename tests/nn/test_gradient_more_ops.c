/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of attention, grids, pools of powers and other operators that networks rarely have, and
 * that no operator was forgotten.
 */
#include "nn/gradients.h"

#include "nn/ops/gradients.h"
#include "nn/ops/table.h"

/* ---- pools of powers ---- */

static int form;

static vt_value_id make_lp_pool(builder *b, vt_dtype type)
{
    static const int64_t powers[] = {2, 1, 3, 2, 4};
    vt_value_id x = grad_input(b, type, 4, DIMS(2, 3, 7, 6));
    const vt_attr attrs[] = {attr_ints("kernel_shape", 2, DIMS(3, 2)),
                             attr_ints("strides", 2, form == 3 ? DIMS(2, 3) : DIMS(1, 2)),
                             attr_ints("pads", 4, DIMS(1, 0, 0, 1)),
                             attr_ints("dilations", 2, form == 2 ? DIMS(2, 1) : DIMS(1, 1)),
                             attr_int("ceil_mode", form == 3),
                             attr_int("p", powers[form])};
    return builder_node(b, "LpPool", 18, &x, 1, attrs, 6);
}

static vt_value_id make_lp_pool_same(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(1, 2, 7));
    const vt_attr attrs[] = {attr_ints("kernel_shape", 1, DIMS(4)),
                             attr_ints("strides", 1, DIMS(2)),
                             attr_text("auto_pad", form ? "SAME_LOWER" : "SAME_UPPER")};
    return builder_node(b, "LpPool", 11, &x, 1, attrs, 3);
}

static vt_value_id make_global_lp_pool(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 4, DIMS(2, 3, 3, 2));
    const vt_attr p = attr_int("p", form + 1);
    return builder_node(b, "GlobalLpPool", 2, &x, 1, &p, 1);
}

static void test_lp_pools(void **state)
{
    (void)state;
    for (form = 0; form < 5; form++)
        grad_check(make_lp_pool, -1, 1);
    for (form = 0; form < 2; form++)
        grad_check(make_lp_pool_same, -1, 1);
    for (form = 0; form < 3; form++)
        grad_check(make_global_lp_pool, -1, 1);
}

/* A window of zeros has no slope, not one that is no number. */
static void test_lp_pool_of_zeros(void **state)
{
    (void)state;
    grad_graph g;
    vt_tensor inputs[BUILDER_MAXIMUM], outputs[BUILDER_MAXIMUM];
    for (form = 0; form < 3; form += 2) {
        grad_build(&g, make_lp_pool, VT_F64);
        vt_runner *runner = grad_reference(&g);
        grad_fill(&g, inputs, 0, 0);
        run_or_fail(runner, inputs, outputs);
        for (size_t k = 0; k < vt_tensor_count(&outputs[1]); k++)
            assert_true(vt_tensor_get(&outputs[1], k) == 0.0);
        tensors_deinit(inputs, g.b.input_count);
        runner->free(runner);
        builder_deinit(&g.b);
    }
}

/* ---- attention ---- */

typedef struct attention_form {
    int64_t heads, kv_heads, past;
    bool packed, causal, valid;
    int mask; /* 0: none, 1: (rows, keys), 2: (batch, 1, 1, keys), 3: shorter than the keys */
    float scale, softcap;
    int opset;
} attention_form;

static attention_form attention;

enum { BATCH = 2, ROWS = 3, KEYS = 4, SIZE = 3, VALUE_SIZE = 2 };

static vt_value_id attention_operand(builder *b, vt_dtype type, int64_t heads, int64_t length,
                                     int64_t size)
{
    if (attention.packed)
        return grad_input(b, type, 3, DIMS(BATCH, length, heads * size));
    return grad_input(b, type, 4, DIMS(BATCH, heads, length, size));
}

static vt_value_id attention_mask(builder *b, vt_dtype type)
{
    int64_t keys = KEYS + attention.past;
    if (attention.mask == 1)
        return grad_input(b, type, 2, DIMS(ROWS, keys));
    if (attention.mask == 2)
        return grad_input(b, type, 4, DIMS(BATCH, 1, 1, keys));
    return attention.mask == 3 ? grad_input(b, type, 2, DIMS(ROWS, keys - 1)) : VT_NO_VALUE;
}

static vt_value_id make_attention(builder *b, vt_dtype type)
{
    const attention_form *f = &attention;
    vt_value_id inputs[7] = {attention_operand(b, type, f->heads, ROWS, SIZE),
                             attention_operand(b, type, f->kv_heads, KEYS, SIZE),
                             attention_operand(b, type, f->kv_heads, KEYS, VALUE_SIZE),
                             attention_mask(b, type),
                             VT_NO_VALUE,
                             VT_NO_VALUE,
                             VT_NO_VALUE};
    size_t count = f->mask > 0 ? 4 : 3;
    if (f->past > 0) {
        inputs[4] = grad_input(b, type, 4, DIMS(BATCH, f->kv_heads, f->past, SIZE));
        inputs[5] = grad_input(b, type, 4, DIMS(BATCH, f->kv_heads, f->past, VALUE_SIZE));
        count = 6;
    }
    if (f->valid) {
        inputs[6] = builder_ints(b, BATCH, DIMS(KEYS, KEYS - 1));
        count = 7;
    }
    vt_attr attrs[6];
    size_t given = 0;
    attrs[given++] = attr_int("is_causal", f->causal);
    if (f->packed) {
        attrs[given++] = attr_int("q_num_heads", f->heads);
        attrs[given++] = attr_int("kv_num_heads", f->kv_heads);
    }
    if (f->scale != 0)
        attrs[given++] = attr_float("scale", f->scale);
    if (f->softcap != 0)
        attrs[given++] = attr_float("softcap", f->softcap);
    return builder_node(b, "Attention", f->opset, inputs, count, attrs, given);
}

static void test_attention(void **state)
{
    (void)state;
    static const attention_form forms[] = {
        {.heads = 2, .kv_heads = 2, .opset = 23},
        {.heads = 4, .kv_heads = 2, .opset = 23, .packed = true, .scale = 0.75F},
        {.heads = 4, .kv_heads = 2, .opset = 23, .softcap = 0.5F},
        {.heads = 2, .kv_heads = 2, .opset = 23, .causal = true},
        {.heads = 2, .kv_heads = 1, .opset = 23, .past = 2, .causal = true, .packed = true},
        {.heads = 2, .kv_heads = 2, .opset = 23, .mask = 1, .softcap = 0.5F},
        {.heads = 4, .kv_heads = 2, .opset = 23, .mask = 2, .past = 1},
        {.heads = 2, .kv_heads = 2, .opset = 24, .mask = 3},
        {.heads = 2, .kv_heads = 2, .opset = 24, .valid = true, .packed = true},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        print_message("attention %zu\n", i);
        attention = forms[i];
        grad_check(make_attention, -1, 1);
    }
}

/* ---- grids ---- */

static const char *mode, *padding;
static bool corners;

static vt_value_id make_grid_sample(builder *b, vt_dtype type)
{
    bool volume = form == 2;
    vt_value_id x = volume ? grad_input(b, type, 5, DIMS(1, 2, 2, 3, 3))
                           : grad_input(b, type, 4, DIMS(2, 2, 4, 5));
    vt_value_id where = volume ? grad_input(b, type, 5, DIMS(1, 2, 1, 2, 3))
                               : grad_input(b, type, 4, DIMS(2, 3, 2, 2));
    const vt_attr attrs[] = {attr_text("mode", mode), attr_text("padding_mode", padding),
                             attr_int("align_corners", corners)};
    return builder_node(b, "GridSample", form == 0 ? 16 : 20, (const vt_value_id[]){x, where}, 2,
                        attrs, 3);
}

static void test_grid_sample(void **state)
{
    (void)state;
    static const char *const modes[][3] = {{"nearest", "bilinear", "bicubic"},
                                           {"nearest", "linear", "cubic"},
                                           {"linear", "linear", "nearest"}};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    for (form = 0; form < 3; form++)
        for (int i = 0; i < 18; i++) {
            mode = modes[form][i / 6];
            padding = paddings[i / 2 % 3];
            corners = i % 2 == 1;
            print_message("%s %s %d\n", mode, padding, corners);
            grad_check(make_grid_sample, -1.3F, 1.3F);
        }
}

static vt_value_id make_affine_grid(builder *b, vt_dtype type)
{
    int n = form < 2 ? 2 : 3;
    vt_value_id theta = grad_input(b, type, 3, DIMS(2, n, n + 1));
    vt_value_id size =
        n == 2 ? builder_ints(b, 4, DIMS(2, 1, 3, 4)) : builder_ints(b, 5, DIMS(2, 1, 2, 3, 4));
    const vt_attr attr = attr_int("align_corners", form % 2);
    return builder_node(b, "AffineGrid", 20, (const vt_value_id[]){theta, size}, 2, &attr, 1);
}

static void test_affine_grid(void **state)
{
    (void)state;
    for (form = 0; form < 4; form++)
        grad_check(make_affine_grid, -1, 1);
}

/* ---- normalisation, gates, angles, determinants ---- */

static vt_value_id make_mean_variance(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 4, DIMS(2, 3, 2, 3));
    const vt_attr axes = attr_ints("axes", 2, DIMS(1, -1));
    return builder_node(b, "MeanVarianceNormalization", 13, &x, 1, &axes, form == 0 ? 0 : 1);
}

static vt_value_id make_swiglu(builder *b, vt_dtype type)
{
    const vt_value_id inputs[] = {grad_input(b, type, 2, DIMS(3, 4)),
                                  grad_input(b, type, 2, DIMS(3, 4))};
    const vt_attr alpha = attr_float("alpha", 1.75F);
    return builder_node(b, "SwiGLU", 28, inputs, 2, &alpha, form == 0 ? 0 : 1);
}

/* The tables are constants: they are not differentiated by. */
static vt_value_id make_rotary(builder *b, vt_dtype type)
{
    const int64_t half[] = {2, 3, 2};
    vt_value_id x = form < 2 ? grad_input(b, type, 4, DIMS(2, 2, 3, 4))
                             : grad_input(b, type, 3, DIMS(2, 3, 10));
    const vt_value_id inputs[] = {x, builder_constant_of(b, type, 3, half, -1, 1),
                                  builder_constant_of(b, type, 3, half, -1, 1)};
    const vt_attr attrs[] = {attr_int("interleaved", form % 2), attr_int("rotary_embedding_dim", 4),
                             attr_int("num_heads", 2)};
    return builder_node(b, "RotaryEmbedding", 23, inputs, 3, attrs, form < 2 ? 2 : 3);
}

static vt_value_id make_determinant(builder *b, vt_dtype type)
{
    int64_t n = form + 1;
    vt_value_id x = grad_input(b, type, 3, DIMS(2, n, n));
    return builder_node(b, "Det", 11, &x, 1, NULL, 0);
}

static void test_others(void **state)
{
    (void)state;
    for (form = 0; form < 2; form++)
        grad_check(make_mean_variance, -1, 1);
    for (form = 0; form < 2; form++)
        grad_check(make_swiglu, -2, 2);
    for (form = 0; form < 4; form++)
        grad_check(make_rotary, -1, 1);
    for (form = 0; form < 4; form++)
        grad_check(make_determinant, -1, 1);
}

/* ---- moves ---- */

static vt_value_id make_pad(builder *b, vt_dtype type)
{
    static const char *const modes[] = {"reflect", "edge", "wrap", "reflect", "constant"};
    vt_value_id x = grad_input(b, type, 3, DIMS(2, 4, 3));
    vt_value_id inputs[] = {x, builder_ints(b, 6, DIMS(0, 2, 1, 0, -1, 2)), VT_NO_VALUE,
                            VT_NO_VALUE};
    size_t count = 2;
    if (form > 2) {
        inputs[1] = builder_ints(b, 4, DIMS(2, -1, 1, 2));
        inputs[3] = builder_ints(b, 2, DIMS(-1, 1));
        count = 4;
    }
    const vt_attr attr = attr_text("mode", modes[form]);
    return builder_node(b, "Pad", 19, inputs, count, &attr, 1);
}

static vt_value_id make_center_crop_pad(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(5, 4, 3));
    vt_value_id sizes = builder_ints(b, 3, form == 0 ? DIMS(2, 7, 3) : DIMS(8, 1, 6));
    return builder_node(b, "CenterCropPad", 18, (const vt_value_id[]){x, sizes}, 2, NULL, 0);
}

static vt_value_id make_reverse_sequence(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(4, 3, 2));
    vt_value_id lengths = builder_ints(b, 3, DIMS(4, 1, 3));
    return builder_node(b, "ReverseSequence", 10, (const vt_value_id[]){x, lengths}, 2, NULL, 0);
}

static vt_value_id make_col2im(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 3, DIMS(2, 12, 12));
    vt_value_id image = builder_ints(b, 2, DIMS(5, 5)), block = builder_ints(b, 2, DIMS(2, 3));
    const vt_attr attrs[] = {attr_ints("pads", 4, DIMS(0, 1, 0, 1)),
                             attr_ints("strides", 2, DIMS(1, 2)),
                             attr_ints("dilations", 2, DIMS(1, 1))};
    return builder_node(b, "Col2Im", 18, (const vt_value_id[]){x, image, block}, 3, attrs, 3);
}

static vt_value_id make_cumprod(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(3, 4));
    const vt_attr attrs[] = {attr_int("exclusive", form & 1), attr_int("reverse", form >> 1)};
    return builder_node(b, "CumProd", 26, (const vt_value_id[]){x, builder_ints(b, 1, DIMS(1))}, 2,
                        attrs, 2);
}

static vt_value_id make_cast_like(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(3, 4));
    vt_value_id wide = builder_constant_of(b, VT_F64, 1, DIMS(1), 1, 1);
    vt_value_id narrow = builder_constant_of(b, type, 1, DIMS(1), 1, 1);
    x = builder_node(b, "CastLike", 15, (const vt_value_id[]){x, wide}, 2, NULL, 0);
    x = builder_unary(b, "Exp", x);
    return builder_node(b, "CastLike", 15, (const vt_value_id[]){x, narrow}, 2, NULL, 0);
}

static vt_value_id make_compress(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(4, 3));
    vt_tensor marks;
    const vt_shape shape = {1, {form == 0 ? 3 : 7}};
    assert_int_equal(vt_tensor_init(&marks, VT_BOOL, &shape, 0, NULL), VT_OK);
    for (int64_t i = 0; i < shape.dims[0]; i++)
        ((uint8_t *)marks.data)[i] = i != 1;
    const vt_attr axis = attr_int("axis", -1);
    return builder_node(b, "Compress", 11, (const vt_value_id[]){x, builder_take(b, &marks)}, 2,
                        &axis, form == 0 ? 1 : 0);
}

static vt_value_id make_scatter(builder *b, vt_dtype type)
{
    vt_value_id x = grad_input(b, type, 2, DIMS(4, 3));
    vt_value_id indices = builder_ints(b, 2, DIMS(3, 1));
    indices = builder_binary(b, "Reshape", indices, builder_ints(b, 2, DIMS(2, 1)));
    vt_value_id updates = grad_input(b, type, 2, DIMS(2, 1));
    return builder_node(b, "Scatter", 9, (const vt_value_id[]){x, indices, updates}, 3, NULL, 0);
}

static void test_moves(void **state)
{
    (void)state;
    static const struct {
        grad_make *make;
        int forms;
        float low, high;
    } rows[] = {{make_pad, 5, -1, 1},
                {make_center_crop_pad, 2, -1, 1},
                {make_reverse_sequence, 1, -1, 1},
                {make_col2im, 1, -1, 1},
                {make_cumprod, 4, 0.5F, 1.5F},
                {make_cast_like, 1, -1, 1},
                {make_compress, 2, -1, 1},
                {make_scatter, 1, -1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("move %zu\n", i);
        for (form = 0; form < rows[i].forms; form++)
            grad_check(rows[i].make, rows[i].low, rows[i].high);
    }
}

/* ---- completeness ---- */

/* Every operator that a model can name is differentiated, known to stop gradients, or in the list
 * of those without one. */
static void test_none_is_forgotten(void **state)
{
    (void)state;
    size_t count, missing = 0, seen = 0;
    const vt_op *const *tables = vt_op_tables(&count);
    for (size_t t = 0; t < count; t++)
        for (const vt_op *op = tables[t]; op->name != NULL; op++) {
            bool rule = vt_gradient_find(op) != NULL, stops = vt_gradient_stops(op);
            const char *reason = vt_gradient_missing(op);
            if ((op->flags & VT_OP_INTERNAL) != 0 || op->max_inputs == 0)
                continue;
            seen++;
            if ((rule ? 1 : 0) + (stops ? 1 : 0) + (reason != NULL ? 1 : 0) != 1) {
                print_message("%s: rule %d, stops %d, reason \"%s\"\n", op->name, rule, stops,
                              reason != NULL ? reason : "");
                missing++;
            }
        }
    assert_true(seen > 150);
    assert_int_equal(missing, 0);
}

/* What goes on from a state is refused with the node and the reason. */
static void check_refused(const char *op, size_t count, const vt_attr *attrs, size_t attr_count)
{
    builder b;
    vt_error error = {0};
    vt_value_id gradient, inputs[3];
    builder_init(&b, 1);
    inputs[0] = builder_input(&b, VT_F32, 3, DIMS(1, 2, 4));
    inputs[1] = count == 2 ? builder_constant(&b, 3, DIMS(2, 1, 3), -1, 1) : inputs[0];
    inputs[2] = inputs[0];
    vt_value_id y = builder_node(&b, op, 27, inputs, count, attrs, attr_count);
    const vt_attr keep = attr_int("keepdims", 0);
    y = builder_node(&b, "ReduceSum", 13, &y, 1, &keep, 1);
    builder_output(&b, y);
    vt_plan *plan = builder_plan(&b);
    assert_int_equal(vt_plan_differentiate(plan, y, inputs, 1, &gradient, &error),
                     VT_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, op));
    assert_non_null(strstr(error.message, "it is of models of language"));
    vt_plan_free(plan);
    builder_deinit(&b);
}

static void test_states_are_refused(void **state)
{
    (void)state;
    const vt_attr heads[] = {attr_int("q_num_heads", 2), attr_int("kv_num_heads", 2),
                             attr_text("update_rule", "linear")};
    check_refused("CausalConvWithState", 2, NULL, 0);
    check_refused("LinearAttention", 3, heads, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_is_forgotten),
        cmocka_unit_test(test_states_are_refused),
        cmocka_unit_test(test_lp_pools),
        cmocka_unit_test(test_lp_pool_of_zeros),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_grid_sample),
        cmocka_unit_test(test_affine_grid),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
