/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operator that goes to oneDNN against its reference function, on random shapes and
 * attributes. Odd channel counts leave blocks unfilled; the second of two operators meets the first
 * one's layout.
 */
#include "nn/dnnl_cases.h"

/* ---- convolutions ---- */

static void conv_case(uint64_t seed, int spatial)
{
    builder b;
    builder_init(&b, seed);
    vt_random *random = &b.random;
    int64_t groups = vt_random_below(random, 2) ? 1 : pick(&b, 4, (const int64_t[]){2, 3, 4, 17});
    int64_t in_each = vt_random_below(random, 3) ? vt_random_int(random, 1, 5) : 16;
    int64_t out_each = vt_random_below(random, 3) ? vt_random_int(random, 1, 5) : 16;
    if (groups > 1 && vt_random_below(random, 2)) { /* depthwise */
        in_each = out_each = 1;
        groups = pick(&b, 4, (const int64_t[]){3, 16, 17, 32});
    }
    int64_t x_dims[5] = {vt_random_int(random, 1, 3), groups * in_each};
    int64_t w_dims[5] = {groups * out_each, in_each};
    int64_t strides[3], dilations[3], pads[6] = {0};
    for (int i = 0; i < spatial; i++) {
        w_dims[i + 2] = vt_random_int(random, 1, 4);
        strides[i] = vt_random_int(random, 1, 3);
        dilations[i] = vt_random_int(random, 1, 2);
        pads[i] = vt_random_int(random, 0, 3);
        pads[spatial + i] = vt_random_int(random, 0, 3);
        x_dims[i + 2] = (w_dims[i + 2] - 1) * dilations[i] + vt_random_int(random, 1, 9);
    }
    vt_value_id x = builder_input(&b, VT_F32, spatial + 2, x_dims);
    vt_value_id w = builder_constant(&b, spatial + 2, w_dims, -1, 1);
    vt_value_id bias = builder_constant(&b, 1, w_dims, -1, 1);
    vt_attr attrs[5] = {attr_ints("strides", spatial, strides),
                        attr_ints("dilations", spatial, dilations), attr_int("group", groups),
                        attr_ints("pads", 2 * spatial, pads)};
    uint64_t automatic = vt_random_below(random, 6);
    if (automatic < 3) {
        static const char *const modes[] = {"SAME_UPPER", "SAME_LOWER", "VALID"};
        attrs[3] = attr_text("auto_pad", modes[automatic]);
    }
    size_t input_count = 2 + (size_t)vt_random_below(random, 2);
    vt_value_id y =
        builder_node(&b, "Conv", 13, (const vt_value_id[]){x, w, bias}, input_count, attrs, 4);
    if (vt_random_below(random, 2)) {
        y = builder_unary(&b, "Relu", y);
    }
    builder_output(&b, y);
    reference_steps += builder_compare(&b, true, 1e-4);
    builder_deinit(&b);
}

static void test_conv(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3 * ROUNDS; seed++) {
        conv_case(seed, 1 + (int)(seed % 3));
    }
    assert_int_equal(reference_steps, 0);
}

static void test_conv_computed_weights(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 1);
    vt_value_id x = builder_input(&b, VT_F32, 4, (const int64_t[]){2, 6, 7, 7});
    vt_value_id w = builder_input(&b, VT_F32, 4, (const int64_t[]){4, 3, 3, 3});
    vt_attr group = attr_int("group", 2);
    vt_value_id y = builder_node(&b, "Conv", 13, (const vt_value_id[]){x, w}, 2, &group, 1);
    builder_output(&b, builder_unary(&b, "Relu", y));
    reference_steps += builder_compare(&b, true, 1e-4);
    builder_deinit(&b);
    assert_int_equal(reference_steps, 0);
}

/* ---- pools ---- */

