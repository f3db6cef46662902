/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

#include "parquet/read/thrift.h"

/* The fewest bytes that one element of a list can take: a field is a header and a byte or more, a
 * struct ends with a byte. They bound the memory that a list of a given length may claim. */
enum {
    LEAST_BYTE = 1,
    LEAST_STRUCT_1 = 3,      /* SchemaElement, KeyValue, ColumnOrder: one field */
    LEAST_SORTING = 5,       /* an i32 and two bools */
    LEAST_STRUCT_3 = 7,      /* RowGroup, PageEncodingStats, PageLocation: three fields */
    LEAST_COLUMN_CHUNK = 21, /* file_offset and the eight required fields of its metadata */
};

struct context {
    struct thrift_reader r;
    struct arena *arena;
    bool encrypted;
};

static void read_statistics(struct thrift_reader *r, struct thrift_field *field,
                            struct parquet_statistics *s)
{
    struct thrift_field f = {0};
    if (!thrift_read_struct(r, field))
        return;
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 3:
            s->has_null_count = thrift_read_is(r, &f, THRIFT_I64);
            if (s->has_null_count)
                s->null_count = thrift_read_natural64(r, &f);
            break;
        case 5:
            s->has_max = thrift_read_is(r, &f, THRIFT_BINARY);
            if (s->has_max)
                s->max = thrift_read_binary(r, &f);
            break;
        case 6:
            s->has_min = thrift_read_is(r, &f, THRIFT_BINARY);
            if (s->has_min)
                s->min = thrift_read_binary(r, &f);
            break;
        case 7:
            if (thrift_read_is(r, &f, THRIFT_TRUE))
                s->max_exact = thrift_read_bool(r, &f) ? PARQUET_EXACT_YES : PARQUET_EXACT_NO;
            break;
        case 8:
            if (thrift_read_is(r, &f, THRIFT_TRUE))
                s->min_exact = thrift_read_bool(r, &f) ? PARQUET_EXACT_YES : PARQUET_EXACT_NO;
            break;
        default:
            thrift_read_skip(r, &f);
        }
    }
}

static void read_encoding_stats(struct context *c, struct thrift_field *field,
                                struct parquet_column_chunk *chunk)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_STRUCT_3, &element);
    struct parquet_encoding_stats *stats = arena_calloc(c->arena, count, sizeof(*stats));
    for (uint32_t i = 0; i < count && thrift_read_struct(&c->r, &element); i++) {
        struct thrift_field f = {0};
        while (thrift_read_next(&c->r, &f)) {
            if (f.id == 1)
                stats[i].page_type = (enum parquet_page_type)thrift_read_natural(&c->r, &f);
            else if (f.id == 2)
                stats[i].encoding = (enum parquet_encoding)thrift_read_natural(&c->r, &f);
            else if (f.id == 3)
                stats[i].count = thrift_read_natural(&c->r, &f);
            else
                thrift_read_skip(&c->r, &f);
        }
        thrift_read_require(&c->r, &f, THRIFT_FIELDS(1, 3));
    }
    chunk->encoding_stats = stats;
    chunk->encoding_stats_count = count;
}

static void read_size_statistics(struct thrift_reader *r, struct thrift_field *field,
                                 struct parquet_column_chunk *chunk)
{
    struct thrift_field f = {0};
    if (!thrift_read_struct(r, field))
        return;
    while (thrift_read_next(r, &f)) {
        if (f.id != 1) {
            thrift_read_skip(r, &f);
        } else if (thrift_read_is(r, &f, THRIFT_I64)) {
            chunk->has_size_statistics = true;
            chunk->unencoded_byte_array_data_bytes = thrift_read_natural64(r, &f);
        }
    }
}

static void read_encodings(struct context *c, struct thrift_field *field,
                           struct parquet_column_chunk *chunk)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_I32, LEAST_BYTE, &element);
    enum parquet_encoding *encodings = arena_calloc(c->arena, count, sizeof(*encodings));
    for (uint32_t i = 0; i < count; i++)
        encodings[i] = (enum parquet_encoding)thrift_read_natural(&c->r, &element);
    chunk->encodings = encodings;
    chunk->encodings_count = count;
}

static const struct slice *read_binaries(struct context *c, struct thrift_field *field,
                                         uint32_t *count)
{
    struct thrift_field element;
    *count = thrift_read_list(&c->r, field, THRIFT_BINARY, LEAST_BYTE, &element);
    struct slice *list = arena_calloc(c->arena, *count, sizeof(*list));
    for (uint32_t i = 0; i < *count; i++)
        list[i] = thrift_read_binary(&c->r, &element);
    return list;
}

