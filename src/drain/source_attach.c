/* SPDX-License-Identifier: MIT */

#include <assert.h>

#include "drain/source_consumer.h"
#include "drain/source_floor.h"
#include "drain/source_step.h"
#include "drain/source_tally.h"

static struct consumer_scene scene_of(struct source *s)
{
    const struct ledger *ledger = &s->generation.ledger;
    return (struct consumer_scene){
        .config = s->config,
        .settings = s->settings,
        .retention = s->retention,
        .covers_stream = s->covers_stream,
        .shared = s->settings->shared || s->others_pull,
        .renewed = s->renew == SOURCE_RENEW_FOR_ACKS,
        .floor = s->floor,
        .position = source_is_durable(s) ? ledger_position(ledger) : ledger_taken_position(ledger),
        .whole = s->generation.later,
        .ephemeral = buf_slice(&s->consumer),
    };
}

static void name_consumer(struct source *s)
{
    buf_reset(&s->consumer);
    if (source_is_durable(s)) {
        buf_append_text(&s->consumer, s->settings->consumer);
        return;
    }
    /* A new name each time: an earlier one may be on a server that is gone, and then neither be
     * made nor deleted. */
    char token[NATS_TOKEN_LEN + 1];
    nats_random_token(&s->random, token);
    buf_printf(&s->consumer, "%s_%s", s->settings->consumer, token);
}

/* What is in s->body, for a consumer like this one. */
static void ask_create(struct source *s, struct nats_client *client,
                       const struct nats_consumer_config *wanted, int64_t now)
{
    buf_reset(&s->subject);
    nats_consumer_create_subject(&s->subject, nats_client_api_prefix(client), s->settings->stream,
                                 wanted);
    s->state = SOURCE_CREATE;
    if (!source_send(s, client,
                     wanted->filter_count > 0 ? SOURCE_CREATE_TIMEOUT : SOURCE_REQUEST_TIMEOUT,
                     now))
        source_retry(s, client, now);
}

/* An ephemeral consumer of ours that is of no more use. Should this not arrive, it goes by itself.
 */
static void delete_ephemeral(struct source *s, struct nats_client *client)
{
    if (source_is_durable(s) || s->consumer.len == 0)
        return;
    nats_client_delete_consumer(client, &s->subject, s->settings->stream, buf_text(&s->consumer));
}

static void create_consumer(struct source *s, struct nats_client *client, int64_t now)
{
    delete_ephemeral(s, client);
    if (source_is_durable(s) && s->config->consumer.manage == CONFIG_MANAGE_BIND) {
        source_retry_because(s, client, "the consumer does not exist, and consumer.manage is bind",
                             now);
        return;
    }
    name_consumer(s);
    struct consumer_wish wish;
    struct consumer_scene scene = scene_of(s);
    consumer_wish(&wish, &scene);
    buf_reset(&s->body);
    nats_consumer_create_body(&s->body, s->settings->stream, &wish.config, "create");
    s->updates = false;
    ask_create(s, client, &wish.config, now);
}

/* Without acks it is the store alone that knows where we started: that is committed first. */
static bool is_anchored(struct source *s, struct nats_client *client)
{
    if (source_is_durable(s) || s->generation.start_saved || s->generation.ledger.taken.count == 0)
        return true;
    source_let_go(s, client);
    s->state = SOURCE_ANCHORING;
    return false;
}

void source_attach(struct source *s, struct nats_client *client, int64_t now)
{
    if (source_stands_by(s, client, now))
        return;
    if (!source_is_durable(s)) {
        if (is_anchored(s, client))
            create_consumer(s, client, now);
        return;
    }
    name_consumer(s);
    buf_reset(&s->body);
    if (s->renew != SOURCE_RENEW_NOT && s->config->consumer.manage != CONFIG_MANAGE_BIND) {
        if (s->retention == NATS_RETENTION_INTEREST && !s->guarded) {
            struct consumer_wish wish;
            struct consumer_scene scene = scene_of(s);
            consumer_wish(&wish, &scene);
            source_ask_guard(s, client, &wish.config, now);
            return;
        }
        source_ask(s, client, SOURCE_DELETE, "CONSUMER.DELETE", buf_text(&s->consumer), now);
        return;
    }
    source_ask(s, client, SOURCE_CONSUMER, "CONSUMER.INFO", buf_text(&s->consumer), now);
}

static void log_consumer(const struct source *s, const struct nats_consumer_info *info, bool made)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, made ? "consumer_made" : "consumer_found");
    log_text(&line, "stream", s->settings->stream);
    log_bytes(&line, "consumer", s->consumer.data, s->consumer.len);
    log_u64(&line, "pending", info->pending);
    log_u64(&line, "unacked", info->ack_pending);
    log_u64(&line, "position", ledger_taken_position(&s->generation.ledger));
    log_end(&line);
}

