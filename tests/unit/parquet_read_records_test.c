/* SPDX-License-Identifier: MIT */
#include "parquet/read/records.h"

#include <stdio.h>

#include "batch/batch.h"
#include "parquet/write/metadata.h"
#include "parquet/write/writer.h"
#include "parquet_fixture.h"

/* A part of what a checkpoint of a Delta log has (PROTOCOL.md, Checkpoint Schema). */
enum {
    TXN,
    TXN_APP,
    TXN_VERSION,
    ADD,
    ADD_PATH,
    ADD_VALUES,
    ADD_KEY,
    ADD_VALUE,
    ADD_CHANGE,
    COUNT
};

static const struct column_spec columns[COUNT] = {
    [TXN] = {.name = "txn", .type = COLUMN_STRUCT, .children = 2, .optional = true},
    [TXN_APP] = {.name = "appId", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true},
    [TXN_VERSION] = {.name = "version", .type = COLUMN_INT64, .optional = true},
    [ADD] = {.name = "add", .type = COLUMN_STRUCT, .children = 3, .optional = true},
    [ADD_PATH] = {.name = "path", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true},
    [ADD_VALUES] = {.name = "partitionValues", .type = COLUMN_MAP, .optional = true},
    [ADD_KEY] = {.name = "key", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT},
    [ADD_VALUE] = {.name = "value", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true},
    [ADD_CHANGE] = {.name = "dataChange", .type = COLUMN_BOOLEAN, .optional = true},
};
static const struct schema schema = {"checkpoint", columns, COUNT};

static int append(void *context, const void *data, size_t len, struct err *err)
{
    (void)err; /* memory can't fail */
    buf_append(context, data, len);
    return 0;
}

/* Row i: a txn if i is even, else an add with i % 4 partition values. */
static void put_row(struct batch *b, int i)
{
    char text[32];
    if (i % 2 == 0) {
        batch_begin_struct(b, TXN);
        batch_put_bytes(b, TXN_APP, slice_of("app"));
        batch_put_int64(b, TXN_VERSION, i);
        batch_end(b);
        batch_end_row(b);
        return;
    }
    batch_begin_struct(b, ADD);
    (void)snprintf(text, sizeof(text), "file-%d", i);
    batch_put_bytes(b, ADD_PATH, slice_of(text));
    batch_begin_map(b, ADD_VALUES);
    for (int k = 0; k < i % 4; k++) {
        (void)snprintf(text, sizeof(text), "k%d", k);
        batch_begin_entry(b);
        batch_put_bytes(b, ADD_KEY, slice_of(text));
        if (k != 1)
            batch_put_bytes(b, ADD_VALUE, slice_of(text));
        batch_end(b);
    }
    batch_end(b);
    batch_put_boolean(b, ADD_CHANGE, i % 3 == 0);
    batch_end(b);
    batch_end_row(b);
}

static void write_file(struct buf *out, struct parquet_codec *codec, int rows)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_sink sink = {.write = append, .context = out};
    struct err err = {0};
    options.row_group_rows = 2000;
    options.page_bytes = PARQUET_PAGE_BYTES_LOWEST;
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    struct batch *b = batch_new(&schema, NULL);
    for (int i = 0; i < rows; i++) {
        put_row(b, i);
        if (b->rows == 1000 || i == rows - 1) {
            EXPECT(parquet_writer_append(w, b, sink, &err) == 0);
            batch_reset(b);
        }
    }
    EXPECT(parquet_writer_finish(w, sink, &err) == 0);
    parquet_writer_free(w);
    batch_free(b);
}

