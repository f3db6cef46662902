/* SPDX-License-Identifier: MIT */
#include "batch_levels.h"

#include "base/bytes.h"
#include "batch/leaves.h"
#include "child.h"

/*
 * A batch writes levels down only where there are nulls. Two batches, to which rows come, and from
 * which they go, in every way there is and in random order, against rows that are kept plainly.
 */
enum { SEQ, PART, PART_WIDE, PART_FLAG, TEXT, LIST, LIST_ITEM, NARROW, COLUMNS };

static const struct column_spec columns[COLUMNS] = {
    [SEQ] = {.name = "seq", .type = COLUMN_INT64},
    [PART] = {.name = "part", .type = COLUMN_STRUCT, .children = 2, .optional = true},
    [PART_WIDE] = {.name = "wide", .type = COLUMN_INT64, .optional = true},
    [PART_FLAG] = {.name = "flag", .type = COLUMN_BOOLEAN},
    [TEXT] = {.name = "text", .type = COLUMN_BYTES, .optional = true},
    [LIST] = {.name = "list", .type = COLUMN_LIST, .optional = true},
    [LIST_ITEM] = {.name = "item", .type = COLUMN_FLOAT},
    [NARROW] = {.name = "narrow", .type = COLUMN_INT32, .optional = true},
};
static const struct schema schema = {"levels", columns, COLUMNS};
static const struct batch_leaf list[] = {{PART_WIDE, 2, 8, false},
                                         {PART_FLAG, 1, 1, false},
                                         {TEXT, 1, LEAF_TEXT, false},
                                         {LIST_ITEM, 2, 4, true},
                                         {NARROW, 1, 4, false}};
static const uint32_t roots[] = {PART, TEXT, LIST, NARROW};

enum { LEAVES = 5, ROOTS = 4, TEXT_MAX = 20, ITEMS_MAX = 5, ROWS_MAX = 2000, RUN_MAX = 90 };

/* Of a list that is null. */
enum { NO_LIST = -1 };

struct row {
    bool part, wide, text, narrow; /* which are there */
    int items;
    uint64_t bits; /* of all numbers */
    size_t text_len;
};

struct side {
    struct batch *b;
    struct row rows[ROWS_MAX];
    uint32_t count, marked;
    bool is_marked;
};

static const uint8_t letters[TEXT_MAX] = "abcdefghijklmnopqrst";
static uint32_t added[LEAVES];
static struct batch_leaves leaves = {list, added, LEAVES, roots, ROOTS, 0};

static uint64_t below(uint64_t limit)
{
    return test_random() % limit;
}

/* One of `nulls` in four is a null. */
static bool is_there(uint64_t nulls)
{
    return below(4) >= nulls;
}

static struct row random_row(uint64_t nulls)
{
    return (struct row){.part = is_there(nulls),
                        .wide = is_there(nulls),
                        .text = is_there(nulls),
                        .narrow = is_there(nulls),
                        .items = is_there(nulls) ? 1 + (int)below(ITEMS_MAX) : (int)below(2) - 1,
                        .bits = test_random(),
                        .text_len = below(TEXT_MAX)};
}

static struct slice items_of(const struct row *r, uint8_t *bytes)
{
    for (int i = 0; i < r->items; i++)
        store_u32le(bytes + 4 * i, (uint32_t)r->bits + (uint32_t)i);
    return (struct slice){bytes, r->items > 0 ? 4 * (size_t)r->items : 0};
}

/* The first `count` leaves. */
static void put_leaves(struct batch *b, const struct row *r, uint32_t count)
{
    uint8_t bytes[4 * ITEMS_MAX];
    struct slice items = items_of(r, bytes);
    batch_begin_leaves(b);
    for (uint32_t i = 0; i < count; i++) {
        struct column *c = &b->columns[list[i].column];
        if (i == 0 && r->part && r->wide)
            leaf_put_8(c, r->bits);
        else if (i == 0)
            leaf_put_null(b, c, &list[i], r->part);
        else if (i == 1 && r->part)
            leaf_put_1(c, r->bits % 2);
        else if (i == 2 && r->text)
            added[i] = leaf_put_text(b, c, (struct slice){letters, r->text_len});
        else if (i == 3 && r->items > 0)
            leaf_put_list(b, c, &list[i], items);
        else if (i == 3)
            leaf_put_null(b, c, &list[i], r->items == 0);
        else if (i == 4 && r->narrow)
            leaf_put_4(c, (uint32_t)r->bits);
        else
            leaf_put_null(b, c, &list[i], 0);
        if (i == 3)
            added[i] = (uint32_t)items.len;
    }
}

