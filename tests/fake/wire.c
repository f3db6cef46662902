/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <poll.h>

#include "../unit/test.h"
#include "net/connect.h"
#include "net/socket.h"
#include "server.h"

enum { MOMENT_MS = 10 };

int64_t wire_now(const struct wire *w)
{
    return clock_monotonic() + w->time_shift;
}

void wire_open(struct wire *w, uint16_t port, const struct nats_options *options)
{
    struct net_connect connect;
    enum net_connect_result result;
    int64_t deadline = clock_monotonic() + FAKE_WAIT_MS * CLOCK_MILLISECOND;
    err_clear(&w->err);
    w->fd = -1;
    EXPECT(net_connect_start(&connect, "127.0.0.1", port, deadline, &w->err) == 0);
    while ((result = net_connect_step(&connect, clock_monotonic(), &w->fd, &w->err)) ==
           NET_CONNECT_PENDING) {
        struct pollfd p = net_connect_poll(&connect);
        poll(&p, 1, 100);
    }
    EXPECT(result == NET_CONNECT_DONE);
    nats_client_start(&w->client, options, wire_now(w));
}

void wire_close(struct wire *w)
{
    net_close(&w->fd);
    nats_client_free(&w->client);
}

void wire_flush(struct wire *w)
{
    while (w->client.out.len > 0) {
        size_t done = 0;
        enum net_io io = net_write(w->fd, w->client.out.data, w->client.out.len, &done, &w->err);
        if (io == NET_IO_DEAD)
            return; /* what was received counts; the next read finds out */
        if (io == NET_IO_DONE)
            buf_consume(&w->client.out, done);
        if (io == NET_IO_AGAIN) {
            struct pollfd p = {.fd = w->fd, .events = POLLOUT};
            EXPECT(poll(&p, 1, FAKE_WAIT_MS) == 1);
        }
    }
}

/* Wait for bytes, the client's deadline or `longest`; false if the connection is over. */
static bool receive(struct wire *w, int longest)
{
    int64_t wait = (nats_client_deadline(&w->client) - wire_now(w)) / CLOCK_MILLISECOND + 1;
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    int ready = poll(&p, 1, wait < 0 ? 0 : wait < longest ? (int)wait : longest);
    EXPECT(ready == 1 || longest < FAKE_WAIT_MS || wait <= longest); /* or a test waits for ever */
    if (ready != 1)
        return true;
    struct nats_space space = nats_client_space(&w->client);
    if (w->read_max > 0 && space.len > w->read_max)
        space.len = w->read_max;
    size_t done = 0;
    switch (net_read(w->fd, space.data, space.len, &done, &w->err)) {
    case NET_IO_DONE:
        nats_client_received(&w->client, done, wire_now(w));
        return true;
    case NET_IO_AGAIN:
        return true;
    case NET_IO_DEAD:
        return false;
    }
    return false;
}

/* The event that is due now, if there is one. What it makes the client say is written. */
static int due(struct wire *w)
{
    int got = nats_client_next(&w->client, wire_now(w), &w->event, &w->err);
    wire_flush(w);
    return got;
}

static int step(struct wire *w, int longest)
{
    int got = due(w);
    if (got != 0)
        return got;
    return receive(w, longest) ? due(w) : -1;
}

int wire_poll(struct wire *w)
{
    return step(w, MOMENT_MS);
}

int wire_next(struct wire *w)
{
    int got;
    do
        got = step(w, FAKE_WAIT_MS);
    while (got == 0);
    return got;
}

void wire_expect(struct wire *w, enum nats_event_kind kind)
{
    int got = wire_next(w);
    if (got < 0)
        EXPECT_TEXT(w->err.text, "an event");
    EXPECT_I64(w->event.kind, kind);
}
