/* SPDX-License-Identifier: MIT */
#include "parquet/read/leaf.h"

#include <math.h>

#include "parquet_fixture.h"

static struct parquet_schema_element group(const char *name, int32_t children)
{
    return (struct parquet_schema_element){
        .name = slice_of(name), .num_children = children, .converted_type = PARQUET_CONVERTED_NONE};
}

static struct parquet_schema_element column(const char *name, enum parquet_type type)
{
    return (struct parquet_schema_element){.name = slice_of(name),
                                           .has_type = true,
                                           .type = type,
                                           .has_repetition = true,
                                           .converted_type = PARQUET_CONVERTED_NONE};
}

static int leaves_of(const struct parquet_schema_element *schema, uint32_t count,
                     struct arena *arena, struct parquet_leaf **leaves, uint32_t *leaves_count)
{
    struct err err = {0};
    struct parquet_file_metadata m = {.schema = schema, .schema_count = count};
    return parquet_leaves(&m, arena, leaves, leaves_count, &err);
}

TEST(parquet_leaf_tree)
{
    struct arena arena = {0};
    struct parquet_leaf *leaves;
    uint32_t count = 0;
    struct parquet_schema_element schema[] = {
        group("schema", 3),
        column("a", PARQUET_TYPE_INT64),
        group("list", 1),
        group("items", 1),
        column("item", PARQUET_TYPE_INT32),
        column("b", PARQUET_TYPE_BYTE_ARRAY),
    };
    schema[1].repetition = PARQUET_REPETITION_OPTIONAL;
    schema[2].has_repetition = schema[3].has_repetition = true;
    schema[2].repetition = PARQUET_REPETITION_OPTIONAL;
    schema[3].repetition = PARQUET_REPETITION_REPEATED;
    schema[4].repetition = PARQUET_REPETITION_OPTIONAL;
    schema[5].repetition = PARQUET_REPETITION_REPEATED;
    EXPECT(leaves_of(schema, 6, &arena, &leaves, &count) == 0);
    EXPECT_U64(count, 3);
    EXPECT(slice_is(leaves[0].name, "a") && leaves[0].unsupported == NULL);
    EXPECT(leaves[0].definition == 1 && leaves[0].repetition == 0);
    EXPECT(slice_is(leaves[1].name, "list.items.item") && leaves[1].unsupported == NULL);
    EXPECT(leaves[1].definition == 3 && leaves[1].repetition == 1);
    EXPECT(slice_is(leaves[2].name, "b") && leaves[2].unsupported == NULL);
    EXPECT(leaves[2].definition == 1 && leaves[2].repetition == 1);
    schema[5].repetition = (enum parquet_repetition)3; /* there is none */
    EXPECT(leaves_of(schema, 6, &arena, &leaves, &count) == -1);
    arena_free(&arena);
}

TEST(parquet_leaf_broken_trees)
{
    struct arena arena = {0};
    struct parquet_leaf *leaves;
    uint32_t count = 0;
    struct parquet_schema_element schema[100];
    EXPECT(leaves_of(schema, 0, &arena, &leaves, &count) == -1);
    schema[0] = group("schema", 2);
    schema[1] = column("a", PARQUET_TYPE_INT64);
    EXPECT(leaves_of(schema, 2, &arena, &leaves, &count) == -1); /* one is missing */
    schema[0] = group("schema", 1);
    schema[2] = column("b", PARQUET_TYPE_INT64);
    EXPECT(leaves_of(schema, 3, &arena, &leaves, &count) == -1); /* one too many */
    schema[0] = group("schema", INT32_MAX);
    EXPECT(leaves_of(schema, 3, &arena, &leaves, &count) == -1);
    for (int i = 0; i < 100; i++)
        schema[i] = group("g", 1);
    EXPECT(leaves_of(schema, 100, &arena, &leaves, &count) == -1); /* too deep */
    arena_free(&arena);
}

static struct parquet_leaf leaf_of(struct parquet_schema_element e)
{
    static struct parquet_schema_element schema[2]; /* the leaf points to it */
    struct arena arena = {0};
    struct parquet_leaf *leaves;
    uint32_t count = 0;
    schema[0] = group("schema", 1);
    schema[1] = e;
    EXPECT(leaves_of(schema, 2, &arena, &leaves, &count) == 0);
    struct parquet_leaf leaf = leaves[0];
    arena_free(&arena);
    return leaf;
}

