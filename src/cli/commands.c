/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

#define CONFIG_OPTIONS                                                                          \
    {'c', "-c", "FILE",                                                                         \
     "the configuration; without it, varve.yaml if it exists, else the defaults"},              \
    {                                                                                           \
        's', "--set", "KEY=VALUE", "set one key, such as batching.max_age=10s; can be repeated" \
    }

#define BUCKET_OPTION                                                                  \
    {                                                                                  \
        'C', "-c", "FILE",                                                             \
            "for s3://BUCKET/PREFIX: reach it as output.s3 of this configuration says" \
    }

static const struct cli_option run_options[] = {
    CONFIG_OPTIONS,
    {'o', "--once", NULL, "drain up to the current end of the stream, commit, ack, exit"},
    {'t', "--timeout", "TIME",
     "with --once: give up after this long, such as 90s or 10m, and commit what has come"},
    {0},
};

static const struct cli_option check_options[] = {
    CONFIG_OPTIONS,
    {'o', "--offline", NULL, "check the configuration only"},
    {'p', "--permissions", NULL, "print what a user of NATS has to be allowed, to be pasted"},
    {'j', "--json", NULL, "a JSON object a line, with level and text; then one that counts"},
    {0},
};

static const struct cli_option status_options[] = {
    CONFIG_OPTIONS,
    {'u', "--url", "URL", "ask there, such as http://127.0.0.1:9464/, and not at metrics.listen"},
    {'a', "--ca-file", "FILE",
     "CAs (PEM) for an https URL, in place of those that this host trusts"},
    {'k', "--token-file", "FILE", "the token that it asks for, in place of metrics.token_file"},
    {'w', "--watch", NULL, "again every two seconds, until it is interrupted"},
    {'j', "--json", NULL, "the JSON as it comes; varve help watch says what it means"},
    {0},
};

static const struct cli_option inspect_options[] = {
    {'j', "--json", NULL, "one JSON object a path"},
    BUCKET_OPTION,
    {0},
};

static const struct cli_option cat_options[] = {
    {'c', "--columns", "A,B", "only these columns, in this order"},
    {'l', "--limit", "N", "at most N rows"},
    {'w', "--where", "'COLUMN OP VALUE'",
     "only rows for which this holds, with = != < <= > >=; can be repeated: all must hold"},
    {'f', "--from", "PLACE", "only from this sequence on, or time at which the stream stored it"},
    {'t', "--to", "PLACE", "only up to this one, which is still in"},
    {'F', "--follow", NULL,
     "go on with each commit, until SIGTERM, SIGINT or the end of who reads it"},
    {'v', "--verbose", NULL, "say how many row groups and pages statistics let it skip"},
    {'v', "-v", NULL, "the same as --verbose"},
    BUCKET_OPTION,
    {0},
};

static const struct cli_option verify_options[] = {
    {'j', "--json", NULL, "one JSON object a file, then a summary"},
    {'d', "--deep", NULL,
     "read every byte in a bucket, too: also of files whose SHA-256 the store has kept"},
    {'g', "--allow-gaps", NULL, "accept missing sequences that nothing accounts for"},
    {'r', "--run", "ID",
     "only the files of this simulation, against what its manifest in _runs says of them"},
    {'a', "--against", "ROOT",
     "look whether all that this table has is in PATH, its archive, with equal content"},
    {'u', "--server", "URL",
     "ask this server, such as nats://user:password@host, what the stream has where no file has a "
     "row; changes nothing"},
    {'c', "-c", "FILE",
     "ask the servers of this configuration, or --server, with its credentials, TLS and domain"},
    {'s', "--set", "KEY=VALUE", "set one key of it, such as nats.credentials_file"},
    {0},
};

static const struct cli_option quality_options[] = {
    CONFIG_OPTIONS,
    {'w', "--where", "'COLUMN OP VALUE'", "only events for which this holds, as for varve cat"},
    {'f', "--from", "PLACE", "only from this sequence on, or time at which the stream stored it"},
    {'t', "--to", "PLACE", "only up to this one, which is still in"},
    {'j', "--json", NULL, "one JSON object a simulation"},
    {'S', "--save", NULL, "put each simulation's into _quality below PATH, a table, as well"},
    {0},
};

static const struct cli_option compact_options[] = {
    {'a', "--after", "TIME",
     "how old the newest file of a partition is, such as 10m; without it two hours"},
    {'k', "--keep-replaced", "TIME",
     "leave the merged files for so long: readers of plain files find rows twice meanwhile"},
    {'l', "--compression-level", "N", "of zstd, -7 to 19; without it 9"},
    {'n', "--dry-run", NULL, "change nothing, and list what would be merged"},
    BUCKET_OPTION,
    {0},
};

