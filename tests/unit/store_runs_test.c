/* SPDX-License-Identifier: MIT */
#include "store/runs.h"

#include "base/clock.h"
#include "batch/batch.h"
#include "delta/object_file.h"
#include "object/memory.h"
#include "store/run_manifest.h"
#include "store_fixture.h"
#include "table_fixture.h"

enum { SIMULATION, KIND, SEQUENCE, CAME, TIME };
static const struct column_spec columns[] = {
    {.name = "simulation_id", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .bounds = true},
    {.name = "event_type_key", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .bounds = true},
    {.name = "stream_seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    {.name = "stream_time", .type = COLUMN_INT64, .meaning = COLUMN_TIME_MICROS, .bounds = true},
    {.name = "timestamp_ns", .type = COLUMN_INT64, .bounds = true},
};
static const struct schema schema = {"event", columns, 5};

/* A row comes a second behind the one before it. */
#define START INT64_C(1780000000000000)
static int64_t came(uint64_t sequence)
{
    return (START + (int64_t)sequence * 1000000) * 1000;
}

static const struct compact_options compaction = {.version = "0",
                                                  .schema = &schema,
                                                  .after = 3600 * CLOCK_SECOND,
                                                  .target_bytes = COMPACT_TARGET_BYTES,
                                                  .level = 3};
static const struct runs_options options = {.schema = &schema,
                                            .run = "simulation_id",
                                            .kind = "event_type_key",
                                            .time = "timestamp_ns",
                                            .arrival = "stream_time",
                                            .end_kind = "end",
                                            .compaction = &compaction};

static struct object_staged *stage(struct store *store, const char *run, const char *kind,
                                   uint64_t first, uint64_t last)
{
    struct batch *batch = batch_new(&schema, NULL);
    for (uint64_t row = first; row <= last; row++) {
        batch_put_bytes(batch, SIMULATION, slice_of(run));
        batch_put_bytes(batch, KIND, slice_of(row == last ? kind : "b"));
        batch_put_int64(batch, SEQUENCE, (int64_t)row);
        batch_put_int64(batch, CAME, came(row) / 1000);
        batch_put_int64(batch, TIME, came(row));
        batch_end_row(batch);
    }
    char ignored[SHA256_TEXT_MAX];
    return table_stage(store, batch, ignored);
}

static struct store_column_stats texts(uint32_t column, const char *min, const char *max)
{
    return (struct store_column_stats){
        .column = column, .bounded = true, .text_min = slice_of(min), .text_max = slice_of(max)};
}

static struct store_column_stats numbers(uint32_t column, int64_t min, int64_t max)
{
    return (struct store_column_stats){.column = column, .bounded = true, .min = min, .max = max};
}

/* One file of a run: rows of the kind b, the last of `kind`. */
static void commit(struct store *store, const char *run, const char *kind, uint64_t first,
                   uint64_t last)
{
    struct seqset sequences = {0};
    struct buf key = {0};
    buf_printf(&key, "%s/day/{first_seq}-{last_seq}.parquet", run);
    seqset_add_range(&sequences, first, last);
    bool less = strcmp(kind, "b") < 0;
    const struct store_column_stats stats[] = {
        texts(SIMULATION, run, run),
        texts(KIND, less ? kind : "b", less ? "b" : kind),
        numbers(SEQUENCE, (int64_t)first, (int64_t)last),
        numbers(CAME, came(first) / 1000, came(last) / 1000),
        numbers(TIME, came(first), came(last)),
    };
    table_commit(store,
                 (struct store_epoch_file){.file = stage(store, run, kind, first, last),
                                           .key = buf_text(&key),
                                           .columns = stats,
                                           .column_count = 5},
                 &sequences);
    buf_free(&key);
}

static const atomic_bool never;

/* A keeper that knows nothing from before. */
static struct runs_closed look(struct system system, int64_t now)
{
    struct err err = {0};
    struct runs_memory memory = {0};
    struct runs_closed closed;
    struct object_store *keeper = keeper_open("root", &system, &err);
    EXPECT(keeper != NULL &&
           runs_close(keeper, &options, now, &never, &memory, &closed, &err) == 0);
    EXPECT_TEXT(err.text, "");
    runs_memory_free(&memory);
    object_store_close(keeper);
    return closed;
}

/* What is written down of "r" is whole, and true of files that the log has. */
static void expect_manifest(struct store *store, uint64_t edition, uint64_t rows)
{
    struct err err = {0};
    struct run_manifest m;
    struct delta_snapshot table = {.want_files = true};
    struct buf sums = {0}, text = {0};
    bool found;
    EXPECT(run_manifest_read(&m, store->objects, slice_of("r"), &found, &err) == 0 && found);
    EXPECT(delta_snapshot_load(&table, store->objects, &err) == 0);
    EXPECT(m.edition == edition && m.rows == rows && m.files.count == 1);
    for (size_t i = 0; i < m.files.count; i++) {
        char sha256[SHA256_TEXT_MAX];
        EXPECT(delta_snapshot_file(&table, slice_of(m.files.list[i].path)) != NULL);
        EXPECT(object_hash(store->objects, m.files.list[i].path, sha256, &found, &err) == 0);
        EXPECT(found);
        EXPECT_TEXT(sha256, m.files.list[i].sha256);
    }
    run_manifest_sums(&m, &sums);
    EXPECT(object_get_all(store->objects, "_runs/r.sha256", 1 << 20, &text, &found, &err) == 0);
    EXPECT(found && slice_equal(buf_slice(&text), buf_slice(&sums)));
    buf_free(&sums);
    buf_free(&text);
    delta_snapshot_free(&table);
    run_manifest_free(&m);
}

/* The row that ends it closes a run at once, whatever sorts before and behind; what comes later
 * makes one edition more, but not before nothing has come for a while. */
TEST(store_runs_end_with_a_row)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    commit(store, "r", "a", 1, 2);
    commit(store, "other", "z", 3, 4);
    commit(store, "r", "z", 5, 6);
    struct runs_closed closed = look(plain, came(6));
    EXPECT(!closed.found && closed.next == INT64_MAX);
    commit(store, "r", "end", 7, 9);
    closed = look(plain, came(9));
    EXPECT(closed.found && closed.news && closed.edition == 1 && closed.rows == 7);
    EXPECT(closed.files == 1 && !closed.more);
    EXPECT_TEXT(closed.run, "r");
    expect_manifest(store, 1, 7);
    EXPECT(!look(plain, came(9)).found);
    commit(store, "r", "a", 10, 10);
    closed = look(plain, came(10));
    EXPECT(!closed.found && closed.next == came(10) + RUNS_LATE);
    closed = look(plain, came(10) + RUNS_LATE);
    EXPECT(closed.found && closed.news && closed.edition == 2 && closed.rows == 8);
    expect_manifest(store, 2, 8);
    store_close(store);
}

