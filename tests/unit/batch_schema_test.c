/* SPDX-License-Identifier: MIT */
#include "batch/schema.h"

#include "test.h"

static const struct column_spec columns[] = {
    {.name = "event", .type = COLUMN_BYTES},
    {.name = "event_id", .type = COLUMN_BYTES},
    {.name = "seq", .type = COLUMN_INT64},
};

TEST(schema_find_needs_the_whole_name)
{
    const struct schema schema = {.name = "test", .columns = columns, .count = 3};
    EXPECT_I64(schema_find(&schema, "event"), 0);
    EXPECT_I64(schema_find(&schema, "event_id"), 1);
    EXPECT_I64(schema_find(&schema, "seq"), 2);
    static const char *const unknown[] = {"", "even", "event_", "event_idx", "EVENT", "seq "};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        EXPECT_I64(schema_find(&schema, unknown[i]), -1);
}

TEST(schema_find_in_none)
{
    const struct schema schema = {.name = "empty"};
    EXPECT_I64(schema_find(&schema, "event"), -1);
}

static int place(const struct column_spec *specs, uint32_t count, struct schema_node *nodes)
{
    struct err err = {0};
    struct schema s = {"test", specs, count};
    return schema_nodes(&s, nodes, &err);
}

TEST(schema_nodes_of_a_tree)
{
    static const struct column_spec specs[] = {
        {.name = "a", .type = COLUMN_INT64},
        {.name = "list", .type = COLUMN_LIST, .optional = true},
        {.name = "", .type = COLUMN_STRUCT, .children = 2, .optional = true},
        {.name = "x", .type = COLUMN_DOUBLE, .optional = true},
        {.name = "y", .type = COLUMN_FLOAT},
        {.name = "b", .type = COLUMN_BYTES, .optional = true},
    };
    static const struct schema_node expected[] = {
        {SCHEMA_NO_PARENT, 1, 0, 0},
        {SCHEMA_NO_PARENT, 5, 1, 0},
        {1, 5, 3, 1},
        {2, 4, 4, 1},
        {2, 5, 3, 1},
        {SCHEMA_NO_PARENT, 6, 1, 0},
    };
    struct schema_node nodes[6];
    EXPECT(place(specs, 6, nodes) == 0);
    for (int i = 0; i < 6; i++) {
        EXPECT_U64(nodes[i].parent, expected[i].parent);
        EXPECT_U64(nodes[i].end, expected[i].end);
        EXPECT_U64(nodes[i].definition, expected[i].definition);
        EXPECT_U64(nodes[i].repetition, expected[i].repetition);
    }
    EXPECT(!schema_is_flat(&(struct schema){"t", specs, 6}));
    EXPECT(schema_is_flat(&(struct schema){"t", specs, 1}));
}

/* What a descriptor set may ask for and no file can have. */
TEST(schema_nodes_refuse)
{
    static struct column_spec deep[SCHEMA_DEPTH_MAX + 2];
    static struct schema_node nodes[SCHEMA_DEPTH_MAX + 2];
    struct column_spec two[] = {{.name = "m", .type = COLUMN_MAP},
                                {.name = "", .type = COLUMN_INT32},
                                {.name = "", .type = COLUMN_INT32, .optional = true}};
    EXPECT(place(two, 3, nodes) == 0);
    EXPECT(place(two, 2, nodes) == -1); /* a map without its values */
    two[1].optional = true;
    EXPECT(place(two, 3, nodes) == -1); /* a key that may be null */
    two[0] = (struct column_spec){.name = "s", .type = COLUMN_STRUCT};
    EXPECT(place(two, 3, nodes) == -1); /* a struct of nothing */
    EXPECT(place(two, 0, nodes) == -1);
    two[1] = (struct column_spec){.name = "d", .type = COLUMN_INT32, .meaning = COLUMN_TEXT};
    EXPECT(place(two + 1, 1, nodes) == -1); /* a number that is text */
    two[1] = (struct column_spec){
        .name = "d", .type = COLUMN_INT32, .meaning = COLUMN_DECIMAL, .precision = 10};
    EXPECT(place(two + 1, 1, nodes) == -1);
    two[1].precision = 9;
    EXPECT(place(two + 1, 1, nodes) == 0);
    for (uint32_t i = 0; i < SCHEMA_DEPTH_MAX + 2; i++)
        deep[i] = (struct column_spec){.name = "l", .type = COLUMN_LIST};
    deep[SCHEMA_DEPTH_MAX].type = COLUMN_INT64;
    EXPECT(place(deep, SCHEMA_DEPTH_MAX + 1, nodes) == 0);
    deep[SCHEMA_DEPTH_MAX].type = COLUMN_LIST;
    deep[SCHEMA_DEPTH_MAX + 1].type = COLUMN_INT64;
    EXPECT(place(deep, SCHEMA_DEPTH_MAX + 2, nodes) == -1);
}
