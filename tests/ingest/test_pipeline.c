/* SPDX-License-Identifier: Apache-2.0 */
/* Whole imports with a real store and the classic encoder. */
#include "ingest/shop.h"

static shop s;

static int set_up(void **state)
{
    (void)state;
    shop_init(&s);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shop_deinit(&s);
    return 0;
}

static const char NO_REJECTS[] = "line,product,picture,status,reason\n";

/* Products p0 ... with one or two pictures each, in feed.csv. */
static void put_catalogue(int count)
{
    vt_buf feed;
    vt_buf_init(&feed, 1 << 20);
    vt_buf_append_text(&feed, "id,title,category,price,image_link,additional_image_link,colour\n");
    for (int i = 0; i < count; i++) {
        char name[32], more[32] = "";
        snprintf(name, sizeof name, "p/%d.jpg", i);
        shop_picture(&s, name, (uint64_t)i);
        if (i % 3 == 0) {
            snprintf(more, sizeof more, "p/%d-b.jpg", i);
            shop_picture(&s, more, (uint64_t)(10000 + i));
        }
        vt_buf_printf(&feed, "p%d,Product %d,Things,%d.50 EUR,%s,%s,red\n", i, i, i, name, more);
    }
    shop_write_feed(&s, feed.data);
    vt_buf_deinit(&feed);
}

static void test_import_again_and_change(void **state)
{
    (void)state;
    shop_picture(&s, "a.jpg", 1);
    shop_picture(&s, "b.jpg", 2);
    shop_picture(&s, "sub/c.jpg", 3);
    shop_write_feed(&s, "id,title,price,image_link,additional_image_link,size\n"
                        "1,Mug,5 EUR,a.jpg,b.jpg,7\n2,Cup,,sub/c.jpg,,S|M\n");
    shop_import(&s);
    assert_report(&s, 2, 2, 0, 0, 0, 0, 3);
    assert_string_equal(shop_sources(&s, "1"), "a.jpg b.jpg");
    assert_string_equal(s.report.first_reject, "");
    assert_file(s.rejects, NO_REJECTS);
    char *first = shop_dump(&s);
    assert_non_null(strstr(first, "96x72"));
    assert_non_null(strstr(first, "thumb=1"));
    assert_null(strstr(first, "thumb=0"));

    shop_import(&s);
    assert_report(&s, 2, 0, 0, 2, 0, 0, 0);
    char *second = shop_dump(&s);
    assert_string_equal(first, second);
    vt_free(second);

    /* Another price: pictures keep their vectors, nothing is embedded. */
    shop_write_feed(&s, "id,title,price,image_link,additional_image_link,size\n"
                        "1,Mug,6 EUR,a.jpg,b.jpg,7\n2,Cup,,sub/c.jpg,,S|M\n");
    shop_import(&s);
    assert_report(&s, 2, 0, 1, 1, 0, 0, 0);
    second = shop_dump(&s);
    assert_non_null(strstr(second, "price=6 EUR"));
    assert_string_equal(strstr(first, "\n"), strstr(second, "\n")); /* but for the first line */
    vt_free(second);

    /* Another picture under the same name. */
    shop_picture(&s, "b.jpg", 20);
    shop_import(&s);
    assert_report(&s, 2, 0, 1, 1, 0, 0, 1);
    second = shop_dump(&s);
    assert_string_not_equal(first, second);
    vt_free(second);

    /* One picture less, one attribute less. */
    shop_write_feed(&s, "id,title,price,image_link\n1,Mug,6 EUR,b.jpg\n2,Cup,,sub/c.jpg\n");
    shop_import(&s);
    assert_report(&s, 2, 0, 2, 0, 0, 0, 0);
    assert_string_equal(shop_sources(&s, "1"), "b.jpg");
    second = shop_dump(&s);
    assert_null(strstr(second, "size"));
    vt_free(second);
    vt_free(first);
}

