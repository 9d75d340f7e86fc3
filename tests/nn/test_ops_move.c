/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move and make numbers: shapes, slices, joins, padding, constants, Dropout. */
#include "operators.h"

static float ramp[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

#define X(...) TENSOR(VT_F32, ramp, __VA_ARGS__)

/* A call with one input and a list of whole numbers as the second. */
static void list_call(op_call *call, const char *name, int opset, const vt_tensor *x,
                      vt_tensor *list, const int64_t *numbers, size_t count)
{
    *list = (vt_tensor){.dtype = VT_I64,
                        .shape = {1, {(int64_t)count}},
                        .data = count == 0 ? NULL : (void *)(uintptr_t)numbers,
                        .bytes = count * sizeof *numbers};
    *call = (op_call){name, opset, .inputs = {x, list}, .input_count = 2};
}
#define LIST(call, name, opset, x, list, ...)                                                      \
    list_call(call, name, opset, x, list, (int64_t[]){__VA_ARGS__},                                \
              sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void reshape_copies_and_fills(void **state)
{
    (void)state;
    vt_tensor x = X(2, 3, 2), list, empty = {.dtype = VT_F32, .shape = {2, {0, 3}}};
    op_call call;
    LIST(&call, "Reshape", 13, &x, &list, 0, -1);
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){2, 6});
    assert_numbers(&call.outputs[0], 12, (double[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    op_done(&call);
    LIST(&call, "Reshape", 13, &x, &list, 5, -1);
    op_fails(&call, VT_ERR_FORMAT, "do not fill");
    LIST(&call, "Reshape", 13, &x, &list, 11);
    op_fails(&call, VT_ERR_FORMAT, "holds 11");
    LIST(&call, "Reshape", 13, &x, &list, -1, -1);
    op_fails(&call, VT_ERR_FORMAT, "would be -1");
    LIST(&call, "Reshape", 13, &x, &list, 2, 3, 2, 0);
    op_fails(&call, VT_ERR_FORMAT, "is to be copied");
    LIST(&call, "Reshape", 13, &x, &list, INT64_MAX, INT64_MAX, 4);
    op_fails(&call, VT_ERR_LIMIT, "too large");
    LIST(&call, "Reshape", 13, &x, &list, 1, 1, 1, 1, 1, 1, 1, 1, -1);
    op_fails(&call, VT_ERR_LIMIT, "at most 8");
    LIST(&call, "Reshape", 13, &x, &list, 12);
    call.computed = 2;
    op_fails(&call, VT_ERR_UNSUPPORTED, "needed to plan");
    LIST(&call, "Reshape", 14, &empty, &list, 3, 0);
    call.attrs = (const vt_attr[]){ATTR_INT("allowzero", 1)};
    call.attr_count = 1;
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){3, 0});
    op_done(&call);
    LIST(&call, "Reshape", 13, &empty, &list, 0, -1);
    op_fails(&call, VT_ERR_FORMAT, "do not fill"); /* nothing says what -1 is */
}

static void one_number_becomes_a_scalar(void **state)
{
    (void)state;
    vt_tensor x = X(1, 1), list;
    op_call call;
    list_call(&call, "Reshape", 13, &x, &list, NULL, 0);
    op_run(&call);
    assert_int_equal(call.outputs[0].shape.rank, 0);
    assert_numbers(&call.outputs[0], 1, (double[]){1});
    op_done(&call);
}

static void flatten_makes_a_matrix(void **state)
{
    (void)state;
    vt_tensor x = X(2, 3, 2), scalar = SCALAR(VT_F32, ramp);
    op_call call = {"Flatten", 13, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){2, 6});
    op_done(&call);
    const vt_attr all[] = {ATTR_INT("axis", 3)}, last[] = {ATTR_INT("axis", -1)};
    const vt_attr outside[] = {ATTR_INT("axis", 4)}, none[] = {ATTR_INT("axis", 0)};
    call.attrs = all;
    call.attr_count = 1;
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){12, 1});
    op_done(&call);
    call.attrs = last;
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){6, 2});
    op_done(&call);
    call.attrs = outside;
    op_fails(&call, VT_ERR_FORMAT, "axis 4");
    call.attrs = none;
    call.inputs[0] = &scalar;
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){1, 1});
    op_done(&call);
}

