/* SPDX-License-Identifier: MIT */
#include "base/version.h"

#include <stdio.h>

#include "cli/cli.h"

int cli_version(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return cli_usage("version", "it takes no arguments");
    printf("varve %s (build %s)\n", varve_version, varve_build);
    return CLI_DONE;
}

int cli_licenses(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return cli_usage("licenses", "it takes no arguments");
    (void)fputs(varve_licenses, stdout); /* main looks at stdout */
    return CLI_DONE;
}
