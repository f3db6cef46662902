/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_UUID_H
#define VARVE_PARQUET_WRITE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { UUID_BYTES = 16, UUID_TEXT = 36 };

/* Read the form 8-4-4-4-12 of RFC 9562 in hexadecimal digits of either case. False, and `out` alone
 * or half filled, for any other text. */
bool uuid_parse(struct slice text, uint8_t out[static UUID_BYTES])
    __attribute__((warn_unused_result));

#endif
