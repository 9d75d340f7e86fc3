/* SPDX-License-Identifier: Apache-2.0 */
/* Files: bounds, what is no regular file, replacement that survives a write that fails. */
#include "base/file.h"
#include "support/scratch.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void test_read_bounds(void **state)
{
    scratch *s = *state;
    scratch_write(s, "f", "0123456789", 10);
    for (size_t maximum = 0; maximum < 20; maximum++) {
        vt_buf buf;
        vt_buf_init(&buf, 100);
        vt_buf_append_text(&buf, "<");
        vt_status status = vt_file_read(scratch_path(s, "f"), maximum, &buf, NULL);
        assert_int_equal(status, maximum >= 10 ? VT_OK : VT_ERR_LIMIT);
        assert_string_equal(buf.data, maximum >= 10 ? "<0123456789" : "<");
        assert_int_equal(buf.length, strlen(buf.data));
        vt_buf_deinit(&buf);
        /* The buffer's own maximum counts too, and leaves the buffer usable. */
        vt_buf_init(&buf, maximum);
        status = vt_file_read(scratch_path(s, "f"), 100, &buf, NULL);
        assert_int_equal(status, maximum >= 10 ? VT_OK : VT_ERR_LIMIT);
        assert_false(buf.failed);
        vt_buf_deinit(&buf);
    }
}

static void test_read_others(void **state)
{
    scratch *s = *state;
    vt_buf buf;
    vt_buf_init(&buf, 1 << 20);
    scratch_write(s, "empty", "", 0);
    assert_int_equal(vt_file_read(scratch_path(s, "empty"), 0, &buf, NULL), VT_OK);
    assert_int_equal(buf.length, 0);
    vt_error error;
    assert_int_equal(vt_file_read(scratch_path(s, "none"), 9, &buf, &error), VT_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "/none\""));
    assert_int_equal(vt_file_read(s->root, 9, &buf, NULL), VT_ERR_UNSUPPORTED);
    assert_int_equal(mkfifo(scratch_path(s, "pipe"), 0600), 0);
    assert_int_equal(vt_file_read(scratch_path(s, "pipe"), 9, &buf, NULL), VT_ERR_UNSUPPORTED);
    assert_int_equal(vt_file_read("/dev/zero", 9, &buf, NULL), VT_ERR_UNSUPPORTED);
    assert_int_equal(buf.length, 0);
    vt_buf_deinit(&buf);
}

/* Files of /proc say that they are empty and are not. */
static void test_read_size_unknown(void **state)
{
    (void)state;
    vt_buf buf;
    vt_buf_init(&buf, 1 << 20);
    if (!vt_file_exists("/proc/self/maps")) {
        print_message("no /proc here: skipped\n");
        skip();
    }
    assert_int_equal(vt_file_read("/proc/self/maps", 1 << 20, &buf, NULL), VT_OK);
    assert_true(buf.length > 100);
    size_t length = buf.length;
    assert_int_equal(vt_file_read("/proc/self/maps", 100, &buf, NULL), VT_ERR_LIMIT);
    assert_int_equal(buf.length, length);
    vt_buf_deinit(&buf);
}

static void check_content(scratch *s, const char *name, const char *expected)
{
    vt_buf buf;
    vt_buf_init(&buf, 1 << 20);
    assert_int_equal(vt_file_read(scratch_path(s, name), 1 << 20, &buf, NULL), VT_OK);
    assert_string_equal(vt_buf_text(&buf), expected);
    vt_buf_deinit(&buf);
}

static size_t entry_count(const char *path)
{
    vt_dir_list list;
    assert_int_equal(vt_dir_list_open(path, 100, &list, NULL), VT_OK);
    size_t count = list.count;
    vt_dir_list_close(&list);
    return count;
}

static void test_replace(void **state)
{
    scratch *s = *state;
    for (int durable = 0; durable < 2; durable++) {
        assert_int_equal(vt_file_replace(scratch_path(s, "f"), "one", 3, durable, NULL), VT_OK);
        check_content(s, "f", "one");
        assert_int_equal(vt_file_replace(scratch_path(s, "f"), NULL, 0, durable, NULL), VT_OK);
        check_content(s, "f", "");
        assert_int_equal(entry_count(s->root), 1);
    }
    vt_error error;
    assert_int_equal(vt_file_replace(scratch_path(s, "no/f"), "x", 1, true, &error),
                     VT_ERR_NOT_FOUND);
    assert_int_equal(vt_file_replace(s->root, "x", 1, true, &error), VT_ERR_IO);
    assert_int_equal(entry_count(s->root), 1);
}

