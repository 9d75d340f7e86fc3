/* SPDX-License-Identifier: Apache-2.0 */
/* Small functions of their own: signal windows, Det, AffineGrid, SwiGLU. */
#include "operators.h"

static void windows_are_sums_of_cosines(void **state)
{
    (void)state;
    int64_t four[] = {4};
    int32_t three[] = {3}, one[] = {1};
    vt_tensor periodic = SCALAR(VT_I64, four), symmetric = SCALAR(VT_I32, three);
    vt_tensor single = SCALAR(VT_I32, one);
    const vt_attr closed[] = {ATTR_INT("periodic", 0), ATTR_INT("output_datatype", VT_F64)};
    const double hamming = 25.0 / 46 - 21.0 / 46;
    op_call call = {"HannWindow", 17, .inputs = {&periodic}, .input_count = 1};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_F32);
    ASSERT_OUTPUT(call, DIMS(4), 0, 0.5, 1, 0.5);
    op_done(&call);
    call = (op_call){"HammingWindow", 17, ATTRS(closed), .inputs = {&symmetric}, .input_count = 1};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_F64);
    ASSERT_OUTPUT(call, DIMS(3), hamming, 1, hamming);
    op_done(&call);
    call.name = "BlackmanWindow";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 0, 1, 0);
    op_done(&call);
    call.inputs[0] = &single;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1), 1);
    op_done(&call);
}

static void windows_refuse_sizes(void **state)
{
    (void)state;
    int64_t sizes[] = {-1, 4};
    vt_tensor minus = SCALAR(VT_I64, sizes), two = TENSOR(VT_I64, sizes, 2);
    const vt_attr text[] = {ATTR_INT("output_datatype", VT_STRING)};
    op_call call = {"HannWindow", 17, ATTRS(text), .inputs = {&minus}, .input_count = 1};
    op_fails(&call, VT_ERR_FORMAT, "not one number that is not negative");
    call.inputs[0] = &two;
    op_fails(&call, VT_ERR_LIMIT, "2 elements");
    sizes[0] = 4;
    call.inputs[0] = &minus;
    op_fails(&call, VT_ERR_FORMAT, "output_datatype");
    call.attr_count = 0;
    sizes[0] = INT64_MAX;
    op_fails(&call, VT_ERR_LIMIT, "limit");
    call.computed = 1;
    op_fails(&call, VT_ERR_UNSUPPORTED, "computed from the data");
}

static void determinants_by_elimination(void **state)
{
    (void)state;
    float stack[] = {1, 2, 3, 4, 0, 2, 3, 4, 1, 2, 2, 4};
    double three[] = {0, 1, 0, 0, 0, 2, 3, 0, 0};
    vt_tensor x = TENSOR(VT_F32, stack, 3, 2, 2), y = TENSOR(VT_F64, three, 3, 3);
    vt_tensor wide = TENSOR(VT_F32, stack, 2, 6), flat = TENSOR(VT_F32, stack, 12);
    vt_tensor none = {.dtype = VT_F32, .shape = {3, {2, 0, 0}}};
    op_call call = {"Det", 11, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), -2, -6, 0);
    op_done(&call);
    call.inputs[0] = &y;
    op_run(&call);
    assert_int_equal(call.outputs[0].shape.rank, 0);
    assert_numbers(&call.outputs[0], 1, (const double[]){6});
    op_done(&call);
    call.inputs[0] = &none; /* the empty product */
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 1, 1);
    op_done(&call);
    call.inputs[0] = &wide;
    op_fails(&call, VT_ERR_FORMAT, "2 by 6 are not square");
    call.inputs[0] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "1 dimensions");
}

static void grids_map_pixels(void **state)
{
    (void)state;
    float map[] = {1, 0, 10, 0, 2, 20}, cube[] = {0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0};
    int64_t sizes[] = {1, 3, 2, 4}, volume[] = {1, 1, 2, 1, 1};
    const vt_attr corners[] = {ATTR_INT("align_corners", 1)};
    vt_tensor theta = TENSOR(VT_F32, map, 1, 2, 3), size = TENSOR(VT_I64, sizes, 4);
    vt_tensor theta3 = TENSOR(VT_F32, cube, 1, 3, 4), size3 = TENSOR(VT_I64, volume, 5);
    op_call call = {"AffineGrid", 20, .inputs = {&theta, &size}, .input_count = 2};
    op_run(&call); /* x from -0.75 to 0.75, y -0.5 and 0.5 */
    ASSERT_OUTPUT(call, DIMS(1, 2, 4, 2), 9.25, 19, 9.75, 19, 10.25, 19, 10.75, 19, 9.25, 21, 9.75,
                  21, 10.25, 21, 10.75, 21);
    op_done(&call);
    call.attrs = corners;
    call.attr_count = 1;
    call.inputs[0] = &theta3;
    call.inputs[1] = &size3;
    op_run(&call); /* x' = z, y' = y, z' = x; the axes of one voxel are at -1 */
    ASSERT_OUTPUT(call, DIMS(1, 2, 1, 1, 3), -1, -1, -1, 1, -1, -1);
    op_done(&call);
    call.inputs[1] = &size;
    op_fails(&call, VT_ERR_FORMAT, "theta does not fit 1 maps of 2 dimensions");
    sizes[2] = -2;
    call.inputs[0] = &theta;
    op_fails(&call, VT_ERR_FORMAT, "size has -2");
    size.shape.dims[0] = 3;
    op_fails(&call, VT_ERR_FORMAT, "size has 3 numbers");
}

static void swiglu_gates(void **state)
{
    (void)state;
    float gate[] = {0, 2, -2}, value[] = {5, 3, 3};
    const vt_attr alpha[] = {ATTR_FLOAT("alpha", 0.5f)};
    vt_tensor a = TENSOR(VT_F32, gate, 3), b = TENSOR(VT_F32, value, 3);
    vt_tensor point = {.dtype = VT_F32, .shape = {1, {1}}, .data = value, .bytes = 4};
    op_call call = {"SwiGLU", 28, .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 0, 6 / (1 + exp(-2.0)), -6 / (1 + exp(2.0)));
    op_done(&call);
    call.attrs = alpha;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 0, 6 / (1 + exp(-1.0)), -6 / (1 + exp(1.0)));
    op_done(&call);
    call.inputs[1] = &point;
    op_fails(&call, VT_ERR_FORMAT, "differ in shape");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_sums_of_cosines),
        cmocka_unit_test(windows_refuse_sizes),
        cmocka_unit_test(determinants_by_elimination),
        cmocka_unit_test(grids_map_pixels),
        cmocka_unit_test(swiglu_gates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
