/* SPDX-License-Identifier: MIT */
#include "delta/schema.h"

#include <string.h>

#include "test.h"

/* a: struct<x: integer, l: list<map<text, decimal(9,2)>>, d: date>, b: boolean, f, g, t */
static const struct column_spec columns[] = {
    {.name = "a", .type = COLUMN_STRUCT, .children = 3, .optional = true},
    {.name = "x", .type = COLUMN_INT32},
    {.name = "l", .type = COLUMN_LIST},
    {.name = "element", .type = COLUMN_MAP},
    {.name = "key", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT},
    {.name = "value",
     .type = COLUMN_INT32,
     .meaning = COLUMN_DECIMAL,
     .optional = true,
     .precision = 9,
     .scale = 2},
    {.name = "d", .type = COLUMN_INT32, .meaning = COLUMN_DATE},
    {.name = "b", .type = COLUMN_BOOLEAN},
    {.name = "f", .type = COLUMN_FLOAT},
    {.name = "g", .type = COLUMN_DOUBLE},
    {.name = "t", .type = COLUMN_INT64, .meaning = COLUMN_TIME_MICROS},
};
static const struct schema schema = {"nested", columns, sizeof(columns) / sizeof(columns[0])};

#define FIELD(name, type) \
    "{\"name\":\"" name "\",\"type\":" type ",\"nullable\":true,\"metadata\":{}}"
#define MAP                                                                    \
    "{\"type\":\"map\",\"keyType\":\"string\",\"valueType\":\"decimal(9,2)\"," \
    "\"valueContainsNull\":true}"
#define LIST "{\"type\":\"array\",\"elementType\":" MAP ",\"containsNull\":true}"
#define FIELDS FIELD("x", "\"integer\"") "," FIELD("l", LIST) "," FIELD("d", "\"date\"")
#define A FIELD("a", "{\"type\":\"struct\",\"fields\":[" FIELDS "]}")
#define B FIELD("b", "\"boolean\"")
#define F FIELD("f", "\"float\"")
#define G FIELD("g", "\"double\"")
#define T FIELD("t", "\"timestamp\"")

static const char text[] = "{\"type\":\"struct\",\"fields\":[" A "," B "," F "," G "," T "]}";

TEST(delta_schema_has_all_types)
{
    struct buf out = {0};
    struct err err = {0};
    bool missing;
    delta_schema_write(&out, &schema);
    EXPECT_TEXT(buf_text(&out), text);
    EXPECT(delta_schema_check(buf_slice(&out), &schema, &missing, &err) == 0 && !missing);
    buf_free(&out);
}

/* Check the schema above with `from` replaced by `to`. */
static void expect_other(const char *from, const char *to, const char *message)
{
    struct buf other = {0};
    struct err err = {0};
    bool missing;
    const char *at = strstr(text, from);
    EXPECT(at != NULL);
    buf_append(&other, text, (size_t)(at - text));
    buf_append_text(&other, to);
    buf_append_text(&other, at + strlen(from));
    EXPECT(delta_schema_check(buf_slice(&other), &schema, &missing, &err) == -1);
    if (strstr(err.text, message) == NULL)
        EXPECT_TEXT(err.text, message);
    buf_free(&other);
}

TEST(delta_schema_sees_what_differs_inside)
{
    expect_other("decimal(9,2)", "decimal(9,3)", "column a is not of type");
    expect_other("\"keyType\":\"string\"", "\"keyType\":\"binary\"", "column a is not of type");
    expect_other("\"array\"", "\"map\"", "column a is not of type");
    expect_other("\"float\"", "\"double\"", "column f is not of type \"float\"");
    expect_other("\"boolean\"", "{\"type\":\"struct\",\"fields\":[]}", "column b is not of type");
    expect_other("\"name\":\"t\"", "\"name\":\"T\"", "column T differs from one of varve's");
    expect_other("\"timestamp\"", "\"timestamp_ntz\"", "column t is not of type \"timestamp\"");
}

TEST(delta_schema_gets_a_nested_column)
{
    static const char old[] = "{\"type\":\"struct\",\"x\":[1],\"fields\":[" B "]}";
    struct buf out = {0};
    struct err err = {0};
    bool missing;
    EXPECT(delta_schema_check(slice_of(old), &schema, &missing, &err) == 0 && missing);
    delta_schema_extend(&out, slice_of(old), &schema);
    EXPECT(strstr(buf_text(&out), "\"x\":[1],\"fields\":[" B "," A ",") != NULL);
    EXPECT(delta_schema_check(buf_slice(&out), &schema, &missing, &err) == 0 && !missing);
    buf_free(&out);
}

