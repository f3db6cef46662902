/* SPDX-License-Identifier: MIT */
#include "base/varint.h"

#include "test.h"

/* The bytes as a protobuf library for Python writes them. */
TEST(varint_known_bytes)
{
    static const struct {
        uint64_t value;
        const char *hex;
    } known[] = {
        {0, "00"},
        {1, "01"},
        {127, "7f"},
        {128, "80 01"},
        {300, "ac 02"},
        {16384, "80 80 01"},
        {UINT32_MAX, "ff ff ff ff 0f"},
        {INT64_MAX, "ff ff ff ff ff ff ff ff 7f"},
        {UINT64_MAX, "ff ff ff ff ff ff ff ff ff 01"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct buf out = {0};
        size_t len, at = 0;
        uint8_t *bytes = test_hex(known[i].hex, &len);
        uint64_t value = 0;
        varint_append(&out, known[i].value);
        EXPECT_BYTES(out.data, out.len, bytes, len);
        EXPECT(varint_read(buf_slice(&out), &at, &value));
        EXPECT_U64(value, known[i].value);
        EXPECT_U64(at, len);
        buf_free(&out);
    }
}

static void expect_refused(const char *hex, size_t at)
{
    size_t len;
    uint8_t *bytes = test_hex(hex, &len);
    uint64_t value = 77;
    size_t before = at;
    EXPECT(!varint_read((struct slice){bytes, len}, &at, &value));
    EXPECT_U64(value, 77);
    EXPECT_U64(at, before);
}

TEST(varint_refuses_what_is_cut_or_too_large)
{
    expect_refused("", 0);
    expect_refused("80", 0);
    expect_refused("01", 1);
    expect_refused("01 ff ff ff", 1);
    expect_refused("ff ff ff ff ff ff ff ff ff 02", 0);
    expect_refused("80 80 80 80 80 80 80 80 80 80 00", 0);
}

TEST(varint_decode_loses_what_is_beyond_64_bits)
{
    size_t len;
    uint64_t value = 0;
    uint8_t *bytes = test_hex("81 80 80 80 80 80 80 80 80 7e 05", &len);
    EXPECT_U64(varint_decode((struct slice){bytes, len}, 0, &value), 10);
    EXPECT_U64(value, 1);
    EXPECT_U64(varint_decode((struct slice){bytes, len}, 10, &value), 1);
    EXPECT_U64(value, 5);
    bytes = test_hex("81 80 00", &len); /* more bytes than it needs */
    EXPECT_U64(varint_decode((struct slice){bytes, len}, 0, &value), 3);
    EXPECT_U64(value, 1);
    bytes = test_hex("80 80 80 80 80 80 80 80 80 80 01", &len);
    EXPECT_U64(varint_decode((struct slice){bytes, len}, 0, &value), 0);
}

TEST(varint_round_trips)
{
    for (int i = 0; i < 20000; i++) {
        struct buf out = {0};
        uint64_t number = test_random() >> test_random() % 64, value = 0;
        size_t at = 3;
        buf_append(&out, "abc", 3);
        varint_append(&out, number);
        for (size_t cut = 3; cut < out.len; cut++) {
            size_t start = 3;
            EXPECT(!varint_read((struct slice){out.data, cut}, &start, &value));
        }
        EXPECT(varint_read(buf_slice(&out), &at, &value));
        EXPECT_U64(value, number);
        EXPECT_U64(at, out.len);
        buf_free(&out);
    }
}
