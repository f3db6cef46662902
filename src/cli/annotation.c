/* SPDX-License-Identifier: MIT */
#include "cli/inspect.h"

static const char *unit_name(enum parquet_time_unit unit)
{
    switch (unit) {
    case PARQUET_UNIT_MILLIS:
        return "MILLIS";
    case PARQUET_UNIT_MICROS:
        return "MICROS";
    case PARQUET_UNIT_NANOS:
        return "NANOS";
    }
    return "?";
}

static void append_logical(struct buf *out, const struct parquet_logical_type *l)
{
    switch (l->kind) {
    case PARQUET_LOGICAL_NONE:
        return;
    case PARQUET_LOGICAL_STRING:
        buf_append_text(out, "STRING");
        return;
    case PARQUET_LOGICAL_MAP:
        buf_append_text(out, "MAP");
        return;
    case PARQUET_LOGICAL_LIST:
        buf_append_text(out, "LIST");
        return;
    case PARQUET_LOGICAL_ENUM:
        buf_append_text(out, "ENUM");
        return;
    case PARQUET_LOGICAL_DECIMAL:
        buf_printf(out, "DECIMAL(%d,%d)", l->precision, l->scale);
        return;
    case PARQUET_LOGICAL_DATE:
        buf_append_text(out, "DATE");
        return;
    case PARQUET_LOGICAL_TIME:
    case PARQUET_LOGICAL_TIMESTAMP:
        buf_printf(out, "%s(%s,%s)", l->kind == PARQUET_LOGICAL_TIME ? "TIME" : "TIMESTAMP",
                   unit_name(l->unit), l->utc ? "UTC" : "local");
        return;
    case PARQUET_LOGICAL_INTEGER:
        buf_printf(out, "INTEGER(%d,%s)", l->bit_width, l->is_signed ? "signed" : "unsigned");
        return;
    case PARQUET_LOGICAL_UNKNOWN:
        buf_append_text(out, "UNKNOWN");
        return;
    case PARQUET_LOGICAL_JSON:
        buf_append_text(out, "JSON");
        return;
    case PARQUET_LOGICAL_BSON:
        buf_append_text(out, "BSON");
        return;
    case PARQUET_LOGICAL_UUID:
        buf_append_text(out, "UUID");
        return;
    case PARQUET_LOGICAL_FLOAT16:
        buf_append_text(out, "FLOAT16");
        return;
    }
    buf_printf(out, "LogicalType %d", (int)l->kind);
}

void annotation_append(struct buf *out, const struct parquet_schema_element *e)
{
    static const char *const converted[] = {"UTF8",
                                            "MAP",
                                            "MAP_KEY_VALUE",
                                            "LIST",
                                            "ENUM",
                                            "DECIMAL",
                                            "DATE",
                                            "TIME_MILLIS",
                                            "TIME_MICROS",
                                            "TIMESTAMP_MILLIS",
                                            "TIMESTAMP_MICROS",
                                            "UINT_8",
                                            "UINT_16",
                                            "UINT_32",
                                            "UINT_64",
                                            "INT_8",
                                            "INT_16",
                                            "INT_32",
                                            "INT_64",
                                            "JSON",
                                            "BSON",
                                            "INTERVAL"};
    if (e->logical.kind != PARQUET_LOGICAL_NONE) {
        append_logical(out, &e->logical);
    } else if (e->converted_type == PARQUET_CONVERTED_DECIMAL) {
        buf_printf(out, "DECIMAL(%d,%d)", e->precision, e->scale);
    } else if (e->converted_type != PARQUET_CONVERTED_NONE) {
        size_t number = (size_t)e->converted_type;
        if (number < sizeof(converted) / sizeof(converted[0]))
            buf_append_text(out, converted[number]);
        else
            buf_printf(out, "ConvertedType %zu", number);
    }
}
