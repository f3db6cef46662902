/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_PAGE_INDEX_H
#define VARVE_PARQUET_READ_PAGE_INDEX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "parquet/format.h"

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

#endif
