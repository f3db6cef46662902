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

void parquet_schema_element_read(struct thrift_reader *r, struct parquet_schema_element *e)
{
    struct thrift_field f = {0};
    e->converted_type = PARQUET_CONVERTED_NONE;
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 1:
            e->has_type = thrift_read_is(r, &f, THRIFT_I32);
            if (e->has_type)
                e->type = (enum parquet_type)thrift_read_natural(r, &f);
            break;
        case 2:
            e->type_length = thrift_read_natural(r, &f);
            break;
        case 3:
            e->has_repetition = thrift_read_is(r, &f, THRIFT_I32);
            if (e->has_repetition)
                e->repetition = (enum parquet_repetition)thrift_read_natural(r, &f);
            break;
        case 4:
            e->name = thrift_read_binary(r, &f);
            break;
        case 5:
            e->num_children = thrift_read_natural(r, &f);
            break;
        case 6:
            if (thrift_read_is(r, &f, THRIFT_I32))
                e->converted_type = (enum parquet_converted_type)thrift_read_natural(r, &f);
            break;
        case 7:
            e->scale = thrift_read_natural(r, &f);
            break;
        case 8:
            e->precision = thrift_read_natural(r, &f);
            break;
        case 9:
            e->field_id = thrift_read_i32(r, &f);
            break;
        case 10:
            read_logical_type(r, &f, &e->logical);
            break;
        default:
            thrift_read_skip(r, &f);
        }
    }
    thrift_read_require(r, &f, THRIFT_FIELD(4));
}
