/* SPDX-License-Identifier: MIT */
#include "follow/typed.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"
#include "delta/log.h"
#include "delta/schema.h"
#include "delta/table.h"
#include "event/event.h"
#include "object/open.h"
#include "store/commit.h"

enum {
    /* Of rows, at which they are compressed; of all that are not; of a row group, compressed. */
    BATCH_BYTES = 1024 * 1024,
    OPEN_BYTES = 16 * 1024 * 1024,
    ROW_GROUP_BYTES = 16 * 1024 * 1024,
    PAGE_BYTES = 256 * 1024, /* of many columns */
};

#define PATH "{simulation_id}/{YYYY-MM-DD}/{first_seq}-{last_seq}.parquet"

/* Of the envelope; the payload stays in the store. */
static const uint8_t envelope[] = {
    EVENT_COLUMN_TIMESTAMP_NS,   EVENT_COLUMN_EVENT_ID,      EVENT_COLUMN_EVENT_TYPE_KEY,
    EVENT_COLUMN_WORKER_ID,      EVENT_COLUMN_SIMULATION_ID, EVENT_COLUMN_PAYLOAD_FORMAT_HINT,
    EVENT_COLUMN_CORRELATION_ID, EVENT_COLUMN_STREAM_SEQ,    EVENT_COLUMN_STREAM_TIME,
    EVENT_COLUMN_NATS_SUBJECT,   EVENT_COLUMN_EVENT_TIME,
};

enum {
    ENVELOPE = sizeof(envelope),
    PAYLOAD_ERROR = ENVELOPE,
    PAYLOAD, /* the first column of it */
};

/* A generation of a stream, and which of its rows the table need not take. */
struct typed_origin {
    char *stream, *created;
    char *consumer; /* as positions have it: one a generation, of which each keeps a few only */
    struct store_origin origin;
    struct seqset known; /* committed before the table was opened */
    struct seqset rows;  /* taken since the last commit */
};

/* A column that is called as one of the envelope's gets a name of its own. */
static const char *payload_name(struct typed_table *t, uint32_t column)
{
    const char *own = t->schema.columns[column].name;
    struct buf name = {0};
    uint32_t at = 0;
    while (at < PAYLOAD && strcasecmp(t->schema.columns[at].name, own) != 0)
        at++;
    if (at == PAYLOAD)
        return own;
    buf_printf(&name, "payload_%s", own);
    own = arena_text(&t->names, name.data, name.len);
    buf_free(&name);
    return own;
}

static int check_name(const struct schema *schema, uint32_t column, struct err *err)
{
    for (uint32_t i = 0; i < column; i = schema_end(schema, i))
        if (strcasecmp(schema->columns[i].name, schema->columns[column].name) == 0)
            return err_set(err, ERR_USAGE, "two columns are called %s", schema->columns[i].name);
    return 0;
}

char *typed_table_root(const char *target, struct slice event_type)
{
    struct buf root = {0};
    buf_printf(&root, "%s/", target);
    text_escape(&root, event_type);
    char *copy = text_copy_slice(buf_slice(&root));
    buf_free(&root);
    return copy;
}

