/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that rearrange: Tile, DepthToSpace and back, Trilu, EyeLike, ReverseSequence,
 * CenterCropPad, Col2Im, GridSample; bits; and the copying they share. */
#include "operators.h"

static float ramp[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
#define X(...) TENSOR(VT_F32, ramp, __VA_ARGS__)

static void tile_repeats_every_axis(void **state)
{
    (void)state;
    int64_t times[] = {2, 3}, minus[] = {1, -1}, huge[] = {1, INT64_MAX}, none[] = {0, 1};
    vt_tensor x = X(2, 2), n = TENSOR(VT_I64, times, 2), bad = TENSOR(VT_I64, minus, 2);
    vt_tensor large = TENSOR(VT_I64, huge, 2), zero = TENSOR(VT_I64, none, 2), flat = X(4);
    op_call call = {"Tile", 13, .inputs = {&x, &n}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4, 6), 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 1, 2, 1, 2, 1, 2, 3, 4, 3,
                  4, 3, 4);
    op_done(&call);
    call.inputs[1] = &zero;
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){0, 2});
    op_done(&call);
    call.inputs[1] = &bad;
    op_fails(&call, VT_ERR_FORMAT, "repeated -1 times");
    call.inputs[1] = &large;
    op_fails(&call, VT_ERR_LIMIT, "too long");
    call.inputs[0] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "2 repeats for 1");
}

static void depth_becomes_space_and_back(void **state)
{
    (void)state;
    vt_tensor x = X(1, 8, 1, 2), flat = X(16), odd = X(1, 2, 1, 8);
    const vt_attr dcr[] = {ATTR_INT("blocksize", 2)};
    const vt_attr crd[] = {ATTR_INT("blocksize", 2), ATTR_TEXT("mode", "CRD")};
    const vt_attr zero[] = {ATTR_INT("blocksize", 0)}, big[] = {ATTR_INT("blocksize", 1 << 20)};
    op_call call = {"DepthToSpace", 13, ATTRS(dcr), .inputs = {&x}, .input_count = 1};
    op_run(&call); /* block place (r, c) of channel k is channel (2r + c) * 2 + k */
    ASSERT_OUTPUT(call, DIMS(1, 2, 2, 4), 1, 5, 2, 6, 9, 13, 10, 14, 3, 7, 4, 8, 11, 15, 12, 16);
    vt_tensor space = call.outputs[0];
    op_call back = {"SpaceToDepth", 13, ATTRS(dcr), .inputs = {&space}, .input_count = 1};
    op_run(&back);
    ASSERT_OUTPUT(back, DIMS(1, 8, 1, 2), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    op_done(&back);
    op_done(&call);
    call.attrs = crd;
    call.attr_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 2, 4), 1, 3, 2, 4, 5, 7, 6, 8, 9, 11, 10, 12, 13, 15, 14, 16);
    op_done(&call);
    call.opset = 7;
    op_fails(&call, VT_ERR_UNSUPPORTED, "mode");
    call = (op_call){"DepthToSpace", 13, ATTRS(zero), .inputs = {&x}, .input_count = 1};
    op_fails(&call, VT_ERR_FORMAT, "blocksize");
    call.attrs = big;
    op_fails(&call, VT_ERR_FORMAT, "do not fill");
    call.inputs[0] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "1 dimensions");
    back.attrs = dcr;
    back.inputs[0] = &odd;
    op_fails(&back, VT_ERR_FORMAT, "not whole blocks");
}

static void triangles(void **state)
{
    (void)state;
    int64_t one[] = {1}, far[] = {INT64_MIN};
    vt_tensor x = X(2, 2, 3), k = SCALAR(VT_I64, one), low = SCALAR(VT_I64, far), flat = X(4);
    const vt_attr lower[] = {ATTR_INT("upper", 0)};
    op_call call = {"Trilu", 14, .inputs = {&x, &k}, .input_count = 2, .computed = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2, 3), 0, 2, 3, 0, 0, 6, 0, 8, 9, 0, 0, 12);
    op_done(&call);
    call.attrs = lower;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2, 3), 1, 2, 0, 4, 5, 6, 7, 8, 0, 10, 11, 12);
    op_done(&call);
    call.inputs[1] = &low;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2, 3), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    op_done(&call);
    call.inputs[1] = &flat;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type f32");
    call.input_count = 1;
    call.inputs[0] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "1 dimensions");
}

static void eyes(void **state)
{
    (void)state;
    vt_tensor x = X(3, 2), flat = X(4);
    const vt_attr below[] = {ATTR_INT("k", -1), ATTR_INT("dtype", VT_I32)};
    const vt_attr far[] = {ATTR_INT("k", INT64_MIN)}, text[] = {ATTR_INT("dtype", VT_STRING)};
    op_call call = {"EyeLike", 9, ATTRS(below), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_I32);
    ASSERT_OUTPUT(call, DIMS(3, 2), 0, 0, 1, 0, 0, 1);
    op_done(&call);
    call.attrs = far;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 2), 0, 0, 0, 0, 0, 0);
    op_done(&call);
    call.attrs = text;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type 8");
    call.inputs[0] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "1 dimensions");
}

