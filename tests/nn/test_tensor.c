/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "nn/tensor.h"

#include <math.h>

static void shapes_are_counted_with_care(void **state)
{
    (void)state;
    size_t count = 77;
    vt_shape scalar = {0}, unknown = {2, {3, -1}}, zero = {3, {INT64_MAX, INT64_MAX, 0}};
    vt_shape huge = {2, {INT64_C(1) << 21, INT64_C(1) << 21}};
    vt_shape wraps = {4, {INT64_C(1) << 32, INT64_C(1) << 32, 1, 1}}, none = {.rank = -1};
    vt_shape most = {2, {INT64_C(1) << 20, INT64_C(1) << 20}};
    assert_true(vt_shape_count(&scalar, &count) && count == 1);
    assert_true(vt_shape_count(&zero, &count) && count == 0);
    assert_true(vt_shape_count(&most, &count) && count == (size_t)1 << 40);
    count = 77;
    assert_false(vt_shape_count(&unknown, &count));
    assert_false(vt_shape_count(&none, &count));
    assert_false(vt_shape_count(&huge, &count));
    assert_false(vt_shape_count(&wraps, &count));
    assert_int_equal(count, 77);
    assert_true(vt_shape_equal(&zero, &zero));
    assert_false(vt_shape_equal(&scalar, &unknown));
}

static void shapes_print_into_any_room(void **state)
{
    (void)state;
    char text[64], small[6];
    vt_shape shape = {4, {1, 3, 224, 224}}, unknown = {2, {-1, 5}}, scalar = {0};
    vt_shape_print(&shape, text, sizeof text);
    assert_string_equal(text, "1x3x224x224");
    vt_shape_print(&unknown, text, sizeof text);
    assert_string_equal(text, "?x5");
    vt_shape_print(&scalar, text, sizeof text);
    assert_string_equal(text, "scalar");
    vt_shape_print(&shape, small, sizeof small);
    assert_string_equal(small, "1x3x2");
    vt_shape_print(&shape, NULL, 0);
}

static void tensors_are_zeroed_aligned_and_limited(void **state)
{
    (void)state;
    vt_error error;
    vt_tensor tensor = {.bytes = 99}, copy;
    vt_shape shape = {2, {3, 5}}, empty = {2, {0, 5}}, unknown = {1, {-1}};
    vt_shape huge = {2, {INT64_C(1) << 20, INT64_C(1) << 20}};
    assert_int_equal(vt_tensor_init(&tensor, VT_F64, &huge, 0, &error), VT_ERR_LIMIT);
    assert_int_equal(vt_tensor_init(&tensor, VT_F32, &shape, 59, &error), VT_ERR_LIMIT);
    assert_int_equal(vt_tensor_init(&tensor, VT_F32, &unknown, 0, &error), VT_ERR_FORMAT);
    assert_int_equal(vt_tensor_init(&tensor, VT_STRING, &shape, 0, &error), VT_ERR_UNSUPPORTED);
    assert_int_equal(tensor.bytes, 99); /* untouched by failures */
    assert_int_equal(vt_tensor_init(&tensor, VT_F32, &shape, 60, &error), VT_OK);
    assert_int_equal(tensor.bytes, 60);
    assert_int_equal((uintptr_t)tensor.data % 64, 0);
    for (size_t i = 0; i < 15; i++)
        assert_true(((float *)tensor.data)[i] == 0.0f);
    ((float *)tensor.data)[7] = 3.5f;
    assert_int_equal(vt_tensor_dup(&tensor, &copy, &error), VT_OK);
    vt_tensor_deinit(&tensor);
    vt_tensor_deinit(&tensor);
    assert_true(vt_tensor_get(&copy, 7) == 3.5);
    vt_tensor_deinit(&copy);
    assert_int_equal(vt_tensor_init(&tensor, VT_F32, &empty, 0, &error), VT_OK);
    assert_null(tensor.data);
    assert_int_equal(vt_tensor_dup(&tensor, &copy, &error), VT_OK);
    assert_int_equal(vt_tensor_count(&copy), 0);
    vt_mem_fail_after(0);
    assert_int_equal(vt_tensor_init(&tensor, VT_F32, &shape, 0, &error), VT_ERR_NO_MEMORY);
    vt_mem_fail_after(-1);
}

static vt_tensor_difference compare(float *a, float *b, int64_t count, double rtol, double atol)
{
    vt_tensor x = {.dtype = VT_F32, .shape = {1, {count}}, .data = a};
    vt_tensor y = {.dtype = VT_F32, .shape = {1, {count}}, .data = b};
    vt_tensor_difference difference;
    assert_int_equal(vt_tensor_compare(&x, &y, rtol, atol, &difference, NULL), VT_OK);
    return difference;
}

static void differences_are_measured(void **state)
{
    (void)state;
    float a[] = {1, 2, 103, NAN, INFINITY}, b[] = {1, 2.5f, 100, NAN, INFINITY};
    vt_tensor_difference difference = compare(a, b, 5, 0.04, 0.0);
    assert_true(difference.max_abs == 3.0 && difference.worst == 2);
    assert_true(fabs(difference.max_rel - 0.2) < 1e-12);
    assert_int_equal(difference.outside, 1);
    float c[] = {NAN, 1, INFINITY, -INFINITY, 1e30f}, d[] = {1, NAN, -INFINITY, 5, INFINITY};
    assert_int_equal(compare(c, d, 5, 1.0, 1e30).outside, 5);
}

static void differences_need_equal_shapes(void **state)
{
    (void)state;
    vt_error error;
    vt_tensor_difference difference;
    float data[4] = {0};
    vt_tensor a = {.dtype = VT_F32, .shape = {1, {4}}, .data = data}, b = a, c = a;
    b.shape = (vt_shape){2, {2, 2}};
    c.dtype = VT_I32;
    assert_int_equal(vt_tensor_compare(&a, &b, 0, 0, &difference, &error), VT_ERR_MISMATCH);
    assert_string_equal(error.message, "compare tensors: have 4 of f32, want 2x2 of f32");
    assert_int_equal(vt_tensor_compare(&a, &c, 0, 0, &difference, &error), VT_ERR_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_counted_with_care),
        cmocka_unit_test(shapes_print_into_any_room),
        cmocka_unit_test(tensors_are_zeroed_aligned_and_limited),
        cmocka_unit_test(differences_are_measured),
        cmocka_unit_test(differences_need_equal_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
