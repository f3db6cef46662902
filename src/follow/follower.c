/* SPDX-License-Identifier: MIT */
#include "follow/follower.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/text.h"
#include "follow/items.h"
#include "follow/kinds.h"
#include "follow/session.h"

enum {
    LOW_PRIORITY = 10, /* whoever drains comes first */
    AGAIN_MAX = 16,    /* attempts, one behind the other */
};

struct follower {
    char *root, *name;
    struct follower_options options;
    struct follow_target *target;
    struct follow_session session; /* of the thread, while there is one */
    atomic_bool stop, finish, reload;

    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool news;
    struct follower_state state;
};

const char *follower_reason_name(enum follower_reason reason)
{
    static const char *const names[FOLLOWER_REASONS] = {
        [FOLLOWER_REASON_STORE] = "store",
        [FOLLOWER_REASON_TARGET] = "target",
        [FOLLOWER_REASON_BUSY] = "busy",
    };
    return names[reason];
}

const char *follower_name(const struct follower *f)
{
    return f->name;
}

static void lock(struct follower *f)
{
    ASSERT(pthread_mutex_lock(&f->lock) == 0);
}

static void unlock(struct follower *f)
{
    ASSERT(pthread_mutex_unlock(&f->lock) == 0);
}

static void tell(void *context)
{
    struct follower *f = context;
    const struct follow_session *s = &f->session;
    lock(f);
    f->state.position = s->position;
    f->state.lag_rows = s->lag_rows;
    f->state.behind_since = s->behind_since;
    f->state.rows = f->target->counts.rows;
    f->state.refused = f->target->counts.refused;
    f->state.removed = f->target->counts.removed;
    f->state.alarms = f->target->counts.alarms;
    f->state.has_quality = f->target->counts.quality != NULL;
    if (f->state.has_quality)
        f->state.quality = *f->target->counts.quality;
    f->state.fed = s->feed.fed;
    f->state.read = s->feed.read;
    f->state.looked = true;
    unlock(f);
}

/* The target is this one from now on. */
static void take_target(struct follower *f, struct follow_target *target)
{
    target->stop = &f->stop;
    account_add(f->options.account, account_bytes(&target->account));
    target->account.parent = f->options.account;
    f->target = f->session.target = target;
}

struct follower *follower_new(const struct follower_options *options, struct follow_target *target)
{
    struct follower *f = calloc(1, sizeof(*f));
    if (f == NULL)
        out_of_memory(sizeof(*f));
    f->root = text_copy(options->root);
    f->name = text_copy(options->name);
    f->options = *options;
    f->session = (struct follow_session){.root = f->root,
                                         .name = f->name,
                                         .stop = &f->stop,
                                         .feed = {options->feed, options->number, 0, 0},
                                         .tell = tell,
                                         .context = f};
    if (target != NULL)
        take_target(f, target);
    ASSERT(pthread_mutex_init(&f->lock, NULL) == 0);
    clock_condition_init(&f->changed);
    return f;
}

/* True if they are others than before. */
static bool note_items(struct follower *f, struct slice items)
{
    struct delta_follower *have = &f->session.have;
    struct buf new = {0};
    if (slice_equal(items, buf_slice(&have->items)))
        return false;
    follow_items_new(&new, have, items);
    if (new.len > 0) {
        struct log_line line;
        log_begin(&line, LOG_WARNING, "follower_begins");
        log_text(&line, "follower", f->name);
        log_text(&line, "text", buf_text(&new));
        log_end(&line);
    }
    buf_free(&new);
    buf_reset(&have->items);
    buf_append_slice(&have->items, items);
    return true;
}

int follower_register(struct follower *f, struct slice items, struct err *err)
{
    struct follow_session *s = &f->session;
    bool found;
    int result = follow_session_load(s, &found, err);
    bool noted = result == 0 && note_items(f, items);
    if (result == 0 && (!found || noted))
        result = follow_session_save(s, err);
    follow_session_close(s);
    if (result != 0 && s->reason == FOLLOWER_REASON_BUSY) {
        err_clear(err); /* whoever runs it has done this */
        return 0;
    }
    return result;
}

int follower_forget(struct follower *f, struct err *err)
{
    struct follow_session *s = &f->session;
    int result = follow_session_open_store(s, err);
    if (result == 0)
        result = delta_follower_remove(s->store, f->name, err);
    follow_session_close(s);
    return result;
}

int follower_hold(struct follower *f, struct err *err)
{
    return follow_session_open_store(&f->session, err);
}

int follower_take_over(struct follower *f, const char *name, struct err *err)
{
    struct follow_session *s = &f->session;
    struct delta_follower other = {0};
    bool found = false;
    int result = follow_session_load(s, &found, err);
    if (result == 0)
        result = delta_follower_read(&other, s->store, name, s->table.metadata.id, &found, err);
    if (result == 0 && found) {
        for (size_t i = 0; i < other.generations.count; i++) {
            const struct delta_followed *g = &other.generations.list[i];
            struct seqset *rows = delta_follower_rows(&s->have, g->stream, g->created, true);
            seqset_reset(rows);
            seqset_add_all(rows, &g->rows);
        }
        buf_reset(&s->have.items); /* what is made anew has all */
        result = follow_session_save(s, err);
    }
    delta_follower_free(&other);
    return result == 0 ? delta_follower_remove(s->store, name, err) : -1;
}

