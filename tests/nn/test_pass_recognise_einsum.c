/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum as products of matrices: what becomes one, what stays, and that both give the same. */
#include "nn/pass_check.h"

typedef struct equation {
    const char *text;
    int ranks[2];
    int64_t dims[2][4];
} equation;

static vt_value_id einsum(builder *b, const equation *e, vt_dtype dtype)
{
    const vt_attr attr = attr_text("equation", e->text);
    const vt_value_id inputs[2] = {builder_input(b, dtype, e->ranks[0], e->dims[0]),
                                   builder_input(b, dtype, e->ranks[1], e->dims[1])};
    return builder_node(b, "Einsum", 12, inputs, 2, &attr, 1);
}

static const equation products[] = {
    {"ik,kj->ij", {2, 2}, {{3, 4}, {4, 5}}},
    {"ik,jk->ji", {2, 2}, {{3, 4}, {5, 4}}},
    {"bij,bjk", {3, 3}, {{2, 3, 4}, {2, 4, 5}}},
    {"...ij,...jk->...ik", {4, 4}, {{2, 3, 4, 5}, {2, 3, 5, 6}}},
    {"bqhd,bkhd->bhqk", {4, 4}, {{2, 3, 4, 5}, {2, 6, 4, 5}}},
    {"bhqk,bkhd->bqhd", {4, 4}, {{2, 4, 3, 6}, {2, 6, 4, 5}}},
    {"abcd,cdef->efab", {4, 4}, {{2, 3, 4, 2}, {4, 2, 3, 5}}}, /* several letters an axis */
    {"abcd,dcb->a", {4, 3}, {{3, 2, 4, 5}, {5, 4, 2}}},        /* no columns */
    {"i,j->ji", {1, 1}, {{3}, {4}}},                           /* nothing is summed */
    {"bi,bi->b", {2, 2}, {{3, 7}, {3, 7}}},
    {"i,i->", {1, 1}, {{7}, {7}}},
    {"aij,ajk->aik", {3, 3}, {{1, 3, 4}, {1, 4, 5}}},
};

static void test_products(void **state)
{
    (void)state;
    static const char steps[] = "Transpose Reshape Transpose Reshape MatMul Reshape Transpose";
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        for (int narrow = 0; narrow < 2; narrow++) {
            builder b;
            builder_init(&b, i);
            builder_output(&b, einsum(&b, &products[i], narrow ? VT_F16 : VT_F32));
            pass_check(&b, vt_pass_recognise_einsum, steps, narrow ? 1e-2 : 1e-5);
            builder_deinit(&b);
        }
    }
}

/* As oneDNN runs them, with all passes, beside the reference. */
static void test_executors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        builder b;
        builder_init(&b, i);
        builder_output(&b, einsum(&b, &products[i], VT_F32));
        builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
}

static void test_others_stay(void **state)
{
    (void)state;
    static const equation others[] = {
        {"ij,ij->ij", {2, 2}, {{3, 4}, {3, 4}}},          /* no matrices */
        {"iij,jk->ik", {3, 2}, {{3, 3, 4}, {4, 5}}},      /* a diagonal */
        {"ijl,jk->ik", {3, 2}, {{3, 4, 2}, {4, 5}}},      /* a sum over one operand */
        {"ij,jk->ik", {2, 2}, {{3, 1}, {4, 5}}},          /* repeated along j */
        {"bij,bjk->bik", {3, 3}, {{2, 3, 4}, {1, 4, 5}}}, /* and along the batch */
        {"ij,jk->ik", {2, 2}, {{3, 0}, {0, 5}}},          /* sums of nothing */
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        builder b;
        builder_init(&b, i);
        builder_output(&b, einsum(&b, &others[i], VT_F32));
        pass_check(&b, vt_pass_recognise_einsum, NULL, 1e-6);
        builder_deinit(&b);
    }
}

/* With all passes an attention of Einsums is the operator. */
static void test_attention(void **state)
{
    (void)state;
    if (vt_op_find("", "Attention", 23) == NULL)
        skip();
    static const equation scores = {"bqhd,bkhd->bhqk", {4, 4}, {{2, 3, 4, 5}, {2, 6, 4, 5}}};
    const vt_attr sum = attr_text("equation", "bhqk,bkhd->bqhd");
    builder b;
    char steps[1024];
    builder_init(&b, 7);
    vt_value_id p = builder_unary(&b, "Softmax", einsum(&b, &scores, VT_F32));
    const vt_value_id inputs[2] = {p, builder_input(&b, VT_F32, 4, (const int64_t[]){2, 6, 4, 5})};
    builder_output(&b, builder_node(&b, "Einsum", 12, inputs, 2, &sum, 1));
    vt_plan *plan = builder_plan(&b);
    assert_int_equal(vt_plan_optimize(plan, VT_PRECISION_F32, NULL), VT_OK);
    plan_print(plan, steps, sizeof steps);
    assert_non_null(strstr(steps, "Attention"));
    assert_null(strstr(steps, "Einsum"));
    pass_compare(&b, plan, 1e-5);
    builder_deinit(&b);
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 4);
    builder_output(&b, einsum(&b, &products[4], VT_F32));
    pass_check_no_memory(&b, vt_pass_recognise_einsum);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),    cmocka_unit_test(test_executors),
        cmocka_unit_test(test_others_stay), cmocka_unit_test(test_attention),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
