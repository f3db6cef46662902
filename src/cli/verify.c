/* SPDX-License-Identifier: MIT */
#include "verify/verify.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"

/* Everybody on the host can see the arguments of a process: what is secret in a URL is kept here,
 * and overwritten there. */
static char *take_url(char *argument)
{
    char *copy = text_copy(argument);
    char *end = strrchr(argument, '@');
    if (end != NULL)
        memset(argument, '*', (size_t)(end - argument));
    return copy;
}

/* Read the options; the paths begin at optind. */
static int parse(struct verify_options *verify, char **server, int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"allow-gaps", no_argument, NULL, 'g'},
                                            {"server", required_argument, NULL, 's'},
                                            {0}};
    int option = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == 'j')
            verify->json = true;
        else if (option == 'g')
            verify->allow_gaps = true;
        else if (option == 's' && *server == NULL)
            *server = take_url(optarg);
        else if (option == 's')
            return cli_usage("verify", "--server is given twice");
        else if (option == ':')
            return cli_usage("verify", "%s needs a value", cli_shown(argv[optind - 1]));
        else
            return cli_usage("verify", "unknown option %s", cli_shown(argv[optind - 1]));
    }
    if (optind == argc)
        return cli_usage("verify", "no file or folder given");
    return CLI_DONE;
}

static void say(const struct err *err)
{
    (void)cli_fail(err);
}

int cli_verify(int argc, char **argv)
{
    struct verify_options options = {.failed = say, .progress = isatty(STDERR_FILENO) == 1};
    char *server = NULL;
    int status = parse(&options, &server, argc, argv);
    options.server = server;
    if (status == CLI_DONE)
        status = verify_paths(&options, argv + optind, argc - optind) == 0 ? CLI_DONE : CLI_FAILED;
    free(server);
    return status;
}
