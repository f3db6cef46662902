/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/assert.h"

/* Of a column: there may be thousands of partitions with a row or two. */
enum { FIRST_BYTES = 64 };

struct batch_group {
    uint32_t column;    /* SCHEMA_NO_PARENT: the row */
    bool entry;         /* one entry of the map `column` */
    uint64_t serial;    /* no two have the same */
    uint32_t elements;  /* of a list or map, so far */
    uint8_t repetition; /* of the first entry in it */
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        out_of_memory(count * size);
    return memory;
}

struct batch *batch_new(const struct schema *schema)
{
    struct err err = {0};
    struct batch *b = allocate(1, sizeof(*b));
    ASSERT(schema->count > 0 && schema->count <= SCHEMA_COLUMNS_MAX);
    b->schema = schema;
    b->columns = allocate(schema->count, sizeof(*b->columns));
    if (schema_is_flat(schema))
        return b;
    b->nodes = allocate(schema->count, sizeof(*b->nodes));
    b->given = allocate(schema->count, sizeof(*b->given));
    /* A map has two groups at a time, the row is one. */
    b->groups = allocate(2 * SCHEMA_DEPTH_MAX + 1, sizeof(*b->groups));
    b->memory = schema->count * (sizeof(*b->nodes) + sizeof(*b->given)) +
                (2 * SCHEMA_DEPTH_MAX + 1) * sizeof(*b->groups);
    ASSERT(schema_nodes(schema, b->nodes, &err) == 0);
    return b;
}

void batch_free(struct batch *b)
{
    if (b == NULL)
        return;
    for (uint32_t i = 0; i < b->schema->count; i++) {
        buf_free(&b->columns[i].values);
        buf_free(&b->columns[i].definitions);
        buf_free(&b->columns[i].repetitions);
    }
    free(b->nodes);
    free(b->given);
    free(b->groups);
    free(b->columns);
    free(b);
}

void batch_reset(struct batch *b)
{
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        buf_reset(&c->values);
        buf_reset(&c->definitions);
        buf_reset(&c->repetitions);
        c->nulls = 0;
        c->entries = 0;
    }
    b->rows = 0;
    b->bytes = 0;
    b->filled = 0;
    b->depth = 0;
    b->row_entries = 0;
    b->row_start = 0;
}

/* Room in one of the batch's buffers; what it takes is counted as it grows, so that asking for it
 * costs nothing. */
static inline void reserve(struct batch *b, struct buf *buffer, size_t more)
{
    if (more <= buffer->cap - buffer->len)
        return;
    size_t before = buffer->cap;
    if (before == 0 && more < FIRST_BYTES)
        buf_reserve_exact(buffer, FIRST_BYTES);
    else
        buf_reserve(buffer, more);
    b->memory += buffer->cap - before;
}

static struct batch_group *open_group(struct batch *b, uint32_t column, uint8_t repetition)
{
    struct batch_group *group = &b->groups[b->depth++];
    *group =
        (struct batch_group){.column = column, .serial = ++b->serial, .repetition = repetition};
    return group;
}

/* Note that the innermost open group gets this column, directly within it, for the first time or as
 * another element; the repetition level of the first entry that this makes. */
static uint8_t take_place(struct batch *b, uint32_t column)
{
    ASSERT(column < b->schema->count);
    if (b->depth == 0)
        open_group(b, SCHEMA_NO_PARENT, 0);
    struct batch_group *in = &b->groups[b->depth - 1];
    ASSERT(b->nodes[column].parent == in->column);
    if (in->column != SCHEMA_NO_PARENT && !in->entry) {
        enum column_type type = b->schema->columns[in->column].type;
        ASSERT(type != COLUMN_MAP); /* its entries have the columns */
        if (type == COLUMN_LIST)
            return in->elements++ == 0 ? in->repetition : b->nodes[column].repetition;
    }
    ASSERT(b->given[column] != in->serial);
    b->given[column] = in->serial;
    return in->repetition;
}

static void add_levels(struct batch *b, uint32_t column, uint8_t definition, uint8_t repetition)
{
    const struct schema_node *node = &b->nodes[column];
    struct column *c = &b->columns[column];
    if (node->definition > 0) {
        reserve(b, &c->definitions, 1);
        c->definitions.data[c->definitions.len++] = definition;
        b->bytes++;
    }
    if (node->repetition > 0) {
        reserve(b, &c->repetitions, 1);
        c->repetitions.data[c->repetitions.len++] = repetition;
        b->bytes++;
    }
    c->entries++;
    b->row_entries++;
}

/* A null of this level, for all columns from `column` on that are in it. */
static void add_nulls(struct batch *b, uint32_t column, uint8_t definition, uint8_t repetition)
{
    for (uint32_t i = column; i < b->nodes[column].end; i++) {
        if (!column_is_leaf(&b->schema->columns[i]))
            continue;
        add_levels(b, i, definition, repetition);
        b->columns[i].nulls++;
    }
}

