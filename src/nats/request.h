/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_REQUEST_H
#define VARVE_NATS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "nats/random.h"

/*
 * Requests that wait for one reply each, over one inbox subscription: the last token of the reply
 * subject says which. Replies that come late or twice find no entry and are ignored.
 */
enum {
    /* At most a question for each of 64 sources, some dead letters and alerts, and the rest for
     * acks that wait to be confirmed, one for each source and epoch. */
    NATS_REQUESTS_MAX = 512,
};

struct nats_request {
    uint64_t id; /* 0: free */
    int64_t deadline;
    char token[NATS_TOKEN_LEN + 1];
};

struct nats_requests {
    uint64_t last_id; /* never reused, so that an old id can't meet a new reply */
    unsigned count;
    struct nats_request entries[NATS_REQUESTS_MAX]; /* the free ones at the front are taken first */
};

/* A new request; its token stays in *token until it is finished. Returns its id, or 0 if too many
 * are waiting. */
uint64_t nats_request_begin(struct nats_requests *r, struct nats_random *random, int64_t deadline,
                            struct slice *token) __attribute__((warn_unused_result));

/* A reply came for this token: the id of the request, which is finished by this, or 0. */
uint64_t nats_request_finish(struct nats_requests *r, struct slice token);

/* The id of a request whose time is over, which is finished by this, or 0. */
uint64_t nats_request_expire(struct nats_requests *r, int64_t now);

/* Forget one, for instance because its asker is gone. */
void nats_request_cancel(struct nats_requests *r, uint64_t id);

/* Forget all; ids go on. */
void nats_request_reset(struct nats_requests *r);

/* The earliest deadline, INT64_MAX if none waits. */
int64_t nats_request_deadline(const struct nats_requests *r);

#endif