static void pool_case(uint64_t seed)
{
    static const char *const ops[] = {"MaxPool", "AveragePool"};
    builder b;
    builder_init(&b, seed);
    vt_random *random = &b.random;
    bool maximum = vt_random_below(random, 2) == 0;
    int64_t kernel[2], strides[2], pads[4], dims[2], dilations[2] = {1, 1};
    for (int i = 0; i < 2; i++) {
        kernel[i] = vt_random_int(random, 1, 4);
        strides[i] = vt_random_int(random, 1, 4);
        pads[i] = vt_random_int(random, 0, (int)kernel[i] - 1);
        pads[i + 2] = vt_random_int(random, 0, (int)kernel[i] - 1);
        if (maximum && vt_random_below(random, 4) == 0) {
            dilations[i] = 2;
        }
        dims[i] = (kernel[i] - 1) * dilations[i] + vt_random_int(random, 1, 9);
    }
    vt_value_id x =
        plain_or_blocked(&b, vt_random_int(random, 1, 3), pick_channels(&b), dims[0], dims[1]);
    vt_attr attrs[6] = {attr_ints("kernel_shape", 2, kernel), attr_ints("strides", 2, strides),
                        attr_int("ceil_mode", (int64_t)vt_random_below(random, 2)),
                        attr_ints("pads", 4, pads)};
    uint64_t automatic = vt_random_below(random, 6);
    if (automatic < 2 && attrs[2].i == 0) {
        attrs[3] = attr_text("auto_pad", automatic ? "SAME_UPPER" : "SAME_LOWER");
    }
    attrs[4] = maximum ? attr_ints("dilations", 2, dilations)
                       : attr_int("count_include_pad", (int64_t)vt_random_below(random, 2));
    builder_output(&b, builder_node(&b, ops[!maximum], 12, &x, 1, attrs, 5));
    reference_steps += builder_compare(&b, true, 1e-5);
    builder_deinit(&b);
}

static void test_pool(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4 * ROUNDS; seed++) {
        pool_case(seed);
    }
    /* Dilation over padding, and overhanging windows that count the padding. */
    assert_true(reference_steps > 0 && reference_steps < ROUNDS * 4 / 3);
}

static void test_global_pool(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id x =
            plain_or_blocked(&b, vt_random_int(&b.random, 1, 3), pick_channels(&b),
                             vt_random_int(&b.random, 1, 9), vt_random_int(&b.random, 1, 9));
        vt_value_id pooled = builder_unary(&b, seed % 2 ? "GlobalMaxPool" : "GlobalAveragePool", x);
        /* Flattened, as classifiers do: the blocked 1x1 map read as a row. */
        builder_output(&b, builder_node(&b, "Flatten", 13, &pooled, 1, NULL, 0));
        builder_output(&b, pooled);
        reference_steps += builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 0);
}

static void reduce_case(uint64_t seed)
{
    static const char *const ops[] = {"ReduceMean", "ReduceSum"};
    builder b;
    builder_init(&b, seed);
    const char *op = ops[seed % 2];
    vt_value_id x = plain_or_blocked(&b, vt_random_int(&b.random, 1, 3), pick_channels(&b), 5, 6);
    int64_t axes[4];
    int count = 0;
    bool spatial = vt_random_below(&b.random, 2) == 0;
    for (int axis = 0; axis < 4; axis++) {
        if (spatial ? axis >= 2 : vt_random_below(&b.random, 2) == 0) {
            axes[count++] = vt_random_below(&b.random, 2) ? axis : axis - 4;
        }
    }
    vt_attr attrs[2] = {attr_int("keepdims", (int64_t)vt_random_below(&b.random, 2)),
                        attr_ints("axes", count, axes)};
    bool as_input = vt_random_below(&b.random, 2) == 0;
    if (as_input) {
        vt_value_id inputs[2] = {x, builder_ints(&b, count, axes)};
        builder_output(&b, builder_node(&b, op, 18, inputs, 2, attrs, 1));
    } else {
        builder_output(&b, builder_node(&b, op, 11, &x, 1, attrs, count > 0 ? 2 : 1));
    }
    reference_steps += builder_compare(&b, true, 1e-5);
    builder_deinit(&b);
}

static void test_reduce(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2 * ROUNDS; seed++) {
        reduce_case(seed);
    }
    assert_int_equal(reference_steps, 0);
}

/* ---- products ---- */

static void gemm_case(uint64_t seed)
{
    builder b;
    builder_init(&b, seed);
    vt_random *random = &b.random;
    int64_t m = vt_random_int(random, 1, 9), n = pick(&b, 4, (const int64_t[]){1, 7, 32, 65});
    int64_t k = vt_random_int(random, 1, 40);
    bool a_swapped = vt_random_below(random, 2), b_swapped = vt_random_below(random, 2);
    int64_t a_dims[2] = {a_swapped ? k : m, a_swapped ? m : k};
    int64_t b_dims[2] = {b_swapped ? n : k, b_swapped ? k : n};
    int64_t c_dims[2] = {vt_random_below(random, 2) ? m : 1, vt_random_below(random, 2) ? n : 1};
    vt_value_id inputs[3] = {builder_input(&b, VT_F32, 2, a_dims)};
    inputs[1] = vt_random_below(random, 3) ? builder_constant(&b, 2, b_dims, -1, 1)
                                           : builder_input(&b, VT_F32, 2, b_dims);
    bool row = vt_random_below(random, 2);
    inputs[2] = builder_constant(&b, row ? 1 : 2, row ? &n : c_dims, -1, 1);
    vt_attr attrs[] = {attr_int("transA", a_swapped), attr_int("transB", b_swapped),
                       attr_float("alpha", vt_random_below(random, 3) ? 1 : 0.25F),
                       attr_float("beta", vt_random_below(random, 3) ? 1 : 2.5F)};
    vt_value_id y = builder_node(&b, "Gemm", 13, inputs, 2 + vt_random_below(random, 2), attrs, 4);
    builder_output(&b, vt_random_below(random, 2) ? builder_unary(&b, "Relu", y) : y);
    reference_steps += builder_compare(&b, true, 1e-5);
    builder_deinit(&b);
}

