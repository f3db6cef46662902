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

TEST(delta_schema_sees_a_type_that_differs_inside)
{
    expect_other("decimal(9,2)", "decimal(9,3)", "column a is not of type");
    expect_other("\"keyType\":\"string\"", "\"keyType\":\"binary\"", "column a is not of type");
    expect_other("\"array\"", "\"map\"", "column a is not of type");
    expect_other("\"name\":\"d\"", "\"name\":\"e\"", "column a is not of type");
    expect_other("\"float\"", "\"double\"", "column f is not of type \"float\"");
    expect_other("\"boolean\"", "{\"type\":\"struct\",\"fields\":[]}", "column b is not of type");
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
