/* SPDX-License-Identifier: MIT */
#include "pipeline/seal.h"

#include "base/assert.h"
#include "base/log.h"
#include "pipeline/receive.h"

void seal_seal(struct pipeline *p, enum epoch_reason reason, int64_t now)
{
    struct epoch *epoch = epochs_seal(&p->epochs, reason);
    for (uint32_t i = 0; i < p->source_count; i++) {
        struct epoch_source *part = &epoch->sources[i];
        struct position position;
        if (part->origin.stream == NULL)
            continue;
        /* Another generation is another epoch. */
        ASSERT(slice_is(buf_slice(&p->sources[i].generation.created), part->origin.created));
        source_seal(&p->sources[i], &part->rows, part->last_seq, part->last_time, &position);
        epoch_set_position(epoch, i, &position);
    }
    epochs_send(&p->epochs, epoch, now);
}

void seal_if_full(struct pipeline *p, int64_t now)
{
    enum epoch_reason reason;
    if (epochs_is_full(&p->epochs, &reason))
        seal_seal(p, reason, now);
}

void seal_last(struct pipeline *p, enum epoch_reason reason, int64_t now)
{
    for (uint32_t i = 0; i < p->source_count; i++) {
        if (!source_wants_last_commit(&p->sources[i]))
            continue;
        struct epoch_origin origin = receive_origin(&p->sources[i]);
        epochs_add_position(&p->epochs, &origin, now);
    }
    if (!epochs_is_empty(&p->epochs))
        seal_seal(p, reason, now);
}

/* Rows come soon enough, or else an epoch without any. */
static void seal_positions(struct pipeline *p, int64_t now)
{
    bool wanted = false;
    for (uint32_t i = 0; i < p->source_count && p->epochs.sealed_count == 0; i++) {
        struct source *s = &p->sources[i];
        if (!source_wants_commit(s))
            continue;
        struct epoch_origin origin = receive_origin(s);
        epochs_add_position(&p->epochs, &origin, now);
        wanted = true;
    }
    if (wanted)
        seal_seal(p, EPOCH_POSITION, now);
}

int64_t seal_if_due(struct pipeline *p, int64_t now)
{
    enum epoch_reason reason;
    seal_positions(p, now);
    if (epochs_is_empty(&p->epochs))
        return INT64_MAX;
    for (uint32_t i = 0; i < p->source_count; i++) {
        if (!source_must_adopt(&p->sources[i]))
            continue;
        seal_seal(p, EPOCH_STREAM, now); /* the next generation is another epoch */
        return INT64_MAX;
    }
    if (p->epochs.sealed_count >= FLOW_EPOCHS_MAX)
        return INT64_MAX; /* a commit comes first */
    int64_t due = epochs_due(&p->epochs, &reason);
    if (now < due)
        return due;
    seal_seal(p, reason, now);
    return INT64_MAX;
}

void seal_adopt_generations(struct pipeline *p, int64_t now)
{
    for (uint32_t i = 0; i < p->source_count; i++) {
        struct source *s = &p->sources[i];
        if (source_must_adopt(s) && !dead_letters_wait(&p->dead_letters, s) &&
            epochs_is_empty(&p->epochs) && p->epochs.sealed == NULL)
            source_adopt(s, &p->connection.client, now);
    }
}

static void count_committed(struct pipeline *p, const struct epoch *epoch,
                            const struct store_committed *how, int64_t wall)
{
    for (uint32_t i = 0; i < p->source_count; i++) {
        const struct epoch_source *part = &epoch->sources[i];
        struct source *s = &p->sources[i];
        if (part->origin.stream == NULL)
            continue;
        source_committed(s, part->origin.created, &part->rows);
        s->counters.rows_committed += part->table_rows;
        s->counters.rows_clock_suspect += part->clock_suspect;
        s->counters.pending -= part->table_rows;
        for (int reason = 0; reason < EVENT_RESULTS; reason++) {
            s->counters.dead_lettered[reason] += part->dead[reason];
            s->counters.pending -= part->dead[reason];
            if (part->dead[reason] > 0)
                s->raised |= 1u << SOURCE_ALERT_DEAD_LETTERS;
        }
    }
    struct stats_commit commit = {
        .time = wall,
        .epoch = epoch->number,
        .rows = epoch->rows,
        .files = how->files,
        .bytes = how->bytes,
        .reason = epoch->reason,
        .commit_ns = how->commit_ns,
        .conflicts = how->conflicts,
        .encode_ns = how->encode_ns,
    };
    stats_committed(&p->watch.stats, &commit);
}

static void log_commit(const struct epoch *epoch, const struct store_committed *how)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "committed");
    log_u64(&line, "epoch", epoch->number);
    log_text(&line, "reason", epoch_reason_name(epoch->reason));
    log_u64(&line, "rows", epoch->rows);
    log_u64(&line, "files", how->files);
    log_u64(&line, "bytes", how->bytes);
    log_seconds(&line, "encode", how->encode_ns);
    log_seconds(&line, "commit", how->commit_ns);
    if (how->conflicts > 0)
        log_u64(&line, "conflicts", how->conflicts);
    for (uint32_t i = 0; i < epoch->source_count; i++) {
        const struct epoch_source *part = &epoch->sources[i];
        if (part->rows.count == 0)
            continue;
        log_text(&line, "stream", part->origin.stream);
        log_u64(&line, "first_seq", part->rows.list[0].first);
        log_u64(&line, "last_seq", part->rows.list[part->rows.count - 1].last);
    }
    log_end(&line);
}

void seal_collect_committed(struct pipeline *p)
{
    struct store_committed how;
    struct epoch *epoch;
    int64_t wall = clock_wall();
    while ((epoch = epochs_committed(&p->epochs, &how)) != NULL) {
        for (uint32_t i = 0; i < p->source_count; i++)
            source_stored(&p->sources[i], &how.others);
        positions_free(&how.others);
        count_committed(p, epoch, &how, wall);
        log_commit(epoch, &how);
        keeper_note(p->keeper, how.version);
        followers_note(&p->followers, how.version, how.group, FLOW_FEED_BYTES(p->memory_limit));
        p->next_disk = 0; /* there is less room now */
        acker_committed(&p->acker, epoch->number, wall);
        epoch_free(epoch);
    }
}
