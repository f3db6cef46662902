/* SPDX-License-Identifier: MIT */
#include "event/payload_direct.h"

#include <string.h>

#include "base/varint.h"
#include "batch_levels.h"
#include "event/payload_scan.h"

/* Messages that are read in one go, and the same by the long way: one and the same rows. */
enum {
    MESSAGES = 1000,
    EDGE_MESSAGES = 100, /* the first of them */
    TEXT_MAX = 12,
    OPTIONAL = 1, /* labels of a FieldDescriptorProto */
    REPEATED = 3,
    TYPE_NAME = 6, /* fields of it */
    ONEOF_INDEX = 9,
    EMPTY_NUMBER = 32, /* of a message without fields, */
    SELF_NUMBER,       /* and of one within itself: both are their bytes */
    GROUP_NUMBER,
    FAR_NUMBER = 300,
};

static uint32_t below(uint32_t limit)
{
    return (uint32_t)(test_random() % limit);
}

static void put_number(struct buf *out, uint32_t field, uint64_t value)
{
    varint_append(out, (uint64_t)field << 3);
    varint_append(out, value);
}

static void put_bytes(struct buf *out, uint32_t field, struct slice bytes)
{
    varint_append(out, (uint64_t)field << 3 | WIRE_BYTES);
    varint_append(out, bytes.len);
    buf_append_slice(out, bytes);
}

/* A FieldDescriptorProto (google/protobuf/descriptor.proto) into a DescriptorProto. */
static void add_field(struct buf *message, const char *name, uint32_t number, unsigned type,
                      unsigned label, const char *type_name, bool optional)
{
    struct buf field = {0};
    put_bytes(&field, 1, slice_of(name));
    put_number(&field, 3, number);
    put_number(&field, 4, label);
    put_number(&field, 5, type);
    if (type_name != NULL)
        put_bytes(&field, TYPE_NAME, slice_of(type_name));
    if (optional)
        put_number(&field, ONEOF_INDEX, 0);
    put_bytes(message, 2, buf_slice(&field));
    buf_free(&field);
}

static void begin_message(struct buf *message, const char *name)
{
    buf_reset(message);
    put_bytes(message, 1, slice_of(name));
}

/* message All with a field of each type; message Part in it, with one in it. */
static void describe(struct buf *set)
{
    struct buf file = {0}, message = {0}, part = {0};
    put_bytes(&file, 1, slice_of("t.proto"));
    put_bytes(&file, 2, slice_of("t"));
    put_bytes(&file, 12, slice_of("proto3"));
    begin_message(&message, "All");
    for (unsigned type = DESCRIPTOR_DOUBLE; type <= DESCRIPTOR_SINT64; type++) {
        char name[] = {'f', (char)('a' + type), '\0'};
        if (type == DESCRIPTOR_GROUP)
            continue;
        const char *named = type == DESCRIPTOR_MESSAGE ? ".t.Part"
                            : type == DESCRIPTOR_ENUM  ? ".t.Kind"
                                                       : NULL;
        add_field(&message, name, type, type, OPTIONAL, named, false);
    }
    add_field(&message, "floats", 19, DESCRIPTOR_FLOAT, REPEATED, NULL, false);
    add_field(&message, "doubles", 20, DESCRIPTOR_DOUBLE, REPEATED, NULL, false);
    add_field(&message, "maybe", 21, DESCRIPTOR_INT32, OPTIONAL, NULL, true);
    add_field(&message, "empty", EMPTY_NUMBER, DESCRIPTOR_MESSAGE, OPTIONAL, ".t.Empty", false);
    add_field(&message, "self", SELF_NUMBER, DESCRIPTOR_MESSAGE, OPTIONAL, ".t.All", false);
    add_field(&message, "group", GROUP_NUMBER, DESCRIPTOR_GROUP, OPTIONAL, ".t.Inner", false);
    add_field(&message, "far", FAR_NUMBER, DESCRIPTOR_STRING, OPTIONAL, NULL, false);
    put_bytes(&part, 1, slice_of("_maybe")); /* the oneof that `optional` makes */
    put_bytes(&message, 8, buf_slice(&part));
    put_bytes(&file, 4, buf_slice(&message));
    begin_message(&message, "Part");
    add_field(&message, "x", 1, DESCRIPTOR_FLOAT, OPTIONAL, NULL, false);
    add_field(&message, "inner", 2, DESCRIPTOR_MESSAGE, OPTIONAL, ".t.Inner", false);
    add_field(&message, "y", 3, DESCRIPTOR_DOUBLE, REPEATED, NULL, false);
    put_bytes(&file, 4, buf_slice(&message));
    begin_message(&message, "Inner");
    add_field(&message, "z", 1, DESCRIPTOR_SINT64, OPTIONAL, NULL, false);
    put_bytes(&file, 4, buf_slice(&message));
    begin_message(&message, "Empty");
    put_bytes(&file, 4, buf_slice(&message));
    begin_message(&message, "Kind");
    for (unsigned i = 0; i < 3; i++) {
        buf_reset(&part);
        put_bytes(&part, 1, slice_of(i == 0 ? "NONE" : i == 1 ? "ONE" : "TWO"));
        put_number(&part, 2, i);
        put_bytes(&message, 2, buf_slice(&part));
    }
    put_bytes(&file, 5, buf_slice(&message));
    put_bytes(set, 1, buf_slice(&file));
    buf_free(&part);
    buf_free(&message);
    buf_free(&file);
}

