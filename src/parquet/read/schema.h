/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_SCHEMA_H
#define VARVE_PARQUET_READ_SCHEMA_H

#include "parquet/format.h"
#include "parquet/read/thrift.h"

/* One SchemaElement of parquet.thrift, annotations included, into a zeroed struct. Slices point
 * into the bytes of the reader, which also holds the problem, if there is one. */
void parquet_schema_element_read(struct thrift_reader *r, struct parquet_schema_element *element);

#endif
