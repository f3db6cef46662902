/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "delta/log.h"
#include "object/open.h"
#include "store/commit.h"
#include "store/keeper.h"
#include "store/known.h"
#include "store/path.h"
#include "store/recover.h"

static int open_objects(struct store *store, const struct store_config *config, struct err *err)
{
    struct buf name = {0};
    text_escape(&name, slice_of(config->instance));
    struct object_config objects = {.root = config->root,
                                    .entries = DELTA_LOG_FOLDER,
                                    .writer = config->instance,
                                    .writer_name = buf_text(&name),
                                    .system = config->system,
                                    .doubts = config->doubts};
    store->objects = object_open(&objects, err);
    buf_free(&name);
    return store->objects == NULL ? -1 : 0;
}

struct store *store_open(const struct store_config *config, struct err *err)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        out_of_memory(sizeof(*store));
    store->root = text_copy(config->root);
    store->instance = text_copy(config->instance);
    store->engine = text_copy(config->engine);
    store->schema = config->schema;
    store->others.fresh.want_varve = true;
    if (open_objects(store, config, err) != 0 ||
        keeper_settle(store->objects, config->root, &config->system, err) != 0 ||
        store_recover(store, config, err) != 0) {
        (void)err_prefix(err, "%s", config->root);
        store_close(store);
        return NULL;
    }
    store->opened = true;
    return store;
}

void store_keep_subjects(struct store *store, struct slice text)
{
    struct err err = {0};
    if (slice_equal(text, buf_slice(&store->subjects)))
        return;
    buf_reset(&store->subjects);
    buf_append_slice(&store->subjects, text);
    if (store_save(store, &err) != 0)
        log_message(LOG_WARNING, "positions_not_saved", "%s", err.text);
}

void store_close(struct store *store)
{
    struct err err = {0};
    if (store == NULL)
        return;
    /* The next start has less to read; it can do without. And of a table that is another one now,
     * what we know must not be written down as if it had it. */
    if (store->opened && store->table.found && !store->lost && !store->outdated &&
        store->table.version != store->saved_version)
        (void)!store_save(store, &err);
    object_store_close(store->objects);
    store_forget_commit(store);
    positions_free(&store->positions);
    positions_free(&store->current);
    delta_snapshot_free(&store->table);
    store_forget_others(store);
    buf_free(&store->subjects);
    free(store->root);
    free(store->instance);
    free(store->engine);
    free(store);
}

int store_reopen(struct store *store, bool *reopened, struct err *err)
{
    bool lost;
    *reopened = false;
    if (object_reopen(store->objects, &lost, err) != 0) {
        /* Nothing but a new start, or another process, can make it right again. */
        if (err->code == ERR_REFUSED ||
            (err->system == EACCES && sandbox_is_why(store->root, SANDBOX_WRITE)))
            store->outdated = true;
        return -1;
    }
    store->lost = store->lost || lost;
    if (!store->lost)
        return 0;
    store_forget_commit(store);
    if (store_refresh_table(store, err) != 0)
        return err_prefix(err, "%s", store->root);
    store->lost = false;
    *reopened = true;
    return 0;
}

bool store_is_outdated(const struct store *store)
{
    return store->outdated;
}

bool store_is_outrun(const struct store *store)
{
    return store->outrun;
}
