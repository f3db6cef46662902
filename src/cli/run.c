/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/cli.h"
#include "base/clock.h"
#include "cli/confine.h"
#include "cli/options.h"
#include "pipeline/pipeline.h"
#include "pipeline/stop.h"

static int parse(int argc, char **argv, struct cli_options *options, bool *once)
{
    struct cli_words w = cli_words(argc, argv);
    int option;
    while ((option = cli_next(&w)) > 0) {
        int taken = cli_options_take(options, &w, option);
        if (taken < 0)
            return CLI_USAGE;
        if (taken == 0)
            *once = true;
    }
    return option == CLI_STOP ? w.status : CLI_GO_ON;
}

/* For the last lines of the log; who has not read them by then does not read. */
#define LOG_PATIENCE CLOCK_SECOND

/* Between starting over and being able to: whoever removed the directory may be at it still. A
 * start that fails is the user's to look at, but not when it goes on with a run. */
#define REOPEN_PAUSE (CLOCK_SECOND / 4)

/* False if a signal asks to stop. */
static bool wait_to_reopen(void)
{
    net_wait(NULL, 0, clock_monotonic() + REOPEN_PAUSE);
    return !stop_take().stop;
}

/* Until a signal asks to stop or, with --once, until the end; or, *again, until all has to be begun
 * anew. */
static int drain(const struct config *config, const struct pipeline_options *options, bool has_run,
                 bool *again, struct err *err)
{
    *again = false;
    struct pipeline *p = pipeline_new(config, options, err);
    if (p == NULL) {
        *again = has_run && err->code == ERR_SYSTEM && wait_to_reopen();
        return -1;
    }
    stop_wakes(&p->waker);
    int64_t deadline = pipeline_turn(p);
    for (; !pipeline_is_done(p); deadline = pipeline_turn(p)) {
        size_t count = pipeline_waits(p);
        net_wait(p->waits, count, deadline);
        struct stop_request asked = stop_take();
        if (asked.reload)
            pipeline_reload(p);
        if (asked.stop)
            pipeline_stop(p);
    }
    stop_wakes(NULL);
    *again = pipeline_must_start_over(p);
    return pipeline_free(p, err);
}

/* What was changed by SIGHUP since the start holds after starting over, too. */
static void read_again(struct cli_options *options, struct config *config)
{
    struct config fresh;
    struct err err = {0}; /* told when it was read at first */
    config_init(&fresh);
    if (cli_options_read(options, &fresh, &err) != 0) {
        config_free(&fresh);
        return;
    }
    config_free(config);
    *config = fresh;
}

/* Once the configuration is known: confine the process while it is one thread, which the log's is
 * the first to follow. */
static int begin(struct cli_options *options, struct config *config, struct err *err)
{
    struct confinement confinement = {0};
    if (cli_options_read(options, config, err) != 0)
        return -1;
    log_configure(config->settings.log_level, config->settings.log_format);
    int result = stop_install(err);
    if (result == 0)
        result = confine_run(config, cli_options_file(options), &confinement, err);
    if (result == 0)
        result = log_start(err);
    if (result == 0)
        confine_log(config, &confinement);
    if (result == 0 && config->beside[0] != '\0')
        log_message(LOG_WARNING, "configuration",
                    "%s stands beside logging_layer, and is not read: varve's keys go below it",
                    config->beside);
    confinement_free(&confinement);
    return result;
}

static int run(struct cli_options *options, bool once)
{
    struct config config;
    struct err err = {0};
    config_init(&config);
    int result = begin(options, &config, &err);
    struct pipeline_options how = {.once = once, .reload = cli_options_read, .context = options};
    bool again = result == 0, has_run = false;
    while (again) {
        result = drain(&config, &how, has_run, &again, &err);
        if (!again)
            break;
        has_run = true;
        log_message(LOG_WARNING, "starting_over", "%s", err.text);
        err_clear(&err);
        read_again(options, &config);
    }
    config_free(&config);
    bool is_read = log_stop(LOG_PATIENCE);
    if (result == 0)
        return CLI_DONE;
    return is_read ? cli_fail(&err) : cli_status_of(&err);
}

int cli_run(int argc, char **argv)
{
    struct cli_options options = {0};
    bool once = false;
    int status = parse(argc, argv, &options, &once);
    if (status == CLI_GO_ON)
        status = run(&options, once);
    cli_options_free(&options);
    return status;
}
