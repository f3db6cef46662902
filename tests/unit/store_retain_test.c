/* SPDX-License-Identifier: MIT */
#include "store/retain.h"

#include "base/clock.h"
#include "delta/checkpoint_make.h"
#include "base/text.h"
#include "delta/clean.h"
#include "delta/expired.h"
#include "delta/follower.h"
#include "delta/table.h"
#include "object/memory.h"
#include "store_fixture.h"

#define HOUR (3600 * CLOCK_SECOND)
#define DAY (24 * HOUR)
/* 2026-01-01T00:00:00Z */
#define BASE (INT64_C(1767225600) * CLOCK_SECOND)

static struct retain_options options(int64_t max_age, uint64_t max_bytes)
{
    return (struct retain_options){.version = "0",
                                   .schema = &fixture_schema,
                                   .columns = {"timestamp_ns", "stream_time", DAY},
                                   .max_age = max_age,
                                   .max_bytes = max_bytes};
}

/* One file with a row; what its statistics say of the two times. */
struct times {
    int64_t first, last;           /* own, ns */
    int64_t came_first, came_last; /* ns */
};

static int try_commit(struct store *store, const char *key, uint64_t row, struct times times,
                      struct err *err)
{
    struct seqset sequences = {0};
    seqset_add_range(&sequences, row, row);
    struct position position = fixture_position(row);
    struct store_column_stats stats[] = {
        {.column = 0, .bounded = true, .min = times.first, .max = times.last},
        {.column = 4,
         .bounded = true,
         .min = times.came_first / 1000,
         .max = times.came_last / 1000},
    };
    struct store_epoch_file file = {.file = fixture_try_file(store, row, row, 1, err),
                                    .key = key,
                                    .stream = "S",
                                    .created = "C",
                                    .sequences = &sequences,
                                    .rows = 1,
                                    .columns = stats,
                                    .column_count = 2};
    struct store_epoch epoch = {.files = &file,
                                .file_count = 1,
                                .positions = &position,
                                .position_count = 1,
                                .rows_of = &sequences};
    int result = file.file == NULL ? -1 : store_commit(store, &epoch, err);
    object_staged_free(file.file);
    seqset_free(&sequences);
    return result;
}

static void commit_times(struct store *store, const char *key, uint64_t row, struct times times)
{
    struct err err = {0};
    EXPECT(try_commit(store, key, row, times, &err) == 0);
    EXPECT_TEXT(err.text, "");
}

static struct times at(int64_t time)
{
    return (struct times){time, time, time, time};
}

static void commit_at(struct store *store, const char *key, uint64_t row, int64_t time)
{
    commit_times(store, key, row, at(time));
}

/* All that is due at `now`. */
static struct retain_done expire(const struct retain_options *o, int64_t now)
{
    struct system plain = {0};
    struct err err = {0};
    struct retain_done done;
    struct object_store *store = keeper_open("root", &plain, &err);
    EXPECT(store != NULL);
    EXPECT(retain(store, o, now, NULL, &done, &err) == 0);
    EXPECT_TEXT(err.text, "");
    object_store_close(store);
    return done;
}

static struct delta_snapshot load(struct object_store *store)
{
    struct delta_snapshot s = {.want_files = true, .want_varve = true};
    struct err err = {0};
    EXPECT(delta_snapshot_load(&s, store, &err) == 0);
    EXPECT_TEXT(err.text, "");
    return s;
}