static void squeeze_and_unsqueeze(void **state)
{
    (void)state;
    vt_tensor x = X(1, 3, 1), list;
    op_call call = {"Squeeze", 13, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    assert_shape(&call.outputs[0], 1, (int64_t[]){3});
    op_done(&call);
    LIST(&call, "Squeeze", 13, &x, &list, -1);
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){1, 3});
    op_done(&call);
    LIST(&call, "Squeeze", 13, &x, &list, 1);
    op_fails(&call, VT_ERR_FORMAT, "has size 3");
    LIST(&call, "Unsqueeze", 13, &x, &list, -1, 0);
    op_run(&call);
    assert_shape(&call.outputs[0], 5, (int64_t[]){1, 1, 3, 1, 1});
    op_done(&call);
    LIST(&call, "Unsqueeze", 13, &x, &list, 4);
    op_fails(&call, VT_ERR_FORMAT, "axis 4");
    LIST(&call, "Unsqueeze", 13, &x, &list, 0, 1, 2, 3, 4, 5);
    op_fails(&call, VT_ERR_UNSUPPORTED, "9 dimensions");
    const vt_attr axes[] = {ATTR_INTS("axes", 0)};
    call = (op_call){"Squeeze", 11, ATTRS(axes), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){3, 1});
    op_done(&call);
}

static void transpose_reorders(void **state)
{
    (void)state;
    vt_tensor x = X(2, 3, 2);
    const vt_attr order[] = {ATTR_INTS("perm", 1, 2, 0)};
    const vt_attr twice[] = {ATTR_INTS("perm", 0, 0, 1)};
    const vt_attr few[] = {ATTR_INTS("perm", 0, 1)};
    const vt_attr minus[] = {ATTR_INTS("perm", 0, 1, -1)};
    op_call call = {"Transpose", 13, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3, 2), 1, 7, 3, 9, 5, 11, 2, 8, 4, 10, 6, 12);
    op_done(&call);
    call.attr_count = 1;
    call.attrs = order;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 2, 2), 1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12);
    op_done(&call);
    call.attrs = twice;
    op_fails(&call, VT_ERR_FORMAT, "twice");
    call.attrs = few;
    op_fails(&call, VT_ERR_FORMAT, "2 axes");
    call.attrs = minus;
    op_fails(&call, VT_ERR_FORMAT, "negative");
}

static void slice_with(const int64_t numbers[4], op_call *call, vt_tensor tensors[4])
{
    for (size_t i = 0; i < 4; i++) {
        tensors[i] = (vt_tensor){
            .dtype = VT_I64, .shape = {1, {1}}, .data = (void *)(uintptr_t)&numbers[i], .bytes = 8};
        call->inputs[i + 1] = &tensors[i];
    }
    call->input_count = 5;
}

static void slices_forwards_and_backwards(void **state)
{
    (void)state;
    vt_tensor x = X(2, 6), tensors[4];
    op_call call = {"Slice", 13, .inputs = {&x}};
    slice_with((int64_t[]){1, -1, 1, 2}, &call, tensors);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 2, 4, 8, 10);
    op_done(&call);
    slice_with((int64_t[]){-1, INT64_MIN, -1, -2}, &call, tensors);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 6, 4, 2, 12, 10, 8);
    op_done(&call);
    slice_with((int64_t[]){INT64_MIN, INT64_MAX, 0, 1}, &call, tensors);
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){2, 6});
    op_done(&call);
    slice_with((int64_t[]){INT64_MAX, INT64_MIN, 1, INT64_MIN}, &call, tensors);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1), 6, 12);
    op_done(&call);
    slice_with((int64_t[]){4, 2, 1, 1}, &call, tensors);
    op_run(&call);
    assert_shape(&call.outputs[0], 2, (int64_t[]){2, 0});
    op_done(&call);
    slice_with((int64_t[]){0, 2, 1, 0}, &call, tensors);
    op_fails(&call, VT_ERR_FORMAT, "step 0");
    slice_with((int64_t[]){0, 2, 2, 1}, &call, tensors);
    op_fails(&call, VT_ERR_FORMAT, "axis 2");
    const vt_attr old[] = {ATTR_INTS("starts", 1), ATTR_INTS("ends", 1000)};
    call = (op_call){"Slice", 9, ATTRS(old), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 6), 7, 8, 9, 10, 11, 12);
    op_done(&call);
    const vt_attr uneven[] = {ATTR_INTS("starts", 1), ATTR_INTS("ends", 1, 2)};
    call.attrs = uneven;
    op_fails(&call, VT_ERR_FORMAT, "differ in length");
}