static void note_consumer(struct source *s, const struct nats_consumer_info *info)
{
    s->counters.consumer_pending = info->pending;
    s->counters.consumer_ack_floor = info->ack_floor_stream_seq;
}

static void begin_pulling(struct source *s, struct nats_client *client, int64_t now)
{
    const struct nats_consumer_info *info = &s->found;
    struct ledger *ledger = &s->generation.ledger;
    struct err err = {0};
    static_assert(2 * CONFIG_SOURCES_MAX * NATS_PULL_SLOTS < NATS_SUBSCRIPTIONS_MAX,
                  "each source that may be configured finds its subscriptions");
    if (nats_pull_open(&s->pull, client, nats_client_api_prefix(client), s->settings->stream,
                       buf_text(&s->consumer), source_target(s), &s->feed, now, &err) != 0) {
        source_refuse(s, client, err.text);
        return;
    }
    log_consumer(s, info, s->made);
    note_consumer(s, info);
    if (ledger->taken.count == 0)
        source_anchor(s, info, s->made);
    source_take_count(s, info);
    source_look_unmatched(s);
    if (source_is_durable(s))
        source_compare_floor(s, info, now);
    source_plan_recovery(s, info, now);
    ledger_in_step(ledger, info->delivered_stream_seq, info->delivered_consumer_seq);
    source_open_window(s);
    s->state = SOURCE_PULLING;
    buf_reset(&s->waits_because);
    s->attached_at = now;
    s->retry_pause = SOURCE_RETRY_MIN;
    s->poll.at = now + (s->once ? SOURCE_END_INTERVAL : SOURCE_POLL_INTERVAL);
    s->seen_consumer = true;
    s->filtered = info->config.filter_count > 0;
    s->renew = SOURCE_RENEW_NOT;
    source_delete_guard(s, client);
    source_resolve(s, SOURCE_ALERT_CONSUMER_RECREATED);
    source_resolve(s, SOURCE_ALERT_STREAM_RECREATED);
}

/* Compare what is there with what we want. True if it will do. */
static bool consumer_fits(struct source *s, struct nats_client *client,
                          const struct nats_consumer_info *info, bool may_update, int64_t now)
{
    struct consumer_wish wish;
    struct nats_consumer_diff diff;
    struct consumer_scene scene = scene_of(s);
    consumer_compare(&wish, &scene, info, &diff);
    if (diff.count == 0)
        return true;
    if (consumer_is_to_be_renewed(&wish, &scene, info, &diff)) {
        source_log(
            s, LOG_WARNING, "consumer_renewed",
            "the consumer is shared, and takes one ack for all events up to a sequence, also "
            "those of others: it is made anew with an ack for each");
        s->renew = SOURCE_RENEW_FOR_ACKS;
        s->floor = info->ack_floor_stream_seq;
        source_attach(s, client, now);
        return false;
    }
    if (may_update && diff.fixed == 0 && s->config->consumer.manage == CONFIG_MANAGE_UPDATE) {
        buf_reset(&s->body);
        nats_consumer_update_body(&s->body, s->settings->stream, &wish.config, info);
        s->updates = true;
        ask_create(s, client, &wish.config, now);
        return false;
    }
    buf_reset(&s->subject);
    if (diff.filters_ignored)
        buf_append_text(&s->subject, "the server ignores filter_subjects (it is older than 2.10): "
                                     "use one subject per source");
    else
        buf_printf(&s->subject,
                   "the consumer contradicts the configuration: %s; change it, name another "
                   "consumer, or set consumer.manage: update",
                   diff.text);
    source_refuse(s, client, buf_text(&s->subject));
    return false;
}

void source_on_deleted(struct source *s, struct nats_client *client, int64_t now)
{
    create_consumer(s, client, now);
}

/* A consumer that has delivered more than the stream has: the stream was set back and the consumer
 * was not. It would pass over all new messages up to there (nats-server issue 5412). The stream may
 * have grown since it was asked, or its servers are not in step, so it is asked once more. */
static bool is_ahead(struct source *s, struct nats_client *client,
                     const struct nats_consumer_info *info, int64_t now)
{
    int64_t since = s->ahead_since;
    s->ahead_since = 0;
    if (info->delivered_stream_seq <= s->last_seq)
        return false;
    if (since == 0) {
        s->ahead_since = now;
        source_begin(s, client, now);
        return true;
    }
    if (s->replicated && now - since < GENERATION_LAG) {
        s->ahead_since = since;
        source_wait_for_leader(s, client, now);
        return true;
    }
    if (s->config->consumer.manage == CONFIG_MANAGE_BIND) {
        source_retry_because(s, client,
                             "the consumer is ahead of the stream, which was set back, and would "
                             "pass over new events; as consumer.manage is bind, it waits for you: "
                             "delete the consumer and make it again",
                             now);
        return true;
    }
    source_log(s, LOG_WARNING, "consumer_ahead",
               "the consumer is ahead of the stream, which was set back; it is created again");
    s->renew = SOURCE_RENEW_FOR_STREAM;
    source_attach(s, client, now);
    return true;
}

