/* SPDX-License-Identifier: MIT */
#include "pipeline/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "config/keys.h"
#include "pipeline/flow.h"

/* The consumers were made for the limits of the start: what they can't hold needs other ones. */
static bool batching_fits(const struct pipeline *p, const struct config *fresh)
{
    return config_ack_wait(fresh) <= config_ack_wait(p->config) &&
           config_max_ack_pending(fresh) <= config_max_ack_pending(p->config);
}

struct differences {
    const struct pipeline *p;
    const struct config *fresh;
};

static const char *effect_of(const struct differences *d, enum config_change change)
{
    switch (change) {
    case CONFIG_CHANGE_NOW:
        return "now";
    case CONFIG_CHANGE_IF_IT_FITS:
        return batching_fits(d->p, d->fresh) ? "now" : NULL;
    case CONFIG_CHANGE_NEXT_CONNECTION:
        return "from the next connection on";
    case CONFIG_CHANGE_RESTART:
        return NULL;
    }
    return NULL;
}

struct search {
    const char *path;
    bool found;
};

static void look_for(void *context, const char *path, enum config_change change)
{
    struct search *s = context;
    (void)change;
    s->found = s->found || strcmp(s->path, path) == 0;
}

/* A key that takes a restart, and is set to what it was at the start, again. */
static bool is_back(const struct differences *d, const char *path, enum config_change change)
{
    struct search s = {.path = path};
    config_compare(d->p->config, d->fresh, look_for, &s);
    return change == CONFIG_CHANGE_RESTART && !s.found;
}

static void tell(void *context, const char *path, enum config_change change)
{
    const struct differences *d = context;
    const char *effect =
        is_back(d, path, change) ? "none: it is the running value again" : effect_of(d, change);
    struct log_line line;
    log_begin(&line, effect == NULL ? LOG_WARNING : LOG_INFO, "reloaded");
    log_text(&line, "key", path);
    log_text(&line, "effect", effect == NULL ? "needs a restart" : effect);
    log_end(&line);
}

static void apply(struct pipeline *p, const struct config *fresh)
{
    log_configure(fresh->settings.log_level, fresh->settings.log_format);
    if (batching_fits(p, fresh)) {
        p->epochs.limits.rows = fresh->batching.max_rows;
        p->epochs.limits.bytes = fresh->batching.max_bytes;
        p->epochs.limits.age = fresh->batching.max_age;
    }
    flow_set_limit(p, fresh->memory_limit);
    connection_set_credentials(&p->connection, &fresh->nats);
}

void reload_apply(struct pipeline *p)
{
    struct config *fresh = calloc(1, sizeof(*fresh));
    struct err err = {0};
    if (fresh == NULL)
        out_of_memory(sizeof(*fresh));
    config_init(fresh);
    if (p->options.reload == NULL || p->options.reload(p->options.context, fresh, &err) != 0) {
        log_message(LOG_ERROR, "reload_failed", "%s", err.text);
        config_free(fresh);
        free(fresh);
        return;
    }
    /* Told apart from what is in force, which may be of an earlier reload. */
    struct differences d = {p, fresh};
    config_compare(p->reloaded != NULL ? p->reloaded : p->config, fresh, tell, &d);
    apply(p, fresh);
    reload_free(p); /* nobody points into it: what is in force was copied */
    p->reloaded = fresh;
}

void reload_free(struct pipeline *p)
{
    if (p->reloaded == NULL)
        return;
    config_free(p->reloaded);
    free(p->reloaded);
    p->reloaded = NULL;
}
