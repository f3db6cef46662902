/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_UTF8_H
#define VARVE_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* True if the bytes are well-formed UTF-8 (RFC 3629: shortest forms, no surrogates, at most
 * U+10FFFF). NUL is a character like any other. */
bool utf8_valid(struct slice text);

/* The same without what only some processors have. For tests: utf8_valid takes it by itself. */
bool utf8_valid_portable(struct slice text);

/* The length in bytes of the longest prefix of well-formed `text` that is at most `max` bytes long
 * and ends between characters. */
size_t utf8_prefix(struct slice text, size_t max);

/* Decode one character at the start of `text` into *code and return its length in bytes, or 0 if
 * it is not well-formed or `text` is empty. */
size_t utf8_decode(struct slice text, uint32_t *code);

/* Write the 1 to 4 bytes of a character (a scalar value) to `out`; returns how many. */
size_t utf8_encode(uint32_t code, uint8_t out[static 4]);

#endif
