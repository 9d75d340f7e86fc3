/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines: a client has a bounded time for its head, its body and for reading the answer, however
 * slowly and steadily it drips (libmicrohttpd's own timeout starts anew with every byte). Waiting
 * for a further request on an open connection counts as a head.
 *
 * Method: every open connection is in one list with the moment by which what it waits for must have
 * come. A thread walks the list a few times a second and shuts overdue sockets down, which the
 * network thread then sees as their end. A socket is shut down under the lock under which it leaves
 * the list, before it is closed, so that its number cannot belong to another connection by then.
 */
#include "server/http.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <sys/socket.h>

enum { SWEEP_MS = 200 };

typedef struct connection {
    struct connection *next, **before; /* before: what points here */
    int fd;
    double due_ms; /* 0: nothing is waited for */
} connection;

struct vt_connections {
    const vt_server_options *options; /* borrowed */
    pthread_mutex_t lock;             /* everything below */
    pthread_cond_t wake;
    connection *first;
    size_t count;
    bool closing;
    vt_thread *sweeper;
};

static void shut_overdue(vt_connections *all, double now_ms)
{
    for (connection *one = all->first; one != NULL; one = one->next)
        if (one->due_ms > 0.0 && now_ms > one->due_ms) {
            shutdown(one->fd, SHUT_RDWR);
            one->due_ms = 0.0;
        }
}

static void sweep(void *context)
{
    vt_connections *all = context;
    pthread_mutex_lock(&all->lock);
    while (!all->closing) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += SWEEP_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&all->wake, &all->lock, &until);
        shut_overdue(all, vt_clock_ms());
    }
    pthread_mutex_unlock(&all->lock);
}

vt_status vt_connections_new(const vt_server_options *options, vt_connections **out,
                             vt_error *error)
{
    vt_connections *all = vt_calloc(1, sizeof(*all));
    pthread_condattr_t monotonic;
    if (all == NULL)
        return vt_fail_memory(error, "the connections");
    all->options = options;
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&all->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    vt_status status = vt_thread_start("vt-sweep", sweep, all, &all->sweeper, error);
    if (status != VT_OK) {
        vt_connections_free(all);
        return status;
    }
    *out = all;
    return VT_OK;
}

void vt_connections_free(vt_connections *all)
{
    if (all == NULL)
        return;
    pthread_mutex_lock(&all->lock);
    all->closing = true;
    pthread_cond_signal(&all->wake);
    pthread_mutex_unlock(&all->lock);
    vt_thread_join(all->sweeper);
    while (all->first != NULL)
        vt_connection_close(all, all->first);
    pthread_cond_destroy(&all->wake);
    pthread_mutex_destroy(&all->lock);
    vt_free(all);
}

void *vt_connection_open(vt_connections *all, int fd)
{
    connection *one = vt_calloc(1, sizeof(*one));
    if (one == NULL)
        return NULL;
    one->fd = fd;
    one->due_ms = vt_clock_ms() + all->options->head_ms;
    pthread_mutex_lock(&all->lock);
    one->next = all->first;
    one->before = &all->first;
    if (one->next != NULL)
        one->next->before = &one->next;
    all->first = one;
    all->count++;
    pthread_mutex_unlock(&all->lock);
    return one;
}

void vt_connection_close(vt_connections *all, void *context)
{
    connection *one = context;
    if (one == NULL)
        return;
    pthread_mutex_lock(&all->lock);
    *one->before = one->next;
    if (one->next != NULL)
        one->next->before = one->before;
    all->count--;
    pthread_mutex_unlock(&all->lock);
    vt_free(one);
}

void vt_connection_waits(vt_connections *all, void *context, vt_wait wait)
{
    connection *one = context;
    if (one == NULL)
        return;
    int limit_ms = wait == VT_WAIT_HEAD   ? all->options->head_ms
                   : wait == VT_WAIT_BODY ? all->options->body_ms
                                          : all->options->write_ms;
    pthread_mutex_lock(&all->lock);
    one->due_ms = wait == VT_WAIT_US ? 0.0 : vt_clock_ms() + limit_ms;
    pthread_mutex_unlock(&all->lock);
}

size_t vt_connections_count(vt_connections *all)
{
    pthread_mutex_lock(&all->lock);
    size_t count = all->count;
    pthread_mutex_unlock(&all->lock);
    return count;
}
