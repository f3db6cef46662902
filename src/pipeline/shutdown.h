/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_SHUTDOWN_H
#define VARVE_PIPELINE_SHUTDOWN_H

#include "pipeline/pipeline.h"

/* How a run comes to its end: no more messages, the last commit, the last acks. */

/* Take no more messages and seal what is open. Does nothing if that was done already. */
void shutdown_begin(struct pipeline *p, enum epoch_reason reason, int64_t now);

/* --once: begin the end when all that the streams had at start is received. */
void shutdown_check_once(struct pipeline *p, int64_t now);

/* Begin it, as a failure, if the server's side contradicts the configuration of every source. */
void shutdown_check_refused(struct pipeline *p, int64_t now);

/* Go on to the next phase where this one is over. */
void shutdown_advance(struct pipeline *p, int64_t now);

#endif
