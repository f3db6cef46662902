/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include <stdlib.h>

#include "test.h"

/* One message, alone in memory of its exact size, so that a sanitizer sees every step outside. */
static struct slice alone(const char *hex)
{
    size_t len;
    const uint8_t *bytes = test_hex(hex, &len);
    uint8_t *exact = malloc(len == 0 ? 1 : len);
    memcpy(exact, bytes, len);
    return (struct slice){exact, len};
}

static const struct slice subject = {(const uint8_t *)"logging.events.raw", 18};

static void expect_slice(struct slice actual, const char *expected, size_t len)
{
    EXPECT_BYTES(actual.data, actual.len, expected, len);
}

static void expect_refused(const char *hex, enum event_result result, const char *reason)
{
    struct event_decoder d = {0};
    struct event e;
    struct slice message = alone(hex);
    EXPECT_U64(event_decode(&d, message, subject, &e), result);
    EXPECT_TEXT(event_reason(&d), reason);
    event_decoder_free(&d);
    free((void *)message.data);
}

static void expect_not_protobuf(const char *hex)
{
    expect_refused(hex, EVENT_NOT_PROTOBUF, "not a GenericEventRequest");
}

/* The message was encoded by protoc from the values below. */
TEST(event_decode_every_field)
{
    struct event_decoder d = {0};
    struct event e;
    struct slice message =
        alone("0a2433663235303465302d346638392d343164332d396130632d303330356538326333333031"
              "121261692e6167656e745f616374696f6e2e76311a0400ff7b7d20959a99cf9dacbef518"
              "2a09776f726b65722d3037320673696d2dc3a93a106170706c69636174696f6e2f6a736f6e"
              "4203630064");
    EXPECT_U64(event_decode(&d, message, subject, &e), EVENT_OK);
    expect_slice(e.event_id, "3f2504e0-4f89-41d3-9a0c-0305e82c3301", 36);
    expect_slice(e.event_type_key, "ai.agent_action.v1", 18);
    expect_slice(e.event_payload, "\0\377{}", 4);
    EXPECT_I64(e.timestamp_ns, INT64_C(1795521600123456789));
    expect_slice(e.worker_id, "worker-07", 9);
    expect_slice(e.simulation_id, "sim-\303\251", 6);
    expect_slice(e.payload_format_hint, "application/json", 16);
    expect_slice(e.correlation_id, "c\0d", 3);
    EXPECT_U64(e.unknown_fields.len, 0);
    event_decoder_free(&d);
    free((void *)message.data);
}

TEST(event_decode_empty_message)
{
    struct event_decoder d = {0};
    struct event e;
    EXPECT_U64(event_decode(&d, (struct slice){NULL, 0}, subject, &e), EVENT_OK);
    EXPECT_U64(e.event_id.len + e.event_payload.len + e.correlation_id.len + e.unknown_fields.len,
               0);
    EXPECT_I64(e.timestamp_ns, 0);
    event_decoder_free(&d);
}

TEST(event_decode_extreme_timestamps)
{
    struct event_decoder d = {0};
    struct event e;
    struct slice negative = alone("20ffffffffffffffffff01");
    EXPECT_U64(event_decode(&d, negative, subject, &e), EVENT_OK);
    EXPECT_I64(e.timestamp_ns, -1);
    struct slice lowest = alone("2080808080808080808001");
    EXPECT_U64(event_decode(&d, lowest, subject, &e), EVENT_OK);
    EXPECT_I64(e.timestamp_ns, INT64_MIN);
    event_decoder_free(&d);
    free((void *)negative.data);
    free((void *)lowest.data);
}

TEST(event_decode_last_duplicate_counts)
{
    struct event_decoder d = {0};
    struct event e;
    /* event_id "one", timestamp 1, event_id "two!", timestamp 2, worker "w", then worker "" */
    struct slice message = alone("0a036f6e65 2001 0a0474776f21 2002 2a0177 2a00");
    EXPECT_U64(event_decode(&d, message, subject, &e), EVENT_OK);
    expect_slice(e.event_id, "two!", 4);
    EXPECT_I64(e.timestamp_ns, 2);
    EXPECT_U64(e.worker_id.len, 0);
    event_decoder_free(&d);
    free((void *)message.data);
}

