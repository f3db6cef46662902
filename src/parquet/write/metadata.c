/* SPDX-License-Identifier: MIT */
#include "parquet/write/metadata.h"

#include "base/assert.h"
#include "parquet/write/thrift.h"

/* The numbers are the field ids of parquet.thrift. */

void parquet_write_page_header(struct buf *out, const struct parquet_page_header *header)
{
    struct thrift_writer w;

    thrift_write_open(&w, out);
    thrift_write_i32(&w, 1, (int32_t)header->type);
    thrift_write_i32(&w, 2, header->uncompressed_page_size);
    thrift_write_i32(&w, 3, header->compressed_page_size);
    if (header->has_crc)
        thrift_write_i32(&w, 4, (int32_t)header->crc);
    if (header->type == PARQUET_PAGE_DATA) {
        thrift_write_struct(&w, 5);
        thrift_write_i32(&w, 1, header->num_values);
        thrift_write_i32(&w, 2, (int32_t)header->encoding);
        thrift_write_i32(&w, 3, (int32_t)header->definition_level_encoding);
        thrift_write_i32(&w, 4, (int32_t)header->repetition_level_encoding);
    } else {
        ASSERT(header->type == PARQUET_PAGE_DICTIONARY);
        thrift_write_struct(&w, 7);
        thrift_write_i32(&w, 1, header->num_values);
        thrift_write_i32(&w, 2, (int32_t)header->encoding);
    }
    thrift_write_close(&w);
    thrift_write_close(&w);
}

static void write_logical_type(struct thrift_writer *w, const struct parquet_logical_type *logical)
{
    int16_t id = (int16_t)logical->kind;

    switch (logical->kind) {
    case PARQUET_LOGICAL_NONE:
        break;
    case PARQUET_LOGICAL_STRING:
    case PARQUET_LOGICAL_MAP:
    case PARQUET_LOGICAL_LIST:
    case PARQUET_LOGICAL_ENUM:
    case PARQUET_LOGICAL_DATE:
    case PARQUET_LOGICAL_UNKNOWN:
    case PARQUET_LOGICAL_JSON:
    case PARQUET_LOGICAL_BSON:
    case PARQUET_LOGICAL_UUID:
    case PARQUET_LOGICAL_FLOAT16:
        thrift_write_empty(w, id);
        break;
    case PARQUET_LOGICAL_TIME:
    case PARQUET_LOGICAL_TIMESTAMP:
        thrift_write_struct(w, id);
        thrift_write_bool(w, 1, logical->utc);
        thrift_write_struct(w, 2);
        thrift_write_empty(w, (int16_t)logical->unit);
        thrift_write_close(w);
        thrift_write_close(w);
        break;
    case PARQUET_LOGICAL_INTEGER:
        thrift_write_struct(w, id);
        thrift_write_i8(w, 1, logical->bit_width);
        thrift_write_bool(w, 2, logical->is_signed);
        thrift_write_close(w);
        break;
    case PARQUET_LOGICAL_DECIMAL:
        thrift_write_struct(w, id);
        thrift_write_i32(w, 1, logical->scale);
        thrift_write_i32(w, 2, logical->precision);
        thrift_write_close(w);
        break;
    }
}

static void write_schema_element(struct thrift_writer *w, const struct parquet_schema_element *e)
{
    thrift_element_struct(w);
    if (e->has_type)
        thrift_write_i32(w, 1, (int32_t)e->type);
    if (e->type_length != 0)
        thrift_write_i32(w, 2, e->type_length);
    if (e->has_repetition)
        thrift_write_i32(w, 3, (int32_t)e->repetition);
    thrift_write_binary(w, 4, e->name);
    if (e->num_children != 0)
        thrift_write_i32(w, 5, e->num_children);
    if (e->converted_type != PARQUET_CONVERTED_NONE)
        thrift_write_i32(w, 6, (int32_t)e->converted_type);
    if (e->converted_type == PARQUET_CONVERTED_DECIMAL) {
        thrift_write_i32(w, 7, e->scale);
        thrift_write_i32(w, 8, e->precision);
    }
    if (e->field_id != 0)
        thrift_write_i32(w, 9, e->field_id);
    if (e->logical.kind != PARQUET_LOGICAL_NONE) {
        thrift_write_struct(w, 10);
        write_logical_type(w, &e->logical);
        thrift_write_close(w);
    }
    thrift_write_close(w);
}