/* A reused vector must be the one that embedding would give. */
static void test_update_equals_fresh_import(void **state)
{
    (void)state;
    put_catalogue(9);
    shop_import(&s);
    char *feed = shop_read(s.feed);
    for (char *c = strstr(feed, "Things"); c; c = strstr(c + 1, "Things"))
        memcpy(c, "Stuff.", 6);
    shop_write_feed(&s, feed);
    shop_import(&s);
    assert_report(&s, 9, 0, 9, 0, 0, 0, 0);
    char *updated = shop_dump(&s);
    shop_close_store(&s);
    snprintf(s.store_dir, sizeof s.store_dir, "%s/.fresh", s.dir);
    shop_open_store(&s);
    shop_import(&s);
    assert_report(&s, 9, 9, 0, 0, 0, 0, 12);
    char *fresh = shop_dump(&s);
    assert_string_equal(updated, fresh);
    vt_free(updated);
    vt_free(fresh);
    vt_free(feed);
}

/* 16 x 16 pixels, four channels. */
static const uint8_t cmyk_jpeg[] = {
    0xff, 0xd8, 0xff, 0xee, 0x00, 0x0e, 0x41, 0x64, 0x6f, 0x62, 0x65, 0x00, 0x64, 0x00, 0x00, 0x00,
    0x00, 0x02, 0xff, 0xdb, 0x00, 0x43, 0x00, 0x1b, 0x12, 0x14, 0x17, 0x14, 0x11, 0x1b, 0x17, 0x16,
    0x17, 0x1e, 0x1c, 0x1b, 0x20, 0x28, 0x42, 0x2b, 0x28, 0x25, 0x25, 0x28, 0x51, 0x3a, 0x3d, 0x30,
    0x42, 0x60, 0x55, 0x65, 0x64, 0x5f, 0x55, 0x5d, 0x5b, 0x6a, 0x78, 0x99, 0x81, 0x6a, 0x71, 0x90,
    0x73, 0x5b, 0x5d, 0x85, 0xb5, 0x86, 0x90, 0x9e, 0xa3, 0xab, 0xad, 0xab, 0x67, 0x80, 0xbc, 0xc9,
    0xba, 0xa6, 0xc7, 0x99, 0xa8, 0xab, 0xa4, 0xff, 0xdb, 0x00, 0x43, 0x01, 0x1c, 0x1e, 0x1e, 0x28,
    0x23, 0x28, 0x4e, 0x2b, 0x2b, 0x4e, 0xa4, 0x6e, 0x5d, 0x6e, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4,
    0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4,
    0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4,
    0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xff, 0xc0, 0x00, 0x14,
    0x08, 0x00, 0x10, 0x00, 0x10, 0x04, 0x01, 0x22, 0x00, 0x02, 0x11, 0x01, 0x03, 0x11, 0x01, 0x04,
    0x22, 0x00, 0xff, 0xc4, 0x00, 0x1f, 0x00, 0x00, 0x01, 0x05, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
    0x09, 0x0a, 0x0b, 0xff, 0xc4, 0x00, 0xb5, 0x10, 0x00, 0x02, 0x01, 0x03, 0x03, 0x02, 0x04, 0x03,
    0x05, 0x05, 0x04, 0x04, 0x00, 0x00, 0x01, 0x7d, 0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12,
    0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08,
    0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16,
    0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39,
    0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79,
    0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
    0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6,
    0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4,
    0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea,
    0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xff, 0xc4, 0x00, 0x1f, 0x01, 0x00,
    0x03, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0xff, 0xc4, 0x00, 0xb5, 0x11,
    0x00, 0x02, 0x01, 0x02, 0x04, 0x04, 0x03, 0x04, 0x07, 0x05, 0x04, 0x04, 0x00, 0x01, 0x02, 0x77,
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa, 0xff, 0xda, 0x00, 0x0e, 0x04, 0x01, 0x00, 0x02, 0x11, 0x03, 0x11, 0x04, 0x00, 0x00,
    0x3f, 0x00, 0x87, 0xcb, 0x3e, 0xe6, 0x94, 0x47, 0x9e, 0xd5, 0x68, 0x47, 0x8a, 0x3c, 0xb0, 0x7d,
    0x05, 0x1e, 0xd3, 0xb8, 0x3c, 0xcb, 0xcc, 0xd5, 0xa2, 0x8a, 0x2b, 0xff, 0xd9};

