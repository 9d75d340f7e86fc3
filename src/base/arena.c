/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: many small allocations that end together.
 *
 * Method: bump allocation in blocks that double from 4 KiB to 1 MiB; a request larger than the next
 * block gets a block of its own size. Memory is cleared when it is handed out, not when a block is
 * made, because a reset block is used again.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_ALIGNMENT = 16, FIRST_BLOCK_BYTES = 4096, LARGEST_BLOCK_BYTES = 1 << 20 };

struct vt_arena_block {
    _Alignas(ARENA_ALIGNMENT) struct vt_arena_block *older;
    size_t capacity;
    size_t used;
    _Alignas(ARENA_ALIGNMENT) unsigned char bytes[];
};

void vt_arena_init(vt_arena *arena, size_t maximum_bytes)
{
    *arena = (vt_arena){.maximum_bytes = maximum_bytes};
}

static void blocks_free(struct vt_arena_block *block)
{
    while (block) {
        struct vt_arena_block *older = block->older;
        vt_free(block);
        block = older;
    }
}

void vt_arena_deinit(vt_arena *arena)
{
    blocks_free(arena->blocks);
    arena->blocks = NULL;
    arena->used_bytes = 0;
}

void vt_arena_reset(vt_arena *arena)
{
    if (arena->blocks) {
        blocks_free(arena->blocks->older);
        arena->blocks->older = NULL;
        arena->blocks->used = 0;
    }
    arena->used_bytes = 0;
}

/* `remaining` keeps a small arena from holding a block larger than it may ever hand out. */
static struct vt_arena_block *block_add(vt_arena *arena, size_t bytes, size_t remaining)
{
    size_t capacity = arena->blocks ? arena->blocks->capacity : FIRST_BLOCK_BYTES / 2;
    capacity = capacity < LARGEST_BLOCK_BYTES / 2 ? capacity * 2 : LARGEST_BLOCK_BYTES;
    if (capacity > remaining)
        capacity = remaining;
    if (capacity < bytes)
        capacity = bytes;
    size_t total;
    if (!vt_size_add(capacity, sizeof(struct vt_arena_block), &total))
        return NULL;
    struct vt_arena_block *block = vt_alloc(total);
    if (!block)
        return NULL;
    block->older = arena->blocks;
    block->capacity = capacity;
    block->used = 0;
    arena->blocks = block;
    return block;
}

void *vt_arena_alloc(vt_arena *arena, size_t bytes)
{
    size_t rounded;
    if (!vt_size_add(bytes ? bytes : 1, ARENA_ALIGNMENT - 1, &rounded))
        return NULL;
    rounded &= ~(size_t)(ARENA_ALIGNMENT - 1);
    size_t remaining = arena->maximum_bytes - arena->used_bytes;
    if (rounded > remaining)
        return NULL;
    struct vt_arena_block *block = arena->blocks;
    if (!block || block->capacity - block->used < rounded)
        block = block_add(arena, rounded, remaining);
    if (!block)
        return NULL;
    unsigned char *memory = block->bytes + block->used;
    block->used += rounded;
    arena->used_bytes += rounded;
    return memset(memory, 0, rounded);
}

void *vt_arena_array(vt_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    return vt_size_mul(count, size, &bytes) ? vt_arena_alloc(arena, bytes) : NULL;
}

char *vt_arena_strndup(vt_arena *arena, const char *text, size_t length)
{
    size_t bytes;
    char *copy = vt_size_add(length, 1, &bytes) ? vt_arena_alloc(arena, bytes) : NULL;
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

char *vt_arena_strdup(vt_arena *arena, const char *text)
{
    return vt_arena_strndup(arena, text, strlen(text));
}

char *vt_arena_printf(vt_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : vt_arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}
