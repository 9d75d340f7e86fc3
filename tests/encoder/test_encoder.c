/* SPDX-License-Identifier: Apache-2.0 */
/* Opening encoders: what is refused and how, and what their fingerprint depends on. */
#include "encoder/models.h"

static vt_status try_options(scratch *s, const char *name, const vt_encoder_options *options,
                             vt_encoder **out, vt_error *error)
{
    return vt_encoder_open(scratch_path(s, name), options, out, error);
}

static void classic_needs_no_file_and_takes_no_preset(void **state)
{
    (void)state;
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    vt_encoder_options options = vt_encoder_options_defaults();
    assert_int_equal(vt_encoder_open("classic", &options, &encoder, &error), VT_OK);
    vt_encoder_info info = vt_encoder_info_of(encoder);
    assert_string_equal(info.name, "classic");
    assert_int_equal(info.dim, vt_classic_dim());
    assert_null(info.contract);
    assert_true(info.fit_width >= VT_CLASSIC_SIDE_PX && info.fit_height >= VT_CLASSIC_SIDE_PX);
    vt_encoder_free(encoder);
    encoder = NULL;
    options.preset = "clip";
    assert_int_equal(vt_encoder_open("classic", &options, &encoder, &error), VT_ERR_USAGE);
    options.preset = NULL;
    options.output = "x";
    assert_int_equal(vt_encoder_open("classic", &options, &encoder, &error), VT_ERR_USAGE);
    assert_null(encoder);
}

static void files_that_are_no_models_are_refused_by_name(void **state)
{
    scratch *s = *state;
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    vt_encoder_options options = vt_encoder_options_defaults();
    options.preset = "none";
    assert_int_equal(try_options(s, "missing.onnx", &options, &encoder, &error), VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "missing.onnx"));
    assert_int_not_equal(vt_encoder_open(s->root, &options, &encoder, &error), VT_OK);
    static const char *const contents[] = {"", "this is text", "\x08\x08\x3a\xff\xff\xff\xff\x7f"};
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        scratch_write(s, "rubbish.onnx", contents[i], strlen(contents[i]));
        assert_int_not_equal(try_options(s, "rubbish.onnx", &options, &encoder, &error), VT_OK);
        assert_non_null(strstr(error.message, "rubbish.onnx"));
    }
    assert_null(encoder);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    scratch *s = *state;
    vt_error error = {0};
    tiny_options tiny = tiny_defaults();
    vt_buf file = tiny_build(&tiny);
    vt_encoder_options options = vt_encoder_options_defaults();
    options.preset = "none";
    for (size_t length = 0; length < file.length; length += 37) {
        vt_encoder *encoder = NULL;
        scratch_write(s, "cut.onnx", file.data, length);
        assert_int_not_equal(try_options(s, "cut.onnx", &options, &encoder, &error), VT_OK);
        assert_null(encoder);
    }
    vt_buf_deinit(&file);
}

static void weights_outside_the_file_are_refused(void **state)
{
    scratch *s = *state;
    static const char *const places[] = {"weights.bin", "../weights.bin", "/etc/passwd"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        onnx_builder b;
        onnx_begin(&b);
        onnx_input(&b, "x", VT_F32, 4, (int64_t[]){1, 3, 16, 16});
        onnx_external(&b, "w", 4, (int64_t[]){8, 3, 3, 3}, places[i]);
        onnx_node(&b, "Conv", "x,w", "y");
        onnx_output(&b, "y", VT_F32, 4, (int64_t[]){1, 8, 14, 14});
        vt_buf file = onnx_finish(&b);
        model_save(s, "outside.onnx", &file);
        scratch_write(s, "weights.bin", (char[864]){0}, 864);
        model_refused(s, "outside.onnx", "y", VT_ERR_DENIED, "w");
    }
}

static vt_hash fingerprint_of(scratch *s, const char *name, const char *preset, const char *output)
{
    vt_encoder *encoder = model_open(s, name, preset, output);
    vt_hash hash = vt_encoder_info_of(encoder).fingerprint;
    vt_encoder_free(encoder);
    return hash;
}

static void the_fingerprint_is_of_content_and_contract(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "a.onnx", &options);
    model_save_tiny(s, "copy.onnx", &options);
    options.seed = 2;
    model_save_tiny(s, "b.onnx", &options);
    vt_hash a = fingerprint_of(s, "a.onnx", "imagenet", NULL);
    vt_hash copy = fingerprint_of(s, "copy.onnx", "imagenet", NULL);
    vt_hash other_weights = fingerprint_of(s, "b.onnx", "imagenet", NULL);
    vt_hash other_pixels = fingerprint_of(s, "a.onnx", "clip", NULL);
    vt_hash other_output = fingerprint_of(s, "a.onnx", "imagenet", "classes");
    assert_memory_equal(&a, &copy, sizeof(a));
    assert_memory_not_equal(&a, &other_weights, sizeof(a));
    assert_memory_not_equal(&a, &other_pixels, sizeof(a));
    assert_memory_not_equal(&a, &other_output, sizeof(a));
}

static void a_broken_contract_in_the_file_is_named(void **state)
{
    scratch *s = *state;
    vt_error error = {0};
    vt_encoder *encoder = NULL;
    tiny_options options = tiny_defaults();
    options.contract = "{\"version\":1,\"width\":0}";
    model_save_tiny(s, "broken.onnx", &options);
    assert_int_equal(model_try(s, "broken.onnx", NULL, NULL, &encoder, &error), VT_ERR_FORMAT);
    assert_non_null(strstr(error.message, "width"));
    /* A preset stands in for it. */
    encoder = model_open(s, "broken.onnx", "imagenet", NULL);
    vt_encoder_free(encoder);
}

static vt_status open_it(void *context)
{
    vt_encoder *encoder = NULL;
    vt_encoder_options options = vt_encoder_options_defaults();
    options.preset = "imagenet";
    vt_status status = vt_encoder_open(context, &options, &encoder, NULL);
    vt_encoder_free(encoder);
    return status;
}

static void running_out_of_memory_is_an_error(void **state)
{
    scratch *s = *state;
    tiny_options options = tiny_defaults();
    model_save_tiny(s, "tiny.onnx", &options);
    char path[SCRATCH_PATH_BYTES];
    snprintf(path, sizeof(path), "%s", scratch_path(s, "tiny.onnx"));
    assert_true(each_allocation_failing(open_it, path) > 5);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classic_needs_no_file_and_takes_no_preset),
        IN_SCRATCH(files_that_are_no_models_are_refused_by_name),
        IN_SCRATCH(a_file_cut_anywhere_is_refused),
        IN_SCRATCH(weights_outside_the_file_are_refused),
        IN_SCRATCH(the_fingerprint_is_of_content_and_contract),
        IN_SCRATCH(a_broken_contract_in_the_file_is_named),
        IN_SCRATCH(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
