/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "model.h"

/* The client protocol and the way of a message: nats-server/server/parser.go and client.go. */

enum {
    WIRE_LINE_MAX = 4096, /* max_control_line */
    WIRE_TOKENS_MAX = 6,
};

static void cut(struct js_connection *c)
{
    c->closed = true;
    for (size_t i = 0; i < c->count; i++)
        free(c->subscriptions[i].subject);
    c->count = 0;
}

static void say_error(struct js_connection *c, const char *text, bool close)
{
    buf_printf(&c->out, "-ERR '%s'\r\n", text);
    if (close)
        cut(c);
}

void server_error(struct server *s, uint32_t connection, const char *text, bool close)
{
    for (struct js_connection *c = s->connections; c != NULL; c = c->next)
        if (c->number == connection && !c->closed)
            say_error(c, text, close);
}

static void send_to(struct server *s, struct js_connection *c, const struct js_subscription *sub,
                    struct slice subject, struct slice reply, struct slice header,
                    struct slice payload)
{
    buf_append_text(&c->out, header.len > 0 ? "HMSG " : "MSG ");
    buf_append_slice(&c->out, subject);
    buf_printf(&c->out, " %llu ", (unsigned long long)sub->sid);
    if (reply.len > 0) {
        buf_append_slice(&c->out, reply);
        buf_append_byte(&c->out, ' ');
    }
    if (header.len > 0)
        buf_printf(&c->out, "%zu ", header.len);
    buf_printf(&c->out, "%zu\r\n", header.len + payload.len);
    buf_append_slice(&c->out, header);
    buf_append_slice(&c->out, payload);
    buf_append_text(&c->out, "\r\n");
    if (c->out.len > s->options.max_pending) { /* a slow consumer: not a word */
        buf_reset(&c->out);
        cut(c);
    }
}

bool js_wire_send(struct server *s, struct slice to, struct slice subject, struct slice reply,
                  struct slice header, struct slice payload)
{
    bool found = false;
    for (struct js_connection *c = s->connections; c != NULL; c = c->next) {
        for (size_t i = 0; i < c->count; i++) {
            struct js_subscription *sub = &c->subscriptions[i];
            if (!js_subject_matches(sub->subject, to))
                continue;
            found = true;
            send_to(s, c, sub, subject, reply, header, payload);
            if (i >= c->count || ++sub->received < sub->last || sub->last == 0)
                continue;
            free(sub->subject);
            memmove(sub, sub + 1, (--c->count - i) * sizeof(*sub));
            i--;
        }
    }
    return found;
}

bool js_wire_has_interest(const struct server *s, const char *subject)
{
    for (const struct js_connection *c = s->connections; c != NULL; c = c->next)
        for (size_t i = 0; i < c->count; i++)
            if (js_subject_matches(c->subscriptions[i].subject, slice_of(subject)))
                return true;
    return false;
}

void js_wire_status(struct server *s, struct slice to, const char *text)
{
    struct buf block = {0};
    if (server_is_lost(s, SERVER_LOSES_STATUS))
        return;
    buf_printf(&block, "NATS/1.0 %s\r\n\r\n", text);
    js_wire_send(s, to, to, (struct slice){0}, buf_slice(&block), (struct slice){0});
    buf_free(&block);
}

void js_wire_no_responders(struct server *s, struct slice to, struct slice subject)
{
    struct buf text = {0};
    buf_append_text(&text, "503");
    if (server_is_since(s, 12, 0)) {
        buf_append_text(&text, "\r\nNats-Subject: ");
        buf_append_slice(&text, subject);
    }
    js_wire_status(s, to, buf_text(&text));
    buf_free(&text);
}

