/* SPDX-License-Identifier: Apache-2.0 */
/* LayerNormalization and ConvTranspose on oneDNN against their reference functions. */
#include "nn/dnnl_cases.h"

static void test_layernorm(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        builder b;
        builder_init(&b, seed);
        int64_t dims[4] = {2, pick_channels(&b), vt_random_int(&b.random, 1, 9), 5};
        vt_value_id x = plain_or_blocked(&b, dims[0], dims[1], dims[2], dims[3]);
        int axis = vt_random_int(&b.random, 0, 3);
        bool computed = vt_random_below(&b.random, 4) == 0; /* a scale that is no constant */
        vt_value_id inputs[3] = {
            x,
            computed ? builder_input(&b, VT_F32, 4 - axis, dims + axis)
                     : builder_constant(&b, 4 - axis, dims + axis, -1, 1),
            builder_constant(&b, 4 - axis, dims + axis, -1, 1),
        };
        vt_attr attrs[] = {attr_int("axis", vt_random_below(&b.random, 2) ? axis : axis - 4),
                           attr_float("epsilon", 1e-3F)};
        size_t count = 2 + (size_t)vt_random_below(&b.random, 2);
        vt_value_id y = builder_node(&b, "LayerNormalization", 17, inputs, count, attrs, 2);
        builder_output(&b, builder_unary(&b, "Abs", y));
        reference_steps += builder_compare(&b, true, 1e-5);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 0);
}

/* What oneDNN cannot say: a scale per row, one that is repeated in the row, f64. */
static void test_layernorm_reference(void **state)
{
    (void)state;
    const int64_t dims[2] = {4, 6}, column[2] = {4, 1}, one = 1;
    const struct {
        vt_dtype dtype;
        int rank;
        const int64_t *scale;
    } cases[] = {{VT_F32, 2, column}, {VT_F32, 1, &one}, {VT_F64, 1, &dims[1]}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        builder b;
        builder_init(&b, i);
        vt_value_id x = builder_input(&b, cases[i].dtype, 2, dims);
        vt_value_id scale =
            builder_constant_of(&b, cases[i].dtype, cases[i].rank, cases[i].scale, -1, 1);
        builder_output(&b, builder_node(&b, "LayerNormalization", 17,
                                        (const vt_value_id[]){x, scale}, 2, NULL, 0));
        reference_steps += builder_compare(&b, true, 1e-6);
        builder_deinit(&b);
    }
    assert_int_equal(reference_steps, 3);
}

static void deconv_case(uint64_t seed, int spatial)
{
    builder b;
    builder_init(&b, seed);
    vt_random *random = &b.random;
    int64_t groups = vt_random_below(random, 2) ? 1 : pick(&b, 3, (const int64_t[]){2, 3, 16});
    int64_t in_each = vt_random_below(random, 3) ? vt_random_int(random, 1, 5) : 16;
    int64_t out_each = vt_random_below(random, 3) ? vt_random_int(random, 1, 5) : 16;
    if (groups > 1 && vt_random_below(random, 2)) { /* depthwise */
        in_each = out_each = 1;
    }
    int64_t x_dims[5] = {vt_random_int(random, 1, 3), groups * in_each};
    int64_t w_dims[5] = {groups * in_each, out_each}, outs = groups * out_each;
    int64_t strides[3], dilations[3], extra[3], pads[6] = {0};
    for (int i = 0; i < spatial; i++) {
        w_dims[i + 2] = vt_random_int(random, 1, 4);
        x_dims[i + 2] = vt_random_int(random, 2, 7);
        strides[i] = vt_random_int(random, 1, 3);
        dilations[i] = vt_random_int(random, 1, 2);
        extra[i] = vt_random_int(random, 0, (int)strides[i] - 1);
        int64_t full = (x_dims[i + 2] - 1) * strides[i] + (w_dims[i + 2] - 1) * dilations[i] + 1;
        pads[i] = vt_random_int(random, 0, (int)(full - 1) / 2);
        pads[spatial + i] = vt_random_int(random, 0, (int)(full - 1) / 2);
    }
    vt_value_id x = builder_input(&b, VT_F32, spatial + 2, x_dims);
    vt_value_id w = vt_random_below(random, 3) ? builder_constant(&b, spatial + 2, w_dims, -1, 1)
                                               : builder_input(&b, VT_F32, spatial + 2, w_dims);
    vt_value_id bias = builder_constant(&b, 1, &outs, -1, 1);
    vt_attr attrs[5] = {attr_ints("strides", spatial, strides),
                        attr_ints("dilations", spatial, dilations), attr_int("group", groups),
                        attr_ints("output_padding", spatial, extra),
                        attr_ints("pads", 2 * spatial, pads)};
    uint64_t automatic = vt_random_below(random, 6);
    if (automatic < 3) {
        static const char *const modes[] = {"SAME_UPPER", "SAME_LOWER", "VALID"};
        attrs[4] = attr_text("auto_pad", modes[automatic]);
    }
    size_t count = 2 + (size_t)vt_random_below(random, 2);
    vt_value_id y =
        builder_node(&b, "ConvTranspose", 11, (const vt_value_id[]){x, w, bias}, count, attrs, 5);
    builder_output(&b, builder_unary(&b, "Relu", y));
    reference_steps += builder_compare(&b, true, 1e-4);
    builder_deinit(&b);
}

static void test_deconv(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3 * ROUNDS; seed++) {
        deconv_case(seed, 1 + (int)(seed % 3));
    }
    assert_int_equal(reference_steps, 0);
}

/* A result a whole stride beyond every pixel, and four spatial dimensions. */
static void test_deconv_reference(void **state)
{
    (void)state;
    builder b;
    builder_init(&b, 7);
    const int64_t size = 20;
    vt_attr attrs[] = {attr_ints("output_shape", 1, &size)};
    vt_value_id x = builder_input(&b, VT_F32, 3, (const int64_t[]){1, 2, 5});
    vt_value_id w = builder_constant(&b, 3, (const int64_t[]){2, 3, 3}, -1, 1);
    builder_output(&b,
                   builder_node(&b, "ConvTranspose", 11, (const vt_value_id[]){x, w}, 2, attrs, 1));
    vt_value_id x4 = builder_input(&b, VT_F32, 6, (const int64_t[]){1, 2, 2, 3, 2, 3});
    vt_value_id w4 = builder_constant(&b, 6, (const int64_t[]){2, 1, 2, 1, 2, 2}, -1, 1);
    builder_output(
        &b, builder_node(&b, "ConvTranspose", 11, (const vt_value_id[]){x4, w4}, 2, NULL, 0));
    reference_steps += builder_compare(&b, true, 1e-5);
    builder_deinit(&b);
    assert_int_equal(reference_steps, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_layernorm, reset_count),
        cmocka_unit_test_setup(test_layernorm_reference, reset_count),
        cmocka_unit_test_setup(test_deconv, reset_count),
        cmocka_unit_test_setup(test_deconv_reference, reset_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
