/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_PAGE_PART_H
#define VARVE_WATCH_PAGE_PART_H

#include "base/num.h"
#include "base/time.h"
#include "watch/pages.h"
#include "watch/watch.h"

/* What the parts of the status page share: text for people, escaped where it goes into the page. */

/* Append text of the page, whatever is in the arguments; cut at STATUS_TEXT_MAX. */
void page_say(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each fills in `out` and returns it. A count with separators; a size; about how long, in one unit:
 * "3 s", "5 min"; the same since a time of clock_wall; that time's clock, with the day where it is
 * not today's. */
const char *page_count(uint64_t n, char out[static NUM_COUNT_TEXT_MAX]);
const char *page_size(uint64_t bytes, char out[static NUM_SIZE_TEXT_MAX]);
const char *page_span(int64_t ns, char out[static NUM_SIZE_TEXT_MAX]);
const char *page_ago(int64_t wall, char out[static NUM_SIZE_TEXT_MAX]);
const char *page_clock(int64_t wall, char out[static TIME_TEXT_MAX]);

/* Append a curve, the newest value at the right edge. */
void page_curve(struct buf *out, const struct stats_curve *curve);

/* The parts below the numbers: streams, rates, commits, facts. */
void page_tables(struct buf *out, const struct watch *w, int64_t now);

#endif
