/* SPDX-License-Identifier: MIT */
#include "store/compact.h"

#include "base/clock.h"
#include "base/bytes.h"
#include "batch/batch.h"
#include "delta/log.h"
#include "delta/object_file.h"
#include "object/memory.h"
#include "parquet/read/rows.h"
#include "store_fixture.h"
#include "table_fixture.h"

#define KEY "sim/day/{first_seq}-{last_seq}.parquet"
#define HOUR (3600 * CLOCK_SECOND)

/* The table as it is now; its first files lack the last column. */
static const struct column_spec columns[] = {
    {.name = "simulation_id", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .bounds = true},
    {.name = "stream_seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    {.name = "headers", .type = COLUMN_BYTES, .optional = true},
};
static const struct schema schema = {"event", columns, 3};
static const struct schema old_schema = {"event", columns, 2};

static void put_row(struct batch *batch, uint64_t row)
{
    struct buf text = {0};
    buf_printf(&text, "sim-%" PRIu64, row % 7);
    batch_put_bytes(batch, 0, buf_slice(&text));
    batch_put_int64(batch, 1, (int64_t)row);
    if (batch->schema->count > 2)
        batch_put_bytes(batch, 2, slice_of("a: b"));
    batch_end_row(batch);
    buf_free(&text);
}

static void commit_in_order(struct store *store, const struct schema *s, const char *key,
                            uint64_t first, uint64_t last, uint64_t by, bool late)
{
    table_commit_rows(store, s, key, put_row, first, last, by, late);
}

static void commit_rows(struct store *store, const struct schema *s, const char *key,
                        uint64_t first, uint64_t last, uint64_t by)
{
    commit_in_order(store, s, key, first, last, by, false);
}

static struct compact_options options(void)
{
    return (struct compact_options){.version = "0",
                                    .schema = &schema,
                                    .after = HOUR,
                                    .target_bytes = COMPACT_TARGET_BYTES,
                                    .level = 3};
}

struct said {
    uint32_t count;
    char why[256];
};

static void note(void *context, const struct compact_folder_report *folder)
{
    struct said *said = context;
    said->count += folder->why != NULL;
    if (folder->why != NULL)
        (void)snprintf(said->why, sizeof(said->why), "%s", folder->why);
}

static struct compact_done run_as(struct compact_options o, struct system system, int64_t later,
                                  struct said *said)
{
    struct err err = {0};
    struct compact_done done;
    struct object_store *keeper = keeper_open("root", &system, &err);
    EXPECT(keeper != NULL);
    struct account memory = {0}; /* nothing stays in it, and the sanitizers know the rest */
    o.account = &memory;
    EXPECT(compact(keeper, &o, clock_wall() + later, NULL, note, said, &done, &err) == 0);
    EXPECT_TEXT(err.text, "");
    EXPECT_U64(account_bytes(&memory), 0);
    object_store_close(keeper);
    return done;
}

static struct compact_done run(struct system system, int64_t later, struct said *said)
{
    return run_as(options(), system, later, said);
}

/* All rows that the log has, in the order of its files, which are sorted by name. */
static void read_rows(struct store *store, uint64_t *count, uint64_t *headers, bool *ordered,
                      uint64_t *files)
{
    struct err err = {0};
    struct delta_snapshot table = {.want_files = true};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    *count = *headers = *files = 0;
    *ordered = true;
    EXPECT(delta_snapshot_load(&table, store->objects, &err) == 0);
    for (size_t i = 0; i < table.files.count; i++) {
        struct delta_object_file object;
        struct buf name = {0};
        bool found;
        if (table.files.list[i] == NULL)
            continue;
        ++*files;
        EXPECT(delta_path_decode(&name, table.files.list[i]->path));
        EXPECT(delta_object_file_open(&object, store->objects, buf_text(&name), &found, &err) ==
                   0 &&
               found);
        uint32_t leaves[] = {(uint32_t)parquet_file_leaf(&object.file, slice_of("stream_seq")), 0};
        int64_t has = parquet_file_leaf(&object.file, slice_of("headers"));
        leaves[1] = has < 0 ? leaves[0] : (uint32_t)has;
        struct parquet_rows *rows = parquet_rows_new(&object.file, leaves, 2, codec);
        struct slice values[2];
        uint64_t last = 0;
        while (parquet_rows_next(rows, values, &err) == 1) {
            *ordered = *ordered && load_u64le(values[0].data) > last;
            last = load_u64le(values[0].data);
            *headers += has >= 0 && values[1].data != NULL;
            ++*count;
        }
        EXPECT_TEXT(err.text, "");
        parquet_rows_free(rows);
        delta_object_file_close(&object);
        buf_free(&name);
    }
    parquet_codec_free(codec);
    delta_snapshot_free(&table);
}

/* Two instances whose files interleave, and files from before the table had all its columns, become
 * one file in the order of the stream; what is known of them is carried over. */
TEST(store_compact_merges_rows_in_stream_order)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    commit_rows(store, &old_schema, KEY, 1, 19, 2);
    commit_rows(store, &old_schema, KEY, 2, 20, 2);
    commit_rows(store, &schema, KEY, 21, 39, 2);
    commit_rows(store, &schema, KEY, 22, 30, 2);
    commit_rows(store, &schema, "sim/other/{first_seq}.parquet", 40, 40, 1);
    struct said said = {0};
    struct compact_done done = run(plain, 0, &said);
    EXPECT(done.swaps == 0); /* the folder is not closed yet */
    done = run(plain, 2 * HOUR, &said);
    EXPECT(done.swaps == 1 && done.from == 4 && done.into == 1 && done.rows == 35);
    EXPECT(done.live == 2 && said.count == 0);
    uint64_t rows, headers, files;
    bool ordered;
    read_rows(store, &rows, &headers, &ordered, &files);
    EXPECT(rows == 36 && headers == 16 && ordered && files == 2);
    EXPECT(fixture_is_file("root/sim/day/1-39-5.parquet"));
    EXPECT(!fixture_is_file("root/sim/day/1-19.parquet"));
    done = run(plain, 2 * HOUR, &said);
    EXPECT(done.swaps == 0);
    store_close(store);

    /* The next start knows the rows by the log, and goes on. */
    store = table_open(&schema, plain);
    struct delta_snapshot table = {.want_files = true, .want_varve = true};
    struct err err = {0};
    EXPECT(delta_snapshot_load(&table, store->objects, &err) == 0);
    const struct delta_file *file = delta_snapshot_file(&table, slice_of("sim/day/1-39-5.parquet"));
    EXPECT(file != NULL);
    struct slice sequences = delta_map_get(&file->tags, "varve.sequences");
    EXPECT(slice_is(sequences, "1-30,31,33,35,37,39") || slice_is(sequences, "1-31,33,35,37,39"));
    delta_snapshot_free(&table);
    commit_rows(store, &schema, KEY, 41, 42, 1);
    store_close(store);
}

