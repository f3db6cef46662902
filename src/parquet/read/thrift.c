/* SPDX-License-Identifier: MIT */
#include "parquet/read/thrift.h"

#include <string.h>

#include "base/bytes.h"
#include "base/varint.h"

static void fail(struct thrift_reader *r, const char *problem)
{
    if (r->problem == NULL)
        r->problem = problem;
}

static size_t left(const struct thrift_reader *r)
{
    return r->problem == NULL ? r->bytes.len - r->at : 0;
}

static uint8_t byte(struct thrift_reader *r)
{
    if (left(r) == 0) {
        fail(r, "it ends early");
        return 0;
    }
    return r->bytes.data[r->at++];
}

static uint64_t varint(struct thrift_reader *r)
{
    uint64_t value;
    if (r->problem != NULL)
        return 0;
    if (varint_read(r->bytes, &r->at, &value))
        return value;
    fail(r, left(r) < VARINT_BYTES_MAX ? "it ends early" : "a number does not fit 64 bits");
    return 0;
}

static int64_t integer(struct thrift_reader *r, int64_t min, int64_t max)
{
    int64_t value = zigzag_decode(varint(r));
    if (value < min || value > max) {
        fail(r, "a number is out of range");
        return 0;
    }
    return value;
}

bool thrift_read_is(struct thrift_reader *r, struct thrift_field *field, enum thrift_type type)
{
    bool boolean = field->type == THRIFT_TRUE || field->type == THRIFT_FALSE;
    if (r->problem != NULL)
        return false;
    if (field->type == (uint8_t)type || (boolean && type == THRIFT_TRUE))
        return true;
    thrift_read_skip(r, field);
    if (field->id >= 1 && field->id <= 31)
        field->seen &= ~THRIFT_FIELD(field->id);
    return false;
}

bool thrift_read_next(struct thrift_reader *r, struct thrift_field *field)
{
    uint8_t header = byte(r);
    if (r->problem != NULL || header == THRIFT_STOP)
        return false;
    field->type = header & 0x0f;
    int32_t delta = header >> 4;
    /* The id is opaque: the long form may hold any number. */
    int64_t id = delta != 0 ? field->id + delta : integer(r, INT16_MIN, INT16_MAX);
    if (id > INT16_MAX)
        fail(r, "a field number is out of range");
    if (field->type == THRIFT_STOP)
        fail(r, "a field has no type");
    field->id = (int16_t)id;
    if (id >= 1 && id <= 31) {
        uint32_t bit = UINT32_C(1) << id;
        if ((field->seen & bit) != 0)
            fail(r, "a field occurs twice");
        field->seen |= bit;
    }
    return r->problem == NULL;
}

void thrift_read_require(struct thrift_reader *r, const struct thrift_field *field, uint32_t mask)
{
    if ((field->seen & mask) != mask)
        fail(r, "a required field is missing");
}

bool thrift_read_bool(struct thrift_reader *r, struct thrift_field *field)
{
    return thrift_read_is(r, field, THRIFT_TRUE) && field->type == THRIFT_TRUE;
}

int8_t thrift_read_i8(struct thrift_reader *r, struct thrift_field *field)
{
    return thrift_read_is(r, field, THRIFT_I8) ? (int8_t)byte(r) : 0;
}

int16_t thrift_read_i16(struct thrift_reader *r, struct thrift_field *field)
{
    return thrift_read_is(r, field, THRIFT_I16) ? (int16_t)integer(r, INT16_MIN, INT16_MAX) : 0;
}

int32_t thrift_read_i32(struct thrift_reader *r, struct thrift_field *field)
{
    return thrift_read_is(r, field, THRIFT_I32) ? (int32_t)integer(r, INT32_MIN, INT32_MAX) : 0;
}

int64_t thrift_read_i64(struct thrift_reader *r, struct thrift_field *field)
{
    return thrift_read_is(r, field, THRIFT_I64) ? integer(r, INT64_MIN, INT64_MAX) : 0;
}

int32_t thrift_read_natural(struct thrift_reader *r, struct thrift_field *field)
{
    return thrift_read_is(r, field, THRIFT_I32) ? (int32_t)integer(r, 0, INT32_MAX) : 0;
}