TEST(parquet_leaf_meanings)
{
    struct parquet_schema_element e = column("v", PARQUET_TYPE_INT64);
    struct parquet_leaf leaf = leaf_of(e);
    EXPECT(leaf.meaning == PARQUET_MEANING_SIGNED && leaf.type.width == 8 && leaf.ordered);
    e.converted_type = PARQUET_CONVERTED_TIMESTAMP_MILLIS;
    leaf = leaf_of(e);
    EXPECT(leaf.meaning == PARQUET_MEANING_TIMESTAMP && leaf.unit == PARQUET_UNIT_MILLIS);
    EXPECT(leaf.utc);
    e.logical =
        (struct parquet_logical_type){.kind = PARQUET_LOGICAL_TIMESTAMP,
                                      .unit = PARQUET_UNIT_NANOS}; /* counts before the other */
    leaf = leaf_of(e);
    EXPECT(leaf.unit == PARQUET_UNIT_NANOS && !leaf.utc && leaf.unsupported == NULL);
    e.logical.unit = (enum parquet_time_unit)4;
    EXPECT(leaf_of(e).unsupported != NULL);
    e.logical.unit = PARQUET_UNIT_MICROS;
    e.type = PARQUET_TYPE_BYTE_ARRAY;
    EXPECT(leaf_of(e).unsupported != NULL);

    e = column("v", PARQUET_TYPE_BYTE_ARRAY);
    EXPECT(leaf_of(e).meaning == PARQUET_MEANING_BYTES);
    e.converted_type = PARQUET_CONVERTED_UTF8;
    EXPECT(leaf_of(e).meaning == PARQUET_MEANING_TEXT);
    e.logical.kind = (enum parquet_logical_kind)16; /* VARIANT */
    EXPECT(leaf_of(e).unsupported != NULL);

    e = column("v", PARQUET_TYPE_INT32);
    e.converted_type = PARQUET_CONVERTED_UINT_8;
    EXPECT(leaf_of(e).meaning == PARQUET_MEANING_UNSIGNED);
    e = column("v", PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY);
    EXPECT(leaf_of(e).unsupported != NULL); /* of length 0 */
    e.type_length = 16;
    e.logical.kind = PARQUET_LOGICAL_UUID;
    EXPECT(leaf_of(e).meaning == PARQUET_MEANING_UUID);
    e.type_length = 15;
    EXPECT(leaf_of(e).unsupported != NULL);
    e = column("v", (enum parquet_type)8);
    EXPECT(leaf_of(e).unsupported != NULL);
    EXPECT(!leaf_of(column("v", PARQUET_TYPE_INT96)).ordered);
}

static int order(const struct parquet_leaf *leaf, const char *a, const char *b)
{
    return parquet_leaf_compare(leaf, fixture_hex(a), fixture_hex(b));
}

TEST(parquet_leaf_orders)
{
    struct parquet_schema_element e = column("v", PARQUET_TYPE_INT32);
    struct parquet_leaf leaf = leaf_of(e);
    EXPECT(order(&leaf, "ffffffff", "00000000") < 0 && order(&leaf, "01000000", "01000000") == 0);
    e.converted_type = PARQUET_CONVERTED_UINT_32;
    leaf = leaf_of(e);
    EXPECT(order(&leaf, "ffffffff", "00000000") > 0 && order(&leaf, "ffffffff", "ffffff7f") > 0);
    leaf = leaf_of(column("v", PARQUET_TYPE_INT64));
    EXPECT(order(&leaf, "0000000000000080", "ffffffffffffff7f") < 0);
    leaf = leaf_of(column("v", PARQUET_TYPE_DOUBLE));
    EXPECT(order(&leaf, "000000000000f0bf", "000000000000f03f") < 0);  /* -1, 1 */
    EXPECT(order(&leaf, "0000000000000080", "0000000000000000") == 0); /* -0, 0 */
    EXPECT(parquet_leaf_is_nan(&leaf, fixture_hex("000000000000f87f")));
    EXPECT(!parquet_leaf_is_nan(&leaf, fixture_hex("000000000000f07f")));
    leaf = leaf_of(column("v", PARQUET_TYPE_BYTE_ARRAY));
    EXPECT(order(&leaf, "80", "7f") > 0 && order(&leaf, "61", "6100") < 0);
    leaf = leaf_of(column("v", PARQUET_TYPE_BOOLEAN));
    EXPECT(order(&leaf, "00", "01") < 0);

    e = column("v", PARQUET_TYPE_BYTE_ARRAY);
    e.converted_type = PARQUET_CONVERTED_DECIMAL;
    leaf = leaf_of(e);
    EXPECT(order(&leaf, "80", "7f") < 0);    /* -128, 127 */
    EXPECT(order(&leaf, "ff", "ffff") == 0); /* -1 twice */
    EXPECT(order(&leaf, "0080", "7f") > 0);  /* 128, 127 */
    EXPECT(order(&leaf, "ff7f", "80") < 0);  /* -129, -128 */
    EXPECT(order(&leaf, "", "00") == 0);
}

TEST(parquet_leaf_halves)
{
    struct parquet_schema_element e = column("v", PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY);
    e.type_length = 2;
    e.logical.kind = PARQUET_LOGICAL_FLOAT16;
    struct parquet_leaf leaf = leaf_of(e);
    EXPECT(parquet_leaf_real(&leaf, fixture_hex("003c")) == 1.0);
    EXPECT(parquet_leaf_real(&leaf, fixture_hex("00c0")) == -2.0);
    EXPECT(parquet_leaf_real(&leaf, fixture_hex("ff7b")) == 65504.0);
    EXPECT(parquet_leaf_real(&leaf, fixture_hex("0100")) == ldexp(1, -24));
    EXPECT(isinf(parquet_leaf_real(&leaf, fixture_hex("007c"))));
    EXPECT(parquet_leaf_is_nan(&leaf, fixture_hex("017c")));
}
