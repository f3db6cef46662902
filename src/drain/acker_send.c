/* SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "drain/acker_part.h"

/* What is due of what is owed: an ack for each message, or one for all up to a sequence. */

/* Ask for the subject's ack to be confirmed. 0: too many questions are open. */
static uint64_t ask(const struct acker *a, struct nats_client *client,
                    struct source_counters *counters, int64_t now)
{
    uint64_t request = nats_client_request(client, buf_slice(&a->subject), (struct slice){0},
                                           (struct slice){0}, ACKER_CONFIRM_TIMEOUT, now);
    counters->acks_sent += request != 0;
    return request;
}

/* The next one that is owed. The consumer may have forgotten what it delivered before it was looked
 * at, and have others under these numbers by now. */
static void take(struct debt *debt, const struct source *source, struct nats_ack *ack)
{
    ASSERT(acklist_next(&debt->acks, &debt->cursor, ack));
    if (debt->oldest <= source->attached_at)
        ack->consumer_seq = NATS_ACK_OF_NO_DELIVERY;
}

/* As far as there is room. The last one asks for a reply. */
static void send(struct acker *a, struct nats_client *client, struct debt *debt,
                 struct source *source, int64_t now)
{
    struct source_counters *counters = &source->counters;
    struct nats_ack ack;
    while (client->out.len < ACKER_OUTPUT_MAX && debt->cursor.done + 1 < debt->acks.count) {
        take(debt, source, &ack);
        nats_ack_append_publish(&client->out, &ack);
        counters->acks_sent++;
    }
    if (debt->cursor.done + 1 != debt->acks.count || client->out.len >= ACKER_OUTPUT_MAX)
        return;
    struct acklist_cursor before = debt->cursor;
    take(debt, source, &ack);
    buf_reset(&a->subject);
    nats_ack_append_subject(&a->subject, &ack);
    debt->request = ask(a, client, counters, now);
    if (debt->request == 0) {
        debt->cursor = before;
        debt->not_before = now + ACKER_PAUSE;
        return;
    }
    debt->state = DEBT_ASKED;
}

/* Tell the server that the messages of an epoch that waits are being worked on: with half of
 * ack_wait gone, each costs as much as an ack. What comes into the open epoch meanwhile is in the
 * next round. */
static int64_t extend(struct nats_client *client, struct debt *debt, const struct source *source,
                      int64_t now)
{
    static const struct slice wpi = {(const uint8_t *)"+WPI", 4};
    struct nats_ack ack;
    if (!source->shared || source->ack_wait <= 0 || source->state != SOURCE_PULLING)
        return INT64_MAX;
    if (debt->extend_at == 0)
        debt->extend_at = debt->oldest + source->ack_wait / 2;
    if (now < debt->extend_at)
        return debt->extend_at;
    struct buf subject = {0};
    while (client->out.len < ACKER_OUTPUT_MAX && acklist_next(&debt->acks, &debt->extended, &ack)) {
        buf_reset(&subject);
        nats_ack_append_subject(&subject, &ack);
        nats_client_publish(client, buf_slice(&subject), (struct slice){0}, wpi);
    }
    buf_free(&subject);
    if (debt->extended.done < debt->acks.count)
        return now; /* when there is room again */
    debt->extended = (struct acklist_cursor){0};
    debt->extend_at = now + source->ack_wait / 2;
    return debt->extend_at;
}

static bool is_current(const struct source *source, const struct debt *debt)
{
    return slice_equal(buf_slice(&source->generation.created), buf_slice(&debt->created));
}

/* Send what is due of one debt. Returns when there is more to do for it. */
static int64_t advance(struct acker *a, struct nats_client *client, struct debt *debt,
                       struct source *source, int64_t now)
{
    if (debt->state == DEBT_HELD)
        return extend(client, debt, source, now);
    /* Once a source pulls again, its consumer is known to be there. */
    if (debt->state != DEBT_DUE || source->state != SOURCE_PULLING)
        return INT64_MAX;
    if (now < debt->not_before)
        return debt->not_before;
    /* No acks: the consumer took one for all when they were delivered, and was made anew since. The
     * source has them as unlisted, or they are durable, and acked when they come again. */
    if (!is_current(source, debt) || debt->acks.count == 0) {
        debt->state = DEBT_SETTLED;
        return INT64_MAX;
    }
    send(a, client, debt, source, now);
    if (debt->state != DEBT_DUE)
        return INT64_MAX;
    return debt->not_before > now ? debt->not_before : now;
}

/* What is owed to a source whose consumer takes one ack for all up to a sequence. */
struct front {
    struct debt *top; /* the one of those due that goes furthest; NULL: none can be acked */
    struct source_delivery held; /* of what can't be acked yet: the one that goes furthest */
    bool busy;                   /* an answer is awaited */
    int64_t not_before;
};

static void look_at(struct front *front, const struct source *source, struct debt *debt,
                    uint64_t limit)
{
    if (debt->state == DEBT_DUE && !is_current(source, debt))
        debt->state = DEBT_SETTLED;
    if (debt->state == DEBT_SETTLED)
        return;
    if (debt->state == DEBT_ASKED) {
        front->busy = true;
    } else if (debt->state == DEBT_HELD || debt->top.stream_seq > limit) {
        if (debt->top.stream_seq > front->held.stream_seq)
            front->held = debt->top;
    } else {
        if (front->top == NULL || debt->top.stream_seq > front->top->top.stream_seq)
            front->top = debt;
        if (debt->not_before > front->not_before)
            front->not_before = debt->not_before;
    }
}

