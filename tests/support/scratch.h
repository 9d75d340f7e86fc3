/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What many tests share: a directory that vanishes again, and a loop that fails every
 * allocation of an operation in turn.
 */
#ifndef VT_TESTS_SUPPORT_SCRATCH_H
#define VT_TESTS_SUPPORT_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"
#include "support/sanitized.h"

enum { SCRATCH_PATH_BYTES = 512 };

typedef struct scratch {
    char root[64];
    char path[SCRATCH_PATH_BYTES];
} scratch;

static inline int scratch_remove_one(const char *path, const struct stat *info, int type,
                                     struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static inline int scratch_setup(void **state)
{
    scratch *s = test_calloc(1, sizeof *s);
    snprintf(s->root, sizeof s->root, "/tmp/vt-test-XXXXXX");
    if (!mkdtemp(s->root))
        return -1;
    *state = s;
    return 0;
}

static inline int scratch_teardown(void **state)
{
    scratch *s = *state;
    nftw(s->root, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    test_free(s);
    return 0;
}

/* The path of `name` in the scratch directory; valid until the next call. */
static inline const char *scratch_path(scratch *s, const char *name)
{
    snprintf(s->path, sizeof s->path, "%s/%s", s->root, name);
    return s->path;
}

static inline void scratch_write(scratch *s, const char *name, const void *bytes, size_t length)
{
    FILE *file = fopen(scratch_path(s, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Runs `attempt` with its first allocation failing, then its second, and so on until it succeeds
 * without one having failed; it must report each failure as out of memory. Hands out how many
 * failed.
 */
static inline int each_allocation_failing(vt_status (*attempt)(void *context), void *context)
{
    for (int successes = 0;; successes++) {
        vt_mem_fail_after(successes);
        vt_status status = attempt(context);
        int64_t asked = vt_mem_fail_after(-1);
        if (asked <= successes) {
            assert_int_equal(status, VT_OK);
            return successes;
        }
        assert_int_equal(status, VT_ERR_NO_MEMORY);
        assert_true(successes < 100000);
    }
}

#endif