static void write_statistics(struct thrift_writer *w, int16_t id,
                             const struct parquet_statistics *statistics)
{
    thrift_write_struct(w, id);
    if (statistics->has_null_count)
        thrift_write_i64(w, 3, statistics->null_count);
    if (statistics->has_max)
        thrift_write_binary(w, 5, statistics->max);
    if (statistics->has_min)
        thrift_write_binary(w, 6, statistics->min);
    if (statistics->max_exact != PARQUET_EXACT_UNSTATED)
        thrift_write_bool(w, 7, statistics->max_exact == PARQUET_EXACT_YES);
    if (statistics->min_exact != PARQUET_EXACT_UNSTATED)
        thrift_write_bool(w, 8, statistics->min_exact == PARQUET_EXACT_YES);
    thrift_write_close(w);
}

static void write_encoding_stats(struct thrift_writer *w, int16_t id,
                                 const struct parquet_encoding_stats *stats, uint32_t count)
{
    thrift_write_list(w, id, THRIFT_STRUCT, count);
    for (uint32_t i = 0; i < count; i++) {
        thrift_element_struct(w);
        thrift_write_i32(w, 1, (int32_t)stats[i].page_type);
        thrift_write_i32(w, 2, (int32_t)stats[i].encoding);
        thrift_write_i32(w, 3, stats[i].count);
        thrift_write_close(w);
    }
}

static void write_column_metadata(struct thrift_writer *w, const struct parquet_column_chunk *c)
{
    thrift_write_i32(w, 1, (int32_t)c->type);
    thrift_write_list(w, 2, THRIFT_I32, c->encodings_count);
    for (uint32_t i = 0; i < c->encodings_count; i++)
        thrift_element_i32(w, (int32_t)c->encodings[i]);
    thrift_write_list(w, 3, THRIFT_BINARY, c->path_count);
    for (uint32_t i = 0; i < c->path_count; i++)
        thrift_element_binary(w, c->path[i]);
    thrift_write_i32(w, 4, (int32_t)c->codec);
    thrift_write_i64(w, 5, c->num_values);
    thrift_write_i64(w, 6, c->total_uncompressed_size);
    thrift_write_i64(w, 7, c->total_compressed_size);
    thrift_write_i64(w, 9, c->data_page_offset);
    if (c->dictionary_page_offset != 0)
        thrift_write_i64(w, 11, c->dictionary_page_offset);
    if (c->has_statistics)
        write_statistics(w, 12, &c->statistics);
    if (c->encoding_stats_count > 0)
        write_encoding_stats(w, 13, c->encoding_stats, c->encoding_stats_count);
    if (c->has_size_statistics) {
        thrift_write_struct(w, 16);
        thrift_write_i64(w, 1, c->unencoded_byte_array_data_bytes);
        thrift_write_close(w);
    }
}

static void write_column_chunk(struct thrift_writer *w, const struct parquet_column_chunk *c)
{
    thrift_element_struct(w);
    thrift_write_i64(w, 2, c->file_offset);
    thrift_write_struct(w, 3);
    write_column_metadata(w, c);
    thrift_write_close(w);
    if (c->offset_index_offset != 0) {
        thrift_write_i64(w, 4, c->offset_index_offset);
        thrift_write_i32(w, 5, c->offset_index_length);
    }
    if (c->column_index_offset != 0) {
        thrift_write_i64(w, 6, c->column_index_offset);
        thrift_write_i32(w, 7, c->column_index_length);
    }
    thrift_write_close(w);
}

static void write_row_group(struct thrift_writer *w, const struct parquet_row_group *group)
{
    thrift_element_struct(w);
    thrift_write_list(w, 1, THRIFT_STRUCT, group->columns_count);
    for (uint32_t i = 0; i < group->columns_count; i++)
        write_column_chunk(w, &group->columns[i]);
    thrift_write_i64(w, 2, group->total_byte_size);
    thrift_write_i64(w, 3, group->num_rows);
    if (group->sorting_columns_count > 0) {
        thrift_write_list(w, 4, THRIFT_STRUCT, group->sorting_columns_count);
        for (uint32_t i = 0; i < group->sorting_columns_count; i++) {
            thrift_element_struct(w);
            thrift_write_i32(w, 1, group->sorting_columns[i].column_idx);
            thrift_write_bool(w, 2, group->sorting_columns[i].descending);
            thrift_write_bool(w, 3, group->sorting_columns[i].nulls_first);
            thrift_write_close(w);
        }
    }
    if (group->has_file_offset)
        thrift_write_i64(w, 5, group->file_offset);
    if (group->has_total_compressed_size)
        thrift_write_i64(w, 6, group->total_compressed_size);
    if (group->has_ordinal)
        thrift_write_i16(w, 7, group->ordinal);
    thrift_write_close(w);
}

