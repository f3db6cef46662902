/* SPDX-License-Identifier: MIT */
#include "store/compact_read.h"

#include <string.h>

#include "base/bytes.h"
#include "parquet/write/layout.h"

/* Columns of files and those of the table, and values from the former to the latter. */

static int put_tree(struct batch *b, uint32_t column, const struct parquet_value *value,
                    struct err *err);

static int is_missing(const struct column_spec *spec, struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED, "it has no column %s", spec->name);
}

/* As deep as SCHEMA_DEPTH_MAX. */
static int match_column(const struct schema *schema, uint32_t column,
                        const struct parquet_field *field, struct err *err);

static int match_members(const struct schema *schema, uint32_t column,
                         const struct parquet_field *field, struct err *err)
{
    uint32_t known = 0, end = schema_end(schema, column);
    for (uint32_t i = column + 1; i < end; i = schema_end(schema, i)) {
        const struct column_spec *spec = &schema->columns[i];
        const struct parquet_field *member = parquet_field_child(field, slice_of(spec->name));
        if (member == NULL && !spec->optional)
            return is_missing(spec, err);
        if (member != NULL && match_column(schema, i, member, err) != 0)
            return -1;
        known += member != NULL;
    }
    if (known != field->children)
        return err_set(err, ERR_UNSUPPORTED, "%s has members that this varve does not know",
                       schema->columns[column].name);
    return 0;
}

static int match_column(const struct schema *schema, uint32_t column,
                        const struct parquet_field *field, struct err *err)
{
    const struct column_spec *spec = &schema->columns[column];
    uint32_t inner = column + 1;
    switch (spec->type) {
    case COLUMN_STRUCT:
        if (field->kind == PARQUET_FIELD_STRUCT)
            return match_members(schema, column, field, err);
        break;
    case COLUMN_LIST:
        if (field->kind == PARQUET_FIELD_LIST)
            return match_column(schema, inner, field->first, err);
        break;
    case COLUMN_MAP:
        if (field->kind != PARQUET_FIELD_MAP)
            break;
        return match_column(schema, inner, field->first, err) != 0 ||
                       match_column(schema, schema_end(schema, inner), field->first->next, err) != 0
                   ? -1
                   : 0;
    case COLUMN_INT64:
    case COLUMN_INT32:
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
    case COLUMN_BOOLEAN:
    case COLUMN_BYTES:
        if (field->kind == PARQUET_FIELD_VALUE && field->type == layout_type(spec->type))
            return 0;
        break;
    }
    return err_set(err, ERR_UNSUPPORTED, "column %s is of another type", spec->name);
}

int compact_match_columns(struct compact_reading *r, const struct compact_merge *m, struct err *err)
{
    const struct schema *schema = m->schema;
    const struct parquet_field *fields[SCHEMA_COLUMNS_MAX];
    uint32_t leaves[SCHEMA_COLUMNS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < schema->count; i = schema_end(schema, i)) {
        const struct column_spec *spec = &schema->columns[i];
        const struct parquet_field *field = parquet_field_child(r->file.root, slice_of(spec->name));
        r->slots[i] = field == NULL ? UINT32_MAX : count;
        if (field == NULL && !spec->optional)
            return is_missing(spec, err);
        if (field == NULL)
            continue;
        if (match_column(schema, i, field, err) != 0)
            return -1;
        leaves[count] = field->leaf;
        fields[count++] = field;
        if (spec->ordered)
            r->order = field->leaf;
    }
    if (count != r->file.root->children)
        return err_set(err, ERR_UNSUPPORTED, "it has columns that this varve does not know");
    if (schema_is_flat(schema))
        r->rows = parquet_rows_renew(r->rows, &r->file, leaves, count, m->codec);
    else
        r->records = parquet_records_new(&r->file, fields, count, m->codec);
    return 0;
}

