/* SPDX-License-Identifier: MIT */
#include "net/http_get.h"

#include <string.h>

#include "base/clock.h"
#include "net/connect.h"

static int too_late(struct err *err)
{
    return err_set(err, ERR_NETWORK, "no answer in time");
}

static struct stream *connect_to(const char *host, uint16_t port, int64_t deadline, struct err *err)
{
    struct net_connecting connecting;
    struct stream *stream = NULL;
    if (net_connect_start(&connecting, host, port, deadline, err) != 0)
        return NULL;
    while (net_connect_step(&connecting, clock_monotonic(), &stream, err) == NET_IO_AGAIN) {
        struct net_wait wait = net_connect_wait(&connecting);
        net_wait(&wait, 1, connecting.step_at);
    }
    return stream;
}

/* Put TLS around *stream, which is taken over. */
static int secure(struct stream **stream, const struct http_place *place, int64_t deadline,
                  struct err *err)
{
    *stream = stream_tls(*stream, place->tls, place->host, err);
    if (*stream == NULL)
        return -1;
    enum net_io io;
    while ((io = stream_handshake(*stream, err)) == NET_IO_AGAIN) {
        if (clock_monotonic() >= deadline)
            return too_late(err);
        struct net_wait wait = stream_wait(*stream, false);
        net_wait(&wait, 1, deadline);
    }
    return io == NET_IO_DONE ? 0 : -1;
}

static int send_all(struct stream *s, struct slice text, int64_t deadline, struct err *err)
{
    while (text.len > 0) {
        size_t done = 0;
        enum net_io io = stream_write(s, text.data, text.len, &done, err);
        if (io == NET_IO_DEAD)
            return -1;
        if (io == NET_IO_AGAIN) {
            if (clock_monotonic() >= deadline)
                return too_late(err);
            struct net_wait wait = stream_wait(s, true);
            net_wait(&wait, 1, deadline);
            continue;
        }
        text = (struct slice){text.data + done, text.len - done};
    }
    return 0;
}

/* Up to the end of the peer's bytes. */
static int read_all(struct stream *s, struct buf *out, int64_t deadline, struct err *err)
{
    enum { PIECE = 16 * 1024 };
    for (;;) {
        struct err end = {0};
        size_t done = 0;
        buf_reserve(out, PIECE);
        enum net_io io = stream_read(s, out->data + out->len, PIECE, &done, &end);
        if (io == NET_IO_DEAD && end.system == 0 && out->len > 0)
            return 0;
        if (io == NET_IO_DEAD)
            return err_set(err, end.code, "%s", end.text);
        out->len += done;
        if (out->len > HTTP_BODY_MAX)
            return err_set(err, ERR_NETWORK, "the answer is larger than %d bytes", HTTP_BODY_MAX);
        if (clock_monotonic() >= deadline)
            return too_late(err);
        if (io == NET_IO_AGAIN) {
            struct net_wait wait = stream_wait(s, false);
            net_wait(&wait, 1, deadline);
        }
    }
}

/* Of "HTTP/1.1 200 OK", fields, an empty line, and the body (RFC 9112). */
static int take_body(struct slice answer, struct buf *body, struct err *err)
{
    static const char blank[] = "\r\n\r\n";
    const size_t code = sizeof("HTTP/1.1 ") - 1;
    const uint8_t *end = memmem(answer.data, answer.len, blank, sizeof(blank) - 1);
    if (end == NULL || answer.len < code + 3 || memcmp(answer.data, "HTTP/1.", 7) != 0)
        return err_set(err, ERR_NETWORK, "the answer is not HTTP");
    if (memcmp(answer.data + code, "200", 3) != 0)
        return err_set(err, ERR_NETWORK, "it answers with status %.3s",
                       (const char *)answer.data + code);
    end += sizeof(blank) - 1;
    buf_append(body, end, answer.len - (size_t)(end - answer.data));
    return 0;
}

int http_get(const struct http_place *place, const char *path, int64_t patience, struct buf *body,
             struct err *err)
{
    int64_t deadline = clock_monotonic() + patience;
    struct stream *stream = connect_to(place->host, place->port, deadline, err);
    if (stream == NULL)
        return -1;
    struct buf text = {0};
    buf_printf(&text, "GET %s HTTP/1.0\r\nHost: %s\r\n", path, place->host);
    if (place->token != NULL)
        buf_printf(&text, "Authorization: Bearer %s\r\n", place->token);
    buf_append_text(&text, "\r\n");
    int result = place->tls != NULL ? secure(&stream, place, deadline, err) : 0;
    if (result == 0)
        result = send_all(stream, buf_slice(&text), deadline, err);
    buf_reset(&text);
    if (result == 0)
        result = read_all(stream, &text, deadline, err);
    if (result == 0)
        result = take_body(buf_slice(&text), body, err);
    stream_close(&stream);
    buf_free(&text);
    return result;
}
