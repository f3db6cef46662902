/* SPDX-License-Identifier: MIT */
#include "net/http_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/text.h"
#include "net/connect.h"
#include "net/stream.h"
#include "net/tls.h"

enum {
    READ_PIECE = 64 * 1024,
    IN_KEEP = 256 * 1024, /* what one answer took is not for all time */
};

#define STOP_LOOK (100 * CLOCK_MILLISECOND) /* how often a wait looks whether it is to end */
#define CONNECT_MAX (10 * CLOCK_SECOND)     /* with the handshake of TLS */

struct http_client {
    struct http_origin origin;
    struct tls_options tls;
    char *ca_file; /* ours */
    const atomic_bool *stop;
    struct stream *stream; /* NULL: there is no connection */
    struct buf in;         /* what has come and is not taken yet */
    struct buf head;       /* of the last answer */
    int64_t idle_since;
    int64_t deadline; /* of this request */
    int64_t active;   /* when a byte was moved last */
    bool sent;        /* some of this request */
    bool ended;       /* the peer has closed its side */
};

struct http_client *http_client_new(const struct http_origin *origin, const char *section,
                                    const char *ca_file, const atomic_bool *stop)
{
    struct http_client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        out_of_memory(sizeof(*c));
    *c = (struct http_client){.origin = *origin, .ca_file = text_copy(ca_file), .stop = stop};
    c->tls = (struct tls_options){.section = section,
                                  .ca_file = c->ca_file,
                                  .cert_file = "",
                                  .key_file = "",
                                  .key_password = "",
                                  .key_password_file = ""};
    return c;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    stream_close(&c->stream);
    buf_free(&c->in);
    buf_free(&c->head);
    free(c->ca_file);
    free(c);
}

static int too_late(struct err *err)
{
    return err_set(err, ERR_NETWORK, "not done in time");
}

/* A moment's wait, or why there is nothing more to wait for. */
static int wait_for(const struct http_client *c, struct net_wait wait, int64_t until,
                    struct err *err)
{
    int64_t now = clock_monotonic();
    if (c->stop != NULL && atomic_load(c->stop))
        return err_set(err, ERR_NETWORK, "given up, since varve ends");
    if (now >= c->deadline)
        return too_late(err);
    if (now >= c->active + HTTP_SILENCE_MAX)
        return err_set(err, ERR_NETWORK, "the server is silent");
    until = clock_earliest(until, clock_earliest(c->deadline, now + STOP_LOOK));
    net_wait(&wait, 1, until);
    return 0;
}

static int secure(struct http_client *c, struct err *err)
{
    struct stream *plain = c->stream;
    c->stream = stream_tls(plain, &c->tls, c->origin.host, err);
    if (c->stream == NULL)
        return -1;
    for (;;) {
        enum net_io io = stream_handshake(c->stream, err);
        if (io == NET_IO_DONE)
            return 0;
        if (io == NET_IO_DEAD || wait_for(c, stream_wait(c->stream, false), INT64_MAX, err) != 0)
            return -1;
    }
}

static int connect_now(struct http_client *c, struct err *err)
{
    struct net_connecting connecting;
    int64_t deadline = c->deadline;
    int result = -1;
    c->active = clock_monotonic();
    c->deadline = clock_earliest(deadline, c->active + CONNECT_MAX);
    if (net_connect_start(&connecting, c->origin.host, c->origin.port, c->deadline, err) == 0) {
        while (net_connect_step(&connecting, clock_monotonic(), &c->stream, err) == NET_IO_AGAIN) {
            if (wait_for(c, net_connect_wait(&connecting), connecting.step_at, err) != 0) {
                net_connect_cancel(&connecting);
                break;
            }
        }
        result = c->stream != NULL && (!c->origin.tls || secure(c, err) == 0) ? 0 : -1;
    }
    c->deadline = deadline;
    if (result != 0)
        stream_close(&c->stream);
    return result;
}

/* Read what is there. */
static enum net_io read_some(struct http_client *c, struct err *err)
{
    size_t done = 0;
    buf_reserve(&c->in, READ_PIECE);
    enum net_io io = stream_read(c->stream, c->in.data + c->in.len, READ_PIECE, &done, err);
    if (io == NET_IO_DONE) {
        c->in.len += done;
        c->active = clock_monotonic();
    }
    c->ended = io == NET_IO_DEAD && err->system == 0;
    return io;
}

/* A server that has said something unasked, or has gone, gets no request: it may be lost. */
static bool can_reuse(struct http_client *c)
{
    struct err gone = {0};
    return c->stream != NULL && clock_monotonic() < c->idle_since + HTTP_IDLE_MAX &&
           c->in.len == 0 && read_some(c, &gone) == NET_IO_AGAIN;
}

/* More of the answer, waiting for it. */
static int read_more(struct http_client *c, struct err *err)
{
    for (;;) {
        enum net_io io = read_some(c, err);
        if (io == NET_IO_DONE)
            return clock_monotonic() < c->deadline ? 0 : too_late(err);
        if (io == NET_IO_DEAD || wait_for(c, stream_wait(c->stream, false), INT64_MAX, err) != 0)
            return -1;
    }
}

