/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_LAYOUT_H
#define VARVE_PARQUET_WRITE_LAYOUT_H

#include "base/arena.h"
#include "parquet/write/chunk.h"
#include "parquet/format.h"
#include "parquet/write/writer.h"

/* How a schema and the options become columns of a file. */

/* CHECKs the ranges and names in `options`. */
void layout_check_options(const struct schema *schema, const struct parquet_options *options);

struct chunk_layout layout_of_column(const struct parquet_options *options,
                                     const struct column_spec *spec);

/* The limit of a page in a file that has `pages` pages already: it doubles now and then, so that no
 * file of ordinary groups comes near PARQUET_PAGES_MAX. */
uint32_t layout_page_bytes(const struct parquet_options *options, uint64_t pages);

/* The schema of the footer: the root and a leaf a column, schema->count + 1 elements in `arena`. */
struct parquet_schema_element *layout_describe_schema(const struct schema *schema,
                                                      const struct parquet_options *options,
                                                      struct arena *arena);

#endif
