/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: joining, and every way out of a root. */
#include "base/file.h"
#include "support/scratch.h"

#include <limits.h>
#include <sys/stat.h>

static void check_join(const char *a, const char *b, const char *expected)
{
    char *joined = vt_path_join(a, b);
    assert_string_equal(joined, expected);
    vt_free(joined);
}

static void test_join(void **state)
{
    (void)state;
    check_join("a", "b", "a/b");
    check_join("a/", "b", "a/b");
    check_join("/", "b", "/b");
    check_join(NULL, "b", "b");
    check_join("", "b", "b");
    check_join("a", "/b", "/b");
    check_join("a", "", "a/");
    vt_mem_fail_after(0);
    assert_null(vt_path_join("a", "b"));
    vt_mem_fail_after(-1);
}

static void test_base(void **state)
{
    (void)state;
    assert_string_equal(vt_path_base("/a/b.c"), "b.c");
    assert_string_equal(vt_path_base("b.c"), "b.c");
    assert_string_equal(vt_path_base("a/"), "");
    assert_string_equal(vt_path_base(""), "");
}

static int tree_setup(void **state)
{
    if (scratch_setup(state) != 0)
        return -1;
    scratch *s = *state;
    vt_dir_make(scratch_path(s, "root/sub/deep"), NULL);
    vt_dir_make(scratch_path(s, "rooted"), NULL);
    scratch_write(s, "root/file", "x", 1);
    scratch_write(s, "root/sub/inner", "x", 1);
    scratch_write(s, "secret", "x", 1);
    scratch_write(s, "rooted/secret", "x", 1);
    static const char *const links[][2] = {
        {"../secret", "root/out"},
        {"/etc", "root/absolute"},
        {"sub", "root/in"},
        {"file", "root/to-file"},
        {"..", "root/up"},
        {"../out", "root/sub/twice"},
        {"loop", "root/loop"},
        {"nowhere", "root/broken"},
        {"../rooted", "root/sibling"},
        {"../root/sub/inner", "root/around"},
    };
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (symlink(links[i][0], scratch_path(s, links[i][1])) != 0)
            return -1;
    return 0;
}

static void check_inside(scratch *s, const char *relative, const char *expected)
{
    char root[SCRATCH_PATH_BYTES], real[PATH_MAX], *found = NULL;
    vt_error error;
    snprintf(root, sizeof root, "%s", scratch_path(s, "root"));
    if (vt_path_inside(root, relative, &found, &error) != VT_OK)
        fail_msg("%s: %s", relative, error.message);
    assert_non_null(realpath(scratch_path(s, expected), real));
    assert_string_equal(found, real);
    vt_free(found);
}

static void test_inside(void **state)
{
    scratch *s = *state;
    check_inside(s, "file", "root/file");
    check_inside(s, "sub/inner", "root/sub/inner");
    check_inside(s, "./sub//./inner", "root/sub/inner");
    check_inside(s, "sub/../file", "root/file");
    check_inside(s, "in/inner", "root/sub/inner");
    check_inside(s, "to-file", "root/file");
    check_inside(s, "around", "root/sub/inner"); /* leaves and comes back: what counts is the end */
    check_inside(s, ".", "root");
    check_inside(s, "sub/..", "root");
}

static void test_escapes(void **state)
{
    static const char *const escapes[] = {
        "",
        "/etc/passwd",
        "/",
        "..",
        "../secret",
        "sub/../../secret",
        "out",
        "absolute/passwd",
        "absolute",
        "up",
        "up/secret",
        "sub/twice",
        "../root",
        "../rooted/secret",
        "sibling/secret",
        "in/../../secret",
        "./..",
        "../nonexistent",
        "sub/../../root/file",
        "..//secret",
    };
    scratch *s = *state;
    char root[SCRATCH_PATH_BYTES];
    snprintf(root, sizeof root, "%s", scratch_path(s, "root"));
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        char *found = NULL;
        if (vt_path_inside(root, escapes[i], &found, NULL) != VT_ERR_DENIED || found)
            fail_msg("\"%s\" got out", escapes[i]);
    }
}

static void test_not_there(void **state)
{
    scratch *s = *state;
    char root[SCRATCH_PATH_BYTES], *found = NULL;
    snprintf(root, sizeof root, "%s", scratch_path(s, "root"));
    assert_int_equal(vt_path_inside(root, "nothing", &found, NULL), VT_ERR_NOT_FOUND);
    assert_int_equal(vt_path_inside(root, "broken", &found, NULL), VT_ERR_NOT_FOUND);
    assert_int_equal(vt_path_inside(root, "file/below", &found, NULL), VT_ERR_NOT_FOUND);
    assert_int_equal(vt_path_inside(root, "loop", &found, NULL), VT_ERR_IO);
    assert_int_equal(vt_path_inside(scratch_path(s, "no-root"), "x", &found, NULL),
                     VT_ERR_NOT_FOUND);
    assert_null(found);
}

/* The root may itself be reached through a link, or be the file system's root. */
static void test_root_forms(void **state)
{
    scratch *s = *state;
    char *found = NULL, real[PATH_MAX];
    assert_non_null(realpath(scratch_path(s, "root/sub/inner"), real));
    assert_int_equal(vt_path_inside(scratch_path(s, "root/in"), "inner", &found, NULL), VT_OK);
    assert_string_equal(found, real);
    vt_free(found);
    found = NULL;
    assert_int_equal(vt_path_inside("/", real + 1, &found, NULL), VT_OK);
    assert_string_equal(found, real);
    vt_free(found);
}

static vt_status attempt(void *context)
{
    char *found = NULL;
    vt_status status = vt_path_inside(((scratch *)context)->root, "root/file", &found, NULL);
    vt_free(found);
    return status;
}

static void test_allocation_failure(void **state)
{
    assert_true(each_allocation_failing(attempt, *state) >= 2);
}

static void test_hide(void **state)
{
    (void)state;
    char text[64] = "read \"/a/b/c.jpg\": not in /a/b, nor in /a/c";
    vt_path_hide(text, NULL);
    vt_path_hide(text, "");
    vt_path_hide(text, "/a/b");
    assert_string_equal(text, "read \"c.jpg\": not in , nor in /a/c");
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, tree_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join), cmocka_unit_test(test_base),
        cmocka_unit_test(test_hide), TREE_TEST(test_inside),
        TREE_TEST(test_escapes),     TREE_TEST(test_not_there),
        TREE_TEST(test_root_forms),  TREE_TEST(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
