/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

#include "parquet_fixture.h"

static struct parquet_schema_element element(const char *hex, bool good)
{
    struct parquet_schema_element e = {0};
    struct thrift_reader r = {.bytes = fixture_hex(hex)};
    parquet_schema_element_read(&r, &e);
    EXPECT((r.problem == NULL) == good);
    if (good)
        EXPECT_U64(r.at, r.bytes.len);
    return e;
}

TEST(parquet_schema_read_root)
{
    struct parquet_schema_element e = element("48 06 736368656d61 15 02 00", true);
    EXPECT(slice_is(e.name, "schema") && !e.has_type && !e.has_repetition);
    EXPECT_I64(e.num_children, 1);
    EXPECT_I64(e.converted_type, PARQUET_CONVERTED_NONE);
    EXPECT_I64(e.logical.kind, PARQUET_LOGICAL_NONE);
}

/* Field 4 is the name; field 10 the annotation (parquet.thrift, LogicalType). */
static struct parquet_logical_type logical(const char *annotation, bool good)
{
    struct buf hex = {0};
    buf_printf(&hex, "15 0c 25 00 18 01 76 6c %s 00", annotation);
    struct parquet_schema_element e = element(buf_text(&hex), good);
    buf_free(&hex);
    return e.logical;
}

TEST(parquet_schema_read_logical_types)
{
    struct parquet_logical_type l = logical("1c 00 00", true);
    EXPECT_I64(l.kind, PARQUET_LOGICAL_STRING);
    l = logical("8c 11 1c 2c 00 00 00 00", true);
    EXPECT_I64(l.kind, PARQUET_LOGICAL_TIMESTAMP);
    EXPECT(l.utc && l.unit == PARQUET_UNIT_MICROS);
    l = logical("8c 11 1c 3c 00 00 00 00", true);
    EXPECT(l.utc && l.unit == PARQUET_UNIT_NANOS);
    l = logical("8c 12 1c 1c 00 00 00 00", true);
    EXPECT(!l.utc && l.unit == PARQUET_UNIT_MILLIS);
    l = logical("ac 13 40 12 00 00", true);
    EXPECT(l.kind == PARQUET_LOGICAL_INTEGER && l.bit_width == 64 && !l.is_signed);
    l = logical("ec 00 00", true);
    EXPECT_I64(l.kind, PARQUET_LOGICAL_UUID);
    l = logical("5c 15 04 15 14 00 00", true);
    EXPECT(l.kind == PARQUET_LOGICAL_DECIMAL && l.scale == 2 && l.precision == 10);
    l = logical("0c 20 15 02 00 00", true); /* number 16, with something in it */
    EXPECT_I64(l.kind, 16);
    logical("8c 11 00 00", false); /* a timestamp without a unit */
    logical("ac 13 40 00 00", false);
}

TEST(parquet_schema_read_all_fields)
{
    /* type 7, length 16, OPTIONAL, "u", no children, DECIMAL, scale 2, precision 9, id 5 */
    struct parquet_schema_element e =
        element("15 0e 15 20 15 02 18 01 75 25 0a 15 04 15 12 15 0a 00", true);
    EXPECT(e.has_type && e.type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY && e.type_length == 16);
    EXPECT(e.has_repetition && e.repetition == PARQUET_REPETITION_OPTIONAL);
    EXPECT(e.converted_type == PARQUET_CONVERTED_DECIMAL && e.scale == 2 && e.precision == 9);
    EXPECT_I64(e.field_id, 5);
    e = element("15 0c 25 00 18 01 75 25 00 00", true); /* UTF8 is 0, and is there */
    EXPECT_I64(e.converted_type, PARQUET_CONVERTED_UTF8);
}

TEST(parquet_schema_read_hostile)
{
    element("15 0c 00", false);                /* no name */
    element("15 0c 15 01 28 01 75 00", false); /* a negative length */
    element("48 01 75 15 01 00", false);       /* -1 children */
    element("18 01 75 00", false);             /* a type that is text */
}
