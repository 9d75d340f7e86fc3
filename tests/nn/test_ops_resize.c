/* SPDX-License-Identifier: Apache-2.0 */
/* Resize and Upsample: modes, coordinates, sizes and what they refuse. Numbers by hand. */
#include "operators.h"

static float ramp[] = {1, 2, 3, 4, 5, 6, 7, 8};
#define X(...) TENSOR(VT_F32, ramp, __VA_ARGS__)

/* A call of Resize with scales or sizes along the last axes of x. */
typedef struct resize_call {
    op_call call;
    vt_tensor x, scales, sizes, region;
    float scale[4], roi[8];
    int64_t size[4];
} resize_call;

static void with_scales(resize_call *r, int opset, const float *scales, int64_t count)
{
    memcpy(r->scale, scales, (size_t)count * sizeof *scales);
    r->scales = (vt_tensor){.dtype = VT_F32, .shape = {1, {count}}, .data = r->scale};
    r->call = (op_call){"Resize", opset, .inputs = {&r->x, NULL, &r->scales}, .input_count = 3};
}

static void with_sizes(resize_call *r, int opset, const int64_t *sizes, int64_t count)
{
    memcpy(r->size, sizes, (size_t)count * sizeof *sizes);
    r->sizes = (vt_tensor){.dtype = VT_I64, .shape = {1, {count}}, .data = r->size};
    r->call =
        (op_call){"Resize", opset, .inputs = {&r->x, NULL, NULL, &r->sizes}, .input_count = 4};
}
#define SCALES(r, opset, ...)                                                                      \
    with_scales(r, opset, (float[]){__VA_ARGS__}, sizeof((float[]){__VA_ARGS__}) / sizeof(float))
