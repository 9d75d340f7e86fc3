/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention in the spellings of PyTorch's exporter: one Attention step that computes the same, with
 * the keys turned where they have to be; and what must stay as it is.
 */
#include "nn/pass_check.h"

#include <math.h>

enum { BATCH = 2, HEADS = 3, QUERIES = 4, KEYS = 5, SIZE = 6, VALUES = 7 };

typedef enum scaling {
    SCALE_NONE,
    SCALE_SCORES_MUL,
    SCALE_SCORES_DIV,
    SCALE_QUERY,
    SCALE_KEY,
    SCALE_BOTH, /* by the root each, as F.scaled_dot_product_attention */
    SCALE_BEFORE_TURN,
    SCALINGS,
} scaling;

typedef struct spelling {
    vt_dtype dtype;
    int rank;
    scaling scaling;
    bool composite; /* keys as (batch, length, heads, size), turned at once */
    int mask;       /* 0: none, else its rank; -4: computed */
    int opset;      /* of Softmax */
} spelling;

static vt_value_id times(builder *b, const spelling *s, vt_value_id x, float factor)
{
    return builder_binary(b, "Mul", x, builder_constant_of(b, s->dtype, 0, NULL, factor, factor));
}

static vt_value_id operand(builder *b, const spelling *s, int64_t length, int64_t size)
{
    const int64_t four[] = {BATCH, HEADS, length, size}, three[] = {BATCH * HEADS, length, size};
    return builder_input(b, s->dtype, s->rank, s->rank == 4 ? four : three);
}

static vt_value_id keys(builder *b, const spelling *s)
{
    const int64_t swap4[] = {0, 1, 3, 2}, swap3[] = {0, 2, 1}, composite[] = {0, 2, 3, 1};
    vt_attr perm = s->composite ? attr_ints("perm", 4, composite)
                                : attr_ints("perm", s->rank, s->rank == 4 ? swap4 : swap3);
    vt_value_id k = s->composite
                        ? builder_input(b, s->dtype, 4, (const int64_t[]){BATCH, KEYS, HEADS, SIZE})
                        : operand(b, s, KEYS, SIZE);
    if (s->scaling == SCALE_BEFORE_TURN) {
        k = times(b, s, k, 0.5F);
    }
    k = builder_node(b, "Transpose", 13, &k, 1, &perm, 1);
    return s->scaling == SCALE_KEY || s->scaling == SCALE_BOTH ? times(b, s, k, 0.5F) : k;
}

static vt_value_id mask_of(builder *b, const spelling *s)
{
    const int64_t dims[] = {BATCH, 1, QUERIES, KEYS};
    if (s->mask < 0) {
        return builder_input(b, s->dtype, 4, dims);
    }
    return builder_constant_of(b, s->dtype, s->mask, dims + 4 - s->mask, -3, 1);
}

static vt_value_id probabilities(builder *b, const spelling *s)
{
    vt_value_id q = operand(b, s, QUERIES, SIZE);
    vt_attr axis = attr_int("axis", s->opset < 13 ? s->rank - 1 : -1);
    if (s->scaling == SCALE_QUERY || s->scaling == SCALE_BOTH) {
        q = times(b, s, q, 0.5F);
    }
    vt_value_id scores = builder_binary(b, "MatMul", q, keys(b, s));
    if (s->scaling == SCALE_SCORES_MUL) {
        scores = times(b, s, scores, 0.40824828F);
    } else if (s->scaling == SCALE_SCORES_DIV) {
        scores = builder_binary(
            b, "Div", scores,
            builder_constant_of(b, s->dtype, 1, (const int64_t[]){1}, 2.4494898F, 2.4494898F));
    }
    if (s->mask != 0) {
        vt_value_id mask = mask_of(b, s);
        scores = s->rank == 4 ? builder_binary(b, "Add", scores, mask)
                              : builder_binary(b, "Add", mask, scores);
    }
    return builder_node(b, "Softmax", s->opset, &scores, 1, &axis, 1);
}

static vt_value_id attention(builder *b, const spelling *s)
{
    vt_value_id p = probabilities(b, s);
    return builder_binary(b, "MatMul", p, operand(b, s, KEYS, VALUES));
}

static bool is_missing(void)
{
    if (vt_op_find("", "Attention", 23)) {
        return false;
    }
    print_message("no operator Attention: skipped\n");
    return true;
}

