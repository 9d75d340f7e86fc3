/* SPDX-License-Identifier: Apache-2.0 */
/* Posts: each function against numbers, operands, what a step reads. */
#include "plan_builder.h"

typedef struct sample {
    vt_step_post post;
    double x, want;
} sample;

/* Numbers from the functions of Python, in f64. */
static const sample samples[] = {
    {{VT_POST_LINEAR, 2, -0.5F, 0}, 1.25, 2},
    {{VT_POST_LINEAR, 0, 3, 0}, -7, 3},
    {{VT_POST_CLIP, -1, 6, 0}, -3, -1},
    {{VT_POST_CLIP, -1, 6, 0}, 2.5, 2.5},
    {{VT_POST_CLIP, -1, 6, 0}, 7, 6},
    {{VT_POST_CLIP, -INFINITY, 6, 0}, -1e30, -1e30},
    {{VT_POST_RELU, 0, 0, 0}, -2, 0},
    {{VT_POST_RELU, 0, 0, 0}, 2, 2},
    {{VT_POST_LEAKY_RELU, 0.25F, 0, 0}, -2, -0.5},
    {{VT_POST_LEAKY_RELU, 0.25F, 0, 0}, 2, 2},
    {{VT_POST_ELU, 2, 0, 0}, -1, -1.26424111765712},
    {{VT_POST_ELU, 2, 0, 0}, 3, 3},
    {{VT_POST_SIGMOID, 0, 0, 0}, 1, 0.731058578630005},
    {{VT_POST_SIGMOID, 0, 0, 0}, -2, 0.119202922022118},
    {{VT_POST_SIGMOID, 0, 0, 0}, -1000, 0},
    {{VT_POST_TANH, 0, 0, 0}, 0.5, 0.46211715726001},
    {{VT_POST_GELU, 0, 0, 0}, 1, 0.841344746068543},
    {{VT_POST_GELU, 0, 0, 0}, -2, -0.0455002638963584},
    {{VT_POST_GELU_TANH, 0, 0, 0}, 1, 0.841191990608276},
    {{VT_POST_GELU_TANH, 0, 0, 0}, -2, -0.0454023059122406},
    {{VT_POST_SWISH, 1, 0, 0}, 1, 0.731058578630005},
    {{VT_POST_SWISH, 1.5F, 0, 0}, -1, -0.182425523806356},
    {{VT_POST_HARD_SIGMOID, 0.25F, 0.5F, 0}, 1, 0.75},
    {{VT_POST_HARD_SIGMOID, 0.25F, 0.5F, 0}, -3, 0},
    {{VT_POST_HARD_SIGMOID, 0.25F, 0.5F, 0}, 3, 1},
    {{VT_POST_HARD_SWISH, 0, 0, 0}, 1, 0.666666666666667},
    {{VT_POST_HARD_SWISH, 0, 0, 0}, -4, 0},
    {{VT_POST_HARD_SWISH, 0, 0, 0}, 4, 4},
    {{VT_POST_MISH, 0, 0, 0}, 1, 0.865098388267310},
    {{VT_POST_MISH, 0, 0, 0}, -1, -0.303401461374109},
};

static void test_functions(void **state)
{
    (void)state;
    bool seen[VT_POST_MUL + 1] = {false};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const sample *s = &samples[i];
        double have = vt_post_function(&s->post, s->x);
        if (!(fabs(have - s->want) <= 1e-12 * fmax(1, fabs(s->want)))) {
            fail_msg("post %d of %g: %.15g, wanted %.15g", (int)s->post.kind, s->x, have, s->want);
        }
        seen[s->post.kind] = true;
    }
    for (int kind = 0; kind <= VT_POST_MUL; kind++) {
        vt_step_post post = {.kind = (vt_post_kind)kind, .alpha = 1, .beta = 1};
        assert_true(seen[kind] != vt_post_has_operand(&post));
        if (seen[kind] && kind != VT_POST_HARD_SIGMOID) {
            assert_true(isnan(vt_post_function(&post, NAN)));
        }
    }
}

static void test_capacity(void **state)
{
    (void)state;
    vt_value_id inputs[3] = {7, VT_NO_VALUE, 9};
    vt_step step = {.node = {.inputs = inputs, .input_count = 3}};
    const vt_step_post relu = {.kind = VT_POST_RELU, .operand = 5};
    const vt_step_post add = {.kind = VT_POST_ADD, .operand = 11};
    for (int i = 0; i < VT_STEP_POSTS; i++) {
        assert_true(vt_step_post_add(&step, i % 2 == 0 ? &relu : &add));
    }
    assert_false(vt_step_post_add(&step, &relu));
    assert_int_equal(step.post_count, VT_STEP_POSTS);
    const vt_value_id want[] = {7, VT_NO_VALUE, 9, VT_NO_VALUE, 11, VT_NO_VALUE, 11};
    assert_int_equal(vt_step_read_count(&step), 7);
    for (size_t i = 0; i < 7; i++) {
        assert_true(vt_step_read(&step, i) == want[i]);
    }
}

static void apply(const vt_step *step, const vt_tensor *operands, const float *want)
{
    float numbers[6] = {-3, -2, -1, 0, 1, 2};
    vt_tensor output = {
        .dtype = VT_F32, .shape = {2, {2, 3}}, .data = numbers, .bytes = sizeof numbers};
    assert_int_equal(vt_posts_apply(step, operands, &output, NULL), VT_OK);
    for (int i = 0; i < 6; i++) {
        assert_true(numbers[i] == want[i]);
    }
}

