/* SPDX-License-Identifier: MIT */
#include "cli/inspect.h"

#include "test.h"

static void expect(struct parquet_schema_element e, const char *expected)
{
    struct buf out = {0};
    annotation_append(&out, &e);
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
}

TEST(cli_annotation_names)
{
    struct parquet_schema_element e = {.converted_type = PARQUET_CONVERTED_NONE};
    expect(e, "");
    e.converted_type = PARQUET_CONVERTED_UTF8;
    expect(e, "UTF8");
    e.converted_type = PARQUET_CONVERTED_TIMESTAMP_MICROS;
    expect(e, "TIMESTAMP_MICROS");
    e.converted_type = PARQUET_CONVERTED_INTERVAL;
    expect(e, "INTERVAL");
    e.converted_type = (enum parquet_converted_type)22;
    expect(e, "ConvertedType 22");
    e.converted_type = PARQUET_CONVERTED_DECIMAL;
    e.precision = 9;
    e.scale = 2;
    expect(e, "DECIMAL(9,2)");
    e.logical = (struct parquet_logical_type){
        .kind = PARQUET_LOGICAL_TIMESTAMP, .utc = true, .unit = PARQUET_UNIT_MICROS};
    expect(e, "TIMESTAMP(MICROS,UTC)");
    e.logical.utc = false;
    e.logical.unit = PARQUET_UNIT_NANOS;
    expect(e, "TIMESTAMP(NANOS,local)");
    e.logical = (struct parquet_logical_type){
        .kind = PARQUET_LOGICAL_INTEGER, .bit_width = 8, .is_signed = true};
    expect(e, "INTEGER(8,signed)");
    e.logical.kind = (enum parquet_logical_kind)16;
    expect(e, "LogicalType 16");
}