static void test_gemm(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3 * ROUNDS; seed++) {
        gemm_case(seed);
    }
    /* A beta, and on some versions a column as C. */
    assert_true(reference_steps < ROUNDS);
}

/* One constant read transposed and as it lies. */
static void test_gemm_shared_weights(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 5);
    vt_value_id x = builder_input(&b, VT_F32, 2, (const int64_t[]){4, 32});
    vt_value_id w = builder_constant(&b, 2, (const int64_t[]){32, 32}, -1, 1);
    vt_attr swapped = attr_int("transB", 1);
    builder_output(&b, builder_node(&b, "Gemm", 13, (const vt_value_id[]){x, w}, 2, &swapped, 1));
    builder_output(&b, builder_node(&b, "Gemm", 13, (const vt_value_id[]){x, w}, 2, NULL, 0));
    builder_output(&b, builder_binary(&b, "MatMul", x, w));
    reference_steps += builder_compare(&b, true, 1e-5);
    builder_deinit(&b);
    assert_int_equal(reference_steps, 0);
}

static void test_matmul(void **state)
{
    (void)state;
    static const struct {
        int a_rank, b_rank;
        int64_t a[4], b[4];
    } cases[] = {
        {2, 2, {3, 5}, {5, 7}},
        {3, 2, {2, 3, 5}, {5, 7}},
        {4, 2, {2, 2, 3, 5}, {5, 1}},
        {3, 3, {2, 3, 5}, {2, 5, 4}},
        {3, 3, {1, 3, 5}, {2, 5, 4}},
        {4, 4, {2, 1, 3, 5}, {1, 3, 5, 4}},
        {4, 3, {2, 3, 4, 5}, {3, 5, 6}},
        {2, 4, {3, 5}, {2, 2, 5, 4}},
        {1, 2, {5}, {5, 4}},
        {2, 1, {3, 5}, {5}},
        {1, 1, {5}, {5}},
        {1, 3, {5}, {2, 5, 4}},
        {3, 1, {2, 3, 5}, {5}},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        builder b;
        builder_init(&b, i);
        size_t at = i / 2;
        vt_value_id left = builder_input(&b, VT_F32, cases[at].a_rank, cases[at].a);
        vt_value_id right = i % 2 ? builder_constant(&b, cases[at].b_rank, cases[at].b, -1, 1)
                                  : builder_input(&b, VT_F32, cases[at].b_rank, cases[at].b);
        builder_output(&b, builder_binary(&b, "MatMul", left, right));
        reference_steps += builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 0);
}

/* ---- normalisations ---- */

static void test_batchnorm(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        builder b;
        builder_init(&b, seed);
        int64_t channels = pick_channels(&b), dims[5] = {2, channels, 3, 4, 2};
        int rank = vt_random_int(&b.random, 2, 5);
        vt_value_id inputs[5] = {rank == 4 ? blocked_input(&b, 2, channels, 3, 4)
                                           : builder_input(&b, VT_F32, rank, dims)};
        inputs[0] = builder_unary(&b, "Abs", inputs[0]); /* so that it is not folded */
        for (int i = 1; i < 5; i++) {
            inputs[i] = builder_constant(&b, 1, &channels, i == 4 ? 0.1F : -1, 1);
        }
        vt_attr epsilon = attr_float("epsilon", 1e-3F);
        vt_value_id y = builder_node(&b, "BatchNormalization", 14, inputs, 5, &epsilon, 1);
        builder_output(&b, seed % 2 ? builder_unary(&b, "Relu", y) : y);
        reference_steps += builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 0);
}

static void test_softmax(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id x = plain_or_blocked(&b, 2, pick_channels(&b), 3, 5);
        vt_value_id wide = builder_binary(&b, "Mul", x, builder_scalar(&b, 30));
        vt_attr axis = attr_int("axis", vt_random_int(&b.random, -4, 3));
        vt_value_id y =
            builder_node(&b, seed % 2 ? "Softmax" : "LogSoftmax", seed % 4 < 2 ? 11 : 13, &wide, 1,
                         &axis, vt_random_below(&b.random, 4) ? 1 : 0);
        builder_output(&b, y);
        reference_steps += builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 0);
}

