/* SPDX-License-Identifier: MIT */
#include "net/http.h"

#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "base/time.h"
#include "net/resolve.h"

/* "host:port" or "[ipv6]:port". */
static int split_address(const char *address, char host[static NET_HOST_MAX + 1], uint16_t *port,
                         struct err *err)
{
    const char *colon = strrchr(address, ':');
    uint64_t number;
    if (colon == NULL || !num_parse_u64(slice_of(colon + 1), &number) || number > UINT16_MAX)
        return err_set(err, ERR_USAGE, "%s is not host:port", address);
    struct slice name = {(const uint8_t *)address, (size_t)(colon - address)};
    if (name.len >= 2 && name.data[0] == '[' && name.data[name.len - 1] == ']')
        name = (struct slice){name.data + 1, name.len - 2};
    if (name.len > NET_HOST_MAX)
        return err_set(err, ERR_USAGE, "a host name of %zu characters", name.len);
    memcpy(host, name.data, name.len);
    host[name.len] = '\0';
    *port = (uint16_t)number;
    return 0;
}

static int resolve(const char *host, uint16_t port, struct net_addresses *addresses,
                   struct err *err)
{
    struct net_resolve r;
    int known = net_resolve_start(&r, host, port, addresses, err);
    if (known != 0)
        return known < 0 ? -1 : 0;
    enum net_io io;
    while ((io = net_resolve_step(&r, addresses, err)) == NET_IO_AGAIN) {
        struct net_wait wait = {.handle = r.fd, .want = NET_READABLE};
        net_wait(&wait, 1, INT64_MAX); /* the resolver has its own time limits */
    }
    return io == NET_IO_DONE ? 0 : -1;
}

int http_listen(struct http_server *s, const char *address, http_handler *handler, void *context,
                struct err *err)
{
    *s = (struct http_server){.listener = -1, .handler = handler, .context = context};
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        s->connections[i].handle = -1;
    if (address[0] == '\0')
        return 0;
    char host[NET_HOST_MAX + 1];
    uint16_t port = 0;
    struct net_addresses addresses;
    struct err failure = {0};
    if (split_address(address, host, &port, err) != 0)
        return -1;
    if (resolve(host, port, &addresses, err) != 0) {
        err->code = ERR_USAGE;
        return err_prefix(err, "%s", address);
    }
    for (size_t i = 0; i < addresses.count && s->listener < 0; i++) {
        err_clear(&failure);
        s->listener = net_listen(&addresses.list[i], s->address, &failure);
    }
    if (s->listener >= 0)
        return 0;
    err_set(err, ERR_USAGE, "%s: %s; name another address, or off", address,
            failure.system != 0 ? strerror(failure.system) : failure.text);
    err->system = failure.system;
    return -1;
}

static void end(struct http_connection *c)
{
    stream_close(&c->stream);
    c->handle = -1;
    buf_free(&c->out);
    c->state = HTTP_FREE;
}

void http_close(struct http_server *s)
{
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        if (s->connections[i].state != HTTP_FREE)
            end(&s->connections[i]);
    net_close(&s->listener);
}

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "";
    }
}

/* "Thu, 26 Nov 2026 22:51:23 GMT" (RFC 9110, section 5.6.7). */
static void append_date(struct buf *out, int64_t wall)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct time_utc t = time_utc_of(wall);
    int64_t day = (time_days_of(t.date) % 7 + 7 + 4) % 7; /* 1970 began on a Thursday */
    buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[day], t.date.day,
               months[t.date.month - 1], (int)t.date.year, t.hour, t.minute, t.second);
}

static void append_head(struct buf *out, const struct http_response *response)
{
    buf_printf(out, "HTTP/1.1 %d %s\r\nDate: ", response->status, reason_of(response->status));
    append_date(out, clock_wall());
    buf_printf(out,
               "\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
               "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s\r\n",
               response->type, response->body.len, response->fields);
}

