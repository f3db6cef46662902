/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model.h"

/* The messages of a stream: nats-server/server/stream.go and filestore.go. */

struct js_stream *js_stream_find(const struct server *s, struct slice name)
{
    for (struct js_stream *stream = s->streams; stream != NULL; stream = stream->next)
        if (slice_is(name, stream->config.name))
            return stream;
    return NULL;
}

struct js_stream *js_stream_of_subject(const struct server *s, struct slice subject)
{
    for (struct js_stream *stream = s->streams; stream != NULL; stream = stream->next)
        if (js_names_match(&stream->config.subjects, subject))
            return stream;
    return NULL;
}

void js_stream_free(struct js_stream *stream)
{
    while (stream->consumers != NULL) {
        struct js_consumer *c = stream->consumers;
        stream->consumers = c->next;
        js_consumer_free(c);
    }
    for (uint64_t seq = 1; seq <= stream->last_seq; seq++) {
        free(stream->messages[seq - 1]);
        free(stream->removed[seq - 1]);
    }
    for (size_t i = 0; i < stream->ids_count; i++)
        free(stream->ids[i].id);
    free(stream->messages);
    free(stream->removed);
    free(stream->ids);
    js_free_names(&stream->config.subjects);
    free(stream->config.name);
    free(stream);
}

struct js_message *js_stream_message(const struct js_stream *stream, uint64_t seq)
{
    return seq >= 1 && seq <= stream->last_seq ? stream->messages[seq - 1] : NULL;
}

struct slice js_message_subject(const struct js_message *m)
{
    return (struct slice){m->bytes, m->subject_len};
}

struct slice js_message_header(const struct js_message *m)
{
    return (struct slice){m->bytes + m->subject_len, m->header_len};
}

struct slice js_message_payload(const struct js_message *m)
{
    return (struct slice){m->bytes + m->subject_len + m->header_len, m->payload_len};
}

static uint64_t count_messages(const struct js_stream *stream, uint64_t *bytes)
{
    uint64_t count = 0;
    *bytes = 0;
    for (uint64_t seq = stream->first_seq; seq >= 1 && seq <= stream->last_seq; seq++) {
        const struct js_message *m = stream->messages[seq - 1];
        if (m == NULL)
            continue;
        count++;
        *bytes += m->subject_len + m->header_len + m->payload_len;
    }
    return count;
}

/* The first sequence moves over what is gone, as far as there is something behind it. */
static void advance_first(struct js_stream *stream)
{
    while (stream->first_seq >= 1 && stream->first_seq <= stream->last_seq &&
           stream->messages[stream->first_seq - 1] == NULL)
        stream->first_seq++;
}

/* A message goes. Where the disk has it, a power cut can bring it back. */
static void drop(struct js_stream *stream, uint64_t seq)
{
    if (seq <= stream->synced_seq)
        stream->removed[seq - 1] = stream->messages[seq - 1];
    else
        free(stream->messages[seq - 1]);
    stream->messages[seq - 1] = NULL;
}

void js_stream_sync(struct js_stream *stream)
{
    for (uint64_t seq = 1; seq <= stream->last_seq; seq++) {
        free(stream->removed[seq - 1]);
        stream->removed[seq - 1] = NULL;
    }
    stream->synced_seq = stream->last_seq;
}

