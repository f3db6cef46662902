/* SPDX-License-Identifier: MIT */
#include "drain/source_floor.h"

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
        s->accounted = info->ack_floor_consumer_seq;
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

void source_compare_floor(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    struct ledger *ledger = &s->generation.ledger;
    struct seqrange range = {0, info->ack_floor_stream_seq}, missing = {0};
    uint64_t floor = info->ack_floor_consumer_seq;
    if (s->refetch.state != REFETCH_IDLE)
        return;
    if (info->delivered_consumer_seq < s->accounted)
        s->accounted = 0; /* another consumer under the same name */
    uint64_t unknown = floor > s->accounted ? floor - s->accounted : 0;
    uint64_t count = ledger_missing(ledger, range, &missing);
    /* A leader that has forgotten some deliveries counts them anew, and its floor may pass one that
     * never came: where all of the stream is ours, a hole is enough to look at it. And what is in
     * front of the first message that a consumer was made for is in none of its counts: of one that
     * has acked nothing the stream should have nothing there, unless it was set back. */
    bool made_for_later = missing.first < info->config.start_seq ||
                          (floor == 0 && s->first_seq > 0 && s->first_seq <= range.last);
    bool lacking = count > 0 && (unknown > 0 || s->covers_stream || made_for_later);
    if (lacking && may_come_again(s, info, now))
        return;
    s->lacking_since = 0;
    if (lacking && !s->settings->shared) {
        s->owed = unknown;
        if (generation_starts_by_time(&s->generation))
            unknown = 0; /* how many of these are wanted is not known */
        refetch_begin(&s->refetch, missing, unknown, s->retention != NATS_RETENTION_WORKQUEUE);
        return;
    }
    s->accounted += unknown;
    ledger_nothing_at(ledger, 0, range.last);
    if (lacking && unknown > 0)
        tell_shared(s);
}
