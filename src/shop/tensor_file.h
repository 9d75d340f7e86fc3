/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/shop: tensors from .pb and .npy files. Threads: no shared state. */
#ifndef VT_SHOP_TENSOR_FILE_H
#define VT_SHOP_TENSOR_FILE_H

#include "nn/tensor.h"

enum { VT_TENSOR_FILE_BYTES = 1 << 30 };

/* By the name's ending. VT_ERR_UNSUPPORTED for others. *out is the caller's. */
vt_status vt_tensor_file_read(const char *path, vt_tensor *out, vt_error *error);
vt_status vt_tensor_file_write_npy(const vt_tensor *tensor, const char *path, vt_error *error);

#endif
