/* SPDX-License-Identifier: Apache-2.0 */
/* Quantised operators; numbers worked out by hand from the operator specification. */
#include "operators.h"

static float one[] = {1}, half[] = {0.5f}, two[] = {2}, zero_scale[] = {0};
static const vt_tensor scale_one = SCALAR(VT_F32, one), scale_half = SCALAR(VT_F32, half);
static const vt_tensor scale_two = SCALAR(VT_F32, two), scale_zero = SCALAR(VT_F32, zero_scale);

static void quantize_rounds_half_to_even_and_saturates(void **state)
{
    (void)state;
    float values[] = {0, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 1000, -1000, NAN, INFINITY, -INFINITY};
    uint8_t ten[] = {10};
    vt_tensor x = TENSOR(VT_F32, values, 11), zero_point = SCALAR(VT_U8, ten);
    op_call call = {"QuantizeLinear", 10, .inputs = {&x, &scale_one, &zero_point},
                    .input_count = 3};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_U8);
    ASSERT_OUTPUT(call, DIMS(11), 10, 10, 12, 12, 10, 8, 255, 0, 10, 255, 0);
    op_done(&call);
}

static void quantize_into_each_type(void **state)
{
    (void)state;
    static const struct {
        vt_dtype dtype;
        double want[4];
    } cases[] = {
        {VT_U8, {200, 0, 255, 0}},
        {VT_I8, {127, -128, 127, -128}},
        {VT_U16, {200, 0, 65535, 0}},
        {VT_I16, {200, -200, 32767, -32768}},
    };
    float values[] = {100, -100, 40000, -40000};
    uint16_t nothing[] = {0};
    vt_tensor x = TENSOR(VT_F32, values, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vt_tensor zero_point = TENSOR(cases[i].dtype, nothing, 1);
        op_call call = {"QuantizeLinear", 28, .inputs = {&x, &scale_half, &zero_point},
                        .input_count = 3};
        op_run(&call);
        assert_int_equal(call.outputs[0].dtype, cases[i].dtype);
        assert_numbers(&call.outputs[0], 4, cases[i].want);
        op_done(&call);
        const vt_attr attrs[] = {ATTR_INT("output_dtype", cases[i].dtype)};
        call = (op_call){"QuantizeLinear", 21, ATTRS(attrs), .inputs = {&x, &scale_half},
                         .input_count = 2};
        op_run(&call);
        assert_int_equal(call.outputs[0].dtype, cases[i].dtype);
        assert_numbers(&call.outputs[0], 4, cases[i].want);
        op_done(&call);
    }
}

static void quantize_along_an_axis(void **state)
{
    (void)state;
    float values[] = {1, 2, 3, 4}, scales[] = {1, 2};
    uint8_t offsets[] = {0, 100};
    vt_tensor x = TENSOR(VT_F32, values, 1, 2, 2), scale = TENSOR(VT_F32, scales, 2);
    vt_tensor zero_point = TENSOR(VT_U8, offsets, 2);
    const vt_attr last[] = {ATTR_INT("axis", -1)};
    op_call call = {"QuantizeLinear", 13, .inputs = {&x, &scale, &zero_point}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), 1, 2, 102, 102);
    op_done(&call);
    call.attrs = last;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), 1, 101, 3, 102);
    op_done(&call);
}

