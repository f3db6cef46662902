/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_RELOAD_H
#define VARVE_PIPELINE_RELOAD_H

#include "pipeline/pipeline.h"

/*
 * SIGHUP: read the configuration again and take over what can change while running, without
 * dropping the connection: log level and format, batching limits, memory_limit, and credentials,
 * which are used from the next connection on. Each key that differs and can't change is named in
 * the log. A configuration with an error changes nothing.
 */
void reload_apply(struct pipeline *p);

/* Forget what was read. */
void reload_free(struct pipeline *p);

#endif