static void note_failure(struct follower *f, const struct err *err, enum follower_reason reason)
{
    struct log_line line;
    lock(f);
    f->state.errors[reason]++;
    f->state.failing = true;
    memcpy(f->state.failure, err->text, sizeof(f->state.failure));
    unlock(f);
    log_begin(&line, LOG_WARNING, "follower_failed");
    log_text(&line, "follower", f->name);
    log_text(&line, "reason", follower_reason_name(reason));
    log_text(&line, "error", err->text);
    log_end(&line);
}

/* Wait for the end, or, unless it fails, for news, at most `ns`. */
static void rest(struct follower *f, int64_t ns)
{
    int64_t until = clock_monotonic() + ns;
    lock(f);
    while (!(f->news && !f->state.failing) && !atomic_load(&f->stop) && !atomic_load(&f->finish) &&
           !atomic_load(&f->reload) && clock_monotonic() < until)
        (void)clock_wait_until(&f->changed, &f->lock, until);
    f->news = false;
    unlock(f);
}

/* Go on with another target, what the old one has done included. */
static void change_target(struct follower *f, struct follow_target *fresh)
{
    struct follow_target *old = f->target;
    follow_session_close(&f->session);
    fresh->counts.rows = old->counts.rows;
    fresh->counts.refused = old->counts.refused;
    fresh->counts.removed = old->counts.removed;
    fresh->counts.alarms = old->counts.alarms;
    lock(f); /* whoever looks at it does not find one that is gone */
    take_target(f, fresh);
    unlock(f);
    follow_target_free(old);
}

static void renew(struct follower *f)
{
    struct follow_target *fresh = NULL;
    struct err err = {0};
    struct log_line line;
    if (!atomic_exchange(&f->reload, false) || f->options.renew == NULL)
        return;
    int result = f->options.renew(f->options.context, f->target, &fresh, &err);
    if (fresh != NULL)
        change_target(f, fresh);
    if (result == 0 && fresh == NULL)
        return;
    log_begin(&line, result == 0 ? LOG_INFO : LOG_ERROR,
              result == 0 ? "follower_reloaded" : "reload_failed");
    log_text(&line, "follower", f->name);
    if (result != 0)
        log_text(&line, "error", err.text);
    log_end(&line);
}

/* Attempts at one round, until it is known how it has ended. */
static int attempt(struct follower *f, struct err *err)
{
    bool news = false;
    for (int i = 0; i < AGAIN_MAX; i++) {
        err_clear(err);
        f->target->again = false;
        if (follow_session_round(&f->session, &news, err) == 0)
            return 0;
        follow_session_close(&f->session);
        if (!f->target->again || atomic_load(&f->stop))
            break;
    }
    return -1;
}

/* One round; returns how long to rest before the next. */
static int64_t step(struct follower *f, int64_t *pause)
{
    struct err err = {0};
    renew(f);
    if (attempt(f, &err) != 0) {
        if (atomic_load(&f->stop))
            return 0;
        note_failure(f, &err, f->session.reason);
        *pause = *pause < FOLLOWER_RETRY_MAX / 2 ? 2 * *pause : FOLLOWER_RETRY_MAX;
        return *pause / 2;
    }
    lock(f);
    f->state.failing = false;
    unlock(f);
    if (f->target->keep != NULL)
        f->target->keep(f->target);
    *pause = FOLLOWER_RETRY_MIN;
    return FOLLOWER_LOOK_EVERY;
}

static void *run(void *argument)
{
    struct follower *f = argument;
    int64_t pause = FOLLOWER_RETRY_MIN;
    bool done = false;
    (void)setpriority(PRIO_PROCESS, 0, LOW_PRIORITY); /* of this thread; it helps, no more */
    while (!atomic_load(&f->stop) && !done) {
        bool last = f->options.once || atomic_load(&f->finish);
        int64_t ns = step(f, &pause);
        done = last; /* also after an error: who asked for one attempt decides about another */
        if (!done)
            rest(f, ns);
    }
    follow_session_close(&f->session);
    lock(f);
    f->state.done = true;
    unlock(f);
    waker_wake(f->options.waker);
    return NULL;
}

int follower_start(struct follower *f, struct err *err)
{
    int error = pthread_create(&f->thread, NULL, run, f);
    if (error != 0)
        return err_set_system(err, error, "the thread of the follower %s can't be started",
                              f->name);
    f->threaded = true;
    return 0;
}

void follower_note(struct follower *f)
{
    lock(f);
    f->news = true;
    ASSERT(pthread_cond_signal(&f->changed) == 0);
    unlock(f);
}

void follower_reload(struct follower *f)
{
    atomic_store(&f->reload, true);
    follower_note(f);
}

void follower_look(struct follower *f, struct follower_state *out)
{
    lock(f);
    *out = f->state;
    out->memory = f->target != NULL ? account_bytes(&f->target->account) : 0;
    unlock(f);
}

void follower_finish(struct follower *f)
{
    atomic_store(&f->finish, true);
    follower_note(f);
}

void follower_free(struct follower *f)
{
    if (f == NULL)
        return;
    atomic_store(&f->stop, true);
    follower_note(f);
    if (f->threaded)
        ASSERT(pthread_join(f->thread, NULL) == 0);
    follow_session_close(&f->session);
    if (f->target != NULL)
        follow_target_free(f->target);
    ASSERT(pthread_cond_destroy(&f->changed) == 0);
    ASSERT(pthread_mutex_destroy(&f->lock) == 0);
    free(f->root);
    free(f->name);
    free(f);
}
