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

/* The value of a hexadecimal digit of either case, or -1. */
int text_hex_digit(uint8_t c);

#endif
