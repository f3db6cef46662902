/* SPDX-License-Identifier: MIT */
#include <sys/time.h>

#include "base/clock.h"
#include "delta/checkpoint_make.h"
#include "delta/clean.h"
#include "delta/properties.h"
#include "object/memory.h"
#include "store_fixture.h"

#define KEY "p/{first_seq}-{last_seq}.parquet"
#define LOG "root/_delta_log/"
#define WEEK (7 * 24 * 3600 * CLOCK_SECOND)

/* Let the `left`-th call from now fail. */
struct failure {
    uint64_t left;
};

static int fail_one(void *context, enum system_call call, bool after)
{
    struct failure *failure = context;
    (void)call;
    return !after && failure->left > 0 && --failure->left == 0 ? EIO : 0;
}

static struct delta_checkpoint_made make(struct store *store, uint64_t interval, int64_t now)
{
    struct delta_checkpoint_made made;
    struct err err = {0};
    (void)!delta_checkpoint_make(store->objects, interval, now, NULL, &made, &err);
    EXPECT_TEXT(err.text, "");
    return made;
}

static void append(struct store *store, uint64_t version, const char *text)
{
    struct err err = {0};
    bool taken;
    EXPECT(delta_entry_append(store->objects, version, slice_of(text), &taken, &err) == 0);
    EXPECT(!taken);
}

static void load(struct delta_snapshot *s, struct store *store)
{
    struct err err = {0};
    *s = (struct delta_snapshot){.want_files = true, .want_varve = true};
    (void)!delta_snapshot_load(s, store->objects, &err);
    EXPECT_TEXT(err.text, "");
}

static void entry_path(char out[static 64], uint64_t version, const char *ending)
{
    (void)snprintf(out, 64, LOG "%020llu.%s", (unsigned long long)version, ending);
}

static void remove_entry(uint64_t version)
{
    char path[64];
    entry_path(path, version, "json");
    EXPECT(unlink(path) == 0);
}

static size_t live_files(const struct delta_snapshot *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->files.count; i++)
        count += s->files.list[i] != NULL;
    return count;
}

/* The table is the same with nothing but the checkpoint: files with statistics and tags, positions,
 * columns and properties. */
TEST(delta_checkpoint_is_the_table)
{
    struct store *store = fixture_open("i");
    for (uint64_t row = 1; row <= 10; row++)
        fixture_commit(store, KEY, row, row);
    struct delta_snapshot before, after;
    load(&before, store);
    struct delta_checkpoint_made made = make(store, 11, clock_wall());
    EXPECT(made.count == 1 && made.version == 10 && made.files == 10 && made.actions == 13);
    for (uint64_t version = 0; version <= 10; version++)
        remove_entry(version);
    load(&after, store);
    EXPECT(after.has_base && after.version == 10 && live_files(&after) == 10);
    for (size_t i = 0; i < before.files.count; i++) {
        const struct delta_file *a = before.files.list[i];
        const struct delta_file *b = delta_snapshot_file(&after, a->path);
        EXPECT(b != NULL && a->size == b->size && a->modification_time == b->modification_time);
        EXPECT(slice_equal(a->stats, b->stats) && a->tags.count == b->tags.count);
        for (size_t k = 0; k < a->tags.count; k++) {
            EXPECT(slice_equal(a->tags.list[k].key, b->tags.list[k].key));
            EXPECT(slice_equal(a->tags.list[k].value, b->tags.list[k].value));
        }
    }
    EXPECT(after.app_ids.count == 1 && after.apps.list[0].version == 10);
    EXPECT(after.apps.list[0].last_updated == before.apps.list[0].last_updated);
    EXPECT(slice_equal(buf_slice(&before.protocol_text), buf_slice(&after.protocol_text)));
    EXPECT(slice_equal(before.metadata.schema_string, after.metadata.schema_string));
    EXPECT_U64(before.metadata.configuration.count, after.metadata.configuration.count);
    delta_snapshot_free(&before);
    delta_snapshot_free(&after);
    store_close(store);
    store = fixture_open("i"); /* and goes on behind it */
    fixture_commit(store, KEY, 11, 11);
    EXPECT(positions_find(&store->positions, "S", "C", "D")->through == 10);
    store_close(store);
}

