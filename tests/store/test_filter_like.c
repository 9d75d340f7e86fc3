/* SPDX-License-Identifier: Apache-2.0 */
/* LIKE against a plain recursive matcher, on short texts over a small alphabet. */
#include "fixture.h"

#include "store/filter.h"

static bool plain(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '%')
        return plain(pattern + 1, text) || (*text != '\0' && plain(pattern, text + 1));
    if (*text == '\0')
        return false;
    if (*pattern == '_')
        return plain(pattern + 1, text + 1);
    if (*pattern == '\\')
        pattern++;
    return *pattern == *text && plain(pattern + 1, text + 1);
}

static void test_against_plain(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "b", "%", "_", "\\%", "\\_", "\\\\", "a", "%"};
    static const char letters[] = "aab%_\\";
    vt_random random;
    vt_random_init(&random, 11);
    int matched = 0;
    for (int round = 0; round < 60000; round++) {
        char pattern[32] = "", text[16] = "", prefix[32];
        for (uint64_t i = vt_random_below(&random, 7); i > 0; i--)
            strncat(pattern, pieces[vt_random_below(&random, 9)], 3);
        size_t length = (size_t)vt_random_below(&random, 9);
        for (size_t i = 0; i < length; i++)
            text[i] = letters[vt_random_below(&random, sizeof letters - 1)];
        bool whole, wanted = plain(pattern, text);
        if (vt_like_matches(pattern, text) != wanted)
            fail_msg("\"%s\" LIKE \"%s\" is not %d", text, pattern, !wanted);
        size_t fixed = vt_like_prefix(pattern, prefix, &whole);
        assert_int_equal(fixed, strlen(prefix));
        assert_true(!wanted || strncmp(text, prefix, fixed) == 0);
        assert_true(!whole || wanted == (strncmp(text, prefix, fixed) == 0));
        assert_true(vt_like_is_valid(pattern));
        matched += wanted;
    }
    assert_true(matched > 5000);
}

static void test_characters(void **state)
{
    (void)state;
    assert_true(vt_like_matches("gr__e", "gr\xc3\xb6\xc3\x9f"
                                         "e"));
    assert_false(vt_like_matches("gr____e", "gr\xc3\xb6\xc3\x9f"
                                            "e"));
    assert_true(vt_like_matches("%\xc3\x9f_", "gr\xc3\xb6\xc3\x9f"
                                              "e"));
    assert_false(vt_like_matches("Red%", "red shoe"));
    assert_false(vt_like_is_valid("a\\"));
    assert_true(vt_like_is_valid("a\\\\"));
}

/* A pattern that makes naive matchers exponential. */
static void test_no_blow_up(void **state)
{
    (void)state;
    char text[2001], pattern[401];
    memset(text, 'a', 2000);
    text[2000] = '\0';
    for (int i = 0; i < 200; i++)
        memcpy(pattern + 2 * i, "%a", 2);
    pattern[400] = '\0';
    assert_true(vt_like_matches(pattern, text));
    pattern[399] = 'b';
    assert_false(vt_like_matches(pattern, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_plain),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_no_blow_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
