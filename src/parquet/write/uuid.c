/* SPDX-License-Identifier: MIT */
#include "parquet/write/uuid.h"

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; /* lower case; nothing else becomes a letter by it that was none */
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool is_dash_at(unsigned i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

bool uuid_parse(struct slice text, uint8_t out[static UUID_BYTES])
{
    unsigned n = 0;

    if (text.len != UUID_TEXT)
        return false;
    for (unsigned i = 0; i < UUID_TEXT;) {
        if (is_dash_at(i)) {
            if (text.data[i++] != '-')
                return false;
            continue;
        }
        int high = digit(text.data[i]), low = digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    return true;
}
