/* SPDX-License-Identifier: MIT */
#include "store/commit.h"

#include <errno.h>

#include "store_fixture.h"

#define KEY "p/{first_seq}-{last_seq}.parquet"

TEST(store_commit_makes_rows_visible)
{
    struct store *store = fixture_open("i");
    struct object_staged *unfinished = fixture_file(store, 50, 51);
    fixture_commit(store, KEY, 1, 3);
    fixture_commit(store, "p/q/{first_seq}.parquet", 4, 5);
    EXPECT(fixture_is_file("root/p/1-3.parquet"));
    EXPECT(fixture_is_file("root/p/q/4.parquet"));
    EXPECT(fixture_is_file("root/_delta_log/00000000000000000002.json"));
    EXPECT(!fixture_is_file("root/_delta_log/.pending-i"));
    EXPECT_U64(store->current.list[0].through, 5);
    EXPECT_U64(store->positions.count, 0); /* as store_open found them */
    EXPECT_U64(store->table.version + 1, 3);
    struct fixture_view view = fixture_look();
    EXPECT(view.files_in_log == 2 && view.files_on_disk == 2 && view.in_log[5] == 1);
    EXPECT_U64(view.hidden, 1); /* the unfinished one */
    object_abandon(unfinished);
    store_close(store);
}

TEST(store_commit_without_files_moves_positions)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    struct position position = fixture_position(9);
    struct store_epoch epoch = {.files = NULL,
                                .file_count = 0,
                                .positions = &position,
                                .position_count = 1,
                                .dead_letters = NULL};
    EXPECT(store_commit(store, &epoch, &err) == 0);
    store_close(store);
    store = fixture_open("i");
    EXPECT_U64(positions_find(&store->positions, "S", "C", "D")->through, 9);
    store_close(store);
}

TEST(store_commit_never_replaces_a_file)
{
    struct store *store = fixture_open("i");
    EXPECT(mkdir("root/p", 0755) == 0);
    fixture_write("root/p/1-2.parquet", "60\n");
    fixture_write("root/p/1-2-1.parquet", "61\n");
    struct seqset set = {0};
    struct err err = {0};
    seqset_add_range(&set, 1, 2);
    struct store_epoch_file files[] = {
        {fixture_file(store, 1, 1), false, KEY, "S", "C", &set, 1, NULL, NULL, 0},
        {fixture_file(store, 2, 2), false, KEY, "S", "C", &set, 1, NULL, NULL, 0},
    };
    struct position position = fixture_position(2);
    struct store_epoch epoch = {.files = files,
                                .file_count = 2,
                                .positions = &position,
                                .position_count = 1,
                                .dead_letters = NULL};
    EXPECT(store_commit(store, &epoch, &err) == 0);
    EXPECT(fixture_is_file("root/p/1-2-2.parquet") && fixture_is_file("root/p/1-2-3.parquet"));
    struct fixture_view view = fixture_look();
    EXPECT(view.files_on_disk == 4 && view.files_in_log == 2);
    EXPECT(view.on_disk[60] == 1 && view.in_log[60] == 0 && view.in_log[1] + view.in_log[2] == 2);
    object_staged_free(files[0].file);
    object_staged_free(files[1].file);
    seqset_free(&set);
    store_close(store);
}

/* What happens right before the n-th call of a kind. */
struct before {
    enum system_call call;
    uint32_t number, seen;
    void (*act)(void);
};

static int act_before(void *context, enum system_call call, bool after)
{
    struct before *before = context;
    if (!after && call == before->call && ++before->seen == before->number)
        before->act();
    return 0;
}

static void take_the_name(void)
{
    fixture_write("root/p/1-2.parquet", "60\n");
    fixture_write("root/p/1-2-1.parquet", "61\n");
}

