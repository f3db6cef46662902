/* SPDX-License-Identifier: MIT */
#include "drain/acker.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "drain/acker_part.h"

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
        struct debt *debt = &entry->debts[i];
        moments_free(&debt->stored);
        acklist_free(&debt->acks);
        buf_free(&debt->created);
        buf_free(&debt->prefix);
        buf_free(&debt->suffix);
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

bool acker_has_unlisted(const struct source *source)
{
    return source->unlisted.count > 0 && source->ack == NATS_ACK_EXPLICIT &&
           source->state == SOURCE_PULLING &&
           ledger_is_durable(&source->generation.ledger, source->unlisted.list[0].first);
}

bool acker_is_idle(const struct acker *a)
{
    for (const struct acker_epoch *e = a->first; e != NULL; e = e->next)
        for (uint32_t i = 0; i < a->source_count; i++)
            if (e->debts[i].state == DEBT_DUE || e->debts[i].state == DEBT_ASKED)
                return false;
    for (uint32_t i = 0; i < a->source_count; i++)
        if (acker_has_unlisted(&a->sources[i]))
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

void acker_drop_settled(struct acker *a)
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
        debt->stored.runs.account = &a->account;
        debt->prefix.account = debt->suffix.account = &a->account;
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

static void keep(struct buf *b, struct slice text)
{
    if (slice_equal(buf_slice(b), text))
        return; /* nearly always: it is the same consumer */
    buf_reset(b);
    buf_append_slice(b, text);
}

static void owe_ack(struct debt *debt, enum nats_ack_policy policy, const struct nats_ack *ack)
{
    if (policy != NATS_ACK_ALL)
        acklist_add(&debt->acks, ack);
    if (ack->stream_seq <= debt->top.stream_seq)
        return;
    debt->top = (struct source_delivery){ack->stream_seq, ack->consumer_seq};
    keep(&debt->prefix, ack->prefix);
    keep(&debt->suffix, ack->suffix);
}

void acker_owe(struct acker *a, uint32_t source, uint64_t epoch, const struct nats_ack *ack,
               int64_t now)
{
    const struct source *s = &a->sources[source];
    const struct config_source *settings = s->settings;
    if (settings->delivery == CONFIG_DURABLE && !is_of(ack, settings->consumer))
        return;
    struct acker_epoch *e = find(a, epoch);
    if (e == NULL)
        e = add_epoch(a, epoch);
    struct debt *debt = &e->debts[source];
    if (debt->state == DEBT_SETTLED) {
        debt->state = DEBT_HELD;
        debt->oldest = now;
        buf_append_slice(&debt->created, buf_slice(&s->generation.created));
    }
    ASSERT(debt->state == DEBT_HELD);
    moments_add(&debt->stored, ack->timestamp_ns);
    if (settings->delivery == CONFIG_DURABLE)
        owe_ack(debt, s->ack, ack);
}

void acker_again(struct acker *a, struct nats_client *client, uint32_t index,
                 const struct nats_ack *ack)
{
    struct source *source = &a->sources[index];
    if (source->settings->delivery != CONFIG_DURABLE)
        return;
    if (source->ack == NATS_ACK_ALL) {
        source_settle(source, ack->stream_seq, ack->consumer_seq);
        return;
    }
    nats_ack_append_publish(&client->out, ack);
    source->counters.acks_sent++;
}

void acker_committed(struct acker *a, uint64_t epoch, int64_t wall)
{
    struct acker_epoch *e = find(a, epoch);
    for (uint32_t i = 0; i < a->source_count && e != NULL; i++) {
        struct debt *debt = &e->debts[i];
        if (debt->state != DEBT_HELD)
            continue;
        histogram_observe_moments(&a->sources[i].counters.delay, &debt->stored, wall);
        moments_free(&debt->stored);
        bool acked = a->sources[i].settings->delivery == CONFIG_DURABLE;
        debt->state = acked ? DEBT_DUE : DEBT_SETTLED;
    }
    acker_drop_settled(a);
}

/* One ack may be for all up to a sequence, and settle what several epochs owe. */
static void tell_unconfirmed(const char *stream, uint64_t acks, uint64_t top)
{
    if (acks > 0)
        log_message(LOG_WARNING, "acks_unconfirmed", "stream %s: %llu acks", stream,
                    (unsigned long long)acks);
    else
        log_message(LOG_WARNING, "acks_unconfirmed",
                    "stream %s: the ack for all up to sequence %llu", stream,
                    (unsigned long long)top);
}

bool acker_reply(struct acker *a, const struct nats_event *event, int64_t now)
{
    const char *stream = NULL;
    uint64_t acks = 0, top = 0;
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        for (uint32_t i = 0; i < a->source_count; i++) {
            struct debt *debt = &e->debts[i];
            if (debt->state != DEBT_ASKED || debt->request != event->request)
                continue;
            stream = a->sources[i].settings->stream;
            acks += debt->acks.count;
            top = debt->top.stream_seq > top ? debt->top.stream_seq : top;
            debt->state = event->outcome == NATS_OUTCOME_REPLY ? DEBT_SETTLED : DEBT_DUE;
            debt->cursor = (struct acklist_cursor){0};
            debt->not_before = now + ACKER_RETRY;
        }
    }
    if (stream != NULL && event->outcome != NATS_OUTCOME_REPLY)
        tell_unconfirmed(stream, acks, top);
    acker_drop_settled(a);
    return stream != NULL;
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
