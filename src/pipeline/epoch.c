/* SPDX-License-Identifier: MIT */
#include "pipeline/epoch.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"

/* What is durable above a position is in the epoch, in the store as it is and as it will be, and in
 * the text of the commit. */
enum { ABOVE_COPIES = 4 };

const char *epoch_reason_name(enum epoch_reason reason)
{
    static const char *const names[EPOCH_REASONS] = {
        [EPOCH_ROWS] = "rows",
        [EPOCH_BYTES] = "bytes",
        [EPOCH_AGE] = "age",
        [EPOCH_MEMORY] = "memory",
        [EPOCH_PARTITIONS] = "partitions",
        [EPOCH_POSITION] = "position",
        [EPOCH_STREAM] = "stream",
        [EPOCH_STOP] = "stop",
        [EPOCH_END] = "end",
    };
    return names[reason];
}

static struct epoch *epoch_new(struct epochs *e, uint64_t number)
{
    struct epoch *epoch = account_alloc(e->account, 1, sizeof(*epoch));
    epoch->account = e->account;
    epoch->number = number;
    epoch->heard = e->heard;
    epoch->source_count = e->source_count;
    epoch->sources = account_alloc(e->account, e->source_count, sizeof(*epoch->sources));
    epoch->positions = account_alloc(e->account, e->source_count, sizeof(*epoch->positions));
    epoch->dead_letters = account_alloc(e->account, e->source_count, sizeof(struct seqset));
    epoch->rows_of = account_alloc(e->account, e->source_count, sizeof(struct seqset));
    for (uint32_t i = 0; i < e->source_count; i++) {
        epoch->sources[i].rows.account = e->account;
        epoch->sources[i].dead_letters.account = e->account;
    }
    return epoch;
}

void epoch_free(struct epoch *epoch)
{
    struct account *account = epoch->account;
    for (uint32_t i = 0; i < epoch->source_count; i++) {
        struct epoch_source *s = &epoch->sources[i];
        seqset_free(&s->rows);
        seqjoin_free(&s->late);
        seqset_free(&s->dead_letters);
        free((char *)s->origin.stream);
        free((char *)s->origin.created);
        free((char *)s->origin.consumer);
    }
    for (size_t i = 0; i < epoch->position_count; i++)
        seqset_free(&epoch->positions[i].above);
    account_remove(account, epoch->copies_memory);
    account_free(account, epoch->sources, epoch->source_count * sizeof(*epoch->sources));
    account_free(account, epoch->positions, epoch->source_count * sizeof(*epoch->positions));
    account_free(account, epoch->dead_letters, epoch->source_count * sizeof(struct seqset));
    account_free(account, epoch->rows_of, epoch->source_count * sizeof(struct seqset));
    account_free(account, epoch, sizeof(*epoch));
}

void epochs_init(struct epochs *e, struct store_writer *store, const struct store_path *path,
                 struct epoch_limits limits, uint32_t source_count, struct account *account)
{
    *e = (struct epochs){.store = store,
                         .limits = limits,
                         .table = {.schema = &event_schema, .path = path, .unpack = event_unpack},
                         .quarantine = {.schema = &quarantine_schema},
                         .account = account,
                         .source_count = source_count};
    e->open = epoch_new(e, 1);
}

void epochs_free(struct epochs *e)
{
    while (e->sealed != NULL) {
        struct epoch *epoch = e->sealed;
        e->sealed = epoch->next;
        epoch_free(epoch);
    }
    epoch_free(e->open);
}

/* The epoch's part for a source, begun if this is the first that it gets. */
static struct epoch_source *part_of(struct epochs *e, const struct epoch_origin *from, int64_t now)
{
    struct epoch_source *s = &e->open->sources[from->source];
    if (s->origin.stream == NULL)
        s->origin =
            (struct store_origin){text_copy(from->texts.stream), text_copy(from->texts.created),
                                  text_copy(from->texts.consumer)};
    if (e->open->opened == 0)
        e->open->opened = now;
    return s;
}

/* What every message leaves, whatever became of it. */
static void count_message(struct epochs *e, struct epoch_source *s, uint64_t sequence,
                          int64_t stream_time, uint64_t bytes)
{
    ASSERT(seqjoin_add(&s->late, &s->rows, sequence)); /* the ledger said that it is new */
    if (sequence > s->last_seq) {
        s->last_seq = sequence;
        s->last_time = stream_time;
    }
    e->open->rows++;
    e->open->bytes += bytes;
}

void epochs_add_row(struct epochs *e, const struct epoch_origin *from, const struct event *event,
                    const struct event_origin *origin, int64_t time, bool suspect, int64_t now)
{
    struct epoch_source *s = part_of(e, from, now);
    struct event_size size = event_size(event, origin, suspect);
    struct store_row row = {
        .kind = &e->table,
        .source = from->source,
        .origin = &s->origin,
        .sequence = origin->stream_seq,
        .values = {.simulation_id = event->simulation_id,
                   .event_type_key = event->event_type_key,
                   .worker_id = event->worker_id,
                   .time = time},
        .clock_suspect = suspect,
        .packed = size.packed,
        .bytes = size.bytes,
    };
    struct batch *batch = store_writer_begin_row(e->store, &row);
    if (batch != NULL)
        event_append(batch, event, origin, suspect);
    else
        event_pack(store_writer_room(e->store), event, origin, suspect);
    uint64_t bytes = store_writer_end_row(e->store);
    count_message(e, s, origin->stream_seq, origin->stream_time_ns, bytes);
    s->table_rows++;
    s->clock_suspect += suspect;
}