TEST(store_commit_gives_way_when_a_name_is_taken_meanwhile)
{
    struct store *store = fixture_open("i");
    struct before before = {SYSTEM_CALL_RENAMEAT2, 1, 0, take_the_name};
    EXPECT(mkdir("root/p", 0755) == 0);
    fixture_hook(store, act_before, &before);
    fixture_commit(store, KEY, 1, 2);
    EXPECT(fixture_is_file("root/p/1-2-2.parquet"));
    struct fixture_view view = fixture_look();
    EXPECT(view.files_on_disk == 3 && view.files_in_log == 1 && view.hidden == 0);
    EXPECT(view.in_log[1] == 1 && view.in_log[60] == 0);
    store_close(store);
}

static void commit_as_another(void)
{
    struct store *other = fixture_open("j");
    fixture_commit(other, KEY, 11, 12);
    fixture_commit(other, KEY, 13, 13);
    store_close(other);
}

/* The other one comes between choosing a number and taking it. */
TEST(store_commit_takes_the_next_number)
{
    struct store *store = fixture_open("i");
    fixture_commit(store, KEY, 1, 2);
    struct before before = {SYSTEM_CALL_RENAMEAT2, 2, 0, commit_as_another};
    fixture_hook(store, act_before, &before);
    fixture_commit(store, KEY, 3, 4);
    EXPECT_U64(store->table.version + 1, 5);
    fixture_commit(store, KEY, 5, 5);
    store_close(store);
    struct fixture_view view = fixture_look();
    EXPECT_U64(view.files_in_log, 5);
    for (uint64_t row = 1; row <= 5; row++)
        EXPECT_U64(view.in_log[row], 1);
    EXPECT(view.in_log[11] == 1 && view.in_log[13] == 1);
    store = fixture_open("i");
    EXPECT_U64(store->positions.list[0].through, 5);
    store_close(store);
    store = fixture_open("j");
    EXPECT_U64(store->positions.list[0].through, 13);
    store_close(store);
}

TEST(store_commit_keeps_what_did_not_move)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    struct seqset above = {0};
    seqset_add_range(&above, 30, 40);
    struct position other = {.stream = "T",
                             .consumer = "D",
                             .created = "X",
                             .through = 20,
                             .above = above,
                             .last_seq = 40,
                             .last_time = 1};
    struct store_epoch epoch = {.files = NULL,
                                .file_count = 0,
                                .positions = &other,
                                .position_count = 1,
                                .dead_letters = NULL};
    EXPECT(store_commit(store, &epoch, &err) == 0);
    fixture_commit(store, KEY, 1, 2);
    store_close(store);
    store = fixture_open("i");
    const struct position *found = positions_find(&store->positions, "T", "X", "D");
    EXPECT(found != NULL && found->through == 20 && found->above.list[0].last == 40);
    EXPECT_U64(positions_newest(&store->positions, "S", "D")->through, 2);
    seqset_free(&above);
    store_close(store);
}

TEST(store_commit_puts_quarantine_beside_the_table)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    struct seqset set = {0};
    struct buf key = {0};
    seqset_add_range(&set, 7, 7);
    store_path_quarantine_key(&key, slice_of("S"));
    struct store_epoch_file file = {
        fixture_file(store, 7, 7), true, buf_text(&key), "S", "C", &set, 1, NULL, NULL, 0};
    struct position position = fixture_position(7);
    struct store_epoch epoch = {.files = &file,
                                .file_count = 1,
                                .positions = &position,
                                .position_count = 1,
                                .dead_letters = NULL};
    EXPECT(store_commit(store, &epoch, &err) == 0);
    EXPECT(fixture_is_file("root/_quarantine/S-7-7.quarantine"));
    struct fixture_view view = fixture_look();
    EXPECT(view.files_on_disk == 0 && view.files_in_log == 0);
    object_staged_free(file.file);
    seqset_free(&set);
    buf_free(&key);
    store_close(store);
}

static int trace(void *context, enum system_call call, bool after)
{
    if (!after && call != SYSTEM_CALL_FSTATAT && call != SYSTEM_CALL_OPENAT)
        buf_printf(context, "%s ", system_call_names[call]);
    return 0;
}

