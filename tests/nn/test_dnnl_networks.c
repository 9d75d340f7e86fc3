/* SPDX-License-Identifier: Apache-2.0 */
/* Whole networks by the oneDNN executor: against outputs of other frameworks and against the
 * reference executor; with the times it took, as information. */
#include "conformance.h"

#include "base/clock.h"

/* Opens the model and runs it once more often than asked, timing all but the first run. */
typedef struct network {
    vt_model *model;
    vt_session *session;
    vt_tensor input, output;
} network;

static void network_open(network *n, const char *path, vt_executor executor, bool features)
{
    vt_error error = {0};
    vt_session_options options = vt_session_options_defaults();
    options.executor = executor;
    options.threads = 1;
    if (vt_model_open(path, NULL, &n->model, &error) != VT_OK) {
        fail_msg("%s", error.message);
    }
    const char *output = vt_model_feature_output(n->model);
    if (features) {
        assert_non_null(output);
        options.outputs = &output;
        options.output_count = 1;
    }
    if (vt_session_new(n->model, &options, &n->session, &error) != VT_OK) {
        fail_msg("%s", error.message);
    }
}

static void network_run(network *n)
{
    vt_error error = {0};
    if (vt_session_run(n->session, &n->input, 1, &n->output, &error) != VT_OK) {
        fail_msg("%s", error.message);
    }
}

static void network_close(network *n)
{
    vt_tensor_deinit(&n->input);
    vt_session_free(n->session);
    vt_model_free(n->model);
}

static void network_report(network *n, const char *name, double opened_ms)
{
    double first = vt_clock_ms(), best = 1e9;
    network_run(n);
    first = vt_clock_ms() - first;
    for (int run = 0; run < 3; run++) {
        double ms = vt_clock_ms();
        network_run(n);
        ms = vt_clock_ms() - ms;
        best = ms < best ? ms : best;
    }
    vt_session_memory memory = vt_session_memory_of(n->session);
    print_message("%s: open %.0f ms, first run %.0f ms, then %.1f ms; weights %.1f MB, activations "
                  "%.1f of %.1f MB, %zu reorders\n",
                  name, opened_ms, first, best, (double)memory.weights_bytes / 1e6,
                  (double)memory.activations_bytes / 1e6, (double)memory.unshared_bytes / 1e6,
                  memory.reorders);
}

static void check_close(const vt_tensor *have, const vt_tensor *want, double rtol, double atol)
{
    vt_tensor_difference difference;
    vt_error error = {0};
    if (vt_tensor_compare(have, want, rtol, atol, &difference, &error) != VT_OK) {
        fail_msg("%s", error.message);
    }
    print_message("  largest difference %g, relative %g\n", difference.max_abs, difference.max_rel);
    assert_int_equal(difference.outside, 0);
}

static void light_input(network *n)
{
    vt_value_info info = vt_model_input(n->model, 0);
    assert_int_equal(vt_tensor_init(&n->input, VT_F32, &info.shape, 0, NULL), VT_OK);
    size_t count = vt_tensor_count(&n->input);
    for (size_t i = 0; i < count; i++) {
        ((float *)n->input.data)[i] = (float)i / (float)count;
    }
}

static void run_light(const scratch *s, const char *name)
{
    char root[256], path[512];
    network n = {0};
    vt_tensor want;
    conformance_root(s, root, sizeof root);
    snprintf(path, sizeof path, "%s/light/%s.onnx", root, name);
    double opened = vt_clock_ms();
    network_open(&n, path, VT_EXECUTOR_ONEDNN, false);
    opened = vt_clock_ms() - opened;
    light_input(&n);
    network_report(&n, name, opened);
    snprintf(path, sizeof path, "%s/light/%s_output_0.pb", root, name);
    assert_int_equal(case_tensor(path, &want, NULL, NULL), VT_OK);
    check_close(&n.output, &want, 1e-3, 1e-7);
    vt_tensor_deinit(&want);
    network_close(&n);
}

static void light_networks_match(void **state)
{
    if (!conformance_unpack(*state)) {
        skip();
    }
    run_light(*state, "light_squeezenet");
    run_light(*state, "light_resnet50");
    run_light(*state, "light_densenet121");
}

/* The same network in both executors, on noise: the features, since the light weights are all equal
 * and make every class alike. */
static void executors_agree(void **state)
{
    char root[256], path[512];
    network fast = {0}, slow = {0};
    if (!conformance_unpack(*state)) {
        skip();
    }
    conformance_root(*state, root, sizeof root);
    snprintf(path, sizeof path, "%s/light/light_squeezenet.onnx", root);
    network_open(&fast, path, VT_EXECUTOR_ONEDNN, true);
    network_open(&slow, path, VT_EXECUTOR_REFERENCE, true);
    light_input(&fast);
    uint32_t noise = 1;
    for (size_t i = 0; i < vt_tensor_count(&fast.input); i++) {
        noise = noise * 1664525U + 1013904223U;
        ((float *)fast.input.data)[i] = (float)(noise >> 8) / (float)(1 << 24) - 0.5F;
    }
    assert_int_equal(vt_tensor_dup(&fast.input, &slow.input, NULL), VT_OK);
    network_run(&fast);
    network_run(&slow);
    check_close(&fast.output, &slow.output, 1e-4, 1e-7);
    network_close(&fast);
    network_close(&slow);
}

static size_t read_numbers(const char *path, float *out, size_t capacity)
{
    vt_buf text;
    size_t count = 0;
    vt_buf_init(&text, 16 << 20);
    assert_int_equal(vt_file_read(path, 16 << 20, &text, NULL), VT_OK);
    for (const char *at = vt_buf_text(&text); *at != '\0' && count < capacity;) {
        char *end;
        float value = strtof(at, &end);
        if (end == at) {
            at++;
        } else {
            out[count++] = value;
            at = end;
        }
    }
    vt_buf_deinit(&text);
    return count;
}

/* f16 weights and output, computed in f32. */
static void half_squeezenet_matches(void **state)
{
    const scratch *s = *state;
    char path[512];
    network n = {0};
    if (!archive_unpack(s, "squeezenet")) {
        skip();
    }
    snprintf(path, sizeof path, "%s/squeezenet/SqueezeNet_fp16.onnx", s->root);
    double opened = vt_clock_ms();
    network_open(&n, path, VT_EXECUTOR_ONEDNN, false);
    opened = vt_clock_ms() - opened;
    vt_shape shape = vt_shape_of(4, (const int64_t[]){1, 3, 224, 224});
    assert_int_equal(vt_tensor_init(&n.input, VT_F32, &shape, 0, NULL), VT_OK);
    snprintf(path, sizeof path, "%s/squeezenet/fish.csv", s->root);
    assert_int_equal(read_numbers(path, n.input.data, 150528), 150528);
    network_report(&n, "SqueezeNet_fp16", opened);
    float want[2001]; /* pairs of index and value */
    snprintf(path, sizeof path, "%s/squeezenet/fish_output.csv", s->root);
    assert_int_equal(read_numbers(path, want, 2001), 2000);
    assert_int_equal(vt_tensor_count(&n.output), 1000);
    assert_int_equal(n.output.dtype, VT_F16);
    for (size_t i = 0; i < 1000; i++) {
        double difference = vt_tensor_get(&n.output, i) - (double)want[2 * i + 1];
        assert_true(difference < 1e-3 && difference > -1e-3);
    }
    network_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(light_networks_match, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(executors_agree, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(half_squeezenet_matches, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
