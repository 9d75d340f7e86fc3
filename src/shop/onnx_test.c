/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ONNX backend test suite: a case is a folder with model.onnx and folders test_data_set_<n>,
 * each holding input_<i>.pb and output_<i>.pb. A case passes when every output of every data set
 * has the expected type and shape and lies within the suite's tolerances (rtol 1e-3, atol 1e-7, as
 * onnx.backend.test.runner has them).
 */
#include "shop/shop.h"

#include "base/file.h"
#include "nn/model.h"
#include "shop/tensor_file.h"

#include <stdio.h>
#include <string.h>

enum { MAXIMUM_VALUES = 64, MAXIMUM_ENTRIES = 100000, MAXIMUM_DEPTH = 8 };

static const double relative_tolerance = 1e-3, absolute_tolerance = 1e-7;

typedef struct test_run {
    const vt_onnx_test_options *options;
    vt_session_options session;
    vt_onnx_totals totals;
} test_run;

/* Reads <kind>_0.pb, <kind>_1.pb ... until one is missing. */
static vt_status read_tensors(const char *folder, const char *kind, vt_tensor *tensors,
                              size_t *count, vt_error *error)
{
    vt_status status = VT_OK;
    for (*count = 0; status == VT_OK && *count < MAXIMUM_VALUES;) {
        char name[64];
        snprintf(name, sizeof(name), "%s_%zu.pb", kind, *count);
        char *path = vt_path_join(folder, name);
        if (path == NULL)
            return vt_fail_memory(error, "a path");
        bool there = vt_file_exists(path);
        if (there)
            status = vt_tensor_file_read(path, &tensors[*count], error);
        vt_free(path);
        if (!there)
            break;
        if (status == VT_OK)
            (*count)++;
    }
    return status;
}

static vt_status compare_output(const vt_tensor *have, const vt_tensor *want, size_t index,
                                vt_error *error)
{
    vt_tensor_difference difference = {0};
    vt_status status =
        vt_tensor_compare(have, want, relative_tolerance, absolute_tolerance, &difference, error);
    if (status != VT_OK)
        return vt_fail_context(error, status, "output %zu", index);
    if (difference.outside > 0)
        return vt_fail(error, VT_ERR_MISMATCH,
                       "output %zu: %zu of %zu values differ, the worst by %.3g at %zu", index,
                       difference.outside, vt_tensor_count(want), difference.max_abs,
                       difference.worst);
    return VT_OK;
}

static vt_status run_data_set(vt_session *session, const char *folder, vt_error *error)
{
    vt_tensor inputs[MAXIMUM_VALUES] = {0}, wanted[MAXIMUM_VALUES] = {0};
    vt_tensor outputs[MAXIMUM_VALUES] = {0};
    size_t input_count = 0, wanted_count = 0;
    vt_status status = read_tensors(folder, "input", inputs, &input_count, error);
    if (status == VT_OK)
        status = read_tensors(folder, "output", wanted, &wanted_count, error);
    if (status == VT_OK && (wanted_count == 0 || vt_session_output_count(session) > MAXIMUM_VALUES))
        status = vt_fail(error, VT_ERR_FORMAT, "\"%s\" holds no usable outputs", folder);
    if (status == VT_OK)
        status = vt_session_run(session, inputs, input_count, outputs, error);
    if (status == VT_OK && vt_session_output_count(session) != wanted_count)
        status = vt_fail(error, VT_ERR_MISMATCH, "%zu outputs, %zu are expected",
                         vt_session_output_count(session), wanted_count);
    for (size_t i = 0; status == VT_OK && i < wanted_count; i++)
        status = compare_output(&outputs[i], &wanted[i], i, error);
    for (size_t i = 0; i < MAXIMUM_VALUES; i++) {
        vt_tensor_deinit(&inputs[i]);
        vt_tensor_deinit(&wanted[i]);
    }
    return status;
}

