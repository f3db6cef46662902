/* SPDX-License-Identifier: MIT */
#include "net/stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "test.h"

/*
 * A stream inside of another, with all that makes an encrypted one difficult: a handshake in both
 * directions, records that are read whole before any byte of them is given out, bytes that are
 * sealed before the layer below takes them, and a read that must write first. What an owner does
 * with it here is what src/drain/connection.c and tools/gen do.
 */
enum { RECORD_MAX = 13, RECORDS_UNTIL_UPDATE = 5, UPDATE = 0xFF };

struct sealed {
    struct stream stream;
    struct stream *below;
    bool said_hello, heard_hello;
    uint8_t in[1 + RECORD_MAX]; /* a record that comes: its length, then its bytes inverted */
    size_t in_len;
    size_t given; /* of a record that is whole */
    bool whole;
    uint8_t out[1 + RECORD_MAX]; /* one that goes */
    size_t out_len, out_at;
    size_t taken;                 /* bytes of the owner that are in `out` */
    uint8_t promised[RECORD_MAX]; /* these: the owner has to offer them again */
    unsigned records;             /* read since the last update */
    bool owes_update;
};

static struct sealed *of(const struct stream *s)
{
    return (struct sealed *)s;
}

static enum net_io write_byte(struct sealed *s, uint8_t byte, struct err *err)
{
    size_t done;
    return stream_write(s->below, &byte, 1, &done, err);
}

static enum net_io sealed_handshake(struct stream *stream, struct err *err)
{
    struct sealed *s = of(stream);
    uint8_t byte;
    size_t done;
    enum net_io io = NET_IO_DONE;
    if (!s->said_hello)
        io = write_byte(s, 'H', err);
    s->said_hello = s->said_hello || io == NET_IO_DONE;
    if (io == NET_IO_DONE && !s->heard_hello)
        io = stream_read(s->below, &byte, 1, &done, err);
    if (io == NET_IO_DONE)
        EXPECT(s->heard_hello || byte == 'H');
    s->heard_hello = s->heard_hello || io == NET_IO_DONE;
    return io;
}

static enum net_io flush(struct sealed *s, struct err *err)
{
    while (s->out_at < s->out_len) {
        size_t done;
        enum net_io io =
            stream_write(s->below, s->out + s->out_at, s->out_len - s->out_at, &done, err);
        if (io != NET_IO_DONE)
            return io;
        s->out_at += done;
    }
    return NET_IO_DONE;
}

static enum net_io sealed_write(struct stream *stream, const void *data, size_t len, size_t *done,
                                struct err *err)
{
    struct sealed *s = of(stream);
    if (s->taken == 0) {
        s->taken = len < RECORD_MAX ? len : RECORD_MAX;
        memcpy(s->promised, data, s->taken);
        s->out[0] = (uint8_t)s->taken;
        for (size_t i = 0; i < s->taken; i++)
            s->out[1 + i] = (uint8_t)~s->promised[i];
        s->out_len = 1 + s->taken;
        s->out_at = 0;
    }
    EXPECT(len >= s->taken && memcmp(data, s->promised, s->taken) == 0);
    enum net_io io = flush(s, err);
    if (io == NET_IO_DONE) {
        *done = s->taken;
        s->taken = 0;
    }
    return io;
}

/* Have a record with bytes that were not given out yet. */
static enum net_io fetch(struct sealed *s, struct err *err)
{
    while (!s->whole) {
        size_t wanted = s->in_len == 0 ? 1 : 1 + (size_t)s->in[0], done;
        if (s->owes_update && s->taken == 0) {
            enum net_io io = write_byte(s, UPDATE, err);
            if (io != NET_IO_DONE)
                return io;
            s->owes_update = false;
        }
        enum net_io io = stream_read(s->below, s->in + s->in_len, wanted - s->in_len, &done, err);
        if (io != NET_IO_DONE)
            return io;
        if (s->in_len == 0 && s->in[0] == UPDATE)
            continue;
        s->in_len += done;
        EXPECT(s->in[0] > 0 && s->in[0] <= RECORD_MAX);
        s->whole = s->in_len == 1 + (size_t)s->in[0];
    }
    return NET_IO_DONE;
}

static enum net_io sealed_read(struct stream *stream, void *data, size_t len, size_t *done,
                               struct err *err)
{
    struct sealed *s = of(stream);
    enum net_io io = fetch(s, err);
    if (io != NET_IO_DONE)
        return io;
    size_t left = s->in[0] - s->given;
    *done = len < left ? len : left;
    for (size_t i = 0; i < *done; i++)
        ((uint8_t *)data)[i] = (uint8_t)~s->in[1 + s->given + i];
    s->given += *done;
    if (s->given == s->in[0]) {
        s->whole = false;
        s->in_len = 0;
        s->given = 0;
        s->owes_update = s->owes_update || ++s->records % RECORDS_UNTIL_UPDATE == 0;
    }
    return NET_IO_DONE;
}

static struct net_wait sealed_wait(const struct stream *stream, bool writing)
{
    const struct sealed *s = of(stream);
    bool handshake = s->said_hello && s->heard_hello;
    struct net_wait wait =
        stream_wait(s->below, writing || s->owes_update || (!handshake && !s->said_hello));
    if (s->whole)
        wait.ready |= NET_READABLE; /* which the system knows nothing of */
    return wait;
}

