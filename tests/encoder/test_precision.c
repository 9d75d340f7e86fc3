/* SPDX-License-Identifier: Apache-2.0 */
/* AUTO keeps the fastest precision that gives the golden vector, and no other. */
#include "encoder/models.h"

#include "encoder/network.h"

#include <math.h>

enum { CHANNELS = 16 };

/* Two convolutions whose weights differ by less than bf16 can tell (a step at 1 is 2^-7), and their
 * difference: in f32 a sound vector, in bf16 nothing or noise. They are neither first nor last. */
static void save_cancelling(scratch *s, const char *name)
{
    onnx_builder b;
    float first[CHANNELS * 3], one[TINY_FEATURES * CHANNELS], near[TINY_FEATURES * CHANNELS];
    for (int i = 0; i < CHANNELS * 3; i++)
        first[i] = (float)(i % 5 + 1) * 0.125f;
    for (int i = 0; i < TINY_FEATURES * CHANNELS; i++) {
        one[i] = 1.0f;
        near[i] = 1.0f + (float)(i % 7 - 3) * 0.0004f;
    }
    onnx_begin(&b);
    onnx_weight(&b, "first", 4, (int64_t[]){CHANNELS, 3, 1, 1}, first);
    onnx_node(&b, "Conv", "x,first", "c");
    onnx_node(&b, "Relu", "c", "r");
    onnx_input(&b, "x", VT_F32, 4, (int64_t[]){-1, 3, TINY_SIDE, TINY_SIDE});
    onnx_weight(&b, "one", 4, (int64_t[]){TINY_FEATURES, CHANNELS, 1, 1}, one);
    onnx_weight(&b, "near", 4, (int64_t[]){TINY_FEATURES, CHANNELS, 1, 1}, near);
    onnx_node(&b, "Conv", "r,one", "a");
    onnx_node(&b, "Conv", "r,near", "b");
    onnx_node(&b, "Sub", "b,a", "y");
    onnx_output(&b, "y", VT_F32, 4, (int64_t[]){-1, TINY_FEATURES, TINY_SIDE, TINY_SIDE});
    vt_buf file = onnx_finish(&b);
    model_save(s, name, &file);
}

static vt_encoder *open_in(scratch *s, const char *name, const char *preset,
                           const vt_encoder_options *how)
{
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    vt_encoder_options options = *how;
    options.preset = preset;
    options.output = preset != NULL ? "y" : NULL;
    if (vt_encoder_open(scratch_path(s, name), &options, &encoder, &error) != VT_OK)
        fail_msg("%s", error.message);
    return encoder;
}

static vt_encoder_options wish(vt_precision precision)
{
    vt_encoder_options options = vt_encoder_options_defaults();
    options.precision = precision;
    return options;
}

/* `to` of the network `from` with the stored golden vector of f32. */
static void pack(scratch *s, const char *from, const char *to)
{
    vt_buf file;
    vt_buf_init(&file, PB_MAXIMUM);
    vt_encoder_options f32 = wish(VT_PRECISION_F32);
    vt_encoder *encoder = open_in(s, from, "none", &f32);
    assert_int_equal(vt_encoder_pack(encoder, &file, NULL), VT_OK);
    vt_encoder_free(encoder);
    model_save(s, to, &file);
}

/* Cosine of this precision's vector of a picture with the one in f32. */
static double deviation(scratch *s, const char *name, vt_precision precision)
{
    float want[TINY_FEATURES], have[TINY_FEATURES];
    vt_encoder_options f32 = wish(VT_PRECISION_F32), other = wish(precision);
    vt_encoder *reference = open_in(s, name, "none", &f32);
    vt_encoder *encoder = open_in(s, name, "none", &other);
    vt_golden golden;
    assert_int_equal(vt_golden_init(encoder, &golden, NULL), VT_OK);
    assert_int_equal(
        vt_golden_embed(reference, &golden, VT_EXECUTOR_ONEDNN, VT_PRECISION_F32, want, NULL),
        VT_OK);
    assert_int_equal(vt_golden_embed(encoder, &golden, VT_EXECUTOR_ONEDNN, precision, have, NULL),
                     VT_OK);
    vt_golden_deinit(&golden);
    vt_encoder_free(reference);
    vt_encoder_free(encoder);
    return (double)model_cosine(have, want, TINY_FEATURES);
}

