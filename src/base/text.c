/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <string.h>

#include "base/account.h"

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
