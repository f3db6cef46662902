/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_FAKE_WIRE_H
#define VARVE_TESTS_FAKE_WIRE_H

#include "nats/client.h"
#include "net/stream.h"

/*
 * The client engine on a socket: the smallest loop that an owner of it can have. No wait is longer
 * than FAKE_WAIT_MS (server.h).
 */
struct wire {
    struct stream *stream;
    struct nats_client client;
    struct nats_event event;
    struct err err;
    size_t read_max;    /* bytes a read at most; 0: what there is space for */
    int64_t time_shift; /* added to the clock, to let time pass */
    int64_t stands_at;  /* unless 0 the time, which stands still */
};

int64_t wire_now(const struct wire *w);

/* Connect to the loopback and start the client. `options` is borrowed. */
void wire_open(struct wire *w, uint16_t port, const struct nats_options *options);
void wire_close(struct wire *w);

/* The next event: 1, in w->event. -1: the connection is over, see w->err. */
int wire_next(struct wire *w);

/* Like wire_next, but waits a moment at most: 0 if that brought no event. */
int wire_poll(struct wire *w);

/* The next event, which must be of this kind. */
void wire_expect(struct wire *w, enum nats_event_kind kind);

/* Write all that the client has to say. */
void wire_flush(struct wire *w);

#endif
