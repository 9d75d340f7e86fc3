/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the importer takes, the exporter writes so that the importer takes it for the same: the
 * graph is compared, and writing it once more must give the same bytes. Functions and raw data pass
 * through it too, so seeds have both.
 */
#include "nn/model.h"
#include "nn/onnx_export.h"
#include "support/same_graph.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const vt_model_limits limits = {.file_bytes = 1 << 22,
                                       .nodes = 64,
                                       .initializers = 64,
                                       .dimension = 1 << 16,
                                       .tensor_bytes = 1 << 14};

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "differs: %s\n", what);
    abort(); /* how a target tells the fuzzer about a wrong answer */
}

/* Writes `model` and reads it back; NULL when it cannot be written. */
static vt_model *again(const vt_model *model, vt_buf *file)
{
    vt_error error = {0};
    vt_model *copy = NULL;
    vt_buf_init(file, VT_ONNX_FILE_MAXIMUM);
    vt_status status = vt_model_write(model, file, &error);
    /* A function may have brought another operator set. */
    if (status == VT_ERR_UNSUPPORTED)
        return NULL;
    check(status == VT_OK, error.message);
    status = vt_model_parse(file->data, file->length, &limits, &copy, &error);
    /* What was inlined may take more room than the small limits here allow. */
    if (status == VT_ERR_LIMIT)
        return NULL;
    check(status == VT_OK, error.message);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vt_model *model, *second, *third = NULL;
    vt_buf files[2] = {0};
    if (vt_model_parse(data, size, &limits, &model, NULL) != VT_OK)
        return 0;
    second = again(model, &files[0]);
    if (second != NULL) {
        const char *difference = same_model(model, second);
        check(difference == NULL, difference);
        /* The first export may have learnt shapes of outputs and sorted names; the second has
         * nothing to add. */
        vt_buf_deinit(&files[0]);
        third = again(second, &files[0]);
    }
    if (third != NULL) {
        vt_model *fourth = again(third, &files[1]);
        check(files[0].length == files[1].length &&
                  memcmp(files[0].data, files[1].data, files[0].length) == 0,
              "the bytes of what is written again");
        vt_model_free(fourth);
    }
    vt_buf_deinit(&files[0]);
    vt_buf_deinit(&files[1]);
    vt_model_free(third);
    vt_model_free(second);
    vt_model_free(model);
    return 0;
}
