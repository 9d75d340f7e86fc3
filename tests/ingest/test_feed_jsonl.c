/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Lines: types, broken lines, limits. */
#include "ingest/feed_text.h"

#include <stdio.h>

static void test_rows(void **state)
{
    (void)state;
    assert_feed(
        "jsonl",
        "{\"id\":\"1\",\"title\":\"Mug\",\"image_link\":\"a.jpg\"}\n"
        "\n  \r\n"
        "{\"additional_image_link\":[\"b.jpg\",\"c,d.jpg\"],\"ID\":2,\"Image Link\":"
        "[\"a.jpg\"],\"price\":12.5,\"currency\":\"eur\"}\r\n"
        "{\"id\":\"3\",\"image_link\":\"a.jpg\",\"additional_image_link\":\"b.jpg , c.jpg\","
        "\"price\":\"12,90 EUR\",\"brand\":null,\"product_type\":\"Mugs\"}",
        "1 1 \"Mug\" [a.jpg]\n"
        "4 2 price=12.5 EUR [a.jpg, b.jpg, c,d.jpg]\n"
        "5 3 category=\"Mugs\" price=12.9 EUR [a.jpg, b.jpg, c.jpg]\n");
}

static void test_attributes(void **state)
{
    (void)state;
    assert_feed(
        "jsonl",
        "{\"id\":\"1\",\"image_link\":\"a\",\"n\":1.5,\"t\":\"12\",\"p\":\"a|b\",\"b\":true,"
        "\"l\":[\"S\",42,null,\" \",1.5],\"e\":[],\"z\":null,\"s\":\"\"}\n",
        "1 1 [a] n=1.5 t=\"12\" p=\"a|b\" b=\"true\" l={S,42,1.5}\n");
}

static void test_broken_lines(void **state)
{
    (void)state;
    static const char text[] = "{\"id\":\"1\",\"image_link\":\"a\"\n"
                               "{\"id\":\"2\",\"image_link\":\"a\"}\n"
                               "not json\n"
                               "{\"id\":\"4\",\"image_link\":\"\xff\"}\n"
                               "{\"id\":\"5\",\"image_link\":\"a\"} {}\n"
                               "{\"id\":\"6\",\"id\":\"7\",\"image_link\":\"a\"}\n"
                               "{\"id\":\"8\",\"image_link\":\"a\\u0000b\"}\n"
                               "{\"id\":\"9\",\"image_link\":\"a\"}\n";
    char *got = feed_text_of_bytes("jsonl", text, sizeof text - 1);
    /* What exactly is wrong is the JSON reader's to say: here, that each line falls by itself. */
    const char *line = got;
    for (int number = 1; number <= 8; number++) {
        char prefix[32];
        bool good = number == 2 || number == 8;
        snprintf(prefix, sizeof prefix, good ? "%d %d [a]\n" : "%d format ?: line", number,
                 number == 8 ? 9 : number);
        assert_memory_equal(line, prefix, strlen(prefix));
        line = strchr(line, '\n') + 1;
    }
    assert_string_equal(line, "");
    vt_free(got);
}

/* What the parser says about broken text must not itself be broken. */
static void test_messages_stay_utf8(void **state)
{
    (void)state;
    static const char text[] = "\"ai\\\xe2\x82\xa9i\\{\n";
    char *got = feed_text_of_bytes("jsonl", text, sizeof text - 1);
    assert_memory_equal(got, "1 format ?: line 1: ", 20);
    assert_true(vt_utf8_valid(got, strlen(got)));
    vt_free(got);
}

