/* SPDX-License-Identifier: MIT */
#include "pipeline/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/secret.h"
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
    const char *closed; /* see closed_file: what connections take has to wait then */
};

/* A file that the sandbox, as it came up, keeps from us. */
static bool is_closed(const char *file)
{
    if (file[0] == '\0')
        return false;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == EACCES && sandbox_is_why(file, SANDBOX_READ);
    (void)close(fd); /* it was only tried */
    return false;
}

/* The first such file that a connection would have to read; NULL if there is none. */
static const char *closed_file(const struct config *fresh)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->type != CONFIG_PATH || config_key_list(key) != NULL ||
            key->change != CONFIG_CHANGE_NEXT_CONNECTION)
            continue;
        const char *file = *(const char *const *)((const char *)fresh + key->offset);
        if (is_closed(file))
            return file;
    }
    return NULL;
}

static const char *effect_of(const struct differences *d, enum config_change change)
{
    switch (change) {
    case CONFIG_CHANGE_NOW:
        return "now";
    case CONFIG_CHANGE_IF_IT_FITS:
        return batching_fits(d->p, d->fresh) ? "now" : NULL;
    case CONFIG_CHANGE_NEXT_CONNECTION:
        return d->closed == NULL ? "from the next connection on" : NULL;
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

static void apply(struct pipeline *p, const struct differences *d)
{
    const struct config *fresh = d->fresh;
    log_configure(fresh->settings.log_level, fresh->settings.log_format);
    if (batching_fits(p, fresh)) {
        p->epochs.limits.rows = fresh->batching.max_rows;
        p->epochs.limits.bytes = fresh->batching.max_bytes;
        p->epochs.limits.age = fresh->batching.max_age;
    }
    flow_set_limit(p, fresh->memory_limit);
    if (d->closed == NULL)
        connection_set_credentials(&p->connection, &fresh->nats);
    else
        log_message(LOG_WARNING, "sandbox",
                    "%s lies in a folder that was not named at the start, and the sandbox can't be "
                    "widened: connections keep what they had until varve is started again",
                    d->closed);
}

/* What was taken over before. */
static void forget(struct pipeline *p)
{
    if (p->reloaded == NULL)
        return;
    config_free(p->reloaded);
    free(p->reloaded);
    p->reloaded = NULL;
}

/*
 * A configuration while it is read, and then the files that are looked at when it is taken over.
 * Where they lie on a network that hangs, so does who reads them.
 */
struct reload_reading {
    int (*read)(void *context, struct config *fresh, struct err *err);
    void *context;
    bool failed;
    struct config fresh;
    const char *closed; /* see closed_file */
    struct secret_files files;
    struct err err;
};

static void reading_free(void *context)
{
    struct reload_reading *r = context;
    config_free(&r->fresh);
    secret_files_free(&r->files);
    free(r);
}

static void read_all(void *context)
{
    struct reload_reading *r = context;
    r->failed = r->read == NULL || r->read(r->context, &r->fresh, &r->err) != 0;
    if (r->failed)
        return;
    r->closed = closed_file(&r->fresh);
    secure_files(&r->fresh.nats.tls, r->fresh.nats.tls.enabled, &r->files);
    secret_files_read(&r->files);
}

bool reload_begin(struct pipeline *p)
{
    if (p->reading != NULL)
        return false;
    struct reload_reading *r = calloc(1, sizeof(*r));
    if (r == NULL)
        out_of_memory(sizeof(*r));
    r->read = p->options.reload;
    r->context = p->options.context;
    config_init(&r->fresh);
    guard_files(&p->watch.guard, &r->files);
    p->reading = r;
    p->errand = errand_begin(&(struct errand_job){read_all, reading_free, r}, !p->options.stepped,
                             p->waker);
    return true;
}

static void take(struct pipeline *p, struct reload_reading *r)
{
    if (r->failed) {
        log_message(LOG_ERROR, "reload_failed", "%s", r->err.text);
        return;
    }
    struct config *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL)
        out_of_memory(sizeof(*fresh));
    *fresh = r->fresh;
    config_init(&r->fresh);
    secret_read_from(&r->files);
    watch_reload(&p->watch);
    /* Told apart from what is in force, which may be of an earlier reload. */
    struct differences d = {p, fresh, r->closed};
    config_compare(p->reloaded != NULL ? p->reloaded : p->config, fresh, tell, &d);
    apply(p, &d);
    secret_read_from(NULL);
    followers_reload(&p->followers);
    forget(p); /* nobody points into it: what is in force was copied */
    p->reloaded = fresh;
}

void reload_take(struct pipeline *p)
{
    if (p->errand == NULL || !errand_is_done(p->errand))
        return;
    take(p, p->reading);
    errand_free(p->errand);
    p->errand = NULL;
    p->reading = NULL;
}

void reload_free(struct pipeline *p)
{
    errand_free(p->errand);
    p->errand = NULL;
    p->reading = NULL;
    forget(p);
}
