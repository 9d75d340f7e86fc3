/* SPDX-License-Identifier: Apache-2.0 */
/* Folders as feeds: order, ids, categories, links that lead away, names that are none. */
#include "ingest/feed_text.h"

#include "base/file.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(root, "/tmp/vt-folder-XXXXXX", sizeof "/tmp/vt-folder-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *relative)
{
    vt_error error;
    char *path = vt_path_join(root, relative);
    char *parent = vt_strndup(path, (size_t)(vt_path_base(path) - path) - 1);
    assert_int_equal(vt_dir_make(parent, &error), VT_OK);
    assert_int_equal(vt_file_replace(path, "x", 1, false, &error), VT_OK);
    vt_free(parent);
    vt_free(path);
}

static void put_link(const char *target, const char *relative)
{
    char *path = vt_path_join(root, relative);
    assert_int_equal(symlink(target, path), 0);
    vt_free(path);
}

static void assert_folder(bool product_per_folder, uint64_t total, const char *expected)
{
    vt_error error;
    vt_feed *feed;
    vt_buf got;
    vt_feed_options options = {.product_per_folder = product_per_folder};
    vt_buf_init(&got, 1 << 20);
    vt_buf_append_text(&got, "");
    assert_int_equal(vt_feed_open(root, &options, &feed, &error), VT_OK);
    assert_string_equal(vt_feed_images_dir(feed), root);
    assert_int_equal(vt_feed_total(feed), total);
    feed_text_all(&got, feed);
    assert_true(vt_feed_position(feed) == (total > 0 ? 1 : 0));
    vt_feed_close(feed);
    assert_string_equal(vt_buf_text(&got), expected);
    vt_buf_deinit(&got);
}

static void test_picture_per_product(void **state)
{
    (void)state;
    put("top.jpg");
    put("Fruit/Apple/red-apple_02.JPEG");
    put("Fruit/Apple/-_-.png");
    put("Fruit/pear.webp");
    put("Fruit/.hidden.jpg");
    put(".git/a.jpg");
    put("Fruit/notes.txt");
    put("Fruit/noextension");
    assert_folder(false, 6,
                  "1 Fruit/Apple/-_- \"-_-\" category=\"Fruit > Apple\" [Fruit/Apple/-_-.png]\n"
                  "2 Fruit/Apple/red-apple_02 \"red apple 02\" category=\"Fruit > Apple\" "
                  "[Fruit/Apple/red-apple_02.JPEG]\n"
                  "3 unsupported Fruit/noextension: take \"Fruit/noextension\": not a picture file "
                  "name\n"
                  "4 unsupported Fruit/notes.txt: take \"Fruit/notes.txt\": not a picture file "
                  "name\n"
                  "5 Fruit/pear \"pear\" category=\"Fruit\" [Fruit/pear.webp]\n"
                  "6 top \"top\" [top.jpg]\n");
}

static void test_shared_stems(void **state)
{
    (void)state;
    put("a.b.jpg");
    put("a.jpg");
    put("a-c.jpg");
    put("a.png");
    put("b.jpg");
    put("b.txt");
    assert_folder(false, 6,
                  "1 a-c \"a c\" [a-c.jpg]\n2 a.b \"a.b\" [a.b.jpg]\n3 a.jpg \"a\" [a.jpg]\n"
                  "4 a.png \"a\" [a.png]\n5 b \"b\" [b.jpg]\n"
                  "6 unsupported b.txt: take \"b.txt\": not a picture file name\n");
}

