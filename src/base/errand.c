/* SPDX-License-Identifier: MIT */
#include "base/errand.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"

struct errand {
    struct errand_job job;
    struct waker waker;
    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    bool done, left; /* by the lock: it was done; nobody waits for it, and the thread frees it */
};

static void free_all(struct errand *e)
{
    ASSERT(pthread_mutex_destroy(&e->lock) == 0);
    e->job.free(e->job.context);
    free(e);
}

static void *run(void *argument)
{
    struct errand *e = argument;
    e->job.run(e->job.context);
    ASSERT(pthread_mutex_lock(&e->lock) == 0);
    bool left = e->left;
    e->done = true;
    if (!left)
        waker_wake(e->waker);
    ASSERT(pthread_mutex_unlock(&e->lock) == 0);
    if (left)
        free_all(e);
    return NULL;
}

struct errand *errand_begin(const struct errand_job *job, bool threaded, struct waker waker)
{
    struct errand *e = calloc(1, sizeof(*e));
    if (e == NULL)
        out_of_memory(sizeof(*e));
    e->job = *job;
    e->waker = waker;
    ASSERT(pthread_mutex_init(&e->lock, NULL) == 0);
    e->threaded = threaded && pthread_create(&e->thread, NULL, run, e) == 0;
    if (e->threaded)
        return e;
    e->job.run(e->job.context);
    e->done = true;
    waker_wake(e->waker);
    return e;
}

bool errand_is_done(struct errand *e)
{
    ASSERT(pthread_mutex_lock(&e->lock) == 0);
    bool done = e->done;
    ASSERT(pthread_mutex_unlock(&e->lock) == 0);
    return done;
}

void errand_free(struct errand *e)
{
    if (e == NULL)
        return;
    ASSERT(pthread_mutex_lock(&e->lock) == 0);
    bool done = e->done;
    e->left = !done;
    bool threaded = e->threaded;
    pthread_t thread = e->thread;
    ASSERT(pthread_mutex_unlock(&e->lock) == 0);
    if (!done) {
        ASSERT(pthread_detach(thread) == 0);
        return;
    }
    if (threaded)
        ASSERT(pthread_join(thread, NULL) == 0);
    free_all(e);
}
