/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_STOP_H
#define VARVE_PIPELINE_STOP_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Signals as a descriptor that becomes readable. SIGTERM and SIGINT ask for an orderly end; the
 * second of them ends the process at once, from the handler, so that nothing can hold it up: what
 * is not committed is not acked and comes again. SIGHUP asks to read the configuration again.
 * SIGPIPE is ignored. The flags are the second and last global state of the process (see log.h).
 */
int stop_install(struct err *err) __attribute__((warn_unused_result));

/* Readable while a signal has come that stop_take has not seen. */
int stop_descriptor(void);

/* Which signals have come since the last call; empties the descriptor. */
struct stop_request {
    bool stop;
    bool reload;
};
struct stop_request stop_take(void);

#endif
