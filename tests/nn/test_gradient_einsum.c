/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of Einsum, of every form that an equation can have, by all of its operands. */
#include "nn/gradients.h"

enum { OPERANDS = 8 };

typedef struct einsum_form {
    const char *equation;
    struct {
        int rank;
        int64_t dims[VT_MAX_RANK];
    } operands[OPERANDS];
    size_t count;
} einsum_form;

static const einsum_form *form;

static vt_value_id make_einsum(builder *b, vt_dtype type)
{
    vt_value_id inputs[OPERANDS];
    for (size_t i = 0; i < form->count; i++)
        inputs[i] = grad_input(b, type, form->operands[i].rank, form->operands[i].dims);
    const vt_attr attr = attr_text("equation", form->equation);
    return builder_node(b, "Einsum", 12, inputs, form->count, &attr, 1);
}

static void check_forms(const einsum_form *forms, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        form = &forms[i];
        print_message("    %s\n", form->equation);
        grad_check(make_einsum, -1, 1);
    }
}

#define CHECK_FORMS(forms) check_forms(forms, sizeof(forms) / sizeof((forms)[0]))

static void test_products(void **state)
{
    (void)state;
    static const einsum_form forms[] = {
        {"bij, bjk -> bik", {{3, {2, 3, 4}}, {3, {2, 4, 3}}}, 2},
        {"bij,bji->bj", {{3, {2, 3, 4}}, {3, {2, 4, 3}}}, 2},
        {"bij,cjk->bcik", {{3, {2, 3, 4}}, {3, {2, 4, 3}}}, 2},
        {"bij->jbi", {{3, {2, 3, 4}}}, 1},
        {"i,ij,j->", {{1, {3}}, {2, {3, 4}}, {1, {4}}}, 3},
        {"i,ij,j,->i", {{1, {3}}, {2, {3, 4}}, {1, {4}}, {0}}, 4},
        {"bi,bj,bk,ijk->b", {{2, {2, 3}}, {2, {2, 2}}, {2, {2, 4}}, {3, {3, 2, 4}}}, 4},
    };
    CHECK_FORMS(forms);
}

static void test_sums_in_one_operand(void **state)
{
    (void)state;
    static const einsum_form forms[] = {
        {"ij->", {{2, {2, 3}}}, 1},
        {"bij->ib", {{3, {2, 3, 4}}}, 1},
        {"ij,kl->i", {{2, {2, 3}}, {2, {3, 2}}}, 2},
        {"bij,bk->kb", {{3, {2, 3, 4}}, {2, {2, 3}}}, 2},
    };
    CHECK_FORMS(forms);
}

static void test_diagonals(void **state)
{
    (void)state;
    static const einsum_form forms[] = {
        {"ii->i", {{2, {3, 3}}}, 1},
        {"bii->b", {{3, {2, 3, 3}}}, 1},
        {"iji->ji", {{3, {3, 2, 3}}}, 1},
        {"iii->i", {{3, {3, 3, 3}}}, 1},
        {"ijij->j", {{4, {2, 3, 2, 3}}}, 1},
        {"ii,ij->j", {{2, {3, 3}}, {2, {3, 2}}}, 2},
        {"ii,jj->ij", {{2, {3, 3}}, {2, {2, 2}}}, 2},
    };
    CHECK_FORMS(forms);
}

static void test_without_an_arrow(void **state)
{
    (void)state;
    static const einsum_form forms[] = {
        {"ba", {{2, {2, 3}}}, 1},
        {"ii", {{2, {3, 3}}}, 1},
        {"bk,ka", {{2, {2, 3}}, {2, {3, 4}}}, 2},
        {"...ij,...jk", {{3, {2, 3, 4}}, {3, {2, 4, 2}}}, 2},
    };
    CHECK_FORMS(forms);
}

static void test_ellipsis(void **state)
{
    (void)state;
    static const einsum_form forms[] = {
        {"...->...", {{2, {2, 3}}}, 1},
        {"b...i->...b", {{4, {2, 3, 2, 4}}}, 1},
        {"...ij,...jk->...ik", {{4, {2, 3, 2, 4}}, {4, {2, 3, 4, 2}}}, 2},
        {"...ij,jk->k...", {{4, {2, 3, 2, 4}}, {2, {4, 2}}}, 2},
        {"...i,...i->...", {{3, {2, 3, 4}}, {2, {3, 4}}}, 2}, /* fewer axes */
        {"...i,...i->...", {{3, {2, 1, 4}}, {2, {3, 4}}}, 2}, /* repeated ones */
        {"...ii->...i", {{3, {2, 3, 3}}}, 1},
    };
    CHECK_FORMS(forms);
}

/* Axes of one element are repeated, also along a diagonal. */
static void test_single_elements(void **state)
{
    (void)state;
    static const einsum_form forms[] = {
        {"bij,bjk->bik", {{3, {1, 2, 3}}, {3, {2, 3, 2}}}, 2},
        {"bij,bjk->bik", {{3, {2, 2, 1}}, {3, {2, 3, 1}}}, 2},
        {"i,i->i", {{1, {1}}, {1, {3}}}, 2},
        {"i,i->", {{1, {3}}, {1, {1}}}, 2},
        {"ij,ij->", {{2, {3, 1}}, {2, {1, 4}}}, 2},
        {"ii->i", {{2, {1, 3}}}, 1},
        {"iij->j", {{3, {3, 1, 2}}}, 1},
        {"ii,i->i", {{2, {3, 1}}, {1, {3}}}, 2},
        {"ii,ii->i", {{2, {1, 3}}, {2, {3, 3}}}, 2},
        {"ii,i->", {{2, {3, 3}}, {1, {1}}}, 2},
        {"ij->ij", {{2, {1, 1}}}, 1},
    };
    CHECK_FORMS(forms);
}

/* As many labels as there are letters, and those of "..." besides. */
static void test_more_labels_than_letters(void **state)
{
    (void)state;
    static const einsum_form forms[] = {
        {"abcdefgh,ijklmnop,qrstuvwx,yzABCDEF,GHIJKLMN,OPQRSTUV,WXYZ,...->...Za",
         {{8, {2, 1, 1, 1, 1, 1, 1, 1}},
          {8, {1, 1, 1, 1, 1, 1, 1, 1}},
          {8, {1, 1, 1, 3, 1, 1, 1, 1}},
          {8, {1, 1, 1, 1, 1, 1, 1, 2}},
          {8, {1, 1, 1, 1, 1, 1, 1, 1}},
          {8, {1, 1, 1, 1, 1, 1, 1, 1}},
          {4, {1, 1, 1, 2}},
          {6, {1, 2, 1, 1, 3, 1}}},
         8},
    };
    CHECK_FORMS(forms);
}

/* Of what is summed over nothing, every gradient is 0. */
static void test_nothing(void **state)
{
    (void)state;
    static const einsum_form forms[] = {
        {"ij,jk->ik", {{2, {2, 0}}, {2, {0, 3}}}, 2},
        {"ij,jk->ik", {{2, {2, 1}}, {2, {0, 3}}}, 2},
        {"i,i->i", {{1, {1}}, {1, {0}}}, 2},
    };
    CHECK_FORMS(forms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),  cmocka_unit_test(test_sums_in_one_operand),
        cmocka_unit_test(test_diagonals), cmocka_unit_test(test_without_an_arrow),
        cmocka_unit_test(test_ellipsis),  cmocka_unit_test(test_single_elements),
        cmocka_unit_test(test_nothing),   cmocka_unit_test(test_more_labels_than_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
