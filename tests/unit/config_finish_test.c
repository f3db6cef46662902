/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "config/config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "test.h"

static int finish(struct config *c, const char *const *assignments, struct err *err)
{
    config_init(c);
    for (; *assignments != NULL; assignments++) {
        struct err set_err = {0};
        EXPECT(config_set(c, *assignments, &set_err) == 0);
    }
    return config_finish(c, err);
}

static void expect_refused(const char *const *assignments, const char *text)
{
    struct config c;
    struct err err = {0};
    EXPECT(finish(&c, assignments, &err) == -1);
    EXPECT_U64(err.code, ERR_USAGE);
    EXPECT_TEXT(err.text, text);
    config_free(&c);
}

#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(config_finish_tls)
{
    const char *const each[] = {"enabled=true", "handshake_first=true", "insecure=true",
                                "ca_file=x",    "server_name=x",        NULL};
    for (size_t i = 0; each[i] != NULL; i++) {
        struct config c;
        struct err err = {0};
        char setting[64];
        snprintf(setting, sizeof(setting), "nats.tls.%s", each[i]);
        EXPECT(finish(&c, SETTINGS(setting), &err) == 0);
        EXPECT(c.nats.tls.enabled); /* who sets anything of it wants it */
        config_free(&c);
    }
    expect_refused(SETTINGS("nats.tls.cert_file=x"),
                   "nats.tls.cert_file: nats.tls.key_file is missing");
    expect_refused(SETTINGS("nats.tls.key_file=x"),
                   "nats.tls.key_file: nats.tls.cert_file is missing");
    expect_refused(SETTINGS("nats.tls.key_password=x"),
                   "nats.tls.key_password: nats.tls.key_file is missing");
    expect_refused(SETTINGS("nats.tls.insecure=true", "nats.tls.ca_file=x"),
                   "nats.tls.insecure and nats.tls.ca_file: set only one of them");
}

TEST(config_finish_one_way_to_log_in)
{
    struct config c;
    struct err err = {0};
    expect_refused(SETTINGS("nats.password=x"), "nats.password: nats.user is missing");
    expect_refused(SETTINGS("nats.user=x", "nats.password=y", "nats.token=z"),
                   "nats.user and nats.token: set only one of them");
    expect_refused(SETTINGS("nats.user=x", "nats.user_file=y"),
                   "nats.user and nats.user_file: set only one of them");
    expect_refused(SETTINGS("nats.token_file=x", "nats.credentials_file=y"),
                   "nats.token_file and nats.credentials_file: set only one of them");
    expect_refused(SETTINGS("nats.nkey_seed_file=x", "nats.credentials_file=y"),
                   "nats.nkey_seed_file and nats.credentials_file: set only one of them");
    expect_refused(SETTINGS("nats.user=u", "nats.password=x", "nats.password_file=y"),
                   "nats.password and nats.password_file: set only one of them");
    expect_refused(SETTINGS("nats.password_file=x"), "nats.password_file: nats.user is missing");
    EXPECT(finish(&c, SETTINGS("nats.user=x", "nats.password=y"), &err) == 0);
    config_free(&c);
    EXPECT(finish(&c, SETTINGS("nats.token=z"), &err) == 0);
    config_free(&c);
}

TEST(config_finish_one_place_of_the_api)
{
    expect_refused(SETTINGS("nats.domain=hub", "nats.api_prefix=JS.hub.API"),
                   "nats.domain and nats.api_prefix: set only one of them");
}

TEST(config_finish_sources)
{
    expect_refused(SETTINGS("sources[0].stream="), "sources[0].stream is empty");
    expect_refused(SETTINGS("sources[1].stream=X", "sources[1].consumer="),
                   "sources[1].consumer is empty");
    expect_refused(SETTINGS("sources[1].stream=X", "sources[2].stream=X"),
                   "sources[1] and sources[2] drain the same stream X: put all subjects into one "
                   "source");
}

