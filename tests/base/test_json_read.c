/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON: what is refused, order, look-up, chains, depth without recursion, failure. */
#include "base/json.h"
#include "support/scratch.h"

static vt_json *parse(const char *text)
{
    vt_json *doc = NULL;
    vt_error error;
    if (vt_json_parse(text, strlen(text), 16, &doc, &error) != VT_OK)
        fail_msg("%s: %s", text, error.message);
    return doc;
}

static void test_kinds(void **state)
{
    (void)state;
    vt_json *doc =
        parse(" {\"z\": 1.5, \"a\": [true, false, null, \"x\", -3e2, {}, []], \"\": \"e\"} ");
    assert_int_equal(vt_json_kind_of(doc), VT_JSON_OBJECT);
    assert_int_equal(vt_json_count(doc), 3);
    assert_true(vt_json_number(vt_json_get(doc, "z"), 0) == 1.5);
    const vt_json *a = vt_json_get(doc, "a");
    assert_int_equal(vt_json_kind_of(a), VT_JSON_ARRAY);
    assert_int_equal(vt_json_count(a), 7);
    assert_true(vt_json_bool(vt_json_at(a, 0), false));
    assert_false(vt_json_bool(vt_json_at(a, 1), true));
    assert_int_equal(vt_json_kind_of(vt_json_at(a, 2)), VT_JSON_NULL);
    assert_string_equal(vt_json_text(vt_json_at(a, 3), NULL), "x");
    assert_true(vt_json_number(vt_json_at(a, 4), 0) == -300);
    assert_int_equal(vt_json_kind_of(vt_json_at(a, 5)), VT_JSON_OBJECT);
    assert_int_equal(vt_json_kind_of(vt_json_at(a, 6)), VT_JSON_ARRAY);
    assert_int_equal(vt_json_count(vt_json_at(a, 6)), 0);
    assert_string_equal(vt_json_text(vt_json_get(doc, ""), NULL), "e");
    vt_json_free(doc);
    vt_json_free(NULL);
}

static void test_scalars_at_the_top(void **state)
{
    (void)state;
    vt_json *doc = parse("\"\\u00e4\\ud83d\\ude00\\n\"");
    assert_string_equal(vt_json_text(doc, NULL), "\xC3\xA4\xF0\x9F\x98\x80\n");
    vt_json_free(doc);
    doc = parse("123456789012345678901234567890");
    assert_true(vt_json_number(doc, 0) == 123456789012345678901234567890.0);
    vt_json_free(doc);
}

static void test_fallbacks_and_chains(void **state)
{
    (void)state;
    vt_json *doc = parse("{\"n\": 1, \"a\": [1]}");
    assert_null(vt_json_get(vt_json_get(vt_json_get(doc, "x"), "y"), "z"));
    assert_null(vt_json_at(vt_json_get(doc, "a"), 1));
    assert_null(vt_json_at(doc, 0));
    assert_null(vt_json_get(vt_json_get(doc, "a"), "x"));
    assert_string_equal(vt_json_text(vt_json_get(doc, "n"), "fallback"), "fallback");
    assert_true(vt_json_number(vt_json_get(doc, "a"), 7) == 7);
    assert_true(vt_json_bool(vt_json_get(doc, "n"), true));
    assert_int_equal(vt_json_kind_of(NULL), VT_JSON_NULL);
    assert_int_equal(vt_json_count(NULL), 0);
    assert_int_equal(vt_json_count(vt_json_get(doc, "n")), 0);
    const vt_json *member = NULL;
    assert_null(vt_json_key_at(doc, 2, &member));
    assert_null(vt_json_key_at(vt_json_get(doc, "a"), 0, &member));
    assert_null(member);
    vt_json_free(doc);
}

