/* SPDX-License-Identifier: MIT */
#include "drain/source_setup.h"

#include "base/clock.h"

/* An ephemeral consumer outlives a short stall of ours, and is gone soon after us. */
#define EPHEMERAL_INACTIVE (120 * CLOCK_SECOND)

/* Where a consumer that we make starts: behind what is in the store or on its way there; where that
 * is nothing, as configured. */
static void fill_start(const struct source *s, struct nats_consumer_config *wanted)
{
    uint64_t position =
        source_is_durable(s) ? ledger_position(&s->ledger) : ledger_claimed_position(&s->ledger);
    if (s->retention == NATS_RETENTION_WORKQUEUE)
        return; /* the server allows nothing but all */
    if (position > 0) {
        wanted->deliver = NATS_DELIVER_BY_START_SEQUENCE;
        wanted->start_seq = position + 1;
        return;
    }
    const struct config_start *start = &s->settings->start;
    switch (start->kind) {
    case CONFIG_START_FIRST:
        break;
    case CONFIG_START_NEW:
        wanted->deliver = NATS_DELIVER_NEW;
        break;
    case CONFIG_START_SEQUENCE:
        wanted->deliver = NATS_DELIVER_BY_START_SEQUENCE;
        wanted->start_seq = start->sequence;
        break;
    case CONFIG_START_TIME:
        wanted->deliver = NATS_DELIVER_BY_START_TIME;
        wanted->start_time_ns = start->time;
        break;
    }
}

/* What we want of the consumer. `filters` is room for CONFIG_LIST_MAX slices. */
static struct nats_consumer_config wanted_consumer(const struct source *s, struct slice *filters)
{
    struct nats_consumer_config wanted = {
        .deliver = NATS_DELIVER_ALL,
        .max_deliver = -1,
        .filters = filters,
    };
    /* A filter costs the server time, but a durable consumer must stay right when the stream gets
     * other subjects. */
    if (source_is_durable(s) || !s->covers_stream) {
        for (size_t i = 0; i < s->settings->subjects.count; i++)
            filters[i] = slice_of(s->settings->subjects.items[i]);
        wanted.filter_count = s->settings->subjects.count;
    }
    if (source_is_durable(s)) {
        wanted.durable = slice_of(s->settings->consumer);
        wanted.description = slice_of("varve: events to Parquet");
        wanted.ack = NATS_ACK_EXPLICIT;
        wanted.ack_wait_ns = config_ack_wait(s->config);
        wanted.max_ack_pending = (int64_t)config_max_ack_pending(s->config);
    } else {
        wanted.name = buf_slice(&s->consumer);
        wanted.ack = NATS_ACK_NONE;
        wanted.max_deliver = 0; /* means nothing without acks */
        wanted.inactive_threshold_ns = EPHEMERAL_INACTIVE;
        wanted.replicas = 1;
        wanted.memory = true;
    }
    fill_start(s, &wanted);
    return wanted;
}

static void name_consumer(struct source *s)
{
    buf_reset(&s->consumer);
    if (source_is_durable(s)) {
        buf_append_text(&s->consumer, s->settings->consumer);
        return;
    }
    /* A new name each time: an earlier one may be on a server that is gone (facts: fact 11). */
    char token[NATS_TOKEN_LEN + 1];
    nats_random_token(&s->random, token);
    buf_printf(&s->consumer, "%s_%s", s->settings->consumer, token);
}

void source_consumer_ask(struct source *s, struct nats_client *client, int64_t now)
{
    s->state = SOURCE_CONSUMER;
    name_consumer(s);
    buf_reset(&s->body);
    source_ask(s, client, "CONSUMER.INFO", buf_text(&s->consumer), now);
}

static void send_create(struct source *s, struct nats_client *client,
                        const struct nats_consumer_config *wanted, int64_t now)
{
    s->state = SOURCE_CREATE;
    buf_reset(&s->subject);
    nats_consumer_create_subject(&s->subject, NATS_API_PREFIX, s->settings->stream, wanted);
    int64_t timeout = wanted->filter_count > 0 ? SOURCE_CREATE_TIMEOUT : SOURCE_REQUEST_TIMEOUT;
    s->request = nats_client_request(client, buf_slice(&s->subject), (struct slice){0},
                                     buf_slice(&s->body), timeout, now);
    if (s->request == 0)
        source_retry(s, client, now);
}

/* An ephemeral consumer of ours that is of no more use. Should this not arrive, it goes by itself.
 */