static void say_info(struct server *s, struct js_connection *c, bool lame_duck)
{
    buf_printf(&c->out,
               "INFO {\"server_id\":\"MODEL\",\"server_name\":\"%s\",\"version\":\"2.%u.%u\","
               "\"proto\":1,\"headers\":true,\"max_payload\":%llu,\"jetstream\":true,"
               "\"client_id\":%u%s}\r\n",
               s->options.name, s->options.minor, s->options.patch,
               (unsigned long long)s->options.max_payload, c->number,
               lame_duck ? ",\"ldm\":true" : "");
}

void server_lame_duck(struct server *s)
{
    for (struct js_connection *c = s->connections; c != NULL; c = c->next)
        if (!c->closed)
            say_info(s, c, true);
}

uint32_t server_connect(struct server *s, int64_t now)
{
    struct js_connection *c = calloc(1, sizeof(*c));
    struct js_connection **last = &s->connections;
    if (c == NULL)
        abort();
    if (s->down) {
        free(c);
        return 0;
    }
    s->now = now;
    c->number = ++s->last_number;
    c->verbose = true;
    while (*last != NULL)
        last = &(*last)->next;
    *last = c;
    say_info(s, c, false);
    return c->number;
}

/* What a client published: to the API, to a consumer, to a stream, to others. */
static void route(struct server *s, struct js_connection *c, struct slice subject,
                  struct slice reply, struct slice header, struct slice payload)
{
    static const char api[] = "$JS.API.";
    bool taken = false;
    if (slice_starts_with(subject, api)) {
        struct slice call = {subject.data + strlen(api), subject.len - strlen(api)};
        if (server_is_lost(s, SERVER_LOSES_REQUEST))
            return;
        taken = js_api_request(s, call, reply, payload);
    } else if (slice_starts_with(subject, "$JS.ACK.")) {
        js_consumer_on_ack(s, subject, reply, payload);
        return;
    } else {
        struct js_stream *stream = js_stream_of_subject(s, subject);
        taken = js_wire_send(s, subject, subject, reply, header, payload);
        if (stream != NULL && server_is_lost(s, SERVER_LOSES_REQUEST))
            return;
        if (stream != NULL)
            js_stream_store(stream, subject, reply, header, payload);
        taken = taken || stream != NULL;
    }
    if (!taken && reply.len > 0 && c->no_responders)
        js_wire_no_responders(s, reply, subject);
}

static void on_connect(struct server *s, struct js_connection *c, struct slice json)
{
    struct err err = {0};
    arena_reset(&s->arena);
    const struct json *options = json_parse(&s->arena, json, &err);
    if (options == NULL) {
        say_error(c, "Authorization Violation", true);
        return;
    }
    json_get_bool(options, "verbose", &c->verbose);
    json_get_bool(options, "headers", &c->headers);
    json_get_bool(options, "no_responders", &c->no_responders);
    c->connected = true;
    if (c->no_responders && !c->headers)
        say_error(c, "no responders requires headers support", true);
}

static void subscribe(struct js_connection *c, struct slice subject, uint64_t sid)
{
    JS_GROW(c->subscriptions, c->count, c->cap);
    c->subscriptions[c->count++] =
        (struct js_subscription){.sid = sid, .subject = js_copy_slice(subject)};
}

static void unsubscribe(struct js_connection *c, uint64_t sid, uint64_t after)
{
    for (size_t i = 0; i < c->count; i++) {
        struct js_subscription *sub = &c->subscriptions[i];
        if (sub->sid != sid)
            continue;
        sub->last = after;
        if (after > sub->received)
            return;
        free(sub->subject);
        memmove(sub, sub + 1, (--c->count - i) * sizeof(*sub));
        return;
    }
}

static size_t split(struct slice line, struct slice tokens[static WIRE_TOKENS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < line.len && count < WIRE_TOKENS_MAX;) {
        while (i < line.len && (line.data[i] == ' ' || line.data[i] == '\t'))
            i++;
        size_t begin = i;
        while (i < line.len && line.data[i] != ' ' && line.data[i] != '\t')
            i++;
        if (i > begin)
            tokens[count++] = (struct slice){line.data + begin, i - begin};
    }
    return count;
}

