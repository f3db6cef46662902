/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_SERIES_ANSWER_H
#define VARVE_FOLLOW_SERIES_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/buf.h"

/*
 * What a time-series database says of some lines, as InfluxDB 1, 2 and 3, VictoriaMetrics and
 * QuestDB say it. An answer may repeat what stood in a line: what an event brings in must not look
 * like the server's own words.
 */
enum series_verdict {
    SERIES_STORED,    /* all of them */
    SERIES_REFUSED,   /* some, or all; the others may be stored, or none */
    SERIES_TOO_LARGE, /* the server takes no request of this size */
    SERIES_FAILED,    /* it is not the lines: later again */
};

/* A line that the answer names. */
struct series_named {
    uint32_t line;    /* from 0 on */
    struct slice why; /* valid UTF-8 */
};

struct series_answer {
    enum series_verdict verdict;
    bool all;             /* of SERIES_REFUSED: it says that it has dropped each line */
    struct slice text;    /* the server's words, valid UTF-8, at most SERIES_TEXT_MAX bytes */
    uint32_t retry_after; /* seconds, at most SERIES_RETRY_MAX; 0: it does not say */
    ARRAY(struct series_named) named;
};

enum {
    SERIES_BODY_MAX = 64 * 1024, /* of an answer: what is longer says no more */
    SERIES_TEXT_MAX = 400,       /* InfluxDB repeats a whole line; with this an error's text has
                                    room for what stands in front of it */
    SERIES_RETRY_MAX = 3600,
};

/* Read the answer to a request of `lines` lines: its status, the value of its Retry-After field and
 * its body. *out was zeroed, or used before; what it has is in it, in `arena` and in `body`. */
void series_answer_read(struct series_answer *out, struct arena *arena, int status,
                        struct slice retry_after, struct slice body, uint32_t lines);

#endif
