/* SPDX-License-Identifier: MIT */
#include "nats/consumer.h"

#include "base/num.h"

static const char *const deliver_names[] = {
    [NATS_DELIVER_ALL] = "all",
    [NATS_DELIVER_LAST] = "last",
    [NATS_DELIVER_NEW] = "new",
    [NATS_DELIVER_BY_START_SEQUENCE] = "by_start_sequence",
    [NATS_DELIVER_BY_START_TIME] = "by_start_time",
    [NATS_DELIVER_LAST_PER_SUBJECT] = "last_per_subject",
    [NATS_DELIVER_UNKNOWN] = "unknown",
};

static const char *const ack_names[] = {
    [NATS_ACK_NONE] = "none",
    [NATS_ACK_ALL] = "all",
    [NATS_ACK_EXPLICIT] = "explicit",
    [NATS_ACK_UNKNOWN] = "unknown",
};

const char *nats_deliver_name(enum nats_deliver deliver)
{
    return deliver_names[deliver];
}

const char *nats_ack_policy_name(enum nats_ack_policy ack)
{
    return ack_names[ack];
}

/* ---- what we say ---- */

static struct slice config_name(const struct nats_consumer_config *c)
{
    return c->durable.len > 0 ? c->durable : c->name;
}

void nats_consumer_create_subject(struct buf *out, const char *prefix, const char *stream,
                                  const struct nats_consumer_config *config)
{
    nats_api_subject(out, prefix, "CONSUMER.CREATE", stream, NULL);
    buf_append_byte(out, '.');
    buf_append_slice(out, config_name(config));
    if (config->filter_count == 1) {
        buf_append_byte(out, '.');
        buf_append_slice(out, config->filters[0]);
    }
}

static void add_key(struct buf *out, const char *key)
{
    if (out->data[out->len - 1] != '{')
        buf_append_byte(out, ',');
    buf_printf(out, "\"%s\":", key);
}

static void add_text(struct buf *out, const char *key, struct slice value)
{
    if (value.len == 0)
        return;
    add_key(out, key);
    json_append_string(out, value);
}

static void add_number(struct buf *out, const char *key, int64_t value)
{
    if (value == 0)
        return;
    add_key(out, key);
    buf_printf(out, "%lld", (long long)value);
}

static void add_start(struct buf *out, const struct nats_consumer_config *c)
{
    add_text(out, "deliver_policy", slice_of(nats_deliver_name(c->deliver)));
    if (c->deliver == NATS_DELIVER_BY_START_SEQUENCE) {
        add_key(out, "opt_start_seq");
        buf_append_decimal(out, c->start_seq);
    }
    if (c->deliver == NATS_DELIVER_BY_START_TIME) {
        char time[NUM_TIME_TEXT_MAX];
        num_format_time(c->start_time_ns, 9, time);
        add_text(out, "opt_start_time", slice_of(time));
    }
}

static void add_filters(struct buf *out, const struct nats_consumer_config *c)
{
    if (c->filter_count == 1)
        add_text(out, "filter_subject", c->filters[0]);
    if (c->filter_count < 2)
        return;
    add_key(out, "filter_subjects");
    for (size_t i = 0; i < c->filter_count; i++) {
        buf_append_byte(out, i == 0 ? '[' : ',');
        json_append_string(out, c->filters[i]);
    }
    buf_append_byte(out, ']');
}

/* The members that an update can change. */
static void add_updatable(struct buf *out, const struct nats_consumer_config *c)
{
    add_text(out, "description", c->description);
    add_number(out, "ack_wait", c->ack_wait_ns);
    add_number(out, "max_deliver", c->max_deliver);
    add_number(out, "max_ack_pending", c->max_ack_pending);
    add_filters(out, c);
    add_number(out, "max_batch", c->max_batch);
    add_number(out, "max_expires", c->max_expires_ns);
    add_number(out, "max_bytes", c->max_bytes);
    add_number(out, "inactive_threshold", c->inactive_threshold_ns);
    add_number(out, "num_replicas", c->replicas);
}