static void quantize_in_blocks(void **state)
{
    (void)state;
    float wide[] = {2, 4, 8, 8, 16, 24}, tall[] = {1, 2, 3, 4, 8, 16}, scales[] = {1, 2, 4, 8};
    vt_tensor x = TENSOR(VT_F32, wide, 2, 3), scale = TENSOR(VT_F32, scales, 2, 2);
    vt_tensor y = TENSOR(VT_F32, tall, 3, 2);
    const vt_attr columns[] = {ATTR_INT("block_size", 2)};
    const vt_attr rows[] = {ATTR_INT("block_size", 2), ATTR_INT("axis", 0)};
    const vt_attr narrow[] = {ATTR_INT("block_size", 1)};
    const vt_attr minus[] = {ATTR_INT("block_size", -2)};
    op_call call = {"QuantizeLinear", 21, ATTRS(columns), .inputs = {&x, &scale}, .input_count = 2};
    op_run(&call); /* the last block of each row has one element */
    ASSERT_OUTPUT(call, DIMS(2, 3), 2, 4, 4, 2, 4, 3);
    op_done(&call);
    call.attrs = minus;
    op_fails(&call, VT_ERR_FORMAT, "\"block_size\"");
    call.attrs = narrow; /* three blocks, two scales */
    op_fails(&call, VT_ERR_FORMAT, "block of 1 along axis 1");
    call.attr_count = 0;
    op_fails(&call, VT_ERR_FORMAT, "steps of axis 1");
    call = (op_call){"QuantizeLinear", 21, ATTRS(rows), .inputs = {&y, &scale}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 2), 1, 1, 3, 2, 2, 2);
    op_done(&call);
}

static void quantize_divides_in_the_precision_it_is_told(void **state)
{
    (void)state;
    float values[] = {2049};
    uint16_t half_one[] = {0x3c00}, nothing[] = {0};
    int32_t whole[] = {7, -7, 9}, three[] = {3};
    vt_tensor x = TENSOR(VT_F32, values, 1), scale = SCALAR(VT_F16, half_one);
    vt_tensor zero_point = SCALAR(VT_U16, nothing), n = TENSOR(VT_I32, whole, 3);
    vt_tensor n_zero = SCALAR(VT_I8, nothing), n_scale = SCALAR(VT_I32, three);
    const vt_attr wide[] = {ATTR_INT("precision", VT_F32)};
    const vt_attr integer[] = {ATTR_INT("precision", VT_I32)};
    op_call call = {"QuantizeLinear", 23, .inputs = {&x, &scale, &zero_point}, .input_count = 3};
    op_run(&call); /* f16 has no 2049 */
    ASSERT_OUTPUT(call, DIMS(1), 2048);
    op_done(&call);
    call.attrs = wide;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1), 2049);
    op_done(&call);
    call.attrs = integer;
    op_fails(&call, VT_ERR_UNSUPPORTED, "\"precision\": type 6");
    call = (op_call){"QuantizeLinear", 10, .inputs = {&n, &scale_two, &n_zero}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 4, -4, 4);
    op_done(&call);
    call = (op_call){"QuantizeLinear", 23, .inputs = {&n, &n_scale, &n_zero}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 2, -2, 3);
    op_done(&call);
}

static void quantize_rounds_the_quotient_first(void **state)
{
    (void)state;
    /* 1535/512 by 2047/1024 is 1.49976, in f16 (steps of 1/1024) 1.5, which goes to 2. */
    uint16_t dividend[] = {0x41ff}, divisor[] = {0x3fff};
    vt_tensor x = TENSOR(VT_F16, dividend, 1), scale = TENSOR(VT_F16, divisor, 1);
    const vt_attr wide[] = {ATTR_INT("precision", VT_F32)};
    op_call call = {"QuantizeLinear", 19, .inputs = {&x, &scale}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1), 2);
    op_done(&call);
    call = (op_call){"QuantizeLinear", 23, ATTRS(wide), .inputs = {&x, &scale}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1), 1);
    op_done(&call);
}