TEST(event_decode_unknown_fields_side_by_side)
{
    struct event_decoder d = {0};
    struct event e;
    /* event_id "a"; then field 9 "xy", 16 varint 300, 17 fixed64, 18 fixed32 */
    struct slice message = alone("0a0161 4a027879 8001ac02 8901 0102030405060708 9501 01020304");
    EXPECT_U64(event_decode(&d, message, subject, &e), EVENT_OK);
    expect_slice(e.unknown_fields,
                 "\x4a\x02xy\x80\x01\xac\x02\x89\x01\1\2\3\4\5\6\7\10\x95\x01\1\2\3\4", 24);
    EXPECT(e.unknown_fields.data == message.data + 3);
    event_decoder_free(&d);
    free((void *)message.data);
}

/* The second tag is field 9 in two bytes where one would do, as is the length of its value. */
TEST(event_decode_unknown_fields_stay_byte_for_byte)
{
    struct event_decoder d = {0};
    struct event e;
    struct slice message = alone("8801ff01 0a0161 ca008200 7879 2005 4a00");
    EXPECT_U64(event_decode(&d, message, subject, &e), EVENT_OK);
    expect_slice(e.unknown_fields, "\x88\x01\xff\x01\xca\x00\x82\x00xy\x4a\x00", 12);
    expect_slice(e.event_id, "a", 1);
    EXPECT_I64(e.timestamp_ns, 5);
    /* The next message has none. */
    struct slice plain = alone("0a0162");
    EXPECT_U64(event_decode(&d, plain, subject, &e), EVENT_OK);
    EXPECT_U64(e.unknown_fields.len, 0);
    event_decoder_free(&d);
    free((void *)message.data);
    free((void *)plain.data);
}

TEST(event_decode_not_protobuf)
{
    expect_not_protobuf("00");                         /* field number 0 */
    expect_not_protobuf("0a");                         /* no length */
    expect_not_protobuf("0a05616263");                 /* cut off */
    expect_not_protobuf("20ffffffffffffffffffffff01"); /* varint of 12 bytes */
    expect_not_protobuf("0affffffff0f61");             /* length 4 GiB */
    expect_not_protobuf("0affffffffffffffffff0161");   /* length 2^64 - 1 */
    expect_not_protobuf("0805");                       /* event_id as a varint */
    expect_not_protobuf("2201ff");                     /* timestamp_ns as bytes */
    expect_not_protobuf("4b4c");                       /* a group */
    expect_not_protobuf("4f");                         /* wire type 7 */
    expect_not_protobuf("7b226e6f7422 3a317d");        /* {"not":1} */
    expect_not_protobuf("ffffffffffff01");             /* a tag of 7 bytes */
    expect_not_protobuf("800001");                     /* field number 0 in two bytes */
    expect_not_protobuf("808080801001");               /* field number 2^29 */
    expect_not_protobuf("4a8180808080");               /* a length of 6 bytes */
    expect_not_protobuf("49010203");                   /* fixed64 of 3 bytes */
    expect_not_protobuf("4d010203");                   /* fixed32 of 3 bytes */
    expect_not_protobuf("2101020304050607 08");        /* timestamp_ns as fixed64 */
    expect_not_protobuf("0d01020304");                 /* event_id as fixed32 */
}

TEST(event_decode_every_prefix_of_a_text_field_is_refused)
{
    const char *hex = "2a0973696d2d2d2d2d2d2d";
    for (size_t len = 2; len < strlen(hex); len += 2) {
        char cut[32] = {0};
        memcpy(cut, hex, len);
        expect_not_protobuf(cut);
    }
}

TEST(event_decode_not_utf8)
{
    expect_refused("0a01ff", EVENT_NOT_UTF8, "event_id is not UTF-8");
    expect_refused("1202c328", EVENT_NOT_UTF8, "event_type_key is not UTF-8");
    expect_refused("2a03eda080", EVENT_NOT_UTF8, "source_worker_id is not UTF-8");
    expect_refused("3202c080", EVENT_NOT_UTF8, "simulation_id is not UTF-8");
    expect_refused("3a04f4908080", EVENT_NOT_UTF8, "payload_content_type is not UTF-8");
    expect_refused("42016142 01e9", EVENT_NOT_UTF8, "correlation_id is not UTF-8");
    struct event_decoder d = {0};
    struct event e;
    struct slice payload = alone("1a01ff"); /* a payload may hold anything */
    EXPECT_U64(event_decode(&d, payload, subject, &e), EVENT_OK);
    EXPECT_U64(event_decode(&d, payload, slice_of("logging.\xff"), &e), EVENT_NOT_UTF8);
    EXPECT_TEXT(event_reason(&d), "the subject is not UTF-8");
    event_decoder_free(&d);
    free((void *)payload.data);
}

