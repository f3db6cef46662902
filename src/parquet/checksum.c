/* SPDX-License-Identifier: MIT */
#include "parquet/checksum.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc32.h"

/* The entry and what follows it, in the Thrift compact protocol: the key; field 2, the value, of
 * eight bytes; the end of the entry and of the list; field 6, created_by, whose length is not known
 * here. */
#define BEFORE PARQUET_CHECKSUM_KEY "\x18\x08"
#define BETWEEN "\x00\x18"
#define CREATED_BY "varve version "

enum {
    DIGITS = sizeof(PARQUET_CHECKSUM_NONE) - 1,
    BEFORE_LEN = sizeof(BEFORE) - 1,
    BETWEEN_AT = BEFORE_LEN + DIGITS,
    BETWEEN_LEN = sizeof(BETWEEN) - 1,
    CREATED_BY_AT = BETWEEN_AT + BETWEEN_LEN + 1,
    CREATED_BY_LEN = sizeof(CREATED_BY) - 1,
    PATTERN_LEN = CREATED_BY_AT + CREATED_BY_LEN,
};

static unsigned different_bits(const uint8_t *a, const char *b, size_t len)
{
    unsigned bits = 0;
    for (size_t i = 0; i < len && bits < 2; i++)
        bits += (unsigned)__builtin_popcount(a[i] ^ (uint8_t)b[i]);
    return bits;
}

static bool matches(const uint8_t *at)
{
    return different_bits(at, BEFORE, BEFORE_LEN) +
               different_bits(at + BETWEEN_AT, BETWEEN, BETWEEN_LEN) +
               different_bits(at + CREATED_BY_AT, CREATED_BY, CREATED_BY_LEN) <
           2;
}

bool parquet_checksum_find(struct slice footer, size_t *digits)
{
    if (footer.len < PATTERN_LEN)
        return false;
    /* From the end: what stands before may be text of anybody. */
    for (size_t at = footer.len - PATTERN_LEN + 1; at-- > 0;) {
        if (matches(footer.data + at)) {
            *digits = at + BEFORE_LEN;
            return true;
        }
    }
    return false;
}

uint32_t parquet_checksum_footer(uint32_t crc, struct slice footer, size_t digits)
{
    uint8_t len[4];
    size_t rest = digits + DIGITS;
    store_u32le(len, (uint32_t)footer.len);
    crc = crc32_update(crc, footer.data, digits);
    crc = crc32_update(crc, PARQUET_CHECKSUM_NONE, DIGITS);
    crc = crc32_update(crc, footer.data + rest, footer.len - rest);
    return crc32_update(crc, len, sizeof(len));
}

void parquet_checksum_print(uint32_t crc, uint8_t digits[static 8])
{
    static const char hex[] = "0123456789abcdef";
    for (unsigned i = 0; i < DIGITS; i++)
        digits[i] = (uint8_t)hex[crc >> (28 - 4 * i) & 15];
}
