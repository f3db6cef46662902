/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    const struct cli_command *command = cli_find(name);
    if (command == NULL) {
        (void)fprintf(stderr, "varve: there is no command %s; see varve help\n",
                      cli_shown(argv[1]));
        return CLI_USAGE;
    }
    int status = argc > 1 ? command->run(argc - 1, argv + 1) : command->run(1, (char *[]){"help"});
    /* Output that could not be written is a failure, whatever the command thought. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "varve %s: can't write the output\n", name);
        return status == CLI_DONE ? CLI_FAILED : status;
    }
    return argc > 1 ? status : CLI_USAGE;
}
