/* SPDX-License-Identifier: Apache-2.0 */
#include "models.h"

static vt_status read_proto(Onnx__TensorProto *proto, vt_tensor *out, vt_error *error)
{
    uint8_t bytes[4096];
    char name[256];
    size_t length = onnx__tensor_proto__get_packed_size(proto);
    assert_true(length <= sizeof bytes);
    onnx__tensor_proto__pack(proto, bytes);
    vt_status status = vt_tensor_read_pb(bytes, length, out, name, error);
    if (status == VT_OK)
        assert_string_equal(name, "t");
    return status;
}

static void written_tensors_read_back(void **state)
{
    (void)state;
    const vt_dtype types[] = {VT_F16, VT_BF16, VT_F32, VT_F64, VT_I8,  VT_I16, VT_I32,
                              VT_I64, VT_U8,   VT_U16, VT_U32, VT_U64, VT_BOOL};
    const vt_shape shapes[] = {{0}, {1, {3}}, {2, {0, 3}}, {3, {2, 5, 7}}};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            vt_tensor tensor, back;
            vt_buf file;
            char name[256];
            assert_int_equal(vt_tensor_init(&tensor, types[t], &shapes[s], 0, NULL), VT_OK);
            for (size_t i = 0; i < vt_tensor_count(&tensor); i++)
                vt_store_f64(types[t], tensor.data, i, 1, &(double){(double)i});
            vt_buf_init(&file, 4096);
            assert_int_equal(vt_tensor_write_pb(&tensor, "some name", &file, NULL), VT_OK);
            assert_int_equal(vt_tensor_read_pb(file.data, file.length, &back, name, NULL), VT_OK);
            assert_string_equal(name, "some name");
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

static void typed_lists_are_read(void **state)
{
    (void)state;
    maker m;
    maker_init(&m, 13);
    float f32[] = {1.5f, 2};
    double f64[] = {1.5, 2};
    int32_t i32[] = {-1, 300};
    int64_t i64[] = {INT64_MIN, 2};
    uint64_t u64[] = {UINT64_MAX, 2};
    const struct {
        vt_dtype dtype;
        double want[2];
    } rows[] = {{VT_F32, {1.5, 2}},
                {VT_F64, {1.5, 2}},
                {VT_I32, {-1, 300}},
                {VT_I16, {-1, 300}},
                {VT_U8, {255, 44}},
                {VT_I64, {-9223372036854775808.0, 2}},
                {VT_U64, {18446744073709551616.0, 2}},
                {VT_U32, {4294967295.0, 2}},
                {VT_BOOL, {1, 1}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Onnx__TensorProto *proto = maker_tensor(&m, "t", rows[i].dtype, 1, (int64_t[]){2});
        vt_tensor tensor;
        vt_error error;
        vt_dtype dtype = rows[i].dtype;
        if (dtype == VT_F32)
            proto->float_data = f32, proto->n_float_data = 2;
        else if (dtype == VT_F64)
            proto->double_data = f64, proto->n_double_data = 2;
        else if (dtype == VT_I64)
            proto->int64_data = i64, proto->n_int64_data = 2;
        else if (dtype == VT_U64 || dtype == VT_U32)
            proto->uint64_data = u64, proto->n_uint64_data = 2;
        else
            proto->int32_data = i32, proto->n_int32_data = 2;
        assert_int_equal(read_proto(proto, &tensor, &error), VT_OK);
        assert_int_equal(tensor.dtype, dtype);
        assert_true(vt_tensor_get(&tensor, 0) == rows[i].want[0]);
        assert_true(vt_tensor_get(&tensor, 1) == rows[i].want[1]);
        vt_tensor_deinit(&tensor);
    }
    int32_t halves[] = {0x3c00, 0xc000};
    Onnx__TensorProto *proto = maker_tensor(&m, "t", VT_F16, 1, (int64_t[]){2});
    vt_tensor tensor;
    proto->int32_data = halves;
    proto->n_int32_data = 2;
    assert_int_equal(read_proto(proto, &tensor, NULL), VT_OK);
    assert_true(vt_tensor_get(&tensor, 0) == 1 && vt_tensor_get(&tensor, 1) == -2);
    vt_tensor_deinit(&tensor);
    maker_deinit(&m);
}

static void lists_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    maker m;
    vt_tensor tensor;
    vt_error error;
    float numbers[] = {1, 2};
    maker_init(&m, 13);
    Onnx__TensorProto *proto = maker_tensor(&m, "t", VT_F32, 1, (int64_t[]){3});
    proto->float_data = numbers;
    proto->n_float_data = 2;
    assert_int_equal(read_proto(proto, &tensor, &error), VT_ERR_FORMAT);
    assert_string_equal(error.message, "read tensor \"t\": 2 numbers, its shape needs 3");
    proto->data_type = VT_F64; /* the numbers are in the wrong list */
    proto->dims[0] = 2;
    assert_int_equal(read_proto(proto, &tensor, &error), VT_ERR_FORMAT);
    proto->data_type = 9999;
    assert_int_equal(read_proto(proto, &tensor, &error), VT_ERR_UNSUPPORTED);
    proto->data_type = VT_F32;
    proto->segment = &(Onnx__TensorProto__Segment)ONNX__TENSOR_PROTO__SEGMENT__INIT;
    assert_int_equal(read_proto(proto, &tensor, &error), VT_ERR_UNSUPPORTED);
    proto->segment = NULL;
    proto->has_data_location = true;
    proto->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    assert_int_equal(read_proto(proto, &tensor, &error), VT_ERR_DENIED);
    maker_deinit(&m);
}

static void written_tensors_keep_to_the_buffer(void **state)
{
    (void)state;
    float numbers[64] = {0};
    vt_tensor tensor = {.dtype = VT_F32, .shape = {1, {64}}, .data = numbers, .bytes = 256};
    vt_buf file;
    vt_buf_init(&file, 100);
    assert_int_equal(vt_tensor_write_pb(&tensor, NULL, &file, NULL), VT_ERR_LIMIT);
    tensor.shape.dims[0] = -1;
    assert_int_equal(vt_tensor_write_pb(&tensor, NULL, &file, NULL), VT_ERR_USAGE);
    vt_buf_deinit(&file);
}

static vt_status read_once(void *context)
{
    const vt_buf *file = context;
    vt_tensor tensor;
    vt_status status = vt_tensor_read_pb(file->data, file->length, &tensor, NULL, NULL);
    if (status == VT_OK)
        vt_tensor_deinit(&tensor);
    return status;
}

static void allocation_failures_are_clean(void **state)
{
    (void)state;
    float numbers[64] = {0};
    vt_tensor tensor = {.dtype = VT_F32, .shape = {1, {64}}, .data = numbers, .bytes = 256};
    vt_buf file;
    vt_buf_init(&file, 1000);
    assert_int_equal(vt_tensor_write_pb(&tensor, "name", &file, NULL), VT_OK);
    assert_true(each_allocation_failing(read_once, &file) >= 4);
    vt_buf_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_tensors_read_back),
        cmocka_unit_test(typed_lists_are_read),
        cmocka_unit_test(lists_that_do_not_fit_are_refused),
        cmocka_unit_test(written_tensors_keep_to_the_buffer),
        cmocka_unit_test(allocation_failures_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
