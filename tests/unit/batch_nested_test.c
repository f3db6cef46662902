/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

#include "base/bytes.h"
#include "batch_levels.h"

/* The schema of the Dremel paper (Melnik et al. 2010, figure 2), in the forms that varve has. */
enum {
    DOC_ID,
    LINKS,
    BACKWARD,
    BACKWARD_ITEM,
    FORWARD,
    FORWARD_ITEM,
    NAMES,
    NAME,
    LANGUAGES,
    LANGUAGE,
    CODE,
    COUNTRY,
    URL,
    COLUMNS,
};

static const struct column_spec columns[COLUMNS] = {
    [DOC_ID] = {.name = "doc_id", .type = COLUMN_INT64},
    [LINKS] = {.name = "links", .type = COLUMN_STRUCT, .children = 2, .optional = true},
    [BACKWARD] = {.name = "backward", .type = COLUMN_LIST},
    [BACKWARD_ITEM] = {.name = "", .type = COLUMN_INT64},
    [FORWARD] = {.name = "forward", .type = COLUMN_LIST},
    [FORWARD_ITEM] = {.name = "", .type = COLUMN_INT64},
    [NAMES] = {.name = "names", .type = COLUMN_LIST},
    [NAME] = {.name = "", .type = COLUMN_STRUCT, .children = 2},
    [LANGUAGES] = {.name = "languages", .type = COLUMN_LIST},
    [LANGUAGE] = {.name = "", .type = COLUMN_STRUCT, .children = 2},
    [CODE] = {.name = "code", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT},
    [COUNTRY] = {.name = "country", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true},
    [URL] = {.name = "url", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true},
};
static const struct schema schema = {"document", columns, COLUMNS};

static void put_list(struct batch *b, uint32_t list, const int64_t *items, int count)
{
    batch_begin_list(b, list);
    for (int i = 0; i < count; i++)
        batch_put_int64(b, list + 1, items[i]);
    batch_end(b);
}

static void put_language(struct batch *b, const char *code, const char *country)
{
    batch_begin_struct(b, LANGUAGE);
    batch_put_bytes(b, CODE, slice_of(code));
    if (country != NULL)
        batch_put_bytes(b, COUNTRY, slice_of(country));
    batch_end(b);
}

/* The two documents of the paper. */
static void put_documents(struct batch *b)
{
    batch_put_int64(b, DOC_ID, 10);
    batch_begin_struct(b, LINKS);
    put_list(b, FORWARD, (const int64_t[]){20, 40, 60}, 3);
    put_list(b, BACKWARD, NULL, 0);
    batch_end(b);
    batch_begin_list(b, NAMES);
    batch_begin_struct(b, NAME);
    batch_begin_list(b, LANGUAGES);
    put_language(b, "en-us", "us");
    put_language(b, "en", NULL);
    batch_end(b);
    batch_put_bytes(b, URL, slice_of("http://A"));
    batch_end(b);
    batch_begin_struct(b, NAME);
    batch_put_bytes(b, URL, slice_of("http://B"));
    batch_begin_list(b, LANGUAGES);
    batch_end(b);
    batch_end(b);
    batch_begin_struct(b, NAME);
    batch_begin_list(b, LANGUAGES);
    put_language(b, "en-gb", "gb");
    batch_end(b);
    batch_end(b);
    batch_end(b);
    batch_end_row(b);

    batch_put_int64(b, DOC_ID, 20);
    batch_begin_struct(b, LINKS);
    put_list(b, BACKWARD, (const int64_t[]){10, 30}, 2);
    put_list(b, FORWARD, (const int64_t[]){80}, 1);
    batch_end(b);
    batch_begin_list(b, NAMES);
    batch_begin_struct(b, NAME);
    batch_begin_list(b, LANGUAGES);
    batch_end(b);
    batch_put_bytes(b, URL, slice_of("http://C"));
    batch_end(b);
    batch_end(b);
    batch_end_row(b);
}

static void expect_levels(const struct batch *b, uint32_t column, const char *repetitions,
                          const char *definitions, uint32_t nulls)
{
    const struct column *c = &b->columns[column];
    size_t len;
    const uint8_t *expected = test_hex(repetitions, &len);
    EXPECT_BYTES(c->repetitions.data, c->repetitions.len, expected, len);
    expected = test_hex(definitions, &len);
    expect_definitions(b, column, expected, len);
    EXPECT_U64(c->nulls, nulls);
    EXPECT_U64(batch_entries(b, column), len);
}

/* Figure 3 of the paper. */
static void expect_documents(const struct batch *b)
{
    EXPECT_U64(b->rows, 2);
    expect_levels(b, BACKWARD_ITEM, "00 00 01", "01 02 02", 1);
    expect_levels(b, FORWARD_ITEM, "00 01 01 00", "02 02 02 02", 0);
    expect_levels(b, CODE, "00 02 01 01 00", "02 02 01 02 01", 2);
    expect_levels(b, COUNTRY, "00 02 01 01 00", "03 02 01 03 01", 3);
    expect_levels(b, URL, "00 01 01 00", "02 02 01 02", 1);
    size_t len;
    const uint8_t *us_gb = test_hex("02000000 7573 02000000 6762", &len);
    EXPECT_BYTES(b->columns[COUNTRY].values.data, b->columns[COUNTRY].values.len, us_gb, len);
    EXPECT_U64(b->columns[DOC_ID].definitions.len + b->columns[DOC_ID].repetitions.len, 0);
}

TEST(batch_nested_levels_of_the_dremel_paper)
{
    struct batch *b = batch_new(&schema, NULL);
    put_documents(b);
    expect_documents(b);
    batch_reset(b);
    EXPECT_U64(b->bytes, 0);
    put_documents(b);
    expect_documents(b);
    batch_free(b);
}

