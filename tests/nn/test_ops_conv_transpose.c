/* SPDX-License-Identifier: Apache-2.0 */
/* ConvTranspose and CausalConvWithState. */
#include "operators.h"

static float ramp[] = {1, 2, 3, 4, 5, 6, 7, 8};
static float ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};

#define NUMBERS(source, ...)                                                                       \
    {                                                                                              \
        .dtype = VT_F32, .data = (source), .shape = {                                              \
            .rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                            \
            .dims = {__VA_ARGS__}                                                                  \
        }                                                                                          \
    }

static void spreads_the_kernel(void **state)
{
    (void)state;
    float bias[] = {100}, kernel[] = {1, 10, 100};
    vt_tensor x = NUMBERS(ramp, 1, 1, 3), w = NUMBERS(kernel, 1, 1, 3), b = NUMBERS(bias, 1);
    vt_tensor picture = NUMBERS(ramp, 1, 1, 2, 2), square = NUMBERS(ramp, 1, 1, 2, 2);
    const vt_attr wide[] = {ATTR_INTS("strides", 2), ATTR_INTS("dilations", 2)};
    op_call call = {"ConvTranspose", 11, .inputs = {&x, &w, &b}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 5), 101, 112, 223, 330, 400);
    op_done(&call);
    call = (op_call){"ConvTranspose", 11, ATTRS(wide), .inputs = {&x, &w}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 9), 1, 0, 12, 0, 123, 0, 230, 0, 300);
    op_done(&call);
    call = (op_call){"ConvTranspose", 1, .inputs = {&picture, &square}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 3, 3), 1, 4, 4, 6, 20, 16, 9, 24, 16);
    op_done(&call);
}

static void cuts_and_adds_padding(void **state)
{
    (void)state;
    float kernel[] = {1, 10, 100};
    vt_tensor x = NUMBERS(ramp, 1, 1, 3), w = NUMBERS(kernel, 1, 1, 3);
    const vt_attr pads[] = {ATTR_INTS("pads", 1, 2)};
    const vt_attr extra[] = {ATTR_INTS("strides", 2), ATTR_INTS("output_padding", 1)};
    const vt_attr valid[] = {ATTR_INTS("pads", 1, 2), ATTR_TEXT("auto_pad", "VALID")};
    const vt_attr all[] = {ATTR_INTS("pads", 3, 3)}, exact[] = {ATTR_INTS("pads", 3, 2)};
    op_call call = {"ConvTranspose", 11, ATTRS(pads), .inputs = {&x, &w}, .input_count = 2};
    op_run(&call); /* 1 12 123 230 300 without the ends */
    ASSERT_OUTPUT(call, DIMS(1, 1, 2), 12, 123);
    op_done(&call);
    call.attrs = valid;
    call.attr_count = 2;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 5), 1, 12, 123, 230, 300);
    op_done(&call);
    call.attrs = extra;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 8), 1, 10, 102, 20, 203, 30, 300, 0);
    op_done(&call);
    call.attrs = all;
    call.attr_count = 1;
    op_fails(&call, VT_ERR_FORMAT, "leaves no output");
    call.attrs = exact;
    op_run(&call);
    assert_shape(&call.outputs[0], 3, (const int64_t[]){1, 1, 0});
    op_done(&call);
}