static bool is_live(struct store *store, const char *path)
{
    struct delta_snapshot s = load(store->objects);
    bool live = delta_snapshot_file(&s, slice_of(path)) != NULL;
    delta_snapshot_free(&s);
    return live;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A folder called after yesterday with rows of today is kept; one called after tomorrow with rows
 * of last month goes. The partition goes as a whole, or not at all. */
TEST(store_retain_goes_by_the_times_of_rows)
{
    struct store *store = fixture_open("i");
    struct retain_options o = options(30 * DAY, 0);
    int64_t now = BASE + 40 * DAY;
    commit_at(store, "sim/2026-12-31/23/{first_seq}.parquet", 1, BASE);
    commit_at(store, "sim/2026-12-31/23/{first_seq}.parquet", 2, BASE + 9 * DAY);
    commit_at(store, "sim/2026-01-01/00/{first_seq}.parquet", 3, BASE);
    commit_at(store, "sim/2026-01-01/00/{first_seq}.parquet", 4, BASE + 10 * DAY); /* to the ns */
    commit_at(store, "new/2026-02-09/00/{first_seq}.parquet", 5, now);
    struct retain_done done = expire(&o, now);
    EXPECT_U64(done.partitions, 1);
    EXPECT_U64(done.files, 2);
    EXPECT(!done.more && done.held == 0 && done.finished == 0);
    EXPECT(!is_live(store, "sim/2026-12-31/23/1.parquet"));
    EXPECT(!is_folder("root/sim/2026-12-31") && is_folder("root/sim/2026-01-01/00"));
    EXPECT(is_live(store, "sim/2026-01-01/00/3.parquet"));
    EXPECT(is_live(store, "new/2026-02-09/00/5.parquet"));
    done = expire(&o, now);
    EXPECT(done.files == 0 && done.partitions == 0);
    done = expire(&o, now + 1);
    EXPECT(done.files == 2 && !is_folder("root/sim"));
    store_close(store);
}

/* Times that are absurd do not count; when these rows came does. */
TEST(store_retain_files_absurd_times_under_arrival)
{
    const int64_t ahead = BASE + 5000 * DAY;
    struct store *store = fixture_open("i");
    struct retain_options o = options(30 * DAY, 0);
    /* Of all these only the arrival counts. clock_wall is when they are committed: long after. */
    commit_times(store, "a/{first_seq}.parquet", 1, (struct times){-5, 0, BASE, BASE});
    commit_times(store, "b/{first_seq}.parquet", 2, (struct times){ahead, ahead, BASE, BASE});
    commit_times(store, "c/{first_seq}.parquet", 3,
                 (struct times){INT64_MIN, INT64_MIN, BASE, BASE + 20 * DAY});
    /* Bounds do not tell, and the file is no Parquet file that would: it stays. */
    commit_times(store, "d/{first_seq}.parquet", 4, (struct times){0, BASE, BASE, BASE});
    commit_times(store, "e/{first_seq}.parquet", 5, (struct times){BASE, ahead, BASE, BASE});
    fixture_commit(store, "f/{first_seq}-{last_seq}.parquet", 6, 6); /* no statistics at all */
    struct retain_done done = expire(&o, BASE + 40 * DAY);
    EXPECT_U64(done.files, 2);
    EXPECT(!is_folder("root/a") && !is_folder("root/b"));
    EXPECT(is_folder("root/c") && is_folder("root/d") && is_folder("root/e") &&
           is_folder("root/f"));
    store_close(store);
}

/* The oldest go until the rest fits; never all of it. */
TEST(store_retain_by_size)
{
    struct store *store = fixture_open("i");
    commit_at(store, "b/{first_seq}.parquet", 10, BASE + 2); /* three bytes each */
    commit_at(store, "a/{first_seq}.parquet", 11, BASE + 3);
    commit_at(store, "c/{first_seq}.parquet", 12, BASE + 1);
    struct retain_options o = options(0, 7);
    EXPECT_U64(expire(&o, BASE).files, 1);
    EXPECT(!is_folder("root/c") && is_folder("root/b"));
    o.max_bytes = 6;
    EXPECT_U64(expire(&o, BASE).files, 0);
    o.max_bytes = 1;
    EXPECT_U64(expire(&o, BASE).files, 1);
    EXPECT_U64(expire(&o, BASE).files, 0);
    EXPECT(is_folder("root/a"));
    store_close(store);
}

/* What is not of the table stays where it is, and its folder with it. */
TEST(store_retain_leaves_foreign_files_alone)
{
    struct store *store = fixture_open("i");
    commit_at(store, "sim/00/{first_seq}.parquet", 1, BASE);
    fixture_write("root/sim/00/notes.txt", "mine");
    fixture_write("root/sim/00/2.parquet", "not in the log");
    struct retain_options o = options(DAY, 0);
    EXPECT_U64(expire(&o, BASE + 2 * DAY).files, 1);
    EXPECT(!fixture_is_file("root/sim/00/1.parquet"));
    EXPECT(fixture_is_file("root/sim/00/notes.txt") && fixture_is_file("root/sim/00/2.parquet"));
    store_close(store);
}

/* A follower has read these rows, and no others. */
static void follow(struct store *store, const char *name, const char *rows)
{
    struct delta_follower f = {.name = text_copy(name)};
    struct err err = {0};
    struct seqset *set = delta_follower_rows(&f, "S", "C", true);
    EXPECT(seqset_parse_text(set, slice_of(rows)));
    EXPECT(delta_follower_write(&f, store->objects, store->table.metadata.id, &err) == 0);
    delta_follower_free(&f);
}

/* Who has not read a file holds back its partition, and no other one, until he has, or is gone. */
TEST(store_retain_holds_what_is_needed)
{
    struct store *store = fixture_open("i");
    commit_at(store, "a/{first_seq}.parquet", 1, BASE);
    commit_at(store, "a/{first_seq}.parquet", 2, BASE);
    commit_at(store, "b/{first_seq}.parquet", 3, BASE);
    struct retain_options o = options(DAY, 0);
    follow(store, "quick", "1-9");
    follow(store, "slow", "1,3");
    struct retain_done done = expire(&o, BASE + 2 * DAY);
    EXPECT(done.held == 1 && done.files == 1);
    EXPECT_TEXT(done.why, "a/2.parquet was not read by the follower slow");
    EXPECT(fixture_is_file("root/a/1.parquet") && fixture_is_file("root/a/2.parquet"));
    struct err err = {0};
    EXPECT(delta_follower_remove(store->objects, "slow", &err) == 0);
    EXPECT_U64(expire(&o, BASE + 2 * DAY).files, 2);
    store_close(store);
}

/* The table that varve made only ever grows, until the first removal says otherwise; everything
 * else of it stays, and the writer beside goes on. */
TEST(store_retain_lifts_append_only_once)
{
    struct store *store = fixture_open("i");
    commit_at(store, "a/{first_seq}.parquet", 1, BASE);
    commit_at(store, "b/{first_seq}.parquet", 2, BASE + DAY);
    EXPECT(delta_table_is_append_only(&store->table.metadata));
    struct retain_options o = options(DAY, 0);
    EXPECT_U64(expire(&o, BASE + DAY).files, 0);
    struct delta_snapshot s = load(store->objects);
    EXPECT(s.version == 2 && delta_table_is_append_only(&s.metadata)); /* nothing was due */
    delta_snapshot_free(&s);
    EXPECT_U64(expire(&o, BASE + DAY + 1).files, 1);
    s = load(store->objects);
    EXPECT_U64(s.version, 4);
    EXPECT(!delta_table_is_append_only(&s.metadata));
    EXPECT(slice_equal(s.metadata.id, store->table.metadata.id));
    EXPECT(slice_equal(s.metadata.schema_string, store->table.metadata.schema_string));
    EXPECT_U64(s.metadata.configuration.count, store->table.metadata.configuration.count);
    delta_snapshot_free(&s);
    commit_at(store, "c/{first_seq}.parquet", 3, BASE + 3 * DAY);
    EXPECT_U64(expire(&o, BASE + 3 * DAY).files, 1);
    s = load(store->objects);
    EXPECT_U64(s.version, 6);
    delta_snapshot_free(&s);
    store_close(store);
}

static bool knows(const struct store *store, uint64_t first, uint64_t last)
{
    const struct position *p = positions_find(&store->positions, "S", "C", STORE_ANYBODY);
    return p != NULL && seqset_contiguous_end(&p->above, first) >= last;
}

static void forget_log(struct store *store, int64_t wall_time)
{
    struct delta_checkpoint_made made;
    struct delta_cleaned cleaned;
    struct err err = {0};
    EXPECT(delta_checkpoint_make(store->objects, 1, wall_time, NULL, &made, &err) == 0);
    EXPECT(made.count == 1);
    EXPECT(delta_log_clean(store->objects, wall_time, &cleaned, &err) == 0);
    EXPECT_TEXT(err.text, "");
}

/*
 * Rows that have expired still count as stored: for the same instance, for one that has lost the
 * file with its positions, and for one with another name, also when no entry of the log, no
 * checkpoint and no file of the table says so any more. The position is where it was.
 */
TEST(store_retain_does_not_forget_what_was_stored)
{
    struct store *store = fixture_open("i");
    for (uint64_t row = 1; row <= 8; row++)
        commit_at(store, "a/{first_seq}.parquet", row, BASE);
    commit_at(store, "b/{first_seq}.parquet", 10, BASE + 9 * DAY);
    struct retain_options o = options(DAY, 0);
    EXPECT_U64(expire(&o, BASE + 9 * DAY).files, 8);
    commit_at(store, "b/{first_seq}.parquet", 11, BASE + 9 * DAY);
    forget_log(store, clock_wall() + 400 * DAY);
    EXPECT(!fixture_is_file("root/_delta_log/00000000000000000005.json"));
    store_close(store);
    store = fixture_open("i");
    EXPECT(knows(store, 1, 8) && knows(store, 10, 11) && !knows(store, 9, 9));
    const struct position *p = positions_find(&store->positions, "S", "C", "D");
    EXPECT(p != NULL && p->through == 11);
    store_close(store);
    EXPECT(remove("root/_delta_log/_varve/i.json") == 0 || errno == ENOENT);
    store = fixture_open("i");
    p = positions_find(&store->positions, "S", "C", "D");
    EXPECT(p != NULL && p->through == 11 && knows(store, 1, 8));
    store_close(store);
    store = fixture_open("another");
    EXPECT(knows(store, 1, 8) && knows(store, 10, 11) && !knows(store, 9, 9));
    struct delta_snapshot s = load(store->objects);
    const struct delta_generation *g = delta_snapshot_generation(&s, "S", "C");
    EXPECT(g != NULL && seqset_size(&g->expired) == 8 && !seqset_contains(&g->expired, 10));
    delta_snapshot_free(&s);
    store_close(store);
}

/* A log that was put back to what it was before says what there is; what was removed since is
 * neither stored nor known. */
TEST(store_retain_of_another_history_counts_for_nothing)
{
    struct store *store = fixture_open("i");
    commit_at(store, "a/{first_seq}.parquet", 1, BASE);
    commit_at(store, "a/{first_seq}.parquet", 2, BASE);
    commit_at(store, "b/{first_seq}.parquet", 3, BASE + 9 * DAY);
    struct retain_options o = options(DAY, 0);
    EXPECT_U64(expire(&o, BASE + 9 * DAY).files, 2);
    store_close(store);
    /* Back to version 1, with row 1 alone; its file is gone, but nobody restores a log alone. */
    for (int version = 2; version <= 5; version++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "root/_delta_log/%020d.json", version);
        EXPECT(remove(path) == 0);
    }
    store = fixture_open("another");
    EXPECT(knows(store, 1, 1) && !knows(store, 2, 2));
    store_close(store);
}