static void test_replace_keeps_permissions(void **state)
{
    scratch *s = *state;
    scratch_write(s, "f", "old", 3);
    assert_int_equal(chmod(scratch_path(s, "f"), 0640), 0);
    assert_int_equal(vt_file_replace(scratch_path(s, "f"), "new", 3, false, NULL), VT_OK);
    struct stat info;
    assert_int_equal(stat(scratch_path(s, "f"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
}

/* A write that the system cuts off after 100 bytes: the old content stays, nothing is left behind.
 */
static void test_replace_survives_failing_write(void **state)
{
    scratch *s = *state;
    char content[5000];
    memset(content, 'n', sizeof content);
    assert_int_equal(vt_file_replace(scratch_path(s, "f"), "old", 3, true, NULL), VT_OK);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    /* Limits hold for the test's own output as well, hence no assertion before it is lifted. */
    fflush(NULL);
    setrlimit(RLIMIT_FSIZE, &small);
    vt_error error;
    vt_status status = vt_file_replace(scratch_path(s, "f"), content, sizeof content, true, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, VT_ERR_IO);
    assert_non_null(strstr(error.message, "/f\""));
    check_content(s, "f", "old");
    assert_int_equal(entry_count(s->root), 1);
}

/* What a crashed process of the same number left must not be in the way. */
static void test_replace_beside_leftovers(void **state)
{
    scratch *s = *state;
    char name[64];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "f.%ld-%d.tmp", (long)getpid(), i);
        scratch_write(s, name, "junk", 4);
    }
    assert_int_equal(vt_file_replace(scratch_path(s, "f"), "new", 3, false, NULL), VT_OK);
    check_content(s, "f", "new");
    assert_int_equal(entry_count(s->root), 41);
}

static void test_mapping(void **state)
{
    scratch *s = *state;
    vt_mapping mapping = {0};
    scratch_write(s, "f", "0123456789", 10);
    assert_int_equal(vt_mapping_open(scratch_path(s, "f"), 10, &mapping, NULL), VT_OK);
    assert_int_equal(mapping.length, 10);
    assert_memory_equal(mapping.bytes, "0123456789", 10);
    /* It outlives a replacement of the file. */
    assert_int_equal(vt_file_replace(scratch_path(s, "f"), "x", 1, false, NULL), VT_OK);
    assert_memory_equal(mapping.bytes, "0123456789", 10);
    vt_mapping_close(&mapping);
    vt_mapping_close(&mapping);
    assert_int_equal(vt_mapping_open(scratch_path(s, "f"), 0, &mapping, NULL), VT_ERR_LIMIT);
    assert_int_equal(vt_mapping_open(s->root, 9, &mapping, NULL), VT_ERR_UNSUPPORTED);
    assert_int_equal(vt_mapping_open(scratch_path(s, "g"), 9, &mapping, NULL), VT_ERR_NOT_FOUND);
    scratch_write(s, "f", "", 0);
    assert_int_equal(vt_mapping_open(scratch_path(s, "f"), 0, &mapping, NULL), VT_OK);
    assert_null(mapping.bytes);
    assert_int_equal(mapping.length, 0);
    vt_mapping_close(&mapping);
}

static vt_status attempt(void *context)
{
    scratch *s = context;
    vt_status status = vt_file_replace(scratch_path(s, "f"), "content", 7, true, NULL);
    if (status != VT_OK)
        return status;
    vt_buf buf;
    vt_buf_init(&buf, 100);
    status = vt_file_read(scratch_path(s, "f"), 100, &buf, NULL);
    vt_buf_deinit(&buf);
    return status;
}

static void test_allocation_failure(void **state)
{
    assert_true(each_allocation_failing(attempt, *state) >= 3);
    assert_int_equal(entry_count(((scratch *)*state)->root), 1);
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_read_bounds),
        SCRATCH_TEST(test_read_others),
        SCRATCH_TEST(test_read_size_unknown),
        SCRATCH_TEST(test_replace),
        SCRATCH_TEST(test_replace_keeps_permissions),
        SCRATCH_TEST(test_replace_survives_failing_write),
        SCRATCH_TEST(test_replace_beside_leftovers),
        SCRATCH_TEST(test_mapping),
        SCRATCH_TEST(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
