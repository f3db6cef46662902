/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

static void read_logical_member(struct thrift_reader *r, struct thrift_field *field,
                                struct parquet_logical_type *logical)
{
    struct thrift_field f = {0};
    if (!thrift_read_struct(r, field))
        return;
    logical->kind = (enum parquet_logical_kind)field->id;
    bool decimal = logical->kind == PARQUET_LOGICAL_DECIMAL;
    bool integer = logical->kind == PARQUET_LOGICAL_INTEGER;
    bool time = logical->kind == PARQUET_LOGICAL_TIME || logical->kind == PARQUET_LOGICAL_TIMESTAMP;
    while (thrift_read_next(r, &f)) {
        if (decimal && f.id == 1)
            logical->scale = thrift_read_i32(r, &f);
        else if (decimal && f.id == 2)
            logical->precision = thrift_read_i32(r, &f);
        else if (integer && f.id == 1)
            logical->bit_width = thrift_read_i8(r, &f);
        else if (integer && f.id == 2)
            logical->is_signed = thrift_read_bool(r, &f);
        else if (time && f.id == 1)
            logical->utc = thrift_read_bool(r, &f);
        else if (time && f.id == 2)
            logical->unit = (enum parquet_time_unit)thrift_read_union(r, &f);
        else
            thrift_read_skip(r, &f);
    }
    if (decimal || integer || time)
        thrift_read_require(r, &f, THRIFT_FIELDS(1, 2));
}

static void read_logical_type(struct thrift_reader *r, struct thrift_field *field,
                              struct parquet_logical_type *logical)
{
    struct thrift_field member = {0};
    if (!thrift_read_struct(r, field))
        return;
    while (thrift_read_next(r, &member))
        read_logical_member(r, &member, logical);
}

#define ELEMENT(kind, id, value, ...) \
    THRIFT_##kind(id, value, struct parquet_schema_element, __VA_ARGS__)

static const struct thrift_member MEMBERS[] = {
    ELEMENT(PRESENT, 1, NATURAL, type, has_type),
    ELEMENT(OPTIONAL, 2, NATURAL, type_length),
    ELEMENT(PRESENT, 3, NATURAL, repetition, has_repetition),
    ELEMENT(REQUIRED, 4, BINARY, name),
    ELEMENT(OPTIONAL, 5, NATURAL, num_children),
    ELEMENT(OPTIONAL, 6, NATURAL, converted_type),
    ELEMENT(OPTIONAL, 7, NATURAL, scale),
    ELEMENT(OPTIONAL, 8, NATURAL, precision),
    ELEMENT(OPTIONAL, 9, I32, field_id),
};

void parquet_schema_element_read(struct thrift_reader *r, struct parquet_schema_element *e)
{
    struct thrift_field f = {0};
    e->converted_type = PARQUET_CONVERTED_NONE;
    while (thrift_read_next(r, &f)) {
        if (f.id == 10)
            read_logical_type(r, &f, &e->logical);
        else if (!thrift_read_member(r, &f, THRIFT_MEMBERS(MEMBERS), e))
            thrift_read_skip(r, &f);
    }
    thrift_read_require(r, &f, thrift_required(THRIFT_MEMBERS(MEMBERS)));
}