static void put_odd_pictures(void)
{
    vt_buf bytes;
    shop_picture(&s, "good.jpg", 1);
    shop_write(&s, "empty.jpg", "", 0);
    shop_write(&s, "text.jpg", "this is no picture", 18);
    shop_write(&s, "cmyk.jpg", cmyk_jpeg, sizeof cmyk_jpeg);
    shop_encode(2, 96, 72, 90, &bytes);
    shop_write(&s, "cut.jpg", bytes.data, bytes.length / 2);
    vt_buf_deinit(&bytes);
    shop_encode(3, 96, 72, 0, &bytes);
    shop_write(&s, "renamed.jpg", bytes.data, bytes.length);
    vt_buf_deinit(&bytes);
    shop_encode(4, 1, 1, 90, &bytes);
    shop_write(&s, "dot.jpg", bytes.data, bytes.length);
    vt_buf_deinit(&bytes);
    /* A header that promises 30,000 x 30,000 pixels. */
    shop_encode(5, 32, 32, 90, &bytes);
    for (size_t i = 0; i + 9 < bytes.length; i++)
        if ((uint8_t)bytes.data[i] == 0xff && (uint8_t)bytes.data[i + 1] == 0xc0) {
            memcpy(bytes.data + i + 5, "\x75\x30\x75\x30", 4);
            break;
        }
    shop_write(&s, "bomb.jpg", bytes.data, bytes.length);
    vt_buf_deinit(&bytes);
    char *path = shop_path(&s, "folder.jpg");
    assert_ok(vt_dir_make(path, error));
    vt_free(path);
    path = shop_path(&s, "pipe.jpg");
    assert_int_equal(mkfifo(path, 0600), 0);
    vt_free(path);
    path = shop_path(&s, "away.jpg");
    assert_int_equal(symlink("/etc/passwd", path), 0);
    vt_free(path);
}

/* Does the reject file hold a line that starts so? */
static void assert_reject(const char *start)
{
    char *text = shop_read(s.rejects);
    char *line = vt_alloc(strlen(start) + 2);
    snprintf(line, strlen(start) + 2, "\n%s", start);
    if (!strstr(text, line))
        fail_msg("no reject starts with %s:\n%s", start, text);
    vt_free(line);
    vt_free(text);
}

static void test_bad_pictures(void **state)
{
    (void)state;
    put_odd_pictures();
    shop_write_feed(
        &s, "id,image_link,additional_image_link\n"
            "odd,good.jpg,\"empty.jpg,text.jpg,cut.jpg,bomb.jpg,folder.jpg,pipe.jpg,away.jpg,"
            "missing.jpg,../escape.jpg,/etc/hostname,ftp://x.example/a.jpg,file:///etc/passwd,"
            "renamed.jpg,dot.jpg,cmyk.jpg\"\n"
            "lost,missing.jpg,empty.jpg\n"
            "next,renamed.jpg,\n");
    s.options.allow_remote = false;
    shop_import(&s);
    assert_string_equal(shop_sources(&s, "odd"), "good.jpg renamed.jpg dot.jpg cmyk.jpg");
    assert_report(&s, 3, 2, 0, 0, 1, 14, 5);
    assert_string_equal(shop_sources(&s, "lost"), "");
    assert_string_equal(shop_sources(&s, "next"), "renamed.jpg");
    assert_reject("2,odd,empty.jpg,malformed input,decode picture: the file is empty\n");
    assert_reject("2,odd,text.jpg,");
    assert_reject("2,odd,cut.jpg,malformed input,");
    assert_reject("2,odd,bomb.jpg,over a limit,");
    assert_reject("2,odd,folder.jpg,");
    assert_reject("2,odd,pipe.jpg,");
    assert_reject("2,odd,away.jpg,not allowed,");
    assert_reject("2,odd,missing.jpg,not found,");
    assert_reject("2,odd,../escape.jpg,not allowed,");
    assert_reject("2,odd,/etc/hostname,not allowed,");
    assert_reject("2,odd,ftp://x.example/a.jpg,not allowed,");
    assert_reject("2,odd,file:///etc/passwd,not allowed,");
    assert_reject("3,lost,,not found,no picture of the product could be used\n");
    assert_reject("3,lost,missing.jpg,not found,");
    assert_reject("3,lost,empty.jpg,malformed input,");
    assert_non_null(strstr(s.report.first_reject, "line 2, product \"odd\", picture \""));

    /* The same again: nothing is written, but what is wrong is still said. */
    char *first = shop_read(s.rejects);
    char *before = shop_dump(&s);
    shop_import(&s);
    assert_report(&s, 3, 0, 0, 2, 1, 14, 0);
    assert_file(s.rejects, first);
    char *after = shop_dump(&s);
    assert_string_equal(before, after);
    vt_free(first);
    vt_free(before);
    vt_free(after);

    /* Repaired pictures are picked up, what could not be read before too. */
    shop_picture(&s, "cut.jpg", 30);
    shop_picture(&s, "missing.jpg", 31);
    shop_import(&s);
    assert_report(&s, 3, 1, 1, 1, 0, 11, 3);
    assert_string_equal(shop_sources(&s, "odd"),
                        "good.jpg cut.jpg missing.jpg renamed.jpg dot.jpg cmyk.jpg");
    assert_string_equal(shop_sources(&s, "lost"), "missing.jpg");
}

