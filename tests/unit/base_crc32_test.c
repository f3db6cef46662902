/* SPDX-License-Identifier: MIT */
#include "base/crc32.h"

#include <stdlib.h>

#include "test.h"

/* Bit by bit from the polynomial. */
static uint32_t naive(uint32_t crc, const uint8_t *data, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++)
        for (int bit = 0; bit < 8; bit++) {
            uint32_t odd = (crc ^ (uint32_t)(data[i] >> bit)) & 1;
            crc = crc / 2 ^ odd * UINT32_C(0xEDB88320);
        }
    return ~crc;
}

/* Expected values: Python's zlib.crc32. */
TEST(crc32_known_values)
{
    EXPECT_U64(crc32_update(0, NULL, 0), 0);
    EXPECT_U64(crc32_update(0, "a", 1), 0xe8b7be43);
    EXPECT_U64(crc32_update(0, "123456789", 9), 0xcbf43926);
    EXPECT_U64(crc32_update(0, "The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
    uint8_t bytes[1280];
    memset(bytes, 0, 32);
    EXPECT_U64(crc32_update(0, bytes, 32), 0x190a55ad);
    memset(bytes, 0xFF, 32);
    EXPECT_U64(crc32_update(0, bytes, 32), 0xff6cab0b);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    EXPECT_U64(crc32_update(0, bytes, 32), 0x91267e8a);
    EXPECT_U64(crc32_update(0, bytes, sizeof(bytes)), 0x1e7a6d24);
}

TEST(crc32_every_length_and_alignment)
{
    for (size_t len = 0; len <= 300; len++)
        for (size_t start = 0; start < 17; start++) {
            uint8_t *room = malloc(start + len + 1);
            EXPECT(room != NULL);
            for (size_t i = 0; i < start + len; i++)
                room[i] = (uint8_t)test_random();
            uint32_t before = (uint32_t)test_random(), crc = naive(before, room + start, len);
            EXPECT_U64(crc32_update(before, room + start, len), crc);
            EXPECT_U64(crc32_update_portable(before, room + start, len), crc);
            free(room);
        }
}

TEST(crc32_goes_on_where_it_stopped)
{
    uint8_t data[3000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)test_random();
    uint32_t whole = naive(0, data, sizeof(data));
    for (int round = 0; round < 200; round++) {
        uint32_t crc = 0;
        for (size_t at = 0; at < sizeof(data);) {
            size_t len = test_random() % 200;
            if (len > sizeof(data) - at)
                len = sizeof(data) - at;
            crc = crc32_update(crc, data + at, len);
            at += len;
        }
        EXPECT_U64(crc, whole);
    }
}
