/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "batch/room.h"

struct batch_group {
    uint32_t column;    /* SCHEMA_NO_PARENT: the row */
    bool entry;         /* one entry of the map `column` */
    uint64_t serial;    /* no two have the same */
    uint32_t elements;  /* of a list or map, so far; else columns that it got */
    uint8_t repetition; /* of the first entry in it */
    /* Columns that the row got all at once, from `first` on, and that `given` does not have yet. */
    const uint32_t *whole;
    uint32_t first, whole_count;
};

/* A map has two of these at a time, the row is one, and the only one of a flat schema. */
enum { GROUPS_MAX = 2 * SCHEMA_DEPTH_MAX + 1 };

static uint32_t groups_max(const struct batch *b)
{
    return b->nodes != NULL ? GROUPS_MAX : 1;
}

struct batch *batch_new(const struct schema *schema, struct account *account)
{
    struct err err = {0};
    struct batch *b = account_alloc(account, 1, sizeof(*b));
    struct account *own = &b->account;
    ASSERT(schema->count > 0 && schema->count <= SCHEMA_COLUMNS_MAX);
    own->parent = account;
    b->schema = schema;
    b->columns = account_alloc(own, schema->count, sizeof(*b->columns));
    b->given = account_alloc(own, schema->count, sizeof(*b->given));
    for (uint32_t i = 0; i < schema->count; i++) {
        b->columns[i].values.account = own;
        b->columns[i].definitions.account = own;
        b->columns[i].repetitions.account = own;
    }
    if (!schema_is_flat(schema)) {
        b->nodes = account_alloc(own, schema->count, sizeof(*b->nodes));
        ASSERT(schema_nodes(schema, b->nodes, &err) == 0);
    }
    for (uint32_t i = 0; i < schema->count; i = schema_end(schema, i))
        b->roots++;
    b->groups = account_alloc(own, groups_max(b), sizeof(*b->groups));
    return b;
}

void batch_free(struct batch *b)
{
    if (b == NULL)
        return;
    struct account *own = &b->account;
    uint32_t count = b->schema->count;
    for (uint32_t i = 0; i < count; i++) {
        buf_free(&b->columns[i].values);
        buf_free(&b->columns[i].definitions);
        buf_free(&b->columns[i].repetitions);
    }
    account_free(own, b->groups, groups_max(b) * sizeof(*b->groups));
    if (b->nodes != NULL)
        account_free(own, b->nodes, count * sizeof(*b->nodes));
    account_free(own, b->given, count * sizeof(*b->given));
    account_free(own, b->columns, count * sizeof(*b->columns));
    account_free(own->parent, b, sizeof(*b));
}

void batch_reset(struct batch *b)
{
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        buf_reset(&c->values);
        buf_reset(&c->definitions);
        buf_reset(&c->repetitions);
        c->nulls = 0;
    }
    b->rows = 0;
    b->room_rows = 0;
    b->bytes = 0;
    b->depth = 0;
    b->row_entries = 0;
    b->row_start = 0;
}

static struct batch_group *open_group(struct batch *b, uint32_t column, uint8_t repetition)
{
    struct batch_group *group = &b->groups[b->depth++];
    *group =
        (struct batch_group){.column = column, .serial = ++b->serial, .repetition = repetition};
    return group;
}

static void note_whole(struct batch *b, struct batch_group *row)
{
    bool again = false;
    for (uint32_t i = 0; i < row->whole_count; i++) {
        uint64_t *given = &b->given[row->first + row->whole[i]];
        again |= *given == row->serial;
        *given = row->serial;
    }
    ASSERT(!again);
    row->whole_count = 0;
}

/* A group other than a list gets this column, for the first time. */
static inline void note_column(struct batch *b, struct batch_group *in, uint32_t column)
{
    if (in->whole_count > 0 && column >= in->first)
        note_whole(b, in);
    ASSERT(b->given[column] != in->serial);
    b->given[column] = in->serial;
    in->elements++;
}

/* Note that the innermost open group gets this column, directly within it, for the first time or as
 * another element; the repetition level of the first entry that this makes. */
static inline uint8_t take_place(struct batch *b, uint32_t column)
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
    note_column(b, in, column);
    return in->repetition;
}

/* The same of a flat schema. */
static inline void take_flat(struct batch *b, uint32_t column)
{
    if (b->depth == 0)
        open_group(b, SCHEMA_NO_PARENT, 0);
    note_column(b, &b->groups[0], column);
}

void batch_give(struct batch *b, uint32_t first, const uint32_t *columns, uint32_t count)
{
    if (b->depth == 0)
        open_group(b, SCHEMA_NO_PARENT, 0);
    struct batch_group *row = &b->groups[0];
    ASSERT(b->depth == 1);
    if (row->elements > 0) /* of which some may be the same */
        note_whole(b, row);
    row->whole = columns;
    row->first = first;
    row->whole_count = count;
    if (row->elements > 0)
        note_whole(b, row);
    row->elements += count;
}

