/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum: products, traces, transposes, "...", and equations that cannot be. */
#include "operators.h"

static float ramp[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static op_call equation(const vt_attr *attr, const vt_tensor *a, const vt_tensor *b)
{
    return (op_call){.name = "Einsum",
                     .opset = 12,
                     .attrs = attr,
                     .attr_count = 1,
                     .inputs = {a, b},
                     .input_count = b == NULL ? 1 : 2};
}

#define MATRIX(rows, columns)                                                                      \
    {                                                                                              \
        .dtype = VT_F32, .shape = {2, {rows, columns}}, .data = ramp,                              \
        .bytes = (rows) * (columns) * sizeof(float)                                                \
    }

static void multiplies_and_transposes(void **state)
{
    (void)state;
    vt_tensor a = MATRIX(2, 3), b = MATRIX(3, 2);
    const vt_attr product = ATTR_TEXT("equation", " i k , kj -> i j ");
    const vt_attr turned = ATTR_TEXT("equation", "ik,kj->ji");
    const vt_attr outer = ATTR_TEXT("equation", "ij,kl->i");
    op_call call = equation(&product, &a, &b);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 22, 28, 49, 64);
    op_done(&call);
    call.attrs = &turned;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 22, 49, 28, 64);
    op_done(&call);
    call.attrs = &outer; /* row sums 6 and 15 times 21 */
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 126, 315);
    op_done(&call);
}

static void sorts_the_result_without_an_arrow(void **state)
{
    (void)state;
    vt_tensor a = MATRIX(2, 3), b = MATRIX(3, 2), square = MATRIX(2, 2);
    const vt_attr turned = ATTR_TEXT("equation", "ba"), product = ATTR_TEXT("equation", "bk,ka");
    const vt_attr trace = ATTR_TEXT("equation", "ii"), total = ATTR_TEXT("equation", "ij->");
    op_call call = equation(&turned, &a, NULL);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 2), 1, 4, 2, 5, 3, 6);
    op_done(&call);
    call = equation(&product, &a, &b);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 22, 49, 28, 64);
    op_done(&call);
    call = equation(&trace, &square, NULL);
    op_run(&call);
    assert_int_equal(call.outputs[0].shape.rank, 0);
    assert_numbers(&call.outputs[0], 1, (const double[]){5});
    op_done(&call);
    call = equation(&total, &a, NULL);
    op_run(&call);
    assert_numbers(&call.outputs[0], 1, (const double[]){21});
    op_done(&call);
}

static void walks_diagonals_and_many_operands(void **state)
{
    (void)state;
    vt_tensor cube = {.dtype = VT_F32, .shape = {3, {2, 2, 2}}, .data = ramp, .bytes = 32};
    vt_tensor v = {.dtype = VT_F32, .shape = {1, {2}}, .data = ramp, .bytes = 8};
    vt_tensor m = MATRIX(2, 2), s = {.dtype = VT_F32, .data = ramp + 4, .bytes = 4};
    const vt_attr diagonal = ATTR_TEXT("equation", "bii->bi");
    const vt_attr form = ATTR_TEXT("equation", "i,ij,j,->");
    op_call call = equation(&diagonal, &cube, NULL);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 1, 4, 5, 8);
    op_done(&call);
    call =
        (op_call){"Einsum",        12, .attrs = &form, .attr_count = 1, .inputs = {&v, &m, &v, &s},
                  .input_count = 4};
    op_run(&call); /* (1 2) ((1 2) (3 4)) (1 2)' * 5 */
    assert_numbers(&call.outputs[0], 1, (const double[]){27 * 5});
    op_done(&call);
}