int typed_table_init(struct typed_table *t, const char *target, struct slice event_type,
                     const char *follower, struct payload_type *payload, struct account *account,
                     struct err *err)
{
    uint32_t count = PAYLOAD + payload->count;
    struct column_spec *columns = calloc(count, sizeof(*columns));
    if (columns == NULL)
        out_of_memory(count * sizeof(*columns));
    *t = (struct typed_table){.event_type = text_copy_slice(event_type),
                              .instance = follower,
                              .root = typed_table_root(target, event_type),
                              .payload = payload,
                              .account = account};
    t->schema = (struct schema){t->event_type, columns, count};
    if (payload->definition.len > 0)
        sha256_text(payload->definition, t->types);
    for (uint32_t i = 0; i < ENVELOPE; i++)
        columns[i] = event_schema.columns[envelope[i]];
    columns[PAYLOAD_ERROR] = (struct column_spec){.name = "payload_error",
                                                  .type = COLUMN_BYTES,
                                                  .meaning = COLUMN_TEXT,
                                                  .optional = true,
                                                  .dictionary = true};
    payload_widen(payload);
    memcpy(&columns[PAYLOAD], payload->columns, payload->count * sizeof(*columns));
    for (uint32_t i = PAYLOAD; i < count; i = schema_end(&t->schema, i))
        columns[i].name = payload_name(t, i);
    for (uint32_t i = PAYLOAD; i < count; i = schema_end(&t->schema, i))
        if (check_name(&t->schema, i, err) != 0)
            return -1;
    t->columns = columns;
    t->own =
        memcpy(arena_alloc(&t->names, count * sizeof(*columns)), columns, count * sizeof(*columns));
    t->kind = (struct store_kind){
        .schema = &t->schema, .path = &t->path, .types = t->types[0] != '\0' ? t->types : NULL};
    struct schema_node *nodes = calloc(count, sizeof(*nodes));
    if (nodes == NULL)
        out_of_memory(count * sizeof(*nodes));
    int result = schema_nodes(&t->schema, nodes, err);
    free(nodes);
    return result == 0 ? store_path_parse(&t->path, PATH, err) : -1;
}

/* The columns get the names that they have in the table, and long where it has that. */
static int adapt(void *context, struct slice schema_string, struct err *err)
{
    struct typed_table *t = context;
    arena_reset(&t->adapted);
    memcpy(t->columns, t->own, t->schema.count * sizeof(*t->columns));
    return delta_schema_rename(schema_string, t->columns, t->schema.count, &t->adapted, err);
}

int typed_table_check(struct typed_table *t, struct buf *says, struct err *err)
{
    struct object_config place = {.root = t->root, .entries = DELTA_LOG_FOLDER};
    struct delta_snapshot table = {0};
    struct err none = {0};
    bool evolve = false;
    struct object_store *store = object_open(&place, &none);
    if (store == NULL)
        return 0; /* it is not there yet; whoever makes it says what is wrong with the place */
    int result = delta_snapshot_load(&table, store, err);
    if (result == 0 && table.found)
        result = adapt(t, table.metadata.schema_string, err);
    if (result == 0 && table.found)
        result = delta_table_check(&table.protocol, &table.metadata, &t->schema, &evolve, err);
    if (result != 0)
        (void)err_prefix(err, "%s", t->root);
    if (evolve)
        buf_printf(says, "; %s will get columns that it lacks", t->root);
    delta_snapshot_free(&table);
    object_store_close(store);
    return result;
}

static int begin_anew(struct typed_table *t, struct err *err)
{
    const char *beside = follow_anew_begin(t->anew, t->root, &t->schema, err);
    if (beside == NULL)
        return -1;
    free(t->root);
    t->root = text_copy(beside);
    t->begun = true;
    return 0;
}

static int open_table(struct typed_table *t, struct err *err)
{
    struct store_config config = {.instance = t->instance,
                                  .engine = "varve-follow",
                                  .schema = &t->schema,
                                  .adapt = adapt,
                                  .context = t};
    if (t->writer != NULL)
        return 0;
    if (t->anew != NULL && !t->begun && begin_anew(t, err) != 0)
        return -1;
    config.root = t->root;
    if (t->store == NULL)
        t->store = store_open(&config, err);
    if (t->store == NULL || typed_table_record(t, err) != 0)
        return -1;
    struct store_writer_options options = {.store = t->store,
                                           .instance = t->instance,
                                           .parquet = parquet_options_default(),
                                           .account = t->account,
                                           .stepped = true};
    options.parquet.page_bytes = PAGE_BYTES;
    t->writer = store_writer_new(&options, err);
    if (t->writer == NULL)
        return -1;
    const struct store_writer_limits limits = {BATCH_BYTES, OPEN_BYTES, ROW_GROUP_BYTES};
    store_writer_set_limits(t->writer, &limits);
    typed_keep_begin(&t->keep, t->keeping, t->root, &t->schema, &t->store->table);
    return 0;
}