TEST(delta_schema_gets_a_field_more_within_a_struct)
{
    static const char old[] = "{\"type\":\"struct\",\"fields\":[" FIELD(
        "a", "{\"type\":\"struct\",\"fields\":[" FIELD("gone", "\"binary\"") "," FIELD(
                 "x", "\"integer\"") "]}") "," B "," F "," G "," T "]}";
    struct buf out = {0};
    struct err err = {0};
    bool missing;
    EXPECT(delta_schema_check(slice_of(old), &schema, &missing, &err) == 0 && missing);
    delta_schema_extend(&out, slice_of(old), &schema);
    EXPECT_TEXT(buf_text(&out),
                "{\"type\":\"struct\",\"fields\":[" FIELD(
                    "a", "{\"type\":\"struct\",\"fields\":[" FIELD(
                             "gone", "\"binary\"") "," FIELDS "]}") "," B "," F "," G "," T "]}");
    EXPECT(delta_schema_check(buf_slice(&out), &schema, &missing, &err) == 0 && !missing);
    buf_free(&out);
}

#define NUMBERED(name, number, type) \
    "{\"name\":\"" name "\",\"type\":" type ",\"metadata\":{\"varve.field\":" number "}}"
#define POINT(fields) "{\"type\":\"struct\",\"fields\":[" fields "]}"

/* What the columns are called in a table of these fields. */
static void expect_names(const char *fields, const struct column_spec *own, uint32_t count,
                         const char *names)
{
    struct column_spec renamed[16];
    struct buf table = {0}, found = {0};
    struct arena arena = {0};
    struct err err = {0};
    memcpy(renamed, own, count * sizeof(*own));
    buf_printf(&table, "{\"type\":\"struct\",\"fields\":[%s]}", fields);
    EXPECT(delta_schema_rename(buf_slice(&table), renamed, count, &arena, &err) == 0);
    for (uint32_t i = 0; i < count; i++)
        buf_printf(&found, "%s ", renamed[i].name);
    EXPECT_TEXT(buf_text(&found), names);
    buf_free(&table);
    buf_free(&found);
    arena_free(&arena);
}

TEST(delta_schema_keeps_the_first_name_of_a_number)
{
    static const struct column_spec own[] = {
        {.name = "prize", .type = COLUMN_DOUBLE, .field = 1},
        {.name = "points", .type = COLUMN_LIST, .field = 2},
        {.name = "element", .type = COLUMN_STRUCT, .children = 2},
        {.name = "east", .type = COLUMN_FLOAT, .field = 1},
        {.name = "x", .type = COLUMN_FLOAT, .field = 3},
        {.name = "reward", .type = COLUMN_DOUBLE, .field = 4},
        {.name = "plain", .type = COLUMN_INT64},
    };
    static const char table[] =
        NUMBERED("reward", "1", "\"double\"") "," FIELD("PLAIN", "\"double\"") "," NUMBERED(
            "points", "2",
            "{\"type\":\"array\",\"elementType\":" POINT(NUMBERED("x", "1", "\"float\"")) "}");
    /* "x" and "reward" are taken by other numbers, "plain" by another type. */
    expect_names(table, own, 7, "reward points element x x_float reward_double plain_long ");
    /* What was said once is found again, whatever the order. */
    static const char grown[] =
        FIELD("plain_long", "\"long\"") "," FIELD("PLAIN", "\"double\"") "," NUMBERED(
            "reward_double", "4", "\"double\"") "," NUMBERED("reward", "1", "\"double\"");
    expect_names(grown, own, 7, "reward points element east x reward_double plain_long ");
    expect_names("", own, 7, "prize points element east x reward plain ");
}

TEST(delta_schema_gives_a_changed_type_a_name_of_its_own)
{
    static const struct column_spec own[] = {
        {.name = "a", .type = COLUMN_INT64, .field = 1},
        {.name = "a_long", .type = COLUMN_INT32, .field = 2},
        {.name = "b", .type = COLUMN_STRUCT, .children = 1, .field = 3},
        {.name = "c", .type = COLUMN_BOOLEAN, .field = 1},
    };
    static const char table[] = NUMBERED("a", "1", "\"integer\"") "," NUMBERED(
        "b", "3", "\"binary\"") "," FIELD("b_struct", "\"binary\"");
    expect_names(table, own, 4, "a_long_2 a_long b_struct_2 c ");
    static const char grown[] =
        NUMBERED("a", "1", "\"integer\"") "," NUMBERED("anything", "1", "\"long\"") "," NUMBERED(
            "b", "3", POINT(NUMBERED("c", "1", "\"integer\"")));
    expect_names(grown, own, 4, "anything a_long b c_boolean ");
}

static int read_again(struct slice schema_string, struct arena *arena, struct schema *out,
                      struct err *err)
{
    static const struct column_spec known[] = {
        {.name = "t", .type = COLUMN_INT64, .meaning = COLUMN_TIME_MICROS, .ordered = true},
        {.name = "g", .type = COLUMN_FLOAT},
    };
    static const struct schema all = {"known", known, 2};
    err_clear(err);
    return delta_schema_read(schema_string, &all, arena, out, err);
}

