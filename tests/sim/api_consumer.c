/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model.h"

/* CONSUMER.*: nats-server/server/jetstream_api.go and consumer.go (checkConsumerCfg). */

#define ACK_WAIT (30 * CLOCK_SECOND)
#define EPHEMERAL_INACTIVE (5 * CLOCK_SECOND)
enum { MAX_ACK_PENDING = 1000, MAX_WAITING = 512 };

static const char *const deliver_names[] = {"all", "last", "new", "by_start_sequence",
                                            "by_start_time"};
static const char *const ack_names[] = {"none", "all", "explicit"};

static void add_key(struct buf *out, const char *key)
{
    if (out->data[out->len - 1] != '{')
        buf_append_byte(out, ',');
    buf_printf(out, "\"%s\":", key);
}

static void add_text(struct buf *out, const char *key, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    add_key(out, key);
    json_append_string(out, slice_of(text));
}

static void add_number(struct buf *out, const char *key, int64_t value)
{
    if (value == 0)
        return;
    add_key(out, key);
    buf_printf(out, "%lld", (long long)value);
}

static void add_filters(struct buf *out, const struct js_consumer_config *config)
{
    if (config->filters.count == 1 && config->single_filter) {
        add_text(out, "filter_subject", config->filters.items[0]);
        return;
    }
    if (config->filters.count == 0)
        return;
    add_key(out, "filter_subjects");
    for (size_t i = 0; i < config->filters.count; i++) {
        buf_append_byte(out, i == 0 ? '[' : ',');
        json_append_string(out, slice_of(config->filters.items[i]));
    }
    buf_append_byte(out, ']');
}

static void add_config(struct buf *out, const struct js_consumer *c)
{
    const struct js_consumer_config *config = &c->config;
    add_key(out, "config");
    buf_append_byte(out, '{');
    add_text(out, "durable_name", config->durable);
    add_text(out, "name", c->name);
    add_text(out, "description", config->description);
    add_text(out, "deliver_policy", deliver_names[config->deliver]);
    add_number(out, "opt_start_seq", (int64_t)config->start_seq);
    add_text(out, "opt_start_time", config->start_time);
    add_text(out, "ack_policy", ack_names[config->ack]);
    add_number(out, "ack_wait", config->ack_wait);
    add_number(out, "max_deliver", config->max_deliver);
    add_filters(out, config);
    add_text(out, "replay_policy", "instant");
    add_number(out, "max_waiting", config->max_waiting);
    add_number(out, "max_ack_pending", config->max_ack_pending);
    if (config->headers_only) {
        add_key(out, "headers_only");
        buf_append_text(out, "true");
    }
    add_number(out, "max_batch", config->max_batch);
    add_number(out, "max_expires", config->max_expires);
    add_number(out, "max_bytes", config->max_bytes);
    add_number(out, "inactive_threshold", config->inactive_threshold);
    add_text(out, "deliver_subject", config->deliver_subject);
    add_key(out, "num_replicas");
    buf_printf(out, "%lld", (long long)config->replicas);
    if (config->memory) {
        add_key(out, "mem_storage");
        buf_append_text(out, "true");
    }
    buf_append_byte(out, '}');
}

static void add_info(struct server *s, const struct js_consumer *c)
{
    struct buf *out = &s->reply;
    /* Before 2.10, from its file, which is written with the first ack. */
    uint64_t floor = c->now.adflr == 0 && !server_is_since(s, 10, 0) ? 0 : c->now.asflr;
    add_text(out, "stream_name", c->stream->config.name);
    add_text(out, "name", c->name);
    add_key(out, "created");
    buf_append_byte(out, '"');
    js_append_time(out, c->created);
    buf_append_byte(out, '"');
    add_config(out, c);
    buf_printf(out,
               ",\"delivered\":{\"consumer_seq\":%llu,\"stream_seq\":%llu},"
               "\"ack_floor\":{\"consumer_seq\":%llu,\"stream_seq\":%llu},"
               "\"num_ack_pending\":%zu,\"num_redelivered\":%zu,\"num_waiting\":%zu,"
               "\"num_pending\":%llu",
               (unsigned long long)(c->now.dseq - 1), (unsigned long long)(c->now.sseq - 1),
               (unsigned long long)c->now.adflr, (unsigned long long)floor, c->now.pending_count,
               c->now.delivered_count, c->waiting_count,
               (unsigned long long)js_consumer_pending(c));
}

static char *get_copy(const struct json *json, const char *name)
{
    struct slice text;
    return json_get_text(json, name, &text) && text.len > 0 ? js_copy_slice(text) : NULL;
}

static int index_of(const char *const *names, int count, const struct json *json, const char *key)
{
    struct slice text;
    for (int i = 0; json_get_text(json, key, &text) && i < count; i++)
        if (slice_is(text, names[i]))
            return i;
    return 0;
}