static void put_random_bytes(struct buf *out, uint32_t field, size_t len, bool text)
{
    uint8_t bytes[8 * TEXT_MAX];
    for (size_t i = 0; i < len; i++)
        bytes[i] = text ? (uint8_t)('a' + below(26)) : (uint8_t)below(256);
    put_bytes(out, field, (struct slice){bytes, len});
}

static void put_random_fixed(struct buf *out, uint32_t field, size_t width)
{
    varint_append(out, (uint64_t)field << 3 | (width == 4 ? WIRE_32 : WIRE_64));
    for (size_t i = 0; i < width; i++)
        buf_append_byte(out, (uint8_t)below(256));
}

static void put_random(struct buf *out, uint32_t field, enum descriptor_type type)
{
    struct buf part = {0}, inner = {0};
    switch (type) {
    case DESCRIPTOR_DOUBLE:
    case DESCRIPTOR_FIXED64:
    case DESCRIPTOR_SFIXED64:
        put_random_fixed(out, field, 8);
        return;
    case DESCRIPTOR_FLOAT:
    case DESCRIPTOR_FIXED32:
    case DESCRIPTOR_SFIXED32:
        put_random_fixed(out, field, 4);
        return;
    case DESCRIPTOR_STRING:
    case DESCRIPTOR_BYTES:
        put_random_bytes(out, field, below(TEXT_MAX), type == DESCRIPTOR_STRING);
        return;
    case DESCRIPTOR_MESSAGE:
        if (below(2) == 0)
            put_random(&part, 1, DESCRIPTOR_FLOAT);
        if (below(2) == 0)
            put_random(&inner, 1, DESCRIPTOR_SINT64);
        if (below(2) == 0)
            put_bytes(&part, 2, buf_slice(&inner));
        if (below(2) == 0)
            put_random_bytes(&part, 3, 8 * below(4), false);
        put_bytes(out, field, buf_slice(&part));
        buf_free(&part);
        buf_free(&inner);
        return;
    case DESCRIPTOR_ENUM:
        put_number(out, field, below(3));
        return;
    case DESCRIPTOR_INT64:
    case DESCRIPTOR_UINT64:
    case DESCRIPTOR_INT32:
    case DESCRIPTOR_BOOL:
    case DESCRIPTOR_GROUP:
    case DESCRIPTOR_UINT32:
    case DESCRIPTOR_SINT32:
    case DESCRIPTOR_SINT64:
        put_number(out, field, test_random() >> below(64));
        return;
    }
}

static void make_message(struct buf *out)
{
    buf_reset(out);
    for (unsigned type = DESCRIPTOR_DOUBLE; type <= DESCRIPTOR_SINT64; type++)
        if (type != DESCRIPTOR_GROUP && below(4) != 0)
            put_random(out, type, (enum descriptor_type)type);
    if (below(2) == 0)
        put_random_bytes(out, 19, 4 * below(10), false);
    if (below(2) == 0)
        put_random_bytes(out, 20, 8 * below(5), false);
    if (below(2) == 0)
        put_random(out, 21, DESCRIPTOR_INT32);
    if (below(4) == 0)
        put_random(out, 22 + below(10), DESCRIPTOR_STRING); /* an unknown field */
    for (uint32_t number = EMPTY_NUMBER; number <= SELF_NUMBER; number++)
        if (below(4) == 0)
            put_random_bytes(out, number, below(2) * 2, false);
    if (below(2) == 0)
        put_random(out, FAR_NUMBER, DESCRIPTOR_STRING);
}

/* Numbers at the edges of what a varint, a column and a sign hold, and strings and lists at those
 * of what is copied in one or two steps. */