static void sealed_close(struct stream *stream)
{
    stream_close(&of(stream)->below);
    free(stream);
}

static struct stream *seal(int handle)
{
    static const struct stream_kind kind = {"sealed", sealed_handshake, sealed_read, sealed_write,
                                            NULL,     sealed_wait,      sealed_close};
    struct sealed *s = calloc(1, sizeof(*s));
    EXPECT(s != NULL);
    s->stream.kind = &kind;
    s->below = stream_plain(handle);
    return &s->stream;
}

/* One end of a conversation: what is still to be said, and what was heard. */
struct end {
    struct stream *stream;
    bool secure;
    struct buf out, heard;
    size_t said, total;
    uint8_t first;
};

static uint8_t byte_of(const struct end *e, size_t at)
{
    return (uint8_t)(e->first + at * 7 + at / 251);
}

/* Write what waits, which has grown and has moved since the last time. */
static void write_some(struct end *e)
{
    struct err err = {0};
    enum net_io io = NET_IO_DONE;
    for (size_t i = 0; i < 29 && e->said < e->total; i++)
        buf_append_byte(&e->out, byte_of(e, e->said++));
    struct buf moved = {0};
    buf_append_slice(&moved, buf_slice(&e->out));
    buf_free(&e->out);
    e->out = moved;
    while (io == NET_IO_DONE && e->out.len > 0) {
        size_t done;
        io = stream_write(e->stream, e->out.data, e->out.len, &done, &err);
        if (io == NET_IO_DONE)
            buf_consume(&e->out, done);
    }
    EXPECT(io != NET_IO_DEAD);
}

static void turn(struct end *e)
{
    struct err err = {0};
    if (!e->secure) {
        enum net_io io = stream_handshake(e->stream, &err);
        EXPECT(io != NET_IO_DEAD);
        e->secure = io == NET_IO_DONE;
        if (!e->secure)
            return;
    }
    uint8_t data[5]; /* less than a record */
    size_t got;
    enum net_io io = stream_read(e->stream, data, sizeof(data), &got, &err);
    EXPECT(io != NET_IO_DEAD);
    if (io == NET_IO_DONE)
        buf_append(&e->heard, data, got);
    write_some(e);
}

static void converse(struct stream *a, struct stream *b, size_t total)
{
    struct end ends[2] = {{.stream = a, .total = total, .first = 1},
                          {.stream = b, .total = total, .first = 99}};
    while (ends[0].heard.len < total || ends[1].heard.len < total) {
        struct net_wait waits[2];
        for (int i = 0; i < 2; i++)
            waits[i] =
                stream_wait(ends[i].stream, ends[i].out.len > 0 || ends[i].said < ends[i].total);
        int64_t deadline = clock_monotonic() + 60 * CLOCK_SECOND;
        net_wait(waits, 2, deadline);
        EXPECT(clock_monotonic() < deadline); /* or it stands still */
        for (int i = 0; i < 2; i++)
            if (waits[i].ready != 0)
                turn(&ends[i]);
    }
    for (int i = 0; i < 2; i++) {
        EXPECT_U64(ends[i].heard.len, total);
        for (size_t at = 0; at < total; at++)
            EXPECT(ends[i].heard.data[at] == byte_of(&ends[1 - i], at));
        stream_close(&ends[i].stream);
        EXPECT(ends[i].stream == NULL);
        stream_close(&ends[i].stream); /* harmless */
        buf_free(&ends[i].out);
        buf_free(&ends[i].heard);
    }
}

static void open_pair(int handles[2])
{
    int small = 1; /* as small as the system allows, so that writes are cut and refused */
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, handles) == 0);
    for (int i = 0; i < 2; i++) {
        EXPECT(setsockopt(handles[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
        EXPECT(setsockopt(handles[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) == 0);
    }
}

TEST(stream_plain_carries_bytes_both_ways)
{
    int handles[2];
    open_pair(handles);
    converse(stream_plain(handles[0]), stream_plain(handles[1]), 20000);
}

TEST(stream_inside_of_another_carries_bytes_both_ways)
{
    int handles[2];
    open_pair(handles);
    converse(seal(handles[0]), seal(handles[1]), 12000);
}

/* What the peer said before it closed is read, though writing fails. */
TEST(stream_is_read_to_its_end_after_a_write_failed)
{
    int handles[2];
    size_t done;
    char data[16];
    struct err err = {0};
    open_pair(handles);
    struct stream *a = stream_plain(handles[0]);
    struct stream *b = stream_plain(handles[1]);
    EXPECT(stream_handshake(a, &err) == NET_IO_DONE);
    EXPECT(stream_write(b, "why", 3, &done, &err) == NET_IO_DONE && done == 3);
    stream_close(&b);
    EXPECT(stream_write(a, "x", 1, &done, &err) == NET_IO_DEAD);
    EXPECT(err.code == ERR_NETWORK);
    EXPECT((stream_wait(a, false).want & NET_READABLE) != 0);
    EXPECT(stream_read(a, data, sizeof(data), &done, &err) == NET_IO_DONE && done == 3);
    EXPECT(stream_read(a, data, sizeof(data), &done, &err) == NET_IO_DEAD);
    stream_close(&a);
}