static int no_unlink(void *context, enum system_call call, bool after)
{
    (void)context;
    return call == SYSTEM_CALL_UNLINKAT && !after ? EIO : 0;
}

/* As if the process had ended behind the commit. */
static void expire_but_remove_nothing(const struct retain_options *o, int64_t now)
{
    struct system plain = {0};
    struct err err = {0};
    struct retain_done done;
    struct object_store *store = keeper_open("root", &plain, &err);
    EXPECT(store != NULL);
    posix_of(store)->system.hook = no_unlink;
    EXPECT(retain(store, o, now, NULL, &done, &err) != 0 && err.code == ERR_SYSTEM);
    object_store_close(store);
}

/* What was begun is finished, but only files that are still those which the log has removed. */
TEST(store_retain_finishes_what_was_interrupted)
{
    struct store *store = fixture_open("i");
    commit_at(store, "a/{first_seq}.parquet", 1, BASE);
    commit_at(store, "a/{first_seq}.parquet", 2, BASE);
    commit_at(store, "a/{first_seq}.parquet", 3, BASE);
    commit_at(store, "b/{first_seq}.parquet", 4, BASE + 9 * DAY);
    struct retain_options o = options(DAY, 0);
    expire_but_remove_nothing(&o, BASE + 9 * DAY);
    EXPECT(!is_live(store, "a/1.parquet") && fixture_is_file("root/a/1.parquet"));
    EXPECT(remove("root/a/1.parquet") == 0 && remove("root/a/2.parquet") == 0);
    fixture_write("root/a/1.parquet", "9\n"); /* of a commit that is under way */
    commit_at(store, "a/{first_seq}.parquet", 2, BASE + 9 * DAY); /* of one that is done */
    struct retain_done done = expire(&o, BASE + 9 * DAY);
    EXPECT(done.finished == 3 && done.files == 0);
    EXPECT(fixture_is_file("root/a/1.parquet") && is_live(store, "a/2.parquet"));
    EXPECT(fixture_is_file("root/a/2.parquet") && !fixture_is_file("root/a/3.parquet"));
    EXPECT(expire(&o, BASE + 9 * DAY).finished == 0);
    store_close(store);
}