static void what_is_asked_for_is_taken(void **state)
{
    scratch *s = *state;
    tiny_options tiny = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &tiny);
    for (int p = VT_PRECISION_F32; p < VT_PRECISION_AUTO; p++) {
        vt_encoder_options options = wish((vt_precision)p);
        options.preset = "imagenet";
        vt_encoder *encoder = NULL;
        assert_int_equal(vt_encoder_open(scratch_path(s, "tiny.onnx"), &options, &encoder, NULL),
                         VT_OK);
        const vt_precision_verdict *verdict = vt_encoder_info_of(encoder).precision;
        assert_int_equal(verdict->precision, p);
        assert_true(isnan(verdict->similarity));
        assert_string_equal(verdict->refused, "");
        vt_encoder_free(encoder);
    }
}

/* A network that bf16 is good enough for. */
static void auto_takes_the_fastest_that_holds(void **state)
{
    scratch *s = *state;
    tiny_options tiny = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &tiny);
    vt_encoder_options options = wish(VT_PRECISION_AUTO);
    vt_encoder *encoder = NULL;
    options.preset = "imagenet";
    assert_int_equal(vt_encoder_open(scratch_path(s, "tiny.onnx"), &options, &encoder, NULL),
                     VT_OK);
    const vt_precision_verdict *verdict = vt_encoder_info_of(encoder).precision;
    if (vt_precision_is_fast(VT_PRECISION_BF16)) {
        assert_int_equal(verdict->precision, VT_PRECISION_BF16);
        assert_true(verdict->similarity >= 0.999);
    } else {
        assert_int_equal(verdict->precision, VT_PRECISION_F32);
        assert_true(isnan(verdict->similarity));
    }
    assert_string_equal(verdict->refused, "");
    vt_encoder_free(encoder);
}

/* On both ways to a reference vector: made now, and stored in the file. */
static void auto_leaves_what_is_too_coarse(void **state)
{
    scratch *s = *state;
    save_cancelling(s, "plain.onnx");
    pack(s, "plain.onnx", "packed.onnx");
    bool coarse = !(deviation(s, "plain.onnx", VT_PRECISION_BF16) >= 0.999);
    bool fast = vt_precision_is_fast(VT_PRECISION_BF16);
    if (fast)
        assert_true(coarse);
    for (int packed = 0; packed < 2; packed++) {
        vt_encoder_options automatic = vt_encoder_options_defaults();
        vt_encoder *encoder = packed ? open_in(s, "packed.onnx", NULL, &automatic)
                                     : open_in(s, "plain.onnx", "none", &automatic);
        vt_encoder_info info = vt_encoder_info_of(encoder);
        assert_int_equal(info.precision->precision, VT_PRECISION_F32);
        assert_int_equal(info.golden_checked, packed);
        if (fast || packed)
            assert_true(info.precision->similarity >= 0.999);
        assert_true(fast == (strstr(info.precision->refused, "bf16: similarity") != NULL));
        vt_encoder_free(encoder);
    }
}

static void the_golden_check_names_the_precision_that_fails(void **state)
{
    scratch *s = *state;
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    if (!vt_precision_is_fast(VT_PRECISION_BF16))
        skip();
    save_cancelling(s, "plain.onnx");
    pack(s, "plain.onnx", "packed.onnx");
    vt_encoder_options options = wish(VT_PRECISION_BF16);
    assert_int_equal(vt_encoder_open(scratch_path(s, "packed.onnx"), &options, &encoder, &error),
                     VT_ERR_MISMATCH);
    assert_non_null(strstr(error.message, "in bf16"));
    assert_non_null(strstr(error.message, "packed.onnx"));
    assert_null(encoder);
    options.check_golden = false;
    encoder = open_in(s, "packed.onnx", NULL, &options);
    vt_encoder_check check = {0};
    assert_int_equal(vt_encoder_check_golden(encoder, &check, &error), VT_ERR_MISMATCH);
    assert_non_null(strstr(error.message, "in bf16"));
    vt_encoder_free(encoder);
}

