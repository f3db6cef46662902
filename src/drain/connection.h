/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DRAIN_CONNECTION_H
#define VARVE_DRAIN_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "config/config.h"
#include "drain/ahead.h"
#include "drain/denied.h"
#include "drain/login.h"
#include "drain/secure.h"
#include "drain/trouble.h"
#include "nats/client.h"
#include "nats/pool.h"
#include "net/connect.h"

/*
 * The one connection to NATS: which server, the socket, the protocol engine, and what happens when
 * it breaks. It never gives up: servers are tried again for as long as the process runs.
 */
/* A peer that takes nothing for this long is given up. */
#define CONNECTION_STUCK_MAX (10 * CLOCK_SECOND)
/* Of looking whether somebody has renewed credentials that run out soon. */
#define CONNECTION_LOOK_INTERVAL (60 * CLOCK_SECOND)

enum connection_state {
    CONNECTION_WAITING,    /* until the pool's retry_at */
    CONNECTION_READING,    /* the files of the login and of TLS, at most until `read_by` */
    CONNECTION_CONNECTING, /* name look-up and TCP */
    CONNECTION_SECURING,   /* the handshake of TLS: before INFO, or behind it */
    CONNECTION_GREETING,   /* INFO, CONNECT, first PONG */
    CONNECTION_READY,
};

struct connection {
    enum connection_state state;
    struct nats_client client;
    struct nats_pool pool;
    struct nats_options options;
    struct buf api_prefix; /* empty: JetStream's own */
    struct login login;    /* options.credentials point into it */
    struct secure secure;
    struct ahead ahead; /* its owner says how, before the first turn */
    int64_t read_by;
    struct net_connecting connecting;
    struct stream *stream; /* NULL: none */
    struct err broken;     /* why nothing can be written; what can be read may say more */
    int64_t stuck_since;   /* the peer has taken nothing of what waits since then; 0: it has */
    char address[NATS_ADDRESS_MAX]; /* of the server that is tried or connected */
    bool slow_retry;                /* the server said why it refuses us, and time won't help */
    bool lost;                      /* for connection_take_lost */
    struct err failure;             /* why the newest attempt or connection failed */
    enum trouble trouble;           /* the same, of few kinds */
    struct buf refusal; /* what the server said before it closed, and what to do; empty: nothing */
    struct buf reasons; /* while it is not ready: why not, of each server that was tried */
    struct buf exposed; /* files of the login that others can read, as was logged */
    bool told_expiry;   /* that the credentials run out soon: they still do */
    int64_t look_at;    /* when their file is looked at again, to see whether they do */
    struct denied denied; /* subjects, on this connection */
    int64_t down_since;   /* clock_wall; 0 while it is ready */
    uint64_t ready_count; /* how often it became ready */
};

/* Of `config` the name is borrowed, all else is copied. */
int connection_init(struct connection *c, const struct config *config, struct err *err)
    __attribute__((warn_unused_result));
void connection_free(struct connection *c);

/* Use these credentials, and this nats.tls, from the next connection on; where there is none,
 * that is tried at once. */
void connection_set_credentials(struct connection *c, const struct config_nats *nats);

/* What to wait for. */
struct net_wait connection_wait(const struct connection *c);

/* Move on: connect, read what has arrived, at most one buffer full. `ready` says whether what was
 * waited for is. Slices of earlier events end here. */
void connection_turn(struct connection *c, bool ready, int64_t now);

/* The next event; false if there is none now, or no connection. */
bool connection_next(struct connection *c, int64_t now, struct nats_event *event);

/* True once after a connection that was ready has broken: what waits for answers waits in vain. The
 * reason was logged. */
bool connection_take_lost(struct connection *c);

/* At the end of a turn: write what the client has to say, as far as the peer takes it. Returns when
 * the next turn is due if nothing gets ready before. */
int64_t connection_flush(struct connection *c, int64_t now);

/* Give the connection up, for instance for another server. `reason` is for the log. */
void connection_drop(struct connection *c, const char *reason, int64_t now);

bool connection_is_ready(const struct connection *c);

#endif
