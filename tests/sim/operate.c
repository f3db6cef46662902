/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "world.h"

/* What operators do to a store, a stream and a consumer. */

#define SAVED "/saved"

/* One that has the name of the first, and other messages under the same numbers. */
static void make_again(struct world *w, const struct instance *i)
{
    world_ask(w, "STREAM.DELETE", i->stream, NULL, "");
    oracle_made_again(w->oracle, i->stream, 0);
    world_make_stream(w, i);
}

static bool is_kept(const struct world *w)
{
    return strcmp(w->plan.retention, "limits") == 0;
}

static void bury_all(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        world_bury(w, &w->list[i]);
}

static void save(struct world *w)
{
    disk_remove_tree(w->disk, SAVED);
    disk_copy_tree(w->disk, ROOT, SAVED);
    w->saved = true;
}

/* In place of what is there comes an older one, or nothing. */
static void replace(struct world *w, bool restore)
{
    bury_all(w);
    disk_remove_tree(w->disk, ROOT);
    if (restore)
        disk_copy_tree(w->disk, SAVED, ROOT);
    oracle_replaced(w->oracle, is_kept(w));
}

/* Two consumers of a work queue may not want the same. */
static void rename_consumer(struct world *w, struct instance *i)
{
    world_bury(w, i);
    if (!is_kept(w))
        world_ask(w, "CONSUMER.DELETE", i->stream, i->consumer, "");
    if (strcmp(w->plan.retention, "interest") == 0)
        oracle_excuse(w->oracle, i->stream, 0, UINT64_MAX);
    i->consumer = strcmp(i->consumer, "varve") == 0 ? "another" : "varve";
    config_free(&i->config);
    world_configure(w, i);
}

void world_operate(struct world *w, struct instance *i, const struct plan_step *step)
{
    switch ((int)step->kind) {
    case PLAN_STREAM_MADE_AGAIN:
        make_again(w, i);
        break;
    case PLAN_DIRECTORY_SAVED:
        save(w);
        break;
    case PLAN_DIRECTORY_RESTORED:
        if (w->saved)
            replace(w, true);
        break;
    case PLAN_DIRECTORY_DELETED:
        replace(w, false);
        break;
    case PLAN_CONSUMER_RENAMED:
        rename_consumer(w, i);
        break;
    default:
        break;
    }
}
