/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_PAGE_H
#define VARVE_PARQUET_WRITE_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "parquet/format.h"

/*
 * A page as it lies in the file: its header, with sizes and CRC, and its body. The header can only
 * be made when the body is complete, and bodies are large, so they are made where they stay, behind
 * room for a header:
 *
 *     size_t body = page_begin(out);
 *     ...append the body, compressed or not, to `out`...
 *     struct page_extent extent = page_seal_data(out, body, encoding, rows, raw_size);
 */
enum { PAGE_HEADER_ROOM = 48 }; /* a header is at most 36 bytes */

struct page_extent {
    uint32_t gap;  /* bytes in front of the page that are of no use; 0 for small pages */
    uint32_t size; /* header and body */
};

/* Make room for a header at the end of `out`. Returns where the body is to begin. */
size_t page_begin(struct buf *out);

/* Put the header of a version 1 data page in front of the body, which reaches to the end of `out`.
 * `num_values` counts nulls, `raw_size` is the size of the body before compression. */
struct page_extent page_seal_data(struct buf *out, size_t body, enum parquet_encoding encoding,
                                  uint32_t num_values, uint32_t raw_size);

/* The same for one PLAIN value that stays where it is, and is to be written to the file behind what
 * is in `out`: `content` is the body. The extent covers both. */
struct page_extent page_seal_outside(struct buf *out, size_t body, struct slice content);

/* The same for a dictionary page of PLAIN values. */
struct page_extent page_seal_dictionary(struct buf *out, size_t body, uint32_t num_values,
                                        uint32_t raw_size);

#endif
