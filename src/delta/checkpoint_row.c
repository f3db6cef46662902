/* SPDX-License-Identifier: MIT */
#include "delta/checkpoint_row.h"

#include <assert.h>

#include "base/assert.h"
#include "base/utf8.h"

/* In the order of the columns below: the number of each that is given by name. */
enum {
    TXN,
    TXN_APP_ID,
    TXN_VERSION,
    TXN_LAST_UPDATED,
    ADD,
    ADD_PATH,
    ADD_PARTITION_VALUES, /* key and value follow, as for each map */
    ADD_SIZE = ADD_PARTITION_VALUES + 3,
    ADD_MODIFICATION_TIME,
    ADD_DATA_CHANGE,
    ADD_STATS,
    ADD_TAGS,
    REMOVE = ADD_TAGS + 3,
    REMOVE_PATH,
    REMOVE_DELETION_TIMESTAMP,
    REMOVE_DATA_CHANGE,
    REMOVE_EXTENDED,
    REMOVE_PARTITION_VALUES,
    REMOVE_SIZE = REMOVE_PARTITION_VALUES + 3,
    METADATA,
    METADATA_ID,
    METADATA_NAME,
    METADATA_DESCRIPTION,
    METADATA_FORMAT,
    METADATA_PROVIDER,
    METADATA_OPTIONS,
    METADATA_SCHEMA = METADATA_OPTIONS + 3,
    METADATA_PARTITION_COLUMNS, /* the element follows, as for each list */
    METADATA_CREATED_TIME = METADATA_PARTITION_COLUMNS + 2,
    METADATA_CONFIGURATION,
    PROTOCOL = METADATA_CONFIGURATION + 3,
    PROTOCOL_READER,
    PROTOCOL_WRITER,
    PROTOCOL_READER_FEATURES,
    PROTOCOL_WRITER_FEATURES = PROTOCOL_READER_FEATURES + 2,
    COLUMNS = PROTOCOL_WRITER_FEATURES + 2,
};

#define GROUP(text, fields)                                                           \
    {                                                                                 \
        .name = (text), .type = COLUMN_STRUCT, .optional = true, .children = (fields) \
    }
#define TEXT(text)                                                                     \
    {                                                                                  \
        .name = (text), .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true \
    }
#define NUMBER(text)                                           \
    {                                                          \
        .name = (text), .type = COLUMN_INT64, .optional = true \
    }
#define SMALL(text)                                            \
    {                                                          \
        .name = (text), .type = COLUMN_INT32, .optional = true \
    }
#define FLAG(text)                                               \
    {                                                            \
        .name = (text), .type = COLUMN_BOOLEAN, .optional = true \
    }
#define MAP(text)                                                                          \
    {.name = (text), .type = COLUMN_MAP, .optional = true},                                \
        {.name = "key", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .dictionary = true}, \
    {                                                                                      \
        .name = "value", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true    \
    }
#define LIST(text) {.name = (text), .type = COLUMN_LIST, .optional = true}, TEXT("element")

static const struct column_spec columns[] = {
    GROUP("txn", 3),
    TEXT("appId"),
    NUMBER("version"),
    NUMBER("lastUpdated"),
    GROUP("add", 7),
    TEXT("path"),
    MAP("partitionValues"),
    NUMBER("size"),
    NUMBER("modificationTime"),
    FLAG("dataChange"),
    TEXT("stats"),
    MAP("tags"),
    GROUP("remove", 6),
    TEXT("path"),
    NUMBER("deletionTimestamp"),
    FLAG("dataChange"),
    FLAG("extendedFileMetadata"),
    MAP("partitionValues"),
    NUMBER("size"),
    GROUP("metaData", 8),
    TEXT("id"),
    TEXT("name"),
    TEXT("description"),
    GROUP("format", 2),
    TEXT("provider"),
    MAP("options"),
    TEXT("schemaString"),
    LIST("partitionColumns"),
    NUMBER("createdTime"),
    MAP("configuration"),
    GROUP("protocol", 4),
    SMALL("minReaderVersion"),
    SMALL("minWriterVersion"),
    LIST("readerFeatures"),
    LIST("writerFeatures"),
};

static_assert(sizeof(columns) / sizeof(columns[0]) == COLUMNS, "each column has its number");

const struct schema delta_checkpoint_schema = {"checkpoint", columns, COLUMNS};

/* A row that is being appended; `bad` once something could not be. */
struct row {
    struct batch *batch;
    bool bad;
};

/* Nothing for a NULL pointer: what a group does not get is null. */
static void put_text(struct row *r, uint32_t column, struct slice text)
{
    r->bad |= text.data != NULL && !utf8_valid(text);
    if (text.data != NULL && !r->bad)
        batch_put_bytes(r->batch, column, text);
}

static void put_map(struct row *r, uint32_t column, const struct delta_map *map)
{
    batch_begin_map(r->batch, column);
    for (size_t i = 0; i < map->count && !r->bad; i++) {
        r->bad |= map->list[i].key.data == NULL || !utf8_valid(map->list[i].key);
        if (r->bad)
            break;
        batch_begin_entry(r->batch);
        batch_put_bytes(r->batch, column + 1, map->list[i].key);
        put_text(r, column + 2, map->list[i].value);
        batch_end(r->batch);
    }
    batch_end(r->batch);
}

