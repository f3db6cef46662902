/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_CLI_H
#define VARVE_CLI_CLI_H

#include "base/err.h"

/*
 * The subcommands. `argv` begins with the name of the command; each returns the exit status of the
 * process.
 */
enum cli_status {
    CLI_DONE = 0,
    CLI_FAILED = 1, /* it ran and failed, or found something */
    CLI_USAGE = 2,  /* the command line or the configuration is wrong */
};

int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_cat(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_licenses(int argc, char **argv);
int cli_help(int argc, char **argv);

/* One command, for main and for help. */
struct cli_command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;   /* what follows the name */
    const char *summary; /* one line */
    const char *details; /* the options, a line each; "" if there are none */
};

/* The table of commands, ended by a NULL name. */
extern const struct cli_command cli_commands[];

/* The command with this name, or NULL. */
const struct cli_command *cli_find(const char *name);

/* Print an error as one line on stderr and return the exit status that belongs to it; or the status
 * alone. */
int cli_fail(const struct err *err);
int cli_status_of(const struct err *err);

/* Print "varve COMMAND: text" and where to find help; returns CLI_USAGE. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What to show of an argument that is not understood: what looks like the name of an option or a
 * command, and else "...", since it may be a secret in the wrong place. Cuts it at its '='. */
const char *cli_shown(char *argument);

#endif
