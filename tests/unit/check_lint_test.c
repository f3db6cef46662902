/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include <stdio.h>

#include "test.h"

static int lint(const char *const *assignments, struct err *err)
{
    struct config c;
    struct err set_err = {0};
    config_init(&c);
    for (; *assignments != NULL; assignments++)
        EXPECT(config_set(&c, *assignments, &set_err) == 0);
    EXPECT(config_finish(&c, &set_err) == 0);
    int result = lint_config(&c, err);
    config_free(&c);
    return result;
}

static void expect_refused(const char *assignment, const char *text)
{
    struct err err = {0};
    EXPECT(lint((const char *const[]){assignment, NULL}, &err) == -1);
    EXPECT_U64(err.code, ERR_USAGE);
    EXPECT_TEXT(err.text, text);
}

TEST(lint_takes_the_defaults_and_more)
{
    struct err err = {0};
    EXPECT(lint((const char *const[]){NULL}, &err) == 0);
    EXPECT(
        lint((const char *const[]){"nats.servers=nats://a:b@c:1,d", "sources[0].subjects=a.>,*.b",
                                   "dead_letter.subject=dead.a", "alerts.subject=a.alerts", NULL},
             &err) == 0);
}

TEST(lint_names_and_subjects)
{
    const char *name = "1 to 255 characters, without blanks or . * > / \\";
    char text[128];
    strcpy(text, "sources[0].stream: write ");
    expect_refused("sources[0].stream=a b", strcat(text, name));
    strcpy(text, "sources[0].consumer: write ");
    expect_refused("sources[0].consumer=a.b", strcat(text, name));
    expect_refused("sources[0].subjects=a.b,a..b",
                   "sources[0].subjects: \"a..b\" is not a subject");
    expect_refused("dead_letter.subject=dead.*",
                   "dead_letter.subject: \"dead.*\" is not a subject to publish to");
    expect_refused("alerts.subject=a b", "alerts.subject: \"a b\" is not a subject to publish to");
}

TEST(lint_dead_letters_that_come_back)
{
    struct err err = {0};
    EXPECT(lint((const char *const[]){"sources[0].subjects=logging.x", "sources[1].stream=B",
                                      "sources[1].subjects=b,logging.>",
                                      "dead_letter.subject=logging.dead", NULL},
                &err) == -1);
    EXPECT_TEXT(err.text, "dead_letter.subject: sources[1] would drain it again: choose a subject "
                          "that logging.> does not match");
}

TEST(lint_servers)
{
    struct err err = {0};
    expect_refused("nats.servers=wss://a:1",
                   "nats.servers[0]: varve does not speak NATS over WebSocket: name a port of the "
                   "server for clients, with nats:// or tls://");
    EXPECT(lint((const char *const[]){"nats.servers=nats://joe:hunter2@:99999", NULL}, &err) == -1);
    EXPECT(strncmp(err.text, "nats.servers[0]: ", 17) == 0 && strstr(err.text, "hunter2") == NULL);
}

TEST(lint_place_of_the_api)
{
    struct err err = {0};
    const char *prefix = " is not a subject: write for instance JS.hub.API, without wildcards and "
                         "without a dot at its end";
    char text[128];
    EXPECT(lint((const char *const[]){"nats.domain=hub", NULL}, &err) == 0);
    EXPECT(lint((const char *const[]){"nats.api_prefix=JS.hub.API", NULL}, &err) == 0);
    expect_refused("nats.domain=a.b", "nats.domain: \"a.b\" is not the name of a domain");
    expect_refused("nats.domain=*", "nats.domain: \"*\" is not the name of a domain");
    (void)snprintf(text, sizeof(text), "nats.api_prefix: \"JS.hub.API.>\"%s", prefix);
    expect_refused("nats.api_prefix=JS.hub.API.>", text);
    (void)snprintf(text, sizeof(text), "nats.api_prefix: \"JS.hub.API.\"%s", prefix);
    expect_refused("nats.api_prefix=JS.hub.API.", text);
}

TEST(lint_template)
{
    struct err err = {0};
    EXPECT(lint((const char *const[]){"output.path_template=../x", NULL}, &err) == -1);
    EXPECT(strncmp(err.text, "output.path_template: ", 22) == 0);
    expect_refused("output.path_template=event_time={HH}/{last_seq}.parquet",
                   "output.path_template: readers that look for partitions would take "
                   "'event_time=' for the column event_time, which the files have with other "
                   "values; choose another name");
}

/* Each says what is wrong, before anybody is asked for a bucket. */
TEST(lint_places_in_buckets)
{
    struct err err = {0};
    EXPECT(lint((const char *const[]){"output.url=s3://logs/a/b", "followers[0].name=f",
                                      "followers[0].kind=archive",
                                      "followers[0].target=s3://logs/c", NULL},
                &err) == 0);
    expect_refused("output.url=s3://ab/p", "output.url: s3://ab/p: \"ab\" is no name of a bucket: "
                                           "write s3://BUCKET/PREFIX");
    expect_refused("output.url=s3://logs/a/../b",
                   "output.url: s3://logs/a/../b: a prefix has no empty parts, and none of dots");
    EXPECT(lint((const char *const[]){"followers[0].name=f", "followers[0].target=s3:///p", NULL},
                &err) == -1);
    EXPECT_TEXT(err.text, "followers[0].target: s3:///p: \"\" is no name of a bucket: write "
                          "s3://BUCKET/PREFIX");
}
