/* SPDX-License-Identifier: Apache-2.0 */
/* The whole run: files, tables, determinism, and what may go wrong. */
#include "base/buf.h"
#include "base/file.h"
#include "image/image.h"
#include "sample/sample.h"
#include "support/scratch.h"

#include <sys/stat.h>

enum { COLUMNS = 11, FIELD_BYTES = 2048 };

static vt_sample_options small_options(size_t products, int size_px)
{
    vt_sample_options options = vt_sample_options_defaults();
    options.products = products;
    options.studio_views = 2;
    options.photo_views = 1;
    options.size_px = size_px;
    options.threads = 1;
    return options;
}

static void render_small(scratch *s, const char *name, const vt_sample_options *options)
{
    vt_error error = {0};
    vt_sample_report report;
    vt_status status = vt_sample_render(scratch_path(s, name), options, &report, &error);
    if (status != VT_OK)
        print_error("%s\n", error.message);
    assert_int_equal(status, VT_OK);
}

static void read_whole(scratch *s, const char *directory, const char *name, vt_buf *out)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    vt_buf_init(out, 1 << 26);
    assert_int_equal(vt_file_read(scratch_path(s, path), 1 << 26, out, NULL), VT_OK);
}

/* One record of RFC 4180; returns the number of fields, 0 at the end. */
static int read_record(const char **at, char fields[COLUMNS][FIELD_BYTES])
{
    const char *c = *at;
    if (*c == '\0')
        return 0;
    for (int count = 0; count < COLUMNS; count++) {
        size_t length = 0;
        bool quoted = *c == '"';
        c += quoted;
        while (*c && (quoted || (*c != ',' && *c != '\n'))) {
            if (quoted && *c == '"' && *++c != '"')
                break;
            assert_true(length + 1 < FIELD_BYTES);
            fields[count][length++] = *c++;
        }
        fields[count][length] = '\0';
        assert_true(*c == ',' || *c == '\n');
        if (*c++ == '\n') {
            *at = c;
            return count + 1;
        }
    }
    fail_msg("a record has more than %d fields", COLUMNS);
    return 0;
}

static void test_options_refused(void **state)
{
    scratch *s = *state;
    vt_sample_options bad[10];
    for (size_t i = 0; i < 10; i++)
        bad[i] = vt_sample_options_defaults();
    bad[0].products = 0;
    bad[1].products = 1000001;
    bad[2].studio_views = 0;
    bad[3].studio_views = 65;
    bad[4].photo_views = -1;
    bad[5].photo_views = 65;
    bad[6].size_px = 15;
    bad[7].size_px = 4097;
    bad[8].threads = -1;
    bad[9].threads = 1025;
    for (size_t i = 0; i < 10; i++) {
        vt_sample_report report = {.pictures = 77};
        vt_error error = {0};
        assert_int_equal(vt_sample_render(scratch_path(s, "refused"), bad + i, &report, &error),
                         VT_ERR_USAGE);
        assert_int_equal(report.pictures, 77);
        assert_non_null(strstr(error.message, "render a sample"));
        assert_false(vt_dir_exists(scratch_path(s, "refused")));
    }
}

/* Every name below `directory`, with its content, must be in the other one too, bit by bit. */
static void compare_folders(scratch *s, const char *a, const char *b, const char *folder)
{
    char name[256];
    vt_dir_list list;
    snprintf(name, sizeof name, "%s/%s", a, folder);
    assert_int_equal(vt_dir_list_open(scratch_path(s, name), 10000, &list, NULL), VT_OK);
    assert_true(list.count > 0);
    for (size_t i = 0; i < list.count; i++) {
        vt_buf one;
        vt_buf two;
        snprintf(name, sizeof name, "%s/%s", folder, list.names[i]);
        read_whole(s, a, name, &one);
        read_whole(s, b, name, &two);
        assert_int_equal(one.length, two.length);
        assert_memory_equal(one.data, two.data, one.length);
        vt_buf_deinit(&one);
        vt_buf_deinit(&two);
    }
    vt_dir_list_close(&list);
}

static void compare_files(scratch *s, const char *a, const char *b, const char *name, bool equal)
{
    vt_buf one;
    vt_buf two;
    read_whole(s, a, name, &one);
    read_whole(s, b, name, &two);
    bool same = one.length == two.length && memcmp(one.data, two.data, one.length) == 0;
    assert_int_equal(same, equal);
    vt_buf_deinit(&one);
    vt_buf_deinit(&two);
}

