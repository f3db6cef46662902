/* SPDX-License-Identifier: MIT */
#include "delta/table.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"

enum { READER_VERSION = 1, WRITER_VERSION = 2 };

static const char *type_name(const struct column_spec *spec)
{
    if (spec->type == COLUMN_BYTES)
        return spec->meaning == COLUMN_TEXT ? "string" : "binary";
    return spec->meaning == COLUMN_TIME_MICROS ? "timestamp" : "long";
}

static void append_schema(struct buf *out, const struct schema *schema)
{
    buf_append_text(out, "{\"type\":\"struct\",\"fields\":[");
    for (uint32_t i = 0; i < schema->count; i++)
        buf_printf(out, "%s{\"name\":\"%s\",\"type\":\"%s\",\"nullable\":true,\"metadata\":{}}",
                   i == 0 ? "" : ",", schema->columns[i].name, type_name(&schema->columns[i]));
    buf_append_text(out, "]}");
}

void store_table_write(struct buf *out, const struct schema *schema, const char *id,
                       const char *engine, int64_t wall_time)
{
    struct buf columns = {0};
    append_schema(&columns, schema);
    int64_t millis = wall_time / CLOCK_MILLISECOND;
    buf_printf(out,
               "{\"commitInfo\":{\"timestamp\":%" PRId64 ",\"operation\":\"CREATE TABLE\","
               "\"operationParameters\":{},\"engineInfo\":",
               millis);
    json_append_string(out, slice_of(engine));
    buf_printf(out, "}}\n{\"protocol\":{\"minReaderVersion\":%d,\"minWriterVersion\":%d}}\n",
               READER_VERSION, WRITER_VERSION);
    buf_printf(out,
               "{\"metaData\":{\"id\":\"%s\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
               "\"schemaString\":",
               id);
    json_append_string(out, buf_slice(&columns));
    buf_printf(out,
               ",\"partitionColumns\":[],\"createdTime\":%" PRId64
               ",\"configuration\":{\"delta.appendOnly\":\"true\"}}}\n",
               millis);
    buf_free(&columns);
}

static int check_protocol(const struct json *protocol, struct err *err)
{
    uint64_t reader, writer;
    if (!json_get_u64(protocol, "minReaderVersion", &reader) ||
        !json_get_u64(protocol, "minWriterVersion", &writer))
        return err_set(err, ERR_FORMAT, "its protocol has no versions");
    if (reader > READER_VERSION || writer > WRITER_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "it needs Delta reader %" PRIu64 " and writer %" PRIu64
                       ", varve is %d and %d; choose another directory",
                       reader, writer, READER_VERSION, WRITER_VERSION);
    return 0;
}

static int check_column(const struct json *fields, const struct column_spec *spec, struct err *err)
{
    struct slice name, type;
    for (const struct json *f = fields->first; f != NULL; f = f->next) {
        if (!json_get_text(f, "name", &name) || !slice_is(name, spec->name))
            continue;
        if (json_get_text(f, "type", &type) && slice_is(type, type_name(spec)))
            return 0;
        return err_set(err, ERR_UNSUPPORTED,
                       "its column %s is not of type %s; choose another "
                       "directory",
                       spec->name, type_name(spec));
    }
    return err_set(err, ERR_UNSUPPORTED, "it has no column %s; choose another directory",
                   spec->name);
}

static int check_metadata(const struct json *metadata, const struct schema *schema,
                          struct arena *arena, struct err *err)
{
    struct slice text;
    const struct json *partitions = json_member(metadata, "partitionColumns");
    if (partitions != NULL && partitions->first != NULL)
        return err_set(err, ERR_UNSUPPORTED,
                       "it has partition columns, varve writes none; choose another directory");
    if (!json_get_text(metadata, "schemaString", &text))
        return err_set(err, ERR_FORMAT, "its metaData has no schemaString");
    const struct json *columns = json_parse(arena, text, err);
    if (columns == NULL)
        return err_prefix(err, "its schemaString");
    const struct json *fields = json_member(columns, "fields");
    if (fields == NULL || fields->type != JSON_ARRAY)
        return err_set(err, ERR_FORMAT, "its schemaString has no fields");
    for (uint32_t i = 0; i < schema->count; i++) {
        if (check_column(fields, &schema->columns[i], err) < 0)
            return -1;
    }
    return 0;
}

int store_table_check(struct slice entry, const struct schema *schema, struct err *err)
{
    struct arena arena = {0};
    bool protocol_seen = false;
    bool metadata_seen = false;
    int result = 0;
    while (entry.len > 0 && result == 0) {
        const uint8_t *end = memchr(entry.data, '\n', entry.len);
        size_t len = end == NULL ? entry.len : (size_t)(end - entry.data);
        struct slice line = {entry.data, len};
        size_t used = end == NULL ? len : len + 1;
        entry.data += used;
        entry.len -= used;
        if (len == 0)
            continue; /* some writers end with an empty line */
        const struct json *root = json_parse(&arena, line, err);
        if (root == NULL) {
            result = -1;
            break;
        }
        const struct json *protocol = json_member(root, "protocol");
        const struct json *metadata = json_member(root, "metaData");
        if (protocol != NULL)
            result = check_protocol(protocol, err);
        if (metadata != NULL && result == 0)
            result = check_metadata(metadata, schema, &arena, err);
        protocol_seen |= protocol != NULL;
        metadata_seen |= metadata != NULL;
    }
    arena_free(&arena);
    if (result == 0 && !(protocol_seen && metadata_seen))
        return err_set(err, ERR_FORMAT, "it has no protocol or no metaData");
    return result;
}