static void concat_joins(void **state)
{
    (void)state;
    vt_tensor a = X(2, 2), b = X(2, 1), none = {.dtype = VT_F32, .shape = {2, {2, 0}}};
    const vt_attr axis[] = {ATTR_INT("axis", -1)}, rows[] = {ATTR_INT("axis", 0)};
    op_call call = {"Concat", 13, ATTRS(axis), .inputs = {&a, &none, &b}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 1, 2, 1, 3, 4, 2);
    op_done(&call);
    call.attrs = rows;
    op_fails(&call, VT_ERR_FORMAT, "does not fit");
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "\"axis\" is missing");
}

static void split_cuts(void **state)
{
    (void)state;
    vt_tensor x = X(7), list;
    op_call call;
    LIST(&call, "Split", 13, &x, &list, 3, 0, 4);
    call.output_count = 3;
    op_run(&call);
    assert_numbers(&call.outputs[0], 3, (double[]){1, 2, 3});
    assert_int_equal(vt_tensor_count(&call.outputs[1]), 0);
    assert_numbers(&call.outputs[2], 4, (double[]){4, 5, 6, 7});
    op_done(&call);
    LIST(&call, "Split", 13, &x, &list, 3, 3);
    call.output_count = 2;
    op_fails(&call, VT_ERR_FORMAT, "leave 1");
    LIST(&call, "Split", 13, &x, &list, 8, -1);
    call.output_count = 2;
    op_fails(&call, VT_ERR_FORMAT, "does not fit");
    const vt_attr parts[] = {ATTR_INT("num_outputs", 3)};
    call =
        (op_call){"Split", 18, ATTRS(parts), .inputs = {&x}, .input_count = 1, .output_count = 3};
    op_run(&call);
    assert_numbers(&call.outputs[2], 1, (double[]){7});
    op_done(&call);
    call.output_count = 2;
    op_fails(&call, VT_ERR_FORMAT, "num_outputs");
    call.opset = 13;
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "equal parts");
}

static void gather_picks(void **state)
{
    (void)state;
    vt_tensor x = X(3, 2);
    int64_t good[] = {2, -3}, bad[] = {0, 3};
    vt_tensor i = TENSOR(VT_I64, good, 1, 2), wrong = TENSOR(VT_I64, bad, 2);
    op_call call = {"Gather", 13, .inputs = {&x, &i}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), 5, 6, 1, 2);
    op_done(&call);
    call.inputs[1] = &wrong;
    op_fails(&call, VT_ERR_FORMAT, "index 3 is outside");
    call.inputs[1] = &x;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type f32");
}

static void expand_repeats_within_limits(void **state)
{
    (void)state;
    vt_tensor x = X(2, 1), list;
    op_call call;
    LIST(&call, "Expand", 13, &x, &list, 2, 1, 3);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2, 3), 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2);
    op_done(&call);
    LIST(&call, "Expand", 13, &x, &list, 1000000, 2, 1000000);
    op_fails(&call, VT_ERR_LIMIT, "over the limit");
    LIST(&call, "Expand", 13, &x, &list, INT64_MAX, 2, INT64_MAX);
    op_fails(&call, VT_ERR_LIMIT, "over the limit");
    LIST(&call, "Expand", 13, &x, &list, -1, 1);
    op_fails(&call, VT_ERR_FORMAT, "would be -1");
}

static void pad_has_four_modes(void **state)
{
    (void)state;
    vt_tensor x = X(3), list;
    float nine[] = {9};
    vt_tensor value = SCALAR(VT_F32, nine);
    const vt_attr edge[] = {ATTR_TEXT("mode", "edge")}, wrap[] = {ATTR_TEXT("mode", "wrap")};
    const vt_attr reflect[] = {ATTR_TEXT("mode", "reflect")}, odd[] = {ATTR_TEXT("mode", "odd")};
    op_call call;
    LIST(&call, "Pad", 19, &x, &list, 2, 1);
    call.inputs[2] = &value;
    call.input_count = 3;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(6), 9, 9, 1, 2, 3, 9);
    op_done(&call);
    call.attr_count = 1;
    call.attrs = edge;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(6), 1, 1, 1, 2, 3, 3);
    op_done(&call);
    call.attrs = reflect;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(6), 3, 2, 1, 2, 3, 2);
    op_done(&call);
    call.attrs = wrap;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(6), 2, 3, 1, 2, 3, 1);
    op_done(&call);
    call.opset = 18;
    op_fails(&call, VT_ERR_FORMAT, "\"mode\"");
    call.attrs = odd;
    op_fails(&call, VT_ERR_FORMAT, "\"mode\"");
    LIST(&call, "Pad", 13, &x, &list, -1, 2);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), 2, 3, 0, 0);
    op_done(&call);
    LIST(&call, "Pad", 13, &x, &list, -3, -1);
    op_fails(&call, VT_ERR_FORMAT, "pads -3 and -1");
    LIST(&call, "Pad", 13, &x, &list, INT64_MAX, INT64_MAX);
    op_fails(&call, VT_ERR_FORMAT, "pads");
    LIST(&call, "Pad", 13, &x, &list, 1);
    op_fails(&call, VT_ERR_FORMAT, "1 pads for 1 axes");
    const vt_attr old[] = {ATTR_INTS("pads", 0, 1), ATTR_FLOAT("value", 0.5f)};
    call = (op_call){"Pad", 2, ATTRS(old), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), 1, 2, 3, 0.5);
    op_done(&call);
}