static void sequences_turn_around(void **state)
{
    (void)state;
    int64_t lengths[] = {4, 3, 2, 1}, bad[] = {4, 3, 2, 5}, few[] = {1};
    vt_tensor x = X(4, 4), n = TENSOR(VT_I64, lengths, 4), outside = TENSOR(VT_I64, bad, 4);
    vt_tensor one = TENSOR(VT_I64, few, 1);
    const vt_attr batch[] = {ATTR_INT("batch_axis", 0), ATTR_INT("time_axis", 1)};
    const vt_attr same[] = {ATTR_INT("batch_axis", 1), ATTR_INT("time_axis", 1)};
    const vt_attr huge[] = {ATTR_INT("batch_axis", INT64_MAX), ATTR_INT("time_axis", INT64_MAX)};
    op_call call = {"ReverseSequence", 10, .inputs = {&x, &n}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4, 4), 13, 10, 7, 4, 9, 6, 3, 8, 5, 2, 11, 12, 1, 14, 15, 16);
    op_done(&call);
    call.attrs = batch;
    call.attr_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4, 4), 4, 3, 2, 1, 7, 6, 5, 8, 10, 9, 11, 12, 13, 14, 15, 16);
    op_done(&call);
    call.attrs = same;
    op_fails(&call, VT_ERR_FORMAT, "not 0 and 1");
    call.attrs = huge;
    op_fails(&call, VT_ERR_FORMAT, "not 0 and 1");
    call.attr_count = 0;
    call.inputs[1] = &outside;
    op_fails(&call, VT_ERR_FORMAT, "length 5 of 4");
    call.inputs[1] = &one;
    op_fails(&call, VT_ERR_FORMAT, "one per sequence");
}

static void centre_is_kept(void **state)
{
    (void)state;
    int64_t lengths[] = {1, 6}, minus[] = {1, -1}, one[] = {3};
    vt_tensor x = X(4, 3), to = TENSOR(VT_I64, lengths, 2), bad = TENSOR(VT_I64, minus, 2);
    vt_tensor three = TENSOR(VT_I64, one, 1);
    const vt_attr first[] = {ATTR_INTS("axes", -2)}, outside[] = {ATTR_INTS("axes", 2)};
    op_call call = {"CenterCropPad", 18, .inputs = {&x, &to}, .input_count = 2};
    op_run(&call); /* rows 0 to 3 lose one before and two after */
    ASSERT_OUTPUT(call, DIMS(1, 6), 0, 4, 5, 6, 0, 0);
    op_done(&call);
    call.inputs[1] = &bad;
    op_fails(&call, VT_ERR_FORMAT, "length -1");
    call.inputs[1] = &three;
    op_fails(&call, VT_ERR_FORMAT, "1 lengths for 2");
    call.attrs = first;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9);
    op_done(&call);
    call.attrs = outside;
    op_fails(&call, VT_ERR_FORMAT, "axis 2");
}

static void columns_add_up_to_an_image(void **state)
{
    (void)state;
    int64_t image[] = {3}, block[] = {2}, wide[] = {4}, none[] = {0};
    vt_tensor x = X(1, 2, 2), i = TENSOR(VT_I64, image, 1), b = TENSOR(VT_I64, block, 1);
    vt_tensor large = TENSOR(VT_I64, wide, 1), zero = TENSOR(VT_I64, none, 1);
    op_call call = {"Col2Im", 18, .inputs = {&x, &i, &b}, .input_count = 3};
    op_run(&call); /* taps (1, 2) and (3, 4) of blocks at 0 and 1 */
    ASSERT_OUTPUT(call, DIMS(1, 1, 3), 1, 2 + 3, 4);
    op_done(&call);
    call.inputs[1] = &large;
    op_fails(&call, VT_ERR_FORMAT, "the image has 3 blocks");
    call.inputs[1] = &zero;
    op_fails(&call, VT_ERR_FORMAT, "image of 0");
    call.inputs[1] = &i;
    call.inputs[2] = &large;
    op_fails(&call, VT_ERR_FORMAT, "does not fit");
}

