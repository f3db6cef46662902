/* SPDX-License-Identifier: MIT */
#include "pipeline/upkeep.h"

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
    options.target_bytes = config->compaction.target_bytes;
    options.level = (int)config->compaction.compression_level;
    return options;
}

void upkeep_add_jobs(struct keeper *keeper, const struct config *config,
                     struct retain_counters *retained, struct compact_counters *compacted)
{
    const struct retain_options retention =
        upkeep_retention(config->retention.max_age, config->retention.max_bytes);
    const struct runs_options runs = {.schema = &event_schema,
                                      .run = column(EVENT_COLUMN_SIMULATION_ID),
                                      .kind = column(EVENT_COLUMN_EVENT_TYPE_KEY),
                                      .time = column(EVENT_COLUMN_TIMESTAMP_NS),
                                      .arrival = column(EVENT_COLUMN_STREAM_TIME),
                                      .close_after = config->runs.close_after};
    if (config->compaction.interval > 0) {
        struct compact_options compaction = upkeep_compaction(config);
        keeper_add_compaction(keeper, &compaction, config->compaction.interval, compacted);
    }
    if (runs.close_after > 0)
        keeper_add_runs(keeper, &runs);
    if (retention.max_age > 0 || retention.max_bytes > 0)
        keeper_add_retention(keeper, &retention, retained);
}
