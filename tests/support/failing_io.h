/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing that fails: the program's own pwrite, fsync, ftruncate and rename come before those of
 * the C library, count their calls, and fail one of them as a full or broken disk does. Included by
 * one file of a test program.
 */
#ifndef VT_TESTS_SUPPORT_FAILING_IO_H
#define VT_TESTS_SUPPORT_FAILING_IO_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int64_t failing_io_left = -1; /* calls that still succeed; < 0: all */
static int64_t failing_io_asked;
static int failing_io_code;

/* Lets so many calls succeed and then fails all with this errno; < 0 switches it off. Returns how
 * many calls there were since. */
static inline int64_t failing_io_after(int64_t successes, int code)
{
    int64_t asked = failing_io_asked;
    failing_io_asked = 0;
    failing_io_left = successes;
    failing_io_code = code;
    return asked;
}

static inline int failing_io_fails(void)
{
    failing_io_asked++;
    if (failing_io_left < 0 || failing_io_asked <= failing_io_left)
        return 0;
    errno = failing_io_code;
    return 1;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    return failing_io_fails() ? -1 : syscall(SYS_pwrite64, fd, bytes, length, at);
}

int ftruncate(int fd, off_t length)
{
    return failing_io_fails() ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int fsync(int fd)
{
    return failing_io_fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    return failing_io_fails() ? -1 : (int)syscall(SYS_renameat2, -100, from, -100, to, 0);
}

#endif
