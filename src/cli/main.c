/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static int unknown_command(char *word)
{
    const struct cli_command *near = cli_nearest(word);
    (void)fprintf(stderr, "varve: there is no command %s%s%s%s; see varve help\n", cli_shown(word),
                  near != NULL ? " (did you mean " : "", near != NULL ? near->name : "",
                  near != NULL ? "?)" : "");
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    static char help[] = "help", version[] = "version";
    char *alone[] = {help, NULL};
    if (argc < 2) {
        (void)cli_help(1, alone); /* and it is not what somebody wanted */
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        argv[1] = help;
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        argv[1] = version;
    const struct cli_command *command = cli_find(argv[1]);
    if (command == NULL)
        return unknown_command(argv[1]);
    int status = command->run(argc - 1, argv + 1);
    /* Output that could not be written is a failure, whatever the command thought. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "varve %s: can't write the output\n", command->name);
        return status == CLI_DONE ? CLI_FAILED : status;
    }
    return status;
}
