/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "model.h"

/* STREAM.*: nats-server/server/jetstream_api.go and stream.go. */

enum {
    RECORD_OVERHEAD = 30, /* of a message in the file store (filestore.go, fileStoreMsgSize) */
    HEADER_OVERHEAD = 4,
};
#define DUPLICATE_WINDOW (120 * CLOCK_SECOND)

static const char *const retentions[] = {"limits", "interest", "workqueue"};

static const char *retention_name(enum js_retention retention)
{
    return retentions[retention];
}

static void add_list(struct buf *out, const char *key, const struct js_names *names)
{
    buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        json_append_string(out, slice_of(names->items[i]));
    }
    buf_append_byte(out, ']');
}

static void add_config(struct buf *out, const struct js_stream_config *config)
{
    buf_append_text(out, "\"config\":{\"name\":");
    json_append_string(out, slice_of(config->name));
    add_list(out, "subjects", &config->subjects);
    buf_printf(out,
               ",\"retention\":\"%s\",\"max_msgs\":%lld,\"max_bytes\":%lld,\"max_age\":%lld,"
               "\"max_msg_size\":%lld,\"discard\":\"%s\",\"storage\":\"%s\",\"num_replicas\":%lld,"
               "\"duplicate_window\":%lld,\"allow_direct\":%s}",
               retention_name(config->retention), (long long)config->max_msgs,
               (long long)config->max_bytes, (long long)config->max_age,
               (long long)config->max_msg_size, config->discard_new ? "new" : "old",
               config->memory ? "memory" : "file", (long long)config->replicas,
               (long long)config->duplicate_window, config->allow_direct ? "true" : "false");
}

static void add_time(struct buf *out, const char *key, int64_t wall)
{
    buf_printf(out, ",\"%s\":\"", key);
    if (wall == 0)
        buf_append_text(out, "0001-01-01T00:00:00Z");
    else
        js_append_time(out, wall);
    buf_append_byte(out, '"');
}

struct totals {
    uint64_t messages, bytes, deleted, consumers;
    int64_t first_time;
};