static void write_some(struct http_connection *c, int64_t now)
{
    struct err ignored = {0};
    size_t done;
    while (c->written < c->out.len) {
        switch (stream_write(c->stream, c->out.data + c->written, c->out.len - c->written, &done,
                             &ignored)) {
        case NET_IO_DONE:
            c->written += done;
            break;
        case NET_IO_AGAIN:
            return;
        case NET_IO_DEAD:
            end(c);
            return;
        }
    }
    /* Closing with unread bytes would reset the connection, and the peer might lose the answer. */
    stream_finish(c->stream);
    c->state = HTTP_CLOSING;
    c->deadline = now + HTTP_LINGER;
}

static void respond(struct http_connection *c, const struct http_response *response, int64_t now)
{
    append_head(&c->out, response);
    if (!c->request.head_only)
        buf_append_slice(&c->out, response->body);
    c->state = HTTP_WRITING;
    c->deadline = now + HTTP_TIME_MAX;
    write_some(c, now);
}

static void refuse(struct http_connection *c, int status, int64_t now)
{
    struct buf body = {0};
    buf_printf(&body, "%d %s\n", status, reason_of(status));
    c->request.head_only = false;
    respond(c,
            &(struct http_response){.status = status,
                                    .type = "text/plain",
                                    .fields = status == 405   ? "Allow: GET, HEAD\r\n"
                                              : status == 401 ? "WWW-Authenticate: Bearer\r\n"
                                                              : "",
                                    .body = buf_slice(&body)},
            now);
    buf_free(&body);
}

/* Whoever guesses learns nothing from the time that this takes but the length. */
static bool may_ask(const struct http_server *s, struct slice token)
{
    if (s->token == NULL)
        return true;
    size_t len = strlen(s->token);
    if (token.len != len)
        return false;
    uint8_t differs = 0;
    for (size_t i = 0; i < len; i++)
        differs |= (uint8_t)(token.data[i] ^ (uint8_t)s->token[i]);
    return differs == 0;
}

static void take_bytes(struct http_server *s, struct http_connection *c, size_t len, int64_t now)
{
    struct http_response response;
    c->head_len += len;
    switch (http_request_parse((struct slice){c->head, c->head_len}, &c->request)) {
    case HTTP_MORE:
        break;
    case HTTP_WHOLE:
        if (!may_ask(s, c->request.token)) {
            refuse(c, 401, now);
            break;
        }
        response = s->handler(s->context, c->request.path, now);
        respond(c, &response, now);
        break;
    case HTTP_BAD:
        refuse(c, c->request.refusal, now);
        break;
    }
}

/* Read once: a request, or what comes behind it and is of no interest. */
static void read_some(struct http_server *s, struct http_connection *c, int64_t now)
{
    struct err ignored = {0};
    bool reading = c->state == HTTP_READING;
    uint8_t *to = reading ? c->head + c->head_len : c->head;
    size_t room = reading ? sizeof(c->head) - c->head_len : sizeof(c->head);
    size_t got;
    switch (stream_read(c->stream, to, room, &got, &ignored)) {
    case NET_IO_DONE:
        if (reading)
            take_bytes(s, c, got, now);
        break;
    case NET_IO_AGAIN:
        break;
    case NET_IO_DEAD:
        end(c);
        break;
    }
}

/* One step, which may be costly, and then none for four times as long. */
static void secure_some(struct http_server *s, struct http_connection *c)
{
    struct err ignored = {0};
    if (s->secure_after != 0)
        return;
    int64_t began = clock_monotonic();
    switch (stream_handshake(c->stream, &ignored)) {
    case NET_IO_DONE:
        c->state = HTTP_READING;
        break;
    case NET_IO_AGAIN:
        break;
    case NET_IO_DEAD:
        end(c);
        break;
    }
    int64_t took = clock_monotonic() - began;
    if (took > HTTP_HANDSHAKE_CHEAP)
        s->secure_after = began + HTTP_HANDSHAKE_SHARE * took;
}

/* A free connection; if there is none, that of whoever has been silent longest. */
static struct http_connection *make_room(struct http_server *s)
{
    struct http_connection *oldest = NULL;
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        struct http_connection *c = &s->connections[i];
        if (c->state == HTTP_FREE)
            return c;
        if (c->state != HTTP_WRITING && (oldest == NULL || c->deadline < oldest->deadline))
            oldest = c;
    }
    if (oldest != NULL)
        end(oldest);
    return oldest;
}

