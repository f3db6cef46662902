/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_METADATA_H
#define VARVE_PARQUET_WRITE_METADATA_H

#include "parquet/format.h"

/*
 * The structs of format.h in their Thrift form, appended to `out`. Absent optional fields (see
 * format.h) are left out; what is there is written even if it is 0. Nothing is checked: what the
 * caller fills in is what the file says.
 */
void parquet_write_page_header(struct buf *out, const struct parquet_page_header *header);
void parquet_write_file_metadata(struct buf *out, const struct parquet_file_metadata *metadata);
void parquet_write_column_index(struct buf *out, const struct parquet_column_index *index);
void parquet_write_offset_index(struct buf *out, const struct parquet_offset_index *index);

#endif
