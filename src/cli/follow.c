/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/confine.h"
#include "cli/options.h"
#include "follow/archive.h"
#include "follow/follower.h"
#include "follow/items.h"
#include "follow/kinds.h"
#include "follow/quality.h"
#include "follow/rebuild.h"
#include "follow/table.h"
#include "follow/timeseries.h"
#include "net/network.h"
#include "object/open.h"
#include "pipeline/stop.h"

struct following {
    struct cli_options options;
    const char *name;
    bool once, forget, restart;
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
        f->restart = f->restart || option == 'r';
    }
    if (option == CLI_STOP)
        return w->status;
    if (w->count != 1)
        return cli_usage("follow", "name one follower of the configuration");
    if (f->forget && f->restart)
        return cli_usage("follow", "--forget and --restart exclude each other");
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
        struct stop_request asked = stop_take();
        if (state.done || asked.stop)
            break;
        if (asked.reload)
            follower_reload(f);
        net_wait(&wait, 1, INT64_MAX);
        net_calm(waker);
    }
    follower_look(f, &state);
    if (once && state.failing)
        return err_set(err, ERR_SYSTEM, "%s", state.failure);
    if (once && !state.done)
        return err_set(err, ERR_REFUSED, "ended before it had all rows");
    if (once)
        (void)printf("%" PRIu64 " rows, %" PRIu64
                     " of them refused, or without a payload that fits\n",
                     state.rows, state.refused);
    return 0;
}

/* Where there is no store yet, or it can't be read, the follower waits for it, and says so. */
static void note_items(struct follower *f, const struct config *config,
                       const struct config_follower *settings)
{
    struct buf items = {0};
    struct err ignored = {0};
    follow_items(&items, config, settings);
    (void)!follower_register(f, buf_slice(&items), &ignored);
    buf_free(&items);
}

/* `name`: of the position, in place of the follower's own. `anew`: NULL, or where tables that are
 * made anew in a bucket are noted. */
static int follow(const struct following *how, const struct config *config,
                  const struct config_follower *settings, const char *name,
                  struct follow_anew *anew, struct err *err)
{
    struct waker waker = {.handle = -1};
    struct follow_target *target = follow_target_new(config, settings, err);
    if (target == NULL)
        return -1;
    if (anew != NULL)
        follow_table_anew(target, anew);
    if (how->restart && settings->kind == CONFIG_KIND_ARCHIVE)
        follow_archive_anew(target);
    if (net_waker(&waker, err) != 0) {
        follow_target_free(target);
        return -1;
    }
    struct follow_settings made_by = {config, settings};
    const struct follower_options options = {.root = config->output.log_output_directory,
                                             .name = name,
                                             .once = how->once,
                                             .waker = waker,
                                             .renew = follow_target_renew,
                                             .context = &made_by};
    struct follower *f = follower_new(&options, target);
    stop_wakes(&waker);
    if (name == settings->name)
        note_items(f, config, settings);
    int result = follower_start(f, err);
    if (result == 0)
        result = wait_for(f, &waker, how->once, err);
    stop_wakes(NULL);
    follower_free(f);
    net_close(&waker.handle);
    return result;
}

/* From the first row on. Its position goes first: a state of kind quality without one is what a
 * crash may leave, and the other way round it would have to be refused. */
static int begin_anew(const struct config *config, const struct config_follower *settings,
                      struct err *err)
{
    const struct follower_options options = {.root = config->output.log_output_directory,
                                             .name = settings->name};
    struct follower *held = follower_new(&options, NULL);
    int result = follower_hold(held, err);
    if (result == 0)
        result = follower_forget(held, err);
    if (result == 0 && settings->kind == CONFIG_KIND_QUALITY)
        result = follow_quality_restart(config, settings, err);
    follower_free(held);
    return result;
}

