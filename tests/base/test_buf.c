/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers: the maximum, whole appends, printf at the edges, ownership, HTML. */
#include "base/buf.h"
#include "support/scratch.h"

static void test_empty(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 10);
    assert_string_equal(vt_buf_text(&buf), "");
    assert_true(vt_buf_append(&buf, NULL, 0));
    assert_string_equal(buf.data, "");
    size_t length = 99;
    char *taken = vt_buf_take(&buf, &length);
    assert_string_equal(taken, "");
    assert_int_equal(length, 0);
    vt_free(taken);
    taken = vt_buf_take(&buf, NULL);
    assert_string_equal(taken, "");
    vt_free(taken);
    vt_buf_deinit(&buf);
    vt_buf_deinit(&buf);
}

static void test_maximum_is_exact(void **state)
{
    (void)state;
    for (size_t maximum = 0; maximum < 200; maximum++) {
        vt_buf buf;
        vt_buf_init(&buf, maximum);
        for (size_t i = 0; i < maximum; i++)
            assert_true(vt_buf_append_char(&buf, (char)('a' + i % 26)));
        assert_int_equal(buf.length, maximum);
        assert_false(vt_buf_append_char(&buf, 'x'));
        assert_true(buf.failed);
        assert_int_equal(buf.length, maximum);
        assert_true(buf.capacity <= maximum + 1);
        assert_int_equal(strlen(vt_buf_text(&buf)), maximum);
        vt_buf_deinit(&buf);
    }
}

static void test_failed_sticks_until_clear(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 8);
    assert_true(vt_buf_append_text(&buf, "abc"));
    assert_false(vt_buf_append_text(&buf, "too long here"));
    assert_string_equal(buf.data, "abc");
    assert_false(vt_buf_append_text(&buf, "d"));
    assert_false(vt_buf_printf(&buf, "d"));
    assert_false(vt_buf_reserve(&buf, 0));
    assert_null(vt_buf_take(&buf, NULL));
    assert_string_equal(buf.data, "abc");
    vt_buf_clear(&buf);
    assert_true(vt_buf_append_text(&buf, "12345678"));
    assert_string_equal(buf.data, "12345678");
    vt_buf_deinit(&buf);
}

static void test_binary(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 100);
    vt_buf_append(&buf, "a\0b", 3);
    vt_buf_append_char(&buf, '\0');
    assert_int_equal(buf.length, 4);
    assert_memory_equal(buf.data, "a\0b\0\0", 5);
    vt_buf_deinit(&buf);
}

/* Every length around the first capacity and the maximum, from an empty and a filled buffer. */
static void test_printf_edges(void **state)
{
    (void)state;
    for (int already = 0; already < 3; already++) {
        for (int width = 1; width <= 140; width++) {
            vt_buf buf;
            vt_buf_init(&buf, 130);
            for (int i = 0; i < already; i++)
                vt_buf_append_char(&buf, 'x');
            bool fits = already + width <= 130;
            assert_int_equal(vt_buf_printf(&buf, "%*d", width, 7), fits);
            assert_int_equal(buf.failed, !fits);
            assert_int_equal(buf.length, fits ? already + width : already);
            assert_int_equal(strlen(vt_buf_text(&buf)), buf.length);
            if (fits)
                assert_int_equal(buf.data[buf.length - 1], '7');
            vt_buf_deinit(&buf);
        }
    }
}

static void test_reserve_does_not_move(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 100000);
    assert_true(vt_buf_reserve(&buf, 5000));
    char *data = buf.data;
    for (int i = 0; i < 5000; i++)
        vt_buf_append_char(&buf, 'y');
    assert_ptr_equal(buf.data, data);
    assert_false(vt_buf_reserve(&buf, SIZE_MAX));
    vt_buf_deinit(&buf);
}

static void test_unbounded_maximum_is_safe(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, SIZE_MAX);
    assert_true(vt_buf_append_text(&buf, "x"));
    assert_false(vt_buf_reserve(&buf, SIZE_MAX - 1));
    assert_string_equal(buf.data, "x");
    vt_buf_deinit(&buf);
}

static void test_take_moves(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 100);
    vt_buf_append_text(&buf, "one");
    size_t length;
    char *one = vt_buf_take(&buf, &length);
    assert_int_equal(length, 3);
    vt_buf_append_text(&buf, "two");
    assert_string_equal(one, "one");
    assert_string_equal(buf.data, "two");
    vt_free(one);
    vt_buf_deinit(&buf);
}

static void test_html(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 200);
    assert_true(vt_buf_append_html(&buf, ""));
    assert_true(vt_buf_append_html(&buf, "<a href=\"x\">'&'</a> \xC3\xA4"));
    assert_string_equal(buf.data, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt; \xC3\xA4");
    vt_buf_deinit(&buf);
    vt_buf_init(&buf, 7);
    assert_false(vt_buf_append_html(&buf, "ab<c>"));
    assert_true(buf.failed);
    vt_buf_deinit(&buf);
}

static vt_status attempt(void *context)
{
    (void)context;
    vt_buf buf;
    vt_buf_init(&buf, 1 << 20);
    for (int i = 0; i < 500; i++)
        vt_buf_printf(&buf, "line %d\n", i);
    char *taken = vt_buf_take(&buf, NULL);
    vt_status status = taken ? VT_OK : VT_ERR_NO_MEMORY;
    vt_free(taken);
    vt_buf_deinit(&buf);
    return status;
}

static void test_allocation_failure(void **state)
{
    (void)state;
    assert_true(each_allocation_failing(attempt, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_maximum_is_exact),
        cmocka_unit_test(test_failed_sticks_until_clear),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_printf_edges),
        cmocka_unit_test(test_reserve_does_not_move),
        cmocka_unit_test(test_unbounded_maximum_is_safe),
        cmocka_unit_test(test_take_moves),
        cmocka_unit_test(test_html),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