static void test_same_bytes_always(void **state)
{
    scratch *s = *state;
    vt_sample_options options = small_options(26, 32);
    render_small(s, "one", &options);
    options.threads = 4;
    render_small(s, "four", &options);
    render_small(s, "again", &options);
    const char *others[] = {"four", "again"};
    for (size_t i = 0; i < 2; i++) {
        compare_folders(s, "one", others[i], "studio");
        compare_folders(s, "one", others[i], "photos");
        compare_files(s, "one", others[i], "products.csv", true);
        compare_files(s, "one", others[i], "queries.csv", true);
    }
    /* More of everything leaves what was there as it was; another seed changes it. */
    options.products = 30;
    options.photo_views = 2;
    render_small(s, "more", &options);
    compare_folders(s, "one", "more", "studio");
    compare_folders(s, "one", "more", "photos");
    options.seed = 2;
    render_small(s, "other", &options);
    compare_files(s, "one", "other", "products.csv", false);
    compare_files(s, "one", "other", "studio/p00001-1.jpg", false);
    compare_files(s, "one", "other", "photos/p00001-1.jpg", false);
}

/* The product must be there to be seen, the border of a studio picture must be white. */
static void check_studio(const vt_image *image)
{
    size_t colored = 0;
    for (int y = 0; y < image->height; y++) {
        for (int x = 0; x < image->width; x++) {
            const uint8_t *rgb = image->rgb + 3 * (y * image->width + x);
            int darkest = rgb[0] < rgb[1] ? rgb[0] : rgb[1];
            darkest = rgb[2] < darkest ? rgb[2] : darkest;
            bool border = x == 0 || y == 0 || x == image->width - 1 || y == image->height - 1;
            if (border)
                assert_in_range(darkest, 235, 255); /* the coder's ringing */
            colored += darkest < 225;
        }
    }
    assert_true(colored > (size_t)(image->width * image->height) / 40);
}

static void check_picture(scratch *s, const char *directory, const char *name, int studio_px)
{
    char path[400];
    vt_image image = {0};
    vt_error error = {0};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    vt_decode_options options = vt_decode_options_defaults();
    assert_int_equal(vt_image_decode_file(scratch_path(s, path), &options, &image, &error), VT_OK);
    if (studio_px > 0) {
        assert_int_equal(image.width, studio_px);
        assert_int_equal(image.height, studio_px);
        check_studio(&image);
    } else {
        assert_in_range(image.width, 30, 120);
        assert_in_range(image.height, 30, 120);
    }
    vt_image_deinit(&image);
}

static void check_product(scratch *s, char fields[COLUMNS][FIELD_BYTES], size_t number)
{
    char id[16];
    snprintf(id, sizeof id, "p%05zu", number + 1);
    assert_string_equal(fields[0], id);
    for (int i = 1; i < COLUMNS; i++) {
        assert_true(fields[i][0] != '\0');
        assert_true(vt_utf8_valid(fields[i], strlen(fields[i])));
        assert_null(strstr(fields[i], "  "));
        assert_null(strstr(fields[i], "%s"));
    }
    assert_true(strlen(fields[1]) > 8 && strlen(fields[1]) < 120);
    assert_true(strlen(fields[2]) > 30);
    assert_non_null(strstr(fields[3], " > "));
    /* Digits, a point, two digits. */
    double price = 0.0;
    size_t length = strlen(fields[5]);
    assert_true(vt_parse_double(fields[5], length, &price));
    assert_true(price >= 5.0 && price < 500.0);
    assert_true(length > 3 && fields[5][length - 3] == '.');
    check_picture(s, "full", fields[9], 64);
    check_picture(s, "full", fields[10], 64);
}

