/* SPDX-License-Identifier: MIT */
#include "cli/inspect_json.h"

#include <inttypes.h>

#include "base/json.h"
#include "cli/annotation.h"
#include "cli/value_json.h"
#include "parquet/read/column.h"

/* A bound as JSON of its type; a bound of another width (a cut one) in base64, as bytes. */
static void append_bound(struct buf *out, const struct parquet_leaf *leaf, struct slice bound)
{
    struct parquet_leaf shown = *leaf;
    if (bound.data == NULL)
        bound.data = (const uint8_t *)""; /* empty, which is not null */
    if (leaf->unsupported != NULL || (leaf->type.width != 0 && bound.len != leaf->type.width))
        shown.meaning = PARQUET_MEANING_BYTES;
    value_json_append(out, &shown, bound);
}

static void append_schema(struct buf *out, const struct parquet_file *file)
{
    buf_append_text(out, ",\"schema\":[");
    for (uint32_t i = 0; i < file->leaves_count; i++) {
        const struct parquet_leaf *leaf = &file->leaves[i];
        const struct parquet_schema_element *e = leaf->element;
        const char *type = parquet_type_name(e->type);
        buf_append_text(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        json_append_string(out, leaf->name);
        if (type != NULL)
            buf_printf(out, ",\"type\":\"%s\"", type);
        else
            buf_printf(out, ",\"type\":\"%d\"", (int)e->type);
        if (e->type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY)
            buf_printf(out, ",\"length\":%d", e->type_length);
        buf_append_text(out, ",\"annotation\":\"");
        annotation_append(out, e);
        buf_printf(out, "\",\"optional\":%s", leaf->definition > 0 ? "true" : "false");
        if (leaf->repetition > 0)
            buf_append_text(out, ",\"repeated\":true");
        if (e->field_id != 0)
            buf_printf(out, ",\"field_id\":%d", e->field_id);
        if (leaf->unsupported != NULL)
            buf_printf(out, ",\"unsupported\":\"%s\"", leaf->unsupported);
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ']');
}

static void append_statistics(struct buf *out, const struct parquet_leaf *leaf,
                              const struct parquet_statistics *s)
{
    if (s->has_null_count)
        buf_printf(out, ",\"nulls\":%" PRId64, s->null_count);
    if (s->has_min) {
        buf_append_text(out, ",\"min\":");
        append_bound(out, leaf, s->min);
    }
    if (s->has_max) {
        buf_append_text(out, ",\"max\":");
        append_bound(out, leaf, s->max);
    }
}

static void append_chunk(struct buf *out, const struct parquet_leaf *leaf,
                         const struct parquet_column_chunk *chunk)
{
    const char *codec = parquet_compression_name(chunk->codec);
    buf_append_text(out, "{\"name\":");
    json_append_string(out, leaf->name);
    buf_append_text(out, ",\"encodings\":[");
    for (uint32_t i = 0; i < chunk->encodings_count; i++) {
        const char *name = parquet_encoding_name(chunk->encodings[i]);
        buf_append_text(out, i == 0 ? "\"" : ",\"");
        if (name != NULL)
            buf_append_text(out, name);
        else
            buf_printf(out, "%d", (int)chunk->encodings[i]);
        buf_append_byte(out, '"');
    }
    if (codec != NULL)
        buf_printf(out, "],\"codec\":\"%s\"", codec);
    else
        buf_printf(out, "],\"codec\":\"%d\"", (int)chunk->codec);
    buf_printf(out,
               ",\"values\":%" PRId64 ",\"offset\":%" PRIu64 ",\"compressed_bytes\":%" PRId64
               ",\"uncompressed_bytes\":%" PRId64,
               chunk->num_values, parquet_chunk_start(chunk), chunk->total_compressed_size,
               chunk->total_uncompressed_size);
    append_statistics(out, leaf, &chunk->statistics);
    buf_printf(out, ",\"column_index\":%s,\"offset_index\":%s,\"bloom_filter\":%s}",
               chunk->column_index_offset != 0 ? "true" : "false",
               chunk->offset_index_offset != 0 ? "true" : "false",
               chunk->bloom_filter_offset != 0 ? "true" : "false");
}

void inspect_json(struct buf *out, const char *path, const struct parquet_file *file)
{
    const struct parquet_file_metadata *m = &file->metadata;
    buf_append_text(out, "{\"file\":");
    json_append_string(out, slice_of(path));
    buf_printf(out, ",\"bytes\":%" PRIu64 ",\"rows\":%" PRId64 ",\"format_version\":%d",
               file->source.size, m->num_rows, m->version);
    if (m->has_created_by) {
        buf_append_text(out, ",\"created_by\":");
        json_append_string(out, m->created_by);
    }
    buf_append_text(out, ",\"metadata\":{");
    for (uint32_t i = 0; i < m->key_values_count; i++) {
        const struct parquet_key_value *entry = &m->key_values[i];
        buf_append_text(out, i == 0 ? "" : ",");
        json_append_string(out, entry->key);
        buf_append_byte(out, ':');
        if (entry->has_value)
            json_append_string(out, entry->value);
        else
            buf_append_text(out, "null");
    }
    buf_append_byte(out, '}');
    append_schema(out, file);
    buf_append_text(out, ",\"row_groups\":[");
    for (uint32_t i = 0; i < m->row_groups_count; i++) {
        const struct parquet_row_group *group = &m->row_groups[i];
        buf_printf(out, "%s{\"rows\":%" PRId64 ",\"uncompressed_bytes\":%" PRId64 ",\"columns\":[",
                   i == 0 ? "" : ",", group->num_rows, group->total_byte_size);
        for (uint32_t k = 0; k < group->columns_count; k++) {
            buf_append_text(out, k == 0 ? "" : ",");
            append_chunk(out, &file->leaves[k], &group->columns[k]);
        }
        buf_append_text(out, "]}");
    }
    buf_append_text(out, "]}\n");
}
