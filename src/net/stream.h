/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_STREAM_H
#define VARVE_NET_STREAM_H

#include "net/network.h"

/*
 * Bytes to and from a peer, whatever is between: a plain connection, or one inside of another. An
 * owner opens it, finishes the handshake, and then reads and writes:
 *
 *     struct net_wait wait = stream_wait(s, out.len > 0);
 *     net_wait(&wait, 1, deadline);
 *     if (wait.ready != 0)
 *         stream_handshake(s, &err), or stream_read(...) and stream_write(...)
 *
 * Any of the three may say NET_IO_AGAIN for a reason of its own: an encrypted stream may have to
 * read before it can write, and the other way round. stream_wait knows which, so the owner calls
 * whatever it has to do as soon as anything is ready, and never asks which bit it was.
 */
struct stream {
    const struct stream_kind *kind; /* the rest is its own */
};

/* What a kind of stream has to do. Each function below with the same name says what it is for. */
struct stream_kind {
    const char *name; /* "plain": for logs */
    enum net_io (*handshake)(struct stream *s, struct err *err);
    enum net_io (*read)(struct stream *s, void *data, size_t len, size_t *done, struct err *err);
    enum net_io (*write)(struct stream *s, const void *data, size_t len, size_t *done,
                         struct err *err);
    void (*finish)(struct stream *s);
    struct net_wait (*wait)(const struct stream *s, bool writing);
    void (*close)(struct stream *s);
};

/* A plain stream over a connection that is made. Takes the handle over. */
struct stream *stream_plain(int handle);

/* Go on with what must be agreed before the first byte, of a plain stream nothing. DONE from then
 * on. Until it is done the other functions may not be called, but for wait and close. */
enum net_io stream_handshake(struct stream *s, struct err *err) __attribute__((warn_unused_result));

/* Read at most `len` > 0 bytes. At the end of the peer's bytes DEAD, with system 0; where a kind
 * can tell a proper end from one that somebody else made, the text says so. */
enum net_io stream_read(struct stream *s, void *data, size_t len, size_t *done, struct err *err)
    __attribute__((warn_unused_result));

/* Write some of `len` > 0 bytes. After AGAIN the same bytes must be offered first, though they may
 * have moved and have grown more behind them: a kind that has sealed them already remembers how
 * many. DEAD does not mean that nothing is left to be read: the peer may have said why. */
enum net_io stream_write(struct stream *s, const void *data, size_t len, size_t *done,
                         struct err *err) __attribute__((warn_unused_result));

/* Nothing more will be written: the peer reads its end behind what it has not read yet. All that
 * was written has to be out (no NET_IO_AGAIN is open). Reading goes on. */
void stream_finish(struct stream *s);

/* What to wait for, to read and, with `writing`, to write. Where input waits inside of the stream,
 * which no poll can see, it is ready already. */
struct net_wait stream_wait(const struct stream *s, bool writing);

/* Close and free it; what was written is still delivered. NULL is fine; *s becomes NULL. */
void stream_close(struct stream **s);

#endif