static void read_limits(struct js_consumer_config *config, const struct json *json)
{
    json_get_i64(json, "ack_wait", &config->ack_wait);
    json_get_i64(json, "max_deliver", &config->max_deliver);
    json_get_i64(json, "max_ack_pending", &config->max_ack_pending);
    json_get_i64(json, "max_waiting", &config->max_waiting);
    json_get_i64(json, "max_batch", &config->max_batch);
    json_get_i64(json, "max_expires", &config->max_expires);
    json_get_i64(json, "max_bytes", &config->max_bytes);
    json_get_i64(json, "inactive_threshold", &config->inactive_threshold);
    json_get_i64(json, "num_replicas", &config->replicas);
    bool acks = config->ack != JS_ACK_POLICY_NONE;
    if (acks && config->ack_wait == 0)
        config->ack_wait = ACK_WAIT;
    if (config->max_deliver == 0)
        config->max_deliver = -1;
    if (acks && config->max_ack_pending == 0)
        config->max_ack_pending = MAX_ACK_PENDING;
    if (config->max_waiting == 0)
        config->max_waiting = MAX_WAITING;
    if (config->durable == NULL && config->inactive_threshold == 0)
        config->inactive_threshold = EPHEMERAL_INACTIVE;
}

static void read_config(struct js_consumer_config *config, const struct json *json,
                        const struct server *s)
{
    struct slice text;
    *config = (struct js_consumer_config){0};
    config->durable = get_copy(json, "durable_name");
    config->description = get_copy(json, "description");
    config->deliver = (enum js_deliver_policy)index_of(deliver_names, 5, json, "deliver_policy");
    config->ack = (enum js_ack_policy)index_of(ack_names, 3, json, "ack_policy");
    json_get_u64(json, "opt_start_seq", &config->start_seq);
    config->start_time = get_copy(json, "opt_start_time");
    config->deliver_subject = get_copy(json, "deliver_subject");
    json_get_bool(json, "mem_storage", &config->memory);
    json_get_bool(json, "headers_only", &config->headers_only);
    read_limits(config, json);
    if (json_get_text(json, "filter_subject", &text) && text.len > 0) {
        config->filters.items[config->filters.count++] = js_copy_slice(text);
        config->single_filter = true;
    } else if (server_is_since(s, 10, 0)) { /* before, nobody knew of it */
        js_read_names(&config->filters, json_member(json, "filter_subjects"));
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_filters(const struct js_names *a, const struct js_names *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool same_config(const struct js_consumer_config *a, const struct js_consumer_config *b)
{
    return same_text(a->durable, b->durable) && same_text(a->description, b->description) &&
           a->deliver == b->deliver && a->ack == b->ack && a->start_seq == b->start_seq &&
           same_text(a->start_time, b->start_time) && a->ack_wait == b->ack_wait &&
           a->max_deliver == b->max_deliver && a->max_ack_pending == b->max_ack_pending &&
           a->max_waiting == b->max_waiting && a->max_batch == b->max_batch &&
           a->max_expires == b->max_expires && a->max_bytes == b->max_bytes &&
           a->inactive_threshold == b->inactive_threshold && a->replicas == b->replicas &&
           a->memory == b->memory && a->headers_only == b->headers_only &&
           same_filters(&a->filters, &b->filters);
}

/* What an update may not change, or NULL (checkNewConsumerConfig). */
static const char *frozen(const struct js_consumer_config *old,
                          const struct js_consumer_config *fresh)
{
    if (old->deliver != fresh->deliver)
        return "deliver policy can not be updated";
    if (old->start_seq != fresh->start_seq)
        return "start sequence can not be updated";
    if (!same_text(old->start_time, fresh->start_time))
        return "start time can not be updated";
    if (old->ack != fresh->ack)
        return "ack policy can not be updated";
    if (old->max_waiting != fresh->max_waiting)
        return "max waiting can not be updated";
    return NULL;
}

static const char type_create[] = "consumer_create";

/* What a new consumer may not be; true, and the error is written. */
static bool is_forbidden(struct server *s, const struct js_stream *stream,
                         const struct js_consumer_config *config)
{
    bool queue = stream->config.retention == JS_RETENTION_WORKQUEUE;
    if (queue && config->ack != JS_ACK_POLICY_EXPLICIT)
        js_api_error(s, type_create, 400, 10098, "workqueue stream requires explicit ack");
    else if (queue && config->deliver != JS_DELIVER_ALL)
        js_api_error(s, type_create, 400, 10101,
                     "consumer must be deliver all on workqueue stream");
    else if (queue && stream->consumers != NULL && config->filters.count == 0)
        js_api_error(s, type_create, 400, 10099,
                     "multiple non-filtered consumers not allowed on workqueue stream");
    else
        return false;
    return true;
}

static void answer_info(struct server *s, const char *type, const struct js_consumer *c)
{
    js_api_begin(s, type);
    add_info(s, c);
    buf_append_byte(&s->reply, '}');
}

static void make(struct server *s, struct js_stream *stream, struct slice name,
                 struct js_consumer_config *config)
{
    struct js_consumer *c = calloc(1, sizeof(*c));
    struct js_consumer **last = &stream->consumers;
    char made_up[32];
    if (c == NULL)
        abort();
    if (name.len == 0) {
        snprintf(made_up, sizeof(made_up), "Ephemeral%llu", (unsigned long long)++s->ephemerals);
        name = slice_of(made_up);
    }
    c->stream = stream;
    c->name = js_copy_slice(name);
    c->created = server_wall(s);
    c->active = s->now;
    c->config = *config;
    while (*last != NULL)
        last = &(*last)->next;
    *last = c;
    js_consumer_start(c);
    answer_info(s, type_create, c);
}

static void update(struct server *s, struct js_consumer *c, struct js_consumer_config *config,
                   struct slice action)
{
    const char *why = frozen(&c->config, config);
    if (same_config(&c->config, config)) {
        js_consumer_config_free(config);
        answer_info(s, type_create, c);
    } else if (slice_is(action, "create") && server_is_since(s, 10, 0)) {
        js_consumer_config_free(config);
        js_api_error(s, type_create, 400, 10148, "consumer already exists");
    } else if (why != NULL) {
        js_consumer_config_free(config);
        js_api_error(s, type_create, 500, 10012, why);
    } else {
        js_consumer_config_free(&c->config);
        c->config = *config;
        answer_info(s, type_create, c);
        struct buf answer = s->reply; /* a delivery would write over it */
        s->reply = (struct buf){0};
        js_delivery_run(c);
        buf_free(&s->reply);
        s->reply = answer;
    }
}

static void create(struct server *s, struct js_stream *stream, struct slice name,
                   const struct json *body)
{
    struct slice action = {0};
    struct slice stream_name;
    struct js_consumer_config config;
    const struct json *json = json_member(body, "config");
    if (json == NULL) {
        js_api_error(s, type_create, 400, 10025, "invalid JSON");
        return;
    }
    if (!json_get_text(body, "stream_name", &stream_name) ||
        !slice_is(stream_name, stream->config.name)) {
        js_api_error(s, type_create, 400, 10056,
                     "expected stream name in subject to match request");
        return;
    }
    json_get_text(body, "action", &action);
    read_config(&config, json, s);
    struct js_consumer *c = js_consumer_find(stream, name);
    if (c != NULL) {
        update(s, c, &config, action);
    } else if (slice_is(action, "update") && server_is_since(s, 10, 0)) {
        js_consumer_config_free(&config);
        js_api_error(s, type_create, 400, 10149, "consumer does not exist");
    } else if (is_forbidden(s, stream, &config)) {
        js_consumer_config_free(&config);
    } else {
        make(s, stream, name, &config);
    }
}

static void list(struct server *s, const struct js_stream *stream, bool names)
{
    size_t total = 0;
    for (const struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        total++;
    js_api_begin(s, names ? "consumer_names" : "consumer_list");
    buf_printf(&s->reply, ",\"total\":%zu,\"offset\":0,\"limit\":%d,\"consumers\":[", total,
               names ? 1024 : 256);
    for (const struct js_consumer *c = stream->consumers; c != NULL; c = c->next) {
        if (c != stream->consumers)
            buf_append_byte(&s->reply, ',');
        if (names) {
            json_append_string(&s->reply, slice_of(c->name));
            continue;
        }
        buf_append_byte(&s->reply, '{');
        add_info(s, c);
        buf_append_byte(&s->reply, '}');
    }
    buf_append_text(&s->reply, "]}");
}

void js_api_consumer(struct server *s, struct slice call, struct slice stream_name,
                     struct slice name, struct slice text)
{
    static const char *const calls[][2] = {{"CREATE", "consumer_create"},
                                           {"INFO", "consumer_info"},
                                           {"DELETE", "consumer_delete"},
                                           {"NAMES", "consumer_names"},
                                           {"LIST", "consumer_list"}};
    const char *type = NULL;
    struct err err = {0};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (slice_is(call, calls[i][0]))
            type = calls[i][1];
    if (type == NULL)
        return;
    arena_reset(&s->arena);
    const struct json *body = text.len > 0 ? json_parse(&s->arena, text, &err) : NULL;
    struct js_stream *stream = js_stream_find(s, stream_name);
    struct js_consumer *c = stream == NULL ? NULL : js_consumer_find(stream, name);
    if (stream == NULL) {
        js_api_error(s, type, 404, 10059, "stream not found");
    } else if (slice_is(call, "CREATE")) {
        create(s, stream, name, body);
    } else if (slice_is(call, "NAMES") || slice_is(call, "LIST")) {
        list(s, stream, slice_is(call, "NAMES"));
    } else if (c == NULL) {
        js_api_error(s, type, 404, 10014, "consumer not found");
    } else if (slice_is(call, "INFO")) {
        answer_info(s, type, c);
    } else {
        js_consumer_delete(c);
        js_api_begin(s, type);
        buf_append_text(&s->reply, ",\"success\":true}");
    }
}