/* Removed, restored and removed again: what is newest counts, over a checkpoint or not. Tombstones
 * stay until they expire. */
TEST(delta_checkpoint_reconciles)
{
    static const char add[] = "{\"add\":{\"path\":\"%s\",\"partitionValues\":{},\"size\":%d,"
                              "\"modificationTime\":1,\"dataChange\":true}}\n";
    static const char gone[] = "{\"remove\":{\"path\":\"%s\",\"deletionTimestamp\":%d,"
                               "\"dataChange\":true}}\n";
    struct store *store = fixture_open("i");
    char text[4][256];
    char all[1024];
    (void)snprintf(text[0], 256, add, "a%20b", 1);
    (void)snprintf(text[1], 256, add, "c", 1);
    (void)snprintf(all, sizeof(all), "%s\n%s", text[0], text[1]);
    append(store, 1, all);
    (void)snprintf(text[0], 256, gone, "c", 5);
    append(store, 2, text[0]);
    EXPECT(make(store, 1, 0).files == 1); /* a long time ago: the tombstone counts */
    (void)snprintf(text[0], 256, add, "c", 2);
    (void)snprintf(text[1], 256, gone, "a%20b", 7);
    (void)snprintf(text[2], 256, "{\"txn\":{\"appId\":\"x\",\"version\":3}}\n");
    (void)snprintf(all, sizeof(all), "%s%s%s", text[0], text[1], text[2]);
    append(store, 3, all);
    struct delta_checkpoint_made made = make(store, 1, WEEK + 6 * CLOCK_MILLISECOND);
    EXPECT(made.version == 3 && made.files == 1 && made.actions == 5);
    struct delta_snapshot s;
    load(&s, store);
    EXPECT(live_files(&s) == 1 && delta_snapshot_file(&s, slice_of("c"))->size == 2);
    EXPECT_I64(delta_snapshot_app(&s, slice_of("x"))->version, 3);
    delta_snapshot_free(&s);
    (void)snprintf(text[0], 256, gone, "c", 8);
    append(store, 4, text[0]);
    made = make(store, 1, WEEK + 7 * CLOCK_MILLISECOND); /* that of a%20b has expired */
    EXPECT(made.files == 0 && made.actions == 4);
    EXPECT(make(store, 1, WEEK).count == 0); /* nothing new */
    store_close(store);
}

/* A log that was never looked after: in memory is only a part of what it names. */
TEST(delta_checkpoint_of_a_long_log_takes_several)
{
    struct store *store = fixture_open("i");
    struct buf text = {0};
    for (int i = 0; i < DELTA_CHECKPOINT_PATHS_MAX; i++)
        buf_printf(&text,
                   "{\"add\":{\"path\":\"%d\",\"partitionValues\":{},\"size\":1,"
                   "\"modificationTime\":1,\"dataChange\":true}}\n",
                   i);
    append(store, 1, buf_text(&text));
    append(store, 2, "{\"remove\":{\"path\":\"7\",\"deletionTimestamp\":1}}\n");
    struct delta_checkpoint_made made = make(store, 3, clock_wall());
    EXPECT(made.count == 2 && made.version == 2 && made.files == DELTA_CHECKPOINT_PATHS_MAX - 1);
    EXPECT(fixture_is_file(LOG "00000000000000000001.checkpoint.parquet"));
    struct delta_snapshot s;
    load(&s, store);
    EXPECT(s.base == 2 && live_files(&s) == DELTA_CHECKPOINT_PATHS_MAX - 1);
    delta_snapshot_free(&s);
    buf_free(&text);
    store_close(store);
}