TEST(store_commit_makes_each_step_durable_before_the_next)
{
    struct store *store = fixture_open("i");
    struct buf calls = {0};
    fixture_hook(store, trace, &calls);
    fixture_commit(store, "p/q/{first_seq}.parquet", 1, 2);
    EXPECT_TEXT(buf_text(&calls), "pwrite fdatasync "                /* the file */
                                  "fsync "                           /* its name in .varve/i */
                                  "pwrite fdatasync renameat fsync " /* .pending */
                                  "flock "                           /* no folder goes away */
                                  "mkdirat mkdirat fsync fsync "     /* p in root, q in p */
                                  "renameat2 fsync "                 /* to its place, p/q */
                                  "renameat2 fsync ");               /* the entry */
    buf_reset(&calls);
    fixture_commit(store, "p/q/{first_seq}.parquet", 3, 4);
    EXPECT_TEXT(buf_text(&calls), "pwrite fdatasync fsync pwrite fdatasync renameat fsync flock "
                                  "renameat2 fsync renameat2 fsync ");
    buf_reset(&calls);
    /* A directory that somebody else has made need not be durable. */
    EXPECT(mkdir("root/p/r", 0755) == 0);
    fixture_commit(store, "p/r/{first_seq}.parquet", 5, 6);
    EXPECT_TEXT(buf_text(&calls), "pwrite fdatasync fsync pwrite fdatasync renameat fsync "
                                  "flock mkdirat fsync renameat2 fsync renameat2 fsync ");
    store_close(store);
    buf_free(&calls); /* closing makes calls, too */
}

struct failing {
    enum system_call call;
    int error;
    uint32_t number, seen; /* from this call on */
};

static int fail(void *context, enum system_call call, bool after)
{
    struct failing *failing = context;
    if (after || call != failing->call)
        return 0;
    return ++failing->seen >= failing->number ? failing->error : 0;
}

TEST(store_commit_goes_on_where_it_failed)
{
    struct store *store = fixture_open("i");
    struct failing failing = {SYSTEM_CALL_RENAMEAT2, ENOSPC, 2, 0};
    struct err err = {0};
    struct seqset set = {0};
    seqset_add_range(&set, 1, 2);
    struct store_epoch_file file = {
        fixture_file(store, 1, 2), false, KEY, "S", "C", &set, 2, NULL, NULL, 0};
    struct position position = fixture_position(2);
    struct store_epoch epoch = {.files = &file,
                                .file_count = 1,
                                .positions = &position,
                                .position_count = 1,
                                .dead_letters = NULL};
    EXPECT(mkdir("root/p", 0755) == 0);
    fixture_hook(store, fail, &failing);
    for (int attempt = 0; attempt < 3; attempt++) {
        err_clear(&err);
        EXPECT(store_commit(store, &epoch, &err) == -1);
        EXPECT_TEXT(err.text, "commit to root: can't make _delta_log/00000000000000000001.json: "
                              "No space left on device");
        EXPECT(posix_of(store->objects)->stage == POSIX_STAGE_ENTRY && store->current.count == 0);
        EXPECT(fixture_is_file("root/p/1-2.parquet"));
        EXPECT(fixture_look().files_in_log == 0);
    }
    failing.error = 0;
    err_clear(&err);
    EXPECT(store_commit(store, &epoch, &err) == 0);
    EXPECT(posix_of(store->objects)->stage == POSIX_IDLE && store->current.list[0].through == 2);
    EXPECT(fixture_look().files_in_log == 1 && fixture_look().hidden == 0);
    object_staged_free(file.file);
    seqset_free(&set);
    store_close(store);
}