/* Whether the final answer has begun to come, in the middle of a request: nobody reads the rest. */
static bool is_answered(struct http_client *c, struct err *err)
{
    struct http_answer answer;
    size_t used;
    if (read_some(c, err) != NET_IO_DONE)
        return false;
    enum http_head head = http_answer_parse(buf_slice(&c->in), &answer, &used);
    return head == HTTP_HEAD_BAD || (head == HTTP_HEAD_WHOLE && answer.status >= 200);
}

static int send_piece(struct http_client *c, struct slice piece, bool *early, struct err *err)
{
    while (piece.len > 0 && !*early) {
        size_t done = 0;
        enum net_io io = stream_write(c->stream, piece.data, piece.len, &done, err);
        if (io == NET_IO_DEAD)
            return -1;
        if (io == NET_IO_DONE) {
            c->sent = true;
            c->active = clock_monotonic();
            piece = (struct slice){piece.data + done, piece.len - done};
        }
        if (piece.len == 0)
            break;
        *early = is_answered(c, err);
        if (err_is_set(err))
            return -1;
        if (io == NET_IO_AGAIN && wait_for(c, stream_wait(c->stream, true), INT64_MAX, err) != 0)
            return -1;
        if (clock_monotonic() >= c->deadline)
            return too_late(err);
    }
    return 0;
}

/* The head of the final answer; those before it (1xx) say nothing. */
static int read_head(struct http_client *c, struct http_answer *answer, struct err *err)
{
    for (;;) {
        size_t used;
        switch (http_answer_parse(buf_slice(&c->in), answer, &used)) {
        case HTTP_HEAD_BAD:
            return err_set(err, ERR_PROTOCOL, "the answer is not HTTP/1.1");
        case HTTP_HEAD_PART:
            if (read_more(c, err) != 0)
                return -1;
            continue;
        case HTTP_HEAD_WHOLE:
            break;
        }
        /* The fields are to stay where they are when more is read. */
        size_t fields = (size_t)(answer->fields.data - c->in.data);
        buf_reset(&c->head);
        buf_append(&c->head, c->in.data, used);
        buf_consume(&c->in, used);
        answer->fields.data = c->head.data + fields;
        if (answer->status >= 200)
            return 0;
    }
}

/* Append to the body what still fits; false: no more. */
static bool take(struct buf *body, struct slice data, uint64_t *room)
{
    bool fits = data.len <= *room;
    size_t len = fits ? data.len : (size_t)*room;
    buf_append(body, data.data, len);
    *room -= len;
    return fits;
}

static int read_chunks(struct http_client *c, struct http_answer *answer, struct buf *body,
                       uint64_t room, struct err *err)
{
    struct http_chunks chunks = {0};
    size_t at = 0;
    while (chunks.at != HTTP_CHUNK_OVER) {
        size_t taken;
        struct slice data;
        struct slice in = {c->in.data + at, c->in.len - at};
        if (!http_chunks_take(&chunks, in, &taken, &data))
            return err_set(err, ERR_PROTOCOL, "the answer is not in chunks, as it says");
        at += taken;
        if (!take(body, data, &room)) {
            answer->keep = false;
            return 0;
        }
        if (taken > 0)
            continue;
        buf_consume(&c->in, at);
        at = 0;
        if (read_more(c, err) != 0)
            return -1;
    }
    buf_consume(&c->in, at);
    return 0;
}

/* A body with a length, or up to the end of the connection. */
static int read_plain(struct http_client *c, struct http_answer *answer, struct buf *body,
                      uint64_t room, struct err *err)
{
    uint64_t left = answer->has_length ? answer->length : UINT64_MAX;
    if (!answer->has_length)
        answer->keep = false;
    while (left > 0) {
        struct err end = {0};
        struct slice data = {c->in.data, (size_t)num_least_u64(c->in.len, left)};
        bool fits = take(body, data, &room);
        left -= data.len;
        buf_consume(&c->in, data.len);
        if (!fits)
            answer->keep = false;
        if (!fits || left == 0)
            return 0;
        if (read_more(c, &end) != 0) {
            if (!answer->has_length && c->ended)
                return 0;
            return err_set(err, end.code, "%s", end.text);
        }
    }
    return 0;
}

static int converse(struct http_client *c, const struct http_question *q,
                    struct http_answer *answer, struct buf *body, struct err *err)
{
    struct err unsent = {0};
    bool early = false;
    int sent = send_piece(c, q->head, &early, &unsent);
    if (sent == 0 && !early)
        sent = send_piece(c, q->body, &early, &unsent);
    /* Whoever refuses a request closes the connection before all of it has come. */
    if (sent != 0 && !c->sent)
        return err_set(err, unsent.code, "%s", unsent.text);
    if (read_head(c, answer, sent != 0 ? &(struct err){0} : err) != 0)
        return sent != 0 ? err_set(err, unsent.code, "%s", unsent.text) : -1;
    if (sent != 0 || early)
        answer->keep = false;
    if (q->head_only || answer->status == 204 || answer->status == 304)
        return 0;
    return answer->chunked ? read_chunks(c, answer, body, q->body_max, err)
                           : read_plain(c, answer, body, q->body_max, err);
}

