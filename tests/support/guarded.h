/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that ends at a page that may not be touched: whoever reads or writes behind the end of
 * what he was given dies. For tests of kernels.
 *
 *     guarded memory = guarded_make(most_bytes);
 *     float *last = guarded_end(&memory, bytes);     // its end is the forbidden page
 *     guarded_free(&memory);
 */
#ifndef VT_TESTS_SUPPORT_GUARDED_H
#define VT_TESTS_SUPPORT_GUARDED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct guarded {
    unsigned char *base;
    size_t bytes, page;
} guarded;

static inline guarded guarded_make(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded g = {.page = page, .bytes = (bytes + page - 1) / page * page};
    g.base = mmap(NULL, g.bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.base != MAP_FAILED);
    assert_int_equal(mprotect(g.base + g.bytes, page, PROT_NONE), 0);
    return g;
}

static inline void guarded_free(const guarded *g)
{
    munmap(g->base, g->bytes + g->page);
}

/* The last `bytes` before the forbidden page. */
static inline void *guarded_end(const guarded *g, size_t bytes)
{
    return g->base + g->bytes - bytes;
}

#endif
