/* SPDX-License-Identifier: MIT */
#include "parquet/write/layout.h"

#include <string.h>

#include "base/assert.h"

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

static void check_options(const struct parquet_options *options)
{
    ASSERT(options->compression_level >= PARQUET_LEVEL_MIN &&
           options->compression_level <= PARQUET_LEVEL_MAX);
    ASSERT(options->page_bytes >= PARQUET_PAGE_BYTES_LOWEST &&
           options->page_bytes <= PARQUET_PAGE_BYTES_HIGHEST);
    ASSERT(options->row_group_rows >= 1 && options->row_group_bytes >= 1);
}

enum parquet_type layout_type(enum column_type type)
{
    switch (type) {
    case COLUMN_BOOLEAN:
        return PARQUET_TYPE_BOOLEAN;
    case COLUMN_INT32:
        return PARQUET_TYPE_INT32;
    case COLUMN_INT64:
        return PARQUET_TYPE_INT64;
    case COLUMN_FLOAT:
        return PARQUET_TYPE_FLOAT;
    case COLUMN_DOUBLE:
        return PARQUET_TYPE_DOUBLE;
    case COLUMN_BYTES:
    case COLUMN_STRUCT: /* groups have no type */
    case COLUMN_LIST:
    case COLUMN_MAP:
        break;
    }
    return PARQUET_TYPE_BYTE_ARRAY;
}

static struct chunk_layout leaf_layout(const struct parquet_options *options,
                                       const struct column_spec *spec)
{
    struct chunk_layout layout = {
        .spec = spec,
        .type = layout_type(spec->type),
        .encoding = PARQUET_ENCODING_PLAIN,
        .ceiling = options->compression_level,
    };

    if (options->delta && spec->type == COLUMN_INT64)
        layout.encoding = PARQUET_ENCODING_DELTA_BINARY_PACKED;
    if (options->delta && spec->type == COLUMN_BYTES)
        layout.encoding = PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY;
    return layout;
}

uint32_t layout_page_bytes(const struct parquet_options *options, uint64_t pages)
{
    uint32_t bytes = options->page_bytes;

    for (; pages >= LARGER_PAGES_EVERY; pages -= LARGER_PAGES_EVERY)
        bytes = bytes < PARQUET_PAGE_BYTES_HIGHEST / 2 ? bytes * 2 : PARQUET_PAGE_BYTES_HIGHEST;
    return bytes;
}

/* Both annotations, since there are readers that know only the older ones. */
static void annotate(struct parquet_schema_element *element, const struct column_spec *spec)
{
    struct parquet_logical_type *logical = &element->logical;

    switch (spec->meaning) {
    case COLUMN_RAW:
        break;
    case COLUMN_TEXT:
        element->converted_type = PARQUET_CONVERTED_UTF8;
        logical->kind = PARQUET_LOGICAL_STRING;
        break;
    case COLUMN_ENUM:
        element->converted_type = PARQUET_CONVERTED_ENUM;
        logical->kind = PARQUET_LOGICAL_ENUM;
        break;
    case COLUMN_JSON:
        element->converted_type = PARQUET_CONVERTED_JSON;
        logical->kind = PARQUET_LOGICAL_JSON;
        break;
    case COLUMN_TIME_MICROS:
        element->converted_type = PARQUET_CONVERTED_TIMESTAMP_MICROS;
        *logical = (struct parquet_logical_type){
            .kind = PARQUET_LOGICAL_TIMESTAMP, .utc = true, .unit = PARQUET_UNIT_MICROS};
        break;
    case COLUMN_DATE:
        element->converted_type = PARQUET_CONVERTED_DATE;
        logical->kind = PARQUET_LOGICAL_DATE;
        break;
    case COLUMN_DECIMAL:
        element->converted_type = PARQUET_CONVERTED_DECIMAL;
        element->scale = spec->scale;
        element->precision = spec->precision;
        *logical = (struct parquet_logical_type){
            .kind = PARQUET_LOGICAL_DECIMAL, .scale = spec->scale, .precision = spec->precision};
        break;
    }
}

/* Who makes the elements: columns are taken in order, and each knows where it ends. */
struct describer {
    const struct schema *schema;
    const struct schema_node *nodes;
    const struct parquet_options *options;
    struct layout *layout;
    struct arena *arena;
    bool flat;
    struct slice path[2 * SCHEMA_DEPTH_MAX + 2];
};

