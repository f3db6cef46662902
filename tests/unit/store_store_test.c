/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <errno.h>

#include "store_fixture.h"

#define KEY "{first_seq}-{last_seq}.parquet"

TEST(store_open_makes_a_table)
{
    struct store *store = fixture_open("i");
    EXPECT(store->recovery.created && store->recovery.entries == 1);
    EXPECT(!store->recovery.rolled_forward && !store->recovery.forgotten);
    EXPECT(fixture_is_file("root/_delta_log/00000000000000000000.json"));
    EXPECT(fixture_is_file("root/.varve/i/lock"));
    EXPECT_U64(fixture_look().hidden, 0);
    char *first = fixture_read("root/_delta_log/00000000000000000000.json");
    store_close(store);
    store = fixture_open("j");
    EXPECT(!store->recovery.created);
    char *second = fixture_read("root/_delta_log/00000000000000000000.json");
    EXPECT_TEXT(second, first);
    free(first);
    free(second);
    store_close(store);
    store_close(NULL);
}

TEST(store_open_makes_the_directories_above)
{
    struct err err = {0};
    struct store_config config = {
        .root = "a/b/c", .instance = "i", .engine = "e", .schema = &fixture_schema};
    struct store *store = store_open(&config, &err);
    EXPECT_TEXT(err.text, "");
    EXPECT(access("a/b/c/_delta_log", F_OK) == 0);
    store_close(store);
}

TEST(store_open_is_for_one_process_of_a_name)
{
    struct store *store = fixture_open("i");
    struct store *other = fixture_open("j");
    struct err err = {0};
    EXPECT(fixture_try_open("i", (struct system){0}, &err) == NULL);
    EXPECT(err.code == ERR_REFUSED);
    EXPECT(strstr(err.text, "root: instance i is in use by process ") == err.text);
    store_close(store);
    store = fixture_open("i");
    store_close(store);
    store_close(other);
}

TEST(store_open_takes_any_name)
{
    static const char *const names[] = {"../..", ".", "a/b", "_x", "\xff", "lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct store *store = fixture_open(names[i]);
        struct position position = fixture_position(i + 1);
        struct store_epoch epoch = {.files = NULL,
                                    .file_count = 0,
                                    .positions = &position,
                                    .position_count = 1,
                                    .dead_letters = NULL};
        struct err err = {0};
        EXPECT(store_commit(store, &epoch, &err) == 0);
        store_close(store);
    }
    struct store *store = fixture_open("../..");
    EXPECT_U64(store->positions.list[0].through, 1);
    EXPECT_U64(store->recovery.entries, 7);
    store_close(store);
}

TEST(store_open_removes_only_its_own_leftovers)
{
    struct store *store = fixture_open("i");
    struct store *other = fixture_open("i-2");
    object_staged_free(fixture_file(store, 1, 2));
    object_staged_free(fixture_file(store, 3, 4));
    struct object_staged *kept = fixture_file(other, 5, 6);
    EXPECT_U64(fixture_look().hidden, 3);
    store_close(store);
    store = fixture_open("i");
    EXPECT_U64(store->recovery.files_removed, 2);
    EXPECT_U64(fixture_look().hidden, 1);
    object_abandon(kept);
    store_close(store);
    store_close(other);
}

TEST(store_open_refuses_another_table)
{
    struct err err = {0};
    EXPECT(mkdir("root", 0755) == 0 && mkdir("root/_delta_log", 0755) == 0);
    fixture_write("root/_delta_log/00000000000000000000.json",
                  "{\"protocol\":{\"minReaderVersion\":2,\"minWriterVersion\":5}}\n"
                  "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"\"}}\n");
    EXPECT(fixture_try_open("i", (struct system){0}, &err) == NULL);
    EXPECT_TEXT(
        err.text,
        "root: varve can't write to the table as it is at version 0 (undo what was changed, or "
        "have it write to another place): it needs Delta reader version 2 and writer "
        "version 5, varve has 1 and 2");
}

/* No reader of Delta can read a log without its beginning, nor can varve know what was in it. */
TEST(store_open_refuses_a_log_without_its_beginning)
{
    struct err err = {0};
    struct store *store = fixture_open("j");
    fixture_commit(store, KEY, 1, 2);
    store_close(store);
    EXPECT(unlink("root/_delta_log/00000000000000000000.json") == 0);
    EXPECT(fixture_try_open("i", (struct system){0}, &err) == NULL);
    EXPECT_TEXT(err.text, "root: entry 0 of the log is missing");
}

/* The log of a shallow clone has no positions. Who has stored here goes on; what was there once
 * does not count. */