static void pad_copies_blocks_between_borders(void **state)
{
    (void)state;
    double wide[] = {1, 2, 3, 4, 5, 6, 7, 8};
    vt_tensor x = TENSOR(VT_F64, wide, 2, 2, 2), list;
    const vt_attr edge[] = {ATTR_TEXT("mode", "edge")};
    op_call call;
    LIST(&call, "Pad", 13, &x, &list, 1, 0, 0, 0, 1, 0); /* the last axis stays */
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 3, 2), 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 5, 6, 7, 8, 0, 0);
    op_done(&call);
    LIST(&call, "Pad", 13, &x, &list, -1, 0, 1, 0, 0, -1);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), 0, 5, 0, 7);
    op_done(&call);
    LIST(&call, "Pad", 13, &x, &list, 0, 0, 0, 0, 1, 0);
    call.attrs = edge;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3, 2), 1, 2, 3, 4, 3, 4, 5, 6, 7, 8, 7, 8);
    op_done(&call);
    LIST(&call, "Pad", 13, &x, &list, 0, 0, 0, 0, 0, 0);
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2, 2), 1, 2, 3, 4, 5, 6, 7, 8);
    op_done(&call);
}

static void pad_takes_axes(void **state)
{
    (void)state;
    vt_tensor x = X(2, 2), list;
    int64_t last[] = {-1};
    vt_tensor axes = TENSOR(VT_I64, last, 1);
    op_call call;
    LIST(&call, "Pad", 18, &x, &list, 0, 1);
    call.inputs[3] = &axes;
    call.input_count = 4;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 3), 1, 2, 0, 3, 4, 0);
    op_done(&call);
}

static void shape_and_size_need_no_data(void **state)
{
    (void)state;
    vt_tensor x = X(2, 3, 2);
    op_call call = {"Shape", 13, .inputs = {&x}, .input_count = 1, .computed = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 2, 3, 2);
    op_done(&call);
    const vt_attr part[] = {ATTR_INT("start", -2), ATTR_INT("end", 100)};
    call = (op_call){"Shape", 15, ATTRS(part), .inputs = {&x}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 3, 2);
    op_done(&call);
    call = (op_call){"Size", 13, .inputs = {&x}, .input_count = 1};
    op_run(&call);
    assert_numbers(&call.outputs[0], 1, (double[]){12});
    op_done(&call);
}

static void constants_come_in_many_forms(void **state)
{
    (void)state;
    vt_tensor x = X(2);
    const float floats[] = {1.5f, 2.5f};
    const vt_attr tensor = {.name = "value", .kind = VT_ATTR_TENSOR, .tensor = &x};
    const vt_attr one = ATTR_INT("value_int", 7), many = ATTR_INTS("value_ints", 4, 5);
    const vt_attr list = {
        .name = "value_floats", .kind = VT_ATTR_FLOATS, .floats = floats, .count = 2};
    const vt_attr text = ATTR_TEXT("value_string", "x");
    op_call call = {"Constant", 13, .attrs = &tensor, .attr_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 1, 2);
    op_done(&call);
    call.attrs = &one;
    op_run(&call);
    assert_int_equal(call.outputs[0].shape.rank, 0);
    assert_numbers(&call.outputs[0], 1, (double[]){7});
    op_done(&call);
    call.attrs = &many;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 4, 5);
    op_done(&call);
    call.attrs = &list;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 1.5, 2.5);
    op_done(&call);
    call.attrs = &text;
    op_fails(&call, VT_ERR_UNSUPPORTED, "text");
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "0 values");
}