/* What can be acked that goes furthest; stream_seq 0: nothing. */
static struct source_delivery choose(const struct source *source, const struct front *front,
                                     uint64_t limit)
{
    struct source_delivery point = {0};
    if (front->top != NULL)
        point = front->top->top;
    if (source->settled.stream_seq > point.stream_seq && source->settled.stream_seq <= limit)
        point = source->settled;
    /* The number may be of a consumer before this one. */
    if (point.consumer_seq > source->last_consumer_seq)
        point.consumer_seq = source->last_consumer_seq;
    if (front->held.stream_seq > point.stream_seq && front->held.consumer_seq <= point.consumer_seq)
        point.stream_seq = 0; /* what is held comes to be acked, and that is for this one, too */
    return point;
}

static void render(struct acker *a, const struct source *source, const struct debt *top,
                   struct source_delivery point)
{
    struct nats_ack ack = {
        .delivered = 1, .stream_seq = point.stream_seq, .consumer_seq = point.consumer_seq};
    struct buf prefix = {0};
    if (top != NULL && top->top.stream_seq == point.stream_seq) {
        ack.prefix = buf_slice(&top->prefix);
        ack.suffix = buf_slice(&top->suffix);
    } else {
        source_ack_prefix(source, &prefix);
        ack.prefix = buf_slice(&prefix);
    }
    buf_reset(&a->subject);
    nats_ack_append_subject(&a->subject, &ack);
    buf_free(&prefix);
}

/*
 * One ack for all up to a sequence: never above the one below which nothing is missing, or a
 * message that went into a broken connection would be acked with it. The server ignores an ack
 * whose consumer sequence is not above that of its floor (processAckMsg in nats-server's
 * consumer.go): the one that goes furthest is sent, and one of a redelivery, whose number is high,
 * not before what was received earlier and stands above it. What is ignored all the same comes
 * again, and is settled then.
 */
static int64_t advance_all(struct acker *a, struct nats_client *client, uint32_t index, int64_t now)
{
    struct source *source = &a->sources[index];
    uint64_t limit = ledger_position(&source->generation.ledger);
    struct front front = {0};
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next)
        look_at(&front, source, &e->debts[index], limit);
    if (front.busy || source->state != SOURCE_PULLING)
        return INT64_MAX;
    if (front.not_before > now)
        return front.not_before;
    struct source_delivery point = choose(source, &front, limit);
    if (point.stream_seq == 0)
        return INT64_MAX;
    render(a, source, front.top, point);
    if (source->settled.stream_seq <= point.stream_seq)
        source->settled = (struct source_delivery){0};
    if (front.top == NULL) {
        nats_client_publish(client, buf_slice(&a->subject), (struct slice){0}, (struct slice){0});
        source->counters.acks_sent++;
        return INT64_MAX;
    }
    uint64_t request = ask(a, client, &source->counters, now);
    if (request == 0)
        return now + ACKER_PAUSE;
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        struct debt *debt = &e->debts[index];
        if (debt->state != DEBT_DUE || debt->top.stream_seq > point.stream_seq)
            continue;
        debt->state = DEBT_ASKED;
        debt->request = request;
    }
    return INT64_MAX;
}

/* The same for what no epoch owes an ack for: see source_owe. Nothing of it is confirmed; what gets
 * lost is acked when it comes again. */
static void send_unlisted(struct nats_client *client, struct source *source)
{
    const struct ledger *ledger = &source->generation.ledger;
    const struct seqrange *range = source->unlisted.list;
    const struct seqrange *end = range + source->unlisted.count;
    struct nats_ack ack = {.delivered = 1, .consumer_seq = NATS_ACK_OF_NO_DELIVERY};
    uint64_t next = range->first, through = 0;
    struct buf prefix = {0};
    source_ack_prefix(source, &prefix);
    ack.prefix = buf_slice(&prefix);
    while (range != end && client->out.len < ACKER_OUTPUT_MAX && ledger_is_durable(ledger, next)) {
        ack.stream_seq = through = next;
        nats_ack_append_publish(&client->out, &ack);
        source->counters.acks_sent++;
        if (next < range->last)
            next++;
        else if (++range != end)
            next = range->first;
    }
    buf_free(&prefix);
    seqset_remove_through(&source->unlisted, through);
}

static int64_t tick_source(struct acker *a, struct nats_client *client, uint32_t index, int64_t now)
{
    struct source *source = &a->sources[index];
    int64_t next = INT64_MAX;
    if (source->ack == NATS_ACK_ALL)
        return advance_all(a, client, index, now);
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next)
        next = clock_earliest(next, advance(a, client, &e->debts[index], source, now));
    if (acker_has_unlisted(source))
        send_unlisted(client, source);
    return acker_has_unlisted(source) ? now : next;
}

int64_t acker_tick(struct acker *a, struct nats_client *client, int64_t now)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < a->source_count; i++)
        next = clock_earliest(next, tick_source(a, client, i, now));
    acker_drop_settled(a);
    return next;
}
