/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that only move numbers: chains become one step or none, and compute the same. */
#include "nn/pass_check.h"

static const int64_t to_last[] = {0, 2, 3, 1}, to_first[] = {0, 3, 1, 2};

static vt_value_id input(builder *b)
{
    return builder_input(b, VT_F32, 4, (const int64_t[]){2, 3, 4, 5});
}

static vt_value_id transpose(builder *b, vt_value_id x, const int64_t *perm, int rank)
{
    vt_attr attr = attr_ints("perm", rank, perm);
    return builder_node(b, "Transpose", 13, &x, 1, &attr, perm ? 1 : 0);
}

static vt_value_id reshape(builder *b, vt_value_id x, int rank, const int64_t *dims)
{
    return builder_binary(b, "Reshape", x, builder_ints(b, rank, dims));
}

static void check(builder *b, vt_value_id y, const char *want)
{
    builder_output(b, y);
    pass_check(b, vt_pass_cancel_transposes, want, 1e-6);
    builder_deinit(b);
}

/* One step that stays, so that the output is not the last of the moves. */
static vt_value_id ended(builder *b, vt_value_id x)
{
    return builder_binary(b, "Mul", x, x);
}

static void test_identities(void **state)
{
    (void)state;
    for (int which = 0; which < 9; which++) {
        builder b;
        builder_init(&b, 1);
        vt_value_id x = builder_unary(&b, "Exp", input(&b)), y;
        const int64_t same[] = {0, 1, 2, 3}, dims[] = {2, 3, 4, 5};
        vt_attr to = attr_int("to", VT_F32);
        switch (which) {
        case 0:
            y = builder_unary(&b, "Identity", x);
            break;
        case 1:
            y = builder_node(&b, "Dropout", 10, &x, 1, NULL, 0);
            break;
        case 2:
            y = builder_unary(&b, "Dropout", x);
            break;
        case 3:
            y = builder_node(&b, "Cast", 13, &x, 1, &to, 1);
            break;
        case 4:
            y = transpose(&b, x, same, 4);
            break;
        case 5:
            y = reshape(&b, x, 4, dims);
            break;
        case 6:
            y = builder_binary(&b, "Expand", x, builder_ints(&b, 4, dims));
            break;
        case 7: { /* two in a row, of which two others read */
            y = builder_unary(&b, "Identity", builder_unary(&b, "Identity", x));
            y = builder_binary(&b, "Add", builder_unary(&b, "Abs", y), y);
            check(&b, y, "Exp Abs Add");
            continue;
        }
        default:
            y = reshape(&b, reshape(&b, x, 2, (const int64_t[]){6, 20}), 4, dims);
            break;
        }
        check(&b, ended(&b, y), "Exp Mul");
    }
}

static void test_outputs_stay(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 2);
    vt_value_id x = input(&b);
    vt_value_id turned = transpose(&b, x, to_last, 4);
    builder_output(&b, turned);
    check(&b, transpose(&b, turned, to_first, 4), "Transpose Transpose");
    builder_init(&b, 3);
    check(&b, builder_unary(&b, "Identity", input(&b)), "Identity");
}

static void test_compositions(void **state)
{
    (void)state;
    const int64_t swap[] = {0, 1, 3, 2};
    builder b;
    builder_init(&b, 4); /* none */
    check(&b, ended(&b, transpose(&b, transpose(&b, input(&b), to_last, 4), to_first, 4)), "Mul");
    builder_init(&b, 5); /* one */
    check(&b, ended(&b, transpose(&b, transpose(&b, input(&b), to_last, 4), swap, 4)),
          "Transpose Mul");
    builder_init(&b, 6); /* three, one reversing all axes */
    vt_value_id x = transpose(&b, transpose(&b, input(&b), NULL, 4), swap, 4);
    check(&b, ended(&b, transpose(&b, x, to_last, 4)), "Transpose Mul");
    builder_init(&b, 7); /* the first has another reader */
    vt_value_id turned = transpose(&b, input(&b), to_last, 4);
    x = ended(&b, transpose(&b, turned, to_first, 4));
    builder_output(&b, builder_unary(&b, "Exp", turned));
    check(&b, x, "Transpose Mul Exp");
}