TEST(config_finish_memory_for_what_is_configured)
{
    struct config c;
    struct err err = {0};
    struct buf set = {0};
    config_init(&c);
    EXPECT(config_set(&c, "memory_limit=32MiB", &err) == 0);
    for (int i = 0; i < 9; i++) {
        buf_reset(&set);
        buf_printf(&set, "sources[%d].stream=S%d", i, i);
        if (i == 8) /* eight fit */
            EXPECT(config_finish(&c, &err) == 0);
        EXPECT(config_set(&c, buf_text(&set), &err) == 0);
    }
    EXPECT(config_finish(&c, &err) == -1);
    EXPECT_TEXT(err.text, "memory_limit: 9 sources need at least 36 MiB");
    buf_free(&set);
    config_free(&c);
    expect_refused(SETTINGS("memory_limit=32MiB", "parquet.compression_level=9"),
                   "memory_limit: parquet.compression_level above 8 needs at least 64 MiB");
    err_clear(&err);
    EXPECT(finish(&c, SETTINGS("memory_limit=64MiB", "parquet.compression_level=19"), &err) == 0);
    config_free(&c);
}

TEST(config_finish_output)
{
    expect_refused(SETTINGS("output.log_output_directory="),
                   "output.log_output_directory is empty");
    expect_refused(SETTINGS("output.path_template="), "output.path_template is empty");
}

TEST(config_finish_expands_secrets)
{
    struct config c;
    struct err err = {0};
    setenv("TEST_USER", "joe", 1);
    setenv("TEST_PASSWORD", "p${NOT_AGAIN}$", 1);
    unsetenv("TEST_MISSING");
    EXPECT(finish(&c,
                  SETTINGS("nats.user=${TEST_USER}", "nats.password=<${TEST_PASSWORD}${TEST_USER}>",
                           "nats.name=${TEST_USER}"),
                  &err) == 0);
    EXPECT_TEXT(c.nats.user, "joe");
    EXPECT_TEXT(c.nats.password, "<p${NOT_AGAIN}$joe>");
    EXPECT_TEXT(c.nats.name, "${TEST_USER}"); /* not a secret */
    config_free(&c);
    EXPECT(finish(&c, SETTINGS("nats.token=a$b$$c{d}$"), &err) == 0);
    EXPECT_TEXT(c.nats.token, "a$b$$c{d}$");
    config_free(&c);
    expect_refused(SETTINGS("nats.token_file=/run/${TEST_MISSING}/x"),
                   "nats.token_file: the environment variable TEST_MISSING is not set");
    expect_refused(SETTINGS("nats.token=${TEST_MISSING}"),
                   "nats.token: the environment variable TEST_MISSING is not set");
    expect_refused(SETTINGS("nats.token=${TEST"),
                   "nats.token: write ${NAME} with the name of a variable");
    expect_refused(SETTINGS("nats.token=${}"),
                   "nats.token: write ${NAME} with the name of a variable");
    expect_refused(SETTINGS("nats.token=${A-B}"),
                   "nats.token: write ${NAME} with the name of a variable");
    setenv("TEST_USER", "\xff", 1);
    expect_refused(SETTINGS("nats.token=${TEST_USER}"),
                   "nats.token: the environment variable TEST_USER is not UTF-8");
}

/* A secret with a mistake in it must not show up in what is printed. */
TEST(config_finish_never_prints_a_secret)
{
    static const char *const mistakes[] = {"nats.password=hunter2${", "nats.password=hunter2"};
    for (size_t i = 0; i < 2; i++) {
        struct config c;
        struct err err = {0};
        EXPECT(finish(&c, SETTINGS(mistakes[i]), &err) == -1);
        EXPECT(strstr(err.text, "hunter2") == NULL);
        config_free(&c);
    }
}

TEST(config_derived_ack_wait)
{
    struct config c;
    struct err err = {0};
    /* 4 x (60 s + 2 x 33 s) = 504 s is below ten minutes. */
    EXPECT(finish(&c, SETTINGS("nats.name=x"), &err) == 0);
    EXPECT_I64(config_ack_wait(&c), 600 * CLOCK_SECOND);
    config_free(&c);
    /* 4 x (300 s + 2 x 257 s) */
    EXPECT(finish(&c, SETTINGS("batching.max_age=5m", "batching.max_bytes=1GiB"), &err) == 0);
    EXPECT_I64(config_ack_wait(&c), 3256 * CLOCK_SECOND);
    config_free(&c);
    EXPECT(finish(&c, SETTINGS("batching.max_age=24h", "batching.max_bytes=64GiB"), &err) == 0);
    EXPECT_I64(config_ack_wait(&c), (4 * (86400 + 2 * 16385)) * CLOCK_SECOND);
    config_free(&c);
}

