/* SPDX-License-Identifier: MIT */
#include "store/compact.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "batch/batch.h"
#include "parquet/read/column.h"
#include "parquet/read/rows.h"
#include "parquet/verify/verify.h"
#include "store_fixture.h"
#include "table_fixture.h"

/*
 * Row groups that compaction takes over as they are. Files here have one row group; one of LARGE
 * rows is large enough.
 */
enum { LARGE = 9000, ROW_BYTES = 1000 };

#define KEY "sim/day/{first_seq}-{last_seq}.parquet"

static const struct column_spec columns[] = {
    {.name = "simulation_id",
     .type = COLUMN_BYTES,
     .meaning = COLUMN_TEXT,
     .dictionary = true,
     .bounds = true},
    {.name = "stream_seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    {.name = "reward", .type = COLUMN_DOUBLE, .optional = true, .bounds = true},
    {.name = "payload", .type = COLUMN_BYTES},
};
static const struct schema schema = {"event", columns, 4};

static void put_row(struct batch *batch, uint64_t row)
{
    uint8_t payload[ROW_BYTES];
    for (size_t i = 0; i < ROW_BYTES; i++)
        payload[i] = (uint8_t)(row * (i / 100) >> i % 7);
    batch_put_bytes(batch, 0, slice_of(row % 2 == 0 ? "even" : "odd"));
    batch_put_int64(batch, 1, (int64_t)row);
    if (row % 5 == 0)
        batch_put_null(batch, 2);
    else
        batch_put_double(batch, 2, (double)row / 4);
    batch_put_bytes(batch, 3, (struct slice){payload, ROW_BYTES});
    batch_end_row(batch);
}

static void commit(struct store *store, uint64_t first, uint64_t last, uint64_t by, bool late)
{
    table_commit_rows(store, &schema, KEY, put_row, first, last, by, late);
}

/* A file of the table, whole. */
struct whole {
    struct buf bytes;
    struct slice view;
    struct parquet_file file;
};

static int read_bytes(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    const struct slice *bytes = context;
    if (offset > bytes->len || len > bytes->len - offset)
        return err_set(err, ERR_SYSTEM, "read beyond the end");
    memcpy(data, bytes->data + offset, len);
    return 0;
}

static void read_whole(struct whole *w, struct store *store, const char *name)
{
    struct err err = {0};
    bool found;
    *w = (struct whole){0};
    EXPECT(object_get_all(store->objects, name, UINT64_C(1) << 30, &w->bytes, &found, &err) == 0);
    EXPECT(found);
    w->view = buf_slice(&w->bytes);
    const struct parquet_source source = {read_bytes, &w->view, w->view.len};
    EXPECT(parquet_file_open(&w->file, &source, &err) == 0);
    EXPECT_TEXT(err.text, "");
}

static void free_whole(struct whole *w)
{
    parquet_file_close(&w->file);
    buf_free(&w->bytes);
}

/* All pages of a row group, byte for byte. */
static bool is_same_group(const struct whole *a, uint32_t group_a, const struct whole *b,
                          uint32_t group_b)
{
    const struct parquet_row_group *x = &a->file.metadata.row_groups[group_a];
    const struct parquet_row_group *y = &b->file.metadata.row_groups[group_b];
    return x->num_rows == y->num_rows && x->total_compressed_size == y->total_compressed_size &&
           memcmp(a->view.data + x->file_offset, b->view.data + y->file_offset,
                  (size_t)x->total_compressed_size) == 0;
}

static void print_finding(void *context, const struct parquet_finding *finding)
{
    (void)context;
    printf("row group %d: %s\n", (int)finding->row_group, finding->text);
}

/* All that is said of the pages is true of them, and the rows are these, in this order. */
static void check_file(const struct whole *w, uint64_t rows, uint64_t first, uint64_t last)
{
    struct err err = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_verify verify = {.codec = codec, .found = print_finding};
    uint32_t leaf = 1;
    struct slice value;
    uint64_t count = 0, before = 0;
    parquet_verify(&verify, &w->file.source);
    EXPECT_U64(verify.findings, 0);
    EXPECT_U64(verify.pages_without_crc, 0);
    parquet_verify_free(&verify);
    struct parquet_rows *reader = parquet_rows_new(&w->file, &leaf, 1, codec);
    while (parquet_rows_next(reader, &value, &err) == 1) {
        uint64_t sequence = load_u64le(value.data);
        EXPECT(count == 0 ? sequence == first : sequence > before);
        before = sequence;
        count++;
    }
    EXPECT_TEXT(err.text, "");
    EXPECT(count == rows && before == last);
    parquet_rows_free(reader);
    parquet_codec_free(codec);
}

/* Bounds in the log are those of all rows, whether they were read or not. */
static void check_log(struct store *store, const char *name, const char *sequences,
                      const char *stats)
{
    struct err err = {0};
    struct delta_snapshot table = {.want_files = true};
    EXPECT(delta_snapshot_load(&table, store->objects, &err) == 0);
    const struct delta_file *file = delta_snapshot_file(&table, slice_of(name));
    EXPECT(file != NULL);
    EXPECT(slice_is(delta_map_get(&file->tags, "varve.sequences"), sequences));
    EXPECT(slice_is(file->stats, stats));
    delta_snapshot_free(&table);
}

TEST(store_compact_copies_large_row_groups)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    struct whole first, third, after;
    char why[256];
    commit(store, 1, LARGE, 1, false);
    commit(store, LARGE + 1, LARGE + 10, 1, false); /* small */
    commit(store, LARGE + 11, 2 * LARGE + 10, 1, false);
    /* Two instances at once: the ranges interleave. */
    commit(store, 20001, 20001 + 2 * LARGE - 2, 2, false);
    commit(store, 20002, 20002 + 2 * LARGE - 2, 2, false);
    read_whole(&first, store, "sim/day/1-9000.parquet");
    read_whole(&third, store, "sim/day/9011-18010.parquet");
    struct compact_done done = table_compact(&schema, why);
    EXPECT_TEXT(why, "");
    EXPECT(done.from == 5 && done.into == 1 && done.rows == 4 * LARGE + 10);
    read_whole(&after, store, "sim/day/1-38000-5.parquet");
    EXPECT_U64(after.file.metadata.row_groups_count, 4);
    EXPECT(is_same_group(&first, 0, &after, 0));
    EXPECT(is_same_group(&third, 0, &after, 2));
    EXPECT_I64(after.file.metadata.row_groups[3].num_rows, 2 * LARGE);
    check_file(&after, 4 * LARGE + 10, 1, 38000);
    check_log(
        store, "sim/day/1-38000-5.parquet", "1-18010,20001-38000",
        "{\"numRecords\":36010,"
        "\"minValues\":{\"simulation_id\":\"even\",\"stream_seq\":1},"
        "\"maxValues\":{\"simulation_id\":\"odd\",\"stream_seq\":38000},"
        "\"nullCount\":{\"simulation_id\":0,\"stream_seq\":0,\"reward\":7202,\"payload\":0}}");
    free_whole(&first);
    free_whole(&third);
    free_whole(&after);

    /* And again, with what came since: nothing of it is encoded a second time. */
    commit(store, 40001, 40001 + LARGE - 1, 1, false);
    read_whole(&first, store, "sim/day/1-38000-5.parquet");
    done = table_compact(&schema, why);
    EXPECT(done.from == 2 && done.into == 1);
    read_whole(&after, store, "sim/day/1-49000-7.parquet");
    EXPECT_U64(after.file.metadata.row_groups_count, 5);
    for (uint32_t i = 0; i < 4; i++)
        EXPECT(i == 1 || is_same_group(&first, i, &after, i));
    check_file(&after, 5 * LARGE + 10, 1, 49000);
    free_whole(&first);
    free_whole(&after);
    store_close(store);
}

