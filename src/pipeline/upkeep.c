/* SPDX-License-Identifier: MIT */
#include "pipeline/upkeep.h"

#include "base/version.h"
#include "event/event.h"

struct retain_options upkeep_retention(int64_t max_age, uint64_t max_bytes)
{
    return (struct retain_options){
        .version = varve_version,
        .schema = &event_schema,
        .columns = {.time = event_schema.columns[EVENT_COLUMN_TIMESTAMP_NS].name,
                    .arrival = event_schema.columns[EVENT_COLUMN_STREAM_TIME].name,
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
    const int64_t max_age = config->retention.max_age;
    const uint64_t max_bytes = config->retention.max_bytes;
    if (config->compaction.interval > 0) {
        struct compact_options compaction = upkeep_compaction(config);
        keeper_add_compaction(keeper, &compaction, config->compaction.interval, compacted);
    }
    if (max_age == 0 && max_bytes == 0)
        return;
    struct retain_options options = upkeep_retention(max_age, max_bytes);
    keeper_add_retention(keeper, &options, retained);
}
