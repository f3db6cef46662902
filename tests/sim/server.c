/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "model.h"

void *js_grow_array(void *array, size_t *cap, size_t size)
{
    *cap = *cap == 0 ? 8 : *cap * 2;
    array = realloc(array, *cap * size);
    if (array == NULL)
        abort();
    return array;
}

char *js_copy_slice(struct slice s)
{
    char *copy = malloc(s.len + 1);
    if (copy == NULL)
        abort();
    if (s.len > 0)
        memcpy(copy, s.data, s.len);
    copy[s.len] = '\0';
    return copy;
}

void js_free_names(struct js_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    names->count = 0;
}

void js_read_names(struct js_names *names, const struct json *list)
{
    if (list == NULL || list->type != JSON_ARRAY)
        return;
    for (const struct json *s = list->first; s != NULL && names->count < JS_NAMES_MAX; s = s->next)
        if (s->type == JSON_STRING)
            names->items[names->count++] = js_copy_slice(s->text);
}

bool js_subject_matches(const char *pattern, struct slice subject)
{
    size_t at = 0;
    while (*pattern != '\0') {
        if (at >= subject.len)
            return false;
        if (pattern[0] == '>' && pattern[1] == '\0')
            return true;
        if (pattern[0] == '*' && (pattern[1] == '.' || pattern[1] == '\0')) {
            while (at < subject.len && subject.data[at] != '.')
                at++;
            pattern++;
        } else {
            while (*pattern != '\0' && *pattern != '.' && at < subject.len &&
                   subject.data[at] == (uint8_t)*pattern) {
                pattern++;
                at++;
            }
            if (*pattern != '\0' && *pattern != '.')
                return false;
        }
        if (*pattern == '\0')
            return at == subject.len;
        if (at >= subject.len || subject.data[at] != '.')
            return false;
        pattern++;
        at++;
    }
    return at == subject.len;
}

/* No patterns: everything. */
bool js_names_match(const struct js_names *patterns, struct slice subject)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (js_subject_matches(patterns->items[i], subject))
            return true;
    return patterns->count == 0;
}

int64_t server_wall(const struct server *s)
{
    return s->now + s->options.wall;
}

bool server_is_since(const struct server *s, uint32_t minor, uint32_t patch)
{
    return s->options.minor != minor ? s->options.minor > minor : s->options.patch >= patch;
}

bool server_is_lost(struct server *s, enum server_loss what)
{
    return s->loses != NULL && s->loses(s->loses_context, what);
}

void js_append_time(struct buf *out, int64_t wall)
{
    char text[TIME_TEXT_MAX];
    time_format(wall, 9, text);
    size_t len = strlen(text) - 1; /* without the Z */
    while (text[len - 1] == '0')
        len--;
    if (text[len - 1] == '.')
        len--;
    buf_append(out, text, len);
    buf_append_byte(out, 'Z');
}

struct server *server_new(const struct server_options *options)
{
    struct server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        abort();
    s->options = *options;
    return s;
}

static void free_connection(struct js_connection *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->subscriptions[i].subject);
    free(c->subscriptions);
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
}

void server_free(struct server *s)
{
    while (s->connections != NULL) {
        struct js_connection *c = s->connections;
        s->connections = c->next;
        free_connection(c);
    }
    while (s->streams != NULL) {
        struct js_stream *stream = s->streams;
        s->streams = stream->next;
        js_stream_free(stream);
    }
    buf_free(&s->reply);
    buf_free(&s->header);
    buf_free(&s->scratch);
    arena_free(&s->arena);
    free(s);
}

void server_set_losses(struct server *s, server_loses *loses, void *context)
{
    s->loses = loses;
    s->loses_context = context;
}

void server_watch_acks(struct server *s, server_on_ack *on_ack, void *context)
{
    s->on_ack = on_ack;
    s->on_ack_context = context;
}

void server_watch_drops(struct server *s, server_on_drop *on_drop, void *context)
{
    s->on_drop = on_drop;
    s->on_drop_context = context;
}

static struct js_connection *find_connection(const struct server *s, uint32_t number)
{
    struct js_connection *c = s->connections;
    while (c != NULL && c->number != number)
        c = c->next;
    return c;
}

struct slice server_output(const struct server *s, uint32_t connection)
{
    const struct js_connection *c = find_connection(s, connection);
    return c == NULL ? (struct slice){0} : buf_slice(&c->out);
}

void server_sent(struct server *s, uint32_t connection, size_t len)
{
    struct js_connection *c = find_connection(s, connection);
    if (c != NULL)
        buf_consume(&c->out, len);
}

bool server_is_closed(const struct server *s, uint32_t connection)
{
    const struct js_connection *c = find_connection(s, connection);
    return c == NULL || c->closed;
}

void server_say(struct server *s, uint32_t connection, const char *text)
{
    struct js_connection *c = find_connection(s, connection);
    if (c != NULL && !c->closed)
        buf_append_text(&c->out, text);
}

