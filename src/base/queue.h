/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_QUEUE_H
#define VARVE_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How another thread has the loop take a turn (net_waker in net/network.h makes one). Zeroed,
 * nobody waits: a program that takes its steps on one thread needs no waking.
 */
struct waker {
    void (*wake)(int handle); /* from any thread, and from a signal handler */
    int handle;
};

static inline void waker_wake(struct waker waker)
{
    if (waker.wake != NULL)
        waker.wake(waker.handle);
}

/*
 * A first-in, first-out queue between two threads. Items are linked through themselves, so that
 * nothing is allocated; an item is in one queue at a time and belongs to whoever took it. The queue
 * does not bound itself: whoever feeds it looks at what it holds before asking for more,
 * because the network thread must never block.
 */
struct queue_item {
    struct queue_item *next;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue_item *first;
    struct queue_item **last;
    bool closed;
};

void queue_init(struct queue *q);

/* Nobody may be using the queue, and it must be empty. */
void queue_free(struct queue *q);

void queue_push(struct queue *q, struct queue_item *item);

/* The oldest item; waits for one. NULL once the queue is closed and empty. */
struct queue_item *queue_take(struct queue *q);

/* The oldest item, or NULL if there is none now. */
struct queue_item *queue_poll(struct queue *q);

/* True if there is none now. */
bool queue_is_empty(struct queue *q);

/* Wait until the queue is closed, at most `ns`; true if it is. What a thread sleeps with when it
 * must still notice the end. */
bool queue_wait_closed(struct queue *q, int64_t ns);

/* No more items will come: queue_take returns NULL when the rest is taken. */
void queue_close(struct queue *q);

#endif