/* What the table has of a generation: by its transactions, and by its files. */
static void find_known(const struct typed_table *t, struct typed_origin *o)
{
    for (size_t i = 0; i < t->store->positions.count; i++) {
        const struct position *p = &t->store->positions.list[i];
        if (strcmp(p->stream, o->stream) != 0 || strcmp(p->created, o->created) != 0)
            continue;
        if (p->through > 0)
            seqset_add_range(&o->known, 1, p->through);
        seqset_add_all(&o->known, &p->above);
    }
}

static struct typed_origin *origin_of(struct typed_table *t, const char *stream,
                                      const char *created)
{
    for (size_t i = t->origins.count; i-- > 0;) {
        struct typed_origin *o = t->origins.list[i];
        if (strcmp(o->stream, stream) == 0 && strcmp(o->created, created) == 0)
            return o;
    }
    struct typed_origin *o = calloc(1, sizeof(*o));
    struct buf consumer = {0};
    if (o == NULL)
        out_of_memory(sizeof(*o));
    buf_printf(&consumer, "follow %s", created);
    o->stream = text_copy(stream);
    o->created = text_copy(created);
    o->consumer = text_copy_slice(buf_slice(&consumer));
    o->origin = (struct store_origin){o->stream, o->created, o->consumer};
    buf_free(&consumer);
    find_known(t, o);
    *array_add(&t->origins) = o;
    return o;
}

static void put_envelope(struct batch *b, const struct follow_event *event, struct slice reason)
{
    for (uint32_t i = 0; i < ENVELOPE; i++) {
        struct slice value = event->values[envelope[i]];
        const struct column_spec *spec = &b->schema->columns[i];
        if (value.data == NULL && spec->optional)
            batch_put_null(b, i);
        else if (spec->type == COLUMN_INT64)
            batch_put_int64(b, i, value.data == NULL ? 0 : (int64_t)load_u64le(value.data));
        else
            batch_put_bytes(b, i, value);
    }
    if (reason.len == 0)
        batch_put_null(b, PAYLOAD_ERROR);
    else
        batch_put_bytes(b, PAYLOAD_ERROR, reason);
}

/* The row, with its payload or with the reason why not. False: the latter. */
static bool put_row(struct typed_table *t, struct batch *b, const struct follow_event *event,
                    struct slice message)
{
    struct slice payload = event->values[EVENT_COLUMN_EVENT_PAYLOAD];
    enum payload_result result = PAYLOAD_BAD;
    batch_mark(b);
    if (message.len == 0 || slice_is(message, t->payload->message)) {
        result = payload_append(t->payload, b, PAYLOAD, payload);
    } else {
        buf_reset(&t->payload->reason);
        buf_printf(&t->payload->reason, "it is not a %s", t->payload->message);
    }
    if (result != PAYLOAD_BAD && !batch_row_fits(b)) {
        buf_reset(&t->payload->reason);
        buf_append_text(&t->payload->reason, "larger than a row may be");
        result = PAYLOAD_BAD;
    }
    if (result == PAYLOAD_BAD) {
        batch_rollback(b);
        payload_append_nulls(t->payload, b, PAYLOAD);
    }
    put_envelope(b, event, buf_slice(&t->payload->reason));
    batch_end_row(b);
    return result == PAYLOAD_OK;
}

/* Files a row under its own time, or if it has none under that of the stream. */
static int64_t time_of(const struct follow_event *event)
{
    struct slice own = event->values[EVENT_COLUMN_EVENT_TIME];
    struct slice came = event->values[EVENT_COLUMN_STREAM_TIME];
    int64_t micros = own.data != NULL    ? (int64_t)load_u64le(own.data)
                     : came.data != NULL ? (int64_t)load_u64le(came.data)
                                         : 0;
    return micros > INT64_MAX / 1000 || micros < INT64_MIN / 1000 ? 0 : micros * 1000;
}

