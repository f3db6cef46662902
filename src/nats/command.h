/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_COMMAND_H
#define VARVE_NATS_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "nats/info.h"

/*
 * Who we say we are. NULL is "not given". At most one way is used, in this order: jwt, nkey,
 * user, token.
 */
struct nats_credentials {
    const char *user, *password;
    const char *token;
    const char *nkey; /* the public key, "U..." */
    const char *jwt;
    /* Sign the server's nonce (Ed25519) for nkey or jwt; false if that failed. */
    bool (*sign)(void *signer, struct slice nonce, uint8_t signature[64]);
    void *signer;
};

/* Whether a session starts TLS. The engine only says when; the owner of the socket does it. */
enum nats_tls {
    NATS_TLS_NEVER,       /* a server that requires it is refused */
    NATS_TLS_IF_REQUIRED, /* after INFO, if it says so */
    NATS_TLS_REQUIRED,    /* after INFO; a server without it is refused, never downgraded to */
    NATS_TLS_FIRST,       /* was done before the first byte */
};

/* Everything borrowed: must outlive what it was given to. */
struct nats_options {
    const char *name;    /* connection name for the server's monitoring */
    const char *version; /* ours */
    struct nats_credentials credentials;
    enum nats_tls tls;
    const char *inbox_prefix; /* NULL: "_INBOX" */
    const char *api_prefix;   /* of JetStream's API, see nats/api.h; NULL: NATS_API_PREFIX */
    size_t message_max;       /* header + payload received at most; 0: NATS_MESSAGE_MAX */
    uint64_t random_key[2];   /* from getrandom, new for each process */
};

/* What a client says, appended to an output buffer. Subjects must be valid (nats/subject.h). */

/* CONNECT and its line end. Fails if a signature is needed and can't be made, or if the line is
 * longer than the server's default limit of 4 KiB and hence would be refused (then the error says
 * which credential is too long); nothing is appended then. */
int nats_command_connect(struct buf *out, const struct nats_options *options,
                         const struct nats_info *info, struct err *err)
    __attribute__((warn_unused_result));

void nats_command_ping(struct buf *out);
void nats_command_pong(struct buf *out);
void nats_command_subscribe(struct buf *out, struct slice subject, uint64_t sid);
void nats_command_unsubscribe(struct buf *out, uint64_t sid);

/* PUB, or HPUB if `header` (a whole block, see nats/header.h) is not empty. `reply` may be empty.
 */
void nats_command_publish(struct buf *out, struct slice subject, struct slice reply,
                          struct slice header, struct slice payload);

#endif
