/* SPDX-License-Identifier: MIT */
#include "batch/leaves.h"

#include "test.h"

/* Columns that are written where they lie have room, whatever became of the rows before. */
enum { FEW = 8, MANY = 100 };

static const struct column_spec specs[] = {
    {.name = "wide", .type = COLUMN_INT64, .optional = true},
    {.name = "narrow", .type = COLUMN_INT32, .optional = true},
    {.name = "flag", .type = COLUMN_BOOLEAN, .optional = true},
    {.name = "text", .type = COLUMN_BYTES, .optional = true},
};
static const struct batch_leaf list[] = {
    {0, 1, 8, false}, {1, 1, 4, false}, {2, 1, 1, false}, {3, 1, LEAF_TEXT, false}};
static const uint32_t roots[] = {0, 1, 2, 3};

static void put_row(struct batch *b, struct batch_leaves *leaves, bool nulls, uint32_t number)
{
    batch_begin_leaves(b);
    for (uint32_t i = 0; nulls && i < leaves->count; i++)
        leaf_put_null(b, &b->columns[i], &list[i], 0);
    if (!nulls) {
        leaf_put_8(&b->columns[0], number);
        leaf_put_4(&b->columns[1], number);
        leaf_put_1(&b->columns[2], 1);
        leaves->added[3] = leaf_put_text(b, &b->columns[3], slice_of("leaf"));
    }
    batch_end_leaves(b, 0, leaves);
    batch_end_row(b);
    for (uint32_t i = 0; i < leaves->count; i++) {
        EXPECT(b->columns[i].values.len <= b->columns[i].values.cap);
        EXPECT(b->columns[i].definitions.len <= b->columns[i].definitions.cap);
    }
}

static void put_rows(struct batch *b, struct batch_leaves *leaves, bool nulls, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        put_row(b, leaves, nulls, i);
}

TEST(batch_leaves_have_room_behind_nulls_that_were_taken_back)
{
    const struct schema schema = {"leaves", specs, 4};
    uint32_t added[4];
    struct batch_leaves leaves = {list, added, 4, roots, 4, 0};
    leaves.bytes = batch_leaves_bytes(&leaves);
    for (int reset = 0; reset < 2; reset++) {
        struct batch *b = batch_new(&schema, NULL);
        put_rows(b, &leaves, false, FEW);
        batch_mark(b);
        put_rows(b, &leaves, true, MANY);
        EXPECT_U64(b->columns[0].nulls, MANY);
        if (reset == 1)
            batch_reset(b);
        else
            batch_rollback(b);
        uint32_t before = b->rows;
        put_rows(b, &leaves, false, MANY);
        EXPECT_U64(b->rows, before + MANY);
        EXPECT_U64(b->columns[0].nulls, 0);
        EXPECT_U64(b->columns[0].values.len, 8 * (size_t)b->rows);
        EXPECT_U64(b->columns[3].values.len, 8 * (size_t)b->rows);
        EXPECT_U64(b->bytes, (uint64_t)b->rows * (8 + 4 + 1 + 8 + 4));
        batch_free(b);
    }
}
