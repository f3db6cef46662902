/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_ANNOTATION_H
#define VARVE_CLI_ANNOTATION_H

#include "base/buf.h"
#include "parquet/format.h"

/* Append what a schema element says about the meaning of its values, such as "STRING",
 * "TIMESTAMP(MICROS,UTC)" or "DECIMAL(10,2)"; nothing if it says nothing. LogicalType counts before
 * ConvertedType; numbers without a name are shown as numbers. */
void annotation_append(struct buf *out, const struct parquet_schema_element *element);

#endif
