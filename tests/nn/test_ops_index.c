/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that index: ArgMax, TopK, OneHot, NonZero, Compress, Gather and Scatter of elements and
 * slices, running sums. */
#include "operators.h"

static float ramp[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
#define X(...) TENSOR(VT_F32, ramp, __VA_ARGS__)

static void arg_max_prefers_the_first_or_the_last(void **state)
{
    (void)state;
    float values[] = {2, 2, 1, 3, 10, 10}, odd[] = {1, NAN, 3};
    uint64_t large[] = {1, UINT64_MAX, UINT64_C(1) << 62};
    int8_t small[] = {-128, 127, 0};
    vt_tensor x = TENSOR(VT_F32, values, 2, 3), nan = TENSOR(VT_F32, odd, 3);
    vt_tensor u = TENSOR(VT_U64, large, 3), i = TENSOR(VT_I8, small, 3);
    const vt_attr first[] = {ATTR_INT("axis", 1), ATTR_INT("keepdims", 0)};
    const vt_attr last[] = {ATTR_INT("axis", -1), ATTR_INT("select_last_index", 1)};
    op_call call = {"ArgMax", 13, ATTRS(first), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_I64);
    ASSERT_OUTPUT(call, DIMS(2), 0, 1);
    op_done(&call);
    call.attrs = last;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1), 1, 2);
    op_done(&call);
    call.opset = 11;
    op_fails(&call, VT_ERR_UNSUPPORTED, "select_last_index");
    call = (op_call){"ArgMin", 13, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 3), 0, 0, 0);
    op_done(&call);
    call.inputs[0] = &nan;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1), 1);
    op_done(&call);
    call = (op_call){"ArgMax", 13, .inputs = {&u}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1), 1);
    op_done(&call);
    call.inputs[0] = &i;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1), 1);
    op_done(&call);
}

static void arg_max_refuses_nothing_to_choose_from(void **state)
{
    (void)state;
    vt_tensor empty = {.dtype = VT_F32, .shape = {2, {2, 0}}}, x = X(3);
    const vt_attr inner[] = {ATTR_INT("axis", 1)}, outside[] = {ATTR_INT("axis", 1)};
    op_call call = {"ArgMax", 13, ATTRS(inner), .inputs = {&empty}, .input_count = 1};
    op_fails(&call, VT_ERR_FORMAT, "is empty");
    call.inputs[0] = &x;
    call.attrs = outside;
    op_fails(&call, VT_ERR_FORMAT, "axis 1");
}

static void top_k_is_stable(void **state)
{
    (void)state;
    float values[] = {3, 1, 3, 2, 0, 7, 7, 7};
    int64_t two[] = {2}, many[] = {5}, minus[] = {-1};
    vt_tensor x = TENSOR(VT_F32, values, 2, 4), k = TENSOR(VT_I64, two, 1);
    vt_tensor more = TENSOR(VT_I64, many, 1), less = TENSOR(VT_I64, minus, 1);
    const vt_attr smallest[] = {ATTR_INT("largest", 0), ATTR_INT("axis", 0)};
    op_call call = {"TopK", 11, .inputs = {&x, &k}, .input_count = 2, .output_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 3, 3, 7, 7);
    assert_numbers(&call.outputs[1], 4, (double[]){0, 2, 1, 2});
    op_done(&call);
    call.attrs = smallest;
    call.attr_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 4), 0, 1, 3, 2, 3, 7, 7, 7);
    assert_numbers(&call.outputs[1], 8, (double[]){1, 0, 0, 0, 0, 1, 1, 1});
    op_done(&call);
    call.attr_count = 0;
    call.inputs[1] = &more;
    op_fails(&call, VT_ERR_FORMAT, "5 of the 4");
    call.inputs[1] = &less;
    op_fails(&call, VT_ERR_FORMAT, "-1 of the 4");
    call.computed = 2;
    op_fails(&call, VT_ERR_UNSUPPORTED, "needed to plan");
}

