/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "base/bytes.h"

/* The ranges that the second byte must be in, by first byte, keep out overlong forms, surrogates
 * and what lies above U+10FFFF (RFC 3629 section 4). */
static bool second_byte_ok(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return second >= 0x80 && second <= 0xBF;
    }
}

size_t utf8_decode(struct slice text, uint32_t *code)
{
    if (text.len == 0)
        return 0;
    const uint8_t *p = text.data;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    size_t len = p[0] >= 0xC2 && p[0] <= 0xDF ? 2 : p[0] >= 0xE0 && p[0] <= 0xEF ? 3 : 4;
    if (p[0] < 0xC2 || p[0] > 0xF4 || text.len < len || !second_byte_ok(p[0], p[1]))
        return 0;
    uint32_t value = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (p[i] & 0x3Fu);
    }
    *code = value;
    return len;
}

/* Eight bytes at a time, the last of them twice if need be: nearly all text that comes here is
 * ASCII, and short. */
static bool is_ascii(struct slice text)
{
    uint64_t all = 0;
    size_t at = 0;
    for (; text.len - at >= 8; at += 8)
        all |= load_u64le(text.data + at);
    if (at > 0 && at < text.len)
        all |= load_u64le(text.data + text.len - 8);
    else
        for (; at < text.len; at++)
            all |= text.data[at];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_valid(struct slice text)
{
    if (is_ascii(text))
        return true;
    size_t at = 0;
    while (at < text.len) {
        if (text.data[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t code;
        size_t len = utf8_decode((struct slice){text.data + at, text.len - at}, &code);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

size_t utf8_prefix(struct slice text, size_t max)
{
    if (text.len <= max)
        return text.len;
    while (max > 0 && (text.data[max] & 0xC0) == 0x80)
        max--;
    return max;
}

size_t utf8_encode(uint32_t code, uint8_t out[static 4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}
