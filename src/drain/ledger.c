/* SPDX-License-Identifier: MIT */
#include "drain/ledger.h"

#include "base/assert.h"

/* What the numbers of a delivery say of what was not delivered. */
static void step(struct ledger *l, uint64_t stream_seq, uint64_t consumer_seq, uint64_t delivered)
{
    bool first_delivery = delivered == 1;
    if (first_delivery && l->in_step && consumer_seq == l->last_consumer_seq + 1 &&
        stream_seq > l->last_stream_seq + 1)
        ledger_nothing_at(l, l->last_stream_seq + 1, stream_seq - 1);
    if (first_delivery) {
        l->last_stream_seq = stream_seq;
        l->last_consumer_seq = consumer_seq;
        l->in_step = true;
    } else if (l->in_step && consumer_seq == l->last_consumer_seq + 1) {
        l->last_consumer_seq = consumer_seq; /* redeliveries take numbers too */
    }
}

bool ledger_take(struct ledger *l, uint64_t stream_seq)
{
    bool is_new = seqset_add(&l->taken, stream_seq) || window_lacks(&l->window, stream_seq);
    window_add(&l->window, stream_seq, stream_seq);
    return is_new;
}

enum ledger_verdict ledger_receive(struct ledger *l, uint64_t stream_seq, uint64_t consumer_seq,
                                   uint64_t delivered)
{
    step(l, stream_seq, consumer_seq, delivered);
    if (ledger_take(l, stream_seq))
        return LEDGER_NEW;
    return seqset_contains(&l->durable, stream_seq) ? LEDGER_DURABLE : LEDGER_PENDING;
}

enum ledger_verdict ledger_pass(struct ledger *l, uint64_t stream_seq, uint64_t consumer_seq,
                                uint64_t delivered)
{
    step(l, stream_seq, consumer_seq, delivered);
    bool durable = seqset_contains(&l->durable, stream_seq);
    if (!durable && seqset_contains(&l->taken, stream_seq))
        return LEDGER_PENDING;
    ledger_nothing_at(l, stream_seq, stream_seq);
    window_add(&l->window, stream_seq, stream_seq);
    return LEDGER_NOTHING;
}

void ledger_in_step(struct ledger *l, uint64_t stream_seq, uint64_t consumer_seq)
{
    l->last_stream_seq = stream_seq;
    l->last_consumer_seq = consumer_seq;
    l->in_step = true;
}

void ledger_out_of_step(struct ledger *l)
{
    l->in_step = false;
}

/* The next stretch of *rest that the set lacks; false if there is none. */
static bool next_hole(const struct seqset *set, struct seqrange *rest, struct seqrange *hole)
{
    while (rest->first <= rest->last) {
        const struct seqrange *next = seqset_find(set, rest->first);
        bool apart = next == NULL || next->first > rest->last;
        *hole = (struct seqrange){rest->first, apart ? rest->last : next->first - 1};
        bool found = apart || next->first > rest->first;
        if (apart || next->last >= rest->last)
            *rest = (struct seqrange){1, 0}; /* empty */
        else
            rest->first = next->last + 1;
        if (found)
            return true;
    }
    return false;
}

static void collect_holes(struct ledger *l, struct seqrange range)
{
    struct seqrange hole;
    while (next_hole(&l->taken, &range, &hole))
        seqset_add_range(&l->holes, hole.first, hole.last);
}

static void fill_holes(struct ledger *l)
{
    seqset_add_all(&l->taken, &l->holes);
    seqset_add_all(&l->sealed, &l->holes);
    seqset_add_all(&l->durable, &l->holes);
    seqset_reset(&l->holes);
}

void ledger_nothing_at(struct ledger *l, uint64_t first, uint64_t last)
{
    collect_holes(l, (struct seqrange){first, last});
    fill_holes(l);
}

void ledger_nothing_in(struct ledger *l, const struct seqset *sequences)
{
    for (size_t i = 0; i < sequences->count; i++)
        collect_holes(l, sequences->list[i]);
    fill_holes(l);
}

uint64_t ledger_missing(const struct ledger *l, struct seqrange range, struct seqrange *missing)
{
    uint64_t count = 0;
    struct seqrange hole;
    while (next_hole(&l->taken, &range, &hole)) {
        if (count == 0)
            missing->first = hole.first;
        missing->last = hole.last;
        count += hole.last - hole.first + 1;
    }
    return count;
}

uint64_t ledger_not_durable(const struct ledger *l, struct seqrange range)
{
    uint64_t count = 0;
    struct seqrange hole;
    while (next_hole(&l->durable, &range, &hole))
        count += hole.last - hole.first + 1;
    return count;
}

void ledger_seal(struct ledger *l, const struct seqset *rows)
{
    seqset_add_all(&l->sealed, rows);
}

void ledger_commit(struct ledger *l, const struct seqset *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        ASSERT(seqset_contains(&l->sealed, rows->list[i].first));
        ASSERT(seqset_contiguous_end(&l->sealed, rows->list[i].first) >= rows->list[i].last);
    }
    seqset_add_all(&l->durable, rows);
}

void ledger_load(struct ledger *l, uint64_t position, const struct seqset *above)
{
    ledger_reset(l);
    /* Sequences start at 1; 0 is in the sets so that "up to" has an anchor. */
    ledger_nothing_at(l, 0, position);
    ledger_nothing_in(l, above);
}

uint64_t ledger_position(const struct ledger *l)
{
    return seqset_contains(&l->durable, 0) ? seqset_contiguous_end(&l->durable, 0) : 0;
}

uint64_t ledger_last_durable(const struct ledger *l, uint64_t sequence)
{
    uint64_t last = 0;
    for (size_t i = 0; i < l->durable.count && l->durable.list[i].first <= sequence; i++)
        last = l->durable.list[i].last;
    return last < sequence ? last : sequence;
}

uint64_t ledger_taken_position(const struct ledger *l)
{
    return seqset_contains(&l->taken, 0) ? seqset_contiguous_end(&l->taken, 0) : 0;
}

void ledger_set_account(struct ledger *l, struct account *account)
{
    l->taken.account = account;
    l->sealed.account = account;
    l->durable.account = account;
    l->holes.account = account;
    l->window.got.account = account;
}

void ledger_reset(struct ledger *l)
{
    seqset_reset(&l->taken);
    seqset_reset(&l->sealed);
    seqset_reset(&l->durable);
    window_close(&l->window);
    l->in_step = false;
}

void ledger_free(struct ledger *l)
{
    seqset_free(&l->taken);
    seqset_free(&l->sealed);
    seqset_free(&l->durable);
    seqset_free(&l->holes);
    window_close(&l->window);
    *l = (struct ledger){0};
}
