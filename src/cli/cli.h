/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_CLI_H
#define VARVE_CLI_CLI_H

/* The subcommands. `argv` begins with the name of the command; each returns the exit status of the
 * process: 0 done, 1 it ran and failed or found something, 2 usage. */
int cli_inspect(int argc, char **argv);
int cli_cat(int argc, char **argv);
int cli_verify(int argc, char **argv);

#endif