static void append_entry(struct object_store *store, const char *text)
{
    struct delta_snapshot s = load(store);
    struct err err = {0};
    bool taken = true;
    EXPECT(delta_entry_append(store, s.version + 1, slice_of(text), &taken, &err) == 0 && !taken);
    delta_snapshot_free(&s);
}

/* Another engine has brought a file back, and encodes its path in another way: it is as live. */
TEST(store_retain_spares_what_is_live_in_another_encoding)
{
    struct store *store = fixture_open("i");
    commit_at(store, "a/{first_seq}.parquet", 1, BASE);
    commit_at(store, "a/{first_seq}.parquet", 2, BASE);
    commit_at(store, "b/{first_seq}.parquet", 3, BASE + 9 * DAY);
    struct retain_options o = options(DAY, 0);
    expire_but_remove_nothing(&o, BASE + 9 * DAY);
    append_entry(store->objects,
                 "{\"commitInfo\":{\"operation\":\"RESTORE\"}}\n"
                 "{\"add\":{\"path\":\"%61/2%2Eparquet\",\"partitionValues\":{},\"size\":1,"
                 "\"modificationTime\":1,\"dataChange\":true}}\n");
    o.max_age = 30 * DAY;
    struct retain_done done = expire(&o, BASE + 9 * DAY);
    EXPECT(done.finished == 2 && done.files == 0);
    EXPECT(!fixture_is_file("root/a/1.parquet") && fixture_is_file("root/a/2.parquet"));
    store_close(store);
}

