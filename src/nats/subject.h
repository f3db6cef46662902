/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_SUBJECT_H
#define VARVE_NATS_SUBJECT_H

#include <stdbool.h>

#include "base/buf.h"

enum {
    NATS_NAME_MAX = 255, /* of a stream or a consumer, by the server */
    /* PUB with subject, reply and size has to fit the server's control line of 4 KiB. */
    NATS_SUBJECT_MAX = 1024,
};

/* A subject to publish to: tokens that are not empty, no blanks, control characters or wildcards.
 * With `wildcards`, also a filter: `*` as a whole token, `>` as the last. */
bool nats_subject_valid(struct slice subject, bool wildcards);

/* The name of a stream or consumer: 1 to NATS_NAME_MAX bytes, no blank, . * > / \ */
bool nats_name_valid(struct slice name);

/* True if `filter` matches `subject`, which has no wildcards. */
bool nats_subject_matches(struct slice filter, struct slice subject);

/* True if some subject matches both filters. */
bool nats_subject_overlaps(struct slice a, struct slice b);

/* What follows the last dot; all of it if there is none. */
struct slice nats_subject_last_token(struct slice subject);

#endif