/* A file may have rows that were delivered late behind others: not so the file that it becomes a
 * part of. */
TEST(store_compact_puts_late_rows_in_their_place)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    struct said said = {0};
    uint64_t rows, headers, files;
    bool ordered;
    commit_in_order(store, &schema, KEY, 1, 99, 2, true);
    commit_in_order(store, &old_schema, KEY, 2, 80, 2, true);
    commit_rows(store, &schema, KEY, 100, 120, 1);
    read_rows(store, &rows, &headers, &ordered, &files);
    EXPECT(!ordered);
    struct compact_done done = run(plain, 2 * HOUR, &said);
    EXPECT(done.from == 3 && done.into == 1 && done.rows == 50 + 40 + 21 && said.count == 0);
    read_rows(store, &rows, &headers, &ordered, &files);
    EXPECT(rows == 50 + 40 + 21 && headers == 50 + 21 && ordered && files == 1);
    store_close(store);
}

/* Sixteen small files are merged though their folder is written to. */
TEST(store_compact_does_not_wait_where_there_are_many)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    struct said said = {0};
    for (uint64_t i = 1; i <= 16; i++)
        commit_rows(store, &schema, KEY, i, i, 1);
    EXPECT(run(plain, 0, &said).from == 16);
    store_close(store);
}