struct rival {
    struct store *store;
    bool done;
};

/* Another one commits in front of the first entry that the keeper wants to put. */
static int commit_before(void *context, enum system_call call, bool after)
{
    struct rival *rival = context;
    if (call != SYSTEM_CALL_RENAMEAT2 || after || rival->done)
        return 0;
    rival->done = true;
    commit_at(rival->store, "a/{first_seq}.parquet", 3, BASE);
    commit_at(rival->store, "b/{first_seq}.parquet", 4, BASE + 9 * DAY);
    return 0;
}

/* Whoever commits meanwhile is not disturbed, and what he has added to a partition that goes is
 * judged like the rest of it: an old row goes, too, a new one keeps the partition. */
TEST(store_retain_lets_others_commit_first)
{
    struct store *store = fixture_open("i");
    struct system plain = {0};
    struct err err = {0};
    struct retain_done done;
    struct rival rival = {.store = store};
    commit_at(store, "a/{first_seq}.parquet", 1, BASE);
    commit_at(store, "b/{first_seq}.parquet", 2, BASE);
    struct object_store *keeper = keeper_open("root", &plain, &err);
    posix_of(keeper)->system.hook = commit_before;
    posix_of(keeper)->system.context = &rival;
    struct retain_options o = options(DAY, 0);
    EXPECT(retain(keeper, &o, BASE + 9 * DAY, NULL, &done, &err) == 0);
    EXPECT_TEXT(err.text, "");
    object_store_close(keeper);
    EXPECT(rival.done && done.files == 2 && done.partitions == 1);
    EXPECT(!is_folder("root/a"));
    EXPECT(is_live(store, "b/2.parquet") && is_live(store, "b/4.parquet"));
    store_close(store);
}

