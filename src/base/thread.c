/* SPDX-License-Identifier: Apache-2.0 */
/* A named thread that is joined, started with every signal blocked: those are for the program; and
 * locks. */
#include "base/thread.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

void vt_rwlock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t kind;
    pthread_rwlockattr_init(&kind);
#ifdef __GLIBC__ /* otherwise readers that overlap could keep a writer out for ever */
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    pthread_rwlock_init(lock, &kind);
    pthread_rwlockattr_destroy(&kind);
}

struct vt_thread {
    pthread_t handle;
    void (*run)(void *context);
    void *context;
};

static void *thread_main(void *argument)
{
    vt_thread *thread = argument;
    thread->run(thread->context);
    return NULL;
}

vt_status vt_thread_start(const char *name, void (*run)(void *context), void *context,
                          vt_thread **out, vt_error *error)
{
    vt_thread *thread = vt_alloc(sizeof *thread);
    if (!thread)
        return vt_fail_memory(error, "a thread");
    thread->run = run;
    thread->context = context;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&thread->handle, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        vt_free(thread);
        return vt_fail_errno(error, code, "start thread", name);
    }
    char shown[16]; /* the kernel's limit, terminator included */
    snprintf(shown, sizeof shown, "%.15s", name);
    pthread_setname_np(thread->handle, shown);
    *out = thread;
    return VT_OK;
}

void vt_thread_join(vt_thread *thread)
{
    if (!thread)
        return;
    pthread_join(thread->handle, NULL);
    vt_free(thread);
}

void vt_thread_lower(int nice)
{
    id_t self = (id_t)gettid(); /* on Linux each thread has a value of its own */
    errno = 0;
    int now = getpriority(PRIO_PROCESS, self);
    /* One that stays where it is only takes more than was meant. */
    if (now != -1 || errno == 0)
        (void)setpriority(PRIO_PROCESS, self, now + nice);
}
