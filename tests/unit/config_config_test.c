/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <stdio.h>

#include "base/clock.h"
#include "test.h"

/* The table of keys in tools/share/doc/configure.md. */
TEST(config_init_gives_the_defaults)
{
    struct config c;
    struct err err = {0};
    config_init(&c);
    EXPECT(config_finish(&c, &err) == 0);
    EXPECT_U64(c.nats.servers.count, 1);
    EXPECT_TEXT(c.nats.servers.items[0], "nats://127.0.0.1:4222");
    EXPECT_TEXT(c.nats.name, "varve");
    EXPECT_TEXT(c.nats.user, "");
    EXPECT_TEXT(c.nats.password, "");
    EXPECT_TEXT(c.nats.token, "");
    EXPECT_TEXT(c.nats.nkey_seed_file, "");
    EXPECT_TEXT(c.nats.credentials_file, "");
    EXPECT(!c.nats.tls.enabled && !c.nats.tls.handshake_first);
    EXPECT_U64(c.source_count, 1);
    EXPECT_TEXT(c.sources[0].stream, "LOGGING");
    EXPECT_U64(c.sources[0].subjects.count, 1);
    EXPECT_TEXT(c.sources[0].subjects.items[0], "logging.events.raw");
    EXPECT_U64(c.sources[0].delivery, CONFIG_DURABLE);
    EXPECT_TEXT(c.sources[0].consumer, "varve");
    EXPECT_U64(c.sources[0].start.kind, CONFIG_START_FIRST);
    EXPECT_U64(c.consumer.manage, CONFIG_MANAGE_CREATE);
    EXPECT_U64(c.batching.max_rows, 250000);
    EXPECT_U64(c.batching.max_bytes, 67108864);
    EXPECT_I64(c.batching.max_age, 60 * CLOCK_SECOND);
    EXPECT_TEXT(c.output.log_output_directory, "./sim_logs");
    EXPECT_TEXT(c.output.path_template,
                "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet");
    EXPECT_U64(c.output.min_free, 536870912);
    EXPECT_I64(c.parquet.compression_level, 1);
    EXPECT_U64(c.parquet.page_bytes, 1048576);
    EXPECT_U64(c.parquet.row_group_rows, 1048576);
    EXPECT_U64(c.memory_limit, 268435456);
    EXPECT_TEXT(c.dead_letter.subject, "");
    EXPECT_TEXT(c.metrics.listen, "127.0.0.1:9464");
    EXPECT_TEXT(c.alerts.subject, "");
    EXPECT_U64(c.settings.log_level, LOG_INFO);
    EXPECT_U64(c.settings.log_format, LOG_LOGFMT);
    config_free(&c);
}

static void set(struct config *c, const char *assignment)
{
    struct err err = {0};
    EXPECT(config_set(c, assignment, &err) == 0);
}

static void expect_refused(const char *assignment, const char *text)
{
    struct config c;
    struct err err = {0};
    config_init(&c);
    EXPECT(config_set(&c, assignment, &err) == -1);
    EXPECT_U64(err.code, ERR_USAGE);
    EXPECT_TEXT(err.text, text);
    config_free(&c);
}

TEST(config_set_every_type)
{
    struct config c;
    config_init(&c);
    set(&c, "nats.name=a=b");
    EXPECT_TEXT(c.nats.name, "a=b");
    set(&c, "nats.servers=nats://a:1,nats://b:2");
    EXPECT_U64(c.nats.servers.count, 2);
    EXPECT_TEXT(c.nats.servers.items[1], "nats://b:2");
    set(&c, "nats.tls.enabled=true");
    EXPECT(c.nats.tls.enabled);
    set(&c, "parquet.compression_level=-3");
    EXPECT_I64(c.parquet.compression_level, -3);
    set(&c, "batching.max_rows=7");
    EXPECT_U64(c.batching.max_rows, 7);
    set(&c, "output.min_free=3GiB");
    EXPECT_U64(c.output.min_free, UINT64_C(3221225472));
    set(&c, "batching.max_age=1500ms");
    EXPECT_I64(c.batching.max_age, 1500 * CLOCK_MILLISECOND);
    set(&c, "settings.log_level=warning");
    EXPECT_U64(c.settings.log_level, LOG_WARNING);
    set(&c, "consumer.manage=bind");
    EXPECT_U64(c.consumer.manage, CONFIG_MANAGE_BIND);
    set(&c, "metrics.listen=off");
    EXPECT_TEXT(c.metrics.listen, "");
    set(&c, "metrics.listen=[::1]:0");
    EXPECT_TEXT(c.metrics.listen, "[::1]:0");
    set(&c, "sources[0].start=new");
    EXPECT_U64(c.sources[0].start.kind, CONFIG_START_NEW);
    set(&c, "sources[0].start=17");
    EXPECT_U64(c.sources[0].start.kind, CONFIG_START_SEQUENCE);
    EXPECT_U64(c.sources[0].start.sequence, 17);
    set(&c, "sources[0].start=1970-01-01T01:00:00.5+01:00");
    EXPECT_U64(c.sources[0].start.kind, CONFIG_START_TIME);
    EXPECT_I64(c.sources[0].start.time, 500 * CLOCK_MILLISECOND);
    config_free(&c);
}

