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

void upkeep_add_jobs(struct keeper *keeper, const struct config *config,
                     struct retain_counters *counters)
{
    const int64_t max_age = config->retention.max_age;
    const uint64_t max_bytes = config->retention.max_bytes;
    if (max_age == 0 && max_bytes == 0)
        return;
    struct retain_options options = upkeep_retention(max_age, max_bytes);
    keeper_add_retention(keeper, &options, counters);
}
