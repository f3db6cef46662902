/* SPDX-License-Identifier: MIT */

#include "base/json.h"
#include "cli/inspect.h"
#include "cli/value_json.h"
#include "parquet/read/column.h"

/* A bound as JSON of its type; a bound of another width (a cut one) in base64, as bytes. */
static void put_bound(struct json_writer *w, const char *name, const struct parquet_leaf *leaf,
                      struct slice bound)
{
    struct parquet_leaf shown = *leaf;
    if (bound.data == NULL)
        bound.data = (const uint8_t *)""; /* empty, which is not null */
    if (leaf->unsupported != NULL || (leaf->type.width != 0 && bound.len != leaf->type.width))
        shown.meaning = PARQUET_MEANING_BYTES;
    value_json_append(json_put_raw(w, name), &shown, bound);
}

/* What has a name in the format, or else its number. */
static void put_name(struct json_writer *w, const char *key, const char *name, int32_t number)
{
    if (name != NULL)
        json_put_text(w, key, name);
    else
        buf_printf(json_put_raw(w, key), "\"%d\"", (int)number);
}

static void put_leaf(struct json_writer *w, const struct parquet_leaf *leaf)
{
    const struct parquet_schema_element *e = leaf->element;
    json_open_object(w, NULL);
    json_put_slice(w, "name", leaf->name);
    put_name(w, "type", parquet_type_name(e->type), (int32_t)e->type);
    if (e->type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY)
        json_put_i64(w, "length", e->type_length);
    struct buf *out = json_put_raw(w, "annotation");
    buf_append_byte(out, '"');
    annotation_append(out, e);
    buf_append_byte(out, '"');
    json_put_bool(w, "optional", leaf->definition > 0);
    if (leaf->repetition > 0)
        json_put_bool(w, "repeated", true);
    if (e->field_id != 0)
        json_put_i64(w, "field_id", e->field_id);
    if (leaf->unsupported != NULL)
        json_put_text(w, "unsupported", leaf->unsupported);
    json_close_object(w);
}

static void put_statistics(struct json_writer *w, const struct parquet_leaf *leaf,
                           const struct parquet_statistics *s)
{
    if (s->has_null_count)
        json_put_i64(w, "nulls", s->null_count);
    if (s->has_min)
        put_bound(w, "min", leaf, s->min);
    if (s->has_max)
        put_bound(w, "max", leaf, s->max);
}

static void put_chunk(struct json_writer *w, const struct parquet_leaf *leaf,
                      const struct parquet_column_chunk *chunk)
{
    json_open_object(w, NULL);
    json_put_slice(w, "name", leaf->name);
    json_open_array(w, "encodings");
    for (uint32_t i = 0; i < chunk->encodings_count; i++)
        put_name(w, NULL, parquet_encoding_name(chunk->encodings[i]), (int32_t)chunk->encodings[i]);
    json_close_array(w);
    put_name(w, "codec", parquet_compression_name(chunk->codec), (int32_t)chunk->codec);
    json_put_i64(w, "values", chunk->num_values);
    json_put_u64(w, "offset", parquet_chunk_start(chunk));
    json_put_i64(w, "compressed_bytes", chunk->total_compressed_size);
    json_put_i64(w, "uncompressed_bytes", chunk->total_uncompressed_size);
    put_statistics(w, leaf, &chunk->statistics);
    json_put_bool(w, "column_index", chunk->column_index_offset != 0);
    json_put_bool(w, "offset_index", chunk->offset_index_offset != 0);
    json_put_bool(w, "bloom_filter", chunk->bloom_filter_offset != 0);
    json_close_object(w);
}

static void put_row_group(struct json_writer *w, const struct parquet_file *file,
                          const struct parquet_row_group *group)
{
    json_open_object(w, NULL);
    json_put_i64(w, "rows", group->num_rows);
    json_put_i64(w, "uncompressed_bytes", group->total_byte_size);
    json_open_array(w, "columns");
    for (uint32_t k = 0; k < group->columns_count; k++)
        put_chunk(w, &file->leaves[k], &group->columns[k]);
    json_close_array(w);
    json_close_object(w);
}

static void put_key_values(struct json_writer *w, const struct parquet_file_metadata *m)
{
    json_open_object(w, "metadata");
    for (uint32_t i = 0; i < m->key_values_count; i++) {
        const struct parquet_key_value *entry = &m->key_values[i];
        json_put_name(w, entry->key);
        if (entry->has_value)
            json_put_slice(w, NULL, entry->value);
        else
            json_put_null(w, NULL);
    }
    json_close_object(w);
}

void inspect_json(struct buf *out, const char *path, const struct parquet_file *file)
{
    const struct parquet_file_metadata *m = &file->metadata;
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_put_text(&w, "file", path);
    json_put_u64(&w, "bytes", file->source.size);
    json_put_i64(&w, "rows", m->num_rows);
    json_put_i64(&w, "format_version", m->version);
    if (m->has_created_by)
        json_put_slice(&w, "created_by", m->created_by);
    put_key_values(&w, m);
    json_open_array(&w, "schema");
    for (uint32_t i = 0; i < file->leaves_count; i++)
        put_leaf(&w, &file->leaves[i]);
    json_close_array(&w);
    json_open_array(&w, "row_groups");
    for (uint32_t i = 0; i < m->row_groups_count; i++)
        put_row_group(&w, file, &m->row_groups[i]);
    json_close_array(&w);
    json_close_object(&w);
    buf_append_byte(out, '\n');
}
