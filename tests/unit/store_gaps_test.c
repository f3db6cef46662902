/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

/*
 * A shared consumer whose floor others hold back: what is durable lies above the position, in more
 * ranges than any text of them may have. What an entry says is what its epoch adds.
 */
enum { GAPS_EPOCHS = 3, GAPS_EPOCH = 400 * 1000 };

static void commit_position(struct store *store, uint64_t through, const struct seqset *above)
{
    struct err err = {0};
    struct position position = fixture_position(through);
    position.above = *above;
    struct store_epoch epoch = {.positions = &position, .position_count = 1};
    (void)!store_commit(store, &epoch, &err);
    EXPECT_TEXT(err.text, "");
}

/* The newest entry says of what is above the position exactly this. */
static void expect_above(const struct store *store, const char *above)
{
    char path[64], wanted[64];
    (void)snprintf(path, sizeof(path), "root/_delta_log/%020" PRIu64 ".json",
                   (uint64_t)store->table.version);
    (void)snprintf(wanted, sizeof(wanted), "\"above\":\"%s\"", above);
    char *text = fixture_read(path);
    EXPECT(strstr(text, wanted) != NULL);
    EXPECT(strlen(text) < 2000);
    free(text);
}

TEST(store_entries_say_what_an_epoch_adds)
{
    struct store *store = fixture_open("i");
    struct seqset above = {0};
    uint64_t last = 1;
    for (int epoch = 0; epoch < GAPS_EPOCHS; epoch++) {
        for (int i = 0; i < GAPS_EPOCH; i++)
            seqset_add(&above, last += 2);
        commit_position(store, 1, &above);
    }
    EXPECT(above.count > SEQSET_RANGES_MAX);
    commit_position(store, 1, &above);
    expect_above(store, "");
    seqset_add_range(&above, 5000000, 5000009);
    commit_position(store, 1, &above);
    expect_above(store, "5000000-5000009");
    EXPECT_U64(positions_find(&store->current, "S", "C", "D")->above.count, above.count);
    seqset_remove_through(&above, last); /* what others held is acked */
    commit_position(store, last, &above);
    expect_above(store, "");
    store_close(store);

    store = fixture_open("i");
    const struct position *p = positions_find(&store->positions, "S", "C", "D");
    EXPECT_U64(p->through, last);
    EXPECT_U64(p->above.count, 1);
    EXPECT_U64(p->above.list[0].first, 5000000);
    EXPECT_U64(p->above.list[0].last, 5000009);
    store_close(store);
    seqset_free(&above);
}
