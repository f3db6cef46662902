/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model.h"

/* Pull requests and what is sent to them: nats-server/server/consumer.go (processNextMsgRequest,
 * loopAndGatherMsgs, nextWaiting, processWaiting, getNextMsg, checkPending). */

bool js_delivery_is_queued(const struct js_consumer *c, uint64_t sseq)
{
    for (size_t i = 0; i < c->queue_count; i++)
        if (c->queue[i] == sseq)
            return true;
    return false;
}

void js_delivery_requeue(struct js_consumer *c, uint64_t sseq)
{
    JS_GROW(c->queue, c->queue_count, c->queue_cap);
    c->queue[c->queue_count++] = sseq;
}

static void requeue_first(struct js_consumer *c, uint64_t sseq)
{
    JS_GROW(c->queue, c->queue_count, c->queue_cap);
    memmove(c->queue + 1, c->queue, c->queue_count * sizeof(*c->queue));
    c->queue[0] = sseq;
    c->queue_count++;
}

void js_delivery_unqueue(struct js_consumer *c, uint64_t sseq)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->queue_count; i++)
        if (c->queue[i] != sseq)
            c->queue[kept++] = c->queue[i];
    c->queue_count = kept;
}

static void drop_request(struct js_consumer *c, size_t index)
{
    free(c->waiting[index].reply);
    memmove(&c->waiting[index], &c->waiting[index + 1],
            (c->waiting_count - index - 1) * sizeof(*c->waiting));
    c->waiting_count--;
}

/* A status that ends a request; `pending` says what was left of it. */
static void end_request(struct js_consumer *c, size_t index, const char *status, bool pending)
{
    struct server *s = c->stream->server;
    struct js_waiting *w = &c->waiting[index];
    char more[128] = "";
    if (pending)
        snprintf(more, sizeof(more), "\r\nNats-Pending-Messages: %lld\r\nNats-Pending-Bytes: %lld",
                 (long long)w->batch, (long long)w->bytes);
    char text[256];
    snprintf(text, sizeof(text), "%s%s", status, more);
    js_wire_status(s, slice_of(w->reply), text);
    drop_request(c, index);
}

void js_delivery_end_all(struct js_consumer *c, const char *status, bool with_pending)
{
    while (c->waiting_count > 0)
        end_request(c, 0, status, with_pending);
}

static void refuse(struct js_consumer *c, struct slice reply, const char *text)
{
    js_wire_status(c->stream->server, reply, text);
}

/* As Go prints a duration of whole seconds. */
static void say_expires(char *text, size_t size, int64_t seconds)
{
    const char *what = "409 Exceeded MaxRequestExpires of";
    if (seconds < 60)
        snprintf(text, size, "%s %llds", what, (long long)seconds);
    else
        snprintf(text, size, "%s %lldm%llds", what, (long long)seconds / 60,
                 (long long)seconds % 60);
}

/* Over the limits of the consumer, or no request at all: true, and told. */
static bool is_refused(struct js_consumer *c, struct slice reply, const struct js_waiting *w,
                       int64_t expires)
{
    char text[128] = "";
    if (w->heartbeat > 0 && expires > 0 && w->heartbeat * 2 > expires)
        snprintf(text, sizeof(text), "400 Bad Request - heartbeat value too large");
    else if (c->config.max_batch > 0 && w->batch > c->config.max_batch)
        snprintf(text, sizeof(text), "409 Exceeded MaxRequestBatch of %lld",
                 (long long)c->config.max_batch);
    else if (c->config.max_expires > 0 && expires > c->config.max_expires)
        say_expires(text, sizeof(text), c->config.max_expires / CLOCK_SECOND);
    else if (c->config.max_bytes > 0 && w->bytes > c->config.max_bytes)
        snprintf(text, sizeof(text), "409 Exceeded MaxRequestMaxBytes of %lld",
                 (long long)c->config.max_bytes);
    if (text[0] != '\0')
        refuse(c, reply, text);
    return text[0] != '\0';
}

/* Requests that are over, heartbeats that are due. */
static void process_waiting(struct js_consumer *c)
{
    struct server *s = c->stream->server;
    for (size_t i = 0; i < c->waiting_count;) {
        struct js_waiting *w = &c->waiting[i];
        if (w->expires <= s->now) {
            end_request(c, i, "408 Request Timeout", true);
            continue;
        }
        if (!js_wire_has_interest(s, w->reply)) {
            drop_request(c, i);
            continue;
        }
        c->active = s->now;
        if (w->next_heartbeat <= s->now) {
            char text[128];
            snprintf(text, sizeof(text),
                     "100 Idle Heartbeat\r\nNats-Last-Consumer: %llu\r\nNats-Last-Stream: %llu",
                     (unsigned long long)(c->now.dseq - 1), (unsigned long long)(c->now.sseq - 1));
            js_wire_status(s, slice_of(w->reply), text);
            w->next_heartbeat = s->now + w->heartbeat;
        }
        i++;
    }
}

