/* SPDX-License-Identifier: MIT */
#include "config/assign.h"

#include "config/config.h"
#include "test.h"

static int store(struct config *c, const char *path, const struct slice *items, size_t count,
                 bool list, struct err *err)
{
    struct config_value value = {items, count, list};
    return config_value_store(config_key_find(path), c, &c->arena, value, err);
}

TEST(config_value_lists_and_single_values)
{
    struct config c;
    struct err err = {0};
    const struct slice items[] = {slice_of("a"), slice_of("b,c")};
    config_init(&c);
    EXPECT(store(&c, "nats.servers", items, 2, true, &err) == 0);
    EXPECT_U64(c.nats.servers.count, 2);
    EXPECT_TEXT(c.nats.servers.items[1], "b,c");
    EXPECT(store(&c, "nats.servers", items, 1, false, &err) == 0);
    EXPECT_U64(c.nats.servers.count, 1);
    EXPECT(store(&c, "nats.name", items, 1, true, &err) == -1);
    EXPECT_TEXT(err.text, "takes one value, not a list");
    EXPECT_TEXT(c.nats.name, "varve");
    config_free(&c);
}

/* A wrong value leaves what was there; a long one is cut in the message, between characters. */
TEST(config_value_wrong_ones_change_nothing)
{
    struct config c;
    struct err err = {0};
    char text[130];
    for (size_t i = 0; i < 128; i += 2)
        memcpy(text + i, "\303\251", 2);
    memcpy(text + 128, "x", 2);
    const struct slice item = {(const uint8_t *)text, 129};
    config_init(&c);
    EXPECT(store(&c, "batching.max_rows", &item, 1, false, &err) == -1);
    EXPECT_U64(strlen(err.text), strlen("\"\" is not a whole number") + 64);
    EXPECT_U64(c.batching.max_rows, 250000);
    config_free(&c);
}

TEST(config_value_secrets_are_not_in_messages)
{
    struct config c;
    struct err err = {0};
    const struct slice item = slice_of("secret\n");
    config_init(&c);
    EXPECT(store(&c, "nats.password", &item, 1, false, &err) == -1);
    EXPECT(strstr(err.text, "secret") == NULL);
    config_free(&c);
}

/* Nothing is kept for no time: no unit says more. Of what can't be 0 it is no value. */
TEST(config_value_zero_needs_no_unit)
{
    struct config c;
    struct err err = {0};
    config_init(&c);
    EXPECT(config_set(&c, "compaction.keep_replaced=7d", &err) == 0);
    EXPECT(config_set(&c, "compaction.keep_replaced=0", &err) == 0);
    EXPECT_I64(c.compaction.keep_replaced, 0);
    EXPECT(config_set(&c, "compaction.keep_replaced=7", &err) == -1);
    EXPECT(config_set(&c, "retention.max_age=0", &err) == -1);
    EXPECT(config_set(&c, "batching.max_age=0", &err) == -1);
    config_free(&c);
}
