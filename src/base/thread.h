/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: a pool for parallel loops, and a bounded queue for pipelines.
 *
 *     vt_pool *pool;
 *     vt_pool_new(0, &pool, error);              // 0: one thread per core
 *     vt_pool_for(pool, count, work, context);   // work(context, index), returns when all are done
 *     vt_pool_free(pool);
 *
 * Threads: vt_pool_for may be called from several threads at once, and from inside a work function
 * (the caller always takes part, so nesting cannot deadlock). A queue is for any number of pushers
 * and takers.
 */
#ifndef VT_BASE_THREAD_H
#define VT_BASE_THREAD_H

#include "base/status.h"

#include <pthread.h>

int vt_core_count(void); /* cores this process may use (affinity and cgroup quota), at least 1 */
/* The smallest CPU quota, in whole cores rounded up, of the cgroup v2 group that the file
 * `group_list` names below `mount`, and of its ancestors; 0: none. vt_core_count asks it about this
 * process; tests ask it about files of their own. */
int vt_core_quota(const char *group_list, const char *mount);

typedef struct vt_pool vt_pool;
vt_status vt_pool_new(int threads, vt_pool **out,
                      vt_error *error); /* threads <= 0: vt_core_count() */
void vt_pool_free(vt_pool *pool);       /* waits for running loops */
int vt_pool_threads(const vt_pool *pool);
void vt_pool_for(vt_pool *pool, size_t count, void (*work)(void *context, size_t index),
                 void *context); /* pool NULL: the loop runs in the caller */

/* A lock whose writers do not wait for ever while readers overlap. Nobody may share it twice at
 * once. */
void vt_rwlock_init(pthread_rwlock_t *lock);

/* What went wrong first among the workers of a loop; the rest of the loop runs on. */
typedef struct vt_first_error {
    pthread_mutex_t lock;
    vt_status status; /* once the workers are done, anyone may read it */
    vt_error error;
} vt_first_error;
void vt_first_error_init(vt_first_error *first);
void vt_first_error_deinit(vt_first_error *first);
/* VT_OK is no failure. Any thread. */
void vt_first_error_note(vt_first_error *first, vt_status status, const vt_error *error);
/* What was noted, or VT_OK; once the workers are done. */
vt_status vt_first_error_give(const vt_first_error *first, vt_error *error);

/* A named thread that is joined. */
typedef struct vt_thread vt_thread;
vt_status vt_thread_start(const char *name, void (*run)(void *context), void *context,
                          vt_thread **out, vt_error *error);
void vt_thread_join(vt_thread *thread); /* waits, then frees; NULL is fine */
/* The calling thread, and those that it starts from here on, step back behind others: so much is
 * added to its nice value (setpriority(2); up to 19 in all). There is no way back. */
void vt_thread_lower(int nice);

/* A bounded first-in-first-out queue of pointers. The queue never owns what it holds. */
typedef struct vt_queue vt_queue;
vt_status vt_queue_new(size_t capacity, vt_queue **out, vt_error *error);
void vt_queue_free(vt_queue *queue);
bool vt_queue_push(vt_queue *queue, void *item); /* waits while full; false once closed */
void *vt_queue_take(vt_queue *queue);            /* waits while empty; NULL once closed and empty */
void vt_queue_close(vt_queue *queue); /* wakes everyone; what is inside can still be taken */

#endif
