/* SPDX-License-Identifier: MIT */
#include "store/keeper.h"

#include "store_fixture.h"

#define KEY "p/{first_seq}-{last_seq}.parquet"
#define CHECKPOINT "root/_delta_log/00000000000000000004.checkpoint.parquet"

static struct keeper *start(const struct store *store, uint64_t interval)
{
    struct err err = {0};
    struct keeper_options options = {
        .root = "root", .version = store->table.version, .interval = interval};
    struct keeper *keeper = keeper_new(&options, &err);
    EXPECT(keeper != NULL);
    return keeper;
}

static void commit_to(struct store *store, struct keeper *keeper, uint64_t last)
{
    while (store->table.version < last) {
        uint64_t row = store->table.version + 1;
        fixture_commit(store, KEY, row, row);
        keeper_note(keeper, store->table.version);
    }
}

/* Commits go on while it is at it; a run that ends by itself waits for what is due. */
TEST(store_keeper_makes_checkpoints_beside_commits)
{
    struct store *store = fixture_open("i");
    struct keeper *keeper = start(store, 5);
    commit_to(store, keeper, 3);
    keeper_free(keeper, true);
    EXPECT(!fixture_is_file("root/_delta_log/_last_checkpoint")); /* not due yet */
    keeper = start(store, 4);
    commit_to(store, keeper, 4);
    keeper_free(keeper, true);
    EXPECT(fixture_is_file(CHECKPOINT) && fixture_is_file("root/_delta_log/_last_checkpoint"));
    store_close(store);
}

/* Whoever has the lock does it; the others leave it to him, and come to their end. */
TEST(store_keeper_is_one_at_a_time)
{
    struct system plain = {0};
    struct err err = {0};
    struct store *store = fixture_open("i");
    struct object_store *other = keeper_open("root", &plain, &err);
    EXPECT(other != NULL);
    EXPECT(keeper_open("root", &plain, &err) == NULL && err.code == ERR_REFUSED);
    struct keeper *keeper = start(store, 4);
    commit_to(store, keeper, 4);
    keeper_free(keeper, true);
    EXPECT(!fixture_is_file(CHECKPOINT));
    object_store_close(other);
    keeper_free(start(store, 4), true);
    EXPECT(fixture_is_file(CHECKPOINT));
    store_close(store);
}