static void quantize_refuses_what_cannot_be(void **state)
{
    (void)state;
    float values[] = {1, 2, 3, 4}, three[] = {1, 1, 1}, bad[] = {1, 0}, endless[] = {INFINITY};
    uint8_t nothing[] = {0, 0};
    int32_t whole[] = {0};
    vt_tensor x = TENSOR(VT_F32, values, 2, 2), scales3 = TENSOR(VT_F32, three, 3);
    vt_tensor dead = TENSOR(VT_F32, bad, 2), zeros = TENSOR(VT_U8, nothing, 2);
    vt_tensor infinite = SCALAR(VT_F32, endless);
    vt_tensor wrong = SCALAR(VT_I32, whole);
    const vt_attr outside[] = {ATTR_INT("axis", 2)};
    const vt_attr float8[] = {ATTR_INT("output_dtype", 17)};
    const vt_attr int4[] = {ATTR_INT("output_dtype", 22)};
    const vt_attr shifted[] = {ATTR_INT("output_dtype", 35)}; /* 1 << 35 must not alias VT_I8 */
    const vt_attr other[] = {ATTR_INT("output_dtype", VT_I8)};
    op_call call = {"QuantizeLinear", 13, .inputs = {&x, &scales3}, .input_count = 2};
    op_fails(&call, VT_ERR_FORMAT, "each of the 2 steps of axis 1");
    call.opset = 10;
    op_fails(&call, VT_ERR_FORMAT, "not a single number, as opset 10");
    call.opset = 13;
    call.inputs[1] = &dead;
    op_fails(&call, VT_ERR_FORMAT, "scale 1 in input 1 is 0");
    call.inputs[1] = &scale_zero;
    op_fails(&call, VT_ERR_FORMAT, "scale 0 in input 1 is 0");
    call.inputs[1] = &infinite;
    op_fails(&call, VT_ERR_FORMAT, "scale 0 in input 1 is inf");
    call.inputs[1] = &scale_one;
    call.inputs[2] = &zeros;
    call.input_count = 3;
    op_fails(&call, VT_ERR_FORMAT, "different shapes");
    call.inputs[2] = &wrong;
    op_fails(&call, VT_ERR_UNSUPPORTED, "input 2 has type i32");
    dead.data = three;
    call = (op_call){"QuantizeLinear", 21, ATTRS(outside), .inputs = {&x, &dead}, .input_count = 2};
    op_fails(&call, VT_ERR_FORMAT, "axis 2");
    call.attrs = float8;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type 17");
    call.attrs = int4;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type 22");
    call.attrs = shifted;
    op_fails(&call, VT_ERR_UNSUPPORTED, "type 35");
    call.attrs = other;
    call.inputs[2] = &zeros;
    call.input_count = 3;
    op_fails(&call, VT_ERR_FORMAT, "the zero point has type u8");
}

/* Nobody can know beforehand that a computed scale is 0: of a picture that is black. */
static void quantize_by_a_computed_zero_is_defined(void **state)
{
    (void)state;
    float values[] = {0, 1, -1};
    uint8_t offset[] = {7};
    vt_tensor x = TENSOR(VT_F32, values, 3), zero_point = SCALAR(VT_U8, offset);
    op_call call = {"QuantizeLinear", 13, .inputs = {&x, &scale_zero, &zero_point},
                    .input_count = 3, .computed = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), 7, 255, 0);
    op_done(&call);
}

static void dequantize_each_type(void **state)
{
    (void)state;
    uint8_t bytes[] = {0, 128, 255}, middle[] = {128};
    int32_t sums[] = {-3, 7, INT32_MIN};
    int16_t low[] = {-32768}, high[] = {32767};
    uint16_t tiny[] = {0x1400}; /* f16 2^-10 */
    vt_tensor x = TENSOR(VT_U8, bytes, 3), zero_point = SCALAR(VT_U8, middle);
    vt_tensor n = TENSOR(VT_I32, sums, 3), w = TENSOR(VT_I16, low, 1);
    vt_tensor w_zero = TENSOR(VT_I16, high, 1), scale = TENSOR(VT_F16, tiny, 1);
    const vt_attr f16[] = {ATTR_INT("output_dtype", VT_F16)};
    const vt_attr f64[] = {ATTR_INT("output_dtype", VT_F64)};
    op_call call = {"DequantizeLinear", 10, .inputs = {&x, &scale_half, &zero_point},
                    .input_count = 3};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_F32);
    ASSERT_OUTPUT(call, DIMS(3), -64, 0, 63.5);
    op_done(&call);
    call = (op_call){"DequantizeLinear", 10, .inputs = {&n, &scale_two}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3), -6, 14, -4294967296.0);
    op_done(&call);
    call = (op_call){"DequantizeLinear", 21, .inputs = {&w, &scale, &w_zero}, .input_count = 3};
    op_run(&call); /* -65535 is beyond f16, a 1024th of it is not; 1/32 is f16's step there */
    assert_int_equal(call.outputs[0].dtype, VT_F16);
    ASSERT_OUTPUT(call, DIMS(1), -64);
    op_done(&call);
    call = (op_call){"DequantizeLinear", 23, ATTRS(f16), .inputs = {&x, &scale_half},
                     .input_count = 2};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_F16);
    ASSERT_OUTPUT(call, DIMS(3), 0, 64, 127.5);
    op_done(&call);
    call.attrs = f64;
    op_fails(&call, VT_ERR_UNSUPPORTED, "\"output_dtype\": type 11");
}