int typed_table_take(struct typed_table *t, const struct follow_event *event, struct slice message,
                     bool *refused, struct err *err)
{
    *refused = false;
    if (open_table(t, err) != 0)
        return -1;
    struct typed_origin *o = origin_of(t, event->stream, event->created);
    if (seqset_contains(&o->known, event->sequence))
        return 0;
    struct store_row row = {
        .kind = &t->kind,
        .origin = &o->origin,
        .sequence = event->sequence,
        .values = {.simulation_id = event->values[EVENT_COLUMN_SIMULATION_ID],
                   .event_type_key = slice_of(t->event_type),
                   .worker_id = event->values[EVENT_COLUMN_WORKER_ID],
                   .time = time_of(event)},
    };
    for (size_t i = 0; i < t->origins.count; i++)
        if (t->origins.list[i] == o)
            row.source = (uint32_t)i;
    *refused = !put_row(t, store_writer_begin_row(t->writer, &row), event, message);
    (void)store_writer_end_row(t->writer);
    (void)store_writer_turn(t->writer, clock_monotonic());
    seqset_add(&o->rows, event->sequence);
    t->rows++;
    return 0;
}

/* Until the seal is committed, or fails. */
static int finish(struct typed_table *t, struct err *err)
{
    struct store_committed how;
    for (;;) {
        (void)store_writer_turn(t->writer, clock_monotonic());
        if (store_writer_committed(t->writer, &how))
            break;
        struct store_trouble trouble = store_writer_trouble(t->writer);
        if (trouble.failing)
            return err_set(err, trouble.err.code, "%s: %s", t->root, trouble.err.text);
    }
    positions_free(&how.others);
    keeper_note(t->keep.keeper, how.version);
    return 0;
}

int typed_table_commit(struct typed_table *t, const struct delta_follower *done, struct err *err)
{
    size_t count = 0;
    if (t->rows == 0)
        return 0;
    struct position *positions = calloc(t->origins.count, sizeof(*positions));
    struct seqset *rows = calloc(t->origins.count, sizeof(*rows));
    if (positions == NULL || rows == NULL)
        out_of_memory(t->origins.count * sizeof(*rows));
    for (size_t i = 0; i < t->origins.count; i++) {
        struct typed_origin *o = t->origins.list[i];
        const struct seqset *has =
            delta_follower_rows((struct delta_follower *)done, o->stream, o->created, false);
        if (o->rows.count == 0)
            continue;
        ASSERT(has != NULL && has->count > 0); /* they are among what is done */
        struct position *p = &positions[count];
        *p = (struct position){.stream = o->stream, .created = o->created, .consumer = o->consumer};
        p->last_seq = o->rows.list[o->rows.count - 1].last;
        seqset_add_all(&p->above, has);
        position_raise(p, seqset_contiguous_end(has, 1));
        rows[count++] = o->rows;
    }
    struct store_seal seal = {.number = ++t->number,
                              .heard = t->number - 1,
                              .rows = t->rows,
                              .time = clock_monotonic(),
                              .positions = positions,
                              .rows_of = rows,
                              .position_count = count};
    store_writer_seal(t->writer, &seal);
    int result = finish(t, err);
    if (result != 0)
        typed_table_close(t); /* which borrows from here */
    for (size_t i = 0; i < count; i++)
        seqset_free(&positions[i].above);
    free(positions);
    free(rows);
    for (size_t i = 0; i < t->origins.count; i++)
        seqset_reset(&t->origins.list[i]->rows);
    t->rows = 0;
    return result;
}

void typed_table_close(struct typed_table *t)
{
    typed_keep_end(&t->keep);
    store_writer_free(t->writer);
    store_close(t->store);
    for (size_t i = 0; i < t->origins.count; i++) {
        struct typed_origin *o = t->origins.list[i];
        seqset_free(&o->known);
        seqset_free(&o->rows);
        free(o->stream);
        free(o->created);
        free(o->consumer);
        free(o);
    }
    array_free(&t->origins);
    t->writer = NULL;
    t->store = NULL;
    t->rows = 0;
}

void typed_table_free(struct typed_table *t)
{
    typed_table_close(t);
    payload_free(t->payload);
    free(t->columns);
    arena_free(&t->names);
    arena_free(&t->adapted);
    free(t->root);
    free(t->event_type);
}