static void fills_in_the_ellipsis(void **state)
{
    (void)state;
    vt_tensor stack = {.dtype = VT_F32, .shape = {3, {2, 1, 2}}, .data = ramp, .bytes = 16};
    vt_tensor m = MATRIX(2, 2);
    const vt_attr product = ATTR_TEXT("equation", "...ik,...kj->...ij");
    const vt_attr implicit = ATTR_TEXT("equation", "...ji");
    const vt_attr missing = ATTR_TEXT("equation", "...i->i");
    op_call call = equation(&product, &stack, &m);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1, 2), 7, 10, 15, 22);
    op_done(&call);
    call = equation(&implicit, &stack, NULL);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2, 1), 1, 2, 3, 4);
    op_done(&call);
    call = equation(&missing, &stack, NULL);
    op_fails(&call, VT_ERR_FORMAT, "missing in the result");
}

static void wraps_integers_and_sums_nothing(void **state)
{
    (void)state;
    int32_t big[] = {65536, 65536, 3};
    vt_tensor a = {.dtype = VT_I32, .shape = {1, {2}}, .data = big, .bytes = 8};
    vt_tensor empty = {.dtype = VT_F32, .shape = {2, {2, 0}}};
    const vt_attr dot = ATTR_TEXT("equation", "i,i->"), row = ATTR_TEXT("equation", "ij->i");
    op_call call = equation(&dot, &a, &a);
    op_run(&call); /* 2 * 2^32 */
    assert_numbers(&call.outputs[0], 1, (const double[]){0});
    op_done(&call);
    a.data = big + 1;
    op_run(&call);
    assert_numbers(&call.outputs[0], 1, (const double[]){9});
    op_done(&call);
    call = equation(&row, &empty, NULL);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 0, 0);
    op_done(&call);
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *equation, *reason;
    } cases[] = {
        {"ij", "1 terms for 2 operands"},
        {"ij,jk,kl", "3 terms for 2 operands"},
        {"ij,ij->ij", "axes of one label"},
        {"ijk,jk->i", "does not fit 2 dimensions"},
        {"i,jk->i", "does not fit 2 dimensions"},
        {"...ijk,jk->i", "does not fit 2 dimensions"},
        {"ij,jk->ii", "twice in the result"},
        {"ij,jk->iz", "in no operand"},
        {"i1,jk->i", "the term \"i1\""},
        {"i..j,jk->i", "the term"},
        {"i.j.,jk->i", "the term"},
        {"......,jk->i", "the term"},
        {"ij,jk->i->k", "the term"},
        {"ij,jk->i,k", "the term"},
        {"ij,jk->abcdefghi", "does not fit 8 dimensions"},
    };
    vt_tensor a = MATRIX(2, 3), b = MATRIX(3, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const vt_attr attr = ATTR_TEXT("equation", cases[i].equation);
        op_call call = equation(&attr, &a, &b);
        op_fails(&call, VT_ERR_FORMAT, cases[i].reason);
    }
    char text[400];
    memset(text, 'i', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const vt_attr attr = ATTR_TEXT("equation", text);
    op_call call = equation(&attr, &a, &b);
    op_fails(&call, VT_ERR_LIMIT, "equation of more than");
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "\"equation\" is missing");
}

static void bounds_its_work(void **state)
{
    (void)state;
    float *row = calloc(1 << 16, sizeof *row);
    vt_tensor a = {.dtype = VT_F32, .shape = {1, {1 << 16}}, .data = row, .bytes = 1 << 18};
    const vt_attr attr = ATTR_TEXT("equation", "a,b,c->");
    op_call call = {"Einsum",        12, .attrs = &attr, .attr_count = 1, .inputs = {&a, &a, &a},
                    .input_count = 3};
    op_fails(&call, VT_ERR_LIMIT, "more than 2^44 products");
    free(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiplies_and_transposes),
        cmocka_unit_test(sorts_the_result_without_an_arrow),
        cmocka_unit_test(walks_diagonals_and_many_operands),
        cmocka_unit_test(fills_in_the_ellipsis),
        cmocka_unit_test(wraps_integers_and_sums_nothing),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(bounds_its_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