void server_disconnect(struct server *s, uint32_t connection)
{
    for (struct js_connection **link = &s->connections; *link != NULL; link = &(*link)->next) {
        struct js_connection *c = *link;
        if (c->number != connection)
            continue;
        *link = c->next;
        free_connection(c);
        return;
    }
}

static void tick_stream(struct js_stream *stream)
{
    js_stream_expire(stream);
    for (struct js_consumer *c = stream->consumers; c != NULL;) {
        struct js_consumer *next = c->next;
        int64_t threshold = c->config.inactive_threshold;
        js_delivery_run(c);
        if (threshold > 0 && c->waiting_count == 0 && stream->server->now >= c->active + threshold)
            js_consumer_delete(c);
        c = next;
    }
}

void server_tick(struct server *s, int64_t now)
{
    s->now = now;
    if (s->down)
        return;
    for (struct js_stream *stream = s->streams; stream != NULL; stream = stream->next)
        tick_stream(stream);
}

int64_t server_deadline(const struct server *s)
{
    int64_t deadline = INT64_MAX;
    if (s->down)
        return deadline;
    for (const struct js_stream *stream = s->streams; stream != NULL; stream = stream->next) {
        int64_t at = js_stream_deadline(stream);
        deadline = at < deadline ? at : deadline;
        for (const struct js_consumer *c = stream->consumers; c != NULL; c = c->next) {
            at = js_delivery_deadline(c);
            deadline = at < deadline ? at : deadline;
        }
    }
    return deadline;
}

struct slice server_ask(struct server *s, const char *call, struct slice body, int64_t now)
{
    s->now = now;
    buf_reset(&s->reply);
    if (!s->down)
        (void)js_api_request(s, slice_of(call), (struct slice){0}, body);
    return buf_slice(&s->reply);
}

uint64_t server_publish(struct server *s, struct slice subject, struct slice header,
                        struct slice payload, int64_t now)
{
    struct js_stream *stream = js_stream_of_subject(s, subject);
    s->now = now;
    if (s->down || stream == NULL)
        return 0;
    return js_stream_store(stream, subject, (struct slice){0}, header, payload);
}

bool server_next_message(const struct server *s, const char *stream, uint64_t seq,
                         struct server_stored *out)
{
    const struct js_stream *found = js_stream_find(s, slice_of(stream));
    for (; found != NULL && seq <= found->last_seq; seq++) {
        const struct js_message *m = js_stream_message(found, seq);
        if (m == NULL)
            continue;
        *out = (struct server_stored){seq, m->time, js_message_subject(m), js_message_header(m),
                                      js_message_payload(m)};
        return true;
    }
    return false;
}

uint64_t server_last_seq(const struct server *s, const char *stream)
{
    const struct js_stream *found = js_stream_find(s, slice_of(stream));
    return found == NULL ? 0 : found->last_seq;
}

bool server_is_up(const struct server *s)
{
    return !s->down;
}

void server_change_leader(struct server *s, const char *stream, const char *consumer, bool forgets,
                          int64_t now)
{
    struct js_stream *found = js_stream_find(s, slice_of(stream));
    struct js_consumer *c = found == NULL ? NULL : js_consumer_find(found, slice_of(consumer));
    if (c == NULL || s->down)
        return;
    s->now = now;
    js_delivery_end_all(c, "409 Leadership Change", false);
    if (forgets)
        js_consumer_restore(c);
    js_consumer_fit_stream(c);
}

void server_end_pulls(struct server *s, const char *stream, const char *consumer,
                      const char *status, bool pending, int64_t now)
{
    struct js_stream *found = js_stream_find(s, slice_of(stream));
    s->now = now;
    for (struct js_consumer *c = found == NULL ? NULL : found->consumers; c != NULL; c = c->next)
        if (!s->down && strncmp(c->name, consumer, strlen(consumer)) == 0)
            js_delivery_end_all(c, status, pending);
}

void server_fail_api(struct server *s, const char *answer, int64_t until)
{
    s->api_answer = answer;
    s->api_fails = until;
}

static const struct js_consumer *find_consumer(const struct server *s, const char *stream,
                                               const char *consumer)
{
    const struct js_stream *found = js_stream_find(s, slice_of(stream));
    return found == NULL ? NULL : js_consumer_find(found, slice_of(consumer));
}

bool server_has_consumer(const struct server *s, const char *stream, const char *consumer)
{
    return find_consumer(s, stream, consumer) != NULL;
}

bool server_is_acked(const struct server *s, const char *stream, const char *consumer, uint64_t seq)
{
    const struct js_consumer *c = find_consumer(s, stream, consumer);
    if (c == NULL)
        return false;
    return seq <= c->now.asflr || (seq < c->now.sseq && js_consumer_find_pending(c, seq) == NULL);
}
