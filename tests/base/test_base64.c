/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: the vectors of RFC 4648, every malformed ending, round trips. */
#include "base/buf.h"
#include "support/scratch.h"

static void test_vectors(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        vt_buf buf;
        vt_buf_init(&buf, 100);
        vt_buf_append_text(&buf, ">");
        assert_true(vt_buf_append_base64(&buf, pairs[i][0], strlen(pairs[i][0])));
        assert_string_equal(buf.data + 1, pairs[i][1]);
        vt_buf_clear(&buf);
        assert_true(vt_buf_append_unbase64(&buf, pairs[i][1], strlen(pairs[i][1])));
        assert_string_equal(vt_buf_text(&buf), pairs[i][0]);
        vt_buf_deinit(&buf);
    }
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "A",    "AA",   "AAA",   "=",    "====", "A===",     "AA=A",    "=AAA",           "AB==",
        "AAB=", "AA A", "AA\nA", "AA-_", "A*AA", "Zg==Zg==", "Zm9vYg=", "AAAA\xC3\x84==",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vt_buf buf;
        vt_buf_init(&buf, 100);
        vt_buf_append_text(&buf, "kept");
        assert_false(vt_buf_append_unbase64(&buf, bad[i], strlen(bad[i])));
        assert_string_equal(buf.data, "kept");
        assert_int_equal(buf.length, 4);
        assert_false(buf.failed);
        vt_buf_deinit(&buf);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[256 + 3];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        vt_buf text, back;
        vt_buf_init(&text, 1000);
        vt_buf_init(&back, length); /* exactly enough */
        assert_true(vt_buf_append_base64(&text, bytes, length));
        assert_int_equal(text.length, (length + 2) / 3 * 4);
        assert_true(vt_buf_append_unbase64(&back, text.data, text.length));
        assert_int_equal(back.length, length);
        assert_memory_equal(back.data, bytes, length);
        vt_buf_deinit(&text);
        vt_buf_deinit(&back);
    }
}

static void test_limits(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 7);
    assert_false(vt_buf_append_base64(&buf, "abcdef", 6));
    assert_true(buf.failed);
    vt_buf_clear(&buf);
    assert_false(vt_buf_append_unbase64(&buf, "YWJjZGVmZ2hp", 12));
    assert_int_equal(buf.length, 0);
    vt_buf_clear(&buf);
    assert_false(vt_buf_append_base64(&buf, "x", SIZE_MAX));
    assert_true(buf.failed);
    vt_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