static void dequantize_along_an_axis_and_in_blocks(void **state)
{
    (void)state;
    int8_t bytes[] = {1, 2, 3, 4, 5, 6}, offsets[] = {1, 2, 3, 4};
    float scales[] = {1, 10, 100, 1000};
    vt_tensor x = TENSOR(VT_I8, bytes, 3, 2), scale = TENSOR(VT_F32, scales, 2);
    vt_tensor zero_point = TENSOR(VT_I8, offsets, 2);
    vt_tensor grid = TENSOR(VT_F32, scales, 2, 2), grid_zero = TENSOR(VT_I8, offsets, 2, 2);
    const vt_attr first[] = {ATTR_INT("axis", 0)};
    const vt_attr rows[] = {ATTR_INT("axis", 0), ATTR_INT("block_size", 2)};
    op_call call = {"DequantizeLinear", 13, .inputs = {&x, &scale, &zero_point}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 2), 0, 0, 2, 20, 4, 40);
    op_done(&call);
    call.attrs = first;
    call.attr_count = 1;
    op_fails(&call, VT_ERR_FORMAT, "each of the 3 steps of axis 0");
    call = (op_call){"DequantizeLinear", 21, ATTRS(rows), .inputs = {&x, &grid, &grid_zero},
                     .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(3, 2), 0, 0, 2, 20, 200, 2000);
    op_done(&call);
    call.inputs[2] = &x; /* the type is right, the shape is not */
    op_fails(&call, VT_ERR_FORMAT, "different shapes");
    grid_zero.dtype = VT_U8;
    call.inputs[2] = &grid_zero;
    op_fails(&call, VT_ERR_FORMAT, "zero point in input 2 has type u8, input 0 has i8");
}

static void dynamic_quantize_covers_data_and_zero(void **state)
{
    (void)state;
    float mixed[] = {-2, 0, 1, 2, 3.1f}, plus[] = {1.2f, 2}, minus[] = {-1.2f, -2},
          black[] = {0, 0};
    static const struct {
        size_t count;
        double scale, zero_point, y[5];
    } want[] = {
        /* 5.1 / 255 = 0.02: one step */
        {5, 0.02, 100, {0, 100, 150, 200, 255}},
        {2, 2.0 / 255, 0, {153, 255}},
        {2, 2.0 / 255, 255, {102, 0}},
        {2, 0, 0, {0, 0}},
    };
    float *data[] = {mixed, plus, minus, black};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        vt_tensor x = {.dtype = VT_F32, .shape = {1, {(int64_t)want[i].count}}, .data = data[i]};
        op_call call = {"DynamicQuantizeLinear", 11, .inputs = {&x}, .input_count = 1,
                        .output_count = 3};
        op_run(&call);
        assert_int_equal(call.outputs[0].dtype, VT_U8);
        assert_numbers(&call.outputs[0], want[i].count, want[i].y);
        assert_int_equal(call.outputs[1].shape.rank, 0);
        assert_numbers(&call.outputs[1], 1, &want[i].scale);
        assert_int_equal(call.outputs[2].dtype, VT_U8);
        assert_numbers(&call.outputs[2], 1, &want[i].zero_point);
        op_done(&call);
    }
}

