/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "base/version.h"
#include "config/keys.h"
#include "parquet/codec.h"

static const struct {
    const char *name, *summary;
    const struct embedded *text;
} chapters[] = {
    {"store", "files, columns, quality, quarantine, how a commit works", &embedded_store},
    {"read", "pandas, DuckDB, Polars, deltalake", &embedded_read},
    {"watch", "health, metrics, alerts, logs", &embedded_watch},
    {"configure", "where the keys come from, and all of them in a table", &embedded_configure},
    {"operate", "install, back up, move, upgrade, and what each alert wants done",
     &embedded_operate},
    {"bucket", "a table in S3-compatible object storage", &embedded_bucket},
    {"followers", "typed tables and other targets; replay", &embedded_follow},
    {"hosts", "other machines, old kernels, file systems, SD cards, little memory",
     &embedded_hosts},
};
enum { CHAPTERS = sizeof(chapters) / sizeof(chapters[0]) };

/* Where the explanations of options begin, and where lines end. */
enum { HELP_COLUMN = 20, HELP_WIDTH = 96 };

/* Text in lines, from the column on at which the cursor is. */
static void print_wrapped(const char *text, int column)
{
    const size_t width = HELP_WIDTH - (size_t)column;
    for (;;) {
        size_t len = strlen(text);
        if (len > width)
            for (len = width; len > 0 && text[len] != ' ';)
                len--;
        if (len == 0)
            len = strlen(text);
        printf("%.*s\n", (int)len, text);
        text += len;
        if (*text == '\0')
            return;
        text++;
        printf("%*s", column, "");
    }
}

static void print_option(const char *name, const char *value, const char *help)
{
    int len = printf("  %s%s%s", name, value != NULL ? " " : "", value != NULL ? value : "");
    if (len >= HELP_COLUMN) {
        printf("\n");
        len = 0;
    }
    printf("%*s", HELP_COLUMN - len, "");
    print_wrapped(help, HELP_COLUMN);
}

void cli_print_command(const struct cli_command *c)
{
    printf("usage: varve %s%s%s%s\n\n", c->name, c->operands[0] != '\0' ? " " : "", c->operands,
           c->options->name != NULL ? " [options]" : "");
    printf("%s\n\n", c->summary);
    for (const struct cli_option *o = c->options; o->name != NULL; o++)
        print_option(o->name, o->value, o->help);
    print_option("-h, --help", NULL, "this text");
    if (c->notes[0] != '\0')
        printf("\n%s\n", c->notes);
    printf("\nexamples:\n");
    for (size_t i = 0; i < 2 && c->examples[i] != NULL; i++)
        printf("  varve %s\n", c->examples[i]);
}

static void print_overview(void)
{
    printf("varve %s drains NATS JetStream and lays the events down as Parquet files.\n\n",
           varve_version);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        printf("  varve %-9s %s\n", c->name, c->summary);
    printf(
        "\nvarve COMMAND --help explains a command, varve help config prints every key with its\n"
        "default, varve help KEY explains one key or section, and these are chapters:\n\n");
    for (int i = 0; i < CHAPTERS; i++)
        printf("  varve help %-9s  %s\n", chapters[i].name, chapters[i].summary);
    printf("\nExit status: 0 done; 1 it ran and failed, or found something; 2 usage.\n");
}

static void print_buf(struct buf *text)
{
    (void)fwrite(text->data, 1, text->len, stdout); /* main looks at stdout */
    buf_free(text);
}

void cli_print_embedded(const struct embedded *text)
{
    struct buf out = {0};
    struct err err = {0};
    struct parquet_codec *codec = parquet_codec_new(NULL);
    int result = parquet_decompress(codec, (struct slice){text->frame, text->frame_len}, text->len,
                                    &out, &err);
    ASSERT(result == 0); /* the build has packed it */
    parquet_codec_free(codec);
    print_buf(&out);
}

/* A key such as batching.max_age or sources[0].stream, or all of a section. */
static bool explain_keys(const char *path)
{
    struct buf text = {0};
    config_append_help(&text, path);
    bool found = text.len > 0;
    print_buf(&text);
    return found;
}

/* " (did you mean ...?)", or nothing. */
static const char *suggestion(const char *name)
{
    static char text[CONFIG_PATH_MAX + 32];
    char key[CONFIG_PATH_MAX];
    const struct cli_command *command = cli_nearest(name);
    const char *near = command != NULL ? command->name : NULL;
    for (int i = 0; i < CHAPTERS && near == NULL; i++)
        if (text_edits(name, chapters[i].name) <= 2)
            near = chapters[i].name;
    if (near == NULL && config_key_nearest(name, key))
        near = key;
    if (near != NULL)
        (void)snprintf(text, sizeof(text), " (did you mean %s?)", near);
    return text;
}

static int explain(char *name)
{
    const struct cli_command *c = cli_find(name);
    if (c != NULL) {
        cli_print_command(c);
        return CLI_DONE;
    }
    if (strcmp(name, "config") == 0) {
        struct buf text = {0};
        config_append_example(&text);
        print_buf(&text);
        return CLI_DONE;
    }
    for (int i = 0; i < CHAPTERS; i++)
        if (strcmp(name, chapters[i].name) == 0) {
            cli_print_embedded(chapters[i].text);
            return CLI_DONE;
        }
    if (explain_keys(name))
        return CLI_DONE;
    return cli_usage("help", "nothing is called %s%s", cli_shown(name), suggestion(name));
}

int cli_help(int argc, char **argv)
{
    struct cli_words w = cli_words(argc, argv);
    int option = cli_next(&w);
    if (option == CLI_STOP)
        return w.status;
    if (w.count > 1)
        return cli_usage("help", "one subject at a time");
    if (w.count == 1)
        return explain(w.operands[0]);
    print_overview();
    return CLI_DONE;
}
