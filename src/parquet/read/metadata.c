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

static const struct thrift_member STATISTICS[] = {
    THRIFT_PRESENT(3, NATURAL64, struct parquet_statistics, null_count, has_null_count),
    THRIFT_PRESENT(5, BINARY, struct parquet_statistics, max, has_max),
    THRIFT_PRESENT(6, BINARY, struct parquet_statistics, min, has_min),
};

static void read_exact(struct thrift_reader *r, struct thrift_field *field,
                       enum parquet_exactness *exact)
{
    if (thrift_read_is(r, field, THRIFT_TRUE))
        *exact = thrift_read_bool(r, field) ? PARQUET_EXACT_YES : PARQUET_EXACT_NO;
}

static void read_statistics(struct thrift_reader *r, struct thrift_field *field,
                            struct parquet_statistics *s)
{
    struct thrift_field f = {0};
    if (!thrift_read_struct(r, field))
        return;
    while (thrift_read_next(r, &f)) {
        if (f.id == 7)
            read_exact(r, &f, &s->max_exact);
        else if (f.id == 8)
            read_exact(r, &f, &s->min_exact);
        else if (!thrift_read_member(r, &f, THRIFT_MEMBERS(STATISTICS), s))
            thrift_read_skip(r, &f);
    }
}

static const struct thrift_member ENCODING_STATS[] = {
    THRIFT_REQUIRED(1, NATURAL, struct parquet_encoding_stats, page_type),
    THRIFT_REQUIRED(2, NATURAL, struct parquet_encoding_stats, encoding),
    THRIFT_REQUIRED(3, NATURAL, struct parquet_encoding_stats, count),
};

static void read_encoding_stats(struct context *c, struct thrift_field *field,
                                struct parquet_column_chunk *chunk)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_STRUCT_3, &element);
    struct parquet_encoding_stats *stats = arena_calloc(c->arena, count, sizeof(*stats));
    for (uint32_t i = 0; i < count && thrift_read_struct(&c->r, &element); i++)
        thrift_read_members(&c->r, THRIFT_MEMBERS(ENCODING_STATS), &stats[i]);
    chunk->encoding_stats = stats;
    chunk->encoding_stats_count = count;
}

#define CHUNK(kind, id, value, ...) \
    THRIFT_##kind(id, value, struct parquet_column_chunk, __VA_ARGS__)

static const struct thrift_member SIZE_STATISTICS[] = {
    CHUNK(PRESENT, 1, NATURAL64, unencoded_byte_array_data_bytes, has_size_statistics),
};

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

static const struct thrift_member COLUMN_METADATA[] = {
    CHUNK(REQUIRED, 1, NATURAL, type),
    CHUNK(REQUIRED, 4, NATURAL, codec),
    CHUNK(REQUIRED, 5, NATURAL64, num_values),
    CHUNK(REQUIRED, 6, NATURAL64, total_uncompressed_size),
    CHUNK(REQUIRED, 7, NATURAL64, total_compressed_size),
    CHUNK(REQUIRED, 9, NATURAL64, data_page_offset),
    CHUNK(OPTIONAL, 11, NATURAL64, dictionary_page_offset),
    CHUNK(OPTIONAL, 14, NATURAL64, bloom_filter_offset),
};

static void read_column_metadata(struct context *c, struct thrift_field *field,
                                 struct parquet_column_chunk *chunk)
{
    struct thrift_reader *r = &c->r;
    struct thrift_field f = {0};
    if (!thrift_read_struct(r, field))
        return;
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 2:
            read_encodings(c, &f, chunk);
            break;
        case 3:
            chunk->path = read_binaries(c, &f, &chunk->path_count);
            break;
        case 12:
            chunk->has_statistics = thrift_read_is(r, &f, THRIFT_STRUCT);
            if (chunk->has_statistics)
                read_statistics(r, &f, &chunk->statistics);
            break;
        case 13:
            read_encoding_stats(c, &f, chunk);
            break;
        case 16:
            if (thrift_read_struct(r, &f))
                thrift_read_members(r, THRIFT_MEMBERS(SIZE_STATISTICS), chunk);
            break;
        default:
            if (!thrift_read_member(r, &f, THRIFT_MEMBERS(COLUMN_METADATA), chunk))
                thrift_read_skip(r, &f);
        }
    }
    thrift_read_require(r, &f,
                        thrift_required(THRIFT_MEMBERS(COLUMN_METADATA)) | THRIFT_FIELDS(2, 3));
}