static void spelled(const spelling *s)
{
    builder b;
    char want[128];
    builder_init(&b, (uint64_t)s->scaling);
    builder_output(&b, attention(&b, s));
    bool kept_scale = s->composite && s->scaling == SCALE_BEFORE_TURN;
    snprintf(want, sizeof want, "%s%s%sAttention%s", kept_scale ? "Mul " : "",
             s->composite ? "Transpose " : "", s->rank == 3 ? "Reshape Reshape Reshape " : "",
             s->rank == 3 ? " Reshape" : "");
    pass_check(&b, vt_pass_recognise_attention, want, s->dtype == VT_F32 ? 1e-5 : 1e-2);
    builder_deinit(&b);
}

static void test_spellings(void **state)
{
    (void)state;
    static const int masks[] = {0, 2, 4, -4};
    if (is_missing()) {
        skip();
    }
    for (int k = 0; k < SCALINGS * 4 * 2 * 2; k++) {
        spelling s = {.dtype = VT_F32,
                      .rank = 4,
                      .scaling = (scaling)(k % SCALINGS),
                      .mask = masks[k / SCALINGS % 4],
                      .composite = k / SCALINGS / 4 % 2,
                      .opset = k / SCALINGS / 8 % 2 == 0 ? 11 : 13};
        spelled(&s);
    }
    for (int k = 0; k < SCALINGS * 2;
         k++) { /* nn.MultiheadAttention: (batch heads, length, size) */
        spelling s = {.dtype = VT_F32,
                      .rank = 3,
                      .scaling = (scaling)(k / 2),
                      .mask = k % 2 * 2,
                      .opset = 13};
        spelled(&s);
    }
    spelling half = {.dtype = VT_F16, .rank = 4, .scaling = SCALE_BOTH, .mask = 4, .opset = 13};
    spelled(&half);
}

static void test_scale(void **state)
{
    (void)state;
    static const float want[SCALINGS] = {1, 0.40824828F, 1 / 2.4494898F, 0.5F, 0.5F, 0.25F, 0.5F};
    if (is_missing()) {
        skip();
    }
    for (int k = 0; k < SCALINGS; k++) {
        builder b;
        builder_init(&b, 1);
        spelling s = {.dtype = VT_F32, .rank = 4, .scaling = (scaling)k, .mask = 2, .opset = 13};
        builder_output(&b, attention(&b, &s));
        vt_plan *plan = builder_plan(&b);
        assert_int_equal(vt_pass_recognise_attention(plan, NULL), VT_OK);
        assert_int_equal(plan->step_count, 1);
        const vt_node *node = &plan->steps[0].node;
        assert_int_equal(node->opset, 23);
        assert_int_equal(node->input_count, 4);
        assert_true(fabsf(vt_node_float(node, "scale", 0) - want[k]) < 1e-6F);
        vt_plan_free(plan);
        builder_deinit(&b);
    }
}