#define SIZES(r, opset, ...)                                                                       \
    with_sizes(r, opset, (int64_t[]){__VA_ARGS__},                                                 \
               sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#define WITH(r, list)                                                                              \
    do {                                                                                           \
        (r).call.attrs = (list);                                                                   \
        (r).call.attr_count = sizeof(list) / sizeof((list)[0]);                                    \
    } while (0)

static void nearest_repeats(void **state)
{
    (void)state;
    resize_call r = {.x = X(1, 1, 2, 2)};
    SCALES(&r, 13, 1, 1, 2, 3);
    op_run(&r.call);
    ASSERT_OUTPUT(r.call, DIMS(1, 1, 4, 6), 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3,
                  3, 3, 4, 4, 4);
    op_done(&r.call);
}

static void nearest_rounds_ties_as_told(void **state)
{
    (void)state;
    static const char *const modes[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    static const double wanted[4][8] = {{1, 1, 2, 2, 3, 3, 4, 4},
                                        {1, 2, 2, 3, 3, 4, 4, 4},
                                        {1, 1, 2, 2, 3, 3, 4, 4},
                                        {1, 2, 2, 3, 3, 4, 4, 4}};
    resize_call r = {.x = X(4)};
    for (int i = 0; i < 4; i++) {
        const vt_attr attrs[] = {ATTR_TEXT("coordinate_transformation_mode", "asymmetric"),
                                 ATTR_TEXT("nearest_mode", modes[i])};
        SCALES(&r, 13, 2);
        WITH(r, attrs);
        op_run(&r.call);
        assert_numbers(&r.call.outputs[0], 8, wanted[i]);
        op_done(&r.call);
    }
}

static void nearest_moves_bits(void **state)
{
    (void)state;
    int64_t large[] = {INT64_MAX - 1, INT64_MIN + 1};
    resize_call r = {.x = TENSOR(VT_I64, large, 2)};
    SIZES(&r, 13, 4);
    op_run(&r.call);
    const int64_t *out = r.call.outputs[0].data;
    assert_true(out[1] == large[0] && out[2] == large[1]);
    op_done(&r.call);
}

static void linear_between_pixels(void **state)
{
    (void)state;
    resize_call r = {.x = X(1, 1, 2, 2)};
    const vt_attr linear[] = {ATTR_TEXT("mode", "linear")};
    const vt_attr corners[] = {ATTR_TEXT("mode", "linear"),
                               ATTR_TEXT("coordinate_transformation_mode", "align_corners")};
    SCALES(&r, 11, 1, 1, 2, 2);
    WITH(r, linear);
    op_run(&r.call);
    ASSERT_OUTPUT(r.call, DIMS(1, 1, 4, 4), 1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25,
                  3.5, 3, 3.25, 3.75, 4);
    op_done(&r.call);
    r.x = (vt_tensor)X(4);
    SCALES(&r, 13, 0.6f); /* 2.4 wide, 2 of them */
    WITH(r, corners);
    op_run(&r.call);
    ASSERT_OUTPUT(r.call, DIMS(2), 1, 1 + 3 / 1.4);
    op_done(&r.call);
}

static void coordinates_of_one_result(void **state)
{
    (void)state;
    static const char *const modes[] = {"half_pixel", "pytorch_half_pixel", "align_corners",
                                        "asymmetric"};
    static const double wanted[] = {2.5, 1, 1, 1};
    resize_call r = {.x = X(4)};
    for (int i = 0; i < 4; i++) {
        const vt_attr attrs[] = {ATTR_TEXT("mode", "linear"),
                                 ATTR_TEXT("coordinate_transformation_mode", modes[i])};
        SIZES(&r, 13, 1);
        WITH(r, attrs);
        op_run(&r.call);
        assert_numbers(&r.call.outputs[0], 1, &wanted[i]);
        op_done(&r.call);
    }
}

static void symmetric_keeps_the_centre(void **state)
{
    (void)state;
    resize_call r = {.x = X(2)};
    const vt_attr attrs[] = {ATTR_TEXT("mode", "linear"),
                             ATTR_TEXT("coordinate_transformation_mode", "half_pixel_symmetric")};
    SCALES(&r, 19, 2.3f);
    WITH(r, attrs);
    op_run(&r.call);
    ASSERT_OUTPUT(r.call, DIMS(4), 1, 1.282609, 1.717391, 2);
    op_done(&r.call);
    r.call.opset = 18;
    op_fails(&r.call, VT_ERR_FORMAT, "half_pixel_symmetric");
}

static void cubic_weighs_four(void **state)
{
    (void)state;
    resize_call r = {.x = X(4)};
    const vt_attr cubic[] = {ATTR_TEXT("mode", "cubic")};
    const vt_attr inside[] = {ATTR_TEXT("mode", "cubic"), ATTR_INT("exclude_outside", 1)};
    SCALES(&r, 13, 2);
    WITH(r, cubic);
    op_run(&r.call);
    assert_true(fabs(vt_tensor_get(&r.call.outputs[0], 0) - 0.89453125) < 1e-6);
    assert_true(fabs(vt_tensor_get(&r.call.outputs[0], 7) - (5 - 0.89453125)) < 1e-6);
    op_done(&r.call);
    WITH(r, inside);
    op_run(&r.call);
    assert_true(fabs(vt_tensor_get(&r.call.outputs[0], 0) - 0.66796875 / 0.7734375) < 1e-6);
    op_done(&r.call);
}

static void antialias_stretches_the_filter(void **state)
{
    (void)state;
    resize_call r = {.x = X(4)};
    const vt_attr attrs[] = {ATTR_TEXT("mode", "linear"), ATTR_INT("antialias", 1)};
    SIZES(&r, 18, 2);
    WITH(r, attrs);
    op_run(&r.call);
    ASSERT_OUTPUT(r.call, DIMS(2), 1.625, 3.375);
    op_done(&r.call);
    SIZES(&r, 18, 8); /* growing, it is the plain filter */
    WITH(r, attrs);
    op_run(&r.call);
    ASSERT_OUTPUT(r.call, DIMS(8), 1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4);
    op_done(&r.call);
}

static void crop_extrapolates(void **state)
{
    (void)state;
    resize_call r = {.x = X(4)};
    const vt_attr linear[] = {ATTR_TEXT("mode", "linear"),
                              ATTR_TEXT("coordinate_transformation_mode", "tf_crop_and_resize"),
                              ATTR_FLOAT("extrapolation_value", 10.0f)};
    const vt_attr nearest[] = {ATTR_TEXT("coordinate_transformation_mode", "tf_crop_and_resize"),
                               ATTR_FLOAT("extrapolation_value", 10.0f)};
    r.roi[0] = 0.0f;
    r.roi[1] = 4.0f / 3.0f;
    r.region = (vt_tensor){.dtype = VT_F32, .shape = {1, {2}}, .data = r.roi};
    SIZES(&r, 13, 3);
    r.call.inputs[1] = &r.region;
    WITH(r, linear);
    op_run(&r.call);
    ASSERT_OUTPUT(r.call, DIMS(3), 1, 3, 10);
    op_done(&r.call);
    WITH(r, nearest);
    op_run(&r.call);
    ASSERT_OUTPUT(r.call, DIMS(3), 1, 3, 10);
    op_done(&r.call);
    r.roi[1] = INFINITY;
    op_fails(&r.call, VT_ERR_FORMAT, "region");
    r.call.inputs[1] = NULL;
    op_fails(&r.call, VT_ERR_FORMAT, "a region of 0 numbers");
}

static void aspect_ratio_is_kept(void **state)
{
    (void)state;
    resize_call r = {.x = X(2, 4)};
    const vt_attr larger[] = {ATTR_TEXT("keep_aspect_ratio_policy", "not_larger"),
                              ATTR_INTS("axes", 0, 1)};
    const vt_attr smaller[] = {ATTR_TEXT("keep_aspect_ratio_policy", "not_smaller"),
                               ATTR_INTS("axes", -2, -1)};
    const vt_attr twice[] = {ATTR_INTS("axes", 1, -1)};
    SIZES(&r, 18, 7, 8);
    WITH(r, larger);
    op_run(&r.call);
    assert_shape(&r.call.outputs[0], 2, (int64_t[]){4, 8});
    op_done(&r.call);
    WITH(r, smaller);
    op_run(&r.call);
    assert_shape(&r.call.outputs[0], 2, (int64_t[]){7, 14});
    op_done(&r.call);
    WITH(r, twice);
    op_fails(&r.call, VT_ERR_FORMAT, "twice");
    r.call.opset = 13;
    op_fails(&r.call, VT_ERR_UNSUPPORTED, "axes");
}

static void old_forms(void **state)
{
    (void)state;
    float scale[] = {0.6f}, doubled[] = {2.0f};
    vt_tensor x = X(4), scales = TENSOR(VT_F32, scale, 1), two = X(2);
    vt_tensor twice = TENSOR(VT_F32, doubled, 1);
    const vt_attr attribute[] = {
        {.name = "scales", .kind = VT_ATTR_FLOATS, .floats = doubled, .count = 1},
        ATTR_TEXT("mode", "linear")};
    op_call call = {"Resize", 10, .inputs = {&x, &scales}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(2), 1, 3);
    op_done(&call);
    call = (op_call){"Upsample", 9, .inputs = {&two, &twice}, .input_count = 2};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), 1, 1, 2, 2);
    op_done(&call);
    call = (op_call){"Upsample", 7, ATTRS(attribute), .inputs = {&two}, .input_count = 1};
    op_run(&call);
    ASSERT_OUTPUT(call, DIMS(4), 1, 1.5, 2, 2);
    op_done(&call);
    assert_null(vt_op_find("", "Upsample", 10));
}