static void test_unreadable_picture(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        print_message("skipped: the superuser can read every file\n");
        skip();
    }
    shop_picture(&s, "a.jpg", 1);
    shop_picture(&s, "b.jpg", 2);
    char *path = shop_path(&s, "b.jpg");
    chmod(path, 0);
    shop_write_feed(&s, "id,image_link,additional_image_link\n1,a.jpg,b.jpg\n");
    shop_import(&s);
    assert_report(&s, 1, 1, 0, 0, 0, 1, 1);
    assert_reject("2,1,b.jpg,not allowed,");
    chmod(path, 0600);
    vt_free(path);
    shop_import(&s);
    assert_report(&s, 1, 0, 1, 0, 0, 0, 1);
}

static void test_duplicates(void **state)
{
    (void)state;
    vt_buf bytes;
    shop_picture(&s, "a.jpg", 1);
    shop_picture(&s, "a-copy.jpg", 1);
    shop_encode(1, 96, 72, 60, &bytes); /* the same, squeezed harder */
    shop_write(&s, "a-near.jpg", bytes.data, bytes.length);
    vt_buf_deinit(&bytes);
    shop_picture(&s, "b.jpg", 2);
    shop_write_feed(&s, "id,image_link,additional_image_link\n"
                        "1,a.jpg,\n2,b.jpg,a-copy.jpg\n3,a-near.jpg,a-copy.jpg\n");
    shop_import(&s);
    assert_int_equal(s.report.exact_duplicates, 1);
    assert_int_equal(s.report.near_duplicates, 2);
    char *text = shop_read(s.duplicates);
    const char *start = "product,picture,of_product,of_picture,kind,distance\n"
                        "2,a-copy.jpg,1,a.jpg,exact,0\n3,a-near.jpg,1,a.jpg,near,";
    assert_memory_equal(text, start, strlen(start));
    /* Product 3 has the picture twice, near enough: it is held against its own first. */
    assert_non_null(strstr(text, "\n3,a-copy.jpg,3,a-near.jpg,near,"));
    vt_free(text);

    /* Known pictures of known products are not reported again, but new ones against old ones are.
     */
    shop_write_feed(&s, "id,image_link,additional_image_link\n"
                        "1,a.jpg,\n2,b.jpg,a-copy.jpg\n4,b.jpg,\n");
    shop_import(&s);
    assert_int_equal(s.report.exact_duplicates, 1);
    assert_int_equal(s.report.near_duplicates, 0);
    assert_file(s.duplicates, "product,picture,of_product,of_picture,kind,distance\n"
                              "4,b.jpg,2,b.jpg,exact,0\n");

    /* An entry whose product is gone is not held against anyone. */
    assert_ok(vt_store_remove(s.store, "2", error));
    assert_ok(vt_store_remove(s.store, "4", error));
    shop_write_feed(&s, "id,image_link\n5,b.jpg\n6,b.jpg\n");
    s.options.near_duplicate_bits = -1;
    shop_import(&s);
    assert_file(s.duplicates, "product,picture,of_product,of_picture,kind,distance\n"
                              "6,b.jpg,5,b.jpg,exact,0\n");
}

