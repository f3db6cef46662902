/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_CLI_H
#define VARVE_CLI_CLI_H

#include <stdbool.h>

#include "base/embedded.h"
#include "base/err.h"

/*
 * The subcommands. `argv` begins with the name of the command; each returns the exit status of the
 * process.
 */
enum cli_status {
    CLI_DONE = 0,
    CLI_FAILED = 1, /* it ran and failed, or found something */
    CLI_USAGE = 2,  /* the command line or the configuration is wrong */
    CLI_GO_ON = -1, /* none yet */
};

int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_cat(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_quality(int argc, char **argv);
int cli_compact(int argc, char **argv);
int cli_expire(int argc, char **argv);
int cli_follow(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_licenses(int argc, char **argv);
int cli_help(int argc, char **argv);

/* An option of a command. */
struct cli_option {
    int id;            /* what cli_next returns for it: a letter */
    const char *name;  /* as it is written: "-c", "--once" */
    const char *value; /* what its value is called; NULL: it takes none */
    const char *help;  /* a phrase */
};

/* One command: the table drives the command line, `varve help`, the man page and the completion. */
struct cli_command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *operands;             /* such as "PATH..."; "" if it takes none */
    const char *summary;              /* a phrase */
    const struct cli_option *options; /* ended by a NULL name */
    const char *notes;                /* what else is to know, lines of 78; "" if nothing */
    const char *examples[2];          /* what follows "varve " */
};

/* The table of commands, ended by a NULL name. */
extern const struct cli_command cli_commands[];

/* The command with this name, or NULL. */
const struct cli_command *cli_find(const char *name);

/*
 * The words behind a command, taken apart by its row of the table: -cFILE or -c FILE, --limit=3 or
 * --limit 3, and all behind "--" is operands.
 *
 *     struct cli_words w = cli_words(argc, argv);
 *     while ((option = cli_next(&w)) > 0)
 *         ... option is an id, w.value its value
 *     if (option == CLI_STOP)
 *         return w.status;
 *     ... the operands are w.operands[0] to w.operands[w.count - 1]
 */
struct cli_words {
    const struct cli_command *command;
    int argc, at;
    char **argv; /* its order changes: operands go to the front */
    char *value; /* of the option that cli_next has returned; it may be overwritten */
    bool only_operands;
    char **operands;
    int count;
    int status; /* of CLI_STOP */
};
enum { CLI_END = 0, CLI_STOP = -1 };

struct cli_words cli_words(int argc, char **argv);

/* The id of the next option, CLI_END, or CLI_STOP where help was asked for and printed, or what is
 * wrong was said. */
int cli_next(struct cli_words *w);

/* The text of `varve help COMMAND`. */
void cli_print_command(const struct cli_command *c);

/* Print a text that is part of the binary. */
void cli_print_embedded(const struct embedded *text);

/* Print an error as one line on stderr and return the exit status that belongs to it; or the status
 * alone. */
int cli_fail(const struct err *err);
int cli_status_of(const struct err *err);

/* Print "varve COMMAND: text" and where to find help; returns CLI_USAGE. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What to show of an argument that is not understood: what looks like the name of an option or a
 * command, and else "...", since it may be a secret in the wrong place. Cuts it at its '='. */
const char *cli_shown(char *argument);

/* The command whose name is written nearly so, or NULL. */
const struct cli_command *cli_nearest(const char *name);

#endif
