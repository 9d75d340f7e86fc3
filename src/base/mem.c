/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap.
 *
 * Method: thin checks around the C library's allocator. Sizes above PTRDIFF_MAX are refused here,
 * so that a hostile size fails the same way under every allocator, sanitizers included.
 *
 * Failure injection costs one relaxed load and a predictable branch as long as no test has ever
 * asked for it; from the first vt_mem_fail_after on, every allocation is counted with one atomic
 * addition.
 */
#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_bool watching;
static _Atomic int64_t asked_count;
static _Atomic int64_t failing_ordinal = -1;

static bool alloc_permitted(size_t bytes)
{
    if (atomic_load_explicit(&watching, memory_order_relaxed)) {
        int64_t ordinal = atomic_fetch_add_explicit(&asked_count, 1, memory_order_relaxed);
        if (ordinal == atomic_load_explicit(&failing_ordinal, memory_order_relaxed))
            return false;
    }
    return bytes <= PTRDIFF_MAX;
}

int64_t vt_mem_fail_after(int64_t successes)
{
    atomic_store(&failing_ordinal, -1);
    int64_t asked = atomic_exchange(&asked_count, 0);
    atomic_store(&failing_ordinal, successes < 0 ? -1 : successes);
    atomic_store(&watching, true);
    return asked;
}

void *vt_alloc(size_t bytes)
{
    return alloc_permitted(bytes) ? malloc(bytes ? bytes : 1) : NULL;
}

void *vt_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!vt_size_mul(count, size, &bytes) || !alloc_permitted(bytes))
        return NULL;
    return calloc(1, bytes ? bytes : 1);
}

void *vt_alloc_array(size_t count, size_t size)
{
    size_t bytes;
    return vt_size_mul(count, size, &bytes) ? vt_alloc(bytes) : NULL;
}

void *vt_realloc_array(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (!vt_size_mul(count, size, &bytes) || !alloc_permitted(bytes))
        return NULL;
    return realloc(old, bytes ? bytes : 1);
}

void *vt_alloc_aligned(size_t alignment, size_t bytes)
{
    assert(alignment && !(alignment & (alignment - 1)));
    if (!alloc_permitted(bytes))
        return NULL;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    void *memory;
    return posix_memalign(&memory, alignment, bytes ? bytes : 1) == 0 ? memory : NULL;
}

/* The last part that fills no huge page stays in small ones: no more than `bytes` is touched. */
void *vt_alloc_large(size_t bytes)
{
    const size_t page = (size_t)1 << 21;
    if (bytes < page)
        return vt_alloc_aligned(64, bytes);
    void *memory = vt_alloc_aligned(page, bytes);
#ifdef MADV_HUGEPAGE
    if (memory != NULL)
        (void)madvise(memory, bytes - bytes % page, MADV_HUGEPAGE); /* a wish */
#endif
    return memory;
}

void vt_free(void *memory)
{
    free(memory);
}

char *vt_strndup(const char *text, size_t length)
{
    size_t bytes;
    char *copy = vt_size_add(length, 1, &bytes) ? vt_alloc(bytes) : NULL;
    if (!copy)
        return NULL;
    if (length)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *vt_strdup(const char *text)
{
    return vt_strndup(text, strlen(text));
}

bool vt_grow(void **array, size_t *capacity, size_t needed, size_t size, size_t maximum)
{
    enum { FIRST_CAPACITY = 8 };
    if (needed > maximum)
        return false;
    if (needed <= *capacity)
        return true;
    size_t wanted;
    if (!vt_size_mul(*capacity, 2, &wanted))
        wanted = maximum;
    if (wanted < FIRST_CAPACITY)
        wanted = FIRST_CAPACITY;
    if (wanted < needed)
        wanted = needed;
    if (wanted > maximum)
        wanted = maximum;
    void *grown = vt_realloc_array(*array, wanted, size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}
