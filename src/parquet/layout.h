/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_LAYOUT_H
#define VARVE_PARQUET_LAYOUT_H

#include "base/arena.h"
#include "parquet/chunk.h"
#include "parquet/format.h"
#include "parquet/writer.h"

/* How a schema and the options become columns of a file. */

/* CHECKs the ranges and names in `options`. */
void layout_check_options(const struct schema *schema, const struct parquet_options *options);

struct chunk_layout layout_of_column(const struct parquet_options *options,
                                     const struct column_spec *spec);

/* The schema of the footer: the root and a leaf a column, schema->count + 1 elements in `arena`. */
struct parquet_schema_element *layout_describe_schema(const struct schema *schema,
                                                      const struct parquet_options *options,
                                                      struct arena *arena);

#endif
