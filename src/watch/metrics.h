/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_METRICS_H
#define VARVE_WATCH_METRICS_H

#include <stdint.h>

#include "base/buf.h"

struct watch;

/* Of what metrics_append writes: the text format that Prometheus reads. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Append all metrics. Labels are `stream` (as configured) and `reason` (one of ours), so their
 * number is bounded and nothing that an event says becomes one. At rest, for each stream:
 *
 *     received = rows_committed + dead_lettered + rows_deduplicated + pending
 */
void metrics_append(struct buf *out, const struct watch *w, int64_t now);

#endif
