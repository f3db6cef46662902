/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_PAGE_H
#define VARVE_PARQUET_PAGE_H

#include <stdint.h>

#include "base/buf.h"
#include "parquet/format.h"

/* A page as it lies in the file: its header with sizes and CRC, then its body. */

/* Append a version 1 data page. `raw_size` is the size of the body before compression, `stored` the
 * body as it is to be written, `num_values` counts nulls. */
void page_append_data(struct buf *out, enum parquet_encoding encoding, uint32_t num_values,
                      uint32_t raw_size, struct slice stored);

/* Append a dictionary page of PLAIN values. */
void page_append_dictionary(struct buf *out, uint32_t num_values, uint32_t raw_size,
                            struct slice stored);

#endif
