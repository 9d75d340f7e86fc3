/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON: layout, escapes, repaired text, shortest numbers, locale, limits; read back. */
#include "base/json.h"
#include "base/random.h"
#include "support/scratch.h"

#include <float.h>
#include <locale.h>
#include <math.h>

static void write_sample(vt_buf *buf, bool pretty)
{
    vt_json_writer w;
    vt_json_begin(&w, buf, pretty);
    vt_json_open_object(&w, NULL);
    vt_json_put_text(&w, "t", "x");
    vt_json_put_text(&w, "none", NULL);
    vt_json_open_array(&w, "list");
    vt_json_put_int(&w, NULL, INT64_MIN);
    vt_json_put_bool(&w, NULL, true);
    vt_json_open_object(&w, NULL);
    vt_json_close(&w);
    vt_json_open_array(&w, NULL);
    vt_json_close(&w);
    vt_json_close(&w);
    vt_json_put_number(&w, "n", 1.5, 2);
    vt_json_put_null(&w, "z");
    vt_json_close(&w);
}

static void test_layout(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 10000);
    write_sample(&buf, false);
    assert_string_equal(buf.data, "{\"t\":\"x\",\"none\":null,\"list\":[-9223372036854775808,true,"
                                  "{},[]],\"n\":1.50,\"z\":null}");
    vt_buf_clear(&buf);
    write_sample(&buf, true);
    assert_string_equal(buf.data, "{\n  \"t\": \"x\",\n  \"none\": null,\n  \"list\": [\n"
                                  "    -9223372036854775808,\n    true,\n    {},\n    []\n  ],\n"
                                  "  \"n\": 1.50,\n  \"z\": null\n}");
    vt_buf_deinit(&buf);
}

static void check_text(const char *text, const char *expected)
{
    vt_buf buf;
    vt_buf_init(&buf, 10000);
    vt_json_writer w;
    vt_json_begin(&w, &buf, false);
    vt_json_put_text(&w, NULL, text);
    assert_string_equal(buf.data, expected);
    vt_buf_deinit(&buf);
}

static void test_escapes(void **state)
{
    (void)state;
    check_text("", "\"\"");
    check_text("\"\\\b\f\n\r\t/", "\"\\\"\\\\\\b\\f\\n\\r\\t/\"");
    check_text("\x01\x1F\x7F", "\"\\u0001\\u001f\x7F\"");
    check_text("\xC3\xA4 \xF0\x9F\x98\x80", "\"\xC3\xA4 \xF0\x9F\x98\x80\"");
}

#define FFFD "\xEF\xBF\xBD"

static void test_repairs(void **state)
{
    (void)state;
    check_text("a\xFFz", "\"a" FFFD "z\"");
    check_text("\xC3", "\"" FFFD "\"");
    check_text("\xC3\n\xA4", "\"" FFFD "\\n" FFFD "\"");
    check_text("\xED\xA0\x80", "\"" FFFD FFFD FFFD "\"");
    check_text("\xC3\xA4\xC0\xAF", "\"\xC3\xA4" FFFD FFFD "\"");
}

static void format(double value, int decimals, vt_buf *buf)
{
    vt_json_writer w;
    vt_buf_clear(buf);
    vt_json_begin(&w, buf, false);
    vt_json_put_number(&w, NULL, value, decimals);
    assert_false(buf->failed);
}

static void check_number(double value, int decimals, const char *expected)
{
    vt_buf buf;
    vt_buf_init(&buf, 10000);
    format(value, decimals, &buf);
    assert_string_equal(buf.data, expected);
    vt_buf_deinit(&buf);
}

