/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue of pointers between threads.
 *
 * Method: a ring under one mutex with one condition for each way of waiting. What passes through is
 * whole images and products, so the lock costs nothing that could be measured.
 */
#include "base/thread.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>

struct vt_queue {
    pthread_mutex_t mutex;
    pthread_cond_t item_came, room_came;
    bool closed;
    size_t capacity, count, first;
    void *items[];
};

vt_status vt_queue_new(size_t capacity, vt_queue **out, vt_error *error)
{
    size_t bytes;
    if (capacity == 0)
        return vt_fail(error, VT_ERR_USAGE, "make a queue: its capacity is 0");
    bool fits = vt_size_mul(capacity, sizeof(void *), &bytes) &&
                vt_size_add(bytes, sizeof(vt_queue), &bytes);
    vt_queue *queue = fits ? vt_calloc(1, bytes) : NULL;
    if (!queue)
        return vt_fail_memory(error, "a queue");
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->item_came, NULL);
    pthread_cond_init(&queue->room_came, NULL);
    queue->capacity = capacity;
    *out = queue;
    return VT_OK;
}

void vt_queue_free(vt_queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->room_came);
    pthread_cond_destroy(&queue->item_came);
    pthread_mutex_destroy(&queue->mutex);
    vt_free(queue);
}

bool vt_queue_push(vt_queue *queue, void *item)
{
    assert(item); /* NULL is how vt_queue_take says that nothing will come */
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == queue->capacity && !queue->closed)
        pthread_cond_wait(&queue->room_came, &queue->mutex);
    bool open = !queue->closed;
    if (open) {
        size_t room = queue->capacity - queue->first;
        size_t last = queue->count < room ? queue->first + queue->count : queue->count - room;
        queue->items[last] = item;
        queue->count++;
        pthread_cond_signal(&queue->item_came);
    }
    pthread_mutex_unlock(&queue->mutex);
    return open;
}

void *vt_queue_take(vt_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == 0 && !queue->closed)
        pthread_cond_wait(&queue->item_came, &queue->mutex);
    void *item = NULL;
    if (queue->count) {
        item = queue->items[queue->first];
        queue->first = queue->first + 1 < queue->capacity ? queue->first + 1 : 0;
        queue->count--;
        pthread_cond_signal(&queue->room_came);
    }
    pthread_mutex_unlock(&queue->mutex);
    return item;
}

void vt_queue_close(vt_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_cond_broadcast(&queue->item_came);
    pthread_cond_broadcast(&queue->room_came);
    pthread_mutex_unlock(&queue->mutex);
}
