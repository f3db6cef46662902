/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_LAYOUT_H
#define VARVE_PARQUET_WRITE_LAYOUT_H

#include "base/arena.h"
#include "parquet/write/chunk.h"
#include "parquet/format.h"
#include "parquet/write/writer.h"

/* How a schema and the options become columns of a file. */
struct layout {
    struct parquet_schema_element *elements; /* of the footer: the root first, depth first */
    uint32_t elements_count;
    struct chunk_layout *leaves; /* in order */
    uint32_t leaves_count;
    uint32_t *leaf_of; /* by column of the schema; UINT32_MAX for groups */
};

/* ASSERTs the ranges in `options`, and that the schema is one. All of the layout is in `arena`; the
 * schema is borrowed. */
void layout_make(struct layout *layout, const struct schema *schema,
                 const struct parquet_options *options, struct arena *arena);

/* The physical type of a column that is no group. */
enum parquet_type layout_type(enum column_type type);

/* The limit of a page in a file that has `pages` pages already: it doubles now and then, so that no
 * file of ordinary groups comes near PARQUET_PAGES_MAX. */
uint32_t layout_page_bytes(const struct parquet_options *options, uint64_t pages);

#endif
