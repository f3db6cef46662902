/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/time.h"
#include "model.h"

/* What a consumer knows of what it delivered: nats-server/server/consumer.go. */

struct js_consumer *js_consumer_find(const struct js_stream *stream, struct slice name)
{
    for (struct js_consumer *c = stream->consumers; c != NULL; c = c->next)
        if (slice_is(name, c->name))
            return c;
    return NULL;
}

static void free_state(struct js_consumer_state *state)
{
    free(state->pending);
    free(state->delivered);
    *state = (struct js_consumer_state){0};
}

void js_consumer_config_free(struct js_consumer_config *config)
{
    free(config->durable);
    free(config->description);
    free(config->start_time);
    free(config->deliver_subject);
    js_free_names(&config->filters);
    *config = (struct js_consumer_config){0};
}

void js_consumer_free(struct js_consumer *c)
{
    for (size_t i = 0; i < c->waiting_count; i++)
        free(c->waiting[i].reply);
    free(c->waiting);
    free(c->queue);
    free_state(&c->now);
    free_state(&c->saved);
    js_consumer_config_free(&c->config);
    free(c->name);
    free(c);
}

void js_consumer_delete(struct js_consumer *c)
{
    struct js_stream *stream = c->stream;
    js_delivery_end_all(c, "409 Consumer Deleted", false);
    for (struct js_consumer **link = &stream->consumers; *link != NULL; link = &(*link)->next) {
        if (*link != c)
            continue;
        *link = c->next;
        break;
    }
    js_consumer_free(c);
    if (stream->config.retention == JS_RETENTION_INTEREST)
        for (uint64_t seq = stream->first_seq; seq >= 1 && seq <= stream->last_seq; seq++)
            js_stream_check_interest(stream, seq);
}

static uint64_t sequence_of_time(const struct js_stream *stream, const char *text)
{
    int64_t time = 0;
    if (text == NULL || !time_parse(slice_of(text), &time))
        return 1;
    for (uint64_t seq = stream->first_seq; seq >= 1 && seq <= stream->last_seq; seq++)
        if (stream->messages[seq - 1] != NULL && stream->messages[seq - 1]->time >= time)
            return seq;
    return stream->last_seq + 1;
}

static uint64_t last_wanted(const struct js_consumer *c)
{
    for (uint64_t seq = c->stream->last_seq; seq >= 1; seq--)
        if (js_consumer_wants(c, seq))
            return seq;
    return c->stream->last_seq + 1;
}

static uint64_t first_sequence(const struct js_consumer *c)
{
    switch (c->config.deliver) {
    case JS_DELIVER_ALL:
        return c->stream->first_seq;
    case JS_DELIVER_LAST:
        return last_wanted(c);
    case JS_DELIVER_NEW:
        return c->stream->last_seq + 1;
    case JS_DELIVER_SEQUENCE:
        return c->config.start_seq;
    case JS_DELIVER_TIME:
        return sequence_of_time(c->stream, c->config.start_time);
    }
    return 1;
}

void js_consumer_start(struct js_consumer *c)
{
    const struct js_stream *stream = c->stream;
    uint64_t seq = first_sequence(c);
    if (seq < stream->first_seq)
        seq = stream->first_seq;
    if (seq > stream->last_seq + 1 && !server_is_since(stream->server, 11, 0))
        seq = stream->last_seq + 1;
    if (seq == 0)
        seq = 1;
    c->now.sseq = seq;
    c->now.dseq = 1;
    c->now.asflr = seq - 1;
    c->now.adflr = 0;
    js_consumer_save(c);
}

bool js_consumer_wants(const struct js_consumer *c, uint64_t seq)
{
    const struct js_message *m = js_stream_message(c->stream, seq);
    return m != NULL && js_names_match(&c->config.filters, js_message_subject(m));
}

/* needAck: whether the message has to stay for this consumer. */
bool js_consumer_needs(const struct js_consumer *c, uint64_t seq, const struct js_message *m)
{
    if (seq <= c->now.asflr || !js_names_match(&c->config.filters, js_message_subject(m)))
        return false;
    if (c->config.ack != JS_ACK_POLICY_EXPLICIT)
        return true;
    return seq >= c->now.sseq || js_consumer_find_pending(c, seq) != NULL;
}

uint64_t js_consumer_pending(const struct js_consumer *c)
{
    uint64_t count = 0;
    for (uint64_t seq = c->now.sseq; seq <= c->stream->last_seq; seq++)
        count += js_consumer_wants(c, seq);
    return count;
}

struct js_pending *js_consumer_find_pending(const struct js_consumer *c, uint64_t sseq)
{
    size_t low = 0;
    size_t high = c->now.pending_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->now.pending[middle].sseq < sseq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->now.pending_count && c->now.pending[low].sseq == sseq ? &c->now.pending[low]
                                                                          : NULL;
}

static void remove_pending(struct js_consumer *c, struct js_pending *p)
{
    size_t index = (size_t)(p - c->now.pending);
    memmove(p, p + 1, (c->now.pending_count - index - 1) * sizeof(*p));
    c->now.pending_count--;
}

