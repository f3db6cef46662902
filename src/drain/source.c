/* SPDX-License-Identifier: MIT */
#include "drain/source.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/num.h"
#include "drain/message.h"
#include "drain/source_floor.h"
#include "drain/source_step.h"
#include "drain/source_tally.h"

void source_init(struct source *s, const struct config *config, uint32_t index,
                 const struct positions *stored, bool once, const uint64_t key[static 2])
{
    *s = (struct source){
        .config = config,
        .settings = &config->sources[index],
        .index = index,
        .once = once,
        .state = SOURCE_OFF,
        .retry_pause = SOURCE_RETRY_MIN,
    };
    generation_init(&s->generation, s->settings, stored);
    s->feed = (struct source_feed){.source = s};
    s->feed_again = (struct source_feed){.source = s, .again = true};
    refetch_init(&s->refetch, s->settings, &s->generation, &s->random, &s->feed_again);
    /* Each source its own sequence of names under the key of the process. */
    s->random = (struct nats_random){.key = {key[0], key[1] ^ ((uint64_t)index + 1)}};
}

void source_free(struct source *s)
{
    nats_pull_free(&s->pull);
    generation_free(&s->generation);
    seqset_free(&s->others);
    seqset_free(&s->unlisted);
    redelivery_free(&s->redelivery);
    refetch_free(&s->refetch);
    arena_free(&s->arena);
    buf_free(&s->consumer);
    buf_free(&s->guard);
    buf_free(&s->tally.consumer);
    buf_free(&s->subject);
    buf_free(&s->body);
    buf_free(&s->waits_because);
}

void source_connected(struct source *s, struct nats_client *client, int64_t now)
{
    if (s->state == SOURCE_REFUSED)
        return;
    s->retry_pause = SOURCE_RETRY_MIN;
    buf_reset(&s->waits_because);
    source_note_cut(s, map_hash(client->session.info.server_id), now);
    if (s->state != SOURCE_LEAVING)
        source_begin(s, client, now);
}

void source_lost(struct source *s, int64_t now)
{
    uint64_t bytes = s->state == SOURCE_PULLING ? nats_pull_outstanding(&s->pull) : 0;
    bool flowing = s->heard > 0 && now - s->heard < SOURCE_CUT_WITHIN;
    s->cut_bytes = flowing && bytes >= SOURCE_CUT_MIN ? bytes : 0;
    source_let_go(s, NULL);
    if (s->state != SOURCE_REFUSED && s->state != SOURCE_LEAVING)
        s->state = SOURCE_OFF;
}

void source_end_pulls(struct source *s, struct nats_client *client)
{
    if (s->pull.open)
        nats_pull_close(&s->pull, client);
    refetch_suspend(&s->refetch, client);
}

bool source_must_adopt(const struct source *s)
{
    return generation_is_left(&s->generation);
}

void source_adopt(struct source *s, struct nats_client *client, int64_t now)
{
    generation_adopt(&s->generation);
    refetch_cancel(&s->refetch, NULL);
    buf_reset(&s->guard);
    s->guarded = false;
    seqset_reset(&s->unlisted);
    source_begin_count(s);
    s->seen_consumer = false;
    s->state = SOURCE_OFF;
    if (nats_client_is_ready(client))
        source_begin(s, client, now);
}

bool source_reply(struct source *s, struct nats_client *client, const struct nats_event *event,
                  int64_t now)
{
    if (refetch_reply(&s->refetch, client, event, now)) {
        if (generation_is_left(&s->generation))
            source_leave(s, client);
        return true;
    }
    if (source_tally_reply(s, client, event, now))
        return true;
    if (s->request == 0 || event->request != s->request)
        return false;
    source_take_answer(s, client, event, now);
    return true;
}

/* Somebody may remove the message, or raise the limit of the consumer; a single drain does not wait
 * for that. */
static void take_too_big(struct source *s, struct nats_client *client, int64_t now)
{
    static const char why[] = "the next message is larger than the consumer's max_bytes, or than "
                              "memory_limit: raise the one that is too small";
    if (s->once) {
        source_refuse(s, client, why);
        return;
    }
    source_log(s, LOG_ERROR, "pull", why);
    source_retry(s, client, now);
}

static void start_over(struct source *s, struct nats_client *client, const char *why, int64_t now)
{
    source_log(s, LOG_WARNING, "pull", why);
    source_begin(s, client, now);
}

