/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_INSPECT_H
#define VARVE_CLI_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/format.h"
#include "parquet/read/file.h"

/* Append what a schema element says about the meaning of its values, such as "STRING",
 * "TIMESTAMP(MICROS,UTC)" or "DECIMAL(10,2)"; nothing if it says nothing. LogicalType counts before
 * ConvertedType; numbers without a name are shown as numbers. */
void annotation_append(struct buf *out, const struct parquet_schema_element *element);

/* Rows of cells that are printed in aligned columns. A zeroed struct is an empty table. */
enum { TABLE_COLUMNS_MAX = 16 };

struct table {
    struct buf cells; /* each ends with a NUL */
    size_t widths[TABLE_COLUMNS_MAX];
    bool right[TABLE_COLUMNS_MAX]; /* aligned to the right: numbers */
    unsigned columns, column;      /* of the widest row; of the next cell */
    size_t room; /* width to print in: columns at the right that don't fit are left out; 0: any */
};

/* The next cell of this row. Control characters become '?', so that a file can't speak to the
 * terminal. */
void table_cell(struct table *t, struct slice text);
void table_text(struct table *t, const char *text);

/* The next cell, made by printf and aligned to the right. */
void table_number(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

void table_end_row(struct table *t);

/* Print all rows, each behind `indent` blanks, and make the table empty. */
void table_print(struct table *t, unsigned indent, FILE *out);

/* Print what the Delta log of a directory says of its table, for people or as one line of JSON. */
int inspect_table(const char *path, bool json, struct err *err) __attribute__((warn_unused_result));

/* Append all that the footer says, as one line of JSON. */
void inspect_json(struct buf *out, const char *path, const struct parquet_file *file);

#endif