/* A product that changes within the run leaves an entry behind that no longer holds. */
static void test_stale_duplicate(void **state)
{
    (void)state;
    shop_picture(&s, "a.jpg", 1);
    shop_picture(&s, "b.jpg", 2);
    shop_write_feed(&s, "id,image_link\n1,a.jpg\n");
    shop_import(&s);
    shop_write_feed(&s, "id,image_link\n1,b.jpg\n2,a.jpg\n3,a.jpg\n");
    shop_import(&s);
    assert_file(s.duplicates, "product,picture,of_product,of_picture,kind,distance\n"
                              "3,a.jpg,2,a.jpg,exact,0\n");
}

static void test_plain_pictures_are_no_near_duplicates(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        vt_image image;
        vt_buf bytes;
        char name[16];
        vt_buf_init(&bytes, 1 << 20);
        assert_ok(vt_image_init(&image, 32, 32, error));
        memset(image.rgb, 60 * (i + 1), 32 * 32 * 3);
        assert_ok(vt_image_encode_png(&image, &bytes, error));
        snprintf(name, sizeof name, "%d.png", i);
        shop_write(&s, name, bytes.data, bytes.length);
        vt_image_deinit(&image);
        vt_buf_deinit(&bytes);
    }
    shop_write_feed(&s, "id,image_link\n1,0.png\n2,1.png\n3,2.png\n");
    shop_import(&s);
    assert_report(&s, 3, 3, 0, 0, 0, 0, 3);
    assert_int_equal(s.report.near_duplicates, 0);
}

static void test_duplicate_ids_and_formulas(void **state)
{
    (void)state;
    shop_picture(&s, "a.jpg", 1);
    shop_picture(&s, "b.jpg", 2);
    shop_write_feed(&s, "id,title,image_link\n1,first,a.jpg\n2,x,b.jpg\n1,second,b.jpg\n"
                        "\"=HYPERLINK(\"\"x\"\",\"\"y\"\")\",x,@none.jpg\nbroken,line\n");
    shop_import(&s);
    assert_report(&s, 5, 2, 0, 0, 3, 1, 2);
    assert_reject("4,1,,already exists,\"id \"\"1\"\" stands on line 2 already\"\n");
    assert_reject("5,\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\",'@none.jpg,not found,");
    assert_reject("6,broken,,malformed input,\"line 6: row has 2 fields, the header 3\"\n");
    assert_string_equal(shop_sources(&s, "1"), "a.jpg");
}

typedef struct watch {
    uint64_t calls, last_done, cancel_at;
    bool backwards;
} watch;

static bool on_progress(void *context, const vt_ingest_progress *progress)
{
    watch *w = context;
    w->calls++;
    w->backwards |= progress->done < w->last_done || progress->total < progress->done;
    w->last_done = progress->done;
    return w->cancel_at == 0 || progress->done < w->cancel_at;
}

static void test_cancel_and_resume(void **state)
{
    (void)state;
    watch w = {.cancel_at = 1};
    put_catalogue(400);
    s.options.on_progress = on_progress;
    s.options.context = &w;
    shop_import(&s);
    assert_true(s.report.cancelled);
    assert_true(s.report.rows > 0 && s.report.rows < 400);
    assert_int_equal(s.report.rows, s.report.imported);
    assert_int_equal(shop_product_count(&s), s.report.imported);
    int done = (int)s.report.imported;

    w = (watch){0};
    shop_import(&s);
    assert_false(s.report.cancelled);
    assert_int_equal(s.report.unchanged, done);
    assert_int_equal(s.report.imported, 400 - done);
    assert_int_equal(w.last_done, 400);
    assert_true(w.calls >= 1);
    assert_false(w.backwards);
}

