/* SPDX-License-Identifier: Apache-2.0 */
/* Whole networks by the reference executor against outputs of other frameworks. */
#include "conformance.h"

static void run_light(const scratch *s, const char *name)
{
    char root[256], path[512];
    vt_error error;
    vt_model *model;
    vt_session *session;
    vt_tensor input, output, want;
    vt_tensor_difference difference;
    vt_session_options options = vt_session_options_defaults();
    options.executor = VT_EXECUTOR_REFERENCE;
    conformance_root(s, root, sizeof root);
    snprintf(path, sizeof path, "%s/light/%s.onnx", root, name);
    assert_int_equal(vt_model_open(path, NULL, &model, &error), VT_OK);
    vt_value_info info = vt_model_input(model, 0);
    assert_int_equal(vt_tensor_init(&input, VT_F32, &info.shape, 0, &error), VT_OK);
    size_t count = vt_tensor_count(&input);
    for (size_t i = 0; i < count; i++)
        ((float *)input.data)[i] = (float)i / (float)count;
    assert_int_equal(vt_session_new(model, &options, &session, &error), VT_OK);
    assert_int_equal(vt_session_run(session, &input, 1, &output, &error), VT_OK);
    snprintf(path, sizeof path, "%s/light/%s_output_0.pb", root, name);
    assert_int_equal(case_tensor(path, &want, NULL, &error), VT_OK);
    assert_int_equal(vt_tensor_compare(&output, &want, 1e-3, 1e-7, &difference, &error), VT_OK);
    print_message("%s: largest difference %g\n", name, difference.max_abs);
    assert_int_equal(difference.outside, 0);
    vt_tensor_deinit(&want);
    vt_tensor_deinit(&input);
    vt_session_free(session);
    vt_model_free(model);
}

static void light_networks_match(void **state)
{
    if (!conformance_unpack(*state))
        skip();
    static const char *const names[] = {"light_squeezenet", "light_resnet50", "light_densenet121"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i += SCRATCH_STRIDE) {
        run_light(*state, names[i]);
    }
}

/* Numbers separated by anything that is not part of one. */
static size_t read_numbers(const char *path, float *out, size_t capacity)
{
    vt_buf text;
    size_t count = 0;
    vt_buf_init(&text, 16 << 20);
    assert_int_equal(vt_file_read(path, 16 << 20, &text, NULL), VT_OK);
    const char *at = vt_buf_text(&text);
    while (*at != '\0' && count < capacity) {
        char *end;
        float value = strtof(at, &end);
        if (end == at) {
            at++;
            continue;
        }
        out[count++] = value;
        at = end;
    }
    vt_buf_deinit(&text);
    return count;
}

static void half_squeezenet_matches(void **state)
{
    const scratch *s = *state;
    char path[512];
    vt_error error;
    vt_model *model;
    vt_session *session;
    vt_tensor input, output;
    vt_session_options options = vt_session_options_defaults();
    options.executor = VT_EXECUTOR_REFERENCE;
    if (!archive_unpack(s, "squeezenet"))
        skip();
    snprintf(path, sizeof path, "%s/squeezenet/SqueezeNet_fp16.onnx", s->root);
    assert_int_equal(vt_model_open(path, NULL, &model, &error), VT_OK);
    vt_shape shape = vt_shape_of(4, (const int64_t[]){1, 3, 224, 224});
    assert_int_equal(vt_tensor_init(&input, VT_F32, &shape, 0, &error), VT_OK);
    snprintf(path, sizeof path, "%s/squeezenet/fish.csv", s->root);
    assert_int_equal(read_numbers(path, input.data, 150528), 150528);
    assert_int_equal(vt_session_new(model, &options, &session, &error), VT_OK);
    assert_int_equal(vt_session_run(session, &input, 1, &output, &error), VT_OK);
    float want[2001]; /* pairs of index and value */
    snprintf(path, sizeof path, "%s/squeezenet/fish_output.csv", s->root);
    assert_int_equal(read_numbers(path, want, 2001), 2000);
    assert_int_equal(vt_tensor_count(&output), 1000);
    assert_int_equal(output.dtype, VT_F16);
    double worst = 0.0;
    for (size_t i = 0; i < 1000; i++) {
        double difference = vt_tensor_get(&output, i) - (double)want[2 * i + 1];
        worst = difference > worst ? difference : (-difference > worst ? -difference : worst);
    }
    print_message("SqueezeNet_fp16: largest difference %g\n", worst);
    assert_true(worst < 1e-3);
    assert_string_equal(vt_model_feature_output(model), "fire9/concat_2");
    vt_tensor_deinit(&input);
    vt_session_free(session);
    vt_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(light_networks_match, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(half_squeezenet_matches, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