TEST(delta_checkpoint_respects_the_interval)
{
    struct store *store = fixture_open("i");
    for (uint64_t row = 1; row <= 5; row++)
        fixture_commit(store, KEY, row, row);
    struct delta_checkpoint_made made = make(store, 0, clock_wall());
    EXPECT(made.count == 0 && made.newest == 5 && made.interval == 100 && !made.has_checkpoint);
    append(store, 6,
           "{\"metaData\":{\"id\":\"x\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
           "\"schemaString\":\"{}\",\"partitionColumns\":[],"
           "\"configuration\":{\"delta.checkpointInterval\":\"7\"}}}\n");
    made = make(store, 0, clock_wall());
    EXPECT(made.count == 1 && made.interval == 7 && made.version == 6);
    EXPECT(make(store, 0, clock_wall()).count == 0);
    store_close(store);
}

/* Whoever wants none may say so by a great number: no version comes so far, nor behind it. */
TEST(delta_checkpoint_interval_and_a_version_make_no_overflow)
{
    static const char *const never[] = {"9223372036854775807", "18446744073709551615"};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        const struct delta_pair pair = {slice_of("delta.checkpointInterval"), slice_of(never[i])};
        const struct delta_metadata metadata = {.configuration = {&pair, 1}};
        EXPECT_U64(delta_checkpoint_interval(&metadata), INT64_MAX);
    }
}

/* What varve does not understand it would not keep. */
TEST(delta_checkpoint_of_another_kind_of_table_is_not_made)
{
    static const char *const entries[] = {
        "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":"
        "[\"deletionVectors\"],\"writerFeatures\":[\"deletionVectors\"]}}\n",
        "{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,"
        "\"dataChange\":true,\"deletionVector\":{\"storageType\":\"u\"}}}\n",
        "{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":9300000000000000000,"
        "\"modificationTime\":1,\"dataChange\":true}}\n",
    };
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        struct store *store = fixture_open("i");
        struct delta_checkpoint_made made;
        struct err err = {0};
        append(store, 1, entries[i]);
        EXPECT(delta_checkpoint_make(store->objects, 1, clock_wall(), NULL, &made, &err) != 0);
        EXPECT(err.code == (i == 0 ? ERR_UNSUPPORTED : ERR_FORMAT));
        EXPECT(!fixture_is_file(LOG "_last_checkpoint"));
        EXPECT(!fixture_is_file(LOG "00000000000000000001.checkpoint.parquet"));
        store_close(store);
        fixture_remove("root");
    }
}

/* Whichever call fails or is cut off: the table can be read, is what it was, and the next attempt
 * works. */
TEST(delta_checkpoint_can_fail_anywhere)
{
    char dir[64];
    fixture_begin_fast(dir);
    struct store *store = fixture_open("i");
    for (uint64_t row = 1; row <= 5; row++)
        fixture_commit(store, KEY, row, row);
    uint32_t failed = 0;
    for (uint64_t call = 1;; call++) {
        struct delta_checkpoint_made made;
        struct delta_snapshot s;
        struct err err = {0};
        struct failure failure = {call};
        fixture_hook(store, fail_one, &failure);
        int result = delta_checkpoint_make(store->objects, 1, clock_wall(), NULL, &made, &err);
        fixture_hook(store, NULL, NULL);
        load(&s, store);
        EXPECT(live_files(&s) == 5 && s.version == 5);
        delta_snapshot_free(&s);
        failed += result != 0;
        if (failure.left > 0)
            break;
        if (fixture_is_file(LOG "00000000000000000005.checkpoint.parquet"))
            EXPECT(unlink(LOG "00000000000000000005.checkpoint.parquet") == 0);
        (void)unlink(LOG "_last_checkpoint");
    }
    EXPECT(failed > 10);
    store_close(store);
    fixture_end_fast(dir);
}

