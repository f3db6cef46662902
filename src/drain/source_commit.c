/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "drain/source_step.h"

/* What a source tells the store, and is told by it. */

void source_seal(struct source *s, const struct seqset *rows, uint64_t last_seq, int64_t last_time,
                 struct position *out)
{
    s->generation.delivered =
        source_is_durable(s) ? s->last_consumer_seq - seqset_size(&s->others) : 0;
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

void source_stored(struct source *s, const struct positions *others)
{
    for (size_t i = 0; i < others->count; i++) {
        const struct position *p = &others->list[i];
        if (strcmp(p->stream, s->settings->stream) != 0 ||
            !slice_is(buf_slice(&s->generation.created), p->created))
            continue;
        s->explained += generation_stored(&s->generation, &p->above);
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
    if (s->state == SOURCE_ANCHORING) {
        s->state = SOURCE_RETRY;
        s->retry_at = 0; /* at once */
    }
}
