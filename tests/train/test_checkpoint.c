/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "base/file.h"
#include "train/checkpoint.h"

#include <signal.h>
#include <sys/resource.h>

static float one[1000], two[3] = {1, 2, 3};
static const vt_checkpoint_array arrays[2] = {{"weight/a", one, 1000}, {"weight/b", two, 3}};

static void write_good(const char *path, float value)
{
    one[999] = value;
    vt_error error;
    if (vt_checkpoint_write(path, "{\"epoch\":3}", arrays, 2, &error) != VT_OK)
        fail_msg("%s", error.message);
}

static float read_last(const char *path)
{
    static float back[1000];
    const vt_checkpoint_array array = {"weight/a", back, 1000};
    vt_checkpoint *checkpoint;
    vt_error error;
    if (vt_checkpoint_open(path, &checkpoint, &error) != VT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(vt_checkpoint_read(checkpoint, &array, &error), VT_OK);
    vt_checkpoint_close(checkpoint);
    return back[999];
}

static void arrays_come_back(void **state)
{
    const char *path = scratch_path(*state, "c");
    vt_checkpoint *checkpoint;
    float back[3];
    size_t length;
    write_good(path, 7);
    assert_float_equal(read_last(path), 7, 0);
    assert_int_equal(vt_checkpoint_open(path, &checkpoint, NULL), VT_OK);
    assert_memory_equal(vt_checkpoint_json(checkpoint, &length), "{\"epoch\":3}", 11);
    assert_int_equal(length, 11);
    vt_checkpoint_array array = {"weight/b", back, 3};
    assert_int_equal(vt_checkpoint_read(checkpoint, &array, NULL), VT_OK);
    assert_memory_equal(back, two, sizeof(two));
    array.count = 2;
    assert_int_equal(vt_checkpoint_read(checkpoint, &array, NULL), VT_ERR_MISMATCH);
    array.name = "weight/c";
    assert_int_equal(vt_checkpoint_read(checkpoint, &array, NULL), VT_ERR_MISMATCH);
    assert_false(vt_checkpoint_has(checkpoint, "weight/c"));
    vt_checkpoint_close(checkpoint);
}

static void damage_is_refused(void **state)
{
    char path[SCRATCH_PATH_BYTES];
    vt_buf file;
    vt_checkpoint *checkpoint;
    snprintf(path, sizeof(path), "%s", scratch_path(*state, "c"));
    write_good(path, 7);
    vt_buf_init(&file, 1 << 20);
    assert_int_equal(vt_file_read(path, 1 << 20, &file, NULL), VT_OK);
    for (size_t i = 0; i < file.length; i += i < 120 ? 1 : 97) {
        file.data[i] ^= 4;
        assert_int_equal(vt_file_replace(path, file.data, file.length, false, NULL), VT_OK);
        assert_int_not_equal(vt_checkpoint_open(path, &checkpoint, NULL), VT_OK);
        file.data[i] ^= 4;
    }
    for (size_t length = 0; length < file.length; length += 61) {
        assert_int_equal(vt_file_replace(path, file.data, length, false, NULL), VT_OK);
        assert_int_equal(vt_checkpoint_open(path, &checkpoint, NULL), VT_ERR_CORRUPT);
    }
    vt_buf_deinit(&file);
    assert_int_equal(vt_checkpoint_open(scratch_path(*state, "none"), &checkpoint, NULL),
                     VT_ERR_NOT_FOUND);
}

/* A bound on the size of files stands for the full disk. */
static void a_full_disk_leaves_the_old_one(void **state)
{
    const char *path = scratch_path(*state, "c");
    char left[SCRATCH_PATH_BYTES + 8];
    struct rlimit old, small;
    vt_error error;
    write_good(path, 7);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    for (rlim_t bytes = 0; bytes < 4000; bytes += 500) {
        small.rlim_cur = bytes;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        one[999] = 8;
        vt_status status = vt_checkpoint_write(path, "{}", arrays, 2, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, VT_ERR_IO);
        assert_non_null(strstr(error.message, "write checkpoint"));
        assert_float_equal(read_last(path), 7, 0);
        snprintf(left, sizeof(left), "%s.new", path);
        assert_false(vt_file_exists(left));
    }
    write_good(path, 9);
    assert_float_equal(read_last(path), 9, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(arrays_come_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(damage_is_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_old_one, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
