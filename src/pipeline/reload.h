/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_RELOAD_H
#define VARVE_PIPELINE_RELOAD_H

#include "pipeline/pipeline.h"

/*
 * SIGHUP: read the configuration again and take over what can change while running, without
 * dropping the connection: log level and format, batching limits, memory_limit, and credentials,
 * which are used from the next connection on. Each key that differs and can't change is named in
 * the log. A configuration with an error changes nothing. It is read by a thread of its own:
 * reload_begin starts it, and does nothing but return false while an earlier one is read still;
 * options.context outlives the process then. reload_take takes over what was read.
 */
bool reload_begin(struct pipeline *p);
void reload_take(struct pipeline *p);

/* Forget what was read, or is being read. */
void reload_free(struct pipeline *p);

#endif