static void expect_add(const struct parquet_value *add, int i)
{
    char text[32];
    struct slice path = {0};
    bool change = false;
    int64_t none = 7;
    (void)snprintf(text, sizeof(text), "file-%d", i);
    EXPECT(parquet_value_text(add, "path", &path) && slice_is(path, text));
    EXPECT(parquet_value_bool(add, "dataChange", &change) && change == (i % 3 == 0));
    EXPECT(!parquet_value_i64(add, "path", &none) && !parquet_value_i64(add, "missing", &none));
    EXPECT_I64(none, 7);
    const struct parquet_value *map = parquet_value_member(add, "partitionValues");
    EXPECT(map != NULL && map->field->kind == PARQUET_FIELD_MAP);
    int k = 0;
    for (const struct parquet_value *e = map->first; e != NULL; e = e->next, k++) {
        (void)snprintf(text, sizeof(text), "k%d", k);
        EXPECT(slice_is(e->first->bytes, text));
        EXPECT(e->first->next->null == (k == 1));
        EXPECT(k == 1 || slice_is(e->first->next->bytes, text));
    }
    EXPECT_I64(k, i % 4);
}

TEST(parquet_records_of_a_checkpoint)
{
    enum { ROWS = 5000 };
    struct buf bytes = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct err err = {0};
    struct parquet_file file;
    const struct parquet_value *row = NULL;
    write_file(&bytes, codec, ROWS);
    struct slice slice = buf_slice(&bytes);
    struct parquet_source source = fixture_source(&slice);
    EXPECT(parquet_file_open(&file, &source, &err) == 0);
    struct parquet_records *r = parquet_records_new(&file, NULL, 0, codec);
    for (int i = 0; i < ROWS; i++) {
        int64_t version = -1;
        EXPECT(parquet_records_next(r, &row, &err) == 1);
        const struct parquet_value *txn = parquet_value_member(row, "txn");
        const struct parquet_value *add = parquet_value_member(row, "add");
        EXPECT((txn != NULL) == (i % 2 == 0) && (add != NULL) == (i % 2 == 1));
        if (txn != NULL)
            EXPECT(parquet_value_i64(txn, "version", &version) && version == i);
        else
            expect_add(add, i);
    }
    EXPECT(parquet_records_next(r, &row, &err) == 0);
    EXPECT(parquet_records_next(r, &row, &err) == 0);
    parquet_records_free(r);

    const struct parquet_field *one = parquet_field_child(file.root, slice_of("txn"));
    r = parquet_records_new(&file, &one, 1, codec);
    EXPECT(parquet_records_next(r, &row, &err) == 1);
    EXPECT(parquet_value_member(row, "txn") != NULL && row->first->next == NULL);
    parquet_records_free(r);
    parquet_records_free(NULL);
    parquet_file_close(&file);
    parquet_codec_free(codec);
    buf_free(&bytes);
}

/* Two required lists of one struct each, whose leaves a and b have these levels: 8 entries, in RLE
 * runs and bit-packed as Encodings.md has it, without values. */
