/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes and messages: the table, truncation, aliasing, errno, context. */
#include "base/buf.h"
#include "support/scratch.h"

#include <errno.h>

static void test_table(void **state)
{
    (void)state;
    assert_string_equal(vt_status_text(VT_OK), "ok");
    assert_int_equal(vt_status_http(VT_OK), 200);
    assert_int_equal(vt_status_exit_code(VT_OK), 0);
    assert_int_equal(vt_status_http(VT_ERR_NOT_FOUND), 404);
    assert_int_equal(vt_status_exit_code(VT_ERR_NO_MEMORY), 14);
    for (int a = 0; a < VT_STATUS_COUNT; a++) {
        assert_true(strlen(vt_status_text((vt_status)a)) > 0);
        for (int b = 0; b < a; b++)
            assert_int_not_equal(vt_status_exit_code((vt_status)a),
                                 vt_status_exit_code((vt_status)b));
    }
    assert_true(strlen(vt_version()) >= 5);
}

static void test_foreign_code_is_internal(void **state)
{
    (void)state;
    assert_string_equal(vt_status_text(VT_STATUS_COUNT), vt_status_text(VT_ERR_INTERNAL));
    assert_int_equal(vt_status_http((vt_status)-1), 500);
    assert_int_equal(vt_status_exit_code((vt_status)12345), 1);
}

static void test_fail_without_error(void **state)
{
    (void)state;
    assert_int_equal(vt_fail(NULL, VT_ERR_IO, "x %d", 1), VT_ERR_IO);
    assert_int_equal(vt_fail_memory(NULL, "x"), VT_ERR_NO_MEMORY);
    assert_int_equal(vt_fail_errno(NULL, ENOENT, "open", "x"), VT_ERR_NOT_FOUND);
    assert_int_equal(vt_fail_context(NULL, VT_ERR_LIMIT, "x"), VT_ERR_LIMIT);
}

static void test_fail_fills(void **state)
{
    (void)state;
    vt_error error;
    assert_int_equal(vt_fail(&error, VT_ERR_FORMAT, "read \"%s\": line %d", "a.csv", 3),
                     VT_ERR_FORMAT);
    assert_int_equal(error.status, VT_ERR_FORMAT);
    assert_string_equal(error.message, "read \"a.csv\": line 3");
    assert_int_equal(vt_fail_memory(&error, "a tensor"), VT_ERR_NO_MEMORY);
    assert_non_null(strstr(error.message, "a tensor"));
    assert_non_null(strstr(error.message, "out of memory"));
}

/* A message may quote the one it replaces. */
static void test_fail_may_quote_itself(void **state)
{
    (void)state;
    vt_error error;
    vt_fail(&error, VT_ERR_IO, "inner");
    vt_fail(&error, VT_ERR_FORMAT, "outer (%s)", error.message);
    assert_string_equal(error.message, "outer (inner)");
    vt_fail_context(&error, VT_ERR_IO, "again %s", error.message);
    assert_string_equal(error.message, "again outer (inner): outer (inner)");
}

/* Cut at every possible place inside a run of characters of each length. */
static void test_truncation_keeps_utf8(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < 4; c++) {
        for (int shift = 0; shift < 5; shift++) {
            char text[2048] = "";
            memset(text, 'x', (size_t)shift);
            for (size_t at = (size_t)shift; at < 1500; at += strlen(characters[c]))
                memcpy(text + at, characters[c], strlen(characters[c]));
            vt_error error;
            vt_fail(&error, VT_ERR_IO, "%s", text);
            size_t length = strlen(error.message);
            assert_true(length < sizeof error.message);
            assert_true(length >= sizeof error.message - 4);
            assert_true(vt_utf8_valid(error.message, length));
        }
    }
}

static void test_errno(void **state)
{
    (void)state;
    vt_error error;
    assert_int_equal(vt_fail_errno(&error, ENOENT, "open", "a"), VT_ERR_NOT_FOUND);
    assert_string_equal(error.message, "open \"a\": no such file or directory");
    assert_int_equal(vt_fail_errno(&error, EACCES, "open", "a"), VT_ERR_DENIED);
    assert_int_equal(vt_fail_errno(&error, ENOMEM, "open", "a"), VT_ERR_NO_MEMORY);
    assert_int_equal(vt_fail_errno(&error, EIO, "open", "a"), VT_ERR_IO);
    assert_int_equal(vt_fail_errno(&error, 123456, "open", "a"), VT_ERR_IO);
    assert_non_null(strstr(error.message, "123456"));
}

static void test_context(void **state)
{
    (void)state;
    vt_error error;
    vt_fail(&error, VT_ERR_LIMIT, "decode \"x.jpg\": too large");
    assert_int_equal(vt_fail_context(&error, VT_ERR_IO, "line %d", 7), VT_ERR_LIMIT);
    assert_int_equal(error.status, VT_ERR_LIMIT);
    assert_string_equal(error.message, "line 7: decode \"x.jpg\": too large");

    char wide[600];
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    vt_fail_context(&error, VT_ERR_IO, "%s", wide);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);

    error = (vt_error){0};
    assert_int_equal(vt_fail_context(&error, VT_ERR_IO, "nothing before"), VT_ERR_IO);
    assert_int_equal(error.status, VT_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_foreign_code_is_internal),
        cmocka_unit_test(test_fail_without_error),
        cmocka_unit_test(test_fail_fills),
        cmocka_unit_test(test_fail_may_quote_itself),
        cmocka_unit_test(test_truncation_keeps_utf8),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