static void turn_away(const struct http_server *s, int handle)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                 "Connection: close\r\nRetry-After: 1\r\n\r\n";
    struct err ignored = {0};
    size_t done;
    if (s->tls == NULL) {
        enum net_io io = net_write(handle, answer, sizeof(answer) - 1, &done, &ignored);
        (void)io; /* it has no claim to an answer */
    }
    net_close(&handle);
}

static void accept_some(struct http_server *s, int64_t now)
{
    for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        struct err ignored = {0};
        int handle;
        enum net_io io = net_accept(s->listener, &handle, &ignored);
        /* Whoever waits stays in the queue, and would be reported again and again. */
        if (io == NET_IO_DEAD)
            s->accept_after = now + HTTP_ACCEPT_PAUSE;
        if (io != NET_IO_DONE)
            return;
        struct http_connection *c = make_room(s);
        if (c == NULL) {
            turn_away(s, handle);
            continue;
        }
        c->state = s->tls != NULL ? HTTP_SECURING : HTTP_READING;
        c->handle = handle;
        c->stream = stream_plain(handle);
        if (s->tls != NULL)
            c->stream = stream_tls_accept(c->stream, s->tls);
        c->deadline = now + HTTP_TIME_MAX;
        c->head_len = 0;
        c->written = 0;
    }
}

static struct net_wait wait_of(const struct http_server *s, const struct http_connection *c)
{
    static const struct net_wait nothing = {.handle = -1};
    if (c->state == HTTP_FREE || (c->state == HTTP_SECURING && s->secure_after != 0))
        return nothing;
    if (c->state == HTTP_WRITING) /* what it says meanwhile is of no interest */
        return (struct net_wait){.handle = c->handle, .want = NET_WRITABLE};
    return stream_wait(c->stream, false);
}

size_t http_waits(const struct http_server *s, struct net_wait list[static HTTP_WAITS_MAX])
{
    if (s->listener < 0)
        return 0;
    size_t count = 1;
    /* While handshakes wait, whoever comes waits in the system's queue. */
    bool takes = s->accept_after == 0 && s->secure_after == 0;
    list[0] = (struct net_wait){.handle = takes ? s->listener : -1, .want = NET_READABLE};
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        const struct http_connection *c = &s->connections[i];
        list[1 + i] = wait_of(s, c);
        if (c->state != HTTP_FREE)
            count = i + 2;
    }
    return count;
}

static void serve(struct http_server *s, struct http_connection *c, bool ready, int64_t now)
{
    if (ready && c->state == HTTP_SECURING)
        secure_some(s, c);
    else if (ready && c->state == HTTP_WRITING)
        write_some(c, now);
    else if (ready)
        read_some(s, c, now);
    if (now < c->deadline || c->state == HTTP_FREE)
        return;
    if (c->state == HTTP_READING)
        refuse(c, 408, now);
    else
        end(c);
}

int64_t http_turn(struct http_server *s, const struct net_wait *list, size_t count, int64_t now)
{
    if (s->listener < 0)
        return INT64_MAX;
    if (now >= s->secure_after)
        s->secure_after = 0;
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        struct http_connection *c = &s->connections[i];
        bool waited = i + 1 < count && list[i + 1].handle == c->handle;
        if (c->state != HTTP_FREE)
            serve(s, c, waited && list[i + 1].ready != 0, now);
    }
    if (s->accept_after != 0 && now >= s->accept_after)
        s->accept_after = 0;
    else if (count > 0 && list[0].ready != 0 && s->secure_after == 0)
        accept_some(s, now);
    int64_t next = s->accept_after != 0 ? s->accept_after : INT64_MAX;
    if (s->secure_after != 0 && s->secure_after < next)
        next = s->secure_after;
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        const struct http_connection *c = &s->connections[i];
        if (c->state != HTTP_FREE && c->deadline < next)
            next = c->deadline;
    }
    return next;
}
