/* SPDX-License-Identifier: MIT */
#include "verify/verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/options.h"

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

/* What was asked for. */
struct request {
    struct verify_options verify;
    struct cli_options options;
    char *url; /* of --server; NULL: not given */
    bool configured;
    struct config config;
};

static int parse(struct request *r, struct cli_words *w)
{
    int option;
    while ((option = cli_next(w)) > 0) {
        int taken = cli_options_take(&r->options, w, option);
        if (taken < 0)
            return CLI_USAGE;
        r->configured = r->configured || taken > 0;
        if (taken > 0)
            continue;
        if (option == 'j')
            r->verify.json = true;
        else if (option == 'g')
            r->verify.allow_gaps = true;
        else if (option == 'r')
            r->verify.run = w->value;
        else if (r->url == NULL)
            r->url = take_url(w->value);
        else
            return cli_usage("verify", "--server is given twice");
    }
    if (option != CLI_STOP && r->verify.run != NULL && (r->url != NULL || r->configured))
        return cli_usage("verify", "--run asks no server");
    return option == CLI_STOP ? w->status : CLI_GO_ON;
}

/* How the server is reached: as the URL says, with all that the configuration has, if one is given.
 * Alone it is no reason to read one. */
static int configure(struct request *r, struct err *err)
{
    struct buf assignment = {0};
    int result = 0;
    if (r->url == NULL && !r->configured)
        return 0;
    r->verify.server = &r->config;
    if (r->url != NULL)
        buf_printf(&assignment, "nats.servers=%s", r->url);
    if (r->configured) {
        if (r->url != NULL)
            *array_add(&r->options.sets) = text_copy(buf_text(&assignment));
        result = cli_options_read(&r->options, &r->config, err);
        cli_reach(&r->config);
    } else if (config_set(&r->config, buf_text(&assignment), err) != 0 ||
               config_finish(&r->config, err) != 0) {
        result = err_prefix(err, "--server");
    }
    secret_free(&assignment);
    return result;
}

static void say(const struct err *err)
{
    (void)cli_fail(err);
}

int cli_verify(int argc, char **argv)
{
    struct request r = {.verify = {.failed = say, .progress = isatty(STDERR_FILENO) == 1}};
    struct err err = {0};
    struct cli_words w = cli_words(argc, argv);
    config_init(&r.config);
    int status = parse(&r, &w);
    if (status == CLI_GO_ON && (configure(&r, &err) != 0 ||
                                confine_reading(w.operands, w.count, r.verify.server, &err) != 0))
        status = cli_fail(&err);
    if (status == CLI_GO_ON)
        status = verify_paths(&r.verify, w.operands, w.count) == 0 ? CLI_DONE : CLI_FAILED;
    free(r.url);
    cli_options_free(&r.options);
    config_free(&r.config);
    return status;
}
