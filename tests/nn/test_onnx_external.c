/* SPDX-License-Identifier: Apache-2.0 */
/* Weights in files beside the model. */
#include "models.h"

#include <sys/stat.h>

static void external(maker *m, Onnx__TensorProto *tensor, const char *location, const char *offset,
                     const char *length)
{
    const char *keys[] = {"location", "offset", "length"};
    const char *values[] = {location, offset, length};
    tensor->has_data_location = true;
    tensor->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    tensor->external_data = maker_alloc(m, 3 * sizeof *tensor->external_data);
    for (size_t i = 0; i < 3; i++) {
        if (values[i] == NULL)
            continue;
        Onnx__StringStringEntryProto *entry = maker_alloc(m, sizeof *entry);
        onnx__string_string_entry_proto__init(entry);
        entry->key = maker_text(m, keys[i]);
        entry->value = maker_text(m, values[i]);
        tensor->external_data[tensor->n_external_data++] = entry;
    }
}

/* A model whose two weights lie in files; the second at `location`. */
static void make(maker *m, const char *location, const char *offset, const char *length)
{
    maker_init(m, 13);
    maker_input(m, "x", VT_F32, 1, (int64_t[]){2});
    maker_output(m, "y");
    maker_node(m, "Add", "x,a", "s");
    maker_node(m, "Add", "s,b", "y");
    external(m, maker_weight(m, "a", VT_F32, 1, (int64_t[]){2}, NULL), "weights.bin", NULL, NULL);
    external(m, maker_weight(m, "b", VT_F32, 1, (int64_t[]){2}, NULL), location, offset, length);
}

/* Writes the model into the scratch directory's folder "model" and opens it. */
static vt_status open_made(scratch *s, maker *m, vt_model **model, vt_error *error)
{
    vt_buf file;
    maker_pack(m, &file);
    scratch_write(s, "model/m.onnx", file.data, file.length);
    vt_buf_deinit(&file);
    maker_deinit(m);
    return vt_model_open(scratch_path(s, "model/m.onnx"), NULL, model, error);
}

static int setup(void **state)
{
    const float numbers[] = {1, 2, 3, 4};
    if (scratch_setup(state) != 0)
        return -1;
    scratch *s = *state;
    mkdir(scratch_path(s, "model"), 0700);
    scratch_write(s, "model/weights.bin", numbers, sizeof numbers);
    scratch_write(s, "secret.bin", numbers, sizeof numbers);
    return 0;
}

static void weights_are_read_from_their_place(void **state)
{
    scratch *s = *state;
    maker m;
    vt_model *model;
    vt_session *session;
    vt_error error;
    float numbers[] = {10, 20};
    vt_tensor x = {.dtype = VT_F32, .shape = {1, {2}}, .data = numbers, .bytes = 8}, y;
    vt_session_options options = vt_session_options_defaults();
    options.executor = VT_EXECUTOR_REFERENCE;
    make(&m, "weights.bin", "8", "8");
    assert_int_equal(open_made(s, &m, &model, &error), VT_OK);
    assert_int_equal(vt_session_new(model, &options, &session, &error), VT_OK);
    assert_int_equal(vt_session_run(session, &x, 1, &y, &error), VT_OK);
    assert_true(vt_tensor_get(&y, 0) == 14 && vt_tensor_get(&y, 1) == 26);
    vt_session_free(session);
    vt_model_free(model);
}

static void refused(scratch *s, const char *location, const char *offset, const char *length,
                    vt_status want)
{
    maker m;
    vt_model *model;
    vt_error error;
    make(&m, location, offset, length);
    vt_status status = open_made(s, &m, &model, &error);
    if (status != want)
        print_message("%s: %s\n", location, status == VT_OK ? "ok" : error.message);
    assert_int_equal(status, want);
    assert_non_null(strstr(error.message, "read weight \"b\""));
}

static void paths_out_of_the_directory_are_refused(void **state)
{
    scratch *s = *state;
    char absolute[SCRATCH_PATH_BYTES];
    refused(s, "../secret.bin", NULL, NULL, VT_ERR_DENIED);
    refused(s, "./../secret.bin", NULL, NULL, VT_ERR_DENIED);
    snprintf(absolute, sizeof absolute, "%s/model/weights.bin", s->root);
    refused(s, absolute, NULL, NULL, VT_ERR_DENIED);
    refused(s, "missing.bin", NULL, NULL, VT_ERR_NOT_FOUND);
    refused(s, "", NULL, NULL, VT_ERR_FORMAT);
    refused(s, NULL, NULL, NULL, VT_ERR_FORMAT);
    char target[SCRATCH_PATH_BYTES];
    snprintf(target, sizeof target, "%s/secret.bin", s->root);
    assert_int_equal(symlink(target, scratch_path(s, "model/link.bin")), 0);
    refused(s, "link.bin", NULL, NULL, VT_ERR_DENIED);
    assert_int_equal(symlink(s->root, scratch_path(s, "model/up")), 0);
    refused(s, "up/secret.bin", NULL, NULL, VT_ERR_DENIED);
}

static void offsets_stay_inside_the_file(void **state)
{
    scratch *s = *state;
    refused(s, "weights.bin", "9", NULL, VT_ERR_FORMAT);
    refused(s, "weights.bin", "9223372036854775807", NULL, VT_ERR_FORMAT);
    refused(s, "weights.bin", "-1", NULL, VT_ERR_FORMAT);
    refused(s, "weights.bin", "x", NULL, VT_ERR_FORMAT);
    refused(s, "weights.bin", "0", "7", VT_ERR_FORMAT);
    refused(s, "weights.bin", "0", "16", VT_ERR_FORMAT);
    refused(s, "weights.bin", "18446744073709551616", "8", VT_ERR_FORMAT);
}

static void models_without_a_directory_have_none(void **state)
{
    (void)state;
    maker m;
    make(&m, "weights.bin", NULL, NULL);
    maker_refused(&m, VT_ERR_DENIED, "external data \"weights.bin\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(weights_are_read_from_their_place, setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(paths_out_of_the_directory_are_refused, setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(offsets_stay_inside_the_file, setup, scratch_teardown),
        cmocka_unit_test(models_without_a_directory_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
