/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_TEXT_H
#define VARVE_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* A NUL-terminated copy of a text, to be given back with free(). Never NULL: see out_of_memory. */
char *text_copy(const char *text);
char *text_copy_slice(struct slice text);

bool text_ends_with(const char *text, const char *suffix);

/* How many single characters have to be put in, taken out or replaced to turn one text into the
 * other (Levenshtein's distance). SIZE_MAX if one has more than TEXT_EDITS_MAX bytes. */
enum { TEXT_EDITS_MAX = 128 };
size_t text_edits(const char *a, const char *b);

/* The value of a hexadecimal digit of either case, or -1. */
int text_hex_digit(uint8_t c);

/*
 * Append a text as a part of a name that any file system and any store of objects takes, at most
 * TEXT_ESCAPED_MAX bytes of [A-Za-z0-9._%-], never empty:
 *
 *   - A-Z a-z 0-9 . _ - stand for themselves, any other byte becomes %XX;
 *   - a '.' or '_' at the very start becomes %2E or %5F: such names are hidden from readers of data
 *     lakes, and ".." is not a name at all;
 *   - an empty text becomes "%empty";
 *   - what would be longer is cut, and "%-" and 16 hexadecimal digits, a hash of the whole text,
 * are put behind.
 *
 * Since a '%' of the first rule is always followed by two hexadecimal digits, distinct texts stay
 * distinct, but for hash collisions of long ones.
 */
enum { TEXT_ESCAPED_MAX = 64 }; /* three fit into one file name */
void text_escape(struct buf *out, struct slice value);

/* Append bytes as parts of a URI have them (RFC 3986): letters, digits and those of `kept` as they
 * are, others as '%' and two hexadecimal digits. */
void text_encode_percent(struct buf *out, struct slice bytes, const char *kept);

#endif