TEST(delta_schema_is_read_from_the_log)
{
    struct arena arena = {0};
    struct buf again = {0};
    struct schema found;
    struct err err = {0};
    EXPECT(read_again(slice_of(text), &arena, &found, &err) == 0);
    delta_schema_write(&again, &found);
    EXPECT_TEXT(buf_text(&again), text);
    EXPECT_I64(found.count, schema.count);
    for (uint32_t i = 0; i < schema.count; i++) {
        EXPECT(found.columns[i].type == columns[i].type);
        EXPECT(found.columns[i].meaning == columns[i].meaning);
    }
    EXPECT(found.columns[1].optional && !found.columns[4].optional); /* a field; a key */
    EXPECT(found.columns[10].ordered && !found.columns[10].optional);
    EXPECT(found.columns[9].type == COLUMN_DOUBLE && found.columns[9].optional);
    buf_free(&again);
    arena_free(&arena);
}

static void put_deep(struct buf *out, unsigned depth)
{
    buf_reset(out);
    buf_append_text(out, "{\"fields\":[{\"name\":\"a\",\"type\":");
    for (unsigned i = 0; i < depth; i++)
        buf_append_text(out, "{\"type\":\"array\",\"elementType\":");
    buf_append_text(out, "\"long\"");
    for (unsigned i = 0; i < depth; i++)
        buf_append_byte(out, '}');
    buf_append_text(out, "}]}");
}

TEST(delta_schema_that_cannot_be_read)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{\"fields\":7}",
        "{\"fields\":[]}",
        "{\"fields\":[{}]}",
        "{\"fields\":[{\"name\":\"a\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":7}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"variant\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"decimal(\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"decimal()\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"decimal(,)\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"decimal(19,2)\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"decimal(9,10)\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"array\"}}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"struct\",\"fields\":[]}}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"map\",\"keyType\":\"long\"}}]}",
    };
    struct arena arena = {0};
    struct buf deep = {0};
    struct schema found;
    struct err err = {0};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        EXPECT(read_again(slice_of(texts[i]), &arena, &found, &err) == -1);
        EXPECT(err_is_set(&err));
    }
    put_deep(&deep, SCHEMA_DEPTH_MAX - 1);
    EXPECT(read_again(buf_slice(&deep), &arena, &found, &err) == 0);
    put_deep(&deep, SCHEMA_DEPTH_MAX);
    EXPECT(read_again(buf_slice(&deep), &arena, &found, &err) == -1);
    buf_free(&deep);
    arena_free(&arena);
}

/* Tables of long numbers stay so, in lists and maps as well. */
TEST(delta_schema_has_long_for_what_is_wide)
{
#define WIDE .type = COLUMN_BYTES, .meaning = COLUMN_DECIMAL, .precision = 20
    static const struct column_spec own[] = {
        {.name = "a", WIDE, .field = 1}, {.name = "b", .type = COLUMN_LIST, .field = 2},
        {.name = "element", WIDE},       {.name = "m", .type = COLUMN_MAP, .field = 3},
        {.name = "key", WIDE},           {.name = "value", WIDE},
        {.name = "c", WIDE, .field = 4},
    };
    static const char table[] = "{\"type\":\"struct\",\"fields\":[" NUMBERED("a", "1", "\"long\"") "," NUMBERED(
        "b", "2",
        "{\"type\":\"array\",\"elementType\":\"long\"}") "," NUMBERED("m", "3",
                                                                      "{\"type\":\"map\","
                                                                      "\"keyType\":\"long\","
                                                                      "\"valueType\":"
                                                                      "\"long\"}") "," NUMBERED("c",
                                                                                                "4",
                                                                                                "\""
                                                                                                "de"
                                                                                                "ci"
                                                                                                "ma"
                                                                                                "l("
                                                                                                "20"
                                                                                                ",0"
                                                                                                ")"
                                                                                                "\"") "]}";
    struct column_spec renamed[7];
    struct schema wide = {"wide", renamed, 7};
    struct arena arena = {0};
    struct err err = {0};
    bool missing;
    memcpy(renamed, own, sizeof(own));
    EXPECT(delta_schema_rename(slice_of(table), renamed, 7, &arena, &err) == 0);
    EXPECT_TEXT(renamed[0].name, "a");
    EXPECT_TEXT(renamed[3].name, "m");
    EXPECT(renamed[0].type == COLUMN_INT64 && renamed[2].type == COLUMN_INT64);
    EXPECT(renamed[4].type == COLUMN_INT64 && renamed[5].type == COLUMN_INT64);
    EXPECT(renamed[6].type == COLUMN_BYTES);
    EXPECT(delta_schema_check(slice_of(table), &wide, &missing, &err) == 0 && !missing);
    struct schema again;
    EXPECT(read_again(slice_of(table), &arena, &again, &err) == 0 && again.count == 7);
    EXPECT(column_is_wide(&again.columns[6]) && again.columns[5].type == COLUMN_INT64);
    arena_free(&arena);
}
