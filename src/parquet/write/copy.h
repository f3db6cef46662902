/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_COPY_H
#define VARVE_PARQUET_WRITE_COPY_H

#include <stdbool.h>

#include "parquet/read/file.h"
#include "parquet/write/footer.h"
#include "parquet/write/layout.h"

/* What parquet_writer_copy says of the pages that it takes over from another file. */

/* The file has the columns of the layout, and varve has said of the row group what it says of its
 * own: where all pages are, and what bounds the columns that are to have bounds. */
bool copy_is_possible(const struct layout *layout, const struct parquet_file *file,
                      uint32_t row_group);

/* Describe the chunk `from` of the file in `to`, now that its pages begin at `start`, and add its
 * indexes to the footer. What `to` points to is in the footer's arena. ERR_FORMAT for indexes that
 * are damaged, or what the source says. */
int copy_describe(struct footer *footer, const struct parquet_file *file,
                  const struct parquet_column_chunk *from, uint64_t start, struct arena *scratch,
                  struct parquet_column_chunk *to, struct err *err)
    __attribute__((warn_unused_result));

#endif