/* Files that together are larger become several, none of them above the target; one of half of it
 * stays as it is. */
TEST(store_compact_fills_files_up_to_the_target)
{
    enum { FILES = 12, EACH = 50 };
    struct system plain = {0};
    struct err err = {0};
    struct store *store = table_open(&schema, plain);
    struct said said = {0};
    struct compact_options o = options();
    uint64_t rows, headers, files, largest = 0, least = UINT64_MAX;
    bool ordered;
    for (uint64_t i = 0; i < FILES; i++)
        commit_rows(store, &schema, KEY, i * EACH + 1, (i + 1) * EACH, 1);
    struct delta_snapshot table = {.want_files = true};
    EXPECT(delta_snapshot_load(&table, store->objects, &err) == 0 && table.files.count == FILES);
    for (size_t i = 0; i < FILES; i++) {
        uint64_t size = table.files.list[i]->size;
        largest = size > largest ? size : largest;
        least = size < least ? size : least;
    }
    delta_snapshot_free(&table);
    EXPECT(4 * largest < 5 * least);
    o.target_bytes = 2 * least; /* none is small */
    EXPECT(run_as(o, plain, 2 * HOUR, &said).from == 0);
    o.target_bytes = 4 * largest; /* four fit, five don't */
    struct compact_done done = run_as(o, plain, 2 * HOUR, &said);
    EXPECT(done.from == FILES && done.into == FILES / 4 && done.rows == FILES * EACH);
    read_rows(store, &rows, &headers, &ordered, &files);
    EXPECT(rows == FILES * EACH && files == FILES / 4);
    store_close(store);
}

/* What is encoded anew is so at the level that is asked for: at the highest one it is smaller. */
TEST(store_compact_compresses_harder)
{
    static const int levels[] = {-7, 19};
    uint64_t bytes[2];
    struct system plain = {0};
    for (size_t i = 0; i < 2; i++) {
        struct store *store = table_open(&schema, plain);
        struct said said = {0};
        struct compact_options o = options();
        o.level = levels[i];
        for (uint64_t k = 0; k < 4; k++)
            commit_rows(store, &schema, KEY, k * 5000 + 1, k * 5000 + 5000, 1);
        struct compact_done done = run_as(o, plain, 2 * HOUR, &said);
        EXPECT(done.from == 4 && done.into == 1);
        bytes[i] = done.after;
        store_close(store);
        EXPECT(rename("root", levels[i] < 0 ? "low" : "high") == 0);
    }
    EXPECT(bytes[1] < bytes[0]);
}

TEST(store_compact_leaves_foreign_files_alone)
{
    struct system plain = {0};
    struct store *store = table_open(&schema, plain);
    struct said said = {0};
    commit_rows(store, &schema, KEY, 1, 1, 1);
    commit_rows(store, &schema, KEY, 2, 2, 1);
    fixture_write("root/sim/day/notes.txt", "mine");
    struct compact_done done = run(plain, 2 * HOUR, &said);
    EXPECT(done.swaps == 0 && done.left_alone == 1 && said.count == 1);
    EXPECT(fixture_is_file("root/sim/day/notes.txt"));
    store_close(store);
}

/* Another engine has other plans with the same files, in the very moment: ours are given up. */
struct meddling {
    struct store *store;
    const char *entry; /* of the log, its number 4 */
};

static void meddle(void *context, const char *name)
{
    struct meddling *m = context;
    struct err err = {0};
    bool taken;
    if (strcmp(name, "swap.record") == 0)
        EXPECT(delta_entry_append(m->store->objects, 4, slice_of(m->entry), &taken, &err) == 0);
}

