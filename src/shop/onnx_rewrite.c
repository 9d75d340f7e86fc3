/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ONNX file written anew from what vitrine makes of it: external data inside, functions inlined,
 * and nothing in it that vitrine does not know.
 */
#include "shop/shop.h"

#include "base/file.h"
#include "nn/model.h"
#include "nn/onnx_export.h"

vt_status vt_onnx_rewrite(const char *path, const char *out, vt_onnx_rewrite_report *report,
                          vt_error *error)
{
    vt_model *model = NULL;
    vt_buf file;
    vt_buf_init(&file, VT_ONNX_FILE_MAXIMUM);
    vt_status status = vt_model_open(path, NULL, &model, error);
    if (status == VT_OK) {
        status = vt_model_write(model, &file, error);
        if (status != VT_OK)
            vt_fail_context(error, status, "export \"%.200s\"", path);
    }
    if (status == VT_OK)
        status = vt_file_replace(out, file.data, file.length, true, error);
    if (status == VT_OK && report != NULL) {
        vt_model_summary summary = vt_model_summary_of(model);
        *report = (vt_onnx_rewrite_report){
            .nodes = summary.nodes, .parameters = summary.parameters, .file_bytes = file.length};
    }
    vt_model_free(model);
    vt_buf_deinit(&file);
    return status;
}
