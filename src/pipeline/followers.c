/* SPDX-License-Identifier: MIT */
#include "pipeline/followers.h"

#include "follow/items.h"

int followers_register(struct followers *f, const struct config *config, struct waker waker,
                       struct err *err)
{
    _Static_assert((int)CONFIG_FOLLOWERS_MAX <= (int)FEED_READERS_MAX, "each can be fed");
    f->feed = config->follower_count > 0 ? feed_new() : NULL;
    for (size_t i = 0; i < config->follower_count; i++) {
        struct follow_target *target = follow_target_new(config, &config->followers[i], err);
        if (target == NULL)
            return -1;
        f->settings[i] = (struct follow_settings){config, &config->followers[i]};
        const struct follower_options options = {.root = config->output.log_output_directory,
                                                 .name = config->followers[i].name,
                                                 .waker = waker,
                                                 .feed = f->feed,
                                                 .number = f->count,
                                                 .account = &f->account,
                                                 .renew = follow_target_renew,
                                                 .context = &f->settings[i]};
        f->list[f->count++] = follower_new(&options, target);
        struct buf items = {0};
        follow_items(&items, config, &config->followers[i]);
        int result = follower_register(f->list[i], buf_slice(&items), err);
        buf_free(&items);
        if (result != 0)
            return err_prefix(err, "follower %s", options.name);
    }
    return 0;
}

int followers_start(struct followers *f, struct err *err)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (follower_start(f->list[i], err) != 0)
            return -1;
    return 0;
}

void followers_reload(struct followers *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        follower_reload(f->list[i]);
}

void followers_note(struct followers *f, uint64_t version, struct store_group *group, uint64_t most)
{
    if (f->feed != NULL && group != NULL)
        feed_put(f->feed, version, group, most);
    for (uint32_t i = 0; i < f->count; i++)
        follower_note(f->list[i]);
}

uint64_t followers_fed_bytes(const struct followers *f)
{
    return f->feed != NULL ? feed_bytes(f->feed) : 0;
}

void followers_starve(struct followers *f)
{
    if (f->feed != NULL)
        feed_drop(f->feed);
}

static const char *name_of_reason(uint32_t index)
{
    return follower_reason_name((enum follower_reason)index);
}

static void fill_view(struct view_follower *v, const struct follower_state *state, int64_t max_lag)
{
    int64_t wall = clock_wall();
    _Static_assert((int)FOLLOWER_REASONS <= (int)VIEW_FOLLOWER_REASONS,
                   "the view has room for each");
    v->known = state->looked;
    v->position = state->position;
    v->lag_rows = state->lag_rows;
    v->lag = state->behind_since > 0 && state->behind_since < wall ? wall - state->behind_since : 0;
    v->rows = state->rows;
    v->refused = state->refused;
    v->notes_removed = state->removed;
    v->memory = state->memory;
    v->files_fed = state->fed;
    v->files_read = state->read;
    v->alarms = state->alarms;
    v->quality = state->has_quality ? &state->quality : NULL;
    v->failure = state->failing ? state->failure : NULL;
    v->late = v->lag > max_lag;
    for (int r = 0; r < FOLLOWER_REASONS; r++)
        v->errors[r] = state->errors[r];
}

void followers_look(struct followers *f, const struct config *config, struct view *view)
{
    for (uint32_t i = 0; i < f->count; i++) {
        follower_look(f->list[i], &f->states[i]);
        f->views[i].name = config->followers[i].name;
        f->views[i].kind = follow_kind_name(config->followers[i].kind);
        fill_view(&f->views[i], &f->states[i], config->followers[i].max_lag);
    }
    view->followers = f->views;
    view->follower_count = f->count;
    view->follower_reasons = (struct view_names){name_of_reason, FOLLOWER_REASONS};
}

void followers_finish(struct followers *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        follower_finish(f->list[i]);
}

bool followers_are_done(const struct followers *f)
{
    struct follower_state state;
    bool done = true;
    for (uint32_t i = 0; i < f->count && done; i++) {
        follower_look(f->list[i], &state);
        done = state.done;
    }
    return done;
}

void followers_free(struct followers *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        follower_free(f->list[i]);
    feed_free(f->feed);
    *f = (struct followers){0};
}