static void handle_need(struct source *s, struct nats_client *client, enum nats_pull_need need,
                        int64_t now)
{
    switch (need) {
    case NATS_PULL_NEEDS_NOTHING:
        return;
    case NATS_PULL_HEARD_HEARTBEAT:
        /* In order on one connection: what the server sent before, we would have. */
        if (!s->shared && s->pull.last_consumer_seq > s->last_consumer_seq)
            start_over(s, client, "deliveries were lost in transit", now);
        return;
    case NATS_PULL_LEADER_CHANGED:
        s->attached_at = now;
        source_log(s, LOG_INFO, "pull", "the consumer has another leader");
        if (source_is_durable(s)) { /* who else pulls may get deliveries that it counts anew */
            ledger_out_of_step(&s->generation.ledger);
            s->recounted = true;
        }
        return;
    case NATS_PULL_SERVER_SHUTDOWN:
        source_log(s, LOG_INFO, "pull", "the server is shutting down");
        return;
    case NATS_PULL_CONSUMER_GONE:
        start_over(s, client, "the consumer is gone", now);
        return;
    case NATS_PULL_SILENT:
        start_over(s, client, "the consumer has fallen silent", now);
        return;
    case NATS_PULL_PUSH_CONSUMER:
        source_refuse(s, client, "the consumer is a push consumer; delete it or name another one");
        return;
    case NATS_PULL_BAD_REQUEST:
        source_log(s, LOG_ERROR, "pull", "the server does not understand our pull requests");
        source_retry(s, client, now);
        return;
    case NATS_PULL_MESSAGE_TOO_BIG:
        take_too_big(s, client, now);
        return;
    }
}

struct source *source_of(const struct nats_event *event)
{
    return ((const struct source_feed *)event->owner)->source;
}

static bool is_again(const struct nats_event *event)
{
    return ((const struct source_feed *)event->owner)->again;
}

void source_status(struct source *s, struct nats_client *client, const struct nats_event *event,
                   int64_t now)
{
    if (is_again(event))
        refetch_status(&s->refetch, client, event, now);
    else if (s->state == SOURCE_PULLING)
        handle_need(s, client, nats_pull_status(&s->pull, event, now), now);
}

/* A consumer counts its deliveries up. Where the count goes back, it is another consumer under the
 * same name, perhaps of another stream: nothing that it says may meet our ledger. Without acks
 * nothing comes twice by itself, so there a delivery that is missing has to be asked for again. */
static bool is_out_of_order(const struct source *s, const struct nats_ack *ack)
{
    if (source_is_durable(s))
        return ack->consumer_seq <= s->last_consumer_seq;
    return ack->consumer_seq != s->last_consumer_seq + 1;
}

static void note_delivery(struct source *s, const struct nats_ack *ack, int64_t now)
{
    const struct ledger *ledger = &s->generation.ledger;
    bool next = ack->consumer_seq == s->last_consumer_seq + 1;
    /* Where nobody pulled when we began, it is not what an earlier connection of ours asked for. */
    if (source_is_durable(s) && !next && !s->shared)
        source_found_others(s);
    if (next && ack->delivered == 1 && s->covers_stream && ledger->in_step &&
        ack->stream_seq > ledger->last_stream_seq + 1)
        source_note_hole(s, ack, now);
    if (!next && ack->consumer_seq > s->last_consumer_seq)
        seqset_add_range(&s->others, s->last_consumer_seq + 1, ack->consumer_seq - 1);
    s->last_consumer_seq = ack->consumer_seq;
    if (s->recounted && ack->delivered == 1) {
        s->passed = ack->stream_seq > s->passed ? ack->stream_seq : s->passed;
        s->recounted = false;
    }
    if (s->shared) /* a leader that has forgotten some counts them anew, for whoever pulls */
        ledger_out_of_step(&s->generation.ledger);
    if (ack->delivered > 1)
        redelivery_came(&s->redelivery);
    generation_note(&s->generation, ack->stream_seq, ack->timestamp_ns);
    s->counters.consumer_pending = ack->pending;
    if (ack->stream_seq > s->counters.stream_last_sequence)
        s->counters.stream_last_sequence = ack->stream_seq;
}

