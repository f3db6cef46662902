/* SPDX-License-Identifier: MIT */
#include "drain/acker.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"

enum debt_state {
    DEBT_HELD,   /* the epoch is not committed; extended where others would get the messages */
    DEBT_DUE,    /* to be sent, from not_before on */
    DEBT_ASKED,  /* all is sent, and the server was asked to confirm the last one */
    DEBT_SETTLED /* nothing is owed, or not any more */
};

/* What is owed to one source for one epoch. */
struct debt {
    enum debt_state state;
    struct buf created; /* the generation of its stream */
    struct acklist acks;
    struct acklist_cursor cursor;   /* of DUE: how far they are sent */
    int64_t not_before;             /* of DUE */
    struct acklist_cursor extended; /* of HELD: how far +WPI is sent, in a round that has begun */
    int64_t extend_at;              /* of HELD: when the next round begins */
    uint64_t request;               /* of ASKED */
    int64_t oldest;                 /* when the first message was received */
};

struct acker_epoch {
    struct acker_epoch *next;
    uint64_t number;
    struct debt debts[];
};

void acker_init(struct acker *a, struct source *sources, uint32_t source_count)
{
    *a = (struct acker){.sources = sources, .source_count = source_count};
    a->last = &a->first;
}

static size_t epoch_size(const struct acker *a)
{
    return sizeof(struct acker_epoch) + a->source_count * sizeof(struct debt);
}

/* Forget the epoch that *link points to. */
static void drop(struct acker *a, struct acker_epoch **link)
{
    struct acker_epoch *entry = *link;
    *link = entry->next;
    if (entry->next == NULL)
        a->last = link;
    for (uint32_t i = 0; i < a->source_count; i++) {
        acklist_free(&entry->debts[i].acks);
        buf_free(&entry->debts[i].created);
    }
    account_free(&a->account, entry, epoch_size(a));
}

void acker_free(struct acker *a)
{
    while (a->first != NULL)
        drop(a, &a->first);
    buf_free(&a->subject);
}

int64_t acker_oldest(const struct acker *a, uint32_t source)
{
    int64_t oldest = INT64_MAX;
    for (const struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        const struct debt *debt = &e->debts[source];
        if (debt->state != DEBT_SETTLED && debt->oldest < oldest)
            oldest = debt->oldest;
    }
    return oldest;
}

bool acker_is_idle(const struct acker *a)
{
    for (const struct acker_epoch *e = a->first; e != NULL; e = e->next)
        for (uint32_t i = 0; i < a->source_count; i++)
            if (e->debts[i].state == DEBT_DUE || e->debts[i].state == DEBT_ASKED)
                return false;
    return true;
}

static bool is_settled(const struct acker *a, const struct acker_epoch *e)
{
    for (uint32_t i = 0; i < a->source_count; i++)
        if (e->debts[i].state != DEBT_SETTLED)
            return false;
    return true;
}

/* One that waits for a source which can't be reached does not hold up the others. */
static void drop_settled(struct acker *a)
{
    struct acker_epoch **link = &a->first;
    while (*link != NULL) {
        if (is_settled(a, *link))
            drop(a, link);
        else
            link = &(*link)->next;
    }
}

static struct acker_epoch *find(struct acker *a, uint64_t number)
{
    struct acker_epoch *e = a->first;
    while (e != NULL && e->number != number)
        e = e->next;
    return e;
}

static struct acker_epoch *add_epoch(struct acker *a, uint64_t number)
{
    struct acker_epoch *e = account_alloc(&a->account, 1, epoch_size(a));
    e->number = number;
    for (uint32_t i = 0; i < a->source_count; i++) {
        struct debt *debt = &e->debts[i];
        debt->state = DEBT_SETTLED;
        debt->created.account = &a->account;
        debt->acks.bytes.account = &a->account;
        debt->acks.forms.account = &a->account;
    }
    *a->last = e;
    a->last = &e->next;
    return e;
}

/* "$JS.ACK.<stream>.<consumer>.": is it this consumer? */
static bool is_of(const struct nats_ack *ack, const char *consumer)
{
    size_t len = strlen(consumer);
    const uint8_t *end = ack->prefix.data + ack->prefix.len;
    return ack->prefix.len > len + 1 && end[-(ptrdiff_t)len - 2] == '.' &&
           memcmp(end - len - 1, consumer, len) == 0;
}