static void expect_given_up(const char *entry)
{
    struct memory_disk *disk = memory_disk_new(1);
    struct system system = memory_disk_system(disk);
    struct meddling m = {table_open(&schema, system), entry};
    struct said said = {0};
    struct err err = {0};
    struct object_info info;
    bool found;
    commit_rows(m.store, &schema, KEY, 1, 1, 1);
    commit_rows(m.store, &schema, KEY, 2, 2, 1);
    EXPECT(delta_entry_append(m.store->objects, 3,
                              slice_of("{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":"
                                       "7,\"writerFeatures\":[\"appendOnly\"]}}\n"),
                              &found, &err) == 0);
    memory_disk_before_rename(disk, meddle, &m);
    struct compact_done done = run(system, 2 * HOUR, &said);
    EXPECT(done.swaps == 0 && done.given_up == 1);
    memory_disk_before_rename(disk, NULL, NULL);
    EXPECT(object_head(m.store->objects, "sim/day/1-1.parquet", &info, &found, &err) == 0 && found);
    store_close(m.store);
    memory_disk_free(disk);
}

#define REMOVE "{\"remove\":{\"path\":\"sim/day/1-1.parquet\",\"dataChange\":true}}\n"
#define ADD_WITHOUT_A_ROW                                                                   \
    "{\"add\":{\"path\":\"sim/day/1-1.parquet\",\"partitionValues\":{},\"size\":1,"         \
    "\"modificationTime\":1,\"dataChange\":true,\"deletionVector\":{\"storageType\":\"u\"," \
    "\"pathOrInlineDv\":\"ab^-aqEH.-t@S}K{vb[*k^\",\"offset\":4,\"sizeInBytes\":40,"        \
    "\"cardinality\""                                                                       \
    ":1}}}\n"
#define NEEDS(feature)                                                                            \
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"" feature \
    "\"],\"writerFeatures\":[\"appendOnly\",\"" feature "\"]}}\n"

TEST(store_compact_gives_up_what_others_have_changed)
{
    expect_given_up(REMOVE);
    expect_given_up(REMOVE ADD_WITHOUT_A_ROW);
    expect_given_up(ADD_WITHOUT_A_ROW);
    expect_given_up(NEEDS("deletionVectors"));
    expect_given_up(NEEDS("deletionVectors") REMOVE ADD_WITHOUT_A_ROW);
    expect_given_up("{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":6}}\n");
}

/* Files of rows 1 to 3 and 4 to 9, made one. */
static void merge_two(struct store *store, struct object_store *keeper,
                      const struct compact_options *o, int64_t now)
{
    struct err err = {0};
    struct compact_done done;
    commit_rows(store, &schema, KEY, 1, 3, 1);
    commit_rows(store, &schema, KEY, 4, 9, 1);
    EXPECT(compact(keeper, o, now, NULL, NULL, NULL, &done, &err) == 0 && done.swaps == 1);
}

/* Kept for readers of old versions: the old files stay until their time has come, and the rows are
 * those of the new ones meanwhile. It needs no exchange. */
