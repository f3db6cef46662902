/* SPDX-License-Identifier: MIT */
#include "parquet/read/file.h"

#include "parquet_fixture.h"

enum { GROUP = -1, REQUIRED = 0, OPTIONAL = 1, REPEATED = 2 };

/* A schema element: the physical type or GROUP. */
static struct parquet_schema_element node(const char *name, int repetition, int type,
                                          int32_t children, enum parquet_converted_type converted)
{
    struct parquet_schema_element e = {.name = slice_of(name),
                                       .has_repetition = true,
                                       .repetition = (enum parquet_repetition)repetition,
                                       .num_children = children,
                                       .converted_type = converted};
    e.has_type = type != GROUP;
    if (e.has_type)
        e.type = (enum parquet_type)type;
    return e;
}

static struct buf shown;

/* As "{name:value@D name:[...]@D}": kinds, and the definition level of each field. */
static void show(const struct parquet_field *f)
{
    static const char *const brackets[] = {"v", "{", "[", "<"};
    static const char *const ends[] = {"", "}", "]", ">"};
    buf_printf(&shown, "%s", brackets[f->kind]);
    for (const struct parquet_field *child = f->first; child != NULL; child = child->next) {
        if (child != f->first)
            buf_append_byte(&shown, ' ');
        buf_append_slice(&shown, child->name);
        buf_append_byte(&shown, ':');
        show(child);
    }
    buf_printf(&shown, "%s%d%s", ends[f->kind], f->definition, f->optional ? "?" : "");
}

static const char *tree(const struct parquet_schema_element *schema, uint32_t count)
{
    static struct arena arena;
    struct parquet_file_metadata m = {.schema = schema, .schema_count = count};
    buf_reset(&shown);
    show(parquet_fields(&m, &arena));
    return buf_text(&shown);
}

TEST(parquet_field_lists_and_maps)
{
    const struct parquet_schema_element schema[] = {
        node("schema", REQUIRED, GROUP, 3, PARQUET_CONVERTED_NONE),
        node("tags", OPTIONAL, GROUP, 1, PARQUET_CONVERTED_LIST),
        node("list", REPEATED, GROUP, 1, PARQUET_CONVERTED_NONE),
        node("element", OPTIONAL, PARQUET_TYPE_INT64, 0, PARQUET_CONVERTED_NONE),
        node("labels", REQUIRED, GROUP, 1, PARQUET_CONVERTED_MAP),
        node("key_value", REPEATED, GROUP, 2, PARQUET_CONVERTED_NONE),
        node("key", REQUIRED, PARQUET_TYPE_BYTE_ARRAY, 0, PARQUET_CONVERTED_UTF8),
        node("value", OPTIONAL, PARQUET_TYPE_BYTE_ARRAY, 0, PARQUET_CONVERTED_UTF8),
        node("at", OPTIONAL, GROUP, 1, PARQUET_CONVERTED_NONE),
        node("x", REQUIRED, PARQUET_TYPE_DOUBLE, 0, PARQUET_CONVERTED_NONE),
    };
    EXPECT_TEXT(tree(schema, 10), "{tags:[element:v3?]1? labels:<key:v1 value:v2?>0 at:{x:v1}1?}0");
}

/* The forms of LogicalTypes.md, Backward-compatibility rules. */
TEST(parquet_field_older_lists)
{
    struct parquet_schema_element schema[] = {
        node("schema", REQUIRED, GROUP, 1, PARQUET_CONVERTED_NONE),
        node("my", OPTIONAL, GROUP, 1, PARQUET_CONVERTED_LIST),
        node("element", REPEATED, PARQUET_TYPE_INT32, 0, PARQUET_CONVERTED_NONE),
        node("n", REQUIRED, PARQUET_TYPE_INT32, 0, PARQUET_CONVERTED_NONE),
        node("s", OPTIONAL, PARQUET_TYPE_INT32, 0, PARQUET_CONVERTED_NONE),
    };
    EXPECT_TEXT(tree(schema, 3), "{my:[element:v2]1?}0"); /* a value that repeats */
    schema[2] = node("element", REPEATED, GROUP, 2, PARQUET_CONVERTED_NONE);
    EXPECT_TEXT(tree(schema, 5), "{my:[element:{n:v2 s:v3?}2]1?}0"); /* a group of two */
    schema[2] = node("array", REPEATED, GROUP, 1, PARQUET_CONVERTED_NONE);
    EXPECT_TEXT(tree(schema, 4), "{my:[array:{n:v2}2]1?}0");
    schema[2] = node("my_tuple", REPEATED, GROUP, 1, PARQUET_CONVERTED_NONE);
    EXPECT_TEXT(tree(schema, 4), "{my:[my_tuple:{n:v2}2]1?}0");
    schema[2] = node("bag", REPEATED, GROUP, 1, PARQUET_CONVERTED_NONE);
    EXPECT_TEXT(tree(schema, 4), "{my:[n:v2]1?}0"); /* any other name is a group in between */
    schema[1].converted_type = PARQUET_CONVERTED_NONE;
    EXPECT_TEXT(tree(schema, 4), "{my:{bag:[bag:{n:v2}2]1}1?}0"); /* no annotation at all */
    schema[1] = node("m", REQUIRED, GROUP, 1, PARQUET_CONVERTED_MAP_KEY_VALUE);
    schema[2] = node("map", REPEATED, GROUP, 2, PARQUET_CONVERTED_NONE);
    EXPECT_TEXT(tree(schema, 5), "{m:<n:v1 s:v2?>0}0");
    schema[1].num_children = 0;
    EXPECT_TEXT(tree(schema, 2), "{}0"); /* a group of nothing */
}