static void write_key_values(struct thrift_writer *w, int16_t id,
                             const struct parquet_key_value *pairs, uint32_t count)
{
    thrift_write_list(w, id, THRIFT_STRUCT, count);
    for (uint32_t i = 0; i < count; i++) {
        thrift_element_struct(w);
        thrift_write_binary(w, 1, pairs[i].key);
        if (pairs[i].has_value)
            thrift_write_binary(w, 2, pairs[i].value);
        thrift_write_close(w);
    }
}

void parquet_write_file_metadata(struct buf *out, const struct parquet_file_metadata *metadata)
{
    struct thrift_writer w;

    thrift_write_open(&w, out);
    thrift_write_i32(&w, 1, metadata->version);
    thrift_write_list(&w, 2, THRIFT_STRUCT, metadata->schema_count);
    for (uint32_t i = 0; i < metadata->schema_count; i++)
        write_schema_element(&w, &metadata->schema[i]);
    thrift_write_i64(&w, 3, metadata->num_rows);
    thrift_write_list(&w, 4, THRIFT_STRUCT, metadata->row_groups_count);
    for (uint32_t i = 0; i < metadata->row_groups_count; i++)
        write_row_group(&w, &metadata->row_groups[i]);
    if (metadata->key_values_count > 0)
        write_key_values(&w, 5, metadata->key_values, metadata->key_values_count);
    if (metadata->has_created_by)
        thrift_write_binary(&w, 6, metadata->created_by);
    if (metadata->column_orders_count > 0) {
        thrift_write_list(&w, 7, THRIFT_STRUCT, metadata->column_orders_count);
        for (uint32_t i = 0; i < metadata->column_orders_count; i++) {
            thrift_element_struct(&w);
            thrift_write_empty(&w, 1);
            thrift_write_close(&w);
        }
    }
    thrift_write_close(&w);
}

void parquet_write_column_index(struct buf *out, const struct parquet_column_index *index)
{
    struct thrift_writer w;

    thrift_write_open(&w, out);
    thrift_write_list(&w, 1, THRIFT_TRUE, index->count);
    for (uint32_t i = 0; i < index->count; i++)
        thrift_element_bool(&w, index->null_pages[i]);
    thrift_write_list(&w, 2, THRIFT_BINARY, index->count);
    for (uint32_t i = 0; i < index->count; i++)
        thrift_element_binary(&w, index->min_values[i]);
    thrift_write_list(&w, 3, THRIFT_BINARY, index->count);
    for (uint32_t i = 0; i < index->count; i++)
        thrift_element_binary(&w, index->max_values[i]);
    thrift_write_i32(&w, 4, (int32_t)index->boundary_order);
    if (index->null_counts != NULL) {
        thrift_write_list(&w, 5, THRIFT_I64, index->count);
        for (uint32_t i = 0; i < index->count; i++)
            thrift_element_i64(&w, index->null_counts[i]);
    }
    thrift_write_close(&w);
}

void parquet_write_offset_index(struct buf *out, const struct parquet_offset_index *index)
{
    struct thrift_writer w;

    thrift_write_open(&w, out);
    thrift_write_list(&w, 1, THRIFT_STRUCT, index->count);
    for (uint32_t i = 0; i < index->count; i++) {
        thrift_element_struct(&w);
        thrift_write_i64(&w, 1, index->page_locations[i].offset);
        thrift_write_i32(&w, 2, index->page_locations[i].compressed_page_size);
        thrift_write_i64(&w, 3, index->page_locations[i].first_row_index);
        thrift_write_close(&w);
    }
    if (index->unencoded_byte_array_data_bytes != NULL) {
        thrift_write_list(&w, 2, THRIFT_I64, index->count);
        for (uint32_t i = 0; i < index->count; i++)
            thrift_element_i64(&w, index->unencoded_byte_array_data_bytes[i]);
    }
    thrift_write_close(&w);
}