/* One checkpoint after another, until the power fails in front of call `cut`. True if it did. */
static bool make_until_cut(struct memory_disk *disk, uint64_t cut)
{
    struct err err = {0};
    struct store *store = fixture_try_open("i", memory_disk_system(disk), &err);
    EXPECT(store != NULL);
    fixture_commit(store, KEY, 1, 1);
    (void)make(store, 1, clock_wall());
    fixture_commit(store, KEY, 2, 2);
    memory_disk_cut(disk, cut);
    struct delta_checkpoint_made made;
    int result = delta_checkpoint_make(store->objects, 1, clock_wall(), NULL, &made, &err);
    EXPECT(result == 0 || memory_disk_is_off(disk));
    bool off = memory_disk_is_off(disk);
    store_close(store);
    memory_disk_restart(disk, true);
    return off;
}

/* The power fails anywhere: the table is what it was, and _last_checkpoint names a checkpoint that
 * is there, or nobody could open it. */
TEST(delta_checkpoint_survives_power_cuts)
{
    bool off = true;
    for (uint64_t cut = 1; off; cut++) {
        for (uint64_t seed = 1; seed <= 2 && off; seed++) {
            struct memory_disk *disk = memory_disk_new(cut * 1000 + seed);
            struct err err = {0};
            struct delta_snapshot s;
            struct buf name = {0};
            struct object_info info;
            uint64_t hint;
            bool found = true;
            off = make_until_cut(disk, cut);
            struct store *store = fixture_try_open("i", memory_disk_system(disk), &err);
            EXPECT_TEXT(err.text, "");
            if (delta_checkpoint_hint(store->objects, &hint)) {
                delta_checkpoint_name(&name, &(struct delta_checkpoint){true, hint, 0}, 1);
                EXPECT(object_head(store->objects, buf_text(&name), &info, &found, &err) == 0);
            }
            EXPECT(found);
            load(&s, store);
            EXPECT(s.version == 2 && live_files(&s) == 2);
            delta_snapshot_free(&s);
            buf_free(&name);
            store_close(store);
            memory_disk_free(disk);
        }
    }
}

static void make_old(uint64_t from, uint64_t to, int64_t days)
{
    char path[64];
    int64_t then = clock_wall() / CLOCK_SECOND - days * 24 * 3600;
    const struct timeval times[2] = {{then, 0}, {then, 0}};
    for (uint64_t version = from; version <= to; version++) {
        entry_path(path, version, "json");
        EXPECT(utimes(path, times) == 0);
    }
}

static struct delta_cleaned clean(struct store *store)
{
    struct delta_cleaned cleaned;
    struct err err = {0};
    (void)!delta_log_clean(store->objects, clock_wall(), &cleaned, &err);
    EXPECT_TEXT(err.text, "");
    return cleaned;
}

static bool has_entry(uint64_t version)
{
    char path[64];
    entry_path(path, version, "json");
    return fixture_is_file(path);
}

/* Of the protocol: what lies before the newest checkpoint that is itself old enough. */
TEST(delta_clean_removes_what_is_old)
{
    struct store *store = fixture_open("i");
    for (uint64_t row = 1; row <= 9; row++) {
        fixture_commit(store, KEY, row, row);
        if (row % 4 == 0)
            EXPECT(make(store, 1, clock_wall()).version == row);
    }
    make_old(0, 6, 40);
    EXPECT(clean(store).removed == 4); /* of 0 to 3 */
    for (uint64_t version = 0; version <= 9; version++)
        EXPECT(has_entry(version) == (version >= 4));
    EXPECT(fixture_is_file(LOG "00000000000000000004.checkpoint.parquet"));
    EXPECT(clean(store).removed == 0);
    make_old(4, 9, 40);
    EXPECT(clean(store).removed == 5); /* with a checkpoint */
    EXPECT(!has_entry(7) && has_entry(8));
    EXPECT(!fixture_is_file(LOG "00000000000000000004.checkpoint.parquet"));
    store_close(store);
    store = fixture_open("i");
    EXPECT(positions_find(&store->positions, "S", "C", "D")->through == 9);
    EXPECT(!store->recovery.forgotten && !store->recovery.incomplete);
    store_close(store);
}

