/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: what spreadsheets write, what they should not write, and what strangers write on purpose.
 */
#include "ingest/feed_text.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void test_plain_and_quoted(void **state)
{
    (void)state;
    assert_feed("csv",
                "id,title,description,category,brand,price,link,image_link,additional_image_link\n"
                "1,Mug,\"Red, with \"\"dots\"\"\nand a handle\",Mugs,Acme,\"12.90 EUR\","
                "https://s.example/1,a.jpg,\"b.jpg, c.jpg ,,a.jpg\"\n"
                "2,Cup,,,,,,b.png,\n",
                "2 1 \"Mug\" description=\"Red, with \"dots\"\nand a handle\" category=\"Mugs\" "
                "brand=\"Acme\" link=\"https://s.example/1\" price=12.9 EUR [a.jpg, b.jpg, c.jpg]\n"
                "4 2 \"Cup\" [b.png]\n");
}

static void test_delimiters(void **state)
{
    (void)state;
    assert_feed("csv", "id;title;image_link;price\n1;a,b;x.jpg;12,90 EUR\n",
                "2 1 \"a,b\" price=12.9 EUR [x.jpg]\n");
    assert_feed("csv", "id\ttitle\timage_link\n1\ta;b\tx.jpg\n", "2 1 \"a;b\" [x.jpg]\n");
    assert_feed("csv", "id|title|image_link\n1|a|x.jpg\n", "2 1 \"a\" [x.jpg]\n");
    /* The delimiter is what the header makes sense with, not what occurs most in it. */
    assert_feed("csv", "id,image_link,\"w;h;d;n;m\"\n1,x.jpg,3\n", "2 1 [x.jpg] w;h;d;n;m=3\n");
    assert_feed("csv", "sep=;\r\nid;image_link\r\n1;x,y.jpg\r\n", "3 1 [x,y.jpg]\n");
}

static void test_line_ends_and_marks(void **state)
{
    (void)state;
    assert_feed("csv", "\xef\xbb\xbfid,image_link\r\n1,a.jpg\r\n\r\n2,b.jpg\r\n",
                "2 1 [a.jpg]\n4 2 [b.jpg]\n");
    assert_feed("csv", "id,image_link\r1,a.jpg\r2,\"b\r.jpg\"\r3,c.jpg",
                "2 1 [a.jpg]\n3 2 [b\r.jpg]\n5 3 [c.jpg]\n");
    assert_feed("csv", "\n\nid,image_link\n1,a.jpg\n\"2\",\"b.jpg\"", "4 1 [a.jpg]\n5 2 [b.jpg]\n");
    assert_feed("csv", "id,image_link\n", "");
    assert_feed("csv", "id,image_link", "");
}

static void test_header_names(void **state)
{
    (void)state;
    assert_feed("csv",
                "ID,g:Title,Image Link,ADDITIONAL-IMAGE-LINK,additional_image_link,,Colour\n"
                "1,t,a.jpg,b.jpg,c.jpg,zzz,red\n",
                "2 1 \"t\" [a.jpg, b.jpg, c.jpg] Colour=\"red\"\n");
    assert_feed("csv", "id,image_link,product_type,google_product_category\n1,a.jpg,Mugs,2169\n",
                "2 1 category=\"Mugs\" [a.jpg] google_product_category=2169\n");
    assert_feed("csv", "id,image_link,google_product_category\n1,a.jpg,Home > Mugs\n",
                "2 1 category=\"Home > Mugs\" [a.jpg]\n");
    assert_feed("csv", "id,image_link,product_type,category\n1,a.jpg,x,y\n",
                "2 1 category=\"y\" [a.jpg] product_type=\"x\"\n");
    /* The main picture comes first, wherever its column stands. */
    assert_feed("csv", "additional_image_link,id,image_link\nb.jpg,1,a.jpg\n",
                "2 1 [a.jpg, b.jpg]\n");
}

static void test_header_faults(void **state)
{
    (void)state;
    assert_feed("csv", "sku,title,image_link\n1,a,b\n",
                "format: read feed \"memory.csv\": column \"id\" is missing; the columns are: sku, "
                "title, image_link\n");
    assert_feed("csv", "id;picture\n1;b\n",
                "format: read feed \"memory.csv\": column \"image_link\" is missing; the columns "
                "are: id, picture\n");
    assert_feed("csv", "hello\n",
                "format: read feed \"memory.csv\": column \"id\" is missing, \"image_link\" too; "
                "the columns are: hello\n");
    assert_feed("csv", "id,title,Title,image_link\n",
                "format: read feed \"memory.csv\": columns 2 and 3 are both the title\n");
    assert_feed("csv", "", "format: read feed \"memory.csv\": there is no header line\n");
    assert_feed("csv", "id,\"image_link\n1,2\n",
                "format: read feed \"memory.csv\": quoted field is never closed\n");
    assert_feed("csv", "\xff\xfei\0d\0",
                "unsupported: read feed \"memory.csv\": the file is "
                "UTF-16: save it as UTF-8\n");
    assert_feed("csv", "PK\x03\x04....",
                "unsupported: read feed \"memory.csv\": the file is a zip "
                "archive or spreadsheet: export it as CSV\n");
}