static void dynamic_quantize_of_nothing_and_of_nonsense(void **state)
{
    (void)state;
    float nonsense[] = {NAN, 1, -INFINITY};
    const double none = 0.0, zeros[] = {0, 0, 0};
    vt_tensor empty = {.dtype = VT_F32, .shape = {1, {0}}}, x = TENSOR(VT_F32, nonsense, 3);
    op_call call = {"DynamicQuantizeLinear", 11, .inputs = {&empty}, .input_count = 1,
                    .output_count = 3};
    op_run(&call);
    assert_numbers(&call.outputs[1], 1, &none);
    assert_numbers(&call.outputs[2], 1, &none);
    op_done(&call);
    call.inputs[0] = &x;
    op_run(&call);
    assert_numbers(&call.outputs[0], 3, zeros);
    assert_true(isnan(vt_tensor_get(&call.outputs[1], 0)));
    assert_numbers(&call.outputs[2], 1, &none);
    op_done(&call);
}

/* x less 10 is 0 10 20; the two kernels less 0 and 1 are (1, -1) and (1, 2); one step of padding in
 * front, which must count as the zero point. */
static uint8_t conv_x[] = {10, 20, 30}, ten[] = {10};
static int8_t conv_w[] = {1, -1, 2, 3}, conv_w_zero[] = {0, 1};
static const vt_tensor conv_x_tensor = TENSOR(VT_U8, conv_x, 1, 1, 3);
static const vt_tensor conv_w_tensor = TENSOR(VT_I8, conv_w, 2, 1, 2);
static const vt_tensor ten_tensor = SCALAR(VT_U8, ten);
static const vt_tensor conv_w_zero_tensor = TENSOR(VT_I8, conv_w_zero, 2);

static void conv_integer_takes_zero_points_off(void **state)
{
    (void)state;
    int8_t many[] = {0, 0, 0};
    uint8_t two_zeros[] = {0, 0};
    vt_tensor three = TENSOR(VT_I8, many, 3), pair = TENSOR(VT_U8, two_zeros, 2);
    const vt_attr attrs[] = {ATTR_INTS("pads", 1, 0)};
    op_call call = {"ConvInteger", 10, ATTRS(attrs),
                    .inputs = {&conv_x_tensor, &conv_w_tensor, &ten_tensor, &conv_w_zero_tensor},
                    .input_count = 4};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_I32);
    ASSERT_OUTPUT(call, DIMS(1, 2, 3), 0, -10, -10, 0, 20, 50);
    op_done(&call);
    call.inputs[3] = &three;
    op_fails(&call, VT_ERR_FORMAT, "one for each of 2 channels");
    call.inputs[2] = &pair;
    op_fails(&call, VT_ERR_FORMAT, "input 2 is not a single number");
    call.inputs[2] = &conv_w_zero_tensor;
    op_fails(&call, VT_ERR_FORMAT, "zero point in input 2 has type i8");
    call.input_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 3), -10, -10, -10, 30, 80, 130);
    op_done(&call);
}

