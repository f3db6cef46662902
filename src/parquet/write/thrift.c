/* SPDX-License-Identifier: MIT */
#include "parquet/write/thrift.h"

#include "base/bytes.h"
#include "base/assert.h"
#include "base/varint.h"

enum {
    SHORT_DELTA_MAX = 15, /* larger steps between ids are written as the id itself */
    SHORT_LIST_MAX = 14,  /* longer lists have their length behind the header byte */
};

static void write_header(struct thrift_writer *w, int16_t id, enum thrift_type type)
{
    int16_t *last = &w->last_id[w->depth - 1];
    int delta = id - *last;

    ASSERT(delta > 0);
    if (delta <= SHORT_DELTA_MAX) {
        buf_append_byte(w->out, (uint8_t)((unsigned)delta << 4 | type));
    } else {
        buf_append_byte(w->out, (uint8_t)type);
        varint_append(w->out, zigzag_encode(id));
    }
    *last = id;
}

static void push(struct thrift_writer *w)
{
    ASSERT(w->depth < THRIFT_WRITE_DEPTH);
    w->last_id[w->depth++] = 0;
}

void thrift_write_open(struct thrift_writer *w, struct buf *out)
{
    w->out = out;
    w->depth = 0;
    push(w);
}

void thrift_write_close(struct thrift_writer *w)
{
    ASSERT(w->depth > 0);
    w->depth--;
    buf_append_byte(w->out, 0);
}

void thrift_write_bool(struct thrift_writer *w, int16_t id, bool value)
{
    write_header(w, id, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_write_i8(struct thrift_writer *w, int16_t id, int8_t value)
{
    write_header(w, id, THRIFT_I8);
    buf_append_byte(w->out, (uint8_t)value);
}

void thrift_write_i16(struct thrift_writer *w, int16_t id, int16_t value)
{
    write_header(w, id, THRIFT_I16);
    varint_append(w->out, zigzag_encode(value));
}

void thrift_write_i32(struct thrift_writer *w, int16_t id, int32_t value)
{
    write_header(w, id, THRIFT_I32);
    thrift_element_i32(w, value);
}

void thrift_write_i64(struct thrift_writer *w, int16_t id, int64_t value)
{
    write_header(w, id, THRIFT_I64);
    thrift_element_i64(w, value);
}

void thrift_write_binary(struct thrift_writer *w, int16_t id, struct slice value)
{
    write_header(w, id, THRIFT_BINARY);
    thrift_element_binary(w, value);
}

void thrift_write_struct(struct thrift_writer *w, int16_t id)
{
    write_header(w, id, THRIFT_STRUCT);
    push(w);
}

void thrift_write_empty(struct thrift_writer *w, int16_t id)
{
    thrift_write_struct(w, id);
    thrift_write_close(w);
}

void thrift_write_list(struct thrift_writer *w, int16_t id, enum thrift_type type, uint32_t count)
{
    write_header(w, id, THRIFT_LIST);
    if (count <= SHORT_LIST_MAX) {
        buf_append_byte(w->out, (uint8_t)(count << 4 | type));
    } else {
        buf_append_byte(w->out, (uint8_t)(0xf0 | type));
        varint_append(w->out, count);
    }
}

/* The specification says 1 and 0; what Thrift's generated code writes, and so all readers know, is
 * the type codes. */
void thrift_element_bool(struct thrift_writer *w, bool value)
{
    buf_append_byte(w->out, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_element_i32(struct thrift_writer *w, int32_t value)
{
    varint_append(w->out, zigzag_encode(value));
}

void thrift_element_i64(struct thrift_writer *w, int64_t value)
{
    varint_append(w->out, zigzag_encode(value));
}

void thrift_element_binary(struct thrift_writer *w, struct slice value)
{
    varint_append(w->out, value.len);
    buf_append_slice(w->out, value);
}

void thrift_element_struct(struct thrift_writer *w)
{
    push(w);
}