static struct parquet_schema_element *add_element(struct describer *d, const char *name,
                                                  enum parquet_repetition repetition)
{
    struct parquet_schema_element *e = &d->layout->elements[d->layout->elements_count++];
    *e = (struct parquet_schema_element){.has_repetition = true,
                                         .repetition = repetition,
                                         .name = slice_of(name),
                                         .converted_type = PARQUET_CONVERTED_NONE};
    return e;
}

static void add_leaf(struct describer *d, uint32_t column, uint32_t depth)
{
    const struct schema_node *node = &d->nodes[column];
    struct slice *path = arena_calloc(d->arena, depth, sizeof(*path));
    struct chunk_layout *leaf = &d->layout->leaves[d->layout->leaves_count];

    memcpy(path, d->path, depth * sizeof(*path));
    *leaf = leaf_layout(d->options, &d->schema->columns[column]);
    leaf->path = path;
    leaf->path_count = depth;
    leaf->leaf = (struct cut_leaf){column, node->definition, node->repetition};
    d->layout->leaf_of[column] = d->layout->leaves_count++;
}

/* The column under this name, with all that is in it. As deep as SCHEMA_DEPTH_MAX. */
static void add_column(struct describer *d, uint32_t column, const char *name, uint32_t depth)
{
    const struct column_spec *spec = &d->schema->columns[column];
    bool map = spec->type == COLUMN_MAP;
    struct parquet_schema_element *e = add_element(
        d, name, spec->optional ? PARQUET_REPETITION_OPTIONAL : PARQUET_REPETITION_REQUIRED);

    d->path[depth++] = e->name;
    d->layout->leaf_of[column] = UINT32_MAX;
    if (column_is_leaf(spec)) {
        e->has_type = true;
        e->type = layout_type(spec->type);
        /* The number of a column in a struct changes when the struct in front gets another field.
         */
        e->field_id = d->flat ? (int32_t)column + 1 : 0;
        annotate(e, spec);
        add_leaf(d, column, depth);
    } else if (spec->type == COLUMN_STRUCT) {
        e->num_children = (int32_t)spec->children;
        for (uint32_t i = column + 1; i < d->nodes[column].end; i = d->nodes[i].end)
            add_column(d, i, d->schema->columns[i].name, depth);
    } else {
        e->num_children = 1;
        e->converted_type = map ? PARQUET_CONVERTED_MAP : PARQUET_CONVERTED_LIST;
        e->logical.kind = map ? PARQUET_LOGICAL_MAP : PARQUET_LOGICAL_LIST;
        e = add_element(d, map ? "key_value" : "list", PARQUET_REPETITION_REPEATED);
        e->num_children = map ? 2 : 1;
        d->path[depth++] = e->name;
        add_column(d, column + 1, map ? "key" : "element", depth);
        if (map)
            add_column(d, d->nodes[column + 1].end, "value", depth);
    }
}

void layout_make(struct layout *layout, const struct schema *schema,
                 const struct parquet_options *options, struct arena *arena)
{
    struct err err = {0};
    struct schema_node *nodes = arena_calloc(arena, schema->count, sizeof(*nodes));
    struct describer d = {.schema = schema,
                          .nodes = nodes,
                          .options = options,
                          .layout = layout,
                          .arena = arena,
                          .flat = schema_is_flat(schema)};

    check_options(options);
    ASSERT(schema_nodes(schema, nodes, &err) == 0);
    *layout = (struct layout){
        /* A list or map takes two. */
        .elements = arena_calloc(arena, 2 * (size_t)schema->count + 1, sizeof(*layout->elements)),
        .elements_count = 1,
        .leaves = arena_calloc(arena, schema->count, sizeof(*layout->leaves)),
        .leaf_of = arena_calloc(arena, schema->count, sizeof(*layout->leaf_of)),
    };
    layout->elements[0].name = slice_of("schema");
    layout->elements[0].converted_type = PARQUET_CONVERTED_NONE;
    for (uint32_t i = 0; i < schema->count; i = nodes[i].end) {
        layout->elements[0].num_children++;
        add_column(&d, i, schema->columns[i].name, 0);
    }
}
