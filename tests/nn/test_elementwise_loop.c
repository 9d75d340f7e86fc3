/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fused loop over operands that lie in every way: spaces at random, of up to eight axes, with
 * operands repeated, transposed and of truth values, against the program element by element.
 */
#include "support/scratch.h"

#include "base/random.h"
#include "nn/kernels/loop.h"

enum { OPERANDS = 4, ROOM = 1 << 18 };

/* (a < b ? a c : d) - c, where d is 0 or 1; the last a truth value when asked. */
static const vt_elementwise program = {
    .input_count = OPERANDS,
    .constant_count = 1,
    .register_count = 9,
    .constants = {0.5F},
    .instruction_count = 4,
    .instructions = {{VT_ELEMENTWISE_LESS, 5, {0, 1, -1}},
                     {VT_ELEMENTWISE_MUL, 6, {0, 2, -1}},
                     {VT_ELEMENTWISE_SELECT, 7, {5, 6, 3}},
                     {VT_ELEMENTWISE_SUB, 8, {7, 4, -1}}},
};

static float floats[3][ROOM], result[ROOM + 1];
static uint8_t bytes[ROOM], truths[ROOM + 1];

/* A row-major operand of this space with axes left out here and there, sometimes transposed. */
static void random_strides(vt_random *random, const vt_loop_space *space, size_t *strides)
{
    size_t stride = 1;
    uint64_t kind = vt_random_below(random, 4); /* 0: whole, 1: transposed, else repeated */
    for (int k = 0; k < space->rank; k++) {
        int i = kind == 1 ? k : space->rank - 1 - k;
        bool repeated = kind > 1 && vt_random_below(random, 2) == 0;
        strides[i] = repeated ? 0 : stride;
        stride *= repeated ? 1 : space->sizes[i];
    }
}

static void check(const vt_loop_space *space)
{
    size_t count = 1;
    vt_loop *loop = NULL;
    const void *inputs[OPERANDS] = {floats[0], floats[1], floats[2], bytes};
    for (int i = 0; i < space->rank; i++)
        count *= space->sizes[i];
    assert_true(count <= ROOM);
    result[count] = 77.0F;
    truths[count] = 77;
    assert_int_equal(vt_loop_new(&program, space, &loop, NULL), VT_OK);
    vt_loop_run(loop, inputs, space->boolean_result ? (void *)truths : (void *)result);
    vt_loop_free(loop);
    assert_true(result[count] == 77.0F);
    assert_int_equal(truths[count], 77);
    for (size_t flat = 0; flat < count; flat++) {
        size_t at[OPERANDS] = {0}, rest = flat;
        for (int i = space->rank - 1; i >= 0; i--) {
            for (int k = 0; k < OPERANDS; k++)
                at[k] += rest % space->sizes[i] * space->strides[k][i];
            rest /= space->sizes[i];
        }
        float a = floats[0][at[0]], b = floats[1][at[1]], c = floats[2][at[2]];
        float want = (a < b ? a * c : (float)(bytes[at[3]] != 0)) - 0.5F;
        if (space->boolean_result)
            assert_int_equal(truths[flat], want != 0.0F);
        else
            assert_true(result[flat] == want);
    }
}

static void fill(vt_random *random)
{
    for (size_t i = 0; i < ROOM; i++) {
        for (int k = 0; k < 3; k++)
            floats[k][i] = (float)vt_random_int(random, -8, 8) * 0.25F;
        bytes[i] = (uint8_t)vt_random_below(random, 3);
    }
}

static void test_spaces(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 9);
    fill(&random);
    for (int round = 0; round < 2000; round++) {
        vt_loop_space space = {.rank = vt_random_int(&random, 0, 8),
                               .threads = 1,
                               .booleans = {false, false, false, true},
                               .boolean_result = vt_random_below(&random, 4) == 0};
        size_t room = 3000;
        for (int i = 0; i < space.rank; i++) {
            size_t most = vt_random_below(&random, 4) == 0 ? room : room < 6 ? room : 6;
            space.sizes[i] = 1 + vt_random_below(&random, most);
            room /= space.sizes[i];
        }
        for (int k = 0; k < OPERANDS; k++)
            random_strides(&random, &space, space.strides[k]);
        check(&space);
    }
}

/* Large enough to be shared out. */
static void test_threads(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 10);
    fill(&random);
    for (int threads = 1; threads <= 7; threads++) {
        vt_loop_space space = {
            .rank = 2,
            .sizes = {257, 1019},
            .threads = threads,
            .strides = {{1019, 1}, {1, 0}, {0, 1}, {0, 0}},
            .booleans = {false, false, false, true},
        };
        check(&space);
    }
}

static void test_too_large(void **state)
{
    (void)state;
    vt_loop *loop = NULL;
    vt_error error = {0};
    vt_loop_space space = {.rank = 3, .sizes = {(size_t)1 << 30, (size_t)1 << 30, 1 << 10}};
    assert_int_equal(vt_loop_new(&program, &space, &loop, &error), VT_ERR_LIMIT);
    assert_null(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