static void constant_of_shape_is_limited(void **state)
{
    (void)state;
    float seven[] = {7};
    vt_tensor value = TENSOR(VT_F32, seven, 1), list;
    const vt_attr attr = {.name = "value", .kind = VT_ATTR_TENSOR, .tensor = &value};
    op_call call;
    LIST(&call, "ConstantOfShape", 9, NULL, &list, 2, 2);
    call.inputs[0] = &list;
    call.input_count = 1;
    call.attrs = &attr;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 7, 7, 7, 7);
    op_done(&call);
    call.limits = vt_model_limits_defaults();
    call.limits.tensor_bytes = 15;
    op_fails(&call, VT_ERR_LIMIT, "limit of 15 bytes");
    list.data = (int64_t[]){INT64_MAX, INT64_MAX};
    op_fails(&call, VT_ERR_LIMIT, "limit");
    list.data = (int64_t[]){-1, 2};
    op_fails(&call, VT_ERR_FORMAT, "would be -1");
}

static void range_counts(void **state)
{
    (void)state;
    int64_t numbers[] = {10, 4, -3, 0, INT64_MIN, INT64_MAX, 1};
    float floats[] = {1, 2, 0.25f, NAN, INFINITY};
    vt_tensor start = SCALAR(VT_I64, numbers), limit = start, delta = start;
    limit.data = numbers + 1;
    delta.data = numbers + 2;
    op_call call = {"Range", 11, .inputs = {&start, &limit, &delta}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 10, 7);
    op_done(&call);
    delta.data = numbers + 3;
    op_fails(&call, VT_ERR_FORMAT, "delta is 0");
    start.data = numbers + 4;
    limit.data = numbers + 5;
    delta.data = numbers + 6;
    op_fails(&call, VT_ERR_LIMIT, "limit");
    start = limit = delta = (vt_tensor)SCALAR(VT_F32, floats);
    limit.data = floats + 1;
    delta.data = floats + 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), 1, 1.25, 1.5, 1.75);
    op_done(&call);
    delta.data = floats + 3;
    op_fails(&call, VT_ERR_FORMAT, "no range");
    limit.data = floats + 4;
    delta.data = floats + 2;
    op_fails(&call, VT_ERR_LIMIT, "limit");
    call.computed = 1;
    op_fails(&call, VT_ERR_UNSUPPORTED, "needed to plan");
}

static void dropout_passes_or_draws(void **state)
{
    (void)state;
    vt_tensor x = X(10);
    op_call call = {"Dropout", 13, .inputs = {&x}, .input_count = 1, .output_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(10), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    assert_int_equal(call.outputs[1].dtype, VT_BOOL);
    assert_numbers(&call.outputs[1], 10, (double[]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
    op_done(&call);
    float half[] = {0.5f}, one[] = {1.0f};
    uint8_t yes[] = {1};
    vt_tensor ratio = SCALAR(VT_F32, half), training = SCALAR(VT_BOOL, yes);
    vt_tensor all = SCALAR(VT_F32, one);
    call.inputs[1] = &ratio;
    call.inputs[2] = &training;
    call.input_count = 3;
    op_run(&call); /* the first fractions of MT19937 with seed 0: 0.5488 0.7152 0.6028 0.5449 0.4237
                      0.6459 0.4376 0.8918 0.9637 0.3834 */
    ASSERT_OUTPUT(call, DIMS(10), 2, 4, 6, 8, 0, 12, 0, 16, 18, 0);
    op_done(&call);
    call.inputs[1] = &all;
    op_fails(&call, VT_ERR_FORMAT, "ratio 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape_copies_and_fills),
        cmocka_unit_test(one_number_becomes_a_scalar),
        cmocka_unit_test(flatten_makes_a_matrix),
        cmocka_unit_test(squeeze_and_unsqueeze),
        cmocka_unit_test(transpose_reorders),
        cmocka_unit_test(slices_forwards_and_backwards),
        cmocka_unit_test(concat_joins),
        cmocka_unit_test(split_cuts),
        cmocka_unit_test(gather_picks),
        cmocka_unit_test(expand_repeats_within_limits),
        cmocka_unit_test(pad_has_four_modes),
        cmocka_unit_test(pad_copies_blocks_between_borders),
        cmocka_unit_test(pad_takes_axes),
        cmocka_unit_test(shape_and_size_need_no_data),
        cmocka_unit_test(constants_come_in_many_forms),
        cmocka_unit_test(constant_of_shape_is_limited),
        cmocka_unit_test(range_counts),
        cmocka_unit_test(dropout_passes_or_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
