/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_STOP_H
#define VARVE_PIPELINE_STOP_H

#include <stdbool.h>

#include "base/err.h"
#include "base/queue.h"

/*
 * Signals as something that ends a wait. SIGTERM and SIGINT ask for an orderly end; the
 * second of them ends the process at once, from the handler, so that nothing can hold it up: what
 * is not committed is not acked and comes again. SIGHUP asks to read the configuration again.
 * SIGPIPE is ignored. The flags are the second and last global state of the process (see log.h).
 */
int stop_install(struct err *err) __attribute__((warn_unused_result));

/* Wake it with each signal from now on, and at once if one has come before. NULL: nobody any more;
 * then the waker may go. */
void stop_wakes(const struct waker *waker);

/* Which signals have come since the last call. */
struct stop_request {
    bool stop;
    bool reload;
};
struct stop_request stop_take(void);

#endif