/* Those columns directly within the innermost group that it did not get. */
static void fill_group(struct batch *b)
{
    const struct batch_group *group = &b->groups[b->depth - 1];
    bool row = group->column == SCHEMA_NO_PARENT;
    uint32_t end = row ? b->schema->count : b->nodes[group->column].end;
    for (uint32_t i = row ? 0 : group->column + 1; i < end; i = b->nodes[i].end) {
        if (b->given[i] == group->serial)
            continue;
        ASSERT(b->schema->columns[i].optional);
        add_nulls(b, i, (uint8_t)(b->nodes[i].definition - 1), group->repetition);
    }
}

static void begin(struct batch *b, uint32_t column, enum column_type type)
{
    ASSERT(column < b->schema->count && b->schema->columns[column].type == type);
    uint8_t repetition = take_place(b, column);
    open_group(b, column, repetition);
}

void batch_begin_struct(struct batch *b, uint32_t column)
{
    begin(b, column, COLUMN_STRUCT);
}

void batch_begin_list(struct batch *b, uint32_t column)
{
    begin(b, column, COLUMN_LIST);
}

void batch_begin_map(struct batch *b, uint32_t column)
{
    begin(b, column, COLUMN_MAP);
}

void batch_begin_entry(struct batch *b)
{
    ASSERT(b->depth > 1);
    struct batch_group *map = &b->groups[b->depth - 1];
    ASSERT(!map->entry && b->schema->columns[map->column].type == COLUMN_MAP);
    uint8_t repetition =
        map->elements++ == 0 ? map->repetition : b->nodes[map->column + 1].repetition;
    open_group(b, map->column, repetition)->entry = true;
}

void batch_end(struct batch *b)
{
    ASSERT(b->depth > 1);
    const struct batch_group *group = &b->groups[b->depth - 1];
    if (group->entry || b->schema->columns[group->column].type == COLUMN_STRUCT)
        fill_group(b);
    else if (group->elements == 0)
        add_nulls(b, group->column, b->nodes[group->column].definition, group->repetition);
    b->depth--;
}

bool batch_row_fits(const struct batch *b)
{
    return b->row_entries <= BATCH_ROW_ENTRIES_MAX && b->bytes - b->row_start <= BATCH_VALUE_MAX;
}

/* The column, which must be of this type and must not have a value in the unfinished row, with the
 * levels of a value. */
static inline struct column *next_cell(struct batch *b, uint32_t column, enum column_type type)
{
    ASSERT(column < b->schema->count && b->schema->columns[column].type == type);
    struct column *c = &b->columns[column];
    if (b->nodes != NULL) {
        add_levels(b, column, b->nodes[column].definition, take_place(b, column));
        return c;
    }
    ASSERT(c->entries == b->rows);
    if (b->schema->columns[column].optional) {
        reserve(b, &c->definitions, 1);
        c->definitions.data[c->definitions.len++] = 1;
        b->bytes++;
    }
    c->entries++;
    b->filled++;
    return c;
}

static inline void put_u64(struct batch *b, struct column *c, uint64_t bits)
{
    reserve(b, &c->values, 8);
    store_u64le(c->values.data + c->values.len, bits);
    c->values.len += 8;
    b->bytes += 8;
}

static inline void put_u32(struct batch *b, struct column *c, uint32_t bits)
{
    reserve(b, &c->values, 4);
    store_u32le(c->values.data + c->values.len, bits);
    c->values.len += 4;
    b->bytes += 4;
}

void batch_put_int64(struct batch *b, uint32_t column, int64_t value)
{
    put_u64(b, next_cell(b, column, COLUMN_INT64), (uint64_t)value);
}

void batch_put_int32(struct batch *b, uint32_t column, int32_t value)
{
    put_u32(b, next_cell(b, column, COLUMN_INT32), (uint32_t)value);
}

void batch_put_float(struct batch *b, uint32_t column, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    put_u32(b, next_cell(b, column, COLUMN_FLOAT), bits);
}

void batch_put_double(struct batch *b, uint32_t column, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    put_u64(b, next_cell(b, column, COLUMN_DOUBLE), bits);
}

void batch_put_boolean(struct batch *b, uint32_t column, bool value)
{
    struct column *c = next_cell(b, column, COLUMN_BOOLEAN);
    reserve(b, &c->values, 1);
    c->values.data[c->values.len++] = value;
    b->bytes++;
}

void batch_put_bytes(struct batch *b, uint32_t column, struct slice value)
{
    ASSERT(value.len <= BATCH_VALUE_MAX);
    struct column *c = next_cell(b, column, COLUMN_BYTES);
    reserve(b, &c->values, 4 + value.len);
    uint8_t *to = c->values.data + c->values.len;
    store_u32le(to, (uint32_t)value.len);
    if (value.len > 0)
        memcpy(to + 4, value.data, value.len);
    c->values.len += 4 + value.len;
    b->bytes += 4 + value.len;
}