static void test_tables_and_pictures(void **state)
{
    threads_as_in(test_same_bytes_always);
    scratch *s = *state;
    char(*fields)[FIELD_BYTES] = test_malloc(COLUMNS * FIELD_BYTES);
    vt_sample_options options = small_options(50, 64);
    vt_sample_report report = {0};
    options.threads = 2;
    assert_int_equal(vt_sample_render(scratch_path(s, "full"), &options, &report, NULL), VT_OK);
    assert_int_equal(report.products, 50);
    assert_int_equal(report.pictures, 150);
    assert_in_range(report.families, 16, 50);

    vt_buf feed;
    read_whole(s, "full", "products.csv", &feed);
    const char *at = feed.data;
    assert_int_equal(strncmp(at, "id,title,description,category,brand,price,color,material,", 57),
                     0);
    assert_int_equal(read_record(&at, fields), COLUMNS);
    assert_string_equal(fields[9], "image_link");
    assert_string_equal(fields[10], "additional_image_link");
    size_t count = 0;
    for (; read_record(&at, fields) == COLUMNS; count++) {
        assert_true(count < 50);
        check_product(s, fields, count);
    }
    assert_int_equal(count, 50);
    vt_buf_deinit(&feed);
    read_whole(s, "full", "queries.csv", &feed);
    at = feed.data;
    assert_int_equal(read_record(&at, fields), 3);
    assert_string_equal(fields[0], "photo");
    assert_string_equal(fields[1], "product");
    assert_string_equal(fields[2], "category");
    size_t queries = 0;
    for (; read_record(&at, fields) == 3; queries++)
        check_picture(s, "full", fields[0], 0);
    assert_int_equal(queries, 50);
    vt_buf_deinit(&feed);
    test_free(fields);
}

/* No two products show the same picture, nor do two views of one. */
static void test_products_differ(void **state)
{
    threads_as_in(test_same_bytes_always);
    scratch *s = *state;
    vt_sample_options options = small_options(72, 32);
    options.photo_views = 0;
    options.threads = 2;
    render_small(s, "differ", &options);
    vt_dir_list list;
    assert_int_equal(vt_dir_list_open(scratch_path(s, "differ/studio"), 1000, &list, NULL), VT_OK);
    assert_int_equal(list.count, 144);
    vt_image *images = test_calloc(list.count, sizeof *images);
    vt_decode_options decode = vt_decode_options_defaults();
    for (size_t i = 0; i < list.count; i++) {
        char name[128];
        snprintf(name, sizeof name, "differ/studio/%s", list.names[i]);
        assert_int_equal(vt_image_decode_file(scratch_path(s, name), &decode, images + i, NULL),
                         VT_OK);
    }
    for (size_t i = 0; i < list.count; i++) {
        for (size_t k = i + 1; k < list.count; k++) {
            long gap = 0;
            for (int p = 0; p < 32 * 32 * 3; p++)
                gap += labs((long)images[i].rgb[p] - images[k].rgb[p]);
            /* Half a grey level on average would be nothing but the coder's noise. */
            assert_true(gap > 32 * 32 * 3 / 2);
        }
    }
    for (size_t i = 0; i < list.count; i++)
        vt_image_deinit(images + i);
    test_free(images);
    vt_dir_list_close(&list);
}

typedef struct watcher {
    uint64_t calls, last, total, stop_at;
} watcher;

static bool watch(void *context, uint64_t done, uint64_t total)
{
    watcher *w = context;
    w->calls++;
    /* Counts never go back. */
    assert_true(done > w->last && done <= total);
    w->last = done;
    w->total = total;
    return done < w->stop_at;
}

static void test_progress_and_cancel(void **state)
{
    scratch *s = *state;
    watcher w = {.stop_at = 4};
    vt_sample_options options = small_options(6, 16);
    options.threads = 3;
    options.on_progress = watch;
    options.context = &w;
    vt_sample_report report = {.products = 5};
    vt_error error = {0};
    assert_int_equal(vt_sample_render(scratch_path(s, "run"), &options, &report, &error),
                     VT_ERR_CANCELLED);
    assert_int_equal(w.calls, 4);
    assert_int_equal(w.total, 18);
    assert_int_equal(report.products, 5);
    assert_non_null(strstr(error.message, "cancelled after 4 of 18"));
    /* Seen as unfinished, and can be gone on with. */
    assert_false(vt_file_exists(scratch_path(s, "run/products.csv")));
    assert_false(vt_file_exists(scratch_path(s, "run/queries.csv")));
    w = (watcher){.stop_at = 1000};
    assert_int_equal(vt_sample_render(scratch_path(s, "run"), &options, &report, &error), VT_OK);
    assert_int_equal(w.last, 18);
    assert_true(vt_file_exists(scratch_path(s, "run/products.csv")));
    /* The last picture's answer counts too. */
    w = (watcher){.stop_at = 18};
    assert_int_equal(vt_sample_render(scratch_path(s, "late"), &options, &report, &error),
                     VT_ERR_CANCELLED);
    assert_false(vt_file_exists(scratch_path(s, "late/products.csv")));
}

