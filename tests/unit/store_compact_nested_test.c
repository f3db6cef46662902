/* SPDX-License-Identifier: MIT */
#include "store/compact.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "batch/batch.h"
#include "delta/object_file.h"
#include "parquet/read/records.h"
#include "store_fixture.h"
#include "table_fixture.h"

/* Tables whose columns nest, as those of payloads do, of files from before they had all of them. */
enum { SEQUENCE, RANGES, RANGE, LABELS, KEY_, VALUE, BODY, TAGS, TAG, MASS, COLUMNS };

static const struct column_spec columns[COLUMNS] = {
    {.name = "stream_seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    {.name = "ranges", .type = COLUMN_LIST, .optional = true},
    {.name = "element", .type = COLUMN_FLOAT},
    {.name = "labels", .type = COLUMN_MAP},
    {.name = "key", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT},
    {.name = "value", .type = COLUMN_INT32, .optional = true},
    {.name = "body", .type = COLUMN_STRUCT, .optional = true, .children = 2},
    {.name = "tags", .type = COLUMN_LIST},
    {.name = "element", .type = COLUMN_BYTES, .optional = true},
    {.name = "mass", .type = COLUMN_DOUBLE, .optional = true},
};
static const struct column_spec old_columns[COLUMNS] = {
    {.name = "stream_seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    {.name = "labels", .type = COLUMN_MAP},
    {.name = "key", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT},
    {.name = "value", .type = COLUMN_INT32, .optional = true},
    {.name = "body", .type = COLUMN_STRUCT, .optional = true, .children = 1},
    {.name = "tags", .type = COLUMN_LIST},
    {.name = "element", .type = COLUMN_BYTES, .optional = true},
};
static const struct schema schema = {"event", columns, COLUMNS};
static const struct schema old_schema = {"event", old_columns, COLUMNS - 3};

static void put_labels(struct batch *b, uint64_t row, uint32_t at)
{
    batch_begin_map(b, at);
    for (uint64_t i = 0; i < row % 3; i++) {
        batch_begin_entry(b);
        batch_put_bytes(b, at + 1, slice_of(i == 0 ? "a" : "b"));
        if (row % 2 == 0)
            batch_put_int32(b, at + 2, (int32_t)row);
        batch_end(b);
    }
    batch_end(b);
}

static void put_body(struct batch *b, uint64_t row, uint32_t at, bool old)
{
    if (row % 7 == 0)
        return;
    batch_begin_struct(b, at);
    batch_begin_list(b, at + 1);
    for (uint64_t i = 0; i < row % 4; i++)
        if (i == 1)
            batch_put_null(b, at + 2);
        else
            batch_put_bytes(b, at + 2, slice_of("tag"));
    batch_end(b);
    if (!old)
        batch_put_double(b, at + 3, (double)row);
    batch_end(b);
}

static void put_row(struct batch *b, uint64_t row)
{
    bool old = b->schema == &old_schema;
    batch_put_int64(b, SEQUENCE, (int64_t)row);
    if (!old && row % 5 != 0) {
        batch_begin_list(b, RANGES);
        for (uint64_t i = 0; i < row % 3; i++)
            batch_put_float(b, RANGE, (float)i);
        batch_end(b);
    }
    put_labels(b, row, old ? 1 : LABELS);
    put_body(b, row, old ? 4 : BODY, old);
    batch_end_row(b);
}

/* A row as it should be read, in the form of `print`. */
static void expect_row(struct buf *out, uint64_t row, bool old)
{
    buf_printf(out, "{%" PRIu64 " ", row);
    if (old || row % 5 == 0)
        buf_append_text(out, "- ");
    else
        buf_append_text(out, row % 3 == 0 ? "[] " : row % 3 == 1 ? "[0.0 ] " : "[0.0 1.0 ] ");
    buf_append_text(out, "[");
    for (uint64_t i = 0; i < row % 3; i++)
        if (row % 2 == 0)
            buf_printf(out, "(%s %" PRIu64 " ) ", i == 0 ? "a" : "b", row);
        else
            buf_printf(out, "(%s - ) ", i == 0 ? "a" : "b");
    buf_append_text(out, "] ");
    static const char *const tags[] = {"[] ", "[tag ] ", "[tag - ] ", "[tag - tag ] "};
    if (row % 7 == 0)
        buf_append_text(out, "- ");
    else if (old)
        buf_printf(out, "{%s- } ", tags[row % 4]);
    else
        buf_printf(out, "{%s%" PRIu64 ".0 } ", tags[row % 4], row);
    buf_append_text(out, "}\n");
}

static void print_value(struct buf *out, const struct parquet_value *v)
{
    float narrow;
    double wide;
    switch (v->field->type) {
    case PARQUET_TYPE_INT64:
        buf_printf(out, "%" PRIu64, load_u64le(v->bytes.data));
        break;
    case PARQUET_TYPE_INT32:
        buf_printf(out, "%" PRIu32, load_u32le(v->bytes.data));
        break;
    case PARQUET_TYPE_FLOAT:
        memcpy(&narrow, v->bytes.data, sizeof(narrow));
        buf_printf(out, "%.1f", (double)narrow);
        break;
    case PARQUET_TYPE_DOUBLE:
        memcpy(&wide, v->bytes.data, sizeof(wide));
        buf_printf(out, "%.1f", wide);
        break;
    case PARQUET_TYPE_BOOLEAN:
    case PARQUET_TYPE_INT96:
    case PARQUET_TYPE_BYTE_ARRAY:
    case PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY:
        buf_append_slice(out, v->bytes);
        break;
    }
}

static void print(struct buf *out, const struct parquet_value *v, bool entry)
{
    const struct parquet_field *f = v->field;
    bool group = entry || f->kind != PARQUET_FIELD_VALUE;
    const char *around = entry ? "()" : f->kind == PARQUET_FIELD_STRUCT ? "{}" : "[]";
    if (v->null)
        buf_append_byte(out, '-');
    else if (!group)
        print_value(out, v);
    if (!v->null && group) {
        buf_append_byte(out, (uint8_t)around[0]);
        for (const struct parquet_value *e = v->first; e != NULL; e = e->next)
            print(out, e, f->kind == PARQUET_FIELD_MAP && !entry);
        buf_append_byte(out, (uint8_t)around[1]);
    }
    buf_append_byte(out, ' ');
}

static void commit(struct store *store, const struct schema *s, uint64_t first, uint64_t last,
                   uint64_t by, bool late)
{
    table_commit_rows(store, s, "sim/{first_seq}-{last_seq}.parquet", put_row, first, last, by,
                      late);
}

static struct compact_done compact_now(void)
{
    char ignored[256];
    return table_compact(&schema, ignored);
}

static void read_all(struct store *store, const char *name, struct buf *out)
{
    struct err err = {0};
    struct delta_object_file object;
    struct parquet_codec *codec = parquet_codec_new(NULL);
    const struct parquet_value *row;
    bool found;
    EXPECT(delta_object_file_open(&object, store->objects, name, &found, &err) == 0 && found);
    struct parquet_records *records = parquet_records_new(&object.file, NULL, 0, codec);
    while (parquet_records_next(records, &row, &err) == 1) {
        print(out, row, false);
        out->data[out->len - 1] = '\n';
    }
    EXPECT_TEXT(err.text, "");
    parquet_records_free(records);
    parquet_codec_free(codec);
    delta_object_file_close(&object);
}

/* Two writers at once, rows that came late, and a file without the column `ranges` and the member
 * `mass`. */
TEST(store_compact_merges_columns_that_nest)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    struct buf found = {0}, expected = {0};
    commit(store, &schema, 1, 99, 2, true);
    commit(store, &old_schema, 2, 60, 2, false);
    commit(store, &schema, 101, 130, 1, true);
    struct compact_done done = compact_now();
    EXPECT(done.from == 3 && done.into == 1 && done.rows == 110);
    for (uint64_t row = 1; row <= 130; row++)
        if (row % 2 == 1 || row <= 60 || row > 100)
            expect_row(&expected, row, row % 2 == 0 && row <= 60);
    read_all(store, "sim/1-130-3.parquet", &found);
    EXPECT_TEXT(buf_text(&found), buf_text(&expected));
    buf_free(&found);
    buf_free(&expected);
    store_close(store);
}

/* What was written by a table with other columns stays as it is. */
TEST(store_compact_leaves_columns_that_do_not_fit)
{
    static const struct column_spec strange[] = {
        {.name = "stream_seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
        {.name = "labels", .type = COLUMN_BYTES},
    };
    static const struct schema other = {"event", strange, 2};
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    commit(store, &schema, 1, 9, 1, false);
    struct err err = {0};
    struct seqset sequences = {0};
    char sha256[SHA256_TEXT_MAX];
    struct batch *batch = batch_new(&other, NULL);
    batch_put_int64(batch, 0, 10);
    batch_put_bytes(batch, 1, slice_of("a"));
    batch_end_row(batch);
    (void)seqset_add(&sequences, 10);
    struct position position = fixture_position(10);
    struct store_epoch_file file = {.file = table_stage(store, batch, sha256),
                                    .key = "sim/{first_seq}-{last_seq}.parquet",
                                    .stream = "S",
                                    .created = "C",
                                    .sequences = &sequences,
                                    .rows = 1};
    struct store_epoch epoch = {.files = &file,
                                .file_count = 1,
                                .positions = &position,
                                .position_count = 1,
                                .rows_of = &sequences};
    EXPECT(store_commit(store, &epoch, &err) == 0);
    object_staged_free(file.file);
    seqset_free(&sequences);
    struct compact_done done = compact_now();
    EXPECT(done.swaps == 0 && done.left_alone == 1);
    store_close(store);
}