static void test_reshapes(void **state)
{
    (void)state;
    const int64_t ones[] = {2, 1, 4, 5}, front[] = {1, 0, 2, 3};
    const int64_t half[] = {0, 2, 1, 3};
    builder b;
    builder_init(&b, 8); /* only an axis of one moves */
    vt_value_id x = builder_input(&b, VT_F32, 4, ones);
    check(&b, ended(&b, transpose(&b, x, front, 4)), "Reshape Mul");
    builder_init(&b, 9); /* the same and a Flatten, with nothing in between */
    x = builder_input(&b, VT_F32, 4, ones);
    x = builder_unary(&b, "Flatten", transpose(&b, x, half, 4));
    check(&b, ended(&b, x), "Reshape Mul");
    builder_init(&b, 10); /* an axis that counts moves too */
    x = builder_input(&b, VT_F32, 4, ones);
    check(&b, ended(&b, transpose(&b, x, to_first, 4)), "Transpose Mul");
    builder_init(&b, 11);
    x = reshape(&b, input(&b), 3, (const int64_t[]){6, 4, 5});
    x = builder_binary(&b, "Unsqueeze", x, builder_ints(&b, 1, (const int64_t[]){0}));
    check(&b, ended(&b, reshape(&b, x, 2, (const int64_t[]){24, 5})), "Reshape Mul");
}

/* A Transpose, elementwise steps, and its inverse or another. */
static vt_value_id between(builder *b, vt_value_id x, int which)
{
    vt_value_id bounds[3] = {x, builder_scalar(b, -0.5F), builder_scalar(b, 0.5F)};
    switch (which) {
    case 0:
        return builder_unary(b, "Relu", x);
    case 1:
        return builder_unary(b, "Exp", builder_binary(b, "Mul", builder_scalar(b, 2), x));
    case 2:
        return builder_node(b, "Clip", 13, bounds, 3, NULL, 0);
    case 3:
        return builder_binary(b, "Pow", builder_unary(b, "Abs", x), builder_scalar(b, 1.5F));
    default:
        return builder_binary(b, "Sub", builder_constant(b, 3, (const int64_t[]){1, 1, 1}, 1, 1),
                              x);
    }
}

static void test_moved(void **state)
{
    (void)state;
    static const char *const without[] = {"Relu Mul", "Mul Exp Mul", "Clip Mul", "Abs Pow Mul",
                                          "Sub Mul"};
    static const char *const with[] = {"Relu Transpose Mul", "Mul Exp Transpose Mul",
                                       "Clip Transpose Mul", "Abs Pow Transpose Mul",
                                       "Sub Transpose Mul"};
    for (int which = 0; which < 5; which++) {
        builder b;
        builder_init(&b, (uint64_t)which);
        vt_value_id x = between(&b, transpose(&b, input(&b), to_last, 4), which);
        check(&b, ended(&b, transpose(&b, x, to_first, 4)), without[which]);
        builder_init(&b, (uint64_t)which);
        x = between(&b, transpose(&b, input(&b), to_last, 4), which);
        check(&b, ended(&b, transpose(&b, x, to_last, 4)), with[which]);
    }
}