void js_stream_remove(struct js_stream *stream, uint64_t seq)
{
    if (js_stream_message(stream, seq) == NULL)
        return;
    for (struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        js_consumer_message_gone(c, seq);
    drop(stream, seq);
    advance_first(stream);
}

static void make_room(struct js_stream *stream, uint64_t last_seq)
{
    while (last_seq >= stream->messages_cap) {
        stream->messages =
            js_grow_array(stream->messages, &stream->messages_cap, sizeof(*stream->messages));
        stream->removed =
            js_grow_array(stream->removed, &stream->removed_cap, sizeof(*stream->removed));
        for (size_t i = stream->last_seq; i < stream->removed_cap; i++)
            stream->removed[i] = NULL;
    }
}

void js_stream_extend(struct js_stream *stream, uint64_t last_seq)
{
    make_room(stream, last_seq);
    while (stream->last_seq < last_seq)
        stream->messages[stream->last_seq++] = NULL;
    if (stream->first_seq == 0)
        stream->first_seq = 1;
}

static void enforce_limits(struct js_stream *stream)
{
    uint64_t bytes;
    uint64_t count = count_messages(stream, &bytes);
    while ((stream->config.max_msgs > 0 && count > (uint64_t)stream->config.max_msgs) ||
           (stream->config.max_bytes > 0 && bytes > (uint64_t)stream->config.max_bytes)) {
        js_stream_remove(stream, stream->first_seq);
        count = count_messages(stream, &bytes);
    }
}

void js_stream_expire(struct js_stream *stream)
{
    if (stream->config.max_age <= 0)
        return;
    int64_t oldest = server_wall(stream->server) - stream->config.max_age;
    for (;;) {
        const struct js_message *m = js_stream_message(stream, stream->first_seq);
        if (m == NULL || m->time > oldest)
            return;
        js_stream_remove(stream, stream->first_seq);
    }
}

int64_t js_stream_deadline(const struct js_stream *stream)
{
    const struct js_message *m = js_stream_message(stream, stream->first_seq);
    if (stream->config.max_age <= 0 || m == NULL)
        return INT64_MAX;
    return m->time + stream->config.max_age - stream->server->options.wall;
}

/* The value of a header, or an empty slice. */
static struct slice header_value(struct slice header, const char *name)
{
    size_t len = strlen(name);
    for (size_t at = 0; at + len + 1 < header.len; at++) {
        if (memcmp(header.data + at, name, len) != 0 || header.data[at + len] != ':')
            continue;
        size_t begin = at + len + 1;
        while (begin < header.len && header.data[begin] == ' ')
            begin++;
        size_t end = begin;
        while (end < header.len && header.data[end] != '\r')
            end++;
        return (struct slice){header.data + begin, end - begin};
    }
    return (struct slice){0};
}

static const struct js_message_id *find_id(struct js_stream *stream, struct slice id)
{
    int64_t oldest = server_wall(stream->server) - stream->config.duplicate_window;
    for (size_t i = 0; i < stream->ids_count; i++)
        if (stream->ids[i].time > oldest && slice_is(id, stream->ids[i].id))
            return &stream->ids[i];
    return NULL;
}

static void remember_id(struct js_stream *stream, struct slice id)
{
    JS_GROW(stream->ids, stream->ids_count, stream->ids_cap);
    stream->ids[stream->ids_count++] =
        (struct js_message_id){js_copy_slice(id), stream->last_seq, stream->last_time};
}

static void answer(struct js_stream *stream, struct slice reply, uint64_t seq, bool duplicate)
{
    struct server *s = stream->server;
    if (reply.len == 0)
        return;
    buf_reset(&s->reply);
    buf_append_text(&s->reply, "{\"stream\":");
    json_append_string(&s->reply, slice_of(stream->config.name));
    buf_printf(&s->reply, ", \"seq\":%llu%s}", (unsigned long long)seq,
               duplicate ? ",\"duplicate\": true" : "");
    if (!server_is_lost(s, SERVER_LOSES_REPLY))
        js_wire_send(s, reply, reply, (struct slice){0}, (struct slice){0}, buf_slice(&s->reply));
}

static uint64_t refuse(struct js_stream *stream, struct slice reply, int code, int err_code,
                       const char *text)
{
    struct server *s = stream->server;
    if (reply.len == 0)
        return 0;
    buf_reset(&s->reply);
    buf_printf(&s->reply,
               "{\"error\":{\"code\":%d,\"err_code\":%d,\"description\":\"%s\"},\"stream\":", code,
               err_code, text);
    json_append_string(&s->reply, slice_of(stream->config.name));
    buf_append_text(&s->reply, ",\"seq\":0}");
    js_wire_send(s, reply, reply, (struct slice){0}, (struct slice){0}, buf_slice(&s->reply));
    return 0;
}

/* With interest retention a message that nobody waits for is not kept. */
static bool is_wanted(const struct js_stream *stream, struct slice subject)
{
    if (stream->config.retention != JS_RETENTION_INTEREST)
        return true;
    for (const struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        if (js_names_match(&c->config.filters, subject))
            return true;
    return false;
}

static void append(struct js_stream *stream, struct slice subject, struct slice header,
                   struct slice payload)
{
    size_t len = subject.len + header.len + payload.len;
    make_room(stream, stream->last_seq);
    struct js_message *m = NULL;
    /* Stamps of one stream never go back (filestore.go, storeRawMsg). */
    int64_t time = server_wall(stream->server);
    stream->last_time = time > stream->last_time ? time : stream->last_time;
    if (is_wanted(stream, subject)) {
        m = malloc(sizeof(*m) + len);
        if (m == NULL)
            abort();
        m->time = stream->last_time;
        m->acked = false;
        m->subject_len = subject.len;
        m->header_len = header.len;
        m->payload_len = payload.len;
        memcpy(m->bytes, subject.data, subject.len);
        if (header.len > 0)
            memcpy(m->bytes + subject.len, header.data, header.len);
        if (payload.len > 0)
            memcpy(m->bytes + subject.len + header.len, payload.data, payload.len);
    }
    stream->messages[stream->last_seq++] = m;
    if (stream->first_seq == 0)
        stream->first_seq = 1;
    advance_first(stream);
}

uint64_t js_stream_store(struct js_stream *stream, struct slice subject, struct slice reply,
                         struct slice header, struct slice payload)
{
    uint64_t bytes;
    struct slice id = header_value(header, "Nats-Msg-Id");
    struct slice expected = header_value(header, "Nats-Expected-Stream");
    const struct js_message_id *known = id.len > 0 ? find_id(stream, id) : NULL;
    if (expected.len > 0 && !slice_is(expected, stream->config.name))
        return refuse(stream, reply, 400, 10060, "expected stream does not match");
    if (known != NULL) {
        answer(stream, reply, known->seq, true);
        return known->seq;
    }
    if (stream->config.max_msg_size > 0 &&
        header.len + payload.len > (uint64_t)stream->config.max_msg_size)
        return refuse(stream, reply, 400, 10054, "message size exceeds maximum allowed");
    if (stream->config.discard_new && stream->config.max_msgs > 0 &&
        count_messages(stream, &bytes) >= (uint64_t)stream->config.max_msgs)
        return refuse(stream, reply, 503, 10077, "maximum messages exceeded");
    append(stream, subject, header, payload);
    uint64_t seq = stream->last_seq;
    if (id.len > 0)
        remember_id(stream, id);
    answer(stream, reply, seq, false);
    enforce_limits(stream);
    for (struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        js_delivery_run(c);
    return seq;
}

void js_stream_purge(struct js_stream *stream, uint64_t keep, uint64_t before, const char *filter,
                     uint64_t *purged)
{
    uint64_t bytes;
    uint64_t count = count_messages(stream, &bytes);
    *purged = 0;
    for (uint64_t seq = stream->first_seq; seq >= 1 && seq <= stream->last_seq; seq++) {
        struct js_message *m = stream->messages[seq - 1];
        if (m == NULL || (before > 0 && seq >= before) || (keep > 0 && count <= keep) ||
            (filter != NULL && !js_subject_matches(filter, js_message_subject(m))))
            continue;
        drop(stream, seq);
        count--;
        (*purged)++;
    }
    advance_first(stream);
    for (struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        js_consumer_purged(c);
}

void js_stream_check_interest(struct js_stream *stream, uint64_t seq)
{
    const struct js_message *m = js_stream_message(stream, seq);
    if (m == NULL)
        return;
    for (const struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        if (js_consumer_needs(c, seq, m))
            return;
    js_stream_remove(stream, seq);
}

void js_stream_roll_back(struct js_stream *stream)
{
    while (stream->last_seq > stream->synced_seq) {
        free(stream->messages[stream->last_seq - 1]);
        stream->messages[--stream->last_seq] = NULL;
    }
    for (uint64_t seq = 1; seq <= stream->last_seq; seq++) {
        if (stream->removed[seq - 1] != NULL)
            stream->messages[seq - 1] = stream->removed[seq - 1];
        stream->removed[seq - 1] = NULL;
    }
    stream->first_seq = stream->first_seq > 0 ? 1 : 0;
    advance_first(stream);
    size_t kept = 0;
    for (size_t i = 0; i < stream->ids_count; i++) {
        if (stream->ids[i].seq > stream->last_seq)
            free(stream->ids[i].id);
        else
            stream->ids[kept++] = stream->ids[i];
    }
    stream->ids_count = kept;
    stream->last_time = stream->last_seq > 0 && stream->messages[stream->last_seq - 1] != NULL
                            ? stream->messages[stream->last_seq - 1]->time
                            : 0;
}