static void delete_ephemeral(struct source *s, struct nats_client *client)
{
    if (source_is_durable(s) || s->consumer.len == 0)
        return;
    buf_reset(&s->subject);
    nats_api_subject(&s->subject, NATS_API_PREFIX, "CONSUMER.DELETE", s->settings->stream,
                     buf_text(&s->consumer));
    nats_client_publish(client, buf_slice(&s->subject), (struct slice){0}, (struct slice){0});
}

void source_consumer_create(struct source *s, struct nats_client *client, int64_t now)
{
    delete_ephemeral(s, client);
    if (source_is_durable(s) && s->config->consumer.manage == CONFIG_MANAGE_BIND) {
        source_retry_because(s, client, "the consumer does not exist, and consumer.manage is bind",
                             now);
        return;
    }
    struct slice filters[CONFIG_LIST_MAX];
    name_consumer(s);
    struct nats_consumer_config wanted = wanted_consumer(s, filters);
    buf_reset(&s->body);
    nats_consumer_create_body(&s->body, s->settings->stream, &wanted, "create");
    send_create(s, client, &wanted, now);
}

static void log_consumer(const struct source *s, const struct nats_consumer_info *info, bool made)
{
    struct log_line line;
    source_log_begin(s, &line, LOG_INFO, made ? "consumer_made" : "consumer_found");
    log_bytes(&line, "consumer", info->name.data, info->name.len);
    log_u64(&line, "pending", info->pending);
    log_u64(&line, "unacked", info->ack_pending);
    log_u64(&line, "position", ledger_claimed_position(&s->ledger));
    log_end(&line);
}

static void note_consumer(struct source *s, const struct nats_consumer_info *info)
{
    s->counters.consumer_pending = info->pending;
    s->counters.consumer_ack_floor = info->ack_floor_stream_seq;
    /* What was acked is in a store, or was never for us. */
    if (source_is_durable(s))
        ledger_nothing_at(&s->ledger, 0, info->ack_floor_stream_seq);
}

static void recover(struct source *s, const struct nats_consumer_info *info, uint64_t from,
                    int64_t now)
{
    s->recover = (struct seqrange){from, info->delivered_stream_seq};
    s->recover_consumer_seq = info->delivered_consumer_seq;
    s->next_recover = now;
}

/* Deliveries to an earlier connection that were not acked: ours, unless others share the consumer;
 * then only ack_wait can tell. */
static void plan_recovery(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    s->orphans_seen = false;
    s->shared = source_is_durable(s) && (s->settings->shared || info->waiting > 0);
    if (source_is_durable(s) && !s->shared && info->ack_pending > 0)
        recover(s, info, info->ack_floor_stream_seq + 1, now);
}

static uint64_t live_pulls(const struct nats_pull *pull)
{
    uint64_t live = 0;
    for (int i = 0; i < NATS_PULL_SLOTS; i++)
        live += pull->slots[i].token != 0;
    return live;
}

/* What was delivered to a connection that the server took for alive is seen only now: nobody else
 * pulls, twice in a row, and yet messages are out that we never got. */
static void look_for_orphans(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    uint64_t floor = info->ack_floor_stream_seq;
    uint64_t missing = seqset_contiguous_end(&s->ledger.claimed, floor + 1) + 1;
    bool orphans = !s->settings->shared && info->ack_pending > 0 &&
                   info->waiting <= live_pulls(&s->pull) && missing <= info->delivered_stream_seq &&
                   s->next_recover == INT64_MAX;
    if (orphans && s->orphans_seen)
        recover(s, info, missing, now);
    s->orphans_seen = orphans;
}

static void begin_pulling(struct source *s, struct nats_client *client,
                          const struct nats_consumer_info *info, bool made, int64_t now)
{
    struct err err = {0};
    if (nats_pull_open(&s->pull, client, NATS_API_PREFIX, s->settings->stream,
                       buf_text(&s->consumer), s->pull_target, s, now, &err) != 0) {
        source_refuse(s, err.text);
        return;
    }
    log_consumer(s, info, made);
    note_consumer(s, info);
    plan_recovery(s, info, now);
    if (!source_is_durable(s) && s->ledger.claimed.count == 0)
        ledger_nothing_at(&s->ledger, 0, info->delivered_stream_seq);
    s->last_consumer_seq = info->delivered_consumer_seq;
    ledger_in_step(&s->ledger, info->delivered_stream_seq, info->delivered_consumer_seq);
    s->state = SOURCE_PULLING;
    s->retry_pause = SOURCE_RETRY_MIN;
    s->next_poll = now + (s->once ? SOURCE_END_INTERVAL : SOURCE_POLL_INTERVAL);
    s->seen_consumer = true;
    source_resolve(s, SOURCE_ALERT_CONSUMER_RECREATED);
    source_resolve(s, SOURCE_ALERT_STREAM_RECREATED);
}

