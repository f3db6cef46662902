/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include "test.h"

TEST(bytes_where_finds_each_of_sixteen)
{
    static const uint8_t sought[] = {0, 1, ' ', '.', '\n', 0x7F, 0x80, 0xFF};
    uint8_t bytes[BYTES_WIDE + 8];
    for (int round = 0; round < 4000; round++) {
        uint8_t byte = sought[test_random() % sizeof(sought)];
        /* Neighbours in value are what arithmetic on whole words confuses. */
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)(byte + test_random() % 3 - 1);
        const uint8_t *p = bytes + test_random() % 8;
        uint32_t expected = 0;
        for (unsigned i = 0; i < BYTES_WIDE; i++)
            expected |= p[i] == byte ? UINT32_C(1) << i : 0;
        EXPECT_U64(bytes_where(p, byte), expected);
        EXPECT_U64(bytes_where_portable(p, byte), expected);
    }
}
