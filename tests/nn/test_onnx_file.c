/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile protobuf bytes. */
#include "models.h"

#include "nn/onnx_file.h"

/* Field `number` with `length` bytes around what `out` holds from its end backwards. */
static uint8_t *wrap(uint8_t *at, const uint8_t *end, unsigned number)
{
    size_t length = (size_t)(end - at), digits = 1;
    for (size_t rest = length; rest >= 128; rest >>= 7)
        digits++;
    at -= digits;
    for (size_t i = 0, rest = length; i < digits; i++, rest >>= 7)
        at[i] = (uint8_t)((rest & 0x7f) | (i + 1 < digits ? 0x80 : 0));
    *--at = (uint8_t)(number << 3 | 2);
    return at;
}

static void deep_nesting_is_refused_before_recursion(void **state)
{
    (void)state;
    enum { ROOM = 1 << 20, LEVELS = 20000 };
    uint8_t *bytes = vt_alloc(ROOM), *end = bytes + ROOM, *at = end;
    vt_model *model;
    vt_error error;
    assert_non_null(bytes);
    for (int i = 0; i < LEVELS; i++) {
        at = wrap(at, end, 6); /* AttributeProto.g */
        at = wrap(at, end, 5); /* NodeProto.attribute */
        at = wrap(at, end, 1); /* GraphProto.node */
    }
    at = wrap(at, end, 7); /* ModelProto.graph */
    assert_int_equal(vt_model_parse(at, (size_t)(end - at), NULL, &model, &error), VT_ERR_LIMIT);
    assert_non_null(strstr(error.message, "nested deeper"));
    vt_free(bytes);
}

static void broken_wire_format_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } rows[] = {
        {"", 0},
        {"\x08", 1},                                          /* a number that is not there */
        {"\x3a\x05\x00", 3},                                  /* longer than the file */
        {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* longer than anything */
        {"\x3b", 1},                                          /* a group */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11}, /* an endless number */
        {"\x0d\x01\x02", 3},                                  /* half of four bytes */
        {"hello, I am no ONNX file at all", 31},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        vt_model *model;
        assert_int_equal(vt_model_parse(rows[i].bytes, rows[i].length, NULL, &model, NULL),
                         VT_ERR_FORMAT);
    }
}

static void unpacking_has_a_budget(void **state)
{
    (void)state;
    vt_onnx_budget budget;
    vt_onnx_budget_init(&budget, 100);
    assert_true(budget.left < 100000);
    size_t left = budget.left;
    void *memory = budget.allocator.alloc(budget.allocator.allocator_data, 1000);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    assert_int_equal(budget.left, left - 1000);
    assert_null(budget.allocator.alloc(budget.allocator.allocator_data, left));
    assert_true(budget.exceeded);
    assert_int_equal(vt_onnx_unpack_failed(&budget, "x", NULL), VT_ERR_LIMIT);
    budget.allocator.free(budget.allocator.allocator_data, memory);
    vt_onnx_budget_init(&budget, SIZE_MAX);
    assert_true(budget.left > 0);
}

/* Empty attributes: two bytes each in the file, hundreds in memory. */
static void amplification_is_bounded(void **state)
{
    (void)state;
    enum { COUNT = 2000000 };
    uint8_t *bytes = vt_alloc(COUNT * 2 + 64), *end = bytes + COUNT * 2 + 64;
    uint8_t *at = end - COUNT * 2;
    vt_model *model;
    assert_non_null(bytes);
    for (size_t i = 0; i < COUNT; i++) {
        at[2 * i] = 5 << 3 | 2; /* NodeProto.attribute, empty */
        at[2 * i + 1] = 0;
    }
    at = wrap(at, end, 1);
    at = wrap(at, end, 7);
    vt_error error;
    vt_status status = vt_model_parse(at, (size_t)(end - at), NULL, &model, &error);
    assert_true(status == VT_ERR_LIMIT || status == VT_ERR_FORMAT);
    vt_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deep_nesting_is_refused_before_recursion),
        cmocka_unit_test(broken_wire_format_is_refused),
        cmocka_unit_test(unpacking_has_a_budget),
        cmocka_unit_test(amplification_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