static void test_any_number_of_jobs_gives_the_same(void **state)
{
    (void)state;
    put_catalogue(60);
    s.options.jobs = 1;
    shop_import(&s);
    assert_report(&s, 60, 60, 0, 0, 0, 0, 80);
    char *one = shop_dump(&s);
    for (int jobs = 4; jobs <= 16; jobs += 12) {
        shop_close_store(&s);
        snprintf(s.store_dir, sizeof s.store_dir, "%s/.shop%d", s.dir, jobs);
        shop_open_store(&s);
        s.options.jobs = jobs;
        shop_import(&s);
        char *many = shop_dump(&s);
        assert_string_equal(one, many);
        vt_free(many);
    }
    vt_free(one);
}

static void test_folders(void **state)
{
    (void)state;
    shop_picture(&s, "shop/Mugs/red-mug.jpg", 1);
    shop_picture(&s, "shop/Mugs/blue.jpg", 2);
    shop_picture(&s, "shop/Lamps/one.jpg", 3);
    shop_write(&s, "shop/readme.txt", "x", 1);
    char *source = shop_path(&s, "shop");
    assert_int_equal(shop_try_import(&s, source), VT_OK);
    assert_report(&s, 4, 3, 0, 0, 1, 0, 3);
    assert_string_equal(shop_sources(&s, "Mugs/red-mug"), "Mugs/red-mug.jpg");
    assert_reject("4,readme.txt,,not supported,");
    char *dump = shop_dump(&s);
    assert_non_null(strstr(dump, "Mugs/red-mug title=red mug category=Mugs price"));
    vt_free(dump);
    s.options.feed.product_per_folder = true;
    assert_int_equal(shop_try_import(&s, source), VT_OK);
    assert_report(&s, 3, 2, 0, 0, 1, 0, 3);
    assert_string_equal(shop_sources(&s, "Mugs"), "Mugs/blue.jpg Mugs/red-mug.jpg");
    /* Its pictures are where it is: another directory makes no sense. */
    s.options.images_dir = s.dir;
    assert_int_equal(shop_try_import(&s, source), VT_ERR_USAGE);
    vt_free(source);
}

static void test_images_dir(void **state)
{
    (void)state;
    shop_picture(&s, "pictures/a.jpg", 1);
    shop_write_feed(&s, "id,image_link\n1,a.jpg\n");
    shop_import(&s);
    assert_report(&s, 1, 0, 0, 0, 1, 1, 0);
    char *dir = shop_path(&s, "pictures");
    s.options.images_dir = dir;
    shop_import(&s);
    assert_report(&s, 1, 1, 0, 0, 0, 0, 1);
    vt_free(dir);
}

static void test_many_pictures_of_one_product(void **state)
{
    (void)state;
    vt_buf feed;
    vt_buf_init(&feed, 1 << 20);
    vt_buf_append_text(&feed, "id,image_link,additional_image_link\n1,0.jpg,\"");
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.jpg", i);
        if (i == 17)
            shop_write(&s, name, "bad", 3);
        else
            shop_picture(&s, name, (uint64_t)i);
        if (i > 0)
            vt_buf_printf(&feed, "%s,", name);
    }
    vt_buf_append_text(&feed, "\"\n");
    shop_write_feed(&s, feed.data);
    vt_buf_deinit(&feed);
    shop_import(&s);
    assert_report(&s, 1, 1, 0, 0, 0, 1, 49);
    assert_memory_equal(shop_sources(&s, "1"), "0.jpg 1.jpg 2.jpg", 17);
    assert_non_null(strstr(shop_sources(&s, "1"), " 16.jpg 18.jpg "));
}

