/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#include "base/account.h"

#define EMPTY_TEXT "%empty"

enum {
    HASH_LEN = 18, /* "%-" and 16 digits */
    CUT_LEN = TEXT_ESCAPED_MAX - HASH_LEN,
};

char *text_copy_slice(struct slice text)
{
    char *copy = account_alloc(NULL, text.len + 1, 1);
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    return copy;
}

char *text_copy(const char *text)
{
    return text_copy_slice(slice_of(text));
}

bool text_ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return len >= suffix_len && memcmp(text + len - suffix_len, suffix, suffix_len) == 0;
}

size_t text_edits(const char *a, const char *b)
{
    size_t row[TEXT_EDITS_MAX + 1];
    size_t len = strlen(b);
    if (len > TEXT_EDITS_MAX || strlen(a) > TEXT_EDITS_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t replaced = diagonal + (a[i] != b[j]);
            size_t other = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;
            diagonal = row[j + 1];
            row[j + 1] = replaced < other ? replaced : other;
        }
    }
    return row[len];
}

int text_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* True if the byte stands in an escaped text as it is. */
static bool is_plain(uint8_t c)
{
    return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
}

static void append_percent(struct buf *out, uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";
    char text[3] = {'%', digits[byte >> 4], digits[byte & 15]};
    buf_append(out, text, sizeof(text));
}

void text_encode_percent(struct buf *out, struct slice bytes, const char *kept)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.data[i];
        if (is_alphanumeric(c) || (c != '\0' && strchr(kept, c) != NULL))
            buf_append_byte(out, c);
        else
            append_percent(out, c);
    }
}

/* FNV-1a: the same in every run, as the names it makes are kept. Whoever makes two values collide
 * has put them into one directory, no more. */
static uint64_t stable_hash(struct slice value)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < value.len; i++)
        hash = (hash ^ value.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void text_escape(struct buf *out, struct slice value)
{
    if (value.len == 0) {
        buf_append_text(out, EMPTY_TEXT);
        return;
    }
    size_t start = out->len;
    size_t cut = start; /* where to cut it if it turns out to be long: never inside of an escape */
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        bool hides = i == 0 && (c == '.' || c == '_');
        if (is_plain(c) && !hides)
            buf_append_byte(out, c);
        else
            append_percent(out, c);
        if (out->len - start <= CUT_LEN)
            cut = out->len;
        if (out->len - start > TEXT_ESCAPED_MAX) {
            out->len = cut;
            buf_printf(out, "%%-%016" PRIx64, stable_hash(value));
            return;
        }
    }
}
