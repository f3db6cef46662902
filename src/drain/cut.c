/* SPDX-License-Identifier: MIT */
#include "drain/cut.h"

#include "base/assert.h"
#include "nats/stream.h"

/* The next mark at or below the cut, if there is one. */
static void check_below(struct cut *c)
{
    while (c->mark > 0 && c->marks.list[c->mark - 1].sequence > c->first)
        c->mark--;
    c->state = c->mark > 0 ? CUT_CHECKING : CUT_DONE;
}

static void halve(struct cut *c)
{
    c->state = CUT_HALVING;
    if (c->first >= c->last)
        check_below(c);
}

void cut_begin(struct cut *c, const struct position *known, uint64_t first, uint64_t last_seq)
{
    *c = (struct cut){
        .marks = known->marks,
        .newest_time = known->last_time,
        .first = first,
        .last = known->last_seq < last_seq ? known->last_seq : last_seq,
        .mark = known->marks.count,
    };
    halve(c);
}

static uint64_t middle(const struct cut *c)
{
    return c->last - (c->last - c->first) / 2;
}

bool cut_ask(const struct cut *c, struct buf *body)
{
    switch (c->state) {
    case CUT_HALVING:
        nats_stream_next_body(body, middle(c), slice_of(">"));
        return true;
    case CUT_CHECKING:
        nats_stream_get_body(body, c->marks.list[c->mark - 1].sequence);
        return true;
    case CUT_IDLE:
    case CUT_DONE:
        return false;
    }
    return false;
}

void cut_answer(struct cut *c, bool found, uint64_t sequence, int64_t time)
{
    if (c->state == CUT_HALVING) {
        if (found && sequence >= middle(c) && sequence <= c->last && time <= c->newest_time) {
            c->first = sequence;
            c->first_time = time;
        } else {
            c->last = middle(c) - 1;
        }
        halve(c);
        return;
    }
    ASSERT(c->state == CUT_CHECKING);
    const struct position_mark *mark = &c->marks.list[--c->mark];
    if (found && time == mark->time) {
        if (c->first_time == 0) { /* another mark was wrong: believe nothing behind this one */
            c->first = mark->sequence;
            c->first_time = mark->time;
        }
        c->state = CUT_DONE; /* all that is before a message is the same if the message is */
        return;
    }
    if (found) {
        c->first = mark->sequence - 1;
        c->first_time = 0;
    }
    check_below(c);
}

void cut_take(struct cut *c, const struct position *known, struct position *out)
{
    ASSERT(c->state == CUT_DONE);
    c->state = CUT_IDLE;
    *out = (struct position){
        .start = known->start,
        .through = known->through < c->first ? known->through : c->first,
        .last_seq = c->first_time == 0 ? 0 : c->first,
        .last_time = c->first_time,
    };
    for (size_t i = 0; i < known->above.count; i++) {
        struct seqrange range = known->above.list[i];
        if (range.first > c->first)
            break;
        seqset_add_range(&out->above, range.first, range.last < c->first ? range.last : c->first);
    }
    for (size_t i = 0; i < known->marks.count && known->marks.list[i].sequence <= c->first; i++)
        out->marks.list[out->marks.count++] = known->marks.list[i];
}
