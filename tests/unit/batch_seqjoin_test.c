/* SPDX-License-Identifier: MIT */
#include "batch/seqjoin.h"

#include <string.h>

#include "test.h"

enum {
    UNIVERSE = 1 << 19,
    PIECE = 1 << 7, /* members of a set that is added */
};

static bool marked[UNIVERSE];
static uint32_t numbers[UNIVERSE];

/* Each fifth number, no two of which are neighbours, in any order. Returns how many. */
static size_t shuffle(void)
{
    size_t count = 0;
    for (uint32_t i = 0; i < UNIVERSE; i += 5)
        numbers[count++] = i;
    for (size_t i = count; i > 1; i--) {
        size_t k = test_random() % i;
        uint32_t last = numbers[i - 1];
        numbers[i - 1] = numbers[k];
        numbers[k] = last;
    }
    return count;
}

/* A set is as few ranges as can be, of exactly the numbers that are marked. */
static void expect_marked(const struct seqset *set)
{
    size_t at = 0;
    for (uint64_t i = 0; i < UNIVERSE; i++) {
        if (!marked[i])
            continue;
        EXPECT(at < set->count && set->list[at].first == i);
        while (i + 1 < UNIVERSE && marked[i + 1])
            i++;
        EXPECT_U64(set->list[at++].last, i);
    }
    EXPECT_U64(set->count, at);
}

TEST(seqjoin_one_by_one_in_any_order)
{
    struct seqset set = {0};
    struct seqjoin join = {0};
    size_t count = shuffle();
    uint64_t before = seqset_moved();
    for (size_t i = 0; i < count; i++) {
        EXPECT(seqjoin_add(&join, &set, numbers[i]));
        EXPECT(!seqjoin_add(&join, &set, numbers[test_random() % (i + 1)]));
        marked[numbers[i]] = true;
    }
    seqjoin_finish(&join, &set);
    expect_marked(&set);
    /* 1024 at the most for its place, and less than that for the rest of its way. */
    EXPECT((seqset_moved() - before) / count < 2048);
    EXPECT(join.runs.list == NULL && join.runs.count == 0);
    seqset_free(&set);
}

/* In the order of their lowest members, from the highest on, or in any: `step` through the sets. */
static uint64_t join_pieces(size_t step, size_t most_memory)
{
    struct account memory = {0};
    struct seqset set = {.account = &memory}, piece = {0};
    struct seqjoin join = {0};
    size_t pieces = UNIVERSE / 4 / PIECE, at = 0;
    uint64_t before = seqset_moved();
    memset(marked, 0, sizeof(marked));
    for (uint64_t i = 0; i < UNIVERSE; i += 4) { /* what somebody else has */
        seqset_add(&set, i);
        marked[i] = true;
    }
    for (size_t n = 0; n < pieces; n++, at = (at + step) % pieces) {
        seqset_reset(&piece);
        for (uint64_t i = 0; i < PIECE; i++) {
            seqset_add(&piece, (at * PIECE + i) * 4 + 2);
            marked[(at * PIECE + i) * 4 + 2] = true;
        }
        seqjoin_add_all(&join, &set, &piece);
        EXPECT(account_bytes(&memory) <= most_memory);
    }
    seqjoin_finish(&join, &set);
    uint64_t moved = seqset_moved() - before;
    expect_marked(&set);
    seqset_free(&set);
    seqset_free(&piece);
    EXPECT_U64(account_bytes(&memory), 0);
    return moved;
}

/* Each set lies between what is there: moved at once, all together move some 30 million ranges. */
TEST(seqjoin_sets_in_any_order)
{
    size_t pieces = UNIVERSE / 4 / PIECE;
    size_t memory = 4 * sizeof(struct seqrange) * UNIVERSE / 2; /* arrays grow by doubling */
    EXPECT(join_pieces(1, memory) < 8 * UNIVERSE);
    EXPECT(join_pieces(pieces - 1, memory) < 8 * UNIVERSE);
    EXPECT(join_pieces(619, memory) < 8 * UNIVERSE);
}

TEST(seqjoin_zeroed_is_empty)
{
    struct seqset set = {0};
    struct seqjoin join = {0};
    seqjoin_finish(&join, &set);
    seqjoin_free(&join);
    seqjoin_add_all(&join, &set, &set);
    EXPECT(set.count == 0 && seqjoin_add(&join, &set, UINT64_MAX));
    EXPECT(seqjoin_add(&join, &set, 0) && !seqjoin_add(&join, &set, UINT64_MAX));
    seqjoin_finish(&join, &set);
    EXPECT_U64(set.count, 2);
    seqset_free(&set);
}
