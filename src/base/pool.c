/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread pool for parallel loops.
 *
 * Method: a loop is a record on the stack of the caller, listed in the pool while it has indices
 * that nobody has claimed. Workers join the newest listed loop and claim indices by one atomic
 * addition each; so does the caller, which then waits for the workers that still run one of its
 * indices. The caller always takes part, therefore a loop inside a loop ends even when every worker
 * is busy: each wait is for indices that are running already, and those only ever wait for loops
 * nested deeper. Newest first, because an inner loop holds up the outer one.
 */
#include "base/thread.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { POOL_THREADS_MAX = 1024 };

typedef struct loop {
    void (*work)(void *context, size_t index);
    void *context;
    size_t count;
    atomic_size_t next; /* first index not claimed; may run past count by one per thread */
    /* The rest is guarded by the pool's mutex. */
    int helpers; /* workers inside this loop */
    bool listed;
    struct loop *older, *newer;
} loop;

struct vt_pool {
    pthread_mutex_t mutex;
    pthread_cond_t work_came;   /* workers wait for a loop or the end */
    pthread_cond_t helper_left; /* callers wait for helpers, vt_pool_free for callers */
    loop *newest;
    int callers; /* threads inside vt_pool_for */
    bool ending;
    int worker_count;
    pthread_t workers[];
};

static void loop_unlist(vt_pool *pool, loop *l)
{
    if (!l->listed)
        return;
    if (l->newer)
        l->newer->older = l->older;
    else
        pool->newest = l->older;
    if (l->older)
        l->older->newer = l->newer;
    l->listed = false;
}

static void loop_run(loop *l)
{
    for (;;) {
        size_t index = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
        if (index >= l->count)
            return;
        l->work(l->context, index);
    }
}

static void *worker_main(void *argument)
{
    vt_pool *pool = argument;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->newest && !pool->ending)
            pthread_cond_wait(&pool->work_came, &pool->mutex);
        loop *l = pool->newest;
        if (!l)
            break;
        l->helpers++;
        pthread_mutex_unlock(&pool->mutex);
        loop_run(l);
        pthread_mutex_lock(&pool->mutex);
        loop_unlist(pool, l);
        /* After this the caller may return and the record be gone. */
        if (--l->helpers == 0)
            pthread_cond_broadcast(&pool->helper_left);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static void workers_end(vt_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (pool->callers)
        pthread_cond_wait(&pool->helper_left, &pool->mutex);
    pool->ending = true;
    pthread_cond_broadcast(&pool->work_came);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->worker_count; i++)
        pthread_join(pool->workers[i], NULL);
}

/* Signals are for the program's own threads: workers are started with all of them blocked. */
static int workers_start(vt_pool *pool, int count)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = 0;
    while (code == 0 && pool->worker_count < count) {
        code = pthread_create(&pool->workers[pool->worker_count], NULL, worker_main, pool);
        if (code == 0)
            pthread_setname_np(pool->workers[pool->worker_count++], "vt-pool");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

static void pool_destroy(vt_pool *pool)
{
    workers_end(pool);
    pthread_cond_destroy(&pool->helper_left);
    pthread_cond_destroy(&pool->work_came);
    pthread_mutex_destroy(&pool->mutex);
    vt_free(pool);
}

vt_status vt_pool_new(int threads, vt_pool **out, vt_error *error)
{
    if (threads <= 0)
        threads = vt_core_count();
    if (threads > POOL_THREADS_MAX)
        threads = POOL_THREADS_MAX;
    /* The caller of a loop is one of its threads. */
    size_t worker_count = (size_t)threads - 1;
    vt_pool *pool = vt_calloc(1, sizeof *pool + worker_count * sizeof pool->workers[0]);
    if (!pool)
        return vt_fail_memory(error, "a thread pool");
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work_came, NULL);
    pthread_cond_init(&pool->helper_left, NULL);
    int code = workers_start(pool, (int)worker_count);
    if (code != 0) {
        pool_destroy(pool);
        return vt_fail_errno(error, code, "start", "worker threads");
    }
    *out = pool;
    return VT_OK;
}

void vt_pool_free(vt_pool *pool)
{
    if (pool)
        pool_destroy(pool);
}

int vt_pool_threads(const vt_pool *pool)
{
    return pool ? pool->worker_count + 1 : 1;
}

static void loop_list(vt_pool *pool, loop *l)
{
    l->older = pool->newest;
    if (pool->newest)
        pool->newest->newer = l;
    pool->newest = l;
    l->listed = true;
    if (l->count - 1 >= (size_t)pool->worker_count)
        pthread_cond_broadcast(&pool->work_came);
    else
        for (size_t i = 1; i < l->count; i++)
            pthread_cond_signal(&pool->work_came);
}

void vt_pool_for(vt_pool *pool, size_t count, void (*work)(void *context, size_t index),
                 void *context)
{
    if (!pool || pool->worker_count == 0 || count < 2) {
        for (size_t i = 0; i < count; i++)
            work(context, i);
        return;
    }
    loop mine = {.work = work, .context = context, .count = count};
    pthread_mutex_lock(&pool->mutex);
    pool->callers++;
    loop_list(pool, &mine);
    pthread_mutex_unlock(&pool->mutex);
    loop_run(&mine);
    pthread_mutex_lock(&pool->mutex);
    loop_unlist(pool, &mine);
    while (mine.helpers)
        pthread_cond_wait(&pool->helper_left, &pool->mutex);
    if (--pool->callers == 0)
        pthread_cond_broadcast(&pool->helper_left);
    pthread_mutex_unlock(&pool->mutex);
}
