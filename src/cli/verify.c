/* SPDX-License-Identifier: MIT */
#include "verify/verify.h"

#include <unistd.h>

#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/options.h"

/* What was asked for. */
struct request {
    struct verify_options verify;
    struct cli_options options;
    struct config config;
};

static int parse(struct request *r, struct cli_words *w)
{
    int option;
    while ((option = cli_next(w)) > 0) {
        int taken = cli_options_take(&r->options, w, option);
        if (taken < 0)
            return CLI_USAGE;
        if (taken > 0)
            continue;
        if (option == 'j')
            r->verify.json = true;
        else if (option == 'd')
            r->verify.deep = true;
        else if (option == 'g')
            r->verify.allow_gaps = true;
        else if (option == 'r')
            r->verify.run = w->value;
        else if (option == 'a')
            r->verify.against = w->value;
        else if (cli_options_take_server(&r->options, w) != 0)
            return CLI_USAGE;
    }
    return option == CLI_STOP ? w->status : CLI_GO_ON;
}

static void say(const struct err *err)
{
    (void)cli_fail(err);
}

static int confine(const struct request *r, const struct cli_words *w, struct err *err)
{
    char *const both[] = {w->operands[0], (char *)r->verify.against};
    return r->verify.against != NULL
               ? confine_reading(both, 2, r->verify.server, err)
               : confine_reading(w->operands, w->count, r->verify.server, err);
}

int cli_verify(int argc, char **argv)
{
    struct request r = {.verify = {.failed = say, .progress = isatty(STDERR_FILENO) == 1}};
    struct err err = {0};
    struct cli_words w = cli_words(argc, argv);
    bool given = false;
    config_init(&r.config);
    int status = parse(&r, &w);
    if (status == CLI_GO_ON && cli_options_reach_server(&r.options, &r.config, &given, &err) != 0)
        status = cli_fail(&err);
    if (status == CLI_GO_ON && given && r.verify.run != NULL)
        status = cli_usage("verify", "--run asks no server");
    if (status == CLI_GO_ON && r.verify.against != NULL && (w.count != 1 || r.verify.run != NULL))
        status = cli_usage("verify", "--against takes one table to verify, and all of it");
    if (given)
        r.verify.server = &r.config;
    if (status == CLI_GO_ON && confine(&r, &w, &err) != 0)
        status = cli_fail(&err);
    if (status == CLI_GO_ON)
        status = verify_paths(&r.verify, w.operands, w.count) == 0 ? CLI_DONE : CLI_FAILED;
    cli_options_free(&r.options);
    config_free(&r.config);
    return status;
}
