/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_WRITE_THRIFT_H
#define VARVE_PARQUET_WRITE_THRIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "parquet/thrift.h"

/*
 * The Thrift compact protocol (thrift-compact-protocol.md), as far as Parquet metadata needs it.
 * Fields are written in ascending order of their ids; a struct is opened, filled and closed:
 *
 *     struct thrift_writer w;
 *     thrift_write_open(&w, &out);
 *     thrift_write_i32(&w, 1, version);
 *     thrift_write_struct(&w, 2);
 *     ...
 *     thrift_write_close(&w);
 *     thrift_write_close(&w);
 */
enum { THRIFT_WRITE_DEPTH = 8 }; /* LogicalType in the footer is the deepest, at 5 */

struct thrift_writer {
    struct buf *out;
    unsigned depth;
    int16_t last_id[THRIFT_WRITE_DEPTH]; /* ids are written as differences */
};

/* Begin the outermost struct; bytes are appended to `out`. */
void thrift_write_open(struct thrift_writer *w, struct buf *out);

/* End the innermost struct. */
void thrift_write_close(struct thrift_writer *w);

/* A field of the innermost struct. Enums are i32. */
void thrift_write_bool(struct thrift_writer *w, int16_t id, bool value);
void thrift_write_i8(struct thrift_writer *w, int16_t id, int8_t value);
void thrift_write_i16(struct thrift_writer *w, int16_t id, int16_t value);
void thrift_write_i32(struct thrift_writer *w, int16_t id, int32_t value);
void thrift_write_i64(struct thrift_writer *w, int16_t id, int64_t value);
void thrift_write_binary(struct thrift_writer *w, int16_t id, struct slice value);

/* A field that is a struct: fill and close it. */
void thrift_write_struct(struct thrift_writer *w, int16_t id);

/* A field that is a struct without fields. */
void thrift_write_empty(struct thrift_writer *w, int16_t id);

/* A field that is a list: exactly `count` elements must follow. */
void thrift_write_list(struct thrift_writer *w, int16_t id, enum thrift_type type, uint32_t count);

void thrift_element_bool(struct thrift_writer *w, bool value); /* in a list of THRIFT_TRUE */
void thrift_element_i32(struct thrift_writer *w, int32_t value);
void thrift_element_i64(struct thrift_writer *w, int64_t value);
void thrift_element_binary(struct thrift_writer *w, struct slice value);
void thrift_element_struct(struct thrift_writer *w); /* fill and close it */

#endif
