/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive of operator cases, unpacked for a test, and one case run on one executor.
 *
 * A case is a directory with model.onnx and test_data_set_0/input_<i>.pb and output_<i>.pb; inputs
 * go by name where the files name them, else by number.
 */
#ifndef VT_TESTS_NN_CONFORMANCE_H
#define VT_TESTS_NN_CONFORMANCE_H

#include "support/scratch.h"

#include "base/file.h"
#include "nn/model.h"

#include <spawn.h>
#include <sys/wait.h>

enum { CASE_TENSORS = 64 };

extern char **environ;

/* False, with a line that says so, when the archive is not there. */
static inline bool archive_unpack(const scratch *s, const char *name)
{
    const char *data = getenv("VITRINE_DATA");
    char archive[512], root[64];
    snprintf(archive, sizeof archive, "%s/%s.tar.xz", data == NULL ? "" : data, name);
    snprintf(root, sizeof root, "%s", s->root);
    if (data == NULL || !vt_file_exists(archive)) {
        print_message("skipped: no %s.tar.xz in $VITRINE_DATA\n", name);
        return false;
    }
    char *arguments[] = {(char *)"tar", (char *)"-xJf", archive, (char *)"-C", root, NULL};
    pid_t child;
    int status;
    assert_int_equal(posix_spawnp(&child, "tar", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return true;
}

static inline bool conformance_unpack(const scratch *s)
{
    return archive_unpack(s, "onnx-conformance");
}

/* The directory that holds node/, simple/ and so on. */
static inline void conformance_root(const scratch *s, char *out, size_t capacity)
{
    snprintf(out, capacity, "%s/onnx-conformance", s->root);
    if (!vt_dir_exists(out))
        snprintf(out, capacity, "%s", s->root);
}

static inline vt_status case_tensor(const char *path, vt_tensor *out, char name[256],
                                    vt_error *error)
{
    vt_buf file;
    vt_buf_init(&file, (size_t)1 << 30);
    vt_status status = vt_file_read(path, (size_t)1 << 30, &file, error);
    if (status == VT_OK)
        status = vt_tensor_read_pb(file.data, file.length, out, name, error);
    vt_buf_deinit(&file);
    return status;
}

static inline vt_status case_inputs(const char *directory, const vt_model *model, vt_tensor *inputs,
                                    vt_error *error)
{
    size_t count = vt_model_input_count(model);
    for (size_t file = 0; file < count; file++) {
        char path[512], name[256] = "";
        vt_tensor tensor;
        snprintf(path, sizeof path, "%s/test_data_set_0/input_%zu.pb", directory, file);
        vt_status status = case_tensor(path, &tensor, name, error);
        if (status != VT_OK)
            return status;
        size_t at = file;
        for (size_t i = 0; i < count; i++)
            if (strcmp(vt_model_input(model, i).name, name) == 0)
                at = i;
        vt_tensor_deinit(&inputs[at]);
        inputs[at] = tensor;
    }
    return VT_OK;
}

static inline vt_status case_compare(const char *directory, const vt_tensor *outputs, size_t count,
                                     vt_error *error)
{
    for (size_t i = 0; i < count; i++) {
        char path[512];
        vt_tensor want;
        vt_tensor_difference difference;
        snprintf(path, sizeof path, "%s/test_data_set_0/output_%zu.pb", directory, i);
        vt_status status = case_tensor(path, &want, NULL, error);
        if (status != VT_OK)
            return status;
        status = vt_tensor_compare(&outputs[i], &want, 1e-3, 1e-5, &difference, error);
        if (status == VT_OK && difference.outside > 0)
            status = vt_fail(error, VT_ERR_MISMATCH,
                             "output %zu: %zu of %zu differ, worst [%zu] has %g, wants %g", i,
                             difference.outside, vt_tensor_count(&want), difference.worst,
                             vt_tensor_get(&outputs[i], difference.worst),
                             vt_tensor_get(&want, difference.worst));
        vt_tensor_deinit(&want);
        if (status != VT_OK)
            return status;
    }
    return VT_OK;
}

/* VT_ERR_UNSUPPORTED: the model or its data use something that is not there. */
static inline vt_status case_run(const char *directory, vt_executor executor, vt_error *error)
{
    char path[512];
    vt_model *model;
    vt_session *session = NULL;
    vt_tensor inputs[CASE_TENSORS] = {0}, outputs[CASE_TENSORS];
    vt_session_options options = vt_session_options_defaults();
    options.executor = executor;
    options.threads = 1;
    snprintf(path, sizeof path, "%s/model.onnx", directory);
    vt_status status = vt_model_open(path, NULL, &model, error);
    if (status != VT_OK)
        return status;
    size_t input_count = vt_model_input_count(model);
    assert_true(input_count <= CASE_TENSORS && vt_model_output_count(model) <= CASE_TENSORS);
    status = case_inputs(directory, model, inputs, error);
    if (status == VT_OK)
        status = vt_session_new(model, &options, &session, error);
    if (status == VT_OK)
        status = vt_session_run(session, inputs, input_count, outputs, error);
    if (status == VT_OK)
        status = case_compare(directory, outputs, vt_session_output_count(session), error);
    for (size_t i = 0; i < input_count; i++)
        vt_tensor_deinit(&inputs[i]);
    vt_session_free(session);
    vt_model_free(model);
    return status;
}

/* Runs every case of one group; fails the test if one that is supported does not match. */
static inline void conformance_group(const scratch *s, const char *group, vt_executor executor,
                                     size_t at_least)
{
    char root[256], path[512];
    vt_dir_list list;
    vt_error error;
    size_t passed = 0, failed = 0, unsupported = 0;
    conformance_root(s, root, sizeof root);
    snprintf(path, sizeof path, "%s/%s", root, group);
    assert_int_equal(vt_dir_list_open(path, 100000, &list, &error), VT_OK);
    for (size_t i = 0; i < list.count; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", root, group, list.names[i]);
        vt_status status = case_run(path, executor, &error);
        passed += status == VT_OK;
        unsupported += status == VT_ERR_UNSUPPORTED;
        if (getenv("VITRINE_CASES") != NULL && status == VT_ERR_UNSUPPORTED)
            print_message("unsupported %s: %s\n", list.names[i], error.message);
        if (status != VT_OK && status != VT_ERR_UNSUPPORTED) {
            failed++;
            print_message("failed %s/%s: %s\n", group, list.names[i], error.message);
        }
    }
    vt_dir_list_close(&list);
    print_message("%s: %zu passed, %zu failed, %zu unsupported\n", group, passed, failed,
                  unsupported);
    assert_int_equal(failed, 0);
    assert_true(passed >= at_least);
}

#endif
