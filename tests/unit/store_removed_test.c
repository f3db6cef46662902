/* SPDX-License-Identifier: MIT */
#include "store/removed.h"

#include <stdio.h>

#include "base/arena.h"
#include "test.h"

static void note(struct store_removed *r, uint64_t version, const char *line)
{
    struct arena arena = {0};
    struct delta_action action;
    struct err err = {0};
    EXPECT(delta_action_parse(&action, &arena, slice_of(line), &err) == 0);
    store_removed_note(r, version, &action);
    arena_free(&arena);
}

#define REMOVED "{\"remove\":{\"path\":\"a\",\"dataChange\":true}}"
#define MOVED "{\"remove\":{\"path\":\"b\",\"dataChange\":false}}"
#define THEIRS "{\"commitInfo\":{\"operation\":\"RESTORE\",\"engineInfo\":\"theirs\"}}"
#define EXPIRED "{\"commitInfo\":{\"operation\":\"DELETE\",\"engineInfo\":\"varve/1.0.0\"}}"
#define OWN(name)                                                          \
    "{\"commitInfo\":{\"operation\":\"WRITE\",\"engineInfo\":\"varve/1\"," \
    "\"varve\":{\"instance\":\"" name "\"}}}"

static void expect_list(struct store_removed *r, size_t count, const char *operation)
{
    note(r, 1000, OWN("nobody"));
    EXPECT_U64(r->list.count, count);
    if (count > 0)
        EXPECT_TEXT(r->list.list[count - 1].operation, operation);
    store_removed_free(r);
}

/* An engine puts its commitInfo where it likes. */
TEST(store_removed_counts_what_entries_take_away)
{
    struct store_removed r = {.instance = "a"};
    note(&r, 1, THEIRS);
    note(&r, 1, REMOVED);
    note(&r, 1, MOVED);
    note(&r, 2, REMOVED);
    note(&r, 2, REMOVED);
    note(&r, 2, THEIRS);
    note(&r, 3, MOVED);
    note(&r, 4, EXPIRED);
    note(&r, 4, REMOVED);
    note(&r, 5, OWN("b"));
    EXPECT_U64(r.list.count, 2);
    EXPECT(r.list.list[0].version == 1 && r.list.list[0].files == 1);
    EXPECT(r.list.list[1].version == 2 && r.list.list[1].files == 2);
    expect_list(&r, 2, "RESTORE");
}

TEST(store_removed_knows_what_was_said_before)
{
    struct store_removed r = {.instance = "a"};
    note(&r, 1, THEIRS);
    note(&r, 1, REMOVED);
    note(&r, 2, OWN("a"));
    expect_list(&r, 0, NULL);
    r.instance = "a";
    note(&r, 1, REMOVED);
    note(&r, 1, THEIRS);
    note(&r, 2, OWN("b"));
    expect_list(&r, 1, "RESTORE");
}

TEST(store_removed_of_a_log_that_is_read_twice)
{
    struct store_removed r = {.instance = "a"};
    for (int attempt = 0; attempt < 3; attempt++) {
        note(&r, 1, REMOVED);
        note(&r, 1, THEIRS);
        note(&r, 2, THEIRS);
        note(&r, 2, REMOVED);
    }
    expect_list(&r, 2, "RESTORE");
}
