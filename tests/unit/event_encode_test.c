/* SPDX-License-Identifier: MIT */
#include "event/event.h"

#include "test.h"

/* Written by hand after the encoding of protobuf: tag = number << 3 | wire type. */
TEST(event_encode_bytes)
{
    static const uint8_t unknown[] = {0x4a, 0x01, 'u'}; /* field 9 */
    struct event event = {
        .timestamp_ns = 300,
        .event_id = slice_of("id"),
        .event_type_key = slice_of("k"),
        .event_payload = slice_of("{}"),
        .worker_id = slice_of("w"),
        .payload_format_hint = slice_of("application/json"),
        .correlation_id = slice_of("c"),
        .unknown_fields = {unknown, sizeof(unknown)},
    };
    size_t len;
    const uint8_t *expected = test_hex("0a026964"
                                       "12016b"
                                       "1a027b7d"
                                       "20ac02"
                                       "2a0177"
                                       "3a106170706c69636174696f6e2f6a736f6e"
                                       "420163"
                                       "4a0175",
                                       &len);
    struct buf out = {0};
    buf_append_text(&out, "before");
    event_encode(&out, &event);
    EXPECT_BYTES(out.data, 6, "before", 6);
    EXPECT_BYTES(out.data + 6, out.len - 6, expected, len);
    buf_free(&out);
}

TEST(event_encode_empty)
{
    struct buf out = {0};
    event_encode(&out, &(struct event){0});
    EXPECT_U64(out.len, 0);
    buf_free(&out);
}

TEST(event_encode_is_decoded_again)
{
    struct event event = {.timestamp_ns = INT64_MIN,
                          .event_id = slice_of("a"),
                          .simulation_id = {(const uint8_t *)"s\0t", 3},
                          .event_payload = {(const uint8_t *)"\xff\x00", 2}};
    struct event_decoder decoder = {0};
    struct event again;
    struct buf out = {0};
    event_encode(&out, &event);
    EXPECT(event_decode(&decoder, buf_slice(&out), slice_of("x"), &again) == EVENT_OK);
    EXPECT_I64(again.timestamp_ns, INT64_MIN);
    EXPECT(slice_equal(again.event_id, event.event_id));
    EXPECT(slice_equal(again.simulation_id, event.simulation_id));
    EXPECT(slice_equal(again.event_payload, event.event_payload));
    event_decoder_free(&decoder);
    buf_free(&out);
}