static void pads_towards_a_size(void **state)
{
    (void)state;
    float kernel[] = {1, 10, 100};
    vt_tensor x = NUMBERS(ramp, 1, 1, 3), w = NUMBERS(kernel, 1, 1, 3);
    vt_tensor two = NUMBERS(kernel, 1, 1, 1);
    const vt_attr upper[] = {ATTR_TEXT("auto_pad", "SAME_UPPER"), ATTR_INTS("strides", 2)};
    const vt_attr lower[] = {ATTR_TEXT("auto_pad", "SAME_LOWER"), ATTR_INTS("strides", 2)};
    const vt_attr size[] = {ATTR_INTS("output_shape", 4), ATTR_INTS("pads", 9, 9)};
    const vt_attr full[] = {ATTR_INTS("output_shape", 1, 1, 4)};
    const vt_attr above[] = {ATTR_INTS("output_shape", 7)};
    op_call call = {"ConvTranspose", 22, ATTRS(upper), .inputs = {&x, &w}, .input_count = 2};
    op_run(&call); /* 1 10 102 20 203 30 300, one too many */
    ASSERT_OUTPUT(call, DIMS(1, 1, 6), 1, 10, 102, 20, 203, 30);
    op_done(&call);
    call.attrs = lower;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 6), 10, 102, 20, 203, 30, 300);
    op_done(&call);
    call.inputs[1] = &two; /* too few: 1 0 2 0 3 */
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 6), 1, 0, 2, 0, 3, 0);
    op_done(&call);
    call.inputs[1] = &w;
    call.attrs = size;
    op_run(&call); /* given pads count nothing; the extra one is cut in front */
    ASSERT_OUTPUT(call, DIMS(1, 1, 4), 12, 123, 230, 300);
    op_done(&call);
    call.attrs = full;
    call.attr_count = 1;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 4), 12, 123, 230, 300);
    op_done(&call);
    call.attrs = above;
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(1, 1, 7), 1, 12, 123, 230, 300, 0, 0);
    op_done(&call);
}

static void keeps_groups_apart(void **state)
{
    (void)state;
    float kernel[] = {1, 10, 100, 1000}, half[] = {0, 0, 0, 0};
    uint16_t x_half[] = {0x3c00, 0x4000}, w_half[] = {0x3c00, 0x3c00};
    const vt_attr groups[] = {ATTR_INT("group", 2)};
    vt_tensor x = NUMBERS(ramp, 2, 2, 1), w = NUMBERS(kernel, 2, 2, 1), b = NUMBERS(half, 4);
    vt_tensor xh = TENSOR(VT_F16, x_half, 1, 2, 1), wh = TENSOR(VT_F16, w_half, 2, 1, 1);
    op_call call = {"ConvTranspose", 11, ATTRS(groups), .inputs = {&x, &w, &b}, .input_count = 3};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2, 4, 1), 1, 10, 200, 2000, 3, 30, 400, 4000);
    op_done(&call);
    call = (op_call){"ConvTranspose", 11, .inputs = {&xh, &wh}, .input_count = 2};
    op_run(&call); /* one group: a sum over the channels */
    assert_int_equal(call.outputs[0].dtype, VT_F16);
    ASSERT_OUTPUT(call, DIMS(1, 1, 1), 3);
    op_done(&call);
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    vt_tensor x = NUMBERS(ramp, 1, 2, 2, 2), w = NUMBERS(ramp, 2, 1, 2, 2);
    vt_tensor flat = NUMBERS(ramp, 2, 2), one = NUMBERS(ramp, 1, 1, 2, 2), b = NUMBERS(ones, 2);
    vt_tensor none = {.dtype = VT_F32, .shape = {4, {2, 1, 0, 2}}};
    const vt_attr no_group[] = {ATTR_INT("group", 0)}, three[] = {ATTR_INT("group", 3)};
    const vt_attr stride[] = {ATTR_INTS("strides", 0, 1)}, short_pads[] = {ATTR_INTS("pads", 1)};
    const vt_attr huge[] = {ATTR_INTS("strides", INT64_MAX, 1)};
    const vt_attr minus[] = {ATTR_INTS("output_padding", -1, 0)};
    const vt_attr far[] = {ATTR_INTS("strides", INT32_MAX, INT32_MAX)};
    const vt_attr size[] = {ATTR_INTS("output_shape", 1, 2, 3, 4, 5)};
    const vt_attr minus_size[] = {ATTR_INTS("output_shape", -1, 2)};
    const vt_attr mode[] = {ATTR_TEXT("auto_pad", "SOMEHOW")};
    const vt_attr kernel[] = {ATTR_INTS("kernel_shape", 3, 3)};
    const struct {
        const vt_attr *attr;
        vt_status status;
        const char *reason;
    } cases[] = {
        {no_group, VT_ERR_FORMAT, "\"group\""},
        {three, VT_ERR_FORMAT, "2 channels do not divide into 3 groups"},
        {stride, VT_ERR_FORMAT, "\"strides\""},
        {short_pads, VT_ERR_FORMAT, "\"pads\" has 1 numbers"},
        {huge, VT_ERR_FORMAT, "\"strides\""},
        {minus, VT_ERR_FORMAT, "\"output_padding\""},
        {far, VT_ERR_LIMIT, "limit"},
        {size, VT_ERR_FORMAT, "\"output_shape\" has 5 numbers"},
        {minus_size, VT_ERR_FORMAT, "\"output_shape\" has -1"},
        {mode, VT_ERR_FORMAT, "auto_pad"},
        {kernel, VT_ERR_FORMAT, "\"kernel_shape\" says 3"},
    };
    op_call call = {"ConvTranspose", 11, .attr_count = 1, .inputs = {&x, &w}, .input_count = 2};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        call.attrs = cases[i].attr;
        op_fails(&call, cases[i].status, cases[i].reason);
    }
    call.attr_count = 0;
    call.inputs[1] = &one;
    op_fails(&call, VT_ERR_FORMAT, "input of 2 channels, the weights take 1");
    call.inputs[1] = &none;
    op_fails(&call, VT_ERR_FORMAT, "kernel of size 0");
    call.inputs[1] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "input 1 has 2 dimensions");
    call.inputs[1] = &w;
    call.inputs[2] = &b;
    call.input_count = 3;
    op_fails(&call, VT_ERR_FORMAT, "bias");
    call.inputs[0] = &flat;
    op_fails(&call, VT_ERR_FORMAT, "input 0 has 2 dimensions");
}

