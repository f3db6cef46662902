/* SPDX-License-Identifier: MIT */
#include "drain/source.h"

#include "base/assert.h"
#include "base/clock.h"
#include "drain/source_setup.h"

void source_init(struct source *s, const struct config *config, uint32_t index,
                 const struct positions *stored, bool once, const uint64_t key[static 2])
{
    *s = (struct source){
        .config = config,
        .settings = &config->sources[index],
        .stored = stored,
        .index = index,
        .state = SOURCE_OFF,
        .retry_pause = SOURCE_RETRY_MIN,
        .next_recover = INT64_MAX,
        .once = once,
    };
    /* Each source its own sequence of names under the key of the process. */
    s->random = (struct nats_random){.key = {key[0], key[1] ^ ((uint64_t)index + 1)}};
}

void source_set_limits(struct source *s, uint64_t pull_bytes, uint64_t message_bytes)
{
    uint64_t most = NATS_PULL_TARGET_DEFAULT / s->config->source_count;
    s->pull_target = pull_bytes < most ? pull_bytes : most;
    nats_pull_set_message_max(&s->pull, message_bytes);
}

void source_limit_pull(struct source *s, uint64_t bytes)
{
    if (bytes < SOURCE_PULL_MIN)
        bytes = SOURCE_PULL_MIN;
    nats_pull_set_target(&s->pull, bytes < s->pull_target ? bytes : s->pull_target);
}

void source_free(struct source *s)
{
    nats_pull_free(&s->pull);
    ledger_free(&s->ledger);
    arena_free(&s->arena);
    buf_free(&s->created);
    buf_free(&s->next_created);
    buf_free(&s->consumer);
    buf_free(&s->subject);
    buf_free(&s->body);
}

void source_stop(struct source *s)
{
    nats_pull_close(&s->pull, NULL);
    ledger_out_of_step(&s->ledger);
    s->request = 0;
    s->next_recover = INT64_MAX;
    s->next_poll = INT64_MAX;
    if (s->state != SOURCE_REFUSED)
        s->state = SOURCE_OFF;
}

void source_finish(struct source *s, struct nats_client *client)
{
    if (s->state == SOURCE_PULLING)
        nats_pull_close(&s->pull, client);
    source_stop(s);
}

void source_start(struct source *s, struct nats_client *client, int64_t now)
{
    if (s->state == SOURCE_REFUSED)
        return;
    s->retry_pause = SOURCE_RETRY_MIN;
    source_begin(s, client, now);
}

bool source_must_adopt(const struct source *s)
{
    return s->next_created.len > 0;
}

void source_adopt(struct source *s, struct nats_client *client, int64_t now)
{
    source_stream_adopt(s);
    source_begin(s, client, now);
}

static void log_need(const struct source *s, enum log_level level, const char *text)
{
    struct log_line line;
    log_begin(&line, level, "pull");
    log_text(&line, "stream", s->settings->stream);
    log_text(&line, "consumer", s->settings->consumer);
    log_text(&line, "text", text);
    log_end(&line);
}

/* Somebody may remove the message, or raise the limit of the consumer; a single drain does not wait
 * for that. */
static void take_too_big(struct source *s, struct nats_client *client, int64_t now)
{
    static const char why[] =
        "the next message is larger than max_bytes of the consumer, or than a quarter of "
        "memory_limit, shared by the sources: raise that";
    if (s->once) {
        source_refuse(s, why);
        return;
    }
    log_need(s, LOG_ERROR, why);
    source_retry(s, client, now);
}

static void handle_need(struct source *s, struct nats_client *client, enum nats_pull_need need,
                        int64_t now)
{
    switch (need) {
    case NATS_PULL_NEEDS_NOTHING:
        return;
    case NATS_PULL_HEARD_HEARTBEAT:
        /* In order on one connection: what the server sent before, we would have. */
        if (!s->shared && s->pull.last_consumer_seq > s->last_consumer_seq) {
            log_need(s, LOG_WARNING, "deliveries were lost on the way");
            source_begin(s, client, now);
        }
        return;
    case NATS_PULL_LEADER_CHANGED:
        log_need(s, LOG_INFO, "the consumer has another leader");
        return;
    case NATS_PULL_SERVER_SHUTDOWN:
        log_need(s, LOG_INFO, "the server is shutting down");
        return;
    case NATS_PULL_CONSUMER_GONE:
        log_need(s, LOG_WARNING, "the consumer is gone");
        source_begin(s, client, now);
        return;
    case NATS_PULL_SILENT:
        log_need(s, LOG_WARNING, "the consumer has fallen silent");
        source_begin(s, client, now);
        return;
    case NATS_PULL_PUSH_CONSUMER:
        source_refuse(s, "the consumer is a push consumer; delete it or name another one");
        return;
    case NATS_PULL_BAD_REQUEST:
        log_need(s, LOG_ERROR, "the server does not understand our pull requests");
        source_retry(s, client, now);
        return;
    case NATS_PULL_MESSAGE_TOO_BIG:
        take_too_big(s, client, now);
        return;
    }
}

