/* SPDX-License-Identifier: Apache-2.0 */
/* Directories: parents, what stands in the way, sorted and bounded lists. */
#include "base/file.h"
#include "support/scratch.h"

#include <sys/stat.h>

static void test_make(void **state)
{
    scratch *s = *state;
    assert_int_equal(vt_dir_make(scratch_path(s, "a/b/c"), NULL), VT_OK);
    assert_true(vt_dir_exists(scratch_path(s, "a/b/c")));
    assert_int_equal(vt_dir_make(scratch_path(s, "a/b/c"), NULL), VT_OK);
    assert_int_equal(vt_dir_make(scratch_path(s, "a//x///y//"), NULL), VT_OK);
    assert_true(vt_dir_exists(scratch_path(s, "a/x/y")));
    assert_int_equal(vt_dir_make("/", NULL), VT_OK);
    assert_int_equal(vt_dir_make("", NULL), VT_ERR_USAGE);
    scratch_write(s, "file", "x", 1);
    assert_false(vt_dir_exists(scratch_path(s, "file")));
    vt_error error;
    assert_int_equal(vt_dir_make(scratch_path(s, "file"), &error), VT_ERR_IO);
    assert_int_equal(vt_dir_make(scratch_path(s, "file/below"), &error), VT_ERR_IO);
    assert_non_null(strstr(error.message, "/file"));
}

static void test_make_relative(void **state)
{
    scratch *s = *state;
    char before[SCRATCH_PATH_BYTES];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(s->root), 0);
    assert_int_equal(vt_dir_make("r/s", NULL), VT_OK);
    assert_int_equal(vt_dir_make("r/../t", NULL), VT_OK);
    assert_int_equal(chdir(before), 0);
    assert_true(vt_dir_exists(scratch_path(s, "r/s")));
    assert_true(vt_dir_exists(scratch_path(s, "t")));
}

static void test_is_empty(void **state)
{
    scratch *s = *state;
    bool empty = false;
    assert_int_equal(vt_dir_is_empty(s->root, &empty, NULL), VT_OK);
    assert_true(empty);
    scratch_write(s, ".hidden", "", 0);
    assert_int_equal(vt_dir_is_empty(s->root, &empty, NULL), VT_OK);
    assert_false(empty);
    empty = true;
    assert_int_equal(vt_dir_is_empty(scratch_path(s, "nothing"), &empty, NULL), VT_ERR_NOT_FOUND);
    assert_true(empty);
}

static void test_list(void **state)
{
    scratch *s = *state;
    static const char *const names[] = {"b", "B", ".x", "a b", "\xC3\xA4", "10", "9", "..."};
    static const char *const sorted[] = {"...", ".x", "10", "9", "B", "a b", "b", "\xC3\xA4"};
    for (size_t i = 0; i < 8; i++)
        scratch_write(s, names[i], "", 0);
    vt_dir_list list;
    assert_int_equal(vt_dir_list_open(s->root, 8, &list, NULL), VT_OK);
    assert_int_equal(list.count, 8);
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(list.names[i], sorted[i]);
    vt_dir_list_close(&list);
    assert_int_equal(list.count, 0);
    vt_dir_list_close(&list);
    list.count = 77;
    assert_int_equal(vt_dir_list_open(s->root, 7, &list, NULL), VT_ERR_LIMIT);
    assert_int_equal(list.count, 77);
    assert_int_equal(vt_dir_list_open(scratch_path(s, "b"), 7, &list, NULL), VT_ERR_IO);
    assert_int_equal(vt_dir_list_open(scratch_path(s, "c"), 7, &list, NULL), VT_ERR_NOT_FOUND);
}

static void test_list_empty(void **state)
{
    scratch *s = *state;
    vt_dir_list list;
    assert_int_equal(vt_dir_list_open(s->root, 0, &list, NULL), VT_OK);
    assert_int_equal(list.count, 0);
    vt_dir_list_close(&list);
}

static vt_status attempt(void *context)
{
    scratch *s = context;
    vt_dir_list list;
    vt_status status = vt_dir_list_open(s->root, 100, &list, NULL);
    if (status == VT_OK)
        vt_dir_list_close(&list);
    return status == VT_OK ? vt_dir_make(scratch_path(s, "deep/er"), NULL) : status;
}

static void test_allocation_failure(void **state)
{
    scratch *s = *state;
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        scratch_write(s, name, "", 0);
    }
    assert_true(each_allocation_failing(attempt, s) > 20);
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_make),       SCRATCH_TEST(test_make_relative),
        SCRATCH_TEST(test_is_empty),   SCRATCH_TEST(test_list),
        SCRATCH_TEST(test_list_empty), SCRATCH_TEST(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
