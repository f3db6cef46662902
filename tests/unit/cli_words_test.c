/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "test.h"

/* Each word as the system hands it over: it may be written to. */
#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})

static char *word(const char *text)
{
    static char copies[16][64];
    static int count;
    char *copy = copies[count++ % 16];
    strcpy(copy, text);
    return copy;
}

static void expect_limit(int argc, char **argv)
{
    struct cli_words w = cli_words(argc, argv);
    EXPECT_I64(cli_next(&w), 'l');
    EXPECT_TEXT(w.value, "3");
    EXPECT_I64(cli_next(&w), CLI_END);
    EXPECT_I64(w.count, 1);
    EXPECT_TEXT(w.operands[0], "here");
}

TEST(cli_words_take_values_in_all_ways)
{
    expect_limit(4, WORDS(word("cat"), word("--limit"), word("3"), word("here")));
    expect_limit(3, WORDS(word("cat"), word("--limit=3"), word("here")));
    expect_limit(3, WORDS(word("cat"), word("here"), word("--limit=3")));
    struct cli_words w = cli_words(2, WORDS(word("run"), word("-cFILE")));
    EXPECT_I64(cli_next(&w), 'c');
    EXPECT_TEXT(w.value, "FILE");
}

TEST(cli_words_behind_two_dashes_are_operands)
{
    struct cli_words w =
        cli_words(5, WORDS(word("cat"), word("a"), word("--"), word("--limit"), word("-")));
    EXPECT_I64(cli_next(&w), CLI_END);
    EXPECT_I64(w.count, 3);
    EXPECT_TEXT(w.operands[1], "--limit");
    EXPECT_TEXT(w.operands[2], "-");
}

TEST(cli_words_that_are_wrong)
{
    char **const wrong[] = {
        WORDS(word("cat"), word("a"), word("--limt=3")),  WORDS(word("cat"), word("a"), word("-x")),
        WORDS(word("cat"), word("a"), word("--limit")),   WORDS(word("run"), word("a"), word("b")),
        WORDS(word("run"), word("--once=yes"), word("")),
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cli_words w = cli_words(3, wrong[i]);
        EXPECT_I64(cli_next(&w), CLI_STOP);
        EXPECT_I64(w.status, CLI_USAGE);
    }
    struct cli_words none = cli_words(1, WORDS(word("cat")));
    EXPECT_I64(cli_next(&none), CLI_STOP);
}

TEST(cli_every_command_has_two_examples_or_nothing_to_say)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        EXPECT(c->summary[0] >= 'a' && c->summary[0] <= 'z');
        EXPECT(c->examples[0] != NULL);
        EXPECT(c->options->name == NULL || c->examples[1] != NULL);
        for (size_t i = 0; i < 2 && c->examples[i] != NULL; i++)
            EXPECT(strncmp(c->examples[i], c->name, strlen(c->name)) == 0);
    }
}

TEST(cli_nearest_command)
{
    EXPECT_TEXT(cli_nearest("rnu")->name, "run");
    EXPECT_TEXT(cli_nearest("verfy")->name, "verify");
    EXPECT(cli_nearest("nothing-like-it") == NULL);
}

TEST(cli_what_may_be_a_secret_is_not_shown)
{
    EXPECT_TEXT(cli_shown(word("--limt=3")), "--limt");
    EXPECT_TEXT(cli_shown(word("nats.url")), "nats.url");
    EXPECT_TEXT(cli_shown(word("nats://user:secret@host")), "...");
    EXPECT_TEXT(cli_shown(word("s3cret")), "...");
    EXPECT_TEXT(cli_shown(word("")), "...");
}