/* A message that the store lacks, by a consumer without acks. */
static enum ledger_verdict receive_again(struct source *s, struct nats_client *client,
                                         const struct nats_event *event, int64_t now)
{
    enum ledger_verdict verdict = refetch_message(&s->refetch, client, event, now);
    if (verdict == LEDGER_VOID)
        return verdict;
    s->counters.messages_received++;
    s->counters.bytes_received += event->bytes;
    generation_note(&s->generation, event->ack.stream_seq, event->ack.timestamp_ns);
    return verdict;
}

/* Anybody can write the header that a server writes where it leaves a body out. Where the consumer
 * was looked at since, and is as it should be, that is what happened. */
static bool is_event_after_all(const struct source *s, enum message_kind kind, uint64_t sequence)
{
    return kind == MESSAGE_STRIPPED && sequence == s->suspect_seq;
}

/* To ack it would be to take it from whoever it is for. Perhaps the stream has got other subjects,
 * or somebody has changed the filter: look at the consumer, which may be given the right one. */
static void take_foreign(struct source *s, struct nats_client *client, uint64_t sequence,
                         int64_t now)
{
    if (sequence != s->suspect_seq) {
        s->suspect_seq = sequence;
        start_over(s, client, "a message is of a subject that is not configured", now);
        return;
    }
    if (s->filtered && s->config->consumer.manage != CONFIG_MANAGE_BIND) {
        s->renew =
            SOURCE_RENEW_FOR_STREAM; /* what it should not have is in the stream for others */
        start_over(s, client, "the consumer holds messages of subjects that are not configured",
                   now);
        return;
    }
    source_refuse(s, client,
                  "the consumer delivers messages of subjects that are not configured; give it a "
                  "filter, or set consumer.manage: update");
}

/* The consumer had another filter for a while: what was delivered by that comes again whatever the
 * filter is now. Nobody else waits for our ack, but in a work queue, which it would be taken from.
 */
static bool is_left_over(const struct source *s, const struct nats_ack *ack)
{
    return s->filtered && s->ack == NATS_ACK_EXPLICIT && ack->delivered > 1 &&
           ack->stream_seq <= s->passed && s->retention != NATS_RETENTION_WORKQUEUE;
}

/* What is delivered and is no event of ours. */
static enum ledger_verdict receive_other(struct source *s, struct nats_client *client,
                                         enum message_kind kind, const struct nats_event *event,
                                         int64_t now)
{
    const struct nats_ack *ack = &event->ack;
    if (kind == MESSAGE_STRIPPED) {
        s->suspect_seq = ack->stream_seq;
        start_over(s, client, "a message came without its body", now);
        return LEDGER_VOID;
    }
    if (kind == MESSAGE_FOREIGN && source_is_durable(s) && !is_left_over(s, ack)) {
        take_foreign(s, client, ack->stream_seq, now);
        return LEDGER_VOID;
    }
    note_delivery(s, ack, now);
    enum ledger_verdict verdict =
        ledger_pass(&s->generation.ledger, ack->stream_seq, ack->consumer_seq, ack->delivered);
    if (verdict == LEDGER_PENDING)
        source_owe(s, ack->stream_seq);
    return verdict;
}

enum ledger_verdict source_receive(struct source *s, struct nats_client *client,
                                   const struct nats_event *event, int64_t now)
{
    if (s->state != SOURCE_PULLING)
        return LEDGER_VOID;
    if (is_again(event))
        return receive_again(s, client, event, now);
    nats_pull_message(&s->pull, event, now);
    s->heard = now;
    const struct nats_ack *ack = &event->ack;
    if (is_out_of_order(s, ack)) {
        start_over(s, client, "deliveries are out of order", now);
        return LEDGER_VOID;
    }
    if (generation_doubts(&s->generation, ack->stream_seq, ack->timestamp_ns)) {
        start_over(s, client, "a message is newer than its sequence allows", now);
        return LEDGER_VOID;
    }
    enum message_kind kind = message_classify(s->settings, s->transforms, event);
    if (kind != MESSAGE_EVENT && !is_event_after_all(s, kind, ack->stream_seq))
        return receive_other(s, client, kind, event, now);
    note_delivery(s, ack, now);
    s->counters.messages_received++;
    s->counters.bytes_received += event->bytes;
    enum ledger_verdict verdict =
        ledger_receive(&s->generation.ledger, ack->stream_seq, ack->consumer_seq, ack->delivered);
    if (ack->delivered > 1)
        source_explain(s, ack, verdict != LEDGER_NEW);
    if (verdict == LEDGER_NEW)
        source_note_unacked(s, ack->stream_seq);
    else if (verdict == LEDGER_PENDING)
        source_owe(s, ack->stream_seq);
    return verdict;
}

