/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scratch.h"

#include "base/crc32c.h"
#include "base/file.h"
#include "train/tensorboard.h"

static uint64_t number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

/* The framing of the TFRecord format, unmasked as its documentation says. */
static const uint8_t *record(const uint8_t *at, const uint8_t *end, size_t *length)
{
    assert_true(end - at >= 16);
    *length = (size_t)number(at, 8);
    assert_true(*length <= (size_t)(end - at - 16));
    uint32_t sums[2] = {(uint32_t)number(at + 8, 4), (uint32_t)number(at + 12 + *length, 4)};
    for (int i = 0; i < 2; i++) {
        uint32_t rot = sums[i] - 0xa282ead8u;
        sums[i] = rot >> 17 | rot << 15;
    }
    assert_int_equal(sums[0], vt_crc32c(0, at, 8));
    assert_int_equal(sums[1], vt_crc32c(0, at + 12, *length));
    return at + 12;
}

static void events_are_framed_messages(void **state)
{
    scratch *s = *state;
    vt_tensorboard *board;
    vt_dir_list list;
    vt_buf file;
    size_t length;
    assert_int_equal(vt_tensorboard_open(scratch_path(s, "runs/a"), &board, NULL), VT_OK);
    vt_tensorboard_scalar(board, "loss", 300, 1.5);
    vt_tensorboard_scalar(board, "accuracy", 301, 0.25);
    assert_int_equal(vt_tensorboard_close(board, NULL), VT_OK);
    assert_int_equal(vt_dir_list_open(scratch_path(s, "runs/a"), 10, &list, NULL), VT_OK);
    assert_int_equal(list.count, 1);
    assert_ptr_equal(strstr(list.names[0], "events.out.tfevents."), list.names[0]);
    char *path = vt_path_join(scratch_path(s, "runs/a"), list.names[0]);
    vt_buf_init(&file, 1 << 16);
    assert_int_equal(vt_file_read(path, 1 << 16, &file, NULL), VT_OK);
    const uint8_t *end = (const uint8_t *)file.data + file.length;
    const uint8_t *at = record((const uint8_t *)file.data, end, &length);
    assert_int_equal(at[0], 0x09); /* wall_time, 64 bits */
    assert_memory_equal(at + 9,
                        "\x1a\x0d"
                        "brain.Event:2",
                        15);
    at = record(at + length + 4, end, &length);
    static const uint8_t want[] = {
        0x10, 0xac, 0x02, 0x2a, 0x0d, 0x0a, 0x0b, 0x0a, 0x04,
        'l',  'o',  's',  's',  0x15, 0,    0,    0xc0, 0x3f}; /* step 300, loss 1.5 */
    assert_int_equal(length, 9 + sizeof(want));
    assert_memory_equal(at + 9, want, sizeof(want));
    at = record(at + length + 4, end, &length);
    assert_ptr_equal(at + length + 4, end);
    vt_buf_deinit(&file);
    vt_free(path);
    vt_dir_list_close(&list);
    vt_tensorboard_scalar(NULL, "x", 1, 1);
    assert_int_equal(vt_tensorboard_close(NULL, NULL), VT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_are_framed_messages, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