int64_t thrift_read_natural64(struct thrift_reader *r, struct thrift_field *field)
{
    return thrift_read_is(r, field, THRIFT_I64) ? integer(r, 0, INT64_MAX) : 0;
}

static struct slice take(struct thrift_reader *r, uint64_t len)
{
    if (len > left(r)) {
        fail(r, "it ends early");
        return (struct slice){0};
    }
    struct slice s = {r->bytes.data + r->at, (size_t)len};
    r->at += (size_t)len;
    return s;
}

struct slice thrift_read_binary(struct thrift_reader *r, struct thrift_field *field)
{
    if (!thrift_read_is(r, field, THRIFT_BINARY))
        return (struct slice){0};
    return take(r, varint(r));
}

bool thrift_read_struct(struct thrift_reader *r, struct thrift_field *field)
{
    return thrift_read_is(r, field, THRIFT_STRUCT);
}

static uint32_t list_header(struct thrift_reader *r, uint8_t *type)
{
    uint8_t header = byte(r);
    *type = header & 0x0f;
    uint64_t count = header >> 4;
    if (count == 15)
        count = varint(r);
    if (count > INT32_MAX) {
        fail(r, "a list has a negative length");
        return 0;
    }
    return (uint32_t)count;
}

uint32_t thrift_read_list(struct thrift_reader *r, struct thrift_field *field,
                          enum thrift_type type, size_t least, struct thrift_field *element)
{
    *element = (struct thrift_field){0};
    if (!thrift_read_is(r, field, THRIFT_LIST))
        return 0;
    uint32_t count = list_header(r, &element->type);
    if (count == 0)
        return 0;
    bool is_bool = element->type == THRIFT_TRUE || element->type == THRIFT_FALSE;
    if (element->type != (uint8_t)type && !(is_bool && type == THRIFT_TRUE))
        fail(r, "a list has elements of an unexpected type");
    if (count > left(r) / least)
        fail(r, "a list is longer than the bytes that are left");
    return r->problem == NULL ? count : 0;
}

bool thrift_read_bool_element(struct thrift_reader *r)
{
    return byte(r) == 1;
}

static void skip(struct thrift_reader *r, uint8_t type, bool element, unsigned depth);

static void skip_elements(struct thrift_reader *r, uint32_t count, uint8_t key, uint8_t value,
                          unsigned depth)
{
    /* Each element takes a byte or more, so this ends. */
    for (uint32_t i = 0; i < count && r->problem == NULL; i++) {
        if (key != THRIFT_STOP)
            skip(r, key, true, depth);
        skip(r, value, true, depth);
    }
}

static void skip_map(struct thrift_reader *r, unsigned depth)
{
    uint64_t count = varint(r);
    if (count == 0)
        return;
    if (count > INT32_MAX) {
        fail(r, "a map has a negative length");
        return;
    }
    uint8_t types = byte(r);
    if (types >> 4 == THRIFT_STOP)
        fail(r, "a map has keys without a type");
    skip_elements(r, (uint32_t)count, types >> 4, types & 0x0f, depth + 1);
}

static void skip(struct thrift_reader *r, uint8_t type, bool element, unsigned depth)
{
    if (depth > THRIFT_DEPTH_MAX) {
        fail(r, "it nests too deeply");
        return;
    }
    struct thrift_field inner = {0};
    uint8_t element_type = 0;
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        if (element)
            (void)byte(r); /* in a field, the header was all of it */
        break;
    case THRIFT_I8:
        (void)byte(r); /* of no interest */
        break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        (void)varint(r); /* of no interest */
        break;
    case THRIFT_DOUBLE:
        (void)take(r, 8); /* of no interest */
        break;
    case THRIFT_UUID:
        (void)take(r, 16); /* of no interest */
        break;
    case THRIFT_BINARY:
        (void)take(r, varint(r)); /* of no interest */
        break;
    case THRIFT_LIST:
    case THRIFT_SET: {
        uint32_t count = list_header(r, &element_type);
        skip_elements(r, count, THRIFT_STOP, element_type, depth + 1);
        break;
    }
    case THRIFT_MAP:
        skip_map(r, depth);
        break;
    case THRIFT_STRUCT:
        while (thrift_read_next(r, &inner))
            skip(r, inner.type, false, depth + 1);
        break;
    default: /* a number from the wire, not one of the enum */
        fail(r, "a value is of an unknown type");
    }
}

