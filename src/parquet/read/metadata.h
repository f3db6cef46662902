/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_METADATA_H
#define VARVE_PARQUET_READ_METADATA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "parquet/format.h"

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

#endif
