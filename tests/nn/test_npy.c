/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "nn/tensor.h"

/* A file from its parts; returns its length. */
static size_t make(uint8_t *out, int version, const char *header, const void *data, size_t bytes)
{
    size_t prefix = version == 1 ? 10 : 12, length = strlen(header);
    memset(out, 0, prefix);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)version;
    out[8] = (uint8_t)length;
    out[9] = (uint8_t)(length >> 8);
    memcpy(out + prefix, header, length);
    if (bytes > 0)
        memcpy(out + prefix + length, data, bytes);
    return prefix + length + bytes;
}

static void written_files_read_back(void **state)
{
    (void)state;
    const vt_dtype types[] = {VT_F16, VT_F32, VT_F64, VT_I8,  VT_I16, VT_I32,
                              VT_I64, VT_U8,  VT_U16, VT_U32, VT_U64, VT_BOOL};
    const vt_shape shapes[] = {
        {0}, {1, {3}}, {2, {2, 3}}, {2, {0, 3}}, {8, {1, 1, 1, 2, 1, 1, 1, 3}}};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            vt_tensor tensor, back;
            vt_buf file;
            assert_int_equal(vt_tensor_init(&tensor, types[t], &shapes[s], 0, NULL), VT_OK);
            for (size_t i = 0; i < vt_tensor_count(&tensor); i++)
                vt_store_f64(types[t], tensor.data, i, 1, &(double){(double)i});
            vt_buf_init(&file, 4096);
            assert_int_equal(vt_tensor_write_npy(&tensor, &file, NULL), VT_OK);
            assert_int_equal((file.length - tensor.bytes) % 64, 0);
            assert_int_equal(vt_tensor_read_npy(file.data, file.length, &back, NULL), VT_OK);
            assert_int_equal(back.dtype, types[t]);
            assert_true(vt_shape_equal(&back.shape, &shapes[s]));
            if (tensor.bytes > 0)
                assert_memory_equal(back.data, tensor.data, tensor.bytes);
            vt_tensor_deinit(&back);
            vt_tensor_deinit(&tensor);
            vt_buf_deinit(&file);
        }
    }
}

static void big_endian_and_fortran_order_are_turned(void **state)
{
    (void)state;
    uint8_t file[256];
    vt_tensor tensor;
    const uint8_t big[] = {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};
    size_t length =
        make(file, 2, "{'shape': (2, 3), 'fortran_order': True, 'descr': '>i2'}\n", big, 12);
    assert_int_equal(vt_tensor_read_npy(file, length, &tensor, NULL), VT_OK);
    assert_memory_equal(tensor.data, ((int16_t[]){1, 3, 5, 2, 4, 6}), 12);
    vt_tensor_deinit(&tensor);
    length =
        make(file, 3, "{\"descr\": \"|u1\", \"fortran_order\": False, \"shape\": (2L, 3L,), }   \n",
             "abcdef", 6);
    assert_int_equal(vt_tensor_read_npy(file, length, &tensor, NULL), VT_OK);
    assert_memory_equal(tensor.data, "abcdef", 6);
    vt_tensor_deinit(&tensor);
}

static void refused(const char *header, size_t bytes, vt_status want)
{
    uint8_t file[512];
    const uint8_t zeros[64] = {0};
    vt_tensor tensor;
    vt_error error;
    size_t length = make(file, 1, header, zeros, bytes);
    vt_status status = vt_tensor_read_npy(file, length, &tensor, &error);
    if (status != want)
        print_message("%s: %s\n", header, status == VT_OK ? "ok" : error.message);
    assert_int_equal(status, want);
}

static void bad_headers_are_refused(void **state)
{
    (void)state;
    refused("", 0, VT_ERR_FORMAT);
    refused("{}", 0, VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7, VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9, VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2)}", 8, VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", 8, VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2)}", 8,
            VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 8,
            VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905, 4)}", 8,
            VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}", 8, VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False}", 8, VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8,
            VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}", 8, VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", 8, VT_ERR_FORMAT);
    refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", 8, VT_ERR_FORMAT);
    refused("{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", 8, VT_ERR_FORMAT);
    refused("{'descr': '|O8', 'fortran_order': False, 'shape': (1,)}", 8, VT_ERR_UNSUPPORTED);
    refused("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8, VT_ERR_UNSUPPORTED);
    refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 8,
            VT_ERR_UNSUPPORTED);
    refused("{'descr': '", 0, VT_ERR_UNSUPPORTED);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    uint8_t file[256];
    vt_tensor tensor;
    size_t length =
        make(file, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", "12345678", 8);
    for (size_t cut = 0; cut < length; cut++) {
        uint8_t *exact = vt_alloc(cut); /* so that sanitizers see reads beyond it */
        memcpy(exact, file, cut);
        assert_int_not_equal(vt_tensor_read_npy(exact, cut, &tensor, NULL), VT_OK);
        vt_free(exact);
    }
    file[6] = 9;
    assert_int_equal(vt_tensor_read_npy(file, length, &tensor, NULL), VT_ERR_UNSUPPORTED);
}

static void what_numpy_lacks_is_not_written(void **state)
{
    (void)state;
    vt_error error;
    uint16_t bits[1] = {0};
    vt_tensor tensor = {.dtype = VT_BF16, .shape = {1, {1}}, .data = bits, .bytes = 2};
    vt_buf file;
    vt_buf_init(&file, 64);
    assert_int_equal(vt_tensor_write_npy(&tensor, &file, &error), VT_ERR_UNSUPPORTED);
    tensor.dtype = VT_I16;
    assert_int_equal(vt_tensor_write_npy(&tensor, &file, &error), VT_ERR_LIMIT);
    vt_buf_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_files_read_back),
        cmocka_unit_test(big_endian_and_fortran_order_are_turned),
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(what_numpy_lacks_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