TEST(store_compact_keeps_replaced_files_for_a_while)
{
    struct system plain = {0};
    struct err err = {0};
    struct compact_done done;
    struct compact_options o = options();
    uint64_t rows, headers, files;
    bool ordered;
    o.keep = 24 * HOUR;
    struct store *store = table_open(&schema, plain);
    struct object_store *keeper = keeper_open("root", &plain, &err);
    int64_t now = clock_wall() + 2 * HOUR;
    merge_two(store, keeper, &o, now);
    read_rows(store, &rows, &headers, &ordered, &files);
    EXPECT(rows == 9 && files == 1 && ordered);
    EXPECT(fixture_is_file("root/sim/day/1-3.parquet"));
    EXPECT(fixture_is_file("root/sim/day/4-9.parquet"));
    now += 24 * HOUR - CLOCK_SECOND;
    EXPECT(compact(keeper, &o, now, NULL, NULL, NULL, &done, &err) == 0 && done.removed == 0);
    EXPECT(fixture_is_file("root/sim/day/1-3.parquet"));
    o.keep = 0; /* their time was settled when they were left */
    now += 2 * CLOCK_SECOND;
    EXPECT(compact(keeper, &o, now, NULL, NULL, NULL, &done, &err) == 0 && done.removed == 2);
    EXPECT(!fixture_is_file("root/sim/day/1-3.parquet"));
    EXPECT(!fixture_is_file("root/sim/day/4-9.parquet"));
    EXPECT(!fixture_is_file("root/_delta_log/_varve/%replaced"));
    read_rows(store, &rows, &headers, &ordered, &files);
    EXPECT(rows == 9 && files == 1);
    object_store_close(keeper);
    store_close(store);
}

/* One of them is brought back by another engine, with its path in another encoding. */
TEST(store_compact_leaves_what_is_live_in_another_encoding)
{
    struct system plain = {0};
    struct err err = {0};
    struct compact_done done;
    struct compact_options o = options();
    bool taken;
    o.keep = 24 * HOUR;
    struct store *store = table_open(&schema, plain);
    struct object_store *keeper = keeper_open("root", &plain, &err);
    int64_t now = clock_wall() + 2 * HOUR;
    merge_two(store, keeper, &o, now);
    EXPECT(delta_entry_append(keeper, 4,
                              slice_of("{\"add\":{\"path\":\"sim/day/1%2D3.parquet\","
                                       "\"partitionValues\":{},\"size\":1,"
                                       "\"modificationTime\":1,\"dataChange\":true}}\n"),
                              &taken, &err) == 0 &&
           !taken);
    now += 24 * HOUR + CLOCK_SECOND;
    EXPECT(compact(keeper, &o, now, NULL, NULL, NULL, &done, &err) == 0 && done.removed == 1);
    EXPECT(fixture_is_file("root/sim/day/1-3.parquet"));
    EXPECT(!fixture_is_file("root/sim/day/4-9.parquet"));
    object_store_close(keeper);
    store_close(store);
}

static int count_rows(uint64_t *rows, struct system system)
{
    uint64_t headers, files;
    bool ordered;
    struct store *store = table_open(&schema, system);
    read_rows(store, rows, &headers, &ordered, &files);
    store_close(store);
    return (int)files;
}

/* Power cuts where replaced files are kept, and in the moment when their time has come: no live
 * file is ever removed. */
TEST(store_compact_that_keeps_survives_power_cuts)
{
    for (uint64_t n = 1;; n += 5) {
        struct memory_disk *disk = memory_disk_new(n);
        struct system system = memory_disk_system(disk);
        struct err err = {0}, ignored = {0};
        struct compact_done done = {0};
        struct compact_options o = options();
        o.keep = HOUR;
        struct store *store = table_open(&schema, system);
        commit_rows(store, &schema, KEY, 1, 3, 1);
        commit_rows(store, &schema, KEY, 4, 9, 1);
        struct object_store *keeper = keeper_open("root", &system, &err);
        uint64_t before = memory_disk_calls(disk), rows;
        memory_disk_cut(disk, n);
        int64_t now = clock_wall() + 2 * HOUR;
        (void)!compact(keeper, &o, now, NULL, NULL, NULL, &done, &ignored);
        (void)!compact(keeper, &o, now + 2 * HOUR, NULL, NULL, NULL, &done, &ignored);
        bool beyond = memory_disk_calls(disk) - before < n;
        object_store_close(keeper);
        store_close(store);
        memory_disk_restart(disk, true);
        int files = count_rows(&rows, system);
        EXPECT(rows == 9 && (files == 2 || files == 1));
        keeper = keeper_open("root", &system, &err);
        for (int i = 2; i <= 4; i++)
            EXPECT(compact(keeper, &o, now + i * 2 * HOUR, NULL, NULL, NULL, &done, &err) == 0);
        EXPECT_TEXT(err.text, "");
        object_store_close(keeper);
        EXPECT(count_rows(&rows, system) == 1 && rows == 9);
        memory_disk_free(disk);
        if (beyond)
            break;
    }
}

