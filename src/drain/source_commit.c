/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/num.h"
#include "drain/source_step.h"

/* What a source tells the store, and is told by it. */

void source_seal(struct source *s, const struct seqset *rows, uint64_t last_seq, int64_t last_time,
                 struct position *out)
{
    uint64_t others = seqset_size(&s->others);
    uint64_t to_others = others - num_least_u64(others, s->came_again);
    s->generation.delivered = source_is_durable(s) ? s->last_consumer_seq - to_others : 0;
    generation_seal(&s->generation, rows, last_seq, last_time, out);
    refetch_sealed(&s->refetch);
}

bool source_wants_commit(const struct source *s)
{
    return (s->generation.unsaved || s->refetch.state == REFETCH_ASKS) && !source_must_adopt(s);
}

bool source_wants_last_commit(const struct source *s)
{
    return s->generation.created.len > 0 && !source_must_adopt(s) &&
           generation_has_grown(&s->generation);
}

void source_stand_by(struct source *s)
{
    if (source_is_durable(s))
        return; /* what one of them got, the server does not give to the other */
    s->standby = (struct source_standby){.state = SOURCE_STANDBY_WAITS};
    source_log(s, LOG_WARNING, "stands_by",
               "another instance stores the events of this stream in this directory: this one "
               "takes over when that one has stopped");
}

static void wait_on(struct source *s, int64_t now)
{
    struct source_standby *b = &s->standby;
    bool lacks = s->last_seq > ledger_position(&s->generation.ledger);
    b->state = SOURCE_STANDBY_WAITS;
    b->at = now + s->config->batching.max_age + SOURCE_STANDBY_MARGIN;
    b->end = lacks ? s->last_seq : 0;
    b->news = 0;
}

/* Nothing of what the stream had when the wait began was stored in all that time. */
static bool has_stopped(const struct source *s)
{
    return s->standby.news == 0 && s->standby.end > ledger_position(&s->generation.ledger);
}

bool source_stands_by(struct source *s, struct nats_client *client, int64_t now)
{
    struct source_standby *b = &s->standby;
    if (b->state == SOURCE_STANDBY_OFF)
        return false;
    source_let_go(s, client);
    buf_reset(&s->waits_because);
    if (b->state == SOURCE_STANDBY_LOOKED && has_stopped(s)) {
        source_log(s, LOG_WARNING, "takes_over", "the other instance stores nothing any more");
        b->state = SOURCE_STANDBY_OFF;
        source_begin(s, client, now);
        return true;
    }
    bool is_over = b->state == SOURCE_STANDBY_WAITS && now >= b->at;
    if (is_over && b->end > 0) {
        b->state = SOURCE_STANDBY_LOOKS;
        s->generation.unsaved = true;
    } else if (is_over || b->state == SOURCE_STANDBY_LOOKED) {
        wait_on(s, now);
    }
    s->state = b->state == SOURCE_STANDBY_LOOKS ? SOURCE_ANCHORING : SOURCE_STANDBY;
    s->retry_at = b->at;
    return true;
}

void source_stored(struct source *s, const struct positions *others)
{
    for (size_t i = 0; i < others->count; i++) {
        const struct position *p = &others->list[i];
        if (strcmp(p->stream, s->settings->stream) != 0 ||
            !slice_is(buf_slice(&s->generation.created), p->created))
            continue;
        uint64_t news = generation_stored(&s->generation, &p->above);
        s->explained += news;
        s->standby.news += news;
    }
}

void source_committed(struct source *s, const char *created, const struct seqset *rows)
{
    if (slice_is(buf_slice(&s->generation.created), created))
        ledger_commit(&s->generation.ledger, rows);
    refetch_committed(&s->refetch);
    if (!slice_is(buf_slice(&s->generation.created), created))
        return; /* the ledger of an earlier generation is gone */
    s->generation.start_saved = true;
    if (s->drop.state == SOURCE_DROP_LOOKS)
        s->drop.state = SOURCE_DROP_LOOKED;
    if (s->standby.state == SOURCE_STANDBY_LOOKS)
        s->standby.state = SOURCE_STANDBY_LOOKED;
    if (s->state == SOURCE_ANCHORING) {
        s->state = SOURCE_RETRY;
        s->retry_at = 0; /* at once */
    }
}