static void test_lrn(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id x = plain_or_blocked(&b, 2, pick_channels(&b), 5, 6);
        vt_attr attrs[] = {attr_int("size", vt_random_int(&b.random, 1, 6)),
                           attr_float("alpha", 0.5F), attr_float("beta", 0.75F),
                           attr_float("bias", 1.5F)};
        builder_output(&b, builder_node(&b, "LRN", 13, &x, 1, attrs, 4));
        reference_steps += builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
    assert_true(reference_steps > 0 && reference_steps < ROUNDS); /* even sizes */
}

/* ---- moves ---- */

static void test_concat(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2 * ROUNDS; seed++) {
        builder b;
        builder_init(&b, seed);
        vt_value_id parts[4];
        size_t count = 1 + vt_random_below(&b.random, 4);
        int axis = vt_random_below(&b.random, 2) ? 1 : vt_random_int(&b.random, 0, 3);
        int64_t dims[4] = {2, pick_channels(&b), 5, 6};
        for (size_t i = 0; i < count; i++) {
            dims[axis] = axis == 1 ? pick_channels(&b) : vt_random_int(&b.random, 1, 4);
            parts[i] = vt_random_below(&b.random, 4)
                           ? plain_or_blocked(&b, dims[0], dims[1], dims[2], dims[3])
                           : builder_constant(&b, 4, dims, -1, 1);
        }
        vt_attr attr = attr_int("axis", vt_random_below(&b.random, 2) ? axis : axis - 4);
        vt_value_id y = builder_node(&b, "Concat", 13, parts, count, &attr, 1);
        builder_output(&b, builder_unary(&b, "Abs", y));
        reference_steps += builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 0);
}

static void test_transpose(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        builder b;
        builder_init(&b, seed);
        int64_t order[4] = {0, 1, 2, 3};
        for (int i = 3; i > 0; i--) {
            int other = vt_random_int(&b.random, 0, i);
            int64_t held = order[i];
            order[i] = order[other];
            order[other] = held;
        }
        vt_value_id x = plain_or_blocked(&b, 2, pick_channels(&b), 5, 3);
        vt_attr perm = attr_ints("perm", 4, order);
        builder_output(&b, builder_node(&b, "Transpose", 13, &x, 1, &perm, seed % 5 ? 1 : 0));
        reference_steps += builder_compare(&b, true, 1e-6);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 0);
}

/* Aliases: of an input, of blocked values, several of one, and as outputs. */
static void test_aliases(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 3);
    vt_value_id x = blocked_input(&b, 2, 17, 4, 5);
    vt_value_id shape = builder_ints(&b, 2, (const int64_t[]){34, 20});
    vt_value_id flat = builder_node(&b, "Reshape", 13, (const vt_value_id[]){x, shape}, 2, NULL, 0);
    vt_value_id same = builder_unary(&b, "Identity", x);
    vt_value_id dropped = builder_node(&b, "Dropout", 10, &same, 1, NULL, 0);
    builder_output(&b, flat);
    builder_output(&b, builder_unary(&b, "Identity", b.inputs[0]));
    builder_output(&b, builder_unary(&b, "Relu", dropped));
    builder_output(&b, builder_node(&b, "Flatten", 13, &same, 1, NULL, 0));
    builder_output(&b, x);
    reference_steps += builder_compare(&b, true, 1e-5);
    builder_deinit(&b);
    assert_int_equal(reference_steps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_conv, reset_count),
        cmocka_unit_test_setup(test_conv_computed_weights, reset_count),
        cmocka_unit_test_setup(test_pool, reset_count),
        cmocka_unit_test_setup(test_global_pool, reset_count),
        cmocka_unit_test_setup(test_reduce, reset_count),
        cmocka_unit_test_setup(test_gemm, reset_count),
        cmocka_unit_test_setup(test_gemm_shared_weights, reset_count),
        cmocka_unit_test_setup(test_matmul, reset_count),
        cmocka_unit_test_setup(test_batchnorm, reset_count),
        cmocka_unit_test_setup(test_softmax, reset_count),
        cmocka_unit_test_setup(test_lrn, reset_count),
        cmocka_unit_test_setup(test_concat, reset_count),
        cmocka_unit_test_setup(test_transpose, reset_count),
        cmocka_unit_test_setup(test_aliases, reset_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