static void test_attributes(void **state)
{
    (void)state;
    assert_feed("csv",
                "id,image_link,n,text,list,sizes,sizes,sizes\n"
                "1,a.jpg,-3.50,12 cm,red|  blue |,S,,L\n"
                "2,a.jpg,007,1e5,|,M,,\n"
                "3,a.jpg,1234567890123456,nan,,,,\n"
                "4,a.jpg,0.5,inf, 0 ,7,,\n",
                "2 1 [a.jpg] n=-3.5 text=\"12 cm\" list={red,blue} sizes={S,L}\n"
                "3 2 [a.jpg] n=\"007\" text=\"1e5\" sizes=\"M\"\n"
                "4 3 [a.jpg] n=\"1234567890123456\" text=\"nan\"\n"
                "5 4 [a.jpg] n=0.5 text=\"inf\" list=0 sizes=7\n");
}

static void test_row_faults(void **state)
{
    (void)state;
    assert_feed("csv",
                "id,title,image_link\n"
                "1,a\n"
                "2,a,b.jpg,c\n"
                ",a,b.jpg\n"
                "4,a,\n"
                "5,\xff,b.jpg\n"
                "6,x,b.jpg\n",
                "2 format 1: line 2: row has 2 fields, the header 3\n"
                "3 format 2: line 3: row has 4 fields, the header 3\n"
                "4 format ?: line 4: id is empty\n"
                "5 format 4: line 5: product \"4\" has no picture: image_link is empty\n"
                "6 format ?: line 6: text is not valid UTF-8\n"
                "7 6 \"x\" [b.jpg]\n");
    assert_feed("csv", "id,image_link\n1\0,a.jpg\n2,b.jpg\n",
                "2 format ?: line 2: text holds a NUL byte\n3 2 [b.jpg]\n");
    assert_feed("csv",
                "id,image_link,price,currency\n1,a,ask us,\n2,a,-5,\n3,a,5,EURO\n4,a,5,eur\n"
                "5,a,5 USD,eur\n\"a\tb\",a,,\n",
                "2 format 1: line 2: price \"ask us\" is not a price\n"
                "3 format 2: line 3: price \"-5\" is not a price\n"
                "4 format 3: line 4: currency \"EURO\" is not a three-letter code\n"
                "5 4 price=5 EUR [a]\n6 5 price=5 USD [a]\n"
                "7 format ?: line 7: id holds a control character\n");
}

static void test_broken_quotes(void **state)
{
    (void)state;
    /* Quotes inside unquoted fields are text; blanks may follow a closing quote. */
    assert_feed("csv", "id,title,image_link\n1,12\" plate,a.jpg\n2,\"b\"  ,b.jpg\n3,a\"b\",c.jpg\n",
                "2 1 \"12\" plate\" [a.jpg]\n3 2 \"b\" [b.jpg]\n4 3 \"a\"b\"\" [c.jpg]\n");
    assert_feed(
        "csv", "id,title,image_link\n1,\"a\"b,a.jpg\n2,b,b.jpg\n",
        "2 format ?: line 2: text follows the closing quote of a field\n3 2 \"b\" [b.jpg]\n");
    /* A quote that is never closed costs its own row. */
    assert_feed("csv", "id,title,image_link\n1,\"a,a.jpg\n2,b,b.jpg\n3,c,c.jpg\n",
                "2 format ?: line 2: quoted field is never closed\n3 2 \"b\" [b.jpg]\n"
                "4 3 \"c\" [c.jpg]\n");
    /* It closes at the next row's opening quote: that row must survive. */
    assert_feed("csv", "id,title,image_link\n1,\"a,a.jpg\n2,\"b\",b.jpg\n3,c,c.jpg\n",
                "2 format ?: line 2: text follows the closing quote of a field\n"
                "3 2 \"b\" [b.jpg]\n4 3 \"c\" [c.jpg]\n");
}

