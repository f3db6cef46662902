/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_PAGES_H
#define VARVE_WATCH_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct watch;

/* What the HTTP endpoint answers with. Neither a secret nor anything that an event says is in it.
 * Times are clock_monotonic. */

/* Of what metrics_append writes: the text format that Prometheus reads. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Append all metrics. Labels are `stream` (as configured) and `reason` (one of ours), so their
 * number is bounded and nothing that an event says becomes one. At rest, for each stream:
 *
 *     received = rows_committed + dead_lettered + rows_deduplicated + pending
 */
void metrics_append(struct buf *out, const struct watch *w, int64_t now);

/*
 * Append the status page: page/page.html, its style and its script, with all that is to be seen
 * filled in. The script asks for the page itself and for nothing else, so it works offline and
 * behind any prefix; without script it loads itself again. All texts are escaped, and cut at
 * STATUS_TEXT_MAX.
 */
enum { STATUS_TEXT_MAX = 1024 };
void page_append(struct buf *out, const struct watch *w, int64_t now);

/* Append the header field that allows the style and the script of the page, by their SHA-256, and
 * nothing else. */
void page_append_policy(struct buf *out);

/* Append the same for programs, as JSON; tools/share/doc/watch.md says what each member is. */
enum { STATUS_VERSION = 1 };
void status_append(struct buf *out, const struct watch *w, int64_t now);

#endif