static void make_edge_message(struct buf *out, unsigned edge)
{
    static const uint64_t numbers[] = {0,
                                       1,
                                       0x7F,
                                       0x80,
                                       0x3FFF,
                                       0x4000,
                                       INT32_MAX,
                                       0x80000000,
                                       UINT32_MAX,
                                       1ULL << 32,
                                       INT64_MAX,
                                       (uint64_t)INT64_MIN,
                                       UINT64_MAX - 1,
                                       UINT64_MAX};
    static const uint8_t lengths[] = {0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63};
    enum { EDGES = sizeof(numbers) / sizeof(numbers[0]) };
    _Static_assert(EDGES == sizeof(lengths), "one each");
    uint64_t number = numbers[edge % EDGES];
    size_t len = lengths[edge % EDGES];
    buf_reset(out);
    for (unsigned type = DESCRIPTOR_DOUBLE; type <= DESCRIPTOR_SINT64; type++) {
        enum wire_type wire = payload_wire_type((enum descriptor_type)type);
        if (wire == WIRE_VARINT && type != DESCRIPTOR_ENUM)
            put_number(out, type, number);
        else if (wire == WIRE_64 || wire == WIRE_32) {
            varint_append(out, (uint64_t)type << 3 | wire);
            buf_append_u32le(out, (uint32_t)number);
            if (wire == WIRE_64)
                buf_append_u32le(out, (uint32_t)(number >> 32));
        } else if (type == DESCRIPTOR_STRING || type == DESCRIPTOR_BYTES)
            put_random_bytes(out, type, len, type == DESCRIPTOR_STRING);
    }
    put_random_bytes(out, 19, 4 * (len % (2 * TEXT_MAX)), false);
    put_random_bytes(out, 20, 8 * (len % TEXT_MAX), false);
    if (edge / EDGES % 2 == 1)
        put_number(out, GROUP_NUMBER, 0); /* wrong: all of it has to be taken back */
}

/* Other than nearly all are, or broken. */
static void spoil(struct buf *message)
{
    size_t len = message->len, at = len > 0 ? below((uint32_t)len) : 0;
    switch (below(4)) {
    case 0: /* a byte */
        if (len > 0)
            message->data[at] = (uint8_t)below(256);
        break;
    case 1: /* a field again, or out of order */
        put_random(message, 1 + below(9), DESCRIPTOR_BYTES + below(6));
        break;
    case 2:
        message->len = at;
        break;
    default:
        buf_append_byte(message, (uint8_t)below(256));
        break;
    }
}

struct way {
    struct payload_type *type;
    struct batch *rows;
    enum payload_result result;
};

static void go(struct way *w, struct slice message)
{
    batch_mark(w->rows);
    w->result = payload_append(w->type, w->rows, 0, message);
    if (w->result == PAYLOAD_BAD)
        batch_rollback(w->rows);
    else
        batch_end_row(w->rows);
}

static void expect_same(const struct way *a, const struct way *b)
{
    EXPECT_U64(a->result, b->result);
    EXPECT_TEXT(buf_text(&a->type->reason), buf_text(&b->type->reason));
    EXPECT_U64(a->rows->rows, b->rows->rows);
    EXPECT_U64(a->rows->bytes, b->rows->bytes);
    for (uint32_t i = 0; i < a->type->count; i++) {
        if (!same_column(a->rows, b->rows, i))
            EXPECT_TEXT(a->type->columns[i].name, "the same in both");
    }
}

static void compare_ways(bool widened)
{
    struct buf set = {0}, message = {0};
    struct err err = {0};
    struct way ways[2];
    describe(&set);
    struct payload_types *types = payload_types_new(PAYLOAD_PROTOBUF, buf_slice(&set), &err);
    EXPECT_TEXT(err.text, "");
    struct schema schema[2];
    for (int i = 0; i < 2; i++) {
        ways[i].type = payload_message_new(types, slice_of("t.All"), NULL, 0, &err);
        EXPECT(ways[i].type != NULL);
        if (widened)
            payload_widen(ways[i].type);
        schema[i] = (struct schema){"all", ways[i].type->columns, ways[i].type->count};
        ways[i].rows = batch_new(&schema[i], NULL);
    }
    struct planned *direct = (struct planned *)ways[0].type;
    struct planned *other = (struct planned *)ways[1].type;
    other->is_planned = true; /* without a direct one */
    for (int i = 0; i < MESSAGES; i++) {
        bool is_edge = i < EDGE_MESSAGES;
        if (is_edge)
            make_edge_message(&message, (unsigned)i);
        else
            make_message(&message);
        bool clean = !is_edge && below(3) != 0;
        if (!clean && !is_edge)
            spoil(&message);
        arena_reset(&direct->values);
        go(&ways[0], buf_slice(&message));
        go(&ways[1], buf_slice(&message));
        expect_same(&ways[0], &ways[1]);
        EXPECT(direct->direct != NULL && other->direct == NULL);
        /* It is the direct way that was gone: the other one would have needed memory. */
        bool went = direct->values.used == 0;
        EXPECT(went || !clean || !widened);
    }
    for (int i = 0; i < 2; i++) {
        batch_free(ways[i].rows);
        payload_free(ways[i].type);
    }
    payload_types_free(types);
    buf_free(&set);
    buf_free(&message);
}

TEST(event_payload_direct_is_the_long_way)
{
    compare_ways(false);
    compare_ways(true);
}
