/* SPDX-License-Identifier: MIT */
#include "parquet/write/layout.h"

#include <string.h>

#include "base/assert.h"
#include "parquet/write/uuid.h"

enum { LARGER_PAGES_EVERY = PARQUET_PAGES_MAX / 10 };

struct parquet_options parquet_options_default(void)
{
    return (struct parquet_options){
        .compression_level = 1,
        .page_bytes = PARQUET_PAGE_BYTES,
        .row_group_rows = PARQUET_ROW_GROUP_ROWS,
        .row_group_bytes = PARQUET_ROW_GROUP_BYTES,
    };
}

void layout_check_options(const struct schema *schema, const struct parquet_options *options)
{
    ASSERT(schema->count >= 1 && schema->count <= SCHEMA_COLUMNS_MAX);
    ASSERT(options->compression_level >= PARQUET_LEVEL_MIN &&
           options->compression_level <= PARQUET_LEVEL_MAX);
    ASSERT(options->page_bytes >= PARQUET_PAGE_BYTES_LOWEST &&
           options->page_bytes <= PARQUET_PAGE_BYTES_HIGHEST);
    ASSERT(options->row_group_rows >= 1 && options->row_group_bytes >= 1);
    for (uint32_t i = 0; i < options->bloom_columns_count; i++)
        ASSERT(schema_find(schema, options->bloom_columns[i]) >= 0);
    if (options->nanos_column != NULL) {
        int i = schema_find(schema, options->nanos_column);
        ASSERT(i >= 0 && schema->columns[i].type == COLUMN_INT64);
    }
    if (options->uuid_column != NULL) {
        int i = schema_find(schema, options->uuid_column);
        ASSERT(i >= 0 && schema->columns[i].type == COLUMN_BYTES);
    }
}

static bool is_named(const struct column_spec *spec, const char *name)
{
    return name != NULL && strcmp(spec->name, name) == 0;
}

static bool has_bloom(const struct parquet_options *options, const struct column_spec *spec)
{
    for (uint32_t i = 0; i < options->bloom_columns_count; i++)
        if (is_named(spec, options->bloom_columns[i]))
            return true;
    return false;
}

struct chunk_layout layout_of_column(const struct parquet_options *options,
                                     const struct column_spec *spec)
{
    struct chunk_layout layout = {
        .spec = spec,
        .encoding = PARQUET_ENCODING_PLAIN,
        .ceiling = options->compression_level,
        .bloom = has_bloom(options, spec),
    };

    if (spec->type == COLUMN_INT64) {
        layout.type = PARQUET_TYPE_INT64;
        if (options->delta)
            layout.encoding = PARQUET_ENCODING_DELTA_BINARY_PACKED;
    } else if (is_named(spec, options->uuid_column)) {
        layout.type = PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY;
    } else {
        layout.type = PARQUET_TYPE_BYTE_ARRAY;
        if (options->delta)
            layout.encoding = PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY;
    }
    return layout;
}

uint32_t layout_page_bytes(const struct parquet_options *options, uint64_t pages)
{
    uint32_t bytes = options->page_bytes;

    for (; pages >= LARGER_PAGES_EVERY; pages -= LARGER_PAGES_EVERY)
        bytes = bytes < PARQUET_PAGE_BYTES_HIGHEST / 2 ? bytes * 2 : PARQUET_PAGE_BYTES_HIGHEST;
    return bytes;
}

static void annotate(struct parquet_schema_element *element, const struct column_spec *spec,
                     const struct parquet_options *options)
{
    struct parquet_logical_type *logical = &element->logical;

    if (element->type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY) {
        element->type_length = UUID_BYTES;
        logical->kind = PARQUET_LOGICAL_UUID;
    } else if (spec->meaning == COLUMN_TEXT) {
        element->converted_type = PARQUET_CONVERTED_UTF8;
        logical->kind = PARQUET_LOGICAL_STRING;
    } else if (spec->meaning == COLUMN_TIME_MICROS) {
        element->converted_type = PARQUET_CONVERTED_TIMESTAMP_MICROS;
        *logical = (struct parquet_logical_type){
            .kind = PARQUET_LOGICAL_TIMESTAMP, .utc = true, .unit = PARQUET_UNIT_MICROS};
    } else if (is_named(spec, options->nanos_column)) {
        *logical = (struct parquet_logical_type){
            .kind = PARQUET_LOGICAL_TIMESTAMP, .utc = true, .unit = PARQUET_UNIT_NANOS};
    }
}

struct parquet_schema_element *layout_describe_schema(const struct schema *schema,
                                                      const struct parquet_options *options,
                                                      struct arena *arena)
{
    struct parquet_schema_element *elements =
        arena_calloc(arena, (size_t)schema->count + 1, sizeof(*elements));

    elements[0].name = slice_of("schema");
    elements[0].num_children = (int32_t)schema->count;
    elements[0].converted_type = PARQUET_CONVERTED_NONE;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct column_spec *spec = &schema->columns[i];
        elements[i + 1] = (struct parquet_schema_element){
            .has_type = true,
            .type = layout_of_column(options, spec).type,
            .has_repetition = true,
            .repetition =
                spec->optional ? PARQUET_REPETITION_OPTIONAL : PARQUET_REPETITION_REQUIRED,
            .name = slice_of(spec->name),
            .converted_type = PARQUET_CONVERTED_NONE,
            .field_id = (int32_t)i + 1,
        };
        annotate(&elements[i + 1], spec, options);
    }
    return elements;
}