TEST(event_decode_size_limit)
{
    struct event_decoder d = {0};
    struct event e;
    uint8_t *big = calloc(1, EVENT_SIZE_MAX + 1);
    memcpy(big, "\x1a\xfb\xff\xff\x07", 5); /* a payload of 16 MiB - 5 bytes */
    EXPECT_U64(event_decode(&d, (struct slice){big, EVENT_SIZE_MAX}, subject, &e), EVENT_OK);
    EXPECT_U64(e.event_payload.len, EVENT_SIZE_MAX - 5);
    EXPECT_U64(event_decode(&d, (struct slice){big, EVENT_SIZE_MAX + 1}, subject, &e),
               EVENT_TOO_LARGE);
    EXPECT_TEXT(event_reason(&d), "larger than 16 MiB");
    event_decoder_free(&d);
    free(big);
}

/* Unknown fields around a known one are put together, which takes memory; that of a large message
 * is not kept. */
TEST(event_decode_gives_back_what_a_large_message_took)
{
    struct event_decoder d = {0};
    struct event e;
    struct slice small = alone("4a0178 0a0161 4a0179");
    EXPECT_U64(event_decode(&d, small, subject, &e), EVENT_OK);
    expect_slice(e.unknown_fields, "\x4a\1x\x4a\1y", 6);
    event_decoder_trim(&d);
    EXPECT(d.unknown.cap > 0); /* kept for the next one */
    uint8_t *big = calloc(1, EVENT_SIZE_MAX);
    memcpy(big, "\x4a\xf5\xff\xff\x07", 5); /* field 9 of 16 MiB - 11 bytes */
    memcpy(big + EVENT_SIZE_MAX - 6, "\x0a\1a\x4a\1x", 6);
    EXPECT_U64(event_decode(&d, (struct slice){big, EVENT_SIZE_MAX}, subject, &e), EVENT_OK);
    EXPECT_U64(e.unknown_fields.len, EVENT_SIZE_MAX - 3);
    EXPECT(d.unknown.cap >= EVENT_SIZE_MAX - 3);
    event_decoder_trim(&d);
    EXPECT_U64(d.unknown.cap, 0);
    event_decoder_free(&d);
    free(big);
    free((void *)small.data);
}

/* What a message takes does not grow with the number of its fields. */
TEST(event_decode_takes_no_memory_for_a_million_fields)
{
    struct event_decoder d = {0};
    struct event e;
    const size_t len = 2 * 1024 * 1024;
    uint8_t *many = malloc(len);
    for (size_t i = 0; i < len; i += 2)
        memcpy(many + i, "\x48\x01", 2);
    EXPECT_U64(event_decode(&d, (struct slice){many, len}, subject, &e), EVENT_OK);
    EXPECT_BYTES(e.unknown_fields.data, e.unknown_fields.len, many, len);
    EXPECT_U64(d.unknown.cap, 0);
    event_decoder_free(&d);
    free(many);
}

TEST(event_decode_points_into_the_message)
{
    struct event_decoder d = {0};
    struct event e;
    struct slice message = alone("0a0161 1a0162 420163");
    EXPECT_U64(event_decode(&d, message, subject, &e), EVENT_OK);
    EXPECT(e.event_id.data == message.data + 2);
    EXPECT(e.event_payload.data == message.data + 5);
    EXPECT(e.correlation_id.data == message.data + 8);
    event_decoder_free(&d);
    free((void *)message.data);
}

TEST(event_result_names_are_distinct)
{
    for (int i = 0; i < EVENT_RESULTS; i++)
        for (int j = 0; j < i; j++)
            EXPECT(strcmp(event_result_name((enum event_result)i),
                          event_result_name((enum event_result)j)) != 0);
}