/* Rows that were delivered late come to their place, whatever they are a part of. */
TEST(store_compact_copies_no_row_group_that_is_out_of_order)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    struct whole after;
    char why[256];
    commit(store, 1, LARGE, 1, true);
    commit(store, LARGE + 1, 2 * LARGE, 1, false);
    EXPECT(table_compact(&schema, why).into == 1);
    read_whole(&after, store, "sim/day/1-18000-2.parquet");
    check_file(&after, 2 * LARGE, 1, 2 * LARGE);
    free_whole(&after);
    store_close(store);
}

/* What is copied is not looked into: so a file that is not as it was committed is left alone. */
TEST(store_compact_copies_nothing_that_is_damaged)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    char why[256];
    commit(store, 1, LARGE, 1, false);
    commit(store, LARGE + 1, LARGE + 10, 1, false);
    FILE *file = fopen("root/sim/day/1-9000.parquet", "r+");
    struct whole whole;
    read_whole(&whole, store, "sim/day/1-9000.parquet");
    long at = (long)whole.file.metadata.row_groups[0].columns[1].column_index_offset + 20;
    uint8_t byte = whole.view.data[at] ^ 1;
    free_whole(&whole);
    EXPECT(file != NULL && fseek(file, at, SEEK_SET) == 0 && fwrite(&byte, 1, 1, file) == 1);
    EXPECT(fclose(file) == 0);
    struct compact_done done = table_compact(&schema, why);
    EXPECT(done.swaps == 0 && done.left_alone == 1);
    EXPECT_TEXT(why, "sim/day/1-9000.parquet: it is not as the log says: its bytes have changed");
    EXPECT(fixture_is_file("root/sim/day/1-9000.parquet"));
    store_close(store);
}