void js_delivery_request(struct js_consumer *c, struct slice reply, struct slice body)
{
    struct server *s = c->stream->server;
    struct err err = {0};
    int64_t expires = 0;
    struct js_waiting w = {0};
    c->active = s->now;
    if (c->config.deliver_subject != NULL) {
        refuse(c, reply, "409 Consumer is push based");
        return;
    }
    arena_reset(&s->arena);
    const struct json *request = body.len > 0 ? json_parse(&s->arena, body, &err) : NULL;
    if (body.len > 0 && request == NULL) {
        refuse(c, reply, "400 Bad Request - unexpected end of JSON input");
        return;
    }
    json_get_i64(request, "batch", &w.batch);
    json_get_i64(request, "max_bytes", &w.bytes);
    json_get_i64(request, "expires", &expires);
    json_get_i64(request, "idle_heartbeat", &w.heartbeat);
    json_get_bool(request, "no_wait", &w.no_wait);
    if (w.batch <= 0)
        w.batch = 1;
    if (is_refused(c, reply, &w, expires))
        return;
    process_waiting(c);
    if ((int64_t)c->waiting_count >= c->config.max_waiting) {
        if (w.heartbeat == 0 || !server_is_since(s, 11, 5))
            refuse(c, reply, "409 Exceeded MaxWaiting");
        return;
    }
    w.expires = expires > 0 ? s->now + expires : INT64_MAX;
    w.next_heartbeat = w.heartbeat > 0 ? s->now + w.heartbeat : INT64_MAX;
    w.reply = js_copy_slice(reply);
    JS_GROW(c->waiting, c->waiting_count, c->waiting_cap);
    c->waiting[c->waiting_count++] = w;
    js_delivery_run(c);
}

static uint64_t count_delivery(struct js_consumer *c, uint64_t sseq)
{
    struct js_consumer_state *state = &c->now;
    for (size_t i = 0; i < state->delivered_count; i++)
        if (state->delivered[i].sseq == sseq)
            return ++state->delivered[i].count + 1;
    JS_GROW(state->delivered, state->delivered_count, state->delivered_cap);
    state->delivered[state->delivered_count++] = (struct js_redelivery){sseq, 1};
    return 2;
}

static void uncount_delivery(struct js_consumer *c, uint64_t sseq)
{
    for (size_t i = 0; i < c->now.delivered_count; i++)
        if (c->now.delivered[i].sseq == sseq)
            c->now.delivered[i].count--;
}

struct next {
    uint64_t sseq, delivered;
};

/* The next message to be delivered; false if there is none, or none may be. */
static bool next_message(struct js_consumer *c, struct next *next)
{
    while (c->queue_count > 0) {
        uint64_t sseq = c->queue[0];
        memmove(c->queue, c->queue + 1, --c->queue_count * sizeof(*c->queue));
        uint64_t delivered = count_delivery(c, sseq);
        if (c->config.max_deliver > 0 && delivered > (uint64_t)c->config.max_deliver) {
            js_consumer_give_up(c, sseq);
            continue;
        }
        if (js_stream_message(c->stream, sseq) == NULL) {
            uncount_delivery(c, sseq);
            continue;
        }
        *next = (struct next){sseq, delivered};
        return true;
    }
    if (c->config.max_ack_pending > 0 && c->now.pending_count >= (size_t)c->config.max_ack_pending)
        return false;
    while (c->now.sseq <= c->stream->last_seq) {
        uint64_t sseq = c->now.sseq++;
        if (!js_consumer_wants(c, sseq))
            continue;
        *next = (struct next){sseq, 1};
        return true;
    }
    return false;
}

static void put_back(struct js_consumer *c, const struct next *next)
{
    if (next->delivered == 1) {
        c->now.sseq = next->sseq;
        return;
    }
    uncount_delivery(c, next->sseq);
    requeue_first(c, next->sseq);
}

static void track(struct js_consumer *c, uint64_t sseq, uint64_t dseq)
{
    struct js_consumer_state *state = &c->now;
    struct js_pending *p = js_consumer_find_pending(c, sseq);
    if (p != NULL) {
        p->time = c->stream->server->now; /* the number of the first delivery stays (2.10.17) */
        return;
    }
    JS_GROW(state->pending, state->pending_count, state->pending_cap);
    size_t i = state->pending_count++;
    for (; i > 0 && state->pending[i - 1].sseq > sseq; i--)
        state->pending[i] = state->pending[i - 1];
    state->pending[i] = (struct js_pending){sseq, dseq, c->stream->server->now};
}

static void append_ack_subject(struct js_consumer *c, const struct next *next)
{
    const struct js_message *m = js_stream_message(c->stream, next->sseq);
    buf_printf(&c->stream->server->scratch, "$JS.ACK.%s.%s.%llu.%llu.%llu.%lld.%llu",
               c->stream->config.name, c->name, (unsigned long long)next->delivered,
               (unsigned long long)next->sseq, (unsigned long long)c->now.dseq, (long long)m->time,
               (unsigned long long)js_consumer_pending(c));
}