/* A file that can't be read keeps its own run open, and no other one. */
TEST(store_runs_with_a_damaged_file_keep_nobody)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    commit(store, "bad", "end", 1, 1);
    commit(store, "bad", "end", 2, 2);
    commit(store, "r", "end", 3, 3);
    fixture_write("root/bad/day/1-1.parquet", "no Parquet");
    struct runs_closed closed = look(plain, came(3));
    EXPECT(closed.found);
    EXPECT_TEXT(closed.run, "r");
    expect_manifest(store, 1, 1);
    store_close(store);
}

/* The process is killed, or the power fails, at each call: the next look writes down all of the run
 * under its first edition, of files that are there. */
TEST(store_runs_survive_power_cuts)
{
    for (uint64_t n = 1;; n += 3) {
        struct memory_disk *disk = memory_disk_new(n);
        struct system system = memory_disk_system(disk);
        struct err err = {0};
        struct runs_memory memory = {0};
        struct runs_closed closed;
        struct store *store = table_open(&schema, system);
        commit(store, "r", "a", 1, 3);
        commit(store, "r", "end", 4, 9);
        struct object_store *keeper = keeper_open("root", &system, &err);
        uint64_t before = memory_disk_calls(disk);
        memory_disk_cut(disk, n);
        int result = runs_close(keeper, &options, came(9), &never, &memory, &closed, &err);
        bool beyond = memory_disk_calls(disk) - before < n;
        EXPECT(beyond || result != 0 || memory_disk_is_off(disk));
        runs_memory_free(&memory);
        object_store_close(keeper);
        store_close(store);
        memory_disk_restart(disk, n % 2 == 0);
        store = table_open(&schema, system);
        (void)look(system, came(9));
        expect_manifest(store, 1, 9);
        EXPECT(!look(system, came(9)).found);
        store_close(store);
        memory_disk_free(disk);
        if (beyond)
            break;
    }
}
