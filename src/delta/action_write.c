/* SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "delta/action.h"

/* Nothing for a NULL pointer. */
static void put_text(struct json_writer *w, const char *name, struct slice text)
{
    if (text.data != NULL)
        json_put_slice(w, name, text);
}

static void put_strings(struct json_writer *w, const char *name,
                        const struct delta_strings *strings)
{
    json_open_array(w, name);
    for (size_t i = 0; i < strings->count; i++)
        json_put_slice(w, NULL, strings->list[i]);
    json_close_array(w);
}

static void put_map(struct json_writer *w, const char *name, const struct delta_map *map)
{
    json_open_object(w, name);
    for (size_t i = 0; i < map->count; i++) {
        json_put_name(w, map->list[i].key);
        if (map->list[i].value.data == NULL)
            json_put_null(w, NULL);
        else
            json_put_slice(w, NULL, map->list[i].value);
    }
    json_close_object(w);
}

static void write_commit_info(struct json_writer *w, const struct delta_commit_info *c)
{
    ASSERT(c->json == NULL);
    json_put_i64(w, "timestamp", c->timestamp);
    json_put_text(w, "operation", c->operation);
    buf_append_text(json_put_raw(w, "operationParameters"), c->parameters);
    json_put_bool(w, "isBlindAppend", c->blind_append);
    json_put_text(w, "engineInfo", c->engine);
    if (c->varve.data != NULL)
        buf_append_slice(json_put_raw(w, "varve"), c->varve);
}

static void write_protocol(struct json_writer *w, const struct delta_protocol *p)
{
    json_put_i64(w, "minReaderVersion", p->reader);
    json_put_i64(w, "minWriterVersion", p->writer);
    if (p->reader_features.count > 0)
        put_strings(w, "readerFeatures", &p->reader_features);
    if (p->writer_features.count > 0)
        put_strings(w, "writerFeatures", &p->writer_features);
}

/* What other writers have put into a metaData stays in it. */
static void put_unknown(struct json_writer *w, const struct json *object)
{
    static const char *const known[] = {"id",
                                        "name",
                                        "description",
                                        "format",
                                        "schemaString",
                                        "partitionColumns",
                                        "configuration",
                                        "createdTime"};
    for (const struct json *c = object->first; c != NULL; c = c->next) {
        bool found = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            found |= slice_is(c->key, known[i]);
        if (found)
            continue;
        json_put_name(w, c->key);
        json_put_value(w, NULL, c);
    }
}

static void write_metadata(struct json_writer *w, const struct delta_metadata *m)
{
    json_put_slice(w, "id", m->id);
    put_text(w, "name", m->name);
    put_text(w, "description", m->description);
    json_open_object(w, "format");
    json_put_slice(w, "provider", m->provider.data != NULL ? m->provider : slice_of("parquet"));
    put_map(w, "options", &m->format_options);
    json_close_object(w);
    json_put_slice(w, "schemaString", m->schema_string);
    put_strings(w, "partitionColumns", &m->partition_columns);
    if (m->has_created_time)
        json_put_i64(w, "createdTime", m->created_time);
    put_map(w, "configuration", &m->configuration);
    if (m->json != NULL)
        put_unknown(w, m->json);
}

static void write_txn(struct json_writer *w, const struct delta_txn *t)
{
    json_put_slice(w, "appId", t->app_id);
    json_put_i64(w, "version", t->version);
    if (t->has_last_updated)
        json_put_i64(w, "lastUpdated", t->last_updated);
}

static void write_add(struct json_writer *w, const struct delta_add *a)
{
    ASSERT(a->vector == 0);
    json_put_slice(w, "path", a->path);
    put_map(w, "partitionValues", &a->partition_values);
    json_put_u64(w, "size", a->size);
    json_put_i64(w, "modificationTime", a->modification_time);
    json_put_bool(w, "dataChange", a->data_change);
    put_text(w, "stats", a->stats);
    if (a->tags.count > 0)
        put_map(w, "tags", &a->tags);
}

static void write_remove(struct json_writer *w, const struct delta_remove *r)
{
    json_put_slice(w, "path", r->path);
    if (r->has_deletion_timestamp)
        json_put_i64(w, "deletionTimestamp", r->deletion_timestamp);
    json_put_bool(w, "dataChange", r->data_change);
    if (!r->extended)
        return;
    json_put_bool(w, "extendedFileMetadata", true);
    put_map(w, "partitionValues", &r->partition_values);
    json_put_u64(w, "size", r->size);
}

void delta_action_write(struct buf *out, const struct delta_action *action)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_open_object(&w, delta_kind_name(action->kind));
    switch (action->kind) {
    case DELTA_COMMIT_INFO:
        write_commit_info(&w, &action->commit_info);
        break;
    case DELTA_PROTOCOL:
        write_protocol(&w, &action->protocol);
        break;
    case DELTA_METADATA:
        write_metadata(&w, &action->metadata);
        break;
    case DELTA_TXN:
        write_txn(&w, &action->txn);
        break;
    case DELTA_ADD:
        write_add(&w, &action->add);
        break;
    case DELTA_REMOVE:
        write_remove(&w, &action->remove);
        break;
    case DELTA_OTHER:
        break;
    }
    json_close_object(&w);
    json_close_object(&w);
    buf_append_byte(out, '\n');
}
