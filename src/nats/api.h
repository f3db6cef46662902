/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_API_H
#define VARVE_NATS_API_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/*
 * The JetStream API: request subjects, and what all replies have in common (nats-server's
 * jetstream_api.go). A prefix is "$JS.API", "$JS.<domain>.API" (generateJSMappingTable) or what an
 * account imports it under. Acks never take it: they go to the reply of their message.
 */
#define NATS_API_PREFIX "$JS.API"

/* Append the prefix under which the JetStream of a domain is asked from another one. */
void nats_api_domain_prefix(struct buf *out, const char *domain);

/* Append <prefix>.<call>[.<stream>[.<consumer>]]; NULL for what a call does not have. `call` is for
 * instance "STREAM.INFO" or "CONSUMER.MSG.NEXT". */
void nats_api_subject(struct buf *out, const char *prefix, const char *call, const char *stream,
                      const char *consumer);

/* The err_codes that somebody asks about (nats-server's errors.json). */
enum nats_api_code {
    NATS_API_NO_STREAM = 10059,
    NATS_API_NO_CONSUMER = 10014,
    NATS_API_NO_MESSAGE = 10037,
    NATS_API_CONSUMER_EXISTS = 10148,
    NATS_API_CONSUMER_CREATE = 10012, /* with a text */
};

enum nats_api_meaning {
    NATS_MEANING_OTHER, /* unknown: alert, retry slowly */
    NATS_MEANING_NO_STREAM,
    NATS_MEANING_NO_CONSUMER,
    NATS_MEANING_NO_MESSAGE,
    NATS_MEANING_EXISTS,    /* ask for it and compare */
    NATS_MEANING_RETRY,     /* no leader, restarting, moving: backoff */
    NATS_MEANING_RESOURCES, /* a limit or a full disk: alert, slow retry */
    NATS_MEANING_DISABLED,  /* no JetStream for this account or server: alert, slow retry */
    NATS_MEANING_OVERLAP,   /* a work queue has a consumer for these subjects already: slow retry */
    NATS_MEANING_REQUEST,   /* the request contradicts the configuration of the stream: no retry */
};

struct nats_api_error {
    uint32_t status; /* HTTP-like, 400 to 503; 0 if the reply was not an error */
    uint32_t code;   /* err_code, 0 if the server gave none */
    enum nats_api_meaning meaning;
};

enum nats_api_meaning nats_api_meaning(uint32_t code);

/*
 * Parse a reply into a tree in `arena`. NULL and err if it is not a JSON object (ERR_PROTOCOL;
 * error->status is 0), or if it holds an error (ERR_REFUSED with the server's description, and
 * *error is filled). `json` must outlive the tree.
 */
const struct json *nats_api_reply(struct slice json, struct arena *arena,
                                  struct nats_api_error *error, struct err *err)
    __attribute__((warn_unused_result));

/* The reply to a publish into a stream (type PubAck in nats-server's stream.go). */
struct nats_pub_ack {
    struct slice stream; /* in `arena` or in the reply */
    uint64_t sequence;
    bool duplicate; /* stored before under the same Nats-Msg-Id: as good as stored */
};

int nats_pub_ack_parse(struct slice json, struct arena *arena, struct nats_pub_ack *ack,
                       struct nats_api_error *error, struct err *err)
    __attribute__((warn_unused_result));

#endif