static vt_status run_data_sets(vt_session *session, const char *folder, vt_error *error)
{
    vt_dir_list list = {0};
    size_t sets = 0;
    vt_status status = vt_dir_list_open(folder, MAXIMUM_ENTRIES, &list, error);
    if (status != VT_OK)
        return status;
    for (size_t i = 0; status == VT_OK && i < list.count; i++) {
        if (strncmp(list.names[i], "test_data_set_", 14) != 0)
            continue;
        char *path = vt_path_join(folder, list.names[i]);
        status =
            path == NULL ? vt_fail_memory(error, "a path") : run_data_set(session, path, error);
        vt_free(path);
        sets++;
    }
    vt_dir_list_close(&list);
    if (status == VT_OK && sets == 0)
        status = vt_fail(error, VT_ERR_FORMAT, "\"%s\" holds no test_data_set_<n>", folder);
    return status;
}

static vt_status run_case(const char *folder, const char *model_path,
                          const vt_session_options *options, vt_error *error)
{
    vt_model *model = NULL;
    vt_session *session = NULL;
    vt_status status = vt_model_open(model_path, NULL, &model, error);
    if (status == VT_OK)
        status = vt_session_new(model, options, &session, error);
    if (status == VT_OK)
        status = run_data_sets(session, folder, error);
    vt_session_free(session);
    vt_model_free(model);
    return status;
}

/* A case is named by its folder; what of "." has no name of its own is called as it was given. */
static void name_case(const char *folder, char *out, size_t capacity)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    size_t start = length;
    while (start > 0 && folder[start - 1] != '/')
        start--;
    snprintf(out, capacity, "%.*s", (int)(length - start), folder + start);
    if (out[0] == '\0')
        snprintf(out, capacity, "%s", folder);
}

static void count_case(test_run *run, const char *folder, vt_status status, const vt_error *error)
{
    char name[256];
    name_case(folder, name, sizeof(name));
    vt_onnx_case one = {name, status, status == VT_OK ? "" : error->message};
    if (status == VT_OK)
        run->totals.passed++;
    else if (status == VT_ERR_UNSUPPORTED)
        run->totals.unsupported++;
    else
        run->totals.failed++;
    if (run->options->on_case != NULL)
        run->options->on_case(run->options->context, &one);
}

static vt_status walk(test_run *run, const char *folder, int depth, vt_error *error)
{
    char *model = vt_path_join(folder, "model.onnx");
    if (model == NULL)
        return vt_fail_memory(error, "a path");
    if (vt_file_exists(model)) {
        vt_error reason = {0};
        count_case(run, folder, run_case(folder, model, &run->session, &reason), &reason);
        vt_free(model);
        return VT_OK;
    }
    vt_free(model);
    vt_dir_list list = {0};
    vt_status status = vt_dir_list_open(folder, MAXIMUM_ENTRIES, &list, error);
    for (size_t i = 0; status == VT_OK && depth < MAXIMUM_DEPTH && i < list.count; i++) {
        char *path = vt_path_join(folder, list.names[i]);
        if (path == NULL)
            status = vt_fail_memory(error, "a path");
        else if (vt_dir_exists(path))
            status = walk(run, path, depth + 1, error);
        vt_free(path);
    }
    vt_dir_list_close(&list);
    return status;
}

vt_status vt_onnx_test(const char *directory, const vt_onnx_test_options *options,
                       vt_onnx_totals *totals, vt_error *error)
{
    test_run run = {.options = options, .session = vt_session_options_defaults()};
    run.session.executor =
        options->executor == VT_ONNX_ONEDNN ? VT_EXECUTOR_ONEDNN : VT_EXECUTOR_REFERENCE;
    vt_status status = vt_precision_of(options->precision, &run.session.precision, error);
    if (status == VT_OK)
        status = walk(&run, directory, 0, error);
    if (status == VT_OK && run.totals.passed + run.totals.failed + run.totals.unsupported == 0)
        status =
            vt_fail(error, VT_ERR_NOT_FOUND, "test \"%s\": no folder with a model.onnx", directory);
    if (status == VT_OK)
        *totals = run.totals;
    return status;
}
