/* SPDX-License-Identifier: MIT */
#include "drain/acker.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"

/* How far the acks of one source are. */
struct part {
    struct acklist_cursor cursor;
    uint64_t request; /* that will confirm the last one */
    int64_t not_before;
    bool done;
};

struct acker_epoch {
    struct acker_epoch *next;
    struct epoch *epoch;
    struct part parts[];
};

void acker_init(struct acker *a, struct source *sources)
{
    *a = (struct acker){.sources = sources};
    a->last = &a->first;
}

/* Drop the epoch that *link points to. */
static void drop(struct acker *a, struct acker_epoch **link)
{
    struct acker_epoch *entry = *link;
    *link = entry->next;
    if (entry->next == NULL)
        a->last = link;
    epoch_free(entry->epoch);
    free(entry);
}

void acker_free(struct acker *a)
{
    while (a->first != NULL)
        drop(a, &a->first);
    buf_free(&a->subject);
}

uint64_t acker_memory(const struct acker *a)
{
    uint64_t bytes = 0;
    for (const struct acker_epoch *e = a->first; e != NULL; e = e->next)
        bytes += epoch_memory(e->epoch);
    return bytes;
}

int64_t acker_oldest(const struct acker *a, uint32_t source)
{
    int64_t oldest = INT64_MAX;
    for (const struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        int64_t received = e->epoch->sources[source].oldest;
        if (!e->parts[source].done && received < oldest)
            oldest = received;
    }
    return oldest;
}

bool acker_is_idle(const struct acker *a)
{
    return a->first == NULL;
}

static bool is_finished(const struct acker_epoch *e)
{
    for (uint32_t i = 0; i < e->epoch->source_count; i++)
        if (!e->parts[i].done)
            return false;
    return true;
}

/* One that waits for a source which can't be reached does not hold up the others. */
static void drop_finished(struct acker *a)
{
    struct acker_epoch **link = &a->first;
    while (*link != NULL) {
        if (is_finished(*link))
            drop(a, link);
        else
            link = &(*link)->next;
    }
}

void acker_add(struct acker *a, struct epoch *epoch)
{
    size_t size = sizeof(struct acker_epoch) + epoch->source_count * sizeof(struct part);
    struct acker_epoch *entry = calloc(1, size);
    if (entry == NULL)
        out_of_memory(size);
    entry->epoch = epoch;
    for (uint32_t i = 0; i < epoch->source_count; i++)
        entry->parts[i].done =
            epoch->sources[i].acks.count == 0 || a->sources[i].settings->delivery != CONFIG_DURABLE;
    *a->last = entry;
    a->last = &entry->next;
    drop_finished(a);
}

/* Acks of one source, as far as there is room. The last one asks for a reply. */
static void send_part(struct acker *a, struct nats_client *client, struct part *part,
                      const struct acklist *acks, struct stats_source *stats, int64_t now)
{
    struct nats_ack ack;
    while (client->out.len < ACKER_OUTPUT_MAX && part->cursor.done + 1 < acks->count) {
        ASSERT(acklist_next(acks, &part->cursor, &ack));
        nats_ack_append_publish(&client->out, &ack);
        stats->acks_sent++;
    }
    if (part->cursor.done + 1 != acks->count || client->out.len >= ACKER_OUTPUT_MAX)
        return;
    struct acklist_cursor before = part->cursor;
    ASSERT(acklist_next(acks, &part->cursor, &ack));
    buf_reset(&a->subject);
    nats_ack_append_subject(&a->subject, &ack);
    part->request = nats_client_request(client, buf_slice(&a->subject), (struct slice){0},
                                        (struct slice){0}, ACKER_CONFIRM_TIMEOUT, now);
    if (part->request == 0)
        part->cursor = before; /* too many questions are open: next time */
    else
        stats->acks_sent++;
}

/* Once a source pulls again, its consumer is known to be there. */
static bool can_send(const struct acker *a, const struct acker_epoch *e, uint32_t source)
{
    const struct part *part = &e->parts[source];
    return !part->done && part->request == 0 && a->sources[source].state == SOURCE_PULLING;
}

int64_t acker_deadline(const struct acker *a)
{
    int64_t deadline = INT64_MAX;
    for (const struct acker_epoch *e = a->first; e != NULL; e = e->next)
        for (uint32_t i = 0; i < e->epoch->source_count; i++)
            if (can_send(a, e, i) && e->parts[i].not_before < deadline)
                deadline = e->parts[i].not_before;
    return deadline;
}

void acker_tick(struct acker *a, struct nats_client *client, int64_t now)
{
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        for (uint32_t i = 0; i < e->epoch->source_count; i++) {
            const struct epoch_source *from = &e->epoch->sources[i];
            if (!can_send(a, e, i) || now < e->parts[i].not_before)
                continue;
            if (!slice_is(buf_slice(&a->sources[i].created), from->created)) {
                e->parts[i].done = true;
                continue;
            }
            send_part(a, client, &e->parts[i], &from->acks, &a->sources[i].stats, now);
            if (client->out.len >= ACKER_OUTPUT_MAX)
                return;
        }
    }
    drop_finished(a);
}

static void finish(struct part *part, const char *stream, uint64_t count,
                   const struct nats_event *event, int64_t now)
{
    part->request = 0;
    part->done = event->outcome == NATS_OUTCOME_REPLY;
    if (part->done)
        return;
    log_message(LOG_WARNING, "acks_unconfirmed", "stream %s: %llu acks", stream,
                (unsigned long long)count);
    part->cursor = (struct acklist_cursor){0};
    part->not_before = now + ACKER_RETRY;
}

bool acker_reply(struct acker *a, const struct nats_event *event, int64_t now)
{
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        for (uint32_t i = 0; i < e->epoch->source_count; i++) {
            struct part *part = &e->parts[i];
            if (part->request == 0 || part->request != event->request)
                continue;
            finish(part, a->sources[i].settings->stream, e->epoch->sources[i].acks.count, event,
                   now);
            drop_finished(a);
            return true;
        }
    }
    return false;
}

void acker_restart(struct acker *a)
{
    for (struct acker_epoch *e = a->first; e != NULL; e = e->next) {
        for (uint32_t i = 0; i < e->epoch->source_count; i++) {
            e->parts[i].cursor = (struct acklist_cursor){0};
            e->parts[i].request = 0;
            e->parts[i].not_before = 0;
        }
    }
}
