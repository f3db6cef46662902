/* SPDX-License-Identifier: MIT */
#include "nats/consumer.h"

#include "base/num.h"
#include "base/time.h"

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

static void add_text(struct json_writer *w, const char *key, struct slice value)
{
    if (value.len > 0)
        json_put_slice(w, key, value);
}

static void add_number(struct json_writer *w, const char *key, int64_t value)
{
    if (value != 0)
        json_put_i64(w, key, value);
}

static void add_start(struct json_writer *w, const struct nats_consumer_config *c)
{
    add_text(w, "deliver_policy", slice_of(nats_deliver_name(c->deliver)));
    if (c->deliver == NATS_DELIVER_BY_START_SEQUENCE) {
        json_put_u64(w, "opt_start_seq", c->start_seq);
    }
    if (c->deliver == NATS_DELIVER_BY_START_TIME) {
        char time[TIME_TEXT_MAX];
        time_format(c->start_time_ns, 9, time);
        add_text(w, "opt_start_time", slice_of(time));
    }
}

static void add_filters(struct json_writer *w, const struct nats_consumer_config *c)
{
    if (c->filter_count == 1)
        add_text(w, "filter_subject", c->filters[0]);
    if (c->filter_count < 2)
        return;
    json_open_array(w, "filter_subjects");
    for (size_t i = 0; i < c->filter_count; i++)
        json_put_slice(w, NULL, c->filters[i]);
    json_close_array(w);
}

/* The members that an update can change. */
static void add_updatable(struct json_writer *w, const struct nats_consumer_config *c)
{
    add_text(w, "description", c->description);
    add_number(w, "ack_wait", c->ack_wait_ns);
    add_number(w, "max_deliver", c->max_deliver);
    add_number(w, "max_ack_pending", c->max_ack_pending);
    add_filters(w, c);
    add_number(w, "max_batch", c->max_batch);
    add_number(w, "max_expires", c->max_expires_ns);
    add_number(w, "max_bytes", c->max_bytes);
    add_number(w, "inactive_threshold", c->inactive_threshold_ns);
    add_number(w, "num_replicas", c->replicas);
}

static void begin_body(struct json_writer *w, const char *stream)
{
    json_open_object(w, NULL);
    json_put_text(w, "stream_name", stream);
    json_open_object(w, "config");
}

static void end_body(struct json_writer *w, const char *action)
{
    json_close_object(w);
    add_text(w, "action", slice_of(action));
    json_close_object(w);
}

void nats_consumer_create_body(struct buf *out, const char *stream,
                               const struct nats_consumer_config *config, const char *action)
{
    struct json_writer w = {.out = out};
    begin_body(&w, stream);
    add_text(&w, "durable_name", config->durable);
    add_text(&w, "name", config_name(config));
    add_start(&w, config);
    add_text(&w, "ack_policy", slice_of(nats_ack_policy_name(config->ack)));
    add_text(&w, "replay_policy", slice_of("instant"));
    add_updatable(&w, config);
    add_number(&w, "max_waiting", config->max_waiting);
    if (config->memory)
        json_put_bool(&w, "mem_storage", true);
    end_body(&w, action);
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
        {"priority_groups", true}, /* who pulls would have to name one */
        {"priority_policy", true},
        {"priority_timeout", true},
        {"backoff", wanted->ack_wait_ns != 0}, /* it would override ack_wait */
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (members[i].given && slice_is(key, members[i].key))
            return true;
    return false;
}

void nats_consumer_update_body(struct buf *out, const char *stream,
                               const struct nats_consumer_config *wanted,
                               const struct nats_consumer_info *found)
{
    struct json_writer w = {.out = out};
    begin_body(&w, stream);
    const struct json *member = found->raw_config != NULL ? found->raw_config->first : NULL;
    for (; member != NULL; member = member->next) {
        if (is_replaced(member->key, wanted))
            continue;
        json_put_name(&w, member->key);
        json_put_value(&w, NULL, member);
    }
    add_updatable(&w, wanted);
    end_body(&w, "update");
}

void nats_consumer_adopt_start(struct nats_consumer_config *wanted,
                               const struct nats_consumer_config *found)
{
    wanted->deliver = found->deliver;
    wanted->start_seq = found->start_seq;
    wanted->start_time_ns = found->start_time_ns;
}
