/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_SERVER_H
#define VARVE_VERIFY_SERVER_H

#include "verify/report.h"
#include "verify/positions.h"
#include "drain/api_client.h"

/*
 * What the server has at sequences that no file has. Only questions are asked: STREAM.INFO with its
 * list of deleted messages, CONSUMER.INFO for the filter, and STREAM.MSG.GET.
 */
enum {
    /* Messages that are asked for, a stream: each takes a round trip. */
    VERIFY_QUESTIONS_MAX = 1000,
    /* A list of more deleted messages is not fetched: each has up to 20 bytes in a reply of which
     * two copies are held, and its tree of JSON takes about 100. */
    VERIFY_DELETED_MAX = 200 * 1000,
    /* Subjects in the files, where no consumer says what is wanted. */
    VERIFY_SUBJECTS_MAX = 256,
};

enum verify_answer {
    VERIFY_UNANSWERED,
    VERIFY_DELETED, /* or expired, or purged */
    VERIFY_FOREIGN, /* there, of another subject */
    VERIFY_MARKER,  /* there, written by the server itself: no event */
    VERIFY_OURS,    /* there, of a subject that varve takes */
};

/* The next message of a subject, as the server said it. */
struct verify_next {
    char *filter;
    uint64_t from; /* the sequence that was asked for, 0: none yet */
    bool marker;   /* what is there */
    uint64_t at;   /* where the next message is, UINT64_MAX: there is none */
    struct buf subject;
};

struct verify_server {
    struct api_client ask;
    struct err failure;         /* the first one: nothing is asked any more */
    const struct map *subjects; /* in the files; borrowed */

    /* The stream at hand: */
    struct report *report;
    char *stream;
    bool comparable;
    bool given_up;  /* a question went unasked, and that was said */
    uint64_t first; /* what has to be in the store begins here; 0: not known */
    uint64_t last_seq;
    struct seqset deleted;
    struct verify_next any; /* of all subjects */
    struct verify_next *ours;
    size_t ours_count; /* 0: not known */
    unsigned questions;
};

/* Connect as a configuration says, which is borrowed until verify_server_close; that is fine in any
 * case. */
int verify_server_open(struct verify_server *v, const struct config *config,
                       const struct map *subjects, struct err *err)
    __attribute__((warn_unused_result));
void verify_server_close(struct verify_server *v);

/* Take down up to where each consumer's messages are acknowledged: of what is before that the files
 * must have every row. Call it after claims_read and before the files are listed. */
void verify_server_note_acked(struct verify_server *v, struct claims *claims);

/* Ask for this generation of a stream. `claim` may be NULL. If it is not the one that the server
 * has, that is noted, and there are no answers. */
void verify_server_begin(struct verify_server *v, struct slice stream, struct slice created,
                         const struct claim *claim, struct report *report);

/* What is at `first`? *last is brought down to where the answer changes. FOREIGN and OURS come with
 * a subject that is there, valid until the next call. Ask in ascending order. */
enum verify_answer verify_server_ask(struct verify_server *v, uint64_t first, uint64_t *last,
                                     struct slice *subject);

#endif
