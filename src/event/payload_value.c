/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "event/payload_scan.h"

/* google/protobuf/struct.proto */
enum {
    STRUCT_FIELDS = 1,
    LIST_VALUES = 1,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
    VALUE_NULL = 1,
    VALUE_NUMBER = 2,
    VALUE_TEXT = 3,
    VALUE_BOOLEAN = 4,
    VALUE_STRUCT = 5,
    VALUE_LIST = 6,
    DEPTH_MAX = 32,
};

struct writing {
    struct json_writer *w;
    unsigned depth;
};

static bool put_value(struct writing *j, struct slice message);

static bool put_number(struct writing *j, uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof(number));
    if (!isfinite(number))
        return false;
    buf_printf(json_put_raw(j->w, NULL), "%.17g", number);
    return true;
}

/* Key and value of an entry of a map. Of a key that comes twice, whoever reads the JSON takes the
 * last value, as protobuf does. */
static bool read_entry(struct slice entry, struct slice *key, struct slice *value)
{
    struct wire_field wire;
    size_t at = 0;
    int more;
    *key = *value = (struct slice){0};
    while ((more = protobuf_next(entry, &at, &wire)) == 1) {
        if (wire.number == ENTRY_KEY && wire.type == WIRE_BYTES)
            *key = wire.bytes;
        else if (wire.number == ENTRY_VALUE && wire.type == WIRE_BYTES)
            *value = wire.bytes;
    }
    return more == 0 && utf8_valid(*key);
}

static bool put_members(struct writing *j, struct slice message)
{
    struct wire_field wire;
    struct slice key, value;
    size_t at = 0;
    int more;
    while ((more = protobuf_next(message, &at, &wire)) == 1) {
        if (wire.number != STRUCT_FIELDS || wire.type != WIRE_BYTES)
            continue;
        if (!read_entry(wire.bytes, &key, &value))
            return false;
        json_put_name(j->w, key);
        if (!put_value(j, value))
            return false;
    }
    return more == 0;
}

static bool put_items(struct writing *j, struct slice message)
{
    struct wire_field wire;
    size_t at = 0;
    int more;
    while ((more = protobuf_next(message, &at, &wire)) == 1)
        if (wire.number == LIST_VALUES && wire.type == WIRE_BYTES && !put_value(j, wire.bytes))
            return false;
    return more == 0;
}

/* All of these fields of a message, from a place on: they are one, merged. */
static bool put_group(struct writing *j, struct slice message, size_t at, uint32_t number)
{
    bool is_list = number == VALUE_LIST, put = true;
    struct wire_field wire;
    if (is_list)
        json_open_array(j->w, NULL);
    else
        json_open_object(j->w, NULL);
    while (put && protobuf_next(message, &at, &wire) == 1)
        if (wire.number == number && wire.type == WIRE_BYTES)
            put = is_list ? put_items(j, wire.bytes) : put_members(j, wire.bytes);
    if (is_list)
        json_close_array(j->w);
    else
        json_close_object(j->w);
    return put;
}

/* The last member of the oneof counts; a value that has none is null. */
static bool put_value(struct writing *j, struct slice message)
{
    static const uint8_t types[] = {
        [VALUE_NULL] = WIRE_VARINT,    [VALUE_NUMBER] = WIRE_64,    [VALUE_TEXT] = WIRE_BYTES,
        [VALUE_BOOLEAN] = WIRE_VARINT, [VALUE_STRUCT] = WIRE_BYTES, [VALUE_LIST] = WIRE_BYTES};
    struct wire_field wire, last = {0};
    size_t at = 0, before = 0, from = 0; /* the first of the last ones of its kind */
    int more;
    bool put = true;
    for (; (more = protobuf_next(message, &at, &wire)) == 1; before = at) {
        if (wire.number > VALUE_LIST || wire.type != types[wire.number])
            continue;
        from = wire.number == last.number ? from : before;
        last = wire;
    }
    if (more != 0 || j->depth == DEPTH_MAX)
        return false;
    j->depth++;
    if (last.number == VALUE_NUMBER)
        put = put_number(j, last.value);
    else if (last.number == VALUE_BOOLEAN)
        json_put_bool(j->w, NULL, last.value != 0);
    else if (last.number == VALUE_STRUCT || last.number == VALUE_LIST)
        put = put_group(j, message, from, last.number);
    else if (last.number == VALUE_TEXT && (put = utf8_valid(last.bytes)))
        json_put_slice(j->w, NULL, last.bytes);
    else if (put)
        json_put_null(j->w, NULL);
    j->depth--;
    return put;
}

bool payload_value_json(struct json_writer *w, enum plan_kind kind, struct slice message)
{
    struct writing j = {.w = w};
    bool put;
    if (kind == PLAN_JSON_VALUE)
        return put_value(&j, message);
    if (kind == PLAN_JSON_LIST)
        json_open_array(w, NULL);
    else
        json_open_object(w, NULL);
    put = kind == PLAN_JSON_LIST ? put_items(&j, message) : put_members(&j, message);
    if (kind == PLAN_JSON_LIST)
        json_close_array(w);
    else
        json_close_object(w);
    return put;
}
