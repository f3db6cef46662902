/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct cli_command cli_commands[] = {
    {"run", cli_run, "[-c FILE] [--once] [--set KEY=VALUE]...",
     "drain the streams into Parquet files",
     "  -c FILE          the configuration; without it, varve.yaml if it exists, else the "
     "defaults\n"
     "  --once           drain up to the current end of the stream, commit, ack, exit\n"
     "  --set KEY=VALUE  set one key, such as --set batching.max_age=10s\n"},
    {"check", cli_check, "[-c FILE] [--offline] [--set KEY=VALUE]...",
     "ask the server and the disk whether anything could be lost; change nothing",
     "  -c FILE          the configuration, as for run\n"
     "  --offline        check the configuration only\n"
     "  --set KEY=VALUE  set one key\n\n"
     "Each line is ok, a warning or a problem; with a problem the exit status is 1.\n"},
    {"inspect", cli_inspect, "FILE... [--json]",
     "show schema, row groups, encodings, sizes, statistics, footer keys",
     "  --json           one JSON object per file\n"},
    {"cat", cli_cat, "PATH... [--columns a,b] [--limit N]",
     "print rows as JSON Lines, bytes in base64",
     "  --columns a,b    only these columns, in this order\n"
     "  --limit N        at most N rows\n"},
    {"verify", cli_verify, "PATH... [--json] [--allow-gaps] [--server URL]",
     "check every byte: structure, checksums, statistics, sequences, commit log",
     "  --json           one JSON object per file, then a summary\n"
     "  --allow-gaps     accept missing sequences that nothing accounts for\n"
     "  --server URL     ask this server, such as nats://user:password@host, what the stream\n"
     "                   has where no file has a row; changes nothing\n\n"
     "A sequence without a row is only a note if the commit log or the server accounts for it\n"
     "(deleted, of another subject, a dead letter). Findings make the exit status 1.\n"},
    {"version", cli_version, "", "print version and build", ""},
    {"licenses", cli_licenses, "", "print the licences of varve and of everything in it", ""},
    {"help", cli_help, "[COMMAND]", "explain a command", ""},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct cli_command *cli_find(const char *name)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

int cli_status_of(const struct err *err)
{
    return err->code == ERR_USAGE ? CLI_USAGE : CLI_FAILED;
}

int cli_fail(const struct err *err)
{
    (void)fprintf(stderr, "varve: %s\n", err->text);
    return cli_status_of(err);
}

const char *cli_shown(char *argument)
{
    size_t len = strspn(argument, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
    if (len == 0 || (argument[len] != '\0' && argument[len] != '='))
        return "...";
    argument[len] = '\0';
    return argument;
}

int cli_usage(const char *command, const char *format, ...)
{
    (void)fprintf(stderr, "varve %s: ", command);
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "; see varve help %s\n", command);
    return CLI_USAGE;
}