enum http_end http_client_ask(struct http_client *c, const struct http_question *q,
                              struct http_answer *answer, struct buf *body, struct err *err)
{
    *answer = (struct http_answer){0};
    c->sent = false;
    c->deadline = q->deadline;
    if (!can_reuse(c))
        stream_close(&c->stream);
    buf_reset(&c->in);
    if (c->stream == NULL && connect_now(c, err) != 0)
        return HTTP_UNSENT;
    c->active = clock_monotonic();
    bool done = converse(c, q, answer, body, err) == 0;
    if (!done || !answer->keep || c->in.len > 0)
        stream_close(&c->stream);
    buf_reset(&c->in);
    buf_trim(&c->in, IN_KEEP);
    c->idle_since = clock_monotonic();
    if (done)
        return HTTP_ANSWERED;
    return c->sent ? HTTP_LOST : HTTP_UNSENT;
}

int http_get(const struct http_place *place, const char *path, int64_t patience, struct buf *body,
             struct err *err)
{
    struct http_origin origin = {.tls = place->tls != NULL, .port = place->port};
    struct http_answer answer;
    struct buf head = {0};
    size_t start = body->len;
    if (strlen(place->host) >= sizeof(origin.host))
        return err_set(err, ERR_USAGE, "\"%.80s...\" is not the name of a host", place->host);
    memcpy(origin.host, place->host, strlen(place->host) + 1);
    struct http_client *client = http_client_new(&origin, "", "", NULL);
    if (place->tls != NULL)
        client->tls = *place->tls;
    buf_printf(&head, "GET %s HTTP/1.1\r\nhost: ", path);
    http_origin_append(&head, &origin);
    buf_append_text(&head, "\r\nconnection: close\r\n");
    if (place->token != NULL)
        buf_printf(&head, "authorization: Bearer %s\r\n", place->token);
    buf_append_text(&head, "\r\n");
    const struct http_question question = {.head = buf_slice(&head),
                                           .body_max = HTTP_BODY_MAX + 1,
                                           .deadline = clock_monotonic() + patience};
    int result = http_client_ask(client, &question, &answer, body, err) == HTTP_ANSWERED ? 0 : -1;
    if (result == 0 && answer.status != 200)
        result = err_set(err, ERR_NETWORK, "it answers with status %d", answer.status);
    else if (result == 0 && body->len - start > HTTP_BODY_MAX)
        result = err_set(err, ERR_NETWORK, "the answer is larger than %d bytes", HTTP_BODY_MAX);
    http_client_free(client);
    secret_free(&head);
    return result;
}

void http_origin_append(struct buf *out, const struct http_origin *origin)
{
    bool bare = strchr(origin->host, ':') != NULL;
    buf_printf(out, bare ? "[%s]" : "%s", origin->host);
    if (origin->port != (origin->tls ? 443 : 80))
        buf_printf(out, ":%u", origin->port);
}

static bool host_is_valid(struct slice host, bool bracketed)
{
    if (host.len == 0 || host.len > NET_HOST_MAX)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && (c == '\0' || strchr(bracketed ? ":.%-_" : ".-_", c) == NULL))
            return false;
    }
    return true;
}

int http_origin_parse(const char *url, struct http_origin *out, const char **path, struct err *err)
{
    struct http_origin fresh = {.tls = slice_starts_with(slice_of(url), "https://")};
    uint64_t port = fresh.tls ? 443 : 80;
    if (!fresh.tls && !slice_starts_with(slice_of(url), "http://"))
        return err_set(err, ERR_USAGE, "\"%s\" does not begin with http:// or https://", url);
    const char *host = url + strlen(fresh.tls ? "https://" : "http://");
    const char *end = host + strcspn(host, "/");
    bool bracketed = host[0] == '[';
    const char *stop = bracketed ? memchr(host, ']', (size_t)(end - host)) : NULL;
    const char *colon =
        bracketed ? (stop != NULL ? stop + 1 : end) : memchr(host, ':', (size_t)(end - host));
    struct slice name = {(const uint8_t *)host + (bracketed ? 1 : 0), 0};
    bool has_port = colon != NULL && colon < end;
    const char *name_end = bracketed ? stop : has_port ? colon : end;
    name.len = name_end != NULL ? (size_t)(name_end - (const char *)name.data) : 0;
    struct slice number = {(const uint8_t *)(has_port ? colon + 1 : end), 0};
    number.len = (size_t)(end - (const char *)number.data);
    bool good = host_is_valid(name, bracketed) && strpbrk(end, "?#@ ") == NULL;
    if (has_port)
        good =
            good && *colon == ':' && num_parse_u64(number, &port) && port > 0 && port <= UINT16_MAX;
    if (!good)
        return err_set(err, ERR_USAGE, "\"%s\" is not http(s)://host:port", url);
    memcpy(fresh.host, name.data, name.len);
    fresh.port = (uint16_t)port;
    *out = fresh;
    *path = end;
    return 0;
}
