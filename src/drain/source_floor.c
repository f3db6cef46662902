/* SPDX-License-Identifier: MIT */
#include "drain/source_floor.h"

#include <string.h>

#include "base/num.h"
#include "drain/source_step.h"

/* first_wanted where the start is a time. 0 stands for what the stream has from then on. Where it
 * does not go back as far any more, all that it has is wanted, and what it had may have been; as of
 * a work queue, which begins where it begins. */
static uint64_t first_wanted_by_time(const struct source *s, const struct nats_consumer_info *info)
{
    if (info->ack_floor_consumer_seq == 0 || s->settings->shared)
        return info->ack_floor_stream_seq + 1;
    bool goes_back = s->first_time > 0 && s->first_time <= s->settings->start.time;
    return goes_back && s->retention != NATS_RETENTION_WORKQUEUE ? 0 : 1;
}

/* What a consumer that is there has as acked, and this store, which has nothing of the stream, was
 * never given: from where on is it wanted? */
static uint64_t first_wanted(const struct source *s, const struct nats_consumer_info *info)
{
    const struct config_start *start = &s->settings->start;
    if (s->generation.later)
        return 1;
    switch (start->kind) {
    case CONFIG_START_FIRST:
        return 1;
    case CONFIG_START_SEQUENCE:
        return start->sequence;
    case CONFIG_START_NEW:
        return info->ack_floor_stream_seq + 1; /* the consumer was made for it */
    case CONFIG_START_TIME:
        return first_wanted_by_time(s, info);
    }
    return 1;
}

void source_anchor(struct source *s, const struct nats_consumer_info *info, bool made)
{
    uint64_t start = first_wanted(s, info);
    bool by_policy = !s->generation.later && (s->settings->start.kind == CONFIG_START_NEW ||
                                              s->settings->start.kind == CONFIG_START_TIME);
    if (made && by_policy)
        start = info->delivered_stream_seq + 1;
    generation_anchor(&s->generation, start);
    s->generation.unsaved = start > 1;
    s->generation.start_saved = !by_policy; /* else the configuration says it each time */
    if (by_policy && start > info->ack_floor_stream_seq)
        s->last_consumer_seq = info->ack_floor_consumer_seq;
}

void source_begin_count(struct source *s)
{
    s->last_consumer_seq = s->generation.delivered;
    seqset_reset(&s->others);
    /* What others have stored was delivered to them. */
    s->explained = s->generation.delivered > 0 ? s->generation.of_others : 0;
    s->came_again = 0;
    s->owed = 0;
    s->told_seq = 0;
    s->passed_over = 0;
    s->passed = 0;
    s->lacking_since = 0;
    s->dropped_before = 0;
    s->drop = (struct source_drop){0};
}

/* All up to here is acked. What we have not heard of went to others. */
static void take_floor(struct source *s, uint64_t floor)
{
    if (floor <= s->last_consumer_seq)
        return;
    seqset_add_range(&s->others, s->last_consumer_seq + 1, floor);
    s->last_consumer_seq = floor;
}

/* What the store has was delivered, at most so often. */
static uint64_t stored_rows(const struct generation *g)
{
    uint64_t before = g->start > 0 ? g->start : 1; /* 0 is no message */
    uint64_t size = ledger_count_durable(&g->ledger);
    return size > before ? size - before : 0;
}

/* So many deliveries that are not known to have been to us are accounted for. */
static void explain(struct source *s, uint64_t count)
{
    uint64_t most = seqset_size(&s->others);
    if (s->explained < most)
        s->explained += num_least_u64(count, most - s->explained);
}

void source_take_dropped(struct source *s)
{
    struct generation *g = &s->generation;
    if (s->dropped_before > 0)
        explain(s, source_count_dropped(s, s->dropped_before));
    s->dropped_before = 0;
    if (!source_is_durable(s) && g->newest_seq == 0 && s->first_seq > 0)
        ledger_nothing_at(&g->ledger, 0, s->first_seq - 1);
}

int64_t source_tick_drop(struct source *s, int64_t now)
{
    struct source_drop *d = &s->drop;
    switch (d->state) {
    case SOURCE_DROP_WAITS:
        if (d->at == 0)
            d->at = now + s->config->batching.max_age + SOURCE_STANDBY_MARGIN;
        if (now < d->at)
            return d->at;
        d->state = SOURCE_DROP_LOOKS;
        s->generation.unsaved = true;
        break;
    case SOURCE_DROP_LOOKED:
        explain(s, source_count_gone(s, d->first_seq));
        *d = (struct source_drop){0};
        break;
    case SOURCE_DROP_NONE:
    case SOURCE_DROP_LOOKS:
        break;
    }
    return INT64_MAX;
}

/* What comes into an interest stream while our consumer is not there, it drops at once, or when the
 * others have it: only what the stream begins behind tells of that. */
static void count_unwanted(struct source *s)
{
    struct seqrange missing;
    bool was_away = s->made && s->renew == SOURCE_RENEW_NOT;
    if (!was_away || s->retention != NATS_RETENTION_INTEREST || s->settings->shared ||
        s->others_pull)
        return;
    uint64_t lost = generation_count_lost(&s->generation, s->first_seq, s->told_seq, &missing);
    if (lost > 0)
        source_count_lost(s, missing, lost);
}

void source_take_count(struct source *s, const struct nats_consumer_info *info)
{
    bool forgets = info->delivered_consumer_seq < s->last_consumer_seq;
    s->same_consumer = !s->made && !forgets;
    if (forgets)
        seqset_reset(&s->others); /* it is another consumer, or has forgotten some */
    else
        take_floor(s, info->ack_floor_consumer_seq);
    s->last_consumer_seq = info->delivered_consumer_seq;
    s->passed = info->delivered_stream_seq;
    if (s->generation.delivered == 0 && s->explained == 0)
        s->explained = stored_rows(&s->generation);
    count_unwanted(s);
    source_take_dropped(s);
}

