/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_PUBLISHER_PART_H
#define VARVE_FOLLOW_PUBLISHER_PART_H

#include "follow/publisher.h"

/* What the files of a publisher share. */

/* Connected: which stream takes the subject, whether it takes batches, and where to go on: the
 * stream, base, previous, place and run of `p`. On errors p->failure is set. */
int publisher_find_place(struct publisher *p) __attribute__((warn_unused_result));

/* The message for a row: false if its subject is none to publish to. */
bool publisher_make(struct publisher *p, struct publisher_message *m,
                    const struct follow_event *row);

/* p->header, the whole header block of a message that is the next to be sent: of the batch that is
 * begun, or is to begin, and whether it completes that. */
void publisher_head(struct publisher *p, const struct publisher_message *m, bool batched,
                    bool complete);

/* No message is larger than this in a batch, by what publisher_head puts in front. */
size_t publisher_most(const struct publisher *p, const struct publisher_message *m);

/* A token of this connection, PUBLISHER_TOKEN_LEN characters and a NUL. */
void publisher_draw(struct publisher *p, char *out);

/* Fail in a way that another attempt would not mend. */
int publisher_fail(struct publisher *p, enum err_code code, const char *text)
    __attribute__((warn_unused_result));

#endif
