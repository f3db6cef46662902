/* SPDX-License-Identifier: MIT */
#include "nats/stream.h"

#include "base/base64.h"
#include "base/num.h"
#include "base/time.h"
#include "nats/header.h"

static uint64_t get_u64(const struct json *object, const char *name)
{
    uint64_t value = 0;
    json_get_u64(object, name, &value);
    return value;
}

static int64_t get_i64(const struct json *object, const char *name)
{
    int64_t value = 0;
    json_get_i64(object, name, &value);
    return value;
}

/* 0 for what is missing, and for Go's zero time of the year 1. */
static int64_t get_time(const struct json *object, const char *name)
{
    struct slice text;
    int64_t ns = 0;
    if (!json_get_text(object, name, &text) || !time_parse(text, &ns))
        return 0;
    return ns;
}

static enum nats_retention retention_of(struct slice text)
{
    if (slice_is(text, "interest"))
        return NATS_RETENTION_INTEREST;
    if (slice_is(text, "workqueue"))
        return NATS_RETENTION_WORKQUEUE;
    return NATS_RETENTION_LIMITS;
}

static void read_subjects(const struct json *config, struct arena *arena,
                          struct nats_stream_info *info)
{
    const struct json *list = json_member(config, "subjects");
    size_t count = 0;
    if (list == NULL || list->type != JSON_ARRAY)
        return;                                                      /* a mirror has none */
    for (const struct json *s = list->first; s != NULL; s = s->next) /* at most JSON_VALUES_MAX */
        count += s->type == JSON_STRING;
    info->subjects = arena_calloc(arena, count, sizeof(*info->subjects));
    for (const struct json *s = list->first; s != NULL; s = s->next)
        if (s->type == JSON_STRING)
            info->subjects[info->subject_count++] = s->text;
}

static void read_deleted(const struct json *state, struct arena *arena,
                         struct nats_stream_info *info)
{
    const struct json *list = json_member(state, "deleted");
    size_t count = 0;
    if (list == NULL || list->type != JSON_ARRAY)
        return; /* not asked for, or none */
    for (const struct json *s = list->first; s != NULL; s = s->next)
        count++;
    info->deleted_list = arena_calloc(arena, count, sizeof(*info->deleted_list));
    for (const struct json *s = list->first; s != NULL; s = s->next)
        if (s->type == JSON_NUMBER &&
            num_parse_u64(s->text, &info->deleted_list[info->deleted_count]))
            info->deleted_count++;
}

int nats_stream_info_parse(struct slice json, struct arena *arena, struct nats_stream_info *info,
                           struct nats_api_error *error, struct err *err)
{
    *info = (struct nats_stream_info){0};
    const struct json *root = nats_api_reply(json, arena, error, err);
    if (root == NULL)
        return -1;
    const struct json *config = json_member(root, "config");
    const struct json *state = json_member(root, "state");
    struct slice text = {0};
    if (!json_get_text(config, "name", &info->name) ||
        !json_get_text(root, "created", &info->created) ||
        !json_get_u64(state, "first_seq", &info->first_seq) ||
        !json_get_u64(state, "last_seq", &info->last_seq))
        return err_set(err, ERR_PROTOCOL, "a STREAM.INFO reply lacks name, created or sequences");

    info->created_ns = get_time(root, "created");
    if (json_get_text(config, "retention", &text))
        info->retention = retention_of(text);
    if (json_get_text(config, "discard", &text) && slice_is(text, "new"))
        info->discard = NATS_DISCARD_NEW;
    info->max_age_ns = get_i64(config, "max_age");
    info->max_bytes = get_i64(config, "max_bytes");
    info->max_messages = get_i64(config, "max_msgs");
    info->duplicate_window_ns = get_i64(config, "duplicate_window");
    info->replicas = (uint32_t)get_u64(config, "num_replicas");
    info->memory = json_get_text(config, "storage", &text) && slice_is(text, "memory");
    info->server_ns = get_time(root, "ts");
    const struct json *limits = json_member(config, "consumer_limits");
    info->consumer_max_ack_pending = get_i64(limits, "max_ack_pending");
    info->consumer_inactive_threshold_ns = get_i64(limits, "inactive_threshold");