TEST(store_commit_never_syncs_a_file_twice)
{
    struct store *store = fixture_open("i");
    struct failing failing = {SYSTEM_CALL_FDATASYNC, EIO, 2, 0};
    struct buf calls = {0};
    struct err err = {0};
    struct seqset set = {0};
    seqset_add_range(&set, 1, 2);
    fixture_hook(store, fail, &failing);
    struct store_epoch_file file = {
        fixture_file(store, 1, 2), false, KEY, "S", "C", &set, 2, NULL, NULL, 0};
    struct position position = fixture_position(2);
    struct store_epoch epoch = {.files = &file,
                                .file_count = 1,
                                .positions = &position,
                                .position_count = 1,
                                .dead_letters = NULL};
    EXPECT(store_commit(store, &epoch, &err) == -1);
    EXPECT(err.system == EIO && posix_of(store->objects)->stage == POSIX_STAGE_PENDING);
    EXPECT(!fixture_is_file("root/_delta_log/.pending-i"));
    fixture_hook(store, trace, &calls);
    err_clear(&err);
    EXPECT(store_commit(store, &epoch, &err) == 0);
    EXPECT(strncmp(buf_text(&calls), "fsync pwrite fdatasync renameat fsync ", 38) == 0);
    object_staged_free(file.file);
    seqset_free(&set);
    store_close(store);
    buf_free(&calls); /* closing makes calls, too */
}

static void lose_the_file(void)
{
    fixture_remove("root/.varve/i");
}

TEST(store_commit_says_when_a_file_is_gone)
{
    struct store *store = fixture_open("i");
    struct before before = {SYSTEM_CALL_RENAMEAT2, 1, 0, lose_the_file};
    struct err err = {0};
    fixture_hook(store, act_before, &before);
    EXPECT(fixture_try_commit(store, KEY, 1, 2, &err) == -1);
    EXPECT(err.code == ERR_FORMAT);
    EXPECT(strstr(err.text, "p/1-2.parquet is to be committed, but is gone") != NULL);
    store_close(store);
}

static int count_fsync(void *context, enum system_call call, bool after)
{
    uint32_t *count = context;
    *count += call == SYSTEM_CALL_FSYNC && !after;
    return 0;
}

/* A directory that somebody removes between two commits is as new as it was at first. */
TEST(store_commit_makes_directories_durable_that_were_removed)
{
    uint32_t fsyncs = 0;
    struct err err = {0};
    struct store *store =
        fixture_try_open("i", (struct system){.hook = count_fsync, .context = &fsyncs}, &err);
    EXPECT(store != NULL);
    uint32_t opened = fsyncs;
    fixture_commit(store, "p/q/r/{first_seq}.parquet", 1, 1);
    uint32_t first = fsyncs - opened;
    fixture_commit(store, "p/q/r/{first_seq}.parquet", 2, 2);
    uint32_t second = fsyncs - opened - first;
    EXPECT(second < first); /* what is durable above is not synced each time */
    EXPECT(unlink("root/p/q/r/1.parquet") == 0 && unlink("root/p/q/r/2.parquet") == 0);
    EXPECT(rmdir("root/p/q/r") == 0 && rmdir("root/p/q") == 0);
    fixture_commit(store, "p/q/r/{first_seq}.parquet", 3, 3);
    EXPECT_U64(fsyncs - opened - first - second, first);
    store_close(store);
}

/* What it has written down is of before; the clean-up of the log has removed the entry behind that,
 * and a power cut has brought the older ones back. */
TEST(store_recovers_behind_a_hole_that_a_power_cut_left)
{
    struct err err = {0};
    struct store *store = fixture_open("i");
    store_keep_subjects(store, slice_of("S C s 0\n"));
    char *noted = fixture_read("root/_delta_log/_varve/i.json");
    for (uint64_t sequence = 1; sequence <= 3; sequence++)
        fixture_commit(store, KEY, sequence, sequence);
    store_close(store);
    fixture_write("root/_delta_log/_varve/i.json", noted);
    fixture_write("root/_delta_log/_last_checkpoint", "{\"version\":3,\"size\":9}");
    EXPECT(unlink("root/_delta_log/00000000000000000001.json") == 0);
    EXPECT(fixture_try_open("i", (struct system){0}, &err) == NULL);
    EXPECT(strstr(err.text, "entry 1 of the log is missing") != NULL);
    free(noted);
}
