/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event files as TensorBoard reads them: TFRecord framing (length, masked CRC-32C of it, data,
 * masked CRC-32C of that) around protobuf messages Event { double wall_time = 1; int64 step = 2;
 * string file_version = 3; Summary summary = 5 }, Summary { repeated Value value = 1 }, Value {
 * string tag = 1; float simple_value = 2 }. Five fields need no generated code.
 */
#include "train/tensorboard.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 4096 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct vt_tensorboard {
    FILE *file;
    char *path;
    int code; /* errno of the first failure; 0: none */
};

static void put_varint(vt_buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        vt_buf_append_char(out, (char)(value | 0x80));
    vt_buf_append_char(out, (char)value);
}

static void put_key(vt_buf *out, unsigned field, unsigned wire)
{
    put_varint(out, field << 3 | wire);
}

static void put_fixed(vt_buf *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        vt_buf_append_char(out, (char)(value >> (8 * i)));
}

static void put_bytes(vt_buf *out, unsigned field, const void *bytes, size_t length)
{
    put_key(out, field, WIRE_BYTES);
    put_varint(out, length);
    vt_buf_append(out, bytes, length);
}

static uint32_t masked(const void *bytes, size_t length)
{
    uint32_t crc = vt_crc32c(0, bytes, length);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void write_record(vt_tensorboard *board, const vt_buf *event)
{
    vt_buf frame;
    vt_buf_init(&frame, 2 * MESSAGE_BYTES);
    put_fixed(&frame, event->length, 8);
    put_fixed(&frame, masked(frame.data, 8), 4);
    vt_buf_append(&frame, event->data, event->length);
    put_fixed(&frame, masked(event->data, event->length), 4);
    if (board->code == 0 && (event->failed || frame.failed))
        board->code = ENOMEM;
    if (board->code == 0 && fwrite(frame.data, 1, frame.length, board->file) != frame.length)
        board->code = errno != 0 ? errno : EIO;
    vt_buf_deinit(&frame);
}

static void begin_event(vt_buf *event)
{
    double now = (double)vt_clock_unix_ms() / 1000;
    uint64_t bits;
    memcpy(&bits, &now, sizeof(bits));
    vt_buf_init(event, MESSAGE_BYTES);
    put_key(event, 1, WIRE_64);
    put_fixed(event, bits, 8);
}

vt_status vt_tensorboard_open(const char *directory, vt_tensorboard **out, vt_error *error)
{
    vt_status status = vt_dir_make(directory, error);
    if (status != VT_OK)
        return status;
    vt_buf path, event;
    vt_tensorboard *board = vt_calloc(1, sizeof(*board));
    vt_buf_init(&path, 1 << 16);
    vt_buf_printf(&path, "%s/events.out.tfevents.%010lld.vitrine.%ld", directory,
                  (long long)(vt_clock_unix_ms() / 1000), (long)getpid());
    char *name = vt_buf_take(&path, NULL);
    if (board == NULL || name == NULL) {
        vt_free(board);
        vt_free(name);
        return vt_fail_memory(error, "an event file");
    }
    board->path = name;
    board->file = fopen(name, "abe");
    if (board->file == NULL) {
        status = vt_fail_errno(error, errno, "write", name);
        vt_free(name);
        vt_free(board);
        return status;
    }
    begin_event(&event);
    put_bytes(&event, 3, "brain.Event:2", 13);
    write_record(board, &event);
    vt_buf_deinit(&event);
    *out = board;
    return VT_OK;
}

void vt_tensorboard_scalar(vt_tensorboard *board, const char *tag, uint64_t step, double value)
{
    if (board == NULL)
        return;
    vt_buf event, one, summary;
    float number = (float)value;
    uint32_t bits;
    memcpy(&bits, &number, sizeof(bits));
    vt_buf_init(&one, MESSAGE_BYTES);
    vt_buf_init(&summary, MESSAGE_BYTES);
    begin_event(&event);
    put_key(&event, 2, WIRE_VARINT);
    put_varint(&event, step);
    put_bytes(&one, 1, tag, strlen(tag));
    put_key(&one, 2, WIRE_32);
    put_fixed(&one, bits, 4);
    put_bytes(&summary, 1, one.data, one.length);
    put_bytes(&event, 5, summary.data, summary.length);
    event.failed = event.failed || one.failed || summary.failed;
    write_record(board, &event);
    vt_buf_deinit(&one);
    vt_buf_deinit(&summary);
    vt_buf_deinit(&event);
}

void vt_tensorboard_flush(vt_tensorboard *board)
{
    if (board != NULL && fflush(board->file) != 0 && board->code == 0)
        board->code = errno;
}

vt_status vt_tensorboard_close(vt_tensorboard *board, vt_error *error)
{
    if (board == NULL)
        return VT_OK;
    if (fclose(board->file) != 0 && board->code == 0)
        board->code = errno;
    vt_status status =
        board->code == 0 ? VT_OK : vt_fail_errno(error, board->code, "write", board->path);
    vt_free(board->path);
    vt_free(board);
    return status;
}