void thrift_read_skip(struct thrift_reader *r, const struct thrift_field *field)
{
    skip(r, field->type, false, 1);
}

/* The type on the wire. */
static enum thrift_type type_of(enum thrift_value value)
{
    switch (value) {
    case THRIFT_VALUE_BOOL:
        return THRIFT_TRUE;
    case THRIFT_VALUE_I16:
        return THRIFT_I16;
    case THRIFT_VALUE_I32:
    case THRIFT_VALUE_NATURAL:
        return THRIFT_I32;
    case THRIFT_VALUE_I64:
    case THRIFT_VALUE_NATURAL64:
        return THRIFT_I64;
    case THRIFT_VALUE_BINARY:
        break;
    }
    return THRIFT_BINARY;
}

static void read_value(struct thrift_reader *r, struct thrift_field *field, enum thrift_value value,
                       void *into)
{
    int32_t number;
    switch (value) {
    case THRIFT_VALUE_BOOL:
        *(bool *)into = thrift_read_bool(r, field);
        break;
    case THRIFT_VALUE_I16:
        *(int16_t *)into = thrift_read_i16(r, field);
        break;
    case THRIFT_VALUE_I32:
    case THRIFT_VALUE_NATURAL:
        number =
            value == THRIFT_VALUE_I32 ? thrift_read_i32(r, field) : thrift_read_natural(r, field);
        memcpy(into, &number, sizeof(number)); /* it may be an enum */
        break;
    case THRIFT_VALUE_I64:
        *(int64_t *)into = thrift_read_i64(r, field);
        break;
    case THRIFT_VALUE_NATURAL64:
        *(int64_t *)into = thrift_read_natural64(r, field);
        break;
    case THRIFT_VALUE_BINARY:
        *(struct slice *)into = thrift_read_binary(r, field);
        break;
    }
}

bool thrift_read_member(struct thrift_reader *r, struct thrift_field *field,
                        struct thrift_members members, void *into)
{
    for (size_t i = 0; i < members.count; i++) {
        const struct thrift_member *m = &members.list[i];
        if (m->id != field->id)
            continue;
        bool there = m->required || thrift_read_is(r, field, type_of(m->value));
        if (m->present != THRIFT_NO_PRESENT)
            *(bool *)((char *)into + m->present) = there;
        if (there)
            read_value(r, field, m->value, (char *)into + m->at);
        return true;
    }
    return false;
}

uint32_t thrift_required(struct thrift_members members)
{
    uint32_t mask = 0;
    for (size_t i = 0; i < members.count; i++)
        mask |= members.list[i].required ? THRIFT_FIELD(members.list[i].id) : 0;
    return mask;
}

void thrift_read_members(struct thrift_reader *r, struct thrift_members members, void *into)
{
    struct thrift_field f = {0};
    while (thrift_read_next(r, &f)) {
        if (!thrift_read_member(r, &f, members, into))
            thrift_read_skip(r, &f);
    }
    thrift_read_require(r, &f, thrift_required(members));
}

int16_t thrift_read_union(struct thrift_reader *r, struct thrift_field *field)
{
    struct thrift_field member = {0};
    int16_t id = 0;
    if (!thrift_read_struct(r, field))
        return 0;
    while (thrift_read_next(r, &member)) {
        id = member.id;
        thrift_read_skip(r, &member);
    }
    return id;
}

int thrift_read_finish(const struct thrift_reader *r, const char *what, bool whole, struct err *err)
{
    if (r->problem != NULL)
        return err_set(err, ERR_FORMAT, "the %s is damaged at its byte %zu: %s", what, r->at,
                       r->problem);
    if (whole && r->at != r->bytes.len)
        return err_set(err, ERR_FORMAT, "the %s ends %zu bytes before its stated length", what,
                       r->bytes.len - r->at);
    return 0;
}
