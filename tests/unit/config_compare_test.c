/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include "test.h"

/* With what it takes to change the key, where that is not a restart. */
static void collect(void *context, const char *path, enum config_change change)
{
    static const char *const marks[] = {
        [CONFIG_CHANGE_RESTART] = "",
        [CONFIG_CHANGE_NOW] = "now:",
        [CONFIG_CHANGE_IF_IT_FITS] = "fits:",
        [CONFIG_CHANGE_NEXT_CONNECTION] = "next:",
    };
    struct buf *paths = context;
    buf_append_text(paths, marks[change]);
    buf_append_text(paths, path);
    buf_append_byte(paths, ' ');
}

/* The keys that differ between the defaults and what two assignments make of them. */
static void expect_difference(const char *one, const char *two, const char *expected)
{
    struct config a;
    struct config b;
    struct buf paths = {0};
    struct err err = {0};
    config_init(&a);
    config_init(&b);
    EXPECT(one == NULL || config_set(&b, one, &err) == 0);
    EXPECT(two == NULL || config_set(&b, two, &err) == 0);
    EXPECT(config_finish(&a, &err) == 0);
    EXPECT(config_finish(&b, &err) == 0);
    config_compare(&a, &b, collect, &paths);
    EXPECT_TEXT(buf_text(&paths), expected);
    buf_free(&paths);
    config_free(&a);
    config_free(&b);
}

TEST(config_compare_finds_nothing_in_equals)
{
    expect_difference(NULL, NULL, "");
    expect_difference("batching.max_age=60s", "nats.servers=nats://127.0.0.1:4222", "");
}

TEST(config_compare_names_each_kind_of_key)
{
    expect_difference("batching.max_age=5s", "batching.max_rows=10",
                      "fits:batching.max_rows fits:batching.max_age ");
    expect_difference("nats.servers=a,b", "nats.name=x", "nats.servers nats.name ");
    expect_difference("consumer.manage=bind", "metrics.listen=off",
                      "consumer.manage metrics.listen ");
    expect_difference("nats.token=secret", NULL, "next:nats.token ");
    expect_difference("parquet.compression_level=3", "memory_limit=1GiB",
                      "parquet.compression_level now:memory_limit ");
}

TEST(config_compare_names_the_source)
{
    expect_difference("sources[0].start=new", "sources[0].shared=true",
                      "sources[0].shared sources[0].start ");
    expect_difference("sources[1].stream=OTHER", NULL, "sources ");
}
