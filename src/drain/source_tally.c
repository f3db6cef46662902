/* SPDX-License-Identifier: MIT */
#include "drain/source_tally.h"

#include "base/num.h"
#include "drain/source_step.h"

/*
 * Had the consumer our filter all the time, then behind any sequence the stream has as many
 * messages of ours as were delivered, and as the consumer has left. Another consumer with our
 * filter says how many there are when it is made. They are not asked at the same moment: more than
 * ours knew before may have arrived since, and what is more than it knows afterwards was passed
 * over. While messages flow the two may not tell, and are asked again.
 */
enum { TALLY_TRIES = 4 };

static bool is_watched(const struct source *s)
{
    return !s->covers_stream && !s->shared && !s->settings->shared && !s->others_pull && !s->once &&
           !generation_starts_by_time(&s->generation);
}

void source_open_window(struct source *s)
{
    struct ledger *l = &s->generation.ledger;
    if (!is_watched(s))
        window_close(&l->window);
    else if (!l->window.open && l->taken.count > 0)
        window_open(&l->window, l->taken.list[l->taken.count - 1].last);
}

void source_end_tally(struct source *s, struct nats_client *client)
{
    struct source_tally *t = &s->tally;
    if (client != NULL && t->consumer.len > 0)
        nats_client_delete_consumer(client, &s->subject, s->settings->stream,
                                    buf_text(&t->consumer));
    buf_reset(&t->consumer);
    t->state = SOURCE_TALLY_IDLE;
    t->request = 0;
}

/* The next one is due later; longer and longer as long as nothing is found. */
static void finish(struct source *s, struct nats_client *client, bool found, int64_t now)
{
    struct source_tally *t = &s->tally;
    source_end_tally(s, client);
    int64_t longer = t->pause > 0 ? 2 * t->pause : SOURCE_TALLY_MIN;
    t->pause = found ? SOURCE_TALLY_MIN : longer < SOURCE_TALLY_MAX ? longer : SOURCE_TALLY_MAX;
    t->at = now + t->pause;
}

/* What the stream has there is fetched; where it is a queue, it is searched. */
static void fetch(struct source *s, bool kept)
{
    if (s->refetch.state != REFETCH_IDLE)
        return;
    s->owed = 0;
    refetch_begin_passed(&s->refetch, s->tally.range, kept);
}

/* A queue has dropped all that is acked: what it has of ours up to the floor, or where nothing is
 * owed up to where the consumer is, was passed over. */
static bool begin_search(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    if (s->retention != NATS_RETENTION_WORKQUEUE)
        return false;
    if (info->ack_pending > 0)
        s->tally.range.last = info->ack_floor_stream_seq;
    if (s->tally.range.first <= s->tally.range.last) {
        fetch(s, false);
        finish(s, NULL, false, now);
    }
    return true;
}

void source_tally_passed(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    struct source_tally *t = &s->tally;
    const struct window *w = &s->generation.ledger.window;
    source_open_window(s);
    if (t->state == SOURCE_TALLY_ARRIVES) /* the connection has lost something */
        source_end_tally(s, NULL);
    struct seqrange range = {w->after + 1, info->delivered_stream_seq};
    uint64_t wide = range.last - w->after;
    if (!w->open || t->state != SOURCE_TALLY_IDLE || t->denied || range.first > range.last ||
        s->refetch.state != REFETCH_IDLE || s->redelivery.state != REDELIVERY_DONE ||
        s->passed_over > 0 || window_count(w, range.first, range.last) == wide)
        return;
    if (now < t->at && !window_is_filling(w))
        return;
    t->range = range;
    if (begin_search(s, info, now))
        return;
    /* Of what was acked, a stream that waits for acks has only what others wait for. */
    uint64_t gone =
        s->retention == NATS_RETENTION_INTEREST ? info->ack_floor_stream_seq + 1 : s->first_seq;
    t->counted_from = gone > range.first ? gone : range.first;
    t->consumer_seq = info->delivered_consumer_seq;
    t->pending = info->pending;
    t->found = UINT64_MAX;
    t->tries = 0;
    t->state = SOURCE_TALLY_ARRIVES;
}

static uint64_t count_known(const struct source *s)
{
    const struct source_tally *t = &s->tally;
    return window_count(&s->generation.ledger.window, t->counted_from, t->range.last) + t->pending;
}