TEST(store_open_refuses_files_elsewhere)
{
    struct err err = {0};
    struct store *store = fixture_open("i");
    fixture_commit(store, KEY, 1, 2);
    store_close(store);
    fixture_write("root/_delta_log/00000000000000000002.json",
                  "{\"add\":{\"path\":\"file:/srv/a.parquet\",\"partitionValues\":{},\"size\":1,"
                  "\"modificationTime\":1,\"dataChange\":true}}\n");
    EXPECT(fixture_try_open("j", (struct system){0}, &err) == NULL);
    EXPECT_TEXT(err.text,
                "root: file:/srv/a.parquet, which the log names, is not in the folder of the "
                "table, and varve reads no others: is the table a shallow clone? make one that has "
                "its files");
    store_close(fixture_open("i"));
    fixture_write("root/_delta_log/00000000000000000003.json",
                  "{\"remove\":{\"path\":\"file:/srv/a.parquet\",\"dataChange\":true}}\n");
    store_close(fixture_open("j"));
}

TEST(store_open_refuses_a_damaged_pending)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    store_close(store);
    fixture_write("root/_delta_log/.pending-i", "{\"commitInfo\":{}}\n");
    EXPECT(fixture_try_open("i", (struct system){0}, &err) == NULL);
    EXPECT(err.code == ERR_FORMAT);
    EXPECT(strstr(err.text, "_delta_log/.pending-i") != NULL);
    EXPECT(fixture_is_file("root/_delta_log/.pending-i"));
    EXPECT(unlink("root/_delta_log/.pending-i") == 0);
    store = fixture_open("i");
    store_close(store);
}

/* A backup by hard links makes the link count lie. */
TEST(store_open_is_not_fooled_by_hard_links)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    fixture_commit(store, KEY, 1, 2);
    fixture_write("root/in-the-way", "");
    EXPECT(fixture_try_commit(store, "in-the-way/{first_seq}.parquet", 3, 4, &err) == -1);
    EXPECT(err.system == ENOTDIR);
    store_close(store);
    EXPECT(link("root/_delta_log/.pending-i", "backup") == 0);
    EXPECT(unlink("root/in-the-way") == 0);
    store = fixture_open("i");
    EXPECT(store->recovery.rolled_forward && store->positions.list[0].through == 4);
    EXPECT(fixture_is_file("root/in-the-way/3.parquet"));
    EXPECT(fixture_look().in_log[3] == 1);
    /* And the entry that was finished is what the next one goes on from. */
    fixture_commit(store, KEY, 5, 6);
    EXPECT(fixture_look().in_log[5] == 1);
    store_close(store);
}

TEST(store_reopen_makes_again_what_was_removed)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    bool reopened = true;
    fixture_commit(store, "p/{first_seq}.parquet", 1, 2);
    EXPECT(store_reopen(store, &reopened, &err) == 0 && !reopened); /* all is there */
    fixture_remove("root/.varve");
    EXPECT(store_reopen(store, &reopened, &err) == 0 && reopened);
    EXPECT(fixture_try_open("i", (struct system){0}, &err) == NULL); /* locked again */
    EXPECT_I64(err.code, ERR_REFUSED);
    fixture_commit(store, "q/{first_seq}.parquet", 3, 4);
    EXPECT_U64(store->current.list[0].through, 4);
    struct fixture_view view = fixture_look();
    EXPECT(view.in_log[1] == 1 && view.in_log[3] == 1 && view.in_log[4] == 1);
    EXPECT(!store_is_outdated(store));
    store_close(store);
}

/* What was stored in a table that is gone is not stored: nothing may be committed that says so. */
TEST(store_with_a_table_that_is_gone_commits_nothing)
{
    static const char *const removed[] = {"root", "root/_delta_log"};
    for (size_t i = 0; i < 2; i++) {
        struct store *store = fixture_open("i");
        struct err err = {0};
        bool reopened;
        fixture_commit(store, "p/{first_seq}.parquet", 1, 2);
        fixture_remove(removed[i]);
        EXPECT(store_reopen(store, &reopened, &err) == -1 && !reopened);
        EXPECT(store_is_outdated(store));
        EXPECT(fixture_try_commit(store, "q/{first_seq}.parquet", 3, 4, &err) == -1);
        store_close(store);
        store = fixture_open("i");
        EXPECT(store->recovery.created && store->positions.count == 0);
        EXPECT(!fixture_is_file("root/q/3.parquet"));
        store_close(store);
        fixture_remove("root");
    }
}

TEST(store_reopen_says_what_is_in_the_way)
{
    struct store *store = fixture_open("i");
    struct err err = {0};
    bool reopened;
    fixture_remove("root");
    fixture_write("root", "");
    EXPECT(store_reopen(store, &reopened, &err) != 0 && !reopened);
    EXPECT(strstr(err.text, "root") != NULL);
    EXPECT(unlink("root") == 0);
    err_clear(&err);
    EXPECT(store_reopen(store, &reopened, &err) == -1 && store_is_outdated(store));
    store_close(store);
    store = fixture_open("i");
    fixture_commit(store, "p/{first_seq}.parquet", 1, 2);
    store_close(store);
}
