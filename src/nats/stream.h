/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_STREAM_H
#define VARVE_NATS_STREAM_H

#include "nats/api.h"

/* STREAM.INFO and STREAM.MSG.GET. Slices live in the arena that was given, or in the reply. */

enum nats_retention { NATS_RETENTION_LIMITS, NATS_RETENTION_INTEREST, NATS_RETENTION_WORKQUEUE };
enum nats_discard { NATS_DISCARD_OLD, NATS_DISCARD_NEW };

struct nats_stream_info {
    struct slice name;
    struct slice created; /* RFC 3339 text: with the name, the identity of the stream */
    int64_t created_ns;
    enum nats_retention retention;
    enum nats_discard discard;
    int64_t max_age_ns;              /* 0: unlimited */
    int64_t max_bytes, max_messages; /* -1: unlimited */
    int64_t duplicate_window_ns;     /* for which Nats-Msg-Id is known */
    uint32_t replicas;
    bool memory;       /* stored there, not in files */
    int64_t server_ns; /* its clock when it answered (2.10+), 0: not told */
    uint64_t messages, bytes;
    uint64_t first_seq, last_seq; /* 0 and 0 if it never held a message */
    int64_t first_ns, last_ns;    /* 0 if it holds no message */
    uint64_t deleted;             /* holes between first and last */
    uint64_t *deleted_list;       /* these, ascending, where they were asked for */
    size_t deleted_count;
    uint64_t consumers;
    int64_t consumer_max_ack_pending;       /* consumer_limits (2.10+), 0: none */
    int64_t consumer_inactive_threshold_ns; /* the same */
    bool allows_atomic;                     /* batches, stored as a whole or not (2.12+, ADR-50) */
    bool transforms;                        /* subjects may not be those that were published to */
    struct slice *subjects;                 /* what it is bound to */
    size_t subject_count;
    struct slice leader; /* server name, empty without a cluster */
};

int nats_stream_info_parse(struct slice json, struct arena *arena, struct nats_stream_info *info,
                           struct nats_api_error *error, struct err *err)
    __attribute__((warn_unused_result));

/* The body that asks STREAM.MSG.GET for one sequence. */
void nats_stream_get_body(struct buf *out, uint64_t sequence);

/* The body that asks it for the first message of a subject, wildcards allowed, at `sequence` or
 * behind it. */
void nats_stream_next_body(struct buf *out, uint64_t sequence, struct slice subject);

/* The body that asks it for the last message of a subject, wildcards allowed. */
void nats_stream_last_body(struct buf *out, struct slice subject);

struct nats_stored_message {
    struct slice subject;
    struct slice header; /* the block, or empty */
    uint64_t sequence;
    int64_t time_ns; /* when the stream stored it */
    bool marker;     /* written by the server itself: there was a message of this subject, and it
                        expired, or was removed or purged (ADR-48) */
};

int nats_stored_message_parse(struct slice json, struct arena *arena,
                              struct nats_stored_message *message, struct nats_api_error *error,
                              struct err *err) __attribute__((warn_unused_result));

/* The body that asks STREAM.NAMES which streams take a subject, wildcards allowed. */
void nats_stream_names_body(struct buf *out, struct slice subject);

/* *first is empty if there is none. *more: there are others. */
int nats_stream_names_parse(struct slice json, struct arena *arena, struct slice *first, bool *more,
                            struct nats_api_error *error, struct err *err)
    __attribute__((warn_unused_result));

/* The body that asks STREAM.CREATE for a plain file stream with limits retention, one replica and
 * these subjects. For varve-gen and tests; varve itself never makes a stream. */
void nats_stream_create_body(struct buf *out, const char *stream, const struct slice *subjects,
                             size_t subject_count);

#endif