static void read_column_metadata(struct context *c, struct thrift_field *field,
                                 struct parquet_column_chunk *chunk)
{
    struct thrift_reader *r = &c->r;
    struct thrift_field f = {0};
    if (!thrift_read_struct(r, field))
        return;
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 1:
            chunk->type = (enum parquet_type)thrift_read_natural(r, &f);
            break;
        case 2:
            read_encodings(c, &f, chunk);
            break;
        case 3:
            chunk->path = read_binaries(c, &f, &chunk->path_count);
            break;
        case 4:
            chunk->codec = (enum parquet_compression)thrift_read_natural(r, &f);
            break;
        case 5:
            chunk->num_values = thrift_read_natural64(r, &f);
            break;
        case 6:
            chunk->total_uncompressed_size = thrift_read_natural64(r, &f);
            break;
        case 7:
            chunk->total_compressed_size = thrift_read_natural64(r, &f);
            break;
        case 9:
            chunk->data_page_offset = thrift_read_natural64(r, &f);
            break;
        case 11:
            chunk->dictionary_page_offset = thrift_read_natural64(r, &f);
            break;
        case 12:
            chunk->has_statistics = thrift_read_is(r, &f, THRIFT_STRUCT);
            if (chunk->has_statistics)
                read_statistics(r, &f, &chunk->statistics);
            break;
        case 13:
            read_encoding_stats(c, &f, chunk);
            break;
        case 14:
            chunk->bloom_filter_offset = thrift_read_natural64(r, &f);
            break;
        case 16:
            read_size_statistics(r, &f, chunk);
            break;
        default:
            thrift_read_skip(r, &f);
        }
    }
    thrift_read_require(r, &f, THRIFT_FIELDS(1, 7) | THRIFT_FIELD(9));
}

static void read_column_chunk(struct context *c, struct parquet_column_chunk *chunk)
{
    struct thrift_reader *r = &c->r;
    struct thrift_field f = {0};
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 2:
            chunk->file_offset = thrift_read_i64(r, &f);
            break;
        case 3:
            read_column_metadata(c, &f, chunk);
            break;
        case 4:
            chunk->offset_index_offset = thrift_read_natural64(r, &f);
            break;
        case 5:
            chunk->offset_index_length = thrift_read_natural(r, &f);
            break;
        case 6:
            chunk->column_index_offset = thrift_read_natural64(r, &f);
            break;
        case 7:
            chunk->column_index_length = thrift_read_natural(r, &f);
            break;
        case 8:
        case 9:
            c->encrypted = true;
            thrift_read_skip(r, &f);
            break;
        default:
            thrift_read_skip(r, &f);
        }
    }
    thrift_read_require(r, &f, c->encrypted ? THRIFT_FIELD(2) : THRIFT_FIELDS(2, 3));
}

static void read_sorting_columns(struct context *c, struct thrift_field *field,
                                 struct parquet_row_group *group)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_SORTING, &element);
    struct parquet_sorting_column *columns = arena_calloc(c->arena, count, sizeof(*columns));
    for (uint32_t i = 0; i < count && thrift_read_struct(&c->r, &element); i++) {
        struct thrift_field f = {0};
        while (thrift_read_next(&c->r, &f)) {
            if (f.id == 1)
                columns[i].column_idx = thrift_read_natural(&c->r, &f);
            else if (f.id == 2)
                columns[i].descending = thrift_read_bool(&c->r, &f);
            else if (f.id == 3)
                columns[i].nulls_first = thrift_read_bool(&c->r, &f);
            else
                thrift_read_skip(&c->r, &f);
        }
        thrift_read_require(&c->r, &f, THRIFT_FIELDS(1, 3));
    }
    group->sorting_columns = columns;
    group->sorting_columns_count = count;
}

static void read_column_chunks(struct context *c, struct thrift_field *field,
                               struct parquet_row_group *group)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_COLUMN_CHUNK, &element);
    struct parquet_column_chunk *chunks = arena_calloc(c->arena, count, sizeof(*chunks));
    for (uint32_t i = 0; i < count && thrift_read_struct(&c->r, &element); i++)
        read_column_chunk(c, &chunks[i]);
    group->columns = chunks;
    group->columns_count = count;
}

