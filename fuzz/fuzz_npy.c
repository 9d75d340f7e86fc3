/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors from strangers, as .npy and as TensorProto; what reads must write and read back the same.
 */
#include "base/mem.h"
#include "nn/tensor.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const vt_tensor *a, const vt_tensor *b)
{
    if (a->dtype != b->dtype || !vt_shape_equal(&a->shape, &b->shape) || a->bytes != b->bytes ||
        (a->bytes > 0 && memcmp(a->data, b->data, a->bytes) != 0))
        abort();
}

static void round_trips(const vt_tensor *tensor)
{
    vt_buf file;
    vt_tensor back;
    vt_buf_init(&file, (size_t)1 << 26);
    if (vt_tensor_write_npy(tensor, &file, NULL) == VT_OK) {
        if (vt_tensor_read_npy(file.data, file.length, &back, NULL) != VT_OK)
            abort();
        expect_same(tensor, &back);
        vt_tensor_deinit(&back);
    }
    vt_buf_clear(&file);
    if (vt_tensor_write_pb(tensor, "name", &file, NULL) == VT_OK) {
        if (vt_tensor_read_pb(file.data, file.length, &back, NULL, NULL) != VT_OK)
            abort();
        expect_same(tensor, &back);
        vt_tensor_deinit(&back);
    }
    vt_buf_deinit(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vt_tensor tensor;
    char name[256];
    if (vt_tensor_read_npy(data, size, &tensor, NULL) == VT_OK) {
        round_trips(&tensor);
        vt_tensor_deinit(&tensor);
    }
    if (vt_tensor_read_pb(data, size, &tensor, name, NULL) == VT_OK) {
        round_trips(&tensor);
        vt_tensor_deinit(&tensor);
    }
    return 0;
}
