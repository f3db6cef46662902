/* SPDX-License-Identifier: MIT */
#include "pipeline/followers.h"

#include "follow/kinds.h"

int followers_register(struct followers *f, const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->follower_count; i++) {
        struct follow_target *target = follow_target_new(config, &config->followers[i], err);
        if (target == NULL)
            return -1;
        const struct follower_options options = {.root = config->output.log_output_directory,
                                                 .name = config->followers[i].name};
        f->list[f->count++] = follower_new(&options, target);
        if (follower_register(f->list[i], err) != 0)
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

void followers_note(struct followers *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        follower_note(f->list[i]);
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

void followers_free(struct followers *f, bool finish)
{
    for (uint32_t i = 0; i < f->count; i++)
        follower_free(f->list[i], finish);
    *f = (struct followers){0};
}
