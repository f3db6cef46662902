/* SPDX-License-Identifier: MIT */
#include "pipeline/upkeep.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/version.h"
#include "event/event.h"

static const char *column(enum event_column number)
{
    return event_schema.columns[number].name;
}

struct retain_options upkeep_retention(int64_t max_age, uint64_t max_bytes)
{
    return (struct retain_options){
        .version = varve_version,
        .schema = &event_schema,
        .columns = {.time = column(EVENT_COLUMN_TIMESTAMP_NS),
                    .arrival = column(EVENT_COLUMN_STREAM_TIME),
                    .ahead_max = EVENT_AHEAD_MAX},
        .max_age = max_age,
        .max_bytes = max_bytes,
    };
}

struct compact_options upkeep_compaction(const struct config *config)
{
    struct compact_options options = {
        .version = varve_version,
        .schema = &event_schema,
        .after = COMPACT_AFTER,
        .target_bytes = COMPACT_TARGET_BYTES,
        .level = COMPACT_LEVEL,
    };
    if (config == NULL)
        return options;
    options.after = config->compaction.after;
    options.keep = config->compaction.keep_replaced;
    options.target_bytes = config->compaction.target_bytes;
    options.level = (int)config->compaction.compression_level;
    return options;
}

void upkeep_init(struct upkeep *u, struct waker waker)
{
    *u = (struct upkeep){.compacted = {.live = COMPACT_UNKNOWN}, .waker = waker};
    queue_init(&u->news);
}

void upkeep_free(struct upkeep *u)
{
    struct queue_item *item;
    while ((item = queue_poll(&u->news)) != NULL)
        free(item); /* it begins the news */
    queue_free(&u->news);
}

static void tell(void *context, const struct runs_closed *closed)
{
    struct upkeep *u = context;
    struct upkeep_news *news = calloc(1, sizeof(*news));
    if (news == NULL)
        out_of_memory(sizeof(*news));
    news->run = *closed;
    queue_push(&u->news, &news->item);
    waker_wake(u->waker);
}

static void add_runs(struct keeper *keeper, const struct config *config,
                     const struct compact_options *compaction, struct upkeep *u)
{
    const char *end = config->runs.end_event_type;
    const struct runs_options runs = {.schema = &event_schema,
                                      .run = column(EVENT_COLUMN_SIMULATION_ID),
                                      .kind = column(EVENT_COLUMN_EVENT_TYPE_KEY),
                                      .time = column(EVENT_COLUMN_TIMESTAMP_NS),
                                      .arrival = column(EVENT_COLUMN_STREAM_TIME),
                                      .close_after = config->runs.close_after,
                                      .end_kind = end[0] != '\0' ? end : NULL,
                                      .compaction = compaction,
                                      .compacted = &u->compacted,
                                      .told = tell,
                                      .context = u};
    if (runs.close_after > 0 || runs.end_kind != NULL)
        keeper_add_runs(keeper, &runs);
}

void upkeep_add_jobs(struct keeper *keeper, const struct config *config, struct upkeep *u)
{
    const struct retain_options retention =
        upkeep_retention(config->retention.max_age, config->retention.max_bytes);
    struct compact_options compaction = upkeep_compaction(config);
    compaction.account = &u->memory;
    bool compacts = config->compaction.interval > 0;
    if (compacts)
        keeper_add_compaction(keeper, &compaction, config->compaction.interval, &u->compacted);
    add_runs(keeper, config, compacts ? &compaction : NULL, u);
    if (retention.max_age > 0 || retention.max_bytes > 0)
        keeper_add_retention(keeper, &retention, &u->retained);
}