static void top_k_of_integers_is_exact(void **state)
{
    (void)state;
    int64_t values[] = {INT64_MAX - 1, INT64_MAX, INT64_MIN}, one[] = {1};
    uint64_t large[] = {1, UINT64_MAX, 5};
    vt_tensor x = TENSOR(VT_I64, values, 3), k = TENSOR(VT_I64, one, 1);
    vt_tensor u = TENSOR(VT_U64, large, 3);
    const vt_attr old[] = {ATTR_INT("k", 1)};
    op_call call = {"TopK", 11, .inputs = {&x, &k}, .input_count = 2, .output_count = 2};
    op_run(&call);
    assert_true(((int64_t *)call.outputs[0].data)[0] == INT64_MAX);
    op_done(&call);
    call.inputs[0] = &u;
    op_run(&call);
    assert_true(((uint64_t *)call.outputs[0].data)[0] == UINT64_MAX);
    op_done(&call);
    vt_tensor f = X(3);
    call = (op_call){"TopK", 7, ATTRS(old), .inputs = {&f}, .input_count = 1, .output_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1), 3);
    op_done(&call);
}

static void running_sums(void **state)
{
    (void)state;
    int64_t zero[] = {0}, minus[] = {-1}, bad[] = {2};
    int32_t edge[] = {INT32_MAX, 1};
    vt_tensor x = X(2, 3), axis = TENSOR(VT_I64, zero, 1), last = SCALAR(VT_I64, minus);
    vt_tensor outside = TENSOR(VT_I64, bad, 1), i = TENSOR(VT_I32, edge, 2);
    const vt_attr both[] = {ATTR_INT("exclusive", 1), ATTR_INT("reverse", 1)};
    op_call call = {"CumSum", 14, .inputs = {&x, &axis}, .input_count = 2, .computed = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 1, 2, 3, 5, 7, 9);
    op_done(&call);
    call.inputs[1] = &last;
    call.attrs = both;
    call.attr_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 5, 3, 0, 11, 6, 0);
    op_done(&call);
    call.name = "CumProd";
    call.opset = 26;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 6, 3, 1, 30, 6, 1);
    op_done(&call);
    call.inputs[1] = &outside;
    op_fails(&call, VT_ERR_FORMAT, "axis 2");
    call = (op_call){"CumSum", 14, .inputs = {&i, &axis}, .input_count = 2};
    op_run(&call); /* wraps */
    ASSERT_OUTPUT(call, DIMS(2), INT32_MAX, INT32_MIN);
    op_done(&call);
}

static void one_hot_ignores_what_is_outside(void **state)
{
    (void)state;
    int64_t indices[] = {0, 2, -1, 5}, three[] = {3}, minus[] = {-3};
    float pair[] = {2, 5};
    vt_tensor x = TENSOR(VT_I64, indices, 4), depth = SCALAR(VT_I64, three);
    vt_tensor values = TENSOR(VT_F32, pair, 2), bad = SCALAR(VT_I64, minus), one = X(1);
    const vt_attr front[] = {ATTR_INT("axis", 0)}, outside[] = {ATTR_INT("axis", 2)};
    op_call call = {"OneHot", 11, .inputs = {&x, &depth, &values}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4, 3), 5, 2, 2, 2, 2, 5, 2, 2, 5, 2, 2, 2);
    op_done(&call);
    call.opset = 9; /* negative indices are outside */
    call.attrs = front;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 4), 5, 2, 2, 2, 2, 2, 2, 2, 2, 5, 2, 2);
    op_done(&call);
    call.attrs = outside;
    op_fails(&call, VT_ERR_FORMAT, "axis 2");
    call.attr_count = 0;
    call.inputs[1] = &bad;
    op_fails(&call, VT_ERR_FORMAT, "the depth is -3");
    call.computed = 2;
    op_fails(&call, VT_ERR_UNSUPPORTED, "needed to plan");
    call.computed = 0;
    call.inputs[1] = &depth;
    call.inputs[2] = &one;
    op_fails(&call, VT_ERR_FORMAT, "two values");
}

static void non_zero_lists_coordinates(void **state)
{
    (void)state;
    float values[] = {0, 1, -0.0f, NAN};
    uint8_t yes[] = {1};
    vt_tensor x = TENSOR(VT_F32, values, 2, 2), scalar = SCALAR(VT_BOOL, yes);
    op_call call = {"NonZero", 13, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 0, 1, 1, 1);
    op_done(&call);
    call.inputs[0] = &scalar;
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){0, 1});
    op_done(&call);
    call.computed = 1;
    op_fails(&call, VT_ERR_UNSUPPORTED, "computed from the data");
}