void source_explain(struct source *s, const struct nats_ack *ack, bool held)
{
    uint64_t before = s->explained;
    explain(s, ack->delivered - 1 - (held && ack->delivered > 1)); /* one of these to us */
    s->came_again += s->explained - before;
}

/* The others have them, in this store or in theirs: the floor proves nothing. */
static void tell_shared(struct source *s)
{
    if (!s->told_shared)
        source_log(s, LOG_INFO, "shared",
                   "other instances have acked events that this store lacks; as the consumer is "
                   "shared, they are not fetched again");
    s->told_shared = true;
}

/* A work queue can't be asked for what is below the floor, and a floor may pass what is not acked.
 * That is delivered again. */
static bool may_come_again(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    if (s->retention != NATS_RETENTION_WORKQUEUE || info->ack_pending == 0)
        return false;
    if (s->lacking_since == 0)
        s->lacking_since = now;
    return now - s->lacking_since < s->ack_wait + SOURCE_POLL_INTERVAL;
}

/* Up to where the consumer has nothing that is to come. Its floor is the last that was acked: where
 * all is, it may have passed more. What it passed over since we came our ledger knows. */
static uint64_t end_of_done(const struct source *s, const struct nats_consumer_info *info)
{
    uint64_t passed = num_least_u64(info->delivered_stream_seq, s->passed);
    bool all_acked = info->ack_pending == 0 && !s->settings->shared;
    return all_acked && passed > info->ack_floor_stream_seq ? passed : info->ack_floor_stream_seq;
}

/* So many deliveries up to this one were not to us. */
static uint64_t count_others(const struct source *s, uint64_t consumer_seq)
{
    uint64_t count = 0;
    for (size_t i = 0; i < s->others.count && s->others.list[i].first <= consumer_seq; i++)
        count += num_least_u64(s->others.list[i].last, consumer_seq) - s->others.list[i].first + 1;
    return count;
}

uint64_t source_settle_others(struct source *s, uint64_t consumer_seq)
{
    uint64_t count = count_others(s, consumer_seq);
    uint64_t explained = num_least_u64(count, s->explained);
    s->explained -= explained;
    s->came_again -= num_least_u64(explained, s->came_again);
    seqset_remove_through(&s->others, consumer_seq);
    return count - explained;
}

void source_compare_floor(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    struct ledger *ledger = &s->generation.ledger;
    uint64_t floor = info->ack_floor_consumer_seq;
    struct seqrange range = {0, end_of_done(s, info)}, missing = {0};
    if (refetch_is_owed(&s->refetch))
        return;
    take_floor(s, floor);
    bool kept = s->retention != NATS_RETENTION_WORKQUEUE;
    uint64_t unknown = count_others(s, floor);
    uint64_t count = ledger_missing(ledger, range, &missing);
    /* A leader that has forgotten some deliveries counts them anew, and its floor may pass one that
     * never came: where all of the stream is ours, a hole is enough to look at it. And what a
     * consumer had passed over before we came may have been another state of the stream, which was
     * set back since, or is what it was made to begin behind, or was acked out of its order for a
     * store that is gone. */
    bool unseen = missing.first <= s->passed;
    bool lacking = count > 0 && (unknown > 0 || s->covers_stream || unseen);
    if (lacking && may_come_again(s, info, now))
        return;
    s->lacking_since = 0;
    if (lacking && !s->settings->shared) {
        if (s->refetch.state != REFETCH_IDLE)
            return; /* until the next poll */
        s->owed = floor;
        unknown -= num_least_u64(unknown, s->explained);
        if (generation_starts_by_time(&s->generation))
            unknown = 0; /* how many of these are wanted is not known */
        refetch_begin(&s->refetch, missing, unknown, kept);
        return;
    }
    (void)source_settle_others(s, floor);
    ledger_nothing_at(ledger, 0, range.last);
    if (lacking && unknown > 0)
        tell_shared(s);
}

bool source_take_passed(struct source *s, struct nats_client *client, int64_t now)
{
    if (!s->refetch.passed)
        return false;
    refetch_cancel(&s->refetch, client);
    s->owed = 0;
    if (s->config->consumer.manage == CONFIG_MANAGE_BIND) {
        source_refuse(s, client,
                      "the consumer has passed messages that the work queue still has: the stream "
                      "was set back, or the filter was another one for a while; as consumer.manage "
                      "is bind, delete the consumer, make it "
                      "again, and start varve again");
        return true;
    }
    source_log(
        s, LOG_WARNING, "consumer_ahead",
        "the consumer has passed messages that the work queue still has: the stream was "
        "set back, or the filter was another one for a while; the consumer is created again");
    s->renew = SOURCE_RENEW_FOR_STREAM;
    source_begin(s, client, now);
    return true;
}

bool source_is_of_former(struct source *s, struct nats_client *client,
                         const struct nats_consumer_info *info, int64_t now)
{
    const struct generation *g = &s->generation;
    if (s->seen_consumer || g->delivered > 0 || info->delivered_consumer_seq == 0 ||
        memchr(g->created.data, '~', g->created.len) == NULL ||
        s->config->consumer.manage == CONFIG_MANAGE_BIND)
        return false;
    s->renew = SOURCE_RENEW_FOR_STREAM;
    source_attach(s, client, now);
    return true;
}
