/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_RECORDS_H
#define VARVE_PARQUET_READ_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/codec.h"
#include "parquet/read/file.h"

/*
 * The rows of a file, whatever its schema: one row at a time, as a tree of values. Memory is that
 * of one page a leaf and of one row.
 *
 *     struct parquet_records *r = parquet_records_new(&file, NULL, 0, codec);
 *     while ((more = parquet_records_next(r, &row, &err)) == 1) {
 *         const struct parquet_value *add = parquet_value_member(row, "add");
 *         if (parquet_value_text(add, "path", &path) && parquet_value_i64(add, "size", &size))
 *             ...
 *         const struct parquet_value *map = parquet_value_member(add, "partitionValues");
 *         for (const struct parquet_value *e = map != NULL ? map->first : NULL; e != NULL;
 *              e = e->next) // e->first is the key, e->first->next the value
 *     }
 */
struct parquet_value {
    const struct parquet_field *field; /* of an entry of a map: that of the map */
    bool null;                         /* then there is nothing below */
    struct slice bytes;                /* VALUE: as in values.h, never a NULL pointer if not null */
    /* STRUCT: its fields, all of them, in order. LIST: its elements. MAP: its entries, each with
     * two children: key and value. */
    const struct parquet_value *first, *next;
};

enum {
    /* Memory that the tree of one row may take; more is ERR_LIMIT. varve's own rows hold one value
     * of 64 MiB at most. */
    PARQUET_RECORD_BYTES_MAX = 256 * 1024 * 1024,
    /* Leaves that are read at once; more is ERR_LIMIT. Each takes some 25 KiB and what it reads
     * ahead, which is less where there are many: a small file can claim very many. */
    PARQUET_RECORD_LEAVES_MAX = 8192,
    PARQUET_RECORD_AHEAD = 64 * 1024 * 1024, /* of all leaves together */
};

struct parquet_records;

/* Read the columns `fields`, `count` children of file->root, none twice, in their order; NULL and
 * 0: all. All is borrowed until parquet_records_free, but for `fields`. */
struct parquet_records *parquet_records_new(const struct parquet_file *file,
                                            const struct parquet_field *const *fields,
                                            uint32_t count, struct parquet_codec *codec);

/* 1 and the next row, a value whose children are those of the fields; valid until the next call. 0
 * behind the last row. -1 with where and what: ERR_UNSUPPORTED, ERR_FORMAT, ERR_LIMIT or what the
 * source says. */
int parquet_records_next(struct parquet_records *r, const struct parquet_value **row,
                         struct err *err) __attribute__((warn_unused_result));

/* Pass over the next `count` rows, of which no more than there are. Row groups that lie between are
 * not read. */
int parquet_records_skip(struct parquet_records *r, uint64_t count, struct err *err)
    __attribute__((warn_unused_result));

/* Accepts NULL. */
void parquet_records_free(struct parquet_records *r);

/* The member of a struct with this name, or NULL if it is null or missing. `value` may be NULL, so
 * that look-ups can be chained. */
const struct parquet_value *parquet_value_member(const struct parquet_value *value,
                                                 const char *name);

/* Typed look-ups: false, and *out alone, if the member is missing, null, or of another type.
 * Integers are INT32 or INT64 as signed numbers; text is any BYTE_ARRAY, and is as the file has it.
 */
bool parquet_value_text(const struct parquet_value *value, const char *name, struct slice *out);
bool parquet_value_i64(const struct parquet_value *value, const char *name, int64_t *out);
bool parquet_value_bool(const struct parquet_value *value, const char *name, bool *out);

#endif
