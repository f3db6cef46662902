/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

#include "base/bytes.h"
#include "batch_levels.h"
#include "child.h"

enum { SEQ, NAME, COUNT, NOTE, COLUMNS };

static const struct column_spec columns[COLUMNS] = {
    [SEQ] = {.name = "seq", .type = COLUMN_INT64},
    [NAME] = {.name = "name", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT},
    [COUNT] = {.name = "count", .type = COLUMN_INT64, .optional = true},
    [NOTE] = {.name = "note", .type = COLUMN_BYTES, .optional = true},
};

static const struct schema schema = {.name = "test", .columns = columns, .count = COLUMNS};

static void expect_column(const struct batch *b, uint32_t column, const char *values,
                          const char *definitions)
{
    const struct column *c = &b->columns[column];
    size_t len;
    const uint8_t *expected = test_hex(values, &len);
    EXPECT_BYTES(c->values.data, c->values.len, expected, len);
    expected = test_hex(definitions, &len);
    expect_definitions(b, column, expected, len);
}

TEST(batch_columns_are_plain)
{
    struct batch *b = batch_new(&schema, NULL);
    EXPECT_U64(b->rows, 0);
    EXPECT_U64(b->bytes, 0);
    batch_put_int64(b, SEQ, 258);
    batch_put_bytes(b, NAME, slice_of("ab"));
    batch_put_null(b, COUNT);
    batch_put_bytes(b, NOTE, (struct slice){NULL, 0});
    batch_end_row(b);
    /* in another order */
    batch_put_null(b, NOTE);
    batch_put_int64(b, COUNT, INT64_MIN);
    batch_put_bytes(b, NAME, (struct slice){(const uint8_t *)"\0\xFF", 2});
    batch_put_int64(b, SEQ, -1);
    batch_end_row(b);
    EXPECT_U64(b->rows, 2);
    expect_column(b, SEQ, "0201000000000000 FFFFFFFFFFFFFFFF", "");
    expect_column(b, NAME, "02000000 6162 02000000 00FF", "");
    expect_column(b, COUNT, "0000000000000080", "00 01");
    expect_column(b, NOTE, "00000000", "01 00");
    EXPECT_U64(b->columns[SEQ].nulls, 0);
    EXPECT_U64(b->columns[COUNT].nulls, 1);
    EXPECT_U64(b->columns[NOTE].nulls, 1);
    EXPECT_U64(b->bytes, 16 + 12 + (8 + 2) + (4 + 2));
    batch_free(b);
    batch_free(NULL);
}

TEST(batch_takes_a_row_at_once)
{
    struct batch *b = batch_new(&schema, NULL);
    const struct batch_cell first[COLUMNS] = {
        [SEQ] = {.bits = 258},
        [NAME] = {.data = (const uint8_t *)"ab", .len = 2},
        [COUNT] = {.null = true},
        [NOTE] = {.data = NULL, .len = 0},
    };
    const struct batch_cell second[COLUMNS] = {
        [SEQ] = {.bits = UINT64_MAX},
        [NAME] = {.data = NULL, .len = 0},
        [COUNT] = {.bits = 7},
        [NOTE] = {.null = true},
    };
    batch_put_row(b, first);
    batch_put_row(b, second);
    EXPECT_U64(b->rows, 2);
    expect_column(b, SEQ, "0201000000000000 FFFFFFFFFFFFFFFF", "");
    expect_column(b, NAME, "02000000 6162 00000000", "");
    expect_column(b, COUNT, "0700000000000000", "00 01");
    expect_column(b, NOTE, "00000000", "01 00");
    EXPECT_U64(b->columns[SEQ].nulls, 0);
    EXPECT_U64(b->columns[COUNT].nulls, 1);
    EXPECT_U64(b->columns[NOTE].nulls, 1);
    EXPECT_U64(batch_entries(b, NOTE), 2);
    EXPECT_U64(b->bytes, 16 + 10 + (8 + 2) + (4 + 2));
    batch_free(b);
}