static void read_row_group(struct context *c, struct parquet_row_group *group)
{
    struct thrift_reader *r = &c->r;
    struct thrift_field f = {0};
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 1:
            read_column_chunks(c, &f, group);
            break;
        case 2:
            group->total_byte_size = thrift_read_natural64(r, &f);
            break;
        case 3:
            group->num_rows = thrift_read_natural64(r, &f);
            break;
        case 4:
            read_sorting_columns(c, &f, group);
            break;
        case 5:
            group->has_file_offset = thrift_read_is(r, &f, THRIFT_I64);
            if (group->has_file_offset)
                group->file_offset = thrift_read_natural64(r, &f);
            break;
        case 6:
            group->has_total_compressed_size = thrift_read_is(r, &f, THRIFT_I64);
            if (group->has_total_compressed_size)
                group->total_compressed_size = thrift_read_natural64(r, &f);
            break;
        case 7:
            group->has_ordinal = thrift_read_is(r, &f, THRIFT_I16);
            if (group->has_ordinal)
                group->ordinal = thrift_read_i16(r, &f);
            break;
        default:
            thrift_read_skip(r, &f);
        }
    }
    thrift_read_require(r, &f, THRIFT_FIELDS(1, 3));
}

static void read_schema(struct context *c, struct thrift_field *field,
                        struct parquet_file_metadata *m)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_STRUCT_1, &element);
    struct parquet_schema_element *schema = arena_calloc(c->arena, count, sizeof(*schema));
    for (uint32_t i = 0; i < count && thrift_read_struct(&c->r, &element); i++)
        parquet_schema_element_read(&c->r, &schema[i]);
    m->schema = schema;
    m->schema_count = count;
}

static void read_row_groups(struct context *c, struct thrift_field *field,
                            struct parquet_file_metadata *m)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_STRUCT_3, &element);
    struct parquet_row_group *groups = arena_calloc(c->arena, count, sizeof(*groups));
    for (uint32_t i = 0; i < count && thrift_read_struct(&c->r, &element); i++)
        read_row_group(c, &groups[i]);
    m->row_groups = groups;
    m->row_groups_count = count;
}

static void read_key_values(struct context *c, struct thrift_field *field,
                            struct parquet_file_metadata *m)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_STRUCT_1, &element);
    struct parquet_key_value *entries = arena_calloc(c->arena, count, sizeof(*entries));
    for (uint32_t i = 0; i < count && thrift_read_struct(&c->r, &element); i++) {
        struct thrift_field f = {0};
        while (thrift_read_next(&c->r, &f)) {
            if (f.id == 1) {
                entries[i].key = thrift_read_binary(&c->r, &f);
            } else if (f.id != 2) {
                thrift_read_skip(&c->r, &f);
            } else if (thrift_read_is(&c->r, &f, THRIFT_BINARY)) {
                entries[i].has_value = true;
                entries[i].value = thrift_read_binary(&c->r, &f);
            }
        }
        thrift_read_require(&c->r, &f, THRIFT_FIELD(1));
    }
    m->key_values = entries;
    m->key_values_count = count;
}

static void read_column_orders(struct context *c, struct thrift_field *field,
                               struct parquet_file_metadata *m)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_STRUCT_1, &element);
    uint8_t *orders = arena_calloc(c->arena, count, 1);
    for (uint32_t i = 0; i < count; i++) {
        int16_t id = thrift_read_union(&c->r, &element);
        orders[i] = id > 0 && id <= UINT8_MAX ? (uint8_t)id : 0;
    }
    m->column_orders = orders;
    m->column_orders_count = count;
}

static void read_file_metadata(struct context *c, struct parquet_file_metadata *m)
{
    struct thrift_reader *r = &c->r;
    struct thrift_field f = {0};
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 1:
            m->version = thrift_read_i32(r, &f);
            break;
        case 2:
            read_schema(c, &f, m);
            break;
        case 3:
            m->num_rows = thrift_read_natural64(r, &f);
            break;
        case 4:
            read_row_groups(c, &f, m);
            break;
        case 5:
            read_key_values(c, &f, m);
            break;
        case 6:
            m->has_created_by = thrift_read_is(r, &f, THRIFT_BINARY);
            if (m->has_created_by)
                m->created_by = thrift_read_binary(r, &f);
            break;
        case 7:
            read_column_orders(c, &f, m);
            break;
        case 8:
        case 9:
            c->encrypted = true;
            thrift_read_skip(r, &f);
            break;
        default:
            thrift_read_skip(r, &f);
        }
    }
    thrift_read_require(r, &f, THRIFT_FIELDS(1, 4));
}

int parquet_metadata_read(struct slice bytes, struct arena *arena,
                          struct parquet_file_metadata *metadata, struct err *err)
{
    struct context c = {.r = {.bytes = bytes}, .arena = arena};
    *metadata = (struct parquet_file_metadata){0};
    read_file_metadata(&c, metadata);
    if (c.r.problem == NULL && c.encrypted)
        return err_set(err, ERR_UNSUPPORTED,
                       "the file or a column of it is encrypted, which varve can't read");
    return thrift_read_finish(&c.r, "footer", true, err);
}