static void put_value(struct batch *b, uint32_t column, enum column_type type, struct slice value)
{
    uint32_t bits = type == COLUMN_INT32 || type == COLUMN_FLOAT ? load_u32le(value.data) : 0;
    uint64_t wide = type == COLUMN_INT64 || type == COLUMN_DOUBLE ? load_u64le(value.data) : 0;
    float real;
    double twice;
    switch (type) {
    case COLUMN_INT64:
        batch_put_int64(b, column, (int64_t)wide);
        break;
    case COLUMN_INT32:
        batch_put_int32(b, column, (int32_t)bits);
        break;
    case COLUMN_FLOAT:
        memcpy(&real, &bits, sizeof(real));
        batch_put_float(b, column, real);
        break;
    case COLUMN_DOUBLE:
        memcpy(&twice, &wide, sizeof(twice));
        batch_put_double(b, column, twice);
        break;
    case COLUMN_BOOLEAN:
        batch_put_boolean(b, column, value.data[0] != 0);
        break;
    case COLUMN_BYTES:
        batch_put_bytes(b, column, value);
        break;
    case COLUMN_STRUCT: /* has no value of its own */
    case COLUMN_LIST:
    case COLUMN_MAP:
        break;
    }
}

static int put_null(struct batch *b, uint32_t column, struct err *err)
{
    const struct column_spec *spec = &b->schema->columns[column];
    if (!spec->optional)
        return err_set(err, ERR_FORMAT, "a row has no %s", spec->name);
    batch_put_null(b, column);
    return 0;
}

static int put_members(struct batch *b, uint32_t column, const struct parquet_value *value,
                       struct err *err)
{
    const struct schema *schema = b->schema;
    uint32_t end = schema_end(schema, column);
    batch_begin_struct(b, column);
    for (uint32_t i = column + 1; i < end; i = schema_end(schema, i))
        if (put_tree(b, i, parquet_value_member(value, schema->columns[i].name), err) != 0)
            return -1;
    batch_end(b);
    return 0;
}

static int put_elements(struct batch *b, uint32_t column, const struct parquet_value *value,
                        struct err *err)
{
    batch_begin_list(b, column);
    for (const struct parquet_value *e = value->first; e != NULL; e = e->next)
        if (put_tree(b, column + 1, e, err) != 0)
            return -1;
    batch_end(b);
    return 0;
}

static int put_entries(struct batch *b, uint32_t column, const struct parquet_value *value,
                       struct err *err)
{
    batch_begin_map(b, column);
    for (const struct parquet_value *e = value->first; e != NULL; e = e->next) {
        batch_begin_entry(b);
        if (put_tree(b, column + 1, e->first, err) != 0 ||
            put_tree(b, schema_end(b->schema, column + 1), e->first->next, err) != 0)
            return -1;
        batch_end(b);
    }
    batch_end(b);
    return 0;
}

/* A value with all that is in it; NULL is null. As deep as SCHEMA_DEPTH_MAX. */
static int put_tree(struct batch *b, uint32_t column, const struct parquet_value *value,
                    struct err *err)
{
    enum column_type type = b->schema->columns[column].type;
    if (value == NULL || value->null)
        return put_null(b, column, err);
    switch (type) {
    case COLUMN_STRUCT:
        return put_members(b, column, value, err);
    case COLUMN_LIST:
        return put_elements(b, column, value, err);
    case COLUMN_MAP:
        return put_entries(b, column, value, err);
    case COLUMN_INT64:
    case COLUMN_INT32:
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
    case COLUMN_BOOLEAN:
    case COLUMN_BYTES:
        break;
    }
    put_value(b, column, type, value->bytes);
    return 0;
}

static int put_flat(struct batch *b, const struct compact_reading *r, struct err *err)
{
    const struct schema *schema = b->schema;
    for (uint32_t i = 0; i < schema->count; i++) {
        struct slice value = r->slots[i] == UINT32_MAX ? (struct slice){0} : r->values[r->slots[i]];
        if (value.data != NULL)
            put_value(b, i, schema->columns[i].type, value);
        else if (put_null(b, i, err) != 0)
            return -1;
    }
    return 0;
}

/* Values come in the order of the columns that the file has. */
static int put_nested(struct batch *b, const struct compact_reading *r, struct err *err)
{
    const struct schema *schema = b->schema;
    const struct parquet_value *next = r->row->first;
    for (uint32_t i = 0; i < schema->count; i = schema_end(schema, i)) {
        bool there = r->slots[i] != UINT32_MAX;
        if (put_tree(b, i, there ? next : NULL, err) != 0)
            return -1;
        next = there ? next->next : next;
    }
    return 0;
}

int compact_put_row(struct batch *b, const struct compact_reading *r, struct err *err)
{
    if ((r->records != NULL ? put_nested(b, r, err) : put_flat(b, r, err)) != 0)
        return -1;
    batch_end_row(b);
    return 0;
}
