/* SPDX-License-Identifier: MIT */
#include "drain/source_step.h"

#include "drain/source_tally.h"
#include "nats/api.h"

bool source_is_durable(const struct source *s)
{
    return s->settings->delivery == CONFIG_DURABLE;
}

void source_raise(struct source *s, enum source_alert alert)
{
    s->raised |= 1u << alert;
    s->standing |= 1u << alert;
}

void source_resolve(struct source *s, enum source_alert alert)
{
    if ((s->standing & 1u << alert) == 0)
        return;
    s->resolved |= 1u << alert;
    s->standing &= ~(1u << alert);
}

void source_log(const struct source *s, enum log_level level, const char *event, const char *text)
{
    struct log_line line;
    log_begin(&line, level, event);
    log_text(&line, "stream", s->settings->stream);
    log_text(&line, "consumer", s->settings->consumer);
    log_text(&line, "text", text);
    log_end(&line);
}

void source_found_others(struct source *s)
{
    s->shared = true;
    if (s->others_pull)
        return;
    s->others_pull = true;
    if (s->settings->shared)
        return;
    source_raise(s, SOURCE_ALERT_CONSUMER_SHARED);
    source_log(s, LOG_WARNING, "consumer_shared",
               "another client takes messages from this consumer: give each instance a consumer of "
               "its own, or set shared: true for all of them");
}

void source_count_lost(struct source *s, struct seqrange range, uint64_t count)
{
    s->counters.lost += count;
    s->counters.lost_first = range.first;
    s->counters.lost_last = range.last;
    source_raise(s, SOURCE_ALERT_DATA_LOST);
    struct log_line line;
    log_begin(&line, LOG_ERROR, "data_lost");
    log_text(&line, "stream", s->settings->stream);
    log_text(&line, "text",
             s->covers_stream
                 ? "the stream no longer has these events, and the store never had them"
                 : "the stream no longer has these messages, and the store never had them; they "
                   "may be of other subjects: what is gone tells nobody what it was");
    log_u64(&line, "first_seq", range.first);
    log_u64(&line, "last_seq", range.last);
    log_u64(&line, "at_most", count);
    log_end(&line);
}

static bool has_others(const struct source *s)
{
    return source_is_durable(s) && (s->settings->shared || s->others_pull || s->shared);
}

uint64_t source_count_dropped(struct source *s, uint64_t first_seq)
{
    bool limits = s->retention == NATS_RETENTION_LIMITS;
    if (!limits || !has_others(s) || !generation_may_have_lost(&s->generation, first_seq))
        return source_count_gone(s, first_seq);
    if (s->drop.state == SOURCE_DROP_NONE)
        s->drop = (struct source_drop){.state = SOURCE_DROP_WAITS, .first_seq = first_seq};
    return 0;
}

uint64_t source_count_gone(struct source *s, uint64_t first_seq)
{
    struct seqrange missing;
    /* Up to the newest message that came, what is missing was of other subjects, or was delivered:
     * the consumer has counted that, and source_compare_floor looks at it. */
    bool told = source_is_durable(s) && !s->covers_stream && s->same_consumer;
    uint64_t through =
        told && s->generation.newest_seq > s->told_seq ? s->generation.newest_seq : s->told_seq;
    uint64_t lost = s->retention == NATS_RETENTION_LIMITS
                        ? generation_count_lost(&s->generation, first_seq, through, &missing)
                        : 0;
    if (lost > 0)
        source_count_lost(s, missing, lost);
    return lost;
}

void source_let_go(struct source *s, struct nats_client *client)
{
    if (s->pull.open)
        nats_pull_close(&s->pull, client);
    ledger_out_of_step(&s->generation.ledger);
    redelivery_cancel(&s->redelivery);
    refetch_suspend(&s->refetch, client);
    source_end_tally(s, client);
    s->poll = (struct source_poll){.state = SOURCE_POLL_WAITS};
    s->request = 0;
}

void source_refuse(struct source *s, struct nats_client *client, const char *why)
{
    source_let_go(s, client);
    source_log(s, LOG_ERROR, "source_refused", why);
    s->state = SOURCE_REFUSED;
    err_clear(&s->refusal);
    err_set(&s->refusal, ERR_REFUSED, "stream %s, consumer %s: %s", s->settings->stream,
            s->settings->consumer, why);
}

void source_retry(struct source *s, struct nats_client *client, int64_t now)
{
    source_let_go(s, client);
    s->state = SOURCE_RETRY;
    s->retry_at = now + s->retry_pause;
    s->retry_pause = s->retry_pause * 2 > SOURCE_RETRY_MAX ? SOURCE_RETRY_MAX : s->retry_pause * 2;
}

void source_retry_because(struct source *s, struct nats_client *client, const char *why,
                          int64_t now)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, "source_waiting");
    log_text(&line, "stream", s->settings->stream);
    log_text(&line, "reason", why);
    log_end(&line);
    buf_reset(&s->waits_because);
    buf_append_text(&s->waits_because, why);
    source_retry(s, client, now);
}

void source_wait_for_leader(struct source *s, struct nats_client *client, int64_t now)
{
    source_retry_because(s, client, "who leads the stream lacks what another server has", now);
}

void source_leave(struct source *s, struct nats_client *client)
{
    source_let_go(s, client);
    source_raise(s, SOURCE_ALERT_STREAM_RECREATED);
    s->state = SOURCE_LEAVING;
}

bool source_send(struct source *s, struct nats_client *client, int64_t timeout, int64_t now)
{
    s->request = nats_client_request(client, buf_slice(&s->subject), (struct slice){0},
                                     buf_slice(&s->body), timeout, now);
    return s->request != 0;
}

void source_ask(struct source *s, struct nats_client *client, enum source_state state,
                const char *call, const char *consumer, int64_t now)
{
    buf_reset(&s->subject);
    nats_api_subject(&s->subject, nats_client_api_prefix(client), call, s->settings->stream,
                     consumer);
    s->state = state;
    if (!source_send(s, client, SOURCE_REQUEST_TIMEOUT, now))
        source_retry(s, client, now);
}

void source_begin(struct source *s, struct nats_client *client, int64_t now)
{
    source_let_go(s, client);
    buf_reset(&s->body);
    s->asked = generation_known_now(&s->generation);
    source_ask(s, client, SOURCE_STREAM, "STREAM.INFO", NULL, now);
}