static void test_numbers(void **state)
{
    (void)state;
    check_number(0, -1, "0");
    check_number(-0.0, -1, "0");
    check_number(0.1, -1, "0.1");
    check_number(1.0 / 3, -1, "0.3333333333333333");
    check_number(0.1 + 0.2, -1, "0.30000000000000004");
    check_number(100000, -1, "100000");
    check_number(1e15, -1, "1e+15");
    check_number(9007199254740993.0, -1, "9007199254740992");
    check_number(5e-324, -1, "5e-324");
    check_number(DBL_MAX, -1, "1.7976931348623157e+308");
    check_number(DBL_MIN, -1, "2.2250738585072014e-308");
    check_number((double)0.1f, -1, "0.10000000149011612");
    check_number(NAN, -1, "null");
    check_number(INFINITY, 3, "null");
    check_number(-INFINITY, 3, "null");
    check_number(1.005, 0, "1");
    check_number(-0.001, 2, "0.00");
    check_number(-0.4, 0, "0");
    check_number(-0.5, 3, "-0.500");
    check_number(2.0 / 3, 4, "0.6667");
}

/* Whatever the double, and however many decimals: it is JSON, and with -1 it is the same double. */
static void test_numbers_read_back(void **state)
{
    (void)state;
    vt_random random;
    vt_random_init(&random, 11);
    vt_buf buf;
    vt_buf_init(&buf, 10000);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = vt_random_u64(&random);
        if (i % 8 == 0)
            bits &= UINT64_C(0x800FFFFFFFFFFFFF) >> (i % 40); /* subnormal */
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        format(value, -1, &buf);
        double back;
        assert_true(vt_parse_double(buf.data, buf.length, &back));
        assert_true(back == value);
        /* No shorter text would have done. */
        size_t digits = 0;
        for (const char *c = buf.data; *c && *c != 'e'; c++)
            digits += *c >= '0' && *c <= '9';
        char shorter[64];
        if (i % 16 == 0 && digits > 1 && strchr(buf.data, 'e')) {
            snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, value);
            assert_false(vt_parse_double(shorter, strlen(shorter), &back) && back == value);
        }
    }
    format(DBL_MAX, 1000, &buf);
    assert_true(buf.length > 309);
    vt_json *doc = NULL;
    assert_int_equal(vt_json_parse(buf.data, buf.length, 1, &doc, NULL), VT_OK);
    assert_true(vt_json_number(doc, 0) == DBL_MAX);
    vt_json_free(doc);
    vt_buf_deinit(&buf);
}

static void test_locale_is_ignored(void **state)
{
    scratch *s = *state;
    char command[2 * SCRATCH_PATH_BYTES];
    snprintf(command, sizeof command,
             "localedef -c -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1", s->root);
    bool made = system(command) != -1;
    setenv("LOCPATH", s->root, 1);
    if (!made || !setlocale(LC_ALL, "de_DE.UTF-8")) {
        print_message("no locale with a decimal comma can be made here: skipped\n");
        skip();
    }
    check_number(1.5, -1, "1.5");
    check_number(1.5, 2, "1.50");
    char shown[16];
    snprintf(shown, sizeof shown, "%.1f", 1.5); /* the program's own locale is back in force */
    assert_string_equal(shown, "1,5");
    vt_json *doc = NULL;
    assert_int_equal(vt_json_parse("[1.5]", 5, 1, &doc, NULL), VT_OK);
    assert_true(vt_json_number(vt_json_at(doc, 0), 0) == 1.5);
    vt_json_free(doc);
    setlocale(LC_ALL, "C");
}

static void test_too_deep(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 10000);
    vt_json_writer w;
    for (int depth = 1; depth < 100; depth++) {
        vt_buf_clear(&buf);
        vt_json_begin(&w, &buf, true);
        for (int i = 0; i < depth; i++)
            vt_json_open_array(&w, NULL);
        assert_int_equal(buf.failed, depth > 63);
        while (w.depth > 0)
            vt_json_close(&w);
    }
    vt_buf_deinit(&buf);
}

static void test_full_buffer(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 10000);
    write_sample(&buf, false);
    size_t length = buf.length;
    vt_buf_deinit(&buf);
    for (size_t maximum = 0; maximum < length + 3; maximum++) {
        vt_buf_init(&buf, maximum);
        write_sample(&buf, false);
        assert_int_equal(buf.failed, maximum < length);
        vt_buf_deinit(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_repairs),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_read_back),
        cmocka_unit_test_setup_teardown(test_locale_is_ignored, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
