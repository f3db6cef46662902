/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include "test.h"

static void expect_nearest(const char *path, const char *expected)
{
    char nearest[CONFIG_PATH_MAX] = "";
    EXPECT(config_key_nearest(path, nearest) == (expected != NULL));
    if (expected != NULL)
        EXPECT_TEXT(nearest, expected);
}

TEST(config_nearest_key_or_section)
{
    expect_nearest("output.log_output_dir", "output.log_output_directory");
    expect_nearest("nats.server", "nats.servers");
    expect_nearest("nats.tls.cafile", "nats.tls.ca_file");
    expect_nearest("source", "sources");
    expect_nearest("log_level", "settings.log_level");
    expect_nearest("output.max_rows", "batching.max_rows");
    expect_nearest("memorylimit", "memory_limit");
    expect_nearest("parqet", "parquet");
    expect_nearest("something_else_entirely", NULL);
    expect_nearest("", NULL);
}

TEST(config_nearest_of_what_others_call_it)
{
    expect_nearest("nats.url", "nats.servers");
    expect_nearest("output.directory", "output.log_output_directory");
    expect_nearest("metrics.port", "metrics.listen");
    expect_nearest("sources[12].subject", "sources[N].subjects");
    expect_nearest("batching.interval", "batching.max_age");
}

TEST(config_nearest_of_a_path_longer_than_any_key)
{
    char path[CONFIG_PATH_MAX + 2];
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    expect_nearest(path, NULL);
    path[CONFIG_PATH_MAX - 1] = '\0';
    expect_nearest(path, NULL);
}