static void fill(struct batch *b, int rows)
{
    for (int i = 0; i < rows; i++) {
        batch_put_int64(b, SEQ, i);
        batch_put_bytes(b, NAME, slice_of("name"));
        batch_put_null(b, COUNT);
        batch_put_null(b, NOTE);
        batch_end_row(b);
    }
}

TEST(batch_reset_keeps_the_memory_even_in_the_middle_of_a_row)
{
    struct batch *b = batch_new(&schema, NULL);
    uint64_t empty = batch_memory(b);
    EXPECT(empty >= COLUMNS * sizeof(struct column));
    fill(b, 1000);
    uint64_t memory = batch_memory(b);
    EXPECT(memory >= empty + 1000 * (8 + 8 + 1 + 1));
    batch_put_int64(b, SEQ, 1);
    batch_put_null(b, NOTE);
    batch_reset(b);
    EXPECT_U64(b->rows, 0);
    EXPECT_U64(b->bytes, 0);
    EXPECT_U64(b->columns[NOTE].nulls, 0);
    fill(b, 1000);
    EXPECT_U64(b->rows, 1000);
    EXPECT_U64(b->columns[NOTE].nulls, 1000);
    EXPECT_U64(batch_memory(b), memory);
    batch_free(b);
}

TEST(batch_holds_its_maximum_of_rows)
{
    struct batch *b = batch_new(&schema, NULL);
    fill(b, BATCH_ROWS_MAX);
    EXPECT_U64(b->rows, BATCH_ROWS_MAX);
    EXPECT_U64(b->columns[SEQ].values.len, BATCH_ROWS_MAX * 8);
    batch_free(b);
}

TEST(batch_copy_ordered_takes_rows_in_the_order_given)
{
    struct batch *from = batch_new(&schema, NULL);
    struct batch *to = batch_new(&schema, NULL);
    static const char *const names[] = {"zero", "", "two"};
    for (int i = 0; i < 3; i++) {
        batch_put_int64(from, SEQ, i);
        batch_put_bytes(from, NAME, slice_of(names[i]));
        if (i == 1)
            batch_put_int64(from, COUNT, 7);
        else
            batch_put_null(from, COUNT);
        batch_put_null(from, NOTE);
        batch_end_row(from);
    }
    batch_copy_ordered(to, from, (const uint32_t[]){2, 0, 1});
    batch_copy_ordered(to, from, (const uint32_t[]){1, 1, 1}); /* a row may come again */
    EXPECT_U64(to->rows, 6);
    expect_column(to, SEQ,
                  "0200000000000000 0000000000000000 0100000000000000"
                  "0100000000000000 0100000000000000 0100000000000000",
                  "");
    expect_column(to, NAME, "03000000 74776F 04000000 7A65726F 00000000 000000000000000000000000",
                  "");
    expect_column(to, COUNT, "0700000000000000 0700000000000000 0700000000000000 0700000000000000",
                  "00 00 01 01 01 01");
    expect_column(to, NOTE, "", "00 00 00 00 00 00");
    EXPECT_U64(from->rows, 3);
    batch_free(from);
    batch_free(to);
}

TEST(batch_copy_ordered_of_nothing)
{
    struct batch *from = batch_new(&schema, NULL);
    struct batch *to = batch_new(&schema, NULL);
    batch_copy_ordered(to, from, NULL);
    EXPECT_U64(to->rows, 0);
    batch_free(from);
    batch_free(to);
}

/* A cell as a test keeps it. */
struct cell {
    bool null;
    uint8_t data[20];
    size_t len;
};

enum { MODEL_ROWS = 700 };

static struct cell model[MODEL_ROWS][COLUMNS];

static void put_random_row(struct batch *b, struct cell *row)
{
    for (uint32_t n = 0; n < COLUMNS; n++) {
        uint32_t column = (uint32_t)((n + b->rows) % COLUMNS);
        struct cell *cell = &row[column];
        cell->null = columns[column].optional && test_random() % 2;
        bool number = columns[column].type == COLUMN_INT64;
        cell->len = number ? 8 : test_random() % sizeof(cell->data);
        for (size_t i = 0; i < cell->len; i++)
            cell->data[i] = (uint8_t)test_random();
        if (cell->null)
            batch_put_null(b, column);
        else if (number)
            batch_put_int64(b, column, (int64_t)load_u64le(cell->data));
        else
            batch_put_bytes(b, column, (struct slice){cell->data, cell->len});
    }
    batch_end_row(b);
}

