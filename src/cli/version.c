/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>

#include "base/version.h"
#include "cli/cli.h"

int cli_version(int argc, char **argv)
{
    struct cli_words w = cli_words(argc, argv);
    bool verbose = false;
    int option;
    while ((option = cli_next(&w)) > 0)
        verbose = true;
    if (option == CLI_STOP)
        return w.status;
    printf("varve %s (build %s)\n", varve_version, varve_build);
    if (verbose)
        (void)fputs(varve_libraries, stdout); /* main looks at stdout */
    return CLI_DONE;
}

int cli_licenses(int argc, char **argv)
{
    struct cli_words w = cli_words(argc, argv);
    if (cli_next(&w) == CLI_STOP)
        return w.status;
    cli_print_embedded(&embedded_licenses);
    return CLI_DONE;
}