TEST(config_set_adds_sources)
{
    struct config c;
    struct err err = {0};
    config_init(&c);
    set(&c, "sources[1].stream=OTHER");
    EXPECT_U64(c.source_count, 2);
    EXPECT_TEXT(c.sources[0].stream, "LOGGING");
    EXPECT_TEXT(c.sources[1].stream, "OTHER");
    EXPECT_TEXT(c.sources[1].consumer, "varve");
    EXPECT(config_set(&c, "sources[3].stream=X", &err) == -1);
    EXPECT_TEXT(err.text, "--set sources[3].stream: the next source is sources[2]");
    for (int i = 2; i < CONFIG_SOURCES_MAX; i++) {
        char text[64];
        snprintf(text, sizeof(text), "sources[%d].stream=S%d", i, i);
        set(&c, text);
    }
    EXPECT_U64(c.source_count, CONFIG_SOURCES_MAX);
    err_clear(&err);
    EXPECT(config_set(&c, "sources[64].stream=X", &err) == -1);
    EXPECT_TEXT(err.text, "--set sources[64].stream: more than 64 sources");
    config_free(&c);
    expect_refused("sources[64].stream=X",
                   "--set sources[64].stream: the next source is sources[1]");
    expect_refused("sources[].stream=X", "--set: unknown key sources[].stream; did you mean "
                                         "sources[N].stream?");
}

TEST(config_set_refuses)
{
    expect_refused("batching.max_rows", "--set: write KEY=VALUE, such as batching.max_age=5s");
    expect_refused("a\nb=c", "--set: write KEY=VALUE, such as batching.max_age=5s");
    expect_refused("batching.max_row=1",
                   "--set: unknown key batching.max_row; did you mean batching.max_rows?");
    expect_refused("max_age=1s", "--set: unknown key max_age; did you mean batching.max_age?");
    expect_refused("batchin=1", "--set: unknown key batchin; did you mean batching?");
    expect_refused("quux=1", "--set: unknown key quux");
    expect_refused("batching=1", "--set: batching is a section: set one of its keys");
    expect_refused("batching.max_rows=1e5",
                   "--set batching.max_rows: \"1e5\" is not a whole number");
    expect_refused("batching.max_rows=0",
                   "--set batching.max_rows: 0 is not in the range 1 to 10000000");
    expect_refused("batching.max_bytes=128MB",
                   "--set batching.max_bytes: \"128MB\" is not a size: write a number of bytes, "
                   "or one with KiB, MiB, GiB or TiB");
    expect_refused("batching.max_bytes=99999999999999999999GiB",
                   "--set batching.max_bytes: \"99999999999999999999GiB\" is not a size: write a "
                   "number of bytes, or one with KiB, MiB, GiB or TiB");
    expect_refused("batching.max_age=60",
                   "--set batching.max_age: \"60\" is not a duration: write a number with ms, s, "
                   "m, h or d");
    expect_refused("batching.max_age=25h",
                   "--set batching.max_age: \"25h\" is not in the range 100ms to 24h");
    expect_refused("sources[0].delivery=push",
                   "--set sources[0].delivery: \"push\" is not one of: durable, position");
    expect_refused("sources[0].start=0",
                   "--set sources[0].start: \"0\" is not a stream sequence: sequences start at 1");
    expect_refused("sources[0].start=yesterday",
                   "--set sources[0].start: \"yesterday\" is not first, new, a stream sequence or "
                   "an RFC 3339 time such as 2026-11-24T12:00:00Z");
    expect_refused("metrics.listen=9464",
                   "--set metrics.listen: \"9464\" is not an address: write host:port, or off");
    expect_refused("metrics.listen=host:65536", "--set metrics.listen: \"host:65536\" is not an "
                                                "address: write host:port, or off");
    expect_refused("nats.tls.enabled=maybe",
                   "--set nats.tls.enabled: \"maybe\" is not true or false");
    expect_refused("nats.servers=a,,b", "--set nats.servers: entry 2 of the list is empty");
    expect_refused("nats.name=a\nb", "--set nats.name: the text contains a control character");
    expect_refused("nats.name=\xff", "--set nats.name: the text is not UTF-8");
}

TEST(config_set_refuses_what_is_too_long)
{
    static char text[20000];
    struct config c;
    struct err err = {0};
    config_init(&c);
    memset(text, 'a', sizeof(text) - 1);
    EXPECT(config_set(&c, text, &err) == -1);
    memcpy(text, "nats.name=", 10);
    err_clear(&err);
    EXPECT(config_set(&c, text, &err) == -1);
    EXPECT_TEXT(err.text, "--set nats.name: the text is longer than 8192 bytes");
    memset(text, ',', sizeof(text) - 1);
    memcpy(text, "nats.servers=", 13);
    err_clear(&err);
    EXPECT(config_set(&c, text, &err) == -1);
    config_free(&c);
}