static void test_product_per_folder(void **state)
{
    (void)state;
    put("Mugs/M-1/b.jpg");
    put("Mugs/M-1/a.jpg");
    put("Mugs/M-1/detail/c.jpg");
    put("Mugs/M_2/a.png");
    put("Mugs/M_2/read.me");
    put("Lamp/x.jpg");
    assert_folder(true, 5,
                  "1 Lamp \"Lamp\" [Lamp/x.jpg]\n"
                  "2 Mugs/M-1 \"M 1\" category=\"Mugs\" [Mugs/M-1/a.jpg, Mugs/M-1/b.jpg]\n"
                  "3 Mugs/M-1/detail \"detail\" category=\"Mugs > M-1\" [Mugs/M-1/detail/c.jpg]\n"
                  "4 Mugs/M_2 \"M 2\" category=\"Mugs\" [Mugs/M_2/a.png]\n"
                  "5 unsupported Mugs/M_2/read.me: take \"Mugs/M_2/read.me\": not a picture file "
                  "name\n");
}

static void test_root_as_product(void **state)
{
    (void)state;
    vt_buf expected;
    vt_buf_init(&expected, 1000);
    put("1.jpg");
    put("2.jpg");
    const char *base = vt_path_base(root);
    vt_buf_printf(&expected, "1 %s \"", base);
    for (const char *c = base; *c; c++)
        vt_buf_append_char(&expected, *c == '-' ? ' ' : *c);
    vt_buf_append_text(&expected, "\" [1.jpg, 2.jpg]\n");
    assert_folder(true, 1, expected.data);
    vt_buf_deinit(&expected);
}

static void test_shop_in_the_folder(void **state)
{
    (void)state;
    put("a.jpg");
    put("my.shop/catalog.db");
    put("my.shop/thumbs/ab/cd.jpg");
    assert_folder(false, 1,
                  "1 a \"a\" [a.jpg]\n2 denied my.shop: take \"my.shop\": it is a shop, not a "
                  "folder of pictures\n");
    vt_feed *feed;
    vt_error error;
    char *path = vt_path_join(root, "my.shop");
    assert_int_equal(vt_feed_open(path, NULL, &feed, &error), VT_ERR_DENIED);
    vt_free(path);
}

static void test_links(void **state)
{
    (void)state;
    put("in/a.jpg");
    put("b.jpg");
    put_link("a.jpg", "in/same.jpg");
    put_link("../b.jpg", "in/up.jpg");
    put_link("/etc/passwd", "in/away.jpg");
    put_link("../../../../../../etc/hostname", "in/climb.jpg");
    put_link("nowhere.jpg", "in/broken.jpg");
    put_link("loop.jpg", "in/loop.jpg");
    put_link("..", "in/loop");
    put_link("/", "in/slash");
    vt_error error;
    vt_feed *feed;
    vt_buf got;
    vt_buf_init(&got, 1 << 20);
    assert_int_equal(vt_feed_open(root, NULL, &feed, &error), VT_OK);
    feed_text_all(&got, feed);
    vt_feed_close(feed);
    const char *want[] = {
        "1 b \"b\" [b.jpg]\n",
        "2 in/a \"a\" category=\"in\" [in/a.jpg]\n",
        "3 denied in/away.jpg: take \"in/away.jpg\": symbolic link leaves the "
        "folder\n",
        "denied in/climb.jpg: take \"in/climb.jpg\": symbolic link leaves the "
        "folder\n",
        "denied in/loop: take \"in/loop\": symbolic links to folders are not "
        "followed\n",
        "in/same \"same\" category=\"in\" [in/same.jpg]\n",
        "denied in/slash: take \"in/slash\": symbolic link leaves the folder\n",
        "in/up \"up\" category=\"in\" [in/up.jpg]\n",
        "not found in/broken.jpg: take \"in/broken.jpg\": symbolic link leads nowhere\n",
        "not found in/loop.jpg: take \"in/loop.jpg\": symbolic link leads nowhere\n"};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        if (!strstr(got.data, want[i]))
            print_error("missing: %sin:\n%s", want[i], got.data);
        assert_non_null(strstr(got.data, want[i]));
    }
    assert_null(strstr(got.data, "root:"));
    assert_null(strstr(got.data, " [in/away"));
    vt_buf_deinit(&got);
}