static int rebuild_folders(const struct following *how, const struct config *config,
                           const struct config_follower *settings, const char *name,
                           struct err *err)
{
    struct config_follower fresh = *settings;
    char *beside = follow_rebuild_begin(settings->target, err);
    if (beside == NULL)
        return -1;
    fresh.target = beside;
    int result = follow(how, config, &fresh, name, NULL, err);
    if (result == 0)
        result = follow_rebuild_end(settings->target, beside, err);
    free(beside);
    return result;
}

static int rebuild_objects(const struct following *how, const struct config *config,
                           const struct config_follower *settings, const char *name,
                           struct err *err)
{
    struct follow_anew anew = {.follower = settings->name,
                               .keep = config->compaction.keep_replaced};
    int result = follow(how, config, settings, name, &anew, err);
    if (result == 0)
        result = follow_anew_end(&anew, err);
    follow_anew_free(&anew);
    return result;
}

/* Until the new tables are there the old ones, and the position, stay what they are. The new
 * ones say in their own transactions what they have, so that no moment is a wrong one to end. */
static int rebuild_tables(const struct following *how, const struct config *config,
                          const struct config_follower *settings, struct err *err)
{
    const char *root = config->output.log_output_directory;
    struct following once = *how;
    struct buf name = {0};
    buf_printf(&name, "%s+restart", settings->name); /* no follower can be called so */
    const struct follower_options options = {.root = root, .name = settings->name};
    const struct follower_options other = {.root = root, .name = buf_text(&name)};
    struct follower *held = follower_new(&options, NULL), *unfinished = follower_new(&other, NULL);
    int result = -1;
    once.once = true;
    if (follower_hold(held, err) == 0 && follower_forget(unfinished, err) == 0)
        result = object_is_url(settings->target)
                     ? rebuild_objects(&once, config, settings, other.name, err)
                     : rebuild_folders(&once, config, settings, other.name, err);
    if (result == 0)
        result = follower_take_over(held, other.name, err);
    follower_free(unfinished);
    follower_free(held);
    buf_free(&name);
    return result;
}

static int restart(const struct following *how, const struct config *config,
                   const struct config_follower *settings, struct err *err)
{
    switch (settings->kind) {
    case CONFIG_KIND_TABLE:
        return rebuild_tables(how, config, settings, err);
    case CONFIG_KIND_TIMESERIES:
        if (follow_timeseries_same(config, settings, err) != 0)
            return -1;
        return begin_anew(config, settings, err);
    case CONFIG_KIND_QUALITY:
        return begin_anew(config, settings, err);
    case CONFIG_KIND_ARCHIVE: /* while it follows, without a moment in which it has less */
        return 0;
    case CONFIG_KIND_NATS:
        return err_set(err, ERR_USAGE,
                       "--restart would publish each event once more: if that is wanted, varve "
                       "replay %s does it, or a follower of another name",
                       config->output.log_output_directory);
    }
    return 0;
}

static int bring(const struct following *how, const struct config *config,
                 const struct config_follower *settings, struct err *err)
{
    if (how->restart && restart(how, config, settings, err) != 0)
        return -1;
    bool done = how->restart && how->once && settings->kind == CONFIG_KIND_TABLE;
    return done ? 0 : follow(how, config, settings, settings->name, NULL, err);
}

/* Of any name: it may not be in the configuration any more. */
static int forget(const struct config *config, const char *name, struct err *err)
{
    const struct follower_options options = {.root = config->output.log_output_directory,
                                             .name = name};
    struct follower *f = follower_new(&options, NULL);
    int result = follower_forget(f, err);
    follower_free(f);
    return result;
}

static int run(struct following *how, struct err *err)
{
    struct config config;
    const struct config_follower *settings = NULL;
    config_init(&config);
    int result = cli_options_read(&how->options, &config, err);
    cli_reach(&config);
    log_configure(config.settings.log_level, config.settings.log_format);
    if (result == 0 && !how->forget && (settings = find(&config, how->name, err)) == NULL)
        result = -1;
    if (result == 0)
        result = stop_install(err);
    if (result == 0)
        result = confine_following(&config, settings, err);
    if (result == 0)
        result = how->forget ? forget(&config, how->name, err) : bring(how, &config, settings, err);
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