/* What we want of a consumer that is there. */
static struct nats_consumer_config wanted_of(const struct source *s, struct slice *filters,
                                             const struct nats_consumer_info *info)
{
    struct nats_consumer_config wanted = wanted_consumer(s, filters);
    nats_consumer_adopt_start(&wanted, &info->config);
    if (s->covers_stream && info->config.filter_count == 0)
        wanted.filter_count = 0; /* ours would change nothing */
    /* More patience and more room than we need contradict nothing. */
    if (info->config.ack_wait_ns > wanted.ack_wait_ns)
        wanted.ack_wait_ns = info->config.ack_wait_ns;
    if (info->config.max_ack_pending > wanted.max_ack_pending || info->config.max_ack_pending == -1)
        wanted.max_ack_pending = info->config.max_ack_pending;
    return wanted;
}

void source_consumer_compare(const struct source *s, const struct nats_consumer_info *info,
                             struct nats_consumer_diff *diff)
{
    struct slice filters[CONFIG_LIST_MAX];
    struct nats_consumer_config wanted = wanted_of(s, filters, info);
    nats_consumer_compare(&wanted, &info->config, diff);
}

/* Compare what is there with what we want. True if it will do. */
static bool consumer_fits(struct source *s, struct nats_client *client,
                          const struct nats_consumer_info *info, bool may_update, int64_t now)
{
    struct slice filters[CONFIG_LIST_MAX];
    struct nats_consumer_config wanted = wanted_of(s, filters, info);
    struct nats_consumer_diff diff;
    nats_consumer_compare(&wanted, &info->config, &diff);
    if (diff.count == 0)
        return true;
    if (may_update && diff.fixed == 0 && s->config->consumer.manage == CONFIG_MANAGE_UPDATE) {
        buf_reset(&s->body);
        nats_consumer_update_body(&s->body, s->settings->stream, &wanted, info);
        send_create(s, client, &wanted, now);
        return false;
    }
    buf_reset(&s->subject);
    if (diff.filters_ignored)
        buf_append_text(&s->subject, "the server ignores filter_subjects (it is older than 2.10): "
                                     "use one subject a source");
    else
        buf_printf(&s->subject,
                   "the consumer contradicts the configuration: %s; change it, name another "
                   "consumer, or set consumer.manage: update",
                   diff.text);
    source_refuse(s, buf_text(&s->subject));
    return false;
}

void source_on_consumer(struct source *s, struct nats_client *client, struct slice payload,
                        int64_t now)
{
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    bool made = s->state == SOURCE_CREATE;
    if (nats_consumer_info_parse(payload, &s->arena, &info, &error, &err) == 0) {
        if (!consumer_fits(s, client, &info, !made, now))
            return;
        if (made && s->seen_consumer && source_is_durable(s)) {
            source_raise(s, SOURCE_ALERT_CONSUMER_RECREATED);
            log_message(LOG_WARNING, "consumer_recreated", "stream %s, consumer %s",
                        s->settings->stream, s->settings->consumer);
        }
        begin_pulling(s, client, &info, made, now);
        return;
    }
    if (!made && error.meaning == NATS_MEANING_NO_CONSUMER)
        source_consumer_create(s, client, now);
    else if (made && error.meaning == NATS_MEANING_REQUEST)
        source_refuse(s, err.text);
    else
        source_retry_because(s, client, err.text, now);
}

void source_on_consumer_poll(struct source *s, struct nats_client *client, struct slice payload,
                             int64_t now)
{
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_consumer_info_parse(payload, &s->arena, &info, &error, &err) != 0) {
        if (error.meaning == NATS_MEANING_NO_CONSUMER)
            source_begin(s, client, now);
        return;
    }
    note_consumer(s, &info);
    if (source_is_durable(s))
        look_for_orphans(s, &info, now);
    if (!s->once)
        return;
    s->idle = info.pending == 0 && info.delivered_consumer_seq == s->last_consumer_seq &&
              s->next_recover == INT64_MAX;
    s->at_end = s->idle && (!source_is_durable(s) || info.ack_pending == 0);
}