/* More than one commit takes: call again. */
TEST(store_retain_in_pieces)
{
    char dir[64];
    fixture_begin_fast(dir);
    struct store *store = fixture_open("i");
    struct store_epoch_file *files = calloc(DELTA_EXPIRED_FILES_MAX + 3, sizeof(*files));
    struct seqset *rows = calloc(DELTA_EXPIRED_FILES_MAX + 3, sizeof(*rows));
    struct seqset all = {0};
    struct err err = {0};
    const size_t count = DELTA_EXPIRED_FILES_MAX + 3;
    struct store_column_stats stats[] = {
        {.column = 0, .bounded = true, .min = BASE, .max = BASE},
        {.column = 4, .bounded = true, .min = BASE / 1000, .max = BASE / 1000}};
    for (size_t i = 0; i < count; i++) {
        seqset_add_range(&rows[i], i + 1, i + 1);
        files[i] = (struct store_epoch_file){.file = fixture_try_file(store, 1, 1, 1, &err),
                                             .key = i < 10 ? "a/{first_seq}.parquet"
                                                           : "b/{first_seq}.parquet",
                                             .stream = "S",
                                             .created = "C",
                                             .sequences = &rows[i],
                                             .rows = 1,
                                             .columns = stats,
                                             .column_count = 2};
    }
    seqset_add_range(&all, 1, count);
    struct position position = fixture_position(count);
    struct store_epoch epoch = {.files = files,
                                .file_count = count,
                                .positions = &position,
                                .position_count = 1,
                                .rows_of = &all};
    EXPECT(store_commit(store, &epoch, &err) == 0);
    struct retain_options o = options(DAY, 0);
    struct retain_done done = expire(&o, BASE + 2 * DAY);
    EXPECT(done.more && done.files == DELTA_EXPIRED_FILES_MAX && done.partitions == 1);
    done = expire(&o, BASE + 2 * DAY);
    EXPECT(!done.more && done.files == 3 && done.partitions == 1 && !is_folder("root/b"));
    for (size_t i = 0; i < count; i++) {
        object_staged_free(files[i].file);
        seqset_free(&rows[i]);
    }
    free(files);
    free(rows);
    seqset_free(&all);
    store_close(store);
    fixture_end_fast(dir);
}

static const char *const disk_folders[] = {"a", "b", "c"};

