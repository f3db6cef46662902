/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include "base/clock.h"
#include "batch_levels.h"

#define DAY (24 * 3600 * CLOCK_SECOND)

static void expect_column(const struct batch *b, enum event_column column, const char *hex)
{
    size_t len;
    const uint8_t *expected = test_hex(hex, &len);
    EXPECT_BYTES(b->columns[column].values.data, b->columns[column].values.len, expected, len);
}

TEST(event_append_all_columns)
{
    struct batch *b = batch_new(&event_schema, NULL);
    const struct event full = {
        .timestamp_ns = 0x0102030405060708,
        .event_id = slice_of("id"),
        .event_type_key = slice_of("type"),
        .event_payload = slice_of("p"),
        .worker_id = slice_of("w"),
        .simulation_id = slice_of("sim"),
        .payload_format_hint = slice_of("f"),
        .correlation_id = slice_of("c"),
        .unknown_fields = slice_of("u"),
    };
    const struct event bare = {.timestamp_ns = -1};
    const struct event_origin origin = {258, 1999, slice_of("a.b"),
                                        slice_of("NATS/1.0\r\nA: \xff\r\n\r\n")};
    const struct event_origin bare_origin = {258, 1999, slice_of("a.b"), {0}};
    event_append(b, &full, &origin, false);
    event_append(b, &bare, &bare_origin, true);
    EXPECT_U64(b->rows, 2);
    expect_column(b, EVENT_COLUMN_TIMESTAMP_NS, "0807060504030201 ffffffffffffffff");
    expect_column(b, EVENT_COLUMN_EVENT_ID, "02000000 6964 00000000");
    expect_column(b, EVENT_COLUMN_EVENT_TYPE_KEY, "04000000 74797065 00000000");
    expect_column(b, EVENT_COLUMN_EVENT_PAYLOAD, "01000000 70 00000000");
    expect_column(b, EVENT_COLUMN_WORKER_ID, "01000000 77 00000000");
    expect_column(b, EVENT_COLUMN_SIMULATION_ID, "03000000 73696d 00000000");
    expect_column(b, EVENT_COLUMN_PAYLOAD_FORMAT_HINT, "01000000 66 00000000");
    expect_column(b, EVENT_COLUMN_CORRELATION_ID, "01000000 63");
    expect_column(b, EVENT_COLUMN_UNKNOWN_FIELDS, "01000000 75");
    expect_column(b, EVENT_COLUMN_STREAM_SEQ, "0201000000000000 0201000000000000");
    expect_column(b, EVENT_COLUMN_STREAM_TIME, "0100000000000000 0100000000000000");
    expect_column(b, EVENT_COLUMN_NATS_SUBJECT, "03000000 612e62 03000000 612e62");
    expect_column(b, EVENT_COLUMN_EVENT_TIME, "2e725d0f0d420000"); /* 0x0102030405060708 / 1000 */
    expect_column(b, EVENT_COLUMN_HEADERS,
                  "12000000 4e4154532f312e300d0a 413a20ff0d0a 0d0a"); /* and no UTF-8 */
    EXPECT_U64(b->columns[EVENT_COLUMN_EVENT_TIME].nulls, 1);
    EXPECT_U64(b->columns[EVENT_COLUMN_HEADERS].nulls, 1);
    EXPECT_U64(b->columns[EVENT_COLUMN_CORRELATION_ID].nulls, 1);
    EXPECT_U64(b->columns[EVENT_COLUMN_UNKNOWN_FIELDS].nulls, 1);
    batch_free(b);
}

static struct slice some_text(const uint8_t *from)
{
    uint64_t random = test_random();
    return random % 3 == 0 ? (struct slice){0} : (struct slice){from + random % 50, random % 200};
}

TEST(event_unpack_is_event_append)
{
    uint8_t text[256], packed[4096];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)test_random();
    struct batch *at_once = batch_new(&event_schema, NULL);
    struct batch *later = batch_new(&event_schema, NULL);
    for (int row = 0; row < 300; row++) {
        const struct event event = {
            .timestamp_ns = (int64_t)test_random(),
            .event_id = some_text(text),
            .event_type_key = some_text(text),
            .event_payload = some_text(text),
            .worker_id = some_text(text),
            .simulation_id = some_text(text),
            .payload_format_hint = some_text(text),
            .correlation_id = some_text(text),
            .unknown_fields = some_text(text),
        };
        const struct event_origin origin = {test_random(), (int64_t)test_random(), some_text(text),
                                            some_text(text)};
        bool suspect = test_random() % 2 == 0;
        uint64_t before = at_once->bytes;
        struct event_size size = event_size(&event, &origin, suspect);
        event_append(at_once, &event, &origin, suspect);
        EXPECT_U64(size.bytes, at_once->bytes - before);
        EXPECT(size.packed <= size.bytes + EVENT_PACKED_MORE && size.packed < sizeof(packed));
        packed[size.packed] = 0xA5;
        event_pack(packed, &event, &origin, suspect);
        EXPECT_U64(packed[size.packed], 0xA5);
        event_unpack(later, (struct slice){packed, size.packed});
    }
    EXPECT_U64(later->rows, at_once->rows);
    EXPECT_U64(later->bytes, at_once->bytes);
    for (uint32_t i = 0; i < EVENT_COLUMNS; i++)
        EXPECT(same_column(later, at_once, i));
    batch_free(at_once);
    batch_free(later);
}

TEST(event_micros_rounds_to_the_past)
{
    EXPECT_I64(event_micros(1999), 1);
    EXPECT_I64(event_micros(2000), 2);
    EXPECT_I64(event_micros(0), 0);
    EXPECT_I64(event_micros(-1), -1);
    EXPECT_I64(event_micros(-1000), -1);
    EXPECT_I64(event_micros(-1001), -2);
    EXPECT_I64(event_micros(INT64_MIN), INT64_C(-9223372036854776));
}

static void expect_time(int64_t timestamp, int64_t now, bool plausible)
{
    const struct event event = {.timestamp_ns = timestamp};
    const struct event_origin origin = {1, 777, slice_of("s"), {0}};
    bool suspect = plausible;
    EXPECT_I64(event_partition_time(&event, &origin, now, &suspect), plausible ? timestamp : 777);
    EXPECT(suspect == !plausible);
}

TEST(event_partition_time_of_its_own_or_of_the_stream)
{
    const int64_t now = INT64_C(1795521600) * CLOCK_SECOND;
    expect_time(now, now, true);
    expect_time(1, now, true); /* 1970 is old, not absurd */
    expect_time(0, now, false);
    expect_time(-1, now, false);
    expect_time(INT64_MIN, now, false);
    expect_time(now + DAY, now, true);
    expect_time(now + DAY + 1, now, false);
    expect_time(INT64_MAX, now, false);
    expect_time(INT64_MAX, INT64_MAX, true);
    expect_time(DAY + 1, 0, false);
}
