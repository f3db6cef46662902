/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_SECURE_H
#define VARVE_DRAIN_SECURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/config.h"
#include "nats/command.h"
#include "nats/pool.h"
#include "net/tls.h"

/*
 * Which connections are encrypted, and with what: nats.tls of the configuration, the scheme of the
 * server's URL, and what the server says. The files are read anew for each connection, so that a
 * certificate can be renewed while varve runs.
 */
struct secure {
    struct arena arena;     /* of the texts */
    struct config_tls tls;  /* a copy */
    bool active;            /* the connection is encrypted, or will be before it says anything */
    bool seen;              /* one was, in this process */
    const char *version;    /* of TLS, behind the handshake: a literal such as "TLSv1.3" */
    int64_t server_expires; /* the certificate of the server of the newest connection; 0: none */
    int64_t own_expires;    /* our own, as its file was read last; 0: none */
};

/* Use this from the next connection on; our own certificate is looked at now, and what is wrong
 * with the files is logged. */
void secure_configure(struct secure *s, const struct config_tls *tls);
void secure_free(struct secure *s);

/* The files that secure_configure and secure_start read with this, to be read ahead; those of the
 * CAs only if a connection will be `encrypted`, as far as one can tell. */
void secure_files(const struct config_tls *tls, bool encrypted, struct secret_files *files);

/* As far as one can tell before this server says whether it wants it. */
bool secure_will_encrypt(const struct secure *s, const struct nats_url *url);

/* Whether a connection to this server is encrypted. What is asked for is never given up: a server
 * that does not offer it is refused. */
enum nats_tls secure_mode(const struct secure *s, const struct nats_url *url);

/* Put TLS around *stream, which is NULL afterwards if that fails. */
int secure_start(struct secure *s, const struct nats_server *server, struct stream **stream,
                 struct err *err) __attribute__((warn_unused_result));

/* The handshake of the stream is done. */
void secure_done(struct secure *s, const struct stream *stream);

/* What nats.tls means to net/tls. Borrows from `tls`. */
struct tls_options secure_options(const struct config_tls *tls);

#endif