static enum err_code read_pair(const char *a, const char *b, uint64_t *rows)
{
    const struct parquet_schema_element elements[] = {
        {.name = slice_of("schema"), .num_children = 1, .converted_type = PARQUET_CONVERTED_NONE},
        {.name = slice_of("l"),
         .has_repetition = true,
         .repetition = PARQUET_REPETITION_REPEATED,
         .num_children = 2,
         .converted_type = PARQUET_CONVERTED_NONE},
        {.name = slice_of("a"),
         .has_type = true,
         .type = PARQUET_TYPE_INT32,
         .has_repetition = true,
         .repetition = PARQUET_REPETITION_OPTIONAL,
         .converted_type = PARQUET_CONVERTED_NONE},
        {.name = slice_of("b"),
         .has_type = true,
         .type = PARQUET_TYPE_INT32,
         .has_repetition = true,
         .repetition = PARQUET_REPETITION_OPTIONAL,
         .converted_type = PARQUET_CONVERTED_NONE},
    };
    const enum parquet_encoding plain = PARQUET_ENCODING_PLAIN;
    const char *const levels[2] = {a, b};
    struct parquet_column_chunk chunks[2];
    struct buf bytes = {0};
    buf_append_text(&bytes, PARQUET_MAGIC);
    for (int i = 0; i < 2; i++) {
        struct slice body = fixture_hex(levels[i]);
        struct parquet_page_header h = {.type = PARQUET_PAGE_DATA,
                                        .uncompressed_page_size = (int32_t)body.len,
                                        .compressed_page_size = (int32_t)body.len,
                                        .num_values = 8,
                                        .definition_level_encoding = PARQUET_ENCODING_RLE,
                                        .repetition_level_encoding = PARQUET_ENCODING_RLE};
        chunks[i] = (struct parquet_column_chunk){.type = PARQUET_TYPE_INT32,
                                                  .encodings = &plain,
                                                  .encodings_count = 1,
                                                  .path = &elements[2 + i].name,
                                                  .path_count = 1,
                                                  .num_values = 8,
                                                  .data_page_offset = (int64_t)bytes.len};
        parquet_write_page_header(&bytes, &h);
        buf_append_slice(&bytes, body);
        chunks[i].total_compressed_size = (int64_t)bytes.len - chunks[i].data_page_offset;
    }
    struct parquet_row_group group = {.columns = chunks, .columns_count = 2, .num_rows = 4};
    struct parquet_file_metadata m = {.version = 1,
                                      .schema = elements,
                                      .schema_count = 4,
                                      .num_rows = 4,
                                      .row_groups = &group,
                                      .row_groups_count = 1};
    size_t start = bytes.len;
    parquet_write_file_metadata(&bytes, &m);
    buf_append_u32le(&bytes, (uint32_t)(bytes.len - start));
    buf_append_text(&bytes, PARQUET_MAGIC);
    struct slice slice = buf_slice(&bytes);
    struct parquet_source source = fixture_source(&slice);
    struct parquet_file file;
    struct err err = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    const struct parquet_value *row = NULL;
    EXPECT(parquet_file_open(&file, &source, &err) == 0);
    struct parquet_records *r = parquet_records_new(&file, NULL, 0, codec);
    for (*rows = 0; parquet_records_next(r, &row, &err) == 1; ++*rows)
        continue;
    parquet_records_free(r);
    parquet_file_close(&file);
    parquet_codec_free(codec);
    buf_free(&bytes);
    return err.code;
}

/* Repetition levels 0 1 0 1 0 1 0 1 as one bit-packed group (03 aa), definition levels of two bits:
 * eight times 1 is a run (10 01), 1 1 1 1 1 1 0 0 packed is 03 55 05. */
#define TWO_A_ROW "02000000 03aa"
#define LIST_OF_NULLS "02000000 1001"

TEST(parquet_records_of_leaves_that_contradict_each_other)
{
    uint64_t rows = 0;
    EXPECT_I64(read_pair(TWO_A_ROW LIST_OF_NULLS, TWO_A_ROW LIST_OF_NULLS, &rows), ERR_NONE);
    EXPECT_U64(rows, 4);
    /* other rows in b: 0 0 1 1 0 1 0 1 */
    EXPECT_I64(read_pair(TWO_A_ROW LIST_OF_NULLS, "02000000 03ac" LIST_OF_NULLS, &rows),
               ERR_FORMAT);
    EXPECT_U64(rows, 0);
    /* rows of one element, of which b has more: 0 0 0 0 0 0 0 0 */
    EXPECT_I64(read_pair("02000000 1000" LIST_OF_NULLS, TWO_A_ROW LIST_OF_NULLS, &rows),
               ERR_FORMAT);
    EXPECT_U64(rows, 1);
    /* b says that the list of its last row is empty, which it also says has two elements */
    EXPECT_I64(read_pair(TWO_A_ROW LIST_OF_NULLS, TWO_A_ROW "03000000 035505", &rows), ERR_FORMAT);
    EXPECT_U64(rows, 3);
    /* the chunk begins in the middle of a row */
    EXPECT_I64(read_pair("02000000 03ab" LIST_OF_NULLS, "02000000 03ab" LIST_OF_NULLS, &rows),
               ERR_FORMAT);
    EXPECT_U64(rows, 0);
}