/* Small objects are searched in order, large ones by bisection. */
static void test_order_and_lookup(void **state)
{
    (void)state;
    for (int count = 0; count <= 40; count++) {
        char text[2048] = "{";
        for (int i = 0; i < count; i++) {
            char pair[40];
            snprintf(pair, sizeof pair, "%s\"k%d\": %d", i ? "," : "", i * 37 % 41, i);
            memcpy(text + strlen(text), pair, strlen(pair) + 1);
        }
        text[strlen(text) + 1] = '\0';
        text[strlen(text)] = '}';
        vt_json *doc = parse(text);
        assert_int_equal(vt_json_count(doc), count);
        for (int i = 0; i < count; i++) {
            char key[16];
            const vt_json *member;
            snprintf(key, sizeof key, "k%d", i * 37 % 41);
            assert_string_equal(vt_json_key_at(doc, (size_t)i, &member), key);
            assert_ptr_equal(vt_json_get(doc, key), member);
            assert_true(vt_json_number(member, -1) == i);
            assert_string_equal(vt_json_key_at(doc, (size_t)i, NULL), key);
        }
        assert_null(vt_json_get(doc, "k41"));
        assert_null(vt_json_get(doc, ""));
        vt_json_free(doc);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "01",
        "+1",
        ".5",
        "1.",
        "0x1",
        "NaN",
        "Infinity",
        "-",
        "tru",
        "True",
        "\"",
        "\"\\x\"",
        "\"\t\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ude00x\"",
        "\"a\\u0000b\"",
        "{\"a\\u0000\":1}",
        "1 2",
        "{} {}",
        "[] x",
        "// c\n1",
        "1e999",
        "-1e999",
        "\xEF\xBB\xBF{}",
        "[1]]",
        "[}",
        "{]",
        "\"\\",
        /* the same name twice, also when spelt differently */
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":1}",
        "[{\"x\":{\"b\":1,\"b\":1}}]",
        /* not UTF-8: stray, cut off, overlong, surrogate, beyond Unicode */
        "\"\x80\"",
        "\"\xC3\"",
        "\"\xC0\xAF\"",
        "\"\xED\xA0\x80\"",
        "\"\xF4\x90\x80\x80\"",
        "\xFF",
        "{\"\xC3\":1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vt_json *doc = NULL;
        vt_error error;
        if (vt_json_parse(bad[i], strlen(bad[i]), 16, &doc, &error) != VT_ERR_FORMAT || doc)
            fail_msg("number %zu: %s", i, bad[i]);
        assert_non_null(strstr(error.message, "parse json: "));
    }
    vt_json *doc = NULL;
    assert_int_equal(vt_json_parse("1\0", 2, 16, &doc, NULL), VT_ERR_FORMAT);
    assert_int_equal(vt_json_parse("{}\0{", 4, 16, &doc, NULL), VT_ERR_FORMAT);
    assert_int_equal(vt_json_parse("[1]xxx", 3, 16, &doc, NULL), VT_OK); /* only `length` bytes */
    vt_json_free(doc);
}

static vt_status parse_nested(size_t depth, char opener, int limit)
{
    char *text = vt_alloc(depth * 6 + 1);
    assert_non_null(text);
    size_t length = 0;
    for (size_t i = 0; i < depth; i++) {
        const char *piece = opener == '[' ? "[" : "{\"a\":";
        memcpy(text + length, piece, strlen(piece));
        length += strlen(piece);
    }
    if (opener == '{' && depth > 0)
        text[length++] = '1';
    for (size_t i = 0; i < depth; i++)
        text[length++] = opener == '[' ? ']' : '}';
    vt_json *doc = NULL;
    vt_status status = vt_json_parse(text, length, limit, &doc, NULL);
    vt_json_free(doc);
    vt_free(text);
    return status;
}

static void test_depth(void **state)
{
    (void)state;
    for (int limit = 1; limit < 20; limit++)
        for (size_t depth = 1; depth < 22; depth++) {
            vt_status expected = (int)depth <= limit ? VT_OK : VT_ERR_LIMIT;
            assert_int_equal(parse_nested(depth, '[', limit), expected);
            assert_int_equal(parse_nested(depth, '{', limit), expected);
        }
    assert_int_equal(parse_nested(3000000, '[', INT32_MAX), VT_ERR_LIMIT);
    assert_int_equal(parse_nested(300000, '{', INT32_MAX), VT_ERR_LIMIT);
    vt_json *doc = NULL;
    assert_int_equal(vt_json_parse("7", 1, 0, &doc, NULL), VT_OK);
    vt_json_free(doc);
    /* Brackets inside strings, behind escaped quotes too, are no nesting. */
    static const char text[] = "[\"[[[[{{{{\\\"[[[[\\\\\", \"]]\"]";
    assert_int_equal(vt_json_parse(text, strlen(text), 1, &doc, NULL), VT_OK);
    vt_json_free(doc);
}

static vt_status attempt(void *context)
{
    (void)context;
    char text[4096] = "{\"list\": [{\"a\": [1, 2, [3, \"text\"]]}]";
    size_t length = strlen(text);
    for (int i = 0; i < 100; i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, ", \"key%d\": \"value\"", i);
    text[length++] = '}';
    vt_json *doc = NULL;
    vt_status status = vt_json_parse(text, length, 16, &doc, NULL);
    vt_json_free(doc);
    return status;
}

static void test_allocation_failure(void **state)
{
    (void)state;
    assert_true(each_allocation_failing(attempt, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_scalars_at_the_top),
        cmocka_unit_test(test_fallbacks_and_chains),
        cmocka_unit_test(test_order_and_lookup),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
