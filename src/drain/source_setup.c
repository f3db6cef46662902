/* SPDX-License-Identifier: MIT */
#include "drain/source_setup.h"

#include "base/clock.h"

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

void source_log_begin(const struct source *s, struct log_line *line, enum log_level level,
                      const char *event)
{
    log_begin(line, level, event);
    log_text(line, "stream", s->settings->stream);
}

void source_refuse(struct source *s, const char *why)
{
    struct log_line line;
    source_log_begin(s, &line, LOG_ERROR, "source_refused");
    log_text(&line, "text", why);
    log_end(&line);
    s->state = SOURCE_REFUSED;
    err_clear(&s->refusal);
    err_set(&s->refusal, ERR_REFUSED, "stream %s, consumer %s: %s", s->settings->stream,
            s->settings->consumer, why);
}

void source_close_pull(struct source *s, struct nats_client *client)
{
    if (s->pull.open)
        nats_pull_close(&s->pull, client);
}

void source_retry(struct source *s, struct nats_client *client, int64_t now)
{
    source_close_pull(s, client);
    s->request = 0;
    s->state = SOURCE_RETRY;
    s->retry_at = now + s->retry_pause;
    s->retry_pause = s->retry_pause * 2 > SOURCE_RETRY_MAX ? SOURCE_RETRY_MAX : s->retry_pause * 2;
}

/* A setback that is worth a line, but not one each time it is tried. */
void source_retry_because(struct source *s, struct nats_client *client, const char *why,
                          int64_t now)
{
    uint64_t suppressed;
    if (log_allowed(&s->log_limit, now, &suppressed)) {
        struct log_line line;
        source_log_begin(s, &line, LOG_WARNING, "source_waiting");
        log_text(&line, "reason", why);
        log_u64(&line, "suppressed", suppressed);
        log_end(&line);
    }
    source_retry(s, client, now);
}

/* Ask the API about the stream, or about a consumer. */
void source_ask(struct source *s, struct nats_client *client, const char *call,
                const char *consumer, int64_t now)
{
    buf_reset(&s->subject);
    nats_api_subject(&s->subject, NATS_API_PREFIX, call, s->settings->stream, consumer);
    s->request = nats_client_request(client, buf_slice(&s->subject), (struct slice){0},
                                     buf_slice(&s->body), SOURCE_REQUEST_TIMEOUT, now);
    if (s->request == 0)
        source_retry(s, client, now);
}

void source_begin(struct source *s, struct nats_client *client, int64_t now)
{
    source_close_pull(s, client);
    ledger_out_of_step(&s->ledger);
    s->next_recover = INT64_MAX;
    s->state = SOURCE_STREAM;
    buf_reset(&s->body);
    source_ask(s, client, "STREAM.INFO", NULL, now);
}

void source_poll(struct source *s, struct nats_client *client, int64_t now)
{
    buf_reset(&s->body);
    s->next_poll = INT64_MAX;
    if (s->poll_stream)
        source_ask(s, client, "STREAM.INFO", NULL, now);
    else
        source_ask(s, client, "CONSUMER.INFO", buf_text(&s->consumer), now);
}

static void on_poll(struct source *s, struct nats_client *client, struct slice payload, int64_t now)
{
    bool stream = s->poll_stream;
    s->next_poll = now + (s->once ? SOURCE_END_INTERVAL : SOURCE_POLL_INTERVAL);
    s->poll_stream = !stream && !s->once;
    if (!stream) {
        source_on_consumer_poll(s, client, payload, now);
        return;
    }
    struct nats_stream_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (nats_stream_info_parse(payload, &s->arena, &info, &error, &err) != 0) {
        if (error.meaning == NATS_MEANING_NO_STREAM)
            source_begin(s, client, now);
        return;
    }
    source_stream_note(s, &info);
    if (source_stream_is_ours(s, &info))
        source_stream_count_lost(s, &info);
    else
        source_close_pull(s, client);
}

static const char *outcome_text(const struct nats_event *event)
{
    switch (event->outcome) {
    case NATS_OUTCOME_REPLY:
        return "";
    case NATS_OUTCOME_NO_RESPONDERS:
        return "JetStream does not answer: it is not enabled for this server or account";
    case NATS_OUTCOME_STATUS:
        return "JetStream answered with a status instead of a reply";
    case NATS_OUTCOME_TIMEOUT:
        return "JetStream does not answer in time";
    }
    return "";
}

bool source_reply(struct source *s, struct nats_client *client, const struct nats_event *event,
                  int64_t now)
{
    if (s->request == 0 || event->request != s->request)
        return false;
    s->request = 0;
    arena_reset(&s->arena);
    if (event->outcome != NATS_OUTCOME_REPLY) {
        if (s->state == SOURCE_PULLING)
            s->next_poll = now + SOURCE_POLL_INTERVAL; /* the pulls have a watchdog of their own */
        else
            source_retry_because(s, client, outcome_text(event), now);
        return true;
    }
    switch (s->state) {
    case SOURCE_STREAM:
        source_on_stream(s, client, event->payload, now);
        break;
    case SOURCE_POSITION:
        source_on_position(s, client, event->payload, now);
        break;
    case SOURCE_CONSUMER:
    case SOURCE_CREATE:
        source_on_consumer(s, client, event->payload, now);
        break;
    case SOURCE_PULLING:
        on_poll(s, client, event->payload, now);
        break;
    case SOURCE_OFF:
    case SOURCE_RETRY:
    case SOURCE_REFUSED:
        break; /* too late */
    }
    return true;
}