void acker_owe(struct acker *a, uint32_t source, uint64_t epoch, const struct nats_ack *ack,
               int64_t now)
{
    const struct config_source *settings = a->sources[source].settings;
    if (settings->delivery == CONFIG_DURABLE && !is_of(ack, settings->consumer))
        return;
    struct acker_epoch *e = find(a, epoch);
    if (e == NULL)
        e = add_epoch(a, epoch);
    struct debt *debt = &e->debts[source];
    if (debt->state == DEBT_SETTLED) {
        debt->state = DEBT_HELD;
        debt->oldest = now;
        buf_append_slice(&debt->created, buf_slice(&a->sources[source].generation.created));
    }
    ASSERT(debt->state == DEBT_HELD);
    acklist_add(&debt->acks, ack);
}

static void count_delays(struct source *source, const struct acklist *acks, int64_t wall)
{
    struct nats_ack ack;
    struct acklist_cursor cursor = {0};
    while (acklist_next(acks, &cursor, &ack))
        histogram_observe(&source->counters.delay, wall - ack.timestamp_ns);
}

void acker_committed(struct acker *a, uint64_t epoch, int64_t wall)
{
    struct acker_epoch *e = find(a, epoch);
    for (uint32_t i = 0; i < a->source_count && e != NULL; i++) {
        struct debt *debt = &e->debts[i];
        if (debt->state != DEBT_HELD)
            continue;
        count_delays(&a->sources[i], &debt->acks, wall);
        bool acked = a->sources[i].settings->delivery == CONFIG_DURABLE;
        debt->state = acked ? DEBT_DUE : DEBT_SETTLED;
    }
    drop_settled(a);
}

/* As far as there is room. The last one asks for a reply. */
static void send(struct acker *a, struct nats_client *client, struct debt *debt,
                 struct source_counters *counters, int64_t now)
{
    struct nats_ack ack;
    while (client->out.len < ACKER_OUTPUT_MAX && debt->cursor.done + 1 < debt->acks.count) {
        ASSERT(acklist_next(&debt->acks, &debt->cursor, &ack));
        nats_ack_append_publish(&client->out, &ack);
        counters->acks_sent++;
    }
    if (debt->cursor.done + 1 != debt->acks.count || client->out.len >= ACKER_OUTPUT_MAX)
        return;
    struct acklist_cursor before = debt->cursor;
    ASSERT(acklist_next(&debt->acks, &debt->cursor, &ack));
    buf_reset(&a->subject);
    nats_ack_append_subject(&a->subject, &ack);
    debt->request = nats_client_request(client, buf_slice(&a->subject), (struct slice){0},
                                        (struct slice){0}, ACKER_CONFIRM_TIMEOUT, now);
    if (debt->request == 0) {
        debt->cursor = before; /* too many questions are open */
        debt->not_before = now + ACKER_PAUSE;
        return;
    }
    debt->state = DEBT_ASKED;
    counters->acks_sent++;
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
    if (!slice_equal(buf_slice(&source->generation.created), buf_slice(&debt->created))) {
        debt->state = DEBT_SETTLED;
        return INT64_MAX;
    }
    send(a, client, debt, &source->counters, now);
    if (debt->state != DEBT_DUE)
        return INT64_MAX;
    return debt->not_before > now ? debt->not_before : now;
}

int64_t acker_tick(struct acker *a, struct nats_client *client, int64_t now)
{
    int64_t next = INT64_MAX;
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        for (uint32_t i = 0; i < a->source_count; i++) {
            int64_t due = advance(a, client, &e->debts[i], &a->sources[i], now);
            next = due < next ? due : next;
        }
    }
    drop_settled(a);
    return next;
}

static void take_answer(struct debt *debt, const char *stream, const struct nats_event *event,
                        int64_t now)
{
    if (event->outcome == NATS_OUTCOME_REPLY) {
        debt->state = DEBT_SETTLED;
        return;
    }
    log_message(LOG_WARNING, "acks_unconfirmed", "stream %s: %llu acks", stream,
                (unsigned long long)debt->acks.count);
    debt->state = DEBT_DUE;
    debt->cursor = (struct acklist_cursor){0};
    debt->not_before = now + ACKER_RETRY;
}

bool acker_reply(struct acker *a, const struct nats_event *event, int64_t now)
{
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        for (uint32_t i = 0; i < a->source_count; i++) {
            struct debt *debt = &e->debts[i];
            if (debt->state != DEBT_ASKED || debt->request != event->request)
                continue;
            take_answer(debt, a->sources[i].settings->stream, event, now);
            drop_settled(a);
            return true;
        }
    }
    return false;
}

void acker_restart(struct acker *a)
{
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        for (uint32_t i = 0; i < a->source_count; i++) {
            struct debt *debt = &e->debts[i];
            if (debt->state == DEBT_ASKED)
                debt->state = DEBT_DUE;
            debt->cursor = debt->extended = (struct acklist_cursor){0};
            debt->not_before = 0;
        }
    }
}