static void forget_delivered(struct js_consumer *c, uint64_t sseq)
{
    for (size_t i = 0; i < c->now.delivered_count; i++) {
        if (c->now.delivered[i].sseq != sseq)
            continue;
        memmove(&c->now.delivered[i], &c->now.delivered[i + 1],
                (c->now.delivered_count - i - 1) * sizeof(c->now.delivered[0]));
        c->now.delivered_count--;
        return;
    }
}

static void forget(struct js_consumer *c, struct js_pending *p)
{
    uint64_t sseq = p->sseq;
    remove_pending(c, p);
    forget_delivered(c, sseq);
    js_delivery_unqueue(c, sseq);
}

/* The floor behind an explicit ack of what was delivered as `dseq`. */
static void move_floor(struct js_consumer *c, uint64_t sseq, uint64_t dseq)
{
    if (c->now.pending_count == 0) {
        c->now.adflr = c->now.dseq - 1;
        c->now.asflr = c->now.sseq - 1;
        return;
    }
    if (dseq != c->now.adflr + 1)
        return;
    c->now.adflr = dseq;
    c->now.asflr = sseq;
    for (size_t i = 0; i < c->now.pending_count; i++) {
        const struct js_pending *p = &c->now.pending[i];
        if (p->sseq <= sseq)
            continue;
        if (p->dseq > 0) {
            c->now.adflr = p->dseq - 1;
            c->now.asflr = p->sseq - 1;
        }
        return;
    }
}

static void watch(struct js_consumer *c, uint64_t sseq, bool all)
{
    struct server *s = c->stream->server;
    if (s->on_ack != NULL)
        s->on_ack(s->on_ack_context, c->stream->config.name, c->name, sseq, all, s->now);
}

static void ack_explicit(struct js_consumer *c, uint64_t sseq, uint64_t dseq)
{
    struct js_pending *p = js_consumer_find_pending(c, sseq);
    struct js_message *m = js_stream_message(c->stream, sseq);
    if (p != NULL) {
        watch(c, sseq, false);
        dseq = p->dseq;
        forget(c, p);
        if (m != NULL)
            m->acked = true;
    }
    /* Of what it does not hold, an older server believes the number. */
    if (p != NULL || !server_is_since(c->stream->server, 10, 14))
        move_floor(c, sseq, dseq);
    forget_delivered(c, sseq);
    js_delivery_unqueue(c, sseq);
    if (p != NULL && c->stream->config.retention == JS_RETENTION_WORKQUEUE)
        js_stream_remove(c->stream, sseq);
    else if (p != NULL && c->stream->config.retention == JS_RETENTION_INTEREST)
        js_stream_check_interest(c->stream, sseq);
}

static void ack_all(struct js_consumer *c, uint64_t sseq, uint64_t dseq)
{
    if (dseq <= c->now.adflr || sseq <= c->now.asflr)
        return;
    watch(c, sseq, true);
    uint64_t first = c->now.asflr + 1;
    c->now.adflr = dseq;
    c->now.asflr = sseq;
    while (c->now.pending_count > 0 && c->now.pending[0].sseq <= sseq)
        forget(c, &c->now.pending[0]);
    if (c->stream->config.retention == JS_RETENTION_INTEREST)
        for (uint64_t seq = first; seq <= sseq; seq++)
            js_stream_check_interest(c->stream, seq);
}

void js_consumer_ack(struct js_consumer *c, uint64_t sseq, uint64_t dseq)
{
    switch (c->config.ack) {
    case JS_ACK_POLICY_EXPLICIT:
        ack_explicit(c, sseq, dseq);
        break;
    case JS_ACK_POLICY_ALL:
        ack_all(c, sseq, dseq);
        break;
    case JS_ACK_POLICY_NONE:
        break;
    }
    js_delivery_run(c);
}

/* Delivered as often as it may be: it stays in the stream, and comes no more. */
void js_consumer_give_up(struct js_consumer *c, uint64_t sseq)
{
    struct js_pending *p = js_consumer_find_pending(c, sseq);
    if (p != NULL)
        remove_pending(c, p);
}

void js_consumer_message_gone(struct js_consumer *c, uint64_t sseq)
{
    struct js_pending *p = js_consumer_find_pending(c, sseq);
    if (p == NULL)
        return;
    uint64_t dseq = p->dseq;
    forget(c, p);
    move_floor(c, sseq, dseq);
}

void js_consumer_purged(struct js_consumer *c)
{
    uint64_t first = c->stream->first_seq;
    if (c->now.sseq < first)
        c->now.sseq = first;
    for (size_t i = 0; i < c->now.pending_count;) {
        struct js_pending *p = &c->now.pending[i];
        if (js_stream_message(c->stream, p->sseq) != NULL) {
            i++;
            continue;
        }
        if (p->sseq < first && p->dseq > c->now.adflr)
            c->now.adflr = p->dseq;
        forget(c, p);
    }
    if (first > 0 && c->now.asflr < first - 1)
        c->now.asflr = first - 1;
    js_delivery_run(c);
}