TEST(batch_nested_rollback_takes_back_what_was_begun)
{
    struct batch *b = batch_new(&schema, NULL);
    batch_mark(b);
    batch_begin_list(b, NAMES);
    batch_begin_struct(b, NAME);
    batch_put_bytes(b, URL, slice_of("half"));
    batch_rollback(b);
    EXPECT_U64(b->bytes, 0);
    put_documents(b);
    uint64_t bytes = b->bytes;
    batch_mark(b);
    put_documents(b);
    batch_put_int64(b, DOC_ID, 1);
    batch_begin_struct(b, LINKS);
    batch_begin_list(b, FORWARD);
    batch_put_int64(b, FORWARD_ITEM, 5);
    batch_rollback(b);
    expect_documents(b);
    EXPECT_U64(b->bytes, bytes);
    batch_free(b);
}

TEST(batch_nested_rows_are_copied_in_another_order)
{
    struct batch *b = batch_new(&schema, NULL), *copy = batch_new(&schema, NULL),
                 *back = batch_new(&schema, NULL);
    put_documents(b);
    batch_copy_ordered(copy, b, (const uint32_t[]){1, 0});
    expect_levels(copy, COUNTRY, "00 00 02 01 01", "01 03 02 01 03", 3);
    batch_copy_ordered(back, copy, (const uint32_t[]){1, 0});
    expect_documents(back);
    EXPECT_U64(back->bytes, b->bytes);
    batch_free(b);
    batch_free(copy);
    batch_free(back);
}

static const struct column_spec map_columns[] = {
    {.name = "labels", .type = COLUMN_MAP, .optional = true},
    {.name = "", .type = COLUMN_INT32},
    {.name = "", .type = COLUMN_LIST, .optional = true},
    {.name = "", .type = COLUMN_BOOLEAN, .optional = true},
};
static const struct schema map_schema = {"map", map_columns, 4};

/* A null map, an empty one, and {1: null, 2: [], 3: [null, true]}. */
TEST(batch_nested_maps_and_nulls)
{
    struct batch *b = batch_new(&map_schema, NULL);
    batch_end_row(b); /* what is not given is null */
    batch_begin_map(b, 0);
    batch_end(b);
    batch_end_row(b);
    batch_begin_map(b, 0);
    for (int32_t key = 1; key <= 3; key++) {
        batch_begin_entry(b);
        if (key == 3) {
            batch_begin_list(b, 2);
            batch_put_null(b, 3);
            batch_put_boolean(b, 3, true);
            batch_end(b);
        } else if (key == 2) {
            batch_begin_list(b, 2);
            batch_end(b);
        }
        batch_put_int32(b, 1, key);
        batch_end(b);
    }
    batch_end(b);
    batch_end_row(b);
    expect_levels(b, 1, "00 00 00 01 01", "00 01 02 02 02", 2);
    expect_levels(b, 3, "00 00 00 01 01 02", "00 01 02 03 04 05", 5);
    EXPECT_BYTES(b->columns[3].values.data, b->columns[3].values.len, "\1", 1);
    EXPECT(batch_row_fits(b));
    batch_free(b);
}

static void put_some(struct batch *b, bool at_once, size_t count)
{
    static const uint8_t values[40] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    batch_put_int64(b, DOC_ID, 7);
    batch_begin_struct(b, LINKS);
    batch_begin_list(b, FORWARD);
    for (size_t done = 0; done < count;) {
        size_t part = at_once ? (done == 0 ? 1 : count - done) : 1;
        if (at_once)
            batch_put_fixed(b, FORWARD_ITEM, values + 8 * done, part);
        else
            batch_put_int64(b, FORWARD_ITEM, (int64_t)load_u64le(values + 8 * done));
        done += part;
    }
    batch_put_fixed(b, FORWARD_ITEM, NULL, 0);
    batch_end(b);
    put_list(b, BACKWARD, NULL, 0);
    batch_end(b);
    batch_begin_list(b, NAMES);
    batch_end(b);
    batch_end_row(b);
}

TEST(batch_nested_values_at_once_are_those_one_by_one)
{
    struct batch *one = batch_new(&schema, NULL), *all = batch_new(&schema, NULL);
    for (size_t count = 0; count <= 5; count++) {
        put_some(one, false, count);
        put_some(all, true, count);
    }
    EXPECT_U64(all->bytes, one->bytes);
    for (uint32_t i = 0; i < COLUMNS; i++)
        EXPECT(same_column(all, one, i));
    batch_free(one);
    batch_free(all);
}

TEST(batch_nested_row_that_is_too_large_is_noticed)
{
    struct batch *b = batch_new(&map_schema, NULL);
    batch_mark(b);
    batch_begin_map(b, 0);
    for (int32_t i = 0; i < BATCH_ROW_ENTRIES_MAX / 2; i++) {
        batch_begin_entry(b);
        batch_put_int32(b, 1, i);
        batch_end(b);
    }
    EXPECT(batch_row_fits(b));
    batch_begin_entry(b);
    batch_put_int32(b, 1, 0);
    batch_end(b);
    EXPECT(!batch_row_fits(b));
    batch_rollback(b);
    EXPECT(batch_row_fits(b));
    batch_free(b);
}

TEST(batch_unpack_nested)
{
    struct batch *b = batch_new(&schema, NULL), *copy = batch_new(&schema, NULL);
    struct buf packed = {0};
    put_documents(b);
    batch_pack(b, &packed);
    batch_unpack(copy, buf_slice(&packed));
    expect_documents(copy);
    batch_free(b);
    batch_free(copy);
    buf_free(&packed);
}
