/* SPDX-License-Identifier: MIT */
#include "follow/typed_keep.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "base/version.h"
#include "delta/log.h"
#include "delta/properties.h"
#include "event/event.h"
#include "follow/anew.h"
#include "object/open.h"

/* What was left behind is no danger to anybody: it costs room. */
#define TIDY_EVERY (24 * 3600 * CLOCK_SECOND)

static int tidy(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                struct err *err)
{
    (void)state;
    next->at = turn->now + TIDY_EVERY;
    return follow_anew_tidy(turn->store, clock_wall(), err);
}

void typed_keep_begin(struct typed_keep *k, const struct typed_keeping *how, const char *root,
                      const struct schema *schema, const struct delta_snapshot *table)
{
    const struct config *c = how->config;
    const struct schema *columns = schema != NULL ? schema : &event_schema;
    const struct keeper_options keeping = {
        .root = root, .version = table->version, .stop = how->stop};
    const struct compact_options compaction = {.version = varve_version,
                                               .schema = columns,
                                               .any_columns = schema == NULL,
                                               .after = c->compaction.after,
                                               .target_bytes = c->compaction.target_bytes,
                                               .level = (int)c->compaction.compression_level,
                                               .keep = c->compaction.keep_replaced,
                                               .account = how->account};
    const struct retain_options retention = {
        .version = varve_version,
        .schema = columns,
        .columns = {.time = event_schema.columns[EVENT_COLUMN_TIMESTAMP_NS].name,
                    .arrival = event_schema.columns[EVENT_COLUMN_STREAM_TIME].name,
                    .ahead_max = EVENT_AHEAD_MAX},
        .max_age = c->retention.max_age,
        .max_bytes = c->retention.max_bytes,
    };
    atomic_store(&k->compacted.live, COMPACT_UNKNOWN);
    k->keeper = keeper_new(&keeping);
    keeper_add_log_jobs(k->keeper, delta_checkpoint_interval(&table->metadata));
    if (object_is_url(root))
        keeper_add(k->keeper, &(struct keeper_job){.name = "what is left of --restart",
                                                   .work = tidy,
                                                   .due = {.at = KEEPER_AT_ONCE}});
    if (c->compaction.interval > 0)
        keeper_add_compaction(k->keeper, &compaction, c->compaction.interval, &k->compacted);
    if (retention.max_age > 0 || retention.max_bytes > 0)
        keeper_add_retention(k->keeper, &retention, &k->retained);
}

void typed_keep_step(struct typed_keep *k)
{
    if (k->keeper != NULL)
        (void)keeper_step(k->keeper, clock_monotonic());
}

void typed_keep_end(struct typed_keep *k)
{
    keeper_free(k->keeper);
    k->keeper = NULL;
}

static void add_idle(typed_idle_list *list, const struct typed_keeping *how, char *root)
{
    struct object_config place = {.root = root, .entries = DELTA_LOG_FOLDER};
    struct delta_snapshot table = {0};
    struct typed_idle *idle = NULL;
    struct err none = {0};
    struct object_store *store = object_open(&place, &none);
    if (store != NULL && delta_snapshot_load(&table, store, &none) == 0 && table.found) {
        idle = calloc(1, sizeof(*idle));
        if (idle == NULL)
            out_of_memory(sizeof(*idle));
        idle->root = root;
        typed_keep_begin(&idle->keep, how, root, NULL, &table);
        *array_add(list) = idle;
    }
    if (idle == NULL)
        free(root);
    delta_snapshot_free(&table);
    object_store_close(store);
}

/* The folder in which the first object lies. */
static bool note_folder(void *context, struct slice name)
{
    const uint8_t *slash = memchr(name.data, '/', name.len);
    buf_reset(context);
    if (slash == NULL)
        buf_append_slice(context, name);
    else
        buf_append(context, name.data, (size_t)(slash - name.data) + 1);
    return false;
}

void typed_idle_find(typed_idle_list *list, const struct typed_keeping *how, const char *target)
{
    struct object_config place = {.root = target, .entries = DELTA_LOG_FOLDER};
    struct buf found = {0}, after = {0};
    struct err none = {0};
    struct object_store *store = object_open(&place, &none);
    while (store != NULL && !atomic_load(how->stop)) {
        buf_reset(&found);
        if (object_list(store, "", buf_text(&after), note_folder, &found, &none) != 0 ||
            found.len == 0)
            break;
        buf_reset(&after);
        buf_append_slice(&after, buf_slice(&found));
        if (found.data[found.len - 1] != '/')
            continue;                        /* no folder */
        after.data[after.len - 1] = '/' + 1; /* behind all that is in it */
        if (found.data[0] == '.')
            continue; /* one that is being made anew */
        struct buf root = {0};
        buf_printf(&root, "%s/%.*s", target, (int)found.len - 1, (const char *)found.data);
        add_idle(list, how, text_copy_slice(buf_slice(&root)));
        buf_free(&root);
    }
    buf_free(&found);
    buf_free(&after);
    object_store_close(store);
}

static void free_idle(struct typed_idle *idle)
{
    typed_keep_end(&idle->keep);
    free(idle->root);
    free(idle);
}

void typed_idle_forget(typed_idle_list *list, const char *root)
{
    for (size_t i = list->count; i-- > 0;) {
        if (strcmp(list->list[i]->root, root) != 0)
            continue;
        free_idle(list->list[i]);
        list->list[i] = list->list[--list->count];
    }
}

void typed_idle_free(typed_idle_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free_idle(list->list[i]);
    array_free(list);
}