static void compress_keeps_what_is_marked(void **state)
{
    (void)state;
    uint8_t marks[] = {0, 1, 1, 0, 0, 0, 1};
    vt_tensor x = X(3, 2), two = TENSOR(VT_BOOL, marks, 2), all = TENSOR(VT_BOOL, marks, 7);
    vt_tensor five = {.dtype = VT_BOOL, .shape = {1, {5}}, .data = marks, .bytes = 5};
    two.bytes = 2;
    const vt_attr rows[] = {ATTR_INT("axis", 0)};
    op_call call = {"Compress", 11, ATTRS(rows), .inputs = {&x, &two}, .input_count = 2};
    op_run(&call); /* the third row is beyond the condition */
    ASSERT_OUTPUT(call, DIMS(1, 2), 3, 4);
    op_done(&call);
    call.attr_count = 0;
    call.inputs[1] = &five;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 2, 3);
    op_done(&call);
    call.inputs[1] = &all;
    op_fails(&call, VT_ERR_FORMAT, "condition of 7 for 6");
    call.inputs[1] = &x;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type f32");
    call.inputs[1] = &five;
    call.computed = 2;
    op_fails(&call, VT_ERR_UNSUPPORTED, "computed from the data");
}

static void gather_elements_picks_one_by_one(void **state)
{
    (void)state;
    int64_t picks[] = {1, 2, 0, 2, 0, 0}, wide[] = {0, 0, 0};
    int32_t back[] = {-3, 3};
    vt_tensor x = X(3, 3), i = TENSOR(VT_I64, picks, 2, 3), row = TENSOR(VT_I64, wide, 3);
    vt_tensor outside = TENSOR(VT_I32, back, 1, 2), more = X(2, 2);
    const vt_attr inner[] = {ATTR_INT("axis", 1)};
    op_call call = {"GatherElements", 13, .inputs = {&x, &i}, .input_count = 2};
    op_run(&call); /* the specification's second example */
    ASSERT_OUTPUT(call, DIMS(2, 3), 4, 8, 3, 7, 2, 3);
    op_done(&call);
    call.inputs[1] = &row;
    op_fails(&call, VT_ERR_FORMAT, "1 dimensions for 2");
    call.inputs[1] = &outside;
    op_fails(&call, VT_ERR_FORMAT, "index 3 is outside");
    call.inputs[0] = &more;
    call.inputs[1] = &i;
    call.attrs = inner;
    call.attr_count = 1;
    op_fails(&call, VT_ERR_FORMAT, "index 2 is outside");
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "axis 1 has 3 indices for 2");
}

static void gather_nd_picks_slices(void **state)
{
    (void)state;
    int64_t pairs[] = {0, 1, 1, -2}, single[] = {1, 0}, bad[] = {0, 2};
    vt_tensor x = X(2, 2, 3), i = TENSOR(VT_I64, pairs, 2, 2), one = TENSOR(VT_I64, single, 2, 1);
    vt_tensor outside = TENSOR(VT_I64, bad, 1, 2), flat = X(3);
    const vt_attr batch[] = {ATTR_INT("batch_dims", 1)}, deep[] = {ATTR_INT("batch_dims", 2)};
    op_call call = {"GatherND", 13, .inputs = {&x, &i}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 4, 5, 6, 7, 8, 9);
    op_done(&call);
    call.inputs[1] = &one;
    call.attrs = batch;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 4, 5, 6, 7, 8, 9);
    op_done(&call);
    call.attrs = deep;
    op_fails(&call, VT_ERR_FORMAT, "batch_dims");
    call.attr_count = 0;
    call.inputs[1] = &outside;
    op_fails(&call, VT_ERR_FORMAT, "index 2 is outside");
    call.inputs[0] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "coordinates of 2 numbers for 1");
}

