/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CHECK_REPORT_H
#define VARVE_CHECK_REPORT_H

#include <stdint.h>

#include "base/buf.h"

/* What `varve check` found: a sentence a line, each behind its level. */
enum check_level {
    CHECK_OK,
    CHECK_WARNING, /* it works, and somebody should know */
    CHECK_PROBLEM, /* the promise can't be kept */
    CHECK_LEVELS,
};

struct check_report {
    struct buf text;
    unsigned counts[CHECK_LEVELS];
};

void check_say(struct check_report *r, enum check_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* About how long, for people: "90s", "15m", "36h", "12d". */
enum { CHECK_DURATION_MAX = 32 };
const char *check_duration(int64_t ns, char out[static CHECK_DURATION_MAX]);

#endif