static void lengths_follow_f32(void **state)
{
    (void)state;
    float ten[10] = {0};
    resize_call r = {.x = TENSOR(VT_F32, ten, 10)};
    SCALES(&r, 13, 0.7f);
    op_run(&r.call);
    assert_shape(&r.call.outputs[0], 1, (int64_t[]){7});
    op_done(&r.call);
}

static void scales_mean_what_f32_cannot_hold(void **state)
{
    (void)state;
    const vt_attr down[] = {ATTR_TEXT("nearest_mode", "floor")};
    resize_call r = {.x = X(4)};
    SCALES(&r, 13, 0.6f);
    WITH(r, down);
    op_run(&r.call); /* 1.5 / 0.6 - 0.5 is 2 */
    ASSERT_OUTPUT(r.call, DIMS(2), 1, 3);
    op_done(&r.call);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    resize_call r = {.x = X(2, 4)};
    const vt_attr unknown[] = {ATTR_TEXT("mode", "lanczos")};
    SCALES(&r, 13, 1, 0);
    op_fails(&r.call, VT_ERR_FORMAT, "a scale of 0");
    SCALES(&r, 13, 1, NAN);
    op_fails(&r.call, VT_ERR_FORMAT, "a scale of");
    SCALES(&r, 13, 1, 1e30f);
    op_fails(&r.call, VT_ERR_LIMIT, "scaled by");
    SCALES(&r, 13, 2);
    op_fails(&r.call, VT_ERR_FORMAT, "1 scales for 2 axes");
    SCALES(&r, 13, 1, 2);
    r.call.computed = 4;
    op_fails(&r.call, VT_ERR_UNSUPPORTED, "needed to plan");
    WITH(r, unknown);
    op_fails(&r.call, VT_ERR_FORMAT, "lanczos");
    SIZES(&r, 13, 2, -1);
    op_fails(&r.call, VT_ERR_FORMAT, "to become -1");
    SIZES(&r, 13, INT64_MAX, INT64_MAX);
    op_fails(&r.call, VT_ERR_LIMIT, "over the limit");
    SIZES(&r, 13, 2, 4);
    r.scales = (vt_tensor){.dtype = VT_F32, .shape = {1, {2}}, .data = r.scale};
    r.call.inputs[2] = &r.scales;
    op_fails(&r.call, VT_ERR_FORMAT, "beside sizes");
    r.call.input_count = 1;
    op_fails(&r.call, VT_ERR_FORMAT, "0 scales");
    vt_tensor empty = {.dtype = VT_F32, .shape = {1, {0}}};
    r.x = empty;
    SIZES(&r, 13, 3);
    op_fails(&r.call, VT_ERR_FORMAT, "an axis of 0 to become 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_repeats),
        cmocka_unit_test(nearest_rounds_ties_as_told),
        cmocka_unit_test(nearest_moves_bits),
        cmocka_unit_test(linear_between_pixels),
        cmocka_unit_test(coordinates_of_one_result),
        cmocka_unit_test(symmetric_keeps_the_centre),
        cmocka_unit_test(cubic_weighs_four),
        cmocka_unit_test(antialias_stretches_the_filter),
        cmocka_unit_test(crop_extrapolates),
        cmocka_unit_test(aspect_ratio_is_kept),
        cmocka_unit_test(old_forms),
        cmocka_unit_test(lengths_follow_f32),
        cmocka_unit_test(scales_mean_what_f32_cannot_hold),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
