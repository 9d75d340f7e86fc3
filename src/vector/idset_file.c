/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of ids in files: the portable form of roaring bitmaps (RoaringFormatSpec, "standard 32-bit
 * Roaring bitmap") without run containers.
 *
 * Reading: CRoaring of the version that both Debian releases have keeps within the bytes it is
 * given, but believes what they say, and a container whose count is a lie makes later operations
 * write beyond their memory. So every container is looked at here before it is handed over.
 */
#include "vector/idset.h"

#include "base/mem.h"

#include <roaring/roaring.h>
#include <string.h>

enum {
    COOKIE = 12346,
    RUN_COOKIE = 12347, /* in the lower half */
    HEAD_BYTES = 8,
    KEY_BYTES = 4,
    OFFSET_BYTES = 4,
    ARRAY_MAXIMUM = 4096, /* ids in a container that is an array; more are a bitmap */
    BITMAP_BYTES = 8192,
    CONTAINERS_MAXIMUM = 65536,
};

/* ---- writing ---- */

static bool bitmap_append(const roaring_bitmap_t *bitmap, vt_buf *out)
{
    size_t bytes = roaring_bitmap_portable_size_in_bytes(bitmap);
    if (!vt_buf_reserve(out, bytes))
        return false;
    out->length += roaring_bitmap_portable_serialize(bitmap, out->data + out->length);
    out->data[out->length] = '\0';
    return true;
}

bool vt_idset_append(const vt_idset *set, vt_buf *out)
{
    const roaring_bitmap_t *bitmap = (const roaring_bitmap_t *)set;
    size_t begin = out->length;
    uint16_t cookie;
    if (!bitmap_append(bitmap, out))
        return false;
    memcpy(&cookie, out->data + begin, sizeof cookie);
    if (cookie != RUN_COOKIE)
        return true;
    roaring_bitmap_t *plain = roaring_bitmap_copy(bitmap);
    out->length = begin;
    bool done = plain != NULL;
    if (done) {
        (void)roaring_bitmap_remove_run_compression(plain);
        done = bitmap_append(plain, out);
        roaring_bitmap_free(plain);
    }
    return done;
}

/* ---- reading ---- */

static uint32_t load32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t load16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static bool array_holds(const uint8_t *at, size_t count)
{
    bool rising = true;
    for (size_t i = 1; i < count; i++)
        rising &= load16(at + 2 * i) > load16(at + 2 * i - 2);
    return rising;
}

static bool bitmap_holds(const uint8_t *at, size_t count)
{
    size_t bits = 0;
    for (size_t i = 0; i < BITMAP_BYTES; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at + i, sizeof word);
        bits += (size_t)__builtin_popcountll(word);
    }
    return bits == count;
}

/* The bytes that the set takes; 0: it is none. */
static size_t set_check(const uint8_t *bytes, size_t length)
{
    if (length < HEAD_BYTES || load32(bytes) != COOKIE)
        return 0;
    size_t containers = load32(bytes + 4);
    if (containers > CONTAINERS_MAXIMUM ||
        length - HEAD_BYTES < containers * (KEY_BYTES + OFFSET_BYTES))
        return 0;
    const uint8_t *keys = bytes + HEAD_BYTES, *offsets = keys + containers * KEY_BYTES;
    size_t at = HEAD_BYTES + containers * (KEY_BYTES + OFFSET_BYTES);
    for (size_t i = 0; i < containers; i++) {
        size_t count = load16(keys + i * KEY_BYTES + 2) + 1;
        bool array = count <= ARRAY_MAXIMUM;
        size_t needs = array ? 2 * count : (size_t)BITMAP_BYTES;
        if ((i > 0 && load16(keys + i * KEY_BYTES) <= load16(keys + (i - 1) * KEY_BYTES)) ||
            load32(offsets + i * OFFSET_BYTES) != at || length - at < needs ||
            !(array ? array_holds(bytes + at, count) : bitmap_holds(bytes + at, count)))
            return 0;
        at += needs;
    }
    return at;
}

vt_status vt_idset_read(const void *bytes, size_t length, size_t *used, vt_idset **out,
                        vt_error *error)
{
    size_t needs = set_check(bytes, length);
    if (needs == 0)
        return vt_fail(error, VT_ERR_CORRUPT, "a set of ids is damaged");
    roaring_bitmap_t *made = roaring_bitmap_portable_deserialize_safe(bytes, needs);
    if (!made)
        return vt_fail_memory(error, "id set");
    *used = needs;
    *out = (vt_idset *)made;
    return VT_OK;
}
