/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The picture cache: using one that is there. picture_cache_build.c makes it.
 *
 * Everything is checked when it is opened (about 2 GB/s and core), so that reading needs no check
 * and what a disk has damaged is decoded again instead of trained on.
 */
#include "train/picture_cache_file.h"

#include "base/crc32c.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

enum { SHORT_SIDE_PX = 256, SHORT_SIDE_LIMIT = 4096, REASON_BYTES = 256 };
#define CACHE_BYTES ((size_t)1 << 42)

struct vt_picture_cache {
    vt_mapping file;
    const uint8_t *index;
    size_t count, failed;
    bool built;
};

vt_picture_cache_options vt_picture_cache_options_defaults(void)
{
    return (vt_picture_cache_options){.short_side_px = SHORT_SIDE_PX};
}

void vt_cache_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

void vt_cache_put64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static vt_cache_entry entry_of(const vt_picture_cache *cache, size_t index)
{
    const uint8_t *at = cache->index + index * VT_CACHE_ENTRY_BYTES;
    return (vt_cache_entry){get64(at), get32(at + 8), get32(at + 12), get32(at + 16),
                            get32(at + 20)};
}

/* A photo that is not there has no size and no time: when it appears, the key changes. */
static vt_hash key_of(const char *const *paths, size_t count)
{
    vt_hasher hasher;
    vt_hasher_init(&hasher);
    for (size_t i = 0; i < count; i++) {
        struct stat info;
        uint8_t facts[16] = {0};
        if (stat(paths[i], &info) == 0) {
            vt_cache_put64(facts, (uint64_t)info.st_size);
            vt_cache_put64(facts + 8, (uint64_t)info.st_mtim.tv_sec * 1000000000u +
                                          (uint64_t)info.st_mtim.tv_nsec);
        }
        vt_hasher_add_text(&hasher, paths[i]);
        vt_hasher_add(&hasher, facts, sizeof(facts));
    }
    return vt_hasher_finish(&hasher);
}

static bool header_holds(vt_picture_cache *cache, const vt_cache_plan *plan)
{
    const uint8_t *at = cache->file.bytes;
    size_t length = cache->file.length, index_bytes;
    if (length < VT_CACHE_HEADER_BYTES || memcmp(at, VT_CACHE_MAGIC, 8) != 0 ||
        get32(at + 124) != vt_crc32c(0, at, 124) || get32(at + 8) != VT_CACHE_VERSION ||
        get32(at + 12) != (uint32_t)plan->options->short_side_px || get64(at + 16) != plan->count ||
        memcmp(at + 32, plan->key.bytes, VT_HASH_BYTES) != 0)
        return false;
    uint64_t offset = get64(at + 24);
    if (!vt_size_mul(plan->count, VT_CACHE_ENTRY_BYTES, &index_bytes) ||
        offset < VT_CACHE_HEADER_BYTES || offset > length || length - offset != index_bytes)
        return false;
    cache->index = at + offset;
    cache->count = plan->count;
    return get32(at + 64) == vt_crc32c(0, cache->index, index_bytes);
}

typedef struct verify_work {
    const vt_picture_cache *cache;
    atomic_bool damaged;
} verify_work;

enum { VERIFY_BLOCK = 64 };

static bool entry_holds(const vt_picture_cache *cache, size_t index)
{
    vt_cache_entry one = entry_of(cache, index);
    uint64_t end = (uint64_t)(cache->index - cache->file.bytes), bytes = one.width;
    if (one.offset > end)
        return false;
    if (one.status == VT_OK) {
        if (one.width == 0 || one.height == 0 || one.width > VT_CACHE_SIDE ||
            one.height > VT_CACHE_SIDE)
            return false;
        bytes = (uint64_t)one.width * one.height * 3;
    }
    return bytes <= end - one.offset && one.status < VT_STATUS_COUNT &&
           vt_crc32c(0, cache->file.bytes + one.offset, (size_t)bytes) == one.crc;
}

static void verify_block(void *context, size_t block)
{
    verify_work *work = context;
    size_t end = (block + 1) * VERIFY_BLOCK;
    for (size_t i = block * VERIFY_BLOCK; i < end && i < work->cache->count; i++)
        if (!entry_holds(work->cache, i))
            work->damaged = true;
}

/* false: it cannot be used; nothing is left open. */
static bool use(vt_picture_cache *cache, const vt_cache_plan *plan)
{
    if (vt_mapping_open(plan->options->path, CACHE_BYTES, &cache->file, NULL) != VT_OK)
        return false;
    verify_work work = {.cache = cache};
    bool holds = header_holds(cache, plan);
    if (holds) {
        vt_pool_for(plan->options->pool, (cache->count + VERIFY_BLOCK - 1) / VERIFY_BLOCK,
                    verify_block, &work);
        holds = !work.damaged;
    }
    if (!holds) {
        vt_mapping_close(&cache->file);
        return false;
    }
    for (size_t i = 0; i < cache->count; i++)
        cache->failed += entry_of(cache, i).status != VT_OK;
    return true;
}

vt_status vt_picture_cache_open(const char *const *paths, size_t count,
                                const vt_picture_cache_options *options, vt_picture_cache **out,
                                vt_error *error)
{
    if (options->short_side_px < 1 || options->short_side_px > SHORT_SIDE_LIMIT)
        return vt_fail(error, VT_ERR_USAGE,
                       "cache pictures: a side of %d pixels is not from 1 to %d",
                       options->short_side_px, SHORT_SIDE_LIMIT);
    vt_picture_cache *cache = vt_calloc(1, sizeof(*cache));
    if (cache == NULL)
        return vt_fail_memory(error, "a picture cache");
    vt_status status = VT_OK;
    vt_cache_plan plan = {paths, count, options, key_of(paths, count)};
    if (!use(cache, &plan)) {
        cache->built = true;
        status = vt_cache_build(&plan, error);
        if (status == VT_OK && !use(cache, &plan))
            status = vt_fail(error, VT_ERR_CORRUPT,
                             "cache pictures in \"%s\": what was written does not read back",
                             options->path);
    }
    if (status != VT_OK) {
        vt_free(cache);
        return status;
    }
    *out = cache;
    return VT_OK;
}

void vt_picture_cache_close(vt_picture_cache *cache)
{
    if (cache == NULL)
        return;
    vt_mapping_close(&cache->file);
    vt_free(cache);
}

bool vt_picture_cache_was_built(const vt_picture_cache *cache)
{
    return cache->built;
}

size_t vt_picture_cache_failed(const vt_picture_cache *cache)
{
    return cache->failed;
}

bool vt_picture_cache_get(const vt_picture_cache *cache, size_t index, vt_image *out)
{
    vt_cache_entry one = entry_of(cache, index);
    if (one.status != VT_OK)
        return false;
    uint8_t *pixels = (uint8_t *)(uintptr_t)(cache->file.bytes + one.offset); /* lent to read */
    *out = (vt_image){pixels, (int)one.width, (int)one.height, (int)one.width, (int)one.height};
    return true;
}

void vt_picture_cache_reason(const vt_picture_cache *cache, size_t index, vt_error *out)
{
    vt_cache_entry one = entry_of(cache, index);
    out->status = (vt_status)one.status;
    out->message[0] = '\0';
    if (one.status == VT_OK)
        return;
    size_t length = one.width < REASON_BYTES ? one.width : REASON_BYTES;
    memcpy(out->message, cache->file.bytes + one.offset, length);
    out->message[length] = '\0';
}
