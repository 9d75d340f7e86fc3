/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors from .pb and .npy files. */
#include "shop/tensor_file.h"

#include "base/file.h"

enum { NPY_HEADER_BYTES = 1 << 16 };

vt_status vt_tensor_file_read(const char *path, vt_tensor *out, vt_error *error)
{
    bool pb = vt_text_ends_nocase(path, ".pb");
    if (!pb && !vt_text_ends_nocase(path, ".npy"))
        return vt_fail(error, VT_ERR_UNSUPPORTED, "read tensor \"%s\": neither .pb nor .npy", path);
    vt_buf bytes;
    vt_buf_init(&bytes, VT_TENSOR_FILE_BYTES);
    vt_status status = vt_file_read(path, VT_TENSOR_FILE_BYTES, &bytes, error);
    if (status == VT_OK) {
        status = pb ? vt_tensor_read_pb(bytes.data, bytes.length, out, NULL, error)
                    : vt_tensor_read_npy(bytes.data, bytes.length, out, error);
        if (status != VT_OK)
            vt_fail_context(error, status, "read tensor \"%s\"", path);
    }
    vt_buf_deinit(&bytes);
    return status;
}

vt_status vt_tensor_file_write_npy(const vt_tensor *tensor, const char *path, vt_error *error)
{
    vt_buf bytes;
    vt_buf_init(&bytes, tensor->bytes + NPY_HEADER_BYTES);
    vt_status status = vt_tensor_write_npy(tensor, &bytes, error);
    if (status == VT_OK)
        status = vt_file_replace(path, bytes.data, bytes.length, false, error);
    vt_buf_deinit(&bytes);
    return status;
}