static vt_value_id refused(builder *b, int which)
{
    vt_value_id x = transpose(b, input(b), to_last, 4), y = VT_NO_VALUE;
    switch (which) {
    case 0: /* another reader in between */
        y = builder_unary(b, "Exp", x);
        builder_output(b, builder_unary(b, "Abs", y));
        break;
    case 1: /* asked for in between */
        y = builder_unary(b, "Exp", x);
        builder_output(b, y);
        break;
    case 2: /* a number per channel */
        y = builder_binary(b, "Mul", x, builder_constant(b, 1, (const int64_t[]){3}, 1, 2));
        break;
    case 3: /* two computed inputs */
        y = builder_binary(b, "Add", x, builder_input(b, VT_F32, 4, (const int64_t[]){2, 4, 5, 3}));
        break;
    case 4: /* along an axis */
        y = builder_unary(b, "Softmax", x);
        break;
    case 5: /* bounds by tensor */
        y = builder_node(b, "Clip", 13, (const vt_value_id[]){x, builder_input(b, VT_F32, 0, NULL)},
                         2, NULL, 0);
        break;
    default: /* seen twice through an Identity */
        y = builder_unary(b, "Exp", x);
        builder_output(b, builder_unary(b, "Abs", builder_unary(b, "Neg", y)));
        break;
    }
    return ended(b, transpose(b, y, to_first, 4));
}

static void test_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 7; which++) {
        builder b;
        builder_init(&b, (uint64_t)which);
        check(&b, refused(&b, which), NULL);
    }
}

/* The readers of an Identity are those of its input. */
static void test_counts_follow(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 12);
    vt_value_id y = builder_unary(&b, "Exp", transpose(&b, input(&b), to_last, 4));
    y = builder_unary(&b, "Identity", y);
    builder_output(&b, builder_unary(&b, "Abs", y));
    check(&b, ended(&b, transpose(&b, y, to_first, 4)), "Transpose Exp Abs Transpose Mul");
    builder_init(&b, 13);
    vt_value_id sizes[2] = {input(&b), builder_scalar(&b, 0.5F)};
    vt_value_id training = builder_input(&b, VT_BOOL, 0, NULL);
    vt_value_id inputs[3] = {sizes[0], sizes[1], training};
    check(&b, ended(&b, builder_node(&b, "Dropout", 13, inputs, 3, NULL, 0)), NULL);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id values[14] = {builder_input(&b, VT_F32, 4, (const int64_t[]){2, 1, 2, 2})};
        for (int i = 1; i < 14; i++) {
            vt_value_id x = values[vt_random_int(&b.random, i > 3 ? i - 3 : 0, i - 1)];
            int64_t perm[] = {0, 1, 2, 3};
            for (int k = 3; k > 0; k--) {
                int other = vt_random_int(&b.random, 0, k);
                int64_t held = perm[k];
                perm[k] = perm[other];
                perm[other] = held;
            }
            uint64_t kind = vt_random_below(&b.random, 5);
            values[i] = kind < 2    ? transpose(&b, x, perm, 4)
                        : kind == 2 ? builder_unary(&b, "Identity", x)
                        : kind == 3 ? builder_unary(&b, "Neg", x)
                                    : builder_binary(&b, "Add", x, builder_scalar(&b, 1));
            if (vt_random_below(&b.random, 6) == 0) {
                builder_output(&b, values[i]);
            }
        }
        builder_output(&b, builder_unary(&b, "Abs", values[13]));
        vt_plan *plan = builder_plan(&b);
        assert_int_equal(vt_pass_cancel_transposes(plan, NULL), VT_OK);
        plan_check_order(plan);
        plan_check_shapes(plan);
        pass_compare(&b, plan, 1e-6);
        builder_deinit(&b);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 14);
    vt_value_id x = between(&b, transpose(&b, input(&b), to_last, 4), 1);
    x = builder_unary(&b, "Flatten", transpose(&b, x, to_first, 4));
    x = reshape(&b, x, 2, (const int64_t[]){24, 5});
    builder_output(&b, ended(&b, x));
    pass_check_no_memory(&b, vt_pass_cancel_transposes);
    builder_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities),    cmocka_unit_test(test_outputs_stay),
        cmocka_unit_test(test_compositions),  cmocka_unit_test(test_reshapes),
        cmocka_unit_test(test_moved),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_counts_follow), cmocka_unit_test(test_random),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
