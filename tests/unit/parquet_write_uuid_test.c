/* SPDX-License-Identifier: MIT */
#include "parquet/write/uuid.h"

#include "test.h"

TEST(uuid_parse_reads_both_cases)
{
    uint8_t out[UUID_BYTES];
    size_t len;
    const uint8_t *expected = test_hex("00112233 4455 6677 8899 aabbccddeeff", &len);

    EXPECT(uuid_parse(slice_of("00112233-4455-6677-8899-aabbccddeeff"), out));
    EXPECT_BYTES(out, sizeof(out), expected, len);
    EXPECT(uuid_parse(slice_of("00112233-4455-6677-8899-AaBbCcDdEeFf"), out));
    EXPECT_BYTES(out, sizeof(out), expected, len);
}

TEST(uuid_parse_refuses_all_else)
{
    static const char good[] = "01234567-89ab-cdef-0123-456789abcdef";
    uint8_t out[UUID_BYTES];
    char text[sizeof(good)];

    EXPECT(!uuid_parse(slice_of(""), out));
    EXPECT(!uuid_parse(slice_of("0123456789abcdef0123456789abcdef"), out));
    EXPECT(!uuid_parse(slice_of("{1234567-89ab-cdef-0123-456789abcde}"), out));
    EXPECT(!uuid_parse(slice_of("01234567-89ab-cdef-0123-456789abcdef0"), out));
    for (size_t at = 0; at < sizeof(good) - 1; at++)
        for (int c = 0; c < 256; c++) {
            bool dash = at == 8 || at == 13 || at == 18 || at == 23;
            bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            memcpy(text, good, sizeof(good));
            text[at] = (char)c;
            EXPECT(uuid_parse((struct slice){(uint8_t *)text, 36}, out) == (dash ? c == '-' : hex));
        }
}