/* $JS.ACK.<stream>.<consumer>.<delivered>.<sseq>.<dseq>.<time>.<pending>; false if it is none. */
static bool parse_ack(struct slice subject, struct slice tokens[static 9])
{
    size_t count = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= subject.len; i++) {
        if (i < subject.len && subject.data[i] != '.')
            continue;
        if (count == 9)
            return false;
        tokens[count++] = (struct slice){subject.data + begin, i - begin};
        begin = i + 1;
    }
    return count == 9;
}

static void negative(struct js_consumer *c, uint64_t sseq, uint64_t dseq, struct slice payload)
{
    struct js_pending *p = js_consumer_find_pending(c, sseq);
    if (dseq <= c->now.adflr || dseq > c->now.dseq || p == NULL)
        return;
    struct server *s = c->stream->server;
    struct err err = {0};
    int64_t delay = 0;
    struct slice rest = {payload.data + 4, payload.len - 4};
    arena_reset(&s->arena);
    const struct json *options = rest.len > 0 ? json_parse(&s->arena, rest, &err) : NULL;
    if (json_get_i64(options, "delay", &delay) && delay > 0) {
        p->time = s->now - c->config.ack_wait + delay;
        return;
    }
    if (!js_delivery_is_queued(c, sseq))
        js_delivery_requeue(c, sseq);
    js_delivery_run(c);
}

void js_consumer_on_ack(struct server *s, struct slice subject, struct slice reply,
                        struct slice payload)
{
    struct slice tokens[9];
    uint64_t sseq;
    uint64_t dseq;
    if (server_is_lost(s, SERVER_LOSES_ACK) || !parse_ack(subject, tokens) ||
        !num_parse_u64(tokens[5], &sseq) || !num_parse_u64(tokens[6], &dseq))
        return;
    struct js_stream *stream = js_stream_find(s, tokens[2]);
    struct js_consumer *c = stream == NULL ? NULL : js_consumer_find(stream, tokens[3]);
    if (c == NULL || (c->config.ack == JS_ACK_POLICY_NONE && server_is_since(s, 10, 0))) {
        if (reply.len > 0)
            js_wire_no_responders(s, reply, subject);
        return;
    }
    if (sseq >= c->now.sseq && !slice_starts_with(payload, "-NAK")) {
        if (!server_is_since(s, 10, 0) && reply.len > 0) /* before, it was at least answered */
            js_wire_send(s, reply, reply, (struct slice){0}, (struct slice){0}, (struct slice){0});
        return;
    }
    if (payload.len == 0 || slice_is(payload, "+ACK"))
        js_consumer_ack(c, sseq, dseq);
    else if (slice_starts_with(payload, "-NAK"))
        negative(c, sseq, dseq, payload);
    else if (slice_starts_with(payload, "+TERM"))
        js_consumer_ack(c, sseq, dseq);
    else if (slice_is(payload, "+WPI")) {
        struct js_pending *p = js_consumer_find_pending(c, sseq);
        if (p != NULL)
            p->time = s->now;
    }
    if (reply.len > 0 && !server_is_lost(s, SERVER_LOSES_REPLY))
        js_wire_send(s, reply, reply, (struct slice){0}, (struct slice){0}, (struct slice){0});
}

static void copy_state(struct js_consumer_state *to, const struct js_consumer_state *from)
{
    struct js_pending *pending = to->pending;
    struct js_redelivery *delivered = to->delivered;
    size_t pending_cap = to->pending_cap;
    size_t delivered_cap = to->delivered_cap;
    while (pending_cap < from->pending_count)
        pending = js_grow_array(pending, &pending_cap, sizeof(*pending));
    while (delivered_cap < from->delivered_count)
        delivered = js_grow_array(delivered, &delivered_cap, sizeof(*delivered));
    if (from->pending_count > 0)
        memcpy(pending, from->pending, from->pending_count * sizeof(*pending));
    if (from->delivered_count > 0)
        memcpy(delivered, from->delivered, from->delivered_count * sizeof(*delivered));
    *to = *from;
    to->pending = pending;
    to->delivered = delivered;
    to->pending_cap = pending_cap;
    to->delivered_cap = delivered_cap;
}

void js_consumer_save(struct js_consumer *c)
{
    copy_state(&c->saved, &c->now);
}

void js_consumer_restore(struct js_consumer *c)
{
    copy_state(&c->now, &c->saved);
    c->queue_count = 0;
}

/* What is not in the stream any more can't be pending. Since 2.14 a consumer that is ahead of its
 * stream goes back to it (#5412). */
void js_consumer_fit_stream(struct js_consumer *c)
{
    const struct js_stream *stream = c->stream;
    for (size_t i = 0; i < c->now.pending_count;) {
        if (js_stream_message(stream, c->now.pending[i].sseq) != NULL)
            i++;
        else
            forget(c, &c->now.pending[i]);
    }
    if (!server_is_since(stream->server, 14, 0))
        return;
    if (c->now.sseq > stream->last_seq + 1)
        c->now.sseq = stream->last_seq + 1;
    if (c->now.asflr > stream->last_seq)
        c->now.asflr = stream->last_seq;
}