static const struct cli_option expire_options[] = {
    {'o', "--older-than", "TIME", "how old the newest row of a partition is, such as 30d or 12h"},
    {'n', "--dry-run", NULL, "change nothing, and list what would go"},
    BUCKET_OPTION,
    {0},
};

static const struct cli_option follow_options[] = {
    CONFIG_OPTIONS,
    {'o', "--once", NULL, "end when it has every row that was committed at the start"},
    {'r', "--restart", NULL,
     "begin with the first row: tables are made anew beside the old ones, which they then replace, "
     "files of an archive are compared, and brought again where need be, quality counts anew, "
     "points "
     "of a database are written once more. Not for kind nats"},
    {'f', "--forget", NULL,
     "follow nothing: have the store forget this follower, so that it holds back no retention"},
    {0},
};

static const struct cli_option replay_options[] = {
    {'u', "--server", "URL", "publish there, such as nats://user:password@host"},
    CONFIG_OPTIONS,
    {'S', "--subject", "SUBJECT",
     "publish to this one; a '>' at its end stands for the stored subject: without this option it "
     "is replay.>, and '>' alone is the stored one"},
    {'N', "--stream", "NAME", "the stream that takes it, where more than one does"},
    {'p', "--speed", "NUMBER", "of their time: 1 as they came, 2.5, or max (without this option)"},
    {'b', "--by", "event|stream",
     "which time: that of the event, or at which the stream stored it (without this option)"},
    {'g', "--max-gap", "TIME", "wait no longer than this between two messages, such as 5s"},
    {'f', "--from", "PLACE", "only from this sequence on, or time at which the stream stored it"},
    {'t', "--to", "PLACE", "only up to this one, which is still in"},
    {'w', "--where", "'COLUMN OP VALUE'", "only rows for which this holds, as in varve cat"},
    {'i', "--simulation", "ID", "only this simulation"},
    {'n', "--new", NULL,
     "begin with the first row, behind what is there; else it goes on where it ended"},
    {'F', "--force", NULL, "even into a stream that this store drains"},
    {'B', "--no-batches", NULL, "message by message, also where the stream allows atomic batches"},
    {'d', "--dry-run", NULL, "publish nothing, and count what would be"},
    {0},
};

static const struct cli_option version_options[] = {
    {'v', "--verbose", NULL, "also the libraries in it, with their versions and licences"},
    {0},
};

static const struct cli_option no_options[] = {{0}};