/* The batch holds the rows of the model in this order, and accounts for each byte of them. */
static void compare(const struct batch *b, const uint32_t *order)
{
    struct buf values = {0};
    struct buf definitions = {0};
    uint64_t total = 0;
    for (uint32_t column = 0; column < COLUMNS; column++) {
        uint32_t nulls = 0;
        buf_reset(&values);
        buf_reset(&definitions);
        for (uint32_t i = 0; i < MODEL_ROWS; i++) {
            const struct cell *cell = &model[order[i]][column];
            nulls += cell->null;
            if (columns[column].optional)
                buf_append_byte(&definitions, !cell->null);
            if (!cell->null && columns[column].type == COLUMN_BYTES)
                buf_append_u32le(&values, (uint32_t)cell->len);
            if (!cell->null)
                buf_append(&values, cell->data, cell->len);
        }
        const struct column *c = &b->columns[column];
        EXPECT_BYTES(c->values.data, c->values.len, values.data, values.len);
        expect_definitions(b, column, definitions.data, definitions.len);
        EXPECT_U64(c->nulls, nulls);
        total += values.len + definitions.len;
    }
    EXPECT_U64(b->rows, MODEL_ROWS);
    EXPECT_U64(b->bytes, total);
    buf_free(&values);
    buf_free(&definitions);
}

TEST(batch_random_rows_match_a_model_before_and_after_a_shuffle)
{
    struct batch *from = batch_new(&schema, NULL);
    struct batch *to = batch_new(&schema, NULL);
    for (int round = 0; round < 10; round++) {
        uint32_t order[MODEL_ROWS];
        batch_reset(from);
        batch_reset(to);
        for (uint32_t i = 0; i < MODEL_ROWS; i++) {
            put_random_row(from, model[i]);
            order[i] = i;
        }
        compare(from, order);
        for (uint32_t i = MODEL_ROWS - 1; i > 0; i--) {
            uint32_t other = (uint32_t)(test_random() % (i + 1));
            uint32_t kept = order[i];
            order[i] = order[other];
            order[other] = kept;
        }
        batch_copy_ordered(to, from, order);
        compare(to, order);
    }
    batch_free(from);
    batch_free(to);
}

/* Each of these is a row that must not come to be. */

static void end_a_row_that_lacks_a_column(void)
{
    struct batch *b = batch_new(&schema, NULL);
    batch_put_int64(b, SEQ, 1);
    batch_put_bytes(b, NAME, slice_of("a"));
    batch_put_null(b, COUNT);
    batch_end_row(b);
}

static void give_a_column_twice(void)
{
    struct batch *b = batch_new(&schema, NULL);
    batch_put_int64(b, SEQ, 1);
    batch_put_int64(b, SEQ, 1);
}

static void give_a_null_that_is_not_allowed(void)
{
    batch_put_null(batch_new(&schema, NULL), SEQ);
}

static void give_the_wrong_type(void)
{
    batch_put_int64(batch_new(&schema, NULL), NAME, 1);
}

static void give_the_other_wrong_type(void)
{
    batch_put_bytes(batch_new(&schema, NULL), SEQ, slice_of("a"));
}

static void give_a_column_that_is_not_there(void)
{
    batch_put_null(batch_new(&schema, NULL), COLUMNS);
}

static void give_a_value_too_large(void)
{
    static const uint8_t byte;
    batch_put_bytes(batch_new(&schema, NULL), NAME,
                    (struct slice){&byte, BATCH_VALUE_MAX + (size_t)1});
}

static void give_a_row_too_many(void)
{
    fill(batch_new(&schema, NULL), BATCH_ROWS_MAX + 1);
}

static void put_a_row_with_a_null_that_is_not_allowed(void)
{
    const struct batch_cell cells[COLUMNS] = {[NAME] = {.null = true}};
    batch_put_row(batch_new(&schema, NULL), cells);
}

