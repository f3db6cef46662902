/* SPDX-License-Identifier: MIT */
#include "drain/ledger.h"

#include "base/assert.h"

/* Ranges of what is late: one more moves 64 KiB of them at the most, and the large sets, which may
 * have a million, are gone through once in so many. */
enum { LATE_RANGES_MAX = 1 << 12 };

static bool has(const struct seqset *set, const struct seqset *late, uint64_t sequence)
{
    return seqset_contains(set, sequence) || seqset_contains(late, sequence);
}

/* seqset_contiguous_end of both together, side by side: they may alternate thousands of times. */
static uint64_t contiguous_end(const struct seqset *set, const struct seqset *late, uint64_t from)
{
    const struct seqrange *a = seqset_find(set, from), *b = seqset_find(late, from);
    const struct seqrange *a_end = a == NULL ? NULL : set->list + set->count;
    const struct seqrange *b_end = b == NULL ? NULL : late->list + late->count;
    uint64_t next = from;
    while (true) {
        bool of_set = a != a_end && a->first <= next;
        if (!of_set && (b == b_end || b->first > next))
            return next - 1;
        uint64_t last = of_set ? (a++)->last : (b++)->last;
        if (last == UINT64_MAX)
            return last;
        next = last >= next ? last + 1 : next;
    }
}

/* The next stretch of *rest that both lack; false if there is none. */
static bool next_hole(const struct seqset *set, const struct seqset *late, struct seqrange *rest,
                      struct seqrange *hole)
{
    while (rest->first <= rest->last) {
        const struct seqrange *next = seqset_find(set, rest->first);
        const struct seqrange *late_next = seqset_find(late, rest->first);
        if (next == NULL || (late_next != NULL && late_next->first < next->first))
            next = late_next;
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

static bool is_above(const struct ledger *l, uint64_t sequence)
{
    return l->taken.count == 0 || sequence > l->taken.list[l->taken.count - 1].last;
}

static void merge_late(struct ledger *l)
{
    seqset_add_all(&l->taken, &l->late);
    seqset_add_all(&l->sealed, &l->late_nothing);
    seqset_add_all(&l->durable, &l->late_nothing);
    seqset_reset(&l->late);
    seqset_reset(&l->late_nothing);
}

/* Of `range` nothing is taken yet. */
static void take(struct ledger *l, struct seqrange range)
{
    if (is_above(l, range.first)) {
        seqset_add_range(&l->taken, range.first, range.last);
        return;
    }
    if (l->late.count >= LATE_RANGES_MAX)
        merge_late(l);
    seqset_add_range(&l->late, range.first, range.last);
}

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
    bool is_new = is_above(l, stream_seq) || !ledger_is_taken(l, stream_seq);
    if (is_new)
        take(l, (struct seqrange){stream_seq, stream_seq});
    is_new = is_new || window_lacks(&l->window, stream_seq);
    window_add(&l->window, stream_seq, stream_seq);
    return is_new;
}

enum ledger_verdict ledger_receive(struct ledger *l, uint64_t stream_seq, uint64_t consumer_seq,
                                   uint64_t delivered)
{
    step(l, stream_seq, consumer_seq, delivered);
    if (ledger_take(l, stream_seq))
        return LEDGER_NEW;
    return ledger_is_durable(l, stream_seq) ? LEDGER_DURABLE : LEDGER_PENDING;
}

enum ledger_verdict ledger_pass(struct ledger *l, uint64_t stream_seq, uint64_t consumer_seq,
                                uint64_t delivered)
{
    step(l, stream_seq, consumer_seq, delivered);
    if (!ledger_is_durable(l, stream_seq) && ledger_is_taken(l, stream_seq))
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

void ledger_nothing_at(struct ledger *l, uint64_t first, uint64_t last)
{
    struct seqrange rest = {first, last};
    struct seqrange hole;
    while (next_hole(&l->taken, &l->late, &rest, &hole)) {
        if (is_above(l, hole.first)) {
            seqset_add_range(&l->sealed, hole.first, hole.last);
            seqset_add_range(&l->durable, hole.first, hole.last);
            take(l, hole);
        } else {
            take(l, hole);
            seqset_add_range(&l->late_nothing, hole.first, hole.last);
        }
    }
}

void ledger_nothing_in(struct ledger *l, const struct seqset *sequences)
{
    merge_late(l);
    seqset_add_new(&l->late, sequences, &l->taken, 0);
    seqset_add_all(&l->late_nothing, &l->late);
    merge_late(l);
}

uint64_t ledger_missing(const struct ledger *l, struct seqrange range, struct seqrange *missing)
{
    uint64_t count = 0;
    struct seqrange hole;
    while (next_hole(&l->taken, &l->late, &range, &hole)) {
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
    while (next_hole(&l->durable, &l->late_nothing, &range, &hole))
        count += hole.last - hole.first + 1;
    return count;
}

void ledger_seal(struct ledger *l, const struct seqset *rows)
{
    merge_late(l);
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
    bool anchored = seqset_contains(&l->durable, 0);
    return anchored ? contiguous_end(&l->durable, &l->late_nothing, 0) : 0;
}

bool ledger_is_taken(const struct ledger *l, uint64_t sequence)
{
    return has(&l->taken, &l->late, sequence);
}

bool ledger_is_durable(const struct ledger *l, uint64_t sequence)
{
    return has(&l->durable, &l->late_nothing, sequence);
}

void ledger_add_waiting(struct ledger *l, struct seqset *out)
{
    merge_late(l);
    seqset_add_new(out, &l->taken, &l->durable, 0);
}

uint64_t ledger_last_durable(const struct ledger *l, uint64_t sequence)
{
    uint64_t last = seqset_last_through(&l->durable, sequence);
    uint64_t late = seqset_last_through(&l->late_nothing, sequence);
    return last > late ? last : late;
}

uint64_t ledger_taken_position(const struct ledger *l)
{
    return seqset_contains(&l->taken, 0) ? ledger_taken_through(l, 0) : 0;
}

uint64_t ledger_taken_through(const struct ledger *l, uint64_t from)
{
    return contiguous_end(&l->taken, &l->late, from);
}

uint64_t ledger_count_taken(const struct ledger *l)
{
    return seqset_size(&l->taken) + seqset_size(&l->late);
}

uint64_t ledger_count_sealed(const struct ledger *l)
{
    return seqset_size(&l->sealed) + seqset_size(&l->late_nothing);
}

uint64_t ledger_count_durable(const struct ledger *l)
{
    return seqset_size(&l->durable) + seqset_size(&l->late_nothing);
}

void ledger_set_account(struct ledger *l, struct account *account)
{
    l->taken.account = account;
    l->sealed.account = account;
    l->durable.account = account;
    l->late.account = account;
    l->late_nothing.account = account;
    l->window.got.account = account;
}

void ledger_reset(struct ledger *l)
{
    seqset_reset(&l->taken);
    seqset_reset(&l->sealed);
    seqset_reset(&l->durable);
    seqset_reset(&l->late);
    seqset_reset(&l->late_nothing);
    window_close(&l->window);
    l->in_step = false;
}

void ledger_free(struct ledger *l)
{
    seqset_free(&l->taken);
    seqset_free(&l->sealed);
    seqset_free(&l->durable);
    seqset_free(&l->late);
    seqset_free(&l->late_nothing);
    window_close(&l->window);
    *l = (struct ledger){0};
}
