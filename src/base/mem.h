/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap, checked sizes, and arenas.
 *
 * All heap memory of vitrine comes from here, so that tests can make any allocation fail.
 * Functions return NULL when memory is out; callers turn that into vt_fail_memory().
 *
 * Threads: the heap functions are safe from any thread; an arena belongs to one thread at a time.
 */
#ifndef VT_BASE_MEM_H
#define VT_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *vt_alloc(size_t bytes);                    /* uninitialised; 0 bytes gives a valid pointer */
void *vt_calloc(size_t count, size_t size);      /* zeroed; checks count * size */
void *vt_alloc_array(size_t count, size_t size); /* uninitialised; checks count * size */
void *vt_realloc_array(void *old, size_t count,
                       size_t size); /* old stays valid when NULL returns */
void *vt_alloc_aligned(size_t alignment,
                       size_t bytes); /* alignment: a power of two; vt_free frees it */
/* For memory of many megabytes that is walked over and over: in huge pages where the system grants
 * them, which spares most misses of the address cache. Freed by vt_free. */
void *vt_alloc_large(size_t bytes);
void vt_free(void *memory); /* NULL is fine */
char *vt_strdup(const char *text);
char *vt_strndup(const char *text, size_t length); /* copies exactly `length` bytes, terminates */

/* Tests: let `successes` further allocations succeed, then fail one; < 0 switches it off.
 * Returns how many allocations have been asked for since the last call. */
int64_t vt_mem_fail_after(int64_t successes);

/* Size arithmetic on sizes that come from outside: false when the result does not fit size_t. */
static inline bool vt_size_add(size_t a, size_t b, size_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}
static inline bool vt_size_mul(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* Grows *array (elements of `size` bytes, room for *capacity) so that it holds `needed`, at least
 * doubling. False when memory is out or `needed` exceeds `maximum`; the array is then untouched. */
bool vt_grow(void **array, size_t *capacity, size_t needed, size_t size, size_t maximum);

/* An arena: many small allocations with one lifetime. */
typedef struct vt_arena {
    struct vt_arena_block *blocks; /* newest first */
    size_t used_bytes;             /* handed out, over all blocks */
    size_t maximum_bytes;          /* vt_arena_alloc fails beyond it */
} vt_arena;

void vt_arena_init(vt_arena *arena, size_t maximum_bytes);
void vt_arena_deinit(vt_arena *arena);
void vt_arena_reset(vt_arena *arena); /* keeps the newest block */
void *vt_arena_alloc(vt_arena *arena,
                     size_t bytes); /* 16-byte aligned, zeroed; NULL: out or over maximum */
void *vt_arena_array(vt_arena *arena, size_t count, size_t size);
char *vt_arena_strdup(vt_arena *arena, const char *text);
char *vt_arena_strndup(vt_arena *arena, const char *text, size_t length);
char *vt_arena_printf(vt_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