static void a_known_verdict_is_taken_over_unless_it_is_wrong(void **state)
{
    scratch *s = *state;
    save_cancelling(s, "plain.onnx");
    pack(s, "plain.onnx", "packed.onnx");
    vt_precision_verdict known = {VT_PRECISION_F32, 1.0, "bf16: said so before"};
    vt_encoder_options options = vt_encoder_options_defaults();
    options.known = &known;
    vt_encoder *encoder = open_in(s, "packed.onnx", NULL, &options);
    vt_encoder_info info = vt_encoder_info_of(encoder);
    assert_int_equal(info.precision->precision, VT_PRECISION_F32);
    assert_string_equal(info.precision->refused, known.refused); /* so bf16 was not run again */
    assert_true(info.golden_checked);
    vt_encoder_free(encoder);
    /* The golden picture contradicts this one; where bf16 is not fast it is not even tried. */
    known = (vt_precision_verdict){VT_PRECISION_BF16, 1.0, ""};
    encoder = open_in(s, "packed.onnx", NULL, &options);
    info = vt_encoder_info_of(encoder);
    assert_int_equal(info.precision->precision, VT_PRECISION_F32);
    assert_true(info.precision->similarity >= 0.999);
    vt_encoder_free(encoder);
    /* A wish for one precision asks nobody. */
    known = (vt_precision_verdict){VT_PRECISION_BF16, 1.0, ""};
    options.precision = VT_PRECISION_F32;
    encoder = open_in(s, "packed.onnx", NULL, &options);
    assert_int_equal(vt_encoder_info_of(encoder).precision->precision, VT_PRECISION_F32);
    vt_encoder_free(encoder);
}

/* The stored vector is what others are held to: it does not depend on who packs. */
static void packing_stores_the_vector_of_f32(void **state)
{
    scratch *s = *state;
    vt_buf f32, bf16;
    tiny_options tiny = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &tiny);
    vt_encoder_options options = wish(VT_PRECISION_F32);
    options.preset = "imagenet";
    vt_encoder *encoder = NULL;
    vt_buf_init(&f32, PB_MAXIMUM);
    vt_buf_init(&bf16, PB_MAXIMUM);
    assert_int_equal(vt_encoder_open(scratch_path(s, "tiny.onnx"), &options, &encoder, NULL),
                     VT_OK);
    assert_int_equal(vt_encoder_pack(encoder, &f32, NULL), VT_OK);
    vt_encoder_free(encoder);
    options.precision = VT_PRECISION_BF16;
    assert_int_equal(vt_encoder_open(scratch_path(s, "tiny.onnx"), &options, &encoder, NULL),
                     VT_OK);
    assert_int_equal(vt_encoder_pack(encoder, &bf16, NULL), VT_OK);
    vt_encoder_free(encoder);
    assert_int_equal(f32.length, bf16.length);
    assert_memory_equal(f32.data, bf16.data, f32.length);
    vt_buf_deinit(&f32);
    vt_buf_deinit(&bf16);
}

static void classic_computes_in_none_of_them(void **state)
{
    (void)state;
    vt_encoder *encoder = NULL;
    vt_encoder_options options = wish(VT_PRECISION_BF16);
    assert_int_equal(vt_encoder_open("classic", &options, &encoder, NULL), VT_OK);
    assert_null(vt_encoder_info_of(encoder).precision);
    vt_encoder_free(encoder);
}

static vt_status open_it(void *context)
{
    vt_encoder *encoder = NULL;
    vt_encoder_options options = vt_encoder_options_defaults();
    vt_status status = vt_encoder_open(context, &options, &encoder, NULL);
    vt_encoder_free(encoder);
    return status;
}

static void running_out_of_memory_refuses_no_precision(void **state)
{
    scratch *s = *state;
    char path[SCRATCH_PATH_BYTES];
    save_cancelling(s, "plain.onnx");
    pack(s, "plain.onnx", "packed.onnx");
    snprintf(path, sizeof(path), "%s", scratch_path(s, "packed.onnx"));
    assert_true(each_allocation_failing(open_it, path) > 5);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(what_is_asked_for_is_taken),
        IN_SCRATCH(auto_takes_the_fastest_that_holds),
        IN_SCRATCH(auto_leaves_what_is_too_coarse),
        IN_SCRATCH(the_golden_check_names_the_precision_that_fails),
        IN_SCRATCH(a_known_verdict_is_taken_over_unless_it_is_wrong),
        IN_SCRATCH(packing_stores_the_vector_of_f32),
        cmocka_unit_test(classic_computes_in_none_of_them),
        IN_SCRATCH(running_out_of_memory_refuses_no_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