static struct totals count(const struct js_stream *stream)
{
    struct totals t = {0};
    for (uint64_t seq = stream->first_seq; seq >= 1 && seq <= stream->last_seq; seq++) {
        const struct js_message *m = stream->messages[seq - 1];
        if (m == NULL) {
            t.deleted++;
            continue;
        }
        if (t.messages++ == 0)
            t.first_time = m->time;
        t.bytes += m->subject_len + m->header_len + m->payload_len + RECORD_OVERHEAD +
                   (m->header_len > 0 ? HEADER_OVERHEAD : 0);
    }
    for (const struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        t.consumers++;
    return t;
}

static void add_state(struct buf *out, const struct js_stream *stream, bool details)
{
    struct totals t = count(stream);
    buf_printf(out, ",\"state\":{\"messages\":%llu,\"bytes\":%llu,\"first_seq\":%llu",
               (unsigned long long)t.messages, (unsigned long long)t.bytes,
               (unsigned long long)stream->first_seq);
    add_time(out, "first_ts", t.first_time);
    buf_printf(out, ",\"last_seq\":%llu", (unsigned long long)stream->last_seq);
    add_time(out, "last_ts", stream->last_time);
    if (t.deleted > 0)
        buf_printf(out, ",\"num_deleted\":%llu", (unsigned long long)t.deleted);
    if (t.deleted > 0 && details) {
        const char *before = ",\"deleted\":[";
        for (uint64_t seq = stream->first_seq; seq <= stream->last_seq; seq++) {
            if (stream->messages[seq - 1] != NULL)
                continue;
            buf_printf(out, "%s%llu", before, (unsigned long long)seq);
            before = ",";
        }
        buf_append_byte(out, ']');
    }
    buf_printf(out, ",\"consumer_count\":%llu}", (unsigned long long)t.consumers);
}

static void add_info(struct server *s, const struct js_stream *stream, bool details)
{
    struct buf *out = &s->reply;
    buf_append_byte(out, ',');
    add_config(out, &stream->config);
    add_time(out, "created", stream->created);
    add_state(out, stream, details);
}

static int64_t limit(const struct json *config, const char *name)
{
    int64_t value = -1;
    json_get_i64(config, name, &value);
    return value == 0 ? -1 : value;
}

static void read_config(struct js_stream_config *config, const struct json *json)
{
    struct slice text;
    *config = (struct js_stream_config){.duplicate_window = DUPLICATE_WINDOW, .replicas = 1};
    if (json_get_text(json, "name", &text))
        config->name = js_copy_slice(text);
    js_read_names(&config->subjects, json_member(json, "subjects"));
    for (int i = 0; json_get_text(json, "retention", &text) && i < 3; i++)
        if (slice_is(text, retentions[i]))
            config->retention = (enum js_retention)i;
    config->max_msgs = limit(json, "max_msgs");
    config->max_bytes = limit(json, "max_bytes");
    config->max_msg_size = limit(json, "max_msg_size");
    json_get_i64(json, "max_age", &config->max_age);
    if (config->max_age > 0 && config->max_age < config->duplicate_window)
        config->duplicate_window = config->max_age;
    json_get_i64(json, "duplicate_window", &config->duplicate_window);
    json_get_i64(json, "num_replicas", &config->replicas);
    json_get_bool(json, "allow_direct", &config->allow_direct);
    config->discard_new = json_get_text(json, "discard", &text) && slice_is(text, "new");
    config->memory = json_get_text(json, "storage", &text) && slice_is(text, "memory");
}

static void create(struct server *s, struct slice name, const struct json *body)
{
    struct js_stream *stream = js_stream_find(s, name);
    struct js_stream **last = &s->streams;
    bool made = stream == NULL;
    if (body == NULL) {
        js_api_error(s, "stream_create", 400, 10025, "invalid JSON");
        return;
    }
    if (made) {
        stream = calloc(1, sizeof(*stream));
        if (stream == NULL)
            abort();
        stream->server = s;
        read_config(&stream->config, body);
        if (stream->config.name == NULL)
            stream->config.name = js_copy_slice(name);
        if (stream->config.subjects.count == 0)
            stream->config.subjects.items[stream->config.subjects.count++] = js_copy_slice(name);
        stream->created = server_wall(s);
        while (*last != NULL)
            last = &(*last)->next;
        *last = stream;
    }
    js_api_begin(s, "stream_create");
    add_info(s, stream, false);
    buf_append_text(&s->reply, made ? ",\"did_create\":true}" : "}");
}

static void delete_stream(struct server *s, struct js_stream *stream)
{
    struct js_stream **link = &s->streams;
    for (struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        js_delivery_end_all(c, "409 Consumer Deleted", false);
    while (*link != stream)
        link = &(*link)->next;
    *link = stream->next;
    js_stream_free(stream);
    js_api_begin(s, "stream_delete");
    buf_append_text(&s->reply, ",\"success\":true}");
}

static void purge(struct server *s, struct js_stream *stream, const struct json *body)
{
    uint64_t keep = 0;
    uint64_t before = 0;
    uint64_t purged;
    struct slice text;
    char *filter = json_get_text(body, "filter", &text) ? js_copy_slice(text) : NULL;
    json_get_u64(body, "keep", &keep);
    json_get_u64(body, "seq", &before);
    js_stream_purge(stream, keep, before, filter, &purged);
    free(filter);
    js_api_begin(s, "stream_purge");
    buf_printf(&s->reply, ",\"success\":true,\"purged\":%llu}", (unsigned long long)purged);
}

static void list_names(struct server *s, const struct json *body)
{
    struct slice subject = {0};
    size_t total = 0;
    struct buf names = {0};
    json_get_text(body, "subject", &subject);
    for (const struct js_stream *stream = s->streams; stream != NULL; stream = stream->next) {
        if (subject.len > 0 && !js_names_match(&stream->config.subjects, subject))
            continue;
        if (total++ > 0)
            buf_append_byte(&names, ',');
        json_append_string(&names, slice_of(stream->config.name));
    }
    js_api_begin(s, "stream_names");
    buf_printf(&s->reply, ",\"total\":%zu,\"offset\":0,\"limit\":1024,\"streams\":", total);
    if (total == 0)
        buf_append_text(&s->reply, "null}"); /* a slice of Go that holds nothing */
    else
        buf_printf(&s->reply, "[%s]}", buf_text(&names));
    buf_free(&names);
}

void js_api_stream(struct server *s, struct slice call, struct slice name, struct slice text)
{
    struct err err = {0};
    arena_reset(&s->arena);
    const struct json *body = text.len > 0 ? json_parse(&s->arena, text, &err) : NULL;
    struct js_stream *stream = js_stream_find(s, name);
    bool details = false;
    if (slice_is(call, "NAMES")) {
        list_names(s, body);
        return;
    }
    if (slice_is(call, "CREATE")) {
        create(s, name, body);
        return;
    }
    if (slice_is(call, "INFO") && stream != NULL) {
        json_get_bool(body, "deleted_details", &details);
        js_api_begin(s, "stream_info");
        buf_append_text(&s->reply, ",\"total\":0,\"offset\":0,\"limit\":0");
        add_info(s, stream, details);
        buf_append_byte(&s->reply, '}');
    } else if (slice_is(call, "INFO")) {
        js_api_error(s, "stream_info", 404, 10059, "stream not found");
    } else if (slice_is(call, "DELETE") && stream != NULL) {
        delete_stream(s, stream);
    } else if (slice_is(call, "DELETE")) {
        js_api_error(s, "stream_delete", 404, 10059, "stream not found");
    } else if (slice_is(call, "PURGE") && stream != NULL) {
        purge(s, stream, body);
    } else if (slice_is(call, "PURGE")) {
        js_api_error(s, "stream_purge", 404, 10059, "stream not found");
    }
}

static uint64_t find_message(const struct js_stream *stream, const struct json *body)
{
    uint64_t seq = 0;
    struct slice subject;
    json_get_u64(body, "seq", &seq);
    if (json_get_text(body, "next_by_subj", &subject)) {
        char *pattern = js_copy_slice(subject);
        for (seq = seq > 0 ? seq : 1; seq <= stream->last_seq; seq++) {
            const struct js_message *m = js_stream_message(stream, seq);
            if (m != NULL && js_subject_matches(pattern, js_message_subject(m)))
                break;
        }
        free(pattern);
    }
    return js_stream_message(stream, seq) != NULL ? seq : 0;
}

static void add_bytes(struct buf *out, const char *key, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    buf_printf(out, ",\"%s\":\"", key);
    base64_append(out, bytes);
    buf_append_byte(out, '"');
}

static void get_message(struct server *s, const struct js_stream *stream, const struct json *body)
{
    uint64_t seq = find_message(stream, body);
    const struct js_message *m = js_stream_message(stream, seq);
    if (m == NULL) {
        js_api_error(s, "stream_msg_get", 404, 10037, "no message found");
        return;
    }
    js_api_begin(s, "stream_msg_get");
    buf_append_text(&s->reply, ",\"message\":{\"subject\":");
    json_append_string(&s->reply, js_message_subject(m));
    buf_printf(&s->reply, ",\"seq\":%llu", (unsigned long long)seq);
    add_bytes(&s->reply, "hdrs", js_message_header(m));
    add_bytes(&s->reply, "data", js_message_payload(m));
    add_time(&s->reply, "time", m->time);
    buf_append_text(&s->reply, "}}");
}

void js_api_message(struct server *s, struct slice call, struct slice name, struct slice text)
{
    struct err err = {0};
    uint64_t seq = 0;
    bool get = slice_is(call, "GET");
    arena_reset(&s->arena);
    const struct json *body = text.len > 0 ? json_parse(&s->arena, text, &err) : NULL;
    struct js_stream *stream = js_stream_find(s, name);
    const char *type = get ? "stream_msg_get" : "stream_msg_delete";
    if (body == NULL) {
        js_api_error(s, type, 400, 10003, "bad request");
    } else if (stream == NULL) {
        js_api_error(s, type, 404, 10059, "stream not found");
    } else if (get) {
        get_message(s, stream, body);
    } else if (json_get_u64(body, "seq", &seq) && js_stream_message(stream, seq) != NULL) {
        js_stream_remove(stream, seq);
        js_api_begin(s, type);
        buf_append_text(&s->reply, ",\"success\":true}");
    } else {
        char why[64];
        (void)snprintf(why, sizeof(why), "sequence %llu not found", (unsigned long long)seq);
        js_api_error(s, type, 400, 10043, why);
    }
}
