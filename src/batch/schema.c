/* SPDX-License-Identifier: MIT */
#include "batch/schema.h"

#include <string.h>

#include "base/assert.h"

int schema_find(const struct schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->count; i++)
        if (strcmp(schema->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

uint32_t column_width(enum column_type type)
{
    switch (type) {
    case COLUMN_BOOLEAN:
        return 1;
    case COLUMN_INT32:
    case COLUMN_FLOAT:
        return 4;
    case COLUMN_INT64:
    case COLUMN_DOUBLE:
        return 8;
    case COLUMN_BYTES:
    case COLUMN_STRUCT:
    case COLUMN_LIST:
    case COLUMN_MAP:
        break;
    }
    return 0;
}

bool column_is_leaf(const struct column_spec *spec)
{
    return spec->type < COLUMN_STRUCT;
}

bool schema_is_flat(const struct schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i++)
        if (!column_is_leaf(&schema->columns[i]))
            return false;
    return true;
}

static uint32_t children_of(const struct column_spec *spec)
{
    switch (spec->type) {
    case COLUMN_STRUCT:
        return spec->children;
    case COLUMN_LIST:
        return 1;
    case COLUMN_MAP:
        return 2;
    case COLUMN_INT64:
    case COLUMN_BYTES:
    case COLUMN_BOOLEAN:
    case COLUMN_INT32:
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
        break;
    }
    return 0;
}

/* A group whose columns are being walked. */
struct open_group {
    uint32_t column;
    uint32_t children; /* still to come */
};

static bool fits_meaning(const struct column_spec *spec)
{
    switch (spec->meaning) {
    case COLUMN_RAW:
        return true;
    case COLUMN_TEXT:
    case COLUMN_ENUM:
    case COLUMN_JSON:
        return spec->type == COLUMN_BYTES;
    case COLUMN_TIME_MICROS:
        return spec->type == COLUMN_INT64;
    case COLUMN_DATE:
        return spec->type == COLUMN_INT32;
    case COLUMN_DECIMAL:
        if (spec->precision < 1 || spec->scale > spec->precision)
            return false;
        return (spec->type == COLUMN_INT32 && spec->precision <= 9) ||
               (spec->type == COLUMN_INT64 && spec->precision <= 18) ||
               (spec->type == COLUMN_BYTES && spec->precision <= 38);
    }
    return false;
}

static int check_column(const struct schema *schema, uint32_t column, const struct open_group *in,
                        struct err *err)
{
    const struct column_spec *spec = &schema->columns[column];
    bool key = in != NULL && schema->columns[in->column].type == COLUMN_MAP && in->children == 2;
    if (!fits_meaning(spec))
        return err_set(err, ERR_FORMAT, "column %s has attributes that don't fit its type",
                       spec->name);
    if (spec->type == COLUMN_STRUCT && spec->children == 0)
        return err_set(err, ERR_FORMAT, "column %s is a struct without fields", spec->name);
    if (key && (spec->optional || !column_is_leaf(spec)))
        return err_set(err, ERR_FORMAT, "the key of map %s is not a required value",
                       schema->columns[in->column].name);
    return 0;
}

int schema_nodes(const struct schema *schema, struct schema_node *nodes, struct err *err)
{
    struct open_group open[SCHEMA_DEPTH_MAX];
    unsigned depth = 0;
    if (schema->count < 1 || schema->count > SCHEMA_COLUMNS_MAX)
        return err_set(err, ERR_LIMIT, "%s has %u columns; there may be 1 to %d", schema->name,
                       schema->count, (int)SCHEMA_COLUMNS_MAX);
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct column_spec *spec = &schema->columns[i];
        struct open_group *in = depth > 0 ? &open[depth - 1] : NULL;
        struct schema_node node = {.parent = SCHEMA_NO_PARENT};
        if (check_column(schema, i, in, err) != 0)
            return -1;
        if (in != NULL) {
            bool repeats = schema->columns[in->column].type != COLUMN_STRUCT;
            node.parent = in->column;
            node.definition = (uint8_t)(nodes[in->column].definition + repeats);
            node.repetition = (uint8_t)(nodes[in->column].repetition + repeats);
            in->children--;
        }
        node.definition = (uint8_t)(node.definition + spec->optional);
        node.end = i + 1;
        nodes[i] = node;
        if (!column_is_leaf(spec)) {
            if (depth == SCHEMA_DEPTH_MAX)
                return err_set(err, ERR_LIMIT, "column %s is within more than %d others",
                               spec->name, (int)SCHEMA_DEPTH_MAX);
            open[depth++] = (struct open_group){i, children_of(spec)};
        }
        for (; depth > 0 && open[depth - 1].children == 0; depth--)
            nodes[open[depth - 1].column].end = i + 1;
    }
    if (depth > 0)
        return err_set(err, ERR_FORMAT, "the columns end within %s",
                       schema->columns[open[depth - 1].column].name);
    return 0;
}

uint32_t schema_end(const struct schema *schema, uint32_t column)
{
    uint32_t left = 1; /* columns that are still to pass, without what is in them */
    for (; left > 0; left--) {
        const struct column_spec *spec = &schema->columns[column++];
        left += column_is_leaf(spec) ? 0 : children_of(spec);
    }
    return column;
}
