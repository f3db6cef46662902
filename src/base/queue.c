/* SPDX-License-Identifier: MIT */
#include "base/queue.h"

#include "base/assert.h"
#include "base/clock.h"

void queue_init(struct queue *q)
{
    ASSERT(pthread_mutex_init(&q->lock, NULL) == 0);
    clock_condition_init(&q->changed);
    q->first = NULL;
    q->last = &q->first;
    q->closed = false;
}

void queue_free(struct queue *q)
{
    ASSERT(q->first == NULL);
    ASSERT(pthread_cond_destroy(&q->changed) == 0);
    ASSERT(pthread_mutex_destroy(&q->lock) == 0);
}

static void lock(struct queue *q)
{
    ASSERT(pthread_mutex_lock(&q->lock) == 0);
}

static void unlock(struct queue *q)
{
    ASSERT(pthread_mutex_unlock(&q->lock) == 0);
}

void queue_push(struct queue *q, struct queue_item *item)
{
    item->next = NULL;
    lock(q);
    ASSERT(!q->closed);
    *q->last = item;
    q->last = &item->next;
    ASSERT(pthread_cond_signal(&q->changed) == 0);
    unlock(q);
}

static struct queue_item *remove_first(struct queue *q)
{
    struct queue_item *item = q->first;
    if (item == NULL)
        return NULL;
    q->first = item->next;
    if (q->first == NULL)
        q->last = &q->first;
    item->next = NULL;
    return item;
}

struct queue_item *queue_take(struct queue *q)
{
    lock(q);
    while (q->first == NULL && !q->closed)
        ASSERT(pthread_cond_wait(&q->changed, &q->lock) == 0);
    struct queue_item *item = remove_first(q);
    unlock(q);
    return item;
}

struct queue_item *queue_poll(struct queue *q)
{
    lock(q);
    struct queue_item *item = remove_first(q);
    unlock(q);
    return item;
}

bool queue_is_empty(struct queue *q)
{
    lock(q);
    bool empty = q->first == NULL;
    unlock(q);
    return empty;
}

bool queue_wait_closed(struct queue *q, int64_t ns)
{
    int64_t until = clock_monotonic() + ns;
    lock(q);
    bool in_time = true;
    while (!q->closed && in_time)
        in_time = clock_wait_until(&q->changed, &q->lock, until);
    bool closed = q->closed;
    unlock(q);
    return closed;
}

void queue_close(struct queue *q)
{
    lock(q);
    q->closed = true;
    ASSERT(pthread_cond_broadcast(&q->changed) == 0);
    unlock(q);
}