static inline void add_levels(struct batch *b, uint32_t column, uint8_t definition,
                              uint8_t repetition)
{
    const struct schema_node *node = &b->nodes[column];
    struct column *c = &b->columns[column];
    uint32_t entry = b->rows;
    if (node->repetition > 0) {
        entry = (uint32_t)c->repetitions.len;
        *batch_extend(&c->repetitions, 1) = repetition;
    }
    if (definition < node->definition)
        batch_append_null(c, node->definition, entry, definition);
    b->bytes += (uint64_t)(node->definition > 0) + (node->repetition > 0);
    b->row_entries++;
}

/* A null of this level, for all columns from `column` on that are in it. */
static void add_nulls(struct batch *b, uint32_t column, uint8_t definition, uint8_t repetition)
{
    for (uint32_t i = column; i < b->nodes[column].end; i++) {
        if (column_is_leaf(&b->schema->columns[i]))
            add_levels(b, i, definition, repetition);
    }
}

/* Those columns directly within the innermost group that it did not get. */
static void fill_group(struct batch *b)
{
    struct batch_group *group = &b->groups[b->depth - 1];
    bool row = group->column == SCHEMA_NO_PARENT;
    note_whole(b, group);
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

void batch_put_fixed(struct batch *b, uint32_t column, const uint8_t *values, size_t count)
{
    const struct schema_node *node = &b->nodes[column];
    struct column *c = &b->columns[column];
    size_t width = column_width(b->schema->columns[column].type);
    ASSERT((width == 4 || width == 8) && count <= BATCH_VALUE_MAX / width);
    if (count == 0)
        return;
    uint8_t first = take_place(b, column);
    struct batch_group *list = &b->groups[b->depth - 1];
    ASSERT(b->schema->columns[list->column].type == COLUMN_LIST);
    list->elements += (uint32_t)count - 1;
    memcpy(batch_extend(&c->values, count * width), values, count * width);
    uint8_t *repetitions = batch_extend(&c->repetitions, count);
    memset(repetitions, node->repetition, count);
    repetitions[0] = first;
    b->row_entries += count;
    b->bytes += count * (width + 2);
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
    take_flat(b, column);
    b->bytes += b->schema->columns[column].optional;
    return c;
}

static inline void put_u64(struct batch *b, struct column *c, uint64_t bits)
{
    b->bytes += 8;
    store_u64le(batch_extend(&c->values, 8), bits);
}

static inline void put_u32(struct batch *b, struct column *c, uint32_t bits)
{
    b->bytes += 4;
    store_u32le(batch_extend(&c->values, 4), bits);
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
    batch_reserve(&c->values, 1);
    c->values.data[c->values.len++] = value;
    b->bytes++;
}

void batch_put_bytes(struct batch *b, uint32_t column, struct slice value)
{
    ASSERT(value.len <= BATCH_VALUE_MAX);
    struct column *c = next_cell(b, column, COLUMN_BYTES);
    b->bytes += 4 + value.len;
    batch_append_bytes(&c->values, value.data, value.len);
}

void batch_put_null(struct batch *b, uint32_t column)
{
    ASSERT(column < b->schema->count && b->schema->columns[column].optional);
    if (b->nodes != NULL) {
        uint8_t repetition = take_place(b, column);
        add_nulls(b, column, (uint8_t)(b->nodes[column].definition - 1), repetition);
        return;
    }
    take_flat(b, column);
    batch_append_null(&b->columns[column], 1, b->rows, 0);
    b->bytes++;
}

void batch_end_row(struct batch *b)
{
    ASSERT(b->rows < BATCH_ROWS_MAX);
    if (b->depth == 0)
        open_group(b, SCHEMA_NO_PARENT, 0);
    ASSERT(b->depth == 1);
    if (b->groups[0].elements != b->roots) {
        ASSERT(b->nodes != NULL);
        fill_group(b);
    }
    b->depth = 0;
    b->row_entries = 0;
    b->row_start = b->bytes;
    b->rows++;
}

void batch_mark(struct batch *b)
{
    ASSERT(b->depth == 0);
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        c->marked_values = c->values.len;
        c->marked_nulls = c->nulls;
        c->marked_repetitions = c->repetitions.len;
    }
    b->marked_rows = b->rows;
    b->marked_bytes = b->bytes;
}

void batch_rollback(struct batch *b)
{
    b->rows = b->marked_rows;
    for (uint32_t i = 0; i < b->schema->count; i++) {
        struct column *c = &b->columns[i];
        ASSERT(c->marked_values <= c->values.len && c->marked_nulls <= c->nulls);
        c->values.len = c->marked_values;
        c->nulls = c->marked_nulls;
        c->repetitions.len = c->marked_repetitions;
        if (c->definitions.len > batch_entries(b, i))
            c->definitions.len = batch_entries(b, i);
    }
    b->room_rows = 0; /* rows to come may have values where those had nulls */
    b->bytes = b->row_start = b->marked_bytes;
    b->row_entries = 0;
    b->depth = 0;
}

uint64_t batch_memory(const struct batch *b)
{
    return account_bytes(&b->account);
}