static void test_row_faults(void **state)
{
    (void)state;
    assert_feed("jsonl",
                "{\"id\":\"1\"}\n"
                "{\"image_link\":\"a\"}\n"
                "{\"id\":\"3\",\"image_link\":{\"url\":\"a\"}}\n"
                "{\"id\":\"4\",\"image_link\":\"a\",\"size\":{\"w\":1}}\n"
                "{\"id\":\"5\",\"image_link\":\"a\",\"size\":[[1]]}\n"
                "{\"id\":\"6\",\"image_link\":\"a\",\"title\":[\"t\"]}\n"
                "{\"id\":\"7\",\"image_link\":\"a\",\"price\":-1}\n"
                "{\"id\":12345678901234567890,\"image_link\":\"a\"}\n"
                "{\"id\":\"9\",\"ID\":\"10\",\"image_link\":\"a\"}\n"
                "\"text\"\n"
                "{\"id\":\"11\",\"image_link\":[\"a\",3]}\n"
                "{}\n",
                "1 format 1: line 1: product \"1\" has no picture: image_link is empty\n"
                "2 format ?: line 2: id is empty\n"
                "3 format 3: line 3: \"image_link\" is not a text or a list of texts\n"
                "4 format 4: line 4: \"size\" is an object: attributes are flat\n"
                "5 format 5: line 5: \"size\" is not a text\n"
                "6 format 6: line 6: \"title\" is not a text\n"
                "7 format 7: line 7: price -1 is not a price\n"
                "8 format ?: line 8: \"id\" is a number too large to be exact: write it as text\n"
                "9 format ?: line 9: two keys are both the id\n"
                "10 format ?: line 10: line is not a JSON object\n"
                "11 format 11: line 11: \"image_link\" is not a text or a list of texts\n"
                "12 format ?: line 12: id is empty\n");
}

static void test_limits(void **state)
{
    (void)state;
    vt_buf text;
    vt_buf_init(&text, 64 << 20);
    vt_buf_append_text(&text, "{\"id\":\"1\",\"image_link\":\"a\",\"x\":\"");
    assert_true(vt_buf_reserve(&text, 20 << 20));
    for (int i = 0; i < 20 << 20; i++)
        vt_buf_append_char(&text, 'x');
    vt_buf_append_text(&text, "\"}\n{\"id\":\"2\",\"image_link\":\"a\"");
    for (int i = 0; i < VT_FEED_COLUMNS; i++)
        vt_buf_printf(&text, ",\"k%d\":1", i);
    vt_buf_append_text(&text, "}\n{\"id\":\"3\",\"image_link\":\"a\",\"l\":[0");
    for (int i = 0; i < VT_FEED_ITEMS; i++)
        vt_buf_append_text(&text, ",1");
    vt_buf_append_text(&text, "]}\n{\"id\":\"4\",\"image_link\":\"a\",\"l\":");
    for (int i = 0; i < 400000; i++)
        vt_buf_append_char(&text, '[');
    vt_buf_append_text(&text, "\n{\"id\":\"5\",\"image_link\":\"a\"}");
    char *got = feed_text_of_bytes("jsonl", text.data, text.length);
    const char *expected = "1 limit ?: line 1: line is longer than 1048576 bytes\n"
                           "2 limit ?: line 2: object has more than 1024 keys\n"
                           "3 limit 3: line 3: \"l\" has more than 4096 items\n"
                           "4 limit ?: line 4";
    assert_memory_equal(got, expected, strlen(expected));
    const char *last = strstr(got, "\n5 ");
    assert_non_null(last);
    assert_string_equal(last, "\n5 5 [a]\n");
    vt_free(got);
    vt_buf_deinit(&text);
}

static void test_allocation_failure(void **state)
{
    (void)state;
    static const char text[] =
        "{\"id\":\"1\",\"image_link\":[\"a\",\"b\"],\"price\":\"5 EUR\",\"l\":[\"x\",7],\"n\":3}\n";
    bool done = false;
    for (int64_t n = 0; !done; n++) {
        vt_error error;
        vt_feed *feed;
        vt_arena arena;
        vt_arena_init(&arena, VT_FEED_ARENA_BYTES);
        vt_feed_row row = {.arena = &arena};
        vt_mem_fail_after(n);
        vt_status opened = vt_feed_open_bytes("jsonl", text, sizeof text - 1, &feed, &error);
        vt_status status = opened == VT_OK ? vt_feed_next(feed, &row, &error) : opened;
        vt_mem_fail_after(-1);
        if (status == VT_OK) {
            assert_int_equal(row.image_count, 2);
            assert_int_equal(row.product.attribute_count, 2);
            assert_string_equal(row.product.attributes[0].items[1], "7");
            assert_string_equal(row.product.currency, "EUR");
            done = true;
        } else {
            assert_int_equal(status, VT_ERR_NO_MEMORY);
        }
        if (opened == VT_OK)
            vt_feed_close(feed);
        vt_arena_deinit(&arena);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_broken_lines),
        cmocka_unit_test(test_messages_stay_utf8),
        cmocka_unit_test(test_row_faults),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