static void test_directories(void **state)
{
    scratch *s = *state;
    vt_sample_options options = small_options(1, 16);
    vt_error error = {0};
    vt_sample_report report = {.pictures = 3};
    assert_int_equal(mkdir(scratch_path(s, "taken"), 0755), 0);
    scratch_write(s, "taken/products.csv", "mine", 4);
    assert_int_equal(vt_sample_render(scratch_path(s, "taken"), &options, &report, &error),
                     VT_ERR_EXISTS);
    assert_non_null(strstr(error.message, "/taken\""));
    assert_int_equal(report.pictures, 3);
    vt_buf mine;
    read_whole(s, "taken", "products.csv", &mine);
    assert_string_equal(mine.data, "mine");
    vt_buf_deinit(&mine);
    assert_false(vt_dir_exists(scratch_path(s, "taken/studio")));

    scratch_write(s, "file", "x", 1);
    assert_int_not_equal(vt_sample_render(scratch_path(s, "file"), &options, NULL, &error), VT_OK);
    assert_int_not_equal(vt_sample_render(scratch_path(s, "file/below"), &options, NULL, &error),
                         VT_OK);
    assert_non_null(strstr(error.message, "file"));
    /* A picture that cannot be written ends the run; the feed is not written then. */
    assert_int_equal(mkdir(scratch_path(s, "blocked"), 0755), 0);
    assert_int_equal(mkdir(scratch_path(s, "blocked/studio"), 0755), 0);
    assert_int_equal(mkdir(scratch_path(s, "blocked/studio/p00001-2.jpg"), 0755), 0);
    options.threads = 2;
    assert_int_not_equal(vt_sample_render(scratch_path(s, "blocked"), &options, NULL, &error),
                         VT_OK);
    assert_non_null(strstr(error.message, "p00001-2.jpg"));
    assert_false(vt_file_exists(scratch_path(s, "blocked/products.csv")));
    /* Parents are made; neither report nor error is needed. */
    assert_int_equal(vt_sample_render(scratch_path(s, "a/b/c"), &options, NULL, NULL), VT_OK);
    assert_true(vt_file_exists(scratch_path(s, "a/b/c/products.csv")));
}

static void test_smallest(void **state)
{
    scratch *s = *state;
    vt_sample_options options = small_options(30, 16);
    options.studio_views = 1;
    options.photo_views = 0;
    vt_sample_report report;
    assert_int_equal(vt_sample_render(scratch_path(s, "tiny"), &options, &report, NULL), VT_OK);
    assert_int_equal(report.pictures, 30);
    vt_buf table;
    read_whole(s, "tiny", "queries.csv", &table);
    assert_string_equal(table.data, "photo,product,category\n");
    vt_buf_deinit(&table);
    /* One view: nothing additional. */
    read_whole(s, "tiny", "products.csv", &table);
    assert_non_null(strstr(table.data, ",studio/p00001-1.jpg,\n"));
    vt_buf_deinit(&table);
    options.products = 1;
    options.studio_views = 12;
    options.photo_views = 12;
    assert_int_equal(vt_sample_render(scratch_path(s, "views"), &options, &report, NULL), VT_OK);
    assert_int_equal(report.families, 1);
    read_whole(s, "views", "products.csv", &table);
    assert_non_null(strstr(table.data, ",\"studio/p00001-2.jpg,studio/p00001-3.jpg,"));
    vt_buf_deinit(&table);
}

typedef struct attempt {
    char directory[SCRATCH_PATH_BYTES];
    vt_sample_options options;
} attempt;

static vt_status try_once(void *context)
{
    attempt *a = context;
    /* The last allocation of all may fail when the feed is in its place already. */
    char feed[SCRATCH_PATH_BYTES + 16];
    snprintf(feed, sizeof feed, "%s/products.csv", a->directory);
    remove(feed);
    return vt_sample_render(a->directory, &a->options, NULL, NULL);
}

static void test_allocations_fail(void **state)
{
    scratch *s = *state;
    attempt a = {.options = small_options(1, 16)};
    a.options.studio_views = 1;
    snprintf(a.directory, sizeof a.directory, "%s", scratch_path(s, "memory"));
    int failed = each_allocation_failing(try_once, &a);
    assert_true(failed > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_options_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_same_bytes_always, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_tables_and_pictures, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_products_differ, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_progress_and_cancel, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_directories, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_smallest, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_allocations_fail, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
