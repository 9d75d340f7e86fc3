/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot files (docs/formats/snapshot.md) forged by tests: their numbers read and written in
 * place, and their checksums made to fit again, so that what lies behind those is reached.
 */
#ifndef VT_TESTS_SUPPORT_SNAPSHOTS_H
#define VT_TESTS_SUPPORT_SNAPSHOTS_H

#include "base/buf.h"
#include "base/crc32c.h"

#include <stdint.h>
#include <string.h>

static inline uint64_t snapshot_get(const vt_buf *file, size_t at, size_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, file->data + at, bytes);
    return value;
}

static inline void snapshot_put(vt_buf *file, size_t at, uint64_t value, size_t bytes)
{
    memcpy(file->data + at, &value, bytes);
}

static inline void snapshot_fix_head(vt_buf *file)
{
    snapshot_put(file, 124, vt_crc32c(0, file->data, 124), 4);
}

static inline void snapshot_fix_sums(vt_buf *file)
{
    size_t table = (size_t)snapshot_get(file, 48, 8), count = (size_t)snapshot_get(file, 56, 4);
    for (size_t i = 0; i < count; i++) {
        size_t at = table + i * 32, begin = (size_t)snapshot_get(file, at, 8);
        size_t end = i + 1 < count ? (size_t)snapshot_get(file, at + 32, 8) : table;
        if (begin <= end && end <= file->length) /* tests forge these too */
            snapshot_put(file, at + 20, vt_crc32c(0, file->data + begin, end - begin), 4);
    }
    snapshot_put(file, 60, vt_crc32c(0, file->data + table, count * 32), 4);
    snapshot_fix_head(file);
}

static inline void snapshot_flip(vt_buf *file, size_t bit)
{
    file->data[bit / 8] = (char)(file->data[bit / 8] ^ 1 << bit % 8);
}

#endif
