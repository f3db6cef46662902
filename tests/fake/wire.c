/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include "../unit/test.h"
#include "net/connect.h"
#include "server.h"

enum { MOMENT_MS = 10 };

int64_t wire_now(const struct wire *w)
{
    return w->stands_at != 0 ? w->stands_at : clock_monotonic() + w->time_shift;
}

void wire_open(struct wire *w, uint16_t port, const struct nats_options *options)
{
    struct net_connecting connecting;
    enum net_io io;
    int64_t deadline = clock_monotonic() + FAKE_WAIT_MS * CLOCK_MILLISECOND;
    err_clear(&w->err);
    w->stream = NULL;
    EXPECT(net_connect_start(&connecting, "127.0.0.1", port, deadline, &w->err) == 0);
    while ((io = net_connect_step(&connecting, clock_monotonic(), &w->stream, &w->err)) ==
           NET_IO_AGAIN) {
        struct net_wait wait = net_connect_wait(&connecting);
        net_wait(&wait, 1, connecting.step_at);
    }
    EXPECT(io == NET_IO_DONE);
    nats_client_start(&w->client, options, wire_now(w));
}

void wire_close(struct wire *w)
{
    stream_close(&w->stream);
    nats_client_free(&w->client);
}

void wire_flush(struct wire *w)
{
    while (w->client.out.len > 0) {
        size_t done = 0;
        enum net_io io =
            stream_write(w->stream, w->client.out.data, w->client.out.len, &done, &w->err);
        if (io == NET_IO_DEAD)
            return; /* what was received counts; the next read finds out */
        if (io == NET_IO_DONE)
            buf_consume(&w->client.out, done);
        if (io == NET_IO_AGAIN) {
            struct net_wait wait = stream_wait(w->stream, true);
            wait.want = NET_WRITABLE;
            net_wait(&wait, 1, clock_monotonic() + FAKE_WAIT_MS * CLOCK_MILLISECOND);
            EXPECT(wait.ready != 0);
        }
    }
}

/* Wait for bytes, the client's deadline or `longest`; false if the connection is over. */
static bool receive(struct wire *w, int longest)
{
    int64_t wait = (nats_client_deadline(&w->client) - wire_now(w)) / CLOCK_MILLISECOND + 1;
    struct net_wait reading = stream_wait(w->stream, false);
    int64_t until = clock_monotonic() + (wait < longest ? wait : longest) * CLOCK_MILLISECOND;
    net_wait(&reading, 1, until);
    /* Or a test waits for ever. */
    EXPECT(reading.ready != 0 || longest < FAKE_WAIT_MS || wait <= longest);
    if (reading.ready == 0)
        return true;
    struct nats_space space = nats_client_space(&w->client);
    if (w->read_max > 0 && space.len > w->read_max)
        space.len = w->read_max;
    size_t done = 0;
    switch (stream_read(w->stream, space.data, space.len, &done, &w->err)) {
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