static void test_refused_before_it_starts(void **state)
{
    (void)state;
    shop_picture(&s, "a.jpg", 1);
    const char *text = "id,image_link\n1,a.jpg\n";
    shop_write_feed(&s, text);
    s.options.rejects_path = "/nonexistent/rejects.csv";
    assert_int_equal(shop_try_import(&s, s.feed), VT_ERR_NOT_FOUND);
    s.options.rejects_path = s.feed;
    assert_int_equal(shop_try_import(&s, s.feed), VT_ERR_USAGE);
    assert_file(s.feed, text);
    s.options.rejects_path = NULL;
    s.options.duplicates_path = s.dir;
    assert_int_equal(shop_try_import(&s, s.feed), VT_ERR_IO);
    s.options.duplicates_path = NULL;
    s.options.near_duplicate_bits = 40;
    assert_int_equal(shop_try_import(&s, s.feed), VT_ERR_USAGE);
    s.options.near_duplicate_bits = 3;
    s.options.thumbnail_px = 0;
    assert_int_equal(shop_try_import(&s, s.feed), VT_ERR_USAGE);
    s.options.thumbnail_px = 64;
    shop_write_feed(&s, "sku,picture\n");
    assert_int_equal(shop_try_import(&s, s.feed), VT_ERR_FORMAT);
    assert_int_equal(shop_try_import(&s, "/nonexistent.csv"), VT_ERR_NOT_FOUND);
    assert_int_equal(shop_product_count(&s), 0);
}

static void test_failing_store_ends_the_run(void **state)
{
    (void)state;
    put_catalogue(30);
    shop_close_store(&s);
    assert_ok(vt_store_open(s.store_dir, VT_STORE_READ, &s.store, error));
    vt_encoder_options options = vt_encoder_options_defaults();
    assert_ok(vt_encoder_open("classic", &options, &s.encoder, error));
    assert_int_equal(shop_try_import(&s, s.feed), VT_ERR_DENIED);
    assert_int_equal(s.report.imported, 0);
    assert_true(s.error.message[0] != '\0');
}

/* Whatever allocation fails: an error or a reject that says so, and the next run makes it whole. */
static void test_allocation_failure(void **state)
{
    (void)state;
    shop_picture(&s, "a.jpg", 1);
    shop_picture(&s, "b.jpg", 2);
    shop_write_feed(&s, "id,title,image_link,additional_image_link\n1,t,a.jpg,b.jpg\n");
    s.options.jobs = 1;
    bool done = false;
    int failures = 0;
    for (int64_t n = 0; !done; n += 1 + n / (SCRATCH_STRIDE < 16 ? 16 : 4)) {
        vt_store_remove(s.store, "1", NULL);
        vt_mem_fail_after(n);
        vt_status status = shop_try_import(&s, s.feed);
        int64_t used = vt_mem_fail_after(-1);
        bool whole = status == VT_OK && s.report.imported == 1 && s.report.rejected_pictures == 0;
        done = whole && used <= n;
        failures += !whole;
        if (status != VT_OK)
            assert_int_equal(status, VT_ERR_NO_MEMORY);
        shop_import(&s);
        assert_string_equal(shop_sources(&s, "1"), "a.jpg b.jpg");
        assert_int_equal(s.report.rejected_pictures, 0);
        assert_true(n < 1000000);
    }
    assert_true(failures > (SCRATCH_STRIDE < 16 ? 20 : 8));
    assert_ok(vt_store_check(s.store, error));
}

int main(void)
{
#define IN_SHOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_SHOP(test_import_again_and_change),
        IN_SHOP(test_update_equals_fresh_import),
        IN_SHOP(test_bad_pictures),
        IN_SHOP(test_unreadable_picture),
        IN_SHOP(test_duplicates),
        IN_SHOP(test_stale_duplicate),
        IN_SHOP(test_plain_pictures_are_no_near_duplicates),
        IN_SHOP(test_duplicate_ids_and_formulas),
        IN_SHOP(test_cancel_and_resume),
        IN_SHOP(test_any_number_of_jobs_gives_the_same),
        IN_SHOP(test_folders),
        IN_SHOP(test_images_dir),
        IN_SHOP(test_many_pictures_of_one_product),
        IN_SHOP(test_refused_before_it_starts),
        IN_SHOP(test_failing_store_ends_the_run),
        IN_SHOP(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
