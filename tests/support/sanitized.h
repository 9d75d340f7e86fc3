/* SPDX-License-Identifier: Apache-2.0 */
/* What tests leave out where a sanitizer makes everything take many times as long, and shows
 * nothing new by it. */
#ifndef VT_TESTS_SANITIZED_H
#define VT_TESTS_SANITIZED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Tests of arithmetic over thousands of cases take one in so many: all of them, but for fewer where
 * a sanitizer makes each take seconds: another case of the same code shows it nothing new. */
#if defined(__SANITIZE_THREAD__)
enum { SCRATCH_STRIDE = 16 };
#elif defined(__SANITIZE_ADDRESS__)
enum { SCRATCH_STRIDE = 4 };
#else
enum { SCRATCH_STRIDE = 1 };
#endif

/* First in a case that takes long and starts no thread: the thread sanitizer has nothing to see in
 * it. */
static inline void one_thread(void)
{
#ifdef __SANITIZE_THREAD__
    skip();
#endif
}

/* The same where threads meet as they do in the case that is named, and takes less. */
static inline void threads_as_in(void (*other)(void **state))
{
    (void)other;
    one_thread();
}

#endif