void batch_put_null(struct batch *b, uint32_t column)
{
    ASSERT(column < b->schema->count && b->schema->columns[column].optional);
    if (b->nodes != NULL) {
        uint8_t repetition = take_place(b, column);
        add_nulls(b, column, (uint8_t)(b->nodes[column].definition - 1), repetition);
        return;
    }
    struct column *c = &b->columns[column];
    ASSERT(c->entries == b->rows);
    reserve(b, &c->definitions, 1);
    c->definitions.data[c->definitions.len++] = 0;
    b->bytes++;
    c->entries++;
    c->nulls++;
    b->filled++;
}

void batch_end_row(struct batch *b)
{
    ASSERT(b->rows < BATCH_ROWS_MAX);
    if (b->nodes != NULL) {
        if (b->depth == 0)
            open_group(b, SCHEMA_NO_PARENT, 0);
        ASSERT(b->depth == 1);
        fill_group(b);
        b->depth = 0;
        b->row_entries = 0;
        b->row_start = b->bytes;
    } else {
        ASSERT(b->filled == b->schema->count);
        b->filled = 0;
    }
    b->rows++;
}

void batch_mark(struct batch *b)
{
    ASSERT(b->depth == 0 && b->filled == 0);
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        c->marked_values = c->values.len;
        c->marked_nulls = c->nulls;
        c->marked_entries = c->entries;
    }
    b->marked_rows = b->rows;
    b->marked_bytes = b->bytes;
}

void batch_rollback(struct batch *b)
{
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        ASSERT(c->marked_entries <= c->entries);
        c->values.len = c->marked_values;
        c->nulls = c->marked_nulls;
        c->entries = c->marked_entries;
        if (c->definitions.len > c->entries)
            c->definitions.len = c->entries;
        if (c->repetitions.len > c->entries)
            c->repetitions.len = c->entries;
    }
    b->rows = b->marked_rows;
    b->bytes = b->row_start = b->marked_bytes;
    b->row_entries = 0;
    b->filled = 0;
    b->depth = 0;
}

uint64_t batch_memory(const struct batch *b)
{
    return sizeof(*b) + b->schema->count * sizeof(*b->columns) + b->memory;
}

/* Where a row begins in a column. */
struct row_start {
    uint32_t entry;
    size_t value;
};

/* Where each row begins, and behind them where the last one ends. */
static void find_starts(const struct batch *b, uint32_t column, struct row_start *starts)
{
    const struct column *c = &b->columns[column];
    uint32_t width = column_width(b->schema->columns[column].type);
    uint8_t level = b->nodes != NULL ? b->nodes[column].definition
                                     : (uint8_t)b->schema->columns[column].optional;
    uint32_t row = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < c->entries; i++) {
        if (c->repetitions.len == 0 || c->repetitions.data[i] == 0)
            starts[row++] = (struct row_start){i, at};
        if (level > 0 && c->definitions.data[i] < level)
            continue;
        at += width != 0 ? width : 4 + (size_t)load_u32le(c->values.data + at);
    }
    ASSERT(row == b->rows);
    starts[row] = (struct row_start){c->entries, at};
}

static void copy_range(struct batch *to, struct buf *buffer, const struct buf *from, size_t start,
                       size_t end)
{
    if (from->len == 0 || start == end)
        return;
    reserve(to, buffer, end - start);
    memcpy(buffer->data + buffer->len, from->data + start, end - start);
    buffer->len += end - start;
}

void batch_copy_ordered(struct batch *to, const struct batch *from, const uint32_t *order)
{
    ASSERT(to->schema == from->schema && to->filled == 0 && from->filled == 0);
    ASSERT(to->depth == 0 && from->depth == 0);
    ASSERT(from->rows <= BATCH_ROWS_MAX - to->rows);
    struct row_start *starts = allocate(from->rows + (size_t)1, sizeof(*starts));
    for (uint32_t column = 0; column < from->schema->count; column++) {
        const struct column *c = &from->columns[column];
        struct column *copy = &to->columns[column];
        if (!column_is_leaf(&from->schema->columns[column]))
            continue;
        find_starts(from, column, starts);
        for (uint32_t i = 0; i < from->rows; i++) {
            ASSERT(order[i] < from->rows);
            struct row_start start = starts[order[i]], end = starts[order[i] + 1];
            copy_range(to, &copy->values, &c->values, start.value, end.value);
            copy_range(to, &copy->definitions, &c->definitions, start.entry, end.entry);
            copy_range(to, &copy->repetitions, &c->repetitions, start.entry, end.entry);
        }
        copy->entries += c->entries;
        copy->nulls += c->nulls;
    }
    to->rows += from->rows;
    to->bytes += from->bytes;
    to->row_start = to->bytes;
    free(starts);
}