static void put_part(struct batch *b, const struct row *r)
{
    if (!r->part) {
        batch_put_null(b, PART);
        return;
    }
    batch_begin_struct(b, PART);
    if (r->wide)
        batch_put_int64(b, PART_WIDE, (int64_t)r->bits);
    batch_put_boolean(b, PART_FLAG, r->bits % 2);
    batch_end(b);
}

static void put_list(struct batch *b, const struct row *r)
{
    uint8_t bytes[4 * ITEMS_MAX];
    if (r->items == NO_LIST)
        return;
    batch_begin_list(b, LIST);
    batch_put_fixed(b, LIST_ITEM, items_of(r, bytes).data, (size_t)r->items);
    batch_end(b);
}

/* One by one: what is not given is null. */
static void put_columns(struct batch *b, const struct row *r)
{
    if (r->narrow)
        batch_put_int32(b, NARROW, (int32_t)(uint32_t)r->bits);
    put_list(b, r);
    put_part(b, r);
    if (r->text)
        batch_put_bytes(b, TEXT, (struct slice){letters, r->text_len});
}

static void give_up(struct batch *b, const struct row *r)
{
    uint32_t count = (uint32_t)below(LEAVES + 1);
    uint64_t bytes = b->bytes, entries = b->row_entries;
    put_leaves(b, r, count);
    batch_drop_leaves(b, 0, &leaves, count, bytes);
    EXPECT_U64(b->bytes, bytes);
    EXPECT_U64(b->row_entries, entries);
}

/* In one of three ways: leaf by leaf, one by one, and the latter after the former was given up. */
static void put_row(struct side *s, uint64_t nulls)
{
    struct row *r = &s->rows[s->count++], other = random_row(nulls);
    uint64_t way = below(8);
    *r = random_row(nulls);
    batch_put_int64(s->b, SEQ, (int64_t)r->bits);
    if (way == 0)
        give_up(s->b, &other);
    if (way > 1)
        put_leaves(s->b, r, LEAVES);
    if (way > 1)
        batch_end_leaves(s->b, 0, &leaves);
    else
        put_columns(s->b, r);
    batch_end_row(s->b);
}

static void put_rows(struct side *s)
{
    uint64_t nulls = below(4) < 2 ? 0 : below(5);
    for (uint64_t i = below(RUN_MAX); i > 0 && s->count < ROWS_MAX; i--)
        put_row(s, nulls);
}

static void roll_back(struct side *s)
{
    struct row begun = random_row(below(5));
    if (!s->is_marked)
        return;
    batch_put_int64(s->b, SEQ, 0);
    put_leaves(s->b, &begun, (uint32_t)below(LEAVES + 1));
    batch_rollback(s->b);
    s->count = s->marked;
}

static void forget(struct side *s)
{
    batch_reset(s->b);
    s->count = 0;
    s->is_marked = false;
}

static void pack(const struct side *from, struct side *to)
{
    struct buf packed = {0};
    if (from->count > ROWS_MAX - to->count)
        return;
    batch_pack(from->b, &packed);
    batch_unpack(to->b, buf_slice(&packed));
    for (uint32_t i = 0; i < from->count; i++)
        to->rows[to->count++] = from->rows[i];
    buf_free(&packed);
}

/* From some row on, around, and backwards or not. */
static void copy(const struct side *from, struct side *to)
{
    uint32_t order[ROWS_MAX], first = (uint32_t)below(from->count + (uint64_t)1);
    bool backwards = below(2) == 0;
    if (from->count > ROWS_MAX - to->count)
        return;
    for (uint32_t i = 0; i < from->count; i++) {
        uint32_t at = (first + i) % from->count;
        order[i] = backwards ? from->count - 1 - at : at;
        to->rows[to->count + i] = from->rows[order[i]];
    }
    batch_copy_ordered(to->b, from->b, order);
    to->count += from->count;
}