static void put_strings(struct row *r, uint32_t column, const struct delta_strings *strings)
{
    batch_begin_list(r->batch, column);
    for (size_t i = 0; i < strings->count; i++)
        put_text(r, column + 1, strings->list[i]);
    batch_end(r->batch);
}

static void put_txn(struct row *r, const struct delta_txn *t)
{
    batch_begin_struct(r->batch, TXN);
    put_text(r, TXN_APP_ID, t->app_id);
    batch_put_int64(r->batch, TXN_VERSION, t->version);
    if (t->has_last_updated)
        batch_put_int64(r->batch, TXN_LAST_UPDATED, t->last_updated);
    batch_end(r->batch);
}

static void put_add(struct row *r, const struct delta_add *a)
{
    r->bad |= a->vector != 0 || a->size > INT64_MAX;
    batch_begin_struct(r->batch, ADD);
    put_text(r, ADD_PATH, a->path);
    put_map(r, ADD_PARTITION_VALUES, &a->partition_values);
    batch_put_int64(r->batch, ADD_SIZE, (int64_t)a->size);
    batch_put_int64(r->batch, ADD_MODIFICATION_TIME, a->modification_time);
    batch_put_boolean(r->batch, ADD_DATA_CHANGE, a->data_change);
    put_text(r, ADD_STATS, a->stats);
    if (a->tags.count > 0)
        put_map(r, ADD_TAGS, &a->tags);
    batch_end(r->batch);
}

static void put_remove(struct row *r, const struct delta_remove *m)
{
    r->bad |= m->size > INT64_MAX;
    batch_begin_struct(r->batch, REMOVE);
    put_text(r, REMOVE_PATH, m->path);
    if (m->has_deletion_timestamp)
        batch_put_int64(r->batch, REMOVE_DELETION_TIMESTAMP, m->deletion_timestamp);
    batch_put_boolean(r->batch, REMOVE_DATA_CHANGE, m->data_change);
    batch_put_boolean(r->batch, REMOVE_EXTENDED, m->extended);
    if (m->extended) {
        put_map(r, REMOVE_PARTITION_VALUES, &m->partition_values);
        batch_put_int64(r->batch, REMOVE_SIZE, (int64_t)m->size);
    }
    batch_end(r->batch);
}

static void put_metadata(struct row *r, const struct delta_metadata *m)
{
    batch_begin_struct(r->batch, METADATA);
    put_text(r, METADATA_ID, m->id);
    put_text(r, METADATA_NAME, m->name);
    put_text(r, METADATA_DESCRIPTION, m->description);
    batch_begin_struct(r->batch, METADATA_FORMAT);
    put_text(r, METADATA_PROVIDER, m->provider.data != NULL ? m->provider : slice_of("parquet"));
    put_map(r, METADATA_OPTIONS, &m->format_options);
    batch_end(r->batch);
    put_text(r, METADATA_SCHEMA, m->schema_string);
    put_strings(r, METADATA_PARTITION_COLUMNS, &m->partition_columns);
    if (m->has_created_time)
        batch_put_int64(r->batch, METADATA_CREATED_TIME, m->created_time);
    put_map(r, METADATA_CONFIGURATION, &m->configuration);
    batch_end(r->batch);
}

static void put_protocol(struct row *r, const struct delta_protocol *p)
{
    batch_begin_struct(r->batch, PROTOCOL);
    batch_put_int32(r->batch, PROTOCOL_READER, (int32_t)p->reader);
    batch_put_int32(r->batch, PROTOCOL_WRITER, (int32_t)p->writer);
    if (p->reader_features.count > 0)
        put_strings(r, PROTOCOL_READER_FEATURES, &p->reader_features);
    if (p->writer_features.count > 0)
        put_strings(r, PROTOCOL_WRITER_FEATURES, &p->writer_features);
    batch_end(r->batch);
}

int delta_checkpoint_append(struct batch *batch, const struct delta_action *action, struct err *err)
{
    struct row r = {.batch = batch};
    batch_mark(batch);
    switch (action->kind) {
    case DELTA_TXN:
        put_txn(&r, &action->txn);
        break;
    case DELTA_ADD:
        put_add(&r, &action->add);
        break;
    case DELTA_REMOVE:
        put_remove(&r, &action->remove);
        break;
    case DELTA_METADATA:
        put_metadata(&r, &action->metadata);
        break;
    case DELTA_PROTOCOL:
        put_protocol(&r, &action->protocol);
        break;
    case DELTA_OTHER:
    case DELTA_COMMIT_INFO:
        ASSERT(false);
    }
    bool fits = batch_row_fits(batch);
    if (!r.bad && fits) {
        batch_end_row(batch);
        return 0;
    }
    batch_rollback(batch);
    if (r.bad)
        return err_set(err, ERR_FORMAT, "an action %s has what a checkpoint of varve can't have",
                       delta_kind_name(action->kind));
    return err_set(err, ERR_LIMIT, "an action %s is too large for a checkpoint",
                   delta_kind_name(action->kind));
}