static void test_odd_entries(void **state)
{
    (void)state;
    put("ok.jpg");
    put("bad\xff.jpg");
    put("bad\xff.txt");
    put("new\nline.jpg");
    char *path = vt_path_join(root, "pipe.jpg");
    assert_int_equal(mkfifo(path, 0600), 0);
    vt_free(path);
    assert_folder(false, 5,
                  "1 format ?: file name is not valid UTF-8\n"
                  "2 format ?: file name is not valid UTF-8\n"
                  "3 format new\nline.jpg: id holds a control character\n"
                  "4 ok \"ok\" [ok.jpg]\n"
                  "5 unsupported pipe.jpg: take \"pipe.jpg\": not a regular file\n");
}

static void test_unreadable_folder(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        print_message("skipped: the superuser can read every folder\n");
        skip();
    }
    put("a/1.jpg");
    put("b/1.jpg");
    char *path = vt_path_join(root, "a");
    chmod(path, 0);
    vt_buf got;
    vt_error error;
    vt_feed *feed;
    vt_buf_init(&got, 1 << 20);
    assert_int_equal(vt_feed_open(root, NULL, &feed, &error), VT_OK);
    feed_text_all(&got, feed);
    vt_feed_close(feed);
    chmod(path, 0700);
    vt_free(path);
    assert_memory_equal(got.data, "1 denied a: ", 12);
    assert_non_null(strstr(got.data, "2 b/1 \"1\" category=\"b\" [b/1.jpg]\n"));
    vt_buf_deinit(&got);
}

static void test_deep_and_empty(void **state)
{
    (void)state;
    assert_folder(false, 0, "");
    assert_folder(true, 0, "");
    vt_buf path;
    vt_buf_init(&path, 4000);
    for (int i = 0; i < VT_FEED_FOLDER_DEPTH + 5; i++)
        vt_buf_append_text(&path, "d/");
    vt_buf_append_text(&path, "deep.jpg");
    put(path.data);
    put("z.jpg");
    vt_buf got;
    vt_error error;
    vt_feed *feed;
    vt_buf_init(&got, 1 << 20);
    assert_int_equal(vt_feed_open(root, NULL, &feed, &error), VT_OK);
    feed_text_all(&got, feed);
    vt_feed_close(feed);
    assert_memory_equal(got.data, "1 limit d/d/", 12);
    assert_non_null(strstr(got.data, "folders are nested too deep\n2 z \"z\" [z.jpg]\n"));
    vt_buf_deinit(&got);
    vt_buf_deinit(&path);
}

static void test_allocation_failure(void **state)
{
    (void)state;
    put("a/1.jpg");
    put("a/2.jpg");
    put("b.jpg");
    bool done = false;
    for (int64_t n = 0; !done; n++) {
        vt_error error;
        vt_feed *feed;
        vt_arena arena;
        vt_arena_init(&arena, VT_FEED_ARENA_BYTES);
        vt_feed_row row = {.arena = &arena};
        vt_feed_options options = {.product_per_folder = true};
        vt_mem_fail_after(n);
        vt_status opened = vt_feed_open(root, &options, &feed, &error);
        vt_status status = opened;
        size_t rows = 0;
        while (status == VT_OK) {
            status = vt_feed_next(feed, &row, &error);
            if (status == VT_OK && !row.product.id)
                break;
            rows += status == VT_OK;
        }
        vt_mem_fail_after(-1);
        if (status == VT_OK) {
            assert_int_equal(rows, 2);
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
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_picture_per_product), IN_FOLDER(test_shared_stems),
        IN_FOLDER(test_product_per_folder),  IN_FOLDER(test_root_as_product),
        IN_FOLDER(test_shop_in_the_folder),  IN_FOLDER(test_links),
        IN_FOLDER(test_odd_entries),         IN_FOLDER(test_unreadable_folder),
        IN_FOLDER(test_deep_and_empty),      IN_FOLDER(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
