/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside fuzz: input as a snapshot file. Checksums would keep nearly all of it out, so they are
 * made to fit first, except where the first byte says not to.
 */
#ifndef VT_FUZZ_SNAPSHOT_INPUT_H
#define VT_FUZZ_SNAPSHOT_INPUT_H

#include "base/file.h"
#include "support/snapshots.h"

enum { SNAPSHOT_HEAD = 128, SNAPSHOT_ENTRY = 32, SNAPSHOT_MAXIMUM = 1 << 20 };

static inline void snapshot_input_fit(vt_buf *file)
{
    if (file->length < SNAPSHOT_HEAD)
        return;
    uint64_t table = snapshot_get(file, 48, 8), count = snapshot_get(file, 56, 4);
    snapshot_put(file, 16, file->length, 8);
    if (table <= file->length && count <= (file->length - table) / SNAPSHOT_ENTRY)
        snapshot_fix_sums(file);
    else
        snapshot_fix_head(file);
}

/* Writes it to `path`; false: it is none, or there is no room for it. */
static inline bool snapshot_input_write(const uint8_t *data, size_t size, const char *path)
{
    if (size < 1 || size > SNAPSHOT_MAXIMUM)
        return false;
    vt_buf file;
    vt_buf_init(&file, SNAPSHOT_MAXIMUM);
    bool written = vt_buf_append(&file, data + 1, size - 1);
    if (written && data[0] != 'r')
        snapshot_input_fit(&file);
    written = written && vt_file_replace(path, file.data, file.length, false, NULL) == VT_OK;
    vt_buf_deinit(&file);
    return written;
}

#endif