/* What a row is in a column. */
static uint32_t expect_row(const struct row *r, uint32_t column, struct buf *values,
                           struct buf *levels)
{
    uint8_t bytes[4 * ITEMS_MAX];
    struct slice items = items_of(r, bytes);
    bool there = column == PART_WIDE   ? r->part && r->wide
                 : column == PART_FLAG ? r->part
                 : column == TEXT      ? r->text
                 : column == NARROW    ? r->narrow
                                       : r->items > 0;
    uint8_t absent = column == PART_WIDE ? r->part : column == LIST_ITEM ? r->items == 0 : 0;
    uint8_t full = column == PART_WIDE || column == LIST_ITEM ? 2 : 1;
    for (int i = 0; i == 0 || (column == LIST_ITEM && i < r->items); i++)
        buf_append_byte(levels, there ? full : absent);
    if (!there)
        return 1;
    if (column == PART_WIDE)
        buf_append_u64le(values, r->bits);
    else if (column == PART_FLAG)
        buf_append_byte(values, r->bits % 2);
    else if (column == NARROW)
        buf_append_u32le(values, (uint32_t)r->bits);
    else if (column == LIST_ITEM)
        buf_append_slice(values, items);
    else
        buf_append_u32le(values, (uint32_t)r->text_len);
    if (column == TEXT)
        buf_append(values, letters, r->text_len);
    return 0;
}

static void check(const struct side *s)
{
    uint64_t bytes = s->count * (uint64_t)8;
    EXPECT_U64(s->b->rows, s->count);
    for (const struct batch_leaf *leaf = list; leaf < list + LEAVES; leaf++) {
        const struct column *c = &s->b->columns[leaf->column];
        struct buf values = {0}, levels = {0};
        uint32_t nulls = 0;
        for (uint32_t i = 0; i < s->count; i++)
            nulls += expect_row(&s->rows[i], leaf->column, &values, &levels);
        EXPECT_BYTES(c->values.data, c->values.len, values.data, values.len);
        expect_definitions(s->b, leaf->column, levels.data, levels.len);
        EXPECT_U64(batch_entries(s->b, leaf->column), levels.len);
        EXPECT_U64(c->nulls, nulls);
        bytes += values.len + levels.len * (leaf->is_list ? 2 : 1);
        buf_free(&values);
        buf_free(&levels);
    }
    EXPECT_U64(s->b->bytes, bytes);
}

TEST(batch_levels_are_right_whatever_becomes_of_the_rows)
{
    static struct side sides[2];
    leaves.bytes = batch_leaves_bytes(&leaves);
    for (int i = 0; i < 2; i++)
        sides[i].b = batch_new(&schema, NULL);
    for (int step = 0; step < 1500; step++) {
        uint64_t which = below(2), what = below(20);
        struct side *s = &sides[which];
        if (what == 0) {
            forget(s);
        } else if (what < 3) {
            pack(&sides[1 - which], s);
        } else if (what < 5) {
            copy(&sides[1 - which], s);
        } else if (what < 8) {
            roll_back(s);
        } else if (what < 11) {
            batch_mark(s->b);
            s->marked = s->count;
            s->is_marked = true;
        } else {
            put_rows(s);
        }
        check(s);
        if (s->count > ROWS_MAX / 2)
            forget(s);
    }
    for (int i = 0; i < 2; i++)
        batch_free(sides[i].b);
}

static const struct schema flat = {"flat", columns + TEXT, 1};
static const struct batch_leaf one_leaf[] = {{0, 1, LEAF_TEXT, false}};
static const uint32_t one_root[] = {0};

static void give_a_leaf_again(void)
{
    const struct batch_leaves one = {one_leaf, added, 1, one_root, 1, 4};
    struct batch *b = batch_new(&flat, NULL);
    batch_begin_leaves(b);
    (void)leaf_put_text(b, &b->columns[0], slice_of("leaf"));
    batch_end_leaves(b, 0, &one);
    batch_put_null(b, 0);
}

TEST(batch_leaf_is_given_once)
{
    EXPECT(child_assert_fails(give_a_leaf_again));
}
