/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_ERRAND_H
#define VARVE_BASE_ERRAND_H

#include <stdbool.h>

#include "base/queue.h"

/*
 * What may never come to its end, such as a file that is read where the network behind it hangs: it
 * is done on a thread of its own, and left behind by who can't wait for it any longer.
 */
struct errand;

struct errand_job {
    void (*run)(void *context);
    void (*free)(void *context); /* once nobody needs it any more; on whichever thread that is */
    void *context;
};

/* Do it, and wake. Without a thread, or where none can be had, it is done when this returns. */
struct errand *errand_begin(const struct errand_job *job, bool threaded, struct waker waker);

/* Does not wait. What the job has written to its context is there if it is done. */
bool errand_is_done(struct errand *e);

/* The end of it, done or not: context and all are freed, now or when its thread comes back. NULL is
 * fine. */
void errand_free(struct errand *e);

#endif