static bool verb_is(struct slice token, const char *verb)
{
    return token.len == strlen(verb) && strncasecmp((const char *)token.data, verb, token.len) == 0;
}

/* PUB and HPUB: how many bytes of input it took with its payload; 0 if not all are there. */
static size_t publish(struct server *s, struct js_connection *c, struct slice input, size_t line,
                      const struct slice *tokens, size_t count)
{
    bool with_header = verb_is(tokens[0], "HPUB");
    size_t sizes = with_header ? 2 : 1;
    uint64_t total = 0;
    uint64_t header_len = 0;
    if (count < 2 + sizes || count > 3 + sizes || !num_parse_u64(tokens[count - 1], &total) ||
        (with_header && !num_parse_u64(tokens[count - 2], &header_len)) || header_len > total) {
        say_error(c, "Unknown Protocol Operation", true);
        return input.len;
    }
    if (total > s->options.max_payload) {
        say_error(c, "Maximum Payload Violation", true);
        return input.len;
    }
    size_t used = line + (size_t)total + 2;
    if (input.len < used)
        return 0;
    struct slice reply = count == 3 + sizes ? tokens[2] : (struct slice){0};
    struct slice header = {input.data + line, (size_t)header_len};
    struct slice payload = {input.data + line + header_len, (size_t)(total - header_len)};
    route(s, c, tokens[1], reply, header, payload);
    if (c->verbose)
        buf_append_text(&c->out, "+OK\r\n");
    return used;
}

static size_t one_command(struct server *s, struct js_connection *c, struct slice input)
{
    struct slice tokens[WIRE_TOKENS_MAX];
    uint64_t number = 0;
    uint64_t after = 0;
    const uint8_t *end = memchr(input.data, '\n', input.len);
    if (end == NULL) {
        if (input.len > WIRE_LINE_MAX)
            say_error(c, "maximum control line exceeded", true);
        return 0;
    }
    size_t line = (size_t)(end - input.data) + 1;
    struct slice text = {input.data, line - 1};
    if (text.len > 0 && text.data[text.len - 1] == '\r')
        text.len--;
    size_t count = split(text, tokens);
    if (count == 0)
        return line;
    if (verb_is(tokens[0], "PUB") || verb_is(tokens[0], "HPUB"))
        return publish(s, c, input, line, tokens, count);
    if (verb_is(tokens[0], "PING")) {
        buf_append_text(&c->out, "PONG\r\n");
        return line;
    }
    if (verb_is(tokens[0], "PONG"))
        return line;
    if (verb_is(tokens[0], "CONNECT") && text.len > 8)
        on_connect(s, c, (struct slice){text.data + 8, text.len - 8});
    else if (verb_is(tokens[0], "SUB") && count == 3 && num_parse_u64(tokens[2], &number))
        subscribe(c, tokens[1], number);
    else if (verb_is(tokens[0], "UNSUB") && count >= 2 && num_parse_u64(tokens[1], &number) &&
             (count == 2 || num_parse_u64(tokens[2], &after)))
        unsubscribe(c, number, after);
    else
        say_error(c, "Unknown Protocol Operation", true);
    if (c->verbose && !c->closed)
        buf_append_text(&c->out, "+OK\r\n");
    return line;
}

void server_input(struct server *s, uint32_t connection, struct slice bytes, int64_t now)
{
    struct js_connection *c = s->connections;
    while (c != NULL && c->number != connection)
        c = c->next;
    if (c == NULL || c->closed)
        return;
    s->now = now;
    buf_append_slice(&c->in, bytes);
    size_t at = 0;
    while (!c->closed && at < c->in.len) {
        struct slice input = {c->in.data + at, c->in.len - at};
        size_t used = one_command(s, c, input);
        if (used == 0)
            break;
        at += used;
    }
    buf_consume(&c->in, at < c->in.len ? at : c->in.len);
}