static void put_a_row_too_many(void)
{
    const struct batch_cell cells[COLUMNS] = {
        [SEQ] = {.bits = 1, .null = false}, [NAME] = {.null = false}};
    struct batch *b = batch_new(&schema, NULL);
    for (int i = 0; i <= BATCH_ROWS_MAX; i++)
        batch_put_row(b, cells);
}

static void put_a_row_into_an_unfinished_one(void)
{
    const struct batch_cell cells[COLUMNS] = {
        [SEQ] = {.bits = 1, .null = false}, [NAME] = {.null = false}};
    struct batch *b = batch_new(&schema, NULL);
    batch_put_int64(b, SEQ, 1);
    batch_put_row(b, cells);
}

static void copy_an_unfinished_row(void)
{
    struct batch *from = batch_new(&schema, NULL);
    batch_put_int64(from, SEQ, 1);
    batch_copy_ordered(batch_new(&schema, NULL), from, NULL);
}

static void copy_a_row_that_is_not_there(void)
{
    struct batch *from = batch_new(&schema, NULL);
    fill(from, 2);
    batch_copy_ordered(batch_new(&schema, NULL), from, (const uint32_t[]){0, 2});
}

static void copy_more_than_fits(void)
{
    struct batch *from = batch_new(&schema, NULL);
    struct batch *to = batch_new(&schema, NULL);
    fill(from, 2);
    fill(to, BATCH_ROWS_MAX - 1);
    batch_copy_ordered(to, from, (const uint32_t[]){0, 1});
}

TEST(batch_misuse_fails_a_check)
{
    EXPECT(child_assert_fails(end_a_row_that_lacks_a_column));
    EXPECT(child_assert_fails(give_a_column_twice));
    EXPECT(child_assert_fails(give_a_null_that_is_not_allowed));
    EXPECT(child_assert_fails(give_the_wrong_type));
    EXPECT(child_assert_fails(give_the_other_wrong_type));
    EXPECT(child_assert_fails(give_a_column_that_is_not_there));
    EXPECT(child_assert_fails(give_a_value_too_large));
    EXPECT(child_assert_fails(give_a_row_too_many));
    EXPECT(child_assert_fails(put_a_row_with_a_null_that_is_not_allowed));
    EXPECT(child_assert_fails(put_a_row_too_many));
    EXPECT(child_assert_fails(put_a_row_into_an_unfinished_one));
    EXPECT(child_assert_fails(copy_an_unfinished_row));
    EXPECT(child_assert_fails(copy_a_row_that_is_not_there));
    EXPECT(child_assert_fails(copy_more_than_fits));
}

static void put_row(struct batch *b, int64_t seq, bool null)
{
    batch_put_int64(b, SEQ, seq);
    batch_put_bytes(b, NAME, slice_of("name"));
    if (null)
        batch_put_null(b, COUNT);
    else
        batch_put_int64(b, COUNT, -seq);
    batch_put_bytes(b, NOTE, (struct slice){NULL, 0});
    batch_end_row(b);
}

TEST(batch_unpack_gives_what_was_packed)
{
    struct batch *from = batch_new(&schema, NULL), *to = batch_new(&schema, NULL);
    struct buf packed = {0};
    struct account account = {0};
    struct batch *again = batch_new(&schema, &account);
    put_row(to, 7, true);
    put_row(again, 7, true);
    for (int64_t row = 0; row < 20; row++) {
        put_row(from, row, row % 3 == 0);
        put_row(to, row, row % 3 == 0);
    }
    batch_pack(from, &packed);
    batch_unpack(again, buf_slice(&packed));
    EXPECT_U64(again->rows, 21);
    EXPECT_U64(again->bytes, to->bytes);
    for (uint32_t i = 0; i < schema.count; i++)
        EXPECT(same_column(again, to, i));
    put_row(again, 8, false); /* and it goes on */
    EXPECT(account_bytes(&account) >= batch_memory(again));
    batch_free(from);
    batch_free(to);
    batch_free(again);
    EXPECT_U64(account_bytes(&account), 0);
    buf_free(&packed);
}