/* A file of many rows where one in the middle never closes its quote: every other row is there. */
static void test_open_quote_in_a_long_file(void **state)
{
    (void)state;
    enum { ROWS = 100000, BROKEN = 30000 };
    vt_buf text, expected;
    vt_buf_init(&text, 64 << 20);
    vt_buf_init(&expected, 64 << 20);
    vt_buf_append_text(&text, "id,title,image_link\n");
    for (int i = 0; i < ROWS; i++) {
        if (i == BROKEN) {
            vt_buf_printf(&text, "%d,\"open,%d.jpg\n", i, i);
            vt_buf_printf(&expected,
                          "%d limit ?: line %d: quoted field is not closed within %d bytes\n",
                          i + 2, i + 2, VT_FEED_FIELD_BYTES);
        } else {
            vt_buf_printf(&text, "%d,a rather ordinary title of a product,%d.jpg\n", i, i);
            vt_buf_printf(&expected, "%d %d \"a rather ordinary title of a product\" [%d.jpg]\n",
                          i + 2, i, i);
        }
    }
    assert_false(text.failed || expected.failed);
    char *got = feed_text_of_bytes("csv", text.data, text.length);
    assert_string_equal(got, expected.data);
    vt_free(got);
    vt_buf_deinit(&text);
    vt_buf_deinit(&expected);
}

static void append_many(vt_buf *text, char c, size_t count)
{
    assert_true(vt_buf_reserve(text, count));
    for (size_t i = 0; i < count; i++)
        vt_buf_append_char(text, c);
}

static void test_limits(void **state)
{
    (void)state;
    vt_buf text;
    vt_buf_init(&text, 64 << 20);
    vt_buf_append_text(&text, "id,title,image_link\n1,");
    append_many(&text, 'x', VT_FEED_FIELD_BYTES); /* just fits */
    vt_buf_append_text(&text, ",a.jpg\n2,");
    append_many(&text, 'x', VT_FEED_FIELD_BYTES + 1);
    vt_buf_append_text(&text, ",a.jpg\n3,\"");
    append_many(&text, 'x', VT_FEED_FIELD_BYTES + 1);
    vt_buf_append_text(&text, "\",a.jpg\n4,");
    append_many(&text, ',', VT_FEED_COLUMNS);
    vt_buf_append_text(&text, "\n5,");
    append_many(&text, 'x', 20 << 20); /* far longer than the window */
    vt_buf_append_text(&text, "\n");
    append_many(&text, 'i', VT_FEED_ID_BYTES + 1);
    vt_buf_append_text(&text, ",a,b.jpg\n7,ok,a.jpg\n");
    assert_false(text.failed);
    char *got = feed_text_of_bytes("csv", text.data, text.length);
    char *first_end = strchr(got, '\n');
    assert_non_null(first_end);
    assert_int_equal(first_end - got, VT_FEED_FIELD_BYTES + (int)strlen("2 1 \"\" [a.jpg]"));
    assert_string_equal(
        first_end + 1,
        "3 limit ?: line 3: field is longer than 1048576 bytes\n"
        "4 limit ?: line 4: quoted field is not closed within 1048576 bytes\n"
        "5 limit ?: line 5: row has more than 1024 fields\n"
        "6 limit ?: line 6: field is longer than 1048576 bytes\n"
        "7 limit ?: line 7: id \"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii...\" is longer than 512 "
        "bytes\n"
        "8 7 \"ok\" [a.jpg]\n");
    vt_free(got);
    vt_buf_deinit(&text);
}

static void test_row_of_many_long_fields(void **state)
{
    (void)state;
    vt_buf text;
    vt_buf_init(&text, 64 << 20);
    vt_buf_append_text(&text, "id,image_link,a,b,c,d,e\n1,a.jpg");
    for (int i = 0; i < 5; i++) {
        vt_buf_append_text(&text, ",");
        append_many(&text, 'x', 900000);
    }
    vt_buf_append_text(&text, "\n2,b.jpg,,,,,\n3,c.jpg,");
    for (int i = 0; i < VT_FEED_ITEMS; i++)
        vt_buf_append_text(&text, "i|");
    vt_buf_append_text(&text, "i,,,,\n");
    vt_buf_append_text(&text, "4,d.jpg,,,,,\n");
    char *got = feed_text_of_bytes("csv", text.data, text.length);
    assert_string_equal(got, "2 limit ?: line 2: row is longer than 4194304 bytes\n3 2 [b.jpg]\n"
                             "4 limit 3: line 4: product has more than 4096 list items\n"
                             "5 4 [d.jpg]\n");
    vt_free(got);
    vt_buf_deinit(&text);
}

