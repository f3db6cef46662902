/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_PAGES_H
#define VARVE_WATCH_PAGES_H

#include <stdint.h>

#include "base/buf.h"
#include "watch/status_write.h"

/* What the HTTP endpoint answers with. */

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

/* Append the whole status page, or the JSON that its script asks for. Neither a secret nor anything
 * that an event says is in it. */
void status_append(struct buf *out, const struct watch *w, enum status_form form, int64_t now);

/*
 * What of the page never changes (status_page.c). It asks for nothing but status.json, so it works
 * offline and behind any prefix; without script it loads itself again.
 */
extern const char status_page_head[]; /* all up to <body> */
extern const char status_page_tail[]; /* all behind the content */

/* The header field that allows the style and the script of the page, by their SHA-256, and nothing
 * else. tests/watch/test_page.py says what it has to be. */
extern const char status_page_policy[];

#endif