    info->messages = get_u64(state, "messages");
    info->bytes = get_u64(state, "bytes");
    info->first_ns = get_time(state, "first_ts");
    info->last_ns = get_time(state, "last_ts");
    info->deleted = get_u64(state, "num_deleted");
    info->consumers = get_u64(state, "consumer_count");
    json_get_text(json_member(root, "cluster"), "leader", &info->leader);
    json_get_bool(config, "allow_atomic", &info->allows_atomic);
    info->transforms = json_member(config, "subject_transform") != NULL ||
                       json_member(config, "sources") != NULL ||
                       json_member(config, "mirror") != NULL;
    read_subjects(config, arena, info);
    read_deleted(state, arena, info);
    return 0;
}

void nats_stream_get_body(struct buf *out, uint64_t sequence)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_put_u64(&w, "seq", sequence);
    json_close_object(&w);
}

void nats_stream_next_body(struct buf *out, uint64_t sequence, struct slice subject)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_put_u64(&w, "seq", sequence);
    json_put_slice(&w, "next_by_subj", subject);
    json_close_object(&w);
}

static void body_of(struct buf *out, const char *key, struct slice subject)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_put_slice(&w, key, subject);
    json_close_object(&w);
}

void nats_stream_last_body(struct buf *out, struct slice subject)
{
    body_of(out, "last_by_subj", subject);
}

void nats_stream_names_body(struct buf *out, struct slice subject)
{
    body_of(out, "subject", subject);
}

int nats_stream_names_parse(struct slice json, struct arena *arena, struct slice *first, bool *more,
                            struct nats_api_error *error, struct err *err)
{
    const struct json *root = nats_api_reply(json, arena, error, err);
    *first = (struct slice){0};
    *more = false;
    if (root == NULL)
        return -1;
    const struct json *list = json_member(root, "streams");
    if (list == NULL || list->type != JSON_ARRAY || list->first == NULL)
        return 0; /* no list, or null: there is none */
    if (list->first->type != JSON_STRING)
        return err_set(err, ERR_PROTOCOL, "a STREAM.NAMES reply lists what is no name");
    *first = list->first->text;
    *more = list->first->next != NULL;
    return 0;
}

static struct slice header_of(const struct json *message, struct arena *arena)
{
    struct buf block = {0};
    struct slice text, header = {0};
    if (json_get_text(message, "hdrs", &text) && base64_decode(&block, text) && block.len > 0)
        header =
            (struct slice){(const uint8_t *)arena_text(arena, block.data, block.len), block.len};
    buf_free(&block);
    return header;
}

static bool is_marker(const struct json *message, struct slice block)
{
    struct nats_header header;
    struct slice text, reason;
    return nats_header_parse(block, &header) &&
           nats_header_get(&header, "Nats-Marker-Reason", &reason) &&
           !(json_get_text(message, "data", &text) && text.len > 0);
}

int nats_stored_message_parse(struct slice json, struct arena *arena,
                              struct nats_stored_message *message, struct nats_api_error *error,
                              struct err *err)
{
    *message = (struct nats_stored_message){0};
    const struct json *root = nats_api_reply(json, arena, error, err);
    if (root == NULL)
        return -1;
    const struct json *m = json_member(root, "message");
    struct slice time;
    if (!json_get_text(m, "subject", &message->subject) ||
        !json_get_u64(m, "seq", &message->sequence) || !json_get_text(m, "time", &time) ||
        !time_parse(time, &message->time_ns))
        return err_set(err, ERR_PROTOCOL, "a STREAM.MSG.GET reply lacks subject, seq or time");
    message->header = header_of(m, arena);
    message->marker = is_marker(m, message->header);
    return 0;
}

void nats_stream_create_body(struct buf *out, const char *stream, const struct slice *subjects,
                             size_t subject_count)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_put_text(&w, "name", stream);
    json_open_array(&w, "subjects");
    for (size_t i = 0; i < subject_count; i++)
        json_put_slice(&w, NULL, subjects[i]);
    json_close_array(&w);
    json_put_text(&w, "retention", "limits");
    json_put_text(&w, "storage", "file");
    json_put_text(&w, "discard", "old");
    json_put_i64(&w, "num_replicas", 1);
    json_put_i64(&w, "max_consumers", -1);
    json_put_i64(&w, "max_msgs", -1);
    json_put_i64(&w, "max_bytes", -1);
    json_put_i64(&w, "max_age", 0);
    json_put_i64(&w, "max_msg_size", -1);
    json_close_object(&w);
}
