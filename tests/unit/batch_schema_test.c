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
