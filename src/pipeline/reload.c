/* SPDX-License-Identifier: MIT */
#include "pipeline/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "config/compare.h"
#include "pipeline/memory.h"

enum change { CHANGE_LOG, CHANGE_BATCHING, CHANGE_MEMORY, CHANGE_CREDENTIALS, CHANGE_RESTART };

/* What it takes to change a key. */
static enum change change_of(const char *path)
{
    static const struct {
        const char *path;
        enum change change;
    } live[] = {
        {"settings.log_level", CHANGE_LOG},     {"settings.log_format", CHANGE_LOG},
        {"batching.max_rows", CHANGE_BATCHING}, {"batching.max_bytes", CHANGE_BATCHING},
        {"batching.max_age", CHANGE_BATCHING},  {"memory_limit", CHANGE_MEMORY},
        {"nats.user", CHANGE_CREDENTIALS},      {"nats.password", CHANGE_CREDENTIALS},
        {"nats.token", CHANGE_CREDENTIALS},
    };
    for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
        if (strcmp(path, live[i].path) == 0)
            return live[i].change;
    return CHANGE_RESTART;
}

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

static void tell(void *context, const char *path)
{
    const struct differences *d = context;
    struct log_line line;
    enum change change = change_of(path);
    bool later =
        change == CHANGE_RESTART || (change == CHANGE_BATCHING && !batching_fits(d->p, d->fresh));
    log_begin(&line, later ? LOG_WARNING : LOG_INFO, "reloaded");
    log_text(&line, "key", path);
    log_text(&line, "effect",
             later                          ? "needs a restart"
             : change == CHANGE_CREDENTIALS ? "from the next connection on"
                                            : "now");
    log_end(&line);
}

static void apply(struct pipeline *p, const struct config *fresh)
{
    log_configure(fresh->settings.log_level, fresh->settings.log_format);
    if (batching_fits(p, fresh)) {
        p->batcher.limits.rows = fresh->batching.max_rows;
        p->batcher.limits.bytes = fresh->batching.max_bytes;
        p->batcher.limits.age = fresh->batching.max_age;
    }
    memory_set_limit(p, fresh->memory_limit);
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
    /* The connection borrows its credentials from it. */
    reload_free(p);
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