TEST(delta_clean_asks_the_table)
{
    static const char *const properties[] = {"\"delta.enableExpiredLogCleanup\":\"false\"",
                                             "\"delta.logRetentionDuration\":\"interval 50 days\"",
                                             "\"delta.logRetentionDuration\":\"some months\""};
    char text[512];
    struct store *store = fixture_open("i");
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"metaData\":{\"id\":\"x\",\"format\":{\"provider\":\"parquet\","
                       "\"options\":{}},\"schemaString\":\"{}\",\"partitionColumns\":[],"
                       "\"configuration\":{%s}}}\n",
                       properties[i]);
        append(store, i + 1, text);
        (void)make(store, 1, clock_wall());
        make_old(0, i + 1, 40);
        EXPECT(clean(store).removed == 0);
    }
    make_old(0, 3, 400);
    append(store, 4,
           "{\"metaData\":{\"id\":\"x\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
           "\"schemaString\":\"{}\",\"partitionColumns\":[],\"configuration\":{}}}\n");
    EXPECT(clean(store).removed > 0);
    store_close(store);
}

/* An instance that is gone has stored rows above its position, and said so nowhere else. */
TEST(delta_clean_keeps_what_positions_need)
{
    struct store *other = fixture_open("j");
    fixture_commit(other, KEY, 1, 2);
    struct position position = fixture_position(2);
    struct seqset rows = {0};
    seqset_add_range(&position.above, 5, 6);
    seqset_add_range(&rows, 5, 6);
    struct store_epoch epoch = {.positions = &position, .position_count = 1, .rows_of = &rows};
    struct err err = {0};
    EXPECT(store_commit(other, &epoch, &err) == 0);
    EXPECT(unlink(LOG "_varve/j.json") == 0);
    struct store *store = fixture_open("i");
    for (uint64_t row = 11; row <= 14; row++)
        fixture_commit(store, KEY, row, row);
    EXPECT(make(store, 1, clock_wall()).version == 6);
    make_old(0, 6, 40);
    struct delta_cleaned cleaned = clean(store);
    EXPECT(cleaned.removed == 2 && cleaned.held && cleaned.at == 2 && has_entry(2));
    EXPECT(store_save(other, &err) == 0); /* now it is written elsewhere */
    cleaned = clean(store);
    EXPECT(cleaned.removed == 4 && !cleaned.held);
    store_close(other);
    store_close(store);
    seqset_free(&position.above);
    seqset_free(&rows);
}

/* Nobody can open a table whose hint names a checkpoint that is gone. */
TEST(delta_clean_keeps_what_the_hint_names)
{
    struct store *store = fixture_open("i");
    for (uint64_t row = 1; row <= 6; row++) {
        fixture_commit(store, KEY, row, row);
        if (row % 2 == 0)
            (void)make(store, 1, clock_wall());
    }
    fixture_write(LOG "_last_checkpoint", "{\"version\":2,\"size\":3}");
    make_old(0, 6, 40);
    EXPECT(clean(store).removed == 0);
    store_close(store);
}

TEST(delta_intervals_are_read_strictly)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"interval 30 days", INT64_C(2592000000)},
        {"INTERVAL 1 day 2 hours", INT64_C(93600000)},
        {"2 weeks", INT64_C(1209600000)},
        {"interval  5 milliseconds ", 5},
        {"interval", -1},
        {"", -1},
        {"interval 1 month", -1},
        {"interval -1 days", -1},
        {"interval 1.5 days", -1},
        {"interval 9223372036854775807 weeks", -1},
        {"interval 1", -1},
        {"days", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -1;
        EXPECT(delta_interval_parse(slice_of(cases[i].text), &ms) == (cases[i].ms >= 0));
        EXPECT(cases[i].ms < 0 || ms == cases[i].ms);
    }
}