TEST(config_derived_max_ack_pending)
{
    struct config c;
    struct err err = {0};
    EXPECT(finish(&c, SETTINGS("batching.max_rows=1000"), &err) == 0);
    EXPECT_U64(config_max_ack_pending(&c), 2000 + 65536);
    config_free(&c);
}

TEST(config_finish_expands_paths_and_servers)
{
    struct config c;
    struct err err = {0};
    EXPECT(setenv("HOME", "/home/lab", 1) == 0 && setenv("WHERE", "disk 1", 1) == 0);
    EXPECT(setenv("SECRET", "p@s:s/w%", 1) == 0 && setenv("HOST", "db.lab:4333", 1) == 0);
    EXPECT(finish(&c,
                  SETTINGS("output.log_output_directory=~/${WHERE}/a~b",
                           "nats.servers=nats://me:${SECRET}@${HOST},${HOST}"),
                  &err) == 0);
    EXPECT_TEXT(c.output.log_output_directory, "/home/lab/disk 1/a~b");
    EXPECT_TEXT(c.nats.servers.items[0], "nats://me:p%40s%3As%2Fw%25@db.lab:4333");
    EXPECT_TEXT(c.nats.servers.items[1], "db.lab:4333");
    config_free(&c);
    expect_refused(SETTINGS("output.log_output_directory=~else/x"),
                   "output.log_output_directory: only ~/ is known, not the home of others");
    expect_refused(
        SETTINGS("output.log_output_directory=/x/${NOBODY_SETS_IT}"),
        "output.log_output_directory: the environment variable NOBODY_SETS_IT is not set");
}

/* A variable is named, and what may be a part of a secret is not. */
TEST(config_finish_names_variables_of_servers)
{
#define NAMED "nats.servers: the environment variable NOBODY is not set"
#define SECRET "nats.servers: the environment variable is not set"
    static const char *const cases[][2] = {
        {"nats.servers=${NOBODY}", NAMED},
        {"nats.servers=nats://${NOBODY}:4222", NAMED},
        {"nats.servers=nats://${NOBODY}.lab:4222", NAMED},
        {"nats.servers=nats://a.lab:${NOBODY}", NAMED},
        {"nats.servers=nats://me:you@${NOBODY}.lab", NAMED},
        {"nats.servers=nats://${NOBODY}:you@a.lab", NAMED},
        {"nats.servers=nats://me:${NOBODY}@a.lab", NAMED},
        {"nats.servers=nats://me:hun${NOBODY}@a.lab", SECRET},
        {"nats.servers=nats://me:${NOBODY}ter2@a.lab", SECRET},
        {"nats.servers=nats://me:x@${NOBODY}ter2@a.lab", SECRET},
        {"nats.servers=nats://me:${NOBODY}ter2", SECRET},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_refused(SETTINGS(cases[i][0]), cases[i][1]);
}

TEST(config_finish_where_an_archive_is)
{
#define ARCHIVE(target)                                                           \
    SETTINGS("output.log_output_directory=/data/logs", "followers[0].name=vault", \
             "followers[0].kind=archive", "followers[0].target=" target)
    struct config c;
    struct err err = {0};
    expect_refused(ARCHIVE(""), "followers[0].target is needed: where the archive is");
    expect_refused(ARCHIVE("/data/logs/old"),
                   "followers[0].target lies in the output directory, where readers of *.parquet "
                   "would meet its files");
    expect_refused(ARCHIVE("//data/./logs/"),
                   "followers[0].target lies in the output directory, where readers of *.parquet "
                   "would meet its files");
    expect_refused(ARCHIVE("/data"), "followers[0].target holds the output directory");
    expect_refused(SETTINGS("output.log_output_directory=/data/logs", "followers[0].name=typed",
                            "followers[0].target=/data/."),
                   "followers[0].target holds the output directory");
    expect_refused(SETTINGS("output.log_output_directory=/data/logs", "followers[0].name=typed",
                            "followers[1].name=vault", "followers[1].kind=archive",
                            "followers[1].target=/data/logs-types/old"),
                   "followers[0] and followers[1] have the same target, or one in that of the "
                   "other");
    EXPECT(finish(&c, ARCHIVE("/data/logs-archive"), &err) == 0);
    config_free(&c);
#undef ARCHIVE
}
