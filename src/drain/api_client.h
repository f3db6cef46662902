/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_API_CLIENT_H
#define VARVE_DRAIN_API_CLIENT_H

#include "base/clock.h"
#include "drain/connection.h"

/*
 * Questions to a server one after the other, for a command that waits for the answers. Nothing but
 * requests is sent.
 */
#define API_CLIENT_CONNECT_TIMEOUT (10 * CLOCK_SECOND)
#define API_CLIENT_TIMEOUT (5 * CLOCK_SECOND)

struct api_client {
    struct connection connection;
    int64_t turn_at; /* when its next turn is due */
    struct buf subject, reply;
    struct buf answered, answered_body; /* the question that was answered last */
    struct buf complaint; /* what the server said about the newest question, beside its reply */
    bool deaf;            /* it may not get answers: the complaint is about that, and stays */
};

/* Connect to one of the servers; each is tried once. api_client_close is fine afterwards in any
 * case. */
int api_client_connect(struct api_client *a, const struct config *config, struct err *err)
    __attribute__((warn_unused_result));
void api_client_close(struct api_client *a);

/* One call of the JetStream API, such as "STREAM.INFO". The reply is valid until the next call.
 * ERR_REFUSED if the server does not allow the question, ERR_NETWORK if there is no answer. */
int api_client_api(struct api_client *a, const char *call, const char *stream, const char *consumer,
                   struct slice body, struct slice *reply, struct err *err)
    __attribute__((warn_unused_result));

/* Send a request for nothing but to see whether it may be sent: false, and ERR_REFUSED, if the
 * server says that it may not. Its answer does not matter, and there need be none: the question
 * that was answered last is asked again behind it, and servers read in order. */
bool api_client_try(struct api_client *a, const struct buf *subject, struct slice header,
                    struct slice body, struct err *err) __attribute__((warn_unused_result));

#endif