/* The request that takes a message of `size`: its place, or -1. Those that it is too large for are
 * over. */
static int take_request(struct js_consumer *c, int64_t size)
{
    while (c->waiting_count > 0) {
        struct js_waiting *w = &c->waiting[0];
        if (w->bytes > 0 && size > w->bytes) {
            end_request(c, 0, "409 Message Size Exceeds MaxBytes", true);
            continue;
        }
        if (w->bytes > 0) {
            w->bytes -= size;
            if (w->bytes == 0)
                w->batch = 1;
        }
        w->batch--;
        return 0;
    }
    return -1;
}

static void send_message(struct js_consumer *c, const struct next *next, const char *to)
{
    struct server *s = c->stream->server;
    const struct js_message *m = js_stream_message(c->stream, next->sseq);
    uint64_t dseq = c->now.dseq++;
    if (c->config.ack == JS_ACK_POLICY_NONE) {
        c->now.adflr = dseq;
        c->now.asflr = next->sseq;
    } else {
        track(c, next->sseq, dseq);
    }
    if (server_is_lost(s, SERVER_LOSES_DELIVERY))
        return;
    struct slice payload = js_message_payload(m);
    struct slice header = js_message_header(m);
    if (c->config.headers_only) {
        buf_reset(&s->header);
        if (header.len > 2)
            buf_append(&s->header, header.data, header.len - 2);
        else
            buf_append_text(&s->header, "NATS/1.0\r\n");
        buf_printf(&s->header, "Nats-Msg-Size: %zu\r\n\r\n", payload.len);
        header = buf_slice(&s->header);
        payload.len = 0;
    }
    js_wire_send(s, slice_of(to), js_message_subject(m), buf_slice(&s->scratch), header, payload);
}

/* The request at the front has got a message: to the end of the line, or over. */
static void recycle(struct js_consumer *c)
{
    struct js_waiting w = c->waiting[0];
    if (w.batch <= 0) {
        if (w.bytes > 0 && server_is_since(c->stream->server, 10, 0))
            end_request(c, 0, "409 Batch Completed", true);
        else
            drop_request(c, 0);
        return;
    }
    if (w.heartbeat > 0)
        w.next_heartbeat = c->stream->server->now + w.heartbeat;
    memmove(c->waiting, c->waiting + 1, (c->waiting_count - 1) * sizeof(*c->waiting));
    c->waiting[c->waiting_count - 1] = w;
}

static void end_impatient(struct js_consumer *c)
{
    for (size_t i = 0; i < c->waiting_count;) {
        if (c->waiting[i].no_wait)
            end_request(c, i, "404 No Messages", false);
        else
            i++;
    }
}

/* What was not acked in time comes again. */
static void check_pending(struct js_consumer *c)
{
    int64_t now = c->stream->server->now;
    for (size_t i = 0; i < c->now.pending_count; i++) {
        struct js_pending *p = &c->now.pending[i];
        if (now - p->time < c->config.ack_wait || js_delivery_is_queued(c, p->sseq))
            continue;
        js_delivery_requeue(c, p->sseq);
        p->time = now;
    }
}

void js_delivery_run(struct js_consumer *c)
{
    struct server *s = c->stream->server;
    struct next next;
    if (s->down)
        return;
    if (c->config.ack != JS_ACK_POLICY_NONE)
        check_pending(c);
    process_waiting(c);
    while (c->waiting_count > 0 && next_message(c, &next)) {
        const struct js_message *m = js_stream_message(c->stream, next.sseq);
        buf_reset(&s->scratch);
        append_ack_subject(c, &next);
        int64_t size = (int64_t)(m->subject_len + s->scratch.len + m->header_len + m->payload_len);
        if (take_request(c, size) < 0) {
            put_back(c, &next);
            break;
        }
        char *to = js_copy_slice(slice_of(c->waiting[0].reply));
        send_message(c, &next, to);
        free(to);
        recycle(c);
    }
    if (c->waiting_count > 0)
        end_impatient(c);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t js_delivery_deadline(const struct js_consumer *c)
{
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < c->waiting_count; i++) {
        deadline = earlier(deadline, c->waiting[i].expires);
        deadline = earlier(deadline, c->waiting[i].next_heartbeat);
    }
    for (size_t i = 0; i < c->now.pending_count && c->config.ack != JS_ACK_POLICY_NONE; i++)
        if (!js_delivery_is_queued(c, c->now.pending[i].sseq))
            deadline = earlier(deadline, c->now.pending[i].time + c->config.ack_wait);
    if (c->config.inactive_threshold > 0 && c->waiting_count == 0)
        deadline = earlier(deadline, c->active + c->config.inactive_threshold);
    return deadline;
}
