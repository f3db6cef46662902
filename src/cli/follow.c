/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/options.h"
#include "follow/follower.h"
#include "follow/kinds.h"
#include "net/network.h"
#include "pipeline/stop.h"

struct following {
    struct cli_options options;
    const char *name;
    bool once, forget;
};

static int parse(struct following *f, struct cli_words *w)
{
    int option;
    while ((option = cli_next(w)) > 0) {
        int taken = cli_options_take(&f->options, w, option);
        if (taken < 0)
            return CLI_USAGE;
        f->once = f->once || option == 'o';
        f->forget = f->forget || option == 'f';
    }
    if (option == CLI_STOP)
        return w->status;
    if (w->count != 1)
        return cli_usage("follow", "name one follower of the configuration");
    f->name = w->operands[0];
    return CLI_GO_ON;
}

static const struct config_follower *find(const struct config *config, const char *name,
                                          struct err *err)
{
    for (size_t i = 0; i < config->follower_count; i++)
        if (strcmp(config->followers[i].name, name) == 0)
            return &config->followers[i];
    (void)err_set(err, ERR_USAGE, "no follower of the configuration is called %s", name);
    return NULL;
}

/* Until it ends by itself, or a signal comes. */
static int wait_for(struct follower *f, const struct waker *waker, bool once, struct err *err)
{
    struct follower_state state;
    for (;;) {
        struct net_wait wait = {.handle = waker->handle, .want = NET_READABLE};
        follower_look(f, &state);
        if (state.done || stop_take().stop)
            break;
        net_wait(&wait, 1, INT64_MAX);
        net_calm(waker);
    }
    follower_look(f, &state);
    if (once && state.failing)
        return err_set(err, ERR_SYSTEM, "%s", state.failure);
    if (once && !state.done)
        return err_set(err, ERR_REFUSED, "ended before it had all rows");
    if (once)
        (void)printf("%" PRIu64 " rows, %" PRIu64 " of them without a payload that fits\n",
                     state.rows, state.refused);
    return 0;
}

static int follow(const struct following *how, const struct config *config,
                  const struct config_follower *settings, struct err *err)
{
    struct waker waker = {.handle = -1};
    struct follow_target *target = follow_target_new(config, settings, err);
    if (target == NULL)
        return -1;
    if (net_waker(&waker, err) != 0) {
        target->operations->free(target);
        return -1;
    }
    const struct follower_options options = {.root = config->output.log_output_directory,
                                             .name = settings->name,
                                             .once = how->once,
                                             .waker = waker};
    struct follower *f = follower_new(&options, target);
    stop_wakes(&waker);
    int result = follower_start(f, err);
    if (result == 0)
        result = wait_for(f, &waker, how->once, err);
    stop_wakes(NULL);
    follower_free(f, false);
    net_close(&waker.handle);
    return result;
}

/* Of any name: it may not be in the configuration any more. */
static int forget(const struct config *config, const char *name, struct err *err)
{
    const struct follower_options options = {.root = config->output.log_output_directory,
                                             .name = name};
    struct follower *f = follower_new(&options, NULL);
    int result = follower_forget(f, err);
    follower_free(f, false);
    return result;
}

static int run(struct following *how, struct err *err)
{
    struct config config;
    const struct config_follower *settings = NULL;
    config_init(&config);
    int result = cli_options_read(&how->options, &config, err);
    log_configure(config.settings.log_level, config.settings.log_format);
    if (result == 0 && !how->forget && (settings = find(&config, how->name, err)) == NULL)
        result = -1;
    if (result == 0)
        result = stop_install(err);
    if (result == 0)
        result = confine_following(&config, settings, err);
    if (result == 0)
        result =
            how->forget ? forget(&config, how->name, err) : follow(how, &config, settings, err);
    config_free(&config);
    return result;
}

int cli_follow(int argc, char **argv)
{
    struct following how = {0};
    struct cli_words w = cli_words(argc, argv);
    struct err err = {0};
    int status = parse(&how, &w);
    if (status == CLI_GO_ON)
        status = run(&how, &err) == 0 ? CLI_DONE : cli_fail(&err);
    cli_options_free(&how.options);
    return status;
}
