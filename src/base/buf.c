/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/account.h"
#include "base/assert.h"
#include "base/bytes.h"

enum {
    FIRST_CAPACITY = 256,
    /* Above this, growth by half would waste more memory than the copies cost. */
    SLOW_GROWTH = 8 * 1024 * 1024,
};

struct slice slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

/* Eight bytes a step: musl's memcmp takes one, and dictionaries compare a key for each value. */
static bool equal_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t at = 0;
    for (; len - at >= 8; at += 8)
        if (load_u64le(a + at) != load_u64le(b + at))
            return false;
    if (at > 0 && at < len) /* the rest, with some bytes again */
        return load_u64le(a + len - 8) == load_u64le(b + len - 8);
    for (; at < len; at++)
        if (a[at] != b[at])
            return false;
    return true;
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && equal_bytes(a.data, b.data, a.len);
}

bool slice_is(struct slice s, const char *text)
{
    return slice_equal(s, slice_of(text));
}

bool slice_is_alike(struct slice s, const char *text)
{
    return s.len == strlen(text) && strncasecmp((const char *)s.data, text, s.len) == 0;
}

int slice_compare(struct slice a, struct slice b)
{
    size_t shared = a.len < b.len ? a.len : b.len, at = 0;
    while (shared - at >= 8 && load_u64le(a.data + at) == load_u64le(b.data + at))
        at += 8;
    while (at < shared && a.data[at] == b.data[at])
        at++;
    if (at < shared)
        return a.data[at] < b.data[at] ? -1 : 1;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool slice_starts_with(struct slice s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.len >= len && slice_is((struct slice){s.data, len}, prefix);
}

bool slice_take_line(struct slice *rest, struct slice *line)
{
    if (rest->len == 0)
        return false;
    const uint8_t *end = memchr(rest->data, '\n', rest->len);
    *line = (struct slice){rest->data, end == NULL ? rest->len : (size_t)(end - rest->data)};
    size_t used = line->len + (end != NULL);
    *rest = (struct slice){rest->data + used, rest->len - used};
    return true;
}

void buf_reset(struct buf *b)
{
    b->len = 0;
}

void buf_free(struct buf *b)
{
    account_free(b->account, b->data, b->cap);
    *b = (struct buf){.account = b->account};
}

static void grow_to(struct buf *b, size_t cap)
{
    b->data = account_resize(b->account, b->data, b->cap, cap);
    b->cap = cap;
}

void buf_reserve(struct buf *b, size_t more)
{
    if (more <= b->cap - b->len)
        return;
    ASSERT(more <= SIZE_MAX / 4 - b->len);
    size_t needed = b->len + more;
    size_t cap = b->cap + (b->cap < SLOW_GROWTH ? b->cap : b->cap / 4);
    if (cap < FIRST_CAPACITY)
        cap = FIRST_CAPACITY;
    grow_to(b, cap < needed ? needed : cap);
}

void buf_reserve_exact(struct buf *b, size_t more)
{
    if (more <= b->cap - b->len)
        return;
    ASSERT(more <= SIZE_MAX / 4 - b->len);
    grow_to(b, b->len + more);
}

void buf_shrink(struct buf *b)
{
    if (b->len == 0)
        buf_free(b);
    else if (b->len < b->cap)
        grow_to(b, b->len);
}

void buf_trim(struct buf *b, size_t keep)
{
    if (b->len == 0 && b->cap > keep)
        buf_free(b);
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    buf_reserve(b, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.data, s.len);
}

void buf_append_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_append_byte(struct buf *b, uint8_t byte)
{
    buf_reserve(b, 1);
    b->data[b->len++] = byte;
}

void buf_append_u32le(struct buf *b, uint32_t value)
{
    buf_reserve(b, 4);
    store_u32le(b->data + b->len, value);
    b->len += 4;
}

void buf_append_u64le(struct buf *b, uint64_t value)
{
    buf_reserve(b, 8);
    store_u64le(b->data + b->len, value);
    b->len += 8;
}

void buf_append_decimal(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    buf_reserve(b, 1); /* where there is no memory yet there is no place to print to */
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf((char *)b->data + b->len, b->cap - b->len, format, args);
    ASSERT(len >= 0);
    if ((size_t)len >= b->cap - b->len) {
        buf_reserve(b, (size_t)len + 1);
        len = vsnprintf((char *)b->data + b->len, b->cap - b->len, format, again);
        ASSERT(len >= 0);
    }
    b->len += (size_t)len;
    va_end(again);
    va_end(args);
}

void buf_consume(struct buf *b, size_t len)
{
    if (len > b->len)
        len = b->len;
    if (len == 0)
        return;
    b->len -= len;
    memmove(b->data, b->data + len, b->len);
}

const char *buf_text(struct buf *b)
{
    buf_reserve(b, 1);
    b->data[b->len] = '\0';
    return (const char *)b->data;
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data, b->len};
}