void source_settle(struct source *s, uint64_t stream_seq, uint64_t consumer_seq)
{
    if (stream_seq >= s->settled.stream_seq)
        s->settled = (struct source_delivery){stream_seq, consumer_seq};
}

void source_ack_prefix(const struct source *s, struct buf *out)
{
    buf_printf(out, "$JS.ACK.%s.%s.", s->settings->stream, s->settings->consumer);
}

static int64_t tick_redelivery(struct source *s, struct nats_client *client, int64_t now)
{
    if (s->redelivery.state == REDELIVERY_DONE)
        return INT64_MAX;
    buf_reset(&s->subject);
    source_ack_prefix(s, &s->subject);
    return redelivery_tick(&s->redelivery, client, buf_slice(&s->subject), &s->generation.ledger,
                           now);
}

static int64_t tick_refetch(struct source *s, struct nats_client *client, int64_t now)
{
    int64_t next = refetch_tick(&s->refetch, client, now);
    if (s->refetch.state != REFETCH_DONE)
        return next;
    struct seqrange missing;
    if (source_take_passed(s, client, now))
        return INT64_MAX;
    /* Others may have stored some since it was begun. */
    uint64_t expected = source_settle_others(s, s->owed);
    s->refetch.expected = num_least_u64(s->refetch.expected, expected);
    uint64_t lost = refetch_take(&s->refetch, &missing);
    s->generation.unsaved = true;
    if (lost > 0)
        source_count_lost(s, missing, lost);
    return INT64_MAX;
}

static int64_t tick_pulling(struct source *s, struct nats_client *client, int64_t now)
{
    source_raise_cap(s, now);
    source_look_at_hole(s);
    source_tick_tally(s, client, now);
    int64_t next = clock_earliest(tick_redelivery(s, client, now), tick_refetch(s, client, now));
    next = clock_earliest(next, source_tick_drop(s, now));
    handle_need(s, client, nats_pull_tick(&s->pull, client, now), now);
    if (s->state != SOURCE_PULLING)
        return s->state == SOURCE_RETRY ? s->retry_at : INT64_MAX;
    next = clock_earliest(next, nats_pull_deadline(&s->pull));
    if (s->poll.state != SOURCE_POLL_WAITS)
        return next;
    if (now >= s->poll.at)
        source_poll(s, client, now);
    return s->poll.state == SOURCE_POLL_WAITS ? clock_earliest(next, s->poll.at) : next;
}

int64_t source_tick(struct source *s, struct nats_client *client, int64_t now)
{
    switch (s->state) {
    case SOURCE_PULLING:
        return tick_pulling(s, client, now);
    case SOURCE_RETRY:
    case SOURCE_STANDBY:
        if (now < s->retry_at)
            return s->retry_at;
        source_begin(s, client, now);
        return s->state == SOURCE_RETRY ? s->retry_at : INT64_MAX;
    case SOURCE_OFF:
    case SOURCE_STREAM:
    case SOURCE_POSITION:
    case SOURCE_BELOW:
    case SOURCE_CUT:
    case SOURCE_CONSUMER:
    case SOURCE_GUARD:
    case SOURCE_DELETE:
    case SOURCE_CREATE:
    case SOURCE_CONFIRM:
    case SOURCE_ANCHORING:
    case SOURCE_LEAVING:
    case SOURCE_REFUSED:
        return INT64_MAX; /* an event will come */
    }
    return INT64_MAX;
}

void source_poll_soon(struct source *s, int64_t now)
{
    s->poll.stream_next = false;
    if (s->poll.state == SOURCE_POLL_WAITS)
        s->poll.at = now;
}

/* Nothing is owed to the server for what an earlier run received: it is acked, or asked for. */
static bool is_recovered(const struct source *s)
{
    return !source_is_durable(s) ||
           (s->state == SOURCE_PULLING && s->redelivery.state == REDELIVERY_DONE &&
            s->refetch.state == REFETCH_IDLE);
}

bool source_at_end(const struct source *s)
{
    const struct ledger *ledger = &s->generation.ledger;
    if (!s->once || !s->end.known)
        return false;
    bool received = ledger->taken.count > 0 && ledger_taken_position(ledger) >= s->end.target;
    return (s->end.all_acked && s->refetch.state == REFETCH_IDLE) || (received && is_recovered(s));
}
