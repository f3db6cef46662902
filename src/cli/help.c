/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>

#include "base/version.h"

static void print_command(const struct cli_command *c)
{
    printf("usage: varve %s %s\n\n%s\n", c->name, c->usage, c->summary);
    if (c->details[0] != '\0')
        printf("\n%s", c->details);
}

int cli_help(int argc, char **argv)
{
    if (argc > 2)
        return cli_usage("help", "one command at a time");
    if (argc == 2) {
        const struct cli_command *c = cli_find(argv[1]);
        if (c == NULL)
            return cli_usage("help", "there is no command %s", cli_shown(argv[1]));
        print_command(c);
        return CLI_DONE;
    }
    printf("varve %s drains NATS JetStream and lays the events down as Parquet files.\n\n",
           varve_version);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        printf("  varve %-9s %s\n", c->name, c->summary);
    printf("\nExit status: 0 done; 1 it ran and failed, or found something; 2 usage.\n");
    return CLI_DONE;
}