const struct cli_command cli_commands[] = {
    {"run",
     cli_run,
     "",
     "drain the streams into Parquet files",
     run_options,
     "It goes on until SIGTERM or SIGINT, and then commits and acks what it has; a second\n"
     "one ends it at once. SIGHUP has it read the configuration again.\n"
     "With --once the exit status is 0 when everything that the stream had is committed and\n"
     "acked, else 1, and the last line says why.",
     {"run --once", "run -c varve.yaml --once --set batching.max_age=10s"}},
    {"check",
     cli_check,
     "",
     "ask the server and the disk whether anything could be lost",
     check_options,
     "It changes nothing. Each line is ok, a warning or a problem; with a problem the exit\n"
     "status is 1.",
     {"check -c varve.yaml", "check --offline --set memory_limit=64MiB"}},
    {"status",
     cli_status,
     "",
     "ask a running instance how it is",
     status_options,
     "The exit status is 0 if it is ready: if events become durable.",
     {"status --url http://127.0.0.1:9464/", "status -c varve.yaml --watch"}},
    {"inspect",
     cli_inspect,
     "PATH...",
     "show a table, or what is in a file: schema, row groups, encodings, statistics",
     inspect_options,
     "Of a directory with a commit log: its version, log and checkpoint; files, rows, times,\n"
     "simulations and event types that it has, the runs that were closed, and how far each\n"
     "instance has come.",
     {"inspect sim_logs", "inspect --json sim_logs/*/*/*/*.parquet"}},
    {"cat",
     cli_cat,
     "PATH...",
     "print rows as JSON Lines",
     cat_options,
     "A PATH is a file, or a directory. The rows of one that varve wrote come in the order of\n"
     "their stream. Bytes are in base64; a payload that says that it is JSON or text is a\n"
     "string.\n"
     "A VALUE is a text, a number, true, false, a date, or a time such as\n"
     "2026-11-24T12:00:00Z, which in a column of integers stands for nanoseconds since 1970.\n"
     "A null passes only '= null'; \"null\" in quotes is the text.",
     {"cat --columns stream_seq,event_type_key --limit 3 sim_logs",
      "cat --where 'worker_id = w1' --from 2026-11-24T12:00:00Z sim_logs"}},
    {"verify",
     cli_verify,
     "PATH...",
     "check every byte: structure, checksums, statistics, sequences, commit log",
     verify_options,
     "A sequence without a row is only a note if the commit log or the server accounts for it\n"
     "(deleted, of another subject, a dead letter). Findings make the exit status 1. Of one\n"
     "kind 20 lines a PATH are printed, and how many more there are; --json has more.\n"
     "In a bucket a file is not read if the store has the SHA-256 that the commit log has.\n"
     "With --run a PATH is a table, or a copy of the files of a simulation with its _runs.\n"
     "With --against each file of ROOT has to be in PATH with the same SHA-256, or each of its\n"
     "rows, by stream and sequence, with the same values. PATH may have more.",
     {"verify sim_logs", "verify sim_logs -c varve.yaml"}},
    {"quality",
     cli_quality,
     "PATH",
     "say what to know of a run before believing it",
     quality_options,
     "By simulation and event type: counts, rates, times, sizes, how far clocks are apart, the\n"
     "longest silence; and what is wrong: an event_id twice, timestamps that run backwards,\n"
     "empty fields, payloads that do not decode. The rules are the keys of `quality`. Nothing\n"
     "is changed; with findings the exit status is 1.",
     {"quality sim_logs", "quality sim_logs --where 'simulation_id = sim-0001' --json"}},
    {"compact",
     cli_compact,
     "PATH",
     "merge small files of a table into large ones",
     compact_options,
     "Of partitions, each of which is what lies in one folder, whose newest file is two hours\n"
     "old, or that have 16 small files. The rows stay the same. varve may run beside. What\n"
     "holds other files than varve's is left alone. compaction.interval does the same all the\n"
     "time.",
     {"compact sim_logs --dry-run", "compact sim_logs"}},
    {"expire",
     cli_expire,
     "PATH",
     "remove old partitions: from the commit log, then their files",
     expire_options,
     "A partition is what lies in one folder, and as old as its newest row: by timestamp_ns,\n"
     "or where that is absurd by stream_time. varve may run beside. What has expired counts as\n"
     "stored: it is not fetched again, and varve verify knows it. retention.max_age does the\n"
     "same all the time.",
     {"expire sim_logs --older-than 30d --dry-run", "expire sim_logs --older-than 30d"}},
    {"follow",
     cli_follow,
     "NAME",
     "run one of the configuration's followers by itself",
     follow_options,
     "A follower brings the rows of the store to where `followers` says, each once, from the\n"
     "first on, and keeps its position in the store. varve run does it, too, unless it runs\n"
     "here. Nothing that it has not read is removed from the store.",
     {"follow typed -c varve.yaml --once --restart", "follow old --forget"}},
    {"replay",
     cli_replay,
     "PATH",
     "publish the events of a store to NATS again",
     replay_options,
     "In the order of their stream, each once, even if it is killed: the last message of the\n"
     "subject tells the same command where to go on. Headers are as they were stored, but for\n"
     "Varve-Replay and those that order the server what to do. While it runs, nobody else\n"
     "should publish into the stream.",
     {"replay sim_logs --server nats://127.0.0.1:4222 --simulation sim-1",
      "replay sim_logs -c varve.yaml --subject lab.events --speed 2.5 --max-gap 5s"}},
    {"version",
     cli_version,
     "",
     "print version and build",
     version_options,
     "",
     {"version", "version --verbose"}},
    {"licenses",
     cli_licenses,
     "",
     "print the licences of varve and of everything in it",
     no_options,
     "",
     {"licenses"}},
    {"help",
     cli_help,
     "[COMMAND | KEY | CHAPTER]",
     "explain a command, a key, or a subject",
     no_options,
     "",
     {"help config", "help batching.max_age"}},
    {0},
};

const struct cli_command *cli_find(const char *name)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

const struct cli_command *cli_nearest(const char *name)
{
    const struct cli_command *nearest = NULL;
    size_t best = strlen(name) / 2 + 2; /* two letters that are swapped are two edits */
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        size_t distance = text_edits(name, c->name);
        if (distance < best) {
            best = distance;
            nearest = c;
        }
    }
    return nearest;
}

int cli_status_of(const struct err *err)
{
    return err->code == ERR_USAGE ? CLI_USAGE : CLI_FAILED;
}

int cli_fail(const struct err *err)
{
    (void)fprintf(stderr, "%svarve: %s\n", log_priority(LOG_ERROR), err->text);
    return cli_status_of(err);
}

const char *cli_shown(char *argument)
{
    size_t len = strspn(argument, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.");
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
