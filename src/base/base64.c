/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buf *out, struct slice data)
{
    buf_reserve(out, (data.len / 3 + 1) * 4);
    uint8_t *to = out->data + out->len;
    for (size_t at = 0; at < data.len; at += 3) {
        size_t left = data.len - at;
        uint32_t group = (uint32_t)data.data[at] << 16;
        if (left > 1)
            group |= (uint32_t)data.data[at + 1] << 8;
        if (left > 2)
            group |= data.data[at + 2];
        *to++ = (uint8_t)alphabet[group >> 18];
        *to++ = (uint8_t)alphabet[group >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)alphabet[group >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)alphabet[group & 63] : '=';
    }
    out->len = (size_t)(to - out->data);
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

void base64_append_url(struct buf *out, struct slice data)
{
    size_t start = out->len;
    base64_append(out, data);
    while (out->len > start && out->data[out->len - 1] == '=')
        out->len--;
    for (size_t i = start; i < out->len; i++) {
        if (out->data[i] == '+')
            out->data[i] = '-';
        else if (out->data[i] == '/')
            out->data[i] = '_';
    }
}

bool base64_decode(struct buf *out, struct slice text)
{
    size_t len = text.len;
    if (len % 4 == 0)
        for (int padding = 0; padding < 2 && len > 0 && text.data[len - 1] == '='; padding++)
            len--;
    if (len % 4 == 1)
        return false;
    size_t before = out->len;
    uint32_t bits = 0;
    unsigned pending = 0;
    for (size_t i = 0; i < len; i++) {
        int value = value_of(text.data[i]);
        if (value < 0)
            goto refuse;
        bits = bits << 6 | (uint32_t)value;
        pending += 6;
        if (pending >= 8) {
            pending -= 8;
            buf_append_byte(out, (uint8_t)(bits >> pending));
        }
    }
    /* Two texts must not stand for the same bytes (RFC 4648 section 3.5). */
    if ((bits & ((1u << pending) - 1)) != 0)
        goto refuse;
    return true;
refuse:
    out->len = before;
    return false;
}

bool base64_decode_url(struct buf *out, struct slice text)
{
    struct buf standard = {0};
    bool good = true;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        good = good && c != '+' && c != '/' && c != '=';
        buf_append_byte(&standard, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    good = good && base64_decode(out, buf_slice(&standard));
    buf_free(&standard);
    return good;
}