void source_status(struct source *s, struct nats_client *client, const struct nats_event *event,
                   int64_t now)
{
    if (s->state == SOURCE_PULLING)
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

static void note_delivery(struct source *s, const struct nats_ack *ack)
{
    bool next = ack->consumer_seq == s->last_consumer_seq + 1;
    if (source_is_durable(s) && !next && ack->consumer_seq > s->last_consumer_seq && !s->shared) {
        s->shared = true;
        log_need(s, LOG_INFO, "another client takes messages from this consumer");
    }
    if (next && ack->delivered == 1 && s->covers_stream && s->ledger.in_step &&
        ack->stream_seq > s->ledger.last_stream_seq + 1)
        s->counters.gaps += ack->stream_seq - s->ledger.last_stream_seq - 1;
    if (ack->consumer_seq > s->last_consumer_seq)
        s->last_consumer_seq = ack->consumer_seq;
    if (ack->delivered > 1 && s->naks > 0 && --s->naks == 0 && s->next_recover != INT64_MAX)
        s->next_recover = 0; /* all came: ask for more at once */
    if (ack->stream_seq > s->newest_seq) {
        s->newest_seq = ack->stream_seq;
        s->newest_time = ack->timestamp_ns;
    }
    s->counters.consumer_pending = ack->pending;
    if (ack->stream_seq > s->counters.stream_last_sequence)
        s->counters.stream_last_sequence = ack->stream_seq;
}

enum ledger_verdict source_receive(struct source *s, struct nats_client *client,
                                   const struct nats_event *event, int64_t now)
{
    if (s->state != SOURCE_PULLING)
        return LEDGER_VOID;
    nats_pull_message(&s->pull, event, now);
    const struct nats_ack *ack = &event->ack;
    if (is_out_of_order(s, ack)) {
        log_need(s, LOG_WARNING, "deliveries are not in order");
        source_begin(s, client, now);
        return LEDGER_VOID;
    }
    note_delivery(s, ack);
    s->counters.messages_received++;
    s->counters.bytes_received += event->bytes;
    return ledger_receive(&s->ledger, ack->stream_seq, ack->consumer_seq, ack->delivered);
}

/* What a server holds as delivered to a connection that is gone: ack what is durable, ask for the
 * rest again, instead of waiting for ack_wait. The server ignores what it does not hold. */
static void send_recover(struct source *s, struct nats_client *client, int64_t now)
{
    static const struct slice nak = {(const uint8_t *)"-NAK", 4};
    buf_reset(&s->subject);
    buf_printf(&s->subject, "$JS.ACK.%s.%s.", s->settings->stream, s->settings->consumer);
    size_t prefix_len = s->subject.len;
    s->naks = 0;
    for (int i = 0; i < SOURCE_NAKS_AT_ONCE; i++) {
        if (s->recover.first > s->recover.last) {
            s->next_recover = INT64_MAX;
            return;
        }
        uint64_t sequence = s->recover.first++;
        bool durable = seqset_contains(&s->ledger.durable, sequence);
        if (!durable && seqset_contains(&s->ledger.claimed, sequence))
            continue; /* acked with its epoch */
        s->naks += !durable;
        struct nats_ack ack = {.delivered = 1,
                               .stream_seq = sequence,
                               .consumer_seq = s->recover_consumer_seq,
                               .timestamp_ns = s->newest_time};
        s->subject.len = prefix_len;
        ack.prefix = (struct slice){s->subject.data, prefix_len};
        buf_reset(&s->body);
        nats_ack_append_subject(&s->body, &ack);
        nats_client_publish(client, buf_slice(&s->body), (struct slice){0},
                            durable ? (struct slice){0} : nak);
    }
    s->next_recover = now + SOURCE_NAK_INTERVAL;
}

void source_tick(struct source *s, struct nats_client *client, int64_t now)
{
    if (s->state == SOURCE_RETRY && now >= s->retry_at)
        source_begin(s, client, now);
    if (s->state != SOURCE_PULLING)
        return;
    if (now >= s->next_recover)
        send_recover(s, client, now);
    handle_need(s, client, nats_pull_tick(&s->pull, client, now), now);
    if (s->state == SOURCE_PULLING && s->request == 0 && now >= s->next_poll)
        source_poll(s, client, now);
}

int64_t source_deadline(const struct source *s)
{
    if (s->state == SOURCE_RETRY)
        return s->retry_at;
    if (s->state != SOURCE_PULLING)
        return INT64_MAX;
    int64_t deadline = nats_pull_deadline(&s->pull);
    if (s->next_recover < deadline)
        deadline = s->next_recover;
    if (s->request == 0 && s->next_poll < deadline)
        deadline = s->next_poll;
    return deadline;
}

void source_poll_soon(struct source *s, int64_t now)
{
    s->next_poll = now;
    s->poll_stream = false;
}

/* Nothing is owed to the server for what an earlier run received: it is acked, or asked for. */
static bool is_recovered(const struct source *s)
{
    return !source_is_durable(s) || (s->state == SOURCE_PULLING && s->next_recover == INT64_MAX);
}

bool source_at_end(const struct source *s)
{
    if (!s->once || !s->target_known)
        return false;
    bool received = s->ledger.claimed.count > 0 && ledger_claimed_position(&s->ledger) >= s->target;
    return s->at_end || (received && is_recovered(s));
}

void source_seal(struct source *s, const struct seqset *rows, uint64_t last_seq, int64_t last_time,
                 struct position *out)
{
    ledger_seal(&s->ledger, rows);
    if (last_seq > s->sealed_seq) {
        s->sealed_seq = last_seq;
        s->sealed_time = last_time;
    }
    uint64_t through =
        seqset_contains(&s->ledger.sealed, 0) ? seqset_contiguous_end(&s->ledger.sealed, 0) : 0;
    *out = (struct position){
        .through = through,
        .last_seq = s->sealed_seq,
        .last_time = s->sealed_time,
    };
    seqset_add_all(&out->above, &s->ledger.sealed);
    seqset_remove_through(&out->above, through);
}