static void grid_reads_between_pixels(void **state)
{
    (void)state;
    float where[] = {-1, -1, 0, 0, 1, -1, 3, 0}, nowhere[] = {NAN, 0};
    vt_tensor x = X(1, 1, 2, 2), g = TENSOR(VT_F32, where, 1, 1, 4, 2);
    vt_tensor n = TENSOR(VT_F32, nowhere, 1, 1, 1, 2), flat = X(1, 1, 4);
    const vt_attr corners[] = {ATTR_INT("align_corners", 1)};
    const vt_attr border[] = {ATTR_INT("align_corners", 1), ATTR_TEXT("padding_mode", "border")};
    const vt_attr mirror[] = {ATTR_INT("align_corners", 1),
                              ATTR_TEXT("padding_mode", "reflection")};
    const vt_attr nearest[] = {ATTR_TEXT("mode", "nearest")};
    const vt_attr old[] = {ATTR_TEXT("mode", "linear")};
    op_call call = {"GridSample", 20, ATTRS(corners), .inputs = {&x, &g}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 1, 4), 1, 2.5, 2, 0);
    op_done(&call);
    call.attrs = border;
    call.attr_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 1, 4), 1, 2.5, 2, 3);
    op_done(&call);
    call.attrs = mirror; /* 3 is one length behind the right border: back at the left one */
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 1, 4), 1, 2.5, 2, 2);
    op_done(&call);
    call.attrs = nearest;
    call.attr_count = 1;
    call.inputs[1] = &n;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 1, 1), 0);
    op_done(&call);
    call.attrs = old;
    call.opset = 16;
    op_fails(&call, VT_ERR_FORMAT, "mode");
    call.attr_count = 0;
    call.inputs[1] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "does not fit");
    call.inputs[0] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "3 dimensions");
}

static void bits(void **state)
{
    (void)state;
    uint8_t low[] = {0xf0, 0x81, 1}, by[] = {4, 1, 8};
    int32_t left[] = {-1, 6}, right[] = {5, 3};
    vt_tensor x = TENSOR(VT_U8, low, 3), n = TENSOR(VT_U8, by, 3);
    vt_tensor a = TENSOR(VT_I32, left, 2), b = TENSOR(VT_I32, right, 2), f = X(2);
    const vt_attr leftwards[] = {ATTR_TEXT("direction", "LEFT")};
    const vt_attr rightwards[] = {ATTR_TEXT("direction", "RIGHT")};
    const vt_attr up[] = {ATTR_TEXT("direction", "UP")};
    op_call call = {"BitShift", 11, ATTRS(leftwards), .inputs = {&x, &n}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 0, 2, 0);
    op_done(&call);
    call.attrs = rightwards;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 15, 64, 0);
    op_done(&call);
    call.attrs = up;
    op_fails(&call, VT_ERR_FORMAT, "direction");
    call.attrs = leftwards;
    call.inputs[0] = call.inputs[1] = &a;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type i32");
    call = (op_call){"BitwiseAnd", 18, .inputs = {&a, &b}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 5, 2);
    op_done(&call);
    call.name = "BitwiseOr";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), -1, 7);
    op_done(&call);
    call.name = "BitwiseXor";
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), -6, 5);
    op_done(&call);
    call = (op_call){"BitwiseNot", 18, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 0x0f, 0x7e, 0xfe);
    op_done(&call);
    call.inputs[0] = &f;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type f32");
}

/* Every width of element and every kind of run, against moving one element at a time. */
static void copies_of_all_widths(void **state)
{
    (void)state;
    static const vt_dtype types[] = {VT_U8, VT_I16, VT_F32, VT_F64};
    const vt_attr orders[][1] = {{ATTR_INTS("perm", 0, 2, 1, 3)},
                                 {ATTR_INTS("perm", 3, 1, 0, 2)},
                                 {ATTR_INTS("perm", 0, 1, 2, 3)},
                                 {ATTR_INTS("perm", 1, 0, 2, 3)}};
    const int64_t dims[] = {2, 3, 4, 5}, strides[] = {60, 20, 5, 1};
    vt_shape shape = vt_shape_of(4, dims);
    for (size_t t = 0; t < 4; t++) {
        vt_tensor x;
        assert_int_equal(vt_tensor_init(&x, types[t], &shape, 0, NULL), VT_OK);
        for (int64_t i = 0; i < 120; i++)
            vt_store_i64(types[t], x.data, (size_t)i, 1, &i);
        for (size_t o = 0; o < 4; o++) {
            op_call call = {"Transpose", 13, ATTRS(orders[o]), .inputs = {&x}, .input_count = 1};
            const int64_t *perm = orders[o][0].ints;
            op_run(&call);
            for (int64_t k = 0; k < 120; k++) {
                int64_t rest = k, from = 0;
                for (int axis = 3; axis >= 0; axis--) {
                    from += rest % dims[perm[axis]] * strides[perm[axis]];
                    rest /= dims[perm[axis]];
                }
                assert_true(vt_tensor_get(&call.outputs[0], (size_t)k) == (double)from);
            }
            op_done(&call);
        }
        vt_tensor_deinit(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tile_repeats_every_axis),
        cmocka_unit_test(depth_becomes_space_and_back),
        cmocka_unit_test(triangles),
        cmocka_unit_test(eyes),
        cmocka_unit_test(sequences_turn_around),
        cmocka_unit_test(centre_is_kept),
        cmocka_unit_test(columns_add_up_to_an_image),
        cmocka_unit_test(grid_reads_between_pixels),
        cmocka_unit_test(bits),
        cmocka_unit_test(copies_of_all_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
