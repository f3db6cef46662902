/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CLI_OPTIONS_H
#define VARVE_CLI_OPTIONS_H

#include <stddef.h>

#include "base/array.h"
#include "cli/cli.h"
#include "config/config.h"

/* The options that make a configuration: -c FILE and --set KEY=VALUE. A zeroed struct is empty. */
struct cli_options {
    const char *file;   /* NULL: varve.yaml, where it exists */
    ARRAY(char *) sets; /* the values of --set, copied, in order */
    char *server;       /* the URL of cli_options_take_server; NULL: not given */
};

/* Take an option that cli_next has returned, with its value in `w`, if it is one of them: 1. 0: it
 * is something else. -1: it is wrong, and that was said. */
int cli_options_take(struct cli_options *o, const struct cli_words *w, int option);

/* Take the value of --server, of a command that has it: 0, or -1 and what is wrong was said. What
 * is secret in it is kept here, and overwritten there: everybody on the host can see the arguments
 * of a process. */
int cli_options_take_server(struct cli_options *o, const struct cli_words *w)
    __attribute__((warn_unused_result));

/* How a server is reached: as --server says, with all that the configuration has, if one was given;
 * --server alone is no reason to read one. `config` is initialised, and finished afterwards.
 * *given is false, and nothing was done, if neither was given. */
int cli_options_reach_server(struct cli_options *o, struct config *config, bool *given,
                             struct err *err) __attribute__((warn_unused_result));

/* The file that there is to read, borrowed, or NULL. */
const char *cli_options_file(const struct cli_options *o);

/* Read, set, finish and lint. The context is the struct cli_options; also for reloads. */
int cli_options_read(void *context, struct config *config, struct err *err)
    __attribute__((warn_unused_result));

/* From now on buckets are reached as output.s3 of a configuration says, which is finished, and
 * borrowed until the end; or of the one in a file. */
void cli_reach(const struct config *config);
int cli_reach_by_file(const char *file, struct err *err) __attribute__((warn_unused_result));

void cli_options_free(struct cli_options *o);

#endif
