/* SPDX-License-Identifier: MIT */
#include "verify/verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/confine.h"

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

static int parse(struct verify_options *verify, char **server, struct cli_words *w)
{
    int option;
    while ((option = cli_next(w)) > 0) {
        if (option == 'j')
            verify->json = true;
        else if (option == 'g')
            verify->allow_gaps = true;
        else if (*server == NULL)
            *server = take_url(w->value);
        else
            return cli_usage("verify", "--server is given twice");
    }
    return option == CLI_STOP ? w->status : CLI_GO_ON;
}

static void say(const struct err *err)
{
    (void)cli_fail(err);
}

int cli_verify(int argc, char **argv)
{
    struct verify_options options = {.failed = say, .progress = isatty(STDERR_FILENO) == 1};
    char *server = NULL;
    struct err err = {0};
    struct cli_words w = cli_words(argc, argv);
    int status = parse(&options, &server, &w);
    options.server = server;
    if (status == CLI_GO_ON && confine_reading(w.operands, w.count, server != NULL, &err) != 0)
        status = cli_fail(&err);
    if (status == CLI_GO_ON)
        status = verify_paths(&options, w.operands, w.count) == 0 ? CLI_DONE : CLI_FAILED;
    free(server);
    return status;
}