/* ---- CausalConvWithState ---- */

static void causal_convolves_state_and_input(void **state)
{
    (void)state;
    float kernel[] = {1, 10, 100, 1, 1, 1}, past[] = {7, 8, 0, 0}, bias[] = {0, 1000};
    vt_tensor x = NUMBERS(ramp, 1, 2, 2), w = NUMBERS(kernel, 2, 1, 3), b = NUMBERS(bias, 2);
    vt_tensor p = NUMBERS(past, 1, 2, 2), wrong = NUMBERS(past, 1, 2, 1);
    const vt_attr swish[] = {ATTR_TEXT("activation", "silu")};
    const vt_attr other[] = {ATTR_TEXT("activation", "tanh")};
    op_call call = {"CausalConvWithState", 27, .inputs = {&x, &w, &b, &p}, .input_count = 4,
                    .output_count = 2};
    op_run(&call); /* 7 8 1 2 and 0 0 3 4 */
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), 187, 218, 1003, 1007);
    assert_shape(&call.outputs[1], 3, (const int64_t[]){1, 2, 2});
    assert_numbers(&call.outputs[1], 4, (const double[]){1, 2, 3, 4});
    op_done(&call);
    call.input_count = 2;
    call.output_count = 1;
    call.attrs = swish;
    call.attr_count = 1;
    op_run(&call); /* 0 0 1 2: 100, 210; 0 0 3 4: 3, 7 */
    ASSERT_OUTPUT(call, DIMS(1, 2, 2), 100, 210, 3 / (1 + exp(-3.0)), 7 / (1 + exp(-7.0)));
    op_done(&call);
    call.attrs = other;
    op_fails(&call, VT_ERR_FORMAT, "\"tanh\"");
    call.attr_count = 0;
    call.input_count = 4;
    call.inputs[3] = &wrong;
    op_fails(&call, VT_ERR_FORMAT, "past_state");
    call.input_count = 2;
    call.inputs[1] = &p;
    op_fails(&call, VT_ERR_FORMAT, "one kernel per channel");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads_the_kernel),
        cmocka_unit_test(cuts_and_adds_padding),
        cmocka_unit_test(pads_towards_a_size),
        cmocka_unit_test(keeps_groups_apart),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(causal_convolves_state_and_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