static void ask_count(struct source *s, struct nats_client *client, int64_t now)
{
    struct source_tally *t = &s->tally;
    t->tries++;
    t->state = SOURCE_TALLY_COUNTS;
    t->request = refetch_ask_consumer(&s->refetch, client, &t->consumer, t->counted_from, now);
    if (t->request == 0)
        finish(s, client, false, now);
}

/* Messages arrive all the time. What is missing may be among them, though a filter that was changed
 * for any time hides more than come between two questions. */
static void take_doubt(struct source *s, struct nats_client *client, int64_t now)
{
    struct source_tally *t = &s->tally;
    bool now_and_then = t->doubted_at == 0 || now - t->doubted_at >= SOURCE_TALLY_DOUBT;
    finish(s, client, false, now);
    if (now_and_then) {
        t->doubted_at = now;
        fetch(s, true);
    } else if (window_is_filling(&s->generation.ledger.window)) {
        window_forget(&s->generation.ledger.window, t->range.last);
    }
}

void source_tick_tally(struct source *s, struct nats_client *client, int64_t now)
{
    struct source_tally *t = &s->tally;
    if (t->state == SOURCE_TALLY_IDLE && now >= t->hurry_at && !t->denied &&
        window_is_filling(&s->generation.ledger.window)) {
        t->hurry_at = now + CLOCK_SECOND;
        source_poll_soon(s, now);
    }
    if (t->state != SOURCE_TALLY_ARRIVES || s->last_consumer_seq < t->consumer_seq)
        return;
    if (t->found != UINT64_MAX && t->found > count_known(s)) {
        finish(s, client, true, now);
        fetch(s, true);
    } else if (t->tries == TALLY_TRIES) {
        take_doubt(s, client, now);
    } else {
        ask_count(s, client, now);
    }
}

static void on_count(struct source *s, struct nats_client *client,
                     const struct nats_consumer_info *info, int64_t now)
{
    struct source_tally *t = &s->tally;
    source_end_tally(s, client); /* it has done what it was made for */
    t->found = info->pending;
    struct window *w = &s->generation.ledger.window;
    uint64_t known = count_known(s);
    if (t->found <= known) {
        /* A server that lags behind the others says too little. */
        if (!s->replicated || t->found == known || window_is_filling(w))
            window_forget(w, t->range.last);
        finish(s, client, false, now);
        return;
    }
    buf_reset(&s->subject);
    nats_api_subject(&s->subject, nats_client_api_prefix(client), "CONSUMER.INFO",
                     s->settings->stream, buf_text(&s->consumer));
    t->state = SOURCE_TALLY_ASKS;
    t->request = nats_client_request(client, buf_slice(&s->subject), (struct slice){0},
                                     (struct slice){0}, SOURCE_REQUEST_TIMEOUT, now);
    if (t->request == 0)
        finish(s, client, false, now);
}

static void on_info(struct source *s, const struct nats_consumer_info *info)
{
    struct source_tally *t = &s->tally;
    t->range.last = info->delivered_stream_seq;
    t->consumer_seq = info->delivered_consumer_seq;
    t->pending = info->pending;
    t->state = SOURCE_TALLY_ARRIVES;
}

bool source_tally_reply(struct source *s, struct nats_client *client,
                        const struct nats_event *event, int64_t now)
{
    struct source_tally *t = &s->tally;
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    struct err err = {0};
    if (t->request == 0 || event->request != t->request)
        return false;
    t->request = 0;
    arena_reset(&s->arena);
    bool answered = event->outcome == NATS_OUTCOME_REPLY &&
                    nats_consumer_info_parse(event->payload, &s->arena, &info, &error, &err) == 0;
    if (!answered)
        finish(s, client, false, now);
    else if (t->state == SOURCE_TALLY_COUNTS)
        on_count(s, client, &info, now);
    else
        on_info(s, &info);
    return true;
}

void source_tally_denied(struct source *s, struct slice subject)
{
    if (s->tally.state != SOURCE_TALLY_COUNTS || s->tally.consumer.len == 0 ||
        !slice_equal(subject, buf_slice(&s->refetch.subject)))
        return;
    source_end_tally(s, NULL);
    s->tally.denied = true;
    source_log(s, LOG_INFO, "not_counted",
               "varve may not make a consumer: should somebody change the filter of this one for a "
               "while, what that passes over is not noticed");
}
