/* SPDX-License-Identifier: Apache-2.0 */
/* Text helpers: UTF-8 against a decoder of its own, comparison, hexadecimal, numbers. */
#include "base/buf.h"
#include "support/scratch.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <sys/wait.h>

/* The specification, by decoding: what a sequence says must be encoded no shorter, be no surrogate
 * and lie within Unicode. */
static bool valid_by_decoding(const uint8_t *s, size_t length)
{
    while (length) {
        size_t need = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
        if (need == 0 || need > length)
            return false;
        static const uint8_t masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        uint32_t point = *s & masks[need];
        for (size_t i = 1; i < need; i++) {
            if (s[i] >> 6 != 2)
                return false;
            point = point << 6 | (s[i] & 0x3F);
        }
        if (point < least[need] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
            return false;
        s += need;
        length -= need;
    }
    return true;
}

/* All first and second bytes, the interesting third and fourth ones, at every length. */
static void test_utf8_all_boundaries(void **state)
{
    (void)state;
    static const uint8_t tails[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90,
                                    0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    enum { TAILS = sizeof tails };
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            for (unsigned c = 0; c < TAILS; c++)
                for (unsigned d = 0; d < TAILS; d++) {
                    uint8_t s[4] = {(uint8_t)a, (uint8_t)b, tails[c], tails[d]};
                    for (size_t length = 1; length <= 4; length++)
                        if (vt_utf8_valid((const char *)s, length) != valid_by_decoding(s, length))
                            fail_msg("%02x %02x %02x %02x, %zu bytes", s[0], s[1], s[2], s[3],
                                     length);
                }
}

/* Every code point, encoded, is valid except the surrogates. */
static void test_utf8_every_code_point(void **state)
{
    (void)state;
    for (uint32_t point = 0x80; point <= 0x110000; point++) {
        char s[4];
        size_t length;
        if (point < 0x800) {
            s[0] = (char)(0xC0 | point >> 6);
            length = 2;
        } else if (point < 0x10000) {
            s[0] = (char)(0xE0 | point >> 12);
            length = 3;
        } else {
            s[0] = (char)(0xF0 | point >> 18);
            length = 4;
        }
        for (size_t i = 1; i < length; i++)
            s[i] = (char)(0x80 | (point >> (6 * (length - 1 - i)) & 0x3F));
        bool expected = !(point >= 0xD800 && point <= 0xDFFF) && point <= 0x10FFFF;
        if (vt_utf8_valid(s, length) != expected)
            fail_msg("U+%04X", point);
    }
}

/* The bad byte is found wherever it stands relative to the words that are skipped at once. */
static void test_utf8_positions(void **state)
{
    (void)state;
    for (size_t length = 1; length < 40; length++) {
        char text[48];
        memset(text, 'a', sizeof text);
        assert_true(vt_utf8_valid(text, length));
        for (size_t at = 0; at < length; at++) {
            text[at] = (char)0xFF;
            assert_false(vt_utf8_valid(text, length));
            text[at] = (char)0xC3; /* wants a continuation */
            assert_false(vt_utf8_valid(text, length));
            if (at + 1 < length) {
                text[at + 1] = (char)0xA4;
                assert_true(vt_utf8_valid(text, length));
                text[at + 1] = 'a';
            }
            text[at] = 'a';
        }
    }
    assert_true(vt_utf8_valid(NULL, 0));
    assert_true(vt_utf8_valid("\0\0", 2));
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(vt_text_equal(NULL, NULL));
    assert_false(vt_text_equal(NULL, ""));
    assert_false(vt_text_equal("", NULL));
    assert_true(vt_text_equal("ab", "ab"));
    assert_false(vt_text_equal("ab", "AB"));
    assert_true(vt_text_equal_nocase("aB@[z", "Ab@[Z"));
    assert_false(vt_text_equal_nocase("@", "`")); /* differ by the case bit, but are no letters */
    assert_false(vt_text_equal_nocase("a", "ab"));
    assert_false(vt_text_equal_nocase("ab", "a"));
    assert_false(vt_text_equal_nocase("\xC3\x84", "\xC3\xA4"));
    assert_false(vt_text_equal_nocase(NULL, "a"));
    assert_true(vt_text_equal_nocase(NULL, NULL));
    assert_true(vt_text_ends_nocase("photo.JPG", ".jpg"));
    assert_true(vt_text_ends_nocase("x", ""));
    assert_false(vt_text_ends_nocase("jpg", ".jpg"));
    assert_false(vt_text_ends_nocase(NULL, "x"));
}

static void test_trim(void **state)
{
    (void)state;
    const char *text = " \t\r\n\v\f a b \n";
    size_t length = vt_text_trim(&text, strlen(text));
    assert_int_equal(length, 3);
    assert_memory_equal(text, "a b", 3);
    text = "   ";
    assert_int_equal(vt_text_trim(&text, 3), 0);
    text = "";
    assert_int_equal(vt_text_trim(&text, 0), 0);
    text = "\xC2\xA0"; /* no-break space is no ASCII */
    assert_int_equal(vt_text_trim(&text, 2), 2);
}

static void test_hex(void **state)
{
    (void)state;
    char hex[513];
    uint8_t bytes[256], back[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    vt_hex(bytes, 256, hex);
    assert_int_equal(strlen(hex), 512);
    assert_memory_equal(hex + 2 * 0xAB, "ab", 2);
    assert_true(vt_unhex(hex, back, 256));
    assert_memory_equal(back, bytes, 256);
    assert_true(vt_unhex("DEADbeef", back, 4));
    assert_memory_equal(back, "\xDE\xAD\xBE\xEF", 4);
    static const char *const bad[] = {"", "0", "000", "0000 ", "00g0", "0x00", "00000", " 000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t two[2] = {7, 7};
        assert_false(vt_unhex(bad[i], two, 2));
        assert_true(two[0] == 7 && two[1] == 7);
    }
    vt_hex(NULL, 0, hex);
    assert_string_equal(hex, "");
    assert_true(vt_unhex("", back, 0));
}

static void check_double(const char *text, double expected)
{
    double value = -77;
    if (!vt_parse_double(text, strlen(text), &value) || value != expected)
        fail_msg("\"%s\" gave %.17g", text, value);
}

static void test_parse_double(void **state)
{
    (void)state;
    check_double("0", 0);
    check_double("-0", 0);
    check_double("1.5", 1.5);
    check_double("+1.5e3", 1500);
    check_double(".5", .5);
    check_double("5.", 5);
    check_double("1E-2", .01);
    check_double("0.1", 0.1);
    check_double("1.7976931348623157e308", DBL_MAX);
    check_double("4.9e-324", 4.9e-324);
    check_double("1e-999999", 0);
    check_double("9007199254740993", 9007199254740992.0);
    static const char *const bad[] = {"",      "-",     "+",        ".",     "e5",  "1e",
                                      "1e+",   "1e309", "inf",      "nan",   "NaN", "0x10",
                                      " 1",    "1 ",    "1,5",      "1.5.2", "--1", "1f",
                                      "1_000", "1e5.0", "infinity", "-inf",  "1\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double value = -77;
        if (vt_parse_double(bad[i], strlen(bad[i]), &value) || value != -77)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    /* Only `length` bytes are read, and a NUL inside is no end. */
    double value;
    assert_true(vt_parse_double("12345", 3, &value));
    assert_true(value == 123);
    assert_false(vt_parse_double("1\0", 2, &value));
    char digits[1200];
    memset(digits, '0', sizeof digits);
    digits[1023] = '7';
    assert_true(vt_parse_double(digits, 1024, &value));
    assert_true(value == 7);
    assert_false(vt_parse_double(digits, 1025, &value));
}

/* A locale with a decimal comma: an installed one, else one that is compiled for this test. */
static bool comma_locale_set(scratch *s)
{
    static const char *const installed[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    for (size_t i = 0; i < 4; i++)
        if (setlocale(LC_ALL, installed[i]))
            return true;
    char command[2 * SCRATCH_PATH_BYTES];
    snprintf(command, sizeof command,
             "localedef -c -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1", s->root);
    if (system(command) == -1)
        return false;
    setenv("LOCPATH", s->root, 1);
    return setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
}

static void test_parse_double_ignores_locale(void **state)
{
    if (!comma_locale_set(*state)) {
        print_message("no locale with a decimal comma here, none can be made: skipped\n");
        skip();
    }
    char shown[16];
    snprintf(shown, sizeof shown, "%.1f", 1.5);
    assert_string_equal(shown, "1,5");
    check_double("1.5", 1.5);
    double value;
    assert_false(vt_parse_double("1,5", 3, &value));
    setlocale(LC_ALL, "C");
}

static void test_parse_int(void **state)
{
    (void)state;
    int64_t value = -77;
    assert_true(vt_parse_int("0", 0, 10, &value) && value == 0);
    assert_true(vt_parse_int("-5", -10, 10, &value) && value == -5);
    assert_true(vt_parse_int("+7", 0, 10, &value) && value == 7);
    assert_true(vt_parse_int("007", 0, 10, &value) && value == 7);
    assert_true(vt_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &value));
    assert_true(value == INT64_MAX);
    assert_true(vt_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &value));
    assert_true(value == INT64_MIN);
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "--1",
                                      "+-1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        value = -77;
        if (vt_parse_int(bad[i], INT64_MIN, INT64_MAX, &value) || value != -77)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    assert_false(vt_parse_int("11", 0, 10, &value));
    assert_false(vt_parse_int("-1", 0, 10, &value));
    assert_true(vt_parse_int("10", 0, 10, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_all_boundaries),
        cmocka_unit_test(test_utf8_every_code_point),
        cmocka_unit_test(test_utf8_positions),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_parse_double),
        cmocka_unit_test_setup_teardown(test_parse_double_ignores_locale, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(test_parse_int),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
