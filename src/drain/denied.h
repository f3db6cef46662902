/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_DENIED_H
#define VARVE_DRAIN_DENIED_H

#include <stdint.h>

#include "base/clock.h"
#include "nats/session.h"

/*
 * Subjects that the server did not let us use on this connection. It says so for each attempt and
 * never when it has changed its mind: one that we have not been told of for a while is forgotten.
 */
enum {
    DENIED_MAX = 8, /* the oldest makes room */
    DENIED_SUBJECT_MAX = 255,
};

/* What each line of denied_append begins with. */
#define DENIED_SENTENCE "the server does not let this user "

/* Everything that is needed is tried again within 30 seconds. */
#define DENIED_STANDS (90 * CLOCK_SECOND)

struct denied_subject {
    char text[DENIED_SUBJECT_MAX + 1]; /* "" is free; what is made by chance in it is a wildcard */
    bool subscribe;                    /* else publish */
    int64_t told;                      /* the last time */
};

struct denied {
    struct denied_subject list[DENIED_MAX];
};

/* Note a violation of a permission; other errors are no news here. */
void denied_note(struct denied *d, const struct nats_server_error *error, int64_t now);

/* Append a line for each that stands. */
void denied_append(const struct denied *d, int64_t now, struct buf *out);

#endif