static const struct thrift_member COLUMN_CHUNK[] = {
    CHUNK(REQUIRED, 2, I64, file_offset),
    CHUNK(OPTIONAL, 4, NATURAL64, offset_index_offset),
    CHUNK(OPTIONAL, 5, NATURAL, offset_index_length),
    CHUNK(OPTIONAL, 6, NATURAL64, column_index_offset),
    CHUNK(OPTIONAL, 7, NATURAL, column_index_length),
};

static void read_column_chunk(struct context *c, struct parquet_column_chunk *chunk)
{
    struct thrift_reader *r = &c->r;
    struct thrift_field f = {0};
    while (thrift_read_next(r, &f)) {
        if (f.id == 3) {
            read_column_metadata(c, &f, chunk);
        } else if (!thrift_read_member(r, &f, THRIFT_MEMBERS(COLUMN_CHUNK), chunk)) {
            c->encrypted = c->encrypted || f.id == 8 || f.id == 9;
            thrift_read_skip(r, &f);
        }
    }
    thrift_read_require(r, &f, c->encrypted ? THRIFT_FIELD(2) : THRIFT_FIELDS(2, 3));
}

static const struct thrift_member SORTING_COLUMN[] = {
    THRIFT_REQUIRED(1, NATURAL, struct parquet_sorting_column, column_idx),
    THRIFT_REQUIRED(2, BOOL, struct parquet_sorting_column, descending),
    THRIFT_REQUIRED(3, BOOL, struct parquet_sorting_column, nulls_first),
};

static void read_sorting_columns(struct context *c, struct thrift_field *field,
                                 struct parquet_row_group *group)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_SORTING, &element);
    struct parquet_sorting_column *columns = arena_calloc(c->arena, count, sizeof(*columns));
    for (uint32_t i = 0; i < count && thrift_read_struct(&c->r, &element); i++)
        thrift_read_members(&c->r, THRIFT_MEMBERS(SORTING_COLUMN), &columns[i]);
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

#define GROUP(kind, id, value, ...) THRIFT_##kind(id, value, struct parquet_row_group, __VA_ARGS__)

static const struct thrift_member ROW_GROUP[] = {
    GROUP(REQUIRED, 2, NATURAL64, total_byte_size),
    GROUP(REQUIRED, 3, NATURAL64, num_rows),
    GROUP(PRESENT, 5, NATURAL64, file_offset, has_file_offset),
    GROUP(PRESENT, 6, NATURAL64, total_compressed_size, has_total_compressed_size),
    GROUP(PRESENT, 7, I16, ordinal, has_ordinal),
};

static void read_row_group(struct context *c, struct parquet_row_group *group)
{
    struct thrift_field f = {0};
    while (thrift_read_next(&c->r, &f)) {
        if (f.id == 1)
            read_column_chunks(c, &f, group);
        else if (f.id == 4)
            read_sorting_columns(c, &f, group);
        else if (!thrift_read_member(&c->r, &f, THRIFT_MEMBERS(ROW_GROUP), group))
            thrift_read_skip(&c->r, &f);
    }
    thrift_read_require(&c->r, &f, thrift_required(THRIFT_MEMBERS(ROW_GROUP)) | THRIFT_FIELD(1));
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

static const struct thrift_member KEY_VALUE[] = {
    THRIFT_REQUIRED(1, BINARY, struct parquet_key_value, key),
    THRIFT_PRESENT(2, BINARY, struct parquet_key_value, value, has_value),
};

static void read_key_values(struct context *c, struct thrift_field *field,
                            struct parquet_file_metadata *m)
{
    struct thrift_field element;
    uint32_t count = thrift_read_list(&c->r, field, THRIFT_STRUCT, LEAST_STRUCT_1, &element);
    struct parquet_key_value *entries = arena_calloc(c->arena, count, sizeof(*entries));
    for (uint32_t i = 0; i < count && thrift_read_struct(&c->r, &element); i++)
        thrift_read_members(&c->r, THRIFT_MEMBERS(KEY_VALUE), &entries[i]);
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

static const struct thrift_member FILE_METADATA[] = {
    THRIFT_REQUIRED(1, I32, struct parquet_file_metadata, version),
    THRIFT_REQUIRED(3, NATURAL64, struct parquet_file_metadata, num_rows),
    THRIFT_PRESENT(6, BINARY, struct parquet_file_metadata, created_by, has_created_by),
};

static void read_file_metadata(struct context *c, struct parquet_file_metadata *m)
{
    struct thrift_reader *r = &c->r;
    struct thrift_field f = {0};
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 2:
            read_schema(c, &f, m);
            break;
        case 4:
            read_row_groups(c, &f, m);
            break;
        case 5:
            read_key_values(c, &f, m);
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
            if (!thrift_read_member(r, &f, THRIFT_MEMBERS(FILE_METADATA), m))
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
