/* SPDX-License-Identifier: MIT */
#include "follow/kinds.h"

#include "follow/archive.h"
#include "follow/nats.h"
#include "follow/quality.h"
#include "follow/table.h"
#include "follow/timeseries.h"

const char *follow_kind_name(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_KIND_TABLE:
        return "table";
    case CONFIG_KIND_NATS:
        return "nats";
    case CONFIG_KIND_ARCHIVE:
        return "archive";
    case CONFIG_KIND_TIMESERIES:
        return "timeseries";
    case CONFIG_KIND_QUALITY:
        return "quality";
    }
    return "";
}

struct follow_target *follow_target_new(const struct config *config,
                                        const struct config_follower *follower, struct err *err)
{
    struct follow_target *target = NULL;
    switch (follower->kind) {
    case CONFIG_KIND_TABLE:
        target = follow_table_new(config, follower, err);
        break;
    case CONFIG_KIND_NATS:
        target = follow_nats_new(config, follower, err);
        break;
    case CONFIG_KIND_ARCHIVE:
        target = follow_archive_new(config, follower);
        break;
    case CONFIG_KIND_TIMESERIES:
        target = follow_timeseries_new(config, follower, err);
        break;
    case CONFIG_KIND_QUALITY:
        target = follow_quality_new(config, follower, err);
        break;
    }
    if (target == NULL)
        (void)err_prefix(err, "follower %s", follower->name);
    return target;
}