static void test_operands(void **state)
{
    (void)state;
    float values[6] = {1, 2, 3, 4, 5, 6};
    uint16_t halves[3] = {0x3C00, 0x4000, 0x4200}; /* 1, 2, 3 */
    const vt_tensor row = {.dtype = VT_F32, .shape = {1, {3}}, .data = values};
    const vt_tensor column = {.dtype = VT_F32, .shape = {2, {2, 1}}, .data = values};
    const vt_tensor whole = {.dtype = VT_F32, .shape = {2, {2, 3}}, .data = values};
    const vt_tensor one = {.dtype = VT_F32, .shape = {0}, .data = values + 2};
    const vt_tensor half = {.dtype = VT_F16, .shape = {2, {1, 3}}, .data = halves};
    vt_step step = {.post_count = 1, .posts = {{VT_POST_ADD, 0, 0, 1}}};
    apply(&step, &row, (const float[]){-2, 0, 2, 1, 3, 5});
    apply(&step, &half, (const float[]){-2, 0, 2, 1, 3, 5});
    apply(&step, &column, (const float[]){-2, -1, 0, 2, 3, 4});
    apply(&step, &whole, (const float[]){-2, 0, 2, 4, 6, 8});
    apply(&step, &one, (const float[]){0, 1, 2, 3, 4, 5});
    step.posts[0].kind = VT_POST_MUL;
    apply(&step, &row, (const float[]){-3, -4, -3, 0, 2, 6});
    apply(&step, &column, (const float[]){-3, -2, -1, 0, 2, 4});
    /* In order: relu(2 x + row) * column. */
    const vt_step chain = {.post_count = 4,
                           .posts = {{VT_POST_LINEAR, 2, 0, VT_NO_VALUE},
                                     {VT_POST_ADD, 0, 0, 1},
                                     {VT_POST_RELU, 0, 0, VT_NO_VALUE},
                                     {VT_POST_MUL, 0, 0, 2}}};
    const vt_tensor operands[4] = {[1] = row, [3] = column};
    apply(&chain, operands, (const float[]){0, 0, 1, 2, 8, 14});
}

/* Longer than one run of elements, broadcast in the middle. */
static void test_long(void **state)
{
    (void)state;
    vt_tensor output, operand;
    const vt_shape shape = {3, {3, 7, 401}}, middle = {3, {3, 1, 401}};
    assert_int_equal(vt_tensor_init(&output, VT_F32, &shape, 0, NULL), VT_OK);
    assert_int_equal(vt_tensor_init(&operand, VT_F32, &middle, 0, NULL), VT_OK);
    for (size_t i = 0; i < vt_tensor_count(&output); i++) {
        ((float *)output.data)[i] = (float)i;
    }
    for (size_t i = 0; i < vt_tensor_count(&operand); i++) {
        ((float *)operand.data)[i] = (float)(i * 3);
    }
    const vt_step step = {.post_count = 1, .posts = {{VT_POST_ADD, 0, 0, 1}}};
    assert_int_equal(vt_posts_apply(&step, &operand, &output, NULL), VT_OK);
    for (size_t i = 0; i < vt_tensor_count(&output); i++) {
        size_t at = i / (7 * 401) * 401 + i % 401;
        assert_true(((const float *)output.data)[i] == (float)(i + at * 3));
    }
    vt_tensor_deinit(&output);
    vt_tensor_deinit(&operand);
}

static void test_too_large(void **state)
{
    (void)state;
    float values[6] = {0};
    vt_error error = {0};
    const vt_step step = {.post_count = 1, .posts = {{VT_POST_ADD, 0, 0, 1}}};
    const vt_tensor operand = {.dtype = VT_F32, .shape = {2, {2, 3}}, .data = values};
    const vt_tensor odd = {.dtype = VT_F32, .shape = {1, {2}}, .data = values};
    vt_tensor output = {.dtype = VT_F32, .shape = {2, {1, 3}}, .data = values};
    assert_int_equal(vt_posts_apply(&step, &operand, &output, &error), VT_ERR_INTERNAL);
    assert_int_not_equal(vt_posts_apply(&step, &odd, &output, &error), VT_OK);
}

/* Rounded once: in f16, 2048 + 1 + 1 - 2 would be 2046 if each post were stored. */
static void test_one_rounding(void **state)
{
    (void)state;
    uint16_t bits = 0x6800, ones = 0x3C00, expected = 0x6800; /* 2048, 1 */
    vt_tensor output = {.dtype = VT_F16, .shape = {1, {1}}, .data = &bits, .bytes = 2};
    vt_tensor one = {.dtype = VT_F16, .shape = {1, {1}}, .data = &ones, .bytes = 2};
    const vt_tensor operands[3] = {one, one, {0}};
    const vt_step step = {.post_count = 3,
                          .posts = {{VT_POST_ADD, 0, 0, 1},
                                    {VT_POST_ADD, 0, 0, 1},
                                    {VT_POST_LINEAR, 1, -2, VT_NO_VALUE}}};
    assert_int_equal(vt_posts_apply(&step, operands, &output, NULL), VT_OK);
    assert_int_equal(bits, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions), cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_operands),  cmocka_unit_test(test_long),
        cmocka_unit_test(test_too_large), cmocka_unit_test(test_one_rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
