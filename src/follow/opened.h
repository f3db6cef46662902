/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_OPENED_H
#define VARVE_FOLLOW_OPENED_H

#include "base/bytes.h"
#include "follow/file_source.h"
#include "follow/reader.h"
#include "parquet/read/file.h"
#include "parquet/read/rows.h"

/* A file of the store, as follow/reader.c reads it: its sequences, and the columns that are wanted.
 * A zeroed struct can be opened, closed and opened again, in the memory of the one before. */
struct follow_opened {
    struct object_source source;
    struct parquet_file file;
    uint32_t leaves[FOLLOW_COLUMNS_MAX + 1], count; /* to read: the sequence, then the columns */
    uint8_t place[FOLLOW_COLUMNS_MAX]; /* of each column in `leaves`, and 1; 0: it has none */
    bool int96[FOLLOW_COLUMNS_MAX];    /* a column is, and is wanted as microseconds */
    struct parquet_rows *rows;         /* for the reader to make */
    uint64_t at;                       /* the number of the next row */
    struct slice found[FOLLOW_COLUMNS_MAX + 1]; /* its values, if `has_row` */
    bool has_row;
};

/* See object_source_open_fed of `reader`. ERR_FORMAT if a column is of another type than wanted; it
 * is to be closed then, too. */
int follow_opened_open(struct follow_opened *o, struct object_store *store,
                       const struct follow_file *file, struct feed_reader *reader,
                       const struct follow_column *columns, uint32_t count, struct err *err)
    __attribute__((warn_unused_result));
void follow_opened_close(struct follow_opened *o);

/* Of one that is closed, allocated without an account: give back all of it. */
void follow_opened_free(struct follow_opened *o);

/* The value of a wanted column among those that were found in a row; `number` has room for one that
 * is another one in the file. */
static inline struct slice follow_opened_value(const struct follow_opened *o, uint32_t column,
                                               const struct slice *found, uint8_t number[static 8])
{
    if (o->place[column] == 0)
        return (struct slice){0};
    struct slice value = found[o->place[column] - 1];
    if (!o->int96[column] || value.data == NULL)
        return value;
    store_u64le(number, (uint64_t)parquet_int96_micros(value.data));
    return (struct slice){number, 8};
}

#endif