static void ask_confirm(struct source *s, struct nats_client *client,
                        const struct nats_consumer_info *info, int64_t now)
{
    s->made = s->state == SOURCE_CREATE && !s->updates;
    s->found = (struct nats_consumer_info){
        .config = {.ack = info->config.ack,
                   .ack_wait_ns = info->config.ack_wait_ns,
                   .start_seq = info->config.start_seq,
                   .filter_count = info->config.filter_count},
        .delivered_consumer_seq = info->delivered_consumer_seq,
        .delivered_stream_seq = info->delivered_stream_seq,
        .ack_floor_consumer_seq = info->ack_floor_consumer_seq,
        .ack_floor_stream_seq = info->ack_floor_stream_seq,
        .ack_pending = info->ack_pending,
        .waiting = info->waiting,
        .pending = info->pending,
    };
    buf_reset(&s->body);
    s->asked = generation_known_now(&s->generation);
    source_ask(s, client, SOURCE_CONFIRM, "STREAM.INFO", NULL, now);
}

void source_on_confirmed(struct source *s, struct nats_client *client, int64_t now)
{
    if (s->made && s->seen_consumer && source_is_durable(s)) {
        source_raise(s, SOURCE_ALERT_CONSUMER_RECREATED);
        log_message(LOG_WARNING, "consumer_recreated", "stream %s, consumer %s",
                    s->settings->stream, s->settings->consumer);
    }
    if (!source_is_durable(s) && s->generation.ledger.taken.count == 0)
        source_anchor(s, &s->found, s->made);
    if (is_anchored(s, client))
        begin_pulling(s, client, now);
}

void source_on_consumer(struct source *s, struct nats_client *client, struct slice payload,
                        int64_t now)
{
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    bool made = s->state == SOURCE_CREATE;
    if (nats_consumer_info_parse(payload, &s->arena, &info, &error, &err) == 0) {
        if (!made &&
            (is_ahead(s, client, &info, now) || source_is_of_former(s, client, &info, now)))
            return;
        if (consumer_fits(s, client, &info, !made, now))
            ask_confirm(s, client, &info, now);
        return;
    }
    if (error.meaning == NATS_MEANING_OVERLAP)
        err_prefix(&err, "a work queue has one consumer for each subject, and another consumer "
                         "takes these already (varve check names it)");
    if (!made && error.meaning == NATS_MEANING_NO_CONSUMER)
        create_consumer(s, client, now);
    else if (made && error.meaning == NATS_MEANING_REQUEST)
        source_refuse(s, client, err.text);
    else
        source_retry_because(s, client, err.text, now);
}

/* More pulls wait than are ours, twice in a row: another instance uses the consumer by accident. */
static void look_for_strangers(struct source *s, const struct nats_consumer_info *info)
{
    bool seen = info->waiting > nats_pull_live(&s->pull);
    if (seen && s->strangers_seen)
        source_found_others(s);
    s->strangers_seen = seen;
}

/* What the stream drops while nothing of ours is left to deliver is not ours. */
static void look_at_dropped(struct source *s, const struct nats_consumer_info *info)
{
    bool up_to_date = info->pending == 0 && info->delivered_consumer_seq == s->last_consumer_seq &&
                      s->redelivery.state == REDELIVERY_DONE && !refetch_is_owed(&s->refetch);
    bool known = up_to_date && !(s->was_paused && s->dropped_before > 0);
    if (known && s->last_seq > s->generation.seen)
        s->generation.seen = s->last_seq;
    source_take_dropped(s);
    if (up_to_date)
        s->was_paused = false;
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
    struct consumer_wish wish;
    struct nats_consumer_diff diff;
    struct consumer_scene scene = scene_of(s);
    consumer_compare(&wish, &scene, &info, &diff);
    if (diff.count > 0) {
        source_log(s, LOG_WARNING, "consumer_changed", diff.text);
        source_begin(s, client,
                     now); /* which knows what to do about it, before anything is acked */
        return;
    }
    note_consumer(s, &info);
    if (source_is_durable(s)) {
        source_compare_floor(s, &info, now);
        source_look_for_unacked(s, &info, now);
        look_for_strangers(s, &info);
    }
    source_note_passed(s, &info, now);
    source_tally_passed(s, &info, now);
    look_at_dropped(s, &info);
    if (!s->once)
        return;
    s->end.idle = info.pending == 0 && info.delivered_consumer_seq == s->last_consumer_seq &&
                  s->redelivery.state == REDELIVERY_DONE && s->refetch.state == REFETCH_IDLE;
    s->end.all_acked = s->end.idle && (!source_is_durable(s) || info.ack_pending == 0);
}