static void scatter_elements_replaces_and_combines(void **state)
{
    (void)state;
    float data[] = {1, 2, 3, 4, 5}, ups[] = {1.1f, 2.1f};
    int64_t same[] = {1, 1}, apart[] = {1, -2}, bad[] = {1, 5};
    vt_tensor x = TENSOR(VT_F32, data, 1, 5), u = TENSOR(VT_F32, ups, 1, 2);
    vt_tensor twice = TENSOR(VT_I64, same, 1, 2), i = TENSOR(VT_I64, apart, 1, 2);
    vt_tensor outside = TENSOR(VT_I64, bad, 1, 2), narrow = TENSOR(VT_I64, same, 2);
    const vt_attr none[] = {ATTR_INT("axis", 1)};
    const vt_attr add[] = {ATTR_INT("axis", 1), ATTR_TEXT("reduction", "add")};
    const vt_attr max[] = {ATTR_INT("axis", 1), ATTR_TEXT("reduction", "max")};
    op_call call = {"Scatter", 9, ATTRS(none), .inputs = {&x, &i, &u}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 5), 1, 1.1f, 3, 2.1f, 5);
    op_done(&call);
    call =
        (op_call){"ScatterElements", 18, ATTRS(add), .inputs = {&x, &twice, &u}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 5), 1, 5.2, 3, 4, 5);
    op_done(&call);
    call.attrs = max;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 5), 1, 2.1f, 3, 4, 5);
    op_done(&call);
    call.opset = 16;
    op_fails(&call, VT_ERR_FORMAT, "reduction");
    call.opset = 18;
    call.inputs[1] = &outside;
    op_fails(&call, VT_ERR_FORMAT, "index 5 is outside");
    call.inputs[1] = &narrow;
    op_fails(&call, VT_ERR_FORMAT, "fit together");
}

static void scatter_nd_replaces_slices(void **state)
{
    (void)state;
    float ups[] = {10, 20, 30, 40};
    int64_t rows[] = {2, 0}, again[] = {1, 1}, bad[] = {3, 0};
    uint8_t low[] = {200, 1}, high[] = {100, 2};
    vt_tensor x = X(3, 2), u = TENSOR(VT_F32, ups, 2, 2), i = TENSOR(VT_I64, rows, 2, 1);
    vt_tensor same = TENSOR(VT_I64, again, 2, 1), outside = TENSOR(VT_I64, bad, 2, 1);
    vt_tensor bytes = TENSOR(VT_U8, low, 2), more = TENSOR(VT_U8, high, 2), flat = X(4);
    const vt_attr mul[] = {ATTR_TEXT("reduction", "mul")}, min[] = {ATTR_TEXT("reduction", "min")};
    const vt_attr add[] = {ATTR_TEXT("reduction", "add")};
    op_call call = {"ScatterND", 18, .inputs = {&x, &i, &u}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 2), 30, 40, 3, 4, 10, 20);
    op_done(&call);
    call.attrs = mul;
    call.attr_count = 1;
    call.inputs[1] = &same;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 2), 1, 2, 3 * 10 * 30, 4 * 20 * 40, 5, 6);
    op_done(&call);
    call.attrs = min;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 2), 1, 2, 3, 4, 5, 6);
    op_done(&call);
    call.inputs[1] = &outside;
    op_fails(&call, VT_ERR_FORMAT, "index 3 is outside");
    call.inputs[2] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "fit together");
    call = (op_call){"ScatterND", 18, ATTRS(add), .inputs = {&bytes, &i, &more}, .input_count = 3};
    op_fails(&call, VT_ERR_FORMAT, "index 2 is outside");
    call.inputs[1] = &same;
    op_run(&call); /* 1 + 100 + 2 */
    ASSERT_OUTPUT(call, DIMS(2), 200, 103);
    op_done(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arg_max_prefers_the_first_or_the_last),
        cmocka_unit_test(arg_max_refuses_nothing_to_choose_from),
        cmocka_unit_test(top_k_is_stable),
        cmocka_unit_test(top_k_of_integers_is_exact),
        cmocka_unit_test(running_sums),
        cmocka_unit_test(one_hot_ignores_what_is_outside),
        cmocka_unit_test(non_zero_lists_coordinates),
        cmocka_unit_test(compress_keeps_what_is_marked),
        cmocka_unit_test(gather_elements_picks_one_by_one),
        cmocka_unit_test(gather_nd_picks_slices),
        cmocka_unit_test(scatter_elements_replaces_and_combines),
        cmocka_unit_test(scatter_nd_replaces_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