static struct store_row quarantine_row(const struct epochs *e, const struct epoch_source *s,
                                       const struct epoch_origin *from,
                                       const struct quarantined *message)
{
    return (struct store_row){
        .kind = &e->quarantine,
        .source = from->source,
        .origin = &s->origin,
        .sequence = message->origin.stream_seq,
    };
}

static void count_quarantined(struct epochs *e, struct epoch_source *s,
                              const struct quarantined *message, uint64_t bytes)
{
    const struct event_origin *origin = &message->origin;
    count_message(e, s, origin->stream_seq, origin->stream_time_ns, bytes);
    s->dead[message->result]++;
}

void epochs_add_quarantined(struct epochs *e, const struct epoch_origin *from,
                            const struct quarantined *message, int64_t now)
{
    struct epoch_source *s = part_of(e, from, now);
    struct store_row row = quarantine_row(e, s, from, message);
    quarantine_append(store_writer_begin_row(e->store, &row), message);
    count_quarantined(e, s, message, store_writer_end_row(e->store));
}

void epochs_add_large(struct epochs *e, const struct epoch_origin *from,
                      const struct quarantined *message, const struct store_outside *payload,
                      int64_t now)
{
    struct epoch_source *s = part_of(e, from, now);
    struct store_row row = quarantine_row(e, s, from, message);
    struct quarantined rest = *message;
    struct batch *batch = batch_new(&quarantine_schema, e->account);
    rest.payload = (struct slice){0};
    quarantine_append(batch, &rest);
    count_quarantined(e, s, message, batch->bytes + payload->value.len);
    store_writer_add_outside(e->store, &row, batch, payload);
}

void epochs_add_dead_letter(struct epochs *e, const struct epoch_origin *from,
                            enum event_result reason, uint64_t sequence, int64_t stream_time,
                            int64_t now)
{
    struct epoch_source *s = part_of(e, from, now);
    count_message(e, s, sequence, stream_time, 0);
    seqset_add(&s->dead_letters, sequence);
    s->dead[reason]++;
}

void epochs_add_position(struct epochs *e, const struct epoch_origin *from, int64_t now)
{
    (void)part_of(e, from, now);
}

uint64_t epochs_partitions(const struct epochs *e)
{
    uint64_t count = store_writer_partitions(e->store);
    for (const struct epoch *epoch = e->sealed; epoch != NULL; epoch = epoch->next)
        count += epoch->partitions;
    return count;
}

bool epochs_is_empty(const struct epochs *e)
{
    return e->open->opened == 0;
}

bool epochs_is_full(const struct epochs *e, enum epoch_reason *reason)
{
    *reason = e->open->rows >= e->limits.rows ? EPOCH_ROWS : EPOCH_BYTES;
    return !epochs_is_empty(e) &&
           (e->open->rows >= e->limits.rows || e->open->bytes >= e->limits.bytes);
}

int64_t epochs_due(const struct epochs *e, enum epoch_reason *reason)
{
    bool many = store_writer_partitions(e->store) >= e->limits.partitions;
    *reason = many ? EPOCH_PARTITIONS : EPOCH_AGE;
    if (epochs_is_empty(e))
        return INT64_MAX;
    return many ? e->open->opened : e->open->opened + e->limits.age;
}

struct epoch *epochs_seal(struct epochs *e, enum epoch_reason reason)
{
    struct epoch *sealed = e->open;
    struct epoch **last = &e->sealed;
    sealed->reason = reason;
    sealed->partitions = store_writer_partitions(e->store);
    for (uint32_t i = 0; i < sealed->source_count; i++)
        seqjoin_finish(&sealed->sources[i].late, &sealed->sources[i].rows);
    while (*last != NULL)
        last = &(*last)->next;
    *last = sealed;
    e->sealed_count++;
    e->open = epoch_new(e, sealed->number + 1);
    return sealed;
}

void epoch_set_position(struct epoch *epoch, uint32_t source, const struct position *p)
{
    struct epoch_source *s = &epoch->sources[source];
    struct position *to = &epoch->positions[epoch->position_count];
    uint64_t copies = ABOVE_COPIES * seqset_memory(&p->above);
    *to = *p;
    to->stream = s->origin.stream;
    to->created = s->origin.created;
    to->consumer = s->origin.consumer;
    epoch->rows_of[epoch->position_count] = s->rows;
    epoch->dead_letters[epoch->position_count++] = s->dead_letters;
    epoch->copies_memory += copies;
    account_add(epoch->account, copies);
}

void epochs_send(struct epochs *e, struct epoch *epoch, int64_t now)
{
    struct store_seal seal = {
        .number = epoch->number,
        .heard = epoch->heard,
        .rows = epoch->rows,
        .time = now,
        .positions = epoch->positions,
        .rows_of = epoch->rows_of,
        .dead_letters = epoch->dead_letters,
        .position_count = epoch->position_count,
    };
    store_writer_seal(e->store, &seal);
}

struct epoch *epochs_committed(struct epochs *e, struct store_committed *how)
{
    if (!store_writer_committed(e->store, how))
        return NULL;
    struct epoch *epoch = e->sealed;
    ASSERT(epoch->number == how->number);
    e->sealed = epoch->next;
    e->sealed_count--;
    e->heard = epoch->number;
    return epoch;
}