static vt_value_id refused(builder *b, int which)
{
    spelling s = {.dtype = VT_F32, .rank = 4, .scaling = SCALE_SCORES_MUL, .opset = 13};
    vt_value_id p, v = operand(b, &s, KEYS, VALUES), q, k, axis_first;
    const int64_t swap[] = {0, 1, 3, 2};
    vt_attr perm = attr_ints("perm", 4, swap), axis = attr_int("axis", 2);
    switch (which) {
    case 0: /* the probabilities are asked for */
        p = probabilities(b, &s);
        builder_output(b, p);
        return builder_binary(b, "MatMul", p, v);
    case 1: /* another reader of them */
        p = probabilities(b, &s);
        builder_output(b, builder_unary(b, "Log", p));
        return builder_binary(b, "MatMul", p, v);
    case 2: /* softmax over the queries */
        q = operand(b, &s, QUERIES, SIZE);
        p = builder_binary(b, "MatMul", q, keys(b, &s));
        axis_first = builder_node(b, "Softmax", 13, &p, 1, &axis, 1);
        return builder_binary(b, "MatMul", axis_first, v);
    case 3: /* values shared by all heads */
        return builder_binary(
            b, "MatMul", probabilities(b, &s),
            builder_input(b, VT_F32, 4, (const int64_t[]){BATCH, 1, KEYS, VALUES}));
    case 4: /* keys shared by all */
        q = operand(b, &s, QUERIES, SIZE);
        k = builder_input(b, VT_F32, 4, (const int64_t[]){1, HEADS, KEYS, SIZE});
        k = builder_node(b, "Transpose", 13, &k, 1, &perm, 1);
        p = builder_unary(b, "Softmax", builder_binary(b, "MatMul", q, k));
        return builder_binary(b, "MatMul", p, v);
    case 5: /* a mask that makes the scores larger */
        s.rank = 3;
        q = operand(b, &s, QUERIES, SIZE);
        p = builder_binary(b, "MatMul", q, keys(b, &s));
        p = builder_binary(b, "Add", p,
                           builder_constant(b, 4, (const int64_t[]){2, 1, QUERIES, KEYS}, -1, 1));
        p = builder_unary(b, "Softmax", p);
        return builder_binary(
            b, "MatMul", p,
            builder_input(b, VT_F32, 4, (const int64_t[]){2, BATCH * HEADS, KEYS, VALUES}));
    case 6: /* a mask of one column, which later versions read differently */
        q = operand(b, &s, QUERIES, SIZE);
        p = builder_binary(b, "MatMul", q, keys(b, &s));
        p = builder_binary(b, "Add", p,
                           builder_constant(b, 2, (const int64_t[]){QUERIES, 1}, -1, 1));
        return builder_binary(b, "MatMul", builder_unary(b, "Softmax", p), v);
    case 7: /* a scale below zero */
        q = times(b, &s, operand(b, &s, QUERIES, SIZE), -1);
        p = builder_unary(b, "Softmax", builder_binary(b, "MatMul", q, keys(b, &s)));
        return builder_binary(b, "MatMul", p, v);
    case 8: /* a factor per head */
        q = operand(b, &s, QUERIES, SIZE);
        p = builder_binary(b, "MatMul", q, keys(b, &s));
        p = builder_binary(b, "Mul", p,
                           builder_constant(b, 3, (const int64_t[]){HEADS, 1, 1}, 0.5F, 1));
        return builder_binary(b, "MatMul", builder_unary(b, "Softmax", p), v);
    default: /* keys that come as they are needed */
        q = operand(b, &s, QUERIES, SIZE);
        k = operand(b, &s, SIZE, KEYS);
        p = builder_unary(b, "Softmax", builder_binary(b, "MatMul", q, k));
        return builder_binary(b, "MatMul", p, v);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 10; which++) {
        builder b;
        builder_init(&b, (uint64_t)which);
        builder_output(&b, refused(&b, which));
        pass_check(&b, vt_pass_recognise_attention, NULL, 1e-6);
        builder_deinit(&b);
    }
}

/* A row that may see nothing: NaN as it is spelled, zeros by the operator. */
static void test_masks(void **state)
{
    (void)state;
    if (is_missing()) {
        skip();
    }
    for (int dead = 0; dead < 2; dead++) {
        builder b;
        builder_init(&b, 3);
        spelling s = {.dtype = VT_F32, .rank = 4, .opset = 13};
        vt_tensor mask;
        vt_shape shape = vt_shape_of(2, (const int64_t[]){QUERIES, KEYS});
        assert_int_equal(vt_tensor_init(&mask, VT_F32, &shape, 0, NULL), VT_OK);
        for (int i = 0; i < QUERIES; i++) { /* causal; with a dead row, from the second key on */
            for (int k = 0; k < KEYS; k++) {
                ((float *)mask.data)[i * KEYS + k] = k > i || (dead && k == 0) ? -INFINITY : 0;
            }
        }
        vt_value_id q = operand(&b, &s, QUERIES, SIZE);
        vt_value_id p = builder_binary(&b, "MatMul", q, keys(&b, &s));
        p = builder_unary(&b, "Softmax", builder_binary(&b, "Add", p, builder_take(&b, &mask)));
        builder_output(&b, builder_binary(&b, "MatMul", p, operand(&b, &s, KEYS, VALUES)));
        pass_check(&b, vt_pass_recognise_attention, dead ? NULL : "Attention", 1e-5);
        builder_deinit(&b);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 4);
    spelling s = {.dtype = VT_F32, .rank = 3, .scaling = SCALE_BOTH, .mask = 2, .opset = 13};
    builder_output(&b, attention(&b, &s));
    s = (spelling){.dtype = VT_F32, .rank = 4, .composite = true, .opset = 13};
    builder_output(&b, attention(&b, &s));
    pass_check_no_memory(&b, vt_pass_recognise_attention);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings), cmocka_unit_test(test_scale),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_masks),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
