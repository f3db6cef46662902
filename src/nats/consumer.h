/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_CONSUMER_H
#define VARVE_NATS_CONSUMER_H

#include "nats/api.h"

/* CONSUMER.CREATE, CONSUMER.INFO and CONSUMER.LIST (type ConsumerConfig in nats-server's
 * consumer.go). */

enum nats_deliver {
    NATS_DELIVER_ALL,
    NATS_DELIVER_LAST,
    NATS_DELIVER_NEW,
    NATS_DELIVER_BY_START_SEQUENCE,
    NATS_DELIVER_BY_START_TIME,
    NATS_DELIVER_LAST_PER_SUBJECT,
    NATS_DELIVER_UNKNOWN, /* only in what a server says */
};

enum nats_ack_policy { NATS_ACK_NONE, NATS_ACK_ALL, NATS_ACK_EXPLICIT, NATS_ACK_UNKNOWN };

/*
 * What we want of a consumer, or what the server says that it is. In what we want, 0 (or an empty
 * slice) leaves a field to the server, and then it is not compared either. Slices are borrowed; of
 * a parsed one they live in the arena or the reply.
 */
struct nats_consumer_config {
    struct slice name;    /* of an ephemeral; for a durable the same as `durable` or empty */
    struct slice durable; /* empty: ephemeral */
    struct slice description;
    enum nats_deliver deliver;
    uint64_t start_seq;    /* BY_START_SEQUENCE */
    int64_t start_time_ns; /* BY_START_TIME */
    enum nats_ack_policy ack;
    int64_t ack_wait_ns;
    int64_t max_deliver;         /* -1: unlimited */
    int64_t max_ack_pending;     /* -1: unlimited */
    const struct slice *filters; /* one: filter_subject; more: filter_subjects (2.10+) */
    size_t filter_count;
    int64_t max_waiting, max_batch, max_expires_ns, max_bytes;
    int64_t inactive_threshold_ns;
    int64_t replicas;
    bool memory;                  /* mem_storage */
    bool headers_only;            /* never wanted: compared as false */
    bool grouped;                 /* priority_groups (2.11+): the same */
    struct slice deliver_subject; /* of a push consumer; never wanted */
};

enum { NATS_FILTERS_MAX = 256 };

struct nats_consumer_info {
    struct slice stream, name, created;
    struct nats_consumer_config config;
    const struct json *raw_config; /* all of it, for nats_consumer_update_body */
    uint64_t delivered_consumer_seq, delivered_stream_seq;
    uint64_t ack_floor_consumer_seq, ack_floor_stream_seq;
    uint64_t ack_pending; /* delivered, not acked */
    uint64_t redelivered;
    uint64_t waiting; /* pulls */
    uint64_t pending; /* not delivered yet */
    bool paused;      /* 2.11+ */
    struct slice leader;
};

/* As the server writes them. */
const char *nats_deliver_name(enum nats_deliver deliver);
const char *nats_ack_policy_name(enum nats_ack_policy ack);

/* The subject that creates it: CONSUMER.CREATE.<stream>.<consumer>, with the filter behind it where
 * there is exactly one, so that permissions can be tight. */
void nats_consumer_create_subject(struct buf *out, const char *prefix, const char *stream,
                                  const struct nats_consumer_config *config);

/* The body. `action` is "create" (fails where it exists with another configuration, 2.10+),
 * "update", or "" for either. */
void nats_consumer_create_body(struct buf *out, const char *stream,
                               const struct nats_consumer_config *config, const char *action);

/* The body that changes an existing consumer to what we want and leaves all else as it is. */
void nats_consumer_update_body(struct buf *out, const char *stream,
                               const struct nats_consumer_config *wanted,
                               const struct nats_consumer_info *found);

/* The reply to CONSUMER.INFO and CONSUMER.CREATE. */
int nats_consumer_info_parse(struct slice json, struct arena *arena,
                             struct nats_consumer_info *info, struct nats_api_error *error,
                             struct err *err) __attribute__((warn_unused_result));

/* The body that asks CONSUMER.LIST for a page of a stream's consumers, without the first `offset`.
 */
void nats_consumer_list_body(struct buf *out, uint64_t offset);

/* A server sends at most 256 (JSApiListLimit in nats-server's jetstream_api.go). */
enum { NATS_CONSUMER_PAGE_MAX = 1024 };

struct nats_consumer_page {
    struct nats_consumer_info *consumers; /* in the arena */
    size_t count;
    uint64_t total; /* of all pages */
};

/* The reply to CONSUMER.LIST. ERR_LIMIT if the page has more than NATS_CONSUMER_PAGE_MAX. */
int nats_consumer_page_parse(struct slice json, struct arena *arena,
                             struct nats_consumer_page *page, struct nats_api_error *error,
                             struct err *err) __attribute__((warn_unused_result));

/* Take the start (deliver policy, sequence, time) of an existing consumer as our own: a start is
 * only for the making of one. */
void nats_consumer_adopt_start(struct nats_consumer_config *wanted,
                               const struct nats_consumer_config *found);

/*
 * How a consumer differs from what we want, also right after we made it: servers ignore fields that
 * they don't know.
 */
struct nats_consumer_diff {
    unsigned count;       /* fields that differ */
    unsigned fixed;       /* of these, those that no update can change */
    bool filters_ignored; /* we asked for filters and the server has none: it is older than 2.10 */
    char text[ERR_TEXT_MAX]; /* "ack_wait is 30s, want 2m; ack_policy is none, want explicit
                                (fixed)" */
};

void nats_consumer_compare(const struct nats_consumer_config *wanted,
                           const struct nats_consumer_config *found,
                           struct nats_consumer_diff *diff);

#endif
