/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_ASK_H
#define VARVE_PIPELINE_ASK_H

#include "base/clock.h"
#include "pipeline/connection.h"

/*
 * Questions to a server one after the other, for a command that waits for the answers. Nothing but
 * requests is sent.
 */
#define ASK_CONNECT_TIMEOUT (10 * CLOCK_SECOND)
#define ASK_TIMEOUT (5 * CLOCK_SECOND)

struct ask {
    struct connection connection;
    struct buf subject, reply;
    struct buf complaint; /* what the server said about the newest question, beside its reply */
};

/* Connect to one of the servers; each is tried once. ask_close is fine afterwards in any case. */
int ask_connect(struct ask *a, const struct config *config, struct err *err)
    __attribute__((warn_unused_result));
void ask_close(struct ask *a);

/* One call of the JetStream API, such as "STREAM.INFO". The reply is valid until the next call.
 * ERR_REFUSED if the server does not allow the question, ERR_NETWORK if there is no answer. */
int ask_api(struct ask *a, const char *call, const char *stream, const char *consumer,
            struct slice body, struct slice *reply, struct err *err)
    __attribute__((warn_unused_result));

#endif
