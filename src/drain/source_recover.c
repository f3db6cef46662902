/* SPDX-License-Identifier: MIT */
#include "base/num.h"
#include "drain/source_step.h"

/* What the consumer has delivered and holds as not acked, and what it has passed over. */

/* Sequences of which any may be acked once more: those of others' subjects are among them. */
enum { IGNORED_SPAN_MAX = 1 << 20 };

/* `alone`: nobody else can hold what is not ours. */
static enum redelivery_how how_to_recover(const struct source *s, bool alone)
{
    if (s->ack == NATS_ACK_ALL)
        return REDELIVERY_ASKS;
    return alone ? REDELIVERY_ACKS_AND_ASKS : REDELIVERY_ACKS;
}

/* One ack for all that is durable of what is not acked. Where that may be nothing, as what is not
 * durable may be all that the consumer waits for, the ack of that will do: this one would have the
 * number of a delivery that is still owed, and the floor would tell the next process of deliveries
 * that it never had. */
static void settle_durable(struct source *s, const struct nats_consumer_info *info,
                           struct seqrange range)
{
    const struct ledger *ledger = &s->generation.ledger;
    uint64_t durable = ledger_last_durable(ledger, range.last);
    uint64_t open = ledger_not_durable(ledger, range);
    uint64_t floor = info->ack_floor_consumer_seq;
    uint64_t last = info->delivered_consumer_seq;
    if (durable >= range.first && info->ack_pending > open)
        source_settle(s, durable, last > floor + open ? last - open : floor + 1);
}

static void recover(struct source *s, const struct nats_consumer_info *info, uint64_t from,
                    enum redelivery_how how, int64_t now)
{
    struct seqrange range = {from, info->delivered_stream_seq};
    if (range.first > range.last)
        return;
    if (s->ack == NATS_ACK_ALL)
        settle_durable(s, info, range);
    redelivery_begin(&s->redelivery, range, info->ack_pending, info->delivered_consumer_seq, how,
                     now);
}

/* Where one ack is for all, what was delivered and is not acked is all that there is of ours above
 * the floor. Once so many have come, the stream can drop the rest of the range without a loss. */
static void expect_unacked(struct source *s, const struct nats_consumer_info *info)
{
    const struct ledger *ledger = &s->generation.ledger;
    uint64_t floor = info->ack_floor_stream_seq;
    bool told = s->ack == NATS_ACK_ALL && !s->shared && s->refetch.state == REFETCH_IDLE &&
                ledger_taken_position(ledger) >= floor;
    s->unacked = (struct source_unacked){0};
    if (told && info->ack_pending > 0)
        s->unacked = (struct source_unacked){.range = {floor + 1, info->delivered_stream_seq},
                                             .left = info->ack_pending};
}

void source_note_unacked(struct source *s, uint64_t sequence)
{
    struct source_unacked *u = &s->unacked;
    if (u->left > 0 && sequence >= u->range.first && sequence <= u->range.last && --u->left == 0)
        s->told_seq = u->range.last;
}

/* What waits for its commit was delivered by a consumer that took one ack for all of it: one that
 * takes an ack for each delivers it once more, or has done so to a connection that is gone. */
static void change_acks(struct source *s, enum nats_ack_policy ack)
{
    if (ack == NATS_ACK_ALL)
        seqset_reset(&s->unlisted);
    else if (s->ack == NATS_ACK_ALL)
        ledger_add_waiting(&s->generation.ledger, &s->unlisted);
    s->ack = ack;
}

void source_owe(struct source *s, uint64_t stream_seq)
{
    if (s->ack == NATS_ACK_EXPLICIT)
        seqset_add(&s->unlisted, stream_seq);
}

/* Deliveries to an earlier connection that were not acked: what is durable is acked, always. The
 * rest is ours to ask for unless others share the consumer; then only ack_wait can tell. */
void source_plan_recovery(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    s->orphans_seen = false;
    s->ignored_at = 0;
    s->strangers_seen = false;
    s->settled = (struct source_delivery){0};
    s->asked_again = 0;
    change_acks(s, info->config.ack);
    s->shared =
        source_is_durable(s) && (s->settings->shared || s->others_pull || info->waiting > 0);
    s->ack_wait = info->config.ack_wait_ns;
    if (source_is_durable(s) && info->ack_pending > 0)
        recover(s, info, info->ack_floor_stream_seq + 1, how_to_recover(s, !s->shared), now);
    expect_unacked(s, info);
}

/* One that is not in the stream any more does not come, and no ack passes it: then the stream is
 * looked at. */
static void ask_again(struct source *s, const struct nats_consumer_info *info, uint64_t missing,
                      int64_t now)
{
    struct seqrange range = {missing, info->delivered_stream_seq};
    if (s->ack == NATS_ACK_ALL && s->asked_again == missing && s->refetch.state == REFETCH_IDLE) {
        s->owed = 0;
        refetch_begin(&s->refetch, range, 0, true); /* what was dropped is counted as that */
        return;
    }
    recover(s, info, missing, how_to_recover(s, true), now);
    s->asked_again = missing;
}