/* Three partitions with two files each; the first two are old. */
static void fill_disk(struct memory_disk *disk)
{
    struct err err = {0};
    struct store *store = fixture_try_open("i", memory_disk_system(disk), &err);
    EXPECT(store != NULL);
    for (uint64_t row = 1; row <= 6; row++) {
        char key[64];
        size_t part = (row - 1) / 2;
        (void)snprintf(key, sizeof(key), "%s/{first_seq}.parquet", disk_folders[part]);
        EXPECT(try_commit(store, key, row, at(part < 2 ? BASE : BASE + 9 * DAY), &err) == 0);
    }
    store_close(store);
}

static int expire_on(struct memory_disk *disk, struct retain_done *done, struct err *err)
{
    struct system system = memory_disk_system(disk);
    struct retain_options o = options(DAY, 0);
    struct object_store *store = keeper_open("root", &system, err);
    int result = store == NULL ? -1 : retain(store, &o, BASE + 9 * DAY, NULL, done, err);
    object_store_close(store);
    return result;
}

static bool on_disk(struct object_store *store, struct slice name)
{
    struct object_info info;
    struct buf text = {0};
    struct err err = {0};
    bool found = false;
    buf_append_slice(&text, name);
    EXPECT(object_head(store, buf_text(&text), &info, &found, &err) == 0);
    buf_free(&text);
    return found;
}

/* Every live file is there, and nobody forgets a row. */
static void expect_sound(struct memory_disk *disk, bool finished)
{
    struct err err = {0};
    struct store *store = fixture_try_open("another", memory_disk_system(disk), &err);
    EXPECT_TEXT(err.text, "");
    EXPECT(knows(store, 1, 6));
    struct delta_snapshot s = load(store->objects);
    uint64_t live = 0;
    for (size_t i = 0; i < s.files.count; i++) {
        if (s.files.list[i] == NULL)
            continue;
        live++;
        EXPECT(on_disk(store->objects, s.files.list[i]->path));
    }
    EXPECT(finished ? live == 2 : live == 2 || live == 6);
    if (finished)
        EXPECT(!on_disk(store->objects, slice_of("a/1.parquet")) &&
               !on_disk(store->objects, slice_of("b/4.parquet")));
    delta_snapshot_free(&s);
    store_close(store);
}

/* The power fails, or the process is killed, in front of each call; the next run does the rest. */
TEST(store_retain_survives_power_cuts_and_kills)
{
    bool off = true;
    for (uint64_t cut = 1; off; cut++) {
        for (uint64_t seed = 0; seed < 4 && off; seed++) {
            struct memory_disk *disk = memory_disk_new(cut * 1000 + seed);
            struct retain_done done;
            struct err err = {0};
            fill_disk(disk);
            memory_disk_cut(disk, cut);
            int result = expire_on(disk, &done, &err);
            off = memory_disk_is_off(disk);
            EXPECT(off || result == 0);
            memory_disk_restart(disk, seed > 0);
            expect_sound(disk, false);
            err_clear(&err);
            EXPECT(expire_on(disk, &done, &err) == 0);
            EXPECT_TEXT(err.text, "");
            expect_sound(disk, true);
            memory_disk_free(disk);
        }
        EXPECT(cut < 10000);
    }
}

/* Each call fails once: the error is told, and the next run does the rest. */
TEST(store_retain_survives_errors)
{
    uint64_t failed = 0;
    for (uint64_t call = 1; call < 300; call++) {
        struct memory_disk *disk = memory_disk_new(call);
        struct retain_done done;
        struct err err = {0};
        fill_disk(disk);
        memory_disk_fail(disk, SYSTEM_CALL_COUNT, call, call % 2 == 0 ? EIO : ENOSPC);
        failed += expire_on(disk, &done, &err) != 0;
        err_clear(&err);
        memory_disk_fail(disk, SYSTEM_CALL_COUNT, 0, 0);
        expect_sound(disk, false);
        EXPECT(expire_on(disk, &done, &err) == 0);
        EXPECT_TEXT(err.text, "");
        expect_sound(disk, true);
        memory_disk_free(disk);
    }
    EXPECT(failed > 40);
}
