/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_METADATA_H
#define VARVE_PARQUET_READ_METADATA_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "parquet/format.h"
#include "parquet/read/thrift.h"

/*
 * FileMetaData (parquet.thrift) from the bytes of a footer, which may be hostile. What is optional
 * and of no use to varve is passed over; required fields are required; counts, sizes and offsets
 * are not negative afterwards. The result points into the bytes and into the arena; memory is
 * bounded by the length of the bytes. ERR_FORMAT if they are anything but one such struct,
 * ERR_UNSUPPORTED for encryption.
 */
int parquet_metadata_read(struct slice bytes, struct arena *arena,
                          struct parquet_file_metadata *metadata, struct err *err)
    __attribute__((warn_unused_result));

/*
 * PageHeader (parquet.thrift) at the start of `bytes`, which may be hostile; *used is its length.
 * ERR_FORMAT unless it is well formed, has the header of its page type in it (an INDEX page needs
 * none), and all counts and sizes are not negative.
 */
int parquet_page_header_read(struct slice bytes, struct parquet_page_header *header, size_t *used,
                             struct err *err) __attribute__((warn_unused_result));

/*
 * OffsetIndex and ColumnIndex (parquet.thrift) from bytes that may be hostile. The structs must
 * take all of the bytes, and all lists of one index are of the same length. Results point into the
 * bytes and into the arena; memory is bounded by the length of the bytes. ERR_FORMAT for anything
 * else.
 */
int parquet_offset_index_read(struct slice bytes, struct arena *arena,
                              struct parquet_offset_index *index, struct err *err)
    __attribute__((warn_unused_result));
int parquet_column_index_read(struct slice bytes, struct arena *arena,
                              struct parquet_column_index *index, struct err *err)
    __attribute__((warn_unused_result));

/* One SchemaElement of parquet.thrift, annotations included, into a zeroed struct. Slices point
 * into the bytes of the reader, which also holds the problem, if there is one. */
void parquet_schema_element_read(struct thrift_reader *r, struct parquet_schema_element *element);

#endif
