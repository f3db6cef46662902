/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_LOG_WRITE_H
#define VARVE_BASE_LOG_WRITE_H

#include "base/log.h"

/* How lines of log.c get to stderr, and which do. */

/* Write a line, which ends in a line feed, or queue it, or drop it; never blocks after log_start.
 */
void log_write(const char *text, size_t len);

/* Whether one more line about this event (a literal) and topic may be written; *suppressed says how
 * many could not since the last one. */
bool log_limit(const char *event, uint32_t topic, uint64_t *suppressed);

#endif