static void qlinear_conv_rescales_each_channel(void **state)
{
    (void)state;
    float w_scales[] = {1, 2};
    uint8_t hundred[] = {100};
    int32_t biases[] = {2, 0};
    vt_tensor w_scale = TENSOR(VT_F32, w_scales, 2), y_zero = SCALAR(VT_U8, hundred);
    vt_tensor bias = TENSOR(VT_I32, biases, 2), float_bias = TENSOR(VT_F32, w_scales, 2);
    vt_tensor wrong = TENSOR(VT_F32, w_scales, 2, 1), y_wrong = SCALAR(VT_I32, biases);
    const vt_attr attrs[] = {ATTR_INTS("pads", 1, 0)};
    op_call call = {"QLinearConv", 10, ATTRS(attrs),
                    .inputs = {&conv_x_tensor, &scale_half, &ten_tensor, &conv_w_tensor, &w_scale,
                               &conv_w_zero_tensor, &scale_one, &y_zero},
                    .input_count = 8};
    op_run(&call); /* factors 0.5 and 1 */
    assert_int_equal(call.outputs[0].dtype, VT_U8);
    ASSERT_OUTPUT(call, DIMS(1, 2, 3), 100, 95, 95, 100, 120, 150);
    op_done(&call);
    call.inputs[6] = &scale_zero;
    op_fails(&call, VT_ERR_FORMAT, "scale 0 in input 6 is 0");
    call.inputs[6] = &w_scale;
    op_fails(&call, VT_ERR_FORMAT, "input 6 is not a single number");
    call.inputs[6] = &scale_one;
    call.inputs[4] = &wrong;
    op_fails(&call, VT_ERR_FORMAT, "input 4");
    call.inputs[4] = &w_scale;
    call.inputs[7] = &y_wrong;
    op_fails(&call, VT_ERR_UNSUPPORTED, "input 7 has type i32");
    call.inputs[7] = &y_zero;
    call.inputs[8] = &bias;
    call.input_count = 9;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 2, 3), 101, 96, 96, 100, 120, 150);
    op_done(&call);
    call.inputs[8] = &float_bias;
    op_fails(&call, VT_ERR_UNSUPPORTED, "input 8 has type f32");
    bias.shape.dims[0] = 1;
    call.inputs[8] = &bias;
    op_fails(&call, VT_ERR_FORMAT, "bias");
}

/* Rows less 1 and 2: (2, 3), (3, 4); columns less 1 and 2: (0, 2), (0, 3). */
static uint8_t product_a[] = {3, 4, 5, 6}, rows_zero[] = {1, 2};
static int8_t product_b[] = {1, 2, 3, 5}, columns_zero[] = {1, 2};
static const vt_tensor a_tensor = TENSOR(VT_U8, product_a, 2, 2);
static const vt_tensor b_tensor = TENSOR(VT_I8, product_b, 2, 2);
static const vt_tensor a_zero = TENSOR(VT_U8, rows_zero, 2);
static const vt_tensor b_zero = TENSOR(VT_I8, columns_zero, 2);

static void matmul_integer_by_rows_and_columns(void **state)
{
    (void)state;
    uint8_t three[] = {0, 0, 0};
    vt_tensor wrong = TENSOR(VT_U8, three, 3);
    op_call call = {"MatMulInteger", 10, .inputs = {&a_tensor, &b_tensor, &a_zero, &b_zero},
                    .input_count = 4};
    op_run(&call);
    assert_int_equal(call.outputs[0].dtype, VT_I32);
    ASSERT_OUTPUT(call, DIMS(2, 2), 6, 9, 8, 12);
    op_done(&call);
    call.inputs[2] = &wrong;
    op_fails(&call, VT_ERR_FORMAT, "each row of input 0");
    call.inputs[2] = &b_zero;
    op_fails(&call, VT_ERR_FORMAT, "zero point in input 2 has type i8");
    call.input_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 15, 26, 23, 40);
    op_done(&call);
}

static void matmul_integer_in_stacks(void **state)
{
    (void)state;
    vt_tensor stack = TENSOR(VT_U8, product_a, 2, 1, 2),
              stack_zero = TENSOR(VT_U8, rows_zero, 2, 1, 1);
    vt_tensor b_stack = TENSOR(VT_I8, product_b, 1, 2, 2);
    vt_tensor b_stack_zero = TENSOR(VT_I8, columns_zero, 1, 1, 2);
    vt_tensor vector = TENSOR(VT_U8, rows_zero, 2);
    op_call call = {"MatMulInteger", 10, .inputs = {&stack, &b_stack, &stack_zero, &b_stack_zero},
                    .input_count = 4};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 1, 2), 6, 9, 8, 12);
    op_done(&call);
    call.inputs[2] = &vector; /* a vector is for matrices */
    op_fails(&call, VT_ERR_FORMAT, "each row of input 0");
    call = (op_call){"MatMulInteger", 10, .inputs = {&vector, &b_tensor}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 7, 12);
    op_done(&call);
}