static void begin_body(struct buf *out, const char *stream)
{
    buf_append_text(out, "{\"stream_name\":");
    json_append_string(out, slice_of(stream));
    buf_append_text(out, ",\"config\":{");
}

static void end_body(struct buf *out, const char *action)
{
    buf_append_byte(out, '}');
    if (action[0] != '\0')
        add_text(out, "action", slice_of(action));
    buf_append_byte(out, '}');
}

void nats_consumer_create_body(struct buf *out, const char *stream,
                               const struct nats_consumer_config *config, const char *action)
{
    begin_body(out, stream);
    add_text(out, "durable_name", config->durable);
    add_text(out, "name", config_name(config));
    add_start(out, config);
    add_text(out, "ack_policy", slice_of(nats_ack_policy_name(config->ack)));
    add_text(out, "replay_policy", slice_of("instant"));
    add_updatable(out, config);
    add_number(out, "max_waiting", config->max_waiting);
    if (config->memory) {
        add_key(out, "mem_storage");
        buf_append_text(out, "true");
    }
    end_body(out, action);
}

/* A parsed value as it was, but for the way its strings are escaped. */
static void add_value(struct buf *out, const struct json *value)
{
    switch (value->type) {
    case JSON_NULL:
        buf_append_text(out, "null");
        return;
    case JSON_BOOL:
        buf_append_text(out, value->boolean ? "true" : "false");
        return;
    case JSON_NUMBER:
        buf_append_slice(out, value->text);
        return;
    case JSON_STRING:
        json_append_string(out, value->text);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    bool object = value->type == JSON_OBJECT;
    buf_append_byte(out, object ? '{' : '[');
    for (const struct json *v = value->first; v; v = v->next) {
        if (v != value->first)
            buf_append_byte(out, ',');
        if (object) {
            json_append_string(out, v->key);
            buf_append_byte(out, ':');
        }
        add_value(out, v);
    }
    buf_append_byte(out, object ? '}' : ']');
}

/* Whether an update leaves out what this member was, because add_updatable writes it or because we
 * want it gone. */
static bool is_replaced(struct slice key, const struct nats_consumer_config *wanted)
{
    const struct {
        const char *key;
        bool given;
    } members[] = {
        {"description", wanted->description.len > 0},
        {"ack_wait", wanted->ack_wait_ns != 0},
        {"max_deliver", wanted->max_deliver != 0},
        {"max_ack_pending", wanted->max_ack_pending != 0},
        {"filter_subject", true},
        {"filter_subjects", true},
        {"max_batch", wanted->max_batch != 0},
        {"max_expires", wanted->max_expires_ns != 0},
        {"max_bytes", wanted->max_bytes != 0},
        {"inactive_threshold", wanted->inactive_threshold_ns != 0},
        {"num_replicas", wanted->replicas != 0},
        {"headers_only", true},
        {"backoff", wanted->ack_wait_ns != 0}, /* it would override ack_wait */
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (members[i].given && slice_is(key, members[i].key))
            return true;
    return false;
}

void nats_consumer_update_body(struct buf *out, const char *stream,
                               const struct nats_consumer_config *wanted,
                               const struct nats_consumer_info *found)
{
    begin_body(out, stream);
    const struct json *member = found->raw_config ? found->raw_config->first : NULL;
    for (; member; member = member->next) {
        if (is_replaced(member->key, wanted))
            continue;
        if (out->data[out->len - 1] != '{')
            buf_append_byte(out, ',');
        json_append_string(out, member->key);
        buf_append_byte(out, ':');
        add_value(out, member);
    }
    add_updatable(out, wanted);
    end_body(out, "update");
}

void nats_consumer_adopt_start(struct nats_consumer_config *wanted,
                               const struct nats_consumer_config *found)
{
    wanted->deliver = found->deliver;
    wanted->start_seq = found->start_seq;
    wanted->start_time_ns = found->start_time_ns;
}