/* What was delivered to a connection that the server took for alive is seen only now: nobody else
 * pulls, twice in a row, and yet messages are out that we never got. */
static void look_for_orphans(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    uint64_t floor = info->ack_floor_stream_seq;
    uint64_t missing = ledger_taken_through(&s->generation.ledger, floor + 1) + 1;
    bool orphans = !s->settings->shared && !s->others_pull && info->ack_pending > 0 &&
                   info->waiting <= nats_pull_live(&s->pull) &&
                   missing <= info->delivered_stream_seq && s->redelivery.state == REDELIVERY_DONE;
    if (orphans && s->orphans_seen)
        ask_again(s, info, missing, now);
    s->orphans_seen = orphans;
}

/* What is durable is held as not acked. Nobody knows which: of what others took, we don't know what
 * is acked, and count that as held. */
static bool holds_durable(const struct source *s, const struct nats_consumer_info *info)
{
    const struct ledger *ledger = &s->generation.ledger;
    struct seqrange range = {info->ack_floor_stream_seq + 1, info->delivered_stream_seq};
    if (info->ack_pending == 0 || range.first > range.last)
        return false;
    if (s->ack == NATS_ACK_ALL)
        return !s->others_pull && ledger_position(ledger) >= range.last;
    return range.last - range.first < IGNORED_SPAN_MAX &&
           info->ack_pending > ledger_not_durable(ledger, range);
}

/* An ack that the server has ignored, see acker.c, or that went to a leader which was none any
 * more: what is durable is out, and the floor stays, twice in a row. Where one ack is for all, the
 * newest one comes again, and its ack is that one; else each is acked once more. */
static void look_for_ignored(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    uint64_t first = info->ack_floor_stream_seq + 1, last = info->delivered_stream_seq;
    bool ignored = s->redelivery.state == REDELIVERY_DONE && holds_durable(s, info);
    if (ignored && s->ignored_at == first && s->ack == NATS_ACK_ALL)
        redelivery_begin(&s->redelivery, (struct seqrange){last, last}, 1,
                         info->delivered_consumer_seq, REDELIVERY_ASKS_DURABLE, now);
    else if (ignored && s->ignored_at == first)
        redelivery_begin(&s->redelivery, (struct seqrange){first, last}, info->ack_pending,
                         info->delivered_consumer_seq, REDELIVERY_ACKS, now);
    s->ignored_at = ignored ? first : 0;
}

void source_look_for_unacked(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    look_for_orphans(s, info, now);
    look_for_ignored(s, info, now);
}

/* From this look at a hole to the next one: a stream that loses messages all the time is looked at
 * less and less often, and drained as fast as others. */
static int64_t next_pause(const struct source *s, int64_t now)
{
    bool again = s->looked_at > 0 && now - s->looked_at < 2 * s->look_pause;
    int64_t pause = again ? 2 * s->look_pause : SOURCE_LOOK_MIN;
    return pause < SOURCE_LOOK_MAX ? pause : SOURCE_LOOK_MAX;
}

static void plan_look(struct source *s, uint64_t through, int64_t now)
{
    s->passed_over = through;
    s->look_pause = next_pause(s, now);
    s->looked_at = now;
}

/* Where all of the stream is ours, what the consumer passes over was removed; or somebody has given
 * it another filter for a while, and then it is in the stream and never comes. */
void source_note_hole(struct source *s, const struct nats_ack *ack, int64_t now)
{
    struct ledger *ledger = &s->generation.ledger;
    s->counters.gaps += ack->stream_seq - ledger->last_stream_seq - 1;
    if (ack->stream_seq <= s->first_seq || now < s->looked_at + s->look_pause)
        return;
    ledger_out_of_step(ledger);
    plan_look(s, ack->stream_seq - 1, now);
}

/* The same behind the last delivery, which no other one tells of. */
void source_note_passed(struct source *s, const struct nats_consumer_info *info, int64_t now)
{
    struct seqrange missing, range = {s->first_seq, info->delivered_stream_seq};
    if (!s->covers_stream || s->shared || info->delivered_consumer_seq != s->last_consumer_seq ||
        now < s->looked_at + s->look_pause || range.first > range.last ||
        range.last > s->last_seq || s->redelivery.state != REDELIVERY_DONE ||
        range.last <= s->generation.ledger.last_stream_seq ||
        ledger_missing(&s->generation.ledger, range, &missing) == 0)
        return;
    plan_look(s, range.last, now);
}

void source_look_at_hole(struct source *s)
{
    const struct ledger *ledger = &s->generation.ledger;
    struct seqrange missing, range = {0, s->passed_over};
    if (s->passed_over == 0 || s->refetch.state != REFETCH_IDLE)
        return;
    s->passed_over = 0;
    s->owed = 0;
    if (ledger_missing(ledger, range, &missing) > 0)
        refetch_begin(&s->refetch, missing, 0, s->retention != NATS_RETENTION_WORKQUEUE);
}
