/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_CHECKSUM_H
#define VARVE_PARQUET_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * A checksum of all that no page's CRC covers, so that not one flipped bit of a file goes unseen.
 * It is the last entry of the footer's key-value metadata: a CRC-32, in eight digits, of the
 * headers of all pages in the order of the file, all bytes between the last page and the footer
 * (the indexes), and the footer with zeros for the digits, as is its length behind it.
 */
#define PARQUET_CHECKSUM_KEY "varve.crc32"
#define PARQUET_CHECKSUM_NONE "00000000" /* what the footer has until the checksum is known */

/* Find the digits in the bytes of a footer. Found as well if one bit is flipped in what is around
 * them, the footer's `created_by` included; but not where another writer has kept the entry of a
 * file that it has read. False if there is no checksum. */
bool parquet_checksum_find(struct slice footer, size_t *digits);

/* Go on with `crc`: over a footer whose digits are there. */
uint32_t parquet_checksum_footer(uint32_t crc, struct slice footer, size_t digits);

/* The digits of a checksum. */
void parquet_checksum_print(uint32_t crc, uint8_t digits[static 8]);

#endif