static void qlinear_matmul_rescales_rows_and_columns(void **state)
{
    (void)state;
    float a_scales[] = {1, 2}, b_scales[] = {1, 0.5f}, small[] = {0.001f};
    int8_t minus_five[] = {-5};
    vt_tensor a_scale = TENSOR(VT_F32, a_scales, 2), b_scale = TENSOR(VT_F32, b_scales, 2);
    vt_tensor y_zero = SCALAR(VT_I8, minus_five), fine = SCALAR(VT_F32, small);
    op_call call = {
        "QLinearMatMul", 10,
        .inputs = {&a_tensor, &a_scale, &a_zero, &b_tensor, &b_scale, &b_zero, &scale_two, &y_zero},
        .input_count = 8};
    op_run(&call); /* 3, 2.25, 8, 6 */
    assert_int_equal(call.outputs[0].dtype, VT_I8);
    ASSERT_OUTPUT(call, DIMS(2, 2), -2, -3, 3, 1);
    op_done(&call);
    call.inputs[6] = &fine;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 127, 127, 127, 127);
    op_done(&call);
    call.inputs[6] = &scale_zero;
    op_fails(&call, VT_ERR_FORMAT, "scale 0 in input 6 is 0");
    call.inputs[6] = &a_scale;
    op_fails(&call, VT_ERR_FORMAT, "input 6 is not a single number");
}

static void qlinear_matmul_in_half_scales(void **state)
{
    (void)state;
    uint16_t halves[] = {0x3c00, 0x4000}, half_two[] = {0x4000};
    int8_t nothing[] = {0};
    vt_tensor a_scale = TENSOR(VT_F16, halves, 2), y_scale = SCALAR(VT_F16, half_two);
    vt_tensor b_scale = SCALAR(VT_F16, half_two), y_zero = SCALAR(VT_I8, nothing);
    op_call call = {
        "QLinearMatMul", 21,
        .inputs = {&a_tensor, &a_scale, &a_zero, &b_tensor, &b_scale, &b_zero, &y_scale, &y_zero},
        .input_count = 8};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 2), 6, 9, 16, 24);
    op_done(&call);
    call.inputs[6] = &scale_two;
    op_fails(&call, VT_ERR_FORMAT, "scales of different types");
    call.inputs[6] = &y_scale;
    call.opset = 10;
    op_fails(&call, VT_ERR_UNSUPPORTED, "input 1 has type f16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantize_rounds_half_to_even_and_saturates),
        cmocka_unit_test(quantize_into_each_type),
        cmocka_unit_test(quantize_along_an_axis),
        cmocka_unit_test(quantize_in_blocks),
        cmocka_unit_test(quantize_divides_in_the_precision_it_is_told),
        cmocka_unit_test(quantize_rounds_the_quotient_first),
        cmocka_unit_test(quantize_refuses_what_cannot_be),
        cmocka_unit_test(quantize_by_a_computed_zero_is_defined),
        cmocka_unit_test(dequantize_each_type),
        cmocka_unit_test(dequantize_along_an_axis_and_in_blocks),
        cmocka_unit_test(dynamic_quantize_covers_data_and_zero),
        cmocka_unit_test(dynamic_quantize_of_nothing_and_of_nonsense),
        cmocka_unit_test(conv_integer_takes_zero_points_off),
        cmocka_unit_test(qlinear_conv_rescales_each_channel),
        cmocka_unit_test(matmul_integer_by_rows_and_columns),
        cmocka_unit_test(matmul_integer_in_stacks),
        cmocka_unit_test(qlinear_matmul_rescales_rows_and_columns),
        cmocka_unit_test(qlinear_matmul_in_half_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