static void test_too_many_pictures(void **state)
{
    (void)state;
    vt_buf text;
    vt_buf_init(&text, 1 << 20);
    vt_buf_append_text(&text, "id,image_link,additional_image_link\n1,a,\"");
    for (int i = 0; i < VT_FEED_IMAGES; i++)
        vt_buf_printf(&text, "%d.jpg,", i);
    vt_buf_append_text(&text, "\"\n2,a,b\n");
    char *got = feed_text_of_bytes("csv", text.data, text.length);
    assert_string_equal(got,
                        "2 limit 1: line 2: product has more than 1000 pictures\n3 2 [a, b]\n");
    vt_free(got);
    vt_buf_deinit(&text);
}

/* From a file, rows cross the window's edges at every offset; memory must not follow the length. */
static void test_file_across_windows(void **state)
{
    (void)state;
    enum { ROWS = 40000 };
    char dir[] = "/tmp/vt-feed-XXXXXX";
    vt_buf text, expected, got;
    vt_error error;
    vt_feed *feed;
    assert_non_null(mkdtemp(dir));
    char *path = vt_path_join(dir, "p.csv");
    vt_buf_init(&text, 64 << 20);
    vt_buf_init(&expected, 64 << 20);
    vt_buf_init(&got, 64 << 20);
    vt_buf_append_text(&text, "id;title;image_link\r\n");
    for (int i = 0; i < ROWS; i++) {
        vt_buf_printf(&text, "%d;\"a \"\"%.*s\"\"\r\nb\";%d.jpg\r\n", i, i % 37,
                      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", i);
        vt_buf_printf(&expected, "%d %d \"a \"%.*s\"\r\nb\" [%d.jpg]\n", 2 * i + 2, i, i % 37,
                      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", i);
    }
    assert_int_equal(vt_file_replace(path, text.data, text.length, false, &error), VT_OK);
    assert_int_equal(vt_feed_open(path, NULL, &feed, &error), VT_OK);
    assert_string_equal(vt_feed_images_dir(feed), dir);
    assert_true(vt_feed_total(feed) == 0);
    assert_true(vt_feed_position(feed) < 0.01);
    feed_text_all(&got, feed);
    assert_true(vt_feed_position(feed) == 1);
    assert_string_equal(got.data, expected.data);
    vt_feed_close(feed);
    unlink(path);
    rmdir(dir);
    vt_free(path);
    vt_buf_deinit(&text);
    vt_buf_deinit(&expected);
    vt_buf_deinit(&got);
}

static void test_open_faults(void **state)
{
    (void)state;
    vt_error error;
    vt_feed *feed;
    assert_int_equal(vt_feed_open("/nonexistent/p.csv", NULL, &feed, &error), VT_ERR_NOT_FOUND);
    assert_int_equal(vt_feed_open_bytes("xml", "", 0, &feed, &error), VT_ERR_USAGE);
}

/* Every allocation fails once: an error that says so, or the row, but never a row that lacks parts.
 */
static void test_allocation_failure(void **state)
{
    (void)state;
    static const char text[] = "id,title,image_link,additional_image_link,price,a,b,b\n"
                               "1,\"q\"\"q\",a.jpg,\"b,c,d,e,f,g,h,i,j\",5 EUR,x|y,1,2\n";
    bool done = false;
    for (int64_t n = 0; !done; n++) {
        vt_error error;
        vt_feed *feed;
        vt_arena arena;
        vt_arena_init(&arena, VT_FEED_ARENA_BYTES);
        vt_feed_row row = {.arena = &arena};
        vt_mem_fail_after(n);
        vt_status opened = vt_feed_open_bytes("csv", text, sizeof text - 1, &feed, &error);
        vt_status status = opened == VT_OK ? vt_feed_next(feed, &row, &error) : opened;
        vt_mem_fail_after(-1);
        if (status == VT_OK) {
            assert_string_equal(row.product.title, "q\"q");
            assert_int_equal(row.image_count, 10);
            assert_int_equal(row.product.attribute_count, 2);
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
        cmocka_unit_test(test_plain_and_quoted),
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_line_ends_and_marks),
        cmocka_unit_test(test_header_names),
        cmocka_unit_test(test_header_faults),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_row_faults),
        cmocka_unit_test(test_broken_quotes),
        cmocka_unit_test(test_open_quote_in_a_long_file),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_row_of_many_long_fields),
        cmocka_unit_test(test_too_many_pictures),
        cmocka_unit_test(test_file_across_windows),
        cmocka_unit_test(test_open_faults),
        cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
