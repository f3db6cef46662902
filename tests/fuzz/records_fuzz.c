/* SPDX-License-Identifier: MIT */
#include "parquet/read/records.h"

#include <string.h>

#include "parquet/write/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Levels and values of nested columns, without the CRCs that would keep most inputs out. The schema
 * is { l: list of { a: int32?, m: map of bytes to list of int32? }? }: the input is the rows, the
 * entries and the length of the page of each of the three leaves, then the bodies of the pages. */

enum { LEAVES = 3, ELEMENTS = 11, ROWS_MAX = 100000 };

static struct parquet_schema_element group(const char *name, enum parquet_repetition repetition,
                                           int32_t children, enum parquet_converted_type kind)
{
    return (struct parquet_schema_element){.has_repetition = true,
                                           .repetition = repetition,
                                           .name = slice_of(name),
                                           .num_children = children,
                                           .converted_type = kind};
}

static struct parquet_schema_element leaf(const char *name, enum parquet_repetition repetition,
                                          enum parquet_type type)
{
    struct parquet_schema_element e = group(name, repetition, 0, PARQUET_CONVERTED_NONE);
    e.has_type = true;
    e.type = type;
    return e;
}

static int read_bytes(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    const struct slice *bytes = context;
    (void)err; /* a read outside of the file is a bug */
    if (offset > bytes->len || len > bytes->len - offset)
        __builtin_trap();
    memcpy(data, bytes->data + offset, len);
    return 0;
}

/* Every byte of every value is looked at; what is null has nothing below. */
static uint8_t look(const struct parquet_value *value)
{
    uint8_t sum = 0;
    if (value->null && (value->first != NULL || value->bytes.len != 0))
        __builtin_trap();
    for (size_t i = 0; i < value->bytes.len; i++)
        sum = (uint8_t)(sum + value->bytes.data[i]);
    for (const struct parquet_value *v = value->first; v != NULL; v = v->next)
        sum = (uint8_t)(sum + look(v));
    return sum;
}

static void read_file(struct slice bytes)
{
    struct parquet_source source = {read_bytes, &bytes, bytes.len};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_file file;
    struct err err = {0};
    const struct parquet_value *row = NULL;
    volatile uint8_t sum = 0;
    if (parquet_file_open(&file, &source, &err) != 0)
        __builtin_trap(); /* the footer is good */
    struct parquet_records *r = parquet_records_new(&file, NULL, 0, codec);
    for (int i = 0; i < ROWS_MAX && parquet_records_next(r, &row, &err) == 1; i++)
        sum = (uint8_t)(sum + look(row));
    parquet_records_free(r);
    parquet_file_close(&file);
    parquet_codec_free(codec);
}

/* A chunk of one page with this body. */
static struct parquet_column_chunk add_chunk(struct buf *bytes,
                                             const struct parquet_schema_element *element,
                                             uint8_t entries, struct slice body)
{
    static const enum parquet_encoding plain = PARQUET_ENCODING_PLAIN;
    struct parquet_page_header h = {.type = PARQUET_PAGE_DATA,
                                    .uncompressed_page_size = (int32_t)body.len,
                                    .compressed_page_size = (int32_t)body.len,
                                    .num_values = entries,
                                    .definition_level_encoding = PARQUET_ENCODING_RLE,
                                    .repetition_level_encoding = PARQUET_ENCODING_RLE};
    struct parquet_column_chunk chunk = {.type = element->type,
                                         .encodings = &plain,
                                         .encodings_count = 1,
                                         .path = &element->name,
                                         .path_count = 1,
                                         .num_values = entries,
                                         .data_page_offset = (int64_t)bytes->len};
    parquet_write_page_header(bytes, &h);
    buf_append_slice(bytes, body);
    chunk.total_compressed_size = (int64_t)bytes->len - chunk.data_page_offset;
    return chunk;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct parquet_schema_element elements[ELEMENTS] = {
        group("schema", PARQUET_REPETITION_REQUIRED, 1, PARQUET_CONVERTED_NONE),
        group("l", PARQUET_REPETITION_REQUIRED, 1, PARQUET_CONVERTED_LIST),
        group("list", PARQUET_REPETITION_REPEATED, 1, PARQUET_CONVERTED_NONE),
        group("element", PARQUET_REPETITION_OPTIONAL, 2, PARQUET_CONVERTED_NONE),
        leaf("a", PARQUET_REPETITION_OPTIONAL, PARQUET_TYPE_INT32),
        group("m", PARQUET_REPETITION_REQUIRED, 1, PARQUET_CONVERTED_MAP),
        group("key_value", PARQUET_REPETITION_REPEATED, 2, PARQUET_CONVERTED_NONE),
        leaf("key", PARQUET_REPETITION_REQUIRED, PARQUET_TYPE_BYTE_ARRAY),
        group("value", PARQUET_REPETITION_OPTIONAL, 1, PARQUET_CONVERTED_LIST),
        group("list", PARQUET_REPETITION_REPEATED, 1, PARQUET_CONVERTED_NONE),
        leaf("element", PARQUET_REPETITION_REQUIRED, PARQUET_TYPE_INT32),
    };
    static const int leaves[LEAVES] = {4, 7, 10};
    struct parquet_column_chunk chunks[LEAVES];
    struct buf bytes = {0};
    size_t at = 1 + 2 * LEAVES;
    if (size < at)
        return 0;
    buf_append_text(&bytes, PARQUET_MAGIC);
    for (int i = 0; i < LEAVES; i++) {
        size_t left = size - at, len = data[2 + 2 * i];
        len = len < left && i < LEAVES - 1 ? len : left;
        chunks[i] = add_chunk(&bytes, &elements[leaves[i]], data[1 + 2 * i],
                              (struct slice){data + at, len});
        at += len;
    }
    struct parquet_row_group rows = {
        .columns = chunks, .columns_count = LEAVES, .num_rows = data[0]};
    struct parquet_file_metadata m = {.version = 1,
                                      .schema = elements,
                                      .schema_count = ELEMENTS,
                                      .num_rows = rows.num_rows,
                                      .row_groups = &rows,
                                      .row_groups_count = 1};
    size_t start = bytes.len;
    parquet_write_file_metadata(&bytes, &m);
    buf_append_u32le(&bytes, (uint32_t)(bytes.len - start));
    buf_append_text(&bytes, PARQUET_MAGIC);
    read_file(buf_slice(&bytes));
    buf_free(&bytes);
    return 0;
}