/* The power fails at each call of a compaction: afterwards each row is there once, for a reader of
 * the log and for one of plain files. */
TEST(store_compact_survives_power_cuts)
{
    for (uint64_t n = 1;; n += 3) {
        struct memory_disk *disk = memory_disk_new(n);
        struct system system = memory_disk_system(disk);
        struct err err = {0};
        struct compact_done done = {0};
        struct compact_options o = options();
        struct store *store = table_open(&schema, system);
        commit_rows(store, &schema, KEY, 1, 3, 1);
        commit_rows(store, &schema, KEY, 4, 9, 1);
        struct object_store *keeper = keeper_open("root", &system, &err);
        uint64_t before = memory_disk_calls(disk);
        memory_disk_cut(disk, n);
        int result = compact(keeper, &o, clock_wall() + 2 * HOUR, NULL, NULL, NULL, &done, &err);
        bool beyond = memory_disk_calls(disk) - before < n;
        EXPECT(beyond || result != 0 || memory_disk_is_off(disk));
        object_store_close(keeper);
        store_close(store);
        memory_disk_restart(disk, true);
        store = table_open(&schema, system);
        uint64_t rows, headers, files;
        bool ordered;
        read_rows(store, &rows, &headers, &ordered, &files);
        EXPECT(rows == 9 && (files == 2 || files == 1) && (files == 1 || done.swaps == 0));
        store_close(store);
        memory_disk_free(disk);
        if (beyond)
            break;
    }
}

/* Ahead of the system's clock, by which files are dated. */
static int64_t ahead;

static int64_t test_time(void *context)
{
    return *(int64_t *)context + ahead;
}

static uint64_t step_at(struct keeper *keeper, int64_t at, struct compact_counters *counters)
{
    ahead = at;
    (void)keeper_step(keeper, clock_monotonic());
    return atomic_load(&counters->swaps);
}

/* Readers that have listed files can fail behind a swap: so swaps come once an interval, also when
 * varve is started anew, or another instance is it. */
TEST(store_compact_swaps_once_an_interval)
{
    const int64_t day = 24 * HOUR;
    int64_t began = clock_wall();
    struct clock clock = {test_time, test_time, &began};
    struct compact_counters counters = {.live = COMPACT_UNKNOWN};
    struct system plain = {0};
    struct compact_options o = options();
    struct store *store = table_open(&schema, plain);
    clock_replace(&clock);
    commit_rows(store, &schema, KEY, 1, 2, 1);
    commit_rows(store, &schema, KEY, 3, 4, 1);
    for (uint64_t i = 5; i < 7; i++)
        commit_rows(store, &schema, "sim/other/{first_seq}.parquet", i, i, 1);
    for (int start = 0; start < 2; start++) {
        const int64_t from = start * (day + HOUR);
        struct keeper *keeper = keeper_new(&(struct keeper_options){.root = "root"});
        ahead = from;
        keeper_add_compaction(keeper, &o, day, &counters);
        EXPECT_U64(step_at(keeper, from + 2 * HOUR, &counters), (uint64_t)start * 2);
        EXPECT_U64(step_at(keeper, from + day - HOUR, &counters), (uint64_t)start * 2);
        if (start == 0)
            EXPECT_U64(step_at(keeper, from + day + 3 * HOUR, &counters), 2);
        commit_rows(store, &schema, KEY, 11 + 10 * (uint64_t)start, 12 + 10 * (uint64_t)start, 1);
        EXPECT_U64(step_at(keeper, from + day + 4 * HOUR, &counters), start == 0 ? 2 : 3);
        keeper_free(keeper);
    }
    clock_replace(NULL);
    store_close(store);
}
